//! The erasure of a person, in one transaction.
//!
//! Rows that are only the person's go. Rows that others or the books rest on stay without what
//! tells who it was. What is logged is redacted in place, at the end, when everything above is
//! logged as well.

use std::collections::BTreeMap;

use pgrx::spi::{quote_identifier, quote_literal};
use serde_json::{Value, json};

use super::map::{Column, Link, Map, Meaning};
use super::walk::{Argument, Condition, Known};
use crate::db;
use crate::error::{Outcome, not_allowed, not_found};
use crate::insights;

/// What stands where a text has to stand.
const REDACTED: &str = "[erased]";

/// Locked first: whoever registers the person anew waits, and then finds nobody.
const LOCK: &str = "SELECT id FROM convene.profiles WHERE id = $1 FOR UPDATE";

/// Why the log has these changes, and a key where an operator has thrown it away.
const PREPARE: &str = "
    WITH secret AS (
      INSERT INTO convene.settings (key, value, description)
      SELECT 'erasure.key', pg_catalog.to_jsonb(pg_catalog.encode(pg_catalog.sha256(
               pg_catalog.uuid_send(pg_catalog.gen_random_uuid())
               || pg_catalog.uuid_send(pg_catalog.gen_random_uuid())), 'hex')),
             'Secret of this installation: what is left of an erased person is hashed with it'
      ON CONFLICT (key) DO NOTHING)
    SELECT pg_catalog.set_config('convene.reason', 'erasure of a person', true)";

const ERASED_BEFORE: &str = "
    SELECT pg_catalog.to_jsonb(l.at) FROM convene.audit_log l
     WHERE l.row_id = convene_private.pseudonym_id($1)
       AND l.action = 'erase' AND l.table_name = 'profiles'
     ORDER BY l.at DESC LIMIT 1";

/// Erases the person. Once is as good as twice: the second time there is nothing left to do.
pub fn person(profile: pgrx::Uuid, by_service: bool) -> Outcome<pgrx::JsonB> {
    let there = db::write(LOCK, &[profile.into()], |row| row.want::<pgrx::Uuid>(1))?;
    if there.is_empty() {
        let before =
            db::read_one(ERASED_BEFORE, &[profile.into()], |row| row.want::<pgrx::JsonB>(1))?;
        return match before {
            Some(at) => Ok(pgrx::JsonB(json!({
                "status": "already erased", "erased_at": at.0, "tables": {}, "delivered": [],
            }))),
            None if by_service => Err(not_found("profile", profile)),
            None => Err(not_allowed("profile")),
        };
    }
    db::write(PREPARE, &[], |_| Ok(()))?;
    insights::share_lock()?;
    let map = Map::read()?;
    let known = Known::of(&map, profile)?;
    let mut report = Report::about(&map, &known, by_service)?;
    close_queues(&known, &mut report)?;
    delete(&map, &known, &mut report)?;
    empty(&map, &known, &mut report)?;
    insights::count_own_changes()?;
    forget(&map, &known, &mut report)?;
    for link in &map.links {
        match link.meaning {
            Meaning::Scrub => scrub(link, &known, &mut report)?,
            Meaning::Prune => prune(link, &known, &mut report)?,
            _ => {}
        }
    }
    db::execute("DELETE FROM convene.profiles WHERE id = $1", &[profile.into()])?;
    report.count("profiles", "deleted", 1);
    redact_log(&map, &known, &mut report)?;
    report.record(profile)
}

/// What was done, table by table.
struct Report {
    tables: BTreeMap<String, BTreeMap<&'static str, i64>>,
    facts: serde_json::Map<String, Value>,
}

/// Copies that are outside, and work that a worker has in hand at this moment.
const DELIVERED: &str = "
    SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
             'topic', s.topic, 'about', s.about, 'at', s.processed_at)
             ORDER BY s.processed_at, s.id) FILTER (WHERE s.status = 'done'), '[]'),
           coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
             'topic', s.topic, 'about', s.about, 'at', s.claimed_at)
             ORDER BY s.claimed_at, s.id) FILTER (WHERE s.status = 'leased'), '[]')
      FROM (SELECT o.id, o.topic, o.target_kind AS about, o.status, o.processed_at, o.claimed_at
              FROM convene.outbox o WHERE o.profile_id = $1 OR o.target_id = ANY ($2)
            UNION ALL
            SELECT q.id, q.crm_type, 'lead', q.status, q.processed_at, q.claimed_at
              FROM convene.crm_sync_queue q WHERE q.lead_id = ANY ($2)) s";

const MEETINGS: &str = "
    SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
             'event_id', m.event_id, 'scheduled_start', m.scheduled_start, 'other_attendee_id',
             CASE WHEN m.attendee_1_id = ANY ($1) THEN m.attendee_2_id ELSE m.attendee_1_id END)
             ORDER BY m.scheduled_start, m.id), '[]')
      FROM convene.meetings m
     WHERE (m.attendee_1_id = ANY ($1) OR m.attendee_2_id = ANY ($1))
       AND m.status NOT IN ('completed', 'cancelled', 'no_show')
       AND m.scheduled_end > pg_catalog.now()";

/// Models that may have learned from the person: those of events whose sessions they chose, and
/// what was learned from outcomes of theirs.
const MODELS: &str = "
    SELECT coalesce(pg_catalog.jsonb_agg(DISTINCT l.model), '[]')
      FROM (SELECT pg_catalog.jsonb_build_object('model', 'recommendation_models', 'event_id', m.event_id) AS model
              FROM convene.recommendation_models m
              JOIN convene.session_interactions i ON i.event_id = m.event_id
             WHERE i.attendee_id = ANY ($1)
            UNION ALL
            SELECT pg_catalog.jsonb_build_object('model', 'models', 'kind', m.kind, 'scope', m.scope, 'version', m.version)
              FROM convene.models m
             WHERE m.is_active
               AND (m.scope IN (SELECT l.sponsor_id::text FROM convene.lead_scoring l WHERE l.attendee_id = ANY ($1)
                                UNION SELECT a.event_id::text FROM convene.attendees a WHERE a.id = ANY ($1))
                    OR m.scope = 'global' AND EXISTS (
                         SELECT FROM convene.attendees a WHERE a.id = ANY ($1)
                            AND a.created_at <= coalesce(m.trained_until, m.created_at)))) l";

/// Records that may be the person's, but nothing proves it: a number is what people wrote.
const UNPROVEN: &str = "
    SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
             'table', u.name, 'id', u.id) ORDER BY u.name, u.id), '[]')
      FROM (SELECT 'contacts' AS name, c.id FROM convene.contacts c
             WHERE pg_catalog.regexp_replace(c.phone, '\\D', '', 'g') = ANY ($1)
               AND c.id <> ALL ($2)
            UNION ALL
            SELECT 'contractors', c.id FROM convene.contractors c
             WHERE (c.phone_digits = ANY ($1) OR c.id IN (
                      SELECT e.contractor_id FROM convene.event_attendees e
                       WHERE e.attendee_id = ANY ($2)))
               AND c.id <> ALL ($2)) u";

/// Organizations that nobody would own any more.
const OWNERLESS: &str = "
    SELECT coalesce(pg_catalog.jsonb_agg(m.organization_id ORDER BY m.organization_id), '[]')
      FROM convene.organization_members m
     WHERE m.profile_id = $1 AND m.member_role = 'owner'
       AND NOT EXISTS (SELECT FROM convene.organization_members o
                        WHERE o.organization_id = m.organization_id AND o.member_role = 'owner'
                          AND o.profile_id <> m.profile_id)";

/// Foreign keys that no list speaks of, as of tables that users made.
const UNKNOWN_KEYS: &str = "
    SELECT k.conrelid::regclass::text, a.attname::text, f.relname::text
      FROM pg_catalog.pg_constraint k
      JOIN pg_catalog.pg_class f ON f.oid = k.confrelid
      JOIN pg_catalog.pg_namespace n ON n.oid = f.relnamespace AND n.nspname = 'convene'
      JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
      JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
     WHERE k.contype = 'f' AND k.conparentid = 0 AND f.relname = ANY ($1)
       AND NOT EXISTS (SELECT FROM convene_private.personal_links() l
                        WHERE c.relnamespace = n.oid
                          AND (l.table_name = c.relname AND l.column_name = a.attname
                               OR l.table_name = '*' AND l.refers_to = f.relname))
     ORDER BY 1, 2";

impl Report {
    /// What has to be seen before anything is done.
    fn about(map: &Map, known: &Known, by_service: bool) -> Outcome<Self> {
        let mut report = Self { tables: BTreeMap::new(), facts: serde_json::Map::new() };
        let ids = known.all_ids();
        let attendees = known.ids.get("attendees").cloned().unwrap_or_default();
        let sent = db::read_one(DELIVERED, &[known.profile.into(), ids.clone().into()], |row| {
            Ok((row.want::<pgrx::JsonB>(1)?.0, row.want::<pgrx::JsonB>(2)?.0))
        })?;
        let (delivered, in_flight) = sent.unwrap_or_default();
        report.facts.insert("delivered".into(), delivered);
        report.fact("in_flight", Some(in_flight));
        let one = |row: &db::Row<'_>| Ok(row.want::<pgrx::JsonB>(1)?.0);
        report
            .fact("meetings_cancelled", db::read_one(MEETINGS, &[attendees.clone().into()], one)?);
        report.fact("models_to_refresh", db::read_one(MODELS, &[attendees.into()], one)?);
        report.fact("without_owner", db::read_one(OWNERLESS, &[known.profile.into()], one)?);
        if by_service {
            let phones = known.phones.clone();
            report.fact("unproven", db::read_one(UNPROVEN, &[phones.into(), ids.into()], one)?);
        }
        report.unknown_keys(map, known)?;
        for link in map.links.iter().filter(|link| link.meaning == Meaning::Keep) {
            if let Some(condition) = known.named_by_others(map, link) {
                report.count(&link.table, "kept", count(&link.table, &condition)?);
            }
        }
        Ok(report)
    }

    /// Notes a list that is not empty.
    fn fact(&mut self, name: &str, value: Option<Value>) {
        if let Some(Value::Array(list)) = value
            && !list.is_empty()
        {
            self.facts.insert(name.to_owned(), Value::Array(list));
        }
    }

    /// Rows of tables that the lists do not know, and columns of the person's rows likewise.
    fn unknown_keys(&mut self, map: &Map, known: &Known) -> Outcome<()> {
        let mut unknown = Vec::new();
        let keys = db::read(UNKNOWN_KEYS, &[map.order.clone().into()], |row| {
            Ok((row.want::<String>(1)?, row.want::<String>(2)?, row.want::<String>(3)?))
        })?;
        for (table, column, parent) in keys {
            let Some(ids) = known.ids.get(&parent).filter(|ids| !ids.is_empty()) else { continue };
            let sql = format!(
                "SELECT count(*) FROM {table} x WHERE x.{} = ANY ($1)",
                quote_identifier(&column)
            );
            let rows = db::read_once(&sql, &[ids.clone().into()], |row| row.want::<i64>(1))?;
            if rows.first().is_some_and(|rows| *rows > 0) {
                unknown.push(json!({ "table": table, "column": column, "rows": rows.first() }));
            }
        }
        self.fact("not_in_the_lists", Some(Value::Array(unknown)));
        Ok(())
    }

    fn count(&mut self, table: &str, what: &'static str, rows: usize) {
        if rows > 0 {
            let counts = self.tables.entry(table.to_owned()).or_default();
            *counts.entry(what).or_default() += rows as i64;
        }
    }

    /// Writes the report into the log, where a second call finds it, and returns it.
    fn record(self, profile: pgrx::Uuid) -> Outcome<pgrx::JsonB> {
        const RECORD: &str = "
            INSERT INTO convene.audit_log (actor_id, actor_role, login, token, reason, table_name,
                                           row_id, action, changes, redacted_at)
            SELECT CASE WHEN a.actor_id = $1 THEN convene_private.pseudonym_id($1) ELSE a.actor_id END,
                   coalesce(nullif(pg_catalog.current_setting('role', true), 'none'), session_user),
                   session_user,
                   convene_private.redacted(a.token, '{}', coalesce(a.actor_id = $1, false), ARRAY[$1::text]),
                   'erasure of a person', 'profiles', convene_private.pseudonym_id($1), 'erase', $2,
                   CASE WHEN a.actor_id = $1 THEN pg_catalog.now() END
              FROM convene_private.request_actor() a";
        let mut document = self.facts;
        document.insert("status".into(), "erased".into());
        document.insert("tables".into(), json!(self.tables));
        let document = Value::Object(document);
        db::execute(RECORD, &[profile.into(), pgrx::JsonB(document.clone()).into()])?;
        Ok(pgrx::JsonB(document))
    }
}

/// Waiting work is cancelled, done work keeps topic and time.
fn close_queues(known: &Known, report: &mut Report) -> Outcome<()> {
    const OUTBOX: &str = "
        UPDATE convene.outbox o
           SET status = CASE o.status WHEN 'done' THEN 'done' ELSE 'cancelled' END,
               processed_at = coalesce(o.processed_at, pg_catalog.now()),
               profile_id = NULL, payload = '{}', result = NULL, last_error = NULL,
               target_id = CASE WHEN o.target_id = $1 THEN convene_private.pseudonym_id($1)
                                ELSE o.target_id END,
               idempotency_key = convene_private.pseudonym(o.idempotency_key)
         WHERE o.profile_id = $1 OR o.target_id = ANY ($2)
            OR EXISTS (SELECT FROM pg_catalog.unnest($3) p (proof)
                        WHERE position(p.proof IN lower(pg_catalog.concat(
                                o.payload, o.result, o.last_error, o.idempotency_key))) > 0)
        RETURNING o.status = 'cancelled'";
    // Which lead it is says who it is only while the lead is there.
    const CRM: &str = "
        UPDATE convene.crm_sync_queue q
           SET status = CASE q.status WHEN 'done' THEN 'done' ELSE 'cancelled' END,
               processed_at = coalesce(q.processed_at, pg_catalog.now()),
               payload = '{}', result = NULL, last_error = NULL,
               idempotency_key = convene_private.pseudonym(q.idempotency_key)
         WHERE q.lead_id = ANY ($2)
            OR EXISTS (SELECT FROM pg_catalog.unnest($3 || $1::text) p (proof)
                        WHERE position(p.proof IN lower(pg_catalog.concat(
                                q.payload, q.result, q.last_error, q.idempotency_key))) > 0)
        RETURNING q.status = 'cancelled'";
    for (table, sql) in [("outbox", OUTBOX), ("crm_sync_queue", CRM)] {
        let arguments = [known.profile.into(), known.all_ids().into(), known.proofs().into()];
        let closed = db::write(sql, &arguments, |row| row.want::<bool>(1))?;
        let cancelled = closed.iter().filter(|cancelled| **cancelled).count();
        report.count(table, "cancelled", cancelled);
        report.count(table, "redacted", closed.len() - cancelled);
    }
    Ok(())
}

/// Rows that are only the person's, children first. The profile is the last to go.
fn delete(map: &Map, known: &Known, report: &mut Report) -> Outcome<()> {
    for table in map.order.iter().rev().filter(|table| table.as_str() != "profiles") {
        // What goes with its parent is counted before the parent goes.
        if let Some(condition) = known.condition(map, table, |meaning| meaning == Meaning::Cascade)
        {
            let sql = format!(
                "SELECT count(*) FROM convene.{} x WHERE {}",
                quote_identifier(table),
                condition.sql
            );
            let rows = db::read_once(&sql, &condition.values(), |row| row.want::<i64>(1))?;
            report.count(table, "deleted", rows.first().map_or(0, |rows| *rows as usize));
        }
        if let Some(condition) = known.condition(map, table, |meaning| meaning == Meaning::Delete) {
            let sql = format!(
                "DELETE FROM convene.{} x WHERE {}",
                quote_identifier(table),
                condition.sql
            );
            report.count(table, "deleted", db::execute_once(&sql, &condition.values())?);
        }
        pgrx::check_for_interrupts!();
    }
    Ok(())
}

/// Rows that stay lose what tells of the person, one statement a table.
fn empty(map: &Map, known: &Known, report: &mut Report) -> Outcome<()> {
    for table in map.order.iter().rev() {
        let Some(condition) = known.condition(map, table, |meaning| meaning == Meaning::Own) else {
            continue;
        };
        let assignments: Vec<String> =
            map.columns_of(table).iter().filter_map(assignment).collect();
        let rows = if assignments.is_empty() {
            count(table, &condition)?
        } else {
            let sql = format!(
                "UPDATE convene.{} x SET {} WHERE {}",
                quote_identifier(table),
                assignments.join(", "),
                condition.sql
            );
            db::execute_once(&sql, &condition.values())?
        };
        report.count(table, if assignments.is_empty() { "kept" } else { "pseudonymised" }, rows);
        pgrx::check_for_interrupts!();
    }
    Ok(())
}

/// What becomes of a column. A text that no list names, since users added it, is emptied where it
/// may be.
fn assignment(column: &Column) -> Option<String> {
    let name = quote_identifier(&column.name);
    let array = column.kind.ends_with("[]");
    let value = match column.treatment.as_deref() {
        Some("keep") => return None,
        Some("null") => "NULL".to_owned(),
        Some("false") => "false".to_owned(),
        Some("empty") if array => "'{}'".to_owned(),
        Some("empty") => format!(
            "CASE pg_catalog.jsonb_typeof({name}) WHEN 'array' THEN '[]'::jsonb ELSE '{{}}' END"
        ),
        Some("redact") => {
            format!("CASE WHEN {name} IS NOT NULL THEN {} END", quote_literal(REDACTED))
        }
        Some("pseudonym") => format!("convene_private.pseudonym({name})"),
        Some("email") => pseudonymous_address(&name),
        Some(other) => quote_literal(other.strip_prefix('=')?),
        None if column.nullable => "NULL".to_owned(),
        None => return None,
    };
    Some(format!("{name} = {value}"))
}

/// Rows of others no longer say who it was, or where the person could be reached.
fn forget(map: &Map, known: &Known, report: &mut Report) -> Outcome<()> {
    for link in &map.links {
        let column = quote_identifier(&link.column);
        let (value, what) = match link.meaning {
            Meaning::Null => ("NULL".to_owned(), "nulled"),
            Meaning::Address => (pseudonymous_address(&column), "redacted"),
            _ => continue,
        };
        let mut arguments: Vec<Argument> = Vec::new();
        let Some(sql) = known.names_them(link, &mut arguments) else { continue };
        let condition = Condition { sql, arguments };
        let sql = format!(
            "UPDATE convene.{} x SET {column} = {value} WHERE {}",
            quote_identifier(&link.table),
            condition.sql
        );
        report.count(&link.table, what, db::execute_once(&sql, &condition.values())?);
    }
    Ok(())
}

/// What stands for an address; the same for the same one, however it is written.
fn pseudonymous_address(column: &str) -> String {
    format!("convene_private.pseudonym(lower({column})) || '@erased.invalid'")
}

fn count(table: &str, condition: &Condition) -> Outcome<usize> {
    let sql = format!(
        "SELECT count(*) FROM convene.{} x WHERE {}",
        quote_identifier(table),
        condition.sql
    );
    let rows = db::read_once(&sql, &condition.values(), |row| row.want::<i64>(1))?;
    Ok(rows.first().map_or(0, |rows| *rows as usize))
}

/// What shows that a text has to do with the person.
fn marks(link: &Link, known: &Known) -> Vec<String> {
    let ids = known.ids.get(&link.refers_to).map_or(&[][..], Vec::as_slice);
    known.proofs().into_iter().chain(ids.iter().map(ToString::to_string)).collect()
}

/// The person's id, names and addresses in a document of somebody else become pseudonyms.
fn scrub(link: &Link, known: &Known, report: &mut Report) -> Outcome<()> {
    let column = quote_identifier(&link.column);
    let sql = format!(
        "UPDATE convene.{} x SET {column} = convene_private.scrub_json(x.{column}, $2)
          WHERE EXISTS (SELECT FROM pg_catalog.unnest($1) m (mark)
                         WHERE position(m.mark IN lower(x.{column}::text)) > 0)
            AND convene_private.scrub_json(x.{column}, $2) <> x.{column}",
        quote_identifier(&link.table)
    );
    let words: Vec<String> =
        known.proofs().into_iter().chain(known.words.iter().cloned()).collect();
    let rows = db::execute_once(&sql, &[marks(link, known).into(), words.into()])?;
    report.count(&link.table, "redacted", rows);
    Ok(())
}

/// Elements of a list that have to do with the person go.
fn prune(link: &Link, known: &Known, report: &mut Report) -> Outcome<()> {
    let column = quote_identifier(&link.column);
    let sql = format!(
        "UPDATE convene.{} x SET {column} = coalesce((
             SELECT pg_catalog.jsonb_agg(e.value ORDER BY e.place)
               FROM pg_catalog.jsonb_array_elements(x.{column}) WITH ORDINALITY e (value, place)
              WHERE NOT EXISTS (SELECT FROM pg_catalog.unnest($1) m (mark)
                                 WHERE position(m.mark IN lower(e.value::text)) > 0)), '[]')
          WHERE EXISTS (SELECT FROM pg_catalog.unnest($1) m (mark)
                         WHERE position(m.mark IN lower(x.{column}::text)) > 0)",
        quote_identifier(&link.table)
    );
    let rows = db::execute_once(&sql, &[marks(link, known).into()])?;
    report.count(&link.table, "redacted", rows);
    Ok(())
}

/// One pass over the log: values of the person's rows, and values that name the person in others.
fn redact_log(map: &Map, known: &Known, report: &mut Report) -> Outcome<()> {
    const REDACT: &str = "
        UPDATE convene.audit_log l
           SET changes = convene_private.redacted(l.changes,
                 coalesce((SELECT pg_catalog.array_agg(k.value)
                             FROM pg_catalog.jsonb_array_elements_text($4 -> l.table_name) k (value)
                            WHERE l.row_id <> ALL ($5)), '{}'),
                 coalesce(l.row_id = ANY ($2), false), $3),
               token = convene_private.redacted(l.token, '{role,iss}', coalesce(l.actor_id = $1, false), $3),
               row_key = convene_private.redacted(l.row_key, '{}', false, $3),
               actor_id = CASE WHEN l.actor_id = $1 THEN convene_private.pseudonym_id($1)
                               ELSE l.actor_id END,
               redacted_at = pg_catalog.now()
         WHERE l.row_id = ANY ($2) OR l.actor_id = $1
            OR EXISTS (SELECT FROM pg_catalog.unnest($3) p (proof)
                        WHERE position(p.proof IN lower(pg_catalog.concat(l.changes, l.token, l.row_key))) > 0)";
    let kept: serde_json::Map<String, Value> = map
        .order
        .iter()
        .map(|table| {
            let names: Vec<&str> = map
                .columns_of(table)
                .iter()
                .filter(|column| column.treatment.is_some() && assignment(column).is_none())
                .map(|column| column.name.as_str())
                .collect();
            (table.clone(), json!(names))
        })
        .collect();
    let rows = db::execute(
        REDACT,
        &[
            known.profile.into(),
            known.all_ids().into(),
            known.proofs().into(),
            pgrx::JsonB(Value::Object(kept)).into(),
            known.gone.clone().into(),
        ],
    )?;
    report.count("audit_log", "redacted", rows);
    Ok(())
}
