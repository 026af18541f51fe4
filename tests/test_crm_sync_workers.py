"""Workers of the queue that takes leads to a CRM: failures, leases, and many at once beside those who queue."""

import random
import threading
import time
from collections import Counter

import pytest

from lib.access import as_role, expect_error
from lib.crm import CLAIM, COMPLETE, FAIL, claim, complete, due, fail, lapse, lead, make_leads, make_sponsor, queue, rescore, rows, statuses
from lib.factory import add_people, make_event


@pytest.fixture
def conn(fresh_db):
    """A database of its own: a queue has all sponsors in it."""
    connection = fresh_db.connect()
    connection.execute("SELECT convene.adopt_copy()")
    yield connection
    connection.close()


@pytest.fixture
def event(conn):
    return make_event(conn, "alpha", sessions=1, attendees=6)


@pytest.fixture
def sponsor(conn, event):
    return make_sponsor(conn, event, "acme")


# Failing -----------------------------------------------------------------------------------------------------------


def test_failures_wait_ever_longer_then_park(conn, event, sponsor):
    made, = make_leads(conn, event, sponsor, [0])
    queue(conn, sponsor)
    key = None
    for attempt in range(1, 6):
        job, = claim(conn)
        assert job.attempts == attempt and job.idempotency_key == (key or job.idempotency_key)
        key = job.idempotency_key
        told = fail(conn, job, f"no {attempt}")
        status, error, wait = conn.execute(
            "SELECT status, last_error, extract(epoch FROM available_at - updated_at)::float8 FROM convene.crm_sync_queue").fetchone()
        assert (told["status"], told["attempts"], error) == (status, attempt, f"no {attempt}")
        if attempt == 5:
            assert (status, told["next_attempt_at"]) == ("failed", None)
            break
        # Half of 10 x 2^(n-1), and up to as much again by chance.
        assert status == "pending" and 5 * 2 ** (attempt - 1) - 0.1 <= wait <= 10 * 2 ** (attempt - 1) + 0.1
        assert lead(conn, made, "crm_sync_status") == ("pending",)
        assert claim(conn) == []
        expect_error(conn, "55000", FAIL, [job.job_id, "again", job.lease_token, None])
        due(conn)
    assert lead(conn, made, "crm_sync_status", "crm_lead_id") == ("failed", None)
    assert claim(conn) == []
    # The sponsor tries again: the same row and, since it may have arrived, the same key.
    assert queue(conn, sponsor)["queued"] == 1
    assert lead(conn, made, "crm_sync_status") == ("pending",)
    job, = claim(conn)
    assert (job.attempts, job.idempotency_key) == (1, key) and len(rows(conn, "id")) == 1
    complete(conn, job, "501")
    assert lead(conn, made, "crm_sync_status") == ("synced",)


def test_a_failure_in_one_crm_shows_beside_a_success_in_another(conn, event, sponsor):
    made, = make_leads(conn, event, sponsor, [0])
    conn.execute("UPDATE convene.settings SET value = '1' WHERE key = 'queue.max_attempts'")
    for crm in ("hubspot", "salesforce"):
        queue(conn, sponsor, crm)
    for job in sorted(claim(conn), key=lambda job: job.crm_type):
        complete(conn, job, "501") if job.crm_type == "hubspot" else fail(conn, job)
    assert lead(conn, made, "crm_sync_status", "crm_lead_id") == ("failed", "501")


def test_a_wait_that_the_crm_asks_for_is_no_attempt(conn, event, sponsor):
    make_leads(conn, event, sponsor, [0])
    queue(conn, sponsor)
    for _ in range(8):
        job, = claim(conn)
        assert job.attempts == 1
        told = fail(conn, job, "429", "90 seconds")
        assert (told["status"], told["attempts"]) == ("pending", 0)
        wait = conn.execute("SELECT extract(epoch FROM available_at - updated_at)::float8 FROM convene.crm_sync_queue").fetchone()[0]
        assert 89.9 <= wait <= 90.1 and claim(conn) == []
        due(conn)
    job, = claim(conn)
    assert fail(conn, job)["attempts"] == 1


def test_workers_that_vanish_park_a_job_too(conn, event, sponsor):
    made, = make_leads(conn, event, sponsor, [0])
    queue(conn, sponsor)
    for _ in range(5):
        assert len(claim(conn)) == 1
        lapse(conn)
    assert claim(conn) == [] and statuses(conn) == {"failed": 1}
    assert lead(conn, made, "crm_sync_status") == ("failed",)


def test_a_lease_that_ran_out_is_handed_on_and_the_late_worker_is_refused(conn, event, sponsor):
    make_leads(conn, event, sponsor, [0])
    queue(conn, sponsor)
    first, = claim(conn)
    lapse(conn)
    second, = claim(conn)
    assert second.job_id == first.job_id and second.lease_token != first.lease_token
    assert second.idempotency_key == first.idempotency_key
    for statement, parameters in ((COMPLETE, [first.job_id, "1", first.lease_token]), (FAIL, [first.job_id, "x", first.lease_token, None])):
        expect_error(conn, "55000", statement, parameters, message=str(first.job_id), hint="claim again")
    complete(conn, second, "501")
    expect_error(conn, "55000", COMPLETE, [first.job_id, "1", first.lease_token])


# Beside others -----------------------------------------------------------------------------------------------------


def test_queueing_does_not_wait_for_a_worker(fresh_db, conn, event, sponsor):
    made, = make_leads(conn, event, sponsor, [0])
    queue(conn, sponsor)
    with fresh_db.second(autocommit=False) as worker:
        job, = claim(worker)
        conn.execute("SET lock_timeout = '200ms'")
        rescore(conn, made, 90)
        assert queue(conn, sponsor)["queued"] == 1
        worker.commit()
        assert statuses(conn) == {"leased": 1, "pending": 1}
        complete(conn, job, "501")
    job, = claim(conn)
    assert job.payload["properties"]["convene_lead_score"] == "90"


def test_two_claims_at_once_never_hold_two_rows_of_one_lead(fresh_db, conn, event, sponsor):
    """Two rows of one lead and target, as a race of enqueueing and claiming leaves them; one claim open beside another."""
    made, = make_leads(conn, event, sponsor, [0])
    for _ in range(2):
        conn.execute("INSERT INTO convene.crm_sync_queue (lead_id, sponsor_id, crm_type) VALUES (%s, %s, 'hubspot')", [made, sponsor.id])
    with fresh_db.second(autocommit=False) as one:
        assert len(claim(one, 1)) == 1
        assert claim(conn, 1) == []
        one.commit()
    assert statuses(conn) == {"leased": 1, "pending": 1}
    due(conn)
    assert claim(conn) == []


def test_two_clicks_at_once_queue_once(fresh_db, conn, event, sponsor):
    make_leads(conn, event, sponsor, range(6))
    told, barrier = [], threading.Barrier(4)

    def click():
        with fresh_db.second() as mine:
            barrier.wait()
            told.append(queue(mine, sponsor)["queued"])

    threads = [threading.Thread(target=click) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == [0, 0, 0, 6] and statuses(conn) == {"pending": 6}


def test_only_the_service_works_the_queue(conn, event, sponsor):
    make_leads(conn, event, sponsor, [0])
    queue(conn, sponsor)
    for role, sub in (("authenticated", event.organizer), ("authenticated", sponsor.sub), ("anon", None)):
        with as_role(conn, role, sub):
            for statement in ("SELECT * FROM convene.claim_crm_sync()", "SELECT * FROM convene.crm_sync_queue",
                              "SELECT convene.complete_crm_sync(gen_random_uuid(), '1', gen_random_uuid())",
                              "SELECT convene.fail_crm_sync(gen_random_uuid(), 'x', gen_random_uuid())"):
                expect_error(conn, "42501", statement)
    with as_role(conn, "service_role"):
        job, = claim(conn)
        complete(conn, job, "501")


def test_a_copy_hands_out_nothing_until_it_is_adopted(conn, event, sponsor):
    make_leads(conn, event, sponsor, [0])
    queue(conn, sponsor)
    conn.execute("""UPDATE convene.settings SET value = '{"system_identifier": "1", "database": "elsewhere"}' WHERE key = 'home'""")
    expect_error(conn, "55000", CLAIM, [1, "1 minute", None], message="copy", hint="adopt_copy")
    assert statuses(conn) == {"pending": 1}
    with as_role(conn, "service_role"):
        conn.execute("SELECT convene.adopt_copy()")
        assert len(claim(conn)) == 1


def test_four_workers_bring_every_change_once(fresh_db, conn, event, sponsor):
    """Some fail, some sleep past their lease and report late; leads change and are queued again meanwhile. In the end every
    lead stands in the CRM as it is, no two workers had one lead at a time, and no completion was taken twice."""
    add_people(conn, event, 54)
    leads = make_leads(conn, event, sponsor, range(60))
    conn.execute("UPDATE convene.settings SET value = '0' WHERE key LIKE 'queue.backoff%'")
    conn.execute("UPDATE convene.settings SET value = '1000' WHERE key = 'queue.max_attempts'")
    queue(conn, sponsor)
    guard, shown, taken, refused, wrong = threading.Lock(), {}, Counter(), Counter(), []
    stop, changing = time.monotonic() + 60, threading.Event()

    def report(mine, draw, job):
        if draw.random() < 0.1:
            fail(mine, job, "try again")
            return
        complete(mine, job, f"crm-{job.lead_id}")
        with guard:
            taken[job.job_id] += 1
            shown[job.lead_id] = job.payload["properties"]["convene_lead_score"]

    def attempt(mine, draw, job):
        try:
            report(mine, draw, job)
        except Exception as error:
            if getattr(error, "sqlstate", None) != "55000":
                raise
            refused[job.job_id] += 1

    def work(seed):
        draw, idle, late = random.Random(seed), 0, []
        try:
            with fresh_db.second() as mine:
                while (idle < 20 or late or not changing.is_set()) and time.monotonic() < stop:
                    jobs = claim(mine, draw.randint(1, 10), draw.choice(["50 milliseconds", "30 seconds"]))
                    if len({job.lead_id for job in jobs}) != len(jobs):
                        wrong.append("one lead twice in a claim")
                    idle = 0 if jobs else idle + 1
                    if not jobs:
                        time.sleep(0.05)
                    for job in jobs:
                        if draw.random() < 0.05:
                            late.append(job)  # fell asleep with it
                        else:
                            attempt(mine, draw, job)
                    if late and draw.random() < 0.3:
                        attempt(mine, draw, late.pop(0))
        except Exception as error:  # noqa: BLE001 - every failure is told
            wrong.append(repr(error))

    def change():
        draw = random.Random(9)
        try:
            with fresh_db.second() as mine:
                for _ in range(80):
                    rescore(mine, draw.choice(leads), draw.randint(0, 100))
                    queue(mine, sponsor)
                    time.sleep(0.01)
        except Exception as error:  # noqa: BLE001
            wrong.append(repr(error))
        changing.set()

    def watch():
        with fresh_db.second() as mine:
            while not changing.is_set():
                double = mine.execute("SELECT lead_id FROM convene.crm_sync_queue WHERE status = 'leased' GROUP BY lead_id, crm_type"
                                      " HAVING count(*) > 1").fetchall()
                if double:
                    wrong.append(f"two workers have {double}")
                time.sleep(0.01)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    threads += [threading.Thread(target=change), threading.Thread(target=watch)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert wrong == [] and not any(thread.is_alive() for thread in threads)
    for _ in range(3):
        lapse(conn)
        due(conn)
        for job in claim(conn, 1000):
            complete(conn, job, f"crm-{job.lead_id}")
            taken[job.job_id] += 1
            shown[job.lead_id] = job.payload["properties"]["convene_lead_score"]
    assert set(statuses(conn)) <= {"done", "cancelled"}, statuses(conn)
    assert max(taken.values()) == 1 and sum(refused.values()) >= 1
    scores = dict(conn.execute("SELECT id, lead_score FROM convene.lead_scoring").fetchall())
    assert {made: int(score) for made, score in shown.items()} == scores
    assert conn.execute("SELECT DISTINCT crm_sync_status FROM convene.lead_scoring").fetchall() == [("synced",)]
    assert queue(conn, sponsor)["unchanged"] == 60
