//! Suggestions for everybody at an event at once.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use convene_engine::Stop;
use convene_engine::networking::{
    Algorithm, Asked, MetBefore, Outlook, Plan, Scorer, Strategy, Ties, balanced_instead,
    everybody, share,
};
use convene_engine::pairs::Excluded;
use pgrx::prelude::*;
use rayon::prelude::*;
use serde_json::{Value, json};

use super::circle::{apart, circle};
use super::context::Context;
use super::people::{self, Event};
use super::store;
use crate::auth::{self, Caller};
use crate::db;
use crate::error::{OrRaise, Outcome, invalid, required, within};
use crate::owner::with_owner;
use crate::parallel;

/// The most suggestions per person of one run.
const MOST: i32 = 100;
/// Rows fetched at a time.
const CHUNK: i64 = 10_000;
/// The highest limit of how often somebody is suggested.
const MOST_INCOMING: i32 = 10_000;

/// Suggests people to each other at a whole event.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::too_many_arguments)] // Each is one choice of the organizer's, and named.
fn generate_event_matches(
    p_event_id: Option<pgrx::Uuid>,
    p_per_attendee: default!(Option<i32>, "10"),
    p_min_score: default!(Option<f64>, "0"),
    p_max_incoming: default!(Option<i32>, "NULL"),
    p_algorithm: default!(Option<&str>, "'hybrid'"),
    p_strategy: default!(Option<&str>, "NULL"),
    p_replace: default!(Option<bool>, "false"),
    p_now: default!(Option<TimestampWithTimeZone>, "now()"),
) -> pgrx::JsonB {
    let run = || -> Outcome<pgrx::JsonB> {
        let event_id = auth::managed_event(p_event_id)?;
        let asked = asked(p_per_attendee, p_min_score, p_max_incoming, p_strategy)?;
        let algorithm = Algorithm::parse(required(p_algorithm, "p_algorithm")?)?;
        let replace = required(p_replace, "p_replace")?;
        let now = auth::moment(p_now, auth::caller()? == Caller::Service)?;
        with_owner(|| generate(event_id, algorithm, asked, replace, now)).map(pgrx::JsonB)
    };
    run().or_raise()
}

fn asked(
    per_attendee: Option<i32>,
    least: Option<f64>,
    incoming: Option<i32>,
    strategy: Option<&str>,
) -> Outcome<Asked> {
    let per_attendee = within(per_attendee, 1, MOST, "p_per_attendee")?;
    let least = share(required(least, "p_min_score")?, "p_min_score")?;
    let incoming = match incoming {
        Some(_) => Some(within(incoming, 1, MOST_INCOMING, "p_max_incoming")? as u32),
        None => None,
    };
    let strategy = match (strategy, incoming) {
        (None, None) => Strategy::TopK,
        (None, Some(_)) => Strategy::Balanced,
        (Some(name), _) => Strategy::parse(name)?,
    };
    if strategy == Strategy::TopK && incoming.is_some() {
        return invalid(
            "p_max_incoming does not go with p_strategy \"top_k\"",
            "The best of each person knows no limit on how often somebody is suggested.",
            "Leave one of the two out: with a limit the strategy is balanced.",
        );
    }
    Ok(Asked { per_attendee, least, incoming, strategy })
}

/// What the computation needs, for as long as it takes.
struct Work {
    event: Arc<Event>,
    ties: Ties,
    excluded: Excluded,
    open: Vec<(u32, u32)>,
}

impl Work {
    fn scorer(&self, algorithm: Algorithm, met: MetBefore) -> Scorer<'_> {
        let (weights, mean) = self.event.mean;
        Scorer::new(&self.event.crowd, &self.ties, algorithm, weights, mean, met)
    }
}

fn generate(
    event_id: pgrx::Uuid,
    algorithm: Algorithm,
    asked: Asked,
    replace: bool,
    now: TimestampWithTimeZone,
) -> Outcome<Value> {
    let started = Instant::now();
    store::hold_alone(event_id)?;
    let expired = store::expire(event_id, None, now)?;
    let context = Context::read(event_id)?;
    let event = people::load(event_id, &context.state, context.weights)?;
    let circle = circle(&event, None)?;
    let excluded = apart(&event, None, algorithm, &circle, now)?;
    let there = standing(&event)?;
    // What is to be replaced counts for nobody.
    let open = if replace { vec![] } else { there.open };
    let until = store::lives_until(event_id, now)?;
    let read = started.elapsed();

    let (met, company) = (context.met_before(), context.company());
    let work = Arc::new(Work { event: event.clone(), ties: circle.ties, excluded, open });
    let of_job = Arc::clone(&work);
    let (mut plan, rows) = parallel::run("matching people", move |stop| {
        let scorer = of_job.scorer(algorithm, met);
        let plan = everybody(&scorer, &of_job.excluded, &of_job.open, asked, stop)?;
        let rows: Vec<store::Row> = plan
            .suggestions
            .par_iter()
            .map(|s| store::row(&of_job.event, &scorer, company, s.a, s.b))
            .collect();
        Ok((plan, rows))
    })?;
    let computed = started.elapsed();
    // What the other choice would come to is found out while this one is written.
    let promising = std::mem::take(&mut plan.promising);
    let instead = match plan.balanced {
        Some(_) => None,
        None => Some(parallel::start_aside(
            "weighing the balanced choice",
            &Stop::default(),
            move |stop| {
                let scorer = work.scorer(algorithm, met);
                balanced_instead(&scorer, &work.excluded, (&work.open, &promising), asked, stop)
            },
        )?),
    };
    let estimated = instead.is_some();
    let (old, new): (Vec<_>, Vec<_>) =
        rows.into_iter().partition(|row| there.rows.contains_key(&(row.a, row.b)));
    let withdrawn = if replace { store::withdraw(left_over(&there.rows, &old), now)? } else { 0 };
    let run = store::Run { event_id, algorithm, now, until };
    let changed = store::keep(&run, &old)? + store::add(&run, &new)?;
    if let Some(job) = instead {
        plan.balanced = Some(job.wait()?);
    }
    let ms = |time: std::time::Duration| (time.as_secs_f64() * 1e4).round() / 10.0;
    let mut report = report(&event, algorithm, asked, &plan);
    if estimated {
        report["balanced"]["estimated"] = json!(true);
    }
    report["expired"] = json!(expired);
    report["changed"] = json!(changed);
    report["withdrawn"] = json!(withdrawn);
    report["milliseconds"] = json!({
        "read": ms(read), "compute": ms(computed.saturating_sub(read)), "store": ms(started.elapsed().saturating_sub(computed)),
    });
    Ok(report)
}

/// What there is already.
struct Standing {
    /// Suggestions that stand.
    open: Vec<(u32, u32)>,
    /// The row of every pair that stands or may be suggested again, and whether it stands.
    rows: HashMap<(pgrx::Uuid, pgrx::Uuid), (pgrx::Uuid, bool)>,
}

fn standing(event: &Event) -> Outcome<Standing> {
    const STANDING: &str = "
        SELECT m.attendee_1_id, m.attendee_2_id, m.status = 'suggested', m.id FROM convene.matches m
         WHERE m.event_id = $1 AND m.status IN ('suggested', 'expired')";
    let (mut open, mut rows) = (Vec::new(), HashMap::new());
    db::stream(STANDING, &[event.id.into()], CHUNK, |row| {
        let (a, b, stands) = (row.want(1)?, row.want(2)?, row.want(3)?);
        rows.insert((a, b), (row.want(4)?, stands));
        open.extend(event.index(a).zip(event.index(b)).filter(|_| stands));
        Ok(())
    })?;
    Ok(Standing { open, rows })
}

/// The rows of suggestions that stand and are not among those made now.
fn left_over(
    there: &HashMap<(pgrx::Uuid, pgrx::Uuid), (pgrx::Uuid, bool)>,
    again: &[store::Row],
) -> Vec<pgrx::Uuid> {
    let again: HashSet<_> = again.iter().map(|row| (row.a, row.b)).collect();
    let over = there.iter().filter(|(pair, (_, stands))| *stands && !again.contains(*pair));
    let mut ids: Vec<pgrx::Uuid> = over.map(|(_, (id, _))| *id).collect();
    ids.sort_unstable();
    ids
}

fn report(event: &Event, algorithm: Algorithm, asked: Asked, plan: &Plan) -> Value {
    let outlook = |outlook: &Outlook| {
        json!({
            "pairs": outlook.pairs,
            "expected_mutual_matches": rounded(outlook.expected),
            "exposure_gini": rounded(outlook.gini),
            "most_incoming": outlook.most,
            "without_suggestion": outlook.without,
            "upper_bound": outlook.bound.map(rounded),
        })
    };
    json!({
        "event_id": event.id.to_string(),
        "algorithm": algorithm.name(),
        "strategy": asked.strategy.name(),
        "attendees": event.ids.len(),
        "suggested": plan.suggestions.len(),
        "mean_score": rounded(event.mean.1),
        "top_k": outlook(&plan.top_k),
        "balanced": plan.balanced.as_ref().map(outlook),
    })
}

fn rounded(number: f64) -> f64 {
    (number * 1e4).round() / 1e4
}
