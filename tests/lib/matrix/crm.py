"""The cells of domain crm.

Rows a and b are made by, and assigned to, staff_a and staff_b; clerks_a by and to clerk_a; private_a is staff_a's private note."""

from ..factory import ident

TABLES = ["companies", "contacts", "leads", "opportunities", "interactions", "campaigns", "campaign_recipients", "tasks", "notes"]

# Columns and values of a new row, and a change.
NEW_ROW = {
    "companies": ("name", "'x'"), "contacts": ("first_name, last_name, email", "'x', 'x', 'x@new.example'"),
    "leads": ("contact_id, lead_source", "{contacts}, 'event'"), "opportunities": ("name", "'x'"),
    "interactions": ("interaction_type", "'phone'"), "campaigns": ("name", "'x'"), "tasks": ("title", "'x'"), "notes": ("content", "'x'"),
}
CHANGE = {
    "companies": "name = 'x'", "contacts": "first_name = 'x'", "leads": "lead_status = 'contacted'", "opportunities": "amount = 5",
    "interactions": "outcome = 'x'", "campaigns": "name = 'x'", "tasks": "status = 'completed'", "notes": "content = 'x'",
    "campaign_recipients": "status = 'opened'",
}


def _statements(table):
    key = f"{{{table}}}"
    verbs = {
        "select": f"SELECT id FROM {{t}} WHERE id = {key}", "update": f"UPDATE {{t}} SET {CHANGE[table]} WHERE id = {key}",
        "delete": f"DELETE FROM {{t}} WHERE id = {key}",
    }
    if table == "campaign_recipients":
        verbs["insert"] = (f"DELETE FROM {{t}} WHERE id = {key} ;;"
                           " INSERT INTO {t} (campaign_id, contact_id) VALUES ({campaigns}, {contacts})")
        return verbs
    columns, values = NEW_ROW[table]
    verbs["insert"] = f"INSERT INTO {{t}} (organization_id, {columns}) VALUES ({{organization}}, {values})"
    # In the name of the user who made the row.
    verbs["insert-as"] = f"INSERT INTO {{t}} (organization_id, created_by, {columns}) VALUES ({{organization}}, {{maker}}, {values})"
    verbs["update-maker"] = f"UPDATE {{t}} SET created_by = NULL WHERE id = {key}"
    return verbs


STATEMENTS = {table: _statements(table) for table in TABLES}
for _scored in ("contacts", "leads"):
    STATEMENTS[_scored]["update-score"] = f"UPDATE {{t}} SET lead_score = 100 WHERE id = {{{_scored}}}"
    STATEMENTS[_scored]["insert-score"] = STATEMENTS[_scored]["insert"].replace("(organization_id", "(lead_score, organization_id").replace(
        "({organization}", "(100, {organization}")


def add_rows(world, conn):
    """A record of each kind for each maker. The contact of row a is attendee_a."""
    for row, maker, event in (("a", "staff_a", "a"), ("b", "staff_b", "b"), ("clerks_a", "clerk_a", "a")):
        ids = {table: ident(table, row) for table in TABLES}
        values = {**ids, "organization": world.rows[event]["organization"], "maker": world.users[maker], "email": f"{row}@contact.example",
                  "profile": world.rows["attendee_a"]["sub"] if row == "a" else None}
        for table, columns, new in (
            ("companies", "assigned_to, name", "%(maker)s, 'C'"),
            ("contacts", "assigned_to, first_name, last_name, email, profile_id, company_id",
             "%(maker)s, 'F', 'L', %(email)s, %(profile)s, %(companies)s"),
            ("leads", "assigned_to, contact_id, lead_source", "%(maker)s, %(contacts)s, 'event'"),
            ("opportunities", "assigned_to, lead_id, contact_id, name", "%(maker)s, %(leads)s, %(contacts)s, 'O'"),
            ("interactions", "contact_id, opportunity_id, interaction_type", "%(contacts)s, %(opportunities)s, 'email'"),
            ("campaigns", "assigned_to, name", "%(maker)s, 'C'"),
            ("tasks", "assigned_to, contact_id, title", "%(maker)s, %(contacts)s, 'T'"),
            ("notes", "contact_id, content", "%(contacts)s, 'N'"),
        ):
            conn.execute(f"INSERT INTO convene.{table} (id, organization_id, created_by, {columns})"
                         f" VALUES (%({table})s, %(organization)s, %(maker)s, {new})", values)
        conn.execute("INSERT INTO convene.campaign_recipients (id, campaign_id, contact_id)"
                     " VALUES (%(campaign_recipients)s, %(campaigns)s, %(contacts)s)", values)
        world.rows.setdefault(row, dict(world.rows[event])).update(ids, maker=values["maker"])
    world.rows["private_a"] = {**world.rows["a"], "notes": ident("notes", "private_a")}
    conn.execute("INSERT INTO convene.notes (id, organization_id, created_by, content, is_private) VALUES (%(notes)s, %(organization)s,"
                 " %(maker)s, 'N', true)", world.rows["private_a"])
