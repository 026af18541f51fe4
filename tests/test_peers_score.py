"""What a pair of contractors is worth: worked out by hand, criterion by criterion, and against exact fractions."""

from fractions import Fraction

import pytest

from lib.contractors import Crowd, families, parts, score, shown
from lib.factory import ident, make_event


def contractor(focus=(), city=None, state=None, tier=None, team=None, services=()):
    return {"focus_areas": list(focus), "services_offered": list(services), "city": city, "state": state,
            "revenue_tier": tier, "team_size": team}


PHOENIX = {"city": "Phoenix", "state": "AZ"}
DALLAS = {"city": "Dallas", "state": "TX"}

# Two contractors, the four parts, and 0.40, 0.25, 0.20 and 0.15 times them added up by hand.
PAIRS = {
    "alike in everything but the market": (
        contractor(["hiring", "operations"], "Phoenix", "AZ", "2m_5m", 15, ["hvac"]),
        contractor(["hiring", "operations"], "Dallas", "TX", "2m_5m", 18, ["hvac"]), (1, 1, 1, 1), 1.0, "ideal_peer"),
    "one of three in common, a tier apart, a third larger": (
        contractor(["hiring", "operations"], "Phoenix", "AZ", "1m_2m", 15, ["hvac"]),
        contractor(["hiring", "retention"], "Dallas", "TX", "2m_5m", 20, ["hvac"]), (1 / 3, 1, 0.8, 1), 0.6933, "scale_match"),
    "same state, other city": (
        contractor(["hiring"], "Dallas", "TX", "1m_2m", 10, ["hvac"]),
        contractor(["hiring"], "Austin", "TX", "1m_2m", 10, ["hvac"]), (1, 0.5, 1, 1), 0.875, "ideal_peer"),
    "same city": (
        contractor(["hiring"], "Dallas", "TX", "1m_2m", 10, ["hvac"]),
        contractor(["hiring"], "Dallas", "TX", "1m_2m", 10, ["hvac"]), (1, 0.2, 1, 1), 0.8, "ideal_peer"),
    "same city, spelled otherwise": (
        contractor(["hiring"], "dallas ", "texas", "1m_2m", 10, ["hvac"]),
        contractor(["hiring"], "Dallas", "TX", "1m_2m", 10, ["hvac"]), (1, 0.2, 1, 1), 0.8, "ideal_peer"),
    "neighbours are no strangers because one writes the state out": (
        contractor(["hiring"], "Phoenix", "AZ", "1m_2m", 10, ["hvac"]),
        contractor(["hiring"], "Tucson", "Arizona", "1m_2m", 10, ["hvac"]), (1, 0.5, 1, 1), 0.875, "ideal_peer"),
    "a city unknown": (
        contractor(["hiring"], None, "TX", "1m_2m", 10, ["hvac"]),
        contractor(["hiring"], "Dallas", "TX", "1m_2m", 10, ["hvac"]), (1, 0.5, 1, 1), 0.875, "ideal_peer"),
    "a state unknown": (
        contractor(["hiring"], "Dallas", None, "1m_2m", 10, ["hvac"]),
        contractor(["hiring"], "Dallas", "TX", "1m_2m", 10, ["hvac"]), (1, 0.5, 1, 1), 0.875, "ideal_peer"),
    "nothing known of either": (contractor(), contractor(), (0, 0.5, 0.5, 0), 0.225, "general_match"),
    "exactly 20% larger": (contractor(team=50, **PHOENIX), contractor(team=60, **DALLAS), (0, 1, 1, 0), 0.45, "general_match"),
    "more than 20% larger": (contractor(team=50, **PHOENIX), contractor(team=61, **DALLAS), (0, 1, 0.8, 0), 0.41, "general_match"),
    "exactly 50% larger": (contractor(team=50, **PHOENIX), contractor(team=75, **DALLAS), (0, 1, 0.8, 0), 0.41, "general_match"),
    "more than 50% larger": (contractor(team=50, **PHOENIX), contractor(team=76, **DALLAS), (0, 1, 0.5, 0), 0.35, "general_match"),
    "exactly twice as large": (contractor(team=50, **PHOENIX), contractor(team=100, **DALLAS), (0, 1, 0.5, 0), 0.35, "general_match"),
    "more than twice as large": (contractor(team=50, **PHOENIX), contractor(team=101, **DALLAS), (0, 1, 0.3, 0), 0.31, "general_match"),
    "the tier of one unknown: the team alone": (
        contractor(team=10, **PHOENIX), contractor(tier="1m_2m", team=10, **DALLAS), (0, 1, 1, 0), 0.45, "general_match"),
    "a team of none is unknown: the tier alone": (
        contractor(tier="1m_2m", team=0, **PHOENIX), contractor(tier="2m_5m", team=10, **DALLAS), (0, 1, 0.8, 0), 0.41, "general_match"),
    "neither is known of both": (
        contractor(tier="1m_2m", **PHOENIX), contractor(team=10, **DALLAS), (0, 1, 0.5, 0), 0.35, "general_match"),
    "half of the longer list, no family needed": (
        contractor(services=["catering", "framing"], **PHOENIX), contractor(services=["catering", "dancing"], **DALLAS),
        (0, 1, 0.5, 0.5), 0.425, "general_match"),
    "one of three, and one family": (
        contractor(services=["hvac", "dancing", "catering"], **PHOENIX), contractor(services=["catering", "plumbing", "singing"], **DALLAS),
        (0, 1, 0.5, 0.5), 0.425, "general_match"),
    "hvac and electrical": (
        contractor(services=["HVAC"], **PHOENIX), contractor(services=[" Electrical "], **DALLAS), (0, 1, 0.5, 0.5), 0.425, "general_match"),
    "hvac and dancing": (contractor(services=["hvac"], **PHOENIX), contractor(services=["dancing"], **DALLAS), (0, 1, 0.5, 0), 0.35, "general_match"),
    "two of three services": (
        contractor(services=["hvac", "roofing", "siding"], **PHOENIX), contractor(services=["roofing", "hvac"], **DALLAS),
        (0, 1, 0.5, 2 / 3), 0.45, "general_match"),
    "an empty list of services": (contractor(services=["hvac"], **PHOENIX), contractor(**DALLAS), (0, 1, 0.5, 0), 0.35, "general_match"),
    "case, spaces and repetitions of focus areas": (
        contractor(["Hiring", "hiring ", " OPERATIONS"], **PHOENIX), contractor(["operations", "hiring", ""], **DALLAS),
        (1, 1, 0.5, 0), 0.75, "focus_area_match"),
    "one of four focus areas": (
        contractor(["a", "b"], **PHOENIX), contractor(["b", "c", "d"], **DALLAS), (0.25, 1, 0.5, 0), 0.45, "general_match"),
    "focus areas of one only": (contractor(["a"], **PHOENIX), contractor(**DALLAS), (0, 1, 0.5, 0), 0.35, "general_match"),
    "parts that no double holds": (
        contractor(["a", "b", "c"], "Phoenix", "AZ", "1m_2m", 10, ["x", "y", "z"]),
        contractor(["a", "b", "d"], "Tucson", "AZ", "2m_5m", 10, ["x", "z", "w"]), (0.5, 0.5, 0.9, 2 / 3), 0.605, "scale_match"),
}
for apart, closeness in enumerate((1.0, 0.8, 0.5, 0.3, 0.3, 0.3)):
    TIERS = ("under_500k", "500k_1m", "1m_2m", "2m_5m", "5m_10m", "10m_plus")
    PAIRS[f"{apart} tiers apart"] = (contractor(tier=TIERS[0], **PHOENIX), contractor(tier=TIERS[apart], **DALLAS),
                                     (0, 1, closeness, 0), round(0.25 + 0.2 * closeness, 4), "general_match")


@pytest.mark.parametrize("name", PAIRS)
def test_a_pair_worked_out_by_hand(conn, name):
    first, second, expected, total, kind = PAIRS[name]
    crowd = Crowd(conn, f"pair {list(PAIRS).index(name)}".replace(" ", "-"), profiles=[first, second])
    for at in (0, 1):
        peer, = crowd.find(conn, at)
        assert peer.criteria == pytest.approx(dict(zip(("focusAreas", "geographic", "businessScale", "industry"), expected)), abs=5e-5)
        assert float(peer.score) == pytest.approx(total, abs=1e-9)
        assert peer.kind == kind
    # The slow way agrees with the hand.
    assert [float(part) for part in parts(first, second, families(conn))] == pytest.approx(list(expected))
    assert float(shown(score(first, second, families(conn)))) == total


def test_the_words_of_the_reason_are_true(conn):
    john = contractor(["hiring", "operations"], "Phoenix", "AZ", "1m_2m", 15, ["hvac"])
    sarah = contractor(["operations", "hiring", "sales"], "Dallas", "TX", "2m_5m", 18, ["hvac"])
    crowd = Crowd(conn, "words", profiles=[john, sarah, contractor(city="Tucson", state="arizona"), contractor(services=["hvac"])])
    told = {peer.id: peer.reason for peer in crowd.find(conn, 0)}
    assert told[crowd.ids[1]] == ("Both focused on hiring and operations. Different markets (Phoenix, AZ vs Dallas, TX)."
                                  " Similar business size.")
    assert told[crowd.ids[2]] == "Same state, different cities (Phoenix, AZ vs Tucson, arizona)."
    assert told[crowd.ids[3]] == "Both offer hvac."
    assert not any("competing" in reason for reason in told.values())


@pytest.mark.parametrize("seed", range(3))
def test_everybody_is_ranked_like_exact_fractions_say(conn, seed):
    crowd = Crowd(conn, f"ranked-{seed}", 60)
    near = families(conn)
    for at in range(0, 60, 7):
        found = crowd.find(conn, at)
        expected = crowd.expected(near, at)
        assert [peer.id for peer in found] == [who for _, who in expected]
        assert [peer.score for peer in found] == [shown(value) for value, _ in expected]
        for peer in found:
            weighted = (0.4 * peer.criteria["focusAreas"] + 0.25 * peer.criteria["geographic"]
                        + 0.2 * peer.criteria["businessScale"] + 0.15 * peer.criteria["industry"])
            assert abs(weighted - float(peer.score)) < 1e-4


def test_the_least_score_and_the_types_look_at_the_unrounded_score(conn):
    """1/3 of 0.40 and 0.25, 0.20 and 0.05 make 0.6333..: above 0.63333, below 0.6334."""
    first = contractor(["a", "b"], "Phoenix", "AZ", "1m_2m", 10, ["x", "y", "z"])
    second = contractor(["a", "c"], "Dallas", "TX", "1m_2m", 10, ["x", "v", "w"])
    crowd = Crowd(conn, "thirds", profiles=[first, second])
    assert score(first, second, families(conn)) == Fraction(19, 30)
    assert len(crowd.find(conn, 0, 3, "0.63333")) == 1
    assert crowd.find(conn, 0, 3, "0.6334") == []
    # 0.7 as a sum of doubles is less than 0.7.
    third = contractor(["a"], "Phoenix", "AZ", "1m_2m", 10)
    fourth = contractor(["a", "b"], "Dallas", "TX", "2m_5m", 12, ["x"])
    assert score(third, fourth, families(conn)) == Fraction(63, 100)
    edge = Crowd(conn, "edge", profiles=[third, fourth])
    assert len(edge.find(conn, 0, 3, "0.63")) == 1


def test_a_weight_set_brings_in_the_further_criteria(conn):
    with conn.transaction(force_rollback=True):
        crowd = Crowd(conn, "further", profiles=[contractor(**PHOENIX), contractor(**DALLAS)])
        conn.execute("UPDATE convene.contractors SET years_in_business = 10, disc_style = 'D', technology_stack = '{jobber,QuickBooks}'"
                     " WHERE id = %s", [crowd.ids[0]])
        conn.execute("UPDATE convene.contractors SET years_in_business = 15, disc_style = 'C', technology_stack = '{quickbooks}'"
                     " WHERE id = %s", [crowd.ids[1]])
        peer, = crowd.find(conn, 0)
        assert set(peer.criteria) == {"focusAreas", "geographic", "businessScale", "industry"} and float(peer.score) == 0.35
        conn.execute("INSERT INTO convene.scoring_weights (surface, name, event_id, weights) VALUES ('peers', 'x', %s, %s::jsonb)",
                     [crowd.event.id, '{"yearsInBusiness": 0.5, "technologyStack": 0.25, "discStyle": 0.25}'])
        peer, = crowd.find(conn, 0)
        # 0.25 + 0.10 as before, 0.5 x 0.8 for five years, 0.25 x 1/2 for the tools, 0.25 x 0.7 for neighbours; over 2.
        assert float(peer.score) == pytest.approx((0.35 + 0.4 + 0.125 + 0.175) / 2, abs=5e-5)
        assert peer.criteria["yearsInBusiness"] == 0.8 and peer.criteria["technologyStack"] == 0.5 and peer.criteria["discStyle"] == 0.7
        assert peer.criteria["weights"] == pytest.approx({
            "focusAreas": 0.2, "geographic": 0.125, "businessScale": 0.1, "industry": 0.075,
            "yearsInBusiness": 0.25, "technologyStack": 0.125, "discStyle": 0.125})
        weighted = sum(weight * peer.criteria[key] for key, weight in peer.criteria["weights"].items())
        assert abs(weighted - float(peer.score)) < 1e-4


def test_equal_scores_are_ordered_by_id(conn):
    same = contractor(["a", "b", "c"], "Phoenix", "AZ", "1m_2m", 7, ["x", "y", "z"])
    crowd = Crowd(conn, "ties", profiles=[same] * 9)
    assert [peer.id for peer in crowd.find(conn, 4, 5)] == sorted(set(crowd.ids) - {crowd.ids[4]})[:5]


def test_people_of_other_events_do_not_mix(conn):
    """Whoever is at two events is one person at each of them."""
    crowd = Crowd(conn, "first-of-two", 6)
    other = make_event(conn, "second-of-two", sessions=1)
    for who in (*crowd.ids[:2], ident("only there")):
        conn.execute("INSERT INTO convene.contractors (id, first_name) VALUES (%s, 'x') ON CONFLICT DO NOTHING", [who])
        conn.execute("INSERT INTO convene.event_attendees (event_id, contractor_id, peer_matching_opt_in) VALUES (%s, %s, true)", [other.id, who])
    assert sorted(peer.id for peer in crowd.find(conn, 0)) == sorted(crowd.ids[1:])
    there = conn.execute("SELECT id FROM convene.find_peer_matches(%s, %s, 10, 0)", [other.id, crowd.ids[0]]).fetchall()
    assert sorted(row[0] for row in there) == sorted([crowd.ids[1], ident("only there")])
