"""Counting what came in gives what counting everything gives, to the last digit, whatever happened in between and to whom."""

import json
import os
import random
import signal
import threading
import time
from datetime import datetime, timezone

import psycopg
import pytest

from lib.cluster import Cluster
from lib.factory import ident, make_event
from lib.insights import COUNTRIES, TABLES, agree, expected, figures, moment, rebuild, refresh, signals, stored

ROUNDS = int(os.environ.get("CONVENE_INSIGHT_ROUNDS", "8"))
STEPS = int(os.environ.get("CONVENE_INSIGHT_STEPS", "240"))
PRESENT = datetime.now(timezone.utc)
WORDS = ["good", "awful, simply awful", "no idea", " ", "it was great but loud", "best event ever!!!", "nicht verstanden", None]


class Market:
    """Events whose signals change at random, over sessions of which some are slow to commit."""

    def __init__(self, db, seed):
        self.db, self.draw = db, random.Random(seed)
        self.conn = db.connect()
        self.conn.execute("SET lock_timeout = '20s'")
        self.open = []
        self.gone = {}
        self.events = []
        for number in range(4):
            self.add_event(f"{seed}/{number}")
        self.people = [ident(f"{seed} visitor {number}") for number in range(5)]
        for person in self.people:
            self.conn.execute("INSERT INTO convene.profiles (id) VALUES (%s)", [person])

    def add_event(self, label):
        event = ident(label, "event")
        self.conn.execute("INSERT INTO convene.events (id, title, status) VALUES (%s, %s, 'published')", [event, label])
        self.events.append(event)

    def moment(self):
        """In months with and without a partition, before and after now."""
        year, month = self.draw.choice([(2024, 3), (2024, 4), (2024, 5), (PRESENT.year, PRESENT.month), (2031, 1), (2031, 2)])
        return moment(year, month, self.draw.randint(1, 28), hour=self.draw.randrange(24))

    def values(self, table):
        pick, draw = self.draw.choice, self.draw
        times = pick([0, 1, 1, 2, draw.randrange(1000), 2 ** 31 - 1])
        dwell = pick([None, 0, draw.randrange(10 ** 6)]) if draw.random() < 0.99 else 2 ** 62
        person = pick([None, None, *self.people])
        always = {"event_id": pick(self.events), "created_at": self.moment(), "profile_id": person}
        if table == "event_impressions":
            return {**always, "impressions": times, "dwell_time_ms": dwell, "country": pick([None, *COUNTRIES]),
                    "age_bucket": pick([None, "18-24", "25-34", "65+"])}
        if table == "ticket_analytics":
            return {**always, "ticket_views": times, "purchases": draw.randrange(5), "checkouts_started": draw.randrange(9)}
        return {**always, "post_id": "p", "views": times, "dwell_time_ms": dwell, "mentions": draw.randrange(4),
                "watch_percentage": pick([None, 0, 100, draw.randrange(10000) / 100]), "mention_text": pick(WORDS)}

    def insert(self, conn):
        table = self.draw.choice(TABLES)
        rows = [self.values(table) for _ in range(self.draw.choice([1, 1, 3, 40]))]
        columns = list(rows[0])
        if self.draw.random() < 0.3:
            with conn.cursor().copy(f"COPY convene.{table} ({', '.join(columns)}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row([row[column] for column in columns])
        else:
            conn.execute(f"INSERT INTO convene.{table} ({', '.join(columns)}) SELECT {', '.join(columns)}"
                         f" FROM jsonb_populate_recordset(NULL::convene.{table}, %s)", [json.dumps(rows, default=str)])

    def some(self, table):
        """A condition that some rows meet."""
        return f"hashtext(id::text) %% 7 = {self.draw.randrange(7)}"

    def change(self):
        table = self.draw.choice(TABLES)
        values = self.values(table)
        columns = self.draw.sample(list(values), 2)
        if "profile_id" in columns:
            columns.remove("profile_id")
        if table == "event_impressions" and self.draw.random() < 0.2:
            # A row that is there already.
            self.conn.execute("INSERT INTO convene.event_impressions AS i (id, created_at, event_id, impressions, country)"
                              " SELECT id, created_at, event_id, 5, 'FR' FROM convene.event_impressions LIMIT 5"
                              " ON CONFLICT (id, created_at) DO UPDATE SET impressions = excluded.impressions, country = 'JP'")
        self.conn.execute(f"UPDATE convene.{table} SET {', '.join(f'{column} = %s' for column in columns)}"
                          f" WHERE {self.some(table)}", [values[column] for column in columns])

    def remove(self):
        table = self.draw.choice(TABLES)
        self.conn.execute(f"DELETE FROM convene.{table} WHERE {self.some(table)}", [])

    def erase(self):
        self.end_all()
        person = self.draw.choice(self.people)
        if self.draw.random() < 0.5:
            self.conn.execute("SELECT convene.erase_person(%s)", [person])
            self.conn.execute("INSERT INTO convene.profiles (id) VALUES (%s) ON CONFLICT DO NOTHING", [person])
        else:
            self.conn.execute("DELETE FROM convene.profiles WHERE id = %s", [person])
            self.conn.execute("INSERT INTO convene.profiles (id) VALUES (%s)", [person])

    def surroundings(self):
        """What is counted where it stands."""
        event = self.draw.choice(self.events)
        what = self.draw.randrange(4)
        if what == 0:
            self.conn.execute("INSERT INTO convene.attendees (event_id, full_name) SELECT %s, 'x' FROM generate_series(1, 3)", [event])
        elif what == 1:
            self.conn.execute("UPDATE convene.attendees SET status = 'cancelled' WHERE hashtext(id::text) % 3 = 0")
        elif what == 2:
            self.conn.execute("INSERT INTO convene.event_video_counters (event_id, video_id, views, watch_percentage, likes)"
                              " VALUES (%s, %s, %s, 55.5, 3)", [event, str(time.monotonic()), self.draw.randrange(100)])
        else:
            self.conn.execute("INSERT INTO convene.orders (event_id, status, paid_at, expires_at) VALUES (%s, 'paid', now(), now())", [event])

    def late(self):
        """A transaction that commits some steps later, or never."""
        conn = self.db.connect(autocommit=False)
        self.insert(conn)
        self.open.append(conn)

    def end_one(self):
        if self.open:
            conn = self.open.pop(self.draw.randrange(len(self.open)))
            conn.commit() if self.draw.random() < 0.8 else conn.rollback()
            conn.close()

    def end_all(self):
        while self.open:
            self.end_one()

    def delete_event(self):
        self.end_all()
        gone = self.draw.choice(self.events)
        self.conn.execute("DELETE FROM convene.orders WHERE event_id = %s", [gone])
        self.conn.execute("DELETE FROM convene.events WHERE id = %s", [gone])
        self.events.remove(gone)
        self.add_event(f"{self.draw.random()}")

    def make_month(self):
        self.end_all()
        self.conn.execute("SELECT convene_private.make_month_partition(%s, %s)",
                          [self.draw.choice(TABLES), self.draw.choice(["2024-03-01", "2024-04-01", "2031-01-01"])])

    def drop_months(self):
        """What goes is noted beforehand, for the reference."""
        self.end_all()
        old = self.conn.execute("""SELECT i.inhparent::regclass::text, c.oid::regclass::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                                   WHERE c.relname ~ '_2024_0[345]$'""").fetchall()
        for table, partition in old:
            table = table.removeprefix("convene.")
            for row in signals(self.conn, table, condition=f"tableoid = '{partition}'::regclass"):
                self.gone.setdefault(row[0], {}).setdefault(table, []).append(row[1:])
        self.conn.execute("SELECT convene.drop_old_partitions('12 months')")

    def empty(self):
        self.end_all()
        self.conn.execute(f"TRUNCATE convene.{self.draw.choice(TABLES)}")

    def silence(self):
        """Writes that no trigger hears of, and the rebuild that is due then."""
        self.end_all()
        with self.conn.transaction():
            self.conn.execute("SET LOCAL session_replication_role = replica")
            self.conn.execute("UPDATE convene.event_impressions SET impressions = 3 WHERE hashtext(id::text) % 5 = 0")
            self.conn.execute("DELETE FROM convene.post_views WHERE hashtext(id::text) % 5 = 0")
        rebuild(self.conn)

    def count(self):
        refresh(self.conn, self.draw.choice([None, None, self.draw.choice(self.events)]))

    def count_since(self):
        refresh(self.conn, None, self.moment())

    def check(self):
        """At rest: the reference, and a rebuild that changes nothing."""
        refresh(self.conn)
        self.end_all()
        refresh(self.conn)
        for event in self.events:
            found = figures(self.conn, event)
            wanted = expected(self.conn, event, self.gone.get(event))
            if found is None:
                assert not any(signals(self.conn, table, event) for table in TABLES)
            else:
                assert agree(found, wanted) == {}, event
        before = stored(self.conn)
        assert self.conn.execute("SELECT count(*) FROM convene.event_signal_deltas").fetchone() == (0,)
        rebuild(self.conn)
        assert stored(self.conn) == before

    def step(self):
        kinds = [(self.insert, 30), (self.late, 12), (self.end_one, 12), (self.change, 8), (self.remove, 4), (self.erase, 4),
                 (self.surroundings, 6), (self.delete_event, 1), (self.make_month, 2), (self.drop_months, 1), (self.empty, 1),
                 (self.silence, 1), (self.count, 15), (self.count_since, 3)]
        chosen = self.draw.choices([kind for kind, _ in kinds], [weight for _, weight in kinds])[0]
        chosen(self.conn) if chosen == self.insert else chosen()


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_counting_what_came_in_equals_counting_everything(fresh_db, seed):
    market = Market(fresh_db, seed)
    try:
        for number in range(STEPS):
            market.step()
            if number % 40 == 39:
                market.check()
        market.check()
    finally:
        for conn in market.open:
            conn.close()
        market.conn.close()


# Sessions beside each other.

@pytest.fixture
def event(fresh_db):
    with fresh_db.connect() as conn:
        made = make_event(conn, "busy", sessions=1)
        refresh(conn)
    return made


SEND = "INSERT INTO convene.event_impressions (event_id, impressions, country) VALUES (%s, %s, 'DE')"


def times(conn, event):
    return figures(conn, event.id)["geo_distribution"].get("DE", 0)


def test_what_is_committed_after_a_refresh_is_counted_by_the_next(fresh_db, event):
    with fresh_db.connect() as conn, fresh_db.second(autocommit=False) as slow:
        slow.execute(SEND, [event.id, 1])
        conn.execute(SEND, [event.id, 10])
        refresh(conn)
        assert times(conn, event) == 10
        slow.commit()
        assert times(conn, event) == 10
        refresh(conn)
        assert times(conn, event) == 11
        refresh(conn)
        assert times(conn, event) == 11


def test_a_refresh_waits_for_another_and_counts_nothing_twice(fresh_db, event):
    with fresh_db.connect() as conn, fresh_db.second(autocommit=False) as first:
        conn.execute(SEND, [event.id, 5])
        refresh(first)
        conn.execute(SEND, [event.id, 20])
        found = []

        def second(one):
            with fresh_db.second() as other:
                found.append(refresh(other, one))

        threads = [threading.Thread(target=second, args=[one]) for one in (None, event.id)]
        for thread in threads:
            thread.start()
        time.sleep(0.5)
        assert found == []
        first.commit()
        for thread in threads:
            thread.join()
        assert times(conn, event) == 25
        rebuild(conn)
        assert times(conn, event) == 25


def test_a_refresh_makes_nobody_wait_who_writes(fresh_db, event):
    with fresh_db.connect() as conn, fresh_db.second(autocommit=False) as counting:
        conn.execute("SET lock_timeout = '1s'")
        conn.execute(SEND, [event.id, 5])
        for count in (refresh, rebuild):
            count(counting)
            conn.execute(SEND, [event.id, 1])
            conn.execute("UPDATE convene.event_impressions SET impressions = impressions WHERE event_id = %s", [event.id])
            conn.execute("UPDATE convene.events SET title = 'x' WHERE id = %s", [event.id])
            counting.commit()
        refresh(conn)
        assert times(conn, event) == 7


def test_an_event_that_is_about_to_go_is_left_for_later(fresh_db, event):
    with fresh_db.connect() as conn, fresh_db.second(autocommit=False) as other:
        stays = make_event(conn, "stays", sessions=1)
        for one in (event, stays):
            conn.execute(SEND, [one.id, 5])
        other.execute("DELETE FROM convene.events WHERE id = %s", [event.id])
        conn.execute("SET lock_timeout = '1s'")
        assert refresh(conn)["events"] == 1
        assert (times(conn, stays), times(conn, event)) == (5, 0)
        other.rollback()
        assert refresh(conn)["events"] == 1
        assert times(conn, event) == 5


def test_many_at_once_and_some_that_die(fresh_db, event):
    """Writers; refreshes of all and of one, rebuilds; and somebody who kills those that count. What was acknowledged is counted once."""
    sent, trouble, done = [], [], threading.Event()
    killed = []

    def writer(number):
        with fresh_db.second() as conn:
            while not done.is_set():
                conn.execute(SEND, [event.id, 1])
                sent.append(1)
                conn.execute("UPDATE convene.event_impressions SET dwell_time_ms = 5 WHERE ctid IN"
                             " (SELECT ctid FROM convene.event_impressions WHERE hashtext(id::text) %% 50 = %s)", [number])

    def counter(work):
        while not done.is_set():
            try:
                with fresh_db.second(application_name="counter") as conn:
                    while not done.is_set():
                        work(conn)
            except psycopg.OperationalError:
                continue

    def killer():
        with fresh_db.second() as conn:
            while not done.is_set():
                time.sleep(0.15)
                killed.extend(conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'counter'"
                                           " AND state = 'active' AND datname = current_database() LIMIT 1").fetchall())

    def guarded(work, *arguments):
        def run():
            try:
                work(*arguments)
            except Exception as error:  # noqa: BLE001 - whatever it was, it is the finding
                trouble.append(error)
        return threading.Thread(target=run)

    threads = [guarded(writer, number) for number in range(3)] + [guarded(killer)] + [
        guarded(counter, work) for work in (refresh, refresh, lambda conn: refresh(conn, event.id), rebuild)]
    for thread in threads:
        thread.start()
    time.sleep(8)
    done.set()
    for thread in threads:
        thread.join()
    assert trouble == [] and killed and len(sent) > 100
    with fresh_db.connect() as conn:
        refresh(conn)
        assert times(conn, event) == len(sent)
        assert agree(figures(conn, event.id), expected(conn, event.id)) == {}
        before = stored(conn)
        rebuild(conn)
        assert stored(conn) == before


def wait_for(db):
    """Until the server has noticed, and is up again."""
    time.sleep(1)
    deadline = time.monotonic() + 60
    while True:
        try:
            db.connect().close()
            return
        except psycopg.OperationalError:
            assert time.monotonic() < deadline
            time.sleep(0.2)


def test_a_server_that_dies_counts_nothing_twice(cluster):
    """kill -9 of a backend takes the whole server down; a server of its own, then, that keeps what it acknowledged."""
    own = Cluster(f"{cluster.name}-insights").start(synchronous_commit="on")
    try:
        db = own.create_database("dying")
        with db.connect() as conn:
            conn.execute("CREATE EXTENSION convene CASCADE")
            conn.execute("SELECT convene.install()")
            made = make_event(conn, "dying", sessions=1)
        sent = 0
        for round in range(4):
            with db.connect() as conn:
                conn.execute("INSERT INTO convene.event_impressions (event_id, impressions, country) SELECT %s, 1, 'DE'"
                             " FROM generate_series(1, 3000)", [made.id])
                sent += 3000
            victim = db.connect(autocommit=False)
            refresh(victim)
            committed = round % 2 == 1
            if committed:
                victim.commit()
            os.kill(victim.info.backend_pid, signal.SIGKILL)
            wait_for(db)
            with db.connect() as conn:
                before = figures(conn, made.id)
                assert (before["geo_distribution"]["DE"] if before else 0) == (sent if committed else sent - 3000)
                refresh(conn)
                assert times(conn, made) == sent
        with db.connect() as conn:
            rebuild(conn)
            assert times(conn, made) == sent
    finally:
        own.stop()
