"""The marketplace: quality worked out by hand, refreshes that write what changed, recommendations, and what the views show."""

import threading
from datetime import timedelta

import psycopg
import pytest

from lib.access import as_role, expect_error
from lib.factory import ident, make_event, make_world, next_week
from lib.market import METRICS, add_package, add_sponsor, insert, match, refresh

pytestmark = pytest.mark.sql

PARTS = ["sponsor_event_fit_scores", "mv_sponsor_event_fit_scores", "event_quality_scores", "mv_event_quality_scores",
         "marketplace_analytics", "sponsor_cards", "package_cards"]


@pytest.fixture
def conn(fresh_db):
    with fresh_db.connect() as connection:
        yield connection


@pytest.fixture
def world(conn):
    """Alpha and beta with two packages each; Acme and Birch on the market, Cedar churned; Acme fits both, Birch fits alpha."""
    alpha, beta = make_world(conn, sessions=2)
    conn.execute("SELECT convene.add_embedding_model('m3', 3)")
    for event in (alpha, beta):
        add_package(conn, event.id, "Gold", 500_000, 2)
        add_package(conn, event.id, "Silver", 100_000, 1)
    alpha.person = ident("person of acme")
    alpha.acme = add_sponsor(conn, "Acme", profile=alpha.person, budget=200_000, industry="food", company_size="11-50")
    alpha.birch = add_sponsor(conn, "Birch", profile=ident("person of birch"), industry="music")
    alpha.cedar = add_sponsor(conn, "Cedar", status="churned")
    match(conn, alpha.id, alpha.acme, 0.9)
    match(conn, alpha.id, alpha.birch, 0.6)
    match(conn, beta.id, alpha.acme, 0.4)
    return alpha, beta


def quality(conn, event):
    return conn.execute(
        "SELECT quality_score, completeness, engagement, conversion, social_proof, history, coverage, on_market"
        " FROM convene.event_quality_scores WHERE event_id = %s", [event.id]).fetchone()


def insights(conn, event, **columns):
    insert(conn, "event_audience_insights", event_id=event.id, **columns)


# Quality, by hand --------------------------------------------------------------------------------------------------


def test_an_event_of_which_nothing_else_is_known(conn, world):
    """Start, end, venue, sessions and packages are 5 of 10: 100 (.25 x .5 + .75 x .5) = 50."""
    refresh(conn, "event_quality_scores")
    assert quality(conn, world[0]) == (50.0, 0.5, None, None, None, None, 0.25, True)


def test_a_described_event(conn, world):
    """All ten: 100 (.25 + .75 x .5) = 62.5. Blanks describe nothing."""
    alpha, beta = world
    conn.execute("UPDATE convene.events SET description = 'D', country = 'BE', categories = '{music}', capacity = 9, website = 'w'"
                 " WHERE id = %s", [alpha.id])
    conn.execute("UPDATE convene.events SET description = E' \\n', country = '', website = '' WHERE id = %s", [beta.id])
    refresh(conn, "event_quality_scores")
    assert quality(conn, alpha)[:2] == (62.5, 1.0)
    assert quality(conn, beta)[:2] == (50.0, 0.5)


@pytest.mark.parametrize("known, parts, score", [
    # .25*.5 + .25*.8 + .75-.25 unknown at the middle: 12.5 + 20 + 10 + 7.5 (no mentions: 0) ...
    ({"engagement_score": 0.8}, (0.8, None, 0.0), 12.5 + 20 + 10 + 0 + 7.5),
    # .05 is the rate that is worth a half; .15 is worth .75.
    ({"ticket_conversion_rate": 0.05}, (None, 0.5, 0.0), 12.5 + 12.5 + 10 + 0 + 7.5),
    ({"ticket_conversion_rate": 0.15}, (None, 0.75, 0.0), 12.5 + 12.5 + 15 + 0 + 7.5),
    # A hundred mentions are worth a half; with a mood of .6, which is .8 of the way, .65.
    ({"social_mentions": 100}, (None, None, 0.5), 12.5 + 12.5 + 10 + 7.5 + 7.5),
    ({"social_mentions": 100, "sentiment_score": 0.6}, (None, None, 0.65), 12.5 + 12.5 + 10 + 9.75 + 7.5),
    ({"engagement_score": 1, "ticket_conversion_rate": 0, "social_mentions": 0, "sentiment_score": -1}, (1.0, 0.0, 0.0),
     12.5 + 25 + 0 + 0 + 7.5),
])
def test_parts_by_hand(conn, world, known, parts, score):
    insights(conn, world[0], **known)
    refresh(conn, "event_quality_scores")
    found = quality(conn, world[0])
    assert found[2:5] == pytest.approx(parts)
    assert found[0] == pytest.approx(score, abs=0.006)


def test_history_is_of_the_organizations_events_that_ended_before(conn, world):
    """One went .9: (.9 + .5)/2 = .7. Then one went .2, counted by engagement and by conversion .05 (half): (.2 + .5)/2 = .35;
    together (.9 + .35 + .5)/3. A draft, a cancelled one, one of others and one that ends later are none."""
    alpha, beta = world
    def past(name, days, engagement, organization=alpha.organization, status="completed", **more):
        event = make_event(conn, name, sessions=0, attendees=0, starts=next_week() - timedelta(days=days), status=status)
        conn.execute("UPDATE convene.events SET organization_id = %s, venue_id = NULL WHERE id = %s", [organization, event.id])
        insights(conn, event, engagement_score=engagement, **more)
        return event
    first = past("first", 100, 0.9)
    refresh(conn, "event_quality_scores")
    assert quality(conn, alpha)[5] == pytest.approx(0.7)
    assert quality(conn, first)[5] is None and quality(conn, beta)[5] is None
    second = past("second", 50, 0.2, ticket_conversion_rate=0.05)
    past("theirs", 60, 0.0, organization=beta.organization)
    for status in ("draft", "cancelled"):
        past(status, 40, 0.0, status=status)
    past("later", -30, 0.0, status="published")
    refresh(conn, "event_quality_scores")
    assert quality(conn, alpha)[5] == pytest.approx((0.9 + 0.35 + 0.5) / 3, abs=1e-6)
    assert quality(conn, second)[5] == pytest.approx(0.7)
    assert quality(conn, second)[7] is False


@pytest.mark.parametrize("start, end", [("-infinity", "infinity"), ("4713-01-01 BC", "294276-12-31"), ("infinity", None)])
def test_an_event_of_another_time_keeps_no_other_one_waiting(conn, world, start, end):
    """What organizers write as a time is up to them: all qualities are computed all the same."""
    alpha, _ = world
    odd = make_event(conn, "odd", sessions=0, attendees=0)
    conn.execute("UPDATE convene.events SET organization_id = %s, venue_id = NULL, status = 'completed', start_at = %s, end_at = %s"
                 " WHERE id = %s", [alpha.organization, start, end, odd.id])
    insights(conn, odd, engagement_score=0.9)
    assert refresh(conn, "event_quality_scores")["event_quality_scores"][0] == "done"
    assert quality(conn, alpha)[0] is not None and quality(conn, odd)[0] is not None
    assert quality(conn, alpha)[5] is None and quality(conn, odd)[5] is None


def test_a_cancelled_event_loses_its_quality(conn, world):
    refresh(conn, "event_quality_scores")
    conn.execute("UPDATE convene.events SET status = 'cancelled' WHERE id = %s", [world[0].id])
    assert refresh(conn, "event_quality_scores") == {"event_quality_scores": ("done", 1)}
    assert quality(conn, world[0]) == (None,) * 7 + (False,)
    assert refresh(conn, "event_quality_scores") == {"event_quality_scores": ("done", 0)}


def test_every_event_has_its_row_from_the_start(conn, world):
    """Without a score until the next refresh; on the market as soon as it is published, and off it at once."""
    alpha, beta = world
    assert quality(conn, alpha) == (None,) * 7 + (True,)
    assert conn.execute("SELECT quality_tier FROM convene.event_quality_scores").fetchall() == [(None,), (None,)]
    for change, on_market in (("status = 'draft'", False), ("status = 'published'", True), ("end_at = now() - interval '1 hour', start_at = NULL", False),
                              ("end_at = NULL", True)):
        conn.execute(f"UPDATE convene.events SET {change} WHERE id = %s", [alpha.id])
        assert quality(conn, alpha)[7] is on_market, change
    # Whoever writes a score by hand takes the place of the row without one; twice is once too much.
    conn.execute("INSERT INTO convene.event_quality_scores (event_id, quality_score) VALUES (%s, 90)", [alpha.id])
    assert quality(conn, alpha)[0] == 90 and quality(conn, alpha)[7] is True
    expect_error(conn, "23505", "INSERT INTO convene.event_quality_scores (event_id, quality_score) VALUES (%s, 80)", [alpha.id])
    assert conn.execute("SELECT count(*) FROM convene.v_event_marketplace").fetchone() == (2,)
    assert conn.execute("SELECT count(*), count(quality_score) FROM convene.v_sponsorship_package_cards WHERE is_active").fetchone() == (4, 2)


# Refreshing --------------------------------------------------------------------------------------------------------


def test_every_part_is_refreshed_logged_and_then_at_rest(conn, world):
    first = refresh(conn)
    assert list(first) == PARTS
    assert first == {"event_quality_scores": ("done", 2), "sponsor_event_fit_scores": ("done", 3), "package_cards": ("done", 4),
                     "sponsor_cards": ("done", 3), "marketplace_analytics": ("done", 1), "mv_event_quality_scores": ("done", 2),
                     "mv_sponsor_event_fit_scores": ("done", 3)}
    logged = conn.execute("SELECT view_name, rows_changed, status, message, duration_ms >= 0 FROM convene.mv_refresh_log"
                          " ORDER BY ran_at").fetchall()
    assert logged == [(name, rows, "done", None, True) for name, (_, rows) in first.items()]
    before = conn.execute("SELECT xmin::text, computed_at FROM convene.event_quality_scores ORDER BY event_id").fetchall()
    again = refresh(conn)
    assert {name: rows for name, (_, rows) in again.items() if rows} == {"marketplace_analytics": 1}
    assert conn.execute("SELECT xmin::text, computed_at FROM convene.event_quality_scores ORDER BY event_id").fetchall() == before
    assert conn.execute("SELECT count(*) FROM convene.mv_refresh_log").fetchone() == (14,)


def test_only_what_changed_is_written(conn, world):
    alpha, beta = world
    refresh(conn)
    conn.execute("UPDATE convene.sponsorship_matches SET score = 0.7 WHERE event_id = %s AND sponsor_id = %s", [alpha.id, alpha.acme])
    conn.execute("UPDATE convene.sponsorship_matches SET retired_at = now() WHERE event_id = %s", [beta.id])
    insights(conn, beta, engagement_score=1)
    done = refresh(conn)
    assert {name: rows for name, (_, rows) in done.items()} == {
        "event_quality_scores": 1, "sponsor_event_fit_scores": 2, "package_cards": 0, "sponsor_cards": 1, "marketplace_analytics": 1,
        "mv_event_quality_scores": 1, "mv_sponsor_event_fit_scores": 2}
    for view, table in (("mv_event_quality_scores", "event_quality_scores"), ("mv_sponsor_event_fit_scores", "sponsor_event_fit_scores")):
        shared = "event_id, computed_at, " + ("quality_score" if "quality" in view else "sponsor_id, score")
        assert conn.execute(f"SELECT {shared} FROM convene.{view} EXCEPT SELECT {shared} FROM convene.{table}").fetchall() == []
        assert conn.execute(f"SELECT (SELECT count(*) FROM convene.{view}) = (SELECT count(*) FROM convene.{table})").fetchone() == (True,)


def test_the_parts_of_a_fit_are_those_of_the_match(conn, world):
    """Audience overlap: .6 x 1 + .4 x .5 = .8."""
    alpha, _ = world
    conn.execute("UPDATE convene.sponsor_profiles SET objectives_embedding = '[1,0,0]', embedding_model = 'm3' WHERE sponsor_id = ANY (%s)",
                 [[alpha.acme, alpha.birch]])
    insert(conn, "event_embeddings", event_id=alpha.id, embedding="[3,4,0]", embedding_model="m3", source_text="x")
    refresh(conn, "sponsor_event_fit_scores")
    found = conn.execute(
        "SELECT score, budget_fit, audience_overlap, geo_fit, engagement_quality, objectives_similarity, semantic_similarity"
        " FROM convene.sponsor_event_fit_scores WHERE event_id = %s AND sponsor_id = %s", [alpha.id, alpha.acme]).fetchone()
    assert found == pytest.approx((0.9, 0.5, 0.8, 0.25, 0.75, 0.5, 0.6))
    # Of another model, or without direction: not comparable.
    conn.execute("UPDATE convene.sponsor_profiles SET objectives_embedding = '[0,0,0]' WHERE sponsor_id = %s", [alpha.birch])
    conn.execute("SELECT convene.add_embedding_model('other3', 3)")
    conn.execute("UPDATE convene.sponsor_profiles SET embedding_model = 'other3' WHERE sponsor_id = %s", [alpha.acme])
    assert refresh(conn, "sponsor_event_fit_scores")["sponsor_event_fit_scores"] == ("done", 2)
    assert conn.execute("SELECT count(semantic_similarity) FROM convene.sponsor_event_fit_scores").fetchone() == (0,)


def test_statistics_of_packages(conn, world):
    """An order that was paid for counts, per impression of the event; nothing is divided by no views."""
    alpha, beta = world
    conn.execute("INSERT INTO convene.event_impressions (event_id, impressions, created_at) VALUES (%s, 3, now()), (%s, 5, now() + interval '9 years')",
                 [alpha.id, alpha.id])
    gold = conn.execute("SELECT id FROM convene.sponsorship_packages WHERE event_id = %s AND package_name = 'Gold'", [alpha.id]).fetchone()[0]
    for status in ("paid", "pending"):
        order = insert(conn, "sponsorship_orders", package_id=gold, sponsor_id=alpha.acme)["id"]
        if status == "paid":
            conn.execute("UPDATE convene.sponsorship_orders SET status = 'paid' WHERE id = %s", [order])
    refresh(conn, "package_cards")
    assert conn.execute("SELECT package_name, view_count, order_count, conversion_rate, stats_refreshed_at IS NOT NULL"
                        " FROM convene.sponsorship_packages ORDER BY event_id = %s DESC, package_name", [alpha.id]).fetchall() == [
        ("Gold", 8, 1, 0.125, True), ("Silver", 8, 0, 0, True), ("Gold", 0, 0, None, True), ("Silver", 0, 0, None, True)]
    assert refresh(conn, "package_cards")["package_cards"] == ("done", 0)


def test_a_part_that_fails_is_logged_and_the_others_go_on(conn, world):
    conn.execute("ALTER TABLE convene.sponsor_cards ADD CONSTRAINT no_matches CHECK (match_count = 0)")
    done = refresh(conn)
    assert {name for name, (status, _) in done.items() if status == "failed"} == {"sponsor_cards"}
    assert conn.execute("SELECT view_name, rows_changed, message FROM convene.mv_refresh_log WHERE status = 'failed'").fetchall() == [
        ("sponsor_cards", None, 'new row for relation "sponsor_cards" violates check constraint "no_matches"')]
    assert conn.execute("SELECT DISTINCT match_count FROM convene.sponsor_cards").fetchall() == [(0,)]
    assert conn.execute("SELECT count(*) FROM convene.mv_sponsor_event_fit_scores").fetchone() == (3,)


def test_a_cancel_is_no_failed_part(conn, fresh_db, world):
    """The refresh waits for a row that somebody holds, and a time-out ends it as a whole."""
    with fresh_db.connect() as other, other.transaction():
        other.execute("SELECT FROM convene.sponsorship_packages FOR UPDATE")
        conn.execute("SET statement_timeout = '300ms'")
        expect_error(conn, "57014", "SELECT * FROM convene.refresh_marketplace()")
    conn.execute("RESET statement_timeout")
    assert conn.execute("SELECT count(*) FROM convene.mv_refresh_log").fetchone() == (0,)
    assert {status for status, _ in refresh(conn).values()} == {"done"}


def test_two_refreshes_at_once(conn, fresh_db, world):
    failed = []

    def work():
        with fresh_db.connect() as mine:
            for _ in range(5):
                failed.extend(name for name, (status, _) in refresh(mine).items() if status != "done")
                mine.execute("UPDATE convene.sponsorship_matches SET score = random()")

    threads = [threading.Thread(target=work) for _ in range(3)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert failed == []
    assert {status for status, _ in refresh(conn).values()} == {"done"}
    assert conn.execute("SELECT count(*) FROM convene.sponsor_event_fit_scores f JOIN convene.sponsorship_matches m"
                        " USING (event_id, sponsor_id) WHERE f.score = m.score::double precision").fetchone() == (3,)


def test_only_the_service_refreshes(conn, world):
    for role, sub in (("anon", None), ("authenticated", world[0].organizer)):
        with as_role(conn, role, sub):
            expect_error(conn, "42501", "SELECT * FROM convene.refresh_marketplace()")
    with as_role(conn, "service_role"):
        assert {status for status, _ in refresh(conn).values()} == {"done"}
        # Refreshed by it, and read by the owner of the data only.
        expect_error(conn, "42501", "SELECT * FROM convene.mv_event_quality_scores")


def test_the_market_in_figures(conn, world):
    alpha, beta = world
    conn.execute("UPDATE convene.sponsorship_matches SET status = 'accepted', viewed_at = now() WHERE sponsor_id = %s", [alpha.birch])
    conn.execute("UPDATE convene.events SET status = 'completed' WHERE id = %s", [beta.id])
    refresh(conn)
    with as_role(conn, "authenticated", alpha.person):
        assert conn.execute(
            "SELECT live_events, live_sponsors, packages_on_sale, places_left, sell_through_rate, matches, matches_viewed,"
            " matches_accepted, acceptance_rate, average_quality_score FROM convene.v_marketplace_analytics").fetchall() == [
            (1, 2, 2, 3, 0, 3, 1, 1, 1, 50)]


# Cards ---------------------------------------------------------------------------------------------------------------


def test_a_card_follows_its_sponsor_and_profile(conn, world):
    alpha, _ = world

    def card(sponsor):
        return conn.execute("SELECT company_name, industry, company_size, regions, reputation_score, audience FROM convene.sponsor_cards"
                            " WHERE sponsor_id = %s", [sponsor]).fetchone()
    assert card(alpha.acme) == ("Acme", "food", "11-50", [], None, "organizers")
    assert card(alpha.cedar)[5] is None
    conn.execute("UPDATE convene.sponsors SET company_name = 'Acme AG', company_size = '1000+' WHERE id = %s", [alpha.acme])
    conn.execute("UPDATE convene.sponsor_profiles SET industry = 'drinks', regions = '{BE}', reputation_score = 80 WHERE sponsor_id = %s",
                 [alpha.acme])
    assert card(alpha.acme) == ("Acme AG", "drinks", "1000+", ["BE"], 80, "organizers")
    conn.execute("DELETE FROM convene.sponsor_profiles WHERE sponsor_id = %s", [alpha.acme])
    assert card(alpha.acme) == ("Acme AG", "food", "1000+", [], None, None)
    conn.execute("UPDATE convene.sponsors SET status = 'prospecting' WHERE id = %s", [alpha.cedar])
    assert card(alpha.cedar)[5] == "organizers"
    conn.execute("DELETE FROM convene.sponsors WHERE id = %s", [alpha.cedar])
    assert card(alpha.cedar) is None


def test_two_who_write_at_once_lose_nothing(conn, fresh_db, world):
    """One renames the sponsor while another changes its profile: the card has both."""
    acme = world[0].acme
    with fresh_db.connect() as other:
        with conn.transaction():
            conn.execute("UPDATE convene.sponsors SET company_name = 'New' WHERE id = %s", [acme])
            thread = threading.Thread(target=other.execute, args=(
                "UPDATE convene.sponsor_profiles SET industry = 'new' WHERE sponsor_id = %s", [acme]))
            thread.start()
            thread.join(0.5)
        thread.join()
    assert conn.execute("SELECT company_name, industry FROM convene.sponsor_cards WHERE sponsor_id = %s", [acme]).fetchone() == ("New", "new")


# Recommendations ---------------------------------------------------------------------------------------------------


def test_sponsors_for_an_event(conn, world):
    alpha, beta = world
    with as_role(conn, "authenticated", alpha.organizer):
        found = conn.execute("SELECT sponsor_id, company_name, industry, score, overlap_metrics FROM convene.get_sponsor_recommendations(%s)",
                             [alpha.id]).fetchall()
        assert [row[:3] for row in found] == [(alpha.acme, "Acme", "food"), (alpha.birch, "Birch", "music")]
        assert [float(row[3]) for row in found] == [0.9, 0.6] and found[0][4] == METRICS
        for arguments, wanted in (("%s, 1", [alpha.acme]), ("%s, 10, 0.6", [alpha.acme, alpha.birch]), ("%s, p_min_score => 0.61", [alpha.acme])):
            assert [row[0] for row in conn.execute(f"SELECT sponsor_id FROM convene.get_sponsor_recommendations({arguments})", [alpha.id])] == wanted
    conn.execute("UPDATE convene.sponsorship_matches SET status = 'rejected' WHERE sponsor_id = %s", [alpha.acme])
    assert conn.execute("SELECT sponsor_id FROM convene.get_sponsor_recommendations(%s)", [alpha.id]).fetchall() == [(alpha.birch,)]


def test_equal_scores_are_ordered_by_id(conn, world):
    alpha, _ = world
    conn.execute("UPDATE convene.sponsorship_matches SET score = 0.5")
    found = [row[0] for row in conn.execute("SELECT sponsor_id FROM convene.get_sponsor_recommendations(%s)", [alpha.id])]
    assert found == sorted(found) and len(found) == 2


def test_events_for_a_sponsor(conn, world):
    """Acme has 2,000.00 a year: of alpha's packages Silver is within it."""
    alpha, beta = world
    refresh(conn)
    statement = ("SELECT event_id, score::float8, quality_score, quality_tier, available_packages, affordable_packages"
                 " FROM convene.get_event_recommendations(%s)")
    with as_role(conn, "authenticated", alpha.person):
        assert conn.execute(statement, [alpha.acme]).fetchall() == [
            (alpha.id, 0.9, 50, "medium", 2, 1), (beta.id, 0.4, 50, "medium", 2, 1)]
        expect_error(conn, "42501", statement, [alpha.birch])
    # Another currency is not compared, and what is sold is gone.
    conn.execute("UPDATE convene.sponsor_profiles SET currency = 'EUR' WHERE sponsor_id = %s", [alpha.acme])
    conn.execute("UPDATE convene.sponsorship_packages SET sold = 1 WHERE package_name = 'Silver'")
    assert conn.execute(statement, [alpha.acme]).fetchall()[0][4:] == (1, 0)
    assert conn.execute(statement, [alpha.birch]).fetchall()[0][4:] == (1, None)


def test_what_left_the_market_is_not_shown_until_a_worker_comes(conn, world):
    """Nobody reads the new title of an event that was taken back, or the new name of a sponsor that churned."""
    alpha, beta = world
    conn.execute("UPDATE convene.events SET status = 'draft', title = 'In secret' WHERE id = %s", [beta.id])
    conn.execute("UPDATE convene.sponsors SET status = 'churned', company_name = 'Birch in secret' WHERE id = %s", [alpha.birch])
    with as_role(conn, "authenticated", alpha.person):
        assert [row[0] for row in conn.execute("SELECT event_id FROM convene.get_event_recommendations(%s)", [alpha.acme])] == [alpha.id]
    with as_role(conn, "authenticated", alpha.organizer):
        assert [row[0] for row in conn.execute("SELECT sponsor_id FROM convene.get_sponsor_recommendations(%s)", [alpha.id])] == [alpha.acme]
    conn.execute("UPDATE convene.events SET start_at = now() - interval '2 days', end_at = now() - interval '1 day' WHERE id = %s", [alpha.id])
    assert conn.execute("SELECT * FROM convene.get_event_recommendations(%s)", [alpha.acme]).fetchall() == []
    assert conn.execute("SELECT * FROM convene.get_sponsor_recommendations(%s)", [alpha.id]).fetchall() == []


def test_an_organizer_does_not_ask_for_a_sponsor(conn, world):
    alpha, beta = world
    with as_role(conn, "authenticated", alpha.organizer):
        expect_error(conn, "42501", "SELECT * FROM convene.get_event_recommendations(%s)", [alpha.acme])
        expect_error(conn, "42501", "SELECT * FROM convene.get_sponsor_recommendations(%s)", [beta.id])


def test_it_reads_on_a_read_only_connection(conn, world):
    with conn.transaction():
        conn.execute("SET TRANSACTION READ ONLY")
        for name, target in (("get_sponsor_recommendations", world[0].id), ("get_event_recommendations", world[0].acme)):
            assert conn.execute(f"SELECT * FROM convene.{name}(%s)", [target]).fetchall()
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction), conn.transaction():
            refresh(conn)
