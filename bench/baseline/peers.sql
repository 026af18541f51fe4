-- Peers the plain way, on convene's own tables: what an application would write from the requirement. Trades have no families
-- here, states are compared as they are written, and nobody has blocked anybody; both sides run on data where that is so.

CREATE SCHEMA IF NOT EXISTS baseline;

CREATE FUNCTION baseline.tier(p_name text) RETURNS integer LANGUAGE sql IMMUTABLE AS
$$ SELECT array_position(ARRAY['under_500k', '500k_1m', '1m_2m', '2m_5m', '5m_10m', '10m_plus'], p_name) $$;

-- One contractor against everybody else, with arrays.
CREATE FUNCTION baseline.find_peers(p_event uuid, p_contractor uuid, p_most integer DEFAULT 3, p_least numeric DEFAULT 0.6)
RETURNS TABLE (id uuid, first_name text, last_name text, company_name text, service_area text, match_score numeric, parts jsonb)
LANGUAGE sql STABLE AS $$
    SELECT r.id, r.first_name, r.last_name, r.company_name, r.service_area, round(r.score, 4),
           jsonb_build_object('focusAreas', r.focus, 'geographic', r.geo, 'businessScale', r.size, 'industry', r.trade)
    FROM (SELECT q.*, round(0.40 * q.focus + 0.25 * q.geo + 0.20 * q.size + 0.15 * q.trade, 9) AS score
          FROM (SELECT o.*,
                       coalesce(w.shared::numeric / nullif(cardinality(me.focus_areas) + cardinality(o.focus_areas) - w.shared, 0), 0) AS focus,
                       CASE WHEN o.state <> me.state THEN 1.0 WHEN o.city <> me.city THEN 0.5 ELSE 0.2 END AS geo,
                       (CASE abs(baseline.tier(o.revenue_tier) - baseline.tier(me.revenue_tier))
                             WHEN 0 THEN 1.0 WHEN 1 THEN 0.8 WHEN 2 THEN 0.5 ELSE 0.3 END
                        + CASE WHEN greatest(o.team_size, me.team_size) <= 1.2 * least(o.team_size, me.team_size) THEN 1.0
                               WHEN greatest(o.team_size, me.team_size) <= 1.5 * least(o.team_size, me.team_size) THEN 0.8
                               WHEN greatest(o.team_size, me.team_size) <= 2 * least(o.team_size, me.team_size) THEN 0.5 ELSE 0.3 END) / 2 AS size,
                       coalesce(t.shared::numeric / nullif(greatest(cardinality(me.services_offered), cardinality(o.services_offered)), 0), 0) AS trade
                FROM convene.contractors me
                JOIN convene.event_attendees a ON a.event_id = p_event AND a.contractor_id <> me.id AND a.peer_matching_opt_in
                JOIN convene.contractors o ON o.id = a.contractor_id
                CROSS JOIN LATERAL (SELECT count(*) AS shared FROM unnest(me.focus_areas) x WHERE x = ANY (o.focus_areas)) w
                CROSS JOIN LATERAL (SELECT count(*) AS shared FROM unnest(me.services_offered) x WHERE x = ANY (o.services_offered)) t
                WHERE me.id = p_contractor
                  AND NOT EXISTS (SELECT FROM convene.event_peer_matches m
                                  WHERE m.event_id = p_event AND m.contractor1_id = least(me.id, o.id)
                                    AND m.contractor2_id = greatest(me.id, o.id))) q) r
    WHERE r.score >= p_least
    ORDER BY r.score DESC, r.id
    LIMIT p_most
$$;

-- Everybody against everybody in one statement: words as bits, places as numbers, double precision.
CREATE FUNCTION baseline.all_peers(p_event uuid, p_most integer DEFAULT 3, p_least float8 DEFAULT 0.6)
RETURNS TABLE (contractor_id uuid, peer_id uuid, match_score numeric)
LANGUAGE sql STABLE AS $$
    WITH people AS MATERIALIZED (
        SELECT c.id, c.focus_areas, c.services_offered, c.team_size::float8 AS team, baseline.tier(c.revenue_tier) AS tier,
               dense_rank() OVER (ORDER BY c.state)::integer AS state, dense_rank() OVER (ORDER BY c.state, c.city)::integer AS city
        FROM convene.event_attendees a JOIN convene.contractors c ON c.id = a.contractor_id
        WHERE a.event_id = p_event AND a.peer_matching_opt_in),
    focus_bits AS MATERIALIZED (
        SELECT word, 1::bigint << (row_number() OVER (ORDER BY word) - 1)::integer AS bit
        FROM (SELECT DISTINCT unnest(focus_areas) AS word FROM people) w),
    trade_bits AS MATERIALIZED (
        SELECT word, 1::bigint << (row_number() OVER (ORDER BY word) - 1)::integer AS bit
        FROM (SELECT DISTINCT unnest(services_offered) AS word FROM people) w),
    packed AS MATERIALIZED (
        SELECT p.id, p.team, p.tier, p.state, p.city, nullif(cardinality(p.services_offered), 0)::float8 AS trades,
               (SELECT coalesce(bit_or(b.bit), 0) FROM focus_bits b WHERE b.word = ANY (p.focus_areas))::bit(64) AS focus,
               (SELECT coalesce(bit_or(b.bit), 0) FROM trade_bits b WHERE b.word = ANY (p.services_offered))::bit(64) AS trade
        FROM people p)
    SELECT x.id, best.id, round(best.score::numeric, 4)
    FROM packed x CROSS JOIN LATERAL (
        SELECT s.id, floor(s.score * 1e9 + 0.5) / 1e9 AS score
        FROM (SELECT y.id,
                     0.40 * coalesce(bit_count(x.focus & y.focus) / nullif(bit_count(x.focus | y.focus), 0)::float8, 0)
                     + CASE WHEN x.state <> y.state THEN 0.25 WHEN x.city <> y.city THEN 0.125 ELSE 0.05 END::float8
                     + 0.10 * (CASE abs(x.tier - y.tier) WHEN 0 THEN 1.0 WHEN 1 THEN 0.8 WHEN 2 THEN 0.5 ELSE 0.3 END::float8
                               + CASE WHEN greatest(x.team, y.team) <= 1.2 * least(x.team, y.team) THEN 1.0
                                      WHEN greatest(x.team, y.team) <= 1.5 * least(x.team, y.team) THEN 0.8
                                      WHEN greatest(x.team, y.team) <= 2 * least(x.team, y.team) THEN 0.5 ELSE 0.3 END::float8)
                     + 0.15 * coalesce(bit_count(x.trade & y.trade) / greatest(x.trades, y.trades), 0) AS score
              FROM packed y WHERE y.id <> x.id OFFSET 0) s
        WHERE s.score >= p_least - 5e-10
        ORDER BY 2 DESC, s.id
        LIMIT p_most) best
$$;
