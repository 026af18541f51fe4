//! What a schedule of an event is made of, read from the tables.

use std::collections::{HashMap, HashSet};

use convene_engine::Error;
use convene_engine::scheduling::Span;
use convene_engine::scheduling::event;
use convene_engine::scheduling::free::Obstacle;
use convene_engine::scheduling::rules::{Couple, Rules};
use pgrx::prelude::*;

use super::arranged;
use super::calendars::{self, Look};
use crate::db;
use crate::error::{Failure, Outcome, invalid};
use crate::moments::{micros, moment};

/// What a call takes at most.
const MOST_SLOTS: usize = 500;
const MOST_PAIRS: usize = 1_000_000;

/// What is asked for.
pub struct Order {
    /// The event.
    pub event_id: pgrx::Uuid,
    /// Tables of each slot; none: as many as are needed.
    pub tables: Option<u32>,
    /// Their room.
    pub room: Option<String>,
    /// Minutes of a slot, and between two.
    pub minutes: (usize, usize),
    /// When; none: when the event is.
    pub from: Option<TimestampWithTimeZone>,
    /// Until when.
    pub to: Option<TimestampWithTimeZone>,
    /// More wishes.
    pub rules: Rules,
    /// Now.
    pub now: TimestampWithTimeZone,
}

/// A pair of the schedule.
pub struct Couples {
    /// The match; none: a fixed meeting of two who have none.
    pub match_id: Option<pgrx::Uuid>,
    /// The two, as indices of people.
    pub of: (usize, usize),
    /// `compatibility_score` in ten thousandths.
    pub weight: u32,
}

/// An event's meetings before they are arranged.
pub struct Plan {
    /// Attendees by the engine's index.
    pub ids: Vec<pgrx::Uuid>,
    /// Pairs by the engine's index.
    pub couples: Vec<Couples>,
    /// When each slot is.
    pub slots: Vec<Span>,
    /// Free tables of each slot, numbered from 1; none: tables do not matter.
    pub tables: Option<Vec<Vec<u32>>>,
    /// What the engine arranges.
    pub problem: event::Problem,
}

/// Reads everything. Runs as the owner of the data.
pub fn read(order: &Order) -> Outcome<Plan> {
    let (slots, days) = slots(order)?;
    let (mut ids, mut couples) = pairs(order)?;
    let index = add_fixed(order, &mut ids, &mut couples)?;
    drop_vetoes(&order.rules, &index, &mut couples);
    let spent = arranged::spent(&order.rules, |id| index.get(id).map(|at| ids[*at]), order.now)?;
    couples.retain(|c| !spent.contains(&arranged::sorted((ids[c.of.0], ids[c.of.1]))));
    let people = people(order, &ids, &slots, &days)?;
    let tables = tables(order, &slots)?;
    let places = |at: usize| match &tables {
        Some(free) => free[at].len() as u32,
        None => u32::MAX,
    };
    let problem = event::Problem {
        people: represented(&order.rules, &index, people),
        slots: (0..slots.len())
            .map(|at| event::Slot { day: days.0[at], tables: places(at) })
            .collect(),
        pairs: couples
            .iter()
            .map(|c| event::Pair { a: c.of.0 as u32, b: c.of.1 as u32, weight: c.weight })
            .collect(),
        fixed: fixed(&order.rules, &index, &couples, &slots)?,
        exclusive: exclusive(&order.rules, &index, &couples),
    };
    Ok(Plan { ids, couples, slots, tables, problem })
}

/// The day of each slot as an index, and the days as counted from the first of January 2000.
type Days = (Vec<u32>, Vec<i32>);

/// Without `p_from` and `p_to` an event of several days has slots between the hours at which it begins and ends. Slots
/// are made one by one, from the first that is not over, until there are too many: centuries have millions of them.
const SLOTS: &str = "
    SELECT t.at, t.at + pg_catalog.make_interval(mins => $4), (t.at AT TIME ZONE t.time_zone)::date - '2000-01-01'::date
      FROM (SELECT s.at, s.time_zone
              FROM (SELECT e.*, pg_catalog.generate_series(
                             e.first + pg_catalog.make_interval(secs => (60 * e.step * pg_catalog.ceil(
                               extract(epoch FROM greatest(e.since - e.first, '0')) / (60 * e.step)))::float8),
                             e.until - pg_catalog.make_interval(mins => $4), pg_catalog.make_interval(mins => e.step)) AS at
                      FROM (SELECT e.time_zone, greatest(coalesce($2, e.start_at), $6) AS since, coalesce($3, e.end_at) AS until,
                                   (e.start_at AT TIME ZONE e.time_zone)::time AS opens,
                                   (e.end_at AT TIME ZONE e.time_zone)::time AS closes,
                                   coalesce($2, e.start_at) AS first, $4 + $5 AS step
                              FROM convene.events e WHERE e.id = $1) e) s
             WHERE $2 IS NOT NULL OR $3 IS NOT NULL OR s.opens >= s.closes
                OR ((s.at AT TIME ZONE s.time_zone)::time >= s.opens
                    AND ((s.at + pg_catalog.make_interval(mins => $4)) AT TIME ZONE s.time_zone)::time
                        BETWEEN s.opens AND s.closes)
             LIMIT 501) t
     ORDER BY t.at";

fn slots(order: &Order) -> Outcome<(Vec<Span>, Days)> {
    let found = db::read(
        SLOTS,
        &[
            order.event_id.into(),
            order.from.into(),
            order.to.into(),
            (order.minutes.0 as i32).into(),
            (order.minutes.1 as i32).into(),
            order.now.into(),
        ],
        |row| Ok(((micros(row.want(1)?), micros(row.want(2)?)), row.want::<i32>(3)?)),
    )?;
    if found.len() > MOST_SLOTS {
        return Err(Failure(Error::TooLarge {
            message: format!("p_from to p_to holds more than {MOST_SLOTS} slots"),
            hint: "Schedule a day at a time, or choose longer slots.".into(),
        }));
    }
    if found.is_empty() {
        return invalid(
            "there is no slot to meet in",
            "Slots lie between p_from and p_to, by default the event's hours, and later than now.",
            "Pass p_from and p_to.",
        );
    }
    let mut days: Vec<i32> = found.iter().map(|(_, day)| *day).collect();
    days.dedup();
    let of = |day: &i32| days.binary_search(day).unwrap_or(0) as u32;
    Ok((
        found.iter().map(|f| f.0).collect(),
        (found.iter().map(|(_, day)| of(day)).collect(), days),
    ))
}

/// Matches that both accepted and whose two have arranged nothing yet; nobody who blocked the other, cancelled, or
/// switched networking off.
const PAIRS: &str = "
    SELECT m.id, m.attendee_1_id, m.attendee_2_id, (m.compatibility_score * 10000)::int
      FROM convene.matches m
      JOIN convene.attendees a ON a.id = m.attendee_1_id AND a.status <> 'cancelled'
      JOIN convene.attendees b ON b.id = m.attendee_2_id AND b.status <> 'cancelled'
      LEFT JOIN convene.networking_preferences x ON x.attendee_id = a.id AND x.event_id = m.event_id
      LEFT JOIN convene.networking_preferences y ON y.attendee_id = b.id AND y.event_id = m.event_id
     WHERE m.event_id = $1 AND m.status = 'mutual_accepted'
       AND coalesce(x.networking_enabled, true) AND coalesce(y.networking_enabled, true)
       AND NOT EXISTS (SELECT FROM convene.person_blocks k
                        WHERE (k.blocker_profile = a.profile_id AND k.blocked_profile = b.profile_id)
                           OR (k.blocker_profile = b.profile_id AND k.blocked_profile = a.profile_id))
       AND NOT EXISTS (SELECT FROM convene.meetings g
                        WHERE (g.attendee_1_id, g.attendee_2_id) IN ((a.id, b.id), (b.id, a.id))
                          AND (g.status IN ('scheduled', 'confirmed', 'in_progress', 'completed')
                               OR (g.status = 'proposed' AND g.expires_at > $2)))
     ORDER BY m.id LIMIT 1000001";

fn pairs(order: &Order) -> Outcome<(Vec<pgrx::Uuid>, Vec<Couples>)> {
    let rows = db::read(PAIRS, &[order.event_id.into(), order.now.into()], |row| {
        let both: (pgrx::Uuid, pgrx::Uuid) = (row.want(2)?, row.want(3)?);
        Ok((row.want::<pgrx::Uuid>(1)?, both, row.want::<i32>(4)?.max(0) as u32))
    })?;
    if rows.len() > MOST_PAIRS {
        return Err(Failure(Error::TooLarge {
            message: format!("the event has more than {MOST_PAIRS} mutual matches"),
            hint: "That is more than people can meet.".into(),
        }));
    }
    let mut ids: Vec<pgrx::Uuid> = rows.iter().flat_map(|r| [r.1.0, r.1.1]).collect();
    ids.sort_unstable();
    ids.dedup();
    let at = |id: &pgrx::Uuid| ids.binary_search(id).unwrap_or(0);
    let couples = rows
        .iter()
        .map(|(id, both, weight)| Couples {
            match_id: Some(*id),
            of: (at(&both.0), at(&both.1)),
            weight: *weight,
        })
        .collect();
    Ok((ids, couples))
}

/// Who is who in the rules.
type Index = HashMap<String, usize>;

fn couple(index: &Index, couple: &Couple) -> Option<(usize, usize)> {
    index.get(&couple.0).copied().zip(index.get(&couple.1).copied())
}

/// Those whom rules name and who have no match to arrange are looked up; who does not attend is an error.
const NAMED: &str = "
    SELECT a.id FROM convene.attendees a
     WHERE a.event_id = $1 AND a.status <> 'cancelled' AND a.id::text = ANY ($2)";

fn add_fixed(
    order: &Order,
    ids: &mut Vec<pgrx::Uuid>,
    couples: &mut Vec<Couples>,
) -> Outcome<Index> {
    let mut index: Index = ids.iter().enumerate().map(|(at, id)| (id.to_string(), at)).collect();
    let rules = &order.rules;
    let in_pairs = rules.veto.iter().chain(rules.exclusive.iter().flatten());
    let named: HashSet<&String> = in_pairs
        .chain(rules.fixed.iter().map(|f| &f.0))
        .flat_map(|c| [&c.0, &c.1])
        .chain(rules.representatives.iter().flatten())
        .filter(|id| !index.contains_key(*id))
        .collect();
    if !named.is_empty() {
        let mut wanted: Vec<String> = named.into_iter().cloned().collect();
        wanted.sort_unstable();
        let known = db::read(NAMED, &[order.event_id.into(), wanted.clone().into()], |row| {
            row.want::<pgrx::Uuid>(1)
        })?;
        let known: HashMap<String, pgrx::Uuid> =
            known.into_iter().map(|id| (id.to_string(), id)).collect();
        for name in wanted {
            let Some(id) = known.get(&name) else {
                return invalid(
                    format!("p_rules names {name:?}, who does not attend this event"),
                    "",
                    "Name attendees of the event by their ids.",
                );
            };
            index.insert(name, ids.len());
            ids.push(*id);
        }
    }
    let mut met: HashSet<(usize, usize)> = couples.iter().map(|c| sorted(c.of)).collect();
    for (both, _) in &rules.fixed {
        if let Some(of) = couple(&index, both)
            && met.insert(sorted(of))
        {
            couples.push(Couples { match_id: None, of, weight: 0 });
        }
    }
    Ok(index)
}

fn sorted((a, b): (usize, usize)) -> (usize, usize) {
    (a.min(b), a.max(b))
}

fn drop_vetoes(rules: &Rules, index: &Index, couples: &mut Vec<Couples>) {
    let mut gone = HashSet::new();
    for veto in &rules.veto {
        gone.extend(couple(index, veto).map(sorted));
    }
    couples.retain(|c| !gone.contains(&sorted(c.of)));
}

fn position(couples: &[Couples]) -> HashMap<(usize, usize), u32> {
    couples.iter().enumerate().map(|(at, c)| (sorted(c.of), at as u32)).collect()
}

fn exclusive(rules: &Rules, index: &Index, couples: &[Couples]) -> Vec<Vec<u32>> {
    let at = position(couples);
    let mut groups = vec![];
    for group in &rules.exclusive {
        let mut pairs = vec![];
        for both in group {
            pairs.extend(couple(index, both).and_then(|of| at.get(&sorted(of)).copied()));
        }
        pairs.sort_unstable();
        pairs.dedup();
        groups.push(pairs);
    }
    groups
}

fn fixed(
    rules: &Rules,
    index: &Index,
    couples: &[Couples],
    slots: &[Span],
) -> Outcome<Vec<(u32, u32)>> {
    const MOMENT: &str = "SELECT $1::timestamptz";
    let at = position(couples);
    let mut found: HashMap<u32, u32> = HashMap::new();
    for (both, start) in &rules.fixed {
        let slot = db::read_one(MOMENT, &[start.as_str().into()], |row| {
            Ok(micros(row.want::<TimestampWithTimeZone>(1)?))
        })?;
        let slot = slot.and_then(|start| slots.iter().position(|s| s.0 == start));
        let pair = couple(index, both).and_then(|of| at.get(&sorted(of)));
        match (pair, slot) {
            (Some(pair), Some(slot)) => {
                found.insert(*pair, slot as u32);
            }
            (None, _) => {
                return invalid(
                    format!("p_rules fixes a meeting of {} and {} and forbids it", both.0, both.1),
                    "",
                    "Take the pair out of fixed, or out of veto and exclusive.",
                );
            }
            (_, None) => {
                return invalid(
                    format!("p_rules fixes a meeting at {start}, where no slot begins"),
                    "",
                    "Slots follow one another from p_from on.",
                );
            }
        }
    }
    let mut found: Vec<(u32, u32)> = found.into_iter().collect();
    found.sort_unstable();
    Ok(found)
}

/// Their counts of days are read beside their calendars, since here it matters how many more a day takes.
fn people(
    order: &Order,
    ids: &[pgrx::Uuid],
    slots: &[Span],
    days: &Days,
) -> Outcome<Vec<event::Person>> {
    let within = (slots[0].0, slots[slots.len() - 1].1);
    let look = Look { within, now: order.now, except: None, sessions: true };
    let calendars = calendars::read(ids, &look)?;
    let had = had(ids, &days.1, order.now)?;
    let served = served(order.event_id)?;
    let mut people = vec![];
    for (at, person) in calendars.iter().enumerate() {
        let is_free = |slot: &Span| {
            let against = person.calendar.obstacles(slot.0, slot.1);
            person.attends && against.iter().all(|o| *o == Obstacle::FullDay)
        };
        people.push(event::Person {
            body: at as u32,
            free: slots.iter().map(is_free).collect(),
            room: rooms(person.cap, &had[at]),
            served: served.contains(&person.id),
        });
    }
    Ok(people)
}

/// How many more meetings each day takes.
pub fn rooms(cap: Option<i32>, had: &[i32]) -> Vec<u32> {
    let room = |had: &i32| cap.map_or(u32::MAX, |cap| (cap - had).max(0) as u32);
    had.iter().map(room).collect()
}

/// Meetings that attendees have on days, by person and day. Runs as the owner of the data.
pub fn had(ids: &[pgrx::Uuid], days: &[i32], now: TimestampWithTimeZone) -> Outcome<Vec<Vec<i32>>> {
    const HAD: &str = "
        SELECT i.n, d.n, (c.meetings - (SELECT count(*) FROM convene.meeting_bookings h
                                         WHERE h.person_id = c.person_id AND h.day = c.day AND h.held_until <= $3))::int
          FROM pg_catalog.unnest($1::uuid[]) WITH ORDINALITY i(id, n)
          JOIN convene.attendees a ON a.id = i.id
          JOIN convene.meeting_day_counts c ON c.person_id = coalesce(a.profile_id, a.id)
          JOIN pg_catalog.unnest($2::int[]) WITH ORDINALITY d(day, n) ON c.day = '2000-01-01'::date + d.day";
    let mut had = vec![vec![0; days.len()]; ids.len()];
    db::read(HAD, &[ids.to_vec().into(), days.to_vec().into(), now.into()], |row| {
        had[(row.want::<i64>(1)? - 1) as usize][(row.want::<i64>(2)? - 1) as usize] =
            row.want(3)?;
        Ok(())
    })?;
    Ok(had)
}

fn served(event_id: pgrx::Uuid) -> Outcome<HashSet<pgrx::Uuid>> {
    const SERVED: &str = "
        SELECT u.id FROM convene.meetings g
         CROSS JOIN LATERAL (VALUES (g.attendee_1_id), (g.attendee_2_id)) u(id)
         WHERE g.event_id = $1 AND g.status IN ('scheduled', 'confirmed', 'in_progress', 'completed')";
    Ok(db::read(SERVED, &[event_id.into()], |row| row.want(1))?.into_iter().collect())
}

/// Whoever is represented by the same human being is one body, and busy when one of them is.
fn represented(rules: &Rules, index: &Index, mut people: Vec<event::Person>) -> Vec<event::Person> {
    for group in &rules.representatives {
        let members: Vec<usize> = group.iter().filter_map(|id| index.get(id).copied()).collect();
        let bodies: HashSet<u32> = members.iter().map(|m| people[*m].body).collect();
        let Some(body) = bodies.iter().min().copied() else { continue };
        let slots = people[members[0]].free.len();
        let free: Vec<bool> =
            (0..slots).map(|at| members.iter().all(|m| people[*m].free[at])).collect();
        for person in people.iter_mut().filter(|p| bodies.contains(&p.body)) {
            person.body = body;
            person.free.clone_from(&free);
        }
    }
    people
}

/// Tables that no other meeting has at that time.
fn tables(order: &Order, slots: &[Span]) -> Outcome<Option<Vec<Vec<u32>>>> {
    const TAKEN: &str = "
        WITH named AS MATERIALIZED (
          SELECT t.n, lower(btrim(btrim($5) || ' / ' || t.n, ' /')) AS place FROM pg_catalog.generate_series(1, $4) t(n))
        SELECT s.n, t.n
          FROM convene.meeting_places p
          JOIN named t ON t.place = p.place
          JOIN unnest($2::timestamptz[], $3::timestamptz[]) WITH ORDINALITY s(starts, ends, n)
            ON p.during && tstzrange(s.starts, s.ends)
         WHERE p.event_id = $1";
    let Some(count) = order.tables else { return Ok(None) };
    let side = |of: fn(&Span) -> i64| slots.iter().map(|s| moment(of(s))).collect::<Vec<_>>();
    let mut free: Vec<Vec<u32>> = vec![(1..=count).collect(); slots.len()];
    db::read(
        TAKEN,
        &[
            order.event_id.into(),
            side(|s| s.0).into(),
            side(|s| s.1).into(),
            (count as i32).into(),
            order.room.clone().unwrap_or_default().into(),
        ],
        |row| {
            let table = row.want::<i32>(2)? as u32;
            free[(row.want::<i64>(1)? - 1) as usize].retain(|t| *t != table);
            Ok(())
        },
    )?;
    Ok(Some(free))
}
