"""Places taken: every answer knows them at once, and no vector is read again for them."""

import time

import pytest

from lib.factory import make_event

pytestmark = pytest.mark.sql
ANSWER = "SELECT session_id, similarity_score, recommendation_reason FROM convene.get_session_recommendations(%s, %s, 500)"


def revisions(conn, event, kind):
    rows = conn.execute("SELECT sum(rev)::int FROM convene.event_revisions WHERE event_id = %s AND kind = %s", [event.id, kind])
    return rows.fetchone()[0]


def test_a_registration_changes_the_answer_of_a_session_that_knows_the_programme(db):
    with db.connect() as conn, db.connect() as other:
        event = make_event(conn, "places", sessions=8, attendees=2)
        who = [event.people[0].id, event.id]
        conn.execute("UPDATE convene.sessions SET max_attendees = 5 WHERE event_id = %s", [event.id])
        before = conn.execute(ANSWER, who).fetchall()
        target = before[-1][0]
        programme = revisions(conn, event, "programme")
        # Once by this session, once by another one: both are seen.
        conn.execute("UPDATE convene.sessions SET current_registrations = 3 WHERE id = %s", [target])
        assert conn.execute(ANSWER, who).fetchone()[0] == target
        other.execute("UPDATE convene.sessions SET current_registrations = 5 WHERE id = %s", [target])
        full = next(row for row in conn.execute(ANSWER, who) if row[0] == target)
        assert full[2].endswith("; full, waitlist")
        assert revisions(conn, event, "programme") == programme
        # A session of the server that reads everything anew agrees.
        with db.connect() as fresh:
            assert fresh.execute(ANSWER, who).fetchall() == conn.execute(ANSWER, who).fetchall()


def test_a_registration_that_is_rolled_back_leaves_no_trace(db):
    with db.connect() as conn:
        event = make_event(conn, "undone", sessions=6, attendees=1)
        who = [event.people[0].id, event.id]
        before = conn.execute(ANSWER, who).fetchall()
        with pytest.raises(RuntimeError), conn.transaction():
            conn.execute("UPDATE convene.sessions SET current_registrations = 50 WHERE id = %s", [before[-1][0]])
            assert conn.execute(ANSWER, who).fetchall() != before
            raise RuntimeError("undo")
        assert conn.execute(ANSWER, who).fetchall() == before


def test_what_is_not_scored_by_outdates_nothing(db):
    with db.connect() as conn:
        event = make_event(conn, "quiet", sessions=3, attendees=1)
        seen = [revisions(conn, event, kind) for kind in ("programme", "registrations")]
        conn.execute("UPDATE convene.sessions SET recording_url = 'x', chat_enabled = false WHERE event_id = %s", [event.id])
        assert [revisions(conn, event, kind) for kind in ("programme", "registrations")] == seen
        conn.execute("UPDATE convene.sessions SET room = 'Elsewhere' WHERE event_id = %s", [event.id])
        assert revisions(conn, event, "programme") == seen[0] + 1


def test_a_registration_costs_less_than_reading_the_vectors(db):
    with db.connect() as conn:
        event = make_event(conn, "wide", sessions=1500, attendees=1, embeddings=384)
        who = [event.people[0].id, event.id]

        def call_after(change):
            conn.execute(change, [event.sessions[0]])
            started = time.perf_counter()
            conn.execute(ANSWER, who)
            return time.perf_counter() - started

        registration = "UPDATE convene.sessions SET current_registrations = current_registrations + 1 WHERE id = %s"
        title = "UPDATE convene.sessions SET title = title || '.' WHERE id = %s"
        call_after(title)
        # By turns: the machine is slower in one moment than in another.
        taken = [(call_after(title), call_after(registration)) for _ in range(5)]
        vectors, counts = map(min, zip(*taken))
        print(f"{vectors * 1000:.1f} ms with the vectors, {counts * 1000:.1f} ms without")
        assert counts < vectors
