//! Which sponsors will stay: forecasts, and the sequence of contacts that asks them to.

use convene_engine::Error;
use convene_engine::leads::{Forecast, forecast, sequence};
use pgrx::prelude::*;
use serde_json::{Value, json};

use super::access;
use super::sponsors::numeric;
use crate::auth;
use crate::db;
use crate::error::{Failure, OrRaise, Outcome, required};
use crate::owner::with_owner;

/// The probability that a sponsor renews, 0 to 1, stored with the sponsor.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn predict_sponsor_renewal(p_sponsor_id: Option<pgrx::Uuid>) -> AnyNumeric {
    predict(p_sponsor_id).or_raise()
}

/// Two places, whatever they are.
fn hundredths(percent: i64) -> AnyNumeric {
    numeric(Some(format!("{}.{:02}", percent / 100, percent % 100)))
        .unwrap_or_else(|| AnyNumeric::from(0))
}

// The return as text: numeric(12,2) keeps two places, and so does what is made of it.
const INPUTS: &str = "
    SELECT s.engagement_score::bigint, s.satisfaction_score::bigint, s.actual_roi::double precision
      FROM convene.sponsors s WHERE s.id = $1";

fn predict(id: Option<pgrx::Uuid>) -> Outcome<AnyNumeric> {
    const LOCKED: &str = "SELECT FROM convene.sponsors s WHERE s.id = $1 FOR NO KEY UPDATE";
    const STORE: &str = "
        UPDATE convene.sponsors s SET renewal_probability = $2, renewal_likely = $3
         WHERE s.id = $1 AND (s.renewal_probability, s.renewal_likely) IS DISTINCT FROM ($2, $3)";
    let (id, service) = access::managed_sponsor(id)?;
    with_owner(|| {
        db::write(LOCKED, &[id.into()], |_| Ok(()))?;
        let forecast = forecast_of(id)?.ok_or_else(|| access::refuse(service, "sponsor", id))?;
        let probability = hundredths(forecast.percent());
        db::execute(STORE, &[id.into(), probability.clone().into(), forecast.likely().into()])?;
        Ok(probability)
    })
}

fn forecast_of(id: pgrx::Uuid) -> Outcome<Option<Forecast>> {
    db::read_one(INPUTS, &[id.into()], |row| Ok(forecast(row.get(1)?, row.get(2)?, row.get(3)?)))
}

/// How likely each sponsor of an event renews, those most at risk first.
#[pg_extern(stable, parallel_restricted)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)] // The columns of the result are the signature.
fn renewal_predictions(
    p_event_id: Option<pgrx::Uuid>,
) -> TableIterator<
    'static,
    (
        name!(sponsor_id, pgrx::Uuid),
        name!(company_name, String),
        name!(sponsorship_tier, Option<String>),
        name!(contract_value, Option<AnyNumeric>),
        name!(renewal_probability, AnyNumeric),
        name!(renewal_likely, bool),
        name!(factor_that_helps_most, Option<String>),
        name!(possible_gain, Option<AnyNumeric>),
        name!(advice, String),
        name!(parts, pgrx::JsonB),
        name!(sequence_started_at, Option<TimestampWithTimeZone>),
    ),
> {
    let rows = predictions(p_event_id).or_raise();
    TableIterator::new(rows.into_iter().map(|row| {
        let helps = row.forecast.helps_most();
        (
            row.id,
            row.company,
            row.tier,
            row.value,
            hundredths(row.forecast.percent()),
            row.forecast.likely(),
            helps.map(|(factor, _)| factor.name().to_owned()),
            helps.and_then(|(_, gain)| numeric(Some(format!("{gain:.4}")))),
            row.forecast.advice(),
            pgrx::JsonB(parts(&row.forecast)),
            row.started,
        )
    }))
}

struct Prediction {
    id: pgrx::Uuid,
    company: String,
    tier: Option<String>,
    value: Option<AnyNumeric>,
    forecast: Forecast,
    started: Option<TimestampWithTimeZone>,
}

fn parts(forecast: &Forecast) -> Value {
    forecast
        .parts()
        .map(|(factor, brings, assumed)| {
            (factor.name().to_owned(), json!({"contribution": brings, "assumed": assumed}))
        })
        .collect::<serde_json::Map<String, Value>>()
        .into()
}

// Of sponsors of the market what is measured here counts; how content they are with others is not asked.
const OF_EVENT: &str = "
    SELECT s.id, s.company_name, s.sponsorship_tier, s.contract_value::text, s.engagement_score::bigint,
           s.satisfaction_score::bigint, s.actual_roi::double precision, s.renewal_contacted_at
      FROM convene.sponsors s WHERE s.event_id = $1
    UNION ALL
    SELECT s.id, s.company_name, k.tier, (e.amount_cents::numeric / 100)::text, e.engagement_score::bigint, NULL,
           e.roi::double precision, NULL
      FROM convene.event_sponsorships e
      JOIN convene.sponsors s ON s.id = e.sponsor_id AND s.event_id IS DISTINCT FROM e.event_id
      LEFT JOIN convene.sponsorship_packages k ON k.id = e.package_id
     WHERE e.event_id = $1 AND e.status IN ('confirmed', 'active', 'completed')";

fn predictions(event: Option<pgrx::Uuid>) -> Outcome<Vec<Prediction>> {
    let event = auth::managed_event(event)?;
    let mut rows = with_owner(|| {
        db::read(OF_EVENT, &[event.into()], |row| {
            Ok(Prediction {
                id: row.want(1)?,
                company: row.want(2)?,
                tier: row.get(3)?,
                value: numeric(row.get(4)?),
                forecast: forecast(row.get(5)?, row.get(6)?, row.get(7)?),
                started: row.get(8)?,
            })
        })
    })?;
    rows.sort_by_key(|row| (row.forecast.percent(), *row.id.as_bytes()));
    Ok(rows)
}

/// Queues the contacts that ask a sponsor to renew.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn start_renewal_sequence(
    p_sponsor_id: Option<pgrx::Uuid>,
    p_now: default!(Option<TimestampWithTimeZone>, "now()"),
) -> pgrx::JsonB {
    start(p_sponsor_id, p_now).or_raise()
}

fn start(id: Option<pgrx::Uuid>, now: Option<TimestampWithTimeZone>) -> Outcome<pgrx::JsonB> {
    // The lock lets one start at a time, so that a second one finds the steps of the first.
    const SPONSOR: &str = "
        SELECT s.event_id, s.profile_id, s.status FROM convene.sponsors s WHERE s.id = $1 FOR NO KEY UPDATE";
    let (id, service) = access::managed_sponsor(id)?;
    let now = auth::moment(Some(super::finite(now)?), service)?;
    with_owner(|| {
        let (event, profile, status) = db::write(SPONSOR, &[id.into()], |row| {
            Ok((row.get::<pgrx::Uuid>(1)?, row.get::<pgrx::Uuid>(2)?, row.want::<String>(3)?))
        })?
        .pop()
        .ok_or_else(|| access::refuse(service, "sponsor", id))?;
        if status == "churned" {
            return Err(Failure(Error::WrongState {
                message: format!("sponsor {id} is gone"),
                detail: "Its status is churned.".into(),
                hint: "Set another status first if it is to be asked again.".into(),
            }));
        }
        let event = required(event, "the sponsor's event").map_err(|_| {
            Failure(Error::WrongState {
                message: format!("sponsor {id} belongs to no event"),
                detail: "A renewal is asked for by the event that was sponsored.".into(),
                hint: "Add the sponsor to the event.".into(),
            })
        })?;
        let mut steps = started(id, event)?;
        let fresh = steps.is_empty();
        if fresh {
            let forecast =
                forecast_of(id)?.ok_or_else(|| access::refuse(service, "sponsor", id))?;
            queue(id, event, profile, &forecast, now)?;
            steps = started(id, event)?;
        }
        Ok(pgrx::JsonB(json!({
            "sponsor_id": id.to_string(), "event_id": event.to_string(), "started": fresh,
            "steps": steps,
        })))
    })
}

/// The steps that are queued or done, as JSON.
fn started(id: pgrx::Uuid, event: pgrx::Uuid) -> Outcome<Vec<Value>> {
    const STARTED: &str = "
        SELECT (o.payload || pg_catalog.jsonb_build_object('job_id', o.id, 'status', o.status))::text
          FROM convene.outbox o
         WHERE o.target_id = $1 AND o.target_kind = 'sponsor' AND o.topic = 'renewal' AND o.event_id = $2
         ORDER BY (o.payload ->> 'day')::integer, o.id";
    db::read(STARTED, &[id.into(), event.into()], |row| {
        Ok(super::customer::document(&row.want::<String>(1)?))
    })
}

fn queue(
    id: pgrx::Uuid,
    event: pgrx::Uuid,
    profile: Option<pgrx::Uuid>,
    forecast: &Forecast,
    now: TimestampWithTimeZone,
) -> Outcome<()> {
    // What reaches the sponsor's person is theirs to refuse when it is claimed; calls are the organizer's own to-do.
    const QUEUE: &str = "
        INSERT INTO convene.outbox (topic, target_kind, target_id, event_id, profile_id, idempotency_key, available_at, payload)
        SELECT 'renewal', 'sponsor', $1, $2, CASE WHEN s.who = 'sponsor' THEN $3::uuid END,
               'renewal:' || $1 || ':' || $2 || ':' || s.step, $4 + pg_catalog.make_interval(days => s.day),
               pg_catalog.jsonb_build_object('step', s.step, 'who', s.who, 'channel', s.channel, 'day', s.day,
                 'contact_on', $4 + pg_catalog.make_interval(days => s.day), 'purpose', s.purpose)
          FROM unnest($5::text[], $6::text[], $7::text[], $8::integer[], $9::text[])
               s(step, who, channel, day, purpose)
        ON CONFLICT (idempotency_key) DO NOTHING";
    const CONTACTED: &str = "
        UPDATE convene.sponsors SET renewal_contacted_at = $2 WHERE id = $1";
    let steps = sequence(forecast.likely());
    let column = |text: fn(&convene_engine::leads::Step) -> &'static str| {
        steps.iter().map(text).map(ToOwned::to_owned).collect::<Vec<String>>()
    };
    db::execute(
        QUEUE,
        &[
            id.into(),
            event.into(),
            profile.into(),
            now.into(),
            column(|step| step.step).into(),
            column(|step| step.who).into(),
            column(|step| step.channel).into(),
            steps.iter().map(|step| step.day as i32).collect::<Vec<_>>().into(),
            column(|step| step.purpose).into(),
        ],
    )?;
    db::execute(CONTACTED, &[id.into(), now.into()])?;
    Ok(())
}
