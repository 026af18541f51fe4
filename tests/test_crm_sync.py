"""The queue that takes leads to a sponsor's CRM: one row per lead and target, rendered and looked at again when it is claimed,
leased, fenced, retried, parked; and what leads say of it."""

from collections import Counter
from datetime import timedelta

import pytest

from lib.access import as_role, expect_error
from lib.crm import (COMPLETE, FAIL, GROUPS, QUEUE, claim, complete, due, fail, lapse, lead, make_leads, make_sponsor, queue,
                     rescore, rows, statuses)
from lib.factory import add_people, make_event, make_world
from lib.hearing import heard

CONSENT = "UPDATE convene.attendees SET sponsor_consent = %s WHERE id = %s"


@pytest.fixture
def conn(fresh_db):
    """A database of its own: a queue has all sponsors in it."""
    connection = fresh_db.connect()
    connection.execute("SELECT convene.adopt_copy()")
    yield connection
    connection.close()


@pytest.fixture
def event(conn):
    return make_event(conn, "alpha", sessions=1, attendees=6)


@pytest.fixture
def sponsor(conn, event):
    return make_sponsor(conn, event, "acme")


# Queueing ----------------------------------------------------------------------------------------------------------


def test_one_row_per_lead_and_target(conn, event, sponsor):
    first, second, _ = make_leads(conn, event, sponsor, range(3))
    make_leads(conn, event, sponsor, [3], score=59)
    told = queue(conn, sponsor, "hubspot", 60)
    assert told == {"sponsor_id": str(sponsor.id), "crm_type": "hubspot", "min_lead_score": 60, "sync_fields": GROUPS, "leads": 3,
                    "queued": 3, "updates": 0, "already_queued": 0, "unchanged": 0, "without_consent": 0}
    assert len(rows(conn, "lead_id", where="crm_type = 'hubspot' AND status = 'pending'")) == 3
    # Once more queues nothing; another target has rows of its own.
    told = queue(conn, sponsor, "hubspot", 60)
    assert (told["queued"], told["already_queued"]) == (0, 3) and statuses(conn) == {"pending": 3}
    assert queue(conn, sponsor, "pipedrive", 60)["queued"] == 3
    assert Counter(rows(conn, "lead_id", "crm_type")).most_common(1)[0][1] == 1 and statuses(conn) == {"pending": 6}
    keys = [row[0] for row in rows(conn, "idempotency_key")]
    assert len(set(keys)) == 6 and all(key.split(":")[0] in ("hubspot", "pipedrive") for key in keys)
    assert rows(conn, "sponsor_id", "event_id", where=f"lead_id = '{first}'") == [(sponsor.id, event.id)] * 2
    assert lead(conn, second, "crm_sync_status", "crm_lead_id") == ("pending", None)
    # The least score is the limit itself.
    rescore(conn, first, 100)
    assert queue(conn, sponsor, "salesforce", 100)["leads"] == 1


def test_the_queue_holds_nothing_of_the_person(conn, event, sponsor):
    conn.execute("UPDATE convene.attendees SET full_name = 'Zoe Zimmermann', email = 'zoe@zimmermann.example', company_name = 'Zeta' WHERE id = %s",
                 [event.people[0].id])
    make_leads(conn, event, sponsor, [0])
    for crm in ("salesforce", "hubspot", "pipedrive"):
        queue(conn, sponsor, crm)
    claim(conn, 3)
    stored = conn.execute("SELECT string_agg(q::text, ' ') FROM convene.crm_sync_queue q").fetchone()[0].lower()
    assert not [word for word in ("zoe", "zimmermann", "zeta") if word in stored]


def test_only_leads_that_the_sponsor_may_see(conn, event, sponsor):
    seen, = make_leads(conn, event, sponsor, [0])
    make_leads(conn, event, sponsor, [1, 2], consent=False)
    told = queue(conn, sponsor)
    assert (told["leads"], told["queued"], told["without_consent"]) == (1, 1, 2)
    assert rows(conn, "lead_id") == [(seen,)]


def test_who_may_queue(conn):
    alpha, beta = make_world(conn, sessions=1, attendees=3)
    sponsor, other = make_sponsor(conn, alpha, "acme"), make_sponsor(conn, alpha, "other")
    make_leads(conn, alpha, sponsor, [0])
    for sub, allowed in ((sponsor.sub, True), (alpha.organizer, True), (other.sub, False), (beta.organizer, False),
                         (alpha.people[0].sub, False), (None, False)):
        with as_role(conn, "authenticated", sub):
            if allowed:
                assert conn.execute(QUEUE, [sponsor.id, "hubspot", 0, GROUPS]).fetchone()[0]["leads"] == 1
            else:
                expect_error(conn, "42501", QUEUE, [sponsor.id, "hubspot", 0, GROUPS], message="sponsor")
    with as_role(conn, "anon"):
        expect_error(conn, "42501", QUEUE, [sponsor.id, "hubspot", 0, GROUPS])
    with as_role(conn, "service_role"):
        assert queue(conn, sponsor)["already_queued"] == 1


def test_an_organizer_queues_the_leads_of_their_own_events(conn):
    """A sponsor of the market meets people at events of two organizations."""
    alpha, beta = make_world(conn, sessions=1, attendees=2)
    market = make_sponsor(conn, alpha, "market")
    conn.execute("UPDATE convene.sponsors SET profile_id = profile_id WHERE id = %s", [market.id])
    conn.execute("INSERT INTO convene.event_sponsorships (event_id, sponsor_id, status) VALUES (%s, %s, 'active')", [beta.id, market.id])
    make_leads(conn, alpha, market, [0, 1])
    make_leads(conn, beta, market, [0])
    with as_role(conn, "authenticated", beta.organizer):
        told = queue(conn, market)
        assert (told["leads"], told["queued"]) == (1, 1)
    assert rows(conn, "event_id") == [(beta.id,)]
    with as_role(conn, "authenticated", market.sub):
        told = queue(conn, market)
        assert (told["leads"], told["queued"], told["already_queued"]) == (3, 2, 1)


def test_what_waits_is_asked_for_together(conn, event, sponsor):
    make_leads(conn, event, sponsor, [0])
    queue(conn, sponsor, "salesforce", 0, ["lead_score"])
    queue(conn, sponsor, "salesforce", 0, ["contact_info", "contact_info"])
    job, = claim(conn)
    assert "Rating" in job.payload and job.payload["LastName"] == "1" and "Convene_Booth_Visits__c" not in job.payload


def test_a_thousand_leads_are_queued_in_one_go(conn, sponsor, event):
    add_people(conn, event, 6000)
    conn.execute("UPDATE convene.attendees SET sponsor_consent = true WHERE event_id = %s", [event.id])
    conn.execute("INSERT INTO convene.lead_scoring (event_id, sponsor_id, attendee_id, lead_score)"
                 " SELECT event_id, %s, id, 50 FROM convene.attendees WHERE event_id = %s", [sponsor.id, event.id])
    assert queue(conn, sponsor)["queued"] == 6006
    assert queue(conn, sponsor)["queued"] == 0
    assert statuses(conn) == {"pending": 6006}


def test_a_listener_hears_of_it_once(conn, event, sponsor, fresh_db):
    make_leads(conn, event, sponsor, range(3))
    with fresh_db.second() as listener:
        listener.execute("LISTEN convene_crm_sync_queue")
        queue(conn, sponsor)
        queue(conn, sponsor)
        assert heard(listener, conn, "convene_crm_sync_queue") == ["3"]


# Claiming ----------------------------------------------------------------------------------------------------------

BODIES = {
    "salesforce": {
        "FirstName": "Ada", "LastName": "Lovelace", "Company": "Engines Ltd", "Email": "ada@example.org", "Title": "Analyst",
        "LeadSource": "Event", "Rating": "Hot", "Convene_Event__c": "Event alpha", "Convene_Lead_Score__c": 87,
        "Convene_Lead_Grade__c": "A", "Convene_Booth_Visits__c": 3, "Convene_Content_Downloads__c": 2,
        "Convene_Sessions_Attended__c": 1, "Convene_Messages__c": 4, "Convene_Meeting_Requested__c": True,
        "Convene_Interactions__c": 11, "Convene_Last_Interaction__c": "2026-11-15T16:30:00Z"},
    "hubspot": {"properties": {
        "firstname": "Ada", "lastname": "Lovelace", "company": "Engines Ltd", "email": "ada@example.org", "jobtitle": "Analyst",
        "lifecyclestage": "lead", "convene_lead_id": ..., "convene_event": "Event alpha", "convene_lead_score": "87",
        "convene_lead_grade": "A", "convene_booth_visits": "3", "convene_content_downloads": "2", "convene_sessions_attended": "1",
        "convene_messages": "4", "convene_meeting_requested": "true", "convene_interactions": "11",
        "convene_last_interaction": "2026-11-15T16:30:00Z"}},
    "pipedrive": {
        "person": {"name": "Ada Lovelace", "emails": [{"value": "ada@example.org", "primary": True, "label": "work"}],
                   "custom_fields": {"convene_lead_id": ..., "convene_job_title": "Analyst", "convene_company": "Engines Ltd"}},
        "lead": {"title": "Ada Lovelace, Event alpha", "custom_fields": {
            "convene_lead_id": ..., "convene_event": "Event alpha", "convene_lead_score": 87, "convene_lead_grade": "A",
            "convene_booth_visits": 3, "convene_content_downloads": 2, "convene_sessions_attended": 1, "convene_messages": 4,
            "convene_meeting_requested": True, "convene_interactions": 11, "convene_last_interaction": "2026-11-15T16:30:00Z"}}},
}


def with_id(body, lead_id):
    if isinstance(body, dict):
        return {key: str(lead_id) if value is ... else with_id(value, lead_id) for key, value in body.items()}
    return body


@pytest.mark.parametrize("crm", BODIES)
def test_a_claim_speaks_the_language_of_the_crm(conn, event, sponsor, crm):
    conn.execute("UPDATE convene.attendees SET full_name = 'Ada Lovelace', email = 'ada@example.org', job_title = 'Analyst',"
                 " company_name = 'Engines Ltd' WHERE id = %s", [event.people[0].id])
    made, = make_leads(conn, event, sponsor, [0], score=87, booth_visits=3, content_downloads=2, session_attendance=1,
                       messages_exchanged=4, meeting_requested=True, interaction_count=11,
                       last_interaction_at="2026-11-15 17:30+01")
    queue(conn, sponsor, crm)
    before = conn.execute("SELECT clock_timestamp()").fetchone()[0]
    job, = claim(conn, 10, "90 seconds")
    after = conn.execute("SELECT clock_timestamp()").fetchone()[0]
    assert (job.lead_id, job.sponsor_id, job.crm_type, job.operation, job.crm_lead_id, job.attempts) == (
        made, sponsor.id, crm, "create", None, 1)
    assert job.payload == with_id(BODIES[crm], made)
    assert before <= job.lease_until - timedelta(seconds=90) <= after
    assert rows(conn, "id", "status", "lease_token", "lease_until", "idempotency_key") == [
        (job.job_id, "leased", job.lease_token, job.lease_until, job.idempotency_key)]
    assert claim(conn) == []


def test_an_attendee_is_named_by_the_profile_where_the_registration_is_silent(conn, event, sponsor):
    person = event.people[0]
    conn.execute("UPDATE convene.attendees SET full_name = NULL, email = NULL WHERE id = %s", [person.id])
    conn.execute("UPDATE convene.profiles SET full_name = 'Pro File', email = 'pro@file.example' WHERE id = %s", [person.sub])
    make_leads(conn, event, sponsor, [0])
    queue(conn, sponsor)
    assert claim(conn)[0].payload["properties"]["email"] == "pro@file.example"


def test_a_lead_is_sent_as_it_is_when_it_is_claimed(conn, event, sponsor):
    made, = make_leads(conn, event, sponsor, [0])
    queue(conn, sponsor)
    queued = rows(conn, "idempotency_key")
    rescore(conn, made, 91)
    job, = claim(conn)
    assert job.payload["properties"]["convene_lead_score"] == "91"
    assert rows(conn, "idempotency_key") == [(job.idempotency_key,)] != queued


def test_a_worker_may_take_one_crm_only(conn, event, sponsor):
    make_leads(conn, event, sponsor, [0, 1])
    for crm in ("hubspot", "salesforce"):
        queue(conn, sponsor, crm)
    assert {job.crm_type for job in claim(conn, 10, "1 minute", "salesforce")} == {"salesforce"}
    assert claim(conn, 10, "1 minute", "pipedrive") == []
    assert len(claim(conn)) == 2


def test_who_took_consent_back_is_cancelled_and_not_handed_out(conn, event, sponsor):
    """Before the claim, between two attempts, and while another lead of the same claim is fine."""
    gone, kept, late = make_leads(conn, event, sponsor, range(3))
    queue(conn, sponsor)
    conn.execute(CONSENT, [False, event.people[0].id])
    jobs = claim(conn)
    assert {job.lead_id for job in jobs} == {kept, late}
    (status, error), = rows(conn, "status", "last_error", where=f"lead_id = '{gone}'")
    assert status == "cancelled" and "share" in error
    for job in jobs:
        fail(conn, job)
    conn.execute(CONSENT, [False, event.people[2].id])
    due(conn)
    assert [job.lead_id for job in claim(conn)] == [kept]
    assert statuses(conn) == {"cancelled": 2, "leased": 1}
    # They agree again, and the sponsor asks again: the same row, once.
    conn.execute(CONSENT, [True, event.people[0].id])
    assert queue(conn, sponsor)["queued"] == 1
    assert [job.lead_id for job in claim(conn)] == [gone]
    assert len(rows(conn, "id", where=f"lead_id = '{gone}'")) == 1


def test_a_withdrawal_committed_before_the_claim_counts(fresh_db, conn, event, sponsor):
    """A claim in a transaction that began before the withdrawal sees it all the same."""
    make_leads(conn, event, sponsor, [0])
    queue(conn, sponsor)
    with fresh_db.second(autocommit=False) as worker:
        worker.execute("SELECT 1")
        conn.execute(CONSENT, [False, event.people[0].id])
        assert claim(worker) == []
        worker.commit()
    assert statuses(conn) == {"cancelled": 1}


@pytest.mark.parametrize("what", ["lead", "attendee", "sponsor", "event"])
def test_what_is_gone_is_cancelled(conn, event, sponsor, what):
    made, = make_leads(conn, event, sponsor, [0])
    queue(conn, sponsor)
    conn.execute({"lead": "DELETE FROM convene.lead_scoring WHERE id = %s", "attendee": "DELETE FROM convene.attendees WHERE id = %s",
                  "sponsor": "DELETE FROM convene.sponsors WHERE id = %s", "event": "DELETE FROM convene.events WHERE id = %s"}[what],
                 [{"lead": made, "attendee": event.people[0].id, "sponsor": sponsor.id, "event": event.id}[what]])
    assert claim(conn) == [] and statuses(conn) == {"cancelled": 1}


def test_rows_written_by_hand_are_well_too(conn, event, sponsor):
    made, = make_leads(conn, event, sponsor, [0])
    add = "INSERT INTO convene.crm_sync_queue (lead_id, sponsor_id, crm_type, payload) VALUES (%s, %s, %s, %s::jsonb)"
    for crm, payload in (("hubspot", "{}"), ("salesforce", '{"sync_fields": ["nonsense", 7]}'), ("pipedrive", '{"sync_fields": "x"}')):
        conn.execute(add, [made, sponsor.id, crm, payload])
    assert len(claim(conn)) == 3
    conn.execute(add, [sponsor.id, sponsor.id, "hubspot", "{}"])
    assert claim(conn) == []


# Completing --------------------------------------------------------------------------------------------------------


def test_completing_notes_the_id_once(conn, event, sponsor):
    made, = make_leads(conn, event, sponsor, [0])
    queue(conn, sponsor)
    job, = claim(conn)
    told = complete(conn, job, "501")
    assert told == {"lead_id": str(made), "crm_type": "hubspot", "crm_lead_id": "501", "status": "done"}
    assert lead(conn, made, "crm_sync_status", "crm_lead_id") == ("synced", "501")
    # Twice is as good as once, and what comes second is not taken.
    assert complete(conn, job, "999") == told
    assert lead(conn, made, "crm_lead_id") == ("501",)
    expect_error(conn, "55000", FAIL, [job.job_id, "late", job.lease_token, None], message="done")
    assert statuses(conn) == {"done": 1}


def test_an_unchanged_lead_is_left_alone_and_a_changed_one_is_updated(conn, event, sponsor):
    made, other = make_leads(conn, event, sponsor, range(2))
    queue(conn, sponsor, "salesforce")
    first = {job.lead_id: job for job in claim(conn)}
    for at, job in enumerate(first.values()):
        complete(conn, job, f"00Q{at}")
    told = queue(conn, sponsor, "salesforce")
    assert (told["queued"], told["unchanged"]) == (0, 2) and statuses(conn) == {"done": 2}
    rescore(conn, made, 71)
    told = queue(conn, sponsor, "salesforce")
    assert (told["queued"], told["updates"], told["unchanged"]) == (1, 1, 1)
    assert lead(conn, made, "crm_sync_status") == ("pending",) and lead(conn, other, "crm_sync_status") == ("synced",)
    job, = claim(conn)
    known = lead(conn, made, "crm_lead_id")[0]
    assert (job.lead_id, job.operation, job.crm_lead_id) == (made, "update", known)
    assert job.idempotency_key != first[made].idempotency_key
    # What the CRM may know better is not written over with words for 'unknown'.
    assert "LeadSource" not in job.payload and "Company" not in job.payload
    complete(conn, job, known)
    # Back to what it was is a change again, with a key of its own.
    rescore(conn, made, 70)
    assert queue(conn, sponsor, "salesforce")["updates"] == 1
    again, = claim(conn)
    assert len({again.idempotency_key, job.idempotency_key, first[made].idempotency_key}) == 3
    # The other fields of a lead count, too.
    complete(conn, again, known)
    conn.execute("UPDATE convene.attendees SET job_title = 'Chief' WHERE id = %s", [event.people[1].id])
    assert queue(conn, sponsor, "salesforce", 0, ["lead_score"])["queued"] == 2  # other fields than last time
    for job in claim(conn):
        assert "Title" not in job.payload


def test_each_crm_has_its_own_id(conn, event, sponsor):
    made, = make_leads(conn, event, sponsor, [0])
    ids = {"salesforce": "00Q1", "hubspot": "501", "pipedrive": "adf21080-0e10-11eb-879b-05d71fb426ec"}
    for crm in ids:
        queue(conn, sponsor, crm)
    assert lead(conn, made, "crm_sync_status") == ("pending",)
    jobs = claim(conn)
    for done, job in enumerate(jobs, 1):
        complete(conn, job, ids[job.crm_type])
        assert lead(conn, made, "crm_sync_status") == ("synced" if done == 3 else "pending",)
    rescore(conn, made, 99)
    for crm in ids:
        queue(conn, sponsor, crm)
    assert {job.crm_type: job.crm_lead_id for job in claim(conn)} == ids


def test_an_id_that_was_imported_makes_it_an_update(conn, event, sponsor):
    made, = make_leads(conn, event, sponsor, [0])
    conn.execute("UPDATE convene.lead_scoring SET crm_lead_id = '77' WHERE id = %s", [made])
    queue(conn, sponsor)
    job, = claim(conn)
    assert (job.operation, job.crm_lead_id) == ("update", "77")
    complete(conn, job, "77")
    # What HubSpot calls it says nothing to Salesforce.
    queue(conn, sponsor, "salesforce")
    job, = claim(conn)
    assert (job.operation, job.crm_lead_id) == ("create", None)


def test_a_change_while_a_worker_has_the_lead_is_sent_after_it(fresh_db, conn, event, sponsor):
    made, = make_leads(conn, event, sponsor, [0])
    queue(conn, sponsor)
    job, = claim(conn)
    # The same as in hand: nothing. Something else: one row more, however often.
    assert queue(conn, sponsor)["queued"] == 0
    rescore(conn, made, 90)
    assert [queue(conn, sponsor)["queued"] for _ in range(3)] == [1, 0, 0]
    assert statuses(conn) == {"leased": 1, "pending": 1}
    # Nobody gets it while the first is in hand, nor when its lease has run out: then the first is handed on.
    assert claim(conn) == []
    lapse(conn)
    second, = claim(conn)
    assert second.job_id == job.job_id and second.payload["properties"]["convene_lead_score"] == "90"
    assert claim(conn) == []
    expect_error(conn, "55000", COMPLETE, [job.job_id, "1", job.lease_token])
    complete(conn, second, "501")
    assert lead(conn, made, "crm_sync_status", "crm_lead_id") == ("pending", "501")
    third, = claim(conn)
    assert (third.operation, third.crm_lead_id) == ("update", "501")
    complete(conn, third, "501")
    assert lead(conn, made, "crm_sync_status") == ("synced",) and statuses(conn) == {"done": 2}


def test_a_failed_job_and_what_was_queued_meanwhile_become_one(conn, event, sponsor):
    made, = make_leads(conn, event, sponsor, [0])
    queue(conn, sponsor)
    job, = claim(conn)
    rescore(conn, made, 90)
    queue(conn, sponsor)
    fail(conn, job)
    due(conn)
    one, = claim(conn)
    assert one.payload["properties"]["convene_lead_score"] == "90"
    assert statuses(conn) == {"leased": 1, "cancelled": 1} and claim(conn) == []
    complete(conn, one, "501")
    assert queue(conn, sponsor)["unchanged"] == 1
    assert statuses(conn) == {"done": 1, "cancelled": 1}
