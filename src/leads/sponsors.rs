//! The sponsors of an event, for those who manage it.

use convene_engine::Error;
use pgrx::prelude::*;
use serde_json::{Value, json};

use crate::auth;
use crate::db;
use crate::error::{Failure, OrRaise, Outcome, invalid, required, within};
use crate::owner::with_owner;

/// The most sponsors on one page.
const MOST: i32 = 1000;
/// The most characters of a name or an address.
const MOST_CHARS: usize = 500;
/// What numeric(12,2) holds.
const MOST_VALUE: f64 = 9_999_999_999.99;
const TIERS: [&str; 8] =
    ["title", "platinum", "gold", "silver", "bronze", "community", "partner", "media"];
const STATUSES: [&str; 6] =
    ["prospecting", "negotiating", "contracted", "active", "fulfilled", "churned"];

fn one_of(value: Option<&str>, known: &[&str], parameter: &str) -> Outcome<()> {
    match value {
        Some(value) if !known.contains(&value) => invalid(
            format!("{parameter} {value:?} is not known"),
            "",
            format!("Pass one of {}.", known.join(", ")),
        ),
        _ => Ok(()),
    }
}

/// The sponsors of an event, in the order of their names.
#[pg_extern(stable, parallel_restricted)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // The columns of the result are the signature.
fn list_sponsors(
    p_event_id: Option<pgrx::Uuid>,
    p_tier: default!(Option<&str>, "NULL"),
    p_status: default!(Option<&str>, "NULL"),
    p_limit: default!(Option<i32>, "100"),
    p_after: default!(Option<pgrx::Uuid>, "NULL"),
) -> TableIterator<
    'static,
    (
        name!(sponsor_id, pgrx::Uuid),
        name!(company_name, String),
        name!(sponsorship_tier, Option<String>),
        name!(status, String),
        name!(contract_value, Option<AnyNumeric>),
        name!(currency, String),
        name!(primary_contact, pgrx::JsonB),
        name!(leads, i64),
        name!(booth_visits, i64),
        name!(interactions, i64),
        name!(satisfaction_score, Option<i32>),
        name!(actual_roi, Option<AnyNumeric>),
        name!(renewal_probability, Option<AnyNumeric>),
        name!(renewal_likely, Option<bool>),
        name!(from_marketplace, bool),
    ),
> {
    TableIterator::new(list(p_event_id, p_tier, p_status, p_limit, p_after).or_raise())
}

type Listed = (
    pgrx::Uuid,
    String,
    Option<String>,
    String,
    Option<AnyNumeric>,
    String,
    pgrx::JsonB,
    i64,
    i64,
    i64,
    Option<i32>,
    Option<AnyNumeric>,
    Option<AnyNumeric>,
    Option<bool>,
    bool,
);

// Of a sponsor of the market the organizer learns who it is and what it does here; what others pay it and expect of it stays
// with those.
const SPONSORS: &str = "
    WITH here AS (
      SELECT s.id, s.company_name, s.sponsorship_tier, s.status, s.contract_value, s.currency, s.primary_contact_name,
             s.primary_contact_email, s.primary_contact_phone, s.satisfaction_score, s.actual_roi, s.renewal_probability,
             s.renewal_likely, false AS market
        FROM convene.sponsors s WHERE s.event_id = $1
      UNION ALL
      SELECT s.id, s.company_name, k.tier,
             CASE e.status WHEN 'confirmed' THEN 'contracted' WHEN 'active' THEN 'active' ELSE 'fulfilled' END,
             (e.amount_cents::numeric / 100), e.currency, s.primary_contact_name, s.primary_contact_email,
             s.primary_contact_phone, NULL, e.roi, NULL, NULL, true
        FROM convene.event_sponsorships e
        JOIN convene.sponsors s ON s.id = e.sponsor_id AND s.event_id IS DISTINCT FROM e.event_id
        LEFT JOIN convene.sponsorship_packages k ON k.id = e.package_id
       WHERE e.event_id = $1 AND e.status IN ('confirmed', 'active', 'completed'))
    SELECT h.id, h.company_name, h.sponsorship_tier, h.status, h.contract_value::text, h.currency,
           pg_catalog.jsonb_build_object('name', h.primary_contact_name, 'email', h.primary_contact_email,
                                         'phone', h.primary_contact_phone)::text,
           l.leads, l.visits, l.interactions, h.satisfaction_score, h.actual_roi::text, h.renewal_probability::text,
           h.renewal_likely, h.market
      FROM (SELECT * FROM here h
             WHERE ($2::text IS NULL OR h.sponsorship_tier = $2) AND ($3::text IS NULL OR h.status = $3)
               AND ($4::text IS NULL OR (h.company_name COLLATE \"C\", h.id) > ($4 COLLATE \"C\", $5))
             ORDER BY h.company_name COLLATE \"C\", h.id LIMIT $6) h
      CROSS JOIN LATERAL (
        SELECT pg_catalog.count(*) AS leads, coalesce(pg_catalog.sum(l.booth_visits), 0)::bigint AS visits,
               coalesce(pg_catalog.sum(l.interaction_count), 0)::bigint AS interactions
          FROM convene.lead_scoring l WHERE l.sponsor_id = h.id AND l.event_id = $1) l
     ORDER BY h.company_name COLLATE \"C\", h.id";

fn list(
    event: Option<pgrx::Uuid>,
    tier: Option<&str>,
    status: Option<&str>,
    limit: Option<i32>,
    after: Option<pgrx::Uuid>,
) -> Outcome<Vec<Listed>> {
    let event = auth::managed_event(event)?;
    one_of(tier, &TIERS, "p_tier")?;
    one_of(status, &STATUSES, "p_status")?;
    let limit = within(limit, 1, MOST, "p_limit")? as i64;
    with_owner(|| {
        let name = after.map(|after| place(after, event)).transpose()?;
        let arguments =
            [event.into(), tier.into(), status.into(), name.into(), after.into(), limit.into()];
        db::read(SPONSORS, &arguments, |row| {
            Ok((
                row.want(1)?,
                row.want(2)?,
                row.get(3)?,
                row.want(4)?,
                numeric(row.get(5)?),
                row.want(6)?,
                pgrx::JsonB(super::customer::document(&row.want::<String>(7)?)),
                row.want(8)?,
                row.want(9)?,
                row.want(10)?,
                row.get(11)?,
                numeric(row.get(12)?),
                numeric(row.get(13)?),
                row.get(14)?,
                row.want(15)?,
            ))
        })
    })
}

/// A number as the server wrote it.
pub fn numeric(text: Option<String>) -> Option<AnyNumeric> {
    text.and_then(|text| AnyNumeric::try_from(text.as_str()).ok())
}

fn place(after: pgrx::Uuid, event: pgrx::Uuid) -> Outcome<String> {
    const PLACE: &str = "
        SELECT s.company_name FROM convene.sponsors s
         WHERE s.id = $1 AND (s.event_id = $2 OR EXISTS (
                 SELECT FROM convene.event_sponsorships e WHERE e.sponsor_id = s.id AND e.event_id = $2))";
    match db::read_one(PLACE, &[after.into(), event.into()], |row| row.want(1))? {
        Some(name) => Ok(name),
        None => invalid(
            format!("p_after {after} is no sponsor of this event"),
            "",
            "Pass the sponsor_id of the last row of the page before, or null for the first page.",
        ),
    }
}

/// Adds a sponsor to an event.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::too_many_arguments)] // The parameters are the signature.
fn add_sponsor(
    p_event_id: Option<pgrx::Uuid>,
    p_company_name: Option<&str>,
    p_sponsorship_tier: Option<&str>,
    p_contract_value: Option<AnyNumeric>,
    p_primary_contact_name: Option<&str>,
    p_primary_contact_email: Option<&str>,
    p_primary_contact_phone: default!(Option<&str>, "NULL"),
    p_company_website: default!(Option<&str>, "NULL"),
    p_industry: default!(Option<&str>, "NULL"),
    p_currency: default!(Option<&str>, "'USD'"),
) -> pgrx::JsonB {
    let event = auth::managed_event(p_event_id).or_raise();
    let asked = || -> Outcome<pgrx::JsonB> {
        let new = New {
            company_name: text(p_company_name, "p_company_name")?,
            tier: required(p_sponsorship_tier, "p_sponsorship_tier")?,
            value: value(p_contract_value)?,
            contact_name: text(p_primary_contact_name, "p_primary_contact_name")?,
            contact_email: email(p_primary_contact_email)?,
            optional: [
                optional(p_primary_contact_phone, "p_primary_contact_phone")?,
                optional(p_company_website, "p_company_website")?,
                optional(p_industry, "p_industry")?,
            ],
            currency: currency(p_currency)?,
        };
        one_of(Some(new.tier), &TIERS, "p_sponsorship_tier")?;
        with_owner(|| new.add(event))
    };
    asked().or_raise()
}

struct New<'a> {
    company_name: &'a str,
    tier: &'a str,
    value: AnyNumeric,
    contact_name: &'a str,
    contact_email: &'a str,
    optional: [Option<&'a str>; 3],
    currency: &'a str,
}

fn text<'a>(value: Option<&'a str>, parameter: &str) -> Outcome<&'a str> {
    let value = required(value, parameter)?;
    let trimmed = value.trim();
    if trimmed.is_empty() || trimmed.chars().count() > MOST_CHARS {
        return invalid(
            format!("{parameter} must have 1 to {MOST_CHARS} characters, not {value:?}"),
            "",
            "Pass a name.",
        );
    }
    Ok(trimmed)
}

fn optional<'a>(value: Option<&'a str>, parameter: &str) -> Outcome<Option<&'a str>> {
    value.map(|value| text(Some(value), parameter)).transpose()
}

fn email(value: Option<&str>) -> Outcome<&str> {
    let value = text(value, "p_primary_contact_email")?;
    let (local, domain) = value.split_once('@').unwrap_or(("", ""));
    if local.is_empty() || domain.is_empty() || value.contains(char::is_whitespace) {
        return invalid(
            format!("p_primary_contact_email {value:?} is no address"),
            "Whoever signs in with it acts for the sponsor.",
            "Pass an address such as ada@example.org.",
        );
    }
    Ok(value)
}

fn value(value: Option<AnyNumeric>) -> Outcome<AnyNumeric> {
    let value = required(value, "p_contract_value")?;
    let number = f64::try_from(value.clone()).unwrap_or(f64::NAN);
    if (0.0..=MOST_VALUE).contains(&number) {
        return Ok(value);
    }
    invalid(
        format!("p_contract_value must be from 0 to {MOST_VALUE}, not {number}"),
        "",
        "Pass the value in whole units of the currency.",
    )
}

fn currency(value: Option<&str>) -> Outcome<&str> {
    let value = required(value, "p_currency")?;
    if value.len() == 3 && value.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Ok(value);
    }
    invalid(
        format!("p_currency {value:?} is no code of a currency"),
        "",
        "Pass three capital letters, such as USD.",
    )
}

impl New<'_> {
    /// Inserts the sponsor; adding the same one again gives back the one that is there.
    fn add(&self, event: pgrx::Uuid) -> Outcome<pgrx::JsonB> {
        const ADD: &str = "
            INSERT INTO convene.sponsors
                   (event_id, company_name, sponsorship_tier, contract_value, primary_contact_name, primary_contact_email,
                    primary_contact_phone, company_website, industry, currency)
            VALUES ($1, $2, $3, pg_catalog.round($4::numeric, 2), $5, $6, $7, $8, $9, $10)
            ON CONFLICT (event_id, company_name) DO NOTHING
            RETURNING id";
        const SAME: &str = "
            SELECT s.id, s.sponsorship_tier IS NOT DISTINCT FROM $3 AND s.contract_value = pg_catalog.round($4::numeric, 2)
                         AND pg_catalog.lower(s.primary_contact_email) = pg_catalog.lower($5) AND s.currency = $6
              FROM convene.sponsors s WHERE s.event_id = $1 AND s.company_name = $2";
        let [phone, website, industry] = self.optional;
        let added = db::write(
            ADD,
            &[
                event.into(),
                self.company_name.into(),
                self.tier.into(),
                self.value.clone().into(),
                self.contact_name.into(),
                self.contact_email.into(),
                phone.into(),
                website.into(),
                industry.into(),
                self.currency.into(),
            ],
            |row| row.want::<pgrx::Uuid>(1),
        )?;
        if let Some(id) = added.first() {
            return Ok(answer(*id, event, true));
        }
        let found = db::read_one(
            SAME,
            &[
                event.into(),
                self.company_name.into(),
                self.tier.into(),
                self.value.clone().into(),
                self.contact_email.into(),
                self.currency.into(),
            ],
            |row| Ok((row.want::<pgrx::Uuid>(1)?, row.get::<bool>(2)?)),
        )?;
        match found {
            Some((id, Some(true))) => Ok(answer(id, event, false)),
            _ => Err(Failure(Error::AlreadyThere {
                message: format!(
                    "the event has a sponsor {:?} already, with other terms",
                    self.company_name
                ),
                hint: "Change that one in convene.sponsors, or add this one under another name."
                    .into(),
            })),
        }
    }
}

fn answer(id: pgrx::Uuid, event: pgrx::Uuid, added: bool) -> pgrx::JsonB {
    let answer: Value =
        json!({"sponsor_id": id.to_string(), "event_id": event.to_string(), "added": added});
    pgrx::JsonB(answer)
}
