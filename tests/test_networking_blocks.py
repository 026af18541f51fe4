"""Blocks and reports: their effect at every state of a match, and that nobody learns of them."""

import threading
import uuid
from datetime import timedelta

import psycopg
import pytest

from lib.access import as_role, expect_error
from lib.factory import make_event
from lib.matching import generate, market, match, preview, want

STATES = ("none", "suggested", "accepted_by_1", "accepted_by_2", "mutual_accepted", "declined", "expired")
WAYS = ("function", "table")
BLOCK = "SELECT convene.block_person(%s, %s)"


@pytest.fixture
def pair(conn):
    """Four people at an event, the first two of whom will not get on, in the order of their ids."""
    event = make_event(conn, f"blocks-{uuid.uuid4().hex[:8]}", sessions=0, attendees=4)
    event.people.sort(key=lambda person: person.id)
    for person in range(4):
        want(conn, event, person, ["a"], ["a"])
    return event


def block(conn, event, blocker=0, blocked=1, way="function"):
    """As the blocker, by the function, which tells what it ended, or into the table, which tells nothing."""
    with as_role(conn, "authenticated", event.people[blocker].sub):
        if way == "function":
            return conn.execute(BLOCK, [event.people[blocker].id, event.people[blocked].id]).fetchone()[0]
        conn.execute("INSERT INTO convene.person_blocks (blocker_profile, blocked_profile) VALUES (%s, %s) ON CONFLICT DO NOTHING",
                     [event.people[blocker].sub, event.people[blocked].sub])


def meeting(conn, event, status="scheduled", hours=2, one=0, other=1):
    ids = [event.people[one].id, event.people[other].id]
    return conn.execute(
        """INSERT INTO convene.meetings (event_id, attendee_1_id, attendee_2_id, title, scheduled_start, scheduled_end, status, proposed_by)
           VALUES (%s, %s, %s, 't', now() + %s * interval '1 hour', now() + %s * interval '1 hour' + interval '15 min', %s, %s) RETURNING id""",
        [event.id, *ids, hours, hours, status, ids[0] if status == "proposed" else None]).fetchone()[0]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("blocker", [0, 1])
@pytest.mark.parametrize("state", STATES)
def test_a_block_at_every_state_of_a_match(conn, pair, state, blocker, way):
    made = match(conn, pair, 0, 1, state) if state != "none" else None
    told = block(conn, pair, blocker, 1 - blocker, way)
    if way == "function":
        assert told["new"] and told["matches_ended"] == (0 if state in ("none", "declined") else 1)
    if made:
        assert conn.execute("SELECT status, declined_by FROM convene.matches WHERE id = %s", [made]).fetchone() == ("declined", None)
    # From now on neither is suggested to the other, by nobody's run, and no answer opens it again.
    conn.execute("SELECT convene.generate_event_matches(%s)", [pair.id])
    for me in (0, 1):
        for algorithm in ("hybrid", "goal_based"):
            others = {row.other for row in preview(conn, pair, me, 50, algorithm)}
            assert others == {person.id for person in pair.people[2:]}
        generate(conn, pair, me)
        if made:
            with as_role(conn, "authenticated", pair.people[me].sub):
                expect_error(conn, "55000", "SELECT convene.accept_match(%s)", [made], message="declined")
    assert conn.execute("SELECT count(*) FROM convene.matches WHERE event_id = %s AND attendee_1_id = %s AND attendee_2_id = %s"
                        " AND status <> 'declined'", [pair.id, pair.people[0].id, pair.people[1].id]).fetchone()[0] == 0
    # Once is as good as twice.
    assert not block(conn, pair, blocker, 1 - blocker)["new"]


def agreed(conn, event, start=None):
    """A match that both accepted, and what the first of the two has proposed at that time."""
    made = match(conn, event, 0, 1, "mutual_accepted")
    if start:
        with as_role(conn, "authenticated", event.people[0].sub):
            return conn.execute("SELECT (convene.schedule_meeting(%s, %s, %s) ->> 'meeting_id')::uuid",
                                [event.people[0].id, event.people[1].id, start]).fetchone()[0]
    return made


# What has become of a meeting, by an action of its life, when the block comes; and whether it then stands.
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("blocker", [0, 1])
@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("status", ["proposed", "scheduled", "confirmed", "in_progress", "completed", "cancelled", "no_show"])
def test_a_block_at_every_state_of_a_meeting(conn, pair, status, begun, blocker, way):
    made = match(conn, pair, 0, 1, "mutual_accepted")
    held = meeting(conn, pair, status, -2 if begun and status != "proposed" else 2)
    conn.execute("UPDATE convene.meetings SET match_id = %s WHERE id = %s", [made, held])
    told = block(conn, pair, blocker, 1 - blocker, way)
    ends = status in ("proposed", "scheduled", "confirmed") and not (begun and status != "proposed")
    row = conn.execute("SELECT status, cancelled_by FROM convene.meetings WHERE id = %s", [held]).fetchone()
    assert row == ("cancelled" if ends else status, None)
    assert way == "table" or told["meetings_cancelled"] == int(ends)
    if ends:
        assert conn.execute("SELECT count(*) FROM convene.meeting_bookings WHERE meeting_id = %s", [held]).fetchone()[0] == 0
    assert conn.execute("SELECT status FROM convene.matches WHERE id = %s", [made]).fetchone()[0] == "declined"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("blocker", [0, 1])
def test_a_block_between_the_steps_of_a_meeting(conn, pair, blocker, way):
    """Before a proposal, before its answer, after the answer, when it was moved: the next step is refused, in words that do not say why."""
    two = [pair.people[0].id, pair.people[1].id]
    start = conn.execute("SELECT date_trunc('hour', now()) + interval '30 hours'").fetchone()[0]
    later = start + timedelta(hours=1)
    propose = "SELECT convene.schedule_meeting(%s, %s, %s)"

    def asks(who, statement, *values):
        with as_role(conn, "authenticated", pair.people[who].sub):
            return conn.execute(statement, values).fetchone()

    def refused(who, code, statement, *values):
        with as_role(conn, "authenticated", pair.people[who].sub):
            assert "block" not in str(expect_error(conn, code, statement, values)).lower()

    for steps in range(4):
        with conn.transaction(force_rollback=True):
            agreed(conn, pair)
            held = None
            if steps >= 1:
                held = asks(0, f"{propose} ->> 'meeting_id'", *two, start)[0]
            if steps >= 2:
                asks(1, "SELECT convene.confirm_meeting(%s)", held)
            if steps >= 3:
                asks(1, "SELECT convene.reschedule_meeting(%s, %s)", held, later)
            block(conn, pair, blocker, 1 - blocker, way)
            for who in (0, 1):
                refused(who, "42501", propose, *(two if who == 0 else two[::-1]), later + timedelta(hours=1))
                refused(who, "42501", "SELECT * FROM convene.find_meeting_slots(%s, %s)", *two)
                if held:
                    refused(who, "55000", "SELECT convene.confirm_meeting(%s)", held)
                    refused(who, "55000", "SELECT convene.reschedule_meeting(%s, %s)", held, later)
                assert asks(who, "SELECT count(*) FROM convene.get_meetings(%s) WHERE status <> 'cancelled'", two[who]) == (0,)
                assert asks(who, "SELECT convene.check_meeting_availability(%s, %s, %s)", two[who], start, later) == (True,)
            with as_role(conn, "authenticated", pair.organizer):
                expect_error(conn, "55000", propose, [*two, later])
                # Nor in a schedule of everybody's meetings.
                assert conn.execute("SELECT convene.schedule_event_meetings(%s, p_from => %s, p_to => %s) ->> 'pairs'",
                                    [pair.id, start, later]).fetchone() == ("0",)


def test_reminders_of_what_is_off_are_taken_back(conn, pair):
    match(conn, pair, 0, 1, "mutual_accepted")
    held = meeting(conn, pair, "scheduled")
    conn.execute("SELECT convene.send_meeting_reminders()")
    told = "SELECT status, count(*) FROM convene.outbox WHERE target_id = %s GROUP BY 1"
    assert conn.execute(told, [held]).fetchall() == [("pending", 2)]
    # A meeting that is moved and moved back is reminded of again, by the same message.
    for minutes in (30, -30):
        conn.execute("UPDATE convene.meetings SET scheduled_start = scheduled_start + %(m)s * interval '1 min',"
                     " scheduled_end = scheduled_end + %(m)s * interval '1 min' WHERE id = %(id)s", {"m": minutes, "id": held})
    assert conn.execute(told, [held]).fetchall() == [("cancelled", 2)]
    assert conn.execute("SELECT convene.send_meeting_reminders()").fetchone() == (2,)
    assert conn.execute(told, [held]).fetchall() == [("pending", 2)]
    block(conn, pair, way="table")
    assert conn.execute(told, [held]).fetchall() == [("cancelled", 2)]
    conn.execute("DELETE FROM convene.outbox WHERE target_id = %s", [held])


def test_somebody_blocked_turns_up_as_an_attendee_who_was_nobody(conn, pair):
    """The block was there before anybody knew whom the match and the meeting are of."""
    them = pair.people[1]
    conn.execute("UPDATE convene.attendees SET profile_id = NULL WHERE id = %s", [them.id])
    made, held = match(conn, pair, 0, 1, "mutual_accepted"), meeting(conn, pair)
    with as_role(conn, "authenticated", pair.people[0].sub):
        conn.execute("INSERT INTO convene.person_blocks (blocker_profile, blocked_profile) VALUES (%s, %s)", [pair.people[0].sub, them.sub])
    status = "SELECT m.status, g.status FROM convene.matches m, convene.meetings g WHERE m.id = %s AND g.id = %s"
    assert conn.execute(status, [made, held]).fetchone() == ("mutual_accepted", "scheduled")
    conn.execute("UPDATE convene.attendees SET profile_id = %s WHERE id = %s", [them.sub, them.id])
    assert conn.execute(status, [made, held]).fetchone() == ("declined", "cancelled")


def test_a_block_spans_events(conn, pair):
    other = make_event(conn, f"elsewhere-{uuid.uuid4().hex[:8]}", sessions=0, attendees=2)
    for at in (0, 1):
        conn.execute("UPDATE convene.attendees SET profile_id = %s WHERE id = %s", [pair.people[at].sub, other.people[at].id])
        want(conn, other, at, ["a"], ["a"])
    made = match(conn, other, 0, 1, "mutual_accepted")
    held = meeting(conn, other)
    assert block(conn, pair) == {
        "attendee_id": str(pair.people[0].id), "other_attendee_id": str(pair.people[1].id), "new": True,
        "meetings_cancelled": 1, "matches_ended": 1}
    assert conn.execute("SELECT m.status, g.status FROM convene.matches m, convene.meetings g WHERE m.id = %s AND g.id = %s",
                        [made, held]).fetchone() == ("declined", "cancelled")
    # At events to come as well.
    later = make_event(conn, f"later-{uuid.uuid4().hex[:8]}", sessions=0, attendees=2)
    for at in (0, 1):
        conn.execute("UPDATE convene.attendees SET profile_id = %s WHERE id = %s", [pair.people[at].sub, later.people[at].id])
        want(conn, later, at, ["a"], ["a"])
    assert preview(conn, later, 0) == preview(conn, later, 1) == []


def test_the_blocked_person_sees_what_a_declined_one_sees(conn, pair):
    """Everything that two people can read, the one who was blocked and one who was declined, is the same but for ids and times."""
    blocked, declined = match(conn, pair, 0, 1), match(conn, pair, 2, 3)
    block(conn, pair)
    with as_role(conn, "authenticated", pair.people[2].sub):
        conn.execute("SELECT convene.decline_match(%s)", [declined])
    seen = []
    for me, made in ((1, blocked), (3, declined)):
        with as_role(conn, "authenticated", pair.people[me].sub):
            columns = "status, accepted_at IS NULL, declined_at IS NULL, meeting_id, meeting_scheduled, match_reasons, times_suggested"
            rows = conn.execute(f"SELECT {columns} FROM convene.matches WHERE id = %s", [made]).fetchall()
            refusal = expect_error(conn, "55000", "SELECT convene.accept_match(%s)", [made])
            blocks = conn.execute("SELECT count(*) FROM convene.person_blocks").fetchone()[0]
            reports = conn.execute("SELECT count(*) FROM convene.person_reports").fetchone()[0]
            seen.append((rows, refusal, blocks, reports))
    assert seen[0] == seen[1] and seen[0][2:] == (0, 0)


@pytest.mark.parametrize("hours", [-3, 0, 3])
@pytest.mark.parametrize("status", ["proposed", "scheduled", "confirmed", "in_progress", "completed", "cancelled", "no_show"])
def test_of_meetings_the_blocked_person_sees_what_a_declined_one_sees(conn, pair, status, hours):
    """To come, going on and over."""
    made = [match(conn, pair, *two, "mutual_accepted") for two in ((0, 1), (2, 3))]
    held = []
    for two, of in zip(((0, 1), (2, 3)), made):
        held.append(meeting(conn, pair, status, hours - 0.1, *two))
        conn.execute("UPDATE convene.meetings SET match_id = %s WHERE id = %s", [of, held[-1]])
    block(conn, pair)
    with as_role(conn, "authenticated", pair.people[2].sub):
        conn.execute("SELECT convene.decline_match(%s)", [made[1]])
    seen = []
    for me, of in ((1, held[0]), (3, held[1])):
        with as_role(conn, "authenticated", pair.people[me].sub):
            columns = "status, cancelled_by, cancelled_at IS NULL, completed_at IS NULL, expires_at IS NULL"
            row = conn.execute(f"SELECT {columns} FROM convene.meetings WHERE id = %s", [of]).fetchone()
            listed = conn.execute("SELECT status FROM convene.get_meetings(%s) WHERE meeting_id = %s", [pair.people[me].id, of]).fetchall()
            seen.append((row, listed))
    assert seen[0] == seen[1]


def test_only_for_oneself_and_only_somebody_at_the_same_event(conn, pair):
    stranger = make_event(conn, f"strange-{uuid.uuid4().hex[:8]}", sessions=0, attendees=1)
    me, other = pair.people[0], pair.people[1]
    for function in ("block_person(%s, %s)", "unblock_person(%s, %s)", "report_person(%s, %s, 'x')"):
        with as_role(conn, "authenticated", me.sub):
            told = {str(expect_error(conn, "42501", f"SELECT convene.{function}", [me.id, target]))
                    for target in (stranger.people[0].id, uuid.uuid4())}
            assert len(told) == 1
            expect_error(conn, "42501", f"SELECT convene.{function}", [other.id, me.id])
            expect_error(conn, "22023", f"SELECT convene.{function}", [me.id, me.id], message="same person")
        with as_role(conn, "authenticated", pair.organizer):
            expect_error(conn, "42501", f"SELECT convene.{function}", [me.id, other.id])
        expect_error(conn, "P0002", f"SELECT convene.{function}", [me.id, stranger.people[0].id])
    conn.execute("UPDATE convene.attendees SET profile_id = NULL WHERE id = %s", [other.id])
    with as_role(conn, "authenticated", me.sub):
        expect_error(conn, "55000", BLOCK, [me.id, other.id], message="not known as a person", hint="Decline")
    assert conn.execute("SELECT count(*) FROM convene.person_blocks WHERE blocker_profile = %s", [me.sub]).fetchone()[0] == 0


def test_a_block_can_be_taken_back_and_what_it_ended_stays_ended(conn, pair):
    match(conn, pair, 0, 1, "mutual_accepted")
    block(conn, pair)
    with as_role(conn, "authenticated", pair.people[1].sub):
        assert conn.execute("SELECT convene.unblock_person(%s, %s)", [pair.people[1].id, pair.people[0].id]).fetchone()[0] is False
    with as_role(conn, "authenticated", pair.people[0].sub):
        for there in (True, False):
            assert conn.execute("SELECT convene.unblock_person(%s, %s)", [pair.people[0].id, pair.people[1].id]).fetchone()[0] is there
    assert pair.people[1].id not in {row.other for row in preview(conn, pair)}
    conn.execute("DELETE FROM convene.matches WHERE event_id = %s", [pair.id])
    assert pair.people[1].id in {row.other for row in preview(conn, pair)}


def test_a_report_reaches_the_organizer_and_nobody_else(conn, pair):
    with as_role(conn, "authenticated", pair.people[0].sub):
        call = "SELECT convene.report_person(%s, %s, %s, %s)"
        made = conn.execute(call, [pair.people[0].id, pair.people[1].id, " rude ", "at the bar"]).fetchone()[0]
        assert conn.execute(call, [pair.people[0].id, pair.people[1].id, "rude", "at the bar"]).fetchone()[0] == made
        assert conn.execute(call, [pair.people[0].id, pair.people[1].id, "rude", None]).fetchone()[0] != made
    read = "SELECT event_id, reported_profile, reason, details, status FROM convene.person_reports WHERE id = %s"
    with as_role(conn, "authenticated", pair.organizer):
        assert conn.execute(read, [made]).fetchall() == [(pair.id, pair.people[1].sub, "rude", "at the bar", "open")]
    for who in (pair.people[1].sub, pair.people[2].sub):
        with as_role(conn, "authenticated", who):
            assert conn.execute(read, [made]).fetchall() == []


def test_suggestions_and_a_block_at_the_same_moment(db, conn):
    """Whichever comes first, no open suggestion of the two is left."""
    event = market(conn, "block-race", 40, silent=0)
    for turn in range(25):
        a, b = event.people[turn % 20], event.people[20 + turn % 20]
        barrier = threading.Barrier(3)

        def work(statement, arguments):
            with db.connect() as mine:
                barrier.wait()  # noqa: B023
                mine.execute(statement, arguments)
        threads = [threading.Thread(target=work, args=one) for one in (
            (BLOCK, [a.id, b.id]), ("SELECT convene.generate_event_matches(%s, 39)", [event.id]),
            ("SELECT count(*) FROM convene.generate_networking_matches(%s, %s, 39)", [b.id, event.id]))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert conn.execute("SELECT count(*) FROM convene.matches WHERE attendee_1_id = %s AND attendee_2_id = %s AND status <> 'declined'",
                            sorted([a.id, b.id])).fetchone()[0] == 0
        conn.execute("DELETE FROM convene.matches WHERE event_id = %s", [event.id])
        conn.execute("DELETE FROM convene.person_blocks")


def test_connectors_and_quality_by_hand(conn):
    event = make_event(conn, f"bridge-{uuid.uuid4().hex[:8]}", sessions=0, attendees=7)
    for a, b in [(0, 1), (1, 2), (2, 0), (3, 4), (4, 5), (5, 3), (2, 6), (6, 3)]:
        match(conn, event, a, b, "mutual_accepted")
    match(conn, event, 0, 5, "declined")
    match(conn, event, 0, 4, "expired")
    match(conn, event, 1, 5, "accepted_by_1")
    with as_role(conn, "authenticated", event.organizer):
        rows = conn.execute("SELECT attendee_id, betweenness, contacts FROM convene.find_connectors(%s, 3)", [event.id]).fetchall()
        # Nine of the fifteen pairs of the six others go through the bridge, eight through either end.
        assert [(row[0], float(row[1]), row[2]) for row in rows] == [
            (event.people[6].id, pytest.approx(9 / 15), 2),
            *sorted((event.people[at].id, pytest.approx(8 / 15, abs=1e-6), 3) for at in (2, 3))]
        quality = conn.execute("SELECT convene.networking_quality(%s)", [event.id]).fetchone()[0]
    assert {key: quality[key] for key in ("suggested", "mutual", "declined", "expired", "accepted_by_one", "participants")} == {
        "suggested": 11, "mutual": 8, "declined": 1, "expired": 1, "accepted_by_one": 1, "participants": 0}
    assert (quality["acceptance_rate"], quality["answer_rate"]) == (0.8889, 0.9091)
    assert quality["mean_rating"] is None and quality["engagement_rate"] is None
    held = meeting(conn, event, "completed", -3)
    conn.execute("""UPDATE convene.meetings SET feedback_1 = '{"rating": 5}', feedback_2 = '{"rating": 2}' WHERE id = %s""", [held])
    quality = conn.execute("SELECT convene.networking_quality(%s)", [event.id]).fetchone()[0]
    assert (quality["ratings"], quality["mean_rating"], quality["valuable_rate"], quality["completed"]) == (2, 3.5, 0.5, 1)


def test_realtime_is_enabled_where_there_is_a_publication(fresh_db):
    with fresh_db.connect() as conn:
        assert conn.execute("SELECT convene.enable_realtime()").fetchone()[0] == {
            "publication": False, "added": [], "channel": "convene_networking"}
        conn.execute("CREATE PUBLICATION supabase_realtime")
        assert conn.execute("SELECT convene.enable_realtime()->'added'").fetchone()[0] == ["matches", "meetings"]
        assert conn.execute("SELECT convene.enable_realtime()->'added'").fetchone()[0] == []
        assert conn.execute("SELECT tablename FROM pg_publication_tables ORDER BY 1").fetchall() == [("matches",), ("meetings",)]
        with as_role(conn, "service_role"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute("SELECT convene.enable_realtime()")
