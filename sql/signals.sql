-- What visitors do, by the minute: raw material of the audience insights. The big tables are partitioned by month, in UTC
-- whatever the session's time zone is. Rows add up, so that whoever sends them may count beforehand, and a row that comes
-- twice under its own id and moment is one row.

CREATE TABLE convene.event_impressions (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    event_id uuid NOT NULL,
    organization_id uuid NOT NULL,
    profile_id uuid REFERENCES convene.profiles ON DELETE SET NULL,
    visitor_key text,
    source text,
    impressions integer NOT NULL DEFAULT 1 CHECK (impressions >= 0),
    dwell_time_ms bigint CHECK (dwell_time_ms >= 0),
    country text CHECK (country <> ''),
    region text CHECK (region <> ''),
    age_bucket text CHECK (age_bucket <> ''),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id, created_at),
    FOREIGN KEY (event_id, organization_id) REFERENCES convene.events (id, organization_id) ON UPDATE CASCADE ON DELETE CASCADE
) PARTITION BY RANGE (created_at);
COMMENT ON TABLE convene.event_impressions IS 'The event was shown to somebody: where they are, how old, how long they stayed';
COMMENT ON COLUMN convene.event_impressions.organization_id IS 'Left out: that of the event';
COMMENT ON COLUMN convene.event_impressions.profile_id IS 'The person, where signed in';
COMMENT ON COLUMN convene.event_impressions.visitor_key IS 'Pseudonym of a visitor, by which different ones are counted; never an address';
COMMENT ON COLUMN convene.event_impressions.source IS 'Where it was shown: feed, search, mail, web or a name of the sender''s own';
COMMENT ON COLUMN convene.event_impressions.dwell_time_ms IS 'Of all impressions of the row together; null: not measured';
COMMENT ON COLUMN convene.event_impressions.country IS 'ISO 3166 code or English name; a key of geo_distribution';
COMMENT ON COLUMN convene.event_impressions.age_bucket IS 'As 18-24; a key of age_segments';
CREATE INDEX idx_event_impressions_event ON convene.event_impressions (event_id, created_at) INCLUDE (organization_id);
CREATE INDEX idx_event_impressions_organization ON convene.event_impressions (organization_id, created_at);
CREATE INDEX idx_event_impressions_profile ON convene.event_impressions (profile_id);
CREATE TRIGGER event_impressions_organization BEFORE INSERT ON convene.event_impressions
    FOR EACH ROW WHEN (NEW.organization_id IS NULL) EXECUTE FUNCTION convene_private.place_in_organization();

CREATE TABLE convene.ticket_analytics (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    event_id uuid NOT NULL,
    organization_id uuid NOT NULL,
    profile_id uuid REFERENCES convene.profiles ON DELETE SET NULL,
    ticket_type_id uuid,
    visitor_key text,
    source text,
    ticket_views integer NOT NULL DEFAULT 0 CHECK (ticket_views >= 0),
    checkouts_started integer NOT NULL DEFAULT 0 CHECK (checkouts_started >= 0),
    purchases integer NOT NULL DEFAULT 0 CHECK (purchases >= 0),
    revenue_cents bigint NOT NULL DEFAULT 0 CHECK (revenue_cents >= 0),
    currency text CHECK (currency ~ '^[A-Z]{3}$'),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id, created_at),
    CHECK (revenue_cents = 0 OR currency IS NOT NULL),
    FOREIGN KEY (event_id, organization_id) REFERENCES convene.events (id, organization_id) ON UPDATE CASCADE ON DELETE CASCADE
) PARTITION BY RANGE (created_at);
COMMENT ON TABLE convene.ticket_analytics IS 'The way from a look at the tickets to a purchase; purchases per view is the conversion rate';
COMMENT ON COLUMN convene.ticket_analytics.organization_id IS 'Left out: that of the event';
COMMENT ON COLUMN convene.ticket_analytics.profile_id IS 'The person, where signed in';
COMMENT ON COLUMN convene.ticket_analytics.ticket_type_id IS 'Null: all tickets. No foreign key: what was counted outlives the ticket type';
COMMENT ON COLUMN convene.ticket_analytics.visitor_key IS 'Pseudonym of a visitor, by which different ones are counted; never an address';
COMMENT ON COLUMN convene.ticket_analytics.source IS 'What led to the tickets: feed, search, mail, web or a name of the sender''s own';
COMMENT ON COLUMN convene.ticket_analytics.purchases IS 'Orders as this page saw them; the money that counts is in orders';
CREATE INDEX idx_ticket_analytics_event ON convene.ticket_analytics (event_id, created_at) INCLUDE (organization_id);
CREATE INDEX idx_ticket_analytics_organization ON convene.ticket_analytics (organization_id, created_at);
CREATE INDEX idx_ticket_analytics_profile ON convene.ticket_analytics (profile_id);
CREATE TRIGGER ticket_analytics_organization BEFORE INSERT ON convene.ticket_analytics
    FOR EACH ROW WHEN (NEW.organization_id IS NULL) EXECUTE FUNCTION convene_private.place_in_organization();

CREATE TABLE convene.post_views (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    event_id uuid NOT NULL,
    organization_id uuid NOT NULL,
    profile_id uuid REFERENCES convene.profiles ON DELETE SET NULL,
    post_id text NOT NULL CHECK (post_id <> ''),
    visitor_key text,
    platform text,
    views integer NOT NULL DEFAULT 1 CHECK (views >= 0),
    dwell_time_ms bigint CHECK (dwell_time_ms >= 0),
    watch_percentage numeric(5,2) CHECK (watch_percentage BETWEEN 0 AND 100),
    mentions integer NOT NULL DEFAULT 0 CHECK (mentions >= 0),
    mention_text text,
    sentiment numeric(7,6) CHECK (sentiment BETWEEN -1 AND 1),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id, created_at),
    FOREIGN KEY (event_id, organization_id) REFERENCES convene.events (id, organization_id) ON UPDATE CASCADE ON DELETE CASCADE
) PARTITION BY RANGE (created_at);
COMMENT ON TABLE convene.post_views IS 'Posts about the event: how they were looked at, and where the event was mentioned';
COMMENT ON COLUMN convene.post_views.organization_id IS 'Left out: that of the event';
COMMENT ON COLUMN convene.post_views.profile_id IS 'The person who looked, where signed in';
COMMENT ON COLUMN convene.post_views.post_id IS 'The platform''s own id of the post';
COMMENT ON COLUMN convene.post_views.visitor_key IS 'Pseudonym of a visitor, by which different ones are counted; never an address';
COMMENT ON COLUMN convene.post_views.views IS '0: the row reports a mention only';
COMMENT ON COLUMN convene.post_views.dwell_time_ms IS 'Of all views of the row together; null: not measured';
COMMENT ON COLUMN convene.post_views.watch_percentage IS 'How much of a video was watched, on average over the views; null: no video';
COMMENT ON COLUMN convene.post_views.mentions IS 'How often the event was mentioned; adds up to social_mentions';
COMMENT ON COLUMN convene.post_views.mention_text IS 'The words of a mention, from which sentiment_score is read; null: not known';
COMMENT ON COLUMN convene.post_views.sentiment IS 'score_sentiment() of the words, -1 to 1; filled in';
CREATE INDEX idx_post_views_event ON convene.post_views (event_id, created_at) INCLUDE (organization_id);
CREATE INDEX idx_post_views_organization ON convene.post_views (organization_id, created_at);
CREATE INDEX idx_post_views_profile ON convene.post_views (profile_id);
CREATE TRIGGER post_views_organization BEFORE INSERT ON convene.post_views
    FOR EACH ROW WHEN (NEW.organization_id IS NULL) EXECUTE FUNCTION convene_private.place_in_organization();

CREATE TRIGGER post_views_sentiment BEFORE INSERT ON convene.post_views
    FOR EACH ROW WHEN (NEW.mention_text IS NOT NULL OR NEW.sentiment IS NOT NULL) EXECUTE FUNCTION convene_private.score_mention();
CREATE TRIGGER post_views_sentiment_again BEFORE UPDATE OF mention_text, sentiment ON convene.post_views
    FOR EACH ROW EXECUTE FUNCTION convene_private.score_mention();

CREATE TABLE convene.event_video_counters (
    event_id uuid NOT NULL REFERENCES convene.events ON DELETE CASCADE,
    video_id text NOT NULL CHECK (video_id <> ''),
    title text,
    views bigint NOT NULL DEFAULT 0 CHECK (views >= 0),
    unique_viewers bigint NOT NULL DEFAULT 0 CHECK (unique_viewers >= 0),
    completions bigint NOT NULL DEFAULT 0 CHECK (completions >= 0),
    likes bigint NOT NULL DEFAULT 0 CHECK (likes >= 0),
    shares bigint NOT NULL DEFAULT 0 CHECK (shares >= 0),
    watch_time_ms bigint NOT NULL DEFAULT 0 CHECK (watch_time_ms >= 0),
    watch_percentage numeric(5,2) CHECK (watch_percentage BETWEEN 0 AND 100),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (event_id, video_id),
    CHECK (completions <= views AND unique_viewers <= views)
) WITH (fillfactor = 70);
COMMENT ON TABLE convene.event_video_counters IS 'Totals of a video of an event, as the platform that plays it tells them';
COMMENT ON COLUMN convene.event_video_counters.video_id IS 'The platform''s own id of the video';
COMMENT ON COLUMN convene.event_video_counters.watch_time_ms IS 'Of all views together';
COMMENT ON COLUMN convene.event_video_counters.watch_percentage IS 'How much of it is watched on average; null: not measured';
CREATE TRIGGER event_video_counters_touch BEFORE UPDATE ON convene.event_video_counters
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();
SELECT convene_private.watch_table('convene.event_video_counters', 'convene_private.note_event()');

-- Rows for a month without a partition wait in DEFAULT until make_month_partition() brings them home.
CREATE TABLE convene.event_impressions_default PARTITION OF convene.event_impressions DEFAULT;
COMMENT ON TABLE convene.event_impressions_default IS 'event_impressions of months without a partition';
ALTER TABLE convene.event_impressions_default ENABLE ROW LEVEL SECURITY;
CREATE TABLE convene.ticket_analytics_default PARTITION OF convene.ticket_analytics DEFAULT;
COMMENT ON TABLE convene.ticket_analytics_default IS 'ticket_analytics of months without a partition';
ALTER TABLE convene.ticket_analytics_default ENABLE ROW LEVEL SECURITY;
CREATE TABLE convene.post_views_default PARTITION OF convene.post_views DEFAULT;
COMMENT ON TABLE convene.post_views_default IS 'post_views of months without a partition';
ALTER TABLE convene.post_views_default ENABLE ROW LEVEL SECURITY;
SELECT convene_private.watch_signals(t.place, t.parent)
FROM (VALUES ('convene.event_impressions'::regclass, 'event_impressions'), ('convene.event_impressions_default', 'event_impressions'),
             ('convene.ticket_analytics', 'ticket_analytics'), ('convene.ticket_analytics_default', 'ticket_analytics'),
             ('convene.post_views', 'post_views'), ('convene.post_views_default', 'post_views')) t(place, parent);

-- Writers wait while a month is made and then find it: the table is locked before its rows are moved, so none can slip into
-- DEFAULT meanwhile. What its foreign keys refer to is locked first, because attaching a partition needs that lock too.
-- Definer: triggers and CHECKs of the tables must run as their owner, whoever calls. Bounds are written and compared in UTC.
CREATE FUNCTION convene_private.make_month_partition(p_parent text, p_month date) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC' SET DateStyle = 'ISO' AS $$
DECLARE
    parent regclass;
    stray regclass;
    owner name;
    first_day date;
    bounds text;
    partition text;
    columns text;
    referred text;
    silenced record;
    silencing text := '';
    restoring text := '';
BEGIN
    IF p_parent IS NULL OR p_month IS NULL THEN
        RAISE EXCEPTION 'p_parent and p_month may not be null' USING ERRCODE = '22004';
    END IF;
    IF NOT isfinite(p_month) OR p_month NOT BETWEEN '1970-01-01' AND '9999-11-30' THEN
        RAISE EXCEPTION '% is no month for a partition', p_month
            USING ERRCODE = '22023', HINT = 'Give any day of a month from 1970 on.';
    END IF;
    SELECT c.oid::regclass, pg_get_userbyid(c.relowner), d.partdefid::regclass INTO parent, owner, stray
    FROM pg_class c JOIN pg_partitioned_table d ON d.partrelid = c.oid
    WHERE c.relnamespace = 'convene'::regnamespace AND c.relname = p_parent
      AND pg_get_partkeydef(c.oid) = 'RANGE (created_at)';
    IF parent IS NULL THEN
        RAISE EXCEPTION 'convene.% is not a table with a partition for each month', p_parent
            USING ERRCODE = '22023', HINT = 'The signal tables are: event_impressions, ticket_analytics, post_views.';
    END IF;
    first_day := date_trunc('month', p_month::timestamp)::date;
    bounds := format('FOR VALUES FROM (%L) TO (%L)', first_day::timestamptz,
                     (first_day + interval '1 month')::timestamptz);
    IF EXISTS (SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
               WHERE i.inhparent = parent AND pg_get_expr(c.relpartbound, c.oid) = bounds) THEN
        RETURN false;
    END IF;

    SELECT string_agg(DISTINCT 'ONLY ' || k.confrelid::regclass, ', ') INTO referred
    FROM pg_constraint k WHERE k.conrelid = parent AND k.contype = 'f';
    IF referred IS NOT NULL THEN
        EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', referred);
    END IF;
    EXECUTE format('LOCK TABLE ONLY %s IN ACCESS EXCLUSIVE MODE', parent);
    -- Somebody else may have made it while this one waited.
    IF EXISTS (SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
               WHERE i.inhparent = parent AND pg_get_expr(c.relpartbound, c.oid) = bounds) THEN
        RETURN false;
    END IF;

    partition := format('convene.%I', p_parent || to_char(first_day, '_YYYY_MM'));
    EXECUTE format('CREATE TABLE %s (LIKE %s INCLUDING ALL EXCLUDING INDEXES EXCLUDING IDENTITY)', partition, parent);
    EXECUTE format('COMMENT ON TABLE %s IS %L', partition, format('%s of %s', p_parent, to_char(first_day, 'YYYY-MM')));
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', partition);

    IF stray IS NOT NULL THEN
        EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', stray);
        SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) INTO columns
        FROM pg_attribute a WHERE a.attrelid = parent AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '';
        -- The rows stay in the table that people know, so its triggers have nothing to hear of.
        FOR silenced IN SELECT t.tgname, t.tgenabled FROM pg_trigger t
                        WHERE t.tgrelid = stray AND NOT t.tgisinternal AND t.tgenabled <> 'D' LOOP
            silencing := silencing || format('ALTER TABLE %s DISABLE TRIGGER %I;', stray, silenced.tgname);
            restoring := restoring || format('ALTER TABLE %s ENABLE %s TRIGGER %I;', stray,
                CASE silenced.tgenabled WHEN 'A' THEN 'ALWAYS' WHEN 'R' THEN 'REPLICA' ELSE '' END, silenced.tgname);
        END LOOP;
        EXECUTE silencing;
        EXECUTE format('WITH moved AS (DELETE FROM %1$s WHERE created_at >= $1 AND created_at < $2 RETURNING %2$s)
                        INSERT INTO %3$s (%2$s) SELECT %2$s FROM moved', stray, columns, partition)
            USING first_day::timestamptz, (first_day + interval '1 month')::timestamptz;
        EXECUTE restoring;
    END IF;

    EXECUTE format('ALTER TABLE %s ATTACH PARTITION %s %s', parent, partition, bounds);
    PERFORM convene_private.watch_signals(partition::regclass, p_parent);
    PERFORM convene_private.revoke_all('TABLE', partition, c.relacl, c.relowner)
    FROM pg_class c WHERE c.oid = partition::regclass;
    EXECUTE format('ALTER TABLE %s OWNER TO %I', partition, owner);
    RETURN true;
END $$;
COMMENT ON FUNCTION convene_private.make_month_partition(text, date) IS 'Makes the partition of a signal table for the month of a day, and moves the rows of that month out of DEFAULT into it; false: it was there';

DO $$
BEGIN
    PERFORM convene_private.make_month_partition(
        t.name, (date_trunc('month', now() AT TIME ZONE 'UTC') + n * interval '1 month')::date)
    FROM unnest('{event_impressions,ticket_analytics,post_views}'::text[]) t(name), generate_series(-1, 3) n;
END $$;

-- For queries that were written against these names.
CREATE VIEW convene.event_impressions_p WITH (security_invoker = true) AS
    SELECT i.id, i.event_id, i.profile_id, i.visitor_key, i.source, i.impressions, i.dwell_time_ms, i.country, i.region,
           i.age_bucket, i.created_at
    FROM convene.event_impressions i;
COMMENT ON VIEW convene.event_impressions_p IS 'event_impressions under its second name';
CREATE VIEW convene.ticket_analytics_p WITH (security_invoker = true) AS
    SELECT a.id, a.event_id, a.profile_id, a.ticket_type_id, a.visitor_key, a.source, a.ticket_views, a.checkouts_started,
           a.purchases, a.revenue_cents, a.currency, a.created_at
    FROM convene.ticket_analytics a;
COMMENT ON VIEW convene.ticket_analytics_p IS 'ticket_analytics under its second name';

-- Partitions have row security and no policy: only what is asked of the whole table is answered.
ALTER TABLE convene.event_impressions ENABLE ROW LEVEL SECURITY;
CREATE POLICY event_impressions_select ON convene.event_impressions FOR SELECT
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_organization_ids())));
ALTER TABLE convene.ticket_analytics ENABLE ROW LEVEL SECURITY;
CREATE POLICY ticket_analytics_select ON convene.ticket_analytics FOR SELECT
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_organization_ids())));
ALTER TABLE convene.post_views ENABLE ROW LEVEL SECURITY;
CREATE POLICY post_views_select ON convene.post_views FOR SELECT
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_organization_ids())));
ALTER TABLE convene.event_video_counters ENABLE ROW LEVEL SECURITY;
CREATE POLICY event_video_counters_select ON convene.event_video_counters FOR SELECT
    USING (event_id = ANY (ARRAY(SELECT convene_private.my_staffed_event_ids())));
