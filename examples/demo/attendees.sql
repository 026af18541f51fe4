-- Four hundred generated attendees. What chance decides follows from a seed, so that every run shows the same.
CREATE FUNCTION pg_temp.chance(what text) RETURNS double precision LANGUAGE sql IMMUTABLE AS
$$ SELECT ('x' || substr(md5('seed 42 ' || what), 1, 8))::bit(32)::bigint / 4294967296.0 $$;
CREATE FUNCTION pg_temp.attendee(n integer) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT md5('attendee ' || n)::uuid $$;

INSERT INTO convene.attendees (id, event_id, full_name)
SELECT pg_temp.attendee(n), :event, 'Attendee ' || to_char(n, 'FM0000') FROM generate_series(1, 400) AS n;

-- One to three tracks each; drawn by way of a session, so that large tracks have more friends. The first three are chosen.
CREATE TEMP TABLE interests AS
WITH drawn AS MATERIALIZED (
    SELECT n, floor((SELECT count(*) FROM programme) * pg_temp.chance('track ' || n || ' ' || k)) AS at
    FROM generate_series(4, 400) AS n, generate_series(1, 1 + floor(3 * pg_temp.chance('tracks of ' || n))::integer) AS k),
numbered AS (SELECT track, row_number() OVER (ORDER BY talk_id) - 1 AS at FROM programme)
SELECT DISTINCT n, track FROM drawn JOIN numbered USING (at)
UNION ALL VALUES (2, 'Databases'), (2, 'Rust'), (3, 'Databases'), (3, 'Local-First, sync engines, CRDTs');

-- Two in three say what interests them.
INSERT INTO convene.attendee_preferences (attendee_id, event_id, preferred_topics)
SELECT pg_temp.attendee(n), :event, array_agg(track ORDER BY track)
FROM interests WHERE n = 2 OR (n > 3 AND pg_temp.chance('stated ' || n) < 0.67)
GROUP BY n;

-- Three in four bookmark two to ten sessions of their tracks, the generally liked ones rather, and now and then another one.
CREATE TEMP TABLE bookmarks AS
WITH liked AS (
    SELECT i.n, p.talk_id, row_number() OVER (
               PARTITION BY i.n
               ORDER BY pg_temp.chance('liked ' || p.talk_id) + pg_temp.chance('by ' || i.n || ' ' || p.talk_id)) AS place
    FROM interests i JOIN programme p USING (track)
    WHERE i.n > 3 AND pg_temp.chance('bookmarks ' || i.n) < 0.75)
SELECT n, talk_id FROM liked WHERE place <= 2 + floor(9 * pg_temp.chance('how many ' || n))
UNION
SELECT n, talk_id FROM generate_series(4, 400) AS n, programme
WHERE pg_temp.chance('bookmarks ' || n) < 0.75 AND pg_temp.chance('stray ' || n || ' ' || talk_id) < 0.001
UNION
SELECT 3, talk_id FROM (
    SELECT talk_id, row_number() OVER (PARTITION BY track ORDER BY pg_temp.chance('third ' || talk_id)) AS place
    FROM programme WHERE track IN ('Databases', 'Local-First, sync engines, CRDTs')) AS picked
WHERE place <= 3;

INSERT INTO convene.session_interactions (attendee_id, event_id, session_id, kind, at)
SELECT pg_temp.attendee(n), :event, md5(talk_id)::uuid, 'bookmarked',
       now() - make_interval(hours => floor(480 * pg_temp.chance('when ' || n || ' ' || talk_id))::integer)
FROM bookmarks;

ANALYZE convene.sessions, convene.session_embeddings, convene.attendees, convene.attendee_preferences, convene.session_interactions;
