//! Everybody's recommendations computed ahead, in batches of bounded memory.

use std::collections::HashSet;
use std::sync::Arc;

use convene_engine::Stop;
use convene_engine::collaborative::ItemWeights;
use convene_engine::programme::Programme;
use convene_engine::recommendation::{
    Algorithm, Interest, Likeness, Options, Person, recommend_each,
};
use pgrx::prelude::*;

use super::cache::{self, KEPT};
use super::crowd::Crowd;
use super::person::Context;
use super::training;
use crate::db;
use crate::error::Outcome;
use crate::moments::{micros, moment};
use crate::programme::{self, Event};
use crate::{parallel, settings};

/// Bytes that one person's signals and picks take while a batch is computed, on the high side.
const BYTES_PER_PERSON: usize = 8 * 1024;
/// Above this a batch gains nothing more from its size.
const MOST_IN_BATCH: usize = 2_500;
/// The span of time in which no session ends, around `now`: inside it the same sessions are past.
fn validity(event: &Event, now: i64) -> (i64, i64) {
    let ends = || (0..event.ids.len() as u32).map(|i| event.programme.session(i).end);
    (
        ends().filter(|end| *end <= now).max().unwrap_or(i64::MIN),
        ends().filter(|end| *end > now).min().unwrap_or(i64::MAX),
    )
}

/// Ranks for everybody in batches and keeps the picks; how many people have some kept.
pub fn keep_all(event_id: pgrx::Uuid, crowd: Crowd, now: TimestampWithTimeZone) -> Outcome<usize> {
    const FORGET: &str = "
        DELETE FROM convene.recommendation_cache c USING convene.attendee_preferences p
         WHERE c.event_id = $1 AND p.event_id = $1 AND p.attendee_id = c.attendee_id
           AND NOT p.recommendation_enabled";
    let context = Context::read(event_id)?;
    let event = programme::load(event_id, &context.state)?;
    let options = context.options(KEPT, Algorithm::Hybrid, micros(now))?;
    let span = match options.half_life_days {
        // Signals that fade change the answer with every moment.
        Some(_) => (micros(now), micros(now)),
        None => validity(&event, micros(now)),
    };
    let fingerprint = context.fingerprint();
    // On the pool, while this thread reads what else the batches need.
    let likeness = likeness(&event, crowd.ids.len(), &options)?;
    let weights = training::stored(&event)?;
    let wanting: Vec<usize> = (0..crowd.ids.len()).filter(|i| crowd.enabled[*i]).collect();
    let mut people: Vec<Option<Person>> = crowd.people.into_iter().map(Some).collect();
    let standing = standing(event_id, &fingerprint, span)?;
    let stale: Vec<usize> = wanting
        .iter()
        .copied()
        .filter(|i| !standing.contains(&(crowd.ids[*i], crowd.revs[*i])))
        .collect();
    if !stale.is_empty() {
        let shared = Shared::new(&event, weights, likeness.wait()?);
        let place = Place { event_id, fingerprint: &fingerprint, span };
        rank_in_batches(&shared, &place, &crowd.ids, &crowd.revs, &mut people, &stale, &options)?;
    }
    db::execute(FORGET, &[event_id.into()])?;
    Ok(wanting.len())
}

/// A batch on the pool: the packed picks of each of its people.
type Ranking = parallel::Job<Vec<Vec<u8>>>;

/// Where and until when picks are kept.
struct Place<'a> {
    event_id: pgrx::Uuid,
    fingerprint: &'a str,
    span: (i64, i64),
}

/// Ranks for the `stale` among all people: while the pool ranks for one batch, the batch before it
/// is written.
fn rank_in_batches(
    shared: &Shared,
    place: &Place<'_>,
    ids: &[pgrx::Uuid],
    revs: &[i64],
    people: &mut [Option<Person>],
    stale: &[usize],
    options: &Options,
) -> Outcome<()> {
    let (stop, size) = (Stop::default(), batch_size());
    let batches = stale.chunks(size).len();
    let keep = |batch: &[usize], job: Ranking| -> Outcome<()> {
        let ids = batch.iter().map(|i| ids[*i]).collect();
        let revs = batch.iter().map(|i| revs[*i]).collect();
        write(place, ids, revs, job.wait()?)
    };
    let mut before: Option<(&[usize], Ranking)> = None;
    for (at, batch) in stale.chunks(size).enumerate() {
        let of_batch: Vec<Person> = batch.iter().filter_map(|i| people[*i].take()).collect();
        let job = shared.rank(of_batch, options.clone(), &stop.part(at, batches))?;
        if let Some((batch, job)) = before.replace((batch, job)) {
            keep(batch, job)?;
        }
    }
    match before {
        Some((batch, job)) => keep(batch, job),
        None => Ok(()),
    }
}

/// Whose kept picks still hold: nothing that they were computed from has changed.
fn standing(
    event_id: pgrx::Uuid,
    fingerprint: &str,
    span: (i64, i64),
) -> Outcome<HashSet<(pgrx::Uuid, i64)>> {
    const STANDING: &str = "
        SELECT attendee_id, attendee_rev FROM convene.recommendation_cache
         WHERE event_id = $1 AND fingerprint = pg_catalog.md5($2)
           AND valid_from = $3 AND valid_until = $4 AND valid_from < valid_until";
    let (from, until) = (moment(span.0), moment(span.1));
    let arguments = [event_id.into(), fingerprint.into(), from.into(), until.into()];
    let rows = db::read(STANDING, &arguments, |row| Ok((row.want(1)?, row.want(2)?)))?;
    Ok(rows.into_iter().collect())
}

/// People of one batch: few enough for two batches to stay within the bound, and for the writing of
/// one to overlap the ranking of the next.
fn batch_size() -> usize {
    (settings::max_batch_bytes() / 2 / BYTES_PER_PERSON).clamp(1, MOST_IN_BATCH)
}

/// Starts to work out how alike the sessions are, if so many people make it worth while.
fn likeness(event: &Event, people: usize, options: &Options) -> Outcome<parallel::Job<Likeness>> {
    let (programme, options) = (Arc::clone(&event.programme), options.clone());
    parallel::start("likeness of sessions", &Stop::default(), move |stop| {
        Likeness::new(&programme, people, &options, stop)
    })
}

/// What every batch ranks with.
struct Shared {
    programme: Arc<Programme>,
    ids: Arc<Vec<pgrx::Uuid>>,
    interest: Arc<Vec<u32>>,
    weights: Arc<Option<ItemWeights>>,
    likeness: Arc<Likeness>,
}

impl Shared {
    fn new(event: &Event, weights: Option<ItemWeights>, likeness: Likeness) -> Self {
        Self {
            programme: Arc::clone(&event.programme),
            ids: Arc::clone(&event.ids),
            interest: Arc::clone(&event.interest),
            weights: Arc::new(weights),
            likeness: Arc::new(likeness),
        }
    }

    /// Starts to rank for some people and to pack the picks, all on the pool.
    fn rank(&self, people: Vec<Person>, options: Options, stop: &Stop) -> Outcome<Ranking> {
        let (programme, ids) = (Arc::clone(&self.programme), Arc::clone(&self.ids));
        let (interest, likeness) = (Arc::clone(&self.interest), Arc::clone(&self.likeness));
        let weights = Arc::clone(&self.weights);
        parallel::start("recommendations", stop, move |stop| {
            let weights = weights.as_ref().as_ref();
            let (interest, pack) = (Interest(&interest), |picks| cache::pack(&ids, picks));
            let (programme, likeness) = (&*programme, &*likeness);
            recommend_each(programme, likeness, &people, weights, interest, &options, stop, pack)
        })
    }
}

fn write(
    place: &Place<'_>,
    ids: Vec<pgrx::Uuid>,
    revs: Vec<i64>,
    picks: Vec<Vec<u8>>,
) -> Outcome<()> {
    const WRITE: &str = "
        INSERT INTO convene.recommendation_cache AS c
               (attendee_id, event_id, attendee_rev, fingerprint, valid_from, valid_until, picks, computed_at)
        SELECT w.id, $1, w.rev, pg_catalog.md5($2), $3, $4, w.picks, pg_catalog.now()
          FROM unnest($5::uuid[], $6::int8[], $7::bytea[]) w (id, rev, picks)
          JOIN convene.attendees a ON a.id = w.id
        ON CONFLICT (attendee_id) DO UPDATE
           SET event_id = excluded.event_id, attendee_rev = excluded.attendee_rev,
               fingerprint = excluded.fingerprint, valid_from = excluded.valid_from,
               valid_until = excluded.valid_until, picks = excluded.picks,
               computed_at = excluded.computed_at";
    db::execute(
        WRITE,
        &[
            place.event_id.into(),
            place.fingerprint.into(),
            moment(place.span.0).into(),
            moment(place.span.1).into(),
            ids.into(),
            revs.into(),
            picks.into(),
        ],
    )?;
    Ok(())
}
