"""CRM sync, every argument: the stated SQLSTATE, a message that names the value, nothing half-written. Arguments are written as
SQL, so that anything can be said; who may call is in tests/test_steal.py."""

import pytest

from lib.access import as_role, expect_error, sqlstate
from lib.arguments import HUGE, U, argument_tests, call, filled
from lib.crm import claim, make_leads, make_sponsor, queue
from lib.factory import make_event

pytestmark = pytest.mark.errors

UNKNOWN = [("NULL", "22004", "p_"), (f"'{U}'", "P0002", U)]
TOKEN = [("NULL", "22004", "p_lease_token"), (f"'{U}'", "55000", "lease")]
WORDS = [("''", "22023", '""'), ("'Salesforce'", "22023", "Salesforce"), ("'hubspot '", "22023", "hubspot "),
         ("'zoho'", "22023", "zoho"), (HUGE, "22023", "p_crm_type")]

# Function: (arguments that are well, what each may not be).
CASES = {
    "queue_crm_sync": (
        "p_sponsor_id => :sponsor, p_crm_type => 'hubspot', p_min_lead_score => 0, p_sync_fields => '{lead_score}'", {
            "p_sponsor_id": UNKNOWN,
            "p_crm_type": [("NULL", "22004", "p_crm_type"), *WORDS],
            "p_min_lead_score": [("NULL", "22004", "p_min_lead_score")] + [
                (value, "22023", f"not {value}$") for value in ("-1", "101", "2147483647", "-2147483648")],
            "p_sync_fields": [
                ("NULL", "22004", "p_sync_fields"), ("'{}'", "22023", "p_sync_fields is empty"),
                ("'{lead_score,NULL}'", "22004", r"p_sync_fields\[2\]"), ("'{notes}'", "22023", '"notes"'),
                ("'{lead_score,\"\"}'", "22023", '""'), ("'{Lead_score}'", "22023", "Lead_score"),
                (f"ARRAY[{HUGE}]", "22023", "p_sync_fields")]}),
    "claim_crm_sync": ("p_limit => 1, p_lease => '1 minute', p_crm_type => 'hubspot'", {
        "p_limit": [("NULL", "22004", "p_limit")] + [
            (value, "22023", f"p_limit must be between 1 and 1000, not {value}$") for value in ("0", "-1", "1001", "2147483647")],
        "p_lease": [("NULL", "22004", "p_lease")] + [
            (f"'{lease}'", "22023", "p_lease") for lease in ("0", "-1 second", "25 hours", "1 month", "170000000 years")],
        "p_crm_type": WORDS}),
    "complete_crm_sync": ("p_job_id => :job, p_crm_lead_id => '1', p_lease_token => :token", {
        "p_job_id": UNKNOWN,
        "p_crm_lead_id": [("NULL", "22004", "p_crm_lead_id"), ("''", "22023", '""'), ("E' \\n'", "22023", "p_crm_lead_id"),
                          ("repeat('x', 256)", "22023", "xxx"), (HUGE, "22023", "p_crm_lead_id")],
        "p_lease_token": TOKEN}),
    "fail_crm_sync": ("p_job_id => :job, p_error => 'x', p_lease_token => :token, p_retry_after => NULL", {
        "p_job_id": UNKNOWN, "p_error": [("NULL", "22004", "p_error")], "p_lease_token": TOKEN,
        "p_retry_after": [(f"'{wait}'", "22023", "p_retry_after") for wait in ("-1 second", "25 hours", "1 month", "-170000000 years")]}),
}
WELL = [
    "queue_crm_sync(:sponsor, 'pipedrive')", "queue_crm_sync(:sponsor, 'pipedrive', 100)",
    "queue_crm_sync(:sponsor, 'salesforce', 0, '{lead_score,lead_score,contact_info}')", "claim_crm_sync()",
    "claim_crm_sync(1000, '1 day')", "claim_crm_sync(1, '1 second', NULL)", "complete_crm_sync(:job, repeat('é', 255), :token)",
    "fail_crm_sync(:job, '', :token)", "fail_crm_sync(:job, repeat('ä', 5000000), :token)",
    "fail_crm_sync(:job, 'x', :token, '0')", "fail_crm_sync(:job, 'x', :token, '1 day')",
]


@pytest.fixture(scope="module")
def names(db):
    """What the placeholders of CASES stand for."""
    with db.connect() as conn:
        conn.execute("SELECT convene.adopt_copy()")
        event = make_event(conn, "alpha", sessions=1)
        sponsor = make_sponsor(conn, event, "acme")
        make_leads(conn, event, sponsor, range(3))
        queue(conn, sponsor)
        job, = claim(conn, 1, "1 day")
    return {"sponsor": f"'{sponsor.id}'", "job": f"'{job.job_id}'", "token": f"'{job.lease_token}'"}


test_every_argument_has_its_cases, test_the_call_that_is_varied_is_well, test_wrong_arguments = argument_tests(
    CASES, hinted=lambda parameter: True)


@pytest.mark.parametrize("statement", WELL)
def test_the_limits_themselves_are_allowed(conn, names, statement):
    with conn.transaction(force_rollback=True):
        conn.execute(filled(f"SELECT * FROM convene.{statement}", names)).fetchall()


@pytest.mark.parametrize("value", ["1e400", "-1e400", "\"much\"", "null", "[]", "{}", "true", "-5", "0", "1e-300", "99999999999999999999"])
def test_odd_settings_never_break_a_call(conn, names, value):
    for key in ("queue.max_attempts", "queue.backoff_base_seconds", "queue.backoff_cap_seconds"):
        with conn.transaction(force_rollback=True):
            conn.execute("UPDATE convene.settings SET value = %s::jsonb WHERE key = %s", [value, key])
            conn.execute(filled("SELECT convene.fail_crm_sync(:job, 'x', :token)", names))
            conn.execute("SELECT * FROM convene.claim_crm_sync()")


def test_who_may_not_is_told_so_before_values_are_looked_at(conn, names):
    with as_role(conn, "authenticated", U):
        for name, (well, wrong) in CASES.items():
            for parameter, values in wrong.items():
                if parameter != "p_sponsor_id":
                    expect_error(conn, "42501", call(name, well, names, parameter, values[0][0]))


@pytest.mark.parametrize("statement, code, told", [
    (f"complete_crm_sync('{U}', '1', '{U}')", "P0002", "PT404"), (f"fail_crm_sync(:job, 'x', '{U}')", "55000", "PT409"),
    ("queue_crm_sync(:sponsor, 'zoho')", "22023", "22023"), (f"queue_crm_sync('{U}', 'hubspot')", "P0002", "PT404"),
])
def test_codes_behind_postgrest(conn, names, statement, code, told):
    statement = filled(f"SELECT convene.{statement}", names)
    assert sqlstate(conn, statement).sqlstate == code
    with conn.transaction(force_rollback=True):
        conn.execute("SELECT set_config('request.method', 'POST', true)")
        assert sqlstate(conn, statement).sqlstate == told
