//! What a package could cost.

use convene_engine::sponsorship::{
    Comparable, Counted, LEAST_COMPARABLES, Offer, Suggestion, suggest,
};
use pgrx::prelude::*;
use serde_json::{Value, json};

use super::access;
use super::inputs::words;
use crate::db::{self, Row};
use crate::error::{OrRaise, Outcome, not_found, required};
use crate::owner::with_owner;

/// A price for a package from what comparable ones cost, and those.
#[pg_extern(stable, parallel_restricted)]
#[search_path(pg_catalog, pg_temp)]
fn suggest_package_price(
    p_package_id: Option<pgrx::Uuid>,
    p_now: default!(Option<TimestampWithTimeZone>, "now()"),
) -> pgrx::JsonB {
    price(p_package_id, p_now).or_raise()
}

/// A package with what it is compared by.
struct Package {
    id: pgrx::Uuid,
    event_id: pgrx::Uuid,
    event_title: String,
    name: String,
    tier: String,
    currency: String,
    comparable: Comparable,
}

/// The columns of [`package`], of a package `p`, its event `e` and that one's quality `q`. What was
/// sold says something once it is final.
macro_rules! package_columns {
    ($now:literal) => {
        concat!(
            "p.id, p.event_id, e.title, p.package_name, p.tier, p.package_type, p.currency,
             p.price_cents, e.categories, q.quality_score::float8,
             CASE WHEN p.available = 0 OR e.end_at <= ",
            $now,
            " THEN p.sold::float8 / p.total_available END"
        )
    };
}

fn package(row: &Row<'_>) -> Outcome<Package> {
    Ok(Package {
        id: row.want(1)?,
        event_id: row.want(2)?,
        event_title: row.want(3)?,
        name: row.want(4)?,
        tier: row.want(5)?,
        currency: row.want(7)?,
        comparable: Comparable {
            offer: Offer {
                package_type: row.want(6)?,
                categories: words(row, 9)?,
                quality: row.get(10)?,
            },
            price_cents: row.want(8)?,
            fill: row.get(11)?,
        },
    })
}

const PACKAGE: &str = concat!(
    "SELECT ",
    package_columns!("$2"),
    " FROM convene.sponsorship_packages p
      JOIN convene.events e ON e.id = p.event_id
      LEFT JOIN convene.event_quality_scores q ON q.event_id = p.event_id
     WHERE p.id = $1"
);

/// Of events that everybody may see, the newest first: what is compared is then shown.
const COMPARABLES: &str = concat!(
    "SELECT ",
    package_columns!("$5"),
    " FROM convene.sponsorship_packages p
      JOIN convene.events e ON e.id = p.event_id
      LEFT JOIN convene.event_quality_scores q ON q.event_id = p.event_id
     WHERE p.tier = $1 AND p.currency = $2 AND p.event_id <> $3 AND p.event_public AND p.price_cents > 0
     ORDER BY e.start_at DESC NULLS LAST, p.id LIMIT $4"
);
/// Packages that are read.
const MOST_READ: i64 = 5_000;

fn price(id: Option<pgrx::Uuid>, now: Option<TimestampWithTimeZone>) -> Outcome<pgrx::JsonB> {
    let id = access::package(id)?;
    let now = required(now, "p_now")?;
    let (ours, others) = with_owner(|| {
        let ours = db::read_one(PACKAGE, &[id.into(), now.into()], package)?;
        let ours = ours.ok_or_else(|| not_found("package", id))?;
        let arguments = [
            ours.tier.as_str().into(),
            ours.currency.as_str().into(),
            ours.event_id.into(),
            MOST_READ.into(),
            now.into(),
        ];
        let others = db::read(COMPARABLES, &arguments, package)?;
        Ok((ours, others))
    })?;
    let given: Vec<Comparable> = others.iter().map(|other| other.comparable.clone()).collect();
    let (counted, found) = suggest(&ours.comparable.offer, &given);
    Ok(pgrx::JsonB(answer(&ours, &others, &counted, found)))
}

fn answer(
    ours: &Package,
    others: &[Package],
    counted: &[Counted],
    found: Option<Suggestion>,
) -> Value {
    let comparables: Vec<Value> = counted
        .iter()
        .map(|one| {
            let other = &others[one.index];
            let offer = &other.comparable.offer;
            json!({
                "package_id": other.id.to_string(), "event_id": other.event_id.to_string(),
                "event_title": other.event_title, "package_name": other.name,
                "package_type": offer.package_type, "price_cents": other.comparable.price_cents,
                "fill": other.comparable.fill.map(shown), "quality_score": offer.quality,
                "weight": shown(one.weight), "adjusted_price_cents": one.adjusted.round() as i64,
            })
        })
        .collect();
    let reason = found.is_none().then(|| {
        format!(
            "{} comparable packages are on record (tier {}, {}); {LEAST_COMPARABLES} are needed",
            counted.len(),
            ours.tier,
            ours.currency
        )
    });
    json!({
        "package_id": ours.id.to_string(), "tier": ours.tier, "currency": ours.currency,
        "price_cents": ours.comparable.price_cents, "quality_score": ours.comparable.offer.quality,
        "suggested_price_cents": found.map(|found| found.price_cents),
        "low_cents": found.map(|found| found.low_cents),
        "high_cents": found.map(|found| found.high_cents),
        "comparable_count": counted.len(), "reason": reason, "comparables": comparables,
    })
}

/// Six decimals.
fn shown(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}
