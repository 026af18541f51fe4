"""What becomes of an error on its way: plain inside the database, a status of its own through PostgREST."""

import uuid

import pytest
from psycopg.types.json import Jsonb

from lib.access import expect_error, sqlstate
from lib.factory import make_world
from lib.postgrest import PostgREST

pytestmark = pytest.mark.errors
UNKNOWN = uuid.UUID(int=0xBAD)
MANY = {"preferred_topics": [f"t{number}" for number in range(201)]}


@pytest.fixture(scope="module")
def world(db):
    with db.connect() as connection:
        connection.execute("SELECT convene.adopt_copy()")
        return make_world(connection, embeddings=16)


def cases(alpha):
    """(statement, its parameters, plain SQLSTATE, what PostgREST is told)."""
    person = alpha.people[0].id
    return [
        ("SELECT * FROM convene.get_session_recommendations(%s, %s)", [UNKNOWN, alpha.id], "P0002", "PT404"),
        ("SELECT * FROM convene.find_similar_sessions(%s)", [UNKNOWN], "P0002", "PT404"),
        ("SELECT convene.fail_embedding_job(%s, 'x', %s)", [UNKNOWN, UNKNOWN], "P0002", "PT404"),
        ("SELECT convene.add_embedding_model('convene-hash-v1', 3)", [], "23505", "PT409"),
        ("SELECT convene.update_attendee_preferences(%s, %s, %s)", [person, alpha.id, Jsonb(MANY)], "54000", "PT413"),
        ("SELECT convene.embed_text(repeat('x', 2000000))", [], "54000", "PT413"),
        ("SELECT * FROM convene.get_session_recommendations(%s, %s, 0)", [person, alpha.id], "22023", "22023"),
        ("SELECT * FROM convene.get_session_recommendations(%s, %s, NULL)", [person, alpha.id], "22004", "22004"),
    ]


def test_the_code_is_swapped_only_behind_postgrest(conn, world):
    alpha, _ = world
    for statement, parameters, plain, _ in cases(alpha):
        assert sqlstate(conn, statement, parameters).sqlstate == plain
    for method in ("POST", "GET"):
        conn.execute("SELECT set_config('request.method', %s, false)", [method])
        for statement, parameters, plain, told in cases(alpha):
            expect_error(conn, told, statement, parameters, detail=rf"^SQLSTATE {plain}")
    # PostgREST leaves '' behind.
    conn.execute("SELECT set_config('request.method', '', false)")
    for statement, parameters, plain, _ in cases(alpha):
        got = sqlstate(conn, statement, parameters)
        assert got.sqlstate == plain and "SQLSTATE" not in (got.detail or "")


CATCH = """
CREATE FUNCTION pg_temp.caught(p_statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE told text; message text; detail text;
BEGIN
    EXECUTE p_statement;
    RETURN 'nothing';
EXCEPTION
    WHEN no_data_found THEN RETURN 'no_data_found ' || sqlstate;
    WHEN unique_violation THEN RETURN 'unique_violation ' || sqlstate;
    WHEN program_limit_exceeded THEN RETURN 'program_limit_exceeded ' || sqlstate;
    WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS told = RETURNED_SQLSTATE, message = MESSAGE_TEXT;
        RETURN 'others ' || told;
END $$"""
RETHROW = """
CREATE FUNCTION pg_temp.rethrown(p_statement text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE p_statement;
EXCEPTION WHEN OTHERS THEN RAISE;
END $$"""


@pytest.mark.parametrize("method", ["", "POST"])
def test_code_inside_the_database_catches_the_plain_one(conn, world, method):
    alpha, _ = world
    conn.execute(CATCH)
    conn.execute(RETHROW)
    conn.execute("SELECT set_config('request.method', %s, false)", [method])
    lost = f"SELECT * FROM convene.get_session_recommendations('{UNKNOWN}', '{alpha.id}')"
    caught = lambda statement: conn.execute("SELECT pg_temp.caught(%s)", [statement]).fetchone()[0]  # noqa: E731
    assert caught(lost) == "no_data_found P0002"
    assert caught("SELECT convene.add_embedding_model('convene-hash-v1', 3)") == "unique_violation 23505"
    assert caught("SELECT convene.embed_text(repeat('x', 2000000))") == "program_limit_exceeded 54000"
    assert caught("SELECT convene.embed_text(NULL)") == "others 22004"
    assert sqlstate(conn, "SELECT pg_temp.rethrown(%s)", [lost]).sqlstate == ("PT404" if method else "P0002")
    # Errors that are not ours keep their code.
    assert sqlstate(conn, "DO $$ BEGIN RAISE no_data_found; END $$").sqlstate == "P0002"
    conn.execute("SELECT set_config('request.method', '', false)")


def test_a_caught_error_leaves_the_caller_as_they_were(conn, world):
    """After an error inside a subtransaction role, path and security context are the caller's again."""
    alpha, _ = world
    conn.execute(CATCH)
    state = "SELECT current_user, current_setting('search_path'), current_setting('request.jwt.claims', true)"
    before = conn.execute(state).fetchone()
    conn.execute("SET search_path = public, pg_catalog")
    changed = conn.execute(state).fetchone()
    person = alpha.people[0].id
    for statement in (
        f"SELECT * FROM convene.get_session_recommendations('{UNKNOWN}', '{alpha.id}')",
        f"""SELECT convene.update_attendee_preferences('{person}', '{alpha.id}', '{{"browsed_sessions": ["{UNKNOWN}"]}}')""",
        f"SELECT convene.record_session_interaction('{person}', '{UNKNOWN}', 'browsed')",
    ):
        assert conn.execute("SELECT pg_temp.caught(%s)", [statement]).fetchone()[0] != "nothing"
        assert conn.execute(state).fetchone() == changed
    # A security-restricted context would refuse this.
    conn.execute("SET ROLE service_role")
    conn.execute("RESET ROLE")
    conn.execute("RESET search_path")
    assert conn.execute(state).fetchone() == before


def test_the_statuses_of_the_real_postgrest(db, conn, world):
    alpha, beta = world
    person = alpha.people[0]
    with PostgREST(db) as rest:
        service, mine = rest.token("service_role"), rest.token(sub=person.sub)
        pair = {"p_attendee_id": person.id, "p_event_id": alpha.id}
        job = rest.rpc("claim_embedding_jobs", {"p_limit": 1}, token=service)[1][0]["job_id"]
        table = [
            (404, "PT404", service, "get_session_recommendations", {**pair, "p_attendee_id": UNKNOWN}),
            (403, "42501", mine, "get_session_recommendations", {**pair, "p_attendee_id": UNKNOWN}),
            (403, "42501", mine, "embed_pending", {}),
            (400, "22023", mine, "get_session_recommendations", {**pair, "p_limit": 0}),
            (400, "22023", mine, "get_session_recommendations", {**pair, "p_event_id": beta.id}),
            (400, "22004", mine, "get_session_recommendations", {**pair, "p_algorithm": None}),
            (400, "22P02", mine, "get_session_recommendations", {**pair, "p_attendee_id": "me"}),
            (404, "PGRST202", mine, "get_session_recommendations", {"p_attendee": person.id}),
            (409, "PT409", service, "fail_embedding_job", {"p_job_id": job, "p_error": "x", "p_lease_token": UNKNOWN}),
            (413, "PT413", mine, "update_attendee_preferences", {**pair, "p_preferences": MANY}),
            (413, "PT413", mine, "embed_text", {"p_text": "x" * 2000000}),
            (401, "42501", None, "get_session_recommendations", pair),
        ]
        for status, code, token, function, arguments in table:
            got = rest.rpc(function, arguments, token=token)
            assert (got[0], got[1]["code"]) == (status, code), (function, got)
        _, body = rest.rpc(table[0][3], table[0][4], token=service)
        assert str(UNKNOWN) in body["message"] and body["details"].startswith("SQLSTATE P0002") and body["hint"]
        # Two refreshes at once: the second is told that the event is locked.
        with db.second(autocommit=False) as other:
            other.execute("SELECT convene.refresh_event_recommendations(%s)", [alpha.id])
            got = rest.rpc("refresh_event_recommendations", {"p_event_id": alpha.id}, token=rest.token(sub=alpha.organizer))
            assert (got[0], got[1]["code"]) == (409, "PT409") and got[1]["details"].startswith("SQLSTATE 55P03")
