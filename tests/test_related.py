"""What goes with sessions: similar ones, material, exhibitors."""

import uuid

import pytest

from lib.access import as_role, expect_error, sqlstate
from lib.factory import bookmark, interact, make_event, prefer
from lib.reference import plant, refresh

SIMILAR = "SELECT * FROM convene.find_similar_sessions(%s, %s)"
MATERIAL = "SELECT * FROM convene.get_content_recommendations(%s, %s, %s)"
EXHIBITORS = "SELECT * FROM convene.get_exhibitor_recommendations(%s, %s, %s)"


@pytest.fixture
def undone(conn):
    """What a test writes is rolled back."""
    with conn.transaction(force_rollback=True):
        yield conn


def cosines(conn, session):
    """What pgvector says of every other session of the event with a vector of the same model."""
    return dict(conn.execute(
        """SELECT o.session_id, 1 - (o.embedding <=> e.embedding) FROM convene.session_embeddings e
           JOIN convene.session_embeddings o ON o.event_id = e.event_id AND o.embedding_model = e.embedding_model
                                             AND o.session_id <> e.session_id
           WHERE e.session_id = %s""", [session]).fetchall())


def test_similar_sessions_are_the_nearest_by_cosine(undone):
    event = make_event(undone, "near", sessions=40, embeddings=16)
    make_event(undone, "stranger", sessions=10, embeddings=16)
    for session in event.sessions[:5]:
        expected = cosines(undone, session)
        rows = undone.execute(SIMILAR, [session, 10]).fetchall()
        best = sorted((other for other in expected if expected[other] > 0), key=lambda other: -expected[other])[:10]
        assert [row[0] for row in rows] == best
        title = undone.execute("SELECT title FROM convene.sessions WHERE id = %s", [session]).fetchone()[0]
        for other, _, score, reason, start, end in rows:
            assert float(score) == pytest.approx(max(0, expected[other]), abs=1e-3)
            assert reason == f'Similar to "{title}"' and start < end


def test_neither_itself_nor_cancelled_nor_foreign_nor_of_another_model(undone):
    event = make_event(undone, "kept", sessions=12, embeddings=16)
    # All a little alike, so that none is left out for pointing the other way.
    undone.execute(
        """UPDATE convene.session_embeddings SET embedding = embedding + array_fill(1::real, ARRAY[16])::vector
           WHERE event_id = %s""", [event.id])
    undone.execute("UPDATE convene.sessions SET status = 'cancelled' WHERE id = ANY (%s)", [event.sessions[6:]])
    rows = [row[0] for row in undone.execute(SIMILAR, [event.sessions[0], 100])]
    assert set(rows) == set(event.sessions[1:6])
    # From a cancelled session one may still look for another.
    assert {row[0] for row in undone.execute(SIMILAR, [event.sessions[7], 100])} == set(event.sessions[:6])
    undone.execute("SELECT convene.add_embedding_model('another', 16)")
    undone.execute("UPDATE convene.session_embeddings SET embedding_model = 'another' WHERE session_id = ANY (%s)", [event.sessions[1:4]])
    assert {row[0] for row in undone.execute(SIMILAR, [event.sessions[0], 100])} == set(event.sessions[4:6])


def test_without_vectors_by_those_who_chose_both_if_they_are_five(undone):
    event = plant(undone, "vectorless", sessions=40, attendees=60, choices=5, embeddings=None)
    refresh(undone, event, True)
    liked = lambda session: {row[0] for row in undone.execute(  # noqa: E731
        "SELECT attendee_id FROM convene.session_interactions WHERE session_id = %s", [session])}
    seen = 0
    for session in event.sessions[:16]:
        for other, _, score, reason, _, _ in undone.execute(SIMILAR, [session, 10]).fetchall():
            assert len(liked(session) & liked(other)) >= 5
            assert 0 < float(score) <= 1 and reason.startswith('Chosen by attendees of "Talk ')
            seen += 1
    assert seen > 10


def test_a_session_alone_has_nothing_like_it(undone):
    event = make_event(undone, "alone", sessions=3)
    assert undone.execute(SIMILAR, [event.sessions[0], 10]).fetchall() == []


def test_who_may_ask_what_is_like_a_session(conn):
    event = make_event(conn, "hidden", status="draft", embeddings=16)
    expect_error(conn, "P0002", SIMILAR, [uuid.uuid4(), 10])
    cancelled = event.people[1]
    conn.execute("UPDATE convene.attendees SET status = 'cancelled' WHERE id = %s", [cancelled.id])
    for role, sub, code in (("anon", None, "42501"), ("authenticated", cancelled.sub, "42501"), ("authenticated", uuid.uuid4(), "42501"),
                            ("authenticated", event.people[0].sub, None), ("authenticated", event.organizer, None)):
        with as_role(conn, role, sub):
            if code:
                expect_error(conn, code, SIMILAR, [event.sessions[0], 10])
            else:
                assert conn.execute(SIMILAR, [event.sessions[0], 10]).fetchall()
    conn.execute("UPDATE convene.events SET status = 'published' WHERE id = %s", [event.id])
    with as_role(conn, "anon"):
        assert len(conn.execute(SIMILAR, [event.sessions[0], 3]).fetchall()) == 3


def material(conn, event, title, *, session=None, tags=(), level="attendees_only", downloads=0, description=None, category=None):
    return conn.execute(
        """INSERT INTO convene.event_materials
             (event_id, session_id, title, tags, access_level, download_count, description, category, material_type)
           VALUES (%s, %s, %s, %s, %s, %s, %s, %s, 'document') RETURNING id""",
        [event.id, session and event.sessions[session], title, list(tags), level, downloads, description, category]).fetchone()[0]


def check_parts(score, parts):
    assert parts and abs(sum(part["weight"] for part in parts.values()) - 1) < 1e-6
    assert sum(part["weight"] * part["score"] for part in parts.values()) == pytest.approx(float(score), abs=1e-4)
    assert all(0 <= part["score"] <= 1 for part in parts.values())


def test_material_of_what_one_chose_and_of_what_one_likes(undone):
    event = make_event(undone, "papers")
    person = event.people[0]
    chosen = material(undone, event, "Slides of the third", session=2)
    topical = material(undone, event, "On databases", tags=["Databases", "speed"], category="guide")
    popular = material(undone, event, "Map of the venue", downloads=50)
    plain = material(undone, event, "Parking")
    other = make_event(undone, "elsewhere")
    foreign = material(undone, other, "Foreign databases", tags=["databases"])
    bookmark(undone, event, 0, 2)
    prefer(undone, event, 0, preferred_topics=["databases"])
    rows = {row[0]: row for row in undone.execute(MATERIAL, [person.id, event.id, 10])}
    assert foreign not in rows and set(rows) == {chosen, topical, popular, plain}
    order = list(rows)
    assert set(order[:2]) == {chosen, topical} and order[-1] == plain
    assert rows[chosen][4] == 'Part of "Session 3 of papers", which you bookmarked'
    assert rows[topical][4] == "Matches your interest in Databases"
    assert rows[popular][4] in ("Popular", "Close to what you are interested in")
    assert rows[chosen][2] == "document"
    for row in rows.values():
        check_parts(row[3], row[5])
    assert [row[0] for row in undone.execute(MATERIAL, [person.id, event.id, 2])] == order[:2]


def test_five_downloads_make_something_popular(undone):
    event = make_event(undone, "downloads")
    few, many = material(undone, event, "qqq", downloads=4), material(undone, event, "zzz", downloads=0)
    reasons = lambda: {row[0]: row[4] for row in undone.execute(MATERIAL, [event.people[0].id, event.id, 10])}  # noqa: E731
    assert reasons()[few] == "Part of the event"
    undone.execute("UPDATE convene.event_materials SET download_count = 5 WHERE id = %s", [few])
    assert reasons() == {few: "Popular", many: "Part of the event"}


def test_material_that_is_not_for_attendees_stays_away(undone):
    event = make_event(undone, "levels")
    ids = {level: material(undone, event, level, level=level) for level in (
        "public", "attendees_only", "speakers_only", "sponsors_only", "organizers_only")}
    person = event.people[0]
    seen = lambda: {row[0] for row in undone.execute(MATERIAL, [person.id, event.id, 100])}  # noqa: E731
    assert seen() == {ids["public"], ids["attendees_only"]}
    undone.execute("UPDATE convene.attendees SET status = 'cancelled' WHERE id = %s", [person.id])
    assert seen() == {ids["public"]}
    undone.execute("UPDATE convene.attendees SET status = 'registered' WHERE id = %s", [person.id])
    prefer(undone, event, 0, recommendation_enabled=False)
    assert seen() == set()


def test_a_session_that_one_hated_is_no_reason(undone):
    event = make_event(undone, "hated")
    interact(undone, event, 0, 2, "attended")
    interact(undone, event, 0, 2, "rated", 1)
    paper = material(undone, event, "Slides", session=2)
    row = next(row for row in undone.execute(MATERIAL, [event.people[0].id, event.id, 10]) if row[0] == paper)
    assert "which you" not in row[4]


def test_no_exhibitors_where_nobody_sponsors(undone):
    event = make_event(undone, "early")
    assert undone.execute(EXHIBITORS, [event.people[0].id, event.id, 10]).fetchall() == []
    # Rights and values are checked all the same.
    assert sqlstate(undone, EXHIBITORS, [event.people[0].id, event.id, 0]).sqlstate == "22023"


def test_exhibitors_by_topics_and_words(undone):
    event, other = make_event(undone, "booths"), make_event(undone, "elsewhere")
    add = lambda of, name, industry, tags, status: undone.execute(  # noqa: E731
        "INSERT INTO convene.sponsors (event_id, company_name, industry, tags, status) VALUES (%s, %s, %s, %s, %s) RETURNING id",
        [of and of.id, name, industry, tags, status]).fetchone()[0]
    right = add(event, "Rowstore Inc", "Databases", ["postgres"], "active")
    words = add(event, "Database experts", "consulting", [], "contracted")
    plain = add(event, "Coffee House", "food", ["coffee"], "fulfilled")
    for of, status in ((event, "prospecting"), (other, "active"), (None, "active")):
        add(of, "Not here", "databases", ["databases"], status)
    gone = add(event, "Cancelled", "databases", ["databases"], "active")
    undone.execute("UPDATE convene.sponsors SET fulfilment_status = 'cancelled' WHERE id = %s", [gone])
    # Of the market, with a sponsorship that stands, and with one that does not.
    guest, asked = (add(None, name, "databases", ["databases"], "active") for name in ("Guest", "Asked"))
    for sponsor, status in ((guest, "confirmed"), (asked, "proposed")):
        undone.execute("INSERT INTO convene.event_sponsorships (event_id, sponsor_id, status) VALUES (%s, %s, %s)",
                       [event.id, sponsor, status])
    prefer(undone, event, 0, preferred_topics=["databases"], industry_interests=["consulting"])
    rows = {row[0]: row for row in undone.execute(EXHIBITORS, [event.people[0].id, event.id, 10])}
    assert set(rows) == {right, words, plain, guest} and list(rows)[-1] == plain
    assert rows[right][3] == "Matches your interest in Databases" and rows[words][3] == "Matches your interest in consulting"
    for row in rows.values():
        check_parts(row[2], row[4])
    prefer(undone, event, 0, recommendation_enabled=False)
    assert undone.execute(EXHIBITORS, [event.people[0].id, event.id, 10]).fetchall() == []
