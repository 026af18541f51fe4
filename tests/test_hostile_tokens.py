"""Poisoned tokens: whatever stands in request.jwt.claims, it is a person, nobody, or a refusal; never a crash or a right."""

import json
import uuid

import psycopg
import pytest

from lib.access import expect_error, sqlstate
from lib.factory import make_world

ME = "11111111-2222-4333-8444-555555555555"
HUGE = "x" * 2_000_000

NOBODY = ["", "{}", '{"sub": null}', '{"sub": ""}', '{"role": "authenticated"}', '{"Sub": "%s"}' % ME, ' {"a": [1, {"b": null}]} ']
PERSON = [
    '{"sub": "%s"}' % ME,
    '{"sub": "%s"}' % ME.upper(),
    '{"sub": "{%s}"}' % ME,
    '{"sub": "%s"}' % ME.replace("-", ""),
    # The last of two counts, as in jsonb.
    '{"sub": "99999999-2222-4333-8444-555555555555", "sub": "%s"}' % ME,
    '{"x": "%s", "sub": "%s"}' % (HUGE, ME),
]
REFUSED = [
    '{"sub": ["%s"]}' % ME,
    '{"sub": {"id": "%s"}}' % ME,
    '{"sub": 42}',
    '{"sub": 1e400}',
    '{"sub": true}',
    '{"sub": "%s "}' % ME,
    '{"sub": "%s\\u0000"}' % ME,
    '{"sub": "postgres"}',
    '{"sub": "%s\' OR true --"}' % ME,
    '{"sub": "%s"}' % HUGE,
    '{"sub": "\\ud800"}',
    "[]", '["%s"]' % ME, '"%s"' % ME, "42", "null", "true", "{", "{sub: 1}", "\u00a0{}", "x" * 1_000_000,
    "[" * 200_000, '{"a":' * 100_000,
]


@pytest.fixture(scope="module")
def world(db):
    with db.connect() as connection:
        return make_world(connection, interactions=2, preferences=True)


@pytest.fixture
def person(conn):
    """A session of the role authenticated."""
    conn.execute("SET ROLE authenticated")
    yield conn
    conn.execute("RESET ROLE")


def claims(connection, text, name="request.jwt.claims"):
    connection.execute("SELECT set_config(%s, %s, false)", [name, text])


def shown(text):
    return text if len(text) < 60 else f"{text[:40]}... of {len(text)}"


@pytest.mark.parametrize("text", NOBODY, ids=shown)
def test_a_token_without_a_subject_is_nobody(person, world, text):
    claims(person, text)
    assert person.execute("SELECT convene.uid()").fetchone() == (None,)
    assert person.execute("SELECT id FROM convene.attendees").fetchall() == []
    alpha = world[0]
    refused = sqlstate(person, "SELECT convene.get_session_recommendations(%s, %s)", [alpha.people[0].id, alpha.id])
    assert refused.sqlstate == "42501"


@pytest.mark.parametrize("text", PERSON, ids=shown)
def test_a_subject_is_read_like_a_uuid(person, text):
    claims(person, text)
    assert person.execute("SELECT convene.uid()").fetchone() == (uuid.UUID(ME),)


@pytest.mark.parametrize("text", REFUSED, ids=shown)
def test_everything_else_is_refused_everywhere(person, world, text):
    alpha = world[0]
    me = alpha.people[0]
    claims(person, text)
    got = expect_error(person, "22023", "SELECT convene.uid()")
    assert got.hint
    # A huge token does not come back as a huge error.
    assert len(got.message) + len(got.detail or "") < 500
    for statement, parameters in (
        ("SELECT id FROM convene.attendees", []),
        ("UPDATE convene.events SET title = 'x'", []),
        ("UPDATE convene.attendees SET full_name = 'x'", []),
        ("SELECT * FROM convene.get_session_recommendations(%s, %s)", [me.id, alpha.id]),
        ("SELECT * FROM convene.serve_session_recommendations(%s, %s)", [me.id, alpha.id]),
        ("SELECT * FROM convene.find_similar_sessions(%s)", [alpha.sessions[0]]),
        ("SELECT convene.update_attendee_preferences(%s, %s, '{}')", [me.id, alpha.id]),
        ("SELECT convene.record_session_interaction(%s, %s, 'browsed')", [me.id, alpha.sessions[0]]),
        ("SELECT convene.refresh_event_recommendations(%s)", [alpha.id]),
    ):
        assert sqlstate(person, statement, parameters).sqlstate == "22023", statement
    # What is public is so for everybody: nobody is asked for.
    assert person.execute("SELECT count(*) FROM convene.events WHERE is_public").fetchone() == (2,)
    # For the service there is no token to be read.
    person.execute("RESET ROLE")
    assert person.execute("SELECT count(*) > 0 FROM convene.attendees").fetchone() == (True,)
    assert person.execute("SELECT * FROM convene.get_session_recommendations(%s, %s)", [me.id, alpha.id]).fetchall()


def test_a_subject_of_its_own_parameter_goes_first(person):
    other = str(uuid.uuid4())
    claims(person, json.dumps({"sub": other}))
    claims(person, ME, "request.jwt.claim.sub")
    assert person.execute("SELECT convene.uid()").fetchone() == (uuid.UUID(ME),)
    claims(person, "", "request.jwt.claim.sub")
    assert person.execute("SELECT convene.uid()").fetchone() == (uuid.UUID(other),)
    claims(person, "nonsense", "request.jwt.claim.sub")
    expect_error(person, "22023", "SELECT convene.uid()")
    claims(person, "", "request.jwt.claim.sub")


@pytest.mark.parametrize("token, email", [
    ({"email": "a@b.example"}, None),
    ({"email": "a@b.example", "email_verified": True}, "a@b.example"),
    ({"email": "a@b.example", "app_metadata": {"email_verified": True}}, "a@b.example"),
    ({"email": "a@b.example", "user_metadata": {"email_verified": True}}, None),
    ({"user_metadata": {"email": "a@b.example", "email_verified": True}, "email_verified": True}, None),
    ({"email": "a@b.example", "email_verified": "true"}, None),
    ({"email": "a@b.example", "email_verified": 1}, None),
    ({"email": "a@b.example", "email_verified": [True]}, None),
    ({"email": "a@b.example", "app_metadata": "email_verified"}, None),
    ({"email": "a@b.example", "app_metadata": [{"email_verified": True}]}, None),
    ({"email": ["a@b.example"], "email_verified": True}, None),
    ({"email": "", "email_verified": True}, None),
    ({"email_verified": True}, None),
], ids=json.dumps)
def test_an_email_counts_when_its_issuer_vouches_for_it(person, token, email):
    claims(person, json.dumps(token))
    assert person.execute("SELECT convene.email()").fetchone() == (email,)


@pytest.mark.parametrize("setting, email", [("true", "a@b.example"), ("false", None), ('"true"', None), ("1", None), ("null", None)])
def test_an_unverified_email_counts_where_the_operator_says_so(conn, setting, email):
    with conn.transaction(force_rollback=True):
        conn.execute("UPDATE convene.settings SET value = %s::jsonb WHERE key = 'trust_jwt_email'", [setting])
        conn.execute("SET LOCAL ROLE authenticated")
        conn.execute("SELECT set_config('request.jwt.claims', %s, true)", ['{"email": "a@b.example"}'])
        assert conn.execute("SELECT convene.email()").fetchone() == (email,)


def test_claims_as_text(person):
    token = {"role": "authenticated", "n": 12, "f": 1.5, "t": True, "o": {"a": [1, "b"]}, "z": None, "e": "", "quote\"d": "y"}
    claims(person, json.dumps(token))
    told = {name: person.execute("SELECT convene.claim(%s)", [name]).fetchone()[0] for name in [*token, "missing", ""]}
    assert told == {"role": "authenticated", "n": "12", "f": "1.5", "t": "true", "o": '{"a":[1,"b"]}', "z": None, "e": None,
                    "quote\"d": "y", "missing": None, "": None}
    expect_error(person, "22004", "SELECT convene.claim(NULL)", message="p_name")
    for odd in ("a b", "x" * 100_000, "sub'; DROP", "a.b.c", "%s"):
        assert person.execute("SELECT convene.claim(%s)", [odd]).fetchone() == (None,)


def test_a_token_does_not_outlive_its_transaction(db):
    """As PostgREST sends it: for one transaction, and empty, not absent, after that."""
    with db.connect() as connection:
        with connection.transaction():
            connection.execute("SELECT set_config('request.jwt.claims', %s, true)", ['{"sub": "%s"}' % ME])
            assert connection.execute("SELECT convene.uid()").fetchone() == (uuid.UUID(ME),)
        assert connection.execute("SELECT current_setting('request.jwt.claims')").fetchone() == ("",)
        assert connection.execute("SELECT convene.uid()").fetchone() == (None,)


def test_a_cached_plan_asks_anew_who_is_there(db, world):
    """One connection, many people, as through a pooler."""
    alpha = world[0]
    with db.connect() as connection:
        connection.execute("SET plan_cache_mode = force_generic_plan")
        for person in (*alpha.people, *alpha.people):
            with connection.transaction():
                connection.execute("SET LOCAL ROLE authenticated")
                connection.execute("SELECT set_config('request.jwt.claims', %s, true)", [json.dumps({"sub": str(person.sub)})])
                own = connection.execute("SELECT id FROM convene.attendees", prepare=True).fetchall()
                assert own == [(person.id,)]
                for other in alpha.people:
                    asked = ("SELECT * FROM convene.get_session_recommendations(%s, %s)", [other.id, alpha.id])
                    if other is person:
                        assert connection.execute(*asked, prepare=True).fetchall()
                    else:
                        with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                            connection.execute(*asked, prepare=True)
