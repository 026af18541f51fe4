"""How good the advice is, on events whose tastes are known, and that the numbers mean what they say."""

import math
from collections import defaultdict

import pytest

from lib.access import as_role
from lib.factory import make_event
from lib.reference import percentiles, plant

EVALUATE = "SELECT * FROM convene.evaluate_recommender(%s, %s, %s, %s)"
ALGORITHMS = ["popularity", "content_based", "topics", "ease", "bm25", "user_user", "collaborative_filtering", "hybrid"]


def evaluate(conn, event, k=10, seed=42, split="last"):
    columns = ("people", "hit_rate", "recall", "ndcg", "mrr", "coverage", "diversity")
    rows = conn.execute(EVALUATE, [event.id, k, seed, split]).fetchall()
    return {row[0]: dict(zip(columns, row[1:])) for row in rows}


@pytest.fixture(scope="module")
def events(db):
    """Eight planted tastes, a fifth of all choices noise, three seeds."""
    with db.connect() as connection:
        return {seed: plant(connection, f"seed{seed}", sessions=160, attendees=240, choices=10, seed=seed, embeddings=None)
                for seed in (1, 2, 3)}


@pytest.mark.parametrize("split", ["last", "random"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_planted_tastes_are_found_twice_as_well_as_by_popularity(conn, events, seed, split):
    found = evaluate(conn, events[seed], split=split)
    assert list(found) == ALGORITHMS
    popularity = found["popularity"]["ndcg"]
    assert popularity > 0.01  # else twice of it would be nothing
    for better in ("collaborative_filtering", "hybrid"):
        assert found[better]["ndcg"] >= 2 * popularity, (better, found[better]["ndcg"], popularity)
        assert found[better]["hit_rate"] > found["popularity"]["hit_rate"]
    for numbers in found.values():
        assert numbers["people"] == found["popularity"]["people"] > 150
        assert all(0 <= numbers[name] <= 1 for name in ("hit_rate", "recall", "ndcg", "mrr", "coverage", "diversity"))
        assert numbers["ndcg"] <= numbers["hit_rate"] and numbers["mrr"] <= numbers["hit_rate"]


def test_content_finds_them_too_where_there_are_vectors(conn):
    event = plant(conn, "vectors", sessions=80, attendees=80, choices=6, embeddings=16)
    found = evaluate(conn, event)
    assert found["content_based"]["ndcg"] >= 2 * found["popularity"]["ndcg"]
    assert found["hybrid"]["ndcg"] >= 2 * found["popularity"]["ndcg"]


def test_the_same_seed_gives_the_same_numbers(db, conn, events):
    first = evaluate(conn, events[1], seed=7, split="random")
    assert evaluate(conn, events[1], seed=7, split="random") == first
    with db.second() as fresh:
        fresh.execute("SET convene.max_threads = 1")
        assert evaluate(fresh, events[1], seed=7, split="random") == first
    assert evaluate(conn, events[1], seed=8, split="random") != first
    # The latest interaction is the latest whatever the seed, as long as no two are at the same moment.
    assert evaluate(conn, events[1], seed=7)["popularity"] == evaluate(conn, events[1], seed=8)["popularity"]


def test_evaluating_writes_nothing_and_works_in_a_read_only_transaction(conn, events):
    with conn.transaction():
        conn.execute("SET TRANSACTION READ ONLY")
        with as_role(conn, "authenticated", events[2].organizer):
            assert evaluate(conn, events[2], k=3)


def ranked(scores, seen, k):
    order = sorted((session for session in scores if session not in seen), key=lambda session: (-scores[session], session))
    return order[:k]


def jaccard(a, b):
    return len(a & b) / len(a | b) if a | b else 0


@pytest.mark.parametrize("k", [1, 5, 10])
def test_popularity_held_against_a_slow_reference(conn, k):
    """Everybody's latest visit hidden, the rest counted, ranked and judged again in Python."""
    event = plant(conn, f"slow{k}", sessions=32, attendees=40, choices=6, seed=k, embeddings=None)
    visits = defaultdict(list)
    for who, session in conn.execute(
        "SELECT attendee_id, session_id FROM convene.session_interactions WHERE event_id = %s ORDER BY at", [event.id]
    ):
        visits[who].append(session)
    # Somebody with a single visit is not asked about, but counts.
    lonely = event.people[0].id
    conn.execute("DELETE FROM convene.session_interactions WHERE attendee_id = %s AND session_id <> %s", [lonely, visits[lonely][0]])
    visits[lonely] = visits[lonely][:1]
    hidden = {who: sessions[-1] for who, sessions in visits.items() if len(sessions) > 1}
    interest = dict.fromkeys(event.sessions, 0)
    for who, sessions in visits.items():
        for session in sessions[:-1] if who in hidden else sessions:
            interest[session] += 1
    scores = percentiles({session: round(math.log(1 + count), 9) for session, count in interest.items()})
    topics = {session: set(words) for session, words in zip(event.sessions, event.topics)}
    lists = {who: ranked(scores, visits[who][:-1], k) for who in hidden}
    ranks = [lists[who].index(hidden[who]) + 1 if hidden[who] in lists[who] else None for who in hidden]
    mean = lambda values: sum(values) / len(hidden)  # noqa: E731
    hits = mean([rank is not None for rank in ranks])
    pairs = [[jaccard(topics[a], topics[b]) for at, a in enumerate(shown) for b in shown[:at]] for shown in lists.values()]
    expected = {
        "people": 39, "hit_rate": hits, "recall": hits,
        "ndcg": mean([1 / math.log2(1 + rank) if rank else 0 for rank in ranks]),
        "mrr": mean([1 / rank if rank else 0 for rank in ranks]),
        "coverage": len(set().union(*lists.values())) / 32,
        "diversity": 1 - sum(sum(of) / len(of) for of in pairs) / len(pairs) if k > 1 else None,
    }
    found = evaluate(conn, event, k)["popularity"]
    assert {name: value and pytest.approx(value, abs=1e-9) for name, value in expected.items()} == found
    assert found["hit_rate"] > 0


def test_nothing_to_judge_is_no_error(conn):
    event = make_event(conn, "nothing", sessions=3)
    for split in ("last", "random"):
        assert all(row["people"] == 0 and row["ndcg"] == 0 for row in evaluate(conn, event, split=split).values())
    assert evaluate(conn, make_event(conn, "nobody", sessions=0, attendees=0))["hybrid"]["people"] == 0
