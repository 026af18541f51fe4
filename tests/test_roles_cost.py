"""Row security has an index for what it asks: the plans of bench/security.py at a fiftieth of its size, without the clock."""

import sys

import pytest

from lib.cluster import ROOT

sys.path.insert(0, str(ROOT / "bench"))
import security  # noqa: E402


@pytest.fixture(scope="module")
def bench(db):
    sizes = security.Sizes(50)
    # So small, reading a table from end to end is often best; where there is another way, it is taken.
    made = security.Bench(security.fill(db, sizes), seqscan=False)
    yield made
    made.close()


@pytest.mark.parametrize("read", security.reads(), ids=lambda read: read.name)
def test_row_security_answers_what_the_service_would_ask_for_and_goes_through_no_more(bench, read):
    bench.same(read)
    if read.plain:
        assert bench.scans(read) == []
