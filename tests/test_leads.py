"""Contacts and the leads that follow: who may report, what is counted, who is seen by whom, pages, and two hundred at once."""

import os
import random
import threading
import uuid
from collections import Counter
from datetime import datetime, timedelta, timezone

import psycopg
import pytest

from lib.access import as_role, expect_error
from lib.cluster import Cluster
from lib.factory import make_event, make_world
from lib.leads import RECORD, add_badges, add_sponsors, agree, describe, expected, make_lead, record, stored

LIST = "SELECT * FROM convene.get_sponsor_leads(%s)"
SCAN = "SELECT convene.record_lead_interaction(%s, %s, %s, p_badge_token => %s)"


@pytest.fixture(scope="module")
def world(db):
    with db.connect() as conn:
        made = make_world(conn, sessions=1, attendees=12)
        for event in made:
            add_sponsors(conn, event)
            add_badges(conn, event)
        return made


@pytest.fixture
def undone(conn, world):
    with conn.transaction(force_rollback=True):
        yield conn


def leads(conn, event, name, sub=None, extra=""):
    """The leads as dictionaries, as the service or as somebody."""
    call = f"SELECT to_jsonb(l) FROM convene.get_sponsor_leads(%s{extra}) l"
    if sub is None:
        return [row[0] for row in conn.execute(call, [event.sponsors[name][0]])]
    with as_role(conn, "authenticated", sub):
        return [row[0] for row in conn.execute(call, [event.sponsors[name][0]])]


# Recording ---------------------------------------------------------------------------------------------------------


def test_each_kind_is_counted_as_it_should(undone, world):
    alpha, _ = world
    counts = Counter()
    for kind in ("booth_visit", "content_download", "session_attendance", "message", "meeting_request", "badge_scan", "other", "booth_visit"):
        told = record(undone, alpha, "first", 0, kind)
        counts[kind] += 1
        after = expected(counts["booth_visit"], counts["content_download"], counts["session_attendance"], counts["message"],
                         counts["meeting_request"] > 0, sum(counts.values()))
        assert (told["recorded"], told["lead_score"]) == (True, after[3])
        assert stored(undone, told["lead_id"]) == after
    row = undone.execute("SELECT booth_visits, content_downloads, session_attendance, messages_exchanged, meeting_requested, interaction_count,"
                         " event_id FROM convene.lead_scoring").fetchone()
    assert row == (2, 1, 1, 1, True, 8, alpha.id)
    assert undone.execute("SELECT count(*) FROM convene.lead_interactions").fetchone() == (8,)


def test_a_repetition_counts_once(undone, world):
    alpha, _ = world
    first = record(undone, alpha, "first", 0, external="x-1")
    again = record(undone, alpha, "first", 0, external="x-1")
    assert (again["recorded"], again["interaction_id"], again["lead_id"]) == (False, None, first["lead_id"])
    assert again["lead_score"] == first["lead_score"] == 43
    # Another sponsor's reporter has ids of their own; the same id for another contact is a mistake that is told.
    assert record(undone, alpha, "second", 0, external="x-1")["recorded"]
    for person, kind in ((1, "booth_visit"), (0, "message")):
        expect_error(undone, "23505", RECORD, [alpha.sponsors["first"][0], alpha.people[person].id, kind, "x-1"], message="x-1")
    assert undone.execute("SELECT sum(interaction_count) FROM convene.lead_scoring").fetchone() == (2,)


def test_times_of_a_lead_span_its_contacts(undone, world):
    alpha, _ = world
    days = [datetime(2026, 1, day, tzinfo=timezone.utc) for day in (5, 2, 9)]
    for at in days:
        undone.execute("SELECT convene.record_lead_interaction(%s, %s, 'message', %s)", [alpha.sponsors["first"][0], alpha.people[0].id, at])
    assert undone.execute("SELECT first_interaction_at, last_interaction_at FROM convene.lead_scoring").fetchone() == (days[1], days[2])


def test_a_sponsor_meets_people_of_its_events_only(undone, world):
    alpha, beta = world
    expect_error(undone, "22023", RECORD, [alpha.sponsors["first"][0], beta.people[0].id, "message", None], message="no part in event")
    assert undone.execute("SELECT count(*) FROM convene.lead_scoring").fetchone() == (0,)


def test_only_with_the_badge(undone, world):
    alpha, beta = world
    (sponsor, sub), person = alpha.sponsors["first"], alpha.people[0].id
    with as_role(undone, "authenticated", sub):
        told = set()
        for token in (None, "wrong", alpha.badges[1], beta.badges[0]):
            told.add(expect_error(undone, "42501", SCAN, [sponsor, person, "booth_visit", token]))
        told.add(expect_error(undone, "42501", SCAN, [sponsor, uuid.uuid4(), "booth_visit", alpha.badges[0]]))
        assert len(told) == 1
        expect_error(undone, "42501", SCAN, [alpha.sponsors["second"][0], person, "booth_visit", alpha.badges[0]])
        # A scanner knows no more than the code.
        first = undone.execute(SCAN, [sponsor, None, "booth_visit", alpha.badges[0]]).fetchone()[0]
        second = undone.execute(SCAN, [sponsor, person, "message", alpha.badges[0]]).fetchone()[0]
        assert first["attendee_id"] == str(person) and second["lead_id"] == first["lead_id"]
    # Showing the badge is consent to this sponsor, whatever was noted, and to no other.
    assert [lead["attendee"]["id"] for lead in leads(undone, alpha, "first", sub)] == [str(person)]
    record(undone, alpha, "second", 0)
    assert leads(undone, alpha, "second") == []
    for who in (alpha.organizer, alpha.people[0].sub, alpha.sponsors["second"][1]):
        with as_role(undone, "authenticated", who):
            expect_error(undone, "42501", SCAN, [sponsor, person, "booth_visit", alpha.badges[0]])


@pytest.mark.parametrize("change", [
    "UPDATE convene.tickets SET status = 'cancelled' WHERE qr_token = %(badge)s",
    "UPDATE convene.tickets SET attendee_id = NULL WHERE qr_token = %(badge)s",
    "UPDATE convene.attendees SET status = 'cancelled' WHERE id = %(person)s",
    "UPDATE convene.attendees SET sponsor_consent = false WHERE id = %(person)s",
])
def test_a_badge_that_counts_no_more(undone, world, change):
    """Also a code that was kept from before a withdrawal: nobody shows it again."""
    alpha, _ = world
    sponsor, sub = alpha.sponsors["first"]
    agree(undone, alpha, 0)
    with as_role(undone, "authenticated", sub):
        undone.execute(SCAN, [sponsor, None, "badge_scan", alpha.badges[0]])
    undone.execute(change, {"badge": alpha.badges[0], "person": alpha.people[0].id})
    with as_role(undone, "authenticated", sub):
        expect_error(undone, "42501", SCAN, [sponsor, None, "badge_scan", alpha.badges[0]])


def test_who_agrees_again_can_be_scanned_again(undone, world):
    alpha, _ = world
    sponsor, sub = alpha.sponsors["first"]
    agree(undone, alpha, 0)
    agree(undone, alpha, 0, yes=False)
    agree(undone, alpha, 0)
    with as_role(undone, "authenticated", sub):
        assert undone.execute(SCAN, [sponsor, None, "badge_scan", alpha.badges[0]]).fetchone()[0]["recorded"]


# Consent and isolation ---------------------------------------------------------------------------------------------


def everything(conn, event, name, sub):
    """All that a sponsor's person gets from any function, as text."""
    with as_role(conn, "authenticated", sub):
        return "\n".join(str(conn.execute(call, [event.sponsors[name][0]]).fetchall()) for call in (
            LIST, "SELECT * FROM convene.sponsor_attendee_match(%s, 500)", "SELECT convene.sponsor_analytics(%s)",
            "SELECT convene.score_sponsor_leads(%s)", "SELECT id, attendee_id, kind FROM convene.lead_interactions WHERE sponsor_id = %s",
            "SELECT l.id, l.attendee_id, l.lead_score FROM convene.lead_scoring l WHERE sponsor_id = %s"))


def test_no_identity_without_consent_and_none_after_it(undone, world):
    alpha, _ = world
    sponsor, sub = alpha.sponsors["first"]
    for person in range(4):
        record(undone, alpha, "first", person)
    agree(undone, alpha, 1, 2, 6)

    def seen():
        text = everything(undone, alpha, "first", sub)
        return {number for number, person in enumerate(alpha.people) if str(person.id) in text or f"'{person.name}'" in text}

    assert seen() == {1, 2, 6}  # six is no lead and might become one
    with as_role(undone, "authenticated", alpha.people[1].sub):
        undone.execute("UPDATE convene.attendees SET sponsor_consent = false WHERE id = %s", [alpha.people[1].id])
    assert seen() == {2, 6}
    assert leads(undone, alpha, "first") == leads(undone, alpha, "first", sub)  # nor through the service
    with as_role(undone, "authenticated", sub):
        told = undone.execute("SELECT convene.sponsor_analytics(%s)", [sponsor]).fetchone()[0]
    assert told["leads"] == {"total": 4, "shown": 1, "hidden": 3}


def test_one_sponsor_learns_nothing_of_another(undone, world):
    alpha, beta = world
    _, sub = alpha.sponsors["first"]
    before = everything(undone, alpha, "first", sub)
    agree(undone, alpha, *range(5))
    quiet = everything(undone, alpha, "first", sub)
    for person in range(5):
        record(undone, alpha, "second", person)
    make_lead(undone, beta, "first", 0, lead_score=77)
    undone.execute("UPDATE convene.sponsors SET satisfaction_score = 3, engagement_score = 12 WHERE id = %s", [alpha.sponsors["second"][0]])
    assert everything(undone, alpha, "first", sub) == quiet != before
    other = undone.execute("SELECT id FROM convene.lead_scoring WHERE sponsor_id = %s LIMIT 1", [alpha.sponsors["second"][0]]).fetchone()[0]
    with as_role(undone, "authenticated", sub):
        told = {str(expect_error(undone, code, call, [argument])).replace(str(argument), "")
                for argument in (other, uuid.uuid4())
                for code, call in (("42501", "SELECT convene.calculate_lead_score(%s)"),)}
        assert len(told) == 1
        told = {str(expect_error(undone, "22023", "SELECT * FROM convene.get_sponsor_leads(%s, p_after => %s)",
                                 [alpha.sponsors["first"][0], argument])).replace(str(argument), "") for argument in (other, uuid.uuid4())}
        assert len(told) == 1
        assert undone.execute("SELECT count(id) FROM convene.sponsors").fetchone() == (1,)


def test_a_page_does_not_begin_at_somebody_who_withdrew(undone, world):
    """That the lead is still there, and how it scores by now, is not told to whoever kept its id."""
    alpha, _ = world
    sponsor, sub = alpha.sponsors["first"]
    agree(undone, alpha, 0, 1)
    kept, _ = (make_lead(undone, alpha, "first", person, lead_score=60 - person) for person in (0, 1))
    page = "SELECT * FROM convene.get_sponsor_leads(%s, p_after => %s)"
    with as_role(undone, "authenticated", sub):
        assert len(undone.execute(page, [sponsor, kept]).fetchall()) == 1
    agree(undone, alpha, 0, yes=False)
    for who in (sub, alpha.organizer):
        with as_role(undone, "authenticated", who):
            told = {str(expect_error(undone, "22023", page, [sponsor, lead])).replace(str(lead), "") for lead in (kept, uuid.uuid4())}
            assert len(told) == 1


# Lists -------------------------------------------------------------------------------------------------------------


def test_a_row_is_what_a_client_needs(undone, world):
    alpha, _ = world
    agree(undone, alpha, 0)
    undone.execute("UPDATE convene.attendees SET job_title = 'Director of Marketing', company_name = 'Enterprise Co' WHERE id = %s",
                   [alpha.people[0].id])
    lead = make_lead(undone, alpha, "first", 0, booth_visits=3, content_downloads=2, meeting_requested=True, interaction_count=6,
                     status="qualified", last_interaction_at="2026-01-15T16:30:00Z")
    undone.execute("SELECT convene.calculate_lead_score(%s)", [lead])
    row = leads(undone, alpha, "first")[0]
    assert row["attendee"] == {"id": str(alpha.people[0].id), "name": "Person 1", "title": "Director of Marketing", "company": "Enterprise Co"}
    assert (row["lead_score"], row["lead_grade"], row["status"], row["fit_assumed"]) == (88, "A", "qualified", True)
    assert datetime.fromisoformat(row["last_interaction"]) == datetime(2026, 1, 15, 16, 30, tzinfo=timezone.utc)
    assert row["engagement"] == {"booth_visits": 3, "content_downloads": 2, "session_attendance": 0, "messages_exchanged": 0,
                                 "meeting_requested": True, "interaction_count": 6}
    assert row["reasons"] == ["Visited your booth 3 times", "Took 2 documents", "Asked for a meeting"]
    assert row["next_best_action"]["action"] == "send_proposal"
    assert sum(part["score"] for part in row["score_parts"].values()) == 88


def test_parts_add_up_and_reasons_are_true(undone, world):
    alpha, _ = world
    draw = random.Random(5)
    describe(undone, alpha, "first", '{"industries": ["health"], "seniority": ["director"]}')
    agree(undone, alpha, *range(12))
    for person in alpha.people:
        undone.execute("INSERT INTO convene.networking_preferences (attendee_id, event_id, industry) VALUES (%s, %s, %s)",
                       [person.id, alpha.id, draw.choice(["health", "retail", None])])
        undone.execute("UPDATE convene.attendees SET job_title = %s WHERE id = %s", [draw.choice(["Director", "Clerk", None]), person.id])
    for _ in range(80):
        record(undone, alpha, "first", draw.randrange(12), draw.choice(["booth_visit", "content_download", "message", "meeting_request", "other"]))
    rows = leads(undone, alpha, "first")
    assert len(rows) == 12
    for row in rows:
        parts, did = row["score_parts"], row["engagement"]
        assert sum(part["score"] for part in parts.values()) == row["lead_score"]
        assert sum(parts["engagement"]["points"].values()) - parts["engagement"]["over_the_cap"] == parts["engagement"]["score"]
        industry, title = undone.execute("SELECT n.industry, a.job_title FROM convene.attendees a JOIN convene.networking_preferences n"
                                         " ON n.attendee_id = a.id WHERE a.id = %s", [row["attendee"]["id"]]).fetchone()
        assert any(reason.startswith("Visited your booth") for reason in row["reasons"]) == (did["booth_visits"] > 0)
        assert ("Asked for a meeting" in row["reasons"]) == did["meeting_requested"]
        assert ("Works in health" in row["reasons"]) == (industry == "health")
        assert any("seniority" in reason for reason in row["reasons"]) == (title == "Director")


def test_pages_hold_every_lead_once(undone, world):
    alpha, _ = world
    agree(undone, alpha, *range(12))
    for person in range(12):
        make_lead(undone, alpha, "first", person, lead_score=(50, 50, 70)[person % 3], status=("new", "contacted")[person % 2])
    whole = leads(undone, alpha, "first")
    assert [row["lead_score"] for row in whole] == sorted((row["lead_score"] for row in whole), reverse=True)
    for a, b in zip(whole, whole[1:]):
        assert a["lead_score"] > b["lead_score"] or a["lead_id"] < b["lead_id"]
    paged, after = [], None
    while page := undone.execute("SELECT lead_id, lead_score FROM convene.get_sponsor_leads(%s, p_limit => 5, p_after => %s)",
                                 [alpha.sponsors["first"][0], after]).fetchall():
        paged += page
        after = page[-1][0]
    assert [str(row[0]) for row in paged] == [row["lead_id"] for row in whole]
    assert len(leads(undone, alpha, "first", extra=", p_min_score => 51")) == 4
    assert {row["status"] for row in leads(undone, alpha, "first", extra=", p_status => 'contacted'")} == {"contacted"}
    # An organizer sees the same; so does nobody from elsewhere.
    assert leads(undone, alpha, "first", alpha.organizer) == whole


def test_next_actions_follow_the_clock(undone, world):
    alpha, _ = world
    agree(undone, alpha, 0)
    make_lead(undone, alpha, "first", 0, status="contacted", last_interaction_at="2026-01-01T00:00:00Z", interaction_count=1)
    told = [undone.execute("SELECT next_best_action->>'action', next_best_action->>'because' FROM convene.get_sponsor_leads(%s, p_now => %s)",
                           [alpha.sponsors["first"][0], datetime(2026, 1, day, tzinfo=timezone.utc)]).fetchone() for day in (3, 10)]
    assert told == [("wait", "The last interaction was 2 days ago"), ("follow_up", "The last interaction was 9 days ago")]


def test_matches_are_strangers_who_fit(undone, world):
    alpha, _ = world
    describe(undone, alpha, "first", '{"topics": ["ai", "data"]}')
    for person, topics in enumerate((["ai", "data"], ["ai", "music"], ["music"], ["AI", "DATA"], ["ai"], ["ai", "data"])):
        undone.execute("INSERT INTO convene.attendee_preferences (attendee_id, event_id, preferred_topics) VALUES (%s, %s, %s)",
                       [alpha.people[person].id, alpha.id, topics])
    agree(undone, alpha, 0, 1, 2, 3, 4)  # not five, who would fit
    record(undone, alpha, "first", 3)
    undone.execute("UPDATE convene.attendees SET status = 'cancelled' WHERE id = %s", [alpha.people[4].id])
    with as_role(undone, "authenticated", alpha.sponsors["first"][1]):
        rows = undone.execute("SELECT attendee_id, fit_score, fit_assumed, reasons FROM convene.sponsor_attendee_match(%s)",
                              [alpha.sponsors["first"][0]]).fetchall()
        assert rows == [(alpha.people[0].id, 30, False, ["Is interested in ai, data"]), (alpha.people[1].id, 15, False, ["Is interested in ai"])]
        assert len(undone.execute("SELECT FROM convene.sponsor_attendee_match(%s, 1)", [alpha.sponsors["first"][0]]).fetchall()) == 1
    # Who describes nobody is shown everybody, and that it is assumed.
    rows = undone.execute("SELECT attendee_id, fit_score, fit_assumed FROM convene.sponsor_attendee_match(%s)", [alpha.sponsors["second"][0]]).fetchall()
    assert rows == sorted((alpha.people[n].id, 30, True) for n in range(4))


@pytest.mark.parametrize("change", ["status = 'churned'", "fulfilment_status = 'cancelled'"])
def test_who_sponsors_no_longer_meets_nobody_new(undone, world, change):
    """The leads that it has stay its own; attendees agreed to be seen by sponsors."""
    alpha, _ = world
    sponsor, sub = alpha.sponsors["first"]
    agree(undone, alpha, 0, 1)
    record(undone, alpha, "first", 0)
    undone.execute(f"UPDATE convene.sponsors SET {change} WHERE id = %s", [sponsor])
    with as_role(undone, "authenticated", sub):
        assert undone.execute("SELECT * FROM convene.sponsor_attendee_match(%s)", [sponsor]).fetchall() == []
        expect_error(undone, "42501", SCAN, [sponsor, None, "badge_scan", alpha.badges[1]])
    assert len(leads(undone, alpha, "first", sub)) == 1


# At once -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def crowd():
    """A server that lets two hundred in, with an event that has sponsors."""
    server = Cluster(f"{os.environ.get('CONVENE_TEST_CLUSTER', 'test')[:18]}-crowd").start(max_connections=240)
    try:
        made = server.create_database("crowd")
        with made.connect() as conn:
            conn.execute("CREATE EXTENSION convene CASCADE")
            conn.execute("SELECT convene.install()")
            event = make_event(conn, "crowd", sessions=1, attendees=4)
            add_sponsors(conn, event)
        yield made, event
    finally:
        server.stop()


def test_two_hundred_sessions_on_the_same_leads(crowd):
    """Counters are exact, repetitions count once, and nobody hears of a deadlock, while consent comes and goes and all is rescored."""
    db, beta = crowd
    sessions, each = 200, 12
    kinds = ["booth_visit", "content_download", "session_attendance", "message", "badge_scan", "other"]
    sponsor = beta.sponsors["second"][0]
    failures, done = [], threading.Event()

    def report(number):
        draw = random.Random(number)
        try:
            with db.connect() as conn:
                for turn in range(each):
                    # Every second report is one that a neighbour makes as well.
                    shared = turn % 2 == 0
                    source = number // 2 if shared else number
                    pick = random.Random(f"{source}/{turn}/{shared}")
                    conn.execute(RECORD, [sponsor, beta.people[pick.randrange(4)].id, pick.choice(kinds), f"{shared}/{source}/{turn}"])
                    if draw.random() < 0.02:
                        conn.execute("SELECT convene.score_sponsor_leads(%s)", [sponsor])
        except psycopg.Error as error:
            failures.append((error.sqlstate, str(error)))

    def change_minds():
        with db.connect() as conn:
            while not done.is_set():
                for person in range(4):
                    agree(conn, beta, person)
                    agree(conn, beta, person, yes=False)

    minds = threading.Thread(target=change_minds)
    threads = [threading.Thread(target=report, args=[number]) for number in range(sessions)]
    minds.start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    minds.join()
    assert failures == []
    with db.connect() as conn:
        rows = conn.execute(
            """SELECT l.attendee_id, l.booth_visits, l.content_downloads, l.session_attendance, l.messages_exchanged, l.interaction_count, l.lead_score
                 FROM convene.lead_scoring l WHERE l.sponsor_id = %s ORDER BY 1""", [sponsor]).fetchall()
        counted = conn.execute(
            """SELECT attendee_id, count(*) FILTER (WHERE kind = 'booth_visit'), count(*) FILTER (WHERE kind = 'content_download'),
                      count(*) FILTER (WHERE kind = 'session_attendance'), count(*) FILTER (WHERE kind = 'message'), count(*)
                 FROM convene.lead_interactions WHERE sponsor_id = %s GROUP BY 1 ORDER BY 1""", [sponsor]).fetchall()
        assert [row[:6] for row in rows] == counted
        # Half of the reports were made by one session each, half by two.
        assert sum(row[5] for row in rows) == sessions * each // 2 + sessions * each // 4
        assert all(row[6] == expected(*row[1:5], False, row[5])[3] for row in rows)
        assert conn.execute("SELECT bool_or(consented) FROM convene.lead_scoring l WHERE sponsor_id = %s AND NOT convene_private.sponsor_may_see"
                            "(l.sponsor_id, l.attendee_id)", [sponsor]).fetchone()[0] is not True


def test_a_repetition_that_comes_at_the_same_time(db, world):
    """The second report waits for the first and then counts for nothing."""
    alpha, _ = world
    with db.connect(autocommit=False) as one, db.connect() as two:
        assert record(one, alpha, "first", 9, external="twice")["recorded"]
        told = []
        second = threading.Thread(target=lambda: told.append(record(two, alpha, "first", 9, external="twice")))
        second.start()
        second.join(0.5)
        assert told == []
        one.commit()
        second.join()
        assert told[0]["recorded"] is False and told[0]["lead_score"] == 43
        one.execute("DELETE FROM convene.lead_scoring WHERE sponsor_id = %s", [alpha.sponsors["first"][0]])
        one.commit()


def test_what_did_not_happen_leaves_nothing(undone, world):
    alpha, _ = world
    later = datetime.now(timezone.utc) + timedelta(minutes=1)
    sponsor = alpha.sponsors["first"][0]
    expect_error(undone, "22023", "SELECT convene.record_lead_interaction(%s, %s, 'message', %s)", [sponsor, alpha.people[0].id, later])
    expect_error(undone, "22023", RECORD, [sponsor, alpha.people[0].id, "Message", None], message='"Message"')
    assert undone.execute("SELECT count(*) FROM convene.lead_scoring WHERE sponsor_id = %s AND attendee_id = %s",
                          [sponsor, alpha.people[0].id]).fetchone() == (0,)
