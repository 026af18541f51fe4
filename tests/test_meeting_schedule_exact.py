"""Schedules of events that are small enough to be solved exactly, by integer programming, which knows nothing of how ours is found."""

import random

import numpy as np
import pytest
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from lib.access import as_role
from lib.booking import at, meeting_place

PEOPLE, SLOTS, EVENTS = 12, 4, 200


@pytest.fixture
def event(conn):
    with meeting_place(conn) as made:
        yield made


def drawn(seed):
    """Pairs with their scores, free slots, the most meetings of a day, tables."""
    draw = random.Random(seed)
    share, presence = draw.choice([0.15, 0.3, 0.6, 1]), draw.choice([1, 0.8, 0.5])
    pairs = {(one, two): draw.randrange(10_001) for one in range(PEOPLE) for two in range(one + 1, PEOPLE) if draw.random() < share}
    free = [[draw.random() < presence for _ in range(SLOTS)] for _ in range(PEOPLE)]
    caps = [draw.choice([1, 2, 3, 9]) if seed % 2 else 9 for _ in range(PEOPLE)]
    return pairs, free, caps, draw.choice([None, None, 1, 2, 4])


def solved(pairs, free, caps, tables):
    """The most people with a meeting, and the most weight of so many."""
    chosen = [(pair, slot) for pair in pairs for slot in range(SLOTS) if free[pair[0]][slot] and free[pair[1]][slot]]
    number = len(chosen)
    if not number:
        return 0, 0
    rows, limits = [], []

    def limit(columns, most, people=()):
        rows.append({**{column: 1 for column in columns}, **{number + person: -1 for person in people}})
        limits.append(most)
    for pair in pairs:
        limit([at_ for at_, (p, _) in enumerate(chosen) if p == pair], 1)
    for person in range(PEOPLE):
        mine = [at_ for at_, (p, _) in enumerate(chosen) if person in p]
        limit(mine, caps[person])
        for slot in range(SLOTS):
            limit([at_ for at_ in mine if chosen[at_][1] == slot], 1)
        # Served only with a meeting.
        rows.append({number + person: 1, **{at_: -1 for at_ in mine}})
        limits.append(0)
    for slot in range(SLOTS):
        limit([at_ for at_, (_, s) in enumerate(chosen) if s == slot], PEOPLE if tables is None else tables)
    matrix = csr_array(([value for row in rows for value in row.values()],
                        ([at_ for at_, row in enumerate(rows) for _ in row], [column for row in rows for column in row])), shape=(len(rows), number + PEOPLE))
    below = LinearConstraint(matrix, -np.inf, limits)
    people = np.concatenate([np.zeros(number), np.ones(PEOPLE)])
    weight = np.array([pairs[pair] for pair, _ in chosen] + [0] * PEOPLE, dtype=float)
    options = {"integrality": np.ones(number + PEOPLE), "bounds": Bounds(0, 1), "options": {"mip_rel_gap": 0}}
    most = round(-milp(-people, constraints=[below], **options).fun)
    best = milp(-weight, constraints=[below, LinearConstraint(people, most, np.inf)], **options)
    return most, round(-best.fun)


def arranged(conn, event, pairs, free, caps, tables):
    """What ours makes of it."""
    conn.execute("DELETE FROM convene.matches")
    conn.execute("DELETE FROM convene.networking_preferences")
    with conn.cursor() as cursor:
        cursor.executemany("INSERT INTO convene.matches (event_id, attendee_1_id, attendee_2_id, compatibility_score, matching_algorithm, status)"
                           " VALUES (%s, least(%s::uuid, %s), greatest(%s::uuid, %s), %s, 'hybrid', 'mutual_accepted')",
                           [(event.id, *(event.people[who].id for who in (*pair, *pair)), score / 10_000) for pair, score in pairs.items()])
        # Ten in Brussels is the first slot. Nobody is free in none: a slot in the evening stands for that.
        cursor.executemany("INSERT INTO convene.networking_preferences (attendee_id, event_id, max_meetings_per_day, availability_slots) VALUES (%s, %s, %s, %s::jsonb)",
                           [(person.id, event.id, caps[number], "[" + ",".join(
                               [f'{{"date": "2031-05-05", "start": "10:{15 * slot:02}", "end": "{10 + (slot + 1) // 4}:{15 * (slot + 1) % 60:02}"}}'
                                for slot in range(SLOTS) if free[number][slot]] + ['{"date": "2031-05-05", "start": "22:00", "end": "22:15"}']) + "]")
                            for number, person in enumerate(event.people)])
    with as_role(conn, "authenticated", event.organizer):
        report = conn.execute("SELECT convene.schedule_event_meetings(%s, %s, 15, %s, %s)", [event.id, tables, at(0), at(15 * SLOTS)]).fetchone()[0]
    return report


def test_small_events_are_arranged_as_well_as_can_be(conn, event):
    behind = []
    for seed in range(EVENTS):
        problem = drawn(seed)
        most, best = solved(*problem)
        report = arranged(conn, event, *problem)
        assert report["people_with_a_meeting"] == most, (seed, report)
        total = round(report["total_compatibility"] * 10_000)
        assert total <= best, (seed, "better than the best")
        # The bounds are of any schedule, so not below the best one.
        assert report["people_bound"] >= most and round(report["total_bound"] * 10_000) >= best, seed
        behind.append(1 - total / best if best else 0)
    assert sum(behind) / EVENTS <= 0.01 and max(behind) <= 0.05, (sum(behind) / EVENTS, max(behind))
