-- Contractors who come to events and the peers they are introduced to. Consent is a person's own; contact details change
-- hands when both have said yes, and nobody but the two reads what was written.

CREATE TABLE convene.contractors (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    profile_id uuid UNIQUE REFERENCES convene.profiles ON DELETE SET NULL,
    first_name text NOT NULL CHECK (first_name <> ''),
    last_name text NOT NULL DEFAULT '',
    company_name text,
    email text,
    phone text,
    phone_digits text GENERATED ALWAYS AS (nullif(regexp_replace(phone, '[^0-9]', '', 'g'), '')) STORED,
    city text,
    state text,
    service_area text GENERATED ALWAYS AS (coalesce(nullif(btrim(city), '') || ', ' || nullif(btrim(state), ''),
                                                    nullif(btrim(city), ''), nullif(btrim(state), ''))) STORED,
    focus_areas text[] NOT NULL DEFAULT '{}' CHECK (cardinality(focus_areas) <= 200),
    services_offered text[] NOT NULL DEFAULT '{}' CHECK (cardinality(services_offered) <= 200),
    revenue_tier text CHECK (revenue_tier IN ('under_500k', '500k_1m', '1m_2m', '2m_5m', '5m_10m', '10m_plus')),
    team_size integer CHECK (team_size >= 0),
    years_in_business integer CHECK (years_in_business >= 0),
    technology_stack text[] NOT NULL DEFAULT '{}' CHECK (cardinality(technology_stack) <= 200),
    disc_style text CHECK (disc_style IN ('D', 'I', 'S', 'C')),
    cross_event_opt_in boolean NOT NULL DEFAULT false,
    messages_stopped_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE convene.contractors IS 'Contractors, across all events; their phone and email are read by nobody else until both sides of a match agreed';
COMMENT ON COLUMN convene.contractors.profile_id IS 'The person who signs in as this contractor; null: known by phone only';
COMMENT ON COLUMN convene.contractors.phone_digits IS 'The digits of phone, by which an incoming message finds its sender';
COMMENT ON COLUMN convene.contractors.service_area IS '''City, ST'', or the one of the two that is known';
COMMENT ON COLUMN convene.contractors.focus_areas IS 'What they want to talk about: hiring, operations and the like';
COMMENT ON COLUMN convene.contractors.revenue_tier IS 'Yearly revenue; null: unknown';
COMMENT ON COLUMN convene.contractors.team_size IS 'Null or 0: unknown';
COMMENT ON COLUMN convene.contractors.technology_stack IS 'Tools they run their business with';
COMMENT ON COLUMN convene.contractors.disc_style IS 'Strongest style of a DISC profile: D, I, S or C';
COMMENT ON COLUMN convene.contractors.cross_event_opt_in IS 'Agrees to be found by people of other events; given by the contractor only';
COMMENT ON COLUMN convene.contractors.messages_stopped_at IS 'When the carrier''s STOP ended all messages to this person; null: messages may go out';
CREATE INDEX idx_contractors_phone ON convene.contractors (phone_digits);
CREATE TRIGGER contractors_touch BEFORE UPDATE ON convene.contractors
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

CREATE TABLE convene.event_attendees (
    event_id uuid NOT NULL REFERENCES convene.events ON DELETE CASCADE,
    contractor_id uuid NOT NULL REFERENCES convene.contractors ON DELETE CASCADE,
    attendee_id uuid UNIQUE,
    checked_in_at timestamptz,
    peer_matching_opt_in boolean NOT NULL DEFAULT false,
    opted_out_at timestamptz,
    muted_until timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (event_id, contractor_id),
    CHECK (NOT peer_matching_opt_in OR opted_out_at IS NULL),
    FOREIGN KEY (attendee_id, event_id) REFERENCES convene.attendees (id, event_id) ON DELETE SET NULL (attendee_id)
) WITH (fillfactor = 85);
COMMENT ON TABLE convene.event_attendees IS 'Which contractor is at which event, and whether they agreed to meet peers there';
COMMENT ON COLUMN convene.event_attendees.attendee_id IS 'The same person''s registration; null: known as a contractor only';
COMMENT ON COLUMN convene.event_attendees.peer_matching_opt_in IS 'Nobody is matched or asked without it; given and taken back by the contractor only';
COMMENT ON COLUMN convene.event_attendees.opted_out_at IS 'When peer_matching_opt_in was taken back; kept by a trigger';
COMMENT ON COLUMN convene.event_attendees.muted_until IS 'No prompts before; the contractor''s own choice';
CREATE INDEX idx_event_attendees_contractor ON convene.event_attendees (contractor_id);
CREATE TRIGGER event_attendees_touch BEFORE UPDATE ON convene.event_attendees
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

CREATE FUNCTION convene_private.keep_opt_out() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.opted_out_at := CASE WHEN NEW.peer_matching_opt_in THEN NULL ELSE now() END;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.keep_opt_out() IS 'Notes when somebody took back their consent to be matched';
CREATE TRIGGER event_attendees_opt_out BEFORE UPDATE ON convene.event_attendees
    FOR EACH ROW WHEN (OLD.peer_matching_opt_in IS DISTINCT FROM NEW.peer_matching_opt_in)
    EXECUTE FUNCTION convene_private.keep_opt_out();

-- What peers are matched by is kept in memory while its revision stands. Definer, these three: revisions are nobody's to write.
CREATE FUNCTION convene_private.event_attendees_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM convene_private.bump_revisions(ARRAY(SELECT DISTINCT n.event_id FROM new_rows n), 'peers');
    ELSIF TG_OP = 'DELETE' THEN
        PERFORM convene_private.bump_revisions(ARRAY(SELECT DISTINCT o.event_id FROM old_rows o), 'peers');
    ELSE
        PERFORM convene_private.bump_revisions(ARRAY(
            SELECT DISTINCT d.event_id FROM (
                (SELECT n.event_id, n.contractor_id, n.attendee_id, n.peer_matching_opt_in FROM new_rows n
                 EXCEPT SELECT o.event_id, o.contractor_id, o.attendee_id, o.peer_matching_opt_in FROM old_rows o)
                UNION ALL
                (SELECT o.event_id, o.contractor_id, o.attendee_id, o.peer_matching_opt_in FROM old_rows o
                 EXCEPT SELECT n.event_id, n.contractor_id, n.attendee_id, n.peer_matching_opt_in FROM new_rows n)) d), 'peers');
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION convene_private.event_attendees_changed() IS 'Notes that other contractors take part in peer matching';
CREATE TRIGGER event_attendees_inserted AFTER INSERT ON convene.event_attendees REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.event_attendees_changed();
CREATE TRIGGER event_attendees_updated AFTER UPDATE ON convene.event_attendees REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.event_attendees_changed();
CREATE TRIGGER event_attendees_deleted AFTER DELETE ON convene.event_attendees REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.event_attendees_changed();

CREATE FUNCTION convene_private.contractors_updated() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM convene_private.bump_revisions(ARRAY(
        SELECT DISTINCT ea.event_id FROM convene.event_attendees ea WHERE ea.contractor_id = ANY (ARRAY(
            SELECT d.id FROM (
                SELECT n.id, n.city, n.state, n.focus_areas, n.services_offered, n.revenue_tier, n.team_size, n.years_in_business,
                       n.technology_stack, n.disc_style, n.messages_stopped_at IS NULL FROM new_rows n
                EXCEPT
                SELECT o.id, o.city, o.state, o.focus_areas, o.services_offered, o.revenue_tier, o.team_size, o.years_in_business,
                       o.technology_stack, o.disc_style, o.messages_stopped_at IS NULL FROM old_rows o) d))), 'peers');
    RETURN NULL;
END $$;
COMMENT ON FUNCTION convene_private.contractors_updated() IS 'Notes that contractors changed in what they are compared by';
CREATE TRIGGER contractors_updated AFTER UPDATE ON convene.contractors REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.contractors_updated();

CREATE FUNCTION convene_private.attendee_came_or_went() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM convene.event_attendees ea WHERE ea.attendee_id = NEW.id) THEN
        PERFORM convene_private.bump_revisions(ARRAY[NEW.event_id], 'peers');
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION convene_private.attendee_came_or_went() IS 'Notes that a contractor''s registration was cancelled or taken up again';
CREATE TRIGGER attendees_came_or_went AFTER UPDATE OF status ON convene.attendees
    FOR EACH ROW WHEN ((OLD.status IN ('cancelled', 'no_show')) IS DISTINCT FROM (NEW.status IN ('cancelled', 'no_show')))
    EXECUTE FUNCTION convene_private.attendee_came_or_went();

-- A pair has one row, the smaller id first, so that it can be neither doubled nor turned round. Whoever leaves the event
-- takes their matches along.
CREATE TABLE convene.event_peer_matches (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    event_id uuid NOT NULL REFERENCES convene.events ON DELETE CASCADE,
    contractor1_id uuid NOT NULL,
    contractor2_id uuid NOT NULL,
    match_type text NOT NULL CHECK (match_type IN ('ideal_peer', 'focus_area_match', 'scale_match', 'general_match')),
    match_criteria jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(match_criteria) = 'object'),
    match_score numeric(5,4) NOT NULL CHECK (match_score BETWEEN 0 AND 1),
    match_reason text,
    introduction_sent_time timestamptz,
    introduction_message text,
    contractor1_response boolean,
    contractor2_response boolean,
    contractor1_responded_at timestamptz,
    contractor2_responded_at timestamptz,
    contacts_exchanged_at timestamptz,
    connection_made boolean NOT NULL DEFAULT false,
    meeting_scheduled boolean NOT NULL DEFAULT false,
    meeting_time timestamptz,
    meeting_location text,
    feedback_contractor1 text,
    feedback_contractor2 text,
    rating_contractor1 integer CHECK (rating_contractor1 BETWEEN 1 AND 10),
    rating_contractor2 integer CHECK (rating_contractor2 BETWEEN 1 AND 10),
    pcr_score numeric(5,2) GENERATED ALWAYS AS ((coalesce(rating_contractor1, rating_contractor2)
                                                 + coalesce(rating_contractor2, rating_contractor1)) / 2.0) STORED,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (event_id, contractor1_id, contractor2_id),
    UNIQUE (id, event_id),
    CHECK (contractor1_id < contractor2_id),
    CHECK (contacts_exchanged_at IS NULL OR (contractor1_response IS TRUE AND contractor2_response IS TRUE)),
    FOREIGN KEY (contractor1_id, event_id) REFERENCES convene.event_attendees (contractor_id, event_id) ON DELETE CASCADE,
    FOREIGN KEY (contractor2_id, event_id) REFERENCES convene.event_attendees (contractor_id, event_id) ON DELETE CASCADE
) WITH (fillfactor = 85);
COMMENT ON TABLE convene.event_peer_matches IS 'Pairs of contractors at an event: why they fit, what each answered, what came of it. One row for an unordered pair';
COMMENT ON COLUMN convene.event_peer_matches.contractor1_id IS 'The smaller id of the two';
COMMENT ON COLUMN convene.event_peer_matches.match_criteria IS 'The parts of the score: focusAreas, geographic, businessScale, industry';
COMMENT ON COLUMN convene.event_peer_matches.match_score IS '0 to 1';
COMMENT ON COLUMN convene.event_peer_matches.match_reason IS 'A sentence for people, made from the parts';
COMMENT ON COLUMN convene.event_peer_matches.introduction_sent_time IS 'When both were first asked; null: not yet';
COMMENT ON COLUMN convene.event_peer_matches.introduction_message IS 'A text in place of the template; no role of the API reads it';
COMMENT ON COLUMN convene.event_peer_matches.contractor1_response IS 'Null: has not answered, or an answer that lapsed';
COMMENT ON COLUMN convene.event_peer_matches.contacts_exchanged_at IS 'When each got the other''s phone and email: once, after both said yes';
COMMENT ON COLUMN convene.event_peer_matches.connection_made IS 'They met';
COMMENT ON COLUMN convene.event_peer_matches.feedback_contractor1 IS 'What contractor1 said of the meeting, in confidence: no role of the API reads it';
COMMENT ON COLUMN convene.event_peer_matches.rating_contractor1 IS 'Given by contractor1, 1 to 10, in confidence like the feedback';
COMMENT ON COLUMN convene.event_peer_matches.pcr_score IS 'Mean of the ratings given, 1 to 10';
CREATE INDEX idx_peer_match_contractor1 ON convene.event_peer_matches (contractor1_id);
CREATE INDEX idx_peer_match_contractor2 ON convene.event_peer_matches (contractor2_id);
CREATE INDEX idx_peer_match_score ON convene.event_peer_matches (match_score);
CREATE TRIGGER event_peer_matches_keep_pair BEFORE UPDATE ON convene.event_peer_matches
    FOR EACH ROW WHEN (OLD.event_id IS DISTINCT FROM NEW.event_id
                       OR OLD.contractor1_id IS DISTINCT FROM NEW.contractor1_id
                       OR OLD.contractor2_id IS DISTINCT FROM NEW.contractor2_id)
    EXECUTE FUNCTION convene_private.refuse_change('event_id, contractor1_id, contractor2_id');
CREATE TRIGGER event_peer_matches_touch BEFORE UPDATE ON convene.event_peer_matches
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

CREATE TABLE convene.service_families (
    family text CHECK (family <> '' AND family = lower(btrim(family))),
    service text CHECK (service <> '' AND service = lower(btrim(service))),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (service, family)
);
COMMENT ON TABLE convene.service_families IS 'Services that are near to one another: two of one family count as half the same trade';
COMMENT ON COLUMN convene.service_families.service IS 'In lower case, as services_offered is compared';

INSERT INTO convene.service_families (family, service)
SELECT f.family, s.service
FROM (VALUES
    ('home services', ARRAY['hvac', 'heating', 'air conditioning', 'plumbing', 'electrical', 'roofing', 'gutters', 'siding',
                            'windows', 'doors', 'insulation', 'solar', 'flooring', 'painting', 'carpentry', 'remodeling',
                            'kitchen remodeling', 'bathroom remodeling', 'garage doors', 'appliance repair', 'handyman',
                            'water treatment', 'foundation repair', 'waterproofing', 'chimney', 'locksmith']),
    ('outdoor services', ARRAY['landscaping', 'lawn care', 'tree care', 'irrigation', 'hardscaping', 'decks', 'fencing', 'pools',
                               'paving', 'snow removal']),
    ('cleaning and care', ARRAY['house cleaning', 'commercial cleaning', 'carpet cleaning', 'window cleaning', 'pressure washing',
                                'pest control', 'junk removal', 'mold remediation', 'restoration']),
    ('building', ARRAY['general contracting', 'custom homes', 'additions', 'framing', 'concrete', 'masonry', 'drywall', 'steel',
                       'excavation', 'demolition', 'design-build'])) f(family, services),
    unnest(f.services) s(service);

CREATE TABLE convene.message_templates (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    event_id uuid REFERENCES convene.events ON DELETE CASCADE,
    phase text NOT NULL CHECK (phase IN ('introduction', 'arrival', 'break', 'lunch', 'networking', 'accepted', 'declined',
                                         'later', 'skipped', 'contact_exchange', 'rating_request', 'rating_thanks', 'follow_up',
                                         'opted_out', 'opted_in', 'stopped', 'help')),
    language text NOT NULL DEFAULT 'en' CHECK (language <> ''),
    body text NOT NULL CHECK (body <> '' AND length(body) <= 1600),
    is_active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE convene.message_templates IS 'Texts of the conversation by SMS, by phase; names in braces are filled in when a text goes out';
COMMENT ON COLUMN convene.message_templates.event_id IS 'Null: for every event that has no text of its own';
COMMENT ON COLUMN convene.message_templates.phase IS 'introduction and the four prompts of the day (arrival, break, lunch, networking) ask; accepted, declined, later, skipped, opted_out, opted_in, stopped and rating_thanks confirm; rating_request follows a meeting, follow_up an event';
COMMENT ON COLUMN convene.message_templates.is_active IS 'Of one event, phase and language one text is in use';
CREATE UNIQUE INDEX idx_message_templates_active ON convene.message_templates (event_id, phase, language) NULLS NOT DISTINCT
    WHERE is_active;
CREATE INDEX idx_message_templates_event ON convene.message_templates (event_id);

-- A text with a name that nobody fills in would be sent with its braces, and one with a phone number too early would give
-- away what was promised to wait: so both are refused when the text is saved.
CREATE FUNCTION convene_private.check_message_template() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    known text[] := '{firstName,eventTitle}';
    used text;
BEGIN
    IF NEW.phase NOT IN ('opted_out', 'opted_in', 'stopped', 'help') THEN
        known := known || '{peerName,peerFirstName,peerCompany,peerLocation,commonFocusAreas,matchReason,marketNote}'::text[];
    END IF;
    IF NEW.phase IN ('introduction', 'arrival', 'break', 'lunch', 'networking', 'later', 'skipped') THEN
        known := known || '{location,minutes,nextBreak}'::text[];
    END IF;
    IF NEW.phase = 'contact_exchange' THEN
        known := known || '{peerPhone,peerEmail}'::text[];
    END IF;
    FOR used IN SELECT m[1] FROM regexp_matches(NEW.body, '\{([^{}]*)\}', 'g') m LOOP
        IF used <> ALL (known) THEN
            RAISE EXCEPTION 'nothing fills in {%} in a text of phase %', used, NEW.phase
                USING ERRCODE = '22023', DETAIL = 'Phone and email are known to a contact_exchange only.',
                      HINT = format('Use of these: {%s}.', array_to_string(known, '}, {'));
        END IF;
    END LOOP;
    IF regexp_replace(NEW.body, '\{[^{}]*\}', '', 'g') ~ '[{}]' THEN
        RAISE EXCEPTION 'a brace stands alone in a text of phase %', NEW.phase
            USING ERRCODE = '22023', HINT = 'Write names to be filled in as {firstName}.';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.check_message_template() IS 'Accepts the placeholders that are filled in at this phase, and no others';
CREATE TRIGGER message_templates_check BEFORE INSERT OR UPDATE OF phase, body ON convene.message_templates
    FOR EACH ROW EXECUTE FUNCTION convene_private.check_message_template();
CREATE TRIGGER message_templates_touch BEFORE UPDATE ON convene.message_templates
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

-- marketNote says that the two do not compete, where that is so, and is empty otherwise.
INSERT INTO convene.message_templates (phase, body) VALUES
    ('introduction',
     E'Hi {firstName}, somebody at {eventTitle} is worth meeting: {peerName} of {peerCompany} ({peerLocation}). {matchReason} '
     '{marketNote}\n\nYES to be introduced if they want it too, LATER to hear from us at the next break, NO if not. '
     'STOP PEER ends these messages.'),
    ('arrival',
     E'Good morning {firstName}! Before it all begins: {peerName} of {peerCompany} is here as well. {matchReason}\n\n'
     'Say hello at {location}? YES, LATER or NO.'),
    ('break',
     E'{firstName}, there is a break in {minutes} minutes. Shall we tell {peerFirstName} of {peerCompany} that you will be at '
     '{location}?\n\nYES to meet, SKIP to keep this break for yourself.'),
    ('lunch',
     E'Lunch, {firstName}! A good moment to sit down with {peerName} of {peerCompany}. {matchReason}\n\n'
     'Meet at {location}? YES, LATER or SKIP.'),
    ('networking',
     E'{firstName}, people will soon be on their way home, and you have not met {peerName} of {peerCompany} yet. '
     '{matchReason}\n\nMeet at {location} now? YES or SKIP.'),
    ('accepted', 'Thank you, {firstName}. You hear from us as soon as {peerFirstName} answers.'),
    ('declined', 'All right, {firstName}: no introduction to {peerFirstName}, and nothing is held against anybody.'),
    ('later', 'Of course, {firstName}. We ask again at the next break, at {nextBreak}.'),
    ('skipped', 'Enjoy the break, {firstName}. The introduction stays open.'),
    ('contact_exchange',
     E'{firstName}, you both said yes! {peerName} of {peerCompany} can be reached here:\n{peerPhone}\n{peerEmail}\n\n'
     'They have your details too.'),
    ('rating_request',
     '{firstName}, how was it to meet {peerFirstName}? A number from 1 (a waste of time) to 10 (worth the trip) tells us whom to '
     'look for next time.'),
    ('rating_thanks', 'Noted, {firstName}, thank you. It stays with us.'),
    ('follow_up', 'Hi {firstName}, you met {peerName} of {peerCompany} at {eventTitle}. Are you still in touch? YES or NO.'),
    ('opted_out', 'No more introductions, {firstName}. START PEER brings them back.'),
    ('opted_in', 'Welcome back, {firstName}. We look for peers for you at {eventTitle} again; STOP PEER ends it.'),
    ('stopped', 'You will get no more messages from us.'),
    ('help',
     'We understand YES, NO, LATER, SKIP and a number from 1 to 10. STOP PEER ends introductions, STOP ends all messages.');

CREATE TABLE convene.peer_messages (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    event_id uuid REFERENCES convene.events ON DELETE CASCADE,
    contractor_id uuid REFERENCES convene.contractors ON DELETE CASCADE,
    match_id uuid,
    direction text NOT NULL CHECK (direction IN ('in', 'out')),
    kind text CHECK (kind IN ('introduction', 'arrival', 'break', 'lunch', 'networking', 'accepted', 'declined', 'later',
                              'skipped', 'contact_exchange', 'rating_request', 'rating_thanks', 'follow_up',
                              'opted_out', 'opted_in', 'stopped', 'help')),
    is_prompt boolean NOT NULL GENERATED ALWAYS AS (kind IS NOT NULL AND kind IN (
        'introduction', 'arrival', 'break', 'lunch', 'networking', 'rating_request', 'follow_up')) STORED,
    understood text CHECK (understood IN ('yes', 'no', 'later', 'skip', 'rating', 'stop_peer', 'start_peer', 'stop', 'unclear',
                                          'ambiguous', 'unknown_sender')),
    body text,
    phone text,
    external_id text UNIQUE CHECK (external_id <> ''),
    outbox_id uuid,
    status text NOT NULL CHECK (status IN ('waiting', 'queued', 'sent', 'failed', 'cancelled', 'received')),
    due_at timestamptz,
    queued_at timestamptz,
    keeps_until timestamptz,
    sent_at timestamptz,
    closed_at timestamptz,
    answer text,
    question_id uuid,
    introduction_no integer CHECK (introduction_no > 0),
    follow_up_days integer CHECK (follow_up_days IN (30, 60, 90)),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((direction = 'in') = (status = 'received')),
    CHECK ((direction = 'out') = (kind IS NOT NULL)),
    CHECK (direction = 'in' OR contractor_id IS NOT NULL),
    CHECK (direction = 'in' OR (understood IS NULL AND question_id IS NULL)),
    CHECK (match_id IS NULL OR event_id IS NOT NULL),
    CHECK (answer IS NULL OR closed_at IS NOT NULL),
    FOREIGN KEY (match_id, event_id) REFERENCES convene.event_peer_matches (id, event_id) ON DELETE SET NULL (match_id)
) WITH (fillfactor = 85);
COMMENT ON TABLE convene.peer_messages IS 'Every message to and from a contractor; each of them reads their own, and nobody else does';
COMMENT ON COLUMN convene.peer_messages.event_id IS 'Null: about no event, as STOP or what nobody understood';
COMMENT ON COLUMN convene.peer_messages.contractor_id IS 'Whose message it is; null: it came from a number that is nobody''s, or of several people';
COMMENT ON COLUMN convene.peer_messages.kind IS 'Phase of message_templates that goes out; null for what came in';
COMMENT ON COLUMN convene.peer_messages.is_prompt IS 'Asks for an answer, and counts against the limit by the hour';
COMMENT ON COLUMN convene.peer_messages.understood IS 'What a message that came in was taken for';
COMMENT ON COLUMN convene.peer_messages.body IS 'The words; null until rendered, which is when it is handed to the sender';
COMMENT ON COLUMN convene.peer_messages.phone IS 'Number it went to or came from';
COMMENT ON COLUMN convene.peer_messages.external_id IS 'The messaging service''s id, by which a repeated delivery is recognised';
COMMENT ON COLUMN convene.peer_messages.outbox_id IS 'The work in outbox that sends it';
COMMENT ON COLUMN convene.peer_messages.status IS 'waiting: for its turn, as a person has one open question at a time; queued: in the outbox';
COMMENT ON COLUMN convene.peer_messages.due_at IS 'Not sent before; null: at once';
COMMENT ON COLUMN convene.peer_messages.queued_at IS 'When it was put into the outbox';
COMMENT ON COLUMN convene.peer_messages.keeps_until IS 'Of a prompt: no other one to this person before';
COMMENT ON COLUMN convene.peer_messages.introduction_no IS 'Of the first prompt about a match: the how manyeth introduction of this person at this event it is';
COMMENT ON COLUMN convene.peer_messages.follow_up_days IS 'Of a follow-up: so many days after the two met';
COMMENT ON COLUMN convene.peer_messages.closed_at IS 'When a prompt was answered, lapsed or was withdrawn; null: an answer is awaited';
COMMENT ON COLUMN convene.peer_messages.answer IS 'What was answered to a prompt, in the words of understood, or the number';
COMMENT ON COLUMN convene.peer_messages.question_id IS 'The prompt that an incoming message answers. No foreign key, which a restore of rows alone could not order; triggers keep it true';
CREATE INDEX idx_peer_messages_contractor ON convene.peer_messages (contractor_id, created_at DESC);
CREATE INDEX idx_peer_messages_event ON convene.peer_messages (event_id, created_at DESC);
CREATE INDEX idx_peer_messages_match ON convene.peer_messages (match_id);
CREATE INDEX idx_peer_messages_question ON convene.peer_messages (question_id);
CREATE INDEX idx_peer_messages_outbox ON convene.peer_messages (outbox_id);
CREATE INDEX idx_peer_messages_due ON convene.peer_messages (due_at) WHERE status = 'waiting';
-- One open question per person, also when two transactions ask at once; an introduction and an exchange of contacts once.
CREATE UNIQUE INDEX idx_peer_messages_open ON convene.peer_messages (contractor_id)
    WHERE is_prompt AND closed_at IS NULL AND status IN ('queued', 'sent');
CREATE UNIQUE INDEX idx_peer_messages_once ON convene.peer_messages (match_id, contractor_id, kind)
    WHERE kind IN ('introduction', 'contact_exchange') AND status <> 'cancelled';
-- The limits hold whoever writes, and at any level of isolation: each introduction has a number of its own below the limit,
-- each prompt keeps the time after it free.
CREATE UNIQUE INDEX idx_peer_messages_introduction ON convene.peer_messages (contractor_id, event_id, introduction_no)
    WHERE introduction_no IS NOT NULL AND status <> 'cancelled';
CREATE UNIQUE INDEX idx_peer_messages_follow_up ON convene.peer_messages (match_id, contractor_id, follow_up_days)
    WHERE follow_up_days IS NOT NULL AND status <> 'cancelled';
ALTER TABLE convene.peer_messages ADD CONSTRAINT peer_messages_gap
    EXCLUDE USING gist (contractor_id WITH =, tstzrange(queued_at, coalesce(keeps_until, queued_at)) WITH &&)
    WHERE (is_prompt AND status IN ('queued', 'sent') AND queued_at IS NOT NULL);
CREATE INDEX idx_peer_messages_waiting ON convene.peer_messages (contractor_id) WHERE status = 'waiting';
CREATE TRIGGER peer_messages_question BEFORE INSERT OR UPDATE OF question_id, contractor_id ON convene.peer_messages
    FOR EACH ROW WHEN (NEW.question_id IS NOT NULL)
    EXECUTE FUNCTION convene_private.check_reference('question_id', 'peer_messages', 'contractor_id');
CREATE TRIGGER peer_messages_answers AFTER DELETE ON convene.peer_messages
    FOR EACH ROW EXECUTE FUNCTION convene_private.clear_reference('peer_messages', 'question_id');
CREATE TRIGGER peer_messages_touch BEFORE UPDATE ON convene.peer_messages
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

CREATE FUNCTION convene_private.takes_part(p_opt_in boolean, p_attendee_id uuid) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT p_opt_in AND NOT EXISTS (SELECT FROM convene.attendees r
                                    WHERE r.id = p_attendee_id AND r.status IN ('cancelled', 'no_show'))
$$;
COMMENT ON FUNCTION convene_private.takes_part(boolean, uuid) IS 'Whether a row of event_attendees is of somebody who agreed to introductions and has not cancelled';

-- Whoever takes their consent back gets nothing more that was under way, and a yes that nothing came of is none any more. What
-- a worker is just being given is skipped here, so that nobody waits for workers: consent is looked at again there.
CREATE FUNCTION convene_private.withdraw_peer_messages(p_contractor_id uuid, p_event_id uuid DEFAULT NULL) RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    UPDATE convene.event_peer_matches p
    SET contractor1_response = CASE WHEN p.contractor1_id <> p_contractor_id THEN p.contractor1_response END,
        contractor2_response = CASE WHEN p.contractor2_id <> p_contractor_id THEN p.contractor2_response END
    WHERE p_contractor_id IN (p.contractor1_id, p.contractor2_id) AND p.contacts_exchanged_at IS NULL
      AND (p_event_id IS NULL OR p.event_id = p_event_id)
      AND CASE p_contractor_id WHEN p.contractor1_id THEN p.contractor1_response ELSE p.contractor2_response END;
    WITH taken AS (
        UPDATE convene.outbox o
        SET status = 'cancelled', processed_at = now(), last_error = 'consent was taken back'
        WHERE o.id IN (SELECT w.id FROM convene.outbox w JOIN convene.peer_messages m ON m.outbox_id = w.id
                       WHERE m.contractor_id = p_contractor_id AND (p_event_id IS NULL OR m.event_id = p_event_id)
                         AND m.status = 'queued' AND w.status = 'pending'
                       FOR UPDATE OF w SKIP LOCKED)
        RETURNING o.target_id)
    UPDATE convene.peer_messages m
    SET closed_at = coalesce(m.closed_at, now()),
        status = CASE WHEN m.status = 'waiting' OR m.id IN (SELECT t.target_id FROM taken t) THEN 'cancelled' ELSE m.status END
    WHERE m.contractor_id = p_contractor_id AND (p_event_id IS NULL OR m.event_id = p_event_id) AND m.direction = 'out'
      AND (m.status = 'waiting' OR m.id IN (SELECT t.target_id FROM taken t) OR (m.is_prompt AND m.closed_at IS NULL))
$$;
COMMENT ON FUNCTION convene_private.withdraw_peer_messages(uuid, uuid) IS 'Takes back what is under way to a contractor, at one event or at all, and their yeses that nothing came of';

-- Definer: the contractor changes their own consent, and may not write messages and matches.
CREATE FUNCTION convene_private.end_peer_messages() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- Argument: the column that says whose messages they are. A contractor belongs to no event.
    PERFORM convene_private.withdraw_peer_messages((to_jsonb(NEW) ->> TG_ARGV[0])::uuid, (to_jsonb(NEW) ->> 'event_id')::uuid);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION convene_private.end_peer_messages() IS 'Takes back what is under way to somebody who takes back their consent';
CREATE TRIGGER event_attendees_end_messages AFTER UPDATE ON convene.event_attendees
    FOR EACH ROW WHEN (OLD.peer_matching_opt_in AND NOT NEW.peer_matching_opt_in)
    EXECUTE FUNCTION convene_private.end_peer_messages('contractor_id');
CREATE TRIGGER contractors_end_messages AFTER UPDATE ON convene.contractors
    FOR EACH ROW WHEN (OLD.messages_stopped_at IS NULL AND NEW.messages_stopped_at IS NOT NULL)
    EXECUTE FUNCTION convene_private.end_peer_messages('id');

-- Contacts change hands, and messages are handed out, under a lock on both contractors; a block takes the same locks, so that
-- it comes either before or after. It writes them too, or a transaction with an older snapshot would not see that it was there.
CREATE FUNCTION convene_private.lock_blocked_peers() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM FROM convene.contractors c WHERE c.profile_id IN (NEW.blocker_profile, NEW.blocked_profile)
    ORDER BY c.id FOR NO KEY UPDATE;
    UPDATE convene.contractors c SET updated_at = now() WHERE c.profile_id IN (NEW.blocker_profile, NEW.blocked_profile);
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.lock_blocked_peers() IS 'A block waits for an exchange of contacts that is under way, or comes before it';
CREATE TRIGGER person_blocks_peers BEFORE INSERT ON convene.person_blocks
    FOR EACH ROW EXECUTE FUNCTION convene_private.lock_blocked_peers();

INSERT INTO convene.settings (key, value, description) VALUES
    ('peers.introductions_per_event', '5', 'The most introductions of one person at one event'),
    ('peers.prompt_gap_minutes', '60', 'Minutes between two prompts to one person'),
    ('peers.answer_minutes', '120', 'Minutes for which an unanswered question keeps the next one waiting'),
    ('peers.quiet_from', '"22:00"', 'Nobody is asked anything from this time of the day on, where the event is'),
    ('peers.quiet_until', '"07:00"', 'Until this one'),
    ('peers.help_per_hour', '20', 'The most help lines to one person in an hour, so that two machines do not talk for ever');

-- The caller's ids. Definer both: the policies of the tables they read are built on them.

CREATE FUNCTION convene_private.my_contractor_ids() RETURNS SETOF uuid
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT c.id FROM convene.contractors c WHERE c.profile_id = (SELECT convene_private.my_profile_id());
END $$;
COMMENT ON FUNCTION convene_private.my_contractor_ids() IS 'The caller as a contractor';

CREATE FUNCTION convene_private.my_shared_template_ids() RETURNS SETOF uuid
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT t.id FROM convene.message_templates t
    WHERE t.event_id IS NULL AND EXISTS (SELECT FROM convene_private.my_organization_ids());
END $$;
COMMENT ON FUNCTION convene_private.my_shared_template_ids() IS 'Texts for every event, where the caller works for an organization';

ALTER TABLE convene.contractors ENABLE ROW LEVEL SECURITY;
CREATE POLICY contractors_select ON convene.contractors FOR SELECT
    USING (profile_id = ANY (ARRAY(SELECT convene_private.my_profile_id())));
CREATE POLICY contractors_insert ON convene.contractors FOR INSERT
    WITH CHECK (profile_id = ANY (ARRAY(SELECT convene_private.my_profile_id())));
CREATE POLICY contractors_update ON convene.contractors FOR UPDATE
    USING (profile_id = ANY (ARRAY(SELECT convene_private.my_profile_id())));

ALTER TABLE convene.event_attendees ENABLE ROW LEVEL SECURITY;
CREATE POLICY event_attendees_select ON convene.event_attendees FOR SELECT
    USING (contractor_id = ANY (ARRAY(SELECT convene_private.my_contractor_ids()))
           OR event_id = ANY (ARRAY(SELECT convene_private.my_staffed_event_ids())));
CREATE POLICY event_attendees_insert ON convene.event_attendees FOR INSERT
    WITH CHECK (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())));
CREATE POLICY event_attendees_update ON convene.event_attendees FOR UPDATE
    USING (contractor_id = ANY (ARRAY(SELECT convene_private.my_contractor_ids()))
           OR event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())));

-- Definer: the caller may not name what is in convene_private.
CREATE FUNCTION convene_private.guard_event_attendee() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF (NEW.peer_matching_opt_in, NEW.muted_until) IS DISTINCT FROM (OLD.peer_matching_opt_in, OLD.muted_until)
       AND NEW.contractor_id <> ALL (ARRAY(SELECT convene_private.my_contractor_ids())) THEN
        RAISE EXCEPTION 'only the contractor may change peer_matching_opt_in and muted_until'
            USING ERRCODE = '42501', HINT = 'Ask the contractor, who can also answer START PEER or STOP PEER.';
    END IF;
    IF (NEW.attendee_id, NEW.checked_in_at) IS DISTINCT FROM (OLD.attendee_id, OLD.checked_in_at)
       AND NEW.event_id <> ALL (ARRAY(SELECT convene_private.my_managed_event_ids())) THEN
        RAISE EXCEPTION 'only an organizer of the event may change attendee_id and checked_in_at of a contractor'
            USING ERRCODE = '42501', HINT = 'Ask the organizer of the event.';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.guard_event_attendee() IS 'Consent and quiet are the contractor''s; registration and check-in are the organizer''s';
CREATE TRIGGER event_attendees_guard BEFORE UPDATE ON convene.event_attendees
    FOR EACH ROW WHEN (row_security_active('convene.event_attendees'::regclass) AND
                       (OLD.peer_matching_opt_in IS DISTINCT FROM NEW.peer_matching_opt_in
                        OR OLD.muted_until IS DISTINCT FROM NEW.muted_until
                        OR OLD.attendee_id IS DISTINCT FROM NEW.attendee_id
                        OR OLD.checked_in_at IS DISTINCT FROM NEW.checked_in_at))
    EXECUTE FUNCTION convene_private.guard_event_attendee();

ALTER TABLE convene.event_peer_matches ENABLE ROW LEVEL SECURITY;
-- That the other one said no is told to nobody: then the match is not there, as in get_contractor_matches().
CREATE POLICY event_peer_matches_select ON convene.event_peer_matches FOR SELECT
    USING (contractor1_id = ANY (ARRAY(SELECT convene_private.my_contractor_ids())) AND contractor2_response IS NOT FALSE
           OR contractor2_id = ANY (ARRAY(SELECT convene_private.my_contractor_ids())) AND contractor1_response IS NOT FALSE
           OR event_id = ANY (ARRAY(SELECT convene_private.my_staffed_event_ids())));

-- Names of trades are no secret.
ALTER TABLE convene.service_families ENABLE ROW LEVEL SECURITY;
CREATE POLICY service_families_select ON convene.service_families FOR SELECT USING (true);

ALTER TABLE convene.message_templates ENABLE ROW LEVEL SECURITY;
CREATE POLICY message_templates_select ON convene.message_templates FOR SELECT
    USING (event_id = ANY (ARRAY(SELECT convene_private.my_staffed_event_ids()))
           OR id = ANY (ARRAY(SELECT convene_private.my_shared_template_ids())));
CREATE POLICY message_templates_insert ON convene.message_templates FOR INSERT
    WITH CHECK (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())));
CREATE POLICY message_templates_update ON convene.message_templates FOR UPDATE
    USING (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())));
CREATE POLICY message_templates_delete ON convene.message_templates FOR DELETE
    USING (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())));

ALTER TABLE convene.peer_messages ENABLE ROW LEVEL SECURITY;
CREATE POLICY peer_messages_select ON convene.peer_messages FOR SELECT
    USING (contractor_id = ANY (ARRAY(SELECT convene_private.my_contractor_ids())));
