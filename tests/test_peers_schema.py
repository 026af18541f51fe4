"""What the tables of the peers promise by themselves: consent, pairs, texts, and one question at a time."""

import threading

import psycopg
import pytest

from lib.access import as_role, expect_error
from lib.factory import ident, make_event

MESSAGE = """INSERT INTO convene.peer_messages (event_id, contractor_id, match_id, direction, kind, status)
             VALUES (%(event)s, %(contractor)s, %(match)s, 'out', %(kind)s, %(status)s) RETURNING id"""


class Peers:
    """An event with three contractors, who are its people, and a match of the first two."""

    def __init__(self, conn, label):
        self.event = make_event(conn, label, sessions=1)
        self.ids = sorted(ident(label, "contractor", number) for number in range(3))
        for contractor, person in zip(self.ids, self.event.people):
            conn.execute("INSERT INTO convene.contractors (id, profile_id, first_name) VALUES (%s, %s, %s)",
                         [contractor, person.sub, person.name])
            conn.execute("INSERT INTO convene.event_attendees (event_id, contractor_id, attendee_id) VALUES (%s, %s, %s)",
                         [self.event.id, contractor, person.id])
        self.match = self.pair(conn, 0, 1)

    def pair(self, conn, first, second):
        return conn.execute(
            "INSERT INTO convene.event_peer_matches (event_id, contractor1_id, contractor2_id, match_type, match_score)"
            " VALUES (%s, %s, %s, 'ideal_peer', 0.9) RETURNING id", [self.event.id, self.ids[first], self.ids[second]]).fetchone()[0]

    def message(self, contractor, kind, status="queued", match=True):
        return {"event": self.event.id, "contractor": self.ids[contractor], "match": self.match if match else None,
                "kind": kind, "status": status}


@pytest.fixture(scope="module")
def peers(db):
    with db.connect() as connection:
        return Peers(connection, "peers")


# Matches.

@pytest.mark.parametrize("who", [0, 1])
def test_nobody_reads_that_the_other_one_said_no(conn, peers, who):
    """Their own no they do read, and whoever organizes the event reads both."""
    seen = "SELECT count(*) FROM convene.event_peer_matches WHERE id = %s"
    answers = "UPDATE convene.event_peer_matches SET contractor1_response = %s, contractor2_response = %s WHERE id = %s"

    def told(sub):
        with as_role(conn, "authenticated", sub):
            return conn.execute(seen, [peers.match]).fetchone()[0]

    with conn.transaction(force_rollback=True):
        for mine, theirs, visible in ((None, None, 1), (True, None, 1), (True, True, 1), (False, None, 1), (True, False, 0), (None, False, 0)):
            conn.execute(answers, [*((mine, theirs) if who == 0 else (theirs, mine)), peers.match])
            assert told(peers.event.people[who].sub) == visible, (mine, theirs)
            assert told(peers.event.organizer) == 1


# Contractors.

@pytest.mark.parametrize("city, state, area", [
    ("Dallas", "TX", "Dallas, TX"), (" Dallas ", "TX", "Dallas, TX"), (None, "TX", "TX"), ("Dallas", None, "Dallas"),
    ("Dallas", " ", "Dallas"), (None, None, None),
])
def test_the_service_area_is_city_and_state(conn, city, state, area):
    assert conn.execute("INSERT INTO convene.contractors (first_name, city, state) VALUES ('x', %s, %s) RETURNING service_area",
                        [city, state]).fetchone() == (area,)


def test_a_phone_is_found_by_its_digits(conn):
    for phone, digits in (("+1 (555) 010-0199", "15550100199"), ("call me", None), (None, None)):
        assert conn.execute("INSERT INTO convene.contractors (first_name, phone) VALUES ('x', %s) RETURNING phone_digits",
                            [phone]).fetchone() == (digits,)


def test_a_person_is_one_contractor_and_makes_themselves_one(conn):
    new = make_event(conn, "newcomers", sessions=1).people[0]
    statement = "INSERT INTO convene.contractors (profile_id, first_name) VALUES (%s, 'Me') RETURNING id"
    with as_role(conn, "authenticated", new.sub):
        assert conn.execute(statement, [new.sub]).fetchone()
        expect_error(conn, "23505", statement, [new.sub])
        expect_error(conn, "42501", statement, [ident("somebody else")])


# Consent.

def test_consent_is_noted_when_it_is_taken_back_and_the_note_goes_when_it_is_given_again(conn, peers):
    who, row = peers.event.people[0].sub, [peers.event.id, peers.ids[0]]
    read = "SELECT peer_matching_opt_in, opted_out_at IS NOT NULL FROM convene.event_attendees WHERE event_id = %s AND contractor_id = %s"
    assert conn.execute(read, row).fetchone() == (False, False)
    for opt_in, state in ((True, (True, False)), (False, (False, True)), (False, (False, True)), (True, (True, False))):
        with as_role(conn, "authenticated", who):
            assert conn.execute("UPDATE convene.event_attendees SET peer_matching_opt_in = %s", [opt_in]).rowcount == 1
        assert conn.execute(read, row).fetchone() == state
    expect_error(conn, "23514", "UPDATE convene.event_attendees SET opted_out_at = now() WHERE event_id = %s AND contractor_id = %s", row)


def test_nobody_consents_for_another_and_nobody_checks_themselves_in(conn, peers):
    with as_role(conn, "authenticated", peers.event.organizer):
        expect_error(conn, "42501", "UPDATE convene.event_attendees SET muted_until = NULL, peer_matching_opt_in = NOT peer_matching_opt_in",
                     message="only the contractor")
        assert conn.execute("UPDATE convene.event_attendees SET checked_in_at = now() WHERE contractor_id = %s", [peers.ids[2]]).rowcount == 1
    with as_role(conn, "authenticated", peers.event.people[0].sub):
        expect_error(conn, "42501", "UPDATE convene.event_attendees SET checked_in_at = now()", message="only an organizer")
        # With nothing changed there is nothing to refuse.
        assert conn.execute("UPDATE convene.event_attendees SET checked_in_at = checked_in_at, muted_until = now()").rowcount == 1


def test_an_attendee_of_another_event_is_no_registration_here(conn, peers):
    other = make_event(conn, "elsewhere", sessions=1)
    expect_error(conn, "23503", "UPDATE convene.event_attendees SET attendee_id = %s WHERE contractor_id = %s",
                 [other.people[0].id, peers.ids[2]])


# Pairs.

PAIR = """INSERT INTO convene.event_peer_matches (event_id, contractor1_id, contractor2_id, match_type, match_score)
          VALUES (%s, %s, %s, 'ideal_peer', 0.9)"""


def test_a_pair_is_there_once_and_in_one_order(conn, peers):
    first, second, _ = peers.ids
    for one, other, code in ((first, first, "23514"), (second, first, "23514"), (first, second, "23505")):
        expect_error(conn, code, PAIR, [peers.event.id, one, other])


def test_a_pair_is_of_people_at_the_event(conn, peers):
    stranger = conn.execute("INSERT INTO convene.contractors (id, first_name) VALUES (%s, 'x') RETURNING id",
                            ["ffffffff-ffff-4fff-8fff-ffffffffffff"]).fetchone()[0]
    expect_error(conn, "23503", PAIR, [peers.event.id, peers.ids[0], stranger])
    expect_error(conn, "0A000", "UPDATE convene.event_peer_matches SET contractor2_id = %s WHERE id = %s", [peers.ids[2], peers.match])


def test_who_leaves_the_event_takes_their_matches_along_and_the_other_keeps_their_messages(conn, peers):
    with conn.transaction(force_rollback=True):
        message = conn.execute(MESSAGE, peers.message(0, "accepted", "sent")).fetchone()[0]
        conn.execute("DELETE FROM convene.event_attendees WHERE contractor_id = %s", [peers.ids[1]])
        assert conn.execute("SELECT id FROM convene.event_peer_matches WHERE event_id = %s", [peers.event.id]).fetchall() == []
        assert conn.execute("SELECT match_id, event_id FROM convene.peer_messages WHERE id = %s", [message]).fetchone() == (None, peers.event.id)


@pytest.mark.parametrize("first, second, mean", [(None, None, None), (8, None, 8), (None, 3, 3), (10, 9, 9.5), (1, 1, 1)])
def test_the_pcr_score_is_the_mean_of_the_ratings_given(conn, peers, first, second, mean):
    assert conn.execute("UPDATE convene.event_peer_matches SET rating_contractor1 = %s, rating_contractor2 = %s WHERE id = %s"
                        " RETURNING pcr_score", [first, second, peers.match]).fetchone() == (mean,)


def test_contacts_are_exchanged_only_when_both_have_said_yes(conn, peers):
    statement = """UPDATE convene.event_peer_matches SET contacts_exchanged_at = now(), contractor1_response = %s,
                   contractor2_response = %s WHERE id = %s"""
    for answers in ((None, None), (True, None), (True, False), (False, False)):
        expect_error(conn, "23514", statement, [*answers, peers.match])
    with conn.transaction(force_rollback=True):
        assert conn.execute(statement, [True, True, peers.match]).rowcount == 1
        # What was given cannot be unsaid.
        expect_error(conn, "23514", "UPDATE convene.event_peer_matches SET contractor1_response = NULL WHERE id = %s", [peers.match])


# Texts.

def test_there_is_a_text_for_every_phase(conn):
    check = conn.execute("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'message_templates_phase_check'").fetchone()[0]
    phases = {row[0] for row in conn.execute("SELECT phase FROM convene.message_templates WHERE event_id IS NULL AND is_active")}
    kinds = conn.execute("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'peer_messages_kind_check'").fetchone()[0]
    assert len(phases) == 17
    assert all(f"'{phase}'" in check and f"'{phase}'" in kinds for phase in phases)
    assert check.count("::text") == kinds.count("::text")


TEMPLATE = "INSERT INTO convene.message_templates (event_id, phase, language, body) VALUES (%s, %s, 'de', %s)"


@pytest.mark.parametrize("phase, body, told", [
    ("introduction", "Hi {firstName}, call {peerPhone}", r"\{peerPhone\}"), ("accepted", "{peerEmail}", r"\{peerEmail\}"),
    ("introduction", "Hi {firstname}", r"\{firstname\}"), ("help", "{peerName}", r"\{peerName\}"), ("help", "{}", r"\{\}"),
    ("introduction", "Hi {firstName", "brace"), ("introduction", "Hi firstName}", "brace"),
    ("introduction", "{{firstName}}", "brace"), ("contact_exchange", "{minutes}", r"\{minutes\}"),
])
def test_a_text_names_only_what_is_filled_in_at_its_phase(conn, peers, phase, body, told):
    expect_error(conn, "22023", TEMPLATE, [peers.event.id, phase, body], message=told, hint="firstName")


def test_a_text_is_checked_again_when_it_changes_its_phase(conn, peers):
    with conn.transaction(force_rollback=True):
        conn.execute(TEMPLATE, [peers.event.id, "contact_exchange", "{peerName}: {peerPhone}"])
        expect_error(conn, "22023", "UPDATE convene.message_templates SET phase = 'introduction' WHERE language = 'de'")


def test_one_text_of_a_phase_is_in_use(conn, peers):
    with conn.transaction(force_rollback=True):
        conn.execute(TEMPLATE, [peers.event.id, "help", "Hilfe"])
        expect_error(conn, "23505", TEMPLATE, [peers.event.id, "help", "Mehr Hilfe"])
        conn.execute("UPDATE convene.message_templates SET is_active = false WHERE language = 'de'")
        conn.execute(TEMPLATE, [peers.event.id, "help", "Mehr Hilfe"])


# Messages.

def test_one_question_is_open_at_a_time_and_the_rest_wait(conn, peers):
    with conn.transaction(force_rollback=True):
        question = conn.execute(MESSAGE, peers.message(0, "introduction", "sent")).fetchone()[0]
        expect_error(conn, "23505", MESSAGE, peers.message(0, "break"))
        # What asks nothing, what waits and what is another's is none of it.
        for contractor, kind, status in ((0, "help", "queued"), (0, "break", "waiting"), (1, "introduction", "queued")):
            conn.execute(MESSAGE, peers.message(contractor, kind, status))
        conn.execute("UPDATE convene.peer_messages SET closed_at = now(), answer = 'later' WHERE id = %s", [question])
        assert conn.execute("UPDATE convene.peer_messages SET status = 'queued' WHERE status = 'waiting'").rowcount == 1


def test_two_who_ask_at_once_ask_once(db, conn, peers):
    """The second waits for the first and then hears that a question is open."""
    with db.second(autocommit=False) as first, db.second(autocommit=False) as second:
        outcome = []

        def ask():
            try:
                second.execute(MESSAGE, peers.message(2, "lunch", match=False))
            except psycopg.errors.UniqueViolation:
                outcome.append("one is open")

        first.execute(MESSAGE, peers.message(2, "break", match=False))
        asking = threading.Thread(target=ask)
        asking.start()
        asking.join(0.3)
        assert asking.is_alive()
        first.commit()
        asking.join()
        assert outcome == ["one is open"]
    conn.execute("DELETE FROM convene.peer_messages")


@pytest.mark.parametrize("kind", ["introduction", "contact_exchange"])
def test_introductions_and_contacts_go_out_once(conn, peers, kind):
    with conn.transaction(force_rollback=True):
        conn.execute(MESSAGE, peers.message(0, kind, "sent"))
        conn.execute("UPDATE convene.peer_messages SET closed_at = now()")
        expect_error(conn, "23505", MESSAGE, peers.message(0, kind))
        conn.execute("UPDATE convene.peer_messages SET status = 'cancelled'")
        conn.execute(MESSAGE, peers.message(0, kind))


def test_an_answer_answers_a_question_of_the_same_person(conn, peers):
    answer = """INSERT INTO convene.peer_messages (contractor_id, direction, status, understood, question_id)
                VALUES (%s, 'in', 'received', 'yes', %s) RETURNING id"""
    with conn.transaction(force_rollback=True):
        question = conn.execute(MESSAGE, peers.message(0, "introduction", "sent")).fetchone()[0]
        expect_error(conn, "23503", answer, [peers.ids[1], question])
        expect_error(conn, "23503", answer, [None, question])
        given = conn.execute(answer, [peers.ids[0], question]).fetchone()[0]
        conn.execute("DELETE FROM convene.peer_messages WHERE id = %s", [question])
        assert conn.execute("SELECT question_id FROM convene.peer_messages WHERE id = %s", [given]).fetchone() == (None,)


@pytest.mark.parametrize("columns, values", [
    ("direction, status", "'in', 'queued'"), ("direction, status, kind", "'in', 'received', 'help'"),
    ("direction, status", "'out', 'queued'"), ("direction, status, kind", "'out', 'queued', 'help'"),
    ("direction, status, match_id", "'in', 'received', gen_random_uuid()"),
    ("direction, status, answer", "'in', 'received', 'yes'"),
])
def test_a_message_is_either_in_or_out(conn, columns, values):
    expect_error(conn, "23514", f"INSERT INTO convene.peer_messages ({columns}) VALUES ({values})")


def test_a_delivery_that_is_repeated_is_recognised(conn):
    statement = "INSERT INTO convene.peer_messages (direction, status, external_id, body) VALUES ('in', 'received', 'SM1', 'STOP')"
    with conn.transaction(force_rollback=True):
        conn.execute(statement)
        expect_error(conn, "23505", statement)
