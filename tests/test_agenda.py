"""The personal agenda: bookmarks first, then the best set without overlaps, held against trying every set."""

import random
from datetime import timedelta
from itertools import combinations
from typing import NamedTuple

import pytest

from lib.access import as_role, expect_error
from lib.factory import bookmark, ident, make_event, prefer
from lib.reference import check_reason, recommend

CALL = "SELECT * FROM convene.get_personal_agenda(%s, %s, %s, %s, coalesce(%s, now()))"


class Row(NamedTuple):
    """One row of the agenda."""

    session: object
    title: str
    start: object
    end: object
    room: str | None
    status: str
    score: object
    reason: str

    @property
    def parts(self):
        return {}


def agenda(conn, event, person=0, first=None, last=None, now=None):
    rows = conn.execute(CALL, [event.people[person].id, event.id, first, last, now]).fetchall()
    return [Row(*row) for row in rows]


@pytest.fixture
def undone(conn):
    """What a test writes is rolled back."""
    with conn.transaction(force_rollback=True):
        yield conn


def add(conn, event, *sessions):
    """Sessions as (from minute, to minute, room, topics or None, kind)."""
    made = []
    for place, (start, end, room, topics, kind) in enumerate(sessions):
        made.append(ident(event.label, "own", place))
        conn.execute(
            """INSERT INTO convene.sessions (id, event_id, title, start_time, end_time, room, topics, session_type)
               VALUES (%s, %s, %s, %s, %s, %s, %s, %s)""",
            [made[-1], event.id, f"Own {place}", event.starts + timedelta(minutes=start),
             event.starts + timedelta(minutes=end), room, topics or [], kind])
    event.sessions.extend(made)
    return made


def chosen(item):
    """Whether the person bookmarked it: then only a real overlap keeps it out."""
    return item.fixed if isinstance(item, Item) else item.status == "bookmarked"


def fits(a, b, travel):
    """Whether two sessions can be attended one after the other."""
    if a.start > b.start:
        a, b = b, a
    apart = a.room and b.room and a.room != b.room and not (chosen(a) and chosen(b))
    gap = timedelta(minutes=travel) if apart else timedelta(0)
    return a.end + gap <= b.start


class Item(NamedTuple):
    session: object
    start: object
    end: object
    room: str | None
    fixed: bool
    value: float


def best_by_trying(items, travel):
    """The greatest (number of bookmarks, sum of scores) over all allowed sets."""
    best = (0, 0.0)
    for size in range(len(items) + 1):
        for chosen in combinations(items, size):
            order = sorted(chosen, key=lambda item: item.start)
            if all(fits(a, b, travel) for a, b in zip(order, order[1:])):
                best = max(best, (sum(i.fixed for i in chosen), round(sum(i.value for i in chosen), 4)))
    return best


@pytest.mark.parametrize("seed", range(12))
def test_the_best_set_of_all(undone, seed):
    draw = random.Random(seed)
    event = make_event(undone, f"best{seed}", sessions=0, attendees=10)
    add(undone, event, *[
        (start := draw.randrange(0, 240, 10), start + draw.choice([20, 30, 60, 90]), draw.choice(["A", "B", None]),
         draw.sample(["ai", "design", "music", "energy"], draw.choice([0, 1, 2])), draw.choice(["talk", "workshop"]))
        for _ in range(11)])
    prefer(undone, event, 0, preferred_topics=["ai", "music", "law"], preferred_formats=["workshop"])
    for session in draw.sample(range(11), 2):
        bookmark(undone, event, 0, session)
    for person in range(1, 10):
        for session in draw.sample(range(11), 3):
            bookmark(undone, event, person, session)
    scores = {rec.session: rec.score for rec in recommend(undone, event, limit=500)}
    bookmarked = {row[0] for row in undone.execute(
        "SELECT session_id FROM convene.session_interactions WHERE attendee_id = %s", [event.people[0].id])}
    items = [
        Item(session, start, end, room, session in bookmarked, 1.0 if session in bookmarked else scores[session])
        for session, start, end, room in undone.execute(
            "SELECT id, start_time, end_time, room FROM convene.sessions WHERE event_id = %s", [event.id])
        if session in bookmarked or scores.get(session, 0) > 0]
    rows = agenda(undone, event)
    assert [row.start for row in rows] == sorted(row.start for row in rows)
    assert all(fits(a, b, 5) for a, b in zip(rows, rows[1:]))
    got = (sum(row.status == "bookmarked" for row in rows),
           round(sum(1.0 if row.status == "bookmarked" else float(row.score) for row in rows), 4))
    fixed, value = best_by_trying(items, 5)
    assert got[0] == fixed and got[1] == pytest.approx(value, abs=2e-3)
    for row in rows:
        if row.status == "bookmarked":
            assert (row.session in bookmarked, row.score, row.reason) == (True, None, "You bookmarked this")
        else:
            assert row.status == "recommended" and float(row.score) == pytest.approx(scores[row.session], abs=1e-4)
            check_reason(undone, event.people[0].id, row)


def test_a_bookmark_outweighs_everything_it_overlaps(undone):
    event = make_event(undone, "outweigh", sessions=0)
    add(undone, event, (0, 180, "A", None, "talk"),
        *[(minute, minute + 60, "A", ["ai"], "talk") for minute in (0, 60, 120, 180)])
    prefer(undone, event, 0, preferred_topics=["ai"])
    assert [row.title for row in agenda(undone, event)] == ["Own 1", "Own 2", "Own 3", "Own 4"]
    bookmark(undone, event, 0, 0)
    assert [(row.title, row.status) for row in agenda(undone, event)] == [("Own 0", "bookmarked"), ("Own 4", "recommended")]


def test_the_way_between_rooms(undone):
    event = make_event(undone, "rooms", sessions=0)
    add(undone, event, (0, 30, "A", None, "talk"), (30, 60, "B", ["ai"], "talk"), (34, 60, "B", ["ai"], "demo"),
        (35, 60, "B", ["ai"], "panel"), (65, 70, "B", ["ai"], "talk"), (70, 80, None, ["ai"], "talk"))
    bookmark(undone, event, 0, 0)
    prefer(undone, event, 0, preferred_topics=["ai"])
    # Five minutes: the one at 35 is the first that can be reached; an unknown room needs no way.
    assert [row.title for row in agenda(undone, event)] == ["Own 0", "Own 3", "Own 4", "Own 5"]
    undone.execute("UPDATE convene.settings SET value = '0' WHERE key = 'agenda.travel_minutes'")
    assert agenda(undone, event)[1].title in ("Own 1", "Own 2", "Own 3")
    undone.execute("UPDATE convene.settings SET value = '40' WHERE key = 'agenda.travel_minutes'")
    assert [row.title for row in agenda(undone, event)] == ["Own 0", "Own 5"]


def test_breaks_are_kept_free_and_never_proposed(undone):
    event = make_event(undone, "breaks", sessions=0)
    add(undone, event, (0, 60, "A", ["ai"], "talk"), (50, 80, "Hall", ["ai"], "lunch"), (60, 80, "A", ["ai"], "talk"),
        (80, 85, "A", ["ai"], "talk"), (90, 120, "Bar", ["ai"], "networking"))
    prefer(undone, event, 0, preferred_topics=["ai"])
    assert [row.title for row in agenda(undone, event)] == ["Own 3"]
    bookmark(undone, event, 0, 0)
    bookmark(undone, event, 0, 4)
    assert [row.title for row in agenda(undone, event)] == ["Own 0", "Own 3", "Own 4"]
    undone.execute("UPDATE convene.sessions SET status = 'cancelled' WHERE id = %s", [event.sessions[1]])
    assert "Own 2" in [row.title for row in agenda(undone, event)]


def test_window_past_cancelled_full_and_unwanted(undone):
    event = make_event(undone, "window", sessions=0)
    add(undone, event, *[(60 * hour, 60 * hour + 60, "A", ["ai"], "talk") for hour in range(6)])
    prefer(undone, event, 0, preferred_topics=["ai"])
    bookmark(undone, event, 0, 3)
    at = [event.starts + timedelta(hours=hour) for hour in range(8)]
    titles = lambda *window, now=None: [row.title for row in agenda(undone, event, 0, *window, now)]  # noqa: E731
    assert titles() == [f"Own {hour}" for hour in range(6)]
    # Only what lies inside from beginning to end.
    assert titles(at[1], at[4]) == ["Own 1", "Own 2", "Own 3"]
    assert titles(at[1] + timedelta(seconds=1), at[4] - timedelta(seconds=1)) == ["Own 2"]
    assert titles(at[4]) == ["Own 4", "Own 5"] and titles(None, at[1]) == ["Own 0"]
    assert titles(now=at[4]) == ["Own 4", "Own 5"]  # the bookmark is over
    undone.execute("UPDATE convene.sessions SET status = 'cancelled' WHERE id = ANY (%s)", [event.sessions[3:5]])
    undone.execute("UPDATE convene.sessions SET max_attendees = 2, current_registrations = 2 WHERE id = %s", [event.sessions[5]])
    assert titles() == ["Own 0", "Own 1", "Own 2"]
    prefer(undone, event, 0, recommendation_enabled=False)
    assert titles() == []
    bookmark(undone, event, 0, 5)
    assert [(row.title, row.status) for row in agenda(undone, event)] == [("Own 5", "bookmarked")]


def test_attended_bookmarks_of_the_future_stay_in_the_plan_once(undone):
    event = make_event(undone, "once", sessions=0)
    add(undone, event, (0, 60, "A", None, "talk"))
    bookmark(undone, event, 0, 0)
    undone.execute("INSERT INTO convene.session_interactions (attendee_id, event_id, session_id, kind)"
                   " VALUES (%s, %s, %s, 'attended')", [event.people[0].id, event.id, event.sessions[0]])
    assert [row.title for row in agenda(undone, event)] == ["Own 0"]


def test_reversed_and_empty_windows_are_refused(undone):
    event = make_event(undone, "reversed")
    prefer(undone, event, 0, preferred_topics=["ai", "music", "design"])
    for first, last in ((2, 1), (1, 1)):
        times = [event.starts + timedelta(hours=hour) for hour in (first, last)]
        expect_error(undone, "22023", CALL, [event.people[0].id, event.id, *times, None], message="p_to .* not after p_from")
    expect_error(undone, "22023", "SELECT * FROM convene.get_personal_agenda(%s, %s, 'infinity', '-infinity')",
                 [event.people[0].id, event.id])
    everything = undone.execute("SELECT * FROM convene.get_personal_agenda(%s, %s, '-infinity', 'infinity')",
                                [event.people[0].id, event.id]).fetchall()
    assert everything == undone.execute("SELECT * FROM convene.get_personal_agenda(%s, %s)",
                                        [event.people[0].id, event.id]).fetchall() != []


def test_an_agenda_is_its_owners(undone):
    event, other = make_event(undone, "mine"), make_event(undone, "theirs")
    bookmark(undone, event, 0, 2)
    with as_role(undone, "authenticated", event.people[0].sub):
        assert [row.session for row in agenda(undone, event)] == [event.sessions[2]]
        for attendee, of in ((event.people[1].id, event.id), (other.people[0].id, other.id)):
            expect_error(undone, "42501", CALL, [attendee, of, None, None, None])
