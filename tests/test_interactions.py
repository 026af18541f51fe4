"""The ledger through its function: what it takes, what it refuses, and what follows from it."""

import math
import uuid
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest

from lib.access import as_role, expect_error
from lib.factory import make_event, make_world
from lib.reference import interested, recommend

RECORD = "SELECT convene.record_session_interaction(%s, %s, %s, %s::numeric, %s)"
NOW = datetime(2026, 1, 5, 9, tzinfo=timezone.utc)


@pytest.fixture(scope="module")
def world(db):
    with db.connect() as connection:
        return make_world(connection, sessions=12)


def rows(conn, attendee):
    return conn.execute("SELECT session_id, kind, value, at, event_id FROM convene.session_interactions"
                        " WHERE attendee_id = %s ORDER BY session_id, kind", [attendee]).fetchall()


def test_each_kind_is_kept_once_with_its_first_moment(conn, world):
    alpha, _ = world
    person, session = alpha.people[0], alpha.sessions[0]
    with as_role(conn, "authenticated", person.sub):
        for kind in ("browsed", "bookmarked", "attended"):
            told = conn.execute(RECORD, [person.id, session, kind, None, NOW]).fetchone()[0]
            assert told == {"attendee_id": str(person.id), "session_id": str(session), "kind": kind, "value": None, "changed": True}
            later = conn.execute(RECORD, [person.id, session, kind, None, NOW + timedelta(days=1)]).fetchone()[0]
            assert later["changed"] is False
    assert rows(conn, person.id) == [(session, kind, None, NOW, alpha.id) for kind in ("attended", "bookmarked", "browsed")]


def test_a_rating_replaces_the_one_before(conn, world):
    alpha, _ = world
    person, session = alpha.people[1], alpha.sessions[1]
    with as_role(conn, "authenticated", person.sub):
        for value, changed in ((1, True), (1, False), (Decimal("3.5"), True), (5, True)):
            told = conn.execute(RECORD, [person.id, session, "rated", value, NOW]).fetchone()[0]
            assert (told["changed"], told["value"]) == (changed, float(value))
    assert rows(conn, person.id) == [(session, "rated", 5, NOW, alpha.id)]


@pytest.mark.parametrize("kind,value,message", [
    ("liked", None, '"liked"'), ("", None, '""'), ("Rated", 3, '"Rated"'), ("bookmarked ", None, '"bookmarked "'),
    ("rated", None, "p_value"), ("rated", 0, "not 0"), ("rated", 6, "not 6"), ("rated", -1, "not -1"),
    ("rated", Decimal("5.01"), "5.01"), ("rated", Decimal("NaN"), "NaN"), ("rated", Decimal("1e1000"), "p_value"),
    ("bookmarked", 3, "p_value 3"), ("browsed", 1, "browsed"), ("attended", 5, "attended"),
])
def test_wrong_kinds_and_values_are_refused_and_leave_nothing(conn, world, kind, value, message):
    alpha, _ = world
    person = alpha.people[2]
    with as_role(conn, "authenticated", person.sub):
        expect_error(conn, "22023", RECORD, [person.id, alpha.sessions[0], kind, value, NOW], message=message)
    assert rows(conn, person.id) == []


def test_infinite_values_and_moments_are_refused(conn, world):
    alpha, _ = world
    person = alpha.people[2]
    call = "SELECT convene.record_session_interaction(%s, %s, {}, {}, {})"
    for kind, value, at in (("'rated'", "'Infinity'", "now()"), ("'rated'", "'-Infinity'", "now()"),
                            ("'browsed'", "NULL", "'infinity'"), ("'browsed'", "NULL", "'-infinity'"),
                            ("'browsed'", "NULL", "clock_timestamp() + '1 minute'"), ("'browsed'", "NULL", "'294000-01-01'")):
        expect_error(conn, "22023", call.format(kind, value, at), [person.id, alpha.sessions[0]])
    expect_error(conn, "22004", call.format("'browsed'", "NULL", "NULL"), [person.id, alpha.sessions[0]], message="p_at")
    assert rows(conn, person.id) == []


def test_only_sessions_of_the_own_event(conn, world):
    alpha, beta = world
    person = alpha.people[2]
    unknown = uuid.uuid4()
    texts = set()
    with as_role(conn, "authenticated", person.sub):
        for session in (beta.sessions[0], unknown):
            refusal = expect_error(conn, "42501", RECORD, [person.id, session, "browsed", None, NOW])
            texts.add(refusal)
    assert len(texts) == 1
    expect_error(conn, "22023", RECORD, [person.id, beta.sessions[0], "browsed", None, NOW], message="another event")
    expect_error(conn, "P0002", RECORD, [person.id, unknown, "browsed", None, NOW], message=str(unknown))
    assert rows(conn, person.id) == []


def test_interest_is_counted_at_once_and_by_hand(conn):
    """Six people: four signals of one person count once, a 2 not at all, a 3 does."""
    event = make_event(conn, "interest", attendees=6)
    session = event.sessions[4]
    signals = [(0, "browsed", None), (0, "bookmarked", None), (0, "attended", None), (0, "rated", 4), (1, "browsed", None),
               (2, "attended", None), (2, "rated", 2), (3, "rated", 3), (4, "rated", 1)]

    def counted():
        found = conn.execute("SELECT session_ids, people, interactions FROM convene.event_popularity WHERE event_id = %s",
                             [event.id]).fetchone()
        return dict(zip(found[0], found[1])).get(session, 0), found[2]

    for expected, (person, kind, value) in zip((1, 1, 1, 1, 2, 3, 2, 3, 3), signals):
        conn.execute(RECORD, [event.people[person].id, session, kind, value, NOW])
        assert counted()[0] == expected == interested(conn, session)
    assert counted() == (3, 9)
    conn.execute("DELETE FROM convene.session_interactions WHERE attendee_id = %s", [event.people[3].id])
    assert counted() == (2, 8)
    # ln(1 + 2) is the only positive score, so this session leads with 1.
    best = recommend(conn, event, 5)[0]
    assert (best.session, best.score) == (session, 1.0) and math.isclose(best.parts["popularity"]["score"], 1)
