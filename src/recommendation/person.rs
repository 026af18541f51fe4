//! What is known of an attendee, in one query.

use std::collections::HashSet;

use convene_engine::recommendation::{
    Algorithm, Kind, Neighbours, Options, Person, Signal, WeightSet,
};
use convene_engine::text;
use pgrx::prelude::*;
use serde_json::Value;

use crate::db::{self, Row};
use crate::document::Document;
use crate::error::Outcome;
use crate::moments::micros;
use crate::programme::{Event, State, state_sql};

/// What makes an answer kept in the cache stale, apart from the attendee's own `rev`: the programme,
/// the counts of interest, the learned weights, the fusion weights and the settings.
macro_rules! context_sql {
    ($event:literal) => {
        concat!(
            state_sql!($event),
            ",
             (SELECT coalesce(pg_catalog.max(extract(epoch FROM m.trained_at)::text || m.xmin::text), '')
                FROM convene.recommendation_models m WHERE m.event_id = ",
            $event,
            "),
             (SELECT w.weights FROM convene.scoring_weights w
               WHERE w.surface = 'recommendations' AND w.is_active
                 AND (w.event_id = ",
            $event,
            " OR w.event_id IS NULL)
               ORDER BY w.event_id NULLS LAST LIMIT 1),
             (SELECT pg_catalog.jsonb_object_agg(t.key, CASE pg_catalog.jsonb_typeof(t.value)
                       WHEN 'number' THEN pg_catalog.to_jsonb(least(greatest(t.value::numeric, -1e300), 1e300))
                       WHEN 'string' THEN t.value WHEN 'boolean' THEN t.value END ORDER BY t.key)
                FROM convene.settings t
               WHERE t.key LIKE 'recommendation.%' OR t.key LIKE 'agenda.%')"
        )
    };
}

/// What the snapshot sees around an event.
pub struct Context {
    /// Versions of the programme and of the counts of interest.
    pub state: State,
    /// Version of the learned weights.
    trained: String,
    weights: Option<Document>,
    settings: Value,
}

impl Context {
    /// Reads the five columns of `context_sql!` from the ordinal `from` on.
    pub fn from_row(row: &Row<'_>, from: usize) -> Outcome<Self> {
        Ok(Self {
            state: State { programme: row.want(from)?, interest: row.want(from + 1)? },
            trained: row.want(from + 2)?,
            weights: row.get(from + 3)?,
            settings: match row.get::<Document>(from + 4)? {
                Some(settings) => settings.parse("a setting")?,
                None => Value::Null,
            },
        })
    }

    /// The context of an event by itself. Runs as the owner of the data.
    pub fn read(event_id: pgrx::Uuid) -> Outcome<Self> {
        const CONTEXT: &str = concat!("SELECT ", context_sql!("$1"));
        match db::read_one(CONTEXT, &[event_id.into()], |row| Self::from_row(row, 1))? {
            Some(context) => Ok(context),
            None => Err(crate::error::not_found("event", event_id)),
        }
    }

    /// Names everything that an answer depends on beside the attendee.
    pub fn fingerprint(&self) -> String {
        format!(
            "{}|{}|{}|{}|{}|{}",
            crate::install::VERSION,
            self.state.programme,
            self.state.interest,
            self.trained,
            self.weights.as_ref().map_or("", |weights| weights.0.as_str()),
            self.settings,
        )
    }

    fn number(&self, key: &str) -> Option<f64> {
        self.settings.get(key).and_then(Value::as_f64)
    }

    /// The setting, or what it is by default.
    pub fn setting(&self, key: &str, default: f64) -> f64 {
        self.number(key).unwrap_or(default)
    }

    /// The text of a setting, or what it is by default.
    pub fn text_setting<'a>(&'a self, key: &str, default: &'a str) -> &'a str {
        self.settings.get(key).and_then(Value::as_str).unwrap_or(default)
    }

    /// How much each source counts at this event.
    pub fn weights(&self) -> Outcome<WeightSet> {
        match &self.weights {
            Some(weights) => {
                Ok(WeightSet::from_json(&weights.parse("weights of scoring_weights")?)?)
            }
            None => Ok(WeightSet::default()),
        }
    }

    /// How the engine is to rank.
    pub fn options(&self, limit: usize, algorithm: Algorithm, now: i64) -> Outcome<Options> {
        let defaults = Options::default();
        Ok(Options {
            limit,
            algorithm,
            now,
            weights: self.weights()?,
            mmr_lambda: self.setting("recommendation.mmr_lambda", defaults.mmr_lambda),
            half_life_days: self.number("recommendation.half_life_days").filter(|days| *days > 0.0),
            ..defaults
        })
    }

    /// How many distinct people must stand behind a reason drawn from others' behaviour.
    pub fn min_people(&self) -> u32 {
        self.setting("recommendation.min_people", 5.0).max(1.0) as u32
    }

    /// From how many people up such a reason names their number; never below what the engine says.
    pub fn min_people_shown(&self) -> u32 {
        self.setting("recommendation.min_people_shown", 10.0).max(1.0) as u32
    }
}

/// One interaction as it is stored.
pub struct Stored {
    session: pgrx::Uuid,
    kind: Kind,
    value: Option<f32>,
    at: i64,
}

/// What is known of an attendee, before sessions become indices of a programme.
pub struct Known {
    /// Whether they want recommendations at all.
    pub enabled: bool,
    /// Counts changes of preferences and interactions.
    pub rev: i64,
    topics: Vec<String>,
    formats: Vec<String>,
    industries: Vec<String>,
    skill: Option<String>,
    interactions: Vec<Stored>,
    dismissed: Vec<pgrx::Uuid>,
    /// The event around them.
    pub context: Context,
}

const KNOWN: &str = concat!(
    "SELECT coalesce(p.recommendation_enabled, true), coalesce(p.rev, 0),
            p.preferred_topics, p.preferred_formats, p.industry_interests, p.skill_level,
            i.sessions, i.kinds, i.values, i.moments, d.sessions, ",
    context_sql!("$2"),
    " FROM (SELECT 1) one
      LEFT JOIN convene.attendee_preferences p ON p.attendee_id = $1 AND p.event_id = $2
      CROSS JOIN LATERAL (
        SELECT pg_catalog.array_agg(x.session_id) AS sessions, pg_catalog.array_agg(x.kind) AS kinds,
               pg_catalog.array_agg(x.value::float4) AS values, pg_catalog.array_agg(x.at) AS moments
          FROM convene.session_interactions x WHERE x.attendee_id = $1) i
      CROSS JOIN LATERAL (
        SELECT pg_catalog.array_agg(h.recommended_item_id) AS sessions
          FROM convene.recommendation_history h
         WHERE h.attendee_id = $1 AND h.dismissed AND h.recommended_item_type = 'session') d"
);

/// What is known of an attendee of an event. Runs as the owner of the data.
pub fn known(attendee: pgrx::Uuid, event: pgrx::Uuid) -> Outcome<Known> {
    let found = db::read_one(KNOWN, &[attendee.into(), event.into()], |row| {
        Ok(Known {
            enabled: row.want(1)?,
            rev: row.want(2)?,
            topics: texts(row, 3)?,
            formats: texts(row, 4)?,
            industries: texts(row, 5)?,
            skill: row.get(6)?,
            interactions: stored(row, 7)?,
            dismissed: row.get::<Vec<pgrx::Uuid>>(11)?.unwrap_or_default(),
            context: Context::from_row(row, 12)?,
        })
    })?;
    found.ok_or_else(|| crate::error::not_found("attendee", attendee))
}

/// Gives the person the native embedding of the interests that they stated: the one model that can
/// be asked without anything attached, and whose vectors are compared with its own only.
pub fn embed_interests(person: &mut Person) {
    let stated: Vec<&str> =
        person.topics.iter().chain(&person.industries).map(String::as_str).collect();
    if !stated.is_empty() {
        person.topic_vectors.push((text::MODEL.to_owned(), text::embed(&stated.join(". "))));
    }
}

/// An array of texts; a null array or element is nothing.
pub fn texts(row: &Row<'_>, ordinal: usize) -> Outcome<Vec<String>> {
    let values = row.get::<Vec<Option<String>>>(ordinal)?.unwrap_or_default();
    Ok(values.into_iter().flatten().collect())
}

/// Four parallel arrays: sessions, kinds, values, moments.
pub fn stored(row: &Row<'_>, from: usize) -> Outcome<Vec<Stored>> {
    let sessions = row.get::<Vec<pgrx::Uuid>>(from)?.unwrap_or_default();
    let kinds = row.get::<Vec<String>>(from + 1)?.unwrap_or_default();
    let values = row.get::<Vec<Option<f32>>>(from + 2)?.unwrap_or_default();
    let moments = row.get::<Vec<TimestampWithTimeZone>>(from + 3)?.unwrap_or_default();
    sessions
        .into_iter()
        .zip(kinds)
        .zip(values)
        .zip(moments)
        .map(|(((session, kind), value), at)| {
            Ok(Stored { session, kind: Kind::parse(&kind)?, value, at: micros(at) })
        })
        .collect()
}

impl Known {
    /// The person as the engine knows one. What belongs to no session of the programme is left out.
    pub fn person(&self, event: &Event) -> Person {
        let mut person = Person {
            topics: self.topics.clone(),
            formats: self.formats.clone(),
            industries: self.industries.clone(),
            skill: self.skill.clone(),
            signals: self
                .interactions
                .iter()
                .filter_map(|i| {
                    let session = event.index(i.session)?;
                    Some(Signal { session, kind: i.kind, value: i.value, at: i.at })
                })
                .collect(),
            dismissed: self.dismissed.iter().filter_map(|id| event.index(*id)).collect(),
            topic_vectors: vec![],
        };
        if event.programme.has_model(text::MODEL) {
            embed_interests(&mut person);
        }
        person
    }

    /// The sessions that the attendee chose or rated well, and did not rate badly.
    pub fn liked(&self) -> Vec<pgrx::Uuid> {
        let stars = |i: &Stored| i.value.filter(|_| i.kind == Kind::Rated);
        let hated: Vec<pgrx::Uuid> = (self.interactions.iter())
            .filter(|i| stars(i).is_some_and(|stars| stars < 3.0))
            .map(|i| i.session)
            .collect();
        self.interactions
            .iter()
            .filter(|i| match i.kind {
                Kind::Bookmarked | Kind::Attended => !hated.contains(&i.session),
                Kind::Rated => stars(i).is_some_and(|stars| stars > 3.0),
                Kind::Browsed => false,
            })
            .map(|i| i.session)
            .collect()
    }

    /// The sessions that the attendee bookmarked.
    pub fn bookmarked(&self) -> Vec<pgrx::Uuid> {
        let bookmarks = self.interactions.iter().filter(|i| i.kind == Kind::Bookmarked);
        bookmarks.map(|i| i.session).collect()
    }

    /// How many sessions the attendee has had to do with.
    pub fn distinct_sessions(&self) -> usize {
        let distinct: HashSet<pgrx::Uuid> = self.interactions.iter().map(|i| i.session).collect();
        distinct.len()
    }

    /// The sessions that the attendee has had to do with.
    pub fn sessions(&self) -> Vec<pgrx::Uuid> {
        self.interactions.iter().map(|i| i.session).collect()
    }
}

/// The learned neighbours of sessions, as the engine's indices. Runs as the owner of the data.
pub fn neighbours(event: &Event, sessions: &[pgrx::Uuid]) -> Outcome<Vec<Neighbours>> {
    const NEIGHBOURS: &str = "
        SELECT session_id, neighbour_ids, weights FROM convene.session_weights
         WHERE event_id = $1 AND session_id = ANY ($2)";
    if sessions.is_empty() {
        return Ok(vec![]);
    }
    let rows = db::read(NEIGHBOURS, &[event.id.into(), sessions.to_vec().into()], |row| {
        let ids = row.want::<Vec<pgrx::Uuid>>(2)?;
        let weights = row.want::<Vec<f32>>(3)?;
        let (to, weight) = ids
            .iter()
            .zip(weights)
            .filter_map(|(id, weight)| Some((event.index(*id)?, weight)))
            .unzip();
        Ok(event.index(row.want(1)?).map(|source| Neighbours { source, to, weight }))
    })?;
    Ok(rows.into_iter().flatten().collect())
}
