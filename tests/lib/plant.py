"""A person with rows in every table that can have some, and a mark in every text of theirs.

    planted = plant(conn, event, person, other, "PLANTED-7f3a")

`other` is whoever the person had to do with; pairs are made of the two."""

import json
from datetime import timedelta
from typing import NamedTuple

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from .factory import ident

# Texts that stay by intention: what was sold, for how much and how it went; what a company says of itself; what organizers have
# to act on; names of things, channels and states.
STAYS = {
    ("users", "timezone"), ("users", "language"), ("person_reports", "reason"), ("leads", "lead_source"), ("contacts", "lead_source"),
    ("opportunities", "sales_methodology"), ("orders", "order_number"), ("orders", "payment_method"),
    ("orders", "stripe_checkout_session_id"), ("orders", "stripe_payment_intent_id"), ("orders", "stripe_charge_id"),
    ("order_items", "name"), ("tickets", "qr_token"), ("seat_assignments", "section_name"), ("seat_assignments", "seat_label"),
    ("event_impressions", "source"), ("ticket_analytics", "source"), ("post_views", "post_id"), ("post_views", "platform"),
    ("outbox", "topic"), ("outbox", "target_kind"), ("outbox", "claimed_by"), ("crm_sync_queue", "claimed_by"),
}
# Of a sponsor only what it says of its contact is the person's.
PARTLY = {"sponsors": ["primary_contact_name", "primary_contact_phone"]}


class Planted(NamedTuple):
    """Who was planted, where, and which columns took the mark."""

    profile: object
    attendee: object
    email: str
    phone: str
    ids: dict
    marked: set


def plant(conn, event, person, other, mark):
    """Makes the rows and marks them; everything is of `event` and its organization."""
    me = Person(conn, event, person, other, mark)
    me.identity()
    me.crm()
    me.ticketing()
    me.choices()
    me.networking()
    me.peers()
    me.sponsorship()
    me.traces()
    marked = {(table, column) for table, key, values in me.rows for column in mark_row(conn, table, key, values, mark)}
    return Planted(person.sub, person.id, me.email, me.phone, me.ids, marked)


def telling_columns(conn, table):
    return conn.execute(
        """SELECT a.attname, format_type(a.atttypid, NULL) FROM pg_attribute a
           WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
             AND a.atttypid IN ('text'::regtype, 'text[]'::regtype, 'jsonb'::regtype)""", [f"convene.{table}"]).fetchall()


def mark_row(conn, table, key, values, mark):
    """Writes the mark into every text, list and object of the row that takes it; yields those columns."""
    where = sql.SQL(" AND ").join(sql.SQL("{} = {}").format(sql.Identifier(column), sql.Placeholder()) for column in key)
    for column, kind in telling_columns(conn, table):
        given = values.get(column)
        text = json.dumps(given.obj) if isinstance(given, Jsonb) else given if isinstance(given, str) else ""
        if mark.lower() in text.lower() or text and column.endswith("phone"):
            yield column
            continue
        if (table, column) in STAYS or column in key or table in PARTLY and column not in PARTLY[table]:
            continue
        for value in {"text": [mark], "text[]": [[mark]], "jsonb": [Jsonb({"note": mark}), Jsonb([mark])]}[kind]:
            statement = sql.SQL("UPDATE convene.{} SET {} = %s WHERE {}").format(sql.Identifier(table), sql.Identifier(column), where)
            try:
                with conn.transaction():
                    conn.execute(statement, [value, *key.values()])
                yield column
                break
            except (psycopg.errors.CheckViolation, psycopg.errors.UniqueViolation, psycopg.errors.InvalidParameterValue, psycopg.errors.ForeignKeyViolation,
                    psycopg.errors.FeatureNotSupported, psycopg.errors.ObjectNotInPrerequisiteState,
                    psycopg.errors.InsufficientPrivilege):
                continue  # a word of a list, or a column that its trigger keeps


class Person:
    """Somebody being planted."""

    def __init__(self, conn, event, person, other, mark):
        self.conn, self.event, self.person, self.other, self.mark = conn, event, person, other, mark
        self.email = f"{mark.lower()}@person.example"
        self.phone = f"+32 470 {int(ident(mark).hex[:5], 16):07d}"
        self.org, self.e, self.a, self.p = event.organization, event.id, person.id, person.sub
        self.ids, self.rows = {}, []

    def id(self, name):
        return self.ids.setdefault(name, ident("planted", self.mark, name))

    def add(self, table, *key, named=None, mark=True, **values):
        """A row; `key` names its key columns, none meaning an id of its own."""
        if not key:
            values = {"id": self.id(named or table), **values}
            key = ("id",)
        columns = sql.SQL(", ").join(map(sql.Identifier, values))
        marks = sql.SQL(", ").join([sql.Placeholder()] * len(values))
        self.conn.execute(sql.SQL("INSERT INTO convene.{} ({}) VALUES ({})").format(sql.Identifier(table), columns, marks),
                          list(values.values()))
        if mark:
            self.rows.append((table, {column: values[column] for column in key}, values))

    def change(self, table, **values):
        """Something of a row that is there already, by its id."""
        key = values.pop("id")
        assignments = sql.SQL(", ").join(sql.SQL("{} = {}").format(sql.Identifier(column), sql.Placeholder()) for column in values)
        self.conn.execute(sql.SQL("UPDATE convene.{} SET {} WHERE id = %s").format(sql.Identifier(table), assignments),
                          [*values.values(), key])

    def identity(self):
        self.change("profiles", id=self.p, email=self.email.upper(), full_name=self.mark, phone=self.phone)
        self.rows.append(("profiles", {"id": self.p}, {"email": self.email, "phone": self.phone}))
        self.add("users", organization_id=self.org, profile_id=self.p, first_name=self.mark, last_name=self.mark, email=self.email,
                 phone=self.phone)
        self.add("organization_members", "organization_id", "profile_id", organization_id=self.org, profile_id=self.p,
                 member_role="staff")
        self.add("person_blocks", "blocker_profile", "blocked_profile", blocker_profile=self.p, blocked_profile=self.other.sub)
        self.add("person_blocks", "blocker_profile", "blocked_profile", blocker_profile=self.other.sub, blocked_profile=self.p)
        self.add("person_reports", named="report by", event_id=self.e, reporter_profile=self.p, reported_profile=self.other.sub, reason="x")
        self.add("person_reports", named="report of", event_id=self.e, reporter_profile=self.other.sub, reported_profile=self.p,
                 reason=self.mark)
        self.add("person_reports", named="report handled", mark=False, event_id=self.e, reporter_profile=self.other.sub,
                 reported_profile=self.event.organizer, reason="x", handled_by=self.p)
        self.add("venues", mark=False, organization_id=self.org, name="A place")
        self.add("events", mark=False, organization_id=self.org, title="Theirs", organizer_id=self.p)

    def crm(self):
        self.add("companies", mark=False, organization_id=self.org, name=f"Company of {self.id('companies')}")
        self.add("contacts", organization_id=self.org, profile_id=self.p, first_name=self.mark, last_name=self.mark, email=self.email,
                 phone=self.phone, company_id=self.id("companies"), date_of_birth="1970-01-01", email_consent=True)
        self.change("companies", id=self.id("companies"), primary_contact_id=self.id("contacts"))
        # Another organization knows them by their address alone, in whatever case.
        for name in ("elsewhere", "elsewhere too"):
            self.conn.execute("INSERT INTO convene.organizations (id, name, slug) VALUES (%s, 'Elsewhere', %s)",
                              [self.id(name), f"elsewhere-{self.id(name)}"])
        self.add("contacts", named="contact elsewhere", organization_id=self.id("elsewhere"), first_name=self.mark, last_name=self.mark,
                 email=self.email.upper())
        self.change("attendees", id=self.a, email=self.email, full_name=self.mark, contact_id=self.id("contacts"), sponsor_consent=True)
        self.rows.append(("attendees", {"id": self.a}, {"email": self.email, "full_name": self.mark}))
        self.add("speakers", event_id=self.e, contact_id=self.id("contacts"), speaker_fee=1)
        self.add("sessions", mark=False, event_id=self.e, speaker_id=self.id("speakers"), title="Theirs",
                 start_time=self.event.starts, end_time=self.event.starts + timedelta(hours=1))
        self.add("event_feedback", event_id=self.e, attendee_id=self.a, overall_rating=5)
        self.add("leads", organization_id=self.org, contact_id=self.id("contacts"), lead_source="website")
        self.add("opportunities", organization_id=self.org, contact_id=self.id("contacts"), lead_id=self.id("leads"), name=self.mark, amount=7)
        self.add("interactions", organization_id=self.org, contact_id=self.id("contacts"), interaction_type="email")
        self.add("notes", organization_id=self.org, contact_id=self.id("contacts"), content=self.mark)
        self.add("notes", named="private note", organization_id=self.org, interaction_id=self.id("interactions"), content=self.mark,
                 is_private=True)
        self.add("tasks", organization_id=self.org, contact_id=self.id("contacts"), title=self.mark)
        self.add("tasks", named="task of somebody", mark=False, organization_id=self.org, title="x", assigned_to=self.id("users"))
        self.add("campaigns", mark=False, organization_id=self.org, name="x")
        self.add("campaign_recipients", organization_id=self.org, campaign_id=self.id("campaigns"), contact_id=self.id("contacts"))

    def ticketing(self):
        self.add("ticket_types", mark=False, event_id=self.e, name=f"Ticket {self.id('ticket_types')}", price=10)
        self.add("promoters", organization_id=self.org, contact_id=self.id("contacts"), promoter_code=self.mark, email=self.email,
                 phone=self.phone)
        self.add("orders", event_id=self.e, organization_id=self.org, profile_id=self.p, contact_id=self.id("contacts"),
                 promoter_id=self.id("promoters"), buyer_name=self.mark, buyer_email=self.email, buyer_phone=self.phone,
                 idempotency_key=f"{self.p}/1", status="paid", paid_at=self.event.starts, subtotal_cents=1000, tax_cents=130)
        self.add("order_items", order_id=self.id("orders"), event_id=self.e, ticket_type_id=self.id("ticket_types"), name="x", quantity=2,
                 unit_price_cents=500, subtotal_cents=1000, tax_cents=130)
        bought = {"event_id": self.e, "ticket_type_id": self.id("ticket_types"), "order_id": self.id("orders"), "paid_cents": 500,
                  "order_item_id": self.id("order_items")}
        self.add("tickets", attendee_id=self.a, holder_name=self.mark, holder_email=self.email, **bought)
        # Paid by the person, held by the other one: that one's name stays.
        self.add("tickets", named="ticket passed on", mark=False, attendee_id=self.other.id, holder_name="Other", holder_email="other@b.example",
                 **bought)
        # For the other one, but with the person's address.
        self.add("tickets", named="ticket at their address", mark=False, attendee_id=self.other.id, holder_name="Other",
                 holder_email=self.email.upper(), event_id=self.e, ticket_type_id=self.id("ticket_types"))
        self.add("orders", named="order at their address", mark=False, event_id=self.e, organization_id=self.org,
                 profile_id=self.other.sub, buyer_name="Other", buyer_email=self.email, status="paid", paid_at=self.event.starts)
        self.add("contacts", named="contact at their address", mark=False, organization_id=self.id("elsewhere too"),
                 profile_id=self.other.sub, first_name="Other", last_name="Person", email=self.email)
        self.add("vouchers", mark=False, organization_id=self.org, code=f"V{self.id('vouchers')}", discount_type="percentage",
                 discount_value=10)
        self.add("voucher_redemptions", organization_id=self.org, event_id=self.e, voucher_id=self.id("vouchers"), order_id=self.id("orders"),
                 profile_id=self.p, email=self.email, discount_cents=0, currency="CAD")
        self.add("promoter_commissions", organization_id=self.org, event_id=self.e, promoter_id=self.id("promoters"),
                 order_id=self.id("orders"), currency="CAD", commission_cents=100)
        self.add("check_ins", event_id=self.e, attendee_id=self.a, ticket_id=self.id("tickets"), ip_address="192.0.2.7")
        self.add("seat_maps", mark=False, event_id=self.e, name=f"Map {self.id('seat_maps')}")
        self.add("seat_assignments", seat_map_id=self.id("seat_maps"), event_id=self.e, ticket_id=self.id("tickets"), attendee_id=self.a,
                 seat_label="A1")
        self.add("waitlist_entries", event_id=self.e, ticket_type_id=self.id("ticket_types"), profile_id=self.p, attendee_id=self.a,
                 email=self.email, full_name=self.mark)
        self.add("session_registrations", "session_id", "attendee_id", session_id=self.event.sessions[0], attendee_id=self.a, event_id=self.e)

    def choices(self):
        session = self.event.sessions[1]
        self.conn.execute("DELETE FROM convene.attendee_preferences WHERE attendee_id = %s", [self.a])
        self.add("attendee_preferences", attendee_id=self.a, event_id=self.e, bookmarked_sessions=[session])
        self.add("session_interactions", "attendee_id", "session_id", "kind", attendee_id=self.a, event_id=self.e, session_id=session,
                 kind="attended")
        self.conn.execute("DELETE FROM convene.recommendation_cache WHERE attendee_id = %s", [self.a])
        self.add("recommendation_cache", "attendee_id", attendee_id=self.a, event_id=self.e, attendee_rev=0, fingerprint=self.mark,
                 valid_from=self.event.starts, valid_until=self.event.starts, picks=self.mark.encode())
        self.add("recommendation_history", attendee_id=self.a, event_id=self.e, recommended_item_type="session",
                 recommended_item_id=session, recommendation_algorithm="hybrid")
        self.conn.execute("INSERT INTO convene.recommendation_models (event_id, algorithm, interactions, people, sessions)"
                          " VALUES (%s, 'ease', 1, 1, 1) ON CONFLICT DO NOTHING", [self.e])
        self.add("experiments", mark=False, organization_id=self.org, name=f"Experiment {self.id('experiments')}", surface="recommendations")
        self.add("experiment_variants", mark=False, organization_id=self.org, experiment_id=self.id("experiments"), name="a", share=1)
        for unit in (self.a, self.p):
            self.add("experiment_assignments", "experiment_id", "unit_id", experiment_id=self.id("experiments"), unit_id=unit,
                     variant_id=self.id("experiment_variants"))

    def networking(self):
        first, second = sorted([self.a, self.other.id])
        starts = self.event.starts + timedelta(hours=int(self.id("hour").hex[:3], 16) % 300, days=2)
        self.add("networking_preferences", attendee_id=self.a, event_id=self.e)
        self.add("matches", event_id=self.e, attendee_1_id=first, attendee_2_id=second, compatibility_score=0.5,
                 matching_algorithm="hybrid", match_reasons=Jsonb([self.mark]))
        self.add("meetings", event_id=self.e, match_id=self.id("matches"), attendee_1_id=self.a, attendee_2_id=self.other.id, title=self.mark,
                 scheduled_start=starts, scheduled_end=starts + timedelta(minutes=15), location_type="onsite",
                 location_details=Jsonb({"room": self.mark}))
        self.add("networking_connections", event_id=self.e, requester_id=self.a, target_id=self.other.id)
        self.add("networking_connections", named="connection back", event_id=self.e, requester_id=self.other.id, target_id=self.a)
        drafted = [{"attendee_1_id": str(self.a), "attendee_2_id": str(self.other.id), "name": self.mark}, {"attendee_1_id": str(self.other.id)}]
        self.add("meeting_schedule_drafts", mark=False, event_id=self.e, created_by=self.p, meetings=Jsonb(drafted),
                 report=Jsonb({"unplaced": [{"attendee_id": str(self.a), "name": self.mark, "email": self.email}]}),
                 parameters=Jsonb({"vetoes": [str(self.p)]}))

    def peers(self):
        mine, theirs = self.id("contractors"), self.id("other contractor")
        self.add("contractors", profile_id=self.p, first_name=self.mark, email=self.email, phone=self.phone)
        self.add("contractors", named="contractor by address", first_name=self.mark, email=self.email.upper())
        self.add("contractors", named="other contractor", mark=False, first_name="Other", phone="+1 5550100")
        for contractor, attendee in ((mine, self.a), (theirs, None)):
            self.add("event_attendees", "event_id", "contractor_id", event_id=self.e, contractor_id=contractor, attendee_id=attendee)
        first, second = sorted([mine, theirs])
        self.add("event_peer_matches", event_id=self.e, contractor1_id=first, contractor2_id=second, match_type="ideal_peer", match_score=0.9)
        out = {"event_id": self.e, "direction": "out", "kind": "introduction", "status": "sent", "match_id": self.id("event_peer_matches")}
        self.add("peer_messages", contractor_id=mine, phone=self.phone, body=self.mark, **out)
        self.add("peer_messages", named="message about them", contractor_id=theirs, body=f"Meet {self.mark}", **out)
        self.add("peer_messages", named="message of nobody", direction="in", status="received", phone=self.phone, body=self.mark)

    def sponsorship(self):
        self.add("sponsors", event_id=self.e, organization_id=self.org, company_name=f"Sponsor {self.id('sponsors')}", profile_id=self.p,
                 contact_id=self.id("contacts"), primary_contact_name=self.mark, primary_contact_email=self.email,
                 primary_contact_phone=self.phone)
        self.add("lead_scoring", event_id=self.e, sponsor_id=self.id("sponsors"), attendee_id=self.a, lead_score=1)
        self.add("lead_scoring", named="lead of theirs", mark=False, event_id=self.e, sponsor_id=self.id("sponsors"),
                 attendee_id=self.other.id, lead_score=1, assigned_to=self.email)
        self.add("lead_interactions", mark=False, event_id=self.e, sponsor_id=self.id("sponsors"), attendee_id=self.a, kind="message",
                 details=Jsonb({"note": self.mark}), external_id=f"{self.mark}-1")
        self.add("lead_interactions", named="reported by them", mark=False, event_id=self.e, sponsor_id=self.id("sponsors"),
                 attendee_id=self.other.id, kind="message", recorded_by=self.p)
        for status in ("pending", "done"):
            self.add("crm_sync_queue", named=f"crm {status}", lead_id=self.id("lead_scoring"), sponsor_id=self.id("sponsors"), event_id=self.e,
                     crm_type="hubspot", status=status, processed_at=self.event.starts if status == "done" else None)
        self.add("sponsorship_packages", mark=False, event_id=self.e, package_name=f"Package {self.id('sponsorship_packages')}",
                 tier="gold", price_cents=1000, total_available=3)
        self.add("sponsorship_orders", mark=False, package_id=self.id("sponsorship_packages"), sponsor_id=self.id("sponsors"),
                 event_id=self.e, organization_id=self.org, ordered_by=self.p, amount_cents=1000, currency="USD")
        self.add("sponsorship_deliverables", mark=False, order_id=self.id("sponsorship_orders"), event_id=self.e, title="x",
                 status="completed", completed_by=self.p)

    def traces(self):
        for table, more in (("event_impressions", {}), ("ticket_analytics", {}), ("post_views", {"post_id": "x"})):
            self.add(table, event_id=self.e, profile_id=self.p, **more)
        bill = {"data": {"object": {"receipt_email": self.email, "billing_details": {"name": self.mark, "phone": self.phone}}}}
        self.add("stripe_events", "stripe_event_id", mark=False, stripe_event_id=f"evt_{self.id('stripe_events')}",
                 type="charge.succeeded", payload=Jsonb(bill))
        for status, about, target in (("pending", "profile", self.p), ("done", "attendee", self.a), ("leased", "match", self.id("matches"))):
            lease = {"lease_token": self.id("lease"), "lease_until": self.event.starts} if status == "leased" else {}
            self.add("outbox", named=f"outbox {status}", topic="sms", target_kind=about, target_id=target, profile_id=self.p, status=status,
                     idempotency_key=f"{status}/{self.p}", processed_at=self.event.starts if status == "done" else None, **lease)
