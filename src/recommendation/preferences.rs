//! What attendees say about themselves.

use convene_engine::Error;
use pgrx::prelude::*;
use serde_json::Value;

use crate::auth;
use crate::db;
use crate::document::Document;
use crate::error::{Failure, OrRaise, Outcome, invalid, required};
use crate::owner::with_owner;

/// The most entries of one list.
const MOST_ENTRIES: usize = 200;
/// The most bytes of one entry, or of one free-form object.
const MOST_BYTES: usize = 10_000;
/// The levels of a person's skill.
const LEVELS: [&str; 4] = ["beginner", "intermediate", "advanced", "expert"];

/// What the value of a key must be.
#[derive(Clone, Copy)]
enum Shape {
    Texts,
    Ids,
    Level,
    Object,
    Flag,
}

/// Every key of the preferences, and the column of the same name.
const KEYS: [(&str, Shape); 10] = [
    ("preferred_topics", Shape::Texts),
    ("preferred_formats", Shape::Texts),
    ("industry_interests", Shape::Texts),
    ("skill_level", Shape::Level),
    ("browsed_sessions", Shape::Ids),
    ("bookmarked_sessions", Shape::Ids),
    ("attended_sessions", Shape::Ids),
    ("interaction_history", Shape::Object),
    ("notification_preferences", Shape::Object),
    ("recommendation_enabled", Shape::Flag),
];

/// Sets what is given and leaves the rest; the preferences as they then are.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn update_attendee_preferences(
    p_attendee_id: Option<pgrx::Uuid>,
    p_event_id: Option<pgrx::Uuid>,
    p_preferences: Option<Document>,
) -> Document {
    update(p_attendee_id, p_event_id, p_preferences).or_raise()
}

/// Absent keys keep the stored value: `$3 ? key` says whether one was sent, since null is a value.
const MAKE: &str = "
    INSERT INTO convene.attendee_preferences AS p (attendee_id, event_id) VALUES ($1, $2)
    ON CONFLICT (attendee_id, event_id) DO NOTHING";
const SET: &str = "
    UPDATE convene.attendee_preferences p
       SET preferred_topics = CASE WHEN $3 ? 'preferred_topics' THEN n.preferred_topics ELSE p.preferred_topics END,
           preferred_formats = CASE WHEN $3 ? 'preferred_formats' THEN n.preferred_formats ELSE p.preferred_formats END,
           industry_interests = CASE WHEN $3 ? 'industry_interests' THEN n.industry_interests ELSE p.industry_interests END,
           skill_level = CASE WHEN $3 ? 'skill_level' THEN n.skill_level ELSE p.skill_level END,
           browsed_sessions = CASE WHEN $3 ? 'browsed_sessions' THEN n.browsed_sessions ELSE p.browsed_sessions END,
           bookmarked_sessions = CASE WHEN $3 ? 'bookmarked_sessions' THEN n.bookmarked_sessions ELSE p.bookmarked_sessions END,
           attended_sessions = CASE WHEN $3 ? 'attended_sessions' THEN n.attended_sessions ELSE p.attended_sessions END,
           interaction_history = CASE WHEN $3 ? 'interaction_history' THEN n.interaction_history ELSE p.interaction_history END,
           notification_preferences = CASE WHEN $3 ? 'notification_preferences' THEN n.notification_preferences ELSE p.notification_preferences END,
           recommendation_enabled = CASE WHEN $3 ? 'recommendation_enabled' THEN n.recommendation_enabled ELSE p.recommendation_enabled END
      FROM pg_catalog.jsonb_to_record($3) AS n (
             preferred_topics text[], preferred_formats text[], industry_interests text[],
             skill_level text, browsed_sessions uuid[], bookmarked_sessions uuid[],
             attended_sessions uuid[], interaction_history jsonb, notification_preferences jsonb,
             recommendation_enabled boolean)
     WHERE p.attendee_id = $1 AND p.event_id = $2";
const STORED: &str = "
    SELECT pg_catalog.to_jsonb(p) - ARRAY['id', 'rev']
      FROM convene.attendee_preferences p WHERE p.attendee_id = $1 AND p.event_id = $2";

fn update(
    attendee_id: Option<pgrx::Uuid>,
    event_id: Option<pgrx::Uuid>,
    preferences: Option<Document>,
) -> Outcome<Document> {
    let attendee = auth::attendee_of(attendee_id, event_id)?;
    let preferences = required(preferences, "p_preferences")?;
    check_all(&preferences.parse("p_preferences")?)?;
    let ids = [attendee.id.into(), attendee.event_id.into()];
    with_owner(|| {
        db::execute(MAKE, &ids)?;
        db::execute(SET, &[attendee.id.into(), attendee.event_id.into(), preferences.into()])?;
        let stored = db::read_one(STORED, &ids, |row| row.want::<Document>(1))?;
        Ok(stored.unwrap_or_else(|| Document("null".to_owned())))
    })
}

fn check_all(preferences: &Value) -> Outcome<()> {
    let Value::Object(preferences) = preferences else {
        return invalid(
            "p_preferences must be a JSON object",
            format!("It is {}.", kind_of(preferences)),
            "Pass an object such as {\"preferred_topics\": [\"ai\"]}.",
        );
    };
    for (key, value) in preferences {
        let Some((_, shape)) = KEYS.iter().find(|(known, _)| known == key) else {
            return invalid(
                format!("p_preferences has the unknown key {key:?}"),
                "",
                format!("The keys are {}.", KEYS.map(|(known, _)| known).join(", ")),
            );
        };
        check(key, value, *shape)?;
    }
    Ok(())
}

fn check(key: &str, value: &Value, shape: Shape) -> Outcome<()> {
    match (shape, value) {
        (Shape::Texts, Value::Array(entries)) => check_entries(key, entries, |_| true, "text"),
        (Shape::Ids, Value::Array(entries)) => {
            // The server reads every form but that of a URN.
            let is_id =
                |text: &str| !text.starts_with("urn:") && uuid::Uuid::parse_str(text).is_ok();
            check_entries(key, entries, is_id, "UUID")
        }
        (Shape::Level, Value::Null) | (Shape::Flag, Value::Bool(_)) => Ok(()),
        (Shape::Level, Value::String(level)) if LEVELS.contains(&level.as_str()) => Ok(()),
        (Shape::Level, Value::String(level)) => invalid(
            format!("skill_level {level:?} is not known"),
            "",
            format!("Pass one of {}.", LEVELS.join(", ")),
        ),
        (Shape::Object, Value::Object(_)) if value.to_string().len() <= MOST_BYTES => Ok(()),
        (Shape::Object, Value::Object(_)) => {
            too_large(format!("{key} takes more than {MOST_BYTES} bytes"))
        }
        (_, other) => invalid(
            format!("{key} cannot be {}", kind_of(other)),
            "",
            format!("Pass {}.", expected(shape)),
        ),
    }
}

fn check_entries(
    key: &str,
    entries: &[Value],
    fits: impl Fn(&str) -> bool,
    what: &str,
) -> Outcome<()> {
    if entries.len() > MOST_ENTRIES {
        return too_large(format!("{key} has {} entries, more than {MOST_ENTRIES}", entries.len()));
    }
    for (at, entry) in entries.iter().enumerate() {
        match entry {
            Value::String(text) if text.len() > MOST_BYTES => {
                return too_large(format!("{key}[{at}] takes more than {MOST_BYTES} bytes"));
            }
            Value::String(text) if fits(text) => {}
            other => {
                return invalid(
                    format!("{key}[{at}] is {}, not a {what}", shown(other)),
                    "",
                    format!("Pass a list of {what}s."),
                );
            }
        }
    }
    Ok(())
}

fn shown(value: &Value) -> String {
    value.to_string().chars().take(60).collect()
}

fn too_large<T>(message: String) -> Outcome<T> {
    Err(Failure(Error::TooLarge { message, hint: "Send less.".into() }))
}

fn expected(shape: Shape) -> &'static str {
    match shape {
        Shape::Texts => "a list of texts",
        Shape::Ids => "a list of session ids",
        Shape::Level => "beginner, intermediate, advanced, expert or null",
        Shape::Object => "an object",
        Shape::Flag => "true or false",
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
