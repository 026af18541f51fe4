"""What a score is made of: weights, each source against a slow reference, order, clashes and the words beside them."""

import json
import math
from datetime import timedelta

import pytest

from lib.access import expect_error, sqlstate
from lib.factory import add_people, bookmark, interact, make_event, prefer, vector_text
from lib.reference import (
    SOURCES, also_chose, blend, check_list, check_parts, collaborative_scores, content_scores, plant,
    popularity_scores, recommend, refresh,
)

ONLY_SCORE = "UPDATE convene.settings SET value = '1' WHERE key = 'recommendation.mmr_lambda'"


@pytest.fixture(scope="module")
def planted(db):
    """Eight tastes, learned from, and ten newcomers who said what they like."""
    with db.connect() as connection:
        event = plant(connection, "scored", sessions=96, attendees=60, kinds=("attended", "bookmarked", "browsed"))
        refresh(connection, event, True)
        add_people(connection, event, 10)
        for number in range(60, 70):
            prefer(connection, event, number, preferred_topics=["security"], skill_level="beginner")
    return event


@pytest.fixture
def undone(conn):
    """What a test writes is rolled back."""
    with conn.transaction(force_rollback=True):
        yield conn


def weights_of(rec):
    return [rec.parts.get(source, {"weight": 0})["weight"] for source in SOURCES]


def test_the_anchors_are_as_designed():
    assert blend(0) == [0, 0.6, 0, 0.4]
    assert blend(3) == pytest.approx([0.45, 0.2, 0.2, 0.15])
    assert blend(40) == blend(90) == pytest.approx([0.35, 0.1, 0.5, 0.05])
    # Halfway in the logarithm between 3 and 40: sqrt(4 * 41) - 1 = 11.806.
    assert blend(math.sqrt(164) - 1) == pytest.approx([0.4, 0.15, 0.35, 0.1])


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 12, 39, 40, 60])
def test_weights_follow_how_much_is_known(undone, planted, count):
    for session in range(count):
        interact(undone, planted, 61, session, "attended")
    for rec in recommend(undone, planted, 61):
        assert weights_of(rec) == pytest.approx(blend(count), abs=6e-5)
        check_parts(rec)


def test_several_signals_on_one_session_count_once(undone, planted):
    for session in (1, 9, 17):
        for kind in ("browsed", "bookmarked", "attended"):
            interact(undone, planted, 61, session, kind)
    assert weights_of(recommend(undone, planted, 61)[0]) == pytest.approx(blend(3), abs=6e-5)


def override(conn, event, weights, active=True):
    return conn.execute(
        "INSERT INTO convene.scoring_weights (surface, name, event_id, weights, is_active)"
        " VALUES ('recommendations', 'test', %s, %s, %s) RETURNING id",
        [event and event.id, json.dumps(weights), active]).fetchone()[0]


def test_weights_of_an_event_go_before_weights_of_all_and_those_before_the_built_in(undone, planted):
    for session in (1, 9, 17):
        bookmark(undone, planted, 62, session)
    override(undone, planted, {"few": {"topics": 1}}, active=False)
    assert weights_of(recommend(undone, planted, 62)[0]) == pytest.approx(blend(3), abs=6e-5)
    override(undone, None, {"few": {"content": 1, "topics": 3}})
    assert weights_of(recommend(undone, planted, 62)[0]) == [0.25, 0.75, 0, 0]
    override(undone, planted, {"few": {"content": 2, "popularity": 2}})
    for rec in recommend(undone, planted, 62):
        assert weights_of(rec) == [0.5, 0, 0, 0.5]
        check_parts(rec)
    # An anchor that is left out keeps its default.
    assert weights_of(recommend(undone, planted, 63)[0]) == [0, 0.6, 0, 0.4]


@pytest.mark.parametrize("weights,named", [
    ({"several": {"content": 1}}, "several"),
    ({"few": {"contents": 1}}, "few.contents"),
    ({"few": {"content": -0.1}}, "few.content"),
    ({"few": {"content": "much"}}, "few.content"),
    ({"few": {"content": None}}, "few.content"),
    ({"few": {"content": 0, "topics": 0}}, "few"),
    ({"few": 1}, "few"),
    ({"many": {}}, "many"),
])
def test_malformed_weights_are_refused_by_name(undone, planted, weights, named):
    override(undone, planted, weights)
    expect_error(
        undone, "22023", "SELECT * FROM convene.get_session_recommendations(%s, %s)",
        [planted.people[62].id, planted.id], message=f'"{named}"', hint="content, topics, collaborative and popularity")


@pytest.mark.parametrize("number", [0, 7, 23, 41])
def test_content_scores_are_pgvectors(undone, planted, number):
    interact(undone, planted, number, 2, "rated", 1)
    interact(undone, planted, number, 3, "rated", 5)
    expected = content_scores(undone, planted.id, planted.people[number].id)
    recs = recommend(undone, planted, number, 500, "content_based")
    assert len(recs) > 80 and sum(score > 0.01 for score in expected.values()) > 30
    for rec in recs:
        assert rec.parts == {"content": {"score": rec.score, "weight": 1.0}}
        assert rec.score == pytest.approx(expected[rec.session], abs=1e-3)


def test_a_hated_session_does_not_attract_although_it_was_attended(undone, planted):
    interact(undone, planted, 64, 1, "attended")
    interact(undone, planted, 64, 1, "rated", 1)
    interact(undone, planted, 64, 2, "attended")
    expected = content_scores(undone, planted.id, planted.people[64].id)
    recs = recommend(undone, planted, 64, 500, "content_based")
    assert [rec.score for rec in recs] == pytest.approx([expected[rec.session] for rec in recs], abs=1e-3)
    kin = {rec.session: rec.score for rec in recs}
    assert max(kin[planted.sessions[index]] for index in range(9, 96, 8)) < 0.05
    assert min(kin[planted.sessions[index]] for index in range(10, 96, 8)) > 0.5


def test_likes_and_dislikes_that_cancel_out_are_no_taste(undone):
    event = make_event(undone, "cancelled-out", sessions=6)
    undone.execute("SELECT convene.add_embedding_model('two', 2)")
    for index, vector in enumerate([(1, 0), (2, 0), (0, 1), (1, 1), (1, -1), (3, 1)]):
        undone.execute(
            """INSERT INTO convene.session_embeddings (session_id, event_id, embedding, source_text, embedding_model)
               VALUES (%s, %s, %s, '', 'two')""", [event.sessions[index], event.id, vector_text(vector)])
    interact(undone, event, 0, 0, "rated", 5)
    interact(undone, event, 0, 1, "rated", 1)
    assert not any("content" in rec.parts for rec in recommend(undone, event))
    interact(undone, event, 0, 2, "attended")
    # Taste (0, 1): the third is known, so (1, 1) 0.7071, (1, -1) nothing, (3, 1) 0.3162.
    scores = {rec.session: rec.score for rec in recommend(undone, event, algorithm="content_based")}
    assert [scores[event.sessions[index]] for index in (3, 4, 5)] == pytest.approx([0.7071, 0, 0.3162], abs=1e-4)


@pytest.mark.parametrize("number", [5, 18, 33])
def test_every_source_of_the_hybrid_against_the_reference(undone, planted, number):
    prefer(undone, planted, number, preferred_topics=["ai", "music", "knitting"])
    undone.execute("UPDATE convene.sessions SET max_attendees = 10, current_registrations = 7 WHERE id = ANY (%s)",
                   [planted.sessions[::5]])
    attendee = planted.people[number].id
    content = content_scores(undone, planted.id, attendee)
    together = collaborative_scores(undone, planted.id, attendee)
    popular = popularity_scores(undone, planted.id)
    weights = blend(8)
    recs = recommend(undone, planted, number, 500)
    assert len(recs) > 80
    for rec in recs:
        # One topic each: overlap over the smaller set is 1 or 0.
        topics = float(planted.topics[planted.sessions.index(rec.session)][0] in ("ai", "music"))
        scores = [content[rec.session], topics, together[rec.session], popular[rec.session]]
        got = [rec.parts[source]["score"] for source in SOURCES]
        assert got == pytest.approx(scores, abs=2e-3), rec
        assert rec.score == pytest.approx(sum(w * s for w, s in zip(weights, scores)), abs=2e-3), rec


ALONE = {"content_based": "content", "collaborative_filtering": "collaborative", "popularity": "popularity"}


@pytest.mark.parametrize("algorithm", ALONE)
def test_one_source_alone(undone, planted, algorithm):
    undone.execute(ONLY_SCORE)
    recs = recommend(undone, planted, 3, 20, algorithm)
    check_list(undone, planted, 3, recs)
    assert {tuple(rec.parts) for rec in recs} == {(ALONE[algorithm],)}
    assert {rec.algorithm for rec in recs} == {algorithm}
    free = [rec.score for rec in recs if "clashes" not in rec.reason]
    assert free == sorted(free, reverse=True)
    # A newcomer: a source that knows nothing gives way to popularity.
    newcomer = recommend(undone, planted, 60, 20, algorithm)
    assert {tuple(rec.parts) for rec in newcomer} == {("popularity",)}
    check_list(undone, planted, 60, newcomer)


def test_a_limit_is_the_beginning_of_a_longer_list(undone):
    event = plant(undone, "short", sessions=40, attendees=20)
    refresh(undone, event, True)
    longest = recommend(undone, event, 0, 500)
    for limit in (1, 2, 7, 31, 100):
        assert recommend(undone, event, 0, limit) == longest[:limit]
    for limit in (0, -1, 501, 2**31 - 1, -(2**31)):
        expect_error(undone, "22023", "SELECT * FROM convene.get_session_recommendations(%s, %s, %s)",
                     [event.people[0].id, event.id, limit], message=f"between 1 and 500, not {limit}$")
    assert sqlstate(undone, "SELECT * FROM convene.get_session_recommendations(%s, %s, NULL)",
                    [event.people[0].id, event.id]).sqlstate == "22004"


def test_equals_come_in_the_order_of_their_ids(undone):
    undone.execute(ONLY_SCORE)
    event = make_event(undone, "ties", sessions=30)
    recs = recommend(undone, event, limit=30)
    assert {rec.score for rec in recs} == {0}
    assert [rec.session for rec in recs] == sorted(event.sessions)
    prefer(undone, event, 0, preferred_topics=["music"])
    recs = recommend(undone, event, limit=30)
    assert len({rec.score for rec in recs}) > 1
    assert [(-rec.score, rec.session) for rec in recs] == sorted((-rec.score, rec.session) for rec in recs)


def test_what_clashes_with_a_bookmark_ranks_below_and_says_so(undone):
    event = make_event(undone, "clashing", sessions=16, embeddings=16)
    prefer(undone, event, 0, preferred_topics=event.topics[1])
    bookmark(undone, event, 0, 0)
    bookmark(undone, event, 0, 13)
    # Four rooms: 1, 2 and 3 run beside 0; 12, 14 and 15 beside 13. 4 to 7 begin when 0 ends.
    recs = recommend(undone, event, limit=16)
    check_list(undone, event, 0, recs)
    beside = {event.sessions[index]: event.sessions[0] for index in (1, 2, 3)}
    beside |= {event.sessions[index]: event.sessions[13] for index in (12, 14, 15)}
    assert {rec.session for rec in recs[-6:]} == set(beside)
    for rec in recs:
        other = event.sessions.index(beside[rec.session]) if rec.session in beside else None
        said = f'; clashes with "Session {other + 1} of clashing", which you bookmarked' if other is not None else ""
        assert rec.reason.endswith(said) and ("clashes" in rec.reason) == bool(said)
    # Attended is no plan, and a bookmark of what was called off neither.
    undone.execute("UPDATE convene.sessions SET status = 'cancelled' WHERE id = %s", [event.sessions[0]])
    undone.execute("UPDATE convene.session_interactions SET kind = 'attended' WHERE session_id = %s", [event.sessions[13]])
    assert not any("clashes" in rec.reason for rec in recommend(undone, event, limit=16))


def test_a_full_session_says_waitlist_and_sinks(undone):
    event = make_event(undone, "full", sessions=12)
    undone.execute("UPDATE convene.sessions SET current_registrations = 20 WHERE id = ANY (%s)", [event.sessions[:2]])
    undone.execute("UPDATE convene.sessions SET max_attendees = 20 WHERE id = %s", [event.sessions[0]])
    undone.execute("UPDATE convene.sessions SET max_attendees = 21, current_registrations = 20 WHERE id = %s",
                   [event.sessions[2]])
    recs = recommend(undone, event, limit=12)
    check_list(undone, event, 0, recs)
    said = {rec.session: rec.reason for rec in recs}
    assert [session for session, reason in said.items() if "waitlist" in reason] == [event.sessions[0]]
    assert said[event.sessions[0]] == "Popular session; full, waitlist" or "Part of" in said[event.sessions[0]]
    assert recs[0].session == event.sessions[1]


def test_near_duplicates_are_spread_out(undone):
    """The best session and three copies of it: without variety they take the first places, with it one does."""
    event = make_event(undone, "copies", sessions=40, embeddings=16)
    source = 5
    bookmark(undone, event, 0, source)
    best = recommend(undone, event)[0].session
    others = [session for session in event.sessions if session not in (best, event.sessions[source])][:3]
    undone.execute(
        """UPDATE convene.session_embeddings e SET embedding = o.embedding FROM convene.session_embeddings o
           WHERE o.session_id = %s AND e.session_id = ANY (%s)""", [best, others])
    copies = {best, *others}
    undone.execute("UPDATE convene.sessions SET start_time = start_time + '1 day', end_time = end_time + '1 day'"
                   " WHERE id = ANY (%s)", [list(copies)])
    undone.execute(ONLY_SCORE)
    assert {rec.session for rec in recommend(undone, event, limit=4)} == copies
    undone.execute("UPDATE convene.settings SET value = '0.7' WHERE key = 'recommendation.mmr_lambda'")
    recs = recommend(undone, event, limit=6)
    check_list(undone, event, 0, recs)
    assert recs[0].session in copies
    assert sum(rec.session in copies for rec in recs[:4]) <= 2


@pytest.mark.parametrize("fans,said", [
    (4, None), (5, "Attendees who liked your sessions also chose this"),
    (9, "Attendees who liked your sessions also chose this"), (10, "10 attendees who liked your sessions also chose this"),
    (13, "13 attendees who liked your sessions also chose this"),
])
def test_other_people_are_a_reason_from_five_and_a_number_from_ten(undone, fans, said):
    """Nobody but `fans` people ties session 0 to session 1; the weights are given by hand."""
    event = make_event(undone, "crowd", sessions=12, attendees=20)
    for number in range(1, 1 + fans):
        bookmark(undone, event, number, 0)
        interact(undone, event, number, 1, "attended")
        interact(undone, event, number, 1, "bookmarked")
    # These do not count: only looked, rated badly, chose one of the two.
    interact(undone, event, 14, 0, "browsed")
    interact(undone, event, 14, 1, "attended")
    interact(undone, event, 15, 0, "attended")
    interact(undone, event, 15, 1, "attended")
    interact(undone, event, 15, 1, "rated", 2)
    interact(undone, event, 16, 1, "bookmarked")
    bookmark(undone, event, 0, 0)
    undone.execute("UPDATE convene.sessions SET start_time = start_time + '1 day', end_time = end_time + '1 day' WHERE id = %s",
                   [event.sessions[0]])
    undone.execute("INSERT INTO convene.session_weights VALUES (%s, %s, %s, %s, %s, 'ease')",
                   [event.id, event.sessions[0], [event.sessions[1]], [0.9], [fans]])
    assert also_chose(undone, event.people[0].id, event.sessions[1]) == fans
    rec = next(rec for rec in recommend(undone, event, limit=12) if rec.session == event.sessions[1])
    # Of the two sessions that anybody chose this one is the less popular.
    assert rec.reason == (said or "Part of the programme")
    assert rec.parts["collaborative"]["score"] == 1


def test_popular_needs_five_people_too(undone):
    event = make_event(undone, "lonely", sessions=12, attendees=8)
    for number in range(1, 5):
        bookmark(undone, event, number, 3)
    assert recommend(undone, event)[0].reason == "Part of the programme"
    bookmark(undone, event, 5, 3)
    assert recommend(undone, event)[0].reason == "Popular session"
    undone.execute("UPDATE convene.settings SET value = '6' WHERE key = 'recommendation.min_people'")
    assert recommend(undone, event)[0].reason == "Part of the programme"


def test_the_number_from_which_people_are_counted_is_a_setting(undone):
    event = make_event(undone, "shown", sessions=12, attendees=20)
    for number in range(1, 13):
        bookmark(undone, event, number, 0)
        bookmark(undone, event, number, 1)
    bookmark(undone, event, 0, 0)
    undone.execute("INSERT INTO convene.session_weights VALUES (%s, %s, %s, %s, %s, 'ease')",
                   [event.id, event.sessions[0], [event.sessions[1]], [0.9], [12]])
    reason = next(r.reason for r in recommend(undone, event, limit=12) if r.session == event.sessions[1])
    assert reason.startswith("12 attendees")
    undone.execute("UPDATE convene.settings SET value = '13' WHERE key = 'recommendation.min_people_shown'")
    reason = next(r.reason for r in recommend(undone, event, limit=12) if r.session == event.sessions[1])
    assert reason.startswith("Attendees who liked")


def test_signals_fade_with_a_half_life(undone):
    """A visit of ten days ago and one of now, half-life ten days: taste is (0.5, 1) / |(0.5, 1)|."""
    event = make_event(undone, "fading", sessions=6)
    undone.execute("SELECT convene.add_embedding_model('fading', 2)")
    for index, vector in enumerate([(1, 0), (0, 1), (1, 0.01), (0.01, 1), (1, 1), (1, -1)]):
        undone.execute(
            """INSERT INTO convene.session_embeddings (session_id, event_id, embedding, source_text, embedding_model)
               VALUES (%s, %s, %s, '', 'fading')""", [event.sessions[index], event.id, vector_text(vector)])
    now = undone.execute("SELECT now()").fetchone()[0]
    for session, at in ((0, now - timedelta(days=10)), (1, now)):
        undone.execute(
            """INSERT INTO convene.session_interactions (attendee_id, event_id, session_id, kind, at)
               VALUES (%s, %s, %s, 'attended', %s)""", [event.people[0].id, event.id, event.sessions[session], at])

    def scores():
        return {rec.session: rec.score for rec in recommend(undone, event, algorithm="content_based")}

    assert scores()[event.sessions[4]] == pytest.approx(1, abs=1e-4)
    undone.execute("UPDATE convene.settings SET value = '10' WHERE key = 'recommendation.half_life_days'")
    found = scores()
    assert found[event.sessions[4]] == pytest.approx(1.5 / math.sqrt(1.25) / math.sqrt(2), abs=1e-4)
    assert found[event.sessions[2]] == pytest.approx((0.5 + 0.01) / math.sqrt(1.25 * 1.0001), abs=1e-4)


def test_fans_of_a_session_that_one_hates_are_no_reason(undone):
    """Six people tie 0 to 1, but the person sat through 0 and rated it 1; their other session has no fans."""
    event = make_event(undone, "hated", sessions=12, attendees=10)
    for number in range(1, 7):
        bookmark(undone, event, number, 0)
        bookmark(undone, event, number, 1)
    interact(undone, event, 0, 0, "attended")
    interact(undone, event, 0, 0, "rated", 1)
    interact(undone, event, 0, 5, "attended")
    undone.execute("INSERT INTO convene.session_weights VALUES (%s, %s, %s, %s, %s, 'ease')",
                   [event.id, event.sessions[5], [event.sessions[1]], [0.9], [0]])
    rec = next(rec for rec in recommend(undone, event, limit=12) if rec.session == event.sessions[1])
    assert "collaborative" in rec.parts
    assert "Attendees who liked" not in rec.reason
