"""Limits under races, with real sessions: contacts once, introductions per event, a prompt an hour, one question at a time."""

import random
import threading
from collections import Counter
from datetime import timedelta

import psycopg
import pytest

from lib.access import expect_error
from lib.talk import PROMPTS, Talk

ROUNDS = 200


@pytest.fixture
def talk(fresh_db):
    with fresh_db.connect() as conn:
        conn.execute("SELECT convene.adopt_copy()")
        made = Talk(conn, "races", sessions=[("break", 10.5, 11), ("lunch", 12, 13)])
        made.db = fresh_db
        yield made


def at_once(db, *tasks):
    """Runs each task with a session of its own, all from the same moment on; what each returned or raised."""
    gate, told = threading.Barrier(len(tasks)), [None] * len(tasks)

    def run(place, task):
        with db.connect() as conn:
            gate.wait()
            try:
                told[place] = task(conn)
            except psycopg.Error as error:
                told[place] = error

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(tasks)]
    [thread.start() for thread in threads]
    [thread.join(60) for thread in threads]
    assert not any(thread.is_alive() for thread in threads)
    return told


def exchanges(talk):
    return talk.conn.execute(
        "SELECT p.contractor1_response AND p.contractor2_response AND p.contacts_exchanged_at IS NOT NULL,"
        " (SELECT count(*) FROM convene.peer_messages m WHERE m.match_id = p.id AND m.kind = 'contact_exchange')"
        " FROM convene.event_peer_matches p").fetchall()


# Contacts ---------------------------------------------------------------------------------------------------------------

def test_contacts_leave_once_and_only_after_two_yeses_in_200_rounds(talk):
    """Two people, several sessions each: yes by message, yes in the app, a delivery that comes twice, a no, an opt-out."""
    talk.set("peers.prompt_gap_minutes", "0")
    draw = random.Random(7)
    seen = Counter()
    sessions = [talk.db.connect() for _ in range(6)]
    for number in range(ROUNDS):
        ann, bo = talk.person("A", phone=f"+1555{number:03}0001"), talk.person("B", phone=f"+1555{number:03}0002")
        pair = talk.match(ann, bo)
        talk.introduce(pair)
        if number % 2:
            talk.deliver()
        tasks = [lambda c: talk.say(ann, "YES", external_id=f"a{number}", conn=c), lambda c: talk.say(bo, "yes", conn=c),
                 lambda c: talk.say(ann, "YES", external_id=f"a{number}", conn=c)]
        against = draw.choice([None, None, "no", "stop peer", "stop", "block"])
        if against == "block":
            tasks.append(lambda c: c.execute("INSERT INTO convene.person_blocks (blocker_profile, blocked_profile) VALUES (%s, %s)", [bo.sub, ann.sub]) and None)
        elif against:
            tasks.append(lambda c: talk.say(bo, against, conn=c))
        tasks.append(lambda c: talk.deliver(conn=c))
        draw.shuffle(tasks)
        gate = threading.Barrier(len(tasks))
        told = [None] * len(tasks)

        def run(place, task, conn, gate=gate, told=told):
            gate.wait()
            try:
                told[place] = task(conn)
            except psycopg.Error as error:
                told[place] = error

        threads = [threading.Thread(target=run, args=(place, task, sessions[place])) for place, task in enumerate(tasks)]
        [thread.start() for thread in threads]
        [thread.join(60) for thread in threads]
        assert not [result for result in told if isinstance(result, psycopg.Error)], (number, told)
        later = talk.deliver()
        exchanged = talk.responses(pair)
        rows = talk.conn.execute("SELECT contractor_id, body IS NOT NULL AND status = 'sent' FROM convene.peer_messages"
                                 " WHERE match_id = %s AND kind = 'contact_exchange'", [pair]).fetchall()
        sent = [message for result in told if isinstance(result, list) for message in result] + later
        contacts = [(to, body) for to, kind, body in sent if kind == "contact_exchange" and to in (ann.phone, bo.phone)]
        assert len(contacts) == len(set(contacts)) == sum(was_sent for _, was_sent in rows)
        if exchanged[2]:
            assert exchanged[:2] == (True, True) and sorted(row[0] for row in rows) == sorted([ann.id, bo.id])
        else:
            assert rows == [] and not contacts
        if against is None:
            assert exchanged == (True, True, True) and len(contacts) == 2
        for to, kind, body in sent:
            if kind != "contact_exchange":
                assert "@" not in body and "555" not in body
        seen[against, exchanged[2]] += 1
    [session.close() for session in sessions]
    # The race was one: what is against it came first in some rounds, and too late in others.
    assert seen[None, True] >= 40 and sum(seen[against, False] for against in ("no", "stop peer", "stop", "block")) >= 10
    assert sum(seen[against, True] for against in ("no", "stop peer", "stop", "block")) >= 1


def test_an_opt_out_that_is_not_committed_yet_is_waited_for(talk):
    ann, bo = talk.person("Ann"), talk.person("Bo")
    pair = talk.match(ann, bo)
    talk.introduce(pair)
    talk.say(ann, "yes")
    for statement in ("UPDATE convene.event_attendees SET peer_matching_opt_in = false WHERE contractor_id = %s",
                      "UPDATE convene.contractors SET messages_stopped_at = now() WHERE id = %s"):
        with talk.db.second(autocommit=False) as leaving:
            leaving.execute(statement, [ann.id])
            done = []
            answering = threading.Thread(target=lambda: done.extend(at_once(talk.db, lambda c: talk.say(bo, "hm", conn=c), lambda c: talk.respond(pair, bo, True, conn=c))))
            answering.start()
            answering.join(0.5)
            assert answering.is_alive() and talk.responses(pair)[2] is False
            leaving.commit()
            answering.join()
        assert done[1]["contacts_exchanged"] is False
    assert exchanges(talk) == [(None, 0)] or exchanges(talk)[0][1] == 0


def test_a_block_that_is_not_committed_yet_is_waited_for(talk):
    ann, bo = talk.person("Ann"), talk.person("Bo")
    pair = talk.match(ann, bo)
    talk.introduce(pair)
    talk.say(ann, "yes")
    with talk.db.second(autocommit=False) as blocking:
        blocking.execute("INSERT INTO convene.person_blocks (blocker_profile, blocked_profile) VALUES (%s, %s)", [ann.sub, bo.sub])
        told = []
        answering = threading.Thread(target=lambda: told.extend(at_once(talk.db, lambda c: talk.say(bo, "yes", conn=c))))
        answering.start()
        answering.join(0.5)
        assert answering.is_alive()
        # A worker does not wait: what concerns the two is left for later.
        assert talk.deliver() == []
        blocking.commit()
        answering.join()
    assert told[0]["contacts_exchanged"] is False and exchanges(talk)[0][1] == 0


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_an_older_snapshot_is_an_error_and_no_exchange(talk, level):
    ann, bo = talk.person("Ann"), talk.person("Bo")
    pair = talk.match(ann, bo)
    talk.introduce(pair)
    talk.say(ann, "yes")
    for change, values in (("INSERT INTO convene.person_blocks (blocker_profile, blocked_profile) VALUES (%s, %s)", [ann.sub, bo.sub]),
                           ("UPDATE convene.event_attendees SET peer_matching_opt_in = false WHERE contractor_id = %s", [ann.id])):
        with talk.db.second(autocommit=False) as old:
            old.execute(f"SET TRANSACTION ISOLATION LEVEL {level}")
            old.execute("SELECT count(*) FROM convene.event_peer_matches")
            talk.conn.execute(change, values)
            expect_error(old, "40001", "SELECT convene.handle_peer_message(%s, 'yes', %s)", [bo.phone, talk.at(10)])
            old.rollback()
    assert exchanges(talk)[0][1] == 0


# Introductions, prompts, questions --------------------------------------------------------------------------------------

def test_never_more_introductions_than_the_limit_however_they_are_asked_for(talk):
    """Eight sessions introduce, dispatch and answer at once, hour by hour; every limit is counted from the rows."""
    people = [talk.person(f"P{number}", checked_in=8) for number in range(9)]
    draw = random.Random(3)
    pairs = [talk.match(one, other, draw.choice([0.65, 0.75, 0.9])) for at, one in enumerate(people) for other in people[:at]]
    for hour in range(9, 17):
        tasks = [lambda c, mine=pairs[start::8]: [talk.introduce(pair, hour, conn=c) for pair in mine] for start in range(6)]
        tasks += [lambda c: talk.dispatch(hour, conn=c), lambda c: talk.dispatch(hour + 0.4, conn=c)]
        told = at_once(talk.db, *tasks)
        assert {getattr(result, "sqlstate", None) for result in told} <= {None, "40P01"}, told
        talk.deliver()
        for who in draw.sample(people, 6):
            talk.say(who, draw.choice(["later", "skip", "hm", "yes"]), hour + 0.5)
    asked = talk.conn.execute("SELECT contractor_id, count(DISTINCT match_id) FROM convene.peer_messages WHERE kind = ANY (%s)"
                              " AND status IN ('queued', 'sent', 'failed') GROUP BY 1", [list(PROMPTS[:5])]).fetchall()
    assert max(count for _, count in asked) == 5
    check_spacing(talk)


def check_spacing(talk):
    rows = talk.conn.execute("SELECT contractor_id, queued_at FROM convene.peer_messages WHERE is_prompt AND status IN ('queued', 'sent')"
                             " ORDER BY 1, 2").fetchall()
    assert rows and all(one[0] != other[0] or other[1] - one[1] >= timedelta(hours=1) for one, other in zip(rows, rows[1:]))


def test_twelve_who_dispatch_at_once_ask_each_person_once(talk):
    people = [talk.person(f"P{number}", checked_in=8) for number in range(10)]
    for at, one in enumerate(people):
        for other in people[:at]:
            talk.match(one, other, 0.9)
    told = at_once(talk.db, *[lambda c: talk.dispatch(9.1, conn=c)] * 12)
    assert sum(result["queued"] for result in told) == 10
    assert all(talk.sent(who) == ["introduction"] for who in people)
    check_spacing(talk)


def test_the_table_itself_keeps_the_limits(talk):
    """Whoever writes past the functions meets the index and the constraint."""
    ann = talk.person("Ann")
    insert = ("INSERT INTO convene.peer_messages (event_id, contractor_id, direction, kind, status, queued_at, keeps_until, introduction_no, closed_at)"
              " VALUES (%s, %s, 'out', 'break', 'sent', %s, %s, %s, now())")
    talk.conn.execute(insert, [talk.event, ann.id, talk.at(10), talk.at(11), 1])
    expect_error(talk.conn, "23P01", insert, [talk.event, ann.id, talk.at(10.99), talk.at(11.99), 2])
    expect_error(talk.conn, "23505", insert, [talk.event, ann.id, talk.at(11), talk.at(12), 1])
    talk.conn.execute(insert, [talk.event, ann.id, talk.at(11), talk.at(12), 2])


def test_the_limit_says_so_and_asks_neither(talk):
    ann = talk.person("Ann")
    others = [talk.person(f"P{number}") for number in range(6)]
    for number, other in enumerate(others):
        told = talk.introduce(talk.match(ann, other), 9 + number)
        states = {row["contractor_id"]: row for row in told["introductions"]}
        if number < 5:
            assert states[str(ann.id)]["status"] == states[str(other.id)]["status"] == "queued"
        else:
            assert {row["status"] for row in states.values()} == {"refused"} and {row["reason"] for row in states.values()} == {"introductions"}
            assert talk.sent(other) == [] and talk.waiting(other) == []
        talk.say(ann, "yes", 9.1 + number)
    # What was declined counts as well: it is about how often somebody is disturbed.
    talk.set("peers.introductions_per_event", "6")
    assert talk.introduce(talk.match(ann, talk.person("Late")), 15)["introductions"][0]["status"] == "queued"


def test_within_the_hour_a_prompt_waits_and_says_until_when(talk):
    ann, bo, cy = talk.person("Ann"), talk.person("Bo"), talk.person("Cy")
    talk.introduce(talk.match(ann, bo), 10)
    talk.say(ann, "no", 10.1)
    told = {row["contractor_id"]: row for row in talk.introduce(talk.match(ann, cy), 10.2)["introductions"]}
    assert (told[str(ann.id)]["status"], told[str(ann.id)]["reason"]) == ("waiting", "gap") and told[str(cy.id)]["status"] == "queued"
    assert talk.dispatch(11 - 1 / 3600)["queued"] == 0 and talk.dispatch(11)["queued"] == 1
    assert talk.sent(ann) == ["introduction", "declined", "introduction"]


def test_an_unanswered_question_makes_room_after_a_while(talk):
    ann, bo, cy = talk.person("Ann"), talk.person("Bo"), talk.person("Cy")
    first = talk.match(ann, bo)
    second = talk.match(ann, cy)
    talk.introduce(first, 10)
    talk.deliver()
    assert talk.introduce(second, 11.5)["introductions"][0]["status"] in ("queued", "waiting")
    assert [kind for kind, _ in talk.waiting(ann)] == ["introduction"]
    assert talk.dispatch(11.9)["queued"] == 0
    assert talk.dispatch(12)["queued"] >= 1 and talk.waiting(ann) == []
    assert talk.say(ann, "yes", 12.1)["match_id"] == str(second)
