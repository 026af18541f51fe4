"""Whenever the queue is empty, sponsorship_matches holds what scoring every pair from scratch gives, whatever was changed by
whomever while however many workers were at work. CONVENE_MARKET_CHANGES says how many changes a run makes, CONVENE_MARKET_SEED
which; both are printed."""

import os
import random
import threading

import pytest

from lib.fits import Market, Workers, check, drain, waiting

CHANGES = int(os.environ.get("CONVENE_MARKET_CHANGES", "2400"))
SEED = os.environ.get("CONVENE_MARKET_SEED", "1")
ROUND = 60


def produce(db, market, seed, count, bounds):
    """Two producers; some of their transactions hold several changes and stay open for a while, some are undone."""
    def run(number):
        chance = random.Random(f"producer {number} {seed}")
        with db.second(autocommit=True) as conn:
            for _ in range(count // 2):
                market.change(conn, chance, bounds)
    threads = [threading.Thread(target=run, args=[number]) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize(("workers", "bounds"), [(1, False), (2, False), (4, False), (3, True)])
def test_an_empty_queue_means_true_matches(fresh_db, workers, bounds):
    seed = f"{SEED} {workers} {bounds}"
    print(f"CONVENE_MARKET_SEED={SEED} CONVENE_MARKET_CHANGES={CHANGES}, {workers} workers, bounds {bounds}")
    market = Market(seed)
    with fresh_db.connect() as conn:
        market.build(conn)
        drain(conn)
        check(conn)
        for turn in range(max(1, CHANGES // 4 // ROUND)):
            with Workers(fresh_db, workers, f"{seed} {turn}"):
                produce(fresh_db, market, f"{seed} {turn}", ROUND, bounds)
            drain(conn)
            assert waiting(conn) == 0
            check(conn, market.answers)
        failed = conn.execute("SELECT last_error FROM convene.fit_recalc_queue WHERE last_error IS NOT NULL").fetchall()
        assert failed == []
