"""Who has time, on calendars that were drawn at random: as the rows say, and the same whichever function is asked."""

import json
import random
from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import psycopg
import pytest

from lib.booking import BOOK
from lib.factory import make_event

pytestmark = pytest.mark.sql

ZONES = ["UTC", "Pacific/Kiritimati", "America/Los_Angeles", "Europe/Berlin", "Pacific/Pago_Pago", "Asia/Kathmandu", "Australia/Lord_Howe"]
# Days on which clocks are put forward or back somewhere, a leap day, and one that is like any other.
DAYS = [date(2031, 3, 30), date(2031, 10, 26), date(2031, 3, 9), date(2031, 4, 6), date(2032, 2, 29), date(2031, 5, 5)]
# Ahead of every clock that runs this before the events begin: a hold that has lapsed is taken away.
NOWS = [datetime(2030, 1, day, tzinfo=timezone.utc) for day in (1, 5, 20)]
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)

ASK = """
SELECT convene.check_meeting_availability(%(who)s, %(start)s, %(end)s, %(now)s),
       NOT EXISTS (SELECT FROM convene.meeting_conflicts(%(who)s, %(start)s, %(end)s, %(now)s))"""


class World:
    """An event of ten people, each with a limit, windows or neither, and sixty bookings that were tried."""

    def __init__(self, conn, seed):
        draw = self.draw = random.Random(seed)
        self.zone, self.day = ZoneInfo(draw.choice(ZONES)), draw.choice(DAYS)
        self.noon = datetime(self.day.year, self.day.month, self.day.day, 12, tzinfo=timezone.utc)
        event = make_event(conn, f"calendars-{seed}", sessions=0, attendees=10, starts=self.noon - DAY)
        conn.execute("UPDATE convene.events SET time_zone = %s, end_at = %s WHERE id = %s", [self.zone.key, self.noon + 4 * DAY, event.id])
        self.people = {person.id: self.prefer(conn, event, person.id) for person in event.people}
        self.meetings = []
        for _ in range(60):
            self.book(conn, event)

    def prefer(self, conn, event, who):
        """(most meetings of a day, windows); none of both for one in three."""
        draw = self.draw
        if draw.random() < 0.3:
            return None, []
        limit, slots = draw.choice([0, 1, 1, 2, 3, 500]), []
        for _ in range(draw.choice([0, 0, 1, 4])):
            # On the half hour and on the quarter past, so that they differ.
            slots.append({"date": str(self.day + draw.randint(-1, 2) * DAY), "start": f"{draw.randint(0, 23):02}:{draw.choice(['00', '30'])}",
                          "end": f"{draw.randint(0, 23):02}:15"})
        conn.execute("INSERT INTO convene.networking_preferences (attendee_id, event_id, max_meetings_per_day, availability_slots)"
                     " VALUES (%s, %s, %s, %s)", [who, event.id, limit, json.dumps(slots)])
        return limit, [self.window(slot) for slot in slots]

    def window(self, slot):
        start, end = (datetime.fromisoformat(f"{slot['date']}T{slot[side]}") for side in ("start", "end"))
        end += DAY if end <= start else timedelta()
        return tuple(at.replace(tzinfo=self.zone).astimezone(timezone.utc) for at in (start, end))

    def book(self, conn, event):
        draw = self.draw
        one, two = draw.sample(sorted(self.people), 2)
        start, minutes = self.noon + draw.randint(-48, 200) * 15 * MINUTE, draw.choice([5, 15, 15, 30, 60, 600])
        proposed = draw.random() < 0.5
        until = draw.choice(NOWS) + draw.choice([-1, 1]) * MINUTE if proposed else None
        values = {"event": event.id, "one": one, "two": two, "start": start, "minutes": minutes, "by": one if proposed else None,
                  "status": "proposed" if proposed else draw.choice(["scheduled", "confirmed"]), "until": until,
                  "kind": "onsite", "where": "{}", "match": None}
        try:
            with conn.transaction():
                conn.execute(BOOK, values)
        except (psycopg.errors.ExclusionViolation, psycopg.errors.ObjectNotInPrerequisiteState):
            return
        self.meetings.append((start, start + minutes * MINUTE, until, {one} if proposed else {one, two}))

    def is_free(self, who, start, end, now):
        """By what is written down above, and nothing of the database."""
        limit, windows = self.people[who]
        taken = [(b, e) for b, e, until, whose in self.meetings if who in whose and (until is None or until > now)]
        local = start.astimezone(self.zone).date()
        that_day = sum(b.astimezone(self.zone).date() == local for b, _ in taken)
        return (all(e <= start or end <= b for b, e in taken)
                and (limit is None or that_day < limit) and (not windows or inside(windows, start, end)))


def inside(windows, start, end):
    """Whether windows, laid end to end where they touch, hold a time."""
    at = start
    for begins, ends in sorted(windows):
        if begins <= at < ends:
            at = ends
    return at >= end


@pytest.mark.parametrize("seed", range(1, 9))
def test_random_calendars_are_read_as_their_rows_say(conn, seed):
    world = World(conn, seed)
    said = {True: 0, False: 0}
    for _ in range(400):
        who, now = world.draw.choice(sorted(world.people)), world.draw.choice(NOWS)
        start = world.noon + world.draw.randint(-30, 60) * 60 * MINUTE + world.draw.choice([0, 15, 30, 40]) * MINUTE
        end = start + world.draw.choice([5, 15, 15, 90]) * MINUTE
        free = world.is_free(who, start, end, now)
        assert conn.execute(ASK, {"who": who, "start": start, "end": end, "now": now}).fetchone() == (free, free), (who, start, end, now)
        said[free] += 1
    assert min(said.values()) > 40, "one answer to nearly everything shows nothing"
