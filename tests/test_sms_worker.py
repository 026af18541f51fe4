"""The reference worker against a stand-in gateway that fails: each message arrives once, whatever happens in between."""

import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest

from lib.cluster import ROOT
from lib.gateway import ODD, Gateway, at_random
from lib.talk import Talk

WORKER = ROOT / "examples" / "sms-worker" / "worker.py"
# The program as it is, but that it looks for work by itself once in ten minutes: nothing here waits for that.
PATIENT = """
import runpy, sys
main = runpy.run_path(sys.argv[1])["main"]
main.__globals__["IDLE_SECONDS"] = 600
main()
"""
ASLEEP = """
SELECT count(*) FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'idle' AND query LIKE '%%claim_outbox%%'"""


@pytest.fixture(scope="module")
def worker():
    spec = importlib.util.spec_from_file_location("sms_worker", WORKER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def talk(fresh_db):
    """Sixteen people in eight pairs, all of whom are to be asked."""
    with fresh_db.connect() as conn:
        conn.execute("SELECT convene.adopt_copy()")
        conn.execute("UPDATE convene.settings SET value = '0' WHERE key LIKE 'queue.backoff%'")
        conn.execute("UPDATE convene.settings SET value = '40' WHERE key = 'queue.max_attempts'")
        made = Talk(conn, "worked")
        made.db = fresh_db
        people = [made.person(f"P{number}") for number in range(16)]
        made.pairs = [made.match(*people[at:at + 2]) for at in range(0, 16, 2)]
        for pair in made.pairs:
            made.introduce(pair)
        yield made


@pytest.fixture
def gateway(request):
    made = Gateway()
    yield made
    made.close()


def drain(worker, talk, gateway, workers=1, timeout=0.3):
    """Lets workers run until nothing is left to do."""
    def run():
        with talk.db.connect() as conn:
            until = time.monotonic() + 60
            while time.monotonic() < until:
                if not worker.work_once(conn, gateway.url, 5, "30 seconds", timeout):
                    if not conn.execute("SELECT 1 FROM convene.outbox WHERE status IN ('pending', 'leased')").fetchone():
                        return
                    time.sleep(0.05)

    threads = [threading.Thread(target=run) for _ in range(workers)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]


def states(talk):
    return dict(talk.conn.execute("SELECT status, count(*) FROM convene.outbox GROUP BY status").fetchall())


def test_a_round_without_trouble(worker, talk, gateway):
    drain(worker, talk, gateway)
    assert len(gateway.requests) == len(gateway.messages) == 16 and states(talk) == {"done": 16}
    assert {message["to"] for message in gateway.messages.values()} == {who.phone for who in talk.people}
    assert talk.one("SELECT count(*) FROM convene.peer_messages WHERE status = 'sent' AND sent_at IS NOT NULL AND body IS NOT NULL") == 16
    assert talk.one("SELECT count(*) FROM convene.outbox WHERE result->>'id' = 'gw-' || idempotency_key") == 16


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("seed", range(3))
def test_every_message_arrives_once_through_failures_of_every_kind(worker, talk, gateway, seed, workers):
    gateway.plan = at_random(seed, "ok", "ok", "429", "500", "lost", "torn", "hang")
    talk.conn.execute("UPDATE convene.outbox SET priority = 1")
    drain(worker, talk, gateway, workers)
    assert states(talk) == {"done": 16} and len(gateway.messages) == 16
    assert len(gateway.requests) > 16
    assert sorted(message["to"] for message in gateway.messages.values()) == sorted(who.phone for who in talk.people)


def test_a_gateway_that_asks_for_patience_is_given_it(worker, talk, gateway):
    gateway.plan, gateway.patience = (lambda number: "429"), 3600
    before = talk.one("SELECT clock_timestamp()")
    with talk.db.connect() as conn:
        assert worker.work_once(conn, gateway.url) == 16
        assert worker.work_once(conn, gateway.url) == 0
    hour = "min(available_at) >= %s + '1 hour'::interval AND max(available_at) <= clock_timestamp() + '1 hour'::interval"
    assert talk.one(f"SELECT {hour} FROM convene.outbox", before) is True
    assert talk.one("SELECT DISTINCT last_error FROM convene.outbox") == "HTTP 429"


def test_what_cannot_help_is_not_tried_again(worker, talk, gateway):
    gateway.plan = lambda number: "400"
    drain(worker, talk, gateway)
    assert states(talk) == {"failed": 16} and len(gateway.requests) == 16
    # A question that never arrived is not open.
    assert all(talk.open(who) is None for who in talk.people)


@pytest.mark.parametrize("answer", ODD)
def test_what_was_taken_is_done_whatever_is_said_about_it(worker, talk, gateway, answer):
    gateway.plan = lambda number: answer
    drain(worker, talk, gateway)
    assert states(talk) == {"done": 16} and len(gateway.requests) == len(gateway.messages) == 16


@pytest.mark.parametrize("patience", ["0", "²", "-1", "9" * 400, "soon"])
def test_an_odd_wish_for_patience_is_no_end_of_the_worker(worker, talk, gateway, patience):
    gateway.plan, gateway.patience = (lambda number: "429"), patience
    with talk.db.connect() as conn:
        assert worker.work_once(conn, gateway.url) == 16
    assert states(talk) == {"pending": 16}


def test_nothing_is_sent_that_may_outlast_the_lease(worker, talk, gateway):
    """A batch that takes longer than its lease: the rest is looked at again by whoever claims it next."""
    gateway.plan = lambda number: "hang"
    with talk.db.connect() as conn:
        assert worker.work_once(conn, gateway.url, 16, "1.2 seconds", 0.5) == 16
        late = conn.execute("SELECT count(*) FROM convene.outbox WHERE status = 'leased'").fetchone()[0]
    assert 1 <= len(gateway.requests) <= 2 and late == 16 - len(gateway.requests)


def test_a_worker_that_dies_between_sending_and_reporting_sends_nothing_twice(worker, talk, gateway):
    with talk.db.connect() as conn:
        for _, key, message, _ in conn.execute("SELECT id, idempotency_key, payload, lease_token FROM convene.claim_outbox('sms', 7, '0.3 s')"):
            worker.send(gateway.url, key, message)
    time.sleep(0.4)
    drain(worker, talk, gateway)
    assert len(gateway.requests) == 16 + 7 and len(gateway.messages) == 16 and states(talk) == {"done": 16}


def test_what_comes_in_goes_through_the_same_worker(worker, talk):
    who = talk.people[0]
    talk.conn.execute("UPDATE convene.events SET start_at = now() - '1 hour'::interval, end_at = now() + '1 hour'::interval")
    first = worker.receive(talk.conn, {"from": who.phone, "text": "YES", "id": "gw-in-1"})
    again = worker.receive(talk.conn, {"from": who.phone, "text": "YES", "id": "gw-in-1"})
    assert (first["understood"], first["repeated"], again["repeated"]) == ("yes", False, True)


def wait_for(condition):
    until = time.monotonic() + 60
    while not (met := condition()) and time.monotonic() < until:
        time.sleep(0.05)
    assert met


@contextmanager
def running(talk, gateway, *program):
    """The worker as a process of its own."""
    info = talk.conn.info
    url = f"host={info.host} port={info.port} user=postgres dbname={info.dbname}"
    environment = {**os.environ, "DATABASE_URL": url, "GATEWAY_URL": gateway.url}
    process = subprocess.Popen([sys.executable, *program], env=environment, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_the_program_wakes_when_something_is_queued(talk, gateway):
    with running(talk, gateway, "-c", PATIENT, WORKER):
        # It has sent everything, and found nothing more.
        wait_for(lambda: states(talk) == {"done": 16} and talk.one(ASLEEP) == 1)
        # What is queued while it sleeps is sent as soon as the database says so.
        talk.say(talk.people[0], "YES")
        wait_for(lambda: len(gateway.messages) == 17)


def test_the_program_ends_when_it_is_told(talk, gateway):
    with running(talk, gateway, WORKER) as process:
        wait_for(lambda: states(talk) == {"done": 16})
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
