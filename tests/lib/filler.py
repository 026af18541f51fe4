"""Rows for every table of schema convene, made from what the catalogue says of it.

    fill_everything(conn, rows=100, seed=7)

Values follow from the types and the CHECKs, references from the foreign keys: a parent row is picked and its key copied.
What the catalogue cannot say stands in filler_rules.py. Candidates are drawn in numbers, those that break a CHECK are left
out, and the rest goes in as one statement; where a trigger refuses it, row by row. The same seed gives the same rows.
"""

import random
import time
from collections import Counter
from itertools import count

import psycopg

from . import filler_rules as rules
from .filler_values import Domain, draw_value, identity, settle, told_by

ROUNDS = 30
COLUMNS = """
SELECT a.attname, t.typname, coalesce(e.typname, ''), a.atttypmod, a.attnotnull, pg_get_expr(d.adbin, d.adrelid) AS written
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND a.attidentity = '' ORDER BY a.attnum"""
GENERATED = "SELECT attname FROM pg_attribute WHERE attrelid = %s AND attgenerated <> ''"
NAMES = """ARRAY(SELECT a.attname::text FROM unnest({0}) WITH ORDINALITY u(n, i)
                 JOIN pg_attribute a ON a.attrelid = {1} AND a.attnum = u.n ORDER BY u.i)"""
KEYS = f"""
SELECT k.confrelid::regclass::text, {NAMES.format('k.conkey', 'k.conrelid')}, {NAMES.format('k.confkey', 'k.confrelid')}
FROM pg_constraint k WHERE k.conrelid = %s AND k.contype = 'f' AND k.conparentid = 0 ORDER BY k.conname"""
UNIQUES = f"""
SELECT {NAMES.format('i.indkey::int2[]', 'i.indrelid')}, i.indisprimary FROM pg_index i
WHERE i.indrelid = %s AND i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL ORDER BY i.indexrelid"""
CHECKS = """
SELECT k.conname, pg_get_expr(k.conbin, k.conrelid) FROM pg_constraint k
WHERE k.conrelid = %s AND k.contype = 'c' ORDER BY k.conname"""
# References that a trigger keeps in place of a foreign key: column, table, the column in which both rows agree.
KEPT = """
SELECT split_part(encode(t.tgargs, 'escape'), '\\000', 1), split_part(encode(t.tgargs, 'escape'), '\\000', 2),
       split_part(encode(t.tgargs, 'escape'), '\\000', 3)
FROM pg_trigger t WHERE t.tgrelid = %s AND t.tgfoid = 'convene_private.check_reference()'::regprocedure ORDER BY t.tgname"""


class CannotFill(AssertionError):
    """Names the table and what stood in the way."""


class Key:
    """A foreign key: the columns here, and those of the parent they repeat."""

    def __init__(self, parent, columns, parent_columns):
        self.parent, self.columns, self.parent_columns = parent.removeprefix("convene."), columns, parent_columns


class Table:
    """What the catalogue knows of one table."""

    def __init__(self, conn, oid, name, partition_key):
        self.name = name
        self.columns = conn.execute(COLUMNS, [oid]).fetchall()
        self.names = [column[0] for column in self.columns]
        self.generated = [row[0] for row in conn.execute(GENERATED, [oid])]
        self.required = {column[0] for column in self.columns if column[4]}
        self.keys = [Key(*row) for row in conn.execute(KEYS, [oid])]
        unique = conn.execute(UNIQUES, [oid]).fetchall()
        self.primary = next((columns for columns, primary in unique if primary), [])
        self.unique = [set(columns) for columns, _ in unique]
        self.checks = dict(conn.execute(CHECKS, [oid]).fetchall())
        self.kept = conn.execute(KEPT, [oid]).fetchall()
        self.partition_key = partition_key
        self.told = {parent for column in self.columns if column[1] == "uuid" for parent in told_by(column[0])} - {name}
        for column, parent, shared in self.kept:
            if column in self.required:
                self.keys.append(Key(parent, [column, shared], ["id", shared]))
        # The keys that leave least choice come first, and those that say which event it is about.
        self.keys.sort(key=lambda key: (not self.required.issuperset(key.columns), not self.one_to_one(key),
                                        "event_id" not in key.columns, -len(key.columns)))
        self.domain = Domain(self.checks.values())
        self.pairs = [pair for pair in self.domain.pairs if set(pair[:2]) <= set(self.names)]

    def one_to_one(self, key):
        """Whether a parent has one row here at most."""
        return any(unique <= set(key.columns) for unique in self.unique)


def read_tables(conn):
    """Every ordinary or partitioned table, parents before children."""
    rows = conn.execute(
        """SELECT c.oid, c.relname, coalesce(pg_get_partkeydef(c.oid), '') FROM pg_class c
           WHERE c.relnamespace = 'convene'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
             AND NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid) ORDER BY c.relname"""
    ).fetchall()
    waiting = {name: Table(conn, oid, name, key) for oid, name, key in rows}
    ordered = {}
    while waiting:
        ready = [table for table in waiting.values()
                 if all(key.parent in ordered or key.parent == table.name for key in table.keys)
                 and not any(other in waiting for other in rules.AFTER.get(table.name, ()))]
        if not ready:
            raise CannotFill(f"foreign keys go round in a circle among {sorted(waiting)}")
        # What a column's name alone tells is waited for as well, as long as there is something else to fill.
        told = [table for table in ready if not any(parent in waiting for parent in table.told)]
        for table in told or ready[:1]:
            ordered[table.name] = waiting.pop(table.name)
    return ordered


class Filler:
    """One run."""

    def __init__(self, conn, rows, seed):
        self.conn, self.rows, self.seed = conn, rows, seed
        self.tables = read_tables(conn)
        self.parents = {}  # table: its rows, as dictionaries of the columns that others refer to
        self.indexes, self.chosen, self.crowding, self.few = {}, {}, 0, max(2, min(8, rows // 12))
        self.notes = {}  # what rules keep from one row to the next
        referred = {"id"} | {column for table in self.tables.values() for key in table.keys for column in key.parent_columns}
        self.referred = referred | set(rules.LOOKED_AT)

    def wanted(self, table):
        """More than asked where children have a parent each, or must find two of one event."""
        wanted = rules.FEWER.get(table.name, (self.rows, ""))[0]
        for child in self.tables.values():
            keys = [key for key in child.keys if key.parent == table.name and child is not table]
            if any(child.one_to_one(key) or len(key.columns) > 1 for key in keys):
                wanted = max(wanted, int(self.rows * 1.5))
        return wanted

    def fill(self, table):
        draw = random.Random(f"{self.seed}/{table.name}")
        have, wanted, least = self.count(table), self.wanted(table), rules.FEWER.get(table.name, (self.rows, ""))[0]
        numbers, trouble = count(1), Counter()
        for turn in range(ROUNDS):
            if have >= wanted:
                break
            self.crowding = 0.75 / (1 + turn / 6)
            rows = self.candidates(table, draw, numbers, 2 * (wanted - have) + 40, trouble)
            if rows:
                # A few more each time: some will be there already.
                self.insert(table, rows, wanted - have + 3 * turn, trouble)
            have = self.count(table)
        if have < min(least, wanted):
            worst = "; ".join(f"{times} times {what}" for what, times in trouble.most_common(5) if times)
            raise CannotFill(f"convene.{table.name}: {have} of {least} rows; {worst or 'no row could be drawn'}")
        for step in rules.STEPS.get(table.name, ()):
            self.conn.execute(step)
        self.remember(table, next(numbers))

    def count(self, table):
        return self.conn.execute(f"SELECT count(*) FROM convene.{table.name}").fetchone()[0]

    # Drawing.

    def candidates(self, table, draw, numbers, how_many, trouble):
        made, tried = [], 0
        grouped = rules.GROUPS.get(table.name)
        while len(made) < how_many:
            number, tried = next(numbers), tried + 1
            row = self.candidate(table, draw, number, trouble)
            if row is None:
                if tried > 20 * how_many:
                    break
                continue
            group = grouped(row, draw, self) if grouped else [row]
            made += [(number, place, member) for place, member in enumerate(group)]
        return made

    def candidate(self, table, draw, number, trouble):
        row = {}
        # Some rows have nearly everything and some nearly nothing: conditions between columns let one or the other through.
        row_nulls = draw.choice([0.05, 0.15, 0.5, 0.95])
        everywhere = {name: rule for name, rule in rules.EVERYWHERE.items() if name not in table.partition_key}
        overrides = {**everywhere, **rules.COLUMNS.get(table.name, {})}
        for key in table.keys:
            if not self.refer(table, key, row, draw, number, overrides, row_nulls):
                trouble[f"no {key.parent} for {', '.join(key.columns)}"] += 1
                return None
        for name, kind, element, modifier, required, written in table.columns:
            if name in row or name in overrides:
                continue
            if name == "id" and kind == "uuid":
                row[name] = identity(self.seed, table.name, number)
            elif not required and draw.random() < row_nulls:
                row[name] = None
            else:
                row[name] = draw_value(draw, table, row, name, kind, element, modifier, number, self)
        for name, rule in overrides.items():
            if name in table.names:
                row[name] = rule(row, draw, self, number) if callable(rule) else rule
        adjust = rules.ROWS.get(table.name)
        if adjust and adjust(row, draw, self, number) is False:
            trouble["refused by its rule"] += 1
            return None
        kinds = {column[0]: column[1:4] for column in table.columns}
        settle(row, table, lambda name: draw_value(draw, table, row, name, *kinds[name], number, self))
        return row

    def refer(self, table, key, row, draw, number, overrides, nulls):
        """Copies the key of a parent that agrees with what the row has so far. False: there is none."""
        optional = [column for column in key.columns if column not in table.required and column not in row]
        if len(key.columns) == 1 and key.columns[0] in overrides:
            return True
        known = [(column, parent) for column, parent in zip(key.columns, key.parent_columns) if column in row]
        chance = rules.NULLS.get((table.name, optional[0]), nulls) if optional else 0
        if draw.random() < chance or any(row[column] is None for column, _ in known):
            row.update(dict.fromkeys(optional))
            return True
        found = self.promising(table, key, tuple(known), tuple(row[column] for column, _ in known))
        for suits in (rules.PARENTS.get((table.name, key.columns[0])), rules.PARENTS.get(key.parent)):
            found = [parent for parent in found if suits(parent, row, self)] if suits else found
        if not found:
            row.update(dict.fromkeys(optional))
            return bool(optional)
        if table.one_to_one(key) and not known:
            parent = found[number % len(found)]
        else:
            # Two references to one table mean two rows of it.
            fresh = [there for column, there in zip(key.columns, key.parent_columns) if column not in row]
            for _ in range(8):
                # A few parents have many children, so that rows that need two parents of one event find them.
                parent = draw.choice(found[:self.few] if draw.random() < self.crowding else found)
                if len(key.columns) == 1 or all(parent[there] not in row.values() for there in fresh):
                    break
            else:
                row.update(dict.fromkeys(optional))
                return bool(optional)
        row.update({column: parent[there] for column, there in zip(key.columns, key.parent_columns)})
        return True

    def promising(self, table, key, known, values):
        """Parents that agree, and whose event, say, has rows in the other tables as well that this one must refer to."""
        asked = (table.name, key, known, values)
        if asked not in self.chosen:
            found = self.agreeing(key.parent, tuple(parent for _, parent in known), values)
            for other in table.keys:
                if other is key or not table.required.issuperset(other.columns):
                    continue
                for column, there in zip(other.columns, other.parent_columns):
                    if column in key.columns:
                        here = key.parent_columns[key.columns.index(column)]
                        there_are = {row[there] for row in self.parents.get(other.parent, ())}
                        found = [row for row in found if row[here] in there_are]
            self.chosen[asked] = found
        return self.chosen[asked]

    def agreeing(self, parent, columns, values):
        index = self.indexes.setdefault((parent, columns), None)
        if index is None:
            index = {}
            for row in self.parents.get(parent, ()):
                index.setdefault(tuple(row[column] for column in columns), []).append(row)
            self.indexes[parent, columns] = index
        return index.get(values, [])

    def some(self, parent, draw):
        """Any row of a table that is filled already, or None."""
        rows = self.parents.get(parent)
        return rows[int(len(rows) * draw.random() ** 2)] if rows else None

    # Writing.

    def insert(self, table, rows, wanted, trouble):
        listed = ", ".join(f'"{name}"' for name in table.names)
        drawn = "pg_temp.drawn"
        loosened = "".join(f', ALTER "{name}" DROP NOT NULL' for name in table.required)
        self.conn.execute(f"""
            DROP TABLE IF EXISTS {drawn};
            CREATE TEMP TABLE drawn (LIKE convene.{table.name} INCLUDING GENERATED);
            ALTER TABLE {drawn} ADD drawn_as integer, ADD drawn_in integer{loosened}""")
        with self.conn.cursor() as cursor, cursor.copy(f"COPY {drawn} ({listed}, drawn_as, drawn_in) FROM STDIN") as copy:
            for number, place, row in rows:
                copy.write_row([row.get(name) for name in table.names] + [number, place])
        if table.checks:
            refused = ", ".join(f"count(*) FILTER (WHERE NOT ({check}))" for check in table.checks.values())
            counts = self.conn.execute(f"SELECT {refused} FROM {drawn}").fetchone()
            trouble.update({f"CHECK {name}: {check}": times for (name, check), times in zip(table.checks.items(), counts)})
            if any(counts):
                holds = " AND ".join(f"({check}) IS NOT FALSE" for check in table.checks.values())
                self.conn.execute(f"DELETE FROM {drawn} WHERE drawn_as IN (SELECT drawn_as FROM {drawn} WHERE NOT ({holds}))")
        chosen = f"""SELECT {listed} FROM {drawn}
                     WHERE drawn_as <= (SELECT max(n) FROM (SELECT drawn_as AS n FROM {drawn} ORDER BY 1 LIMIT %s) x)
                     ORDER BY drawn_as, drawn_in"""
        statement = f"INSERT INTO convene.{table.name} ({listed}) {chosen} ON CONFLICT DO NOTHING"
        try:
            with self.conn.transaction():
                self.conn.execute("SET CONSTRAINTS ALL IMMEDIATE")
                inserted = self.conn.execute(statement, [wanted]).rowcount
            if inserted < wanted:
                trouble["taken already (a unique key or an exclusion)"] += wanted - inserted
        except psycopg.Error as error:
            trouble[f"as one statement: {error.sqlstate} {error}".split("\n")[0]] += 1
            self.insert_one_by_one(table, listed, wanted, trouble)

    def insert_one_by_one(self, table, listed, wanted, trouble):
        self.conn.execute("CREATE TEMP TABLE IF NOT EXISTS refused (why text)")
        self.conn.execute("TRUNCATE pg_temp.refused")
        self.conn.execute(f"""
            DO $do$
            DECLARE n integer; done integer := 0;
            BEGIN
                SET CONSTRAINTS ALL IMMEDIATE;
                FOR n IN SELECT DISTINCT drawn_as FROM pg_temp.drawn ORDER BY 1 LOOP
                    BEGIN
                        INSERT INTO convene.{table.name} ({listed})
                        SELECT {listed} FROM pg_temp.drawn WHERE drawn_as = n ORDER BY drawn_in ON CONFLICT DO NOTHING;
                        done := done + 1;
                    EXCEPTION WHEN OTHERS THEN
                        INSERT INTO pg_temp.refused VALUES (SQLSTATE || ' ' || SQLERRM);
                    END;
                    EXIT WHEN done >= {wanted};
                END LOOP;
            END $do$""")
        for why, times in self.conn.execute("SELECT left(why, 160), count(*) FROM pg_temp.refused GROUP BY 1"):
            trouble[why] += times

    def remember(self, table, last):
        """Keeps the rows that others may refer to: those made here, in the order of making; only if they are few, all."""
        columns = [name for name in table.names + table.generated if name in self.referred]
        if not columns:
            return
        listed = ", ".join(f'"{name}"' for name in columns)
        cursor = self.conn.execute(f"SELECT {listed} FROM convene.{table.name} t ORDER BY t::text COLLATE \"C\"")
        rows = [dict(zip(columns, row)) for row in cursor]
        if "id" in columns:
            made = {identity(self.seed, table.name, number): number for number in range(1, last + 1)}
            own = [row for row in rows if row["id"] in made]
            own.sort(key=lambda row: made[row["id"]])
            rows = own if len(own) >= self.rows else own + [row for row in rows if row["id"] not in made]
        self.parents[table.name] = rows
        self.indexes = {key: index for key, index in self.indexes.items() if key[0] != table.name}
        self.chosen = {}

    def close_circles(self):
        """Fills the references that triggers keep: they may name rows that came later."""
        for table in self.tables.values():
            for column, parent, shared in table.kept:
                if column in table.required:
                    continue
                self.conn.execute(f"""
                    DO $do$
                    DECLARE this record; named integer := 0;
                    BEGIN
                        FOR this IN SELECT x.ctid AS place, (SELECT p.id FROM convene.{parent} p
                                           WHERE p.{shared} = x.{shared} AND p.id::text <> x.id::text
                                           ORDER BY md5(p.id::text || x.id::text) LIMIT 1) AS other
                                    FROM convene.{table.name} x WHERE x.{column} IS NULL ORDER BY x.id LIMIT 3 * {self.rows} LOOP
                            BEGIN
                                UPDATE convene.{table.name} SET {column} = this.other WHERE ctid = this.place;
                                named := named + (this.other IS NOT NULL)::integer;
                            EXCEPTION WHEN check_violation OR unique_violation THEN
                                CONTINUE;  -- this row may not name one
                            END;
                            EXIT WHEN named >= {self.rows} / 3;
                        END LOOP;
                        IF named = 0 THEN RAISE 'no row of convene.{table.name} takes {column}'; END IF;
                    END $do$""")


def fill_everything(conn, rows=100, seed=7, report=None):
    """At least `rows` rows in every table; returns {table: rows}. `report`: told each table and the seconds it took."""
    with conn.transaction():
        conn.execute("SET LOCAL client_min_messages = warning")
        filler = Filler(conn, rows, seed)
        for table in filler.tables.values():
            before = time.monotonic()
            filler.fill(table)
            if report:
                report(table.name, time.monotonic() - before)
        filler.close_circles()
        for step in rules.LAST:
            conn.execute(step)
        conn.execute("DROP TABLE IF EXISTS pg_temp.drawn, pg_temp.refused")
        return {table.name: filler.count(table) for table in filler.tables.values()}
