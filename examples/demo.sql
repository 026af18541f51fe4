-- convene on the programme of a real conference. Loaded by `make demo`; by hand, from this directory, into an empty database:
--   psql -f demo.sql
-- The programme is FOSDEM 2026 (data/README.md names source and licence). The attendees are generated: they are nobody.
\set ON_ERROR_STOP on
\pset pager off
\pset footer off
\pset null '-'
SET client_min_messages = warning;
SET timezone = 'Europe/Brussels';

\set event 'md5(''FOSDEM 2026'')::uuid'

CREATE EXTENSION convene CASCADE;
SELECT convene.install() \g /dev/null

\ir demo/programme.sql
\ir demo/attendees.sql

\echo
\echo 'FOSDEM 2026: the programme'
\echo '=========================='
SELECT count(*) AS sessions, count(e.session_id) AS "with a vector", count(DISTINCT s.topics) AS tracks,
       count(DISTINCT s.room) AS rooms, to_char(min(s.start_time), 'Dy HH24:MI') AS "from", to_char(max(s.end_time), 'Dy HH24:MI') AS "to"
FROM convene.sessions s LEFT JOIN convene.session_embeddings e ON e.session_id = s.id
WHERE s.event_id = :event;
\echo 'It took place in January 2026. Here it is moved by' :weeks 'weeks, so that it lies ahead; times are those of Brussels.'
\echo

\echo 'The attendees are generated from a seed. None of them exists; their interests are drawn from the real tracks.'
SELECT (SELECT count(*) FROM convene.attendees WHERE event_id = :event) AS attendees,
       (SELECT count(*) FROM convene.attendee_preferences WHERE event_id = :event AND preferred_topics <> '{}') AS "with stated topics",
       (SELECT count(DISTINCT attendee_id) FROM convene.session_interactions WHERE event_id = :event) AS "with bookmarks",
       (SELECT count(*) FROM convene.session_interactions WHERE event_id = :event) AS bookmarks;

\echo 'Recommendations for all of them at once:'
SELECT clock_timestamp() AS started \gset
SELECT r->>'attendees' AS attendees, r->>'interactions' AS "learned from", r#>>'{model,algorithm}' AS "chosen model",
       round((r#>>'{model,holdout_ndcg}')::numeric, 3) AS "its NDCG@10 on a holdout",
       round(extract(epoch FROM clock_timestamp() - :'started')::numeric, 2) AS seconds
FROM convene.refresh_event_recommendations(:event) AS r;

\set attendee 1
\echo 'Attendee 0001 is new: no topics, no bookmarks'
\ir demo/recommendations.sql

\set attendee 2
\echo 'Attendee 0002 stated topics, nothing else'
\ir demo/recommendations.sql

\set attendee 3
\echo 'Attendee 0003 has bookmarks'
SELECT to_char(s.start_time, 'Dy HH24:MI') AS start, s.title AS bookmarked, s.topics[1] AS track
FROM convene.session_interactions i JOIN convene.sessions s ON s.id = i.session_id
WHERE i.attendee_id = pg_temp.attendee(:attendee) ORDER BY s.start_time, s.title;
\ir demo/recommendations.sql

\echo 'Their personal agenda for Saturday afternoon: bookmarks first, recommendations where time is left'
SELECT to_char(start_time, 'HH24:MI') || '-' || to_char(end_time, 'HH24:MI') AS "time", left(session_title, 58) AS session,
       room, agenda_status AS status
FROM convene.get_personal_agenda(pg_temp.attendee(:attendee), :event, :'saturday'::date + time '14:00', :'saturday'::date + time '19:00');

SELECT id AS example, title AS example_title FROM convene.sessions
WHERE event_id = :event AND id = (SELECT session_id FROM convene.session_interactions
                                  WHERE attendee_id = pg_temp.attendee(3) ORDER BY session_id LIMIT 1) \gset
\echo 'Sessions similar to' :example_title
SELECT round(f.similarity_score, 2) AS score, to_char(f.start_time, 'Dy HH24:MI') AS start, left(f.session_title, 58) AS session,
       s.topics[1] AS track
FROM convene.find_similar_sessions(:'example', 5) f JOIN convene.sessions s ON s.id = f.session_id
ORDER BY f.similarity_score DESC;

\ir demo/networking.sql

\ir demo/meetings.sql

\ir demo/leads.sql

\ir demo/introduction.sql

\ir demo/market.sql
