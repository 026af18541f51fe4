"""Prices from comparable packages, by hand, and proposals that hold nothing but what is known."""

import pytest
from psycopg.types.json import Jsonb

from lib.access import as_role, expect_error
from lib.factory import ident, make_world
from lib.reference import contents

PRICE = "SELECT convene.suggest_package_price(%s)"
DRAFT = "SELECT convene.draft_sponsorship_proposal(%s, %s)"
BUDGET = 765432100


@pytest.fixture(scope="module")
def world(db):
    with db.connect() as conn:
        alpha, beta = make_world(conn, sessions=1, attendees=2)
        alpha.sponsor, alpha.seller = ident("offers", "sponsor"), ident("offers", "seller")
        conn.execute("INSERT INTO convene.profiles (id) VALUES (%s)", [alpha.seller])
        conn.execute("INSERT INTO convene.sponsors (id, company_name, profile_id) VALUES (%s, 'Acme *Ltd*', %s)", [alpha.sponsor, alpha.seller])
        conn.execute("INSERT INTO convene.sponsor_profiles (sponsor_id, annual_budget_cents, preferred_categories, regions)"
                     " VALUES (%s, %s, '{Music,Art}', '{United States,Peru}')", [alpha.sponsor, BUDGET])
        conn.execute("UPDATE convene.events SET categories = '{music,food}', city = 'Lima', country = NULL, description = NULL,"
                     " time_zone = 'UTC', start_at = '2031-05-05 09:00Z', end_at = '2031-05-06 18:00Z' WHERE id = %s", [alpha.id])
        return alpha, beta


@pytest.fixture
def undone(conn, world):
    with conn.transaction(force_rollback=True):
        yield conn


def add_package(conn, event_id, **columns):
    given = {"event_id": event_id, "package_name": "Gold", "tier": "gold", "price_cents": 100000, "total_available": 4, **columns}
    return conn.execute(f"INSERT INTO convene.sponsorship_packages ({', '.join(given)}) VALUES ({', '.join(['%s'] * len(given))}) RETURNING id",
                        list(given.values())).fetchone()[0]


def add_other(conn, beta, number, categories=("music", "food"), quality=None, status="completed", days=-300, **columns):
    """A package of another event of beta's organization, over for a while."""
    event = conn.execute(
        "INSERT INTO convene.events (organization_id, title, status, categories, start_at, end_at) VALUES (%s, %s, %s, %s,"
        " now() + %s * interval '1 day', now() + (%s + 1) * interval '1 day') RETURNING id",
        [beta.organization, f"Other {number}", status, list(categories), days - number, days - number]).fetchone()[0]
    if quality is not None:
        conn.execute("INSERT INTO convene.event_quality_scores (event_id, quality_score) VALUES (%s, %s)", [event, quality])
    return add_package(conn, event, **columns)


def test_a_price_worked_by_hand(undone, world):
    alpha, beta = world
    package = add_package(undone, alpha.id, price_cents=70000)
    undone.execute("INSERT INTO convene.event_quality_scores (event_id, quality_score) VALUES (%s, 80)", [alpha.id])
    # Weight 1 each but for the last: another type, one category of three in common: .5 x (.5 + .5 / 3) = 1/3.
    half = add_other(undone, beta, 1, sold=2)                                # 100000 x 1, quality not known
    full = add_other(undone, beta, 2, quality=60, sold=4)                    # 100000 x 1.1 x 1.1 = 121000
    empty = add_other(undone, beta, 3, quality=80, sold=0, price_cents=150000)  # 150000 x .9 x 1 = 135000
    other = add_other(undone, beta, 4, ("food", "tech"), sold=2, package_type="booth", price_cents=900000)
    # Not comparable: another tier, another currency, a gift, an event that is not public.
    add_other(undone, beta, 5, tier="silver")
    add_other(undone, beta, 6, currency="EUR")
    add_other(undone, beta, 7, price_cents=0)
    add_other(undone, beta, 8, status="draft")
    add_package(undone, alpha.id, package_name="Second")
    before = contents(undone)
    found = undone.execute(PRICE, [package]).fetchone()[0]
    assert contents(undone) == before
    # 10/3 in all: a half of it, 5/3, is passed within 121000, a quarter, 5/6, within 100000, three quarters, 5/2, within 135000.
    assert (found["suggested_price_cents"], found["low_cents"], found["high_cents"]) == (121000, 100000, 135000)
    assert (found["comparable_count"], found["reason"], found["price_cents"], found["currency"]) == (4, None, 70000, "USD")
    assert [(one["package_id"], one["weight"], one["fill"], one["quality_score"], one["adjusted_price_cents"]) for one in found["comparables"]] == [
        (str(half), 1, 0.5, None, 100000), (str(full), 1, 1, 60, 121000), (str(empty), 1, 0, 80, 135000),
        (str(other), 0.333333, 0.5, None, 900000)]
    assert found["comparables"][0]["event_title"] == "Other 1"


def test_what_is_still_on_sale_tells_nothing_by_its_sales(undone, world):
    alpha, beta = world
    package = add_package(undone, alpha.id)
    for number in range(3):
        add_other(undone, beta, number, status="published", days=100, sold=1)
    add_other(undone, beta, 4, status="published", days=100, sold=4)
    found = undone.execute(PRICE, [package]).fetchone()[0]
    assert sorted((one["fill"] or 0, one["adjusted_price_cents"]) for one in found["comparables"]) == [(0, 100000)] * 3 + [(1, 110000)]
    later = undone.execute("SELECT convene.suggest_package_price(%s, now() + '1 year')", [package]).fetchone()[0]
    # A quarter sold when it is over: 100000 x (1 - .05).
    assert sorted((one["fill"], one["adjusted_price_cents"]) for one in later["comparables"]) == [(0.25, 95000)] * 3 + [(1, 110000)]


def test_too_few_comparables_are_no_price(undone, world):
    alpha, beta = world
    package = add_package(undone, alpha.id)
    for number in range(2):
        add_other(undone, beta, number, sold=2)
    found = undone.execute(PRICE, [package]).fetchone()[0]
    assert (found["suggested_price_cents"], found["low_cents"], found["high_cents"], found["comparable_count"]) == (None, None, None, 2)
    assert found["reason"] == "2 comparable packages are on record (tier gold, USD); 3 are needed" and len(found["comparables"]) == 2


def test_prices_are_for_organizers(undone, world):
    alpha, beta = world
    package = add_package(undone, alpha.id)
    for sub, yes in ((alpha.organizer, True), (beta.organizer, False), (alpha.people[0].sub, False), (alpha.seller, False)):
        with as_role(undone, "authenticated", sub):
            if yes:
                undone.execute(PRICE, [package])
            else:
                expect_error(undone, "42501", PRICE, [package])


# Proposals

def match(conn, alpha):
    conn.execute("INSERT INTO convene.sponsorship_matches (event_id, sponsor_id, score) VALUES (%s, %s, 0.5)", [alpha.id, alpha.sponsor])


def test_a_proposal_says_what_the_tables_do(undone, world):
    alpha, _ = world
    match(undone, alpha)
    undone.execute("UPDATE convene.events SET title = '# Big | <i>Day</i>' WHERE id = %s", [alpha.id])
    undone.execute("INSERT INTO convene.event_audience_insights (event_id, attendee_count, geo_distribution, age_segments, engagement_score)"
                   " VALUES (%s, 1500, %s, %s, 0.5)", [alpha.id, Jsonb({"US": 30, "FR": 10}), Jsonb({"25-34": 0.6, "35-44": 0.4})])
    undone.execute("INSERT INTO convene.event_quality_scores (event_id, quality_score) VALUES (%s, 65)", [alpha.id])
    add_package(undone, alpha.id, price_cents=1200050, sold=1, benefits=Jsonb(["Booth", {"name": "A [talk]"}, 7]))
    add_package(undone, alpha.id, package_name="Gone", sold=4)
    add_package(undone, alpha.id, package_name="Old", status="archived")
    organization = undone.execute("SELECT name FROM convene.organizations WHERE id = %s", [alpha.organization]).fetchone()[0]
    # .25 b/(b + 100000) = .249967; .35 (.6 / 2 + .4 / 2) = .175; .15 x .75 = .1125; .15 x .35 = .0525; .05: .639967, and
    # .25 + .35 + .15 + .105 of it known.
    expected = f"""# Proposal: \\# Big \\| \\<i\\>Day\\</i\\> for Acme \\*Ltd\\*

## The event

- When: 5 May 2031 to 6 May 2031
- Where: Lima
- About: music, food
- Organized by: {organization}
- Quality: 65 of 100 (high)

## The audience

- 1,500 attendees
- Where they live: US 75 %, FR 25 %
- Age: 25-34 60 %, 35-44 40 %
- Engagement: 0.50 of 1

## Why it fits Acme \\*Ltd\\*

- It has 1 of the 2 categories that Acme \\*Ltd\\* looks for: Music
- It reaches 1 of the 2 regions that Acme \\*Ltd\\* looks for: United States
- 75 % of its audience lives there
- The fit is 0.64 of 1, of which 86 % rests on data

## Packages

| Package | Tier | Price | Left | Includes |
| --- | --- | ---: | ---: | --- |
| Gold | gold | 12,000.50 USD | 3 of 4 | Booth; A \\[talk\\] |
"""
    with as_role(undone, "authenticated", alpha.organizer):
        assert undone.execute(DRAFT, [alpha.id, alpha.sponsor]).fetchone()[0] == expected


def test_a_proposal_never_tells_what_its_reader_may_not_see(undone, world):
    """Neither the sponsor's budget and contact to the organizer, nor the organizer's notes and contracts to the sponsor."""
    alpha, _ = world
    match(undone, alpha)
    undone.execute("UPDATE convene.sponsors SET primary_contact_email = 'secret@acme.example', primary_contact_name = 'Secret Person',"
                   " notes = 'difficult', contract_value = 424242, projected_roi = 313 WHERE id = %s", [alpha.sponsor])
    text = undone.execute(DRAFT, [alpha.id, alpha.sponsor]).fetchone()[0]
    for secret in (str(BUDGET), "7,654,321", "udget", "secret", "Secret", "difficult", "424", "313"):
        assert secret not in text, secret
    assert "Nothing has been counted yet." in text and "None is on sale at the moment." in text


def test_proposals_are_for_organizers_of_sponsors_they_may_see(undone, world):
    alpha, beta = world

    def may(sub, yes):
        with as_role(undone, "authenticated", sub):
            if yes:
                undone.execute(DRAFT, [alpha.id, alpha.sponsor])
            else:
                expect_error(undone, "42501", DRAFT, [alpha.id, alpha.sponsor])

    may(alpha.organizer, False)
    match(undone, alpha)
    may(alpha.organizer, True)
    may(beta.organizer, False)
    may(alpha.seller, False)
    may(alpha.people[0].sub, False)
    undone.execute("DELETE FROM convene.sponsorship_matches")
    undone.execute("INSERT INTO convene.event_sponsorships (event_id, sponsor_id, status) VALUES (%s, %s, 'confirmed')", [alpha.id, alpha.sponsor])
    may(alpha.organizer, True)
