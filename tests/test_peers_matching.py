"""Who is matched with whom: consent, blocks, earlier meetings, whole events, and what is kept of them."""

import re
import threading
import uuid
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from lib.access import as_role, expect_error, sqlstate
from lib.contractors import Crowd, families, shown
from lib.contractors import score as worth
from lib.factory import ident, make_event

PAIR = """INSERT INTO convene.event_peer_matches (event_id, contractor1_id, contractor2_id, match_type, match_score, {more})
          VALUES (%s, least(%s, %s), greatest(%s, %s), 'ideal_peer', 0.9, {values}) RETURNING id"""


def pair(conn, crowd, a, b, event=None, **columns):
    first, second = crowd.ids[a], crowd.ids[b]
    columns = columns or {"match_reason": "x"}
    statement = PAIR.format(more=", ".join(columns), values=", ".join(["%s"] * len(columns)))
    return conn.execute(statement, [event or crowd.event.id, first, second, first, second, *columns.values()]).fetchone()[0]


def offered(conn, crowd, at, *more):
    """The numbers that are offered to number `at`."""
    number = {contractor: place for place, contractor in enumerate(crowd.ids)}
    return {number[peer.id] for peer in crowd.find(conn, at, 100, 0, *more)}


def update(conn, crowd, at, assignment, table="event_attendees"):
    key = "contractor_id" if table == "event_attendees" else "id"
    conn.execute(f"UPDATE convene.{table} SET {assignment} WHERE {key} = %s", [crowd.ids[at]])


@pytest.fixture
def crowd(conn):
    return Crowd(conn, uuid.uuid4().hex, 6, signed_in=6)


ALL = {1, 2, 3, 4, 5}


# Consent ------------------------------------------------------------------------------------------------------------


def test_only_who_agreed_is_offered_and_asked(conn, crowd):
    assert offered(conn, crowd, 0) == ALL
    update(conn, crowd, 3, "peer_matching_opt_in = false")
    assert offered(conn, crowd, 0) == ALL - {3}
    assert offered(conn, crowd, 3) == set()
    update(conn, crowd, 3, "peer_matching_opt_in = true")
    assert offered(conn, crowd, 0) == ALL and 0 in offered(conn, crowd, 3)


def test_who_stopped_messages_or_cancelled_is_not_offered(conn, crowd):
    update(conn, crowd, 1, "messages_stopped_at = now()", "contractors")
    for at, status in ((2, "cancelled"), (3, "no_show"), (4, "checked_in")):
        update(conn, crowd, at, f"attendee_id = '{crowd.event.people[at].id}'")
        assert offered(conn, crowd, 0) >= {at}
        conn.execute("UPDATE convene.attendees SET status = %s WHERE id = %s", [status, crowd.event.people[at].id])
    assert offered(conn, crowd, 0) == {4, 5}
    conn.execute("UPDATE convene.attendees SET status = 'confirmed' WHERE id = %s", [crowd.event.people[2].id])
    update(conn, crowd, 1, "messages_stopped_at = NULL", "contractors")
    assert offered(conn, crowd, 0) == {1, 2, 4, 5}


def test_consent_counts_in_the_transaction_that_changes_it_and_a_rollback_takes_it_back(conn, db, crowd):
    """Also for what a session keeps in memory, whoever commits or rolls back in between."""
    with db.second() as other:
        assert offered(other, crowd, 0) == ALL
        with conn.transaction(force_rollback=True):
            update(conn, crowd, 2, "peer_matching_opt_in = false")
            assert offered(conn, crowd, 0) == ALL - {2}
            assert offered(other, crowd, 0) == ALL
        assert offered(conn, crowd, 0) == ALL
        # The next change makes the number that the rolled back one had.
        update(other, crowd, 4, "peer_matching_opt_in = false")
        assert offered(conn, crowd, 0) == offered(other, crowd, 0) == ALL - {4}


def test_a_change_of_what_one_is_compared_by_counts_at_once(conn, crowd):
    for column, value in (("city", "'Nome'"), ("state", "'AK'"), ("focus_areas", "'{only this}'"), ("services_offered", "'{hvac}'"),
                          ("revenue_tier", "'10m_plus'"), ("team_size", "7")):
        before = {peer.id: peer.criteria for peer in crowd.find(conn, 0)}
        profile = crowd.profiles[0] = {**crowd.profiles[0]}
        profile[column] = conn.execute(f"UPDATE convene.contractors SET {column} = {value} WHERE id = %s RETURNING {column}", [crowd.ids[0]]).fetchone()[0]
        expected = crowd.expected(families(conn), 0)
        found = crowd.find(conn, 0)
        assert [peer.id for peer in found] == [who for _, who in expected], column
        assert before
    with conn.transaction(force_rollback=True):
        conn.execute("DELETE FROM convene.service_families")
        assert [peer.id for peer in crowd.find(conn, 0)] == [who for _, who in crowd.expected({}, 0)]
    conn.execute("DELETE FROM convene.event_attendees WHERE contractor_id = %s", [crowd.ids[5]])
    assert offered(conn, crowd, 0) == ALL - {5}


# Who is left out ----------------------------------------------------------------------------------------------------


def test_who_blocked_or_was_blocked_is_not_offered_anywhere(conn, crowd):
    for blocker, blocked in ((0, 1), (2, 0)):
        conn.execute("INSERT INTO convene.person_blocks VALUES (%s, %s)", [crowd.sub(blocker), crowd.sub(blocked)])
    for at, missing in ((0, {1, 2}), (1, {0}), (2, {0})):
        assert offered(conn, crowd, at, False, True) == set(range(6)) - {at} - missing
    for at in (1, 2):
        pair(conn, crowd, 0, at)
        assert conn.execute("SELECT * FROM convene.get_contractor_matches(%s, %s)", [crowd.event.id, crowd.ids[0]]).fetchall() == []
    conn.execute("DELETE FROM convene.event_peer_matches WHERE event_id = %s", [crowd.event.id])
    conn.execute("SELECT convene.generate_event_peer_matches(%s, 20, 0, true)", [crowd.event.id])
    assert {(0, 1), (0, 2)} & crowd.pairs(conn) == set() and len(crowd.pairs(conn)) == 13


def test_matched_people_are_left_out_unless_asked_for_and_declined_ones_always(conn, crowd):
    pair(conn, crowd, 0, 1)
    pair(conn, crowd, 2, 0, contractor1_response=False)
    pair(conn, crowd, 3, 0, contractor2_response=False)
    assert offered(conn, crowd, 0) == {4, 5}
    assert offered(conn, crowd, 0, False) == {1, 4, 5}
    conn.execute("SELECT convene.generate_event_peer_matches(%s, 20, 0)", [crowd.event.id])
    listed = conn.execute("SELECT contractor2_id FROM convene.get_contractor_matches(%s, %s)", [crowd.event.id, crowd.ids[0]]).fetchall()
    assert {row[0] for row in listed} == {crowd.ids[at] for at in (1, 4, 5)}


def test_matches_of_a_whole_event_are_written_in_bounded_memory(conn):
    """Words for all pairs at once would be 4 kB each: hundreds of megabytes for an event of ten thousand."""
    crowd = Crowd(conn, uuid.uuid4().hex, 1500)
    status, most, done = Path(f"/proc/{conn.info.backend_pid}/status"), 0, threading.Event()

    def anonymous():
        return int(re.search(r"RssAnon:\s+(\d+)", status.read_text())[1]) // 1024

    def watch():
        nonlocal most
        while not done.wait(0.02):
            most = max(most, anonymous())

    before, watcher = anonymous(), threading.Thread(target=watch)
    watcher.start()
    try:
        told = conn.execute("SELECT convene.generate_event_peer_matches(%s, 20, 0)", [crowd.event.id]).fetchone()[0]
    finally:
        done.set()
        watcher.join()
    assert told["created"] == told["matches"] == len(crowd.pairs(conn)) > 15_000
    assert most - before < 40, f"{most - before} MB"


@pytest.mark.parametrize("how", ["met", "exchanged", "only matched"])
def test_who_met_at_an_earlier_event_is_left_out_unless_asked_for(conn, crowd, how):
    earlier = make_event(conn, uuid.uuid4().hex, sessions=1)
    for at in (0, 1):
        conn.execute("INSERT INTO convene.event_attendees (event_id, contractor_id) VALUES (%s, %s)", [earlier.id, crowd.ids[at]])
    columns = {"met": {"connection_made": True}, "only matched": {"contractor1_response": True},
               "exchanged": {"contacts_exchanged_at": "2026-01-01", "contractor1_response": True, "contractor2_response": True}}[how]
    pair(conn, crowd, 0, 1, earlier.id, **columns)
    known = set() if how == "only matched" else {1}
    assert offered(conn, crowd, 0) == ALL - known
    assert offered(conn, crowd, 0, True, True) == ALL
    conn.execute("SELECT convene.generate_event_peer_matches(%s, 20, 0)", [crowd.event.id])
    assert ((0, 1) in crowd.pairs(conn)) == (not known)
    conn.execute("SELECT convene.generate_event_peer_matches(%s, 20, 0, true)", [crowd.event.id])
    assert (0, 1) in crowd.pairs(conn)


def test_the_answer_has_nothing_to_reach_somebody_by(conn, crowd):
    reached = conn.execute("SELECT array_agg(phone) || array_agg(email) FROM convene.contractors WHERE id = ANY (%s)", [crowd.ids]).fetchone()[0]
    assert len(reached) == 12
    pair(conn, crowd, 0, 1)
    with as_role(conn, "authenticated", crowd.sub(0)):
        for statement in ("SELECT * FROM convene.find_peer_matches(%s, %s, 10, 0)", "SELECT * FROM convene.get_contractor_matches(%s, %s)",
                          "SELECT convene.create_peer_match(%s, %s, '%s')" % ("%s", "%s", crowd.ids[2])):
            told = repr(conn.execute(statement, [crowd.event.id, crowd.ids[0]]).fetchall())
            assert not [text for text in reached if text in told]


# A whole event ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("most, least", [(3, Decimal("0.6")), (1, Decimal(0)), (5, Decimal("0.45"))])
def test_everybody_gets_their_best_and_a_second_run_adds_nothing(conn, most, least):
    crowd = Crowd(conn, f"whole-{most}", 300)
    near = families(conn)
    number = {contractor: at for at, contractor in enumerate(crowd.ids)}
    expected = {tuple(sorted((at, number[who]))) for at in range(300)
                for _, who in crowd.expected(near, at, most, Fraction(least))}
    told = conn.execute("SELECT convene.generate_event_peer_matches(%s, %s, %s)", [crowd.event.id, most, least]).fetchone()[0]
    assert crowd.pairs(conn) == expected
    assert told == {"event_id": str(crowd.event.id), "contractors": 300, "matches": len(expected), "created": len(expected)}
    again = conn.execute("SELECT convene.generate_event_peer_matches(%s, %s, %s)", [crowd.event.id, most, least]).fetchone()[0]
    assert again == {**told, "created": 0}
    wrong = conn.execute(
        """SELECT count(*) FROM convene.event_peer_matches m, LATERAL jsonb_to_record(m.match_criteria)
             AS p ("focusAreas" float8, geographic float8, "businessScale" float8, industry float8)
           WHERE event_id = %s AND (abs(0.4 * p."focusAreas" + 0.25 * geographic + 0.2 * p."businessScale" + 0.15 * industry - match_score) > 1e-4
              OR match_reason = '' OR match_score < %s - 5e-5
              OR match_type <> CASE WHEN match_score >= 0.8 THEN 'ideal_peer' WHEN match_score >= 0.7 THEN 'focus_area_match'
                                    WHEN match_score >= 0.6 THEN 'scale_match' ELSE 'general_match' END)""", [crowd.event.id, least]).fetchone()[0]
    assert wrong == 0


def test_two_runs_at_once_make_each_match_once(conn, db):
    crowd = Crowd(conn, "at-once", 120)
    done = []

    def run():
        with db.second() as mine:
            done.append(mine.execute("SELECT convene.generate_event_peer_matches(%s)", [crowd.event.id]).fetchone()[0])

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 3 and sum(told["created"] for told in done) == len(crowd.pairs(conn)) == done[0]["matches"]


def test_an_event_without_anybody_is_no_error(conn):
    event = make_event(conn, "nobody", sessions=1)
    assert conn.execute("SELECT convene.generate_event_peer_matches(%s)", [event.id]).fetchone()[0]["matches"] == 0
    assert conn.execute("SELECT * FROM convene.form_peer_groups(%s)", [event.id]).fetchall() == []
    assert conn.execute("SELECT * FROM convene.find_super_connectors(%s)", [event.id]).fetchall() == []
    assert [row[:2] for row in conn.execute("SELECT * FROM convene.peer_match_metrics(%s)", [event.id])] == [("all", 0)]


# One match ----------------------------------------------------------------------------------------------------------

CREATE = "SELECT convene.create_peer_match(%s, %s, %s, %s::jsonb)"


def create(conn, crowd, a, b, data=None):
    return conn.execute(CREATE, [crowd.event.id, crowd.ids[a], crowd.ids[b], data]).fetchone()[0]


def test_a_match_is_made_once_whoever_comes_first(conn, crowd):
    first = create(conn, crowd, 0, 1)
    assert create(conn, crowd, 1, 0) == create(conn, crowd, 0, 1, '{"match_score": 1}') == first
    assert [first["contractor1_id"], first["contractor2_id"]] == sorted(map(str, crowd.ids[:2]))
    found = next(peer for peer in crowd.find(conn, 0, 100, 0, False) if peer.id == crowd.ids[1])
    assert (first["match_score"], first["match_type"], first["match_criteria"]) == (float(found.score), found.kind, found.criteria)


def test_many_who_make_it_at_once_make_it_once(conn, db, crowd):
    made, start = [], threading.Barrier(6)

    def make(turn):
        with db.second() as mine:
            start.wait()
            made.append(create(mine, crowd, *((2, 3) if turn % 2 else (3, 2)))["id"])

    threads = [threading.Thread(target=make, args=[turn]) for turn in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 6 and len(set(made)) == 1


def test_the_service_may_say_what_a_match_is_worth_and_nobody_else(conn, crowd):
    data = ('{"matchType": "scale_match", "matchScore": 0.87, "matchReason": "Because", "matchCriteria": {"focusAreas": 0.9},'
            ' "first_name": "Sarah"}')
    said = create(conn, crowd, 0, 1, data)
    assert (said["match_type"], said["match_score"], said["match_reason"], said["match_criteria"]) == (
        "scale_match", 0.87, "Because", {"focusAreas": 0.9})
    assert create(conn, crowd, 0, 2, '{"match_score": 0.71}')["match_type"] == "focus_area_match"
    for sub, peer in ((crowd.sub(0), 3), (crowd.event.organizer, 4)):
        with as_role(conn, "authenticated", sub):
            computed = create(conn, crowd, 0, peer, '{"matchScore": 1, "matchType": "ideal_peer"}')
        assert computed["match_reason"] != "Because" and len(computed["match_criteria"]) == 4
        assert computed["match_score"] == pytest.approx(
            sum(w * computed["match_criteria"][k] for k, w in
                (("focusAreas", 0.4), ("geographic", 0.25), ("businessScale", 0.2), ("industry", 0.15))), abs=1e-4)


def test_a_peer_who_cannot_be_matched_is_like_one_that_nobody_knows(conn, crowd):
    """Blocked, blocking, silent and elsewhere: in the same words, so that a block is not learned from a refusal."""
    conn.execute("INSERT INTO convene.person_blocks VALUES (%s, %s), (%s, %s)", [crowd.sub(0), crowd.sub(1), crowd.sub(2), crowd.sub(0)])
    update(conn, crowd, 3, "peer_matching_opt_in = false")
    conn.execute("DELETE FROM convene.event_attendees WHERE contractor_id = %s", [crowd.ids[4]])
    with as_role(conn, "authenticated", crowd.sub(0)):
        told = {sqlstate(conn, CREATE, [crowd.event.id, crowd.ids[0], peer, None])
                for peer in (*crowd.ids[1:5], uuid.uuid4())}
        assert len(told) == 1 and told.pop().sqlstate == "42501"
        create(conn, crowd, 0, 5)
    expect_error(conn, "55000", CREATE, [crowd.event.id, crowd.ids[3], crowd.ids[5], None], message="does not take part")
    for peer in (1, 2, 3):
        expect_error(conn, "55000", CREATE, [crowd.event.id, crowd.ids[0], crowd.ids[peer], None], message="cannot be matched")
    # What was a match is none any more.
    conn.execute("INSERT INTO convene.person_blocks VALUES (%s, %s)", [crowd.sub(5), crowd.sub(0)])
    expect_error(conn, "55000", CREATE, [crowd.event.id, crowd.ids[0], crowd.ids[5], None], message="cannot be matched")


# What came of it ----------------------------------------------------------------------------------------------------


def test_a_meeting_is_noted_once_and_details_may_follow(conn, crowd):
    match = pair(conn, crowd, 0, 1)
    read = "SELECT connection_made, meeting_scheduled, meeting_time, meeting_location, updated_at FROM convene.event_peer_matches WHERE id = %s"
    told = conn.execute("SELECT convene.record_peer_connection(%s, %s::jsonb)", [
        match, '{"scheduled": true, "time": "2025-09-26T12:30:00Z", "location": "Lunch area - Table 5"}']).fetchone()[0]
    assert told["connection_made"] and told["meeting_scheduled"] and told["meeting_location"] == "Lunch area - Table 5"
    kept = conn.execute(read, [match]).fetchone()
    assert kept[2].timestamp() == 1758889800
    for more in ("{}", '{"scheduled": true}', '{"time": "2025-09-26T14:30:00+02:00", "location": null}'):
        conn.execute("SELECT convene.record_peer_connection(%s, %s::jsonb)", [match, more])
        assert conn.execute(read, [match]).fetchone() == kept
    conn.execute("SELECT convene.record_peer_connection(%s, '{\"location\": \"Table 6\"}')", [match])
    assert conn.execute(read, [match]).fetchone()[3] == "Table 6"


def test_ratings_are_the_two_persons_own_and_their_mean_is_the_score(conn, crowd):
    match = pair(conn, crowd, 0, 1, contractor1_response=True, contractor2_response=True)
    rate = "SELECT convene.record_peer_feedback(%s, %s, %s, %s)->'pcr_score'"
    first, second = sorted((0, 1), key=lambda at: crowd.ids[at])
    for at, rating, mean in ((first, 8, 8), (second, 3, 5.5), (first, 10, 6.5), (first, 10, 6.5)):
        with as_role(conn, "authenticated", crowd.sub(at)):
            assert conn.execute(rate, [match, crowd.ids[at], rating, f"said {at}"]).fetchone()[0] == mean
            expect_error(conn, "42501", rate, [match, crowd.ids[1 - at], 10, None])
    assert conn.execute(rate, [match, crowd.ids[second], 4, None]).fetchone()[0] == 7
    kept = conn.execute("SELECT feedback_contractor1, feedback_contractor2 FROM convene.event_peer_matches WHERE id = %s", [match]).fetchone()
    assert kept == (f"said {first}", f"said {second}")
    for sub in (crowd.sub(2), crowd.event.organizer):
        with as_role(conn, "authenticated", sub):
            expect_error(conn, "42501", rate, [match, crowd.ids[0], 1, None])


@pytest.fixture
def history(conn, crowd):
    """Five matches: two good meetings of number 0, one accepted, one declined, one that nobody was told of."""
    answers = {"contractor1_response": True, "contractor2_response": True, "introduction_sent_time": "2026-01-01"}
    pair(conn, crowd, 0, 1, **answers, connection_made=True, rating_contractor1=9, rating_contractor2=8, contacts_exchanged_at="2026-01-01")
    pair(conn, crowd, 0, 2, **answers, connection_made=True, rating_contractor1=10, contacts_exchanged_at="2026-01-01")
    pair(conn, crowd, 3, 4, **answers)
    pair(conn, crowd, 3, 5, contractor1_response=False, introduction_sent_time="2026-01-01")
    pair(conn, crowd, 4, 5)
    conn.execute("UPDATE convene.event_peer_matches SET match_score = 0.65, match_type = 'scale_match' WHERE event_id = %s"
                 " AND introduction_sent_time IS NULL", [crowd.event.id])
    return crowd


def test_metrics_by_hand(conn, history):
    rows = {row[0]: [value if value is None else float(value) for value in row[1:]]
            for row in conn.execute("SELECT * FROM convene.peer_match_metrics(%s)", [history.event.id])}
    # matches, mean score, introduced, accepted, of introduced, met, of accepted, exchanged, rating: mean of 8.5 and 10.
    assert rows == {"all": [5, 0.85, 4, 3, 0.75, 2, 0.6667, 2, 9.25],
                    "ideal_peer": [4, 0.9, 4, 3, 0.75, 2, 0.6667, 2, 9.25], "scale_match": [1, 0.65, 0, 0, None, 0, None, 0, None]}


def test_super_connectors_by_hand(conn, history):
    rows = conn.execute("SELECT contractor_id, introductions, mutual_accepts, connections, avg_rating, connector_score"
                        " FROM convene.find_super_connectors(%s)", [history.event.id]).fetchall()
    ids = history.ids
    by_hand = {ids[0]: (2, 2, 2, 9.25, (0.94 + 1.0) / 5), ids[1]: (1, 1, 1, 8.5, 0.94 / 4), ids[2]: (1, 1, 1, 10, 1.0 / 4),
               ids[3]: (2, 1, 0, None, 0.3 / 5), ids[4]: (1, 1, 0, None, 0.3 / 4)}
    assert {row[0]: (*row[1:4], row[4] and float(row[4]), pytest.approx(float(row[5]), abs=5e-5)) for row in rows} == by_hand
    assert [row[0] for row in rows] == [ids[0], ids[2], ids[1], ids[4], ids[3]]
    assert len(conn.execute("SELECT * FROM convene.find_super_connectors(%s, 2)", [history.event.id]).fetchall()) == 2


ANALYTICS = [
    """SELECT
         COUNT(*) as total_matches,
         AVG(match_score) as avg_match_score,
         COUNT(CASE WHEN contractor1_response = true AND contractor2_response = true THEN 1 END) as mutual_accepts,
         COUNT(CASE WHEN connection_made = true THEN 1 END) as actual_connections,
         AVG(pcr_score) as avg_quality_rating
       FROM event_peer_matches
       WHERE event_id = '{event}'""",
    """SELECT
         match_type,
         COUNT(*) as count,
         AVG(match_score) as avg_score,
         AVG(CASE WHEN connection_made THEN 1 ELSE 0 END) as connection_rate,
         AVG(pcr_score) as avg_rating
       FROM event_peer_matches
       GROUP BY match_type
       ORDER BY avg_rating DESC""",
    """SELECT
         c.id,
         c.first_name,
         c.last_name,
         COUNT(*) as total_matches,
         AVG(epm.pcr_score) as avg_rating
       FROM contractors c
       INNER JOIN event_peer_matches epm
         ON c.id = epm.contractor1_id OR c.id = epm.contractor2_id
       WHERE epm.connection_made = true
       GROUP BY c.id, c.first_name, c.last_name
       ORDER BY avg_rating DESC
       LIMIT 10""",
]


def test_the_documents_analytics_run_as_they_stand(conn, history):
    with conn.transaction(force_rollback=True):
        conn.execute("DELETE FROM convene.event_peer_matches WHERE event_id <> %s", [history.event.id])
        conn.execute("SET LOCAL search_path = convene, public")
        first, second, third = (conn.execute(query.format(event=history.event.id)).fetchall() for query in ANALYTICS)
        assert [float(value) for value in first[0]] == [5, 0.85, 3, 2, 9.25]
        assert {row[0]: (row[1], float(row[3])) for row in second} == {"ideal_peer": (4, 0.5), "scale_match": (1, 0)}
        assert {row[0]: (row[3], float(row[4])) for row in third} == {
            history.ids[0]: (2, 9.25), history.ids[1]: (1, 8.5), history.ids[2]: (1, 10)}


# Across events ------------------------------------------------------------------------------------------------------

ACROSS = "SELECT id, match_score FROM convene.find_cross_event_peers(%s, 100, 0)"


def test_people_of_other_events_meet_if_both_agreed_to_that(conn):
    with conn.transaction(force_rollback=True):
        here, there = Crowd(conn, "here", 4, signed_in=4), Crowd(conn, "there", 5, signed_in=5)
        agreed = [here.ids[0], here.ids[1], *there.ids[:4], ident("at no event")]
        conn.execute("INSERT INTO convene.contractors (id, first_name) VALUES (%s, 'x')", [agreed[-1]])
        assert conn.execute(ACROSS, [here.ids[0]]).fetchall() == []
        conn.execute("UPDATE convene.contractors SET cross_event_opt_in = true WHERE id = ANY (%s)", [agreed])

        def found(who):
            return {row[0] for row in conn.execute(ACROSS, [who])}

        assert found(here.ids[0]) == set(there.ids[:4]) and found(here.ids[2]) == set()
        # Whoever is at one of the contractor's events is no stranger; who blocked, declined or met is left out here, too.
        conn.execute("INSERT INTO convene.event_attendees (event_id, contractor_id) VALUES (%s, %s)", [here.event.id, there.ids[3]])
        conn.execute("INSERT INTO convene.person_blocks VALUES (%s, %s)", [there.sub(0), here.sub(0)])
        assert found(here.ids[0]) == {there.ids[1], there.ids[2]} and found(there.ids[0]) == {here.ids[1]}
        values = {**dict(zip(here.ids, here.profiles)), **dict(zip(there.ids, there.profiles))}
        near = families(conn)
        for who, score in conn.execute(ACROSS, [here.ids[0]]):
            assert Fraction(score) == shown(worth(values[here.ids[0]], values[who], near))


def test_the_best_of_many_elsewhere_are_found(conn):
    with conn.transaction(force_rollback=True):
        me, others = Crowd(conn, "one-alone", 1), Crowd(conn, "many-elsewhere", 400)
        conn.execute("UPDATE convene.contractors SET cross_event_opt_in = id = ANY (%s)", [me.ids + others.ids])
        merged = Crowd.__new__(Crowd)
        merged.ids, merged.profiles = me.ids + others.ids, me.profiles + others.profiles
        found = [row[0] for row in conn.execute("SELECT id FROM convene.find_cross_event_peers(%s, 7, 0.3)", [me.ids[0]])]
        assert found == [who for _, who in merged.expected(families(conn), 0, 7, Fraction("0.3"))] and len(found) == 7


# Reading ------------------------------------------------------------------------------------------------------------


def test_questions_are_answered_where_nothing_can_be_written(conn, crowd):
    pair(conn, crowd, 0, 1)
    with conn.transaction():
        conn.execute("SET TRANSACTION READ ONLY")
        for statement in ("find_peer_matches(%s, %s)", "get_contractor_matches(%s, %s)"):
            conn.execute(f"SELECT * FROM convene.{statement}", [crowd.event.id, crowd.ids[0]])
        conn.execute("SELECT * FROM convene.find_cross_event_peers(%s)", [crowd.ids[0]])
        for name in ("form_peer_groups", "peer_match_metrics", "find_super_connectors"):
            conn.execute(f"SELECT * FROM convene.{name}(%s)", [crowd.event.id])
    with conn.transaction(force_rollback=True):
        conn.execute("SET TRANSACTION READ ONLY")
        expect_error(conn, "25006", "SELECT convene.generate_event_peer_matches(%s)", [crowd.event.id])


def test_reading_an_event_takes_no_scan_of_all_contractors(conn):
    """The plans of the queries, with many more contractors than the event has."""
    crowd = Crowd(conn, "plans", 5)
    conn.execute("INSERT INTO convene.contractors (first_name) SELECT 'c' FROM generate_series(1, 20000)")
    conn.execute("ANALYZE convene.contractors, convene.event_attendees")
    before = "SELECT coalesce(sum(seq_tup_read), 0) FROM pg_stat_xact_user_tables WHERE relname IN ('contractors', 'event_peer_matches')"
    with conn.transaction():
        read = conn.execute(before).fetchone()[0]
        crowd.find(conn, 0)
        conn.execute("SELECT * FROM convene.get_contractor_matches(%s, %s)", [crowd.event.id, crowd.ids[0]])
        assert conn.execute(before).fetchone()[0] - read < 20000
