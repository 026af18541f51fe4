//! Everybody who attends an event, read in three queries whatever their number.

use std::collections::HashMap;

use convene_engine::recommendation::{Kind, Person, Signal};
use convene_engine::text;
use pgrx::prelude::*;

use super::person::texts;
use crate::db;
use crate::error::Outcome;
use crate::moments::micros;
use crate::programme::Event;

/// Attendees fetched at a time.
const CHUNK: i64 = 5000;

/// The attendees of an event, in ascending order of their ids.
#[derive(Default)]
pub struct Crowd {
    /// Their ids.
    pub ids: Vec<pgrx::Uuid>,
    /// The count of changes of each, as of before their interactions were read: a change in between
    /// makes what is computed from them look old, never new.
    pub revs: Vec<i64>,
    /// Whether each still comes and wants recommendations.
    pub enabled: Vec<bool>,
    /// What is known of each.
    pub people: Vec<Person>,
}

const PEOPLE: &str = "
    SELECT a.id, a.status <> 'cancelled' AND coalesce(p.recommendation_enabled, true),
           coalesce(p.rev, 0),
           p.preferred_topics, p.preferred_formats, p.industry_interests, p.skill_level
      FROM convene.attendees a
      LEFT JOIN convene.attendee_preferences p ON p.attendee_id = a.id AND p.event_id = a.event_id
     WHERE a.event_id = $1 ORDER BY a.id";

/// In few large arrays: a row each would cost more than everything that is done with them.
const LEDGER: &str = "
    SELECT pg_catalog.array_agg(x.attendee_id), pg_catalog.array_agg(x.session_id),
           pg_catalog.array_agg(CASE x.kind WHEN 'browsed' THEN 0 WHEN 'bookmarked' THEN 1
                                            WHEN 'attended' THEN 2 ELSE 3 END),
           pg_catalog.array_agg(coalesce(x.value::float4, 0::float4)), pg_catalog.array_agg(x.at)
      FROM convene.session_interactions x WHERE x.event_id = $1";

const DISMISSED: &str = "
    SELECT h.attendee_id, h.recommended_item_id FROM convene.recommendation_history h
     WHERE h.event_id = $1 AND h.dismissed AND h.recommended_item_type = 'session'";

/// Reads the attendees of an event. Runs as the owner of the data.
pub fn read(event: &Event) -> Outcome<Crowd> {
    let mut crowd = Crowd::default();
    let native = event.programme.has_model(text::MODEL);
    db::stream(PEOPLE, &[event.id.into()], CHUNK, |row| {
        crowd.ids.push(row.want(1)?);
        crowd.enabled.push(row.want(2)?);
        crowd.revs.push(row.want(3)?);
        let mut person = Person {
            topics: texts(row, 4)?,
            formats: texts(row, 5)?,
            industries: texts(row, 6)?,
            skill: row.get(7)?,
            ..Person::default()
        };
        if native {
            super::person::embed_interests(&mut person);
        }
        crowd.people.push(person);
        Ok(())
    })?;
    add_interactions(&mut crowd, event)?;
    add_dismissed(&mut crowd, event)?;
    Ok(crowd)
}

fn add_interactions(crowd: &mut Crowd, event: &Event) -> Outcome<()> {
    let read = db::read_one(LEDGER, &[event.id.into()], |row| {
        Ok((
            row.get::<Vec<pgrx::Uuid>>(1)?.unwrap_or_default(),
            row.get::<Vec<pgrx::Uuid>>(2)?.unwrap_or_default(),
            row.get::<Vec<i32>>(3)?.unwrap_or_default(),
            row.get::<Vec<f32>>(4)?.unwrap_or_default(),
            row.get::<Vec<TimestampWithTimeZone>>(5)?.unwrap_or_default(),
        ))
    })?;
    let Some((attendees, sessions, kinds, values, moments)) = read else { return Ok(()) };
    for at in 0..attendees.len() {
        let (Ok(who), Some(session)) =
            (crowd.ids.binary_search(&attendees[at]), event.index(sessions[at]))
        else {
            continue;
        };
        let kind = Kind::ALL[kinds[at].clamp(0, 3) as usize];
        let value = (kind == Kind::Rated).then_some(values[at]);
        crowd.people[who].signals.push(Signal { session, kind, value, at: micros(moments[at]) });
    }
    Ok(())
}

fn add_dismissed(crowd: &mut Crowd, event: &Event) -> Outcome<()> {
    let rows = db::read(DISMISSED, &[event.id.into()], |row| {
        Ok((row.want::<pgrx::Uuid>(1)?, row.want::<pgrx::Uuid>(2)?))
    })?;
    let mut dismissed: HashMap<pgrx::Uuid, Vec<u32>> = HashMap::new();
    for (who, session) in rows {
        dismissed.entry(who).or_default().extend(event.index(session));
    }
    for (who, sessions) in dismissed {
        if let Ok(at) = crowd.ids.binary_search(&who) {
            crowd.people[at].dismissed = sessions;
        }
    }
    Ok(())
}
