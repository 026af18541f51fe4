-- What makes a fit stale, and how it gets into fit_recalc_queue. Each side of a fit has one revision that only grows: of a sponsor
-- sponsor_profiles.rev; of an event the sum of events.fit_rev, the rev of its insights, that of its vector, and that of the weights.
-- Nobody who writes one of them waits for whoever writes another, and none of them for a worker.

INSERT INTO convene.settings (key, value, description) VALUES
    ('sponsorship.match_floor', 'null', 'Fits below this score (0 to 1) are not stored; null or 0: all are'),
    ('sponsorship.top_n_per_sponsor', 'null', 'So many best events of each sponsor are stored; null or 0: all'),
    ('sponsorship.top_n_per_event', 'null', 'So many best sponsors of each event are stored; null or 0: all'),
    ('health.queue_stuck_minutes', '60', 'Minutes after which work that nobody takes makes the recalculation count as stuck');

-- What was deleted leaves its revision behind, so that what comes after it is newer.
CREATE TABLE convene.fit_revisions (
    kind text NOT NULL CHECK (kind IN ('weights', 'insights', 'vector')),
    target_id uuid NOT NULL,
    rev bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (kind, target_id)
) WITH (fillfactor = 70);
COMMENT ON TABLE convene.fit_revisions IS 'Revisions of scoring inputs that no row of their own has: of all weights together, and of insights and vectors that were deleted';
COMMENT ON COLUMN convene.fit_revisions.kind IS 'weights: grows with every change of the weights of surface sponsorship';
COMMENT ON COLUMN convene.fit_revisions.target_id IS 'The event whose insights or vector were deleted; zeros for the weights';
ALTER TABLE convene.fit_revisions ENABLE ROW LEVEL SECURITY;
CREATE POLICY service_only ON convene.fit_revisions USING (false);
INSERT INTO convene.fit_revisions (kind, target_id, rev) VALUES ('weights', '00000000-0000-0000-0000-000000000000', 1);

-- Putting into the queue. As for embeddings: a pending entry of the target is locked, and so held back from workers until this
-- transaction ends; where there is none to lock, an entry is added. Nobody waits for anybody, and a worker takes several entries
-- of a target as one. An entry of lower priority, or one that waits after a failure, does not do. Targets are looked up one by
-- one: by a plan that is kept since the queue was empty, all at once would be to read whatever is pending.

CREATE FUNCTION convene_private.enqueue_sponsor_fits(p_sponsor_ids uuid[], p_reason text, p_priority integer) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    single uuid := p_sponsor_ids[1];
    added bigint;
BEGIN
    -- One by itself is what a user waits for: small statements, whose plans are kept.
    IF cardinality(p_sponsor_ids) = 1 AND single IS NOT NULL THEN
        PERFORM FROM convene.fit_recalc_queue q
        WHERE q.sponsor_id = single AND q.event_id IS NULL AND q.status = 'pending'
          AND q.priority >= p_priority AND q.available_at <= clock_timestamp()
        LIMIT 1 FOR SHARE SKIP LOCKED;
        IF FOUND THEN
            RETURN 0::bigint;
        END IF;
        INSERT INTO convene.fit_recalc_queue (sponsor_id, reason, priority) VALUES (single, p_reason, p_priority);
        RETURN 1::bigint;
    END IF;
    WITH held AS MATERIALIZED (
        SELECT t.id FROM unnest(p_sponsor_ids) t(id) CROSS JOIN LATERAL (
            SELECT FROM convene.fit_recalc_queue q
            WHERE q.sponsor_id = t.id AND q.event_id IS NULL AND q.status = 'pending'
              AND q.priority >= p_priority AND q.available_at <= clock_timestamp()
            LIMIT 1 FOR SHARE SKIP LOCKED) q)
    INSERT INTO convene.fit_recalc_queue (sponsor_id, reason, priority)
    SELECT w.id, p_reason, p_priority FROM (SELECT unnest(p_sponsor_ids) EXCEPT SELECT h.id FROM held h) w(id);
    GET DIAGNOSTICS added = ROW_COUNT;
    RETURN added;
END $$;
COMMENT ON FUNCTION convene_private.enqueue_sponsor_fits(uuid[], text, integer) IS 'Queues sponsors to be compared with every event, those without a pending entry; returns how many entries it added';

CREATE FUNCTION convene_private.enqueue_event_fits(p_event_ids uuid[], p_reason text, p_priority integer) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    single uuid := p_event_ids[1];
    added bigint;
BEGIN
    -- One by itself is what a user waits for: small statements, whose plans are kept.
    IF cardinality(p_event_ids) = 1 AND single IS NOT NULL THEN
        PERFORM FROM convene.fit_recalc_queue q
        WHERE q.event_id = single AND q.sponsor_id IS NULL AND q.status = 'pending'
          AND q.priority >= p_priority AND q.available_at <= clock_timestamp()
        LIMIT 1 FOR SHARE SKIP LOCKED;
        IF FOUND THEN
            RETURN 0::bigint;
        END IF;
        INSERT INTO convene.fit_recalc_queue (event_id, reason, priority) VALUES (single, p_reason, p_priority);
        RETURN 1::bigint;
    END IF;
    WITH held AS MATERIALIZED (
        SELECT t.id FROM unnest(p_event_ids) t(id) CROSS JOIN LATERAL (
            SELECT FROM convene.fit_recalc_queue q
            WHERE q.event_id = t.id AND q.sponsor_id IS NULL AND q.status = 'pending'
              AND q.priority >= p_priority AND q.available_at <= clock_timestamp()
            LIMIT 1 FOR SHARE SKIP LOCKED) q)
    INSERT INTO convene.fit_recalc_queue (event_id, reason, priority)
    SELECT w.id, p_reason, p_priority FROM (SELECT unnest(p_event_ids) EXCEPT SELECT h.id FROM held h) w(id);
    GET DIAGNOSTICS added = ROW_COUNT;
    RETURN added;
END $$;
COMMENT ON FUNCTION convene_private.enqueue_event_fits(uuid[], text, integer) IS 'Queues events to be compared with every sponsor, those without a pending entry; returns how many entries it added';

CREATE FUNCTION convene_private.enqueue_pair_fits(p_sponsor_ids uuid[], p_event_ids uuid[], p_reason text, p_priority integer)
    RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    added bigint;
BEGIN
    WITH held AS MATERIALIZED (
        SELECT t.* FROM unnest(p_sponsor_ids, p_event_ids) t(sponsor_id, event_id) CROSS JOIN LATERAL (
            SELECT FROM convene.fit_recalc_queue q
            WHERE q.sponsor_id = t.sponsor_id AND q.event_id = t.event_id AND q.status = 'pending'
              AND q.priority >= p_priority AND q.available_at <= clock_timestamp()
            LIMIT 1 FOR SHARE SKIP LOCKED) q)
    INSERT INTO convene.fit_recalc_queue (sponsor_id, event_id, reason, priority)
    SELECT DISTINCT w.sponsor_id, w.event_id, p_reason, p_priority FROM unnest(p_sponsor_ids, p_event_ids) w(sponsor_id, event_id)
    WHERE NOT EXISTS (SELECT FROM held h WHERE h.sponsor_id = w.sponsor_id AND h.event_id = w.event_id);
    GET DIAGNOSTICS added = ROW_COUNT;
    RETURN added;
END $$;
COMMENT ON FUNCTION convene_private.enqueue_pair_fits(uuid[], uuid[], text, integer) IS 'Queues pairs (parallel arrays), those without a pending entry; returns how many entries it added';

-- Which events are on the market is asked by the worker: an event that is being published while this runs is not seen here.
CREATE FUNCTION convene_private.enqueue_all_fits(p_reason text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM FROM convene.fit_recalc_queue q
    WHERE q.sponsor_id IS NULL AND q.event_id IS NULL AND q.status = 'pending' AND q.available_at <= clock_timestamp()
    FOR SHARE SKIP LOCKED LIMIT 1;
    IF NOT FOUND THEN
        INSERT INTO convene.fit_recalc_queue (reason, payload) VALUES (p_reason, '{"events": "all"}');
    END IF;
END $$;
COMMENT ON FUNCTION convene_private.enqueue_all_fits(text) IS 'Queues every event that is on the market when a worker comes to it';

-- A single change goes before those that come by the hundred. Workers that listen are told once per statement.
CREATE FUNCTION convene_private.note_fits(p_side text, p_ids uuid[], p_reason text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    urgency integer := CASE WHEN cardinality(p_ids) = 1 THEN 10 ELSE 0 END;
    added bigint;
BEGIN
    IF p_ids IS NULL THEN
        RETURN;
    END IF;
    added := CASE p_side WHEN 'sponsor' THEN convene_private.enqueue_sponsor_fits(p_ids, p_reason, urgency)
                         ELSE convene_private.enqueue_event_fits(p_ids, p_reason, urgency) END;
    IF added > 0 THEN
        PERFORM pg_notify('convene_fit_recalc_queue', added::text);
    END IF;
END $$;
COMMENT ON FUNCTION convene_private.note_fits(text, uuid[], text) IS 'Queues what one statement changed: sponsors or events, a single one with priority 10, several with 0';

-- Triggers. Definer all of them: whoever changes a profile or an event may not see the queue. EXCEPT tells what changed, no join.
-- What happens on two tables is never left out because of what the other one shows now: it may be changing too.

CREATE FUNCTION convene_private.sponsor_profiles_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    changed uuid[];
BEGIN
    IF TG_OP = 'INSERT' THEN
        SELECT array_agg(n.sponsor_id) INTO changed FROM new_rows n;
    ELSE
        SELECT array_agg(o.sponsor_id) INTO changed FROM old_rows o;
    END IF;
    PERFORM convene_private.note_fits('sponsor', changed, 'sponsor_profiles');
    RETURN NULL;
END $$;
COMMENT ON FUNCTION convene_private.sponsor_profiles_changed() IS 'Queues sponsors whose profile was made or deleted';
CREATE TRIGGER sponsor_profiles_inserted AFTER INSERT ON convene.sponsor_profiles REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.sponsor_profiles_changed();
CREATE TRIGGER sponsor_profiles_deleted AFTER DELETE ON convene.sponsor_profiles REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.sponsor_profiles_changed();

-- This is what a sponsor does all the time and waits for: a row whose rev did not change costs nothing, one whose sponsor is pending
-- one small statement. Finding out from transition tables what changed, and calling what the others call, takes more than twice as long.
CREATE FUNCTION convene_private.sponsor_profile_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM FROM convene.fit_recalc_queue q
    WHERE q.sponsor_id = NEW.sponsor_id AND q.event_id IS NULL AND q.status = 'pending'
      AND q.priority >= 10 AND q.available_at <= clock_timestamp()
    LIMIT 1 FOR SHARE SKIP LOCKED;
    IF FOUND THEN
        RETURN NULL;
    END IF;
    IF NOT EXISTS (SELECT FROM new_rows OFFSET 1) THEN
        INSERT INTO convene.fit_recalc_queue (sponsor_id, reason, priority) VALUES (NEW.sponsor_id, 'sponsor_profiles', 10);
    ELSIF convene_private.enqueue_sponsor_fits(ARRAY[NEW.sponsor_id], 'sponsor_profiles', 0) = 0 THEN
        RETURN NULL;
    END IF;
    PERFORM pg_notify('convene_fit_recalc_queue', '1');
    RETURN NULL;
END $$;
COMMENT ON FUNCTION convene_private.sponsor_profile_changed() IS 'Queues a sponsor whose budget, categories, regions or vector changed';
CREATE TRIGGER sponsor_profiles_updated AFTER UPDATE ON convene.sponsor_profiles REFERENCING NEW TABLE AS new_rows
    FOR EACH ROW WHEN (OLD.rev IS DISTINCT FROM NEW.rev) EXECUTE FUNCTION convene_private.sponsor_profile_changed();

-- What a worker has just written or has locked is left to the entry that is queued here.
CREATE FUNCTION convene_private.drop_matches(p_sponsor_ids uuid[], p_event_ids uuid[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM convene.sponsorship_matches m USING (
        SELECT f.event_id, f.sponsor_id FROM convene.sponsorship_matches f
        WHERE f.sponsor_id = ANY (p_sponsor_ids) OR f.event_id = ANY (p_event_ids)
        FOR UPDATE SKIP LOCKED) gone
    WHERE m.event_id = gone.event_id AND m.sponsor_id = gone.sponsor_id;
END $$;
COMMENT ON FUNCTION convene_private.drop_matches(uuid[], uuid[]) IS 'Deletes the matches of these sponsors and of these events that nobody has locked';

CREATE FUNCTION convene_private.sponsors_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    changed uuid[];
BEGIN
    IF TG_OP = 'DELETE' THEN
        SELECT array_agg(o.id) INTO changed FROM old_rows o;
        PERFORM convene_private.drop_matches(changed, '{}');
    ELSE
        SELECT array_agg(c.id) INTO changed
        FROM (SELECT n.id, n.status = 'churned' FROM new_rows n EXCEPT SELECT o.id, o.status = 'churned' FROM old_rows o) c;
    END IF;
    PERFORM convene_private.note_fits('sponsor', changed, 'sponsors');
    RETURN NULL;
END $$;
COMMENT ON FUNCTION convene_private.sponsors_changed() IS 'Queues sponsors that churned, came back or were deleted';
CREATE TRIGGER sponsors_updated AFTER UPDATE ON convene.sponsors REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.sponsors_changed();
CREATE TRIGGER sponsors_deleted AFTER DELETE ON convene.sponsors REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.sponsors_changed();

CREATE FUNCTION convene_private.count_event() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.fit_rev := (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;
    ELSE
        NEW.fit_rev := OLD.fit_rev + ((NEW.categories, NEW.regions) IS DISTINCT FROM (OLD.categories, OLD.regions))::integer;
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.count_event() IS 'Counts fit_rev where what a fit is computed from changed';
CREATE TRIGGER events_count BEFORE INSERT OR UPDATE ON convene.events
    FOR EACH ROW EXECUTE FUNCTION convene_private.count_event();

-- An event leaves the market by the clock, too: that is queue_expired_events().
CREATE FUNCTION convene_private.events_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    changed uuid[];
    gone uuid[];
BEGIN
    IF TG_OP = 'INSERT' THEN
        SELECT array_agg(n.id) INTO changed FROM new_rows n
        WHERE n.status = 'published' AND (n.end_at IS NULL OR n.end_at > clock_timestamp());
    ELSIF TG_OP = 'DELETE' THEN
        SELECT array_agg(o.id) FILTER (WHERE o.status = 'published'), array_agg(o.id) INTO changed, gone FROM old_rows o;
        PERFORM convene_private.drop_matches('{}', gone);
    ELSE
        -- Of an event off the market nothing matters but that it is. Whether it is over is asked of one moment for both.
        SELECT array_agg(c.id) INTO changed
        FROM (SELECT n.id, n.status = 'published' AND coalesce(n.end_at > now(), true),
                     CASE WHEN n.status = 'published' THEN n.fit_rev END FROM new_rows n
              EXCEPT
              SELECT o.id, o.status = 'published' AND coalesce(o.end_at > now(), true),
                     CASE WHEN o.status = 'published' THEN o.fit_rev END FROM old_rows o) c;
    END IF;
    PERFORM convene_private.note_fits('event', changed, 'events');
    RETURN NULL;
END $$;
COMMENT ON FUNCTION convene_private.events_changed() IS 'Queues events that came to the market or left it, and those on it whose categories or regions changed';
CREATE TRIGGER events_inserted AFTER INSERT ON convene.events REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.events_changed();
CREATE TRIGGER events_updated AFTER UPDATE ON convene.events REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.events_changed();
CREATE TRIGGER events_deleted AFTER DELETE ON convene.events REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.events_changed();

-- Insights and vectors alike. A row that is made anew must be newer than the one that was deleted, whatever the clock says. So
-- must an event that is made anew under its id; cleanup_recalc_queue() removes what nobody can need any more.
CREATE FUNCTION convene_private.place_revision() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.rev := greatest((extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
                        (SELECT r.rev + 1 FROM convene.fit_revisions r WHERE r.kind = TG_ARGV[0] AND r.target_id = NEW.event_id));
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.place_revision() IS 'Gives insights and vectors a revision above that of the deleted ones';
CREATE TRIGGER event_audience_insights_revision BEFORE INSERT ON convene.event_audience_insights
    FOR EACH ROW EXECUTE FUNCTION convene_private.place_revision('insights');
CREATE TRIGGER event_embeddings_revision BEFORE INSERT ON convene.event_embeddings
    FOR EACH ROW EXECUTE FUNCTION convene_private.place_revision('vector');

CREATE FUNCTION convene_private.event_parts_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    changed uuid[];
BEGIN
    IF TG_OP = 'INSERT' THEN
        SELECT array_agg(n.event_id) INTO changed FROM new_rows n;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO convene.fit_revisions AS r (kind, target_id, rev)
        SELECT TG_ARGV[0], o.event_id, o.rev + 1 FROM old_rows o
        ON CONFLICT (kind, target_id) DO UPDATE SET rev = greatest(r.rev, excluded.rev);
        SELECT array_agg(o.event_id) INTO changed FROM old_rows o;
    ELSE
        SELECT array_agg(c.event_id) INTO changed
        FROM (SELECT n.event_id, n.rev FROM new_rows n EXCEPT SELECT o.event_id, o.rev FROM old_rows o) c;
    END IF;
    PERFORM convene_private.note_fits('event', changed, TG_TABLE_NAME);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION convene_private.event_parts_changed() IS 'Queues events whose insights (regions, engagement, conversion) or vector changed';
CREATE TRIGGER event_audience_insights_inserted AFTER INSERT ON convene.event_audience_insights REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.event_parts_changed('insights');
CREATE TRIGGER event_audience_insights_updated AFTER UPDATE ON convene.event_audience_insights
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.event_parts_changed('insights');
CREATE TRIGGER event_audience_insights_deleted AFTER DELETE ON convene.event_audience_insights REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.event_parts_changed('insights');
CREATE TRIGGER event_embeddings_inserted AFTER INSERT ON convene.event_embeddings REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.event_parts_changed('vector');
CREATE TRIGGER event_embeddings_updated AFTER UPDATE ON convene.event_embeddings
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.event_parts_changed('vector');
CREATE TRIGGER event_embeddings_deleted AFTER DELETE ON convene.event_embeddings REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.event_parts_changed('vector');

-- Only the weights that count now or counted before matter.
CREATE FUNCTION convene_private.scoring_weights_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    touched record;
BEGIN
    IF TG_OP = 'INSERT' THEN
        SELECT array_agg(DISTINCT n.event_id) FILTER (WHERE n.event_id IS NOT NULL) AS events,
               bool_or(n.event_id IS NULL) AS every INTO touched
        FROM new_rows n WHERE n.surface = 'sponsorship' AND n.is_active;
    ELSIF TG_OP = 'DELETE' THEN
        SELECT array_agg(DISTINCT o.event_id) FILTER (WHERE o.event_id IS NOT NULL) AS events,
               bool_or(o.event_id IS NULL) AS every INTO touched
        FROM old_rows o WHERE o.surface = 'sponsorship' AND o.is_active;
    ELSE
        SELECT array_agg(DISTINCT c.event_id) FILTER (WHERE c.event_id IS NOT NULL) AS events,
               bool_or(c.event_id IS NULL) AS every INTO touched
        FROM ((SELECT n.event_id, n.weights FROM new_rows n WHERE n.surface = 'sponsorship' AND n.is_active
               EXCEPT SELECT o.event_id, o.weights FROM old_rows o WHERE o.surface = 'sponsorship' AND o.is_active)
              UNION ALL
              (SELECT o.event_id, o.weights FROM old_rows o WHERE o.surface = 'sponsorship' AND o.is_active
               EXCEPT SELECT n.event_id, n.weights FROM new_rows n WHERE n.surface = 'sponsorship' AND n.is_active)) c;
    END IF;
    IF touched.every IS NULL THEN
        RETURN NULL;
    END IF;
    UPDATE convene.fit_revisions r SET rev = r.rev + 1 WHERE r.kind = 'weights';
    PERFORM convene_private.note_fits('event', touched.events, 'scoring_weights');
    IF touched.every THEN
        PERFORM convene_private.enqueue_all_fits('scoring_weights');
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION convene_private.scoring_weights_changed() IS 'Queues the events whose weights for sponsorship changed';
CREATE TRIGGER scoring_weights_inserted AFTER INSERT ON convene.scoring_weights REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.scoring_weights_changed();
CREATE TRIGGER scoring_weights_updated AFTER UPDATE ON convene.scoring_weights
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.scoring_weights_changed();
CREATE TRIGGER scoring_weights_deleted AFTER DELETE ON convene.scoring_weights REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.scoring_weights_changed();

CREATE FUNCTION convene_private.bounds_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM convene_private.enqueue_all_fits('settings');
    RETURN NULL;
END $$;
COMMENT ON FUNCTION convene_private.bounds_changed() IS 'Queues every event when what is stored of the market is bounded anew';
CREATE TRIGGER settings_bounds_made AFTER INSERT ON convene.settings
    FOR EACH ROW WHEN (NEW.key IN ('sponsorship.match_floor', 'sponsorship.top_n_per_sponsor', 'sponsorship.top_n_per_event'))
    EXECUTE FUNCTION convene_private.bounds_changed();
CREATE TRIGGER settings_bounds_changed AFTER UPDATE ON convene.settings
    FOR EACH ROW WHEN (NEW.key IN ('sponsorship.match_floor', 'sponsorship.top_n_per_sponsor', 'sponsorship.top_n_per_event')
                       AND OLD.value IS DISTINCT FROM NEW.value)
    EXECUTE FUNCTION convene_private.bounds_changed();
CREATE TRIGGER settings_bounds_dropped AFTER DELETE ON convene.settings
    FOR EACH ROW WHEN (OLD.key IN ('sponsorship.match_floor', 'sponsorship.top_n_per_sponsor', 'sponsorship.top_n_per_event'))
    EXECUTE FUNCTION convene_private.bounds_changed();

-- A score that was written by hand is no longer what its fingerprint says.
CREATE FUNCTION convene_private.clear_fingerprint() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.fingerprint := 0;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.clear_fingerprint() IS 'Has a match computed anew whose score or metrics were changed by hand';
CREATE TRIGGER sponsorship_matches_fingerprint BEFORE UPDATE ON convene.sponsorship_matches
    FOR EACH ROW WHEN (OLD.fingerprint = NEW.fingerprint
                       AND (OLD.score <> NEW.score OR OLD.overlap_metrics IS DISTINCT FROM NEW.overlap_metrics))
    EXECUTE FUNCTION convene_private.clear_fingerprint();

-- What workers do to queue and matches, in sets.

-- Takes the entries that are due, by priority and then by age, and with them every other entry of the same targets. What a
-- transaction that is still open has queued or confirmed is locked by it and stays.
CREATE FUNCTION convene_private.claim_fits(p_batch integer)
    RETURNS TABLE (id uuid, sponsor_id uuid, event_id uuid, attempts integer)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    taken uuid[];
    sponsors uuid[];
    events uuid[];
BEGIN
    SELECT array_agg(p.id), array_agg(p.sponsor_id), array_agg(p.event_id) INTO taken, sponsors, events
    FROM (SELECT q.id, q.sponsor_id, q.event_id FROM convene.fit_recalc_queue q
          WHERE q.status = 'pending' AND q.attempts >= 0 AND q.available_at <= clock_timestamp()
            AND num_nonnulls(q.sponsor_id, q.event_id) > 0
          ORDER BY q.priority DESC, q.available_at, q.id LIMIT p_batch FOR UPDATE SKIP LOCKED) p;
    IF taken IS NULL THEN
        RETURN;
    END IF;
    RETURN QUERY
    SELECT q.id, q.sponsor_id, q.event_id, q.attempts FROM convene.fit_recalc_queue q WHERE q.id = ANY (taken);
    RETURN QUERY
    SELECT q.id, q.sponsor_id, q.event_id, q.attempts FROM convene.fit_recalc_queue q
    WHERE q.status = 'pending' AND q.id <> ALL (taken)
      AND (q.sponsor_id = ANY (sponsors) OR (q.sponsor_id IS NULL AND q.event_id = ANY (events)))
      AND EXISTS (SELECT FROM unnest(sponsors, events) t(sponsor_id, event_id)
                  WHERE t.sponsor_id IS NOT DISTINCT FROM q.sponsor_id AND t.event_id IS NOT DISTINCT FROM q.event_id)
    FOR UPDATE OF q SKIP LOCKED;
END $$;
COMMENT ON FUNCTION convene_private.claim_fits(integer) IS 'Locks up to so many due entries for this transaction, and with them further entries of their targets';

-- An entry for every event becomes one entry for each that is on the market now.
CREATE FUNCTION convene_private.spread_fits() RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    spread record;
BEGIN
    WITH taken AS MATERIALIZED (
        SELECT q.id FROM convene.fit_recalc_queue q
        WHERE q.status = 'pending' AND q.available_at <= clock_timestamp() AND q.sponsor_id IS NULL AND q.event_id IS NULL
        FOR UPDATE SKIP LOCKED),
    done AS (
        UPDATE convene.fit_recalc_queue q
        SET status = 'done', processed_at = clock_timestamp(), claimed_at = now(), claimed_by = session_user, attempts = q.attempts + 1
        WHERE q.id IN (SELECT t.id FROM taken t) RETURNING q.reason)
    SELECT count(*) AS entries, min(d.reason) AS reason INTO spread FROM done d;
    IF spread.entries > 0 THEN
        PERFORM convene_private.enqueue_event_fits(ARRAY(
            SELECT e.id FROM convene.events e
            WHERE e.status = 'published' AND (e.end_at IS NULL OR e.end_at > clock_timestamp())), spread.reason, 0);
    END IF;
    RETURN spread.entries;
END $$;
COMMENT ON FUNCTION convene_private.spread_fits() IS 'Turns entries for every event into entries for each; returns how many there were';

-- What was computed from older revisions than a row has does not replace it: another worker was ahead.
CREATE FUNCTION convene_private.store_fits(p_events uuid[], p_sponsors uuid[], p_scores numeric[], p_metrics jsonb[],
                                           p_sponsor_revs bigint[], p_event_revs bigint[], p_fingerprints bigint[], p_first boolean)
    RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    stored bigint;
BEGIN
    -- In the select list arrays are taken apart side by side; in FROM each of them would be written away first.
    -- To look for a conflict takes an insert an eighth longer, and is for nothing as long as no other worker is at the same pairs.
    IF p_first THEN
        BEGIN
            INSERT INTO convene.sponsorship_matches (event_id, sponsor_id, score, overlap_metrics, sponsor_rev, event_rev, fingerprint)
            SELECT unnest(p_events), unnest(p_sponsors), unnest(p_scores), unnest(p_metrics), unnest(p_sponsor_revs),
                   unnest(p_event_revs), unnest(p_fingerprints);
            RETURN cardinality(p_events)::bigint;
        EXCEPTION WHEN unique_violation THEN
            NULL;
        END;
    END IF;
    INSERT INTO convene.sponsorship_matches AS m
           (event_id, sponsor_id, score, overlap_metrics, sponsor_rev, event_rev, fingerprint)
    SELECT unnest(p_events), unnest(p_sponsors), unnest(p_scores), unnest(p_metrics), unnest(p_sponsor_revs),
           unnest(p_event_revs), unnest(p_fingerprints)
    ON CONFLICT (event_id, sponsor_id) DO UPDATE
    SET score = excluded.score, overlap_metrics = excluded.overlap_metrics, sponsor_rev = excluded.sponsor_rev,
        event_rev = excluded.event_rev, fingerprint = excluded.fingerprint, computed_at = excluded.computed_at, retired_at = NULL
    WHERE m.sponsor_rev <= excluded.sponsor_rev AND m.event_rev <= excluded.event_rev;
    GET DIAGNOSTICS stored = ROW_COUNT;
    RETURN stored;
END $$;
COMMENT ON FUNCTION convene_private.store_fits(uuid[], uuid[], numeric[], jsonb[], bigint[], bigint[], bigint[], boolean) IS 'Writes fits (parallel arrays) where no revision goes back; returns how many. p_first: there is none of their events, as far as is known';

-- Of two workers each may have been ahead on one side, if one of them had changed a side itself: such a pair is computed again.
CREATE FUNCTION convene_private.requeue_refused(p_events uuid[], p_sponsors uuid[], p_sponsor_revs bigint[], p_event_revs bigint[])
    RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    mixed record;
BEGIN
    SELECT array_agg(m.sponsor_id) AS sponsors, array_agg(m.event_id) AS events INTO mixed
    FROM unnest(p_events, p_sponsors, p_sponsor_revs, p_event_revs) w(event_id, sponsor_id, sponsor_rev, event_rev)
    JOIN convene.sponsorship_matches m ON m.event_id = w.event_id AND m.sponsor_id = w.sponsor_id
    WHERE (m.sponsor_rev < w.sponsor_rev AND m.event_rev > w.event_rev)
       OR (m.sponsor_rev > w.sponsor_rev AND m.event_rev < w.event_rev);
    IF mixed.sponsors IS NOT NULL THEN
        PERFORM convene_private.enqueue_pair_fits(mixed.sponsors, mixed.events, 'overtaken', 10);
    END IF;
END $$;
COMMENT ON FUNCTION convene_private.requeue_refused(uuid[], uuid[], bigint[], bigint[]) IS 'Queues pairs of which each of two workers knew one side better';

-- What somebody looked at or answered stays as long as sponsor and event are there at all.
CREATE FUNCTION convene_private.retire_fits(p_sponsors uuid[], p_events uuid[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM convene.sponsorship_matches m
    WHERE (m.sponsor_id = ANY (p_sponsors) OR m.event_id = ANY (p_events))
      AND ((m.status NOT IN ('accepted', 'rejected') AND m.viewed_at IS NULL AND m.contacted_at IS NULL)
           OR NOT EXISTS (SELECT FROM convene.sponsors s WHERE s.id = m.sponsor_id)
           OR NOT EXISTS (SELECT FROM convene.events e WHERE e.id = m.event_id));
    UPDATE convene.sponsorship_matches m SET retired_at = now()
    WHERE (m.sponsor_id = ANY (p_sponsors) OR m.event_id = ANY (p_events)) AND m.retired_at IS NULL;
END $$;
COMMENT ON FUNCTION convene_private.retire_fits(uuid[], uuid[]) IS 'Takes the matches of these sponsors and events off the market: those that nobody looked at or answered are deleted';

CREATE FUNCTION convene_private.prune_fits(p_events uuid[], p_sponsors uuid[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM convene.sponsorship_matches m USING unnest(p_events, p_sponsors) w(event_id, sponsor_id)
    WHERE m.event_id = w.event_id AND m.sponsor_id = w.sponsor_id
      AND m.status NOT IN ('accepted', 'rejected') AND m.viewed_at IS NULL AND m.contacted_at IS NULL;
END $$;
COMMENT ON FUNCTION convene_private.prune_fits(uuid[], uuid[]) IS 'Deletes matches (parallel arrays) that are no longer worth a row';
