//! Who may call what: the roles of the API, and the grants that follow the two visible tables
//! (`convene.surface()` for functions, `convene_private.api_grants()` for the rest).

use pgrx::prelude::*;
use serde_json::json;

use crate::db;
use crate::error::{OrRaise, Outcome, invalid, required};
use crate::owner::{require_owner, with_owner};

/// The names of the three roles of the API.
pub struct Roles {
    anon: String,
    authenticated: String,
    service: String,
}

impl Roles {
    fn default() -> Self {
        Self {
            anon: "anon".into(),
            authenticated: "authenticated".into(),
            service: "service_role".into(),
        }
    }

    /// The names that `grant_api()` was last called with.
    pub fn stored() -> Outcome<Option<Self>> {
        const STORED: &str = "
            SELECT value->>'anon', value->>'authenticated', value->>'service'
              FROM convene.settings WHERE key = 'api_roles'";
        db::read_one(STORED, &[], |row| {
            Ok(Self { anon: row.want(1)?, authenticated: row.want(2)?, service: row.want(3)? })
        })
    }

    /// The stored names, else Supabase's.
    pub fn stored_or_default() -> Outcome<Self> {
        Ok(Self::stored()?.unwrap_or_else(Self::default))
    }

    fn store(&self) -> Outcome<()> {
        const STORE: &str = "
            INSERT INTO convene.settings (key, value, description)
            VALUES ('api_roles', $1, 'The roles that grant_api() was last called with.')
            ON CONFLICT (key) DO UPDATE SET value = excluded.value";
        let value = json!({
            "anon": self.anon, "authenticated": self.authenticated, "service": self.service,
        });
        db::execute(STORE, &[pgrx::JsonB(value).into()])?;
        Ok(())
    }

    /// The roles that an audience stands for: each includes the ones with more rights.
    fn of(&self, audience: &str) -> Vec<&str> {
        match audience {
            "anon" => vec![&self.anon, &self.authenticated, &self.service],
            "authenticated" => vec![&self.authenticated, &self.service],
            "service" => vec![&self.service],
            _ => vec![],
        }
    }
}

/// Lets the API's roles call what they may call and touch what they may touch.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn grant_api(
    p_anon: default!(Option<String>, "'anon'"),
    p_authenticated: default!(Option<String>, "'authenticated'"),
    p_service: default!(Option<String>, "'service_role'"),
) -> String {
    run_grant_api(p_anon, p_authenticated, p_service).or_raise()
}

fn run_grant_api(
    anon: Option<String>,
    authenticated: Option<String>,
    service: Option<String>,
) -> Outcome<String> {
    require_owner("grant the API")?;
    let roles = Roles {
        anon: required(anon, "p_anon")?,
        authenticated: required(authenticated, "p_authenticated")?,
        service: required(service, "p_service")?,
    };
    if roles.anon == roles.authenticated
        || roles.anon == roles.service
        || roles.authenticated == roles.service
    {
        return invalid(
            format!(
                "the three roles are {}, {} and {}",
                roles.anon, roles.authenticated, roles.service
            ),
            "One role for two audiences would give the smaller one the rights of the larger.",
            "Pass three different roles.",
        );
    }
    with_owner(|| grant(&roles))
}

/// Grants to those of the roles that exist, remembers the choice, and says what it did. Runs as
/// the owner of the data.
pub fn grant(roles: &Roles) -> Outcome<String> {
    const FUNCTIONS: &str = "
        SELECT audience, 'EXECUTE ON FUNCTION convene.' || signature FROM convene.surface()";
    // A list in parentheses after a table is one of columns, which the grammar wants elsewhere.
    const OBJECTS: &str = "
        SELECT audience,
               CASE WHEN privileges = 'EXECUTE' THEN 'EXECUTE ON FUNCTION ' || object
                    WHEN privileges = 'USAGE' THEN 'USAGE ON SCHEMA ' || object
                    WHEN object LIKE '%(%'
                    THEN privileges || ' (' || pg_catalog.split_part(object, '(', 2)
                         || ' ON TABLE ' || pg_catalog.split_part(object, '(', 1)
                    ELSE privileges || ' ON TABLE ' || object END
          FROM convene_private.api_grants()";
    roles.store()?;
    let present = present(roles)?;
    let mut statements = String::new();
    for source in [FUNCTIONS, OBJECTS] {
        let grants =
            db::read(source, &[], |row| Ok((row.want::<String>(1)?, row.want::<String>(2)?)))?;
        for (audience, grant) in grants {
            for role in
                roles.of(&audience).into_iter().filter(|role| present.iter().any(|p| p == role))
            {
                let role = pgrx::spi::quote_identifier(role);
                statements.extend(["GRANT ", &grant, " TO ", &role, ";\n"]);
            }
        }
    }
    if present.is_empty() {
        return Ok("no API role exists yet: SELECT convene.create_api_roles(); makes them".into());
    }
    db::script(&statements)?;
    Ok(format!("API granted to {}", present.join(", ")))
}

fn present(roles: &Roles) -> Outcome<Vec<String>> {
    const PRESENT: &str = "
        SELECT rolname::text FROM pg_catalog.pg_roles WHERE rolname = ANY ($1) ORDER BY 1";
    let names: Vec<String> =
        [&roles.anon, &roles.authenticated, &roles.service].map(Clone::clone).into();
    db::read(PRESENT, &[names.into()], |row| row.want(1))
}

/// Makes the API's roles on a plain server, under the names that `grant_api()` knows, and grants.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn create_api_roles() -> String {
    run_create_api_roles().or_raise()
}

fn run_create_api_roles() -> Outcome<String> {
    require_owner("create the API's roles")?;
    let roles = with_owner(Roles::stored_or_default)?;
    let present = with_owner(|| present(&roles))?;
    let mut made = Vec::new();
    for (role, options) in [
        (&roles.anon, "NOLOGIN NOINHERIT"),
        (&roles.authenticated, "NOLOGIN NOINHERIT"),
        (&roles.service, "NOLOGIN NOINHERIT BYPASSRLS"),
    ] {
        if !present.contains(role) {
            // As the caller, who may create roles; the owner of the data need not.
            db::script(&format!("CREATE ROLE {} {options}", pgrx::spi::quote_identifier(role)))?;
            made.push(role.as_str());
        }
    }
    let granted = with_owner(|| grant(&roles))?;
    Ok(if made.is_empty() {
        format!("all three roles exist; {granted}")
    } else {
        format!("created {}; {granted}", made.join(", "))
    })
}
