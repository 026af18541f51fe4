//! Roundtables for an event.

use convene_engine::Error;
use convene_engine::peers::Contractor;
use convene_engine::peers::groups::{Left, Tables, form};
use pgrx::prelude::*;

use super::apart::{self, Rules};
use super::crowd::{self, People};
use super::score_numeric;
use crate::auth;
use crate::db;
use crate::error::{Failure, OrRaise, Outcome, invalid, required, within};
use crate::owner::with_owner;
use crate::parallel;

/// Tables are for so many people at most.
const MOST_SIZE: i32 = 12;
/// More people are not seated in one call.
const MOST_PEOPLE: usize = 10_000;

type Row = (
    Option<i32>,
    pgrx::Uuid,
    String,
    String,
    Option<String>,
    Option<AnyNumeric>,
    Vec<String>,
    String,
);

/// Seats the contractors of an event at roundtables.
#[pg_extern(stable, parallel_restricted)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // The columns of the result are the signature.
fn form_peer_groups(
    p_event_id: Option<pgrx::Uuid>,
    p_size: default!(Option<i32>, "4"),
    p_topic: default!(Option<&str>, "NULL"),
    p_include_met: default!(Option<bool>, "false"),
    p_seed: default!(Option<i64>, "1"),
) -> TableIterator<
    'static,
    (
        name!(group_number, Option<i32>),
        name!(contractor_id, pgrx::Uuid),
        name!(first_name, String),
        name!(last_name, String),
        name!(company_name, Option<String>),
        name!(lowest_score, Option<AnyNumeric>),
        name!(shared_focus, Vec<String>),
        name!(reason, String),
    ),
> {
    TableIterator::new(groups(p_event_id, p_size, p_topic, p_include_met, p_seed).or_raise())
}

fn groups(
    event_id: Option<pgrx::Uuid>,
    size: Option<i32>,
    topic: Option<&str>,
    include_met: Option<bool>,
    seed: Option<i64>,
) -> Outcome<Vec<Row>> {
    let event_id = auth::managed_event(event_id)?;
    let size = within(size, 3, MOST_SIZE, "p_size")?;
    if topic.is_some_and(|topic| topic.trim().is_empty()) {
        return invalid("p_topic is empty", "", "Pass a focus area, or null for all.");
    }
    let met = !required(include_met, "p_include_met")?;
    let seed = required(seed, "p_seed")? as u64;
    with_owner(|| {
        let people = crowd::load(event_id)?;
        let excluded = apart::of_all(&people, Rules { met, ..Rules::default() })?;
        let seated: Vec<usize> = (0..people.ids.len())
            .filter(|at| topic.is_none_or(|topic| people.contractors[*at].wants(topic)))
            .collect();
        if seated.len() > MOST_PEOPLE {
            return Err(Failure(Error::TooLarge {
                message: format!("{} people are more than one call seats", seated.len()),
                hint: format!("Pass p_topic, to seat at most {MOST_PEOPLE} at a time."),
            }));
        }
        let (shared, who) = (std::sync::Arc::clone(&people), seated.clone());
        let tables = parallel::run("roundtables", move |stop| {
            let score = |a: usize, b: usize| {
                let (a, b) = (who[a], who[b]);
                let apart = excluded.has(a as u32, b as u32);
                (!apart).then(|| shared.crowd.score(a, b))
            };
            form(who.len(), &score, size, seed, stop)
        })?;
        described(&people, &seated, tables)
    })
}

/// Table, index, lot, what the table shares, and why.
type Seat = (Option<i32>, usize, Option<f64>, Vec<String>, String);

fn described(people: &People, seated: &[usize], tables: Tables) -> Outcome<Vec<Row>> {
    const NAMES: &str = "
        SELECT c.first_name, c.last_name, c.company_name
          FROM unnest($1::uuid[]) WITH ORDINALITY w (id, at)
          JOIN convene.contractors c ON c.id = w.id
         ORDER BY w.at";
    let mut rows: Vec<Seat> = Vec::new();
    for (number, group) in (1..).zip(&tables.groups) {
        let group: Vec<usize> = group.iter().map(|at| seated[*at as usize]).collect();
        let words: Vec<&Contractor> = group.iter().map(|at| &people.contractors[*at]).collect();
        let focus = Contractor::shared_focus(&words);
        for at in &group {
            let others = group.iter().filter(|other| *other != at);
            let lowest = others.map(|other| people.crowd.score(*at, *other)).min_by(f64::total_cmp);
            rows.push((Some(number), *at, lowest, focus.clone(), said(&focus)));
        }
    }
    for (at, left) in &tables.left {
        rows.push((None, seated[*at as usize], None, vec![], why(*left).to_owned()));
    }
    let ids: Vec<pgrx::Uuid> = rows.iter().map(|row| people.ids[row.1]).collect();
    let names = db::read(NAMES, &[ids.into()], |row| {
        Ok((row.want::<String>(1)?, row.want::<String>(2)?, row.get::<String>(3)?))
    })?;
    Ok(rows
        .into_iter()
        .zip(names)
        .map(|((group, at, lowest, focus, reason), (first, last, company))| {
            let lowest = lowest.map(score_numeric);
            (group, people.ids[at], first, last, company, lowest, focus, reason)
        })
        .collect())
}

fn said(focus: &[String]) -> String {
    match focus {
        [] => "Seated so that nobody fits badly.".to_owned(),
        shared => format!("All at this table are focused on {}.", shared.join(", ")),
    }
}

fn why(left: Left) -> &'static str {
    match left {
        Left::TooFew => "A table needs at least three people.",
        Left::KeptApart => "Cannot share a table with enough of the others.",
    }
}
