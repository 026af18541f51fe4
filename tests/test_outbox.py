"""The outbox: leases, fencing, back-off, a copy that sends nothing, workers that die, and every effect once."""

import random
import threading
import time
from collections import Counter
from datetime import timedelta

import psycopg
import pytest

from lib.access import as_role, expect_error
from lib.talk import Talk

CLAIM = "SELECT id, target_id, payload, attempts, lease_token, idempotency_key FROM convene.claim_outbox(%s, %s, %s::interval)"
ACK = "SELECT convene.ack_outbox(%s, %s, %s)"
NACK = "SELECT convene.nack_outbox(%s, %s, %s, %s::interval, %s)"


@pytest.fixture
def conn(fresh_db):
    with fresh_db.connect() as connection:
        connection.execute("SELECT convene.adopt_copy()")
        yield connection


def put(conn, number=1, topic="crm", **columns):
    values = {"topic": topic, "target_kind": "lead", **columns}
    return [conn.execute(f"INSERT INTO convene.outbox (target_id, {', '.join(values)}) VALUES (gen_random_uuid(), {', '.join(['%s'] * len(values))})"
                         " RETURNING id", list(values.values())).fetchone()[0] for _ in range(number)]


def claim(conn, topic="crm", limit=100, lease="5 minutes"):
    return conn.execute(CLAIM, [topic, limit, lease]).fetchall()


def states(conn):
    return dict(conn.execute("SELECT status, count(*) FROM convene.outbox GROUP BY status").fetchall())


def clock(conn):
    return conn.execute("SELECT clock_timestamp()").fetchone()[0]


def test_work_is_handed_out_once_by_topic_and_priority(conn):
    low, = put(conn)
    high, = put(conn, priority=5, payload='{"n": 1e400}')
    other, = put(conn, topic="webhook")
    # Several pieces about one target are work of their own.
    conn.execute("INSERT INTO convene.outbox (topic, target_kind, target_id) SELECT 'same', 'x', md5('x')::uuid FROM generate_series(1, 3)")
    got = conn.execute("SELECT id, payload::text, attempts FROM convene.claim_outbox('crm')").fetchall()
    assert [row[0] for row in got] == [high, low] and got[0][1].startswith('{"n": 1000') and got[0][2] == 1
    assert claim(conn) == [] and [row[0] for row in claim(conn, "webhook")] == [other] and len(claim(conn, "same")) == 3
    assert states(conn) == {"leased": 6}


def test_done_is_done_under_the_token_and_only_once(conn):
    job, = put(conn)
    (_, _, _, _, token, _), = claim(conn)
    expect_error(conn, "55000", ACK, [job, None, job], message="not held")
    told = conn.execute(ACK, [job, '{"id": "x"}', token]).fetchone()[0]
    assert told == {"id": str(job), "status": "done", "attempts": 1} == conn.execute(ACK, [job, '{"id": "other"}', token]).fetchone()[0]
    assert conn.execute("SELECT result->>'id', lease_until FROM convene.outbox").fetchone() == ("x", None)
    expect_error(conn, "55000", NACK, [job, "late", token, None, False], message="done")


def test_a_lease_that_ran_out_goes_to_the_next_and_the_late_worker_is_refused(conn):
    job, = put(conn)
    (_, _, _, _, first, key), = claim(conn, lease="0.05 s")
    time.sleep(0.1)
    (_, _, _, attempts, second, again), = claim(conn)
    assert attempts == 2 and first != second and key == again
    for statement, values in ((ACK, [job, None, first]), (NACK, [job, "x", first, None, False])):
        expect_error(conn, "55000", statement, values, message="not held under this lease")
    conn.execute(ACK, [job, None, second])
    assert states(conn) == {"done": 1}


def test_a_failure_waits_and_is_parked_after_the_last_attempt(conn):
    conn.execute("UPDATE convene.settings SET value = '3' WHERE key = 'queue.max_attempts'")
    job, = put(conn)
    for attempt, (least, most) in enumerate([(5, 10), (10, 20), (None, None)], 1):
        conn.execute("UPDATE convene.outbox SET available_at = now()")
        (_, _, _, attempts, token, _), = claim(conn)
        before = clock(conn)
        told = conn.execute(NACK, [job, f"error {attempt}", token, None, False]).fetchone()[0]
        after = clock(conn)
        assert attempts == told["attempts"] == attempt
        if least:
            until = conn.execute("SELECT available_at FROM convene.outbox").fetchone()[0]
            assert before + timedelta(seconds=least) <= until <= after + timedelta(seconds=most)
            assert told["status"] == "pending" and claim(conn) == []
    assert told["status"] == "failed" and told["next_attempt_at"] is None
    assert conn.execute("SELECT status, last_error FROM convene.outbox").fetchone() == ("failed", "error 3")


def test_the_other_side_may_ask_for_patience_and_some_failures_are_for_good(conn):
    first, second = put(conn, 2)
    tokens = {row[0]: row[4] for row in claim(conn)}
    conn.execute(NACK, [first, "429", tokens[first], "2 hours", False])
    assert conn.execute("SELECT available_at - now() > '119 minutes' FROM convene.outbox WHERE id = %s", [first]).fetchone()[0]
    assert conn.execute(NACK, [second, "no such number", tokens[second], None, True]).fetchone()[0]["status"] == "failed"


def test_a_lease_that_runs_out_on_the_last_attempt_is_parked_with_its_message(conn):
    talk = Talk(conn, "parked")
    ann, bo = talk.person("Ann"), talk.person("Bo")
    talk.introduce(talk.match(ann, bo))
    conn.execute("UPDATE convene.settings SET value = '1' WHERE key = 'queue.max_attempts'")
    assert len(claim(conn, "sms", lease="0.05 s")) == 2
    time.sleep(0.1)
    assert claim(conn, "sms") == [] and states(conn) == {"failed": 2}
    assert conn.execute("SELECT DISTINCT status, closed_at IS NOT NULL FROM convene.peer_messages").fetchall() == [("failed", True)]


def test_a_copy_hands_out_nothing(conn):
    put(conn)
    conn.execute("""UPDATE convene.settings SET value = '{"system_identifier": "1", "database": "x"}' WHERE key = 'home'""")
    expect_error(conn, "55000", "SELECT * FROM convene.claim_outbox('crm')", hint="adopt_copy")
    conn.execute("SELECT convene.adopt_copy()")
    assert len(claim(conn)) == 1


def test_the_outbox_is_for_the_service(conn):
    job, = put(conn)
    (_, _, _, _, token, _), = claim(conn)
    with as_role(conn, "authenticated", "6f1f7a52-31c5-4a51-9a55-3c1f2d1b7d10"):
        for statement, values in ((CLAIM, ["crm", 1, "1 min"]), (ACK, [job, None, token]), (NACK, [job, "x", token, None, False])):
            expect_error(conn, "42501", statement, values)
    with as_role(conn, "service_role"):
        conn.execute(ACK, [job, None, token])


def test_queued_payloads_name_nobody(conn):
    talk = Talk(conn, "bare", sessions=[("break", 10.5, 11)])
    ann, bo = talk.person("Ann"), talk.person("Bo")
    pair = talk.match(ann, bo)
    talk.introduce(pair, 9.1)
    talk.say(ann, "later", 9.2)
    talk.respond(pair, bo, True, 9.2)
    text = str(conn.execute("SELECT * FROM convene.outbox").fetchall())
    # Whole numbers only: a few digits of one stand in a uuid or in a microsecond now and then.
    numbers = [form for who in (ann, bo) for form in (who.phone, who.phone.split(") ")[1], "".join(filter(str.isdigit, who.phone)))]
    assert not [word for word in ("Ann", "Bo", ann.email, bo.email, *numbers) if word in text]


def test_a_prompt_waits_for_the_morning_when_the_worker_was_away(conn):
    """It was queued in the evening; the worker comes at night, by the clock that has run since."""
    talk = Talk(conn, "evening", hours=(9, 30))
    ann, bo = talk.person("Ann"), talk.person("Bo")
    talk.introduce(talk.match(ann, bo), 21.5)
    conn.execute("UPDATE convene.outbox SET queued_at = queued_at - '1 hour'::interval")
    assert talk.deliver() == [] and states(conn) == {"pending": 2}
    wait = conn.execute("SELECT extract(epoch FROM min(available_at - now())) / 3600, max(attempts) FROM convene.outbox").fetchone()
    assert 8.4 < wait[0] < 8.6 and wait[1] == 0
    # And what would come after the event does not come at all.
    conn.execute("UPDATE convene.outbox SET queued_at = queued_at - '9 hours'::interval, available_at = now()")
    assert talk.deliver() == [] and states(conn) == {"cancelled": 2}


@pytest.mark.parametrize("geographic, apart", [('"abc"', False), ('""', False), ("{}", False), ("true", False), ('"NaN"', False), ("null", False),
                                               ("1e300", True), ("1", True), ("0.99", False), ("-1e300", False)])
def test_odd_criteria_of_one_match_hold_up_nobody(conn, geographic, apart):
    """The service may give a match criteria of its own, and they are whatever it makes them."""
    talk = Talk(conn, "odd")
    people = [talk.person(name) for name in ("Ann", "Bo", "Cy", "Di")]
    odd = conn.execute("SELECT convene.create_peer_match(%s, %s, %s, jsonb_build_object('match_score', 0.9, 'match_criteria',"
                       " jsonb_build_object('geographic', %s::jsonb)))->>'id'", [talk.event, people[0].id, people[1].id, geographic]).fetchone()[0]
    talk.introduce(odd)
    talk.introduce(talk.match(*people[2:]))
    sent = talk.deliver()
    assert len(sent) == 4 and {"do not compete" in body for to, _, body in sent if to == people[0].phone} == {apart}


def test_other_messages_to_somebody_who_said_stop_are_withdrawn(conn):
    talk = Talk(conn, "others")
    ann = talk.person("Ann")
    put(conn, topic="sms", target_kind="announcement", profile_id=ann.sub)
    talk.say(ann, "STOP")
    put(conn, topic="sms", target_kind="announcement", profile_id=ann.sub)
    put(conn, topic="email", target_kind="announcement", profile_id=ann.sub)
    assert [row[2]["kind"] for row in claim(conn, "sms")] == ["stopped"] and len(claim(conn, "email")) == 1
    assert states(conn) == {"cancelled": 2, "leased": 2}


def test_an_erased_person_gets_nothing(conn):
    talk = Talk(conn, "erased")
    ann, bo = talk.person("Ann"), talk.person("Bo")
    talk.introduce(talk.match(ann, bo))
    conn.execute("SELECT convene.erase_person(%s)", [ann.sub])
    assert talk.deliver() == [] and states(conn) == {"cancelled": 2}


def test_claims_at_once_share_the_work(fresh_db, conn):
    put(conn, 200)
    got, gate = [], threading.Barrier(6)

    def work():
        with fresh_db.connect() as mine:
            gate.wait()
            while rows := claim(mine, limit=7):
                got.extend(row[0] for row in rows)

    threads = [threading.Thread(target=work) for _ in range(6)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert len(got) == len(set(got)) == 200


def test_workers_that_die_sleep_and_wake(fresh_db, conn):
    """Killed sessions, leases that run out, late reports: everything is done or parked in the end, effects are once by key."""
    conn.execute("UPDATE convene.settings SET value = '0' WHERE key LIKE 'queue.backoff%'")
    conn.execute("UPDATE convene.settings SET value = '50' WHERE key = 'queue.max_attempts'")
    jobs = put(conn, 120)
    effects, stale, lock, until = Counter(), Counter(), threading.Lock(), time.monotonic() + 60

    def work(seed):
        draw = random.Random(seed)
        while time.monotonic() < until:
            try:
                with fresh_db.connect() as mine:
                    while rows := claim(mine, limit=5, lease="0.15 s"):
                        for job, _, _, _, token, key in rows:
                            what = draw.random()
                            with lock:
                                effects[key] += 1
                            if what < 0.1:
                                raise psycopg.OperationalError("died before it reported")
                            if what < 0.25:
                                time.sleep(0.2)  # past the lease
                            try:
                                if what > 0.9:
                                    mine.execute(NACK, [job, "no", token, None, False])
                                else:
                                    mine.execute(ACK, [job, '{"by": "%s"}' % key, token])
                            except psycopg.errors.ObjectNotInPrerequisiteState:
                                with lock:
                                    stale["refused"] += 1
                    if not mine.execute("SELECT 1 FROM convene.outbox WHERE status IN ('pending', 'leased')").fetchone():
                        return
                    time.sleep(0.02)
            except psycopg.OperationalError:
                continue

    def kill():
        draw = random.Random(99)
        while any(thread.is_alive() for thread in threads):
            time.sleep(0.1)
            pids = [row[0] for row in conn.execute("SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")]
            if pids:
                conn.execute("SELECT pg_terminate_backend(%s)", [draw.choice(pids)])

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(5)]
    [thread.start() for thread in threads]
    kill()
    [thread.join() for thread in threads]
    assert states(conn) == {"done": 120}
    assert conn.execute("SELECT count(*) FROM convene.outbox WHERE result->>'by' = idempotency_key").fetchone()[0] == 120
    # At least once each, more than once for some, and the key tells: that is why it goes along.
    assert len(effects) == len(jobs) == 120 and max(effects.values()) > 1
    assert stale["refused"] > 0
