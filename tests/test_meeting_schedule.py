"""Whole events: the schedule against an independent reading of the rules, the bound against what could be, and what publishing does."""

import json
import random
from datetime import datetime, timedelta

import pytest

from lib.access import as_role, expect_error
from lib.booking import at, book, meeting_place, offended, utc
from lib.factory import make_event

MINUTE = timedelta(minutes=1)


@pytest.fixture
def event(conn):
    with meeting_place(conn) as made:
        yield made


def wish(conn, event, pairs):
    """Mutual matches: {(one, two): score}."""
    rows = []
    for (one, two), score in pairs.items():
        a, b = sorted([event.people[one].id, event.people[two].id])
        rows.append((event.id, a, b, score, "hybrid", "mutual_accepted"))
    with conn.cursor() as cursor:
        cursor.executemany("INSERT INTO convene.matches (event_id, attendee_1_id, attendee_2_id, compatibility_score, matching_algorithm, status)"
                           " VALUES (%s, %s, %s, %s, %s, %s)", rows)


def random_wishes(conn, event, share, seed=1):
    draw = random.Random(seed)
    number = len(event.people)
    wish(conn, event, {(one, two): round(draw.random(), 4) for one in range(number) for two in range(one + 1, number) if draw.random() < share})


def draft(conn, event, tables, slots, minutes=15, **more):
    names = "".join(f", {name} => %s" for name in more)
    with as_role(conn, "authenticated", event.organizer):
        report = conn.execute(f"SELECT convene.schedule_event_meetings(%s, %s, %s, %s, %s{names})",
                              [event.id, tables, minutes, at(0), at(slots * (minutes + more.get("p_break_minutes", 0))), *more.values()]).fetchone()[0]
    meetings, details = conn.execute("SELECT meetings, report FROM convene.meeting_schedule_drafts WHERE id = %s", [report["draft_id"]]).fetchone()
    check(conn, event, meetings, details, tables)
    return report, meetings


def check(conn, event, meetings, report, tables, bodies=None):
    """Nobody and no table twice, days not too full, everybody free, and the report says what there is."""
    bodies = bodies or {}
    taken, days, pairs = set(), {}, set()
    known = {frozenset(map(str, row[:2])): (row[2], float(row[3])) for row in conn.execute(
        "SELECT attendee_1_id, attendee_2_id, id::text, compatibility_score FROM convene.matches WHERE event_id = %s AND status = 'mutual_accepted'", [event.id])}
    caps = dict(conn.execute("SELECT attendee_id::text, max_meetings_per_day FROM convene.networking_preferences WHERE event_id = %s", [event.id]).fetchall())
    total = 0
    for meeting in meetings:
        start, end = datetime.fromisoformat(meeting["start"]), datetime.fromisoformat(meeting["end"])
        two = [meeting["attendee_1"], meeting["attendee_2"]]
        if not meeting["fixed"]:
            assert known[frozenset(two)] == (meeting["match_id"], meeting["score"])
        assert frozenset(two) not in pairs
        pairs.add(frozenset(two))
        places = [bodies.get(who, who) for who in two]
        if tables:
            assert 1 <= int(meeting["table"]) <= tables
            places.append("table " + meeting["table"])
        for place in places:
            assert (place, start) not in taken
            taken.add((place, start))
        for who in two:
            days[who] = days.get(who, 0) + 1
            assert days[who] <= caps.get(who, 999)
            assert conn.execute("SELECT convene.check_meeting_availability(%s, %s, %s)", [who, start, end]).fetchone() == (True,)
        total += meeting["score"]
    assert report["meetings"] == len(meetings) and abs(report["total_compatibility"] - total) < 1e-6
    assert report["total_bound"] >= report["total_compatibility"] - 1e-9 and report["people_bound"] >= report["people_with_a_meeting"]
    assert abs(report["gap"] - (1 - report["total_compatibility"] / report["total_bound"] if report["total_bound"] else 0)) < 1e-5
    assert report["left_out"] == report["pairs"] - len(meetings)
    return days


def number(event, meeting):
    ids = [str(person.id) for person in event.people]
    return tuple(sorted((ids.index(meeting["attendee_1"]), ids.index(meeting["attendee_2"]))))


def test_people_first_then_weight(conn, event):
    wish(conn, event, {(0, 1): 1, (0, 2): 0.1, (1, 3): 0.1})
    report, meetings = draft(conn, event, None, 1)
    assert {number(event, m) for m in meetings} == {(0, 2), (1, 3)}
    assert report["people_with_a_meeting"] == 4 == report["people_bound"] and report["total_bound"] >= 1
    report, meetings = draft(conn, event, 1, 1)
    assert [number(event, m) for m in meetings] == [(0, 1)] and report["left_out"] == 2


def test_everything_that_stands_in_the_way(conn, event):
    random_wishes(conn, event, 0.8)
    book(conn, event, 0, 1, at(5), 20)
    conn.execute("INSERT INTO convene.networking_preferences (attendee_id, event_id, max_meetings_per_day, availability_slots, networking_enabled)"
                 " VALUES (%(a)s, %(e)s, 1, '[]', true), (%(b)s, %(e)s, 9, '[{\"date\": \"2031-05-05\", \"start\": \"10:20\", \"end\": \"10:55\"}]', true),"
                 " (%(c)s, %(e)s, 9, '[]', false), (%(d)s, %(e)s, 0, '[]', true)",
                 {"e": event.id, **{key: event.people[at_].id for key, at_ in zip("abcd", (2, 3, 4, 5))}})
    conn.execute("UPDATE convene.attendees SET status = 'cancelled' WHERE id = %s", [event.people[6].id])
    conn.execute("INSERT INTO convene.person_blocks (blocker_profile, blocked_profile) VALUES (%s, %s)", [event.people[7].sub, event.people[8].sub])
    _, meetings = draft(conn, event, 3, 4)
    met = [number(event, m) for m in meetings]
    people = [who for pair in met for who in pair]
    assert people.count(2) == 1 and people.count(3) == 1 and not {4, 5, 6} & set(people)
    assert (7, 8) not in met and (0, 1) not in met and 0 < len(met) <= 12
    conn.execute("DELETE FROM convene.person_blocks")


def test_rules(conn, event):
    wish(conn, event, {(0, 1): 0.9, (0, 2): 0.8, (1, 2): 0.7, (3, 4): 0.9, (3, 5): 0.5, (6, 7): 0.4, (6, 8): 0.3, (9, 10): 0.2})
    who = [str(person.id) for person in event.people]
    rules = {"veto": [[who[0], who[1]]], "fixed": [{"attendee_1": who[10], "attendee_2": who[11], "start": at(15).isoformat()}],
             "exclusive": [[[who[3], who[4]], [who[3], who[5]]]], "representatives": [[who[7], who[8]]]}
    report, meetings = draft(conn, event, None, 2, p_rules=json.dumps(rules))
    met = {number(event, m): datetime.fromisoformat(m["start"]) for m in meetings}
    # 3 meets only one of the two, the one who is worth more; 7 and 8 are one human being.
    assert set(met) == {(0, 2), (1, 2), (3, 4), (6, 7), (6, 8), (9, 10), (10, 11)}
    assert met[10, 11] == at(15) and met[9, 10] == at(0) and met[6, 7] != met[6, 8]
    # People before weight: with 4 somewhere else already, 5 is the one who gains.
    book(conn, event, 4, 11, at(600))
    _, meetings = draft(conn, event, None, 2, p_rules=json.dumps(rules))
    assert (3, 5) in {number(event, m) for m in meetings}
    with as_role(conn, "authenticated", event.organizer):
        rules["fixed"].append({"attendee_1": who[10], "attendee_2": who[0], "start": at(15).isoformat()})
        expect_error(conn, "23P01", "SELECT convene.schedule_event_meetings(%s, NULL, 15, %s, %s, p_rules => %s)",
                     [event.id, at(0), at(30), json.dumps(rules)], message="cannot take place")


def test_slots_of_a_day(conn, event):
    """Breaks between slots, tables that others have, and the hours of an event of several days."""
    wish(conn, event, {(one, two): 0.5 for one in range(6) for two in range(one + 1, 6)})
    book(conn, event, 10, 11, at(25), where={"room": "Hall", "table": "1"})
    report, meetings = draft(conn, event, 2, 3, p_break_minutes=5, p_room="Hall")
    assert sorted((datetime.fromisoformat(m["start"]), m["table"]) for m in meetings) == [
        (at(0), "1"), (at(0), "2"), (at(20), "2"), (at(40), "2")]
    conn.execute("UPDATE convene.events SET start_at = %s, end_at = %s WHERE id = %s", [utc(2031, 5, 5, 8), utc(2031, 5, 6, 10), event.id])
    with as_role(conn, "authenticated", event.organizer):
        report = conn.execute("SELECT convene.schedule_event_meetings(%s, 1, 60)", [event.id]).fetchone()[0]
    assert report["slots"] == 4 and report["meetings"] == 4
    starts = conn.execute("SELECT array_agg(DISTINCT (m ->> 'start')::timestamptz) FROM convene.meeting_schedule_drafts,"
                          " jsonb_array_elements(meetings) m WHERE id = %s", [report["draft_id"]]).fetchone()[0]
    assert starts == [utc(2031, 5, day, hour) for day in (5, 6) for hour in (8, 9)]


def test_publishing_all_or_what_is_left(conn, event):
    random_wishes(conn, event, 0.7, seed=3)
    report, meetings = draft(conn, event, 4, 4, p_room="Hall")
    other, _ = draft(conn, event, 4, 4, p_room="Hall")
    publish = "SELECT convene.publish_meeting_schedule(%s, %s)"
    first = meetings[0]
    busy, partner = number(event, first)
    third = next(who for who in range(12) if who not in (busy, partner))
    book(conn, event, busy, third, datetime.fromisoformat(first["start"]) - 10 * MINUTE, 12)
    with as_role(conn, "authenticated", event.organizer):
        expect_error(conn, "23P01", publish, [report["draft_id"], False], message="cannot take place: one of the two is not free any more",
                     hint="p_only_unbooked")
        assert conn.execute("SELECT count(*) FROM convene.meetings WHERE match_id IS NOT NULL").fetchone() == (0,)
        done = conn.execute(publish, [report["draft_id"], True]).fetchone()[0]
        assert done["meetings"] + len(done["skipped"]) == len(meetings) and 1 <= len(done["skipped"]) <= 3
        assert first["match_id"] in {skipped["match_id"] for skipped in done["skipped"]}
        # Twice is as good as once; a second draft finds everything taken.
        assert conn.execute(publish, [report["draft_id"], False]).fetchone()[0] == done
        again = conn.execute(publish, [other["draft_id"], True]).fetchone()[0]
        assert {skipped["reason"] for skipped in again["skipped"]} >= {"the two have arranged a meeting"}
        expect_error(conn, "55000", "SELECT convene.discard_meeting_schedule(%s)", [report["draft_id"]])
        fresh, _ = draft(conn, event, 4, 4)
        conn.execute("SELECT convene.discard_meeting_schedule(%s)", [fresh["draft_id"]])
        expect_error(conn, "55000", publish, [fresh["draft_id"], False], message="discarded")
    rows = conn.execute("SELECT status, place ~ '^hall / [1-4]$', location_type FROM convene.meetings WHERE match_id IS NOT NULL").fetchall()
    assert set(rows) == {("scheduled", True, "onsite")} and len(rows) == done["meetings"] + again["meetings"]
    assert offended(conn) == []


@pytest.mark.parametrize("change,reason", [
    ("UPDATE convene.matches SET status = 'declined'", "their match does not stand any more"),
    ("UPDATE convene.attendees SET status = 'cancelled'", "does not attend"),
    ("UPDATE convene.events SET status = 'cancelled'", "event was cancelled"),
    ("INSERT INTO convene.networking_preferences (attendee_id, event_id, max_meetings_per_day) SELECT id, event_id, 0 FROM convene.attendees", "full"),
    ("INSERT INTO convene.person_blocks SELECT a.profile_id, b.profile_id FROM convene.matches m JOIN convene.attendees a ON a.id = m.attendee_1_id"
     " JOIN convene.attendees b ON b.id = m.attendee_2_id", "match does not stand"),
    ("INSERT INTO convene.networking_preferences (attendee_id, event_id, networking_enabled) SELECT id, event_id, false FROM convene.attendees",
     "takes no part any more"),
])
def test_what_changed_since_the_draft(conn, event, change, reason):
    wish(conn, event, {(0, 1): 0.5})
    report, _ = draft(conn, event, None, 1)
    with conn.transaction(force_rollback=True):
        conn.execute(change)
        with as_role(conn, "authenticated", event.organizer):
            expect_error(conn, "23P01", "SELECT convene.publish_meeting_schedule(%s)", [report["draft_id"]], message=reason)
            told = conn.execute("SELECT convene.publish_meeting_schedule(%s, true)", [report["draft_id"]]).fetchone()[0]
            assert told["meetings"] == 0 and reason in told["skipped"][0]["reason"]


def test_rules_hold_for_what_people_arrange_by_themselves(conn, event):
    """Of an exclusive set at most one pair meets and a representative is in one place, also when the draft knew nothing of it."""
    wish(conn, event, {(0, 1): 0.9, (0, 2): 0.8, (3, 4): 0.7, (6, 7): 0.6})
    who = [str(person.id) for person in event.people]
    rules = json.dumps({"exclusive": [[[who[0], who[1]], [who[2], who[0]]]], "representatives": [[who[3], who[5]]]})
    report, meetings = draft(conn, event, None, 1, p_rules=rules)
    assert {number(event, m) for m in meetings} == {(0, 1), (3, 4), (6, 7)}
    book(conn, event, 0, 2, at(600))
    book(conn, event, 5, 8, at(0))
    fresh, meetings = draft(conn, event, None, 1, p_rules=rules)
    assert {number(event, m) for m in meetings} == {(6, 7)}
    with as_role(conn, "authenticated", event.organizer):
        publish = "SELECT convene.publish_meeting_schedule(%s, %s)"
        expect_error(conn, "23P01", publish, [report["draft_id"], False], message="cannot take place")
        told = conn.execute(publish, [report["draft_id"], True]).fetchone()[0]
    assert told["meetings"] == 1
    assert sorted(skipped["reason"] for skipped in told["skipped"]) == ["another pair of its set meets", "one of the two is not free any more"]
    assert offended(conn) == []


def test_a_hundred_and_forty_people_in_five_rounds(conn):
    big = make_event(conn, "big", sessions=0, attendees=140, starts=utc(2031, 5, 5, 7))
    random_wishes(conn, big, 0.4)
    report, meetings = draft(conn, big, None, 5)
    assert report["people_with_a_meeting"] == 140 and report["gap"] <= 0.05
    report, meetings = draft(conn, big, 40, 5)
    assert len(meetings) == 200 and report["people_with_a_meeting"] == 140 and report["gap"] <= 0.05
    with as_role(conn, "authenticated", big.organizer):
        assert conn.execute("SELECT convene.publish_meeting_schedule(%s)", [report["draft_id"]]).fetchone()[0]["meetings"] == 200
    assert offended(conn) == []
    conn.execute("DELETE FROM convene.events WHERE id = %s", [big.id])


def test_a_schedule_can_be_cancelled(conn, db):
    big = make_event(conn, "large", sessions=0, attendees=400, starts=utc(2031, 5, 5, 7))
    random_wishes(conn, big, 0.3)
    with db.second() as other:
        other.execute("SET statement_timeout = '700ms'")
        expect_error(other, "57014", "SELECT convene.schedule_event_meetings(%s, NULL, 15, %s, %s)", [big.id, at(0), at(300)])
    assert conn.execute("SELECT count(*) FROM convene.meeting_schedule_drafts WHERE event_id = %s", [big.id]).fetchone() == (0,)
    conn.execute("DELETE FROM convene.events WHERE id = %s", [big.id])
