//! Everybody who takes part in an event's networking, as features, kept per session of the server
//! while they say the same: reading thousands of rows costs more than scoring them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use convene_engine::networking::{Complements, Crowd, Profile, Role, Scorer, Stage, Weights};

use crate::db::{self, Row};
use crate::error::Outcome;
use crate::{parallel, settings};

/// Rows fetched at a time.
const CHUNK: i64 = 2_000;
/// From so many people on features are made on the pool.
const MANY: usize = 500;

/// The people of an event. A person is an index from here on; ids ascend with it.
pub struct Event {
    /// The event.
    pub id: pgrx::Uuid,
    /// Attendees.
    pub ids: Vec<pgrx::Uuid>,
    /// Their index by the person they are: the profile, or the attendee where none is known.
    pub by_person: HashMap<pgrx::Uuid, u32>,
    /// The person behind each.
    pub persons: Vec<pgrx::Uuid>,
    /// What they said.
    pub people: Vec<Profile>,
    /// Which offers meet which wants.
    pub complements: Complements,
    /// What scoring needs.
    pub crowd: Crowd,
    /// The weights for which the mean was computed, and the event's mean score.
    pub mean: (Weights, f64),
}

impl Event {
    /// The index of an attendee; `None` for somebody who does not take part.
    pub fn index(&self, attendee: pgrx::Uuid) -> Option<u32> {
        self.ids.binary_search(&attendee).ok().map(|at| at as u32)
    }

    fn bytes(&self) -> usize {
        self.crowd.bytes() + self.ids.len() * 600
    }
}

struct Kept {
    state: String,
    event: Arc<Event>,
}

thread_local! {
    /// Least recently used first.
    static CACHE: RefCell<Vec<Kept>> = const { RefCell::new(Vec::new()) };
}

/// The people of an event as the snapshot sees them: kept, or read and kept. Runs as the owner of
/// the data.
pub fn load(event_id: pgrx::Uuid, state: &str, weights: Weights) -> Outcome<Arc<Event>> {
    let kept = CACHE.with_borrow_mut(|cache| {
        let at = cache.iter().position(|kept| {
            kept.event.id == event_id && kept.state == state && kept.event.mean.0 == weights
        })?;
        let found = cache.remove(at);
        let event = Arc::clone(&found.event);
        cache.push(found);
        Some(event)
    });
    if let Some(event) = kept {
        return Ok(event);
    }
    let event = Arc::new(read(event_id, weights)?);
    keep(Kept { state: state.to_owned(), event: Arc::clone(&event) });
    Ok(event)
}

fn keep(kept: Kept) {
    let most = settings::programme_cache_bytes();
    if kept.event.bytes() > most {
        return;
    }
    CACHE.with_borrow_mut(|cache| {
        cache.retain(|old| old.event.id != kept.event.id);
        cache.push(kept);
        while cache.iter().map(|kept| kept.event.bytes()).sum::<usize>() > most {
            cache.remove(0);
        }
    });
}

/// Whoever said what they want from networking here, has not switched it off and has not cancelled.
const PEOPLE: &str = "
    SELECT a.id, coalesce(a.profile_id, a.id), n.looking_for, n.can_offer, n.industry, n.company_stage,
           n.role_category, n.years_experience, n.prefer_same_industry, n.prefer_complementary_skills,
           p.preferred_topics || p.industry_interests
      FROM convene.networking_preferences n
      JOIN convene.attendees a ON a.id = n.attendee_id
      LEFT JOIN convene.attendee_preferences p ON p.attendee_id = a.id AND p.event_id = $1
     WHERE n.event_id = $1 AND n.networking_enabled AND a.status NOT IN ('cancelled', 'no_show')
     ORDER BY a.id";

/// What an event says of a pair of words goes before what is said for all.
const COMPLEMENTS: &str = "
    SELECT g.looking_for, g.can_offer, g.strength::float8
      FROM convene.goal_complements g WHERE g.event_id = $1 OR g.event_id IS NULL
     ORDER BY g.event_id NULLS FIRST, g.looking_for, g.can_offer";

fn read(event_id: pgrx::Uuid, weights: Weights) -> Outcome<Event> {
    let complements = db::read(COMPLEMENTS, &[event_id.into()], |row| {
        Ok((row.want::<String>(1)?, row.want::<String>(2)?, row.want::<f64>(3)?))
    })?;
    let complements = Complements::new(complements);
    let (mut ids, mut persons, mut people) = (vec![], vec![], vec![]);
    db::stream(PEOPLE, &[event_id.into()], CHUNK, |row| {
        ids.push(row.want(1)?);
        persons.push(row.want(2)?);
        people.push(profile(row)?);
        Ok(())
    })?;
    let by_person = persons.iter().copied().zip(0..).collect();
    let (people, complements, crowd, mean) = features(people, complements, weights)?;
    Ok(Event {
        id: event_id,
        ids,
        by_person,
        persons,
        people,
        complements,
        crowd,
        mean: (weights, mean),
    })
}

fn features(
    people: Vec<Profile>,
    complements: Complements,
    weights: Weights,
) -> Outcome<(Vec<Profile>, Complements, Crowd, f64)> {
    let few = people.len() < MANY;
    let make = move || {
        let people = Profile::tidy_all(people);
        let crowd = Crowd::new(&people, &complements);
        let mean = Scorer::mean_of(&crowd, weights);
        (people, complements, crowd, mean)
    };
    if few {
        return Ok(make());
    }
    parallel::run("reading what people want", move |_| Ok(make()))
}

fn profile(row: &Row<'_>) -> Outcome<Profile> {
    let words = |at: usize| -> Outcome<Vec<String>> {
        Ok(row.get::<Vec<Option<String>>>(at)?.unwrap_or_default().into_iter().flatten().collect())
    };
    Ok(Profile {
        looking_for: words(3)?,
        can_offer: words(4)?,
        topics: words(11)?,
        industry: row.get(5)?,
        stage: row.get::<String>(6)?.as_deref().and_then(Stage::parse),
        role: row.get::<String>(7)?.as_deref().and_then(Role::parse),
        years: row.get::<i32>(8)?.map(|years| years.max(0) as u32),
        same_industry: row.want(9)?,
        complementary: row.want(10)?,
    })
}
