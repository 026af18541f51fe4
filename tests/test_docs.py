"""The documentation runs: every ```sql block of README.md and docs/*.md goes through psql, page by page, and links resolve.

A page is run in a database with convene installed and docs/example.sql loaded. Two comments in a page change that:
`<!-- database: empty -->` starts it in a database without the extension, `<!-- load: docs/example.sql -->` loads a file there.
A block that shows an error says so in a comment: `-- ERROR 42501`; its last statement must fail with that code."""

import re
from typing import NamedTuple

import pytest

from lib.cluster import ROOT

pytestmark = pytest.mark.docs

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINKED = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", ROOT / "tests" / "README.md"]
EXAMPLE = ROOT / "docs" / "example.sql"
PIECE = re.compile(r"^```(?P<language>\w*)\n(?P<block>.*?)^```$|^<!-- (?P<key>database|load): (?P<value>\S+) -->$", re.M | re.S)


class Piece(NamedTuple):
    """Something of a page that runs, and the line it starts at."""

    line: int
    text: str
    error: str | None = None


def pieces(page):
    """Whether the page starts empty, and what it runs in order."""
    source = page.read_text()
    empty, found = False, []
    for match in PIECE.finditer(source):
        line = source.count("\n", 0, match.start()) + 1
        if match["key"] == "database":
            empty = match["value"] == "empty"
        elif match["key"] == "load":
            found.append(Piece(line, (ROOT / match["value"]).read_text()))
        elif match["language"] == "sql":
            error = re.search(r"--.*\bERROR (\w{5})\b", match["block"])
            found.append(Piece(line, match["block"], error and error[1]))
    return empty, found


def script(found):
    """One psql script of all pieces, which says where it is and with which SQLSTATE each ended."""
    lines = []
    for piece in found:
        lines += [
            f"\\set ON_ERROR_STOP {'off' if piece.error else 'on'}",
            piece.text,
            f"\\echo @@ {piece.line} :SQLSTATE",
        ]
    return "\n".join(lines)


@pytest.mark.parametrize("page", [page for page in PAGES if pieces(page)[1]], ids=lambda page: page.name)
def test_the_statements_of_a_page_run(page, request):
    empty, found = pieces(page)
    if empty:
        database = request.getfixturevalue("empty_db")
    else:
        database = request.getfixturevalue("fresh_db")
        # A test's database is a copy of another one, and a copy's queues are closed.
        database.psql("SELECT convene.adopt_copy();" + EXAMPLE.read_text())
    done = database.psql(script(found), check=False)
    ended = dict(re.findall(r"^@@ (\d+) (\w{5})$", done.stdout, re.M))
    for piece in found:
        where = f"{page.relative_to(ROOT)}:{piece.line}"
        assert str(piece.line) in ended, f"{where} failed:\n{done.stderr}"
        assert ended[str(piece.line)] == (piece.error or "00000"), f"{where} ended otherwise:\n{done.stderr}"


def test_every_function_is_documented(conn):
    """Each is named in backticks or in an example of some page, with its parenthesis."""
    text = "\n".join(page.read_text() for page in PAGES)
    names = {row[0].split("(")[0] for row in conn.execute("SELECT signature FROM convene.surface()")}
    assert not {name for name in names if not re.search(rf"\b{name}\(", text)}


def test_every_parameter_of_the_server_is_documented(conn):
    conn.execute("SELECT convene.library_version()")
    text = (ROOT / "docs" / "install.md").read_text()
    names = [row[0] for row in conn.execute("SELECT name FROM pg_settings WHERE name LIKE 'convene.%'")]
    assert names and not [name for name in names if f"`{name}`" not in text]


def test_every_setting_is_documented(conn):
    text = "\n".join(page.read_text() for page in PAGES)
    assert not [row[0] for row in conn.execute("SELECT key FROM convene.settings") if f"`{row[0]}`" not in text]


def test_every_table_is_in_the_matrix_of_rights(conn):
    text = (ROOT / "docs" / "security.md").read_text()
    tables = conn.execute("SELECT relname FROM pg_class WHERE relnamespace = 'convene'::regnamespace AND relkind IN ('r', 'p')"
                          " AND NOT relispartition")
    assert not [row[0] for row in tables if f"`{row[0]}`" not in text]


def test_every_private_column_is_documented(conn):
    """Those that a signed-in person cannot select, of tables that they can; no more and no less."""
    text = (ROOT / "docs" / "security.md").read_text()
    part = text[text.index("### Private columns"):text.index("### Who writes what")]
    written = {table: re.findall(r"`(\w+)`", columns) for table, columns in re.findall(r"^\| `(\w+)` \| (.+) \|$", part, re.M)}
    private = dict(conn.execute(
        "SELECT c.relname::text, array_agg(a.attname::text) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
        " WHERE c.relnamespace = 'convene'::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped"
        " AND has_any_column_privilege('authenticated', c.oid, 'SELECT')"
        " AND NOT has_column_privilege('authenticated', c.oid, a.attnum, 'SELECT') GROUP BY c.relname").fetchall())
    assert {table: sorted(columns) for table, columns in written.items()} == \
        {table: sorted(columns) for table, columns in private.items()}


def test_the_data_model_has_every_table_and_the_keys_it_draws(conn):
    text = (ROOT / "docs" / "data-model.md").read_text()
    tables = {row[0] for row in conn.execute("SELECT relname FROM pg_class WHERE relnamespace = 'convene'::regnamespace"
                                             " AND relkind IN ('r', 'p') AND NOT relispartition")}
    listed = re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", text, re.M)))
    assert sorted(listed) == sorted(tables)
    keys = {tuple(row) for row in conn.execute(
        "SELECT DISTINCT c.relname, f.relname FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid"
        " JOIN pg_class f ON f.oid = k.confrelid WHERE k.contype = 'f' AND k.connamespace = 'convene'::regnamespace")}
    arrows = [arrow for block in re.findall(r"^```mermaid\n(.*?)^```$", text, re.M | re.S)
              for arrow in re.findall(r"^    (.+?) (-->|-\..*->) (.+)$", block, re.M)]
    drawn = [(start, end, kind == "-->") for starts, kind, ends in arrows
             for start in starts.split(" & ") for end in ends.split(" & ")]
    assert drawn and {end for _, end, _ in drawn} | {start for start, _, _ in drawn} <= tables
    assert [line for line in drawn if (line[:2] in keys) != line[2]] == []


def anchors(page):
    """The anchors of a page's headings, as a forge makes them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", LINKED, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_resolve(page):
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"\w+://", target):
            continue
        path, _, anchor = target.partition("#")
        other = (page.parent / path).resolve() if path else page
        if not other.exists() or (anchor and anchor not in anchors(other)):
            broken.append(target)
    assert not broken
