"""When people are asked: the day of the programme, over midnight, on days of 23 and 25 hours, by score, at night, after meetings."""

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from lib.talk import DAY, Talk

MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def home(db):
    with db.connect() as conn:
        conn.execute("SELECT convene.adopt_copy()")
    return db


@pytest.fixture
def conn(home):
    with home.connect() as connection, connection.transaction(force_rollback=True):
        yield connection


def times(conn, event):
    return conn.execute("SELECT prompt_at, context, location FROM convene.suggested_prompt_times(%s)", [event]).fetchall()


PROGRAMME = [("break", 10.5, 11), ("lunch", 12, 13), ("break", 14.5, 15), ("networking", 16, 16.5)]


def test_the_day_of_the_document(conn):
    talk = Talk(conn, "day", sessions=PROGRAMME)
    talk.session("break", 10.5, 11, "Foyer")  # at the same time elsewhere: one break
    talk.session("keynote", 9, 10)
    conn.execute("UPDATE convene.sessions SET room = 'Hall ' WHERE session_type = 'lunch'")
    assert times(conn, talk.event) == [
        (talk.at(8.75), "arrival", None), (talk.at(10.5) - 5 * MINUTE, "break", "Foyer"), (talk.at(12) + 5 * MINUTE, "lunch", "Hall"),
        (talk.at(14.5) - 5 * MINUTE, "break", "networking area"), (talk.at(16) - 5 * MINUTE, "networking", "networking area"),
        (talk.at(16.5), "networking", None)]
    messages = [row[0] for row in conn.execute("SELECT message FROM convene.suggested_prompt_times(%s)", [talk.event])]
    assert all(messages) and messages[1] != messages[3]


def test_cancelled_sessions_and_missing_times(conn):
    talk = Talk(conn, "bare", sessions=PROGRAMME)
    conn.execute("UPDATE convene.sessions SET status = 'cancelled' WHERE session_type = 'break'")
    conn.execute("UPDATE convene.sessions SET status = 'postponed' WHERE session_type = 'networking'")
    conn.execute("UPDATE convene.events SET start_at = NULL, end_at = NULL WHERE id = %s", [talk.event])
    assert times(conn, talk.event) == [  # the programme's first and last moment stand for the event's
        (talk.at(10.25), "arrival", None), (talk.at(12) + 5 * MINUTE, "lunch", "lunch area"), (talk.at(16), "networking", None)]
    conn.execute("DELETE FROM convene.sessions WHERE event_id = %s", [talk.event])
    assert times(conn, talk.event) == []


@pytest.mark.parametrize("column, context", [("end_at", "networking"), ("start_at", "arrival")])
@pytest.mark.parametrize("at", ["far", "infinite"])
def test_an_event_without_an_end_has_no_last_half_hour(conn, column, context, at):
    """LATER is still answered there, as where nothing comes any more."""
    talk = Talk(conn, "endless", sessions=[("break", 10.5, 11)])
    ann, bo = talk.person("Ann"), talk.person("Bo")
    talk.introduce(talk.match(ann, bo))
    moment = {"start_at": {"far": "4714-11-24 00:00:00+00 BC", "infinite": "-infinity"},
              "end_at": {"far": "294276-12-31 23:59:59+00", "infinite": "infinity"}}[column][at]
    conn.execute(f"UPDATE convene.events SET {column} = %s WHERE id = %s", [moment, talk.event])
    assert context not in [row[1] for row in times(conn, talk.event)] and len(times(conn, talk.event)) == 2
    assert talk.say(ann, "LATER", 12)["replies"] == (["skipped"] if column == "end_at" else ["later"])
    assert talk.dispatch(13)["event_id"] == str(talk.event)


def test_an_event_over_midnight(conn):
    talk = Talk(conn, "night", hours=(20, 27), sessions=[("break", 23 + 57 / 60, 24.5), ("lunch", 24.5, 25), ("break", 26, 26.25)])
    assert [(at, context) for at, context, _ in times(conn, talk.event)] == [
        (talk.at(19.75), "arrival"), (talk.at(24) - 8 * MINUTE, "break"), (talk.at(24.5) + 5 * MINUTE, "lunch"),
        (talk.at(26) - 5 * MINUTE, "break"), (talk.at(26.5), "networking")]
    ann, bo = talk.person("Ann"), talk.person("Bo")
    talk.match(ann, bo, 0.75)
    assert talk.dispatch(24 - 8 / 60)["queued"] == 0, "after ten nobody is asked"
    talk.set("peers.quiet_from", '"03:00"')
    assert talk.dispatch(24 - 9 / 60)["queued"] == 0
    assert talk.dispatch(24 - 8 / 60)["by_kind"] == {"introduction": 2}


@pytest.mark.parametrize("zone, day, change", [
    ("Europe/Brussels", datetime(2027, 3, 28), 1), ("Europe/Brussels", datetime(2027, 10, 31), -1),
    ("America/New_York", datetime(2027, 3, 14), 1), ("America/New_York", datetime(2027, 11, 7), -1),
])
def test_a_day_on_which_the_clocks_change(conn, zone, day, change):
    """Sessions at local times on both sides of the change: what counts is the time that passes."""
    local = ZoneInfo(zone)
    hours = (0, 1.5, 3.25, 12)
    start, early, late, end = ((day + timedelta(hours=hour)).replace(tzinfo=local).astimezone(timezone.utc) for hour in hours)
    talk = Talk(conn, "clocks", zone=zone, hours=(start, end))
    talk.session("break", early, early + 30 * MINUTE)
    talk.session("lunch", late, late + 60 * MINUTE)
    assert [at for at, *_ in times(conn, talk.event)] == [start - 15 * MINUTE, early - 5 * MINUTE, late + 5 * MINUTE, end - 30 * MINUTE]
    assert (late - early) - timedelta(hours=1.75) == -change * timedelta(hours=1)
    # The night ends at seven by the clock on the wall, an hour sooner or later by the one that runs.
    ann, bo = talk.person("Ann"), talk.person("Bo")
    told = talk.introduce(talk.match(ann, bo), start + 60 * MINUTE)["introductions"]
    seven = (day + timedelta(hours=7)).replace(tzinfo=local).astimezone(timezone.utc)
    assert {(row["status"], row["reason"]) for row in told} == {("waiting", "quiet")}
    assert datetime.fromisoformat(told[0]["due_at"]) == seven == start + timedelta(hours=7 - change)
    assert talk.dispatch(seven - MINUTE)["queued"] == 0 and talk.dispatch(seven)["queued"] == 2


def test_later_tells_the_break_in_local_time(conn):
    talk = Talk(conn, "local", zone="Asia/Kolkata", midnight=datetime(2027, 6, 14, 18, 30, tzinfo=timezone.utc), sessions=PROGRAMME)
    ann, bo = talk.person("Ann"), talk.person("Bo")
    talk.introduce(talk.match(ann, bo), 9.1)
    talk.say(ann, "later", 9.2)
    assert "10:30" in [body for _, kind, body in talk.deliver() if kind == "later"][0]


# By score ---------------------------------------------------------------------------------------------------------------

SLOTS = {"check-in": 9.2, "break": 10.5, "lunch": 12.2, "networking": 16.1, "end": 16.6}


@pytest.mark.parametrize("slot", SLOTS)
@pytest.mark.parametrize("score", [0.6, 0.6999, 0.7, 0.8, 0.8499, 0.85, 0.95])
@pytest.mark.parametrize("checked_in", [True, False])
def test_a_score_has_its_moment(conn, slot, score, checked_in):
    talk = Talk(conn, "scores", sessions=PROGRAMME)
    ann, bo = (talk.person(name, checked_in=8.9 if checked_in else None) for name in ("Ann", "Bo"))
    talk.match(ann, bo, score)
    expected = slot in ("lunch", "end") or (score >= 0.85 and checked_in) or (slot in ("break", "networking") and 0.7 <= score < 0.85)
    assert (talk.dispatch(SLOTS[slot])["queued"] == 2) is expected
    assert talk.dispatch(SLOTS[slot])["queued"] == 0, "once is as good as twice"


def test_who_arrives_is_asked_when_they_arrive_and_not_before(conn):
    talk = Talk(conn, "arrival", sessions=PROGRAMME)
    ann, bo = talk.person("Ann"), talk.person("Bo")
    talk.match(ann, bo, 0.9)
    assert talk.dispatch(8.8)["queued"] == 0
    conn.execute("UPDATE convene.event_attendees SET checked_in_at = %s WHERE contractor_id = %s", [talk.at(8.9), ann.id])
    assert talk.dispatch(8.85)["queued"] == 0, "checked in later than now"
    assert talk.dispatch(8.95)["by_kind"] == {"arrival": 1} and talk.sent(ann) == ["arrival"]
    conn.execute("UPDATE convene.event_attendees SET checked_in_at = %s WHERE contractor_id = %s", [talk.at(9.1), bo.id])
    assert talk.dispatch(9.2)["by_kind"] == {"introduction": 1} and talk.sent(bo) == ["introduction"]


def test_of_several_the_one_who_waits_goes_first_and_then_the_best(conn):
    talk = Talk(conn, "order", sessions=PROGRAMME)
    ann = talk.person("Ann", checked_in=8)
    good, better, eager = (talk.person(name, checked_in=None) for name in ("Good", "Better", "Eager"))
    pairs = {name: talk.match(ann, who, score) for name, who, score in (("good", good, 0.88), ("better", better, 0.95), ("eager", eager, 0.86))}
    talk.respond(pairs["eager"], eager, True, 8.5)
    asked = []
    for hour in (9, 10, 11):
        talk.dispatch(hour)
        asked.append(talk.one("SELECT match_id FROM convene.peer_messages WHERE contractor_id = %s AND closed_at IS NULL AND is_prompt", ann.id))
        talk.say(ann, "no", hour + 0.1)
    assert asked == [pairs["eager"], pairs["better"], pairs["good"]]


def test_nobody_is_asked_for_ever_about_one_person(conn):
    talk = Talk(conn, "thrice", hours=(8, 22), sessions=[("lunch", hour, hour + 0.5) for hour in (9, 11.5, 14, 16.5, 19)])
    ann, bo = talk.person("Ann"), talk.person("Bo", opt_in=True)
    talk.match(ann, bo, 0.65)
    asked = []
    for hour in (9, 11.5, 14, 16.5, 19):
        asked.append(talk.dispatch(hour + 0.2)["queued"])
        talk.deliver()
    assert asked == [2, 2, 2, 0, 0]


def test_quiet_that_a_person_wants_is_kept(conn):
    talk = Talk(conn, "muted", sessions=PROGRAMME)
    ann, bo = talk.person("Ann"), talk.person("Bo")
    conn.execute("UPDATE convene.event_attendees SET muted_until = %s WHERE contractor_id = %s", [talk.at(12), ann.id])
    told = {row["contractor_id"]: row for row in talk.introduce(talk.match(ann, bo), 10)["introductions"]}
    assert (told[str(ann.id)]["reason"], told[str(bo.id)]["status"]) == ("quiet", "queued")
    assert talk.dispatch(11.99)["queued"] == 0 and talk.dispatch(12)["queued"] == 1


@pytest.mark.parametrize("hour, quiet", [(6.99, True), (7, False), (21.99, False), (22, True), (23.99, True), (24.5, True), (31, False)])
def test_nobody_is_asked_at_night(conn, hour, quiet):
    talk = Talk(conn, "late", hours=(5, 40))
    ann, bo = talk.person("Ann"), talk.person("Bo")
    told = talk.introduce(talk.match(ann, bo), hour)["introductions"]
    assert {row["status"] for row in told} == {"waiting" if quiet else "queued"}
    # What confirms is no prompt.
    assert talk.say(ann, "STOP PEER", hour)["replies"] == ["opted_out"]
    assert "opted_out" in [kind for _, kind, _ in talk.deliver()]


def test_a_cancelled_event_asks_nobody(conn):
    talk = Talk(conn, "off", sessions=PROGRAMME)
    ann, bo = talk.person("Ann", checked_in=8), talk.person("Bo", checked_in=8)
    talk.introduce(talk.match(ann, bo), 10)
    conn.execute("UPDATE convene.events SET status = 'cancelled' WHERE id = %s", [talk.event])
    assert talk.deliver() == [] and talk.dispatch(12.2)["queued"] == 0


# Afterwards -------------------------------------------------------------------------------------------------------------

def met(talk, hour=10):
    ann, bo = talk.person("Ann"), talk.person("Bo")
    pair = talk.match(ann, bo)
    for who in (ann, bo):
        talk.respond(pair, who, True, hour)
    return ann, bo, pair


@pytest.mark.parametrize("after, asked", [(1.99, 0), (2, 2), (2.5, 2), (3, 2), (3.01, 0)])
@pytest.mark.parametrize("arranged", [True, False])
def test_a_rating_is_asked_for_two_to_three_hours_after(conn, after, asked, arranged):
    talk = Talk(conn, "rated", sessions=[])
    ann, bo, pair = met(talk)
    if arranged:
        conn.execute("SELECT convene.record_peer_connection(%s, jsonb_build_object('time', %s::timestamptz, 'scheduled', true))", [pair, talk.at(12)])
    hour = (12 if arranged else 10) + after
    assert talk.dispatch(hour)["by_kind"] == ({"rating_request": 2} if asked else {})
    assert talk.dispatch(hour)["queued"] == 0


def test_a_rating_after_a_late_meeting_waits_for_the_morning(conn):
    talk = Talk(conn, "owls", hours=(9, 21), sessions=[])
    ann, _, _ = met(talk, 20.5)
    assert talk.dispatch(22.6) ["waiting"] == 2 and talk.dispatch(30.9)["queued"] == 0
    assert talk.dispatch(31)["by_kind"] == {"rating_request": 2}
    assert talk.say(ann, "8", 32)["replies"] == ["rating_thanks"]


@pytest.mark.parametrize("when", ["294276-12-31 23:59:59+00", "infinity", "-infinity", "4714-11-24 00:00:00+00 BC"])
def test_one_meeting_at_no_time_keeps_nobody_else_from_being_asked(conn, when):
    talk = Talk(conn, "never")
    ann, bo, cy, di = (talk.person(name) for name in ("Ann", "Bo", "Cy", "Di"))
    yes = {"contractor1_response": True, "contractor2_response": True}
    for pair, time in (((ann, bo), when), ((cy, di), talk.at(10))):
        talk.match(*pair, **yes, contacts_exchanged_at=talk.at(9), connection_made=True, meeting_time=time)
    assert talk.dispatch(12.5)["by_kind"]["rating_request"] == 2 and talk.sent(cy) == talk.sent(di) == ["rating_request"]
    month = talk.at(10) + timedelta(days=30)
    assert {row[0] for row in conn.execute("SELECT contractor_id FROM convene.follow_up_due(%s) WHERE event_id = %s", [month, talk.event])} >= {cy.id, di.id}


def test_still_in_touch_after_30_60_and_90_days(conn):
    talk = Talk(conn, "touch", sessions=[])
    ann, bo, pair = met(talk)
    conn.execute("UPDATE convene.event_peer_matches SET rating_contractor1 = 7, rating_contractor2 = 7 WHERE id = %s", [pair])
    due = lambda day: [(row[2], row[3], row[5]) for row in conn.execute(  # noqa: E731
        "SELECT * FROM convene.follow_up_due(%s)", [talk.at(10 + 24 * day)])]
    both = sorted([ann.id, bo.id])
    assert due(29.99) == [] and due(30) == [(who, 30, None) for who in both]
    assert due(95) == [(who, 90, None) for who in both] and due(121) == []
    assert talk.dispatch(10 + 24 * 30)["by_kind"] == {"follow_up": 2} and due(31) == []
    assert talk.say(ann, "yes", 10 + 24 * 30.1)["replies"] == ["rating_thanks"]
    assert talk.say(bo, "NO", 10 + 24 * 30.1)["replies"] == ["rating_thanks"]
    assert due(60) == [(ann.id, 60, 0.5)]
    assert talk.dispatch(10 + 24 * 60)["by_kind"] == {"follow_up": 1} and talk.dispatch(10 + 24 * 60)["queued"] == 0
    conn.execute("UPDATE convene.event_attendees SET peer_matching_opt_in = false WHERE contractor_id = %s", [ann.id])
    assert due(90) == [] and talk.deliver() != [] and talk.dispatch(10 + 24 * 90)["queued"] == 0


def test_day_is_what_the_tests_think_it_is():
    assert DAY.astimezone(ZoneInfo("America/Phoenix")).hour == 0
