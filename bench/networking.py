"""Who should meet whom, against the plain-SQL way and against numpy outside the database, in one run on the same tables.

    networking.py [one|event|curve]...
"""

import io
import json
import math
import statistics
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))
sys.path.insert(0, str(HERE))

import numpy as np  # noqa: E402
from parts import run_parts  # noqa: E402
from recommendation import median_ms, row  # noqa: E402

TURNS = 3
BEST = 10

# Events n<people> with one to three of five words on each side, and w<people> with three to six of forty. The words of both
# sides are the same, so that equality is all there is. One in twenty has switched networking off; everybody has about three
# matches, a quarter of which are over.
SETUP = """
CREATE FUNCTION pg_temp.h(text) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT hashtext($1) & 2147483647 $$;
CREATE FUNCTION pg_temp.pick(int, text, int) RETURNS text[] LANGUAGE sql IMMUTABLE AS
$$ SELECT array_agg('word ' || w) FROM (SELECT w FROM generate_series(1, $1) w ORDER BY pg_temp.h($2 || w), w LIMIT $3) q $$;
INSERT INTO convene.events (id, title) SELECT md5('ev-' || k)::uuid, 'Event ' || k FROM unnest(ARRAY[{keys}]) k;
INSERT INTO convene.attendees (id, event_id, full_name, job_title, company_name)
SELECT md5('at-' || k || '-' || i)::uuid, md5('ev-' || k)::uuid, 'Attendee ' || i, 'Engineer', 'Company ' || i % 300
  FROM unnest(ARRAY[{keys}]) k, generate_series(1, substr(k, 2)::int) i;
INSERT INTO convene.networking_preferences (attendee_id, event_id, looking_for, can_offer, networking_enabled, industry, company_stage,
                                            role_category, years_experience)
SELECT md5('at-' || k || '-' || i)::uuid, md5('ev-' || k)::uuid,
       CASE left(k, 1) WHEN 'n' THEN pg_temp.pick(5, 'l' || k || i, 1 + pg_temp.h('lk' || k || i) % 3)
                       ELSE pg_temp.pick(40, 'l' || k || i, 3 + pg_temp.h('lk' || k || i) % 4) END,
       CASE left(k, 1) WHEN 'n' THEN pg_temp.pick(5, 'o' || k || i, 1 + pg_temp.h('ok' || k || i) % 3)
                       ELSE pg_temp.pick(40, 'o' || k || i, 3 + pg_temp.h('ok' || k || i) % 4) END,
       pg_temp.h('n' || k || i) % 20 <> 0, 'industry ' || pg_temp.h('i' || k || i) % 12,
       ('{{idea,startup,growth,enterprise}}'::text[])[1 + pg_temp.h('s' || k || i) % 4],
       ('{{founder,executive,manager,individual_contributor,investor,other}}'::text[])[1 + pg_temp.h('r' || k || i) % 6],
       pg_temp.h('y' || k || i) % 30
  FROM unnest(ARRAY[{keys}]) k, generate_series(1, substr(k, 2)::int) i;
INSERT INTO convene.attendee_preferences (attendee_id, event_id, preferred_topics)
SELECT n.attendee_id, n.event_id, pg_temp.pick(40, 'p' || n.attendee_id, 1 + pg_temp.h('pk' || n.attendee_id) % 4)
  FROM convene.networking_preferences n;
INSERT INTO convene.matches (event_id, attendee_1_id, attendee_2_id, compatibility_score, matching_algorithm, status)
SELECT md5('ev-' || k)::uuid, least(a, b), greatest(a, b), 0.5, 'goal_based',
       ('{{mutual_accepted,accepted_by_1,mutual_accepted,declined}}'::text[])[1 + pg_temp.h('st' || k || i || j) % 4]
  FROM unnest(ARRAY[{keys}]) k, generate_series(1, substr(k, 2)::int) i, generate_series(1, 2) j,
       LATERAL (SELECT md5('at-' || k || '-' || i)::uuid AS a,
                       md5('at-' || k || '-' || 1 + pg_temp.h('mm' || k || i || j) % substr(k, 2)::int)::uuid AS b) p
 WHERE a <> b
ON CONFLICT DO NOTHING;
"""


def database(cluster, name, keys):
    made = cluster.create_database(name)
    with made.connect() as conn:
        conn.execute("CREATE EXTENSION convene CASCADE")
        conn.execute("SELECT convene.install()")
        conn.execute((HERE / "baseline" / "networking.sql").read_text())
        conn.execute(SETUP.format(keys=", ".join(f"'{key}'" for key in keys)))
        conn.execute("INSERT INTO baseline.matches SELECT * FROM convene.matches")
        conn.execute("VACUUM ANALYZE")
    return made


def one(cluster):
    """One person among ten thousand: the requirement's function against the full hybrid."""
    db = database(cluster, "net_one", ["n10000", "w10000"])
    print(f"{'one person, median':<58}{'plain SQL':>15} {'convene':>15} {'ratio':>9}")
    for key, words in (("n10000", "five words"), ("w10000", "forty words")):
        who = f"md5('at-{key}-' || :i)::uuid, md5('ev-{key}')::uuid"
        sides = {name: [] for name in ("baseline.find_matches", "convene.preview_networking_matches")}
        for _ in range(2):
            for name, times in sides.items():
                times.append(median_ms(db, f"\\set i random(1, 10000)\nSELECT * FROM {name}({who}, 10);"))
        plain, ours = (min(times) for times in sides.values())
        row(f"one of 10,000, {words}, full hybrid", plain, ours, 5)
        with db.connect() as conn:
            conn.execute("SELECT convene.library_version()")
            started = time.monotonic()
            conn.execute(f"SELECT count(*) FROM convene.preview_networking_matches(md5('at-{key}-7')::uuid, md5('ev-{key}')::uuid)")
            print(f"#   first call of a session: {(time.monotonic() - started) * 1000:.1f} ms")


# numpy ------------------------------------------------------------------------------------------------------------

def outside(conn, key):
    """The same in numpy: read, one-hot matrices and a partial sort, write back by COPY. Milliseconds of the three steps."""
    event = conn.execute("SELECT md5(%s)::uuid", [f"ev-{key}"]).fetchone()[0]
    clock = [time.perf_counter()]
    people = conn.execute("SELECT attendee_id, looking_for, can_offer, networking_enabled FROM convene.networking_preferences"
                          " WHERE event_id = %s ORDER BY attendee_id", [event]).fetchall()
    matched = conn.execute("SELECT attendee_1_id, attendee_2_id FROM baseline.matches WHERE event_id = %s"
                           " AND status NOT IN ('declined', 'expired')", [event]).fetchall()
    clock.append(time.perf_counter())
    count = len(people)
    at = {person[0]: number for number, person in enumerate(people)}
    words = {}
    for person in people:
        for word in (*person[1], *person[2]):
            words.setdefault(word, len(words))
    wants, offers = np.zeros((count, len(words)), np.float32), np.zeros((count, len(words)), np.float32)
    for number, person in enumerate(people):
        wants[number, [words[word] for word in person[1]]] = 1
        offers[number, [words[word] for word in person[2]]] = 1
    shut = np.array([not person[3] for person in people])
    per_want, per_offer = np.maximum(wants.sum(1), 1)[:, None], np.maximum(offers.sum(1), 1)[:, None]
    apart = [[] for _ in range(count)]
    for a, b in matched:
        apart[at[a]].append(at[b])
        apart[at[b]].append(at[a])
    order = np.arange(count, 0, -1, dtype=np.float32)
    found = []
    for start in range(0, count, 1000):
        own = slice(start, min(count, start + 1000))
        score = np.rint(100 * np.maximum(wants[own] @ offers.T / per_want[own], offers[own] @ wants.T / per_offer[own]) + 1e-3)
        key_ = score * count + order
        key_[:, shut] = -1
        for offset in range(own.stop - start):
            key_[offset, apart[start + offset]] = -1
            key_[offset, start + offset] = -1
        best = np.argpartition(key_, count - BEST, axis=1)[:, count - BEST:]
        values = np.take_along_axis(score, best, 1)
        good = (np.take_along_axis(key_, best, 1) >= 0) & (values > 0)
        mine = np.broadcast_to(np.arange(start, own.stop)[:, None], best.shape)
        found.append(np.stack([mine[good], best[good], values[good]]))
    mine, theirs, values = np.concatenate(found, axis=1)
    low, high = np.minimum(mine, theirs), np.maximum(mine, theirs)
    pair = low.astype(np.int64) * count + high.astype(np.int64)
    order = np.lexsort((-values, pair))
    _, first = np.unique(pair[order], return_index=True)
    keep = order[first]
    clock.append(time.perf_counter())
    text = io.StringIO()
    reason = json.dumps(["They have what you want"])
    for a, b, value in zip(low[keep].astype(int).tolist(), high[keep].astype(int).tolist(), values[keep].tolist()):
        text.write(f"{people[a][0]}\t{people[b][0]}\t{value / 100:.2f}\t{reason}\n")
    with conn.transaction(), conn.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE incoming (a uuid, b uuid, score numeric(5,4), reasons jsonb) ON COMMIT DROP")
        with cursor.copy("COPY incoming FROM STDIN") as copy:
            copy.write(text.getvalue())
        cursor.execute(
            """INSERT INTO baseline.matches (event_id, attendee_1_id, attendee_2_id, compatibility_score, matching_algorithm, match_reasons)
               SELECT %s, a, b, score, 'goal_based', reasons FROM incoming
               ON CONFLICT (event_id, attendee_1_id, attendee_2_id) DO UPDATE
                  SET compatibility_score = excluded.compatibility_score, match_reasons = excluded.match_reasons""", [event])
        rows = cursor.rowcount
    clock.append(time.perf_counter())
    return [1000 * (after - before) for before, after in zip(clock, clock[1:])], rows


def forget(conn, table, key):
    conn.execute(f"DELETE FROM {table} WHERE event_id = md5(%s)::uuid AND status = 'suggested'", [f"ev-{key}"])
    conn.execute(f"VACUUM {table}")


def ours(db, key, algorithm="goal_based", **options):
    """A whole-event run in a session of its own: the report, and milliseconds all in."""
    named = "".join(f", {name} => {value}" for name, value in options.items())
    with db.connect() as conn:
        conn.execute("SELECT convene.library_version()")
        started = time.perf_counter()
        report = conn.execute(f"SELECT convene.generate_event_matches(md5('ev-{key}')::uuid, {BEST}, p_algorithm => %s{named})",
                              [algorithm]).fetchone()[0]
        took = 1000 * (time.perf_counter() - started)
        forget(conn, "convene.matches", key)
        return report, took


def event(cluster):
    """Everybody's ten best among ten thousand, by goals, in turns; then the full hybrid, and the balanced choice."""
    keys = ["n10000", "w10000"]
    db = database(cluster, "net_event", keys)
    for key, words in zip(keys, ("five words", "forty words")):
        plain, numpy_, native = [], [], []
        for turn in range(TURNS):
            if turn == 0:  # it takes half a minute
                with db.connect() as conn:
                    started = time.perf_counter()
                    conn.execute("SELECT count(*), sum(score) FROM baseline.all_matches(md5(%s)::uuid, %s)", [f"ev-{key}", BEST])
                    plain.append(1000 * (time.perf_counter() - started))
            with db.connect() as conn:
                conn.execute("SELECT 1")
                numpy_.append(outside(conn, key))
                forget(conn, "baseline.matches", key)
            native.append(ours(db, key))
        reports = [report["milliseconds"] for report, _ in native]
        compute = statistics.median(ms["compute"] for ms in reports)
        print(f"{f'10,000 people, {words}, goal_based':<58}{'theirs':>15} {'convene':>15} {'ratio':>9}")
        row("compute: bit strings in SQL", statistics.median(plain), compute, 10)
        row("compute: numpy", statistics.median(steps[1] for steps, _ in numpy_), compute)
        row("read, computed and stored: numpy", statistics.median(sum(steps) for steps, _ in numpy_),
            statistics.median(took for _, took in native), 1.5)
        read, store = (statistics.median(ms[step] for ms in reports) for step in ("read", "store"))
        print(f"#   ours: read {read:.0f} ms, store {store:.0f} ms ({native[0][0]['changed']:,} rows); numpy: read"
              f" {numpy_[0][0][0]:.0f} ms, store {numpy_[0][0][2]:.0f} ms ({numpy_[0][1]:,} rows)")
        report, took = ours(db, key, "hybrid")
        print(f"#   full hybrid: {took:.0f} ms, of which computing {report['milliseconds']['compute']:.0f} ms")
        report, took = ours(db, key, "hybrid", p_max_incoming=BEST)
        balanced, best = report["balanced"], report["top_k"]
        print(f"#   balanced: {took:.0f} ms; expected mutual matches {balanced['expected_mutual_matches']:.0f} (of at most"
              f" {balanced['upper_bound']:.0f}; top_k {best['expected_mutual_matches']:.0f}), exposure Gini"
              f" {balanced['exposure_gini']:.3f} (top_k {best['exposure_gini']:.3f})")


def curve(cluster):
    """Time against size, and against threads."""
    sizes = [1250, 2500, 5000, 10000, 20000]
    db = database(cluster, "net_curve", [f"w{size}" for size in sizes])
    for algorithm in ("goal_based", "hybrid"):
        times = []
        for size in sizes:
            times.append(min(ours(db, f"w{size}", algorithm, p_strategy="'top_k'")[0]["milliseconds"]["compute"] for _ in range(2)))
            print(f"{f'{size:,} people, {algorithm}, compute':<58}{'':>15} {times[-1]:>12.3f} ms")
        # The smallest weighs every pair twice, so the slope is of those where the same is done.
        slope = np.polyfit([math.log(size) for size in sizes[1:]], [math.log(ms) for ms in times[1:]], 1)[0]
        print(f"#   log-log slope of the compute from {sizes[1]:,} people on: {slope:.2f}   wanted at most 2.05")
    with db.connect() as conn:
        conn.execute("SELECT convene.library_version()")  # its settings are known once it is loaded
        conn.execute("ALTER SYSTEM SET convene.max_threads = 1")
        conn.execute("SELECT pg_reload_conf()")
    time.sleep(0.2)
    alone = min(ours(db, "w10000", "hybrid")[0]["milliseconds"]["compute"] for _ in range(2))
    print(f"{'10,000 people, hybrid, compute in one thread':<58}{'':>15} {alone:>12.3f} ms {alone / times[3]:>8.1f}x as long")


PARTS = {"one": one, "event": event, "curve": curve}

if __name__ == "__main__":
    run_parts(PARTS, "bench-networking", shared_buffers="1GB", max_wal_size="8GB")
