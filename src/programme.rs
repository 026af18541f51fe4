//! The programme of an event as the engine scores it, kept per session of the server while it is
//! unchanged. Reading thousands of vectors costs more than scoring them, so this is where the time
//! of a recommendation would go.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use convene_engine::programme::{Embeddings, Programme, Session};
use pgrx::prelude::*;

use crate::db::{self, Row};
use crate::error::Outcome;
use crate::moments::{micros, moment};
use crate::settings;
use crate::vector::Floats;

/// Rows of embeddings fetched at a time: the larger part of what reading needs beside the result.
const CHUNK: i64 = 500;

/// What the programme and the counts of interest looked like, as precisely as rows can say: the
/// versions of the rows that count changes. Two snapshots that see the same versions see the same
/// sessions and embeddings, whoever committed or rolled back in between.
macro_rules! state_sql {
    ($event:literal) => {
        concat!(
            "(SELECT coalesce(pg_catalog.string_agg(r.shard::text || r.rev::text || r.xmin::text, ','
                              ORDER BY r.shard), '')
                FROM convene.event_revisions r
               WHERE r.kind = 'programme' AND r.event_id = ", $event, "),
             (SELECT coalesce(pg_catalog.max(p.xmin::text || p.ctid::text), '')
                FROM convene.event_popularity p WHERE p.event_id = ", $event, ") ||
             (SELECT coalesce(pg_catalog.string_agg(r.shard::text || r.rev::text || r.xmin::text, ','
                              ORDER BY r.shard), '')
                FROM convene.event_revisions r
               WHERE r.kind = 'registrations' AND r.event_id = ", $event, ")"
        )
    };
}
pub(crate) use state_sql;

/// The columns that the engine scores by.
macro_rules! sessions_sql {
    () => {
        "SELECT id, title, coalesce(topics, '{}'), session_type, difficulty_level, room,
                start_time, end_time, status IN ('cancelled', 'postponed'),
                max_attendees, current_registrations
           FROM convene.sessions WHERE event_id = $1"
    };
}

/// What a snapshot sees of an event, for telling whether something kept is still true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Versions of the programme.
    pub programme: String,
    /// Version of the counts of interest and of the places taken.
    pub interest: String,
}

/// An event's programme with the ids behind the engine's indices.
#[derive(Clone)]
pub struct Event {
    /// The event.
    pub id: pgrx::Uuid,
    /// Sessions and vectors.
    pub programme: Arc<Programme>,
    /// Ids in ascending order: the engine's index is the position here.
    pub ids: Arc<Vec<pgrx::Uuid>>,
    /// Distinct people who are interested, per session.
    pub interest: Arc<Vec<u32>>,
}

impl Event {
    /// The engine's index of a session; `None` for one of another event.
    pub fn index(&self, session: pgrx::Uuid) -> Option<u32> {
        self.ids.binary_search(&session).ok().map(|at| at as u32)
    }

    /// The id of a session.
    pub fn session_id(&self, index: u32) -> pgrx::Uuid {
        self.ids[index as usize]
    }

    /// The title of a session.
    pub fn title(&self, index: u32) -> &str {
        &self.programme.session(index).text
    }

    /// Start and end of a session.
    pub fn time(&self, index: u32) -> (TimestampWithTimeZone, TimestampWithTimeZone) {
        let session = self.programme.session(index);
        (moment(session.start), moment(session.end))
    }

    fn bytes(&self) -> usize {
        self.programme.bytes() + self.ids.len() * (size_of::<pgrx::Uuid>() + size_of::<u32>())
    }
}

struct Kept {
    state: State,
    event: Rc<Event>,
}

thread_local! {
    /// Least recently used first.
    static CACHE: RefCell<Vec<Kept>> = const { RefCell::new(Vec::new()) };
}

/// The event, if this session still has it as the snapshot sees it.
pub fn kept(event_id: pgrx::Uuid, state: &State) -> Option<Rc<Event>> {
    CACHE.with_borrow_mut(|cache| {
        let at = cache.iter().position(|k| k.event.id == event_id && k.state == *state)?;
        let found = cache.remove(at);
        let event = Rc::clone(&found.event);
        cache.push(found);
        Some(event)
    })
}

/// The event as the snapshot sees it: kept, or read and kept. Runs as the owner of the data.
pub fn load(event_id: pgrx::Uuid, state: &State) -> Outcome<Rc<Event>> {
    if let Some(event) = kept(event_id, state) {
        return Ok(event);
    }
    let same_programme = CACHE.with_borrow(|cache| {
        cache
            .iter()
            .find(|k| k.event.id == event_id && k.state.programme == state.programme)
            .map(|k| Rc::clone(&k.event))
    });
    let event = match same_programme {
        Some(old) => recounted(&old)?,
        None => read(event_id)?,
    };
    let event = Rc::new(event);
    keep(Kept { state: state.clone(), event: Rc::clone(&event) });
    Ok(event)
}

/// The same sessions and vectors with the counts of now.
fn recounted(old: &Event) -> Outcome<Event> {
    const TAKEN: &str = "
        SELECT array_agg(s.current_registrations ORDER BY s.id)
          FROM convene.sessions s WHERE s.event_id = $1";
    let taken = db::read_one(TAKEN, &[old.id.into()], |row| row.get::<Vec<i32>>(1))?.flatten();
    let taken: Vec<u32> = taken.unwrap_or_default().iter().map(|t| (*t).max(0) as u32).collect();
    Ok(Event {
        programme: Arc::new(old.programme.with_registrations(&taken)),
        interest: Arc::new(read_interest(&old.ids, old.id)?),
        ..old.clone()
    })
}

fn keep(kept: Kept) {
    let room = settings::programme_cache_bytes();
    CACHE.with_borrow_mut(|cache| {
        cache.retain(|k| k.event.id != kept.event.id);
        cache.push(kept);
        let mut used: usize = cache.iter().map(|k| k.event.bytes()).sum();
        while used > room && !cache.is_empty() {
            used -= cache.remove(0).event.bytes();
        }
    });
}

fn read(event_id: pgrx::Uuid) -> Outcome<Event> {
    let (ids, sessions) = read_sessions(event_id)?;
    let embeddings = read_embeddings(event_id, &ids)?;
    let interest = read_interest(&ids, event_id)?;
    Ok(Event {
        id: event_id,
        programme: Arc::new(Programme::new(sessions, embeddings)?),
        ids: Arc::new(ids),
        interest: Arc::new(interest),
    })
}

/// Some sessions of an event without their vectors, enough to tell about picks that are known
/// already. `ids` must be in ascending order; sessions that are gone are left out.
pub fn outline(event_id: pgrx::Uuid, ids: &[pgrx::Uuid]) -> Outcome<Event> {
    const SOME: &str = concat!(sessions_sql!(), " AND id = ANY ($2) ORDER BY id");
    let (ids, sessions): (Vec<_>, Vec<_>) =
        db::read(SOME, &[event_id.into(), ids.to_vec().into()], session)?.into_iter().unzip();
    let interest = read_interest(&ids, event_id)?;
    Ok(Event {
        id: event_id,
        programme: Arc::new(Programme::new(sessions, vec![])?),
        ids: Arc::new(ids),
        interest: Arc::new(interest),
    })
}

fn read_sessions(event_id: pgrx::Uuid) -> Outcome<(Vec<pgrx::Uuid>, Vec<Session>)> {
    const ALL: &str = concat!(sessions_sql!(), " ORDER BY id");
    Ok(db::read(ALL, &[event_id.into()], session)?.into_iter().unzip())
}

fn session(row: &Row<'_>) -> Outcome<(pgrx::Uuid, Session)> {
    let session = Session {
        text: row.want(2)?,
        topics: row.want::<Vec<Option<String>>>(3)?.into_iter().flatten().collect(),
        format: row.get(4)?,
        difficulty: row.get(5)?,
        room: row.get(6)?,
        start: micros(row.want(7)?),
        end: micros(row.want(8)?),
        cancelled: row.want(9)?,
        capacity: row.get::<i32>(10)?.map(|places| places.max(0) as u32),
        registrations: row.get::<i32>(11)?.unwrap_or(0).max(0) as u32,
    };
    Ok((row.want(1)?, session))
}

fn read_embeddings(event_id: pgrx::Uuid, ids: &[pgrx::Uuid]) -> Outcome<Vec<Embeddings>> {
    const EMBEDDINGS: &str = "
        SELECT session_id, embedding_model, embedding
          FROM convene.session_embeddings WHERE event_id = $1
         ORDER BY embedding_model, session_id";
    let mut models: Vec<Embeddings> = Vec::new();
    db::stream(EMBEDDINGS, &[event_id.into()], CHUNK, |row| {
        let Ok(index) = ids.binary_search(&row.want::<pgrx::Uuid>(1)?) else { return Ok(()) };
        let model: String = row.want(2)?;
        if models.last().is_none_or(|last| last.model != model) {
            models.push(Embeddings { model, ..Embeddings::default() });
        }
        if let (Some(last), Some(Floats(values))) = (models.last_mut(), row.get(3)?) {
            last.dims = values.len();
            last.values.extend(values);
            last.sessions.push(index as u32);
        }
        Ok(())
    })?;
    Ok(models)
}

fn read_interest(ids: &[pgrx::Uuid], event_id: pgrx::Uuid) -> Outcome<Vec<u32>> {
    const INTEREST: &str =
        "SELECT session_ids, people FROM convene.event_popularity WHERE event_id = $1";
    let mut interest = vec![0; ids.len()];
    let counted = db::read_one(INTEREST, &[event_id.into()], |row| {
        Ok((row.want::<Vec<pgrx::Uuid>>(1)?, row.want::<Vec<i32>>(2)?))
    })?;
    if let Some((sessions, people)) = counted {
        for (session, people) in sessions.iter().zip(people) {
            if let Ok(at) = ids.binary_search(session) {
                interest[at] = people.max(0) as u32;
            }
        }
    }
    Ok(interest)
}
