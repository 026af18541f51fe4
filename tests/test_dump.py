"""Dump and restore: everything comes back, the users' own things too, and not a word of complaint."""

import pytest

from lib import catalogue, dump
from lib.access import as_role, expect_error
from lib.cluster import Cluster, Database
from lib.filler import fill_everything


@pytest.fixture(scope="module")
def source(cluster, template):
    """The database that is dumped: pgvector in a schema of its own, rows in every table, and users' own things."""
    with cluster.connect() as connection:
        connection.execute("CREATE ROLE reporting")
    database = cluster.create_database("dumped")
    with database.connect() as connection:
        connection.execute("CREATE SCHEMA extensions; CREATE EXTENSION vector SCHEMA extensions")
        connection.execute("CREATE EXTENSION convene CASCADE")
        connection.execute("SELECT convene.install()")
        database.events = dump.fill(connection)
        connection.execute(dump.USERS_OWN)
        database.objects = catalogue.objects(connection)
        database.tables = catalogue.tables(connection) + catalogue.tables(connection, schema="public")
        database.sums = catalogue.checksums(connection, database.tables)
        database.answers = dump.recommendations(connection, database.events)
    yield database
    database.drop()
    with cluster.connect() as connection:
        connection.execute("DROP ROLE reporting")


@pytest.fixture(scope="module")
def elsewhere(source):
    """Another server, which has the roles and nothing else."""
    other = Cluster(f"{source.cluster.name}-copy").start()
    roles = source.run("pg_dumpall", "--roles-only").stdout
    done = Database(other, "postgres").run("psql", "-X", "-q", input=roles)
    # Every server has the role that made it.
    assert [line for line in done.stderr.splitlines() if 'role "postgres" already exists' not in line] == []
    yield other
    other.stop()


def by_psql(source, copy, _):
    return copy.run("psql", "-X", "-q", input=source.run("pg_dump").stdout)


def by_psql_in_one_transaction(source, copy, _):
    return copy.run("psql", "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", input=source.run("pg_dump").stdout)


def by_pg_restore(source, copy, folder):
    file = folder / "dump"
    source.run("pg_dump", "-Fc", "-f", file)
    return copy.run("pg_restore", "-j", "2", "-d", copy.name, file)


# What pg_restore says of --disable-triggers: it enables them all afterwards. And the schema's part refreshes materialised
# views when there are no rows yet.
AFTER_PARTS = """
ALTER TABLE convene.profiles DISABLE TRIGGER profiles_touch;
REFRESH MATERIALIZED VIEW public.per_room; REFRESH MATERIALIZED VIEW convene.nearest;
REFRESH MATERIALIZED VIEW public.balances;
REFRESH MATERIALIZED VIEW convene.mv_event_quality_scores; REFRESH MATERIALIZED VIEW convene.mv_sponsor_event_fit_scores"""


def by_parts(source, copy, folder):
    """The schema, then the rows: the way of those who move the rows only."""
    file = folder / "dump"
    source.run("pg_dump", "-Fc", "-f", file)
    for part in (["--section=pre-data", "--section=post-data"], ["--data-only", "--disable-triggers"]):
        done = copy.run("pg_restore", *part, "-d", copy.name, file)
        assert done.stderr == ""
    return done


@pytest.mark.parametrize("restore, name", [
    (by_psql, "dumped"), (by_psql_in_one_transaction, "by_one"), (by_pg_restore, "by_jobs"), (by_parts, "by_parts"),
])
def test_everything_comes_back(source, elsewhere, tmp_path, restore, name):
    copy = elsewhere.create_database(name)
    done = restore(source, copy, tmp_path)
    assert done.stderr == ""
    with copy.connect() as connection:
        if restore is by_parts:
            connection.execute(AFTER_PARTS)
        assert catalogue.difference(source.objects, catalogue.objects(connection)) == []
        assert catalogue.checksums(connection, source.tables) == source.sums
        assert dump.recommendations(connection, source.events) == source.answers
        goes_on_working(connection, source.events[0], copy)


def goes_on_working(connection, event, copy):
    """Policies, triggers and rights do, and the queue does not send what the original sends."""
    person = event.people[0]
    with as_role(connection, "service_role"):
        expect_error(connection, "55000", "SELECT * FROM convene.claim_embedding_jobs()", hint=r"convene\.adopt_copy\(\)")
        connection.execute("SELECT convene.adopt_copy()")
        connection.execute("UPDATE convene.sessions SET title = 'New words' WHERE id = %s", [event.sessions[3]])
        claimed = connection.execute("SELECT session_id FROM convene.claim_embedding_jobs(1000)").fetchall()
        assert (event.sessions[3],) in claimed
    with as_role(connection, "authenticated", person.sub):
        assert connection.execute("SELECT id FROM convene.attendees").fetchall() == [(person.id,)]
        connection.execute("SELECT convene.record_session_interaction(%s, %s, 'bookmarked')", [person.id, event.sessions[5]])
        kept = connection.execute("SELECT bookmarked_sessions FROM convene.attendee_preferences").fetchone()[0]
        assert event.sessions[5] in kept
    with as_role(connection, "reporting"):
        # The user's own policy and grant: sessions that are busy, and those only.
        assert connection.execute("SELECT DISTINCT mood::text FROM convene.sessions").fetchall() == [("busy",)]
    changes = connection.execute("SELECT count(*) FROM public.changes").fetchone()[0]
    connection.execute("UPDATE convene.sessions SET mood = CASE mood WHEN 'calm' THEN 'busy' ELSE 'calm' END::public.mood"
                       " WHERE id = %s", [event.sessions[0]])
    assert connection.execute("SELECT count(*) FROM public.changes").fetchone()[0] == changes + 1
    assert "installed already" in connection.execute("SELECT convene.install()").fetchone()[0]
    assert "already" in connection.execute("SELECT convene.migrate()").fetchone()[0]


def test_a_copy_on_the_same_server_does_not_send_either(source):
    """The name of the database tells as well: CREATE DATABASE ... TEMPLATE makes the same system's twin."""
    twin = source.cluster.create_database("twin", source.name)
    try:
        with twin.connect() as connection, as_role(connection, "service_role"):
            expect_error(connection, "55000", "SELECT * FROM convene.claim_embedding_jobs()")
    finally:
        twin.drop()
    with source.connect() as connection, as_role(connection, "service_role"):
        connection.execute("SELECT * FROM convene.claim_embedding_jobs(1)")


def test_rows_alone_go_into_a_fresh_install(fresh_db, cluster):
    """Made by install() on both sides: the rows that install() put there make room for the dumped ones."""
    with fresh_db.connect() as connection:
        events = dump.make_world(connection, embeddings=8, interactions=3, preferences=True)
        fill_everything(connection, 100)
        sums = catalogue.checksums(connection)
        answers = dump.recommendations(connection, events)
    rows = fresh_db.run("pg_dump", "--data-only", "--disable-triggers", "--schema=convene").stdout
    target = cluster.create_database("rows_only", "convene_template")
    try:
        with target.connect() as connection:
            # As a replica: what is append-only refuses to be emptied otherwise.
            connection.execute("SET session_replication_role = replica")
            connection.execute(f"TRUNCATE {', '.join(catalogue.tables(connection, 'rp'))}")
        assert target.psql(rows, "-1").stderr == ""
        with target.connect() as connection:
            assert catalogue.checksums(connection) == sums
            assert dump.recommendations(connection, events) == answers
    finally:
        target.drop()


def test_a_difference_would_be_seen(source):
    """The comparison of the tests above, shown one change of each kind."""
    changes = {
        "DROP INDEX convene.own_sessions_label": "index",
        "ALTER TABLE convene.sessions ALTER mood DROP DEFAULT": "column",
        "ALTER TABLE convene.sessions DROP CONSTRAINT label_is_not_empty": "constraint",
        "DROP POLICY own_reporting ON convene.sessions": "policy",
        "ALTER TABLE convene.profiles ENABLE TRIGGER profiles_touch": "trigger",
        "GRANT SELECT ON convene.venues TO anon": "relation",
        "REVOKE UPDATE (city) ON convene.events FROM reporting": "column",
        "REVOKE EXECUTE ON FUNCTION convene.recommendation_metrics(uuid) FROM reporting": "function",
        "COMMENT ON TABLE convene.venues IS 'x'": "relation",
        "ALTER FUNCTION convene_private.my_attendee_ids() SECURITY INVOKER": "function",
        "ALTER TABLE convene.events DISABLE ROW LEVEL SECURITY": "relation",
        "ALTER EXTENSION vector SET SCHEMA public": "extension",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA convene REVOKE SELECT ON TABLES FROM reporting": "default right",
        "DROP RULE own_rule ON public.titles": "rule",
        "CREATE OR REPLACE VIEW public.my_rows AS SELECT a.* FROM convene.attendees a": "view",
        "ALTER TABLE convene.event_impressions DETACH PARTITION convene.event_impressions_2020": "partition",
        "ALTER TABLE public.clicks DROP CONSTRAINT clicks_impression_at_fkey": "constraint",
        "ALTER VIEW convene.event_impressions_p RESET (security_invoker)": "relation",
        "ALTER DOMAIN public.short_text RENAME TO long_text": "type",
    }
    with source.connect() as connection:
        for change, kind in changes.items():
            with connection.transaction(force_rollback=True):
                connection.execute(change)
                seen = catalogue.difference(source.objects, catalogue.objects(connection))
                assert [line for line in seen if line.startswith(f"{kind} ")], change
        with connection.transaction(force_rollback=True):
            connection.execute("UPDATE convene.venues SET city = 'x' WHERE city IS NULL")
            assert catalogue.checksums(connection, ["convene.venues"])["convene.venues"] != source.sums["convene.venues"]
