//! Reasons that are true of the row they stand beside.

use std::collections::HashMap;

use convene_engine::recommendation::{Cause, Choice, Pick, company, sentence, with_notes};

use super::person::Context;
use crate::db;
use crate::error::Outcome;
use crate::programme::Event;

/// What others did with some sessions, in few arrays: a row each would cost more than counting them.
/// One range of the index per session, and nothing but the index.
const CHOICES: &str = "
    SELECT array_agg(x.session_id), array_agg(x.attendee_id), array_agg(x.value::float4)
      FROM convene.session_interactions x
     WHERE x.session_id = ANY ($2) AND x.attendee_id <> $1 AND x.kind <> 'browsed'";

/// How many people stand behind a reason drawn from others, per candidate that would use one.
fn together(
    event: &Event,
    attendee: pgrx::Uuid,
    mine: &[pgrx::Uuid],
    picks: &[Pick],
) -> Outcome<HashMap<u32, u32>> {
    let candidates: Vec<pgrx::Uuid> = picks
        .iter()
        .filter(|pick| matches!(pick.causes.first(), Some(Cause::Together { .. })))
        .map(|pick| event.session_id(pick.session))
        .collect();
    if candidates.is_empty() {
        return Ok(HashMap::new());
    }
    let mut sessions = mine.to_vec();
    sessions.extend(&candidates);
    let mut choices = choices(attendee, &sessions)?;
    let counts = company(&mut choices, mine.len(), sessions.len());
    Ok(candidates
        .iter()
        .zip(&counts[mine.len()..])
        .filter_map(|(session, people)| Some((event.index(*session)?, *people)))
        .collect())
}

/// What others did with the sessions, which are named by their place from here on.
fn choices(attendee: pgrx::Uuid, sessions: &[pgrx::Uuid]) -> Outcome<Vec<Choice<pgrx::Uuid>>> {
    let read = db::read_one(CHOICES, &[attendee.into(), sessions.to_vec().into()], |row| {
        Ok((
            row.get::<Vec<pgrx::Uuid>>(1)?.unwrap_or_default(),
            row.get::<Vec<pgrx::Uuid>>(2)?.unwrap_or_default(),
            row.get::<Vec<Option<f32>>>(3)?.unwrap_or_default(),
        ))
    })?;
    let (chosen, people, stars) = read.unwrap_or_default();
    let places: HashMap<pgrx::Uuid, u32> = sessions.iter().copied().zip(0..).collect();
    Ok(chosen
        .iter()
        .zip(people)
        .zip(stars)
        .filter_map(|((session, person), stars)| {
            Some(Choice { person, session: *places.get(session)?, stars })
        })
        .collect())
}

/// The sentence for each pick: its strongest cause that is true and has enough people behind it.
/// Runs as the owner of the data.
pub fn sentences(
    event: &Event,
    attendee: pgrx::Uuid,
    liked: &[pgrx::Uuid],
    picks: &[Pick],
    context: &Context,
) -> Outcome<Vec<String>> {
    let (min_people, min_shown) = (context.min_people(), context.min_people_shown());
    let together = together(event, attendee, liked, picks)?;
    let title = |index: u32| event.title(index);
    Ok(picks
        .iter()
        .map(|pick| {
            let people = together.get(&pick.session).copied().unwrap_or(0);
            let behind = |cause: &Cause| match cause {
                Cause::Together { .. } => people >= min_people,
                Cause::Popular => interested(event, pick.session) >= min_people,
                _ => true,
            };
            let cause = pick.causes.iter().find(|cause| behind(cause)).unwrap_or(&Cause::Listed);
            let shown = (people >= min_shown).then_some(people);
            let said = sentence(cause, title, shown);
            with_notes(said, pick.clashes_with, pick.waitlist, title)
        })
        .collect())
}

/// People who registered for a session or showed interest, whichever is more.
fn interested(event: &Event, session: u32) -> u32 {
    let shown = event.interest.get(session as usize).copied().unwrap_or(0);
    shown.max(event.programme.session(session).registrations)
}
