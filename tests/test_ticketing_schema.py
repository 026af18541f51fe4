"""Ticketing holds at the level of rows: stock, vouchers, orders, doors, seats, waitlists and places in sessions."""

import threading
from datetime import timedelta
from types import SimpleNamespace

import psycopg
import pytest

from lib.access import as_role, expect_error, expect_kept
from lib.factory import add_people, ident, make_event, make_world


@pytest.fixture(scope="module")
def world(db):
    """Two organizations; alpha has a second event. A ticket type of each event, by the event's label."""
    with db.connect() as connection:
        alpha, beta = make_world(connection, sessions=6)
        second = make_event(connection, "second", sessions=1)
        connection.execute("UPDATE convene.events SET organization_id = %s WHERE id = %s", [alpha.organization, second.id])
        second.organization = alpha.organization
        for event in (alpha, beta, second):
            connection.execute("INSERT INTO convene.ticket_types (id, event_id, name, price) VALUES (%s, %s, 'T', 10)",
                               [ident("type", event.label), event.id])
        for event in (alpha, beta):
            connection.execute("INSERT INTO convene.promoters (id, organization_id, promoter_code) VALUES (%s, %s, 'Promo')",
                               [ident("promoter", event.label), event.organization])
    return SimpleNamespace(alpha=alpha, beta=beta, second=second)


@pytest.fixture
def undone(conn):
    """What a test writes is rolled back."""
    with conn.transaction(force_rollback=True):
        yield conn


def add(conn, table, returning="id", /, **columns):
    """A row; what it returns."""
    done = conn.execute(f"INSERT INTO convene.{table} ({', '.join(columns)}) VALUES ({', '.join(['%s'] * len(columns))})"
                        f" RETURNING {returning}", list(columns.values())).fetchone()
    return done[0] if len(done) == 1 else done


def refused(conn, code, table, /, **columns):
    marks = ", ".join(["%s"] * len(columns))
    return expect_error(conn, code, f"INSERT INTO convene.{table} ({', '.join(columns)}) VALUES ({marks})", list(columns.values()))


def order(conn, event, status="paid", **columns):
    """An order; a pending one is held for an hour."""
    times = {"paid_at": event.starts, "expires_at": event.starts + timedelta(hours=1)}
    return add(conn, "orders", event_id=event.id, status=status, **times, **columns)


def ticket(conn, event, **columns):
    return add(conn, "tickets", event_id=event.id, ticket_type_id=ident("type", event.label), **columns)


def together(db, *statements):
    """Runs statements at once, each in a connection of its own; the SQLSTATE of each, None where it went through."""
    outcomes = [None] * len(statements)
    barrier = threading.Barrier(len(statements))

    def run(number, statement, params):
        with db.connect() as connection:
            barrier.wait()
            try:
                connection.execute(statement, params)
            except psycopg.Error as error:
                outcomes[number] = error.sqlstate
    threads = [threading.Thread(target=run, args=(number, *statement)) for number, statement in enumerate(statements)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


# Stock and prices --------------------------------------------------------------------------------------------------

def test_stock_cannot_be_oversold_by_people_at_once(db, conn, world):
    stock = add(conn, "ticket_types", event_id=world.alpha.id, name="Few", price=1, total_capacity=5, sold_count=2)
    take = ("UPDATE convene.ticket_types SET reserved_count = reserved_count + 1 WHERE id = %s", [stock])
    assert sorted(together(db, *[take] * 8), key=str) == ["23514"] * 5 + [None] * 3
    assert conn.execute("SELECT sold_count + reserved_count FROM convene.ticket_types WHERE id = %s", [stock]).fetchone() == (5,)
    # What is sold cannot be taken out of the capacity either.
    expect_error(conn, "23514", "UPDATE convene.ticket_types SET total_capacity = 4 WHERE id = %s", [stock])


@pytest.mark.parametrize(("price", "currency", "cents"), [
    ("19.99", "CAD", 1999), ("0", "CAD", 0), ("1500", "JPY", 1500), ("1.25", "KWD", 1250), ("9999999.99", "EUR", 999999999),
])
def test_a_price_in_minor_units(undone, world, price, currency, cents):
    for table in ("ticket_types", "bundles"):
        assert add(undone, table, "price_cents", event_id=world.alpha.id, name="x", price=price, currency=currency) == cents


def test_a_yen_has_no_parts_and_a_rate_loses_none(undone, world):
    refused(undone, "23514", "ticket_types", event_id=world.alpha.id, name="x", price="10.50", currency="JPY")
    kept = add(undone, "ticket_types", "tax_rate::text", event_id=world.alpha.id, name="x", price=1, tax_rate="0.14975")
    assert float(kept) == 0.14975


def test_an_organizer_prices_as_a_client(undone, world):
    """The generated column and the checks call a function of the private schema, as the caller."""
    with as_role(undone, "authenticated", world.alpha.organizer):
        assert add(undone, "ticket_types", "price_cents", event_id=world.alpha.id, name="x", price="3.50") == 350


# Vouchers and the ticket types they name ---------------------------------------------------------------------------

def voucher(conn, event, types, of_event=True, **columns):
    return add(conn, "vouchers", "id, applicable_ticket_types", organization_id=event.organization, event_id=event.id if of_event else None,
               code="SAVE", discount_type="percentage", discount_value=10, applicable_ticket_types=types, **columns)


def test_a_voucher_names_ticket_types_of_its_event(undone, world):
    own, beta, second = (ident("type", name) for name in ("alpha", "beta", "second"))
    with undone.transaction(force_rollback=True):
        assert voucher(undone, world.alpha, [own, own])[1] == [own]
    with undone.transaction(force_rollback=True):
        assert voucher(undone, world.alpha, None)[1] is None
    for wrong in ([own, second], [beta], [ident("nothing")], [own, None]):
        with pytest.raises(psycopg.errors.ForeignKeyViolation), undone.transaction():
            voucher(undone, world.alpha, wrong)
    # Without an event: all of the organization's, and nobody else's.
    with undone.transaction(force_rollback=True):
        made, types = voucher(undone, world.alpha, [own, second], of_event=False)
        assert set(types) == {own, second}
        expect_error(undone, "23503", "UPDATE convene.vouchers SET event_id = %s WHERE id = %s", [world.second.id, made],
                     message=f"names {own}, which is no ticket type of the event")
        expect_error(undone, "23503", "UPDATE convene.vouchers SET applicable_ticket_types = %s WHERE id = %s", [[beta], made])


def test_a_ticket_type_that_goes_leaves_its_vouchers(undone, world):
    first, last = (add(undone, "ticket_types", event_id=world.alpha.id, name="x", price=1) for _ in range(2))
    made, _ = voucher(undone, world.alpha, [first, last])
    left = []
    for gone in (first, last):
        undone.execute("DELETE FROM convene.ticket_types WHERE id = %s", [gone])
        left.append(undone.execute("SELECT applicable_ticket_types FROM convene.vouchers WHERE id = %s", [made]).fetchone()[0])
    # Empty is not null: the voucher does not become good for everything.
    assert left == [[last], []]


@pytest.mark.parametrize("voucher_first", [True, False])
def test_a_voucher_and_a_ticket_type_that_goes_meanwhile(db, conn, world, voucher_first):
    gone = add(conn, "ticket_types", event_id=world.alpha.id, name="x", price=1)
    write = ("INSERT INTO convene.vouchers (organization_id, event_id, code, discount_type, applicable_ticket_types)"
             " VALUES (%s, %s, %s, 'free_ticket', %s)", [world.alpha.organization, world.alpha.id, f"R{voucher_first}", [gone]])
    delete = ("DELETE FROM convene.ticket_types WHERE id = %s", [gone])
    first, then = (write, delete) if voucher_first else (delete, write)
    outcome = []
    with db.second(autocommit=False) as one:
        one.execute(*first)
        thread = threading.Thread(target=lambda: outcome.extend(together(db, then)))
        thread.start()
        thread.join(0.3)
        assert thread.is_alive(), "the second one waits for the first"
        one.commit()
        thread.join()
    assert outcome == [None if voucher_first else "23503"]
    named = conn.execute("SELECT count(*) FROM convene.vouchers WHERE applicable_ticket_types @> ARRAY[%s]", [gone]).fetchone()[0]
    assert named == 0


def test_codes_are_unique_in_an_organization_whatever_their_case(undone, world):
    for table, column, more in (("vouchers", "code", {"discount_type": "free_ticket"}), ("promoters", "promoter_code", {})):
        add(undone, table, organization_id=world.alpha.organization, **{column: "Summer"}, **more)
        refused(undone, "23505", table, organization_id=world.alpha.organization, **{column: "SUMMER"}, **more)
        add(undone, table, organization_id=world.beta.organization, **{column: "SUMMER"}, **more)


# Orders ------------------------------------------------------------------------------------------------------------

NEXT = {
    "pending": {"paid", "cancelled", "expired"}, "expired": {"paid", "cancelled"}, "cancelled": {"paid"},
    "paid": {"partially_refunded", "refunded", "disputed"}, "partially_refunded": {"refunded", "disputed"},
    "disputed": {"paid", "partially_refunded", "refunded"}, "refunded": set(),
}


@pytest.mark.parametrize("status", NEXT)
def test_an_order_goes_only_where_it_may(undone, world, status):
    for wanted in NEXT:
        with undone.transaction(force_rollback=True):
            made = order(undone, world.alpha, status)
            change = ("UPDATE convene.orders SET status = %s WHERE id = %s", [wanted, made])
            if wanted == status or wanted in NEXT[status]:
                undone.execute(*change)
            else:
                expect_error(undone, "55000", *change, message=f"is {status}, it cannot become {wanted}")


def test_an_order_adds_up(undone, world):
    made = order(undone, world.alpha, subtotal_cents=1000, discount_cents=100, tax_cents=117)
    assert undone.execute("SELECT total_cents FROM convene.orders WHERE id = %s", [made]).fetchone() == (1017,)
    for wrong in ("refunded_cents = 1018", "discount_cents = 1001", "subtotal_cents = -1", "paid_at = NULL", "currency = 'cad'"):
        expect_error(undone, "23514", f"UPDATE convene.orders SET {wrong} WHERE id = %s", [made])
    refused(undone, "23514", "orders", event_id=world.alpha.id, status="pending")
    line = {"order_id": made, "ticket_type_id": ident("type", "alpha"), "name": "x", "quantity": 3, "unit_price_cents": 100}
    refused(undone, "23514", "order_items", **line, subtotal_cents=299)
    # A bundle's price is shared out, so its lines need not be so many times a price.
    bundle = add(undone, "bundles", event_id=world.alpha.id, name="x", price=1)
    add(undone, "order_items", **line, subtotal_cents=299, bundle_id=bundle, bundle_quantity=1)
    refused(undone, "23514", "order_items", **line, subtotal_cents=300, bundle_id=bundle)


def test_a_key_is_used_once(undone, world):
    order(undone, world.alpha, "pending", idempotency_key="k")
    columns = {"status": "paid", "paid_at": world.alpha.starts, "idempotency_key": "k"}
    refused(undone, "23505", "orders", event_id=world.alpha.id, **columns)
    add(undone, "orders", event_id=world.beta.id, **columns)


def test_what_is_left_out_comes_from_the_parent(undone, world):
    alpha = world.alpha
    bought = order(undone, alpha)
    assert undone.execute("SELECT organization_id FROM convene.orders WHERE id = %s", [bought]).fetchone() == (alpha.organization,)
    code, _ = voucher(undone, alpha, None)
    kept = add(undone, "voucher_redemptions", "organization_id, event_id", voucher_id=code, order_id=bought, discount_cents=5, currency="CAD")
    assert kept == (alpha.organization, alpha.id)
    kept = add(undone, "promoter_commissions", "organization_id, event_id, commission_amount, base_amount",
               promoter_id=ident("promoter", "alpha"), order_id=bought, commission_cents=1234, base_cents=None, currency="CAD")
    assert kept[:2] == (alpha.organization, alpha.id) and str(kept[2]) == "12.34" and kept[3] is None
    other = order(undone, alpha)
    amount = add(undone, "promoter_commissions", "commission_amount::text", promoter_id=ident("promoter", "alpha"), order_id=other,
                 commission_cents=1234, currency="JPY")
    assert amount == "1234"
    # One commission for an order.
    refused(undone, "23505", "promoter_commissions", promoter_id=ident("promoter", "alpha"), order_id=other, commission_cents=1, currency="JPY")


def test_nothing_refers_to_another_event_or_organization(undone, world):
    alpha, beta = world.alpha, world.beta
    bought, elsewhere = order(undone, alpha), order(undone, beta)
    foreign = voucher(undone, beta, None)[0]
    seats = add(undone, "seat_maps", event_id=alpha.id, name="x")
    theirs, mine = ticket(undone, beta), ticket(undone, alpha)
    bundle = add(undone, "bundles", event_id=alpha.id, name="x", price=1)
    line = {"name": "x", "quantity": 1, "unit_price_cents": 0, "subtotal_cents": 0}
    stranger, promoter, type_b = beta.people[0].id, ident("promoter", "beta"), ident("type", "beta")
    for table, columns in (
        ("orders", {"event_id": alpha.id, "organization_id": beta.organization, "expires_at": alpha.starts}),
        ("orders", {"event_id": alpha.id, "promoter_id": promoter, "expires_at": alpha.starts}),
        ("order_items", {"order_id": bought, "ticket_type_id": type_b, **line}),
        ("bundle_items", {"bundle_id": bundle, "ticket_type_id": type_b}),
        ("tickets", {"event_id": alpha.id, "ticket_type_id": type_b}),
        ("tickets", {"event_id": alpha.id, "ticket_type_id": ident("type", "alpha"), "attendee_id": stranger}),
        ("tickets", {"event_id": alpha.id, "ticket_type_id": ident("type", "alpha"), "order_id": elsewhere}),
        ("voucher_redemptions", {"voucher_id": foreign, "order_id": bought, "discount_cents": 0, "currency": "CAD"}),
        ("promoter_commissions", {"promoter_id": promoter, "order_id": bought, "commission_cents": 0, "currency": "CAD"}),
        ("promoter_commissions", {"promoter_id": ident("promoter", "alpha"), "order_id": bought, "ticket_id": theirs,
                                  "commission_cents": 0, "currency": "CAD"}),
        ("vouchers", {"organization_id": alpha.organization, "event_id": beta.id, "code": "x", "discount_type": "free_ticket"}),
        ("check_ins", {"event_id": alpha.id, "attendee_id": stranger}),
        ("check_ins", {"event_id": beta.id, "attendee_id": stranger, "ticket_id": mine}),
        ("seat_assignments", {"seat_map_id": seats, "attendee_id": stranger, "seat_label": "x"}),
        ("seat_assignments", {"seat_map_id": seats, "ticket_id": theirs, "seat_label": "x"}),
        ("waitlist_entries", {"event_id": alpha.id, "ticket_type_id": type_b, "email": "x"}),
        ("session_registrations", {"event_id": alpha.id, "session_id": alpha.sessions[0], "attendee_id": stranger}),
        ("session_registrations", {"event_id": alpha.id, "session_id": beta.sessions[0], "attendee_id": alpha.people[0].id}),
    ):
        refused(undone, "23503", table, **columns)


def test_what_was_paid_for_stays(undone, world):
    bought = order(undone, world.alpha)
    ticket(undone, world.alpha, order_id=bought)
    add(undone, "promoter_commissions", promoter_id=ident("promoter", "alpha"), order_id=bought, commission_cents=1, currency="CAD")
    for statement, name in (("DELETE FROM convene.events WHERE id = %s", world.alpha.id),
                            ("DELETE FROM convene.ticket_types WHERE id = %s", ident("type", "alpha")),
                            ("DELETE FROM convene.orders WHERE id = %s", bought),
                            ("DELETE FROM convene.promoters WHERE id = %s", ident("promoter", "alpha")),
                            ("UPDATE convene.events SET organization_id = '%s' WHERE id = %%s" % world.beta.organization, world.alpha.id)):
        expect_kept(undone, statement, [name])
    # The buyer's profile may go; the order stays without it.
    buyer = world.alpha.people[0]
    undone.execute("UPDATE convene.orders SET profile_id = %s WHERE id = %s", [buyer.sub, bought])
    undone.execute("DELETE FROM convene.profiles WHERE id = %s", [buyer.sub])
    assert undone.execute("SELECT profile_id FROM convene.orders WHERE id = %s", [bought]).fetchone() == (None,)


def test_an_event_that_sold_nothing_goes_with_all_of_its_parts(undone, world):
    event = world.second
    add_people(undone, event, 1)
    kind, person = ident("type", "second"), event.people[-1].id
    bundle = add(undone, "bundles", event_id=event.id, name="x", price=1)
    add(undone, "bundle_items", bundle_id=bundle, ticket_type_id=kind)
    expect_error(undone, "23503", "DELETE FROM convene.ticket_types WHERE id = %s", [kind])
    guest = ticket(undone, event, attendee_id=person)
    seats = add(undone, "seat_maps", event_id=event.id, name="x")
    add(undone, "seat_assignments", seat_map_id=seats, ticket_id=guest, seat_label="x")
    add(undone, "check_ins", event_id=event.id, attendee_id=person, ticket_id=guest)
    add(undone, "waitlist_entries", event_id=event.id, ticket_type_id=kind, email="x")
    add(undone, "session_registrations", "status", event_id=event.id, session_id=event.sessions[0], attendee_id=person)
    made, _ = voucher(undone, event, [kind])
    undone.execute("DELETE FROM convene.events WHERE id = %s", [event.id])
    for table in ("ticket_types", "bundles", "bundle_items", "tickets", "seat_maps", "seat_assignments", "check_ins", "waitlist_entries",
                  "session_registrations", "vouchers"):
        left = undone.execute(f"SELECT count(*) FROM convene.{table} WHERE event_id = %s", [event.id]).fetchone()
        assert left == (0,), table
    # Not a voucher for every event, either.
    assert undone.execute("SELECT count(*) FROM convene.vouchers WHERE id = %s", [made]).fetchone() == (0,)


def test_tokens_are_long_and_differ(undone, world):
    tokens = [undone.execute("SELECT qr_token FROM convene.tickets WHERE id = %s", [ticket(undone, world.alpha)]).fetchone()[0]
              for _ in range(50)]
    assert len(set(tokens)) == 50 and {len(token) for token in tokens} == {64}


# Doors and seats ---------------------------------------------------------------------------------------------------

def test_two_doors_let_a_ticket_in_once(db, conn, world):
    person = world.alpha.people[0].id
    held = ticket(conn, world.alpha, attendee_id=person)
    scans = [("INSERT INTO convene.check_ins (event_id, attendee_id, ticket_id, checked_in_at)"
              " VALUES (%s, %s, %s, now() - %s * interval '1 second')", [world.alpha.id, person, held, number]) for number in range(6)]
    assert sorted(together(db, *scans), key=str) == ["23505"] * 5 + [None]
    # Out, and in again; the times and the state follow from when.
    conn.execute("UPDATE convene.check_ins SET checked_out_at = checked_in_at + interval '90 minutes' WHERE ticket_id = %s", [held])
    kept = conn.execute("SELECT duration_minutes, is_present, checked_in_at FROM convene.check_ins WHERE ticket_id = %s", [held]).fetchone()
    assert kept[:2] == (90, False)
    assert add(conn, "check_ins", "is_present", event_id=world.alpha.id, attendee_id=person, ticket_id=held) is True
    # A scanner that sends the same scan twice.
    refused(conn, "23505", "check_ins", event_id=world.alpha.id, attendee_id=person, checked_in_at=kept[2], checked_out_at=kept[2])


def test_seats_lie_within_their_map(undone, world):
    person = world.alpha.people[0].id
    room = add(undone, "seat_maps", event_id=world.alpha.id, name="x", rows=3, seats_per_row=4, section_names=["Stalls"])
    loose = add(undone, "seat_maps", event_id=world.alpha.id, name="y")

    def seat(**columns):
        return {"attendee_id": person, "seat_map_id": room, **columns}
    taken = add(undone, "seat_assignments", **seat(row_number=3, seat_number=4, section_name="Stalls"))
    for code, columns in (("22023", {"row_number": 4, "seat_number": 1}), ("22023", {"row_number": 1, "seat_number": 5}),
                          ("22023", {"row_number": 1, "seat_number": 1, "section_name": "Attic"}),
                          ("23505", {"row_number": 3, "seat_number": 4}), ("23514", {"row_number": 1}), ("23514", {})):
        refused(undone, code, "seat_assignments", **seat(**columns))
    expect_error(undone, "22023", "UPDATE convene.seat_assignments SET row_number = 9 WHERE id = %s", [taken])
    add(undone, "seat_assignments", **seat(seat_map_id=loose, row_number=90, seat_number=90, section_name="Attic"))
    # The map does not shrink under those who sit.
    undone.execute("UPDATE convene.seat_maps SET seats_per_row = 9 WHERE id = %s", [room])
    expect_error(undone, "55000", "UPDATE convene.seat_maps SET rows = 2 WHERE id = %s", [room])


def test_a_seat_and_a_map_that_shrinks_meanwhile(db, conn, world):
    room = add(conn, "seat_maps", event_id=world.alpha.id, name="x", rows=3, seats_per_row=4)
    sit = ("INSERT INTO convene.seat_assignments (seat_map_id, attendee_id, row_number, seat_number) VALUES (%s, %s, 3, 1)",
           [room, world.alpha.people[0].id])
    with db.second(autocommit=False) as one:
        one.execute("UPDATE convene.seat_maps SET rows = 2 WHERE id = %s", [room])
        outcome = []
        thread = threading.Thread(target=lambda: outcome.extend(together(db, sit)))
        thread.start()
        thread.join(0.3)
        one.commit()
        thread.join()
    assert outcome == ["22023"]


def test_nobody_waits_twice_for_the_same(undone, world):
    alpha, kind = world.alpha, ident("type", "alpha")
    person = alpha.people[0]
    first = add(undone, "waitlist_entries", event_id=alpha.id, ticket_type_id=kind, profile_id=person.sub)
    refused(undone, "23505", "waitlist_entries", event_id=alpha.id, ticket_type_id=kind, profile_id=person.sub)
    # For anything of the event, for a session, or another time: that is something else.
    add(undone, "waitlist_entries", event_id=alpha.id, profile_id=person.sub)
    refused(undone, "23505", "waitlist_entries", event_id=alpha.id, profile_id=person.sub)
    add(undone, "waitlist_entries", event_id=alpha.id, session_id=alpha.sessions[0], attendee_id=person.id)
    refused(undone, "23505", "waitlist_entries", event_id=alpha.id, session_id=alpha.sessions[0], attendee_id=person.id, profile_id=person.sub)
    undone.execute("UPDATE convene.waitlist_entries SET status = 'left' WHERE id = %s", [first])
    add(undone, "waitlist_entries", event_id=alpha.id, ticket_type_id=kind, profile_id=person.sub)
    add(undone, "waitlist_entries", event_id=alpha.id, email="guest@x.example")
    refused(undone, "23505", "waitlist_entries", event_id=alpha.id, email="Guest@X.example")
    refused(undone, "23514", "waitlist_entries", event_id=alpha.id)
    refused(undone, "23514", "waitlist_entries", event_id=alpha.id, session_id=alpha.sessions[0], profile_id=person.sub)
    expect_error(undone, "23514", "UPDATE convene.waitlist_entries SET status = 'offered', offered_at = now() WHERE email IS NOT NULL")


def taken(conn, event):
    rows = dict(conn.execute("SELECT id, current_registrations FROM convene.sessions WHERE event_id = %s", [event.id]).fetchall())
    return [rows[session] for session in event.sessions]


def test_places_are_counted_whoever_changes_them(undone, world):
    event, people = world.alpha, [person.id for person in world.alpha.people]
    # Two places were taken elsewhere before.
    undone.execute("UPDATE convene.sessions SET current_registrations = 2 WHERE id = %s", [event.sessions[0]])

    def after(statement, *params):
        undone.execute(statement, params)
        return taken(undone, event)[:3]
    register = ("INSERT INTO convene.session_registrations (session_id, attendee_id, event_id, status, hold_expires_at)"
                " SELECT s, a, %s, %s, CASE WHEN %s = 'held' THEN now() END FROM unnest(%s::uuid[]) s, unnest(%s::uuid[]) a")
    change = "UPDATE convene.session_registrations SET {} WHERE attendee_id = %s AND session_id = %s"
    first, second, third = event.sessions[:3]
    assert after(register, event.id, "registered", "registered", [first, second], people[:2]) == [4, 2, 0]
    assert after(register, event.id, "held", "held", [third], people[:1]) == [4, 2, 1]
    assert after(register, event.id, "cancelled", "cancelled", [third], people[1:2]) == [4, 2, 1]
    assert after(change.format("status = 'cancelled'"), people[0], first) == [3, 2, 1]
    assert after(change.format("status = 'registered'"), people[0], first) == [4, 2, 1]
    assert after(change.format("status = 'attended'"), people[0], first) == [4, 2, 1]
    assert after("DELETE FROM convene.session_registrations WHERE attendee_id = %s AND session_id = %s", people[1], second) == [4, 1, 1]
    assert after("DELETE FROM convene.attendees WHERE id = %s", people[0]) == [3, 0, 0]
    # A number that somebody set too low does not stop anybody from leaving.
    undone.execute("UPDATE convene.sessions SET current_registrations = 0 WHERE id = %s", [first])
    assert after("DELETE FROM convene.session_registrations WHERE event_id = %s", event.id) == [0, 0, 0]


def test_a_registration_that_moves_takes_its_place_along(undone, world):
    event, person = world.alpha, world.alpha.people[0].id
    add(undone, "session_registrations", "status", session_id=event.sessions[3], attendee_id=person, event_id=event.id)
    before = taken(undone, event)
    undone.execute("UPDATE convene.session_registrations SET session_id = %s WHERE attendee_id = %s", [event.sessions[4], person])
    assert [new - old for new, old in zip(taken(undone, event), before)] == [0, 0, 0, -1, 1, 0]


ROWS = "INSERT INTO convene.session_registrations (session_id, attendee_id, event_id) SELECT s, %s, %s FROM unnest(%s::uuid[]) s"


def test_statements_over_the_same_sessions_never_deadlock(db, conn):
    event = make_event(conn, "crowd", sessions=6, attendees=40)
    ways = [event.sessions, event.sessions[::-1], event.sessions[3:] + event.sessions[:3]]
    statements = [(ROWS, [person.id, event.id, ways[number % 3]]) for number, person in enumerate(event.people)]
    for start in range(0, 40, 10):
        assert together(db, *statements[start:start + 10]) == [None] * 10
    assert taken(conn, event) == [40] * 6
    leave = [("DELETE FROM convene.session_registrations WHERE attendee_id = %s", [person.id]) for person in event.people[:10]]
    assert together(db, *leave) == [None] * 10
    assert taken(conn, event) == [30] * 6


def test_sessions_are_locked_from_the_lowest_id_up(db, conn):
    """Who waits for the first of them holds none of the others."""
    event = make_event(conn, "queue", sessions=6)
    *others, lowest = sorted(event.sessions, reverse=True)
    with db.second(autocommit=False) as holder, db.second(autocommit=False) as onlooker:
        holder.execute("SELECT FROM convene.sessions WHERE id = %s FOR NO KEY UPDATE", [lowest])
        outcome = []
        waiting = threading.Thread(target=lambda: outcome.extend(together(db, (ROWS, [event.people[0].id, event.id, event.sessions]))))
        waiting.start()
        waiting.join(0.3)
        free = onlooker.execute("SELECT count(*) FROM (SELECT FROM convene.sessions WHERE id = ANY (%s) FOR NO KEY UPDATE SKIP LOCKED) s",
                                [others]).fetchone()[0]
        assert waiting.is_alive() and free == 5
        onlooker.rollback()
        holder.rollback()
        waiting.join()
    assert outcome == [None] and taken(conn, event) == [1] * 6


# Announcements and feedback ----------------------------------------------------------------------------------------

def test_an_announcement_knows_when_it_was_sent(undone, world):
    with as_role(undone, "authenticated", world.alpha.organizer):
        made = add(undone, "event_announcements", event_id=world.alpha.id, title="x", content="x")
        seen = undone.execute("UPDATE convene.event_announcements SET status = 'sent' WHERE id = %s RETURNING sent_at = now()", [made])
        assert seen.fetchone() == (True,)
        refused(undone, "23514", "event_announcements", event_id=world.alpha.id, title="x", content="x", status="scheduled")
        refused(undone, "23514", "event_announcements", event_id=world.alpha.id, title="x", content="x", delivery_method=["pigeon"])


FEEDBACK = ("INSERT INTO convene.event_feedback (event_id, attendee_id, session_id, overall_rating, is_anonymous) VALUES (%s, %s, %s, %s, %s)"
            " ON CONFLICT (attendee_id, session_id) DO UPDATE SET overall_rating = excluded.overall_rating,"
            " is_anonymous = excluded.is_anonymous RETURNING overall_rating")


def test_anonymous_feedback_is_its_authors_alone(undone, world):
    event, author = world.alpha, world.alpha.people[1]
    with as_role(undone, "authenticated", author.sub):
        for rating, anonymous in ((3, False), (5, True)):
            for session in (None, event.sessions[0]):
                assert undone.execute(FEEDBACK, [event.id, author.id, session, rating, anonymous]).fetchone() == (rating,)
        assert undone.execute("SELECT count(*) FROM convene.event_feedback").fetchone() == (2,)
        expect_error(undone, "42501", FEEDBACK, [event.id, event.people[2].id, None, 1, False])
    with as_role(undone, "authenticated", event.organizer):
        for question in ("count(*)", "count(updated_at)", "count(attendee_id)"):
            assert undone.execute(f"SELECT {question} FROM convene.event_feedback").fetchone() == (0,)


def test_own_promoters_are_those_assigned_to_the_team(undone, world):
    alpha, sub, user = world.alpha, ident("seller"), ident("user", "seller")
    role = add(undone, "roles", organization_id=alpha.organization, name="Seller",
               permissions='{"promoters": {"read": "own", "write": "own"}}')
    undone.execute("INSERT INTO convene.profiles (id) VALUES (%s)", [sub])
    undone.execute("INSERT INTO convene.organization_members (organization_id, profile_id, role_id) VALUES (%s, %s, %s)",
                   [alpha.organization, sub, role])
    add(undone, "users", id=user, organization_id=alpha.organization, profile_id=sub, first_name="S", last_name="S", email="s@x.example")
    with as_role(undone, "authenticated", sub):
        assert undone.execute("SELECT id FROM convene.promoters").fetchall() == []
        mine = add(undone, "promoters", organization_id=alpha.organization, promoter_code="Mine", assigned_to=user)
        refused(undone, "42501", "promoters", organization_id=alpha.organization, promoter_code="Loose")
        expect_error(undone, "42501", "UPDATE convene.promoters SET assigned_to = NULL WHERE id = %s", [mine])
        assert undone.execute("DELETE FROM convene.promoters").rowcount == 0
    refused(undone, "23503", "promoters", organization_id=world.beta.organization, promoter_code="x", assigned_to=user)
