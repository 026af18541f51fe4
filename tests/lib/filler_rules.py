"""What the catalogue cannot say of a table: the filler's exceptions, one line each, with the reason.

A rule of a column is a value or a function of (row so far, draw, filler, number of the row); a rule of a table adjusts the
row in place, and returns False to have another one drawn.
"""

import uuid
from datetime import timedelta

from psycopg.types.json import Jsonb

from .filler_values import BASE


def parallel(columns, values):
    """Arrays of one length, each with values from a function."""
    def adjust(row, draw, filler, number):
        length = draw.randrange(4)
        for column, value in zip(columns, values):
            row[column] = [value(draw) for _ in range(length)]
    return adjust


def some_types(row, draw, filler, number):
    """Ticket types of the voucher's event; null means all."""
    types = filler.agreeing("ticket_types", ("event_id",), (row["event_id"],))
    return draw.choice([None, [], [kind["id"] for kind in types[:2]]])


def some_section(row, draw, filler, number):
    """One of the seat map's, or none."""
    seat_map = filler.agreeing("seat_maps", ("id",), (row["seat_map_id"],))[0]
    return draw.choice([None, *seat_map["section_names"]])


def some_slots(row, draw, filler, number):
    day = (BASE + timedelta(days=number)).date().isoformat()
    return Jsonb(draw.choice([[], [{"date": day, "start": "14:00", "end": "15:30"}],
                              [{"date": day, "start": "09:00", "end": "10:00"},
                               {"date": day, "start": "23:00", "end": "01:00"}]]))


def meeting_of_match(row, draw, filler, number):
    """Half of them come from a match, and are between its two."""
    matches = filler.agreeing("matches", ("event_id",), (row["event_id"],)) if draw.random() < 0.5 else []
    row["match_id"] = None
    if matches:
        match = draw.choice(matches)
        row.update(match_id=match["id"], attendee_1_id=match["attendee_1_id"], attendee_2_id=match["attendee_2_id"])


def uuid_of(draw):
    return uuid.UUID(int=draw.getrandbits(128), version=4)


def balanced(row, draw, filler):
    """The other half of an entry: the same amount from another account."""
    accounts = ["cash", "organizer_payable", "platform_fees"]
    other = draw.choice([account for account in accounts if account != row["account"]])
    return [row, {**row, "id": uuid_of(draw), "account": other, "amount_cents": -row["amount_cents"]}]


# Columns of whatever table.
EVERYWHERE = {
    # Before anything else happened to the row.
    "created_at": lambda row, draw, filler, number: BASE + timedelta(minutes=number),
    "updated_at": lambda row, draw, filler, number: BASE + timedelta(minutes=number, seconds=draw.randrange(60)),
}

COLUMNS = {
    "schema_version": {"applied_at": BASE, "applied_by": "somebody"},
    "embedding_models": {
        # One default at most, and install() has it.
        "is_default": False,
        "dimensions": lambda row, draw, filler, number: 16000 if number == 1 else draw.randint(1, 24),
    },
    # What the recommender reads must be weights; a row for all events would change every list.
    "scoring_weights": {"weights": Jsonb({"few": {"content": 2}}),
                        "is_active": lambda row, draw, filler, number: row["event_id"] is not None},
    # Triggers hold them against the ledger of signals, which comes later and fills them.
    "attendee_preferences": {"browsed_sessions": [], "bookmarked_sessions": [], "attended_sessions": []},
    # States that are entered from others only: rows begin with the first one, and STEPS takes them further.
    "sponsorship_orders": {
        "status": "pending", "disputed_from": None, "cancel_reason": None, "payout_cents": 0, "refunded_cents": 0,
        "amount_cents": lambda row, draw, filler, number: draw.choice([0, 100_000, 500_000, 10**12]),
        "currency": None,  # the package's
    },
    "sponsorship_payouts": {"status": "pending", "reversed_cents": 0,
                            "amount_cents": lambda row, draw, filler, number: draw.randint(1, 90)},
    "vouchers": {"applicable_ticket_types": some_types},
    "seat_assignments": {"section_name": some_section},
    "networking_preferences": {"availability_slots": some_slots},
    # Those of an order share a hundred per cent.
    "sponsorship_deliverables": {"share_percent": lambda row, draw, filler, number: round(draw.uniform(0, 3), 4)},
}

ROWS = {
    "meetings": meeting_of_match,
    "session_weights": parallel(["neighbour_ids", "weights", "people"],
                                [uuid_of, lambda draw: round(draw.random(), 3), lambda draw: draw.randrange(50)]),
    "event_popularity": parallel(["session_ids", "people"], [uuid_of, lambda draw: draw.randrange(50)]),
}

# Rows that go in together or not at all: a function that makes the group from its first row.
GROUPS = {
    # The rows of a transaction sum to zero.
    "ledger": balanced,
}


def has_sponsors(parent, row, filler):
    return bool(filler.agreeing("sponsors", ("event_id",), (parent["event_id"],)))


# A table, or (table, first column of a foreign key): which of the parents will do.
PARENTS = {
    # Vectors of real models would be most of the time and tell no more.
    "embedding_models": lambda model, row, filler: model["dimensions"] <= 256,
    # Each order redeems one voucher at most, of its organization.
    ("orders", "event_id"): lambda event, row, filler: bool(
        filler.agreeing("vouchers", ("organization_id",), (event["organization_id"],))),
    ("lead_interactions", "attendee_id"): has_sponsors,
    ("lead_scoring", "attendee_id"): has_sponsors,
    ("lead_interactions", "sponsor_id"): lambda sponsor, row, filler: sponsor["event_id"] == row["event_id"],
    ("lead_scoring", "sponsor_id"): lambda sponsor, row, filler: sponsor["event_id"] == row["event_id"],
    ("sponsorship_payouts", "order_id"): lambda order, row, filler: order["status"] in ("paid", "fulfilled"),
    ("sponsorship_payouts", "deliverable_id"): lambda deliverable, row, filler: deliverable["status"] == "completed",
}

# (table, column): how often an optional reference is null, where it does not go with the other columns of its row.
NULLS = {
    # What is sold to sponsors is of an event.
    ("sponsors", "event_id"): 0.1,
}

# Tables that are filled after others, although neither a foreign key nor the name of a column says so.
AFTER = {"orders": ["vouchers"], "vouchers": ["ticket_types"]}

# Statements that follow a table's rows, and those that follow all rows.
STEPS = {
    "sponsorship_orders": [
        "UPDATE convene.sponsorship_orders SET status = 'paid' WHERE status = 'pending' AND hashtext(id::text) % 5 <> 0",
        "UPDATE convene.sponsorship_orders SET status = 'fulfilled' WHERE status = 'paid' AND hashtext(id::text) % 3 = 0",
        "UPDATE convene.sponsorship_orders SET status = 'cancelled', cancel_reason = 'expired'"
        " WHERE status = 'pending' AND hashtext(id::text) % 2 = 0",
    ],
    "sponsorship_payouts": [
        "UPDATE convene.sponsorship_payouts SET status = 'processing' WHERE hashtext(id::text) % 2 = 0",
        "UPDATE convene.sponsorship_payouts SET status = 'transferred', stripe_transfer_id = 'tr_' || id"
        " WHERE status = 'processing' AND hashtext(id::text) % 3 = 0",
    ],
}
LAST = [
    "UPDATE convene.sponsorship_orders SET status = 'disputed' WHERE status = 'fulfilled' AND hashtext(id::text) % 4 = 0",
    "UPDATE convene.sponsorship_orders SET status = 'payout_queued' WHERE status = 'fulfilled' AND hashtext(id::text) % 4 = 1",
    "UPDATE convene.sponsorship_orders SET status = 'refunded' WHERE status = 'paid' AND hashtext(id::text) % 4 = 1",
]

# Columns of parents that rules look at, apart from keys.
LOOKED_AT = ["dimensions", "model", "status", "section_names", "attendee_1_id", "attendee_2_id"]

# Tables that cannot hold as many rows: (rows, why).
FEWER = {}
