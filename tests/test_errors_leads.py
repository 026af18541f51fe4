"""Every function of the leads, every argument: the stated SQLSTATE, a message that names the value, nothing half-written."""

import uuid

import pytest

from lib.access import as_role, expect_error
from lib.arguments import argument_tests, filled, ids, limits, words
from lib.factory import make_world
from lib.leads import add_badges, add_sponsors, describe, make_lead

pytestmark = pytest.mark.errors

U = str(uuid.UUID(int=0xBAD))
HUGE = "repeat('x', 10000000)"
DEEP = "('{\"a\":' || repeat('[', 3000) || repeat(']', 3000) || '}')::jsonb"
FLAG = [("NULL", "22004", "p_")]
MOMENT = [("NULL", "22004", "p_now"), ("'infinity'", "22023", "p_now"), ("'-infinity'", "22023", "p_now"),
          ("'4713-06-01 BC'", "22023", "p_now"), ("'294276-01-01'", "22023", "p_now")]
COUNTER = [("-1", "22023", "must not be negative, but is -1"), ("-2147483648", "22023", "-2147483648")]
COUNTERS = {name: COUNTER for name in ("p_booth_visits", "p_content_downloads", "p_session_attendance", "p_messages_exchanged")}
# A word of a list that may be left out.
CHOICE = [("''", "22023", '""'), (HUGE, "22023", "xxx"), ("'New'", "22023", "New"), ("'gold '", "22023", "gold")]
NAME = [("NULL", "22004", "p_"), ("''", "22023", "p_"), ("'   '", "22023", "p_"), (HUGE, "22023", "p_")]

CASES = {
    "record_lead_interaction": (
        "p_sponsor_id => :sponsor, p_attendee_id => :attendee, p_kind => 'message', p_at => now(), p_details => '{}', p_external_id => 'x',"
        " p_badge_token => :badge", {
            "p_sponsor_id": ids(),
            "p_attendee_id": [("NULL, p_badge_token => NULL", "22004", "p_attendee_id"), (f"'{U}', p_badge_token => NULL", "P0002", U),
                              (f"'{U}'", "P0002", "badge"), (":stranger, p_badge_token => NULL", "22023", "no part in event")],
            "p_kind": words("p_kind", "Message", "message ", "visit"),
            "p_at": [("NULL", "22004", "p_at"), ("'infinity'", "22023", "p_at"), ("'-infinity'", "22023", "p_at"),
                     ("now() + '1 day'", "22023", "p_at"), ("'294276-12-31'", "22023", "p_at")],
            "p_details": [("NULL", "22004", "p_details"), ("'[]'", "22023", "p_details"), ("'1'", "22023", "p_details"), ("'null'", "22023", "p_details"),
                          ("jsonb_build_object('a', repeat('x', 10001))", "54000", "p_details"), (DEEP, "22023", "p_details"),
                          ("'{\"a\": 1e400}'", "22023", "p_details")],
            "p_external_id": [("''", "22023", "p_external_id"), ("repeat('x', 201)", "22023", "p_external_id"), (HUGE, "22023", "p_external_id")],
            "p_badge_token": [("''", "P0002", "badge"), ("'wrong'", "P0002", "badge"), (HUGE, "P0002", "badge"), (":other_badge", "P0002", "badge")]}),
    "calculate_lead_score": ("p_lead_id => :lead", {"p_lead_id": ids()}),
    "score_sponsor_leads": ("p_sponsor_id => :sponsor, p_recount => false", {"p_sponsor_id": ids(), "p_recount": FLAG}),
    "score_event_leads": ("p_event_id => :alpha, p_recount => false", {"p_event_id": ids(), "p_recount": FLAG}),
    "get_sponsor_leads": (
        "p_sponsor_id => :sponsor, p_min_score => 0, p_status => 'new', p_limit => 5, p_after => :lead, p_now => now()", {
            "p_sponsor_id": ids(), "p_status": CHOICE, "p_limit": limits(1000), "p_now": MOMENT,
            "p_min_score": [("NULL", "22004", "p_min_score")] + [
                (value, "22023", f"p_min_score must be between 0 and 100, not {value}$") for value in ("-1", "101", "2147483647")],
            "p_after": [(f"'{U}'", "22023", U), (":foreign_lead", "22023", "is no lead of this sponsor")]}),
    "sponsor_attendee_match": ("p_sponsor_id => :sponsor, p_limit => 5", {"p_sponsor_id": ids(), "p_limit": limits(500)}),
    "sponsor_analytics": ("p_sponsor_id => :sponsor, p_days => 30, p_now => now()", {
        "p_sponsor_id": ids(), "p_days": limits(366, "p_days"), "p_now": MOMENT}),
    "predict_sponsor_renewal": ("p_sponsor_id => :sponsor", {"p_sponsor_id": ids()}),
    "renewal_predictions": ("p_event_id => :alpha", {"p_event_id": ids()}),
    "start_renewal_sequence": ("p_sponsor_id => :sponsor, p_now => now()", {"p_sponsor_id": ids(), "p_now": MOMENT}),
    "list_sponsors": ("p_event_id => :alpha, p_tier => 'gold', p_status => 'active', p_limit => 5, p_after => :sponsor", {
        "p_event_id": ids(), "p_tier": CHOICE, "p_status": CHOICE, "p_limit": limits(1000),
        "p_after": [(f"'{U}'", "22023", U), (":foreign_sponsor", "22023", "is no sponsor of this event")]}),
    "add_sponsor": (
        "p_event_id => :alpha, p_company_name => 'Acme', p_sponsorship_tier => 'gold', p_contract_value => 5, p_primary_contact_name => 'N',"
        " p_primary_contact_email => 'n@example.org', p_primary_contact_phone => '1', p_company_website => 'w', p_industry => 'i', p_currency => 'EUR'", {
            "p_event_id": ids(), "p_company_name": NAME, "p_sponsorship_tier": [("NULL", "22004", "p_sponsorship_tier"), *CHOICE],
            "p_contract_value": [("NULL", "22004", "p_contract_value")] + [
                (value, "22023", "p_contract_value") for value in ("-0.01", "10000000000", "'NaN'", "'Infinity'", "'-Infinity'", "1e100000")],
            "p_primary_contact_name": NAME, "p_primary_contact_email": NAME + [
                (f"'{value}'", "22023", "p_primary_contact_email") for value in ("nobody", "@", "a@", "@b", "a b@c")],
            "p_primary_contact_phone": NAME[1:], "p_company_website": NAME[1:], "p_industry": NAME[1:],
            "p_currency": [("NULL", "22004", "p_currency")] + [(f"'{value}'", "22023", "p_currency") for value in ("", "eur", "EURO", "E€")]}),
    "lead_score": (
        "p_booth_visits => 1, p_content_downloads => 1, p_session_attendance => 1, p_messages_exchanged => 1, p_meeting_requested => true,"
        " p_interaction_count => 1, p_fit_score => 30", {
            **COUNTERS, "p_interaction_count": COUNTER,
            "p_fit_score": [("NULL", "22004", "p_fit_score"), ("-1", "22023", "not -1$"), ("31", "22023", "not 31$")]}),
    "lead_engagement_score": (
        "p_booth_visits => 1, p_content_downloads => 1, p_session_attendance => 1, p_messages_exchanged => 1, p_meeting_requested => true", COUNTERS),
    "lead_intent_score": ("p_interaction_count => 1", {"p_interaction_count": COUNTER}),
}


@pytest.fixture(scope="module")
def names(db):
    """What the placeholders of CASES stand for."""
    with db.connect() as conn:
        alpha, beta = make_world(conn, sessions=1)
        for event in (alpha, beta):
            add_sponsors(conn, event)
            add_badges(conn, event)
        # A list goes on from a lead that it shows.
        conn.execute("UPDATE convene.attendees SET sponsor_consent = true WHERE id = %s", [alpha.people[1].id])
        told = {"attendee": alpha.people[0].id, "alpha": alpha.id, "sponsor": alpha.sponsors["first"][0], "stranger": beta.people[0].id,
                "badge": alpha.badges[0], "other_badge": beta.badges[0], "foreign_sponsor": beta.sponsors["first"][0],
                "lead": make_lead(conn, alpha, "first", 1, interaction_count=1), "foreign_lead": make_lead(conn, alpha, "second", 1)}
        told["market"] = conn.execute("INSERT INTO convene.sponsors (company_name) VALUES ('Market') RETURNING id").fetchone()[0]
    return {**{key: f"'{value}'" for key, value in told.items()}, "world": alpha}


test_every_argument_has_its_cases, test_the_call_that_is_varied_is_well, test_wrong_arguments = argument_tests(
    CASES, never_wrong=["p_meeting_requested"])


@pytest.mark.parametrize("statement", [
    "SELECT * FROM convene.get_sponsor_leads(:sponsor, 100, NULL, 1000, NULL, '0001-01-02')",
    "SELECT * FROM convene.get_sponsor_leads(:sponsor, p_now => '9999-12-31')",
    "SELECT convene.sponsor_analytics(:sponsor, 366, '9999-12-31')", "SELECT convene.sponsor_analytics(:sponsor, 366, '0001-01-02')",
    "SELECT convene.sponsor_analytics(:market)", "SELECT convene.score_sponsor_leads(:market, true)",
    "SELECT * FROM convene.sponsor_attendee_match(:market, 500)", "SELECT convene.predict_sponsor_renewal(:market)",
    "SELECT * FROM convene.get_sponsor_leads(:market)", "SELECT convene.start_renewal_sequence(:sponsor, '2000-01-01')",
    "SELECT convene.record_lead_interaction(:sponsor, :attendee, 'other', '0001-01-01', '{\"n\": [[[[]]], 1e300]}')",
    "SELECT convene.lead_score(2147483647, 2147483647, 2147483647, 2147483647, true, 2147483647, 0)",
])
def test_odd_but_allowed(conn, names, statement):
    with conn.transaction(force_rollback=True):
        conn.execute(filled(statement, names)).fetchall()


@pytest.mark.parametrize("ideal", [
    '{"industries": {"a": 1}}', '{"roles": 7, "topics": "ai"}', '{"industries": [[], {}, null, 1e400]}', '{"seniority": ["", "  ", "\\u0001"]}',
    '{"topics": [' + ", ".join(f'"t{n}"' for n in range(1000)) + "]}",
])
def test_odd_customers_never_break_a_batch(conn, names, ideal):
    event = names["world"]
    with conn.transaction(force_rollback=True):
        describe(conn, event, "first", ideal)
        conn.execute("UPDATE convene.sponsor_profiles SET target_audience = ('{\"interests\":' || repeat('[', 3000) || repeat(']', 3000) || '}')::jsonb")
        for statement in ("SELECT convene.score_event_leads(:alpha, true)", "SELECT convene.calculate_lead_score(:lead)",
                          "SELECT * FROM convene.get_sponsor_leads(:sponsor)", "SELECT * FROM convene.sponsor_attendee_match(:sponsor)"):
            conn.execute(filled(statement, names)).fetchall()
        assert conn.execute("SELECT bool_and(lead_score = engagement_score + fit_score + intent_score) FROM convene.lead_scoring").fetchone() == (True,)


def test_a_sponsor_hears_no_more_of_a_wrong_badge(conn, names):
    event = names["world"]
    with conn.transaction(force_rollback=True), as_role(conn, "authenticated", event.sponsors["first"][1]):
        told = {expect_error(conn, "42501", filled(
            f"SELECT convene.record_lead_interaction(:sponsor, {who}, 'message', p_badge_token => {badge})", names), hint="p_badge_token")
            for who in ("NULL", ":attendee", ":stranger", f"'{U}'") for badge in ("''", "'wrong'", ":other_badge", HUGE)}
        assert len(told) == 1
