-- Leads: attendees who met a sponsor, what happened between them, and what was learned from how leads ended.

CREATE TABLE convene.models (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    kind text NOT NULL CHECK (kind IN ('lead', 'renewal', 'networking', 'peer', 'sponsorship', 'recommendation')),
    scope text NOT NULL DEFAULT 'global' CHECK (scope <> ''),
    version integer NOT NULL CHECK (version > 0),
    is_active boolean NOT NULL DEFAULT false,
    algorithm text NOT NULL CHECK (algorithm IN ('rule', 'naive_bayes', 'logistic_regression', 'boosted_trees')),
    model jsonb NOT NULL CHECK (jsonb_typeof(model) = 'object'),
    features text[] NOT NULL DEFAULT '{}',
    options jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(options) = 'object'),
    metrics jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(metrics) = 'object'),
    outcomes bigint NOT NULL DEFAULT 0 CHECK (outcomes >= 0),
    positives bigint NOT NULL DEFAULT 0 CHECK (positives >= 0),
    trained_from timestamptz,
    trained_until timestamptz,
    activated_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (kind, scope, version),
    CHECK (positives <= outcomes),
    CHECK (trained_until >= trained_from)
);
COMMENT ON TABLE convene.models IS 'Learned models, every version; one of a kind and scope is active';
COMMENT ON COLUMN convene.models.scope IS 'global, or the id of the sponsor or event whose outcomes it was trained on';
COMMENT ON COLUMN convene.models.algorithm IS 'The step of the ladder';
COMMENT ON COLUMN convene.models.features IS 'Names, in the order in which the model takes them';
COMMENT ON COLUMN convene.models.metrics IS 'Measured on outcomes that it was not trained on, and what the gate made of it';
COMMENT ON COLUMN convene.models.outcomes IS 'Outcomes it was trained on, positives of them good ones';
COMMENT ON COLUMN convene.models.trained_from IS 'First outcome of the training window; trained_until the last';
COMMENT ON COLUMN convene.models.activated_at IS 'When it last became the active one';
CREATE UNIQUE INDEX idx_models_active ON convene.models (kind, scope) WHERE is_active;
CREATE TRIGGER models_touch BEFORE UPDATE ON convene.models
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();
ALTER TABLE convene.models ENABLE ROW LEVEL SECURITY;
CREATE POLICY service_only ON convene.models USING (false);

-- When consent was last taken back decides which badge scans still count.
ALTER TABLE convene.attendees ADD COLUMN sponsor_consent_withdrawn_at timestamptz;
COMMENT ON COLUMN convene.attendees.sponsor_consent_withdrawn_at IS 'When sponsor_consent was last withdrawn, kept by a trigger: badge scans before that no longer open anything';

CREATE TABLE convene.lead_scoring (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    event_id uuid NOT NULL,
    organization_id uuid NOT NULL,
    sponsor_id uuid NOT NULL REFERENCES convene.sponsors ON DELETE CASCADE,
    attendee_id uuid NOT NULL,
    lead_score integer NOT NULL CHECK (lead_score BETWEEN 0 AND 100),
    lead_grade text GENERATED ALWAYS AS (CASE WHEN lead_score >= 80 THEN 'A' WHEN lead_score >= 60 THEN 'B'
                                              WHEN lead_score >= 40 THEN 'C' ELSE 'D' END) STORED,
    engagement_score integer NOT NULL DEFAULT 0 CHECK (engagement_score BETWEEN 0 AND 40),
    fit_score integer NOT NULL DEFAULT 0 CHECK (fit_score BETWEEN 0 AND 30),
    intent_score integer NOT NULL DEFAULT 0 CHECK (intent_score BETWEEN 0 AND 30),
    fit_assumed boolean NOT NULL DEFAULT false,
    score_parts jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(score_parts) = 'object'),
    model_id uuid REFERENCES convene.models ON DELETE SET NULL,
    booth_visits integer NOT NULL DEFAULT 0 CHECK (booth_visits >= 0),
    content_downloads integer NOT NULL DEFAULT 0 CHECK (content_downloads >= 0),
    session_attendance integer NOT NULL DEFAULT 0 CHECK (session_attendance >= 0),
    messages_exchanged integer NOT NULL DEFAULT 0 CHECK (messages_exchanged >= 0),
    meeting_requested boolean NOT NULL DEFAULT false,
    first_interaction_at timestamptz,
    last_interaction_at timestamptz DEFAULT now(),
    interaction_count integer NOT NULL DEFAULT 0 CHECK (interaction_count >= 0),
    status text NOT NULL DEFAULT 'new'
        CHECK (status IN ('new', 'contacted', 'qualified', 'opportunity', 'closed_won', 'closed_lost', 'nurturing')),
    closed_at timestamptz,
    consented boolean NOT NULL DEFAULT false,
    assigned_to text,
    crm_sync_status text NOT NULL DEFAULT 'pending' CHECK (crm_sync_status IN ('pending', 'synced', 'failed')),
    crm_lead_id text,
    notes text,
    tags text[] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (sponsor_id, attendee_id),
    CHECK (last_interaction_at >= first_interaction_at),
    FOREIGN KEY (event_id, organization_id) REFERENCES convene.events (id, organization_id) ON UPDATE CASCADE ON DELETE CASCADE,
    FOREIGN KEY (attendee_id, event_id) REFERENCES convene.attendees (id, event_id) ON DELETE CASCADE
) WITH (fillfactor = 80);
COMMENT ON TABLE convene.lead_scoring IS 'One row per sponsor and attendee who met: how promising it is, and what became of it';
COMMENT ON COLUMN convene.lead_scoring.organization_id IS 'Left out: that of the event';
COMMENT ON COLUMN convene.lead_scoring.lead_score IS '0 to 100';
COMMENT ON COLUMN convene.lead_scoring.lead_grade IS 'A from 80, B from 60, C from 40, else D';
COMMENT ON COLUMN convene.lead_scoring.fit_assumed IS 'The sponsor has described no ideal customer, so fit_score is the constant 30';
COMMENT ON COLUMN convene.lead_scoring.score_parts IS 'How the ideal customer is met: {"fit": {criterion: {"points", "of", "matched" or "known": false}}}. Engagement and intent follow from the counters';
COMMENT ON COLUMN convene.lead_scoring.model_id IS 'The learned model behind lead_score; null: the rule';
COMMENT ON COLUMN convene.lead_scoring.booth_visits IS 'Counted from lead_interactions, like the counters below';
COMMENT ON COLUMN convene.lead_scoring.closed_at IS 'When the status last became closed_won or closed_lost; kept by a trigger';
COMMENT ON COLUMN convene.lead_scoring.consented IS 'The sponsor may see this lead: the attendee agreed to sponsors, or let this one scan the badge. Kept by triggers';
COMMENT ON COLUMN convene.lead_scoring.assigned_to IS 'Address of the sponsor''s sales person';
COMMENT ON COLUMN convene.lead_scoring.crm_lead_id IS 'Its id in the sponsor''s CRM';
COMMENT ON COLUMN convene.lead_scoring.notes IS 'The sponsor''s, so not read through the table, which the organizer reads as well';
CREATE INDEX idx_lead_scoring_event ON convene.lead_scoring (event_id);
CREATE INDEX idx_lead_scoring_organization ON convene.lead_scoring (organization_id);
-- As for attendees.
ALTER TABLE convene.lead_scoring ALTER COLUMN organization_id SET (n_distinct = 25);
CREATE INDEX idx_lead_scoring_sponsor ON convene.lead_scoring (sponsor_id, consented, lead_score DESC, id)
    INCLUDE (organization_id);
CREATE INDEX idx_lead_scoring_attendee ON convene.lead_scoring (attendee_id);
CREATE INDEX idx_lead_scoring_score ON convene.lead_scoring (lead_score DESC);
CREATE INDEX idx_lead_scoring_grade ON convene.lead_scoring (lead_grade);
CREATE INDEX idx_lead_scoring_status ON convene.lead_scoring (status);
CREATE INDEX idx_lead_scoring_last_interaction ON convene.lead_scoring (last_interaction_at DESC);
CREATE INDEX idx_lead_scoring_model ON convene.lead_scoring (model_id) WHERE model_id IS NOT NULL;
CREATE TRIGGER lead_scoring_organization BEFORE INSERT ON convene.lead_scoring
    FOR EACH ROW WHEN (NEW.organization_id IS NULL) EXECUTE FUNCTION convene_private.place_in_organization();
-- A million leads are scored in one statement, which says itself when that was.
CREATE TRIGGER lead_scoring_touch BEFORE UPDATE ON convene.lead_scoring
    FOR EACH ROW WHEN (NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at) EXECUTE FUNCTION convene_private.touch_updated_at();
ALTER TABLE convene.lead_scoring ENABLE ROW LEVEL SECURITY;
CREATE POLICY lead_scoring_select ON convene.lead_scoring FOR SELECT
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_organization_ids()))
           OR (consented AND sponsor_id = ANY (ARRAY(SELECT convene_private.my_sponsor_ids()))));

CREATE TABLE convene.lead_interactions (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    event_id uuid NOT NULL REFERENCES convene.events ON DELETE CASCADE,
    sponsor_id uuid NOT NULL REFERENCES convene.sponsors ON DELETE CASCADE,
    attendee_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('booth_visit', 'badge_scan', 'content_download', 'session_attendance', 'message',
                                       'meeting_request', 'other')),
    at timestamptz NOT NULL DEFAULT now(),
    external_id text CHECK (external_id <> ''),
    details jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(details) = 'object'),
    badge_shown boolean NOT NULL DEFAULT false,
    recorded_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (sponsor_id, external_id),
    FOREIGN KEY (attendee_id, event_id) REFERENCES convene.attendees (id, event_id) ON DELETE CASCADE
);
COMMENT ON TABLE convene.lead_interactions IS 'Every contact of an attendee with a sponsor, as it was reported. Rows are added and never changed; they go with attendee, sponsor or event';
COMMENT ON COLUMN convene.lead_interactions.event_id IS 'Filled in from the attendee';
COMMENT ON COLUMN convene.lead_interactions.kind IS 'badge_scan: the attendee let this sponsor scan the badge, which is consent to be its lead';
COMMENT ON COLUMN convene.lead_interactions.at IS 'When it happened; never in the future';
COMMENT ON COLUMN convene.lead_interactions.external_id IS 'The reporter''s own id: what is reported twice is kept once';
COMMENT ON COLUMN convene.lead_interactions.details IS 'Between sponsor and attendee, so not read through the table';
COMMENT ON COLUMN convene.lead_interactions.badge_shown IS 'The sponsor''s person had the code of the attendee''s ticket: consent as a badge_scan is, whatever the kind';
COMMENT ON COLUMN convene.lead_interactions.recorded_by IS 'The profile that reported it. No foreign key: the row stays when the person goes';
CREATE INDEX idx_lead_interactions_sponsor ON convene.lead_interactions (sponsor_id, attendee_id, kind, at);
CREATE INDEX idx_lead_interactions_attendee ON convene.lead_interactions (attendee_id);
CREATE INDEX idx_lead_interactions_event ON convene.lead_interactions (event_id, at);
-- That it was this person who reported it is forgotten with the person.
CREATE TRIGGER lead_interactions_keep BEFORE UPDATE ON convene.lead_interactions
    FOR EACH ROW WHEN (NEW.recorded_by IS NOT NULL OR to_jsonb(OLD) - 'recorded_by' <> to_jsonb(NEW) - 'recorded_by')
    EXECUTE FUNCTION convene_private.refuse_rewrite();
ALTER TABLE convene.lead_interactions ENABLE ROW LEVEL SECURITY;
CREATE POLICY lead_interactions_select ON convene.lead_interactions FOR SELECT
    USING (event_id = ANY (ARRAY(SELECT convene_private.my_staffed_event_ids())));

-- No foreign keys: a job must never make its producer wait.
CREATE TABLE convene.crm_sync_queue (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    lead_id uuid NOT NULL,
    sponsor_id uuid NOT NULL,
    event_id uuid,
    crm_type text NOT NULL CHECK (crm_type IN ('salesforce', 'hubspot', 'pipedrive')),
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
COMMENT ON TABLE convene.crm_sync_queue IS 'Leads on their way into the CRM of their sponsor, one row per lead and target';
COMMENT ON COLUMN convene.crm_sync_queue.idempotency_key IS 'Lets the other side see a repetition';
COMMENT ON COLUMN convene.crm_sync_queue.priority IS 'Higher goes first';
COMMENT ON COLUMN convene.crm_sync_queue.status IS 'failed: parked after queue.max_attempts; cancelled: the attendee withdrew, or the sponsor did';
COMMENT ON COLUMN convene.crm_sync_queue.available_at IS 'Not claimed before; moved on by a failure';
COMMENT ON COLUMN convene.crm_sync_queue.lease_token IS 'Fencing token: only the holder of the present lease may finish the job';
COMMENT ON COLUMN convene.crm_sync_queue.payload IS 'Which fields are asked for; their values are filled in, and consent is looked at again, when it is claimed';
COMMENT ON COLUMN convene.crm_sync_queue.result IS 'What the worker reported';
CREATE INDEX idx_crm_sync_queue_lead ON convene.crm_sync_queue (lead_id, crm_type, status);
CREATE INDEX idx_crm_sync_queue_sponsor ON convene.crm_sync_queue (sponsor_id, status);
CREATE INDEX idx_crm_sync_queue_claim ON convene.crm_sync_queue (priority DESC, available_at, id)
    WHERE status IN ('pending', 'leased') AND attempts >= 0;
CREATE INDEX idx_crm_sync_queue_claim_one ON convene.crm_sync_queue (crm_type, priority DESC, available_at, id)
    WHERE status IN ('pending', 'leased') AND attempts >= 0;
CREATE INDEX idx_crm_sync_queue_leased ON convene.crm_sync_queue (lease_until) WHERE status = 'leased';
CREATE INDEX idx_crm_sync_queue_processed ON convene.crm_sync_queue (processed_at)
    WHERE status IN ('done', 'failed', 'cancelled');
CREATE TRIGGER crm_sync_queue_touch BEFORE UPDATE ON convene.crm_sync_queue
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();
ALTER TABLE convene.crm_sync_queue ENABLE ROW LEVEL SECURITY;
CREATE POLICY service_only ON convene.crm_sync_queue USING (false);

-- Consent. One place says whether a sponsor may see an attendee; the triggers only bring it about that it is asked again. The
-- lock makes a scan and a withdrawal that meet come one after the other; whoever takes it takes it before a lead's.
CREATE FUNCTION convene_private.sponsor_may_see(p_sponsor_id uuid, p_attendee_id uuid) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    attendee record;
BEGIN
    SELECT a.sponsor_consent, a.sponsor_consent_withdrawn_at AS withdrawn INTO attendee
    FROM convene.attendees a WHERE a.id = p_attendee_id FOR SHARE;
    RETURN coalesce(attendee.sponsor_consent, false)
        OR EXISTS (SELECT FROM convene.lead_interactions i
                   WHERE i.sponsor_id = p_sponsor_id AND i.attendee_id = p_attendee_id
                     AND (i.kind = 'badge_scan' OR i.badge_shown)
                     AND (attendee.withdrawn IS NULL OR i.at > attendee.withdrawn));
END $$;
COMMENT ON FUNCTION convene_private.sponsor_may_see(uuid, uuid) IS 'Whether an attendee agreed to be a lead of this sponsor: to all, or by a scan of the badge that was not followed by a withdrawal';

-- Definer, this and the others below: leads are nobody's to write, and attendee and sponsor are read whatever the caller may see.
CREATE FUNCTION convene_private.place_lead() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.consented := convene_private.sponsor_may_see(NEW.sponsor_id, NEW.attendee_id);
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.place_lead() IS 'Says whether the sponsor may see the lead, whatever was written';
CREATE TRIGGER lead_scoring_place BEFORE INSERT OR UPDATE OF consented ON convene.lead_scoring
    FOR EACH ROW EXECUTE FUNCTION convene_private.place_lead();
-- By what changes and not by what is named: the scoring of many leads names columns that it leaves as they are.
CREATE TRIGGER lead_scoring_move BEFORE UPDATE ON convene.lead_scoring
    FOR EACH ROW WHEN (NEW.sponsor_id <> OLD.sponsor_id OR NEW.attendee_id <> OLD.attendee_id)
    EXECUTE FUNCTION convene_private.place_lead();
CREATE TRIGGER lead_scoring_sponsor BEFORE INSERT ON convene.lead_scoring
    FOR EACH ROW EXECUTE FUNCTION convene_private.check_participation();
CREATE TRIGGER lead_scoring_sponsor_moved BEFORE UPDATE ON convene.lead_scoring
    FOR EACH ROW WHEN (NEW.sponsor_id <> OLD.sponsor_id OR NEW.event_id <> OLD.event_id)
    EXECUTE FUNCTION convene_private.check_participation();

CREATE FUNCTION convene_private.time_lead() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.status NOT IN ('closed_won', 'closed_lost') THEN
        NEW.closed_at := NULL;
    ELSIF TG_OP = 'INSERT' THEN
        NEW.closed_at := coalesce(NEW.closed_at, now());
    ELSIF NEW.status <> OLD.status AND NEW.closed_at IS NOT DISTINCT FROM OLD.closed_at THEN
        NEW.closed_at := now();
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.time_lead() IS 'Notes when a lead was won or lost';
CREATE TRIGGER lead_scoring_time BEFORE INSERT OR UPDATE OF status, closed_at ON convene.lead_scoring
    FOR EACH ROW EXECUTE FUNCTION convene_private.time_lead();

CREATE FUNCTION convene_private.place_lead_interaction() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.at = '-infinity' THEN
        RAISE EXCEPTION '% is no moment at which somebody was met', NEW.at
            USING ERRCODE = '22023', HINT = 'Leave at out, it is filled in.';
    END IF;
    IF NEW.at > clock_timestamp() THEN
        RAISE EXCEPTION '% is in the future', NEW.at
            USING ERRCODE = '22023', DETAIL = 'A contact is reported when it has happened.',
                  HINT = 'Leave at out, it is filled in.';
    END IF;
    IF NEW.kind = 'badge_scan' OR NEW.badge_shown THEN
        PERFORM FROM convene.attendees a WHERE a.id = NEW.attendee_id FOR SHARE;
    END IF;
    NEW.event_id := coalesce(NEW.event_id, (SELECT a.event_id FROM convene.attendees a WHERE a.id = NEW.attendee_id));
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.place_lead_interaction() IS 'Fills in the event of a contact, and takes the lock that a scan needs';
CREATE TRIGGER lead_interactions_place BEFORE INSERT ON convene.lead_interactions
    FOR EACH ROW EXECUTE FUNCTION convene_private.place_lead_interaction();
CREATE TRIGGER lead_interactions_sponsor BEFORE INSERT ON convene.lead_interactions
    FOR EACH ROW EXECUTE FUNCTION convene_private.check_participation();

CREATE FUNCTION convene_private.badge_scanned() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE convene.lead_scoring l SET consented = true
    WHERE l.sponsor_id = NEW.sponsor_id AND l.attendee_id = NEW.attendee_id AND NOT l.consented;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION convene_private.badge_scanned() IS 'Opens the lead to the sponsor who scanned the badge';
CREATE TRIGGER lead_interactions_scanned AFTER INSERT ON convene.lead_interactions
    FOR EACH ROW WHEN (NEW.kind = 'badge_scan' OR NEW.badge_shown) EXECUTE FUNCTION convene_private.badge_scanned();

CREATE FUNCTION convene_private.time_withdrawal() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.sponsor_consent_withdrawn_at := clock_timestamp();
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.time_withdrawal() IS 'Notes when an attendee withdrew their consent';
CREATE TRIGGER attendees_withdrawal BEFORE UPDATE OF sponsor_consent ON convene.attendees
    FOR EACH ROW WHEN (OLD.sponsor_consent AND NOT NEW.sponsor_consent) EXECUTE FUNCTION convene_private.time_withdrawal();

-- By row: check-ins and the like pay for no transition table, and consents come one at a time.
CREATE FUNCTION convene_private.consent_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE convene.lead_scoring l SET consented = NEW.sponsor_consent WHERE l.attendee_id = NEW.id;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION convene_private.consent_changed() IS 'Shows or hides an attendee''s leads';
CREATE TRIGGER attendees_consent AFTER UPDATE ON convene.attendees
    FOR EACH ROW WHEN (OLD.sponsor_consent <> NEW.sponsor_consent
                       OR OLD.sponsor_consent_withdrawn_at IS DISTINCT FROM NEW.sponsor_consent_withdrawn_at)
    EXECUTE FUNCTION convene_private.consent_changed();
