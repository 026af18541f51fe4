"""Meetings as plain statements, and what must hold of them whoever wrote what."""

import json
import threading
import time
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone

import psycopg

from .access import expect_error
from .factory import make_event

BOOK = """
INSERT INTO convene.meetings (event_id, attendee_1_id, attendee_2_id, title, scheduled_start, scheduled_end, status, proposed_by,
                              expires_at, location_type, location_details, match_id)
VALUES (%(event)s, %(one)s, %(two)s, 'Talk', %(start)s, %(start)s + %(minutes)s * interval '1 min', %(status)s, %(by)s,
        %(until)s, %(kind)s, %(where)s, %(match)s) RETURNING id"""
ENTRY = """
INSERT INTO convene.matches (event_id, attendee_1_id, attendee_2_id, compatibility_score, matching_algorithm, status)
VALUES (%s, least(%s::uuid, %s::uuid), greatest(%s::uuid, %s::uuid), 0.5, 'hybrid', %s) RETURNING id"""

# What must hold whatever happened: a query for its offenders.
INVARIANTS = {
    "nobody has two at once": """
        SELECT a.person_id FROM convene.meeting_bookings a JOIN convene.meeting_bookings b USING (person_id)
        WHERE a.active AND b.active AND a.during && b.during AND (a.meeting_id, a.attendee_id) < (b.meeting_id, b.attendee_id)""",
    "what is booked is what meetings say": """
        SELECT coalesce(b.meeting_id, w.meeting_id)
        FROM (SELECT * FROM convene.meeting_bookings WHERE held_until IS NULL OR held_until > now()) b
        FULL JOIN (SELECT m.id AS meeting_id, a.id AS attendee_id, coalesce(a.profile_id, a.id) AS person_id,
                          tstzrange(m.scheduled_start, m.scheduled_end, '[)') AS during,
                          (m.scheduled_start AT TIME ZONE e.time_zone)::date AS day
                   FROM convene.meetings m JOIN convene.events e ON e.id = m.event_id
                   JOIN convene.attendees a ON a.id = m.attendee_1_id OR a.id = m.attendee_2_id
                   WHERE m.status IN ('scheduled', 'confirmed', 'in_progress', 'completed')
                      OR (m.status = 'proposed' AND m.proposed_by = a.id AND m.expires_at > now())) w
             USING (meeting_id, attendee_id, person_id, during, day)
        WHERE b.meeting_id IS NULL OR w.meeting_id IS NULL""",
    "days are counted": """
        SELECT person_id FROM (SELECT person_id, day, count(*) AS meetings FROM convene.meeting_bookings GROUP BY 1, 2) b
        FULL JOIN convene.meeting_day_counts c USING (person_id, day, meetings) WHERE b.meetings IS NULL OR c.meetings IS NULL
           OR c.meetings = 0""",
    "a place has one at a time": """
        SELECT a.place FROM convene.meeting_places a JOIN convene.meeting_places b USING (event_id, place)
        WHERE a.during && b.during AND a.meeting_id < b.meeting_id""",
    "places are what meetings say": """
        SELECT coalesce(p.meeting_id, m.id) FROM convene.meeting_places p
        FULL JOIN (SELECT id, place, tstzrange(scheduled_start, scheduled_end) AS during FROM convene.meetings
                   WHERE place IS NOT NULL AND status IN ('scheduled', 'confirmed', 'in_progress')) m
             ON m.id = p.meeting_id AND m.place = p.place AND m.during = p.during
        WHERE p.meeting_id IS NULL OR m.id IS NULL""",
    "matches know their meeting": """
        SELECT m.id FROM convene.matches m
        WHERE meeting_scheduled IS DISTINCT FROM
                  EXISTS (SELECT FROM convene.meetings g WHERE g.match_id = m.id AND g.status NOT IN ('cancelled', 'proposed'))
           OR (meeting_id IS NULL) IS DISTINCT FROM
                  NOT EXISTS (SELECT FROM convene.meetings g WHERE g.match_id = m.id AND g.status <> 'cancelled')
           OR NOT EXISTS (SELECT FROM convene.meetings g WHERE g.match_id = m.id AND g.id = m.meeting_id) AND m.meeting_id IS NOT NULL""",
}


def offended(conn):
    """What does not hold."""
    return [name for name, query in INVARIANTS.items() if conn.execute(query).fetchall()]


@contextmanager
def meeting_place(conn):
    """An event in Brussels with twelve people and nothing booked; what must hold did, and nothing is left when it goes."""
    yield make_event(conn, f"event-{time.monotonic_ns()}", sessions=0, attendees=12, starts=utc(2031, 5, 5, 7))
    assert offended(conn) == []
    conn.execute("DELETE FROM convene.events")
    left = conn.execute("SELECT (SELECT count(*) FROM convene.meeting_bookings), (SELECT count(*) FROM convene.meeting_day_counts)")
    assert left.fetchone() == (0, 0)


def utc(*parts):
    """A moment."""
    return datetime(*parts, tzinfo=timezone.utc)


def at(minutes, day=5):
    """So many minutes after ten o'clock in Brussels."""
    return utc(2031, 5, day, 8) + timedelta(minutes=minutes)


def values(event, one, two, start, minutes=30, status="scheduled", by=None, until=None, where=None, match=None):
    return {"event": event.id, "one": event.people[one].id, "two": event.people[two].id, "start": start, "minutes": minutes,
            "status": status, "by": None if by is None else event.people[by].id, "until": until,
            "kind": "onsite" if where else "virtual", "where": json.dumps(where or {}), "match": match}


def book(conn, event, one, two, start, *more, **others):
    """Inserts a meeting of two people, given by their numbers; returns its id."""
    return conn.execute(BOOK, values(event, one, two, start, *more, **others)).fetchone()[0]


def refused(conn, event, one, two, start, *more, code="23P01", message=None, hint=None, **others):
    """The same, where it must fail."""
    return expect_error(conn, code, BOOK, values(event, one, two, start, *more, **others), message=message, hint=hint)


def change(conn, meeting, **columns):
    """Updates columns of a meeting."""
    pairs = ", ".join(f"{name} = %s" for name in columns)
    conn.execute(f"UPDATE convene.meetings SET {pairs} WHERE id = %s", [*columns.values(), meeting])


def bookings(conn, event, number):
    """The starts of what a person is booked for, in minutes after ten."""
    rows = conn.execute("SELECT lower(during) FROM convene.meeting_bookings WHERE attendee_id = %s ORDER BY 1", [event.people[number].id])
    return [(row[0] - at(0)) / timedelta(minutes=1) for row in rows]


def counts(conn, person):
    """What is counted for a person, by day."""
    rows = conn.execute("SELECT day, meetings FROM convene.meeting_day_counts WHERE person_id = %s ORDER BY day", [person])
    return {str(day): meetings for day, meetings in rows}


def together(db, number, work):
    """Runs `work(connection, number)` in as many threads, each with a connection, from one moment on; returns what they return or how
    they fail."""
    barrier, results = threading.Barrier(number), [None] * number

    def run(index):
        with db.second() as connection:
            barrier.wait()
            try:
                results[index] = work(connection, index)
            except psycopg.Error as error:
                results[index] = error.sqlstate
    threads = [threading.Thread(target=run, args=[index]) for index in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
