"""Every function of the matching, every argument: the stated SQLSTATE, a message that names the value, nothing half-written."""

import uuid

import pytest

from lib.access import expect_error
from lib.arguments import argument_tests, call, ids, limits, words
from lib.factory import make_event
from lib.matching import market, match

pytestmark = pytest.mark.errors

U = str(uuid.UUID(int=0xBAD))
HUGE = "repeat('x', 10000000)"
NOT_NULL = [("NULL", "22004", "p_")]
ASKED = {
    "p_attendee_id": ids(), "p_event_id": ids("22023") + [(":other", "22023", "does not attend event")],
    "p_limit": limits(500), "p_algorithm": words("p_algorithm", "Hybrid", "hybrid ", "svd"), "p_now": NOT_NULL,
}
TWO = {"p_attendee_id": ids(), "p_other_attendee_id": ids() + [
    (":me", "22023", "same person"), (":stranger", "P0002", "attendee"), (":nobody", "55000", "not known as a person")]}
CASES = {
    "preview_networking_matches": ("p_attendee_id => :me, p_event_id => :event, p_limit => 5, p_algorithm => 'hybrid', p_now => now()", ASKED),
    "generate_networking_matches": ("p_attendee_id => :me, p_event_id => :event, p_limit => 5, p_algorithm => 'hybrid', p_now => now()", ASKED),
    "generate_event_matches": (
        "p_event_id => :event, p_per_attendee => 3, p_min_score => 0, p_max_incoming => NULL, p_algorithm => 'hybrid',"
        " p_strategy => NULL, p_replace => false, p_now => now()", {
            "p_event_id": ids(), "p_per_attendee": limits(100, "p_per_attendee"),
            "p_min_score": [("NULL", "22004", "p_min_score")] + [
                (value, "22023", "p_min_score must be between 0 and 1") for value in ("-0.01", "1.01", "'NaN'", "'Infinity'", "'-Infinity'")],
            "p_max_incoming": limits(10_000, "p_max_incoming")[1:] + [("3, p_strategy => 'top_k'", "22023", "p_max_incoming does not go with")],
            "p_algorithm": words("p_algorithm", "Hybrid", "svd"), "p_strategy": words("p_strategy", "Top_k", "greedy")[1:],
            "p_replace": [("NULL", "22004", "p_replace")],
            "p_now": NOT_NULL}),
    "accept_match": (
        "p_match_id => :match, p_attendee_id => :me, p_schedule_meeting => false, p_preferred_time => NULL, p_duration_minutes => NULL,"
        " p_now => now()", {
            "p_match_id": ids(), "p_attendee_id": [("NULL", "22004", "p_attendee_id"), (f"'{U}'", "22023", "one of the two")],
            "p_schedule_meeting": NOT_NULL + [("true", "22004", "p_preferred_time")],
            "p_preferred_time": [("NULL, p_schedule_meeting => true", "22004", "p_preferred_time")],
            "p_duration_minutes": [(f"{value}, p_schedule_meeting => true", "22023", f"must be between 1 and 480, not {value}")
                                   for value in ("0", "-1", "481", "2147483647")],
            "p_now": NOT_NULL}),
    "decline_match": ("p_match_id => :match, p_attendee_id => :me", {
        "p_match_id": ids(), "p_attendee_id": [("NULL", "22004", "p_attendee_id"), (f"'{U}'", "22023", "one of the two")]}),
    "expire_matches": ("p_now => now()", {"p_now": NOT_NULL}),
    "networking_quality": ("p_event_id => :event", {"p_event_id": ids()}),
    "find_connectors": ("p_event_id => :event, p_limit => 5", {"p_event_id": ids(), "p_limit": limits(500)}),
    "block_person": ("p_attendee_id => :me, p_other_attendee_id => :them", TWO),
    "unblock_person": ("p_attendee_id => :me, p_other_attendee_id => :them", TWO),
    "report_person": ("p_attendee_id => :me, p_other_attendee_id => :them, p_reason => 'rude', p_details => NULL", {
        **TWO, "p_reason": [("NULL", "22004", "p_reason"), ("''", "22023", "p_reason"), ("'  '", "22023", "p_reason"),
                            ("repeat('x', 201)", "54000", "200 characters"), (HUGE, "54000", "200 characters")],
        "p_details": [("''", "22023", "p_details"), ("repeat('x', 5001)", "54000", "5000 characters"), (HUGE, "54000", "5000")]}),
    "enable_realtime": ("", {}),
}


@pytest.fixture(scope="module")
def names(db):
    """What the placeholders of CASES stand for."""
    with db.connect() as conn:
        event, other = market(conn, "errors", 8), make_event(conn, "elsewhere", sessions=0, attendees=1)
        conn.execute("UPDATE convene.attendees SET profile_id = NULL WHERE id = %s", [event.people[3].id])
        made = match(conn, event, 0, 1)
    told = {"event": event.id, "other": other.id, "me": event.people[0].id, "them": event.people[1].id,
            "nobody": event.people[3].id, "stranger": other.people[0].id, "match": made}
    return {key: f"'{value}'" for key, value in told.items()}


test_every_argument_has_its_cases, test_the_call_that_is_varied_is_well, test_wrong_arguments = argument_tests(CASES)


@pytest.mark.parametrize("weights", [
    '{"goal": 1}', '{"goals": -1}', '{"goals": "x"}', '{"goals": 1e400}', '{"goals": null}', '{"goals": []}', '{"goals": 0}', "{}"])
def test_odd_weights_are_an_error_that_names_them(conn, names, weights):
    for event in (None, names["event"].strip("'")):
        with conn.transaction(force_rollback=True):
            conn.execute("INSERT INTO convene.scoring_weights (surface, name, event_id, weights) VALUES ('networking', 'x', %s, %s)", [event, weights])
            for name in ("preview_networking_matches", "generate_event_matches"):
                expect_error(conn, "22023", call(name, CASES[name][0], names), message="weights")


@pytest.mark.parametrize("value", ['"lower"', "-1", "7", "1e300", "true", "[]", "null"])
def test_odd_settings_do_no_harm(conn, names, value):
    for key in ("met_before", "min_people", "min_people_shown"):
        with conn.transaction(force_rollback=True):
            conn.execute("UPDATE convene.settings SET value = %s WHERE key = %s", [value, f"networking.{key}"])
            assert conn.execute(call("preview_networking_matches", CASES["preview_networking_matches"][0], names)).fetchall()
