"""Contractors at events, and the slow way to score them: exact fractions from the rows as they stand.

    crowd = Crowd(conn, "label", 20)                      # an event and contractors of it, all taking part
    crowd.find(conn, 0)                                   # find_peer_matches of number 0
    score(row_a, row_b)                                   # what a pair is worth, as a Fraction
"""

import random
from fractions import Fraction
from typing import NamedTuple

from lib.factory import _copy, ident, make_event

FOCUS = ["hiring", "operations", "sales", "marketing", "retention", "pricing", "finance", "training", "safety", "technology"]
SERVICES = ["hvac", "plumbing", "electrical", "roofing", "landscaping", "catering", "framing"]
PLACES = [("Phoenix", "AZ"), ("Tucson", "Arizona"), ("Dallas", "TX"), ("Austin", "texas"), ("Denver", "CO"), (None, "CO"), ("Reno", None)]
TIERS = ["under_500k", "500k_1m", "1m_2m", "2m_5m", "5m_10m", "10m_plus"]
STATES = {"arizona": "az", "texas": "tx", "colorado": "co"}
COLUMNS = ("focus_areas", "services_offered", "city", "state", "revenue_tier", "team_size")


class Peer(NamedTuple):
    """A row of find_peer_matches."""

    id: object
    first_name: str
    last_name: str
    company_name: str
    service_area: str
    score: Fraction
    kind: str
    reason: str
    criteria: dict


def peers(rows):
    return [Peer(*row[:5], Fraction(row[5]), *row[6:]) for row in rows]


def profile(draw):
    """What a contractor is compared by, at random, with everything unknown now and then."""
    city, state = draw.choice(PLACES)
    return {
        "focus_areas": draw.sample(FOCUS, draw.randint(0, 4)), "services_offered": draw.sample(SERVICES, draw.randint(0, 3)),
        "city": city, "state": state, "revenue_tier": draw.choice([*TIERS, None]), "team_size": draw.choice([None, 0, *range(1, 60)]),
    }


class Crowd:
    """An event with contractors who take part; `profiles` gives theirs, else they are drawn by the label. Those with a
    number below `signed_in` have a profile of their own."""

    def __init__(self, conn, label, number=0, profiles=None, signed_in=0):
        draw = random.Random(label)
        self.event = make_event(conn, label, sessions=1, attendees=max(signed_in, 1))
        self.profiles = profiles or [profile(draw) for _ in range(number)]
        self.ids = [ident(label, "contractor", at) for at in range(len(self.profiles))]
        rows = []
        for at, (contractor, values) in enumerate(zip(self.ids, self.profiles)):
            sub = self.event.people[at].sub if at < signed_in else None
            rows.append((contractor, sub, f"First{at}", f"Last{at}", f"Company {at}", f"+1 555 {at:07}", f"c{at}@{label}.example",
                         *(values.get(name, [] if name in COLUMNS[:2] else None) for name in COLUMNS)))
        _copy(conn, f"convene.contractors (id, profile_id, first_name, last_name, company_name, phone, email, {', '.join(COLUMNS)})", rows)
        _copy(conn, "convene.event_attendees (event_id, contractor_id, peer_matching_opt_in)",
              [(self.event.id, contractor, True) for contractor in self.ids])

    def sub(self, at):
        return self.event.people[at].sub

    def find(self, conn, at, most=100, least=0, *more):
        marks = "".join(", %s" for _ in more)
        return peers(conn.execute(f"SELECT * FROM convene.find_peer_matches(%s, %s, %s, %s{marks})",
                                  [self.event.id, self.ids[at], most, least, *more]).fetchall())

    def pairs(self, conn):
        """The stored pairs, as a set of pairs of numbers."""
        number = {contractor: at for at, contractor in enumerate(self.ids)}
        return {tuple(sorted((number[a], number[b]))) for a, b in conn.execute(
            "SELECT contractor1_id, contractor2_id FROM convene.event_peer_matches WHERE event_id = %s", [self.event.id])}

    def expected(self, families, at, most=100, least=Fraction(0), without=()):
        """What number `at` is to be offered: by score, then by id."""
        mine = self.profiles[at]
        found = [(score(mine, self.profiles[other], families), self.ids[other]) for other in range(len(self.ids))
                 if other != at and other not in without]
        return sorted((row for row in found if row[0] >= least), key=lambda row: (-row[0], row[1]))[:most]


def families(conn):
    """Service -> families."""
    known = {}
    for service, family in conn.execute("SELECT service, family FROM convene.service_families"):
        known.setdefault(plain(service), set()).add(family)
    return known


# The slow way ------------------------------------------------------------------------------------------------------


def plain(word):
    return "".join((word or "").split()).lower()


def words(values, key):
    return {plain(word) for word in values.get(key) or [] if plain(word)}


def parts(a, b, families):
    """The four criteria of two profiles, by the design's words."""
    focus_a, focus_b = words(a, "focus_areas"), words(b, "focus_areas")
    both = focus_a | focus_b
    focus = Fraction(len(focus_a & focus_b), len(both)) if both else Fraction(0)
    return [focus, geographic(a, b), scale(a, b), industry(a, b, families)]


def geographic(a, b):
    states = [STATES.get(plain(x.get("state")), plain(x.get("state"))) for x in (a, b)]
    cities = [plain(x.get("city")) for x in (a, b)]
    if not all(states):
        return Fraction(1, 2)
    if states[0] != states[1]:
        return Fraction(1)
    return Fraction(1, 5) if cities[0] == cities[1] != "" else Fraction(1, 2)


def scale(a, b):
    known = []
    if a.get("revenue_tier") and b.get("revenue_tier"):
        apart = abs(TIERS.index(a["revenue_tier"]) - TIERS.index(b["revenue_tier"]))
        known.append({0: Fraction(1), 1: Fraction(4, 5), 2: Fraction(1, 2)}.get(apart, Fraction(3, 10)))
    if a.get("team_size") and b.get("team_size"):
        more = Fraction(max(a["team_size"], b["team_size"]), min(a["team_size"], b["team_size"])) - 1
        steps = [(Fraction(1, 5), Fraction(1)), (Fraction(1, 2), Fraction(4, 5)), (Fraction(1), Fraction(1, 2))]
        known.append(next((value for most, value in steps if more <= most), Fraction(3, 10)))
    return sum(known) / len(known) if known else Fraction(1, 2)


def industry(a, b, families):
    mine, theirs = words(a, "services_offered"), words(b, "services_offered")
    most = max(len(mine), len(theirs))
    share = Fraction(len(mine & theirs), most) if most else Fraction(0)
    of = [set().union(*(families.get(service, set()) for service in services)) for services in (mine, theirs)]
    return Fraction(1, 2) if share < Fraction(1, 2) and of[0] & of[1] else share


def score(a, b, families):
    weights = [Fraction(40, 100), Fraction(25, 100), Fraction(20, 100), Fraction(15, 100)]
    return sum(weight * part for weight, part in zip(weights, parts(a, b, families)))


def shown(value):
    """A fraction as it is shown: four decimals, half up."""
    return Fraction(int(value * 10000 + Fraction(1, 2)), 10000)
