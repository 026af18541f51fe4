"""Audience insights over ten million signals: counting one percent that is new against counting everything, and what the noting costs those
who write.

    insights.py [refresh|write]... [divisor of the sizes]
"""

import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))

from lib.insights import stored  # noqa: E402
from parts import run_parts  # noqa: E402

EVENTS, MONTHS = 1_000, 12
SIGNALS = {"event_impressions": 7_000_000, "ticket_analytics": 2_000_000, "post_views": 1_000_000}
SETUP = f"""
INSERT INTO convene.events (id, title, status) SELECT md5('event ' || i)::uuid, 'Event ' || i, 'published' FROM generate_series(1, {EVENTS}) i;
INSERT INTO convene.attendees (event_id, full_name) SELECT md5('event ' || (1 + i % {EVENTS}))::uuid, 'Attendee ' || i FROM generate_series(1, 100000) i;
SELECT convene_private.make_month_partition(t, (now() - n * interval '1 month')::date)
FROM unnest('{{event_impressions,ticket_analytics,post_views}}'::text[]) t, generate_series(1, {MONTHS}) n;
"""
# Thirty countries, the first ones most; ages; half of the impressions measured; a text for every tenth post.
DRAWN = """
SELECT md5('event ' || (1 + h % {events}))::uuid AS event_id, e.organization_id, now() - (h / 7 % {days}) * interval '1 day' AS created_at,
       h, 'C' || (h / 31 % 30) * (h / 37 % 30) / 30 AS country, (ARRAY['18-24', '25-34', '35-44', '45-54', '55-64', '65+', NULL])[1 + h / 41 % 7] AS age
  FROM (SELECT hashtext('{salt}' || i) & 2147483647 AS h FROM generate_series({first}, {last}) i) d
  JOIN convene.events e ON e.id = md5('event ' || (1 + h % {events}))::uuid"""
INSERTS = {
    "event_impressions": "INSERT INTO convene.event_impressions (event_id, organization_id, created_at, impressions, dwell_time_ms, country, age_bucket)"
                         " SELECT event_id, organization_id, created_at, 1 + h % 3, CASE h % 2 WHEN 0 THEN h % 60000 END, country, age FROM (",
    "ticket_analytics": "INSERT INTO convene.ticket_analytics (event_id, organization_id, created_at, ticket_views, checkouts_started, purchases)"
                        " SELECT event_id, organization_id, created_at, 1, (h % 10 = 0)::int, (h % 20 = 0)::int FROM (",
    "post_views": "INSERT INTO convene.post_views (event_id, organization_id, created_at, post_id, views, watch_percentage, mentions, mention_text)"
                  " SELECT event_id, organization_id, created_at, 'p', 1 + h % 5, h % 101, (h % 10 = 0)::int,"
                  " CASE h % 10 WHEN 0 THEN (ARRAY['great talks', 'awful food', 'on time'])[1 + h % 3] END FROM (",
}


def send(conn, table, salt, first, last, days, events=EVENTS):
    return conn.execute(INSERTS[table] + DRAWN.format(events=events, days=days, salt=salt, first=first, last=last) + ") s").rowcount


def processor_seconds(conn):
    """Time of the processor that the connection's server process has had; the machine is shared, so the clock says less."""
    fields = Path(f"/proc/{conn.info.backend_pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def timed(conn, work):
    before, started = processor_seconds(conn), time.monotonic()
    answer = work()
    return time.monotonic() - started, processor_seconds(conn) - before, answer


def made(cluster, name, divisor):
    """A database with the signals of a year, none of them noted: as a load has them."""
    started = time.monotonic()
    db = cluster.create_database(name)
    with db.connect() as conn:
        conn.execute("CREATE EXTENSION convene CASCADE")
        conn.execute("SELECT convene.install()")
        conn.execute((HERE / "baseline" / "insights.sql").read_text())
        conn.execute(SETUP)
        conn.execute("SET session_replication_role = replica")
        rows = 0
        for table, number in SIGNALS.items():
            for first in range(1, number // divisor + 1, 500_000):
                rows += send(conn, table, "old", first, min(first + 499_999, number // divisor), days=30 * (MONTHS - 1))
        conn.execute("SET session_replication_role = origin")
        conn.execute("VACUUM ANALYZE")
    print(f"# loaded {rows:,} signals of {EVENTS:,} events over {MONTHS} months: {time.monotonic() - started:.0f} s", flush=True)
    return db


def line(what, took, other=None):
    ratio = f"{other[1] / max(took[1], 0.01):>9.1f}x {other[0] / took[0]:>9.1f}x" if other else ""
    print(f"{what:<64}{took[1]:>9.2f} s {took[0]:>9.2f} s {ratio}", flush=True)


def refresh(cluster, divisor):
    db = made(cluster, "signals", divisor)
    total = sum(SIGNALS.values()) // divisor
    with db.connect() as conn:
        # One process each, so that its processor time is all there is.
        conn.execute("SET max_parallel_workers_per_gather = 0")
        first = timed(conn, lambda: conn.execute("SELECT convene.rebuild_event_insights()").fetchone()[0])
        conn.execute("VACUUM ANALYZE convene.post_views")
        started = time.monotonic()
        for table, number in SIGNALS.items():
            for start in range(1, number // divisor // 100 + 1, 5_000):
                send(conn, table, "new", start, min(start + 4_999, number // divisor // 100), days=30)
        notes = conn.execute("SELECT count(*) FROM convene.event_signal_deltas").fetchone()[0]
        print(f"# sent {total // 100:,} more in statements of 5,000: {time.monotonic() - started:.1f} s, {notes:,} notes", flush=True)
        print(f"{'':<64}{'processor':>11} {'clock':>11} {'ratio':>10} {'by clock':>10}")
        line("# the first rebuild, which scores the texts", first)
        some = timed(conn, lambda: conn.execute("SELECT convene.refresh_event_insights()").fetchone()[0])
        counted = stored(conn)
        plain = timed(conn, lambda: conn.execute("SELECT baseline.count_all()"))
        full = timed(conn, lambda: conn.execute("SELECT convene.rebuild_event_insights()").fetchone()[0])
        assert stored(conn) == counted, "a rebuild says something else"
        line(f"plain SQL over {total:,} signals", plain)
        line("rebuild_event_insights()", full, plain)
        line(f"refresh_event_insights(), {some[2]['events']:,} events, one percent new", some)
        line("  against the rebuild, wanted 20x", some, full)
        line("  against plain SQL", some, plain)
        line("refresh_event_insights(), nothing new", timed(conn, lambda: conn.execute("SELECT convene.refresh_event_insights()")), full)
        event = conn.execute("SELECT md5('event 1')::uuid").fetchone()[0]
        send(conn, "event_impressions", "one", 1, 1000, days=1)
        line("refresh_event_insights(event)", timed(conn, lambda: conn.execute("SELECT convene.refresh_event_insights(%s)", [event])), full)
        for process in Path(f"/proc/{conn.info.backend_pid}/status").read_text().splitlines():
            if process.startswith(("VmHWM", "RssAnon")):
                print(f"# memory of the session, {process}")


def write(cluster, divisor):
    """Rows a second with and without the triggers, turn about, the best of each: of many events, where nearly every row makes a note of its
    own, and of few."""
    db = made(cluster, "writes", max(divisor, 10) * 10)
    with db.connect() as conn:
        print(f"{'':<40}{'without':>12} {'with':>12} {'more':>8}   rows a second, processor time of the server")
        for events in (EVENTS, 20):
            for rows, statements in ((1, 3_000), (100, 200), (1_000, 40), (10_000, 5)):
                best = {}
                for turn in range(5):
                    for noting in (False, True):
                        conn.execute(f"ALTER TABLE convene.event_impressions {'ENABLE' if noting else 'DISABLE'} TRIGGER note_insert")
                        took = timed(conn, lambda: [  # called at once
                            send(conn, "event_impressions", f"{turn} {noting}", 1 + n * rows, (n + 1) * rows, 30, events)  # noqa: B023
                            for n in range(statements)])
                        best[noting] = min(best.get(noting, took[1]), took[1])
                        conn.execute("TRUNCATE convene.event_signal_deltas")
                speed = {noting: rows * statements / seconds for noting, seconds in best.items()}
                what = f"{rows:,} rows a statement, {events:,} events"
                print(f"{what:<40}{speed[False]:>12,.0f} {speed[True]:>12,.0f} {100 * (speed[False] / speed[True] - 1):>7.1f}%", flush=True)


PARTS = {"refresh": refresh, "write": write}

if __name__ == "__main__":
    run_parts(PARTS, "bench-insights", sized=True, shared_buffers="1GB", max_wal_size="8GB")
