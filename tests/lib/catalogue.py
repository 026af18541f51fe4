"""What a database consists of, object by object, in words that do not depend on ids or on the order of making.

    before = catalogue.objects(conn)
    ...
    assert catalogue.difference(before, catalogue.objects(conn)) == []
"""

# Objects of the system, of other extensions, and those that the server makes by itself are nobody's to compare.
OWN = """
own_schemas AS (
    SELECT oid, nspname FROM pg_catalog.pg_namespace
    WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'),
foreign_members AS (
    SELECT d.classid, d.objid FROM pg_catalog.pg_depend d
    JOIN pg_catalog.pg_extension e ON d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.refobjid = e.oid
    WHERE d.deptype = 'e' AND e.extname <> 'convene'),
own_classes AS (
    SELECT c.* FROM pg_catalog.pg_class c JOIN own_schemas n ON n.oid = c.relnamespace
    WHERE NOT EXISTS (SELECT FROM foreign_members f
                      WHERE f.classid = 'pg_catalog.pg_class'::regclass AND f.objid = c.oid)),
own_functions AS (
    SELECT p.* FROM pg_catalog.pg_proc p JOIN own_schemas n ON n.oid = p.pronamespace
    WHERE p.prokind <> 'a'
      AND NOT EXISTS (SELECT FROM foreign_members f
                      WHERE f.classid = 'pg_catalog.pg_proc'::regclass AND f.objid = p.oid))"""


def _rights(acl, kind, owner):
    """Every right with its grantee, sorted; a list that was never touched reads as the default that it stands for."""
    return f"""ARRAY(SELECT r.grantee::regrole::text || ' ' || r.privilege_type || CASE WHEN r.is_grantable THEN ' *' ELSE '' END
                           || ' by ' || r.grantor::regrole
                     FROM pg_catalog.aclexplode(coalesce({acl}, pg_catalog.acldefault('{kind}', {owner}))) r ORDER BY 1)"""


def _comment(oid, catalog):
    return f"coalesce(pg_catalog.obj_description({oid}, '{catalog}'), '')"


# Kind of object: a query for name and definition.
QUERIES = {
    "extension": """SELECT e.extname, e.extversion || ' in ' || n.nspname FROM pg_catalog.pg_extension e
                    JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace""",
    "schema": f"""SELECT n.nspname, concat_ws(' | ', n.nspowner::regrole, {_rights('n.nspacl', 'n', 'n.nspowner')},
                         {_comment('n.oid', 'pg_namespace')})
                  FROM pg_catalog.pg_namespace n JOIN own_schemas USING (oid) WHERE n.nspname <> 'public'""",
    "relation": f"""SELECT c.oid::regclass, concat_ws(' | ', c.relkind, c.relpersistence, c.relowner::regrole,
                           {_rights('c.relacl', 'r', 'c.relowner')}, c.relrowsecurity, c.relforcerowsecurity,
                           c.reloptions, c.relreplident, pg_catalog.pg_get_partkeydef(c.oid),
                           pg_catalog.pg_get_expr(c.relpartbound, c.oid), {_comment('c.oid', 'pg_class')})
                    FROM own_classes c WHERE c.relkind NOT IN ('i', 'I', 'c')""",
    # Of tables and of indexes.
    "partition": """SELECT c.oid::regclass, i.inhparent::regclass FROM own_classes c JOIN pg_catalog.pg_inherits i
                    ON i.inhrelid = c.oid""",
    "view": """SELECT c.oid::regclass, pg_catalog.pg_get_viewdef(c.oid) FROM own_classes c WHERE c.relkind IN ('v', 'm')""",
    "column": """SELECT c.oid::regclass || '.' || a.attname,
                        concat_ws(' | ', a.attnum, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
                                  a.attgenerated, a.attstorage, a.attcollation::regcollation,
                                  pg_catalog.pg_get_expr(d.adbin, d.adrelid),
                                  ARRAY(SELECT x::text FROM unnest(a.attacl) x ORDER BY 1),
                                  pg_catalog.col_description(c.oid, a.attnum))
                 FROM own_classes c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                 LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
                 WHERE c.relkind NOT IN ('i', 'I')""",
    "constraint": f"""SELECT c.oid::regclass || '.' || k.conname,
                             concat_ws(' | ', k.contype, k.convalidated, pg_catalog.pg_get_constraintdef(k.oid),
                                       {_comment('k.oid', 'pg_constraint')})
                      FROM own_classes c JOIN pg_catalog.pg_constraint k ON k.conrelid = c.oid""",
    "index": f"""SELECT c.oid::regclass, concat_ws(' | ', pg_catalog.pg_get_indexdef(c.oid), i.indisvalid, i.indisclustered,
                        i.indisreplident, {_comment('c.oid', 'pg_class')})
                 FROM own_classes c JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid""",
    "trigger": f"""SELECT c.oid::regclass || '.' || t.tgname,
                          concat_ws(' | ', pg_catalog.pg_get_triggerdef(t.oid), t.tgenabled, {_comment('t.oid', 'pg_trigger')})
                   FROM own_classes c JOIN pg_catalog.pg_trigger t ON t.tgrelid = c.oid WHERE NOT t.tgisinternal""",
    "policy": f"""SELECT c.oid::regclass || '.' || p.polname,
                         concat_ws(' | ', p.polcmd, p.polpermissive, ARRAY(SELECT CASE r WHEN 0 THEN 'public'
                                   ELSE r::regrole::text END FROM unnest(p.polroles) r ORDER BY 1),
                                   pg_catalog.pg_get_expr(p.polqual, p.polrelid), 'check',
                                   pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid), {_comment('p.oid', 'pg_policy')})
                  FROM own_classes c JOIN pg_catalog.pg_policy p ON p.polrelid = c.oid""",
    "function": f"""SELECT p.oid::regprocedure, concat_ws(' | ', pg_catalog.pg_get_functiondef(p.oid), p.proowner::regrole,
                           {_rights('p.proacl', 'f', 'p.proowner')}, {_comment('p.oid', 'pg_proc')})
                    FROM own_functions p""",
    "rule": """SELECT c.oid::regclass || '.' || r.rulename, pg_catalog.pg_get_ruledef(r.oid)
               FROM own_classes c JOIN pg_catalog.pg_rewrite r ON r.ev_class = c.oid WHERE r.rulename <> '_RETURN'""",
    "type": f"""SELECT t.oid::regtype, concat_ws(' | ', t.typtype, t.typowner::regrole, {_comment('t.oid', 'pg_type')})
                FROM pg_catalog.pg_type t JOIN own_schemas n ON n.oid = t.typnamespace
                WHERE t.typtype IN ('d', 'e', 'r') OR (t.typtype = 'c' AND EXISTS (
                    SELECT FROM own_classes c WHERE c.oid = t.typrelid AND c.relkind = 'c'))""",
    "default right": """SELECT concat_ws(' ', a.defaclrole::regrole, a.defaclnamespace::regnamespace, a.defaclobjtype),
                               ARRAY(SELECT x::text FROM unnest(a.defaclacl) x ORDER BY 1)::text
                        FROM pg_catalog.pg_default_acl a""",
    "event trigger": "SELECT evtname, concat_ws(' ', evtevent, evtfoid::regprocedure, evtenabled) FROM pg_catalog.pg_event_trigger",
    "member": """SELECT pg_catalog.pg_describe_object(d.classid, d.objid, 0), e.extname
                 FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e
                   ON d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.refobjid = e.oid
                 WHERE d.deptype = 'e' AND e.extname = 'convene'""",
}


def objects(conn, *kinds):
    """Every object as {(kind, name): definition}; of the given kinds only, where some are given."""
    found = {}
    with conn.transaction():
        conn.execute("SET LOCAL search_path = pg_catalog, pg_temp")
        # Bounds of partitions are told in the session's time zone.
        conn.execute("SET LOCAL timezone = 'UTC'")
        for kind in kinds or QUERIES:
            for name, definition in conn.execute(f"WITH {OWN} SELECT q.* FROM ({QUERIES[kind]}) q(name, definition)"):
                found[kind, str(name)] = str(definition)
    return found


def difference(before, after):
    """What is missing, new or another, one line each."""
    lines = []
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key):
            lines.append(f"{' '.join(key)}: {before.get(key, '(nothing)')} -> {after.get(key, '(nothing)')}")
    return lines


def tables(conn, kinds="rpm", schema="convene"):
    """Names of the tables (and materialised views) of a schema, qualified. A partitioned table stands for its partitions."""
    rows = conn.execute(
        """SELECT format('%%I.%%I', n.nspname, c.relname)
           FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
           WHERE n.nspname = %s AND c.relkind::text = ANY (%s) AND NOT c.relispartition ORDER BY 1""",
        [schema, list(kinds)],
    )
    return [row[0] for row in rows]


def checksums(conn, names=None):
    """{table: (rows, digest of all rows)}; the order of the rows does not matter."""
    found = {}
    with conn.transaction():
        conn.execute("SET LOCAL timezone = 'UTC'")
        conn.execute("SET LOCAL datestyle = 'ISO'")
        for name in names or tables(conn):
            found[name] = conn.execute(
                f"SELECT count(*), md5(coalesce(string_agg(md5(t::text), '' ORDER BY md5(t::text)), '')) FROM {name} t"
            ).fetchone()
    return found


MEMBERS = """
members AS (
    SELECT p.* FROM pg_catalog.pg_depend d
    JOIN pg_catalog.pg_extension e ON d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.refobjid = e.oid
    JOIN pg_catalog.pg_proc p ON p.oid = d.objid
    WHERE d.deptype = 'e' AND e.extname = 'convene' AND d.classid = 'pg_catalog.pg_proc'::regclass)"""

# Whatever depends on a member, directly or through others: what DROP EXTENSION ... CASCADE would take along. What is an
# internal part of something (the rule of a view) takes that along as well.
DEPENDENTS = f"""
WITH RECURSIVE {MEMBERS},
edges AS (
    SELECT classid, objid, objsubid, refclassid, refobjid, refobjsubid FROM pg_catalog.pg_depend WHERE deptype <> 'e'
  UNION ALL
    SELECT refclassid, refobjid, refobjsubid, classid, objid, objsubid FROM pg_catalog.pg_depend WHERE deptype = 'i'),
dependents AS (
    SELECT e.classid, e.objid, e.objsubid FROM edges e
    WHERE e.refclassid = 'pg_catalog.pg_proc'::regclass AND e.refobjid IN (SELECT oid FROM members)
       OR e.refclassid = 'pg_catalog.pg_extension'::regclass
          AND e.refobjid = (SELECT oid FROM pg_catalog.pg_extension WHERE extname = 'convene')
  UNION
    SELECT e.classid, e.objid, e.objsubid FROM edges e
    JOIN dependents d ON e.refclassid = d.classid AND e.refobjid = d.objid
      AND (d.objsubid = 0 OR e.refobjsubid IN (0, d.objsubid)))
SELECT DISTINCT pg_catalog.pg_describe_object(classid, objid, objsubid) FROM dependents ORDER BY 1"""


def dependents(conn):
    """Descriptions of the objects that depend on the extension or on one of its members."""
    return [row[0] for row in conn.execute(DEPENDENTS)]
