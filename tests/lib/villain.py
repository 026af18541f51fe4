"""Traps for whoever steps on them: a function that tells as whom it ran and grabs what it can."""

import json
from contextlib import contextmanager, nullcontext

from .access import as_role

VILLAIN = "villain"

# Everything that somebody else's rights would be good for, each tried by itself.
STRIKE = """
CREATE SCHEMA lair;
GRANT USAGE ON SCHEMA lair TO PUBLIC;
CREATE FUNCTION lair.strike(how text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    attempt text;
    taken text[] := '{}';
BEGIN
    FOREACH attempt IN ARRAY ARRAY[
        'ALTER ROLE villain SUPERUSER', 'GRANT service_role TO villain', 'CREATE ROLE villains_own LOGIN',
        'SET LOCAL ROLE service_role', 'SET LOCAL ROLE postgres', 'SET LOCAL SESSION AUTHORIZATION postgres',
        'COPY (SELECT 1) TO PROGRAM ''cat''', 'CREATE TEMP TABLE left_behind ()'
    ] LOOP
        BEGIN
            EXECUTE attempt;
            taken := taken || attempt;
        EXCEPTION WHEN OTHERS THEN
            NULL;
        END;
    END LOOP;
    PERFORM pg_catalog.set_config('search_path', 'lair, public', false);
    PERFORM pg_catalog.set_config('request.jwt.claims', '{"sub": "00000000-0000-0000-0000-000000000000"}', false);
    RAISE WARNING 'STRIKE %', pg_catalog.jsonb_build_object('how', how, 'user', current_user, 'session', session_user,
        'superuser', (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user), 'taken', taken);
    RETURN true;
END $$;
GRANT EXECUTE ON FUNCTION lair.strike(text) TO PUBLIC;
"""


@contextmanager
def strikes(connection):
    """What the traps told while the block ran, as a list of dictionaries that grows."""
    found = []

    def listen(notice):
        if (notice.message_primary or "").startswith("STRIKE "):
            found.append(json.loads(notice.message_primary.removeprefix("STRIKE ")))

    connection.add_notice_handler(listen)
    try:
        yield found
    finally:
        connection.remove_notice_handler(listen)


def acting(connection, role, sub):
    """As somebody, or as whoever is connected where there is no role."""
    return as_role(connection, role, sub) if role else nullcontext()


def harmful(found):
    """The strikes that got hold of more than the villain has anyway; a temporary table is what anybody may make."""
    return [
        strike for strike in found
        if strike["user"] != VILLAIN or strike["superuser"] or set(strike["taken"]) - {"CREATE TEMP TABLE left_behind ()"}
    ]


def prepare(connection, event):
    """Gives `every_call` a recommendation and a job to speak of, and opens the queue."""
    for person in event.people:
        rows = connection.execute(
            "SELECT recommendation_id FROM convene.serve_session_recommendations(%s, %s)", [person.id, event.id]
        ).fetchall()
        if person is event.people[0]:
            event.served = rows[0][0]
    connection.execute("SELECT convene.adopt_copy(), convene.add_embedding_model('test-model-8', 8)")
    event.job = connection.execute("SELECT job_id, lease_token FROM convene.claim_embedding_jobs(1)").fetchone()
    event.members = connection.execute(
        """SELECT p.proname::text, coalesce(p.proargnames[1:p.pronargs - p.pronargdefaults], '{}'),
                  ARRAY(SELECT format_type(t, NULL) FROM unnest((p.proargtypes::oid[])[0:p.pronargs - p.pronargdefaults - 1]) t)
           FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_depend d ON d.objid = p.oid AND d.deptype = 'e'
           JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid AND e.extname = 'convene'
           WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND p.prokind = 'f' ORDER BY 1""").fetchall()


# Values for arguments that nothing is known of but their type.
SOMETHING = {
    "uuid": "gen_random_uuid()", "integer": "3", "bigint": "3", "text": "'read'", "jsonb": "'{}'", "boolean": "true", "numeric": "1",
    "timestamp with time zone": "pg_catalog.now()", "interval": "interval '1 minute'", "uuid[]": "'{}'", "text[]": "'{}'", "real[]": "'{1}'",
    "double precision": "1", "double precision[]": "'{1}'", "boolean[]": "'{true}'", "date": "current_date",
}


def every_call(event):
    """{member: (arguments, parameters)}, with arguments that get the first person of the event as far as they can."""
    known = {"p_attendee_id": event.people[0].id, "p_event_id": event.id, "p_session_id": event.sessions[0],
             "p_profile_id": event.people[0].sub}
    calls = {}
    for name, arguments, types in event.members:
        values = [f"'{known[argument]}'" if argument in known else SOMETHING[kind] for argument, kind in zip(arguments, types)]
        calls[name] = (f"({', '.join(values)})", [])
    return calls | _chosen(event)


def _chosen(event):
    """Members that get farther with arguments of their own."""
    person, session = event.people[0].id, event.sessions[0]
    job, token = event.job
    return {
        "install": ("(true)", []),
        "migrate": ("()", []),
        "uninstall": ("(%s)", [event.label]),
        "grant_api": ("('anon', 'authenticated', 'service_role')", []),
        "create_api_roles": ("()", []),
        "add_embedding_model": ("('another', 5, true)", []),
        "adopt_copy": ("()", []),
        "check_threads": ("(0, NULL)", []),
        "email": ("()", []),
        "uid": ("()", []),
        "claim": ("('role')", []),
        "embed_text": ("('text')", []),
        "library_version": ("()", []),
        "surface": ("()", []),
        "get_session_recommendations": ("(%s, %s)", [person, event.id]),
        "serve_session_recommendations": ("(%s, %s)", [person, event.id]),
        "submit_recommendation_feedback": ("(%s, 'bookmarked')", [event.served]),
        "record_session_interaction": ("(%s, %s, 'attended')", [person, event.sessions[3]]),
        "update_attendee_preferences": ("(%s, %s, '{\"preferred_topics\": [\"ai\"]}')", [person, event.id]),
        "find_similar_sessions": ("(%s)", [session]),
        "get_personal_agenda": ("(%s, %s)", [person, event.id]),
        "get_exhibitor_recommendations": ("(%s, %s)", [person, event.id]),
        "get_content_recommendations": ("(%s, %s)", [person, event.id]),
        "refresh_event_recommendations": ("(%s, true)", [event.id]),
        "recommendation_metrics": ("(%s)", [event.id]),
        "evaluate_recommender": ("(%s)", [event.id]),
        "embed_pending": ("()", []),
        "claim_embedding_jobs": ("(1)", []),
        "complete_embedding_job": ("(%s, '{1,2,3,4,5,6,7,8}', 'test-model-8', %s)", [job, token]),
        "fail_embedding_job": ("(%s, 'e', %s)", [job, token]),
    }
