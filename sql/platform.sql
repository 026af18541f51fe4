-- What every domain stands on: the private schema, the ledger of schema versions, settings, the registry of embedding
-- models, weights of the scoring surfaces and the embedding queue.

CREATE SCHEMA convene_private;
COMMENT ON SCHEMA convene_private IS 'Policy helpers, trigger functions and what else only the functions of schema convene use';

CREATE FUNCTION convene_private.touch_updated_at() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.touch_updated_at() IS 'Keeps updated_at; used by every table that has the column';

-- The trigger's WHEN clause finds the change; this only refuses it. Argument: the column that stays.
CREATE FUNCTION convene_private.refuse_change() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION '%.% cannot be changed', TG_TABLE_NAME, TG_ARGV[0]
        USING ERRCODE = '0A000', DETAIL = 'Rows of other tables were made for the value it has.',
              HINT = 'Insert a new row, and delete this one.';
END $$;
COMMENT ON FUNCTION convene_private.refuse_change() IS 'Refuses to change a column that other rows are built on';

CREATE FUNCTION convene_private.check_time_zone() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- The conversion itself is the check: the server raises 22023 and names the zone.
    PERFORM now() AT TIME ZONE NEW.time_zone;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.check_time_zone() IS 'Accepts only time zones that the server knows';

-- A reference that no foreign key can keep, because it would close a circle: these two triggers do. Definer both: row
-- security must not hide the row that is named.
CREATE FUNCTION convene_private.check_reference() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- Arguments: the column, the table whose id it holds, the column in which the two rows agree.
    named uuid := to_jsonb(NEW) ->> TG_ARGV[0];
    shared uuid := to_jsonb(NEW) ->> TG_ARGV[2];
    found_it boolean;
BEGIN
    IF named IS NULL THEN
        RETURN NEW;
    END IF;
    EXECUTE format('SELECT true FROM convene.%I t WHERE t.id = $1 AND t.%I = $2 FOR KEY SHARE', TG_ARGV[1], TG_ARGV[2])
        INTO found_it USING named, shared;
    IF found_it IS NULL THEN
        RAISE EXCEPTION '%.% names % %, which is not there or of another %', TG_TABLE_NAME, TG_ARGV[0], TG_ARGV[1], named,
                replace(TG_ARGV[2], '_id', '')
            USING ERRCODE = '23503', HINT = 'Insert that row first, or leave the column null.';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.check_reference() IS 'Accepts a reference only to a row that is there';

CREATE FUNCTION convene_private.clear_reference() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- Arguments: the table that refers here, and its column.
    EXECUTE format('UPDATE convene.%I SET %I = NULL WHERE %2$I = $1', TG_ARGV[0], TG_ARGV[1]) USING OLD.id;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION convene_private.clear_reference() IS 'Sets references to a deleted row to null';

CREATE FUNCTION convene_private.refuse_rewrite() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME
        USING ERRCODE = '42501', DETAIL = format('%s was tried.', TG_OP),
              HINT = 'Add a row that corrects the other one; convene.erase_person() redacts a person.';
END $$;
COMMENT ON FUNCTION convene_private.refuse_rewrite() IS 'Keeps what is recorded as it was recorded';

-- ALTER DEFAULT PRIVILEGES of whoever installs may have given rights on everything they make; ours are in one list.
CREATE FUNCTION convene_private.revoke_all(p_kind text, p_object text, p_rights aclitem[], p_owner oid) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    holder record;
BEGIN
    FOR holder IN SELECT DISTINCT r.grantee FROM aclexplode(p_rights) r WHERE r.grantee <> p_owner LOOP
        EXECUTE format('REVOKE ALL ON %s %s FROM %s', p_kind, p_object,
                       CASE holder.grantee WHEN 0 THEN 'PUBLIC' ELSE holder.grantee::regrole::text END);
    END LOOP;
END $$;
COMMENT ON FUNCTION convene_private.revoke_all(text, text, aclitem[], oid) IS 'Takes everybody but the owner the rights on an object that was just made';

-- Schema versions. The owner of this table is the owner of the data: native functions switch to that role.
CREATE TABLE convene.schema_version (
    version text PRIMARY KEY,
    description text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    applied_by name NOT NULL DEFAULT current_user
);
COMMENT ON TABLE convene.schema_version IS 'Each step by which install() and migrate() brought the data to its present form';
ALTER TABLE convene.schema_version ENABLE ROW LEVEL SECURITY;
CREATE POLICY service_only ON convene.schema_version USING (false);

CREATE TABLE convene.settings (
    key text PRIMARY KEY CHECK (key <> ''),
    value jsonb NOT NULL,
    description text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE convene.settings IS 'Settings of this installation, one row each';
COMMENT ON COLUMN convene.settings.value IS 'JSON null means: off, or the built-in default';
ALTER TABLE convene.settings ENABLE ROW LEVEL SECURITY;
CREATE POLICY service_only ON convene.settings USING (false);
CREATE TRIGGER settings_touch BEFORE UPDATE ON convene.settings
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

INSERT INTO convene.settings (key, value, description)
SELECT 'home', jsonb_build_object('system_identifier', c.system_identifier::text, 'database', current_database()),
       'The cluster and database this data lives in; queues for the outside world refuse to run anywhere else'
FROM pg_control_system() c;
INSERT INTO convene.settings (key, value, description) VALUES
    ('trust_jwt_email', 'false', 'Take the e-mail of a JWT as verified although the token does not say so'),
    ('recommendation.half_life_days', 'null', 'Days after which a signal counts half; null: signals do not fade'),
    ('recommendation.mmr_lambda', '0.7', 'Relevance against variety in a list of recommendations; 1 is relevance only'),
    ('recommendation.min_people', '5', 'A reason drawn from other people needs at least so many of them'),
    ('recommendation.min_people_shown', '10', 'Their number is named from so many people up, never below 10'),
    ('recommendation.collaborative_model', '"auto"', 'auto (chosen per event by a holdout), ease, bm25 or user_user'),
    ('agenda.travel_minutes', '5', 'Minutes a personal agenda leaves between sessions in different rooms'),
    ('health.queue_lag_minutes', '15', 'Minutes after which waiting work is worth a warning of health()'),
    ('health.insights_lag_minutes', '180', 'Minutes after which signals that were not counted count as late'),
    ('health.marketplace_stale_hours', '25', 'Hours after which the marketplace counts as stale'),
    ('queue.max_attempts', '5', 'Attempts after which a job is parked'),
    ('queue.backoff_base_seconds', '10', 'Wait before the second attempt; it doubles with every further one'),
    ('queue.backoff_cap_seconds', '3600', 'The longest wait between two attempts');

CREATE TABLE convene.embedding_models (
    model text PRIMARY KEY CHECK (model <> '' AND length(model) <= 200),
    dimensions integer NOT NULL CHECK (dimensions BETWEEN 1 AND 16000),
    is_default boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE convene.embedding_models IS 'Embedding models in use; every stored vector names one and has its dimension';
COMMENT ON COLUMN convene.embedding_models.is_default IS 'The model of a vector that is stored without naming one; at most one';
CREATE UNIQUE INDEX idx_embedding_models_default ON convene.embedding_models (is_default) WHERE is_default;
ALTER TABLE convene.embedding_models ENABLE ROW LEVEL SECURITY;
-- Names and dimensions are no secret, and whoever writes a vector needs them.
CREATE POLICY embedding_models_select ON convene.embedding_models FOR SELECT USING (true);
CREATE TRIGGER embedding_models_keep_dimensions BEFORE UPDATE ON convene.embedding_models
    FOR EACH ROW WHEN (OLD.dimensions IS DISTINCT FROM NEW.dimensions)
    EXECUTE FUNCTION convene_private.refuse_change('dimensions');

INSERT INTO convene.embedding_models (model, dimensions, is_default) VALUES
    ('text-embedding-ada-002', 1536, true),
    ('convene-hash-v1', 256, false);

CREATE TABLE convene.scoring_weights (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    surface text NOT NULL CHECK (surface IN ('recommendations', 'networking', 'sponsorship', 'peers')),
    name text NOT NULL CHECK (name <> ''),
    event_id uuid,
    weights jsonb NOT NULL CHECK (jsonb_typeof(weights) = 'object'),
    is_active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE convene.scoring_weights IS 'Weights that replace the built-in ones of a scoring surface, for one event or for all';
COMMENT ON COLUMN convene.scoring_weights.event_id IS 'Null: every event that has no row of its own';
CREATE UNIQUE INDEX idx_scoring_weights_active ON convene.scoring_weights (surface, event_id) NULLS NOT DISTINCT WHERE is_active;
CREATE INDEX idx_scoring_weights_event ON convene.scoring_weights (event_id);
ALTER TABLE convene.scoring_weights ENABLE ROW LEVEL SECURITY;
CREATE TRIGGER scoring_weights_touch BEFORE UPDATE ON convene.scoring_weights
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

-- No foreign keys: a job must never make its producer wait, and the trigger that deletes the target deletes its jobs.
CREATE TABLE convene.embedding_queue (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    target_kind text NOT NULL CHECK (target_kind IN ('session')),
    target_id uuid NOT NULL,
    event_id uuid NOT NULL,
    priority integer NOT NULL DEFAULT 0,
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'leased', 'done', 'failed')),
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    queued_at timestamptz NOT NULL DEFAULT now(),
    available_at timestamptz NOT NULL DEFAULT now(),
    claimed_at timestamptz,
    claimed_by text,
    lease_token uuid,
    lease_until timestamptz,
    processed_at timestamptz,
    last_error text,
    payload jsonb,
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK (status <> 'leased' OR (lease_token IS NOT NULL AND lease_until IS NOT NULL))
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500,
        autovacuum_analyze_scale_factor = 0.05);
COMMENT ON TABLE convene.embedding_queue IS 'Texts that wait for an embedding; a target may have several pending rows, a claim takes them as one';
COMMENT ON COLUMN convene.embedding_queue.priority IS 'Higher goes first';
COMMENT ON COLUMN convene.embedding_queue.status IS 'failed: parked after queue.max_attempts, see last_error';
COMMENT ON COLUMN convene.embedding_queue.claimed_by IS 'The login of the worker that has the lease, or had it last';
COMMENT ON COLUMN convene.embedding_queue.available_at IS 'Not claimed before; moved on by a failure';
COMMENT ON COLUMN convene.embedding_queue.payload IS 'What the holder of the lease was given, since the target may change meanwhile';
COMMENT ON COLUMN convene.embedding_queue.lease_token IS 'Fencing token: only the holder of the present lease may finish the job';
CREATE INDEX idx_embedding_queue_target ON convene.embedding_queue (target_id, target_kind, status);
-- Here and in every other queue: whoever looks for a target could read all that is pending by the index for claiming, too, and would
-- be made to by a plan that was kept since the queue was empty. Only who says that attempts >= 0, which is always so, can use it.
CREATE INDEX idx_embedding_queue_claim ON convene.embedding_queue (priority DESC, available_at, id)
    WHERE status IN ('pending', 'leased') AND attempts >= 0;
CREATE INDEX idx_embedding_queue_finished ON convene.embedding_queue (processed_at) WHERE status IN ('done', 'failed');
ALTER TABLE convene.embedding_queue ENABLE ROW LEVEL SECURITY;
CREATE POLICY service_only ON convene.embedding_queue USING (false);
CREATE TRIGGER embedding_queue_touch BEFORE UPDATE ON convene.embedding_queue
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

-- A pending job is locked and so held back until this transaction ends: no worker takes it before the new text is there.
-- A job that somebody has locked may be on its way out, so it does not count, and nobody waits for anybody. Targets are looked up
-- one by one, which no plan makes a scan of the queue.
CREATE FUNCTION convene_private.enqueue_embedding(p_session_ids uuid[], p_priority integer DEFAULT 0) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    added bigint;
BEGIN
    WITH held AS MATERIALIZED (
        SELECT t.id AS target_id FROM unnest(p_session_ids) t(id) CROSS JOIN LATERAL (
            SELECT FROM convene.embedding_queue q
            WHERE q.target_id = t.id AND q.target_kind = 'session' AND q.status = 'pending'
            LIMIT 1 FOR SHARE SKIP LOCKED) q)
    INSERT INTO convene.embedding_queue (target_kind, target_id, event_id, priority)
    SELECT 'session', s.id, s.event_id, p_priority FROM convene.sessions s
    WHERE s.id = ANY (p_session_ids) AND NOT EXISTS (SELECT FROM held h WHERE h.target_id = s.id);
    GET DIAGNOSTICS added = ROW_COUNT;
    IF added > 0 THEN
        PERFORM pg_notify('convene_embedding_queue', added::text);
    END IF;
    RETURN added;
END $$;
COMMENT ON FUNCTION convene_private.enqueue_embedding(uuid[], integer) IS 'Queues sessions for embedding, those without a pending job; returns how many jobs it added';

CREATE FUNCTION convene_private.embedding_model_of(p_model text, p_dimensions integer) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    known record;
BEGIN
    SELECT m.model, m.dimensions INTO known FROM convene.embedding_models m
    WHERE CASE WHEN p_model IS NULL THEN m.is_default ELSE m.model = p_model END;
    IF known.dimensions IS DISTINCT FROM p_dimensions THEN
        RAISE EXCEPTION 'an embedding of model "%" has % dimensions, not %', coalesce(p_model, known.model, 'default'),
                coalesce(known.dimensions::text, 'an unknown number of'), p_dimensions
            USING ERRCODE = '22023', DETAIL = 'Every embedding has the dimension that embedding_models gives its model.',
                  HINT = 'Name the model it is from; convene.add_embedding_model() registers a new one.';
    END IF;
    RETURN known.model;
END $$;
COMMENT ON FUNCTION convene_private.embedding_model_of(text, integer) IS 'The model of an embedding, null for the default one; refuses a dimension that is not the model''s';

CREATE FUNCTION convene_private.index_embedding_model(p_model text, p_dimensions integer) RETURNS text
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    type_name text := CASE WHEN p_dimensions <= 2000 THEN 'vector' ELSE 'halfvec' END;
    workers text := current_setting('max_parallel_maintenance_workers');
    home name;
    version integer[];
    target record;
    index_name text;
    made text[] := '{}';
BEGIN
    IF p_dimensions > 4000 THEN
        RAISE NOTICE 'model "%" has % dimensions: an HNSW index holds at most 4000, its searches are exact',
                p_model, p_dimensions;
        RETURN NULL;
    END IF;
    SELECT n.nspname, string_to_array(substring(e.extversion FROM '^[0-9.]*[0-9]'), '.')::integer[] INTO STRICT home, version
    FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'vector';
    -- Parallel builds of HNSW indexes are broken before 0.8.2.
    IF version < '{0,8,2}' THEN
        PERFORM set_config('max_parallel_maintenance_workers', '0', true);
    END IF;
    -- While the tables are being made this is called with some of them only, and then with those again.
    FOR target IN
        SELECT v.name, v.vectors FROM (VALUES ('session_embeddings', 'embedding'), ('sponsor_profiles', 'objectives_embedding'),
                                              ('event_embeddings', 'embedding')) v(name, vectors)
        WHERE to_regclass('convene.' || v.name) IS NOT NULL
    LOOP
        -- The digest keeps apart models whose names shorten to the same words.
        index_name := 'idx_' || target.name || '_vector_' || left(encode(sha256(convert_to(p_model, 'UTF8')), 'hex'), 8)
                      || '_' || left(regexp_replace(lower(p_model), '[^a-z0-9]+', '_', 'g'), 24);
        made := made || index_name;
        CONTINUE WHEN to_regclass(format('convene.%I', index_name)) IS NOT NULL;
        EXECUTE format('CREATE INDEX IF NOT EXISTS %1$I ON convene.%2$I USING hnsw '
                       '((%3$I::%4$I.%5$I(%6$s)) %4$I.%7$I) WHERE embedding_model = %8$L',
                       index_name, target.name, target.vectors, home, type_name, p_dimensions,
                       type_name || '_cosine_ops', p_model);
    END LOOP;
    PERFORM set_config('max_parallel_maintenance_workers', workers, true);
    RETURN array_to_string(made, ', ');
END $$;
COMMENT ON FUNCTION convene_private.index_embedding_model(text, integer) IS 'Makes the cosine index for the vectors of one model on every table that has vectors; returns their names';

-- Work for the world outside: messages, calls of a CRM, transfers. No foreign keys, as for every queue.
CREATE TABLE convene.outbox (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    topic text NOT NULL CHECK (topic <> ''),
    target_kind text NOT NULL CHECK (target_kind <> ''),
    target_id uuid NOT NULL,
    event_id uuid,
    profile_id uuid,
    idempotency_key text NOT NULL DEFAULT gen_random_uuid()::text UNIQUE,
    priority integer NOT NULL DEFAULT 0,
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'leased', 'done', 'failed', 'cancelled')),
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    queued_at timestamptz NOT NULL DEFAULT now(),
    available_at timestamptz NOT NULL DEFAULT now(),
    claimed_at timestamptz,
    claimed_by text,
    lease_token uuid,
    lease_until timestamptz,
    processed_at timestamptz,
    last_error text,
    payload jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(payload) = 'object'),
    result jsonb,
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK (status <> 'leased' OR (lease_token IS NOT NULL AND lease_until IS NOT NULL))
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500,
        autovacuum_analyze_scale_factor = 0.05);
COMMENT ON TABLE convene.outbox IS 'What workers outside are to do, at least once each; the idempotency key lets the other side see a repetition';
COMMENT ON COLUMN convene.outbox.topic IS 'Kind of work, by which workers claim: sms, crm, transfer, notification and the like';
COMMENT ON COLUMN convene.outbox.target_id IS 'The row that it is about, of the kind that target_kind names';
COMMENT ON COLUMN convene.outbox.profile_id IS 'The person that it reaches, whose consent is looked at again when it is claimed';
COMMENT ON COLUMN convene.outbox.payload IS 'Ids and parameters; names and addresses are filled in when it is claimed';
COMMENT ON COLUMN convene.outbox.result IS 'What the worker reported';
CREATE INDEX idx_outbox_target ON convene.outbox (target_id, target_kind, status);
CREATE INDEX idx_outbox_profile ON convene.outbox (profile_id);
CREATE INDEX idx_outbox_claim ON convene.outbox (topic, priority DESC, available_at, id) WHERE status IN ('pending', 'leased') AND attempts >= 0;
CREATE INDEX idx_outbox_processed ON convene.outbox (processed_at) WHERE status IN ('done', 'failed', 'cancelled');
ALTER TABLE convene.outbox ENABLE ROW LEVEL SECURITY;
CREATE POLICY service_only ON convene.outbox USING (false);
CREATE TRIGGER outbox_touch BEFORE UPDATE ON convene.outbox
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

CREATE TABLE convene.job_runs (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    job text NOT NULL CHECK (job <> ''),
    status text NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'done', 'failed')),
    done bigint NOT NULL DEFAULT 0 CHECK (done >= 0),
    total bigint CHECK (total >= 0),
    message text,
    pid integer,
    started_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE convene.job_runs IS 'Runs of periodic and long work, while they run and after';
COMMENT ON COLUMN convene.job_runs.done IS 'Units done so far, of total where that is known';
COMMENT ON COLUMN convene.job_runs.message IS 'The error, or what there is to say';
COMMENT ON COLUMN convene.job_runs.pid IS 'The process of the server that runs it: by it a run between two of its transactions is told from one that died';
CREATE INDEX idx_job_runs_job ON convene.job_runs (job, started_at DESC);
ALTER TABLE convene.job_runs ENABLE ROW LEVEL SECURITY;
CREATE POLICY service_only ON convene.job_runs USING (false);
CREATE TRIGGER job_runs_touch BEFORE UPDATE ON convene.job_runs
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();
