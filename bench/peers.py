"""Peers against the plain-SQL way, in one run on the same tables.

    peers.py [calls|pairs|tables]...
"""

import statistics
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))
sys.path.insert(0, str(HERE))

from parts import run_parts  # noqa: E402
from recommendation import median_ms, peak_mb, row  # noqa: E402

TURNS = 3

# Contractors of sixteen focus areas, twelve trades and twenty cities, one to four and one to three words each.
SETUP = """
CREATE FUNCTION pg_temp.h(text) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT hashtext($1) & 2147483647 $$;
CREATE FUNCTION pg_temp.pick(text[], text, int) RETURNS text[] LANGUAGE sql IMMUTABLE AS
$$ SELECT array_agg(w) FROM (SELECT w FROM unnest($1) w ORDER BY pg_temp.h($2 || w), w LIMIT $3) q $$;
DELETE FROM convene.service_families;
INSERT INTO convene.events (id, title) SELECT md5('ev-' || n)::uuid, 'Event ' || n FROM unnest(ARRAY[{sizes}]) n;
INSERT INTO convene.contractors (id, first_name, last_name, company_name, city, state, focus_areas, services_offered, revenue_tier, team_size)
SELECT md5('co-' || n || '-' || i)::uuid, 'First' || i, 'Last' || i, 'Company ' || i,
       split_part(place, ', ', 1), split_part(place, ', ', 2),
       pg_temp.pick('{{hiring,operations,sales,marketing,retention,pricing,finance,training,safety,technology,leadership,scheduling,inventory,expansion,succession,branding}}', 'f' || n || i, 1 + pg_temp.h('fk' || i) % 4),
       pg_temp.pick('{{hvac,plumbing,electrical,roofing,solar,windows,siding,insulation,gutters,remodeling,painting,flooring}}', 's' || n || i, 1 + pg_temp.h('sk' || i) % 3),
       ('{{under_500k,500k_1m,1m_2m,2m_5m,5m_10m,10m_plus}}'::text[])[1 + pg_temp.h('t' || i) % 6], 1 + pg_temp.h('z' || i) % 80
  FROM unnest(ARRAY[{sizes}]) n, generate_series(1, n) i,
       LATERAL (SELECT ('{{"Phoenix, AZ","Tucson, AZ","Dallas, TX","Austin, TX","Houston, TX","San Diego, CA","Los Angeles, CA","Denver, CO","Miami, FL","Tampa, FL","Atlanta, GA","Chicago, IL","Boston, MA","Detroit, MI","Portland, OR","Seattle, WA","Reno, NV","Omaha, NE","Columbus, OH","Buffalo, NY"}}'::text[])[1 + pg_temp.h('c' || i) % 20] AS place) p;
INSERT INTO convene.event_attendees (event_id, contractor_id, peer_matching_opt_in)
SELECT md5('ev-' || n)::uuid, md5('co-' || n || '-' || i)::uuid, true FROM unnest(ARRAY[{sizes}]) n, generate_series(1, n) i;
"""


def database(cluster, name, sizes):
    made = cluster.create_database(name)
    with made.connect() as conn:
        conn.execute("CREATE EXTENSION convene CASCADE")
        conn.execute("SELECT convene.install()")
        conn.execute((HERE / "baseline" / "peers.sql").read_text())
        conn.execute(SETUP.format(sizes=", ".join(map(str, sizes))))
        conn.execute("VACUUM ANALYZE")
    return made


def calls(cluster):
    """One contractor among 5,000, as pgbench sees it."""
    db = database(cluster, "peer_calls", [5000])
    print(f"{'one call, median':<58}{'plain SQL':>15} {'convene':>15} {'ratio':>9}")
    who = "md5('ev-5000')::uuid, md5('co-5000-' || :i)::uuid"
    sides = {name: [] for name in ("baseline.find_peers", "convene.find_peer_matches")}
    for _ in range(2):
        for name, times in sides.items():
            times.append(median_ms(db, f"\\set i random(1, 5000)\nSELECT * FROM {name}({who}, 3, 0.6);"))
    plain, ours = (min(times) for times in sides.values())
    row("one contractor among 5,000", plain, ours, 5)
    with db.connect() as conn:
        conn.execute("SELECT convene.library_version()")
        started = time.monotonic()
        conn.execute("SELECT count(*) FROM convene.find_peer_matches(md5('ev-5000')::uuid, md5('co-5000-7')::uuid)")
        print(f"#   first call of a session: {(time.monotonic() - started) * 1000:.1f} ms (peak {peak_mb(conn)} MB)")


def milliseconds(db, statement, undo=None):
    """A statement in a session of its own; `undo` afterwards is not counted."""
    with db.connect() as conn:
        conn.execute("SELECT convene.library_version()")
        started = time.monotonic()
        conn.execute(statement)
        took, peak = (time.monotonic() - started) * 1000, peak_mb(conn)
        if undo:
            conn.execute(undo)
            conn.execute("VACUUM convene.event_peer_matches")
        return took, peak


def pairs(cluster):
    """Everybody's three best, ours with every match written."""
    sizes = [300, 1000, 2000, 5000, 10000]
    db = database(cluster, "peer_pairs", sizes)
    equal(db, 300)
    print(f"{'all pairs':<58}{'plain SQL':>15} {'convene':>15} {'ratio':>9}")
    for size in sizes[1:]:
        event = f"md5('ev-{size}')::uuid"
        plain, ours = [], []
        for _ in range(TURNS if size <= 5000 else 1):
            if size <= 5000:
                plain.append(milliseconds(db, f"SELECT count(*), sum(match_score) FROM baseline.all_peers({event})")[0])
            ours.append(milliseconds(db, f"SELECT convene.generate_event_peer_matches({event})",
                                     f"DELETE FROM convene.event_peer_matches WHERE event_id = {event}"))
        took = statistics.median(time for time, _ in ours)
        if plain:
            row(f"{size:,} contractors, matches written", statistics.median(plain), took, 8 if size == 5000 else None)
        else:
            print(f"{f'{size:,} contractors, matches written':<58}{'':>15} {took:>12.3f} ms")
        print(f"#   peak memory {max(peak for _, peak in ours)} MB")


def equal(db, size):
    """Both sides name the same people with the same scores, for everybody."""
    event = f"md5('ev-{size}')::uuid"
    with db.connect() as conn:
        theirs = conn.execute(f"SELECT contractor_id, peer_id, match_score FROM baseline.all_peers({event})").fetchall()
        ours = conn.execute(
            f"""SELECT a.contractor_id, f.id, f.match_score FROM convene.event_attendees a,
                LATERAL convene.find_peer_matches(a.event_id, a.contractor_id) f WHERE a.event_id = {event}""").fetchall()
        conn.execute(f"SELECT convene.generate_event_peer_matches({event})")
        stored = conn.execute(
            f"SELECT contractor1_id, contractor2_id, match_score FROM convene.event_peer_matches WHERE event_id = {event}").fetchall()
    same = set(theirs) == set(ours) and set(stored) == {(*sorted(row[:2]), row[2]) for row in theirs}
    print(f"# {len(theirs):,} peers of {size} contractors, {len(stored):,} pairs: {'equal' if same else 'NOT EQUAL'}")
    if not same:
        sys.exit("the two sides differ")


def tables(cluster):
    """Roundtables; there is no plain-SQL way to compare with."""
    sizes = [40, 200, 1000, 4000]
    db = database(cluster, "peer_tables", sizes)
    for size in sizes:
        took, peak = milliseconds(db, f"SELECT count(*) FROM convene.form_peer_groups(md5('ev-{size}')::uuid)")
        print(f"{f'roundtables for {size:,}':<58}{'':>15} {took:>12.3f} ms   peak {peak} MB")


PARTS = {"calls": calls, "pairs": pairs, "tables": tables}

if __name__ == "__main__":
    run_parts(PARTS, "bench-peers", shared_buffers="1GB", max_wal_size="8GB")
