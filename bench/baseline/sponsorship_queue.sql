-- Keeping fits up to date the plain way: one upsert of all pairs, and a queue read in batches with SKIP LOCKED.

CREATE SCHEMA IF NOT EXISTS baseline;

-- The table that it fills has the columns, key, checks and indexes of ours.
CREATE TABLE baseline.matches (LIKE convene.sponsorship_matches INCLUDING ALL);

-- With the metrics of the requirement, or with all that ours have: weights, contributions, twelve decimals.
CREATE FUNCTION baseline.recalculate(p_explained boolean, p_skip boolean) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    written bigint;
BEGIN
    EXECUTE format($q$
        INSERT INTO baseline.matches AS m (event_id, sponsor_id, score, overlap_metrics)
        SELECT event_id, sponsor_id, round((0.25 * budget + 0.35 * (0.6 * categories + 0.4 * geo) + 0.15 * geo + 0.15 * engagement + 0.05)::numeric, 6), %s
        FROM baseline.fits_bits
        ON CONFLICT (event_id, sponsor_id) DO UPDATE SET score = excluded.score, overlap_metrics = excluded.overlap_metrics, updated_at = now() %s $q$,
        CASE WHEN p_explained THEN $j$
            jsonb_build_object('budget_fit', round(budget::numeric, 12), 'geo_fit', round(geo::numeric, 12),
                'audience_overlap', jsonb_build_object('categories', round(categories::numeric, 12), 'geo', round(geo::numeric, 12)),
                'engagement_quality', round(engagement::numeric, 12), 'objectives_similarity', 0.5, 'coverage', 0.9,
                'weights', '{"budget_fit": 0.25, "audience_overlap": 0.35, "geo_fit": 0.15, "engagement_quality": 0.15, "objectives_similarity": 0.1}'::jsonb,
                'contributions', jsonb_build_object('budget_fit', round((0.25 * budget)::numeric, 12),
                    'audience_overlap', round((0.35 * (0.6 * categories + 0.4 * geo))::numeric, 12), 'geo_fit', round((0.15 * geo)::numeric, 12),
                    'engagement_quality', round((0.15 * engagement)::numeric, 12), 'objectives_similarity', 0.05)) $j$
        ELSE $j$
            jsonb_build_object('budget_fit', round(budget::numeric, 4), 'geo_fit', round(geo::numeric, 4),
                'audience_overlap', jsonb_build_object('categories', round(categories::numeric, 4), 'geo', round(geo::numeric, 4)),
                'engagement_quality', round(engagement::numeric, 4), 'objectives_similarity', 0.5) $j$ END,
        CASE WHEN p_skip THEN 'WHERE (m.score, m.overlap_metrics) IS DISTINCT FROM (excluded.score, excluded.overlap_metrics)' ELSE '' END);
    GET DIAGNOSTICS written = ROW_COUNT;
    RETURN written;
END $$;

-- A queue of messages: sent, read in batches that are hidden for a while, archived.
CREATE TABLE baseline.messages (
    msg_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, read_ct integer NOT NULL DEFAULT 0,
    enqueued_at timestamptz NOT NULL DEFAULT now(), vt timestamptz NOT NULL, message jsonb);
CREATE INDEX ON baseline.messages (vt);
CREATE TABLE baseline.archive (LIKE baseline.messages, archived_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (msg_id));
CREATE FUNCTION baseline.send(p_message jsonb) RETURNS bigint LANGUAGE sql AS
    $$ INSERT INTO baseline.messages (vt, message) VALUES (clock_timestamp(), p_message) RETURNING msg_id $$;
CREATE FUNCTION baseline.work_off(p_batch integer) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    taken bigint[];
BEGIN
    WITH next AS MATERIALIZED (
        SELECT msg_id FROM baseline.messages WHERE vt <= clock_timestamp() ORDER BY msg_id LIMIT p_batch FOR UPDATE SKIP LOCKED),
    read AS (
        UPDATE baseline.messages m SET vt = clock_timestamp() + interval '30 s', read_ct = read_ct + 1
        FROM next WHERE m.msg_id = next.msg_id RETURNING m.msg_id)
    SELECT array_agg(msg_id) INTO taken FROM read;
    WITH done AS (DELETE FROM baseline.messages WHERE msg_id = ANY (taken) RETURNING *)
    INSERT INTO baseline.archive (msg_id, read_ct, enqueued_at, vt, message) SELECT msg_id, read_ct, enqueued_at, vt, message FROM done;
    RETURN coalesce(cardinality(taken), 0);
END $$;
