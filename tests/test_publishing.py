"""What is public is told by the event: its parts and its venues follow it, whatever a client writes and whoever writes meanwhile."""

import threading
from collections import namedtuple

import pytest

from lib.access import as_role, expect_error
from lib.factory import make_world

pytestmark = pytest.mark.sql

# Every table with the column, and what a row of it needs beside the event.
PARTS = """
INSERT INTO convene.speakers (event_id, full_name) VALUES (%(event)s, 'S');
INSERT INTO convene.event_materials (event_id, title, access_level) VALUES (%(event)s, 'M', 'public');
INSERT INTO convene.event_announcements (event_id, title, content, target_audience, status) VALUES (%(event)s, 'A', 'x', 'all', 'sent');
INSERT INTO convene.ticket_types (event_id, name, price) VALUES (%(event)s, 'T', 1);
INSERT INTO convene.bundles (event_id, name, price) VALUES (%(event)s, 'B', 1);
INSERT INTO convene.bundle_items (bundle_id, ticket_type_id) SELECT b.id, t.id FROM convene.bundles b JOIN convene.ticket_types t
    USING (event_id) WHERE event_id = %(event)s;
INSERT INTO convene.seat_maps (event_id, name, rows, seats_per_row) VALUES (%(event)s, 'M', 2, 2);
INSERT INTO convene.goal_complements (event_id, looking_for, can_offer) VALUES (%(event)s, 'a', 'b');
INSERT INTO convene.sponsorship_packages (event_id, package_name, tier, price_cents, total_available) VALUES (%(event)s, 'P', 'gold', 1, 1);
INSERT INTO convene.event_embeddings (event_id, embedding, source_text, embedding_model)
    SELECT event_id, embedding, 'x', embedding_model FROM convene.session_embeddings WHERE event_id = %(event)s LIMIT 1;
INSERT INTO convene.event_quality_scores (event_id, quality_score) VALUES (%(event)s, 50)
"""


@pytest.fixture(scope="module")
def world(db):
    with db.connect() as connection:
        made = namedtuple("World", "alpha beta")(*make_world(connection, sessions=4, attendees=2))
        connection.execute("SELECT convene.embed_pending()")
        for statement in PARTS.split(";\n"):
            connection.execute(statement, {"event": made.alpha.id})
        connection.execute("UPDATE convene.events SET venue_id = %s WHERE id = %s", [made.alpha.venue, made.alpha.id])
    return made


@pytest.fixture
def undone(conn, world):
    with conn.transaction(force_rollback=True):
        yield conn


def status(conn, event, value):
    conn.execute("UPDATE convene.events SET status = %s WHERE id = %s", [value, event.id])


def parts(conn):
    return [row[0] for row in conn.execute(
        "SELECT attrelid::regclass::text FROM pg_attribute JOIN pg_class c ON c.oid = attrelid"
        " WHERE attname = 'event_public' AND relkind = 'r' ORDER BY 1")]


def flags(conn, event):
    return {table: {row[0] for row in conn.execute(f"SELECT DISTINCT event_public FROM {table} WHERE event_id = %s", [event.id])}
            for table in parts(conn)}


def public(conn, venue):
    return conn.execute("SELECT is_public FROM convene.venues WHERE id = %s", [venue]).fetchone()[0]


def test_the_parts_of_a_programme_follow_its_event(undone, world):
    assert len(parts(undone)) == 13
    for value, is_public in (("draft", False), ("published", True), ("cancelled", False), ("completed", True)):
        status(undone, world.alpha, value)
        assert flags(undone, world.alpha) == {table: {is_public} for table in parts(undone)}
        with as_role(undone, "anon"):
            assert bool(undone.execute("SELECT FROM convene.sessions WHERE event_id = %s", [world.alpha.id]).rowcount) == is_public


def test_publishing_queues_no_embedding_and_changes_no_number(undone, world):
    queue = "SELECT id, status FROM convene.embedding_queue ORDER BY id"
    rev = "SELECT sum(rev) FROM convene.event_revisions WHERE event_id = %s AND kind = 'registrations'"
    before = undone.execute(queue).fetchall(), undone.execute(rev, [world.alpha.id]).fetchone()
    stock = undone.execute("SELECT sold_count, price_cents FROM convene.ticket_types").fetchall()
    status(undone, world.alpha, "draft")
    status(undone, world.alpha, "published")
    assert (undone.execute(queue).fetchall(), undone.execute(rev, [world.alpha.id]).fetchone()) == before
    assert undone.execute("SELECT sold_count, price_cents FROM convene.ticket_types").fetchall() == stock


@pytest.mark.parametrize("write", [
    "INSERT INTO convene.speakers (id, event_id, event_public, full_name) VALUES (gen_random_uuid(), %s, true, 'forged')",
    "UPDATE convene.speakers SET event_public = true, full_name = 'forged' WHERE event_id = %s",
    "INSERT INTO convene.event_materials (event_id, event_public, title, access_level) VALUES (%s, true, 'forged', 'public')",
])
def test_nobody_declares_a_draft_public(undone, world, write):
    status(undone, world.alpha, "draft")
    with as_role(undone, "authenticated", world.alpha.organizer):
        assert undone.execute(write, [world.alpha.id]).rowcount > 0
    assert set().union(*flags(undone, world.alpha).values()) == {False}


def test_a_row_that_goes_to_another_event_is_as_public_as_that(undone, world):
    status(undone, world.beta, "draft")
    speaker = undone.execute("UPDATE convene.speakers SET event_id = %s WHERE event_id = %s RETURNING event_public",
                             [world.beta.id, world.alpha.id]).fetchone()
    assert speaker == (False,)
    expect_error(undone, "23503", "INSERT INTO convene.speakers (event_id, full_name) VALUES (gen_random_uuid(), 'S')")


def test_who_adds_while_the_event_is_being_published_waits_and_is_public(db, conn, world):
    status(conn, world.beta, "draft")
    with db.second(autocommit=False) as publisher, db.second() as writer:
        status(publisher, world.beta, "published")
        adding = threading.Thread(target=writer.execute, args=(
            "INSERT INTO convene.speakers (event_id, full_name) VALUES (%s, 'late')", [world.beta.id]))
        adding.start()
        adding.join(0.5)
        assert adding.is_alive()
        publisher.commit()
        adding.join(10)
    assert flags(conn, world.beta)["convene.speakers"] == {True}
    conn.execute("DELETE FROM convene.speakers WHERE full_name = 'late'")


def test_a_venue_is_public_with_whatever_names_it(undone, world):
    event, venue = world.alpha, world.alpha.venue
    undone.execute("UPDATE convene.sessions SET venue_id = NULL WHERE venue_id = %s", [venue])
    undone.execute("UPDATE convene.events SET venue_id = NULL WHERE venue_id = %s AND id <> %s", [venue, event.id])
    assert public(undone, venue)
    status(undone, event, "draft")
    assert not public(undone, venue)
    undone.execute("UPDATE convene.venues SET is_public = true WHERE id = %s", [venue])
    assert not public(undone, venue)
    undone.execute("UPDATE convene.events SET venue_id = NULL WHERE id = %s", [event.id])
    undone.execute("UPDATE convene.sessions SET venue_id = %s WHERE id = %s", [venue, event.sessions[0]])
    status(undone, event, "published")
    assert public(undone, venue)
    undone.execute("UPDATE convene.sessions SET venue_id = %s WHERE id = %s", [venue, event.sessions[1]])
    undone.execute("DELETE FROM convene.sessions WHERE id = %s", [event.sessions[0]])
    assert public(undone, venue)
    undone.execute("DELETE FROM convene.sessions WHERE id = %s", [event.sessions[1]])
    assert not public(undone, venue)
    made = undone.execute("INSERT INTO convene.venues (organization_id, name, is_public) VALUES (%s, 'V', true) RETURNING is_public",
                          [event.organization]).fetchone()
    assert made == (False,)


@pytest.mark.parametrize("first, second", [("leave", "leave"), ("leave", "name"), ("name", "leave")])
def test_two_who_name_and_leave_a_venue_at_once_get_it_right(db, conn, world, first, second):
    """One event takes the venue out of its public sessions while the other's puts it in, or both take it out."""
    venue = conn.execute("INSERT INTO convene.venues (organization_id, name) VALUES (%s, 'Shared') RETURNING id",
                         [world.alpha.organization]).fetchone()[0]
    move = "UPDATE convene.sessions SET venue_id = %s WHERE id = %s"
    sessions = dict(zip((0, 1), world.alpha.sessions[:2]))
    for turn, what in enumerate((first, second)):
        conn.execute(move, [venue if what == "leave" else None, sessions[turn]])
    with db.second(autocommit=False) as one, db.second(autocommit=False) as other:
        one.execute(move, [venue if first == "name" else None, sessions[0]])

        def write():
            other.execute(move, [venue if second == "name" else None, sessions[1]])
            other.commit()
        writing = threading.Thread(target=write)
        writing.start()
        writing.join(0.3)
        one.commit()
        writing.join(10)
        assert not writing.is_alive()
    assert public(conn, venue) == ("name" in (first, second))
    conn.execute("UPDATE convene.sessions SET venue_id = NULL WHERE venue_id = %s", [venue])
    conn.execute("DELETE FROM convene.venues WHERE id = %s", [venue])


def test_rows_that_staff_finds_by_organization_move_with_their_event(undone, world):
    event, person = world.beta, world.beta.people[0].id
    undone.execute("INSERT INTO convene.session_interactions (attendee_id, session_id, kind) VALUES (%s, %s, 'bookmarked')",
                   [person, event.sessions[0]])
    undone.execute("INSERT INTO convene.event_impressions (event_id) VALUES (%s)", [event.id])
    undone.execute("UPDATE convene.events SET organization_id = %s WHERE id = %s", [world.alpha.organization, event.id])
    for table in ("attendees", "session_interactions", "event_impressions"):
        assert undone.execute(f"SELECT DISTINCT organization_id FROM convene.{table} WHERE event_id = %s", [event.id]).fetchall() \
            == [(world.alpha.organization,)]
    expect_error(undone, "23503", "INSERT INTO convene.attendees (event_id, organization_id) VALUES (%s, %s)",
                 [event.id, event.organization])
