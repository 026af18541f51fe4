"""Weights learned from what people did with what they were shown: histories whose rule is known."""

import random

import pytest
from psycopg.types.json import Jsonb

from lib.access import as_role
from lib.factory import bookmark, make_event
from lib.reference import SOURCES, blend, plant, recommend

LEARN = "SELECT convene.learn_recommendation_weights(%s, %s)"


def show(conn, event, rule, *, interactions=3, shown=600, seed=1, algorithm="hybrid"):
    """A history in which `rule(scores)` says how likely a session was liked."""
    draw = random.Random(seed)
    rows = []
    for number in range(shown):
        scores = {source: round(draw.random(), 4) for source in SOURCES}
        context = {"position": 1 + number % 10, "interactions": interactions,
                   "score_parts": {source: {"score": score, "weight": 0.25} for source, score in scores.items()}}
        rows.append((event.people[number % len(event.people)].id, event.id, event.sessions[number % len(event.sessions)],
                     algorithm, draw.random() < rule(scores), Jsonb(context)))
    conn.cursor().executemany(
        """INSERT INTO convene.recommendation_history (attendee_id, event_id, recommended_item_type, recommended_item_id,
             recommendation_algorithm, clicked, recommendation_context)
           VALUES (%s, %s, 'session', %s, %s, %s, %s)""", rows)


@pytest.fixture
def undone(conn):
    """What a test writes is rolled back."""
    with conn.transaction(force_rollback=True):
        yield conn


@pytest.mark.parametrize("source", SOURCES)
def test_the_source_that_decides_gets_the_weight(undone, source):
    event = make_event(undone, "decided", attendees=40)
    show(undone, event, lambda scores: 0.05 + 0.9 * (scores[source] > 0.6))
    told = undone.execute(LEARN, [event.id, False]).fetchone()[0]
    few = told["few"]
    assert few["examples"] == 600 and told["applied"] is False
    assert max(few["weights"], key=few["weights"].get) == source and few["weights"][source] > 0.6
    assert all(weight >= 0 for weight in few["weights"].values()) and sum(few["weights"].values()) == pytest.approx(1, abs=1e-6)
    assert 0 <= few["auc_now"] < few["auc_learned"] <= 1 and few["auc_learned"] > 0.75
    assert told["none"] == {"examples": 0, "weights": None} == told["many"]
    assert undone.execute("SELECT count(*) FROM convene.scoring_weights").fetchone() == (0,)


def test_what_is_applied_is_used_at_once(undone):
    event = plant(undone, "applied", sessions=40, attendees=40)
    undone.execute("DELETE FROM convene.session_interactions WHERE attendee_id = %s", [event.people[0].id])
    for session in (0, 8, 16):
        bookmark(undone, event, 0, session)
    before = recommend(undone, event)[0].parts
    # The content weight of the built-in ones is 0.45 of the 0.6 that are left without topics and a model.
    assert before["content"]["weight"] == pytest.approx(0.45 / 0.6, abs=1e-4)
    show(undone, event, lambda scores: 0.05 + 0.9 * (scores["popularity"] > 0.5))
    with as_role(undone, "authenticated", event.organizer):
        told = undone.execute(LEARN, [event.id, True]).fetchone()[0]
    assert told["applied"] is True
    after = recommend(undone, event)[0].parts
    kept = told["few"]["weights"]
    assert after["popularity"]["weight"] == pytest.approx(kept["popularity"] / (kept["popularity"] + kept["content"]), abs=1e-4)
    # What nothing was learned for stays as it is.
    stored = undone.execute("SELECT weights FROM convene.scoring_weights WHERE event_id = %s AND is_active", [event.id]).fetchall()
    assert len(stored) == 1
    assert [stored[0][0]["many"][source] for source in SOURCES] == pytest.approx(blend(40))
    undone.execute(LEARN, [event.id, True])
    assert undone.execute("SELECT count(*) FROM convene.scoring_weights WHERE event_id = %s AND is_active",
                          [event.id]).fetchone()[0] == 1


def test_the_present_weights_stay_where_nothing_better_is_learned(undone):
    event = make_event(undone, "noise", attendees=40)
    assert undone.execute(LEARN, [event.id, True]).fetchone()[0]["applied"] is False
    show(undone, event, lambda scores: 0.3, shown=5)
    show(undone, event, lambda scores: float(scores["content"] > 0.5), algorithm="popularity")
    told = undone.execute(LEARN, [event.id, True]).fetchone()[0]
    assert told["applied"] is False and told["few"] == {"examples": 5, "weights": None}
    assert undone.execute("SELECT count(*) FROM convene.scoring_weights").fetchone() == (0,)


def test_regulars_and_newcomers_are_learned_apart(undone):
    event = make_event(undone, "apart", attendees=40)
    for interactions, source in ((0, "topics"), (5, "content"), (30, "collaborative")):
        show(undone, event, lambda scores, source=source: 0.05 + 0.9 * (scores[source] > 0.6), interactions=interactions)
    told = undone.execute(LEARN, [event.id, False]).fetchone()[0]
    for anchor, source in (("none", "topics"), ("few", "content"), ("many", "collaborative")):
        assert max(told[anchor]["weights"], key=told[anchor]["weights"].get) == source
    assert undone.execute(LEARN, [event.id, False]).fetchone()[0] == told


@pytest.mark.parametrize("context", [
    {}, {"interactions": "many"}, {"interactions": 3.5}, {"position": -1}, {"position": 10**12},
    {"score_parts": []}, {"score_parts": {"content": {"score": "NaN"}}}, {"score_parts": {"content": {"score": "x"}}},
    {"score_parts": {"content": {"score": 1e300}}}, {"score_parts": None},
])
def test_odd_records_are_passed_over(undone, context):
    """The service may write what it likes into the context; learning must not break on it."""
    event = make_event(undone, "odd", attendees=40)
    show(undone, event, lambda scores: 0.05 + 0.9 * (scores["content"] > 0.6))
    undone.execute("UPDATE convene.recommendation_history SET recommendation_context = %s WHERE id = "
                   "(SELECT id FROM convene.recommendation_history LIMIT 1)", [Jsonb(context)])
    few = undone.execute(LEARN, [event.id, False]).fetchone()[0]["few"]
    assert few["weights"]["content"] > 0.6
