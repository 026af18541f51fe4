"""The cells of domain platform."""

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
    "scoring_weights": {
        "select": "SELECT id FROM {t} WHERE event_id IS NOT DISTINCT FROM {event}",
        "insert": "INSERT INTO {t} (surface, name, event_id, weights) VALUES ('networking', 'n', {event}, '{{}}')",
        "update": "UPDATE {t} SET name = 'x' WHERE event_id = {event}", "delete": "DELETE FROM {t} WHERE event_id = {event}",
    },
    "outbox": {
        "select": "SELECT id FROM {t} LIMIT 1", "insert": "INSERT INTO {t} (topic, target_kind, target_id) VALUES ('x', 'x', {new})",
        "update": "UPDATE {t} SET priority = 9", "delete": "DELETE FROM {t}",
    },
    "job_runs": {
        "select": "SELECT id FROM {t} LIMIT 1", "insert": "INSERT INTO {t} (job) VALUES ('x')",
        "update": "UPDATE {t} SET done = 9", "delete": "DELETE FROM {t}",
    },
}


def add_rows(world, conn):
    """Something to do, and something that ran."""
    conn.execute("INSERT INTO convene.outbox (topic, target_kind, target_id) VALUES ('sms', 'match', gen_random_uuid())")
    conn.execute("INSERT INTO convene.job_runs (job) VALUES ('cleanup')")
