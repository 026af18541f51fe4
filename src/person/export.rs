//! The person's own copy of what is known of them.

use pgrx::spi::quote_identifier;
use serde_json::{Map as Object, Value};

use super::map::{Link, Map};
use super::walk::{Condition, Known};
use crate::db;
use crate::error::Outcome;

/// Rows that are not told of: table, column and value. That somebody blocked the person stays
/// hidden from them, and so does what a member of staff noted for nobody else.
const HIDDEN: [(&str, &str, &str); 2] =
    [("networking_connections", "status", "blocked"), ("notes", "is_private", "true")];

const OUTBOX: &str = "
    SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
             'topic', o.topic, 'status', o.status, 'queued_at', o.queued_at,
             'processed_at', o.processed_at, 'payload', o.payload) ORDER BY o.queued_at, o.id), '[]')
      FROM convene.outbox o WHERE o.profile_id = $1";

/// What they did themselves; what it was about may be somebody else's.
const AUDIT_LOG: &str = "
    SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
             'at', l.at, 'table_name', l.table_name, 'row_id', l.row_id, 'action', l.action)
             ORDER BY l.at, l.id), '[]')
      FROM convene.audit_log l WHERE l.actor_id = $1";

/// The whole document.
pub fn document(profile: pgrx::Uuid) -> Outcome<pgrx::JsonB> {
    let map = Map::read()?;
    let known = Known::of(&map, profile)?;
    let mut tables = Object::new();
    for table in &map.order {
        let rows = rows_of(&map, &known, table)?;
        if !rows.is_empty() {
            tables.insert(table.clone(), Value::Array(rows));
        }
        pgrx::check_for_interrupts!();
    }
    for (name, sql) in [("outbox", OUTBOX), ("audit_log", AUDIT_LOG)] {
        let found = db::read_one(sql, &[profile.into()], |row| row.want::<pgrx::JsonB>(1))?;
        if let Some(pgrx::JsonB(Value::Array(rows))) = found
            && !rows.is_empty()
        {
            tables.insert(name.to_owned(), Value::Array(rows));
        }
    }
    Ok(pgrx::JsonB(serde_json::json!({ "profile_id": profile.to_string(), "tables": tables })))
}

/// The rows of a table, each once, without what is not for the person.
fn rows_of(map: &Map, known: &Known, table: &str) -> Outcome<Vec<Value>> {
    let mut found: Vec<Value> = Vec::new();
    let links: Vec<&Link> = map.theirs(table).filter(|link| link.exported).collect();
    for link in &links {
        let by_it = |other: &Link| std::ptr::eq(*link, other);
        let Some(condition) = known.condition_by(map, table, by_it) else { continue };
        let withheld = withheld(map, table, &links, link);
        for row in read(table, &condition, withheld)? {
            if !found.contains(&row) {
                found.push(row);
            }
        }
    }
    Ok(found)
}

fn read(table: &str, condition: &Condition, withheld: Vec<String>) -> Outcome<Vec<Value>> {
    let name = quote_identifier(table);
    let number = condition.arguments.len() + 1;
    let mut hidden = String::new();
    for (_, column, value) in HIDDEN.iter().filter(|(hidden, ..)| *hidden == table) {
        let (column, value) = (quote_identifier(column), pgrx::spi::quote_literal(value));
        hidden.extend([" AND x.", &column, "::text <> ", &value]);
    }
    let sql = format!(
        "SELECT pg_catalog.to_jsonb(x) - ${number}::text[] AS row FROM convene.{name} x
          WHERE ({}){hidden} ORDER BY 1::text",
        condition.sql
    );
    let mut values = condition.values();
    values.push(withheld.into());
    db::read_once(&sql, &values, |row| Ok(row.want::<pgrx::JsonB>(1)?.0))
}

/// Columns that the person does not get: secrets, vectors, and in the row of a pair what is the
/// other one's: of them the id only.
fn withheld(map: &Map, table: &str, links: &[&Link], by: &Link) -> Vec<String> {
    let mark = |name: &str| name.chars().find(|c| *c == '1' || *c == '2');
    let pair = links.iter().filter(|link| mark(&link.column).is_some()).count() == 2;
    let other = match mark(&by.column) {
        Some('1') if pair => Some('2'),
        Some('2') if pair => Some('1'),
        _ => None,
    };
    map.columns_of(table)
        .iter()
        .filter(|column| {
            column.withheld
                || column.kind.ends_with("vector")
                || column.kind == "bytea"
                || (other.is_some() && mark(&column.name) == other && !column.name.ends_with("_id"))
        })
        .map(|column| column.name.clone())
        .collect()
}
