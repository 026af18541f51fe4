"""Lead scores against rows worked by hand and a slow reference: the formula, caps, fit, grades, batches."""

import json
import random

import pytest

from lib.access import as_role, expect_error
from lib.factory import make_event
from lib.leads import add_sponsors, agree, describe, expected, make_lead, record, stored

CALCULATE = "SELECT convene.calculate_lead_score(%s)"
COUNTERS = ("booth_visits", "content_downloads", "session_attendance", "messages_exchanged", "meeting_requested", "interaction_count")


@pytest.fixture(scope="module")
def event(db):
    with db.connect() as conn:
        made = make_event(conn, "scores", sessions=1, attendees=30)
        add_sponsors(conn, made)
        return made


@pytest.fixture
def undone(conn, event):
    with conn.transaction(force_rollback=True):
        yield conn


# Counters, then engagement, fit, intent, score and grade.
ROWS = [
    ((1, 0, 0, 0, False, 1), (10, 30, 3, 43), "C"),
    ((3, 2, 0, 0, True, 6), (40, 30, 18, 88), "A"),
    ((0, 1, 1, 1, False, 3), (10, 30, 9, 49), "C"),
    ((4, 0, 0, 0, False, 10), (40, 30, 30, 100), "A"),
    ((9, 9, 9, 9, True, 99), (40, 30, 30, 100), "A"),
    ((0, 0, 0, 0, False, 1), (0, 30, 3, 33), "D"),
    ((0, 0, 0, 0, False, 0), (0, 0, 0, 0), "D"),
    ((0, 0, 2, 0, False, 1), (6, 30, 3, 39), "D"),
    ((0, 0, 0, 2, False, 2), (4, 30, 6, 40), "C"),
    ((0, 0, 0, 1, False, 9), (2, 30, 27, 59), "C"),
    ((0, 0, 5, 0, False, 5), (15, 30, 15, 60), "B"),
    ((2, 1, 0, 1, False, 7), (27, 30, 21, 78), "B"),
    ((1, 0, 3, 0, False, 10), (19, 30, 30, 79), "B"),
    ((1, 2, 0, 0, False, 10), (20, 30, 30, 80), "A"),
    ((2147483647, 2147483647, 2147483647, 2147483647, True, 2147483647), (40, 30, 30, 100), "A"),
]


@pytest.mark.parametrize(("counters", "scores", "grade"), ROWS)
def test_rows_worked_by_hand(undone, event, counters, scores, grade):
    lead = make_lead(undone, event, "first", 0, **dict(zip(COUNTERS, counters)))
    assert undone.execute(CALCULATE, [lead]).fetchone() == (scores[3],)
    assert stored(undone, lead) == scores
    assert undone.execute("SELECT lead_grade, fit_assumed FROM convene.lead_scoring WHERE id = %s", [lead]).fetchone() == (grade, True)
    assert undone.execute("SELECT convene.lead_score(%s, %s, %s, %s, %s, %s)", counters).fetchone() == (scores[3],)
    # A second time changes nothing, not even the row's version.
    before = undone.execute("SELECT ctid FROM convene.lead_scoring WHERE id = %s", [lead]).fetchone()
    undone.execute(CALCULATE, [lead])
    assert undone.execute("SELECT ctid FROM convene.lead_scoring WHERE id = %s", [lead]).fetchone() == before


def test_plain_counters(conn):
    one = lambda call: conn.execute(f"SELECT convene.{call}").fetchone()[0]  # noqa: E731
    assert one("lead_score(NULL, NULL, NULL, NULL, NULL, NULL)") == 0
    assert one("lead_score(NULL, NULL, NULL, NULL, NULL, 2)") == 36
    assert one("lead_score(1, 0, 0, 0, false, 1, 12)") == 25
    assert one("lead_engagement_score(1, 1, 1, 1, NULL)") == 20
    assert one("lead_intent_score(4)") == 12 and one("lead_intent_score(NULL)") == 0


def test_a_score_belongs_to_one_lead(undone, event):
    """Tampered parts are put right, and those of another lead stay."""
    first = make_lead(undone, event, "first", 0, booth_visits=1, interaction_count=1)
    other = make_lead(undone, event, "first", 1, booth_visits=1, interaction_count=1, lead_score=99)
    undone.execute("UPDATE convene.lead_scoring SET engagement_score = 40, lead_score = 43 WHERE id = %s", [first])
    undone.execute(CALCULATE, [first])
    assert stored(undone, first) == (10, 30, 3, 43) and stored(undone, other) == (0, 0, 0, 99)


# Fit ---------------------------------------------------------------------------------------------------------------


def know(conn, event, person, title=None, industry=None, stage=None, role=None, topics=()):
    attendee = event.people[person].id
    conn.execute("UPDATE convene.attendees SET job_title = %s WHERE id = %s", [title, attendee])
    conn.execute("INSERT INTO convene.networking_preferences (attendee_id, event_id, industry, company_stage, role_category)"
                 " VALUES (%s, %s, %s, %s, %s)", [attendee, event.id, industry, stage, role])
    conn.execute("INSERT INTO convene.attendee_preferences (attendee_id, event_id, preferred_topics) VALUES (%s, %s, %s)",
                 [attendee, event.id, list(topics)])


def test_fit_by_hand(undone, event):
    """Industries .25, roles .20, topics .10 of .55: 13.64, 10.91 and 5.45 points."""
    describe(undone, event, "first", json.dumps({"industries": ["FinTech"], "roles": ["marketing"], "topics": ["ai", "data"]}))
    know(undone, event, 0, "Director of Marketing", "fintech", topics=["AI", "Data", "Music"])  # everything: 30
    know(undone, event, 1, "Clerk", "fintech", topics=["music"])  # industry alone: 13.64 is 14
    know(undone, event, 2, "Head of marketing", "retail", topics=["ai", "music"])  # role and half of the topics: 13.64
    know(undone, event, 3, "Clerk", "retail", topics=["music"])  # nothing
    found = {}
    for person in range(5):
        lead = make_lead(undone, event, "first", person, interaction_count=1)
        undone.execute(CALCULATE, [lead])
        found[person] = stored(undone, lead)
        assumed, parts = undone.execute("SELECT fit_assumed, score_parts FROM convene.lead_scoring WHERE id = %s", [lead]).fetchone()
        assert not assumed
        points = sum(part["points"] for part in parts["fit"].values())
        assert abs(points - found[person][1]) <= 0.5 and abs(sum(part["of"] for part in parts["fit"].values()) - 30) < 0.001
    assert {person: row[1] for person, row in found.items()} == {0: 30, 1: 14, 2: 14, 3: 0, 4: 0}
    assert all(row[3] == row[0] + row[1] + row[2] for row in found.values())
    # Of somebody about whom nothing is known that is said.
    assert all(part["known"] is False for part in parts["fit"].values())


@pytest.mark.parametrize("ideal", ['{}', '{"industries": []}', '{"colour": ["red"]}', '{"industries": [1, null, " "]}',
                                   '{"industries": {"a": 1e400}}'])
def test_nobody_described_is_thirty_and_says_so(undone, event, ideal):
    describe(undone, event, "first", ideal, '{"age_buckets": ["25-34"]}')
    lead = make_lead(undone, event, "first", 0, interaction_count=1)
    undone.execute(CALCULATE, [lead])
    assert stored(undone, lead) == (0, 30, 3, 33)
    assert undone.execute("SELECT fit_assumed FROM convene.lead_scoring WHERE id = %s", [lead]).fetchone() == (True,)


def test_interests_of_the_audience_are_topics(undone, event):
    describe(undone, event, "first", "{}", '{"interests": ["data"]}')
    know(undone, event, 0, topics=["Data"])
    lead = make_lead(undone, event, "first", 0, interaction_count=1)
    undone.execute(CALCULATE, [lead])
    assert stored(undone, lead) == (0, 30, 3, 33)
    assert undone.execute("SELECT fit_assumed FROM convene.lead_scoring WHERE id = %s", [lead]).fetchone() == (False,)


# Batches -----------------------------------------------------------------------------------------------------------


def random_leads(conn, event, seed):
    """A lead of both sponsors for every person, by chance; (id, expected) of each."""
    draw = random.Random(seed)
    made = []
    for name in ("first", "second"):
        for person in range(len(event.people)):
            counters = [draw.randint(0, 4), draw.randint(0, 3), draw.randint(0, 3), draw.randint(0, 3), draw.random() < 0.3, draw.randint(0, 12)]
            lead = make_lead(conn, event, name, person, **dict(zip(COUNTERS, counters)))
            made.append((lead, expected(*counters)))
    return made


@pytest.mark.parametrize("seed", range(3))
def test_a_batch_scores_what_one_call_each_would(undone, event, seed):
    made = random_leads(undone, event, seed)
    told = undone.execute("SELECT convene.score_event_leads(%s)", [event.id]).fetchone()[0]
    zero = sum(1 for _, scores in made if scores[3] == 0)
    assert (told["leads"], told["sponsors"]) == (60, 2) and told["changed"] in (60, 60 - zero)
    assert [stored(undone, lead) for lead, _ in made] == [scores for _, scores in made]
    # Nothing changed, so nothing is written.
    versions = undone.execute("SELECT array_agg(ctid ORDER BY id) FROM convene.lead_scoring").fetchone()
    assert undone.execute("SELECT convene.score_event_leads(%s)->>'changed'", [event.id]).fetchone() == ("0",)
    assert undone.execute("SELECT array_agg(ctid ORDER BY id) FROM convene.lead_scoring").fetchone() == versions
    # Whatever was tampered with is written, and only that.
    for column, value in (("lead_score", 1), ("engagement_score", 13), ("fit_score", 7), ("intent_score", 29), ("fit_assumed", False),
                          ("booth_visits", 9)):
        undone.execute(f"UPDATE convene.lead_scoring SET {column} = %s WHERE id = ANY (%s)", [value, [made[0][0], made[-1][0]]])
        changed = undone.execute("SELECT (convene.score_event_leads(%s)->>'changed')::int", [event.id]).fetchone()[0]
        assert changed <= 2 and undone.execute("SELECT bool_and(fit_assumed AND lead_score = engagement_score + fit_score + intent_score)"
                                               " FROM convene.lead_scoring").fetchone() == (True,)
    assert undone.execute("SELECT total_leads_collected, total_interactions FROM convene.sponsors WHERE id = %s",
                          [event.sponsors["first"][0]]).fetchone() == undone.execute(
        "SELECT count(*)::int, sum(interaction_count)::int FROM convene.lead_scoring WHERE sponsor_id = %s",
        [event.sponsors["first"][0]]).fetchone()


def test_a_batch_with_an_ideal_customer(undone, event):
    made = random_leads(undone, event, 7)
    describe(undone, event, "first", json.dumps({"industries": ["fintech"], "topics": ["ai"]}))
    for person in range(0, 30, 3):
        know(undone, event, person, industry="FinTech", topics=["ai"])
    for person in range(1, 30, 3):
        know(undone, event, person, industry="Retail", topics=["AI"])
    undone.execute("SELECT convene.score_event_leads(%s)", [event.id])
    # .25 and .10 of .35.
    fits = {0: 30, 1: round(30 * 0.10 / 0.35), 2: 0}
    for number, (lead, (engagement, _, intent, _)) in enumerate(made):
        fit = (fits[number % 3] if number < 30 else 30) if engagement + intent else 0
        assert stored(undone, lead) == (engagement, fit, intent, engagement + fit + intent), number
    assert undone.execute("SELECT convene.score_event_leads(%s)->>'changed'", [event.id]).fetchone() == ("0",)
    batch = undone.execute("SELECT id, lead_score, score_parts FROM convene.lead_scoring ORDER BY id").fetchall()
    undone.execute("UPDATE convene.lead_scoring SET lead_score = 0, score_parts = '{}'")
    for lead, _ in made:
        undone.execute(CALCULATE, [lead])
    assert undone.execute("SELECT id, lead_score, score_parts FROM convene.lead_scoring ORDER BY id").fetchall() == batch
    # Other words for the same customer: the parts follow although the score does not move.
    describe(undone, event, "first", json.dumps({"industries": ["FINTECH"], "topics": ["AI"]}))
    assert int(undone.execute("SELECT convene.score_sponsor_leads(%s)->>'changed'", [event.sponsors["first"][0]]).fetchone()[0]) > 0
    assert undone.execute("SELECT count(*) FROM convene.lead_scoring WHERE score_parts #>> '{fit,industries,matched,0}' = 'fintech'").fetchone() == (0,)


def test_a_sponsors_own_batch_leaves_others_alone(undone, event):
    made = random_leads(undone, event, 11)
    with as_role(undone, "authenticated", event.sponsors["first"][1]):
        told = undone.execute("SELECT convene.score_sponsor_leads(%s)", [event.sponsors["first"][0]]).fetchone()[0]
        assert told["leads"] == 30
        expect_error(undone, "42501", "SELECT convene.score_sponsor_leads(%s)", [event.sponsors["second"][0]])
        expect_error(undone, "42501", "SELECT convene.score_event_leads(%s)", [event.id])
    assert [stored(undone, lead)[3] for lead, _ in made[30:]] == [0] * 30
    assert [stored(undone, lead) for lead, _ in made[:30]] == [scores for _, scores in made[:30]]


def test_a_recount_follows_the_ledger(undone, event):
    record(undone, event, "first", 0)
    sponsor = event.sponsors["first"][0]
    undone.execute("INSERT INTO convene.lead_interactions (sponsor_id, attendee_id, kind)"
                   " SELECT %s, a.id, k FROM convene.attendees a, unnest('{booth_visit,message,meeting_request,other}'::text[]) k"
                   " WHERE a.id = ANY (%s)", [sponsor, [event.people[0].id, event.people[1].id]])
    assert undone.execute("SELECT convene.score_sponsor_leads(%s)->>'leads'", [sponsor]).fetchone() == ("1",)
    assert undone.execute("SELECT convene.score_sponsor_leads(%s, true)->>'leads'", [sponsor]).fetchone() == ("2",)
    rows = undone.execute("SELECT booth_visits, messages_exchanged, meeting_requested, interaction_count, lead_score FROM convene.lead_scoring"
                          " WHERE sponsor_id = %s ORDER BY booth_visits", [sponsor]).fetchall()
    assert rows == [(1, 1, True, 4, expected(1, 0, 0, 1, True, 4)[3]), (2, 1, True, 5, expected(2, 0, 0, 1, True, 5)[3])]
    assert undone.execute("SELECT convene.score_sponsor_leads(%s, true)->>'changed'", [sponsor]).fetchone() == ("0",)


def test_counters_at_their_ends_are_scored_and_their_totals_stop_there(undone, event):
    most = 2**31 - 1
    for person in range(3):
        make_lead(undone, event, "first", person, booth_visits=most, interaction_count=most)
    sponsor = event.sponsors["first"][0]
    for scoring, of in (("score_sponsor_leads", sponsor), ("score_event_leads", event.id)):
        undone.execute("UPDATE convene.sponsors SET total_booth_visits = 0 WHERE id = %s", [sponsor])
        assert undone.execute(f"SELECT convene.{scoring}(%s)->>'leads'", [of]).fetchone() == ("3",)
        assert undone.execute("SELECT total_leads_collected, total_booth_visits, total_interactions FROM convene.sponsors WHERE id = %s",
                              [sponsor]).fetchone() == (3, most, most)


def test_many_leads_are_scored_in_slices(undone, event):
    """Beyond fifty thousand leads the table is walked by pages; nothing is left out."""
    undone.execute("SET LOCAL session_replication_role = replica")
    undone.execute("WITH people AS (INSERT INTO convene.attendees (event_id, organization_id, full_name)"
                   " SELECT e.id, e.organization_id, n::text FROM convene.events e, generate_series(1, 60000) n WHERE e.id = %s"
                   " RETURNING id, event_id, organization_id, full_name::int AS n)"
                   " INSERT INTO convene.lead_scoring (event_id, organization_id, sponsor_id, attendee_id, lead_score, booth_visits, interaction_count)"
                   " SELECT event_id, organization_id, %s, id, 0, n %% 4, 1 + n %% 9 FROM people", [event.id, event.sponsors["first"][0]])
    undone.execute("SET LOCAL session_replication_role = origin")
    told = undone.execute("SELECT convene.score_event_leads(%s)", [event.id]).fetchone()[0]
    assert (told["leads"], told["changed"]) == (60000, 60000)
    assert undone.execute("SELECT count(*) FROM convene.lead_scoring WHERE lead_score <> least(40, booth_visits * 10) + 30"
                          " + least(30, interaction_count * 3)").fetchone() == (0,)
    undone.execute("UPDATE convene.lead_scoring SET booth_visits = booth_visits + 1 WHERE booth_visits = 0 AND interaction_count = 1")
    touched = undone.execute("SELECT count(*) FROM convene.lead_scoring WHERE lead_score <> least(40, booth_visits * 10) + 30"
                             " + least(30, interaction_count * 3)").fetchone()[0]
    assert touched > 0 and undone.execute("SELECT (convene.score_event_leads(%s)->>'changed')::int", [event.id]).fetchone() == (touched,)


def test_who_may_have_a_lead_scored(undone, event):
    open_lead = make_lead(undone, event, "first", 0, interaction_count=1)
    hidden = make_lead(undone, event, "first", 1, interaction_count=1)
    agree(undone, event, 0)
    with as_role(undone, "authenticated", event.sponsors["first"][1]):
        assert undone.execute(CALCULATE, [open_lead]).fetchone() == (33,)
        expect_error(undone, "42501", CALCULATE, [hidden])
    with as_role(undone, "authenticated", event.organizer):
        assert undone.execute(CALCULATE, [hidden]).fetchone() == (33,)
    for sub in (event.sponsors["second"][1], event.people[0].sub):
        with as_role(undone, "authenticated", sub):
            expect_error(undone, "42501", CALCULATE, [open_lead])
