"""Answers to suggestions: every step, by whom, at the same moment as somebody else's, and as time runs out."""

import threading
import uuid
from datetime import timedelta

import psycopg
import pytest

from lib.access import as_role, expect_error
from lib.factory import make_event
from lib.hearing import heard
from lib.matching import generate, market, match, want

STATUSES = ("suggested", "accepted_by_1", "accepted_by_2", "mutual_accepted", "declined", "expired")
# From, who answers and how: where it ends. What is not here is refused.
STEPS = {
    ("suggested", 1, "accept"): "accepted_by_1", ("suggested", 2, "accept"): "accepted_by_2",
    ("accepted_by_1", 1, "accept"): "accepted_by_1", ("accepted_by_1", 2, "accept"): "mutual_accepted",
    ("accepted_by_2", 1, "accept"): "mutual_accepted", ("accepted_by_2", 2, "accept"): "accepted_by_2",
    ("mutual_accepted", 1, "accept"): "mutual_accepted", ("mutual_accepted", 2, "accept"): "mutual_accepted",
    **{(status, side, "decline"): "declined" for status in STATUSES for side in (1, 2)},
}


@pytest.fixture(scope="module")
def event(db):
    with db.connect() as conn:
        made = make_event(conn, "answers", sessions=0, attendees=6)
        for person in range(6):
            want(conn, made, person, ["a"], ["a"])
        made.people.sort(key=lambda person: person.id)
        yield made


def status_of(conn, made):
    return conn.execute("SELECT status FROM convene.matches WHERE id = %s", [made]).fetchone()[0]


@pytest.mark.parametrize("verb", ["accept", "decline"])
@pytest.mark.parametrize("side", [1, 2])
@pytest.mark.parametrize("status", STATUSES)
def test_every_step(conn, event, status, side, verb):
    with conn.transaction(force_rollback=True):
        made = match(conn, event, 0, 1, status)
        with as_role(conn, "authenticated", event.people[side - 1].sub):
            ends = STEPS.get((status, side, verb))
            if ends is None:
                expect_error(conn, "55000", f"SELECT convene.{verb}_match(%s)", [made], hint="generate_networking_matches")
            else:
                told = conn.execute(f"SELECT convene.{verb}_match(%s)", [made]).fetchone()[0]
                assert (told["status"], told["match_id"], told["meeting_id"]) == (ends, str(made), None)
        row = conn.execute("SELECT status, accepted_at IS NOT NULL, declined_at IS NOT NULL, declined_by FROM convene.matches"
                           " WHERE id = %s", [made]).fetchone()
        assert row[0] == (ends or status)
        if ends == "declined" and status != "declined":
            assert row[2] and row[3] == event.people[side - 1].id
        if ends == "mutual_accepted" and status != ends:
            assert row[1]


def test_only_the_two_answer(conn, event):
    with conn.transaction(force_rollback=True):
        made = match(conn, event, 0, 1)
        for who in (event.people[2].sub, event.organizer, uuid.uuid4(), None):
            with as_role(conn, "authenticated", who):
                for verb in ("accept", "decline"):
                    told = {str(expect_error(conn, "42501", f"SELECT convene.{verb}_match(%s, %s)", [target, attendee]))
                            for target in (made, uuid.uuid4()) for attendee in (None, event.people[0].id, uuid.uuid4())}
                    assert len(told) == 1
        # One of the two does not answer for the other.
        with as_role(conn, "authenticated", event.people[0].sub):
            expect_error(conn, "42501", "SELECT convene.accept_match(%s, %s)", [made, event.people[1].id])
            expect_error(conn, "42501", "SELECT convene.accept_match(%s, p_now => now() - interval '1 day')", [made],
                         message="another time")
            with pytest.raises(psycopg.errors.InsufficientPrivilege), conn.transaction():
                conn.execute("UPDATE convene.matches SET status = 'mutual_accepted', compatibility_score = 1")
        assert status_of(conn, made) == "suggested"
        conn.execute("SELECT convene.accept_match(%s, %s)", [made, event.people[1].id])
        assert status_of(conn, made) == "accepted_by_2"
        expect_error(conn, "22023", "SELECT convene.accept_match(%s, %s)", [made, event.people[3].id], message="one of the two")
        expect_error(conn, "22004", "SELECT convene.accept_match(%s)", [made], message="p_attendee_id")


def test_who_declined_is_not_told(conn, event):
    with conn.transaction(force_rollback=True):
        made = match(conn, event, 0, 1)
        with as_role(conn, "authenticated", event.people[0].sub):
            conn.execute("SELECT convene.decline_match(%s)", [made])
        with as_role(conn, "authenticated", event.people[1].sub):
            assert conn.execute("SELECT status FROM convene.matches WHERE id = %s", [made]).fetchone() == ("declined",)
            with pytest.raises(psycopg.errors.InsufficientPrivilege), conn.transaction():
                conn.execute("SELECT declined_by FROM convene.matches")
        # Declined stays declined for that event, whoever asks for suggestions.
        assert event.people[1].id not in {row["other_attendee_id"] for row in generate(conn, event, 0, 50)}
        assert event.people[0].id not in {row["other_attendee_id"] for row in generate(conn, event, 1, 50)}
        conn.execute("SELECT convene.generate_event_matches(%s)", [event.id])
        assert status_of(conn, made) == "declined"


def test_whoever_accepts_everything_has_accepted_already(conn, event):
    with conn.transaction(force_rollback=True):
        want(conn, event, 1, ["a"], ["a"], auto_accept_matches=True)
        made = match(conn, event, 0, 1)
        with as_role(conn, "authenticated", event.people[0].sub):
            assert conn.execute("SELECT convene.accept_match(%s)->>'status'", [made]).fetchone()[0] == "mutual_accepted"
        # But not while networking is switched off.
        want(conn, event, 1, ["a"], ["a"], auto_accept_matches=True, networking_enabled=False)
        other = match(conn, event, 1, 2)
        with as_role(conn, "authenticated", event.people[2].sub):
            assert conn.execute("SELECT convene.accept_match(%s)->>'status'", [other]).fetchone()[0] == "accepted_by_2"


def test_time_that_is_over(conn, event):
    with conn.transaction(force_rollback=True):
        open_, mutual, half = (match(conn, event, 0, other, status, expires_at="2020-01-01") for other, status in
                               ((1, "suggested"), (2, "mutual_accepted"), (3, "accepted_by_2")))
        fresh = match(conn, event, 0, 4)
        with as_role(conn, "authenticated", event.people[0].sub):
            expect_error(conn, "55000", "SELECT convene.accept_match(%s)", [open_], message="has expired")
        assert conn.execute("SELECT convene.expire_matches()").fetchone()[0] == 2
        assert [status_of(conn, made) for made in (open_, mutual, half, fresh)] == ["expired", "mutual_accepted", "expired", "suggested"]
        assert conn.execute("SELECT convene.expire_matches()").fetchone()[0] == 0
        assert conn.execute("SELECT convene.expire_matches(now() + interval '3 days')").fetchone()[0] == 1
        with as_role(conn, "service_role"):
            conn.execute("SELECT convene.expire_matches(now())")
        with as_role(conn, "authenticated", event.people[0].sub):
            expect_error(conn, "42501", "SELECT convene.expire_matches()")


def test_an_expired_match_comes_back_on_the_same_row_twice_at_most(conn):
    event = market(conn, "comeback", 2, silent=0)
    at = conn.execute("SELECT start_at + interval '1 hour' FROM convene.events WHERE id = %s", [event.id]).fetchone()[0]
    seen = []
    suggest = lambda moment: [row[0] for row in conn.execute(  # noqa: E731
        "SELECT match_id FROM convene.generate_networking_matches(%s, %s, p_now => %s)", [event.people[0].id, event.id, moment])]
    for _ in range(3):
        seen += suggest(at)
        at += timedelta(hours=49)
        assert suggest(at) == []  # it has just expired
        at += timedelta(hours=22)
        assert suggest(at) == []  # and is cooling down
        at += timedelta(hours=2)
    assert len(seen) == 3 and len(set(seen)) == 1
    assert suggest(at + timedelta(days=30)) == []
    assert conn.execute("SELECT times_suggested, status FROM convene.matches").fetchall().count((3, "expired")) == 1


def in_step(db, *statements):
    """Runs statements in sessions of their own, started at the same moment; what each ended with."""
    barrier = threading.Barrier(len(statements))
    ends = [None] * len(statements)

    def work(at, statement, arguments, sub):
        with db.connect() as mine, as_role(mine, "authenticated" if sub else "postgres", sub):
            barrier.wait()
            try:
                ends[at] = mine.execute(statement, arguments).fetchone()[0]
            except psycopg.Error as error:
                ends[at] = error.sqlstate
    threads = [threading.Thread(target=work, args=(at, *one)) for at, one in enumerate(statements)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ends


def test_two_who_accept_at_the_same_moment_end_mutual_two_hundred_times(db, conn, event):
    ends = []
    made = match(conn, event, 0, 1)
    with db.connect() as one, db.connect() as other:
        for side, mine in enumerate((one, other)):
            mine.execute("SELECT set_config('request.jwt.claims', %s, false)", [f'{{"sub": "{event.people[side].sub}"}}'])
            mine.execute("SET ROLE authenticated")
        barrier = threading.Barrier(3)

        def work(mine):
            for _ in range(200):
                barrier.wait()
                ends.append(mine.execute("SELECT convene.accept_match(%s)->>'status'", [made]).fetchone()[0])
                barrier.wait()
        threads = [threading.Thread(target=work, args=(mine,)) for mine in (one, other)]
        for thread in threads:
            thread.start()
        for turn in range(200):
            barrier.wait()
            barrier.wait()
            assert status_of(conn, made) == "mutual_accepted", turn
            # The other one of the two first, every other time, as far as anybody can arrange that.
            conn.execute("DELETE FROM convene.matches WHERE id = %s", [made])
            conn.execute("INSERT INTO convene.matches (id, event_id, attendee_1_id, attendee_2_id, compatibility_score, matching_algorithm)"
                         " VALUES (%s, %s, %s, %s, 0.5, 'hybrid')", [made, event.id, event.people[0].id, event.people[1].id])
        for thread in threads:
            thread.join()
    assert len(ends) == 400 and ends.count("mutual_accepted") >= 200
    conn.execute("DELETE FROM convene.matches WHERE id = %s", [made])


def test_expiry_and_acceptance_at_the_same_moment_never_end_in_both(db, conn, event):
    seen = set()
    for turn in range(60):
        made = match(conn, event, 0, 1, "accepted_by_1")
        # The answer comes while the time is not over; expiry is asked for as of later.
        accept = ("SELECT convene.accept_match(%s)->>'status'", [made], event.people[1].sub)
        expire = ("SELECT convene.expire_matches(now() + interval '3 days')", [], None)
        answered, expired = in_step(db, *([accept, expire] if turn % 2 else [expire, accept])[:: 1 if turn % 2 else -1])
        status = status_of(conn, made)
        assert status in ("mutual_accepted", "expired")
        assert (answered == "mutual_accepted") == (status == "mutual_accepted") and (answered == "55000") == (status == "expired")
        assert expired == (1 if status == "expired" else 0)
        seen.add(status)
        conn.execute("DELETE FROM convene.matches WHERE id = %s", [made])
    assert seen


def test_accepting_and_declining_at_the_same_moment_ends_declined(db, conn, event):
    for _ in range(30):
        made = match(conn, event, 0, 1, "accepted_by_1")
        accepted, declined = in_step(db, ("SELECT convene.accept_match(%s)->>'status'", [made], event.people[1].sub),
                                     ("SELECT convene.decline_match(%s)->>'status'", [made], event.people[0].sub))
        assert declined == "declined" and accepted in ("mutual_accepted", "55000") and status_of(conn, made) == "declined"
        conn.execute("DELETE FROM convene.matches WHERE id = %s", [made])


def test_suggesting_the_same_at_the_same_moment_makes_one_row(db, conn):
    event = market(conn, "together", 12)
    call = "SELECT count(*) FROM convene.generate_networking_matches(%s, %s)"
    for _ in range(5):
        ends = in_step(db, *[(call, [person.id, event.id], None) for person in event.people[:6]],
                       ("SELECT convene.generate_event_matches(%s)->'suggested'", [event.id], None))
        assert all(isinstance(end, int) for end in ends), ends
        conn.execute("DELETE FROM convene.matches WHERE event_id = %s", [event.id])


def test_an_acceptance_can_ask_for_a_meeting(conn):
    event = market(conn, "with-meeting", 4, silent=0)
    conn.execute("UPDATE convene.networking_preferences SET meeting_duration_preference = 25 WHERE event_id = %s", [event.id])
    made = match(conn, event, 0, 1)
    start = conn.execute("SELECT start_at + interval '2 hours' FROM convene.events WHERE id = %s", [event.id]).fetchone()[0]
    call = "SELECT convene.accept_match(%s, p_schedule_meeting => true, p_preferred_time => %s)"
    with as_role(conn, "authenticated", event.people[0].sub):
        told = conn.execute(call, [made, start]).fetchone()[0]
        assert told["meeting_id"] is None and told["status"].startswith("accepted_by")
    with as_role(conn, "authenticated", event.people[1].sub):
        told = conn.execute(call, [made, start]).fetchone()[0]
        assert told["status"] == "mutual_accepted"
        assert conn.execute("SELECT id::text, status, scheduled_start, duration_minutes, match_id FROM convene.meetings").fetchall() == [
            (told["meeting_id"], "proposed", start, 25, made)]
        # Once is as good as twice.
        assert conn.execute(call, [made, start]).fetchone()[0]["meeting_id"] == told["meeting_id"]
    # A time that does not suit: nothing is accepted either.
    other = match(conn, event, 1, 2, "accepted_by_2" if event.people[2].id > event.people[1].id else "accepted_by_1")
    with as_role(conn, "authenticated", event.people[1].sub):
        expect_error(conn, "23P01", call, [other, start])
    assert status_of(conn, other).startswith("accepted_by")
    # Declining takes the meeting along, and does not say who declined: a block would look otherwise.
    with as_role(conn, "authenticated", event.people[0].sub):
        conn.execute("SELECT convene.decline_match(%s)", [made])
    assert conn.execute("SELECT status, cancelled_by FROM convene.meetings").fetchall() == [("cancelled", None)]


def test_a_meeting_is_never_longer_than_meetings_are_whatever_somebody_likes(conn):
    event = market(conn, "likes-long", 2, silent=0)
    conn.execute("UPDATE convene.networking_preferences SET meeting_duration_preference = 100000 WHERE event_id = %s", [event.id])
    made = match(conn, event, 0, 1)
    conn.execute("SELECT convene.accept_match(%s, %s)", [made, event.people[0].id])
    with as_role(conn, "authenticated", event.people[1].sub):
        conn.execute("SELECT convene.accept_match(%s, p_schedule_meeting => true, p_preferred_time => now() + interval '1 day')", [made])
    assert conn.execute("SELECT duration_minutes FROM convene.meetings WHERE match_id = %s", [made]).fetchone() == (480,)


def test_whoever_listens_hears_of_answers(db, conn, event):
    with db.connect() as listener:
        listener.execute("LISTEN convene_networking")
        made = match(conn, event, 3, 4)
        conn.execute("SELECT convene.accept_match(%s, %s)", [made, event.people[3].id])
        told = heard(listener, conn, "convene_networking")
    assert len(told) == 2 and str(made) in told[1] and "accepted_by_1" in told[1] and "compatibility" not in told[1]
