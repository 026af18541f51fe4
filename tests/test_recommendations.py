"""What people are recommended, by how much is known of them, and what must never be there."""

import random
from datetime import timedelta

import pytest

from lib.access import as_role, expect_error
from lib.factory import add_embeddings, bookmark, interact, make_event, prefer
from lib.reference import check_list, check_reason, plant, popularity_scores, recommend, refresh

ONLY_SCORE = "UPDATE convene.settings SET value = %s WHERE key = 'recommendation.mmr_lambda'"


@pytest.fixture(scope="module")
def planted(db):
    """Eight tastes, sixty people, learned from. The last eight people have done nothing."""
    with db.connect() as connection:
        event = plant(connection, "planted", attendees=60)
        connection.execute(
            "DELETE FROM convene.session_interactions WHERE attendee_id = ANY (%s)",
            [[person.id for person in event.people[52:]]])
        told = refresh(connection, event, True)
    assert told["model"]["algorithm"] in ("ease", "bm25"), told
    return event


@pytest.fixture
def undone(conn):
    """What a test writes is rolled back."""
    with conn.transaction(force_rollback=True):
        yield conn


def share(event, recs, taste):
    """How many of these are of a taste."""
    return sum(event.sessions.index(rec.session) % 8 == taste for rec in recs)


def test_a_cold_attendee_gets_what_is_popular(undone, planted):
    undone.execute(ONLY_SCORE, ["1"])
    recs = recommend(undone, planted, 52)
    check_list(undone, planted, 52, recs)
    ranks = popularity_scores(undone, planted.id)
    assert [set(rec.parts) for rec in recs] == [{"popularity"}] * 10
    best = sorted(ranks, key=lambda session: (-ranks[session], session))
    assert [rec.session for rec in recs] == best[:10]
    assert [rec.score for rec in recs] == pytest.approx([ranks[session] for session in best[:10]], abs=1e-4)
    assert recs[0].reason == "Popular session"


def test_an_event_without_any_signal_still_gives_a_list(undone):
    event = make_event(undone, "silent")
    recs = recommend(undone, event)
    assert len(recs) == 10
    check_list(undone, event, 0, recs)
    assert {rec.reason for rec in recs} == {"Part of the programme"}


def test_stated_topics_lead_where_nothing_else_is_known(undone, planted):
    undone.execute(ONLY_SCORE, ["1"])
    prefer(undone, planted, 53, preferred_topics=["Kernel", "AI"])
    recs = recommend(undone, planted, 53)
    check_list(undone, planted, 53, recs)
    # Two of the eight topics, twenty sessions of eighty.
    assert share(planted, recs, 2) + share(planted, recs, 5) == 10
    assert {rec.reason for rec in recs} == {"Matches your interest in ai", "Matches your interest in kernel"}
    for rec in recs:
        assert (rec.parts["topics"]["weight"], rec.parts["popularity"]["weight"]) == (0.6, 0.4)


def test_three_bookmarks_tell_a_taste(undone, planted):
    for session in (3, 11, 19):
        bookmark(undone, planted, 54, session)
    recs = recommend(undone, planted, 54)
    check_list(undone, planted, 54, recs)
    assert share(planted, recs[:5], 3) >= 4
    assert set(recs[0].parts) == {"content", "collaborative", "popularity"}
    assert recs[0].reason.startswith('Because you bookmarked "Talk ')


def test_forty_interactions_tell_a_regular(undone):
    event = plant(undone, "regulars", sessions=200, attendees=80, choices=15)
    kinds = ["attended", "browsed", "rated"]
    undone.execute("DELETE FROM convene.session_interactions WHERE attendee_id = %s", [event.people[0].id])
    # Thirty of the forty lie in tastes 1 and 2 (50 sessions), ten anywhere else.
    own = [index for index in range(200) if index % 8 in (1, 2)][:30] + list(range(3, 200, 20))[:10]
    for place, index in enumerate(own):
        kind = kinds[place % 3]
        interact(undone, event, 0, index, kind, 5 if kind == "rated" else None)
    refresh(undone, event, True)
    recs = recommend(undone, event, limit=20)
    check_list(undone, event, 0, recs)
    assert len(recs) == 20
    # Twenty of the 160 that are left are of the two tastes.
    assert share(event, recs[:10], 1) + share(event, recs[:10], 2) >= 5
    assert any("also chose this" in rec.reason for rec in recs)
    assert any(rec.reason.startswith(("Because you attended", "Because you rated")) for rec in recs)
    undone.execute(ONLY_SCORE, ["1"])
    recs = recommend(undone, event)
    assert share(event, recs, 1) + share(event, recs, 2) >= 9
    assert [rec.score for rec in recs] == sorted((rec.score for rec in recs), reverse=True)


def test_nothing_comes_that_may_not(conn):
    """A hundred random states: each of twenty people, with cancelled, past, dismissed and foreign sessions around."""
    event = plant(conn, "mixed", sessions=64, attendees=20, choices=10, kinds=("bookmarked", "attended", "browsed"))
    make_event(conn, "stranger", sessions=40, embeddings=16, interactions=5)
    draw = random.Random(7)
    statuses = ["cancelled"] * 6 + ["postponed"] * 3
    for session, status in zip(draw.sample(event.sessions, 9), statuses):
        conn.execute("UPDATE convene.sessions SET status = %s WHERE id = %s", [status, session])
    conn.execute("UPDATE convene.sessions SET session_type = 'lunch' WHERE id = %s", [draw.choice(event.sessions)])
    full = [str(session) for session in draw.sample(event.sessions, 15)]
    conn.execute(
        "UPDATE convene.sessions SET max_attendees = 5, current_registrations = 5 WHERE id = ANY (%s::uuid[])", [full])
    for person in event.people:
        for session in draw.sample(event.sessions, 3):
            conn.execute(
                """INSERT INTO convene.recommendation_history
                     (attendee_id, event_id, recommended_item_type, recommended_item_id, recommendation_algorithm, dismissed)
                   VALUES (%s, %s, 'session', %s, 'hybrid', true)""", [person.id, event.id, session])
        if draw.random() < 0.5:
            index = draw.randrange(64)
            conn.execute(
                """INSERT INTO convene.session_interactions (attendee_id, session_id, event_id, kind, value)
                   VALUES (%s, %s, %s, 'rated', 1)""", [person.id, event.sessions[index], event.id])
    refresh(conn, event)
    seen = 0
    for number in range(20):
        for hours, limit in ((-24, 10), (0, 500), (2.25, 64), (5, 500), (9, 500)):
            now = event.starts + timedelta(hours=hours)
            recs = recommend(conn, event, number, limit, now=now)
            check_list(conn, event, number, recs, now)
            seen += len(recs)
            if hours == 9:
                assert recs == []
    assert seen > 1500


def test_p_now_decides_what_is_past(conn, planted):
    every = recommend(conn, planted, 55, 500)
    assert len(every) == 80
    ends = sorted({rec.end for rec in every})
    # A session goes at its very end, not at its start.
    for moment, left in ((ends[0] - timedelta(microseconds=1), 80), (ends[0], 76), (ends[9], 40), (ends[-1], 0)):
        recs = recommend(conn, planted, 55, 500, now=moment)
        assert len(recs) == left and all(rec.end > moment for rec in recs)


def test_a_bookmark_changes_the_answer_in_its_transaction(conn, planted):
    before = recommend(conn, planted, 56)
    with conn.transaction(force_rollback=True):
        bookmark(conn, planted, 56, planted.sessions.index(before[0].session))
        during = recommend(conn, planted, 56)
        check_list(conn, planted, 56, during)
        assert before[0].session not in [rec.session for rec in during]
        assert any(rec.reason.startswith("Because you bookmarked") for rec in during)
    assert recommend(conn, planted, 56) == before


CHANGES = {
    "title": "UPDATE convene.sessions SET title = 'Another name' WHERE id = %s",
    "level": "UPDATE convene.sessions SET difficulty_level = 'expert' WHERE id = %s",
    "topics": "UPDATE convene.sessions SET topics = '{knitting}' WHERE id = %s",
    "times": "UPDATE convene.sessions SET start_time = start_time + '1 day', end_time = end_time + '1 day' WHERE id = %s",
    "status": "UPDATE convene.sessions SET status = 'cancelled' WHERE id = %s",
    "places": "UPDATE convene.sessions SET max_attendees = 3, current_registrations = 3 WHERE id = %s",
    "gone": "DELETE FROM convene.sessions WHERE id = %s",
    "embedding": """UPDATE convene.session_embeddings SET embedding = ('[' || repeat('0,', 15) || '1]')::vector
                    WHERE session_id = %s""",
    "embedding gone": "DELETE FROM convene.session_embeddings WHERE session_id = %s",
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_programme_is_seen_at_once_and_a_rolled_back_one_never_again(db, conn, planted, change):
    """This session keeps the programme at hand; a fresh one reads it. They must agree at every moment."""
    prefer(conn, planted, 0, preferred_topics=["databases", "energy"], skill_level="expert")

    def both(limit=80):
        with db.second() as fresh:
            return recommend(conn, planted, 0, limit), recommend(fresh, planted, 0, limit)

    mine, theirs = both()
    assert mine == theirs
    target = mine[0].session
    with conn.transaction(force_rollback=True):
        conn.execute(CHANGES[change], [target])
        changed = recommend(conn, planted, 0, 80)
        assert changed != mine
        if change != "gone":
            # The same state in another transaction of a session that never saw it otherwise.
            with db.second(autocommit=False) as fresh:
                fresh.execute("SET lock_timeout = '100ms'")
                assert recommend(fresh, planted, 0, 80) == mine  # not committed yet
        with conn.transaction(force_rollback=True):
            conn.execute("UPDATE convene.sessions SET title = 'A second one' WHERE id = %s", [planted.sessions[-1]])
            recommend(conn, planted, 0, 80)
        assert recommend(conn, planted, 0, 80) == changed
    mine_again, theirs_again = both()
    assert mine_again == theirs_again == mine


def test_a_change_that_somebody_else_commits_is_seen(db, conn):
    event = plant(conn, "committed", sessions=16, attendees=4)
    before = recommend(conn, event)
    with db.second() as other:
        other.execute("UPDATE convene.sessions SET title = 'New' WHERE id = %s", [before[0].session])
    after = recommend(conn, event)
    assert after[0].title == "New"
    # Same changes again under savepoints: neither the aborted nor the older one comes back.
    with conn.transaction():
        conn.execute("UPDATE convene.sessions SET title = 'Newer' WHERE id = %s", [before[0].session])
        assert recommend(conn, event)[0].title == "Newer"
        with conn.transaction(force_rollback=True):
            conn.execute("UPDATE convene.sessions SET title = 'Never' WHERE id = %s", [before[0].session])
            assert recommend(conn, event)[0].title == "Never"
        assert recommend(conn, event)[0].title == "Newer"
    with db.second() as fresh:
        assert recommend(fresh, event) == recommend(conn, event)


def test_a_repeatable_snapshot_keeps_its_answer(db, conn):
    """Somebody else's commit is not seen by an older snapshot, also not through what the session keeps at hand."""
    event = plant(conn, "snapshots", sessions=16, attendees=4)
    with db.second(autocommit=False) as old:
        old.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        before = recommend(old, event)
        conn.execute("UPDATE convene.sessions SET title = 'Later' WHERE id = %s", [before[0].session])
        assert recommend(conn, event)[0].title == "Later"
        assert recommend(old, event) == before
        old.commit()
        assert recommend(old, event)[0].title == "Later"


def test_somebody_who_wants_none_gets_none(undone, planted):
    assert recommend(undone, planted, 1)
    prefer(undone, planted, 1, recommendation_enabled=False)
    for algorithm in ("hybrid", "content_based", "collaborative_filtering", "popularity"):
        assert recommend(undone, planted, 1, algorithm=algorithm) == []
    prefer(undone, planted, 1, recommendation_enabled=True)
    assert recommend(undone, planted, 1)


def test_two_events_of_one_profile_are_two_people(conn):
    here, there = make_event(conn, "here", embeddings=16), make_event(conn, "there", embeddings=16)
    sub = here.people[0].sub
    conn.execute("UPDATE convene.attendees SET profile_id = %s WHERE id = %s", [sub, there.people[0].id])
    bookmark(conn, here, 0, 3)
    prefer(conn, there, 0, preferred_topics=["security"])
    with as_role(conn, "authenticated", sub):
        mine, other = recommend(conn, here), recommend(conn, there)
        expect_error(
            conn, "22023", "SELECT * FROM convene.get_session_recommendations(%s, %s)",
            [here.people[0].id, there.id], message=f"{here.people[0].id} does not attend event {there.id}")
    check_list(conn, here, 0, mine)
    check_list(conn, there, 0, other)
    assert here.sessions[3] not in [rec.session for rec in mine]
    assert any(rec.reason.startswith("Because you bookmarked") for rec in mine)
    assert not any(rec.reason.startswith("Because") for rec in other)


def test_sessions_without_embeddings_are_scored_by_the_mean_of_the_others(undone):
    event = make_event(undone, "sparse", sessions=20)
    add_embeddings(undone, event, 16, sessions=range(10))
    bookmark(undone, event, 0, 0)
    recs = recommend(undone, event, limit=20)
    check_list(undone, event, 0, recs)
    assert len(recs) == 19
    scored = {rec.session: rec.parts["content"] for rec in recs}
    without = [scored[session] for session in event.sessions[10:]]
    have = [scored[session]["score"] for session in event.sessions[1:10]]
    assert all(part["imputed"] for part in without)
    # The mean of the scored ones, with the bookmark itself (1).
    assert [part["score"] for part in without] == pytest.approx([(sum(have) + 1) / 10] * 10, abs=2e-4)
    for rec in recs:
        if rec.session in event.sessions[10:]:
            assert not rec.reason.startswith("Because")


def test_vectors_of_two_models_are_never_compared(undone):
    event = make_event(undone, "models", sessions=24)
    add_embeddings(undone, event, 16, sessions=range(12))
    add_embeddings(undone, event, 8, sessions=range(12, 24))
    bookmark(undone, event, 0, 2)
    recs = recommend(undone, event, limit=24)
    check_list(undone, event, 0, recs)
    for rec in recs:
        foreign = event.sessions.index(rec.session) >= 12
        # A taste in the first model only: for sessions of the second nothing is known.
        assert rec.parts["content"].get("imputed", False) == foreign
    bookmark(undone, event, 0, 20)
    recs = recommend(undone, event, limit=24)
    check_list(undone, event, 0, recs)
    assert not any(rec.parts["content"].get("imputed") for rec in recs)


def test_a_zero_vector_counts_as_none(undone):
    event = make_event(undone, "zeros", sessions=12, embeddings=16)
    zero = "[" + ",".join(["0"] * 16) + "]"
    undone.execute("UPDATE convene.session_embeddings SET embedding = %s WHERE session_id = ANY (%s)",
                   [zero, event.sessions[:2]])
    for session in (0, 5):
        bookmark(undone, event, 0, session)
    recs = recommend(undone, event, limit=12)
    check_list(undone, event, 0, recs)
    assert next(rec for rec in recs if rec.session == event.sessions[1]).parts["content"]["imputed"]
    # Nothing but zero vectors: the source is absent, not NaN.
    undone.execute("UPDATE convene.session_embeddings SET embedding = %s WHERE event_id = %s", [zero, event.id])
    recs = recommend(undone, event, limit=12)
    assert recs and not any("content" in rec.parts for rec in recs)
    check_reason(undone, event.people[0].id, recs[0])
