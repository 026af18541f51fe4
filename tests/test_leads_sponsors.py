"""Sponsors of an event: listed and added, what a sponsorship brought, who will stay, and who is asked when."""

import uuid
from datetime import datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal

import pytest

from lib.access import as_role, expect_error
from lib.factory import make_world
from lib.leads import add_sponsors, agree, make_lead, record

PREDICT = "SELECT convene.predict_sponsor_renewal(%s)"
ADD = "SELECT convene.add_sponsor(%s, %s, %s, %s, 'Cara', %s)"
NOW = datetime(2026, 3, 10, 12, tzinfo=timezone.utc)


@pytest.fixture(scope="module")
def world(db):
    with db.connect() as conn:
        made = make_world(conn, sessions=1, attendees=8)
        for event in made:
            add_sponsors(conn, event, contract_value=1000)
        return made


@pytest.fixture
def undone(conn, world):
    with conn.transaction(force_rollback=True):
        yield conn


def rate(conn, event, name, engagement, satisfaction, roi):
    conn.execute("UPDATE convene.sponsors SET engagement_score = %s, satisfaction_score = %s, actual_roi = %s WHERE id = %s",
                 [engagement, satisfaction, roi, event.sponsors[name][0]])


def by_formula(engagement, satisfaction, roi):
    """Exactly, in decimal arithmetic; and whether it is likely, before rounding."""
    exact = (Decimal("0.3") * (50 if engagement is None else engagement) / 100 + Decimal("0.4") * (5 if satisfaction is None else satisfaction) / 10
             + Decimal("0.3") * min(max(Decimal(str(roi or 0)), Decimal(0)), Decimal(500)) / 500)
    return exact.quantize(Decimal("0.01"), ROUND_HALF_UP), exact >= Decimal("0.70")


# Renewal -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("engagement", "satisfaction", "roi", "probability", "likely"), [
    (80, 9, 250, "0.75", True),        # .24 + .36 + .15
    (None, None, None, "0.35", False),  # .15 + .20
    (100, 10, 500, "1.00", True),
    (100, 10, 9999999999, "1.00", True),
    (0, 1, -999, "0.04", False),
    (100, 10, 0, "0.70", True),
    (95, 10, Decimal("16.67"), "0.70", False),  # .285 + .4 + .010002 = .695002
    (95, 10, Decimal("16.66"), "0.69", False),
    (5, 5, None, "0.22", False),       # .015 + .2 = .215
    (35, 10, Decimal("325"), "0.70", True),  # .105 + .4 + .195
])
def test_renewal_by_hand(undone, world, engagement, satisfaction, roi, probability, likely):
    alpha, _ = world
    rate(undone, alpha, "first", engagement, satisfaction, roi)
    sponsor = alpha.sponsors["first"][0]
    with as_role(undone, "authenticated", alpha.organizer):
        assert str(undone.execute(PREDICT, [sponsor]).fetchone()[0]) == probability
    assert by_formula(engagement, satisfaction, roi) == (Decimal(probability), likely)
    assert undone.execute("SELECT renewal_probability::text, renewal_likely FROM convene.sponsors WHERE id = %s", [sponsor]).fetchone() == (probability, likely)


def test_a_grid_of_forecasts(undone, world):
    alpha, _ = world
    sponsor = alpha.sponsors["first"][0]
    for engagement in (None, 0, 1, 33, 67, 100):
        for satisfaction in (None, 1, 4, 7, 10):
            for roi in (None, Decimal("-0.01"), Decimal("0.01"), Decimal("83.33"), Decimal("416.67"), Decimal("500.01")):
                rate(undone, alpha, "first", engagement, satisfaction, roi)
                probability, likely = by_formula(engagement, satisfaction, roi)
                assert undone.execute(PREDICT, [sponsor]).fetchone()[0] == probability, (engagement, satisfaction, roi)
                assert undone.execute("SELECT renewal_likely FROM convene.sponsors WHERE id = %s", [sponsor]).fetchone() == (likely,)


def test_forecasts_are_the_organizers(undone, world):
    alpha, beta = world
    sponsor, sub = alpha.sponsors["first"]
    for who in (sub, beta.organizer, alpha.people[0].sub):
        with as_role(undone, "authenticated", who):
            expect_error(undone, "42501", PREDICT, [sponsor])
            expect_error(undone, "42501", "SELECT * FROM convene.renewal_predictions(%s)", [alpha.id])
            expect_error(undone, "42501", "SELECT convene.start_renewal_sequence(%s)", [sponsor])
    assert undone.execute("SELECT renewal_probability FROM convene.sponsors WHERE id = %s", [sponsor]).fetchone() == (None,)


def test_predictions_name_what_would_help_most(undone, world):
    alpha, _ = world
    rate(undone, alpha, "first", 90, 3, 450)   # .27 + .12 + .27; satisfaction could bring .28 more
    rate(undone, alpha, "second", 20, 9, 480)  # .06 + .36 + .288; engagement .24
    rows = undone.execute("SELECT sponsor_id, renewal_probability, renewal_likely, factor_that_helps_most, possible_gain, advice, parts"
                          " FROM convene.renewal_predictions(%s)", [alpha.id]).fetchall()
    assert [row[:5] for row in rows] == [
        (alpha.sponsors["first"][0], Decimal("0.66"), False, "satisfaction", Decimal("0.28")),
        (alpha.sponsors["second"][0], Decimal("0.71"), True, "engagement", Decimal("0.24"))]
    assert "3 of 10" in rows[0][5] and "20 of 100" in rows[1][5]
    for row in rows:
        assert abs(sum(part["contribution"] for part in row[6].values()) - float(row[1])) <= 0.005
    # A forecast writes nothing; raising the factor by as much as is said brings as much as is said.
    assert undone.execute("SELECT count(renewal_probability) FROM convene.sponsors").fetchone() == (0,)
    rate(undone, alpha, "first", 90, 10, 450)
    assert undone.execute(PREDICT, [alpha.sponsors["first"][0]]).fetchone() == (Decimal("0.94"),)
    rate(undone, alpha, "first", 100, 10, 500)
    assert undone.execute("SELECT factor_that_helps_most FROM convene.renewal_predictions(%s) WHERE sponsor_id = %s",
                          [alpha.id, alpha.sponsors["first"][0]]).fetchone() == (None,)


@pytest.mark.parametrize(("satisfaction", "first"), [(10, "results"), (2, "listen")])
def test_a_sequence_is_started_once(undone, world, satisfaction, first):
    alpha, _ = world
    rate(undone, alpha, "first", 90, satisfaction, 300)
    sponsor = alpha.sponsors["first"][0]
    with as_role(undone, "authenticated", alpha.organizer):
        started = undone.execute("SELECT convene.start_renewal_sequence(%s)", [sponsor]).fetchone()[0]
        again = undone.execute("SELECT convene.start_renewal_sequence(%s)", [sponsor]).fetchone()[0]
        expect_error(undone, "42501", "SELECT convene.start_renewal_sequence(%s, now() + interval '1 day')", [sponsor])
    assert started["started"] and not again["started"] and started["steps"] == again["steps"]
    rows = undone.execute("SELECT payload->>'step', payload->>'who', available_at - now(), topic, profile_id, status FROM convene.outbox"
                          " WHERE target_id = %s ORDER BY available_at", [sponsor]).fetchall()
    assert rows[0][0] == first and rows[0][2] == timedelta(0) and len(rows) == len(started["steps"]) == (4 if satisfaction == 10 else 5)
    assert all(row[3] == "renewal" and row[5] == "pending" for row in rows)
    assert all((row[4] == alpha.sponsors["first"][1]) == (row[1] == "sponsor") for row in rows)
    # No address and no name in what is queued.
    assert "@" not in str(undone.execute("SELECT array_agg(payload::text) FROM convene.outbox").fetchone())


def test_who_is_gone_is_not_asked(undone, world):
    alpha, _ = world
    undone.execute("UPDATE convene.sponsors SET status = 'churned' WHERE id = %s", [alpha.sponsors["first"][0]])
    expect_error(undone, "55000", "SELECT convene.start_renewal_sequence(%s)", [alpha.sponsors["first"][0]])
    market = undone.execute("INSERT INTO convene.sponsors (company_name) VALUES ('Market') RETURNING id").fetchone()[0]
    expect_error(undone, "55000", "SELECT convene.start_renewal_sequence(%s)", [market], message="no event")
    assert undone.execute("SELECT count(*) FROM convene.outbox").fetchone() == (0,)


# Figures -----------------------------------------------------------------------------------------------------------


def analytics(conn, event, name="first", days=10, sub=None):
    call = "SELECT convene.sponsor_analytics(%s, %s, %s)"
    if sub is None:
        return conn.execute(call, [event.sponsors[name][0], days, NOW]).fetchone()[0]
    with as_role(conn, "authenticated", sub):
        return conn.execute(call, [event.sponsors[name][0], days, NOW]).fetchone()[0]


def test_figures_by_hand(undone, world):
    alpha, _ = world
    sponsor = alpha.sponsors["first"][0]
    agree(undone, alpha, 0, 1)
    # Met two days ago and won at once, met eight days ago and won today, lost after four days, open since two.
    for person, score, status, met, closed in ((0, 85, "closed_won", 2, 2), (1, 65, "closed_won", 8, 0), (2, 45, "closed_lost", 8, 4), (3, 10, "new", 2, None)):
        make_lead(undone, alpha, "first", person, lead_score=score, status=status, first_interaction_at=NOW - timedelta(days=met),
                  last_interaction_at=NOW, closed_at=None if closed is None else NOW - timedelta(days=closed), booth_visits=person, interaction_count=person)
        undone.execute("INSERT INTO convene.lead_interactions (sponsor_id, attendee_id, kind, at) VALUES (%s, %s, 'message', %s)",
                       [sponsor, alpha.people[person].id, NOW - timedelta(days=met)])
    undone.execute("UPDATE convene.sponsors SET satisfaction_score = 9, projected_roi = 120, actual_roi = 80 WHERE id = %s", [sponsor])
    undone.execute("INSERT INTO convene.event_sponsorships (event_id, sponsor_id, status, attributed_value_cents) VALUES (%s, %s, 'active', 350000)",
                   [alpha.id, sponsor])
    told = analytics(undone, alpha)
    assert told["leads"] == {"total": 4, "shown": 2, "hidden": 2}
    assert told["by_grade"] == {"A": 1, "B": 1, "C": 1, "D": 1}
    assert {key: value for key, value in told["by_status"].items() if value} == {"closed_won": 2, "closed_lost": 1, "new": 1}
    assert told["conversion"] == {"won": 2, "lost": 1, "rate": 0.5, "win_rate": 0.6667}
    assert (told["contract_value"], told["cost_per_lead"], told["cost_per_won_lead"]) == (1000, 250, 500)
    assert told["roi"] == {"projected": 120, "actual": 80, "attributed_value": 3500, "from_attributed_value": 250}
    assert told["satisfaction"] == {"score": 9, "group": "promoter", "net_promoter_score": 100}
    assert told["average_score"] == 51.2 or told["average_score"] == 51.3
    cycle = told["sales_cycle_days"]
    assert (cycle["won_mean"], cycle["won_median"], cycle["closed_mean"], cycle["open_mean"]) == (4, 4, 4, 2)
    trend = {row["day"]: (row["interactions"], row["new_leads"], row["won"]) for row in told["trend"]}
    assert len(trend) == 10 and min(trend) == "2026-03-01" and max(trend) == "2026-03-10"
    assert {day: row for day, row in trend.items() if any(row)} == {
        "2026-03-02": (2, 2, 0), "2026-03-08": (2, 2, 1), "2026-03-10": (0, 0, 1)}


@pytest.mark.parametrize("column", ["first_interaction_at = '-infinity'", "closed_at = 'infinity'", "closed_at = '-infinity'",
                                    "first_interaction_at = NULL, created_at = '-infinity'", "closed_at = '4714-11-24 00:00:00+00 BC'"])
def test_one_lead_with_a_time_that_is_none_does_not_hide_the_figures(undone, world, column):
    alpha, _ = world
    sponsor = alpha.sponsors["first"][0]
    undone.execute("UPDATE convene.events SET time_zone = 'America/Phoenix' WHERE id = %s", [alpha.id])
    for person, days in ((0, 2), (1, 4)):
        make_lead(undone, alpha, "first", person, status="closed_won", first_interaction_at="2026-01-01T00:00:00Z",
                  last_interaction_at="2026-01-01T00:00:00Z", closed_at=f"2026-01-0{1 + days}T00:00:00Z")
    odd = make_lead(undone, alpha, "first", 2, status="closed_won")
    undone.execute(f"UPDATE convene.lead_scoring SET {column} WHERE id = %s", [odd])
    told = undone.execute("SELECT convene.sponsor_analytics(%s, 3, '2026-01-06T00:00:00Z')", [sponsor]).fetchone()[0]
    assert told["conversion"]["won"] == 3 and [day["won"] for day in told["trend"]] == [0, 1, 0]
    if "4714" not in column:
        assert (told["sales_cycle_days"]["won_mean"], told["sales_cycle_days"]["won_median"]) == (3, 3)


@pytest.mark.parametrize("column", ["contract_signed_date = 'infinity'", "contract_signed_date = '-infinity'",
                                    "contract_signed_date = '2026-01-01', created_at = '-infinity'"])
def test_a_contract_that_was_signed_at_no_day(undone, world, column):
    sponsor = world[0].sponsors["first"][0]
    undone.execute(f"UPDATE convene.sponsors SET {column} WHERE id = %s", [sponsor])
    assert undone.execute("SELECT convene.sponsor_analytics(%s)", [sponsor]).fetchone()[0]["sales_cycle_days"]["contract"] is None


def test_figures_of_nothing(undone, world):
    alpha, _ = world
    undone.execute("UPDATE convene.sponsors SET contract_value = NULL WHERE id = %s", [alpha.sponsors["first"][0]])
    told = analytics(undone, alpha, days=1)
    assert told["leads"] == {"total": 0, "shown": 0, "hidden": 0} and told["cost_per_lead"] is None
    assert told["conversion"] == {"won": 0, "lost": 0, "rate": None, "win_rate": None}
    assert told["satisfaction"] is None and told["roi"]["from_attributed_value"] is None and len(told["trend"]) == 1


def test_how_others_judge_is_for_organizers(undone, world):
    alpha, beta = world
    rate(undone, alpha, "first", 0, 9, None)
    rate(undone, alpha, "second", 0, 6, None)
    rate(undone, beta, "first", 0, 10, None)
    assert analytics(undone, alpha, sub=alpha.organizer)["event_satisfaction"] == {"net_promoter_score": 0, "sponsors_asked": 2}
    assert analytics(undone, alpha, sub=alpha.sponsors["first"][1])["event_satisfaction"] is None
    assert analytics(undone, alpha, sub=alpha.sponsors["first"][1])["satisfaction"]["score"] == 9


def test_an_organizer_sees_a_market_sponsor_at_their_event_only(undone, world):
    alpha, beta = world
    market = undone.execute("INSERT INTO convene.sponsors (company_name, satisfaction_score) VALUES ('Market', 2) RETURNING id").fetchone()[0]
    for event, cents in ((alpha, 50000), (beta, 90000)):
        undone.execute("INSERT INTO convene.event_sponsorships (event_id, sponsor_id, status, amount_cents) VALUES (%s, %s, 'active', %s)", [event.id, market, cents])
        event.sponsors["market"] = (market, None)
    record(undone, alpha, "market", 0)
    record(undone, beta, "market", 0)
    record(undone, beta, "market", 1)
    agree(undone, alpha, 0)
    agree(undone, beta, 0, 1)
    told = analytics(undone, alpha, "market", sub=alpha.organizer)
    assert (told["leads"]["total"], told["contract_value"], told["satisfaction"], told["cost_per_lead"]) == (1, 500, None, 500)
    assert analytics(undone, beta, "market")["leads"]["total"] == 3
    with as_role(undone, "authenticated", alpha.organizer):
        rows = undone.execute("SELECT attendee->>'id' FROM convene.get_sponsor_leads(%s)", [market]).fetchall()
        assert rows == [(str(alpha.people[0].id),)]
        assert undone.execute("SELECT convene.score_sponsor_leads(%s)->>'leads'", [market]).fetchone() == ("1",)
        assert undone.execute("SELECT leads, contract_value, from_marketplace, satisfaction_score FROM convene.list_sponsors(%s) WHERE sponsor_id = %s",
                              [alpha.id, market]).fetchone() == (1, Decimal(500), True, None)
        expect_error(undone, "42501", PREDICT, [market])
    undone.execute("UPDATE convene.event_sponsorships SET status = 'cancelled' WHERE event_id = %s AND sponsor_id = %s", [alpha.id, market])
    with as_role(undone, "authenticated", alpha.organizer):
        expect_error(undone, "42501", "SELECT * FROM convene.get_sponsor_leads(%s)", [market])


# The list ----------------------------------------------------------------------------------------------------------


def test_adding_is_idempotent(undone, world):
    alpha, _ = world
    with as_role(undone, "authenticated", alpha.organizer):
        first = undone.execute(ADD, [alpha.id, "Acme", "gold", Decimal("2500.50"), "cara@acme.example"]).fetchone()[0]
        again = undone.execute(ADD, [alpha.id, " Acme ", "gold", Decimal("2500.500"), "Cara@acme.example"]).fetchone()[0]
        assert first["added"] and not again["added"] and first["sponsor_id"] == again["sponsor_id"]
        for tier, value, mail in (("silver", Decimal("2500.50"), "cara@acme.example"), ("gold", 1, "cara@acme.example"), ("gold", Decimal("2500.50"), "x@acme.example")):
            expect_error(undone, "23505", ADD, [alpha.id, "Acme", tier, value, mail], message="Acme")
    assert undone.execute("SELECT sponsorship_tier, contract_value, primary_contact_email, status FROM convene.sponsors WHERE id = %s",
                          [first["sponsor_id"]]).fetchone() == ("gold", Decimal("2500.50"), "cara@acme.example", "prospecting")
    # The sponsor's person signs in with that address, if its issuer says that it is verified.
    with as_role(undone, "authenticated", uuid.uuid4(), email="Cara@acme.example", email_verified=True):
        assert undone.execute("SELECT count(*) FROM convene.get_sponsor_leads(%s)", [first["sponsor_id"]]).fetchone() == (0,)
    with as_role(undone, "authenticated", uuid.uuid4(), email="cara@acme.example"):
        expect_error(undone, "42501", "SELECT * FROM convene.get_sponsor_leads(%s)", [first["sponsor_id"]])


def test_the_list_pages_and_filters(undone, world):
    alpha, beta = world
    for number in range(5):
        undone.execute(ADD, [alpha.id, f"Firm {number}", "gold" if number % 2 else "bronze", 10 * number, "a@b.example"])
    record(undone, alpha, "first", 0)
    with as_role(undone, "authenticated", alpha.organizer):
        whole = undone.execute("SELECT company_name, sponsorship_tier, leads, booth_visits FROM convene.list_sponsors(%s)", [alpha.id]).fetchall()
        assert [row[0] for row in whole] == ["Company first", "Company second", *(f"Firm {number}" for number in range(5))]
        assert [row[2:] for row in whole] == [(1, 1), *[(0, 0)] * 6]
        names, after = [], None
        while page := undone.execute("SELECT sponsor_id, company_name FROM convene.list_sponsors(%s, p_limit => 3, p_after => %s)", [alpha.id, after]).fetchall():
            names += [row[1] for row in page]
            after = page[-1][0]
        assert names == [row[0] for row in whole]
        assert undone.execute("SELECT count(*) FROM convene.list_sponsors(%s, p_tier => 'gold')", [alpha.id]).fetchone() == (2,)
        assert undone.execute("SELECT count(*) FROM convene.list_sponsors(%s, p_status => 'active')", [alpha.id]).fetchone() == (0,)
        expect_error(undone, "22023", "SELECT * FROM convene.list_sponsors(%s, p_after => %s)", [alpha.id, beta.sponsors["first"][0]])
        expect_error(undone, "42501", "SELECT * FROM convene.list_sponsors(%s)", [beta.id])
