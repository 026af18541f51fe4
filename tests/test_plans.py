"""Look-ups by a few keys are planned once in a session, and by indexes, however small the tables are."""

import json

import pytest

from lib.factory import ident, make_event

pytestmark = pytest.mark.sql

# The table that is read, how its condition looks where the plan is for all values, and the call.
CALLS = {
    "meeting_conflicts": ("meeting_bookings", "tstzrange($2, $3)", "meeting_conflicts(%(a)s, '2031-05-05 10:00Z', '2031-05-05 10:30Z')"),
    "find_meeting_slots": ("meeting_bookings", "tstzrange($2, $3)", "find_meeting_slots(%(a)s, %(b)s, 15)"),
    "fn_compute_match_score": ("sponsor_profiles", "ANY ($1)", "fn_compute_match_score(%(event)s, %(sponsor)s)"),
}


@pytest.fixture(scope="module")
def names(db):
    with db.connect() as conn:
        event = make_event(conn, "plans", sessions=1)
        sponsor = ident("plans", "sponsor")
        conn.execute("INSERT INTO convene.sponsors (id, event_id, company_name) VALUES (%s, %s, 'S')", [sponsor, event.id])
    return {"event": event.id, "sponsor": sponsor, "a": event.people[0].id, "b": event.people[1].id}


def plans(conn, table, call, names):
    """The plans by which a call reads a table, as the server tells them."""
    found = []

    def listen(notice):
        text = notice.message_primary or ""
        if "plan:\n" in text and f'"{table}"' in text:
            found.append(json.loads(text.split("plan:\n", 1)[1]))

    conn.add_notice_handler(listen)
    conn.execute("SET client_min_messages = log")
    try:
        conn.execute(f"SELECT * FROM convene.{call}", names).fetchall()
    finally:
        conn.execute("RESET client_min_messages")
        conn.remove_notice_handler(listen)
    return found


def nodes(plan):
    yield plan
    for below in plan.get("Plans", []):
        yield from nodes(below)


@pytest.mark.parametrize("name", CALLS)
def test_a_look_up_by_a_few_keys_is_planned_once_and_by_indexes(conn, names, name):
    table, condition, call = CALLS[name]
    conn.execute("LOAD 'auto_explain'")
    for setting, value in (("log_min_duration", "0"), ("log_nested_statements", "on"), ("log_format", "json")):
        conn.execute(f"SET auto_explain.{setting} = {value}")
    # From the sixth time on the server takes the plan for all values, if it finds it no dearer than those before.
    for _ in range(8):
        seen = plans(conn, table, call, names)
    assert len(seen) == 1
    assert condition in json.dumps(seen[0]["Plan"]), "this plan is for these very values"
    assert [node for node in nodes(seen[0]["Plan"]) if node["Node Type"] == "Seq Scan"] == []
