"""The cells of domain leads."""

from .sponsorship import add_sponsors

_PAIR = "WHERE sponsor_id = {sponsor} AND attendee_id = {person}"

STATEMENTS = {
    "models": {
        "select": "SELECT id FROM {t} LIMIT 1",
        "insert": "INSERT INTO {t} (kind, scope, version, algorithm, model) VALUES ('lead', 'x', 1, 'rule', '{{}}')",
        "update": "UPDATE {t} SET is_active = true", "delete": "DELETE FROM {t}",
    },
    "lead_scoring": {
        "select": f"SELECT lead_score FROM {{t}} {_PAIR}", "select-notes": f"SELECT notes FROM {{t}} {_PAIR}",
        "insert": f"DELETE FROM {{t}} {_PAIR} ;;"
                  " INSERT INTO {t} (event_id, sponsor_id, attendee_id, lead_score) VALUES ({event}, {sponsor}, {person}, 100)",
        "update": f"UPDATE {{t}} SET status = 'closed_won' {_PAIR}", "update-score": f"UPDATE {{t}} SET lead_score = 100 {_PAIR}",
        "update-consented": f"UPDATE {{t}} SET consented = true {_PAIR}", "delete": f"DELETE FROM {{t}} {_PAIR}",
    },
    "lead_interactions": {
        "select": f"SELECT kind FROM {{t}} {_PAIR} LIMIT 1", "select-details": f"SELECT details FROM {{t}} {_PAIR} LIMIT 1",
        "insert": "INSERT INTO {t} (event_id, sponsor_id, attendee_id, kind) VALUES ({event}, {sponsor}, {person}, 'badge_scan')",
        "update": f"UPDATE {{t}} SET kind = 'badge_scan' {_PAIR}", "delete": f"DELETE FROM {{t}} {_PAIR}",
    },
    "crm_sync_queue": {
        "select": "SELECT id FROM {t} WHERE sponsor_id = {sponsor}",
        "insert": "INSERT INTO {t} (lead_id, sponsor_id, crm_type) VALUES (gen_random_uuid(), {sponsor}, 'hubspot')",
        "update": "UPDATE {t} SET priority = 9 WHERE sponsor_id = {sponsor}", "delete": "DELETE FROM {t} WHERE sponsor_id = {sponsor}",
    },
}


def add_rows(world, conn):
    """Leads of each event's sponsor: at a one who agreed to sponsors, one whose badge was scanned and one who did neither; at b
    one who agreed. Who agreed is the last attendee, so that the others' consent is still theirs to give."""
    add_sponsors(world, conn)
    conn.execute("INSERT INTO convene.models (kind, version, algorithm, model) VALUES ('lead', 1, 'rule', '{}')")
    for name, sponsor, event, number, scanned, agreed in (
        ("lead_a", "sponsor_a", world.alpha, 2, False, True), ("scanned_a", "sponsor_a", world.alpha, 1, True, False),
        ("hidden_a", "sponsor_a", world.alpha, 0, False, False), ("lead_b", "sponsor_b", world.beta, 2, False, True),
    ):
        row = world.rows[name] = {**world.rows[sponsor], "person": event.people[number].id}
        if agreed:
            conn.execute("UPDATE convene.attendees SET sponsor_consent = true WHERE id = %s", [row["person"]])
        conn.execute("INSERT INTO convene.lead_interactions (sponsor_id, attendee_id, kind) VALUES (%s, %s, %s)",
                     [row["sponsor"], row["person"], "badge_scan" if scanned else "booth_visit"])
        conn.execute("INSERT INTO convene.lead_scoring (event_id, sponsor_id, attendee_id, lead_score, notes) VALUES (%s, %s, %s, 50, 'x')",
                     [row["event"], row["sponsor"], row["person"]])
        conn.execute("INSERT INTO convene.crm_sync_queue (lead_id, sponsor_id, crm_type) VALUES (%s, %s, 'hubspot')",
                     [row["person"], row["sponsor"]])
