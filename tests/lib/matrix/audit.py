"""The cells of domain audit: rows that the making of each event left behind."""

STATEMENTS = {
    "audit_log": {
        "select": "SELECT id FROM {t} WHERE event_id = {event} LIMIT 1",
        "insert": "INSERT INTO {t} (actor_role, login, table_name, action, changes, event_id)"
                  " VALUES ('x', 'x', 'events', 'update', '{{}}', {event})",
        "update": "UPDATE {t} SET redacted_at = now() WHERE event_id = {event}", "delete": "DELETE FROM {t} WHERE event_id = {event}",
    },
}
