"""Events full of people who look for each other, and what suggestions are held against: slow and plain, from the rows."""

import itertools
import json
import math
import random
from collections import defaultdict
from typing import NamedTuple

from lib.factory import make_event

NARROW = ("investors", "partners", "customers", "mentors", "talent")
OFFERS = ("investment", "expertise", "connections", "opportunities", "partners")
TOPICS = ("AI/ML", "Databases", "security", "Rust", "web", "Payments", "health", "climate", "open source", "robotics")
INDUSTRIES = ("fintech", "Health", "education", "energy")
STAGES = ("idea", "startup", "growth", "enterprise")
ROLES = ("founder", "executive", "manager", "individual_contributor", "investor", "other")
SENIORITY = {"individual_contributor": 0, "manager": 1, "executive": 2, "founder": 2}
WEIGHTS = {"goals": 0.45, "interests": 0.25, "industry": 0.10, "roles": 0.10, "background": 0.05, "graph": 0.05}
ALONE = {"goal_based": {"goals": 1}, "interest_based": {"interests": 0.75, "industry": 0.25}, "graph_based": {"graph": 1}}


class Match(NamedTuple):
    """One row of preview_networking_matches."""

    other: object
    name: str
    score: float
    reasons: list
    title: str
    company: str
    own: float
    their: float
    coverage: float
    parts: dict


def preview(conn, event, person=0, limit=10, algorithm="hybrid"):
    attendee = event.people[person].id if isinstance(person, int) else person
    rows = conn.execute("SELECT * FROM convene.preview_networking_matches(%s, %s, %s, %s)",
                        [attendee, event.id, limit, algorithm]).fetchall()
    return [Match(row[0], row[1], float(row[2]), row[3], row[4], row[5], float(row[6]), float(row[7]), float(row[8]), row[9])
            for row in rows]


def generate(conn, event, person=0, limit=10, algorithm="hybrid"):
    """The rows of generate_networking_matches as dictionaries."""
    cursor = conn.execute("SELECT * FROM convene.generate_networking_matches(%s, %s, %s, %s)",
                          [event.people[person].id, event.id, limit, algorithm])
    names = [column.name for column in cursor.description]
    return [dict(zip(names, row)) for row in cursor]


def want(conn, event, person, looking_for=(), can_offer=(), **columns):
    """What one person, given by their number, wants and offers."""
    columns = {"looking_for": list(looking_for), "can_offer": list(can_offer), **columns}
    names, marks = ", ".join(columns), ", ".join(["%s"] * len(columns))
    updates = ", ".join(f"{name} = excluded.{name}" for name in columns)
    conn.execute(f"INSERT INTO convene.networking_preferences (attendee_id, event_id, {names}) VALUES (%s, %s, {marks})"
                 f" ON CONFLICT (attendee_id, event_id) DO UPDATE SET {updates}",
                 [event.people[person].id, event.id, *columns.values()])


def market(conn, label, people, seed=1, wide=False, silent=0.15, zipf=0.0):
    """An event of people with wants, offers and much else, some of it unsaid. `zipf` makes some words much more common."""
    draw = random.Random(f"{seed}/{label}")
    event = make_event(conn, label, sessions=0, attendees=people)
    words = [f"word {n}" for n in range(40)] if wide else None
    weigh = lambda choices: [1 / (rank + 1) ** zipf for rank in range(len(choices))]  # noqa: E731

    def some(choices, least, most):
        return sorted(set(draw.choices(choices, weigh(choices), k=draw.randint(least, most))))

    def perhaps(value):
        return None if draw.random() < silent else value

    wants, topics = [], []
    for person in event.people:
        wants.append((
            person.id, event.id, perhaps(some(words or NARROW, 1, 4)) or [], perhaps(some(words or OFFERS, 1, 4)) or [],
            perhaps(draw.choice(INDUSTRIES)), perhaps(draw.choice(STAGES)), perhaps(draw.choice(ROLES)),
            perhaps(draw.randint(0, 30)), draw.random() < 0.4, draw.random() < 0.7))
        if draw.random() > silent:
            topics.append((person.id, event.id, some(TOPICS, 1, 3), some(INDUSTRIES, 0, 1)))
    with conn.transaction(), conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO convene.networking_preferences (attendee_id, event_id, looking_for, can_offer, industry, company_stage,"
            " role_category, years_experience, prefer_same_industry, prefer_complementary_skills)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)", wants)
        cursor.executemany(
            "INSERT INTO convene.attendee_preferences (attendee_id, event_id, preferred_topics, industry_interests)"
            " VALUES (%s, %s, %s, %s)", topics)
    return event


def match(conn, event, a, b, status="suggested", **columns):
    """A match of two people, given by their numbers; its id."""
    ids = sorted([event.people[a].id, event.people[b].id])
    columns = {"status": status, "compatibility_score": 0.5, "matching_algorithm": "hybrid", **columns}
    names, marks = ", ".join(columns), ", ".join(["%s"] * len(columns))
    return conn.execute(
        f"INSERT INTO convene.matches (event_id, attendee_1_id, attendee_2_id, {names}) VALUES (%s, %s, %s, {marks}) RETURNING id",
        [event.id, *ids, *columns.values()]).fetchone()[0]


# The reference -----------------------------------------------------------------------------------------------------

class Everybody:
    """An event's people as their rows say, and what any two of them are worth to each other."""

    def __init__(self, conn, event):
        self.complements = {}
        for want_, offer, strength in conn.execute(
                "SELECT looking_for, can_offer, strength FROM convene.goal_complements"
                " WHERE event_id = %s OR event_id IS NULL ORDER BY event_id NULLS FIRST", [event.id]):
            self.complements[want_, offer] = float(strength)
        self.people = {}
        for row in conn.execute(
                """SELECT a.id, n.looking_for, n.can_offer, n.industry, n.company_stage, n.role_category, n.years_experience,
                          n.prefer_same_industry, n.prefer_complementary_skills, p.preferred_topics || p.industry_interests,
                          coalesce(a.profile_id, a.id)
                   FROM convene.networking_preferences n JOIN convene.attendees a ON a.id = n.attendee_id
                   LEFT JOIN convene.attendee_preferences p ON p.attendee_id = a.id
                   WHERE n.event_id = %s AND n.networking_enabled AND a.status NOT IN ('cancelled', 'no_show')""", [event.id]):
            topics = {}
            for topic in row[9] or []:
                topics.setdefault(topic.strip().lower(), topic)
            said = ". ".join(topics.values())
            vector = conn.execute("SELECT convene.embed_text(%s)", [said]).fetchone()[0] if topics else None
            self.people[row[0]] = {
                "wants": {word.strip().lower() for word in row[1]}, "offers": {word.strip().lower() for word in row[2]},
                "industry": row[3] and row[3].strip().lower(), "stage": row[4], "role": row[5], "years": row[6],
                "same": row[7], "complementary": row[8], "topics": set(topics),
                "vector": json.loads(vector) if isinstance(vector, str) else vector, "person": row[10]}
        self.graph, self.met = self._graph(conn)
        self.mean = self._mean()

    def _graph(self, conn):
        graph, met = defaultdict(set), set()
        rows = conn.execute(
            """SELECT coalesce(x.profile_id, x.id), coalesce(y.profile_id, y.id), t.met FROM (
                 SELECT attendee_1_id, attendee_2_id, false FROM convene.matches WHERE status = 'mutual_accepted'
                 UNION ALL SELECT requester_id, target_id, false FROM convene.networking_connections WHERE status = 'accepted'
                 UNION ALL SELECT attendee_1_id, attendee_2_id, true FROM convene.meetings
                           WHERE status IN ('scheduled', 'confirmed', 'in_progress', 'completed')) t (a, b, met)
               JOIN convene.attendees x ON x.id = t.a JOIN convene.attendees y ON y.id = t.b""")
        for a, b, has_met in rows:
            graph[a].add(b)
            graph[b].add(a)
            if has_met:
                met |= {(a, b), (b, a)}
        return graph, met

    def strength(self, want_, offer):
        return 1.0 if want_ == offer else self.complements.get((want_, offer), 0.0)

    def goals(self, me, them):
        """The document's formula over complements: 0 where a side has said nothing."""
        wants = sum(max([self.strength(w, o) for o in them["offers"]], default=0) for w in me["wants"])
        offers = sum(max([self.strength(w, o) for w in them["wants"]], default=0) for o in me["offers"])
        return max(wants / len(me["wants"]) if me["wants"] else 0, offers / len(me["offers"]) if me["offers"] else 0)

    def common_contacts(self, me, them):
        return self.graph[me["person"]] & self.graph[them["person"]]

    def parts(self, me, them, algorithm="hybrid"):
        """What each part gives `me`; only those that are known."""
        known = {}
        goals, back = self.goals(me, them), self.goals(them, me)
        if me["wants"] and them["offers"] or me["offers"] and them["wants"]:
            known["goals"] = goals
        if me["topics"] and them["topics"]:
            shared = len(me["topics"] & them["topics"]) / len(me["topics"] | them["topics"])
            cosine = sum(x * y for x, y in zip(me["vector"], them["vector"]))
            known["interests"] = (shared + min(max(cosine, 0), 1)) / 2
        if me["industry"] and them["industry"]:
            same = me["industry"] == them["industry"]
            known["industry"] = float(same if algorithm == "interest_based" else same == me["same"])
        if me["role"] and them["role"]:
            if me["complementary"]:
                known["roles"] = 0.0 if me["role"] == them["role"] else 1.0 if goals or back else 0.5
            else:
                known["roles"] = float(me["role"] == them["role"])
        near = []
        if me["stage"] and them["stage"]:
            near.append(1 - abs(STAGES.index(me["stage"]) - STAGES.index(them["stage"])) / 3)
        if me["role"] in SENIORITY and them["role"] in SENIORITY:
            near.append(1 - abs(SENIORITY[me["role"]] - SENIORITY[them["role"]]) / 2)
        if me["years"] is not None and them["years"] is not None:
            near.append(1 - min(abs(me["years"] - them["years"]), 20) / 20)
        if near:
            known["background"] = sum(near) / len(near)
        common = self.common_contacts(me, them)
        if common:
            closeness = sum(1 / math.log(len(self.graph[contact])) for contact in common)
            known["graph"] = (1 + closeness) / (2 + closeness)
        return known

    def _mean(self):
        scores = []
        for me, them in itertools.permutations(self.people.values(), 2):
            known = self.parts(me, them)
            known.pop("graph", None)
            covered = sum(WEIGHTS[part] for part in known)
            if covered:
                scores.append(sum(WEIGHTS[part] * value for part, value in known.items()) / covered)
        return sum(scores) / len(scores) if scores else 0.0

    def direction(self, a, b, algorithm="hybrid"):
        """What the match is worth to a; and the coverage."""
        weights = ALONE.get(algorithm, WEIGHTS)
        known = {part: value for part, value in self.parts(self.people[a], self.people[b], algorithm).items() if part in weights}
        covered = sum(weights[part] for part in known)
        score = sum(weights[part] * value for part, value in known.items())
        if algorithm == "hybrid":
            score += (1 - covered) * self.mean
        return score, covered

    def score(self, a, b, algorithm="hybrid"):
        """What a's list is ranked by."""
        one, other = self.direction(a, b, algorithm)[0], self.direction(b, a, algorithm)[0]
        if algorithm == "goal_based":
            return one
        return 2 * one * other / (one + other) if one and other else 0.0

    def ranked(self, a, algorithm="hybrid", most=10, barred=()):
        """The best for a, ties by id."""
        scores = []
        for b in self.people:
            if b == a or b in barred or (self.people[a]["person"], self.people[b]["person"]) in self.met:
                continue
            score = self.score(a, b, algorithm)
            if score > 2e-9 or algorithm == "goal_based":
                scores.append((round(score, 9), b))
        scores.sort(key=lambda row: (-row[0], row[1]))
        return scores[:most]


def expected_matches(pairs, per_attendee):
    """The design's measure: pairs are (a, b, p(a->b), p(b->a))."""
    shown = defaultdict(int)
    for a, b, *_ in pairs:
        shown[a] += 1
        shown[b] += 1
    attention = {person: min(1, per_attendee / count) for person, count in shown.items()}
    return sum(one * other * attention[a] * attention[b] for a, b, one, other in pairs)


def gini(counts):
    counts = sorted(counts)
    total = sum(counts)
    pairwise = sum(abs(x - y) for x in counts for y in counts)
    return pairwise / (2 * len(counts) * total) if total else 0.0


def stored(conn, event):
    return [(a, b, float(one), float(other)) for a, b, one, other in conn.execute(
        "SELECT attendee_1_id, attendee_2_id, score_1, score_2 FROM convene.matches WHERE event_id = %s AND status = 'suggested'"
        " ORDER BY 1, 2", [event.id])]
