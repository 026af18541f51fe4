//! What a call for suggestions asks for, and what the event has set.

use convene_engine::networking::{Algorithm, Company, MetBefore, Weights};
use serde_json::Value;

use crate::auth::{self, Attendee};
use crate::db;
use crate::document::Document;
use crate::error::{Outcome, required, within};

/// The most suggestions that one call gives to the person themselves.
const MOST: i32 = 50;
/// The same for organizers and the service.
const MOST_FOR_ORGANIZERS: i32 = 500;

/// What a call asks for, checked.
pub struct Asked {
    /// For whom.
    pub attendee: Attendee,
    /// How many.
    pub limit: usize,
    /// Judged how.
    pub algorithm: Algorithm,
}

impl Asked {
    /// Checks rights first, then values.
    pub fn new(
        attendee_id: Option<pgrx::Uuid>,
        event_id: Option<pgrx::Uuid>,
        limit: Option<i32>,
        algorithm: Option<&str>,
    ) -> Outcome<Self> {
        let attendee = auth::attendee_of(attendee_id, event_id)?;
        let most = if attendee.own { MOST } else { MOST_FOR_ORGANIZERS };
        Ok(Self {
            attendee,
            limit: within(limit, 1, most, "p_limit")?,
            algorithm: Algorithm::parse(required(algorithm, "p_algorithm")?)?,
        })
    }
}

/// The versions of the rows that features are made of: two snapshots that see the same versions see
/// the same people saying the same. Then the event's weights and the settings.
const CONTEXT: &str = "
    SELECT (SELECT coalesce(pg_catalog.string_agg(r.shard::text || r.rev::text || r.xmin::text, ','
                            ORDER BY r.shard), '')
              FROM convene.event_revisions r WHERE r.kind = 'networking' AND r.event_id = $1) || '/' ||
           (SELECT pg_catalog.concat_ws(',', count(*), pg_catalog.sum(g.xmin::text::bigint),
                                        pg_catalog.max(g.xmin::text::bigint))
              FROM convene.goal_complements g WHERE g.event_id = $1 OR g.event_id IS NULL),
           (SELECT w.weights FROM convene.scoring_weights w
             WHERE w.surface = 'networking' AND w.is_active AND (w.event_id = $1 OR w.event_id IS NULL)
             ORDER BY w.event_id NULLS LAST LIMIT 1),
           (SELECT pg_catalog.jsonb_object_agg(t.key, CASE pg_catalog.jsonb_typeof(t.value)
                     WHEN 'number' THEN pg_catalog.to_jsonb(least(greatest(t.value::numeric, -1e300), 1e300))
                     WHEN 'string' THEN t.value END)
              FROM convene.settings t WHERE t.key LIKE 'networking.%')";

/// What the snapshot sees around an event.
pub struct Context {
    /// Versions of what people said.
    pub state: String,
    /// What each part of the hybrid counts.
    pub weights: Weights,
    settings: Value,
}

impl Context {
    /// Reads it. Runs as the owner of the data.
    pub fn read(event_id: pgrx::Uuid) -> Outcome<Self> {
        let read = db::read_one(CONTEXT, &[event_id.into()], |row| {
            let weights = match row.get::<Document>(2)? {
                Some(weights) => Weights::from_json(&weights.parse("weights")?)?,
                None => Weights::default(),
            };
            let settings = match row.get::<Document>(3)? {
                Some(settings) => settings.parse("a setting")?,
                None => Value::Null,
            };
            Ok(Self { state: row.want(1)?, weights, settings })
        })?;
        required(read, "the event's context")
    }

    fn setting(&self, key: &str) -> Option<f64> {
        self.settings.get(key).and_then(Value::as_f64)
    }

    /// From how many people on a reason draws on the contacts of others; a number below 10 is never
    /// named.
    pub fn company(&self) -> Company {
        Company {
            least: self.setting("networking.min_people").unwrap_or(5.0).max(1.0) as u32,
            named_from: self.setting("networking.min_people_shown").unwrap_or(10.0).max(10.0)
                as u32,
        }
    }

    /// What having met before does.
    pub fn met_before(&self) -> MetBefore {
        self.setting("networking.met_before")
            .map_or(MetBefore::Excludes, |share| MetBefore::Lowers(share.clamp(0.0, 1.0)))
    }
}
