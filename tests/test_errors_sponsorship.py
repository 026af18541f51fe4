"""Every function of the fit, every argument: the stated SQLSTATE, a message that names the value, nothing half-written."""

import pytest

from lib.arguments import HUGE, argument_tests, ids, limits
from lib.factory import ident, make_event

pytestmark = pytest.mark.errors

DEEP = "('{\"a\":' || repeat('[', 3000) || repeat(']', 3000) || '}')::jsonb"
WEIGHTS = [("'[]'", "22023", "weights"), ("'{\"budget_fit\": 0.5}'", "22023", "0.5"), ("'{\"luck\": 1}'", "22023", "luck"),
           ("'{\"budget_fit\": 1e400}'", "22023", "p_weights"), (DEEP, "22023", "p_weights")]


def override(text, named):
    return (f"'{text}'", "22023", named)


OVERRIDES = [("NULL", "22004", "p_overrides"), override("[]", "object"), override("1", "object"), override("null", "object"),
             override('{"luck": 1}', "luck"), (DEEP, "22023", "p_overrides"), override('{"budget_factor": 1e400}', "p_overrides"),
             (f"jsonb_build_object({HUGE}, 1)", "22023", "xxx"), (f"jsonb_build_object('regions', jsonb_build_array({HUGE}))", "22023", "regions")] + [
    override(f'{{"{key}": {value}}}', key) for key, values in {
        "annual_budget_cents": ("-1", "1.5", '"1"', "[]", "9223372036854775808"), "budget_factor": ("-1", "null", "1e7", '"2"'),
        "preferred_categories": ('"music"', "null", "[1]", "[null]", "{}"), "add_categories": ('"x"',), "remove_categories": ("{}",),
        "regions": ("null",), "add_regions": ("[[]]",), "remove_regions": ("7",), "event_categories": ('"x"',), "add_event_categories": ("0",),
        "remove_event_categories": ("[true]",), "event_regions": ("null",), "add_event_regions": ('"x"',), "remove_event_regions": ('"x"',),
        "geo_distribution": ("[]", "null", '{"US": -1}', '{"US": "many"}'), "engagement_score": ("-0.1", "1.1", '"x"'),
        "ticket_conversion_rate": ("2", "[]")}.items() for value in values] + [
    override('{"weights": {"geo_fit": 2}}', "add up to 1, not 2"), override('{"weights": 1}', "weights")]

PLAIN = ("p_annual_budget_cents => 1, p_preferred_categories => '{a}', p_event_categories => '{a}', p_regions => '{a}',"
         " p_event_regions => '{a}', p_geo_distribution => '{}', p_engagement_score => 1, p_ticket_conversion_rate => 1,"
         " p_objectives => '{1}', p_event_embedding => '{1}', p_weights => '{\"geo_fit\": 1}'")
PLAIN_WRONG = {"p_weights": WEIGHTS, "p_geo_distribution": [("'{\"US\": 1e400}'", "22023", "p_geo_distribution"), (DEEP, "22023", "p_geo_distribution")]}

CASES = {
    "fn_compute_match_score": ("p_event_id => :event, p_sponsor_id => :sponsor", {"p_event_id": ids(), "p_sponsor_id": ids()}),
    "simulate_match_score": ("p_event_id => :event, p_sponsor_id => :sponsor, p_overrides => '{}'", {
        "p_event_id": ids(), "p_sponsor_id": ids(), "p_overrides": OVERRIDES}),
    "preview_sponsorship_matches": (
        "p_per_event => 5, p_min_score => 0, p_weights => '{\"geo_fit\": 1}', p_event_ids => ARRAY[:event]::uuid[],"
        " p_sponsor_ids => ARRAY[:sponsor]::uuid[], p_now => now()", {
            "p_per_event": limits(1000, "p_per_event"), "p_weights": WEIGHTS, "p_now": [("NULL", "22004", "p_now")],
            "p_min_score": [("NULL", "22004", "p_min_score")] + [(value, "22023", "p_min_score must be between 0 and 1") for value in
                                                                 ("-0.1", "1.1", "'NaN'", "'infinity'")]}),
    "suggest_package_price": ("p_package_id => :package, p_now => now()", {"p_package_id": ids(), "p_now": [("NULL", "22004", "p_now")]}),
    "draft_sponsorship_proposal": ("p_event_id => :event, p_sponsor_id => :sponsor", {"p_event_id": ids(), "p_sponsor_id": ids()}),
    "sponsor_fit_score": (PLAIN, PLAIN_WRONG),
    "sponsor_fit_metrics": (PLAIN, PLAIN_WRONG),
}
# Any text, list or number is one, and null is not known.
NEVER_WRONG = {"p_annual_budget_cents", "p_preferred_categories", "p_event_categories", "p_regions", "p_event_regions",
               "p_event_ids", "p_sponsor_ids", "p_engagement_score", "p_ticket_conversion_rate", "p_objectives", "p_event_embedding"}


@pytest.fixture(scope="module")
def names(db):
    with db.connect() as conn:
        event = make_event(conn, "errors", sessions=1, attendees=1)
        sponsor = ident("errors", "sponsor")
        conn.execute("INSERT INTO convene.sponsors (id, event_id, company_name) VALUES (%s, %s, 'S')", [sponsor, event.id])
        package = conn.execute("INSERT INTO convene.sponsorship_packages (event_id, package_name, tier, price_cents, total_available)"
                               " VALUES (%s, 'Gold', 'gold', 100, 1) RETURNING id", [event.id]).fetchone()[0]
    return {"event": f"'{event.id}'", "sponsor": f"'{sponsor}'", "package": f"'{package}'"}


test_every_argument_has_its_cases, test_the_call_that_is_varied_is_well, test_wrong_arguments = argument_tests(
    CASES, never_wrong=NEVER_WRONG)


@pytest.mark.parametrize("expression", [
    f"jaccard(ARRAY[{HUGE}], '{{a}}')", "jaccard('{{a,b},{c,d}}', '{a}')", f"overlap_share(ARRAY[{HUGE}], ARRAY[{HUGE}])", f"region_code({HUGE})",
    "region_code('')", "budget_fit(9223372036854775807)", "engagement_quality('infinity', '-infinity')",
    "sponsor_fit_score(1, '{}', '{}', '{}', '{}', p_objectives => '{NaN}', p_event_embedding => '{1e38}')",
    "sponsor_fit_score(1, '{}', '{}', '{}', '{}', p_geo_distribution => '[1]')",
])
def test_odd_values_are_values(conn, expression):
    """A text of ten megabytes, a table where a list is meant, numbers that are none: an answer, and the connection is there."""
    assert conn.execute(f"SELECT convene.{expression}").fetchone()[0] is not None


