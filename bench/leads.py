"""Lead scores against the plain UPDATE, in one run on the same tables; the first page of a list; two hundred reporters.

    leads.py [batch|page|record]... [divisor of the sizes]
"""

import statistics
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))

from parts import run_parts  # noqa: E402

EVENT = "md5('event')::uuid"
SPONSORS = 100
# Rows as a load has them: nothing scored yet. Triggers would only look up what is known here.
SETUP = """
INSERT INTO convene.events (id, title, status) VALUES ({event}, 'Event', 'published');
INSERT INTO convene.sponsors (id, event_id, company_name) SELECT md5('sponsor ' || i)::uuid, {event}, 'Sponsor ' || i FROM generate_series(1, {sponsors}) i;
SET session_replication_role = replica;
INSERT INTO convene.attendees (id, event_id, organization_id, full_name, job_title, sponsor_consent)
SELECT md5('attendee ' || i)::uuid, e.id, e.organization_id, 'Attendee ' || i, (ARRAY['Director', 'Analyst', 'Clerk'])[1 + i % 3], true
  FROM convene.events e, generate_series(1, {people}) i;
INSERT INTO convene.lead_scoring (id, event_id, organization_id, sponsor_id, attendee_id, lead_score, booth_visits, content_downloads, session_attendance,
                                  messages_exchanged, meeting_requested, interaction_count, first_interaction_at, consented)
SELECT md5('lead ' || i)::uuid, e.id, e.organization_id, md5('sponsor ' || (1 + i % {sponsors}))::uuid, md5('attendee ' || (1 + i / {sponsors}))::uuid, 0,
       h % 5, (h / 7) % 6, (h / 11) % 4, (h / 13) % 8, (h / 17) % 5 = 0, 1 + (h / 19) % 20, now() - interval '1 day', true
  FROM convene.events e, (SELECT i, hashtext('x' || i) & 1073741823 AS h FROM generate_series(0, {leads} - 1) i) drawn;
SET session_replication_role = origin;
"""


def made(cluster, name, leads, sponsors=SPONSORS):
    """A database with so many leads of one event, none of them scored."""
    started = time.monotonic()
    db = cluster.create_database(name)
    with db.connect() as conn:
        conn.execute("CREATE EXTENSION convene CASCADE")
        conn.execute("SELECT convene.install()")
        conn.execute((HERE / "baseline" / "leads.sql").read_text())
        conn.execute(SETUP.format(event=EVENT, sponsors=sponsors, people=leads // sponsors + 1, leads=leads))
        conn.execute("VACUUM ANALYZE")
    print(f"# loaded {leads:,} leads of {sponsors} sponsors: {time.monotonic() - started:.0f} s", flush=True)
    return db


def processor_seconds(conn):
    """Time of the processor that the connection's server process has had; the machine is shared, so the clock says less."""
    fields = Path(f"/proc/{conn.info.backend_pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def timed(db, statement):
    """Seconds by the clock and of the processor, and the answer, of a statement in a session of its own."""
    with db.connect() as conn:
        conn.execute("CHECKPOINT")
        conn.execute("SELECT convene.lead_intent_score(1)")
        before, started = processor_seconds(conn), time.monotonic()
        answer = conn.execute(statement).fetchone()[0]
        return time.monotonic() - started, processor_seconds(conn) - before, answer


def row(what, leads, took, plain=None):
    clock, processor, _ = took
    ratio = f"{plain[1] / processor:>9.2f}x {plain[0] / clock:>9.2f}x" if plain else ""
    print(f"{what:<44}{processor:>9.2f} s {processor / leads * 1e6:>8.2f} us {clock:>9.2f} s {ratio}", flush=True)


def warmed(db):
    """A copy, its table and indexes in memory: neither side pays for having been copied."""
    with db.connect() as conn:
        conn.execute("CREATE EXTENSION pg_prewarm")
        conn.execute("SELECT sum(pg_prewarm(indexrelid)) FROM pg_index WHERE indrelid = 'convene.lead_scoring'::regclass")
        conn.execute("SELECT pg_prewarm('convene.lead_scoring')")
    return db


def batch(cluster, divisor):
    leads = 1_000_000 // divisor
    made(cluster, "loaded", leads)
    db, ours = (warmed(cluster.create_database(name, "loaded")) for name in ("plain", "ours"))
    print(f"{f'{leads:,} leads':<44}{'processor':>11} {'per lead':>11} {'clock':>11} {'ratio':>10} {'by clock':>10}")
    score = f"SELECT convene.score_event_leads({EVENT})"
    plain = timed(db, f"SELECT baseline.score_all({EVENT})")
    row("one plain UPDATE", leads, plain)
    full = timed(ours, score)
    assert full[2]["changed"] == leads, full
    row("score_event_leads, all changed", leads, full, plain)
    with ours.connect() as conn:
        wrong = conn.execute("SELECT count(*) FROM convene.lead_scoring WHERE lead_score <> engagement_score + 30 + intent_score").fetchone()
        assert wrong == (0,)
        conn.execute("VACUUM ANALYZE convene.lead_scoring")
        touched = conn.execute("UPDATE convene.lead_scoring SET interaction_count = interaction_count + 100, lead_score = 0"
                               " WHERE hashtext(id::text) % 100 = 0").rowcount
    some = timed(ours, score)
    assert some[2]["changed"] == touched, (some, touched)
    row(f"score_event_leads, {touched:,} changed", leads, some, full)
    row("score_event_leads, nothing changed", leads, timed(ours, score), full)
    with ours.connect() as conn:
        conn.execute("INSERT INTO convene.sponsor_profiles (sponsor_id, ideal_customer) SELECT md5('sponsor ' || i)::uuid,"
                     " '{\"roles\": [\"analyst\"], \"seniority\": [\"director\"]}' FROM generate_series(1, 10) i")
    mine = leads * 10 // SPONSORS
    described = timed(ours, score)
    row(f"ten sponsors describe a customer, {described[2]['changed']:,} changed", mine, described)


def page(cluster, divisor):
    leads = 100_000 // divisor
    db = made(cluster, "page", leads, sponsors=1)
    with db.connect() as conn:
        conn.execute(f"SELECT convene.score_event_leads({EVENT})")
        conn.execute("VACUUM ANALYZE convene.lead_scoring")
        for what, arguments in (("first page of 50", ""), ("first page of 10", ", p_limit => 10"), ("from a score of 60 on", ", p_min_score => 60")):
            times, before = [], processor_seconds(conn)
            for _ in range(500):
                started = time.perf_counter()
                conn.execute(f"SELECT * FROM convene.get_sponsor_leads(md5('sponsor 1')::uuid{arguments})")
                times.append((time.perf_counter() - started) * 1000)
            print(f"{leads:,} leads of one sponsor, {what}: median {statistics.median(times):.2f} ms, best {min(times):.2f} ms,"
                  f" processor {(processor_seconds(conn) - before) * 2:.2f} ms   wanted under 5 ms", flush=True)


def record(cluster, divisor):
    """Two hundred sessions that report contacts with the same ten attendees."""
    db = made(cluster, "record", 1000 // divisor, sponsors=1)
    sessions, each, failures = 200, 50, []

    def report(number):
        try:
            with db.connect() as conn:
                for turn in range(each):
                    conn.execute("SELECT convene.record_lead_interaction(md5('sponsor 1')::uuid, md5('attendee ' || %s)::uuid, 'message', p_external_id => %s)",
                                 [str(1 + (number + turn) % 10), f"{number}/{turn}"])
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a failure to report
            failures.append(error)

    threads = [threading.Thread(target=report, args=[number]) for number in range(sessions)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.monotonic() - started
    with db.connect() as conn:
        noted = conn.execute("SELECT count(*) FROM convene.lead_interactions").fetchone()[0]
    print(f"{sessions} sessions on ten leads: {noted:,} contacts in {took:.1f} s, {noted / took:,.0f} a second, {len(failures)} failures", flush=True)


PARTS = {"batch": batch, "page": page, "record": record}

if __name__ == "__main__":
    run_parts(PARTS, "bench-leads", sized=True, shared_buffers="3GB", max_wal_size="8GB", max_connections=240)
