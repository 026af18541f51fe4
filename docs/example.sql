-- The world of the examples: one conference, a month ahead, with fourteen sessions and forty-two attendees. Nobody in it
-- exists. Load it once, as the owner of the data, into a database where convene is installed:  psql -f docs/example.sql
--
-- Ids end in what they stand for: e1 the event, c1 an organizer, f1.. persons, a1.. attendees, 0501.. sessions.

INSERT INTO convene.profiles (id, email, full_name) VALUES
    ('00000000-0000-4000-8000-0000000000c1', 'olga@example.org', 'Olga'),
    ('00000000-0000-4000-8000-0000000000f1', 'ada@example.org', 'Ada'),
    ('00000000-0000-4000-8000-0000000000f2', 'ben@example.org', 'Ben');

-- Olga organizes for the organization that install() made.
INSERT INTO convene.organization_members (organization_id, profile_id, member_role)
SELECT id, '00000000-0000-4000-8000-0000000000c1', 'organizer' FROM convene.organizations WHERE slug = 'default';

INSERT INTO convene.events (id, title, status, start_at, end_at, time_zone, city, country, organizer_id)
SELECT '00000000-0000-4000-8000-0000000000e1', 'Data Days', 'published', day + time '09:00', day + time '18:00', 'UTC',
       'Berlin', 'Germany', '00000000-0000-4000-8000-0000000000c1'
FROM (SELECT (current_date + 30)::timestamp AT TIME ZONE 'UTC' AS day) d(day);

INSERT INTO convene.sessions (id, event_id, title, description, session_type, difficulty_level, topics, room,
                              start_time, end_time, max_attendees, current_registrations)
SELECT ('00000000-0000-4000-8000-00000000' || s.number)::uuid, e.id, s.title, s.description, s.type, s.level,
       string_to_array(s.topics, ', '), s.room, e.start_at - interval '9 hours' + s.start,
       e.start_at - interval '9 hours' + s.start + s.length, s.places, s.taken
FROM convene.events e, (VALUES
    ('0501', 'Opening', 'What the day holds.', 'keynote', NULL, 'data', 'Hall', interval '9:00', interval '30 min', NULL, 0),
    ('0502', 'Scaling Postgres', 'Partitions, replicas and connection pools in PostgreSQL.', 'talk', 'advanced', 'databases, operations', 'Hall', '9:30', '45 min', NULL, 0),
    ('0503', 'Fair models', 'How to measure bias in machine learning.', 'talk', 'intermediate', 'ai, ethics', 'Room 2', '9:30', '45 min', NULL, 0),
    ('0504', 'Indexes that help', 'When PostgreSQL uses an index, and when it does not.', 'workshop', 'intermediate', 'databases, performance', 'Hall', '10:30', '60 min', 40, 40),
    ('0505', 'Prompting for analysts', 'Language models beside a spreadsheet.', 'workshop', 'beginner', 'ai, analytics', 'Room 2', '10:30', '60 min', 60, 12),
    ('0506', 'Coffee', NULL, 'break', NULL, '', 'Foyer', '11:30', '30 min', NULL, 0),
    ('0507', 'Vacuum explained', 'Dead rows in PostgreSQL and how they go.', 'talk', 'intermediate', 'databases, operations', 'Hall', '12:00', '45 min', NULL, 0),
    ('0508', 'Vectors next to rows', 'Embeddings and machine learning inside PostgreSQL.', 'talk', 'intermediate', 'databases, ai', 'Room 2', '12:00', '45 min', NULL, 0),
    ('0509', 'Lunch', NULL, 'lunch', NULL, '', 'Foyer', '12:45', '60 min', NULL, 0),
    ('0510', 'Dashboards people read', 'Charts that answer a question.', 'talk', 'beginner', 'analytics, design', 'Room 2', '14:00', '45 min', NULL, 0),
    ('0511', 'Replication in practice', 'Failover of PostgreSQL without losing rows.', 'talk', 'advanced', 'databases, operations', 'Hall', '14:00', '45 min', NULL, 0),
    ('0512', 'Learning to rank', 'Machine learning for recommendations.', 'talk', 'advanced', 'ai, analytics', 'Hall', '15:00', '45 min', NULL, 0),
    ('0513', 'Query plans by hand', 'Reading EXPLAIN of PostgreSQL together.', 'workshop', 'intermediate', 'databases, performance', 'Room 2', '16:00', '60 min', NULL, 0),
    ('0514', 'Panel: who owns the data?', 'Law, ethics and machine learning.', 'panel', NULL, 'ai, ethics', 'Hall', '16:00', '60 min', NULL, 0)
) s(number, title, description, type, level, topics, room, start, length, places, taken)
WHERE e.id = '00000000-0000-4000-8000-0000000000e1';

INSERT INTO convene.event_materials (event_id, session_id, title, description, material_type, access_level, tags, download_count)
VALUES
    ('00000000-0000-4000-8000-0000000000e1', '00000000-0000-4000-8000-000000000502', 'Scaling Postgres: slides', NULL,
     'presentation', 'attendees_only', '{databases}', 31),
    ('00000000-0000-4000-8000-0000000000e1', NULL, 'A reading list on fair machine learning', 'Papers and books.',
     'document', 'public', '{ai,ethics}', 12);

-- Ada has stated interests and two bookmarks, Ben has said and done nothing yet.
INSERT INTO convene.attendees (id, event_id, profile_id, full_name) VALUES
    ('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000e1', '00000000-0000-4000-8000-0000000000f1', 'Ada'),
    ('00000000-0000-4000-8000-0000000000a2', '00000000-0000-4000-8000-0000000000e1', '00000000-0000-4000-8000-0000000000f2', 'Ben');
INSERT INTO convene.attendee_preferences (attendee_id, event_id, preferred_topics, skill_level, bookmarked_sessions) VALUES
    ('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-0000000000e1', '{databases}', 'intermediate',
     '{00000000-0000-4000-8000-000000000502,00000000-0000-4000-8000-000000000507}');

-- Forty more: every second one likes databases, the others machine learning, and everybody strays now and then.
INSERT INTO convene.attendees (id, event_id, full_name)
SELECT ('00000000-0000-4000-8000-0000000001' || to_char(n, 'FM00'))::uuid, '00000000-0000-4000-8000-0000000000e1', 'Attendee ' || n
FROM generate_series(1, 40) AS n;
INSERT INTO convene.session_interactions (attendee_id, event_id, session_id, kind, at)
SELECT ('00000000-0000-4000-8000-0000000001' || to_char(n, 'FM00'))::uuid, s.event_id, s.id, 'bookmarked', now() - make_interval(hours => n)
FROM generate_series(1, 40) AS n, convene.sessions s
WHERE s.event_id = '00000000-0000-4000-8000-0000000000e1' AND s.topics <> '{}'
  AND CASE WHEN (CASE n % 2 WHEN 0 THEN 'databases' ELSE 'ai' END) = ANY (s.topics)
           THEN hashtext(n || s.title) % 10 <> 0 ELSE hashtext(n || s.title) % 10 = 0 END;

-- The native embedder needs nothing attached.
SELECT convene.embed_pending();
