"""Insights: figures by hand, who may ask for them, what the words of a mention say, and months that go without a loss."""

import threading
import time
from datetime import datetime, timedelta, timezone

import pytest

from lib.access import as_role, expect_error
from lib.factory import ident, make_event, make_world
from lib.insights import agree, expected, figures, moment, rebuild, refresh, stored

NOW = datetime.now(timezone.utc)
MAKE = "SELECT convene_private.make_month_partition(%s, %s)"


@pytest.fixture
def undone(conn):
    """The connection inside a transaction that the test leaves undone."""
    with conn.transaction(force_rollback=True):
        yield conn


@pytest.fixture(scope="module")
def world(db):
    with db.connect() as connection:
        alpha, beta = make_world(connection, sessions=1, attendees=4)
        refresh(connection)
        return alpha, beta


def shown(conn, event, impressions=1, **more):
    put(conn, "event_impressions", event, impressions=impressions, **more)


def put(conn, table, event, **values):
    names = ["event_id", *values]
    conn.execute(f"INSERT INTO convene.{table} ({', '.join(names)}) VALUES ({', '.join(['%s'] * len(names))})",
                 [event.id, *values.values()])


def post(conn, event, **values):
    put(conn, "post_views", event, post_id="p", **values)


def order(conn, event, status, channel="online"):
    put(conn, "orders", event, status=status, channel=channel, buyer_email="x@example.org",
        paid_at=None if status in ("pending", "cancelled") else NOW, expires_at=NOW)


def test_every_figure_by_hand(undone, world):
    event, other = world
    undone.execute("UPDATE convene.attendees SET status = 'cancelled' WHERE id = %s", [event.people[0].id])
    shown(undone, event, 600, country="DE", age_bucket="18-24", dwell_time_ms=6_000_000)
    shown(undone, event, 300, country="Germany", age_bucket="25-34", dwell_time_ms=27_000_000)
    shown(undone, event, 60, country="FR")
    shown(undone, event, 40)
    put(undone, "ticket_analytics", event, ticket_views=40, checkouts_started=9, purchases=8)
    put(undone, "ticket_analytics", event, ticket_views=10)
    post(undone, event, views=10, watch_percentage=50, dwell_time_ms=3_400_000)
    post(undone, event, views=5, mentions=2, mention_text="good")
    post(undone, event, views=0, mentions=1, mention_text="the second floor")
    put(undone, "event_video_counters", event, video_id="v", views=5, watch_percentage=20, likes=1, shares=1)
    # Four notes of impressions, two of tickets, three of posts, one of a video; who cancelled was there before and after.
    assert refresh(undone) == {"events": 1, "deltas": 12, "rebuilt": False}
    assert figures(undone, event.id) == {
        "attendee_count": 3,
        # 36,400,000 ms of 910.
        "avg_dwell_time_ms": 40_000.0,
        "geo_distribution": {"DE": 900, "FR": 60},
        "age_segments": {"18-24": 0.666667, "25-34": 0.333333},
        # Dwell 40/70, weight 0.35: 0.2. Watched (500 + 100) / 15 = 40 %, 0.30: 0.12. Looks 50 of 1,000 are 0.05, so a half, 0.20: 0.1.
        # Reactions 3 + 2 of 15 + 5 views are 0.25, so 0.25 / 0.3, 0.15: 0.125. Together:
        "engagement_score": 0.545,
        # No orders at all: 8 purchases of 50 looks.
        "ticket_conversion_rate": 0.16,
        "social_mentions": 3,
        # "good" is 2 / sqrt(4 + 15) = 0.458831, twice; the other says nothing, once.
        "sentiment_score": 0.305887,
    }
    assert agree(figures(undone, event.id), expected(undone, event.id)) == {}
    assert figures(undone, other.id)["attendee_count"] == 4


def test_orders_are_the_truth(undone, world):
    event = world[0]
    put(undone, "ticket_analytics", event, ticket_views=10, purchases=9)
    for status in ("paid", "paid", "partially_refunded", "refunded", "cancelled"):
        order(undone, event, status)
    order(undone, event, "paid", "box_office")
    refresh(undone)
    assert figures(undone, event.id)["ticket_conversion_rate"] == 0.3
    undone.execute("UPDATE convene.orders SET status = 'refunded' WHERE event_id = %s AND status = 'paid'", [event.id])
    assert refresh(undone)["events"] == 1
    assert figures(undone, event.id)["ticket_conversion_rate"] == 0.1
    undone.execute("DELETE FROM convene.orders WHERE event_id = %s AND channel = 'online'", [event.id])
    refresh(undone)
    assert figures(undone, event.id)["ticket_conversion_rate"] == 0.9


def test_what_is_not_known_is_null(undone, world):
    event = world[0]
    nothing = {"attendee_count": 4, "avg_dwell_time_ms": None, "geo_distribution": {}, "age_segments": {}, "engagement_score": None,
               "ticket_conversion_rate": None, "social_mentions": 0, "sentiment_score": None}
    assert figures(undone, event.id) == nothing
    shown(undone, event, 0, dwell_time_ms=5000, country="DE", age_bucket="18-24")
    post(undone, event, views=0, mentions=0, watch_percentage=80)
    put(undone, "ticket_analytics", event, purchases=3)
    refresh(undone)
    assert figures(undone, event.id) == nothing
    post(undone, event, views=0, mentions=0, mention_text=" ")
    refresh(undone)
    assert figures(undone, event.id)["sentiment_score"] is None


@pytest.mark.parametrize("text, sum_of_valences", [
    ("good", 2), ("GOOD", 2), ("not good", -1.5), ("very good", 2.6), ("really not good", 2 * 1.3 * -0.75),
    ("what a great, great day!", 6.6), ("good but terrible", 1 - 4.5), ("👍🏽", 2), ("❤️", 3.5), ("kilometre", 0), ("good.bad", 0),
])
def test_words_of_a_mention(conn, text, sum_of_valences):
    found = conn.execute("SELECT convene.score_sentiment(%s)", [text]).fetchone()[0]
    assert found == pytest.approx(sum_of_valences / (sum_of_valences ** 2 + 15) ** 0.5, abs=1e-12)


def test_words_that_say_nothing_are_a_nought_without_a_sign(conn):
    assert conn.execute("SELECT convene.score_sentiment('Wo ist der Eingang?')::text").fetchone() == ("0",)


def test_a_text_of_any_length_is_read_at_once(conn):
    """As far as a mention goes. Each of its words took memory, and none could be cancelled."""
    with conn.transaction(force_rollback=True):
        conn.execute("SET LOCAL statement_timeout = '10s'")
        assert conn.execute("SELECT convene.score_sentiment('great ' || repeat('a ', 50000000) || 'awful')"
                            " = convene.score_sentiment('great')").fetchone() == (True,)


def test_blank_words_and_none(conn):
    assert conn.execute("SELECT convene.score_sentiment(' '), convene.score_sentiment(NULL)").fetchone() == (None, None)
    assert conn.execute("SELECT convene.score_sentiment(repeat('awful ', 200000))").fetchone()[0] == pytest.approx(-1)


def test_a_score_follows_its_words(undone, world):
    event = world[0]
    one = "SELECT sentiment::float8 FROM convene.post_views"
    post(undone, event, mention_text="awesome", sentiment=-1)
    assert undone.execute(one).fetchone()[0] == pytest.approx(3.5 / (3.5 ** 2 + 15) ** 0.5, abs=1e-6)
    undone.execute("UPDATE convene.post_views SET sentiment = 0")
    assert undone.execute(one).fetchone()[0] > 0.6
    refresh(undone)
    assert figures(undone, event.id)["sentiment_score"] > 0.6
    undone.execute("UPDATE convene.post_views SET mention_text = NULL")
    assert undone.execute(one).fetchone() == (None,)
    refresh(undone)
    assert figures(undone, event.id)["sentiment_score"] is None


def test_words_wait_for_the_extension_and_other_signals_do_not(fresh_db):
    with fresh_db.connect() as conn:
        event = make_event(conn, "alone", sessions=1)
        conn.execute("DROP EXTENSION convene")
        shown(conn, event)
        post(conn, event)
        statement = "INSERT INTO convene.post_views (event_id, post_id, mention_text) VALUES (%s, 'p', 'good')"
        expect_error(conn, "55000", statement, [event.id], hint="CREATE EXTENSION convene")
        conn.execute("CREATE EXTENSION convene")
        conn.execute(statement, [event.id])
        # Two impressions and posts, with the attendees of the event.
        assert refresh(conn)["events"] == 1


def test_who_may_ask(db, world):
    event, other = world
    call = "SELECT convene.refresh_event_insights(%s)"
    with db.connect() as conn:
        with as_role(conn, "authenticated", event.organizer):
            assert conn.execute(call, [event.id]).fetchone()[0]["events"] == 1
            same = [expect_error(conn, "42501", call, [id]).message for id in (other.id, ident("unknown"))]
            assert same[0] == same[1]
            expect_error(conn, "42501", "SELECT convene.refresh_event_insights()", message="all events")
            for statement in ("SELECT convene.rebuild_event_insights()", "SELECT convene.drop_old_partitions()"):
                expect_error(conn, "42501", statement)
            assert conn.execute("SELECT count(*) FROM convene.event_audience_insights").fetchone() == (1,)
        with as_role(conn, "authenticated", event.people[0].sub):
            expect_error(conn, "42501", call, [event.id])
        with as_role(conn, "anon"):
            expect_error(conn, "42501", call, [event.id])
        with as_role(conn, "service_role"):
            expect_error(conn, "P0002", call, [ident("unknown")])
            expect_error(conn, "P0002", "SELECT convene.rebuild_event_insights(%s)", [ident("unknown")])
            assert refresh(conn)["rebuilt"] is False
            assert rebuild(conn)["events"] == 2
            for table in ("deltas", "totals", "months"):
                expect_error(conn, "42501", f"DELETE FROM convene.event_signal_{table}")


def test_since_is_the_time_of_signals(undone, world):
    event, other = world
    shown(undone, event, created_at=NOW - timedelta(days=3))
    shown(undone, other, created_at=NOW - timedelta(hours=1))
    assert refresh(undone, since=NOW + timedelta(hours=1))["events"] == 0
    assert refresh(undone, since=NOW - timedelta(days=1)) == {"events": 1, "deltas": 1, "rebuilt": False}
    assert refresh(undone, event.id, NOW - timedelta(days=1))["events"] == 0
    assert (figures(undone, other.id)["engagement_score"], figures(undone, event.id)["engagement_score"]) == (0, None)
    # A late one counts as soon as the event has a signal of that time, noted or counted.
    shown(undone, other, created_at=NOW - timedelta(days=9))
    assert refresh(undone, since=NOW - timedelta(days=1))["events"] == 1
    assert refresh(undone, event.id, NOW - timedelta(days=4))["events"] == 1
    # Orders, attendees and videos count as of when they changed.
    order(undone, event, "paid")
    assert refresh(undone, since=datetime.now(timezone.utc) - timedelta(minutes=1))["events"] == 1


def test_an_erased_visitor_leaves_sums(conn):
    event, person = make_event(conn, "erased", sessions=1), ident("visitor")
    conn.execute("INSERT INTO convene.profiles (id) VALUES (%s)", [person])
    shown(conn, event, 5, country="JP", age_bucket="65+", profile_id=person)
    post(conn, event, mention_text="awful", profile_id=person)
    refresh(conn)
    assert figures(conn, event.id)["geo_distribution"] == {"JP": 5}
    conn.execute("SELECT convene.erase_person(%s)", [person])
    refresh(conn)
    found = figures(conn, event.id)
    assert (found["geo_distribution"], found["age_segments"], found["sentiment_score"]) == ({}, {}, None)
    assert agree(found, expected(conn, event.id)) == {}
    conn.execute("DELETE FROM convene.events WHERE id = %s", [event.id])
    # The notes of its signals, and of those who attended it, go with it.
    assert refresh(conn)["events"] == 0
    for table in ("deltas", "totals", "months"):
        assert conn.execute(f"SELECT count(*) FROM convene.event_signal_{table} WHERE event_id = %s", [event.id]).fetchone() == (0,)


# What no trigger hears of.

def test_a_table_that_is_emptied_is_counted_anew(undone, world):
    event = world[0]
    shown(undone, event, 7)
    post(undone, event, mentions=3)
    refresh(undone)
    undone.execute("TRUNCATE convene.event_impressions")
    shown(undone, event, 2, country="FR")
    # For one event the others' turn comes later.
    assert refresh(undone, event.id)["rebuilt"] is True
    assert figures(undone, event.id)["geo_distribution"] == {"FR": 2}
    assert refresh(undone)["rebuilt"] is True
    assert agree(figures(undone, event.id), expected(undone, event.id)) == {}
    assert refresh(undone) == {"events": 0, "deltas": 0, "rebuilt": False}


def test_a_rebuild_finds_what_came_in_silence(undone, world):
    event = world[0]
    shown(undone, event, 7, country="DE")
    refresh(undone)
    undone.execute("SET LOCAL session_replication_role = replica")
    shown(undone, event, 5, country="DE", organization_id=event.organization)
    post(undone, event, mentions=1, mention_text="good", organization_id=event.organization)
    undone.execute("SET LOCAL session_replication_role = origin")
    refresh(undone, event.id)
    assert figures(undone, event.id)["geo_distribution"] == {"DE": 7}
    assert rebuild(undone)["rebuilt"] is True
    assert figures(undone, event.id)["geo_distribution"] == {"DE": 12}
    assert figures(undone, event.id)["sentiment_score"] == 0.458831
    assert agree(figures(undone, event.id), expected(undone, event.id)) == {}


def test_what_is_written_to_a_partition_counts_too(undone, world):
    """As only the owner can; and the counterpart by the table's name."""
    event = world[0]
    undone.execute(MAKE, ["event_impressions", "2031-05-01"])
    for partition in ("event_impressions_2031_05", "event_impressions_default"):
        at = moment(2031, 5, 5) if "2031" in partition else moment(2031, 6, 5)
        undone.execute(f"INSERT INTO convene.{partition} (event_id, organization_id, impressions, created_at) VALUES (%s, %s, 3, %s)",
                       [event.id, event.organization, at])
        undone.execute(f"UPDATE convene.{partition} SET country = 'DE'")
    refresh(undone)
    assert figures(undone, event.id)["geo_distribution"] == {"DE": 6}
    undone.execute("DELETE FROM convene.event_impressions_2031_05")
    undone.execute("UPDATE convene.event_impressions SET impressions = 4, created_at = '2031-05-07 UTC'")
    refresh(undone)
    assert figures(undone, event.id)["geo_distribution"] == {"DE": 4}
    before = stored(undone)
    rebuild(undone)
    assert stored(undone) == before


def test_a_rebuild_that_is_cancelled_did_nothing(db, world):
    """However fast it is: it is met when it writes the figures, which is the last that it does."""
    event = world[0]
    with db.connect() as conn:
        conn.execute("CREATE FUNCTION public.nap() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN NEW; END $$;"
                     " CREATE TRIGGER nap BEFORE INSERT OR UPDATE ON convene.event_audience_insights FOR EACH ROW EXECUTE FUNCTION public.nap()")
        conn.execute("INSERT INTO convene.event_impressions (event_id, impressions) SELECT %s, 1 FROM generate_series(1, 20000)", [event.id])
        before = stored(conn), conn.execute("SELECT count(*) FROM convene.event_signal_deltas").fetchone()
        for call in ("rebuild_event_insights()", "refresh_event_insights()"):
            conn.execute("SET statement_timeout = '500ms'")
            expect_error(conn, "57014", f"SELECT convene.{call}")
            conn.execute("RESET statement_timeout")
            assert (stored(conn), conn.execute("SELECT count(*) FROM convene.event_signal_deltas").fetchone()) == before
        conn.execute("DROP TRIGGER nap ON convene.event_audience_insights")
        conn.execute("DELETE FROM convene.event_impressions WHERE event_id = %s", [event.id])
        refresh(conn)
        assert agree(figures(conn, event.id), expected(conn, event.id)) == {}


def test_long_work_says_how_far_it_is_once_a_second(conn):
    told = []
    conn.add_notice_handler(lambda notice: told.append(notice.message_primary))
    with conn.transaction(force_rollback=True):
        conn.execute("SELECT convene_private.tell_progress('counting', n, 4) FROM generate_series(0, 3) n")
    assert len(told) == 1 and told[0].startswith("counting: 1 of 4 done, about ")


# Months that go.

def test_a_month_goes_and_the_figures_stay(fresh_db):
    with fresh_db.connect() as conn:
        event, other = make_world(conn, sessions=1)
        old = [moment(2024, 3, 5), moment(2024, 3, 31, hour=23, minute=59, second=59, microsecond=999999), moment(2024, 4)]
        for table in ("event_impressions", "ticket_analytics", "post_views"):
            for day in ("2024-03-01", "2024-04-01"):
                conn.execute(MAKE, [table, day])
        for number, at in enumerate(old):
            shown(conn, event, 10 ** number, country="DE", created_at=at)
            shown(conn, other, 2, country="FR", created_at=at)
            put(conn, "ticket_analytics", event, ticket_views=2, created_at=at)
            post(conn, event, mentions=1, mention_text="good", created_at=at)
        refresh(conn)
        shown(conn, event, 1000, country="Germany", created_at=old[0])  # waits when its month goes
        wanted = {one.id: expected(conn, one.id) for one in (event, other)}
        dropped = conn.execute("SELECT convene.drop_old_partitions('2 months', %s)", [moment(2024, 6, 1)]).fetchone()[0]
        assert dropped == {"dropped": ["event_impressions 2024-03", "post_views 2024-03", "ticket_analytics 2024-03"]}
        assert conn.execute("SELECT to_regclass('convene.post_views_2024_03'), to_regclass('convene.post_views_2024_04') IS NULL").fetchone() == (None, False)
        assert conn.execute("SELECT event_id, month::text, impressions, ticket_views, mentions, countries FROM convene.event_signal_months"
                            " ORDER BY impressions DESC").fetchall() == [
            (event.id, "2024-03-01", 1011, 4, 2, {"DE": 11, "Germany": 1000}), (other.id, "2024-03-01", 4, 0, 0, {"FR": 4})]
        for count in (refresh, rebuild):
            count(conn)
            assert [agree(figures(conn, id), wanted[id]) for id in wanted] == [{}, {}]
        # A row of the month that comes afterwards waits in DEFAULT and counts once; so it does when the month is made and goes again.
        shown(conn, event, 7, country="DE", created_at=old[0])
        for step in ("SELECT", "SELECT convene_private.make_month_partition('event_impressions', '2024-03-01')",
                     "SELECT convene.drop_old_partitions('24 months')"):
            conn.execute(step)
            for count in (refresh, rebuild):
                count(conn)
                assert figures(conn, event.id)["geo_distribution"] == {"DE": 1118}
        assert conn.execute("SELECT impressions FROM convene.event_signal_months WHERE month = '2024-03-01' AND event_id = %s",
                            [event.id]).fetchone() == (1018,)
        assert conn.execute("SELECT convene.drop_old_partitions()").fetchone()[0] == {"dropped": []}
        assert conn.execute("SELECT count(*) FROM convene.event_impressions").fetchone() == (0,)


@pytest.mark.parametrize("zone, style", [("Asia/Kolkata", "SQL, DMY"), ("America/New_York", "German"), ("XYZ5", "Postgres")])
def test_a_month_is_the_same_in_every_session(fresh_db, zone, style):
    """IST is India's time where it is written, and Israel's where it is read; what XYZ is nobody else knows."""
    hours = [datetime(2025, month, day, hour, 30, tzinfo=timezone.utc) for month, day, hour in
             [(1, 1, 0), (1, 15, 12), (1, 31, 23), (2, 1, 0), (2, 28, 23)]]
    with fresh_db.connect() as conn:
        event = make_event(conn, "old", sessions=1)
        for month in ("2025-01-01", "2025-02-01"):
            conn.execute(MAKE, ["event_impressions", month])
        for place, hour in enumerate(hours):
            shown(conn, event, 10 ** place, country="DE", created_at=hour)
        refresh(conn)
        conn.execute("SELECT set_config('TimeZone', %s, false), set_config('DateStyle', %s, false)", [zone, style])
        assert conn.execute("SELECT convene.drop_old_partitions('1 month', '2025-03-10 UTC')").fetchone()[0] == {
            "dropped": ["event_impressions 2025-01"]}
        assert conn.execute("SELECT to_char(month, 'YYYY-MM-DD'), impressions FROM convene.event_signal_months").fetchall() == [("2025-01-01", 111)]
        rebuild(conn)
        assert figures(conn, event.id)["geo_distribution"] == {"DE": 11111}


@pytest.mark.parametrize("keep, code", [
    (None, "22004"), ("0", "22023"), ("-1 month", "22023"), ("3 days", "22023"), ("29 days", "22023"), ("1000 years", "22023"),
])
def test_nonsense_is_not_kept(conn, keep, code):
    expect_error(conn, code, "SELECT convene.drop_old_partitions(%s::interval)", [keep])


@pytest.mark.parametrize("now, code", [(None, "22004"), ("infinity", "22023"), ("-infinity", "22023")])
def test_nonsense_is_not_now(conn, now, code):
    expect_error(conn, code, "SELECT convene.drop_old_partitions('2 months', %s::timestamptz)", [now])


def test_months_in_use_elsewhere_stay(undone, world):
    """Tables of the users' own may refer to signals."""
    undone.execute(MAKE, ["event_impressions", "2024-03-01"])
    shown(undone, world[0], created_at=moment(2024, 3, 5))
    undone.execute("CREATE TABLE public.clicks (impression uuid, at timestamptz,"
                   " FOREIGN KEY (impression, at) REFERENCES convene.event_impressions (id, created_at))")
    undone.execute("INSERT INTO public.clicks SELECT id, created_at FROM convene.event_impressions")
    expect_error(undone, "2BP01", "SELECT convene.drop_old_partitions()", detail="public.clicks")
    assert undone.execute("SELECT count(*) FROM convene.event_impressions_2024_03").fetchone() == (1,)


def test_what_is_sent_while_months_go_is_counted_once(fresh_db):
    """Writers of old months, somebody who makes them and somebody who drops them."""
    sent, trouble, done = [], [], threading.Event()
    with fresh_db.connect() as conn:
        event = make_event(conn, "old", sessions=1)

    def guarded(work):
        def run():
            try:
                with fresh_db.second() as conn:
                    number = 0
                    while not done.is_set():
                        work(conn, number)
                        number += 1
            except Exception as error:  # noqa: BLE001 - whatever it was, it is the finding
                trouble.append(error)
        return threading.Thread(target=run)

    def write(conn, number):
        shown(conn, event, 1, country="DE", created_at=moment(2024, number % 12 + 1, 1 + number % 28))
        sent.append(1)

    jobs = [guarded(write), guarded(write),
            guarded(lambda conn, number: conn.execute(MAKE, ["event_impressions", f"2024-{number % 12 + 1:02}-01"])),
            guarded(lambda conn, number: conn.execute("SELECT convene.drop_old_partitions('1 month')")),
            guarded(lambda conn, number: (refresh(conn), time.sleep(0.01)))]
    for job in jobs:
        job.start()
    time.sleep(6)
    done.set()
    for job in jobs:
        job.join()
    assert trouble == []
    with fresh_db.connect() as conn:
        refresh(conn)
        assert figures(conn, event.id)["geo_distribution"] == {"DE": len(sent)}
        rebuild(conn)
        assert figures(conn, event.id)["geo_distribution"] == {"DE": len(sent)} and len(sent) > 50
        assert conn.execute("SELECT count(*) FROM convene.event_signal_months").fetchone()[0] > 0
