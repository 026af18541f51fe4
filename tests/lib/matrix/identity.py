"""The cells of domain identity."""

from ..factory import ident

STATEMENTS = {
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
    "roles": {
        "select": "SELECT id FROM {t} WHERE organization_id = {organization} LIMIT 1",
        "insert": "INSERT INTO {t} (organization_id, name) VALUES ({organization}, 'x')",
        "update": "UPDATE {t} SET permissions = '{{}}' WHERE organization_id = {organization}",
        "delete": "DELETE FROM {t} WHERE organization_id = {organization}",
    },
    "users": {
        "select": "SELECT id FROM {t} WHERE id = {user}", "select-hash": "SELECT password_hash FROM {t} WHERE id = {user}",
        "insert": "INSERT INTO {t} (organization_id, first_name, last_name, email) VALUES ({organization}, 'x', 'x', 'x')",
        "update": "UPDATE {t} SET phone = 'x' WHERE id = {user}", "update-role": "UPDATE {t} SET role_id = NULL, department = 'x' WHERE id = {user}",
        "update-hash": "UPDATE {t} SET password_hash = 'x' WHERE id = {user}", "delete": "DELETE FROM {t} WHERE id = {user}",
    },
    "person_blocks": {
        "select": "SELECT 1 FROM {t} WHERE blocker_profile = {sub}",
        "insert": "INSERT INTO {t} (blocker_profile, blocked_profile) VALUES ({sub}, {other})",
        "update": "UPDATE {t} SET created_at = now() WHERE blocker_profile = {sub}",
        "delete": "DELETE FROM {t} WHERE blocker_profile = {sub}",
    },
    "person_reports": {
        "select": "SELECT id FROM {t} WHERE reporter_profile = {sub}",
        "insert": "INSERT INTO {t} (event_id, reporter_profile, reported_profile, reason) VALUES ({event}, {sub}, {other}, 'x')",
        "update": "UPDATE {t} SET status = 'upheld' WHERE reporter_profile = {sub}",
        "update-reason": "UPDATE {t} SET reason = 'x' WHERE reporter_profile = {sub}",
        "delete": "DELETE FROM {t} WHERE reporter_profile = {sub}",
    },
}


def add_rows(world, conn):
    """A block and a report by an attendee of each event; an owner of organization a; the users as rows."""
    for name in ("a", "b"):
        row, event = world.rows[f"attendee_{name}"], world.rows[name]["event"]
        row["other"], third = ident("reported", name), ident("blocked", name)
        conn.execute("INSERT INTO convene.profiles (id) VALUES (%s), (%s)", [row["other"], third])
        conn.execute("INSERT INTO convene.person_blocks (blocker_profile, blocked_profile) VALUES (%s, %s)", [row["sub"], third])
        conn.execute("INSERT INTO convene.person_reports (event_id, reporter_profile, reported_profile, reason) VALUES (%s, %s, %s, 'x')",
                     [event, row["sub"], row["other"]])
    for name in ("clerk_a", "staff_b"):
        event = world.rows[name[-1]]
        world.rows[name] = {**event, "user": world.users[name]}
