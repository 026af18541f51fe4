//! Making, upgrading and removing what holds data. Nothing of it belongs to the extension, so a
//! dump carries it and `DROP EXTENSION` leaves it alone.
//!
//! `unsafe` is needed to ask the server whether an extension script is running.
#![allow(unsafe_code)]

use convene_engine::Error;
use pgrx::prelude::*;
use pgrx::spi::quote_identifier;

use crate::api;
use crate::db;
use crate::error::{Failure, OrRaise, Outcome, invalid, required};
use crate::owner::{ledger_if_installed, not_installed, require_owner, with_owner};

/// The version of this library, and of the schema that it makes.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The oldest pgvector that scans an index again when a filter took too much.
const LEAST_VECTOR: (u32, u32) = (0, 8);
/// Stands for pgvector's schema in the files, as in extension scripts of newer servers.
const VECTOR_SCHEMA: &str = "@extschema:vector@";
/// First key of the advisory lock under which the schema changes.
const LOCK_CLASS: i32 = 0x636e_7669;

/// What `install()` runs, in this order.
const FILES: [&str; 17] = [
    include_str!("../sql/platform.sql"),
    include_str!("../sql/identity.sql"),
    include_str!("../sql/events.sql"),
    include_str!("../sql/crm.sql"),
    include_str!("../sql/ticketing.sql"),
    include_str!("../sql/recommendation.sql"),
    include_str!("../sql/networking.sql"),
    include_str!("../sql/peers.sql"),
    include_str!("../sql/sponsorship.sql"),
    include_str!("../sql/insights.sql"),
    include_str!("../sql/sponsorship_queue.sql"),
    include_str!("../sql/signals.sql"),
    include_str!("../sql/leads.sql"),
    include_str!("../sql/money.sql"),
    include_str!("../sql/marketplace.sql"),
    include_str!("../sql/audit.sql"),
    include_str!("../sql/grants.sql"),
];

/// One step from a released version of the schema to the next.
struct Step {
    from: &'static str,
    to: &'static str,
    sql: &'static str,
}

/// Every step there is, oldest first. The first release has none.
const STEPS: [Step; 0] = [];

/// The version of the library that serves this session.
#[pg_extern(immutable, parallel_safe)]
fn library_version() -> &'static str {
    VERSION
}

/// Makes the schema that holds the data, owned by the caller. Calling it again changes nothing.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn install(p_grant_api: default!(Option<bool>, "true")) -> String {
    run_install(p_grant_api).or_raise()
}

/// Brings the data of an older version to this library's.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn migrate() -> String {
    run_migrate().or_raise()
}

/// Drops everything that `install()` made, with all data in it.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn uninstall(p_confirm: Option<&str>) -> String {
    run_uninstall(p_confirm).or_raise()
}

fn run_install(grant_api: Option<bool>) -> Outcome<String> {
    let grant_api = required(grant_api, "p_grant_api")?;
    refuse_in_script("install")?;
    lock()?;
    let done = if ledger_if_installed().is_some() {
        require_owner("install")?;
        expect_current(&with_owner(installed_version)?)?;
        format!("convene {VERSION} is installed already")
    } else {
        make_everything()?;
        format!("convene {VERSION} installed")
    };
    if !grant_api {
        return Ok(done);
    }
    let granted = with_owner(|| api::grant(&api::Roles::stored_or_default()?))?;
    Ok(format!("{done}; {granted}"))
}

fn make_everything() -> Outcome<()> {
    refuse_foreign_schema()?;
    let vector = vector_schema()?;
    for file in FILES {
        db::script(&file.replace(VECTOR_SCHEMA, &quote_identifier(&vector)))?;
        pgrx::check_for_interrupts!();
    }
    record(VERSION, "installed")?;
    remember_home()
}

fn run_migrate() -> Outcome<String> {
    refuse_in_script("migrate")?;
    lock()?;
    require_owner("migrate")?;
    with_owner(|| {
        let before = installed_version()?;
        let steps = steps_between(&before)?;
        for step in &steps {
            db::script(step.sql)?;
            record(step.to, &format!("migrated from {}", step.from))?;
        }
        let granted = match api::Roles::stored()? {
            Some(roles) => format!("; {}", api::grant(&roles)?),
            None => String::new(),
        };
        Ok(if steps.is_empty() {
            format!("the data is at {VERSION} already{granted}")
        } else {
            format!("migrated from {before} to {VERSION}{granted}")
        })
    })
}

/// The steps that lead from `version` to the library's.
fn steps_between(version: &str) -> Outcome<Vec<&'static Step>> {
    let mut at = version;
    let mut steps = Vec::new();
    while at != VERSION {
        let Some(step) = STEPS.iter().find(|step| step.from == at) else {
            return Err(unknown_version(version));
        };
        steps.push(step);
        at = step.to;
    }
    Ok(steps)
}

fn unknown_version(version: &str) -> Failure {
    Failure(Error::WrongState {
        message: format!(
            "the data is at version {version}, which this library, {VERSION}, cannot bring forward"
        ),
        detail: "A library serves its own version of the data and migrates older ones.".into(),
        hint: format!("Install the library of version {version} or newer."),
    })
}

fn expect_current(version: &str) -> Outcome<()> {
    if version == VERSION {
        return Ok(());
    }
    steps_between(version)?;
    Err(Failure(Error::WrongState {
        message: format!("the data is at version {version}, the library at {VERSION}"),
        detail: String::new(),
        hint: "Run ALTER EXTENSION convene UPDATE; SELECT convene.migrate();".into(),
    }))
}

fn run_uninstall(confirm: Option<&str>) -> Outcome<String> {
    refuse_in_script("uninstall")?;
    lock()?;
    require_owner("uninstall")?;
    let confirm = required(confirm, "p_confirm")?;
    let database = database_name()?;
    if confirm != database {
        return invalid(
            format!("p_confirm is {confirm:?}, not the name of this database"),
            "uninstall() drops every table of convene with all its rows.",
            format!("If that is what you want: SELECT convene.uninstall('{database}');"),
        );
    }
    with_owner(|| {
        let views = relations("v")?;
        if !views.is_empty() {
            db::script(&format!("DROP VIEW {}", views.join(", ")))?;
        }
        let materialised = made("MATERIALIZED VIEW", "convene");
        db::script(&format!("DROP MATERIALIZED VIEW {}", materialised.join(", ")))?;
        let tables = relations("rp")?;
        db::script(&format!("DROP TABLE {}", tables.join(", ")))?;
        db::script(&format!("DROP FUNCTION {}", made("FUNCTION", "convene_private").join(", ")))?;
        db::script("DROP SCHEMA convene_private")?;
        Ok(format!(
            "{} tables dropped; DROP EXTENSION convene removes the functions",
            tables.len() + materialised.len()
        ))
    })
}

/// What `install()` made of these kinds (`pg_class.relkind`). Dropping by this list and without
/// CASCADE leaves whatever users built on it in the way, where they hear of it.
fn relations(kinds: &str) -> Outcome<Vec<String>> {
    const RELATIONS: &str = "
        SELECT DISTINCT g.object
          FROM convene_private.api_grants() g
          JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(g.object)
         WHERE g.audience = 'service' AND g.privileges NOT IN ('EXECUTE', 'USAGE')
           AND pg_catalog.strpos($1, c.relkind::text) > 0
         ORDER BY g.object";
    db::read(RELATIONS, &[kinds.into()], |row| row.want(1))
}

/// What the files make of a kind in a schema: they write their heads in one way and overload nothing.
fn made(kind: &str, schema: &str) -> Vec<String> {
    let head = format!("CREATE {kind} {schema}.");
    FILES
        .iter()
        .flat_map(|file| file.lines())
        .filter_map(|line| line.strip_prefix(head.as_str()))
        .filter_map(|rest| rest.split(['(', ' ']).next())
        .map(|name| format!("{schema}.{name}"))
        .collect()
}

/// What an extension script makes belongs to the extension, and would go with it.
fn refuse_in_script(what: &str) -> Outcome<()> {
    // SAFETY: reads a flag of the server on its own thread.
    if unsafe { pg_sys::creating_extension } {
        return Err(Failure(Error::WrongState {
            message: format!("convene.{what}() cannot run inside an extension script"),
            detail: "Tables made there would belong to that extension and be dropped with it."
                .into(),
            hint: format!(
                "Call SELECT convene.{what}(); after CREATE EXTENSION or ALTER EXTENSION."
            ),
        }));
    }
    Ok(())
}

fn lock() -> Outcome<()> {
    db::execute("SELECT pg_catalog.pg_advisory_xact_lock($1, 0)", &[LOCK_CLASS.into()])?;
    Ok(())
}

/// The owner of a schema may drop what is in it and put something else there. What we make belongs
/// to the caller and is trusted with the caller's rights, so the schema must be the caller's own or
/// a superuser's: also the owner of the database is a stranger to a superuser who installs.
fn refuse_foreign_schema() -> Outcome<()> {
    const OWNER: &str = "
        SELECT r.rolname::text,
               r.rolsuper OR r.rolname = current_user
                 OR r.rolname = 'pg_database_owner' AND d.datdba = me.oid
          FROM pg_catalog.pg_namespace n
          JOIN pg_catalog.pg_roles r ON r.oid = n.nspowner
          JOIN pg_catalog.pg_roles me ON me.rolname = current_user
          JOIN pg_catalog.pg_database d ON d.datname = pg_catalog.current_database()
         WHERE n.nspname = 'convene'";
    let found = db::read_one(OWNER, &[], |row| Ok((row.want::<String>(1)?, row.want::<bool>(2)?)))?;
    match found {
        Some((owner, false)) => Err(Failure(Error::WrongState {
            message: format!("schema convene belongs to {owner}"),
            detail: "Its owner could replace what install() makes.".into(),
            hint:
                "Run install() as that role, or ALTER SCHEMA convene OWNER TO CURRENT_USER first."
                    .into(),
        })),
        _ => Ok(()),
    }
}

/// The schema of pgvector, once its version is known to be new enough.
pub fn vector_schema() -> Outcome<String> {
    const VECTOR: &str = "
        SELECT n.nspname::text, e.extversion::text
          FROM pg_catalog.pg_extension e
          JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
         WHERE e.extname = 'vector'";
    let found = db::read_one(VECTOR, &[], |row| Ok((row.want(1)?, row.want::<String>(2)?)))?;
    let Some((schema, version)) = found else {
        return Err(Failure(Error::WrongState {
            message: "pgvector is not installed in this database".into(),
            detail: String::new(),
            hint: "Run CREATE EXTENSION vector;".into(),
        }));
    };
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    if (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= LEAST_VECTOR {
        return Ok(schema);
    }
    Err(Failure(Error::Unsupported {
        message: format!("pgvector {version} is older than 0.8.0"),
        hint: "Install pgvector 0.8.0 or newer and run ALTER EXTENSION vector UPDATE;".into(),
    }))
}

fn installed_version() -> Outcome<String> {
    const LATEST: &str = "
        SELECT version FROM convene.schema_version ORDER BY applied_at DESC, version DESC LIMIT 1";
    db::read_one(LATEST, &[], |row| row.want(1))?.ok_or_else(not_installed)
}

fn record(version: &str, description: &str) -> Outcome<()> {
    const RECORD: &str = "
        INSERT INTO convene.schema_version (version, description, applied_at, applied_by)
        VALUES ($1, $2, pg_catalog.clock_timestamp(), current_user)";
    db::execute(RECORD, &[version.into(), description.into()])?;
    Ok(())
}

pub fn database_name() -> Outcome<String> {
    const NAME: &str = "SELECT pg_catalog.current_database()::text";
    db::read_one(NAME, &[], |row| row.want(1))?.ok_or_else(not_installed)
}

/// The system and database that this data lives in.
pub fn home() -> Outcome<pgrx::JsonB> {
    // SAFETY: reads a constant of the running server.
    let system = unsafe { pg_sys::GetSystemIdentifier() };
    Ok(pgrx::JsonB(serde_json::json!({
        "system_identifier": system.to_string(),
        "database": database_name()?,
    })))
}

/// Notes where the data lives, so that a restored copy can tell that it is one.
pub fn remember_home() -> Outcome<()> {
    const REMEMBER: &str = "
        INSERT INTO convene.settings (key, value, description)
        VALUES ('home', $1, 'The system and database whose workers may send.')
        ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    db::execute(REMEMBER, &[home()?.into()])?;
    Ok(())
}
