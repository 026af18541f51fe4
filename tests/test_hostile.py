"""Hostile callers and neighbours: search paths, temporary objects, objects planted beforehand, SET ROLE and row security."""

import psycopg
import pytest

from lib import villain
from lib.access import as_role, expect_error, sqlstate
from lib.cluster import Database
from lib.factory import make_event, make_world
from lib.villain import acting, strikes

# What a name without a schema could mean for a caller who brings things along.
LURES = "".join(
    f"""
CREATE FUNCTION lair.compare({kind}, {kind}) RETURNS boolean LANGUAGE plpgsql AS
    $$ BEGIN RETURN lair.strike('operator'); END $$;
""" + "".join(
        f"CREATE OPERATOR lair.{name} (FUNCTION = lair.compare, LEFTARG = {kind}, RIGHTARG = {kind});" for name in ("=", "<>", "<", ">")
    )
    for kind in ("uuid", "text", "timestamptz", "integer", "jsonb")
) + """
CREATE FUNCTION lair.array_length(anyarray, integer) RETURNS integer LANGUAGE plpgsql AS
    $$ BEGIN PERFORM lair.strike('array_length'); RETURN 1; END $$;
CREATE FUNCTION lair.now() RETURNS timestamptz LANGUAGE plpgsql AS
    $$ BEGIN PERFORM lair.strike('now'); RETURN pg_catalog.now(); END $$;
CREATE FUNCTION lair.format(text, text) RETURNS text LANGUAGE plpgsql AS
    $$ BEGIN PERFORM lair.strike('format'); RETURN pg_catalog.format($1, $2); END $$;
CREATE FUNCTION lair.cardinality(uuid[]) RETURNS integer LANGUAGE plpgsql AS
    $$ BEGIN PERFORM lair.strike('cardinality'); RETURN 1; END $$;
"""
BROUGHT_ALONG = """
SET search_path = pg_temp, lair, pg_catalog;
CREATE DOMAIN pg_temp.text AS pg_catalog.text CHECK (lair.strike('domain'));
CREATE DOMAIN pg_temp.uuid AS pg_catalog.uuid CHECK (lair.strike('domain'));
CREATE TEMP TABLE attendees AS SELECT * FROM convene.attendees LIMIT 0;
CREATE TEMP TABLE events AS SELECT * FROM convene.events LIMIT 0;
CREATE TEMP TABLE pg_class (oid oid);
CREATE FUNCTION pg_temp.lower(pg_catalog.text) RETURNS pg_catalog.text LANGUAGE sql AS 'SELECT lair.strike(''lower'')::pg_catalog.text';
"""


@pytest.fixture
def people(fresh_db):
    with fresh_db.connect() as connection:
        worlds = make_world(connection, embeddings=8, interactions=3, preferences=True)
        for event in worlds:
            villain.prepare(connection, event)
        connection.execute("DROP ROLE IF EXISTS villain; CREATE ROLE villain")
        connection.execute(villain.STRIKE + LURES)
        connection.execute(f"GRANT TEMPORARY ON DATABASE {fresh_db.name} TO PUBLIC")
    yield fresh_db, *worlds
    with fresh_db.connect() as connection:
        connection.execute("DROP OWNED BY villain; DROP ROLE villain")


def answers(connection, event, role, sub):
    told = {}
    for name, (arguments, parameters) in villain.every_call(event).items():
        try:
            with as_role(connection, role, sub), connection.transaction(force_rollback=True):
                rows = connection.execute(f"SELECT * FROM convene.{name}{arguments}", parameters).fetchall()
                told[name] = len(rows)
        except psycopg.Error as error:
            told[name] = error.sqlstate
    return told


@pytest.mark.parametrize("who", ["attendee", "organizer", "anon", "service"])
def test_a_caller_brings_a_search_path_and_temporary_things(people, who):
    database, alpha, _ = people
    role, sub = {"attendee": ("authenticated", alpha.people[0].sub), "organizer": ("authenticated", alpha.organizer),
                 "anon": ("anon", None), "service": ("service_role", None)}[who]
    with database.connect() as connection:
        expected = answers(connection, alpha, role, sub)
    with database.connect() as connection:
        connection.execute(BROUGHT_ALONG)
        with strikes(connection) as found:
            told = answers(connection, alpha, role, sub)
        assert found == []
        assert told == expected
    if who != "anon":
        assert sum(isinstance(outcome, int) for outcome in expected.values()) >= 14


def test_a_caller_reads_and_writes_tables_with_a_search_path_of_their_own(people):
    """Policies, their helpers and the triggers."""
    database, alpha, beta = people
    person = alpha.people[0]
    with database.connect() as connection:
        connection.execute(BROUGHT_ALONG)
        with strikes(connection) as found, as_role(connection, "authenticated", person.sub):
            assert connection.execute("SELECT id FROM convene.attendees").fetchall() == [(person.id,)]
            connection.execute("SELECT title FROM convene.sessions")
            connection.execute("INSERT INTO convene.session_interactions (attendee_id, event_id, session_id, kind)"
                               " VALUES (%s, %s, %s, 'bookmarked') ON CONFLICT DO NOTHING", [person.id, alpha.id, alpha.sessions[9]])
            connection.execute("UPDATE convene.attendee_preferences SET bookmarked_sessions = %s",
                               [[alpha.sessions[1], alpha.sessions[2]]])
            connection.execute("UPDATE convene.attendees SET full_name = 'New'")
            expect_error(connection, "42501", "INSERT INTO convene.session_interactions (attendee_id, event_id, session_id, kind)"
                         " VALUES (%s, %s, %s, 'bookmarked')", [beta.people[0].id, beta.id, beta.sessions[0]])
        with as_role(connection, "authenticated", alpha.organizer), strikes(connection) as more:
            connection.execute("UPDATE convene.sessions SET description = 'other words' WHERE id OPERATOR(pg_catalog.=) %s",
                               [alpha.sessions[0]])
            connection.execute("INSERT INTO convene.venues (name) VALUES ('Hall')")
        assert found + more == []


@pytest.mark.parametrize("role", ["authenticated", "anon"])
def test_set_role_is_no_way_up(cluster, people, role):
    database, alpha, _ = people
    with database.connect() as connection:
        connection.execute("CREATE ROLE door LOGIN NOINHERIT")
        connection.execute(f"GRANT {role} TO door")
    try:
        with database.connect(user="door") as door:
            assert sqlstate(door, "SELECT * FROM convene.events").sqlstate == "42501"
            assert sqlstate(door, "SET ROLE service_role").sqlstate == "42501"
            assert sqlstate(door, "SET SESSION AUTHORIZATION postgres").sqlstate == "42501"
            door.execute(f"SET ROLE {role}")
            for statement in ("SET ROLE service_role", "SET ROLE postgres", "SET SESSION AUTHORIZATION service_role"):
                assert sqlstate(door, statement).sqlstate == "42501"
            # The token's own word about a role counts for nothing.
            door.execute("""SELECT set_config('request.jwt.claims', '{"role": "service_role", "sub": null}', false),
                                   set_config('request.jwt.claim.role', 'service_role', false),
                                   set_config('role.is', 'service_role', false)""")
            for call in ("embed_pending()", "claim_embedding_jobs()", "adopt_copy()", "install()", "check_threads(0)"):
                assert sqlstate(door, f"SELECT convene.{call}").sqlstate == "42501"
            got = sqlstate(door, "SELECT convene.get_session_recommendations(%s, %s)", [alpha.people[0].id, alpha.id])
            assert got.sqlstate == "42501"
    finally:
        with cluster.connect() as connection:
            connection.execute("DROP ROLE door")


def test_a_superuser_who_acts_as_somebody_is_that_somebody(people):
    database, alpha, beta = people
    mine, other = alpha.people[0], beta.people[0]
    with database.connect() as connection, as_role(connection, "authenticated", mine.sub):
        assert connection.execute("SELECT * FROM convene.get_session_recommendations(%s, %s)", [mine.id, alpha.id]).fetchall()
        assert sqlstate(
            connection, "SELECT convene.get_session_recommendations(%s, %s)", [other.id, beta.id]
        ).sqlstate == "42501"


def test_nobody_is_the_service_because_row_security_is_off(people):
    """Neither for their own session, nor because somebody disabled it on the table that is asked about."""
    database, alpha, _ = people
    with database.connect() as connection:
        connection.execute("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA convene TO authenticated, anon")
        for prepare in ("SET row_security = off", "ALTER TABLE convene.schema_version DISABLE ROW LEVEL SECURITY"):
            connection.execute(prepare)
            for role, sub in (("authenticated", alpha.people[0].sub), ("anon", None)):
                with as_role(connection, role, sub):
                    for call in ("embed_pending()", "claim_embedding_jobs()", "adopt_copy()"):
                        assert sqlstate(connection, f"SELECT convene.{call}").sqlstate == "42501", (prepare, role, call)
                    got = sqlstate(
                        connection, "SELECT convene.get_session_recommendations(%s, %s)", [alpha.people[1].id, alpha.id]
                    )
                    assert got.sqlstate == "42501", (prepare, role)


# Before the extension is there, in a database that the planter owns.

@pytest.fixture
def village(cluster, template):
    """A database owned by the villain, a login without other rights; the extension is not there yet."""
    with cluster.connect() as connection:
        connection.execute("DROP ROLE IF EXISTS villains_own; DROP ROLE IF EXISTS villain; CREATE ROLE villain LOGIN")
        connection.execute("CREATE DATABASE village OWNER villain TEMPLATE template0")
    made = Database(cluster, "village")
    with made.connect(user="villain") as connection:
        connection.execute(villain.STRIKE)
    yield made
    made.drop()
    with cluster.connect() as connection:
        connection.execute("DROP ROLE villain")


# Better matches for calls without a schema: exact types where the server's own functions are variadic or polymorphic.
PLANTED = """
CREATE FUNCTION {schema}.format(text, text) RETURNS text LANGUAGE plpgsql AS
    $$ BEGIN PERFORM lair.strike('format'); RETURN pg_catalog.format($1, $2); END $$;
CREATE FUNCTION {schema}.format(text, text, text) RETURNS text LANGUAGE plpgsql AS
    $$ BEGIN PERFORM lair.strike('format'); RETURN pg_catalog.format($1, $2, $3); END $$;
CREATE FUNCTION {schema}.concat_ws(text, text, text) RETURNS text LANGUAGE plpgsql AS
    $$ BEGIN PERFORM lair.strike('concat_ws'); RETURN ''; END $$;
CREATE FUNCTION {schema}.jsonb_build_object(text, text, text, name) RETURNS jsonb LANGUAGE plpgsql AS
    $$ BEGIN PERFORM lair.strike('jsonb_build_object'); RETURN '{{}}'; END $$;
CREATE FUNCTION {schema}.cardinality(uuid[]) RETURNS integer LANGUAGE plpgsql AS
    $$ BEGIN PERFORM lair.strike('cardinality'); RETURN 1; END $$;
CREATE FUNCTION {schema}.unequal(varchar, text) RETURNS boolean LANGUAGE plpgsql AS
    $$ BEGIN RETURN lair.strike('operator'); END $$;
CREATE OPERATOR {schema}.= (FUNCTION = {schema}.unequal, LEFTARG = varchar, RIGHTARG = text);
"""


@pytest.mark.parametrize("schema", ["public", "convene", "lair"])
def test_what_was_planted_before_the_extension_is_not_stepped_on(village, schema):
    with village.connect(user="villain") as connection:
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        connection.execute(PLANTED.format(schema=schema))
        connection.execute("ALTER DATABASE village SET search_path = lair, public")
    with village.connect() as connection, strikes(connection) as found:
        connection.execute("CREATE EXTENSION convene CASCADE")
        if schema == "convene":
            assert sqlstate(connection, "SELECT convene.install()").sqlstate == "55000"
            connection.execute("ALTER SCHEMA convene OWNER TO CURRENT_USER")
        connection.execute("SELECT convene.install()")
        event = make_event(connection, "village", sessions=6, interactions=2)
        villain.prepare(connection, event)
        for name, (arguments, parameters) in villain.every_call(event).items():
            try:
                with connection.transaction(force_rollback=True):
                    connection.execute(f"SELECT * FROM convene.{name}{arguments}", parameters)
            except psycopg.Error:
                pass
        assert found == []
        assert connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = 'villain'").fetchone() == (False,)


def test_a_member_cannot_be_taken_over(village):
    """CREATE EXTENSION does not replace a function that is there; its owner would own a member."""
    with village.connect(user="villain") as connection:
        connection.execute("CREATE SCHEMA convene; CREATE FUNCTION convene.uid() RETURNS uuid LANGUAGE sql AS 'SELECT NULL::uuid'")
    with village.connect() as connection:
        assert sqlstate(connection, "CREATE EXTENSION convene CASCADE").sqlstate == "42723"


def test_the_owner_of_the_database_plants_beside_what_is_there(village):
    """A superuser installed; the owner of the database may still make things in schema convene, and no function uses them."""
    with village.connect() as connection:
        connection.execute("CREATE EXTENSION convene CASCADE; SELECT convene.install()")
        event = make_event(connection, "village", sessions=6, embeddings=8, interactions=2, preferences=True)
        villain.prepare(connection, event)
    with village.connect(user="villain") as connection:
        connection.execute(
            """CREATE VIEW convene.mv_event_quality AS SELECT 1 AS one WHERE lair.strike('view');
               GRANT SELECT ON convene.mv_event_quality TO PUBLIC;
               CREATE FUNCTION convene.uid(VARIADIC text[] DEFAULT '{}') RETURNS uuid LANGUAGE plpgsql AS
                   $$ BEGIN PERFORM lair.strike('uid'); RETURN NULL; END $$;
               CREATE FUNCTION convene.surface(text DEFAULT '') RETURNS TABLE (signature text, audience text, comment text)
                   LANGUAGE plpgsql AS $$ BEGIN PERFORM lair.strike('surface'); END $$"""
        )
        connection.execute(PLANTED.format(schema="convene"))
        for statement in ("DROP TABLE convene.events", "ALTER TABLE convene.events RENAME TO mine", "DROP SCHEMA convene CASCADE",
                          "CREATE TABLE convene_private.mine ()", "ALTER SCHEMA convene RENAME TO mine",
                          "CREATE OR REPLACE FUNCTION convene.uid() RETURNS uuid LANGUAGE sql AS 'SELECT NULL::uuid'",
                          "DROP FUNCTION convene.uid()", "DROP EXTENSION convene", "ALTER TABLE convene.events OWNER TO villain"):
            assert sqlstate(connection, statement).sqlstate == "42501", statement
    for role, sub in ((None, None), ("service_role", None), ("authenticated", event.people[0].sub), ("anon", None)):
        with village.connect() as connection, strikes(connection) as found:
            for name, (arguments, parameters) in villain.every_call(event).items():
                try:
                    with acting(connection, role, sub), connection.transaction(force_rollback=True):
                        connection.execute(f"SELECT * FROM convene.{name}{arguments}", parameters)
                except psycopg.Error as error:
                    assert not connection.closed, f"{name}: {error}"
            assert villain.harmful(found) == [], role
