"""What keeps sponsors, packages, sponsorships and their vectors true, and who is a sponsor's person."""

import re
from collections import namedtuple

import psycopg
import pytest

from lib.access import as_role, expect_error
from lib.factory import ident, make_world

SIGNED = "SELECT convene_private.my_sponsored_event_ids()"


@pytest.fixture(scope="module")
def world(db):
    with db.connect() as conn:
        return namedtuple("World", "alpha beta")(*make_world(conn, sessions=2))


@pytest.fixture
def undone(conn, world):
    with conn.transaction(force_rollback=True):
        yield conn


def add(conn, table, **values):
    """A row of a table; its id, or its key where that has another name."""
    names, marks = ", ".join(values), ", ".join(f"%({name})s" for name in values)
    key = {"sponsor_profiles": "sponsor_id", "event_embeddings": "event_id", "event_audience_insights": "event_id"}.get(table, "id")
    return conn.execute(f"INSERT INTO convene.{table} ({names}) VALUES ({marks}) RETURNING {key}", values).fetchone()[0]


def add_sponsor(conn, event=None, name="Acme", **values):
    return add(conn, "sponsors", event_id=event and event.id, company_name=name, **values)


def add_package(conn, event, name="Gold", total=2, **values):
    return add(conn, "sponsorship_packages", event_id=event.id, package_name=name, tier="gold", price_cents=123456,
               total_available=total, **values)


def add_person(conn, name, email=None):
    conn.execute("INSERT INTO convene.profiles (id, email) VALUES (%s, %s)", [ident(name), email])
    return ident(name)


def value(conn, column, table, key, wanted):
    return conn.execute(f"SELECT {column} FROM convene.{table} WHERE {key} = %s", [wanted]).fetchone()[0]


# Packages ----------------------------------------------------------------------------------------------------------


def test_a_package_is_sold_out_while_none_is_left(undone, world):
    package = add_package(undone, world.alpha)
    change = lambda what: undone.execute(f"UPDATE convene.sponsorship_packages SET {what} WHERE id = %s"  # noqa: E731
                                         " RETURNING status, available", [package]).fetchone()
    assert value(undone, "price::text", "sponsorship_packages", "id", package) == "1234.56"
    assert change("sold = 1, status = 'limited'") == ("limited", 1)
    assert change("sold = 2") == ("sold_out", 0)
    assert change("status = 'available'") == ("sold_out", 0)
    expect_error(undone, "23514", "UPDATE convene.sponsorship_packages SET sold = 3 WHERE id = %s", [package])
    assert change("total_available = 3") == ("available", 1)
    assert change("status = 'archived', sold = 3") == ("archived", 0)


# Sponsors ----------------------------------------------------------------------------------------------------------


def test_a_sponsor_has_its_events_organization_and_only_that_ones_records(undone, world):
    company = {event.label: add(undone, "companies", organization_id=event.organization, name="C") for event in world}
    sponsor = add_sponsor(undone, world.alpha, company_id=company["alpha"])
    assert value(undone, "organization_id", "sponsors", "id", sponsor) == world.alpha.organization
    name = "UPDATE convene.sponsors SET company_id = %s WHERE id = %s"
    expect_error(undone, "23503", name, [company["beta"], sponsor])
    # Nothing could compare them where there is no event.
    market = add_sponsor(undone)
    expect_error(undone, "23514", name, [company["alpha"], market])
    # The company holds the event where it is.
    move = "UPDATE convene.events SET organization_id = %s WHERE id = %s"
    expect_error(undone, "23503", move, [world.beta.organization, world.alpha.id])
    undone.execute("DELETE FROM convene.companies WHERE id = %s", [company["alpha"]])
    assert value(undone, "company_id", "sponsors", "id", sponsor) is None
    undone.execute(move, [world.beta.organization, world.alpha.id])
    assert value(undone, "organization_id", "sponsors", "id", sponsor) == world.beta.organization
    # Whatever is written there.
    undone.execute("UPDATE convene.sponsors SET organization_id = %s WHERE id = %s", [world.alpha.organization, sponsor])
    assert value(undone, "organization_id", "sponsors", "id", sponsor) == world.beta.organization


def test_a_sponsor_of_the_market_signs_once(undone, world):
    market = add_sponsor(undone)
    sign = "UPDATE convene.sponsors SET event_id = %s WHERE id = %s"
    undone.execute(sign, [world.alpha.id, market])
    assert value(undone, "organization_id", "sponsors", "id", market) == world.alpha.organization
    for event in (world.beta.id, None):
        expect_error(undone, "0A000", sign, [event, market])
    expect_error(undone, "23505", "INSERT INTO convene.sponsors (event_id, company_name) VALUES (%s, 'Acme')", [world.alpha.id])
    assert add_sponsor(undone) != add_sponsor(undone)


def test_a_package_is_one_of_the_sponsors_event(undone, world):
    package = {event.label: add_package(undone, event) for event in world}
    sponsor = add_sponsor(undone, world.alpha, package_id=package["alpha"])
    expect_error(undone, "23503", "UPDATE convene.sponsors SET package_id = %s WHERE id = %s", [package["beta"], sponsor])
    undone.execute("DELETE FROM convene.sponsorship_packages WHERE id = %s", [package["alpha"]])
    assert undone.execute("SELECT package_id, event_id FROM convene.sponsors WHERE id = %s", [sponsor]).fetchone() == (None, world.alpha.id)


def test_roi_beyond_a_thousand_percent_fits(undone, world):
    sponsor = add_sponsor(undone, world.alpha, actual_roi=12345.5, projected_roi=-250)
    assert value(undone, "actual_roi::text", "sponsors", "id", sponsor) == "12345.50"


# A sponsor's person ------------------------------------------------------------------------------------------------


def mine(conn, sub, **claims):
    with as_role(conn, "authenticated", sub, **claims):
        return {row[0] for row in conn.execute("SELECT id FROM convene.sponsors")}


def test_a_verified_address_stands_for_a_person_that_is_not_named(undone, world):
    sub, other = add_person(undone, "mail person"), add_person(undone, "somebody else")
    sponsor = add_sponsor(undone, world.alpha, primary_contact_email="Booth@Acme.Example")
    token = {"email": "booth@acme.example", "email_verified": True}
    assert mine(undone, sub, **token) == {sponsor}
    assert mine(undone, sub, **{**token, "email_verified": False}) == set()
    assert mine(undone, sub, email="booth@acme.example") == set()
    assert mine(undone, sub, **token, user_metadata={"email": "x@y.example"}) == {sponsor}
    undone.execute("UPDATE convene.sponsors SET profile_id = %s WHERE id = %s", [other, sponsor])
    assert mine(undone, sub, **token) == set()
    assert mine(undone, other) == {sponsor}


@pytest.mark.parametrize(("status", "fulfilment", "counts"), [
    ("prospecting", "pending", False), ("negotiating", "confirmed", False), ("contracted", "pending", True),
    ("active", "confirmed", True), ("fulfilled", "completed", True), ("active", "cancelled", False), ("churned", "completed", False)])
def test_whoever_has_signed_reads_what_is_for_sponsors(undone, world, status, fulfilment, counts):
    sub = add_person(undone, "signs")
    add_sponsor(undone, world.alpha, profile_id=sub, status=status, fulfilment_status=fulfilment)
    for event in world:
        add(undone, "event_announcements", event_id=event.id, title="T", content="C", target_audience="sponsors", status="sent")
        add(undone, "event_materials", event_id=event.id, title="T", access_level="sponsors_only")
    for person in (sub, world.alpha.people[0].sub):
        with as_role(undone, "authenticated", person):
            wanted = [(world.alpha.id,)] if counts and person == sub else []
            for audience in ("event_announcements WHERE target_audience = 'sponsors'", "event_materials"):
                assert undone.execute(f"SELECT event_id FROM convene.{audience}").fetchall() == wanted, audience
    with as_role(undone, "anon"):
        assert undone.execute("SELECT event_id FROM convene.event_materials").fetchall() == []


def test_who_is_no_sponsor_does_not_see_the_market(undone, world):
    for event in world:
        add(undone, "event_audience_insights", event_id=event.id)
    sub = add_person(undone, "market person")
    count = "SELECT count(*) FROM convene.event_audience_insights"
    with as_role(undone, "authenticated", sub):
        assert undone.execute(count).fetchone() == (0,)
    add_sponsor(undone, profile_id=sub)
    with as_role(undone, "authenticated", sub):
        assert undone.execute(count).fetchone() == (2,)
    # Published events only: what is over is off the market.
    undone.execute("UPDATE convene.events SET status = 'completed' WHERE id = %s", [world.beta.id])
    with as_role(undone, "authenticated", sub):
        assert undone.execute(count).fetchone() == (1,)


def test_an_organizer_cannot_sign_for_a_sponsor_of_the_market(undone, world):
    """What is signed opens the profile, so whoever could sign could read what anybody on the market wants to spend."""
    market, event = add_sponsor(undone), world.alpha.id
    add(undone, "sponsor_profiles", sponsor_id=market, annual_budget_cents=1)
    signing = "INSERT INTO convene.event_sponsorships (event_id, sponsor_id, status) VALUES (%s, %s, 'confirmed')"
    seen = "SELECT annual_budget_cents FROM convene.sponsor_profiles"
    with as_role(undone, "authenticated", world.alpha.organizer):
        expect_error(undone, "42501", signing, [event, market])
    undone.execute(signing.replace("confirmed", "proposed"), [event, market])
    with as_role(undone, "authenticated", world.alpha.organizer):
        assert undone.execute("UPDATE convene.event_sponsorships SET status = 'confirmed'").rowcount == 0
        assert undone.execute(seen).fetchall() == []
        assert undone.execute("SELECT id FROM convene.sponsors").fetchall() == []
    undone.execute("UPDATE convene.event_sponsorships SET status = 'confirmed'")
    with as_role(undone, "authenticated", world.alpha.organizer):
        assert undone.execute(seen).fetchall() == [(1,)]
        assert undone.execute("SELECT id FROM convene.sponsors").fetchall() == [(market,)]
        assert undone.execute("UPDATE convene.event_sponsorships SET status = 'active'").rowcount == 1
    with as_role(undone, "authenticated", world.beta.organizer):
        assert undone.execute(seen).fetchall() == []


def test_an_organizer_sees_the_sponsor_they_have_just_made(undone, world):
    with as_role(undone, "authenticated", world.alpha.organizer):
        made = undone.execute("INSERT INTO convene.sponsors (event_id, company_name, notes) VALUES (%s, 'New', 'secret')"
                              " RETURNING id, organization_id", [world.alpha.id]).fetchone()
        assert made[1] == world.alpha.organization
        assert undone.execute("INSERT INTO convene.event_sponsorships (event_id, sponsor_id) VALUES (%s, %s) RETURNING status",
                              [world.alpha.id, made[0]]).fetchone() == ("proposed",)
        expect_error(undone, "42501", "INSERT INTO convene.sponsors (company_name) VALUES ('New')")


def test_a_profile_is_upserted_by_its_sponsor(undone, world):
    sub = add_person(undone, "upserts")
    sponsor, other = (add_sponsor(undone, world.alpha, name, profile_id=sub) for name in "ab")
    upsert = ("INSERT INTO convene.sponsor_profiles (sponsor_id, industry) VALUES (%s, %s) ON CONFLICT (sponsor_id) DO UPDATE"
              " SET sponsor_id = EXCLUDED.sponsor_id, industry = EXCLUDED.industry RETURNING industry")
    with as_role(undone, "authenticated", sub):
        assert [undone.execute(upsert, [sponsor, word]).fetchone()[0] for word in "xy"] == ["x", "y"]
        expect_error(undone, "0A000", "UPDATE convene.sponsor_profiles SET sponsor_id = %s WHERE sponsor_id = %s", [other, sponsor])


# Sponsorships ------------------------------------------------------------------------------------------------------


def test_a_sponsorship_notes_when_it_got_where(undone, world):
    sponsorship = add(undone, "event_sponsorships", event_id=world.alpha.id, sponsor_id=add_sponsor(undone, world.alpha))

    def become(status):
        told = undone.execute("UPDATE convene.event_sponsorships SET status = %s WHERE id = %s"
                              " RETURNING confirmed_at, activated_at, completed_at, cancelled_at", [status, sponsorship]).fetchone()
        return [moment is not None for moment in told]

    assert become("negotiating") == [False] * 4
    assert become("confirmed") == [True, False, False, False]
    assert become("cancelled") == [True, False, False, True]
    assert become("completed") == [True, True, True, False]
    assert become("proposed") == [False] * 4


# Revisions and vectors ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("change", "counts"), [
    ("annual_budget_cents = 7", True), ("preferred_categories = '{music}'", True), ("regions = '{CA}'", True),
    ("objectives_embedding = '[1,2,3]', embedding_model = 'three'", True),
    ("industry = 'x', target_audience = '{\"interests\": []}'", False),
    ("annual_budget_cents = 5", False), ("rev = 1", False)])
def test_a_profile_counts_what_its_fits_are_made_of(undone, world, change, counts):
    undone.execute("SELECT convene.add_embedding_model('three', 3)")
    profile = add(undone, "sponsor_profiles", sponsor_id=add_sponsor(undone), annual_budget_cents=5)
    before = value(undone, "rev", "sponsor_profiles", "sponsor_id", profile)
    undone.execute(f"UPDATE convene.sponsor_profiles SET {change} WHERE sponsor_id = %s", [profile])
    assert value(undone, "rev", "sponsor_profiles", "sponsor_id", profile) == before + counts
    # Made anew it is ahead of what it was.
    undone.execute("DELETE FROM convene.sponsor_profiles WHERE sponsor_id = %s", [profile])
    add(undone, "sponsor_profiles", sponsor_id=profile)
    assert value(undone, "rev", "sponsor_profiles", "sponsor_id", profile) > before + counts


def test_insights_and_vectors_count_likewise(undone, world):
    undone.execute("SELECT convene.add_embedding_model('three', 3)")
    event = world.alpha.id
    add(undone, "event_audience_insights", event_id=event)
    add(undone, "event_embeddings", event_id=event, embedding="[1,2,3]", source_text="x", embedding_model="three")
    for table, change, counts in (
        ("event_audience_insights", "attendee_count = 9, social_mentions = 9, rev = 1", 0),
        ("event_audience_insights", "engagement_score = 0.5", 1), ("event_audience_insights", "ticket_conversion_rate = 0.5", 1),
        ("event_audience_insights", "geo_distribution = '{\"CA\": 1}'", 1), ("event_embeddings", "source_text = 'y', rev = 1", 0),
        ("event_embeddings", "embedding = '[3,2,1]'", 1),
    ):
        before = value(undone, "rev", table, "event_id", event)
        undone.execute(f"UPDATE convene.{table} SET {change} WHERE event_id = %s", [event])
        assert value(undone, "rev", table, "event_id", event) == before + counts, change


def test_a_vector_has_its_models_dimension(undone, world):
    undone.execute("SELECT convene.add_embedding_model('three', 3, true)")
    profile, event = add(undone, "sponsor_profiles", sponsor_id=add_sponsor(undone)), world.alpha.id
    own = "UPDATE convene.sponsor_profiles SET objectives_embedding = %s, embedding_model = %s WHERE sponsor_id = %s"
    place = "INSERT INTO convene.event_embeddings (event_id, embedding, embedding_model, source_text) VALUES (%s, %s, %s, 'x')"
    for model in ("three", None):
        undone.execute(own, ["[1,2,3]", model, profile])
        assert value(undone, "embedding_model", "sponsor_profiles", "sponsor_id", profile) == "three"
        expect_error(undone, "22023", own, ["[1,2]", model, profile], message="3 dimensions, not 2")
        expect_error(undone, "22023", place, [event, "[1,2]", model], message="3 dimensions, not 2")
    expect_error(undone, "22023", own, ["[1,2,3]", "unheard of", profile], message="unknown number")
    undone.execute(place, [event, "[1,2,3]", None])
    assert value(undone, "embedding_model", "event_embeddings", "event_id", event) == "three"
    # Without a vector there is no model.
    undone.execute(own, [None, "three", profile])
    assert value(undone, "embedding_model", "sponsor_profiles", "sponsor_id", profile) is None


@pytest.mark.parametrize(("vector", "fits"), [
    ("[1e-24,0,0]", False), ("[3e38,3e38,0]", False), ("[0,-1e13,1]", False), ("[1e-12,0,1e-12]", True), ("[0,0,5e11]", True), ("[0,0,0]", True)])
def test_a_vector_has_a_length_that_can_be_compared(undone, world, vector, fits):
    """By one that is shorter a sponsor would be as near as can be to every event that shares a sign with it."""
    undone.execute("SELECT convene.add_embedding_model('three', 3, true)")
    profile, event = add(undone, "sponsor_profiles", sponsor_id=add_sponsor(undone)), world.alpha.id
    for column, statement, arguments in [
            ("objectives_embedding", "UPDATE convene.sponsor_profiles SET objectives_embedding = %s WHERE sponsor_id = %s", [vector, profile]),
            ("embedding", "INSERT INTO convene.event_embeddings (event_id, embedding, source_text) VALUES (%s, %s, 'x')", [event, vector])]:
        if fits:
            undone.execute(statement, arguments)
        else:
            expect_error(undone, "22023", statement, arguments, message=f"the length of {column} is ", hint="length 1")


@pytest.mark.parametrize(("column", "most"), [("categories", 200), ("regions", 300)])
def test_an_event_is_of_as_many_words_as_a_profile_asks_for(undone, world, column, most):
    """They are compared with those of everybody else: a million of them kept the whole market waiting."""
    statement = f"UPDATE convene.events SET {column} = ARRAY(SELECT 'word ' || n FROM generate_series(1, %s) n) WHERE id = %s"
    undone.execute(statement, [most, world.alpha.id])
    expect_error(undone, "23514", statement, [most + 1, world.alpha.id], message=f"events_{column}_check")


def test_each_model_has_its_index_on_every_table_of_vectors(undone):
    def indexed(model):
        rows = undone.execute("SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'convene' AND indexdef LIKE %s",
                              [f"%hnsw%{model}''%".replace("''", "'")]).fetchall()
        return {table: re.search(r"\((\w+)\)?::(?:\w+\.)?(\w+\(\d+\))", definition).groups() for table, definition in rows}

    assert indexed("text-embedding-ada-002") == {
        "session_embeddings": ("embedding", "vector(1536)"), "sponsor_profiles": ("objectives_embedding", "vector(1536)"),
        "event_embeddings": ("embedding", "vector(1536)")}
    undone.execute("SELECT convene.add_embedding_model('long one', 3072)")
    assert indexed("long one") == {
        "session_embeddings": ("embedding", "halfvec(3072)"), "sponsor_profiles": ("objectives_embedding", "halfvec(3072)"),
        "event_embeddings": ("embedding", "halfvec(3072)")}
    # Again, for a table that came later.
    undone.execute("DROP INDEX convene." + undone.execute(
        "SELECT indexname FROM pg_indexes WHERE tablename = 'event_embeddings' AND indexdef LIKE '%long one%'").fetchone()[0])
    undone.execute("SELECT convene_private.index_embedding_model('long one', 3072)")
    assert len(indexed("long one")) == 3


# Figures -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("score", "tier"), [
    (100, "premium"), (80, "premium"), (79.99, "high"), (60, "high"), (40, "medium"), (39.99, "low"), (0, "low")])
def test_tiers_of_quality(undone, world, score, tier):
    told = undone.execute("INSERT INTO convene.event_quality_scores (event_id, quality_score) VALUES (%s, %s) RETURNING quality_tier",
                          [world.alpha.id, score]).fetchone()
    assert told == (tier,)


@pytest.mark.parametrize("score", ["1.000001", "-0.1", "NaN"])
def test_no_score_beyond_its_range(undone, world, score):
    with pytest.raises(psycopg.errors.CheckViolation), undone.transaction():
        undone.execute("INSERT INTO convene.sponsorship_matches (event_id, sponsor_id, score) VALUES (%s, %s, %s)",
                       [world.alpha.id, add_sponsor(undone), score])


def test_the_queue_names_a_target(undone):
    expect_error(undone, "23514", "INSERT INTO convene.fit_recalc_queue (reason) VALUES ('x')")


def test_the_next_try_of_an_entry_can_be_counted(undone, world):
    """It is one more: none fails for all because of one row."""
    expect_error(undone, "23514", "INSERT INTO convene.fit_recalc_queue (event_id, attempts) VALUES (%s, 2147483647)", [world.alpha.id])


@pytest.mark.parametrize("currency, cents, price", [("USD", 123456, "1234.56"), ("JPY", 500, "500"), ("BHD", 1500, "1.5")])
def test_the_price_of_a_package_is_in_whole_units_of_its_currency(undone, world, currency, cents, price):
    made = undone.execute(
        "INSERT INTO convene.sponsorship_packages (event_id, package_name, tier, price_cents, currency, total_available)"
        " VALUES (%s, 'priced', 'gold', %s, %s, 1) RETURNING price", [world.alpha.id, cents, currency]).fetchone()[0]
    assert str(made) == price
