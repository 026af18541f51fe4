-- From signals to figures of an audience. What is written to the signals is noted as it comes, in sums by statement; a refresh
-- takes the notes and adds them to what it has counted. A note that is committed late is taken by the next refresh, and none
-- twice: no moment and no number of a transaction has to say what is new.

CREATE TABLE convene.event_signal_deltas (
    event_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    countries text[],
    ages text[],
    counts numeric[],
    impressions numeric,
    dwell_ms numeric,
    dwelled numeric,
    ticket_views numeric,
    checkouts numeric,
    purchases numeric,
    post_views numeric,
    watch numeric,
    watched numeric,
    mentions numeric,
    sentiment numeric,
    texts numeric,
    latest timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (event_id, id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);
COMMENT ON TABLE convene.event_signal_deltas IS 'What came to the signals of an event, or went, since they were last counted; taken by refresh_event_insights()';
COMMENT ON COLUMN convene.event_signal_deltas.event_id IS 'No foreign key: it may go before its notes. All zeros: a table was emptied, and everything has to be counted anew';
COMMENT ON COLUMN convene.event_signal_deltas.impressions IS 'Sums of one statement, here and to texts; null: says nothing of it. All null: attendees, orders or videos changed';
COMMENT ON COLUMN convene.event_signal_deltas.counts IS 'Impressions of the country and age that stand at the same place in countries and ages; those of neither are left out';
COMMENT ON COLUMN convene.event_signal_deltas.latest IS 'The latest created_at of the signals in it';

CREATE TABLE convene.event_signal_totals (
    event_id uuid PRIMARY KEY REFERENCES convene.events ON DELETE CASCADE,
    impressions numeric NOT NULL DEFAULT 0,
    dwell_ms numeric NOT NULL DEFAULT 0,
    dwelled numeric NOT NULL DEFAULT 0,
    ticket_views numeric NOT NULL DEFAULT 0,
    checkouts numeric NOT NULL DEFAULT 0,
    purchases numeric NOT NULL DEFAULT 0,
    post_views numeric NOT NULL DEFAULT 0,
    watch numeric NOT NULL DEFAULT 0,
    watched numeric NOT NULL DEFAULT 0,
    mentions numeric NOT NULL DEFAULT 0,
    sentiment numeric NOT NULL DEFAULT 0,
    texts numeric NOT NULL DEFAULT 0,
    countries jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(countries) = 'object'),
    ages jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(ages) = 'object'),
    computed_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 60);
COMMENT ON TABLE convene.event_signal_totals IS 'All signals of an event that were counted, of dropped months too; exact, so that counting anew gives the same';
COMMENT ON COLUMN convene.event_signal_totals.dwell_ms IS 'Of impressions and posts where it was measured; dwelled: how many impressions and views that were';
COMMENT ON COLUMN convene.event_signal_totals.watch IS 'Percent of videos watched, times views; watched: those views';
COMMENT ON COLUMN convene.event_signal_totals.sentiment IS 'Of texts, times their mentions; texts: those mentions';
COMMENT ON COLUMN convene.event_signal_totals.countries IS 'Impressions by country, as it was sent; ages likewise';

CREATE TABLE convene.event_signal_months (
    event_id uuid NOT NULL REFERENCES convene.events ON DELETE CASCADE,
    month date NOT NULL,
    impressions numeric NOT NULL DEFAULT 0,
    dwell_ms numeric NOT NULL DEFAULT 0,
    dwelled numeric NOT NULL DEFAULT 0,
    ticket_views numeric NOT NULL DEFAULT 0,
    checkouts numeric NOT NULL DEFAULT 0,
    purchases numeric NOT NULL DEFAULT 0,
    post_views numeric NOT NULL DEFAULT 0,
    watch numeric NOT NULL DEFAULT 0,
    watched numeric NOT NULL DEFAULT 0,
    mentions numeric NOT NULL DEFAULT 0,
    sentiment numeric NOT NULL DEFAULT 0,
    texts numeric NOT NULL DEFAULT 0,
    countries jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(countries) = 'object'),
    ages jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(ages) = 'object'),
    computed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (event_id, month)
);
COMMENT ON TABLE convene.event_signal_months IS 'What is kept of the signals of months that drop_old_partitions() dropped; columns as in event_signal_totals';
CREATE INDEX idx_event_signal_months_month ON convene.event_signal_months (month);

ALTER TABLE convene.event_signal_deltas ENABLE ROW LEVEL SECURITY;
CREATE POLICY service_only ON convene.event_signal_deltas USING (false);
ALTER TABLE convene.event_signal_totals ENABLE ROW LEVEL SECURITY;
CREATE POLICY service_only ON convene.event_signal_totals USING (false);
ALTER TABLE convene.event_signal_months ENABLE ROW LEVEL SECURITY;
CREATE POLICY service_only ON convene.event_signal_months USING (false);

-- Statements on the signals. Definer, all of these: whoever writes signals may not write notes. In sums, and never by sorting: a
-- plan made for one row is kept for ten thousand.

CREATE FUNCTION convene_private.note_impressions() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_sort = off AS $$
BEGIN
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO convene.event_signal_deltas (event_id, countries, ages, counts, impressions, dwell_ms, dwelled, latest)
        SELECT c.event_id, array_agg(c.country) FILTER (WHERE num_nonnulls(c.country, c.age_bucket) > 0),
               array_agg(c.age_bucket) FILTER (WHERE num_nonnulls(c.country, c.age_bucket) > 0),
               array_agg(c.impressions) FILTER (WHERE num_nonnulls(c.country, c.age_bucket) > 0),
               sum(c.impressions), sum(c.dwell_ms), sum(c.dwelled), max(c.latest)
        FROM (SELECT n.event_id, n.country, n.age_bucket, sum(n.impressions) AS impressions,
                     sum(n.dwell_time_ms) FILTER (WHERE n.impressions > 0) AS dwell_ms,
                     sum(n.impressions) FILTER (WHERE n.dwell_time_ms IS NOT NULL) AS dwelled, max(n.created_at) AS latest
              FROM new_rows n GROUP BY n.event_id, n.country, n.age_bucket) c
        GROUP BY c.event_id;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO convene.event_signal_deltas (event_id, countries, ages, counts, impressions, dwell_ms, dwelled, latest)
        SELECT c.event_id, array_agg(c.country) FILTER (WHERE num_nonnulls(c.country, c.age_bucket) > 0),
               array_agg(c.age_bucket) FILTER (WHERE num_nonnulls(c.country, c.age_bucket) > 0),
               array_agg(-c.impressions) FILTER (WHERE num_nonnulls(c.country, c.age_bucket) > 0),
               -sum(c.impressions), -sum(c.dwell_ms), -sum(c.dwelled), max(c.latest)
        FROM (SELECT o.event_id, o.country, o.age_bucket, sum(o.impressions) AS impressions,
                     sum(o.dwell_time_ms) FILTER (WHERE o.impressions > 0) AS dwell_ms,
                     sum(o.impressions) FILTER (WHERE o.dwell_time_ms IS NOT NULL) AS dwelled, max(o.created_at) AS latest
              FROM old_rows o GROUP BY o.event_id, o.country, o.age_bucket) c
        GROUP BY c.event_id;
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION convene_private.note_impressions() IS 'Notes what a statement changed in event_impressions';

CREATE FUNCTION convene_private.note_ticket_analytics() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_sort = off AS $$
BEGIN
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO convene.event_signal_deltas (event_id, ticket_views, checkouts, purchases, latest)
        SELECT n.event_id,
               sum(n.ticket_views), sum(n.checkouts_started), sum(n.purchases),
               max(n.created_at)
        FROM new_rows n GROUP BY n.event_id;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO convene.event_signal_deltas (event_id, ticket_views, checkouts, purchases, latest)
        SELECT o.event_id,
               -sum(o.ticket_views), -sum(o.checkouts_started), -sum(o.purchases),
               max(o.created_at)
        FROM old_rows o GROUP BY o.event_id;
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION convene_private.note_ticket_analytics() IS 'Notes what a statement changed in ticket_analytics';

CREATE FUNCTION convene_private.note_post_views() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_sort = off AS $$
BEGIN
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO convene.event_signal_deltas (event_id, post_views, dwell_ms, dwelled, watch, watched, mentions, sentiment, texts, latest)
        SELECT n.event_id,
               sum(n.views), sum(n.dwell_time_ms) FILTER (WHERE n.views > 0),
               sum(n.views) FILTER (WHERE n.dwell_time_ms IS NOT NULL),
               sum(n.watch_percentage * n.views), sum(n.views) FILTER (WHERE n.watch_percentage IS NOT NULL),
               sum(n.mentions),
               sum(n.sentiment * greatest(n.mentions, 1)), sum(greatest(n.mentions, 1)) FILTER (WHERE n.sentiment IS NOT NULL),
               max(n.created_at)
        FROM new_rows n GROUP BY n.event_id;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO convene.event_signal_deltas (event_id, post_views, dwell_ms, dwelled, watch, watched, mentions, sentiment, texts, latest)
        SELECT o.event_id,
               -sum(o.views), -sum(o.dwell_time_ms) FILTER (WHERE o.views > 0),
               -sum(o.views) FILTER (WHERE o.dwell_time_ms IS NOT NULL),
               -sum(o.watch_percentage * o.views), -sum(o.views) FILTER (WHERE o.watch_percentage IS NOT NULL),
               -sum(o.mentions),
               -sum(o.sentiment * greatest(o.mentions, 1)), -sum(greatest(o.mentions, 1)) FILTER (WHERE o.sentiment IS NOT NULL),
               max(o.created_at)
        FROM old_rows o GROUP BY o.event_id;
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION convene_private.note_post_views() IS 'Notes what a statement changed in post_views';

-- A table that is emptied takes no rows along that a trigger could see.
CREATE FUNCTION convene_private.note_truncate() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO convene.event_signal_deltas (event_id) VALUES ('00000000-0000-0000-0000-000000000000');
    RETURN NULL;
END $$;
COMMENT ON FUNCTION convene_private.note_truncate() IS 'Notes that everything has to be counted anew';

CREATE FUNCTION convene_private.note_event() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO convene.event_signal_deltas (event_id) SELECT DISTINCT n.event_id FROM new_rows n;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO convene.event_signal_deltas (event_id) SELECT DISTINCT o.event_id FROM old_rows o;
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION convene_private.note_event() IS 'Notes the events of which a statement changed attendees, orders or videos; they are counted when the figures are';

-- Of a partitioned table's triggers by statement only those of the table that is named fire, so that every partition has its own.
CREATE FUNCTION convene_private.watch_table(p_table regclass, p_noting regprocedure) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('CREATE TRIGGER note_insert AFTER INSERT ON %1$s REFERENCING NEW TABLE AS new_rows
                        FOR EACH STATEMENT EXECUTE FUNCTION %2$s;
                    CREATE TRIGGER note_update AFTER UPDATE ON %1$s REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
                        FOR EACH STATEMENT EXECUTE FUNCTION %2$s;
                    CREATE TRIGGER note_delete AFTER DELETE ON %1$s REFERENCING OLD TABLE AS old_rows
                        FOR EACH STATEMENT EXECUTE FUNCTION %2$s;
                    CREATE TRIGGER note_truncate AFTER TRUNCATE ON %1$s
                        FOR EACH STATEMENT EXECUTE FUNCTION convene_private.note_truncate()',
                   p_table, p_noting);
END $$;
COMMENT ON FUNCTION convene_private.watch_table(regclass, regprocedure) IS 'Puts the triggers on a table that note what changes in it';

CREATE FUNCTION convene_private.watch_signals(p_table regclass, p_parent text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM convene_private.watch_table(p_table, CASE p_parent
        WHEN 'event_impressions' THEN 'convene_private.note_impressions()'::regprocedure
        WHEN 'ticket_analytics' THEN 'convene_private.note_ticket_analytics()'::regprocedure
        WHEN 'post_views' THEN 'convene_private.note_post_views()'::regprocedure END);
END $$;
COMMENT ON FUNCTION convene_private.watch_signals(regclass, text) IS 'As watch_table(), for a signal table or a partition of one';

SELECT convene_private.watch_table('convene.attendees', 'convene_private.note_event()');
SELECT convene_private.watch_table('convene.orders', 'convene_private.note_event()');

-- Late-bound: what a row stores must not depend on a function of the extension.
CREATE FUNCTION convene_private.score_mention() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.mention_text IS NOT NULL AND to_regprocedure('convene.score_sentiment(text)') IS NULL THEN
        RAISE EXCEPTION 'the functions of convene are not installed'
            USING ERRCODE = '55000', DETAIL = 'The words of a mention are scored by convene.score_sentiment(text).',
                  HINT = 'CREATE EXTENSION convene';
    END IF;
    NEW.sentiment := CASE WHEN NEW.mention_text IS NOT NULL THEN convene.score_sentiment(NEW.mention_text) END;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.score_mention() IS 'Scores the words of a mention';

-- Counting anew. STABLE: sees the same rows as the statement that asks, all of them at one moment. Planned each time,
-- for one event or for all, and for the months that there are.
CREATE FUNCTION convene_private.signal_cells(p_table text, p_event_id uuid, p_from timestamptz, p_until timestamptz)
    RETURNS TABLE (event_id uuid, country text, age_bucket text, impressions numeric, dwell_ms numeric, dwelled numeric,
                   ticket_views numeric, checkouts numeric, purchases numeric, post_views numeric, watch numeric, watched numeric,
                   mentions numeric, sentiment numeric, texts numeric)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
BEGIN
    IF p_table IS NULL OR p_table = 'event_impressions' THEN
        RETURN QUERY
            SELECT s.event_id, s.country, s.age_bucket, sum(s.impressions)::numeric,
                   sum(s.dwell_time_ms) FILTER (WHERE s.impressions > 0),
                   (sum(s.impressions) FILTER (WHERE s.dwell_time_ms IS NOT NULL))::numeric, NULL::numeric, NULL::numeric,
                   NULL::numeric, NULL::numeric, NULL::numeric, NULL::numeric, NULL::numeric, NULL::numeric,
                   NULL::numeric
            FROM convene.event_impressions s
            WHERE s.created_at BETWEEN p_from AND p_until AND (p_event_id IS NULL OR s.event_id = p_event_id)
            GROUP BY s.event_id, s.country, s.age_bucket;
    END IF;
    IF p_table IS NULL OR p_table = 'ticket_analytics' THEN
        RETURN QUERY
            SELECT s.event_id, NULL::text, NULL::text, NULL::numeric, NULL::numeric, NULL::numeric,
                   sum(s.ticket_views)::numeric, sum(s.checkouts_started)::numeric, sum(s.purchases)::numeric,
                   NULL::numeric, NULL::numeric, NULL::numeric, NULL::numeric, NULL::numeric, NULL::numeric
            FROM convene.ticket_analytics s
            WHERE s.created_at BETWEEN p_from AND p_until AND (p_event_id IS NULL OR s.event_id = p_event_id)
            GROUP BY s.event_id;
    END IF;
    IF p_table IS NULL OR p_table = 'post_views' THEN
        RETURN QUERY
            SELECT s.event_id, NULL::text, NULL::text, NULL::numeric, sum(s.dwell_time_ms) FILTER (WHERE s.views > 0),
                   (sum(s.views) FILTER (WHERE s.dwell_time_ms IS NOT NULL))::numeric, NULL::numeric, NULL::numeric,
                   NULL::numeric, sum(s.views)::numeric, sum(s.watch_percentage * s.views),
                   (sum(s.views) FILTER (WHERE s.watch_percentage IS NOT NULL))::numeric, sum(s.mentions)::numeric,
                   sum(s.sentiment * greatest(s.mentions, 1)),
                   (sum(greatest(s.mentions, 1)) FILTER (WHERE s.sentiment IS NOT NULL))::numeric
            FROM convene.post_views s
            WHERE s.created_at BETWEEN p_from AND p_until AND (p_event_id IS NULL OR s.event_id = p_event_id)
            GROUP BY s.event_id;
    END IF;
END $$;
COMMENT ON FUNCTION convene_private.signal_cells(text, uuid, timestamptz, timestamptz) IS 'Sums of the signals of a time, both ends in it, by event, country and age: of one table or all, of one event or all';

CREATE FUNCTION convene_private.tell_progress(p_what text, p_done bigint, p_total bigint) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    told CONSTANT numeric := coalesce(nullif(current_setting('convene.told_at', true), ''), '0')::numeric;
    present CONSTANT numeric := extract(epoch FROM clock_timestamp());
BEGIN
    IF p_done > 0 AND present - told >= 1 THEN
        PERFORM set_config('convene.told_at', present::text, true);
        RAISE NOTICE '%: % of % done, about % s left', p_what, p_done, p_total,
            round((present - extract(epoch FROM statement_timestamp())) * (p_total - p_done) / p_done);
    END IF;
    RETURN true;
END $$;
COMMENT ON FUNCTION convene_private.tell_progress(text, bigint, bigint) IS 'Says how far long work is, at most once a second; true';
