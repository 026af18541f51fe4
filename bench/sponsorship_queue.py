"""Keeping fits up to date against the plain-SQL way, in one run on the same tables.

    sponsorship_queue.py [upsert|queue|change]...
"""

import os
import statistics
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))
sys.path.insert(0, str(HERE))

from lib.cluster import Cluster  # noqa: E402
from parts import run_parts  # noqa: E402
from recommendation import median_ms, peak_mb, row  # noqa: E402
from sponsorship import database as market  # noqa: E402

TURNS = 3
ALL = "INSERT INTO convene.fit_recalc_queue (event_id) SELECT id FROM convene.events"
WORK = "SELECT convene.update_sponsorship_matches(10000)"


def database(cluster, name, sponsors=1000, events=1000):
    made = market(cluster, name, sponsors, events, False)
    with made.connect() as conn:
        conn.execute((HERE / "baseline" / "sponsorship_queue.sql").read_text())
    return made


def timed(db, statement, before=()):
    """Milliseconds of a statement in a session of its own, and what that took in memory; `before` is not counted."""
    with db.connect() as conn:
        conn.execute("SELECT convene.library_version()")
        for one in before:
            conn.execute(one)
        started = time.monotonic()
        conn.execute(statement)
        return (time.monotonic() - started) * 1000, peak_mb(conn)


def drained(db, workers, before):
    """Milliseconds in which so many workers, each in a session of its own, empty the queue; `before` is not counted."""
    with db.connect() as conn:
        for one in before:
            conn.execute(one)
    sessions = [db.connect() for _ in range(workers)]
    for session in sessions:
        session.execute("SELECT convene.library_version()")

    def work(session):
        while session.execute("SELECT convene.update_sponsorship_matches(100)").fetchone()[0]:
            pass

    threads = [threading.Thread(target=work, args=[session]) for session in sessions]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = (time.monotonic() - started) * 1000
    for session in sessions:
        session.close()
    return took


def turns(db, sides):
    """The median of each side, in turns."""
    took = {name: [] for name in sides}
    for _ in range(TURNS):
        for name, (statement, before) in sides.items():
            took[name].append(timed(db, statement, before))
    return {name: statistics.median(one for one, _ in times) for name, times in took.items()}, max(peak for _, peak in took["ours"])


def upsert(cluster):
    """A million pairs: none there, all there and unchanged, one sponsor changed."""
    db = database(cluster, "queue_upsert")
    print(f"{'1,000 sponsors x 1,000 events':<58}{'plain SQL':>15} {'convene':>15} {'ratio':>9}")
    empty = ("TRUNCATE baseline.matches, convene.sponsorship_matches", "TRUNCATE convene.fit_recalc_queue", "CHECKPOINT")
    took, peak = turns(db, {
        "short": ("SELECT baseline.recalculate(false, false)", empty), "long": ("SELECT baseline.recalculate(true, false)", empty),
        "ours": (WORK, (*empty, ALL))})
    row("first upsert, the requirement's metrics against ours", took["short"], took["ours"], 2)
    row("first upsert, the same metrics on both sides", took["long"], took["ours"], 2)
    print(f"#   peak memory {peak} MB")
    workers = os.cpu_count()
    together = statistics.median(drained(db, workers, (*empty, ALL)) for _ in range(TURNS))
    row(f"by {workers} workers, the requirement's metrics against ours", took["short"], together, 2)
    row(f"by {workers} workers, the same metrics on both sides", took["long"], together, 2)
    with db.connect() as conn:
        conn.execute("TRUNCATE baseline.matches")
        conn.execute("SELECT baseline.recalculate(false, false)")
        conn.execute("VACUUM ANALYZE baseline.matches, convene.sponsorship_matches")
    took, _ = turns(db, {"plain": ("SELECT baseline.recalculate(false, true)", ()), "ours": (WORK, (ALL,))})
    row("again, nothing changed (plain: unchanged rows skipped)", took["plain"], took["ours"], 5)
    times = []
    with db.connect() as conn:
        sponsor = conn.execute("SELECT sponsor_id FROM convene.sponsor_profiles LIMIT 1").fetchone()[0]
        for turn in range(21):
            conn.execute("UPDATE convene.sponsor_profiles SET annual_budget_cents = %s WHERE sponsor_id = %s", [1000 + turn, sponsor])
            started = time.monotonic()
            conn.execute("SELECT convene.update_sponsorship_matches()")
            times.append((time.monotonic() - started) * 1000)
    print(f"{'one changed sponsor, 1,000 events, rows written':<58}{'':>15} {statistics.median(times[1:]):>12.3f} ms             wanted below 50 ms")


def queue(cluster):
    """Twenty thousand changes of a thousand sponsors by four writers, and working them off; nobody is on the other side of the market,
    so that only the queue is measured."""
    db = database(cluster, "queue_queue", 1000, 1)
    with db.connect() as conn:
        conn.execute("UPDATE convene.events SET status = 'draft'")
        conn.execute("TRUNCATE convene.fit_recalc_queue")
    send = {"plain": "SELECT baseline.send(jsonb_build_object('sponsor', :n::integer));",
            "ours": "SELECT convene_private.enqueue_sponsor_fits(ARRAY[('00000000-0000-4000-8000-d' || lpad(to_hex(:n::integer), 11, '0'))::uuid], 'bench', 0);"}
    drain = {"plain": "SELECT baseline.work_off(100)", "ours": "SELECT convene.update_sponsorship_matches(100)"}
    took = {}
    for name in ("plain", "ours"):
        script = Path(f"/tmp/convene-bench-{name}.sql")
        script.write_text(f"\\set n random(0, 999)\n{send[name]}\n")
        started = time.monotonic()
        db.run("pgbench", "-n", "-M", "prepared", "-c", 4, "-j", 2, "-t", 5000, "-f", script)
        with db.connect() as conn:
            while conn.execute(drain[name]).fetchone()[0]:
                pass
        took[name] = (time.monotonic() - started) * 1000
        script.unlink()
    row("20,000 changes of 1,000 sponsors, queued and done", took["plain"], took["ours"], 1)


def change(cluster):
    """An update of a profile with the trigger and without, committed for good and not, as pgbench sees it: of few sponsors, who are
    pending already, and of many, of whom few are."""
    print(f"{'an update of a profile, median':<58}{'no trigger':>15} {'queued':>15} {'ratio':>9}")
    for durable in ("on", "off"):
        own = Cluster(f"bench-change-{durable}").start(shared_buffers="1GB", fsync=durable, synchronous_commit=durable)
        try:
            for sponsors, which in ((1000, "pending already"), (100_000, "most not yet pending")):
                db = database(own, f"queue_change_{sponsors}", sponsors, 1)
                script = (f"\\set n random(0, {sponsors - 1})\n\\set b random(1, 1000000000)\n"
                          "UPDATE convene.sponsor_profiles SET annual_budget_cents = :b::bigint"
                          " WHERE sponsor_id = ('00000000-0000-4000-8000-d' || lpad(to_hex(:n::integer), 11, '0'))::uuid;")
                sides = {"DISABLE": [], "ENABLE": []}
                for _ in range(3 * TURNS):  # short ones, because a commit takes longer in one minute than in another
                    for state, times in sides.items():
                        with db.connect() as conn:
                            conn.execute(f"ALTER TABLE convene.sponsor_profiles {state} TRIGGER sponsor_profiles_updated")
                            if which != "pending already":
                                conn.execute("TRUNCATE convene.fit_recalc_queue")
                        times.append(median_ms(db, script, 1))
                bare, queued = (statistics.median(times) for times in sides.values())
                row(f"fsync {durable}, {which}: {100 * (queued / bare - 1):.0f} % more", bare, queued)
        finally:
            own.stop()
    print("#   wanted: less than 15 % more, where a commit is for good")


PARTS = {"upsert": upsert, "queue": queue, "change": change}

if __name__ == "__main__":
    run_parts(PARTS, "bench-queue", shared_buffers="1GB", max_wal_size="8GB")
