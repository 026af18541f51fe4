"""Nearest sponsors and events: what an index finds against all compared, who is found by whom, which model a vector is of."""

import random

import pytest

from lib.access import as_role, expect_error
from lib.factory import ident, make_event
from lib.market import add_sponsor, insert, match
from lib.statistics import wait_until_alone

pytestmark = pytest.mark.sql

DIMS = 24


def drawn(draw, centre=None):
    """A vector, near a centre where one is given: real vectors come in clusters."""
    return [draw.gauss(c, 0.35) for c in (centre or [0] * DIMS)]


@pytest.fixture(scope="module")
def market(db):
    """5,000 sponsors and as many events with vectors in forty clusters; of each third sponsor the market is over, and of each
    fifth event nothing is published."""
    draw = random.Random(11)
    centres = [[draw.gauss(0, 1) for _ in range(DIMS)] for _ in range(40)]
    with db.connect() as conn:
        event = make_event(conn, "near", sessions=0, attendees=1)
        conn.execute("SELECT convene.add_embedding_model('m24', %s)", [DIMS])
        with conn.transaction():
            conn.execute("CREATE TEMP TABLE made (n int, id uuid, vector text) ON COMMIT DROP")
            with conn.cursor() as cursor, cursor.copy("COPY made FROM STDIN") as copy:
                for n in range(5000):
                    copy.write_row((n, ident("near", n), str(drawn(draw, centres[n % 40]))))
            conn.execute("""
                INSERT INTO convene.sponsors (id, company_name, status)
                SELECT id, 'Sponsor ' || n, CASE WHEN n % 3 = 0 THEN 'churned' ELSE 'prospecting' END FROM made;
                INSERT INTO convene.sponsor_profiles (sponsor_id, objectives_embedding, embedding_model) SELECT id, vector::vector, 'm24' FROM made;
                INSERT INTO convene.events (id, organization_id, title, status, start_at, end_at)
                SELECT id, (SELECT id FROM convene.organizations LIMIT 1), 'Event ' || n, CASE WHEN n % 5 = 0 THEN 'draft' ELSE 'published' END,
                       now() + '1 day', now() + '2 days' FROM made;
                INSERT INTO convene.event_embeddings (event_id, embedding, embedding_model, source_text) SELECT id, vector::vector, 'm24', 'x' FROM made""")
        conn.execute("ANALYZE convene.sponsor_profiles, convene.event_embeddings")
    return event, [drawn(draw, centre) for centre in centres]


EXACT = {
    "find_similar_sponsors": "SELECT p.sponsor_id FROM convene.sponsor_profiles p JOIN convene.sponsors s ON s.id = p.sponsor_id"
                             " WHERE s.status <> 'churned' AND p.embedding_model = 'm24'"
                             " ORDER BY p.objectives_embedding <=> %s::vector, 1 LIMIT %s",
    "find_similar_events": "SELECT x.event_id FROM convene.event_embeddings x WHERE x.event_public AND x.embedding_model = 'm24'"
                           " ORDER BY x.embedding <=> %s::vector, 1 LIMIT %s",
}


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("limit", [1, 10, 60])
def test_the_index_finds_what_comparing_all_finds(conn, market, name, limit):
    """Recall over forty queries; similarities are exact and in order."""
    _, queries = market
    found = wanted = 0
    for query in queries:
        rows = conn.execute(f"SELECT * FROM convene.{name}(%s::real[], %s)", [query, limit]).fetchall()
        exact = {row[0] for row in conn.execute(EXACT[name], [str(query), limit])}
        assert len(rows) == limit
        similarities = [row[-1] for row in rows]
        assert similarities == sorted(similarities, reverse=True)
        found += len(exact & {row[0] for row in rows})
        wanted += limit
    assert found / wanted >= 0.98


def scans(conn, table):
    conn.execute("SELECT pg_stat_force_next_flush()")
    return conn.execute("SELECT idx_scan FROM pg_stat_user_indexes WHERE relname = %s AND indexrelname LIKE '%%m24'", [table]).fetchone()[0]


def test_it_is_the_index_that_is_asked(db, market):
    _, queries = market
    with db.connect() as conn:
        wait_until_alone(conn)
        before = scans(conn, "sponsor_profiles")
        conn.execute("SELECT * FROM convene.find_similar_sponsors(%s::real[], 10)", [queries[0]])
        assert scans(conn, "sponsor_profiles") == before + 1
        # What was set for it is as it was.
        assert conn.execute("SHOW hnsw.ef_search").fetchone() == ("40",)
        assert conn.execute("SELECT current_setting('enable_seqscan'), current_setting('enable_sort')").fetchone() == ("on", "on")


@pytest.mark.parametrize("threshold", [0.97, 0.9, 0.8])
def test_a_threshold_gives_all_that_are_near_enough(conn, market, threshold):
    _, queries = market
    for query in queries[:10]:
        rows = conn.execute("SELECT * FROM convene.find_similar_sponsors(%s::real[], 500, %s)", [query, threshold]).fetchall()
        exact = conn.execute(
            "SELECT count(*) FROM convene.sponsor_profiles p JOIN convene.sponsor_cards c USING (sponsor_id)"
            " WHERE c.audience IS NOT NULL AND 1 - (p.objectives_embedding <=> %s::vector) >= %s", [str(query), threshold]).fetchone()[0]
        assert all(row[-1] >= threshold for row in rows)
        assert exact * 0.98 <= len(rows) <= exact


def test_few_that_count_among_many_are_found(db, market):
    """All but one of a cluster leave the market: what the index gives is not enough, and all are compared."""
    _, queries = market
    with db.connect() as conn, conn.transaction(force_rollback=True):
        conn.execute("UPDATE convene.sponsors SET status = 'churned' WHERE company_name <> 'Sponsor 40'")
        found = conn.execute("SELECT company_name FROM convene.find_similar_sponsors(%s::real[], 3, -1)", [queries[5]]).fetchall()
        assert found == [("Sponsor 40",)]


def test_the_call_of_the_document(conn, market):
    """With three numbers and no model of three dimensions it says both; with one it runs."""
    statement = "SELECT * FROM find_similar_sponsors('[0.1,0.2,0.3]'::vector, 10, 0.7)"
    with conn.transaction(force_rollback=True):
        conn.execute("SET LOCAL search_path = convene, public")
        expect_error(conn, "22023", statement, message="p_embedding has 3 dimensions, model \"text-embedding-ada-002\" has 1536",
                     hint="add_embedding_model")
        conn.execute("SELECT add_embedding_model('three', 3)")
        sponsor = add_sponsor(conn, "Near", model="three", vector=[0.2, 0.4, 0.6])
        add_sponsor(conn, "Far", model="three", vector=[-0.2, 0.4, -0.6])
        assert [(row[0], row[1], round(row[-1], 6)) for row in conn.execute(statement)] == [(sponsor, "Near", 1.0)]


@pytest.mark.parametrize("factor", [1e-44, 1e-30, 1.0, 1e37])
def test_the_length_of_what_is_asked_for_does_not_matter(conn, market, factor):
    with conn.transaction(force_rollback=True):
        conn.execute("SELECT convene.add_embedding_model('three', 3)")
        for name, vector in [("A", [1, 0, 0]), ("B", [1, 1, 0]), ("C", [-1, 0, 0])]:
            add_sponsor(conn, name, model="three", vector=vector)
        found = conn.execute("SELECT company_name, similarity FROM convene.find_similar_sponsors(%s::float8[]::real[], 9, -1, 'three')",
                             [[factor, 0.0, 0.0]]).fetchall()
        assert found == [("A", 1.0), ("B", pytest.approx(0.5 ** 0.5)), ("C", -1.0)]


def test_whoever_organizes_finds_all_and_others_their_own(conn, market):
    event, queries = market
    with conn.transaction(force_rollback=True):
        mine, person = ident("near", 1), ident("near", "person")
        conn.execute("INSERT INTO convene.profiles (id) VALUES (%s)", [person])
        conn.execute("UPDATE convene.sponsors SET profile_id = %s WHERE id = %s", [person, mine])
        statement = "SELECT sponsor_id FROM convene.find_similar_sponsors(%s::real[], 10, -1)"
        for sub, count in ((event.organizer, 10), (person, 1), (event.people[0].sub, 0)):
            with as_role(conn, "authenticated", sub):
                found = conn.execute(statement, [queries[0]]).fetchall()
                assert len(found) == count
                assert len(conn.execute("SELECT FROM convene.find_similar_events(%s::real[], 10, -1)", [queries[0]]).fetchall()) == 10
        assert found == []
        with as_role(conn, "anon"):
            expect_error(conn, "42501", statement, [queries[0]])
            assert conn.execute("SELECT DISTINCT status FROM convene.find_similar_events(%s::real[], 10, -1)", [queries[0]]).fetchall() == [
                ("published",)]


def test_sponsors_for_what_an_event_is(conn, market):
    """Cosines by hand: (1,0,0) with (3,4,0) is .6, with (4,3,0) .8; the one without a direction is nobody's neighbour."""
    event, _ = market
    with conn.transaction(force_rollback=True):
        conn.execute("SELECT convene.add_embedding_model('three', 3)")
        insert(conn, "event_embeddings", event_id=event.id, embedding="[1,0,0]", embedding_model="three", source_text="x")
        near = add_sponsor(conn, "Near", model="three", vector=[4, 3, 0], industry="food")
        far = add_sponsor(conn, "Far", model="three", vector=[3, 4, 0])
        add_sponsor(conn, "Nowhere", model="three", vector=[0, 0, 0])
        match(conn, event.id, far, 0.25)
        with as_role(conn, "authenticated", event.organizer):
            found = conn.execute("SELECT * FROM convene.semantic_sponsor_event_match(%s)", [event.id]).fetchall()
        assert [(row[0], row[1], row[2], round(row[4], 6), row[5] and float(row[5])) for row in found] == [
            (near, "Near", "food", 0.8, None), (far, "Far", None, 0.6, 0.25)]


def test_pgvector_lives_where_it_likes(cluster, template):
    made = cluster.create_database("near_elsewhere")
    try:
        with made.connect() as conn:
            conn.execute("CREATE SCHEMA extensions; CREATE EXTENSION vector SCHEMA extensions; CREATE EXTENSION convene CASCADE")
            conn.execute("SELECT convene.install()")
            conn.execute("SELECT convene.add_embedding_model('three', 3)")
            event = make_event(conn, "elsewhere", sessions=0, attendees=0)
            conn.execute("INSERT INTO convene.event_embeddings (event_id, embedding, embedding_model, source_text)"
                         " VALUES (%s, '[1,0,0]', 'three', 'x')", [event.id])
            sponsor = add_sponsor(conn, "Near", model="three", vector=[4, 3, 0])
            match(conn, event.id, sponsor, 0.5)
            assert conn.execute("SELECT sponsor_id FROM convene.find_similar_sponsors('[1,0,0]'::extensions.vector)").fetchall() == [(sponsor,)]
            assert {row[1] for row in conn.execute("SELECT part, status FROM convene.refresh_marketplace()")} == {"done"}
            assert conn.execute("SELECT semantic_similarity FROM convene.v_semantic_event_recommendations").fetchone()[0] == pytest.approx(0.8)
    finally:
        made.drop()
