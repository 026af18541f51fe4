"""A programme so large that its vectors are kept in 16 bits: the same answers, within what the scores promise."""

import random

import pytest

from lib.factory import bookmark, interact, make_event, prefer
from lib.reference import check_list, content_scores, recommend, refresh

DIMENSIONS = 1536


@pytest.fixture(scope="module")
def large(db):
    """A thousand sessions with 1,536 dimensions are above the million and a half numbers that stay in single precision."""
    with db.connect() as connection:
        event = make_event(connection, "large", sessions=1000, attendees=4)
        connection.execute("SELECT setseed(0.5)")
        # Around one of forty directions each, made in the server: nothing here is as fast.
        connection.execute(
            """WITH centres AS (SELECT c, array_agg(random() - 0.5 ORDER BY d) AS v
                                FROM generate_series(0, 39) c, generate_series(1, %(dims)s) d GROUP BY c),
                    numbered AS (SELECT id, event_id, (row_number() OVER (ORDER BY start_time, id)) %% 40 AS c
                                 FROM convene.sessions WHERE event_id = %(event)s)
               INSERT INTO convene.session_embeddings (session_id, event_id, embedding, source_text, embedding_model)
               SELECT n.id, n.event_id, (SELECT array_agg((x + 0.7 * (random() - 0.5 + n.c * 0))::real ORDER BY o)
                                         FROM unnest(c.v) WITH ORDINALITY u(x, o)), '', 'text-embedding-ada-002'
               FROM numbered n JOIN centres c USING (c)""", {"dims": DIMENSIONS, "event": event.id})
    return event


@pytest.mark.parametrize("seed", [1, 2])
def test_content_scores_of_a_large_programme_are_pgvectors(conn, large, seed):
    draw = random.Random(seed)
    person = large.people[seed]
    for session in draw.sample(range(1000), 6):
        interact(conn, large, seed, session, draw.choice(["attended", "browsed"]))
    interact(conn, large, seed, draw.randrange(1000), "rated", 1)
    expected = content_scores(conn, large.id, person.id)
    recs = recommend(conn, large, seed, 500, "content_based")
    assert len(recs) == 500 and max(rec.score for rec in recs) > 0.3
    for rec in recs:
        assert rec.score == pytest.approx(expected[rec.session], abs=1e-3)
    check_list(conn, large, seed, recs[:20])


def test_the_best_of_a_large_programme_are_the_best(conn, large):
    """With relevance alone the list is the exact order, also where the quick look was only near."""
    bookmark(conn, large, 0, 17)
    interact(conn, large, 0, 500, "attended")
    conn.execute("UPDATE convene.settings SET value = '1' WHERE key = 'recommendation.mmr_lambda'")
    try:
        expected = content_scores(conn, large.id, large.people[0].id)
        # Known, or beside the bookmark and therefore ranked below.
        out = {large.sessions[index] for index in (500, 16, 17, 18, 19)}
        wanted = sorted((score for session, score in expected.items() if session not in out), reverse=True)
        recs = recommend(conn, large, 0, 30, "content_based")
        assert not out & {rec.session for rec in recs}
        for rec, score in zip(recs, wanted, strict=False):
            assert expected[rec.session] == pytest.approx(score, abs=1e-3)
    finally:
        conn.execute("UPDATE convene.settings SET value = '0.7' WHERE key = 'recommendation.mmr_lambda'")


def test_what_is_computed_ahead_for_a_large_programme_is_the_same(db, conn, large):
    prefer(conn, large, 3, preferred_topics=["ai"])
    refresh(conn, large)
    for number in range(4):
        computed = recommend(conn, large, number, 21)[:10]
        with db.second() as fresh:
            kept = recommend(fresh, large, number, 10)
        assert [rec.session for rec in kept] == [rec.session for rec in computed]
        assert [rec.score for rec in kept] == pytest.approx([rec.score for rec in computed], abs=1.1e-4)
