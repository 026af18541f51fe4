"""Cells of tests/data/roles/*.csv once more, as a client tries them: over HTTP, through PostgREST, with a signed token.

What can be said as a request is taken from the statements of the matrix: a SELECT, UPDATE or DELETE with plain conditions, an
INSERT of plain values. Each request is rolled back (Prefer: tx=rollback)."""

import re
from urllib.parse import quote

import pytest

from lib.matrix import STATEMENTS, World, cells
from lib.postgrest import PostgREST

pytestmark = pytest.mark.roles

# As many people as make a difference to a policy; the others are tried in SQL.
PEOPLE = ["anon", "attendee_a", "organizer_a", "staff_a", "clerk_a", "sponsor_a", "service"]

# No braces: what is an array or a document in SQL is written otherwise in JSON.
VALUE = r"(?:\{\w+\}|'[^'{}]*'|\d+|true|false)"
CONDITIONS = rf"(?: WHERE (?P<where>\w+ = {VALUE}(?: AND \w+ = {VALUE})*))?(?: LIMIT 1)?$"
SHAPES = {
    "GET": rf"SELECT (?P<columns>\w+(?:, \w+)*) FROM {{t}}{CONDITIONS}",
    "PATCH": rf"UPDATE {{t}} SET (?P<set>\w+ = {VALUE}(?:, \w+ = {VALUE})*){CONDITIONS}",
    "DELETE": rf"DELETE FROM {{t}}{CONDITIONS}",
    "POST": rf"INSERT INTO {{t}} \((?P<names>[\w, ]+)\) VALUES \((?P<values>{VALUE}(?:, {VALUE})*)\)$",
}


def request_of(table, statement, row):
    """(method, path, body) that says the same as a statement about a row; None where PostgREST has no such words."""
    def value(text):
        if text.startswith("{"):
            found = row.get(text[1:-1])
            return None if found is None else str(found)
        return {"true": True, "false": False}.get(text, text.strip("'"))

    def pairs(text):
        return [(name, value(said)) for name, said in re.findall(rf"(\w+) = ({VALUE})", text or "")]

    for method, shape in SHAPES.items():
        match = re.match(shape, statement)
        if not match:
            continue
        said = match.groupdict()
        where = pairs(said.get("where"))
        body = None
        if method == "POST":
            body = dict(zip(said["names"].split(", "), map(value, re.findall(VALUE, said["values"]))))
        elif method == "PATCH":
            body = dict(pairs(said["set"]))
        if any(part is None for _, part in where) or (body and None in body.values()):
            return None
        asked = [f"{name}=eq.{quote(str(part).lower() if isinstance(part, bool) else part)}" for name, part in where]
        if method == "GET":
            # `SELECT 1` is no column.
            if said["columns"].isdigit():
                return None
            asked.append(f"select={said['columns'].replace(' ', '')}")
        return method, f"/{table}?{'&'.join(asked)}", body
    return None


def outcome(rest, method, path, body, token):
    """What the request comes to, in the words of the matrix."""
    status, answer, headers = rest.exchange(method, path, body, token=token,
                                            headers={"Prefer": "count=exact, return=minimal, tx=rollback"})
    if status in (401, 403) and answer["code"] == "42501":
        return "deny"
    assert status in (200, 201, 204, 206), (method, path, status, answer)
    if method == "POST":
        return "allow"
    return "filtered" if headers.get("Content-Range", "*/0").endswith("/0") else "allow"


@pytest.fixture(scope="module")
def world(db):
    with db.connect() as connection:
        yield World(connection)


def sample(world):
    """Every cell that is a request, as (cell, who, request)."""
    for cell in cells():
        statement = STATEMENTS[cell["table"]][cell["verb"]]
        if " ;; " in statement:
            continue
        for who in PEOPLE:
            role, sub = world.roles[who]
            row = {"me": sub or world.stranger, "other_organization": world.other_organization, **world.rows[cell["row"]]}
            request = request_of(cell["table"], statement, row)
            if request:
                yield cell, who, role, sub, request


def test_clients_get_what_the_matrix_says(db, world):
    wrong, tried = [], set()
    with PostgREST(db, db_tx_end="commit-allow-override", db_max_rows="1000") as rest:
        for cell, who, role, sub, request in sample(world):
            token = None if role == "anon" else rest.token(role, sub)
            got = outcome(rest, *request, token)
            tried.add((cell["table"], request[0]))
            if got != cell[who]:
                wrong.append(f"{who}: {cell['verb']} {cell['table']} of {cell['row']}: {cell[who]} expected, {got} seen")
    assert wrong == []
    # Nearly every table is read this way, and most are written.
    assert len({table for table, method in tried if method == "GET"}) >= 0.8 * len(STATEMENTS)
    assert len(tried) >= 2.5 * len(STATEMENTS)
