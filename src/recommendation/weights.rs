//! Fusion weights learned from what attendees did with what they were shown.

use convene_engine::learning::{Example, Learned, learn_weights};
use convene_engine::recommendation::{WeightSet, Weights};
use pgrx::prelude::*;
use serde_json::{Value, json};

use super::person::Context;
use crate::auth;
use crate::db::{self, Row};
use crate::error::{OrRaise, Outcome, required};
use crate::owner::with_owner;
use crate::parallel;

/// Interactions from which what is learned is for regulars: nearer to forty than to three, in the
/// logarithm that the weights are blended by.
const MANY_FROM: i32 = 12;
/// Rows fetched at a time.
const CHUNK: i64 = 10_000;
/// The three anchors of a weight set.
const ANCHORS: [&str; 3] = ["none", "few", "many"];

/// Learns how much each source should count at an event, and puts that to use where it does better.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn learn_recommendation_weights(
    p_event_id: Option<pgrx::Uuid>,
    p_apply: default!(Option<bool>, "false"),
) -> pgrx::JsonB {
    run(p_event_id, p_apply).or_raise()
}

fn run(event_id: Option<pgrx::Uuid>, apply: Option<bool>) -> Outcome<pgrx::JsonB> {
    let event_id = auth::managed_event(event_id)?;
    let apply = required(apply, "p_apply")?;
    with_owner(|| {
        let now = Context::read(event_id)?.weights()?;
        let shown = shown(event_id)?;
        let counts = shown.each_ref().map(Vec::len);
        let learned = parallel::run("learning weights", move |stop| {
            let anchors = [now.none, now.few, now.many];
            let mut learned = [None; ANCHORS.len()];
            for (at, examples) in shown.iter().enumerate() {
                learned[at] = learn_weights(examples, anchors[at], &stop.part(at, ANCHORS.len()))?;
            }
            Ok(learned)
        })?;
        let better = learned.map(|l| l.filter(|l| l.auc_learned > l.auc_now));
        let applied = apply && better.iter().any(Option::is_some);
        if applied {
            store(event_id, &improved(now, &better))?;
        }
        Ok(pgrx::JsonB(report(&learned, counts, applied)))
    })
}

/// A number out of the context of a recommendation, kept within bounds; the default where there is
/// none or something else: the service may write into the context what it likes.
macro_rules! number_sql {
    ($path:literal, $least:literal, $most:literal, $default:literal) => {
        concat!(
            "coalesce(CASE pg_catalog.jsonb_typeof(h.recommendation_context #> '",
            $path,
            "') WHEN 'number' THEN least(greatest((h.recommendation_context #> '",
            $path,
            "')::numeric, ",
            $least,
            "), ",
            $most,
            ") END, ",
            $default,
            ")"
        )
    };
}

const SHOWN: &str = concat!(
    "SELECT h.attendee_id, ",
    number_sql!("{interactions}", "0", "1e6", "0"),
    "::int, ",
    number_sql!("{position}", "1", "1e6", "1"),
    "::int, ",
    number_sql!("{score_parts,content,score}", "0", "1", "0"),
    "::float8, ",
    number_sql!("{score_parts,topics,score}", "0", "1", "0"),
    "::float8, ",
    number_sql!("{score_parts,collaborative,score}", "0", "1", "0"),
    "::float8, ",
    number_sql!("{score_parts,popularity,score}", "0", "1", "0"),
    "::float8,
           NOT h.dismissed AND (h.clicked OR h.bookmarked OR h.attended OR coalesce(h.feedback_rating >= 4, false))
      FROM convene.recommendation_history h
     WHERE h.event_id = $1 AND h.recommended_item_type = 'session'
       AND h.recommendation_algorithm = 'hybrid'
     ORDER BY h.id"
);

/// What was shown at the event, by how much was known of the person then.
fn shown(event_id: pgrx::Uuid) -> Outcome<[Vec<Example>; ANCHORS.len()]> {
    let mut shown = [vec![], vec![], vec![]];
    db::stream(SHOWN, &[event_id.into()], CHUNK, |row| {
        let anchor = match row.want::<i32>(2)? {
            ..=0 => 0,
            1..MANY_FROM => 1,
            MANY_FROM.. => 2,
        };
        shown[anchor].push(example(row)?);
        Ok(())
    })?;
    Ok(shown)
}

fn example(row: &Row<'_>) -> Outcome<Example> {
    let (high, low) = uuid::Uuid::from_bytes(*row.want::<pgrx::Uuid>(1)?).as_u64_pair();
    Ok(Example {
        person: high ^ low,
        position: row.want::<i32>(3)?.max(1) as u32,
        scores: [row.want(4)?, row.want(5)?, row.want(6)?, row.want(7)?],
        liked: row.want(8)?,
    })
}

fn improved(now: WeightSet, better: &[Option<Learned>; ANCHORS.len()]) -> WeightSet {
    let [none, few, many] = better.map(|learned| learned.map(|l| l.weights));
    WeightSet {
        none: none.unwrap_or(now.none),
        few: few.unwrap_or(now.few),
        many: many.unwrap_or(now.many),
    }
}

/// Makes the weights the event's own, in place of those it had.
fn store(event_id: pgrx::Uuid, weights: &WeightSet) -> Outcome<()> {
    const RETIRE: &str = "
        UPDATE convene.scoring_weights SET is_active = false
         WHERE surface = 'recommendations' AND event_id = $1 AND is_active";
    const STORE: &str = "
        INSERT INTO convene.scoring_weights (surface, name, event_id, weights)
        VALUES ('recommendations', 'learned', $1, $2)";
    let set = json!({
        "none": shares(weights.none), "few": shares(weights.few), "many": shares(weights.many),
    });
    db::execute(RETIRE, &[event_id.into()])?;
    db::execute(STORE, &[event_id.into(), pgrx::JsonB(set).into()])?;
    Ok(())
}

fn shares(weights: Weights) -> Value {
    json!({
        "content": weights.content, "topics": weights.topics,
        "collaborative": weights.collaborative, "popularity": weights.popularity,
    })
}

fn report(
    learned: &[Option<Learned>; ANCHORS.len()],
    counts: [usize; ANCHORS.len()],
    applied: bool,
) -> Value {
    let mut report = json!({ "applied": applied });
    for (at, anchor) in ANCHORS.into_iter().enumerate() {
        report[anchor] = match learned[at] {
            Some(l) => json!({
                "examples": counts[at], "auc_now": l.auc_now, "auc_learned": l.auc_learned,
                "weights": shares(l.weights),
            }),
            None => json!({ "examples": counts[at], "weights": null }),
        };
    }
    report
}
