"""install() on a database like Supabase's: its roles, its schemas, its default privileges, and an owner who is no superuser."""

import pytest

from lib.access import as_role, sqlstate
from lib.factory import ident

# What such a platform has made before anybody comes, as far as it concerns us. `landlord` is its 'postgres': no superuser.
PLATFORM = """
CREATE SCHEMA auth;
CREATE TABLE auth.users (id uuid PRIMARY KEY, email text);
CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS
    $$ SELECT coalesce(nullif(current_setting('request.jwt.claim.sub', true), ''),
                       nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid $$;
CREATE SCHEMA extensions;
CREATE EXTENSION vector SCHEMA extensions;
CREATE EXTENSION btree_gist SCHEMA extensions;
CREATE EXTENSION convene;
GRANT USAGE ON SCHEMA extensions, auth TO anon, authenticated, service_role, landlord;
ALTER DATABASE {database} SET search_path = "$user", public, extensions;
-- In every schema, which is more than the platform does: nothing of it may reach our tables.
ALTER DEFAULT PRIVILEGES FOR ROLE landlord GRANT ALL ON TABLES TO anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES FOR ROLE landlord GRANT ALL ON FUNCTIONS TO anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES FOR ROLE landlord GRANT ALL ON SCHEMAS TO anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES FOR ROLE landlord IN SCHEMA convene GRANT ALL ON TABLES TO anon;
"""
# Rights on what is ours, by anybody but the owner, that no list names.
HELD = """
SELECT r.grantee::regrole || ' ' || r.privilege_type || ' ' || c.oid::regclass FROM pg_class c, aclexplode(c.relacl) r
WHERE c.relnamespace = 'convene'::regnamespace AND r.grantee <> c.relowner
  AND NOT EXISTS (SELECT FROM convene_private.api_grants() g
                  WHERE split_part(g.object, '(', 1) = c.oid::regclass::text AND position(r.privilege_type IN g.privileges) > 0)
UNION ALL SELECT r.grantee::regrole || ' executes ' || p.oid::regprocedure FROM pg_proc p, aclexplode(p.proacl) r
WHERE p.pronamespace = 'convene_private'::regnamespace AND r.grantee <> p.proowner
  AND p.oid NOT IN (SELECT to_regprocedure(g.object) FROM convene_private.api_grants() g WHERE g.privileges = 'EXECUTE')
UNION ALL SELECT r.grantee::regrole || ' ' || r.privilege_type || ' convene_private' FROM pg_namespace n, aclexplode(n.nspacl) r
WHERE n.nspname = 'convene_private' AND r.grantee NOT IN (n.nspowner, 'service_role'::regrole)"""


@pytest.fixture
def platform(cluster, template, empty_db):
    """A database of such a platform; its owner is `landlord`, and the roles of the API are there (the template made them)."""
    with cluster.connect() as connection:
        connection.execute("DROP ROLE IF EXISTS landlord")
        connection.execute("CREATE ROLE landlord LOGIN CREATEROLE BYPASSRLS")
        connection.execute(f"ALTER DATABASE {empty_db.name} OWNER TO landlord")
    with empty_db.connect() as connection:
        connection.execute(PLATFORM.format(database=empty_db.name))
    yield empty_db
    with empty_db.connect() as connection:
        connection.execute("REASSIGN OWNED BY landlord TO postgres; DROP OWNED BY landlord CASCADE")
    with cluster.connect() as connection:
        connection.execute("DROP ROLE landlord")


def test_its_owner_installs_again_and_again(platform):
    with platform.connect(user="landlord") as connection:
        first = connection.execute("SELECT convene.install()").fetchone()[0]
        assert "installed" in first and "API granted to anon, authenticated, service_role" in first
        assert "installed already" in connection.execute("SELECT convene.install()").fetchone()[0]


def test_default_privileges_open_nothing(platform):
    with platform.connect(user="landlord") as connection:
        connection.execute("SELECT convene.install()")
        assert [row[0] for row in connection.execute(HELD)] == []
        # Nor on what is made later.
        connection.execute("SELECT convene.create_next_month_partitions(12)")
        assert [row[0] for row in connection.execute(HELD)] == []
    with platform.connect() as connection:
        with as_role(connection, "anon"):
            assert sqlstate(connection, "TRUNCATE convene.events CASCADE").sqlstate == "42501"
            assert sqlstate(connection, "SELECT FROM convene.profiles").sqlstate == "42501"


def test_the_platforms_own_uid_and_ours_are_the_same_person(platform):
    with platform.connect(user="landlord") as connection:
        connection.execute("SELECT convene.install()")
        connection.execute("INSERT INTO convene.profiles (id, full_name) VALUES (%s, 'Ada')", [ident("ada")])
    with platform.connect() as connection, as_role(connection, "authenticated", ident("ada")):
        assert connection.execute("SELECT auth.uid() = convene.uid()").fetchone() == (True,)
        assert connection.execute("SELECT full_name FROM convene.profiles").fetchall() == [("Ada",)]
