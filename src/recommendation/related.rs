//! What goes with the person's taste beside sessions: material of the event and its exhibitors.

use convene_engine::recommendation::{Algorithm, Interest, Kind, Options, scores};
use convene_engine::related::{Item, Link, Related, relate};
use pgrx::prelude::*;

use super::person::{known, neighbours};
use super::sessions::score_numeric;
use crate::auth::{self, Attendee};
use crate::db::{self, Row};
use crate::error::{OrRaise, Outcome, within};
use crate::owner::with_owner;
use crate::programme::{self, Event};

/// The most items that one call gives.
const MOST: i32 = 100;
/// Downloads below which nothing is called popular: as many people could be counted on one hand.
const POPULAR_FROM: u32 = 5;

/// Something with an id, a name and perhaps a kind, as an item of the engine.
struct Candidate {
    id: pgrx::Uuid,
    name: String,
    kind: Option<String>,
    item: Item,
}

/// Material that suits an attendee.
#[pg_extern(stable, parallel_restricted)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // The columns of the result are the signature.
fn get_content_recommendations(
    p_attendee_id: Option<pgrx::Uuid>,
    p_event_id: Option<pgrx::Uuid>,
    p_limit: default!(Option<i32>, "10"),
) -> TableIterator<
    'static,
    (
        name!(material_id, pgrx::Uuid),
        name!(material_title, String),
        name!(material_type, Option<String>),
        name!(similarity_score, AnyNumeric),
        name!(recommendation_reason, String),
        name!(score_parts, pgrx::JsonB),
    ),
> {
    let found = content(p_attendee_id, p_event_id, p_limit).or_raise();
    TableIterator::new(found.into_iter().map(|(candidate, related, reason)| {
        let parts = pgrx::JsonB(related.parts_json());
        let score = score_numeric(related.score);
        (candidate.id, candidate.name, candidate.kind, score, reason, parts)
    }))
}

/// Exhibitors that suit an attendee.
#[pg_extern(stable, parallel_restricted)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // The columns of the result are the signature.
fn get_exhibitor_recommendations(
    p_attendee_id: Option<pgrx::Uuid>,
    p_event_id: Option<pgrx::Uuid>,
    p_limit: default!(Option<i32>, "10"),
) -> TableIterator<
    'static,
    (
        name!(sponsor_id, pgrx::Uuid),
        name!(company_name, String),
        name!(similarity_score, AnyNumeric),
        name!(recommendation_reason, String),
        name!(score_parts, pgrx::JsonB),
    ),
> {
    let found = exhibitors(p_attendee_id, p_event_id, p_limit).or_raise();
    TableIterator::new(found.into_iter().map(|(candidate, related, reason)| {
        let parts = pgrx::JsonB(related.parts_json());
        (candidate.id, candidate.name, score_numeric(related.score), reason, parts)
    }))
}

type Found = Vec<(Candidate, Related, String)>;

/// Material that the attendee may open: who cancelled opens what everybody may.
const MATERIAL: &str = "
    SELECT m.id, m.title, m.material_type, pg_catalog.concat_ws('. ', m.title, m.description),
           m.tags || coalesce(ARRAY[m.category], '{}'), m.session_id, m.download_count
      FROM convene.event_materials m
     WHERE m.event_id = $1
       AND (m.access_level = 'public' OR (m.access_level = 'attendees_only' AND EXISTS (
             SELECT FROM convene.attendees a WHERE a.id = $2 AND a.status <> 'cancelled')))
     ORDER BY m.id";

fn content(
    attendee_id: Option<pgrx::Uuid>,
    event_id: Option<pgrx::Uuid>,
    limit: Option<i32>,
) -> Outcome<Found> {
    let attendee = auth::attendee_of(attendee_id, event_id)?;
    let limit = within(limit, 1, MOST, "p_limit")?;
    rank(attendee, limit, |event| {
        db::read(MATERIAL, &[event.id.into(), attendee.id.into()], |row| {
            let session = row.get::<pgrx::Uuid>(6)?.and_then(|id| event.index(id));
            let taken = row.want::<i32>(7)?.max(0) as u32;
            candidate(row, session, Some(taken))
        })
    })
}

/// Sponsors that take part in the event: signed for it, or of the market with a sponsorship that
/// stands.
const EXHIBITORS: &str = "
    SELECT s.id, s.company_name, NULL::text,
           pg_catalog.concat_ws('. ', s.company_name, s.industry, pg_catalog.array_to_string(s.tags, ' ')),
           s.tags || coalesce(ARRAY[s.industry], '{}')
      FROM convene.sponsors s
     WHERE s.id = ANY (ARRAY(
             SELECT o.id FROM convene.sponsors o
              WHERE o.event_id = $1 AND o.status IN ('contracted', 'active', 'fulfilled')
                AND o.fulfilment_status <> 'cancelled'
             UNION SELECT p.sponsor_id FROM convene.event_sponsorships p
              WHERE p.event_id = $1 AND p.status IN ('confirmed', 'active', 'completed')))
     ORDER BY s.id";

fn exhibitors(
    attendee_id: Option<pgrx::Uuid>,
    event_id: Option<pgrx::Uuid>,
    limit: Option<i32>,
) -> Outcome<Found> {
    let attendee = auth::attendee_of(attendee_id, event_id)?;
    let limit = within(limit, 1, MOST, "p_limit")?;
    rank(attendee, limit, |event| {
        db::read(EXHIBITORS, &[event.id.into()], |row| candidate(row, None, None))
    })
}

fn candidate(row: &Row<'_>, session: Option<u32>, taken: Option<u32>) -> Outcome<Candidate> {
    let topics: Vec<Option<String>> = row.want(5)?;
    Ok(Candidate {
        id: row.want(1)?,
        name: row.want(2)?,
        kind: row.get(3)?,
        item: Item {
            text: row.want(4)?,
            topics: topics.into_iter().flatten().collect(),
            session,
            taken,
        },
    })
}

fn rank(
    attendee: Attendee,
    limit: usize,
    candidates: impl FnOnce(&Event) -> Outcome<Vec<Candidate>>,
) -> Outcome<Found> {
    with_owner(|| {
        let known = known(attendee.id, attendee.event_id)?;
        if !known.enabled {
            return Ok(vec![]);
        }
        let event = programme::load(attendee.event_id, &known.context.state)?;
        let candidates = candidates(&event)?;
        let person = known.person(&event);
        // Nothing here may depend on the clock, which no caller can set.
        let options =
            Options { half_life_days: None, ..known.context.options(limit, Algorithm::Hybrid, 0)? };
        let learned = neighbours(&event, &known.sessions())?;
        let interest = Interest(&event.interest);
        let suits = scores(&event.programme, &person, &learned, interest, &options);
        let items: Vec<Item> = candidates.iter().map(|c| c.item.clone()).collect();
        let related = relate(&event.programme, &person, &suits, &items, limit);
        let mut candidates: Vec<Option<Candidate>> = candidates.into_iter().map(Some).collect();
        Ok(related
            .into_iter()
            .filter_map(|related| {
                let candidate = candidates[related.item].take()?;
                let reason = reason(&related.link, &candidate.item, &event);
                Some((candidate, related, reason))
            })
            .collect())
    })
}

fn reason(link: &Link, item: &Item, event: &Event) -> String {
    match link {
        Link::Chosen { session, kind } => {
            let did = match kind {
                Kind::Browsed => "looked at",
                Kind::Bookmarked => "bookmarked",
                Kind::Attended => "attended",
                Kind::Rated => "rated highly",
            };
            format!("Part of \"{}\", which you {did}", event.title(*session))
        }
        Link::Topics { matched } => format!("Matches your interest in {}", matched.join(", ")),
        Link::Suited { session } => {
            format!("Part of \"{}\", which may suit you", event.title(*session))
        }
        Link::Text => "Close to what you are interested in".to_owned(),
        Link::Popular if item.taken.is_some_and(|taken| taken >= POPULAR_FROM) => "Popular".into(),
        Link::Popular | Link::Listed => "Part of the event".to_owned(),
    }
}
