"""Suggestions for one person: the document's numbers, the parts, the reasons, who is left out, what is kept."""

import json
import re

import pytest

from lib.access import as_role
from lib.factory import make_event
from lib.matching import Everybody, WEIGHTS, generate, market, match, preview, want

ALGORITHMS = ("hybrid", "goal_based", "interest_based", "graph_based")


@pytest.fixture(scope="module")
def crowd(db):
    with db.connect() as conn:
        event = market(conn, "crowd", 60)
        for a, b in [(0, 1), (0, 2), (1, 3), (2, 3), (4, 3), (0, 4), (5, 6)]:
            match(conn, event, a, b, "mutual_accepted")
        yield event, Everybody(conn, event)


def document(me, them):
    """The document's own expression, for words that are equal; 0 where it would be null."""
    shares = [len(set(mine) & set(theirs)) / len(set(mine)) for mine, theirs in zip(me, reversed(them)) if mine]
    return max(shares, default=0)


def test_goals_give_the_documents_numbers_where_words_are_equal(conn):
    event = make_event(conn, "doc", sessions=0, attendees=6)
    said = [(["partners", "talent", "money"], ["advice"]), (["advice"], ["partners", "talent"]), ([], ["talent"]),
            (["money"], []), ([], []), (["advice", "x"], ["money", "partners", "talent"])]
    for person, (wants, offers) in enumerate(said):
        want(conn, event, person, wants, offers)
    numbers = {person.id: index for index, person in enumerate(event.people)}
    for me, words in enumerate(said):
        found = {numbers[row.other]: row.score for row in preview(conn, event, me, algorithm="goal_based")}
        assert found == {them: round(document(words, said[them]), 4) for them in range(6) if them != me}


def test_investors_meet_investment(conn):
    event = make_event(conn, "invest", sessions=0, attendees=3)
    want(conn, event, 0, ["investors"], ["opportunities"])
    want(conn, event, 1, ["customers"], ["investment"])
    want(conn, event, 2, ["talent"], ["nothing"])
    best = preview(conn, event, algorithm="goal_based")
    assert [(row.other, row.score) for row in best] == [(event.people[1].id, 1.0), (event.people[2].id, 0.0)]
    assert best[0].reasons == ["Looking for: investors. They can offer: investment", "They look for: customers. You can offer: opportunities"]
    assert best[1].reasons == []


def test_an_organizer_adds_complements_of_their_own(conn):
    event = make_event(conn, "own-complements", sessions=0, attendees=2)
    want(conn, event, 0, ["Speakers "], [])
    want(conn, event, 1, [], ["  stage Time"])
    assert preview(conn, event, algorithm="goal_based")[0].score == 0
    with as_role(conn, "authenticated", event.organizer):
        conn.execute("INSERT INTO convene.goal_complements (event_id, looking_for, can_offer, strength)"
                     " VALUES (%s, 'speakers', 'stage time', 0.7)", [event.id])
    assert preview(conn, event, algorithm="goal_based")[0].score == 0.7
    # An event's own row goes before the general one.
    want(conn, event, 0, ["investors"], [])
    want(conn, event, 1, [], ["investment"])
    assert preview(conn, event, algorithm="goal_based")[0].score == 1
    conn.execute("INSERT INTO convene.goal_complements (event_id, looking_for, can_offer, strength)"
                 " VALUES (%s, 'investors', 'investment', 0)", [event.id])
    assert preview(conn, event, algorithm="goal_based")[0].score == 0


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_scores_are_those_of_the_reference(conn, crowd, algorithm):
    event, reference = crowd
    for person in range(0, 60, 7):
        me = event.people[person].id
        matched = {other for a, b in conn.execute("SELECT attendee_1_id, attendee_2_id FROM convene.matches WHERE event_id = %s"
                                                   " AND %s IN (attendee_1_id, attendee_2_id)", [event.id, me]) for other in (a, b)}
        found = preview(conn, event, person, 50, algorithm)
        assert [row.other for row in found] == [other for _, other in reference.ranked(me, algorithm, 50, matched)]
        for row in found:
            # Four decimals are shown; nothing else lies between the two.
            own, coverage = reference.direction(me, row.other, algorithm)
            expected = (reference.score(me, row.other, algorithm), own, reference.direction(row.other, me, algorithm)[0], coverage)
            assert (row.score, row.own, row.their, row.coverage) == pytest.approx(expected, abs=5.000001e-5)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_weights_times_parts_add_up(conn, crowd, algorithm):
    event, reference = crowd
    for row in preview(conn, event, 0, 50, algorithm):
        assert sum(part["weight"] * part["own"] for part in row.parts.values()) == pytest.approx(row.own, abs=1e-4)
        assert sum(part["weight"] * part["other"] for part in row.parts.values()) == pytest.approx(row.their, abs=1e-4)
        if algorithm == "hybrid":
            assert sum(part["weight"] for part in row.parts.values()) == pytest.approx(1)
            known = reference.parts(reference.people[event.people[0].id], reference.people[row.other])
            assert set(row.parts) - {"unknown"} == set(known)
            assert row.score == pytest.approx(2 * row.own * row.their / (row.own + row.their), abs=1e-4)


def said_by(conn, attendee):
    row = conn.execute(
        """SELECT n.looking_for, n.can_offer, n.industry, n.company_stage, n.role_category, p.preferred_topics || p.industry_interests
           FROM convene.networking_preferences n LEFT JOIN convene.attendee_preferences p ON p.attendee_id = n.attendee_id
           WHERE n.attendee_id = %s""", [attendee]).fetchone()
    return row[:5] + (row[5] or [],)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_reason_is_true(conn, crowd, algorithm):
    event, reference = crowd
    seen = set()
    for person in range(30):
        me = said_by(conn, event.people[person].id)
        for row in preview(conn, event, person, 20, algorithm):
            them = said_by(conn, row.other)
            for reason in row.reasons:
                if found := re.fullmatch(r"Looking for: (.+)\. They can offer: (.+)", reason):
                    wants, offers, kind = me[0], them[1], "wants"
                elif found := re.fullmatch(r"They look for: (.+)\. You can offer: (.+)", reason):
                    wants, offers, kind = them[0], me[1], "offers"
                elif found := re.fullmatch(r"You both care about (.+)", reason):
                    for topic in re.split(r", | and ", found[1]):
                        assert topic in me[5] and topic.lower() in [other.lower() for other in them[5]]
                    seen.add("topics")
                    continue
                elif found := re.fullmatch(r"You both work in (.+)", reason):
                    assert me[2].lower() == them[2].lower() == found[1].lower()
                    seen.add("industry")
                    continue
                elif found := re.fullmatch(r"Your roles differ: (.+) and (.+)", reason):
                    assert [me[4], them[4]] == [role.replace(" ", "_") for role in found.groups()] and me[4] != them[4]
                    seen.add("roles")
                    continue
                elif found := re.fullmatch(r"Your companies are at the same stage: (.+)", reason):
                    assert me[3] == them[3] == found[1]
                    seen.add("stage")
                    continue
                else:
                    pytest.fail(f"a sentence that nobody can check: {reason}")
                for word in found[1].split(", "):
                    assert word in wants and any(reference.strength(word.lower(), o.lower()) > 0 for o in offers)
                for word in found[2].split(", "):
                    assert word in offers and any(reference.strength(w.lower(), word.lower()) > 0 for w in wants)
                seen.add(kind)
    if algorithm == "hybrid":
        assert seen == {"wants", "offers", "topics", "industry", "roles", "stage"}


def test_the_contacts_of_others_are_told_from_five_up_and_counted_from_ten_up(conn):
    event = make_event(conn, "contacts", sessions=0, attendees=16)
    for person in range(16):
        want(conn, event, person, ["a"], ["b"])
    told = {}
    for common in range(2, 14):
        for side in (0, 1):
            match(conn, event, side, common, "mutual_accepted")
        row = next(row for row in preview(conn, event, 0, algorithm="graph_based") if row.other == event.people[1].id)
        told[common - 1] = row.reasons
        assert row.parts["graph"]["own"] == pytest.approx((1 + (common - 1) / 0.6931472) / (2 + (common - 1) / 0.6931472), abs=1e-5)
    about = {count: [said for said in reasons if "in touch" in said] for count, reasons in told.items()}
    assert all(about[count] == [] for count in (1, 2, 3, 4))
    assert all(about[count] == ["People you are in touch with are in touch with them, too"] for count in range(5, 10))
    assert about[10] == ["10 people you are in touch with are in touch with them, too"]
    # Whoever is in touch already is not suggested by the graph.
    assert {row.other for row in preview(conn, event, 0, algorithm="graph_based")} == {event.people[1].id}


def test_what_is_kept_of_a_pair_is_the_same_whichever_of_the_two_asked(conn):
    """The common contacts of a pair are in its row, too, where the one with the higher id asked for it."""
    event = make_event(conn, "either", sessions=0, attendees=8)
    for person in range(8):
        want(conn, event, person, ["a"], ["b"])
    pair = sorted((0, 1), key=lambda person: event.people[person].id)
    for common in range(2, 8):
        for side in pair:
            match(conn, event, side, common, "mutual_accepted")
    for algorithm in ("hybrid", "graph_based"):
        kept = []
        for asks in pair:
            with conn.transaction(force_rollback=True):
                row = next(row for row in generate(conn, event, asks, algorithm=algorithm)
                           if row["other_attendee_id"] in {event.people[side].id for side in pair})
                kept.append(conn.execute("SELECT compatibility_score, score_1, score_2, coverage, score_parts, match_reasons"
                                         " FROM convene.matches WHERE id = %s", [row["match_id"]]).fetchone())
                assert kept[-1][0] == row["compatibility_score"]
        assert kept[0] == kept[1] and "There are people who are in touch with both" in kept[1][5]


def test_what_is_told_is_what_is_kept_to_the_last_decimal(conn):
    """A score that lies between two decimals goes the same way in both."""
    event = make_event(conn, "between", sessions=0, attendees=9)
    for person in range(1, 9):
        # 0.005 / 4, 0.015 / 4, ...: half a unit of the last decimal each.
        conn.execute("INSERT INTO convene.goal_complements (event_id, looking_for, can_offer, strength) VALUES (%s, 'x', %s, %s)",
                     [event.id, f"y{person}", (10 * person * 7 + 5) / 1000])
        want(conn, event, person, ["x", "b", "c", "d"], [f"y{person}"])
    want(conn, event, 0, ["x", "b", "c", "d"], [])
    told = {row["match_id"]: row for row in generate(conn, event, 0, algorithm="goal_based")}
    kept = conn.execute("SELECT id, attendee_1_id, score_1, score_2 FROM convene.matches WHERE id = ANY (%s)", [list(told)]).fetchall()
    assert len(kept) == 8
    for match_id, first, *scores in kept:
        row = told[match_id]
        own, other = scores if first == event.people[0].id else reversed(scores)
        assert (row["own_score"], row["other_score"], row["compatibility_score"]) == (own, other, own)


def test_sparse_people_do_not_take_the_top(conn):
    """The rule of the design: what is unknown counts as the event's mean."""
    event = market(conn, "sparse", 120, silent=0.0)
    sparse = [person.id for person in event.people[::3]]
    conn.execute("UPDATE convene.networking_preferences SET looking_for = '{}', can_offer = '{}', company_stage = NULL,"
                 " role_category = NULL, years_experience = NULL WHERE attendee_id = ANY (%s)", [sparse])
    conn.execute("DELETE FROM convene.attendee_preferences WHERE attendee_id = ANY (%s)", [sparse])
    top = [row for person in range(1, 120, 3) for row in preview(conn, event, person, 3)]
    assert sum(row.other in sparse for row in top) == 0
    assert all(row.coverage > 0.5 for row in top if row.other not in sparse)


def test_what_is_said_nowhere_is_the_mean(conn):
    event = market(conn, "mute", 40)
    conn.execute("UPDATE convene.networking_preferences SET looking_for = '{}', can_offer = '{}', industry = NULL, company_stage = NULL,"
                 " role_category = NULL, years_experience = NULL WHERE attendee_id = %s", [event.people[3].id])
    conn.execute("DELETE FROM convene.attendee_preferences WHERE attendee_id = %s", [event.people[3].id])
    mean = Everybody(conn, event).mean
    rows = preview(conn, event, 3, 50)
    assert len(rows) == 39 and {row.coverage for row in rows} == {0.0}
    assert all(row.score == pytest.approx(mean, abs=1e-4) for row in rows)
    assert [row.other for row in rows] == sorted(row.other for row in rows)
    assert all(row.parts == {"unknown": {"weight": 1, "own": pytest.approx(mean, abs=1e-5), "other": pytest.approx(mean, abs=1e-5)}}
               for row in rows)


def test_weights_of_the_event_replace_the_built_in_ones(conn):
    event = market(conn, "weighed", 30)
    conn.execute("INSERT INTO convene.scoring_weights (surface, name, event_id, weights) VALUES ('networking', 'w', %s, %s)",
                 [event.id, json.dumps({"goals": 3, "industry": 1})])
    for row in preview(conn, event, 0, 20):
        assert {part: value["weight"] for part, value in row.parts.items() if part != "unknown"}.items() <= {
            "goals": 0.75, "industry": 0.25}.items()
    assert sum(WEIGHTS.values()) == pytest.approx(1)


def test_who_is_never_suggested(conn):
    event = make_event(conn, "left-out", sessions=0, attendees=14)
    for person in range(14):
        want(conn, event, person, ["a"], ["a"])
    out = {
        1: lambda: conn.execute("UPDATE convene.networking_preferences SET networking_enabled = false WHERE attendee_id = %s", [event.people[1].id]),
        2: lambda: conn.execute("UPDATE convene.attendees SET status = 'cancelled' WHERE id = %s", [event.people[2].id]),
        3: lambda: conn.execute("INSERT INTO convene.person_blocks VALUES (%s, %s)", [event.people[0].sub, event.people[3].sub]),
        4: lambda: conn.execute("INSERT INTO convene.person_blocks VALUES (%s, %s)", [event.people[4].sub, event.people[0].sub]),
        5: lambda: match(conn, event, 0, 5, "declined"),
        6: lambda: match(conn, event, 0, 6, "mutual_accepted"),
        7: lambda: match(conn, event, 0, 7, "accepted_by_1"),
        8: lambda: match(conn, event, 0, 8, "expired"),
        9: lambda: conn.execute("INSERT INTO convene.networking_connections (event_id, requester_id, target_id, status)"
                                " VALUES (%s, %s, %s, 'declined')", [event.id, event.people[9].id, event.people[0].id]),
        10: lambda: conn.execute("DELETE FROM convene.networking_preferences WHERE attendee_id = %s", [event.people[10].id]),
        11: lambda: conn.execute("INSERT INTO convene.meetings (event_id, attendee_1_id, attendee_2_id, title, scheduled_start, scheduled_end, status)"
                                 " VALUES (%s, %s, %s, 't', now() - interval '1 day', now() - interval '23 hours', 'completed')",
                                 [event.id, event.people[0].id, event.people[11].id]),
    }
    left = set(range(1, 14))
    for person, leave in out.items():
        assert {row.other for row in preview(conn, event, 0, 50)} == {event.people[other].id for other in left}
        leave()
        left.discard(person)
        for algorithm in ("hybrid", "goal_based"):
            assert {row.other for row in preview(conn, event, 0, 50, algorithm)} == {event.people[other].id for other in left}
            # From the other side as well.
            if person not in (1, 2, 10):
                assert event.people[0].id not in {row.other for row in preview(conn, event, person, 50, algorithm)}
    assert left == {12, 13}
    # An expired match comes back after its cool-down, twice at most.
    conn.execute("UPDATE convene.matches SET expires_at = now() - interval '25 hours' WHERE status = 'expired'")
    assert len(preview(conn, event)) == 3
    conn.execute("UPDATE convene.matches SET times_suggested = 3 WHERE status = 'expired'")
    assert len(preview(conn, event)) == 2


def test_whoever_takes_no_part_is_shown_nobody(conn):
    event = make_event(conn, "absent", sessions=0, attendees=3)
    for person in (0, 1):
        want(conn, event, person, ["a"], ["a"])
    assert len(preview(conn, event)) == 1
    assert preview(conn, event, 2) == [] and generate(conn, event, 2) == []
    want(conn, event, 0, ["a"], ["a"], networking_enabled=False)
    assert preview(conn, event) == [] and generate(conn, event) == []


def test_having_met_at_an_earlier_event_excludes_or_lowers(conn):
    before, event = (make_event(conn, label, sessions=0, attendees=2) for label in ("before", "after"))
    for at, person in enumerate(before.people):
        conn.execute("UPDATE convene.attendees SET profile_id = %s WHERE id = %s", [person.sub, event.people[at].id])
        want(conn, event, at, ["a"], ["a"])
    full = preview(conn, event)[0]
    conn.execute("INSERT INTO convene.meetings (event_id, attendee_1_id, attendee_2_id, title, scheduled_start, scheduled_end, status)"
                 " VALUES (%s, %s, %s, 't', '2020-01-01 10:00+0', '2020-01-01 10:15+0', 'completed')",
                 [before.id, before.people[0].id, before.people[1].id])
    assert preview(conn, event) == []
    try:
        conn.execute("UPDATE convene.settings SET value = '0.5' WHERE key = 'networking.met_before'")
        lowered = preview(conn, event)[0]
        assert lowered.score == pytest.approx(full.score / 2, abs=1e-4)
        assert sum(part["weight"] * part["own"] for part in lowered.parts.values()) == pytest.approx(lowered.own, abs=1e-4)
        assert preview(conn, event, algorithm="graph_based") == []
    finally:
        conn.execute("UPDATE convene.settings SET value = '\"exclude\"' WHERE key = 'networking.met_before'")


def test_generate_keeps_what_it_returns_and_refreshes_it(conn):
    event = market(conn, "kept", 30)
    first = generate(conn, event)
    shown = preview(conn, event)
    assert [row["other_attendee_id"] for row in first] == [row.other for row in shown]
    assert [float(row["compatibility_score"]) for row in first] == [row.score for row in shown]
    rows = conn.execute("SELECT id, attendee_1_id, attendee_2_id, compatibility_score, score_1, score_2, coverage, status, score_parts,"
                        " match_reasons, xmin::text FROM convene.matches WHERE event_id = %s ORDER BY id", [event.id]).fetchall()
    assert {row[0] for row in rows} == {row["match_id"] for row in first} and len(rows) == 10
    by_id = {row["match_id"]: row for row in first}
    for row in rows:
        told, mine = by_id[row[0]], row[1] == event.people[0].id
        own, other = (row[4], row[5]) if mine else (row[5], row[4])
        assert (row[3], own, other, row[6]) == (told["compatibility_score"], told["own_score"], told["other_score"], told["coverage"])
        assert row[7] == "suggested"
        for side, key in ((row[4], "score_1"), (row[5], "score_2")):
            assert sum(part["weight"] * part[key] for part in row[8].values()) == pytest.approx(float(side), abs=1e-4)
        assert bool(row[9]) == bool(told["match_reasons"])
    # Once more: the same rows, and none of them was written.
    assert generate(conn, event) == first
    assert conn.execute("SELECT id, xmin::text FROM convene.matches WHERE event_id = %s ORDER BY id", [event.id]).fetchall() == [
        (row[0], row[10]) for row in rows]
    # What somebody says now counts now, on the same row.
    other = first[0]["other_attendee_id"]
    conn.execute("UPDATE convene.networking_preferences SET looking_for = '{zzz}', can_offer = '{zzz}' WHERE attendee_id = %s", [other])
    again = {row["other_attendee_id"]: row for row in generate(conn, event, limit=50)}
    assert again[other]["match_id"] == first[0]["match_id"]
    assert again[other]["compatibility_score"] < first[0]["compatibility_score"]


def test_reasons_that_are_kept_are_true_for_both(conn):
    event = make_event(conn, "both-ways", sessions=0, attendees=2)
    want(conn, event, 0, ["investors"], ["expertise"], industry="fintech")
    want(conn, event, 1, ["mentors"], ["investment"], industry="Fintech")
    generate(conn, event)
    assert set(conn.execute("SELECT match_reasons FROM convene.matches WHERE event_id = %s", [event.id]).fetchone()[0]) == {
        "One looks for: investors. The other can offer: investment", "One looks for: mentors. The other can offer: expertise",
        "Both work in fintech"} or conn.execute("SELECT match_reasons::text FROM convene.matches WHERE event_id = %s", [event.id]).fetchone()[0].endswith('"Both work in Fintech"]')
    told = [generate(conn, event, person)[0]["match_reasons"] for person in (0, 1)]
    assert told[0][:2] == ["Looking for: investors. They can offer: investment", "They look for: mentors. You can offer: expertise"]
    assert told[1][:2] == ["Looking for: mentors. They can offer: expertise", "They look for: investors. You can offer: investment"]


def test_a_suggestion_lives_two_days_and_into_the_event(conn):
    event = market(conn, "lives", 8)
    lives = "SELECT DISTINCT expires_at FROM convene.matches WHERE event_id = %s"
    generate(conn, event)
    starts = conn.execute("SELECT start_at FROM convene.events WHERE id = %s", [event.id]).fetchone()[0]
    assert (conn.execute(lives, [event.id]).fetchone()[0] - starts).total_seconds() == 24 * 3600
    conn.execute("DELETE FROM convene.matches WHERE event_id = %s", [event.id])
    at = conn.execute("SELECT start_at + interval '3 hours' FROM convene.events WHERE id = %s", [event.id]).fetchone()[0]
    conn.execute("SELECT convene.generate_networking_matches(%s, %s, p_now => %s)", [event.people[0].id, event.id, at])
    assert (conn.execute(lives, [event.id]).fetchone()[0] - at).total_seconds() == 48 * 3600


def test_what_was_kept_in_memory_is_forgotten_when_anything_changes(conn):
    event = make_event(conn, "fresh", sessions=0, attendees=4)
    for person in range(3):
        want(conn, event, person, ["a"], ["b"])
    score = lambda: [(row.other, row.score, row.coverage, row.parts) for row in preview(conn, event)]  # noqa: E731
    seen = [score()]
    changes = [
        ("UPDATE convene.networking_preferences SET can_offer = '{a}' WHERE attendee_id = %s", [event.people[1].id]),
        ("INSERT INTO convene.networking_preferences (attendee_id, event_id, can_offer) VALUES (%s, %s, '{a}')",
         [event.people[3].id, event.id]),
        ("INSERT INTO convene.goal_complements (event_id, looking_for, can_offer, strength) VALUES (%s, 'a', 'b', 0.3)", [event.id]),
        ("UPDATE convene.goal_complements SET strength = 0.9 WHERE event_id = %s", [event.id]),
        ("DELETE FROM convene.goal_complements WHERE event_id = %s", [event.id]),
        ("UPDATE convene.attendees SET status = 'cancelled' WHERE id = %s", [event.people[1].id]),
        ("DELETE FROM convene.networking_preferences WHERE attendee_id = %s", [event.people[2].id]),
        ("INSERT INTO convene.attendee_preferences (attendee_id, event_id, preferred_topics) SELECT id, event_id, '{x}'"
         " FROM convene.attendees WHERE event_id = %s", [event.id]),
        ("UPDATE convene.attendee_preferences SET preferred_topics = '{y}' WHERE attendee_id = %s", [event.people[3].id]),
        ("DELETE FROM convene.attendee_preferences WHERE event_id = %s", [event.id]),
    ]
    for statement, arguments in changes:
        conn.execute(statement, arguments)
        seen.append(score())
        assert seen[-1] != seen[-2], statement
    # A change that was rolled back never was.
    with conn.transaction(force_rollback=True):
        conn.execute("UPDATE convene.networking_preferences SET can_offer = '{zz}' WHERE attendee_id = %s", [event.people[3].id])
        assert score() != seen[-1]
    assert score() == seen[-1]
