"""What went wrong with the document's function for matches, and does not here."""

import re

import pytest

from lib.access import as_role, expect_error
from lib.factory import make_event
from lib.matching import generate, market, match, preview, want

pytestmark = pytest.mark.pitfalls


@pytest.fixture
def event(conn, request):
    return make_event(conn, re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-"), sessions=0, attendees=5)


def test_investors_meet_investment(conn, event):
    want(conn, event, 0, ["investors"], [])
    want(conn, event, 1, [], ["investment"])
    assert preview(conn, event, algorithm="goal_based")[0].score == 1
    assert preview(conn, event)[0].reasons[0] == "Looking for: investors. They can offer: investment"


def test_preferences_of_another_event_do_not_count(conn, event):
    """The join forgot the event: who had preferences in two came twice."""
    other = make_event(conn, "the-other-event", sessions=0, attendees=0)
    for person in (0, 1):
        want(conn, event, person, ["a"], ["a"])
        again = conn.execute("INSERT INTO convene.attendees (event_id, profile_id, full_name) VALUES (%s, %s, 'x') RETURNING id",
                             [other.id, event.people[person].sub]).fetchone()[0]
        conn.execute("INSERT INTO convene.networking_preferences (attendee_id, event_id, looking_for) VALUES (%s, %s, '{b}')", [again, other.id])
    assert [row.other for row in preview(conn, event, algorithm="goal_based")] == [event.people[1].id]


@pytest.mark.parametrize("algorithm", ["hybrid", "goal_based", "interest_based", "graph_based"])
def test_no_score_is_null(conn, event, algorithm):
    want(conn, event, 0)
    want(conn, event, 1, ["a"], [])
    want(conn, event, 2, [], ["a"])
    want(conn, event, 3)
    for person in range(4):
        rows = conn.execute("SELECT compatibility_score, own_score, other_score, coverage, match_reasons, score_parts"
                            " FROM convene.preview_networking_matches(%s, %s, p_algorithm => %s)",
                            [event.people[person].id, event.id, algorithm]).fetchall()
        assert all(value is not None for row in rows for value in row)
        assert algorithm != "goal_based" or len(rows) == 3
    with as_role(conn, "authenticated", event.people[0].sub):
        expect_error(conn, "42501", "SELECT * FROM convene.preview_networking_matches(gen_random_uuid(), %s)", [event.id])


def test_whoever_switched_it_off_is_shown_nobody(conn, event):
    want(conn, event, 0, ["a"], ["a"], networking_enabled=False)
    want(conn, event, 1, ["a"], ["a"])
    assert preview(conn, event, 0) == [] and preview(conn, event, 1) == []


def test_repeated_words_count_once(conn, event):
    want(conn, event, 0, ["a", "A ", "a", "b"], [])
    want(conn, event, 1, [], ["a", "a"])
    assert preview(conn, event, algorithm="goal_based")[0].score == 0.5


def test_a_match_has_an_id_that_is_stored(conn, event):
    want(conn, event, 0, ["a"], ["a"])
    want(conn, event, 1, ["a"], ["a"])
    made = generate(conn, event)[0]["match_id"]
    assert conn.execute("SELECT status FROM convene.matches WHERE id = %s", [made]).fetchone() == ("suggested",)
    assert generate(conn, event, 1)[0]["match_id"] == made


def test_both_sides_have_one_score_for_what_both_get(conn, event):
    """0.33 one way and 1.00 the other is told as such, and ranked by what both get."""
    want(conn, event, 0, ["a", "b", "c"], [])
    want(conn, event, 1, [], ["a"])
    one, other = preview(conn, event, 0)[0], preview(conn, event, 1)[0]
    assert (one.own, one.their) == (other.their, other.own) and one.score == other.score
    goals = [preview(conn, event, person, algorithm="goal_based")[0].score for person in (0, 1)]
    assert goals == [0.3333, 1]


def test_ties_are_in_order(conn, event):
    for person in range(5):
        want(conn, event, person, ["a"], ["a"])
    for algorithm in ("hybrid", "goal_based"):
        found = [row.other for row in preview(conn, event, 2, algorithm=algorithm)]
        assert found == sorted(found) and len(found) == 4


@pytest.mark.parametrize("wide", [False, True], ids=["narrow", "wide"])
def test_people_are_told_apart_beyond_goals(conn, wide):
    """With five words nearly everybody's best score by goals is 1; the hybrid has an order all the same."""
    event = market(conn, f"apart-{wide}".lower(), 150, wide=wide, silent=0.05)
    best = {algorithm: [row.score for row in preview(conn, event, 0, 20, algorithm)] for algorithm in ("goal_based", "hybrid")}
    assert len(set(best["hybrid"])) >= 18 and max(best["hybrid"]) < 1
    if not wide:
        assert best["goal_based"].count(1.0) >= 15


def test_nobody_is_suggested_an_own_match_again(conn, event):
    for person in range(3):
        want(conn, event, person, ["a"], ["a"])
    match(conn, event, 0, 1, "mutual_accepted")
    assert [row.other for row in preview(conn, event)] == [event.people[2].id]


def test_nobody_writes_a_match_between_others_or_accepts_for_both(conn, event):
    made = match(conn, event, 0, 1)
    with as_role(conn, "authenticated", event.people[0].sub):
        expect_error(conn, "42501", "INSERT INTO convene.matches (event_id, attendee_1_id, attendee_2_id, compatibility_score,"
                     " matching_algorithm, status) VALUES (%s, %s, %s, 1, 'hybrid', 'mutual_accepted')",
                     [event.id, *sorted([event.people[2].id, event.people[3].id])])
        expect_error(conn, "42501", "UPDATE convene.matches SET status = 'mutual_accepted', compatibility_score = 1 WHERE id = %s", [made])


@pytest.mark.parametrize("limit", ["-1", "0", "51", "NULL"])
def test_a_limit_is_a_limit(conn, event, limit):
    want(conn, event, 0, ["a"], ["a"])
    with as_role(conn, "authenticated", event.people[0].sub):
        expect_error(conn, "22004" if limit == "NULL" else "22023",
                     f"SELECT * FROM convene.preview_networking_matches(%s, %s, {limit})", [event.people[0].id, event.id], message="p_limit")


def test_a_hostile_search_path_changes_nothing(conn, event):
    want(conn, event, 0, ["a"], ["b"])
    want(conn, event, 1, ["b"], ["a"])
    plain = preview(conn, event)
    with conn.transaction(force_rollback=True):
        conn.execute("CREATE TEMP TABLE networking_preferences (x int)")
        conn.execute("CREATE DOMAIN pg_temp.text AS pg_catalog.text CHECK (false)")
        conn.execute("CREATE FUNCTION pg_temp.lower(pg_catalog.text) RETURNS pg_catalog.text LANGUAGE sql AS 'SELECT ''x''::pg_catalog.text'")
        conn.execute("SET LOCAL search_path = pg_temp, convene, pg_catalog")
        assert preview(conn, event) == plain
