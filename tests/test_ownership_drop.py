"""Going away: DROP EXTENSION takes the functions and nothing else, uninstall() takes what install() made and nothing else."""

import pytest

from lib import catalogue
from lib.access import as_role, expect_error, sqlstate
from lib.factory import bookmark, make_event

MINE = """
CREATE VIEW public.titles AS SELECT id, title FROM convene.sessions;
CREATE TABLE public.notes (session_id uuid REFERENCES convene.sessions, note text);
ALTER TABLE convene.sessions ADD COLUMN my_note text;
CREATE INDEX my_index ON convene.sessions (my_note);
"""
RECOMMEND = "SELECT * FROM convene.get_session_recommendations(%s, %s, 10, 'hybrid', %s)"


@pytest.fixture
def filled(fresh_db):
    """A database with an event in it, and its event."""
    with fresh_db.connect() as connection:
        event = make_event(connection, "alpha", embeddings=8, interactions=3, preferences=True)
    return fresh_db, event


@pytest.fixture
def filled_today(empty_db):
    """The same, installed for this test: which months have a partition follows from when that was."""
    with empty_db.connect() as connection:
        connection.execute("CREATE EXTENSION convene CASCADE")
        connection.execute("SELECT convene.install()")
        connection.execute("SELECT convene.create_api_roles()")
        make_event(connection, "alpha", embeddings=8, interactions=3, preferences=True)
    return empty_db


def without_members(objects, members):
    return {key: value for key, value in objects.items() if key not in members and key[0] not in ("member", "extension")}


def member_keys(connection):
    rows = connection.execute(f"WITH {catalogue.MEMBERS} SELECT oid::regprocedure::text FROM members")
    return {("function", row[0]) for row in rows}


def test_dropping_the_extension_touches_nothing(filled):
    database, event = filled
    person = event.people[0]
    with database.connect() as connection:
        connection.execute(MINE)
        with connection.transaction():
            connection.execute("SET LOCAL search_path = pg_catalog, pg_temp")
            members = member_keys(connection)
        before = catalogue.objects(connection)
        sums = catalogue.checksums(connection)
        answer = connection.execute(RECOMMEND, [person.id, event.id, event.starts]).fetchall()
        assert answer
        connection.execute("DROP EXTENSION convene")
        after = without_members(catalogue.objects(connection), set())
        assert catalogue.difference(without_members(before, members), after) == []
        assert catalogue.checksums(connection) == sums
        assert sum(rows for rows, _ in sums.values()) > 50

        # Nobody reads by a policy that cannot ask who is reading, and is told what to do.
        # What is public asks nobody who they are, so it takes an event that is not.
        connection.execute("UPDATE convene.events SET status = 'draft'")
        for role, sub in (("authenticated", person.sub), ("anon", None)):
            with as_role(connection, role, sub):
                expect_error(connection, "55000", "SELECT * FROM convene.events", hint="^CREATE EXTENSION convene")
        connection.execute("UPDATE convene.events SET status = 'published'")
        # Nothing hangs on the library for those who need no policy: reading and writing go on.
        with as_role(connection, "service_role"):
            connection.execute("UPDATE convene.sessions SET title = title || '!' WHERE id = %s", [event.sessions[0]])
            bookmark(connection, event, 1, 5)

        connection.execute("CREATE EXTENSION convene")
        with as_role(connection, "authenticated", person.sub):
            assert connection.execute("SELECT id FROM convene.events").fetchall() == [(event.id,)]
        assert connection.execute(RECOMMEND, [person.id, event.id, event.starts]).fetchall()
        # The rights on functions went with the functions.
        with as_role(connection, "authenticated", person.sub):
            assert sqlstate(connection, RECOMMEND, [person.id, event.id, event.starts]).sqlstate == "42501"
        connection.execute("SELECT convene.install()")
        assert catalogue.difference(before, catalogue.objects(connection)) == []
        with as_role(connection, "authenticated", person.sub):
            assert connection.execute(RECOMMEND, [person.id, event.id, event.starts]).fetchall()


def test_dropping_with_cascade_takes_no_more(filled):
    """CASCADE follows dependencies, and there are none."""
    database, _ = filled
    with database.connect() as connection:
        connection.execute(MINE)
        with connection.transaction():
            connection.execute("SET LOCAL search_path = pg_catalog, pg_temp")
            members = member_keys(connection)
        before = without_members(catalogue.objects(connection), members)
        connection.execute("DROP EXTENSION convene CASCADE")
        assert catalogue.difference(before, without_members(catalogue.objects(connection), set())) == []


def test_what_the_policies_compute_is_the_same_after_making_the_extension_again(filled):
    database, event = filled
    with database.connect() as connection:
        answer = connection.execute(RECOMMEND, [event.people[0].id, event.id, event.starts]).fetchall()
        connection.execute("DROP EXTENSION convene; CREATE EXTENSION convene")
    with database.connect() as connection:
        assert connection.execute(RECOMMEND, [event.people[0].id, event.id, event.starts]).fetchall() == answer


def test_uninstall_wants_the_name_of_the_database(filled):
    database, _ = filled
    with database.connect() as connection:
        sums = catalogue.checksums(connection)
        for wrong in ("", "yes", database.name.upper(), f" {database.name}", "postgres"):
            expect_error(
                connection, "22023", "SELECT convene.uninstall(%s)", [wrong], hint=rf"convene\.uninstall\('{database.name}'\)"
            )
        expect_error(connection, "22004", "SELECT convene.uninstall(NULL)", message="p_confirm")
        assert catalogue.checksums(connection) == sums


def test_uninstall_stops_at_what_users_built(filled):
    database, _ = filled
    with database.connect() as connection:
        connection.execute("CREATE VIEW public.titles AS SELECT id, title FROM convene.sessions")
        before, sums = catalogue.objects(connection), catalogue.checksums(connection)
        expect_error(connection, "2BP01", "SELECT convene.uninstall(%s)", [database.name], detail="titles")
        assert catalogue.difference(before, catalogue.objects(connection)) == []
        assert catalogue.checksums(connection) == sums


def test_uninstall_stops_at_a_table_in_the_private_schema(filled):
    database, _ = filled
    with database.connect() as connection:
        connection.execute("CREATE TABLE convene_private.kept (); CREATE TABLE convene.kept ()")
        expect_error(connection, "2BP01", "SELECT convene.uninstall(%s)", [database.name])
        connection.execute("DROP TABLE convene_private.kept")
        connection.execute("SELECT convene.uninstall(%s)", [database.name])
        # Not ours, so still there.
        assert catalogue.tables(connection) == ["convene.kept"]


def test_uninstall_and_install_again(filled_today):
    database = filled_today
    with database.connect() as connection:
        # The indexes of a model that was registered later, one on each table with vectors.
        later = [row[0] for row in connection.execute(
            "SELECT indexrelid::regclass FROM pg_index WHERE indexrelid::regclass::text LIKE '%%\\_test\\_model\\_8'")]
        assert len(later) == 3
        connection.execute(f"DROP INDEX {', '.join(later)}")
        before = catalogue.objects(connection)
        tables = catalogue.tables(connection)
        told = connection.execute("SELECT convene.uninstall(%s)", [database.name]).fetchone()[0]
        assert told.startswith(f"{len(tables)} tables dropped")
        left = catalogue.objects(connection)
        assert {kind for kind, _ in left} == {"schema", "extension", "function", "member"}
        assert ("schema", "convene_private") not in left
        assert {name.split(".")[0] for kind, name in left if kind == "function"} == {"convene"}
        expect_error(
            connection, "55000", "SELECT convene.uninstall(%s)", [database.name], hint=r"^Run SELECT convene.install\(\);$"
        )
        connection.execute("SELECT convene.install()")
        assert catalogue.difference(before, catalogue.objects(connection)) == []
        event = make_event(connection, "beta", interactions=2)
        assert connection.execute(RECOMMEND, [event.people[0].id, event.id, event.starts]).fetchall()


def test_uninstall_rolls_back_whole(filled):
    database, _ = filled
    with database.connect() as connection:
        before, sums = catalogue.objects(connection), catalogue.checksums(connection)
        with connection.transaction(force_rollback=True):
            connection.execute("SELECT convene.uninstall(%s)", [database.name])
            assert catalogue.tables(connection) == []
        assert catalogue.difference(before, catalogue.objects(connection)) == []
        assert catalogue.checksums(connection) == sums


def test_only_the_owner_uninstalls(filled):
    database, _ = filled
    with database.connect() as connection:
        for role in ("anon", "authenticated", "service_role"):
            with as_role(connection, role):
                assert sqlstate(connection, "SELECT convene.uninstall(%s)", [database.name]).sqlstate == "42501"


def test_a_restart_of_everything_leaves_nothing_behind(filled):
    """uninstall(), DROP EXTENSION, and the schema: an empty database again."""
    database, _ = filled
    with database.connect() as connection:
        connection.execute("SELECT convene.uninstall(%s)", [database.name])
        connection.execute("DROP EXTENSION convene; DROP EXTENSION vector; DROP EXTENSION btree_gist; DROP SCHEMA convene")
        assert {key for key in catalogue.objects(connection) if key != ("extension", "plpgsql")} == set()
