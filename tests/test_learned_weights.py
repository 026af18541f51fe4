"""Fusion weights learned from the history of what was shown: planted clicks must come out again."""

import json
import math
import random

import pytest

from lib.access import as_role, expect_error
from lib.factory import ident, make_event

pytestmark = pytest.mark.sql
SOURCES = ("content", "topics", "collaborative", "popularity")


def show(conn, event, rows, interactions, pull, seed=3):
    """Plants a history in which people click by `pull`, weights of the four scores."""
    chance = random.Random(seed)
    planted = []
    for at in range(rows):
        scores = {source: chance.random() for source in SOURCES}
        z = sum(pull[source] * scores[source] for source in SOURCES) - sum(pull.values()) / 2
        context = {
            "position": 1 + at % 10,
            "interactions": interactions,
            "score_parts": {source: {"score": score, "weight": 0.25} for source, score in scores.items()},
        }
        clicked = chance.random() < 1 / (1 + math.exp(-z))
        person = event.people[at // 10 % len(event.people)]
        planted.append((person.id, event.id, event.sessions[at % len(event.sessions)], clicked, json.dumps(context)))
    with conn.cursor() as cursor:
        cursor.executemany(
            """INSERT INTO convene.recommendation_history
                      (attendee_id, event_id, recommended_item_type, recommended_item_id, recommendation_algorithm,
                       clicked, recommendation_context)
               VALUES (%s, %s, 'session', %s, 'hybrid', %s, %s)""",
            planted,
        )


def learn(conn, event, apply=False):
    return conn.execute("SELECT convene.learn_recommendation_weights(%s, %s)", [event.id, apply]).fetchone()[0]


@pytest.fixture(scope="module")
def event(db):
    with db.connect() as conn:
        made = make_event(conn, "learned", sessions=12, attendees=60)
        show(conn, made, 6000, 5, {"content": 6, "topics": 0, "collaborative": 0, "popularity": 2})
        return made


def test_planted_weights_are_found(conn, event):
    few = learn(conn, event)["few"]
    assert few["examples"] == 6000
    assert few["weights"]["content"] == pytest.approx(0.75, abs=0.08)
    assert few["weights"]["popularity"] == pytest.approx(0.25, abs=0.08)
    assert sum(few["weights"].values()) == pytest.approx(1)
    assert 0.5 < few["auc_now"] < few["auc_learned"] <= 1


def test_nothing_is_written_unless_asked(conn, event):
    before = conn.execute("SELECT count(*) FROM convene.scoring_weights").fetchone()
    assert learn(conn, event)["applied"] is False
    assert conn.execute("SELECT count(*) FROM convene.scoring_weights").fetchone() == before


def test_what_is_applied_is_used_and_replaces_the_former(conn, event):
    learned = learn(conn, event, apply=True)
    assert learned["applied"] is True
    assert learned["none"] == {"examples": 0, "weights": None}
    active = conn.execute(
        "SELECT weights FROM convene.scoring_weights WHERE event_id = %s AND is_active", [event.id]).fetchall()
    assert len(active) == 1
    stored = active[0][0]
    assert stored["few"] == pytest.approx(learned["few"]["weights"])
    assert stored["none"] == {"content": 0, "topics": 0.6, "collaborative": 0, "popularity": 0.4}
    # Three interactions are exactly the anchor; without embeddings and training only two sources are there.
    person = event.people[0]
    for session in event.sessions[:3]:
        conn.execute("SELECT convene.record_session_interaction(%s, %s, 'bookmarked')", [person.id, session])
    conn.execute(
        "SELECT convene.update_attendee_preferences(%s, %s, %s)",
        [person.id, event.id, json.dumps({"preferred_topics": event.topics[5]})])
    parts = conn.execute(
        "SELECT score_parts FROM convene.get_session_recommendations(%s, %s)", [person.id, event.id]).fetchone()[0]
    there = {source: stored["few"][source] for source in ("topics", "popularity")}
    expected = there["popularity"] / sum(there.values())
    assert parts["popularity"]["weight"] == pytest.approx(expected, abs=1e-4)
    # The same history once more teaches nothing better than itself.
    assert learn(conn, event, apply=True)["applied"] is False


def test_a_short_history_teaches_nothing(conn):
    young = make_event(conn, "young", sessions=5, attendees=5)
    show(conn, young, 50, 20, {"content": 6, "topics": 0, "collaborative": 0, "popularity": 2})
    assert learn(conn, young, apply=True) == {
        "applied": False,
        "none": {"examples": 0, "weights": None},
        "few": {"examples": 0, "weights": None},
        "many": {"examples": 50, "weights": None},
    }


def test_organizers_only(conn, event):
    other = make_event(conn, "stranger", sessions=2, attendees=1)
    for sub in (event.people[0].sub, other.organizer, ident("nobody")):
        with as_role(conn, "authenticated", sub):
            expect_error(conn, "42501", "SELECT convene.learn_recommendation_weights(%s)", [event.id])
    with as_role(conn, "authenticated", event.organizer):
        assert learn(conn, event)["few"]["examples"] == 6000
