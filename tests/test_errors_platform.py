"""What the functions of the operator say to bad input: SQLSTATE, what and which value, what to do; and nothing half done."""

import math

import psycopg
import pytest

from lib import catalogue
from lib.access import as_role, expect_error, sqlstate
from lib.factory import make_event

BAD = [
    # call, parameters, SQLSTATE, message, hint
    ("install(NULL)", [], "22004", "p_grant_api", None),
    ("uninstall(NULL)", [], "22004", "p_confirm", None),
    ("uninstall('other')", [], "22023", "'?\"?other", r"convene\.uninstall\('"),
    ("grant_api(NULL)", [], "22004", "p_anon", None),
    ("grant_api('anon', NULL)", [], "22004", "p_authenticated", None),
    ("grant_api('anon', 'authenticated', NULL)", [], "22004", "p_service", None),
    ("grant_api('anon', 'anon')", [], "22023", "anon, anon and service_role", "three different roles"),
    ("grant_api('service_role')", [], "22023", "service_role, authenticated and service_role", "three different roles"),
    ("grant_api('anon', 'x', 'x')", [], "22023", "anon, x and x", "three different roles"),
    ("add_embedding_model(NULL, 3)", [], "22004", "p_model", None),
    ("add_embedding_model('m', NULL)", [], "22004", "p_dimensions", None),
    ("add_embedding_model('m', 3, NULL)", [], "22004", "p_default", None),
    ("add_embedding_model('', 3)", [], "22023", "p_model", "name"),
    ("add_embedding_model('   ', 3)", [], "22023", "p_model", "name"),
    ("add_embedding_model(%s, 3)", ["x" * 201], "22023", "p_model", "200"),
    ("add_embedding_model('m', 0)", [], "22023", "p_dimensions .*16000, not 0", "16000"),
    ("add_embedding_model('m', -1)", [], "22023", "not -1", "16000"),
    ("add_embedding_model('m', 16001)", [], "22023", "not 16001", "16000"),
    ("add_embedding_model('m', 2147483647)", [], "22023", "not 2147483647", "16000"),
    ("add_embedding_model('text-embedding-ada-002', 3)", [], "23505", "1536 dimensions, not 3", "a name of its own"),
    ("check_threads(NULL)", [], "22004", "p_seconds", None),
    ("check_threads(-1)", [], "22023", "not -1", None),
    ("check_threads(-0.001)", [], "22023", "not -0.001", None),
    ("check_threads(3600.5)", [], "22023", "not 3600.5", None),
    ("check_threads('NaN')", [], "22023", "NaN", None),
    ("check_threads('infinity')", [], "22023", "inf", None),
    ("check_threads('-infinity')", [], "22023", "inf", None),
    ("check_threads(0, 'abort')", [], "22023", "abort", "panic"),
    ("check_threads(0, '')", [], "22023", "p_fault", "panic"),
    ("check_threads(0, 'panic')", [], "58000", "as it was asked to", None),
    ("create_next_month_partitions(NULL)", [], "22004", "p_months_ahead", None),
    ("create_next_month_partitions(-1)", [], "22023", "not -1", "60"),
    ("create_next_month_partitions(61)", [], "22023", "not 61", "60"),
    ("due_jobs(NULL)", [], "22004", "p_all", None),
    ("begin_job(NULL)", [], "22004", "p_job", None),
    ("begin_job('')", [], "22023", '""', "expire-matches"),
    ("begin_job(repeat('x', 10000000))", [], "22023", "xxx", "expire-matches"),
    ("record_job_step(NULL, 1, NULL, NULL)", [], "22004", "p_run_id", None),
    ("record_job_step('00000000-0000-0000-0000-000000000bad', 1, NULL, NULL)", [], "P0002", "bad", None),
    ("record_job_step('00000000-0000-0000-0000-000000000bad', 1, NULL, NULL, NULL)", [], "22004", "p_last", None),
    ("record_job_step((SELECT run_id FROM convene.begin_job('expire-matches')), -1, NULL, NULL)", [], "22023", "0 or more, not -1", None),
    ("has_permission(NULL, 'read')", [], "22004", "p_area", None),
    ("has_permission('contacts', NULL)", [], "22004", "p_action", None),
    ("has_permission('contacts', 'erase')", [], "22023", "erase", "'read', 'write' or 'delete'"),
    ("has_permission('contacts', '')", [], "22023", "p_action", "'read'"),
    ("claim(NULL)", [], "22004", "p_name", None),
    ("embed_text(NULL)", [], "22004", "p_text", None),
    ("embed_text(repeat('x', 1048577))", [], "54000", "1048577", "1048576"),
    ("embed_text(repeat('é', 524289))", [], "54000", "1048578", "1048576"),
    ("embed_pending(NULL)", [], "22004", "p_limit", None),
    ("embed_pending(0)", [], "22023", "not 0", "10000"),
    ("embed_pending(-2147483648)", [], "22023", "-2147483648", "10000"),
    ("embed_pending(10001)", [], "22023", "10001", "10000"),
    ("claim_embedding_jobs(NULL)", [], "22004", "p_limit", None),
    ("claim_embedding_jobs(0)", [], "22023", "not 0", "1000"),
    ("claim_embedding_jobs(1001)", [], "22023", "1001", "1000"),
    ("claim_embedding_jobs(1, NULL)", [], "22004", "p_lease", None),
    ("claim_embedding_jobs(1, '0')", [], "22023", "00:00:00", "5 minutes"),
    ("claim_embedding_jobs(1, '-1 second')", [], "22023", "-00:00:01", "5 minutes"),
    ("claim_embedding_jobs(1, '1 day 1 second')", [], "22023", "1 day", "5 minutes"),
    ("fail_embedding_job(NULL, 'e', gen_random_uuid())", [], "22004", "p_job_id", None),
    ("fail_embedding_job(gen_random_uuid(), NULL, gen_random_uuid())", [], "22004", "p_error", None),
    ("fail_embedding_job(gen_random_uuid(), 'e', NULL)", [], "22004", "p_lease_token", None),
    ("fail_embedding_job('00000000-0000-0000-0000-000000000001', 'e', gen_random_uuid())", [], "P0002", "0000-000000000001", None),
]
WITHOUT_HINT = {"58000"}


@pytest.fixture(scope="module")
def event(db):
    with db.connect() as connection:
        # The database was copied from the template, and its queue is closed until somebody says whose it is.
        connection.execute("SELECT convene.adopt_copy()")
        return make_event(connection, "alpha", sessions=6, interactions=2)


@pytest.mark.parametrize("call, parameters, code, message, hint", BAD, ids=[bad[0] for bad in BAD])
def test_bad_input_is_refused_and_changes_nothing(conn, event, call, parameters, code, message, hint):
    before = catalogue.checksums(conn)
    got = expect_error(conn, code, f"SELECT * FROM convene.{call}", parameters, message=message, hint=hint)
    assert got.hint or code in WITHOUT_HINT
    assert catalogue.checksums(conn) == before


@pytest.mark.parametrize("call", ["check_threads(0)", "check_threads(0.0, NULL)", "check_threads(0.01)", "embed_text('')",
                                  "embed_text(repeat('x', 1048576))", "embed_pending(10000)", "claim_embedding_jobs(1000, '1 day')"])
def test_the_limits_themselves_are_allowed(conn, event, call):
    with conn.transaction(force_rollback=True):
        conn.execute(f"SELECT * FROM convene.{call}")


def test_a_refused_call_leaves_the_transaction_to_its_caller(conn, event):
    """An error inside a savepoint undoes that much; what came before it stays."""
    with conn.transaction(force_rollback=True):
        conn.execute("SELECT convene.add_embedding_model('first', 3)")
        assert sqlstate(conn, "SELECT convene.add_embedding_model('first', 4)").sqlstate == "23505"
        path = conn.execute("SHOW search_path").fetchone()
        assert conn.execute("SELECT current_user::text, session_user::text").fetchone() == ("postgres", "postgres")
        conn.execute("SELECT convene.add_embedding_model('second', 3)")
        assert conn.execute("SHOW search_path").fetchone() == path
        assert conn.execute("SELECT count(*) FROM convene.embedding_models").fetchone() == (4,)


def test_who_called_is_who_they_were_after_an_error_inside(conn, event):
    """The switch to the owner is undone when a statement of the function's own fails, here by a trigger."""
    with conn.transaction(force_rollback=True):
        conn.execute("""CREATE FUNCTION public.fail() RETURNS trigger LANGUAGE plpgsql AS $$
                        BEGIN RAISE 'no' USING ERRCODE = 'P0001'; END $$;
                        CREATE TRIGGER fail BEFORE INSERT ON convene.recommendation_history
                        FOR EACH ROW EXECUTE FUNCTION public.fail()""")
        person = event.people[0]
        conn.execute("SELECT set_config('search_path', 'public, pg_catalog', true)")
        with as_role(conn, "authenticated", person.sub):
            for _ in range(3):
                got = sqlstate(conn, "SELECT convene.serve_session_recommendations(%s, %s)", [person.id, event.id])
                assert got.sqlstate == "P0001"
                assert conn.execute("SELECT current_user::text").fetchone() == ("authenticated",)
                assert conn.execute("SHOW search_path").fetchone() == ("public, pg_catalog",)
                assert sqlstate(conn, "INSERT INTO convene.settings VALUES ('x', '1', '')").sqlstate == "42501"
                assert conn.execute("SELECT id FROM convene.attendees").fetchall() == [(person.id,)]


def test_models_are_registered_once(conn):
    with conn.transaction(force_rollback=True):
        for _ in range(2):
            assert conn.execute("SELECT convene.add_embedding_model('mine', 12)").fetchone()[0] == 'model "mine" has 12 dimensions'
        assert conn.execute("SELECT dimensions, is_default FROM convene.embedding_models WHERE model = 'mine'").fetchall() == [(12, False)]
        conn.execute("SELECT convene.add_embedding_model('mine', 12, true)")
        assert conn.execute("SELECT model FROM convene.embedding_models WHERE is_default").fetchall() == [("mine",)]
        # Asked again without the flag it stays what it is.
        conn.execute("SELECT convene.add_embedding_model('mine', 12)")
        assert conn.execute("SELECT model FROM convene.embedding_models WHERE is_default").fetchall() == [("mine",)]


@pytest.mark.parametrize("dimensions, kind", [(1, "vector"), (2000, "vector"), (2001, "halfvec"), (4000, "halfvec"), (4001, None), (16000, None)])
def test_a_model_gets_the_index_that_its_size_allows(conn, dimensions, kind):
    with conn.transaction(force_rollback=True):
        before = {row[0] for row in conn.execute("SELECT indexdef FROM pg_indexes WHERE schemaname = 'convene'")}
        conn.execute("SELECT convene.add_embedding_model('sized', %s)", [dimensions])
        made = {row[0] for row in conn.execute("SELECT indexdef FROM pg_indexes WHERE schemaname = 'convene'")} - before
        if kind is None:
            assert made == set()
        else:
            # One on each table with vectors.
            assert len(made) == 3
            for definition in made:
                assert f"{kind}({dimensions})" in definition and f"{kind}_cosine_ops" in definition


def test_grants_go_to_the_roles_that_exist_and_are_remembered(fresh_db):
    with fresh_db.connect() as connection:
        connection.execute("DROP ROLE IF EXISTS web_anon; CREATE ROLE web_anon")
        try:
            told = connection.execute("SELECT convene.grant_api('web_anon', 'web \"user\"', 'web_service')").fetchone()[0]
            assert told == "API granted to web_anon"
            stored = connection.execute("SELECT value FROM convene.settings WHERE key = 'api_roles'").fetchone()[0]
            assert stored == {"anon": "web_anon", "authenticated": 'web "user"', "service": "web_service"}
            with as_role(connection, "web_anon"):
                connection.execute("SELECT * FROM convene.events")
                assert sqlstate(connection, "SELECT * FROM convene.attendees").sqlstate == "42501"
            told = connection.execute("SELECT convene.create_api_roles()").fetchone()[0]
            assert told.startswith('created web "user", web_service; API granted to web "user", web_anon, web_service')
            made = connection.execute(
                """SELECT rolname::text, rolcanlogin, rolinherit, rolbypassrls, rolsuper, rolcreaterole FROM pg_roles
                   WHERE rolname IN ('web "user"', 'web_service') ORDER BY 1"""
            ).fetchall()
            assert made == [('web "user"', False, False, False, False, False), ("web_service", False, False, True, False, False)]
            assert connection.execute("SELECT convene.create_api_roles()").fetchone()[0].startswith("all three roles exist;")
            with as_role(connection, "web_service"):
                connection.execute("SELECT convene.embed_pending()")
        finally:
            for role in ("web_anon", 'web ""user""', "web_service"):
                name = role.replace('""', '"')
                if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone():
                    connection.execute(f'DROP OWNED BY "{role}"; DROP ROLE "{role}"')


def test_grants_to_nobody_say_so(fresh_db):
    with fresh_db.connect() as connection:
        told = connection.execute("SELECT convene.grant_api('no_one', 'no_two', 'no_three')").fetchone()[0]
        assert "SELECT convene.create_api_roles();" in told


@pytest.mark.parametrize("role", ["anon", "authenticated", "service_role"])
def test_an_operators_function_says_whose_it_is(conn, event, role):
    conn.execute("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA convene TO anon, authenticated, service_role")
    with as_role(conn, role):
        for call in ("install()", "migrate()", "uninstall('x')", "grant_api()", "create_api_roles()",
                     "add_embedding_model('m', 3)", "check_threads(0)"):
            expect_error(conn, "42501", f"SELECT convene.{call}", message="only the owner of the data may", hint="superuser")
        if role != "service_role":
            for call in ("adopt_copy()", "embed_pending()", "claim_embedding_jobs()"):
                expect_error(conn, "42501", f"SELECT convene.{call}", message="only the service may", hint="service_role")


# Behind PostgREST: codes that it would otherwise answer with a misleading status.
REST = [
    ("fail_embedding_job('00000000-0000-0000-0000-000000000001', 'e', gen_random_uuid())", "P0002", "PT404"),
    ("add_embedding_model('text-embedding-ada-002', 3)", "23505", "PT409"),
    ("claim_embedding_jobs()", "55000", "PT409"),
    ("embed_text(repeat('x', 2000000))", "54000", "PT413"),
    ("embed_pending(0)", "22023", "22023"),
    ("embed_pending(NULL)", "22004", "22004"),
    ("check_threads(0, 'panic')", "58000", "58000"),
]


@pytest.mark.parametrize("call, code, rest", REST)
def test_codes_behind_postgrest(conn, event, call, code, rest):
    with conn.transaction(force_rollback=True):
        conn.execute("UPDATE convene.settings SET value = '{}' WHERE key = 'home'")
        plain = sqlstate(conn, f"SELECT * FROM convene.{call}")
        assert plain.sqlstate == code
        conn.execute("SELECT set_config('request.method', 'POST', true)")
        got = sqlstate(conn, f"SELECT * FROM convene.{call}")
        assert got.sqlstate == rest
        assert (got.message, got.hint) == (plain.message, plain.hint)
        if rest != code:
            assert got.detail.startswith(f"SQLSTATE {code}") and got.detail.endswith(plain.detail or code)
        # Code inside the database catches the plain one.
        caught = conn.execute(
            f"""CREATE FUNCTION pg_temp.caught() RETURNS text LANGUAGE plpgsql AS $$
                BEGIN PERFORM convene.{call}; RETURN NULL; EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE; END $$;
                SELECT pg_temp.caught()"""
        )
        while caught.nextset():
            pass
        assert caught.fetchone() == (code,)
        # What PostgREST leaves behind in the session says that it is not there any more.
        conn.execute("SELECT set_config('request.method', '', true)")
        assert sqlstate(conn, f"SELECT * FROM convene.{call}").sqlstate == code


def test_an_error_of_somebody_else_keeps_its_code(conn):
    """Only errors that the library raised are turned into PostgREST's."""
    with conn.transaction(force_rollback=True):
        conn.execute("SELECT set_config('request.method', 'POST', true)")
        assert sqlstate(conn, "SELECT 1 / 0").sqlstate == "22012"
        assert sqlstate(conn, "DO $$ BEGIN RAISE 'x' USING ERRCODE = '55000'; END $$").sqlstate == "55000"
        assert sqlstate(conn, "INSERT INTO convene.embedding_models (model, dimensions) VALUES ('convene-hash-v1', 1)").sqlstate == "23505"


def test_an_embedding_has_unit_length_and_is_the_same_every_time(conn):
    for text in ("a", "Hello, world", "  ", "日本語 🎟", "x" * 100_000):
        first = conn.execute("SELECT convene.embed_text(%s)", [text]).fetchone()[0]
        assert first == conn.execute("SELECT convene.embed_text(%s)", [text]).fetchone()[0]
        assert len(first) == 256
        length = math.sqrt(sum(part * part for part in first))
        assert length == pytest.approx(1, abs=1e-5) or (not text.strip() and length == 0)


def test_the_schema_that_was_changed_by_hand_is_named(fresh_db):
    with fresh_db.connect() as connection:
        connection.execute("""DROP TRIGGER embedding_models_keep_dimensions ON convene.embedding_models;
                              ALTER TABLE convene.embedding_models DROP CONSTRAINT embedding_models_dimensions_check,
                                                                   ALTER dimensions TYPE text USING 'many'""")
        with pytest.raises(psycopg.Error) as caught:
            connection.execute("SELECT convene.add_embedding_model('convene-hash-v1', 3)")
        assert caught.value.diag.sqlstate == "55000"
        assert "convene.install()" in caught.value.diag.message_hint
