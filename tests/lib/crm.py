"""Sponsors with leads, and the queue that takes those to a CRM.

    sponsor = make_sponsor(conn, event, "acme")
    leads = make_leads(conn, event, sponsor, range(3))      # of people 0 to 2, who consent
"""

from dataclasses import dataclass

from psycopg.rows import namedtuple_row

from .factory import ident

QUEUE = "SELECT convene.queue_crm_sync(%s, %s, %s, %s)"
CLAIM = "SELECT * FROM convene.claim_crm_sync(%s, %s::interval, %s)"
COMPLETE = "SELECT convene.complete_crm_sync(%s, %s, %s)"
FAIL = "SELECT convene.fail_crm_sync(%s, %s, %s, %s::interval)"
GROUPS = ["contact_info", "engagement_history", "lead_score"]


@dataclass
class Sponsor:
    """A sponsor of an event, with the subject of its person's token."""

    id: object
    sub: object


def make_sponsor(conn, event, name, sub=None):
    """A sponsor of the event; `sub` is the profile of its person, else one is made."""
    made = Sponsor(ident(event.label, "sponsor", name), sub or ident(event.label, "sponsor's person", name))
    if sub is None:
        conn.execute("INSERT INTO convene.profiles (id) VALUES (%s)", [made.sub])
    conn.execute("INSERT INTO convene.sponsors (id, event_id, company_name, profile_id) VALUES (%s, %s, %s, %s)",
                 [made.id, event.id, name, made.sub])
    return made


def make_leads(conn, event, sponsor, people, score=70, consent=True, **counters):
    """Leads of the people with these numbers; returns their ids in the same order."""
    columns = {"lead_score": score, "booth_visits": 2, "interaction_count": 5, **counters}
    made = []
    for person in people:
        who = event.people[person]
        conn.execute("UPDATE convene.attendees SET sponsor_consent = %s WHERE id = %s", [consent, who.id])
        made.append(conn.execute(
            f"INSERT INTO convene.lead_scoring (event_id, sponsor_id, attendee_id, {', '.join(columns)})"
            f" VALUES (%s, %s, %s, {', '.join(['%s'] * len(columns))}) RETURNING id",
            [event.id, sponsor.id, who.id, *columns.values()]).fetchone()[0])
    return made


def queue(conn, sponsor, crm="hubspot", score=0, fields=GROUPS):
    return conn.execute(QUEUE, [sponsor.id, crm, score, list(fields)]).fetchone()[0]


def claim(conn, limit=10, lease="5 minutes", crm=None):
    """The claimed jobs, each with the columns of the claim as attributes."""
    with conn.cursor(row_factory=namedtuple_row) as cursor:
        return cursor.execute(CLAIM, [limit, lease, crm]).fetchall()


def complete(conn, job, crm_lead_id):
    return conn.execute(COMPLETE, [job.job_id, crm_lead_id, job.lease_token]).fetchone()[0]


def fail(conn, job, error="no", retry_after=None):
    return conn.execute(FAIL, [job.job_id, error, job.lease_token, retry_after]).fetchone()[0]


def statuses(conn):
    return dict(conn.execute("SELECT status, count(*) FROM convene.crm_sync_queue GROUP BY status").fetchall())


def rows(conn, *columns, where="true"):
    return conn.execute(f"SELECT {', '.join(columns)} FROM convene.crm_sync_queue WHERE {where} ORDER BY queued_at, id").fetchall()


def lead(conn, lead_id, *columns):
    return conn.execute(f"SELECT {', '.join(columns)} FROM convene.lead_scoring WHERE id = %s", [lead_id]).fetchone()


def rescore(conn, lead_id, score):
    """Another score for a lead."""
    conn.execute("UPDATE convene.lead_scoring SET lead_score = %s WHERE id = %s", [score, lead_id])


def lapse(conn):
    """Every lease runs out."""
    conn.execute("UPDATE convene.crm_sync_queue SET lease_until = now() - '1 s'::interval WHERE status = 'leased'")


def due(conn):
    """Nothing waits any longer."""
    conn.execute("UPDATE convene.crm_sync_queue SET available_at = now() WHERE status = 'pending'")
