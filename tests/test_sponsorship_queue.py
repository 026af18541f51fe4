"""The queue of fits: what gets into it, what is coalesced, who may ask, and how it is looked after."""

import time
import uuid
from datetime import datetime, timedelta, timezone

import pytest
from psycopg.types.json import Jsonb

from lib.access import as_role, expect_error
from lib.factory import ident, make_world
from lib.fits import WORK, add_event, add_sponsor, check, clean, drain, entries, matches, waiting
from lib.fits import conn, pair, vectors  # noqa: F401 - fixtures
from lib.hearing import heard
from lib.statistics import tuples_read


@pytest.fixture
def undone(conn):
    with conn.transaction(force_rollback=True):
        yield conn


# What is queued ----------------------------------------------------------------------------------------------------


CHANGES = {
    # (table, change): whether it matters
    "sponsor_profiles": {
        True: ["annual_budget_cents = 7", "preferred_categories = '{food}'", "regions = '{CA}'", "annual_budget_cents = NULL",
               "objectives_embedding = '[1,0]', embedding_model = 'two'"],
        False: ["industry = 'x'", "reputation_score = 50", "regions = regions", "annual_budget_cents = annual_budget_cents",
                "brand_objectives = '{\"keywords\": []}'", "objectives_text = 'x'"]},
    "sponsors": {True: ["status = 'churned'"], False: ["status = 'active'", "company_name = 'x'", "notes = 'x'", "status = status"]},
    "event_audience_insights": {
        True: ["geo_distribution = '{\"US\": 1}'", "engagement_score = 0.5", "ticket_conversion_rate = 0.5"],
        False: ["attendee_count = 5", "avg_dwell_time_ms = 5", "social_mentions = 5", "sentiment_score = 1", "computed_at = now()",
                "age_segments = '{\"18-24\": 1}'"]},
    "events": {
        True: ["categories = '{food}'", "regions = '{CA}'", "status = 'cancelled'", "status = 'completed'", "end_at = now() - interval '1 hour'"],
        False: ["title = 'x'", "description = 'x'", "categories = categories", "end_at = now() + interval '9 days'", "capacity = 5",
                "city = 'x'", "status = status", "fit_rev = fit_rev + 1000"]},
    "event_embeddings": {True: ["embedding = '[0,1]'"], False: ["source_text = 'other'", "embedding = embedding"]},
}


@pytest.mark.parametrize(("table", "matters", "change"), [
    (table, matters, change) for table, kinds in CHANGES.items() for matters, changes in kinds.items() for change in changes])
def test_only_what_matters_to_a_fit_is_queued(conn, pair, table, matters, change):
    event, sponsor = pair
    conn.execute("INSERT INTO convene.event_audience_insights (event_id) VALUES (%s)", [event])
    conn.execute("INSERT INTO convene.event_embeddings (event_id, embedding, source_text, embedding_model) VALUES (%s, '[1,0]', 'x', 'two')", [event])
    drain(conn)
    conn.execute(f"UPDATE convene.{table} SET {change}")
    wanted = (sponsor, None) if table in ("sponsors", "sponsor_profiles") else (None, event)
    assert entries(conn) == ([(*wanted, table, 10)] if matters else [])


def test_rows_that_come_and_go_are_queued(conn, pair):
    event, sponsor = pair
    put = {
        "event_audience_insights": "INSERT INTO convene.event_audience_insights (event_id) VALUES (%s)",
        "event_embeddings": "INSERT INTO convene.event_embeddings (event_id, embedding, source_text, embedding_model) VALUES (%s, '[1,0]', 'x', 'two')"}
    for table, statement in put.items():
        for change in (statement, f"DELETE FROM convene.{table} WHERE event_id = %s"):
            conn.execute(change, [event])
            assert entries(conn) == [(None, event, table, 10)]
            drain(conn)
            check(conn)
    conn.execute("DELETE FROM convene.sponsor_profiles")
    assert entries(conn) == [(sponsor, None, "sponsor_profiles", 10)]
    drain(conn)
    assert matches(conn) == []
    conn.execute("INSERT INTO convene.sponsor_profiles (sponsor_id) VALUES (%s)", [sponsor])
    assert entries(conn) == [(sponsor, None, "sponsor_profiles", 10)]
    drain(conn)
    assert len(matches(conn)) == 1


def test_what_is_off_the_market_costs_nothing_and_what_comes_to_it_is_compared(conn, pair):
    draft = add_event(conn, "draft", "draft")
    conn.execute("UPDATE convene.events SET categories = '{a}' WHERE id = %s", [draft])
    assert entries(conn) == []
    conn.execute("UPDATE convene.events SET status = 'published' WHERE id = %s", [draft])
    assert entries(conn) == [(None, draft, "events", 10)]
    over = add_event(conn, "over", end_at=datetime.now(timezone.utc) - timedelta(hours=1))
    assert len(entries(conn)) == 1
    conn.execute("UPDATE convene.events SET end_at = NULL WHERE id = %s", [over])
    assert len(entries(conn)) == 2
    drain(conn)
    check(conn)
    assert len(matches(conn)) == 3


def test_a_statement_of_many_rows_queues_each_once_with_less_urgency(conn):
    conn.execute("INSERT INTO convene.sponsors (id, company_name) SELECT md5(n::text)::uuid, 'S' FROM generate_series(1, 500) n")
    conn.execute("INSERT INTO convene.sponsor_profiles (sponsor_id) SELECT id FROM convene.sponsors")
    conn.execute("UPDATE convene.sponsor_profiles SET annual_budget_cents = 5")
    assert conn.execute("SELECT count(*), count(DISTINCT sponsor_id), max(priority) FROM convene.fit_recalc_queue").fetchone() == (500, 500, 0)
    # One of them by itself is urgent, and does not wait among the many.
    conn.execute("UPDATE convene.sponsor_profiles SET annual_budget_cents = 6 WHERE sponsor_id = md5('7')::uuid")
    assert conn.execute("SELECT count(*) FROM convene.fit_recalc_queue WHERE sponsor_id = md5('7')::uuid").fetchone() == (2,)
    assert conn.execute("SELECT convene.update_sponsorship_matches(1)").fetchone() == (2,)
    assert conn.execute("SELECT DISTINCT sponsor_id FROM convene.fit_recalc_queue WHERE status = 'done'").fetchall() == [
        (uuid.UUID(conn.execute("SELECT md5('7')").fetchone()[0]),)]


@pytest.mark.parametrize("at_once", [1, 4])
def test_a_change_finds_its_target_and_reads_nothing_else_of_the_queue(fresh_db, at_once):
    """Even by plans that were made when the queue was empty."""
    with fresh_db.connect() as conn:
        conn.execute("INSERT INTO convene.sponsors (id, company_name) SELECT md5(n::text)::uuid, 'S' FROM generate_series(1, 200) n")
        conn.execute("INSERT INTO convene.events (id, title, status) SELECT md5(n::text)::uuid, 'E', 'published' FROM generate_series(1, 200) n")
        conn.execute("INSERT INTO convene.sponsor_profiles (sponsor_id) SELECT id FROM convene.sponsors")
        conn.execute("TRUNCATE convene.fit_recalc_queue")
        before = tuples_read(conn, "convene.fit_recalc_queue")
        for first in range(1, 201, at_once):
            some = [str(number) for number in range(first, first + at_once)]
            these = "ANY (ARRAY(SELECT md5(n)::uuid FROM unnest(%s::text[]) n))"
            conn.execute(f"UPDATE convene.sponsor_profiles SET annual_budget_cents = 5 WHERE sponsor_id = {these}", [some])
            conn.execute(f"UPDATE convene.sponsors SET status = 'churned' WHERE id = {these}", [some])
            conn.execute(f"UPDATE convene.events SET categories = '{{a}}' WHERE id = {these}", [some])
        after = tuples_read(conn, "convene.fit_recalc_queue")
        read = {name: after[name] - before[name] for name in after}
        assert read["idx_fit_recalc_queue_claim"] == 0 and read["in sequence"] == 0
        assert read["idx_fit_recalc_queue_sponsor"] <= 400 and read["idx_fit_recalc_queue_event"] <= 400


def test_pairs_are_found_and_nothing_else_of_the_queue_is_read(fresh_db):
    with fresh_db.connect() as conn:
        conn.execute("INSERT INTO convene.sponsors (id, company_name) SELECT md5(n::text)::uuid, 'S' FROM generate_series(1, 20) n")
        conn.execute("INSERT INTO convene.events (id, title) SELECT md5(n::text)::uuid, 'E' FROM generate_series(1, 20) n")
        conn.execute("TRUNCATE convene.fit_recalc_queue")
        ask = """SELECT convene_private.enqueue_pair_fits(ARRAY[md5(%(s)s)::uuid, md5(%(s)s)::uuid], ARRAY[md5(%(e)s)::uuid, md5(%(f)s)::uuid], 'x', 0)"""
        before = tuples_read(conn, "convene.fit_recalc_queue")
        for sponsor in range(1, 21):
            for event in range(1, 20, 2):
                names = {"s": str(sponsor), "e": str(event), "f": str(event + 1)}
                assert [conn.execute(ask, names).fetchone() for _ in range(2)] == [(2,), (0,)]
        after = tuples_read(conn, "convene.fit_recalc_queue")
        # Each pair was asked for twice, and was there the second time.
        assert sum(after[name] - before[name] for name in after) <= 2 * 400


def test_weights_queue_their_event_or_every_one(conn, pair):
    event, _ = pair
    other = add_event(conn, "other")
    drain(conn)
    put = "INSERT INTO convene.scoring_weights (surface, name, event_id, weights, is_active) VALUES (%s, 'w', %s, %s, %s) RETURNING id"
    own = conn.execute(put, ["sponsorship", event, Jsonb({"geo_fit": 1}), True]).fetchone()[0]
    assert entries(conn) == [(None, event, "scoring_weights", 10)]
    drain(conn)
    check(conn)
    every = conn.execute(put, ["sponsorship", None, Jsonb({"budget_fit": 1}), True]).fetchone()[0]
    assert entries(conn) == [(None, None, "scoring_weights", 0)]
    drain(conn)
    check(conn)
    for quiet in (["networking", None, Jsonb({}), True], ["sponsorship", other, Jsonb({"geo_fit": 1}), False]):
        conn.execute(put, quiet)
    conn.execute("UPDATE convene.scoring_weights SET name = 'x'")
    assert entries(conn) == []
    conn.execute("DELETE FROM convene.scoring_weights WHERE id = ANY (%s)", [[own, every]])
    drain(conn)
    check(conn)


def test_callers_of_the_api_change_and_queue_but_see_no_queue(undone):
    alpha, beta = make_world(undone, sessions=1, attendees=2)
    seller = ident("seller")
    undone.execute("INSERT INTO convene.profiles (id) VALUES (%s)", [seller])
    sponsor = add_sponsor(undone)
    undone.execute("UPDATE convene.sponsors SET profile_id = %s", [seller])
    drain(undone)
    with as_role(undone, "authenticated", seller):
        undone.execute("UPDATE convene.sponsor_profiles SET regions = '{FR}' WHERE sponsor_id = %s", [sponsor])
        expect_error(undone, "42501", "SELECT * FROM convene.fit_recalc_queue")
        expect_error(undone, "42501", "SELECT convene_private.enqueue_sponsor_fits('{}', 'x', 0)")
    with as_role(undone, "authenticated", alpha.organizer):
        undone.execute("UPDATE convene.events SET categories = '{food}' WHERE id = %s", [alpha.id])
    assert [row[:2] for row in entries(undone)] == [(sponsor, None), (None, alpha.id)]


# Coalescing --------------------------------------------------------------------------------------------------------


def test_a_thousand_changes_of_a_profile_cost_one_recalculation(conn, pair):
    _, sponsor = pair
    done = conn.execute("SELECT count(*) FROM convene.fit_recalc_queue").fetchone()[0]
    for budget in range(1000):
        conn.execute("UPDATE convene.sponsor_profiles SET annual_budget_cents = %s", [budget])
    assert len(entries(conn)) == 1
    assert conn.execute(WORK).fetchone() == (1,)
    assert conn.execute(WORK).fetchone() == (0,)
    assert conn.execute("SELECT count(*) FROM convene.fit_recalc_queue").fetchone()[0] == done + 1
    check(conn)


def test_entries_of_one_target_are_one_recalculation(conn, pair):
    event, sponsor = pair
    conn.execute("INSERT INTO convene.fit_recalc_queue (sponsor_id) SELECT %s FROM generate_series(1, 500)", [sponsor])
    conn.execute("INSERT INTO convene.fit_recalc_queue (sponsor_id, event_id) SELECT %s, %s FROM generate_series(1, 500)", [sponsor, event])
    conn.execute("UPDATE convene.sponsorship_matches SET fingerprint = 0")
    assert conn.execute("SELECT convene.update_sponsorship_matches(2)").fetchone()[0] >= 500
    conn.execute(WORK)
    assert waiting(conn) == 0
    check(conn)


CHANGES = [
    "UPDATE convene.sponsor_profiles SET annual_budget_cents = 6", "UPDATE convene.events SET categories = '{food}'",
    "UPDATE convene.event_audience_insights SET engagement_score = 0.7", "UPDATE convene.events SET status = 'cancelled' WHERE title = 'second'",
    "UPDATE convene.sponsors SET status = 'churned'", "UPDATE convene.sponsors SET status = 'active'",
    "DELETE FROM convene.event_audience_insights",
    "INSERT INTO convene.scoring_weights (surface, name, weights) VALUES ('sponsorship', 'w', '{\"geo_fit\": 1}')"]


def beside_a_worker(db, conn):
    """Makes every change while a worker holds its claim and what it wrote; those that took more than a fifth of a second."""
    clean(conn)
    event, _ = add_event(conn), add_sponsor(conn)
    drain(conn)
    other, slow = add_event(conn, "second"), []
    with db.second(autocommit=False) as worker:
        conn.execute("UPDATE convene.sponsor_profiles SET annual_budget_cents = 5")
        conn.execute("INSERT INTO convene.event_audience_insights (event_id, engagement_score) VALUES (%s, 0.5)", [event])
        assert worker.execute(WORK).fetchone() == (3,)
        for change in CHANGES:
            started = time.monotonic()
            conn.execute(change)
            slow += [change] if time.monotonic() - started >= 0.2 else []
        conn.execute("DELETE FROM convene.events WHERE id = %s", [other])
        worker.commit()
    assert waiting(conn) >= 3
    drain(conn)
    check(conn)
    return slow


def test_a_change_waits_for_no_worker_and_is_not_lost(db, conn):
    """Everybody goes on meanwhile. Whatever waits for a lock is refused; a machine that is busy with other things delays everybody,
    so that what was slow has to be so three times."""
    conn.execute("SET lock_timeout = '200ms'")
    slow = set(CHANGES)
    for _ in range(3):
        slow &= set(beside_a_worker(db, conn))
        if not slow:
            break
    assert slow == set()


def test_no_worker_takes_an_entry_before_the_change_is_there(db, conn, pair):
    _, sponsor = pair
    conn.execute("UPDATE convene.sponsor_profiles SET annual_budget_cents = 5")
    with db.second(autocommit=False) as writer:
        writer.execute("UPDATE convene.sponsor_profiles SET annual_budget_cents = 6")
        assert conn.execute(WORK).fetchone() == (0,)
        assert waiting(conn) == 1
        writer.commit()
    assert conn.execute(WORK).fetchone() == (1,)
    check(conn)


def test_workers_are_told_of_new_entries(db, conn, pair):
    with db.second() as listener:
        listener.execute("LISTEN convene_fit_recalc_queue")
        conn.execute("UPDATE convene.sponsor_profiles SET annual_budget_cents = 5")
        conn.execute("UPDATE convene.sponsor_profiles SET annual_budget_cents = 6")
        assert heard(listener, conn, "convene_fit_recalc_queue") == ["1"]


# Asking for it, and looking after it -------------------------------------------------------------------------------


def test_the_endpoints_answer_in_their_shapes(conn, pair):
    event, sponsor = pair
    ask = "SELECT convene.sponsorship_score_onchange(%s, %s, %s, %s)"
    told = conn.execute(ask, [sponsor, event, [sponsor, sponsor], [event] * 3]).fetchone()[0]
    assert {key: told[key] for key in ("success", "queued", "operations")} == {
        "success": True, "queued": 2, "operations": [f"sponsor:{sponsor}", "bulk_sponsors:1", f"event:{event}", "bulk_events:1"]}
    assert set(told) == {"success", "queued", "operations", "duration_ms", "timestamp"} and isinstance(told["duration_ms"], int)
    datetime.fromisoformat(told["timestamp"].replace("Z", "+00:00"))
    assert sorted(row[3] for row in entries(conn)) == [10, 10]
    done = conn.execute("SELECT convene.sponsorship_recalc()").fetchone()[0]
    assert set(done) == {"success", "processed", "duration_ms", "timestamp"} and (done["success"], done["processed"]) == (True, 2)
    assert conn.execute("SELECT convene.sponsorship_recalc()").fetchone()[0]["processed"] == 0


def test_who_may_ask(undone):
    alpha, beta = make_world(undone, sessions=1, attendees=2)
    seller, sponsor, foreign = ident("seller"), add_sponsor(undone), add_sponsor(undone, "other")
    undone.execute("INSERT INTO convene.profiles (id) VALUES (%s)", [seller])
    undone.execute("UPDATE convene.sponsors SET profile_id = %s WHERE id = %s", [seller, sponsor])
    ask = "SELECT convene.sponsorship_score_onchange(%s, %s, %s, %s)"
    with as_role(undone, "authenticated", seller):
        assert undone.execute(ask, [sponsor, None, [sponsor], None]).fetchone()[0]["queued"] == 1
        for refused in ([foreign, None, None, None], [sponsor, None, [sponsor, foreign], None], [None, alpha.id, None, None],
                        [sponsor, None, None, [alpha.id]], [uuid.uuid4(), None, None, None]):
            expect_error(undone, "42501", ask, refused)
    with as_role(undone, "authenticated", alpha.organizer):
        assert undone.execute(ask, [None, alpha.id, None, None]).fetchone()[0]["operations"] == [f"event:{alpha.id}"]
        for refused in ([None, beta.id, None, None], [sponsor, alpha.id, None, None]):
            expect_error(undone, "42501", ask, refused)
        for call in (WORK, "SELECT convene.sponsorship_recalc()", "SELECT * FROM convene.check_recalc_queue_health()", "SELECT convene.cleanup_recalc_queue()"):
            expect_error(undone, "42501", call)
    with as_role(undone, "service_role"):
        assert undone.execute(ask, [sponsor, alpha.id, None, None]).fetchone()[0]["queued"] == 2
        assert undone.execute(WORK).fetchone()[0] >= 2


def test_answers_follow_their_order(undone):
    alpha, beta = make_world(undone, sessions=1, attendees=2)
    seller, sponsor = ident("seller"), add_sponsor(undone)
    undone.execute("INSERT INTO convene.profiles (id) VALUES (%s)", [seller])
    undone.execute("UPDATE convene.sponsors SET profile_id = %s", [seller])
    drain(undone)
    answer = "SELECT convene.answer_sponsorship_match(%s, %s, %s)"
    with as_role(undone, "authenticated", seller):
        seen = undone.execute(answer, [alpha.id, sponsor, "viewed"]).fetchone()[0]
        assert (seen["status"], seen["viewed_at"] is not None, seen["contacted_at"]) == ("pending", True, None)
        assert undone.execute(answer, [alpha.id, sponsor, "viewed"]).fetchone()[0] == seen
        assert undone.execute(answer, [alpha.id, sponsor, "accepted"]).fetchone()[0]["status"] == "accepted"
    with as_role(undone, "authenticated", alpha.organizer):
        asked = undone.execute(answer, [alpha.id, sponsor, "contacted"]).fetchone()[0]
        assert (asked["status"], asked["contacted_at"] is not None) == ("accepted", True)
        expect_error(undone, "42501", answer, [beta.id, sponsor, "viewed"])
    with as_role(undone, "authenticated", beta.organizer):
        expect_error(undone, "42501", answer, [alpha.id, sponsor, "viewed"])
    undone.execute("UPDATE convene.sponsors SET status = 'churned'")
    drain(undone)
    with as_role(undone, "authenticated", seller):
        expect_error(undone, "55000", answer, [alpha.id, sponsor, "rejected"])
        assert undone.execute(answer, [alpha.id, sponsor, "viewed"]).fetchone()[0]["status"] == "accepted"


def test_the_queue_tells_how_it_is(conn, pair):
    look = lambda at="now()": conn.execute(f"SELECT depth, oldest, processing, failed, throughput, status FROM convene.check_recalc_queue_health({at})").fetchone()  # noqa: E731
    depth, oldest, processing, failed, throughput, status = look()
    assert (depth, oldest, processing, failed, status) == (0, None, 0, 0, "ok") and throughput == pytest.approx(2 / 60)
    conn.execute("UPDATE convene.sponsor_profiles SET annual_budget_cents = 5")
    queued = conn.execute("SELECT queued_at FROM convene.fit_recalc_queue WHERE status = 'pending'").fetchone()[0]
    assert look()[:2] == (1, queued)
    assert [look(f"now() + interval '{minutes} minutes'")[5] for minutes in (14, 16, 59, 61)] == ["ok", "lagging", "lagging", "stuck"]
    conn.execute("UPDATE convene.settings SET value = '30' WHERE key = 'health.queue_stuck_minutes'")
    assert look("now() + interval '31 minutes'")[5] == "stuck"


@pytest.mark.parametrize("moment, status", [("infinity", "ok"), ("-infinity", "stuck")])
def test_work_put_off_for_ever_is_no_work_that_waits(undone, pair, moment, status):
    undone.execute("DELETE FROM convene.fit_recalc_queue")
    undone.execute("INSERT INTO convene.fit_recalc_queue (event_id, queued_at, available_at) VALUES (gen_random_uuid(), %s, %s)", [moment, moment])
    assert undone.execute("SELECT depth, status FROM convene.check_recalc_queue_health()").fetchone() == (1, status)


def test_a_worker_at_work_is_counted(db, conn, pair):
    conn.execute("UPDATE convene.sponsor_profiles SET annual_budget_cents = 5")
    with db.second(autocommit=False) as worker:
        worker.execute(WORK)
        assert conn.execute("SELECT processing FROM convene.check_recalc_queue_health()").fetchone() == (1,)
        worker.commit()


def test_what_is_done_with_is_removed_and_nothing_else(conn, pair):
    conn.execute("DELETE FROM convene.fit_recalc_queue")
    conn.execute("INSERT INTO convene.fit_recalc_queue (sponsor_id, status, processed_at, queued_at)"
                 " SELECT gen_random_uuid(), status, CASE WHEN status <> 'pending' THEN now() - days * interval '1 day' END, now() - interval '30 days'"
                 " FROM unnest('{done,failed,pending}'::text[]) status, unnest('{1,6,8,20}'::int[]) days, generate_series(1, 3000)")
    assert conn.execute("SELECT convene.cleanup_recalc_queue()").fetchone() == (12000,)
    assert conn.execute("SELECT status, count(*) FROM convene.fit_recalc_queue GROUP BY 1 ORDER BY 1").fetchall() == [
        ("done", 6000), ("failed", 6000), ("pending", 12000)]
    assert conn.execute("SELECT convene.cleanup_recalc_queue('0')").fetchone() == (12000,)


def test_revisions_of_events_that_are_gone_are_forgotten_in_time(conn, pair):
    event, _ = pair
    conn.execute("INSERT INTO convene.event_audience_insights (event_id) VALUES (%s)", [event])
    conn.execute("DELETE FROM convene.events")
    count = "SELECT count(*) FROM convene.fit_revisions WHERE target_id = %s"
    conn.execute("SELECT convene.cleanup_recalc_queue()")
    assert conn.execute(count, [event]).fetchone()[0] >= 1
    time.sleep(0.05)
    conn.execute("SELECT convene.cleanup_recalc_queue('0')")
    assert conn.execute(count, [event]).fetchone() == (0,)
