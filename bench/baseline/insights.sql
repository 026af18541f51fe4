-- The insights by plain SQL: one statement over all signals, as the documents have it done every hour.
CREATE SCHEMA baseline;
CREATE TABLE baseline.event_audience_insights (
    event_id uuid PRIMARY KEY, attendee_count bigint, avg_dwell_time_ms numeric, geo_distribution jsonb, age_segments jsonb,
    impressions bigint, ticket_views bigint, purchases bigint, watch numeric, mentions bigint, sentiment_score numeric);
CREATE FUNCTION baseline.count_all() RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    counted bigint;
BEGIN
    WITH shown AS (
        SELECT event_id, sum(impressions) AS impressions, sum(dwell_time_ms) AS dwell,
               sum(impressions) FILTER (WHERE dwell_time_ms IS NOT NULL) AS measured
        FROM convene.event_impressions GROUP BY event_id),
    geo AS (
        SELECT event_id, jsonb_object_agg(country, n) AS countries
        FROM (SELECT event_id, country, sum(impressions) AS n FROM convene.event_impressions WHERE country IS NOT NULL GROUP BY 1, 2) c
        GROUP BY event_id),
    ages AS (
        SELECT event_id, jsonb_object_agg(age_bucket, n / total) AS segments
        FROM (SELECT event_id, age_bucket, sum(impressions)::numeric AS n, sum(sum(impressions)) OVER (PARTITION BY event_id) AS total
              FROM convene.event_impressions WHERE age_bucket IS NOT NULL GROUP BY 1, 2) a
        GROUP BY event_id),
    tickets AS (
        SELECT event_id, sum(ticket_views) AS views, sum(purchases) AS purchases FROM convene.ticket_analytics GROUP BY event_id),
    posts AS (
        SELECT event_id, sum(watch_percentage * views) / nullif(sum(views), 0) AS watch, sum(mentions) AS mentions,
               avg(sentiment) AS sentiment
        FROM convene.post_views GROUP BY event_id),
    people AS (
        SELECT event_id, count(*) AS n FROM convene.attendees GROUP BY event_id)
    INSERT INTO baseline.event_audience_insights
    SELECT e.id, p.n, s.dwell / nullif(s.measured, 0), g.countries, a.segments, s.impressions, t.views, t.purchases, o.watch, o.mentions, o.sentiment
    FROM convene.events e
    LEFT JOIN shown s ON s.event_id = e.id LEFT JOIN geo g ON g.event_id = e.id LEFT JOIN ages a ON a.event_id = e.id
    LEFT JOIN tickets t ON t.event_id = e.id LEFT JOIN posts o ON o.event_id = e.id LEFT JOIN people p ON p.event_id = e.id
    ON CONFLICT (event_id) DO UPDATE SET attendee_count = excluded.attendee_count, avg_dwell_time_ms = excluded.avg_dwell_time_ms,
        geo_distribution = excluded.geo_distribution, age_segments = excluded.age_segments, impressions = excluded.impressions,
        ticket_views = excluded.ticket_views, purchases = excluded.purchases, watch = excluded.watch, mentions = excluded.mentions,
        sentiment_score = excluded.sentiment_score;
    GET DIAGNOSTICS counted = ROW_COUNT;
    RETURN counted;
END $$;
