-- One introduction from check-in to rating, at a meeting of contractors in Phoenix. The people are generated; the clock is moved
-- by p_now, which the service may do. pg_temp.send() is what a worker does, see ../sms-worker.
\set contractors_day 'md5(''Contractors Day'')::uuid'
SELECT (date_trunc('year', now()) + interval '1 year 5 months 14 days')::date AS contractors_date \gset

INSERT INTO convene.events (id, title, status, start_at, end_at, time_zone, city)
SELECT :contractors_day, 'Contractors'' Day', 'published', d + time '09:00', d + time '17:00', 'America/Phoenix', 'Phoenix'
FROM (SELECT :'contractors_date'::timestamp AT TIME ZONE 'America/Phoenix') x(d);
INSERT INTO convene.sessions (event_id, title, session_type, room, start_time, end_time)
SELECT e.id, s.title, s.type, s.room, e.start_at + s.start, e.start_at + s.start + s.length
FROM convene.events e, (VALUES ('Coffee', 'break', 'Courtyard', interval '90 min', interval '30 min'),
                               ('Lunch', 'lunch', 'Garden', interval '180 min', interval '60 min'),
                               ('Coffee again', 'break', 'Courtyard', interval '330 min', interval '30 min')) s(title, type, room, start, length)
WHERE e.id = :contractors_day;

INSERT INTO convene.contractors (id, first_name, last_name, company_name, phone, email, city, state, focus_areas, services_offered,
                                 revenue_tier, team_size) VALUES
    (md5('contractor 1')::uuid, 'Joan', 'Hart', 'Hart Air', '+1 602 555 0101', 'joan@hart-air.example', 'Phoenix', 'AZ', '{hiring,operations}', '{hvac}', '1m_2m', 15),
    (md5('contractor 2')::uuid, 'Sam', 'Reyes', 'Reyes Cooling', '+1 214 555 0102', 'sam@reyes.example', 'Dallas', 'TX', '{operations,hiring}', '{hvac}', '1m_2m', 17),
    (md5('contractor 3')::uuid, 'Lee', 'Novak', 'Novak Plumbing', '+1 303 555 0103', 'lee@novak.example', 'Denver', 'CO', '{pricing}', '{plumbing}', '5m_10m', 80);
INSERT INTO convene.event_attendees (event_id, contractor_id, peer_matching_opt_in)
SELECT :contractors_day, md5('contractor ' || n)::uuid, true FROM generate_series(1, 3) n;

CREATE FUNCTION pg_temp.hour(clock time) RETURNS timestamptz LANGUAGE sql STABLE AS
$$ SELECT ((start_at AT TIME ZONE time_zone)::date + clock) AT TIME ZONE time_zone FROM convene.events WHERE id = md5('Contractors Day')::uuid $$;
CREATE FUNCTION pg_temp.send() RETURNS bigint LANGUAGE sql AS
$$ SELECT count(convene.ack_outbox(c.id, NULL, c.lease_token)) FROM convene.claim_outbox('sms', 100) c $$;

\echo
\echo 'Peers: who should meet at a day of contractors, and when they would be asked'
SELECT g->>'contractors' AS contractors, g->>'matches' AS matches FROM convene.generate_event_peer_matches(:contractors_day) g;
SELECT c1.first_name AS one, c2.first_name AS other, round(m.match_score, 2) AS score, m.match_type AS type, m.match_reason AS reason
FROM convene.event_peer_matches m JOIN convene.contractors c1 ON c1.id = m.contractor1_id JOIN convene.contractors c2 ON c2.id = m.contractor2_id
WHERE m.event_id = :contractors_day;
SELECT to_char(prompt_at AT TIME ZONE 'America/Phoenix', 'HH24:MI') AS at, context, location, message
FROM convene.suggested_prompt_times(:contractors_day);

\o /dev/null
UPDATE convene.event_attendees SET checked_in_at = pg_temp.hour('08:40') WHERE event_id = :contractors_day;
SELECT convene.dispatch_due_prompts(:contractors_day, pg_temp.hour('08:46')), pg_temp.send();
SELECT convene.handle_peer_message('+16025550101', 'Yes please!', pg_temp.hour('08:50'));
SELECT convene.handle_peer_message('214-555-0102', 'later 🙂', pg_temp.hour('08:52'));
SELECT pg_temp.send();
SELECT convene.dispatch_due_prompts(:contractors_day, pg_temp.hour('10:25')), pg_temp.send();
SELECT convene.handle_peer_message('+12145550102', 'yse', pg_temp.hour('10:27')), pg_temp.send();
SELECT convene.dispatch_due_prompts(:contractors_day, pg_temp.hour('12:30')), pg_temp.send();
SELECT convene.handle_peer_message('+16025550101', '9/10', pg_temp.hour('12:31'));
SELECT convene.handle_peer_message('+12145550102', 'What was the question?', pg_temp.hour('12:33'));
SELECT convene.handle_peer_message('+12145550102', 'a solid eight', pg_temp.hour('12:34'));
SELECT pg_temp.send();
\o

\echo 'One introduction, from check-in at 08:40 to the rating, as it went over two phones:'
SELECT to_char(coalesce(m.queued_at, m.created_at) AT TIME ZONE 'America/Phoenix', 'HH24:MI') AS at,
       CASE m.direction WHEN 'in' THEN c.first_name || ' writes' ELSE 'to ' || c.first_name END AS who, m.body AS message
FROM convene.peer_messages m JOIN convene.contractors c ON c.id = m.contractor_id
WHERE c.id IN (md5('contractor 1')::uuid, md5('contractor 2')::uuid)
ORDER BY coalesce(m.queued_at, m.created_at), m.direction, c.first_name, m.kind;
SELECT contacts_exchanged_at IS NOT NULL AS "contacts exchanged", connection_made AS met, pcr_score AS "PCR score"
FROM convene.event_peer_matches WHERE event_id = :contractors_day;
