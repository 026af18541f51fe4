"""Money holds at the level of rows: packages are never oversold, states follow one another, the books sum to zero."""

import threading
import uuid

import psycopg
import pytest

from lib.access import as_role, expect_error, expect_kept
from lib.factory import ident, make_event

FEE = 700


@pytest.fixture(scope="module")
def event(db):
    with db.connect() as connection:
        made = make_event(connection, "sold", sessions=0)
        connection.execute("INSERT INTO convene.sponsors (id, event_id, company_name) VALUES (%s, %s, 'Buyer')", [ident("buyer"), made.id])
        connection.execute("INSERT INTO convene.sponsors (id, company_name) VALUES (%s, 'Elsewhere')", [ident("elsewhere")])
    return made


@pytest.fixture
def conn(db):
    """Undone after each test, so that constraints which wait for the end are asked for by hand."""
    with db.connect(autocommit=False) as connection:
        yield connection
        connection.rollback()


def package(conn, event, total=2, currency="USD"):
    return conn.execute(
        "INSERT INTO convene.sponsorship_packages (event_id, package_name, tier, price_cents, currency, total_available)"
        " VALUES (%s, %s, 'gold', 10000, %s, %s) RETURNING id", [event.id, str(uuid.uuid4()), currency, total]).fetchone()[0]


def order(conn, package_id, *states, sponsor="buyer", **columns):
    """An order taken through these states."""
    columns = {"package_id": package_id, "sponsor_id": ident(sponsor), "application_fee_cents": FEE, **columns}
    made = conn.execute(f"INSERT INTO convene.sponsorship_orders ({', '.join(columns)})"
                        f" VALUES ({', '.join(['%s'] * len(columns))}) RETURNING id", list(columns.values())).fetchone()[0]
    for state in states:
        conn.execute(MOVE, [state, made])
    return made


MOVE = "UPDATE convene.sponsorship_orders SET status = %s WHERE id = %s"
PAY_OUT = "INSERT INTO convene.sponsorship_payouts (order_id, amount_cents) VALUES (%s, %s) RETURNING id"
MOVE_PAYOUT = "UPDATE convene.sponsorship_payouts SET status = %s, stripe_transfer_id = 'tr_1' WHERE id = %s"


def value(conn, column, order_id):
    return conn.execute(f"SELECT {column} FROM convene.sponsorship_orders WHERE id = %s", [order_id]).fetchone()[0]


def sold(conn, package_id):
    return conn.execute("SELECT sold FROM convene.sponsorship_packages WHERE id = %s", [package_id]).fetchone()[0]


# Orders ----------------------------------------------------------------------------------------------------------------

def test_an_order_is_completed_from_its_package(conn, event):
    made = order(conn, package(conn, event, currency="EUR"))
    got = conn.execute("SELECT event_id, organization_id, amount_cents, currency, net_amount_cents, transfer_group, idempotency_key"
                       " FROM convene.sponsorship_orders WHERE id = %s", [made]).fetchone()
    assert got[:6] == (event.id, event.organization, 10000, "EUR", 9300, f"sponsorship_{made}")
    assert got[6]


def test_an_order_has_the_currency_of_its_package(conn, event):
    of = package(conn, event)
    expect_error(conn, "22023", "INSERT INTO convene.sponsorship_orders (package_id, sponsor_id, currency) VALUES (%s, %s, 'EUR')",
                 [of, ident("buyer")], message="USD, not in EUR")
    expect_error(conn, "0A000", "UPDATE convene.sponsorship_orders SET currency = 'EUR' WHERE id = %s", [order(conn, of)],
                 message="^currency of")


def test_an_order_is_of_its_packages_event(conn, event):
    of = package(conn, event)
    other = conn.execute("INSERT INTO convene.events (organization_id, title) VALUES (%s, 'x') RETURNING id",
                         [event.organization]).fetchone()[0]
    expect_error(conn, "23503", "INSERT INTO convene.sponsorship_orders (package_id, sponsor_id, event_id) VALUES (%s, %s, %s)",
                 [of, ident("buyer"), other])
    expect_error(conn, "23503", "INSERT INTO convene.sponsorship_orders (package_id, sponsor_id) VALUES (%s, %s)",
                 [uuid.uuid4(), ident("buyer")])


@pytest.mark.parametrize("columns", [
    {"application_fee_cents": 10001}, {"application_fee_cents": -1}, {"amount_cents": -1}, {"refunded_cents": 10001},
    {"payout_cents": 9301}, {"cancel_reason": "sponsor"}, {"disputed_from": "paid"},
])
def test_amounts_and_states_of_an_order_agree(conn, event, columns):
    of = package(conn, event)
    with pytest.raises(psycopg.errors.CheckViolation):
        order(conn, of, **columns)


def test_what_was_agreed_stays(conn, event):
    made = order(conn, package(conn, event))
    for column, other in (("amount_cents", 1), ("application_fee_cents", 0), ("sponsor_id", ident("elsewhere"))):
        expect_error(conn, "0A000", f"UPDATE convene.sponsorship_orders SET {column} = %s WHERE id = %s", [other, made], message=column)
    expect_error(conn, "428C9", "UPDATE convene.sponsorship_orders SET net_amount_cents = 1 WHERE id = %s", [made])


def test_one_idempotency_key_is_one_order_of_a_sponsor(conn, event):
    of = package(conn, event, total=5)
    order(conn, of, idempotency_key="k")
    order(conn, of, idempotency_key="k", sponsor="elsewhere")
    again = conn.execute("INSERT INTO convene.sponsorship_orders (package_id, sponsor_id, idempotency_key) VALUES (%s, %s, 'k')"
                         " ON CONFLICT (sponsor_id, idempotency_key) DO NOTHING", [of, ident("buyer")])
    assert again.rowcount == 0
    # And the repetition takes no package.
    assert sold(conn, of) == 2


STEPS = {
    "pending": {"paid", "cancelled"}, "paid": {"fulfilled", "refunded", "disputed"},
    "fulfilled": {"payout_queued", "refunded", "disputed"}, "payout_queued": {"paid_out", "fulfilled", "refunded", "disputed"},
    "paid_out": {"fulfilled", "refunded", "disputed"}, "cancelled": {"refunded"}, "refunded": set(),
    # Interrupted when it was paid.
    "disputed": {"paid", "refunded"},
}
WAYS = {
    "pending": [], "paid": ["paid"], "fulfilled": ["paid", "fulfilled"], "payout_queued": ["paid", "fulfilled", "payout_queued"],
    "paid_out": ["paid", "fulfilled", "payout_queued", "paid_out"], "cancelled": ["cancelled"], "refunded": ["paid", "refunded"],
    "disputed": ["paid", "disputed"],
}


@pytest.mark.parametrize("state", STEPS)
def test_states_follow_one_another(conn, event, state):
    made = order(conn, package(conn, event), *WAYS[state])
    for target in STEPS.keys() - {state}:
        with conn.transaction(force_rollback=True):
            if target in STEPS[state]:
                conn.execute(MOVE, [target, made])
                assert value(conn, "status", made) == target
            else:
                hint = "final" if state == "refunded" else r"can go to: \w+"
                expect_error(conn, "55000", MOVE, [target, made], message=f"from {state} to {target}$", hint=hint)


def test_an_order_begins_as_pending(conn, event):
    of = package(conn, event)
    expect_error(conn, "55000", "INSERT INTO convene.sponsorship_orders (package_id, sponsor_id, status) VALUES (%s, %s, 'paid')",
                 [of, ident("buyer")], message="begins as pending, not as paid")


def test_states_note_their_time_and_a_dispute_where_it_came_from(conn, event):
    made = order(conn, package(conn, event), "paid", "fulfilled", "disputed")
    noted = "paid_at = now() AND fulfilled_at = now() AND disputed_at = now() AND disputed_from = 'fulfilled' AND refunded_at IS NULL"
    assert value(conn, noted, made)
    expect_error(conn, "55000", MOVE, ["paid_out", made], hint="fulfilled, refunded")
    conn.execute(MOVE, ["fulfilled", made])
    assert value(conn, "disputed_from", made) is None


# Packages --------------------------------------------------------------------------------------------------------------

def test_an_order_takes_a_package_until_it_is_cancelled_or_refunded(conn, event):
    of = package(conn, event, total=2)
    first, second = order(conn, of), order(conn, of, "paid")
    assert sold(conn, of) == 2
    expect_error(conn, "55000", "INSERT INTO convene.sponsorship_orders (package_id, sponsor_id) VALUES (%s, %s)",
                 [of, ident("elsewhere")], message="sold out")
    conn.execute(MOVE, ["cancelled", first])
    assert (sold(conn, of), value(conn, "cancel_reason", first)) == (1, "other")
    conn.execute(MOVE, ["refunded", second])
    assert sold(conn, of) == 0
    third = order(conn, of)
    conn.execute("DELETE FROM convene.sponsorship_orders WHERE id = %s", [third])
    assert sold(conn, of) == 0


def test_a_late_payment_counts_while_a_package_is_left(conn, event):
    of = package(conn, event, total=1)
    late = order(conn, of)
    conn.execute("UPDATE convene.sponsorship_orders SET status = 'cancelled', cancel_reason = 'expired' WHERE id = %s", [late])
    rival = order(conn, of, sponsor="elsewhere")
    expect_error(conn, "55000", MOVE, ["paid", late], message="sold out")
    conn.execute(MOVE, ["cancelled", rival])
    conn.execute(MOVE, ["paid", late])
    assert (sold(conn, of), value(conn, "cancel_reason", late)) == (1, None)


def test_the_last_package_is_sold_once(db, event):
    with db.connect() as connection:
        of = package(connection, event, total=3)
    outcomes, ready = [], threading.Barrier(8)

    def buy():
        with db.connect() as connection:
            ready.wait()
            try:
                order(connection, of)
                outcomes.append("sold")
            except psycopg.errors.ObjectNotInPrerequisiteState:
                outcomes.append("sold out")

    buyers = [threading.Thread(target=buy) for _ in range(8)]
    for buyer in buyers:
        buyer.start()
    for buyer in buyers:
        buyer.join(30)
    assert sorted(outcomes) == ["sold"] * 3 + ["sold out"] * 5
    with db.connect() as connection:
        assert sold(connection, of) == 3


# Nothing goes with what it hangs on ------------------------------------------------------------------------------------

def test_orders_keep_sponsor_event_package_and_organization(conn, event):
    of = package(conn, event)
    order(conn, of)
    for statement, row in (("DELETE FROM convene.sponsors WHERE id = %s", ident("buyer")),
                           ("DELETE FROM convene.events WHERE id = %s", event.id),
                           ("DELETE FROM convene.sponsorship_packages WHERE id = %s", of),
                           ("UPDATE convene.events SET organization_id = (SELECT id FROM convene.organizations WHERE slug = 'default')"
                            " WHERE id = %s", event.id)):
        expect_kept(conn, statement, [row])


def test_a_person_may_go_and_the_order_stays(conn, event):
    person = conn.execute("INSERT INTO convene.profiles DEFAULT VALUES RETURNING id").fetchone()[0]
    made = order(conn, package(conn, event), ordered_by=person)
    conn.execute("DELETE FROM convene.profiles WHERE id = %s", [person])
    assert value(conn, "ordered_by", made) is None


# Deliverables ----------------------------------------------------------------------------------------------------------

DELIVER = "INSERT INTO convene.sponsorship_deliverables (order_id, title, share_percent) VALUES (%s, 'x', %s) RETURNING id"


def test_shares_stay_within_the_whole(conn, event):
    made = order(conn, package(conn, event))
    first = conn.execute(DELIVER, [made, 60]).fetchone()[0]
    expect_error(conn, "22023", DELIVER, [made, "40.0001"], message="100.0001 per cent")
    conn.execute(DELIVER, [made, 40])
    expect_error(conn, "22023", "UPDATE convene.sponsorship_deliverables SET share_percent = 61 WHERE id = %s", [first])
    conn.execute("UPDATE convene.sponsorship_deliverables SET status = 'cancelled' WHERE id = %s", [first])
    conn.execute(DELIVER, [made, 60])


def test_two_who_add_shares_at_a_time_do_not_pass_the_whole(db, event):
    with db.connect() as connection:
        made = order(connection, package(connection, event))
    with db.connect(autocommit=False) as first, db.second(autocommit=False) as second:
        first.execute(DELIVER, [made, 60])
        second.execute("SET LOCAL lock_timeout = '200ms'")
        expect_error(second, "55P03", DELIVER, [made, 60])
        first.commit()
        expect_error(second, "22023", DELIVER, [made, 60])


def test_a_deliverable_releases_its_share_once_and_when_it_is_done(conn, event):
    made = order(conn, package(conn, event), "paid")
    done = conn.execute(DELIVER, [made, 50]).fetchone()[0]
    release = "INSERT INTO convene.sponsorship_payouts (order_id, deliverable_id, amount_cents) VALUES (%s, %s, 4650) RETURNING id"
    expect_error(conn, "55000", release, [made, done], message="not completed")
    conn.execute("UPDATE convene.sponsorship_deliverables SET status = 'completed' WHERE id = %s", [done])
    payout = conn.execute(release, [made, done]).fetchone()[0]
    expect_error(conn, "23505", release, [made, done])
    reopen = "UPDATE convene.sponsorship_deliverables SET status = 'in_progress' WHERE id = %s"
    expect_error(conn, "55000", reopen, [done], hint="Cancel the payout")
    conn.execute("UPDATE convene.sponsorship_payouts SET status = 'cancelled' WHERE id = %s", [payout])
    conn.execute(reopen, [done])
    assert conn.execute("SELECT completed_at FROM convene.sponsorship_deliverables WHERE id = %s", [done]).fetchone() == (None,)
    # The share of another order's deliverable is not this order's to pay.
    conn.execute("UPDATE convene.sponsorship_deliverables SET status = 'completed' WHERE id = %s", [done])
    expect_error(conn, "55000", release, [order(conn, package(conn, event), "paid"), done])


# Payouts ---------------------------------------------------------------------------------------------------------------

def test_payouts_come_to_the_net_amount_at_most(conn, event):
    made = order(conn, package(conn, event), "paid")
    first = conn.execute(PAY_OUT, [made, 9000]).fetchone()[0]
    expect_error(conn, "22023", PAY_OUT, [made, 301], message="300 of order")
    second = conn.execute(PAY_OUT, [made, 300]).fetchone()[0]
    assert value(conn, "payout_cents", made) == 9300
    conn.execute("UPDATE convene.sponsorship_payouts SET status = 'cancelled' WHERE id = %s", [second])
    conn.execute("DELETE FROM convene.sponsorship_payouts WHERE id = %s", [first])
    assert value(conn, "payout_cents", made) == 0
    conn.execute("UPDATE convene.sponsorship_orders SET refunded_cents = 4000 WHERE id = %s", [made])
    expect_error(conn, "22023", PAY_OUT, [made, 6001], message="6000 of order")
    got = conn.execute("INSERT INTO convene.sponsorship_payouts (order_id, amount_cents) VALUES (%s, 6000)"
                       " RETURNING event_id, organization_id, currency", [made]).fetchone()
    assert got == (event.id, event.organization, "USD")


def test_two_payouts_at_a_time_do_not_pass_the_net_amount(db, event):
    with db.connect() as connection:
        made = order(connection, package(connection, event), "paid")
    with db.connect(autocommit=False) as first, db.second(autocommit=False) as second:
        first.execute(PAY_OUT, [made, 9300])
        second.execute("SET LOCAL lock_timeout = '200ms'")
        expect_error(second, "55P03", PAY_OUT, [made, 9300])
        first.commit()
        expect_error(second, "22023", PAY_OUT, [made, 9300], message="0 of order")


@pytest.mark.parametrize("states", [[], ["cancelled"], ["paid", "refunded"], ["paid", "disputed"]])
def test_only_money_that_is_there_is_paid_out(conn, event, states):
    made = order(conn, package(conn, event), *states)
    expect_error(conn, "55000", PAY_OUT, [made, 1], message="nothing of it is paid out")


def test_a_dispute_stops_a_payout_that_is_not_out_yet(conn, event):
    made = order(conn, package(conn, event), "paid")
    waiting, out = (conn.execute(PAY_OUT, [made, 100]).fetchone()[0] for _ in range(2))
    conn.execute("UPDATE convene.sponsorship_payouts SET status = 'processing' WHERE id = %s", [out])
    conn.execute(MOVE, ["disputed", made])
    expect_error(conn, "55000", "UPDATE convene.sponsorship_payouts SET status = 'processing' WHERE id = %s", [waiting], message="disputed")
    # What Stripe has done is written down all the same.
    conn.execute(MOVE_PAYOUT, ["transferred", out])


PAYOUT_STEPS = {
    "pending": {"processing", "transferred", "failed", "cancelled"}, "processing": {"pending", "transferred", "failed"},
    "failed": {"pending", "transferred", "cancelled"}, "transferred": {"paid", "reversed"}, "paid": {"transferred", "reversed"},
    "reversed": set(), "cancelled": set(),
}
PAYOUT_WAYS = {
    "pending": [], "processing": ["processing"], "failed": ["failed"], "cancelled": ["cancelled"], "transferred": ["transferred"],
    "paid": ["transferred", "paid"], "reversed": ["transferred", "reversed"],
}


@pytest.mark.parametrize("state", PAYOUT_STEPS)
def test_payouts_go_from_state_to_state(conn, event, state):
    made = order(conn, package(conn, event), "paid")
    payout = conn.execute(PAY_OUT, [made, 500]).fetchone()[0]
    for step in PAYOUT_WAYS[state]:
        conn.execute(MOVE_PAYOUT, [step, payout])
    assert value(conn, "payout_cents", made) == (0 if state in ("cancelled", "reversed") else 500)
    for target in PAYOUT_STEPS.keys() - {state}:
        with conn.transaction(force_rollback=True):
            if target in PAYOUT_STEPS[state]:
                conn.execute(MOVE_PAYOUT, [target, payout])
            else:
                expect_error(conn, "55000", MOVE_PAYOUT, [target, payout], message=f"from {state} to {target}$")


def test_a_transfer_has_its_id_in_the_same_write(conn, event):
    payout = conn.execute(PAY_OUT, [order(conn, package(conn, event), "paid"), 500]).fetchone()[0]
    expect_error(conn, "23514", "UPDATE convene.sponsorship_payouts SET status = 'transferred' WHERE id = %s", [payout])


@pytest.mark.parametrize("tiers", [
    '[{"from_cents": 0}]', '[{"from_cents": 0, "percent": 101}]', '[{"from_cents": "0", "percent": 1}]', '[3]',
    '[{"from_cents": -1, "percent": 1}]', '[{"from_cents": 0, "percent": 1, "fixed_cents": "1"}]', '{"percent": 1}',
    '[{"from_cents": 0.5, "percent": 1}]', '[{"from_cents": 0, "percent": 1, "fixed_cents": 30.5}]',
    '[[{"from_cents": 0, "percent": 1}]]', '[5]',
])
def test_tiers_of_fees_are_whole_numbers(conn, event, tiers):
    write = "INSERT INTO convene.payout_configurations (organization_id, fee_tiers) VALUES (%s, %s)"
    expect_error(conn, "23514", write, [event.organization, tiers])
    with conn.transaction(force_rollback=True):
        conn.execute(write, [event.organization, '[{"from_cents": 0, "percent": 2.5}, {"from_cents": 9, "percent": 1, "fixed_cents": 30}]'])


DECIMALS = """
SELECT c.relname, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.relnamespace = 'convene'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND a.atttypid = 'numeric'::regtype AND a.atttypmod <> -1
ORDER BY 1, 2"""


def test_no_amount_is_not_a_number(conn):
    """It is greater than every number, so it passes for one from nought up, and makes every sum of a column its like."""
    taken = []
    for table, column in conn.execute(DECIMALS).fetchall():
        with conn.transaction(force_rollback=True):
            conn.execute(f"CREATE TEMPORARY TABLE copy (LIKE convene.{table} INCLUDING CONSTRAINTS INCLUDING GENERATED)")
            required = conn.execute(
                "SELECT attname FROM pg_attribute WHERE attrelid = 'copy'::regclass AND attnotnull AND attnum > 0").fetchall()
            for (name,) in required:
                conn.execute(f"ALTER TABLE copy ALTER COLUMN {name} DROP NOT NULL")
            try:
                with conn.transaction():
                    conn.execute(f"INSERT INTO copy ({column}) VALUES ('NaN')")
            except (psycopg.errors.CheckViolation, psycopg.errors.FeatureNotSupported):
                continue  # the latter of a price, whose amount in minor units is generated from it
            taken.append(f"{table}.{column}")
    assert taken == []


# The ledger ------------------------------------------------------------------------------------------------------------

BOOK = """INSERT INTO convene.ledger (transaction_id, kind, account, currency, amount_cents, order_id)
          SELECT %s, 'payment', r.* , %s::uuid FROM unnest(%s::text[], %s::text[], %s::bigint[]) r"""


def booking(*rows, transaction=None, order_id=None):
    """The parameters of BOOK: all rows of a transaction in one statement."""
    return [transaction or uuid.uuid4(), order_id, *map(list, zip(*rows))]


PAYMENT = [("cash", "USD", 10000), ("organizer_payable", "USD", -9300), ("platform_fees", "USD", -FEE)]


def test_a_transaction_sums_to_zero_with_every_statement(conn):
    transaction = uuid.uuid4()
    conn.execute(BOOK, booking(*PAYMENT, transaction=transaction))
    # A later entry of the same transaction has to balance, too.
    conn.execute(BOOK, booking(("cash", "USD", 5), ("platform_fees", "USD", -5), transaction=transaction))
    expect_error(conn, "23514", BOOK, booking(("cash", "USD", 5), transaction=transaction), message="out of balance by 5 USD")
    expect_error(conn, "23514", BOOK, booking(*PAYMENT[:2]), message="out of balance by 700 USD", hint="one statement")
    assert conn.execute("SELECT sum(amount_cents), count(*) FROM convene.ledger").fetchone() == (0, 5)


def test_two_currencies_do_not_outweigh_each_other(conn):
    expect_error(conn, "23514", BOOK, booking(("cash", "USD", 100), ("organizer_payable", "EUR", -100)), message="by -100 EUR")


def test_a_booking_has_the_currency_of_its_order(conn, event):
    made = order(conn, package(conn, event))
    expect_error(conn, "23503", BOOK, booking(("cash", "EUR", 100), ("organizer_payable", "EUR", -100), order_id=made))


@pytest.mark.parametrize("statement", [
    "UPDATE convene.ledger SET description = 'x'", "DELETE FROM convene.ledger", "TRUNCATE convene.ledger",
    "TRUNCATE convene.sponsorship_orders CASCADE",
])
def test_nobody_rewrites_the_books(conn, event, statement):
    conn.execute(BOOK, booking(*PAYMENT, order_id=order(conn, package(conn, event))))
    expect_error(conn, "42501", statement, message="ledger is append-only")


def test_who_attends_an_event_sees_nothing_of_its_money(conn, event):
    made = order(conn, package(conn, event), "paid")
    conn.execute(DELIVER, [made, 50])
    conn.execute(PAY_OUT, [made, 100])
    with as_role(conn, "authenticated", event.people[0].sub):
        for table in ("sponsorship_orders", "sponsorship_deliverables", "sponsorship_payouts", "payout_configurations"):
            assert conn.execute(f"SELECT id FROM convene.{table}").fetchall() == [], table


def test_staff_need_a_permission_of_its_own_for_payouts(conn, event):
    made = order(conn, package(conn, event), "paid")
    conn.execute(PAY_OUT, [made, 100])
    person = conn.execute("INSERT INTO convene.profiles DEFAULT VALUES RETURNING id").fetchone()[0]
    role = conn.execute("INSERT INTO convene.roles (organization_id, name, permissions) VALUES (%s, 'x', '{\"payouts\": {\"read\": true}}')"
                        " RETURNING id", [event.organization]).fetchone()[0]
    conn.execute("INSERT INTO convene.organization_members (organization_id, profile_id) VALUES (%s, %s)", [event.organization, person])
    for role_id, seen in ((None, 0), (role, 1)):
        conn.execute("UPDATE convene.organization_members SET role_id = %s WHERE profile_id = %s", [role_id, person])
        with as_role(conn, "authenticated", person):
            assert len(conn.execute("SELECT id FROM convene.sponsorship_payouts WHERE order_id = %s", [made]).fetchall()) == seen
            # The order they see in any role.
            assert len(conn.execute("SELECT id FROM convene.sponsorship_orders WHERE id = %s", [made]).fetchall()) == 1
