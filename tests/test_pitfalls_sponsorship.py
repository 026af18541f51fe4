"""What went wrong with the documents' sponsorship functions, line by line, and must not here."""

import pytest

from lib.access import as_role, expect_error
from lib.factory import ident, make_world
from lib.market import add_package, add_sponsor, match, refresh

pytestmark = pytest.mark.pitfalls


@pytest.fixture(scope="module")
def world(db):
    with db.connect() as conn:
        return make_world(conn, sessions=1)


@pytest.fixture
def undone(conn, world):
    with conn.transaction(force_rollback=True):
        yield conn


# The marketplace ---------------------------------------------------------------------------------------------------


def test_a_vector_of_a_wrong_dimension_is_told_both_dimensions(undone, world):
    for name in ("find_similar_sponsors", "find_similar_events"):
        expect_error(undone, "22023", f"SELECT * FROM convene.{name}('[0.1,0.2,0.3]'::vector, 10, 0.7)",
                     message=r"p_embedding has 3 dimensions, model \"text-embedding-ada-002\" has 1536", hint="add_embedding_model")


def test_what_a_package_costs_is_shown_beside_the_fit_and_is_no_part_of_it(undone, world):
    """A sponsor with 10.00 a year: the fit's budget part is 1000 / 101000, whatever is for sale; the view says that nothing is
    affordable. A sale changes what is to be had and no score."""
    event = world[0].id
    sponsor = add_sponsor(undone, "Poor", profile=ident("poor"), budget=1000)
    add_package(undone, event, "Dear", 500_000)
    fit = "SELECT score, (overlap_metrics->>'budget_fit')::float8 FROM convene.fn_compute_match_score(%s, %s)"
    before = undone.execute(fit, [event, sponsor]).fetchone()
    assert before[1] == pytest.approx(1000 / 101000)
    match(undone, event, sponsor, before[0])
    shown = "SELECT score, available_packages, affordable_packages FROM convene.v_event_recommendations WHERE sponsor_id = %s"
    with as_role(undone, "authenticated", ident("poor")):
        assert undone.execute(shown, [sponsor]).fetchall() == [(before[0], 1, 0)]
    add_package(undone, event, "Cheap", 900)
    assert undone.execute(shown, [sponsor]).fetchall() == [(before[0], 2, 1)]
    undone.execute("UPDATE convene.sponsorship_packages SET sold = total_available")
    assert undone.execute(shown, [sponsor]).fetchall() == [(before[0], 0, 0)]
    assert undone.execute(fit, [event, sponsor]).fetchone() == before


def test_no_api_role_reads_a_materialised_view_and_no_view_needs_to(undone, world):
    """A view that asks as its reader cannot read one that the reader may not: the pages read tables with row security."""
    refresh(undone)
    for role, sub in (("authenticated", world[0].organizer), ("service_role", None)):
        with as_role(undone, role, sub):
            for view in ("mv_event_quality_scores", "mv_sponsor_event_fit_scores"):
                expect_error(undone, "42501", f"SELECT * FROM convene.{view}")
            assert undone.execute("SELECT quality_score FROM convene.v_event_marketplace WHERE event_id = %s", [world[0].id]).fetchone()


# The fit ------------------------------------------------------------------------------------------------------------


def test_no_budget_and_no_list_divide_by_zero(undone, world):
    """The table takes no budget below zero; the value does, and neither does an empty list end in an error."""
    call = "SELECT convene.sponsor_fit_score(%s, %s, %s, %s, %s)"
    for budget in (-100_000, -200_000, 0, None):
        # Nothing wanted is neutral: .35 x .5 + .15 x .5 + .10 x .5.
        assert undone.execute(call, [budget, [], [], [], []]).fetchone()[0] == pytest.approx(0.3)
    sponsor = add_sponsor(undone, "Nothing", profile=ident("nothing"), budget=0)
    score = undone.execute("SELECT score FROM convene.fn_compute_match_score(%s, %s)", [world[0].id, sponsor]).fetchone()[0]
    assert 0 <= score <= 1
    expect_error(undone, "23514", "UPDATE convene.sponsor_profiles SET annual_budget_cents = -100000 WHERE sponsor_id = %s", [sponsor])


def test_every_part_is_between_nothing_and_one(undone):
    """What the requirement clamps only in one place: budgets of any size, shares above one."""
    call = "SELECT convene.sponsor_fit_metrics(%s, NULL, NULL, NULL, NULL, p_engagement_score => %s, p_ticket_conversion_rate => %s)"
    for budget in (-(2**63), 2**63 - 1):
        for engagement, conversion in ((-5, -5), (5, 5), (float("nan"), float("inf"))):
            metrics = undone.execute(call, [budget, engagement, conversion]).fetchone()[0]
            assert all(0 <= metrics[part] <= 1 for part in ("budget_fit", "geo_fit", "engagement_quality", "objectives_similarity", "coverage"))
