"""Every function of the peers, every argument: the stated SQLSTATE, a message that names the value, nothing half-written."""

import re
import uuid

import pytest

from lib.access import as_role, expect_error, sqlstate
from lib.arguments import argument_tests, filled, ids, limits, words
from lib.contractors import Crowd
from lib.factory import make_event

pytestmark = pytest.mark.errors

U = str(uuid.UUID(int=0xBAD))
HUGE = "repeat('x', 10000000)"
# At an event that nobody knows somebody known is not; so says 22023, in the words for any other event.
AT = {"p_event_id": [("NULL", "22004", "p_event_id"), (f"'{U}'", "22023", "is not at event"), (":other", "22023", "is not at event")],
      "p_contractor_id": ids() + [(":stranger", "22023", "is not at event")]}
FLAG = [("NULL", "22004", "p_")]
SCORE = [("NULL", "22004", "p_min_score")] + [
    (value, "22023", "p_min_score must be from 0 to 1") for value in ("-0.01", "1.01", "'NaN'", "'Infinity'", "'-Infinity'", "1e1000")]


def documents(parameter, *wrong):
    """What a document may not be."""
    return [(f"'{value}'", "22023", parameter) for value in ("null", "[]", '"x"', "1", "true", '{"big": 1e400}')] + [
        (f"'{value}'", "22023", key) for value, key in wrong]


# Matching -----------------------------------------------------------------------------------------------------------

MATCHING = {
    "find_peer_matches": (
        "p_event_id => :event, p_contractor_id => :me, p_max_matches => 3, p_min_score => 0.6, p_exclude_matched => true, p_include_met => false",
        {**AT, "p_max_matches": limits(100, "p_max_matches"), "p_min_score": SCORE, "p_exclude_matched": FLAG, "p_include_met": FLAG}),
    "find_cross_event_peers": ("p_contractor_id => :me, p_max_matches => 3, p_min_score => 0.6", {
        "p_contractor_id": ids(), "p_max_matches": limits(100, "p_max_matches"), "p_min_score": SCORE}),
    "create_peer_match": ("p_event_id => :event, p_contractor_id => :me, p_peer_id => :peer, p_match_data => NULL", {
        **AT, "p_peer_id": [("NULL", "22004", "p_peer_id"), (":me", "22023", "themselves"), (f"'{U}'", "P0002", U),
                            (":stranger", "22023", "is not at event"), (":silent", "55000", "cannot be matched")],
        "p_match_data": documents(
            "p_match_data", ('{"match_typ": "ideal_peer"}', '"match_typ"'), ('{"match_type": "best"}', "match_type"),
            ('{"matchType": 1}', "match_type"), ('{"match_score": 1.01}', "match_score"), ('{"match_score": -0.1}', "match_score"),
            ('{"match_score": "0.5"}', "match_score"), ('{"match_reason": 1}', "match_reason"), ('{"match_criteria": []}', "match_criteria"))
        + [("jsonb_build_object('match_reason', repeat('x', 1001))", "22023", "match_reason"),
           (f"jsonb_build_object({HUGE}, 1)", "22023", "p_match_data"),
           ("('{\"match_criteria\":' || repeat('[', 3000) || repeat(']', 3000) || '}')::jsonb", "22023", "p_match_data")]}),
    "generate_event_peer_matches": ("p_event_id => :event, p_max_matches => 3, p_min_score => 0.6, p_include_met => false", {
        "p_event_id": ids(), "p_max_matches": limits(20, "p_max_matches"), "p_min_score": SCORE, "p_include_met": FLAG}),
    "get_contractor_matches": ("p_event_id => :event, p_contractor_id => :me", AT),
    "form_peer_groups": ("p_event_id => :event, p_size => 4, p_topic => 'hiring', p_include_met => false, p_seed => 1", {
        "p_event_id": ids(), "p_size": [("NULL", "22004", "p_size")] + [
            (value, "22023", f"p_size must be between 3 and 12, not {value}$") for value in ("2", "0", "-1", "13", "2147483647")],
        "p_topic": [("''", "22023", "p_topic"), ("'  '", "22023", "p_topic")], "p_include_met": FLAG, "p_seed": FLAG}),
    "record_peer_connection": ("p_match_id => :match, p_meeting_details => '{}'", {
        "p_match_id": ids(), "p_meeting_details": [("NULL", "22004", "p_meeting_details")] + documents(
            "p_meeting_details", ('{"schedule": true}', '"schedule"'), ('{"scheduled": "yes"}', '"scheduled"'), ('{"time": 12}', '"time"'),
            ('{"time": "noon"}', '"time"'), ('{"time": ""}', '"time"'), ('{"time": "infinity"}', '"time"'),
            ('{"time": "2026-09-26 12:30:00"}', '"time"'), ('{"time": "2026-13-26T12:30:00Z"}', '"time"'),
            ('{"time": "294276-12-31T23:00:00Z"}', '"time"'), ('{"time": "10000-01-01T00:00:00Z"}', '"time"'), ('{"time": "4713-01-01 BC Z"}', '"time"'),
            ('{"time": "2026-09-26T12:30:00+99:99"}', '"time"'), ('{"time": "-4712-01-01T00:00:00Z"}', '"time"'), ('{"location": 5}', '"location"'))
        + [("jsonb_build_object('location', repeat('x', 256))", "22023", '"location"')]}),
    "record_peer_feedback": ("p_match_id => :match, p_contractor_id => :me, p_rating => 5, p_text => 'x'", {
        "p_match_id": ids(), "p_contractor_id": [("NULL", "22004", "p_contractor_id"), (f"'{U}'", "22023", "is not one of match"),
                                                  (":stranger", "22023", "is not one of match")],
        "p_rating": limits(10, "p_rating"), "p_text": [("repeat('x', 4001)", "54000", "4000 characters"), (HUGE, "54000", "4000 characters")]}),
    "peer_match_metrics": ("p_event_id => :event", {"p_event_id": ids()}),
    "find_super_connectors": ("p_event_id => :event, p_limit => 5", {"p_event_id": ids(), "p_limit": limits(100)}),
}

CASES = {**MATCHING}


@pytest.fixture(scope="module")
def names(db):
    """What the placeholders of CASES stand for."""
    with db.connect() as conn:
        crowd = Crowd(conn, "errors", 8, signed_in=2)
        other = make_event(conn, "elsewhere", sessions=1)
        me, peer, silent, stranger = *crowd.ids[:3], uuid.uuid4()
        conn.execute("UPDATE convene.event_attendees SET peer_matching_opt_in = false WHERE contractor_id = %s", [silent])
        conn.execute("INSERT INTO convene.contractors (id, first_name) VALUES (%s, 'x')", [stranger])
        match = conn.execute("SELECT convene.create_peer_match(%s, %s, %s)->>'id'", [crowd.event.id, me, crowd.ids[3]]).fetchone()[0]
    told = {"event": crowd.event.id, "other": other.id, "me": me, "peer": peer, "silent": silent, "stranger": stranger, "match": match}
    return {**{key: f"'{value}'" for key, value in told.items()}, "crowd": crowd}


test_every_argument_has_its_cases, test_the_call_that_is_varied_is_well, test_wrong_arguments = argument_tests(CASES)


@pytest.mark.parametrize("statement", [
    "SELECT * FROM convene.find_peer_matches(:event, :me, 100, 0, false, true)",
    "SELECT * FROM convene.find_peer_matches(:event, :silent)",
    "SELECT * FROM convene.create_peer_match(:event, :me, :peer, '{}')",
    "SELECT * FROM convene.create_peer_match(:event, :me, :peer, '{\"match_type\": null, \"matchScore\": 1, \"id\": \"x\", \"company_name\": \"y\"}')",
    "SELECT * FROM convene.form_peer_groups(:event, 12, 'nobody wants this', true, -9223372036854775808)",
    "SELECT * FROM convene.form_peer_groups(:event, p_topic => repeat('x', 1000000))",
    "SELECT * FROM convene.record_peer_connection(:match, '{\"time\": \"2026-09-26T12:30:00Z\", \"location\": null, \"scheduled\": null}')",
    "SELECT * FROM convene.record_peer_connection(:match, '{\"time\": \"2026-09-26T12:30:00+02:00\", \"location\": \"\"}')",
    "SELECT * FROM convene.record_peer_feedback(:match, :me, 10, NULL)",
])
def test_odd_but_allowed(conn, names, statement):
    with conn.transaction(force_rollback=True):
        conn.execute(filled(statement, names)).fetchall()


ODD_WEIGHTS = ['{"focus": 1}', '{"industry": -1}', '{"industry": "x"}', '{"industry": 1e400}', '{"industry": null}', '{"industry": []}',
               '{"focusAreas": 0, "geographic": 0, "businessScale": 0, "industry": 0}']


@pytest.mark.parametrize("weights", ODD_WEIGHTS)
def test_odd_weights_are_an_error_that_names_them(conn, names, weights):
    for event in ("NULL", ":event"):
        with conn.transaction(force_rollback=True):
            conn.execute(filled(f"INSERT INTO convene.scoring_weights (surface, name, event_id, weights) VALUES ('peers', 'x', {event}, '{weights}')",
                                names))
            for statement in ("SELECT * FROM convene.find_peer_matches(:event, :me)", "SELECT convene.generate_event_peer_matches(:event)",
                              "SELECT * FROM convene.form_peer_groups(:event)"):
                got = sqlstate(conn, filled(statement, names))
                assert got.sqlstate == "22023" and re.search("weights", got.message), got


def test_lists_with_nulls_and_oddities_are_read(conn, names):
    with conn.transaction(force_rollback=True):
        conn.execute(filled("UPDATE convene.contractors SET focus_areas = ARRAY[NULL, '', ' ', 'hiring', 'HIRING'], services_offered = '{NULL}',"
                            " city = '', state = '  ', team_size = 2147483647 WHERE id = :me", names))
        rows = conn.execute(filled("SELECT match_criteria FROM convene.find_peer_matches(:event, :me, 100, 0)", names)).fetchall()
        assert len(rows) == 5 and all(row[0]["geographic"] == 0.5 for row in rows)


def test_one_of_the_two_speaks_of_a_meeting_only_after_both_said_yes(conn, names):
    crowd = names["crowd"]
    with conn.transaction(force_rollback=True):
        with as_role(conn, "authenticated", crowd.sub(0)):
            for statement in ("SELECT convene.record_peer_connection(:match)", "SELECT convene.record_peer_feedback(:match, :me, 9)"):
                expect_error(conn, "55000", filled(statement, names), message="has not been accepted by both")
        conn.execute(filled("UPDATE convene.event_peer_matches SET contractor1_response = true, contractor2_response = true WHERE id = :match", names))
        with as_role(conn, "authenticated", crowd.sub(0)):
            for statement in ("SELECT convene.record_peer_connection(:match)", "SELECT convene.record_peer_feedback(:match, :me, 9)"):
                conn.execute(filled(statement, names))
