-- Preferences, signals and vectors that recommendations are computed from, and what is computed and shown.
-- One fact has two faces: an id in an array of attendee_preferences is a row of session_interactions. Either may be
-- written; triggers write the difference to the other, and stop where there is none.

CREATE TABLE convene.attendee_preferences (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    attendee_id uuid NOT NULL,
    event_id uuid NOT NULL REFERENCES convene.events ON DELETE CASCADE,
    -- As many and as long as update_attendee_preferences() takes them.
    preferred_topics text[] NOT NULL DEFAULT '{}'
        CHECK (cardinality(preferred_topics) <= 200 AND octet_length(array_to_string(preferred_topics, '')) <= 2000000),
    preferred_formats text[] NOT NULL DEFAULT '{}'
        CHECK (cardinality(preferred_formats) <= 200 AND octet_length(array_to_string(preferred_formats, '')) <= 2000000),
    industry_interests text[] NOT NULL DEFAULT '{}'
        CHECK (cardinality(industry_interests) <= 200 AND octet_length(array_to_string(industry_interests, '')) <= 2000000),
    skill_level text CHECK (skill_level IN ('beginner', 'intermediate', 'advanced', 'expert')),
    browsed_sessions uuid[] NOT NULL DEFAULT '{}',
    bookmarked_sessions uuid[] NOT NULL DEFAULT '{}',
    attended_sessions uuid[] NOT NULL DEFAULT '{}',
    interaction_history jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(interaction_history) = 'object'),
    recommendation_enabled boolean NOT NULL DEFAULT true,
    notification_preferences jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(notification_preferences) = 'object'),
    rev bigint NOT NULL DEFAULT 1,
    last_updated_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (attendee_id, event_id),
    FOREIGN KEY (attendee_id, event_id) REFERENCES convene.attendees (id, event_id) ON DELETE CASCADE
) WITH (fillfactor = 85);
COMMENT ON TABLE convene.attendee_preferences IS 'What an attendee stated, and the sessions they browsed, bookmarked and attended';
COMMENT ON COLUMN convene.attendee_preferences.browsed_sessions IS 'Kept in step with session_interactions, as are the other two; a set, its order means nothing';
COMMENT ON COLUMN convene.attendee_preferences.recommendation_enabled IS 'False: no recommendations are made for this attendee';
COMMENT ON COLUMN convene.attendee_preferences.rev IS 'Grows with every change of this row or of the attendee''s interactions; what was computed from an older rev is stale';
CREATE INDEX idx_attendee_preferences_event ON convene.attendee_preferences (event_id);
CREATE INDEX idx_attendee_preferences_topics ON convene.attendee_preferences USING gin (preferred_topics);
CREATE INDEX idx_attendee_preferences_history ON convene.attendee_preferences USING gin (interaction_history);
CREATE TRIGGER attendee_preferences_keep_attendee BEFORE UPDATE ON convene.attendee_preferences
    FOR EACH ROW WHEN (OLD.attendee_id IS DISTINCT FROM NEW.attendee_id)
    EXECUTE FUNCTION convene_private.refuse_change('attendee_id');
ALTER TABLE convene.attendee_preferences ENABLE ROW LEVEL SECURITY;
CREATE POLICY attendee_preferences_select ON convene.attendee_preferences FOR SELECT
    USING (attendee_id = ANY (ARRAY(SELECT convene_private.my_attendee_ids())));
CREATE POLICY attendee_preferences_insert ON convene.attendee_preferences FOR INSERT
    WITH CHECK (attendee_id = ANY (ARRAY(SELECT convene_private.my_attendee_ids())));
CREATE POLICY attendee_preferences_update ON convene.attendee_preferences FOR UPDATE
    USING (attendee_id = ANY (ARRAY(SELECT convene_private.my_attendee_ids())));

CREATE TABLE convene.session_interactions (
    attendee_id uuid NOT NULL,
    event_id uuid NOT NULL,
    organization_id uuid NOT NULL,
    session_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('browsed', 'bookmarked', 'attended', 'rated')),
    value numeric CHECK (value BETWEEN 1 AND 5),
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (attendee_id, session_id, kind),
    CHECK ((kind = 'rated') = (value IS NOT NULL)),
    -- These two also say that event and organization are there, so these have no key of their own: a third check would cost
    -- every row.
    FOREIGN KEY (attendee_id, event_id, organization_id) REFERENCES convene.attendees (id, event_id, organization_id)
        ON UPDATE CASCADE ON DELETE CASCADE,
    FOREIGN KEY (session_id, event_id) REFERENCES convene.sessions (id, event_id) ON DELETE CASCADE
);
COMMENT ON TABLE convene.session_interactions IS 'The ledger of signals: one row per attendee, session and kind';
COMMENT ON COLUMN convene.session_interactions.event_id IS 'Filled in from the attendee; the session must be of that event';
COMMENT ON COLUMN convene.session_interactions.organization_id IS 'That of the attendee, whatever is written';
COMMENT ON COLUMN convene.session_interactions.value IS 'The rating, 1 to 5; below 3 it counts against the session';
COMMENT ON COLUMN convene.session_interactions.at IS 'When it happened; never in the future';
-- Holds all that tells who chose a session, so that counting people does not visit the table.
CREATE INDEX idx_session_interactions_session ON convene.session_interactions (session_id, attendee_id, kind, value);
-- Likewise what row security asks for, for counts over an event.
CREATE INDEX idx_session_interactions_event ON convene.session_interactions (event_id, session_id)
    INCLUDE (attendee_id, organization_id);
CREATE INDEX idx_session_interactions_organization ON convene.session_interactions (organization_id);
-- As for attendees.
ALTER TABLE convene.session_interactions ALTER COLUMN organization_id SET (n_distinct = 25);
ALTER TABLE convene.session_interactions ENABLE ROW LEVEL SECURITY;
CREATE POLICY session_interactions_select ON convene.session_interactions FOR SELECT
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_organization_ids()))
           OR attendee_id = ANY (ARRAY(SELECT convene_private.my_attendee_ids())));
CREATE POLICY session_interactions_insert ON convene.session_interactions FOR INSERT
    WITH CHECK (attendee_id = ANY (ARRAY(SELECT convene_private.my_attendee_ids())));
CREATE POLICY session_interactions_update ON convene.session_interactions FOR UPDATE
    USING (attendee_id = ANY (ARRAY(SELECT convene_private.my_attendee_ids())));
CREATE POLICY session_interactions_delete ON convene.session_interactions FOR DELETE
    USING (attendee_id = ANY (ARRAY(SELECT convene_private.my_attendee_ids())));

CREATE TABLE convene.session_embeddings (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    session_id uuid NOT NULL UNIQUE,
    event_id uuid NOT NULL,
    event_public boolean NOT NULL DEFAULT false,
    embedding @extschema:vector@.vector NOT NULL,
    source_text text NOT NULL,
    embedding_model text NOT NULL REFERENCES convene.embedding_models ON UPDATE CASCADE,
    topics text[] NOT NULL DEFAULT '{}',
    format text,
    difficulty_level text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (session_id, event_id) REFERENCES convene.sessions (id, event_id) ON DELETE CASCADE,
    FOREIGN KEY (event_id, event_public) REFERENCES convene.events (id, is_public) ON UPDATE CASCADE ON DELETE CASCADE
);
COMMENT ON TABLE convene.session_embeddings IS 'One vector per session, of whichever model; vectors of two models are never compared';
COMMENT ON COLUMN convene.session_embeddings.event_public IS 'events.is_public, kept by a trigger and the foreign key';
COMMENT ON COLUMN convene.session_embeddings.embedding IS 'Has the dimension that embedding_models gives its model';
COMMENT ON COLUMN convene.session_embeddings.source_text IS 'The text that was embedded';
COMMENT ON COLUMN convene.session_embeddings.embedding_model IS 'Left out: the default of embedding_models';
COMMENT ON COLUMN convene.session_embeddings.topics IS 'Copied from the session by a trigger, as are format (its session_type) and difficulty_level';
CREATE INDEX idx_session_embeddings_event ON convene.session_embeddings (event_id);
CREATE INDEX idx_session_embeddings_model ON convene.session_embeddings (embedding_model);
CREATE INDEX idx_session_embeddings_topics ON convene.session_embeddings USING gin (topics);
ALTER TABLE convene.session_embeddings ENABLE ROW LEVEL SECURITY;
CREATE POLICY session_embeddings_select ON convene.session_embeddings FOR SELECT
    USING (event_public
           OR event_id = ANY (ARRAY(SELECT convene_private.my_attended_event_ids()))
           OR event_id = ANY (ARRAY(SELECT convene_private.my_staffed_event_ids())));
CREATE POLICY session_embeddings_insert ON convene.session_embeddings FOR INSERT
    WITH CHECK (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())));
CREATE POLICY session_embeddings_update ON convene.session_embeddings FOR UPDATE
    USING (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())));
CREATE POLICY session_embeddings_delete ON convene.session_embeddings FOR DELETE
    USING (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())));

CREATE TABLE convene.session_weights (
    event_id uuid NOT NULL,
    session_id uuid NOT NULL,
    neighbour_ids uuid[] NOT NULL,
    weights real[] NOT NULL,
    people integer[] NOT NULL,
    algorithm text NOT NULL CHECK (algorithm IN ('ease', 'bm25', 'user_user')),
    PRIMARY KEY (event_id, session_id),
    FOREIGN KEY (session_id, event_id) REFERENCES convene.sessions (id, event_id) ON DELETE CASCADE,
    CHECK (cardinality(weights) = cardinality(neighbour_ids) AND cardinality(people) = cardinality(neighbour_ids))
);
COMMENT ON TABLE convene.session_weights IS 'The learned model: what a signal on a session says about its strongest neighbours';
COMMENT ON COLUMN convene.session_weights.weights IS 'Parallel to neighbour_ids, strongest first';
COMMENT ON COLUMN convene.session_weights.people IS 'Parallel to neighbour_ids: distinct people positive on both sessions';
ALTER TABLE convene.session_weights ENABLE ROW LEVEL SECURITY;
CREATE POLICY session_weights_select ON convene.session_weights FOR SELECT
    USING (event_id = ANY (ARRAY(SELECT convene_private.my_staffed_event_ids())));

CREATE TABLE convene.recommendation_models (
    event_id uuid PRIMARY KEY REFERENCES convene.events ON DELETE CASCADE,
    algorithm text NOT NULL CHECK (algorithm IN ('ease', 'bm25', 'user_user', 'popularity')),
    parameter double precision,
    holdout_ndcg double precision,
    interactions bigint NOT NULL CHECK (interactions >= 0),
    people bigint NOT NULL CHECK (people >= 0),
    sessions bigint NOT NULL CHECK (sessions >= 0),
    trained_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE convene.recommendation_models IS 'Which collaborative model serves an event, and what it was trained on';
COMMENT ON COLUMN convene.recommendation_models.algorithm IS 'popularity: the event is too young for a model';
COMMENT ON COLUMN convene.recommendation_models.parameter IS 'Ridge of ease, neighbourhood of bm25';
COMMENT ON COLUMN convene.recommendation_models.holdout_ndcg IS 'NDCG@10 on the holdout by which the model was chosen';
ALTER TABLE convene.recommendation_models ENABLE ROW LEVEL SECURITY;
CREATE POLICY recommendation_models_select ON convene.recommendation_models FOR SELECT
    USING (event_id = ANY (ARRAY(SELECT convene_private.my_staffed_event_ids())));

CREATE TABLE convene.event_popularity (
    event_id uuid PRIMARY KEY REFERENCES convene.events ON DELETE CASCADE,
    session_ids uuid[] NOT NULL,
    people integer[] NOT NULL,
    interactions bigint NOT NULL CHECK (interactions >= 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK (cardinality(people) = cardinality(session_ids))
) WITH (fillfactor = 50);
COMMENT ON TABLE convene.event_popularity IS 'Interest per session: kept live while an event is small, by its refresh after that';
COMMENT ON COLUMN convene.event_popularity.people IS 'Parallel to session_ids: distinct people with a signal that is not a rating below 3';
COMMENT ON COLUMN convene.event_popularity.interactions IS 'Signals of the event when this was counted';
ALTER TABLE convene.event_popularity ENABLE ROW LEVEL SECURITY;
CREATE POLICY event_popularity_select ON convene.event_popularity FOR SELECT
    USING (event_id = ANY (ARRAY(SELECT convene_private.my_staffed_event_ids())));

CREATE TABLE convene.recommendation_cache (
    attendee_id uuid PRIMARY KEY,
    event_id uuid NOT NULL,
    attendee_rev bigint NOT NULL,
    fingerprint text NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_until timestamptz NOT NULL,
    picks bytea NOT NULL,
    computed_at timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (attendee_id, event_id) REFERENCES convene.attendees (id, event_id) ON DELETE CASCADE
);
COMMENT ON TABLE convene.recommendation_cache IS 'Recommendations computed ahead; used only while everything they were computed from is unchanged';
COMMENT ON COLUMN convene.recommendation_cache.attendee_rev IS 'attendee_preferences.rev at the time; 0 where there was no row';
COMMENT ON COLUMN convene.recommendation_cache.fingerprint IS 'Of programme, models, weights and settings at the time';
COMMENT ON COLUMN convene.recommendation_cache.picks IS 'Packed by the library with the sessions they speak of; what another version packed is ignored';
-- Packed numbers do not get smaller, and trying costs more than computing them did.
ALTER TABLE convene.recommendation_cache ALTER COLUMN picks SET STORAGE EXTERNAL;
CREATE INDEX idx_recommendation_cache_event ON convene.recommendation_cache (event_id);
ALTER TABLE convene.recommendation_cache ENABLE ROW LEVEL SECURITY;
CREATE POLICY service_only ON convene.recommendation_cache USING (false);

-- Experiments. Who gets which variant is decided once and written down, so that a changed share moves nobody.

CREATE TABLE convene.experiments (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL DEFAULT convene_private.default_organization_id()
        REFERENCES convene.organizations ON DELETE RESTRICT,
    name text NOT NULL CHECK (name <> ''),
    description text,
    surface text NOT NULL CHECK (surface IN ('recommendations', 'networking', 'sponsorship')),
    status text NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'running', 'stopped')),
    seed bigint NOT NULL DEFAULT 0,
    started_at timestamptz,
    stopped_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (organization_id, name),
    UNIQUE (id, organization_id),
    CHECK (status = 'draft' OR started_at IS NOT NULL),
    CHECK ((status = 'stopped') = (stopped_at IS NOT NULL)),
    CHECK (stopped_at >= started_at)
);
COMMENT ON TABLE convene.experiments IS 'Trials of sets of weights against each other at the events of an organization';
COMMENT ON COLUMN convene.experiments.status IS 'running: units are assigned to variants, and what they are shown counts';
COMMENT ON COLUMN convene.experiments.seed IS 'Goes into the hash that chooses a unit''s variant';
CREATE INDEX idx_experiments_surface ON convene.experiments (surface, status);
CREATE TRIGGER experiments_touch BEFORE UPDATE ON convene.experiments
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

CREATE TABLE convene.experiment_variants (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL DEFAULT convene_private.default_organization_id(),
    experiment_id uuid NOT NULL,
    name text NOT NULL CHECK (name <> ''),
    share numeric(6,5) NOT NULL CHECK (share > 0 AND share <= 1),
    weights jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(weights) = 'object'),
    is_control boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (experiment_id, name),
    UNIQUE (id, experiment_id),
    FOREIGN KEY (experiment_id, organization_id) REFERENCES convene.experiments (id, organization_id) ON DELETE CASCADE
);
COMMENT ON TABLE convene.experiment_variants IS 'What an experiment tries: a set of weights, and how many get it';
COMMENT ON COLUMN convene.experiment_variants.share IS 'Part of the units; those of an experiment are taken in proportion to each other';
COMMENT ON COLUMN convene.experiment_variants.weights IS 'As in scoring_weights; empty: the weights that would apply without the experiment';
COMMENT ON COLUMN convene.experiment_variants.is_control IS 'What the others are compared with; at most one';
CREATE UNIQUE INDEX idx_experiment_variants_control ON convene.experiment_variants (experiment_id) WHERE is_control;
CREATE INDEX idx_experiment_variants_organization ON convene.experiment_variants (organization_id);
CREATE TRIGGER experiment_variants_touch BEFORE UPDATE ON convene.experiment_variants
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

CREATE TABLE convene.experiment_assignments (
    experiment_id uuid NOT NULL REFERENCES convene.experiments ON DELETE CASCADE,
    unit_id uuid NOT NULL,
    variant_id uuid NOT NULL,
    assigned_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (experiment_id, unit_id),
    FOREIGN KEY (variant_id, experiment_id) REFERENCES convene.experiment_variants (id, experiment_id) ON DELETE CASCADE
);
COMMENT ON TABLE convene.experiment_assignments IS 'Who was given which variant; for good, whatever the shares become';
COMMENT ON COLUMN convene.experiment_assignments.unit_id IS 'An attendee, a sponsor or whatever else is shown one variant; no foreign key, the count outlives it';
CREATE INDEX idx_experiment_assignments_variant ON convene.experiment_assignments (variant_id);

ALTER TABLE convene.experiments ENABLE ROW LEVEL SECURITY;
CREATE POLICY experiments_select ON convene.experiments FOR SELECT
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_organization_ids())));
ALTER TABLE convene.experiment_variants ENABLE ROW LEVEL SECURITY;
CREATE POLICY experiment_variants_select ON convene.experiment_variants FOR SELECT
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_organization_ids())));
ALTER TABLE convene.experiment_assignments ENABLE ROW LEVEL SECURITY;
CREATE POLICY service_only ON convene.experiment_assignments USING (false);

CREATE TABLE convene.recommendation_history (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    attendee_id uuid NOT NULL,
    event_id uuid NOT NULL REFERENCES convene.events ON DELETE CASCADE,
    recommended_item_type text NOT NULL
        CHECK (recommended_item_type IN ('session', 'exhibitor', 'networking_match', 'content')),
    recommended_item_id uuid NOT NULL,
    recommendation_algorithm text NOT NULL
        CHECK (recommendation_algorithm IN ('hybrid', 'content_based', 'collaborative_filtering', 'popularity')),
    confidence_score numeric(5,4) CHECK (confidence_score BETWEEN 0 AND 1),
    experiment_id uuid REFERENCES convene.experiments ON DELETE SET NULL,
    variant text,
    shown_at timestamptz NOT NULL DEFAULT now(),
    clicked boolean NOT NULL DEFAULT false,
    clicked_at timestamptz,
    bookmarked boolean NOT NULL DEFAULT false,
    bookmarked_at timestamptz,
    attended boolean NOT NULL DEFAULT false,
    attended_at timestamptz,
    dismissed boolean NOT NULL DEFAULT false,
    dismissed_at timestamptz,
    feedback_rating integer CHECK (feedback_rating BETWEEN 1 AND 5),
    rated_at timestamptz,
    recommendation_context jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(recommendation_context) = 'object'),
    created_at timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (attendee_id, event_id) REFERENCES convene.attendees (id, event_id) ON DELETE CASCADE
) WITH (fillfactor = 85);
COMMENT ON TABLE convene.recommendation_history IS 'Recommendations shown, and what became of them; written by functions only';
COMMENT ON COLUMN convene.recommendation_history.id IS 'The recommendation_id of the API';
COMMENT ON COLUMN convene.recommendation_history.recommended_item_id IS 'No foreign key: the item may go, the record of showing it stays';
COMMENT ON COLUMN convene.recommendation_history.dismissed IS 'Not to be recommended to this attendee again';
CREATE INDEX idx_recommendation_history_attendee ON convene.recommendation_history (attendee_id);
CREATE INDEX idx_recommendation_history_event ON convene.recommendation_history (event_id);
CREATE INDEX idx_recommendation_history_experiment ON convene.recommendation_history (experiment_id);
CREATE INDEX idx_recommendation_history_shown_at ON convene.recommendation_history (shown_at DESC);
CREATE INDEX idx_recommendation_history_context ON convene.recommendation_history USING gin (recommendation_context);
ALTER TABLE convene.recommendation_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY recommendation_history_select ON convene.recommendation_history FOR SELECT
    USING (attendee_id = ANY (ARRAY(SELECT convene_private.my_attendee_ids()))
           OR event_id = ANY (ARRAY(SELECT convene_private.my_staffed_event_ids())));

CREATE FUNCTION convene_private.time_responses() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.clicked_at := CASE WHEN NEW.clicked THEN coalesce(NEW.clicked_at, now()) END;
    NEW.bookmarked_at := CASE WHEN NEW.bookmarked THEN coalesce(NEW.bookmarked_at, now()) END;
    NEW.attended_at := CASE WHEN NEW.attended THEN coalesce(NEW.attended_at, now()) END;
    NEW.dismissed_at := CASE WHEN NEW.dismissed THEN coalesce(NEW.dismissed_at, now()) END;
    NEW.rated_at := CASE WHEN NEW.feedback_rating IS NOT NULL THEN coalesce(NEW.rated_at, now()) END;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.time_responses() IS 'Notes when a recommendation was first answered in each way';
CREATE TRIGGER recommendation_history_time BEFORE UPDATE ON convene.recommendation_history
    FOR EACH ROW EXECUTE FUNCTION convene_private.time_responses();

-- Embeddings.

CREATE FUNCTION convene_private.session_text(p_title text, p_description text, p_topics text[]) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT concat_ws(E'\n', p_title, nullif(p_description, ''), nullif(array_to_string(p_topics, ', '), ''))
$$;
COMMENT ON FUNCTION convene_private.session_text(text, text, text[]) IS 'The text of a session that is embedded';

-- Volatile: sees what was committed since the statement began that asks.
CREATE FUNCTION convene_private.may_replace_text(p_session_id uuid, p_old text, p_new text) RETURNS boolean
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    present text;
BEGIN
    SELECT convene_private.session_text(s.title, s.description, s.topics) INTO present
    FROM convene.sessions s WHERE s.id = p_session_id;
    RETURN p_new = present OR p_old IS DISTINCT FROM present;
END $$;
COMMENT ON FUNCTION convene_private.may_replace_text(uuid, text, text) IS 'Whether the vector of one text may take the place of another''s: not that of an old text the place of the present one''s';

-- Definer: reads the session whatever the caller's policies say. That a session is not of the event it tells those only
-- who manage that event, and the service; anybody else goes on to the policy, which refuses and tells nothing.
CREATE FUNCTION convene_private.place_embedding() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    source convene.sessions;
BEGIN
    -- By way of an array: functions of pgvector would have to be found in whatever schema it lives.
    NEW.embedding_model := convene_private.embedding_model_of(NEW.embedding_model, cardinality(NEW.embedding::real[]));
    SELECT * INTO source FROM convene.sessions s
    WHERE s.id = NEW.session_id AND s.event_id = coalesce(NEW.event_id, s.event_id);
    IF source.id IS NOT NULL THEN
        NEW.event_id := source.event_id;
        NEW.topics := source.topics;
        NEW.format := source.session_type;
        NEW.difficulty_level := source.difficulty_level;
    ELSIF NEW.event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())) OR convene_private.my_profile_id() IS NULL THEN
        RAISE EXCEPTION 'session % is not a session of event %', NEW.session_id, NEW.event_id
            USING ERRCODE = '22023', DETAIL = 'The embedding of a session belongs to the event of the session.',
                  HINT = 'Leave event_id out, it is filled in.';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.place_embedding() IS 'Checks the dimension of an embedding and completes it from its session';
CREATE TRIGGER session_embeddings_place BEFORE INSERT OR UPDATE ON convene.session_embeddings
    FOR EACH ROW EXECUTE FUNCTION convene_private.place_embedding();
CREATE TRIGGER session_embeddings_programme BEFORE INSERT OR UPDATE OF event_id, event_public ON convene.session_embeddings
    FOR EACH ROW EXECUTE FUNCTION convene_private.place_in_programme();
CREATE TRIGGER session_embeddings_touch BEFORE UPDATE ON convene.session_embeddings
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

-- Definer, this and the next three: queue and revisions are nobody's to write.
CREATE FUNCTION convene_private.embeddings_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    jobs uuid[];
    targets uuid[];
    texts text[];
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM convene_private.bump_revisions(ARRAY(SELECT DISTINCT o.event_id FROM old_rows o));
        RETURN NULL;
    END IF;
    -- The vector of the present text is what the waiting jobs were for. A locked one is in somebody's hands. What the
    -- present text is can be said only while the job is held: before, a new text may come in and count on this very job.
    -- By way of arrays, each matched with a table by its index: a transition table has none, and its rows are wide.
    SELECT array_agg(n.session_id), array_agg(n.source_text) INTO targets, texts FROM new_rows n;
    IF targets IS NULL THEN
        RETURN NULL;
    END IF;
    WITH held AS (SELECT w.id, w.target_id, t.source_text
                  FROM unnest(targets, texts) t(session_id, source_text) CROSS JOIN LATERAL (
                      SELECT q.id, q.target_id FROM convene.embedding_queue q
                      WHERE q.target_id = t.session_id AND q.target_kind = 'session' AND q.status = 'pending'
                      FOR UPDATE SKIP LOCKED) w)
    SELECT array_agg(h.id), array_agg(h.target_id), array_agg(h.source_text) INTO jobs, targets, texts FROM held h;
    IF jobs IS NOT NULL THEN
        UPDATE convene.embedding_queue q SET status = 'done', processed_at = now()
        WHERE q.id IN (SELECT h.id FROM unnest(jobs, targets, texts) h(id, session_id, source_text)
                       JOIN convene.sessions s ON s.id = h.session_id
                       WHERE h.source_text = convene_private.session_text(s.title, s.description, s.topics));
    END IF;
    PERFORM convene_private.bump_revisions(ARRAY(SELECT DISTINCT n.event_id FROM new_rows n));
    RETURN NULL;
END $$;
COMMENT ON FUNCTION convene_private.embeddings_changed() IS 'Finishes the jobs that an embedding makes superfluous';
CREATE TRIGGER session_embeddings_inserted AFTER INSERT ON convene.session_embeddings REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.embeddings_changed();
CREATE TRIGGER session_embeddings_updated AFTER UPDATE ON convene.session_embeddings REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.embeddings_changed();
CREATE TRIGGER session_embeddings_deleted AFTER DELETE ON convene.session_embeddings REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.embeddings_changed();

CREATE FUNCTION convene_private.sessions_inserted() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM convene_private.enqueue_embedding(ARRAY(SELECT n.id FROM new_rows n));
    PERFORM convene_private.bump_revisions(ARRAY(SELECT DISTINCT n.event_id FROM new_rows n));
    RETURN NULL;
END $$;
COMMENT ON FUNCTION convene_private.sessions_inserted() IS 'Queues new sessions for embedding';
CREATE TRIGGER sessions_inserted AFTER INSERT ON convene.sessions REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.sessions_inserted();

CREATE FUNCTION convene_private.sessions_updated() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM convene_private.enqueue_embedding(ARRAY(
        SELECT d.id FROM (SELECT n.id, n.title, n.description, n.topics FROM new_rows n
                          EXCEPT SELECT o.id, o.title, o.description, o.topics FROM old_rows o) d));
    -- place_embedding() copies the values; this only brings it about.
    UPDATE convene.session_embeddings e SET topics = s.topics FROM convene.sessions s
    WHERE e.session_id = ANY (ARRAY(SELECT n.id FROM new_rows n)) AND s.id = e.session_id
      AND (e.topics, e.format, e.difficulty_level) IS DISTINCT FROM (s.topics, s.session_type, s.difficulty_level);
    -- What recommendations are computed from, and apart from it the one column that changes all the time.
    PERFORM convene_private.bump_revisions(ARRAY(
        SELECT DISTINCT d.event_id FROM (
            SELECT n.id, n.event_id, n.title, n.topics, n.session_type, n.difficulty_level, n.room, n.start_time, n.end_time,
                   n.status, n.max_attendees FROM new_rows n
            EXCEPT
            SELECT o.id, o.event_id, o.title, o.topics, o.session_type, o.difficulty_level, o.room, o.start_time, o.end_time,
                   o.status, o.max_attendees FROM old_rows o) d));
    PERFORM convene_private.bump_revisions(ARRAY(
        SELECT DISTINCT d.event_id FROM (SELECT n.id, n.event_id, n.current_registrations FROM new_rows n
                                         EXCEPT SELECT o.id, o.event_id, o.current_registrations FROM old_rows o) d),
        'registrations');
    RETURN NULL;
END $$;
COMMENT ON FUNCTION convene_private.sessions_updated() IS 'Queues sessions whose text changed, and copies what embeddings repeat';
CREATE TRIGGER sessions_updated AFTER UPDATE ON convene.sessions REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.sessions_updated();

CREATE FUNCTION convene_private.sessions_deleted() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM convene.embedding_queue q WHERE q.target_kind = 'session' AND q.target_id = ANY (ARRAY(SELECT o.id FROM old_rows o));
    PERFORM convene_private.bump_revisions(ARRAY(SELECT DISTINCT o.event_id FROM old_rows o));
    RETURN NULL;
END $$;
COMMENT ON FUNCTION convene_private.sessions_deleted() IS 'Removes the jobs of deleted sessions';
CREATE TRIGGER sessions_deleted AFTER DELETE ON convene.sessions REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.sessions_deleted();

-- Interest: how many people each session attracts.

CREATE FUNCTION convene_private.refresh_popularity(p_event_id uuid) RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO convene.event_popularity AS p (event_id, session_ids, people, interactions, updated_at)
    SELECT e.id, coalesce(c.session_ids, '{}'), coalesce(c.people, '{}'), coalesce(c.interactions, 0), now()
    FROM convene.events e, LATERAL (
        SELECT array_agg(s.id ORDER BY s.id) FILTER (WHERE i.people > 0) AS session_ids,
               array_agg(i.people ORDER BY s.id) FILTER (WHERE i.people > 0) AS people,
               sum(i.interactions)::bigint AS interactions
        FROM convene.sessions s, LATERAL (
            -- One range of idx_session_interactions_session, already in order of people.
            SELECT count(*) FILTER (WHERE p.liked)::integer AS people, sum(p.interactions) AS interactions
            FROM (SELECT coalesce(min(x.value) >= 3, true) AS liked, count(*) AS interactions
                  FROM convene.session_interactions x WHERE x.session_id = s.id GROUP BY x.attendee_id) p) i
        WHERE s.event_id = e.id) c
    WHERE e.id = p_event_id
    ON CONFLICT (event_id) DO UPDATE SET session_ids = EXCLUDED.session_ids, people = EXCLUDED.people,
        interactions = EXCLUDED.interactions, updated_at = EXCLUDED.updated_at
    -- An untouched row keeps its version, and with it every answer that was computed from it.
    WHERE (p.session_ids, p.people, p.interactions)
          IS DISTINCT FROM (EXCLUDED.session_ids, EXCLUDED.people, EXCLUDED.interactions)
$$;
COMMENT ON FUNCTION convene_private.refresh_popularity(uuid) IS 'Counts an event''s interest anew; only a rating is below 3, and it replaces the other signals';

-- While another transaction has the row this leaves it: the next signal or refresh counts all, and nobody waits.
CREATE FUNCTION convene_private.note_interest(p_event_ids uuid[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    live_limit CONSTANT integer := 2000;  -- signals of an event up to which counting anew costs about a millisecond
    event uuid;
BEGIN
    FOREACH event IN ARRAY coalesce(p_event_ids, '{}') LOOP
        PERFORM FROM convene.session_interactions i WHERE i.event_id = event OFFSET live_limit LIMIT 1;
        CONTINUE WHEN FOUND;
        PERFORM FROM convene.event_popularity p WHERE p.event_id = event FOR NO KEY UPDATE SKIP LOCKED;
        IF FOUND OR NOT EXISTS (SELECT FROM convene.event_popularity p WHERE p.event_id = event) THEN
            PERFORM convene_private.refresh_popularity(event);
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION convene_private.note_interest(uuid[]) IS 'Keeps event_popularity live for events with few signals';

-- Arrays of attendee_preferences into the ledger.

CREATE FUNCTION convene_private.tidy_ids(p_ids uuid[]) RETURNS uuid[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(array_agg(d.id ORDER BY d.place), '{}')
    FROM (SELECT u.id, min(u.place) AS place FROM unnest(p_ids) WITH ORDINALITY u(id, place)
          WHERE u.id IS NOT NULL GROUP BY u.id) d
$$;
COMMENT ON FUNCTION convene_private.tidy_ids(uuid[]) IS 'The ids without nulls and repetitions, in the order they were given';

-- Definer: calls a function and locks a row that API roles have no right to.
CREATE FUNCTION convene_private.tidy_preferences() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.preferred_topics := array_remove(coalesce(NEW.preferred_topics, '{}'), NULL);
    NEW.preferred_formats := array_remove(coalesce(NEW.preferred_formats, '{}'), NULL);
    NEW.industry_interests := array_remove(coalesce(NEW.industry_interests, '{}'), NULL);
    NEW.browsed_sessions := convene_private.tidy_ids(NEW.browsed_sessions);
    NEW.bookmarked_sessions := convene_private.tidy_ids(NEW.bookmarked_sessions);
    NEW.attended_sessions := convene_private.tidy_ids(NEW.attended_sessions);
    NEW.last_updated_at := now();
    IF TG_OP = 'UPDATE' THEN
        NEW.rev := OLD.rev + 1;
    ELSE
        -- As place_interaction() does while there is no row to lock.
        PERFORM FROM convene.attendees a WHERE a.id = NEW.attendee_id FOR NO KEY UPDATE;
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.tidy_preferences() IS 'Drops nulls and repetitions from the arrays and counts rev';
CREATE TRIGGER attendee_preferences_tidy BEFORE INSERT OR UPDATE ON convene.attendee_preferences
    FOR EACH ROW EXECUTE FUNCTION convene_private.tidy_preferences();

-- Parallel arrays. Writes only what the ledger lacks, so what came from there ends here.
CREATE FUNCTION convene_private.add_signals(p_attendees uuid[], p_kinds text[], p_sessions uuid[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    stray record;
BEGIN
    SELECT g.session_id, a.event_id INTO stray
    FROM unnest(p_attendees, p_sessions) g(attendee_id, session_id) JOIN convene.attendees a ON a.id = g.attendee_id
    WHERE NOT EXISTS (SELECT FROM convene.sessions s WHERE s.id = g.session_id AND s.event_id = a.event_id)
    ORDER BY g.session_id LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'session % is not a session of event %', stray.session_id, stray.event_id
            USING ERRCODE = '22023', DETAIL = 'The session arrays of attendee_preferences hold sessions of its own event.',
                  HINT = 'Take the id out of the array.';
    END IF;
    INSERT INTO convene.session_interactions (attendee_id, event_id, session_id, kind)
    SELECT a.id, a.event_id, g.session_id, g.kind
    FROM unnest(p_attendees, p_kinds, p_sessions) g(attendee_id, kind, session_id)
    JOIN convene.attendees a ON a.id = g.attendee_id
    WHERE NOT EXISTS (SELECT FROM convene.session_interactions i
                      WHERE i.attendee_id = a.id AND i.session_id = g.session_id AND i.kind = g.kind)
    ON CONFLICT DO NOTHING;
END $$;
COMMENT ON FUNCTION convene_private.add_signals(uuid[], text[], uuid[]) IS 'Adds signals to the ledger that it does not have yet';

-- Definer, this and the next two: a policy that hides a ledger row would leave array and ledger apart.
CREATE FUNCTION convene_private.preferences_inserted() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    added record;
BEGIN
    SELECT array_agg(n.attendee_id) AS attendees, array_agg(k.kind) AS kinds, array_agg(s.id) AS sessions INTO added
    FROM new_rows n, LATERAL (VALUES ('browsed', n.browsed_sessions), ('bookmarked', n.bookmarked_sessions),
                                     ('attended', n.attended_sessions)) k(kind, ids), unnest(k.ids) s(id);
    PERFORM convene_private.add_signals(added.attendees, added.kinds, added.sessions);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION convene_private.preferences_inserted() IS 'Puts the session arrays of new preferences into the ledger';
CREATE TRIGGER attendee_preferences_inserted AFTER INSERT ON convene.attendee_preferences REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.preferences_inserted();

CREATE FUNCTION convene_private.preferences_updated() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    added record;
    gone record;
BEGIN
    -- EXCEPT and no join: a plan cached for one row would join thousands in a nested loop.
    SELECT array_agg(d.attendee_id) AS attendees, array_agg(d.kind) AS kinds, array_agg(d.id) AS sessions INTO added
    FROM (SELECT r.attendee_id, k.kind, unnest(k.ids) AS id FROM new_rows r, LATERAL (VALUES ('browsed', r.browsed_sessions),
              ('bookmarked', r.bookmarked_sessions), ('attended', r.attended_sessions)) k(kind, ids)
          EXCEPT
          SELECT r.attendee_id, k.kind, unnest(k.ids) FROM old_rows r, LATERAL (VALUES ('browsed', r.browsed_sessions),
              ('bookmarked', r.bookmarked_sessions), ('attended', r.attended_sessions)) k(kind, ids)) d;
    SELECT array_agg(d.attendee_id) AS attendees, array_agg(d.kind) AS kinds, array_agg(d.id) AS sessions INTO gone
    FROM (SELECT r.attendee_id, k.kind, unnest(k.ids) AS id FROM old_rows r, LATERAL (VALUES ('browsed', r.browsed_sessions),
              ('bookmarked', r.bookmarked_sessions), ('attended', r.attended_sessions)) k(kind, ids)
          EXCEPT
          SELECT r.attendee_id, k.kind, unnest(k.ids) FROM new_rows r, LATERAL (VALUES ('browsed', r.browsed_sessions),
              ('bookmarked', r.bookmarked_sessions), ('attended', r.attended_sessions)) k(kind, ids)) d;
    IF added.attendees IS NOT NULL THEN
        PERFORM convene_private.add_signals(added.attendees, added.kinds, added.sessions);
    END IF;
    IF gone.attendees IS NOT NULL THEN
        DELETE FROM convene.session_interactions i
        USING unnest(gone.attendees, gone.kinds, gone.sessions) g(attendee_id, kind, session_id)
        WHERE i.attendee_id = g.attendee_id AND i.session_id = g.session_id AND i.kind = g.kind;
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION convene_private.preferences_updated() IS 'Carries changes of the session arrays into the ledger';
CREATE TRIGGER attendee_preferences_updated AFTER UPDATE ON convene.attendee_preferences
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.preferences_updated();

CREATE FUNCTION convene_private.preferences_deleted() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM convene.session_interactions i
    WHERE i.attendee_id = ANY (ARRAY(SELECT o.attendee_id FROM old_rows o)) AND i.kind <> 'rated';
    -- A new row starts at a rev that what is cached may have been computed from.
    DELETE FROM convene.recommendation_cache c WHERE c.attendee_id = ANY (ARRAY(SELECT o.attendee_id FROM old_rows o));
    RETURN NULL;
END $$;
COMMENT ON FUNCTION convene_private.preferences_deleted() IS 'Removes the signals that the deleted arrays stood for';
CREATE TRIGGER attendee_preferences_deleted AFTER DELETE ON convene.attendee_preferences REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.preferences_deleted();

-- A dismissal changes what may be recommended, so it counts as a change of the attendee. Where it goes there are
-- preferences already, and none may be made: the attendee may be going too.
CREATE FUNCTION convene_private.dismissal_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        UPDATE convene.attendee_preferences p SET last_updated_at = now() WHERE p.attendee_id = OLD.attendee_id;
    ELSE
        INSERT INTO convene.attendee_preferences AS p (attendee_id, event_id) VALUES (NEW.attendee_id, NEW.event_id)
        ON CONFLICT (attendee_id, event_id) DO UPDATE SET last_updated_at = now();
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION convene_private.dismissal_changed() IS 'Counts rev when a recommendation is dismissed or no longer is';
CREATE TRIGGER recommendation_history_dismissed AFTER INSERT ON convene.recommendation_history
    FOR EACH ROW WHEN (NEW.dismissed) EXECUTE FUNCTION convene_private.dismissal_changed();
CREATE TRIGGER recommendation_history_changed AFTER UPDATE ON convene.recommendation_history
    FOR EACH ROW WHEN (OLD.dismissed <> NEW.dismissed) EXECUTE FUNCTION convene_private.dismissal_changed();
CREATE TRIGGER recommendation_history_deleted AFTER DELETE ON convene.recommendation_history
    FOR EACH ROW WHEN (OLD.dismissed) EXECUTE FUNCTION convene_private.dismissal_changed();

-- The ledger into the arrays.

-- Definer: reads attendee and session whatever the caller's policies say, and locks the preferences, before there are any
-- the attendee: writers of one person's signals, on either face, come one after the other. What is wrong it tells the attendee and the service only;
-- anybody else goes on to the policy, which refuses and tells nothing.
CREATE FUNCTION convene_private.place_interaction() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    place record;
BEGIN
    PERFORM FROM convene.attendee_preferences p WHERE p.attendee_id = coalesce(NEW.attendee_id, OLD.attendee_id)
    FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        PERFORM FROM convene.attendees a WHERE a.id = NEW.attendee_id FOR NO KEY UPDATE;
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    SELECT a.event_id, a.organization_id, a.profile_id, s.id AS session_id INTO place
    FROM convene.attendees a LEFT JOIN convene.sessions s ON s.id = NEW.session_id AND s.event_id = a.event_id
    WHERE a.id = NEW.attendee_id;
    IF place.session_id IS NULL OR NEW.event_id <> place.event_id OR NEW.at > clock_timestamp() THEN
        IF place.profile_id = convene_private.my_profile_id() OR convene_private.my_profile_id() IS NULL THEN
            RAISE EXCEPTION '%', CASE WHEN NEW.at > clock_timestamp() THEN format('%s is in the future', NEW.at)
                    ELSE format('session %s is not a session of the event of attendee %s', NEW.session_id, NEW.attendee_id) END
                USING ERRCODE = '22023', DETAIL = 'A signal is about a session of the attendee''s own event, and has happened.',
                      HINT = 'Leave event_id and at out, they are filled in.';
        END IF;
        RETURN NEW;
    END IF;
    NEW.event_id := place.event_id;
    NEW.organization_id := place.organization_id;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.place_interaction() IS 'Checks a signal and fills in its event and organization';
CREATE TRIGGER session_interactions_place BEFORE INSERT OR UPDATE OR DELETE ON convene.session_interactions
    FOR EACH ROW EXECUTE FUNCTION convene_private.place_interaction();

-- A row trigger of UPDATE or DELETE comes after the lock of its row, which is the wrong order: who writes the arrays locks
-- the preferences first. So people lock theirs before the first row is touched. Whom a statement of the service is about
-- cannot be known here; against a writer of the same person it may have to be repeated (40P01).
CREATE FUNCTION convene_private.hold_preferences() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF pg_trigger_depth() = 1 AND convene_private.my_profile_id() IS NOT NULL THEN
        PERFORM FROM convene.attendee_preferences p
        WHERE p.attendee_id = ANY (ARRAY(SELECT convene_private.my_attendee_ids()))
        ORDER BY p.attendee_id FOR NO KEY UPDATE;
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION convene_private.hold_preferences() IS 'Locks the caller''s preferences before their signals';
CREATE TRIGGER session_interactions_hold BEFORE UPDATE OR DELETE ON convene.session_interactions
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.hold_preferences();

-- Locks before it reads: what a concurrent writer of the same person added must be in the arrays this writes.
CREATE FUNCTION convene_private.settle_preferences(p_attendees uuid[], p_changed uuid[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM FROM convene.attendee_preferences p WHERE p.attendee_id = ANY (p_attendees)
    ORDER BY p.attendee_id FOR NO KEY UPDATE;
    UPDATE convene.attendee_preferences p
    SET browsed_sessions = l.browsed, bookmarked_sessions = l.bookmarked, attended_sessions = l.attended
    FROM (SELECT t.id, coalesce(array_agg(i.session_id ORDER BY i.at, i.session_id) FILTER (WHERE i.kind = 'browsed'), '{}'),
                 coalesce(array_agg(i.session_id ORDER BY i.at, i.session_id) FILTER (WHERE i.kind = 'bookmarked'), '{}'),
                 coalesce(array_agg(i.session_id ORDER BY i.at, i.session_id) FILTER (WHERE i.kind = 'attended'), '{}')
          FROM unnest(p_attendees) t(id) LEFT JOIN convene.session_interactions i ON i.attendee_id = t.id
          GROUP BY t.id) l(attendee_id, browsed, bookmarked, attended)
    WHERE p.attendee_id = l.attendee_id
      AND (p.attendee_id = ANY (p_changed)
           OR NOT (p.browsed_sessions @> l.browsed AND p.browsed_sessions <@ l.browsed
                   AND p.bookmarked_sessions @> l.bookmarked AND p.bookmarked_sessions <@ l.bookmarked
                   AND p.attended_sessions @> l.attended AND p.attended_sessions <@ l.attended));
END $$;
COMMENT ON FUNCTION convene_private.settle_preferences(uuid[], uuid[]) IS 'Brings the arrays of these attendees in step with the ledger; p_changed also where they are';

-- Definer: makes the preferences of a new attendee, counts rev and writes event_popularity.
CREATE FUNCTION convene_private.interactions_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    touched record;
BEGIN
    IF TG_OP = 'INSERT' THEN
        SELECT array_agg(DISTINCT n.attendee_id) AS attendees, array_agg(DISTINCT n.event_id) AS events,
               array_agg(DISTINCT n.attendee_id) FILTER (WHERE n.kind = 'rated') AS changed INTO touched FROM new_rows n;
    ELSIF TG_OP = 'UPDATE' THEN
        SELECT array_agg(DISTINCT c.attendee_id) AS attendees, array_agg(DISTINCT c.event_id) AS events,
               array_agg(DISTINCT c.attendee_id) AS changed INTO touched
        FROM (SELECT o.attendee_id, o.event_id FROM old_rows o UNION SELECT n.attendee_id, n.event_id FROM new_rows n) c;
    ELSE
        -- An event that goes takes its attendees along; there is nothing to keep in step.
        SELECT array_agg(DISTINCT o.attendee_id) AS attendees, array_agg(DISTINCT o.event_id) AS events,
               array_agg(DISTINCT o.attendee_id) FILTER (WHERE o.kind = 'rated') AS changed INTO touched
        FROM old_rows o JOIN convene.events e ON e.id = o.event_id;
    END IF;
    IF touched.attendees IS NULL THEN
        RETURN NULL;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO convene.attendee_preferences (attendee_id, event_id)
        SELECT a.id, a.event_id FROM convene.attendees a
        WHERE a.id = ANY (touched.attendees)
          AND NOT EXISTS (SELECT FROM convene.attendee_preferences p WHERE p.attendee_id = a.id)
        ON CONFLICT DO NOTHING;
    END IF;
    PERFORM convene_private.settle_preferences(touched.attendees, touched.changed);
    PERFORM convene_private.note_interest(touched.events);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION convene_private.interactions_changed() IS 'Carries changes of the ledger into preferences and popularity';
CREATE TRIGGER session_interactions_inserted AFTER INSERT ON convene.session_interactions REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.interactions_changed();
CREATE TRIGGER session_interactions_updated AFTER UPDATE ON convene.session_interactions
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.interactions_changed();
CREATE TRIGGER session_interactions_deleted AFTER DELETE ON convene.session_interactions REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.interactions_changed();

SELECT convene_private.index_embedding_model(m.model, m.dimensions) FROM convene.embedding_models m;
