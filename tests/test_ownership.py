"""Who owns what: the extension owns functions, install() makes the rest, and nothing of that hangs on the extension."""

import pytest

from lib import catalogue
from lib.access import NO_QUERY, as_role, sqlstate

# Procedures, which could not commit with a SET clause: each pins the path for every transaction of its own.
COMMIT = {"run_job", "run_due_jobs"}
AUDIENCES = {
    "public": {"nobody", "anon", "authenticated", "service_role"},
    "anon": {"anon", "authenticated", "service_role"},
    "authenticated": {"authenticated", "service_role"},
    "service": {"service_role"},
    "owner": set(),
}


def members(conn, columns, where="true"):
    return conn.execute(
        f"WITH {catalogue.MEMBERS} SELECT p.proname || '(' || replace(oidvectortypes(p.proargtypes), ', ', ',') || ')', {columns}"
        f" FROM members p WHERE {where} ORDER BY 1"
    ).fetchall()


@pytest.fixture(scope="module")
def stranger(cluster, template):
    """A role with no rights."""
    with cluster.connect() as connection:
        connection.execute("DROP ROLE IF EXISTS nobody")
        connection.execute("CREATE ROLE nobody")
    yield "nobody"
    with cluster.connect() as connection:
        connection.execute("DROP ROLE nobody")


def test_members_are_functions_in_the_schema_of_the_extension(conn):
    kinds = conn.execute(
        """SELECT d.classid::regclass::text, pg_describe_object(d.classid, d.objid, 0) FROM pg_depend d
           JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
           WHERE e.extname = 'convene' AND d.deptype = 'e'"""
    ).fetchall()
    assert kinds
    assert [what for kind, what in kinds if kind != "pg_proc"] == []
    assert [row[0] for row in members(conn, "1", "p.pronamespace <> 'convene'::regnamespace OR p.prokind NOT IN ('f', 'p')")] == []


def test_no_member_is_a_definer(conn):
    assert members(conn, "1", "p.prosecdef") == []


def test_members_pin_their_search_path(conn):
    pinned = "'search_path=pg_catalog, pg_temp' = ANY (coalesce(p.proconfig, '{}'))"
    loose = {signature.split("(")[0] for signature, _ in members(conn, "1", f"NOT {pinned}")}
    assert loose == NO_QUERY | COMMIT


def test_no_member_takes_or_gives_a_type_of_the_schema(conn):
    ours = """EXISTS (SELECT FROM pg_type t
                      LEFT JOIN pg_type element ON element.oid = t.typelem
                      WHERE t.oid = ANY (p.proargtypes::oid[] || coalesce(p.proallargtypes, '{}') || p.prorettype)
                        AND ('convene'::regnamespace IN (t.typnamespace, element.typnamespace)
                             OR 'convene_private'::regnamespace IN (t.typnamespace, element.typnamespace)))"""
    assert members(conn, "1", ours) == []


def test_no_member_is_overloaded(conn):
    assert members(conn, "1", "EXISTS (SELECT FROM members o WHERE o.proname = p.proname AND o.oid <> p.oid)") == []


def test_nothing_depends_on_the_extension(conn):
    assert catalogue.dependents(conn) == []


@pytest.mark.parametrize("made, found", [
    ("CREATE VIEW convene.mine AS SELECT convene.uid() AS me", "view convene.mine"),
    ("CREATE POLICY mine ON convene.venues USING (id = convene.uid())", "policy mine on table convene.venues"),
    ("ALTER TABLE convene.venues ADD COLUMN me uuid DEFAULT convene.uid()", "default value for column me of table convene.venues"),
    ("ALTER TABLE convene.venues ADD CHECK (convene.uid() IS NULL)", "constraint venues_check on table convene.venues"),
    ("CREATE INDEX mine ON convene.venues (convene.embed_text(name))", "index convene.mine"),
    ("CREATE VIEW convene.mine AS SELECT convene.uid() AS me; CREATE VIEW convene.other AS TABLE convene.mine",
     "view convene.other"),
    ("CREATE FUNCTION convene.mine() RETURNS int LANGUAGE sql AS 'SELECT 1';"
     "ALTER FUNCTION convene.mine() DEPENDS ON EXTENSION convene", "function convene.mine()"),
])
def test_a_dependency_would_be_found(conn, made, found):
    """The query of the test before, shown what it has to see."""
    with conn.transaction(force_rollback=True):
        conn.execute(made)
        assert found in catalogue.dependents(conn)


def test_the_surface_lists_every_member(conn):
    listed = [row[0] for row in conn.execute("SELECT signature FROM convene.surface()")]
    assert len(listed) == len(set(listed))
    assert set(listed) == {row[0] for row in members(conn, "1")}


def test_every_member_is_granted_to_its_audience_and_to_nobody_else(conn, stranger):
    audience = dict(conn.execute("SELECT signature, audience FROM convene.surface()").fetchall())
    assert set(audience.values()) <= set(AUDIENCES)
    wrong = []
    for signature, oid in members(conn, "p.oid"):
        for role in AUDIENCES["public"]:
            may = conn.execute("SELECT has_function_privilege(%s, %s, 'EXECUTE')", [role, oid]).fetchone()[0]
            if may != (role in AUDIENCES[audience[signature]]):
                wrong.append(f"{signature} is for {audience[signature]}, and {role} {'may' if may else 'may not'} execute it")
    assert wrong == []


def test_members_carry_no_right_beyond_their_audience(conn, stranger):
    """The access list itself, since a role may also hold a right through another."""
    audience = dict(conn.execute("SELECT signature, audience FROM convene.surface()").fetchall())
    wrong = []
    for signature, rights in members(
        conn,
        """ARRAY(SELECT CASE r.grantee WHEN 0 THEN 'PUBLIC' ELSE r.grantee::regrole::text END
                        || CASE WHEN r.is_grantable THEN '*' ELSE '' END
                 FROM aclexplode(p.proacl) r WHERE r.grantee <> p.proowner)""",
    ):
        expected = {"PUBLIC"} if audience[signature] == "public" else AUDIENCES[audience[signature]]
        expected = expected | {"pg_database_owner*"}
        if set(rights) != expected:
            wrong.append(f"{signature}: {sorted(rights)}, not {sorted(expected)}")
    assert wrong == []


def test_an_owners_function_is_refused_to_everybody_else(conn, stranger):
    for role in ("nobody", "anon", "authenticated", "service_role"):
        with as_role(conn, role):
            assert sqlstate(conn, "SELECT convene.uninstall('x')").sqlstate == "42501"
            assert sqlstate(conn, "SELECT convene.check_threads(0)").sqlstate == "42501"


def test_a_right_given_by_hand_does_not_open_what_the_function_guards(conn, stranger):
    """The grants are the outer door; the functions look for themselves."""
    try:
        conn.execute("GRANT USAGE ON SCHEMA convene TO nobody")
        conn.execute("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA convene TO nobody")
        with as_role(conn, "nobody"):
            for call in ("install()", "migrate()", "uninstall('x')", "grant_api()", "create_api_roles()",
                         "add_embedding_model('m', 3)", "adopt_copy()", "check_threads(0)", "embed_pending()",
                         "claim_embedding_jobs()"):
                assert sqlstate(conn, f"SELECT convene.{call}").sqlstate == "42501", call
    finally:
        conn.execute("REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA convene FROM nobody")
        conn.execute("REVOKE USAGE ON SCHEMA convene FROM nobody")
