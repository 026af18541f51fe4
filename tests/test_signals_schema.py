"""Signals by month: rows of a month without a partition wait in DEFAULT, and none is lost or doubled on the way home."""

import threading
import time
from datetime import datetime, timezone

import pytest

from lib.access import as_role, expect_error
from lib.factory import ident, make_event

TABLES = ["event_impressions", "ticket_analytics", "post_views"]
MAKE = "SELECT convene_private.make_month_partition(%s, %s)"


@pytest.fixture(scope="module")
def event(db):
    with db.connect() as connection:
        return make_event(connection, "signals", sessions=1)


def moment(year, month, day=1, **clock):
    return datetime(year, month, day, tzinfo=timezone.utc, **clock)


def send(conn, event, at, table="event_impressions"):
    columns, values = ("post_id,", "'p',") if table == "post_views" else ("", "")
    return conn.execute(f"INSERT INTO convene.{table} ({columns} event_id, created_at) VALUES ({values} %s, %s) RETURNING id",
                        [event.id, at]).fetchone()[0]


def where(conn, table="event_impressions"):
    """Partition: the moments of its rows."""
    found = {}
    for part, at in conn.execute(f"SELECT tableoid::regclass::text, created_at FROM convene.{table} ORDER BY created_at"):
        found.setdefault(part.removeprefix(f"convene.{table}_"), []).append(at)
    return found


def bounds(conn, table):
    """(from, to) of each month, in order."""
    return conn.execute(
        """SELECT m[1]::timestamptz, m[2]::timestamptz FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid,
                  regexp_match(pg_get_expr(c.relpartbound, c.oid), '(?:FROM \\(''(.+)''\\)) TO \\(''(.+)''\\)') m
            WHERE i.inhparent = ('convene.' || %s)::regclass AND m IS NOT NULL ORDER BY 1""", [table]).fetchall()


@pytest.mark.parametrize("table", TABLES)
def test_the_months_around_now_are_made_at_once(fresh_db, table):
    with fresh_db.connect() as conn:
        made = bounds(conn, table)
        # Installed before this test began; the month may have ended since.
        installed = conn.execute("SELECT min(applied_at) FROM convene.schema_version").fetchone()[0]
        assert len(made) == 5 and made[1][0] <= installed < made[1][1]
        assert all(here[1] == following[0] for here, following in zip(made, made[1:]))
        assert {(start.astimezone(timezone.utc).day, start.astimezone(timezone.utc).hour) for start, _ in made} == {(1, 0)}


@pytest.mark.parametrize("table", TABLES)
def test_strays_move_into_their_month_and_the_others_stay(conn, event, table):
    edges = [moment(2031, 5), moment(2031, 5, 31, hour=23, minute=59, second=59, microsecond=999999)]
    others = [moment(2031, 4, 30, hour=23, minute=59), moment(2031, 6)]
    with conn.transaction(force_rollback=True):
        for at in edges + others:
            send(conn, event, at, table)
        assert where(conn, table) == {"default": sorted(edges + others)}
        assert conn.execute(MAKE, [table, "2031-05-17"]).fetchone() == (True,)
        assert where(conn, table) == {"2031_05": edges, "default": sorted(others)}
        assert conn.execute(MAKE, [table, "2031-05-01"]).fetchone() == (False,)
        # What comes later goes straight there.
        send(conn, event, moment(2031, 5, 2), table)
        assert len(where(conn, table)["2031_05"]) == 3


def test_a_row_comes_home_whole(conn, event):
    """With columns and computed values of the users' own."""
    with conn.transaction(force_rollback=True):
        conn.execute("ALTER TABLE convene.post_views ADD label text DEFAULT 'none',"
                     " ADD length integer GENERATED ALWAYS AS (length(mention_text)) STORED")
        conn.execute("INSERT INTO convene.post_views (event_id, post_id, mention_text, label, created_at)"
                     " VALUES (%s, 'p', 'Grüße', 'x', '2031-05-05 UTC')", [event.id])
        before = conn.execute("SELECT v::text FROM convene.post_views v").fetchall()
        conn.execute(MAKE, ["post_views", "2031-05-01"])
        assert where(conn, "post_views").keys() == {"2031_05"}
        assert conn.execute("SELECT v::text FROM convene.post_views v").fetchall() == before


def test_triggers_hear_nothing_of_a_move_and_are_as_they_were(conn, event):
    with conn.transaction(force_rollback=True):
        conn.execute("""
            CREATE TABLE heard (what text);
            CREATE FUNCTION hear() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN INSERT INTO heard VALUES (TG_NAME || ' ' || TG_OP); RETURN NULL; END $$;
            CREATE TRIGGER usual AFTER INSERT OR DELETE ON convene.event_impressions FOR EACH ROW EXECUTE FUNCTION hear();
            CREATE TRIGGER always AFTER INSERT OR DELETE ON convene.event_impressions FOR EACH ROW EXECUTE FUNCTION hear();
            CREATE TRIGGER silent AFTER INSERT OR DELETE ON convene.event_impressions FOR EACH ROW EXECUTE FUNCTION hear();
            ALTER TABLE convene.event_impressions_default ENABLE ALWAYS TRIGGER always, DISABLE TRIGGER silent""")
        states = "SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = 'convene.event_impressions_default'::regclass" \
                 " AND NOT tgisinternal ORDER BY 1"
        before = conn.execute(states).fetchall()
        send(conn, event, moment(2031, 5, 5))
        conn.execute(MAKE, ["event_impressions", "2031-05-01"])
        assert sorted(row[0] for row in conn.execute("SELECT what FROM heard")) == ["always INSERT", "usual INSERT"]
        assert conn.execute(states).fetchall() == before


def test_time_zones_of_sessions_leave_no_gap_and_no_overlap(db, event):
    with db.connect() as conn:
        for zone, style, month in (("Pacific/Kiritimati", "SQL, DMY", "01"), ("America/St_Johns", "German", "02"),
                                   ("Asia/Kolkata", "Postgres, MDY", "03"), ("Pacific/Pago_Pago", "ISO", "04")):
            with db.second() as other:
                other.execute(f"SET timezone = '{zone}'; SET datestyle = '{style}'")
                for table in TABLES:
                    assert other.execute(MAKE, [table, f"2032-{month}-01"]).fetchone() == (True,)
                    assert other.execute(MAKE, [table, f"2032-{month}-28"]).fetchone() == (False,)
        for table in TABLES:
            assert [bound for bound in bounds(conn, table) if bound[0].astimezone(timezone.utc).year == 2032] == [
                (moment(2032, month), moment(2032, month + 1)) for month in (1, 2, 3, 4)]


def test_what_is_sent_while_a_month_is_made_is_there_once(db, event):
    """Writers of every kind go on while the months they write to are made under them, each by two makers at once."""
    done, trouble, sent = threading.Event(), [], []

    def guarded(work):
        def run():
            try:
                with db.second() as conn:
                    work(conn)
            except Exception as error:  # noqa: BLE001 - whatever it was, it is the finding
                trouble.append(error)
        return run

    # What a transaction does before it writes: a lock that is taken in two steps would let the two block each other.
    befores = [
        "SELECT",
        "SELECT count(*) FROM convene.event_impressions WHERE created_at > '2033-01-01'",
        "UPDATE convene.events SET website = 'x' WHERE id = '{event}'",
    ]

    def write(before, prepare):
        def work(conn):
            conn.prepare_threshold = prepare
            number = 0
            while not done.is_set():
                with conn.transaction():
                    conn.execute(before.format(event=event.id))
                    row = send(conn, event, moment(2033, number % 12 + 1, 1 + number % 28))
                sent.append(row)
                number += 1
        return work

    def make(conn):
        for month in range(1, 13):
            conn.execute(MAKE, ["event_impressions", f"2033-{month:02}-01"])

    writers = [threading.Thread(target=guarded(write(before, prepare))) for before in befores for prepare in (None, 0)]
    for thread in writers:
        thread.start()
    while len(sent) < 60 and not trouble:
        time.sleep(0.01)
    makers = [threading.Thread(target=guarded(make)) for _ in range(2)]
    for thread in makers:
        thread.start()
    for thread in makers:
        thread.join()
    done.set()
    for thread in writers:
        thread.join()
    assert trouble == []
    with db.connect() as conn:
        there = [row[0] for row in conn.execute(
            "SELECT id FROM convene.event_impressions WHERE created_at >= '2033-01-01 UTC' AND created_at < '2034-01-01 UTC'")]
        assert sorted(there) == sorted(sent) and len(set(there)) == len(there) > 60
        assert conn.execute("SELECT count(*) FROM convene.event_impressions_default WHERE created_at >= '2033-01-01 UTC'"
                            " AND created_at < '2034-01-01 UTC'").fetchone() == (0,)


@pytest.mark.parametrize("parent, month, code", [
    ("event_impressions", "soon", "22007"), ("event_impressions", "2031-13-01", "22008"), ("event_impressions", "", "22007"),
    ("event_impressions", "infinity", "22023"), ("event_impressions", "0044-03-15 BC", "22023"),
    ("event_impressions", None, "22004"), (None, "2031-05-01", "22004"),
    ("events", "2031-05-01", "22023"), ("event_video_counters", "2031-05-01", "22023"), ("nothing", "2031-05-01", "22023"),
    ("event_impressions; DROP TABLE convene.events", "2031-05-01", "22023"),
])
def test_what_is_no_month_or_no_such_table_is_refused(conn, parent, month, code):
    expect_error(conn, code, MAKE, [parent, month])


def test_no_role_of_the_api_reaches_a_partition(conn, event):
    month = datetime.now(timezone.utc)
    send(conn, event, month)
    for partition in (f"event_impressions_{month:%Y_%m}", "event_impressions_default"):
        for role, sub in (("anon", None), ("authenticated", event.organizer), ("service_role", None)):
            with as_role(conn, role, sub):
                for statement in (f"SELECT * FROM convene.{partition}", f"DELETE FROM convene.{partition}",
                                  f"INSERT INTO convene.{partition} (event_id) VALUES ('{event.id}')"):
                    expect_error(conn, "42501", statement)
    with as_role(conn, "authenticated", event.organizer):
        for name in ("event_impressions", "event_impressions_p"):
            assert conn.execute(f"SELECT count(*) FROM convene.{name} WHERE event_id = %s", [event.id]).fetchone()[0] > 0


def test_a_new_partition_belongs_to_its_tables_owner_and_to_nobody_else(fresh_db):
    with fresh_db.connect() as conn:
        conn.execute("CREATE ROLE keeper; GRANT CREATE, USAGE ON SCHEMA convene TO keeper")
        try:
            conn.execute("ALTER TABLE convene.post_views OWNER TO keeper")
            conn.execute("ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO authenticated, PUBLIC")
            conn.execute(MAKE, ["post_views", "2031-05-01"])
            assert conn.execute(
                """SELECT c.relowner::regrole::text, c.relrowsecurity, c.relforcerowsecurity,
                          ARRAY(SELECT DISTINCT r.grantee::regrole::text FROM aclexplode(c.relacl) r),
                          EXISTS (SELECT FROM pg_policy WHERE polrelid = c.oid)
                     FROM pg_class c WHERE c.oid = 'convene.post_views_2031_05'::regclass""").fetchone() == (
                "keeper", True, False, ["keeper"], False)
        finally:
            conn.execute("ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM authenticated, PUBLIC")
            conn.execute("REASSIGN OWNED BY keeper TO postgres; DROP OWNED BY keeper; DROP ROLE keeper")


def test_signals_go_with_their_event_and_lose_a_person_who_goes(conn):
    gone = make_event(conn, "passing", sessions=1)
    profile = ident("passing visitor")
    conn.execute("INSERT INTO convene.profiles (id) VALUES (%s)", [profile])
    for table in TABLES:
        send(conn, gone, moment(2031, 5, 5), table)
    conn.execute("UPDATE convene.event_impressions SET profile_id = %s WHERE event_id = %s", [profile, gone.id])
    conn.execute("DELETE FROM convene.profiles WHERE id = %s", [profile])
    assert conn.execute("SELECT profile_id FROM convene.event_impressions WHERE event_id = %s", [gone.id]).fetchall() == [(None,)]
    conn.execute("DELETE FROM convene.events WHERE id = %s", [gone.id])
    for table in TABLES:
        assert conn.execute(f"SELECT count(*) FROM convene.{table} WHERE event_id = %s", [gone.id]).fetchone() == (0,)


def test_a_row_that_is_sent_twice_is_one_row(conn, event):
    statement = """INSERT INTO convene.ticket_analytics (id, event_id, ticket_views, created_at)
                   VALUES (%s, %s, 3, '2031-07-07 UTC') ON CONFLICT DO NOTHING"""
    assert [conn.execute(statement, [ident("sent twice"), event.id]).rowcount for _ in range(2)] == [1, 0]
