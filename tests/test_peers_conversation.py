"""What contractors write and what comes of it: exchange by exchange, two people in every order, late, twice, after opt-out."""

import itertools
import re

import pytest

from lib.access import as_role, expect_error
from lib.talk import Talk

PROGRAMME = [("break", 10.5, 11), ("lunch", 12, 13), ("break", 14.5, 15)]


@pytest.fixture(scope="module")
def home(db):
    with db.connect() as conn:
        conn.execute("SELECT convene.adopt_copy()")
    return db


@pytest.fixture
def talk(home):
    """An event at which Ann and Bo are to meet. Undone afterwards."""
    with home.connect() as conn, conn.transaction(force_rollback=True):
        made = Talk(conn, "talk", sessions=PROGRAMME)
        made.ann, made.bo = made.person("Ann"), made.person("Bo")
        made.pair = made.match(made.ann, made.bo)
        yield made


# Exchanges: what was asked, the message, what it is understood as, the reply, and the answer that is kept ---------------

YES = ["YES", "yes", "Yes!", "  yes. ", "yes please", "Yes, please!", "YES \U0001f44d", "\U0001f44d", "yess", "yse", "Yep", "yeah!!", "y",
       "Yes I'd love to", "oh yes", "\"Yes\"", "Y.E.S.", "\uff39\uff25\uff33", "y\u200bes", "yes\n", "YES?", "of course, yes", "Yes thank you"]
NO = ["NO", "no", "No.", "nope", "no thanks", "No, thank you!", "nooo", "n", "not interested", "\U0001f44e", "Nah"]
LATER = ["LATER", "later!", "Later please", "latr", "maybe later", "not now", "ask me later", "later \U0001f642"]
SKIP = ["SKIP", "skip.", "Skip it", "skipp", "skip this break please", "skp"]
UNCLEAR = ["yesterday", "Yesterday!", "eyes", "yes no", "yes/no", "not yes", "yes if he comes alone", "yes tomorrow", "no problem", "maybe", "ok",
           "who is this?", "", "\U0001f600", "\U0001f44d\U0001f44e", "yes 8", "8", "see you later", "late", "latter", "ship", "stop by the booth",
           "cancel the meeting", "Liked \u201cReply YES or NO\u201d", "I am driving, yes I will call you back", "yes " * 60, "start", "0", "7-8"]
STOP = ["STOP", "stop", "Stop!", "STOPALL", "stop all", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "please stop", "stop texting me", "sotp"]
STOP_PEER = ["STOP PEER", "stop peer", "Stop peers!", "STOP-PEER", "stoppeer", "stop peer please", "stop introductions", "sotp peer"]

ASKED = (
    [(body, "yes", ["accepted"], True, "yes") for body in YES]
    + [(body, "no", ["declined"], False, "no") for body in NO]
    + [(body, "later", ["later"], None, "later") for body in LATER]
    + [(body, "skip", ["skipped"], None, "skip") for body in SKIP]
    + [(body, "rating" if body in ("8",) else "unclear", ["help"], None, None) for body in UNCLEAR]
    + [(body, "stop", ["stopped"], None, None) for body in STOP]
    + [(body, "stop_peer", ["opted_out"], None, None) for body in STOP_PEER]
)


@pytest.mark.parametrize("body, understood, replies, response, kept", ASKED, ids=[repr(case[0][:30]) for case in ASKED])
def test_an_answer_to_an_introduction(talk, body, understood, replies, response, kept):
    talk.introduce(talk.pair)
    told = talk.say(talk.ann, body)
    assert (told["understood"], told["replies"], told["contacts_exchanged"]) == (understood, replies, False)
    assert talk.response(talk.pair, talk.ann) is response and talk.response(talk.pair, talk.bo) is None
    answer, closed = talk.conn.execute(
        "SELECT answer, closed_at IS NOT NULL OR status = 'cancelled' FROM convene.peer_messages WHERE kind = 'introduction' AND contractor_id = %s",
        [talk.ann.id]).fetchone()
    assert answer == kept and closed == (kept is not None or understood.startswith("stop"))
    # Only an answer belongs to the question.
    assert (told["question"] == "introduction") == (kept is not None) == (told["match_id"] == str(talk.pair))
    assert talk.open(talk.bo) == "introduction"
    kinds = [kind for _, kind, _ in talk.deliver()]
    # Whoever has said no is not asked any more, and neither is the other.
    assert sorted(kinds) == sorted(replies + ["introduction"] * (0 if understood in ("no", "stop", "stop_peer") else 2))


RATED = [("8", 8), ("10", 10), ("1", 1), ("10/10", 10), ("nine", 9), ("a solid 7!", 7), ("7\ufe0f\u20e3", 7), ("\U0001f51f", 10), ("8 out of 10", 8), ("#6", 6),
         ("0", None), ("11", None), ("-5", None), ("8.5", None), ("7-8", None), ("10 minutes", None), ("great", None), ("yes", None), ("later", None)]


def meet(talk, hour=10):
    """Both say yes, and are asked for a rating two hours later."""
    talk.introduce(talk.pair, hour)
    talk.say(talk.ann, "yes", hour)
    assert talk.say(talk.bo, "yes", hour)["contacts_exchanged"] is True
    talk.deliver()
    assert talk.dispatch(hour + 2)["by_kind"] == {"rating_request": 2}


@pytest.mark.parametrize("body, rating", RATED, ids=[body for body, _ in RATED])
def test_an_answer_to_a_request_for_a_rating(talk, body, rating):
    meet(talk)
    told = talk.say(talk.ann, body, 12.1)
    assert told["replies"] == (["rating_thanks"] if rating else ["help"])
    assert talk.open(talk.ann) == (None if rating else "rating_request")
    one, other, score = talk.conn.execute("SELECT rating_contractor1, rating_contractor2, pcr_score FROM convene.event_peer_matches").fetchone()
    assert {one, other} == {rating, None} and score == rating


def test_pcr_is_the_mean_of_both_and_a_no_closes_the_question_without_a_rating(talk):
    meet(talk)
    talk.say(talk.ann, "9", 12.1)
    talk.say(talk.bo, "4", 12.2)
    assert talk.one("SELECT pcr_score FROM convene.event_peer_matches") == 6.5
    with talk.conn.transaction(force_rollback=True):
        other = Talk(talk.conn, "other", sessions=PROGRAMME)
        other.ann, other.bo = other.person("Cy"), other.person("Di")
        other.pair = other.match(other.ann, other.bo)
        meet(other)
        assert other.say(other.ann, "no", 12.1)["replies"] == ["rating_thanks"]
        assert other.open(other.ann) is None and other.sent(other.ann, "rating_request") == ["rating_request"]
        assert other.one("SELECT count(*) FROM convene.event_peer_matches WHERE id = %s AND pcr_score IS NULL", other.pair) == 1


# Two people in every order ----------------------------------------------------------------------------------------------

WORDS = ["yes", "no", "later", "skip", "hm?", "stop peer", "stop"]


@pytest.mark.parametrize("one, other", list(itertools.product(WORDS, repeat=2)), ids=lambda word: word)
@pytest.mark.parametrize("first", [0, 1])
def test_two_answers_in_either_order(talk, one, other, first):
    talk.introduce(talk.pair)
    told = []
    for who, word in [((talk.ann, one), (talk.bo, other)), ((talk.bo, other), (talk.ann, one))][first]:
        told.append(talk.say(who, word))
    both = one == other == "yes"
    assert [answer["contacts_exchanged"] for answer in told] == [False, both]
    assert talk.responses(talk.pair)[2] is both
    delivered = talk.deliver()
    contacts = [body for _, kind, body in delivered if kind == "contact_exchange"]
    assert len(contacts) == (2 if both else 0)
    for to, kind, body in delivered:
        reveals = {who for who in (talk.ann, talk.bo) if who.email in body or who.phone[-8:] in body}
        assert reveals == ({who for who in (talk.ann, talk.bo) if who.phone != to} if kind == "contact_exchange" else set())


@pytest.mark.parametrize("order", list(itertools.permutations(["ann yes", "bo yes", "ann no"])), ids=" ".join)
def test_a_no_after_a_yes_takes_it_back_while_nothing_has_come_of_it(talk, order):
    talk.introduce(talk.pair)
    for said in order:
        who, word = said.split()
        talk.say(getattr(talk, who), word)
    ann = [said.split()[1] for said in order if said.startswith("ann")]
    exchanged = order.index("ann no") == 2
    if ann[0] == "no":  # the yes came when nothing was asked any more
        assert talk.responses(talk.pair)[2] is False and talk.response(talk.pair, talk.ann) is False
    elif exchanged:
        assert talk.responses(talk.pair) == (True, True, True)
    else:
        assert talk.response(talk.pair, talk.ann) is False and talk.responses(talk.pair)[2] is False
    assert len([kind for _, kind, _ in talk.deliver() if kind == "contact_exchange"]) == (2 if exchanged else 0)


# Late, twice, out of place ----------------------------------------------------------------------------------------------

def test_a_yes_that_comes_twice_is_one_and_the_next_question_is_not_answered_by_it(talk):
    cy = talk.person("Cy")
    second = talk.match(talk.ann, cy, 0.8)
    talk.set("peers.prompt_gap_minutes", "0")
    talk.introduce(talk.pair)
    talk.introduce(second)
    assert [kind for kind, _ in talk.waiting(talk.ann)] == ["introduction"]
    first = talk.say(talk.ann, "Yes")
    again = talk.say(talk.ann, "Yes")
    assert first["match_id"] == str(talk.pair) and (again["repeated"], again["replies"], again["match_id"]) == (True, [], None)
    assert talk.response(talk.pair, talk.ann) is True and talk.response(second, talk.ann) is None
    # Once the next question has been handed out it is that one which is answered.
    talk.deliver()
    assert talk.say(talk.ann, "Yes", 10.02)["match_id"] == str(second)
    assert talk.response(second, talk.ann) is True


def test_a_delivery_that_comes_twice_does_nothing_the_second_time(talk):
    talk.introduce(talk.pair)
    first = talk.say(talk.ann, "yes", external_id="SM1")
    again = talk.say(talk.ann, "yes", 11, external_id="SM1")
    assert again == {**first, "repeated": True, "replies": [], "question": None}
    assert talk.one("SELECT count(*) FROM convene.peer_messages WHERE direction = 'in'") == 1


def test_an_answer_answers_the_open_question_and_no_other(talk):
    cy = talk.person("Cy")
    second = talk.match(talk.ann, cy, 0.95)
    talk.introduce(talk.pair)
    talk.introduce(second)
    assert talk.open(talk.ann) == "introduction" and len(talk.waiting(talk.ann)) == 1
    talk.say(talk.ann, "no")
    assert (talk.response(talk.pair, talk.ann), talk.response(second, talk.ann)) == (False, None)
    assert talk.open(talk.ann) is None  # an hour has to pass
    assert talk.say(talk.ann, "YES!!")["replies"] == ["help"]
    assert talk.response(second, talk.ann) is None
    assert talk.dispatch(11)["queued"] >= 1
    talk.say(talk.ann, "yes", 11.1)
    assert talk.response(second, talk.ann) is True


@pytest.mark.parametrize("hour", [17, 17.5, 40])
def test_a_yes_that_comes_after_the_event_is_no_consent_and_an_earlier_one_lapses(talk, hour):
    talk.introduce(talk.pair)
    talk.say(talk.ann, "yes", 16.9)
    assert talk.response(talk.pair, talk.ann) is True
    told = talk.say(talk.bo, "yes", hour)
    assert (told["contacts_exchanged"], told["replies"]) == (False, ["help"])
    assert talk.responses(talk.pair) == (None, None, False)
    expect_error(talk.conn, "55000", "SELECT convene.record_peer_response(%s, %s, true, %s)", [talk.pair, talk.bo.id, talk.at(hour)], message="over")


def test_a_yes_lapses_when_the_event_ends_and_nobody_writes(talk):
    talk.introduce(talk.pair)
    talk.say(talk.ann, "yes", 16.9)
    assert talk.dispatch(16.99)["lapsed"] == 0 and talk.response(talk.pair, talk.ann) is True
    assert talk.dispatch(17)["lapsed"] == 1 and talk.responses(talk.pair) == (None, None, False)
    assert talk.open(talk.bo) is None and talk.dispatch(17)["lapsed"] == 0


@pytest.mark.parametrize("body, replies", [("YES", ["help"]), ("NO", []), ("LATER", []), ("SKIP", []), ("8", ["help"]), ("hm", ["help"])])
@pytest.mark.parametrize("asked", ["introduction", "rating_request"])
@pytest.mark.parametrize("left", ["contractors WHERE id = %s", "event_attendees WHERE contractor_id = %s"])
def test_an_answer_about_somebody_who_left_promises_nothing(talk, left, asked, body, replies):
    """The question is over; neither is it asked again, nor is another yes taken back by it."""
    cy = talk.person("Cy")
    other = talk.match(talk.ann, cy)
    talk.respond(other, talk.ann, True, 9.5)
    talk.introduce(talk.pair)
    if asked == "rating_request":
        talk.conn.execute("UPDATE convene.peer_messages SET kind = 'rating_request' WHERE contractor_id = %s AND kind = 'introduction'", [talk.ann.id])
    talk.deliver()
    talk.conn.execute(f"DELETE FROM convene.{left}", [talk.bo.id])
    told = talk.say(talk.ann, body, 10.1)
    assert (told["replies"], told["match_id"], told["contacts_exchanged"]) == (replies, None, False)
    assert talk.open(talk.ann) is None and talk.waiting(talk.ann) == [] and talk.response(other, talk.ann) is True
    assert [kind for _, kind, _ in talk.deliver()] == replies


def test_who_is_asked_later_is_asked_in_the_next_break(talk):
    talk.introduce(talk.pair, 9.1)
    assert talk.say(talk.ann, "LATER", 9.2)["replies"] == ["later"]
    assert talk.waiting(talk.ann) == [("break", talk.at(10.5 - 5 / 60))]
    assert "10:30" in [body for _, kind, body in talk.deliver() if kind == "later"][0]
    talk.say(talk.bo, "yes", 9.3)
    talk.deliver()
    assert talk.dispatch(10.4)["queued"] == 0
    assert talk.dispatch(10.5 - 5 / 60)["by_kind"] == {"break": 1}
    (to, kind, body), = talk.deliver()
    assert (to, kind) == (talk.ann.phone, "break") and "in 5 minutes" in body and "SKIP" in body
    assert talk.say(talk.ann, "yes", 10.45)["contacts_exchanged"] is True


def test_skip_is_for_this_break_only(talk):
    talk.introduce(talk.pair, 9.1)
    for who in (talk.ann, talk.bo):
        talk.say(who, "later", 9.2)
    assert talk.dispatch(10.5)["by_kind"] == {"break": 2}
    talk.say(talk.ann, "skip", 10.55)
    assert talk.dispatch(10.9)["queued"] == 0
    talk.say(talk.bo, "yes", 10.9)
    assert talk.dispatch(12.2)["by_kind"] == {"lunch": 1}
    assert talk.say(talk.ann, "yes", 12.3)["contacts_exchanged"] is True


def test_later_with_no_break_to_come_leaves_the_introduction_open(talk):
    talk.introduce(talk.pair, 16.7)
    told = talk.say(talk.ann, "later", 16.8)
    assert told["replies"] == ["skipped"] and talk.waiting(talk.ann) == []
    assert talk.response(talk.pair, talk.ann) is None


def test_a_declined_match_is_not_shown_again_and_the_other_is_not_told(talk):
    talk.introduce(talk.pair, 9.1)
    talk.deliver()
    talk.say(talk.ann, "no", 9.2)
    for hour in (10.45, 12.2, 14.45, 16.6):
        assert talk.dispatch(hour)["queued"] == 0
    assert talk.say(talk.bo, "yes", 9.3)["replies"] == ["accepted"]
    assert [kind for _, kind, _ in talk.deliver()] == ["declined", "accepted"]
    expect_error(talk.conn, "55000", "SELECT convene.send_peer_introduction(%s, NULL, %s)", [talk.pair, talk.at(10)], detail="does not want")


# Consent ----------------------------------------------------------------------------------------------------------------

def test_stop_ends_everything_with_one_confirmation(talk):
    talk.introduce(talk.pair)
    assert talk.say(talk.ann, "STOP")["replies"] == ["stopped"]
    for body in ("STOP", "yes", "hm?", "STOP PEER", "5"):
        assert talk.say(talk.ann, body, 10.1)["replies"] == []
    assert talk.response(talk.pair, talk.ann) is None
    sent = [kind for to, kind, _ in talk.deliver() if to == talk.ann.phone]
    assert sent == ["stopped"]
    assert talk.waiting(talk.ann) == [] and talk.dispatch(12.2)["queued"] == 0
    assert talk.say(talk.ann, "START PEER", 12.5)["replies"] == ["opted_in"]
    assert [kind for to, kind, _ in talk.deliver() if to == talk.ann.phone] == ["opted_in"]


def test_stop_peer_lasts_until_start_peer(talk):
    talk.introduce(talk.pair)
    talk.say(talk.ann, "yes")
    assert talk.say(talk.ann, "STOP PEER")["replies"] == ["opted_out"]
    assert talk.opted_in(talk.ann) is False and talk.response(talk.pair, talk.ann) is None
    told = talk.say(talk.bo, "yes", 10.2)
    assert (told["contacts_exchanged"], told["replies"]) == (False, ["accepted"])
    assert talk.say(talk.ann, "yes", 10.3)["replies"] == ["help"] and talk.responses(talk.pair)[2] is False
    talk.deliver()
    assert all(talk.dispatch(hour)["queued"] == 0 for hour in (10.45, 12.2, 14.45, 16.6))
    expect_error(talk.conn, "55000", "SELECT convene.send_peer_introduction(%s, NULL, %s)", [talk.pair, talk.at(11)], detail="agreed")
    expect_error(talk.conn, "55000", "SELECT convene.record_peer_response(%s, %s, true, %s)", [talk.pair, talk.ann.id, talk.at(11)])
    assert talk.say(talk.ann, "START PEER", 12.4)["replies"] == ["opted_in"]
    assert talk.opted_in(talk.ann) is True and talk.responses(talk.pair)[2] is False
    assert talk.dispatch(14.45)["queued"] == 0  # it is lunch or the end that asks about the best matches again
    assert talk.dispatch(16.6)["by_kind"] == {"networking": 1}
    assert talk.say(talk.ann, "yes", 16.7)["contacts_exchanged"] is True


def test_an_opt_out_between_the_yes_and_the_sending_withdraws_the_contacts(talk):
    talk.introduce(talk.pair)
    talk.deliver()
    for who in (talk.ann, talk.bo):
        talk.say(who, "yes")
    with as_role(talk.conn, "authenticated", talk.ann.sub):
        assert talk.conn.execute("UPDATE convene.event_attendees SET peer_matching_opt_in = false").rowcount == 1
    assert [kind for _, kind, _ in talk.deliver() if kind == "contact_exchange"] == []
    assert talk.sent(talk.bo, "contact_exchange", statuses=("cancelled",)) == ["contact_exchange"]


def test_a_registration_that_is_cancelled_ends_it_too(talk):
    attendee = talk.one("INSERT INTO convene.attendees (event_id, full_name) VALUES (%s, 'Ann') RETURNING id", talk.event)
    talk.conn.execute("UPDATE convene.event_attendees SET attendee_id = %s WHERE contractor_id = %s", [attendee, talk.ann.id])
    talk.introduce(talk.pair)
    talk.conn.execute("UPDATE convene.attendees SET status = 'cancelled' WHERE id = %s", [attendee])
    assert talk.deliver() == [] and talk.dispatch(12.2)["queued"] == 0


@pytest.mark.parametrize("blocker", ["ann", "bo"])
@pytest.mark.parametrize("when", ["before", "asked", "one yes", "both yes"])
def test_a_block_ends_it_at_every_step_and_is_not_told(talk, blocker, when):
    def block():
        one, other = (talk.ann, talk.bo) if blocker == "ann" else (talk.bo, talk.ann)
        with as_role(talk.conn, "authenticated", one.sub):
            talk.conn.execute("INSERT INTO convene.person_blocks (blocker_profile, blocked_profile) VALUES (%s, %s)", [one.sub, other.sub])

    if when == "before":
        block()
        expect_error(talk.conn, "55000", "SELECT convene.send_peer_introduction(%s, NULL, %s)", [talk.pair, talk.at(10)], detail="does not want")
        return
    talk.introduce(talk.pair)
    if when == "asked":
        block()
        assert talk.deliver() == []
    talk.say(talk.ann, "yes")
    if when == "one yes":
        block()
    told = talk.say(talk.bo, "yes")
    assert told["contacts_exchanged"] is (when == "both yes")
    if when == "both yes":
        block()
    else:
        assert told["replies"] in (["accepted"], ["help"])
    assert [kind for _, kind, _ in talk.deliver() if kind == "contact_exchange"] == []


def test_nobody_consents_for_somebody_else(talk):
    organizer = talk.person("Org", opt_in=False)
    talk.conn.execute("INSERT INTO convene.organization_members (organization_id, profile_id, member_role) VALUES (%s, %s, 'organizer')",
                      [talk.organization, organizer.sub])
    answer = "SELECT convene.record_peer_response(%s, %s, true)"
    for sub in (organizer.sub, talk.bo.sub):
        with as_role(talk.conn, "authenticated", sub):
            expect_error(talk.conn, "42501", answer, [talk.pair, talk.ann.id])
            expect_error(talk.conn, "42501", "SELECT convene.handle_peer_message(%s, 'YES')", [talk.ann.phone])
            expect_error(talk.conn, "42501", "UPDATE convene.event_peer_matches SET contractor1_response = true, contractor2_response = true")
            expect_error(talk.conn, "42501", "INSERT INTO convene.peer_messages (direction, status) VALUES ('in', 'received')")
    with as_role(talk.conn, "authenticated", organizer.sub):
        talk.conn.execute("SELECT convene.send_peer_introduction(%s)", [talk.pair])
        expect_error(talk.conn, "42501", "SELECT convene.send_peer_introduction(%s, NULL, now() + '1 day')", [talk.pair], message="another time")
    with as_role(talk.conn, "authenticated", talk.ann.sub):
        assert talk.one(answer, talk.pair, talk.ann.id)["response"] is True
        expect_error(talk.conn, "42501", "SELECT convene.send_peer_introduction(%s)", [talk.pair])


def test_a_phone_of_two_is_ambiguous_and_changes_nothing(talk):
    talk.introduce(talk.pair)
    talk.person("Twin", phone=re.sub(r"\D", "", talk.ann.phone))
    for body in ("YES", "NO", "STOP", "STOP PEER", "9"):
        told = talk.say(talk.ann, body)
        assert (told["understood"], told["replies"], told["contractor_id"]) == ("ambiguous", [], None)
    assert talk.responses(talk.pair) == (None, None, False) and talk.opted_in(talk.ann) is True
    assert talk.say("+49 30 1234567", "YES")["understood"] == "unknown_sender"
    assert [kind for _, kind, _ in talk.deliver()] == ["introduction"] * 2


@pytest.mark.parametrize("spelling", ["{0}", "1{0}", "+1{0}", "+1 {0}", "001{0}", "({1}) {2}"])
def test_a_phone_is_known_by_any_of_its_spellings(talk, spelling):
    number = re.sub(r"\D", "", talk.ann.phone)[1:]
    assert talk.say(spelling.format(number, number[:3], number[3:]), "hm")["contractor_id"] == str(talk.ann.id)


def test_machines_do_not_talk_for_ever(talk):
    told = [talk.say(talk.ann, f"I am away until {day}. {day}", 10)["replies"] for day in range(11, 41)]
    assert told == [["help"]] * 20 + [[]] * 10
    assert talk.say(talk.ann, "hm?", 11.01)["replies"] == ["help"]


# Texts ------------------------------------------------------------------------------------------------------------------

def test_an_event_has_its_own_words_and_a_match_may_have_others(talk):
    talk.conn.execute("INSERT INTO convene.message_templates (event_id, phase, body) VALUES (%s, 'introduction', %s)",
                      [talk.event, "{firstName}: {peerName}, {peerCompany}, {peerLocation}, {commonFocusAreas}. {matchReason}"])
    talk.conn.execute("UPDATE convene.contractors SET focus_areas = '{Hiring,Ops}' WHERE id = %s", [talk.ann.id])
    talk.conn.execute("UPDATE convene.contractors SET focus_areas = '{ops,hiring ,x}', first_name = E'{peerPhone}\\nBo' WHERE id = %s", [talk.bo.id])
    talk.introduce(talk.pair)
    bodies = {to: body for to, _, body in talk.deliver()}
    assert bodies[talk.ann.phone] == "Ann: {peerPhone} Bo Test, Bo Co, Tempe, AZ, Hiring and Ops. Both focused on hiring."
    cy = talk.person("Cy", company_name=None, city=None, state=None)
    other = talk.match(talk.bo, cy)
    talk.introduce(other, 12, "Dear {firstName}, meet {peerName} of {peerCompany} ({peerLocation})!")
    assert {to: body for to, _, body in talk.deliver()}[cy.phone] == "Dear Cy, meet {peerPhone} Bo Test of Bo Co (Tempe, AZ)!"
    talk.say(talk.bo, "no", 12.1)


@pytest.mark.parametrize("message, told", [
    ("{peerPhone}", r"\{peerPhone\}"), ("{firstname}", r"\{firstname\}"), ("{", "brace"), ("", "0 letters"), ("call {0}", "phone number"), ("write to {1}", "email"),
])
def test_a_text_of_ones_own_gives_nothing_away(talk, message, told):
    text = message.replace("{0}", talk.bo.phone).replace("{1}", talk.ann.email.upper())
    expect_error(talk.conn, "22023", "SELECT convene.send_peer_introduction(%s, %s, %s)", [talk.pair, text, talk.at(10)], message=told)
    assert talk.deliver() == []


def test_the_templates_accept_what_is_filled_in_and_nothing_else(talk):
    """The trigger's list and the engine's are the same: what the one accepts the other fills in."""
    phases = [row[0] for row in talk.conn.execute("SELECT DISTINCT phase FROM convene.message_templates")]
    names = ["firstName", "eventTitle", "peerName", "peerFirstName", "peerCompany", "peerLocation", "commonFocusAreas", "matchReason", "marketNote",
             "location", "minutes", "nextBreak", "peerPhone", "peerEmail", "other"]
    accepted = set()
    for name in names:
        try:
            with talk.conn.transaction():
                talk.conn.execute("INSERT INTO convene.message_templates (phase, language, body) VALUES ('introduction', 'xx', %s)", [f"{{{name}}}"])
            accepted.add(name)
            talk.conn.execute("DELETE FROM convene.message_templates WHERE language = 'xx'")
        except Exception:
            pass
        if name in accepted:
            talk.conn.execute("SAVEPOINT s")
            talk.introduce(talk.pair, 10, f"{{{name}}}!")
            talk.conn.execute("ROLLBACK TO s")
        else:
            expect_error(talk.conn, "22023", "SELECT convene.send_peer_introduction(%s, %s, %s)", [talk.pair, f"{{{name}}}!", talk.at(10)])
    assert len(phases) == 17 and accepted == set(names) - {"peerPhone", "peerEmail", "other"}
