"""Periodic work: by pg_cron, by CALL run_due_jobs(), and what is on record of it."""

import os
import threading
import time
from pathlib import Path

import psycopg
import pytest

from lib.access import as_role, expect_error
from lib.cluster import Cluster, pg_config
from lib.factory import make_event

pytestmark = pytest.mark.sql

# The documents' names and how often they want them run.
DOCUMENTED = {
    "create-next-month-partitions": "0 0 1 * *",
    "refresh-event-quality-scores": "0 3 * * *",
    "refresh-package-cards": "*/15 * * * *",
    "check-recalc-queue-health": "*/30 * * * *",
    "cleanup-recalc-queue": "30 3 * * *",
    "refresh-semantic-marketplace": "5 * * * *",
    "sponsorship-recalc": "*/5 * * * *",
}


def statuses(conn):
    """Of each job's last run: status and message."""
    return {job: (status, message) for job, status, message in
            conn.execute("SELECT job, status, message FROM convene.job_status()")}


def runs(conn, job):
    return conn.execute("SELECT status, done, message FROM convene.job_runs WHERE job = %s ORDER BY started_at", [job]).fetchall()


# One round by hand -------------------------------------------------------------------------------------------------


def test_the_documents_jobs_are_there(conn):
    known = dict(conn.execute("SELECT job, schedule FROM convene.job_status()").fetchall())
    assert {job: known.get(job) for job in DOCUMENTED} == DOCUMENTED


def test_a_round_runs_everything_and_records_it(fresh_db):
    with fresh_db.connect() as conn:
        assert {status for status, _ in statuses(conn).values()} == {None}
        conn.execute("CALL convene.run_due_jobs()")
        assert {job: said for job, said in statuses(conn).items() if said[0] != "done"} == {}
        assert all(row[0] for row in conn.execute("SELECT finished_at >= started_at FROM convene.job_runs"))
        assert [row for row in conn.execute("SELECT component, status FROM convene.health() WHERE component LIKE 'job %'")
                if row[1] != "ok"] == []


def test_a_round_leaves_out_what_is_not_due(fresh_db):
    with fresh_db.connect() as conn:
        conn.execute("CALL convene.run_due_jobs()")
        conn.execute("CALL convene.run_due_jobs()")
        assert len(runs(conn, "cleanup-recalc-queue")) == 1
        assert len(runs(conn, "sponsorship-recalc")) == 2
        conn.execute("UPDATE convene.job_runs SET started_at = started_at - interval '25 hours' WHERE job = 'cleanup-recalc-queue'")
        assert "cleanup-recalc-queue" in conn.execute("SELECT convene.due_jobs()").fetchone()[0]
        conn.execute("CALL convene.run_due_jobs(p_all => true)")
        assert len(runs(conn, "refresh-package-cards")) == 2


def test_a_clock_that_was_set_back_keeps_no_job_waiting(fresh_db):
    with fresh_db.connect() as conn:
        conn.execute("""INSERT INTO convene.job_runs (job, status, started_at, finished_at)
                        VALUES ('refresh-event-quality-scores', 'done', now() + interval '3 years', now() + interval '3 years')""")
        due = "SELECT 'refresh-event-quality-scores' = ANY (convene.due_jobs()), due FROM convene.job_status() WHERE job = 'refresh-event-quality-scores'"
        assert conn.execute(due).fetchone() == (True, True)
        conn.execute("CALL convene.run_job('refresh-event-quality-scores')")
        # Now there is a run that is not from the future, and it goes by that.
        assert conn.execute(due).fetchone() == (False, False)


def test_a_job_that_fails_is_recorded_and_keeps_nobody_waiting(fresh_db):
    with fresh_db.connect() as conn:
        conn.execute("ALTER TABLE convene.matches RENAME TO matches_away")
        conn.execute("CALL convene.run_due_jobs()")
        status, message = statuses(conn)["expire-matches"]
        assert status == "failed" and message.startswith("42P01 ") and "convene.matches" in message
        assert statuses(conn)["sponsorship-recalc"][0] == "done"
        health = conn.execute("SELECT status FROM convene.health() WHERE component = 'job expire-matches'").fetchone()
        assert health == ("error",)
        # Due again at once, and well again.
        conn.execute("ALTER TABLE convene.matches_away RENAME TO matches")
        conn.execute("CALL convene.run_due_jobs()")
        assert statuses(conn)["expire-matches"] == ("done", None)


def test_events_are_done_one_by_one(fresh_db):
    with fresh_db.connect() as conn:
        events = [make_event(conn, name, sessions=3, attendees=2, interactions=1) for name in ("broken", "whole")]
        conn.execute("UPDATE convene.events SET start_at = now() + interval '1 day', end_at = now() + interval '2 days'")
        conn.execute(f"""
            CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS
              $$ BEGIN RAISE 'not this one' USING ERRCODE = '22023'; END $$;
            CREATE TRIGGER refuse BEFORE INSERT ON convene.recommendation_cache FOR EACH ROW
              WHEN (NEW.event_id = '{events[0].id}') EXECUTE FUNCTION public.refuse()""")
        conn.execute("CALL convene.run_job('refresh-recommendations')")
        [(status, _, message)] = runs(conn, "refresh-recommendations")
        assert status == "failed" and str(events[0].id) in message and "not this one" in message
        kept = conn.execute("SELECT DISTINCT event_id FROM convene.recommendation_cache").fetchall()
        assert kept == [(events[1].id,)]


def test_an_event_is_done_until_it_is_over(fresh_db):
    """One without an end is not over before it is completed; drafts are nobody's business."""
    with fresh_db.connect() as conn:
        ends = {"running": ("published", "1 day"), "over": ("published", "-1 hour"), "open": ("published", None),
                "completed": ("completed", None), "draft": ("draft", None)}
        for title, (status, end) in ends.items():
            conn.execute("INSERT INTO convene.events (title, status, start_at, end_at) VALUES (%s, %s, now() - interval '2 days', now() + %s::interval)",
                         [title, status, end])
        targets = conn.execute("SELECT targets FROM convene.begin_job('refresh-recommendations')").fetchone()[0]
        titles = conn.execute("SELECT array_agg(title ORDER BY title) FROM convene.events WHERE id = ANY (%s)", [targets]).fetchone()[0]
        assert titles == ["open", "running"]


def test_two_sessions_do_not_run_a_job_twice_at_once(fresh_db):
    with fresh_db.connect() as conn, fresh_db.connect(autocommit=False) as other:
        other.execute("SELECT * FROM convene.begin_job('expire-matches')").fetchall()
        said = []
        conn.add_notice_handler(lambda notice: said.append(notice.message_primary))
        conn.execute("CALL convene.run_job('expire-matches')")
        assert said == ["another session is running expire-matches"] and runs(conn, "expire-matches") == []
        other.rollback()
        conn.execute("CALL convene.run_job('expire-matches')")
        assert [run[0] for run in runs(conn, "expire-matches")] == ["done"]


def test_a_run_between_two_of_its_portions_is_left_alone(fresh_db):
    with fresh_db.connect() as conn, fresh_db.connect() as other:
        running = ["INSERT INTO convene.job_runs (job, pid) VALUES ('expire-matches', %s)", [other.info.backend_pid]]
        conn.execute(*running)
        thread = threading.Thread(target=lambda: other.execute("SELECT pg_sleep(4)"))
        thread.start()
        while conn.execute("SELECT state FROM pg_stat_activity WHERE pid = %s", [other.info.backend_pid]).fetchone() != ("active",):
            time.sleep(0.02)
        told = []
        conn.add_notice_handler(lambda notice: told.append(notice.message_primary))
        conn.execute("CALL convene.run_job('expire-matches')")
        assert told == ["another session is running expire-matches"]
        assert conn.execute("SELECT status, message FROM convene.job_runs").fetchall() == [("running", None)]
        # Its session does nothing any more, so that run is not going on.
        thread.join()
        conn.execute("CALL convene.run_job('expire-matches')")
        assert conn.execute("SELECT status FROM convene.job_runs ORDER BY started_at").fetchall() == [("failed",), ("done",)]


def test_a_run_that_died_is_recorded_as_failed_by_the_next(fresh_db):
    with fresh_db.connect() as conn:
        with fresh_db.connect() as dead:  # it begins, and is never heard of again
            dead.execute("SELECT * FROM convene.begin_job('expire-matches')").fetchall()
        conn.execute("CALL convene.run_job('expire-matches')")
        assert runs(conn, "expire-matches") == [
            ("failed", 0, "its session ended before it did"), ("done", 0, None)]


def test_jobs_are_for_the_owner(fresh_db):
    with fresh_db.connect() as conn:
        for role in ("anon", "authenticated", "service_role"):
            for call in ("CALL convene.run_due_jobs()", "CALL convene.run_job('expire-matches')", "SELECT convene.schedule_jobs()"):
                with as_role(conn, role), pytest.raises(psycopg.errors.InsufficientPrivilege):
                    conn.execute(call)
        expect_error(conn, "22023", "CALL convene.run_job('make-tea')", message="make-tea", hint="expire-matches")
        expect_error(conn, "22004", "CALL convene.run_job(NULL)", message="p_job")
        expect_error(conn, "22004", "CALL convene.run_due_jobs(NULL)", message="p_all")


def test_a_hostile_path_changes_nothing(fresh_db):
    """A procedure that commits cannot pin its path by a SET clause; it pins it by hand, for each of its transactions."""
    with fresh_db.connect() as conn:
        conn.execute("""
            CREATE SCHEMA trap;
            CREATE FUNCTION trap.taken(bigint, integer) RETURNS boolean LANGUAGE plpgsql AS
              $$ BEGIN RAISE 'TRAPPED'; END $$;
            CREATE OPERATOR trap.> (LEFTARG = bigint, RIGHTARG = integer, FUNCTION = trap.taken);
            CREATE OPERATOR trap.= (LEFTARG = bigint, RIGHTARG = integer, FUNCTION = trap.taken);
            CREATE FUNCTION trap.hashtext(text) RETURNS integer LANGUAGE plpgsql AS $$ BEGIN RAISE 'TRAPPED'; END $$;
            CREATE FUNCTION trap.set_config(text, text, boolean) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'TRAPPED'; END $$;
            SET search_path = trap, pg_catalog""")
        conn.execute("CALL convene.run_due_jobs(true)")
        assert conn.execute("SHOW search_path").fetchone() == ("trap, pg_catalog",)
        assert conn.execute("SELECT job, message FROM convene.job_runs WHERE status OPERATOR(pg_catalog.<>) 'done'").fetchall() == []


def test_without_pg_cron_the_refusal_says_what_to_do(conn):
    for call in ("SELECT convene.schedule_jobs()", "SELECT convene.unschedule_jobs()"):
        expect_error(conn, "55000", call, message="pg_cron is not there", hint="run_due_jobs")
    assert {row[0] for row in conn.execute("SELECT scheduled FROM convene.job_status()")} == {None}


# pg_cron -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def crontab():
    """A server that loads pg_cron for the database it yields."""
    if not (Path(pg_config("sharedir")) / "extension" / "pg_cron.control").exists():
        pytest.skip("this platform has no package of pg_cron")
    cluster = Cluster(f"{os.environ.get('CONVENE_TEST_CLUSTER', 'test')}-cron")
    cluster.start(shared_preload_libraries="pg_cron", **{"cron.database_name": "convene_cron", "cron.host": cluster.host})
    try:
        home = cluster.create_database("convene_cron")
        with home.connect() as conn:
            conn.execute("CREATE EXTENSION convene CASCADE")
            conn.execute("SELECT convene.install()")
        yield home
    finally:
        cluster.stop()


def test_pg_cron_runs_the_jobs(crontab):
    with crontab.connect() as conn:
        expect_error(conn, "55000", "SELECT convene.schedule_jobs()", message="not created in it", hint="CREATE EXTENSION pg_cron")
        conn.execute("CREATE EXTENSION pg_cron")
        scheduled = conn.execute("SELECT job, schedule, job_id, statement FROM convene.schedule_jobs()").fetchall()
        listed = conn.execute("SELECT jobname, schedule, jobid, command, database, username FROM cron.job").fetchall()
        assert {row[:3] for row in scheduled} == {row[:3] for row in listed}
        assert DOCUMENTED.items() <= {job: schedule for job, schedule, *_ in listed}.items()
        assert {row[4:] for row in listed} == {("convene_cron", "postgres")}
        assert conn.execute("SELECT bool_and(scheduled) FROM convene.job_status()").fetchone() == (True,)
        # Again: nothing is doubled.
        conn.execute("SELECT convene.schedule_jobs()")
        assert conn.execute("SELECT count(*) FROM cron.job").fetchone() == (len(listed),)
        # And one of them really fires, within the minute that pg_cron looks at its list.
        job = next(row[2] for row in listed if row[0] == "sponsorship-recalc")
        conn.execute("SELECT cron.alter_job(%s, schedule => '* * * * *')", [job])
        deadline = time.monotonic() + 150
        while not runs(conn, "sponsorship-recalc") and time.monotonic() < deadline:
            time.sleep(0.5)
        told = conn.execute("SELECT status, return_message FROM cron.job_run_details").fetchall()
        assert [run[0] for run in runs(conn, "sponsorship-recalc")][:1] in (["done"], ["running"]), told


def test_unscheduling_takes_back_what_was_scheduled_and_no_more(crontab):
    with crontab.connect() as conn:
        conn.execute("SELECT cron.schedule('my own', '0 4 * * *', 'SELECT 1')")
        conn.execute("SELECT convene.schedule_jobs()")
        count = conn.execute("SELECT count(*) FROM cron.job WHERE jobname <> 'my own'").fetchone()[0]
        assert conn.execute("SELECT convene.unschedule_jobs()").fetchone() == (count,)
        assert conn.execute("SELECT jobname FROM cron.job").fetchall() == [("my own",)]
        assert conn.execute("SELECT bool_or(scheduled) FROM convene.job_status()").fetchone() == (False,)


def test_elsewhere_the_statements_are_told_and_work(crontab):
    """pg_cron lives in one database; the statements for it are run there, and then the job is run here."""
    other = crontab.cluster.create_database("elsewhere")
    with other.connect() as conn, crontab.connect() as home:
        conn.execute("CREATE EXTENSION convene CASCADE")
        conn.execute("SELECT convene.install()")
        told = conn.execute("SELECT job, job_id, statement FROM convene.schedule_jobs()").fetchall()
        assert told and {row[1] for row in told} == {None}
        with home.transaction():
            for _, _, statement in told:
                home.execute(statement)
            # Here they are only looked at: none may run by itself, should its minute come.
            home.execute("SELECT cron.alter_job(jobid, active => false) FROM cron.job WHERE database = 'elsewhere'")
        there = home.execute("SELECT jobname, command FROM cron.job WHERE database = 'elsewhere'").fetchall()
        assert sorted(job for job, _ in there) == sorted(row[0] for row in told)
        conn.execute(dict(there)["expire-matches"])
        assert [run[0] for run in runs(conn, "expire-matches")] == ["done"]
        home.execute("SELECT cron.unschedule(jobid) FROM cron.job WHERE database = 'elsewhere'")
    other.drop()
