"""Many who book through the functions at once: nobody is in two places, nobody hears of a lock."""

import random
import time

import psycopg
import pytest

from lib.access import as_role
from lib.booking import ENTRY, at, book, meeting_place, offended, together

CLIENTS, SECONDS = 50, 20
# What a person who books at random may hear: the time is taken, the day is full or three are waiting, or try again.
TOLD = {"23P01", "55000", "40001", "42501"}


@pytest.fixture
def event(conn):
    with meeting_place(conn) as made:
        yield made


def everybody_matched(conn, event):
    for one in range(12):
        for two in range(one + 1, 12):
            ids = event.people[one].id, event.people[two].id
            conn.execute(ENTRY, [event.id, *ids, *ids, "mutual_accepted"])


def test_ten_equal_bookings_leave_one(db, conn, event):
    everybody_matched(conn, event)
    ids = event.people[0].id, event.people[1].id
    for hour, who in enumerate([event.people[0].sub, event.organizer]):
        def work(connection, index):
            with as_role(connection, "authenticated", who):
                return connection.execute("SELECT convene.schedule_meeting(%s, %s, %s) ->> 'meeting_id'", [*ids, at(60 * hour)]).fetchone()[0]
        assert len(set(together(db, 10, work))) == 1
        assert conn.execute("SELECT count(*) FROM convene.meetings WHERE scheduled_start = %s", [at(60 * hour)]).fetchone() == (1,)

    # Ten different partners who want the same quarter of an hour.
    def work(connection, index):
        with as_role(connection, "authenticated", event.organizer):
            return connection.execute("SELECT convene.schedule_meeting(%s, %s, %s) ->> 'status'",
                                      [event.people[0].id, event.people[index + 1].id, at(300)]).fetchone()[0]
    assert sorted(together(db, 10, work)) == ["23P01"] * 9 + ["scheduled"]


def test_at_most_three_proposals_wait_whatever_the_order(db, conn, event):
    everybody_matched(conn, event)

    def work(connection, index):
        with as_role(connection, "authenticated", event.people[index + 1].sub):
            return connection.execute("SELECT convene.schedule_meeting(%s, %s, %s) ->> 'status'",
                                      [event.people[index + 1].id, event.people[0].id, at(20 * index)]).fetchone()[0]
    assert sorted(together(db, 8, work)) == ["55000"] * 5 + ["proposed"] * 3


def test_reminders_are_sent_once_each(db, conn, event):
    meetings = [book(conn, event, 2 * n, 2 * n + 1, at(0)) for n in range(6)]
    for now, number in ((at(-1441), 0), (at(-1440), 1), (at(-100), 0), (at(-15), 2), (at(-1), 0), (at(0), 0)):
        sent = together(db, 6, lambda connection, _: connection.execute("SELECT convene.send_meeting_reminders(%s)", [now]).fetchone()[0])
        # One that somebody else is sending is left to them, and there is nothing to do a second time.
        sent.append(conn.execute("SELECT convene.send_meeting_reminders(%s)", [now]).fetchone()[0])
        assert sum(sent) == (12 if number else 0), (now, sent)
    rows = conn.execute("SELECT target_id, profile_id, payload ->> 'reminder', count(*) FROM convene.outbox GROUP BY 1, 2, 3").fetchall()
    assert len(rows) == 24 and {row[3] for row in rows} == {1} and {row[0] for row in rows} == set(meetings)
    assert {(row[1], row[2]) for row in rows} == {(person.sub, number) for person in event.people for number in "12"}
    conn.execute("DELETE FROM convene.outbox")


def test_a_block_or_a_refusal_meets_a_booking(db, conn, event):
    """Whichever comes first: no meeting stands between two of whom one blocked or declined the other."""
    everybody_matched(conn, event)
    match = conn.execute("SELECT id FROM convene.matches WHERE attendee_1_id = least(%(a)s::uuid, %(b)s) AND attendee_2_id = greatest(%(a)s::uuid, %(b)s)",
                         {"a": event.people[0].id, "b": event.people[1].id}).fetchone()[0]
    block = "SELECT convene.block_person(%s, %s)", [event.people[1].id, event.people[0].id]
    decline = "SELECT convene.decline_match(%s)", [match]
    row = "INSERT INTO convene.person_blocks (blocker_profile, blocked_profile) VALUES (%s, %s)", [event.people[1].sub, event.people[0].sub]
    for round_, (statement, values) in enumerate([block, decline, row] * 6):
        conn.execute("DELETE FROM convene.person_blocks")
        conn.execute("DELETE FROM convene.meetings")
        conn.execute("DELETE FROM convene.matches WHERE id = %s", [match])
        conn.execute("INSERT INTO convene.matches (id, event_id, attendee_1_id, attendee_2_id, compatibility_score, matching_algorithm, status)"
                     " VALUES (%(id)s, %(event)s, least(%(a)s::uuid, %(b)s), greatest(%(a)s::uuid, %(b)s), 0.5, 'hybrid', 'mutual_accepted')",
                     {"id": match, "event": event.id, "a": event.people[0].id, "b": event.people[1].id})

        def work(connection, index):
            time.sleep(0.002 * ((index + round_) % 3))
            with as_role(connection, "authenticated", event.people[index and 1].sub if index else event.people[0].sub):
                if index == 0:
                    connection.execute("SELECT convene.schedule_meeting(%s, %s, %s)", [event.people[0].id, event.people[1].id, at(0)])
                elif index == 1:
                    connection.execute(statement, values)
                else:
                    connection.execute("SELECT convene.confirm_meeting(id) FROM convene.meetings WHERE status = 'proposed'")
        told = [code for code in together(db, 3, work) if code]
        assert set(told) <= {"42501", "55000"}, told
        assert conn.execute("SELECT count(*) FROM convene.meetings WHERE status <> 'cancelled'").fetchone() == (0,)
        assert conn.execute("SELECT status FROM convene.matches WHERE id = %s", [match]).fetchone() == ("declined",)


def test_a_schedule_is_published_while_people_book(db, conn, event):
    """Whoever comes first has the time; the schedule skips what is gone, and everything that was told is there."""
    everybody_matched(conn, event)
    for turn in range(6):
        conn.execute("DELETE FROM convene.meetings")
        with as_role(conn, "authenticated", event.organizer):
            draft = conn.execute("SELECT convene.schedule_event_meetings(%s, NULL, 15, %s, %s) ->> 'draft_id'", [event.id, at(0), at(60)]).fetchone()[0]

        def work(connection, index):
            with as_role(connection, "authenticated", event.organizer):
                if index == 0:
                    time.sleep(0.004 * turn)
                    return connection.execute("SELECT convene.publish_meeting_schedule(%s, true)", [draft]).fetchone()[0]  # noqa: B023
                done, draw = [], random.Random(f"{turn} {index}")  # noqa: B023
                for _ in range(6):
                    one, two = draw.sample(range(12), 2)
                    try:
                        done.append(connection.execute("SELECT convene.schedule_meeting(%s, %s, %s) ->> 'meeting_id'", [
                            event.people[one].id, event.people[two].id, at(15 * draw.randrange(4) + 7)]).fetchone()[0])
                    except psycopg.Error as error:
                        assert error.sqlstate in TOLD, error
                return done
        told, *booked = together(db, 8, work)
        # Whoever asks for what somebody else has booked is told of that.
        ids = {row[0] for row in conn.execute("SELECT id::text FROM convene.meetings")}
        assert told["meetings"] + len(told["skipped"]) == 24
        assert set().union(*booked) <= ids and len(ids) == told["meetings"] + len(set().union(*booked))
        assert offended(conn) == []


def test_fifty_clients_who_book_at_random(db, conn, event):
    everybody_matched(conn, event)
    conn.execute("INSERT INTO convene.networking_preferences (attendee_id, event_id, max_meetings_per_day)"
                 " SELECT id, event_id, 12 FROM convene.attendees WHERE event_id = %s", [event.id])
    until, done, faults = time.monotonic() + SECONDS, [0] * CLIENTS, []

    def work(connection, index):
        draw = random.Random(index)
        while time.monotonic() < until:
            one, two = draw.sample(range(12), 2)
            try:
                step(connection, draw, one, two)
                done[index] += 1
            except psycopg.Error as error:
                if error.sqlstate not in TOLD:
                    faults.append((error.sqlstate, str(error)))

    def step(connection, draw, one, two):
        kind, start = draw.random(), at(15 * draw.randrange(40))
        with as_role(connection, "authenticated", event.people[one].sub):
            mine = connection.execute("SELECT id FROM convene.meetings WHERE status IN ('proposed', 'scheduled', 'confirmed')"
                                      " ORDER BY random() LIMIT 1").fetchone()
            if kind < 0.5 or mine is None:
                connection.execute("SELECT convene.schedule_meeting(%s, %s, %s, %s)",
                                   [event.people[one].id, event.people[two].id, start, draw.choice([15, 30])])
            elif kind < 0.7:
                connection.execute("SELECT convene.confirm_meeting(%s)", mine)
            elif kind < 0.85:
                connection.execute("SELECT convene.reschedule_meeting(%s, %s)", [*mine, start])
            else:
                connection.execute("SELECT convene.cancel_meeting(%s)", mine)

    together(db, CLIENTS, work)
    assert faults == []
    assert sum(done) > 100
    assert offended(conn) == []
    assert conn.execute("SELECT max(meetings) FROM convene.meeting_day_counts").fetchone()[0] <= 12
