//! How well an event's networking goes, and who connects its people.

use convene_engine::networking::connectors;
use pgrx::prelude::*;

use super::circle::contacts;
use crate::auth;
use crate::db;
use crate::document::Document;
use crate::error::{OrRaise, Outcome, required, within};
use crate::owner::with_owner;
use crate::parallel;

/// The most people that one call gives.
const MOST: i32 = 500;

/// What became of an event's suggestions and meetings.
#[pg_extern(stable, parallel_restricted)]
#[search_path(pg_catalog, pg_temp)]
fn networking_quality(p_event_id: Option<pgrx::Uuid>) -> Document {
    auth::managed_event(p_event_id).and_then(|event| with_owner(|| quality(event))).or_raise()
}

/// Rates are null where there is nothing to take them of. A rating counts from 1 to 5; a person who
/// rates a meeting well finds it valuable.
const QUALITY: &str = "
    WITH m AS (
        SELECT count(*) AS suggested,
               count(*) FILTER (WHERE status IN ('accepted_by_1', 'accepted_by_2', 'mutual_accepted', 'declined')) AS answered,
               count(*) FILTER (WHERE status IN ('accepted_by_1', 'accepted_by_2')) AS one_side,
               count(*) FILTER (WHERE status = 'mutual_accepted') AS mutual,
               count(*) FILTER (WHERE status = 'declined') AS declined,
               count(*) FILTER (WHERE status = 'expired') AS expired,
               count(*) FILTER (WHERE status = 'mutual_accepted' AND meeting_scheduled) AS with_meeting,
               avg(compatibility_score) AS score,
               avg(compatibility_score) FILTER (WHERE status = 'mutual_accepted') AS score_mutual
          FROM convene.matches WHERE event_id = $1),
    g AS (
        SELECT count(*) FILTER (WHERE status NOT IN ('cancelled', 'proposed')) AS meetings,
               count(*) FILTER (WHERE status = 'proposed') AS proposed,
               count(*) FILTER (WHERE status = 'completed') AS completed,
               count(*) FILTER (WHERE status = 'cancelled') AS cancelled,
               count(*) FILTER (WHERE status = 'no_show') AS no_show
          FROM convene.meetings WHERE event_id = $1),
    r AS (
        SELECT count(*) AS ratings, avg(f.rating) AS rating,
               avg((f.rating >= 4)::int) AS valuable
          FROM (SELECT CASE WHEN pg_catalog.jsonb_typeof(v.said -> 'rating') = 'number'
                             AND (v.said ->> 'rating')::numeric BETWEEN 1 AND 5
                            THEN (v.said ->> 'rating')::numeric END AS rating
                  FROM convene.meetings t, LATERAL (VALUES (t.feedback_1), (t.feedback_2)) v (said)
                 WHERE t.event_id = $1) f
         WHERE f.rating IS NOT NULL),
    p AS (
        SELECT count(*) AS people FROM convene.networking_preferences n
          JOIN convene.attendees a ON a.id = n.attendee_id
         WHERE n.event_id = $1 AND n.networking_enabled AND a.status NOT IN ('cancelled', 'no_show')),
    e AS (
        SELECT count(DISTINCT x.attendee) AS engaged
          FROM (SELECT CASE status WHEN 'accepted_by_2' THEN attendee_2_id ELSE attendee_1_id END AS attendee
                  FROM convene.matches
                 WHERE event_id = $1 AND status IN ('accepted_by_1', 'accepted_by_2', 'mutual_accepted')
                UNION ALL
                SELECT attendee_2_id FROM convene.matches WHERE event_id = $1 AND status = 'mutual_accepted'
                UNION ALL
                SELECT declined_by FROM convene.matches WHERE event_id = $1 AND declined_by IS NOT NULL) x)
    SELECT pg_catalog.jsonb_build_object(
             'event_id', $1,
             'participants', p.people, 'engaged', e.engaged,
             'engagement_rate', pg_catalog.round(least(e.engaged, p.people)::numeric / nullif(p.people, 0), 4),
             'suggested', m.suggested, 'accepted_by_one', m.one_side, 'mutual', m.mutual,
             'declined', m.declined, 'expired', m.expired,
             'acceptance_rate', pg_catalog.round(m.mutual::numeric / nullif(m.mutual + m.declined, 0), 4),
             'answer_rate', pg_catalog.round(m.answered::numeric / nullif(m.suggested, 0), 4),
             'mean_score', pg_catalog.round(m.score, 4), 'mean_score_mutual', pg_catalog.round(m.score_mutual, 4),
             'meetings', g.meetings, 'proposed', g.proposed, 'completed', g.completed,
             'cancelled', g.cancelled, 'no_show', g.no_show,
             'meeting_rate', pg_catalog.round(m.with_meeting::numeric / nullif(m.mutual, 0), 4),
             'ratings', r.ratings, 'mean_rating', pg_catalog.round(r.rating, 2),
             'valuable_rate', pg_catalog.round(r.valuable, 4))
      FROM m, g, r, p, e";

fn quality(event_id: pgrx::Uuid) -> Outcome<Document> {
    let found = db::read_one(QUALITY, &[event_id.into()], |row| row.want(1))?;
    required(found, "the event's quality")
}

/// People through whom an event's people are connected.
#[pg_extern(stable, parallel_restricted)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // The columns of the result are the signature.
fn find_connectors(
    p_event_id: Option<pgrx::Uuid>,
    p_limit: default!(Option<i32>, "10"),
) -> TableIterator<
    'static,
    (
        name!(attendee_id, pgrx::Uuid),
        name!(attendee_name, Option<String>),
        name!(attendee_title, Option<String>),
        name!(attendee_company, Option<String>),
        name!(betweenness, AnyNumeric),
        name!(contacts, i32),
    ),
> {
    TableIterator::new(found(p_event_id, p_limit).or_raise())
}

type Found = (pgrx::Uuid, Option<String>, Option<String>, Option<String>, AnyNumeric, i32);

/// Everybody who attends, with the person they are; who has blocked the caller, or was blocked by
/// them, is not shown.
const PEOPLE: &str = "
    SELECT a.id, coalesce(a.profile_id, a.id),
           NOT EXISTS (SELECT FROM convene.person_blocks b
                        WHERE (b.blocker_profile = $2 AND b.blocked_profile = a.profile_id)
                           OR (b.blocker_profile = a.profile_id AND b.blocked_profile = $2))
      FROM convene.attendees a
     WHERE a.event_id = $1 AND a.status NOT IN ('cancelled', 'no_show')
     ORDER BY a.id";
const NAMES: &str = "
    SELECT a.id, a.full_name, a.job_title, a.company_name
      FROM convene.attendees a WHERE a.id = ANY ($1)";

fn found(event_id: Option<pgrx::Uuid>, limit: Option<i32>) -> Outcome<Vec<Found>> {
    let event_id = auth::managed_event(event_id)?;
    let limit = within(limit, 1, MOST, "p_limit")?;
    let caller = auth::caller()?.person();
    with_owner(|| {
        let people = db::read(PEOPLE, &[event_id.into(), caller.into()], |row| {
            Ok((row.want::<pgrx::Uuid>(1)?, row.want::<pgrx::Uuid>(2)?, row.want::<bool>(3)?))
        })?;
        let near = contacts(people.iter().map(|(_, person, _)| *person).collect())?;
        let index: std::collections::HashMap<pgrx::Uuid, u32> =
            people.iter().map(|(_, person, _)| *person).zip(0..).collect();
        let edges: Vec<(u32, u32)> = near
            .iter()
            .filter_map(|(a, b, _)| index.get(a).copied().zip(index.get(b).copied()))
            .collect();
        let count = people.len();
        let all = parallel::run("following contacts", move |stop| {
            connectors(count, &edges, count, stop)
        })?;
        let shown: Vec<_> =
            all.into_iter().filter(|c| people[c.person as usize].2).take(limit).collect();
        let ids: Vec<pgrx::Uuid> = shown.iter().map(|c| people[c.person as usize].0).collect();
        let mut names: std::collections::HashMap<pgrx::Uuid, [Option<String>; 3]> =
            db::read(NAMES, &[ids.clone().into()], |row| {
                Ok((row.want(1)?, [row.get(2)?, row.get(3)?, row.get(4)?]))
            })?
            .into_iter()
            .collect();
        Ok(shown
            .iter()
            .zip(ids)
            .map(|(connector, id)| {
                let [name, title, company] = names.remove(&id).unwrap_or_default();
                let between = format!("{:.6}", connector.betweenness);
                let between =
                    AnyNumeric::try_from(between.as_str()).unwrap_or_else(|_| AnyNumeric::from(0));
                (id, name, title, company, between, connector.contacts as i32)
            })
            .collect())
    })
}
