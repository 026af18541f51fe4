"""Every function of the queue of fits, every argument: the stated SQLSTATE, a message that names the value, nothing half-written."""

import pytest

from lib.access import as_role, expect_error
from lib.arguments import U, argument_tests, ids, limits, words
from lib.factory import ident, make_event

pytestmark = pytest.mark.errors

MANY = "(SELECT array_agg(gen_random_uuid()) FROM generate_series(1, 650000))"
MOMENT = [("NULL", "22004", "p_now"), ("'infinity'", "22023", "p_now"), ("'-infinity'", "22023", "p_now")]
LIST = lambda name: [(f"ARRAY['{U}']::uuid[]", "P0002", U), ("ARRAY[NULL]::uuid[]", "22004", name), (MANY, "54000", "650000")]  # noqa: E731
CASES = {
    "update_sponsorship_matches": ("p_batch => 5", {"p_batch": limits(10000, "p_batch")}),
    "sponsorship_recalc": ("p_batch => 5", {"p_batch": limits(10000, "p_batch")}),
    "sponsorship_score_onchange": (
        "sponsor_id => :sponsor, event_id => :event, sponsor_ids => ARRAY[:sponsor]::uuid[], event_ids => ARRAY[:event]::uuid[]", {
            "sponsor_id": [(f"'{U}'", "P0002", U)], "event_id": [(f"'{U}'", "P0002", U)],
            "sponsor_ids": LIST("sponsor_ids"), "event_ids": LIST("event_ids")}),
    "queue_expired_events": ("p_now => now()", {"p_now": MOMENT}),
    "answer_sponsorship_match": ("p_event_id => :event, p_sponsor_id => :sponsor, p_action => 'viewed'", {
        "p_event_id": ids(), "p_sponsor_id": ids(), "p_action": words("p_action", "Viewed", "viewed ", "accept")}),
    "check_recalc_queue_health": ("p_now => now()", {"p_now": MOMENT}),
    "cleanup_recalc_queue": ("p_keep => '7 days'", {"p_keep": [
        ("NULL", "22004", "p_keep"), ("'-1 day'", "22023", "-1 days"), ("'101 years'", "22023", "101 years"), ("'170000000 years'", "22023", "p_keep")]}),
}


@pytest.fixture(scope="module")
def names(db):
    with db.connect() as conn:
        event = make_event(conn, "errors", sessions=1, attendees=1)
        sponsor = ident("errors", "sponsor")
        conn.execute("INSERT INTO convene.sponsors (id, event_id, company_name) VALUES (%s, %s, 'S')", [sponsor, event.id])
        conn.execute("INSERT INTO convene.sponsor_profiles (sponsor_id) VALUES (%s)", [sponsor])
        conn.execute("INSERT INTO convene.sponsorship_matches (event_id, sponsor_id, score) VALUES (%s, %s, 0.5)", [event.id, sponsor])
    return {"event": f"'{event.id}'", "sponsor": f"'{sponsor}'"}


test_every_argument_has_its_cases, test_the_call_that_is_varied_is_well, test_wrong_arguments = argument_tests(CASES)


def test_a_request_for_nothing_is_none(conn):
    expect_error(conn, "22004", "SELECT convene.sponsorship_score_onchange()", message="sponsor_ids")
    assert conn.execute("SELECT convene.sponsorship_score_onchange(sponsor_ids => '{}') ->> 'queued'").fetchone() == ("0",)


@pytest.mark.parametrize("call", ["update_sponsorship_matches(NULL)", "sponsorship_recalc(0)", "queue_expired_events(NULL)",
                                  "cleanup_recalc_queue(NULL)", "check_recalc_queue_health(NULL)"])
def test_who_may_not_is_told_so_first(conn, names, call):
    for role, sub in (("authenticated", ident("nobody")), ("anon", None)):
        with as_role(conn, role, sub):
            expect_error(conn, "42501", f"SELECT * FROM convene.{call}")
