//! Who takes part in peer matching at an event, packed for scoring and kept per session of the server
//! while it is unchanged.

use std::cell::RefCell;
use std::sync::Arc;

use convene_engine::pairs::Excluded;
use convene_engine::peers::{Contractor, Crowd, Families, Profile, Weights};

use crate::db::{self, Row};
use crate::document::Document;
use crate::error::Outcome;
use crate::settings;

/// Rows fetched at a time.
const CHUNK: i64 = 1_000;

/// The contractors of an event who may be matched.
pub struct People {
    /// The event.
    pub event_id: pgrx::Uuid,
    /// Ids in ascending order: the engine's index is the position here.
    pub ids: Vec<pgrx::Uuid>,
    /// In words, for parts and reasons.
    pub contractors: Vec<Contractor>,
    /// Packed, with the weights of the event.
    pub crowd: Crowd,
}

impl People {
    /// The index of a contractor; `None` for one who takes no part.
    pub fn index(&self, id: pgrx::Uuid) -> Option<usize> {
        self.ids.binary_search(&id).ok()
    }

    /// Pairs of ids that must not be, by index.
    pub fn excluded(&self, pairs: &[(pgrx::Uuid, pgrx::Uuid)]) -> Excluded {
        let index = |id: pgrx::Uuid| self.index(id).map(|at| at as u32);
        let pairs = pairs.iter().filter_map(|(a, b)| Some((index(*a)?, index(*b)?)));
        Excluded::new(self.ids.len(), pairs)
    }

    fn bytes(&self) -> usize {
        let words: usize = self.contractors.iter().map(Contractor::bytes).sum();
        words + self.crowd.bytes() + self.ids.len() * size_of::<pgrx::Uuid>()
    }
}

/// What everything here depends on, as precisely as versions of rows can say: two snapshots that see
/// the same versions see the same people, whoever committed or rolled back in between.
const STATE: &str = "
    SELECT (SELECT coalesce(pg_catalog.string_agg(r.shard::text || r.rev::text || r.xmin::text, ','
                            ORDER BY r.shard), '')
              FROM convene.event_revisions r WHERE r.kind = 'peers' AND r.event_id = $1)
           || (SELECT ' ' || count(*) || ' ' || coalesce(sum(f.xmin::text::int8), 0)
                 FROM convene.service_families f),
           (SELECT w.weights FROM convene.scoring_weights w
             WHERE w.surface = 'peers' AND w.is_active
               AND (w.event_id = $1 OR w.event_id IS NULL)
             ORDER BY w.event_id NULLS LAST LIMIT 1)";

thread_local! {
    /// State and people, least recently used first.
    static CACHE: RefCell<Vec<(String, Arc<People>)>> = const { RefCell::new(Vec::new()) };
}

/// The people of an event as the snapshot sees them: kept, or read and kept. Runs as the owner of the
/// data.
pub fn load(event_id: pgrx::Uuid) -> Outcome<Arc<People>> {
    let state = db::read_one(STATE, &[event_id.into()], |row| {
        Ok((row.want::<String>(1)?, row.get::<Document>(2)?))
    })?;
    let (version, weights) = state.unwrap_or_default();
    let key = format!("{version} {}", weights.as_ref().map_or("", |w| w.0.as_str()));
    let kept = CACHE.with_borrow_mut(|cache| {
        let at = cache.iter().position(|(k, p)| p.event_id == event_id && *k == key)?;
        let found = cache.remove(at);
        let people = Arc::clone(&found.1);
        cache.push(found);
        Some(people)
    });
    if let Some(people) = kept {
        return Ok(people);
    }
    let people = Arc::new(read(event_id, parsed(weights)?)?);
    keep(key, &people);
    Ok(people)
}

fn keep(key: String, people: &Arc<People>) {
    let room = settings::programme_cache_bytes();
    CACHE.with_borrow_mut(|cache| {
        cache.retain(|(_, kept)| kept.event_id != people.event_id);
        cache.push((key, Arc::clone(people)));
        let mut used: usize = cache.iter().map(|(_, kept)| kept.bytes()).sum();
        while used > room && !cache.is_empty() {
            used -= cache.remove(0).1.bytes();
        }
    });
}

fn parsed(weights: Option<Document>) -> Outcome<Weights> {
    match weights {
        Some(weights) => Ok(Weights::from_json(&weights.parse("weights of scoring_weights")?)?),
        None => Ok(Weights::default()),
    }
}

/// The weights that hold for every event without its own.
pub fn shared_weights() -> Outcome<Weights> {
    const SHARED: &str = "
        SELECT w.weights FROM convene.scoring_weights w
         WHERE w.surface = 'peers' AND w.is_active AND w.event_id IS NULL";
    parsed(db::read_one(SHARED, &[], |row| row.get::<Document>(1))?.flatten())
}

/// The weights of an event: its own, else those for every event.
pub fn event_weights(event_id: pgrx::Uuid) -> Outcome<Weights> {
    const WEIGHTS: &str = "
        SELECT w.weights FROM convene.scoring_weights w
         WHERE w.surface = 'peers' AND w.is_active
           AND (w.event_id = $1 OR w.event_id IS NULL)
         ORDER BY w.event_id NULLS LAST LIMIT 1";
    parsed(db::read_one(WEIGHTS, &[event_id.into()], |row| row.get::<Document>(1))?.flatten())
}

/// The columns that contractors are compared by, after the id.
macro_rules! compared {
    () => {
        "c.id, c.focus_areas, c.services_offered, c.city, c.state, c.revenue_tier, c.team_size,
         c.years_in_business, c.technology_stack, c.disc_style"
    };
}
pub(super) use compared;

/// Those who agreed, whose registration stands, and who can be written to.
const PEOPLE: &str = concat!(
    "SELECT ",
    compared!(),
    " FROM convene.event_attendees ea
      JOIN convene.contractors c ON c.id = ea.contractor_id
      LEFT JOIN convene.attendees a ON a.id = ea.attendee_id
     WHERE ea.event_id = $1 AND ea.peer_matching_opt_in AND c.messages_stopped_at IS NULL
       AND coalesce(a.status NOT IN ('cancelled', 'no_show'), true)
     ORDER BY c.id"
);

fn read(event_id: pgrx::Uuid, weights: Weights) -> Outcome<People> {
    let families = families()?;
    let (mut ids, mut contractors) = (Vec::new(), Vec::new());
    db::stream(PEOPLE, &[event_id.into()], CHUNK, |row| {
        ids.push(row.want(1)?);
        contractors.push(contractor(row, &families)?);
        Ok(())
    })?;
    let crowd = Crowd::new(&contractors, weights);
    Ok(People { event_id, ids, contractors, crowd })
}

/// Which services are near to one another.
pub fn families() -> Outcome<Families> {
    const FAMILIES: &str = "
        SELECT f.service, f.family FROM convene.service_families f ORDER BY f.family, f.service";
    Ok(Families::new(db::read(FAMILIES, &[], |row| Ok((row.want(1)?, row.want(2)?)))?))
}

/// A row of `compared!()` columns.
pub fn contractor(row: &Row<'_>, families: &Families) -> Outcome<Contractor> {
    let list = |ordinal| -> Outcome<Vec<String>> {
        Ok(row.want::<Vec<Option<String>>>(ordinal)?.into_iter().flatten().collect())
    };
    let count = |ordinal| -> Outcome<Option<u32>> {
        Ok(row.get::<i32>(ordinal)?.map(|count| count.max(0) as u32))
    };
    let profile = Profile {
        focus_areas: list(2)?,
        services: list(3)?,
        city: row.get(4)?,
        state: row.get(5)?,
        revenue_tier: row.get(6)?,
        team_size: count(7)?,
        years_in_business: count(8)?,
        technology_stack: list(9)?,
        disc_style: row.get(10)?,
    };
    Ok(Contractor::new(&profile, families))
}
