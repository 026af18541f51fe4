"""The audit log: what is written by whom, what is not, that nobody rewrites it, and that it is never in the way."""

import time
import uuid

import pytest

from lib.access import as_role, expect_error, sqlstate
from lib.factory import add_people, make_event, make_world

pytestmark = pytest.mark.sql


@pytest.fixture(scope="module")
def event(db):
    with db.connect() as conn:
        return make_event(conn, "alpha", sessions=2)


@pytest.fixture
def audited(conn, event):
    """A transaction that is undone; what was logged before it does not count."""
    with conn.transaction(force_rollback=True):
        yield Log(conn)


class Log:
    """The entries since the transaction began."""

    COLUMNS = "table_name, action, row_id, row_key, changes, actor_id, actor_role, login, token, reason, event_id, organization_id, transaction"

    def __init__(self, conn):
        self.conn = conn
        self.old = {row[0] for row in conn.execute("SELECT id FROM convene.audit_log")}

    def entries(self, table=None):
        rows = self.conn.execute(f"SELECT id, {self.COLUMNS} FROM convene.audit_log ORDER BY at, id").fetchall()
        names = [name.strip() for name in self.COLUMNS.split(",")]
        found = [dict(zip(names, row[1:])) for row in rows if row[0] not in self.old]
        return [entry for entry in found if table in (None, entry["table_name"])]


# Everything under the log, apart from the audit's own triggers; each with the verbs.
TABLES = {
    "settings", "scoring_weights", "embedding_models", "organizations", "organization_members", "roles", "users", "person_reports",
    "events", "attendees", "contacts", "contractors", "event_attendees", "orders", "tickets", "vouchers", "promoters",
    "promoter_commissions", "sponsors", "sponsorship_packages", "event_sponsorships", "sponsorship_orders", "sponsorship_deliverables",
    "sponsorship_payouts", "payout_configurations",
}
UPDATES_ONLY = {"models", "matches", "meetings", "stripe_events"}


def test_the_tables_that_matter_are_under_it(conn):
    triggers = {tuple(row) for row in conn.execute(
        """SELECT c.relname, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
           WHERE t.tgfoid = 'convene_private.record_changes()'::regprocedure""")}
    expected = {(table, f"{table}_audit_{verb}") for table in TABLES for verb in ("insert", "update", "delete")}
    expected |= {(table, f"{table}_audit_update") for table in UPDATES_ONLY} | {("ledger", "ledger_audit_insert")}
    assert triggers == expected


def test_an_update_is_logged_with_what_changed_and_nothing_else(audited, event):
    audited.conn.execute("UPDATE convene.events SET title = 'New', capacity = 7, city = city WHERE id = %s", [event.id])
    entry, = audited.entries()
    assert (entry["table_name"], entry["action"], entry["row_id"], entry["event_id"], entry["organization_id"]) == (
        "events", "update", event.id, event.id, event.organization)
    assert entry["changes"] == {"title": {"old": "Event alpha", "new": "New"}, "capacity": {"old": None, "new": 7}}
    assert (entry["actor_id"], entry["actor_role"], entry["login"], entry["token"], entry["reason"]) == (
        None, "postgres", "postgres", None, None)


def test_insert_and_delete_are_logged_whole_without_secrets(audited, event):
    conn = audited.conn
    conn.execute("INSERT INTO convene.users (id, organization_id, first_name, last_name, email, password_hash) VALUES (%s, %s, 'A', 'B', 'c', 'SECRET')",
                 [event.id, event.organization])
    conn.execute("UPDATE convene.users SET password_hash = 'SECRET2', last_login_at = now(), failed_login_attempts = 3")
    conn.execute("DELETE FROM convene.users")
    made, gone = audited.entries("users")
    assert made["action"] == "insert" and made["changes"]["email"] == {"new": "c"} and "phone" not in made["changes"]
    assert gone["action"] == "delete" and gone["changes"]["first_name"] == {"old": "A"} and gone["row_id"] == event.id
    assert "SECRET" not in str(made) + str(gone)


def test_who_and_by_which_token(audited, event):
    conn = audited.conn
    session = str(uuid.uuid4())
    with as_role(conn, "authenticated", event.organizer, session_id=session, iss="https://issuer.example", jti="7", secret="SECRET",
                 app_metadata={"plan": "SECRET"}):
        conn.execute("UPDATE convene.events SET status = 'completed' WHERE id = %s", [event.id])
    entry, = audited.entries()
    assert entry["actor_id"] == event.organizer and entry["actor_role"] == "authenticated" and entry["login"] == "postgres"
    assert entry["token"] == {"sub": str(event.organizer), "role": "authenticated", "iss": "https://issuer.example", "jti": "7",
                              "session_id": session}


def test_a_function_that_works_as_the_owner_is_its_callers_doing(audited, event):
    conn = audited.conn
    with as_role(conn, "service_role"):
        conn.execute("SELECT convene.adopt_copy()")
    entry, = audited.entries("settings")
    assert (entry["actor_role"], entry["row_key"], set(entry["changes"])) == ("service_role", {"key": "home"}, {"value"})


def test_a_reason_that_was_given_is_kept(audited, event):
    audited.conn.execute("SELECT set_config('convene.reason', 'price was wrong', true)")
    audited.conn.execute("UPDATE convene.events SET title = 'x' WHERE id = %s", [event.id])
    assert [entry["reason"] for entry in audited.entries()] == ["price was wrong"]


def test_one_transaction_has_one_number(audited, event):
    audited.conn.execute("UPDATE convene.events SET title = 'x'")
    audited.conn.execute("UPDATE convene.organizations SET name = 'x'")
    entries = audited.entries()
    assert len(entries) >= 3 and len({entry["transaction"] for entry in entries}) == 1
    assert all(entry["organization_id"] == entry["row_id"] for entry in entries if entry["table_name"] == "organizations")


def test_of_attendees_only_what_matters(audited, event):
    conn, person = audited.conn, event.people[0].id
    conn.execute("UPDATE convene.attendees SET job_title = 'x', checked_in_at = now() WHERE id = %s", [person])
    assert audited.entries() == []
    conn.execute("UPDATE convene.attendees SET job_title = 'y', sponsor_consent = true WHERE id = %s", [person])
    entry, = audited.entries()
    assert entry["changes"] == {"sponsor_consent": {"old": False, "new": True}} and entry["event_id"] == event.id


def test_a_row_without_an_id_is_known_by_its_key(audited, event):
    conn, person = audited.conn, event.people[0].sub
    conn.execute("INSERT INTO convene.organization_members (organization_id, profile_id) VALUES (%s, %s)", [event.organization, person])
    conn.execute("UPDATE convene.organization_members SET member_role = 'owner' WHERE profile_id = %s", [person])
    # A key that changes is one row that goes and one that comes.
    conn.execute("UPDATE convene.organization_members SET profile_id = %s WHERE profile_id = %s", [event.people[1].sub, person])
    entries = audited.entries()
    assert [entry["action"] for entry in entries] == ["insert", "update", "update", "update"]
    assert entries[1]["changes"] == {"member_role": {"old": "staff", "new": "owner"}}
    keys = [entry["row_key"]["profile_id"] for entry in entries]
    assert keys[:2] == [str(person)] * 2 and set(keys[2:]) == {str(person), str(event.people[1].sub)}
    assert all(entry["row_id"] is None and entry["row_key"]["organization_id"] == str(event.organization) for entry in entries)


def test_what_changes_nothing_is_not_logged(audited, event):
    audited.conn.execute("UPDATE convene.events SET title = title")
    audited.conn.execute("UPDATE convene.events SET title = 'x' WHERE false")
    audited.conn.execute("DELETE FROM convene.events WHERE false")
    audited.conn.execute("INSERT INTO convene.settings (key, value, description) VALUES ('home', '1', '') ON CONFLICT DO NOTHING")
    assert audited.entries() == []


def test_what_goes_with_its_parent_is_logged_too(audited, event):
    audited.conn.execute("DELETE FROM convene.events WHERE id = %s", [event.id])
    assert {entry["table_name"] for entry in audited.entries()} == {"events", "attendees"}
    assert len(audited.entries("attendees")) == len(event.people)


def test_secrets_among_the_settings_stay_secret(audited):
    conn = audited.conn
    secret = conn.execute("SELECT value #>> '{}' FROM convene.settings WHERE key = 'erasure.key'").fetchone()[0]
    assert len(secret) == 64
    conn.execute("UPDATE convene.settings SET value = '\"another\"' WHERE key = 'erasure.key'")
    conn.execute("INSERT INTO convene.settings (key, value, description) VALUES ('stripe.webhook_secret', '\"whsec\"', 'x')")
    conn.execute("DELETE FROM convene.settings WHERE key = 'erasure.key'")
    entries = audited.entries("settings")
    # That it changed is seen.
    assert [(entry["action"], entry["row_key"]["key"]) for entry in entries] == [
        ("update", "erasure.key"), ("insert", "stripe.webhook_secret"), ("delete", "erasure.key")]
    assert not any(word in str(entries) for word in (secret, "another", "whsec"))
    assert conn.execute("SELECT count(*) FROM convene.audit_log WHERE changes::text LIKE %s", [f"%{secret}%"]).fetchone() == (0,)


@pytest.mark.parametrize("claims", ["not json", "[]", '{"sub": ["x"]}', '{"sub": "no uuid"}', '{"sub": {"a": 1}}', '"x"'])
def test_a_token_that_is_none_does_not_stop_the_service(audited, event, claims):
    conn = audited.conn
    conn.execute("SET LOCAL ROLE service_role")
    conn.execute("SELECT set_config('request.jwt.claims', %s, true)", [claims])
    conn.execute("UPDATE convene.events SET title = 'x' WHERE id = %s", [event.id])
    conn.execute("RESET ROLE")
    entry, = audited.entries()
    assert (entry["actor_id"], entry["actor_role"], entry["token"]) == (None, "service_role", {"unreadable": True})


def test_it_goes_on_without_the_extension(fresh_db):
    with fresh_db.connect() as conn:
        event = make_event(conn, "alpha")
        conn.execute("DROP EXTENSION convene")
        conn.execute("SELECT set_config('request.jwt.claims', %s, false)", ['{"sub": "%s"}' % event.organizer])
        conn.execute("UPDATE convene.events SET title = 'without'")
        found = conn.execute("SELECT actor_id, token, changes -> 'title' ->> 'new' FROM convene.audit_log ORDER BY at DESC LIMIT 1").fetchone()
        assert found == (None, None, "without")


# Append-only.


@pytest.mark.parametrize("statement", [
    "DELETE FROM convene.audit_log", "DELETE FROM convene.audit_log WHERE false", "TRUNCATE convene.audit_log",
    "TRUNCATE convene.organizations, convene.audit_log CASCADE",
    "UPDATE convene.audit_log SET changes = '{}'", "UPDATE convene.audit_log SET changes = '{}', redacted_at = now()",
    "UPDATE convene.audit_log SET redacted_at = NULL", "UPDATE convene.audit_log SET redacted_at = now(), at = now()",
    "UPDATE convene.audit_log SET redacted_at = now(), action = 'delete'",
    "UPDATE convene.audit_log SET redacted_at = now(), row_id = gen_random_uuid()",
    "UPDATE convene.audit_log SET redacted_at = now(), actor_id = gen_random_uuid()",
    "UPDATE convene.audit_log SET redacted_at = now(), actor_role = 'somebody'",
    "UPDATE convene.audit_log SET redacted_at = now(), token = '{\"sub\": \"somebody\"}'",
    "UPDATE convene.audit_log SET redacted_at = now(), reason = 'x'",
    # Looks like a hash, and is not that of the value.
    """UPDATE convene.audit_log SET redacted_at = now(), changes = (
           SELECT jsonb_object_agg(key, '{"new": "erased-0123456789abcdef0123456789abcdef"}'::jsonb) FROM jsonb_each(changes))""",
    "UPDATE convene.audit_log SET redacted_at = now(), changes = changes || '{\"more\": {\"new\": 1}}'",
])
def test_nobody_rewrites_it_not_even_its_owner(conn, event, statement):
    expect_error(conn, "42501", statement, message="audit_log is append-only", hint=r"convene\.erase_person\(\)")


def test_a_redaction_goes_through_and_can_say_nothing_new(audited, event):
    conn = audited.conn
    conn.execute("UPDATE convene.events SET title = 'Personal', capacity = 9 WHERE id = %s", [event.id])
    redact = """UPDATE convene.audit_log SET redacted_at = now(), changes = jsonb_set(changes, '{title,new}',
                    to_jsonb(convene_private.pseudonym(changes #>> '{title,new}')))
                WHERE row_id = %s AND changes #>> '{title,new}' = 'Personal'"""
    assert conn.execute(redact, [event.id]).rowcount == 1
    entry, = audited.entries("events")
    assert entry["changes"]["capacity"] == {"old": None, "new": 9} and entry["changes"]["title"]["new"].startswith("erased-")
    assert entry["changes"]["title"]["old"] == "Event alpha"


def test_a_pseudonym_is_keyed_and_the_same_for_the_same(audited):
    conn = audited.conn
    first, again, other = conn.execute("SELECT convene_private.pseudonym('a'), convene_private.pseudonym('a'), convene_private.pseudonym('b')").fetchone()
    assert first == again != other and len(first) == len("erased-") + 32
    conn.execute("UPDATE convene.settings SET value = '\"another\"' WHERE key = 'erasure.key'")
    assert conn.execute("SELECT convene_private.pseudonym('a')").fetchone()[0] != first


def test_two_installations_have_two_keys(empty_db, db):
    with empty_db.connect() as here, db.connect() as there:
        here.execute("CREATE EXTENSION convene CASCADE")
        here.execute("SELECT convene.install()")
        key = "SELECT value FROM convene.settings WHERE key = 'erasure.key'"
        assert here.execute(key).fetchone() != there.execute(key).fetchone()


def test_api_roles_see_nothing_of_it(conn, event):
    for role in ("anon", "authenticated"):
        with as_role(conn, role, event.organizer):
            assert sqlstate(conn, "SELECT FROM convene.audit_log").sqlstate == "42501"
    with as_role(conn, "service_role"):
        assert conn.execute("SELECT count(*) FROM convene.audit_log").fetchone()[0] > 0


def test_ten_thousand_rows_at_once(fresh_db):
    """One pass over the rows, no join of old with new: a second is ten times what it takes."""
    with fresh_db.connect() as conn:
        event = make_event(conn, "alpha", attendees=0)
        add_people(conn, event, 10_000)
        # A plan that was made for one row first.
        conn.execute("UPDATE convene.attendees SET status = 'cancelled' WHERE id = %s", [event.people[0].id])
        started = time.monotonic()
        conn.execute("UPDATE convene.attendees SET status = 'confirmed'")
        assert time.monotonic() - started < 5
        assert conn.execute("SELECT count(*) FROM convene.audit_log WHERE action = 'update' AND table_name = 'attendees'").fetchone() == (10_001,)


def test_two_organizations_are_told_apart(fresh_db):
    with fresh_db.connect() as conn:
        alpha, beta = make_world(conn)
        found = dict(conn.execute("SELECT event_id, count(DISTINCT organization_id) FROM convene.audit_log WHERE table_name = 'events' GROUP BY 1").fetchall())
        assert found == {alpha.id: 1, beta.id: 1}
