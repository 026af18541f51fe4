"""Recommendations against the plain-SQL way, in one run on the same tables.

    recommendation.py [calls|refresh|training]...
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))

from parts import run_parts  # noqa: E402

SECONDS = 4  # of pgbench for each side and turn
TURNS = 2

SETUP = """
SELECT setseed(0.42);
SET maintenance_work_mem = '512MB';
CREATE FUNCTION pg_temp.h(text) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT hashtext($1) & 2147483647 $$;
INSERT INTO convene.events (id, title, status, start_at, end_at, time_zone, organizer_id)
SELECT md5('ev-' || n)::uuid, 'Event ' || n, 'published', now() + interval '30 days', now() + interval '40 days', 'UTC', NULL
  FROM unnest(ARRAY[{sizes}]) n;
INSERT INTO convene.sessions (id, event_id, title, topics, session_type, start_time, end_time, current_registrations)
SELECT md5('se-' || n || '-' || i)::uuid, md5('ev-' || n)::uuid, 'Session ' || i,
       ARRAY['topic ' || pg_temp.h('t' || n || i) % 40], 'talk',
       now() + interval '30 days' + i % 64 * interval '2 hours', now() + interval '30 days' + i % 64 * interval '2 hours' + interval '1 hour',
       pg_temp.h('rc' || n || i) % 500
  FROM unnest(ARRAY[{sizes}]) n, generate_series(1, n) i;
INSERT INTO convene.session_embeddings (session_id, event_id, embedding, source_text, embedding_model)
SELECT s.id, s.event_id, ARRAY(SELECT (random() - 0.5)::float4 FROM generate_series(1, 1536 + 0 * length(s.title))), s.title, 'text-embedding-ada-002'
  FROM convene.sessions s;
INSERT INTO convene.attendees (id, event_id, full_name)
SELECT md5('at-' || n || '-' || i)::uuid, md5('ev-' || n)::uuid, 'Attendee ' || i
  FROM unnest(ARRAY[{sizes}]) n, generate_series(1, {people}) i;
INSERT INTO convene.attendee_preferences (attendee_id, event_id, preferred_topics, bookmarked_sessions, attended_sessions)
SELECT a.id, a.event_id, ARRAY['topic ' || pg_temp.h('pt' || a.id) % 40, 'topic ' || pg_temp.h('pu' || a.id) % 40],
       ARRAY(SELECT md5('se-' || n || '-' || 1 + pg_temp.h('bm' || a.id || k) % n)::uuid FROM generate_series(1, 5) k),
       ARRAY(SELECT md5('se-' || n || '-' || 1 + pg_temp.h('as' || a.id || k) % n)::uuid FROM generate_series(1, 3) k)
  FROM unnest(ARRAY[{sizes}]) n JOIN convene.attendees a ON a.event_id = md5('ev-' || n)::uuid;
"""


def database(cluster, name, sizes, people):
    """A database with events of these sizes, each with as many people."""
    made = cluster.create_database(name)
    started = time.monotonic()
    with made.connect() as conn:
        conn.execute("CREATE EXTENSION convene CASCADE")
        conn.execute("SELECT convene.install()")
        # Random interactions have no structure, so the holdout would choose popularity: the whole hybrid is wanted here.
        conn.execute("UPDATE convene.settings SET value = '\"ease\"' WHERE key = 'recommendation.collaborative_model'")
        conn.execute((HERE / "baseline" / "recommendation.sql").read_text())
        conn.execute(SETUP.format(sizes=", ".join(map(str, sizes)), people=people))
        conn.execute("VACUUM ANALYZE")
    print(f"# loaded sessions {sizes} x 1,536 dimensions, {people:,} attendees each: {time.monotonic() - started:.0f} s")
    return made


def median_ms(db, script, seconds=SECONDS):
    """The median time of a call in milliseconds, by pgbench's own log."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        (path / "call.sql").write_text(script)
        path.chmod(0o777)
        db.run("pgbench", "-n", "-M", "prepared", "-c", 1, "-T", seconds, "-l",
               "--log-prefix", path / "log", "-f", path / "call.sql", cwd=folder)
        times = [int(line.split()[2]) / 1000 for log in path.glob("log.*") for line in log.read_text().splitlines()]
    return statistics.median(times)


def row(what, theirs, ours, wanted=None):
    target = f"   wanted {wanted}x" if wanted else ""
    print(f"{what:<58}{theirs:>12.3f} ms {ours:>12.3f} ms {theirs / ours:>8.1f}x{target}")


def calls(cluster):
    sizes = [300, 5000]
    db = database(cluster, "calls", sizes, 1000)
    print(f"{'one call, median':<58}{'plain SQL':>15} {'convene':>15} {'ratio':>9}")
    for size in sizes:
        with db.connect() as conn:
            refreshed = conn.execute("SELECT convene.refresh_event_recommendations(md5('ev-' || %s::int)::uuid, true)", [size]).fetchone()[0]
        who = f"md5('at-{size}-' || :i)::uuid, md5('ev-{size}')::uuid"
        script = "\\set i random(1, 1000)\nSELECT * FROM {}(" + who + ", 10);"
        sides = {name: [] for name in ("baseline.recommend", "baseline.recommend_by_index", "convene.get_session_recommendations")}
        for _ in range(TURNS):
            for name, times in sides.items():
                times.append(median_ms(db, script.format(name)))
        plain, by_index, ours = (min(times) for times in sides.values())
        row(f"{size:,} sessions, the requirement's function", plain, ours, 10 if size == 5000 else 2)
        row(f"{size:,} sessions, by hand through HNSW", by_index, ours)
        print(f"#   model {refreshed['model']['algorithm']}, {refreshed['interactions']:,} interactions")
        print(f"#   first call of a session: {first_call(db, size)}")


def first_call(db, size):
    """What a session pays once: with a kept answer, and by reading the programme."""
    kept = "SELECT count(*) FROM convene.get_session_recommendations(md5('at-{0}-7')::uuid, md5('ev-{0}')::uuid)".format(size)
    read = kept.replace("::uuid)", "::uuid, 30)")
    answers = []
    for what, query in (("kept answer", kept), ("programme read", read)):
        with db.connect() as conn:
            conn.execute("SELECT convene.library_version()")
            started = time.monotonic()
            conn.execute(query)
            answers.append(f"{what} {(time.monotonic() - started) * 1000:.1f} ms")
            answers[-1] += f" (peak {peak_mb(conn)} MB)"
    return ", ".join(answers)


def peak_mb(conn):
    pid = conn.info.backend_pid
    status = Path(f"/proc/{pid}/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM")), None)


def timed(db, statement):
    """Milliseconds and peak memory of a statement in a session of its own."""
    with db.connect() as conn:
        started = time.monotonic()
        conn.execute(statement)
        return (time.monotonic() - started) * 1000, peak_mb(conn)


def refresh(cluster):
    people, size = 10_000, 500
    db = database(cluster, "refresh", [size], people)
    event = f"md5('ev-{size}')::uuid"
    print(f"{'10,000 attendees x 500 sessions':<58}{'plain SQL':>15} {'convene':>15} {'ratio':>9}")
    first, peak = timed(db, f"SELECT convene.refresh_event_recommendations({event}, true)")
    again = []
    for _ in range(3):
        with db.connect() as conn:
            conn.execute("DELETE FROM convene.recommendation_cache")
            conn.execute("VACUUM convene.recommendation_cache")
        again.append(timed(db, f"SELECT convene.refresh_event_recommendations({event}, false)")[0])
    unchanged, _ = timed(db, f"SELECT convene.refresh_event_recommendations({event})")
    plain, _ = timed(db, f"SELECT count(*) FROM convene.attendees a, LATERAL baseline.recommend(a.id, a.event_id) r WHERE a.event_id = {event}")
    row("everybody from nothing, model trained before", plain, min(again), 50)
    row("everybody from nothing, training included", plain, first, 50)
    row("everybody again, nothing changed", plain, unchanged)
    print(f"#   peak memory of the first refresh: {peak} MB")


def training(cluster):
    """Interactions as they are loaded from elsewhere: many items, a long tail."""
    items, people = 3700, 6000
    db = cluster.create_database("training")
    with db.connect() as conn:
        conn.execute("CREATE EXTENSION convene CASCADE")
        conn.execute("SELECT convene.install()")
        conn.execute(f"""
            INSERT INTO convene.events (id, title, status, start_at, end_at, time_zone)
            VALUES (md5('big')::uuid, 'Big', 'published', now() + interval '30 days', now() + interval '40 days', 'UTC');
            INSERT INTO convene.sessions (id, event_id, title, start_time, end_time)
            SELECT md5('s' || i)::uuid, md5('big')::uuid, 'Item ' || i, now() + interval '30 days', now() + interval '31 days'
              FROM generate_series(0, {items - 1}) i;
            INSERT INTO convene.attendees (id, event_id, full_name)
            SELECT md5('a' || i)::uuid, md5('big')::uuid, 'Person ' || i FROM generate_series(1, {people}) i;
            SELECT setseed(0.7);
            INSERT INTO convene.session_interactions (attendee_id, event_id, session_id, kind)
            SELECT DISTINCT md5('a' || p)::uuid, md5('big')::uuid,
                   md5('s' || (p % 8 + 8 * floor(power(random(), 2.5) * {items // 8})::int)::text)::uuid, 'bookmarked'
              FROM generate_series(1, {people}) p, generate_series(1, 20) k;
            ANALYZE;""")
        count = conn.execute("SELECT count(*) FROM convene.session_interactions").fetchone()[0]
    took, peak = timed(db, "SELECT convene.refresh_event_recommendations(md5('big')::uuid, true)")
    print(f"training: {items:,} items, {count:,} interactions, model choice and everybody's picks included: {took / 1000:.1f} s, peak {peak} MB")
    call = median_ms(db, f"\\set i random(1, {people})\nSELECT * FROM convene.get_session_recommendations(md5('a' || :i)::uuid, md5('big')::uuid);")
    print(f"training: one call afterwards: {call:.2f} ms")


PARTS = {"calls": calls, "refresh": refresh, "training": training}

if __name__ == "__main__":
    run_parts(PARTS, "bench", shared_buffers="1GB", max_wal_size="8GB")
