"""The worker of examples/crm-worker against stand-ins of the three CRMs, as a process of its own over real HTTP: each lead arrives
once, whatever fails, and nothing is lost when the worker is killed."""

import importlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from types import SimpleNamespace

import pytest

from lib.cluster import ROOT
from lib.crm import claim, due, lapse, make_leads, make_sponsor, queue, rows, statuses
from lib.crm_standin import FAULTS, PERSON_FIELDS, TOKEN, StandIn, key_of
from lib.factory import add_people, make_event

pytestmark = pytest.mark.clients
FOLDER = ROOT / "examples" / "crm-worker"
CRMS = ["salesforce", "hubspot", "pipedrive"]


@pytest.fixture
def conn(fresh_db):
    connection = fresh_db.connect()
    connection.execute("SELECT convene.adopt_copy()")
    # Tests have no time; that waits get longer is tested elsewhere.
    connection.execute("UPDATE convene.settings SET value = '0.2' WHERE key = 'queue.backoff_base_seconds'")
    connection.execute("UPDATE convene.settings SET value = '0.5' WHERE key = 'queue.backoff_cap_seconds'")
    connection.execute("UPDATE convene.settings SET value = '1000' WHERE key = 'queue.max_attempts'")
    yield connection
    connection.close()


@pytest.fixture
def crm():
    with StandIn() as standin:
        yield standin


@pytest.fixture
def world(conn):
    event = make_event(conn, "alpha", sessions=1, attendees=4)
    return SimpleNamespace(event=event, sponsor=make_sponsor(conn, event, "acme"))


class Worker:
    """Starts the worker as a process."""

    def __init__(self, database, crm, folder):
        self.folder, self.count = folder, 0
        account = {"url": crm.url, "token_env": "CRM_TOKEN"}
        self.config = folder / "config.json"
        self.config.write_text(json.dumps({"*": {name: account for name in CRMS}}))
        self.environment = {**os.environ, "CRM_TOKEN": TOKEN}
        self.dsn = f"host={database.cluster.host} port=5432 user=postgres dbname={database.name}"

    def start(self, *arguments, lease=4):
        self.count += 1
        command = [sys.executable, str(FOLDER / "worker.py"), "--dsn", self.dsn, "--config", str(self.config), "--timeout", "0.5",
                   "--lease", str(lease), "--idle", "0.2", *arguments]
        with open(self.folder / f"{self.count}.log", "w") as log:
            return subprocess.Popen(command, env=self.environment, stderr=log)

    def drain(self, *arguments, seconds=120, **options):
        """Runs it until the queue is empty."""
        process = self.start("--until-empty", *arguments, **options)
        try:
            assert process.wait(seconds) == 0, self.log()
        finally:
            process.kill()

    def log(self):
        return (self.folder / f"{self.count}.log").read_text()[-4000:]


@pytest.fixture
def worker(fresh_db, conn, crm, tmp_path):
    return Worker(fresh_db, crm, tmp_path)


def wait_for(condition):
    until = time.monotonic() + 60
    while not (met := condition()) and time.monotonic() < until:
        time.sleep(0.01)
    assert met


def queue_all(conn, sponsor, crms=CRMS):
    return {name: queue(conn, sponsor, name)["queued"] for name in crms}


def check_arrived(conn, crm, leads, crms=CRMS):
    """Every lead is in every CRM once, under the id that convene knows."""
    for name in crms:
        arrived = crm.arrived(name)
        assert Counter(lead for lead, _ in arrived) == Counter(map(str, leads)), name
        known = conn.execute("SELECT DISTINCT ON (lead_id) lead_id::text, result->>'crm_lead_id' FROM convene.crm_sync_queue"
                             " WHERE crm_type = %s AND status = 'done' ORDER BY lead_id, processed_at DESC", [name]).fetchall()
        assert dict(known) == dict(arrived), name
    assert len(crm.persons) == len(crm.deals)
    assert set(statuses(conn)) <= {"done", "cancelled"}
    assert conn.execute("SELECT DISTINCT crm_sync_status FROM convene.lead_scoring WHERE id = ANY (%s)", [leads]).fetchall() == [("synced",)]


def test_the_stand_ins_show_who_creates_twice(crm):
    """Else the tests below would prove nothing."""
    import urllib.request

    def post(path, body, **headers):
        request = urllib.request.Request(crm.url + path, json.dumps(body).encode(), headers, method="POST")
        try:
            return urllib.request.urlopen(request).status
        except urllib.error.HTTPError as error:
            return error.code

    mine = {"Authorization": f"Bearer {TOKEN}"}
    body = {"LastName": "x", "Company": "y", "Convene_Lead_Id__c": "L"}
    assert [post("/services/data/v62.0/sobjects/Lead", body, **mine) for _ in range(2)] == [201, 201]
    assert [lead for lead, _ in crm.arrived("salesforce")] == ["L", "L"]
    body = {"properties": {"email": "a@b.example"}}
    assert [post("/crm/v3/objects/contacts", body, **mine) for _ in range(2)] == [201, 409]
    assert [post("/api/v2/persons", {"name": "x"}, **{"x-api-token": TOKEN}) for _ in range(2)] == [201, 201]
    assert len(crm.persons) == 2
    assert post("/api/v2/persons", {"name": "x"}) == 401
    assert post("/crm/v3/objects/contacts", {"properties": {"jobTitle": "x"}}, **mine) == 400


def test_leads_arrive_as_they_are_and_changes_follow(conn, crm, world, worker):
    conn.execute("UPDATE convene.attendees SET full_name = 'Ada Lovelace', email = 'ada@example.org', company_name = 'Engines Ltd',"
                 " job_title = 'Analyst' WHERE id = %s", [world.event.people[0].id])
    leads = make_leads(conn, world.event, world.sponsor, range(4), score=87)
    assert set(queue_all(conn, world.sponsor).values()) == {4}
    worker.drain()
    check_arrived(conn, crm, leads)
    ada = str(leads[0])
    record, = [record for record in crm.leads.values() if record["Convene_Lead_Id__c"] == ada]
    assert {key: record[key] for key in ("FirstName", "LastName", "Email", "Company", "Title", "Rating", "Convene_Lead_Score__c")} == {
        "FirstName": "Ada", "LastName": "Lovelace", "Email": "ada@example.org", "Company": "Engines Ltd", "Title": "Analyst",
        "Rating": "Hot", "Convene_Lead_Score__c": 87}
    contact, = [record for record in crm.contacts.values() if record["convene_lead_id"] == ada]
    assert (contact["firstname"], contact["email"], contact["convene_lead_score"]) == ("Ada", "ada@example.org", "87")
    deal, = [record for record in crm.deals.values() if record["custom"][key_of("convene_lead_id", "deal")] == ada]
    person = crm.persons[deal["person_id"]]
    assert (person["name"], person["emails"][0]["value"]) == ("Ada Lovelace", "ada@example.org")
    assert person["custom"][key_of("convene_company", "person")] == "Engines Ltd" and deal["title"] == "Ada Lovelace, Event alpha"
    # Nothing changed: nothing is asked of the CRMs. One changed: it is updated where it is, also under another address.
    asked = len(crm.requests)
    assert set(queue_all(conn, world.sponsor).values()) == {0}
    worker.drain()
    assert len(crm.requests) == asked
    conn.execute("UPDATE convene.lead_scoring SET lead_score = 42 WHERE id = %s", [leads[0]])
    conn.execute("UPDATE convene.attendees SET email = 'ada@new.example' WHERE id = %s", [world.event.people[0].id])
    assert set(queue_all(conn, world.sponsor).values()) == {1}
    worker.drain()
    check_arrived(conn, crm, leads)
    assert record["Convene_Lead_Score__c"] == 42 and contact["email"] == "ada@new.example" and len(crm.contacts) == 4
    assert deal["custom"][key_of("convene_lead_score", "deal")] == 42 and person["emails"][0]["value"] == "ada@new.example"


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_once_at_every_request(conn, crm, world, worker, fault):
    """The first time that anything is asked, it fails in this way; also between the person and the lead of Pipedrive."""
    leads = make_leads(conn, world.event, world.sponsor, range(1))
    queue_all(conn, world.sponsor)
    seen = set()

    def once(request):
        if request in seen:
            return None
        seen.add(request)
        return fault

    crm.faults = once
    worker.drain()
    check_arrived(conn, crm, leads)
    assert len(seen) >= 8 and len(crm.persons) == 1


def test_a_storm_of_faults(conn, crm, world, worker):
    """Everything at once, with two workers and a CRM that restarts; each lead arrives once in each of three CRMs."""
    add_people(conn, world.event, 8)
    leads = make_leads(conn, world.event, world.sponsor, range(12))
    queue_all(conn, world.sponsor)
    draw, missing = random.Random(7), FAULTS.copy()

    def storm(request):
        """Each of them soon, whatever the number of requests; then at random, a limit seldom."""
        if missing and draw.random() < 0.3:
            return missing.pop()
        return draw.choice(FAULTS[:6]) if draw.random() < 0.25 else "limit" if draw.random() < 0.02 else None

    crm.faults = storm
    processes = [worker.start("--until-empty", "--limit", "4", lease=6) for _ in range(2)]
    time.sleep(2)
    crm.restart(down=1)
    for process in processes:
        assert process.wait(150) == 0, worker.log()
    check_arrived(conn, crm, leads)
    happened = Counter(fault for *_, fault in crm.requests)
    assert all(happened[fault] for fault in FAULTS), happened


def test_nothing_is_lost_when_the_worker_is_killed(conn, crm, world, worker):
    """kill -9 in the middle, again and again: what it had in hand is taken up when the lease is over, and found where it was done."""
    add_people(conn, world.event, 16)
    leads = make_leads(conn, world.event, world.sponsor, range(20))
    queue_all(conn, world.sponsor)
    draw, killed = random.Random(3), 0
    # Slow enough to be met in the middle of a request, at its beginning or after the work.
    crm.faults = lambda request: time.sleep(0.03)
    for _ in range(12):
        process = worker.start("--limit", "3")
        before = len(crm.requests)
        stop = time.monotonic() + 60
        while len(crm.requests) < before + draw.randint(1, 12) and time.monotonic() < stop:
            time.sleep(0.01)
        time.sleep(draw.random() * 0.06)
        process.send_signal(signal.SIGKILL)
        assert process.wait(10) == -signal.SIGKILL
        killed += statuses(conn).get("leased", 0) > 0
        lapse(conn)  # as time would
    assert killed >= 8
    worker.drain()
    check_arrived(conn, crm, leads)
    assert max(row[0] for row in rows(conn, "attempts")) >= 2


@pytest.mark.parametrize("name", CRMS)
def test_a_worker_killed_between_the_work_and_the_report(conn, crm, world, worker, name):
    """The worst moment for each CRM: the lead is there, and nobody in the database knows."""
    leads = make_leads(conn, world.event, world.sponsor, range(2))
    queue_all(conn, world.sponsor, [name])
    running = []

    def kill(request):
        if running and (request[1] == "/v1/leads" or "/sobjects/Lead/Convene" in request[1] or request[1].endswith("/upsert")):
            running.pop().send_signal(signal.SIGKILL)

    crm.faults = kill
    process = worker.start(lease=30)
    running.append(process)
    assert process.wait(60) == -signal.SIGKILL
    # The CRM goes on with what it was asked for.
    wait_for(lambda: crm.arrived(name))
    assert len(crm.arrived(name)) == 1 and statuses(conn) == {"leased": 2}
    lapse(conn)
    worker.drain()
    check_arrived(conn, crm, leads, [name])


@pytest.mark.parametrize("name", CRMS)
def test_a_crm_is_left_alone_for_as_long_as_it_asks(conn, crm, world, worker, name):
    leads = make_leads(conn, world.event, world.sponsor, range(4))
    queue_all(conn, world.sponsor, [name])
    conn.execute("UPDATE convene.settings SET value = '1' WHERE key = 'queue.max_attempts'")
    limits = iter(["limit"] * 3)
    crm.faults = lambda request: next(limits, None)
    worker.drain()
    # Three times a limit with one attempt allowed: a wait that was asked for is none.
    check_arrived(conn, crm, leads, [name])
    moments = [(moment, fault) for moment, *_, fault in crm.requests]
    for at, (moment, fault) in enumerate(moments):
        if fault == "limit":
            assert all(later - moment >= 0.99 for later, _ in moments[at + 1:])


def test_who_took_consent_back_never_arrives(conn, crm, world, worker):
    leads = make_leads(conn, world.event, world.sponsor, range(3))
    conn.execute("UPDATE convene.attendees SET full_name = 'Gone Person', email = 'gone@example.org' WHERE id = %s",
                 [world.event.people[1].id])
    queue_all(conn, world.sponsor)
    conn.execute("UPDATE convene.attendees SET sponsor_consent = false WHERE id = %s", [world.event.people[1].id])
    worker.drain()
    check_arrived(conn, crm, [leads[0], leads[2]])
    stored = json.dumps([crm.leads, crm.contacts, crm.persons, crm.deals])
    assert "Gone" not in stored and "gone@" not in stored and str(leads[1]) not in stored


def test_what_somebody_deleted_in_the_crm_is_made_again(conn, crm, world, worker):
    conn.execute("UPDATE convene.attendees SET full_name = 'Ada Lovelace', company_name = 'Engines Ltd' WHERE id = %s",
                 [world.event.people[0].id])
    leads = make_leads(conn, world.event, world.sponsor, range(1))
    queue_all(conn, world.sponsor)
    worker.drain()
    for records in (crm.leads, crm.contacts, crm.persons, crm.deals):
        records.clear()
    conn.execute("UPDATE convene.lead_scoring SET lead_score = 42")
    queue_all(conn, world.sponsor)
    worker.drain()
    check_arrived(conn, crm, leads)


def test_a_person_whom_the_sponsor_knows_is_not_doubled(conn, crm, world, worker):
    """Of the address, by hand, before convene came; and of a lead at another event."""
    mail = "person1@alpha.example"
    crm.contacts["77"] = {"email": mail, "firstname": "P."}
    crm.persons[78] = {"name": "P.", "emails": [{"value": mail, "primary": True}], "custom": {}}
    make_leads(conn, world.event, world.sponsor, range(1))
    beta = make_event(conn, "beta", sessions=1, attendees=1)
    conn.execute("UPDATE convene.attendees SET email = %s WHERE id = %s", [mail, beta.people[0].id])
    conn.execute("INSERT INTO convene.event_sponsorships (event_id, sponsor_id, status) VALUES (%s, %s, 'active')",
                 [beta.id, world.sponsor.id])
    make_leads(conn, beta, world.sponsor, range(1))
    queue_all(conn, world.sponsor)
    worker.drain()
    assert set(crm.contacts) == {"77"} and set(crm.persons) == {78}
    # Leads are two, where a CRM has leads.
    assert len(crm.leads) == len(crm.deals) == 2 and {deal["person_id"] for deal in crm.deals.values()} == {78}


def test_a_lead_without_an_address_arrives_once_too(conn, crm, world, worker):
    conn.execute("UPDATE convene.attendees SET email = NULL, full_name = NULL")
    conn.execute("UPDATE convene.profiles SET email = NULL, full_name = NULL")
    leads = make_leads(conn, world.event, world.sponsor, range(3))
    draw = random.Random(11)
    crm.faults = lambda request: draw.choice(["drop_after", "error_after", None, None, None, None])
    queue_all(conn, world.sponsor)
    worker.drain()
    check_arrived(conn, crm, leads)


def test_what_a_crm_refuses_is_parked_with_its_words(conn, crm, world, worker):
    leads = make_leads(conn, world.event, world.sponsor, range(2))
    conn.execute("UPDATE convene.settings SET value = '2' WHERE key = 'queue.max_attempts'")
    crm.contacts["9"] = {"email": "x@y.example", "convene_lead_id": str(leads[0])}
    crm.contacts["10"] = {"email": "person1@alpha.example"}
    queue_all(conn, world.sponsor, ["hubspot"])
    worker.drain()
    assert dict(rows(conn, "lead_id", "status")) == {leads[0]: "failed", leads[1]: "done"}
    error, = rows(conn, "last_error", where="status = 'failed'")
    assert "409" in error[0] and "Existing ID: 10" in error[0]
    assert dict(conn.execute("SELECT id, crm_sync_status FROM convene.lead_scoring").fetchall()) == {
        leads[0]: "failed", leads[1]: "synced"}


def test_a_mistake_in_the_configuration_parks_and_says_so(conn, crm, world, worker):
    make_leads(conn, world.event, world.sponsor, range(1))
    conn.execute("UPDATE convene.settings SET value = '1' WHERE key = 'queue.max_attempts'")
    accounts = {"hubspot": {"url": crm.url, "token_env": "WRONG_TOKEN"}}
    worker.config.write_text(json.dumps({str(world.sponsor.id): accounts}))
    worker.environment["WRONG_TOKEN"] = "wrong"
    queue_all(conn, world.sponsor, ["hubspot", "salesforce"])
    worker.drain()
    errors = dict(rows(conn, "crm_type", "last_error"))
    assert statuses(conn) == {"failed": 2}
    assert "401" in errors["hubspot"] and re.search(f"no account of salesforce .* {world.sponsor.id}", errors["salesforce"])


def test_custom_fields_that_are_not_there_are_named(conn, crm, world, worker, monkeypatch):
    make_leads(conn, world.event, world.sponsor, range(1))
    conn.execute("UPDATE convene.settings SET value = '1' WHERE key = 'queue.max_attempts'")
    monkeypatch.setattr("lib.crm_standin.PERSON_FIELDS", PERSON_FIELDS[1:])
    queue_all(conn, world.sponsor, ["pipedrive"])
    worker.drain()
    assert "convene_lead_id" in rows(conn, "last_error")[0][0] and crm.persons == crm.deals == {}


def test_a_worker_that_is_told_to_stop_gives_back_what_it_has(conn, crm, world, worker):
    leads = make_leads(conn, world.event, world.sponsor, range(4))
    queue_all(conn, world.sponsor, ["hubspot"])
    asked, told = threading.Event(), threading.Event()

    def hold(request):
        asked.set()
        told.wait(60)

    crm.faults = hold
    process = worker.start("--timeout", "120", lease=600)
    assert asked.wait(60)
    process.send_signal(signal.SIGTERM)
    told.set()
    assert process.wait(60) == 0
    left = statuses(conn)
    assert "leased" not in left and left["done"] >= 1 and left["pending"] >= 1
    assert {row[0] for row in rows(conn, "attempts", where="status = 'pending'")} == {0}
    crm.faults = lambda request: None
    worker.drain()
    check_arrived(conn, crm, leads, ["hubspot"])


def test_a_worker_lives_through_a_database_that_goes_away(conn, crm, world, worker):
    leads = make_leads(conn, world.event, world.sponsor, range(4))
    queue_all(conn, world.sponsor)
    crm.faults = lambda request: time.sleep(0.05)
    process = worker.start("--until-empty", lease=6)
    for _ in range(4):
        time.sleep(0.4)
        conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'convene crm-worker'")
    assert process.wait(60) == 0, worker.log()
    check_arrived(conn, crm, leads)


def test_the_service_role_is_enough_for_a_worker(fresh_db, conn, crm, world, worker):
    leads = make_leads(conn, world.event, world.sponsor, range(2))
    queue_all(conn, world.sponsor)
    with fresh_db.cluster.connect() as admin:
        admin.execute("DROP ROLE IF EXISTS crm_worker")
        admin.execute("CREATE ROLE crm_worker LOGIN BYPASSRLS IN ROLE service_role")
    worker.dsn = worker.dsn.replace("user=postgres", "user=crm_worker")
    try:
        worker.drain()
        check_arrived(conn, crm, leads)
    finally:
        with fresh_db.cluster.connect() as admin:
            admin.execute("DROP ROLE crm_worker")


def test_a_job_that_another_worker_has_by_now_is_let_go(conn, crm, world, worker):
    """The lease is lost while the CRM thinks; the report is refused, and the other's counts."""
    leads = make_leads(conn, world.event, world.sponsor, range(1))
    queue_all(conn, world.sponsor, ["salesforce"])
    other = []

    def steal(request):
        if not other:
            lapse(conn)
            other.extend(claim(conn))

    crm.faults = steal
    process = worker.start(lease=30)
    wait_for(lambda: crm.arrived("salesforce"))
    time.sleep(0.5)
    assert statuses(conn) == {"leased": 1}
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0 and "not ours any more" in worker.log()
    lapse(conn)
    due(conn)
    worker.drain()
    check_arrived(conn, crm, leads, ["salesforce"])


# What a CRM may say ------------------------------------------------------------------------------------------------


@pytest.fixture
def program(monkeypatch):
    """The worker's modules."""
    monkeypatch.syspath_prepend(str(FOLDER))
    loaded = SimpleNamespace(worker=importlib.import_module("worker"), api=importlib.import_module("api"))
    yield loaded
    for name in ("worker", "adapters", "api"):
        sys.modules.pop(name)


@pytest.mark.parametrize("answer", ["", " ", "a\0b", "\ud800", "x" * 256])
def test_what_is_no_id_is_a_failure_and_not_the_end_of_the_worker(program, conn, world, answer):
    make_leads(conn, world.event, world.sponsor, [0])
    queue(conn, world.sponsor)
    job, = claim(conn, 1)
    made = program.worker.Worker.__new__(program.worker.Worker)
    made.paused, made.stopping, made.connection = {}, False, conn
    adapter = type("Says", (), {"api": SimpleNamespace(), "deliver": lambda self, job: answer})()
    made.accounts = SimpleNamespace(adapter=lambda *_: adapter)
    made.work(job, 0)
    assert rows(conn, "status", "last_error LIKE '% has no id%'") == [("pending", True)]


@pytest.mark.parametrize("wish, seconds", [("nan", 30), ("-5", 0), ("inf", 86400), ("soon", 30), (None, 30), ("7", 7)])
def test_how_long_a_crm_wants_to_be_left_alone(program, wish, seconds):
    assert program.api.retry_after(wish) == seconds
