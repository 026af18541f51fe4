"""Rules that every table, policy, function and index keeps, read from the catalogue; and that each rule can be broken."""

import pytest

from lib import catalogue
from lib.access import NO_QUERY, PUBLIC_VALUES

OURS = "IN ('convene'::regnamespace, 'convene_private'::regnamespace)"
# A partition is a part of its table, which has the policies, the rights and the words about it.
TABLES = f"relnamespace {OURS} AND relkind IN ('r', 'p') AND NOT relispartition"
# Of these nearly every row that is read is public, so a column that says so is no detour; of other tables it would have the server
# go through all rows for the few that somebody may see.
PROGRAMME = ["venues", "events", "speakers", "sessions", "event_materials", "event_announcements", "session_embeddings",
             "ticket_types", "bundles", "bundle_items", "seat_maps", "goal_complements", "sponsorship_packages", "event_embeddings",
             "event_quality_scores"]

# Rule: a query for its offenders.
RULES = {
    "every table has row security, which its owner escapes": f"""
        SELECT oid::regclass FROM pg_class WHERE relnamespace {OURS} AND relkind IN ('r', 'p')
           AND (NOT relrowsecurity OR relforcerowsecurity)""",
    "every table has a policy": f"""
        SELECT c.oid::regclass FROM pg_class c WHERE {TABLES} AND NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = c.oid)""",
    "partitions carry no policy and are granted to nobody": f"""
        SELECT c.oid::regclass FROM pg_class c WHERE relnamespace {OURS} AND relispartition
           AND (EXISTS (SELECT FROM pg_policy WHERE polrelid = c.oid)
                OR EXISTS (SELECT FROM aclexplode(relacl) r WHERE r.grantee <> relowner)
                OR EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attacl IS NOT NULL))""",
    "materialised views are granted to nobody": f"""
        SELECT c.oid::regclass FROM pg_class c WHERE relnamespace {OURS} AND relkind = 'm'
           AND (EXISTS (SELECT FROM aclexplode(relacl) r WHERE r.grantee <> relowner)
                OR EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attacl IS NOT NULL))""",
    "one permissive policy for a table and verb": """
        SELECT polrelid::regclass FROM pg_policy, unnest(CASE polcmd WHEN '*' THEN '{r,a,w,d}'::"char"[] ELSE ARRAY[polcmd] END) verb
         WHERE polpermissive GROUP BY polrelid, verb HAVING count(*) > 1""",
    "policies are for everybody, so they name no role": "SELECT polname FROM pg_policy WHERE polroles <> '{0}'",
    "policies ask once per query who is there, not once per row": """
        SELECT polrelid::regclass || '.' || polname
          FROM pg_policy, LATERAL (VALUES (pg_get_expr(polqual, polrelid)), (pg_get_expr(polwithcheck, polrelid))) e(expression),
               LATERAL regexp_replace(expression, '(ARRAY|NOT )\\( SELECT convene_private\\.\\w+\\((''\\w+''::text(, )?)*\\) AS \\w+\\)', '', 'g') AS rest
         WHERE rest ~* 'convene|select|current_setting|uid\\(|\\w+\\.\\w+\\('""",
    "a row is everybody's by a column of its own in the programme only, and only to be read": f"""
        SELECT polrelid::regclass || '.' || polname
          FROM pg_policy, LATERAL (VALUES (pg_get_expr(polqual, polrelid)), (pg_get_expr(polwithcheck, polrelid))) e(expression)
         WHERE expression ~ '\\m(event_public|is_public)\\M'
           AND (polcmd <> 'r' OR polrelid <> ALL ('{{{','.join('convene.' + name for name in PROGRAMME)}}}'::regclass[]))""",
    "a bare false or true is the whole policy": """
        SELECT polname FROM pg_policy
         WHERE pg_get_expr(polqual, polrelid) ~ '\\m(true|false)\\M' AND pg_get_expr(polqual, polrelid) NOT IN ('true', 'false')""",
    "no policy is always true for a writer": """
        SELECT polrelid::regclass || '.' || polname FROM pg_policy
         WHERE polpermissive AND polcmd <> 'r'
           AND 'true' IN (pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))""",
    "every column of a policy's array arm has an index that begins with it": """
        SELECT DISTINCT polrelid::regclass || '.' || arm[1]
          FROM pg_policy, LATERAL (VALUES (pg_get_expr(polqual, polrelid)), (pg_get_expr(polwithcheck, polrelid))) e(expression),
               LATERAL regexp_matches(expression, '(\\w+) = ANY \\(ARRAY\\( SELECT', 'g') arm
         WHERE NOT EXISTS (SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
                           WHERE i.indrelid = polrelid AND a.attname = arm[1] AND i.indpred IS NULL)""",
    "definers live in the private schema": """
        SELECT oid::regprocedure FROM pg_proc WHERE prosecdef AND pronamespace = 'convene'::regnamespace""",
    "private functions pin their search_path": """
        SELECT oid::regprocedure FROM pg_proc WHERE pronamespace = 'convene_private'::regnamespace
           AND NOT 'search_path=pg_catalog, pg_temp' = ANY (coalesce(proconfig, '{}'))""",
    # Those of the extension, too, except native ones that give a value and run no query.
    "functions of the extension pin their search_path": f"""
        SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
         WHERE pronamespace = 'convene'::regnamespace AND prokind = 'f'
           AND NOT 'search_path=pg_catalog, pg_temp' = ANY (coalesce(proconfig, '{{}}'))
           AND NOT (l.lanname = 'c' AND proname = ANY ('{{{','.join(sorted(NO_QUERY))}}}'))""",
    "private functions have a comment": """
        SELECT oid::regprocedure FROM pg_proc WHERE pronamespace = 'convene_private'::regnamespace
           AND obj_description(oid, 'pg_proc') IS NULL""",
    "PUBLIC executes values only": f"""
        SELECT p.oid::regprocedure FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) r
         WHERE pronamespace {OURS} AND r.grantee = 0 AND p.proname <> ALL ('{{{','.join(sorted(PUBLIC_VALUES))}}}')""",
    "PUBLIC has no right on a table, a column or a schema": f"""
        SELECT oid::regclass::text FROM pg_class, aclexplode(relacl) r WHERE relnamespace {OURS} AND r.grantee = 0
        UNION ALL SELECT attrelid::regclass::text FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid, aclexplode(attacl) r
         WHERE relnamespace {OURS} AND r.grantee = 0
        UNION ALL SELECT nspname FROM pg_namespace, aclexplode(nspacl) r WHERE oid {OURS} AND r.grantee = 0""",
    "nobody but the owner truncates, references or adds triggers": f"""
        SELECT oid::regclass FROM pg_class, aclexplode(relacl) r WHERE relnamespace {OURS} AND r.grantee <> relowner
           AND r.privilege_type IN ('TRUNCATE', 'REFERENCES', 'TRIGGER')""",
    "every table has a primary key": f"""
        SELECT c.oid::regclass FROM pg_class c WHERE relnamespace {OURS} AND relkind IN ('r', 'p')
           AND NOT EXISTS (SELECT FROM pg_index WHERE indrelid = c.oid AND indisprimary)""",
    "every foreign key has an index that begins with a column of it": f"""
        SELECT k.conrelid::regclass || '.' || conname FROM pg_constraint k WHERE k.connamespace {OURS} AND contype = 'f'
           AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = k.conrelid
                           -- A key never looks for null.
                           AND coalesce(pg_get_expr(i.indpred, i.indrelid) = format('(%s IS NOT NULL)', (
                                 SELECT quote_ident(attname) FROM pg_attribute
                                  WHERE attrelid = k.conrelid AND attnum = (i.indkey::int2[])[0])), true)
                           AND (i.indkey::int2[])[0] = ANY (k.conkey)
                           -- The whole key, or the part of it that is as selective: an id before its event and organization.
                           AND ((i.indkey::int2[])[0:cardinality(conkey) - 1] @> k.conkey
                                OR (i.indkey::int2[])[0] = k.conkey[1] AND cardinality(conkey) IN (2, 3)))""",
    "no foreign keys form a cycle": f"""
        WITH RECURSIVE reached AS (
            SELECT conrelid AS origin, confrelid AS target FROM pg_constraint WHERE connamespace {OURS} AND contype = 'f'
            UNION SELECT r.origin, k.confrelid FROM reached r JOIN pg_constraint k ON k.conrelid = r.target AND k.contype = 'f')
        SELECT origin::regclass FROM reached WHERE origin = target""",
    "no index repeats another": f"""
        SELECT a.indexrelid::regclass || ' repeats ' || b.indexrelid::regclass
          FROM pg_index a JOIN pg_index b ON a.indrelid = b.indrelid AND a.indexrelid <> b.indexrelid
          JOIN pg_class ca ON ca.oid = a.indexrelid JOIN pg_class cb ON cb.oid = b.indexrelid AND cb.relam = ca.relam
         WHERE ca.relnamespace {OURS} AND NOT a.indisunique
           AND a.indkey::text || ' ' = left(b.indkey::text || ' ', length(a.indkey::text) + 1)
           AND a.indclass::text || ' ' = left(b.indclass::text || ' ', length(a.indclass::text) + 1)
           AND a.indoption::text || ' ' = left(b.indoption::text || ' ', length(a.indoption::text) + 1)
           AND a.indexprs::text IS NOT DISTINCT FROM b.indexprs::text
           AND pg_get_expr(a.indpred, a.indrelid) IS NOT DISTINCT FROM pg_get_expr(b.indpred, b.indrelid)
           AND pg_get_indexdef(a.indexrelid, 1, true) = pg_get_indexdef(b.indexrelid, 1, true)""",
    "every index is valid": f"""
        SELECT indexrelid::regclass FROM pg_index JOIN pg_class c ON c.oid = indrelid WHERE relnamespace {OURS} AND NOT indisvalid""",
    "every table has a comment": f"""
        SELECT oid::regclass FROM pg_class WHERE ({TABLES} OR relnamespace {OURS} AND relkind IN ('v', 'm'))
           AND obj_description(oid, 'pg_class') IS NULL""",
    "views ask as the one who reads": f"""
        SELECT oid::regclass FROM pg_class WHERE relnamespace {OURS} AND relkind = 'v'
           AND NOT coalesce('security_invoker=true' = ANY (reloptions), false)""",
    "updated_at is kept by the one trigger": f"""
        SELECT attrelid::regclass FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
         WHERE {TABLES} AND attname = 'updated_at' AND c.relname <> 'event_popularity'
           AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = attrelid
                           AND tgfoid = 'convene_private.touch_updated_at()'::regprocedure AND tgtype & 16 = 16)""",
    "moments have a time zone": f"""
        SELECT attrelid::regclass || '.' || attname FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
         WHERE {TABLES} AND attnum > 0 AND atttypid IN ('timestamp'::regtype, 'timetz'::regtype)""",
    # Whether the word is created_at or one that fits better. Counters and what is rewritten as a whole have no such moment.
    "every row says when it was made": f"""
        SELECT c.oid::regclass FROM pg_class c WHERE relnamespace {OURS} AND relkind IN ('r', 'p') AND NOT relispartition
           AND relname NOT IN ('event_revisions', 'meeting_day_counts', 'session_weights')
           AND NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attnotnull AND atttypid = 'timestamptz'::regtype
                           AND attname IN ('created_at', 'queued_at', 'at', 'applied_at', 'started_at', 'ran_at', 'computed_at',
                                           'trained_at', 'assigned_at', 'received_at'))""",
    "nothing needs a sequence": f"SELECT oid::regclass FROM pg_class WHERE relnamespace {OURS} AND relkind = 'S'",
    "no type is made": f"""
        SELECT t.oid::regtype FROM pg_type t WHERE typnamespace {OURS} AND typtype IN ('d', 'e', 'r')""",
}

# How to break each rule, and the offender that must be found.
BROKEN = {
    "every table has row security, which its owner escapes": ("ALTER TABLE convene.venues FORCE ROW LEVEL SECURITY", "venues"),
    "every table has a policy": ("DROP POLICY service_only ON convene.settings", "settings"),
    "partitions carry no policy and are granted to nobody": (
        "GRANT SELECT (id) ON convene.post_views_default TO authenticated", "post_views_default"),
    "materialised views are granted to nobody": (
        "CREATE MATERIALIZED VIEW convene.m AS SELECT 1 AS one; GRANT SELECT ON convene.m TO service_role", "convene.m"),
    "one permissive policy for a table and verb": ("CREATE POLICY more ON convene.venues USING (false)", "venues"),
    "policies are for everybody, so they name no role": ("CREATE POLICY more ON convene.venues TO anon USING (true)", "more"),
    "policies ask once per query who is there, not once per row": (
        "CREATE POLICY more ON convene.venues USING (organization_id IN (SELECT convene_private.my_organization_ids()))", "more"),
    "a row is everybody's by a column of its own in the programme only, and only to be read": (
        "ALTER POLICY events_update ON convene.events USING (is_public)", "events.events_update"),
    "a bare false or true is the whole policy": ("CREATE POLICY more ON convene.venues USING (name = 'x' OR true IS NULL)", "more"),
    "no policy is always true for a writer": (
        "ALTER POLICY venues_update ON convene.venues WITH CHECK (true)", "venues.venues_update"),
    "every column of a policy's array arm has an index that begins with it": (
        "DROP INDEX convene.idx_venues_organization", "convene.venues.organization_id"),
    "definers live in the private schema": (
        "CREATE FUNCTION convene.f() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'SELECT 1'",
        "f()"),
    "private functions pin their search_path": (
        "ALTER FUNCTION convene_private.my_attendee_ids() SET search_path = public", "my_attendee_ids"),
    "functions of the extension pin their search_path": ("ALTER FUNCTION convene.health() RESET search_path", "health"),
    "private functions have a comment": ("COMMENT ON FUNCTION convene_private.my_attendee_ids() IS NULL", "my_attendee_ids"),
    "PUBLIC executes values only": ("GRANT EXECUTE ON FUNCTION convene.embed_pending(int) TO PUBLIC", "embed_pending"),
    "PUBLIC has no right on a table, a column or a schema": ("GRANT SELECT (id) ON convene.venues TO PUBLIC", "venues"),
    "nobody but the owner truncates, references or adds triggers": ("GRANT TRUNCATE ON convene.venues TO service_role", "venues"),
    "every table has a primary key": ("CREATE TABLE convene.keyless (id int)", "keyless"),
    "every foreign key has an index that begins with a column of it": ("DROP INDEX convene.idx_events_venue", "events_venue_id_fkey"),
    "no foreign keys form a cycle": (
        "ALTER TABLE convene.venues ADD headquarters uuid REFERENCES convene.venues", "venues"),
    "no index repeats another": ("CREATE INDEX more ON convene.sessions (event_id)", "more"),
    "every index is valid": ("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'convene.idx_events_venue'::regclass",
                             "idx_events_venue"),
    "every table has a comment": ("COMMENT ON TABLE convene.venues IS NULL", "venues"),
    "views ask as the one who reads": ("CREATE VIEW convene.v AS SELECT 1 AS one", "convene.v"),
    "updated_at is kept by the one trigger": ("DROP TRIGGER venues_touch ON convene.venues", "venues"),
    "moments have a time zone": ("ALTER TABLE convene.venues ADD at timestamp", "venues.at"),
    "every row says when it was made": ("ALTER TABLE convene.venues DROP created_at", "venues"),
    "nothing needs a sequence": ("ALTER TABLE convene.venues ADD number int GENERATED ALWAYS AS IDENTITY", "venues_number_seq"),
    "no type is made": ("CREATE DOMAIN convene.d AS int", "convene.d"),
}


def offenders(conn, rule):
    return [str(row[0]) for row in conn.execute(RULES[rule])]


@pytest.mark.parametrize("rule", RULES)
def test_rule(conn, rule):
    assert offenders(conn, rule) == []


@pytest.mark.parametrize("rule", RULES)
def test_rule_can_be_broken(conn, rule):
    breach, offender = BROKEN[rule]
    with conn.transaction(force_rollback=True):
        conn.execute(breach)
        assert [found for found in offenders(conn, rule) if offender in found]


GRANTED = """
WITH audiences(audience, role) AS (VALUES ('anon', 'anon'), ('anon', 'authenticated'), ('anon', 'service_role'),
        ('authenticated', 'authenticated'), ('authenticated', 'service_role'), ('service', 'service_role'))
SELECT DISTINCT role || ' ' || trim(privilege) || ' ' || object
FROM (SELECT audience, 'convene.' || signature AS object, 'EXECUTE' AS privileges FROM convene.surface() WHERE audience <> 'public'
      UNION ALL SELECT audience, split_part(object, '(', 1) || coalesce('.' || c.name, ''), privileges
      FROM convene_private.api_grants()
      LEFT JOIN LATERAL unnest(string_to_array(trim(trailing ')' FROM split_part(object, '(', 2)), ',')) c(name) ON object LIKE '%(%'
      WHERE privileges <> 'EXECUTE'
      UNION ALL SELECT audience, object, privileges FROM convene_private.api_grants() WHERE privileges = 'EXECUTE') listed
JOIN audiences USING (audience), unnest(string_to_array(privileges, ',')) privilege
"""
HELD = f"""
WITH held AS (
    SELECT r.grantee, r.privilege_type, nspname::text AS object FROM pg_namespace, aclexplode(nspacl) r WHERE oid {OURS}
    UNION ALL SELECT r.grantee, r.privilege_type, oid::regclass::text FROM pg_class, aclexplode(relacl) r WHERE relnamespace {OURS}
    UNION ALL SELECT r.grantee, r.privilege_type, attrelid::regclass || '.' || attname
      FROM pg_attribute JOIN pg_class c ON c.oid = attrelid, aclexplode(attacl) r WHERE relnamespace {OURS}
    UNION ALL SELECT r.grantee, r.privilege_type,
                     pronamespace::regnamespace || '.' || proname || '(' || replace(oidvectortypes(proargtypes), ', ', ',') || ')'
      FROM pg_proc, aclexplode(proacl) r WHERE pronamespace {OURS})
SELECT grantee::regrole || ' ' || privilege_type || ' ' || object FROM held
WHERE grantee::regrole::text IN ('anon', 'authenticated', 'service_role')"""


def test_the_roles_hold_what_the_two_lists_say_and_nothing_else(conn):
    listed = {row[0] for row in conn.execute(GRANTED)}
    held = {row[0] for row in conn.execute(HELD)}
    assert len(listed) > 150
    assert sorted(listed ^ held) == []


def test_the_list_of_grants_names_every_table(conn):
    named = {row[0] for row in conn.execute(
        "SELECT object FROM convene_private.api_grants() WHERE audience = 'service' AND privileges NOT IN ('EXECUTE', 'USAGE')")}
    assert named == set(catalogue.tables(conn, "rpv"))
