-- The marketplace: real sponsors and real conferences. What companies want and can pay is nobody's to publish, so it is assumed from
-- what is public: the programme that a company sponsors says what it is interested in, the level what it spends. A conference comes
-- without an audience, and its score says how much of it rests on data.
CREATE TEMP TABLE sponsorships (programme text, year text, level text, name text, url text, description text);
CREATE TEMP TABLE conferences (year integer, topic text, name text, url text, starts date, ends date, city text, country text, online text);
\copy sponsorships FROM 'data/sponsors.csv' CSV HEADER
\copy conferences FROM 'data/tech_conferences.csv' CSV HEADER

INSERT INTO convene.sponsors (id, company_name, company_website)
SELECT md5('sponsor ' || name)::uuid, name, min(nullif(url, '')) FROM sponsorships GROUP BY name;
-- Whom every conference would do is nobody's match: categories come from the programme, thousands of euros from the level.
INSERT INTO convene.sponsor_profiles (sponsor_id, preferred_categories, annual_budget_cents, currency, objectives_embedding, embedding_model, objectives_text)
SELECT md5('sponsor ' || name)::uuid, categories, budget * 100000, 'EUR', convene.embed_text(told)::vector, 'convene-hash-v1', told
FROM (SELECT name,
             array_agg(DISTINCT c.category) AS categories,
             max(CASE level WHEN 'Platinum' THEN 300 WHEN 'Gold' THEN 100 WHEN 'Silver' THEN 30 ELSE 10 END) AS budget,
             concat_ws(' ', name, max(description), string_agg(DISTINCT c.category, ' ')) AS told
      FROM sponsorships,
           unnest(CASE WHEN programme LIKE 'EuroPython%' THEN '{python,data,opensource}'::text[] ELSE '{devops,sre,security,golang}' END) c(category)
      GROUP BY name) AS s;

-- A conference that has several topics is in the list once for each. Those of 2026 are moved by a year, to lie ahead.
CREATE TEMP TABLE market AS
SELECT md5(concat_ws('/', name, starts, city))::uuid AS id, name, starts + 364 AS starts, greatest(max(ends), starts) + 364 AS ends,
       coalesce(city, 'online') AS city, country, array_agg(DISTINCT topic) AS topics
FROM conferences WHERE starts >= '2026-01-01' GROUP BY name, starts, city, country;
INSERT INTO convene.events (id, title, status, start_at, end_at, city, country, categories, regions)
SELECT id, name, 'published', starts, ends + 1, city, country, topics, array_remove(ARRAY[country], NULL) FROM market;
INSERT INTO convene.event_embeddings (event_id, embedding, source_text, embedding_model)
SELECT id, convene.embed_text(told)::vector, told, 'convene-hash-v1'
FROM (SELECT id, concat_ws(' ', name, array_to_string(topics, ' ')) AS told FROM market) AS m;
UPDATE convene.events SET categories = '{opensource,devops,security,python,golang}', regions = '{Belgium}' WHERE id = :event;

\echo
\echo 'The marketplace: real sponsors, real conferences'
\echo '================================================'
\echo 'Names, programmes and levels of the sponsors and places, dates and topics of the conferences are real (data/README.md). Nobody'
\echo 'publishes what a company looks for: interests are assumed from the programme it sponsors, the budget from the level.'
SELECT clock_timestamp() AS started \gset
CALL convene.run_job('sponsorship-recalc');
SELECT (SELECT count(*) FROM convene.sponsor_profiles WHERE preferred_categories <> '{}') AS sponsors,
       (SELECT count(*) FROM convene.events WHERE status = 'published') AS conferences, count(*) AS "pairs scored",
       round(extract(epoch FROM clock_timestamp() - :'started')::numeric, 1) AS seconds
FROM convene.sponsorship_matches;
SELECT convene.refresh_marketplace() \g /dev/null

SELECT id AS patron, company_name AS patron_name FROM convene.sponsors
WHERE company_name = 'Red Hat' OR event_id IS NULL ORDER BY company_name = 'Red Hat' DESC, company_name LIMIT 1 \gset
\echo 'Where should' :patron_name 'be? The fit, and how much of it rests on data'
SELECT round(m.score, 3) AS fit, round((m.overlap_metrics->>'coverage')::numeric, 2) AS known, e.title AS conference, e.city,
       to_char(e.start_at, 'YYYY-MM-DD') AS begins, array_to_string(e.categories, ', ') AS topics
FROM convene.sponsorship_matches m JOIN convene.events e ON e.id = m.event_id
WHERE m.sponsor_id = :'patron' ORDER BY m.score DESC, m.event_id LIMIT 8;

\echo 'Whom should FOSDEM ask?'
SELECT round(m.score, 3) AS fit, s.company_name AS sponsor, round((m.overlap_metrics->>'budget_fit')::numeric, 2) AS budget,
       round((m.overlap_metrics#>>'{audience_overlap,categories}')::numeric, 2) AS topics,
       round((m.overlap_metrics->>'objectives_similarity')::numeric, 2) AS objectives
FROM convene.sponsorship_matches m JOIN convene.sponsors s ON s.id = m.sponsor_id
WHERE m.event_id = :event ORDER BY m.score DESC, m.sponsor_id LIMIT 8;
