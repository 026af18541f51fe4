"""The cells of domain ticketing.

Rows a, b and draft have what is for sale, with a ticket type (other_type) that nobody has bought; rows of persons have an order
of theirs and what came of it. held_a is a ticket that colleague_a bought and attendee_a holds. Promoter attendee_a is the person
of that name."""

from ..factory import ident

SOLD = {
    "ticket_types": ("name, price", "'x', 10", "price = 12", "sold_count = 5"),
    "bundles": ("name, price", "'x', 10", "price = 12", "sold_quantity = 5"),
    "seat_maps": ("name", "'x'", "name = 'x'", None),
}


def _of_event(table, columns, values, change, counted):
    verbs = {
        "select": f"SELECT id FROM {{t}} WHERE id = {{{table}}}",
        "insert": f"INSERT INTO {{t}} (event_id, {columns}) VALUES ({{event}}, {values})",
        "update": f"UPDATE {{t}} SET {change} WHERE id = {{{table}}}", "delete": f"DELETE FROM {{t}} WHERE id = {{{table}}}",
    }
    if counted:
        verbs["update-sold"] = f"UPDATE {{t}} SET {counted} WHERE id = {{{table}}}"
        verbs["insert-sold"] = f"INSERT INTO {{t}} (event_id, {columns}, {counted.split()[0]}) VALUES ({{event}}, {values}, 5)"
    return verbs


STATEMENTS = {table: _of_event(table, *parts) for table, parts in SOLD.items()}
STATEMENTS["ticket_types"]["delete"] = "DELETE FROM {t} WHERE id = {other_type}"
STATEMENTS |= {
    "bundle_items": {
        "select": "SELECT id FROM {t} WHERE bundle_id = {bundles}",
        "insert": "INSERT INTO {t} (bundle_id, event_id, ticket_type_id) VALUES ({bundles}, {event}, {other_type})",
        "insert-filled": "INSERT INTO {t} (bundle_id, ticket_type_id) VALUES ({bundles}, {other_type})",
        "update": "UPDATE {t} SET quantity = 3 WHERE bundle_id = {bundles}", "delete": "DELETE FROM {t} WHERE bundle_id = {bundles}",
    },
    "seat_assignments": {
        "select": "SELECT id FROM {t} WHERE attendee_id = {person}",
        "insert": "INSERT INTO {t} (seat_map_id, event_id, attendee_id, row_number, seat_number) VALUES ({seat_maps}, {event}, {person}, 9, 9)",
        "insert-filled": "INSERT INTO {t} (seat_map_id, attendee_id, seat_label) VALUES ({seat_maps}, {person}, 'Table 1')",
        "update": "UPDATE {t} SET seat_number = 8 WHERE attendee_id = {person}", "delete": "DELETE FROM {t} WHERE attendee_id = {person}",
    },
    "orders": {
        "select": "SELECT id FROM {t} WHERE id = {order}", "select-payment": "SELECT stripe_payment_intent_id FROM {t} WHERE id = {order}",
        "insert": "INSERT INTO {t} (event_id, profile_id, expires_at) VALUES ({event}, {sub}, now() + interval '1 h')",
        "update": "UPDATE {t} SET status = 'refunded' WHERE id = {order}", "delete": "DELETE FROM {t} WHERE id = {order}",
    },
    "order_items": {
        "select": "SELECT id FROM {t} WHERE order_id = {order}",
        "insert": "INSERT INTO {t} (order_id, ticket_type_id, name, quantity, unit_price_cents, subtotal_cents)"
                  " VALUES ({order}, {other_type}, 'x', 1, 0, 0)",
        "update": "UPDATE {t} SET refunded_quantity = 1 WHERE order_id = {order}", "delete": "DELETE FROM {t} WHERE order_id = {order}",
    },
    "tickets": {
        "select": "SELECT id FROM {t} WHERE id = {ticket}", "select-token": "SELECT qr_token FROM {t} WHERE id = {ticket}",
        "insert": "INSERT INTO {t} (event_id, ticket_type_id, attendee_id) VALUES ({event}, {ticket_types}, {person})",
        "update": "UPDATE {t} SET holder_name = 'x' WHERE id = {ticket}", "delete": "DELETE FROM {t} WHERE id = {ticket}",
    },
    "voucher_redemptions": {
        "select": "SELECT id FROM {t} WHERE order_id = {order}",
        "insert": "DELETE FROM {t} WHERE order_id = {order} ;;"
                  " INSERT INTO {t} (voucher_id, order_id, discount_cents, currency) VALUES ({voucher}, {order}, 5, 'CAD')",
        "update": "UPDATE {t} SET status = 'released' WHERE order_id = {order}", "delete": "DELETE FROM {t} WHERE order_id = {order}",
    },
    "check_ins": {
        "select": "SELECT id FROM {t} WHERE attendee_id = {person}",
        "select-device": "SELECT device_id, ip_address, user_agent FROM {t} WHERE attendee_id = {person}",
        "insert": "INSERT INTO {t} (event_id, attendee_id) VALUES ({event}, {person})",
        "update": "UPDATE {t} SET checked_out_at = NULL WHERE attendee_id = {person}", "delete": "DELETE FROM {t} WHERE attendee_id = {person}",
    },
    "waitlist_entries": {
        "select": "SELECT id FROM {t} WHERE profile_id = {sub}",
        "insert": "INSERT INTO {t} (event_id, session_id, profile_id, attendee_id) VALUES ({event}, {session}, {sub}, {person})",
        "update": "UPDATE {t} SET priority = 9 WHERE profile_id = {sub}", "delete": "DELETE FROM {t} WHERE profile_id = {sub}",
    },
    "session_registrations": {
        "select": "SELECT 1 FROM {t} WHERE attendee_id = {person}",
        "insert": "DELETE FROM {t} WHERE attendee_id = {person} ;;"
                  " INSERT INTO {t} (session_id, attendee_id, event_id) VALUES ({session}, {person}, {event})",
        "update": "UPDATE {t} SET status = 'cancelled' WHERE attendee_id = {person}", "delete": "DELETE FROM {t} WHERE attendee_id = {person}",
    },
    "vouchers": {
        "select": "SELECT id FROM {t} WHERE id = {voucher}",
        "insert": "INSERT INTO {t} (organization_id, code, discount_type) VALUES ({organization}, 'NEW', 'free_ticket')",
        "update": "UPDATE {t} SET discount_value = 20 WHERE id = {voucher}", "update-count": "UPDATE {t} SET usage_count = 0 WHERE id = {voucher}",
        "delete": "DELETE FROM convene.voucher_redemptions WHERE voucher_id = {voucher} ;; DELETE FROM {t} WHERE id = {voucher}",
    },
    "promoters": {
        "select": "SELECT id FROM {t} WHERE id = {promoter}", "select-tax": "SELECT tax_id FROM {t} WHERE id = {promoter}",
        "insert": "INSERT INTO {t} (organization_id, promoter_code, tax_id) VALUES ({organization}, 'NEW', '1')",
        "update": "UPDATE {t} SET commission_rate = 20 WHERE id = {promoter}", "update-total": "UPDATE {t} SET total_sales = 5 WHERE id = {promoter}",
        "delete": "DELETE FROM convene.promoter_commissions WHERE promoter_id = {promoter} ;; DELETE FROM {t} WHERE id = {promoter}",
    },
    "promoter_commissions": {
        "select": "SELECT id FROM {t} WHERE promoter_id = {promoter}",
        "insert": "DELETE FROM {t} WHERE promoter_id = {promoter} ;;"
                  " INSERT INTO {t} (promoter_id, order_id, commission_cents, currency) VALUES ({promoter}, {guest_order}, 5, 'CAD')",
        "update": "UPDATE {t} SET status = 'approved' WHERE promoter_id = {promoter}", "delete": "DELETE FROM {t} WHERE promoter_id = {promoter}",
    },
}

FOR_SALE = [
    "INSERT INTO convene.ticket_types (id, event_id, name, price) VALUES (%(ticket_types)s, %(event)s, 'T', 10), (%(other_type)s, %(event)s, 'U', 0)",
    "INSERT INTO convene.bundles (id, event_id, name, price) VALUES (%(bundles)s, %(event)s, 'B', 15)",
    "INSERT INTO convene.bundle_items (bundle_id, ticket_type_id) VALUES (%(bundles)s, %(ticket_types)s)",
    "INSERT INTO convene.seat_maps (id, event_id, name, rows, seats_per_row) VALUES (%(seat_maps)s, %(event)s, 'S', 9, 9)",
]
ORDER = "INSERT INTO convene.orders (id, event_id, profile_id, status, paid_at) VALUES (%(order)s, %(event)s, %(sub)s, 'paid', now())"
BOUGHT = [
    ORDER,
    "INSERT INTO convene.order_items (order_id, ticket_type_id, name, quantity, unit_price_cents, subtotal_cents)"
    " VALUES (%(order)s, %(ticket_types)s, 'T', 1, 1000, 1000)",
    "INSERT INTO convene.voucher_redemptions (voucher_id, order_id, profile_id, discount_cents, currency)"
    " VALUES (%(voucher)s, %(order)s, %(sub)s, 100, 'CAD')",
    "INSERT INTO convene.tickets (id, event_id, order_id, ticket_type_id, attendee_id)"
    " VALUES (%(ticket)s, %(event)s, %(order)s, %(ticket_types)s, %(person)s)",
    "INSERT INTO convene.check_ins (event_id, attendee_id, ticket_id, checked_in_at, checked_out_at)"
    " VALUES (%(event)s, %(person)s, %(ticket)s, now() - interval '2 h', now() - interval '1 h')",
    "INSERT INTO convene.seat_assignments (seat_map_id, ticket_id, attendee_id, row_number, seat_number)"
    " VALUES (%(seat_maps)s, %(ticket)s, %(person)s, 1, %(seat)s)",
    "INSERT INTO convene.waitlist_entries (event_id, ticket_type_id, profile_id) VALUES (%(event)s, %(other_type)s, %(sub)s)",
    "INSERT INTO convene.session_registrations (session_id, attendee_id, event_id) VALUES (%(session)s, %(person)s, %(event)s)",
]


def add_rows(world, conn):
    for name in ("a", "b", "draft"):
        row = world.rows[name]
        row |= {table: ident(table, name) for table in SOLD} | {"other_type": ident("other type", name), "voucher": ident("voucher", name)}
        for statement in FOR_SALE:
            conn.execute(statement, row)
        conn.execute("INSERT INTO convene.vouchers (id, organization_id, event_id, code, discount_type, discount_value)"
                     " VALUES (%(voucher)s, %(organization)s, %(event)s, %(event)s, 'percentage', 10)", row)
    for seat, name in enumerate(("attendee_a", "colleague_a", "attendee_b"), 1):
        row = world.rows[name]
        row |= {key: value for key, value in world.rows[name[-1]].items() if key not in row}
        row |= {"order": ident("order", name), "ticket": ident("ticket", name)}
        for statement in BOUGHT:
            conn.execute(statement, {**row, "seat": seat})
    colleague, held = world.rows["colleague_a"], {**world.rows["attendee_a"], "ticket": ident("ticket", "held_a")}
    world.rows["held_a"] = held
    conn.execute("INSERT INTO convene.tickets (id, event_id, order_id, ticket_type_id, attendee_id) VALUES (%s, %s, %s, %s, %s)",
                 [held["ticket"], held["event"], colleague["order"], held["ticket_types"], held["person"]])
    # Contacts of domain crm: that of row a is attendee_a.
    for name, contact in (("a", "clerks_a"), ("b", "b"), ("attendee_a", "a")):
        row = world.rows[name]
        row |= {"promoter": ident("promoter", name), "guest_order": ident("guest order", name)}
        conn.execute("INSERT INTO convene.promoters (id, organization_id, contact_id, promoter_code, commission_rate) VALUES (%s, %s, %s, %s, 5)",
                     [row["promoter"], row["organization"], ident("contacts", contact), name])
        conn.execute(ORDER, {**row, "order": row["guest_order"], "sub": None})
        conn.execute("INSERT INTO convene.promoter_commissions (promoter_id, order_id, commission_cents, currency)"
                     " VALUES (%(promoter)s, %(guest_order)s, 50, 'CAD')", row)
