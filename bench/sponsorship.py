"""Sponsorship against the plain-SQL way, in one run on the same tables.

    sponsorship.py [scoring|curve]...
"""

import os
import random
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))
sys.path.insert(0, str(HERE))

from parts import run_parts  # noqa: E402
from recommendation import peak_mb, row  # noqa: E402

TURNS = 9
DIMENSIONS = 384
CATEGORIES = """music food art film tech games sports fashion design health finance travel education science startups marketing data ai security cloud
    mobility energy books family""".split()
REGIONS = "US CA MX GB IE FR DE AT CH ES PT IT NL BE DK SE NO FI PL CZ BR AR JP KR AU NZ IN SG ZA NG".split()


def fill(conn, sponsors, events, vectors):
    """Sponsors of one to four categories and one to five regions; events of one to three categories, one region of their own and
    an audience from two to eight; where asked for, vectors of both around twenty topics."""
    draw = random.Random(f"{sponsors} {events}")
    some = lambda words, most: draw.sample(words, draw.randint(1, most))  # noqa: E731
    topics = [[draw.gauss(0, 1) for _ in range(DIMENSIONS)] for _ in range(20)]
    vector = lambda: "[" + ",".join(f"{x + draw.gauss(0, 1):.5f}" for x in draw.choice(topics)) + "]"  # noqa: E731
    text = lambda words: "{" + ",".join(words) + "}"  # noqa: E731

    def copy(target, rows):
        with conn.cursor() as cursor, cursor.copy(f"COPY convene.{target} FROM STDIN") as out:
            for one in rows:
                out.write_row(one)

    key = lambda kind, n: f"00000000-0000-4000-8000-{kind}{n:011x}"  # noqa: E731
    conn.execute("SELECT convene.add_embedding_model('bench', %s)", [DIMENSIONS])
    # What an index of vectors costs at a load is not what is measured here.
    for index in conn.execute("SELECT indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam"
                              " WHERE a.amname = 'hnsw'").fetchall():
        conn.execute(f"DROP INDEX {index[0]}")
    copy("events (id, title, status, start_at, end_at, categories, regions)", (
        (key("e", n), f"Event {n}", "published", "2030-01-01", "2030-01-02", text(some(CATEGORIES, 3)), text(some(REGIONS, 1))) for n in range(events)))
    copy("event_audience_insights (event_id, attendee_count, geo_distribution, engagement_score, ticket_conversion_rate)", (
        (key("e", n), 1000, "{" + ", ".join(f'"{region}": {draw.randint(1, 1000)}' for region in some(REGIONS, 8)) + "}",
         f"{draw.random():.4f}", f"{draw.random():.4f}") for n in range(events)))
    copy("sponsors (id, company_name)", ((key("d", n), f"Sponsor {n}") for n in range(sponsors)))
    copy("sponsor_profiles (sponsor_id, annual_budget_cents, preferred_categories, regions, objectives_embedding, embedding_model)", (
        (key("d", n), draw.randint(10_000, 5_000_000), text(some(CATEGORIES, 4)), text(some(REGIONS, 5)),
         *((vector(), "bench") if vectors else (None, None))) for n in range(sponsors)))
    if vectors:
        copy("event_embeddings (event_id, embedding, source_text, embedding_model)", ((key("e", n), vector(), "", "bench") for n in range(events)))


def database(cluster, name, sponsors, events, vectors):
    made = cluster.create_database(name)
    with made.connect() as conn:
        conn.execute("CREATE EXTENSION convene CASCADE")
        conn.execute("SELECT convene.install()")
        conn.execute((HERE / "baseline" / "sponsorship.sql").read_text())
        fill(conn, sponsors, events, vectors)
        conn.execute("TRUNCATE convene.fit_recalc_queue")
        conn.execute("VACUUM ANALYZE")
    return made


def processor_ms(conn):
    """What the session's server process has used of the processors, all of its threads."""
    fields = Path(f"/proc/{conn.info.backend_pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


def milliseconds(conn, statement, turns=TURNS):
    """By the clock the quickest of some turns in a session that has done it before, as a pool's have; and by the processors their mean."""
    conn.execute(statement)
    times, used = [], processor_ms(conn)
    for _ in range(turns):
        started = time.monotonic()
        conn.execute(statement)
        times.append((time.monotonic() - started) * 1000)
    return min(times), (processor_ms(conn) - used) / turns


OURS = "SELECT count(*), sum(score) FROM convene.preview_sponsorship_matches({})"
SUM = "SELECT count(*), sum(0.25 * budget + 0.35 * (0.6 * categories + 0.4 * geo) + 0.15 * geo + 0.15 * engagement + {}) FROM baseline.fits_bits"
WITH_VECTORS = SUM.format("0.05 * (2 - (x.embedding <=> p.objectives_embedding))") + (
    " JOIN convene.event_embeddings x USING (event_id) JOIN convene.sponsor_profiles p USING (sponsor_id)")


def equal(db):
    """The exact statement and ours, for some events with all sponsors."""
    with db.connect() as conn:
        ids = [one[0] for one in conn.execute("SELECT id FROM convene.events ORDER BY id LIMIT 20").fetchall()]
        theirs = conn.execute(
            """SELECT f.event_id, f.sponsor_id, round((0.25 * budget + 0.35 * (0.6 * categories + 0.4 * geo) + 0.15 * geo_fit + 0.15 * engagement)::numeric
                      + 0.05 * coalesce(2 - (x.embedding <=> p.objectives_embedding), 1)::numeric, 6)
               FROM baseline.fits f JOIN convene.sponsor_profiles p USING (sponsor_id) LEFT JOIN convene.event_embeddings x USING (event_id)
               WHERE f.event_id = ANY (%s)""", [ids]).fetchall()
        ours = dict((one[:2], one[2]) for one in conn.execute(
            "SELECT event_id, sponsor_id, score FROM convene.preview_sponsorship_matches(1000, p_event_ids => %s)", [ids]).fetchall())
    # The last decimal: vectors are compared in single precision here and there.
    worst = max(abs(ours[event, sponsor] - score) for event, sponsor, score in theirs)
    print(f"# {len(theirs):,} pairs, largest difference {worst}")
    if worst * 1_000_000 > 1 or len(theirs) != len(ours):
        sys.exit("the two sides differ")


def scoring(cluster):
    """Every pair of 1,000 sponsors and 1,000 events scored; theirs summed up, of ours the ten best of each event as well."""
    print(f"{'1,000 sponsors x 1,000 events':<58}{'plain SQL':>15} {'convene':>15} {'ratio':>9}")
    for vectors in (False, True):
        db = database(cluster, f"fit_{vectors}".lower(), 1000, 1000, vectors)
        equal(db)
        with db.connect() as conn:
            theirs, their_work = milliseconds(conn, WITH_VECTORS if vectors else SUM.format("0.05"))
            ours, our_work = milliseconds(conn, OURS.format("10"))
            # Everything but the pairs: both sides read, with one of the other.
            first = "(SELECT array_agg(id) FROM (SELECT id FROM convene.{0} ORDER BY id LIMIT 1) q)"
            reading = sum(milliseconds(conn, OURS.format(f"10, {name} => {first.format(table)}"))[0]
                          for name, table in (("p_event_ids", "events"), ("p_sponsor_ids", "sponsors")))
            peak = peak_mb(conn)
        what = f"words and {DIMENSIONS} dimensions" if vectors else "words"
        row(f"{what}, reading included", theirs, ours, 10)
        row(f"{what}, reading ({reading:.0f} ms of ours) left out", theirs, max(ours - reading, 0.1))
        print(f"#   by the processors {their_work:.0f} ms against {our_work:.0f} ms, {their_work / our_work:.1f}x; peak memory {peak} MB")


def curve(cluster):
    """Ours alone, with vectors, at growing sizes."""
    for sponsors, events in ((1000, 1000), (2000, 2000), (4000, 4000), (8000, 8000)):
        db = database(cluster, f"curve_{sponsors}", sponsors, events, True)
        with db.connect() as conn:
            took = milliseconds(conn, OURS.format("10"), 3)[0]
            print(f"{f'{sponsors:,} sponsors x {events:,} events':<58}{'':>15} {took:>12.3f} ms   {took * 1e6 / sponsors / events:.0f} ns a pair   peak {peak_mb(conn)} MB")


PARTS = {"scoring": scoring, "curve": curve}

if __name__ == "__main__":
    run_parts(PARTS, "bench-sponsorship", shared_buffers="1GB", max_wal_size="8GB")
