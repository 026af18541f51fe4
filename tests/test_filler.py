"""The filler, which the test of dumps trusts: rows everywhere, the same ones each time, and a loud word where it cannot."""

import time

import pytest

from lib import catalogue, filler_rules
from lib.filler import CannotFill, fill_everything
from lib.filler_values import AWKWARD

pytestmark = pytest.mark.dump

ROWS = 100
COLUMNS = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, coalesce(pg_get_expr(d.adbin, d.adrelid), '')
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace = 'convene'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1, 2"""
# What is of its moment or its database: times, random ids, numbers of transactions, and where the data is at home. The log
# repeats all of them.
PASSING = ("now()", "gen_random_uuid()", "clock_timestamp()", "current_xact_id()")


@pytest.fixture(scope="module")
def filled(db):
    with db.connect() as connection:
        began = time.monotonic()
        db.rows = fill_everything(connection, ROWS)
        db.seconds = time.monotonic() - began
    return db


def test_every_table_has_rows(filled):
    with filled.connect() as connection:
        tables = {row[0] for row in connection.execute(COLUMNS)}
        assert set(filled.rows) == tables
        wanted = {name: filler_rules.FEWER.get(name, (ROWS, ""))[0] for name in tables}
        counted = {name: connection.execute(f"SELECT count(*) FROM convene.{name}").fetchone()[0] for name in tables}
    assert counted == filled.rows
    assert {name: rows for name, rows in counted.items() if rows < wanted[name]} == {}
    assert {name for name, (rows, why) in filler_rules.FEWER.items() if name not in tables or rows < 1 or not why} == set()
    assert filled.seconds < 60


def test_the_rules_name_tables_and_columns_that_exist(filled):
    with filled.connect() as connection:
        columns = {(row[0], row[1]) for row in connection.execute(COLUMNS)}
    tables = {table for table, _ in columns}
    named = {(table, column) for table, rules in filler_rules.COLUMNS.items() for column in rules} | set(filler_rules.NULLS)
    named |= {name for name in filler_rules.PARENTS if isinstance(name, tuple)}
    assert named - columns == set()
    named = {name for name in filler_rules.PARENTS if isinstance(name, str)}
    assert named.union(filler_rules.ROWS, filler_rules.GROUPS, filler_rules.AFTER) - tables == set()


def test_the_rows_are_awkward(filled):
    """Texts that dumps stumble over, nulls where they may be, arrays that are empty or hold a null."""
    awkward, holed = 0, 0
    with filled.connect() as connection:
        never = []
        for table, column, kind, required, _ in connection.execute(COLUMNS).fetchall():
            if not required:
                nulls, rows = connection.execute(
                    f'SELECT count(*) FILTER (WHERE "{column}" IS NULL), count(*) FROM convene.{table}').fetchone()
                if nulls in (0, rows):
                    never.append(f"{table}.{column}: {nulls} of {rows}")
            if kind == "text":
                awkward += connection.execute(
                    f'SELECT count(*) FROM convene.{table} WHERE position(%s IN "{column}") > 0', [AWKWARD]).fetchone()[0] > 0
            if kind == "text[]":
                holed += connection.execute(
                    f'SELECT count(*) FROM convene.{table} WHERE array_position("{column}", NULL) > 0').fetchone()[0] > 0
    assert awkward > 30 and holed > 5
    # Generated ones, those that a trigger keeps and a few whose CHECK leaves no choice.
    assert len(never) < 0.1 * len(filled.rows) * 10, never


def digests(connection, passing):
    return {
        (table, column): connection.execute(
            f"""SELECT count(*), md5(string_agg(d, '' ORDER BY d COLLATE "C"))
                FROM convene.{table} t, md5(coalesce(t."{column}"::text, '(null)')) d""").fetchone()
        for table, column, kind, _, default in connection.execute(COLUMNS).fetchall()
        if passing or (kind != "timestamp with time zone" and not any(word in default for word in PASSING)
                       and (table, column) not in (("settings", "value"), ("audit_log", "changes")))
    }


def test_the_same_seed_gives_the_same_rows(filled, fresh_db):
    with filled.connect() as one, fresh_db.connect() as other:
        fill_everything(other, ROWS)
        first, second = digests(one, False), digests(other, False)
        assert {key for key in first if first[key] != second[key]} == set()


def test_another_seed_gives_others(filled, fresh_db):
    with filled.connect() as one, fresh_db.connect() as other:
        fill_everything(other, 60, seed=8)
        first, second = digests(one, True), digests(other, True)
        assert first["events", "id"] != second["events", "id"]
        assert second["events", "id"][0] >= 60


OWN = """
CREATE EXTENSION IF NOT EXISTS btree_gist;
CREATE TABLE convene.a_parent (
    id uuid PRIMARY KEY, event_id uuid NOT NULL REFERENCES convene.events, kind text NOT NULL CHECK (kind IN ('x', 'it''s')),
    code text NOT NULL UNIQUE CHECK (code ~ '^[A-Z]{3}-[0-9]+$'), UNIQUE (id, event_id));
CREATE TABLE convene.a_child (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), event_id uuid NOT NULL, first_id uuid NOT NULL, second_id uuid NOT NULL,
    share numeric(5,4) NOT NULL CHECK (share > 0 AND share <= 1), few smallint CHECK (few BETWEEN -3 AND -1),
    starts timestamptz, ends timestamptz, seat int4range NOT NULL, doubled integer GENERATED ALWAYS AS (few * 2) STORED,
    state text NOT NULL CHECK (state IN ('open', 'done')), done_at date, payload jsonb CHECK (jsonb_typeof(payload) = 'array'),
    CHECK (first_id < second_id), CHECK (starts < ends), CHECK ((state = 'done') = (done_at IS NOT NULL)),
    FOREIGN KEY (first_id, event_id) REFERENCES convene.a_parent (id, event_id),
    FOREIGN KEY (second_id, event_id) REFERENCES convene.a_parent (id, event_id),
    EXCLUDE USING gist (event_id WITH =, seat WITH &&));
CREATE TABLE convene.a_part (at timestamptz NOT NULL DEFAULT now(), parent uuid NOT NULL REFERENCES convene.a_parent, note text)
    PARTITION BY RANGE (at);
CREATE TABLE convene.a_part_rest PARTITION OF convene.a_part DEFAULT;
"""


def test_a_new_table_needs_no_rule(fresh_db):
    """The constraints that schemas are made of, each found in the catalogue alone."""
    with fresh_db.connect() as connection:
        connection.execute(OWN)
        rows = fill_everything(connection, 60)
        assert min(rows[name] for name in ("a_parent", "a_child", "a_part")) >= 60
        edges = connection.execute("SELECT max(share), min(few), count(DISTINCT state), count(*) FILTER (WHERE few IS NULL) > 0"
                                   " FROM convene.a_child").fetchone()
        assert edges[0] == 1 and edges[1:] == (-3, 2, True)


@pytest.mark.parametrize("made, told", [
    ("CREATE TABLE convene.impossible (id int PRIMARY KEY, n int NOT NULL CHECK (n * n < 0))",
     r"convene\.impossible: 0 of 30 rows; .* CHECK impossible_n_check"),
    ("CREATE TABLE convene.pointless (id int PRIMARY KEY, p point NOT NULL)", r"convene\.pointless\.p: .* type point"),
    ("CREATE TABLE convene.narrow (bit boolean PRIMARY KEY)", r"convene\.narrow: 2 of 30 rows; .* taken already"),
    ("CREATE TABLE convene.round_a (id uuid PRIMARY KEY, b uuid); CREATE TABLE convene.round_b (id uuid PRIMARY KEY,"
     " a uuid REFERENCES convene.round_a); ALTER TABLE convene.round_a ADD FOREIGN KEY (b) REFERENCES convene.round_b",
     r"in a circle among \['round_a', 'round_b'\]"),
    ("CREATE FUNCTION public.no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not today'; END $$;"
     "CREATE TABLE convene.guarded (id int PRIMARY KEY);"
     "CREATE TRIGGER no BEFORE INSERT ON convene.guarded FOR EACH ROW EXECUTE FUNCTION public.no()",
     r"convene\.guarded: 0 of 30 rows; .* not today"),
])
def test_it_says_what_it_cannot_fill(fresh_db, made, told):
    with fresh_db.connect() as connection:
        before = catalogue.checksums(connection)
        connection.execute(made)
        with pytest.raises(AssertionError, match=told) as refusal:
            fill_everything(connection, 30)
        assert refusal.type in (CannotFill, AssertionError)
        after = catalogue.checksums(connection)
        assert {name: after[name] for name in before} == before
