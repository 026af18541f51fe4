-- Venues, events, programme and attendees, and which of them the caller may see or manage. Every row that belongs to an
-- event carries its event_id; keys over (id, event_id) hold the parts of one event together.

CREATE TABLE convene.venues (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL DEFAULT convene_private.default_organization_id()
        REFERENCES convene.organizations ON DELETE RESTRICT,
    name text NOT NULL CHECK (name <> ''),
    description text,
    address_line1 text,
    address_line2 text,
    city text,
    state_province text,
    postal_code text,
    country text,
    latitude double precision CHECK (latitude BETWEEN -90 AND 90),
    longitude double precision CHECK (longitude BETWEEN -180 AND 180),
    time_zone text NOT NULL DEFAULT 'UTC',
    capacity integer CHECK (capacity > 0),
    website text,
    is_public boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE convene.venues IS 'Places where events happen, kept by the organization that uses them';
COMMENT ON COLUMN convene.venues.is_public IS 'A public event, or a session of one, names it; kept by triggers, whatever is written';
CREATE INDEX idx_venues_organization ON convene.venues (organization_id);
CREATE TRIGGER venues_time_zone BEFORE INSERT OR UPDATE OF time_zone ON convene.venues
    FOR EACH ROW EXECUTE FUNCTION convene_private.check_time_zone();
CREATE TRIGGER venues_touch BEFORE UPDATE ON convene.venues
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

CREATE TABLE convene.events (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL DEFAULT convene_private.default_organization_id()
        REFERENCES convene.organizations ON DELETE RESTRICT,
    organizer_id uuid REFERENCES convene.profiles ON DELETE SET NULL,
    venue_id uuid REFERENCES convene.venues ON DELETE SET NULL,
    title text NOT NULL CHECK (title <> ''),
    description text,
    status text NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'published', 'cancelled', 'completed')),
    is_public boolean NOT NULL GENERATED ALWAYS AS (status IN ('published', 'completed')) STORED,
    on_market boolean NOT NULL GENERATED ALWAYS AS (status = 'published') STORED,
    start_at timestamptz,
    end_at timestamptz,
    time_zone text NOT NULL DEFAULT 'UTC',
    categories text[] NOT NULL DEFAULT '{}' CHECK (cardinality(categories) <= 200),
    city text,
    country text,
    regions text[] NOT NULL DEFAULT '{}' CHECK (cardinality(regions) <= 300),
    capacity integer CHECK (capacity > 0),
    website text,
    session_clash_rule text NOT NULL DEFAULT 'warn' CHECK (session_clash_rule IN ('block', 'warn', 'ignore')),
    fit_rev bigint NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (id, organization_id),
    UNIQUE (id, is_public),
    UNIQUE (id, on_market),
    CHECK (end_at > start_at)
);
COMMENT ON TABLE convene.events IS 'Events. Published and completed ones are public, the others are seen by their people only';
COMMENT ON COLUMN convene.events.organizer_id IS 'The responsible person; rights come from organization_members, not from here';
COMMENT ON COLUMN convene.events.is_public IS 'Published or completed; the parts of the programme repeat it as event_public, so that reading them asks nothing about events';
COMMENT ON COLUMN convene.events.on_market IS 'Published: what sponsors read of the event''s audience repeats it, as the programme repeats is_public';
COMMENT ON COLUMN convene.events.time_zone IS 'Zone of local times and of days at this event';
COMMENT ON COLUMN convene.events.fit_rev IS 'Grows when categories or regions change, whatever is written; fits that were computed from an older one are stale';
COMMENT ON COLUMN convene.events.session_clash_rule IS 'What happens when somebody registers for two sessions at the same time: refused, told, or nothing';
CREATE INDEX idx_events_organization ON convene.events (organization_id, start_at);
CREATE INDEX idx_events_organizer ON convene.events (organizer_id);
CREATE INDEX idx_events_venue ON convene.events (venue_id);
CREATE INDEX idx_events_status ON convene.events (status, start_at);
CREATE TRIGGER events_time_zone BEFORE INSERT OR UPDATE OF time_zone ON convene.events
    FOR EACH ROW EXECUTE FUNCTION convene_private.check_time_zone();
CREATE TRIGGER events_touch BEFORE UPDATE ON convene.events
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

-- The parts of a programme carry whether their event is public: row security reads it from the row that is asked for, where a
-- list of all public events would be made for each query. This fills it in, whatever was written, and the foreign key over
-- (event_id, event_public) keeps it from then on. Locks as that key will, so that an event which is being published is waited
-- for. Definer: whether the caller may write is for the policies to say.
CREATE FUNCTION convene_private.place_in_programme() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT e.is_public INTO NEW.event_public FROM convene.events e WHERE e.id = NEW.event_id FOR KEY SHARE;
    -- An event that is not there is the foreign key's to refuse.
    NEW.event_public := coalesce(NEW.event_public, false);
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.place_in_programme() IS 'Fills in whether the event of a row is public';

-- Rows that staff sees by the thousand carry their organization: one id, where all of its events would be a list of thousands.
-- Only what was left out is filled in; that it is the event's is for the foreign key over (event_id, organization_id) to say.
CREATE FUNCTION convene_private.place_in_organization() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT e.organization_id INTO NEW.organization_id FROM convene.events e WHERE e.id = NEW.event_id FOR KEY SHARE;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.place_in_organization() IS 'Fills in the organization of the event of a row';

ALTER TABLE convene.scoring_weights ADD CONSTRAINT scoring_weights_event_id_fkey
    FOREIGN KEY (event_id) REFERENCES convene.events ON DELETE CASCADE;
ALTER TABLE convene.person_reports ADD CONSTRAINT person_reports_event_id_fkey
    FOREIGN KEY (event_id) REFERENCES convene.events ON DELETE CASCADE;

CREATE TABLE convene.speakers (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    event_id uuid NOT NULL,
    event_public boolean NOT NULL DEFAULT false,
    contact_id uuid,
    full_name text,
    bio text,
    expertise_areas text[] NOT NULL DEFAULT '{}',
    years_experience integer CHECK (years_experience >= 0),
    certifications text[] NOT NULL DEFAULT '{}',
    presentation_title text,
    presentation_description text,
    presentation_duration integer CHECK (presentation_duration > 0),
    presentation_slides_url text,
    handout_materials text[] NOT NULL DEFAULT '{}',
    website_url text,
    linkedin_url text,
    twitter_handle text,
    company_affiliation text,
    speaker_fee numeric(10,2) CHECK (speaker_fee >= 0 AND speaker_fee <> 'NaN'),
    travel_arrangements text,
    accommodation_needs text,
    dietary_restrictions text[] NOT NULL DEFAULT '{}',
    headshot_url text,
    bio_image_url text,
    video_intro_url text,
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'confirmed', 'cancelled', 'replaced')),
    confirmation_date timestamptz,
    contract_signed boolean NOT NULL DEFAULT false,
    assigned_to uuid REFERENCES convene.users ON DELETE SET NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (id, event_id),
    FOREIGN KEY (event_id, event_public) REFERENCES convene.events (id, is_public) ON UPDATE CASCADE ON DELETE CASCADE
);
COMMENT ON TABLE convene.speakers IS 'Speakers of an event; API roles read what the programme shows, not fee, travel and contract';
COMMENT ON COLUMN convene.speakers.event_public IS 'events.is_public, kept by a trigger and the foreign key';
COMMENT ON COLUMN convene.speakers.full_name IS 'The name in the programme';
COMMENT ON COLUMN convene.speakers.presentation_duration IS 'Minutes';
CREATE INDEX idx_speakers_event ON convene.speakers (event_id);
CREATE INDEX idx_speakers_assigned_to ON convene.speakers (assigned_to);
CREATE TRIGGER speakers_programme BEFORE INSERT OR UPDATE OF event_id, event_public ON convene.speakers
    FOR EACH ROW EXECUTE FUNCTION convene_private.place_in_programme();
CREATE TRIGGER speakers_touch BEFORE UPDATE ON convene.speakers
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

CREATE TABLE convene.sessions (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    event_id uuid NOT NULL,
    event_public boolean NOT NULL DEFAULT false,
    speaker_id uuid,
    venue_id uuid REFERENCES convene.venues ON DELETE SET NULL,
    title text NOT NULL CHECK (title <> ''),
    description text,
    session_type text CHECK (session_type IN ('keynote', 'workshop', 'panel', 'networking', 'break', 'lunch', 'demo',
                                              'talk', 'breakout')),
    difficulty_level text CHECK (difficulty_level IN ('beginner', 'intermediate', 'advanced', 'expert')),
    topics text[] NOT NULL DEFAULT '{}',
    room text,
    start_time timestamptz NOT NULL,
    end_time timestamptz NOT NULL,
    duration_minutes integer GENERATED ALWAYS AS ((EXTRACT(epoch FROM end_time - start_time) / 60)::integer) STORED,
    max_attendees integer CHECK (max_attendees > 0),
    current_registrations integer NOT NULL DEFAULT 0 CHECK (current_registrations >= 0),
    registration_required boolean NOT NULL DEFAULT false,
    registration_deadline timestamptz,
    waitlist_enabled boolean NOT NULL DEFAULT false,
    materials_urls text[] NOT NULL DEFAULT '{}',
    recording_url text,
    chat_enabled boolean NOT NULL DEFAULT true,
    qa_enabled boolean NOT NULL DEFAULT true,
    status text NOT NULL DEFAULT 'scheduled'
        CHECK (status IN ('scheduled', 'live', 'completed', 'cancelled', 'postponed')),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (id, event_id),
    CHECK (end_time > start_time),
    FOREIGN KEY (speaker_id, event_id) REFERENCES convene.speakers (id, event_id) ON DELETE SET NULL (speaker_id),
    FOREIGN KEY (event_id, event_public) REFERENCES convene.events (id, is_public) ON UPDATE CASCADE ON DELETE CASCADE
);
COMMENT ON TABLE convene.sessions IS 'The programme of an event';
COMMENT ON COLUMN convene.sessions.event_public IS 'events.is_public, kept by a trigger and the foreign key';
COMMENT ON COLUMN convene.sessions.current_registrations IS 'Places taken, kept by session_registrations; also what the recommendation document calls registration_count';
COMMENT ON COLUMN convene.sessions.max_attendees IS 'Null: no limit';
CREATE INDEX idx_sessions_event ON convene.sessions (event_id, start_time);
CREATE INDEX idx_sessions_speaker ON convene.sessions (speaker_id);
CREATE INDEX idx_sessions_venue ON convene.sessions (venue_id, event_id);
CREATE TRIGGER sessions_keep_event BEFORE UPDATE ON convene.sessions
    FOR EACH ROW WHEN (OLD.event_id IS DISTINCT FROM NEW.event_id)
    EXECUTE FUNCTION convene_private.refuse_change('event_id');
CREATE TRIGGER sessions_programme BEFORE INSERT OR UPDATE OF event_id, event_public ON convene.sessions
    FOR EACH ROW EXECUTE FUNCTION convene_private.place_in_programme();
CREATE TRIGGER sessions_touch BEFORE UPDATE ON convene.sessions
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

CREATE TABLE convene.event_revisions (
    event_id uuid NOT NULL REFERENCES convene.events ON DELETE CASCADE,
    kind text NOT NULL DEFAULT 'programme' CHECK (kind IN ('programme', 'registrations', 'peers', 'networking')),
    shard uuid NOT NULL DEFAULT gen_random_uuid(),
    rev bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (event_id, kind, shard)
) WITH (fillfactor = 50);
COMMENT ON TABLE convene.event_revisions IS 'Revision of an event''s programme: the sum over its shards. Sharded so that writers never wait for one another';
COMMENT ON COLUMN convene.event_revisions.kind IS 'registrations: places taken, which change by the minute and need no vector read again; peers: contractors who take part in peer matching, and what they are compared by; networking: who takes part in it, and what they said; programme: everything else';
ALTER TABLE convene.event_revisions ENABLE ROW LEVEL SECURITY;
CREATE POLICY service_only ON convene.event_revisions USING (false);

-- Takes whichever shard of the event nobody holds, or makes one, so it never waits. Not for an event that is going itself.
CREATE FUNCTION convene_private.bump_revisions(p_event_ids uuid[], p_kind text DEFAULT 'programme') RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    event uuid;
BEGIN
    FOREACH event IN ARRAY coalesce(p_event_ids, '{}') LOOP
        UPDATE convene.event_revisions r SET rev = r.rev + 1
        WHERE r.event_id = event AND r.kind = p_kind
          AND r.shard = (SELECT f.shard FROM convene.event_revisions f WHERE f.event_id = event AND f.kind = p_kind
                         LIMIT 1 FOR UPDATE SKIP LOCKED);
        IF NOT FOUND THEN
            INSERT INTO convene.event_revisions (event_id, kind) SELECT e.id, p_kind FROM convene.events e WHERE e.id = event;
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION convene_private.bump_revisions(uuid[], text) IS 'Notes that the programmes of these events changed, or the places taken, or the peers';

CREATE TABLE convene.attendees (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    event_id uuid NOT NULL,
    organization_id uuid NOT NULL,
    profile_id uuid REFERENCES convene.profiles ON DELETE SET NULL,
    contact_id uuid,
    full_name text,
    email text,
    job_title text,
    company_name text,
    status text NOT NULL DEFAULT 'registered'
        CHECK (status IN ('registered', 'confirmed', 'checked_in', 'cancelled', 'no_show')),
    checked_in_at timestamptz,
    sponsor_consent boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (id, event_id),
    UNIQUE (id, event_id, organization_id),
    -- Holds all that row security asks for, so that counting an event's people does not visit the table.
    UNIQUE (event_id, profile_id) INCLUDE (organization_id),
    FOREIGN KEY (event_id, organization_id) REFERENCES convene.events (id, organization_id) ON UPDATE CASCADE ON DELETE CASCADE
);
COMMENT ON TABLE convene.attendees IS 'One row per person and event';
COMMENT ON COLUMN convene.attendees.organization_id IS 'Left out: that of the event';
COMMENT ON COLUMN convene.attendees.profile_id IS 'The person who may sign in as this attendee; null until known';
COMMENT ON COLUMN convene.attendees.sponsor_consent IS 'The attendee agreed that sponsors see name and contact data; given by the attendee only';
CREATE INDEX idx_attendees_profile ON convene.attendees (profile_id);
CREATE INDEX idx_attendees_organization ON convene.attendees (organization_id, profile_id);
-- Of a list that is made while the query runs the server expects ten ids, and of a column with few values that ten are all
-- rows: it would read the whole table for a person's own. Of a column with so many values it expects about a third, and goes by
-- the indexes. What a query names itself is estimated as ever, by the most common values.
ALTER TABLE convene.attendees ALTER COLUMN organization_id SET (n_distinct = 25);
CREATE TRIGGER attendees_organization BEFORE INSERT ON convene.attendees
    FOR EACH ROW WHEN (NEW.organization_id IS NULL) EXECUTE FUNCTION convene_private.place_in_organization();
CREATE TRIGGER attendees_keep_event BEFORE UPDATE ON convene.attendees
    FOR EACH ROW WHEN (OLD.event_id IS DISTINCT FROM NEW.event_id)
    EXECUTE FUNCTION convene_private.refuse_change('event_id');
CREATE TRIGGER attendees_touch BEFORE UPDATE ON convene.attendees
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

CREATE TABLE convene.event_materials (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    event_id uuid NOT NULL,
    event_public boolean NOT NULL DEFAULT false,
    session_id uuid,
    uploaded_by uuid REFERENCES convene.users ON DELETE SET NULL,
    title text NOT NULL CHECK (title <> ''),
    description text,
    material_type text CHECK (material_type IN ('presentation', 'document', 'video', 'audio', 'image', 'link', 'handout')),
    file_url text,
    file_size bigint CHECK (file_size >= 0),
    file_format text,
    file_duration integer CHECK (file_duration >= 0),
    download_count integer NOT NULL DEFAULT 0 CHECK (download_count >= 0),
    access_level text NOT NULL DEFAULT 'attendees_only'
        CHECK (access_level IN ('public', 'attendees_only', 'speakers_only', 'sponsors_only', 'organizers_only')),
    requires_download boolean NOT NULL DEFAULT true,
    password_protected boolean NOT NULL DEFAULT false,
    tags text[] NOT NULL DEFAULT '{}',
    language text NOT NULL DEFAULT 'en',
    category text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (session_id, event_id) REFERENCES convene.sessions (id, event_id) ON DELETE SET NULL (session_id),
    FOREIGN KEY (event_id, event_public) REFERENCES convene.events (id, is_public) ON UPDATE CASCADE ON DELETE CASCADE
);
COMMENT ON TABLE convene.event_materials IS 'Slides, recordings and papers of an event or of one of its sessions';
COMMENT ON COLUMN convene.event_materials.event_public IS 'events.is_public, kept by a trigger and the foreign key';
COMMENT ON COLUMN convene.event_materials.file_duration IS 'Seconds, for audio and video';
COMMENT ON COLUMN convene.event_materials.access_level IS 'Staff of the organization sees every level; speakers_only and sponsors_only are staff''s for now';
CREATE INDEX idx_event_materials_event ON convene.event_materials (event_id, access_level);
CREATE INDEX idx_event_materials_session ON convene.event_materials (session_id);
CREATE INDEX idx_event_materials_uploaded_by ON convene.event_materials (uploaded_by);
CREATE TRIGGER event_materials_programme BEFORE INSERT OR UPDATE OF event_id, event_public ON convene.event_materials
    FOR EACH ROW EXECUTE FUNCTION convene_private.place_in_programme();
CREATE TRIGGER event_materials_touch BEFORE UPDATE ON convene.event_materials
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

CREATE TABLE convene.event_announcements (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    event_id uuid NOT NULL,
    event_public boolean NOT NULL DEFAULT false,
    session_id uuid,
    author_id uuid REFERENCES convene.users ON DELETE SET NULL,
    title text NOT NULL CHECK (title <> ''),
    content text NOT NULL CHECK (content <> ''),
    priority text NOT NULL DEFAULT 'normal' CHECK (priority IN ('low', 'normal', 'high', 'urgent')),
    target_audience text NOT NULL DEFAULT 'attendees'
        CHECK (target_audience IN ('all', 'attendees', 'speakers', 'sponsors', 'organizers', 'vip')),
    target_segments jsonb CHECK (jsonb_typeof(target_segments) = 'object'),
    delivery_method text[] NOT NULL DEFAULT '{in_app}'
        CHECK (delivery_method <@ ARRAY['email', 'push', 'in_app', 'sms', 'website']),
    scheduled_for timestamptz,
    sent_at timestamptz,
    status text NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'scheduled', 'sent', 'cancelled')),
    delivery_count integer NOT NULL DEFAULT 0 CHECK (delivery_count >= 0),
    open_count integer NOT NULL DEFAULT 0 CHECK (open_count >= 0),
    click_count integer NOT NULL DEFAULT 0 CHECK (click_count >= 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK (status <> 'scheduled' OR scheduled_for IS NOT NULL),
    CHECK (status <> 'sent' OR sent_at IS NOT NULL),
    FOREIGN KEY (session_id, event_id) REFERENCES convene.sessions (id, event_id) ON DELETE SET NULL (session_id),
    FOREIGN KEY (event_id, event_public) REFERENCES convene.events (id, is_public) ON UPDATE CASCADE ON DELETE CASCADE
);
COMMENT ON TABLE convene.event_announcements IS 'What the organizer tells people of an event or of one of its sessions';
COMMENT ON COLUMN convene.event_announcements.event_public IS 'events.is_public, kept by a trigger and the foreign key';
COMMENT ON COLUMN convene.event_announcements.target_audience IS 'all: whoever sees the event; staff of the organization sees every announcement';
COMMENT ON COLUMN convene.event_announcements.target_segments IS 'A narrower choice within the audience of those whom it is delivered to; not a secret to the others';
COMMENT ON COLUMN convene.event_announcements.sent_at IS 'Set when the status becomes sent';
COMMENT ON COLUMN convene.event_announcements.delivery_count IS 'Counted by functions, as are open_count and click_count';
CREATE INDEX idx_event_announcements_event ON convene.event_announcements (event_id, status, target_audience);
CREATE INDEX idx_event_announcements_session ON convene.event_announcements (session_id);
CREATE INDEX idx_event_announcements_author ON convene.event_announcements (author_id);
CREATE INDEX idx_event_announcements_scheduled ON convene.event_announcements (scheduled_for) WHERE status = 'scheduled';
CREATE TRIGGER event_announcements_programme BEFORE INSERT OR UPDATE OF event_id, event_public ON convene.event_announcements
    FOR EACH ROW EXECUTE FUNCTION convene_private.place_in_programme();
CREATE TRIGGER event_announcements_touch BEFORE UPDATE ON convene.event_announcements
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

CREATE FUNCTION convene_private.stamp_announcement() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.sent_at := now();
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.stamp_announcement() IS 'Notes when an announcement was sent';
CREATE TRIGGER event_announcements_stamp BEFORE INSERT OR UPDATE ON convene.event_announcements
    FOR EACH ROW WHEN (NEW.status = 'sent' AND NEW.sent_at IS NULL)
    EXECUTE FUNCTION convene_private.stamp_announcement();

CREATE TABLE convene.event_feedback (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    event_id uuid NOT NULL REFERENCES convene.events ON DELETE CASCADE,
    session_id uuid,
    attendee_id uuid NOT NULL,
    overall_rating integer CHECK (overall_rating BETWEEN 1 AND 5),
    content_rating integer CHECK (content_rating BETWEEN 1 AND 5),
    speaker_rating integer CHECK (speaker_rating BETWEEN 1 AND 5),
    venue_rating integer CHECK (venue_rating BETWEEN 1 AND 5),
    organization_rating integer CHECK (organization_rating BETWEEN 1 AND 5),
    value_rating integer CHECK (value_rating BETWEEN 1 AND 5),
    comments text,
    suggestions text,
    best_aspects text,
    improvement_areas text,
    would_recommend boolean,
    would_attend_again boolean,
    session_rating integer CHECK (session_rating BETWEEN 1 AND 5),
    session_comments text,
    is_anonymous boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE NULLS NOT DISTINCT (attendee_id, session_id),
    FOREIGN KEY (attendee_id, event_id) REFERENCES convene.attendees (id, event_id) ON DELETE CASCADE,
    FOREIGN KEY (session_id, event_id) REFERENCES convene.sessions (id, event_id) ON DELETE CASCADE
);
COMMENT ON TABLE convene.event_feedback IS 'What attendees say about an event or a session, once about each. Anonymous rows are read by their author alone: staff gets them as means and counts over several people, without row, id or time, and nothing else may note when or by whom one was given';
COMMENT ON COLUMN convene.event_feedback.session_id IS 'Null: about the event as a whole';
COMMENT ON COLUMN convene.event_feedback.is_anonymous IS 'Staff does not see the row at all, because attendee and time would tell whose it is';
CREATE INDEX idx_event_feedback_event ON convene.event_feedback (event_id, is_anonymous);
CREATE INDEX idx_event_feedback_session ON convene.event_feedback (session_id);
CREATE TRIGGER event_feedback_touch BEFORE UPDATE ON convene.event_feedback
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

CREATE TABLE convene.event_analytics (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    event_id uuid NOT NULL REFERENCES convene.events ON DELETE CASCADE,
    session_id uuid,
    metric_name text NOT NULL CHECK (metric_name <> ''),
    metric_value numeric(20,4) CHECK (metric_value <> 'NaN'),
    metric_unit text,
    measurement_time timestamptz NOT NULL DEFAULT now(),
    data_source text,
    dimension_1 text,
    dimension_2 text,
    dimension_3 text,
    raw_data jsonb,
    calculation_method text,
    calculation_period text,
    created_at timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (session_id, event_id) REFERENCES convene.sessions (id, event_id) ON DELETE CASCADE
);
COMMENT ON TABLE convene.event_analytics IS 'Measured values of an event over time, for those whose role permits analytics';
COMMENT ON COLUMN convene.event_analytics.data_source IS 'Where the number comes from: registration, check_in, feedback, engagement, revenue and the like';
COMMENT ON COLUMN convene.event_analytics.dimension_1 IS 'What it is broken down by, as are the other two: an industry, a ticket type';
COMMENT ON COLUMN convene.event_analytics.calculation_period IS 'What the value covers: hourly, daily, total, average and the like';
CREATE INDEX idx_event_analytics_event ON convene.event_analytics (event_id, metric_name, measurement_time);
CREATE INDEX idx_event_analytics_session ON convene.event_analytics (session_id);

-- The caller's ids. Definer all of them: the policies of the tables they read are built on them.

CREATE FUNCTION convene_private.my_attendee_ids() RETURNS SETOF uuid
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT a.id FROM convene.attendees a WHERE a.profile_id = (SELECT convene_private.my_profile_id());
END $$;
COMMENT ON FUNCTION convene_private.my_attendee_ids() IS 'The caller''s attendee rows, one per event';

CREATE FUNCTION convene_private.my_attended_event_ids() RETURNS SETOF uuid
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT a.event_id FROM convene.attendees a
    WHERE a.profile_id = (SELECT convene_private.my_profile_id()) AND a.status <> 'cancelled';
END $$;
COMMENT ON FUNCTION convene_private.my_attended_event_ids() IS 'Events the caller has a standing registration for';

CREATE FUNCTION convene_private.my_managed_event_ids() RETURNS SETOF uuid
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT e.id FROM convene.events e
    WHERE e.organization_id = ANY (ARRAY(SELECT convene_private.my_managed_organization_ids()));
END $$;
COMMENT ON FUNCTION convene_private.my_managed_event_ids() IS 'Events the caller manages';

CREATE FUNCTION convene_private.my_staffed_event_ids() RETURNS SETOF uuid
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT e.id FROM convene.events e
    WHERE e.organization_id = ANY (ARRAY(SELECT convene_private.my_organization_ids()));
END $$;
COMMENT ON FUNCTION convene_private.my_staffed_event_ids() IS 'Events of the caller''s organizations, in whatever role: for reading';

CREATE FUNCTION convene_private.my_analysed_event_ids() RETURNS SETOF uuid
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT e.id FROM convene.events e
    WHERE e.organization_id = ANY (ARRAY(SELECT convene_private.my_permitted_organization_ids('analytics', 'read')));
END $$;
COMMENT ON FUNCTION convene_private.my_analysed_event_ids() IS 'Events whose analytics the caller may read';

CREATE FUNCTION convene_private.my_venue_ids() RETURNS SETOF uuid
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    attended uuid[] := ARRAY(SELECT convene_private.my_attended_event_ids());
    organizations uuid[] := ARRAY(SELECT convene_private.my_organization_ids());
BEGIN
    RETURN QUERY
    SELECT v.id FROM convene.venues v WHERE v.organization_id = ANY (organizations)
    UNION SELECT e.venue_id FROM convene.events e
    WHERE e.venue_id IS NOT NULL AND (e.id = ANY (attended) OR e.organization_id = ANY (organizations))
    UNION SELECT s.venue_id FROM convene.sessions s WHERE s.venue_id IS NOT NULL AND s.event_id = ANY (attended)
    UNION SELECT s.venue_id FROM convene.sessions s JOIN convene.events e ON e.id = s.event_id
    WHERE s.venue_id IS NOT NULL AND e.organization_id = ANY (organizations);
END $$;
COMMENT ON FUNCTION convene_private.my_venue_ids() IS 'Venues of the caller''s organizations, and of what these organize and the caller attends';

CREATE FUNCTION convene_private.public_venue_ids() RETURNS SETOF uuid
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT v.id FROM convene.venues v WHERE v.is_public;
END $$;
COMMENT ON FUNCTION convene_private.public_venue_ids() IS 'Venues that everybody sees';

-- Policies. Where the caller can make the row, its organization is an arm of SELECT as well: the id of a row that this
-- very statement inserts is in no list yet, and INSERT ... RETURNING has to find it. A list is made when the first row asks for
-- it, so arms that ask for none come first: for what is public no list is ever made.

ALTER TABLE convene.venues ENABLE ROW LEVEL SECURITY;
CREATE POLICY venues_select ON convene.venues FOR SELECT
    USING (is_public
           OR organization_id = ANY (ARRAY(SELECT convene_private.my_organization_ids()))
           OR id = ANY (ARRAY(SELECT convene_private.my_venue_ids())));
CREATE POLICY venues_insert ON convene.venues FOR INSERT
    WITH CHECK (organization_id = ANY (ARRAY(SELECT convene_private.my_managed_organization_ids())));
CREATE POLICY venues_update ON convene.venues FOR UPDATE
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_managed_organization_ids())));
CREATE POLICY venues_delete ON convene.venues FOR DELETE
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_managed_organization_ids())));

-- A venue is public with the event that names it, so nobody may name one they cannot see.
ALTER TABLE convene.events ENABLE ROW LEVEL SECURITY;
CREATE POLICY events_select ON convene.events FOR SELECT
    USING (is_public
           OR organization_id = ANY (ARRAY(SELECT convene_private.my_organization_ids()))
           OR id = ANY (ARRAY(SELECT convene_private.my_attended_event_ids())));
CREATE POLICY events_insert ON convene.events FOR INSERT
    WITH CHECK (organization_id = ANY (ARRAY(SELECT convene_private.my_managed_organization_ids()))
                AND (venue_id IS NULL OR venue_id = ANY (ARRAY(SELECT convene_private.my_venue_ids()))
                     OR venue_id = ANY (ARRAY(SELECT convene_private.public_venue_ids()))));
CREATE POLICY events_update ON convene.events FOR UPDATE
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_managed_organization_ids())))
    WITH CHECK (organization_id = ANY (ARRAY(SELECT convene_private.my_managed_organization_ids()))
                AND (venue_id IS NULL OR venue_id = ANY (ARRAY(SELECT convene_private.my_venue_ids()))
                     OR venue_id = ANY (ARRAY(SELECT convene_private.public_venue_ids()))));
CREATE POLICY events_delete ON convene.events FOR DELETE
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_managed_organization_ids())));

-- Whoever gives up a venue locks it before they look who else names it, and whoever names it keeps it from being given up.
CREATE FUNCTION convene_private.venue_is_public(p_venue_id uuid) RETURNS boolean
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN EXISTS (SELECT FROM convene.events e WHERE e.venue_id = p_venue_id AND e.is_public)
        OR EXISTS (SELECT FROM convene.sessions s WHERE s.venue_id = p_venue_id AND s.event_public);
END $$;
COMMENT ON FUNCTION convene_private.venue_is_public(uuid) IS 'Whether a public event or a session of one names the venue';

CREATE FUNCTION convene_private.note_venue() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP <> 'INSERT' AND OLD.venue_id IS NOT NULL THEN
        PERFORM FROM convene.venues v WHERE v.id = OLD.venue_id AND v.is_public FOR NO KEY UPDATE;
        UPDATE convene.venues v SET is_public = false
        WHERE FOUND AND v.id = OLD.venue_id AND NOT convene_private.venue_is_public(v.id);
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.venue_id IS NOT NULL THEN
        PERFORM FROM convene.venues v WHERE v.id = NEW.venue_id AND v.is_public FOR SHARE;
        IF NOT FOUND AND convene_private.venue_is_public(NEW.venue_id) THEN
            UPDATE convene.venues v SET is_public = true WHERE v.id = NEW.venue_id;
        END IF;
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION convene_private.note_venue() IS 'Keeps venues.is_public';
CREATE TRIGGER events_venue_named AFTER INSERT ON convene.events
    FOR EACH ROW WHEN (NEW.venue_id IS NOT NULL) EXECUTE FUNCTION convene_private.note_venue();
CREATE TRIGGER events_venue_changed AFTER UPDATE ON convene.events
    FOR EACH ROW WHEN (OLD.venue_id IS DISTINCT FROM NEW.venue_id OR OLD.is_public <> NEW.is_public)
    EXECUTE FUNCTION convene_private.note_venue();
CREATE TRIGGER events_venue_left AFTER DELETE ON convene.events
    FOR EACH ROW WHEN (OLD.venue_id IS NOT NULL) EXECUTE FUNCTION convene_private.note_venue();
CREATE TRIGGER sessions_venue_named AFTER INSERT ON convene.sessions
    FOR EACH ROW WHEN (NEW.venue_id IS NOT NULL) EXECUTE FUNCTION convene_private.note_venue();
CREATE TRIGGER sessions_venue_changed AFTER UPDATE ON convene.sessions
    FOR EACH ROW WHEN (OLD.venue_id IS DISTINCT FROM NEW.venue_id OR OLD.event_public <> NEW.event_public)
    EXECUTE FUNCTION convene_private.note_venue();
CREATE TRIGGER sessions_venue_left AFTER DELETE ON convene.sessions
    FOR EACH ROW WHEN (OLD.venue_id IS NOT NULL) EXECUTE FUNCTION convene_private.note_venue();

CREATE FUNCTION convene_private.place_venue() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.is_public := convene_private.venue_is_public(NEW.id);
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.place_venue() IS 'Fills in whether a venue is public';
CREATE TRIGGER venues_public BEFORE INSERT OR UPDATE OF id, is_public ON convene.venues
    FOR EACH ROW EXECUTE FUNCTION convene_private.place_venue();

ALTER TABLE convene.speakers ENABLE ROW LEVEL SECURITY;
CREATE POLICY speakers_select ON convene.speakers FOR SELECT
    USING (event_public
           OR event_id = ANY (ARRAY(SELECT convene_private.my_attended_event_ids()))
           OR event_id = ANY (ARRAY(SELECT convene_private.my_staffed_event_ids())));
CREATE POLICY speakers_insert ON convene.speakers FOR INSERT
    WITH CHECK (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())));
CREATE POLICY speakers_update ON convene.speakers FOR UPDATE
    USING (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())));
CREATE POLICY speakers_delete ON convene.speakers FOR DELETE
    USING (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())));

ALTER TABLE convene.sessions ENABLE ROW LEVEL SECURITY;
CREATE POLICY sessions_select ON convene.sessions FOR SELECT
    USING (event_public
           OR event_id = ANY (ARRAY(SELECT convene_private.my_attended_event_ids()))
           OR event_id = ANY (ARRAY(SELECT convene_private.my_staffed_event_ids())));
CREATE POLICY sessions_insert ON convene.sessions FOR INSERT
    WITH CHECK (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids()))
                AND (venue_id IS NULL OR venue_id = ANY (ARRAY(SELECT convene_private.my_venue_ids()))
                     OR venue_id = ANY (ARRAY(SELECT convene_private.public_venue_ids()))));
CREATE POLICY sessions_update ON convene.sessions FOR UPDATE
    USING (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())))
    WITH CHECK (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids()))
                AND (venue_id IS NULL OR venue_id = ANY (ARRAY(SELECT convene_private.my_venue_ids()))
                     OR venue_id = ANY (ARRAY(SELECT convene_private.public_venue_ids()))));
CREATE POLICY sessions_delete ON convene.sessions FOR DELETE
    USING (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())));

ALTER TABLE convene.attendees ENABLE ROW LEVEL SECURITY;
CREATE POLICY attendees_select ON convene.attendees FOR SELECT
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_organization_ids()))
           OR profile_id = ANY (ARRAY(SELECT convene_private.my_profile_id())));
CREATE POLICY attendees_insert ON convene.attendees FOR INSERT
    WITH CHECK (organization_id = ANY (ARRAY(SELECT convene_private.my_managed_organization_ids())));
CREATE POLICY attendees_update ON convene.attendees FOR UPDATE
    USING (profile_id = ANY (ARRAY(SELECT convene_private.my_profile_id()))
           OR organization_id = ANY (ARRAY(SELECT convene_private.my_managed_organization_ids())));

-- Who may change a row and who may change a column of it are two questions; grants answer the second for roles only.
-- Definer: the caller may not name what is in convene_private. That it is no service is for the trigger to see, as the caller.
CREATE FUNCTION convene_private.guard_attendee() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.sponsor_consent IS DISTINCT FROM OLD.sponsor_consent
       AND OLD.profile_id IS DISTINCT FROM convene_private.my_profile_id() THEN
        RAISE EXCEPTION 'only the attendee may change sponsor_consent'
            USING ERRCODE = '42501', HINT = 'Ask the attendee to give or withdraw it.';
    END IF;
    IF (NEW.status, NEW.email) IS DISTINCT FROM (OLD.status, OLD.email)
       AND NEW.organization_id <> ALL (ARRAY(SELECT convene_private.my_managed_organization_ids())) THEN
        RAISE EXCEPTION 'only an organizer of the event may change status and email of an attendee'
            USING ERRCODE = '42501', HINT = 'Ask the organizer of the event.';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.guard_attendee() IS 'Consent is the attendee''s to give; status and email are the organizer''s';
CREATE TRIGGER attendees_guard BEFORE UPDATE ON convene.attendees
    FOR EACH ROW WHEN (row_security_active('convene.attendees'::regclass) AND
                       (OLD.sponsor_consent IS DISTINCT FROM NEW.sponsor_consent
                        OR OLD.status IS DISTINCT FROM NEW.status OR OLD.email IS DISTINCT FROM NEW.email))
    EXECUTE FUNCTION convene_private.guard_attendee();

ALTER TABLE convene.event_materials ENABLE ROW LEVEL SECURITY;
CREATE POLICY event_materials_select ON convene.event_materials FOR SELECT
    USING ((access_level = 'public' AND event_public)
           OR (access_level IN ('public', 'attendees_only') AND event_id = ANY (ARRAY(SELECT convene_private.my_attended_event_ids())))
           OR event_id = ANY (ARRAY(SELECT convene_private.my_staffed_event_ids())));
CREATE POLICY event_materials_insert ON convene.event_materials FOR INSERT
    WITH CHECK (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())));
CREATE POLICY event_materials_update ON convene.event_materials FOR UPDATE
    USING (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())));
CREATE POLICY event_materials_delete ON convene.event_materials FOR DELETE
    USING (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())));

ALTER TABLE convene.event_announcements ENABLE ROW LEVEL SECURITY;
CREATE POLICY event_announcements_select ON convene.event_announcements FOR SELECT
    USING ((status = 'sent' AND target_audience = 'all' AND event_public)
           OR (status = 'sent' AND target_audience IN ('all', 'attendees')
               AND event_id = ANY (ARRAY(SELECT convene_private.my_attended_event_ids())))
           OR event_id = ANY (ARRAY(SELECT convene_private.my_staffed_event_ids())));
CREATE POLICY event_announcements_insert ON convene.event_announcements FOR INSERT
    WITH CHECK (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())));
CREATE POLICY event_announcements_update ON convene.event_announcements FOR UPDATE
    USING (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())));
CREATE POLICY event_announcements_delete ON convene.event_announcements FOR DELETE
    USING (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())));

ALTER TABLE convene.event_feedback ENABLE ROW LEVEL SECURITY;
CREATE POLICY event_feedback_select ON convene.event_feedback FOR SELECT
    USING (attendee_id = ANY (ARRAY(SELECT convene_private.my_attendee_ids()))
           OR (NOT is_anonymous AND event_id = ANY (ARRAY(SELECT convene_private.my_staffed_event_ids()))));
CREATE POLICY event_feedback_insert ON convene.event_feedback FOR INSERT
    WITH CHECK (attendee_id = ANY (ARRAY(SELECT convene_private.my_attendee_ids())));
CREATE POLICY event_feedback_update ON convene.event_feedback FOR UPDATE
    USING (attendee_id = ANY (ARRAY(SELECT convene_private.my_attendee_ids())));

ALTER TABLE convene.event_analytics ENABLE ROW LEVEL SECURITY;
CREATE POLICY event_analytics_select ON convene.event_analytics FOR SELECT
    USING (event_id = ANY (ARRAY(SELECT convene_private.my_analysed_event_ids())));

CREATE POLICY scoring_weights_select ON convene.scoring_weights FOR SELECT
    USING (event_id = ANY (ARRAY(SELECT convene_private.my_staffed_event_ids())));

CREATE POLICY person_reports_select ON convene.person_reports FOR SELECT
    USING (reporter_profile = ANY (ARRAY(SELECT convene_private.my_profile_id()))
           OR event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())));
CREATE POLICY person_reports_insert ON convene.person_reports FOR INSERT
    WITH CHECK (reporter_profile = ANY (ARRAY(SELECT convene_private.my_profile_id()))
                AND event_id = ANY (ARRAY(SELECT convene_private.my_attended_event_ids())));
CREATE POLICY person_reports_update ON convene.person_reports FOR UPDATE
    USING (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())));
