-- Who changed what, when, and by which token; and what is known of a person, where it is, and what becomes of it when the
-- person is erased.

-- Pseudonyms. The key is what keeps anybody from trying out all telephone numbers; whoever deletes it makes what was
-- erased anonymous for good.
INSERT INTO convene.settings (key, value, description)
SELECT 'erasure.key', to_jsonb(encode(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 'hex')),
       'Secret of this installation: what is left of an erased person is hashed with it';

CREATE FUNCTION convene_private.pseudonym(p_value text) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    -- Hashed twice under the key, so that nothing can be appended to what was hashed.
    SELECT 'erased-' || left(encode(sha256(k.key || sha256(k.key || convert_to(p_value, 'UTF8'))), 'hex'), 32)
    FROM (SELECT convert_to(s.value #>> '{}', 'UTF8') AS key FROM convene.settings s WHERE s.key = 'erasure.key') k
$$;
COMMENT ON FUNCTION convene_private.pseudonym(text) IS 'The keyed hash that stands for an erased value; the same for the same value';

CREATE FUNCTION convene_private.pseudonym_id(p_id uuid) RETURNS uuid
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT right(convene_private.pseudonym(p_id::text), 32)::uuid
$$;
COMMENT ON FUNCTION convene_private.pseudonym_id(uuid) IS 'The keyed hash that stands for an erased person''s id, as an id';

CREATE TABLE convene.audit_log (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    transaction bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
    actor_id uuid,
    actor_role text NOT NULL,
    login text NOT NULL,
    token jsonb CHECK (jsonb_typeof(token) = 'object'),
    reason text,
    table_name text NOT NULL,
    row_id uuid,
    row_key jsonb CHECK (jsonb_typeof(row_key) = 'object'),
    organization_id uuid,
    event_id uuid,
    action text NOT NULL CHECK (action IN ('insert', 'update', 'delete', 'erase')),
    changes jsonb NOT NULL CHECK (jsonb_typeof(changes) = 'object'),
    redacted_at timestamptz
);
COMMENT ON TABLE convene.audit_log IS 'What was changed in the tables that matter, one row per row changed; written by triggers, never rewritten. No foreign keys: what happened stays true when the row is gone';
COMMENT ON COLUMN convene.audit_log.transaction IS 'Number of the transaction, which tells what was changed together; of the server that wrote it';
COMMENT ON COLUMN convene.audit_log.actor_id IS 'The signed-in person; null for the service and for whoever has no token';
COMMENT ON COLUMN convene.audit_log.actor_role IS 'The role that the statement was sent as, before any function changed it';
COMMENT ON COLUMN convene.audit_log.login IS 'The role that the connection signed in as';
COMMENT ON COLUMN convene.audit_log.token IS 'Of the token''s claims those that tell which one it was: sub, role, iss, jti, session_id';
COMMENT ON COLUMN convene.audit_log.reason IS 'Why, where the function that changed it said so by the setting convene.reason';
COMMENT ON COLUMN convene.audit_log.row_key IS 'The key of a row whose key is not an id';
COMMENT ON COLUMN convene.audit_log.action IS 'erase: a person was erased; row_id is the pseudonym of their id, changes the report';
COMMENT ON COLUMN convene.audit_log.changes IS 'Of each column that changed the value before and after: {"status": {"old": "open", "new": "upheld"}}';
COMMENT ON COLUMN convene.audit_log.redacted_at IS 'When values of an erased person were replaced by keyed hashes; null: all is as it was written';
CREATE INDEX idx_audit_log_row ON convene.audit_log (row_id, at);
CREATE INDEX idx_audit_log_actor ON convene.audit_log (actor_id, at) WHERE actor_id IS NOT NULL;
CREATE INDEX idx_audit_log_event ON convene.audit_log (event_id, at) WHERE event_id IS NOT NULL;
CREATE INDEX idx_audit_log_at ON convene.audit_log USING brin (at);
ALTER TABLE convene.audit_log ENABLE ROW LEVEL SECURITY;
CREATE POLICY service_only ON convene.audit_log USING (false);

-- Append-only. The one change that is let through cannot say anything new: a value stays, or becomes its own keyed hash.

CREATE FUNCTION convene_private.is_redaction(p_old jsonb, p_new jsonb) RETURNS boolean
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF p_new IS NOT DISTINCT FROM p_old OR p_new = to_jsonb(convene_private.pseudonym(p_old #>> '{}')) THEN
        RETURN true;
    END IF;
    IF jsonb_typeof(p_old) IS DISTINCT FROM 'object' OR jsonb_typeof(p_new) IS DISTINCT FROM 'object' THEN
        RETURN false;
    END IF;
    RETURN (SELECT bool_and(o.key IS NOT NULL AND n.key IS NOT NULL AND convene_private.is_redaction(o.value, n.value))
            FROM jsonb_each(p_old) o FULL JOIN jsonb_each(p_new) n ON n.key = o.key);
END $$;
COMMENT ON FUNCTION convene_private.is_redaction(jsonb, jsonb) IS 'Whether the second differs from the first only by values that became their keyed hashes';

-- Definer: whoever tries has no right to the functions.
CREATE FUNCTION convene_private.guard_audit() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    redactable CONSTANT text[] := '{changes,token,row_key,actor_id,redacted_at}';
BEGIN
    IF NEW.redacted_at IS NULL OR NEW.redacted_at < OLD.redacted_at
       OR (to_jsonb(NEW) - redactable) <> (to_jsonb(OLD) - redactable)
       OR NOT convene_private.is_redaction(OLD.changes, NEW.changes)
       OR NOT convene_private.is_redaction(OLD.token, NEW.token)
       OR NOT convene_private.is_redaction(OLD.row_key, NEW.row_key)
       OR (NEW.actor_id IS DISTINCT FROM OLD.actor_id
           AND NEW.actor_id IS DISTINCT FROM convene_private.pseudonym_id(OLD.actor_id)) THEN
        RAISE EXCEPTION 'audit_log is append-only'
            USING ERRCODE = '42501', DETAIL = 'Values of it may be replaced by their keyed hashes, and nothing else.',
                  HINT = 'convene.erase_person() does that for a person.';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.guard_audit() IS 'Lets a redaction through and no other change';
CREATE TRIGGER audit_log_guard BEFORE UPDATE ON convene.audit_log
    FOR EACH ROW EXECUTE FUNCTION convene_private.guard_audit();
CREATE TRIGGER audit_log_keep BEFORE DELETE OR TRUNCATE ON convene.audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.refuse_rewrite();

-- Late-bound, and never in the way: rows are written while the extension is away, and while a token is not one.
CREATE FUNCTION convene_private.request_actor(OUT actor_id uuid, OUT token jsonb)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF to_regprocedure('convene.uid()') IS NULL OR to_regprocedure('convene.claim(text)') IS NULL THEN
        RETURN;
    END IF;
    actor_id := convene.uid();
    SELECT nullif(jsonb_strip_nulls(jsonb_object_agg(c.name, left(convene.claim(c.name), 200))), '{}') INTO token
    FROM unnest('{sub,role,iss,jti,session_id}'::text[]) c(name);
EXCEPTION WHEN OTHERS THEN
    actor_id := NULL;
    token := '{"unreadable": true}';
END $$;
COMMENT ON FUNCTION convene_private.request_actor() IS 'Who is signed in, and which token says so; of a token that cannot be read just that';

-- Definer: nobody may write the log. Arguments: the columns of the key; those to record, none meaning all; those not to.
-- No join of old rows with new ones: a plan cached for one row would join thousands in a nested loop.
CREATE FUNCTION convene_private.record_changes() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    key_columns CONSTANT text[] := TG_ARGV[0];
    recorded CONSTANT text[] := TG_ARGV[1];
    left_out CONSTANT text[] := TG_ARGV[2];
    by_id CONSTANT boolean := key_columns = '{id}';
    -- The column that an organization or event would be found by, were it a part of one.
    organization CONSTANT text := CASE TG_TABLE_NAME WHEN 'organizations' THEN 'id' ELSE 'organization_id' END;
    event CONSTANT text := CASE TG_TABLE_NAME WHEN 'events' THEN 'id' ELSE 'event_id' END;
    -- Settings that are secrets are known by their names; of them only that they changed is recorded.
    secret CONSTANT text := CASE TG_TABLE_NAME WHEN 'settings' THEN '(key|secret|token|password)$' END;
    acting CONSTANT text := coalesce(nullif(current_setting('role', true), 'none'), session_user);
    why CONSTANT text := nullif(current_setting('convene.reason', true), '');
    who record;
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NOT EXISTS (SELECT FROM new_rows) THEN RETURN NULL; END IF;
    ELSIF NOT EXISTS (SELECT FROM old_rows) THEN
        RETURN NULL;
    END IF;
    SELECT * INTO who FROM convene_private.request_actor();
    IF TG_OP = 'INSERT' THEN
        INSERT INTO convene.audit_log (actor_id, actor_role, login, token, reason, table_name, row_id, row_key,
                                       organization_id, event_id, action, changes)
        SELECT who.actor_id, acting, session_user, who.token, why, TG_TABLE_NAME,
               CASE WHEN by_id THEN (p.row ->> 'id')::uuid END,
               CASE WHEN NOT by_id THEN (SELECT jsonb_object_agg(k.name, p.row -> k.name) FROM unnest(key_columns) k(name)) END,
               (p.row ->> organization)::uuid, (p.row ->> event)::uuid, 'insert', d.changes
        FROM (SELECT to_jsonb(n) AS row FROM new_rows n) p,
             LATERAL (SELECT jsonb_object_agg(c.key, jsonb_build_object('new', c.value)) AS changes
                      FROM jsonb_each(p.row - left_out - CASE WHEN p.row ->> 'key' ~ secret THEN 'value' ELSE '' END) c
                      WHERE c.value <> 'null' AND (recorded = '{}' OR c.key = ANY (recorded))) d
        WHERE d.changes IS NOT NULL;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO convene.audit_log (actor_id, actor_role, login, token, reason, table_name, row_id, row_key,
                                       organization_id, event_id, action, changes)
        SELECT who.actor_id, acting, session_user, who.token, why, TG_TABLE_NAME,
               CASE WHEN by_id THEN (p.row ->> 'id')::uuid END,
               CASE WHEN NOT by_id THEN (SELECT jsonb_object_agg(k.name, p.row -> k.name) FROM unnest(key_columns) k(name)) END,
               (p.row ->> organization)::uuid, (p.row ->> event)::uuid, 'delete', coalesce(d.changes, '{}')
        FROM (SELECT to_jsonb(o) AS row FROM old_rows o) p,
             LATERAL (SELECT jsonb_object_agg(c.key, jsonb_build_object('old', c.value)) AS changes
                      FROM jsonb_each(p.row - left_out - CASE WHEN p.row ->> 'key' ~ secret THEN 'value' ELSE '' END) c
                      WHERE c.value <> 'null' AND (recorded = '{}' OR c.key = ANY (recorded))) d;
    ELSE
        INSERT INTO convene.audit_log (actor_id, actor_role, login, token, reason, table_name, row_id, row_key,
                                       organization_id, event_id, action, changes)
        SELECT who.actor_id, acting, session_user, who.token, why, TG_TABLE_NAME,
               CASE WHEN by_id THEN (p.row ->> 'id')::uuid END,
               CASE WHEN NOT by_id THEN (SELECT jsonb_object_agg(k.name, p.row -> k.name) FROM unnest(key_columns) k(name)) END,
               (p.row ->> organization)::uuid, (p.row ->> event)::uuid, 'update', coalesce(d.changes, '{}')
        -- A row whose key changed is two of them: what went and what came.
        FROM (SELECT v.old, v.new, coalesce(v.new, v.old) AS row
              FROM (SELECT (array_agg(r.row) FILTER (WHERE NOT r.is_new))[1] AS old,
                           (array_agg(r.row) FILTER (WHERE r.is_new))[1] AS new
                    FROM (SELECT to_jsonb(o) AS row, false AS is_new FROM old_rows o
                          UNION ALL SELECT to_jsonb(n), true FROM new_rows n) r
                    GROUP BY CASE WHEN by_id THEN r.row ->> 'id'
                                  ELSE (SELECT jsonb_object_agg(k.name, r.row -> k.name)::text
                                        FROM unnest(key_columns) k(name)) END) v
              WHERE v.old IS DISTINCT FROM v.new) p,
             LATERAL (SELECT jsonb_object_agg(c.key, jsonb_build_object('old', p.old -> c.key, 'new', p.new -> c.key)) AS changes
                      FROM jsonb_each(p.row - left_out - CASE WHEN p.row ->> 'key' ~ secret THEN 'value' ELSE '' END) c
                      WHERE p.old -> c.key IS DISTINCT FROM p.new -> c.key AND (recorded = '{}' OR c.key = ANY (recorded))) d
        WHERE d.changes IS NOT NULL OR (p.row ->> 'key' ~ secret AND p.old -> 'value' IS DISTINCT FROM p.new -> 'value');
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION convene_private.record_changes() IS 'Writes what a statement changed into the log';

CREATE FUNCTION convene_private.audit_table(p_table text, p_recorded text[] DEFAULT '{}', p_left_out text[] DEFAULT '{}',
                                            p_actions text[] DEFAULT '{insert,update,delete}') RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- What says nothing, and what must not be copied: secrets, and vectors as long as a page.
    never CONSTANT text[] := '{id,created_at,updated_at,password_hash,qr_token,lease_token,embedding,objectives_embedding}';
    key_columns text[];
    action text;
BEGIN
    SELECT array_agg(a.attname::text ORDER BY k.place) INTO STRICT key_columns
    FROM pg_index i, unnest(i.indkey::int2[]) WITH ORDINALITY k(number, place), pg_attribute a
    WHERE i.indrelid = format('convene.%I', p_table)::regclass AND i.indisprimary
      AND a.attrelid = i.indrelid AND a.attnum = k.number;
    FOREACH action IN ARRAY p_actions LOOP
        EXECUTE format('CREATE TRIGGER %I AFTER %s ON convene.%I REFERENCING %s FOR EACH STATEMENT '
                       'EXECUTE FUNCTION convene_private.record_changes(%L, %L, %L)',
                       p_table || '_audit_' || action, action, p_table,
                       CASE action WHEN 'insert' THEN 'NEW TABLE AS new_rows' WHEN 'delete' THEN 'OLD TABLE AS old_rows'
                                   ELSE 'OLD TABLE AS old_rows NEW TABLE AS new_rows' END,
                       key_columns, p_recorded, never || p_left_out);
    END LOOP;
END $$;
COMMENT ON FUNCTION convene_private.audit_table(text, text[], text[], text[]) IS 'Puts a table under the log: all columns or those to record, without those to leave out';

SELECT convene_private.audit_table(t.name, t.recorded::text[], t.left_out::text[], t.actions::text[])
FROM (VALUES
    ('settings', '{}', '{}', '{insert,update,delete}'),
    ('scoring_weights', '{}', '{}', '{insert,update,delete}'),
    ('embedding_models', '{}', '{}', '{insert,update,delete}'),
    ('organizations', '{}', '{}', '{insert,update,delete}'),
    ('organization_members', '{}', '{}', '{insert,update,delete}'),
    ('roles', '{}', '{}', '{insert,update,delete}'),
    ('users', '{}', '{last_login_at,failed_login_attempts}', '{insert,update,delete}'),
    ('person_reports', '{}', '{}', '{insert,update,delete}'),
    ('events', '{}', '{}', '{insert,update,delete}'),
    ('attendees', '{sponsor_consent,status,profile_id,email}', '{}', '{insert,update,delete}')
) t(name, recorded, left_out, actions);
