//! Reasons that are true of the row they stand beside.

use std::collections::HashMap;

use convene_engine::recommendation::{Cause, Pick, sentence, with_notes};

use super::person::Context;
use crate::db;
use crate::error::Outcome;
use crate::programme::Event;

/// Distinct other people who liked a session of the attendee's and chose the candidate: bookmarked
/// or attended it or rated it well, and did not rate it badly. Session by session, so that each is
/// one range of its index, however many there are.
const TOGETHER: &str = "
    WITH liked AS MATERIALIZED (
      SELECT s.id, x.attendee_id
        FROM unnest($2 || $3) s (id)
       CROSS JOIN LATERAL (
        SELECT i.attendee_id FROM convene.session_interactions i
         WHERE i.session_id = s.id AND i.attendee_id <> $1 AND i.kind <> 'browsed'
         GROUP BY i.attendee_id
        HAVING bool_or(i.kind IN ('bookmarked', 'attended') OR i.value > 3)
           AND coalesce(min(i.value), 3) >= 3) x)
    SELECT c.id, count(*)
      FROM liked c
     WHERE c.id = ANY ($3)
       AND c.attendee_id IN (SELECT m.attendee_id FROM liked m WHERE m.id = ANY ($2))
     GROUP BY c.id";

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
    let counted =
        db::read(TOGETHER, &[attendee.into(), mine.to_vec().into(), candidates.into()], |row| {
            Ok((row.want::<pgrx::Uuid>(1)?, row.want::<i64>(2)?))
        })?;
    Ok(counted
        .into_iter()
        .filter_map(|(session, people)| Some((event.index(session)?, people as u32)))
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
