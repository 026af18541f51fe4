//! Changes of matches and meetings for Supabase's realtime server.

use pgrx::prelude::*;
use serde_json::json;

use crate::db;
use crate::error::{OrRaise, Outcome};
use crate::owner::require_owner;

/// Adds matches and meetings to the publication `supabase_realtime` where there is one.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn enable_realtime() -> pgrx::JsonB {
    require_owner("publish tables").and_then(|()| enable()).or_raise()
}

/// As the caller: whoever adds a table to a publication must own both.
fn enable() -> Outcome<pgrx::JsonB> {
    const PUBLICATION: &str = "
        SELECT p.puballtables FROM pg_catalog.pg_publication p WHERE p.pubname = 'supabase_realtime'";
    const MISSING: &str = "
        SELECT t.name FROM unnest(ARRAY['matches', 'meetings']) t (name)
         WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_publication_tables p
                            WHERE p.pubname = 'supabase_realtime' AND p.schemaname = 'convene'
                              AND p.tablename = t.name)";
    let publication: Option<bool> = db::read_one(PUBLICATION, &[], |row| row.want(1))?;
    let missing: Vec<String> = match publication {
        Some(false) => db::read(MISSING, &[], |row| row.want(1))?,
        _ => vec![],
    };
    for table in &missing {
        // One of two constants, whatever the catalogue says.
        let statement = match table.as_str() {
            "matches" => "ALTER PUBLICATION supabase_realtime ADD TABLE convene.matches",
            _ => "ALTER PUBLICATION supabase_realtime ADD TABLE convene.meetings",
        };
        db::script(statement)?;
    }
    Ok(pgrx::JsonB(json!({
        "publication": publication.is_some(),
        "added": missing,
        "channel": "convene_networking",
    })))
}
