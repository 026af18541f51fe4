//! A sponsor sends its leads to a CRM.

use convene_engine::leads::crm::{self, Crm, Fields};
use pgrx::prelude::*;
use serde_json::json;

use super::lead::lead_columns;
use super::{LOCK_CLASS, digest_sql, follow, key_sql, lead};
use crate::db;
use crate::error::{OrRaise, Outcome, invalid, required};
use crate::leads::access::{self, Sponsor};
use crate::owner::with_owner;

/// Leads that are read at a time.
const CHUNK: i64 = 2000;
/// Leads that are queued by one statement.
const BATCH: usize = 5000;

/// Queues the leads of a sponsor for its CRM: those that it may see and that score enough.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn queue_crm_sync(
    p_sponsor_id: Option<pgrx::Uuid>,
    p_crm_type: Option<&str>,
    p_min_lead_score: default!(Option<i32>, "0"),
    p_sync_fields: default!(
        Option<Vec<Option<String>>>,
        "'{contact_info,engagement_history,lead_score}'"
    ),
) -> pgrx::JsonB {
    run(p_sponsor_id, p_crm_type, p_min_lead_score, p_sync_fields).or_raise()
}

fn run(
    sponsor_id: Option<pgrx::Uuid>,
    crm_type: Option<&str>,
    least: Option<i32>,
    fields: Option<Vec<Option<String>>>,
) -> Outcome<pgrx::JsonB> {
    let sponsor = access::sponsor(sponsor_id)?;
    let crm = Crm::parse(required(crm_type, "p_crm_type")?)?;
    let least = required(least, "p_min_lead_score")?;
    if !(0..=100).contains(&least) {
        return invalid(
            format!("p_min_lead_score must be between 0 and 100, not {least}"),
            "",
            "Pass a score, or leave it out for every lead.",
        );
    }
    let fields = groups(required(fields, "p_sync_fields")?)?;
    with_owner(|| {
        lock(sponsor.id, crm)?;
        let rendered = render(&sponsor, crm, least, fields)?;
        let mut counts = Counts::default();
        for batch in rendered.chunks(BATCH) {
            pgrx::check_for_interrupts!();
            counts.add(&enqueue(sponsor.id, crm, fields, batch)?);
        }
        if counts.added > 0 {
            notify(counts.added)?;
        }
        Ok(pgrx::JsonB(json!({
            "sponsor_id": sponsor.id.to_string(), "crm_type": crm.name(),
            "min_lead_score": least, "sync_fields": fields.names(),
            "leads": rendered.len(), "queued": counts.added, "updates": counts.updates,
            "already_queued": counts.waiting, "unchanged": counts.unchanged,
            "without_consent": withheld(&sponsor, least)?,
        })))
    })
}

/// The groups of fields that a caller names.
fn groups(names: Vec<Option<String>>) -> Outcome<Fields> {
    let names: Vec<String> = names
        .into_iter()
        .enumerate()
        .map(|(at, name)| required(name, &format!("p_sync_fields[{}]", at + 1)))
        .collect::<Outcome<_>>()?;
    Ok(Fields::parse(names.iter().map(String::as_str))?)
}

/// Callers who queue for the same target come one after the other, so that a second click finds
/// what the first one queued. Workers do not take this lock.
fn lock(sponsor: pgrx::Uuid, crm: Crm) -> Outcome<()> {
    const LOCK: &str = "
        SELECT pg_catalog.pg_advisory_xact_lock($1, pg_catalog.hashtext($2::text || $3))";
    db::write(LOCK, &[LOCK_CLASS.into(), sponsor.into(), crm.name().into()], |_| Ok(()))?;
    Ok(())
}

/// A lead and what would be sent of it.
type Rendered = (pgrx::Uuid, String);

fn render(sponsor: &Sponsor, crm: Crm, least: i32, fields: Fields) -> Outcome<Vec<Rendered>> {
    const LEADS: &str = concat!(
        "SELECT ",
        lead_columns!(),
        " FROM convene.lead_scoring l
          JOIN convene.attendees a ON a.id = l.attendee_id
          LEFT JOIN convene.profiles p ON p.id = a.profile_id
          JOIN convene.events e ON e.id = l.event_id
         WHERE l.sponsor_id = $1 AND l.consented AND l.lead_score >= $2
           AND ($3 IS NULL OR l.event_id = ANY ($3))
         ORDER BY l.lead_score DESC, l.id"
    );
    let mut rendered = Vec::new();
    let arguments = [sponsor.id.into(), least.into(), sponsor.events.clone().into()];
    db::stream(LEADS, &arguments, CHUNK, |row| {
        let (id, lead) = lead::read(row, 0)?;
        rendered.push((id, crm::render(crm, fields, &lead, true).to_string()));
        Ok(())
    })?;
    Ok(rendered)
}

/// Leads that score enough and that the sponsor may not see: a number, and nothing else.
fn withheld(sponsor: &Sponsor, least: i32) -> Outcome<i64> {
    const WITHHELD: &str = "
        SELECT pg_catalog.count(*) FROM convene.lead_scoring l
         WHERE l.sponsor_id = $1 AND NOT l.consented AND l.lead_score >= $2
           AND ($3 IS NULL OR l.event_id = ANY ($3))";
    let arguments = [sponsor.id.into(), least.into(), sponsor.events.clone().into()];
    Ok(db::read_one(WITHHELD, &arguments, |row| row.want(1))?.unwrap_or(0))
}

/// One row per lead and target waits. What waits, failed or was cancelled is taken up again; what a
/// worker has in hand is not touched, and is followed by a row of its own if the lead says something
/// else by now; what was done is history. Nothing here waits for a worker: a row that a claim has
/// locked counts as in hand.
///
/// A row that failed or was cancelled after it had been handed out may or may not have reached the
/// CRM, so it is sent again even if the lead is as it was.
const ENQUEUE: &str = concat!(
    "WITH asked AS MATERIALIZED (
      SELECT l.id AS lead_id, l.event_id,
",
    digest_sql!("i.content"),
    " AS content
        FROM unnest($1::uuid[], $2::text[]) i (id, content)
        JOIN convene.lead_scoring l ON l.id = i.id),
    delivered AS MATERIALIZED (
      SELECT DISTINCT ON (q.lead_id) q.lead_id, q.payload->>'content' AS content, q.processed_at
        FROM convene.crm_sync_queue q
       WHERE q.lead_id = ANY ($1) AND q.crm_type = $3 AND q.status = 'done'
       ORDER BY q.lead_id, q.processed_at DESC, q.id DESC),
    in_hand AS MATERIALIZED (
      SELECT DISTINCT ON (q.lead_id) q.lead_id, q.payload->>'content' AS content
        FROM convene.crm_sync_queue q
       WHERE q.lead_id = ANY ($1) AND q.crm_type = $3 AND q.status = 'leased'
       ORDER BY q.lead_id, q.claimed_at DESC, q.id DESC),
    held AS MATERIALIZED (
      SELECT q.id, q.lead_id, q.status, q.attempts, q.processed_at, q.queued_at
        FROM convene.crm_sync_queue q
       WHERE q.lead_id = ANY ($1) AND q.crm_type = $3
         AND q.status IN ('pending', 'failed', 'cancelled')
         FOR UPDATE SKIP LOCKED),
    spare AS MATERIALIZED (
      SELECT DISTINCT ON (h.lead_id) h.* FROM held h
       ORDER BY h.lead_id, h.status = 'pending' DESC, h.queued_at DESC, h.id DESC),
    wanted AS MATERIALIZED (
      SELECT a.lead_id, a.event_id, a.content, s.id AS spare_id, d.lead_id IS NOT NULL AS again,
             coalesce(s.status = 'pending', false) AS waits,
             coalesce(s.id, pg_catalog.gen_random_uuid()) AS id
        FROM asked a
        LEFT JOIN delivered d USING (lead_id)
        LEFT JOIN in_hand h USING (lead_id)
        LEFT JOIN spare s USING (lead_id)
       WHERE s.status = 'pending'
          OR a.content IS DISTINCT FROM coalesce(h.content, d.content)
          OR (h.lead_id IS NULL AND s.attempts > 0
              AND (d.processed_at IS NULL OR s.processed_at > d.processed_at))),
    keyed AS MATERIALIZED (
      SELECT w.*, ",
    key_sql!("$3", "w.lead_id", "w.id", "w.content"),
    " AS key FROM wanted w),
    taken_up AS (
      UPDATE convene.crm_sync_queue q
         SET status = 'pending', idempotency_key = k.key,
             payload = pg_catalog.jsonb_build_object('content', k.content, 'sync_fields',
               CASE WHEN k.waits THEN
                 (SELECT pg_catalog.jsonb_agg(DISTINCT f.name)
                    FROM pg_catalog.jsonb_array_elements_text($4 ||
                           coalesce(q.payload->'sync_fields', '[]')) f (name))
               ELSE $4 END),
             attempts = CASE WHEN k.waits THEN q.attempts ELSE 0 END,
             available_at = CASE WHEN k.waits THEN q.available_at ELSE pg_catalog.now() END,
             queued_at = CASE WHEN k.waits THEN q.queued_at ELSE pg_catalog.now() END,
             last_error = CASE WHEN k.waits THEN q.last_error END,
             lease_token = NULL, lease_until = NULL, processed_at = NULL
        FROM keyed k
       WHERE q.id = k.spare_id
         AND NOT (k.waits AND q.payload->>'content' = k.content
                  AND q.payload->'sync_fields' @> $4)),
    fresh AS (
      INSERT INTO convene.crm_sync_queue
             (id, lead_id, sponsor_id, event_id, crm_type, idempotency_key, payload)
      SELECT k.id, k.lead_id, $5, k.event_id, $3, k.key,
             pg_catalog.jsonb_build_object('content', k.content, 'sync_fields', $4)
        FROM keyed k WHERE k.spare_id IS NULL)
    SELECT k.lead_id, k.waits, k.again FROM keyed k"
);

#[derive(Default)]
struct Counts {
    added: i64,
    updates: i64,
    waiting: i64,
    unchanged: i64,
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.added += other.added;
        self.updates += other.updates;
        self.waiting += other.waiting;
        self.unchanged += other.unchanged;
    }
}

fn enqueue(sponsor: pgrx::Uuid, crm: Crm, fields: Fields, batch: &[Rendered]) -> Outcome<Counts> {
    let (ids, contents): (Vec<pgrx::Uuid>, Vec<String>) = batch.iter().cloned().unzip();
    let arguments = [
        ids.into(),
        contents.into(),
        crm.name().into(),
        pgrx::JsonB(json!(fields.names())).into(),
        sponsor.into(),
    ];
    let mut counts = Counts::default();
    let mut added = Vec::new();
    let wanted = db::write(ENQUEUE, &arguments, |row| {
        Ok((row.want::<pgrx::Uuid>(1)?, row.want::<bool>(2)?, row.want::<bool>(3)?))
    })?;
    counts.unchanged = (batch.len() - wanted.len()) as i64;
    for (lead, waits, again) in wanted {
        if waits {
            counts.waiting += 1;
        } else {
            counts.added += 1;
            counts.updates += i64::from(again);
            added.push(lead);
        }
    }
    follow(added)?;
    Ok(counts)
}

fn notify(added: i64) -> Outcome<()> {
    const NOTIFY: &str = "SELECT pg_catalog.pg_notify('convene_crm_sync_queue', $1::text)";
    db::write(NOTIFY, &[added.into()], |_| Ok(()))?;
    Ok(())
}
