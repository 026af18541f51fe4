"""Every argument of a function, said wrongly: tables of cases, and how they are tried.

    CASES = {"function": ("p_event_id => :event, p_limit => 5", {"p_event_id": ids(), "p_limit": limits(100)})}

A call that is well, and for each argument (value, SQLSTATE, what the message names). `:event` and the like stand for what the
fixture `names` of a module knows. Arguments are written as SQL, so that anything can be said. `argument_tests(CASES)` makes the tests."""

import re
import uuid

import pytest

from .access import sqlstate
from .reference import contents

U = str(uuid.UUID(int=0xBAD))
UNKNOWN = f"'{U}'"
HUGE = "repeat('x', 10000000)"
INT = "-2147483648"


def limits(most, parameter="p_limit"):
    """What a count may not be."""
    return [("NULL", "22004", parameter)] + [
        (value, "22023", f"{parameter} must be between 1 and {most}, not {value}$")
        for value in ("0", "-1", str(most + 1), "2147483647", INT)]


def words(parameter, *wrong):
    """What a word of a small list may not be; a message never repeats ten megabytes."""
    return [("NULL", "22004", parameter), ("''", "22023", '""'), (HUGE, "22023", "xxx")] + [
        (f"'{word}'", "22023", re.escape(word.strip())) for word in wrong]


def ids(unknown="P0002"):
    return [("NULL", "22004", "p_"), (UNKNOWN, unknown, U)]


def filled(text, names):
    return re.sub(r":(\w+)\b(?<!::)", lambda found: names.get(found[1], found[0]), text)


def call(name, well, names, parameter=None, value=None):
    arguments = filled(well, names)
    if parameter:
        start = re.search(rf"\b{parameter} => ", arguments).end()
        depth, end = 0, start
        while end < len(arguments) and (arguments[end] != "," or depth):
            depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(arguments[end], 0)
            end += 1
        rest = arguments[end:]
        for named in re.findall(r"(p_\w+) =>", value):  # the value brings another argument along
            rest = re.sub(rf", {named} => [^,]*", "", rest)
            arguments = re.sub(rf"{named} => [^,]*, ", "", arguments[:start]) + arguments[start:]
            start = re.search(rf"\b{parameter} => ", arguments).end()
        arguments = arguments[:start] + filled(value, names) + rest
    return f"SELECT * FROM convene.{name}({arguments})"


def check_listed(conn, cases, never_wrong):
    """Every argument of these functions has its cases, but for those that cannot be wrong by themselves."""
    for name, (_, wrong) in cases.items():
        parameters = conn.execute(
            """SELECT coalesce(proargnames[1:pronargs], '{}') FROM pg_catalog.pg_proc
               WHERE proname = %s AND pronamespace = 'convene'::regnamespace""", [name]).fetchone()[0]
        assert set(parameters) - set(wrong) <= set(never_wrong), name


def check_well(conn, names, cases, name):
    """The arguments that are said to be well are, or the others would prove nothing."""
    with conn.transaction(force_rollback=True):
        conn.execute(call(name, cases[name][0], names)).fetchall()


def check_wrong(conn, names, cases, name, parameter, hinted):
    """The stated code, a message that names the value, nothing half-written, and no connection lost; `hinted`: and a hint."""
    well, wrong = cases[name]
    # In which the cases are written, and not in the machine's.
    conn.execute("SET timezone = 'UTC'")
    before, process = contents(conn), conn.info.backend_pid
    for value, code, named in wrong[parameter]:
        got = sqlstate(conn, call(name, well, names, parameter, value))
        assert got.sqlstate == code, f"{parameter} => {value[:100]}: {code} expected, not {str(got)[:400]}"
        assert re.search(named, got.message), f"{parameter} => {value[:100]}: {got.message[:300]!r} does not name {named}"
        assert got.hint or not hinted, f"{parameter} => {value[:100]}: there is no hint"
        assert all(len(text or "") <= 1200 for text in got), f"{parameter} => {value[:100]}: a text of {max(map(len, filter(None, got)))}"
    assert conn.info.backend_pid == process and conn.execute("SELECT 1").fetchone() == (1,)
    assert contents(conn) == before


def argument_tests(cases, never_wrong=(), hinted=lambda parameter: False):
    """The three tests of a module of cases, to be named by it: all arguments have theirs, the calls that are varied are
    well, and what is wrong is refused; with a hint for those parameters of which `hinted` says so."""
    pairs = [(name, parameter) for name, (_, wrong) in cases.items() for parameter in wrong]

    def listed(conn):
        check_listed(conn, cases, never_wrong)

    @pytest.mark.parametrize("name", cases)
    def well(conn, names, name):
        check_well(conn, names, cases, name)

    @pytest.mark.parametrize(("name", "parameter"), pairs)
    def wrong(conn, names, name, parameter):
        check_wrong(conn, names, cases, name, parameter, hinted(parameter))

    return listed, well, wrong
