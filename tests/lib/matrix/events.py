"""The cells of domain events."""

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
}
