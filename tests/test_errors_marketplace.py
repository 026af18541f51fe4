"""Every function of the marketplace, every argument: the stated SQLSTATE, a message that names the value, nothing half-written."""

import pytest

from lib.access import expect_error
from lib.arguments import HUGE, argument_tests, ids, limits
from lib.factory import make_event
from lib.market import add_sponsor, insert

pytestmark = pytest.mark.errors

SCORE = [("NULL", "22004", "p_min_score")] + [
    (value, "22023", f"p_min_score must be between 0 and 1, not {named}$")
    for value, named in (("-0.1", "-0.1"), ("1.1", "1.1"), ("'NaN'", "NaN"), ("'infinity'", "inf"), ("'-infinity'", "-inf"))]
THRESHOLD = [("NULL", "22004", "p_threshold")] + [
    (value, "22023", f"p_threshold must be between -1 and 1, not {named}$")
    for value, named in (("-1.1", "-1.1"), ("1.1", "1.1"), ("'NaN'", "NaN"), ("'infinity'", "inf"))]
VECTOR = [("NULL", "22004", "p_embedding"), ("ARRAY[]::real[]", "22023", "no direction"),
          ("ARRAY[1,2]", "22023", r"2 dimensions, model \"m3\" has 3"), ("ARRAY[1,NULL,3]", "22004", r"p_embedding\[2\]"),
          ("ARRAY[1,'NaN'::real,3]", "22023", r"p_embedding\[2\] is NaN"),
          ("ARRAY[1,2,'Infinity'::real]", "22023", r"p_embedding\[3\] is inf"), ("ARRAY[0,0,0]::real[]", "22023", "no direction"),
          ("array_fill(1::real, ARRAY[20000])", "22023", "20000 dimensions"),
          ("ARRAY[1,2], p_model => NULL", "22023", r"2 dimensions, model \"text-embedding-ada-002\" has 1536"),
          ("ARRAY[1,2,3,4], p_model => NULL", "22023", r"4 dimensions, as have \"m4\" and \"n4\"")]
MODEL = [("''", "22023", '""'), ("'M3'", "22023", "M3"), (HUGE, "22023", "xxx"), ("'text-embedding-ada-002'", "22023", "3 dimensions, .* 1536")]
NEAR = ("p_embedding => ARRAY[1,2,3], p_limit => 5, p_threshold => 0.5, p_model => 'm3'",
        {"p_embedding": VECTOR, "p_limit": limits(500), "p_threshold": THRESHOLD, "p_model": MODEL})

CASES = {
    "refresh_marketplace": ("p_which => 'package_cards', p_now => now()", {
        "p_which": [("''", "22023", '""'), ("'Package_cards'", "22023", "Package_cards"), ("'package_cards '", "22023", "package_cards "),
                    (HUGE, "22023", "xxx")],
        "p_now": [("NULL", "22004", "p_now"), ("'infinity'", "22023", "p_now is infinite"), ("'-infinity'", "22023", "p_now is infinite"),
                  ("'10000-01-01 UTC'", "22023", "p_now 10000-01-01.* is too far ahead"), ("'0001-01-01 BC'", "22023", "too long ago")]}),
    "get_sponsor_recommendations": ("p_event_id => :event, p_limit => 5, p_min_score => 0.5", {
        "p_event_id": ids(), "p_limit": limits(500), "p_min_score": SCORE}),
    "get_event_recommendations": ("p_sponsor_id => :sponsor, p_limit => 5, p_min_score => 0.5", {
        "p_sponsor_id": ids(), "p_limit": limits(500), "p_min_score": SCORE}),
    "semantic_sponsor_event_match": ("p_event_id => :event, p_limit => 5", {
        "p_event_id": [*ids(), (":bare", "55000", "has no vector")], "p_limit": limits(500)}),
    "find_similar_sponsors": NEAR,
    "find_similar_events": NEAR,
}


@pytest.fixture(scope="module")
def names(db):
    with db.connect() as conn:
        event, bare = make_event(conn, "errors", sessions=1, attendees=1), make_event(conn, "bare", sessions=0, attendees=0)
        conn.execute("SELECT convene.add_embedding_model('m3', 3), convene.add_embedding_model('m4', 4), convene.add_embedding_model('n4', 4)")
        sponsor = add_sponsor(conn, "Acme", model="m3", vector=[1, 2, 3])
        insert(conn, "event_embeddings", event_id=event.id, embedding="[1,2,3]", embedding_model="m3", source_text="x")
    return {"event": f"'{event.id}'", "bare": f"'{bare.id}'", "sponsor": f"'{sponsor}'"}


test_every_argument_has_its_cases, test_the_call_that_is_varied_is_well, test_wrong_arguments = argument_tests(CASES)


def test_the_parts_are_named_to_whoever_names_another(conn):
    expect_error(conn, "22023", "SELECT * FROM convene.refresh_marketplace('all')",
                 hint="sponsor_event_fit_scores, mv_sponsor_event_fit_scores, event_quality_scores, mv_event_quality_scores,"
                      " marketplace_analytics, sponsor_cards, package_cards, or null for all")
