-- The programme: a venue, an event, sessions, their speakers and their vectors.
CREATE TEMP TABLE programme (
    talk_id text PRIMARY KEY, title text, abstract text, speakers text, track text, type text, room text,
    start_local timestamp, minutes integer);
CREATE TEMP TABLE vectors (talk_id text PRIMARY KEY, embedding vector(384));
\copy programme FROM 'data/fosdem2026_sessions.csv' CSV HEADER
\copy vectors FROM PROGRAM 'gzip -dc data/fosdem2026_minilm384.csv.gz' CSV HEADER

-- Moved by whole weeks to lie ahead: what has begun is not recommended. Weekdays and hours stay.
SELECT greatest(0, ceil((current_date + 7 - min(start_local)::date) / 7.0))::integer AS weeks FROM programme \gset
UPDATE programme SET start_local = start_local + make_interval(weeks => :weeks);
SELECT min(start_local)::date AS saturday FROM programme \gset

SELECT convene.add_embedding_model('all-MiniLM-L6-v2', 384, true) \g /dev/null

INSERT INTO convene.venues (id, name, city, country, time_zone)
VALUES (md5('venue')::uuid, 'FOSDEM 2026', 'Brussels', 'Belgium', 'Europe/Brussels');

INSERT INTO convene.events (id, title, status, start_at, end_at, time_zone, city, country, venue_id)
SELECT :event, 'FOSDEM 2026', 'published', min(start_local) AT TIME ZONE 'Europe/Brussels',
       max(start_local + make_interval(mins => minutes)) AT TIME ZONE 'Europe/Brussels',
       'Europe/Brussels', 'Brussels', 'Belgium', md5('venue')::uuid
FROM programme;

INSERT INTO convene.speakers (id, event_id, full_name, status)
SELECT DISTINCT md5('speaker ' || speaker)::uuid, :event, speaker, 'confirmed'
FROM programme, unnest(string_to_array(speakers, '|')) AS speaker
WHERE speaker <> '';

INSERT INTO convene.sessions (id, event_id, venue_id, speaker_id, title, description, session_type, topics, room, start_time, end_time)
SELECT md5(talk_id)::uuid, :event, md5('venue')::uuid, md5('speaker ' || nullif(split_part(speakers, '|', 1), ''))::uuid, title,
       concat_ws(E'\n\n', nullif(abstract, ''), 'Speakers: ' || nullif(replace(speakers, '|', ', '), '')),
       CASE type WHEN 'bof' THEN 'breakout' WHEN 'junior' THEN 'workshop' WHEN 'workshop' THEN 'workshop' ELSE 'talk' END,
       ARRAY[track], room, start_local AT TIME ZONE 'Europe/Brussels',
       (start_local + make_interval(mins => minutes)) AT TIME ZONE 'Europe/Brussels'
FROM programme;

-- Twenty sessions have no vector; content-based recommendations go without them, the other sources do not.
INSERT INTO convene.session_embeddings (session_id, event_id, embedding, source_text, embedding_model)
SELECT md5(v.talk_id)::uuid, :event, v.embedding, p.title || '. ' || p.abstract, 'all-MiniLM-L6-v2'
FROM vectors v JOIN programme p USING (talk_id);
