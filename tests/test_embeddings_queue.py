"""The queue of texts that wait for a vector: coalesced, leased, fenced, retried, parked, and every effect once."""

import random
import threading
import time
from collections import Counter
from datetime import timedelta

import pytest

from lib.access import as_role, expect_error
from lib.factory import add_sessions, make_event, vector_text
from lib.statistics import tuples_read

pytestmark = pytest.mark.embeddings
NATIVE = "convene-hash-v1"
CLAIM = "SELECT * FROM convene.claim_embedding_jobs(%s, %s::interval)"
COMPLETE = "SELECT convene.complete_embedding_job(%s, %s::real[], %s, %s)"
FAIL = "SELECT convene.fail_embedding_job(%s, %s, %s)"
PUT = """
INSERT INTO convene.session_embeddings (session_id, event_id, embedding, source_text, embedding_model) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (session_id) DO UPDATE SET embedding = excluded.embedding, source_text = excluded.source_text, embedding_model = excluded.embedding_model"""


@pytest.fixture
def conn(fresh_db):
    """A database of its own: a queue has all events in it."""
    connection = fresh_db.connect()
    connection.execute("SELECT convene.adopt_copy()")
    yield connection
    connection.close()


def jobs(conn, *columns, where="true"):
    return conn.execute(f"SELECT {', '.join(columns)} FROM convene.embedding_queue WHERE {where} ORDER BY queued_at, id").fetchall()


def statuses(conn):
    return dict(conn.execute("SELECT status, count(*) FROM convene.embedding_queue GROUP BY status").fetchall())


def claim(conn, limit=10, lease="5 minutes"):
    return conn.execute(CLAIM, [limit, lease]).fetchall()


def retitle(conn, event, index, title):
    conn.execute("UPDATE convene.sessions SET title = %s WHERE id = %s", [title, event.sessions[index]])


def settle(conn, event):
    """Every session has the native vector of its text."""
    conn.execute("SELECT convene.embed_pending(10000)")
    assert set(statuses(conn)) <= {"done"}


def vector(first=1.0):
    return [first] + [0.0] * 255


def test_new_sessions_and_changed_texts_wait_once(conn):
    event = make_event(conn, "queued", sessions=5)
    assert statuses(conn) == {"pending": 5}
    for title in ("a", "b", "c"):
        retitle(conn, event, 0, title)
    conn.execute("UPDATE convene.sessions SET description = 'new' WHERE event_id = %s", [event.id])
    assert statuses(conn) == {"pending": 5}
    settle(conn, event)
    for change in ("room = 'Elsewhere'", "status = 'live'", "current_registrations = 3", "title = title", "difficulty_level = 'expert'"):
        conn.execute(f"UPDATE convene.sessions SET {change} WHERE event_id = %s", [event.id])
    assert statuses(conn) == {"done": 5}
    for change in ("title = title || '!'", "description = 'other'", "topics = topics || '{more}'"):
        conn.execute(f"UPDATE convene.sessions SET {change} WHERE id = %s", [event.sessions[0]])
        assert statuses(conn)["pending"] == 1
    conn.execute("DELETE FROM convene.sessions WHERE id = %s", [event.sessions[0]])
    assert statuses(conn) == {"done": 4}


def test_a_change_finds_its_session_and_reads_nothing_else_of_the_queue(conn):
    """Even by plans that were made when the queue was empty; its vector ends its job in the same way."""
    event = make_event(conn, "many", sessions=100)
    conn.execute("TRUNCATE convene.embedding_queue")
    before = tuples_read(conn, "convene.embedding_queue")
    for number in range(100):
        retitle(conn, event, number, "Anew")
    text = conn.execute("SELECT convene_private.session_text(title, description, topics) FROM convene.sessions WHERE id = %s",
                        [event.sessions[0]]).fetchone()[0]
    conn.execute(PUT, [event.sessions[0], event.id, vector_text(vector()), text, NATIVE])
    after = tuples_read(conn, "convene.embedding_queue")
    read = {name: after[name] - before[name] for name in after}
    assert read["idx_embedding_queue_claim"] == 0 and read["in sequence"] == 0 and read["idx_embedding_queue_target"] <= 200
    assert statuses(conn) == {"pending": 99, "done": 1}


def test_a_waiting_job_that_an_open_transaction_confirms_is_not_handed_out_early(fresh_db, conn):
    """Coalescing locks the pending row until the new text is committed; no worker may take the old text for good."""
    event = make_event(conn, "early", sessions=2)
    with fresh_db.second(autocommit=False) as writer:
        writer.execute("UPDATE convene.sessions SET title = 'Newer' WHERE id = %s", [event.sessions[0]])
        assert [job[1] for job in claim(conn)] == [event.sessions[1]]
        writer.commit()
    late = claim(conn)
    assert [(job[1], job[2].split("\n")[0]) for job in late] == [(event.sessions[0], "Newer")]


def test_a_writer_does_not_wait_for_a_worker(fresh_db, conn):
    event = make_event(conn, "unhindered", sessions=1)
    with fresh_db.second(autocommit=False) as worker:
        assert len(claim(worker)) == 1
        conn.execute("SET lock_timeout = '200ms'")
        retitle(conn, event, 0, "Changed meanwhile")
        worker.commit()
    assert statuses(conn) == {"leased": 1, "pending": 1}


def test_a_claim_says_all_that_a_worker_needs(conn):
    event = make_event(conn, "told", sessions=1)
    conn.execute("UPDATE convene.sessions SET title = 'T', description = 'D', topics = '{x,y}' WHERE id = %s", [event.sessions[0]])
    before = conn.execute("SELECT clock_timestamp()").fetchone()[0]
    job, session, text, attempts, token, until = claim(conn, 10, "90 seconds")[0]
    after = conn.execute("SELECT clock_timestamp()").fetchone()[0]
    assert (session, text, attempts) == (event.sessions[0], "T\nD\nx, y", 1)
    assert before <= until - timedelta(seconds=90) <= after
    assert jobs(conn, "id", "status", "lease_token", "lease_until", "attempts") == [(job, "leased", token, until, 1)]
    assert claim(conn) == []


def test_completing_stores_the_vector_and_ends_the_job_once(conn):
    event = make_event(conn, "completed", sessions=1)
    job, session, text, _, token, _ = claim(conn)[0]
    told = conn.execute(COMPLETE, [job, vector(), NATIVE, token]).fetchone()[0]
    assert told == {"session_id": str(session), "status": "done", "model": NATIVE}
    stored = conn.execute("SELECT embedding::real[], embedding_model, source_text FROM convene.session_embeddings").fetchall()
    assert stored == [(vector(), NATIVE, text)]
    # Twice is as good as once, and what comes second is not taken.
    assert conn.execute(COMPLETE, [job, vector(0.5), NATIVE, token]).fetchone()[0] == told
    assert conn.execute("SELECT embedding::real[] FROM convene.session_embeddings").fetchone()[0] == vector()
    assert statuses(conn) == {"done": 1}
    expect_error(conn, "55000", FAIL, [job, "late", token], message="done")
    assert statuses(conn) == {"done": 1}


def test_a_text_that_changes_while_a_worker_has_it_stays_queued(conn):
    event = make_event(conn, "changing", sessions=1)
    job, _, old, _, token, _ = claim(conn)[0]
    retitle(conn, event, 0, "Changed under way")
    conn.execute(COMPLETE, [job, vector(), NATIVE, token])
    assert conn.execute("SELECT source_text FROM convene.session_embeddings").fetchone()[0] == old
    assert statuses(conn) == {"done": 1, "pending": 1}
    again = claim(conn)
    assert len(again) == 1 and again[0][2].startswith("Changed under way")


def test_the_vector_of_an_older_text_does_not_replace_that_of_the_present_one(conn):
    """Both jobs are held under good leases; the newer text is reported on first."""
    event = make_event(conn, "overtaken", sessions=1)
    (old, _, _, _, first, _), = claim(conn)
    retitle(conn, event, 0, "Newer")
    (new, _, text, _, second, _), = claim(conn)
    conn.execute(COMPLETE, [new, vector(0.5), NATIVE, second])
    assert conn.execute(COMPLETE, [old, vector(0.1), NATIVE, first]).fetchone()[0]["status"] == "done"
    assert conn.execute("SELECT source_text, embedding::real[] FROM convene.session_embeddings").fetchall() == [(text, vector(0.5))]
    assert statuses(conn) == {"done": 2}


def test_a_lease_that_ran_out_is_handed_on_and_the_late_worker_is_refused(conn):
    make_event(conn, "late", sessions=1)
    job, _, _, _, first, _ = claim(conn)[0]
    conn.execute("UPDATE convene.embedding_queue SET lease_until = now() - '1 s'::interval")
    (same, _, _, attempts, second, _), = claim(conn)
    assert same == job and attempts == 2 and second != first
    for statement, parameters in ((COMPLETE, [job, vector(), NATIVE, first]), (FAIL, [job, "x", first])):
        expect_error(conn, "55000", statement, parameters, message=str(job), hint="claim again")
    assert conn.execute("SELECT count(*) FROM convene.session_embeddings").fetchone() == (0,)
    conn.execute(COMPLETE, [job, vector(), NATIVE, second])
    expect_error(conn, "55000", COMPLETE, [job, vector(), NATIVE, first])
    assert statuses(conn) == {"done": 1}


def test_a_lease_that_ran_out_but_was_not_handed_on_may_still_finish(conn):
    make_event(conn, "slow", sessions=1)
    job, _, _, _, token, _ = claim(conn)[0]
    conn.execute("UPDATE convene.embedding_queue SET lease_until = now() - '1 s'::interval")
    assert conn.execute(COMPLETE, [job, vector(), NATIVE, token]).fetchone()[0]["status"] == "done"


def test_failures_wait_ever_longer_then_park(conn):
    make_event(conn, "failing", sessions=1)
    job = jobs(conn, "id")[0][0]
    for attempt in range(1, 6):
        (_, _, _, attempts, token, _), = claim(conn)
        assert attempts == attempt
        told = conn.execute(FAIL, [job, f"no {attempt}", token]).fetchone()[0]
        status, error, wait, finished = conn.execute(
            "SELECT status, last_error, extract(epoch FROM available_at - updated_at)::float8, processed_at IS NOT NULL FROM convene.embedding_queue").fetchone()
        assert (told["attempts"], told["status"], error) == (attempt, status, f"no {attempt}")
        if attempt == 5:
            assert (status, finished, told["next_attempt_at"]) == ("failed", True, None)
            break
        assert (status, finished) == ("pending", False) and told["next_attempt_at"]
        # Half of 10 x 2^(n-1), and up to as much again by chance.
        assert 5 * 2 ** (attempt - 1) - 0.1 <= wait <= 10 * 2 ** (attempt - 1) + 0.1
        assert claim(conn) == []
        expect_error(conn, "55000", FAIL, [job, "again", token])
        conn.execute("UPDATE convene.embedding_queue SET available_at = now()")
    assert claim(conn) == [] and conn.execute("SELECT convene.embed_pending()").fetchone() == (0,)


def test_the_wait_is_bounded_and_the_attempts_are_a_setting(conn):
    make_event(conn, "bounded", sessions=1)
    conn.execute("UPDATE convene.settings SET value = '30' WHERE key = 'queue.backoff_cap_seconds'")
    conn.execute("UPDATE convene.settings SET value = '9' WHERE key = 'queue.max_attempts'")
    for attempt in range(1, 9):
        (job, _, _, _, token, _), = claim(conn)
        assert conn.execute(FAIL, [job, "x", token]).fetchone()[0]["status"] == "pending"
        wait = conn.execute("SELECT extract(epoch FROM available_at - updated_at)::float8 FROM convene.embedding_queue").fetchone()[0]
        assert wait <= 30.1 and (attempt < 3 or wait >= 14.9)
        conn.execute("UPDATE convene.embedding_queue SET available_at = now()")
    (job, _, _, _, token, _), = claim(conn)
    assert conn.execute(FAIL, [job, "x", token]).fetchone()[0]["status"] == "failed"


def test_workers_that_vanish_park_a_job_too(conn):
    make_event(conn, "vanishing", sessions=1)
    for _ in range(5):
        assert len(claim(conn)) == 1
        conn.execute("UPDATE convene.embedding_queue SET lease_until = now() - '1 s'::interval")
    assert claim(conn) == []
    assert jobs(conn, "status", "attempts") == [("failed", 5)]
    assert "lease ran out" in jobs(conn, "last_error")[0][0]


def test_a_long_error_is_cut(conn):
    make_event(conn, "wordy", sessions=1)
    (job, _, _, _, token, _), = claim(conn)
    conn.execute(FAIL, [job, "ü" * 5_000_000, token])
    assert 1000 <= len(jobs(conn, "last_error")[0][0]) <= 2000


def test_several_rows_of_one_session_are_one_job(conn):
    event = make_event(conn, "doubled", sessions=2)
    for _ in range(3):
        conn.execute("INSERT INTO convene.embedding_queue (target_kind, target_id, event_id) VALUES ('session', %s, %s)",
                     [event.sessions[0], event.id])
    claimed = claim(conn)
    assert sorted(job[1] for job in claimed) == sorted(event.sessions)
    assert statuses(conn) == {"leased": 2, "done": 3}


def test_priority_then_age_decide(conn):
    event = make_event(conn, "ordered", sessions=4)
    conn.execute("UPDATE convene.embedding_queue SET priority = 5 WHERE target_id = %s", [event.sessions[2]])
    conn.execute("UPDATE convene.embedding_queue SET available_at = now() - '1 h'::interval WHERE target_id = %s", [event.sessions[3]])
    conn.execute("UPDATE convene.embedding_queue SET available_at = now() + '1 h'::interval WHERE target_id = %s", [event.sessions[0]])
    assert [claim(conn, 1)[0][1] for _ in range(3)] == [event.sessions[2], event.sessions[3], event.sessions[1]]
    assert claim(conn, 1) == []


def test_a_vector_written_directly_ends_the_job_of_its_text(conn):
    event = make_event(conn, "direct", sessions=2)
    text = conn.execute("SELECT convene_private.session_text(title, description, topics) FROM convene.sessions WHERE id = %s",
                        [event.sessions[0]]).fetchone()[0]
    conn.execute(PUT, [event.sessions[0], event.id, vector_text(vector()), text, NATIVE])
    conn.execute(PUT, [event.sessions[1], event.id, vector_text(vector()), "some other text", NATIVE])
    assert dict(jobs(conn, "target_id", "status")) == {event.sessions[0]: "done", event.sessions[1]: "pending"}


def test_the_native_embedder_never_replaces_another_models_vector(conn):
    event = make_event(conn, "respectful", sessions=3, embeddings=16)
    conn.execute("UPDATE convene.sessions SET title = title || ' new' WHERE event_id = %s", [event.id])
    conn.execute("DELETE FROM convene.session_embeddings WHERE session_id = %s", [event.sessions[0]])
    assert conn.execute("SELECT convene.embed_pending()").fetchone() == (1,)
    assert dict(conn.execute("SELECT session_id, embedding_model FROM convene.session_embeddings").fetchall()) == {
        event.sessions[0]: NATIVE, event.sessions[1]: "test-model-16", event.sessions[2]: "test-model-16"}
    assert statuses(conn)["pending"] == 2
    # An outside worker of that model gets them.
    for job, _, _, _, token, _ in claim(conn):
        conn.execute(COMPLETE, [job, [0.5] * 16, "test-model-16", token])
    assert statuses(conn) == {"done": 3}


def test_the_native_embedder_drains_in_portions(conn):
    event = make_event(conn, "drained", sessions=25)
    assert [conn.execute("SELECT convene.embed_pending(10)").fetchone()[0] for _ in range(4)] == [10, 10, 5, 0]
    rows = conn.execute("SELECT embedding::real[], source_text, convene.embed_text(source_text) FROM convene.session_embeddings").fetchall()
    assert len(rows) == 25 == len(event.sessions)
    assert all(stored == pytest.approx(expected, abs=1e-6) for stored, _, expected in rows)


def test_only_the_service_works_the_queue(conn):
    event = make_event(conn, "guarded", sessions=1)
    for role, sub in (("authenticated", event.organizer), ("authenticated", event.people[0].sub), ("anon", None)):
        with as_role(conn, role, sub):
            for statement in ("SELECT * FROM convene.claim_embedding_jobs()", "SELECT convene.embed_pending()",
                              "SELECT * FROM convene.embedding_queue", "INSERT INTO convene.embedding_queue (target_kind) VALUES ('session')",
                              "DELETE FROM convene.embedding_queue"):
                expect_error(conn, "42501", statement)
    with as_role(conn, "service_role"):
        assert len(claim(conn)) == 1


def test_a_copy_hands_out_nothing_until_it_is_adopted(conn):
    make_event(conn, "copied", sessions=1)
    conn.execute("""UPDATE convene.settings SET value = '{"system_identifier": "1", "database": "elsewhere"}' WHERE key = 'home'""")
    expect_error(conn, "55000", CLAIM, [1, "1 minute"], message="copy", hint="adopt_copy")
    assert statuses(conn) == {"pending": 1}
    with as_role(conn, "service_role"):
        conn.execute("SELECT convene.adopt_copy()")
        assert len(claim(conn)) == 1


def test_four_workers_do_five_hundred_jobs_once_each(fresh_db, conn):
    """Some fail, some sleep past their lease and report late, titles change meanwhile. In the end every session has the
    vector of its present text, and no completion was taken twice."""
    event = make_event(conn, "busy", sessions=0, attendees=0)
    add_sessions(conn, event, 500)
    conn.execute("UPDATE convene.settings SET value = '0' WHERE key LIKE 'queue.backoff%'")
    conn.execute("UPDATE convene.settings SET value = '100' WHERE key = 'queue.max_attempts'")
    taken, refused, failures, stop = Counter(), Counter(), [], time.monotonic() + 90

    def report(mine, draw, job):
        job_id, _, text, _, token, _ = job
        if draw.random() < 0.1:
            mine.execute(FAIL, [job_id, "try again", token])
        else:
            mine.execute(COMPLETE, [job_id, mine.execute("SELECT convene.embed_text(%s)", [text]).fetchone()[0], NATIVE, token])
            taken[job_id] += 1

    def work(seed):
        draw, idle, late = random.Random(seed), 0, []
        try:
            with fresh_db.second() as mine:
                while (idle < 20 or late) and time.monotonic() < stop:
                    batch = claim(mine, draw.randint(1, 20), draw.choice(["100 milliseconds", "30 seconds"]))
                    idle = 0 if batch else idle + 1
                    if not batch:
                        time.sleep(0.05)
                    for job in batch:
                        if draw.random() < 0.05:
                            late.append(job)  # fell asleep with it
                        else:
                            attempt(mine, draw, job)
                    if late and draw.random() < 0.3:
                        attempt(mine, draw, late.pop(0))
        except Exception as error:  # noqa: BLE001 - every failure is told
            failures.append(repr(error))

    def attempt(mine, draw, job):
        try:
            report(mine, draw, job)
        except Exception as error:
            if getattr(error, "sqlstate", None) != "55000":
                raise
            refused[job[0]] += 1

    def change():
        draw = random.Random(9)
        with fresh_db.second() as mine:
            for number in range(60):
                retitle(mine, event, draw.randrange(500), f"Changed {number}")
                time.sleep(0.02)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)] + [threading.Thread(target=change)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert failures == [] and not any(thread.is_alive() for thread in threads)
    # What a worker fell asleep with for longer than the test may still be leased: take it as another worker would.
    conn.execute("UPDATE convene.embedding_queue SET lease_until = now() - '1 s'::interval WHERE status = 'leased'")
    for job in claim(conn, 1000):
        report(conn, random.Random(3), job)
    conn.execute("SELECT convene.embed_pending(1000)")
    assert set(statuses(conn)) == {"done"}, statuses(conn)
    assert set(taken.values()) == {1} and sum(refused.values()) >= 1
    assert conn.execute(
        """SELECT count(*), count(*) FILTER (WHERE e.source_text = convene_private.session_text(s.title, s.description, s.topics))
           FROM convene.session_embeddings e JOIN convene.sessions s ON s.id = e.session_id""").fetchone() == (500, 500)
