"""Consent: which leads a sponsor sees and when no longer; and what else keeps leads and their interactions true."""

import threading
from collections import namedtuple
from datetime import datetime, timedelta, timezone

import psycopg
import pytest

from lib.access import as_role, expect_error, sqlstate
from lib.factory import ident, make_world

AGREE = "UPDATE convene.attendees SET sponsor_consent = %s WHERE id = %s"
CONTACT = "INSERT INTO convene.lead_interactions (sponsor_id, attendee_id, kind, at) VALUES (%s, %s, %s, coalesce(%s, clock_timestamp()))"
LEAD = "INSERT INTO convene.lead_scoring (event_id, sponsor_id, attendee_id, lead_score) VALUES (%s, %s, %s, 50)"


def make_sponsors(conn, event):
    """Two sponsors of the event, each with a person who signs in."""
    event.sponsors = {}
    for name in ("first", "second"):
        sponsor = ident(event.label, "sponsor", name)
        event.sponsors[name] = (sponsor, ident(event.label, "sponsor's person", name))
        conn.execute("INSERT INTO convene.profiles (id) VALUES (%s)", [event.sponsors[name][1]])
        conn.execute("INSERT INTO convene.sponsors (id, event_id, company_name, profile_id) VALUES (%s, %s, %s, %s)",
                     [sponsor, event.id, name, event.sponsors[name][1]])


@pytest.fixture(scope="module")
def world(db):
    with db.connect() as conn:
        made = namedtuple("World", "alpha beta")(*make_world(conn, sessions=2, attendees=6))
        for event in made:
            make_sponsors(conn, event)
        return made


@pytest.fixture
def undone(conn, world):
    with conn.transaction(force_rollback=True):
        yield conn


def meet(conn, event, name, person, kind="booth_visit", at=None, lead=True):
    """A contact of one of the event's sponsors with one of its people, and the lead that follows."""
    sponsor, attendee = event.sponsors[name][0], event.people[person].id
    conn.execute(CONTACT, [sponsor, attendee, kind, at])
    if lead:
        conn.execute(LEAD + " ON CONFLICT DO NOTHING", [event.id, sponsor, attendee])


def seen(conn, event, name):
    """Numbers of the people whose leads the sponsor's person sees."""
    ids = [person.id for person in event.people]
    with as_role(conn, "authenticated", event.sponsors[name][1]):
        return sorted(ids.index(row[0]) for row in conn.execute("SELECT attendee_id FROM convene.lead_scoring"))


# Consent -----------------------------------------------------------------------------------------------------------


def test_a_lead_is_the_sponsors_only_with_consent(undone, world):
    alpha = world.alpha
    for person in range(3):
        meet(undone, alpha, "first", person)
        meet(undone, alpha, "second", person)
    assert seen(undone, alpha, "first") == []
    with as_role(undone, "authenticated", alpha.people[0].sub):
        undone.execute(AGREE, [True, alpha.people[0].id])
    assert seen(undone, alpha, "first") == seen(undone, alpha, "second") == [0]
    # A scan is consent to the one who scanned.
    meet(undone, alpha, "first", 1, "badge_scan")
    assert seen(undone, alpha, "first") == [0, 1] and seen(undone, alpha, "second") == [0]
    # A lead that comes after consent or scan is seen at once.
    undone.execute(AGREE, [True, alpha.people[3].id])
    meet(undone, alpha, "second", 3)
    meet(undone, alpha, "second", 4, "badge_scan")
    assert seen(undone, alpha, "second") == [0, 3, 4]
    assert seen(undone, world.beta, "first") == []


def test_a_withdrawal_hides_at_once_scans_before_it_as_well(undone, world):
    alpha, attendee = world.alpha, world.alpha.people[0]
    undone.execute(AGREE, [True, attendee.id])
    meet(undone, alpha, "first", 0, "badge_scan")
    meet(undone, alpha, "second", 0)
    early = datetime.now(timezone.utc)
    with as_role(undone, "authenticated", attendee.sub):
        undone.execute(AGREE, [False, attendee.id])
    assert seen(undone, alpha, "first") == seen(undone, alpha, "second") == []
    # What was scanned before and is reported late counts no more, with a lead or without one.
    meet(undone, alpha, "second", 0, "badge_scan", early - timedelta(seconds=1))
    undone.execute("DELETE FROM convene.lead_scoring WHERE attendee_id = %s", [attendee.id])
    meet(undone, alpha, "second", 0, "badge_scan", early - timedelta(seconds=2))
    assert seen(undone, alpha, "second") == []
    # A new scan is a new consent, to one; agreeing again is one to all.
    meet(undone, alpha, "second", 0, "badge_scan")
    assert seen(undone, alpha, "second") == [0]
    meet(undone, alpha, "first", 0)
    assert seen(undone, alpha, "first") == []
    undone.execute(AGREE, [True, attendee.id])
    assert seen(undone, alpha, "first") == [0]


def test_other_changes_of_an_attendee_withdraw_nothing(undone, world):
    alpha, attendee = world.alpha, world.alpha.people[0].id
    meet(undone, alpha, "first", 0, "badge_scan")
    undone.execute("UPDATE convene.attendees SET sponsor_consent = false, status = 'checked_in' WHERE id = %s", [attendee])
    assert seen(undone, alpha, "first") == [0]
    # Who never agreed in general withdraws from scans by the moment itself.
    undone.execute("UPDATE convene.attendees SET sponsor_consent_withdrawn_at = clock_timestamp() WHERE id = %s", [attendee])
    assert seen(undone, alpha, "first") == []


def test_consent_cannot_be_written_into_a_lead(undone, world):
    alpha, person = world.alpha, world.alpha.people[0].id
    meet(undone, alpha, "first", 0)
    for change in ("consented = true", "sponsor_id = sponsor_id, consented = true"):
        assert undone.execute(f"UPDATE convene.lead_scoring SET {change} RETURNING consented").fetchall() == [(False,)]
    undone.execute(AGREE, [True, person])
    assert undone.execute("UPDATE convene.lead_scoring SET consented = false RETURNING consented").fetchall() == [(True,)]
    # Nor may anybody but the attendee agree, or say when they withdrew.
    with as_role(undone, "authenticated", alpha.organizer):
        expect_error(undone, "42501", AGREE, [False, person])
    with as_role(undone, "authenticated", alpha.people[0].sub):
        expect_error(undone, "42501", "UPDATE convene.attendees SET sponsor_consent_withdrawn_at = NULL WHERE id = %s", [person])


def beside(db, first, second):
    """Runs the statements `first` and leaves them open, `second` beside it, and commits `first` once `second` waits for it."""
    met = []

    def run(connection):
        try:
            connection.execute(*second)
        except psycopg.Error as error:
            met.append(error.sqlstate)

    with db.connect(autocommit=False) as one, db.second() as two, db.second() as watcher:
        for statement in first:
            one.execute(*statement)
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
    assert met == []


@pytest.mark.parametrize("lead", [True, False])
def test_a_scan_and_a_withdrawal_that_meet(conn, db, world, lead):
    """Whichever is first, the other sees it: no lead stays open that was withdrawn."""
    event = world.beta
    sponsor = event.sponsors["first"][0]
    for person, order in ((0 if lead else 2, "scan first"), (1 if lead else 3, "withdrawal first")):
        attendee = event.people[person].id
        if lead:
            meet(conn, event, "first", person)
        conn.execute(AGREE, [True, attendee])
        # Scanned before the withdrawal, whenever that is committed.
        scan = (CONTACT, [sponsor, attendee, "badge_scan", datetime.now(timezone.utc)])
        follows = [] if lead else [(LEAD, [event.id, sponsor, attendee])]
        withdrawal = (AGREE, [False, attendee])
        if order == "scan first":
            beside(db, [scan, *follows], withdrawal)
        else:
            beside(db, [withdrawal], scan)
            for statement in follows:
                conn.execute(*statement)
        assert conn.execute("SELECT consented FROM convene.lead_scoring WHERE attendee_id = %s", [attendee]).fetchall() == [(False,)]
    assert seen(conn, event, "first") == []
    conn.execute("DELETE FROM convene.lead_scoring")


# Leads and interactions --------------------------------------------------------------------------------------------


def test_a_sponsor_meets_people_at_its_own_events_only(undone, world):
    alpha, beta = world
    stranger = beta.people[0].id
    sponsor = alpha.sponsors["first"][0]
    expect_error(undone, "22023", CONTACT, [sponsor, stranger, "booth_visit", None], message="no part in event")
    expect_error(undone, "22023", LEAD, [beta.id, sponsor, stranger])
    # And an attendee is of one event.
    expect_error(undone, "23503", LEAD, [alpha.id, sponsor, stranger])
    market = undone.execute("INSERT INTO convene.sponsors (company_name) VALUES ('Market') RETURNING id").fetchone()[0]
    expect_error(undone, "22023", CONTACT, [market, stranger, "booth_visit", None])
    undone.execute("INSERT INTO convene.event_sponsorships (event_id, sponsor_id, status) VALUES (%s, %s, 'active')", [beta.id, market])
    undone.execute(CONTACT, [market, stranger, "booth_visit", None])
    assert undone.execute("SELECT event_id FROM convene.lead_interactions WHERE sponsor_id = %s", [market]).fetchall() == [(beta.id,)]


def test_what_is_reported_twice_is_kept_once(undone, world):
    alpha = world.alpha
    report = ("INSERT INTO convene.lead_interactions (sponsor_id, attendee_id, kind, external_id) VALUES (%s, %s, 'message', 'x')"
              " ON CONFLICT (sponsor_id, external_id) DO NOTHING")
    first, second = (alpha.sponsors[name][0] for name in ("first", "second"))
    told = [undone.execute(report, [sponsor, alpha.people[0].id]).rowcount for sponsor in (first, first, second)]
    assert told == [1, 0, 1]


def test_what_was_reported_stays(undone, world):
    alpha = world.alpha
    meet(undone, alpha, "first", 0, lead=False)
    assert sqlstate(undone, "UPDATE convene.lead_interactions SET kind = 'badge_scan'").sqlstate == "42501"
    later = datetime.now(timezone.utc) + timedelta(minutes=1)
    expect_error(undone, "22023", CONTACT, [alpha.sponsors["first"][0], alpha.people[0].id, "booth_visit", later], message="future")
    expect_error(undone, "22023", CONTACT, [alpha.sponsors["first"][0], alpha.people[0].id, "booth_visit", "-infinity"], message="-infinity")
    # It goes with the attendee.
    undone.execute("DELETE FROM convene.attendees WHERE id = %s", [alpha.people[0].id])
    assert undone.execute("SELECT count(*) FROM convene.lead_interactions WHERE attendee_id = %s", [alpha.people[0].id]).fetchone() == (0,)


@pytest.mark.parametrize(("score", "grade"), [(100, "A"), (80, "A"), (79, "B"), (60, "B"), (59, "C"), (40, "C"), (39, "D"), (0, "D")])
def test_grades(undone, world, score, grade):
    meet(undone, world.alpha, "first", 0)
    assert undone.execute("UPDATE convene.lead_scoring SET lead_score = %s RETURNING lead_grade", [score]).fetchall() == [(grade,)]


def test_a_lead_notes_when_it_was_won_or_lost(undone, world):
    meet(undone, world.alpha, "first", 0)
    change = lambda what: undone.execute(f"UPDATE convene.lead_scoring SET {what} RETURNING closed_at").fetchone()[0]  # noqa: E731
    assert change("status = 'qualified'") is None
    assert change("status = 'closed_lost'") is not None
    # An import knows better.
    known = datetime(2026, 1, 2, tzinfo=timezone.utc)
    assert change("closed_at = '2026-01-02 00:00Z'") == known
    assert change("status = 'closed_lost', notes = 'x'") == known
    assert change("status = 'closed_won'") > known
    assert change("status = 'nurturing'") is None


def test_one_model_of_a_kind_and_scope_is_active(undone):
    add = ("INSERT INTO convene.models (kind, scope, version, algorithm, model, is_active)"
           " VALUES ('lead', %s, %s, 'rule', '{}', %s)")
    for scope in ("global", "sponsor"):
        undone.execute(add, [scope, 1, True])
        undone.execute(add, [scope, 2, False])
        expect_error(undone, "23505", add, [scope, 2, False])
        expect_error(undone, "23505", add, [scope, 3, True])
