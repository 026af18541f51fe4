"""A person's data: every column that may tell of somebody is in the lists, a copy holds it, and an erasure leaves no trace."""

import json
import threading
import time
import uuid

import psycopg
import pytest

from lib.access import as_role, expect_error, sqlstate
from lib.factory import make_event, make_world
from lib.plant import STAYS, plant
from lib.reference import contents

pytestmark = pytest.mark.sql

# Tables that tell nothing of a person, although they have texts.
IMPERSONAL = {
    "organizations", "roles", "venues", "sessions", "event_materials", "event_announcements", "event_analytics", "event_revisions",
    "companies", "campaigns", "ticket_types", "bundles", "bundle_items", "seat_maps", "vouchers",
    "session_embeddings", "session_weights", "recommendation_models", "event_popularity", "experiments", "experiment_variants",
    "goal_complements", "service_families", "message_templates",
    "sponsorship_packages", "sponsor_profiles", "event_sponsorships", "event_audience_insights", "event_embeddings",
    "sponsorship_matches", "fit_recalc_queue", "fit_revisions", "event_quality_scores", "sponsor_event_fit_scores", "mv_refresh_log",
    "sponsor_cards", "marketplace_days",
    "event_video_counters", "event_signal_deltas", "event_signal_totals", "event_signal_months", "models", "payout_configurations", "sponsorship_payouts", "payout_queue", "ledger",
    "settings", "embedding_models", "scoring_weights", "embedding_queue", "schema_version", "job_runs",
}
# Those that erase_person() knows by name: redacted in place, closed.
BY_NAME = {"audit_log", "outbox", "crm_sync_queue"}
# Ids without a foreign key that are no person's.
SOFT = {
    ("embedding_queue", "target_id"), ("embedding_queue", "event_id"), ("fit_recalc_queue", "sponsor_id"), ("fit_recalc_queue", "event_id"),
    ("fit_revisions", "target_id"), ("sponsorship_matches", "event_id"), ("sponsorship_matches", "sponsor_id"),
    ("event_signal_deltas", "event_id"), ("payout_queue", "payout_id"), ("payout_queue", "order_id"), ("payout_queue", "event_id"), ("stripe_events", "order_id"),
    ("stripe_events", "payout_id"), ("ledger", "transaction_id"), ("event_revisions", "shard"), ("vouchers", "applicable_ticket_types"),
    ("session_weights", "neighbour_ids"), ("event_popularity", "session_ids"), ("ticket_analytics", "ticket_type_id"),
    ("attendee_preferences", "browsed_sessions"), ("attendee_preferences", "bookmarked_sessions"),
    ("attendee_preferences", "attended_sessions"), ("users", "manager_id"), ("peer_messages", "outbox_id"),
}
TELLING = {"text", "text[]", "jsonb", "json", "inet", "date", "bytea", "character varying"}


@pytest.fixture(scope="module")
def lists(db):
    with db.connect() as conn:
        return (conn.execute("SELECT * FROM convene_private.personal_links()").fetchall(),
                conn.execute("SELECT * FROM convene_private.personal_columns()").fetchall())


def columns(conn):
    """{(table, column): type} of every table that is no partition; generated columns follow from others."""
    return {(row[0], row[1]): row[2] for row in conn.execute(
        """SELECT c.relname, a.attname, format_type(a.atttypid, NULL)
           FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
           WHERE c.relnamespace = 'convene'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition""")}


def keys(conn):
    """(table, column, table it refers to, column it repeats) of every foreign key, column by column."""
    return conn.execute(
        """SELECT k.conrelid::regclass::text, a.attname, replace(k.confrelid::regclass::text, 'convene.', ''), f.attname
           FROM pg_constraint k, unnest(k.conkey, k.confkey) u(here, there), pg_attribute a, pg_attribute f
           WHERE k.connamespace = 'convene'::regnamespace AND k.contype = 'f' AND k.conparentid = 0
             AND a.attrelid = k.conrelid AND a.attnum = u.here AND f.attrelid = k.confrelid AND f.attnum = u.there""").fetchall()


def test_what_is_listed_is_there(conn, lists):
    links, treated = lists
    there = columns(conn)
    listed = {row[:2] for row in links if row[0] != "*"} | {row[:2] for row in treated}
    assert sorted(listed - set(there)) == []
    assert len(treated) == len({row[:2] for row in treated})
    parents = {row[0] for row in links} | {"profiles", "email", "phone", "users", "sponsors"}
    assert {row[2] for row in links if row[2].split(".")[0] not in parents} == set()


def test_every_table_is_somebodys_or_nobodys(conn, lists):
    tables = {table for table, _ in columns(conn)}
    listed = {row[0] for row in lists[0]} - {"*"}
    assert sorted(tables - listed - IMPERSONAL - BY_NAME) == []
    assert not {row[0] for row in lists[0] if row[3] in ("own", "delete", "cascade")} & IMPERSONAL


def test_every_reference_to_a_persons_row_is_listed(conn, lists):
    """Foreign keys, those that repeat another reference too, and ids without a key."""
    links, _ = lists
    listed = {row[:2] for row in links}
    anybody = {row[2] for row in links if row[0] == "*"}
    persons = {row[0] for row in links if row[3] in ("own", "delete", "cascade")}
    missing, kept = set(), set()
    for table, column, parent, there in keys(conn):
        table = table.replace("convene.", "")
        kept.add((table, column))
        holds = parent if there == "id" else None
        names_person = holds in persons or (there != "id" and (parent, there) in listed and parent in persons)
        if names_person and holds not in anybody and (table, column) not in listed:
            missing.add((table, column, parent))
    assert sorted(missing) == []
    soft = {place for place, kind in columns(conn).items() if kind in ("uuid", "uuid[]") and place[1] not in ("id", "lease_token")}
    assert sorted(soft - kept - listed - SOFT - {place for place in soft if place[0] in BY_NAME}) == []


def test_every_column_that_stays_is_classified(conn, lists):
    links, treated = lists
    stay = {row[0] for row in links if row[3] == "own"}
    known = {row[:2] for row in treated}
    telling = {place for place, kind in columns(conn).items() if place[0] in stay and kind in TELLING}
    assert sorted(telling - known) == []
    # And the way to the row is cut, or leads to a row that is left.
    ways = {row[:2] for row in links if row[3] == "own" and row[1] != "id"}
    assert sorted(ways - known) == [("sponsors", "contact_id"), ("sponsors", "profile_id")]
    assert not {row[0] for row in treated} - stay


def test_a_column_that_sounds_like_a_person_is_listed(conn, lists):
    listed = {row[:2] for row in lists[0]} | {row[:2] for row in lists[1]}
    gone = {row[0] for row in lists[0] if row[3] in ("delete", "cascade")}
    there = [place for place, kind in columns(conn).items() if kind == "text" and place[0] not in gone | BY_NAME
             and any(word in place[1] for word in ("email", "phone", "full_name", "first_name", "last_name", "address", "birth"))]
    # An organization's, a company's or a venue's.
    assert sorted(set(there) - listed) == [
        ("companies", "address_line1"), ("companies", "address_line2"), ("companies", "email"), ("companies", "phone"),
        ("venues", "address_line1"), ("venues", "address_line2")]


# A person planted everywhere --------------------------------------------------------------------------------------

MARK, OTHERS = "PLANTED-7f3a", "BYSTANDER-51c9"


@pytest.fixture(scope="module")
def planted(db):
    """Somebody planted in every table, somebody else likewise, and a third who has to do with both."""
    with db.connect() as conn:
        alpha, beta = make_world(conn, sessions=6, attendees=4)
        victim = plant(conn, alpha, alpha.people[0], alpha.people[1], MARK)
        bystander = plant(conn, alpha, alpha.people[2], alpha.people[1], OTHERS)
        # So that what waits to be counted is not mistaken for something that an erasure took.
        conn.execute("SELECT convene.refresh_event_insights()")
    return alpha, beta, victim, bystander


@pytest.fixture
def world(conn, planted):
    """What is planted, for one test: whatever it does is undone."""
    with conn.transaction(force_rollback=True):
        yield conn, *planted


def tables(conn):
    return sorted({table for table, _ in columns(conn)})


def found(conn, *needles):
    """{table: rows} in which one of the words stands, in whatever column and case."""
    rows = {table: conn.execute(
        f"SELECT count(*) FROM convene.{table} x WHERE EXISTS (SELECT FROM unnest(%s::text[]) n(n) WHERE position(lower(n) IN lower(x::text)) > 0)",
        [[str(needle) for needle in needles]]).fetchone()[0] for table in tables(conn)}
    return {table: number for table, number in rows.items() if number}


def needles(planted):
    return MARK, planted.email, planted.phone, "".join(filter(str.isdigit, planted.phone)), planted.profile


def erase(conn, profile):
    return conn.execute("SELECT convene.erase_person(%s)", [profile]).fetchone()[0]


def export(conn, profile):
    return conn.execute("SELECT convene.export_person(%s)", [profile]).fetchone()[0]


def test_the_planting_reaches_every_table_and_every_text(world, lists):
    """Else the next tests would prove less than they say."""
    conn, *_, victim, _ = world
    links, treated = lists
    theirs = {row[0] for row in links if row[3] in ("own", "delete", "cascade")}
    named = {(row[0], row[1]) for row in links if row[3] in ("null", "scrub", "prune")}
    reached = found(conn, *needles(victim), victim.attendee, *victim.ids.values())
    assert sorted((theirs | {table for table, _ in named}) - set(reached)) == []
    # Texts that are emptied: the mark was in each, but for words from a list.
    emptied = {row[:2] for row in treated if row[2] in ("null", "empty", "redact", "pseudonym", "email") or row[2].startswith("=")}
    kinds = columns(conn)
    unmarked = {place for place in emptied if kinds[place] in ("text", "text[]", "jsonb")} - victim.marked
    assert sorted(unmarked) == [("contacts", "gender"), ("contacts", "status"), ("promoters", "status"), ("users", "status")]
    # What was reported of them goes; what they reported of others is the organizers' to deal with.
    assert victim.marked & STAYS == {("person_reports", "reason")}


def test_an_erased_person_leaves_no_trace(world):
    conn, _, _, victim, _ = world
    assert len(found(conn, MARK)) > 40
    report = erase(conn, victim.profile)
    assert report["status"] == "erased"
    assert found(conn, *needles(victim)) == {}
    assert "not_in_the_lists" not in report


def test_nobody_else_loses_anything(world):
    conn, alpha, _, victim, bystander = world
    before = {table: number for table, number in found(conn, OTHERS, bystander.email, bystander.profile).items() if table != "audit_log"}
    other = alpha.people[1]
    names = conn.execute("SELECT p.full_name, a.full_name, a.email FROM convene.profiles p JOIN convene.attendees a ON a.profile_id = p.id"
                         " WHERE p.id = %s", [other.sub]).fetchone()
    erase(conn, victim.profile)
    after = found(conn, OTHERS, bystander.email, bystander.profile)
    assert {table: number for table, number in after.items() if table != "audit_log"} == before
    assert conn.execute("SELECT p.full_name, a.full_name, a.email FROM convene.profiles p JOIN convene.attendees a ON a.profile_id = p.id"
                        " WHERE p.id = %s", [other.sub]).fetchone() == names
    assert conn.execute("SELECT holder_name FROM convene.tickets WHERE id = %s", [victim.ids["ticket at their address"]]).fetchone() == ("Other",)
    assert conn.execute("SELECT buyer_name, profile_id FROM convene.orders WHERE id = %s", [victim.ids["order at their address"]]
                        ).fetchone() == ("Other", other.sub)
    assert conn.execute("SELECT first_name, status FROM convene.contacts WHERE id = %s", [victim.ids["contact at their address"]]
                        ).fetchone() == ("Other", "active")
    # The ticket that was passed on is still its holder's; the draft still has whom else it placed.
    assert conn.execute("SELECT holder_name, holder_email FROM convene.tickets WHERE id = %s", [victim.ids["ticket passed on"]]
                        ).fetchone() == ("Other", "other@b.example")
    drafted, report, parameters = conn.execute("SELECT meetings, report, parameters FROM convene.meeting_schedule_drafts WHERE id = %s",
                                               [victim.ids["meeting_schedule_drafts"]]).fetchone()
    assert drafted == [{"attendee_1_id": str(other.id)}]
    assert report["unplaced"][0]["attendee_id"] != str(victim.profile) and parameters["vetoes"] != []


def test_the_books_keep_ids_and_amounts(world):
    conn, _, _, victim, _ = world
    sums = """SELECT (SELECT jsonb_agg(jsonb_build_array(id, total_cents, status, currency) ORDER BY id) FROM convene.orders),
                     (SELECT jsonb_agg(jsonb_build_array(id, order_id, attendee_id, paid_cents, qr_token) ORDER BY id) FROM convene.tickets),
                     (SELECT jsonb_agg(jsonb_build_array(id, promoter_id, commission_cents) ORDER BY id) FROM convene.promoter_commissions),
                     (SELECT jsonb_agg(jsonb_build_array(id, sponsor_id, amount_cents, sold) ORDER BY o.id)
                      FROM convene.sponsorship_orders o JOIN (SELECT id AS package, sold FROM convene.sponsorship_packages) p ON p.package = package_id),
                     (SELECT jsonb_agg(jsonb_build_array(id, contact_id, stage, amount) ORDER BY id) FROM convene.opportunities)"""
    before = conn.execute(sums).fetchone()
    erase(conn, victim.profile)
    assert conn.execute(sums).fetchone() == before
    buyer = conn.execute("SELECT profile_id, buyer_name, buyer_email, buyer_phone FROM convene.orders WHERE id = %s",
                         [victim.ids["orders"]]).fetchone()
    assert buyer[:2] == (None, None) and buyer[3] is None
    # The same pseudonym wherever the address stood, so that limits per customer still count.
    assert buyer[2].endswith("@erased.invalid")
    assert conn.execute("SELECT email FROM convene.voucher_redemptions WHERE order_id = %s", [victim.ids["orders"]]).fetchone() == (buyer[2],)


def test_what_is_left_is_nobody_who_can_be_reached(world):
    conn, alpha, _, victim, _ = world
    erase(conn, victim.profile)
    assert conn.execute("SELECT status, marketing_consent OR email_consent OR sms_consent OR phone_consent, first_name, last_name"
                        " FROM convene.contacts WHERE id IN (%s, %s)", [victim.ids["contacts"], victim.ids["contact elsewhere"]]
                        ).fetchall() == [("deleted", False, "Erased", "Person")] * 2
    assert conn.execute("SELECT status, profile_id FROM convene.users WHERE id = %s", [victim.ids["users"]]).fetchone() == ("inactive", None)
    assert conn.execute("SELECT profile_id, contact_id, sponsor_consent FROM convene.attendees WHERE id = %s", [victim.attendee]
                        ).fetchone() == (None, None, False)
    assert conn.execute("SELECT count(*) FROM convene.outbox WHERE idempotency_key NOT LIKE 'erased-%%' AND status IN ('pending', 'leased')"
                        " AND profile_id IS NULL").fetchone() == (0,)
    # The token of the erased opens nothing.
    with as_role(conn, "authenticated", victim.profile):
        assert conn.execute("SELECT count(*) FROM convene.attendees").fetchone() == (0,)
        assert conn.execute("SELECT count(*) FROM convene.organizations").fetchone() == (0,)


def test_the_report_says_what_was_done_and_what_is_left_to_do(world):
    conn, alpha, _, victim, _ = world
    conn.execute("UPDATE convene.organization_members SET member_role = 'owner' WHERE profile_id = %s", [victim.profile])
    conn.execute("INSERT INTO convene.contacts (organization_id, first_name, last_name, email, phone) VALUES (%s, 'Same', 'Number', 'x@y', %s)",
                 [alpha.organization, victim.phone.replace(" ", "-")])
    report = erase(conn, victim.profile)
    done = report["tables"]
    assert done["profiles"] == {"deleted": 1} and done["contacts"] == {"pseudonymised": 2, "redacted": 1} and done["contractors"] == {"deleted": 2}
    assert done["orders"] == {"pseudonymised": 1, "redacted": 1} and done["events"] == {"nulled": 1} and done["outbox"] == {"cancelled": 2, "redacted": 1}
    assert done["tickets"] == {"pseudonymised": 1, "kept": 1, "redacted": 1} and done["meetings"] == {"deleted": 1} == done["organization_members"]
    assert sorted((sent["topic"], sent["about"], sent["at"] is not None) for sent in report["delivered"]) == [
        ("hubspot", "lead", True), ("sms", "attendee", True)]
    assert [sent["topic"] for sent in report["in_flight"]] == ["sms"]
    assert report["meetings_cancelled"][0]["other_attendee_id"] == str(alpha.people[1].id)
    assert {"model": "recommendation_models", "event_id": str(alpha.id)} in report["models_to_refresh"]
    assert report["without_owner"] == [str(alpha.organization)]
    # The same number proves nothing: people write their numbers themselves.
    assert [row["table"] for row in report["unproven"]] == ["contacts"]
    # It names nobody, and is kept.
    assert not any(str(needle) in json.dumps(report) for needle in needles(victim))
    kept = conn.execute("SELECT changes FROM convene.audit_log WHERE action = 'erase'").fetchone()[0]
    assert kept == report


def test_the_other_ones_time_is_free_again(world):
    conn, alpha, _, victim, _ = world
    before = conn.execute("SELECT count(*) FROM convene.meeting_bookings WHERE attendee_id = %s", [alpha.people[1].id]).fetchone()[0]
    erase(conn, victim.profile)
    assert conn.execute("SELECT count(*) FROM convene.meeting_bookings WHERE attendee_id = %s", [alpha.people[1].id]).fetchone() == (before - 1,)


def test_twice_is_as_good_as_once(world):
    conn, _, _, victim, _ = world
    with as_role(conn, "service_role"):
        erase(conn, victim.profile)
        again = erase(conn, victim.profile)
        assert (again["status"], again["tables"], again["delivered"]) == ("already erased", {}, [])
        assert again["erased_at"]
        expect_error(conn, "P0002", "SELECT convene.export_person(%s)", [victim.profile])
        expect_error(conn, "P0002", "SELECT convene.erase_person(%s)", [uuid.uuid4()], message="profile")
    with as_role(conn, "authenticated", victim.profile):
        assert erase(conn, victim.profile)["status"] == "already erased"


def test_people_erase_themselves(world):
    conn, _, _, victim, bystander = world
    with as_role(conn, "authenticated", victim.profile, session_id=f"session of {victim.profile}", iss="https://issuer.example"):
        report = erase(conn, victim.profile)
    assert report["status"] == "erased" and "unproven" not in report
    assert found(conn, *needles(victim)) == {}
    actor, token = conn.execute("SELECT actor_id, token FROM convene.audit_log WHERE action = 'erase'").fetchone()
    assert actor not in (None, victim.profile) and token["role"].startswith("erased-")
    with as_role(conn, "authenticated", bystander.profile):
        expect_error(conn, "42501", "SELECT convene.erase_person(%s)", [victim.profile])


@pytest.mark.parametrize("function", ["erase_person", "export_person"])
def test_nobody_else_may(world, function):
    conn, alpha, beta, victim, bystander = world
    owner = uuid.uuid4()
    conn.execute("INSERT INTO convene.profiles (id) VALUES (%s)", [owner])
    conn.execute("INSERT INTO convene.organization_members (organization_id, profile_id, member_role) VALUES (%s, %s, 'owner')",
                 [alpha.organization, owner])
    before = contents(conn)
    for role, sub in (("authenticated", bystander.profile), ("authenticated", alpha.organizer), ("authenticated", beta.organizer),
                      ("authenticated", owner), ("authenticated", None), ("anon", None), ("anon", victim.profile)):
        with as_role(conn, role, sub):
            told = {sqlstate(conn, f"SELECT convene.{function}(%s)", [who]) for who in (victim.profile, uuid.uuid4(), victim.attendee)}
            assert len(told) == 1 and told.pop().sqlstate == "42501", (role, sub)
    with as_role(conn, "authenticated", bystander.profile):
        expect_error(conn, "22004", f"SELECT convene.{function}(NULL)")
    assert contents(conn) == before


def test_an_error_on_the_way_undoes_all_of_it(world):
    conn, _, _, victim, _ = world
    before = contents(conn)
    conn.execute("""CREATE FUNCTION public.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no' USING ERRCODE = 'P0001'; END $$;
                    CREATE TRIGGER fail BEFORE DELETE ON convene.profiles FOR EACH ROW EXECUTE FUNCTION public.fail()""")
    assert sqlstate(conn, "SELECT convene.erase_person(%s)", [victim.profile]).sqlstate == "P0001"
    assert contents(conn) == before


def test_a_registration_during_an_erasure_waits_and_finds_nobody(fresh_db):
    with fresh_db.connect() as conn, fresh_db.connect() as second:
        event = make_event(conn, "alpha", attendees=1)
        other = make_event(conn, "beta", attendees=0)
        refused = []

        def register():
            try:
                second.execute("INSERT INTO convene.attendees (event_id, profile_id) VALUES (%s, %s)", [other.id, event.people[0].sub])
            except psycopg.Error as error:
                refused.append(error.sqlstate)

        with conn.transaction():
            erase(conn, event.people[0].sub)
            thread = threading.Thread(target=register)
            thread.start()
            time.sleep(0.5)
            assert refused == [] and thread.is_alive()
        thread.join(10)
        assert refused == ["23503"]


def test_an_address_is_theirs_only_where_the_issuer_says_so(world):
    """Whoever writes somebody's address or number into their own row does not get that one erased."""
    conn, alpha, _, victim, bystander = world
    conn.execute("UPDATE convene.contractors SET email = %s, phone = %s WHERE profile_id = %s",
                 [bystander.email, bystander.phone, victim.profile])
    conn.execute("UPDATE convene.profiles SET phone = %s WHERE id = %s", [bystander.phone, victim.profile])
    before = found(conn, OTHERS, bystander.email)
    erase(conn, victim.profile)
    after = found(conn, OTHERS, bystander.email)
    # What the person had written of the other one goes with the person, and so does what came from that number and is nobody's.
    for table in ("contractors", "peer_messages", "audit_log"):
        before.pop(table, None), after.pop(table, None)
    assert after == before
    assert conn.execute("SELECT count(*) FROM convene.contractors WHERE profile_id = %s", [bystander.profile]).fetchone() == (1,)


@pytest.mark.parametrize("own", ["1700000000", '": {"id', ', "id":', "\\\\n null", "charge"])
def test_what_people_call_themselves_breaks_no_document(world, own):
    conn, alpha, _, victim, _ = world
    conn.execute("UPDATE convene.profiles SET phone = %s, full_name = %s WHERE id = %s", ["1700000000", own, victim.profile])
    payload = {"created": 1700000000, "a": {"id": [None, 1.50, True, {}, []], "text": f"by {own}, {victim.email}"}, "email": victim.email}
    conn.execute("INSERT INTO convene.stripe_events (stripe_event_id, type, payload) VALUES ('evt_own', 'charge', %s)", [json.dumps(payload)])
    erase(conn, victim.profile)
    left = conn.execute("SELECT payload FROM convene.stripe_events WHERE stripe_event_id = 'evt_own'").fetchone()[0]
    assert left["created"] == 1700000000 and left["a"]["id"] == [None, 1.5, True, {}, []]
    assert left["email"].startswith("erased-") and own not in left["a"]["text"] and left["a"]["text"].startswith("by ")


def test_a_lost_key_is_made_anew(world):
    conn, _, _, victim, bystander = world
    erase(conn, victim.profile)
    conn.execute("DELETE FROM convene.settings WHERE key = 'erasure.key'")
    # Now nobody can tell any more that it was this one; what is left of them is anonymous.
    expect_error(conn, "P0002", "SELECT convene.erase_person(%s)", [victim.profile])
    assert erase(conn, bystander.profile)["status"] == "erased"
    assert found(conn, OTHERS, bystander.email, bystander.profile) == {}
    assert conn.execute("SELECT length(value #>> '{}') FROM convene.settings WHERE key = 'erasure.key'").fetchone() == (64,)


def test_tables_and_columns_of_users_are_seen(world):
    conn, _, _, victim, bystander = world
    conn.execute("ALTER TABLE convene.attendees ADD badge_text text, ADD badge_count int")
    conn.execute("UPDATE convene.attendees SET badge_text = %s, badge_count = 3 WHERE id = %s", [MARK, victim.attendee])
    conn.execute("CREATE TABLE public.own (attendee_id uuid REFERENCES convene.attendees)")
    conn.execute("INSERT INTO public.own VALUES (%s)", [victim.attendee])
    report = erase(conn, victim.profile)
    assert report["not_in_the_lists"] == [{"table": "public.own", "column": "attendee_id", "rows": 1}]
    assert conn.execute("SELECT badge_text, badge_count FROM convene.attendees WHERE id = %s", [victim.attendee]).fetchone() == (None, 3)
    # A key that keeps the profile from going is its owner's to look after; the server's message names the table.
    conn.execute("CREATE TABLE public.more (profile_id uuid REFERENCES convene.profiles)")
    conn.execute("INSERT INTO public.more VALUES (%s)", [bystander.profile])
    expect_error(conn, "23503", "SELECT convene.erase_person(%s)", [bystander.profile], message="more")


# The copy ----------------------------------------------------------------------------------------------------------


def test_the_copy_has_every_row_of_the_person(world, lists):
    conn, *_, victim, _ = world
    document = export(conn, victim.profile)
    assert document["profile_id"] == str(victim.profile)
    exported = {row[0] for row in lists[0] if row[3] in ("own", "delete", "cascade") and row[5]}
    assert sorted(exported - set(document["tables"])) == []
    assert {"outbox", "audit_log"} >= set(document["tables"]) - exported
    assert document["tables"]["profiles"][0]["email"].lower() == victim.email
    assert len(document["tables"]["contacts"]) == 2 and len(document["tables"]["networking_connections"]) == 2


def test_the_copy_has_nothing_of_others_and_no_secret(world):
    conn, alpha, _, victim, _ = world
    other = alpha.people[1]
    conn.execute("UPDATE convene.users SET password_hash = 'SECRET' WHERE id = %s", [victim.ids["users"]])
    side = 1 if victim.attendee < other.id else 2
    conn.execute(f"""UPDATE convene.matches SET feedback_{side} = '{{"mine": 1}}', feedback_{3 - side} = '{{"SECRET": 1}}'""")
    conn.execute("UPDATE convene.meetings SET notes_1 = 'mine', notes_2 = 'SECRET' WHERE attendee_1_id = %s", [victim.attendee])
    conn.execute("UPDATE convene.networking_connections SET status = 'blocked', message = 'SECRET' WHERE target_id = %s", [victim.attendee])
    conn.execute("UPDATE convene.notes SET content = 'SECRET' WHERE is_private")
    conn.execute("UPDATE convene.person_reports SET reason = 'SECRET' WHERE reported_profile = %s", [victim.profile])
    document = export(conn, victim.profile)
    text = json.dumps(document)
    assert "SECRET" not in text and '"mine": 1' in text and '"notes_1": "mine"' in text
    assert not any(row["qr_token"] for row in document["tables"]["tickets"] if "qr_token" in row)
    # Of the other one the id, and no name; that they blocked the person stays hidden.
    assert str(other.id) in text and "Person 2" not in text and "Other" not in text
    assert [row["blocker_profile"] for row in document["tables"]["person_blocks"]] == [str(victim.profile)]
    assert {row["reporter_profile"] for row in document["tables"]["person_reports"]} == {str(victim.profile)}


def test_a_number_opens_nobody_elses_messages(world):
    """Whoever writes somebody's number into their own row makes the sender two people; the copy does not say what came."""
    conn, *_, victim, bystander = world
    message = ["INSERT INTO convene.peer_messages (direction, status, phone, body, understood) VALUES ('in', 'received', %s, 'SECRET', %s)"]
    conn.execute(*message, [bystander.phone, "ambiguous"])
    conn.execute(*message, [bystander.phone, "unknown_sender"])
    conn.execute("UPDATE convene.profiles SET phone = %s WHERE id = %s", [bystander.phone, victim.profile])
    conn.execute("UPDATE convene.contractors SET phone = %s WHERE profile_id = %s", [bystander.phone, victim.profile])
    assert "SECRET" not in json.dumps(export(conn, victim.profile))


def test_people_get_their_own_copy(world):
    conn, *_, victim, _ = world
    whole = export(conn, victim.profile)
    with as_role(conn, "authenticated", victim.profile):
        assert export(conn, victim.profile) == whole
    with as_role(conn, "service_role"):
        assert export(conn, victim.profile) == whole
        expect_error(conn, "P0002", "SELECT convene.export_person(%s)", [uuid.uuid4()])


def test_a_copy_changes_nothing(world):
    conn, *_, victim, _ = world
    before = contents(conn)
    with conn.transaction():
        conn.execute("SET TRANSACTION READ ONLY")
        export(conn, victim.profile)
    assert contents(conn) == before
