"""Events with people, sessions and signals, as plain inserts of a superuser. Everything follows from the label and the seed.

    alpha, beta = make_world(conn)                       # two organizations, an event each
    event = make_event(conn, "big", sessions=300, attendees=50, embeddings=64, interactions=20)
    bookmark(conn, event, person=0, session=3)
"""

import math
import random
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

NAMESPACE = uuid.UUID("6f1f7a52-31c5-4a51-9a55-3c1f2d1b7d10")
TOPICS = ["databases", "security", "ai", "networking", "design", "kernel", "energy", "music"]
FORMATS = ["talk", "workshop", "panel", "demo"]
LEVELS = ["beginner", "intermediate", "advanced", "expert"]
ROOMS = ["Room 1", "Room 2", "Room 3", "Room 4"]
MODEL = "test-model-{}"


@dataclass
class Person:
    """An attendee, with the subject of their token."""

    id: uuid.UUID
    sub: uuid.UUID
    name: str


@dataclass
class Event:
    """One event and what was made for it; sessions are in order of their start."""

    id: uuid.UUID
    label: str
    organization: uuid.UUID
    organizer: uuid.UUID
    venue: uuid.UUID
    starts: datetime
    sessions: list[uuid.UUID] = field(default_factory=list)
    topics: list[list[str]] = field(default_factory=list)
    people: list[Person] = field(default_factory=list)
    model: str | None = None


def ident(*parts):
    """The id that belongs to these words; the same in every run."""
    return uuid.uuid5(NAMESPACE, "/".join(map(str, parts)))


def next_week():
    """Nine o'clock UTC, seven days from now: nothing made with it has begun."""
    return (datetime.now(timezone.utc) + timedelta(days=7)).replace(hour=9, minute=0, second=0, microsecond=0)


def make_world(conn, **sizes):
    """Two organizations that know nothing of each other, each with an organizer, an event and three people."""
    return make_event(conn, "alpha", **sizes), make_event(conn, "beta", **sizes)


def make_event(
    conn, label="alpha", *, sessions=12, attendees=3, embeddings=None, interactions=0,
    seed=42, starts=None, status="published", preferences=False,
):
    """Makes an event with everything around it.

    `embeddings` is a number of dimensions (None: no vectors), `interactions` the random signals of each person,
    `preferences` gives each person two stated topics."""
    draw = random.Random(f"{seed}/{label}")
    starts = starts or next_week()
    event = Event(
        id=ident(label, "event"), label=label, organization=ident(label, "organization"),
        organizer=ident(label, "organizer"), venue=ident(label, "venue"), starts=starts,
    )
    with conn.transaction():
        _add_organization(conn, event)
        _add_event(conn, event, status, days=1 + sessions // 48)
        add_sessions(conn, event, sessions, draw)
        add_people(conn, event, attendees)
        if embeddings:
            add_embeddings(conn, event, embeddings, draw)
        if preferences:
            _add_preferences(conn, event, draw)
        if interactions:
            add_interactions(conn, event, interactions, draw)
    return event


def _copy(conn, target, rows):
    with conn.cursor() as cursor, cursor.copy(f"COPY {target} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def _add_organization(conn, event):
    conn.execute(
        "INSERT INTO convene.profiles (id, email, full_name) VALUES (%s, %s, %s)",
        [event.organizer, f"organizer@{event.label}.example", f"Organizer of {event.label}"],
    )
    conn.execute(
        "INSERT INTO convene.organizations (id, name, slug) VALUES (%s, %s, %s)",
        [event.organization, f"Organization {event.label}", event.label],
    )
    conn.execute(
        "INSERT INTO convene.organization_members (organization_id, profile_id, member_role) VALUES (%s, %s, 'organizer')",
        [event.organization, event.organizer],
    )


def _add_event(conn, event, status, days):
    conn.execute(
        "INSERT INTO convene.venues (id, organization_id, name) VALUES (%s, %s, %s)",
        [event.venue, event.organization, f"Venue {event.label}"],
    )
    conn.execute(
        """INSERT INTO convene.events
             (id, title, status, start_at, end_at, time_zone, venue_id, organizer_id, organization_id)
           VALUES (%s, %s, %s, %s, %s, 'Europe/Brussels', %s, %s, %s)""",
        [event.id, f"Event {event.label}", status, event.starts, event.starts + timedelta(days=days),
         event.venue, event.organizer, event.organization],
    )


def add_sessions(conn, event, number, draw=None):
    """Adds sessions: half an hour each, one after the other in four rooms at a time; each has one or two topics."""
    draw = draw or random.Random(event.label)
    rows = []
    for index in range(len(event.sessions), len(event.sessions) + number):
        topics = draw.sample(TOPICS, draw.choice([1, 2]))
        start = event.starts + timedelta(minutes=30 * (index // len(ROOMS)))
        session = ident(event.label, "session", index)
        rows.append((
            session, event.id, event.venue, f"Session {index + 1} of {event.label}", f"About {' and '.join(topics)}.",
            draw.choice(FORMATS), draw.choice(LEVELS), start, start + timedelta(minutes=30), topics,
            ROOMS[index % len(ROOMS)],
        ))
        event.topics.append(topics)
    event.sessions.extend(row[0] for row in rows)
    _copy(
        conn,
        "convene.sessions (id, event_id, venue_id, title, description, session_type, difficulty_level,"
        " start_time, end_time, topics, room)",
        rows,
    )


def add_people(conn, event, number):
    """Adds attendees with a profile each; a person's profile id is the subject of their token."""
    first = len(event.people)
    people = [
        Person(ident(event.label, "attendee", index), ident(event.label, "profile", index), f"Person {index + 1}")
        for index in range(first, first + number)
    ]
    emails = [f"person{first + offset + 1}@{event.label}.example" for offset in range(number)]
    _copy(
        conn, "convene.profiles (id, email, full_name)",
        [(person.sub, email, person.name) for person, email in zip(people, emails)],
    )
    _copy(
        conn, "convene.attendees (id, event_id, profile_id, full_name, email)",
        [(person.id, event.id, person.sub, person.name, email) for person, email in zip(people, emails)],
    )
    event.people.extend(people)


def add_embeddings(conn, event, dimensions, draw=None, sessions=None):
    """Gives sessions unit vectors of a model of their own: near each other where the topics are the same."""
    draw = draw or random.Random(event.label)
    event.model = MODEL.format(dimensions)
    known = conn.execute("SELECT 1 FROM convene.embedding_models WHERE model = %s", [event.model]).fetchone()
    if known is None:
        conn.execute("SELECT convene.add_embedding_model(%s, %s)", [event.model, dimensions])
    centres = {topic: _unit(random.Random(topic), dimensions) for topic in TOPICS}
    chosen = range(len(event.sessions)) if sessions is None else sessions
    rows = []
    for index in chosen:
        vector = [0.3 * part for part in _unit(draw, dimensions)]
        for topic in event.topics[index]:
            vector = [have + part for have, part in zip(vector, centres[topic])]
        rows.append((event.sessions[index], event.id, vector_text(vector), f"Session {index + 1}", event.model))
    _copy(conn, "convene.session_embeddings (session_id, event_id, embedding, source_text, embedding_model)", rows)


def _unit(draw, dimensions):
    vector = [draw.gauss(0, 1) for _ in range(dimensions)]
    length = math.sqrt(sum(part * part for part in vector))
    return [part / length for part in vector]


def vector_text(vector):
    """A vector as pgvector reads it."""
    return "[" + ",".join(f"{part:.6f}" for part in vector) + "]"


def _add_preferences(conn, event, draw):
    _copy(
        conn, "convene.attendee_preferences (attendee_id, event_id, preferred_topics)",
        [(person.id, event.id, draw.sample(TOPICS, 2)) for person in event.people],
    )


def add_interactions(conn, event, number, draw=None):
    """Gives each person `number` signals on different sessions: mostly bookmarks, some visits and ratings."""
    draw = draw or random.Random(event.label)
    rows = []
    for person in event.people:
        for session in draw.sample(event.sessions, min(number, len(event.sessions))):
            kind = draw.choice(["bookmarked", "bookmarked", "attended", "browsed", "rated"])
            value = draw.randint(1, 5) if kind == "rated" else None
            rows.append((person.id, event.id, session, kind, value))
    _copy(conn, "convene.session_interactions (attendee_id, event_id, session_id, kind, value)", rows)


def interact(conn, event, person, session, kind="bookmarked", value=None):
    """One signal; people and sessions are given by their number."""
    conn.execute(
        "INSERT INTO convene.session_interactions (attendee_id, event_id, session_id, kind, value)"
        " VALUES (%s, %s, %s, %s, %s)",
        [event.people[person].id, event.id, event.sessions[session], kind, value],
    )


def bookmark(conn, event, person, session):
    """A bookmark; people and sessions are given by their number."""
    interact(conn, event, person, session, "bookmarked")


def prefer(conn, event, person, **columns):
    """Stated preferences of one person, for example prefer(conn, event, 0, preferred_topics=['ai'])."""
    names = ", ".join(columns)
    marks = ", ".join(["%s"] * len(columns))
    updates = ", ".join(f"{name} = excluded.{name}" for name in columns)
    conn.execute(
        f"INSERT INTO convene.attendee_preferences (attendee_id, event_id, {names}) VALUES (%s, %s, {marks})"
        f" ON CONFLICT (attendee_id, event_id) DO UPDATE SET {updates}",
        [event.people[person].id, event.id, *columns.values()],
    )
