//! Figures from totals: one query in, one statement out.

use convene_engine::insights::{self, Facts, Figures, Sums};
use convene_engine::sponsorship::fold_region;
use serde_json::{Map, Value, json};

use crate::db::{self, Row};
use crate::error::Outcome;

/// Totals, and what is counted where it stands. Orders: those made where the tickets were looked at.
const KNOWN: &str = "
    SELECT t.event_id, coalesce(a.n, 0), o.paid, coalesce(v.views, 0)::float8, coalesce(v.watch, 0)::float8,
           coalesce(v.watched, 0)::float8, coalesce(v.reactions, 0)::float8,
           t.impressions::float8, t.dwell_ms::float8, t.dwelled::float8, t.ticket_views::float8, t.purchases::float8,
           t.post_views::float8, t.watch::float8, t.watched::float8, t.mentions::float8, t.sentiment::float8,
           t.texts::float8, t.countries, t.ages
      FROM convene.event_signal_totals t
      LEFT JOIN (SELECT event_id, pg_catalog.count(*) AS n FROM convene.attendees
                  WHERE event_id = ANY ($1) AND status <> 'cancelled' GROUP BY event_id) a ON a.event_id = t.event_id
      LEFT JOIN (SELECT event_id, pg_catalog.count(*) FILTER (
                          WHERE status IN ('paid', 'partially_refunded', 'disputed')) AS paid
                   FROM convene.orders WHERE event_id = ANY ($1) AND channel IN ('online', 'waitlist')
                  GROUP BY event_id) o ON o.event_id = t.event_id
      LEFT JOIN (SELECT event_id, pg_catalog.sum(views) AS views, pg_catalog.sum(watch_percentage * views) AS watch,
                        pg_catalog.sum(views) FILTER (WHERE watch_percentage IS NOT NULL) AS watched,
                        pg_catalog.sum(likes::numeric + shares) AS reactions
                   FROM convene.event_video_counters WHERE event_id = ANY ($1) GROUP BY event_id) v
        ON v.event_id = t.event_id
     WHERE t.event_id = ANY ($1) ORDER BY t.event_id";

/// Each figure in the place of what there was.
macro_rules! set_from {
    ($new:literal) => {
        concat!(
            "attendee_count = ",
            $new,
            ".attendee_count, avg_dwell_time_ms = ",
            $new,
            ".avg_dwell_time_ms,
             geo_distribution = ",
            $new,
            ".geo_distribution, age_segments = ",
            $new,
            ".age_segments,
             engagement_score = ",
            $new,
            ".engagement_score, ticket_conversion_rate = ",
            $new,
            ".ticket_conversion_rate,
             social_mentions = ",
            $new,
            ".social_mentions, sentiment_score = ",
            $new,
            ".sentiment_score,
             computed_at = pg_catalog.now()"
        )
    };
}

/// `$10`: also where nothing changed, because something was counted. What is there is updated and
/// not inserted anew, which would hold the event until the transaction ends.
const KEEP: &str = concat!(
    "WITH figures AS (
       SELECT f.event_id, f.attendee_count, f.dwell::numeric(14,2) AS avg_dwell_time_ms, f.geo::jsonb AS geo_distribution,
              f.ages::jsonb AS age_segments, f.engagement::numeric(7,6) AS engagement_score,
              f.conversion::numeric(7,6) AS ticket_conversion_rate, f.social_mentions,
              f.sentiment::numeric(7,6) AS sentiment_score
         FROM unnest($1::uuid[], $2::integer[], $3::float8[], $4::text[], $5::text[], $6::float8[], $7::float8[],
                     $8::integer[], $9::float8[])
              f(event_id, attendee_count, dwell, geo, ages, engagement, conversion, social_mentions, sentiment)),
     brought_up AS (
       UPDATE convene.event_audience_insights i SET ",
    set_from!("f"),
    "   FROM figures f
        WHERE i.event_id = f.event_id
          AND ($10 OR (i.attendee_count, i.avg_dwell_time_ms, i.geo_distribution, i.age_segments, i.engagement_score,
                       i.ticket_conversion_rate, i.social_mentions, i.sentiment_score)
            IS DISTINCT FROM
                      (f.attendee_count, f.avg_dwell_time_ms, f.geo_distribution, f.age_segments, f.engagement_score,
                       f.ticket_conversion_rate, f.social_mentions, f.sentiment_score)))
     INSERT INTO convene.event_audience_insights (
            event_id, attendee_count, avg_dwell_time_ms, geo_distribution, age_segments, engagement_score,
            ticket_conversion_rate, social_mentions, sentiment_score)
     SELECT f.* FROM figures f
      WHERE NOT EXISTS (SELECT FROM convene.event_audience_insights i WHERE i.event_id = f.event_id)
         ON CONFLICT (event_id) DO UPDATE SET ",
    set_from!("excluded")
);

/// Computes the figures of these events and writes them.
pub(super) fn keep(events: &[pgrx::Uuid], counted: bool) -> Outcome<()> {
    // By the way that writes use: what this very transaction counted has to be seen.
    let known = db::write(KNOWN, &[events.to_vec().into()], read)?;
    let figures: Vec<(pgrx::Uuid, Figures)> = known
        .into_iter()
        .map(|(id, sums, facts)| (id, insights::figures(&sums, &facts, country)))
        .collect();
    let texts = |of: fn(&Figures) -> String| figures.iter().map(|f| of(&f.1)).collect::<Vec<_>>();
    let whole = |of: fn(&Figures) -> i32| figures.iter().map(|f| of(&f.1)).collect::<Vec<_>>();
    let parts =
        |of: fn(&Figures) -> Option<f64>| figures.iter().map(|f| of(&f.1)).collect::<Vec<_>>();
    db::execute(
        KEEP,
        &[
            figures.iter().map(|f| f.0).collect::<Vec<_>>().into(),
            whole(|f| f.attendee_count).into(),
            parts(|f| f.avg_dwell_time_ms).into(),
            texts(|f| counts(&f.geo_distribution)).into(),
            texts(|f| json!(f.age_segments).to_string()).into(),
            parts(|f| f.engagement_score).into(),
            parts(|f| f.ticket_conversion_rate).into(),
            whole(|f| f.social_mentions).into(),
            parts(|f| f.sentiment_score).into(),
            counted.into(),
        ],
    )?;
    Ok(())
}

/// Countries by their code, as ISO 3166 writes it; what is none as the fit compares it.
fn country(word: &str) -> String {
    let folded = fold_region(word);
    if folded.len() == 2 { folded.to_ascii_uppercase() } else { folded }
}

/// Counts as whole numbers, as far as they are.
fn counts(by_key: &std::collections::BTreeMap<String, f64>) -> String {
    let number = |count: f64| match count {
        count if count.fract() == 0.0 && count < 9e15 => json!(count as i64),
        count => json!(count),
    };
    let members = by_key.iter().map(|(key, count)| (key.clone(), number(*count)));
    Value::Object(members.collect::<Map<_, _>>()).to_string()
}

fn read(row: &Row<'_>) -> Outcome<(pgrx::Uuid, Sums, Facts)> {
    let facts = Facts {
        attendees: row.want(2)?,
        orders: row.get(3)?,
        video_views: row.want(4)?,
        video_watch: row.want(5)?,
        video_watched: row.want(6)?,
        reactions: row.want(7)?,
    };
    let sums = Sums {
        impressions: row.want(8)?,
        dwell_ms: row.want(9)?,
        dwelled: row.want(10)?,
        ticket_views: row.want(11)?,
        purchases: row.want(12)?,
        post_views: row.want(13)?,
        watch: row.want(14)?,
        watched: row.want(15)?,
        mentions: row.want(16)?,
        sentiment: row.want(17)?,
        texts: row.want(18)?,
        countries: keys(row.want::<pgrx::JsonB>(19)?.0),
        ages: keys(row.want::<pgrx::JsonB>(20)?.0),
    };
    Ok((row.want(1)?, sums, facts))
}

fn keys(counts: Value) -> Vec<(String, f64)> {
    let Value::Object(members) = counts else { return Vec::new() };
    members.into_iter().filter_map(|(key, count)| Some((key, count.as_f64()?))).collect()
}
