"""Sponsors with people of their own, badges, and the score of a lead as a slow reference has it."""

from lib.factory import ident

RECORD = "SELECT convene.record_lead_interaction(%s, %s, %s, p_external_id => %s)"


def add_sponsors(conn, event, names=("first", "second"), **columns):
    """Sponsors of the event, each with a person who signs in: event.sponsors[name] is (id, sub)."""
    event.sponsors = getattr(event, "sponsors", {})
    for name in names:
        sponsor, sub = ident(event.label, "sponsor", name), ident(event.label, "sponsor's person", name)
        event.sponsors[name] = (sponsor, sub)
        conn.execute("INSERT INTO convene.profiles (id) VALUES (%s)", [sub])
        given = {"id": sponsor, "event_id": event.id, "company_name": f"Company {name}", "profile_id": sub, **columns}
        conn.execute(f"INSERT INTO convene.sponsors ({', '.join(given)}) VALUES ({', '.join(['%s'] * len(given))})", list(given.values()))


def add_badges(conn, event):
    """A ticket for everybody: event.badges are the codes, by the number of the person."""
    kind = conn.execute("INSERT INTO convene.ticket_types (event_id, name, price) VALUES (%s, 'Pass', 0) RETURNING id", [event.id]).fetchone()[0]
    event.badges = []
    for person in event.people:
        event.badges.append(conn.execute(
            "INSERT INTO convene.tickets (event_id, ticket_type_id, attendee_id) VALUES (%s, %s, %s) RETURNING qr_token",
            [event.id, kind, person.id]).fetchone()[0])


def agree(conn, event, *people, yes=True):
    """Consent to all sponsors, given or withdrawn by the attendees of these numbers."""
    conn.execute("UPDATE convene.attendees SET sponsor_consent = %s WHERE id = ANY (%s)", [yes, [event.people[p].id for p in people]])


def record(conn, event, name, person, kind="booth_visit", external=None):
    """A contact, as the service reports it."""
    return conn.execute(RECORD, [event.sponsors[name][0], event.people[person].id, kind, external]).fetchone()[0]


def make_lead(conn, event, name, person, **columns):
    """A lead as an import writes it; returns its id."""
    given = {"event_id": event.id, "sponsor_id": event.sponsors[name][0], "attendee_id": event.people[person].id, "lead_score": 0, **columns}
    return conn.execute(f"INSERT INTO convene.lead_scoring ({', '.join(given)}) VALUES ({', '.join(['%s'] * len(given))}) RETURNING id",
                        list(given.values())).fetchone()[0]


def describe(conn, event, name, ideal, audience="{}"):
    """Whom a sponsor wants to meet."""
    conn.execute("INSERT INTO convene.sponsor_profiles (sponsor_id, ideal_customer, target_audience) VALUES (%s, %s, %s)"
                 " ON CONFLICT (sponsor_id) DO UPDATE SET ideal_customer = excluded.ideal_customer, target_audience = excluded.target_audience",
                 [event.sponsors[name][0], ideal, audience])


def expected(visits=0, downloads=0, sessions=0, messages=0, meeting=False, interactions=0, fit=30):
    """Engagement, fit, intent and score by the document's formula; nothing at all without any contact."""
    engagement = min(40, 10 * visits + 5 * downloads + 3 * sessions + 2 * messages + (10 if meeting else 0))
    intent = min(30, 3 * interactions)
    fit = fit if engagement + intent else 0
    return engagement, fit, intent, engagement + fit + intent


def stored(conn, lead):
    """Engagement, fit, intent and score as they are stored."""
    return conn.execute("SELECT engagement_score, fit_score, intent_score, lead_score FROM convene.lead_scoring WHERE id = %s", [lead]).fetchone()
