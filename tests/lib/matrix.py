"""The world of tests/data/roles.csv, and how each of its cells is tried.

Two organizations with a published event each, a and b; a also has a draft. Rows of a person are named after the person:
attendee_a, their colleague_a of the same event, attendee_b."""

import psycopg

from .access import as_role
from .factory import ident, make_event, make_world

NEW = "00000000-0000-4000-8000-000000000001"

# Statement by table and verb; {id} and the like are values of the row. A statement before `;;` prepares as a superuser.
STATEMENTS = {
    "schema_version": {
        "select": "SELECT version FROM {t}", "insert": "INSERT INTO {t} (version, description) VALUES ('9', '')",
        "update": "UPDATE {t} SET description = 'x'", "delete": "DELETE FROM {t}",
    },
    "settings": {
        "select": "SELECT key FROM {t} WHERE key = 'trust_jwt_email'",
        "insert": "INSERT INTO {t} (key, value, description) VALUES ('k', '1', '')",
        "update": "UPDATE {t} SET value = 'true' WHERE key = 'trust_jwt_email'",
        "delete": "DELETE FROM {t} WHERE key = 'trust_jwt_email'",
    },
    "embedding_models": {
        "select": "SELECT model FROM {t} WHERE model = 'spare'", "insert": "INSERT INTO {t} (model, dimensions) VALUES ('m', 3)",
        "update": "UPDATE {t} SET is_default = false WHERE model = 'spare'", "delete": "DELETE FROM {t} WHERE model = 'spare'",
    },
    "embedding_queue": {
        "select": "SELECT id FROM {t} WHERE target_id = {session} LIMIT 1",
        "insert": "INSERT INTO {t} (target_kind, target_id, event_id) VALUES ('session', {session}, {event})",
        "update": "UPDATE {t} SET priority = 9 WHERE target_id = {session}", "delete": "DELETE FROM {t} WHERE target_id = {session}",
    },
    "event_revisions": {
        "select": "SELECT rev FROM {t} WHERE event_id = {event} LIMIT 1", "insert": "INSERT INTO {t} (event_id) VALUES ({event})",
        "update": "UPDATE {t} SET rev = 1 WHERE event_id = {event}", "delete": "DELETE FROM {t} WHERE event_id = {event}",
    },
    "scoring_weights": {
        "select": "SELECT id FROM {t} WHERE event_id IS NOT DISTINCT FROM {event}",
        "insert": "INSERT INTO {t} (surface, name, event_id, weights) VALUES ('networking', 'n', {event}, '{{}}')",
        "update": "UPDATE {t} SET name = 'x' WHERE event_id = {event}", "delete": "DELETE FROM {t} WHERE event_id = {event}",
    },
    "profiles": {
        "select": "SELECT id FROM {t} WHERE id = {sub}", "insert": "INSERT INTO {t} (id, full_name) VALUES ({new}, 'x')",
        "update": "UPDATE {t} SET full_name = 'x' WHERE id = {sub}", "update-email": "UPDATE {t} SET email = 'x' WHERE id = {sub}",
        "delete": "DELETE FROM {t} WHERE id = {sub}",
    },
    "organizations": {
        "select": "SELECT id FROM {t} WHERE id = {organization}", "insert": "INSERT INTO {t} (name, slug) VALUES ('x', 'x')",
        "update": "UPDATE {t} SET name = 'x' WHERE id = {organization}", "delete": "DELETE FROM {t} WHERE id = {organization}",
    },
    "organization_members": {
        "select": "SELECT 1 FROM {t} WHERE organization_id = {organization} LIMIT 1",
        "insert": "INSERT INTO {t} (organization_id, profile_id, member_role) VALUES ({organization}, {me}, 'owner')",
        "update": "UPDATE {t} SET member_role = 'owner' WHERE organization_id = {organization}",
        "delete": "DELETE FROM {t} WHERE organization_id = {organization}",
    },
    "venues": {
        "select": "SELECT id FROM {t} WHERE id = {venue}",
        "insert": "INSERT INTO {t} (organization_id, name) VALUES ({organization}, 'x')",
        "update": "UPDATE {t} SET name = 'x' WHERE id = {venue}", "delete": "DELETE FROM {t} WHERE id = {venue}",
    },
    "events": {
        "select": "SELECT id FROM {t} WHERE id = {event}",
        "insert": "INSERT INTO {t} (organization_id, title) VALUES ({organization}, 'x')",
        "update": "UPDATE {t} SET title = 'x' WHERE id = {event}",
        "update-to-b": "UPDATE {t} SET organization_id = {other_organization} WHERE id = {event}",
        "delete": "DELETE FROM {t} WHERE id = {event}",
    },
    "speakers": {
        "select": "SELECT id FROM {t} WHERE event_id = {event}",
        "select-fee": "SELECT speaker_fee FROM {t} WHERE event_id = {event}",
        "insert": "INSERT INTO {t} (event_id, full_name) VALUES ({event}, 'x')",
        "update": "UPDATE {t} SET status = 'confirmed' WHERE event_id = {event}", "delete": "DELETE FROM {t} WHERE event_id = {event}",
    },
    "sessions": {
        "select": "SELECT id FROM {t} WHERE id = {session}",
        "insert": "INSERT INTO {t} (event_id, title, start_time, end_time) VALUES ({event}, 'x', now(), now() + interval '1 h')",
        "update": "UPDATE {t} SET title = 'x' WHERE id = {session}", "delete": "DELETE FROM {t} WHERE id = {session}",
    },
    "attendees": {
        "select": "SELECT id FROM {t} WHERE id = {person}",
        "insert": "INSERT INTO {t} (event_id, full_name) VALUES ({event}, 'x')",
        "update": "UPDATE {t} SET full_name = 'x' WHERE id = {person}",
        "update-consent": "UPDATE {t} SET sponsor_consent = true WHERE id = {person}",
        "update-status": "UPDATE {t} SET status = 'checked_in' WHERE id = {person}",
        "update-profile": "UPDATE {t} SET profile_id = NULL WHERE id = {person}",
        "delete": "DELETE FROM {t} WHERE id = {person}",
    },
    "event_materials": {
        "select": "SELECT id FROM {t} WHERE id = {material}", "insert": "INSERT INTO {t} (event_id, title) VALUES ({event}, 'x')",
        "update": "UPDATE {t} SET title = 'x' WHERE id = {material}", "delete": "DELETE FROM {t} WHERE id = {material}",
    },
    "attendee_preferences": {
        "select": "SELECT id FROM {t} WHERE attendee_id = {person}",
        "insert": "DELETE FROM {t} WHERE attendee_id = {person} ;; INSERT INTO {t} (attendee_id, event_id) VALUES ({person}, {event})",
        "update": "UPDATE {t} SET preferred_topics = '{{x}}' WHERE attendee_id = {person}",
        "update-rev": "UPDATE {t} SET rev = 1 WHERE attendee_id = {person}", "delete": "DELETE FROM {t} WHERE attendee_id = {person}",
    },
    "session_interactions": {
        "select": "SELECT 1 FROM {t} WHERE attendee_id = {person} LIMIT 1",
        "insert": "DELETE FROM {t} WHERE attendee_id = {person} ;; INSERT INTO {t} (attendee_id, event_id, session_id, kind)"
                  " VALUES ({person}, {event}, {session}, 'browsed')",
        "update": "UPDATE {t} SET at = now() - interval '1 h' WHERE attendee_id = {person}",
        "delete": "DELETE FROM {t} WHERE attendee_id = {person}",
    },
    "session_embeddings": {
        "select": "SELECT id FROM {t} WHERE session_id = {session}",
        "insert": "DELETE FROM {t} WHERE session_id = {session} ;; INSERT INTO {t} (session_id, event_id, embedding, source_text,"
                  " embedding_model) VALUES ({session}, {event}, '[1,2,3,4,5,6,7,8]', 'x', 'test-model-8')",
        "update": "UPDATE {t} SET source_text = 'x' WHERE session_id = {session}",
        "delete": "DELETE FROM {t} WHERE session_id = {session}",
    },
    "session_weights": {
        "select": "SELECT session_id FROM {t} WHERE event_id = {event} LIMIT 1",
        "insert": "DELETE FROM {t} WHERE event_id = {event} ;; INSERT INTO {t} VALUES ({event}, {session}, '{{}}', '{{}}', '{{}}', 'ease')",
        "update": "UPDATE {t} SET algorithm = 'bm25' WHERE event_id = {event}", "delete": "DELETE FROM {t} WHERE event_id = {event}",
    },
    "recommendation_models": {
        "select": "SELECT event_id FROM {t} WHERE event_id = {event}",
        "insert": "DELETE FROM {t} WHERE event_id = {event} ;;"
                  " INSERT INTO {t} (event_id, algorithm, interactions, people, sessions) VALUES ({event}, 'ease', 1, 1, 1)",
        "update": "UPDATE {t} SET interactions = 9 WHERE event_id = {event}", "delete": "DELETE FROM {t} WHERE event_id = {event}",
    },
    "event_popularity": {
        "select": "SELECT event_id FROM {t} WHERE event_id = {event}",
        "insert": "DELETE FROM {t} WHERE event_id = {event} ;;"
                  " INSERT INTO {t} (event_id, session_ids, people, interactions) VALUES ({event}, '{{}}', '{{}}', 0)",
        "update": "UPDATE {t} SET interactions = 9 WHERE event_id = {event}", "delete": "DELETE FROM {t} WHERE event_id = {event}",
    },
    "recommendation_cache": {
        "select": "SELECT attendee_id FROM {t} WHERE attendee_id = {person}",
        "insert": "DELETE FROM {t} WHERE attendee_id = {person} ;; INSERT INTO {t} (attendee_id, event_id, attendee_rev, fingerprint,"
                  " valid_from, valid_until, picks) VALUES ({person}, {event}, 0, 'x', now(), now(), '')",
        "update": "UPDATE {t} SET fingerprint = 'x' WHERE attendee_id = {person}",
        "delete": "DELETE FROM {t} WHERE attendee_id = {person}",
    },
    "recommendation_history": {
        "select": "SELECT id FROM {t} WHERE attendee_id = {person} LIMIT 1",
        "insert": "INSERT INTO {t} (attendee_id, event_id, recommended_item_type, recommended_item_id, recommendation_algorithm)"
                  " VALUES ({person}, {event}, 'session', {session}, 'hybrid')",
        "update": "UPDATE {t} SET clicked = true WHERE attendee_id = {person}",
        "delete": "DELETE FROM {t} WHERE attendee_id = {person}",
    },
}


class World:
    """The rows and the people, made once."""

    def __init__(self, conn):
        alpha, beta = make_world(conn, sessions=8, embeddings=8, interactions=3, preferences=True)
        draft = _draft(conn, alpha)
        viewer = ident("viewer")
        conn.execute("INSERT INTO convene.profiles (id) VALUES (%s)", [viewer])
        conn.execute("INSERT INTO convene.organization_members (organization_id, profile_id, member_role)"
                     " VALUES (%s, %s, 'viewer')", [alpha.organization, viewer])
        self.roles = {
            "anon": ("anon", None), "attendee_a": ("authenticated", alpha.people[0].sub),
            "attendee_b": ("authenticated", beta.people[0].sub), "organizer_a": ("authenticated", alpha.organizer),
            "viewer_a": ("authenticated", viewer), "service": ("service_role", None), "nobody": ("nobody", None),
        }
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


