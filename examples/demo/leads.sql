-- A sponsor, invented like the attendees, at whose stand some of them came by; who agreed to be seen is drawn, too.
SELECT convene.add_sponsor(:event, 'Vektor Labs', 'gold', 12000, 'Sam', 'sam@vektor.example')->>'sponsor_id' AS sponsor \gset
INSERT INTO convene.sponsor_profiles (sponsor_id, ideal_customer)
VALUES (:'sponsor', '{"topics": ["Databases", "Rust"], "seniority": ["director", "head", "executive"], "roles": ["engineering", "data"]}');
UPDATE convene.attendees a
SET job_title = (ARRAY['Head of Engineering', 'Data Engineer', 'CTO', 'Student', 'Director of Marketing', 'Developer'])[1 + floor(6 * pg_temp.chance('title ' || n))::integer],
    sponsor_consent = pg_temp.chance('consent ' || n) < 0.7
FROM generate_series(4, 400) AS n WHERE a.id = pg_temp.attendee(n);

SELECT count(convene.record_lead_interaction(:'sponsor', pg_temp.attendee(n), kind, now() - make_interval(hours => floor(72 * pg_temp.chance(n || kind || k))::integer),
                                             p_external_id => concat_ws('/', n, kind, k))) AS contacts
FROM generate_series(4, 400) AS n,
     (VALUES ('booth_visit', 0.25), ('content_download', 0.20), ('session_attendance', 0.15), ('message', 0.10), ('meeting_request', 0.03)) v(kind, share),
     generate_series(1, 3) AS k
WHERE pg_temp.chance('met ' || n) < 0.4 AND pg_temp.chance('did ' || n || kind || k) < share \gset

\echo
\echo 'Leads of Vektor Labs, an invented sponsor who looks for people in charge of databases and Rust; contacts reported:' :contacts
SELECT a#>>'{leads,total}' AS leads, a#>>'{leads,shown}' AS "agreed to be seen", a#>>'{leads,hidden}' AS "only counted",
       a#>>'{by_grade,A}' AS "A", a#>>'{by_grade,B}' AS "B", a#>>'{by_grade,C}' AS "C", a#>>'{by_grade,D}' AS "D",
       a->>'cost_per_lead' AS "cost per lead"
FROM convene.sponsor_analytics(:'sponsor') AS a;
\echo 'Whom to call first, and why'
SELECT attendee->>'name' AS name, attendee->>'title' AS title, lead_score AS score, lead_grade AS grade,
       score_parts#>>'{engagement,score}' AS engagement, score_parts#>>'{fit,score}' AS fit, score_parts#>>'{intent,score}' AS intent,
       next_best_action->>'text' AS next, array_to_string(reasons, '; ') AS reasons
FROM convene.get_sponsor_leads(:'sponsor', p_limit => 8);
\echo 'Whom they have not met yet and should'
SELECT attendee->>'name' AS name, attendee->>'title' AS title, fit_score AS fit, array_to_string(reasons, '; ') AS reasons
FROM convene.sponsor_attendee_match(:'sponsor', 5);
