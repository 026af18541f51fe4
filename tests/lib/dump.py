"""A database with rows in every table and with things of its users' own, for dumping."""

from .factory import ident, make_world
from .filler import fill_everything
from .filler_values import AWKWARD

# What users add to tables that are not theirs alone, each in the way that a dump has trouble with.
USERS_OWN = r"""
CREATE TYPE public.mood AS ENUM ('calm', 'busy');
CREATE DOMAIN public.short_text AS text CHECK (length(VALUE) < 100);
ALTER TABLE convene.sessions ADD COLUMN mood public.mood DEFAULT 'calm',
                             ADD COLUMN label public.short_text,
                             ADD COLUMN title_length integer GENERATED ALWAYS AS (length(title)) STORED,
                             ADD CONSTRAINT label_is_not_empty CHECK (label <> '');
UPDATE convene.sessions SET mood = 'busy', label = 'label of ' || room WHERE difficulty_level <> 'expert';
CREATE INDEX own_sessions_label ON convene.sessions (lower(label)) WHERE label IS NOT NULL;
CREATE INDEX own_embeddings ON convene.session_embeddings (event_id) INCLUDE (embedding_model);
CREATE STATISTICS public.own_statistics ON event_id, room FROM convene.sessions;
CREATE POLICY own_reporting ON convene.sessions AS RESTRICTIVE FOR SELECT TO reporting USING (mood = 'busy');

CREATE TABLE public.changes (at timestamptz DEFAULT now(), what text, session_id uuid);
CREATE FUNCTION public.note_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.changes (what, session_id) VALUES (TG_OP, NEW.id);
    RETURN NEW;
END $$;
CREATE TRIGGER own_changes AFTER UPDATE ON convene.sessions FOR EACH ROW
    WHEN (OLD.mood IS DISTINCT FROM NEW.mood) EXECUTE FUNCTION public.note_change();
UPDATE convene.sessions SET mood = 'calm' WHERE difficulty_level = 'expert' AND mood = 'busy';
UPDATE convene.sessions SET mood = 'busy' WHERE difficulty_level = 'expert';
ALTER TABLE convene.profiles DISABLE TRIGGER profiles_touch;

CREATE TABLE public.ratings_abroad (
    session_id uuid REFERENCES convene.sessions ON DELETE CASCADE, attendee_id uuid REFERENCES convene.attendees,
    stars integer, PRIMARY KEY (session_id, attendee_id));
ALTER TABLE public.ratings_abroad ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON public.ratings_abroad
    USING (attendee_id = ANY (ARRAY(SELECT convene_private.my_attendee_ids())));
INSERT INTO public.ratings_abroad
SELECT s.id, a.id, 4 FROM convene.sessions s JOIN convene.attendees a USING (event_id) WHERE s.room = 'Room 1';

ALTER TABLE convene.event_impressions ADD COLUMN own_note text DEFAULT 'none',
                                      ADD CONSTRAINT own_note_is_short CHECK (length(own_note) < 9);
CREATE INDEX own_impressions ON convene.event_impressions (own_note, created_at);
CREATE TRIGGER own_impressions AFTER UPDATE ON convene.event_impressions FOR EACH ROW
    WHEN (NEW.own_note = 'told') EXECUTE FUNCTION public.note_change();
UPDATE convene.event_impressions SET own_note = source WHERE length(source) < 9;
UPDATE convene.event_impressions SET own_note = 'told' WHERE impressions % 5 = 0;
CREATE TABLE convene.event_impressions_2020 PARTITION OF convene.event_impressions
    FOR VALUES FROM ('2020-01-01 00:00+00') TO ('2021-01-01 00:00+00');
INSERT INTO convene.event_impressions (event_id, created_at) SELECT id, '2020-02-29 12:00+00' FROM convene.events LIMIT 3;
CREATE TABLE public.clicks (impression uuid, at timestamptz,
    FOREIGN KEY (impression, at) REFERENCES convene.event_impressions (id, created_at) ON DELETE CASCADE);
INSERT INTO public.clicks SELECT id, created_at FROM convene.event_impressions WHERE impressions % 3 = 0;

CREATE VIEW public.titles WITH (security_invoker) AS
    SELECT s.id, s.title, e.title AS event, s.mood FROM convene.sessions s JOIN convene.events e ON e.id = s.event_id;
CREATE VIEW public.my_rows AS SELECT a.* FROM convene.attendees a WHERE a.profile_id = convene.uid();
CREATE MATERIALIZED VIEW public.per_room AS
    SELECT room, count(*) AS sessions, array_agg(title ORDER BY title) AS titles FROM convene.sessions GROUP BY room;
CREATE UNIQUE INDEX per_room_key ON public.per_room (room);
CREATE MATERIALIZED VIEW convene.nearest AS
    SELECT e.session_id, (SELECT o.session_id FROM convene.session_embeddings o
                          WHERE o.session_id <> e.session_id AND o.embedding_model = e.embedding_model
                          ORDER BY o.embedding OPERATOR(extensions.<=>) e.embedding, o.session_id LIMIT 1) AS nearest
    FROM convene.session_embeddings e;
CREATE VIEW public.seen AS SELECT event_id, sum(impressions) AS times FROM convene.event_impressions_p GROUP BY event_id;
CREATE MATERIALIZED VIEW public.balances AS
    SELECT account, currency, sum(amount_cents) AS cents FROM convene.ledger GROUP BY account, currency;
CREATE RULE own_rule AS ON DELETE TO public.titles DO INSTEAD NOTHING;

GRANT USAGE ON SCHEMA convene TO reporting;
GRANT SELECT ON convene.sessions, public.titles TO reporting WITH GRANT OPTION;
GRANT SELECT (id, title), UPDATE (city) ON convene.events TO reporting;
GRANT SELECT ON convene.event_impressions, public.seen TO reporting;
GRANT INSERT (title, organization_id) ON convene.events TO reporting;
GRANT EXECUTE ON FUNCTION convene_private.my_attended_event_ids(), convene_private.my_staffed_event_ids(),
    convene.recommendation_metrics(uuid) TO reporting;
REVOKE SELECT ON convene.venues FROM anon;
ALTER DEFAULT PRIVILEGES IN SCHEMA convene GRANT SELECT ON TABLES TO reporting;
COMMENT ON COLUMN convene.sessions.mood IS 'How it feels; the user''s own';
COMMENT ON TABLE convene.venues IS 'Our own words about venues';
"""


def fill(conn):
    """Two events that recommendations are asked of, and a hundred rows in every table; returns the events."""
    alpha, beta = make_world(conn, sessions=16, attendees=4, embeddings=8, interactions=5, preferences=True)
    conn.execute(
        "INSERT INTO convene.schema_version VALUES ('0.0.1', 'before', '2020-01-01', 'somebody')"
    )
    conn.execute("SELECT convene.add_embedding_model('large', 3000), convene.add_embedding_model('huge', 10000)")
    for event in (alpha, beta):
        _fill_event(conn, event)
    conn.execute("SELECT convene.embed_pending(), convene.adopt_copy()")
    conn.execute("SELECT convene.claim_embedding_jobs(2)")
    fill_everything(conn, 100)
    # A restore fills them from the rows of its tables, so here they are to be up to date.
    conn.execute("REFRESH MATERIALIZED VIEW convene.mv_event_quality_scores")
    conn.execute("REFRESH MATERIALIZED VIEW convene.mv_sponsor_event_fit_scores")
    return alpha, beta


def _fill_event(conn, event):
    speaker = ident(event.label, "speaker")
    values = {"event": event.id, "speaker": speaker, "text": AWKWARD, "session": event.sessions[0],
              "second": event.sessions[1], "person": event.people[0].id}
    for statement in (
        "INSERT INTO convene.speakers (id, event_id, full_name, bio, speaker_fee) VALUES (%(speaker)s, %(event)s, 'S', %(text)s, 12.5)",
        "UPDATE convene.sessions SET speaker_id = %(speaker)s, description = %(text)s WHERE id = %(session)s",
        "INSERT INTO convene.event_materials (event_id, session_id, title, tags)"
        " VALUES (%(event)s, %(session)s, %(text)s, ARRAY[%(text)s, '', NULL])",
        "INSERT INTO convene.scoring_weights (surface, name, event_id, weights)"
        " VALUES ('recommendations', 'ours', %(event)s, '{\"few\": {\"content\": 2}}')",
        "UPDATE convene.attendee_preferences SET interaction_history = jsonb_build_object('k', %(text)s::text) WHERE attendee_id = %(person)s",
        "SELECT convene.refresh_event_recommendations(%(event)s, true)",
        "INSERT INTO convene.session_weights VALUES"
        " (%(event)s, %(session)s, ARRAY[%(second)s]::uuid[], '{0.1}', '{7}', 'ease') ON CONFLICT DO NOTHING",
        "SELECT convene.serve_session_recommendations(%(person)s, %(event)s)",
        "SELECT convene.submit_recommendation_feedback((SELECT id FROM convene.recommendation_history"
        " WHERE attendee_id = %(person)s LIMIT 1), 'rated', 5)",
        "UPDATE convene.profiles SET bio = %(text)s WHERE id = (SELECT profile_id FROM convene.attendees WHERE id = %(person)s)",
    ):
        conn.execute(statement, values)


def recommendations(conn, events):
    """Everything that the recommender answers to everybody, at one moment."""
    asked = {}
    for event in events:
        for person in event.people:
            for algorithm in ("hybrid", "content_based", "collaborative_filtering", "popularity"):
                asked[person.name, event.label, algorithm] = conn.execute(
                    "SELECT * FROM convene.get_session_recommendations(%s, %s, 20, %s, %s)",
                    [person.id, event.id, algorithm, event.starts],
                ).fetchall()
        asked["similar", event.label] = conn.execute(
            "SELECT * FROM convene.find_similar_sessions(%s)", [event.sessions[0]]
        ).fetchall()
    return asked
