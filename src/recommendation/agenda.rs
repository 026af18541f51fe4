//! A person's day: what they bookmarked, and the best that fits between.

use convene_engine::agenda::{Slot, best_agenda, is_break, is_proposable};
use convene_engine::recommendation::{Algorithm, Pick};
use pgrx::prelude::*;

use super::asked::MOST;
use super::person::{Known, known};
use super::reasons::sentences;
use super::sessions::{pick, score_numeric};
use crate::auth;
use crate::error::{OrRaise, Outcome, invalid, required};
use crate::moments::micros;
use crate::owner::with_owner;
use crate::programme::{self, Event};

/// Microseconds of a minute.
const MINUTE: f64 = 60e6;
/// Minutes to get from one room to another, where the setting says nothing.
const TRAVEL_MINUTES: f64 = 5.0;

type Row = (
    pgrx::Uuid,
    String,
    TimestampWithTimeZone,
    TimestampWithTimeZone,
    Option<String>,
    String,
    Option<AnyNumeric>,
    String,
);

/// The best agenda without overlaps for an attendee.
#[pg_extern(stable, parallel_restricted)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // The columns of the result are the signature.
fn get_personal_agenda(
    p_attendee_id: Option<pgrx::Uuid>,
    p_event_id: Option<pgrx::Uuid>,
    p_from: default!(Option<TimestampWithTimeZone>, "NULL"),
    p_to: default!(Option<TimestampWithTimeZone>, "NULL"),
    p_now: default!(Option<TimestampWithTimeZone>, "now()"),
) -> TableIterator<
    'static,
    (
        name!(session_id, pgrx::Uuid),
        name!(session_title, String),
        name!(start_time, TimestampWithTimeZone),
        name!(end_time, TimestampWithTimeZone),
        name!(room, Option<String>),
        name!(agenda_status, String),
        name!(similarity_score, Option<AnyNumeric>),
        name!(recommendation_reason, String),
    ),
> {
    TableIterator::new(agenda(p_attendee_id, p_event_id, p_from, p_to, p_now).or_raise())
}

/// The part of time that is planned, in the engine's microseconds.
#[derive(Clone, Copy)]
struct Window {
    from: i64,
    to: i64,
}

impl Window {
    fn holds(self, event: &Event, session: u32) -> bool {
        let session = event.programme.session(session);
        session.start >= self.from && session.end <= self.to
    }
}

fn agenda(
    attendee_id: Option<pgrx::Uuid>,
    event_id: Option<pgrx::Uuid>,
    from: Option<TimestampWithTimeZone>,
    to: Option<TimestampWithTimeZone>,
    now: Option<TimestampWithTimeZone>,
) -> Outcome<Vec<Row>> {
    let attendee = auth::attendee_of(attendee_id, event_id)?;
    let now = required(now, "p_now")?;
    if let (Some(from), Some(to)) = (from, to)
        && to <= from
    {
        return invalid(
            format!("p_to {} is not after p_from {}", to.to_iso_string(), from.to_iso_string()),
            "",
            "Pass the earlier time as p_from.",
        );
    }
    let window = Window { from: from.map_or(i64::MIN, micros), to: to.map_or(i64::MAX, micros) };
    with_owner(|| {
        let known = known(attendee.id, attendee.event_id)?;
        let event = programme::load(attendee.event_id, &known.context.state)?;
        let proposed = proposals(&known, &event, now, window)?;
        let slots = slots(&known, &event, &proposed, window, micros(now));
        let breaks: Vec<(i64, i64)> = (0..event.ids.len() as u32)
            .map(|i| event.programme.session(i))
            .filter(|session| is_break(session.format.as_deref()) && !session.cancelled)
            .map(|session| (session.start, session.end))
            .collect();
        let travel = known.context.setting("agenda.travel_minutes", TRAVEL_MINUTES).max(0.0);
        let chosen = best_agenda(&slots, (travel * MINUTE) as i64, &breaks);
        let chosen: Vec<&Slot> = chosen.into_iter().map(|at| &slots[at]).collect();
        rows(&known, &event, attendee.id, &chosen, &proposed)
    })
}

/// What could fill the gaps; nothing for somebody who wants no recommendations.
fn proposals(
    known: &Known,
    event: &Event,
    now: TimestampWithTimeZone,
    window: Window,
) -> Outcome<Vec<Pick>> {
    if !known.enabled {
        return Ok(vec![]);
    }
    let picks = pick(MOST as usize, Algorithm::Hybrid, now, known, event)?;
    Ok(picks
        .into_iter()
        .filter(|pick| {
            window.holds(event, pick.session)
                && !pick.waitlist
                && is_proposable(event.programme.session(pick.session).format.as_deref())
        })
        .collect())
}

fn slots(known: &Known, event: &Event, proposed: &[Pick], window: Window, now: i64) -> Vec<Slot> {
    let slot = |index: u32, value: f64, fixed: bool| {
        let session = event.programme.session(index);
        let room = session.room.clone();
        Slot { session: index, start: session.start, end: session.end, room, value, fixed }
    };
    let bookmarked = known.bookmarked().into_iter().filter_map(|id| event.index(id)).filter(|i| {
        let session = event.programme.session(*i);
        !session.cancelled && session.end > now && window.holds(event, *i)
    });
    bookmarked
        .map(|index| slot(index, 1.0, true))
        .chain(proposed.iter().map(|pick| slot(pick.session, pick.score, false)))
        .collect()
}

fn rows(
    known: &Known,
    event: &Event,
    attendee: pgrx::Uuid,
    chosen: &[&Slot],
    proposed: &[Pick],
) -> Outcome<Vec<Row>> {
    let of = |slot: &Slot| proposed.iter().find(|pick| !slot.fixed && pick.session == slot.session);
    let picks: Vec<Pick> = chosen.iter().filter_map(|slot| of(slot).cloned()).collect();
    let mut reasons =
        sentences(event, attendee, &known.liked(), &picks, &known.context)?.into_iter();
    Ok(chosen
        .iter()
        .map(|slot| {
            let (start, end) = event.time(slot.session);
            let (status, score, reason) = match of(slot) {
                Some(pick) => (
                    "recommended",
                    Some(score_numeric(pick.score)),
                    reasons.next().unwrap_or_default(),
                ),
                None => ("bookmarked", None, "You bookmarked this".to_owned()),
            };
            let title = event.title(slot.session).to_owned();
            let room = slot.room.clone();
            (
                event.session_id(slot.session),
                title,
                start,
                end,
                room,
                status.to_owned(),
                score,
                reason,
            )
        })
        .collect())
}
