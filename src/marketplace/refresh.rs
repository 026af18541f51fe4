//! What the pages of the marketplace are read from, brought up to date: part by part, each logged.

use std::time::Instant;

use convene_engine::sponsorship::audience_overlap;
use pgrx::prelude::*;
use pgrx::spi::quote_identifier;

use super::quality;
use crate::db;
use crate::error::{OrRaise, Outcome, invalid};
use crate::install::vector_schema;
use crate::moments::finite;
use crate::owner::{require_service, with_owner, with_owner_refreshing};
use crate::sponsorship::inputs::{live_event, live_sponsor};
use crate::subtransaction::attempt;

/// First key of the advisory locks under which a part is refreshed; the second is its place.
const LOCK_CLASS: i32 = 0x636e_766d;

/// A part, and what brings it up to date as of a moment: how many rows it changed.
struct Part {
    name: &'static str,
    refresh: fn(TimestampWithTimeZone) -> Outcome<i64>,
}

/// All of them, in an order in which each finds what it reads up to date, and what people write, too,
/// is held for the shortest time: cards and packages last.
const PARTS: [Part; 7] = [
    Part { name: "sponsor_event_fit_scores", refresh: |_| with_owner(fit_scores) },
    Part {
        name: "mv_sponsor_event_fit_scores",
        refresh: |_| materialised("convene.mv_sponsor_event_fit_scores"),
    },
    Part { name: "event_quality_scores", refresh: |now| with_owner(|| quality::refresh(now)) },
    Part {
        name: "mv_event_quality_scores",
        refresh: |_| materialised("convene.mv_event_quality_scores"),
    },
    Part { name: "marketplace_analytics", refresh: |now| with_owner(|| analytics(now)) },
    Part { name: "sponsor_cards", refresh: |now| with_owner(|| sponsor_cards(now)) },
    Part { name: "package_cards", refresh: |now| with_owner(|| package_cards(now)) },
];

/// What became of a part.
struct Ran {
    part: &'static str,
    status: &'static str,
    rows_changed: Option<i64>,
    duration_ms: f64,
    message: Option<String>,
}

/// Brings the marketplace up to date, or one part of it.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // The columns of the result are the signature.
fn refresh_marketplace(
    p_which: default!(Option<&str>, "NULL"),
    p_now: default!(Option<TimestampWithTimeZone>, "now()"),
) -> TableIterator<
    'static,
    (
        name!(part, &'static str),
        name!(status, &'static str),
        name!(rows_changed, Option<i64>),
        name!(duration_ms, f64),
        name!(message, Option<String>),
    ),
> {
    TableIterator::new(
        run(p_which, p_now)
            .or_raise()
            .into_iter()
            .map(|ran| (ran.part, ran.status, ran.rows_changed, ran.duration_ms, ran.message)),
    )
}

fn run(which: Option<&str>, now: Option<TimestampWithTimeZone>) -> Outcome<Vec<Ran>> {
    require_service("refresh the marketplace")?;
    let now = finite(now, "p_now")?;
    let chosen = chosen(which)?;
    let mut done = Vec::with_capacity(chosen.len());
    for (place, part) in chosen {
        pgrx::check_for_interrupts!();
        let started = Instant::now();
        let result = attempt(|| {
            lock(place as i32)?;
            (part.refresh)(now)
        })?;
        let duration_ms = (started.elapsed().as_secs_f64() * 1e6).round() / 1e3;
        let (status, rows_changed, message) = match result {
            Ok(rows) => ("done", Some(rows), None),
            Err(message) => ("failed", None, Some(message)),
        };
        let ran = Ran { part: part.name, status, rows_changed, duration_ms, message };
        with_owner(|| log(&ran))?;
        done.push(ran);
    }
    Ok(done)
}

fn chosen(which: Option<&str>) -> Outcome<Vec<(usize, &'static Part)>> {
    let chosen: Vec<_> = PARTS
        .iter()
        .enumerate()
        .filter(|(_, part)| which.is_none_or(|which| which == part.name))
        .collect();
    if !chosen.is_empty() {
        return Ok(chosen);
    }
    invalid(
        format!("p_which {:?} is no part of the marketplace", which.unwrap_or_default()),
        "",
        format!("Pass one of {}, or null for all.", PARTS.map(|part| part.name).join(", ")),
    )
}

/// Two refreshes of a part come one after the other.
fn lock(place: i32) -> Outcome<()> {
    const LOCK: &str = "SELECT pg_catalog.pg_advisory_xact_lock($1, $2)";
    db::execute(LOCK, &[LOCK_CLASS.into(), place.into()])?;
    Ok(())
}

fn log(ran: &Ran) -> Outcome<()> {
    const LOG: &str = "
        INSERT INTO convene.mv_refresh_log (view_name, ran_at, duration_ms, rows_changed, status, message)
        VALUES ($1, pg_catalog.clock_timestamp(), $2::numeric(14,3), $3, $4, $5)";
    db::execute(
        LOG,
        &[
            ran.part.into(),
            ran.duration_ms.into(),
            ran.rows_changed.into(),
            ran.status.into(),
            ran.message.as_deref().into(),
        ],
    )?;
    Ok(())
}

const LEFT: &str = "
    DELETE FROM convene.sponsor_event_fit_scores f
     WHERE NOT EXISTS (SELECT FROM convene.sponsorship_matches m
                        WHERE m.event_id = f.event_id AND m.sponsor_id = f.sponsor_id
                          AND m.retired_at IS NULL)";
/// The two overlaps add up as in the score: their shares are parameters.
const FITS: &str = "
    INSERT INTO convene.sponsor_event_fit_scores
           (sponsor_id, event_id, score, budget_fit, audience_overlap, geo_fit, engagement_quality,
            objectives_similarity, semantic_similarity, computed_at)
    SELECT n.* FROM (
        SELECT m.sponsor_id, m.event_id, m.score::float8 AS score, (m.overlap_metrics->>'budget_fit')::float8 AS budget_fit,
               $1 * (m.overlap_metrics->'audience_overlap'->>'categories')::float8
                 + $2 * (m.overlap_metrics->'audience_overlap'->>'geo')::float8 AS audience_overlap,
               (m.overlap_metrics->>'geo_fit')::float8 AS geo_fit,
               (m.overlap_metrics->>'engagement_quality')::float8 AS engagement_quality,
               (m.overlap_metrics->>'objectives_similarity')::float8 AS objectives_similarity,
               v.cosine AS semantic_similarity, m.computed_at
          FROM convene.sponsorship_matches m
          LEFT JOIN convene.sponsor_profiles p ON p.sponsor_id = m.sponsor_id
          LEFT JOIN convene.event_embeddings x
                 ON x.event_id = m.event_id AND x.embedding_model = p.embedding_model
         CROSS JOIN LATERAL (SELECT p.objectives_embedding OPERATOR(@vector@.<=>) x.embedding) d (distance)
         CROSS JOIN LATERAL (
               -- A vector without direction gives NaN.
               SELECT CASE WHEN d.distance <> 'NaN' THEN greatest(-1, least(1, 1 - d.distance)) END) v (cosine)
         WHERE m.retired_at IS NULL) n
      LEFT JOIN convene.sponsor_event_fit_scores f ON f.sponsor_id = n.sponsor_id AND f.event_id = n.event_id
     WHERE f.sponsor_id IS NULL
        OR (f.score, f.budget_fit, f.audience_overlap, f.geo_fit, f.engagement_quality, f.objectives_similarity,
            f.semantic_similarity, f.computed_at)
           IS DISTINCT FROM (n.score, n.budget_fit, n.audience_overlap, n.geo_fit, n.engagement_quality,
                             n.objectives_similarity, n.semantic_similarity, n.computed_at)
     ORDER BY n.sponsor_id, n.event_id
    ON CONFLICT (sponsor_id, event_id) DO UPDATE
       SET score = excluded.score, budget_fit = excluded.budget_fit, audience_overlap = excluded.audience_overlap,
           geo_fit = excluded.geo_fit, engagement_quality = excluded.engagement_quality,
           objectives_similarity = excluded.objectives_similarity,
           semantic_similarity = excluded.semantic_similarity, computed_at = excluded.computed_at";

fn fit_scores() -> Outcome<i64> {
    let left = db::execute(LEFT, &[])?;
    let shares = [audience_overlap(1.0, 0.0).into(), audience_overlap(0.0, 1.0).into()];
    let sql = FITS.replace("@vector@", &quote_identifier(vector_schema()?));
    let written = db::execute_once(&sql, &shares)?;
    Ok((left + written) as i64)
}

/// Orders that were paid, and how often the event was shown: what was counted, months that were dropped
/// included, and what came since.
const PACKAGES: &str = "
    UPDATE convene.sponsorship_packages p
       SET view_count = n.views, order_count = n.orders, conversion_rate = n.rate, stats_refreshed_at = $1
      FROM (SELECT p.id, coalesce(v.views, 0) AS views, coalesce(o.orders, 0) AS orders,
                   CASE WHEN v.views > 0 THEN least(1, pg_catalog.round(coalesce(o.orders, 0)::numeric / v.views, 6))
                   END AS rate
              FROM convene.sponsorship_packages p
              LEFT JOIN (SELECT i.event_id, greatest(0, sum(i.impressions))::bigint AS views
                           FROM (SELECT t.event_id, t.impressions FROM convene.event_signal_totals t
                                 UNION ALL SELECT d.event_id, d.impressions FROM convene.event_signal_deltas d) i
                          GROUP BY i.event_id) v ON v.event_id = p.event_id
              LEFT JOIN (SELECT o.package_id, count(*)::integer AS orders FROM convene.sponsorship_orders o
                          WHERE o.status NOT IN ('pending', 'cancelled', 'refunded')
                          GROUP BY o.package_id) o ON o.package_id = p.id) n
     WHERE n.id = p.id
       AND (p.stats_refreshed_at IS NULL
            OR (p.view_count, p.order_count, p.conversion_rate) IS DISTINCT FROM (n.views, n.orders, n.rate))";

fn package_cards(now: TimestampWithTimeZone) -> Outcome<i64> {
    Ok(db::execute(PACKAGES, &[now.into()])? as i64)
}

const SPONSORS: &str = "
    UPDATE convene.sponsor_cards c
       SET sponsorships_active = n.active, sponsorships_completed = n.completed, match_count = n.matches,
           average_match_score = n.average, best_match_score = n.best, stats_refreshed_at = $1
      FROM (SELECT c.sponsor_id, coalesce(s.active, 0) AS active, coalesce(s.completed, 0) AS completed,
                   coalesce(m.matches, 0) AS matches, m.average, m.best
              FROM convene.sponsor_cards c
              LEFT JOIN (SELECT s.sponsor_id, count(*) FILTER (WHERE s.status IN ('confirmed', 'active'))::integer AS active,
                                count(*) FILTER (WHERE s.status = 'completed')::integer AS completed
                           FROM convene.event_sponsorships s GROUP BY s.sponsor_id) s ON s.sponsor_id = c.sponsor_id
              LEFT JOIN (SELECT m.sponsor_id, count(*)::integer AS matches, pg_catalog.round(avg(m.score), 6)::float8 AS average,
                                max(m.score)::float8 AS best
                           FROM convene.sponsorship_matches m WHERE m.retired_at IS NULL
                          GROUP BY m.sponsor_id) m ON m.sponsor_id = c.sponsor_id) n
     WHERE n.sponsor_id = c.sponsor_id
       AND (c.stats_refreshed_at IS NULL
            OR (c.sponsorships_active, c.sponsorships_completed, c.match_count, c.average_match_score, c.best_match_score)
               IS DISTINCT FROM (n.active, n.completed, n.matches, n.average, n.best))";

fn sponsor_cards(now: TimestampWithTimeZone) -> Outcome<i64> {
    Ok(db::execute(SPONSORS, &[now.into()])? as i64)
}

const DAY: &str = concat!(
    "INSERT INTO convene.marketplace_days AS d
            (day, live_events, live_sponsors, events_with_vector, sponsors_with_vector, packages_on_sale, places_left,
             places_sold, matches, average_match_score, matches_viewed, matches_contacted, matches_accepted,
             matches_rejected, sponsorships_active, average_quality_score, premium_events, computed_at)
     SELECT ($1 AT TIME ZONE 'UTC')::date, e.events, s.sponsors, e.vectors, s.vectors, k.packages, k.places, k.sold,
            m.matches, m.average, m.viewed, m.contacted, m.accepted, m.rejected, w.active, e.quality, e.premium, $1
       FROM (SELECT count(*) AS events, count(x.event_id) AS vectors,
                    pg_catalog.round(avg(q.quality_score)::numeric, 2)::float8 AS quality,
                    count(*) FILTER (WHERE q.quality_tier = 'premium') AS premium
               FROM convene.events e
               LEFT JOIN convene.event_embeddings x ON x.event_id = e.id
               LEFT JOIN convene.event_quality_scores q ON q.event_id = e.id
              WHERE ",
    live_event!("$1"),
    ") e,
            (SELECT count(*) AS sponsors, count(p.objectives_embedding) AS vectors
               FROM convene.sponsors s LEFT JOIN convene.sponsor_profiles p ON p.sponsor_id = s.id
              WHERE ",
    live_sponsor!(),
    ") s,
            (SELECT count(*) FILTER (WHERE p.available > 0) AS packages, coalesce(sum(p.available), 0) AS places,
                    coalesce(sum(p.sold), 0) AS sold
               FROM convene.sponsorship_packages p JOIN convene.events e ON e.id = p.event_id
              WHERE p.status <> 'archived' AND ",
    live_event!("$1"),
    ") k,
            (SELECT count(*) AS matches, pg_catalog.round(avg(m.score), 6)::float8 AS average, count(m.viewed_at) AS viewed,
                    count(m.contacted_at) AS contacted, count(*) FILTER (WHERE m.status = 'accepted') AS accepted,
                    count(*) FILTER (WHERE m.status = 'rejected') AS rejected
               FROM convene.sponsorship_matches m WHERE m.retired_at IS NULL) m,
            (SELECT count(*) AS active FROM convene.event_sponsorships w WHERE w.status IN ('confirmed', 'active')) w
     ON CONFLICT (audience, day) DO UPDATE
        SET live_events = excluded.live_events, live_sponsors = excluded.live_sponsors,
            events_with_vector = excluded.events_with_vector, sponsors_with_vector = excluded.sponsors_with_vector,
            packages_on_sale = excluded.packages_on_sale, places_left = excluded.places_left,
            places_sold = excluded.places_sold, matches = excluded.matches,
            average_match_score = excluded.average_match_score, matches_viewed = excluded.matches_viewed,
            matches_contacted = excluded.matches_contacted, matches_accepted = excluded.matches_accepted,
            matches_rejected = excluded.matches_rejected, sponsorships_active = excluded.sponsorships_active,
            average_quality_score = excluded.average_quality_score, premium_events = excluded.premium_events,
            computed_at = excluded.computed_at"
);

fn analytics(now: TimestampWithTimeZone) -> Outcome<i64> {
    Ok(db::execute(DAY, &[now.into()])? as i64)
}

/// Rows that went into a table and out of it in this transaction so far; an update is both.
const WRITTEN: &str = "
    SELECT pg_catalog.pg_stat_get_xact_tuples_inserted($1::regclass),
           pg_catalog.pg_stat_get_xact_tuples_deleted($1::regclass)";

/// Readers go on meanwhile. A row that changed went out and in, and counts once.
fn materialised(view: &'static str) -> Outcome<i64> {
    with_owner_refreshing(|| {
        let counts = || {
            db::read_one(WRITTEN, &[view.into()], |row| {
                Ok((row.want::<i64>(1)?, row.want::<i64>(2)?))
            })
        };
        let before = counts()?.unwrap_or_default();
        db::script(&format!("REFRESH MATERIALIZED VIEW CONCURRENTLY {view}"))?;
        let after = counts()?.unwrap_or_default();
        Ok((after.0 - before.0).max(after.1 - before.1))
    })
}
