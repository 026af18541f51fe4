//! Attendees whom a sponsor wants to meet and has not met yet: those who agreed to be seen.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use convene_engine::leads::{Fit, MOST_FIT, fit_reasons, parts_of};
use pgrx::prelude::*;
use serde_json::{Value, json};

use super::access;
use super::customer::{self, fact_columns, fact_joins, person};
use crate::db;
use crate::error::{OrRaise, Outcome, within};
use crate::owner::with_owner;

/// The most attendees that one call gives.
const MOST: i32 = 500;
/// Attendees that are read at a time.
const CHUNK: i64 = 5_000;

/// Attendees who fit, best first.
#[pg_extern(stable, parallel_restricted)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // The columns of the result are the signature.
fn sponsor_attendee_match(
    p_sponsor_id: Option<pgrx::Uuid>,
    p_limit: default!(Option<i32>, "20"),
) -> TableIterator<
    'static,
    (
        name!(attendee_id, pgrx::Uuid),
        name!(event_id, pgrx::Uuid),
        name!(attendee, pgrx::JsonB),
        name!(fit_score, i32),
        name!(fit_assumed, bool),
        name!(reasons, Vec<String>),
        name!(score_parts, pgrx::JsonB),
    ),
> {
    let found = matching(p_sponsor_id, p_limit).or_raise();
    TableIterator::new(found.into_iter().map(|found| {
        let reasons = fit_reasons(&found.parts);
        let attendee = pgrx::JsonB(found.attendee);
        (
            found.id,
            found.event,
            attendee,
            found.score,
            found.assumed,
            reasons,
            pgrx::JsonB(found.parts),
        )
    }))
}

struct Found {
    id: pgrx::Uuid,
    event: pgrx::Uuid,
    attendee: Value,
    score: i32,
    assumed: bool,
    parts: Value,
}

// Whoever is a lead, or was met and is not counted yet, has been met. Consent is to sponsors: who is one no longer meets
// nobody new.
const STRANGERS: &str = concat!(
    "SELECT a.id, a.event_id, ",
    fact_columns!(),
    " FROM convene.attendees a",
    fact_joins!(),
    "WHERE a.event_id = ANY (ARRAY(
             SELECT s.event_id FROM convene.sponsors s
              WHERE s.id = $1 AND s.status <> 'churned' AND s.fulfilment_status <> 'cancelled'
             UNION SELECT e.event_id FROM convene.event_sponsorships e
              WHERE e.sponsor_id = $1 AND e.status IN ('confirmed', 'active', 'completed')))
       AND ($2::uuid[] IS NULL OR a.event_id = ANY ($2))
       AND a.sponsor_consent AND a.status <> 'cancelled'
       AND NOT EXISTS (SELECT FROM convene.lead_scoring l WHERE l.sponsor_id = $1 AND l.attendee_id = a.id)
       AND NOT EXISTS (SELECT FROM convene.lead_interactions i WHERE i.sponsor_id = $1 AND i.attendee_id = a.id)"
);

const NAMES: &str = "
    SELECT a.id, pg_catalog.jsonb_build_object(
             'id', a.id, 'name', coalesce(a.full_name, p.full_name), 'title', coalesce(a.job_title, p.job_title),
             'company', coalesce(a.company_name, p.company_name))::text
      FROM convene.attendees a LEFT JOIN convene.profiles p ON p.id = a.profile_id
     WHERE a.id = ANY ($1)";

fn matching(id: Option<pgrx::Uuid>, limit: Option<i32>) -> Outcome<Vec<Found>> {
    let sponsor = access::sponsor(id)?;
    let limit = within(limit, 1, MOST, "p_limit")?;
    with_owner(|| {
        let ideal = customer::ideal_customer(sponsor.id)?;
        let mut best = Best::new(limit);
        db::stream(STRANGERS, &[sponsor.id.into(), sponsor.events.clone().into()], CHUNK, |row| {
            let fit = match &ideal {
                Some(ideal) => Some(ideal.fit(&person(row, 3)?)),
                None => None,
            };
            best.offer(row.want(1)?, row.want(2)?, fit);
            Ok(())
        })?;
        named(best.into_sorted())
    })
}

/// The best so far, of equals those with the lower id.
struct Best {
    limit: usize,
    heap: BinaryHeap<(Reverse<i64>, [u8; 16])>,
    kept: std::collections::HashMap<[u8; 16], (pgrx::Uuid, Option<Fit>)>,
}

impl Best {
    fn new(limit: usize) -> Self {
        Self { limit, heap: BinaryHeap::new(), kept: std::collections::HashMap::new() }
    }

    /// Takes an attendee in, and lets the worst go where there are too many. Who meets nothing of an
    /// ideal customer does not fit.
    fn offer(&mut self, id: pgrx::Uuid, event: pgrx::Uuid, fit: Option<Fit>) {
        let score = fit.as_ref().map_or(MOST_FIT, |fit| fit.score);
        if score == 0 {
            return;
        }
        let rank = (Reverse(score), *id.as_bytes());
        if self.heap.len() == self.limit {
            match self.heap.peek() {
                Some(worst) if *worst > rank => {
                    self.kept.remove(&worst.1);
                    self.heap.pop();
                }
                _ => return,
            }
        }
        self.heap.push(rank);
        self.kept.insert(rank.1, (event, fit));
    }

    fn into_sorted(mut self) -> Vec<(pgrx::Uuid, pgrx::Uuid, Option<Fit>)> {
        let order = std::mem::take(&mut self.heap).into_sorted_vec();
        order
            .into_iter()
            .filter_map(|(_, id)| {
                let (event, fit) = self.kept.remove(&id)?;
                Some((pgrx::Uuid::from_bytes(id), event, fit))
            })
            .collect()
    }
}

fn named(best: Vec<(pgrx::Uuid, pgrx::Uuid, Option<Fit>)>) -> Outcome<Vec<Found>> {
    let ids: Vec<pgrx::Uuid> = best.iter().map(|found| found.0).collect();
    let mut names: std::collections::HashMap<[u8; 16], Value> =
        db::read(NAMES, &[ids.into()], |row| {
            let text: String = row.want(2)?;
            Ok((*row.want::<pgrx::Uuid>(1)?.as_bytes(), customer::document(&text)))
        })?
        .into_iter()
        .collect();
    Ok(best
        .into_iter()
        .filter_map(|(id, event, fit)| {
            Some(Found {
                id,
                event,
                attendee: names.remove(id.as_bytes())?,
                score: fit.as_ref().map_or(MOST_FIT, |fit| fit.score) as i32,
                assumed: fit.is_none(),
                parts: fit.as_ref().map_or_else(|| json!({}), parts_of),
            })
        })
        .collect())
}
