"""health(): every part that can be out of order is broken once, is found, and the statement that it names mends it."""

import pytest

from lib.access import as_role, expect_error
from lib.factory import make_event

QUEUES = ["embedding_queue", "fit_recalc_queue", "payout_queue", "crm_sync_queue", "outbox"]
PARTED = ["event_impressions", "post_views", "ticket_analytics"]
COMPONENTS = ["versions", "home", *QUEUES, *(f"partitions of {name}" for name in PARTED), "insights", "marketplace", "embeddings", "indexes",
              "dependencies", "row security", "api roles"]


@pytest.fixture
def conn(fresh_db):
    with fresh_db.connect() as connection:
        # A test's database is a copy of another one.
        connection.execute("SELECT convene.adopt_copy()")
        yield connection


def health(conn, component=None):
    rows = {row[0]: row[1:] for row in conn.execute("SELECT component, status, message, help FROM convene.health()")}
    return rows[component] if component else rows


def test_a_fresh_installation_is_well(conn):
    found = health(conn)
    assert list(found) == COMPONENTS
    assert {component: row for component, row in found.items() if row[0] != "ok" or row[2] is not None} == {}


# Component: what breaks it, the status that is seen, what the message says, and whether the named statement mends it.
BROKEN = {
    "versions": ("UPDATE convene.schema_version SET version = '0.0.1'", "error", "data 0.0.1", None),
    "home": ("UPDATE convene.settings SET value = '{\"system_identifier\": \"1\", \"database\": \"x\"}' WHERE key = 'home'",
             "warning", "copy", True),
    "outbox": ("INSERT INTO convene.outbox (topic, target_kind, target_id, available_at)"
               " VALUES ('sms', 'x', gen_random_uuid(), now() - interval '16 minutes')", "warning", "waited for 16 minutes", False),
    "embedding_queue": ("INSERT INTO convene.embedding_queue (target_kind, target_id, event_id, status, last_error)"
                        " VALUES ('session', gen_random_uuid(), gen_random_uuid(), 'failed', 'no answer')", "warning", "1 failed", False),
    "partitions of post_views": ("DO $$ DECLARE part regclass; BEGIN FOR part IN SELECT inhrelid FROM pg_inherits"
                                 " WHERE inhparent = 'convene.post_views'::regclass AND pg_get_expr((SELECT relpartbound FROM pg_class"
                                 " WHERE oid = inhrelid), inhrelid) <> 'DEFAULT' LOOP EXECUTE 'DROP TABLE ' || part; END LOOP; END $$",
                                 "error", "no partition", True),
    "insights": ("INSERT INTO convene.event_signal_deltas (event_id, created_at) VALUES (gen_random_uuid(), now() - interval '181 minutes')",
                 "warning", "waited for 181 minutes", True),
    "indexes": ("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'convene.idx_events_venue'::regclass", "error",
                "idx_events_venue", None),
    "dependencies": ("CREATE VIEW public.me AS SELECT convene.uid()", "warning", "me", None),
    "row security": ("ALTER TABLE convene.events DISABLE ROW LEVEL SECURITY", "error", "convene.events", True),
    "api roles": ("ALTER ROLE anon BYPASSRLS", "warning", "anon has BYPASSRLS", True),
    "job cleanup": ("INSERT INTO convene.job_runs (job, status, message) VALUES ('cleanup', 'failed', 'disk full')", "error",
                    "disk full", False),
}


@pytest.mark.parametrize("component", BROKEN)
def test_what_is_broken_is_found(conn, component):
    breach, status, message, mends = BROKEN[component]
    with conn.transaction(force_rollback=True):
        conn.execute(breach)
        got = health(conn, component)
        assert got[0] == status and message in got[1] and got[2]
        if mends is not None:
            conn.execute(got[2])
        if mends:
            assert health(conn, component)[0] == "ok"


def test_sessions_without_a_vector_are_counted_and_mended(conn):
    event = make_event(conn, sessions=4)
    assert health(conn, "embeddings")[:2] == ("warning", "4 sessions of coming events have no embedding")
    conn.execute(health(conn, "embeddings")[2])
    assert health(conn, "embeddings")[0] == "ok"
    # What is over needs none, and what is a draft not yet.
    conn.execute("DELETE FROM convene.session_embeddings")
    conn.execute("UPDATE convene.events SET status = 'draft' WHERE id = %s", [event.id])
    assert health(conn, "embeddings")[0] == "ok"


def test_rows_of_a_month_without_partition_are_named_and_moved(conn):
    event = make_event(conn)
    conn.execute("INSERT INTO convene.event_impressions (event_id, created_at) VALUES (%s, now() + interval '9 months')", [event.id])
    status, message, _ = health(conn, "partitions of event_impressions")
    assert status == "warning" and "1 rows of months without one" in message
    conn.execute("SELECT convene.create_next_month_partitions(9)")
    assert health(conn, "partitions of event_impressions")[0] == "ok"
    assert conn.execute("SELECT count(*) FROM convene.event_impressions").fetchone() == (1,)
    # Once is as good as twice.
    assert conn.execute("SELECT convene.create_next_month_partitions(9) -> 'made'").fetchone() == ([],)


def test_the_limits_are_settings(conn):
    late = "INSERT INTO convene.outbox (topic, target_kind, target_id, available_at) VALUES ('x', 'x', gen_random_uuid(), now() - interval '5 min')"
    with conn.transaction(force_rollback=True):
        conn.execute(late)
        assert health(conn, "outbox")[0] == "ok"
        conn.execute("UPDATE convene.settings SET value = '4' WHERE key = 'health.queue_lag_minutes'")
        assert health(conn, "outbox")[0] == "warning"
        # A value of another kind is as good as none.
        conn.execute("UPDATE convene.settings SET value = '\"4\"' WHERE key = 'health.queue_lag_minutes'")
        assert health(conn, "outbox")[0] == "ok"


@pytest.mark.parametrize("value", ["1e400", "-1e400", "1e30", "1e-400", "99999999999", "null", '"x"', "[]", "true"])
def test_a_limit_that_is_none_breaks_nothing(conn, value):
    with conn.transaction(force_rollback=True):
        conn.execute("INSERT INTO convene.outbox (topic, target_kind, target_id) VALUES ('x', 'x', gen_random_uuid())")
        conn.execute("UPDATE convene.settings SET value = %s::jsonb WHERE key LIKE 'health.%%'", [value])
        assert health(conn, "outbox")[0] in ("ok", "warning") and health(conn, "marketplace") and health(conn, "insights")


@pytest.mark.parametrize("moment, status", [("infinity", "ok"), ("-infinity", "warning")])
def test_work_put_off_for_ever_is_no_work_that_waits(conn, moment, status):
    with conn.transaction(force_rollback=True):
        conn.execute("INSERT INTO convene.outbox (topic, target_kind, target_id, available_at) VALUES ('x', 'x', gen_random_uuid(), %s)", [moment])
        assert health(conn, "outbox")[0] == status


@pytest.mark.parametrize("zone, style", [("Asia/Kolkata", "SQL, DMY"), ("XYZ5", "SQL, DMY"), ("XYZ5", "Postgres")])
def test_a_report_is_the_same_in_every_session(conn, zone, style):
    """Bounds of partitions are written in the session's own style, in which a zone may have letters that nobody can read."""
    before = conn.execute("SELECT * FROM convene.health()").fetchall()
    conn.execute(f"SET timezone = '{zone}'; SET datestyle = '{style}'")
    assert conn.execute("SELECT * FROM convene.health()").fetchall() == before


def test_only_operators_look(conn):
    for role in ("anon", "authenticated"):
        with as_role(conn, role):
            expect_error(conn, "42501", "SELECT * FROM convene.health()")
            expect_error(conn, "42501", "SELECT convene.create_next_month_partitions()")
    with as_role(conn, "service_role"):
        assert health(conn, "versions")[0] == "ok"
        assert conn.execute("SELECT convene.create_next_month_partitions() -> 'made'").fetchone() == ([],)
    for months in (-1, 61):
        expect_error(conn, "22023", f"SELECT convene.create_next_month_partitions({months})", message=str(months))
    expect_error(conn, "22004", "SELECT convene.create_next_month_partitions(NULL)", message="p_months_ahead")
