"""Meetings: every function, every argument, with the stated SQLSTATE and a message that names the value; nothing half-written."""

import re

import pytest

from lib.access import as_role, expect_error
from lib.arguments import HUGE, INT, argument_tests, ids, limits, words
from lib.factory import make_world

pytestmark = pytest.mark.errors

NOW = [("NULL", "22004", "p_now")]
TIMES = {"p_start_time": [("NULL", "22004", "p_start_time"), ("'infinity'", "22023", "p_start_time is infinite"),
                          ("'2031-05-05 10:30Z'", "22023", "2031-05-05T10:30:00"), ("'2031-05-05 11:00Z'", "22023", "not after"),
                          ("'0001-01-01 00:00Z BC'", "22023", "too long ago")],
         "p_end_time": [("NULL", "22004", "p_end_time"), ("'-infinity'", "22023", "p_end_time is infinite"),
                        ("'2031-05-05 10:00Z'", "22023", "p_end_time"), ("'2031-05-05 09:00Z'", "22023", "p_end_time"),
                        ("'294276-12-31 23:59Z'", "22023", "p_end_time 294276.* is too far ahead"),
                        ("'10000-01-01 00:00Z'", "22023", "p_end_time")]}
MINUTES = [(value, "22023", f"p_duration_minutes must be between 1 and 480, not {value}$") for value in ("0", "-1", "481", "2147483647", INT)]
AHEAD = [("NULL", "22004", "p_start_time"), ("'infinity'", "22023", "infinite"), ("'-infinity'", "22023", "infinite"),
         ("now()", "22023", "not ahead"), ("'2020-01-01'", "22023", "2020-01-01"), ("'294276-12-31 23:59Z'", "22023", "too far ahead")]
SPAN = "p_start_time => '2031-05-05 10:00Z', p_end_time => '2031-05-05 10:30Z'"

# Function: (arguments that are well, what each may not be).
CASES = {
    "check_meeting_availability": (f"p_attendee_id => :a, {SPAN}, p_now => now()", {"p_attendee_id": ids(), **TIMES, "p_now": NOW}),
    "meeting_conflicts": (f"p_attendee_id => :a, {SPAN}, p_now => now()", {"p_attendee_id": ids(), **TIMES, "p_now": NOW}),
    "find_meeting_slots": (
        "p_attendee_1 => :a, p_attendee_2 => :b, p_duration_minutes => 15, p_from => NULL, p_to => NULL, p_limit => 5, p_now => now()", {
            "p_attendee_1": ids() + [(":b", "22023", "same attendee"), (":foreign", "22023", "different events")],
            "p_attendee_2": ids() + [(":a", "22023", "same attendee"), (":foreign", "22023", "different events")],
            "p_duration_minutes": MINUTES, "p_limit": limits(200), "p_now": NOW + [("'infinity'", "22023", "p_now")],
            "p_from": [("'infinity'", "22023", "p_from"), ("'2099-01-01'", "22023", "2099-01-01")],
            "p_to": [("'-infinity'", "22023", "p_to"), ("'2001-01-01'", "22023", "2001-01-01"), ("now(), p_from => now()", "22023", "p_to")]}),
    "schedule_meeting": (
        "p_attendee_1 => :a, p_attendee_2 => :b, p_start_time => '2031-05-05 10:00Z', p_duration_minutes => 15, p_title => 'T',"
        " p_meeting_type => 'business', p_location_type => 'onsite', p_location_details => '{}', p_now => now()", {
            "p_attendee_1": ids() + [(":b", "22023", "same attendee"), (":foreign", "22023", "different events")],
            "p_attendee_2": ids() + [(":a", "22023", "same attendee"), (":foreign", "22023", "different events")],
            "p_start_time": AHEAD, "p_duration_minutes": [("NULL", "22004", "p_duration_minutes"), *MINUTES],
            "p_title": [("''", "22023", '""'), ("'   '", "22023", "p_title"), ("repeat('x', 301)", "22023", "301"), (HUGE, "22023", "10000000")],
            "p_meeting_type": words("p_meeting_type", "Business", "party"), "p_location_type": words("p_location_type", "online", "Onsite"),
            "p_location_details": [("NULL", "22004", "p_location_details"), ("'[]'", "22023", "p_location_details"), ("'1'", "22023", "1"),
                                   ("jsonb_build_object('room', repeat('x', 10000))", "54000", "bytes"),
                                   ("('{\"a\":' || repeat('[', 3000) || repeat(']', 3000) || '}')::jsonb", "22023", "p_location_details"),
                                   ("'{\"a\": 1e400}'", "22023", "p_location_details")],
            "p_now": NOW}),
    "confirm_meeting": ("p_meeting_id => :meeting, p_now => now()", {"p_meeting_id": ids(), "p_now": NOW}),
    "reschedule_meeting": (
        "p_meeting_id => :meeting, p_start_time => '2031-05-05 10:00Z', p_duration_minutes => 30, p_now => now()",
        {"p_meeting_id": ids(), "p_start_time": AHEAD, "p_duration_minutes": MINUTES, "p_now": NOW}),
    "cancel_meeting": ("p_meeting_id => :meeting, p_now => now()", {"p_meeting_id": ids(), "p_now": NOW}),
    "complete_meeting": ("p_meeting_id => :begun, p_no_show => false, p_now => now()", {
        "p_meeting_id": ids() + [(":meeting", "55000", "has not begun")], "p_no_show": [("NULL", "22004", "p_no_show")], "p_now": NOW}),
    "get_meetings": ("p_attendee_id => :a, p_event_id => :event, p_from => NULL, p_limit => 5, p_after => NULL, p_now => now()", {
        "p_attendee_id": ids(), "p_event_id": [(":other_event", "22023", "does not attend event")], "p_limit": limits(500), "p_now": NOW}),
    "submit_meeting_feedback": (
        "p_meeting_id => :begun, p_rating => 5, p_comments => 'c', p_follow_up => true, p_notes => 'n', p_attendee_id => :a, p_now => now()", {
            "p_meeting_id": ids() + [(":meeting", "55000", "has not begun")], "p_rating": limits(5, "p_rating"),
            "p_comments": [("repeat('x', 5001)", "54000", "p_comments has 5001"), (HUGE, "54000", "10000000")],
            "p_notes": [("repeat('ü', 5001)", "54000", "p_notes has 5001")], "p_now": NOW,
            "p_attendee_id": [("NULL", "22004", "p_attendee_id"), (":c", "22023", "is not in meeting"), (":foreign", "22023", "not in meeting")]}),
    "schedule_event_meetings": (
        "p_event_id => :event, p_tables => 3, p_slot_minutes => 15, p_from => '2031-05-05 08:00Z', p_to => '2031-05-05 09:00Z',"
        " p_break_minutes => 5, p_room => 'Hall', p_rules => '{}', p_now => now()", {
            "p_event_id": ids(), "p_tables": limits(10_000, "p_tables")[1:], "p_slot_minutes": limits(480, "p_slot_minutes"),
            "p_from": [("'infinity'", "22023", "p_from"), ("'2031-05-05 09:00Z'", "22023", "not after"), ("'2021-01-01'", "54000", "500 slots")],
            "p_to": [("'-infinity'", "22023", "p_to"), ("'2031-05-05 08:00Z'", "22023", "p_to"), ("'2031-05-05 08:10Z'", "22023", "no slot"),
                     ("'294276-12-31 23:59Z'", "22023", "too far ahead"), ("'9999-12-31'", "54000", "500 slots"),
                     ("'9999-12-31', p_from => '0001-01-01'", "54000", "500 slots")],
            "p_break_minutes": [("NULL", "22004", "p_break_minutes"), ("-1", "22023", "-1$"), ("481", "22023", "481$")],
            "p_room": [("''", "22023", '""'), ("'  '", "22023", "p_room"), (HUGE, "22023", "10000000")],
            "p_rules": [("NULL", "22004", "p_rules"), ("'[]'", "22023", "p_rules"), ("'{\"vetos\": []}'", "22023", '"vetos"'),
                        ("'{\"veto\": [[\"a\"]]}'", "22023", "veto"), ("'{\"veto\": [[\"a\", \"b\"]]}'", "22023", '"a", who does not attend'),
                        ("'{\"representatives\": [[1]]}'", "22023", "representatives"), ("'{\"exclusive\": [[[1, 2]]]}'", "22023", "exclusive"),
                        ("jsonb_build_object('fixed', jsonb_build_array(jsonb_build_object('attendee_1', :a, 'attendee_2', :b, 'start', 'x')))",
                         "22007", '"x"'),
                        ("jsonb_build_object('fixed', jsonb_build_array(jsonb_build_object('attendee_1', :a, 'attendee_2', :b, 'start', '2031-05-05 08:01Z')))",
                         "22023", "where no slot begins"),
                        ("jsonb_build_object('veto', jsonb_build_array(jsonb_build_array(:a, :foreign)))", "22023", "does not attend"),
                        ("('{\"veto\":' || repeat('[', 3000) || repeat(']', 3000) || '}')::jsonb", "22023", "p_rules")],
            "p_now": NOW + [("'infinity'", "22023", "p_now is infinite"), ("'294276-12-31'", "22023", "too far ahead")]}),
    "publish_meeting_schedule": ("p_draft_id => :draft, p_only_unbooked => false, p_now => now()", {
        "p_draft_id": ids() + [(":discarded", "55000", "discarded")], "p_only_unbooked": [("NULL", "22004", "p_only_unbooked")], "p_now": NOW}),
    "discard_meeting_schedule": ("p_draft_id => :draft", {"p_draft_id": ids() + [(":published", "55000", "published")]}),
    "send_meeting_reminders": ("p_now => now()", {"p_now": NOW + [("'infinity'", "22023", "p_now is infinite"), ("'-infinity'", "22023", "p_now")]}),
    "lapse_meeting_proposals": ("p_now => now()", {"p_now": NOW}),
    "meeting_ics": ("p_meeting_id => :meeting", {"p_meeting_id": ids()}),
}


@pytest.fixture(scope="module")
def names(db):
    """What the placeholders of CASES stand for."""
    with db.connect() as conn:
        alpha, beta = make_world(conn, attendees=4)
        people = alpha.people
        made = [conn.execute(
            "INSERT INTO convene.meetings (event_id, attendee_1_id, attendee_2_id, title, scheduled_start, scheduled_end)"
            " VALUES (%s, %s, %s, 'T', now() + %s, now() + %s) RETURNING id", [alpha.id, people[0].id, people[1].id, since, until]).fetchone()[0]
            for since, until in (("2 days", "2 days 1 hour"), ("-1 hour", "1 hour"))]
        drafts = [conn.execute("INSERT INTO convene.meeting_schedule_drafts (event_id, status, published_at) VALUES (%s, %s, now()) RETURNING id",
                               [alpha.id, status]).fetchone()[0] for status in ("draft", "discarded", "published")]
    told = {"draft": drafts[0], "discarded": drafts[1], "published": drafts[2], "a": people[0].id, "b": people[1].id, "c": people[2].id, "foreign": beta.people[0].id, "event": alpha.id,
            "other_event": beta.id, "meeting": made[0], "begun": made[1]}
    return {key: f"'{value}'" for key, value in told.items()}


test_every_argument_has_its_cases, test_the_call_that_is_varied_is_well, test_wrong_arguments = argument_tests(
    CASES, never_wrong=["p_follow_up", "p_from", "p_after", "p_now"])


def test_another_time_than_now_is_the_services(conn, names):
    person = conn.execute("SELECT profile_id FROM convene.attendees WHERE id = %s", [names["a"].strip("'")]).fetchone()[0]
    with as_role(conn, "authenticated", person):
        for statement in ("confirm_meeting(:meeting, '2031-01-01')", "cancel_meeting(:meeting, '2031-01-01')",
                          "complete_meeting(:meeting, p_now => '2032-01-01')", "reschedule_meeting(:meeting, '2031-05-05', p_now => '2030-01-01')",
                          "submit_meeting_feedback(:meeting, 5, p_now => '2032-01-01')"):
            statement = re.sub(r":(\w+)", lambda found: names[found[1]], statement)
            expect_error(conn, "42501", f"SELECT convene.{statement}", message="another time than now")
        for name in ("send_meeting_reminders", "lapse_meeting_proposals"):
            expect_error(conn, "42501", f"SELECT convene.{name}()")


def test_odd_settings_never_break_the_reminders(conn):
    for value in ("1e400", "-1e400", '"much"', "null", "[]", "true", "-5", "0", "1e-300"):
        with conn.transaction(force_rollback=True):
            conn.execute("UPDATE convene.settings SET value = %s::jsonb WHERE key LIKE 'networking.reminder%%'", [value])
            conn.execute("SELECT convene.send_meeting_reminders()")
