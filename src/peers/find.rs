//! Whom a contractor should meet, at an event and across events.

use convene_engine::Stop;
use convene_engine::pairs::{Best, TOLERANCE, Wanted, best_of};
use convene_engine::peers::{Contractor, MatchType, reason};
use pgrx::prelude::*;

use super::apart::{self, Rules};
use super::crowd::{self, compared};
use super::{access, least_score};
use crate::db;
use crate::error::{OrRaise, Outcome, required, within};
use crate::owner::with_owner;

/// The most peers that one call gives.
pub const MOST: i32 = 100;
/// Rows fetched at a time.
const CHUNK: i64 = 1_000;

/// A peer and why.
struct Peer {
    id: pgrx::Uuid,
    score: f64,
    reason: String,
    criteria: serde_json::Value,
}

type Row = (
    pgrx::Uuid,
    String,
    String,
    Option<String>,
    Option<String>,
    AnyNumeric,
    String,
    String,
    pgrx::JsonB,
);

/// Peers at an event whom a contractor should meet.
#[pg_extern(stable, parallel_restricted)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // The columns of the result are the signature.
fn find_peer_matches(
    p_event_id: Option<pgrx::Uuid>,
    p_contractor_id: Option<pgrx::Uuid>,
    p_max_matches: default!(Option<i32>, "3"),
    p_min_score: default!(Option<AnyNumeric>, "0.6"),
    p_exclude_matched: default!(Option<bool>, "true"),
    p_include_met: default!(Option<bool>, "false"),
) -> TableIterator<
    'static,
    (
        name!(id, pgrx::Uuid),
        name!(first_name, String),
        name!(last_name, String),
        name!(company_name, Option<String>),
        name!(service_area, Option<String>),
        name!(match_score, AnyNumeric),
        name!(match_type, String),
        name!(match_reason, String),
        name!(match_criteria, pgrx::JsonB),
    ),
> {
    let found = access::contractor_at(p_event_id, p_contractor_id).and_then(|contractor| {
        let wanted = wanted(p_max_matches, p_min_score)?;
        let rules = Rules {
            matched: required(p_exclude_matched, "p_exclude_matched")?,
            declined: true,
            met: !required(p_include_met, "p_include_met")?,
        };
        with_owner(|| at_event(contractor.event_id, contractor.id, wanted, rules))
    });
    TableIterator::new(found.or_raise())
}

/// Peers of other events whom a contractor should meet.
#[pg_extern(stable, parallel_restricted)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // The columns of the result are the signature.
fn find_cross_event_peers(
    p_contractor_id: Option<pgrx::Uuid>,
    p_max_matches: default!(Option<i32>, "3"),
    p_min_score: default!(Option<AnyNumeric>, "0.6"),
) -> TableIterator<
    'static,
    (
        name!(id, pgrx::Uuid),
        name!(first_name, String),
        name!(last_name, String),
        name!(company_name, Option<String>),
        name!(service_area, Option<String>),
        name!(match_score, AnyNumeric),
        name!(match_type, String),
        name!(match_reason, String),
        name!(match_criteria, pgrx::JsonB),
    ),
> {
    let found = access::contractor(p_contractor_id).and_then(|id| {
        let wanted = wanted(p_max_matches, p_min_score)?;
        with_owner(|| across_events(id, wanted))
    });
    TableIterator::new(found.or_raise())
}

fn wanted(most: Option<i32>, least: Option<AnyNumeric>) -> Outcome<Wanted> {
    Ok(Wanted { most: within(most, 1, MOST, "p_max_matches")?, least: least_score(least)? })
}

fn at_event(
    event_id: pgrx::Uuid,
    id: pgrx::Uuid,
    wanted: Wanted,
    rules: Rules,
) -> Outcome<Vec<Row>> {
    let people = crowd::load(event_id)?;
    let Some(of) = people.index(id) else { return Ok(vec![]) };
    let apart: Vec<_> =
        apart::from_one(Some(event_id), id, rules)?.into_iter().map(|other| (id, other)).collect();
    let excluded = people.excluded(&apart);
    let best = best_of(&people.crowd, &excluded, of, people.ids.len(), wanted, &Stop::default())?;
    let me = &people.contractors[of];
    let peers = best.into_iter().map(|other| {
        let other = other as usize;
        peer(people.ids[other], me, &people.contractors[other], people.crowd.weights())
    });
    described(peers.collect())
}

fn peer(
    id: pgrx::Uuid,
    me: &Contractor,
    other: &Contractor,
    weights: &convene_engine::peers::Weights,
) -> Peer {
    let parts = me.parts(other);
    Peer {
        id,
        score: parts.score(weights),
        reason: reason(me, other),
        criteria: parts.to_json(weights),
    }
}

const ME: &str = concat!(
    "SELECT ",
    compared!(),
    " FROM convene.contractors c
     WHERE c.id = $1 AND c.cross_event_opt_in AND c.messages_stopped_at IS NULL"
);

/// Those who agreed to be found by people of other events, and share none with the contractor.
const OTHERS: &str = concat!(
    "SELECT ",
    compared!(),
    " FROM convene.contractors c
     WHERE c.cross_event_opt_in AND c.messages_stopped_at IS NULL AND c.id <> $1
       AND c.id <> ALL ($2)
       AND EXISTS (SELECT FROM convene.event_attendees o WHERE o.contractor_id = c.id)
       AND NOT EXISTS (SELECT FROM convene.event_attendees o
                        WHERE o.contractor_id = c.id AND o.event_id = ANY (ARRAY(
                              SELECT m.event_id FROM convene.event_attendees m
                               WHERE m.contractor_id = $1)))
     ORDER BY c.id"
);

fn across_events(id: pgrx::Uuid, wanted: Wanted) -> Outcome<Vec<Row>> {
    let families = crowd::families()?;
    let me = db::read_one(ME, &[id.into()], |row| crowd::contractor(row, &families))?;
    let Some(me) = me else { return Ok(vec![]) };
    let weights = crowd::shared_weights()?;
    let rules = Rules { declined: true, met: true, ..Rules::default() };
    let apart = apart::from_one(None, id, rules)?;
    let mut best = Best::new(wanted.most);
    // Only who is among the best so far is remembered.
    let mut peers: Vec<(u32, Peer)> = Vec::new();
    let mut index = 0;
    db::stream(OTHERS, &[id.into(), apart.into()], CHUNK, |row| {
        let other = crowd::contractor(row, &families)?;
        let score = me.parts(&other).score(&weights);
        if score + TOLERANCE >= wanted.least && best.offer(index, score) {
            peers.push((index, peer(row.want(1)?, &me, &other, &weights)));
        }
        if peers.len() > 4 * wanted.most {
            let kept = best.clone().into_indices();
            peers.retain(|(index, _)| kept.contains(index));
        }
        index += 1;
        Ok(())
    })?;
    let order = best.into_indices();
    let place = |index: &u32| order.iter().position(|kept| kept == index);
    let mut kept: Vec<_> =
        peers.into_iter().filter_map(|(index, peer)| Some((place(&index)?, peer))).collect();
    kept.sort_by_key(|(place, _)| *place);
    described(kept.into_iter().map(|(_, peer)| peer).collect())
}

/// The rows of an answer: names, but nothing by which a peer can be reached.
fn described(peers: Vec<Peer>) -> Outcome<Vec<Row>> {
    const NAMES: &str = "
        SELECT w.at::int4, c.first_name, c.last_name, c.company_name, c.service_area
          FROM unnest($1::uuid[]) WITH ORDINALITY w (id, at)
          JOIN convene.contractors c ON c.id = w.id
         ORDER BY w.at";
    let ids: Vec<pgrx::Uuid> = peers.iter().map(|peer| peer.id).collect();
    let mut peers: Vec<Option<Peer>> = peers.into_iter().map(Some).collect();
    let rows = db::read(NAMES, &[ids.into()], |row| {
        let at = row.want::<i32>(1)?;
        let peer = peers.get_mut(at as usize - 1).and_then(Option::take);
        let names = (row.want(2)?, row.want(3)?, row.get(4)?, row.get(5)?);
        Ok(peer.map(|peer| {
            let (first, last, company, area) = names;
            let kind = MatchType::of(peer.score).name().to_owned();
            let score = super::score_numeric(peer.score);
            let criteria = pgrx::JsonB(peer.criteria);
            (peer.id, first, last, company, area, score, kind, peer.reason, criteria)
        }))
    })?;
    Ok(rows.into_iter().flatten().collect())
}
