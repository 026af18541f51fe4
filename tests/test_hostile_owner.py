"""A hostile owner of the data plants traps in everything that is theirs; whoever calls a function keeps their own rights."""

import psycopg
import pytest

from lib import villain
from lib.cluster import Database
from lib.factory import make_event
from lib.villain import VILLAIN, acting, strikes

pytestmark = pytest.mark.hostile

# Each trap is planted by the owner of the tables in a fresh copy of their database.
TRAPS = {
    "tables become views": """
        DO $$ DECLARE t record; BEGIN
            FOR t IN SELECT relname FROM pg_class WHERE relnamespace = 'convene'::regnamespace AND relkind = 'r'
                     -- Without the first nobody is the service; of the others more is read than a view has.
                     AND relname NOT IN ('schema_version', 'event_revisions', 'event_popularity', 'recommendation_models') LOOP
                EXECUTE format('ALTER TABLE convene.%1$I RENAME TO %2$I; CREATE VIEW convene.%1$I AS
                                SELECT * FROM convene.%2$I WHERE lair.strike(%1$L)', t.relname, t.relname || '_real');
                EXECUTE format('GRANT ALL ON convene.%I TO PUBLIC', t.relname);
            END LOOP; END $$""",
    "the ledger becomes a view": """
        ALTER TABLE convene.schema_version RENAME TO versions;
        CREATE VIEW convene.schema_version AS SELECT * FROM convene.versions WHERE lair.strike('schema_version');
        GRANT ALL ON convene.schema_version TO PUBLIC""",
    "triggers before and after": """
        CREATE FUNCTION lair.before() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM lair.strike('trigger'); RETURN coalesce(NEW, OLD); END $$;
        DO $$ DECLARE t record; BEGIN
            FOR t IN SELECT relname FROM pg_class WHERE relnamespace = 'convene'::regnamespace AND relkind = 'r' LOOP
                EXECUTE format('CREATE TRIGGER aaa BEFORE INSERT OR UPDATE OR DELETE ON convene.%1$I
                                FOR EACH ROW EXECUTE FUNCTION lair.before();
                                CREATE TRIGGER zzz AFTER INSERT OR UPDATE OR DELETE ON convene.%1$I
                                FOR EACH STATEMENT EXECUTE FUNCTION lair.before()', t.relname);
            END LOOP; END $$""",
    "triggers that wait for the end": """
        CREATE FUNCTION lair.later() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM lair.strike('deferred'); RETURN NULL; END $$;
        DO $$ DECLARE t record; BEGIN
            FOR t IN SELECT relname FROM pg_class WHERE relnamespace = 'convene'::regnamespace AND relkind = 'r' LOOP
                EXECUTE format('CREATE CONSTRAINT TRIGGER zzz AFTER INSERT OR UPDATE OR DELETE ON convene.%1$I
                                DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION lair.later()', t.relname);
            END LOOP; END $$""",
    "private functions": """
        CREATE OR REPLACE FUNCTION convene_private.my_profile_id() RETURNS uuid LANGUAGE plpgsql AS $$
        BEGIN PERFORM lair.strike('my_profile_id'); RETURN convene.uid(); END $$;
        CREATE OR REPLACE FUNCTION convene_private.session_text(p_title text, p_description text, p_topics text[]) RETURNS text
            LANGUAGE plpgsql AS $$ BEGIN PERFORM lair.strike('session_text'); RETURN p_title; END $$;
        CREATE OR REPLACE FUNCTION convene_private.index_embedding_model(p_model text, p_dimensions integer) RETURNS text
            LANGUAGE plpgsql AS $$ BEGIN PERFORM lair.strike('index_embedding_model'); RETURN 'x'; END $$;
        CREATE OR REPLACE FUNCTION convene_private.refresh_popularity(p_event_id uuid) RETURNS void
            LANGUAGE plpgsql AS $$ BEGIN PERFORM lair.strike('refresh_popularity'); END $$;
        CREATE OR REPLACE FUNCTION convene_private.touch_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM lair.strike('touch_updated_at'); RETURN NEW; END $$;
        CREATE OR REPLACE FUNCTION convene_private.api_grants() RETURNS TABLE (object text, audience text, privileges text)
            LANGUAGE plpgsql AS $$ BEGIN PERFORM lair.strike('api_grants');
            RETURN QUERY VALUES ('convene.events TO anon; DELETE FROM lair.bait; --', 'service', 'SELECT'); END $$;
        CREATE TABLE lair.bait AS SELECT 1 AS one;
        CREATE FUNCTION lair.eaten() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM lair.strike('injected'); RETURN OLD; END $$;
        CREATE TRIGGER eaten BEFORE DELETE ON lair.bait FOR EACH ROW EXECUTE FUNCTION lair.eaten()""",
    "defaults and checks": """
        CREATE FUNCTION lair.a_time() RETURNS timestamptz LANGUAGE plpgsql AS $$
        BEGIN PERFORM lair.strike('default'); RETURN now(); END $$;
        CREATE FUNCTION lair.fine(anyelement) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
        BEGIN RETURN lair.strike('check'); END $$;
        ALTER TABLE convene.recommendation_history ALTER created_at SET DEFAULT lair.a_time();
        ALTER TABLE convene.settings ALTER updated_at SET DEFAULT lair.a_time();
        ALTER TABLE convene.settings ADD CHECK (lair.fine(key));
        ALTER TABLE convene.embedding_models ADD CHECK (lair.fine(model));
        ALTER TABLE convene.session_interactions ADD CHECK (lair.fine(kind));
        CREATE INDEX trap ON convene.attendee_preferences (lair.fine(event_id));
        ALTER TABLE convene.recommendation_cache ADD more boolean GENERATED ALWAYS AS (lair.fine(fingerprint)) STORED""",
    "rules": """
        CREATE RULE trap AS ON UPDATE TO convene.embedding_queue DO ALSO SELECT lair.strike('rule');
        CREATE RULE trap AS ON UPDATE TO convene.recommendation_history DO ALSO SELECT lair.strike('rule');
        CREATE RULE trap AS ON UPDATE TO convene.embedding_models DO ALSO SELECT lair.strike('rule')""",
    "types with casts of their own": """
        CREATE TYPE lair.words AS (word text);
        CREATE FUNCTION lair.hear(text) RETURNS lair.words LANGUAGE plpgsql AS $$
        BEGIN PERFORM lair.strike('cast'); RETURN ROW($1); END $$;
        CREATE CAST (text AS lair.words) WITH FUNCTION lair.hear(text) AS ASSIGNMENT;
        CREATE FUNCTION lair.is(lair.words, text) RETURNS boolean LANGUAGE plpgsql AS $$
        BEGIN RETURN lair.strike('operator'); END $$;
        CREATE OPERATOR lair.= (FUNCTION = lair.is, LEFTARG = lair.words, RIGHTARG = text);
        ALTER TABLE convene.recommendation_history DROP CONSTRAINT recommendation_history_recommendation_algorithm_check;
        ALTER TABLE convene.recommendation_history ALTER recommendation_algorithm TYPE lair.words
            USING ROW(recommendation_algorithm)::lair.words;
        ALTER TABLE convene.event_materials ALTER category TYPE lair.words USING ROW(category)::lair.words""",
    "operators and functions on the way": """
        CREATE FUNCTION lair.equal(uuid, uuid) RETURNS boolean LANGUAGE plpgsql AS $$
        BEGIN RETURN lair.strike('equal'); END $$;
        CREATE FUNCTION lair.equal(text, text) RETURNS boolean LANGUAGE plpgsql AS $$
        BEGIN RETURN lair.strike('equal'); END $$;
        CREATE OPERATOR lair.= (FUNCTION = lair.equal, LEFTARG = uuid, RIGHTARG = uuid);
        CREATE OPERATOR lair.= (FUNCTION = lair.equal, LEFTARG = text, RIGHTARG = text);
        CREATE OPERATOR convene.= (FUNCTION = lair.equal, LEFTARG = uuid, RIGHTARG = uuid);
        CREATE FUNCTION lair.now() RETURNS timestamptz LANGUAGE plpgsql AS $$
        BEGIN PERFORM lair.strike('now'); RETURN pg_catalog.now(); END $$;
        CREATE FUNCTION lair.format(text, text) RETURNS text LANGUAGE plpgsql AS $$
        BEGIN PERFORM lair.strike('format'); RETURN pg_catalog.format($1, $2); END $$;
        CREATE FUNCTION lair.array_length(anyarray, integer) RETURNS integer LANGUAGE plpgsql AS $$
        BEGIN PERFORM lair.strike('array_length'); RETURN 1; END $$;
        CREATE FUNCTION convene.claim(text, text DEFAULT '') RETURNS text LANGUAGE plpgsql AS $$
        BEGIN PERFORM lair.strike('claim'); RETURN NULL; END $$;
        CREATE FUNCTION convene.uid(VARIADIC text[] DEFAULT '{}') RETURNS uuid LANGUAGE plpgsql AS $$
        BEGIN PERFORM lair.strike('uid'); RETURN NULL; END $$;
        ALTER DATABASE copied SET search_path = lair, convene, public, pg_catalog""",
    "rights and roles in the settings": """
        INSERT INTO convene.settings (key, value, description) VALUES ('api_roles',
            '{"anon": "a\\" SUPERUSER; ALTER ROLE villain SUPERUSER; --", "authenticated": "villain", "service": "x; y"}', '')
        ON CONFLICT (key) DO UPDATE SET value = excluded.value""",
    "values of another shape": """
        ALTER TABLE convene.session_embeddings RENAME TO embeddings_real;
        CREATE VIEW convene.session_embeddings AS
            SELECT session_id, event_id, 'test-model-8'::text AS embedding_model, 4242424242::bigint AS embedding,
                   source_text, topics, format, difficulty_level FROM convene.embeddings_real""",
    "arrays that are none": """
        ALTER TABLE convene.event_popularity DROP CONSTRAINT event_popularity_check, ALTER people TYPE text USING 'many',
            ALTER session_ids TYPE bigint USING 4242424242""",
}
# What must have been stepped on at the least. Of the others nothing is, and the point is that nothing else happens either:
# the server refuses what would wait for the end of the transaction, and so for the caller's rights.
STEPPED_ON = {
    "tables become views": {"attendees", "events", "sessions", "session_embeddings", "settings", "session_interactions",
                            "attendee_preferences", "embedding_queue", "event_materials", "recommendation_history"},
    "the ledger becomes a view": {"schema_version"},
    "triggers before and after": {"trigger"},
    "private functions": {"my_profile_id", "session_text", "index_embedding_model", "refresh_popularity", "touch_updated_at",
                          "api_grants", "injected"},
    "defaults and checks": {"default", "check"},
    "rules": {"rule"},
    "types with casts of their own": {"cast"},
}


@pytest.fixture(scope="module")
def hostile(cluster, template):
    """A database of the villain's, who installed convene there and filled it."""
    with cluster.connect() as connection:
        connection.execute("DROP ROLE IF EXISTS villains_own; DROP ROLE IF EXISTS villain; CREATE ROLE villain LOGIN")
        connection.execute("CREATE DATABASE hostile OWNER villain TEMPLATE template0")
    made = Database(cluster, "hostile")
    with made.connect() as connection:
        connection.execute("CREATE EXTENSION convene CASCADE")
    with made.connect(user=VILLAIN) as connection:
        connection.execute("SELECT convene.install()")
        event = make_event(connection, "copied", sessions=12, embeddings=8, interactions=4, preferences=True)
        connection.execute("INSERT INTO convene.event_materials (event_id, title, category, access_level)"
                           " VALUES (%s, 'Slides', 'x', 'public')", [event.id])
        connection.execute(villain.STRIKE)
    yield made, event
    made.drop()
    with cluster.connect() as connection:
        connection.execute("DROP ROLE villain")


@pytest.fixture
def copy(hostile, cluster):
    """A copy of it for one kind of trap."""
    with cluster.connect() as connection:
        connection.execute("CREATE DATABASE copied OWNER villain TEMPLATE hostile")
    made = Database(cluster, "copied")
    with made.connect(user=VILLAIN) as connection:
        villain.prepare(connection, hostile[1])
    yield made, hostile[1]
    made.drop()


def step_on_everything(connection, event, role, sub):
    """Calls every member as somebody; returns the strikes and how many calls went through."""
    through = 0
    with strikes(connection) as found:
        for name, (arguments, parameters) in villain.every_call(event).items():
            try:
                with acting(connection, role, sub), connection.transaction(force_rollback=True):
                    call(connection, name, arguments, parameters)
                through += 1
            except psycopg.Error as error:
                assert not connection.closed, f"{name} brought the server down: {error}"
    return found, through


# What was never set reads as empty once somebody has set it and it was undone.
TOKEN = "SELECT coalesce(pg_catalog.current_setting('request.jwt.claims', true), '')"


def call(connection, name, arguments, parameters):
    path = connection.execute("SHOW search_path").fetchone()
    token = connection.execute(TOKEN).fetchone()
    connection.execute(f"SELECT * FROM convene.{name}{arguments}", parameters)
    # What the traps set is undone with the call.
    assert connection.execute("SHOW search_path").fetchone() == path
    assert connection.execute(TOKEN).fetchone() == token
    connection.execute("SET CONSTRAINTS ALL IMMEDIATE")


@pytest.mark.parametrize("trap", TRAPS)
def test_nobody_loses_rights_to_the_owner_of_the_data(copy, trap):
    database, event = copy
    with database.connect(user=VILLAIN) as connection:
        connection.execute(TRAPS[trap])
    organizer = event.organizer
    everything = []
    for user, role, sub in (
        ("postgres", None, None), ("postgres", "service_role", None),
        ("postgres", "authenticated", event.people[0].sub), ("postgres", "authenticated", organizer),
        ("postgres", "anon", None),
    ):
        # A session for each: nobody profits from what another's session has loaded.
        with database.connect(user=user) as connection:
            found, _ = step_on_everything(connection, event, role, sub)
            everything += found
            assert villain.harmful(found) == [], f"as {role or user}"
            rights = connection.execute(
                """SELECT rolsuper, rolcreaterole, rolbypassrls,
                          pg_catalog.pg_has_role('villain', 'service_role', 'MEMBER'),
                          pg_catalog.to_regrole('villains_own') FROM pg_catalog.pg_roles WHERE rolname = 'villain'"""
            ).fetchone()
            assert rights == (False, False, False, False, None)
    expected = STEPPED_ON.get(trap, set())
    stepped_on = {strike["how"] for strike in everything}
    assert expected - stepped_on == set(), "without being stepped on a trap shows nothing"
    assert bool(stepped_on) is bool(expected)
    assert {strike["user"] for strike in everything} <= {VILLAIN}


def test_a_trap_would_be_noticed(copy):
    """The trap itself: stepped on with a superuser's rights it takes everything it tries."""
    database, _ = copy
    with database.connect() as connection, strikes(connection) as found:
        with connection.transaction(force_rollback=True):
            connection.execute("SELECT lair.strike('directly')")
        assert len(villain.harmful(found)) == 1
        assert found[0]["superuser"] and len(found[0]["taken"]) >= 6
