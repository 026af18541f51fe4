"""What the recommender's answers are held against: slow and plain, from the rows as they stand.

    recs = recommend(conn, event, person=0)     # the answer, as Rec tuples
    check_list(conn, event, 0, recs)            # everything that must hold of any answer
"""

import math
import random
import re
from datetime import timedelta
from typing import NamedTuple

from lib import factory
from lib.factory import ROOMS, TOPICS, ident, make_event

SIGNAL = {"attended": 1.0, "bookmarked": 0.8, "browsed": 0.2}
ANCHORS = {0: (0.0, 0.6, 0.0, 0.4), 3: (0.45, 0.2, 0.2, 0.15), 40: (0.35, 0.1, 0.5, 0.05)}
SOURCES = ("content", "topics", "collaborative", "popularity")


class Rec(NamedTuple):
    """One row of get_session_recommendations."""

    session: object
    title: str
    score: float
    reason: str
    algorithm: str
    start: object
    end: object
    parts: dict


def recommend(conn, event, person=0, limit=10, algorithm="hybrid", now=None, event_id=None):
    """The recommendations of one person, given by their number or their attendee id."""
    attendee = event.people[person].id if isinstance(person, int) else person
    rows = conn.execute(
        "SELECT * FROM convene.get_session_recommendations(%s, %s, %s, %s, coalesce(%s, now()))",
        [attendee, event_id or event.id, limit, algorithm, now],
    ).fetchall()
    return [Rec(row[0], row[1], float(row[2]), *row[3:]) for row in rows]


# Events with known tastes ------------------------------------------------------------------------------------------


def plant(conn, label="planted", *, sessions=80, attendees=60, choices=8, noise=0.2, seed=1, embeddings=16,
          kinds=("attended",)):
    """An event of eight tastes: session and person number i are of taste i % 8, and people choose within theirs but
    for a share of `noise`. Sessions of a taste are not equally popular."""
    event = make_event(conn, label, sessions=0, attendees=attendees)
    add_tasteful(conn, event, sessions)
    if embeddings:
        factory.add_embeddings(conn, event, embeddings, random.Random(seed))
    draw = random.Random(f"{seed}/{label}")
    appeal = [1 / (1 + (index // 8) / 3) for index in range(sessions)]
    rows = []
    for number, person in enumerate(event.people):
        own = [index for index in range(sessions) if index % 8 == number % 8]
        chosen = {}
        while len(chosen) < min(choices, len(own)):
            pool = range(sessions) if draw.random() < noise else own
            index = draw.choices(pool, [appeal[at] for at in pool])[0]
            chosen.setdefault(index, draw.choice(kinds))
        for place, (index, kind) in enumerate(chosen.items()):
            at = event.starts - timedelta(days=30) + timedelta(minutes=place)
            rows.append((person.id, event.id, event.sessions[index], kind, at))
    factory._copy(conn, "convene.session_interactions (attendee_id, event_id, session_id, kind, at)", rows)
    return event


def add_tasteful(conn, event, number):
    """Sessions of one topic each, in turn."""
    rows = []
    for index in range(number):
        topic = TOPICS[index % 8]
        start = event.starts + timedelta(minutes=30 * (index // len(ROOMS)))
        rows.append((ident(event.label, "session", index), event.id, f"Talk {index} on {topic}", "talk",
                     start, start + timedelta(minutes=30), [topic], ROOMS[index % len(ROOMS)]))
        event.topics.append([topic])
    event.sessions.extend(row[0] for row in rows)
    factory._copy(
        conn, "convene.sessions (id, event_id, title, session_type, start_time, end_time, topics, room)", rows)


def refresh(conn, event, retrain=None):
    """Learns and computes ahead, as the service."""
    return conn.execute(
        "SELECT convene.refresh_event_recommendations(%s, %s)", [event.id, retrain]).fetchone()[0]


# The slow way ------------------------------------------------------------------------------------------------------


def taste(conn, attendee):
    """Session -> signed weight: a rating replaces the rest, else the largest counts; what is zero is left out."""
    signals = {}
    ledger = conn.execute(
        "SELECT session_id, kind, value FROM convene.session_interactions WHERE attendee_id = %s", [attendee]).fetchall()
    for session, kind, _ in ledger:
        if kind != "rated":
            signals[session] = max(signals.get(session, 0), SIGNAL[kind])
    for session, kind, value in ledger:
        if kind == "rated":
            signals[session] = (float(value) - 3) / 2
    return {session: signal for session, signal in signals.items() if signal}


def blend(count):
    """The four weights of somebody with so many interactions: linear in log(1 + n) between 0, 3 and 40."""
    low, high = (0, 3) if count <= 3 else (3, 40)
    share = min(1, (math.log(1 + count) - math.log(1 + low)) / (math.log(1 + high) - math.log(1 + low)))
    return [a + (b - a) * share for a, b in zip(ANCHORS[low], ANCHORS[high])]


CONTENT = """
WITH signal AS (SELECT * FROM unnest(%(sessions)s::uuid[], %(signals)s::float8[]) s (id, weight)),
taste AS (
  SELECT e.embedding_model AS model,
         sum(l2_normalize(e.embedding)
             * array_fill(s.weight::real, ARRAY[vector_dims(e.embedding)])::vector) AS vector
  FROM signal s JOIN convene.session_embeddings e ON e.session_id = s.id
  WHERE vector_norm(e.embedding) > 0
  GROUP BY e.embedding_model)
SELECT e.session_id, greatest(0, 1 - (e.embedding <=> t.vector))
FROM convene.session_embeddings e JOIN taste t ON t.model = e.embedding_model
WHERE e.event_id = %(event)s AND vector_norm(e.embedding) > 0 AND vector_norm(t.vector) > 1e-9"""


def content_scores(conn, event_id, attendee):
    """Session -> cosine with the person's taste vector, worked out by pgvector alone."""
    signals = taste(conn, attendee)
    rows = conn.execute(CONTENT, {
        "sessions": list(signals), "signals": list(signals.values()), "event": event_id}).fetchall()
    return {session: float(score) for session, score in rows}


def percentiles(raw):
    """(1 + positive ones strictly below) / (1 + positive ones strictly below the best); the rest 0."""
    positive = [score for score in raw.values() if score > 0]
    if not positive:
        return {}
    best = 1 + sum(score < max(positive) for score in positive)
    return {key: (1 + sum(other < score for other in positive)) / best if score > 0 else 0.0
            for key, score in raw.items()}


def popularity_scores(conn, event_id):
    """Session -> rank of ln(1 + interested + registered), damped by how full it is. Counted from the ledger."""
    rows = conn.execute(
        """SELECT s.id, s.current_registrations, s.max_attendees,
                  (SELECT count(DISTINCT i.attendee_id) FROM convene.session_interactions i
                   WHERE i.session_id = s.id AND NOT EXISTS (
                     SELECT FROM convene.session_interactions r WHERE r.attendee_id = i.attendee_id
                       AND r.session_id = s.id AND r.kind = 'rated' AND r.value < 3))
           FROM convene.sessions s WHERE s.event_id = %s AND s.status NOT IN ('cancelled', 'postponed')""",
        [event_id]).fetchall()
    raw = {}
    for session, registered, places, interested in rows:
        full = min(1, registered / places) if places else 0
        raw[session] = round(math.log(1 + interested + registered) * (1 - full / 2), 6)
    return percentiles(raw)


def collaborative_scores(conn, event_id, attendee):
    """Session -> rank of the sum of signal x stored weight over the person's taste."""
    raw = dict.fromkeys((row[0] for row in conn.execute(
        "SELECT id FROM convene.sessions WHERE event_id = %s", [event_id])), 0.0)
    for session, signal in taste(conn, attendee).items():
        found = conn.execute(
            "SELECT neighbour_ids, weights FROM convene.session_weights WHERE event_id = %s AND session_id = %s",
            [event_id, session]).fetchone()
        for other, weight in zip(*found) if found else ():
            raw[other] += signal * weight
    return percentiles({session: round(score, 6) for session, score in raw.items()})


# What must hold of every answer --------------------------------------------------------------------------------------


def check_parts(rec):
    """Scores lie in 0..1, the weights add up to one, and weights times scores to the score, all to four decimals."""
    assert 0 <= rec.score <= 1, rec
    assert rec.parts and set(rec.parts) <= set(SOURCES), rec
    assert all(0 <= part["score"] <= 1 and 0 < part["weight"] <= 1 for part in rec.parts.values()), rec
    assert abs(sum(part["weight"] for part in rec.parts.values()) - 1) < 2.1e-4, rec
    total = sum(part["weight"] * part["score"] for part in rec.parts.values())
    assert abs(total - rec.score) < 5e-4, (total, rec)


SESSION = """
SELECT s.event_id, s.title, s.topics, s.session_type, s.difficulty_level, s.start_time, s.end_time, s.status,
       s.current_registrations >= s.max_attendees AS full, s.current_registrations
FROM convene.sessions s WHERE s.id = %s"""


def check_list(conn, event, person, recs, now=None):
    """Nothing that may not be there, every reason true, clashes last."""
    attendee = event.people[person].id if isinstance(person, int) else person
    event_id = conn.execute("SELECT event_id FROM convene.attendees WHERE id = %s", [attendee]).fetchone()[0]
    now = now or conn.execute("SELECT now()").fetchone()[0]
    known = {row[0] for row in conn.execute(
        """SELECT session_id FROM convene.session_interactions WHERE attendee_id = %s AND kind <> 'browsed'
           UNION SELECT recommended_item_id FROM convene.recommendation_history WHERE attendee_id = %s AND dismissed""",
        [attendee, attendee])}
    assert len({rec.session for rec in recs}) == len(recs)
    clashing = False
    for rec in recs:
        check_parts(rec)
        of, title, _, kind, _, start, end, status, _, _ = conn.execute(SESSION, [rec.session]).fetchone()
        assert of == event_id and (title, start, end) == (rec.title, rec.start, rec.end), rec
        assert status not in ("cancelled", "postponed") and end > now and kind not in ("break", "lunch"), rec
        assert rec.session not in known, rec
        check_reason(conn, attendee, rec)
        if "; clashes with" in rec.reason:
            clashing = True
        else:
            assert not clashing, f"{rec} stands below one that clashes"


NOTES = r'(?P<said>.*?)(?:; clashes with "(?P<clash>.*)", which you bookmarked)?(?P<full>; full, waitlist)?$'
PEOPLE = r"(?:(\d+) a|A)ttendees who liked your sessions also chose this"
DID = {"looked at": "browsed", "bookmarked": "bookmarked", "attended": "attended", "rated": "rated"}


def check_reason(conn, attendee, rec):
    """The sentence is true of the row, worked out from the tables."""
    found = re.match(NOTES, rec.reason)
    _, _, topics, kind, level, start, end, _, full, registered = conn.execute(SESSION, [rec.session]).fetchone()
    overlapping = {row[0] for row in conn.execute(
        """SELECT b.title FROM convene.session_interactions i JOIN convene.sessions b ON b.id = i.session_id
           WHERE i.attendee_id = %s AND i.kind = 'bookmarked' AND b.status NOT IN ('cancelled', 'postponed')
             AND b.start_time < %s AND %s < b.end_time""", [attendee, end, start])}
    assert (found["clash"] in overlapping) if overlapping else found["clash"] is None, rec
    assert bool(full) == bool(found["full"]), rec
    said = found["said"]
    stated = conn.execute(
        """SELECT preferred_topics || industry_interests, preferred_formats, skill_level
           FROM convene.attendee_preferences WHERE attendee_id = %s""", [attendee]).fetchone() or ([], [], None)
    if because := re.fullmatch(r'Because you (looked at|bookmarked|attended|rated) "(.*?)"( highly)?', said):
        check_because(conn, attendee, rec, DID[because[1]], because[2], because[3])
    elif said.startswith("Matches your interest in "):
        named = re.split(r", | and ", said.removeprefix("Matches your interest in "))
        for topic in named:
            assert topic in topics and topic.lower() in [word.lower() for word in stated[0]], rec
    elif said.startswith("Matches your preferred format: "):
        assert said.removeprefix("Matches your preferred format: ") == kind and kind in stated[1], rec
    elif said.startswith("Fits your level: "):
        assert said.removeprefix("Fits your level: ") == level == stated[2], rec
    elif others := re.fullmatch(PEOPLE, said):
        count = also_chose(conn, attendee, rec.session)
        assert count >= 5 and (int(others[1]) == count >= 10 if others[1] else count < 10), (count, rec)
    elif said == "Popular session":
        assert max(interested(conn, rec.session), registered) >= 5, rec
    else:
        assert said == "Part of the programme", rec


def check_because(conn, attendee, rec, kind, title, highly):
    """The person did that with a session of this name, and the two are alike."""
    row = conn.execute(
        """SELECT max(i.value), max(1 - (a.embedding <=> b.embedding))
           FROM convene.session_interactions i JOIN convene.sessions s ON s.id = i.session_id
           JOIN convene.session_embeddings a ON a.session_id = s.id
           JOIN convene.session_embeddings b ON b.session_id = %s AND b.embedding_model = a.embedding_model
           WHERE i.attendee_id = %s AND i.kind = %s AND s.title = %s""", [rec.session, attendee, kind, title]).fetchone()
    assert row[1] is not None and row[1] > 0.19, rec
    assert bool(highly) == (kind == "rated") and (kind != "rated" or row[0] > 3), rec


def liked_by(conn, session):
    """The people who chose a session, or rated it well, and did not rate it badly."""
    rows = conn.execute(
        "SELECT attendee_id, kind, value FROM convene.session_interactions WHERE session_id = %s", [session]).fetchall()
    badly = {who for who, kind, value in rows if kind == "rated" and value < 3}
    well = {who for who, kind, value in rows
            if kind in ("bookmarked", "attended") or (kind == "rated" and value > 3)}
    return well - badly


def also_chose(conn, attendee, session):
    """Distinct others who liked one of the person's sessions and this one."""
    mine = [row[0] for row in conn.execute(
        "SELECT DISTINCT session_id FROM convene.session_interactions WHERE attendee_id = %s", [attendee])]
    fans = set().union(*(liked_by(conn, own) for own in mine if attendee in liked_by(conn, own)), set())
    return len((fans & liked_by(conn, session)) - {attendee})


def interested(conn, session):
    """Distinct people with any signal on a session that is not a bad rating."""
    rows = conn.execute(
        "SELECT attendee_id, kind, value FROM convene.session_interactions WHERE session_id = %s", [session]).fetchall()
    return len({row[0] for row in rows} - {who for who, kind, value in rows if kind == "rated" and value < 3})


def contents(conn):
    """Every table with the number of its rows and a digest of them: equal before and after means nothing was written."""
    tables = [row[0] for row in conn.execute(
        "SELECT oid::regclass::text FROM pg_catalog.pg_class WHERE relnamespace = 'convene'::regnamespace AND relkind = 'r'")]
    return {table: conn.execute(
        f"SELECT count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {table} t").fetchone() for table in tables}
