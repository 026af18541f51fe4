"""The demo of the README, from its first line to its last."""

import re
import subprocess

import pytest

from lib.cluster import ROOT, server_program

pytestmark = pytest.mark.docs


@pytest.fixture(scope="module")
def told(cluster):
    """What the demo prints."""
    database = cluster.create_database("convene_demo")
    try:
        command = [server_program("psql"), "-X", "-q", "-h", cluster.host, "-U", "postgres", "-d", "convene_demo", "-f", "demo.sql"]
        done = subprocess.run(command, cwd=ROOT / "examples", capture_output=True, text=True, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, done.stderr[-2000:]
        assert done.stderr == ""
        yield done.stdout
    finally:
        database.drop()


def test_no_part_is_without_an_answer(told):
    """Every table that the demo prints has rows: a heading, a line, and at least one row below it."""
    lines = told.splitlines()
    rules = [number for number, line in enumerate(lines) if re.fullmatch(r"-+(\+-+)*", line)]
    assert len(rules) >= 15
    assert [lines[number - 1] for number in rules if number + 1 >= len(lines) or not lines[number + 1].strip()] == []


@pytest.mark.parametrize("part", ["Attendee 0001", "personal agenda", "Vektor Labs", "The marketplace: real sponsors, real conferences"])
def test_every_part_is_there(told, part):
    assert part in told
