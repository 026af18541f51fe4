"""What went wrong with the plain-SQL way, line by line, and must not here."""

import math
import uuid

import pytest

from lib.access import as_role, expect_error, sqlstate
from lib.factory import bookmark, interact, make_event, prefer
from lib.reference import check_list, plant, recommend

pytestmark = pytest.mark.pitfalls
GET = "SELECT * FROM convene.get_session_recommendations(%s, %s, %s)"


@pytest.fixture
def undone(conn):
    """What a test writes is rolled back."""
    with conn.transaction(force_rollback=True):
        yield conn


# Schema and security ----------------------------------------------------------------------------------------------


def test_tables_that_name_one_another_are_all_made_in_one_go(empty_db):
    with empty_db.connect() as conn:
        conn.execute("CREATE EXTENSION convene CASCADE")
        conn.execute("SELECT convene.install()")
        invalid = conn.execute("SELECT conname FROM pg_catalog.pg_constraint WHERE NOT convalidated").fetchall()
        assert invalid == []


def test_an_id_that_one_passes_opens_nothing(conn):
    event = make_event(conn, "passing", embeddings=16)
    victim, thief = event.people[0], event.people[1]
    with as_role(conn, "authenticated", thief.sub):
        for statement in (
            "SELECT * FROM convene.get_session_recommendations(%s, %s)", "SELECT * FROM convene.get_personal_agenda(%s, %s)",
            "SELECT * FROM convene.serve_session_recommendations(%s, %s)",
            "SELECT convene.update_attendee_preferences(%s, %s, '{\"recommendation_enabled\": false}')",
        ):
            expect_error(conn, "42501", statement, [victim.id, event.id])
    assert recommend(conn, event)


@pytest.mark.parametrize("statement", [
    "INSERT INTO convene.recommendation_history (attendee_id, event_id, recommended_item_type, recommended_item_id,"
    " recommendation_algorithm, confidence_score) VALUES (%(who)s, %(event)s, 'session', %(session)s, 'hybrid', 1.0)",
    "UPDATE convene.recommendation_history SET clicked = true, confidence_score = 1.0 WHERE attendee_id = %(who)s",
    "DELETE FROM convene.recommendation_history WHERE attendee_id = %(who)s",
    "INSERT INTO convene.recommendation_cache (attendee_id, event_id, attendee_rev, fingerprint, valid_from, valid_until, picks)"
    " VALUES (%(who)s, %(event)s, 0, '', '-infinity', 'infinity', '')",
    "INSERT INTO convene.session_weights VALUES (%(event)s, %(session)s, '{}', '{}', '{}', 'ease')",
    "UPDATE convene.event_popularity SET people = '{100}'",
    "UPDATE convene.recommendation_models SET algorithm = 'popularity'",
    "INSERT INTO convene.scoring_weights (surface, name, event_id, weights) VALUES ('recommendations', 'x', %(event)s, '{}')",
    "UPDATE convene.settings SET value = '1'",
    "UPDATE convene.attendee_preferences SET rev = 1 WHERE attendee_id = %(who)s",
])
@pytest.mark.parametrize("whose", ["own", "another's"])
def test_no_policy_says_check_true(conn, statement, whose):
    """Scores, models, history and what was computed are written by functions only, also one's own."""
    event = make_event(conn, uuid.uuid4().hex, embeddings=16, interactions=2)
    conn.execute("SELECT * FROM convene.serve_session_recommendations(%s, %s)", [event.people[0].id, event.id])
    conn.execute("SELECT convene.refresh_event_recommendations(%s)", [event.id])
    who = event.people[0] if whose == "own" else event.people[1]
    values = {"who": event.people[0].id, "event": event.id, "session": event.sessions[0]}
    for sub in (who.sub, event.organizer):
        with as_role(conn, "authenticated", sub):
            assert sqlstate(conn, statement, values).sqlstate == "42501"


def test_policies_let_nobody_write_for_another(conn):
    checks = conn.execute(
        """SELECT tablename, policyname FROM pg_catalog.pg_policies
           WHERE schemaname = 'convene' AND cmd <> 'SELECT' AND (with_check = 'true' OR (qual = 'true' AND with_check IS NULL))""").fetchall()
    assert checks == []


HOSTILE = """
CREATE SCHEMA evil;
CREATE TABLE evil.ran (what text);
GRANT USAGE ON SCHEMA evil TO PUBLIC; GRANT ALL ON evil.ran TO PUBLIC;
CREATE FUNCTION evil.array_length(anyarray, integer) RETURNS integer LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO evil.ran VALUES ('array_length as ' || current_user); RETURN 0; END $$;
CREATE FUNCTION evil.cardinality(anyarray) RETURNS integer LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO evil.ran VALUES ('cardinality as ' || current_user); RETURN 0; END $$;
CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO evil.ran VALUES ('now as ' || current_user); RETURN pg_catalog.now(); END $$;
CREATE FUNCTION evil.same(uuid, uuid) RETURNS boolean LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO evil.ran VALUES ('= as ' || current_user); RETURN true; END $$;
CREATE OPERATOR evil.= (LEFTARG = uuid, RIGHTARG = uuid, FUNCTION = evil.same);
CREATE DOMAIN pg_temp.text AS pg_catalog.text CHECK (evil.array_length(ARRAY[VALUE], 1) IS NOT NULL);
CREATE TEMP TABLE attendees (id uuid, event_id uuid, profile_id uuid);
CREATE TEMP TABLE sessions (id uuid);
"""


def test_definers_run_nothing_of_an_attackers_path(db, conn):
    event = make_event(conn, "paths", embeddings=16, interactions=2)
    person = event.people[0]
    with db.second() as mine:
        mine.execute(HOSTILE)
        with as_role(mine, "authenticated", person.sub):
            mine.execute("SET search_path = pg_temp, evil, public, pg_catalog")
            mine.execute("SELECT convene.update_attendee_preferences(%s, %s, %s)",
                         [person.id, event.id, '{"preferred_topics": ["ai"], "bookmarked_sessions": ["%s"]}' % event.sessions[0]])
            mine.execute("SELECT convene.record_session_interaction(%s, %s, 'attended')", [person.id, event.sessions[1]])
            mine.execute("UPDATE convene.attendee_preferences SET browsed_sessions = %s WHERE true", [[event.sessions[2]]])
            mine.execute("INSERT INTO convene.session_interactions (attendee_id, event_id, session_id, kind) VALUES (%s, %s, %s, 'browsed')",
                         [person.id, event.id, event.sessions[3]])
            mine.execute("DELETE FROM convene.session_interactions WHERE kind OPERATOR(pg_catalog.=) 'browsed'")
            mine.execute("SELECT count(*) FROM convene.events")
            assert mine.execute("SELECT * FROM convene.get_session_recommendations(%s, %s)", [person.id, event.id]).fetchall()
            mine.execute("SET search_path = pg_catalog")
        # What ran with the caller's own rights in the caller's own statement is the caller's business.
        ran = {row[0] for row in mine.execute("SELECT what FROM evil.ran")}
        assert not [what for what in ran if not what.endswith("as authenticated")], ran
        mine.execute("DROP SCHEMA evil CASCADE")


def test_policies_need_no_table_of_users(conn):
    """No policy and no function behind one reads a table of the identity provider; who one is, the token says."""
    texts = conn.execute(
        """SELECT coalesce(qual, '') || coalesce(with_check, '') FROM pg_catalog.pg_policies WHERE schemaname = 'convene'
           UNION ALL SELECT prosrc FROM pg_catalog.pg_proc WHERE pronamespace = 'convene_private'::regnamespace""").fetchall()
    assert len(texts) > 40 and not [text for text, in texts if "auth." in text]
    event = make_event(conn, "claims")
    with as_role(conn, "authenticated", event.people[0].sub):
        for table in ("attendees", "attendee_preferences", "session_interactions", "profiles", "recommendation_history"):
            conn.execute(f"SELECT * FROM convene.{table}").fetchall()


# Recommendations ---------------------------------------------------------------------------------------------------


def test_every_bookmark_counts_not_one_of_them(undone):
    event = plant(undone, "bookmarks", sessions=64, attendees=4, choices=0)
    for session in (0, 8, 16, 3, 11, 19):
        bookmark(undone, event, 0, session)
    both = sorted(recommend(undone, event, 0, 500), key=lambda rec: -rec.score)
    # Five of each taste are left, whether or not they clash with a bookmark.
    tastes = [event.sessions.index(rec.session) % 8 for rec in both[:6]]
    assert sorted(tastes) == [0, 0, 0, 3, 3, 3]
    # In whatever order they stand in the array or the table.
    undone.execute("UPDATE convene.attendee_preferences SET bookmarked_sessions = %s WHERE attendee_id = %s",
                   [[event.sessions[index] for index in (19, 11, 3, 16, 8, 0)], event.people[0].id])
    assert sorted(recommend(undone, event, 0, 500), key=lambda rec: -rec.score) == both


def test_a_zero_embedding_is_neither_nan_nor_first(undone):
    event = make_event(undone, "zero", sessions=12, embeddings=16)
    zero = "[" + ",".join(["0"] * 16) + "]"
    undone.execute("UPDATE convene.session_embeddings SET embedding = %s WHERE session_id = %s", [zero, event.sessions[7]])
    bookmark(undone, event, 0, 2)
    recs = recommend(undone, event, 0, 12)
    assert all(math.isfinite(rec.score) for rec in recs)
    assert recs[0].session != event.sessions[7]
    check_list(undone, event, 0, recs)
    similar = undone.execute("SELECT session_id, similarity_score FROM convene.find_similar_sessions(%s, 12)", [event.sessions[2]]).fetchall()
    assert len(similar) == 10 and event.sessions[7] not in [row[0] for row in similar]
    assert undone.execute("SELECT * FROM convene.find_similar_sessions(%s)", [event.sessions[7]]).fetchall() == []
    # The person's only bookmark is the one without a direction.
    undone.execute("DELETE FROM convene.session_interactions WHERE attendee_id = %s", [event.people[0].id])
    bookmark(undone, event, 0, 7)
    recs = recommend(undone, event, 0, 12)
    assert len(recs) == 11 and all(math.isfinite(rec.score) for rec in recs)


def test_a_null_among_the_bookmarks_empties_nothing(undone):
    event = make_event(undone, "nulls", sessions=12)
    prefer(undone, event, 0, bookmarked_sessions=[event.sessions[0], None], attended_sessions=[None], browsed_sessions=[None, None])
    recs = recommend(undone, event, 0, 12)
    assert len(recs) == 11 and event.sessions[0] not in [rec.session for rec in recs]
    assert undone.execute("SELECT bookmarked_sessions, attended_sessions FROM convene.attendee_preferences WHERE attendee_id = %s",
                          [event.people[0].id]).fetchone() == ([event.sessions[0]], [])


def test_the_popular_ones_leave_out_what_one_has_and_come_only_if_wanted(undone):
    event = make_event(undone, "popular", sessions=12, attendees=8)
    for number in range(1, 8):
        for session in (0, 4, 8):
            bookmark(undone, event, number, session)
    bookmark(undone, event, 0, 0)
    interact(undone, event, 0, 4, "attended")
    for algorithm in ("hybrid", "popularity"):
        recs = recommend(undone, event, 0, 12, algorithm)
        assert not {event.sessions[0], event.sessions[4]} & {rec.session for rec in recs}
        assert recs[0].session == event.sessions[8]
    prefer(undone, event, 0, recommendation_enabled=False)
    for algorithm in ("hybrid", "popularity"):
        assert recommend(undone, event, 0, 12, algorithm) == []


@pytest.mark.parametrize("limit,code,message", [(-1, "22023", "p_limit must be between 1 and 500, not -1"), (0, "22023", "not 0"),
                                                (None, "22004", "p_limit must not be null")])
def test_a_limit_is_a_positive_number(undone, limit, code, message):
    event = make_event(undone, "limits")
    expect_error(undone, code, GET, [event.people[0].id, event.id, limit], message=message, hint=".")


def test_ordering_by_distance_uses_the_index_of_its_model(undone):
    event = make_event(undone, "indexed", sessions=50, embeddings=16)
    undone.execute("SET LOCAL enable_seqscan = off")
    undone.execute("SET LOCAL enable_sort = off")
    plan = "\n".join(row[0] for row in undone.execute(
        f"""EXPLAIN SELECT session_id FROM convene.session_embeddings WHERE embedding_model = '{event.model}'
            ORDER BY embedding::vector(16) <=> (SELECT embedding::vector(16) FROM convene.session_embeddings LIMIT 1) LIMIT 5"""))
    assert "Index Scan using idx_session_embeddings_vector_" in plan


def test_an_unknown_attendee_is_an_error_not_an_empty_list(undone):
    event = make_event(undone, "unknown")
    nobody = uuid.uuid4()
    expect_error(undone, "P0002", GET, [nobody, event.id, 10], message=f"attendee {nobody} does not exist")
    expect_error(undone, "22023", GET, [event.people[0].id, nobody, 10], message=f"event {nobody}")
    for arguments in ([None, event.id, 10], [event.people[0].id, None, 10]):
        expect_error(undone, "22004", GET, arguments)


def test_scores_are_computed_in_doubles_and_rounded_once(undone):
    """Thirds: one of three stated topics met, weights adding up to the score shown."""
    event = make_event(undone, "thirds", sessions=12)
    undone.execute("UPDATE convene.sessions SET topics = '{one,x,y}' WHERE id = %s", [event.sessions[4]])
    prefer(undone, event, 0, preferred_topics=["one", "two", "three"])
    best = recommend(undone, event)[0]
    # Topics alone (nobody did anything): 1/3, cut to four decimals only where it is shown.
    assert (best.session, best.score, best.parts) == (event.sessions[4], 0.3333, {"topics": {"score": 0.3333, "weight": 1.0}})
