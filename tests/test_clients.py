"""Runs the Node tests of clients/: the real supabase-js against a real PostgREST, over a world made by the factory."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from lib.factory import make_world
from lib.postgrest import PostgREST

pytestmark = pytest.mark.clients
CLIENTS = Path(__file__).parent / "clients"
FILES = sorted(CLIENTS.glob("*.test.mjs"))


def _described(event):
    return {
        "event": str(event.id), "starts": event.starts.isoformat(), "organization": str(event.organization), "venue": str(event.venue),
        "organizer": str(event.organizer), "sessions": [str(session) for session in event.sessions],
        "topics": event.topics, "model": event.model,
        "people": [{"id": str(person.id), "sub": str(person.sub), "name": person.name} for person in event.people],
    }


@pytest.fixture
def world(fresh_db):
    """The environment of a Node test file, of its own: where PostgREST is, everybody's token, the ids of both events."""
    with fresh_db.connect() as connection:
        events = make_world(connection, sessions=24, embeddings=16, interactions=2)
    with PostgREST(fresh_db) as rest:
        tokens = {"anon": rest.token("anon"), "service": rest.token("service_role")}
        for event in events:
            tokens[f"{event.label}Organizer"] = rest.token(sub=event.organizer)
            for number, person in enumerate(event.people):
                tokens[f"{event.label}{number}"] = rest.token(sub=person.sub)
        told = {event.label: _described(event) for event in events}
        yield {**os.environ, "CONVENE_WORLD": json.dumps({"url": rest.url, "tokens": tokens, **told})}


def test_there_are_client_tests():
    assert FILES


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_client(file, world, request):
    command = ["node", "--test", "--test-reporter=tap", file.name]
    done = subprocess.run(command, cwd=CLIENTS, env=world, capture_output=True, text=True, timeout=300)
    passed, failed = (_count(done.stdout, word) for word in ("pass", "fail"))
    request.node.user_properties.append(("counts", (passed, failed)))
    assert done.returncode == 0 and passed > 0, f"{done.stdout}\n{done.stderr}"


def _count(output, word):
    found = re.search(rf"^# {word} (\d+)$", output, re.MULTILINE)
    return int(found.group(1)) if found else 0
