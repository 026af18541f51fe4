-- A day of meetings. Two hundred of them take to everybody who was suggested to them among the two hundred, which makes matches
-- that both accepted; three in four say until when, or from when on, they have time.
CREATE TEMP TABLE met AS
SELECT a.attendee_id AS id, row_number() OVER (ORDER BY a.full_name) AS number
FROM (SELECT n.attendee_id, x.full_name FROM convene.networking_preferences n JOIN convene.attendees x ON x.id = n.attendee_id
      WHERE n.event_id = :event ORDER BY x.full_name LIMIT 200) a;
UPDATE convene.networking_preferences n SET availability_slots = jsonb_build_array(jsonb_build_object('date', :'saturday'::date,
           'start', CASE WHEN early < 0.4 THEN '12:00' ELSE '09:00' END, 'end', CASE WHEN early >= 0.8 THEN '14:00' ELSE '18:00' END))
FROM met m, LATERAL (SELECT pg_temp.chance('early ' || m.number) AS early) drawn
WHERE n.attendee_id = m.id AND pg_temp.chance('says when ' || m.number) < 0.75;
SELECT count(convene.accept_match(m.id, side)) AS answers
FROM convene.matches m JOIN met a ON a.id = m.attendee_1_id JOIN met b ON b.id = m.attendee_2_id,
     LATERAL (VALUES (m.attendee_1_id), (m.attendee_2_id)) s(side)
WHERE m.status = 'suggested' \g /dev/null

\echo 'A day of meetings for 200 of them, who like whom they were suggested: 20 minutes each, 24 tables, beside the sessions they bookmarked'
SELECT clock_timestamp() AS started \gset
SELECT convene.schedule_event_meetings(:event, p_tables => 24, p_slot_minutes => 20, p_break_minutes => 10, p_room => 'Cafeteria',
    p_from => :'saturday'::date + time '10:00', p_to => :'saturday'::date + time '16:00') AS report \gset
SELECT r->>'pairs' AS "wanted pairs", r->>'meetings' AS meetings, r->>'people_with_a_meeting' AS "people with one",
       r->>'people_bound' AS "at most", round((r->>'total_compatibility')::numeric, 1) AS compatibility,
       round((r->>'total_bound')::numeric, 1) AS "at most", round(100 * (r->>'gap')::numeric, 1) || ' %' AS gap,
       round(extract(epoch FROM clock_timestamp() - :'started')::numeric, 1) AS seconds
FROM (SELECT :'report'::jsonb AS r) told;

\echo 'Who sits where: a row for each table, a column for each time, the numbers of the two attendees'
CREATE TEMP TABLE seats AS
SELECT (m->>'table')::integer AS seat, to_char((m->>'start')::timestamptz, 'HH24:MI') AS at,
       right(a.full_name, 3) || '+' || right(b.full_name, 3) AS two
FROM convene.meeting_schedule_drafts d, jsonb_array_elements(d.meetings) m
JOIN convene.attendees a ON a.id = (m->>'attendee_1')::uuid JOIN convene.attendees b ON b.id = (m->>'attendee_2')::uuid
WHERE d.id = (:'report'::jsonb->>'draft_id')::uuid;
SELECT seat AS "table", at, two FROM seats ORDER BY seat, at
\crosstabview

SELECT convene.publish_meeting_schedule((:'report'::jsonb->>'draft_id')::uuid) \g /dev/null
SELECT x.attendee_id AS busiest, a.full_name AS busiest_name
FROM convene.meeting_bookings x JOIN convene.attendees a ON a.id = x.attendee_id
WHERE x.event_id = :event GROUP BY 1, 2 ORDER BY count(*) DESC, a.full_name LIMIT 1 \gset
\echo 'It is published. The day of' :busiest_name
SELECT to_char(g.scheduled_start, 'HH24:MI') || '-' || to_char(g.scheduled_end, 'HH24:MI') AS "time", g.other_attendee_name AS whom,
       'table ' || (g.location_details->>'table') AS "where", m.compatibility_score AS score, m.match_reasons->>0 AS reason
FROM convene.get_meetings(:'busiest', :event) g JOIN convene.matches m ON m.id = g.match_id
ORDER BY g.scheduled_start;
