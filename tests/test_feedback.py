"""What is served is remembered, what people answer is noted once, and the numbers of it add up."""

import uuid
from datetime import timedelta
from decimal import Decimal

import pytest
from psycopg.types.json import Jsonb

from lib.access import as_role, expect_error
from lib.factory import make_event, make_world
from lib.reference import plant, recommend

SERVE = "SELECT * FROM convene.serve_session_recommendations(%s, %s, %s, %s)"
ANSWER = "SELECT convene.submit_recommendation_feedback(%s, %s, %s)"
HISTORY = """
SELECT recommended_item_id, recommendation_algorithm, confidence_score, recommendation_context, clicked, bookmarked, attended,
       dismissed, feedback_rating, shown_at
FROM convene.recommendation_history WHERE id = %s"""


@pytest.fixture(scope="module")
def event(db):
    with db.connect() as connection:
        return plant(connection, "served", sessions=40, attendees=12)


def serve(conn, event, person=0, limit=10, algorithm="hybrid"):
    return conn.execute(SERVE, [event.people[person].id, event.id, limit, algorithm]).fetchall()


def test_serving_gives_the_rows_of_getting_and_logs_each(conn, event):
    with as_role(conn, "authenticated", event.people[0].sub):
        before, served = recommend(conn, event), serve(conn, event)
    assert [row[:2] + (float(row[2]),) + row[3:8] for row in served] == [tuple(rec) for rec in before]
    assert len({row[8] for row in served}) == 10
    for place, row in enumerate(served, 1):
        logged = conn.execute(HISTORY, [row[8]]).fetchone()
        assert logged[:2] == (row[0], "hybrid")
        assert float(logged[2]) == pytest.approx(float(row[2]), abs=0.0051)
        # Five visits are known of everybody here.
        assert logged[3] == {"position": place, "reason": row[3], "score_parts": row[7], "interactions": 5}
        assert logged[4:9] == (False, False, False, False, None)
    again = serve(conn, event)
    assert [row[:8] for row in again] == [row[:8] for row in served] and not {r[8] for r in again} & {r[8] for r in served}


def test_another_moment_is_for_the_service(conn, event):
    person = event.people[1]
    later = event.starts + timedelta(hours=1)
    call = "SELECT recommendation_id FROM convene.serve_session_recommendations(%s, %s, p_now => %s)"
    for sub in (person.sub, event.organizer):
        with as_role(conn, "authenticated", sub):
            expect_error(conn, "42501", call, [person.id, event.id, later], message="p_now|another time")
    with as_role(conn, "service_role"):
        shown = conn.execute(call, [person.id, event.id, later]).fetchall()
    assert conn.execute(HISTORY, [shown[0][0]]).fetchone()[9] == later


def test_serving_somebody_who_wants_none_logs_nothing(conn, event):
    conn.execute("SELECT convene.update_attendee_preferences(%s, %s, %s)",
                 [event.people[2].id, event.id, Jsonb({"recommendation_enabled": False})])
    assert serve(conn, event, 2) == []
    assert not conn.execute("SELECT 1 FROM convene.recommendation_history WHERE attendee_id = %s",
                            [event.people[2].id]).fetchall()


@pytest.mark.parametrize("action,rating,kind", [
    ("clicked", None, "browsed"), ("bookmarked", None, "bookmarked"), ("attended", None, "attended"), ("rated", 4, "rated"),
])
def test_an_answer_is_noted_once_and_is_an_interaction(conn, event, action, rating, kind):
    person = event.people[3]
    with as_role(conn, "authenticated", person.sub):
        row = serve(conn, event, 3, 1)[0]
        told = conn.execute(ANSWER, [row[8], action, rating]).fetchone()[0]
        first = conn.execute("SELECT * FROM convene.recommendation_history WHERE id = %s", [row[8]]).fetchall()
        assert conn.execute(ANSWER, [row[8], action, rating]).fetchone()[0] == told
        # Once is as good as twice: not even a moment changes.
        assert conn.execute("SELECT * FROM convene.recommendation_history WHERE id = %s", [row[8]]).fetchall() == first
    wanted = {"clicked": False, "bookmarked": False, "attended": False, "dismissed": False, "rating": rating}
    if action != "rated":
        wanted[action] = True
    assert told == {"recommendation_id": str(row[8]), **wanted}
    column = "rated_at" if action == "rated" else f"{action}_at"
    assert conn.execute(f"SELECT {column} IS NOT NULL FROM convene.recommendation_history WHERE id = %s",
                        [row[8]]).fetchone()[0]
    assert conn.execute(
        "SELECT value FROM convene.session_interactions WHERE attendee_id = %s AND session_id = %s AND kind = %s",
        [person.id, row[0], kind]).fetchone() == (rating,)


def test_a_dismissed_session_does_not_come_back_until_that_is_taken_back(db, conn, event):
    person = event.people[4]
    with as_role(conn, "authenticated", person.sub):
        row = serve(conn, event, 4, 1)[0]
        conn.execute(ANSWER, [row[8], "dismissed", None])
        assert row[0] not in [rec.session for rec in recommend(conn, event, 4, 500)]
    with db.second() as fresh:
        assert row[0] not in [rec.session for rec in recommend(fresh, event, 4)]
    assert not conn.execute("SELECT 1 FROM convene.session_interactions WHERE attendee_id = %s AND session_id = %s",
                            [person.id, row[0]]).fetchall()
    conn.execute("UPDATE convene.recommendation_history SET dismissed = false WHERE id = %s", [row[8]])
    assert row[0] in [rec.session for rec in recommend(conn, event, 4, 500)]


@pytest.mark.parametrize("action,rating,message", [
    ("liked", None, '"liked"'), ("", None, '""'), ("CLICKED", None, "CLICKED"), ("rated", None, "p_rating"),
    ("rated", 0, "not 0"), ("rated", 6, "not 6"), ("rated", -(2**31), "-2147483648"), ("clicked", 3, "clicked"),
])
def test_wrong_answers_are_refused_and_change_nothing(conn, event, action, rating, message):
    row = serve(conn, event, 5, 1)[0]
    with as_role(conn, "authenticated", event.people[5].sub):
        expect_error(conn, "22023", ANSWER, [row[8], action, rating], message=message)
        expect_error(conn, "22004", ANSWER, [row[8], None, None], message="p_action")
        expect_error(conn, "22004", ANSWER, [None, "clicked", None], message="p_recommendation_id")
    assert conn.execute(HISTORY, [row[8]]).fetchone()[4:9] == (False, False, False, False, None)


def test_only_the_person_the_organizer_and_the_service_answer(conn, event):
    other = make_event(conn, "elsewhere")
    row = serve(conn, event, 6, 1)[0]
    unknown = uuid.uuid4()
    refusals = set()
    for sub in (event.people[7].sub, other.people[0].sub, other.organizer):
        with as_role(conn, "authenticated", sub):
            refusals |= {expect_error(conn, "42501", ANSWER, [id_, "clicked", None]) for id_ in (row[8], unknown)}
    with as_role(conn, "authenticated", event.people[6].sub):
        refusals.add(expect_error(conn, "42501", ANSWER, [unknown, "clicked", None]))
    assert len(refusals) == 1
    expect_error(conn, "P0002", ANSWER, [unknown, "clicked", None], message=str(unknown))
    with as_role(conn, "authenticated", event.organizer):
        assert conn.execute(ANSWER, [row[8], "clicked", None]).fetchone()[0]["clicked"]


def test_an_answer_about_a_session_that_is_gone_is_kept(conn):
    event = make_event(conn, "vanishing")
    row = serve(conn, event, 0, 1)[0]
    conn.execute("DELETE FROM convene.sessions WHERE id = %s", [row[0]])
    assert conn.execute(ANSWER, [row[8], "bookmarked", None]).fetchone()[0]["bookmarked"]


def test_metrics_by_hand(conn):
    """Hybrid: 6 shown, 3 clicked, 1 bookmarked, 1 attended, 2 dismissed, ratings 5 and 2. Popularity: 4 shown."""
    alpha, beta = make_world(conn)
    serve(conn, beta, 0, 5)
    ids = [row[8] for row in serve(conn, alpha, 0, 4)] + [row[8] for row in serve(conn, alpha, 1, 2)]
    serve(conn, alpha, 1, 4, "popularity")
    for place, action, rating in ((0, "clicked", None), (0, "clicked", None), (1, "clicked", None), (2, "clicked", None),
                                  (0, "bookmarked", None), (4, "attended", None), (1, "dismissed", None),
                                  (5, "dismissed", None), (0, "rated", 4), (0, "rated", 5), (3, "rated", 2)):
        conn.execute(ANSWER, [ids[place], action, rating])
    call = "SELECT * FROM convene.recommendation_metrics(%s)"
    with as_role(conn, "authenticated", alpha.organizer):
        got = conn.execute(call, [alpha.id]).fetchall()
        expect_error(conn, "42501", call, [beta.id])
    assert got == [
        ("hybrid", None, None, 6, 3, 1, 1, 2, 2, Decimal("3.50"), Decimal("0.5000")),
        ("popularity", None, None, 4, 0, 0, 0, 0, 0, None, Decimal("0.0000")),
    ]
    experiment = uuid.uuid4()
    conn.execute("INSERT INTO convene.experiments (id, organization_id, name, surface) VALUES (%s, %s, 'x', 'recommendations')",
                 [experiment, alpha.organization])
    conn.execute("UPDATE convene.recommendation_history SET experiment_id = %s, variant = 'b' WHERE id = ANY (%s)",
                 [experiment, ids[:3]])
    got = conn.execute(call, [alpha.id]).fetchall()
    assert [row[:5] for row in got] == [("hybrid", experiment, "b", 3, 3), ("hybrid", None, None, 3, 0), ("popularity", None, None, 4, 0)]
    with as_role(conn, "authenticated", alpha.people[0].sub):
        expect_error(conn, "42501", call, [alpha.id])


@pytest.mark.parametrize("what", ["attendee", "event", "session", "profile"])
def test_what_goes_takes_its_records_along_without_a_word(conn, what):
    """With signals, preferences, vectors, a model, kept answers, dismissals and jobs in every place."""
    event = plant(conn, f"going-{what}", sessions=24, attendees=12, kinds=("attended", "bookmarked"))
    conn.execute("SELECT convene.refresh_event_recommendations(%s, true)", [event.id])
    for person in (0, 1):
        for row in serve(conn, event, person, 3):
            conn.execute(ANSWER, [row[8], "dismissed", None])
            conn.execute(ANSWER, [row[8], "rated", 5])
    conn.execute("UPDATE convene.sessions SET title = title || '!' WHERE event_id = %s", [event.id])
    gone = {"attendee": event.people[0].id, "event": event.id, "session": event.sessions[0], "profile": event.people[0].sub}[what]
    conn.execute(f"DELETE FROM convene.{what}s WHERE id = %s", [gone])
    conn.execute("SELECT convene.refresh_event_insights()")  # takes the notes of what was counted
    columns = conn.execute(
        """SELECT c.relname, a.attname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
           WHERE c.relnamespace = 'convene'::regnamespace AND c.relkind = 'r' AND a.atttypid = 'uuid'::regtype
             AND a.attname = %s""", ["target_id" if what == "session" else f"{what}_id"]).fetchall()
    columns += [("session_interactions", "session_id"), ("session_embeddings", "session_id")] if what == "session" else []
    assert columns
    for table, column in columns:
        if table in ("audit_log", "fit_recalc_queue"):
            continue  # what happened stays true; and what has gone is queued, so that its fits go
        assert conn.execute(f"SELECT count(*) FROM convene.{table} WHERE {column} = %s", [gone]).fetchone() == (0,), table
    if what != "event":
        assert recommend(conn, event, 1)
