//! The conversation with contractors by short message: introductions, answers, prompts.
//!
//! Whatever concerns a person is decided under a lock on their row in `contractors`, taken in the
//! order of ids and before any other; then come `event_attendees`, matches, messages. Work in the
//! outbox is only ever inserted, or taken with SKIP LOCKED, so that nobody waits for a worker.

mod asking;
mod dispatch;
mod introductions;
mod messages;
mod places;
mod prompts;
pub mod rendering;
mod responses;

use convene_engine::conversation::{Limits, MINUTE, Phase, minute_of};
use pgrx::prelude::*;
use serde_json::Value;

use crate::auth;
use crate::db;
use crate::error::{Outcome, invalid};
use crate::moments::{micros, moment};

/// The limits of the settings. A value of another kind is as good as none.
fn limits() -> Outcome<Limits> {
    const SETTINGS: &str = "
        SELECT s.key,
               CASE pg_catalog.jsonb_typeof(s.value) WHEN 'number'
                    THEN least(greatest(s.value::numeric, 0), 1e6)::float8 END,
               CASE pg_catalog.jsonb_typeof(s.value) WHEN 'string' THEN s.value #>> '{}' END
          FROM convene.settings s WHERE s.key LIKE 'peers.%'";
    let mut limits = Limits::default();
    let found = db::read(SETTINGS, &[], |row| {
        Ok((row.want::<String>(1)?, row.get::<f64>(2)?, row.get::<String>(3)?))
    })?;
    for (key, number, text) in found {
        let minutes = || number.map(|minutes| (minutes * MINUTE as f64) as i64);
        let time = |default: i32| match &text {
            Some(text) => minute_of(&key, text),
            None => Ok(default),
        };
        match key.as_str() {
            "peers.introductions_per_event" => {
                limits.introductions =
                    number.map_or(limits.introductions, |n| n.min(1000.0) as i32);
            }
            "peers.prompt_gap_minutes" => limits.gap = minutes().unwrap_or(limits.gap),
            "peers.answer_minutes" => limits.patience = minutes().unwrap_or(limits.patience),
            "peers.quiet_from" => limits.quiet_from = time(limits.quiet_from)?,
            "peers.quiet_until" => limits.quiet_until = time(limits.quiet_until)?,
            "peers.help_per_hour" => {
                limits.help_per_hour = number.map_or(limits.help_per_hour, |n| n as i32);
            }
            _ => {}
        }
    }
    Ok(limits)
}

/// The moment that a call works at, in microseconds; between the years 2000 and 2200, so that an
/// hour or a day more is a moment too.
fn working_moment(at: Option<TimestampWithTimeZone>, by_service: bool) -> Outcome<i64> {
    const YEARS_200: i64 = 200 * 365 * 24 * 60 * MINUTE;
    let at = auth::moment(at, by_service)?;
    if (0..YEARS_200).contains(&micros(at)) {
        return Ok(micros(at));
    }
    invalid(
        format!("p_now {} is out of range", at.to_iso_string()),
        "",
        "Pass a moment between the years 2000 and 2200, or leave p_now out.",
    )
}

/// Locks these people, and their consent at events, until the transaction ends.
fn lock_people(ids: &[pgrx::Uuid]) -> Outcome<()> {
    const LOCK: &str = "
        SELECT 1 FROM convene.contractors c WHERE c.id = ANY ($1) ORDER BY c.id FOR NO KEY UPDATE";
    const CONSENT: &str = "
        SELECT 1 FROM convene.event_attendees a WHERE a.contractor_id = ANY ($1)
         ORDER BY a.contractor_id, a.event_id FOR SHARE";
    for sql in [LOCK, CONSENT] {
        db::write(sql, &[ids.to_vec().into()], |_| Ok(()))?;
    }
    Ok(())
}

/// Something said to a person that asks for nothing.
struct Said {
    contractor: pgrx::Uuid,
    event: Option<pgrx::Uuid>,
    match_id: Option<pgrx::Uuid>,
    phase: Phase,
    /// Parameters of the text, beside what is looked up when it is handed out.
    parameters: Value,
}

/// Puts confirmations, exchanges and help lines into the outbox.
fn say(said: &[Said], now: i64) -> Outcome<()> {
    const SAY: &str = "
        WITH new AS MATERIALIZED (
          SELECT pg_catalog.gen_random_uuid() AS id, pg_catalog.gen_random_uuid() AS job, w.*
            FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[])
                 w (contractor_id, event_id, match_id, kind, payload)),
        said AS (
          INSERT INTO convene.peer_messages
                 (id, event_id, contractor_id, match_id, direction, kind, status, queued_at,
                  created_at, outbox_id)
          SELECT n.id, n.event_id, n.contractor_id, n.match_id, 'out', n.kind, 'queued', $6, $6, n.job
            FROM new n
          ON CONFLICT (match_id, contractor_id, kind)
             WHERE kind IN ('introduction', 'contact_exchange') AND status <> 'cancelled' DO NOTHING
          RETURNING id)
        INSERT INTO convene.outbox
               (id, topic, target_kind, target_id, event_id, profile_id, idempotency_key, priority,
                payload, queued_at)
        SELECT n.job, 'sms', 'peer_message', n.id, n.event_id, c.profile_id,
               'peer_message:' || n.id::text, 10, n.payload::jsonb, pg_catalog.clock_timestamp()
          FROM new n JOIN said USING (id) JOIN convene.contractors c ON c.id = n.contractor_id";
    if said.is_empty() {
        return Ok(());
    }
    let column = |pick: fn(&Said) -> Option<pgrx::Uuid>| said.iter().map(pick).collect::<Vec<_>>();
    let kinds: Vec<&str> = said.iter().map(|one| one.phase.name()).collect();
    let payloads: Vec<String> = said.iter().map(|one| one.parameters.to_string()).collect();
    db::execute(
        SAY,
        &[
            column(|one| Some(one.contractor)).into(),
            column(|one| one.event).into(),
            column(|one| one.match_id).into(),
            kinds.into(),
            payloads.into(),
            moment(now).into(),
        ],
    )?;
    notify()
}

/// Tells listening workers that there is something to send.
fn notify() -> Outcome<()> {
    const NOTIFY: &str = "SELECT pg_catalog.pg_notify('convene_outbox', 'sms')::text";
    db::write(NOTIFY, &[], |_| Ok(()))?;
    Ok(())
}
