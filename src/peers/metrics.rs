//! How well the introductions of an event work, and whose.

use std::collections::BTreeMap;

use convene_engine::peers::{Introduction, connector_score};
use pgrx::prelude::*;

use super::score_numeric;
use crate::auth;
use crate::db;
use crate::error::{OrRaise, Outcome, within};
use crate::owner::with_owner;

/// The most super connectors that one call gives.
const MOST: i32 = 100;

/// Counts of all matches and by type. Shares are of what could have come so far: of those introduced
/// the accepted ones, of the accepted ones the met.
const METRICS: &str = "
    SELECT coalesce(m.match_type, 'all'), count(*),
           pg_catalog.round(pg_catalog.avg(m.match_score), 4),
           count(m.introduction_sent_time),
           count(*) FILTER (WHERE m.contractor1_response AND m.contractor2_response),
           pg_catalog.round(count(*) FILTER (WHERE m.contractor1_response AND m.contractor2_response
                                               AND m.introduction_sent_time IS NOT NULL)
                            ::numeric / nullif(count(m.introduction_sent_time), 0), 4),
           count(*) FILTER (WHERE m.connection_made),
           pg_catalog.round(count(*) FILTER (WHERE m.contractor1_response AND m.contractor2_response
                                               AND m.connection_made)::numeric
                            / nullif(count(*) FILTER (WHERE m.contractor1_response AND m.contractor2_response), 0), 4),
           count(m.contacts_exchanged_at),
           pg_catalog.round(pg_catalog.avg(m.pcr_score), 2)
      FROM convene.event_peer_matches m
     WHERE m.event_id = $1
     GROUP BY GROUPING SETS ((), (m.match_type))
     ORDER BY GROUPING(m.match_type) DESC, pg_catalog.min(m.match_score) DESC, m.match_type";

/// What came of an event's matches, all together and by type.
#[pg_extern(stable, parallel_restricted)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // The columns of the result are the signature.
fn peer_match_metrics(
    p_event_id: Option<pgrx::Uuid>,
) -> TableIterator<
    'static,
    (
        name!(match_type, String),
        name!(total_matches, i64),
        name!(avg_match_score, Option<AnyNumeric>),
        name!(introductions, i64),
        name!(mutual_accepts, i64),
        name!(acceptance_rate, Option<AnyNumeric>),
        name!(actual_connections, i64),
        name!(connection_rate, Option<AnyNumeric>),
        name!(contacts_exchanged, i64),
        name!(avg_quality_rating, Option<AnyNumeric>),
    ),
> {
    let rows = auth::managed_event(p_event_id).and_then(|event_id| {
        with_owner(|| {
            db::read(METRICS, &[event_id.into()], |row| {
                Ok((
                    row.want(1)?,
                    row.want(2)?,
                    row.get(3)?,
                    row.want(4)?,
                    row.want(5)?,
                    row.get(6)?,
                    row.want(7)?,
                    row.get(8)?,
                    row.want(9)?,
                    row.get(10)?,
                ))
            })
        })
    });
    TableIterator::new(rows.or_raise())
}

/// Contractors whose introductions work.
#[pg_extern(stable, parallel_restricted)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // The columns of the result are the signature.
fn find_super_connectors(
    p_event_id: Option<pgrx::Uuid>,
    p_limit: default!(Option<i32>, "10"),
) -> TableIterator<
    'static,
    (
        name!(contractor_id, pgrx::Uuid),
        name!(first_name, String),
        name!(last_name, String),
        name!(company_name, Option<String>),
        name!(introductions, i64),
        name!(mutual_accepts, i64),
        name!(connections, i64),
        name!(avg_rating, Option<AnyNumeric>),
        name!(connector_score, AnyNumeric),
    ),
> {
    TableIterator::new(connectors(p_event_id, p_limit).or_raise())
}

type Row =
    (pgrx::Uuid, String, String, Option<String>, i64, i64, i64, Option<AnyNumeric>, AnyNumeric);

/// Both sides of every introduction that went out, or that came to a meeting without.
const INTRODUCTIONS: &str = "
    SELECT c.id, coalesce(m.contractor1_response AND m.contractor2_response, false),
           m.connection_made, m.pcr_score::float8
      FROM convene.event_peer_matches m
      CROSS JOIN LATERAL (VALUES (m.contractor1_id), (m.contractor2_id)) c (id)
     WHERE m.event_id = $1 AND (m.introduction_sent_time IS NOT NULL OR m.connection_made)
     ORDER BY c.id, m.id";

fn connectors(event_id: Option<pgrx::Uuid>, limit: Option<i32>) -> Outcome<Vec<Row>> {
    const NAMES: &str = "
        SELECT w.at::int4, c.first_name, c.last_name, c.company_name
          FROM unnest($1::uuid[]) WITH ORDINALITY w (id, at)
          JOIN convene.contractors c ON c.id = w.id
         ORDER BY w.at";
    let event_id = auth::managed_event(event_id)?;
    let limit = within(limit, 1, MOST, "p_limit")?;
    with_owner(|| {
        let mut of: BTreeMap<pgrx::Uuid, Vec<Introduction>> = BTreeMap::new();
        for (id, introduction) in db::read(INTRODUCTIONS, &[event_id.into()], |row| {
            let (accepted, met, pcr) = (row.want(2)?, row.want(3)?, row.get(4)?);
            Ok((row.want(1)?, Introduction { accepted, met, pcr }))
        })? {
            of.entry(id).or_default().push(introduction);
        }
        let mut ranked: Vec<(f64, pgrx::Uuid, Vec<Introduction>)> = of
            .into_iter()
            .map(|(id, introductions)| (connector_score(&introductions), id, introductions))
            .filter(|(score, _, _)| *score > 0.0)
            .collect();
        // Stable: those of one score stay in the order of their ids.
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
        ranked.truncate(limit);
        let ids: Vec<pgrx::Uuid> = ranked.iter().map(|(_, id, _)| *id).collect();
        let rows = db::read(NAMES, &[ids.into()], |row| {
            let at = row.want::<i32>(1)?;
            let Some((score, id, of)) = ranked.get(at as usize - 1) else { return Ok(None) };
            let count =
                |which: fn(&Introduction) -> bool| of.iter().filter(|i| which(i)).count() as i64;
            let (accepted, met) = (count(|i| i.accepted), count(|i| i.met));
            let names = (row.want(2)?, row.want(3)?, row.get(4)?);
            Ok(Some((
                *id,
                names.0,
                names.1,
                names.2,
                of.len() as i64,
                accepted,
                met,
                mean_rating(of),
                score_numeric(*score),
            )))
        })?;
        Ok(rows.into_iter().flatten().collect())
    })
}

fn mean_rating(of: &[Introduction]) -> Option<AnyNumeric> {
    let ratings: Vec<f64> = of.iter().filter_map(|introduction| introduction.pcr).collect();
    if ratings.is_empty() {
        return None;
    }
    let mean = ratings.iter().sum::<f64>() / ratings.len() as f64;
    AnyNumeric::try_from(format!("{mean:.2}").as_str()).ok()
}
