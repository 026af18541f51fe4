"""Matches, meetings and what they book: nobody and no place has two at once, whoever writes."""

import json
import time
from datetime import datetime, timedelta, timezone

import pytest

from lib.access import as_role, expect_error
from lib.booking import ENTRY, at, book, bookings, change, counts, meeting_place, offended, refused, utc
from lib.factory import ident, make_event
from lib.hearing import heard


@pytest.fixture
def event(conn):
    with meeting_place(conn) as made:
        yield made


# One at a time.

def test_a_clash_names_the_slot_and_the_next_one(conn, event):
    book(conn, event, 0, 1, at(0))
    book(conn, event, 2, 3, at(30))
    # Person 0 is free from 10:30, person 2 from 11:00.
    refused(conn, event, 2, 0, at(15), message=f"^attendee ({event.people[0].id}|{event.people[2].id}) is not free from "
            r"2031-05-05 10:15 to 10:45 \(Europe/Brussels\)$", hint="for as long from 2031-05-05 11:00")
    # What touches does not overlap.
    book(conn, event, 0, 4, at(30))
    book(conn, event, 0, 4, at(-30))
    assert bookings(conn, event, 0) == [-30, 0, 30]
    for minutes, length in ((1, 5), (-5, 200), (-10, 11), (29, 2)):
        refused(conn, event, 5, 1, at(minutes), length)
    refused(conn, event, 5, 6, at(0), 0, code="23514")


def test_a_meeting_that_moves_changes_hands_or_goes_makes_room(conn, event):
    first, second = book(conn, event, 0, 1, at(0)), book(conn, event, 2, 3, at(0))
    move = "UPDATE convene.meetings SET scheduled_start = %s, scheduled_end = %s WHERE id = %s"
    conn.execute(move, [at(15), at(45), first])
    assert bookings(conn, event, 0) == [15] and counts(conn, event.people[0].sub) == {"2031-05-05": 1}
    book(conn, event, 0, 1, at(0), 15)
    expect_error(conn, "23P01", move, [at(10), at(40), first])
    expect_error(conn, "23P01", "UPDATE convene.meetings SET attendee_1_id = %s WHERE id = %s", [event.people[2].id, first])
    change(conn, second, attendee_1_id=event.people[4].id)
    change(conn, first, attendee_1_id=event.people[2].id)
    assert bookings(conn, event, 0) == [0] and bookings(conn, event, 2) == [15] and bookings(conn, event, 4) == [0]
    change(conn, first, status="cancelled")
    assert bookings(conn, event, 2) == [] and counts(conn, event.people[2].sub) == {}
    third = book(conn, event, 2, 1, at(15))
    expect_error(conn, "23P01", "UPDATE convene.meetings SET status = 'confirmed' WHERE id = %s", [first])
    change(conn, third, status="no_show")
    change(conn, first, status="confirmed")
    conn.execute("DELETE FROM convene.meetings WHERE id = %s", [first])
    assert bookings(conn, event, 2) == [] and bookings(conn, event, 1) == [0]
    # Completed: over, but it was one of the day's.
    fourth = book(conn, event, 2, 6, at(15))
    change(conn, fourth, status="completed")
    book(conn, event, 2, 5, at(20))
    assert counts(conn, event.people[2].sub) == {"2031-05-05": 2}
    assert conn.execute("SELECT completed_at IS NOT NULL FROM convene.meetings WHERE id = %s", [fourth]).fetchone() == (True,)
    expect_error(conn, "0A000", "UPDATE convene.meetings SET event_id = gen_random_uuid() WHERE id = %s", [fourth])


def test_a_statement_is_booked_as_a_whole(conn, event):
    first, second = book(conn, event, 0, 1, at(0), where={"room": "A"}), book(conn, event, 0, 1, at(30), where={"room": "A"})
    # The two change places, which row by row could not go.
    conn.execute("UPDATE convene.meetings SET scheduled_start = scheduled_start + CASE id WHEN %(a)s THEN 1 ELSE -1 END * interval '30 min',"
                 " scheduled_end = scheduled_end + CASE id WHEN %(a)s THEN 1 ELSE -1 END * interval '30 min'", {"a": first})
    assert conn.execute("SELECT lower(during) FROM convene.meeting_bookings WHERE meeting_id = %s", [second]).fetchall() == [(at(0),)] * 2
    many = """INSERT INTO convene.meetings (event_id, attendee_1_id, attendee_2_id, title, scheduled_start, scheduled_end)
              SELECT %s, a, b, 't', %s::timestamptz + n * interval '15 min', %s::timestamptz + n * interval '15 min' + %s
              FROM unnest(%s::uuid[], %s::uuid[]) WITH ORDINALITY u(a, b, n)"""
    ones, twos = [event.people[n].id for n in (2, 3, 2)], [event.people[n].id for n in (3, 4, 4)]
    expect_error(conn, "23P01", many, [event.id, at(0), at(0), timedelta(minutes=16), ones, twos], message="10:30 to 10:46")
    assert conn.execute("SELECT count(*) FROM convene.meetings").fetchone() == (2,)
    assert conn.execute(many, [event.id, at(0), at(0), timedelta(minutes=15), ones, twos]).rowcount == 3


def test_whoever_writes_books(conn, event):
    with as_role(conn, "service_role"):
        meeting = book(conn, event, 0, 1, at(0))
        refused(conn, event, 1, 2, at(0))
        change(conn, meeting, status="cancelled")
        conn.execute("DELETE FROM convene.meetings WHERE id = %s", [meeting])
    with conn.transaction():
        conn.execute("SET LOCAL search_path = pg_temp; CREATE TEMP TABLE profiles (id uuid); CREATE TEMP TABLE meeting_bookings (id uuid)")
        book(conn, event, 0, 1, at(0))
        conn.execute("DROP TABLE pg_temp.profiles, pg_temp.meeting_bookings")
    # The constraint stands on its own, also against rows that no trigger wrote.
    expect_error(conn, "23P01", "INSERT INTO convene.meeting_bookings (meeting_id, attendee_id, event_id, person_id, during, day, active)"
                 " SELECT id, %s, event_id, %s, tstzrange(scheduled_start, scheduled_end), '2031-05-05', true FROM convene.meetings",
                 [event.people[5].id, event.people[0].sub])


# People.

def test_a_person_is_in_one_place_at_two_events(conn, event):
    other = make_event(conn, "other", sessions=0, attendees=2, starts=event.starts)
    link = "UPDATE convene.attendees SET profile_id = %s WHERE id = %s"
    sub = event.people[0].sub
    conn.execute(link, [None, other.people[0].id])
    here, there = book(conn, event, 0, 1, at(0)), book(conn, other, 0, 1, at(15))
    assert counts(conn, other.people[0].id) == {"2031-05-05": 1}
    # Who they are is found out later.
    expect_error(conn, "23P01", link, [sub, other.people[0].id], message=f"attendee {other.people[0].id} is not free")
    change(conn, here, status="cancelled")
    conn.execute(link, [sub, other.people[0].id])
    assert counts(conn, sub) == {"2031-05-05": 1} and counts(conn, other.people[0].id) == {}
    expect_error(conn, "23P01", "UPDATE convene.meetings SET status = 'scheduled' WHERE id = %s", [here])
    # A profile goes, the attendee stays, and so does the meeting.
    assert offended(conn) == []
    conn.execute("DELETE FROM convene.profiles WHERE id = %s", [sub])
    assert counts(conn, sub) == {} and counts(conn, other.people[0].id) == {"2031-05-05": 1}
    assert bookings(conn, other, 0) == [15]
    conn.execute("DELETE FROM convene.attendees WHERE id = %s", [other.people[1].id])
    assert conn.execute("SELECT count(*) FROM convene.meetings WHERE id = %s", [there]).fetchone() == (0,)


def test_a_full_day_takes_no_more(conn, event):
    conn.execute("INSERT INTO convene.networking_preferences (attendee_id, event_id, max_meetings_per_day) VALUES (%s, %s, 2)",
                 [event.people[0].id, event.id])
    first = book(conn, event, 0, 1, at(0))
    book(conn, event, 0, 2, at(60))
    refused(conn, event, 3, 0, at(120), code="55000", message=f"^attendee {event.people[0].id} takes no more meetings on 2031-05-05$")
    # Within the day it may move; into it none can; others have no limit.
    change(conn, first, scheduled_start=at(200), scheduled_end=at(220))
    tomorrow = book(conn, event, 0, 1, at(0, day=6))
    move = "UPDATE convene.meetings SET scheduled_start = %s, scheduled_end = %s WHERE id = %s"
    expect_error(conn, "55000", move, [at(300), at(310), tomorrow])
    for number in range(6):
        book(conn, event, 1, 2, at(300 + 30 * number))
    # What is over was had; what was cancelled was not.
    change(conn, first, status="completed")
    refused(conn, event, 3, 0, at(120), code="55000")
    conn.execute("UPDATE convene.networking_preferences SET max_meetings_per_day = 0")
    change(conn, first, title="x", status="confirmed")
    change(conn, first, status="cancelled")
    conn.execute("UPDATE convene.networking_preferences SET max_meetings_per_day = 2")
    book(conn, event, 3, 0, at(120))
    assert counts(conn, event.people[0].sub) == {"2031-05-05": 2, "2031-05-06": 1}
    # A limit that is passed already refuses nothing that is there, not even to another person or on other days.
    conn.execute("UPDATE convene.networking_preferences SET max_meetings_per_day = 0")
    conn.execute("UPDATE convene.attendees SET profile_id = NULL WHERE id = %s", [event.people[0].id])
    conn.execute("UPDATE convene.events SET time_zone = 'Pacific/Auckland' WHERE id = %s", [event.id])
    # 11:00 and 12:00 in Brussels are 21:00 and 22:00 of the same day there.
    assert counts(conn, event.people[0].id) == {"2031-05-05": 2, "2031-05-06": 1}
    conn.execute("UPDATE convene.events SET time_zone = 'Pacific/Pago_Pago' WHERE id = %s", [event.id])
    # And 22:00 and 23:00 of the day before, in Samoa.
    assert counts(conn, event.people[0].id) == {"2031-05-04": 2, "2031-05-05": 1}


def test_days_begin_at_the_events_midnight_whatever_the_clocks_do(conn, event):
    # 26 October 2031: three o'clock summer time is two o'clock again, so 00:45 UTC and 01:45 UTC are both 02:45 and do not clash.
    for start in (utc(2031, 10, 25, 21, 45), utc(2031, 10, 25, 22), utc(2031, 10, 26, 0, 45), utc(2031, 10, 26, 1, 45), utc(2031, 10, 26, 22, 45)):
        book(conn, event, 0, 1, start, 15)
    assert counts(conn, event.people[0].sub) == {"2031-10-25": 1, "2031-10-26": 4}
    book(conn, event, 2, 3, utc(2031, 10, 26, 0, 45), 60)
    refused(conn, event, 4, 3, utc(2031, 10, 26, 0, 30), 30, message=r"from 2031-10-26 02:30 to 02:00 \(Europe/Brussels\)")
    # 30 March 2031: two o'clock is three. The last quarter before it and the first one after it touch.
    book(conn, event, 0, 1, utc(2031, 3, 30, 0, 45), 15)
    book(conn, event, 0, 1, utc(2031, 3, 30, 1), 15)
    book(conn, event, 0, 1, utc(2031, 3, 29, 23), 15)
    assert counts(conn, event.people[0].sub)["2031-03-30"] == 3


# Proposals.

def test_a_proposal_takes_the_time_of_the_one_who_makes_it(conn, event):
    soon = datetime.now(timezone.utc) + timedelta(hours=1)
    first = book(conn, event, 0, 1, at(0), status="proposed", by=1, until=soon)
    assert bookings(conn, event, 0) == [] and bookings(conn, event, 1) == [0]
    refused(conn, event, 1, 2, at(10))
    # The other may go elsewhere; then it cannot be confirmed, and nothing is changed.
    elsewhere = book(conn, event, 0, 3, at(10))
    expect_error(conn, "23P01", "UPDATE convene.meetings SET status = 'confirmed' WHERE id = %s", [first])
    assert bookings(conn, event, 1) == [0]
    change(conn, elsewhere, status="cancelled")
    change(conn, first, status="confirmed")
    assert bookings(conn, event, 0) == [0]
    # Who proposes is the first where nobody is named, and 48 hours are given; never after it would begin.
    second = book(conn, event, 4, 5, at(0), status="proposed")
    told = conn.execute("SELECT proposed_by, expires_at - now() FROM convene.meetings WHERE id = %s", [second]).fetchone()
    assert told[0] == event.people[4].id and timedelta(hours=47) < told[1] <= timedelta(hours=48)
    third = book(conn, event, 6, 7, soon, status="proposed")
    assert conn.execute("SELECT expires_at FROM convene.meetings WHERE id = %s", [third]).fetchone() == (soon,)
    refused(conn, event, 8, 9, at(0), status="proposed", by=10, code="23514")


def test_an_expired_hold_is_nobodys_hindrance(conn, event):
    conn.execute("INSERT INTO convene.networking_preferences (attendee_id, event_id, max_meetings_per_day) VALUES (%s, %s, 1)",
                 [event.people[0].id, event.id])
    held = book(conn, event, 0, 1, at(0), status="proposed", until=datetime.now(timezone.utc) + timedelta(hours=1))
    refused(conn, event, 0, 2, at(10))
    refused(conn, event, 0, 2, at(100), code="55000")
    # Behind the back of the triggers, as time passes.
    conn.execute("SET session_replication_role = replica")
    conn.execute("UPDATE convene.meetings SET expires_at = now() WHERE id = %s", [held])
    conn.execute("UPDATE convene.meeting_bookings SET held_until = now() WHERE meeting_id = %s", [held])
    conn.execute("RESET session_replication_role")
    meeting = book(conn, event, 0, 2, at(10))
    assert bookings(conn, event, 0) == [10] and counts(conn, event.people[0].sub) == {"2031-05-05": 1}
    # Too late: it would need the time again.
    expect_error(conn, "23P01", "UPDATE convene.meetings SET status = 'confirmed' WHERE id = %s", [held])
    change(conn, meeting, status="cancelled")
    change(conn, held, title="Still expired")
    assert bookings(conn, event, 0) == []
    change(conn, held, status="confirmed")
    assert bookings(conn, event, 0) == [0] and bookings(conn, event, 1) == [0]


# Places.

def test_a_table_has_one_meeting_at_a_time(conn, event):
    five = {"room": "Hall A", "table": "5"}
    first = book(conn, event, 0, 1, at(0), where=five)
    refused(conn, event, 2, 3, at(15), where={"room": "hall a ", "table": 5}, message='^place "hall a / 5" is taken from 2031-05-05 10:15',
            hint="free for as long from 2031-05-05 10:30")
    book(conn, event, 2, 3, at(30), where=five)
    for number, where in enumerate(({"room": "Hall A", "table": 6}, {"table": 5}, {"room": "Hall A"}, {"link": "https://x.example"})):
        book(conn, event, 2 * number + 4, 2 * number + 5, at(0), where=where)
    refused(conn, event, 2, 3, at(0), where={"room": "Hall A"})
    # A proposal takes no place, and what went makes room.
    proposal = book(conn, event, 2, 3, at(0), status="proposed", where=five)
    expect_error(conn, "23P01", "UPDATE convene.meetings SET status = 'confirmed' WHERE id = %s", [proposal], message="hall a / 5")
    change(conn, first, location_type="virtual")
    change(conn, proposal, status="confirmed")
    other = make_event(conn, "same-hall", sessions=0, attendees=2, starts=event.starts)
    book(conn, other, 0, 1, at(0), where=five)


# Matches.

def test_a_match_knows_its_meeting(conn, event):
    ids = [event.people[n].id for n in (0, 1)]
    match = conn.execute(ENTRY, [event.id, *ids, *ids, "mutual_accepted"]).fetchone()[0]
    known = lambda: conn.execute("SELECT meeting_id, meeting_scheduled FROM convene.matches WHERE id = %s", [match]).fetchone()  # noqa: E731
    first = book(conn, event, 1, 0, at(0), status="proposed", match=match)
    assert known() == (first, False)
    # Nobody writes it otherwise.
    conn.execute("UPDATE convene.matches SET meeting_id = gen_random_uuid(), meeting_scheduled = true WHERE id = %s", [match])
    assert known() == (first, False)
    change(conn, first, status="confirmed")
    assert known() == (first, True)
    book(conn, event, 0, 1, at(60), status="proposed", match=match)
    assert known() == (first, True)
    second = book(conn, event, 0, 1, at(120), match=match)
    assert known() == (second, True)
    conn.execute("DELETE FROM convene.meetings WHERE id = %s", [second])
    conn.execute("UPDATE convene.matches SET meeting_id = NULL, meeting_scheduled = false WHERE id = %s", [match])
    assert known() == (first, True)
    conn.execute("UPDATE convene.meetings SET status = 'cancelled'")
    assert known() == (None, False)
    # It is of its two people and of its event.
    refused(conn, event, 0, 2, at(0), match=match, code="22023", message="of other people")
    other = make_event(conn, "elsewhere", sessions=0, attendees=2, starts=event.starts)
    refused(conn, other, 0, 1, at(0), match=match, code="22023")
    conn.execute("DELETE FROM convene.matches WHERE id = %s", [match])
    assert conn.execute("SELECT count(*), count(match_id) FROM convene.meetings").fetchone() == (2, 0)


@pytest.mark.parametrize("way", [
    "suggested accepted_by_1 mutual_accepted declined", "suggested accepted_by_2 expired suggested accepted_by_1 declined",
    "suggested mutual_accepted", "suggested expired suggested expired suggested expired declined",
])
def test_ways_a_match_goes(conn, event, way):
    ids = [event.people[n].id for n in (0, 1)]
    first, *rest = way.split()
    match = conn.execute(ENTRY, [event.id, *ids, *ids, first]).fetchone()[0]
    for status in rest:
        conn.execute("UPDATE convene.matches SET status = %s WHERE id = %s", [status, match])
    told = conn.execute("SELECT times_suggested, accepted_at IS NOT NULL, declined_at IS NOT NULL FROM convene.matches WHERE id = %s", [match])
    assert told.fetchone() == (way.split().count("suggested"), "mutual" in way, "declined" in way)


@pytest.mark.parametrize("way", [
    "suggested declined suggested", "suggested declined mutual_accepted", "suggested mutual_accepted expired", "accepted_by_1 accepted_by_2",
    "accepted_by_1 suggested", "suggested expired accepted_by_1", "suggested expired mutual_accepted",
    "suggested expired suggested expired suggested expired suggested",
])
def test_ways_a_match_does_not_go(conn, event, way):
    ids = [event.people[n].id for n in (0, 1)]
    first, *rest, last = way.split()
    match = conn.execute(ENTRY, [event.id, *ids, *ids, first]).fetchone()[0]
    for status in rest:
        conn.execute("UPDATE convene.matches SET status = %s WHERE id = %s", [status, match])
    expect_error(conn, "55000", "UPDATE convene.matches SET status = %s WHERE id = %s", [last, match])


def test_a_pair_is_one_row_and_keeps_its_people(conn, event):
    ids = [event.people[n].id for n in (0, 1, 2)]
    match = conn.execute(ENTRY, [event.id, *ids[:2], *ids[:2], "suggested"]).fetchone()[0]
    expect_error(conn, "23505", ENTRY, [event.id, ids[1], ids[0], ids[1], ids[0], "suggested"])
    expect_error(conn, "0A000", "UPDATE convene.matches SET attendee_2_id = %s WHERE id = %s", [ids[2], match])
    expect_error(conn, "23514", ENTRY, [event.id, ids[0], ids[0], ids[0], ids[0], "suggested"])
    other = make_event(conn, "pair", sessions=0, attendees=1, starts=event.starts)
    foreign = [ids[0], other.people[0].id]
    expect_error(conn, "23503", ENTRY, [event.id, *foreign, *foreign, "suggested"])


def test_listeners_hear_ids_and_no_names(db, conn, event):
    with db.second() as listener:
        listener.execute("LISTEN convene_networking")
        conn.execute(f"INSERT INTO convene.matches (event_id, attendee_1_id, attendee_2_id, compatibility_score, matching_algorithm)"
                     f" SELECT a.event_id, a.id, b.id, 1, 'hybrid' FROM convene.attendees a JOIN convene.attendees b"
                     f" ON a.event_id = b.event_id AND a.id < b.id WHERE a.event_id = %s", [event.id])
        payloads = heard(listener, conn, "convene_networking")
        assert all(len(payload.encode()) < 8000 for payload in payloads)
        told = [json.loads(payload) for payload in payloads]
        assert {(one["table"], one["change"]) for one in told} == {("matches", "insert")}
        rows = [row for one in told for row in one["rows"]]
        assert len(rows) == len({row["id"] for row in rows}) == 66  # 12 people, 66 pairs
        assert {frozenset(row) for row in rows} == {frozenset(["id", "event_id", "status", "attendees"])}
        meeting = book(conn, event, 0, 1, at(0))
        change(conn, meeting, status="cancelled")
        conn.execute("DELETE FROM convene.meetings WHERE id = %s", [meeting])
        told = [json.loads(payload) for payload in heard(listener, conn, "convene_networking")]
        assert [(one["change"], one["rows"][0]["id"], one["rows"][0]["status"]) for one in told] == [
            ("insert", str(meeting), "scheduled"), ("update", str(meeting), "cancelled"), ("delete", str(meeting), "cancelled")]


# Preferences, complements, experiments.

@pytest.mark.parametrize("slot", [
    {"date": "2031-05-05", "start": "14:00", "end": "14:00"}, {"date": "2031-05-05", "start": "14:00"}, {"start": "14:00", "end": "15:00"},
    {"date": "2031-02-30", "start": "14:00", "end": "15:00"}, {"date": "2031-05-05", "start": "25:00", "end": "26:00"}, "14:00", 7, None, [],
    # What no calendar has, what is another day tomorrow, and what another DateStyle reads otherwise.
    {"date": "294276-12-31", "start": "14:00", "end": "13:00"}, {"date": "5874897-12-31", "start": "14:00", "end": "15:00"},
    {"date": "infinity", "start": "14:00", "end": "15:00"}, {"date": "today", "start": "14:00", "end": "15:00"},
    {"date": "2031-05-05", "start": "now", "end": "15:00"}, {"date": "03/04/2031", "start": "14:00", "end": "15:00"},
    {"date": "0044-03-15 BC", "start": "14:00", "end": "15:00"}, {"date": "2031-05-05", "start": "14:00+05", "end": "15:00"},
])
def test_a_slot_that_is_none_is_refused(conn, event, slot):
    insert = "INSERT INTO convene.networking_preferences (attendee_id, event_id, availability_slots) VALUES (%s, %s, %s)"
    good = {"date": "2031-05-05", "start": "22:00", "end": "01:30"}
    expect_error(conn, "22023", insert, [event.people[0].id, event.id, json.dumps([good, slot])], hint="Write it like")
    conn.execute(insert, [event.people[0].id, event.id, json.dumps([good])])


def test_slots_are_not_without_end(conn, event):
    expect_error(conn, "54000", "INSERT INTO convene.networking_preferences (attendee_id, event_id, availability_slots) SELECT %s, %s, jsonb_agg(s)"
                 " FROM generate_series(1, 2000), (SELECT %s::jsonb AS s) one",
                 [event.people[0].id, event.id, json.dumps({"date": "2031-05-05", "start": "14:00", "end": "15:00"})], message="availability_slots has [0-9]+ bytes", hint="At most 100000")


@pytest.mark.parametrize("table,column,value", [
    ("networking_preferences", "looking_for", "ARRAY(SELECT repeat('x', 1000) || n FROM generate_series(1, 200) n)"),
    ("networking_preferences", "can_offer", "ARRAY[repeat('x', 100001)]"),
    ("networking_preferences", "industry", "repeat('x', 1001)"),
    ("attendee_preferences", "preferred_topics", "ARRAY(SELECT repeat('x', 20000) || n FROM generate_series(1, 200) n)"),
    ("attendee_preferences", "preferred_formats", "ARRAY(SELECT repeat('x', 20000) || n FROM generate_series(1, 200) n)"),
    ("attendee_preferences", "industry_interests", "ARRAY(SELECT repeat('x', 20000) || n FROM generate_series(1, 200) n)"),
])
def test_what_people_say_has_an_end(conn, event, table, column, value):
    """Everybody's words are read for everybody's suggestions: a few people with megabytes of them would be in the way of all."""
    with as_role(conn, "authenticated", event.people[0].sub):
        expect_error(conn, "23514", f"INSERT INTO convene.{table} (attendee_id, event_id, {column}) VALUES (%s, %s, {value})",
                     [event.people[0].id, event.id], message=column)


def test_preferences_stay_with_their_attendee(conn, event):
    conn.execute("INSERT INTO convene.networking_preferences (attendee_id, event_id) VALUES (%s, %s)", [event.people[0].id, event.id])
    expect_error(conn, "0A000", "UPDATE convene.networking_preferences SET attendee_id = %s", [event.people[1].id])
    other = make_event(conn, "preferences", sessions=0, attendees=1, starts=event.starts)
    expect_error(conn, "23503", "INSERT INTO convene.networking_preferences (attendee_id, event_id) VALUES (%s, %s)", [other.people[0].id, event.id])


def test_wants_and_offers_that_meet(conn, event):
    """The pairs that the requirements' own vocabularies need, each once, and an event's own beside them."""
    general = {row[:2]: row[2] for row in conn.execute(
        "SELECT looking_for, can_offer, strength FROM convene.goal_complements WHERE event_id IS NULL")}
    assert {("investors", "investment"), ("mentors", "expertise"), ("partners", "opportunities"), ("partners", "connections"),
            ("customers", "opportunities")} <= general.keys()
    assert {want for want, _ in general} == {"investors", "partners", "customers", "mentors", "talent"}
    assert {offer for _, offer in general} == {"investment", "expertise", "connections", "opportunities"}
    insert = "INSERT INTO convene.goal_complements (event_id, looking_for, can_offer, strength) VALUES (%s, %s, %s, 0)"
    conn.execute(insert, [event.id, "investors", "investment"])
    expect_error(conn, "23505", insert, [event.id, "investors", "investment"])
    expect_error(conn, "23505", insert, [None, "investors", "investment"])
    expect_error(conn, "23514", insert, [event.id, "Investors", "investment"])


def test_an_experiment_keeps_its_variants_apart(conn, event):
    organization = event.organization
    other = make_event(conn, "experiments", sessions=0, attendees=0).organization
    experiments = [ident("experiment", time.monotonic_ns(), number) for number in range(2)]
    for experiment, owner in zip(experiments, (organization, other)):
        conn.execute("INSERT INTO convene.experiments (id, organization_id, name, surface) VALUES (%s, %s, 'x', 'networking')", [experiment, owner])
    variant = "INSERT INTO convene.experiment_variants (id, organization_id, experiment_id, name, share, is_control) VALUES (%s, %s, %s, %s, 0.5, %s)"
    conn.execute(variant, [experiments[0], organization, experiments[0], "old", True])
    conn.execute(variant, [experiments[1], other, experiments[1], "old", True])
    expect_error(conn, "23503", variant, [ident("v"), other, experiments[0], "new", False])
    expect_error(conn, "23505", variant, [ident("v"), organization, experiments[0], "old", False])
    expect_error(conn, "23505", variant, [ident("v"), organization, experiments[0], "new", True])
    assign = "INSERT INTO convene.experiment_assignments (experiment_id, unit_id, variant_id) VALUES (%s, %s, %s)"
    conn.execute(assign, [experiments[0], ident("unit"), experiments[0]])
    expect_error(conn, "23503", assign, [experiments[0], ident("unit 2"), experiments[1]])
    expect_error(conn, "23505", assign, [experiments[0], ident("unit"), experiments[0]])
    expect_error(conn, "23514", "UPDATE convene.experiments SET status = 'running' WHERE id = %s", [experiments[0]])
    expect_error(conn, "23514", "UPDATE convene.experiments SET status = 'stopped', started_at = now() WHERE id = %s", [experiments[0]])
    conn.execute("UPDATE convene.experiments SET status = 'running', started_at = now() WHERE id = %s", [experiments[0]])
    conn.execute("DELETE FROM convene.experiments")
    assert conn.execute("SELECT count(*) FROM convene.experiment_assignments").fetchone() == (0,)


def test_btree_gist_may_live_anywhere(cluster, empty_db):
    """The constraints find its operator classes by type: made, dumped and restored under an empty path."""
    with empty_db.connect() as conn:
        conn.execute("CREATE SCHEMA odd; CREATE EXTENSION btree_gist SCHEMA odd; CREATE EXTENSION convene CASCADE")
        conn.execute("SELECT convene.install(false)")
        event = make_event(conn, "odd", sessions=0, attendees=3)
        book(conn, event, 0, 1, at(0), where={"table": 1})
        refused(conn, event, 0, 2, at(0))
    copy = cluster.create_database("odd_copy")
    try:
        assert copy.psql(empty_db.run("pg_dump").stdout, "-1").stderr == ""
        with copy.connect() as conn:
            refused(conn, event, 0, 2, at(0))
            book(conn, event, 0, 2, at(30), where={"table": 1})
            assert offended(conn) == []
    finally:
        copy.drop()
