"""install() and migrate(): once, again, at the same time, in the wrong place, and by others than superusers."""

import threading
import time

import pytest

from lib import catalogue
from lib.access import as_role, expect_error, sqlstate
from lib.cluster import Database
from lib.factory import bookmark, make_event

INSTALL_HINT = "Run SELECT convene.install();"
# What answers before there is any data: install() itself, and what reads nothing but its arguments and the request.
ANSWERS_ALWAYS = {"install", "uid", "email", "claim", "embed_text", "surface", "library_version",
                  "lead_score", "lead_engagement_score", "lead_intent_score",
                  "sponsor_fit_score", "sponsor_fit_metrics", "jaccard", "overlap_share", "budget_fit", "engagement_quality", "region_code",
                  "score_sentiment"}
VALUES = {
    "uuid": "gen_random_uuid()", "integer": "10", "bigint": "10", "text": "'x'", "jsonb": "'{}'", "boolean": "true",
    "real[]": "'{1}'", "numeric": "1", "double precision": "1", "interval": "'1 minute'",
    "timestamp with time zone": "now()", "text[]": "'{x}'", "uuid[]": "'{}'",
}
RECOMMEND = """SELECT session_id, similarity_score, recommendation_reason FROM
               convene.get_session_recommendations(%s, %s, 10, 'hybrid', %s)"""


@pytest.fixture
def bare(empty_db):
    """The extension and the roles, and no install() yet."""
    with empty_db.connect() as connection:
        connection.execute("CREATE EXTENSION convene CASCADE")
    return empty_db


def calls(connection):
    """Every member as a call, once with values and once with nulls."""
    rows = connection.execute(
        f"""WITH {catalogue.MEMBERS} SELECT p.proname, ARRAY(SELECT format_type(t, NULL) FROM unnest(p.proargtypes) t),
                   CASE p.prokind WHEN 'p' THEN 'CALL' ELSE 'SELECT * FROM' END
            FROM members p ORDER BY 1"""
    ).fetchall()
    for name, types, verb in rows:
        yield name, f"{verb} convene.{name}({', '.join(VALUES[kind] for kind in types)})"
        yield name, f"{verb} convene.{name}({', '.join(f'NULL::{kind}' for kind in types)})"


def test_everything_asks_for_install_first(bare):
    with bare.connect() as connection:
        told = {}
        for name, call in calls(connection):
            if name not in ANSWERS_ALWAYS:
                told[call] = sqlstate(connection, call)
        members = connection.execute("SELECT count(*) FROM convene.surface()").fetchone()[0]
    assert len({call.split("(")[0] for call in told}) == members - len(ANSWERS_ALWAYS)
    assert {call: got for call, got in told.items() if (got.sqlstate, got.hint) != ("55000", INSTALL_HINT)} == {}


def test_what_needs_no_data_answers_before_install(bare):
    with bare.connect() as connection:
        assert connection.execute("SELECT convene.uid(), convene.email(), convene.claim('role')").fetchone() == (None,) * 3
        assert connection.execute("SELECT cardinality(convene.embed_text('hello'))").fetchone() == (256,)
        version = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'convene'").fetchone()
        assert connection.execute("SELECT convene.library_version()").fetchone() == version
        assert connection.execute("SELECT count(*) FROM convene.surface()").fetchone()[0] > 20


def test_the_extension_alone_makes_no_relation(bare):
    with bare.connect() as connection:
        assert catalogue.objects(connection, "relation", "type", "policy", "trigger", "constraint") == {}


def test_install_again_changes_nothing(fresh_db):
    with fresh_db.connect() as connection:
        make_event(connection, "alpha", interactions=2, preferences=True)
        before = catalogue.objects(connection), catalogue.checksums(connection)
        answer = connection.execute("SELECT convene.install()").fetchone()[0]
        assert "installed already" in answer
        assert catalogue.difference(before[0], catalogue.objects(connection)) == []
        # The roles that were granted are written down again.
        sums = catalogue.checksums(connection)
        assert {name for name in sums if sums[name] != before[1][name]} <= {"convene.settings"}


def test_everything_belongs_to_who_installed(fresh_db):
    with fresh_db.connect() as connection:
        owners = connection.execute(
            """SELECT DISTINCT relowner::regrole::text FROM pg_class
               WHERE relnamespace IN ('convene'::regnamespace, 'convene_private'::regnamespace)"""
        ).fetchall()
        assert owners == [("postgres",)]
        assert connection.execute("SELECT applied_by::text, version FROM convene.schema_version").fetchall() == [
            ("postgres", connection.execute("SELECT convene.library_version()").fetchone()[0])
        ]


def test_install_can_leave_the_grants_out(bare):
    with bare.connect() as connection:
        connection.execute("SELECT convene.install(false)")
        for role in ("anon", "authenticated", "service_role"):
            connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])
            with as_role(connection, role):
                assert sqlstate(connection, "SELECT * FROM convene.events").sqlstate == "42501"
        assert "granted to anon, authenticated, service_role" in connection.execute("SELECT convene.install()").fetchone()[0]
        with as_role(connection, "anon"):
            connection.execute("SELECT * FROM convene.events")


@pytest.mark.parametrize("first_commits", [True, False])
def test_two_installs_at_once(bare, first_commits):
    """The second waits; it then finds everything there, or makes it where the first gave up."""
    answer = []
    with bare.connect(autocommit=False) as first, bare.second() as second:
        first.execute("SELECT convene.install()")
        other = threading.Thread(
            target=lambda: answer.append(second.execute("SELECT convene.install()").fetchone()[0])
        )
        other.start()
        wait_for_lock(bare, second)
        assert answer == []
        first.commit() if first_commits else first.rollback()
        other.join(timeout=60)
    assert len(answer) == 1
    assert ("installed already" in answer[0]) is first_commits
    with bare.connect() as connection:
        assert connection.execute("SELECT count(*) FROM convene.schema_version").fetchone() == (1,)


def wait_for_lock(database, connection):
    until = time.monotonic() + 30
    with database.connect() as watcher:
        while time.monotonic() < until:
            state = watcher.execute(
                "SELECT wait_event_type, wait_event FROM pg_stat_activity WHERE pid = %s", [connection.info.backend_pid]
            ).fetchone()
            if state == ("Lock", "advisory"):
                return
            time.sleep(0.02)
    pytest.fail("the second session does not wait for the first")


# Any extension's script is as good as another; the event trigger runs in the middle of it.
IN_A_SCRIPT = """
CREATE TABLE public.told (state text, message text, hint text);
CREATE FUNCTION public.interfere() RETURNS event_trigger LANGUAGE plpgsql AS $$
DECLARE hint text;
BEGIN
    PERFORM convene.{call};
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
    INSERT INTO public.told VALUES (SQLSTATE, SQLERRM, hint);
END $$;
CREATE EVENT TRIGGER interfere ON ddl_command_end WHEN TAG IN ('CREATE FUNCTION') EXECUTE FUNCTION public.interfere();
CREATE EXTENSION citext;
DROP EVENT TRIGGER interfere;
"""


@pytest.mark.parametrize("call", ["install()", "migrate()", "uninstall(current_database())"])
def test_refused_inside_an_extension_script(bare, call):
    with bare.connect() as connection:
        if call != "install()":
            connection.execute("SELECT convene.install()")
        connection.execute(IN_A_SCRIPT.format(call=call))
        told = set(connection.execute("SELECT * FROM public.told").fetchall())
        name = call.split("(")[0]
        assert {row[0] for row in told} == {"55000"}
        assert {row[1] for row in told} == {f"convene.{name}() cannot run inside an extension script"}
        assert all(f"SELECT convene.{name}();" in row[2] for row in told)
        made = connection.execute("SELECT to_regclass('convene.events') IS NOT NULL").fetchone()[0]
        assert made is (call != "install()")


@pytest.mark.parametrize("version", ["0.5.1", "0.7.4", "0.7.99"])
def test_an_old_pgvector_is_refused(bare, version):
    with bare.connect() as connection, connection.transaction(force_rollback=True):
        connection.execute("UPDATE pg_extension SET extversion = %s WHERE extname = 'vector'", [version])
        expect_error(connection, "0A000", "SELECT convene.install()", message=version, hint="0.8.0 or newer")


@pytest.mark.parametrize("version", ["0.8.0", "0.8", "0.10.0", "1.0"])
def test_a_newer_pgvector_is_taken(bare, version):
    with bare.connect() as connection, connection.transaction(force_rollback=True):
        connection.execute("UPDATE pg_extension SET extversion = %s WHERE extname = 'vector'", [version])
        assert "installed" in connection.execute("SELECT convene.install()").fetchone()[0]


def test_a_missing_pgvector_is_named(bare):
    with bare.connect() as connection, connection.transaction(force_rollback=True):
        connection.execute("UPDATE pg_extension SET extname = 'not_vector' WHERE extname = 'vector'")
        expect_error(connection, "55000", "SELECT convene.install()", message="pgvector", hint="CREATE EXTENSION vector;")


def round_trip(connection, event, number):
    """A vector in by the queue, and out again by every way there is."""
    session = event.sessions[number]
    connection.execute("UPDATE convene.sessions SET description = description || '!' WHERE id = %s", [session])
    jobs = connection.execute(
        "SELECT job_id, session_id, lease_token, source_text FROM convene.claim_embedding_jobs(1000)"
    ).fetchall()
    job = next(job for job in jobs if job[1] == session)
    vector = connection.execute("SELECT convene.embed_text(%s)", [job[3]]).fetchone()[0]
    connection.execute(
        "SELECT convene.complete_embedding_job(%s, %s::real[], 'convene-hash-v1', %s)", [job[0], vector, job[2]]
    )
    stored = connection.execute(
        "SELECT embedding::real[] FROM convene.session_embeddings WHERE session_id = %s", [session]
    ).fetchone()[0]
    assert stored == vector
    similar = connection.execute("SELECT session_id FROM convene.find_similar_sessions(%s)", [session]).fetchall()
    assert 0 < len(similar) <= 10
    assert connection.execute(RECOMMEND, [event.people[0].id, event.id, event.starts]).fetchall()


@pytest.mark.parametrize("schema, moved", [("extensions", "vectors"), ("My \"Vectors\"", "extensions")])
def test_pgvector_lives_and_moves_anywhere(empty_db, schema, moved):
    quoted = [name.replace('"', '""') for name in (schema, moved)]
    with empty_db.connect() as connection:
        connection.execute(f'CREATE SCHEMA "{quoted[0]}"; CREATE SCHEMA "{quoted[1]}"')
        connection.execute(f'CREATE EXTENSION vector SCHEMA "{quoted[0]}"')
        connection.execute("CREATE EXTENSION convene CASCADE")
        connection.execute("SELECT convene.install()")
        event = make_event(connection, "alpha", sessions=8)
        bookmark(connection, event, 0, 0)
        # As many as there are: a waiting session has at most one job.
        assert connection.execute("SELECT convene.embed_pending()").fetchone() == (8,)
        round_trip(connection, event, 1)
        connection.execute("SELECT convene.add_embedding_model('before', 3)")
        connection.execute(f'ALTER EXTENSION vector SET SCHEMA "{quoted[1]}"')
        round_trip(connection, event, 2)
        connection.execute("SELECT convene.add_embedding_model('after', 3), convene.add_embedding_model('large', 3000)")
        indexes = connection.execute(
            "SELECT count(*) FROM pg_indexes WHERE schemaname = 'convene' AND indexdef LIKE '%%USING hnsw%%'"
        ).fetchone()
        # Two models from the start and three more, on three tables with vectors.
        assert indexes == (5 * 3,)
        # A session of its own has cached nothing.
    with empty_db.connect() as connection:
        round_trip(connection, event, 3)


@pytest.fixture
def owned(cluster, template):
    """A database of a login without any other right, in which a superuser made the extension."""
    with cluster.connect() as connection:
        connection.execute("CREATE ROLE landlord LOGIN")
        connection.execute("CREATE DATABASE owned OWNER landlord TEMPLATE template0")
    made = Database(cluster, "owned")
    with made.connect() as connection:
        connection.execute("CREATE EXTENSION convene CASCADE")
    yield made
    made.drop()
    with cluster.connect() as connection:
        connection.execute("DROP ROLE landlord")


def test_the_owner_of_a_database_needs_no_superuser(owned):
    with owned.connect(user="landlord") as landlord:
        assert "granted to anon, authenticated, service_role" in landlord.execute("SELECT convene.install()").fetchone()[0]
        assert landlord.execute(
            "SELECT DISTINCT tableowner::text FROM pg_tables WHERE schemaname = 'convene'"
        ).fetchall() == [("landlord",)]
        event = make_event(landlord, "alpha", embeddings=8, interactions=2)
        assert landlord.execute(RECOMMEND, [event.people[0].id, event.id, event.starts]).fetchall()
        assert "already" in landlord.execute("SELECT convene.migrate()").fetchone()[0]
        landlord.execute("SELECT convene.adopt_copy()")
        landlord.execute("SELECT convene.check_threads(0)")
        landlord.execute("SELECT convene.refresh_event_recommendations(%s)", [event.id])
    with owned.connect() as connection:
        with as_role(connection, "service_role"):
            assert connection.execute(RECOMMEND, [event.people[0].id, event.id, event.starts]).fetchall()
            connection.execute("INSERT INTO convene.venues (organization_id, name) VALUES (%s, 'Hall')", [event.organization])
            assert connection.execute("SELECT convene.embed_pending()").fetchone()[0] >= 0
        with as_role(connection, "authenticated", event.people[0].sub):
            own = connection.execute("SELECT id FROM convene.attendees").fetchall()
            assert own == [(event.people[0].id,)]
            assert connection.execute(
                "SELECT * FROM convene.serve_session_recommendations(%s, %s)", [event.people[0].id, event.id]
            ).fetchall()
        with as_role(connection, "anon"):
            assert connection.execute("SELECT id FROM convene.events").fetchall() == [(event.id,)]
        # A restore fills materialised views, so they are filled before, too.
        connection.execute("SELECT convene.refresh_marketplace()")
        before = catalogue.objects(connection), catalogue.checksums(connection)
        assert catalogue.dependents(connection) == []
    dump = owned.run("pg_dump").stdout
    copy = owned.cluster.create_database("owned_copy")
    try:
        with copy.connect() as connection:
            connection.execute("ALTER DATABASE owned_copy OWNER TO landlord")
        assert copy.psql(dump, "-1").stderr == ""
        with copy.connect() as connection:
            assert catalogue.difference(before[0], catalogue.objects(connection)) == []
            assert catalogue.checksums(connection) == before[1]
    finally:
        copy.drop()


def test_a_superuser_does_not_take_over_what_the_owner_installed(owned):
    with owned.connect(user="landlord") as landlord:
        landlord.execute("SELECT convene.install()")
    with owned.connect() as connection:
        for call in ("install()", "migrate()", "add_embedding_model('m', 3)", "grant_api()", "create_api_roles()"):
            connection.execute(f"SELECT convene.{call}")
        assert connection.execute(
            "SELECT DISTINCT relowner::regrole::text FROM pg_class"
            " WHERE relnamespace = 'convene'::regnamespace AND relkind IN ('r', 'i')"
        ).fetchall() == [("landlord",)]


def test_a_stranger_cannot_install(owned):
    with owned.connect() as connection:
        connection.execute("DROP ROLE IF EXISTS tenant")
        connection.execute("CREATE ROLE tenant")
        try:
            with as_role(connection, "tenant"):
                assert sqlstate(connection, "SELECT convene.install()").sqlstate == "42501"
            assert connection.execute("SELECT to_regclass('convene.schema_version')").fetchone() == (None,)
        finally:
            connection.execute("DROP ROLE tenant")


@pytest.mark.parametrize("planter", ["tenant", "landlord"])
def test_a_schema_of_somebody_else_is_refused(cluster, template, planter):
    """Its owner could drop what install() makes and put something else there."""
    with cluster.connect() as connection:
        connection.execute("CREATE ROLE landlord LOGIN; CREATE ROLE tenant LOGIN")
        connection.execute("CREATE DATABASE planted OWNER landlord TEMPLATE template0")
        connection.execute("GRANT CREATE ON DATABASE planted TO tenant")
    planted = Database(cluster, "planted")
    try:
        with planted.connect(user=planter) as connection:
            connection.execute("CREATE SCHEMA convene")
        with planted.connect() as connection:
            connection.execute("CREATE EXTENSION convene CASCADE")
            expect_error(
                connection, "55000", "SELECT convene.install()", message=f"belongs to {planter}", hint="OWNER TO CURRENT_USER"
            )
            assert connection.execute("SELECT to_regnamespace('convene_private')").fetchone() == (None,)
        if planter == "tenant":
            with planted.connect(user="landlord") as landlord:
                assert sqlstate(landlord, "SELECT convene.install()").sqlstate == "55000"
        else:
            with planted.connect(user="landlord") as landlord:
                assert "installed" in landlord.execute("SELECT convene.install()").fetchone()[0]
        with planted.connect() as connection:
            if planter == "tenant":
                connection.execute("ALTER SCHEMA convene OWNER TO CURRENT_USER")
                assert "installed" in connection.execute("SELECT convene.install()").fetchone()[0]
    finally:
        planted.drop()
        with cluster.connect() as connection:
            connection.execute("DROP ROLE landlord; DROP ROLE tenant")


def test_the_private_schema_cannot_be_there_before(bare):
    with bare.connect() as connection:
        connection.execute("CREATE SCHEMA convene_private")
        assert sqlstate(connection, "SELECT convene.install()").sqlstate == "42P06"
        assert connection.execute("SELECT to_regclass('convene.schema_version')").fetchone() == (None,)


@pytest.mark.parametrize("version", ["0.0.1", "99.0.0", "not a version"])
def test_data_of_a_version_that_is_not_known(fresh_db, version):
    with fresh_db.connect() as connection, connection.transaction(force_rollback=True):
        connection.execute("UPDATE convene.schema_version SET version = %s", [version])
        for call in ("migrate()", "install()"):
            expect_error(
                connection, "55000", f"SELECT convene.{call}", message=f"at version {version},",
                hint=f"Install the library of version {version} or newer",
            )
        assert connection.execute("SELECT version FROM convene.schema_version").fetchall() == [(version,)]


def test_migrate_of_current_data_changes_nothing(fresh_db):
    with fresh_db.connect() as connection:
        before = catalogue.objects(connection)
        assert "already" in connection.execute("SELECT convene.migrate()").fetchone()[0]
        assert catalogue.difference(before, catalogue.objects(connection)) == []


def test_migrate_grants_again_what_was_granted_last(fresh_db):
    with fresh_db.connect() as connection:
        connection.execute("DROP ROLE IF EXISTS visitor")
        connection.execute("CREATE ROLE visitor")
        try:
            connection.execute("SELECT convene.grant_api('visitor')")
            connection.execute("REVOKE SELECT ON convene.events FROM visitor")
            connection.execute("SELECT convene.migrate()")
            event = make_event(connection, "alpha")
            with as_role(connection, "visitor"):
                assert connection.execute("SELECT id FROM convene.events").fetchall() == [(event.id,)]
        finally:
            connection.execute("DROP OWNED BY visitor; DROP ROLE visitor")
