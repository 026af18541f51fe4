"""Vectors of sessions: models, dimensions, what a trigger copies, and the native embedder."""

import itertools
import math

import pytest

from lib.access import as_role, expect_error, sqlstate
from lib.factory import make_event, vector_text
from lib.reference import recommend

pytestmark = pytest.mark.embeddings
PUT = "INSERT INTO convene.session_embeddings (session_id, event_id, embedding, source_text, embedding_model) VALUES (%s, %s, %s, %s, %s)"


@pytest.fixture
def undone(conn):
    """What a test writes is rolled back."""
    with conn.transaction(force_rollback=True):
        yield conn


def embed(conn, text):
    return conn.execute("SELECT convene.embed_text(%s)", [text]).fetchone()[0]


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


TEXTS = [
    "Scaling PostgreSQL to a billion rows", "Gothic cathedrals of northern France", "数据库性能优化实践",
    "Как испечь ржаной хлеб дома", "مقدمة في أمن الشبكات", "a", "x" * 100000, "one two three " * 5000,
]


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text[:12])
def test_a_text_has_one_vector_of_unit_length(db, conn, text):
    vector = embed(conn, text)
    assert len(vector) == 256 and all(math.isfinite(part) for part in vector)
    assert math.sqrt(sum(part * part for part in vector)) == pytest.approx(1, abs=1e-5)
    with db.second() as fresh:
        assert embed(fresh, text) == vector
    assert embed(conn, text) == vector


def test_nothing_has_no_direction_and_is_no_error(conn):
    for text in ("", "   ", "\n\t", "💡", "--- !?"):
        vector = embed(conn, text)
        assert len(vector) == 256 and all(math.isfinite(part) for part in vector)


GROUPS = [
    ["Scaling PostgreSQL to a billion rows", "How we scaled Postgres to billions of rows", "PostgreSQL at scale: billion row tables"],
    ["Baking rye bread at home", "Home baking: bread from rye", "How to bake your own rye bread"],
    ["Сетевая безопасность в облаке", "Безопасность сети в облаках", "Облачная безопасность сетей"],
    ["Maschinelles Lernen im Krankenhaus", "Maschinelles Lernen in Krankenhäusern", "Lernende Maschinen für das Krankenhaus"],
    ["数据库性能优化", "优化数据库的性能", "数据库 性能 优化 实践"],
]


def test_texts_about_the_same_are_nearer_than_others_in_every_language(conn):
    vectors = [[embed(conn, text) for text in group] for group in GROUPS]
    for number, group in enumerate(vectors):
        inside = [cosine(a, b) for a, b in itertools.combinations(group, 2)]
        outside = [cosine(a, b) for a in group for other, texts in enumerate(vectors) if other != number for b in texts]
        assert min(inside) > max(outside) + 0.1, (GROUPS[number], inside, max(outside))


def test_case_and_punctuation_count_for_little(conn):
    assert cosine(embed(conn, "Rust, async & PostgreSQL!"), embed(conn, "rust async postgresql")) > 0.9


def test_embedding_is_marked_immutable_and_safe_in_parallel(conn):
    assert conn.execute("SELECT provolatile, proparallel FROM pg_proc WHERE proname = 'embed_text'").fetchone() == ("i", "s")


def test_models_are_registered_with_an_index_of_their_own(undone):
    def indexes():
        return {row[0]: row[1] for row in undone.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'session_embeddings' AND indexdef ~ 'hnsw'")}

    before = indexes()
    add = "SELECT convene.add_embedding_model(%s, %s, %s)"
    for model, dimensions, kind in (("small", 384, "vector(384)"), ("Odd name; DROP TABLE x'\"", 3, "vector(3)"), ("large", 3072, "halfvec(3072)")):
        undone.execute(add, [model, dimensions, False])
        new = [definition for name, definition in indexes().items() if name not in before]
        assert len(new) == 1 and kind in new[0] and "cosine_ops" in new[0]
        before = indexes()
    undone.execute(add, ["huge", 16000, False])  # too many for an index, and said so
    assert indexes() == before
    assert any("4000" in notice for notice in notices(undone, add, ["huger", 4001, False]))
    assert undone.execute("SELECT model, dimensions FROM convene.embedding_models WHERE model = 'huge'").fetchone() == ("huge", 16000)
    undone.execute(add, ["small", 384, False])  # known already
    expect_error(undone, "23505", add, ["small", 385, False], message="384 dimensions, not 385")
    assert indexes() == before


def notices(conn, statement, parameters):
    heard = []
    handler = lambda diagnostic: heard.append(diagnostic.message_primary)  # noqa: E731
    conn.add_notice_handler(handler)
    conn.execute(statement, parameters)
    conn.remove_notice_handler(handler)
    return heard


def test_there_is_one_default_model_at_most(undone):
    default = lambda: [row[0] for row in undone.execute("SELECT model FROM convene.embedding_models WHERE is_default")]  # noqa: E731
    assert default() == ["text-embedding-ada-002"]
    undone.execute("SELECT convene.add_embedding_model('mine', 3, true)")
    assert default() == ["mine"]
    event = make_event(undone, "defaulted")
    undone.execute("INSERT INTO convene.session_embeddings (session_id, event_id, embedding, source_text) VALUES (%s, %s, '[1,2,3]', 'x')",
                   [event.sessions[0], event.id])
    assert undone.execute("SELECT embedding_model FROM convene.session_embeddings WHERE event_id = %s", [event.id]).fetchone() == ("mine",)
    undone.execute("SELECT convene.add_embedding_model('text-embedding-ada-002', 1536, true)")
    assert default() == ["text-embedding-ada-002"]
    assert sqlstate(undone, "UPDATE convene.embedding_models SET is_default = true").sqlstate == "23505"
    assert sqlstate(undone, "UPDATE convene.embedding_models SET dimensions = 4 WHERE model = 'mine'").sqlstate == "0A000"


def test_only_the_owner_registers_models(conn):
    event = make_event(conn, "registrars")
    for role, sub in (("authenticated", event.organizer), ("anon", None), ("service_role", None)):
        with as_role(conn, role, sub):
            expect_error(conn, "42501", "SELECT convene.add_embedding_model('theirs', 3)")


@pytest.mark.parametrize("model,dimensions,code,message", [
    ("convene-hash-v1", 256, None, None), ("convene-hash-v1", 255, "22023", "256 dimensions, not 255"),
    ("text-embedding-ada-002", 256, "22023", "1536 dimensions, not 256"), ("unheard-of", 256, "22023", '"unheard-of".*256'),
    (None, 1536, None, None), (None, 256, "22023", "1536 dimensions, not 256"),
])
def test_the_dimension_is_the_models(undone, model, dimensions, code, message):
    event = make_event(undone, "dims")
    parameters = [event.sessions[0], event.id, vector_text([0.5] * dimensions), "x", model]
    if code:
        expect_error(undone, code, PUT, parameters, message=message)
    else:
        undone.execute(PUT, parameters)


def test_what_the_vector_repeats_of_its_session_is_kept_in_step(undone):
    event = make_event(undone, "copied")
    session = event.sessions[0]
    undone.execute("UPDATE convene.sessions SET topics = '{a,b}', session_type = 'demo', difficulty_level = 'expert' WHERE id = %s", [session])
    undone.execute(
        """INSERT INTO convene.session_embeddings (session_id, event_id, embedding, source_text, embedding_model, topics, format, difficulty_level)
           VALUES (%s, %s, %s, 'x', 'convene-hash-v1', '{lies}', 'lies', 'lies')""", [session, event.id, vector_text([1.0] * 256)])
    kept = lambda: undone.execute("SELECT topics, format, difficulty_level, event_id FROM convene.session_embeddings WHERE session_id = %s", [session]).fetchone()  # noqa: E731
    assert kept() == (["a", "b"], "demo", "expert", event.id)
    undone.execute("UPDATE convene.sessions SET topics = '{c}', session_type = NULL, difficulty_level = 'beginner' WHERE id = %s", [session])
    assert kept() == (["c"], None, "beginner", event.id)
    undone.execute("UPDATE convene.session_embeddings SET topics = '{lies}' WHERE session_id = %s", [session])
    assert kept()[0] == ["c"]
    other = make_event(undone, "elsewhere")
    expect_error(undone, "22023", PUT, [event.sessions[1], other.id, vector_text([1.0] * 256), "x", "convene-hash-v1"],
                 message=f"session {event.sessions[1]} is not a session of event {other.id}")


def test_organizers_write_vectors_of_their_events_only(conn):
    mine, theirs = make_event(conn, "mine"), make_event(conn, "theirs")
    vector = vector_text([0.1] * 256)
    with as_role(conn, "authenticated", mine.organizer):
        conn.execute(PUT, [mine.sessions[0], mine.id, vector, "x", "convene-hash-v1"])
        for event in (mine.id, theirs.id):
            expect_error(conn, "42501" if event == theirs.id else "22023", PUT,
                         [theirs.sessions[0], event, vector, "x", "convene-hash-v1"])
    with as_role(conn, "authenticated", mine.people[0].sub):
        expect_error(conn, "42501", PUT, [mine.sessions[1], mine.id, vector, "x", "convene-hash-v1"])


def test_stated_topics_find_sessions_through_the_native_embedder(conn):
    """No session carries the words as topics; the texts are about them."""
    event = make_event(conn, "native", sessions=0)
    titles = ["Baking rye bread at home", "Sourdough bread for beginners", "Kernel locking explained", "Locks in the Linux kernel",
              "Gothic cathedrals", "Cathedrals of France"]
    for number, title in enumerate(titles):
        conn.execute(
            """INSERT INTO convene.sessions (event_id, title, start_time, end_time)
               VALUES (%s, %s, now() + %s * '1 h'::interval, now() + %s * '1 h'::interval)""",
            [event.id, title, 24 + number, 25 + number])
    assert conn.execute("SELECT convene.embed_pending(1000)").fetchone()[0] >= 6
    conn.execute("SELECT convene.update_attendee_preferences(%s, %s, %s)",
                 [event.people[0].id, event.id, '{"preferred_topics": ["linux kernel", "locks"]}'])
    conn.execute("SELECT convene.record_session_interaction(%s, (SELECT id FROM convene.sessions WHERE title = %s), 'attended')",
                 [event.people[0].id, "Locks in the Linux kernel"])
    assert recommend(conn, event)[0].title == "Kernel locking explained"
    # The interests alone tell something, through the vector of their words.
    recs = recommend(conn, event, algorithm="content_based")
    assert recs[0].title == "Kernel locking explained"
    conn.execute("DELETE FROM convene.session_interactions WHERE attendee_id = %s", [event.people[0].id])
    recs = recommend(conn, event, algorithm="content_based")
    assert {rec.title for rec in recs[:2]} == {"Kernel locking explained", "Locks in the Linux kernel"}
    assert set(recs[0].parts) == {"content"}
