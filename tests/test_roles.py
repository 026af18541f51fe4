"""Who may do what to whose rows: tests/data/roles/*.csv, tried cell by cell as the real roles."""

import pytest

from lib import catalogue
from lib.access import as_role, expect_error, sqlstate
from lib.factory import ident
from lib.matrix import PEOPLE, STATEMENTS, World, cells

CELLS = cells()


@pytest.fixture(scope="module")
def world(db, cluster):
    with cluster.connect() as connection:
        connection.execute("DROP ROLE IF EXISTS nobody; CREATE ROLE nobody")
    with db.connect() as connection:
        connection.execute("GRANT USAGE ON SCHEMA convene TO nobody")
        yield World(connection)
        connection.execute("DROP OWNED BY nobody; DROP ROLE nobody")


@pytest.mark.parametrize("table", STATEMENTS)
def test_each_cell_of_the_matrix(conn, world, table):
    wrong = []
    for cell in CELLS:
        if cell["table"] == table:
            for who in PEOPLE:
                got = world.attempt(conn, table, cell["verb"], cell["row"], who)
                if got != cell[who]:
                    wrong.append(f"{who}: {cell['verb']} {table} of {cell['row']}: {cell[who]} expected, {got} seen")
    assert wrong == []


def test_the_matrix_has_every_table_and_verb(conn):
    tables = {name.removeprefix("convene.") for name in catalogue.tables(conn)}
    listed = {(cell["table"], cell["verb"]) for cell in CELLS}
    missing = {(table, verb) for table in tables for verb in ("select", "insert", "update", "delete")} - listed
    assert missing == set()
    assert {cell[who] for cell in CELLS for who in PEOPLE} == {"allow", "deny", "filtered"}


def test_the_roles_without_rights_get_nothing():
    assert {cell["nobody"] for cell in CELLS} == {"deny"}


@pytest.mark.parametrize("table, verb, row, who", [
    ("events", "select", "draft", "attendee_a"), ("attendees", "select", "colleague_a", "attendee_a"),
    ("sessions", "update", "b", "organizer_a"), ("attendee_preferences", "insert", "colleague_a", "attendee_a"),
])
def test_the_matrix_would_see_a_missing_policy(conn, world, table, verb, row, who):
    """Without row security the same attempt goes through, so it is the policy that is tried and not the weather."""
    assert world.attempt(conn, table, verb, row, who) != "allow"
    with conn.transaction(force_rollback=True):
        conn.execute(f"ALTER TABLE convene.{table} DISABLE ROW LEVEL SECURITY")
        assert world.attempt(conn, table, verb, row, who) == "allow"


def test_a_new_person_makes_their_own_profile_and_nobody_elses(conn):
    with conn.transaction(force_rollback=True), as_role(conn, "authenticated", ident("new person")):
        expect_error(conn, "42501", "INSERT INTO convene.profiles (id, full_name) VALUES (gen_random_uuid(), 'x')")
        made = conn.execute("INSERT INTO convene.profiles (id, full_name) VALUES (convene.uid(), 'x') RETURNING id").fetchall()
        assert made == [(ident("new person"),)]
        # The address is the identity provider's to say.
        assert sqlstate(conn, "UPDATE convene.profiles SET email = 'a@b.example'").sqlstate == "42501"


def test_an_organizer_sees_what_they_have_just_made(conn, world):
    """INSERT ... RETURNING reads by the policy of SELECT, in the very statement."""
    with conn.transaction(force_rollback=True), as_role(conn, *world.roles["organizer_a"]):
        venue = conn.execute("INSERT INTO convene.venues (name) VALUES ('Hall') RETURNING id, organization_id").fetchone()
        event = conn.execute("INSERT INTO convene.events (title, venue_id) VALUES ('Next', %s) RETURNING id, status", [venue[0]]).fetchone()
        assert venue[1] == world.rows["a"]["organization"] and event[1] == "draft"
        session = conn.execute(
            "INSERT INTO convene.sessions (event_id, title, start_time, end_time)"
            " VALUES (%s, 'Opening', now(), now() + interval '1 hour') RETURNING id", [event[0]]
        ).fetchone()
        assert session


def test_an_event_does_not_open_somebody_elses_venue(conn, world):
    """A venue is public with the event that names it; so nobody names one that they cannot see."""
    hidden = conn.execute("INSERT INTO convene.venues (organization_id, name) VALUES (%s, 'Hidden') RETURNING id",
                          [world.rows["b"]["organization"]]).fetchone()[0]
    with as_role(conn, *world.roles["organizer_a"]):
        for statement in (
            "UPDATE convene.events SET venue_id = %(venue)s WHERE id = %(event)s",
            "UPDATE convene.sessions SET venue_id = %(venue)s WHERE id = %(session)s",
            "INSERT INTO convene.events (title, venue_id, status) VALUES ('x', %(venue)s, 'published')",
        ):
            expect_error(conn, "42501", statement, {**world.rows["a"], "venue": hidden})
        assert conn.execute("SELECT id FROM convene.venues WHERE id = %s", [hidden]).fetchall() == []


def test_two_attendees_of_one_event_know_nothing_of_each_other(conn, world):
    with as_role(conn, *world.roles["attendee_a"]):
        for table in ("attendees", "attendee_preferences", "session_interactions", "recommendation_history"):
            column = "id" if table == "attendees" else "attendee_id"
            seen = {row[0] for row in conn.execute(f"SELECT {column} FROM convene.{table}")}
            assert seen == {world.rows["attendee_a"]["person"]}, table
        assert conn.execute("SELECT count(*) FROM convene.profiles").fetchone() == (1,)


def test_a_cancelled_attendee_loses_the_material_and_the_draft(conn, world):
    row = world.rows["attendee_a"]
    with conn.transaction(force_rollback=True):
        conn.execute("UPDATE convene.events SET status = 'draft' WHERE id = %s", [row["event"]])
        with as_role(conn, *world.roles["attendee_a"]):
            assert conn.execute("SELECT id FROM convene.events WHERE id = %s", [row["event"]]).fetchall()
        conn.execute("UPDATE convene.attendees SET status = 'cancelled' WHERE id = %s", [row["person"]])
        with as_role(conn, *world.roles["attendee_a"]):
            for table, key in (("events", "id"), ("sessions", "event_id"), ("event_materials", "event_id")):
                assert conn.execute(f"SELECT id FROM convene.{table} WHERE {key} = %s", [row["event"]]).fetchall() == [], table
            # Their own row stays theirs.
            assert conn.execute("SELECT id FROM convene.attendees").fetchall() == [(row["person"],)]


def test_who_leaves_an_organization_leaves_its_events(conn, world):
    role, sub = world.roles["organizer_a"]
    with conn.transaction(force_rollback=True):
        with as_role(conn, role, sub):
            assert conn.execute("SELECT count(*) FROM convene.attendees").fetchone()[0] == 3
        conn.execute("DELETE FROM convene.organization_members WHERE profile_id = %s", [sub])
        with as_role(conn, role, sub):
            assert conn.execute("SELECT count(*) FROM convene.attendees").fetchone()[0] == 0
            assert conn.execute("UPDATE convene.events SET title = 'x'").rowcount == 0
