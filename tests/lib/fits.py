"""A small market that changes at random, and what its matches have to be: computed from the tables by the formulas of the
requirement, pair by pair, in exact fractions, without any function of the extension."""

import random
import threading
import time
import uuid
from fractions import Fraction
from math import floor

import psycopg
import pytest
from psycopg.types.json import Jsonb

from .factory import ident

PARTS = ("budget_fit", "audience_overlap", "geo_fit", "engagement_quality", "objectives_similarity")
USUAL = dict(zip(PARTS, map(Fraction, ("0.25", "0.35", "0.15", "0.15", "0.10"))))
COUNTRIES = {"us": "us", "united states": "us", "ca": "ca", "canada": "ca", "de": "de", "germany": "de"}
VECTORS = ("[1,0]", "[0,1]", "[-1,0]", "[0,-1]")
WORK = "SELECT convene.update_sponsorship_matches()"
BOUNDS = ("sponsorship.match_floor", "sponsorship.top_n_per_sponsor", "sponsorship.top_n_per_event")
LIVE = """
SELECT s.id, p.annual_budget_cents, p.preferred_categories, p.regions, p.embedding_model, p.objectives_embedding::text
  FROM convene.sponsors s JOIN convene.sponsor_profiles p ON p.sponsor_id = s.id WHERE s.status <> 'churned'"""
EVENTS = """
SELECT e.id, e.categories, e.regions, i.event_id IS NOT NULL, i.geo_distribution, i.engagement_score, i.ticket_conversion_rate,
       x.embedding_model, x.embedding::text,
       coalesce((SELECT w.weights FROM convene.scoring_weights w WHERE w.surface = 'sponsorship' AND w.is_active AND w.event_id = e.id),
                (SELECT w.weights FROM convene.scoring_weights w WHERE w.surface = 'sponsorship' AND w.is_active AND w.event_id IS NULL))
  FROM convene.events e
  LEFT JOIN convene.event_audience_insights i ON i.event_id = e.id
  LEFT JOIN convene.event_embeddings x ON x.event_id = e.id
 WHERE e.status = 'published' AND (e.end_at IS NULL OR e.end_at > clock_timestamp())"""


def words(values):
    return {value.strip().lower() for value in values if value.strip()}


def countries(values):
    return {COUNTRIES.get(word, word) for word in words(values)}


def overlap(wanted, present):
    return Fraction(len(wanted & present), len(wanted)) if wanted else Fraction(1, 2)


def parts_of(sponsor, event):
    """The parts of a fit; the two overlaps beside them."""
    _, budget, wanted, regions, model, objectives = sponsor
    _, categories, own, known, geo, engagement, conversion, event_model, embedding, _ = event
    regions, geo = countries(regions), geo or {}
    by_category = overlap(words(wanted), words(categories))
    by_region = overlap(regions, countries(own) | countries(geo))
    people = sum(geo.values())
    if not known:
        geo_fit = by_region
    elif not regions or not people:
        geo_fit = Fraction(1, 2)
    else:
        geo_fit = Fraction(sum(count for region, count in geo.items() if countries([region]) <= regions), people)
    similar = Fraction(1, 2)
    if objectives and embedding and model == event_model:
        a, b = ([int(number) for number in vector.strip("[]").split(",")] for vector in (objectives, embedding))
        similar = Fraction(1 + sum(x * y for x, y in zip(a, b)), 2)
    return {
        "budget_fit": Fraction(budget or 0, (budget or 0) + 100000),
        "audience_overlap": Fraction(6, 10) * by_category + Fraction(4, 10) * by_region, "geo_fit": geo_fit,
        "engagement_quality": Fraction(7, 10) * Fraction(engagement or 0) + Fraction(3, 10) * Fraction(conversion or 0),
        "objectives_similarity": similar}, by_category, by_region


def millionths(value):
    return floor(value * 10**6 + Fraction(1, 2))


def weights_of(event):
    return USUAL if event[9] is None else {name: Fraction(str(event[9].get(name, 0))) for name in PARTS}


def whole_market(conn):
    """Every live pair: (event, sponsor) -> score in millionths, parts, weights."""
    sponsors, events = conn.execute(LIVE).fetchall(), conn.execute(EVENTS).fetchall()
    pairs = {}
    for event in events:
        weights = weights_of(event)
        for sponsor in sponsors:
            parts, by_category, by_region = parts_of(sponsor, event)
            score = sum(weights[name] * parts[name] for name in PARTS)
            pairs[event[0], sponsor[0]] = (millionths(score), parts, weights, by_category, by_region)
    return pairs


def worth_a_row(conn, pairs):
    """The pairs that the settings leave."""
    settings = dict(conn.execute("SELECT key, value FROM convene.settings WHERE key = ANY (%s)", [list(BOUNDS)]).fetchall())
    least, per_sponsor, per_event = (settings.get(key) or 0 for key in BOUNDS)
    def place(pair, side):  # noqa: E306 - one line of what a rank is
        rivals = [other for other in pairs if other[side] == pair[side]]
        return sorted(rivals, key=lambda other: (-pairs[other][0], other[1 - side])).index(pair)
    return {pair for pair in pairs if pairs[pair][0] >= Fraction(str(least)) * 10**6
            and (not per_sponsor or place(pair, 1) < per_sponsor) and (not per_event or place(pair, 0) < per_event)}


def check(conn, answers=None):
    """Fails where the matches are not what they have to be. `answers`: what people said of them."""
    pairs = whole_market(conn)
    kept = worth_a_row(conn, pairs)
    rows = {(row[0], row[1]): row[2:] for row in conn.execute(
        "SELECT event_id, sponsor_id, score, overlap_metrics, retired_at, status, viewed_at IS NOT NULL, contacted_at IS NOT NULL"
        " FROM convene.sponsorship_matches")}
    for pair, (score, metrics, retired, status, viewed, contacted) in rows.items():
        human = status in ("accepted", "rejected") or viewed or contacted
        if pair not in pairs:
            assert human and retired, (pair, "is not on the market")
            continue
        assert pair in kept or human, (pair, "is not worth a row")
        assert retired is None, (pair, "is on the market")
        wanted, parts, weights, by_category, by_region = pairs[pair]
        assert score * 10**6 == wanted, (pair, score, wanted)
        near = lambda told, value: abs(Fraction(told) - value) < Fraction(1, 10**11)  # noqa: E731
        for name in set(PARTS) - {"audience_overlap"}:
            assert near(metrics[name], parts[name]), (pair, name, metrics[name], parts[name])
        assert near(metrics["audience_overlap"]["categories"], by_category) and near(metrics["audience_overlap"]["geo"], by_region), pair
        for name in PARTS:
            assert near(metrics["weights"][name], weights[name]), (pair, name)
            assert near(metrics["contributions"][name], weights[name] * parts[name]), (pair, name)
    missing = kept - set(rows)
    assert not missing, ("no row", missing)
    for pair, answer in (answers or {}).items():
        assert pair in rows and rows[pair][3:] == answer, (pair, answer, rows.get(pair))


def waiting(conn):
    return conn.execute("SELECT count(*) FROM convene.fit_recalc_queue WHERE status = 'pending'").fetchone()[0]


def drain(conn, batch=100, attempts=2000):
    """Works until nothing waits; a failed entry is not waited for, it is due at once."""
    for _ in range(attempts):
        conn.execute("UPDATE convene.fit_recalc_queue SET available_at = now() WHERE status = 'pending' AND available_at > now()")
        conn.execute("SELECT convene.update_sponsorship_matches(%s)", [batch])
        if not waiting(conn):
            return
    raise AssertionError("the queue does not empty")


ENTRIES = "SELECT sponsor_id, event_id, reason, priority FROM convene.fit_recalc_queue WHERE status = 'pending' ORDER BY queued_at, sponsor_id, event_id"


def add_event(conn, name="e", status="published", **columns):
    values = {"id": ident(name), "title": name, "status": status, "categories": ["music"], "regions": ["US"], **columns}
    names = ", ".join(values)
    conn.execute(f"INSERT INTO convene.events ({names}) VALUES ({', '.join(['%s'] * len(values))})", list(values.values()))
    return values["id"]


def add_sponsor(conn, name="s", budget=100000, **columns):
    conn.execute("INSERT INTO convene.sponsors (id, company_name) VALUES (%s, %s)", [ident(name), name])
    conn.execute("INSERT INTO convene.sponsor_profiles (sponsor_id, annual_budget_cents, preferred_categories, regions) VALUES (%s, %s, %s, %s)",
                 [ident(name), budget, columns.get("categories", ["music"]), columns.get("regions", ["US"])])
    return ident(name)


def entries(conn):
    return conn.execute(ENTRIES).fetchall()


def matches(conn):
    return conn.execute("SELECT event_id, sponsor_id, score, status, retired_at IS NOT NULL FROM convene.sponsorship_matches ORDER BY 1, 2").fetchall()


def wait_for_lock(conn, pid):
    for _ in range(500):
        state = conn.execute("SELECT wait_event_type FROM pg_stat_activity WHERE pid = %s", [pid]).fetchone()
        if state == ("Lock",):
            return
        time.sleep(0.01)
    raise AssertionError("nobody waits")


def clean(conn):
    """A database as it was before anybody was on the market."""
    for trigger in conn.execute("SELECT tgname FROM pg_trigger WHERE tgrelid = 'convene.sponsorship_matches'::regclass AND tgname ~ '^test_'").fetchall():
        conn.execute(f"DROP TRIGGER {trigger[0]} ON convene.sponsorship_matches")
    conn.execute("UPDATE convene.settings SET value = 'null' WHERE key LIKE 'sponsorship.%' AND value <> 'null'")
    conn.execute("UPDATE convene.settings SET value = '5' WHERE key = 'queue.max_attempts' AND value <> '5'")
    for table in ("scoring_weights WHERE surface = 'sponsorship'", "sponsors", "events", "sponsorship_matches", "fit_recalc_queue"):
        conn.execute(f"DELETE FROM convene.{table}")


class Market:
    """Sponsors and events with ids of their own, which come, change and go."""

    def __init__(self, seed, sponsors=7, events=7):
        self.seed = seed
        ids = random.Random(f"ids {seed}")
        self.sponsors = [uuid.UUID(int=ids.getrandbits(128), version=4) for _ in range(sponsors)]
        self.events = [uuid.UUID(int=ids.getrandbits(128), version=4) for _ in range(events)]
        self.answers = {}
        self.answering = threading.Lock()

    def build(self, conn):
        conn.execute("SELECT convene.add_embedding_model('two', 2)")
        chance = random.Random(f"build {self.seed}")
        for sponsor in self.sponsors:
            self.put_sponsor(conn, chance, sponsor)
            self.put_profile(conn, chance, sponsor)
        for event in self.events:
            self.put_event(conn, chance, event)
            self.put_insights(conn, chance, event)

    # One change each.

    def put_sponsor(self, conn, chance, sponsor):
        conn.execute("INSERT INTO convene.sponsors (id, company_name) VALUES (%s, 'S') ON CONFLICT DO NOTHING", [sponsor])

    def put_profile(self, conn, chance, sponsor):
        some = lambda values: chance.sample(values, chance.randint(0, 2))  # noqa: E731
        vector = chance.choice([None, None, *VECTORS])
        conn.execute(
            "INSERT INTO convene.sponsor_profiles (sponsor_id, annual_budget_cents, preferred_categories, regions, objectives_embedding,"
            " embedding_model) SELECT id, %(budget)s, %(categories)s, %(regions)s, %(vector)s, %(model)s FROM convene.sponsors"
            " WHERE id = %(sponsor)s ON CONFLICT (sponsor_id) DO UPDATE SET annual_budget_cents = excluded.annual_budget_cents,"
            " preferred_categories = excluded.preferred_categories, regions = excluded.regions,"
            " objectives_embedding = excluded.objectives_embedding, embedding_model = excluded.embedding_model",
            {"sponsor": sponsor, "budget": chance.choice([None, 0, 50000, 100000, 400000]), "categories": some(["music", "food ", "ART"]),
             "regions": some(["US", "Canada", "germany", "Europe"]), "vector": vector, "model": vector and "two"})

    def touch_profile(self, conn, chance, sponsor):
        conn.execute(f"UPDATE convene.sponsor_profiles SET {chance.choice(['annual_budget_cents = annual_budget_cents + 1000', 'reputation_score = 5', 'regions = regions', 'annual_budget_cents = NULL'])}"
                     " WHERE sponsor_id = %s", [sponsor])

    def drop_profile(self, conn, chance, sponsor):
        conn.execute("DELETE FROM convene.sponsor_profiles WHERE sponsor_id = %s", [sponsor])

    def churn(self, conn, chance, sponsor):
        conn.execute("UPDATE convene.sponsors SET status = %s WHERE id = %s", [chance.choice(["churned", "active"]), sponsor])

    def put_event(self, conn, chance, event):
        conn.execute(
            "INSERT INTO convene.events (id, title, status, categories, regions) VALUES (%s, 'E', %s, %s, %s) ON CONFLICT DO NOTHING",
            [event, chance.choice(["published", "published", "draft"]), chance.sample(["Music", "food", "film"], 2), chance.sample(["us", "DE"], 1)])

    def change_event(self, conn, chance, event):
        change = chance.choice(["categories = '{music}'", "categories = '{food,art}'", "regions = '{CA}'", "regions = '{}'", "title = title || '!'",
                                "status = 'published'", "status = 'draft'", "status = 'published'", "status = 'cancelled'",
                                "end_at = now() - interval '1 hour'", "end_at = now() + interval '1 day'", "end_at = NULL"])
        conn.execute(f"UPDATE convene.events SET {change} WHERE id = %s", [event])

    def put_insights(self, conn, chance, event):
        geo = {region: chance.randint(0, 9) for region in chance.sample(["US", "Canada", "de", "FR"], chance.randint(0, 3))}
        conn.execute(
            "INSERT INTO convene.event_audience_insights (event_id, geo_distribution, engagement_score, ticket_conversion_rate)"
            " SELECT id, %s, %s, %s FROM convene.events WHERE id = %s ON CONFLICT (event_id) DO UPDATE SET"
            " geo_distribution = excluded.geo_distribution, engagement_score = excluded.engagement_score,"
            " ticket_conversion_rate = excluded.ticket_conversion_rate",
            [Jsonb(geo), chance.choice([None, 0.25, 0.5, 1]), chance.choice([None, 0.125, 0.75]), event])

    def drop_insights(self, conn, chance, event):
        conn.execute("DELETE FROM convene.event_audience_insights WHERE event_id = %s", [event])

    def put_vector(self, conn, chance, event):
        conn.execute("INSERT INTO convene.event_embeddings (event_id, embedding, source_text, embedding_model)"
                     " SELECT id, %s, 'x', 'two' FROM convene.events WHERE id = %s ON CONFLICT (event_id) DO UPDATE SET embedding = excluded.embedding",
                     [chance.choice(VECTORS), event])

    def drop_vector(self, conn, chance, event):
        conn.execute("DELETE FROM convene.event_embeddings WHERE event_id = %s", [event])

    def weigh(self, conn, chance, event):
        """Weights of an event or of all: made, put out of use, removed."""
        place = chance.choice([event, None])
        change = chance.choice(["make", "make", "stop", "drop"])
        which = "surface = 'sponsorship' AND event_id IS NOT DISTINCT FROM %s"
        if change == "make":
            share = chance.choice(["0.5", "0.75", "1"])
            conn.execute(f"UPDATE convene.scoring_weights SET is_active = false WHERE {which} AND is_active", [place])
            conn.execute("INSERT INTO convene.scoring_weights (surface, name, event_id, weights) SELECT 'sponsorship', 'w', %s, %s"
                         " WHERE %s::uuid IS NULL OR EXISTS (SELECT FROM convene.events WHERE id = %s)",
                         [place, Jsonb({"geo_fit": float(share), "budget_fit": 1 - float(share)}), place, place])
        elif change == "stop":
            conn.execute(f"UPDATE convene.scoring_weights SET is_active = false WHERE {which}", [place])
        else:
            conn.execute(f"DELETE FROM convene.scoring_weights WHERE {which}", [place])

    def bound(self, conn, chance, event):
        key = chance.choice(BOUNDS)
        value = chance.choice(["0.45", "0.6", "null", "0"] if key == BOUNDS[0] else ["3", "1", "null", "0"])
        conn.execute("UPDATE convene.settings SET value = %s::jsonb WHERE key = %s", [value, key])

    def drop_sponsor(self, conn, chance, sponsor):
        with self.answering:
            conn.execute("DELETE FROM convene.sponsors WHERE id = %s", [sponsor])
            self.forget(1, sponsor)

    def drop_event(self, conn, chance, event):
        with self.answering:
            conn.execute("DELETE FROM convene.events WHERE id = %s", [event])
            self.forget(0, event)

    def forget(self, side, gone):
        self.answers = {pair: answer for pair, answer in self.answers.items() if pair[side] != gone}

    def answer(self, conn, chance, event):
        action = chance.choice(["viewed", "contacted", "accepted", "rejected"])
        sponsor = chance.choice(self.sponsors)
        with self.answering:
            try:
                told = conn.execute("SELECT convene.answer_sponsorship_match(%s, %s, %s)", [event, sponsor, action]).fetchone()[0]
            except (psycopg.errors.NoDataFound, psycopg.errors.ObjectNotInPrerequisiteState):
                return
            self.answers[event, sponsor] = (told["status"], told["viewed_at"] is not None, told["contacted_at"] is not None)

    # What is left to chance.

    OF_SPONSORS = ("put_profile", "put_profile", "put_profile", "touch_profile", "touch_profile", "drop_profile", "churn", "churn",
                   "drop_sponsor", "put_sponsor", "put_sponsor")
    OF_EVENTS = ("change_event", "change_event", "change_event", "put_insights", "put_insights", "drop_insights", "put_vector",
                 "drop_vector", "weigh", "drop_event", "put_event", "put_event", "answer", "answer", "answer")

    def change(self, conn, chance, bounds=False):
        """One change, which may wait for nobody for long."""
        if bounds and chance.random() < 0.02:
            return self.bound(conn, chance, None)
        of_sponsors = chance.random() < 0.45
        kind = chance.choice(self.OF_SPONSORS if of_sponsors else self.OF_EVENTS)
        try:
            getattr(self, kind)(conn, chance, chance.choice(self.sponsors if of_sponsors else self.events))
        except (psycopg.errors.DeadlockDetected, psycopg.errors.UniqueViolation, psycopg.errors.ForeignKeyViolation):
            pass  # two producers met; neither is a worker


class Workers:
    """So many sessions that work off the queue at random moments until the block ends; what they failed with is raised there."""

    def __init__(self, db, count, seed, batches=(1, 2, 5, 100)):
        self.db, self.count, self.seed, self.batches = db, count, seed, batches
        self.stop, self.failed = threading.Event(), []

    def _work(self, number):
        chance = random.Random(f"worker {number} {self.seed}")
        try:
            with self.db.second() as conn:
                while not self.stop.is_set():
                    conn.execute("SELECT convene.update_sponsorship_matches(%s)", [chance.choice(self.batches)])
                    time.sleep(chance.random() * 0.01)
        except Exception as error:  # noqa: BLE001 - raised by the one who waits
            self.failed.append(error)

    def __enter__(self):
        self.threads = [threading.Thread(target=self._work, args=[number]) for number in range(self.count)]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()
        if self.failed:
            raise self.failed[0]


# Fixtures of the modules that import them -------------------------------------------------------------------------


@pytest.fixture(scope="module", autouse=True)
def vectors(db):
    with db.connect() as connection:
        connection.execute("SELECT convene.add_embedding_model('two', 2)")


@pytest.fixture
def conn(db):
    with db.connect() as connection:
        clean(connection)
        yield connection


@pytest.fixture
def pair(conn):
    """An event and a sponsor on the market, compared."""
    made = add_event(conn), add_sponsor(conn)
    drain(conn)
    return made
