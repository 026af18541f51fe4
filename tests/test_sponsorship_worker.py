"""Workers of the queue of fits: in which order, what they write, two of them at once, and entries that fail."""

import re
import threading
from datetime import timedelta

import psycopg
import pytest
from psycopg.types.json import Jsonb

from lib.access import expect_error
from lib.factory import ident
from lib.fits import WORK, add_event, add_sponsor, check, drain, entries, matches, wait_for_lock, waiting
from lib.fits import conn, pair, vectors  # noqa: F401 - fixtures


# Working it off ----------------------------------------------------------------------------------------------------


def test_urgent_entries_go_first_then_old_ones(conn, pair):
    event, sponsor = pair
    names = [add_sponsor(conn, f"s{n}") for n in range(4)]
    drain(conn)
    conn.execute("DELETE FROM convene.fit_recalc_queue")
    for age, (name, priority) in enumerate(zip(names, (0, 5, 0, 9))):
        conn.execute("INSERT INTO convene.fit_recalc_queue (sponsor_id, priority, available_at) VALUES (%s, %s, now() - interval '1 hour' + %s * interval '1 s')",
                     [name, priority, age])
    order = []
    for _ in names:
        conn.execute("SELECT convene.update_sponsorship_matches(1)")
        order += [row[0] for row in conn.execute("SELECT sponsor_id FROM convene.fit_recalc_queue WHERE status = 'done'") if row[0] not in order]
    assert order == [names[3], names[1], names[0], names[2]]


def test_what_has_not_changed_is_not_written(conn, pair):
    event, sponsor = pair
    add_event(conn, "abroad", regions=["FR"])
    drain(conn)
    state = lambda: dict(conn.execute("SELECT event_id, ctid::text || xmin FROM convene.sponsorship_matches").fetchall())  # noqa: E731
    before = state()
    conn.execute("INSERT INTO convene.fit_recalc_queue (sponsor_id) VALUES (%s)", [sponsor])
    conn.execute("INSERT INTO convene.fit_recalc_queue (event_id) SELECT id FROM convene.events")
    drain(conn)
    assert state() == before
    # The order of a list is nothing to a fit, although it counts the revision up.
    conn.execute("UPDATE convene.sponsor_profiles SET regions = '{US,us}'")
    drain(conn)
    assert state() == before
    conn.execute("UPDATE convene.event_audience_insights SET engagement_score = 1")
    conn.execute("INSERT INTO convene.event_audience_insights (event_id, engagement_score) VALUES (%s, 1)", [event])
    drain(conn)
    assert [key for key, value in state().items() if before[key] != value] == [event]
    check(conn)


def test_a_row_that_was_changed_by_hand_is_put_right(conn, pair):
    event, sponsor = pair
    conn.execute("UPDATE convene.sponsorship_matches SET score = 0.123, overlap_metrics = '{}'")
    conn.execute("INSERT INTO convene.fit_recalc_queue (sponsor_id, event_id) VALUES (%s, %s)", [sponsor, event])
    drain(conn)
    check(conn)


def test_what_is_stored_is_what_is_computed(conn):
    """Built as bytes, score and metrics are to the last bit what the server makes of the same text."""
    for n in range(12):
        add_event(conn, f"e{n}", categories=["music", "food", "film"][: n % 4], regions=["US", "CA"][: n % 3])
        conn.execute("INSERT INTO convene.event_audience_insights (event_id, geo_distribution, engagement_score, ticket_conversion_rate) VALUES (%s, %s, %s, %s)",
                     [ident(f"e{n}"), Jsonb({"US": n, "DE": 7}), n / 13, n / 17])
        add_sponsor(conn, f"s{n}", [None, 0, 1, 99, 100000, 10**9, 2**62][n % 7], categories=["music", "art", "food"][: n % 4], regions=["US", "DE"][: n % 3])
    conn.execute("INSERT INTO convene.scoring_weights (surface, name, weights) VALUES ('sponsorship', 'w', %s)",
                 [Jsonb({"budget_fit": 0.123456789, "geo_fit": 0.876543211})])
    conn.execute("INSERT INTO convene.scoring_weights (surface, name, event_id, weights) VALUES ('sponsorship', 'w', %s, %s)",
                 [ident("e3"), Jsonb({"audience_overlap": 1})])
    drain(conn)
    same = conn.execute("""SELECT count(*), count(*) FILTER (WHERE m.score = f.score AND m.score::text = f.score::numeric(7,6)::text),
        count(*) FILTER (WHERE m.overlap_metrics = f.overlap_metrics AND pg_column_size(m.overlap_metrics) = pg_column_size(f.overlap_metrics)
                           AND jsonb_hash_extended(m.overlap_metrics, 7) = jsonb_hash_extended(f.overlap_metrics, 7)
                           AND m.overlap_metrics::text = f.overlap_metrics::text AND m.overlap_metrics #>> '{weights,geo_fit}' = f.overlap_metrics #>> '{weights,geo_fit}')
        FROM convene.sponsorship_matches m, LATERAL convene.fn_compute_match_score(m.event_id, m.sponsor_id) f""").fetchone()
    assert same == (144, 144, 144)
    check(conn)


def test_leaving_the_market_takes_rows_off_but_keeps_what_people_said(conn, pair):
    event, sponsor = pair
    silent = add_sponsor(conn, "silent")
    drain(conn)
    conn.execute("SELECT convene.answer_sponsorship_match(%s, %s, 'rejected')", [event, sponsor])
    for leave, back in ((f"UPDATE convene.sponsors SET status = 'churned'", "UPDATE convene.sponsors SET status = 'active'"),
                        ("UPDATE convene.events SET status = 'draft'", "UPDATE convene.events SET status = 'published'"),
                        ("UPDATE convene.events SET end_at = now() - interval '1 hour'", "UPDATE convene.events SET end_at = NULL")):
        conn.execute(leave)
        drain(conn)
        assert [row[1:2] + row[3:] for row in matches(conn)] == [(sponsor, "rejected", True)]
        conn.execute(back)
        drain(conn)
        assert sorted(row[1:2] + row[3:] for row in matches(conn)) == sorted([(sponsor, "rejected", False), (silent, "pending", False)])
        check(conn)
    conn.execute("DELETE FROM convene.sponsors WHERE id = %s", [sponsor])
    assert [row[1] for row in matches(conn)] == [silent]
    conn.execute("DELETE FROM convene.events")
    assert matches(conn) == []
    drain(conn)


def test_events_leave_by_the_clock_when_somebody_looks(conn, pair):
    event, _ = pair
    conn.execute("UPDATE convene.events SET end_at = now() + interval '1 hour'")
    drain(conn)
    assert conn.execute("SELECT convene.queue_expired_events()").fetchone() == (0,)
    # Behind the back of the triggers, as time passes.
    conn.execute("SET session_replication_role = replica")
    conn.execute("UPDATE convene.events SET end_at = now()")
    conn.execute("RESET session_replication_role")
    assert entries(conn) == [] and len(matches(conn)) == 1
    assert conn.execute("SELECT convene.queue_expired_events()").fetchone() == (1,)
    assert [row[:2] for row in entries(conn)] == [(None, event)]
    drain(conn)
    assert matches(conn) == []
    assert conn.execute("SELECT convene.queue_expired_events()").fetchone() == (0,)
    assert conn.execute("SELECT convene.queue_expired_events(now() + interval '9 years')").fetchone() == (0,)


@pytest.mark.parametrize(("key", "value", "kept"), [
    ("sponsorship.top_n_per_sponsor", "1", 3), ("sponsorship.top_n_per_event", "2", 4), ("sponsorship.match_floor", "0.99", 0),
    ("sponsorship.match_floor", "0", 6), ("sponsorship.match_floor", '"x"', 6), ("sponsorship.top_n_per_event", "-5", 6)])
def test_settings_bound_what_is_stored(conn, key, value, kept):
    for n in range(2):
        add_event(conn, f"e{n}", categories=["music", "food"][: n + 1])
    for n in range(3):
        add_sponsor(conn, f"s{n}", 1000 * 10**n)
    drain(conn)
    assert len(matches(conn)) == 6
    conn.execute("UPDATE convene.settings SET value = %s::jsonb WHERE key = %s", [value, key])
    drain(conn)
    assert len(matches(conn)) == kept
    if value not in ('"x"', "-5"):
        check(conn)
    # Another one is better now; what drops out makes room for whatever comes next.
    conn.execute("UPDATE convene.sponsor_profiles SET annual_budget_cents = 10^9 WHERE sponsor_id = %s", [ident("s0")])
    conn.execute("UPDATE convene.events SET categories = '{opera}' WHERE id = %s", [ident("e0")])
    drain(conn)
    if value not in ('"x"', "-5"):
        check(conn)
    conn.execute("UPDATE convene.settings SET value = 'null' WHERE key = %s", [key])
    drain(conn)
    assert len(matches(conn)) == 6
    check(conn)


def test_what_somebody_answered_is_kept_outside_the_bounds_and_kept_up_to_date(conn, pair):
    event, sponsor = pair
    better = add_sponsor(conn, "better", 10**9)
    drain(conn)
    conn.execute("SELECT convene.answer_sponsorship_match(%s, %s, 'viewed')", [event, sponsor])
    conn.execute("UPDATE convene.settings SET value = '1' WHERE key = 'sponsorship.top_n_per_event'")
    drain(conn)
    assert {row[1] for row in matches(conn)} == {sponsor, better}
    conn.execute("UPDATE convene.sponsor_profiles SET annual_budget_cents = 7 WHERE sponsor_id = %s", [sponsor])
    drain(conn)
    check(conn)


def test_a_worker_reads_committed(conn, pair):
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        expect_error(conn, "55000", WORK, hint="READ COMMITTED")


# Two workers -------------------------------------------------------------------------------------------------------


def test_two_workers_that_share_a_pair_leave_the_newer_one(db, conn, pair):
    """The first has read the sponsor before it changed, and is kept from writing until the second is done."""
    event, sponsor = pair
    with db.second(autocommit=False) as gate, db.second() as slow:
        conn.execute("INSERT INTO convene.event_audience_insights (event_id, engagement_score) VALUES (%s, 0.5)", [event])
        # The first worker, with the event, comes to the row and waits there; its inputs are read.
        gate.execute("SELECT FROM convene.sponsorship_matches FOR UPDATE")
        first = threading.Thread(target=slow.execute, args=[WORK])
        first.start()
        wait_for_lock(conn, slow.info.backend_pid)
        conn.execute("UPDATE convene.sponsor_profiles SET annual_budget_cents = 900000")
        with db.second() as other:
            second = threading.Thread(target=other.execute, args=[WORK])
            second.start()
            wait_for_lock(conn, other.info.backend_pid)
            gate.rollback()
            first.join()
            second.join()
    assert waiting(conn) == 0
    check(conn)


def test_a_worker_that_knows_less_does_not_overwrite(db, conn, pair):
    """As above, but the newer one is through first: the older one is refused by the revision."""
    event, sponsor = pair
    conn.execute("INSERT INTO convene.event_audience_insights (event_id, engagement_score) VALUES (%s, 0.5)", [event])
    other = add_event(conn, "aaa")
    conn.execute("DELETE FROM convene.fit_recalc_queue WHERE status = 'pending' AND event_id = %s", [other])
    with db.second(autocommit=False) as gate, db.second() as slow:
        # What the first worker writes goes through a trigger that waits; the rows are not locked yet.
        conn.execute("CREATE OR REPLACE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                     " IF current_setting('test.slow', true) = 'yes' THEN PERFORM pg_advisory_xact_lock(77); END IF; RETURN NEW; END $$")
        conn.execute("CREATE TRIGGER test_hold BEFORE INSERT ON convene.sponsorship_matches FOR EACH ROW EXECUTE FUNCTION hold()")
        gate.execute("SELECT pg_advisory_xact_lock(77)")
        slow.execute("SET test.slow = 'yes'")
        first = threading.Thread(target=slow.execute, args=[WORK])
        first.start()
        wait_for_lock(conn, slow.info.backend_pid)
        conn.execute("UPDATE convene.sponsor_profiles SET annual_budget_cents = 900000")
        assert conn.execute(WORK).fetchone() == (1,)
        newer = conn.execute("SELECT sponsor_rev, event_rev, score FROM convene.sponsorship_matches WHERE event_id = %s", [event]).fetchone()
        gate.rollback()
        first.join()
    assert conn.execute("SELECT sponsor_rev, event_rev, score FROM convene.sponsorship_matches WHERE event_id = %s", [event]).fetchone() == newer
    conn.execute("INSERT INTO convene.fit_recalc_queue (event_id) VALUES (%s)", [other])
    drain(conn)
    check(conn)


def test_two_workers_that_both_find_an_event_without_rows_write_it_one_after_the_other(db, conn, pair):
    """The rows of the first are there when it has not yet committed; the second meets them and leaves the newer."""
    event = add_event(conn, "new")
    with db.second(autocommit=False) as first, db.second() as other:
        first.execute(WORK)
        conn.execute("UPDATE convene.events SET categories = '{a}' WHERE id = %s", [event])
        second = threading.Thread(target=other.execute, args=[WORK])
        second.start()
        wait_for_lock(conn, other.info.backend_pid)
        first.commit()
        second.join()
    assert waiting(conn) == 0
    assert len(matches(conn)) == 2
    check(conn)


# Failing -----------------------------------------------------------------------------------------------------------


def test_weights_that_are_none_park_their_event_and_no_other(conn, pair):
    event, sponsor = pair
    conn.execute("UPDATE convene.settings SET value = '2' WHERE key = 'queue.max_attempts'")
    good = add_event(conn, "good")
    # Such weights cannot be written; a restored or an older database may have them.
    conn.execute("ALTER TABLE convene.scoring_weights DISABLE TRIGGER scoring_weights_sponsorship")
    conn.execute("INSERT INTO convene.scoring_weights (surface, name, event_id, weights) VALUES ('sponsorship', 'w', %s, '{\"geo_fit\": 7}')", [event])
    conn.execute("ALTER TABLE convene.scoring_weights ENABLE TRIGGER scoring_weights_sponsorship")
    conn.execute("UPDATE convene.sponsor_profiles SET annual_budget_cents = 900000")
    conn.execute(WORK)
    failing = "SELECT status, attempts, last_error, available_at - now() FROM convene.fit_recalc_queue WHERE event_id = %s AND last_error IS NOT NULL"
    status, attempts, error, wait = conn.execute(failing, [event]).fetchone()
    assert (status, attempts) == ("pending", 1) and re.search("add up to 1", error) and timedelta(seconds=4) < wait <= timedelta(seconds=10)
    assert conn.execute("SELECT count(*) FROM convene.sponsorship_matches WHERE event_id = %s AND score > 0.5", [good]).fetchone() == (1,)
    assert conn.execute(WORK).fetchone() == (0,)
    conn.execute("UPDATE convene.fit_recalc_queue SET available_at = now() WHERE last_error IS NOT NULL")
    conn.execute(WORK)
    assert conn.execute(failing, [event]).fetchone()[:2] == ("failed", 2)
    assert conn.execute("SELECT failed FROM convene.check_recalc_queue_health()").fetchone() == (1,)
    assert conn.execute("SELECT status FROM convene.health() WHERE component = 'fit_recalc_queue'").fetchone() == ("warning",)
    # Put right, it is queued anew by itself.
    conn.execute("UPDATE convene.scoring_weights SET weights = '{\"geo_fit\": 1}'")
    drain(conn)
    check(conn)


def test_a_target_that_cannot_be_written_is_put_back_and_the_others_are_done(conn, pair):
    bad = add_sponsor(conn, "bad")
    others = [add_sponsor(conn, f"s{n}") for n in range(6)]
    conn.execute("CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not this one'; END $$")
    conn.execute(f"CREATE TRIGGER test_refuse BEFORE INSERT ON convene.sponsorship_matches FOR EACH ROW WHEN (NEW.sponsor_id = '{bad}') EXECUTE FUNCTION refuse()")
    conn.execute(WORK)
    assert conn.execute("SELECT sponsor_id, attempts, last_error ~ 'not this one' FROM convene.fit_recalc_queue WHERE status = 'pending'").fetchall() == [(bad, 1, True)]
    assert {row[1] for row in matches(conn)} == {ident("s"), *others}
    # A change while it waits is tried at once, as one more attempt of the same target.
    conn.execute("UPDATE convene.sponsor_profiles SET annual_budget_cents = 5 WHERE sponsor_id = %s", [bad])
    conn.execute(WORK)
    assert conn.execute("SELECT count(*), max(attempts) FROM convene.fit_recalc_queue WHERE sponsor_id = %s AND status = 'pending'", [bad]).fetchone() == (1, 2)
    conn.execute("DROP TRIGGER test_refuse ON convene.sponsorship_matches")
    drain(conn)
    check(conn)


def test_a_cancel_ends_the_call_and_leaves_the_queue_as_it_was(db, conn, pair):
    conn.execute("CREATE OR REPLACE FUNCTION nap() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(30); RETURN NEW; END $$")
    conn.execute("CREATE TRIGGER test_nap BEFORE UPDATE ON convene.sponsorship_matches FOR EACH ROW EXECUTE FUNCTION nap()")
    conn.execute("UPDATE convene.sponsor_profiles SET annual_budget_cents = 5")
    conn.execute("SET statement_timeout = '300ms'")
    with pytest.raises(psycopg.errors.QueryCanceled):
        conn.execute(WORK)
    conn.execute("RESET statement_timeout")
    assert conn.execute("SELECT count(*), max(attempts) FROM convene.fit_recalc_queue WHERE status = 'pending'").fetchone() == (1, 0)
    conn.execute("DROP TRIGGER test_nap ON convene.sponsorship_matches")
    drain(conn)
    check(conn)
