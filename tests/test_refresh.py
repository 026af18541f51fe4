"""Learning an event and computing ahead: what is learned against a dense solution, when, by whom, and one at a time."""

import threading
from datetime import timedelta

import psycopg
import pytest

from lib.access import as_role, expect_error
from lib.factory import add_people, add_sessions, bookmark, interact, make_event, prefer
from lib.reference import plant, recommend, refresh, taste

REFRESH = "SELECT convene.refresh_event_recommendations(%s, %s)"
MODEL = "SELECT algorithm, parameter, holdout_ndcg, interactions, people, sessions, trained_at FROM convene.recommendation_models WHERE event_id = %s"
CHOOSE = "UPDATE convene.settings SET value = %s::jsonb WHERE key = 'recommendation.collaborative_model'"


@pytest.fixture
def undone(conn):
    """What a test writes is rolled back."""
    with conn.transaction(force_rollback=True):
        yield conn


def weights(conn, event):
    """{session: {neighbour: (weight, people)}} as stored, the order checked on the way."""
    stored = {}
    for session, neighbours, strengths, people in conn.execute(
        "SELECT session_id, neighbour_ids, weights, people FROM convene.session_weights WHERE event_id = %s", [event.id]
    ):
        assert session not in neighbours and len(neighbours) == len(set(neighbours)) <= 200
        assert [abs(w) for w in strengths] == sorted((abs(w) for w in strengths), reverse=True)
        stored[session] = {other: pair for other, *pair in zip(neighbours, strengths, people)}
    return stored


def inverse(matrix):
    """Gauss and Jordan, with pivots."""
    size = len(matrix)
    rows = [row[:] + [float(at == index) for at in range(size)] for index, row in enumerate(matrix)]
    for column in range(size):
        pivot = max(range(column, size), key=lambda at: abs(rows[at][column]))
        rows[column], rows[pivot] = rows[pivot], rows[column]
        scale = rows[column][column]
        rows[column] = [value / scale for value in rows[column]]
        for at in range(size):
            if at != column and rows[at][column]:
                factor = rows[at][column]
                rows[at] = [a - factor * b for a, b in zip(rows[at], rows[column])]
    return [row[size:] for row in rows]


def matrix_of(conn, event):
    """People by sessions, positive signals only, from the ledger."""
    order = sorted(event.sessions)
    return order, [[max(0.0, taste(conn, person.id).get(session, 0)) for session in order] for person in event.people]


def mixed_event(conn, label):
    """Forty people with every kind of signal, bad ratings among them, on twenty-four sessions."""
    event = plant(conn, label, sessions=24, attendees=40, choices=6, noise=0.5, kinds=("attended", "bookmarked", "browsed"))
    for number in range(0, 40, 3):
        interact(conn, event, number, number % 24, "rated", 1 + number % 5)
    return event


def test_stored_weights_are_those_of_a_dense_ease(undone):
    event = mixed_event(undone, "dense")
    undone.execute(CHOOSE, ['"ease"'])
    told = refresh(undone, event, True)
    assert told["model"]["algorithm"] == "ease" and told["model"]["parameter"] > 0
    order, x = matrix_of(undone, event)
    size = len(order)
    gram = [[sum(row[i] * row[j] for row in x) + (told["model"]["parameter"] if i == j else 0) for j in range(size)]
            for i in range(size)]
    p = inverse(gram)
    stored = weights(undone, event)
    seen = 0
    for i in range(size):
        for j in range(size):
            if i != j:
                expected = -p[i][j] / p[j][j]
                weight, people = stored.get(order[i], {}).get(order[j], (0.0, None))
                assert weight == pytest.approx(expected, abs=1e-6)
                if people is not None:
                    seen += 1
                    assert people == sum(row[i] > 0 and row[j] > 0 for row in x)
    assert seen > 400


def test_stored_weights_of_user_user_are_cosines_between_people(undone):
    """W = X' D Y with people at length one: item i speaks for j by what people who took both weigh in total."""
    event = mixed_event(undone, "users")
    undone.execute(CHOOSE, ['"user_user"'])
    told = refresh(undone, event, True)
    assert (told["model"]["algorithm"], told["model"]["holdout_ndcg"]) == ("user_user", None)
    order, x = matrix_of(undone, event)
    stored = weights(undone, event)
    lengths = [sum(value * value for value in row) ** 0.5 for row in x]
    ratios = set()
    for i in range(24):
        for j in range(24):
            expected = sum(row[i] * row[j] / length for row, length in zip(x, lengths) if length)
            found = stored.get(order[i], {}).get(order[j], (0.0, 0))[0]
            if i != j and expected:
                ratios.add(round(found / expected, 3))
            elif i != j:
                assert found == 0
    assert len(ratios) == 1 and ratios.pop() > 0, ratios


@pytest.mark.parametrize("name", ["ease", "bm25", "user_user"])
def test_a_model_can_be_asked_for(undone, name):
    event = mixed_event(undone, "asked")
    undone.execute(CHOOSE, [f'"{name}"'])
    told = refresh(undone, event, True)
    assert told["model"]["algorithm"] == name
    assert {row[0] for row in undone.execute("SELECT DISTINCT algorithm FROM convene.session_weights")} == {name}
    first = weights(undone, event)
    assert refresh(undone, event, True)["model"] == told["model"]
    assert weights(undone, event) == first


def test_an_unknown_model_is_refused(undone):
    event = mixed_event(undone, "wrong")
    undone.execute(CHOOSE, ['"als"'])
    expect_error(undone, "22023", REFRESH, [event.id, True], message='collaborative_model is "als"', hint="auto")
    assert undone.execute(MODEL, [event.id]).fetchone() is None


def test_a_young_event_is_served_by_popularity(undone):
    event = make_event(undone, "young", attendees=9)
    for number in range(9):
        for session in (0, 1, 2):
            bookmark(undone, event, number, session)
    told = refresh(undone, event)
    assert told == {"event_id": str(event.id), "attendees": 9, "kept": 9, "interactions": 27, "trained": True,
                    "model": {"algorithm": "popularity", "parameter": None, "holdout_ndcg": None}}
    assert weights(undone, event) == {}
    recs = recommend(undone, event, 0, algorithm="collaborative_filtering")
    assert {tuple(rec.parts) for rec in recs} == {("popularity",)}


def test_an_event_of_nothing_is_no_error(undone):
    for label, sessions, people in (("empty", 0, 0), ("seats", 0, 3), ("stage", 4, 0)):
        event = make_event(undone, label, sessions=sessions, attendees=people)
        assert refresh(undone, event, True)["kept"] == people
        if people:
            assert recommend(undone, event) == []


def test_the_choice_is_the_better_model_on_what_was_held_out(undone):
    event = plant(undone, "choice", sessions=64, attendees=120, choices=8)
    told = refresh(undone, event, True)
    found = dict(undone.execute("SELECT recommendation_algorithm, ndcg FROM convene.evaluate_recommender(%s, 10, 5, 'random')",
                                [event.id]).fetchall())
    assert told["model"]["algorithm"] in ("ease", "bm25") and 0 < told["model"]["holdout_ndcg"] <= 1
    assert found["collaborative_filtering"] >= max(found["ease"], found["bm25"]) - 0.05
    row = undone.execute(MODEL, [event.id]).fetchone()
    assert row[3:6] == (120 * 8, 120, 64)


def test_learning_again_when_a_tenth_more_came_in(conn):
    event = plant(conn, "growth", sessions=40, attendees=20, choices=5)
    assert refresh(conn, event)["trained"] is True
    trained = lambda: conn.execute(MODEL, [event.id]).fetchone()[6]  # noqa: E731
    first = trained()
    assert refresh(conn, event)["trained"] is False and trained() == first
    own = {row[0] for row in conn.execute("SELECT session_id FROM convene.session_interactions WHERE attendee_id = %s",
                                          [event.people[0].id])}
    new = [index for index in range(40) if event.sessions[index] not in own]
    for index in new[:9]:
        bookmark(conn, event, 0, index)
    assert refresh(conn, event)["trained"] is False  # 109 of 100
    assert refresh(conn, event, False)["trained"] is False
    bookmark(conn, event, 0, new[9])
    assert refresh(conn, event, False)["trained"] is False  # 110, but never means never
    assert refresh(conn, event)["trained"] is True
    second = trained()
    assert second > first and refresh(conn, event, True)["trained"] is True and trained() > second
    add_sessions(conn, event, 1)
    assert refresh(conn, event)["trained"] is True  # a session that the weights do not know


def test_who_may_refresh(conn):
    alpha, beta = make_event(conn, "ours", attendees=2), make_event(conn, "others")
    for sub, code in ((alpha.people[0].sub, "42501"), (beta.organizer, "42501")):
        with as_role(conn, "authenticated", sub):
            expect_error(conn, code, REFRESH, [alpha.id, None])
    with as_role(conn, "anon"):
        expect_error(conn, "42501", REFRESH, [alpha.id, None])
    with as_role(conn, "authenticated", alpha.organizer):
        assert conn.execute(REFRESH, [alpha.id, None]).fetchone()[0]["kept"] == 2
        expect_error(conn, "42501", "SELECT convene.refresh_event_recommendations(%s, NULL, %s)",
                     [alpha.id, alpha.starts], hint="p_now")
    with as_role(conn, "service_role"):
        assert conn.execute("SELECT convene.refresh_event_recommendations(%s, NULL, %s)",
                            [alpha.id, alpha.starts + timedelta(hours=1)]).fetchone()[0]["kept"] == 2


def test_one_refresh_of_an_event_at_a_time(db, conn):
    event, other = plant(conn, "locked", sessions=16, attendees=10), make_event(conn, "free")
    with db.second(autocommit=False) as first, db.second() as second:
        first.execute(REFRESH, [event.id, None])
        refusal = expect_error(second, "55P03", REFRESH, [event.id, None], message=str(event.id), hint="Wait")
        assert "refreshed already" in refusal.message
        second.execute(REFRESH, [other.id, None])
        # Reading and answering go on meanwhile.
        assert recommend(second, event)
        bookmark(second, event, 0, 0)
        first.rollback()
        assert second.execute(REFRESH, [event.id, None]).fetchone()[0]["kept"] == 10


def test_of_two_at_the_same_moment_one_is_told(db, conn):
    event = plant(conn, "race", sessions=48, attendees=60)
    start, codes = threading.Barrier(2), []

    def work():
        with db.second(autocommit=False) as mine:
            mine.execute("SELECT 1")
            start.wait()
            try:
                mine.execute(REFRESH, [event.id, True])
                codes.append("done")
                start.wait(timeout=30)
            except psycopg.Error as error:
                codes.append(error.sqlstate)
                start.wait(timeout=30)
            mine.commit() if codes.count("done") else mine.rollback()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(codes) == ["55P03", "done"]


def test_what_is_kept_is_for_those_who_are_there_and_want_it(conn):
    event = plant(conn, "leaving", sessions=16, attendees=6)
    prefer(conn, event, 5, recommendation_enabled=False)
    kept = lambda: {row[0] for row in conn.execute("SELECT attendee_id FROM convene.recommendation_cache WHERE event_id = %s", [event.id])}  # noqa: E731
    assert refresh(conn, event)["kept"] == 5 and kept() == {person.id for person in event.people[:5]}
    prefer(conn, event, 0, recommendation_enabled=False)
    prefer(conn, event, 5, recommendation_enabled=True)
    conn.execute("DELETE FROM convene.attendees WHERE id = %s", [event.people[1].id])
    add_people(conn, event, 1)
    assert refresh(conn, event)["kept"] == 5
    assert kept() == {event.people[number].id for number in (2, 3, 4, 5, 6)}


def test_what_did_not_change_is_not_written_again(conn):
    event = plant(conn, "still", sessions=16, attendees=8)
    refresh(conn, event)
    versions = lambda: dict(conn.execute("SELECT attendee_id, xmin::text FROM convene.recommendation_cache WHERE event_id = %s", [event.id]).fetchall())  # noqa: E731
    before = versions()
    refresh(conn, event)
    assert versions() == before
    prefer(conn, event, 3, preferred_topics=["music"])
    refresh(conn, event)
    assert [who for who, version in versions().items() if before[who] != version] == [event.people[3].id]
