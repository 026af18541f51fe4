"""Fixtures of every test module, and the count by group that run.py prints."""

import json
import os
from collections import defaultdict
from itertools import count
from pathlib import Path

import pytest

from lib.access import as_role, expect_error, sqlstate  # noqa: F401 - for `from conftest import ...`
from lib.cluster import Cluster

GROUPS = [
    "house", "sql", "roles", "ownership", "dump", "threads",
    "errors", "pitfalls", "docs", "hostile", "embeddings", "clients",
]
TEMPLATE = "convene_template"
_numbers = count(1)


@pytest.fixture(scope="session")
def cluster():
    """The server of this test run. CONVENE_TEST_CLUSTER names it, so that two runs can go on side by side."""
    started = Cluster(os.environ.get("CONVENE_TEST_CLUSTER", "test")).start()
    yield started
    started.stop()


@pytest.fixture(scope="session")
def template(cluster):
    """A database with the extension and its tables, made once; `db` copies it."""
    made = cluster.create_database(TEMPLATE)
    with made.connect() as connection:
        connection.execute("CREATE EXTENSION convene CASCADE")
        connection.execute("SELECT convene.install()")
        connection.execute("SELECT convene.create_api_roles()")
    return made


@pytest.fixture
def empty_db(cluster):
    """A database without the extension."""
    made = cluster.create_database(f"empty_{next(_numbers)}")
    yield made
    made.drop()


@pytest.fixture(scope="module")
def db(cluster, template):
    """A fresh database with convene installed, shared by the tests of one module."""
    made = cluster.create_database(f"convene_{next(_numbers)}", TEMPLATE)
    yield made
    made.drop()


@pytest.fixture
def fresh_db(cluster, template):
    """A fresh database with convene installed, for one test alone."""
    made = cluster.create_database(f"convene_{next(_numbers)}", TEMPLATE)
    yield made
    made.drop()


@pytest.fixture
def conn(db):
    """A superuser's connection to `db`; each statement commits."""
    connection = db.connect()
    yield connection
    connection.close()



# Counting ----------------------------------------------------------------------------------------------------------

_counts = defaultdict(lambda: {"passed": 0, "failed": 0, "skipped": 0})


def group_of(path, keywords=()):
    """A module's marker names its group, else its file's name does: test_roles_staff.py belongs to roles."""
    marked = [group for group in GROUPS if group in keywords]
    if marked:
        return marked[0]
    first = Path(path).stem.removeprefix("test_").split("_")[0]
    return first if first in GROUPS else "sql"


def pytest_collection_modifyitems(config, items):
    """`--group` keeps one group's tests."""
    wanted = config.getoption("--group")
    for item in items:
        marks = {mark.name for mark in item.iter_markers()}
        item.user_properties.append(("group", group_of(item.path, marks)))
    if wanted:
        kept = [item for item in items if ("group", wanted) in item.user_properties]
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept


def pytest_addoption(parser):
    parser.addoption("--group", choices=GROUPS, help="run the tests of one group")
    parser.addoption("--counts", help="write the counts by group to this file, as JSON")


def pytest_runtest_logreport(report):
    """A test that drives others (a Node test file) says how many, as `counts` among its properties."""
    properties = dict(report.user_properties)
    counted = _counts[properties.get("group", "sql")]
    if report.when == "call" and "counts" in properties:
        passed, failed = properties["counts"]
        counted["passed"] += passed
        counted["failed"] += max(failed, int(report.failed))
    elif report.failed:
        counted["failed"] += 1
    elif report.skipped:
        counted["skipped"] += 1
    elif report.when == "call":
        counted["passed"] += 1


def pytest_collectreport(report):
    """A module that cannot be loaded is a failure of its group."""
    if report.failed:
        _counts[group_of(report.nodeid)]["failed"] += 1


def pytest_sessionfinish(session):
    target = session.config.getoption("--counts")
    if target:
        Path(target).write_text(json.dumps(_counts))
