//! Suggestions for everybody at an event at once.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Instant;

use convene_engine::networking::{
    Algorithm, Asked, Company, MetBefore, Outlook, Plan, Scorer, Strategy, Suggestion, Ties,
    balanced_instead, everybody, share,
};
use convene_engine::pairs::Excluded;
use convene_engine::{Error, Stop};
use pgrx::prelude::*;
use serde_json::{Value, json};

use super::circle::{apart, circle};
use super::context::Context;
use super::people::{self, Event, Who};
use super::store::{self, Row};
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
    algorithm: Algorithm,
    met: MetBefore,
    company: Company,
    asked: Asked,
}

impl Work {
    fn scorer(&self) -> Scorer<'_> {
        let (weights, mean) = self.event.mean;
        Scorer::new(&self.event.crowd, &self.ties, self.algorithm, weights, mean, self.met)
    }

    fn plan(&self, stop: &Stop) -> Result<Plan, Error> {
        everybody(&self.scorer(), &self.excluded, &self.open, self.asked, stop)
    }

    /// Hands over the rows of a plan.
    fn describe(&self, plan: &Plan, rows: &Sender<Vec<Row>>, stop: &Stop) -> Result<(), Error> {
        let scorer = self.scorer();
        let mut ids = store::fresh_ids(plan.suggestions.len())?.into_iter();
        for batch in plan.suggestions.chunks(store::BATCH) {
            stop.check()?;
            let described = batch.iter().zip(&mut ids);
            let described =
                described.map(|(one, id)| store::row(&self.event, &scorer, self.company, one, id));
            // Nobody listens any more after a cancel.
            let _ = rows.send(described.collect());
        }
        Ok(())
    }

    /// What the other choice would come to, where the plan does not say.
    fn instead(&self, plan: &Plan, stop: &Stop) -> Result<Option<Outlook>, Error> {
        if plan.balanced.is_some() {
            return Ok(None);
        }
        let open = (self.open.as_slice(), plan.promising.as_slice());
        balanced_instead(&self.scorer(), &self.excluded, open, self.asked, stop).map(Some)
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
    let loading = people::load(event_id, &context.state, context.weights)?;
    let who = &loading.who;
    let circle = circle(who, None)?;
    let excluded = apart(who, None, algorithm, &circle, now)?;
    let there = standing(who)?;
    // What is to be replaced counts for nobody.
    let open = if replace { vec![] } else { there.open };
    let until = store::lives_until(event_id, now)?;
    let event = loading.wait()?;
    let read = started.elapsed();

    let (met, company) = (context.met_before(), context.company());
    let ties = circle.ties;
    let work = Arc::new(Work { event, ties, excluded, open, algorithm, met, company, asked });
    let of_job = Arc::clone(&work);
    let plan = Arc::new(parallel::run("matching people", move |stop| of_job.plan(stop))?);
    let computed = started.elapsed();

    let run = store::Run { event_id, algorithm, now, until };
    let over = if replace { left_over(&work.event.who, &there.rows, &plan) } else { vec![] };
    let withdrawn = store::withdraw(over, now)?;
    let (changed, instead) = write(&work, &plan, &run, &there.rows)?;
    let ms = |time: std::time::Duration| (time.as_secs_f64() * 1e4).round() / 10.0;
    let mut report = report(&work, &plan, instead.as_ref());
    report["expired"] = json!(expired);
    report["changed"] = json!(changed);
    report["withdrawn"] = json!(withdrawn);
    report["milliseconds"] = json!({
        "read": ms(read), "compute": ms(computed.saturating_sub(read)), "store": ms(started.elapsed().saturating_sub(computed)),
    });
    Ok(report)
}

/// Writes a plan; how many rows changed, and what the other choice would come to. One thread makes the
/// rows of the next batches while this one writes, and then weighs the other choice.
fn write(
    work: &Arc<Work>,
    plan: &Arc<Plan>,
    run: &store::Run,
    there: &There,
) -> Outcome<(usize, Option<Outlook>)> {
    let (send, batches) = parallel::parts();
    let (of_job, planned) = (Arc::clone(work), Arc::clone(plan));
    let job = parallel::start_aside("describing matches", &Stop::default(), move |stop| {
        of_job.describe(&planned, &send, stop)?;
        drop(send);
        of_job.instead(&planned, stop)
    })?;
    let mut changed = 0;
    while let Some(batch) = batches.next()? {
        pgrx::check_for_interrupts!();
        let (old, new): (Vec<Row>, Vec<Row>) =
            batch.into_iter().partition(|row| there.contains_key(&(row.a, row.b)));
        changed += db::portion(|| Ok(store::keep(run, &old)? + store::add(run, &new)?))?;
    }
    Ok((changed, job.wait()?))
}

/// The row of every pair that stands or may be suggested again, and whether it stands.
type There = HashMap<(pgrx::Uuid, pgrx::Uuid), (pgrx::Uuid, bool)>;

/// What there is already.
struct Standing {
    /// Suggestions that stand.
    open: Vec<(u32, u32)>,
    rows: There,
}

fn standing(who: &Who) -> Outcome<Standing> {
    const STANDING: &str = "
        SELECT m.attendee_1_id, m.attendee_2_id, m.status = 'suggested', m.id FROM convene.matches m
         WHERE m.event_id = $1 AND m.status IN ('suggested', 'expired')";
    let (mut open, mut rows) = (Vec::new(), HashMap::new());
    db::stream(STANDING, &[who.event_id.into()], CHUNK, |row| {
        let (a, b, stands) = (row.want(1)?, row.want(2)?, row.want(3)?);
        rows.insert((a, b), (row.want(4)?, stands));
        open.extend(who.index(a).zip(who.index(b)).filter(|_| stands));
        Ok(())
    })?;
    Ok(Standing { open, rows })
}

/// The rows of suggestions that stand and are not among those made now.
fn left_over(who: &Who, there: &There, plan: &Plan) -> Vec<pgrx::Uuid> {
    let pair = |one: &Suggestion| (who.ids[one.a as usize], who.ids[one.b as usize]);
    let again: HashSet<_> = plan.suggestions.iter().map(pair).collect();
    let over = there.iter().filter(|(pair, (_, stands))| *stands && !again.contains(*pair));
    let mut ids: Vec<pgrx::Uuid> = over.map(|(_, (id, _))| *id).collect();
    ids.sort_unstable();
    ids
}

fn report(work: &Work, plan: &Plan, instead: Option<&Outlook>) -> Value {
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
    let mut balanced = json!(instead.or(plan.balanced.as_ref()).map(outlook));
    if instead.is_some() {
        balanced["estimated"] = json!(true);
    }
    json!({
        "event_id": work.event.who.event_id.to_string(),
        "algorithm": work.algorithm.name(),
        "strategy": work.asked.strategy.name(),
        "attendees": work.event.who.ids.len(),
        "suggested": plan.suggestions.len(),
        "mean_score": rounded(work.event.mean.1),
        "top_k": outlook(&plan.top_k),
        "balanced": balanced,
    })
}

fn rounded(number: f64) -> f64 {
    (number * 1e4).round() / 1e4
}
