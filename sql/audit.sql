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
    derived text[];
    action text;
BEGIN
    derived := ARRAY(SELECT a.attname::text FROM pg_attribute a
                     WHERE a.attrelid = format('convene.%I', p_table)::regclass AND a.attgenerated <> '');
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
                       key_columns, p_recorded, never || derived || p_left_out);
    END LOOP;
END $$;
COMMENT ON FUNCTION convene_private.audit_table(text, text[], text[], text[]) IS 'Puts a table under the log: all columns or those to record, without those to leave out';

-- The tables that matter: what decides rights and results, consent, who somebody is, and money. Columns: those to record, none
-- meaning all; those to leave out because they are counted all the time; and what is recorded, none meaning every change.
SELECT convene_private.audit_table(t.name, t.recorded::text[], t.left_out::text[], t.actions::text[])
FROM (VALUES
    ('settings', '{}', '{}', '{insert,update,delete}'),
    ('scoring_weights', '{}', '{}', '{insert,update,delete}'),
    ('embedding_models', '{}', '{}', '{insert,update,delete}'),
    ('models', '{is_active}', '{}', '{update}'),
    ('organizations', '{}', '{}', '{insert,update,delete}'),
    ('organization_members', '{}', '{}', '{insert,update,delete}'),
    ('roles', '{}', '{}', '{insert,update,delete}'),
    ('users', '{}', '{last_login_at,failed_login_attempts}', '{insert,update,delete}'),
    ('person_reports', '{}', '{}', '{insert,update,delete}'),
    ('events', '{}', '{}', '{insert,update,delete}'),
    ('attendees', '{sponsor_consent,status,profile_id,email}', '{}', '{insert,update,delete}'),
    ('contacts', '{marketing_consent,email_consent,sms_consent,phone_consent,status,assigned_to,profile_id,email}', '{}',
     '{insert,update,delete}'),
    ('contractors', '{cross_event_opt_in,messages_stopped_at,profile_id}', '{}', '{insert,update,delete}'),
    ('event_attendees', '{peer_matching_opt_in,opted_out_at,muted_until}', '{}', '{insert,update,delete}'),
    ('matches', '{status}', '{}', '{update}'),
    ('meetings', '{status}', '{}', '{update}'),
    ('orders', '{}', '{}', '{insert,update,delete}'),
    ('tickets', '{}', '{}', '{insert,update,delete}'),
    ('vouchers', '{}', '{usage_count}', '{insert,update,delete}'),
    ('promoters', '{}', '{total_sales,total_commission,total_events}', '{insert,update,delete}'),
    ('promoter_commissions', '{}', '{}', '{insert,update,delete}'),
    ('sponsors', '{}', '{total_leads_collected,total_booth_visits,total_interactions,engagement_score,projected_roi,actual_roi,'
        'satisfaction_score,renewal_likely,renewal_probability}', '{insert,update,delete}'),
    ('sponsorship_packages', '{}', '{sold,view_count,order_count,conversion_rate,stats_refreshed_at}', '{insert,update,delete}'),
    ('event_sponsorships', '{status,package_id,amount_cents,currency,cancellation_reason}', '{}', '{insert,update,delete}'),
    ('sponsorship_orders', '{}', '{}', '{insert,update,delete}'),
    ('sponsorship_deliverables', '{}', '{}', '{insert,update,delete}'),
    ('sponsorship_payouts', '{}', '{}', '{insert,update,delete}'),
    ('payout_configurations', '{}', '{}', '{insert,update,delete}'),
    ('ledger', '{}', '{}', '{insert}'),
    ('stripe_events', '{status,order_id,payout_id}', '{}', '{update}')
) t(name, recorded, left_out, actions);

-- A person. How rows come to be a person's, and what becomes of them, in two lists that erase_person() and export_person()
-- go by. Who adds a table or a column that may tell something of a person adds it here; a test finds those that are missing.
--
-- refers_to is the table whose ids the column holds (table.column: ids that this column of the person's rows holds), or
-- 'email' or 'phone' for an address of theirs. What a row is:
--   own      the person's; stays, and personal_columns() says what is left of it
--   delete   the person's; goes
--   cascade  the person's; goes with the row that it belongs to
--   null     somebody else's; no longer says who it was
--   address  somebody else's that gives the person's address as theirs; that becomes a pseudonym
--   keep     somebody else's; goes on naming a row of the person's that is left
--   scrub    somebody else's; the person's ids, names and addresses in it become pseudonyms
--   prune    somebody else's; elements of the list that have to do with the person go
-- place: where a row could name several people the first one named is it; 0: each of them.
CREATE FUNCTION convene_private.personal_links()
    RETURNS TABLE (table_name text, column_name text, refers_to text, meaning text, place integer, exported boolean)
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    VALUES
    -- Whatever names a user or a sponsor: the first is left as a row without a name, the second is a company.
    ('*', '*', 'users', 'keep', 0, false),
    ('*', '*', 'sponsors', 'keep', 0, false),

    -- Identity. Blocks and reports against the person stay between their authors and the organizers.
    ('profiles', 'id', 'profiles', 'delete', 0, true),
    ('organization_members', 'profile_id', 'profiles', 'delete', 0, true),
    ('users', 'profile_id', 'profiles', 'own', 1, true),
    ('users', 'email', 'email', 'own', 2, true),
    ('users', 'email', 'email', 'address', 0, false),
    ('person_blocks', 'blocker_profile', 'profiles', 'delete', 0, true),
    ('person_blocks', 'blocked_profile', 'profiles', 'delete', 0, false),
    ('person_reports', 'reported_profile', 'profiles', 'delete', 0, false),
    ('person_reports', 'reporter_profile', 'profiles', 'own', 0, true),
    ('person_reports', 'handled_by', 'profiles', 'null', 0, false),

    -- Events.
    ('events', 'organizer_id', 'profiles', 'null', 0, false),
    ('speakers', 'contact_id', 'contacts', 'own', 0, true),
    ('sessions', 'speaker_id', 'speakers', 'keep', 0, false),
    ('attendees', 'profile_id', 'profiles', 'own', 1, true),
    ('attendees', 'contact_id', 'contacts', 'own', 2, true),
    ('attendees', 'email', 'email', 'own', 2, true),
    ('attendees', 'email', 'email', 'address', 0, false),
    ('event_feedback', 'attendee_id', 'attendees', 'own', 0, true),

    -- CRM.
    ('contacts', 'profile_id', 'profiles', 'own', 1, true),
    ('contacts', 'id', 'attendees.contact_id', 'own', 2, true),
    ('contacts', 'email', 'email', 'own', 2, true),
    ('contacts', 'email', 'email', 'address', 0, false),
    ('companies', 'primary_contact_id', 'contacts', 'null', 0, false),
    ('leads', 'contact_id', 'contacts', 'own', 0, true),
    ('opportunities', 'contact_id', 'contacts', 'own', 1, true),
    ('opportunities', 'lead_id', 'leads', 'own', 2, true),
    ('interactions', 'contact_id', 'contacts', 'delete', 1, true),
    ('interactions', 'opportunity_id', 'opportunities', 'delete', 2, true),
    ('notes', 'contact_id', 'contacts', 'delete', 1, true),
    ('notes', 'opportunity_id', 'opportunities', 'delete', 2, true),
    ('notes', 'interaction_id', 'interactions', 'delete', 3, true),
    ('tasks', 'contact_id', 'contacts', 'delete', 1, true),
    ('tasks', 'opportunity_id', 'opportunities', 'delete', 2, true),
    ('campaign_recipients', 'contact_id', 'contacts', 'own', 0, true),

    -- Ticketing. A ticket that was passed on is its holder's.
    ('orders', 'profile_id', 'profiles', 'own', 1, true),
    ('orders', 'contact_id', 'contacts', 'own', 2, true),
    ('orders', 'buyer_email', 'email', 'own', 2, true),
    ('orders', 'buyer_email', 'email', 'address', 0, false),
    ('orders', 'opportunity_id', 'opportunities', 'keep', 0, false),
    ('orders', 'promoter_id', 'promoters', 'keep', 0, false),
    ('order_items', 'order_id', 'orders', 'own', 0, true),
    ('tickets', 'attendee_id', 'attendees', 'own', 1, true),
    ('tickets', 'holder_email', 'email', 'own', 2, true),
    ('tickets', 'holder_email', 'email', 'address', 0, false),
    ('tickets', 'order_id', 'orders', 'own', 3, true),
    ('tickets', 'order_item_id', 'order_items', 'keep', 0, false),
    ('voucher_redemptions', 'profile_id', 'profiles', 'own', 1, true),
    ('voucher_redemptions', 'email', 'email', 'own', 2, true),
    ('voucher_redemptions', 'email', 'email', 'address', 0, false),
    ('voucher_redemptions', 'order_id', 'orders', 'own', 3, true),
    ('promoters', 'contact_id', 'contacts', 'own', 1, true),
    ('promoters', 'email', 'email', 'own', 2, true),
    ('promoters', 'email', 'email', 'address', 0, false),
    ('promoter_commissions', 'promoter_id', 'promoters', 'own', 0, true),
    ('promoter_commissions', 'order_id', 'orders', 'keep', 0, false),
    ('promoter_commissions', 'ticket_id', 'tickets', 'keep', 0, false),
    ('check_ins', 'attendee_id', 'attendees', 'own', 0, true),
    ('check_ins', 'ticket_id', 'tickets', 'keep', 0, false),
    ('seat_assignments', 'attendee_id', 'attendees', 'own', 1, true),
    ('seat_assignments', 'ticket_id', 'tickets', 'own', 2, true),
    ('waitlist_entries', 'profile_id', 'profiles', 'delete', 1, true),
    ('waitlist_entries', 'attendee_id', 'attendees', 'delete', 2, true),
    ('waitlist_entries', 'email', 'email', 'delete', 3, true),
    ('waitlist_entries', 'email', 'email', 'address', 0, false),
    ('waitlist_entries', 'order_id', 'orders', 'keep', 0, false),
    ('session_registrations', 'attendee_id', 'attendees', 'delete', 0, true),

    -- Recommendation.
    ('attendee_preferences', 'attendee_id', 'attendees', 'delete', 0, true),
    ('session_interactions', 'attendee_id', 'attendees', 'delete', 0, true),
    ('recommendation_cache', 'attendee_id', 'attendees', 'delete', 0, false),
    ('recommendation_history', 'attendee_id', 'attendees', 'delete', 0, true),
    ('recommendation_history', 'recommended_item_id', 'matches', 'keep', 0, false),
    ('experiment_assignments', 'unit_id', 'attendees', 'delete', 0, true),
    ('experiment_assignments', 'unit_id', 'profiles', 'delete', 0, true),

    -- Networking. What two people had to do with each other goes; a meeting frees the other one's time.
    ('networking_preferences', 'attendee_id', 'attendees', 'delete', 0, true),
    ('matches', 'attendee_1_id', 'attendees', 'delete', 0, true),
    ('matches', 'attendee_2_id', 'attendees', 'delete', 0, true),
    ('matches', 'declined_by', 'attendees', 'keep', 0, false),
    ('matches', 'meeting_id', 'meetings', 'keep', 0, false),
    ('meetings', 'attendee_1_id', 'attendees', 'delete', 0, true),
    ('meetings', 'attendee_2_id', 'attendees', 'delete', 0, true),
    ('meetings', 'match_id', 'matches', 'keep', 0, false),
    ('meetings', 'proposed_by', 'attendees', 'keep', 0, false),
    ('meetings', 'cancelled_by', 'attendees', 'keep', 0, false),
    ('meeting_bookings', 'meeting_id', 'meetings', 'cascade', 0, false),
    ('meeting_bookings', 'attendee_id', 'attendees', 'cascade', 0, true),
    ('meeting_bookings', 'person_id', 'attendees', 'cascade', 0, true),
    ('meeting_bookings', 'person_id', 'profiles', 'cascade', 0, true),
    ('meeting_places', 'meeting_id', 'meetings', 'cascade', 0, false),
    ('meeting_day_counts', 'person_id', 'attendees', 'delete', 0, true),
    ('meeting_day_counts', 'person_id', 'profiles', 'delete', 0, true),
    ('meeting_schedule_drafts', 'created_by', 'profiles', 'null', 0, false),
    ('meeting_schedule_drafts', 'meetings', 'attendees', 'prune', 0, false),
    ('meeting_schedule_drafts', 'report', 'attendees', 'scrub', 0, false),
    ('meeting_schedule_drafts', 'parameters', 'attendees', 'scrub', 0, false),
    ('networking_connections', 'requester_id', 'attendees', 'delete', 0, true),
    ('networking_connections', 'target_id', 'attendees', 'delete', 0, true),

    -- Peers. Messages that spoke to somebody else of the person go too. Those that came from their number and are nobody's go, but
    -- are in nobody's copy: a number is what people wrote, and it may be another one's.
    ('contractors', 'profile_id', 'profiles', 'delete', 1, true),
    ('contractors', 'email', 'email', 'delete', 2, true),
    ('contractors', 'email', 'email', 'address', 0, false),
    ('event_attendees', 'contractor_id', 'contractors', 'delete', 0, true),
    ('event_attendees', 'attendee_id', 'attendees', 'null', 0, false),
    ('event_peer_matches', 'contractor1_id', 'contractors', 'delete', 0, true),
    ('event_peer_matches', 'contractor2_id', 'contractors', 'delete', 0, true),
    ('peer_messages', 'contractor_id', 'contractors', 'delete', 1, true),
    ('peer_messages', 'phone', 'phone', 'delete', 2, false),
    ('peer_messages', 'match_id', 'event_peer_matches', 'delete', 0, false),
    ('peer_messages', 'question_id', 'peer_messages', 'keep', 0, false),

    -- Sponsorship. A sponsor is a company: what it says of its contact goes where that is the person.
    ('sponsors', 'profile_id', 'profiles', 'null', 0, false),
    ('sponsors', 'contact_id', 'contacts', 'null', 0, false),
    ('sponsors', 'primary_contact_email', 'email', 'own', 1, true),
    ('sponsors', 'primary_contact_email', 'email', 'address', 0, false),
    ('sponsors', 'profile_id', 'profiles', 'own', 2, true),
    ('sponsors', 'contact_id', 'contacts', 'own', 3, true),

    -- Signals.
    ('event_impressions', 'profile_id', 'profiles', 'own', 0, true),
    ('ticket_analytics', 'profile_id', 'profiles', 'own', 0, true),
    ('post_views', 'profile_id', 'profiles', 'own', 0, true),

    -- Leads.
    ('lead_scoring', 'attendee_id', 'attendees', 'delete', 0, true),
    ('lead_scoring', 'assigned_to', 'email', 'null', 0, false),
    ('lead_interactions', 'attendee_id', 'attendees', 'delete', 0, true),
    ('lead_interactions', 'recorded_by', 'profiles', 'null', 0, false),

    -- Money.
    ('sponsorship_orders', 'ordered_by', 'profiles', 'null', 0, false),
    ('sponsorship_deliverables', 'completed_by', 'profiles', 'null', 0, false),
    ('stripe_events', 'payload', 'email', 'scrub', 0, false)
$$;
COMMENT ON FUNCTION convene_private.personal_links() IS 'Which columns lead from a person to rows, and what those rows are to the person';

-- Treatments: keep; null; empty (a list or an object); false; redact (text that must be there); pseudonym (a keyed hash);
-- email (one that looks like an address); =word: that word.
CREATE FUNCTION convene_private.personal_columns() RETURNS TABLE (table_name text, column_name text, treatment text)
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT t.table_name, c.name, t.treatment
    FROM (VALUES
        ('users', 'null', '{profile_id,username,phone,password_hash,department,notification_preferences,last_login_at,locked_until}'),
        ('users', '=Erased', '{first_name}'),
        ('users', '=Person', '{last_name}'),
        ('users', 'email', '{email}'),
        ('users', '=inactive', '{status}'),
        ('users', 'keep', '{timezone,language}'),
        ('person_reports', 'null', '{reporter_profile,details}'),
        ('person_reports', 'keep', '{reason,status}'),
        ('speakers', 'null', '{full_name,bio,years_experience,presentation_title,presentation_description,'
            'presentation_slides_url,website_url,linkedin_url,twitter_handle,company_affiliation,travel_arrangements,'
            'accommodation_needs,headshot_url,bio_image_url,video_intro_url}'),
        ('speakers', 'empty', '{expertise_areas,certifications,handout_materials,dietary_restrictions}'),
        ('speakers', 'keep', '{contact_id,status}'),
        ('attendees', 'null', '{profile_id,contact_id,full_name,email,job_title,company_name}'),
        ('attendees', 'false', '{sponsor_consent}'),
        ('attendees', 'keep', '{status}'),
        ('event_feedback', 'null', '{comments,suggestions,best_aspects,improvement_areas,session_comments}'),
        ('event_feedback', 'keep', '{attendee_id}'),
        ('contacts', 'null', '{profile_id,phone,date_of_birth,gender,address_line1,address_line2,city,state_province,postal_code,'
            'country,job_title,company_id,industry,annual_income_range,last_contacted_at,last_event_attended_at}'),
        ('contacts', '=Erased', '{first_name}'),
        ('contacts', '=Person', '{last_name}'),
        ('contacts', 'email', '{email}'),
        ('contacts', '=deleted', '{status}'),
        ('contacts', 'false', '{marketing_consent,email_consent,sms_consent,phone_consent}'),
        ('contacts', 'keep', '{contact_type,lead_source}'),
        ('leads', 'null', '{budget_range,decision_timeline,requirements}'),
        ('leads', 'empty', '{decision_makers,pain_points}'),
        ('leads', 'keep', '{contact_id,lead_source,lead_status,currency,expected_close_date}'),
        ('opportunities', 'redact', '{name,win_reason,loss_reason}'),
        ('opportunities', 'null', '{description,competitor}'),
        ('opportunities', 'keep', '{contact_id,lead_id,stage,currency,sales_methodology,expected_close_date,actual_close_date}'),
        ('campaign_recipients', 'keep', '{contact_id,status}'),
        ('orders', 'null', '{profile_id,buyer_name,buyer_phone,status_reason,notes}'),
        ('orders', 'email', '{buyer_email}'),
        ('orders', 'empty', '{billing_address,metadata}'),
        ('orders', 'pseudonym', '{idempotency_key}'),
        ('orders', 'keep', '{contact_id,order_number,channel,status,currency,payment_method,stripe_checkout_session_id,'
            'stripe_payment_intent_id,stripe_charge_id}'),
        ('order_items', 'keep', '{order_id,name}'),
        ('tickets', 'null', '{holder_name}'),
        ('tickets', 'email', '{holder_email}'),
        ('tickets', 'keep', '{attendee_id,order_id,qr_token,status}'),
        ('voucher_redemptions', 'null', '{profile_id}'),
        ('voucher_redemptions', 'email', '{email}'),
        ('voucher_redemptions', 'keep', '{order_id,currency,status}'),
        ('promoters', 'null', '{company_name,tax_id,phone,email,address}'),
        ('promoters', 'pseudonym', '{promoter_code}'),
        ('promoters', 'empty', '{permissions}'),
        ('promoters', '=inactive', '{status}'),
        ('promoters', 'keep', '{contact_id,commission_type,currency}'),
        ('promoter_commissions', 'null', '{payment_reference}'),
        ('promoter_commissions', 'keep', '{promoter_id,currency,status}'),
        ('check_ins', 'null', '{check_in_location,device_id,ip_address,user_agent,validation_notes}'),
        ('check_ins', 'keep', '{attendee_id,check_in_method}'),
        ('seat_assignments', 'empty', '{accessibility_needs,dietary_restrictions}'),
        ('seat_assignments', 'keep', '{attendee_id,ticket_id,section_name,seat_label}'),
        ('sponsors', 'null', '{primary_contact_name,primary_contact_email,primary_contact_phone}'),
        ('sponsors', 'keep', '{company_name,company_website,industry,company_size,brand_values,sponsorship_tier,currency,'
            'contract_signed_date,contract_url,payment_schedule,status,payment_status,fulfilment_status,benefits_included,'
            'deliverables,logo_placement,speaking_opportunities,logo_url,website_url,marketing_materials,social_media_links,'
            'notes,tags,custom_fields}'),
        ('event_impressions', 'null', '{profile_id,visitor_key,country,region,age_bucket}'),
        ('event_impressions', 'keep', '{source}'),
        ('ticket_analytics', 'null', '{profile_id,visitor_key}'),
        ('ticket_analytics', 'keep', '{source,currency}'),
        ('post_views', 'null', '{profile_id,visitor_key,mention_text}'),
        ('post_views', 'keep', '{post_id,platform}')
    ) t(table_name, treatment, columns), unnest(t.columns::text[]) c(name)
$$;
COMMENT ON FUNCTION convene_private.personal_columns() IS 'What becomes of the columns of an erased person''s rows, where the row stays';

-- What a person's own copy of their rows leaves out: secrets, and what others wrote for others.
CREATE FUNCTION convene_private.withheld_columns() RETURNS TABLE (table_name text, column_name text)
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    VALUES ('users', 'password_hash'), ('tickets', 'qr_token'), ('sponsors', 'notes'), ('sponsors', 'custom_fields'),
           ('person_reports', 'handled_by'), ('check_ins', 'validation_notes'), ('event_peer_matches', 'introduction_message'),
           ('lead_scoring', 'notes'), ('lead_scoring', 'assigned_to')
$$;
COMMENT ON FUNCTION convene_private.withheld_columns() IS 'Columns that export_person() leaves out';

CREATE FUNCTION convene_private.scrub(p_text text, p_values text[]) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    value text;
BEGIN
    FOREACH value IN ARRAY p_values LOOP
        IF position(lower(value) IN lower(p_text)) > 0 THEN
            p_text := regexp_replace(p_text, '(?<![[:alnum:]])' || regexp_replace(value, '([^[:alnum:]])', '\\\1', 'g') || '(?![[:alnum:]])',
                CASE WHEN value ~ '^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$' THEN convene_private.pseudonym_id(value::uuid)::text
                     ELSE convene_private.pseudonym(value) END, 'gi');
        END IF;
    END LOOP;
    RETURN p_text;
END $$;
COMMENT ON FUNCTION convene_private.scrub(text, text[]) IS 'The text with each of these values replaced by its pseudonym';

-- Value by value: in the text of a whole document a word of somebody's could be a number, or punctuation.
CREATE FUNCTION convene_private.scrub_json(p_json jsonb, p_values text[]) RETURNS jsonb
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE jsonb_typeof(p_json)
        WHEN 'string' THEN to_jsonb(convene_private.scrub(p_json #>> '{}', p_values))
        WHEN 'array' THEN (SELECT coalesce(jsonb_agg(convene_private.scrub_json(e.value, p_values) ORDER BY e.place), '[]')
                           FROM jsonb_array_elements(p_json) WITH ORDINALITY e(value, place))
        WHEN 'object' THEN (SELECT coalesce(jsonb_object_agg(convene_private.scrub(f.key, p_values),
                                                             convene_private.scrub_json(f.value, p_values)), '{}')
                            FROM jsonb_each(p_json) f)
        ELSE p_json END
$$;
COMMENT ON FUNCTION convene_private.scrub_json(jsonb, text[]) IS 'A document with each of these values replaced by its pseudonym wherever it stands in a text';

CREATE FUNCTION convene_private.redacted(p_json jsonb, p_kept text[], p_own boolean, p_values text[]) RETURNS jsonb
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(jsonb_object_agg(c.key, CASE
        WHEN jsonb_typeof(c.value) = 'object'
        THEN convene_private.redacted(c.value, '{}', p_own AND c.key <> ALL (p_kept), p_values)
        WHEN c.value <> 'null' AND c.value #>> '{}' NOT LIKE 'erased-%'
             AND (p_own OR EXISTS (SELECT FROM unnest(p_values) v(value) WHERE position(lower(v.value) IN lower(c.value #>> '{}')) > 0))
        THEN to_jsonb(convene_private.pseudonym(c.value #>> '{}')) ELSE c.value END), p_json)
    FROM jsonb_each(p_json) c
$$;
COMMENT ON FUNCTION convene_private.redacted(jsonb, text[], boolean, text[]) IS 'An object with values hashed: of a person''s own rows all but those of kept columns, of other rows those that contain one of the values';
