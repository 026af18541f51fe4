"""What two readers of SQL have to say: pgspot of the scripts, plpgsql_check of every PL/pgSQL function."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lib.cluster import ROOT, pg_config

pytestmark = pytest.mark.house

# pgspot. Beginning of a finding, and why it is none.
HARMLESS = {
    "PS016: Unqualified function call: now at":
        "a default, looked up while the extension is made: pg_catalog comes first there, and now() takes no argument by which"
        " another could fit better",
    "PS005: Function without explicit search_path: convene.run_job(":
        "commits, which it could not with a SET clause; it pins the path for each of its transactions",
    "PS005: Function without explicit search_path: convene.run_due_jobs(": "likewise",
}
# install() runs its files with this path, and so do they here.
PINNED = "SET search_path = pg_catalog, pg_temp;\n"


def install_files():
    source = (ROOT / "src" / "install.rs").read_text()
    files = [ROOT / "sql" / name for name in re.findall(r'include_str!\("\.\./sql/(\w+\.sql)"\)', source)]
    assert files
    return PINNED + "\n".join(file.read_text().replace("@extschema:vector@", "extensions") for file in files)


def extension_script():
    """As it was built and installed."""
    version = re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.M)[1]
    return (Path(pg_config("sharedir")) / "extension" / f"convene--{version}.sql").read_text()


def spotted(script):
    """pgspot's findings, one line each."""
    done = subprocess.run([Path(sys.executable).parent / "pgspot"], input=script, capture_output=True, text=True)
    counts = re.search(r"^Errors: (\d+) Warnings: (\d+) Unknown: (\d+)", done.stdout, re.M)
    assert counts, done.stdout + done.stderr
    found = [line for line in done.stdout.splitlines() if re.match(r"[A-Z]+\d+: ", line)]
    assert len(found) >= sum(map(int, counts.groups())), "findings in words that are not known here"
    return found


@pytest.mark.parametrize("script", [install_files, extension_script])
def test_pgspot_finds_nothing(script):
    assert [line for line in spotted(script()) if not line.startswith(tuple(HARMLESS))] == []


@pytest.mark.parametrize("breach, code", [
    ("CREATE FUNCTION convene.f() RETURNS int LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN RETURN 1; END $$;", "PS003"),
    ("CREATE OR REPLACE FUNCTION convene.f() RETURNS int LANGUAGE sql SET search_path = pg_catalog, pg_temp AS 'SELECT 1';",
     "PS002"),
    ("CREATE TABLE IF NOT EXISTS convene.t (id int);", "PS012"),
    ("CREATE OR REPLACE VIEW convene.v AS SELECT 1;", "PS015"),
    ("CREATE SCHEMA IF NOT EXISTS convene;", "PS010"),
    ("SET search_path = public; SELECT 1 = 2;", "PS001"),
])
def test_pgspot_would_find(breach, code):
    assert [line for line in spotted(PINNED + breach) if line.startswith(code)]


# plpgsql_check. Function (or None, any), beginning of a finding, and why it is none.
EXPLAINED = [
    (None, "target type is different type than source type: cast \"text\" value to",
     "arguments of a trigger, and values of JSON, are texts; each is read once per call"),
    ("venue_is_public", "routine is marked as VOLATILE",
     "asks after a lock, and must see what was committed while it waited for that"),
    ("may_replace_text", "routine is marked as VOLATILE",
     "it is to see what was committed since the statement began"),
    ("revoke_all", "text type variable is not sanitized",
     "kind and name come from the functions that call it, as the catalogue writes them, quoted where that is needed"),
    ("make_month_partition", "text type variable is not sanitized",
     "names come from the catalogue as regclass and by quote_ident()"),
    ("run_job", "text type variable is not sanitized", "the command is one of the library's own list"),
]
# A function that asks TG_OP has a branch for each verb, and a trigger of one verb the rows of one kind: both are shown to it.
CHECKED = r"""
SELECT p.proname, p.oid::regprocedure || coalesce(' on ' || t.tgrelid::regclass, ''), f.level, f.message,
       f.message || coalesce(': ' || f.detail, '') || coalesce(' at line ' || f.lineno, '')
FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang AND l.lanname = 'plpgsql'
LEFT JOIN pg_trigger t ON t.tgfoid = p.oid AND NOT t.tgisinternal AND t.tgparentid = 0
CROSS JOIN LATERAL (SELECT p.prosrc ~ '\mTG_OP\M' AND EXISTS (
    SELECT FROM pg_trigger o WHERE o.tgfoid = p.oid AND num_nonnulls(o.tgoldtable, o.tgnewtable) > 0)) b(branches)
LEFT JOIN LATERAL lint.plpgsql_check_function_tb(
    p.oid, coalesce(t.tgrelid, 0), all_warnings => true,
    oldtable => coalesce(t.tgoldtable, CASE WHEN branches THEN 'old_rows' END),
    newtable => coalesce(t.tgnewtable, CASE WHEN branches THEN 'new_rows' END)
) f ON p.prorettype <> 'trigger'::regtype OR t.oid IS NOT NULL
WHERE p.pronamespace IN ('convene'::regnamespace, 'convene_private'::regnamespace) ORDER BY 2, 5"""
UNUSED = """
SELECT p.oid::regprocedure::text FROM pg_proc p
WHERE p.pronamespace IN ('convene'::regnamespace, 'convene_private'::regnamespace) AND p.prorettype = 'trigger'::regtype
  AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgfoid = p.oid AND NOT t.tgisinternal)"""


@pytest.fixture(scope="module")
def linted(db):
    """A connection to a database with plpgsql_check; `make setup` installs it where the platform has a package of it."""
    with db.connect() as connection:
        if not connection.execute("SELECT true FROM pg_available_extensions WHERE name = 'plpgsql_check'").fetchone():
            package = f"postgresql-{connection.info.server_version // 10000}-plpgsql-check"
            asked = subprocess.run(["apt-cache", "show", package], capture_output=True) if shutil.which("apt-cache") else None
            assert asked is None or asked.returncode != 0, f"{package} is not installed: scripts/setup.sh test"
            pytest.skip(f"this platform has no package {package}")
        connection.execute("CREATE SCHEMA lint; CREATE EXTENSION plpgsql_check SCHEMA lint")
        yield connection


def unexplained(connection):
    found = {}
    for name, signature, level, message, words in connection.execute(CHECKED).fetchall():
        if message is None:
            continue
        if level == "error" or not any(
                function in (None, name) and words.startswith(beginning) for function, beginning, _ in EXPLAINED):
            found.setdefault(f"{signature}: {level}: {words}", name)
    return found


def test_plpgsql_check_finds_nothing(linted):
    assert sorted(unexplained(linted)) == []


def test_every_function_is_checked(linted):
    heads = r"^CREATE FUNCTION convene_private\.(\w+)\((?:(?!\$\$).)*?LANGUAGE plpgsql"
    written = set(re.findall(heads, install_files(), re.M | re.S))
    written |= set(re.findall(r"^CREATE PROCEDURE convene\.(\w+)", (ROOT / "sql" / "jobs.sql").read_text(), re.M))
    assert len(written) > 50
    assert {row[0] for row in linted.execute(CHECKED).fetchall()} == written
    assert [row[0] for row in linted.execute(UNUSED)] == [], "trigger functions without a trigger, which nobody can check"


def test_every_explanation_is_needed(linted):
    found = [(name, words) for name, _, _, message, words in linted.execute(CHECKED).fetchall() if message]
    idle = [beginning for function, beginning, _ in EXPLAINED
            if not any(function in (None, name) and words.startswith(beginning) for name, words in found)]
    idle += [beginning for beginning in HARMLESS
             if not any(line.startswith(beginning) for line in spotted(extension_script()) + spotted(install_files()))]
    assert idle == []


@pytest.mark.parametrize("body, told", [
    ("BEGIN NEW.no_such := 1; RETURN NEW; END", 'error: record "new" has no field "no_such"'),
    ("BEGIN PERFORM 1 FROM convene.no_such_table; RETURN NEW; END", 'error: relation "convene.no_such_table" does not exist'),
    ("DECLARE never_read int; BEGIN RETURN NEW; END", 'unused variable "never_read"'),
    ("BEGIN END", "control reached end of function without RETURN"),
    ("BEGIN EXECUTE 'SELECT ' || NEW.name; RETURN NEW; END", "text type variable is not sanitized"),
])
def test_plpgsql_check_would_find(linted, body, told):
    with linted.transaction(force_rollback=True):
        linted.execute(f"""
            CREATE FUNCTION convene_private.bad() RETURNS trigger LANGUAGE plpgsql
                SET search_path = pg_catalog, pg_temp AS $$ {body} $$;
            CREATE TRIGGER bad BEFORE INSERT ON convene.venues FOR EACH ROW EXECUTE FUNCTION convene_private.bad()""")
        assert [line for line, name in unexplained(linted).items() if name == "bad" and told in line]
