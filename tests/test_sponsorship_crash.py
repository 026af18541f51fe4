"""Nothing that was acknowledged is lost, whatever dies: producers note outside the server what was committed, while backends are
killed, the server is stopped in the middle of it, and workers sleep with their claims open. Then everything acknowledged is done
or parked, and the matches are what they have to be. Without its guards the queue does not pass this.

CONVENE_CRASH_ROUNDS says how many rounds there are, CONVENE_CRASH_SEED which; both are printed."""

import os
import random
import re
import signal
import subprocess
import threading
import time
from functools import partial

import psycopg
import pytest

from lib.cluster import Cluster, server_program
from lib.fits import Market, check, clean, drain, wait_for_lock, waiting

ROUNDS = int(os.environ.get("CONVENE_CRASH_ROUNDS", "30"))
SEED = os.environ.get("CONVENE_CRASH_SEED", "1")
WORK = "SELECT convene.update_sponsorship_matches(%s)"
# What a dying server tells its clients.
DIED = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.Rollback)


@pytest.fixture(scope="module")
def frail():
    """A server of its own, that commits for good, and a database in it."""
    cluster = Cluster(os.environ.get("CONVENE_TEST_CLUSTER", "test") + "-crash").start(synchronous_commit="on", full_page_writes="on")
    made = cluster.create_database("crash")
    with made.connect() as conn:
        conn.execute("CREATE EXTENSION convene CASCADE")
        conn.execute("SELECT convene.install()")
    yield made
    cluster.stop()


def control(cluster, *arguments):
    """pg_ctl, as the server's user."""
    command = [server_program("pg_ctl"), "-D", f"{cluster.host}/data", "-s", "-w", *arguments]
    if os.getuid() == 0:
        command = ["runuser", "-u", "postgres", "--", *command]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")


class Restless:
    """A thread with a connection that it makes anew whenever the server takes it away."""

    def __init__(self, db, seed, step):
        self.db, self.chance, self.step = db, random.Random(seed), step
        self.stop, self.failed = threading.Event(), None
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        while not self.stop.is_set():
            try:
                with self.db.second() as conn:
                    while not self.stop.is_set():
                        self.step(conn, self.chance)
            except DIED:
                time.sleep(0.02)
            except Exception as error:  # noqa: BLE001 - raised by the one who waits
                self.failed = error
                return

    def end(self):
        self.stop.set()
        self.thread.join()
        if self.failed:
            raise self.failed


def producer(market, acknowledged):
    def step(conn, chance):
        sponsor = chance.choice(market.sponsors)
        if chance.random() < 0.5:
            market.put_profile(conn, chance, sponsor)
            return
        # An entry by hand, whose id is noted only after the commit was told.
        told = conn.execute("INSERT INTO convene.fit_recalc_queue (sponsor_id, event_id, reason) VALUES (%s, %s, 'oracle') RETURNING id",
                            [sponsor, chance.choice([None, *market.events])]).fetchone()[0]
        acknowledged.append(told)
        getattr(market, chance.choice(["put_insights", "change_event", "put_vector", "churn"]))(
            conn, chance, chance.choice(market.events))
        time.sleep(chance.random() * 0.005)
    return step


def worker(conn, chance):
    """Some fall asleep with their claim in hand, some change their mind."""
    with conn.transaction() as undone:
        conn.execute(WORK, [chance.choice([1, 3, 100])])
        if chance.random() < 0.2:
            time.sleep(chance.random() * 0.1)
        if chance.random() < 0.1:
            raise psycopg.Rollback(undone)


def kill_some(cluster, chance):
    """The end of a backend without a word, after which the server starts anew by itself."""
    try:
        with cluster.connect("crash") as conn:
            pids = [row[0] for row in conn.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = 'crash' AND pid <> pg_backend_pid() AND backend_type = 'client backend'")]
        os.kill(chance.choice(pids), signal.SIGKILL)
    except (*DIED, IndexError, ProcessLookupError):
        pass


def wait_until_up(cluster):
    for _ in range(600):
        try:
            with cluster.connect("crash") as conn:
                conn.execute("SELECT 1")
                return
        except DIED:
            time.sleep(0.05)
    raise AssertionError("the server does not come back")


def lost(conn, acknowledged):
    return conn.execute(
        "SELECT id FROM unnest(%s::uuid[]) a(id) WHERE NOT EXISTS (SELECT FROM convene.fit_recalc_queue q"
        " WHERE q.id = a.id AND q.status IN ('done', 'failed'))", [acknowledged]).fetchall()


def test_nothing_acknowledged_is_lost(frail):
    print(f"CONVENE_CRASH_ROUNDS={ROUNDS} CONVENE_CRASH_SEED={SEED}")
    chance, market, acknowledged = random.Random(f"crash {SEED}"), Market(f"crash {SEED}", 5, 5), []
    cluster = frail.cluster
    with frail.connect() as conn:
        market.build(conn)
        drain(conn)
    for turn in range(ROUNDS):
        alive = [Restless(frail, f"producer {turn} {n} {SEED}", producer(market, acknowledged)) for n in range(2)]
        alive += [Restless(frail, f"worker {turn} {n} {SEED}", worker) for n in range(3)]
        time.sleep(0.1 + chance.random() * 0.2)
        if chance.random() < 0.5:
            kill_some(cluster, chance)
        else:
            control(cluster, "-m", "immediate", "stop")
            control(cluster, "-l", f"{cluster.host}/log", "start")
        wait_until_up(cluster)
        time.sleep(chance.random() * 0.1)
        for one in alive:
            one.end()
        wait_until_up(cluster)
        with frail.connect() as conn:
            drain(conn)
            assert lost(conn, acknowledged) == []
            check(conn)
    with frail.connect() as conn:
        counts = dict(conn.execute("SELECT status, count(*) FROM convene.fit_recalc_queue GROUP BY 1").fetchall())
        print(f"{len(acknowledged)} acknowledged, {counts}")
        assert set(counts) == {"done"} and len(acknowledged) > ROUNDS
        # Done once: every entry that is done was taken by one worker.
        assert conn.execute("SELECT count(*) FROM convene.fit_recalc_queue WHERE attempts > 1").fetchone() == (0,)


# Each guard taken out, and what then goes wrong ----------------------------------------------------------------------


def mutate(conn, function, pattern, replacement):
    """Takes something out of a function of the schema."""
    body = conn.execute("SELECT pg_get_functiondef(p.oid) FROM pg_proc p WHERE p.pronamespace = 'convene_private'::regnamespace AND p.proname = %s",
                        [function]).fetchone()[0]
    mutated, count = re.subn(pattern, replacement, body)
    assert count > 0
    conn.execute(mutated)


@pytest.fixture
def pair(fresh_db):
    """A database whose functions may be spoiled, with an event and a sponsor that are compared."""
    with fresh_db.connect() as conn:
        clean(conn)
        conn.execute("INSERT INTO convene.events (id, title, status, categories) VALUES (md5('e')::uuid, 'E', 'published', '{music}')")
        conn.execute("INSERT INTO convene.sponsors (id, company_name) VALUES (md5('s')::uuid, 'S')")
        conn.execute("INSERT INTO convene.sponsor_profiles (sponsor_id, annual_budget_cents, preferred_categories)"
                     " VALUES (md5('s')::uuid, 100000, '{music}')")
        drain(conn)
        yield fresh_db, conn


def a_worker_waits_for_nobody(db, conn):
    """Another worker holds an entry; a second one goes on with the next."""
    conn.execute("UPDATE convene.sponsor_profiles SET annual_budget_cents = 7")
    with db.second(autocommit=False) as other:
        other.execute("SELECT * FROM convene_private.claim_fits(1)").fetchall()
        conn.execute("INSERT INTO convene.fit_recalc_queue (event_id) VALUES (md5('e')::uuid)")
        conn.execute("SET lock_timeout = '300ms'")
        assert conn.execute(WORK, [10]).fetchone() == (1,)


def a_change_is_not_taken_before_it_is_there(change, db, conn):
    """A writer has confirmed a waiting entry and not committed; whoever takes it now would compute the old state for good."""
    conn.execute(change, [7])
    with db.second(autocommit=False) as writer:
        writer.execute(change, [900000])
        conn.execute(WORK, [10])
        writer.commit()
    drain(conn)
    check(conn)


a_profile_is_not_taken_before_it_is_there = partial(
    a_change_is_not_taken_before_it_is_there, "UPDATE convene.sponsor_profiles SET annual_budget_cents = %s")
an_event_is_not_taken_before_it_is_there = partial(
    a_change_is_not_taken_before_it_is_there, "UPDATE convene.events SET categories = ARRAY[CASE %s WHEN 7 THEN 'art' ELSE 'music' END]")


def a_worker_that_knows_less_is_refused(db, conn):
    """The first worker has read its inputs and is held up before it writes; a second one, that knows more, is through by then."""
    conn.execute("CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                 " IF current_setting('test.slow', true) = 'yes' THEN PERFORM pg_advisory_xact_lock(77); END IF; RETURN NEW; END $$")
    conn.execute("CREATE TRIGGER hold BEFORE INSERT ON convene.sponsorship_matches FOR EACH ROW EXECUTE FUNCTION hold()")
    with db.second(autocommit=False) as gate, db.second() as slow:
        gate.execute("SELECT pg_advisory_xact_lock(77)")
        slow.execute("SET test.slow = 'yes'")
        conn.execute("INSERT INTO convene.event_audience_insights (event_id, engagement_score) VALUES (md5('e')::uuid, 0.5)")
        first = threading.Thread(target=slow.execute, args=[WORK, [10]])
        first.start()
        wait_for_lock(conn, slow.info.backend_pid)
        conn.execute("UPDATE convene.sponsor_profiles SET annual_budget_cents = 900000")
        conn.execute(WORK, [10])
        gate.rollback()
        first.join()
    assert waiting(conn) == 0
    check(conn)


def a_row_is_not_added_behind_the_back_of_who_takes_it_off(db, conn):
    """The first worker is about to add a row of an event that leaves the market meanwhile."""
    conn.execute("CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                 " IF current_setting('test.slow', true) = 'yes' THEN PERFORM pg_advisory_xact_lock(77); END IF; RETURN NEW; END $$")
    conn.execute("CREATE TRIGGER hold BEFORE INSERT ON convene.sponsorship_matches FOR EACH ROW EXECUTE FUNCTION hold()")
    conn.execute("INSERT INTO convene.events (id, title, status) VALUES (md5('new')::uuid, 'New', 'published')")
    with db.second(autocommit=False) as gate, db.second() as slow, db.second() as other:
        gate.execute("SELECT pg_advisory_xact_lock(77)")
        slow.execute("SET test.slow = 'yes'")
        first = threading.Thread(target=slow.execute, args=[WORK, [10]])
        first.start()
        wait_for_lock(conn, slow.info.backend_pid)
        conn.execute("UPDATE convene.events SET status = 'cancelled' WHERE title = 'New'")
        second = threading.Thread(target=other.execute, args=[WORK, [10]])
        second.start()
        time.sleep(0.3)
        gate.rollback()
        first.join()
        second.join()
    drain(conn)
    check(conn)


GUARDS = {
    "SKIP LOCKED": (a_worker_waits_for_nobody, [("claim_fits", " SKIP LOCKED", "")]),
    "the lock of a profile": (a_profile_is_not_taken_before_it_is_there, [("sponsor_profile_changed", "FOR SHARE SKIP LOCKED", "")]),
    "the lock of an event": (an_event_is_not_taken_before_it_is_there, [("enqueue_event_fits", "FOR SHARE SKIP LOCKED", "")]),
    "the revisions": (a_worker_that_knows_less_is_refused, [("store_fits", r"WHERE m\.sponsor_rev <= .*event_rev;", ";")]),
}


@pytest.mark.parametrize("guard", GUARDS)
def test_with_its_guard_it_holds(pair, guard):
    GUARDS[guard][0](*pair)


@pytest.mark.parametrize("guard", GUARDS)
def test_without_its_guard_it_does_not(pair, guard):
    db, conn = pair
    proof, mutations = GUARDS[guard]
    for mutation in mutations:
        mutate(conn, *mutation)
    with pytest.raises((AssertionError, psycopg.errors.LockNotAvailable)):
        proof(db, conn)


def test_who_takes_rows_off_waits_for_who_adds_them(pair):
    a_row_is_not_added_behind_the_back_of_who_takes_it_off(*pair)
