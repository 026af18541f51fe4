//! Fits into `sponsorship_matches`: only what is new or has changed is written.

use std::collections::HashMap;

use convene_engine::sponsorship::{Recalculation, Scored};

use super::packed::{Ids, Longs, Metrics, Scores};
use crate::db;
use crate::error::Outcome;

/// Rows written by one statement. More of them take arrays that are too long for memory that was used
/// before: the system would have to clear it page by page, which is an eighth of all the time.
const ROWS: usize = 16_384;

/// What is known of the sides, by their places in a [`Recalculation`], and of the other workers.
pub struct Sides {
    /// Revisions of the sponsors.
    pub sponsor_revs: Vec<i64>,
    /// Revisions of the events.
    pub event_revs: Vec<i64>,
    /// Whether no other worker was at work when the sides had been read. A worker that began before
    /// and knows less could otherwise overwrite a row that is left alone here.
    pub alone: bool,
    /// Whether not everything is stored.
    pub bounded: bool,
}

/// A row as it is stored.
struct Stored {
    fingerprint: i64,
    sponsor_rev: i64,
    event_rev: i64,
    retired: bool,
    human: bool,
}

type Key = (u128, u128);

// Two rows of one event that are both not what they should be cancel each other only if their
// digests do, and those contain the ids.
const DIGESTS: &str = "
    SELECT m.event_id, pg_catalog.count(*), pg_catalog.bit_xor(m.fingerprint)
      FROM convene.sponsorship_matches m
     WHERE m.event_id = ANY ($1)
       AND (m.retired_at IS NULL OR $2)
     GROUP BY m.event_id";

macro_rules! rows_where {
    ($condition:literal) => {
        concat!(
            "SELECT m.event_id, m.sponsor_id, m.fingerprint, m.sponsor_rev, m.event_rev, m.retired_at IS NOT NULL,
                    m.status IN ('accepted', 'rejected') OR m.viewed_at IS NOT NULL OR m.contacted_at IS NOT NULL
               FROM convene.sponsorship_matches m WHERE ",
            $condition
        )
    };
}
const OF_EVENTS: &str = rows_where!("m.event_id = ANY ($1)");
const OF_PART: &str = rows_where!("m.event_id = ANY ($1) AND m.sponsor_id = ANY ($2)");

/// The number that an id is to the engine.
pub fn number(id: pgrx::Uuid) -> u128 {
    u128::from_be_bytes(*id.as_bytes())
}

/// Brings the rows of a portion in step with what was computed.
pub fn store(
    recalculation: &Recalculation,
    portion: std::ops::Range<usize>,
    scored: &[Scored],
    sides: &Sides,
) -> Outcome<()> {
    let unchanged = unchanged(recalculation, portion.clone(), scored, sides)?;
    let stored = read(recalculation, portion, &unchanged)?;
    let known = |one: &Scored| unchanged.get(&one.event).copied();
    // Alike are neighbours only: who else writes the same rows comes to them in the same order.
    for alike in scored.chunk_by(|a, b| a.event == b.event || known(a) == known(b)) {
        let state = alike.first().and_then(known);
        if state == Some(State::Equal) {
            continue;
        }
        for rows in alike.chunks(ROWS) {
            let (mut write, mut prune) = (Write::default(), Write::default());
            for one in rows {
                match stored.get(&key(recalculation, one)) {
                    None if one.kept => write.push(recalculation, one, sides),
                    Some(row) if !one.kept && !row.human => prune.push(recalculation, one, sides),
                    Some(row) if row.stale(one, sides) => write.push(recalculation, one, sides),
                    None | Some(_) => {}
                }
            }
            write.store(state == Some(State::Empty))?;
            prune.prune()?;
        }
    }
    Ok(())
}

impl Stored {
    fn stale(&self, one: &Scored, sides: &Sides) -> bool {
        let behind = self.sponsor_rev < sides.sponsor_revs[one.sponsor as usize]
            || self.event_rev < sides.event_revs[one.event as usize];
        self.fingerprint != one.fingerprint || self.retired || (behind && !sides.alone)
    }
}

fn key(recalculation: &Recalculation, one: &Scored) -> Key {
    let sponsor = recalculation.sponsors()[one.sponsor as usize];
    (recalculation.events()[one.event as usize], sponsor)
}

/// How the rows of a whole event compare with what was computed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// They are the same.
    Equal,
    /// There is none.
    Empty,
}

/// Events whose rows need not be read one by one.
fn unchanged(
    recalculation: &Recalculation,
    portion: std::ops::Range<usize>,
    scored: &[Scored],
    sides: &Sides,
) -> Outcome<HashMap<u32, State>> {
    let whole: Vec<u32> =
        portion.filter(|at| recalculation.is_whole(*at)).map(|at| at as u32).collect();
    if whole.is_empty() {
        return Ok(HashMap::new());
    }
    let mut expected: HashMap<u32, (i64, i64)> = HashMap::with_capacity(whole.len());
    for one in scored.iter().filter(|one| one.kept) {
        let of_event = expected.entry(one.event).or_default();
        of_event.0 += 1;
        of_event.1 ^= one.fingerprint;
    }
    let mut ids = Ids::default();
    for event in &whole {
        ids.push(recalculation.events()[*event as usize]);
    }
    let found: HashMap<u128, (i64, i64)> =
        db::read(DIGESTS, &[ids.into(), sides.bounded.into()], |row| {
            Ok((number(row.want(1)?), (row.want(2)?, row.want(3)?)))
        })?
        .into_iter()
        .collect();
    let state = |event: &u32| match found.get(&recalculation.events()[*event as usize]) {
        None => Some((*event, State::Empty)),
        some if sides.alone && some == expected.get(event) => Some((*event, State::Equal)),
        Some(_) => None,
    };
    Ok(whole.iter().filter_map(state).collect())
}

fn read(
    recalculation: &Recalculation,
    portion: std::ops::Range<usize>,
    known: &HashMap<u32, State>,
) -> Outcome<HashMap<Key, Stored>> {
    let (mut whole, mut part) = (Ids::default(), Ids::default());
    let (mut wholes, mut parts) = (0, 0);
    for at in portion {
        let id = recalculation.events()[at];
        if !recalculation.is_whole(at) {
            part.push(id);
            parts += 1;
        } else if !known.contains_key(&(at as u32)) {
            whole.push(id);
            wholes += 1;
        }
    }
    let mut found = HashMap::new();
    let mut add = |row: &db::Row<'_>| {
        let key = (number(row.want(1)?), number(row.want(2)?));
        let stored = Stored {
            fingerprint: row.want(3)?,
            sponsor_rev: row.want(4)?,
            event_rev: row.want(5)?,
            retired: row.want(6)?,
            human: row.want(7)?,
        };
        found.insert(key, stored);
        Ok(())
    };
    if wholes > 0 {
        db::read(OF_EVENTS, &[whole.into()], &mut add)?;
    }
    if parts > 0 {
        let mut sponsors = Ids::default();
        for at in recalculation.of_part() {
            sponsors.push(recalculation.sponsors()[at as usize]);
        }
        db::read(OF_PART, &[part.into(), sponsors.into()], &mut add)?;
    }
    Ok(found)
}

/// Rows on their way to the table, in the order of its key: two workers that write the same rows come
/// to them in the same order.
#[derive(Default)]
struct Write {
    count: usize,
    events: Vec<u128>,
    sponsors: Vec<u128>,
    scores: Scores,
    metrics: Metrics,
    sponsor_revs: Vec<i64>,
    event_revs: Vec<i64>,
    fingerprints: Longs,
}

impl Write {
    fn push(&mut self, recalculation: &Recalculation, one: &Scored, sides: &Sides) {
        let (event, sponsor) = key(recalculation, one);
        self.count += 1;
        self.events.push(event);
        self.sponsors.push(sponsor);
        self.scores.push(one.score);
        self.metrics.push(&one.fit, recalculation.weights(one.event));
        self.sponsor_revs.push(sides.sponsor_revs[one.sponsor as usize]);
        self.event_revs.push(sides.event_revs[one.event as usize]);
        self.fingerprints.push(one.fingerprint);
    }

    /// `first`: there was no row of these events yet.
    fn store(self, first: bool) -> Outcome<()> {
        const STORE: &str = "SELECT convene_private.store_fits($1, $2, $3, $4, $5, $6, $7, $8)";
        const REQUEUE: &str = "SELECT convene_private.requeue_refused($1, $2, $3, $4)";
        if self.count == 0 {
            return Ok(());
        }
        let stored: Vec<i64> = db::write(
            STORE,
            &[
                ids(&self.events).into(),
                ids(&self.sponsors).into(),
                self.scores.into(),
                self.metrics.into(),
                longs(&self.sponsor_revs).into(),
                longs(&self.event_revs).into(),
                self.fingerprints.into(),
                first.into(),
            ],
            |row| row.want(1),
        )?;
        if stored.first() == Some(&(self.count as i64)) {
            return Ok(());
        }
        let refused = [
            ids(&self.events).into(),
            ids(&self.sponsors).into(),
            longs(&self.sponsor_revs).into(),
            longs(&self.event_revs).into(),
        ];
        db::write(REQUEUE, &refused, |_| Ok(())).map(drop)
    }

    fn prune(self) -> Outcome<()> {
        const PRUNE: &str = "SELECT convene_private.prune_fits($1, $2)";
        if self.count == 0 {
            return Ok(());
        }
        let pairs = [ids(&self.events).into(), ids(&self.sponsors).into()];
        db::write(PRUNE, &pairs, |_| Ok(())).map(drop)
    }
}

fn ids(all: &[u128]) -> Ids {
    let mut ids = Ids::default();
    for id in all {
        ids.push(*id);
    }
    ids
}

fn longs(all: &[i64]) -> Longs {
    let mut longs = Longs::default();
    for number in all {
        longs.push(*number);
    }
    longs
}

/// Takes the matches of sponsors and events off the market that left it.
pub fn retire(sponsors: Vec<pgrx::Uuid>, events: Vec<pgrx::Uuid>) -> Outcome<()> {
    const RETIRE: &str = "SELECT convene_private.retire_fits($1, $2)";
    if sponsors.is_empty() && events.is_empty() {
        return Ok(());
    }
    db::write(RETIRE, &[sponsors.into(), events.into()], |_| Ok(())).map(drop)
}
