//! Everybody who takes part in an event's networking, as features, kept per session of the server
//! while they say the same: reading thousands of rows costs more than scoring them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use convene_engine::Stop;
use convene_engine::networking::{Complements, Crowd, Profile, Role, Scorer, Stage, Weights};

use crate::db::{self, Row};
use crate::error::Outcome;
use crate::parallel::{self, Job};
use crate::settings;

/// Rows fetched at a time.
const CHUNK: i64 = 2_000;
/// From so many people on features are made on the pool.
const MANY: usize = 500;

/// Who takes part in an event. A person is an index from here on; ids ascend with it.
pub struct Who {
    /// The event.
    pub event_id: pgrx::Uuid,
    /// Attendees.
    pub ids: Vec<pgrx::Uuid>,
    /// Their index by the person they are: the profile, or the attendee where none is known.
    pub by_person: HashMap<pgrx::Uuid, u32>,
    /// The person behind each.
    pub persons: Vec<pgrx::Uuid>,
}

impl Who {
    /// The index of an attendee; `None` for somebody who does not take part.
    pub fn index(&self, attendee: pgrx::Uuid) -> Option<u32> {
        self.ids.binary_search(&attendee).ok().map(|at| at as u32)
    }
}

/// The people of an event, and what they said.
pub struct Event {
    /// Who they are.
    pub who: Arc<Who>,
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
    fn new(
        who: Arc<Who>,
        people: Vec<Profile>,
        complements: Complements,
        weights: Weights,
    ) -> Self {
        let people = Profile::tidy_all(people);
        let crowd = Crowd::new(&people, &complements);
        let mean = (weights, Scorer::mean_of(&crowd, weights));
        Self { who, people, complements, crowd, mean }
    }

    fn bytes(&self) -> usize {
        self.crowd.bytes() + self.people.len() * 600
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

/// An event on its way: who takes part is known, what they said is being made features of.
pub struct Loading {
    /// Who they are.
    pub who: Arc<Who>,
    state: String,
    event: Made,
}

enum Made {
    /// Kept from before, or small.
    Here(Arc<Event>),
    /// On the pool.
    There(Job<Arc<Event>>),
}

impl Loading {
    /// The event, which is kept for the next time.
    pub fn wait(self) -> Outcome<Arc<Event>> {
        let event = match self.event {
            Made::Here(event) => event,
            Made::There(job) => job.wait()?,
        };
        keep(Kept { state: self.state, event: Arc::clone(&event) });
        Ok(event)
    }
}

/// The people of an event as the snapshot sees them: kept, or read. Runs as the owner of the data.
pub fn load(event_id: pgrx::Uuid, state: &str, weights: Weights) -> Outcome<Loading> {
    let same = |kept: &&Kept| {
        let event = &kept.event;
        event.who.event_id == event_id && kept.state == state && event.mean.0 == weights
    };
    let kept =
        CACHE.with_borrow(|cache| cache.iter().find(same).map(|kept| Arc::clone(&kept.event)));
    let (who, event) = match kept {
        Some(event) => (Arc::clone(&event.who), Made::Here(event)),
        None => read(event_id, weights)?,
    };
    Ok(Loading { who, state: state.to_owned(), event })
}

fn keep(kept: Kept) {
    let most = settings::programme_cache_bytes();
    if kept.event.bytes() > most {
        return;
    }
    CACHE.with_borrow_mut(|cache| {
        cache.retain(|old| old.event.who.event_id != kept.event.who.event_id);
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

fn read(event_id: pgrx::Uuid, weights: Weights) -> Outcome<(Arc<Who>, Made)> {
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
    let who = Arc::new(Who { event_id, ids, by_person, persons });
    let few = people.len() < MANY;
    let of_event = Arc::clone(&who);
    let make = move || Arc::new(Event::new(of_event, people, complements, weights));
    let event = if few {
        Made::Here(make())
    } else {
        let make = move |_: &Stop| Ok(make());
        Made::There(parallel::start("reading what people want", &Stop::default(), make)?)
    };
    Ok((who, event))
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
