"""The source tree keeps its own rules, and what the server knows agrees with what the source says."""

import re
import subprocess

import pytest

from lib.cluster import ROOT

pytestmark = pytest.mark.house


def sources(*patterns):
    return [path for pattern in patterns for path in sorted(ROOT.glob(pattern))]


def offences(files, pattern):
    """Every line that matches, as `file:line: text`."""
    wrong = re.compile(pattern)
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in files
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if wrong.search(line)
    ]


def test_engine_has_no_server_among_its_dependencies():
    command = ["cargo", "tree", "--locked", "-p", "convene-engine", "--edges", "normal,build,dev", "--prefix", "none"]
    tree = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert tree.returncode == 0, tree.stderr
    assert not [line for line in tree.stdout.splitlines() if "pgrx" in line]


def test_engine_source_names_no_server():
    assert offences(sources("engine/**/*.rs", "engine/Cargo.toml"), r"\bpgrx|\bSpi\b|pg_sys") == []


def test_engine_reads_no_clock_and_no_files():
    assert offences(sources("engine/src/**/*.rs"), r"SystemTime|Instant::now|std::(fs|net|env|process)\b") == []


def test_no_path_of_a_user_can_panic():
    # check_threads() panics in a worker when it is asked to, which is how the tests see that a panic is contained.
    asked = "src/diagnostics.rs"
    found = offences(sources("src/**/*.rs"), r"\.unwrap\(\)|\.expect\(|\b(panic|todo|unimplemented)!\(")
    assert [line for line in found if not (line.startswith(asked) and "as it was asked to" in line)] == []


def test_nothing_is_left_undone():
    files = sources("src/**/*.rs", "engine/**/*.rs", "sql/**/*.sql", "docs/**/*.md", "*.md", "scripts/*", "tests/lib/*.py")
    assert offences(files, "TO" + r"DO|FIX" + r"ME|\bXXX\b") == []


def test_source_files_stay_small():
    # Not the SQL: a domain is one file there, because its order is what has to be seen at once.
    files = sources("src/**/*.rs", "engine/src/**/*.rs", "scripts/*", "tests/*.py", "tests/lib/*.py")
    assert not [str(path.relative_to(ROOT)) for path in files if len(path.read_text().splitlines()) > 500]


def test_crates_come_from_the_registry_only():
    lock = (ROOT / "Cargo.lock").read_text()
    assert not re.findall(r'source = "(?!registry\+)[^"]*"', lock)


MEMBERS = """
SELECT p.oid::regprocedure::text AS signature, p.prosecdef, pg_catalog.obj_description(p.oid, 'pg_proc') AS comment
FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
JOIN pg_catalog.pg_extension e ON d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.refobjid = e.oid
WHERE e.extname = 'convene'"""


def test_surface_lists_every_member_and_nothing_else(conn):
    conn.execute("SET search_path = convene, pg_catalog")
    members = {row[0] for row in conn.execute(MEMBERS)}
    listed = {row[0] for row in conn.execute("SELECT signature::regprocedure::text FROM convene.surface()")}
    assert listed == members


def test_members_are_functions_only(conn):
    others = conn.execute(
        """SELECT pg_catalog.pg_describe_object(d.classid, d.objid, 0)
           FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON d.refobjid = e.oid
           WHERE d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'convene'
             AND d.classid <> 'pg_catalog.pg_proc'::regclass"""
    ).fetchall()
    assert not others


def test_every_member_has_a_comment_and_none_is_a_definer(conn):
    assert not [row[0] for row in conn.execute(MEMBERS) if row[1] or not row[2]]


def test_definers_are_private_helpers_with_a_pinned_path(conn):
    loose = conn.execute(
        """SELECT p.oid::regprocedure::text
           FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
           WHERE p.prosecdef AND n.nspname IN ('convene', 'convene_private')
             AND (n.nspname = 'convene' OR NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (p.proconfig), false))"""
    ).fetchall()
    assert not loose


def test_every_table_has_row_security_and_a_comment(conn):
    bare = conn.execute(
        """SELECT c.oid::regclass::text
           FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
           WHERE n.nspname = 'convene' AND c.relkind IN ('r', 'p')
             AND (NOT c.relrowsecurity OR pg_catalog.obj_description(c.oid, 'pg_class') IS NULL)"""
    ).fetchall()
    assert not bare
