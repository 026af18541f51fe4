"""roles.permissions: what has_permission() says is what policies and functions do."""

import json

import pytest

from lib.access import as_role, expect_error
from lib.factory import ident, make_world

pytestmark = pytest.mark.roles


@pytest.fixture(scope="module")
def world(db):
    with db.connect() as connection:
        yield make_world(connection)


def join(conn, event, name, member_role, permissions=None, by="member", status="active"):
    """Makes somebody a member, with a role that the membership or the user names; returns their sub."""
    sub, role = ident(name), None
    conn.execute("INSERT INTO convene.profiles (id) VALUES (%s)", [sub])
    if permissions is not None:
        role = conn.execute("INSERT INTO convene.roles (organization_id, name, permissions) VALUES (%s, %s, %s) RETURNING id",
                            [event.organization, name, json.dumps(permissions)]).fetchone()[0]
    conn.execute("INSERT INTO convene.organization_members (organization_id, profile_id, member_role, role_id) VALUES (%s, %s, %s, %s)",
                 [event.organization, sub, member_role, role if by == "member" else None])
    conn.execute("INSERT INTO convene.users (organization_id, profile_id, first_name, last_name, email, role_id, status)"
                 " VALUES (%s, %s, 'A', 'B', %s, %s, %s)", [event.organization, sub, f"{name}@x.example", role if by == "user" else None, status])
    return sub


def may(conn, sub, area, action):
    with as_role(conn, "authenticated", sub):
        return conn.execute("SELECT convene.has_permission(%s, %s)", [area, action]).fetchone()[0]


READ = {"contacts": {"read": True, "write": False, "delete": "yes"}}
OWN = {"contacts": {"read": "own", "write": "own"}}


@pytest.mark.parametrize("member_role, permissions, options, area, action, expected", [
    ("owner", None, {}, "contacts", "delete", True),
    ("organizer", None, {}, "payouts", "read", True),
    ("staff", None, {}, "contacts", "read", False),
    ("staff", READ, {}, "contacts", "read", True),
    ("staff", READ, {}, "contacts", "write", False),
    # Only true and "own" permit anything.
    ("staff", READ, {}, "contacts", "delete", False),
    ("staff", READ, {}, "leads", "read", False),
    ("staff", READ, {"by": "user"}, "contacts", "read", True),
    ("staff", OWN, {}, "contacts", "write", True),
    ("staff", {"contacts": True}, {}, "contacts", "read", False),
    ("staff", {"contacts": [True]}, {}, "contacts", "read", False),
    ("viewer", {"contacts": {"read": True, "write": True}}, {}, "contacts", "read", True),
    # Looking on is looking on, whatever the role says.
    ("viewer", {"contacts": {"read": True, "write": True}}, {}, "contacts", "write", False),
    # Nobody looks after these, so row security knows no "own" there.
    *(("staff", {area: {action: "own"}}, {}, area, action, False)
      for area, action in (("payouts", "read"), ("analytics", "read"), ("events", "write"))),
    ("owner", None, {"status": "suspended"}, "contacts", "read", False),
    ("staff", READ, {"status": "inactive"}, "contacts", "read", False),
])
def test_a_role_permits_what_it_says(conn, world, member_role, permissions, options, area, action, expected):
    alpha, _ = world
    with conn.transaction(force_rollback=True):
        sub = join(conn, alpha, "somebody", member_role, permissions, **options)
        assert may(conn, sub, area, action) is expected


def test_who_is_no_user_has_no_team(conn, world):
    alpha, _ = world
    with conn.transaction(force_rollback=True):
        sub = join(conn, alpha, "no user", "staff", OWN | {"leads": {"read": True}})
        assert may(conn, sub, "contacts", "write")
        conn.execute("DELETE FROM convene.users WHERE profile_id = %s", [sub])
        assert (may(conn, sub, "contacts", "read"), may(conn, sub, "contacts", "write"), may(conn, sub, "leads", "read")) == (False, False, True)
        with as_role(conn, "authenticated", sub):
            expect_error(conn, "42501", "INSERT INTO convene.contacts (organization_id, first_name, last_name) VALUES (%s, 'F', 'L')", [alpha.organization])


def test_the_membership_goes_before_the_user(conn, world):
    alpha, _ = world
    with conn.transaction(force_rollback=True):
        sub = join(conn, alpha, "both", "staff", READ)
        other = conn.execute("INSERT INTO convene.roles (organization_id, name, permissions) VALUES (%s, 'other', %s) RETURNING id",
                             [alpha.organization, json.dumps({"leads": {"read": True}})]).fetchone()[0]
        conn.execute("UPDATE convene.users SET role_id = %s WHERE profile_id = %s", [other, sub])
        assert (may(conn, sub, "contacts", "read"), may(conn, sub, "leads", "read")) == (True, False)


def test_nobody_and_the_service(conn, world):
    with as_role(conn, "service_role"):
        assert conn.execute("SELECT convene.has_permission('anything', 'delete')").fetchone() == (True,)
    with as_role(conn, "authenticated"):
        assert conn.execute("SELECT convene.has_permission('contacts', 'read')").fetchone() == (False,)
        expect_error(conn, "22023", "SELECT convene.has_permission('contacts', 'erase')", message="erase", hint="'read'")
        expect_error(conn, "22004", "SELECT convene.has_permission(NULL, 'read')", message="p_area")
        expect_error(conn, "22004", "SELECT convene.has_permission('contacts', NULL)", message="p_action")
    with as_role(conn, "anon"):
        expect_error(conn, "42501", "SELECT convene.has_permission('contacts', 'read')")


def test_staff_who_may_write_events_manage_them(conn, world):
    """In tables and in functions alike; and who is suspended manages nothing any more."""
    alpha, beta = world
    with conn.transaction(force_rollback=True):
        sub = join(conn, alpha, "manager", "staff", {"events": {"write": True}})
        with as_role(conn, "authenticated", sub):
            assert conn.execute("UPDATE convene.events SET city = 'Bern' WHERE id = %s", [alpha.id]).rowcount == 1
            assert conn.execute("UPDATE convene.events SET city = 'Bern' WHERE id = %s", [beta.id]).rowcount == 0
            conn.execute("SELECT * FROM convene.recommendation_metrics(%s)", [alpha.id])
            expect_error(conn, "42501", "SELECT * FROM convene.recommendation_metrics(%s)", [beta.id])
        conn.execute("UPDATE convene.users SET status = 'suspended' WHERE profile_id = %s", [sub])
        with as_role(conn, "authenticated", sub):
            assert conn.execute("UPDATE convene.events SET city = 'Bern' WHERE id = %s", [alpha.id]).rowcount == 0
            expect_error(conn, "42501", "SELECT * FROM convene.recommendation_metrics(%s)", [alpha.id])
            assert conn.execute("SELECT count(*) FROM convene.attendees").fetchone() == (0,)


def test_an_owner_names_users_and_roles_and_staff_do_not(conn, world):
    alpha, _ = world
    with conn.transaction(force_rollback=True):
        owner = join(conn, alpha, "owner", "owner")
        staff = join(conn, alpha, "staff", "staff", READ)
        with as_role(conn, "authenticated", owner):
            role = conn.execute("INSERT INTO convene.roles (name, permissions) VALUES ('Sales', %s) RETURNING id",
                                [json.dumps(OWN)]).fetchone()[0]
            assert conn.execute("UPDATE convene.users SET role_id = %s WHERE profile_id = %s", [role, staff]).rowcount == 1
            conn.execute("INSERT INTO convene.users (first_name, last_name, email) VALUES ('C', 'D', 'c@x.example')")
        with as_role(conn, "authenticated", staff):
            assert conn.execute("UPDATE convene.users SET phone = '1' WHERE profile_id = convene.uid()").rowcount == 1
            for change in ("role_id = NULL", "status = 'inactive'", "manager_id = NULL, department = 'x'", "email = 'y@x.example'"):
                expect_error(conn, "42501", f"UPDATE convene.users SET {change} WHERE profile_id = convene.uid()", message="owner")
            assert conn.execute("UPDATE convene.users SET phone = '1' WHERE profile_id IS DISTINCT FROM convene.uid()").rowcount == 0
            assert conn.execute("UPDATE convene.roles SET permissions = '{}'").rowcount == 0
            expect_error(conn, "42501", "INSERT INTO convene.roles (name) VALUES ('Mine')")
            expect_error(conn, "42501", "SELECT password_hash FROM convene.users")


def test_who_keeps_contacts_becomes_no_promoter(conn, world):
    alpha = world[0]
    org = alpha.organization
    seller, keeper, both, own = (join(conn, alpha, name, "staff", rights) for name, rights in (
        ("seller", {"promoters": {"read": True, "write": True}}), ("keeper", {"contacts": {"read": True, "write": True}}),
        ("both", {"contacts": {"read": True, "write": True}, "promoters": {"read": True, "write": True}}),
        ("own", {"contacts": {"read": True, "write": True}, "promoters": {"read": "own", "write": "own"}})))
    user = conn.execute("SELECT id FROM convene.users WHERE profile_id = %s", [own]).fetchone()[0]
    contact, plain, theirs = (ident("contact", name) for name in ("promoter", "plain", "assigned"))
    for one in (contact, plain, theirs):
        conn.execute("INSERT INTO convene.contacts (id, organization_id, first_name, last_name, email) VALUES (%s, %s, 'C', 'C', %s)",
                     [one, org, f"{one}@x.example"])
    for one, assigned in ((contact, None), (theirs, user)):
        conn.execute("INSERT INTO convene.promoters (organization_id, contact_id, promoter_code, assigned_to) VALUES (%s, %s, %s, %s)",
                     [org, one, str(one), assigned])
    link = "UPDATE convene.contacts SET profile_id = %s WHERE id = %s"
    for sub in (keeper, own):
        with as_role(conn, "authenticated", sub):
            expect_error(conn, "42501", link, [sub, contact], message="profile_id", hint="promoters")
            conn.execute("UPDATE convene.contacts SET first_name = 'D' WHERE id = %s", [contact])
            assert conn.execute(link, [sub, plain]).rowcount == 1
    with as_role(conn, "authenticated", keeper):
        assert conn.execute("SELECT id FROM convene.promoters").fetchall() == []
        expect_error(conn, "42501", link, [keeper, theirs], message="profile_id")
    with as_role(conn, "authenticated", own):
        assert conn.execute(link, [own, theirs]).rowcount == 1
    with as_role(conn, "authenticated", both):
        assert conn.execute(link, [seller, contact]).rowcount == 1
        expect_error(conn, "42501", "UPDATE convene.contacts SET created_by = NULL WHERE id = %s", [contact])
    with as_role(conn, "authenticated", seller):
        assert conn.execute("SELECT contact_id FROM convene.promoters WHERE contact_id = %s", [contact]).fetchall() == [(contact,)]
    with as_role(conn, "service_role"):
        assert conn.execute(link, [None, contact]).rowcount == 1
