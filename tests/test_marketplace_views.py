"""The views of the marketplace: who sees which rows and columns, what is on the market, and the documents' own queries on them."""

from types import SimpleNamespace

import pytest

from lib.access import as_role, expect_error
from lib.factory import ident, make_event, make_world
from lib.market import add_package, add_sponsor, insert, match, refresh

pytestmark = pytest.mark.roles

VIEWS = ["v_event_performance_summary", "v_sponsor_recommendations", "v_event_recommendations", "v_sponsorship_package_cards",
         "v_sponsor_marketplace", "v_event_marketplace", "v_semantic_event_recommendations", "v_semantic_sponsor_recommendations",
         "v_marketplace_analytics"]


@pytest.fixture(scope="module")
def world(db):
    """Events a and b with a package each, and a draft of a's organization; sponsors a and b on the market, c of event a's own.
    Sponsor a is matched with a and b, sponsor b with b, c with a."""
    with db.connect() as conn:
        a, b = make_world(conn, sessions=1)
        draft = make_event(conn, "draft", sessions=0, attendees=0, status="draft")
        conn.execute("UPDATE convene.events SET organization_id = %s, venue_id = NULL WHERE id = %s", [a.organization, draft.id])
        conn.execute("SELECT convene.add_embedding_model('m3', 3)")
        for event in (a, b, draft):
            add_package(conn, event.id)
            insert(conn, "event_audience_insights", event_id=event.id, attendee_count=9, engagement_score=0.5)
            insert(conn, "event_embeddings", event_id=event.id, embedding="[1,0,0]", embedding_model="m3", source_text="x")
        people = {"anon": ("anon", None), "attendee": ("authenticated", a.people[0].sub),
                  "organizer_a": ("authenticated", a.organizer), "organizer_b": ("authenticated", b.organizer),
                  "viewer_a": ("authenticated", a.people[1].sub),
                  **{name: ("authenticated", ident(name)) for name in ("sponsor_a", "sponsor_b")}, "service": ("service_role", None)}
        conn.execute("INSERT INTO convene.organization_members (organization_id, profile_id, member_role) VALUES (%s, %s, 'viewer')",
                     [a.organization, a.people[1].sub])
        sponsors = {}
        for name, event in (("a", None), ("b", None), ("c", a.id)):
            sponsors[name] = add_sponsor(conn, name, event=event, profile=people.get(f"sponsor_{name}", (None, None))[1], budget=1000,
                                         model="m3", vector=[3, 4, 0], primary_contact_email=f"secret@{name}.example")
        for event, name, score in ((a, "a", 0.9), (b, "a", 0.5), (b, "b", 0.7), (a, "c", 0.3)):
            match(conn, event.id, sponsors[name], score)
        refresh(conn)
    return SimpleNamespace(a=a, b=b, draft=draft, people=people, sponsors=sponsors)


# Rows by the words that stand for them: an event, or a sponsor at an event, or a sponsor.
EVENTS, PAIRS = "a b", "aa ba bb ac"
SEEN = {
    "v_event_performance_summary": ("event_id", {"attendee": EVENTS, "organizer_a": "a b draft", "viewer_a": "a b draft", "organizer_b": EVENTS,
                                                 "sponsor_a": EVENTS, "sponsor_b": EVENTS, "service": "a b draft"}),
    "v_event_marketplace": ("event_id", dict.fromkeys(
        ("attendee", "organizer_a", "viewer_a", "organizer_b", "sponsor_a", "sponsor_b", "service"), EVENTS)),
    "v_sponsorship_package_cards": ("event_id", {"attendee": EVENTS, "organizer_a": "a b draft", "viewer_a": "a b draft", "organizer_b": EVENTS,
                                                 "sponsor_a": EVENTS, "sponsor_b": EVENTS, "service": "a b draft"}),
    "v_sponsor_marketplace": ("sponsor_id", {"attendee": "", "organizer_a": "a b c", "viewer_a": "a b c", "organizer_b": "a b c",
                                             "sponsor_a": "a", "sponsor_b": "b", "service": "a b c"}),
    **dict.fromkeys(
        ("v_sponsor_recommendations", "v_event_recommendations", "v_semantic_event_recommendations", "v_semantic_sponsor_recommendations"),
        ("event_id, sponsor_id", {"attendee": "", "organizer_a": "aa ac", "viewer_a": "aa ac", "organizer_b": "ba bb",
                                  "sponsor_a": "aa ba", "sponsor_b": "bb", "service": PAIRS})),
}


@pytest.mark.parametrize("view", SEEN)
def test_who_sees_which_rows(conn, world, view):
    columns, seen = SEEN[view]
    words = {world.a.id: "a", world.b.id: "b", world.draft.id: "draft", **{sponsor: name for name, sponsor in world.sponsors.items()}}
    assert world.people.keys() - seen.keys() == {"anon"}
    for who, wanted in seen.items():
        with as_role(conn, *world.people[who]):
            rows = conn.execute(f"SELECT {columns} FROM convene.{view}").fetchall()
        assert sorted("".join(words[value] for value in row) for row in rows) == sorted(wanted.split()), who
    with as_role(conn, "anon"):
        expect_error(conn, "42501", f"SELECT * FROM convene.{view}")


def test_the_figures_are_for_both_sides(conn, world):
    for who, rows in (("attendee", 0), ("organizer_a", 1), ("viewer_a", 1), ("sponsor_b", 1), ("service", 1)):
        with as_role(conn, *world.people[who]):
            assert len(conn.execute("SELECT * FROM convene.v_marketplace_analytics").fetchall()) == rows, who


def test_an_organizer_sees_who_is_recommended_and_no_contact(conn, world):
    with as_role(conn, *world.people["organizer_b"]):
        found = conn.execute("SELECT company_name, score::float8 FROM convene.v_sponsor_recommendations WHERE event_id = %s ORDER BY score DESC",
                             [world.b.id]).fetchall()
        assert found == [("b", 0.7), ("a", 0.5)]
        assert conn.execute("SELECT company_name FROM convene.v_semantic_sponsor_recommendations WHERE sponsor_id = %s",
                            [world.sponsors["b"]]).fetchall() == [("b",)]
        # The sponsors themselves are not signed: contact and budget are not there.
        assert conn.execute("SELECT id FROM convene.sponsors").fetchall() == []
        assert conn.execute("SELECT sponsor_id FROM convene.sponsor_profiles").fetchall() == []
        assert conn.execute("SELECT DISTINCT affordable_packages FROM convene.v_event_recommendations").fetchall() == [(None,)]
    columns = {row[0] for row in conn.execute("SELECT attname FROM pg_attribute WHERE attrelid = ANY (%s::regclass[]) AND attnum > 0",
                                              [["convene.v_sponsor_recommendations", "convene.v_sponsor_marketplace", "convene.sponsor_cards"]])}
    assert not [name for name in columns if any(word in name for word in ("contact_", "email", "phone", "budget", "contract", "amount"))
                and name != "contacted_at"]


def test_the_audience_is_for_sponsors_and_staff(conn, world):
    statement = "SELECT attendee_count FROM convene.v_event_marketplace WHERE event_id = %s"
    for who, wanted in (("attendee", None), ("organizer_b", None), ("organizer_a", 9), ("sponsor_b", 9)):
        with as_role(conn, *world.people[who]):
            assert conn.execute(statement, [world.a.id]).fetchone() == (wanted,), who


@pytest.fixture
def undone(conn, world):
    with conn.transaction(force_rollback=True):
        yield conn


@pytest.mark.parametrize("change", ["status = 'completed'", "status = 'cancelled'", "status = 'draft'",
                                    "start_at = now() - interval '2 days', end_at = now() - interval '1 day'"])
def test_what_left_the_market_is_gone_from_its_views(undone, world, change):
    undone.execute(f"UPDATE convene.events SET {change} WHERE id = %s", [world.a.id])
    for view in ("v_event_marketplace", "v_sponsor_recommendations", "v_event_recommendations", "v_semantic_event_recommendations",
                 "v_semantic_sponsor_recommendations"):
        assert undone.execute(f"SELECT DISTINCT event_id FROM convene.{view}").fetchall() == [(world.b.id,)], view
    assert undone.execute("SELECT is_active FROM convene.v_sponsorship_package_cards WHERE event_id = %s", [world.a.id]).fetchone() == (False,)


def test_an_event_without_an_end_is_on_the_market(undone, world):
    undone.execute("UPDATE convene.events SET end_at = NULL WHERE id = %s", [world.a.id])
    assert undone.execute("SELECT is_active FROM convene.v_sponsorship_package_cards WHERE event_id = %s", [world.a.id]).fetchone() == (True,)
    assert undone.execute("SELECT count(*) FROM convene.v_event_marketplace").fetchone() == (2,)


def test_rejected_and_retired_matches_are_not_recommended(undone, world):
    undone.execute("UPDATE convene.sponsorship_matches SET status = 'rejected' WHERE sponsor_id = %s", [world.sponsors["b"]])
    undone.execute("UPDATE convene.sponsorship_matches SET retired_at = now() WHERE sponsor_id = %s", [world.sponsors["c"]])
    for view in ("v_sponsor_recommendations", "v_event_recommendations"):
        assert undone.execute(f"SELECT DISTINCT sponsor_id FROM convene.{view}").fetchall() == [(world.sponsors["a"],)]


def test_what_is_to_be_had_is_as_of_now(undone, world):
    """Three places at 1000 within a budget of 1000: a sale changes this at once, and not the stored fit."""
    statement = ("SELECT available_packages, affordable_packages, min_price_cents, price_currency, overlap_metrics"
                 " FROM convene.v_event_recommendations WHERE event_id = %s AND sponsor_id = %s")
    pair = [world.a.id, world.sponsors["a"]]
    before = undone.execute(statement, pair).fetchone()
    assert before[:4] == (1, 1, 1000, "USD")
    add_package(undone, world.a.id, "Dear", 1001)
    assert undone.execute(statement, pair).fetchone()[:4] == (2, 1, 1000, "USD")
    undone.execute("UPDATE convene.sponsorship_packages SET sold = 3 WHERE event_id = %s AND package_name = 'Gold'", [world.a.id])
    assert undone.execute(statement, pair).fetchone()[:4] == (1, 0, 1001, "USD")
    add_package(undone, world.a.id, "Abroad", 5, currency="EUR")
    assert undone.execute(statement, pair).fetchone() == (2, 0, None, None, before[4])
    undone.execute("UPDATE convene.sponsorship_packages SET status = 'archived' WHERE event_id = %s", [world.a.id])
    assert undone.execute(statement, pair).fetchone()[:2] == (0, 0)


def test_a_package_card(undone, world):
    card = "SELECT available_inventory, total_inventory, sold, is_active, quality_score, quality_tier, price::float8 FROM convene.v_sponsorship_package_cards WHERE event_id = %s"
    # Start, end, venue, a session, a package: .5 described; engagement .5; no mentions 0; the rest in the middle: 42.5.
    assert undone.execute(card, [world.a.id]).fetchone() == (3, 3, 0, True, 42.5, "medium", 10)
    undone.execute("UPDATE convene.sponsorship_packages SET sold = 3 WHERE event_id = %s", [world.a.id])
    assert undone.execute(card, [world.a.id]).fetchone()[:4] == (0, 3, 3, True)
    undone.execute("UPDATE convene.sponsorship_packages SET status = 'archived', sold = 1 WHERE event_id = %s", [world.a.id])
    assert undone.execute(card, [world.a.id]).fetchone()[:4] == (0, 3, 1, False)


# The documents' queries --------------------------------------------------------------------------------------------

# As they stand in the documents, with their placeholders filled in.
DOCUMENT_2 = [
    """SELECT AVG(score), COUNT(*)
       FROM sponsorship_matches
       WHERE status = 'accepted'
       GROUP BY DATE_TRUNC('week', updated_at)""",
    """SELECT
         COUNT(*) FILTER (WHERE status = 'pending') AS pending,
         COUNT(*) FILTER (WHERE viewed_at IS NOT NULL) AS viewed,
         COUNT(*) FILTER (WHERE contacted_at IS NOT NULL) AS contacted,
         COUNT(*) FILTER (WHERE status = 'accepted') AS accepted
       FROM sponsorship_matches
       WHERE updated_at > now() - interval '30 days'""",
    "SELECT COUNT(*), MAX(queued_at) FROM fit_recalc_queue WHERE processed_at IS NULL",
    "SELECT COUNT(*) FROM fit_recalc_queue WHERE processed_at IS NULL",
    """SELECT
         event_id,
         sponsor_id,
         score,
         overlap_metrics->'audience_overlap' AS audience_fit,
         overlap_metrics->>'budget_fit' AS budget_fit,
         overlap_metrics->>'engagement_quality' AS engagement_fit
       FROM sponsorship_matches
       WHERE score < 0.3
       LIMIT 10""",
    """SELECT e.id, e.title
       FROM events e
       LEFT JOIN event_audience_insights eai ON eai.event_id = e.id
       WHERE eai.event_id IS NULL
         AND e.start_at > now() - interval '6 months'""",
]
DOCUMENT_3 = [
    """SELECT table_name FROM information_schema.tables
       WHERE table_schema = 'public'
       AND table_name LIKE '%%sponsor%%' OR table_name LIKE '%%payout%%'""",
    """SELECT viewname FROM pg_views
       WHERE schemaname = 'public'
       AND viewname LIKE 'v_%%'""",
    """SELECT routine_name FROM information_schema.routines
       WHERE routine_schema = 'public'
       AND routine_name LIKE '%%sponsor%%' OR routine_name LIKE '%%payout%%'""",
    """EXPLAIN ANALYZE SELECT * FROM event_impressions_p
       WHERE created_at >= '2024-01-01' AND created_at < '2024-02-01'""",
    "SELECT * FROM find_similar_sponsors('[0.1,0.2,0.3]'::vector, 10, 0.7)",
    "SELECT * FROM fn_compute_match_score(%(event)s, %(sponsor)s)",
    "SELECT * FROM check_recalc_queue_health()",
    "SELECT update_sponsorship_matches()",
    "SELECT cleanup_recalc_queue()",
    "SELECT status, COUNT(*) FROM payout_queue GROUP BY status",
    "SELECT * FROM mv_refresh_log ORDER BY ran_at DESC LIMIT 10",
    "SELECT * FROM pg_extension WHERE extname = 'pg_cron'",
    "SELECT create_next_month_partitions()",
    "SELECT * FROM pg_extension WHERE extname = 'vector'",
    "SELECT COUNT(*) FROM sponsor_profiles WHERE objectives_embedding IS NOT NULL",
    "SELECT * FROM payout_queue WHERE status = 'failed'",
    "SELECT * FROM payout_configurations",
]


@pytest.mark.parametrize("statement", DOCUMENT_2 + DOCUMENT_3)
def test_the_documents_queries_run_as_they_stand(undone, world, statement):
    undone.execute("SET LOCAL search_path = convene, public")
    with as_role(undone, "service_role"):
        undone.execute(statement, {"event": world.a.id, "sponsor": world.sponsors["a"]}).fetchall()


def test_the_views_are_where_the_document_looks_for_them(conn):
    """In schema convene instead of public."""
    assert [row[0] for row in conn.execute("SELECT viewname FROM pg_views WHERE schemaname = 'convene' AND viewname LIKE 'v\\_%%' ORDER BY 1")] \
        == sorted(VIEWS)
