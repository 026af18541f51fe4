-- The fit of sponsors and events the plain way, on convene's own tables: every pair in one statement.

CREATE SCHEMA IF NOT EXISTS baseline;

-- As the requirement has it, with arrays and exact numbers; words are compared as they are written.
CREATE VIEW baseline.fits AS
    WITH ev AS MATERIALIZED (
        SELECT e.id, e.categories, e.regions || ARRAY(SELECT jsonb_object_keys(i.geo_distribution)) AS regions, i.geo_distribution AS geo,
               (SELECT sum(value::numeric) FROM jsonb_each_text(i.geo_distribution)) AS people,
               0.7 * coalesce(i.engagement_score, 0) + 0.3 * coalesce(i.ticket_conversion_rate, 0) AS engagement
        FROM convene.events e JOIN convene.event_audience_insights i ON i.event_id = e.id
    ), sp AS MATERIALIZED (
        SELECT p.sponsor_id, p.preferred_categories AS wanted, p.regions, p.annual_budget_cents::numeric / (p.annual_budget_cents + 100000) AS budget
        FROM convene.sponsor_profiles p
    )
    SELECT ev.id AS event_id, sp.sponsor_id, sp.budget, ev.engagement,
           (SELECT count(*) FROM unnest(sp.wanted) x WHERE x = ANY (ev.categories))::numeric / cardinality(sp.wanted) AS categories,
           (SELECT count(*) FROM unnest(sp.regions) x WHERE x = ANY (ev.regions))::numeric / cardinality(sp.regions) AS geo,
           (SELECT coalesce(sum((ev.geo->>x)::numeric), 0) FROM unnest(sp.regions) x) / ev.people AS geo_fit
    FROM ev CROSS JOIN sp;

-- With words as bits and double precision, the quickest that we found. It takes geo_fit for the overlap of regions, as the
-- requirement's short form does: no look at how many people live where, which costs it more.
CREATE VIEW baseline.fits_bits AS
    WITH wc AS MATERIALIZED (
        SELECT w, 1::bigint << (row_number() OVER (ORDER BY w) - 1)::integer AS bit
        FROM (SELECT DISTINCT unnest(preferred_categories) AS w FROM convene.sponsor_profiles) q
    ), wr AS MATERIALIZED (
        SELECT w, 1::bigint << (row_number() OVER (ORDER BY w) - 1)::integer AS bit
        FROM (SELECT DISTINCT unnest(regions) AS w FROM convene.sponsor_profiles) q
    ), ev AS MATERIALIZED (
        SELECT e.id, (SELECT coalesce(bit_or(bit), 0) FROM wc WHERE w = ANY (e.categories))::bit(64) AS categories,
               (SELECT coalesce(bit_or(bit), 0) FROM wr WHERE w = ANY (e.regions) OR i.geo_distribution ? w)::bit(64) AS regions,
               (0.7 * coalesce(i.engagement_score, 0) + 0.3 * coalesce(i.ticket_conversion_rate, 0))::float8 AS engagement
        FROM convene.events e JOIN convene.event_audience_insights i ON i.event_id = e.id
    ), sp AS MATERIALIZED (
        SELECT sponsor_id, (SELECT coalesce(bit_or(bit), 0) FROM wc WHERE w = ANY (preferred_categories))::bit(64) AS categories,
               (SELECT coalesce(bit_or(bit), 0) FROM wr WHERE w = ANY (regions))::bit(64) AS regions,
               nullif(cardinality(preferred_categories), 0)::float8 AS wanted_categories, nullif(cardinality(regions), 0)::float8 AS wanted_regions,
               annual_budget_cents::float8 / (annual_budget_cents + 100000) AS budget
        FROM convene.sponsor_profiles
    )
    SELECT ev.id AS event_id, sp.sponsor_id, sp.budget, ev.engagement,
           coalesce(bit_count(ev.categories & sp.categories) / sp.wanted_categories, 0.5) AS categories,
           coalesce(bit_count(ev.regions & sp.regions) / sp.wanted_regions, 0.5) AS geo
    FROM ev CROSS JOIN sp;
