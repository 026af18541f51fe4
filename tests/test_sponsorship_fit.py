"""The fit of sponsors and events against cases worked by hand; what-if; who may ask."""

import json
import random
import uuid
from decimal import Decimal
from fractions import Fraction

import pytest
from psycopg.types.json import Jsonb

from lib.access import as_role, expect_error
from lib.factory import ident, make_world
from lib.reference import contents

COMPUTE = "SELECT score, overlap_metrics FROM convene.fn_compute_match_score(%s, %s)"
SIMULATE = "SELECT convene.simulate_match_score(%s, %s, %s)"
PARTS = ("budget_fit", "audience_overlap", "geo_fit", "engagement_quality", "objectives_similarity")
USUAL = dict(zip(PARTS, ("0.25", "0.35", "0.15", "0.15", "0.10")))


@pytest.fixture(scope="module")
def market(db):
    """Two events of two organizations, published; a sponsor of alpha's, one of the market, and their people."""
    with db.connect() as conn:
        alpha, beta = make_world(conn, sessions=1, attendees=2)
        for event in (alpha, beta):
            event.seller = ident(event.label, "seller")
            event.sponsor = ident(event.label, "sponsor")
            conn.execute("INSERT INTO convene.profiles (id) VALUES (%s)", [event.seller])
        conn.execute("INSERT INTO convene.sponsors (id, event_id, company_name, profile_id) VALUES (%s, %s, 'Ours', %s)",
                     [alpha.sponsor, alpha.id, alpha.seller])
        conn.execute("INSERT INTO convene.sponsors (id, company_name, profile_id) VALUES (%s, 'Of the market', %s)",
                     [beta.sponsor, beta.seller])
        for model, dimensions in (("two", 2), ("other two", 2)):
            conn.execute("SELECT convene.add_embedding_model(%s, %s)", [model, dimensions])
        return alpha, beta


@pytest.fixture
def undone(conn, market):
    with conn.transaction(force_rollback=True):
        yield conn


BASE = {
    "profile": {"annual_budget_cents": 300000, "preferred_categories": ["music", "food", "art"], "regions": ["US", "CA"]},
    "event": {"categories": ["music", "food", "film"], "regions": ["US"]},
    "insights": {"geo_distribution": {"US": 60, "CA": 20, "MX": 20}, "engagement_score": 0.8, "ticket_conversion_rate": 0.5},
}


def case(**changes):
    """BASE with changes: `budget=5` and the like change a column, `insights=None` takes a side away."""
    made = {key: dict(value) for key, value in BASE.items()}
    for key, value in changes.items():
        if key in ("profile", "insights") and value is None:
            made[key] = None
        elif key in ("vectors", "weights"):
            made[key] = value
        else:
            side, column = {
                "budget": ("profile", "annual_budget_cents"), "wanted": ("profile", "preferred_categories"),
                "regions": ("profile", "regions"), "categories": ("event", "categories"), "own": ("event", "regions"),
                "geo": ("insights", "geo_distribution"), "engagement": ("insights", "engagement_score"),
                "conversion": ("insights", "ticket_conversion_rate")}[key]
            made[side][column] = value
    return made


def put(conn, table, key, columns):
    names = [key[0], *columns]
    values = [key[1], *(Jsonb(value) if isinstance(value, dict) else value for value in columns.values())]
    updates = ", ".join(f"{name} = excluded.{name}" for name in names)
    conn.execute(f"INSERT INTO convene.{table} ({', '.join(names)}) VALUES ({', '.join(['%s'] * len(names))})"
                 f" ON CONFLICT ({key[0]}) DO UPDATE SET {updates}", values)


def write(conn, event_id, sponsor_id, made):
    conn.execute("UPDATE convene.events SET categories = %s, regions = %s WHERE id = %s", [*made["event"].values(), event_id])
    for table, key, columns in (("sponsor_profiles", ("sponsor_id", sponsor_id), made["profile"]),
                                ("event_audience_insights", ("event_id", event_id), made["insights"])):
        if columns is None:
            conn.execute(f"DELETE FROM convene.{table} WHERE {key[0]} = %s", [key[1]])
        else:
            put(conn, table, key, columns)
    if "vectors" in made:
        (mine, my_model), (theirs, their_model) = made["vectors"]
        put(conn, "sponsor_profiles", ("sponsor_id", sponsor_id), {"objectives_embedding": mine, "embedding_model": my_model})
        put(conn, "event_embeddings", ("event_id", event_id),
            {"embedding": theirs, "embedding_model": their_model, "source_text": "x"})
    if "weights" in made:
        conn.execute("INSERT INTO convene.scoring_weights (surface, name, weights) VALUES ('sponsorship', 'w', %s)", [Jsonb(made["weights"])])


# What is given; then budget_fit, categories, geo, geo_fit, engagement_quality, objectives_similarity; the score; the coverage.
#
# The first one: 300000/400000; two of three; both regions; (60 + 20)/100; .7 x .8 + .3 x .5; no vectors. Audience: .6 x 2/3 + .4 x 1 = .8.
# .25 x .75 + .35 x .8 + .15 x .8 + .15 x .71 + .10 x .5 = .1875 + .28 + .12 + .1065 + .05 = .744. Known: all but the objectives.
CASES = {
    "all but vectors": (case(), (0.75, Fraction(2, 3), 1, 0.8, 0.71, 0.5), "0.744", "0.9"),
    # Less .1875; nothing known of a quarter.
    "no budget": (case(budget=None), (0, Fraction(2, 3), 1, 0.8, 0.71, 0.5), "0.5565", "0.65"),
    # The same, but known.
    "a budget of nothing": (case(budget=0), (0, Fraction(2, 3), 1, 0.8, 0.71, 0.5), "0.5565", "0.9"),
    "the largest budget": (case(budget=2**63 - 1), (1, Fraction(2, 3), 1, 0.8, 0.71, 0.5), "0.8065", "0.9"),
    # Audience .6 x .5 + .4 = .7: .245 for .28. Coverage less .35 x .6.
    "no categories wanted": (case(wanted=[]), (0.75, 0.5, 1, 0.8, 0.71, 0.5), "0.709", "0.69"),
    # Audience .4: .14 for .28.
    "an event without categories": (case(categories=[]), (0.75, 0, 1, 0.8, 0.71, 0.5), "0.604", "0.69"),
    # Audience .4 + .4 x .5 = .6: .21; geo_fit neutral: .075. Coverage less .35 x .4 and .15.
    "no regions wanted": (case(regions=[]), (0.75, Fraction(2, 3), 0.5, 0.5, 0.71, 0.5), "0.629", "0.61"),
    # One region of two, from the event itself; geo_fit is that overlap; no engagement. .1875 + .21 + .075 + 0 + .05.
    "no insights": (case(insights=None), (0.75, Fraction(2, 3), 0.5, 0.5, 0, 0.5), "0.5225", "0.75"),
    # The overlap from the event's own region, geo_fit neutral. .1875 + .21 + .075 + .1065 + .05.
    "insights without counts": (case(geo={}), (0.75, Fraction(2, 3), 0.5, 0.5, 0.71, 0.5), "0.629", "0.75"),
    # A region counted with nobody is a region all the same; nobody counted is neutral.
    "counts of nobody": (case(own=[], geo={"US": 0}), (0.75, Fraction(2, 3), 0.5, 0.5, 0.71, 0.5), "0.629", "0.75"),
    # Words and negative numbers count nobody: 0 of 40 live where the sponsor wants them, but all regions are there.
    "counts that are none": (case(geo={"US": "many", "CA": -5, "MX": 40}), (0.75, Fraction(2, 3), 1, 0, 0.71, 0.5), "0.624", "0.9"),
    # .3 x .5 = .15: .0225 for .1065; a tenth and a bit less is known.
    "no engagement score": (case(engagement=None), (0.75, Fraction(2, 3), 1, 0.8, 0.15, 0.5), "0.66", "0.795"),
    # .7 x .8 = .56: .084 for .1065.
    "no conversion rate": (case(conversion=None), (0.75, Fraction(2, 3), 1, 0.8, 0.56, 0.5), "0.7215", "0.855"),
    "neither of the two": (case(engagement=None, conversion=None), (0.75, Fraction(2, 3), 1, 0.8, 0, 0.5), "0.6375", "0.75"),
    # Nothing wanted, nothing known: .35 x .5 + .15 x .5 + .10 x .5.
    "no profile and no insights": (case(profile=None, insights=None), (0, 0.5, 0.5, 0.5, 0, 0.5), "0.3", "0"),
    # The cosine of (3, 4) and (1, 0) is .6, so .8: .08 for .05.
    "vectors": (case(vectors=(("[3,4]", "two"), ("[2,0]", "two"))), (0.75, Fraction(2, 3), 1, 0.8, 0.71, 0.8), "0.774", "1"),
    "opposite vectors": (case(vectors=(("[1,1]", "two"), ("[-2,-2]", "two"))), (0.75, Fraction(2, 3), 1, 0.8, 0.71, 0), "0.694", "1"),
    "vectors of two models": (case(vectors=(("[3,4]", "two"), ("[3,4]", "other two"))), (0.75, Fraction(2, 3), 1, 0.8, 0.71, 0.5), "0.744", "0.9"),
    "a vector of zeros": (case(vectors=(("[0,0]", "two"), ("[3,4]", "two"))), (0.75, Fraction(2, 3), 1, 0.8, 0.71, 0.5), "0.744", "0.9"),
    # However people write them.
    "names and codes": (case(regions=["United States", "usa", " U.S.A. ", "Canada"], own=["us"],
                             geo={"USA": 30, "the United States of America": 30, "can": 20, "Mexico": 20}),
                        (0.75, Fraction(2, 3), 1, 0.8, 0.71, 0.5), "0.744", "0.9"),
    "case, space and repetition": (case(wanted=[" MUSIC", "music", "Food", "art", " ", None], categories=["Music ", "FOOD", "food", "film"]),
                                   (0.75, Fraction(2, 3), 1, 0.8, 0.71, 0.5), "0.744", "0.9"),
    "a region that no list knows": (case(regions=["Bay Area", "EMEA"], own=["bay area "], geo={"emea": 1, "US": 3}),
                                    (0.75, Fraction(2, 3), 1, 0.25, 0.71, 0.5), "0.6615", "0.9"),
    # .5 x .75 + .5 x .8
    "other weights": (case(weights={"budget_fit": 0.5, "geo_fit": 0.5}), (0.75, Fraction(2, 3), 1, 0.8, 0.71, 0.5), "0.775", "1"),
}


@pytest.mark.parametrize("name", CASES)
def test_cases_worked_by_hand(undone, market, name):
    _, beta = market
    made, (budget, categories, geo, geo_fit, quality, similarity), score, coverage = CASES[name]
    write(undone, beta.id, beta.sponsor, made)
    got, metrics = undone.execute(COMPUTE, [beta.id, beta.sponsor]).fetchone()
    assert got == Decimal(score)
    weights = {part: float(made["weights"].get(part, 0)) for part in PARTS} if "weights" in made else {part: float(w) for part, w in USUAL.items()}
    near = lambda value: pytest.approx(float(value), abs=1e-7)  # noqa: E731: vectors are single precision
    parts = dict(zip(PARTS, (budget, 0.6 * float(categories) + 0.4 * float(geo), geo_fit, quality, similarity)))
    assert metrics == {
        "budget_fit": near(budget), "audience_overlap": {"categories": near(categories), "geo": near(geo)}, "geo_fit": near(geo_fit),
        "engagement_quality": near(quality), "objectives_similarity": near(similarity), "weights": weights,
        "contributions": {part: near(weights[part] * float(parts[part])) for part in PARTS}, "coverage": near(coverage)}
    reproduces(got, metrics)


def reproduces(score, metrics):
    """Parts times weights, and the contributions, give the score, each summed exactly and rounded once."""
    exact = lambda value: Decimal(str(value))  # noqa: E731
    overlap = metrics["audience_overlap"]
    parts = {**metrics, "audience_overlap": exact(overlap["categories"]) * Decimal("0.6") + exact(overlap["geo"]) * Decimal("0.4")}
    for total in (sum(exact(metrics["weights"][part]) * exact(parts[part]) for part in PARTS),
                  sum(exact(value) for value in metrics["contributions"].values())):
        assert abs(total - score) <= Decimal("0.0000005") + Decimal("1e-11"), (score, metrics)


REGIONS = ["US", "usa", "United States", "UK", "Great Britain", "DE", "Germany", "Bay Area", "FR", " fr "]
WORDS = ["music", "Music", "food", "art ", "film", "tech", "games"]


def pick(draw, words):
    return [draw.choice(words) for _ in range(draw.randrange(6))]


def random_case(draw):
    maybe = lambda value: value if draw.random() < 0.7 else None  # noqa: E731
    made = case(budget=maybe(draw.randrange(10**draw.randrange(1, 9))), wanted=pick(draw, WORDS), regions=pick(draw, REGIONS),
                categories=pick(draw, WORDS), own=pick(draw, REGIONS), geo={region: draw.randrange(50) for region in pick(draw, REGIONS)},
                engagement=maybe(draw.randrange(10**6 + 1) / 10**6), conversion=maybe(draw.randrange(10**6 + 1) / 10**6))
    if draw.random() < 0.2:
        made["insights"] = None
    return made


def reference(made):
    """The formula in exact fractions, straight from its description."""
    fold = lambda region: {"us": "us", "usa": "us", "united states": "us", "uk": "gb", "great britain": "gb", "de": "de",  # noqa: E731
                           "germany": "de", "fr": "fr"}.get(region.strip().lower(), region.strip().lower())
    words = lambda list: {word.strip().lower() for word in list}  # noqa: E731
    share = lambda wanted, present: Fraction(len(wanted & present), len(wanted)) if wanted else Fraction(1, 2)  # noqa: E731
    profile, event, insights = made["profile"], made["event"], made["insights"]
    budget = Fraction(profile["annual_budget_cents"] or 0)
    wanted = {fold(region) for region in profile["regions"]}
    counts = (insights or {}).get("geo_distribution", {})
    overlap = share(wanted, {fold(region) for region in [*event["regions"], *counts]})
    total = sum(counts.values())
    if insights is None:
        geo_fit = overlap
    elif not wanted or not total:
        geo_fit = Fraction(1, 2)
    else:
        geo_fit = Fraction(sum(count for region, count in counts.items() if fold(region) in wanted), total)
    known = lambda key: Fraction(str((insights or {}).get(key) or 0))  # noqa: E731
    parts = (budget / (budget + 100000),
             Fraction(6, 10) * share(words(profile["preferred_categories"]), words(event["categories"])) + Fraction(4, 10) * overlap,
             geo_fit, Fraction(7, 10) * known("engagement_score") + Fraction(3, 10) * known("ticket_conversion_rate"), Fraction(1, 2))
    return sum(Fraction(weight) * part for weight, part in zip(USUAL.values(), parts))


def test_random_cases_agree_with_exact_fractions(undone, market):
    _, beta = market
    draw = random.Random(7)
    for _ in range(150):
        made = random_case(draw)
        write(undone, beta.id, beta.sponsor, made)
        score, metrics = undone.execute(COMPUTE, [beta.id, beta.sponsor]).fetchone()
        assert abs(Fraction(score) - reference(made)) <= Fraction(1, 2 * 10**6) + Fraction(1, 10**9), made
        reproduces(score, metrics)


VALUE = """
    SELECT convene.sponsor_fit_score(%(budget)s, %(wanted)s, %(categories)s, %(regions)s, %(own)s, %(geo)s, %(engagement)s, %(conversion)s),
           convene.sponsor_fit_metrics(%(budget)s, %(wanted)s, %(categories)s, %(regions)s, %(own)s, %(geo)s, %(engagement)s, %(conversion)s)"""


def test_values_say_what_tables_say(undone, market):
    _, beta = market
    draw = random.Random(8)
    for _ in range(60):
        made = random_case(draw)
        write(undone, beta.id, beta.sponsor, made)
        profile, event, insights = made["profile"], made["event"], made["insights"] or {}
        value, parts = undone.execute(VALUE, {
            "budget": profile["annual_budget_cents"], "wanted": profile["preferred_categories"], "regions": profile["regions"],
            "categories": event["categories"], "own": event["regions"], "engagement": insights.get("engagement_score"),
            "conversion": insights.get("ticket_conversion_rate"),
            "geo": Jsonb(insights["geo_distribution"]) if insights else None}).fetchone()
        score, metrics = undone.execute(COMPUTE, [beta.id, beta.sponsor]).fetchone()
        assert parts == metrics
        assert abs(Decimal(value) - score) <= Decimal("0.0000005") + Decimal("1e-9")


@pytest.mark.parametrize(("expression", "expected"), [
    # Two of four; nothing of nothing; nulls and blanks are no words.
    ("jaccard('{a,B,c}', '{b, c ,d}')", 0.5), ("jaccard('{}', '{}')", 0), ("jaccard('{a,NULL,\" \"}', '{A,a}')", 1), ("jaccard(NULL, '{a}')", None),
    ("overlap_share('{a,b,B,c}', '{c,b,x}')", 2 / 3), ("overlap_share('{}', '{a}')", 0.5), ("overlap_share('{a}', '{}')", 0),
    ("overlap_share('{a}', NULL)", None),
    ("budget_fit(100000)", 0.5), ("budget_fit(300000)", 0.75), ("budget_fit(0)", 0), ("budget_fit(NULL)", 0), ("budget_fit(-100000)", 0),
    ("budget_fit(-9223372036854775808)", 0),
    ("engagement_quality(0.8, 0.5)", 0.71), ("engagement_quality(NULL, 0.5)", 0.15), ("engagement_quality(NULL, NULL)", 0),
    ("engagement_quality(7, -1)", 0.7), ("engagement_quality('NaN', 1)", 0.3),
    ("region_code('U.S.A.')", "us"), ("region_code(' Great Britain')", "gb"), ("region_code('GBR')", "gb"), ("region_code('Bay Area ')", "bay area"),
    ("region_code('Türkiye')", "tr"), ("region_code(NULL)", None),
    # As the table's first case; then all null: nothing wanted, nothing known.
    ("sponsor_fit_score(300000, '{music,food,art}', '{music,food,film}', '{US,CA}', '{US}', '{\"US\":60,\"CA\":20,\"MX\":20}', 0.8, 0.5)", 0.744),
    ("sponsor_fit_score(NULL, NULL, NULL, NULL, NULL)", 0.3),
    ("sponsor_fit_score(-100000, '{}', '{}', '{}', '{}')", 0.3),
    # Vectors of .6: .08 for .05.
    ("sponsor_fit_score(NULL, NULL, NULL, NULL, NULL, p_objectives => '{3,4}', p_event_embedding => '{1,0}')", 0.33),
    ("sponsor_fit_score(NULL, NULL, NULL, NULL, NULL, p_objectives => '{3,4}', p_event_embedding => '{1,NULL}')", 0.3),
    ("sponsor_fit_score(300000, NULL, NULL, NULL, NULL, p_weights => '{\"budget_fit\": 1}')", 0.75),
])
def test_values_worked_by_hand(conn, expression, expected):
    got = conn.execute(f"SELECT convene.{expression}").fetchone()[0]
    assert got == (pytest.approx(expected, abs=1e-8) if isinstance(expected, float) else expected)


def test_a_vector_can_be_given_as_pgvector_has_it(conn):
    assert conn.execute("SELECT convene.sponsor_fit_score(NULL, NULL, NULL, NULL, NULL, p_objectives => '[3,4]'::vector,"
                        " p_event_embedding => '[1,0]'::vector)").fetchone()[0] == pytest.approx(0.33, abs=1e-8)


# Weights

def test_an_event_may_have_weights_of_its_own(undone, market):
    alpha, beta = market
    for event in (alpha, beta):
        write(undone, event.id, beta.sponsor, case())
    for name, event, weights in (("all", None, {"budget_fit": 1}), ("own", alpha.id, {"geo_fit": 1}), ("resting", beta.id, {"engagement_quality": 1})):
        undone.execute("INSERT INTO convene.scoring_weights (surface, name, event_id, weights, is_active) VALUES ('sponsorship', %s, %s, %s, %s)",
                       [name, event, Jsonb(weights), name != "resting"])
    assert undone.execute(COMPUTE, [alpha.id, beta.sponsor]).fetchone()[0] == Decimal("0.8")
    assert undone.execute(COMPUTE, [beta.id, beta.sponsor]).fetchone()[0] == Decimal("0.75")


@pytest.mark.parametrize(("weights", "says"), [
    ({"budget_fit": 0.5}, "add up to 1, not 0.5"), ({"budget_fit": 1.5, "geo_fit": -0.5}, "geo_fit is negative"), ({"budget": 1}, "budget"),
    ({"budget_fit": "1"}, "budget_fit"), ({}, "add up"), ({"budget_fit": None, "geo_fit": 1}, "budget_fit"),
])
def test_weights_that_cannot_be_used_are_refused(undone, market, weights, says):
    """Where they are written, and where they got in all the same."""
    _, beta = market
    insert = "INSERT INTO convene.scoring_weights (surface, name, weights) VALUES ('sponsorship', 'w', %s)"
    expect_error(undone, "22023", insert, [Jsonb(weights)], message=says, hint="add up to 1")
    undone.execute("ALTER TABLE convene.scoring_weights DISABLE TRIGGER USER")
    undone.execute(insert, [Jsonb(weights)])
    expect_error(undone, "22023", COMPUTE, [beta.id, beta.sponsor], message=says, hint="add up to 1")
    expect_error(undone, "22023", "SELECT convene.sponsor_fit_score(1, '{}', '{}', '{}', '{}', p_weights => %s)", [Jsonb(weights)],
                 message=says, hint="audience_overlap")


# What if

def simulated(conn, event, sponsor, overrides):
    return conn.execute(SIMULATE, [event, sponsor, Jsonb(overrides)]).fetchone()[0]


# What is tried, and the change to the table that does the same.
TRIED = [
    ({"annual_budget_cents": 100000}, {"budget": 100000}), ({"annual_budget_cents": None}, {"budget": None}),
    ({"budget_factor": 2}, {"budget": 600000}), ({"annual_budget_cents": 200000, "budget_factor": 0.5}, {"budget": 100000}),
    ({"preferred_categories": ["film"]}, {"wanted": ["film"]}), ({"add_categories": ["film"]}, {"wanted": ["music", "food", "art", "film"]}),
    ({"remove_categories": ["ART "]}, {"wanted": ["music", "food"]}), ({"regions": []}, {"regions": []}),
    ({"add_regions": ["Mexico"], "remove_regions": ["canada"]}, {"regions": ["US", "MX"]}),
    ({"event_categories": ["art"]}, {"categories": ["art"]}), ({"add_event_categories": ["Art"]}, {"categories": ["music", "food", "film", "art"]}),
    ({"remove_event_categories": ["food"]}, {"categories": ["music", "film"]}), ({"event_regions": ["CA"]}, {"own": ["CA"]}),
    ({"add_event_regions": ["CA"], "geo_distribution": {}}, {"own": ["US", "CA"], "geo": {}}),
    ({"remove_event_regions": ["usa"], "geo_distribution": {"MX": 5}}, {"own": [], "geo": {"MX": 5}}),
    ({"engagement_score": 0.1, "ticket_conversion_rate": None}, {"engagement": 0.1, "conversion": None}),
    ({"weights": {"budget_fit": 0.4, "geo_fit": 0.6}}, {"weights": {"budget_fit": 0.4, "geo_fit": 0.6}}),
    ({}, {}),
]


@pytest.mark.parametrize("overrides,changes", TRIED, ids=lambda value: json.dumps(value)[:60])
def test_a_what_if_is_what_the_change_would_bring_and_writes_nothing(undone, market, overrides, changes):
    _, beta = market
    pair = [beta.id, beta.sponsor]
    write(undone, *pair, case())
    before = contents(undone)
    found = simulated(undone, *pair, overrides)
    assert contents(undone) == before
    old = undone.execute(COMPUTE, pair).fetchone()
    write(undone, *pair, case(**changes))
    new = undone.execute(COMPUTE, pair).fetchone()
    exact = lambda key: Decimal(str(found[key]))  # noqa: E731
    assert (exact("previous_score"), found["previous_overlap_metrics"]) == old
    assert (exact("score"), found["overlap_metrics"]) == new
    assert exact("difference") == new[0] - old[0]
    flat = lambda metrics: {  # noqa: E731
        "budget_fit": metrics["budget_fit"], "geo_fit": metrics["geo_fit"], "engagement_quality": metrics["engagement_quality"],
        "objectives_similarity": metrics["objectives_similarity"], "category_overlap": metrics["audience_overlap"]["categories"],
        "geo_overlap": metrics["audience_overlap"]["geo"], "coverage": metrics["coverage"],
        **{f"weights.{part}": weight for part, weight in metrics["weights"].items()}}
    was, is_ = flat(old[1]), flat(new[1])
    different = {key: {"before": was[key], "after": is_[key]} for key in was if was[key] != is_[key]}
    assert {key: value for key, value in found["changed"].items() if key != "audience_overlap"} == different
    assert ("audience_overlap" in found["changed"]) == bool({"category_overlap", "geo_overlap"} & set(different))


def test_a_what_if_of_an_unknown_audience_begins_with_nothing(undone, market):
    _, beta = market
    write(undone, beta.id, beta.sponsor, case(insights=None))
    found = simulated(undone, beta.id, beta.sponsor, {"engagement_score": 1})
    # From .5225: geo_fit was the overlap of one half and is neutral; .15 x .7 more.
    assert found["score"] == 0.6275 and set(found["changed"]) == {"engagement_quality", "coverage"}


def test_an_unknown_key_is_named_and_the_known_ones_listed(undone, market):
    _, beta = market
    expect_error(undone, "22023", SIMULATE, [beta.id, beta.sponsor, Jsonb({"budget": 1})], message='"budget"',
                 hint="annual_budget_cents.*add_categories.*event_regions.*geo_distribution.*engagement_score.*weights")


# The market

def test_a_preview_is_the_best_of_every_pair_on_the_market(undone, market):
    alpha, beta = market
    draw = random.Random(9)
    sponsors = [undone.execute("INSERT INTO convene.sponsors (company_name) VALUES (%s) RETURNING id", [str(n)]).fetchone()[0] for n in range(30)]
    for sponsor in sponsors:
        write(undone, alpha.id, sponsor, random_case(draw))
    # Equal sponsors in the order of their ids; one that left, and one that never came.
    for sponsor in sponsors[:3]:
        write(undone, alpha.id, sponsor, case(budget=10**12))
    undone.execute("UPDATE convene.sponsors SET status = 'churned' WHERE id = %s", [sponsors[-1]])
    undone.execute("DELETE FROM convene.sponsor_profiles WHERE sponsor_id = %s", [sponsors[-2]])
    write(undone, beta.id, sponsors[4], random_case(draw))
    live = [row[0] for row in undone.execute(
        "SELECT s.id FROM convene.sponsors s JOIN convene.sponsor_profiles p ON p.sponsor_id = s.id WHERE s.status <> 'churned'")]
    before = contents(undone)
    for arguments, events, weights in (("", [alpha.id, beta.id], None), (f", p_event_ids => ARRAY['{beta.id}']::uuid[]", [beta.id], None),
                                       (", p_weights => '{\"geo_fit\": 1}'", [alpha.id, beta.id], {"weights": {"geo_fit": 1}})):
        expected = []
        for event in sorted(events):
            scores = {sponsor: undone.execute("SELECT (convene.simulate_match_score(%s, %s, %s)->>'score')::numeric",
                                              [event, sponsor, Jsonb(weights or {})]).fetchone()[0] for sponsor in live}
            best = sorted(scores, key=lambda sponsor: (-scores[sponsor], sponsor))[:7]
            expected += [(event, sponsor, rank, scores[sponsor]) for rank, sponsor in enumerate(best, 1) if scores[sponsor] >= Decimal("0.4")]
        assert undone.execute(f"SELECT * FROM convene.preview_sponsorship_matches(7, 0.4{arguments})").fetchall() == expected
    assert contents(undone) == before
    one = undone.execute("SELECT count(*), count(DISTINCT sponsor_id) FROM convene.preview_sponsorship_matches(p_sponsor_ids => %s)",
                         [[sponsors[0], sponsors[-1]]]).fetchone()
    assert one == (2, 1)
    undone.execute("UPDATE convene.events SET status = 'draft' WHERE id = %s", [alpha.id])
    assert undone.execute("SELECT DISTINCT event_id FROM convene.preview_sponsorship_matches()").fetchall() == [(beta.id,)]
    assert undone.execute("SELECT * FROM convene.preview_sponsorship_matches(p_now => '2200-01-01')").fetchall() == []


# Who may ask

def test_who_may_look_at_a_fit(undone, market):
    alpha, beta = market
    asked = (COMPUTE, SIMULATE)

    def may(sub, event, sponsor, yes):
        with as_role(undone, "authenticated", sub):
            for statement in asked:
                arguments = [event, sponsor] if statement == COMPUTE else [event, sponsor, Jsonb({})]
                if yes:
                    assert len(undone.execute(statement, arguments).fetchall()) == 1
                else:
                    expect_error(undone, "42501", statement, arguments, message="sponsor and event")

    # The sponsor's people: at any event on the market, with their own sponsor.
    may(beta.seller, alpha.id, beta.sponsor, True)
    may(beta.seller, alpha.id, alpha.sponsor, False)
    # Staff: sponsors that take part; others once they are matched with the event.
    may(alpha.organizer, alpha.id, alpha.sponsor, True)
    may(alpha.organizer, alpha.id, beta.sponsor, False)
    may(alpha.organizer, beta.id, alpha.sponsor, False)
    may(alpha.people[0].sub, alpha.id, alpha.sponsor, False)
    undone.execute("INSERT INTO convene.sponsorship_matches (event_id, sponsor_id, score) VALUES (%s, %s, 0.5)", [alpha.id, beta.sponsor])
    may(alpha.organizer, alpha.id, beta.sponsor, True)
    may(beta.organizer, alpha.id, beta.sponsor, False)
    # An event that is not on the market is its people's: here the sponsor's own, and one that it was matched with.
    undone.execute("UPDATE convene.events SET status = 'draft'")
    may(alpha.seller, alpha.id, alpha.sponsor, True)
    may(alpha.seller, beta.id, alpha.sponsor, False)
    may(beta.seller, alpha.id, beta.sponsor, True)
    may(beta.seller, beta.id, beta.sponsor, False)


def test_unknown_ids_are_named_to_the_service(undone, market):
    alpha, _ = market
    nobody = uuid.uuid4()
    expect_error(undone, "P0002", COMPUTE, [alpha.id, nobody], message=f"sponsor {nobody}")
    expect_error(undone, "P0002", COMPUTE, [nobody, alpha.sponsor], message=f"event {nobody}")
    with as_role(undone, "service_role"):
        assert undone.execute(COMPUTE, [alpha.id, alpha.sponsor]).fetchone()


def test_an_unreadable_distribution_does_not_stand_in_the_way(undone, market):
    """jsonb holds numbers that no double does, and nesting that no parser with a bound follows."""
    _, beta = market
    write(undone, beta.id, beta.sponsor, case())
    for distribution in ("{\"US\": 1e400}", '{"US": ' + "[" * 3000 + "]" * 3000 + "}"):
        undone.execute("UPDATE convene.event_audience_insights SET geo_distribution = %s::jsonb", [distribution])
        # As insights without counts.
        assert undone.execute(COMPUTE, [beta.id, beta.sponsor]).fetchone()[0] == Decimal("0.629")
