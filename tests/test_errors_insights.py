"""Every function of the insights, every argument: the stated SQLSTATE, a message that names the value, nothing half-written."""

import pytest

from lib.access import expect_error
from lib.arguments import HUGE, U, UNKNOWN, argument_tests
from lib.factory import make_event

pytestmark = pytest.mark.errors

# Null means all events.
EVENT = [(UNKNOWN, "P0002", U)]
CASES = {
    "refresh_event_insights": ("p_event_id => :event, p_since => now()", {"p_event_id": EVENT}),
    "rebuild_event_insights": ("p_event_id => :event", {"p_event_id": EVENT}),
    "drop_old_partitions": ("p_keep => '24 months', p_now => now()", {
        "p_keep": [("NULL", "22004", "p_keep")] + [(f"'{value}'", "22023", "p_keep must be between 1 month and 100 years, not") for value in
                                                   ("0", "-1 month", "29 days", "101 years", "178000000 years", "-178000000 years")],
        "p_now": [("NULL", "22004", "p_now")] + [(f"'{value}'", "22023", "p_now must be between 1970 and now, not") for value in
                                                 ("infinity", "-infinity", "4713-06-01 BC", "294276-01-01", "1969-12-31")]}),
    "score_sentiment": ("p_text => 'good'", {}),
}
# Any time is one, any text has a sound.
NEVER_WRONG = {"p_since", "p_text"}


@pytest.fixture(scope="module")
def names(db):
    with db.connect() as connection:
        return {"event": f"'{make_event(connection, 'alpha', sessions=1).id}'"}


test_every_argument_has_its_cases, test_the_call_that_is_varied_is_well, test_wrong_arguments = argument_tests(
    CASES, never_wrong=NEVER_WRONG, hinted=lambda parameter: parameter != "p_event_id")


@pytest.mark.parametrize("value", ["infinity", "-infinity", "4713-06-01 BC", "294276-01-01"])
def test_any_time_is_one(conn, names, value):
    conn.execute("SELECT convene.refresh_event_insights(p_since => %s::timestamptz)", [value])


@pytest.mark.parametrize("text", ["''", "E'\\n'", HUGE, "'!!!'", "'\U0001F468\u200D\U0001F469\u200D\U0001F467'", "repeat('not ', 100000)"])
def test_any_text_has_a_sound(conn, text):
    found = conn.execute(f"SELECT convene.score_sentiment({text})").fetchone()[0]
    assert found is None or -1 <= found <= 1


def test_nothing_is_counted_by_who_may_only_read(conn, names):
    with conn.transaction(force_rollback=True):
        conn.execute("SET TRANSACTION READ ONLY")
        for call in ("refresh_event_insights()", "rebuild_event_insights()", "drop_old_partitions()"):
            expect_error(conn, "25006", f"SELECT convene.{call}")
