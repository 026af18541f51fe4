"""Preferences, and the ledger beside them: one fact with two faces, whichever of them is written."""

import random
import threading
import uuid
from decimal import Decimal

import psycopg
import pytest
from psycopg.types.json import Jsonb

from lib.access import as_role, expect_error, sqlstate
from lib.factory import add_people, make_event, make_world, prefer

KINDS = ("browsed", "bookmarked", "attended")
UPDATE = "SELECT convene.update_attendee_preferences(%s, %s, %s)"
RECORD = "SELECT convene.record_session_interaction(%s, %s, %s, %s)"


def arrays(conn, attendee):
    """The three arrays as sets; that they repeat nothing is asserted on the way."""
    row = conn.execute(
        """SELECT browsed_sessions, bookmarked_sessions, attended_sessions, rev
           FROM convene.attendee_preferences WHERE attendee_id = %s""", [attendee]).fetchone()
    if row is None:
        return {kind: set() for kind in KINDS}
    assert all(len(ids) == len(set(ids)) and None not in ids for ids in row[:3]), row
    return {kind: set(ids) for kind, ids in zip(KINDS, row)}


def ledger(conn, attendee):
    found = {kind: set() for kind in KINDS}
    for session, kind in conn.execute(
        "SELECT session_id, kind FROM convene.session_interactions WHERE attendee_id = %s AND kind <> 'rated'", [attendee]
    ):
        found[kind].add(session)
    return found


def rev(conn, attendee):
    row = conn.execute("SELECT rev FROM convene.attendee_preferences WHERE attendee_id = %s", [attendee]).fetchone()
    return row[0] if row else 0


class Walk:
    """Random writes to both faces, and what must come of them, kept in Python."""

    def __init__(self, conn, event, seed):
        self.conn, self.event, self.draw = conn, event, random.Random(seed)
        self.attendee = event.people[0].id
        self.model = {kind: set() for kind in KINDS}
        self.ratings = {}

    def some(self, most=5):
        return self.draw.sample(self.event.sessions, self.draw.randint(0, most))

    def set_array(self):
        kind, ids = self.draw.choice(KINDS), self.some()
        noise = [None] * self.draw.randint(0, 2) + ids[:1]
        self.conn.execute(
            f"""INSERT INTO convene.attendee_preferences (attendee_id, event_id, {kind}_sessions) VALUES (%s, %s, %s)
                ON CONFLICT (attendee_id, event_id) DO UPDATE SET {kind}_sessions = excluded.{kind}_sessions""",
            [self.attendee, self.event.id, ids + noise])
        self.model[kind] = set(ids)

    def call_update(self):
        kinds = self.draw.sample(KINDS, self.draw.randint(1, 3))
        sent = {kind: self.some() for kind in kinds}
        told = self.conn.execute(UPDATE, [self.attendee, self.event.id, Jsonb(
            {f"{kind}_sessions": [str(session) for session in ids] for kind, ids in sent.items()})]).fetchone()[0]
        for kind, ids in sent.items():
            self.model[kind] = set(ids)
        for kind in KINDS:
            assert {uuid.UUID(text) for text in told[f"{kind}_sessions"]} == self.model[kind]

    def append(self):
        kind, session = self.draw.choice(KINDS), self.draw.choice(self.event.sessions)
        done = self.conn.execute(
            f"UPDATE convene.attendee_preferences SET {kind}_sessions = array_append({kind}_sessions, %s)"
            " WHERE attendee_id = %s", [session, self.attendee])
        if done.rowcount:
            self.model[kind].add(session)

    def call_record(self):
        kind, session = self.draw.choice(KINDS), self.draw.choice(self.event.sessions)
        told = self.conn.execute(RECORD, [self.attendee, session, kind, None]).fetchone()[0]
        assert told["changed"] == (session not in self.model[kind])
        self.model[kind].add(session)

    def rate(self):
        session, value = self.draw.choice(self.event.sessions), self.draw.randint(1, 5)
        told = self.conn.execute(RECORD, [self.attendee, session, "rated", value]).fetchone()[0]
        assert told["changed"] == (self.ratings.get(session) != value)
        self.ratings[session] = value

    def insert_rows(self):
        kind, sessions = self.draw.choice(KINDS), self.some(4)
        self.conn.execute(
            """INSERT INTO convene.session_interactions (attendee_id, session_id, event_id, kind)
               SELECT %s, unnest(%s::uuid[]), %s, %s ON CONFLICT DO NOTHING""",
            [self.attendee, sessions, self.event.id, kind])
        self.model[kind] |= set(sessions)

    def delete_rows(self):
        sessions = set(self.some(6))
        self.conn.execute(
            "DELETE FROM convene.session_interactions WHERE attendee_id = %s AND session_id = ANY (%s)",
            [self.attendee, list(sessions)])
        for kind in KINDS:
            self.model[kind] -= sessions
        self.ratings = {session: value for session, value in self.ratings.items() if session not in sessions}

    def change_kind(self):
        old, new = self.draw.sample(KINDS, 2)
        moving = [session for session in self.model[old] if session not in self.model[new]][:1]
        self.conn.execute(
            "UPDATE convene.session_interactions SET kind = %s WHERE attendee_id = %s AND kind = %s AND session_id = ANY (%s)",
            [new, self.attendee, old, moving])
        self.model[old] -= set(moving)
        self.model[new] |= set(moving)

    def both_at_once(self):
        """An array that adds and drops in one statement, and a ledger row in the same transaction."""
        with self.conn.transaction():
            self.set_array()
            self.call_record()

    def given_up(self):
        with self.conn.transaction(force_rollback=True):
            kept = {kind: set(ids) for kind, ids in self.model.items()}
            self.set_array()
            self.insert_rows()
            self.model = kept

    def drop_preferences(self):
        self.conn.execute("DELETE FROM convene.attendee_preferences WHERE attendee_id = %s", [self.attendee])
        self.model = {kind: set() for kind in KINDS}

    def step(self):
        steps = [self.set_array, self.call_update, self.append, self.call_record, self.rate, self.insert_rows,
                 self.delete_rows, self.change_kind, self.both_at_once, self.given_up]
        self.draw.choices(steps + [self.drop_preferences], [4] * len(steps) + [1])[0]()

    def check(self):
        assert ledger(self.conn, self.attendee) == self.model
        assert arrays(self.conn, self.attendee) == self.model
        rated = dict(self.conn.execute(
            "SELECT session_id, value::int FROM convene.session_interactions WHERE attendee_id = %s AND kind = 'rated'",
            [self.attendee]).fetchall())
        assert rated == self.ratings


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_arrays_and_ledger_agree_after_every_random_write(conn, seed):
    walk = Walk(conn, make_event(conn, f"walk{seed}", sessions=14), seed)
    for _ in range(150):
        walk.step()
        walk.check()


def test_every_change_of_either_face_moves_rev_and_nothing_else_does(conn):
    event = make_event(conn, "revisions")
    attendee = event.people[0].id
    session = event.sessions[0]
    moves = [
        (RECORD, [attendee, session, "bookmarked", None]),
        (RECORD, [attendee, session, "rated", 4]),
        (RECORD, [attendee, session, "rated", 5]),
        ("UPDATE convene.attendee_preferences SET bookmarked_sessions = '{}' WHERE attendee_id = %s", [attendee]),
        ("DELETE FROM convene.session_interactions WHERE attendee_id = %s", [attendee]),
        (UPDATE, [attendee, event.id, Jsonb({"preferred_topics": ["ai"]})]),
    ]
    for statement, parameters in moves:
        before = rev(conn, attendee)
        conn.execute(statement, parameters)
        assert rev(conn, attendee) > before, statement
    conn.execute(RECORD, [attendee, session, "attended", None])
    before = rev(conn, attendee)
    told = conn.execute(RECORD, [attendee, session, "attended", None]).fetchone()[0]
    assert told["changed"] is False and rev(conn, attendee) == before
    assert rev(conn, event.people[1].id) == 0


def test_a_rating_replaces_and_a_removal_deletes(conn):
    event = make_event(conn, "ratings")
    attendee, session = event.people[0].id, event.sessions[0]
    for value in (2, Decimal("4.5"), Decimal("4.5")):
        conn.execute(RECORD, [attendee, session, "rated", value])
    assert conn.execute("SELECT kind, value FROM convene.session_interactions WHERE attendee_id = %s", [attendee]).fetchall() \
        == [("rated", Decimal("4.5"))]
    assert arrays(conn, attendee) == {kind: set() for kind in KINDS}
    prefer(conn, event, 0, attended_sessions=[session, event.sessions[1]])
    prefer(conn, event, 0, attended_sessions=[event.sessions[1]])
    kept = conn.execute("SELECT session_id, kind FROM convene.session_interactions WHERE attendee_id = %s ORDER BY kind",
                        [attendee]).fetchall()
    assert kept == [(event.sessions[1], "attended"), (session, "rated")]
    # A session that goes takes its signals along, out of the arrays too.
    conn.execute("DELETE FROM convene.sessions WHERE id = %s", [event.sessions[1]])
    assert arrays(conn, attendee) == {kind: set() for kind in KINDS}


def test_sessions_of_another_event_stay_out_of_the_arrays(conn):
    alpha, beta = make_world(conn)
    for foreign in (beta.sessions[0], uuid.uuid4()):
        for kind in KINDS:
            expect_error(conn, "22023", UPDATE, [alpha.people[0].id, alpha.id, Jsonb({
                f"{kind}_sessions": [str(alpha.sessions[0]), str(foreign)]})],
                message=f"session {foreign} is not a session of event {alpha.id}")
            expect_error(conn, "22023",
                         f"INSERT INTO convene.attendee_preferences (attendee_id, event_id, {kind}_sessions) VALUES (%s, %s, %s)",
                         [alpha.people[0].id, alpha.id, [foreign]], message=str(foreign))
    assert not conn.execute("SELECT 1 FROM convene.attendee_preferences WHERE attendee_id = %s",
                            [alpha.people[0].id]).fetchall()
    assert ledger(conn, alpha.people[0].id) == {kind: set() for kind in KINDS}


def test_what_is_not_sent_stays_and_null_is_a_value(conn):
    event = make_event(conn, "partial")
    attendee = event.people[0].id
    conn.execute(UPDATE, [attendee, event.id, Jsonb({
        "preferred_topics": ["AI", "Rust"], "preferred_formats": ["talk"], "industry_interests": ["energy"],
        "skill_level": "expert", "recommendation_enabled": False, "interaction_history": {"a": 1},
        "notification_preferences": {"mail": True}, "bookmarked_sessions": [str(event.sessions[3])]})])
    told = conn.execute(UPDATE, [attendee, event.id, Jsonb({"skill_level": None})]).fetchone()[0]
    assert told["skill_level"] is None
    assert (told["preferred_topics"], told["preferred_formats"], told["industry_interests"]) == (["AI", "Rust"], ["talk"], ["energy"])
    assert (told["recommendation_enabled"], told["interaction_history"]) == (False, {"a": 1})
    assert told["notification_preferences"] == {"mail": True}
    assert told["bookmarked_sessions"] == [str(event.sessions[3])]
    assert (told["attendee_id"], told["event_id"]) == (str(attendee), str(event.id))
    assert conn.execute(UPDATE, [attendee, event.id, Jsonb({})]).fetchone()[0]["preferred_topics"] == ["AI", "Rust"]


def test_a_client_may_write_either_face_of_its_own_only(conn):
    alpha, beta = make_event(conn, "gamma"), make_event(conn, "delta")
    mine, theirs = alpha.people[1], alpha.people[2]
    with as_role(conn, "authenticated", mine.sub):
        conn.execute("INSERT INTO convene.attendee_preferences (attendee_id, event_id, bookmarked_sessions)"
                     " VALUES (%s, %s, %s)", [mine.id, alpha.id, [alpha.sessions[0]]])
        conn.execute("INSERT INTO convene.session_interactions (attendee_id, event_id, session_id, kind)"
                     " VALUES (%s, %s, %s, 'attended')", [mine.id, alpha.id, alpha.sessions[1]])
        for attendee, event in ((theirs.id, alpha), (beta.people[0].id, beta), (uuid.uuid4(), alpha)):
            expect_error(conn, "42501", "INSERT INTO convene.attendee_preferences (attendee_id, event_id) VALUES (%s, %s)",
                         [attendee, event.id])
            expect_error(conn, "42501",
                         "INSERT INTO convene.session_interactions (attendee_id, event_id, session_id, kind)"
                         " VALUES (%s, %s, %s, 'attended')", [attendee, event.id, event.sessions[1]])
        # Rows of others are not seen, so nothing is changed and nothing is said.
        assert conn.execute("UPDATE convene.attendee_preferences SET preferred_topics = '{x}' WHERE attendee_id <> %s",
                            [mine.id]).rowcount == 0
    assert ledger(conn, mine.id) == {"browsed": set(), "bookmarked": {alpha.sessions[0]}, "attended": {alpha.sessions[1]}}
    assert arrays(conn, mine.id) == ledger(conn, mine.id)


def test_preferences_do_not_move_to_another_attendee(conn):
    event = make_event(conn, "moving")
    prefer(conn, event, 0, preferred_topics=["ai"])
    assert sqlstate(conn, "UPDATE convene.attendee_preferences SET attendee_id = %s WHERE attendee_id = %s",
                    [event.people[1].id, event.people[0].id]).sqlstate == "0A000"


def test_concurrent_writers_of_one_person_neither_deadlock_nor_disagree(db, conn):
    """Four sessions write both faces of four people at once, some of them new; every statement must come through."""
    event = make_event(conn, "crowded", sessions=16, attendees=0)
    add_people(conn, event, 4)
    failures = []

    def write(mine, draw, attendee):
        kind, ids, face = draw.choice(KINDS), draw.sample(event.sessions, 3), draw.randrange(6)
        if face == 0:
            mine.execute(UPDATE, [attendee, event.id, Jsonb({f"{kind}_sessions": [str(i) for i in ids]})])
        elif face == 1:
            mine.execute(RECORD, [attendee, ids[0], kind, None])
        elif face == 2:
            mine.execute(
                f"UPDATE convene.attendee_preferences SET {kind}_sessions = {kind}_sessions || %s"
                " WHERE attendee_id = %s", [ids, attendee])
        elif face == 3:
            mine.execute("DELETE FROM convene.session_interactions WHERE attendee_id = %s AND session_id = ANY (%s)",
                         [attendee, ids])
        elif face == 4:
            mine.execute("UPDATE convene.session_interactions SET at = now() - '1 h'::interval WHERE attendee_id = %s",
                         [attendee])
        else:
            mine.execute(
                """INSERT INTO convene.session_interactions (attendee_id, session_id, event_id, kind)
                   SELECT %s, unnest(%s::uuid[]), %s, %s ON CONFLICT DO NOTHING""", [attendee, ids, event.id, kind])

    def work(seed):
        draw = random.Random(seed)
        try:
            with db.second() as mine:
                mine.execute("SET deadlock_timeout = '100ms'")
                for _ in range(100):
                    person = draw.choice(event.people)
                    with as_role(mine, "authenticated", person.sub):
                        write(mine, draw, person.id)
        except psycopg.Error as error:
            failures.append(f"{error.sqlstate}: {error}")

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert failures == [] and not any(thread.is_alive() for thread in threads)
    for person in event.people:
        assert arrays(conn, person.id) == ledger(conn, person.id)
    assert any(ledger(conn, event.people[0].id).values())
