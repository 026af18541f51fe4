"""Other people's ids: refused by every function, in the same words as ids that nobody has, and nothing is learned or done.

The functions come from surface(): a new one that takes an id and has no case here fails the first test."""

import re
import uuid
from typing import NamedTuple

import psycopg
import pytest
from psycopg.types.json import Jsonb

from lib.access import as_role, expect_error, sqlstate
from lib.crm import claim, make_leads, make_sponsor, queue
from lib.factory import add_people, ident, make_event, make_world
from lib.matching import match, want
from lib.postgrest import PostgREST
from lib.reference import contents, refresh

pytestmark = pytest.mark.roles


class Target(NamedTuple):
    """The ids of a victim, or ids that nobody has."""

    attendee: uuid.UUID
    event: uuid.UUID
    session: uuid.UUID
    recommendation: uuid.UUID
    job: uuid.UUID
    token: uuid.UUID
    profile: uuid.UUID
    contractor: uuid.UUID
    peer: uuid.UUID
    peer_match: uuid.UUID
    crm_sponsor: uuid.UUID
    crm_job: uuid.UUID
    crm_token: uuid.UUID
    partner: uuid.UUID
    meeting: uuid.UUID
    begun: uuid.UUID
    schedule: uuid.UUID
    sponsor: uuid.UUID
    lead: uuid.UUID
    badge: uuid.UUID
    match: uuid.UUID
    neighbour: uuid.UUID
    work: uuid.UUID
    work_token: uuid.UUID
    package: uuid.UUID


AHEAD, LATER = "2031-05-05T10:00:00Z", "2031-05-05T10:30:00Z"

# Everything that takes an id: its arguments, by name as PostgREST wants them.
CASES = {
    # Networking
    "preview_networking_matches(uuid,uuid,integer,text,timestamp with time zone)":
        lambda t: {"p_attendee_id": t.attendee, "p_event_id": t.event},
    "generate_networking_matches(uuid,uuid,integer,text,timestamp with time zone)":
        lambda t: {"p_attendee_id": t.attendee, "p_event_id": t.event},
    "generate_event_matches(uuid,integer,double precision,integer,text,text,boolean,timestamp with time zone)":
        lambda t: {"p_event_id": t.event},
    "accept_match(uuid,uuid,boolean,timestamp with time zone,integer,timestamp with time zone)":
        lambda t: {"p_match_id": t.match, "p_attendee_id": t.attendee},
    "decline_match(uuid,uuid)": lambda t: {"p_match_id": t.match, "p_attendee_id": t.attendee},
    "networking_quality(uuid)": lambda t: {"p_event_id": t.event},
    "find_connectors(uuid,integer)": lambda t: {"p_event_id": t.event},
    "block_person(uuid,uuid)": lambda t: {"p_attendee_id": t.attendee, "p_other_attendee_id": t.neighbour},
    "unblock_person(uuid,uuid)": lambda t: {"p_attendee_id": t.attendee, "p_other_attendee_id": t.neighbour},
    "report_person(uuid,uuid,text,text)":
        lambda t: {"p_attendee_id": t.attendee, "p_other_attendee_id": t.neighbour, "p_reason": "rude"},
    "get_session_recommendations(uuid,uuid,integer,text,timestamp with time zone)":
        lambda t: {"p_attendee_id": t.attendee, "p_event_id": t.event},
    "serve_session_recommendations(uuid,uuid,integer,text,timestamp with time zone)":
        lambda t: {"p_attendee_id": t.attendee, "p_event_id": t.event},
    "submit_recommendation_feedback(uuid,text,integer)":
        lambda t: {"p_recommendation_id": t.recommendation, "p_action": "clicked"},
    "record_session_interaction(uuid,uuid,text,numeric,timestamp with time zone)":
        lambda t: {"p_attendee_id": t.attendee, "p_session_id": t.session, "p_kind": "bookmarked"},
    "update_attendee_preferences(uuid,uuid,jsonb)":
        lambda t: {"p_attendee_id": t.attendee, "p_event_id": t.event, "p_preferences": Jsonb({"preferred_topics": ["x"]})},
    "find_similar_sessions(uuid,integer)": lambda t: {"p_session_id": t.session},
    "get_personal_agenda(uuid,uuid,timestamp with time zone,timestamp with time zone,timestamp with time zone)":
        lambda t: {"p_attendee_id": t.attendee, "p_event_id": t.event},
    "get_exhibitor_recommendations(uuid,uuid,integer)": lambda t: {"p_attendee_id": t.attendee, "p_event_id": t.event},
    "get_content_recommendations(uuid,uuid,integer)": lambda t: {"p_attendee_id": t.attendee, "p_event_id": t.event},
    "refresh_event_recommendations(uuid,boolean,timestamp with time zone)": lambda t: {"p_event_id": t.event},
    "recommendation_metrics(uuid)": lambda t: {"p_event_id": t.event},
    "evaluate_recommender(uuid,integer,bigint,text)": lambda t: {"p_event_id": t.event},
    "learn_recommendation_weights(uuid,boolean)": lambda t: {"p_event_id": t.event},
    "complete_embedding_job(uuid,real[],text,uuid)":
        lambda t: {"p_job_id": t.job, "p_embedding": "{0.5}", "p_model": "convene-hash-v1", "p_lease_token": t.token},
    "export_person(uuid)": lambda t: {"p_profile_id": t.profile},
    "erase_person(uuid)": lambda t: {"p_profile_id": t.profile},
    "check_meeting_availability(uuid,timestamp with time zone,timestamp with time zone,timestamp with time zone)":
        lambda t: {"p_attendee_id": t.attendee, "p_start_time": AHEAD, "p_end_time": LATER},
    "meeting_conflicts(uuid,timestamp with time zone,timestamp with time zone,timestamp with time zone)":
        lambda t: {"p_attendee_id": t.attendee, "p_start_time": AHEAD, "p_end_time": LATER},
    "find_meeting_slots(uuid,uuid,integer,timestamp with time zone,timestamp with time zone,integer,timestamp with time zone)":
        lambda t: {"p_attendee_1": t.attendee, "p_attendee_2": t.partner},
    "schedule_meeting(uuid,uuid,timestamp with time zone,integer,text,text,text,jsonb,timestamp with time zone)":
        lambda t: {"p_attendee_1": t.attendee, "p_attendee_2": t.partner, "p_start_time": AHEAD},
    "confirm_meeting(uuid,timestamp with time zone)": lambda t: {"p_meeting_id": t.meeting},
    "reschedule_meeting(uuid,timestamp with time zone,integer,timestamp with time zone)":
        lambda t: {"p_meeting_id": t.meeting, "p_start_time": AHEAD},
    "cancel_meeting(uuid,timestamp with time zone)": lambda t: {"p_meeting_id": t.meeting},
    "complete_meeting(uuid,boolean,timestamp with time zone)": lambda t: {"p_meeting_id": t.begun},
    "schedule_event_meetings(uuid,integer,integer,timestamp with time zone,timestamp with time zone,integer,text,jsonb,timestamp with time zone)":
        lambda t: {"p_event_id": t.event},
    "publish_meeting_schedule(uuid,boolean,timestamp with time zone)": lambda t: {"p_draft_id": t.schedule},
    "discard_meeting_schedule(uuid)": lambda t: {"p_draft_id": t.schedule},
    "get_meetings(uuid,uuid,timestamp with time zone,integer,uuid,timestamp with time zone)": lambda t: {"p_attendee_id": t.attendee},
    "submit_meeting_feedback(uuid,integer,text,boolean,text,uuid,timestamp with time zone)":
        lambda t: {"p_meeting_id": t.begun, "p_rating": 4},
    "meeting_ics(uuid,timestamp with time zone)": lambda t: {"p_meeting_id": t.meeting},
    "fail_embedding_job(uuid,text,uuid)": lambda t: {"p_job_id": t.job, "p_error": "x", "p_lease_token": t.token},
    # Peers
    "find_peer_matches(uuid,uuid,integer,numeric,boolean,boolean)":
        lambda t: {"p_event_id": t.event, "p_contractor_id": t.contractor},
    "find_cross_event_peers(uuid,integer,numeric)": lambda t: {"p_contractor_id": t.contractor},
    "create_peer_match(uuid,uuid,uuid,jsonb)":
        lambda t: {"p_event_id": t.event, "p_contractor_id": t.contractor, "p_peer_id": t.peer},
    "generate_event_peer_matches(uuid,integer,numeric,boolean)": lambda t: {"p_event_id": t.event},
    "get_contractor_matches(uuid,uuid)": lambda t: {"p_event_id": t.event, "p_contractor_id": t.contractor},
    "form_peer_groups(uuid,integer,text,boolean,bigint)": lambda t: {"p_event_id": t.event},
    "record_peer_connection(uuid,jsonb)": lambda t: {"p_match_id": t.peer_match},
    "record_peer_feedback(uuid,uuid,integer,text)":
        lambda t: {"p_match_id": t.peer_match, "p_contractor_id": t.contractor, "p_rating": 9},
    "peer_match_metrics(uuid)": lambda t: {"p_event_id": t.event},
    "find_super_connectors(uuid,integer)": lambda t: {"p_event_id": t.event},
    # The conversation, and work for the world outside
    "send_peer_introduction(uuid,text,timestamp with time zone)": lambda t: {"p_match_id": t.peer_match},
    "record_peer_response(uuid,uuid,boolean,timestamp with time zone)":
        lambda t: {"p_match_id": t.peer_match, "p_contractor_id": t.contractor, "p_response": True},
    "suggested_prompt_times(uuid)": lambda t: {"p_event_id": t.event},
    "dispatch_due_prompts(uuid,timestamp with time zone)": lambda t: {"p_event_id": t.event},
    "ack_outbox(uuid,jsonb,uuid)": lambda t: {"p_id": t.work, "p_result": Jsonb({}), "p_lease_token": t.work_token},
    "nack_outbox(uuid,text,uuid,interval,boolean)": lambda t: {"p_id": t.work, "p_error": "x", "p_lease_token": t.work_token},
    "queue_crm_sync(uuid,text,integer,text[])": lambda t: {"p_sponsor_id": t.crm_sponsor, "p_crm_type": "hubspot"},
    "complete_crm_sync(uuid,text,uuid)": lambda t: {"p_job_id": t.crm_job, "p_crm_lead_id": "1", "p_lease_token": t.crm_token},
    "fail_crm_sync(uuid,text,uuid,interval)": lambda t: {"p_job_id": t.crm_job, "p_error": "x", "p_lease_token": t.crm_token},
    # Leads
    "record_lead_interaction(uuid,uuid,text,timestamp with time zone,jsonb,text,text)":
        lambda t: {"p_sponsor_id": t.sponsor, "p_attendee_id": t.attendee, "p_kind": "booth_visit", "p_badge_token": str(t.badge)},
    "calculate_lead_score(uuid)": lambda t: {"p_lead_id": t.lead},
    "score_sponsor_leads(uuid,boolean)": lambda t: {"p_sponsor_id": t.sponsor},
    "score_event_leads(uuid,boolean)": lambda t: {"p_event_id": t.event},
    "get_sponsor_leads(uuid,integer,text,integer,uuid,timestamp with time zone)": lambda t: {"p_sponsor_id": t.sponsor},
    "sponsor_attendee_match(uuid,integer)": lambda t: {"p_sponsor_id": t.sponsor},
    "sponsor_analytics(uuid,integer,timestamp with time zone)": lambda t: {"p_sponsor_id": t.sponsor},
    "predict_sponsor_renewal(uuid)": lambda t: {"p_sponsor_id": t.sponsor},
    "renewal_predictions(uuid)": lambda t: {"p_event_id": t.event},
    "start_renewal_sequence(uuid,timestamp with time zone)": lambda t: {"p_sponsor_id": t.sponsor},
    "list_sponsors(uuid,text,text,integer,uuid)": lambda t: {"p_event_id": t.event},
    "add_sponsor(uuid,text,text,numeric,text,text,text,text,text,text)":
        lambda t: {"p_event_id": t.event, "p_company_name": "New", "p_sponsorship_tier": "gold", "p_contract_value": 1,
                   "p_primary_contact_name": "N", "p_primary_contact_email": "n@example.org"},
    # Insights
    "refresh_event_insights(uuid,timestamp with time zone)": lambda t: {"p_event_id": t.event},
    "rebuild_event_insights(uuid)": lambda t: {"p_event_id": t.event},
    # Sponsorship
    "sponsorship_score_onchange(uuid,uuid,uuid[],uuid[])": lambda t: {"sponsor_id": t.sponsor},
    "answer_sponsorship_match(uuid,uuid,text)": lambda t: {"p_event_id": t.event, "p_sponsor_id": t.sponsor, "p_action": "viewed"},
    "fn_compute_match_score(uuid,uuid)": lambda t: {"p_event_id": t.event, "p_sponsor_id": t.sponsor},
    "preview_sponsorship_matches(integer,double precision,jsonb,uuid[],uuid[],timestamp with time zone)":
        lambda t: {"p_event_ids": [t.event], "p_sponsor_ids": [t.sponsor]},
    "suggest_package_price(uuid,timestamp with time zone)": lambda t: {"p_package_id": t.package},
    "draft_sponsorship_proposal(uuid,uuid)": lambda t: {"p_event_id": t.event, "p_sponsor_id": t.sponsor},
    "simulate_match_score(uuid,uuid,jsonb)":
        lambda t: {"p_event_id": t.event, "p_sponsor_id": t.sponsor, "p_overrides": Jsonb({"budget_factor": 2})},
    # The marketplace
    "get_sponsor_recommendations(uuid,integer,double precision)": lambda t: {"p_event_id": t.event},
    "get_event_recommendations(uuid,integer,double precision)": lambda t: {"p_sponsor_id": t.sponsor},
    "semantic_sponsor_event_match(uuid,integer)": lambda t: {"p_event_id": t.event},
}


def name_of(signature):
    return signature.split("(")[0]


# What an organizer of the event may do, and an attendee of it may not.
FOR_ORGANIZERS = {key for key in CASES if key.startswith((
    "schedule_event", "publish_meeting", "discard_meeting", "refresh_event", "recommendation_metrics", "evaluate_", "learn_",
    "generate_event_peer", "form_peer_groups", "peer_match_metrics", "find_super_connectors",
    "score_event_leads", "predict_sponsor", "renewal_predictions", "start_renewal", "list_sponsors", "add_sponsor",
    "generate_event_matches", "networking_quality", "find_connectors",
    "suggest_package", "draft_sponsorship",
    "send_peer_introduction", "suggested_prompt_times", "dispatch_due_prompts"))}
# What anybody of the event's organization reads.
FOR_STAFF = {key for key in CASES if key.startswith(("get_sponsor_recommendations", "semantic_sponsor"))}


@pytest.fixture(scope="module")
def surface(db):
    with db.connect() as connection:
        return {row[0]: row[1] for row in connection.execute("SELECT signature, audience FROM convene.surface()")}


@pytest.fixture(scope="module")
def world(db):
    """Alpha has a victim with everything, in an event that is not published; beta has thieves."""
    with db.connect() as connection:
        alpha, beta = make_world(connection, sessions=12, embeddings=16, interactions=4, attendees=4)
        connection.execute("UPDATE convene.events SET status = 'draft' WHERE id = %s", [alpha.id])
        refresh(connection, alpha)
        person = alpha.people[0]
        served = connection.execute("SELECT recommendation_id FROM convene.serve_session_recommendations(%s, %s)",
                                    [person.id, alpha.id]).fetchone()[0]
        connection.execute("UPDATE convene.sessions SET description = 'new' WHERE id = %s", [alpha.sessions[0]])
        connection.execute("SELECT convene.adopt_copy()")
        job = connection.execute("SELECT job_id, lease_token FROM convene.claim_embedding_jobs()").fetchone()
        meetings = [connection.execute(
            "WITH m AS (INSERT INTO convene.matches (event_id, attendee_1_id, attendee_2_id, compatibility_score, matching_algorithm,"
            " status) VALUES (%(event)s, least(%(a)s::uuid, %(b)s), greatest(%(a)s::uuid, %(b)s), 0.5, 'hybrid', 'mutual_accepted')"
            " ON CONFLICT DO NOTHING) INSERT INTO convene.meetings (event_id, attendee_1_id, attendee_2_id, title, scheduled_start,"
            " scheduled_end) VALUES (%(event)s, %(a)s, %(b)s, 'Session', now() + %(from)s, now() + %(until)s) RETURNING id",
            {"event": alpha.id, "a": person.id, "b": alpha.people[3].id, "from": since, "until": until}).fetchone()[0]
            for since, until in (("9 days", "10 days"), ("-1 hour", "1 hour"))]
        schedule = connection.execute("INSERT INTO convene.meeting_schedule_drafts (event_id) VALUES (%s) RETURNING id", [alpha.id]).fetchone()[0]
        outsider = add_people(connection, beta, 1) or beta.people[-1]
        connection.execute("DELETE FROM convene.attendees WHERE id = %s", [outsider.id])
        viewer = beta.people[1]
        connection.execute("INSERT INTO convene.organization_members (organization_id, profile_id, member_role)"
                           " VALUES (%s, %s, 'viewer')", [beta.organization, viewer.sub])
        for role in ("nothing_at_all", "thief"):
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
                connection.execute(f"CREATE ROLE {role} LOGIN NOINHERIT")
        connection.execute("GRANT authenticated, anon TO thief")
        peers, sync = add_peers(connection, alpha), add_crm_sync(connection, alpha)
        sponsor, lead, badge = add_leads(connection, alpha)
        connection.execute("INSERT INTO convene.event_embeddings (event_id, embedding, embedding_model, source_text)"
                           " SELECT event_id, embedding, embedding_model, 'x' FROM convene.session_embeddings WHERE event_id = %s LIMIT 1",
                           [alpha.id])
        matched = add_networking(connection, alpha)
        package = connection.execute("INSERT INTO convene.sponsorship_packages (event_id, package_name, tier, price_cents, total_available)"
                                     " VALUES (%s, 'Gold', 'gold', 100, 1) RETURNING id", [alpha.id]).fetchone()[0]
        connection.execute("INSERT INTO convene.outbox (topic, target_kind, target_id) VALUES ('crm', 'lead', gen_random_uuid())")
        work, work_token = connection.execute("SELECT id, lease_token FROM convene.claim_outbox('crm', 1, '1 day')").fetchone()
    return alpha, beta, Target(person.id, alpha.id, alpha.sessions[0], served, *job, person.sub, *peers, *sync,
                               partner=alpha.people[3].id, meeting=meetings[0], begun=meetings[1], schedule=schedule,
                               sponsor=sponsor, lead=lead, badge=badge, match=matched[0], neighbour=matched[1],
                               work=work, work_token=work_token, package=package)


def add_peers(conn, event):
    """The first attendee as a contractor, another one, and a match that both have accepted."""
    ids = sorted([ident(event.label, "contractor", 1), ident(event.label, "contractor", 2)])
    for contractor, sub in zip(ids, (event.people[0].sub, None)):
        conn.execute("INSERT INTO convene.contractors (id, profile_id, first_name, cross_event_opt_in) VALUES (%s, %s, 'Victim', true)",
                     [contractor, sub])
        conn.execute("INSERT INTO convene.event_attendees (event_id, contractor_id, peer_matching_opt_in) VALUES (%s, %s, true)",
                     [event.id, contractor])
    return *ids, conn.execute(
        "INSERT INTO convene.event_peer_matches (event_id, contractor1_id, contractor2_id, match_type, match_score, contractor1_response,"
        " contractor2_response) VALUES (%s, %s, %s, 'ideal_peer', 0.9, true, true) RETURNING id", [event.id, *ids]).fetchone()[0]


def add_networking(conn, event):
    """A match of the first attendee with the third, and the third."""
    for person in (0, 2):
        want(conn, event, person, ["talent"], ["expertise"])
    return match(conn, event, 0, 2), event.people[2].id


def add_crm_sync(conn, event):
    """A sponsor whose person is the first attendee, and a lead of it that a worker has in hand."""
    sponsor = make_sponsor(conn, event, "crm", event.people[0].sub)
    make_leads(conn, event, sponsor, [1])
    queue(conn, sponsor)
    job = claim(conn, 1)[0]
    return sponsor.id, job.job_id, job.lease_token


def add_leads(conn, event):
    """The first attendee's sponsor, a lead of it and the first attendee's badge; the second attendee has a sponsor, too."""
    mine, theirs = (ident(event.label, "sponsor", number) for number in (1, 2))
    for sponsor, person in ((mine, event.people[0]), (theirs, event.people[1])):
        conn.execute("INSERT INTO convene.sponsors (id, event_id, company_name, profile_id, contract_value) VALUES (%s, %s, %s, %s, 100)",
                     [sponsor, event.id, str(sponsor), person.sub])
    met = event.people[2].id
    conn.execute("UPDATE convene.attendees SET sponsor_consent = true WHERE id = %s", [met])
    leads = [conn.execute("SELECT (convene.record_lead_interaction(%s, %s, 'message')->>'lead_id')::uuid", [sponsor, met]).fetchone()[0]
             for sponsor in (mine, theirs)]
    badge = ident(event.label, "badge")
    kind = conn.execute("INSERT INTO convene.ticket_types (event_id, name, price) VALUES (%s, 'Pass', 0) RETURNING id", [event.id]).fetchone()[0]
    conn.execute("INSERT INTO convene.tickets (event_id, ticket_type_id, attendee_id, qr_token) VALUES (%s, %s, %s, %s)",
                 [event.id, kind, event.people[0].id, str(badge)])
    conn.execute("INSERT INTO convene.sponsorship_matches (event_id, sponsor_id, score) VALUES (%s, %s, 0.5)", [event.id, mine])
    return mine, leads[0], badge


def unknown():
    return Target(*(uuid.uuid4() for _ in Target._fields))


def thieves(alpha, beta):
    """Everybody who has no business with alpha's first attendee, as (name, role, sub)."""
    return [
        ("attendee of another event", "authenticated", beta.people[0].sub),
        ("organizer of another organization", "authenticated", beta.organizer),
        ("viewer of another organization", "authenticated", beta.people[1].sub),
        ("profile without any event", "authenticated", beta.people[-1].sub),
        ("sub without a profile", "authenticated", uuid.uuid4()),
        ("token without a sub", "authenticated", None),
        ("anonymous", "anon", None),
        ("anonymous with the victim's sub", "anon", alpha.people[0].sub),
        ("role with no rights", "nothing_at_all", alpha.people[0].sub),
    ]


def statement(signature, arguments):
    return f"SELECT * FROM convene.{name_of(signature)}(" + ", ".join(f"{key} => %s" for key in arguments) + ")"


def test_every_function_that_takes_an_id_has_a_case(surface):
    # What is the owner's alone is granted to nobody who could steal: test_ownership.py.
    open_to_some = {signature for signature, audience in surface.items() if audience != "owner"}
    assert {signature for signature in open_to_some if re.search(r"\buuid\b", signature)} == set(CASES)


@pytest.mark.parametrize("signature", CASES, ids=name_of)
def test_ids_of_others_are_refused_like_ids_of_nobody(conn, world, surface, signature):
    alpha, beta, victim = world
    before = contents(conn)
    for who, role, sub in thieves(alpha, beta):
        if who.endswith("victim's sub") and role == "anon" and surface[signature] == "anon":
            continue  # a token of the victim is the victim, whatever the role may call
        told = set()
        with as_role(conn, role, sub):
            for target in (victim, unknown(), unknown()):
                arguments = CASES[signature](target)
                told.add(sqlstate(conn, statement(signature, arguments), list(arguments.values())))
        assert len(told) == 1, (who, told)
        refusal = told.pop()
        assert refusal.sqlstate == "42501", (who, refusal)
        assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}|Session|alpha", " ".join(filter(None, refusal))), (who, refusal)
    assert contents(conn) == before


@pytest.mark.parametrize("signature", sorted(set(CASES) - FOR_ORGANIZERS), ids=name_of)
def test_a_neighbour_at_the_same_event_is_a_stranger_too(conn, world, surface, signature):
    alpha, _, victim = world
    if surface[signature] == "anon":
        return  # sessions belong to everybody who attends
    mine = unknown()._replace(event=alpha.id, session=alpha.sessions[1])
    with as_role(conn, "authenticated", alpha.people[1].sub):
        texts = set()
        for target in (victim, mine):
            arguments = CASES[signature](target)
            texts.add(expect_error(conn, "42501", statement(signature, arguments), list(arguments.values())))
        assert len(texts) == 1


@pytest.mark.parametrize("signature", sorted(FOR_ORGANIZERS), ids=name_of)
@pytest.mark.parametrize("role", ["staff", "viewer", None])
def test_only_organizers_organize(conn, world, signature, role):
    """Attendees of the very event, and those of its organization who only help or look on."""
    alpha, _, victim = world
    who = alpha.people[2].sub
    with conn.transaction(force_rollback=True):
        if role:
            conn.execute("INSERT INTO convene.organization_members VALUES (%s, %s, NULL, %s)", [alpha.organization, who, role])
        with as_role(conn, "authenticated", who):
            arguments = CASES[signature](victim)
            expect_error(conn, "42501", statement(signature, arguments), list(arguments.values()))
        conn.execute("INSERT INTO convene.organization_members VALUES (%s, %s, NULL, 'organizer')"
                     " ON CONFLICT (organization_id, profile_id) DO UPDATE SET member_role = 'organizer'",
                     [alpha.organization, who])
        with as_role(conn, "authenticated", who):
            conn.execute(statement(signature, arguments), list(arguments.values()))


@pytest.mark.parametrize("signature", sorted(FOR_STAFF), ids=name_of)
def test_whoever_is_of_the_organization_reads(conn, world, signature):
    """Also those who only look on; not who attends."""
    alpha, _, victim = world
    who, arguments = alpha.people[2].sub, CASES[signature](victim)
    with conn.transaction(force_rollback=True):
        with as_role(conn, "authenticated", who):
            expect_error(conn, "42501", statement(signature, arguments), list(arguments.values()))
        conn.execute("INSERT INTO convene.organization_members VALUES (%s, %s, NULL, 'viewer')", [alpha.organization, who])
        with as_role(conn, "authenticated", who):
            conn.execute(statement(signature, arguments), list(arguments.values()))


@pytest.mark.parametrize("signature", CASES, ids=name_of)
def test_the_owner_of_the_id_is_let_in(conn, world, surface, signature):
    """Else the refusals above would prove nothing."""
    alpha, _, victim = world
    role, sub = ("service_role", None) if surface[signature] == "service" else ("authenticated", alpha.people[0].sub)
    if signature in FOR_ORGANIZERS | FOR_STAFF:
        sub = alpha.organizer
    with conn.transaction(force_rollback=True), as_role(conn, role, sub):
        arguments = CASES[signature](victim)
        if signature.startswith("complete_embedding"):
            expect_error(conn, "22023", statement(signature, arguments), list(arguments.values()), message="dimensions")
        else:
            conn.execute(statement(signature, arguments), list(arguments.values()))


def test_one_cannot_borrow_another_event_for_ones_own_id(conn, world):
    """Mixed pairs: my attendee with your event or session, your attendee with mine."""
    alpha, beta, _ = world
    mine, theirs = beta.people[0], alpha.people[0]
    told = {}
    with as_role(conn, "authenticated", mine.sub):
        for name, event in (("foreign", alpha.id), ("unknown", uuid.uuid4())):
            told[name] = expect_error(conn, "22023", "SELECT * FROM convene.get_session_recommendations(%s, %s)", [mine.id, event])
            expect_error(conn, "42501", "SELECT * FROM convene.get_session_recommendations(%s, %s)", [theirs.id, beta.id])
        # The same words but for the id that was passed.
        strip = lambda refusal: re.sub(r"[0-9a-f-]{36}", "", str(refusal))  # noqa: E731
        assert strip(told["foreign"]) == strip(told["unknown"])


def test_a_login_of_the_api_cannot_become_more(db, world):
    alpha, _, victim = world
    with db.connect(user="thief") as mine:
        mine.execute("SET ROLE authenticated")
        for role in ("service_role", "postgres", "pg_database_owner", "pg_read_all_data"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                mine.execute(f"SET ROLE {role}")
        mine.execute("SELECT set_config('request.jwt.claims', %s, false)", ['{"role": "service_role"}'])
        for signature, case in CASES.items():
            arguments = case(victim)
            assert sqlstate(mine, statement(signature, arguments), list(arguments.values())).sqlstate == "42501", signature


@pytest.mark.parametrize("claims,code", [
    ('{"sub": ["x"]}', "22023"), ('{"sub": {"a": 1}}', "22023"), ('{"sub": 7}', "22023"), ('{"sub": ""}', "42501"),
    ('{"sub": null}', "42501"), ('{"sub": true}', "22023"), ("[]", "22023"), ("not json", "22023"), ('"x"', "22023"),
    ("", "42501"), ('{"sub": "' + "a" * 100000 + '"}', "22023"), ('{"role": "service_role", "is_admin": true}', "42501"),
])
def test_poisoned_tokens_open_nothing(conn, world, claims, code):
    alpha, _, victim = world
    with as_role(conn, "authenticated"):
        conn.execute("SELECT set_config('request.jwt.claims', %s, false)", [claims])
        for signature in ("get_session_recommendations(uuid,uuid,integer,text,timestamp with time zone)",
                          "update_attendee_preferences(uuid,uuid,jsonb)"):
            arguments = CASES[signature](victim)
            got = expect_error(conn, code, statement(signature, arguments), list(arguments.values()))
            assert len(got.message) < 300 and len(got.detail or "") < 300
    conn.execute("SELECT set_config('request.jwt.claims', '', false)")


def test_through_postgrest_it_is_403_and_nothing_is_learned(db, conn, world, surface):
    alpha, beta, victim = world
    before = contents(conn)
    with PostgREST(db) as rest:
        tokens = [(401, None), (401, rest.token("anon")), (403, rest.token(sub=beta.people[0].sub)),
                  (403, rest.token(sub=beta.organizer)), (403, rest.token())]
        for signature, case in CASES.items():
            for status, token in tokens:
                answers = []
                for target in (victim, unknown()):
                    arguments = {key: getattr(value, "obj", value) for key, value in case(target).items()}
                    answers.append(rest.rpc(name_of(signature), arguments, token=token))
                assert answers[0] == answers[1], signature
                assert answers[0][0] == status, (signature, status, answers[0])
                assert answers[0][1]["code"] == "42501"
        # A token that somebody else signed is no token.
        forged = rest.token(sub=alpha.people[0].sub)[:-4] + "AAAA"
        assert rest.rpc("get_session_recommendations", {"p_attendee_id": victim.attendee, "p_event_id": victim.event},
                        token=forged)[0] == 401
        told = rest.rpc("get_session_recommendations", {"p_attendee_id": victim.attendee, "p_event_id": victim.event},
                        token=rest.token(sub=alpha.people[0].sub))
        assert told[0] == 200 and told[1]
    assert contents(conn) == before


def test_tables_tell_strangers_nothing_of_a_person(conn, world):
    """What a thief of another event can read of alpha, table by table: no row at all, alpha being unpublished."""
    alpha, beta, _ = world
    make_event(conn, "published")
    tables = [row[0] for row in conn.execute(
        """SELECT c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
           WHERE c.relnamespace = 'convene'::regnamespace AND c.relkind = 'r' AND a.attname = 'event_id'""")]
    assert len(tables) >= 10
    for who, role, sub in thieves(alpha, beta):
        if role == "nothing_at_all" or sub == alpha.people[0].sub:
            continue
        with as_role(conn, role, sub):
            for table in tables:
                try:
                    with conn.transaction():
                        seen = conn.execute(f"SELECT count(*) FROM convene.{table} WHERE event_id = %s", [alpha.id]).fetchone()[0]
                except psycopg.errors.InsufficientPrivilege:
                    seen = 0
                assert seen == 0, (who, table)
