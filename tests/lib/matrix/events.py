"""The cells of domain events.

spare_a and spare_b are events without anything; announcements go with the materials of the same name, a-unsent is a draft of one.
What colleague_a said is anonymous."""

from ..factory import ident

STATEMENTS = {
    "event_revisions": {
        "select": "SELECT rev FROM {t} WHERE event_id = {event} LIMIT 1", "insert": "INSERT INTO {t} (event_id) VALUES ({event})",
        "update": "UPDATE {t} SET rev = 1 WHERE event_id = {event}", "delete": "DELETE FROM {t} WHERE event_id = {event}",
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
        "update": "UPDATE {t} SET title = 'x' WHERE id = {session}",
        "update-count": "UPDATE {t} SET current_registrations = 5 WHERE id = {session}", "delete": "DELETE FROM {t} WHERE id = {session}",
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
    "event_announcements": {
        "select": "SELECT id FROM {t} WHERE id = {announcement}",
        "select-segments": "SELECT target_segments FROM {t} WHERE id = {announcement}",
        "insert": "INSERT INTO {t} (event_id, title, content) VALUES ({event}, 'x', 'x')",
        "update": "UPDATE {t} SET status = 'cancelled' WHERE id = {announcement}",
        "update-count": "UPDATE {t} SET open_count = 5 WHERE id = {announcement}",
        "update-sent": "UPDATE {t} SET sent_at = now() WHERE id = {announcement}", "delete": "DELETE FROM {t} WHERE id = {announcement}",
    },
    "event_feedback": {
        "select": "SELECT id FROM {t} WHERE attendee_id = {person}",
        "insert": "INSERT INTO {t} (event_id, session_id, attendee_id, session_rating) VALUES ({event}, {session}, {person}, 5)",
        "update": "UPDATE {t} SET overall_rating = 1 WHERE attendee_id = {person}", "delete": "DELETE FROM {t} WHERE attendee_id = {person}",
    },
    "event_analytics": {
        "select": "SELECT id FROM {t} WHERE event_id = {event}", "insert": "INSERT INTO {t} (event_id, metric_name) VALUES ({event}, 'x')",
        "update": "UPDATE {t} SET metric_value = 1 WHERE event_id = {event}", "delete": "DELETE FROM {t} WHERE event_id = {event}",
    },
}


def add_rows(world, conn):
    """Announcements, feedback and measured values; an event to delete or to give away in each organization."""
    for name, audience, status in (("a-public", "all", "sent"), ("a-attendees", "attendees", "sent"), ("a-organizers", "organizers", "sent"),
                                   ("b-attendees", "attendees", "sent"), ("draft-public", "all", "sent"), ("a-unsent", "all", "draft")):
        row = world.rows.setdefault(name, dict(world.rows["a"]))
        row["announcement"] = ident("announcement", name)
        conn.execute("INSERT INTO convene.event_announcements (id, event_id, title, content, target_audience, status)"
                     " VALUES (%s, %s, 'x', 'x', %s, %s)", [row["announcement"], row["event"], audience, status])
    for name, anonymous in (("attendee_a", False), ("colleague_a", True), ("attendee_b", False)):
        row = world.rows[name]
        conn.execute("INSERT INTO convene.event_feedback (event_id, attendee_id, overall_rating, is_anonymous) VALUES (%s, %s, 4, %s)",
                     [row["event"], row["person"], anonymous])
    for name in ("a", "b"):
        row = world.rows[name]
        conn.execute("INSERT INTO convene.event_analytics (event_id, metric_name, metric_value) VALUES (%s, 'visits', 3)", [row["event"]])
        spare = world.rows[f"spare_{name}"] = {"event": ident("spare", name), "organization": row["organization"]}
        conn.execute("INSERT INTO convene.events (id, organization_id, title) VALUES (%(event)s, %(organization)s, 'Spare')", spare)
