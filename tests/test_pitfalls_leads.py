"""What went wrong with the plain-SQL lead score and renewal forecast, line by line, and must not here."""

import uuid
from decimal import Decimal

import pytest

from lib.access import as_role, expect_error, sqlstate
from lib.factory import make_world
from lib.leads import add_sponsors, agree, make_lead, record, stored

pytestmark = pytest.mark.pitfalls
CALCULATE = "SELECT convene.calculate_lead_score(%s)"
PREDICT = "SELECT convene.predict_sponsor_renewal(%s)"


@pytest.fixture(scope="module")
def world(db):
    with db.connect() as conn:
        made = make_world(conn, sessions=1, attendees=4)
        for event in made:
            add_sponsors(conn, event)
        return made


@pytest.fixture
def undone(conn, world):
    with conn.transaction(force_rollback=True):
        yield conn


def test_no_interaction_at_all_is_no_lead(undone, world):
    """There is no row without a contact; one that was written by hand scores nothing, not thirty."""
    alpha, _ = world
    assert undone.execute("SELECT count(*) FROM convene.lead_scoring").fetchone() == (0,)
    lead = make_lead(undone, alpha, "first", 0, lead_score=30)
    assert undone.execute(CALCULATE, [lead]).fetchone() == (0,)
    assert stored(undone, lead) == (0, 0, 0, 0)


def test_null_counters_count_as_nothing(undone, world):
    alpha, _ = world
    for call in ("lead_score(NULL, NULL, NULL, NULL, NULL, NULL)", "lead_engagement_score(NULL, NULL, NULL, NULL, NULL)", "lead_intent_score(NULL)"):
        assert undone.execute(f"SELECT convene.{call}").fetchone() == (0,)
    # One null among counters takes nothing away from the others.
    assert undone.execute("SELECT convene.lead_score(1, NULL, NULL, NULL, NULL, 1)").fetchone() == (43,)
    # And the table has none.
    for column in ("booth_visits", "content_downloads", "session_attendance", "messages_exchanged", "meeting_requested", "interaction_count"):
        lead = ("INSERT INTO convene.lead_scoring (event_id, sponsor_id, attendee_id, lead_score, {}) VALUES (%s, %s, %s, 0, NULL)")
        assert sqlstate(undone, lead.format(column), [alpha.id, alpha.sponsors["first"][0], alpha.people[0].id]).sqlstate == "23502"


@pytest.mark.parametrize("arguments", ["-1, 0, 0, 0, false, 1", "0, -1, 0, 0, false, 1", "0, 0, -1, 0, false, 1", "0, 0, 0, -1, false, 1", "0, 0, 0, 0, false, -1"])
def test_negative_counters_are_named(conn, arguments):
    expect_error(conn, "22023", f"SELECT convene.lead_score({arguments})", message="must not be negative, but is -1")


def test_an_unknown_lead_is_not_found(conn):
    unknown = uuid.uuid4()
    expect_error(conn, "P0002", CALCULATE, [unknown], message=str(unknown))


@pytest.mark.parametrize(("inputs", "probability", "likely"), [
    ((65, 5, 500), "0.70", False),              # .195 + .2 + .3 = .695
    ((100, 10, 0), "0.70", True),
    ((None, None, None), "0.35", False),
    ((0, 1, -999), "0.04", False),              # not -0.56
    ((100, 10, Decimal("9999999999.99")), "1.00", True),
])
def test_renewal(undone, world, inputs, probability, likely):
    alpha, _ = world
    sponsor = alpha.sponsors["first"][0]
    undone.execute("UPDATE convene.sponsors SET engagement_score = %s, satisfaction_score = %s, actual_roi = %s WHERE id = %s", [*inputs, sponsor])
    assert str(undone.execute(PREDICT, [sponsor]).fetchone()[0]) == probability
    assert undone.execute("SELECT renewal_probability::text, renewal_likely FROM convene.sponsors WHERE id = %s", [sponsor]).fetchone() == (probability, likely)


def test_an_unknown_sponsor_has_no_forecast(conn):
    unknown = uuid.uuid4()
    expect_error(conn, "P0002", PREDICT, [unknown], message=str(unknown))


def test_a_forecast_is_not_for_whoever_knows_the_id(undone, world):
    alpha, beta = world
    sponsor = alpha.sponsors["first"][0]
    for sub in (beta.organizer, alpha.people[0].sub, alpha.sponsors["first"][1], alpha.sponsors["second"][1]):
        with as_role(undone, "authenticated", sub):
            expect_error(undone, "42501", PREDICT, [sponsor])
    assert undone.execute("SELECT renewal_probability FROM convene.sponsors WHERE id = %s", [sponsor]).fetchone() == (None,)


@pytest.mark.parametrize("statement", [
    "INSERT INTO convene.lead_scoring (event_id, sponsor_id, attendee_id, lead_score) VALUES (%(event)s, %(sponsor)s, %(person)s, 100)",
    "UPDATE convene.lead_scoring SET lead_score = 100", "UPDATE convene.lead_scoring SET status = 'closed_won'",
    "UPDATE convene.lead_scoring SET consented = true", "DELETE FROM convene.lead_scoring",
    "INSERT INTO convene.lead_interactions (sponsor_id, attendee_id, kind) VALUES (%(sponsor)s, %(person)s, 'badge_scan')",
    "UPDATE convene.sponsors SET renewal_probability = 1", "UPDATE convene.sponsors SET engagement_score = 100",
])
def test_nobody_writes_a_lead_or_a_forecast_directly(undone, world, statement):
    alpha, _ = world
    agree(undone, alpha, 1)
    record(undone, alpha, "first", 1)
    values = {"event": alpha.id, "sponsor": alpha.sponsors["first"][0], "person": alpha.people[0].id}
    for sub in (alpha.organizer, alpha.sponsors["first"][1], alpha.people[0].sub, alpha.people[1].sub):
        with as_role(undone, "authenticated", sub):
            expect_error(undone, "42501", statement, values)


def test_names_of_the_callers_are_not_taken_for_the_servers(db, world):
    """A function or a domain of an attacker's in front of the path is not what a score is computed with."""
    alpha, _ = world
    with db.connect() as conn, conn.transaction(force_rollback=True):
        agree(conn, alpha, 0)
        conn.execute("CREATE SCHEMA evil; GRANT USAGE ON SCHEMA evil TO authenticated")
        conn.execute("CREATE FUNCTION evil.lead_score(int, int, int, int, boolean, int, int) RETURNS int LANGUAGE sql AS 'SELECT 1'")
        conn.execute("CREATE FUNCTION evil.count(\"any\") RETURNS bigint LANGUAGE internal AS 'int8inc'")
        lead = make_lead(conn, alpha, "first", 0, booth_visits=1, interaction_count=1)
        conn.execute("SET LOCAL search_path = evil, pg_catalog, convene")
        with as_role(conn, "authenticated", alpha.sponsors["first"][1]):
            conn.execute("SELECT convene.score_sponsor_leads(%s)", [alpha.sponsors["first"][0]])
        assert stored(conn, lead) == (10, 30, 3, 43)
