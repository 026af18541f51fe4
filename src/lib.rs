//! The extension: thin glue between PostgreSQL and the engine. It authorises, reads rows in one
//! query, lets the engine compute, writes rows in one query, and reports errors.

use pgrx::prelude::*;

mod api;
mod auth;
mod db;
mod diagnostics;
mod document;
mod embeddings;
mod error;
mod health;
mod insights;
mod install;
mod jobs;
mod leads;
mod marketplace;
mod moments;
mod networking;
mod outbox;
mod owner;
mod packed;
mod parallel;
mod peers;
mod permissions;
mod person;
mod programme;
mod queue;
mod recommendation;
mod settings;
mod signals;
mod sponsorship;
mod subtransaction;
mod vector;

::pgrx::pg_module_magic!(name, version);

extension_sql_file!("../sql/jobs.sql", name = "jobs");
extension_sql_file!("../sql/surface.sql", name = "surface", finalize);

/// Runs once per session, when the library is loaded.
#[pg_guard]
pub extern "C-unwind" fn _PG_init() {
    error::silence_backtraces();
    error::install_hook();
    settings::register();
}
