//! One match, made by hand.

use convene_engine::Error;
use convene_engine::peers::{Contractor as Profile, MatchType, reason, ten_thousandths};
use pgrx::prelude::*;
use serde_json::{Map, Value};

use super::access::{self, Contractor};
use super::apart::{self, Rules};
use super::crowd::{self, compared};
use crate::db;
use crate::document::Document;
use crate::error::{Failure, OrRaise, Outcome, invalid, not_allowed, not_found, required};
use crate::owner::with_owner;

/// Brings two contractors of an event together as a match.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn create_peer_match(
    p_event_id: Option<pgrx::Uuid>,
    p_contractor_id: Option<pgrx::Uuid>,
    p_peer_id: Option<pgrx::Uuid>,
    p_match_data: default!(Option<Document>, "NULL"),
) -> Document {
    create(p_event_id, p_contractor_id, p_peer_id, p_match_data).or_raise()
}

/// What a match is stored with.
struct Data {
    kind: &'static str,
    score: f64,
    reason: String,
    criteria: Value,
}

fn create(
    event_id: Option<pgrx::Uuid>,
    contractor_id: Option<pgrx::Uuid>,
    peer_id: Option<pgrx::Uuid>,
    data: Option<Document>,
) -> Outcome<Document> {
    let contractor = access::contractor_at(event_id, contractor_id)?;
    let peer_id = required(peer_id, "p_peer_id")?;
    if peer_id == contractor.id {
        return invalid(
            format!("contractor {peer_id} cannot be matched with themselves"),
            "",
            "Pass two different contractors.",
        );
    }
    let given = given(data)?;
    with_owner(|| {
        expect_matchable(&contractor, peer_id)?;
        if let Some(known) = stored(contractor.event_id, contractor.id, peer_id)? {
            return Ok(known);
        }
        let mut data = computed(&contractor, peer_id)?;
        // A score is for the service to give; what anybody else sends along is computed anew.
        if contractor.caller.is_service() {
            data = overlaid(data, given);
        }
        insert(&contractor, peer_id, &data)?;
        stored(contractor.event_id, contractor.id, peer_id)?
            .ok_or_else(|| not_found("match of contractor", peer_id))
    })
}

/// Both have to be at the event, to have agreed, and not to have blocked each other. Locks their
/// consent until the end. What is wrong with the peer is told to nobody but the service.
fn expect_matchable(contractor: &Contractor, peer_id: pgrx::Uuid) -> Outcome<()> {
    const CONSENT: &str = "
        SELECT ea.contractor_id,
               ea.peer_matching_opt_in AND c.messages_stopped_at IS NULL
               AND coalesce(a.status NOT IN ('cancelled', 'no_show'), true)
          FROM convene.event_attendees ea
          JOIN convene.contractors c ON c.id = ea.contractor_id
          LEFT JOIN convene.attendees a ON a.id = ea.attendee_id
         WHERE ea.event_id = $1 AND ea.contractor_id IN ($2, $3)
         ORDER BY ea.contractor_id
           FOR SHARE OF ea";
    let consents = db::write(
        CONSENT,
        &[contractor.event_id.into(), contractor.id.into(), peer_id.into()],
        |row| Ok((row.want::<pgrx::Uuid>(1)?, row.want::<bool>(2)?)),
    )?;
    let consent = |id| consents.iter().find(|(who, _)| *who == id).map(|(_, agreed)| *agreed);
    let Some(peer_agreed) = consent(peer_id) else { return absent(contractor, peer_id) };
    if consent(contractor.id) != Some(true) {
        return Err(Failure(Error::WrongState {
            message: format!(
                "contractor {} does not take part in peer matching at this event",
                contractor.id
            ),
            detail: "Nobody is matched without having agreed to it at the event.".into(),
            hint: "The contractor sets peer_matching_opt_in, or answers START PEER.".into(),
        }));
    }
    let apart = apart::from_one(Some(contractor.event_id), contractor.id, Rules::default())?;
    if peer_agreed && !apart.contains(&peer_id) {
        return Ok(());
    }
    if contractor.own {
        return Err(not_allowed("contractor"));
    }
    Err(Failure(Error::WrongState {
        message: format!("contractors {} and {peer_id} cannot be matched", contractor.id),
        detail: "Both have to take part in peer matching, and to be open to each other.".into(),
        hint: "Match others: find_peer_matches() lists who can be.".into(),
    }))
}

fn absent(contractor: &Contractor, peer_id: pgrx::Uuid) -> Outcome<()> {
    const KNOWN: &str = "SELECT true FROM convene.contractors WHERE id = $1";
    if !contractor.caller.is_service() {
        return Err(not_allowed("contractor"));
    }
    if db::read_one(KNOWN, &[peer_id.into()], |row| row.want::<bool>(1))?.is_none() {
        return Err(not_found("contractor", peer_id));
    }
    invalid(
        format!("contractor {peer_id} is not at event {}", contractor.event_id),
        "Peers are matched among the contractors of one event.",
        "Pass a contractor of this event.",
    )
}

/// The match as a document, whoever of the two comes first.
fn stored(event_id: pgrx::Uuid, a: pgrx::Uuid, b: pgrx::Uuid) -> Outcome<Option<Document>> {
    const STORED: &str = "
        SELECT pg_catalog.jsonb_build_object('id', m.id, 'event_id', m.event_id,
                 'contractor1_id', m.contractor1_id, 'contractor2_id', m.contractor2_id,
                 'match_type', m.match_type, 'match_score', m.match_score,
                 'match_reason', m.match_reason, 'match_criteria', m.match_criteria,
                 'created_at', m.created_at)
          FROM convene.event_peer_matches m
         WHERE m.event_id = $1 AND m.contractor1_id = least($2, $3)
           AND m.contractor2_id = greatest($2, $3)";
    // Of the latest snapshot: the row may have been written by another session a moment ago.
    Ok(db::write(STORED, &[event_id.into(), a.into(), b.into()], |row| row.want(1))?
        .into_iter()
        .next())
}

fn insert(contractor: &Contractor, peer_id: pgrx::Uuid, data: &Data) -> Outcome<()> {
    const INSERT: &str = "
        INSERT INTO convene.event_peer_matches
               (event_id, contractor1_id, contractor2_id, match_type, match_score, match_reason, match_criteria)
        VALUES ($1, least($2, $3), greatest($2, $3), $4, $5::numeric / 10000, $6, $7)
        ON CONFLICT (event_id, contractor1_id, contractor2_id) DO NOTHING";
    db::execute(
        INSERT,
        &[
            contractor.event_id.into(),
            contractor.id.into(),
            peer_id.into(),
            data.kind.into(),
            ten_thousandths(data.score).into(),
            data.reason.as_str().into(),
            pgrx::JsonB(data.criteria.clone()).into(),
        ],
    )?;
    Ok(())
}

fn computed(contractor: &Contractor, peer_id: pgrx::Uuid) -> Outcome<Data> {
    const TWO: &str = concat!(
        "SELECT ",
        compared!(),
        " FROM convene.contractors c WHERE c.id IN ($1, $2) ORDER BY c.id"
    );
    let families = crowd::families()?;
    let two = db::read(TWO, &[contractor.id.into(), peer_id.into()], |row| {
        crowd::contractor(row, &families)
    })?;
    let weights = crowd::event_weights(contractor.event_id)?;
    let [first, second]: [Profile; 2] =
        two.try_into().map_err(|_| not_found("contractor", peer_id))?;
    let parts = first.parts(&second);
    let score = parts.score(&weights);
    Ok(Data {
        kind: MatchType::of(score).name(),
        score,
        reason: reason(&first, &second),
        criteria: parts.to_json(&weights),
    })
}

/// What may come along with a match: its own four values, and the rest of a row of
/// `find_peer_matches`, which says nothing that is not known.
const KEYS: [[&str; 2]; 4] = [
    ["match_type", "matchType"],
    ["match_score", "matchScore"],
    ["match_reason", "matchReason"],
    ["match_criteria", "matchCriteria"],
];
const BESIDE: [&str; 5] = ["id", "first_name", "last_name", "company_name", "service_area"];
/// The longest reason that is taken.
const MOST_CHARS: usize = 1000;

/// What the caller sent along, by part.
#[derive(Default)]
struct Given {
    kind: Option<&'static str>,
    score: Option<f64>,
    reason: Option<String>,
    criteria: Option<Value>,
}

fn given(data: Option<Document>) -> Outcome<Given> {
    let Some(data) = data else { return Ok(Given::default()) };
    let Value::Object(map) = data.parse("p_match_data")? else {
        return refused("p_match_data", "it is not an object");
    };
    let unknown = map.keys().find(|key| {
        !BESIDE.contains(&key.as_str()) && !KEYS.iter().flatten().any(|known| known == key)
    });
    if let Some(key) = unknown {
        return refused(key, "there is no such value of a match");
    }
    let of = |keys: [&str; 2]| keys.iter().find_map(|key| value(&map, key));
    let mut given = Given::default();
    if let Some(kind) = of(KEYS[0]) {
        let known = kind.as_str().and_then(MatchType::parse);
        let Some(known) = known else { return refused("match_type", "there is no such type") };
        given.kind = Some(known.name());
    }
    if let Some(score) = of(KEYS[1]) {
        let known = score.as_f64().filter(|score| (0.0..=1.0).contains(score));
        let Some(known) = known else {
            return refused("match_score", "it is no number from 0 to 1");
        };
        given.score = Some(known);
    }
    if let Some(reason) = of(KEYS[2]) {
        let known = reason.as_str().filter(|r| r.chars().count() <= MOST_CHARS);
        let Some(known) = known else {
            return refused("match_reason", "it is no text of up to 1000 characters");
        };
        given.reason = Some(known.to_owned());
    }
    if let Some(criteria) = of(KEYS[3]) {
        if !criteria.is_object() || criteria.to_string().len() > 4 * MOST_CHARS {
            return refused("match_criteria", "it is no object of up to 4000 bytes");
        }
        given.criteria = Some(criteria.clone());
    }
    Ok(given)
}

fn value<'a>(map: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    map.get(key).filter(|value| !value.is_null())
}

fn refused<T>(key: &str, why: &str) -> Outcome<T> {
    invalid(
        format!("p_match_data is not usable at \"{key}\""),
        format!("The value at \"{key}\" was refused because {why}."),
        "Pass match_type, match_score (0 to 1), match_reason and match_criteria, or leave p_match_data out.",
    )
}

fn overlaid(data: Data, given: Given) -> Data {
    let score = given.score.unwrap_or(data.score);
    Data {
        kind: given.kind.unwrap_or_else(|| MatchType::of(score).name()),
        score,
        reason: given.reason.unwrap_or(data.reason),
        criteria: given.criteria.unwrap_or(data.criteria),
    }
}
