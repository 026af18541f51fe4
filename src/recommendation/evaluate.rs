//! How good the advice is: tried on what people have done, and counted on what they then did.

use std::sync::Arc;

use convene_engine::evaluation::{Report, Split, evaluate};
use convene_engine::recommendation::{Algorithm, Person};
use pgrx::prelude::*;

use super::crowd;
use super::person::Context;
use crate::auth;
use crate::db;
use crate::error::{OrRaise, Outcome, invalid, required, within};
use crate::owner::with_owner;
use crate::parallel;
use crate::programme;

/// The longest list that is judged.
const MOST: i32 = 1000;

/// Holds interactions back, recommends without them, and reports what was found again.
#[pg_extern(stable, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // The columns of the result are the signature.
fn evaluate_recommender(
    p_event_id: Option<pgrx::Uuid>,
    p_k: default!(Option<i32>, "10"),
    p_seed: default!(Option<i64>, "42"),
    p_split: default!(Option<&str>, "'last'"),
) -> TableIterator<
    'static,
    (
        name!(recommendation_algorithm, String),
        name!(people, i64),
        name!(hit_rate, f64),
        name!(recall, f64),
        name!(ndcg, f64),
        name!(mrr, f64),
        name!(coverage, f64),
        name!(diversity, Option<f64>),
    ),
> {
    TableIterator::new(run(p_event_id, p_k, p_seed, p_split).or_raise().into_iter().map(|report| {
        let m = report.metrics;
        let people = m.people as i64;
        (report.algorithm, people, m.hit_rate, m.recall, m.ndcg, m.mrr, m.coverage, m.diversity)
    }))
}

fn run(
    event_id: Option<pgrx::Uuid>,
    k: Option<i32>,
    seed: Option<i64>,
    split: Option<&str>,
) -> Outcome<Vec<Report>> {
    let event_id = auth::managed_event(event_id)?;
    let k = within(k, 1, MOST, "p_k")?;
    let seed = required(seed, "p_seed")? as u64;
    let split = match required(split, "p_split")? {
        "last" => Split::Last,
        "random" => Split::Random,
        other => {
            return invalid(
                format!("p_split {other:?} is not known"),
                "",
                "Pass 'last' (each attendee's latest interaction) or 'random' (one in five).",
            );
        }
    };
    with_owner(|| {
        let context = Context::read(event_id)?;
        let event = programme::load(event_id, &context.state)?;
        let people = crowd::read(&event)?.people;
        let now = latest(&people);
        let options = context.options(k, Algorithm::Hybrid, now)?;
        let programme = Arc::clone(&event.programme);
        parallel::run("evaluation", move |stop| {
            evaluate(&programme, &people, k, seed, split, &options, stop)
        })
    })
}

/// The moment to judge at: right after the last interaction, so that the clock changes no number.
fn latest(people: &[Person]) -> i64 {
    people.iter().flat_map(|person| &person.signals).map(|signal| signal.at).max().unwrap_or(0)
}

/// One row of the metrics.
type Metric = (
    String,
    Option<pgrx::Uuid>,
    Option<String>,
    i64,
    i64,
    i64,
    i64,
    i64,
    i64,
    Option<AnyNumeric>,
    Option<AnyNumeric>,
);

/// What became of what was shown, per algorithm and variant.
#[pg_extern(stable, parallel_restricted)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // The columns of the result are the signature.
fn recommendation_metrics(
    p_event_id: Option<pgrx::Uuid>,
) -> TableIterator<
    'static,
    (
        name!(recommendation_algorithm, String),
        name!(experiment_id, Option<pgrx::Uuid>),
        name!(variant, Option<String>),
        name!(shown, i64),
        name!(clicked, i64),
        name!(bookmarked, i64),
        name!(attended, i64),
        name!(dismissed, i64),
        name!(rated, i64),
        name!(average_rating, Option<AnyNumeric>),
        name!(click_rate, Option<AnyNumeric>),
    ),
> {
    TableIterator::new(metrics(p_event_id).or_raise())
}

fn metrics(event_id: Option<pgrx::Uuid>) -> Outcome<Vec<Metric>> {
    const METRICS: &str = "
        SELECT h.recommendation_algorithm, h.experiment_id, h.variant, pg_catalog.count(*),
               pg_catalog.count(*) FILTER (WHERE h.clicked),
               pg_catalog.count(*) FILTER (WHERE h.bookmarked),
               pg_catalog.count(*) FILTER (WHERE h.attended),
               pg_catalog.count(*) FILTER (WHERE h.dismissed),
               pg_catalog.count(h.feedback_rating),
               pg_catalog.round(pg_catalog.avg(h.feedback_rating), 2),
               pg_catalog.round(pg_catalog.count(*) FILTER (WHERE h.clicked)::numeric / pg_catalog.count(*), 4)
          FROM convene.recommendation_history h
         WHERE h.event_id = $1
         GROUP BY h.recommendation_algorithm, h.experiment_id, h.variant
         ORDER BY h.recommendation_algorithm, h.experiment_id, h.variant";
    let event_id = auth::managed_event(event_id)?;
    with_owner(|| {
        db::read(METRICS, &[event_id.into()], |row| {
            Ok((
                row.want(1)?,
                row.get(2)?,
                row.get(3)?,
                row.want(4)?,
                row.want(5)?,
                row.want(6)?,
                row.want(7)?,
                row.want(8)?,
                row.want(9)?,
                row.get(10)?,
                row.get(11)?,
            ))
        })
    })
}
