"""Who has time, against the plain-SQL way in one run on the same tables; and meetings for whole events.

    meetings.py [availability|schedule]...
"""

import statistics
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))
sys.path.insert(0, str(HERE))

from parts import run_parts  # noqa: E402
from recommendation import median_ms, row  # noqa: E402

# Short turns, because the machine is slower in one minute than in another.
TURNS, SECONDS = 9, 2
EVENT = "md5('event')::uuid"
START = "timestamptz '2031-05-05 08:00+00'"
# Ten thousand people who have ten meetings each, everybody's at the same times, and one who has five hundred later on; made in no
# order, as people make them.
MEETINGS = f"""
INSERT INTO convene.events (id, title, start_at, end_at) VALUES ({EVENT}, 'Event', {START}, {START} + interval '9 days');
INSERT INTO convene.attendees (id, event_id, full_name) SELECT md5('person ' || i)::uuid, {EVENT}, 'Person ' || i FROM generate_series(0, 10000) i;
INSERT INTO convene.meetings (event_id, attendee_1_id, attendee_2_id, title, scheduled_start, scheduled_end)
SELECT {EVENT}, md5('person ' || i)::uuid, md5('person ' || other)::uuid, 'Talk', {START} + slot * interval '15 min', {START} + (slot + 1) * interval '15 min'
  FROM (SELECT slot, i, (2 * slot + 10001 - i) % 10000 AS other FROM generate_series(0, 9) slot, generate_series(0, 9999) i
        UNION ALL SELECT slot, 10000, slot FROM generate_series(10, 509) slot) m
 WHERE i < other OR i = 10000 ORDER BY hashtext(i || ' ' || slot);
"""


def database(cluster, name):
    made = cluster.create_database(name)
    with made.connect() as conn:
        conn.execute("CREATE EXTENSION convene CASCADE")
        conn.execute("SELECT convene.install()")
        conn.execute((HERE / "baseline" / "meetings.sql").read_text())
    return made


def availability(cluster):
    """One question about one person."""
    db = database(cluster, "meet_available")
    with db.connect() as conn:
        conn.execute(MEETINGS)
        # Half of them said what they want, and that their day takes no end of meetings.
        conn.execute("INSERT INTO convene.networking_preferences (attendee_id, event_id, max_meetings_per_day)"
                     " SELECT a.id, a.event_id, 500 FROM convene.attendees a WHERE hashtext(a.id::text) % 2 = 0")
        conn.execute("VACUUM ANALYZE")
        for who, slots in (("'person ' || 7", 14), ("'person 10000'", 520)):
            span = f"md5({who})::uuid, {START} + slot * interval '15 min', {START} + (slot + 1) * interval '15 min'"
            apart = f"SELECT count(*) FILTER (WHERE baseline.has_time({span}) <> convene.check_meeting_availability({span})) FROM generate_series(0, {slots}) slot"
            assert conn.execute(apart).fetchone() == (0,)
    print(f"{'has somebody time, median':<58}{'plain SQL':>15} {'convene':>15} {'ratio':>9}")
    span = f"{START} + :t * interval '15 min', {START} + (:t + 1) * interval '15 min'"
    for what, who, last, wanted in (("50,000 meetings, ten of the person", "md5('person ' || :i)::uuid", 14, 1),
                                    ("50,000 meetings, 500 of the person", "md5('person 10000')::uuid", 520, 2)):
        sides = {name: [] for name in ("baseline.has_time", "convene.check_meeting_availability")}
        for _ in range(TURNS):
            for name, times in sides.items():
                times.append(median_ms(db, f"\\set i random(0, 9999)\n\\set t random(0, {last})\nSELECT {name}({who}, {span});", SECONDS))
        row(what, *(statistics.median(times) for times in sides.values()), wanted)


# Everybody has about as many matches that both accepted, and is there at nine in ten of the times.
SCHEDULE = """
INSERT INTO convene.events (id, title, start_at, end_at)
VALUES (md5('{people} {pairs}')::uuid, 'Event', {start}, {start} + interval '9 hours');
INSERT INTO convene.attendees (id, event_id, full_name)
SELECT md5('{people} {pairs} ' || i)::uuid, md5('{people} {pairs}')::uuid, 'Person ' || i FROM generate_series(1, {people}) i;
INSERT INTO convene.networking_preferences (attendee_id, event_id, max_meetings_per_day, availability_slots)
SELECT a.id, a.event_id, {cap}, (SELECT jsonb_agg(jsonb_build_object('date', '2031-05-05', 'start', t::time, 'end', t::time + interval '15 min'))
                              FROM generate_series({start} AT TIME ZONE 'UTC', {start} AT TIME ZONE 'UTC' + interval '8 hours', interval '15 min') t
                             WHERE hashtext(a.id::text || t) % 10 <> 0)
  FROM convene.attendees a WHERE a.event_id = md5('{people} {pairs}')::uuid;
INSERT INTO convene.matches (event_id, attendee_1_id, attendee_2_id, compatibility_score, matching_algorithm, status)
SELECT DISTINCT ON (least(a, b), greatest(a, b)) md5('{people} {pairs}')::uuid, least(a, b), greatest(a, b),
       0.3 + 0.7 * (hashtext(a::text || b) & 1023) / 1024.0, 'hybrid', 'mutual_accepted'
  FROM generate_series(1, {pairs}) k, LATERAL (SELECT md5('{people} {pairs} ' || 1 + (hashtext('a' || k) & 1048575) % {people})::uuid AS a,
                                                      md5('{people} {pairs} ' || 1 + (hashtext('b' || k) & 1048575) % {people})::uuid AS b) p
 WHERE a <> b;
"""
EVENTS = (
    # people, slots, pairs, tables, meetings of a person and day, gap wanted
    (140, 5, 2_500, None, 5, 0.05), (140, 5, 2_500, 40, 3, 0.05),
    (2_000, 20, 20_000, None, 20, 0.10), (2_000, 20, 20_000, 400, 8, 0.10), (2_000, 20, 100_000, None, 20, 0.10), (2_000, 20, 100_000, 400, 8, 0.10),
)


def schedule(cluster):
    """All mutual matches of an event, read, arranged and kept as a draft; and the draft published."""
    db = database(cluster, "meet_schedule")
    print(f"{'a whole event':<52}{'people':>13} {'meetings':>9} {'gap':>8} {'wanted':>8} {'arranged':>10} {'published':>10}")
    for people, slots, pairs, tables, cap, wanted in EVENTS:
        event = f"md5('{people} {pairs}')::uuid"
        with db.connect() as conn:
            conn.execute("DELETE FROM convene.events")
            conn.execute(SCHEDULE.format(people=people, pairs=pairs, cap=cap, start=START))
            conn.execute("VACUUM ANALYZE")
            started = time.monotonic()
            report = conn.execute(f"SELECT convene.schedule_event_meetings({event}, %s, 15, {START}, {START} + %s * interval '15 min')",
                                  [tables, slots]).fetchone()[0]
            arranged, started = time.monotonic() - started, time.monotonic()
            published = conn.execute("SELECT convene.publish_meeting_schedule(%s)", [report["draft_id"]]).fetchone()[0]
            took = time.monotonic() - started
        assert published["meetings"] == report["meetings"] and report["gap"] <= wanted, report
        what = f"{people:,} people, {slots} slots, {report['pairs']:,} pairs, {tables or 'no'} tables, {cap} a day"
        print(f"{what:<52}{report['people_with_a_meeting']:>6,}/{report['people_bound']:<6,} {report['meetings']:>9,} {report['gap']:>8.2%} {wanted:>8.0%}"
              f" {arranged:>8.1f} s {took:>8.1f} s", flush=True)


PARTS = {"availability": availability, "schedule": schedule}

if __name__ == "__main__":
    run_parts(PARTS, "bench-meetings", shared_buffers="1GB", max_wal_size="4GB")
