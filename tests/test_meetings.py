"""Meetings through their functions: who has time, what becomes of a proposal, who learns what."""

from datetime import timedelta

import pytest

from lib.access import as_role, expect_error
from lib.booking import ENTRY, at, book, change, counts, meeting_place, utc

MINUTE = timedelta(minutes=1)


@pytest.fixture
def event(conn):
    with meeting_place(conn) as made:
        yield made


def one(conn, statement, *values):
    return conn.execute(f"SELECT convene.{statement}", values).fetchone()[0]


def matched(conn, event, a, b, status="mutual_accepted"):
    a, b = event.people[a].id, event.people[b].id
    return conn.execute(ENTRY, [event.id, a, b, a, b, status]).fetchone()[0]


def prefer(conn, event, number, **columns):
    names, marks = ", ".join(columns), ", ".join(["%s"] * len(columns))
    conn.execute(f"INSERT INTO convene.networking_preferences (attendee_id, event_id, {names}) VALUES (%s, %s, {marks})",
                 [event.people[number].id, event.id, *columns.values()])


def free(conn, event, number, start, minutes=15, now=None):
    """Whether a person is free, which must agree with there being no reason against it."""
    values = [event.people[number].id, start, start + minutes * MINUTE, now]
    says = conn.execute("SELECT convene.check_meeting_availability(%s, %s, %s, coalesce(%s, now()))", values).fetchone()[0]
    why = [row[0] for row in conn.execute("SELECT * FROM convene.meeting_conflicts(%s, %s, %s, coalesce(%s, now()))", values)]
    assert says == (why == [])
    return True if says else sorted(set(why))


def propose(conn, event, a, b, start, *more):
    with as_role(conn, "authenticated", event.people[a].sub):
        return one(conn, "schedule_meeting(%s, %s, %s)", event.people[a].id, event.people[b].id, start)


def act(conn, event, number, statement, *values):
    with as_role(conn, "authenticated", event.people[number].sub):
        return one(conn, statement, *values)


def status(conn, meeting):
    return conn.execute("SELECT status FROM convene.meetings WHERE id = %s", [meeting]).fetchone()[0]


# Who has time.

def test_only_what_stands_and_overlaps_is_in_the_way(conn, event):
    meeting = book(conn, event, 0, 1, at(30))
    assert free(conn, event, 0, at(15)) is True and free(conn, event, 0, at(60)) is True
    assert free(conn, event, 0, at(16)) == ["meeting"] and free(conn, event, 1, at(59)) == ["meeting"]
    assert free(conn, event, 0, at(0), 600) == ["meeting"] and free(conn, event, 2, at(30)) is True
    for word, says in (("confirmed", ["meeting"]), ("in_progress", ["meeting"]), ("completed", True), ("cancelled", True), ("no_show", True)):
        change(conn, meeting, status=word)
        assert free(conn, event, 0, at(30)) == says
    conn.execute("UPDATE convene.attendees SET status = 'cancelled' WHERE id = %s", [event.people[2].id])
    assert free(conn, event, 2, at(0)) == ["not_attending"]


def test_a_hold_counts_until_it_expires(conn, event):
    book(conn, event, 0, 1, at(0), status="proposed", by=0, until=utc(2030, 1, 1))
    prefer(conn, event, 0, max_meetings_per_day=1)
    assert free(conn, event, 0, at(0), now=utc(2029, 12, 31)) == ["day_is_full", "hold"]
    assert free(conn, event, 0, at(90), now=utc(2029, 12, 31)) == ["day_is_full"]
    # Nobody has booked since, so the row and its count are still there.
    assert counts(conn, event.people[0].sub) == {"2031-05-05": 1}
    assert free(conn, event, 0, at(0), now=utc(2030, 1, 1)) is True
    assert free(conn, event, 1, at(0)) is True


def test_slots_are_local_and_go_over_midnight(conn, event):
    prefer(conn, event, 0, availability_slots='[{"date": "2031-05-05", "start": "14:00", "end": "15:00"},'
           ' {"date": "2031-05-05", "start": "15:00", "end": "15:30"}, {"date": "2031-05-05", "start": "23:30", "end": "00:30"}]')
    local = lambda hour, minute: utc(2031, 5, 5, hour - 2, minute)  # noqa: E731 - Brussels is two hours ahead in May
    assert free(conn, event, 0, local(14, 0), 60) is True
    assert free(conn, event, 0, local(14, 50), 40) is True
    assert free(conn, event, 0, local(13, 59)) == ["outside_availability"]
    assert free(conn, event, 0, local(15, 20)) == ["outside_availability"]
    assert free(conn, event, 0, local(23, 30), 60) is True
    assert free(conn, event, 0, local(23, 30), 61) == ["outside_availability"]
    # A day is that of the beginning, also for what lies across midnight.
    conn.execute("UPDATE convene.networking_preferences SET max_meetings_per_day = 1")
    book(conn, event, 0, 1, local(23, 45), 30)
    assert free(conn, event, 0, utc(2031, 5, 5, 22, 15)) is True
    assert free(conn, event, 0, local(14, 0)) == ["day_is_full"]


@pytest.mark.parametrize("slot,from_,until,before,after", [
    # Clocks go from 2 to 3 on the 30th of March 2031, and from 3 to 2 on the 26th of October.
    (("2031-03-30", "01:00", "04:00"), (3, 30, 0, 0), (3, 30, 2, 0), (3, 29, 23, 59), (3, 30, 2, 1)),
    (("2031-03-30", "02:30", "05:00"), (3, 30, 1, 30), (3, 30, 3, 0), (3, 30, 1, 29), (3, 30, 3, 1)),
    (("2031-10-26", "01:00", "04:00"), (10, 25, 23, 0), (10, 26, 3, 0), (10, 25, 22, 59), (10, 26, 3, 1)),
])
def test_days_on_which_the_clocks_change(conn, event, slot, from_, until, before, after):
    prefer(conn, event, 0, availability_slots='[{"date": "%s", "start": "%s", "end": "%s"}]' % slot)
    start, end = utc(2031, *from_), utc(2031, *until)
    assert free(conn, event, 0, start, (end - start) // MINUTE) is True
    assert free(conn, event, 0, utc(2031, *before), 1) == ["outside_availability"]
    assert free(conn, event, 0, utc(2031, *after) - MINUTE, 1) == ["outside_availability"]


def test_a_full_day_and_a_cap_of_nothing(conn, event):
    prefer(conn, event, 0, max_meetings_per_day=2)
    prefer(conn, event, 1, max_meetings_per_day=0)
    book(conn, event, 0, 2, at(0))
    assert free(conn, event, 0, at(60)) is True and free(conn, event, 1, at(60)) == ["day_is_full"]
    book(conn, event, 0, 2, at(120))
    assert free(conn, event, 0, at(60)) == ["day_is_full"]
    # Ten at night in Brussels is still the 5th, midnight is the 6th.
    assert free(conn, event, 0, utc(2031, 5, 5, 21, 59)) == ["day_is_full"] and free(conn, event, 0, utc(2031, 5, 5, 22)) is True


def test_nobody_asks_for_others(conn, event):
    """Pitfalls: null and unknown said 'free', reversed times were swapped, and anybody could ask."""
    for function in ("check_meeting_availability", "meeting_conflicts"):
        call = f"SELECT * FROM convene.{function}(%s, %s, %s)"
        expect_error(conn, "22004", call, [None, at(0), at(1)])
        expect_error(conn, "22004", call, [event.people[0].id, None, at(1)])
        expect_error(conn, "P0002", call, [event.id, at(0), at(1)])
        expect_error(conn, "22023", call, [event.people[0].id, at(1), at(0)], message="not after")
        with as_role(conn, "authenticated", event.people[1].sub):
            expect_error(conn, "42501", call, [event.people[0].id, at(0), at(1)])
            expect_error(conn, "42501", call, [event.people[0].id, at(1), at(0)])
            conn.execute(call, [event.people[1].id, at(0), at(1)])
        with as_role(conn, "authenticated", event.organizer):
            conn.execute(call, [event.people[0].id, at(0), at(1)])


# Slots.

def slots(conn, event, who, a, b, *more):
    with as_role(conn, "authenticated", who):
        rows = conn.execute("SELECT * FROM convene.find_meeting_slots(%s, %s, %s, %s, %s, 200)", [event.people[a].id, event.people[b].id, *more])
        return [((row[0] - at(0)) // MINUTE, row[2]) for row in rows]


def test_common_slots(conn, event):
    matched(conn, event, 0, 1)
    for label, start, end, kind in (("S", 30, 60, "talk"), ("L", 90, 120, "lunch"), ("T", 60, 90, "talk")):
        conn.execute("INSERT INTO convene.sessions (event_id, title, session_type, start_time, end_time) VALUES (%s, %s, %s, %s, %s)",
                     [event.id, label, kind, at(start), at(end)])
    conn.execute("INSERT INTO convene.session_interactions (attendee_id, event_id, session_id, kind)"
                 " SELECT %s, event_id, id, 'bookmarked' FROM convene.sessions WHERE title = 'S'", [event.people[0].id])
    conn.execute("INSERT INTO convene.session_registrations (session_id, attendee_id, event_id)"
                 " SELECT id, %s, event_id FROM convene.sessions WHERE title = 'T'", [event.people[1].id])
    book(conn, event, 1, 2, at(0))
    mine = event.people[0].sub
    # Free are 90 to 150: lunch first. Both orders and both people say the same.
    assert slots(conn, event, mine, 0, 1, 30, at(0), at(150)) == [(90, True), (120, False)]
    assert slots(conn, event, event.people[1].sub, 0, 1, 30, at(0), at(150)) == slots(conn, event, mine, 1, 0, 30, at(0), at(150))
    assert slots(conn, event, event.organizer, 0, 1, 31, at(0), at(150)) == [(90, False)]
    assert slots(conn, event, mine, 0, 1, 61, at(0), at(150)) == []
    # By default as long as the one likes who likes it shorter, and while the event is on.
    prefer(conn, event, 0, meeting_duration_preference=20)
    prefer(conn, event, 1, meeting_duration_preference=45, max_meetings_per_day=1)
    # The first day is full, and the event goes on into the next one.
    assert min(slots(conn, event, mine, 0, 1, None, None, None)) == (840, False)
    conn.execute("UPDATE convene.networking_preferences SET max_meetings_per_day = 9")
    found = slots(conn, event, mine, 0, 1, None, None, None)
    assert found[0] == (90, True) and {start for start, _ in found} >= {-60, 120}


def test_slots_are_for_those_who_agreed(conn, event):
    a, b = event.people[0], event.people[1]
    call = "SELECT * FROM convene.find_meeting_slots(%s, %s)"
    told = set()
    for state in (None, "suggested", "accepted_by_1", "accepted_by_2", "declined", "expired", "blocked", "gone", "third"):
        with conn.transaction(force_rollback=True):
            if state:
                matched(conn, event, 0, 1, "mutual_accepted" if state in ("blocked", "gone", "third") else state)
            if state == "blocked":
                conn.execute("INSERT INTO convene.person_blocks (blocker_profile, blocked_profile) VALUES (%s, %s)", [b.sub, a.sub])
            if state == "gone":
                conn.execute("UPDATE convene.attendees SET status = 'cancelled' WHERE id = %s", [b.id])
            with as_role(conn, "authenticated", event.people[2].sub if state == "third" else a.sub):
                told.add(expect_error(conn, "42501", call, [a.id, b.id]))
    with as_role(conn, "authenticated", a.sub):
        told.add(expect_error(conn, "42501", call, [a.id, event.id]))
    assert len(told) == 1


# The life of a meeting.

def test_a_proposal_holds_one_side_and_a_yes_both(conn, event):
    match = matched(conn, event, 0, 1)
    made = propose(conn, event, 0, 1, at(0))
    assert made["status"] == "proposed" and made["match_id"] == str(match)
    assert free(conn, event, 0, at(0)) == ["hold"] and free(conn, event, 1, at(0)) is True
    assert propose(conn, event, 0, 1, at(0)) == made
    with as_role(conn, "authenticated", event.people[0].sub):
        expect_error(conn, "55000", "SELECT convene.confirm_meeting(%s)", [made["meeting_id"]], message="other side")
    assert act(conn, event, 1, "confirm_meeting(%s)", made["meeting_id"])["status"] == "confirmed"
    assert free(conn, event, 0, at(0)) == ["meeting"] == free(conn, event, 1, at(0))
    assert act(conn, event, 1, "confirm_meeting(%s)", made["meeting_id"])["status"] == "confirmed"
    assert conn.execute("SELECT meeting_scheduled, meeting_id::text FROM convene.matches WHERE id = %s", [match]).fetchone() == (True, made["meeting_id"])


def test_two_who_propose_the_same_agree(conn, event):
    matched(conn, event, 0, 1)
    made = propose(conn, event, 0, 1, at(0))
    again = propose(conn, event, 1, 0, at(0))
    assert (again["meeting_id"], again["status"], again["expires_at"]) == (made["meeting_id"], "confirmed", None)
    assert conn.execute("SELECT count(*) FROM convene.meetings").fetchone() == (1,)


def test_only_who_agreed_may_propose(conn, event):
    told = set()
    for state in ("suggested", "accepted_by_1", "accepted_by_2", "declined", "expired"):
        with conn.transaction(force_rollback=True):
            matched(conn, event, 0, 1, state)
            with as_role(conn, "authenticated", event.people[0].sub):
                told.add(expect_error(conn, "42501", "SELECT convene.schedule_meeting(%s, %s, %s)", [event.people[0].id, event.people[1].id, at(0)]))
    matched(conn, event, 0, 1)
    with as_role(conn, "authenticated", event.people[1].sub):
        told.add(expect_error(conn, "42501", "SELECT convene.schedule_meeting(%s, %s, %s)", [event.people[0].id, event.people[1].id, at(0)]))
    assert len(told) == 1
    # Organizers need no match, and set rather than propose.
    with as_role(conn, "authenticated", event.organizer):
        assert one(conn, "schedule_meeting(%s, %s, %s)", event.people[2].id, event.people[3].id, at(0))["status"] == "scheduled"


def test_a_clash_names_the_next_time_that_suits_both(conn, event):
    matched(conn, event, 0, 1)
    book(conn, event, 0, 2, at(0))
    book(conn, event, 1, 3, at(30))
    prefer(conn, event, 1, availability_slots='[{"date": "2031-05-05", "start": "09:00", "end": "11:10"},'
           ' {"date": "2031-05-05", "start": "13:00", "end": "15:00"}]', max_meetings_per_day=9)
    call = "SELECT convene.schedule_meeting(%s, %s, %s, 15)"
    values = [event.people[0].id, event.people[1].id]
    with as_role(conn, "authenticated", event.people[0].sub):
        expect_error(conn, "23P01", call, [*values, at(10)], message=rf"^attendee {values[0]} is not free from 2031-05-05 10:10 to 10:25",
                     hint="2031-05-05 13:00")
        expect_error(conn, "23P01", call, [*values, at(40)], message=rf"^attendee {values[1]} is not free", hint="2031-05-05 13:00")
        expect_error(conn, "23P01", call, [*values, at(61)], hint="13:00")
        assert one(conn, "schedule_meeting(%s, %s, %s, 15)", *values, at(-30))["status"] == "proposed"
    conn.execute("UPDATE convene.networking_preferences SET max_meetings_per_day = 1")
    with as_role(conn, "authenticated", event.people[0].sub):
        expect_error(conn, "55000", call, [*values, at(-50)], message="takes no more meetings on 2031-05-05")


def test_why_somebody_else_has_no_time_is_theirs_to_know(conn, event):
    """Of another's calendar a person learns when both are free: not whether a meeting, stated times or a limit is in the way."""
    matched(conn, event, 0, 1)
    book(conn, event, 1, 3, at(0))
    book(conn, event, 0, 2, at(60))
    prefer(conn, event, 1, availability_slots='[{"date": "2031-05-05", "start": "09:00", "end": "16:00"},'
           ' {"date": "2031-05-06", "start": "09:00", "end": "16:00"}]', max_meetings_per_day=1)
    call = "SELECT convene.schedule_meeting(%s, %s, %s, 15)"
    values = [event.people[0].id, event.people[1].id]
    late = at(-9 * 60)
    for who, details in ((event.people[0].sub, ("", "", "")), (event.organizer, ("Another meeting", "times that they gave", "is 1"))):
        with as_role(conn, "authenticated", who):
            told = [expect_error(conn, code, call, [*values, start], message=str(values[1])).detail
                    for code, start in (("23P01", at(10)), ("23P01", late), ("55000", at(120)))]
            assert all((found or "").find(wanted) >= 0 and bool(found) == bool(wanted) for found, wanted in zip(told, details)), told
            expect_error(conn, "23P01", call, [*values, at(60)], message=str(values[0]), detail="Another meeting")
    with as_role(conn, "authenticated", event.people[0].sub):
        held = one(conn, "schedule_meeting(%s, %s, %s, 15)", *values, at(0, 6))["meeting_id"]
        told = expect_error(conn, "55000", "SELECT convene.reschedule_meeting(%s, %s)", [held, at(120)], message=str(values[1]))
        assert not told.detail


def test_three_open_proposals_wait_for_a_person_at_most(conn, event):
    for other in (1, 2, 3, 4):
        matched(conn, event, 0, other)
    made = [propose(conn, event, other, 0, at(30 * other)) for other in (1, 2, 3)]
    with as_role(conn, "authenticated", event.people[4].sub):
        call = "SELECT convene.schedule_meeting(%s, %s, %s)"
        expect_error(conn, "55000", call, [event.people[4].id, event.people[0].id, at(0)], message="3 open proposals")
    act(conn, event, 0, "cancel_meeting(%s)", made[0]["meeting_id"])
    assert propose(conn, event, 4, 0, at(0))["status"] == "proposed"
    # What the person proposes does not wait for them.
    assert propose(conn, event, 0, 1, at(300))["status"] == "proposed"


def test_a_late_yes_is_refused_and_the_time_is_free_again(conn, event):
    matched(conn, event, 0, 1)
    meeting = book(conn, event, 0, 1, at(0), status="proposed", by=0, until=utc(2030, 1, 1), match=conn.execute("SELECT id FROM convene.matches").fetchone()[0])
    confirm = "SELECT convene.confirm_meeting(%s, %s)"
    expect_error(conn, "55000", confirm, [meeting, utc(2030, 1, 1)], message="lapsed")
    assert status(conn, meeting) == "proposed" and free(conn, event, 0, at(0), now=utc(2030, 1, 1)) is True
    rows = conn.execute("SELECT status FROM convene.get_meetings(%s, p_now => %s)", [event.people[1].id, utc(2030, 1, 1)]).fetchall()
    assert rows == [("lapsed",)]
    assert conn.execute("SELECT convene.lapse_meeting_proposals(%s)", [utc(2029, 1, 1)]).fetchone() == (0,)
    assert conn.execute("SELECT convene.lapse_meeting_proposals(%s)", [utc(2030, 1, 1)]).fetchone() == (1,)
    assert status(conn, meeting) == "cancelled"
    expect_error(conn, "55000", confirm, [meeting, utc(2029, 1, 1)], message="cancelled")


def test_a_yes_comes_too_late_when_the_time_is_gone(conn, event):
    matched(conn, event, 0, 1)
    made = propose(conn, event, 0, 1, at(0))["meeting_id"]
    other = book(conn, event, 1, 2, at(10))
    with as_role(conn, "authenticated", event.people[1].sub):
        expect_error(conn, "23P01", "SELECT convene.confirm_meeting(%s)", [made], hint="2031-05-05 10:40")
    assert status(conn, made) == "proposed"
    change(conn, other, status="cancelled")
    assert act(conn, event, 1, "confirm_meeting(%s)", made)["status"] == "confirmed"


def test_moving(conn, event):
    matched(conn, event, 0, 1)
    made = propose(conn, event, 0, 1, at(0))["meeting_id"]
    # The other one moves a proposal: now it is theirs.
    assert act(conn, event, 1, "reschedule_meeting(%s, %s, 30)", made, at(60))["status"] == "proposed"
    assert free(conn, event, 0, at(0)) is True and free(conn, event, 0, at(60)) is True and free(conn, event, 1, at(60), 30) == ["hold"]
    assert act(conn, event, 0, "confirm_meeting(%s)", made)["status"] == "confirmed"
    assert act(conn, event, 0, "reschedule_meeting(%s, %s)", made, at(60))["status"] == "confirmed"
    conn.execute("SELECT convene.send_meeting_reminders(%s)", [at(50)])
    assert act(conn, event, 0, "reschedule_meeting(%s, %s)", made, at(75))["status"] == "scheduled"
    assert conn.execute("SELECT scheduled_end, reminder_sent_2 FROM convene.meetings").fetchone() == (at(105), False)
    assert conn.execute("SELECT DISTINCT status FROM convene.outbox").fetchall() == [("cancelled",)]
    book(conn, event, 1, 2, at(200))
    with as_role(conn, "authenticated", event.people[0].sub):
        expect_error(conn, "23P01", "SELECT convene.reschedule_meeting(%s, %s)", [made, at(190)], hint="2031-05-05 13:50")
    assert conn.execute("SELECT scheduled_start FROM convene.meetings WHERE id = %s", [made]).fetchone() == (at(75),)
    conn.execute("DELETE FROM convene.outbox")


def test_what_was_agreed_on_goes_on_from_its_start_to_its_end(conn, event):
    meeting = book(conn, event, 0, 1, at(0), 20)
    seen = "SELECT status FROM convene.get_meetings(%s, p_now => %s)"
    for word in ("scheduled", "confirmed", "in_progress", "completed", "no_show"):
        change(conn, meeting, status=word)
        going = "in_progress" if word in ("scheduled", "confirmed") else word
        told = [conn.execute(seen, [event.people[0].id, moment]).fetchone()[0] for moment in (at(0) - MINUTE, at(0), at(19), at(20))]
        assert told == [word, going, going, word]


def test_ends(conn, event):
    matched(conn, event, 0, 1)
    made = propose(conn, event, 0, 1, at(0))["meeting_id"]
    act(conn, event, 1, "confirm_meeting(%s)", made)
    with as_role(conn, "authenticated", event.people[0].sub):
        expect_error(conn, "55000", "SELECT convene.complete_meeting(%s)", [made], message="has not begun")
        expect_error(conn, "55000", "SELECT convene.submit_meeting_feedback(%s, 5)", [made], message="has not begun")
    assert one(conn, "complete_meeting(%s, p_now => %s)", made, at(20))["status"] == "completed"
    assert act(conn, event, 0, "submit_meeting_feedback(%s, 4, 'Good', true, 'mine')", made)["follow_up_requested"]
    act(conn, event, 1, "submit_meeting_feedback(%s, 2)", made)
    act(conn, event, 0, "submit_meeting_feedback(%s, 5)", made)
    assert conn.execute("SELECT feedback_1 ->> 'rating', feedback_2 ->> 'rating', follow_up_requested_1, follow_up_requested_2, notes_1"
                        " FROM convene.meetings").fetchone() == ("5", "2", True, False, "mine")
    for number, mine in ((0, ("5", "mine")), (1, ("2", None))):
        with as_role(conn, "authenticated", event.people[number].sub):
            assert conn.execute("SELECT my_feedback ->> 'rating', my_notes FROM convene.get_meetings(%s)", [event.people[number].id]).fetchone() == mine
    with as_role(conn, "authenticated", event.organizer):
        assert conn.execute("SELECT my_feedback, my_notes FROM convene.get_meetings(%s)", [event.people[0].id]).fetchone() == (None, None)
        expect_error(conn, "42501", "SELECT convene.submit_meeting_feedback(%s, 1)", [made])
    with as_role(conn, "authenticated", event.people[0].sub):
        expect_error(conn, "55000", "SELECT convene.cancel_meeting(%s)", [made], message="completed")
        expect_error(conn, "42501", "SELECT convene.submit_meeting_feedback(%s, 1, p_attendee_id => %s)", [made, event.people[1].id])


def test_cancelling_frees_both_at_once(conn, event):
    matched(conn, event, 0, 1)
    made = propose(conn, event, 0, 1, at(0))["meeting_id"]
    act(conn, event, 1, "confirm_meeting(%s)", made)
    for _ in range(2):
        assert act(conn, event, 0, "cancel_meeting(%s)", made)["status"] == "cancelled"
    assert free(conn, event, 1, at(0)) is True
    assert conn.execute("SELECT cancelled_by FROM convene.meetings").fetchone() == (event.people[0].id,)
    assert conn.execute("SELECT meeting_id, meeting_scheduled FROM convene.matches").fetchone() == (None, False)


def test_lists_are_in_the_order_of_time_and_page(conn, event):
    for number in (3, 1, 2, 4):
        book(conn, event, 0, number, at(30 * number))
    call = "SELECT meeting_id, other_attendee_name FROM convene.get_meetings(%s, p_limit => 3, p_after => %s)"
    first = conn.execute(call, [event.people[0].id, None]).fetchall()
    rest = conn.execute(call, [event.people[0].id, first[-1][0]]).fetchall()
    assert [row[1] for row in first + rest] == ["Person 2", "Person 3", "Person 4", "Person 5"]
    late = conn.execute("SELECT other_attendee_name FROM convene.get_meetings(%s, %s, %s)", [event.people[0].id, event.id, at(119)]).fetchall()
    assert late == [("Person 4",), ("Person 5",)]
    assert conn.execute(call, [event.people[0].id, event.id]).fetchall() == []


# For calendars.

def test_a_calendar_file_says_what_the_meeting_is(conn, event):
    meeting = book(conn, event, 0, 1, at(0), where={"room": "Hall; A", "table": 5, "link": "https://example.org/a?b=1,2"})
    conn.execute("UPDATE convene.meetings SET title = %s", ["Ünïcode, " * 20 + "\nEND:VEVENT"])
    with as_role(conn, "authenticated", event.people[1].sub):
        text = one(conn, "meeting_ics(%s)", meeting)
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n")) and "\n" not in text.replace("\r\n", "")
    lines = text.replace("\r\n ", "").split("\r\n")
    assert lines[0] == "BEGIN:VCALENDAR" and lines[-2:] == ["END:VCALENDAR", ""] and lines.count("END:VEVENT") == 1
    said = dict(line.split(":", 1) for line in lines if line)
    assert said["DTSTART"] == "20310505T080000Z" and said["DTEND"] == "20310505T083000Z" and said["UID"] == f"{meeting}@convene"
    assert said["SUMMARY"] == "Ünïcode\\, " * 20 + "\\nEND:VEVENT" and said["LOCATION"] == "Hall\\; A\\, table 5"
    assert said["URL"] == "https://example.org/a?b=1,2" and said["STATUS"] == "CONFIRMED" and "@" not in text.replace("@convene", "")
    change(conn, meeting, status="cancelled")
    assert "STATUS:CANCELLED" in one(conn, "meeting_ics(%s)", meeting) and "METHOD:CANCEL" in one(conn, "meeting_ics(%s)", meeting)
