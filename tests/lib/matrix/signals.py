"""The cells of domain signals. The two views are tried as the tables are."""

IMPRESSIONS = {
    "select": "SELECT id FROM {t} WHERE event_id = {event}", "insert": "INSERT INTO {t} (event_id, created_at) VALUES ({event}, now())",
    "update": "UPDATE {t} SET source = 'x' WHERE event_id = {event}", "delete": "DELETE FROM {t} WHERE event_id = {event}",
}
STATEMENTS = {
    "event_impressions": IMPRESSIONS,
    # A view has no defaults of its own.
    "event_impressions_p": {**IMPRESSIONS, "insert": "INSERT INTO {t} (id, event_id, impressions, created_at)"
                                                     " VALUES (gen_random_uuid(), {event}, 1, now())"},
    "ticket_analytics": IMPRESSIONS,
    "ticket_analytics_p": {**IMPRESSIONS, "insert": "INSERT INTO {t} (id, event_id, ticket_views, created_at)"
                                                    " VALUES (gen_random_uuid(), {event}, 1, now())"},
    "post_views": {
        **IMPRESSIONS, "insert": "INSERT INTO {t} (event_id, post_id) VALUES ({event}, 'p')",
        "update": "UPDATE {t} SET views = 2 WHERE event_id = {event}",
    },
    **{
        f"event_signal_{name}": {
            "select": "SELECT event_id FROM {t} WHERE event_id = {event}", "insert": "INSERT INTO {t} (" + columns + ") VALUES (" + values + ")",
            "update": "UPDATE {t} SET impressions = 9 WHERE event_id = {event}", "delete": "DELETE FROM {t} WHERE event_id = {event}",
        } for name, columns, values in (("deltas", "event_id", "{event}"), ("totals", "event_id", "{event}"),
                                        ("months", "event_id, month", "{event}, '2024-02-01'"))
    },
    "event_video_counters": {
        "select": "SELECT video_id FROM {t} WHERE event_id = {event}", "insert": "INSERT INTO {t} (event_id, video_id) VALUES ({event}, 'w')",
        "update": "UPDATE {t} SET views = 9 WHERE event_id = {event}", "delete": "DELETE FROM {t} WHERE event_id = {event}",
    },
}


def add_rows(world, conn):
    """A signal of each kind for every event."""
    for name in ("a", "b", "draft"):
        event = world.rows[name]["event"]
        conn.execute("INSERT INTO convene.event_impressions (event_id, country) VALUES (%s, 'BE')", [event])
        conn.execute("INSERT INTO convene.ticket_analytics (event_id, ticket_views) VALUES (%s, 1)", [event])
        conn.execute("INSERT INTO convene.post_views (event_id, post_id) VALUES (%s, 'p')", [event])
        conn.execute("INSERT INTO convene.event_video_counters (event_id, video_id) VALUES (%s, 'v')", [event])
        conn.execute("INSERT INTO convene.event_signal_totals (event_id) VALUES (%s)", [event])
        conn.execute("INSERT INTO convene.event_signal_months (event_id, month) VALUES (%s, '2024-01-01')", [event])
