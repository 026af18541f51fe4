"""Many who book at once: one gets the slot, limits hold, and nobody waits in a circle."""

import random
import time
from datetime import datetime, timedelta, timezone

import psycopg
import pytest

from lib.booking import ENTRY, at, book, change, counts, meeting_place, offended, together


@pytest.fixture
def event(conn):
    with meeting_place(conn) as made:
        yield made


def test_ten_who_want_the_same_leave_one(db, conn, event):
    pair = lambda index: (0, 1) if index % 2 else (1, 0)  # noqa: E731 - both orders of the two
    for hour in range(3):
        got = together(db, 10, lambda connection, index, start=at(60 * hour): book(connection, event, *pair(index), start) and "booked")
        assert sorted(got) == ["23P01"] * 9 + ["booked"]
    # The same table, for people who have nothing to do with each other.
    got = together(db, 6, lambda connection, index: book(connection, event, 2 * index, 2 * index + 1, at(600), where={"table": 1}) and "booked")
    assert sorted(got) == ["23P01"] * 5 + ["booked"]


def test_a_limit_holds_against_many(db, conn, event):
    conn.execute("INSERT INTO convene.networking_preferences (attendee_id, event_id, max_meetings_per_day) VALUES (%s, %s, 3)",
                 [event.people[0].id, event.id])
    got = together(db, 10, lambda connection, index: book(connection, event, 0, index + 1, at(60 * index)) and "booked")
    assert sorted(got) == ["55000"] * 7 + ["booked"] * 3
    assert counts(conn, event.people[0].sub) == {"2031-05-05": 3}


def test_random_bookings_neither_overlap_nor_lock_each_other_up(db, conn, event):
    """Eight clients book, move, propose, confirm, cancel and delete for some seconds, and attendees change their profile."""
    match = {}
    for one in range(6):
        for two in range(one + 1, 6):
            people = event.people[one].id, event.people[two].id
            match[one, two] = conn.execute(ENTRY, [event.id, *people, *people, "mutual_accepted"]).fetchone()[0]
    until, done, faults = time.monotonic() + 5, [0] * 8, []

    def work(connection, index):
        draw, mine = random.Random(index), []
        while time.monotonic() < until:
            try:
                step(connection, draw, mine)
                done[index] += 1
            except psycopg.Error as error:
                if error.sqlstate != "23P01":
                    faults.append(str(error))

    def step(connection, draw, mine):
        one, two = draw.sample(range(6), 2)
        start = at(5 * draw.randrange(60))
        kind = draw.random()
        if kind < 0.45 or not mine:
            mine.append(book(connection, event, one, two, start, draw.choice([5, 15, 30]), where=draw.choice([None, {"table": draw.randrange(3)}]),
                             status=draw.choice(["scheduled", "proposed"]), match=match[min(one, two), max(one, two)],
                             until=datetime.now(timezone.utc) + timedelta(seconds=draw.choice([0.05, 5]))))
        elif kind < 0.6:
            change(connection, draw.choice(mine), scheduled_start=start, scheduled_end=start + timedelta(minutes=15))
        elif kind < 0.75:
            change(connection, draw.choice(mine), status=draw.choice(["confirmed", "cancelled", "completed"]))
        elif kind < 0.85:
            connection.execute("DELETE FROM convene.meetings WHERE id = %s", [mine.pop(draw.randrange(len(mine)))])
        elif kind < 0.9:
            person = event.people[one]
            connection.execute("UPDATE convene.attendees SET profile_id = %s WHERE id = %s", [draw.choice([None, person.sub]), person.id])
        else:
            # Some of everybody's at once.
            connection.execute("UPDATE convene.meetings SET status = 'cancelled' WHERE id = ANY (%s)", [draw.sample(mine, min(3, len(mine)))])

    together(db, 8, work)
    assert faults == []
    assert sum(done) > 100
    time.sleep(0.1)
    assert offended(conn) == []
