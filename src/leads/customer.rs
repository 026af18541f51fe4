//! Whom a sponsor wants to meet, and what is known of an attendee.

use convene_engine::leads::{IdealCustomer, Person};
use serde_json::Value;

use crate::db::{self, Row};
use crate::error::Outcome;

/// Between the words of a list that is read as one text, which is quicker than reading arrays.
const SEPARATOR: char = '\u{1f}';

/// What is known of attendee `a` as seven columns, by the joins of `fact_joins!`.
macro_rules! fact_columns {
    () => {
        "coalesce(a.job_title, p.job_title, c.job_title, ''), coalesce(n.role_category, ''),
         pg_catalog.concat_ws(E'\\x1f', n.industry, c.industry, o.industry),
         pg_catalog.concat_ws(E'\\x1f', o.company_size, n.company_stage), o.employee_count::bigint,
         pg_catalog.concat_ws(E'\\x1f', c.country, c.state_province, c.city, o.country),
         coalesce(pg_catalog.array_to_string(r.preferred_topics || r.industry_interests, E'\\x1f'), '')"
    };
}

macro_rules! fact_joins {
    () => {
        " LEFT JOIN convene.profiles p ON p.id = a.profile_id
          LEFT JOIN convene.networking_preferences n ON n.attendee_id = a.id AND n.event_id = a.event_id
          LEFT JOIN convene.attendee_preferences r ON r.attendee_id = a.id AND r.event_id = a.event_id
          LEFT JOIN convene.contacts c ON c.id = a.contact_id
          LEFT JOIN convene.companies o ON o.id = c.company_id "
    };
}

pub(super) use {fact_columns, fact_joins};

/// What is known of an attendee, from the seven columns that begin at `from`.
pub fn person(row: &Row<'_>, from: usize) -> Outcome<Person> {
    let list = |text: String| -> Vec<String> {
        text.split(SEPARATOR).filter(|word| !word.is_empty()).map(ToOwned::to_owned).collect()
    };
    Ok(Person {
        title: row.want(from)?,
        role: row.want(from + 1)?,
        industries: list(row.want(from + 2)?),
        company_sizes: list(row.want(from + 3)?),
        employees: row.get(from + 4)?,
        regions: list(row.want(from + 5)?),
        topics: list(row.want(from + 6)?),
    })
}

/// A document that a sponsor wrote. One that no parser with a bound can read describes nobody; it
/// must not keep an event from being scored.
pub fn document(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}

/// The ideal customer of each of these sponsors that has described one.
pub fn ideal_customers(sponsors: &[pgrx::Uuid]) -> Outcome<Vec<(pgrx::Uuid, IdealCustomer)>> {
    const IDEAL: &str = "
        SELECT sponsor_id, ideal_customer::text, target_audience::text
          FROM convene.sponsor_profiles WHERE sponsor_id = ANY ($1) ORDER BY sponsor_id";
    let found = db::read(IDEAL, &[sponsors.to_vec().into()], |row| {
        let (ideal, audience): (String, String) = (row.want(2)?, row.want(3)?);
        Ok((row.want(1)?, IdealCustomer::parse(&document(&ideal), &document(&audience))))
    })?;
    Ok(found.into_iter().filter_map(|(id, ideal)| ideal.map(|ideal| (id, ideal))).collect())
}

/// The ideal customer of one sponsor.
pub fn ideal_customer(sponsor: pgrx::Uuid) -> Outcome<Option<IdealCustomer>> {
    Ok(ideal_customers(&[sponsor])?.pop().map(|(_, ideal)| ideal))
}

/// What is known of one attendee; nothing where there is none.
pub fn person_of(attendee: pgrx::Uuid) -> Outcome<Person> {
    const PERSON: &str = concat!(
        "SELECT ",
        fact_columns!(),
        " FROM convene.attendees a",
        fact_joins!(),
        "WHERE a.id = $1"
    );
    let found = db::read_one(PERSON, &[attendee.into()], |row| person(row, 1))?;
    Ok(found.unwrap_or_default())
}
