"""The world of tests/data/roles/*.csv, and how each of its cells is tried.

Two organizations with a published event each, a and b; a also has a draft. Rows of a person are named after the person:
attendee_a, their colleague_a of the same event, attendee_b. A module of this package for each domain: STATEMENTS by table
and verb, where {id} and the like are values of the row and a statement before `;;` prepares as a superuser; and, where the
domain has rows of its own, add_rows(world, conn), which makes them and adds their ids to world.rows."""

import csv
import importlib
import json
import pkgutil
from pathlib import Path

import psycopg

from ..access import as_role
from ..factory import ident, make_event, make_world

NEW = "00000000-0000-4000-8000-000000000001"
DATA = Path(__file__).resolve().parents[2] / "data" / "roles"

# Everybody who tries, a column each in the files.
PEOPLE = ["anon", "attendee_a", "attendee_b", "organizer_a", "organizer_b", "viewer_a", "staff_a", "staff_b", "clerk_a",
          "sponsor_a", "sponsor_b", "service", "nobody"]

# What a role permits: staff everything in the CRM, a clerk their own records, a viewer has no role.
CRM_AREAS = ["contacts", "companies", "leads", "opportunities", "interactions", "campaigns", "tasks", "notes", "promoters", "analytics"]
STAFF = {area: {"read": True, "write": True, "delete": True} for area in CRM_AREAS}
CLERK = {area: {"read": "own", "write": "own"} for area in ("contacts", "companies", "leads", "opportunities", "interactions", "tasks", "notes")}

DOMAINS = [importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
STATEMENTS = {table: verbs for domain in DOMAINS for table, verbs in domain.STATEMENTS.items()}


def cells():
    """Every line of every domain's file."""
    return [cell for file in sorted(DATA.glob("*.csv")) for cell in csv.DictReader(file.open())]


class World:
    """The rows and the people, made once."""

    def __init__(self, conn):
        alpha, beta = make_world(conn, sessions=8, embeddings=8, interactions=3, preferences=True)
        draft = _draft(conn, alpha)
        self.alpha, self.beta, self.draft = alpha, beta, draft
        self.roles = {
            "anon": ("anon", None), "attendee_a": ("authenticated", alpha.people[0].sub),
            "attendee_b": ("authenticated", beta.people[0].sub), "organizer_a": ("authenticated", alpha.organizer),
            "organizer_b": ("authenticated", beta.organizer), "service": ("service_role", None), "nobody": ("nobody", None),
            "sponsor_a": ("authenticated", ident("sponsor_a")), "sponsor_b": ("authenticated", ident("sponsor_b")),
        }
        # Their ids in convene.users, by name.
        self.users = {}
        self._add_member(conn, alpha, "viewer_a", "viewer", None)
        self._add_member(conn, alpha, "staff_a", "staff", STAFF)
        self._add_member(conn, beta, "staff_b", "staff", STAFF)
        self._add_member(conn, alpha, "clerk_a", "staff", CLERK)
        for name in ("sponsor_a", "sponsor_b"):
            conn.execute("INSERT INTO convene.profiles (id) VALUES (%s)", [ident(name)])
        self.other_organization = beta.organization
        self.stranger = beta.people[1].sub
        self.rows = {"any": {}, "new": {}, "somebody": {"new": NEW}, "everybody": {"event": None}}
        for name, event in (("a", alpha), ("b", beta), ("draft", draft)):
            self.rows[name] = _of_event(event)
        for name, event, number in (("attendee_a", alpha, 0), ("colleague_a", alpha, 1), ("attendee_b", beta, 0)):
            person = event.people[number]
            self.rows[name] = {**_of_event(event), "person": person.id, "sub": person.sub}
        self.rows["organizer_a"] = {"sub": alpha.organizer}
        self.rows["unused"] = {"organization": ident("unused")}
        self._materials(conn, alpha, beta, draft)
        self._rest(conn, alpha, beta, draft)
        for domain in DOMAINS:
            if hasattr(domain, "add_rows"):
                domain.add_rows(self, conn)

    def _add_member(self, conn, event, name, member_role, permissions):
        """Somebody of the event's organization, with a role of their own name where they have permissions."""
        sub, self.users[name], role = ident(name), ident("user", name), ident("role", name) if permissions else None
        self.roles[name] = ("authenticated", sub)
        conn.execute("INSERT INTO convene.profiles (id) VALUES (%s)", [sub])
        if permissions:
            conn.execute("INSERT INTO convene.roles (id, organization_id, name, permissions) VALUES (%s, %s, %s, %s)",
                         [role, event.organization, name, json.dumps(permissions)])
        conn.execute("INSERT INTO convene.organization_members (organization_id, profile_id, role_id, member_role)"
                     " VALUES (%s, %s, %s, %s)", [event.organization, sub, role, member_role])
        conn.execute("INSERT INTO convene.users (id, organization_id, profile_id, first_name, last_name, email)"
                     " VALUES (%s, %s, %s, %s, 'User', %s)", [self.users[name], event.organization, sub, name, f"{name}@staff.example"])

    def _materials(self, conn, alpha, beta, draft):
        for event, prefix, level in ((alpha, "a", "public"), (alpha, "a", "attendees_only"), (alpha, "a", "organizers_only"),
                                     (beta, "b", "attendees_only"), (draft, "draft", "public")):
            name = f"{prefix}-{level.removesuffix('_only')}"
            self.rows[name] = {**_of_event(event), "material": ident("material", name)}
            conn.execute("INSERT INTO convene.event_materials (id, event_id, title, access_level) VALUES (%s, %s, 'x', %s)",
                         [self.rows[name]["material"], event.id, level])

    def _rest(self, conn, alpha, beta, draft):
        conn.execute("INSERT INTO convene.organizations (id, name, slug) VALUES (%s, 'Unused', 'unused')", [ident("unused")])
        conn.execute("INSERT INTO convene.embedding_models (model, dimensions) VALUES ('spare', 4)")
        conn.execute("INSERT INTO convene.scoring_weights (surface, name, weights) VALUES ('recommendations', 'all', '{}')")
        for event in (alpha, beta, draft):
            conn.execute("INSERT INTO convene.speakers (event_id, full_name, speaker_fee) VALUES (%s, 'S', 1)", [event.id])
            conn.execute("INSERT INTO convene.scoring_weights (surface, name, event_id, weights)"
                         " VALUES ('recommendations', 'own', %s, '{}')", [event.id])
            conn.execute("SELECT convene.refresh_event_recommendations(%s, true)", [event.id])
            conn.execute("INSERT INTO convene.session_weights VALUES (%s, %s, '{}', '{}', '{}', 'ease') ON CONFLICT DO NOTHING",
                         [event.id, event.sessions[0]])
            for person in event.people:
                conn.execute("SELECT convene.serve_session_recommendations(%s, %s)", [person.id, event.id])

    def attempt(self, conn, table, verb, row, who):
        """What somebody's attempt comes to: allow, deny or filtered. Undone afterwards."""
        role, sub = self.roles[who]
        values = {"me": sub or self.stranger, "other_organization": self.other_organization, **self.rows[row]}
        before, _, statement = STATEMENTS[table][verb].rpartition(" ;; ")
        with conn.transaction(force_rollback=True):
            if before:
                conn.execute(*_bound(before, table, values))
            try:
                with as_role(conn, role, sub), conn.transaction():
                    done = conn.execute(*_bound(statement, table, values))
                    return "allow" if done.rowcount > 0 else "filtered"
            except psycopg.errors.InsufficientPrivilege:
                return "deny"


def _draft(conn, alpha):
    draft = make_event(conn, "draft", sessions=4, embeddings=8, status="draft", interactions=0, attendees=0)
    conn.execute("UPDATE convene.events SET organization_id = %s WHERE id = %s", [alpha.organization, draft.id])
    conn.execute("UPDATE convene.venues SET organization_id = %s WHERE id = %s", [alpha.organization, draft.venue])
    draft.organization = alpha.organization
    return draft


def _of_event(event):
    return {"event": event.id, "organization": event.organization, "venue": event.venue, "session": event.sessions[0]}


class _Marks(dict):
    def __missing__(self, name):
        return f"%({name})s"


def _bound(statement, table, values):
    text = statement.format_map(_Marks(t=f"convene.{table}"))
    return text, {name: value for name, value in values.items() if f"%({name})s" in text} or None


