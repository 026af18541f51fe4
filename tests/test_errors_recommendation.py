"""Every function, every argument: the stated SQLSTATE, a message that names the value, nothing half-written, no lost
connection, never an internal error. Arguments are written as SQL, so that anything can be said."""

import re
from pathlib import Path

import pytest

from lib.access import sqlstate
from lib.arguments import HUGE, INT, U, UNKNOWN, argument_tests, call, filled, ids, limits, words
from lib.factory import make_world
from lib.reference import contents, refresh

pytestmark = pytest.mark.errors

# Where an argument is judged by who calls, tests/test_steal.py has it.
WITHOUT_ARGUMENTS = {"surface", "library_version", "uid", "email", "adopt_copy", "create_api_roles", "health"}


PAIR = {"p_attendee_id": ids(), "p_event_id": ids("22023") + [(":beta", "22023", "does not attend event")]}
ASKED = {
    **PAIR, "p_limit": limits(500), "p_algorithm": words("p_algorithm", "Hybrid", "hybrid ", "svd"),
    "p_now": [("NULL", "22004", "p_now")],
}
TEXTS = [('{"%s": %s}', value) for value in ("null", '"ai"', "1", "true", "{}", "[null]", "[1]", "[[]]", "[{}]", '["a", ["b"]]')]
ID_LISTS = [('{"%s": %s}', value) for value in (
    "null", '"x"', "7", '["x"]', "[null]", "[1]", '[""]', '[["' + U + '"]]', '["urn:uuid:' + U + '"]')]


def preferences():
    """(JSON, code, what the message names)."""
    for value in ("null", "[]", '"x"', "1", "true", '[{"preferred_topics": ["a"]}]'):
        yield f"'{value}'", "22023", "p_preferences"
    for key in ("preferred_topic", "", "Preferred_topics", "id", "rev", "attendee_id", "event_id", "preferred_topics "):
        yield f"""'{{"{key}": ["a"], "preferred_formats": ["a"]}}'""", "22023", f'"{re.escape(key)}"'
    for key in ("preferred_topics", "preferred_formats", "industry_interests"):
        for shape, value in TEXTS:
            yield f"'{shape % (key, value)}'", "22023", key
        yield f"jsonb_build_object('{key}', (SELECT jsonb_agg('t' || n) FROM generate_series(1, 201) n))", "54000", f"{key} has 201"
        yield f"jsonb_build_object('{key}', jsonb_build_array(repeat('x', 10001)))", "54000", rf"{key}\[0\]"
    for key in ("browsed_sessions", "bookmarked_sessions", "attended_sessions"):
        for shape, value in ID_LISTS:
            yield f"'{shape % (key, value)}'", "22023", key
        yield f"jsonb_build_object('{key}', (SELECT jsonb_agg(gen_random_uuid()) FROM generate_series(1, 201)))", "54000", key
        yield f"""'{{"preferred_topics": ["kept?"], "{key}": ["{U}"]}}'""", "22023", U
    for value in ('"guru"', '"Expert"', "3", "[]", '""'):
        yield f"""'{{"skill_level": {value}}}'""", "22023", "skill_level"
    for value in ('"yes"', "1", "null", "[]"):
        yield f"""'{{"recommendation_enabled": {value}}}'""", "22023", "recommendation_enabled"
    for key in ("interaction_history", "notification_preferences"):
        for value in ("[]", "null", '"x"', "2"):
            yield f"""'{{"{key}": {value}}}'""", "22023", key
        yield f"jsonb_build_object('{key}', jsonb_build_object('a', repeat('x', 10000)))", "54000", key
    yield f"jsonb_build_object('preferred_topics', jsonb_build_array({HUGE}))", "54000", "preferred_topics"
    yield f"jsonb_build_object({HUGE}, 1)", "22023", "unknown key"
    yield "jsonb_build_object('browsed_sessions', (SELECT jsonb_agg(n) FROM generate_series(1, 1000000) n))", "54000", "1000000"
    # Deeper than a parser with a bound goes, and a number that no double holds.
    yield "('{\"interaction_history\":' || repeat('[', 3000) || repeat(']', 3000) || '}')::jsonb", "22023", "p_preferences cannot be used"
    yield "('{\"notification_preferences\":' || repeat('{\"a\":', 3000) || '1' || repeat('}', 3000) || '}')::jsonb", "22023", "p_preferences"
    yield "'{\"interaction_history\": {\"big\": 1e400}}'", "22023", "p_preferences cannot be used: number out of range"


VECTORS = [
    ("NULL", "22004", "p_embedding"), ("'{}'", "22023", "0 dimensions"), ("'{1,2,3}'", "22023", "3 dimensions.*256"),
    ("array_fill(0.5::real, ARRAY[255])", "22023", "255 dimensions"), ("array_fill(0.5::real, ARRAY[1536])", "22023", "1536"),
    ("array_fill(0.5::real, ARRAY[2500000])", "22023", "2500000 dimensions"),
    ("array_fill('NaN'::real, ARRAY[256])", "22023", "NaN"), ("array_fill('Infinity'::real, ARRAY[256])", "22023", "inf"),
    ("array_fill('-Infinity'::real, ARRAY[256])", "22023", "-inf"),
    ("array_fill(NULL::real, ARRAY[256])", "22004", r"p_embedding\[1\]"),
    ("array_fill(0.5::real, ARRAY[255]) || 'NaN'::real", "22023", r"p_embedding\[256\]"),
    ("array_fill(0.5::real, ARRAY[16, 17])", "22023", "p_embedding|dimension"),
]

# Function: (arguments that are well, what each may not be).
CASES = {
    "get_session_recommendations": (":pair, p_limit => 5, p_algorithm => 'hybrid', p_now => now()", ASKED),
    "serve_session_recommendations": (":pair, p_limit => 5, p_algorithm => 'hybrid', p_now => now()", ASKED),
    "get_personal_agenda": (":pair, p_from => NULL, p_to => NULL, p_now => now()", {
        **PAIR, "p_now": [("NULL", "22004", "p_now")],
        "p_to": [("'-infinity', p_from => 'infinity'", "22023", "p_to"), ("'2026-01-01', p_from => '2026-01-01'", "22023", "2026-01-01")]}),
    "get_exhibitor_recommendations": (":pair, p_limit => 5", {**PAIR, "p_limit": limits(100)}),
    "get_content_recommendations": (":pair, p_limit => 5", {**PAIR, "p_limit": limits(100)}),
    "find_similar_sessions": ("p_session_id => :session, p_limit => 5", {"p_session_id": ids(), "p_limit": limits(100)}),
    "submit_recommendation_feedback": ("p_recommendation_id => :shown, p_action => 'rated', p_rating => 3", {
        "p_recommendation_id": ids(), "p_action": words("p_action", "Rated", "liked", "rated "),
        "p_rating": [(value, "22023", "p_rating") for value in ("NULL", "0", "6", "-1", "2147483647", INT)]}),
    "record_session_interaction": ("p_attendee_id => :attendee, p_session_id => :session, p_kind => 'rated', p_value => 3, p_at => now()", {
        "p_attendee_id": ids(), "p_session_id": ids() + [(":foreign", "22023", "another event")],
        "p_kind": words("p_kind", "Rated", "liked", "rated "),
        "p_value": [(value, "22023", "p_value") for value in (
            "NULL", "0", "5.1", "-1", "'NaN'", "'Infinity'", "'-Infinity'", "1e100000")],
        "p_at": [("NULL", "22004", "p_at"), ("'infinity'", "22023", "p_at"), ("'-infinity'", "22023", "p_at"),
                 ("now() + '1 day'", "22023", "p_at"), ("'294276-12-31'", "22023", "p_at")]}),
    "update_attendee_preferences": (":pair, p_preferences => '{}'", {
        **PAIR, "p_preferences": [("NULL", "22004", "p_preferences"), *preferences()]}),
    "refresh_event_recommendations": ("p_event_id => :alpha, p_retrain => NULL, p_now => now()", {
        "p_event_id": ids(), "p_now": [("NULL", "22004", "p_now")]}),
    "recommendation_metrics": ("p_event_id => :alpha", {"p_event_id": ids()}),
    "evaluate_recommender": ("p_event_id => :alpha, p_k => 5, p_seed => 1, p_split => 'last'", {
        "p_event_id": ids(), "p_k": limits(1000, "p_k"), "p_seed": [("NULL", "22004", "p_seed")],
        "p_split": words("p_split", "Last", "last ", "half")}),
    "learn_recommendation_weights": ("p_event_id => :alpha, p_apply => false", {
        "p_event_id": ids(), "p_apply": [("NULL", "22004", "p_apply")]}),
    "embed_text": ("p_text => 'x'", {"p_text": [("NULL", "22004", "p_text"), (HUGE, "54000", "10000000 bytes")]}),
    "claim": ("p_name => 'role'", {"p_name": [("NULL", "22004", "p_name")]}),
    "export_person": ("p_profile_id => :profile", {"p_profile_id": ids()}),
    "erase_person": ("p_profile_id => :profile", {"p_profile_id": ids()}),
    "embed_pending": ("p_limit => 5", {"p_limit": limits(10000)}),
    "claim_embedding_jobs": ("p_limit => 5, p_lease => '1 minute'", {
        "p_limit": limits(1000), "p_lease": [("NULL", "22004", "p_lease")] + [
            (f"'{lease}'", "22023", "p_lease") for lease in ("0", "-1 second", "25 hours", "1 month", "170000000 years")]}),
    "complete_embedding_job": (
        "p_job_id => :job, p_embedding => array_fill(0.5::real, ARRAY[256]), p_model => 'convene-hash-v1', p_lease_token => :token", {
            "p_job_id": ids(), "p_embedding": VECTORS,
            "p_model": [("NULL", "22004", "p_model"), ("''", "22023", '""'), ("'gpt'", "22023", '"gpt" is not registered'),
                        (HUGE, "22023", "embedding model"), ("'text-embedding-ada-002'", "22023", "256 dimensions.*1536")],
            "p_lease_token": [("NULL", "22004", "p_lease_token"), (UNKNOWN, "55000", "lease")]}),
    "fail_embedding_job": ("p_job_id => :job, p_error => 'x', p_lease_token => :token", {
        "p_job_id": ids(), "p_error": [("NULL", "22004", "p_error")],
        "p_lease_token": [("NULL", "22004", "p_lease_token"), (UNKNOWN, "55000", "lease")]}),
    "add_embedding_model": ("p_model => 'fresh', p_dimensions => 3, p_default => false", {
        "p_model": [("NULL", "22004", "p_model"), ("''", "22023", '""'), ("'  '", "22023", "p_model"), (HUGE, "22023", "p_model"),
                    ("'text-embedding-ada-002'", "23505", "1536 dimensions, not 3")],
        "p_dimensions": [("NULL", "22004", "p_dimensions")] + [
            (value, "22023", f"not {value}$") for value in ("0", "-1", "16001", "2147483647", INT)],
        "p_default": [("NULL", "22004", "p_default")]}),
}


@pytest.fixture(scope="module")
def names(db):
    """What the placeholders of CASES stand for."""
    with db.connect() as conn:
        alpha, beta = make_world(conn, embeddings=16, interactions=3)
        refresh(conn, alpha)
        person = alpha.people[0].id
        conn.execute("SELECT convene.adopt_copy()")
        shown = conn.execute("SELECT recommendation_id FROM convene.serve_session_recommendations(%s, %s)", [person, alpha.id]).fetchone()[0]
        job, token = conn.execute("SELECT job_id, lease_token FROM convene.claim_embedding_jobs(1, '1 day')").fetchone()
    told = {"attendee": person, "alpha": alpha.id, "beta": beta.id, "session": alpha.sessions[0], "foreign": beta.sessions[0],
            "shown": shown, "job": job, "token": token, "profile": alpha.people[0].sub}
    return {**{key: f"'{value}'" for key, value in told.items()}, "pair": f"p_attendee_id => '{person}', p_event_id => '{alpha.id}'"}


def test_every_function_has_its_cases(conn):
    signatures = {row[0].split("(")[0] for row in conn.execute("SELECT signature FROM convene.surface()")}
    # Other domains have modules of their own, which call their functions or list them by name; so has the installer.
    others = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py")
                     if path.name.startswith(("test_errors_", "test_ownership_install", "test_jobs")) and path != Path(__file__))
    elsewhere = {name for name in signatures - set(CASES) if re.search(rf"\b{name}\(|\"{name}\"", others)}
    assert signatures == set(CASES) | elsewhere | WITHOUT_ARGUMENTS


# A flag that takes all three values, and the earlier end of a window, cannot be wrong by themselves.
test_every_argument_has_its_cases, test_the_call_that_is_varied_is_well, test_wrong_arguments = argument_tests(
    CASES, never_wrong=("p_retrain", "p_from"))


@pytest.mark.parametrize("statement", [
    "SELECT * FROM convene.get_session_recommendations(:pair, p_now => 'infinity')",
    "SELECT * FROM convene.get_session_recommendations(:pair, p_now => '-infinity')",
    "SELECT * FROM convene.get_session_recommendations(:pair, p_now => '4713-01-01 BC')",
    "SELECT * FROM convene.get_personal_agenda(:pair, p_from => '-infinity', p_to => 'infinity', p_now => 'infinity')",
    "SELECT convene.refresh_event_recommendations(:alpha, true, 'infinity')",
    "SELECT convene.refresh_event_recommendations(:alpha, true, '-infinity')",
    "SELECT * FROM convene.evaluate_recommender(:alpha, 1000, -9223372036854775808, 'random')",
    "SELECT convene.claim(repeat('x', 1000000))", "SELECT convene.claim('')", "SELECT convene.claim('a.b c;d''e\"')",
    "SELECT convene.embed_text('')", "SELECT convene.embed_text(repeat('ü', 500000))", "SELECT convene.embed_text(E'\\x01\\uFFFF')",
    "SELECT convene.fail_embedding_job(:job, repeat('ä', 5000000), :token)",
    "SELECT convene.complete_embedding_job(:job, '[0:255]={" + ",".join(["1"] * 256) + "}'::real[], 'convene-hash-v1', :token)",
    "SELECT convene.update_attendee_preferences(:pair, p_preferences => (SELECT jsonb_build_object('preferred_topics', jsonb_agg('t' || n)) FROM generate_series(1, 200) n))",
    "SELECT convene.update_attendee_preferences(:pair, p_preferences => '{\"interaction_history\": {\"big\": 1e300, \"deep\": [[[[[]]]]]}}')",
])
def test_odd_but_allowed(conn, names, statement):
    with conn.transaction(force_rollback=True):
        conn.execute(filled(statement, names)).fetchall()


ODD_ROWS = {
    "a weight that no double holds": "INSERT INTO convene.scoring_weights (surface, name, weights) VALUES ('recommendations', 'x', '{\"few\": {\"content\": 1e400}}')",
    "weights without an end": "INSERT INTO convene.scoring_weights (surface, name, weights) VALUES ('recommendations', 'x', ('{\"few\":' || repeat('[', 3000) || repeat(']', 3000) || '}')::jsonb)",
}
ODD_SETTINGS = ["1e400", "-1e400", "\"much\"", "null", "[]", "{}", "true", "-5", "0", "1e-300", "99999999999999999999", "[" * 3000 + "]" * 3000]


@pytest.mark.parametrize("what", ODD_ROWS)
def test_odd_weights_are_an_error_that_names_them(conn, names, what):
    with conn.transaction(force_rollback=True):
        conn.execute(ODD_ROWS[what])
        got = sqlstate(conn, filled("SELECT * FROM convene.get_session_recommendations(:pair)", names))
        assert got.sqlstate == "22023" and "weights of scoring_weights cannot be used" in got.message


@pytest.mark.parametrize("value", ODD_SETTINGS, ids=lambda value: value[:20])
def test_odd_settings_never_break_a_call(conn, names, value):
    """A value of the wrong kind is either the default or an error of its own; nothing internal, no lost connection."""
    keys = [row[0] for row in conn.execute("SELECT key FROM convene.settings WHERE key ~ '^(recommendation|agenda|queue)[.]'")]
    assert len(keys) >= 8
    calls = ["SELECT * FROM convene.get_session_recommendations(:pair)", "SELECT * FROM convene.get_personal_agenda(:pair)",
             "SELECT convene.refresh_event_recommendations(:alpha, true)", "SELECT * FROM convene.claim_embedding_jobs(1)",
             "SELECT convene.fail_embedding_job(:job, 'x', :token)", "SELECT * FROM convene.find_similar_sessions(:session)"]
    for key in keys:
        for statement in calls:
            with conn.transaction(force_rollback=True):
                conn.execute("UPDATE convene.settings SET value = %s::jsonb WHERE key = %s", [value, key])
                try:
                    with conn.transaction():
                        conn.execute(filled(statement, names)).fetchall()
                except Exception as error:
                    assert error.sqlstate == "22023" and key in str(error), (key, statement, error)


@pytest.mark.parametrize("vector,code", [
    ("[1,2,3]", "22023"), ("[" + ",".join(["1"] * 15) + "]", "22023"), ("[" + ",".join(["1"] * 17) + "]", "22023"),
])
def test_vectors_of_a_wrong_dimension_are_refused_by_the_table_too(conn, names, vector, code):
    got = sqlstate(conn, filled("UPDATE convene.session_embeddings SET embedding = %s WHERE session_id = :session", names), [vector])
    assert got.sqlstate == code and "16 dimensions" in got.message
    got = sqlstate(conn, filled("UPDATE convene.session_embeddings SET embedding_model = 'unheard of' WHERE session_id = :session", names))
    assert got.sqlstate == "22023" and '"unheard of"' in got.message
