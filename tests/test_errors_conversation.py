"""Every function of the conversation and of the outbox, every argument: the stated SQLSTATE, and a message that names the value."""

import uuid

import pytest

from lib.arguments import argument_tests, filled, ids, limits
from lib.talk import Talk

pytestmark = pytest.mark.errors

U = str(uuid.UUID(int=0xBAD))
HUGE = "repeat('x', 10000000)"
NOW = [("NULL", "22004", "p_now")] + [
    (f"'{moment}'", "22023", "p_now") for moment in ("infinity", "-infinity", "1999-12-31", "2201-01-01", "294276-12-31", "4713-01-01 BC")]
LEASE = [("NULL", "22004", "p_lease")] + [(f"'{lease}'", "22023", "p_lease") for lease in ("0", "-1 second", "25 hours", "170000000 years")]
TOKEN = [("NULL", "22004", "p_lease_token"), (f"'{U}'", "55000", "lease")]

# Function: (arguments that are well, what each may not be).
CASES = {
    "send_peer_introduction": ("p_match_id => :match, p_message => 'Hi {firstName}', p_now => :noon", {
        "p_match_id": ids(), "p_now": NOW,
        "p_message": [("''", "22023", "0 letters"), ("'  '", "22023", "2 letters"), (HUGE, "22023", "10000000 letters"), ("'{peerPhone}'", "22023", "peerPhone"),
                      ("'{firstname}'", "22023", "firstname"), ("'{'", "22023", "brace"), ("'}{'", "22023", "brace"), ("'{}'", "22023", "{}"),
                      ("'call +1 555 010 7777'", "22023", "phone number"), ("'ANN@talk.example!'", "22023", "email")]}),
    "record_peer_response": ("p_match_id => :match, p_contractor_id => :me, p_response => true, p_now => :noon", {
        "p_match_id": ids(), "p_contractor_id": ids() + [(":stranger", "22023", "is not one of match")],
        "p_response": [("NULL", "22004", "p_response")], "p_now": NOW}),
    "handle_peer_message": ("p_phone => '+15550107777', p_body => 'hello', p_now => :noon, p_external_id => 'SM1'", {
        "p_phone": [("NULL", "22004", "p_phone")] + [(phone, "22023", "p_phone") for phone in ("''", "'anonymous'", "'+'", HUGE, "repeat('1', 200)")],
        "p_body": [("NULL", "22004", "p_body")], "p_now": NOW,
        "p_external_id": [("''", "22023", "p_external_id"), (HUGE, "22023", "p_external_id")]}),
    "suggested_prompt_times": ("p_event_id => :event", {"p_event_id": ids()}),
    "dispatch_due_prompts": ("p_event_id => :event, p_now => :noon", {"p_event_id": ids(), "p_now": NOW}),
    "follow_up_due": ("p_now => :noon", {"p_now": NOW}),
    "claim_outbox": ("p_topic => 'sms', p_limit => 5, p_lease => '1 minute'", {
        "p_topic": [("NULL", "22004", "p_topic"), ("''", "22023", '""'), (HUGE, "22023", "p_topic")], "p_limit": limits(1000), "p_lease": LEASE}),
    "ack_outbox": ("p_id => :work, p_result => '{}', p_lease_token => :token", {
        "p_id": ids(), "p_result": [(f"to_jsonb({HUGE})", "54000", "10000002 bytes")], "p_lease_token": TOKEN}),
    "nack_outbox": ("p_id => :work, p_error => 'x', p_lease_token => :token, p_retry_after => '1 minute', p_permanent => false", {
        "p_id": ids(), "p_error": [("NULL", "22004", "p_error")], "p_lease_token": TOKEN, "p_permanent": [("NULL", "22004", "p_permanent")],
        "p_retry_after": [(f"'{after}'", "22023", "p_retry_after") for after in ("-1 second", "2 days", "170000000 years")]}),
}


@pytest.fixture(scope="module")
def names(db):
    """What the placeholders of CASES stand for."""
    with db.connect() as conn:
        conn.execute("SELECT convene.adopt_copy()")
        talk = Talk(conn, "talk", sessions=[("break", 10.5, 11)])
        me, peer, stranger = talk.person("Ann", phone="+1 (555) 010-7777", email="ann@talk.example"), talk.person("Bo"), talk.person("Cy")
        match = talk.match(me, peer)
        conn.execute("INSERT INTO convene.outbox (topic, target_kind, target_id) VALUES ('crm', 'lead', gen_random_uuid())")
        work, token = conn.execute("SELECT id, lease_token FROM convene.claim_outbox('crm', 1, '1 day')").fetchone()
    told = {"match": match, "me": me.id, "stranger": stranger.id, "event": talk.event, "noon": talk.at(12), "work": work, "token": token}
    return {key: f"'{value}'" for key, value in told.items()}


test_every_argument_has_its_cases, test_the_call_that_is_varied_is_well, test_wrong_arguments = argument_tests(CASES)


@pytest.mark.parametrize("statement", [
    "SELECT convene.handle_peer_message('+15550107777', repeat('ä', 5000000), :noon)",
    "SELECT convene.handle_peer_message('+15550107777', E'\\x01\\uFFFF', :noon)", "SELECT convene.handle_peer_message('5', '', :noon)",
    "SELECT convene.send_peer_introduction(:match, rpad('Hi', 1600, 'x'), :noon)", "SELECT convene.record_peer_response(:match, :me, false, :noon)",
    "SELECT convene.ack_outbox(:work, NULL, :token)", "SELECT convene.ack_outbox(:work, 'null', :token)",
    "SELECT convene.nack_outbox(:work, repeat('ä', 5000000), :token)", "SELECT convene.nack_outbox(:work, '', :token, NULL, true)",
    "SELECT * FROM convene.claim_outbox('nothing of the kind')", "SELECT * FROM convene.follow_up_due('2000-01-01Z')",
])
def test_odd_but_allowed(conn, names, statement):
    with conn.transaction(force_rollback=True):
        conn.execute(filled(statement, names)).fetchall()


@pytest.mark.parametrize("value", ["1e400", "-1e400", '"much"', "null", "[]", "{}", "true", "-5", "0", "1e-300", "99999999999999999999", '"25:00"'])
def test_odd_settings_never_break_a_call(conn, names, value):
    """A value of the wrong kind is either the default or an error that names the setting."""
    keys = [row[0] for row in conn.execute("SELECT key FROM convene.settings WHERE key ~ '^peers[.]'")]
    assert len(keys) >= 6
    for key in keys:
        for statement in ("SELECT convene.send_peer_introduction(:match, p_now => :noon)", "SELECT convene.dispatch_due_prompts(:event, :noon)",
                          "SELECT convene.handle_peer_message('+15550107777', 'yes', :noon)", "SELECT * FROM convene.claim_outbox('sms')"):
            with conn.transaction(force_rollback=True):
                conn.execute("SELECT convene.send_peer_introduction(:match, p_now => :noon)".replace(":match", names["match"]).replace(":noon", names["noon"]))
                conn.execute("UPDATE convene.settings SET value = %s::jsonb WHERE key = %s", [value, key])
                try:
                    with conn.transaction():
                        conn.execute(filled(statement, names)).fetchall()
                except Exception as error:
                    assert error.sqlstate == "55000" and key in str(error), (key, statement, error)
