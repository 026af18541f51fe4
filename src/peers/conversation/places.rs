//! The places in the programme at which people are asked.

use std::collections::HashMap;

use convene_engine::conversation::{Context, PromptTime, Session, prompt_times};
use pgrx::prelude::*;

use crate::db;
use crate::error::Outcome;
use crate::moments::{COUNTABLE, micros};

const SESSIONS: &str = "
    SELECT e.id,
           coalesce(e.start_at, (SELECT pg_catalog.min(x.start_time) FROM convene.sessions x WHERE x.event_id = e.id)),
           coalesce(e.end_at, (SELECT pg_catalog.max(x.end_time) FROM convene.sessions x WHERE x.event_id = e.id)),
           s.session_type, s.start_time, s.end_time,
           nullif(pg_catalog.btrim(s.room), '')
      FROM convene.events e
      LEFT JOIN convene.sessions s
        ON s.event_id = e.id AND s.session_type IN ('break', 'lunch', 'networking')
       AND s.status NOT IN ('cancelled', 'postponed')
     WHERE e.id = ANY ($1)
     ORDER BY e.id, s.start_time, s.id";

/// The moments to ask at, of each of these events.
pub fn of_events(ids: &[pgrx::Uuid]) -> Outcome<HashMap<pgrx::Uuid, Vec<PromptTime>>> {
    type Event = (Option<i64>, Option<i64>, Vec<Session>);
    let mut events: HashMap<pgrx::Uuid, Event> = HashMap::new();
    db::read(SESSIONS, &[ids.to_vec().into()], |row| {
        // An event may begin or end at infinity; half an hour before that is no moment to ask at.
        let at = |ordinal| {
            row.get::<TimestampWithTimeZone>(ordinal)
                .map(|at| at.map(micros).filter(|at| COUNTABLE.contains(at)))
        };
        let bounds = (at(2)?, at(3)?);
        let event = events.entry(row.want(1)?).or_insert((bounds.0, bounds.1, Vec::new()));
        let context = match row.get::<String>(4)?.as_deref() {
            Some("break") => Context::Break,
            Some("lunch") => Context::Lunch,
            Some(_) => Context::Networking,
            None => return Ok(()),
        };
        if let (Some(start), Some(end)) = (at(5)?, at(6)?) {
            event.2.push(Session { context, start, end, room: row.get(7)? });
        }
        Ok(())
    })?;
    Ok(events
        .into_iter()
        .map(|(id, (start, end, sessions))| (id, prompt_times(start, end, &sessions)))
        .collect())
}
