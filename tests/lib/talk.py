"""Contractors who talk: an event with a day, people with phones, and what they say to one another.

    talk = Talk(conn, "fair")
    ann, bo = talk.person("Ann"), talk.person("Bo")
    match = talk.match(ann, bo)
    talk.introduce(match)
    talk.say(ann, "YES")["replies"]
"""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from uuid import UUID

from .factory import ident

# Midnight of a day in Phoenix, which keeps the same time all year; ahead of every clock that runs this for years.
DAY = datetime(2031, 6, 17, 7, 0, tzinfo=timezone.utc)
PROMPTS = ("introduction", "arrival", "break", "lunch", "networking", "rating_request", "follow_up")


@dataclass(frozen=True)
class Who:
    """A contractor, and the subject of their token."""

    id: UUID
    sub: UUID
    phone: str
    email: str
    name: str


class Talk:
    """One event and its conversations. Moments are hours of the local day: 9 is nine o'clock."""

    def __init__(self, conn, label, *, zone="America/Phoenix", midnight=DAY, hours=(9, 17), sessions=(), place=None):
        self.conn, self.label, self.midnight = conn, label, midnight
        self.event = ident(label, "event")
        self.organization = ident(label, "organization")
        conn.execute("INSERT INTO convene.organizations (id, name, slug) VALUES (%s, %s, %s)", [self.organization, label, label])
        conn.execute("INSERT INTO convene.events (id, organization_id, title, status, start_at, end_at, time_zone)"
                     " VALUES (%s, %s, %s, 'published', %s, %s, %s)",
                     [self.event, self.organization, f"Fair {label}", self.at(hours[0]), self.at(hours[1]), zone])
        for kind, start, end in sessions:
            self.session(kind, start, end, place)
        self.people = []

    def at(self, hour):
        """The moment of an hour of the local day; what is a moment already stays one."""
        return hour if isinstance(hour, datetime) else self.midnight + timedelta(hours=hour)

    def session(self, kind, start, end, room=None):
        self.conn.execute(
            "INSERT INTO convene.sessions (event_id, title, session_type, start_time, end_time, room) VALUES (%s, %s, %s, %s, %s, %s)",
            [self.event, kind, kind, self.at(start), self.at(end), room])

    def person(self, name, *, opt_in=True, phone=None, checked_in=None, **columns):
        number = len(self.people) + 1
        label = sum(self.label.encode()) % 800 + 100
        who = Who(ident(self.label, "contractor", number), ident(self.label, "person", number),
                  phone or f"+1 ({label}) 555-{number:04}", f"{name.lower()}{number}@{self.label}.example", name)
        self.conn.execute("INSERT INTO convene.profiles (id, email, full_name) VALUES (%s, %s, %s)", [who.sub, who.email, name])
        values = {"id": who.id, "profile_id": who.sub, "first_name": name, "last_name": "Test", "company_name": f"{name} Co",
                  "email": who.email, "phone": who.phone, "city": "Tempe", "state": "AZ", **columns}
        self.conn.execute(f"INSERT INTO convene.contractors ({', '.join(values)}) VALUES ({', '.join(['%s'] * len(values))})",
                          list(values.values()))
        self.attend(who, opt_in=opt_in, checked_in=checked_in)
        self.people.append(who)
        return who

    def attend(self, who, *, opt_in=True, checked_in=None):
        self.conn.execute(
            "INSERT INTO convene.event_attendees (event_id, contractor_id, peer_matching_opt_in, checked_in_at) VALUES (%s, %s, %s, %s)",
            [self.event, who.id, opt_in, None if checked_in is None else self.at(checked_in)])

    def match(self, one, other, score=0.9, **columns):
        first, second = sorted((one.id, other.id))
        values = {"event_id": self.event, "contractor1_id": first, "contractor2_id": second, "match_type": "ideal_peer",
                  "match_score": score, "match_reason": "Both focused on hiring.", **columns}
        return self.conn.execute(
            f"INSERT INTO convene.event_peer_matches ({', '.join(values)}) VALUES ({', '.join(['%s'] * len(values))}) RETURNING id",
            list(values.values())).fetchone()[0]

    # What is done.

    def one(self, statement, *values, conn=None):
        row = (conn or self.conn).execute(statement, values).fetchone()
        return row and row[0]

    def introduce(self, match, hour=10, message=None, conn=None):
        return self.one("SELECT convene.send_peer_introduction(%s, %s, %s)", match, message, self.at(hour), conn=conn)

    def say(self, who, body, hour=10, external_id=None, conn=None):
        phone = who if isinstance(who, str) else who.phone
        return self.one("SELECT convene.handle_peer_message(%s, %s, %s, %s)", phone, body, self.at(hour), external_id, conn=conn)

    def respond(self, match, who, yes, hour=10, conn=None):
        return self.one("SELECT convene.record_peer_response(%s, %s, %s, %s)", match, who.id, yes, self.at(hour), conn=conn)

    def dispatch(self, hour, conn=None):
        return self.one("SELECT convene.dispatch_due_prompts(%s, %s)", self.event, self.at(hour), conn=conn)

    def deliver(self, hour=None, conn=None):
        """A worker that sends everything at once; what it sent, as (to, kind, body)."""
        conn = conn or self.conn
        sent = []
        while claimed := conn.execute("SELECT id, payload, lease_token FROM convene.claim_outbox('sms', 100)").fetchall():
            for job, payload, token in claimed:
                conn.execute("SELECT convene.ack_outbox(%s, NULL, %s)", [job, token])
                sent.append((payload["to"], payload["kind"], payload["body"]))
        return sent

    # What came of it.

    def responses(self, match):
        return self.conn.execute("SELECT contractor1_response, contractor2_response, contacts_exchanged_at IS NOT NULL"
                                 " FROM convene.event_peer_matches WHERE id = %s", [match]).fetchone()

    def response(self, match, who):
        return self.one("SELECT CASE contractor1_id WHEN %s THEN contractor1_response ELSE contractor2_response END"
                        " FROM convene.event_peer_matches WHERE id = %s", who.id, match)

    def sent(self, who, *kinds, statuses=("queued", "sent")):
        """Kinds of what went out to a person, in order."""
        rows = self.conn.execute("SELECT kind FROM convene.peer_messages WHERE contractor_id = %s AND direction = 'out'"
                                 " AND status = ANY (%s) ORDER BY coalesce(queued_at, created_at), created_at, id",
                                 [who.id, list(statuses)]).fetchall()
        return [kind for kind, in rows if not kinds or kind in kinds]

    def waiting(self, who):
        return self.conn.execute("SELECT kind, due_at FROM convene.peer_messages WHERE contractor_id = %s AND status = 'waiting'"
                                 " ORDER BY due_at, id", [who.id]).fetchall()

    def open(self, who):
        """The kind of the question that is open."""
        return self.one("SELECT kind FROM convene.peer_messages WHERE contractor_id = %s AND is_prompt AND closed_at IS NULL"
                        " AND status IN ('queued', 'sent')", who.id)

    def opted_in(self, who):
        return self.one("SELECT peer_matching_opt_in FROM convene.event_attendees WHERE contractor_id = %s AND event_id = %s",
                        who.id, self.event)

    def set(self, key, value):
        self.conn.execute("UPDATE convene.settings SET value = %s WHERE key = %s", [value, key])
