//! Matches for everybody at an event.

use std::sync::Arc;

use convene_engine::Result;
use convene_engine::pairs::{Excluded, Wanted, best_of_all};
use convene_engine::peers::{MatchType, reason, ten_thousandths};
use pgrx::prelude::*;
use serde_json::json;

use super::apart::{self, Rules};
use super::crowd::{self, People};
use super::least_score;
use crate::auth;
use crate::db;
use crate::error::{OrRaise, Outcome, required, within};
use crate::owner::with_owner;
use crate::parallel;

/// The most matches that one person is given.
const MOST: i32 = 20;

/// Matches that are written by one statement.
const CHUNK: usize = 2_000;

/// A pair and why, ready to be written.
struct Pair {
    first: pgrx::Uuid,
    second: pgrx::Uuid,
    score: f64,
    kind: &'static str,
    reason: String,
    criteria: serde_json::Value,
}

/// Finds peers for everybody who takes part, and keeps the matches.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn generate_event_peer_matches(
    p_event_id: Option<pgrx::Uuid>,
    p_max_matches: default!(Option<i32>, "3"),
    p_min_score: default!(Option<AnyNumeric>, "0.6"),
    p_include_met: default!(Option<bool>, "false"),
) -> pgrx::JsonB {
    generate(p_event_id, p_max_matches, p_min_score, p_include_met).or_raise()
}

fn generate(
    event_id: Option<pgrx::Uuid>,
    most: Option<i32>,
    least: Option<AnyNumeric>,
    include_met: Option<bool>,
) -> Outcome<pgrx::JsonB> {
    let event_id = auth::managed_event(event_id)?;
    let most = within(most, 1, MOST, "p_max_matches")?;
    let wanted = Wanted { most, least: least_score(least)? };
    let met = !required(include_met, "p_include_met")?;
    with_owner(|| {
        db::require_writable();
        let people = crowd::load(event_id)?;
        // Matches that are there already take their places, so that a second run adds nothing.
        let excluded = apart::of_all(&people, Rules { matched: false, declined: true, met })?;
        let contractors = people.ids.len();
        let who = Arc::clone(&people);
        let pairs =
            parallel::run("peer matches", move |stop| found(&who, &excluded, wanted, stop))?;
        let matches = pairs.len();
        // Words are made for so many at a time: those of a whole event would fill the memory.
        let mut created = 0;
        for chunk in pairs.chunks(CHUNK) {
            pgrx::check_for_interrupts!();
            created += db::portion(|| {
                write(event_id, chunk.iter().map(|(a, b)| pair(&people, *a, *b)).collect())
            })?;
        }
        Ok(pgrx::JsonB(json!({
            "event_id": event_id.to_string(), "contractors": contractors,
            "matches": matches, "created": created,
        })))
    })
}

fn found(
    people: &Arc<People>,
    excluded: &Excluded,
    wanted: Wanted,
    stop: &convene_engine::Stop,
) -> Result<Vec<(u32, u32)>> {
    let best = best_of_all(&people.crowd, excluded, people.ids.len(), wanted, stop)?;
    let mut pairs: Vec<(u32, u32)> = (0_u32..)
        .zip(&best)
        .flat_map(|(a, of_a)| of_a.iter().map(move |b| (a.min(*b), a.max(*b))))
        .collect();
    pairs.sort_unstable();
    pairs.dedup();
    Ok(pairs)
}

fn pair(people: &People, a: u32, b: u32) -> Pair {
    let (a, b) = (a as usize, b as usize);
    let (first, second) = (&people.contractors[a], &people.contractors[b]);
    let parts = first.parts(second);
    let score = parts.score(people.crowd.weights());
    Pair {
        first: people.ids[a],
        second: people.ids[b],
        score,
        kind: MatchType::of(score).name(),
        reason: reason(first, second),
        criteria: parts.to_json(people.crowd.weights()),
    }
}

/// Whoever took back their consent since the people were read is left out.
const WRITE: &str = "
    INSERT INTO convene.event_peer_matches
           (event_id, contractor1_id, contractor2_id, match_type, match_criteria, match_score, match_reason)
    SELECT $1, w.first, w.second, w.kind, w.criteria, w.score::numeric / 10000, w.reason
      FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::jsonb[], $6::int4[], $7::text[])
           w (first, second, kind, criteria, score, reason)
      JOIN convene.event_attendees a ON a.event_id = $1 AND a.contractor_id = w.first AND a.peer_matching_opt_in
      JOIN convene.event_attendees b ON b.event_id = $1 AND b.contractor_id = w.second AND b.peer_matching_opt_in
    ON CONFLICT (event_id, contractor1_id, contractor2_id) DO NOTHING
    RETURNING 1";

fn write(event_id: pgrx::Uuid, pairs: Vec<Pair>) -> Outcome<usize> {
    let kinds: Vec<String> = pairs.iter().map(|pair| pair.kind.to_owned()).collect();
    let (first, second): (Vec<_>, Vec<_>) =
        pairs.iter().map(|pair| (pair.first, pair.second)).unzip();
    let scores: Vec<i32> = pairs.iter().map(|pair| ten_thousandths(pair.score)).collect();
    let (reasons, criteria): (Vec<_>, Vec<_>) =
        pairs.into_iter().map(|pair| (pair.reason, pgrx::JsonB(pair.criteria))).unzip();
    let written = db::write(
        WRITE,
        &[
            event_id.into(),
            first.into(),
            second.into(),
            kinds.into(),
            criteria.into(),
            scores.into(),
            reasons.into(),
        ],
        |_| Ok(()),
    )?;
    Ok(written.len())
}
