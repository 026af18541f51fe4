//! Who has to do with whom: contacts of people over all events, and pairs that may not be.

use std::collections::HashMap;

use convene_engine::networking::{Algorithm, COOL_DOWN_HOURS, MOST_SUGGESTED, Ties};
use convene_engine::pairs::Excluded;
use pgrx::prelude::*;

use super::people::Who;
use crate::db;
use crate::error::Outcome;

/// The contacts of some people, at whatever event: both accepted a match or a request to stay in
/// touch, or they have a meeting, which says that they met or will.
const CONTACTS: &str = "
    WITH mine AS (
        SELECT a.id, a.profile_id AS person FROM convene.attendees a WHERE a.profile_id = ANY ($1)
        UNION ALL
        SELECT a.id, a.id FROM convene.attendees a WHERE a.id = ANY ($1) AND a.profile_id IS NULL),
    ties AS (
        SELECT x.person, m.attendee_2_id AS other, false AS met FROM mine x
          JOIN convene.matches m ON m.attendee_1_id = x.id WHERE m.status = 'mutual_accepted'
        UNION ALL
        SELECT x.person, m.attendee_1_id, false FROM mine x
          JOIN convene.matches m ON m.attendee_2_id = x.id WHERE m.status = 'mutual_accepted'
        UNION ALL
        SELECT x.person, c.target_id, false FROM mine x
          JOIN convene.networking_connections c ON c.requester_id = x.id WHERE c.status = 'accepted'
        UNION ALL
        SELECT x.person, c.requester_id, false FROM mine x
          JOIN convene.networking_connections c ON c.target_id = x.id WHERE c.status = 'accepted'
        UNION ALL
        SELECT x.person, g.attendee_2_id, true FROM mine x
          JOIN convene.meetings g ON g.attendee_1_id = x.id
         WHERE g.status IN ('scheduled', 'confirmed', 'in_progress', 'completed')
        UNION ALL
        SELECT x.person, g.attendee_1_id, true FROM mine x
          JOIN convene.meetings g ON g.attendee_2_id = x.id
         WHERE g.status IN ('scheduled', 'confirmed', 'in_progress', 'completed'))
    SELECT pg_catalog.array_agg(t.person), pg_catalog.array_agg(t.other), pg_catalog.array_agg(t.met)
      FROM (SELECT t.person, coalesce(o.profile_id, o.id) AS other, pg_catalog.bool_or(t.met) AS met
              FROM ties t JOIN convene.attendees o ON o.id = t.other
             GROUP BY t.person, coalesce(o.profile_id, o.id)) t";

/// Two people and whether they met.
pub type Contact = (pgrx::Uuid, pgrx::Uuid, bool);

/// The contacts of these people. Runs as the owner of the data.
pub fn contacts(of: Vec<pgrx::Uuid>) -> Outcome<Vec<Contact>> {
    if of.is_empty() {
        return Ok(vec![]);
    }
    let read = db::read_one(CONTACTS, &[of.into()], |row| {
        let people = row.get::<Vec<pgrx::Uuid>>(1)?.unwrap_or_default();
        let others = row.get::<Vec<pgrx::Uuid>>(2)?.unwrap_or_default();
        let met = row.get::<Vec<bool>>(3)?.unwrap_or_default();
        Ok(people.into_iter().zip(others).zip(met).map(|((a, b), met)| (a, b, met)).collect())
    })?;
    Ok(read.unwrap_or_default())
}

/// What ties people, and the contacts among them.
pub struct Circle {
    /// Closeness, and who has met.
    pub ties: Ties,
    /// Pairs of people of the event who are in contact.
    pub contacts: Vec<(u32, u32)>,
}

/// The ties of one person, or of everybody. Runs as the owner of the data.
pub fn circle(who: &Who, only: Option<u32>) -> Outcome<Circle> {
    let of = match only {
        Some(person) => vec![who.persons[person as usize]],
        None => who.persons.clone(),
    };
    let mut near = contacts(of)?;
    let known = |person: &pgrx::Uuid| only.is_none() && who.by_person.contains_key(person);
    let mut between: Vec<pgrx::Uuid> =
        near.iter().map(|(_, other, _)| *other).filter(|other| !known(other)).collect();
    between.sort_unstable();
    between.dedup();
    let met: Vec<Contact> = near.iter().copied().filter(|(.., met)| *met).collect();
    let here = near.clone();
    near.extend(contacts(between)?);
    // Whoever is not of the event gets an index behind them.
    let mut outside: HashMap<pgrx::Uuid, u32> = HashMap::new();
    let mut node = |person: pgrx::Uuid| {
        if let Some(index) = who.by_person.get(&person) {
            return *index;
        }
        let next = (who.ids.len() + outside.len()) as u32;
        *outside.entry(person).or_insert(next)
    };
    let mut edges = |list: &[Contact]| -> Vec<(u32, u32)> {
        list.iter().map(|(a, b, _)| (node(*a), node(*b))).collect()
    };
    let (all, met, here) = (edges(&near), edges(&met), edges(&here));
    let people = who.ids.len();
    let inside = |(a, b): &(u32, u32)| (*a as usize) < people && (*b as usize) < people;
    Ok(Circle {
        ties: Ties::new(people, &all, &met, only),
        contacts: here.into_iter().filter(inside).collect(),
    })
}

/// Whom a pair of them may not be: matched or turned down here, too fresh in memory, blocked.
macro_rules! apart_sql {
    ($matches:literal, $connections:literal, $blocks:literal) => {
        concat!(
            "SELECT m.attendee_1_id, m.attendee_2_id FROM convene.matches m
              WHERE m.event_id = $1 AND ",
            $matches,
            " AND m.status <> 'suggested'
                AND NOT (m.status = 'expired' AND m.times_suggested < $3
                         AND m.expires_at + pg_catalog.make_interval(hours => $4) <= $2)
             UNION ALL
             SELECT c.requester_id, c.target_id FROM convene.networking_connections c
              WHERE c.event_id = $1 AND ",
            $connections,
            " AND c.status IN ('declined', 'blocked')
             UNION ALL
             SELECT x.id, y.id FROM convene.person_blocks b
               JOIN convene.attendees x ON x.event_id = $1 AND x.profile_id = b.blocker_profile
               JOIN convene.attendees y ON y.event_id = $1 AND y.profile_id = b.blocked_profile
              WHERE ",
            $blocks
        )
    };
}
const APART_OF_ONE: &str = apart_sql!(
    "m.attendee_1_id = $5",
    "c.requester_id = $5",
    "b.blocker_profile = $6
     UNION ALL
     SELECT m.attendee_1_id, m.attendee_2_id FROM convene.matches m
      WHERE m.event_id = $1 AND m.attendee_2_id = $5 AND m.status <> 'suggested'
        AND NOT (m.status = 'expired' AND m.times_suggested < $3
                 AND m.expires_at + pg_catalog.make_interval(hours => $4) <= $2)
     UNION ALL
     SELECT c.requester_id, c.target_id FROM convene.networking_connections c
      WHERE c.event_id = $1 AND c.target_id = $5 AND c.status IN ('declined', 'blocked')
     UNION ALL
     SELECT x.id, y.id FROM convene.person_blocks b
       JOIN convene.attendees x ON x.event_id = $1 AND x.profile_id = b.blocker_profile
       JOIN convene.attendees y ON y.event_id = $1 AND y.profile_id = b.blocked_profile
      WHERE b.blocked_profile = $6"
);
const APART: &str = apart_sql!("true", "true", "true");

/// The pairs that may not be, of one person or of everybody; in contact is met already as far as the
/// graph goes. Runs as the owner of the data.
pub fn apart(
    who: &Who,
    only: Option<u32>,
    algorithm: Algorithm,
    circle: &Circle,
    now: TimestampWithTimeZone,
) -> Outcome<Excluded> {
    let general =
        [who.event_id.into(), now.into(), MOST_SUGGESTED.into(), (COOL_DOWN_HOURS as i32).into()];
    let pair = |row: &db::Row<'_>| -> Outcome<Option<(u32, u32)>> {
        Ok(who.index(row.want(1)?).zip(who.index(row.want(2)?)))
    };
    let rows = match only {
        Some(person) => {
            let own = [who.ids[person as usize].into(), who.persons[person as usize].into()];
            let arguments: Vec<_> = general.into_iter().chain(own).collect();
            db::read(APART_OF_ONE, &arguments, pair)?
        }
        None => db::read(APART, &general, pair)?,
    };
    let in_contact = (algorithm == Algorithm::Graph).then_some(&circle.contacts);
    let pairs = rows.into_iter().flatten().chain(in_contact.into_iter().flatten().copied());
    Ok(Excluded::new(who.ids.len(), pairs))
}
