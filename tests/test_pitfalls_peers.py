"""What went wrong with the documents' peer matching as it stands, line by line, and must not here."""

from fractions import Fraction

import pytest

from lib.access import as_role, expect_error, sqlstate
from lib.contractors import Crowd, families, score
from lib.factory import ident

pytestmark = pytest.mark.pitfalls

CREATE = "SELECT convene.create_peer_match(%s, %s, %s)"


# Matching -----------------------------------------------------------------------------------------------------------


def test_nobody_is_matched_with_themselves(conn):
    crowd = Crowd(conn, "self", 3)
    expect_error(conn, "22023", CREATE, [crowd.event.id, crowd.ids[0], crowd.ids[0]], message="themselves")
    conn.execute("SELECT convene.generate_event_peer_matches(%s, 20, 0)", [crowd.event.id])
    assert crowd.pairs(conn) == {(0, 1), (0, 2), (1, 2)}
    assert crowd.ids[0] not in [peer.id for peer in crowd.find(conn, 0, 100, 0, False)]


def test_a_pair_is_neither_doubled_nor_turned_round(conn):
    crowd = Crowd(conn, "reversed", 2)
    made = {conn.execute(CREATE, [crowd.event.id, crowd.ids[a], crowd.ids[b]]).fetchone()[0]["id"] for a, b in ((0, 1), (1, 0), (0, 1))}
    assert len(made) == 1
    conn.execute("SELECT convene.generate_event_peer_matches(%s, 20, 0)", [crowd.event.id])
    assert conn.execute("SELECT count(*) FROM convene.event_peer_matches WHERE event_id = %s", [crowd.event.id]).fetchone() == (1,)


def test_thirds_are_not_cut_and_do_not_shift_ties(conn):
    """numeric cuts 0.4 / 3 to 0.1333; three pairs with one and the same sum stay equal, and are ordered by id."""
    base = {"city": "Phoenix", "state": "AZ", "revenue_tier": "1m_2m", "team_size": 10}
    there = {"city": "Dallas", "state": "TX", "revenue_tier": "1m_2m", "team_size": 10}
    profiles = [
        {**base, "focus_areas": ["a", "b"], "services_offered": ["s", "t", "u"]},
        # One of three focus areas and two of three services, each time others.
        {**there, "focus_areas": ["a", "c"], "services_offered": ["s", "t", "v"]},
        {**there, "focus_areas": ["b", "d"], "services_offered": ["t", "u", "w"]},
        {**there, "focus_areas": ["b", "e"], "services_offered": ["s", "u", "x"]},
    ]
    crowd = Crowd(conn, "thirds", profiles=profiles)
    exact = score(profiles[0], profiles[1], families(conn))
    assert exact == Fraction(40, 300) + Fraction(25, 100) + Fraction(20, 100) + Fraction(10, 100)
    found = crowd.find(conn, 0)
    assert [peer.id for peer in found] == sorted(crowd.ids[1:])
    assert {float(peer.score) for peer in found} == {0.6833}
    # The least score is compared with 0.68333..., which is neither 0.6833 nor 0.6834.
    assert len(crowd.find(conn, 0, 9, "0.68333")) == 3 and crowd.find(conn, 0, 9, "0.6834") == []


def test_nobody_gives_a_match_a_score_or_an_answer_of_their_own(conn):
    crowd = Crowd(conn, "forged", 3, signed_in=3)
    match = conn.execute(CREATE, [crowd.event.id, crowd.ids[0], crowd.ids[1]]).fetchone()[0]
    for sub in (crowd.sub(0), crowd.sub(2), crowd.event.organizer):
        with as_role(conn, "authenticated", sub):
            for statement in (
                f"UPDATE convene.event_peer_matches SET contractor1_response = true, contractor2_response = true WHERE id = '{match['id']}'",
                f"UPDATE convene.event_peer_matches SET match_score = 1 WHERE id = '{match['id']}'",
                f"DELETE FROM convene.event_peer_matches WHERE id = '{match['id']}'",
            ):
                assert sqlstate(conn, statement).sqlstate == "42501"
    with as_role(conn, "authenticated", crowd.sub(0)):
        told = conn.execute("SELECT convene.create_peer_match(%s, %s, %s, %s::jsonb)", [
            crowd.event.id, crowd.ids[0], crowd.ids[2], '{"matchScore": 1.0, "matchType": "ideal_peer"}']).fetchone()[0]
    assert told["match_score"] == pytest.approx(float(score(crowd.profiles[0], crowd.profiles[2], families(conn))), abs=1e-4)


def test_an_id_that_one_passes_opens_nothing(conn):
    crowd = Crowd(conn, "passed", 3, signed_in=2)
    with as_role(conn, "authenticated", crowd.sub(1)):
        for statement in ("SELECT * FROM convene.find_peer_matches(%s, %s)", "SELECT * FROM convene.get_contractor_matches(%s, %s)"):
            expect_error(conn, "42501", statement, [crowd.event.id, crowd.ids[0]])
            expect_error(conn, "42501", statement, [crowd.event.id, ident("nobody")])
        for statement in ("SELECT convene.generate_event_peer_matches(%s)", "SELECT * FROM convene.form_peer_groups(%s)",
                          "SELECT * FROM convene.peer_match_metrics(%s)", "SELECT * FROM convene.find_super_connectors(%s)"):
            expect_error(conn, "42501", statement, [crowd.event.id])


def test_numbers_that_are_none_are_refused_and_null_is_not_all(conn):
    crowd = Crowd(conn, "numbers", 3)
    for limit, code in (("-1", "22023"), ("0", "22023"), ("NULL", "22004")):
        expect_error(conn, code, f"SELECT * FROM convene.find_peer_matches(%s, %s, {limit})", [crowd.event.id, crowd.ids[0]])
        expect_error(conn, code, f"SELECT convene.generate_event_peer_matches(%s, {limit})", [crowd.event.id])


def test_a_neighbour_is_not_called_non_competing(conn):
    """'AZ' and 'Arizona' are one state."""
    crowd = Crowd(conn, "neighbours", profiles=[{"city": "Phoenix", "state": "AZ"}, {"city": "Phoenix", "state": "Arizona"}])
    peer, = crowd.find(conn, 0)
    assert peer.criteria["geographic"] == 0.2 and "competing" not in peer.reason and "Different" not in peer.reason
