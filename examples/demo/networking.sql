-- What the attendees want from each other, drawn from the same seed; their topics are the tracks they stated.
INSERT INTO convene.networking_preferences (attendee_id, event_id, looking_for, can_offer, industry, company_stage, role_category,
                                            years_experience)
SELECT pg_temp.attendee(n), :event,
       (ARRAY['{mentors}', '{talent}', '{partners,customers}', '{investors}', '{talent,partners}', '{mentors,investors}']::text[])
           [1 + floor(6 * pg_temp.chance('wants ' || n))]::text[],
       (ARRAY['{expertise}', '{connections}', '{opportunities}', '{investment}', '{expertise,connections}', '{opportunities,expertise}']::text[])
           [1 + floor(6 * pg_temp.chance('offers ' || n))]::text[],
       (ARRAY['databases', 'cloud', 'embedded', 'education', 'public sector'])[1 + floor(5 * pg_temp.chance('industry ' || n))],
       (ARRAY['idea', 'startup', 'growth', 'enterprise'])[1 + floor(4 * pg_temp.chance('stage ' || n))],
       (ARRAY['founder', 'executive', 'manager', 'individual_contributor', 'investor'])[1 + floor(5 * pg_temp.chance('role ' || n))],
       floor(25 * pg_temp.chance('years ' || n))
FROM generate_series(1, 400) AS n WHERE n <= 3 OR pg_temp.chance('networks ' || n) < 0.8
ON CONFLICT (attendee_id, event_id) DO NOTHING;

\echo 'Whom should attendee 0002 meet?'
SELECT round(compatibility_score, 2) AS score, round(own_score, 2) AS "for 0002", round(other_score, 2) AS "for them",
       other_attendee_name AS whom, reason
FROM convene.preview_networking_matches(pg_temp.attendee(2), :event, 5),
     LATERAL (SELECT string_agg(r, E'\n') AS reason FROM jsonb_array_elements_text(match_reasons) r) said
ORDER BY compatibility_score DESC, other_attendee_id;

\echo 'Suggestions for everybody, nobody suggested more than eight times:'
SELECT way AS choice, o->>'pairs' AS pairs, round((o->>'expected_mutual_matches')::numeric) AS "expected mutual matches",
       round((o->>'upper_bound')::numeric) AS "at most", o->>'most_incoming' AS "most per person",
       round((o->>'exposure_gini')::numeric, 3) AS "exposure Gini"
FROM (SELECT convene.generate_event_matches(:event, 8, p_max_incoming => 8) AS r) run,
     LATERAL (VALUES ('the best of each', r->'top_k'), ('balanced', r->'balanced')) v(way, o);
