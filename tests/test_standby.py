"""Functions that answer a question work on a hot standby, and give the primary's answers."""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg
import pytest

from lib.cluster import Cluster, server_program
from lib.factory import bookmark, ident, make_event

pytestmark = pytest.mark.sql
# PostgreSQL refuses to run as root, so root lends its servers to the user postgres.
AS_SERVER_USER = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []


def run(program, *arguments):
    command = [*AS_SERVER_USER, server_program(program), *map(str, arguments)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd="/")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def pair():
    """A primary with an event, and a standby that has caught up; yields the event and both connections."""
    primary = Cluster(f"{os.environ.get('CONVENE_TEST_CLUSTER', 'test')}-up").start(wal_level="replica")
    folder = Path(tempfile.mkdtemp(prefix="convene-standby-"))
    try:
        if AS_SERVER_USER:
            shutil.chown(folder, "postgres")
        database = primary.create_database("convene_up")
        with database.connect() as conn:
            conn.execute("CREATE EXTENSION convene CASCADE")
            conn.execute("SELECT convene.install()")
            event = make_event(conn, "standby", sessions=40, attendees=30, embeddings=32, interactions=8)
            bookmark(conn, event, person=0, session=3)
            conn.execute("SELECT convene.refresh_event_recommendations(%s, true)", [event.id])
            conn.execute("INSERT INTO convene.sponsors (id, event_id, company_name) VALUES (%s, %s, 'S')", [ident("standby", "sponsor"), event.id])
            conn.execute("INSERT INTO convene.sponsor_profiles (sponsor_id, annual_budget_cents) VALUES (%s, 5000000)", [ident("standby", "sponsor")])
            conn.execute("INSERT INTO convene.sponsorship_packages (id, event_id, package_name, tier, price_cents, total_available)"
                         " VALUES (%s, %s, 'Gold', 'gold', 100, 1)", [ident("standby", "package"), event.id])
            conn.execute("CREATE TABLE public.standby_marks (mark bigint GENERATED ALWAYS AS IDENTITY)")
            run("pg_basebackup", "-h", primary.host, "-p", 5432, "-U", "postgres", "-D", folder / "data", "-R", "-c", "fast", "-X", "stream")
            options = f"-c listen_addresses='' -c port=5432 -c unix_socket_directories='{folder}'"
            run("pg_ctl", "-D", folder / "data", "-w", "-l", folder / "log", "-o", options, "start")
            try:
                with psycopg.connect(host=str(folder), port=5432, user="postgres", dbname="convene_up", autocommit=True) as standby:
                    catch_up(conn, standby)
                    yield event, conn, standby
            finally:
                run("pg_ctl", "-D", folder / "data", "-m", "immediate", "stop")
    finally:
        primary.stop()
        shutil.rmtree(folder, ignore_errors=True)


def catch_up(primary, standby):
    """Waits until a row that is committed now is seen on the standby. Positions in the log would not do: the insert position
    can stand behind a page header that no record follows until the server has something to write."""
    mark = primary.execute("INSERT INTO public.standby_marks DEFAULT VALUES RETURNING mark").fetchone()[0]
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if standby.execute("SELECT coalesce(max(mark), 0) >= %s FROM public.standby_marks", [mark]).fetchone()[0]:
            return
        time.sleep(0.05)
    raise AssertionError(f"the standby did not catch up: {primary.execute('TABLE pg_stat_replication').fetchall()}")


READS = {
    "recommendations": "SELECT * FROM convene.get_session_recommendations(%(who)s, %(event)s, 10, 'hybrid', %(now)s)",
    "recommendations beyond the kept ones": "SELECT * FROM convene.get_session_recommendations(%(who)s, %(event)s, 30, 'hybrid', %(now)s)",
    "similar": "SELECT * FROM convene.find_similar_sessions(%(session)s)",
    "agenda": "SELECT * FROM convene.get_personal_agenda(%(who)s, %(event)s, NULL, NULL, %(now)s)",
    "material": "SELECT count(*) FROM convene.get_content_recommendations(%(who)s, %(event)s)",
    "exhibitors": "SELECT count(*) FROM convene.get_exhibitor_recommendations(%(who)s, %(event)s)",
    "metrics": "SELECT * FROM convene.recommendation_metrics(%(event)s)",
    "evaluation": "SELECT * FROM convene.evaluate_recommender(%(event)s)",
    "fit": "SELECT * FROM convene.fn_compute_match_score(%(event)s, %(sponsor)s)",
    "what if": "SELECT convene.simulate_match_score(%(event)s, %(sponsor)s, '{\"budget_factor\": 2}')",
    "market": "SELECT * FROM convene.preview_sponsorship_matches()",
    "price": "SELECT convene.suggest_package_price(%(package)s, %(now)s)",
    "proposal": "SELECT convene.draft_sponsorship_proposal(%(event)s, %(sponsor)s)",
    "embedding": "SELECT convene.embed_text('standby')",
}


@pytest.mark.parametrize("name", READS)
def test_a_read_gives_the_primarys_answer(pair, name):
    event, primary, standby = pair
    arguments = {"who": event.people[0].id, "event": event.id, "session": event.sessions[3], "now": event.starts,
                 "sponsor": ident("standby", "sponsor"), "package": ident("standby", "package")}
    assert standby.execute("SELECT pg_is_in_recovery()").fetchone() == (True,)
    expected = primary.execute(READS[name], arguments).fetchall()
    assert standby.execute(READS[name], arguments).fetchall() == expected
    assert expected or name == "metrics"


def test_a_write_is_refused_by_the_server(pair):
    event, _, standby = pair
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        standby.execute("SELECT * FROM convene.serve_session_recommendations(%s, %s)", [event.people[0].id, event.id])


def test_a_change_arrives_in_the_standbys_answers(pair):
    event, primary, standby = pair
    question = "SELECT session_id FROM convene.get_session_recommendations(%s, %s, 10, 'hybrid', %s)"
    arguments = [event.people[1].id, event.id, event.starts]
    first = standby.execute(question, arguments).fetchone()[0]
    primary.execute("SELECT convene.record_session_interaction(%s, %s, 'bookmarked')", [event.people[1].id, first])
    catch_up(primary, standby)
    assert first not in [row[0] for row in standby.execute(question, arguments)]
