"""Answers computed ahead: the same as computing them, and used only while nothing has changed.

Which way an answer came is seen by giving one person the picks of another: a session that has not read the programme
then answers with those, until something changes."""

import random
import threading
from datetime import timedelta

import pytest

from lib.access import as_role, expect_error
from lib.factory import bookmark, interact, prefer
from lib.reference import check_list, plant, recommend, refresh

SWAP = """
UPDATE convene.recommendation_cache c SET picks = o.picks
FROM convene.recommendation_cache o WHERE c.attendee_id = %s AND o.attendee_id = %s"""


@pytest.fixture(scope="module")
def planted(db):
    with db.connect() as connection:
        event = plant(connection, "ahead", sessions=72, attendees=40, kinds=("attended", "bookmarked"))
        prefer(connection, event, 3, preferred_topics=["ai"], skill_level="expert")
        prefer(connection, event, 4, recommendation_enabled=False)
        connection.execute("DELETE FROM convene.attendee_preferences WHERE attendee_id = %s", [event.people[39].id])
    return event


@pytest.fixture
def served(db, planted):
    """Everything computed ahead, and a function that asks in a session that has read nothing yet."""
    with db.connect() as connection:
        refresh(connection, planted, True)

    def ask(person=0, **arguments):
        with db.second() as fresh:
            return recommend(fresh, planted, person, **arguments)

    return ask


def test_answers_computed_ahead_are_the_computed_ones(conn, planted, served):
    kept = conn.execute("SELECT count(*), count(DISTINCT fingerprint) FROM convene.recommendation_cache"
                        " WHERE event_id = %s", [planted.id]).fetchone()
    assert kept == (39, 1)  # not for the one who wants none
    for number in range(40):
        for limit in (1, 10, 20):
            mine, theirs = recommend(conn, planted, number, limit), served(number, limit=limit)
            assert [(rec.session, rec.title, rec.reason, rec.start, rec.end) for rec in mine] == \
                   [(rec.session, rec.title, rec.reason, rec.start, rec.end) for rec in theirs]
            for a, b in zip(mine, theirs):
                # The batch works the cosines out in another order: the last of four decimals may differ.
                assert a.score == pytest.approx(b.score, abs=1.1e-4)
                assert a.parts.keys() == b.parts.keys()
                for source, part in a.parts.items():
                    assert part["score"] == pytest.approx(b.parts[source]["score"], abs=1.1e-4)
                    assert part["weight"] == b.parts[source]["weight"]
    check_list(conn, planted, 0, served())
    assert served(4) == []


def test_what_is_kept_is_used(conn, planted, served):
    own, other = served(0), served(9)
    conn.execute(SWAP, [planted.people[0].id, planted.people[9].id])
    assert [rec.session for rec in served(0)] == [rec.session for rec in other] != [rec.session for rec in own]
    # Not for more than is kept, nor for another source, nor where the programme is at hand.
    recommend(conn, planted, 1, 21)
    assert [rec.session for rec in recommend(conn, planted, 0)] == [rec.session for rec in own]
    assert [rec.session for rec in served(0, limit=21)][:3] == [rec.session for rec in own[:3]]
    assert served(0, algorithm="popularity")[0].parts.keys() == {"popularity"}


def test_what_is_kept_is_used_whatever_the_session_writes_times_like(db, conn, planted, served):
    other = served(9)
    conn.execute(SWAP, [planted.people[0].id, planted.people[9].id])
    with db.second(options="-c TimeZone=Asia/Kathmandu -c extra_float_digits=0") as elsewhere:
        assert [rec.session for rec in recommend(elsewhere, planted, 0)] == [rec.session for rec in other]


def statement(sql, *numbers):
    return lambda conn, event: conn.execute(sql, [event.sessions[number] for number in numbers])


CHANGES = {
    "a bookmark": lambda conn, event: bookmark(conn, event, 0, 60),
    "a bookmark taken back": lambda conn, event: conn.execute(
        "DELETE FROM convene.session_interactions WHERE ctid = (SELECT ctid FROM convene.session_interactions"
        " WHERE attendee_id = %s LIMIT 1)", [event.people[0].id]),
    "a rating": lambda conn, event: interact(conn, event, 0, 61, "rated", 1),
    "another rating": lambda conn, event: (
        interact(conn, event, 0, 62, "rated", 1),
        conn.execute("UPDATE convene.session_interactions SET value = 5"
                     " WHERE kind = 'rated' AND session_id = %s", [event.sessions[62]])),
    "stated topics": lambda conn, event: prefer(conn, event, 0, preferred_topics=["music"]),
    "wanting none": lambda conn, event: prefer(conn, event, 0, recommendation_enabled=False),
    "an array": lambda conn, event: prefer(conn, event, 0, browsed_sessions=[event.sessions[50]]),
    "a dismissal": lambda conn, event: conn.execute(
        """INSERT INTO convene.recommendation_history (attendee_id, event_id, recommended_item_type,
             recommended_item_id, recommendation_algorithm, dismissed)
           VALUES (%s, %s, 'session', %s, 'hybrid', true)""", [event.people[0].id, event.id, event.sessions[70]]),
    "a dismissal taken back": lambda conn, event: conn.execute(
        "UPDATE convene.recommendation_history SET dismissed = false WHERE attendee_id = %s", [event.people[0].id]),
    "a title": statement("UPDATE convene.sessions SET title = title || '!' WHERE id = %s", 5),
    "a time": statement("UPDATE convene.sessions SET end_time = end_time + '1 minute' WHERE id = %s", 5),
    "a cancellation": statement("UPDATE convene.sessions SET status = 'cancelled' WHERE id = %s", 5),
    "a registration": statement(
        "UPDATE convene.sessions SET current_registrations = current_registrations + 1 WHERE id = %s", 5),
    "a new session": lambda conn, event: conn.execute(
        """INSERT INTO convene.sessions (event_id, title, start_time, end_time)
           VALUES (%s, 'New', now() + '8 days', now() + '9 days')""", [event.id]),
    "a deleted session": statement("DELETE FROM convene.sessions WHERE id = %s", 71),
    "an embedding": statement(
        "UPDATE convene.session_embeddings SET embedding = embedding + embedding WHERE session_id = %s", 5),
    "an embedding deleted": statement("DELETE FROM convene.session_embeddings WHERE session_id = %s", 5),
    "a setting": lambda conn, event: conn.execute(
        "UPDATE convene.settings SET value = '0.9' WHERE key = 'recommendation.mmr_lambda'"),
    "weights": lambda conn, event: conn.execute(
        "INSERT INTO convene.scoring_weights (surface, name, event_id, weights)"
        """ VALUES ('recommendations', 'x', %s, '{"few": {"content": 1}}')""", [event.id]),
    "weights of all events": lambda conn, event: conn.execute(
        "INSERT INTO convene.scoring_weights (surface, name, weights)"
        """ VALUES ('recommendations', 'y', '{"few": {"content": 1}}')"""),
    "somebody else's bookmark": lambda conn, event: bookmark(conn, event, 9, 67),
    "another training": lambda conn, event: (
        conn.execute("DELETE FROM convene.session_weights WHERE event_id = %s", [event.id]),
        conn.execute("UPDATE convene.recommendation_models SET trained_at = now() WHERE event_id = %s", [event.id])),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_kept_is_not_used_after(db, conn, planted, served, change):
    other = [rec.session for rec in served(9)]
    conn.execute(SWAP, [planted.people[0].id, planted.people[9].id])
    conn.execute("BEGIN")
    try:
        with db.second() as fresh:  # a session that has nothing at hand, and sees the same as the open transaction later
            assert [rec.session for rec in recommend(fresh, planted)] == other, "the kept answer is not used at all"
        CHANGES[change](conn, planted)
        changed = recommend(conn, planted)
        # A session that has read the programme would not look at what is kept: ask one that has not.
        conn.execute("COMMIT")
        with db.second() as fresh:
            afterwards = recommend(fresh, planted)
        assert [rec.session for rec in afterwards] != other
        assert [rec.session for rec in afterwards] == [rec.session for rec in changed]
        check_list(conn, planted, 0, afterwards)
    finally:
        if conn.info.transaction_status != 0:
            conn.execute("ROLLBACK")
        conn.execute("DELETE FROM convene.scoring_weights")
        conn.execute("UPDATE convene.settings SET value = '0.7' WHERE key = 'recommendation.mmr_lambda'")
        prefer(conn, planted, 0, recommendation_enabled=True)


def test_in_the_transaction_of_a_change_too(db, planted, served):
    """A session that has read nothing asks for the first time after its own uncommitted bookmark."""
    first = served(12)[0].session
    with db.second(autocommit=False) as fresh:
        fresh.execute(
            "INSERT INTO convene.session_interactions (attendee_id, event_id, session_id, kind)"
            " VALUES (%s, %s, %s, 'bookmarked')", [planted.people[12].id, planted.id, first])
        assert first not in [rec.session for rec in recommend(fresh, planted, 12)]
        fresh.rollback()
    assert served(12)[0].session == first


def test_the_end_of_a_session_ends_what_is_kept(conn, planted, served):
    first_end = min(row[0] for row in conn.execute(
        "SELECT end_time FROM convene.sessions WHERE event_id = %s", [planted.id]))
    other = [rec.session for rec in served(9)]
    conn.execute(SWAP, [planted.people[0].id, planted.people[9].id])
    just_before = first_end - timedelta(microseconds=1)
    assert [rec.session for rec in served(0, now=just_before)] == other
    recs = served(0, now=first_end)
    assert [rec.session for rec in recs] != other
    check_list(conn, planted, 0, recs, first_end)


def test_with_fading_signals_only_the_very_moment_counts(db, conn, planted):
    conn.execute("UPDATE convene.settings SET value = '5' WHERE key = 'recommendation.half_life_days'")
    try:
        refresh(conn, planted, True)
        conn.execute(SWAP, [planted.people[0].id, planted.people[9].id])
        with db.second() as fresh, db.second() as warm:
            recommend(warm, planted, 1, 21)
            assert [rec.session for rec in recommend(fresh, planted)] == [rec.session for rec in recommend(warm, planted)]
    finally:
        conn.execute("UPDATE convene.settings SET value = 'null' WHERE key = 'recommendation.half_life_days'")


def test_somebody_without_preferences_is_served_too(conn, planted, served):
    assert not conn.execute("SELECT 1 FROM convene.attendee_preferences WHERE attendee_id = %s",
                            [planted.people[39].id]).fetchall()
    conn.execute(SWAP, [planted.people[39].id, planted.people[9].id])
    assert [rec.session for rec in served(39)] == [rec.session for rec in served(9)]
    prefer(conn, planted, 39, preferred_topics=["design"])
    assert [rec.session for rec in served(39)] != [rec.session for rec in served(9)]
    # Preferences that go and come again start at the same rev: what was kept for the first must not serve the second.
    refresh(conn, planted)
    conn.execute(SWAP, [planted.people[39].id, planted.people[9].id])
    conn.execute("DELETE FROM convene.attendee_preferences WHERE attendee_id = %s", [planted.people[39].id])
    prefer(conn, planted, 39, preferred_topics=["music"])
    assert [rec.session for rec in served(39)] != [rec.session for rec in served(9)]


def test_nobody_reads_or_writes_what_is_kept(conn, planted, served):
    for who in (planted.people[0].sub, planted.organizer):
        with as_role(conn, "authenticated", who):
            for verb in ("SELECT * FROM", "DELETE FROM", "UPDATE"):
                tail = " SET picks = ''" if verb == "UPDATE" else ""
                expect_error(conn, "42501", f"{verb} convene.recommendation_cache{tail}")


def test_damaged_picks_are_as_good_as_none(conn, planted, served):
    mine = served(2)
    for picks in (b"", b"\xff" * 40, b"\x00", b"\x01" + b"\x10" * 300):
        conn.execute("UPDATE convene.recommendation_cache SET picks = %s WHERE attendee_id = %s",
                     [picks, planted.people[2].id])
        recs = served(2)
        assert recs == [] or [rec.session for rec in recs] == [rec.session for rec in mine], picks


def test_who_writes_while_it_is_computed_is_not_served_what_is_old(db, conn):
    """Three writers against ten refreshes; after each the kept answers that are used are the computed ones."""
    event = plant(conn, "meanwhile", sessions=48, attendees=16)
    stop, failures = threading.Event(), []

    def write(seed):
        draw = random.Random(seed)
        try:
            with db.second() as mine:
                while not stop.is_set():
                    person, session = draw.choice(event.people), draw.choice(event.sessions)
                    kind = draw.choice(["bookmarked", "browsed", "attended", None])
                    if kind:
                        mine.execute("SELECT convene.record_session_interaction(%s, %s, %s)", [person.id, session, kind])
                    elif draw.random() < 0.5:
                        mine.execute("UPDATE convene.attendee_preferences SET preferred_topics = %s WHERE attendee_id = %s",
                                     [[draw.choice(["ai", "music", "design"])], person.id])
                    else:
                        mine.execute("UPDATE convene.sessions SET title = %s WHERE id = %s", [f"Title {draw.random()}", session])
        except Exception as error:  # noqa: BLE001 - every failure is told
            failures.append(repr(error))

    threads = [threading.Thread(target=write, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(10):
            refresh(conn, event)
            for number in range(0, 16, 5):
                with db.second(autocommit=False) as fresh, db.second(autocommit=False) as other:
                    # One snapshot for both: the first may use what is kept, the second asks for more than is.
                    fresh.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                    snapshot = fresh.execute("SELECT pg_export_snapshot()").fetchone()[0]
                    other.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                    other.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
                    now = fresh.execute("SELECT now()").fetchone()[0]
                    kept = recommend(fresh, event, number, 5, now=now)
                    computed = recommend(other, event, number, 21, now=now)[:5]
                    assert [(rec.session, rec.title, rec.reason) for rec in kept] == [(rec.session, rec.title, rec.reason) for rec in computed]
    finally:
        stop.set()
        for thread in threads:
            thread.join(timeout=30)
    assert failures == []
