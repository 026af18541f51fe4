-- Who should meet whom, and when they do. A meeting is booked by triggers, so that no statement, whoever runs it, gives
-- a person or a place two meetings at once. Locks are taken in this order: the meeting, its match, the attendees
-- (against a change of person), the people by id, places. What locks a match and then a meeting may meet a deadlock.

CREATE TABLE convene.networking_preferences (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    attendee_id uuid NOT NULL,
    event_id uuid NOT NULL REFERENCES convene.events ON DELETE CASCADE,
    -- Everybody's words are read for everybody's suggestions, so they have an end.
    looking_for text[] NOT NULL DEFAULT '{}'
        CHECK (cardinality(looking_for) <= 200 AND array_position(looking_for, NULL) IS NULL
               AND octet_length(array_to_string(looking_for, '')) <= 100000),
    can_offer text[] NOT NULL DEFAULT '{}'
        CHECK (cardinality(can_offer) <= 200 AND array_position(can_offer, NULL) IS NULL
               AND octet_length(array_to_string(can_offer, '')) <= 100000),
    industry text CHECK (octet_length(industry) <= 1000),
    company_stage text CHECK (company_stage IN ('idea', 'startup', 'growth', 'enterprise')),
    role_category text
        CHECK (role_category IN ('founder', 'executive', 'manager', 'individual_contributor', 'investor', 'other')),
    years_experience integer CHECK (years_experience >= 0),
    prefer_same_industry boolean NOT NULL DEFAULT false,
    prefer_complementary_skills boolean NOT NULL DEFAULT true,
    meeting_duration_preference integer NOT NULL DEFAULT 15 CHECK (meeting_duration_preference > 0),
    max_meetings_per_day integer NOT NULL DEFAULT 5 CHECK (max_meetings_per_day >= 0),
    availability_slots jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(availability_slots) = 'array'),
    networking_enabled boolean NOT NULL DEFAULT true,
    auto_accept_matches boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (attendee_id, event_id),
    FOREIGN KEY (attendee_id, event_id) REFERENCES convene.attendees (id, event_id) ON DELETE CASCADE
);
COMMENT ON TABLE convene.networking_preferences IS 'Whom an attendee wants to meet at an event, what they offer, and when they have time';
COMMENT ON COLUMN convene.networking_preferences.looking_for IS 'Words for what is sought; goal_complements tells which offers meet them';
COMMENT ON COLUMN convene.networking_preferences.prefer_same_industry IS 'True: the same industry counts for a match; false: a different one does';
COMMENT ON COLUMN convene.networking_preferences.prefer_complementary_skills IS 'People of another role, with complementary goals, count for a match';
COMMENT ON COLUMN convene.networking_preferences.meeting_duration_preference IS 'Minutes';
COMMENT ON COLUMN convene.networking_preferences.max_meetings_per_day IS 'Bookings of this event''s meetings stop when the person''s local day has so many; those that are there stay';
COMMENT ON COLUMN convene.networking_preferences.availability_slots IS '[{"date": "2025-11-15", "start": "14:00", "end": "15:00"}] in the event''s time zone; an end before the start is on the next day. Empty: always';
COMMENT ON COLUMN convene.networking_preferences.networking_enabled IS 'False: never suggested to anybody';
COMMENT ON COLUMN convene.networking_preferences.auto_accept_matches IS 'Matches that the other side accepts are accepted on this side as well';
CREATE INDEX idx_networking_preferences_event ON convene.networking_preferences (event_id);
CREATE INDEX idx_networking_preferences_looking_for ON convene.networking_preferences USING gin (looking_for);
CREATE INDEX idx_networking_preferences_can_offer ON convene.networking_preferences USING gin (can_offer);
CREATE TRIGGER networking_preferences_keep_attendee BEFORE UPDATE ON convene.networking_preferences
    FOR EACH ROW WHEN (OLD.attendee_id IS DISTINCT FROM NEW.attendee_id)
    EXECUTE FUNCTION convene_private.refuse_change('attendee_id');
CREATE TRIGGER networking_preferences_touch BEFORE UPDATE ON convene.networking_preferences
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

CREATE TABLE convene.goal_complements (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    event_id uuid,
    event_public boolean NOT NULL DEFAULT false,
    looking_for text NOT NULL CHECK (looking_for <> '' AND looking_for = lower(btrim(looking_for))),
    can_offer text NOT NULL CHECK (can_offer <> '' AND can_offer = lower(btrim(can_offer))),
    strength numeric(4,3) NOT NULL DEFAULT 1 CHECK (strength BETWEEN 0 AND 1),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE NULLS NOT DISTINCT (event_id, looking_for, can_offer),
    FOREIGN KEY (event_id, event_public) REFERENCES convene.events (id, is_public) ON UPDATE CASCADE ON DELETE CASCADE
);
COMMENT ON TABLE convene.goal_complements IS 'Which offer meets which want; equal words always meet';
COMMENT ON COLUMN convene.goal_complements.event_public IS 'events.is_public, kept by a trigger and the foreign key';
COMMENT ON COLUMN convene.goal_complements.event_id IS 'Null: for every event that has no row of its own for the two words';
COMMENT ON COLUMN convene.goal_complements.looking_for IS 'In lower case, as is can_offer; the words of people are compared in lower case';
COMMENT ON COLUMN convene.goal_complements.strength IS '1: meets it fully; 0: does not, which takes a pair of the general list out for an event';
CREATE TRIGGER goal_complements_programme BEFORE INSERT OR UPDATE OF event_id, event_public ON convene.goal_complements
    FOR EACH ROW EXECUTE FUNCTION convene_private.place_in_programme();
CREATE TRIGGER goal_complements_touch BEFORE UPDATE ON convene.goal_complements
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

INSERT INTO convene.goal_complements (looking_for, can_offer, strength) VALUES
    ('investors', 'investment', 1), ('investors', 'connections', 0.4),
    ('mentors', 'expertise', 1), ('mentors', 'connections', 0.4),
    ('partners', 'opportunities', 1), ('partners', 'connections', 0.8),
    ('customers', 'opportunities', 1), ('customers', 'connections', 0.6),
    ('talent', 'expertise', 1), ('talent', 'connections', 0.6);

CREATE TABLE convene.matches (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    event_id uuid NOT NULL REFERENCES convene.events ON DELETE CASCADE,
    attendee_1_id uuid NOT NULL,
    attendee_2_id uuid NOT NULL,
    compatibility_score numeric(5,4) NOT NULL CHECK (compatibility_score BETWEEN 0 AND 1),
    score_1 numeric(5,4) CHECK (score_1 BETWEEN 0 AND 1),
    score_2 numeric(5,4) CHECK (score_2 BETWEEN 0 AND 1),
    coverage numeric(5,4) CHECK (coverage BETWEEN 0 AND 1),
    score_parts jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(score_parts) = 'object'),
    matching_algorithm text NOT NULL CHECK (matching_algorithm IN ('interest_based', 'goal_based', 'graph_based', 'hybrid')),
    match_reasons jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(match_reasons) = 'array'),
    status text NOT NULL DEFAULT 'suggested'
        CHECK (status IN ('suggested', 'accepted_by_1', 'accepted_by_2', 'mutual_accepted', 'declined', 'expired')),
    suggested_at timestamptz NOT NULL DEFAULT now(),
    times_suggested integer NOT NULL DEFAULT 1 CHECK (times_suggested BETWEEN 1 AND 3),
    accepted_at timestamptz,
    declined_at timestamptz,
    declined_by uuid CHECK (declined_by IN (attendee_1_id, attendee_2_id)),
    expires_at timestamptz NOT NULL DEFAULT now() + interval '48 hours',
    meeting_scheduled boolean NOT NULL DEFAULT false,
    meeting_id uuid,
    feedback_1 jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(feedback_1) = 'object'),
    feedback_2 jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(feedback_2) = 'object'),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (event_id, attendee_1_id, attendee_2_id),
    UNIQUE (id, event_id),
    CHECK (attendee_1_id < attendee_2_id),
    CHECK (declined_by IS NULL OR status = 'declined'),
    FOREIGN KEY (attendee_1_id, event_id) REFERENCES convene.attendees (id, event_id) ON DELETE CASCADE,
    FOREIGN KEY (attendee_2_id, event_id) REFERENCES convene.attendees (id, event_id) ON DELETE CASCADE
) WITH (fillfactor = 85);
COMMENT ON TABLE convene.matches IS 'Pairs of attendees suggested to each other, one row per unordered pair and event';
COMMENT ON COLUMN convene.matches.compatibility_score IS '0 to 1; the harmonic mean of score_1 and score_2 where both are known';
COMMENT ON COLUMN convene.matches.score_1 IS 'What the match is worth to attendee_1';
COMMENT ON COLUMN convene.matches.score_2 IS 'What the match is worth to attendee_2';
COMMENT ON COLUMN convene.matches.coverage IS 'Share of the weights for which something was known of both; null: not reported';
COMMENT ON COLUMN convene.matches.match_reasons IS 'Sentences that are true of this pair, best first';
COMMENT ON COLUMN convene.matches.status IS 'declined is final; expired may be suggested again';
COMMENT ON COLUMN convene.matches.times_suggested IS 'Counted by a trigger: once, and at most twice more after it expired';
COMMENT ON COLUMN convene.matches.accepted_at IS 'When the second side accepted';
COMMENT ON COLUMN convene.matches.declined_by IS 'Null: neither of the two themselves. Not for the other side to read';
COMMENT ON COLUMN convene.matches.meeting_scheduled IS 'Kept by triggers: meeting_id is more than a proposal';
COMMENT ON COLUMN convene.matches.meeting_id IS 'Kept by triggers: the newest meeting of this match that was not cancelled, an agreed one before a proposal. No foreign key, which would close a circle with meetings.match_id';
COMMENT ON COLUMN convene.matches.feedback_1 IS 'Rating and comments of attendee_1, for them alone; feedback_2 likewise';
CREATE INDEX idx_matches_attendee_1 ON convene.matches (attendee_1_id, status);
CREATE INDEX idx_matches_attendee_2 ON convene.matches (attendee_2_id, status);
CREATE INDEX idx_matches_status ON convene.matches (status, expires_at);
CREATE INDEX idx_matches_score ON convene.matches (compatibility_score DESC);
CREATE INDEX idx_matches_suggested_at ON convene.matches (suggested_at DESC);
CREATE TRIGGER matches_keep_people BEFORE UPDATE ON convene.matches
    FOR EACH ROW WHEN (OLD.attendee_1_id IS DISTINCT FROM NEW.attendee_1_id
                       OR OLD.attendee_2_id IS DISTINCT FROM NEW.attendee_2_id)
    EXECUTE FUNCTION convene_private.refuse_change('attendee_1_id and attendee_2_id');
CREATE TRIGGER matches_touch BEFORE UPDATE ON convene.matches
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

CREATE TABLE convene.meetings (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    event_id uuid NOT NULL REFERENCES convene.events ON DELETE CASCADE,
    match_id uuid,
    attendee_1_id uuid NOT NULL,
    attendee_2_id uuid NOT NULL,
    title text NOT NULL CHECK (title <> ''),
    meeting_type text NOT NULL DEFAULT 'networking' CHECK (meeting_type IN ('networking', 'business', 'mentorship', 'casual')),
    scheduled_start timestamptz NOT NULL,
    scheduled_end timestamptz NOT NULL,
    duration_minutes integer GENERATED ALWAYS AS ((EXTRACT(epoch FROM scheduled_end - scheduled_start) / 60)::integer) STORED,
    location_type text NOT NULL DEFAULT 'virtual' CHECK (location_type IN ('virtual', 'onsite', 'hybrid')),
    location_details jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(location_details) = 'object'),
    place text GENERATED ALWAYS AS (
        CASE WHEN location_type <> 'virtual'
             THEN nullif(lower(btrim(btrim(coalesce(location_details ->> 'room', '')) || ' / '
                                     || btrim(coalesce(location_details ->> 'table', '')), ' /')), '')
        END) STORED,
    status text NOT NULL DEFAULT 'scheduled'
        CHECK (status IN ('proposed', 'scheduled', 'confirmed', 'in_progress', 'completed', 'cancelled', 'no_show')),
    proposed_by uuid CHECK (proposed_by IN (attendee_1_id, attendee_2_id)),
    expires_at timestamptz,
    reminder_sent_1 boolean NOT NULL DEFAULT false,
    reminder_sent_2 boolean NOT NULL DEFAULT false,
    completed_at timestamptz,
    cancelled_at timestamptz,
    cancelled_by uuid CHECK (cancelled_by IN (attendee_1_id, attendee_2_id)),
    feedback_1 jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(feedback_1) = 'object'),
    feedback_2 jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(feedback_2) = 'object'),
    follow_up_requested_1 boolean NOT NULL DEFAULT false,
    follow_up_requested_2 boolean NOT NULL DEFAULT false,
    notes_1 text,
    notes_2 text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (id, event_id),
    CHECK (scheduled_end > scheduled_start),
    CHECK (attendee_1_id <> attendee_2_id),
    CHECK (status <> 'proposed' OR (proposed_by IS NOT NULL AND expires_at IS NOT NULL)),
    FOREIGN KEY (match_id, event_id) REFERENCES convene.matches (id, event_id) ON DELETE SET NULL (match_id),
    FOREIGN KEY (attendee_1_id, event_id) REFERENCES convene.attendees (id, event_id) ON DELETE CASCADE,
    FOREIGN KEY (attendee_2_id, event_id) REFERENCES convene.attendees (id, event_id) ON DELETE CASCADE
) WITH (fillfactor = 85);
COMMENT ON TABLE convene.meetings IS 'Meetings of two attendees; each writes its bookings, which keep people and places from having two at once';
COMMENT ON COLUMN convene.meetings.location_details IS '{"room": "Hall A", "table": "5"} or {"link": ...}; room and table are a place that holds one meeting at a time';
COMMENT ON COLUMN convene.meetings.place IS 'Room and table in lower case; null: nothing that could be taken';
COMMENT ON COLUMN convene.meetings.status IS 'proposed: takes the time of the proposer only, until expires_at; scheduled, confirmed, in_progress: takes the time of both and the place; completed: still counts for the day';
COMMENT ON COLUMN convene.meetings.proposed_by IS 'Whose proposal it is or was; filled in with attendee_1 where a proposal names nobody';
COMMENT ON COLUMN convene.meetings.expires_at IS 'End of a proposal; means nothing once it is confirmed. Filled in: in 48 hours, at the latest when it would begin';
COMMENT ON COLUMN convene.meetings.cancelled_by IS 'Who called it off; null: nobody did, it ended with its match, or it was neither of the two';
COMMENT ON COLUMN convene.meetings.notes_1 IS 'Private to attendee_1, as feedback_1 is; the others with a number likewise';
CREATE INDEX idx_meetings_event ON convene.meetings (event_id, scheduled_start);
CREATE INDEX idx_meetings_match ON convene.meetings (match_id);
CREATE INDEX idx_meetings_attendee_1 ON convene.meetings (attendee_1_id);
CREATE INDEX idx_meetings_attendee_2 ON convene.meetings (attendee_2_id);
CREATE INDEX idx_meetings_scheduled_start ON convene.meetings (scheduled_start);
CREATE INDEX idx_meetings_status ON convene.meetings (status, scheduled_start);
CREATE TRIGGER meetings_keep_event BEFORE UPDATE ON convene.meetings
    FOR EACH ROW WHEN (OLD.event_id IS DISTINCT FROM NEW.event_id)
    EXECUTE FUNCTION convene_private.refuse_change('event_id');
CREATE TRIGGER meetings_touch BEFORE UPDATE ON convene.meetings
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

CREATE TABLE convene.meeting_bookings (
    meeting_id uuid NOT NULL,
    attendee_id uuid NOT NULL,
    event_id uuid NOT NULL REFERENCES convene.events ON DELETE CASCADE,
    person_id uuid NOT NULL,
    during tstzrange NOT NULL CHECK (NOT isempty(during) AND lower_inc(during) AND NOT upper_inc(during)),
    day date NOT NULL,
    active boolean NOT NULL,
    held_until timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (meeting_id, attendee_id),
    FOREIGN KEY (meeting_id, event_id) REFERENCES convene.meetings (id, event_id) ON DELETE CASCADE,
    FOREIGN KEY (attendee_id, event_id) REFERENCES convene.attendees (id, event_id) ON DELETE CASCADE,
    CONSTRAINT meeting_bookings_one_at_a_time EXCLUDE USING gist (person_id WITH =, during WITH &&) WHERE (active)
) WITH (fillfactor = 70);
COMMENT ON TABLE convene.meeting_bookings IS 'The time that meetings take of people, written by triggers from meetings; nobody has two at once, whatever the event';
COMMENT ON COLUMN convene.meeting_bookings.person_id IS 'The attendee''s profile, or the attendee where none is known; follows the attendee';
COMMENT ON COLUMN convene.meeting_bookings.during IS 'From start to end; what begins when another ends does not overlap it';
COMMENT ON COLUMN convene.meeting_bookings.day IS 'The day on which it begins, in the event''s time zone';
COMMENT ON COLUMN convene.meeting_bookings.active IS 'False: over, so that it counts for the day but takes no more time';
COMMENT ON COLUMN convene.meeting_bookings.held_until IS 'Of a proposal: after this the row means nothing, and the person''s next booking removes it. Null: a meeting';
CREATE INDEX idx_meeting_bookings_attendee ON convene.meeting_bookings (attendee_id);
CREATE INDEX idx_meeting_bookings_event ON convene.meeting_bookings (event_id);
CREATE INDEX idx_meeting_bookings_ends ON convene.meeting_bookings (person_id, upper(during)) WHERE active;
CREATE INDEX idx_meeting_bookings_held ON convene.meeting_bookings (person_id, held_until) WHERE held_until IS NOT NULL;

CREATE TABLE convene.meeting_places (
    meeting_id uuid PRIMARY KEY,
    event_id uuid NOT NULL REFERENCES convene.events ON DELETE CASCADE,
    place text NOT NULL CHECK (place <> ''),
    during tstzrange NOT NULL CHECK (NOT isempty(during) AND lower_inc(during) AND NOT upper_inc(during)),
    created_at timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (meeting_id, event_id) REFERENCES convene.meetings (id, event_id) ON DELETE CASCADE,
    CONSTRAINT meeting_places_one_at_a_time EXCLUDE USING gist (event_id WITH =, place WITH =, during WITH &&)
) WITH (fillfactor = 70);
COMMENT ON TABLE convene.meeting_places IS 'The time that meetings take of rooms and tables, written by triggers from meetings; a proposal takes none';
COMMENT ON COLUMN convene.meeting_places.place IS 'As meetings.place has it';
CREATE INDEX idx_meeting_places_event ON convene.meeting_places (event_id);

-- Person and day only: a limit on a person's day is about the day, whichever events fill it.
CREATE TABLE convene.meeting_day_counts (
    person_id uuid NOT NULL,
    day date NOT NULL,
    meetings integer NOT NULL CHECK (meetings >= 0),
    PRIMARY KEY (person_id, day)
) WITH (fillfactor = 70);
COMMENT ON TABLE convene.meeting_day_counts IS 'How many bookings a person has on a day; kept by the triggers of meeting_bookings, no row where there is none';
COMMENT ON COLUMN convene.meeting_day_counts.person_id IS 'As meeting_bookings.person_id';
COMMENT ON COLUMN convene.meeting_day_counts.meetings IS 'Holds of proposals are among them, expired ones until the person''s next booking';

CREATE TABLE convene.meeting_schedule_drafts (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    event_id uuid NOT NULL REFERENCES convene.events ON DELETE CASCADE,
    status text NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'published', 'discarded')),
    parameters jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(parameters) = 'object'),
    meetings jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(meetings) = 'array'),
    report jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(report) = 'object'),
    created_by uuid REFERENCES convene.profiles ON DELETE SET NULL,
    published_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK (status <> 'published' OR published_at IS NOT NULL)
);
COMMENT ON TABLE convene.meeting_schedule_drafts IS 'Schedules of all mutual matches of an event, to be looked at before they become meetings';
COMMENT ON COLUMN convene.meeting_schedule_drafts.parameters IS 'What the run was asked for: tables, length of a slot, from, to';
COMMENT ON COLUMN convene.meeting_schedule_drafts.meetings IS 'One element per meeting: match, start, end, place';
COMMENT ON COLUMN convene.meeting_schedule_drafts.report IS 'People with a meeting, total compatibility, an upper bound on both, and the pairs left out with the reason';
CREATE INDEX idx_meeting_schedule_drafts_event ON convene.meeting_schedule_drafts (event_id, created_at);
CREATE INDEX idx_meeting_schedule_drafts_created_by ON convene.meeting_schedule_drafts (created_by);
CREATE TRIGGER meeting_schedule_drafts_touch BEFORE UPDATE ON convene.meeting_schedule_drafts
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

CREATE TABLE convene.networking_connections (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    event_id uuid NOT NULL REFERENCES convene.events ON DELETE CASCADE,
    requester_id uuid NOT NULL,
    target_id uuid NOT NULL,
    connection_type text
        CHECK (connection_type IN ('business', 'collaboration', 'mentorship', 'friendship', 'partnership')),
    connection_reason text,
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'accepted', 'declined', 'blocked')),
    message text,
    meeting_requested boolean NOT NULL DEFAULT false,
    meeting_scheduled timestamptz,
    meeting_location text,
    meeting_notes text,
    follow_up_scheduled boolean NOT NULL DEFAULT false,
    follow_up_date date,
    follow_up_notes text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (event_id, requester_id, target_id),
    CHECK (requester_id <> target_id),
    FOREIGN KEY (requester_id, event_id) REFERENCES convene.attendees (id, event_id) ON DELETE CASCADE,
    FOREIGN KEY (target_id, event_id) REFERENCES convene.attendees (id, event_id) ON DELETE CASCADE
);
COMMENT ON TABLE convene.networking_connections IS 'Requests of one attendee to another to stay in touch; read by the two and by nobody else';
COMMENT ON COLUMN convene.networking_connections.status IS 'blocked: seen by neither, so that nobody learns that they are';
COMMENT ON COLUMN convene.networking_connections.message IS 'From the requester to the target';
COMMENT ON COLUMN convene.networking_connections.meeting_notes IS 'Shared by the two, as is follow_up_notes; private notes are in meetings';
CREATE INDEX idx_networking_connections_requester ON convene.networking_connections (requester_id);
CREATE INDEX idx_networking_connections_target ON convene.networking_connections (target_id);
CREATE TRIGGER networking_connections_touch BEFORE UPDATE ON convene.networking_connections
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

-- What rows must say.

CREATE FUNCTION convene_private.check_availability() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    most CONSTANT integer := 100000;
    slot jsonb;
    good boolean;
BEGIN
    IF octet_length(NEW.availability_slots::text) > most THEN
        RAISE EXCEPTION 'availability_slots has % bytes', octet_length(NEW.availability_slots::text)
            USING ERRCODE = '54000', HINT = format('At most %s are kept: put what touches together.', most);
    END IF;
    -- Written in one way only: what else the server takes for a date is read otherwise by another session, means another
    -- day tomorrow, or lies where no time zone follows, and whoever looks at the time of many would stumble over it.
    FOR slot IN SELECT s FROM jsonb_array_elements(NEW.availability_slots) s LOOP
        BEGIN
            good := slot ->> 'date' ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' AND (slot ->> 'date')::date IS NOT NULL
                    AND slot ->> 'start' ~ '^[0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?$'
                    AND slot ->> 'end' ~ '^[0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?$'
                    AND (slot ->> 'start')::time <> (slot ->> 'end')::time;
        EXCEPTION WHEN data_exception THEN
            good := false;
        END;
        IF good IS NOT TRUE THEN
            RAISE EXCEPTION 'availability_slots has a slot that is none: %', left(slot::text, 200)
                USING ERRCODE = '22023', DETAIL = 'A slot has a date, and a start and an end that differ.',
                      HINT = 'Write it like {"date": "2025-11-15", "start": "14:00", "end": "15:00"}.';
        END IF;
    END LOOP;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.check_availability() IS 'Accepts only slots that have a date, a start and an end, and not more than anybody reads';
CREATE TRIGGER networking_preferences_availability BEFORE INSERT OR UPDATE OF availability_slots ON convene.networking_preferences
    FOR EACH ROW WHEN (NEW.availability_slots <> '[]') EXECUTE FUNCTION convene_private.check_availability();

CREATE FUNCTION convene_private.step_match() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF OLD.status = 'declined' OR (OLD.status = 'expired' AND NEW.status NOT IN ('suggested', 'declined'))
       OR (OLD.status = 'mutual_accepted' AND NEW.status <> 'declined') OR (OLD.status <> 'expired' AND NEW.status = 'suggested')
       OR (OLD.status, NEW.status) IN (('accepted_by_1', 'accepted_by_2'), ('accepted_by_2', 'accepted_by_1')) THEN
        RAISE EXCEPTION 'a match that is % does not become %', OLD.status, NEW.status
            USING ERRCODE = '55000',
                  DETAIL = 'A match goes from suggested by the acceptance of one side to that of both; declined is final.',
                  HINT = 'Only an expired match may be suggested again.';
    END IF;
    IF NEW.status = 'suggested' THEN
        NEW.times_suggested := OLD.times_suggested + 1;
        IF NEW.times_suggested > 3 THEN
            RAISE EXCEPTION 'this match has expired for good'
                USING ERRCODE = '55000', DETAIL = 'It was suggested three times.', HINT = 'Suggest somebody else.';
        END IF;
    ELSIF NEW.status = 'mutual_accepted' THEN
        NEW.accepted_at := coalesce(NEW.accepted_at, now());
    ELSIF NEW.status = 'declined' THEN
        NEW.declined_at := coalesce(NEW.declined_at, now());
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.step_match() IS 'Keeps the status of a match on its way, and notes when it got there';
CREATE TRIGGER matches_step BEFORE UPDATE ON convene.matches
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION convene_private.step_match();

-- Definer, as all that follow: bookings, counts and other people's rows are not the caller's to read or write.
CREATE FUNCTION convene_private.place_meeting() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.status = 'proposed' THEN
        NEW.proposed_by := coalesce(NEW.proposed_by, NEW.attendee_1_id);
        NEW.expires_at := coalesce(NEW.expires_at, least(now() + interval '48 hours', NEW.scheduled_start));
    ELSIF NEW.status = 'completed' THEN
        NEW.completed_at := coalesce(NEW.completed_at, now());
    ELSIF NEW.status = 'cancelled' THEN
        NEW.cancelled_at := coalesce(NEW.cancelled_at, now());
    END IF;
    IF TG_OP = 'UPDATE' AND NEW.scheduled_start <> OLD.scheduled_start THEN
        NEW.reminder_sent_1 := false;
        NEW.reminder_sent_2 := false;
    END IF;
    IF EXISTS (SELECT FROM convene.matches m
               WHERE m.id = NEW.match_id
                 AND (m.attendee_1_id, m.attendee_2_id) <> (least(NEW.attendee_1_id, NEW.attendee_2_id),
                                                            greatest(NEW.attendee_1_id, NEW.attendee_2_id))) THEN
        RAISE EXCEPTION 'match % is of other people than the meeting', NEW.match_id
            USING ERRCODE = '22023', HINT = 'Name the match of these two, or leave match_id null.';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.place_meeting() IS 'Completes a meeting, and holds it to the two people of its match';
CREATE TRIGGER meetings_place BEFORE INSERT OR UPDATE ON convene.meetings
    FOR EACH ROW EXECUTE FUNCTION convene_private.place_meeting();

-- Bookings.

CREATE FUNCTION convene_private.count_bookings() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    came_people uuid[];
    came_days date[];
    went_people uuid[];
    went_days date[];
    people uuid[];
    days date[];
    steps integer[];
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        DELETE FROM convene.meeting_day_counts;
        RETURN NULL;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        SELECT array_agg(n.person_id), array_agg(n.day) INTO came_people, came_days FROM new_rows n;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        SELECT array_agg(o.person_id), array_agg(o.day) INTO went_people, went_days FROM old_rows o;
    END IF;
    SELECT array_agg(t.person_id), array_agg(t.day), array_agg(t.step) INTO people, days, steps
    FROM (SELECT u.person_id, u.day, sum(u.step)::integer AS step
          FROM (SELECT c.person_id, c.day, 1 AS step FROM unnest(came_people, came_days) c(person_id, day)
                UNION ALL SELECT w.person_id, w.day, -1 FROM unnest(went_people, went_days) w(person_id, day)) u
          GROUP BY u.person_id, u.day HAVING sum(u.step) <> 0 ORDER BY u.person_id, u.day) t;
    IF people IS NULL THEN
        RETURN NULL;
    END IF;
    INSERT INTO convene.meeting_day_counts AS c (person_id, day, meetings)
    SELECT s.* FROM unnest(people, days, steps) s(person_id, day, step) WHERE s.step > 0
    ON CONFLICT (person_id, day) DO UPDATE SET meetings = c.meetings + excluded.meetings;
    UPDATE convene.meeting_day_counts c SET meetings = c.meetings + s.step
    FROM unnest(people, days, steps) s(person_id, day, step) WHERE s.step < 0 AND c.person_id = s.person_id AND c.day = s.day;
    DELETE FROM convene.meeting_day_counts c USING unnest(people, days) s(person_id, day)
    WHERE c.person_id = s.person_id AND c.day = s.day AND c.meetings = 0;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION convene_private.count_bookings() IS 'Counts the bookings of each person and day';
CREATE TRIGGER meeting_bookings_inserted AFTER INSERT ON convene.meeting_bookings REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.count_bookings();
CREATE TRIGGER meeting_bookings_updated AFTER UPDATE ON convene.meeting_bookings
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.count_bookings();
CREATE TRIGGER meeting_bookings_deleted AFTER DELETE ON convene.meeting_bookings REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.count_bookings();
CREATE TRIGGER meeting_bookings_truncated AFTER TRUNCATE ON convene.meeting_bookings
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.count_bookings();

-- Everybody who books waits here, always in the same order, so nobody waits in a circle; two that only insert and let the
-- constraint decide would wait for each other. Profiles first, then attendees: a person is one or the other.
CREATE FUNCTION convene_private.lock_people(p_person_ids uuid[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM FROM convene.profiles p WHERE p.id = ANY (p_person_ids) ORDER BY p.id FOR NO KEY UPDATE;
    PERFORM FROM convene.attendees a WHERE a.id = ANY (p_person_ids) ORDER BY a.id FOR NO KEY UPDATE;
END $$;
COMMENT ON FUNCTION convene_private.lock_people(uuid[]) IS 'Keeps everybody else from booking these people until the transaction ends';

-- plpgsql, which keeps its plan; and written so that any plan begins with the ids, whatever is known of the tables.
CREATE FUNCTION convene_private.wanted_bookings(p_meeting_ids uuid[])
    RETURNS TABLE (meeting_id uuid, attendee_id uuid, event_id uuid, person_id uuid, during tstzrange, day date,
                   active boolean, held_until timestamptz)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT m.id, a.id, m.event_id, coalesce(a.profile_id, a.id), tstzrange(m.scheduled_start, m.scheduled_end),
           (m.scheduled_start AT TIME ZONE e.time_zone)::date, m.status <> 'completed',
           CASE WHEN m.status = 'proposed' THEN m.expires_at END
    FROM (SELECT DISTINCT u.id FROM unnest(p_meeting_ids) u(id)) i
    JOIN convene.meetings m ON m.id = i.id
    JOIN convene.events e ON e.id = m.event_id
    CROSS JOIN LATERAL unnest(ARRAY[m.attendee_1_id, m.attendee_2_id]) s(id)
    JOIN convene.attendees a ON a.id = s.id
    WHERE m.status NOT IN ('cancelled', 'no_show')
      AND (m.status <> 'proposed' OR (a.id = m.proposed_by AND m.expires_at > now()));
END $$;
COMMENT ON FUNCTION convene_private.wanted_bookings(uuid[]) IS 'The bookings that meetings should have';

CREATE FUNCTION convene_private.first_gap(p_taken tstzrange[], p_from timestamptz, p_length interval) RETURNS timestamptz
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT min(c.start)
    FROM (SELECT p_from UNION SELECT upper(t.taken) FROM unnest(p_taken) t(taken) WHERE upper(t.taken) > p_from) c(start)
    WHERE NOT EXISTS (SELECT FROM unnest(p_taken) t(taken) WHERE t.taken && tstzrange(c.start, c.start + p_length))
$$;
COMMENT ON FUNCTION convene_private.first_gap(tstzrange[], timestamptz, interval) IS 'When something of that length first finds room';

-- Sets as arrays, joined by unnest: a statement may book thousands, and a plan made for ten must do for them.
CREATE FUNCTION convene_private.settle_bookings(p_meeting_ids uuid[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- The bookings that change, as pairs.
    meetings uuid[];
    attendees uuid[];
    people uuid[];
    -- Of those, the ones that go and the ones that are wanted, with what they shall be.
    gone_meetings uuid[];
    gone_attendees uuid[];
    new_meetings uuid[];
    new_attendees uuid[];
    new_events uuid[];
    new_people uuid[];
    new_times tstzrange[];
    new_days date[];
    new_active boolean[];
    new_holds timestamptz[];
    stays boolean[];
    adds_to_day boolean[];
    clash record;
    free timestamptz;
BEGIN
    SELECT array_agg(coalesce(w.meeting_id, b.meeting_id)), array_agg(coalesce(w.attendee_id, b.attendee_id))
    INTO meetings, attendees
    FROM convene_private.wanted_bookings(p_meeting_ids) w
    FULL JOIN (SELECT h.* FROM (SELECT DISTINCT u.id FROM unnest(p_meeting_ids) u(id)) i
               JOIN convene.meeting_bookings h ON h.meeting_id = i.id) b
         ON b.meeting_id = w.meeting_id AND b.attendee_id = w.attendee_id
    WHERE (w.person_id, w.during, w.day, w.active, w.held_until)
          IS DISTINCT FROM (b.person_id, b.during, b.day, b.active, b.held_until);
    IF meetings IS NULL THEN
        RETURN;
    END IF;
    -- First the attendees: whoever gives one of them another person waits for us, or has done it.
    PERFORM FROM convene.attendees a WHERE a.id = ANY (attendees) ORDER BY a.id FOR KEY SHARE;
    SELECT array_agg(p.id) INTO people
    FROM (SELECT coalesce(a.profile_id, a.id) FROM convene.attendees a WHERE a.id = ANY (attendees)
          UNION SELECT b.person_id FROM unnest(meetings, attendees) c(meeting_id, attendee_id)
                JOIN convene.meeting_bookings b ON b.meeting_id = c.meeting_id AND b.attendee_id = c.attendee_id) p(id);
    PERFORM convene_private.lock_people(people);
    -- An index predicate cannot ask for the time, so what has expired is taken away by whoever might be in its way.
    DELETE FROM convene.meeting_bookings b WHERE b.person_id = ANY (people) AND b.held_until <= now();

    -- What moves goes and comes again, so that two may change places. What stays is updated where it is: for a new row its
    -- meeting would be locked, and whoever has that may be waiting for the people. A full day refuses what is new to it:
    -- not an attendee who turns out to be somebody, nor another zone of the event.
    SELECT array_agg(b.meeting_id) FILTER (WHERE t.stays IS NOT TRUE AND b.meeting_id IS NOT NULL),
           array_agg(b.attendee_id) FILTER (WHERE t.stays IS NOT TRUE AND b.meeting_id IS NOT NULL),
           array_agg(w.meeting_id) FILTER (WHERE t.wanted), array_agg(w.attendee_id) FILTER (WHERE t.wanted),
           array_agg(w.event_id) FILTER (WHERE t.wanted), array_agg(w.person_id) FILTER (WHERE t.wanted),
           array_agg(w.during) FILTER (WHERE t.wanted), array_agg(w.day) FILTER (WHERE t.wanted),
           array_agg(w.active) FILTER (WHERE t.wanted), array_agg(w.held_until) FILTER (WHERE t.wanted),
           array_agg(t.stays) FILTER (WHERE t.wanted),
           array_agg(b.day IS DISTINCT FROM w.day AND b.during IS DISTINCT FROM w.during) FILTER (WHERE t.wanted)
    INTO gone_meetings, gone_attendees, new_meetings, new_attendees, new_events, new_people, new_times, new_days, new_active,
         new_holds, stays, adds_to_day
    FROM unnest(meetings, attendees) c(meeting_id, attendee_id)
    LEFT JOIN convene_private.wanted_bookings(meetings) w ON w.meeting_id = c.meeting_id AND w.attendee_id = c.attendee_id
    LEFT JOIN convene.meeting_bookings b ON b.meeting_id = c.meeting_id AND b.attendee_id = c.attendee_id
    CROSS JOIN LATERAL (SELECT w.meeting_id IS NOT NULL AS wanted, w.during = b.during AND w.active = b.active AS stays) t;
    DELETE FROM convene.meeting_bookings b USING unnest(gone_meetings, gone_attendees) c(meeting_id, attendee_id)
    WHERE b.meeting_id = c.meeting_id AND b.attendee_id = c.attendee_id;

    -- The constraint would refuse as well, but not say when there is time.
    SELECT w.meeting_id, w.attendee_id, lower(w.during) AS starts, upper(w.during) AS ends, e.time_zone INTO clash
    FROM (SELECT n.*, max(upper(n.during)) OVER (PARTITION BY n.person_id ORDER BY lower(n.during), n.meeting_id
                                                 ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS others_end
          FROM unnest(new_meetings, new_attendees, new_events, new_people, new_times, new_active)
               n(meeting_id, attendee_id, event_id, person_id, during, active)
          WHERE n.active) w
    JOIN convene.events e ON e.id = w.event_id
    WHERE w.others_end > lower(w.during)
       OR EXISTS (SELECT FROM convene.meeting_bookings b
                  WHERE b.person_id = w.person_id AND b.during && w.during AND b.active
                    AND (b.meeting_id, b.attendee_id) <> (w.meeting_id, w.attendee_id))
    ORDER BY lower(w.during), w.attendee_id LIMIT 1;
    IF FOUND THEN
        SELECT convene_private.first_gap(array_agg(b.during), clash.starts, clash.ends - clash.starts) INTO free
        FROM convene.meeting_bookings b
        WHERE b.active AND b.during && tstzrange(clash.starts, NULL) AND b.meeting_id <> clash.meeting_id
          AND b.person_id IN (SELECT coalesce(a.profile_id, a.id) FROM convene.meetings m
                              JOIN convene.attendees a ON a.id IN (m.attendee_1_id, m.attendee_2_id)
                              WHERE m.id = clash.meeting_id);
        RAISE EXCEPTION 'attendee % is not free from % to % (%)', clash.attendee_id,
                to_char(clash.starts AT TIME ZONE clash.time_zone, 'YYYY-MM-DD HH24:MI'),
                to_char(clash.ends AT TIME ZONE clash.time_zone, 'HH24:MI'), clash.time_zone
            USING ERRCODE = '23P01', SCHEMA = 'convene', TABLE = 'meeting_bookings',
                  CONSTRAINT = 'meeting_bookings_one_at_a_time',
                  DETAIL = 'Another meeting takes a part of that time, or the hold of a proposal does.',
                  HINT = CASE WHEN free > clash.starts
                              THEN format('The two have no meeting for as long from %s.',
                                          to_char(free AT TIME ZONE clash.time_zone, 'YYYY-MM-DD HH24:MI'))
                              ELSE 'Choose another time.' END;
    END IF;
    UPDATE convene.meeting_bookings b SET person_id = w.person_id, day = w.day, held_until = w.held_until
    FROM unnest(new_meetings, new_attendees, new_people, new_days, new_holds, stays)
         w(meeting_id, attendee_id, person_id, day, held_until, stays)
    WHERE w.stays AND b.meeting_id = w.meeting_id AND b.attendee_id = w.attendee_id;
    INSERT INTO convene.meeting_bookings (meeting_id, attendee_id, event_id, person_id, during, day, active, held_until)
    SELECT w.meeting_id, w.attendee_id, w.event_id, w.person_id, w.during, w.day, w.active, w.held_until
    FROM unnest(new_meetings, new_attendees, new_events, new_people, new_times, new_days, new_active, new_holds, stays)
         w(meeting_id, attendee_id, event_id, person_id, during, day, active, held_until, stays)
    WHERE w.stays IS NOT TRUE;

    SELECT w.attendee_id, w.day, n.max_meetings_per_day INTO clash
    FROM unnest(new_attendees, new_people, new_days, adds_to_day) w(attendee_id, person_id, day, adds)
    JOIN convene.networking_preferences n ON n.attendee_id = w.attendee_id
    JOIN convene.meeting_day_counts d ON d.person_id = w.person_id AND d.day = w.day
    WHERE w.adds AND d.meetings > n.max_meetings_per_day
    ORDER BY w.day, w.attendee_id LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'attendee % takes no more meetings on %', clash.attendee_id, clash.day
            USING ERRCODE = '55000', DETAIL = format('Their max_meetings_per_day is %s.', clash.max_meetings_per_day),
                  HINT = 'Choose another day.';
    END IF;
END $$;
COMMENT ON FUNCTION convene_private.settle_bookings(uuid[]) IS 'Brings the bookings of these meetings in line with them, or refuses';

CREATE FUNCTION convene_private.settle_places(p_meeting_ids uuid[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    new_meetings uuid[];
    new_events uuid[];
    new_places text[];
    new_times tstzrange[];
    clash record;
    free timestamptz;
BEGIN
    DELETE FROM convene.meeting_places p USING unnest(p_meeting_ids) i(id), convene.meetings m
    WHERE p.meeting_id = i.id AND m.id = i.id
      AND (m.status NOT IN ('scheduled', 'confirmed', 'in_progress')
           OR (m.place, tstzrange(m.scheduled_start, m.scheduled_end)) IS DISTINCT FROM (p.place, p.during));
    SELECT array_agg(m.id), array_agg(m.event_id), array_agg(m.place), array_agg(tstzrange(m.scheduled_start, m.scheduled_end))
    INTO new_meetings, new_events, new_places, new_times
    FROM unnest(p_meeting_ids) i(id) JOIN convene.meetings m ON m.id = i.id
    LEFT JOIN convene.meeting_places p ON p.meeting_id = m.id
    WHERE m.place IS NOT NULL AND p.meeting_id IS NULL
      AND m.status NOT IN ('proposed', 'completed', 'cancelled', 'no_show');
    IF new_meetings IS NULL THEN
        RETURN;
    END IF;
    -- A place has no row to lock.
    PERFORM pg_advisory_xact_lock(k.key)
    FROM (SELECT DISTINCT hashtextextended(n.event_id || ' ' || n.place, 23) AS key
          FROM unnest(new_events, new_places) n(event_id, place) ORDER BY key) k;
    SELECT w.event_id, w.place, lower(w.during) AS starts, upper(w.during) AS ends, e.time_zone INTO clash
    FROM (SELECT n.*, max(upper(n.during)) OVER (PARTITION BY n.event_id, n.place ORDER BY lower(n.during), n.meeting_id
                                                 ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS others_end
          FROM unnest(new_meetings, new_events, new_places, new_times) n(meeting_id, event_id, place, during)) w
    JOIN convene.events e ON e.id = w.event_id
    WHERE w.others_end > lower(w.during)
       OR EXISTS (SELECT FROM convene.meeting_places p
                  WHERE p.event_id = w.event_id AND p.place = w.place AND p.during && w.during)
    ORDER BY lower(w.during), w.place LIMIT 1;
    IF FOUND THEN
        SELECT convene_private.first_gap(array_agg(p.during), clash.starts, clash.ends - clash.starts) INTO free
        FROM convene.meeting_places p
        WHERE p.event_id = clash.event_id AND p.place = clash.place AND p.during && tstzrange(clash.starts, NULL);
        RAISE EXCEPTION 'place "%" is taken from % to % (%)', clash.place,
                to_char(clash.starts AT TIME ZONE clash.time_zone, 'YYYY-MM-DD HH24:MI'),
                to_char(clash.ends AT TIME ZONE clash.time_zone, 'HH24:MI'), clash.time_zone
            USING ERRCODE = '23P01', SCHEMA = 'convene', TABLE = 'meeting_places',
                  CONSTRAINT = 'meeting_places_one_at_a_time',
                  DETAIL = 'Another meeting is there for a part of that time.',
                  HINT = CASE WHEN free > clash.starts
                              THEN format('It is free for as long from %s.',
                                          to_char(free AT TIME ZONE clash.time_zone, 'YYYY-MM-DD HH24:MI'))
                              ELSE 'Choose another place, or another time.' END;
    END IF;
    INSERT INTO convene.meeting_places (meeting_id, event_id, place, during)
    SELECT n.* FROM unnest(new_meetings, new_events, new_places, new_times) n(meeting_id, event_id, place, during);
END $$;
COMMENT ON FUNCTION convene_private.settle_places(uuid[]) IS 'Brings the places of these meetings in line with them, or refuses';

CREATE FUNCTION convene_private.settle_matches(p_match_ids uuid[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- Held before the meetings are read: what somebody else does to the same match is then done, or comes after.
    PERFORM FROM convene.matches m WHERE m.id = ANY (p_match_ids) ORDER BY m.id FOR NO KEY UPDATE;
    UPDATE convene.matches m SET meeting_id = d.meeting_id, meeting_scheduled = d.meeting_scheduled
    FROM (SELECT i.id, t.id AS meeting_id, coalesce(t.status <> 'proposed', false) AS meeting_scheduled
          FROM unnest(p_match_ids) i(id)
          LEFT JOIN LATERAL (SELECT g.id, g.status FROM convene.meetings g WHERE g.match_id = i.id AND g.status <> 'cancelled'
                             ORDER BY g.status <> 'proposed' DESC, g.created_at DESC, g.id LIMIT 1) t ON true) d
    WHERE m.id = d.id AND (m.meeting_id, m.meeting_scheduled) IS DISTINCT FROM (d.meeting_id, d.meeting_scheduled);
END $$;
COMMENT ON FUNCTION convene_private.settle_matches(uuid[]) IS 'Brings meeting_id and meeting_scheduled of these matches in line with their meetings';

-- For the whole statement at once: two meetings may change places, and people are locked in one order for all of them.
CREATE FUNCTION convene_private.meetings_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    old_ids uuid[];
    old_matches uuid[];
    old_statuses text[];
    old_starts timestamptz[];
    new_ids uuid[];
    new_matches uuid[];
    new_statuses text[];
    new_starts timestamptz[];
    touched uuid[];
    unsettled uuid[];
BEGIN
    IF TG_OP <> 'INSERT' THEN
        SELECT array_agg(o.id), array_agg(o.match_id), array_agg(o.status), array_agg(o.scheduled_start)
        INTO old_ids, old_matches, old_statuses, old_starts FROM old_rows o;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        SELECT array_agg(n.id), array_agg(n.match_id), array_agg(n.status), array_agg(n.scheduled_start)
        INTO new_ids, new_matches, new_statuses, new_starts FROM new_rows n;
    END IF;
    SELECT array_agg(DISTINCT t.match_id) INTO touched
    FROM (SELECT unnest(ARRAY[o.match_id, n.match_id]) AS match_id
          FROM unnest(old_ids, old_matches, old_statuses) o(id, match_id, status)
          FULL JOIN unnest(new_ids, new_matches, new_statuses) n(id, match_id, status) ON n.id = o.id
          WHERE (o.match_id, o.status) IS DISTINCT FROM (n.match_id, n.status)) t
    WHERE t.match_id IS NOT NULL;
    IF touched IS NOT NULL THEN
        PERFORM convene_private.settle_matches(touched);
    END IF;
    IF new_ids IS NOT NULL THEN
        PERFORM convene_private.settle_bookings(new_ids);
        PERFORM convene_private.settle_places(new_ids);
    END IF;
    -- Reminders of a time that is no more. What a worker has already taken is not ours to take back.
    SELECT array_agg(o.id) INTO unsettled
    FROM unnest(old_ids, old_statuses, old_starts) o(id, status, start)
    LEFT JOIN unnest(new_ids, new_statuses, new_starts) n(id, status, start) ON n.id = o.id
    WHERE o.status IN ('scheduled', 'confirmed') AND (n.status IN ('scheduled', 'confirmed') AND n.start = o.start) IS NOT TRUE;
    IF unsettled IS NOT NULL THEN
        UPDATE convene.outbox x SET status = 'cancelled', processed_at = now()
        WHERE x.target_id = ANY (unsettled) AND x.target_kind = 'meeting' AND x.topic = 'notification' AND x.status = 'pending';
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION convene_private.meetings_changed() IS 'Books what meetings take of people and places, tells their matches, and takes back reminders of what moved or is off';
CREATE TRIGGER meetings_inserted AFTER INSERT ON convene.meetings REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.meetings_changed();
CREATE TRIGGER meetings_updated AFTER UPDATE ON convene.meetings REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.meetings_changed();
CREATE TRIGGER meetings_deleted AFTER DELETE ON convene.meetings REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.meetings_changed();

-- A meeting's bookings go with it by their foreign key; their people are locked before that, in the usual order.
CREATE FUNCTION convene_private.hold_meeting() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- Attendees here as in settle_bookings: who has this lock goes past those that wait for the row to give it a person.
    PERFORM FROM convene.attendees a WHERE a.id IN (OLD.attendee_1_id, OLD.attendee_2_id) ORDER BY a.id FOR KEY SHARE;
    PERFORM FROM convene.matches m WHERE m.id = OLD.match_id FOR NO KEY UPDATE;
    PERFORM convene_private.lock_people(ARRAY(SELECT b.person_id FROM convene.meeting_bookings b WHERE b.meeting_id = OLD.id));
    RETURN OLD;
END $$;
COMMENT ON FUNCTION convene_private.hold_meeting() IS 'Keeps the people of a meeting from being booked while it goes';
CREATE TRIGGER meetings_hold BEFORE DELETE ON convene.meetings
    FOR EACH ROW EXECUTE FUNCTION convene_private.hold_meeting();

-- Whoever writes the two columns of a match that are derived finds them as they are derived.
CREATE FUNCTION convene_private.derive_match() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT g.id, g.status <> 'proposed' INTO NEW.meeting_id, NEW.meeting_scheduled
    FROM convene.meetings g WHERE g.match_id = NEW.id AND g.status <> 'cancelled'
    ORDER BY g.status <> 'proposed' DESC, g.created_at DESC, g.id LIMIT 1;
    NEW.meeting_scheduled := coalesce(NEW.meeting_scheduled, false);
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.derive_match() IS 'Keeps meeting_id and meeting_scheduled of a match from being written otherwise than meetings have it';
CREATE TRIGGER matches_derive_new BEFORE INSERT ON convene.matches
    FOR EACH ROW WHEN (NEW.meeting_id IS NOT NULL OR NEW.meeting_scheduled) EXECUTE FUNCTION convene_private.derive_match();
CREATE TRIGGER matches_derive BEFORE UPDATE ON convene.matches
    FOR EACH ROW WHEN (OLD.meeting_id IS DISTINCT FROM NEW.meeting_id
                       OR OLD.meeting_scheduled IS DISTINCT FROM NEW.meeting_scheduled)
    EXECUTE FUNCTION convene_private.derive_match();

-- Blocks.

-- Suggestions, answers and bookings hold their event in common while they write; a block, or a schedule that is published,
-- holds it alone: each comes before the other or after it, and sees what it did.
CREATE FUNCTION convene_private.hold_networking(p_event_ids uuid[], p_alone boolean) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    class CONSTANT integer := 1668183661;
    key integer;
BEGIN
    FOR key IN SELECT DISTINCT hashtext(i.id::text) AS key FROM unnest(p_event_ids) i(id) ORDER BY key LOOP
        IF p_alone THEN
            PERFORM pg_advisory_xact_lock(class, key);
        ELSE
            PERFORM pg_advisory_xact_lock_shared(class, key);
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION convene_private.hold_networking(uuid[], boolean) IS 'Keeps what would contradict each other in the networking of events apart until the transaction ends';

-- Cancelled and declined by nobody in particular: whoever reads it learns that it is off, not by whom or why. What is over
-- stays as it was. Meetings before matches: the order in which everybody locks them.
CREATE FUNCTION convene_private.part_people(p_one uuid, p_other uuid, OUT meetings integer, OUT matches integer)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    events uuid[];
    ones uuid[];
    others uuid[];
BEGIN
    SELECT array_agg(x.event_id), array_agg(least(x.id, y.id)), array_agg(greatest(x.id, y.id)) INTO events, ones, others
    FROM convene.attendees x JOIN convene.attendees y ON y.event_id = x.event_id
    WHERE x.profile_id = p_one AND y.profile_id = p_other;
    UPDATE convene.meetings g SET status = 'cancelled', cancelled_by = NULL
    FROM unnest(events, ones, others) p(event_id, one, other)
    WHERE ((g.attendee_1_id = p.one AND g.attendee_2_id = p.other) OR (g.attendee_1_id = p.other AND g.attendee_2_id = p.one))
      AND g.status IN ('proposed', 'scheduled', 'confirmed') AND g.scheduled_end > now();
    GET DIAGNOSTICS meetings = ROW_COUNT;
    UPDATE convene.matches m SET status = 'declined', declined_by = NULL
    FROM unnest(events, ones, others) p(event_id, one, other)
    WHERE m.event_id = p.event_id AND m.attendee_1_id = p.one AND m.attendee_2_id = p.other AND m.status <> 'declined';
    GET DIAGNOSTICS matches = ROW_COUNT;
END $$;
COMMENT ON FUNCTION convene_private.part_people(uuid, uuid) IS 'Ends the matches of two persons and cancels their meetings to come, at every event; returns how many';

-- Whoever writes the block, by the function or into the table. Before the row, so that the events are held before anything else.
CREATE FUNCTION convene_private.enforce_block() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM convene_private.hold_networking(ARRAY(
        SELECT x.event_id FROM convene.attendees x JOIN convene.attendees y ON y.event_id = x.event_id
        WHERE x.profile_id = NEW.blocker_profile AND y.profile_id = NEW.blocked_profile), true);
    PERFORM convene_private.part_people(NEW.blocker_profile, NEW.blocked_profile);
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.enforce_block() IS 'A block ends what there is between the two';
CREATE TRIGGER person_blocks_enforce BEFORE INSERT ON convene.person_blocks
    FOR EACH ROW EXECUTE FUNCTION convene_private.enforce_block();

-- An attendee who turns out to be somebody takes their bookings along; where that person is elsewhere already, it fails.
CREATE FUNCTION convene_private.attendee_person_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM convene_private.settle_bookings(ARRAY(SELECT b.meeting_id FROM convene.meeting_bookings b
                                                  WHERE b.attendee_id = NEW.id));
    PERFORM convene_private.part_people(b.blocker_profile, b.blocked_profile)
    FROM convene.person_blocks b WHERE NEW.profile_id IN (b.blocker_profile, b.blocked_profile);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION convene_private.attendee_person_changed() IS 'Books the meetings of an attendee on the person they are now known to be, and parts those of whom one had blocked the other';
CREATE TRIGGER attendees_person AFTER UPDATE ON convene.attendees
    FOR EACH ROW WHEN (OLD.profile_id IS DISTINCT FROM NEW.profile_id)
    EXECUTE FUNCTION convene_private.attendee_person_changed();

CREATE FUNCTION convene_private.event_days_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM convene_private.settle_bookings(ARRAY(SELECT DISTINCT b.meeting_id FROM convene.meeting_bookings b
                                                  WHERE b.event_id = NEW.id));
    RETURN NULL;
END $$;
COMMENT ON FUNCTION convene_private.event_days_changed() IS 'Counts the meetings of an event on the days of its new time zone';
CREATE TRIGGER events_days AFTER UPDATE ON convene.events
    FOR EACH ROW WHEN (OLD.time_zone IS DISTINCT FROM NEW.time_zone)
    EXECUTE FUNCTION convene_private.event_days_changed();

-- Who takes part in an event's networking, and what they said: features made of it are kept while this stands.
CREATE FUNCTION convene_private.networking_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_LEVEL = 'ROW' THEN
        PERFORM convene_private.bump_revisions(ARRAY[NEW.event_id], 'networking');
    ELSIF TG_OP = 'DELETE' THEN
        PERFORM convene_private.bump_revisions(ARRAY(SELECT DISTINCT o.event_id FROM old_rows o), 'networking');
    ELSE
        PERFORM convene_private.bump_revisions(ARRAY(SELECT DISTINCT n.event_id FROM new_rows n), 'networking');
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION convene_private.networking_changed() IS 'Notes that what suggestions are computed from has changed';
CREATE TRIGGER networking_preferences_inserted AFTER INSERT ON convene.networking_preferences REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.networking_changed();
CREATE TRIGGER networking_preferences_updated AFTER UPDATE ON convene.networking_preferences REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.networking_changed();
CREATE TRIGGER networking_preferences_deleted AFTER DELETE ON convene.networking_preferences REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.networking_changed();
CREATE TRIGGER attendees_networking AFTER UPDATE ON convene.attendees
    FOR EACH ROW WHEN (OLD.profile_id IS DISTINCT FROM NEW.profile_id
                       OR (OLD.status IN ('cancelled', 'no_show')) <> (NEW.status IN ('cancelled', 'no_show')))
    EXECUTE FUNCTION convene_private.networking_changed();
CREATE TRIGGER attendee_preferences_networking AFTER UPDATE ON convene.attendee_preferences
    FOR EACH ROW WHEN (OLD.preferred_topics IS DISTINCT FROM NEW.preferred_topics
                       OR OLD.industry_interests IS DISTINCT FROM NEW.industry_interests)
    EXECUTE FUNCTION convene_private.networking_changed();
CREATE TRIGGER attendee_preferences_networking_inserted AFTER INSERT ON convene.attendee_preferences
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.networking_changed();
CREATE TRIGGER attendee_preferences_networking_deleted AFTER DELETE ON convene.attendee_preferences
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.networking_changed();

INSERT INTO convene.settings (key, value, description) VALUES
    ('networking.min_people', '5', 'A reason drawn from the contacts of others needs at least so many of them'),
    ('networking.min_people_shown', '10', 'Their number is named from so many people up, never below 10'),
    ('networking.met_before', '"exclude"', 'exclude: who has met is not suggested again; a number from 0 to 1: their score counts that share');

-- For whoever listens, once per statement. Ids and status only: a listener need not be one who may read the rows.
CREATE FUNCTION convene_private.announce_networking() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    head text := '{"table":"' || TG_TABLE_NAME || '","change":"' || lower(TG_OP) || '","rows":[';
BEGIN
    -- A payload holds less than 8,000 bytes, and is written to a page of its own: as many rows as fit, which is 36. As
    -- text, which for many rows is three times as fast as jsonb; ids and a status from its list have nothing to quote.
    PERFORM pg_notify('convene_networking', head || string_agg(
        '{"id":"' || t.id || '","event_id":"' || t.event_id || '","status":"' || t.status || '","attendees":["'
        || t.attendee_1_id || '","' || t.attendee_2_id || '"]}', ',') || ']}')
    FROM (SELECT r.id, r.event_id, r.status, r.attendee_1_id, r.attendee_2_id, (row_number() OVER () - 1) / 36 AS part
          FROM changed r) t GROUP BY t.part ORDER BY t.part;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION convene_private.announce_networking() IS 'Notifies channel convene_networking of changed matches and meetings';
CREATE TRIGGER matches_announce_inserted AFTER INSERT ON convene.matches REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.announce_networking();
CREATE TRIGGER matches_announce_updated AFTER UPDATE ON convene.matches REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.announce_networking();
CREATE TRIGGER matches_announce_deleted AFTER DELETE ON convene.matches REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.announce_networking();
CREATE TRIGGER meetings_announce_inserted AFTER INSERT ON convene.meetings REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.announce_networking();
CREATE TRIGGER meetings_announce_updated AFTER UPDATE ON convene.meetings REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.announce_networking();
CREATE TRIGGER meetings_announce_deleted AFTER DELETE ON convene.meetings REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.announce_networking();

INSERT INTO convene.settings (key, value, description) VALUES
    ('networking.reminder_1_minutes', '1440', 'Minutes before a meeting at which its first reminder is due'),
    ('networking.reminder_2_minutes', '15', 'Minutes before a meeting at which its second reminder is due');

-- Policies.

ALTER TABLE convene.networking_preferences ENABLE ROW LEVEL SECURITY;
CREATE POLICY networking_preferences_select ON convene.networking_preferences FOR SELECT
    USING (attendee_id = ANY (ARRAY(SELECT convene_private.my_attendee_ids())));
CREATE POLICY networking_preferences_insert ON convene.networking_preferences FOR INSERT
    WITH CHECK (attendee_id = ANY (ARRAY(SELECT convene_private.my_attendee_ids())));
CREATE POLICY networking_preferences_update ON convene.networking_preferences FOR UPDATE
    USING (attendee_id = ANY (ARRAY(SELECT convene_private.my_attendee_ids())));

ALTER TABLE convene.goal_complements ENABLE ROW LEVEL SECURITY;
CREATE POLICY goal_complements_select ON convene.goal_complements FOR SELECT
    USING (event_public OR event_id IS NULL
           OR event_id = ANY (ARRAY(SELECT convene_private.my_attended_event_ids()))
           OR event_id = ANY (ARRAY(SELECT convene_private.my_staffed_event_ids())));
CREATE POLICY goal_complements_insert ON convene.goal_complements FOR INSERT
    WITH CHECK (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())));
CREATE POLICY goal_complements_update ON convene.goal_complements FOR UPDATE
    USING (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())));
CREATE POLICY goal_complements_delete ON convene.goal_complements FOR DELETE
    USING (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())));

ALTER TABLE convene.matches ENABLE ROW LEVEL SECURITY;
CREATE POLICY matches_select ON convene.matches FOR SELECT
    USING (attendee_1_id = ANY (ARRAY(SELECT convene_private.my_attendee_ids()))
           OR attendee_2_id = ANY (ARRAY(SELECT convene_private.my_attendee_ids()))
           OR event_id = ANY (ARRAY(SELECT convene_private.my_staffed_event_ids())));

ALTER TABLE convene.meetings ENABLE ROW LEVEL SECURITY;
CREATE POLICY meetings_select ON convene.meetings FOR SELECT
    USING (attendee_1_id = ANY (ARRAY(SELECT convene_private.my_attendee_ids()))
           OR attendee_2_id = ANY (ARRAY(SELECT convene_private.my_attendee_ids()))
           OR event_id = ANY (ARRAY(SELECT convene_private.my_staffed_event_ids())));

ALTER TABLE convene.meeting_bookings ENABLE ROW LEVEL SECURITY;
CREATE POLICY meeting_bookings_select ON convene.meeting_bookings FOR SELECT
    USING (attendee_id = ANY (ARRAY(SELECT convene_private.my_attendee_ids()))
           OR event_id = ANY (ARRAY(SELECT convene_private.my_staffed_event_ids())));

ALTER TABLE convene.meeting_places ENABLE ROW LEVEL SECURITY;
CREATE POLICY meeting_places_select ON convene.meeting_places FOR SELECT
    USING (event_id = ANY (ARRAY(SELECT convene_private.my_staffed_event_ids())));

ALTER TABLE convene.meeting_day_counts ENABLE ROW LEVEL SECURITY;
CREATE POLICY service_only ON convene.meeting_day_counts USING (false);

ALTER TABLE convene.meeting_schedule_drafts ENABLE ROW LEVEL SECURITY;
CREATE POLICY meeting_schedule_drafts_select ON convene.meeting_schedule_drafts FOR SELECT
    USING (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())));

-- The messages are between the two: staff of the event reads none of it.
ALTER TABLE convene.networking_connections ENABLE ROW LEVEL SECURITY;
CREATE POLICY networking_connections_select ON convene.networking_connections FOR SELECT
    USING ((status <> 'blocked' AND requester_id = ANY (ARRAY(SELECT convene_private.my_attendee_ids())))
           OR (status <> 'blocked' AND target_id = ANY (ARRAY(SELECT convene_private.my_attendee_ids()))));
