"""The cells of domain money. Its rows hang on events of their own, since an event with orders stays."""

from ..factory import ident

STATEMENTS = {
    "payout_configurations": {
        "select": "SELECT stripe_account_id FROM {t} WHERE organization_id = {organization}",
        "insert": "INSERT INTO {t} (organization_id, currency) VALUES ({organization}, 'EUR')",
        "update": "UPDATE {t} SET stripe_account_id = 'acct_x' WHERE organization_id = {organization}",
        "delete": "DELETE FROM {t} WHERE organization_id = {organization}",
    },
    "sponsorship_orders": {
        "select": "SELECT amount_cents, status FROM {t} WHERE id = {order}",
        "select-fee": "SELECT application_fee_cents FROM {t} WHERE id = {order}",
        "select-stripe": "SELECT stripe_payment_intent_id FROM {t} WHERE id = {order}",
        "insert": "INSERT INTO {t} (package_id, sponsor_id) VALUES ({package}, {sponsor})",
        "update": "UPDATE {t} SET status = 'fulfilled' WHERE id = {order}",
        "update-payout": "UPDATE {t} SET payout_cents = 0 WHERE id = {order}",
        "delete": "DELETE FROM {t} WHERE id = {spare_order}",
    },
    "sponsorship_deliverables": {
        "select": "SELECT id FROM {t} WHERE order_id = {order}", "insert": "INSERT INTO {t} (order_id, title) VALUES ({order}, 'x')",
        "update": "UPDATE {t} SET status = 'completed' WHERE order_id = {order}", "delete": "DELETE FROM {t} WHERE order_id = {order}",
    },
    "sponsorship_payouts": {
        "select": "SELECT amount_cents FROM {t} WHERE id = {payout}",
        "insert": "INSERT INTO {t} (order_id, amount_cents) VALUES ({order}, 1)",
        "update": "UPDATE {t} SET status = 'processing' WHERE id = {payout}", "delete": "DELETE FROM {t} WHERE id = {spare_payout}",
    },
    "payout_queue": {
        "select": "SELECT status FROM {t} WHERE payout_id = {payout}",
        "insert": "INSERT INTO {t} (payout_id, order_id, event_id) VALUES ({payout}, {order}, {event})",
        "update": "UPDATE {t} SET status = 'done' WHERE payout_id = {payout}", "delete": "DELETE FROM {t} WHERE payout_id = {payout}",
    },
    "stripe_events": {
        "select": "SELECT payload FROM {t} WHERE order_id = {order}",
        "insert": "INSERT INTO {t} (stripe_event_id, type, payload) VALUES ('evt_x', 'x', '{{}}')",
        "update": "UPDATE {t} SET status = 'ignored' WHERE order_id = {order}", "delete": "DELETE FROM {t} WHERE order_id = {order}",
    },
    "ledger": {
        "select": "SELECT amount_cents FROM {t} WHERE order_id = {order}",
        "insert": "INSERT INTO {t} (transaction_id, kind, account, currency, amount_cents, order_id)"
                  " VALUES ({order}, 'adjustment', 'cash', 'USD', 1, {order}), ({order}, 'adjustment', 'platform_fees', 'USD', -1, {order})",
        "update": "UPDATE {t} SET amount_cents = 1 WHERE order_id = {order}", "delete": "DELETE FROM {t} WHERE order_id = {order}",
    },
}


def add_rows(world, conn):
    """An order with all that follows, of sponsor_a at an event of organization a, and the same of b."""
    for letter in ("a", "b"):
        parts = ("event", "package", "sponsor", "order", "spare_order", "payout", "spare_payout")
        row = {part: ident("sold", letter, part) for part in parts}
        row["organization"] = world.rows[letter]["organization"]
        row |= {"profile": ident(f"sponsor_{letter}"), "letter": letter}
        world.rows[f"sold_{letter}"] = row
        for statement in _ROWS:
            conn.execute(statement, row)


_ROWS = [
    "INSERT INTO convene.events (id, organization_id, title, status) VALUES (%(event)s, %(organization)s, 'Sold', 'published')",
    "INSERT INTO convene.sponsorship_packages (id, event_id, package_name, tier, price_cents, total_available)"
    " VALUES (%(package)s, %(event)s, 'Gold', 'gold', 100000, 5)",
    "INSERT INTO convene.sponsors (id, event_id, company_name, profile_id) VALUES (%(sponsor)s, %(event)s, 'Buyer', %(profile)s)",
    "INSERT INTO convene.payout_configurations (organization_id, stripe_account_id, account_status)"
    " VALUES (%(organization)s, 'acct_' || %(letter)s::text, 'verified')",
    "INSERT INTO convene.sponsorship_orders (id, package_id, sponsor_id, application_fee_cents, stripe_payment_intent_id)"
    " VALUES (%(order)s, %(package)s, %(sponsor)s, 5000, 'pi_' || %(letter)s::text), (%(spare_order)s, %(package)s, %(sponsor)s, 0, NULL)",
    "UPDATE convene.sponsorship_orders SET status = 'paid' WHERE id = %(order)s",
    "INSERT INTO convene.sponsorship_deliverables (order_id, title, share_percent) VALUES (%(order)s, 'Logo', 50)",
    "INSERT INTO convene.sponsorship_payouts (id, order_id, amount_cents)"
    " VALUES (%(payout)s, %(order)s, 40000), (%(spare_payout)s, %(order)s, 1000)",
    "INSERT INTO convene.payout_queue (payout_id, order_id, event_id) VALUES (%(payout)s, %(order)s, %(event)s)",
    "INSERT INTO convene.stripe_events (stripe_event_id, type, payload, order_id)"
    " VALUES ('evt_' || %(letter)s::text, 'payment_intent.succeeded', '{}', %(order)s)",
    "INSERT INTO convene.ledger (transaction_id, kind, account, currency, amount_cents, order_id)"
    " SELECT %(order)s, 'payment', account, 'USD', amount, %(order)s"
    " FROM (VALUES ('cash', 100000), ('organizer_payable', -95000), ('platform_fees', -5000)) v(account, amount)",
]
