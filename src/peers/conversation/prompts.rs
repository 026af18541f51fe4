//! When people of an event are best asked.

use pgrx::prelude::*;

use super::places;
use crate::auth;
use crate::error::{OrRaise, Outcome};
use crate::moments::moment;
use crate::owner::with_owner;

/// The moments at which introductions of an event are best made.
#[pg_extern(stable, parallel_restricted)]
#[search_path(pg_catalog, pg_temp)]
fn suggested_prompt_times(
    p_event_id: Option<pgrx::Uuid>,
) -> TableIterator<
    'static,
    (
        name!(prompt_at, TimestampWithTimeZone),
        name!(context, String),
        name!(location, Option<String>),
        name!(message, String),
    ),
> {
    TableIterator::new(suggest(p_event_id).or_raise())
}

type Suggested = (TimestampWithTimeZone, String, Option<String>, String);

fn suggest(event_id: Option<pgrx::Uuid>) -> Outcome<Vec<Suggested>> {
    let event = auth::managed_event(event_id)?;
    let mut events = with_owner(|| places::of_events(&[event]))?;
    let times = events.remove(&event).unwrap_or_default();
    Ok(times
        .into_iter()
        .map(|time| {
            (
                moment(time.at),
                time.context.name().to_owned(),
                time.location,
                time.message.to_owned(),
            )
        })
        .collect())
}
