"""What keeps the CRM's records true and an organization's own, and who has which of them; and who names users and roles."""

import json
import threading
from types import SimpleNamespace

import psycopg
import pytest

from lib.access import as_role, expect_error
from lib.factory import ident, make_event, make_world

RECORDS = ["companies", "contacts", "leads", "opportunities", "interactions", "campaigns", "tasks", "notes"]
TABLES = [*RECORDS, "campaign_recipients"]
ALL = {area: {"read": True, "write": True, "delete": True} for area in RECORDS}
OWN = {area: {"read": "own", "write": "own", "delete": "own"} for area in RECORDS}

# What a new row needs.
VALUES = {
    "companies": {"name": "C"}, "contacts": {"first_name": "F", "last_name": "L"}, "leads": {"lead_source": "event"},
    "opportunities": {"name": "O"}, "interactions": {"interaction_type": "phone"}, "campaigns": {"name": "C"},
    "tasks": {"title": "T"}, "notes": {"content": "N"},
}
# Columns that name another record, and what they name.
LINKS = {"company_id": "companies", "contact_id": "contacts", "lead_id": "leads", "opportunity_id": "opportunities",
         "interaction_id": "interactions", "event_id": "events", "assigned_to": "users", "created_by": "users",
         "primary_contact_id": "contacts"}


@pytest.fixture(scope="module")
def world(db):
    """Two organizations, each with a member of staff who may do everything, and a record of each kind that they made."""
    with db.connect() as conn:
        alpha, beta = make_world(conn, sessions=2)
        for event in (alpha, beta):
            event.staff = add_member(conn, event, f"staff of {event.label}", permissions=ALL)
            event.records = {"events": event.id, "users": event.staff.user}
            for table in RECORDS:
                event.records[table] = add_record(conn, event, table, event.staff)
        return SimpleNamespace(alpha=alpha, beta=beta)


@pytest.fixture
def undone(conn):
    """A connection in a transaction that is undone after the test."""
    with conn.transaction(force_rollback=True):
        yield conn


def add_member(conn, event, name, member_role="staff", permissions=None, manager=None):
    """Somebody who works for the event's organization, with a role of their own if permissions are given."""
    made = SimpleNamespace(sub=ident("profile", name), user=ident("user", name), role=None)
    conn.execute("INSERT INTO convene.profiles (id) VALUES (%s)", [made.sub])
    if permissions is not None:
        made.role = ident("role", name)
        conn.execute("INSERT INTO convene.roles (id, organization_id, name, permissions) VALUES (%s, %s, %s, %s)",
                     [made.role, event.organization, name, json.dumps(permissions)])
    conn.execute("INSERT INTO convene.organization_members (organization_id, profile_id, member_role) VALUES (%s, %s, %s)",
                 [event.organization, made.sub, member_role])
    conn.execute("INSERT INTO convene.users (id, organization_id, profile_id, first_name, last_name, email, role_id, manager_id)"
                 " VALUES (%s, %s, %s, %s, 'U', %s, %s, %s)",
                 [made.user, event.organization, made.sub, name, f"{name}@staff.example", made.role, manager and manager.user])
    return made


def add_record(conn, event, table, maker=None, **values):
    """A record of the event's organization, made by somebody; returns its id."""
    row = {"organization_id": event.organization, "created_by": maker and maker.user, **VALUES[table], **values}
    if table == "contacts":
        row.setdefault("email", f"{ident(event.label, maker and maker.user, len(values))}@contact.example")
    elif table == "leads":
        row.setdefault("contact_id", event.records["contacts"])
    marks = ", ".join(f"%({column})s" for column in row)
    return conn.execute(f"INSERT INTO convene.{table} ({', '.join(row)}) VALUES ({marks}) RETURNING id", row).fetchone()[0]


def acting(conn, person):
    return as_role(conn, "authenticated", person.sub)


def seen(conn, person, table):
    """The ids that somebody reads."""
    with acting(conn, person):
        return {row[0] for row in conn.execute(f"SELECT id FROM convene.{table}")}


# One organization's records ----------------------------------------------------------------------------------------


def links(conn):
    found = conn.execute(
        """SELECT relname::text, attname::text FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
            WHERE relnamespace = 'convene'::regnamespace AND relkind = 'r' AND relname = ANY (%s) AND attname = ANY (%s)
            ORDER BY 1, 2""", [RECORDS, list(LINKS)]).fetchall()
    assert len(found) > 30
    return found


def test_a_record_refers_to_its_own_organization_only(undone, world):
    for table, column in links(undone):
        for side, other in ((world.alpha, world.beta), (world.beta, world.alpha)):
            change = f"UPDATE convene.{table} SET {column} = %s WHERE id = %s"
            expect_error(undone, "23503", change, [other.records[LINKS[column]], side.records[table]])
            expect_error(undone, "23503", change, [ident("nobody"), side.records[table]])
            assert undone.execute(change, [side.records[LINKS[column]], side.records[table]]).rowcount == 1
        with pytest.raises(psycopg.errors.ForeignKeyViolation), undone.transaction():
            add_record(undone, world.alpha, table, **{column: world.beta.records[LINKS[column]]})


def test_staff_does_not_assign_a_record_to_another_organizations_user(undone, world):
    with acting(undone, world.alpha.staff):
        expect_error(undone, "23503", "UPDATE convene.contacts SET assigned_to = %s", [world.beta.staff.user])


@pytest.mark.parametrize("table", RECORDS)
def test_a_record_stays_with_its_organization(undone, world, table):
    move = f"UPDATE convene.{table} SET organization_id = %s WHERE id = %s"
    values = [world.beta.organization, world.alpha.records[table]]
    expect_error(undone, "0A000", move, values, message="organization_id cannot be changed")
    undone.execute("INSERT INTO convene.organization_members (organization_id, profile_id, member_role) VALUES (%s, %s, 'owner')",
                   [world.beta.organization, world.alpha.staff.sub])
    with acting(undone, world.alpha.staff):
        expect_error(undone, "0A000", move, values)
        # An upsert writes what is there already.
        assert undone.execute(move, [world.alpha.organization, values[1]]).rowcount == 1


def test_an_address_is_one_contacts_in_its_organization(undone, world):
    add_record(undone, world.alpha, "contacts", email="Jo@Mail.example")
    add_record(undone, world.beta, "contacts", email="jo@mail.example")
    with pytest.raises(psycopg.errors.UniqueViolation), undone.transaction():
        add_record(undone, world.alpha, "contacts", email="jo@mail.EXAMPLE")
    with acting(undone, world.alpha.staff):
        upsert = ("INSERT INTO convene.contacts (first_name, last_name, email) VALUES ('Jo', 'N', %s)"
                  " ON CONFLICT (organization_id, email) DO UPDATE SET first_name = EXCLUDED.first_name RETURNING first_name")
        assert undone.execute(upsert, ["Jo@Mail.example"]).fetchall() == [("Jo",)]
        expect_error(undone, "23505", upsert, ["JO@mail.example"])


def test_a_primary_contact_goes_with_the_contact(undone, world):
    contact = add_record(undone, world.alpha, "contacts", email="primary@contact.example")
    company = add_record(undone, world.alpha, "companies", primary_contact_id=contact)
    expect_error(undone, "0A000", "UPDATE convene.contacts SET id = gen_random_uuid() WHERE id = %s", [contact])
    undone.execute("DELETE FROM convene.contacts WHERE id = %s", [contact])
    assert undone.execute("SELECT primary_contact_id FROM convene.companies WHERE id = %s", [company]).fetchone() == (None,)


def waits_for(db, first, second):
    """Runs `first` and leaves it open, `second` beside it, and commits `first` once `second` waits; returns what `second` met."""
    met = []

    def run(connection):
        try:
            connection.execute(*second)
        except psycopg.Error as error:
            met.append(error.sqlstate)

    with db.connect(autocommit=False) as one, db.second() as two, db.second() as watcher:
        one.execute(*first)
        thread = threading.Thread(target=run, args=[two])
        thread.start()
        for _ in range(2000):
            if watcher.execute("SELECT 1 FROM pg_locks WHERE NOT granted AND pid = %s", [two.info.backend_pid]).fetchone():
                break
            watcher.execute("SELECT pg_sleep(0.005)")
        else:
            pytest.fail("it did not wait")
        one.commit()
        thread.join()
    return met


def test_a_contact_that_goes_while_it_becomes_primary(conn, db, world):
    contact, other = (add_record(conn, world.alpha, "contacts", email=f"{n}@race.example") for n in "ab")
    company = add_record(conn, world.alpha, "companies")
    named = ("UPDATE convene.companies SET primary_contact_id = %s WHERE id = %s", [contact, company])
    assert waits_for(db, named, ("DELETE FROM convene.contacts WHERE id = %s", [contact])) == []
    assert conn.execute("SELECT primary_contact_id FROM convene.companies WHERE id = %s", [company]).fetchone() == (None,)
    named = ("UPDATE convene.companies SET primary_contact_id = %s WHERE id = %s", [other, company])
    assert waits_for(db, ("DELETE FROM convene.contacts WHERE id = %s", [other]), named) == ["23503"]


# Attendees and speakers --------------------------------------------------------------------------------------------


def test_attendees_and_speakers_are_contacts_of_their_events_organization(undone, world):
    person, contact = world.alpha.people[0].id, add_record(undone, world.alpha, "contacts", email="takes@part.example")
    speaker = undone.execute("INSERT INTO convene.speakers (event_id, full_name) VALUES (%s, 'S') RETURNING id",
                             [world.alpha.id]).fetchone()[0]
    for table, row in (("attendees", person), ("speakers", speaker)):
        link = f"UPDATE convene.{table} SET contact_id = %s WHERE id = %s"
        expect_error(undone, "23503", link, [world.beta.records["contacts"], row], message="another organization")
        expect_error(undone, "23503", f"INSERT INTO convene.{table} (event_id, full_name, contact_id) VALUES (%s, 'x', %s)",
                     [world.alpha.id, world.beta.records["contacts"]])
        undone.execute(link, [contact, row])
        # Contacts stay where they are, and hold the event there.
        move = "UPDATE convene.events SET organization_id = %s WHERE id = %s"
        expect_error(undone, "23503", move, [world.beta.organization, world.alpha.id], hint="contact_id")
        with undone.transaction(force_rollback=True):
            undone.execute(f"UPDATE convene.{table} SET contact_id = NULL WHERE id = %s", [row])
            assert undone.execute(move, [world.beta.organization, world.alpha.id]).rowcount == 1
        undone.execute(f"UPDATE convene.{table} SET contact_id = NULL WHERE id = %s", [row])
    undone.execute("UPDATE convene.attendees SET contact_id = %s WHERE id = %s", [contact, person])
    undone.execute("DELETE FROM convene.contacts WHERE id = %s", [contact])
    assert undone.execute("SELECT contact_id FROM convene.attendees WHERE id = %s", [person]).fetchone() == (None,)


def test_an_event_that_moves_while_a_contact_joins(conn, db, world):
    event = conn.execute("INSERT INTO convene.events (organization_id, title) VALUES (%s, 'Moves') RETURNING id",
                         [world.alpha.organization]).fetchone()[0]
    join = ("INSERT INTO convene.attendees (event_id, full_name, contact_id) VALUES (%s, 'x', %s)",
            [event, world.alpha.records["contacts"]])
    move = ("UPDATE convene.events SET organization_id = %s WHERE id = %s", [world.beta.organization, event])
    assert waits_for(db, join, move) == ["23503"]
    conn.execute("DELETE FROM convene.attendees WHERE event_id = %s", [event])
    assert waits_for(db, move, join) == ["23503"]


# What follows from a row -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("values, rule", [
    ({"stage": "closed_won", "probability": 100, "win_reason": "price"}, "opportunities_close_date"),
    ({"stage": "negotiation", "actual_close_date": "2026-05-01"}, "opportunities_close_date"),
    ({"stage": "closed_won", "probability": 90, "win_reason": "price", "actual_close_date": "2026-05-01"},
     "opportunities_closed_probability"),
    ({"stage": "closed_lost", "loss_reason": "price", "actual_close_date": "2026-05-01"}, "opportunities_closed_probability"),
    ({"stage": "closed_won", "probability": 100, "actual_close_date": "2026-05-01"}, "opportunities_closed_reason"),
    ({"stage": "closed_lost", "probability": 0, "loss_reason": "", "actual_close_date": "2026-05-01"}, "opportunities_closed_reason"),
])
def test_an_opportunity_is_closed_with_all_that_belongs_to_it(undone, world, values, rule):
    with pytest.raises(psycopg.errors.CheckViolation) as refused, undone.transaction():
        add_record(undone, world.alpha, "opportunities", **values)
    assert refused.value.diag.constraint_name == rule


def test_an_opportunity_is_won_lost_and_opened_again(undone, world):
    opportunity = add_record(undone, world.alpha, "opportunities", probability=40)
    for change in ("stage = 'closed_won', probability = 100, win_reason = 'x', actual_close_date = '2026-05-01'",
                   "stage = 'closed_lost', probability = 0, loss_reason = 'x'", "stage = 'proposal', actual_close_date = NULL"):
        assert undone.execute(f"UPDATE convene.opportunities SET {change} WHERE id = %s", [opportunity]).rowcount == 1


def test_a_task_is_completed_when_its_status_says_so(undone, world):
    task = add_record(undone, world.alpha, "tasks")
    change = "UPDATE convene.tasks SET status = %s WHERE id = %s RETURNING completed_at = now()"
    assert undone.execute(change, ["completed", task]).fetchone() == (True,)
    assert undone.execute(change, ["in_progress", task]).fetchone() == (None,)
    past = add_record(undone, world.alpha, "tasks", status="completed", completed_at="2026-01-05 12:00Z")
    assert undone.execute("SELECT completed_at = '2026-01-05 12:00Z' FROM convene.tasks WHERE id = %s", [past]).fetchone() == (True,)


def test_a_recipient_has_its_campaigns_organization(undone, world):
    add = "INSERT INTO convene.campaign_recipients (campaign_id, contact_id) VALUES (%s, %s) RETURNING organization_id"
    ours, theirs = world.alpha.records, world.beta.records
    with acting(undone, world.alpha.staff):
        assert undone.execute(add, [ours["campaigns"], ours["contacts"]]).fetchone() == (world.alpha.organization,)
        expect_error(undone, "23503", add, [ours["campaigns"], theirs["contacts"]])
        expect_error(undone, "42501", add, [theirs["campaigns"], theirs["contacts"]])
        expect_error(undone, "42501", add, [ident("nothing"), ours["contacts"]])
    expect_error(undone, "23503", "INSERT INTO convene.campaign_recipients (organization_id, campaign_id, contact_id) VALUES (%s, %s, %s)",
                 [world.alpha.organization, theirs["campaigns"], theirs["contacts"]])


@pytest.mark.parametrize("table", RECORDS)
def test_who_made_a_record_is_entered(undone, world, table):
    values = {**VALUES[table], **{"leads": {"contact_id": world.alpha.records["contacts"]},
                                  "contacts": {"email": "made@contact.example"}}.get(table, {})}
    insert = (f"INSERT INTO convene.{table} ({', '.join(values)}) VALUES ({', '.join(f'%({column})s' for column in values)})"
              " RETURNING created_by")
    # An organizer need not be a user.
    for sub, user in ((world.alpha.staff.sub, world.alpha.staff.user), (world.alpha.organizer, None)):
        with undone.transaction(force_rollback=True), as_role(undone, "authenticated", sub):
            assert undone.execute(insert, values).fetchone() == (user,)


# Rights ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def team(undone, world):
    """The boss leads the lead, who leads the clerk; a colleague reports to nobody. Each made one record of each kind."""
    team = SimpleNamespace()
    team.boss = add_member(undone, world.alpha, "boss", permissions=OWN)
    team.lead = add_member(undone, world.alpha, "lead", permissions=OWN, manager=team.boss)
    team.clerk = add_member(undone, world.alpha, "clerk", permissions=OWN, manager=team.lead)
    team.colleague = add_member(undone, world.alpha, "colleague", permissions=OWN)
    for person in (team.boss, team.lead, team.clerk, team.colleague):
        person.made = {table: add_record(undone, world.alpha, table, person) for table in RECORDS}
        person.made["campaign_recipients"] = undone.execute(
            "INSERT INTO convene.campaign_recipients (campaign_id, contact_id) VALUES (%s, %s) RETURNING id",
            [person.made["campaigns"], person.made["contacts"]]).fetchone()[0]
    return team


@pytest.mark.parametrize("table", TABLES)
def test_a_manager_has_the_records_of_all_who_report_to_them(undone, team, table):
    clerks, leads, bosss = team.clerk.made[table], team.lead.made[table], team.boss.made[table]
    assert seen(undone, team.boss, table) == {clerks, leads, bosss}
    assert seen(undone, team.lead, table) == {clerks, leads}
    assert seen(undone, team.clerk, table) == {clerks}
    assert seen(undone, team.colleague, table) == {team.colleague.made[table]}
    with acting(undone, team.lead):
        # A recipient's columns are nobody's to change.
        if table in RECORDS:
            changed = undone.execute(f"UPDATE convene.{table} SET id = id RETURNING id").fetchall()
            assert {row[0] for row in changed} == {clerks, leads}
        gone = undone.execute(f"DELETE FROM convene.{table} RETURNING id").fetchall()
        assert {row[0] for row in gone} == {clerks, leads}


def test_two_who_manage_each_other_have_each_others_records(undone, team):
    undone.execute("UPDATE convene.users SET manager_id = %s WHERE id = %s", [team.clerk.user, team.boss.user])
    assert seen(undone, team.clerk, "tasks") == seen(undone, team.boss, "tasks") == {
        person.made["tasks"] for person in (team.boss, team.lead, team.clerk)}


def test_a_record_that_is_assigned_is_the_assignees_as_well(undone, world, team):
    task = world.alpha.records["tasks"]
    give = "UPDATE convene.tasks SET assigned_to = %s WHERE id = %s"
    with acting(undone, world.alpha.staff):
        undone.execute(give, [team.clerk.user, task])
    assert task in seen(undone, team.clerk, "tasks") and task in seen(undone, team.boss, "tasks")
    assert task not in seen(undone, team.colleague, "tasks")
    with acting(undone, team.lead):
        # Within the team it goes on; out of it, nobody hands it who did not make it.
        assert undone.execute(give, [team.lead.user, task]).rowcount == 1
        expect_error(undone, "42501", give, [team.colleague.user, task])
        assert undone.execute(give, [team.colleague.user, team.lead.made["tasks"]]).rowcount == 1


@pytest.mark.parametrize("status", ["suspended", "inactive"])
def test_who_is_suspended_sees_nothing(undone, world, team, status):
    for person in (team.boss, world.alpha.staff):
        undone.execute("UPDATE convene.users SET status = %s WHERE id = %s", [status, person.user])
        for table in TABLES:
            assert seen(undone, person, table) == set(), table
    # What they manage stays with those who are there.
    undone.execute("UPDATE convene.users SET status = %s WHERE id = %s", [status, team.clerk.user])
    assert seen(undone, team.lead, "notes") == {team.lead.made["notes"], team.clerk.made["notes"]}


def test_who_has_left_sees_nothing_though_still_a_user(undone, world, team):
    for person in (team.lead, world.alpha.staff):
        undone.execute("UPDATE convene.notes SET is_private = true WHERE created_by = %s", [person.user])
        undone.execute("DELETE FROM convene.organization_members WHERE profile_id = %s", [person.sub])
        for table in TABLES:
            assert seen(undone, person, table) == set(), table


def test_a_viewer_reads_whatever_the_role_permits(undone, world):
    viewer = add_member(undone, world.alpha, "viewer", "viewer", permissions=ALL)
    for table in RECORDS:
        ours = undone.execute(f"SELECT id FROM convene.{table} WHERE organization_id = %s", [world.alpha.organization]).fetchall()
        assert seen(undone, viewer, table) == {row[0] for row in ours} != set()
        with acting(undone, viewer):
            assert undone.execute(f"UPDATE convene.{table} SET organization_id = organization_id").rowcount == 0
            assert undone.execute(f"DELETE FROM convene.{table}").rowcount == 0
    with acting(undone, viewer):
        expect_error(undone, "42501", "INSERT INTO convene.companies (name) VALUES ('x')")


@pytest.mark.parametrize("permissions", [
    None, {}, {"contacts": True}, {"contacts": {"read": "yes"}}, {"contacts": {"read": 1}}, {"contacts": ["read"]},
])
def test_staff_without_permission_sees_nothing(undone, world, permissions):
    person = add_member(undone, world.alpha, "staff", permissions=permissions)
    for table in TABLES:
        assert seen(undone, person, table) == set(), table
    with acting(undone, person):
        expect_error(undone, "42501", "INSERT INTO convene.contacts (first_name, last_name, email) VALUES ('x', 'x', 'x@x.example')")


def test_an_area_is_no_other_area(undone, world):
    person = add_member(undone, world.alpha, "reader", permissions={"leads": {"read": True}, "tasks": {"write": True, "delete": True}})
    assert {table for table in TABLES if seen(undone, person, table)} == {"leads"}
    with acting(undone, person):
        assert undone.execute("UPDATE convene.leads SET requirements = 'x'").rowcount == 0
        # A row that is not read is not found either.
        assert undone.execute("DELETE FROM convene.tasks WHERE title <> ''").rowcount == 0


def test_a_private_note_is_its_writers_alone(undone, world, team):
    owner = add_member(undone, world.alpha, "owner", "owner")
    note = add_record(undone, world.alpha, "notes", team.clerk, is_private=True)
    for person in (team.boss, team.lead, world.alpha.staff, owner, team.colleague):
        assert note not in seen(undone, person, "notes")
        with acting(undone, person):
            for statement in ("UPDATE convene.notes SET content = 'x' WHERE id = %s", "DELETE FROM convene.notes WHERE id = %s"):
                assert undone.execute(statement, [note]).rowcount == 0
    for person in (team.lead, world.alpha.staff):
        with acting(undone, person):
            # Nobody takes another's note away by making it private.
            expect_error(undone, "42501", "UPDATE convene.notes SET is_private = true WHERE id = %s", [team.clerk.made["notes"]])
            expect_error(undone, "42501", "INSERT INTO convene.notes (content, is_private, created_by) VALUES ('x', true, %s)",
                         [team.clerk.user])
    # Whoever is no user has nobody's name to write one in.
    with as_role(undone, "authenticated", world.alpha.organizer):
        expect_error(undone, "42501", "INSERT INTO convene.notes (content, is_private) VALUES ('x', true)")
    with acting(undone, team.clerk):
        assert undone.execute("UPDATE convene.notes SET is_private = false WHERE id = %s", [note]).rowcount == 1
    assert note in seen(undone, team.lead, "notes")


# Users and roles ---------------------------------------------------------------------------------------------------


def test_an_owner_names_roles_and_users(undone, world):
    owner = add_member(undone, world.alpha, "owner", "owner")
    with acting(undone, owner):
        role = undone.execute("INSERT INTO convene.roles (organization_id, name, permissions) VALUES (%s, 'r', %s) RETURNING id",
                              [world.alpha.organization, json.dumps(ALL)]).fetchone()[0]
        user = undone.execute("INSERT INTO convene.users (organization_id, first_name, last_name, email, role_id)"
                              " VALUES (%s, 'N', 'N', 'n@staff.example', %s) RETURNING id", [world.alpha.organization, role]).fetchone()[0]
        for change in ("status = 'suspended'", "manager_id = %(owner)s", "role_id = NULL", "email = 'm@staff.example'"):
            assert undone.execute(f"UPDATE convene.users SET {change} WHERE id = %(user)s",
                                  {"user": user, **({"owner": owner.user} if "owner" in change else {})}).rowcount == 1
        assert undone.execute("UPDATE convene.roles SET permissions = '{}' WHERE id = %s", [role]).rowcount == 1
        assert undone.execute("DELETE FROM convene.users WHERE id = %s", [user]).rowcount == 1
        assert undone.execute("DELETE FROM convene.roles WHERE id = %s", [role]).rowcount == 1
        # The other organization's are out of sight, and its roles and users of no use here.
        for table in ("users", "roles"):
            assert undone.execute(f"DELETE FROM convene.{table} WHERE organization_id = %s", [world.beta.organization]).rowcount == 0
        expect_error(undone, "42501", "INSERT INTO convene.roles (organization_id, name) VALUES (%s, 'x')", [world.beta.organization])
        expect_error(undone, "23503", "UPDATE convene.users SET role_id = %s WHERE id = %s", [world.beta.staff.role, owner.user])
        expect_error(undone, "23503", "UPDATE convene.users SET manager_id = %s WHERE id = %s", [world.beta.staff.user, owner.user])
        # Signing in is not the owner's matter.
        expect_error(undone, "42501", "UPDATE convene.users SET password_hash = 'x'")


@pytest.mark.parametrize("member_role", ["staff", "organizer", "viewer"])
def test_only_an_owner_gives_rights(undone, world, member_role):
    person = add_member(undone, world.alpha, "climber", member_role, permissions={})
    values = {"role": world.alpha.staff.role, "user": person.user, "organization": world.alpha.organization, "sub": person.sub}
    with acting(undone, person):
        for change in ("role_id = %(role)s", "manager_id = NULL, department = 'x'", "email = 'x'", "first_name = 'x'",
                       "profile_id = NULL", "username = 'x'"):
            expect_error(undone, "42501", f"UPDATE convene.users SET {change} WHERE id = %(user)s",
                         {k: v for k, v in values.items() if f"%({k})s" in change + "%(user)s"}, hint="phone")
        for statement in (
            "INSERT INTO convene.roles (organization_id, name) VALUES (%(organization)s, 'x')",
            "INSERT INTO convene.users (organization_id, first_name, last_name, email) VALUES (%(organization)s, 'x', 'x', 'x')",
            "UPDATE convene.organization_members SET member_role = 'owner' WHERE profile_id = %(sub)s",
            "INSERT INTO convene.organization_members (organization_id, profile_id, member_role)"
            " VALUES (%(organization)s, %(sub)s, 'owner')",
        ):
            expect_error(undone, "42501", statement, values)
        assert undone.execute("UPDATE convene.roles SET permissions = %s", [json.dumps(ALL)]).rowcount == 0
        assert undone.execute("DELETE FROM convene.users").rowcount == 0
        # Nobody's report becomes one's own: others' rows are not to be changed at all.
        report = ("UPDATE convene.users SET manager_id = %s WHERE id = %s", [person.user, world.alpha.staff.user])
        assert undone.execute(*report).rowcount == 0


def test_a_user_changes_their_own_telephone_and_nobody_elses(undone, world):
    with acting(undone, world.alpha.staff):
        changed = undone.execute("UPDATE convene.users SET phone = '1', timezone = 'Europe/Brussels', language = 'fr',"
                                 " notification_preferences = '{}' RETURNING id").fetchall()
    assert changed == [(world.alpha.staff.user,)]


@pytest.mark.parametrize("table, column, insert", [
    ("speakers", "assigned_to", "(event_id, full_name, assigned_to) VALUES (%(event)s, 'S', %(user)s)"),
    ("event_materials", "uploaded_by", "(event_id, title, uploaded_by) VALUES (%(event)s, 'M', %(user)s)"),
    ("event_announcements", "author_id", "(event_id, title, content, author_id) VALUES (%(event)s, 'A', 'a', %(user)s)"),
    ("check_ins", "validated_by", "(event_id, attendee_id, validated_by) VALUES (%(event)s, %(attendee)s, %(user)s)"),
])
def test_rows_of_an_event_name_users_of_its_organization(db, table, column, insert):
    with db.connect() as conn, conn.transaction(force_rollback=True):
        alpha, beta = make_event(conn, "one"), make_event(conn, "two")
        users = [conn.execute("INSERT INTO convene.users (organization_id, first_name, last_name, email) VALUES (%s, 'A', 'B', 'x') RETURNING id",
                              [event.organization]).fetchone()[0] for event in (alpha, beta)]
        values = {"event": alpha.id, "attendee": alpha.people[0].id}
        expect_error(conn, "23503", f"INSERT INTO convene.{table} {insert}", {**values, "user": users[1]}, message=f"{table}.{column}")
        conn.execute(f"INSERT INTO convene.{table} {insert}", {**values, "user": users[0]})
        expect_error(conn, "23503", f"UPDATE convene.{table} SET {column} = %s WHERE {column} = %s", [users[1], users[0]])
        # Neither the user nor the event moves away from the other.
        expect_error(conn, "0A000", "UPDATE convene.users SET organization_id = %s WHERE id = %s", [beta.organization, users[0]])
        expect_error(conn, "23503", "UPDATE convene.events SET organization_id = %s, venue_id = NULL WHERE id = %s", [beta.organization, alpha.id])
