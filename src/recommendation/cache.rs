//! Answers computed for a whole event at once, for sessions of the server that have not read its
//! programme. Used only where it is the same answer as computing it would give.

use std::rc::Rc;

use convene_engine::Error;
use convene_engine::recommendation::{Algorithm, Cause, Pick};

use super::asked::Asked;
use super::person::Known;
use crate::db;
use crate::error::Outcome;
use crate::programme::{self, Event};

/// Picks kept per attendee, few enough for a row that stays in its page; a call that asks for more
/// is computed.
pub const KEPT: usize = 12;

/// The kept picks of an attendee, as long as nothing that they depend on has changed and no session
/// has ended since.
const FIND: &str = "
    SELECT picks FROM convene.recommendation_cache
     WHERE attendee_id = $1 AND event_id = $2 AND attendee_rev = $3 AND fingerprint = pg_catalog.md5($4)
       AND $5 >= valid_from AND $5 < valid_until";

/// The kept picks with the sessions that they speak of.
pub fn find(asked: &Asked, known: &Known) -> Outcome<Option<(Rc<Event>, Vec<Pick>)>> {
    if asked.limit > KEPT || asked.algorithm != Algorithm::Hybrid {
        return Ok(None);
    }
    let found = db::read_one(
        FIND,
        &[
            asked.attendee.id.into(),
            asked.attendee.event_id.into(),
            known.rev.into(),
            known.context.fingerprint().into(),
            asked.now.into(),
        ],
        |row| row.want::<Vec<u8>>(1),
    )?;
    // Bytes that another version of the library wrote are as good as not there.
    let Some((ids, mut picks)) = found.and_then(|bytes| unpack(&bytes)) else { return Ok(None) };
    let event = programme::outline(asked.attendee.event_id, &ids)?;
    if event.ids.len() != ids.len() {
        return Ok(None);
    }
    picks.truncate(asked.limit);
    Ok(Some((Rc::new(event), picks)))
}

/// Picks as they are kept: the sessions that they speak of, in ascending order, and the picks with
/// every session by its place among those.
type Kept = (Vec<[u8; 16]>, Vec<Pick>);

/// Packs picks of an event whose sessions are these. Needs no server, so workers do it.
pub fn pack(sessions: &[pgrx::Uuid], picks: Vec<Pick>) -> convene_engine::Result<Vec<u8>> {
    let mut spoken_of: Vec<u32> = picks.iter().flat_map(spoken_of).collect();
    spoken_of.sort_unstable();
    spoken_of.dedup();
    let at = |index: u32| spoken_of.partition_point(|known| *known < index) as u32;
    let picks: Vec<Pick> = picks.into_iter().map(|pick| renumbered(pick, at)).collect();
    let ids = spoken_of.iter().map(|index| *sessions[*index as usize]).collect();
    postcard::to_allocvec::<Kept>(&(ids, picks)).map_err(|error| Error::Worker(error.to_string()))
}

fn unpack(bytes: &[u8]) -> Option<(Vec<pgrx::Uuid>, Vec<Pick>)> {
    let (ids, picks) = postcard::from_bytes::<Kept>(bytes).ok()?;
    Some((ids.into_iter().map(pgrx::Uuid::from_bytes).collect(), picks))
}

fn spoken_of(pick: &Pick) -> Vec<u32> {
    let causes = pick.causes.iter().filter_map(|cause| match cause {
        Cause::Liked { because, .. } | Cause::Together { because } => Some(*because),
        _ => None,
    });
    causes.chain(pick.clashes_with).chain([pick.session]).collect()
}

fn renumbered(mut pick: Pick, at: impl Fn(u32) -> u32) -> Pick {
    pick.session = at(pick.session);
    pick.clashes_with = pick.clashes_with.map(&at);
    for cause in &mut pick.causes {
        if let Cause::Liked { because, .. } | Cause::Together { because } = cause {
            *because = at(*because);
        }
    }
    pick
}
