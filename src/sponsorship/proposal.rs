//! A proposal of an event's organizer to a sponsor.

use convene_engine::sponsorship::{self, Audience, Proposal, counts};
use pgrx::prelude::*;
use serde_json::Value;

use super::access;
use super::fit::case;
use crate::db::{self, Row};
use crate::document::Document;
use crate::error::{OrRaise, Outcome};
use crate::owner::with_owner;

/// A proposal in Markdown, from what is known of the event and of the fit.
#[pg_extern(stable, parallel_restricted)]
#[search_path(pg_catalog, pg_temp)]
fn draft_sponsorship_proposal(
    p_event_id: Option<pgrx::Uuid>,
    p_sponsor_id: Option<pgrx::Uuid>,
) -> String {
    draft(p_event_id, p_sponsor_id).or_raise()
}

const EVENT: &str = "
    SELECT s.company_name, e.title, e.description, o.name,
           pg_catalog.concat_ws(', ', nullif(pg_catalog.btrim(e.city), ''), nullif(pg_catalog.btrim(e.country), '')),
           CASE WHEN d.until IS NULL OR d.until = d.since THEN d.since ELSE d.since || ' to ' || d.until END,
           q.quality_score::float8, q.quality_tier,
           i.attendee_count::int8, i.age_segments, i.social_mentions::int8
      FROM convene.events e
      JOIN convene.organizations o ON o.id = e.organization_id
      JOIN convene.sponsors s ON s.id = $2
      LEFT JOIN convene.event_quality_scores q ON q.event_id = e.id
      LEFT JOIN convene.event_audience_insights i ON i.event_id = e.id
      CROSS JOIN LATERAL (SELECT pg_catalog.to_char(e.start_at AT TIME ZONE e.time_zone, 'FMDD FMMonth YYYY'),
                                 pg_catalog.to_char(e.end_at AT TIME ZONE e.time_zone, 'FMDD FMMonth YYYY')) d(since, until)
     WHERE e.id = $1";

const PACKAGES: &str = "
    SELECT p.package_name, p.tier, p.price_cents, convene_private.minor_units(p.currency)::int8, p.currency,
           p.available::int8, p.total_available::int8, p.benefits
      FROM convene.sponsorship_packages p
     WHERE p.event_id = $1 AND p.status <> 'archived' AND p.available > 0
     ORDER BY p.priority, p.price_cents DESC, p.id";

fn draft(event_id: Option<pgrx::Uuid>, sponsor_id: Option<pgrx::Uuid>) -> Outcome<String> {
    let pair = access::managed_pair(event_id, sponsor_id)?;
    let case = case(pair)?;
    let found = with_owner(|| {
        let packages = db::read(PACKAGES, &[pair.event_id.into()], package)?;
        db::read_one(EVENT, &[pair.event_id.into(), pair.sponsor_id.into()], |row| {
            Ok(Proposal {
                company: row.want(1)?,
                title: row.want(2)?,
                description: row.get(3)?,
                organizer: row.want(4)?,
                place: row.get(5)?,
                dates: row.get(6)?,
                quality: row.get(7)?.zip(row.get(8)?),
                audience: audience(row)?,
                case: case.clone(),
                packages: packages.clone(),
            })
        })
    })?;
    let proposal = found.ok_or_else(super::fit::gone)?;
    Ok(proposal.to_markdown())
}

fn audience(row: &Row<'_>) -> Outcome<Option<Audience>> {
    let Some(attendees) = row.get(9)? else { return Ok(None) };
    let ages = row.get::<Document>(10)?.and_then(|ages| serde_json::from_str(&ages.0).ok());
    Ok(Some(Audience {
        attendees,
        ages: ages.as_ref().map_or_else(Vec::new, counts),
        mentions: row.get(11)?.unwrap_or_default(),
    }))
}

fn package(row: &Row<'_>) -> Outcome<sponsorship::Package> {
    let benefits = row.get::<Document>(8)?.and_then(|list| serde_json::from_str(&list.0).ok());
    Ok(sponsorship::Package {
        name: row.want(1)?,
        tier: row.want(2)?,
        price: (row.want(3)?, row.want(4)?, row.want(5)?),
        left: (row.want(6)?, row.want(7)?),
        benefits: benefits.as_ref().and_then(Value::as_array).map_or_else(Vec::new, |list| {
            list.iter().filter_map(|benefit| named(benefit).map(ToOwned::to_owned)).collect()
        }),
    })
}

/// A benefit is a text, or an object with one.
fn named(benefit: &Value) -> Option<&str> {
    let keys = ["name", "title", "benefit", "description"];
    benefit.as_str().or_else(|| keys.iter().find_map(|key| benefit.get(key)?.as_str()))
}
