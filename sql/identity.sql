-- People and organizations, and who the caller is. A person is a profile; its id is the subject of the person's JWT.

-- Late-bound on purpose: what is stored here must not depend on a function of the extension.
CREATE FUNCTION convene_private.my_profile_id() RETURNS uuid
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF to_regprocedure('convene.uid()') IS NULL THEN
        RAISE EXCEPTION 'the functions of convene are not installed'
            USING ERRCODE = '55000', DETAIL = 'Row security has to know who is asking, and that is told by convene.uid().',
                  HINT = 'CREATE EXTENSION convene';
    END IF;
    RETURN convene.uid();
END $$;
COMMENT ON FUNCTION convene_private.my_profile_id() IS 'The signed-in person; null when nobody is signed in';

CREATE FUNCTION convene_private.my_email() RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN lower(convene.email());
END $$;
COMMENT ON FUNCTION convene_private.my_email() IS 'The signed-in person''s address in lower case, where its issuer has verified it';

CREATE TABLE convene.profiles (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    email text,
    full_name text,
    avatar_url text,
    phone text,
    job_title text,
    company_name text,
    bio text,
    website_url text,
    linkedin_url text,
    locale text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE convene.profiles IS 'Persons who can sign in';
COMMENT ON COLUMN convene.profiles.id IS 'Subject (sub) of the person''s JWT';
COMMENT ON COLUMN convene.profiles.email IS 'As the identity provider has it; not written by clients';
ALTER TABLE convene.profiles ENABLE ROW LEVEL SECURITY;
CREATE POLICY profiles_select ON convene.profiles FOR SELECT
    USING (id = ANY (ARRAY(SELECT convene_private.my_profile_id())));
CREATE POLICY profiles_insert ON convene.profiles FOR INSERT
    WITH CHECK (id = ANY (ARRAY(SELECT convene_private.my_profile_id())));
CREATE POLICY profiles_update ON convene.profiles FOR UPDATE
    USING (id = ANY (ARRAY(SELECT convene_private.my_profile_id())))
    WITH CHECK (id = ANY (ARRAY(SELECT convene_private.my_profile_id())));
CREATE TRIGGER profiles_touch BEFORE UPDATE ON convene.profiles
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

CREATE TABLE convene.organizations (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL CHECK (name <> ''),
    slug text NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
    website text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE convene.organizations IS 'Organizers of events; each sees its own data only';
COMMENT ON COLUMN convene.organizations.slug IS 'Short name for addresses: lower case letters, digits and single hyphens';
CREATE TRIGGER organizations_touch BEFORE UPDATE ON convene.organizations
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

-- Definer: has to know whether there is only one organization, also when the caller may see none.
CREATE FUNCTION convene_private.default_organization_id() RETURNS uuid
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    candidates uuid[] := ARRAY(SELECT convene_private.my_organization_ids());
BEGIN
    IF cardinality(candidates) = 0 THEN
        candidates := ARRAY(SELECT o.id FROM convene.organizations o LIMIT 2);
    END IF;
    IF cardinality(candidates) = 1 THEN
        RETURN candidates[1];
    END IF;
    RAISE EXCEPTION 'organization_id is missing'
        USING ERRCODE = '22004', DETAIL = 'It is filled in only where a single organization comes into question.',
              HINT = 'Name the organization_id.';
END $$;
COMMENT ON FUNCTION convene_private.default_organization_id() IS 'The caller''s only organization, or the only one there is';

CREATE TABLE convene.roles (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL DEFAULT convene_private.default_organization_id() REFERENCES convene.organizations ON DELETE CASCADE,
    name text NOT NULL CHECK (name <> ''),
    description text,
    level integer NOT NULL DEFAULT 1 CHECK (level >= 0),
    permissions jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(permissions) = 'object'),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (organization_id, name),
    UNIQUE (id, organization_id)
);
COMMENT ON TABLE convene.roles IS 'What the staff of an organization may do with its records, as sets of permissions with a name';
COMMENT ON COLUMN convene.roles.level IS 'Place in the hierarchy, for people to read; rights come from permissions';
COMMENT ON COLUMN convene.roles.permissions IS 'By area and action: {"contacts": {"read": true, "write": "own", "delete": false}}. "own": records that the user, or somebody who reports to them, has made or is assigned to';
CREATE TRIGGER roles_touch BEFORE UPDATE ON convene.roles
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

CREATE TABLE convene.users (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL DEFAULT convene_private.default_organization_id() REFERENCES convene.organizations ON DELETE CASCADE,
    profile_id uuid REFERENCES convene.profiles ON DELETE CASCADE,
    username text CHECK (username <> ''),
    first_name text NOT NULL,
    last_name text NOT NULL,
    email text NOT NULL CHECK (email <> ''),
    phone text,
    password_hash text,
    last_login_at timestamptz,
    failed_login_attempts integer NOT NULL DEFAULT 0 CHECK (failed_login_attempts >= 0),
    locked_until timestamptz,
    role_id uuid,
    department text,
    manager_id uuid CHECK (manager_id <> id),
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'inactive', 'suspended')),
    timezone text NOT NULL DEFAULT 'America/Toronto',
    language text NOT NULL DEFAULT 'en',
    notification_preferences jsonb CHECK (jsonb_typeof(notification_preferences) = 'object'),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (id, organization_id),
    UNIQUE (organization_id, profile_id),
    UNIQUE (organization_id, email),
    UNIQUE (organization_id, username),
    FOREIGN KEY (role_id, organization_id) REFERENCES convene.roles (id, organization_id) ON DELETE SET NULL (role_id)
);
COMMENT ON TABLE convene.users IS 'The staff of an organization as its CRM knows them: whom records are assigned to, who reports to whom';
COMMENT ON COLUMN convene.users.profile_id IS 'The person who signs in; null for somebody who never does';
COMMENT ON COLUMN convene.users.password_hash IS 'For imports only: signing in is the identity provider''s. No role of the API reads or writes it';
COMMENT ON COLUMN convene.users.role_id IS 'Permissions, where organization_members.role_id gives none';
COMMENT ON COLUMN convene.users.manager_id IS 'A user of the same organization. No foreign key, which a restore of rows alone could not order; triggers keep it true';
COMMENT ON COLUMN convene.users.status IS 'Whoever is inactive or suspended has no right in the organization';
CREATE INDEX idx_users_profile ON convene.users (profile_id);
CREATE INDEX idx_users_role ON convene.users (role_id);
CREATE INDEX idx_users_manager ON convene.users (manager_id);
CREATE TRIGGER users_manager BEFORE INSERT OR UPDATE OF manager_id, organization_id ON convene.users
    FOR EACH ROW EXECUTE FUNCTION convene_private.check_reference('manager_id', 'users', 'organization_id');
CREATE TRIGGER users_reports AFTER DELETE ON convene.users
    FOR EACH ROW EXECUTE FUNCTION convene_private.clear_reference('users', 'manager_id');
CREATE TRIGGER users_touch BEFORE UPDATE ON convene.users
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

CREATE TABLE convene.organization_members (
    organization_id uuid NOT NULL REFERENCES convene.organizations ON DELETE CASCADE,
    profile_id uuid NOT NULL REFERENCES convene.profiles ON DELETE CASCADE,
    role_id uuid,
    member_role text NOT NULL DEFAULT 'staff' CHECK (member_role IN ('owner', 'organizer', 'staff', 'viewer')),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, profile_id),
    FOREIGN KEY (role_id, organization_id) REFERENCES convene.roles (id, organization_id) ON DELETE SET NULL (role_id)
);
COMMENT ON TABLE convene.organization_members IS 'Who works for which organization';
COMMENT ON COLUMN convene.organization_members.role_id IS 'Permissions of staff; null: those of users.role_id';
COMMENT ON COLUMN convene.organization_members.member_role IS 'owner and organizer may do everything with events and records, staff what their role permits, viewer never more than read; an owner also names users and roles';
CREATE INDEX idx_organization_members_profile ON convene.organization_members (profile_id, member_role);
CREATE INDEX idx_organization_members_role ON convene.organization_members (role_id);
CREATE TRIGGER organization_members_touch BEFORE UPDATE ON convene.organization_members
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

CREATE TABLE convene.person_blocks (
    blocker_profile uuid NOT NULL REFERENCES convene.profiles ON DELETE CASCADE,
    blocked_profile uuid NOT NULL REFERENCES convene.profiles ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (blocker_profile, blocked_profile),
    CHECK (blocker_profile <> blocked_profile)
);
COMMENT ON TABLE convene.person_blocks IS 'Who does not want to meet whom, at any event; the one who is blocked never learns of it';
CREATE INDEX idx_person_blocks_blocked ON convene.person_blocks (blocked_profile);

CREATE TABLE convene.person_reports (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    event_id uuid,
    reporter_profile uuid REFERENCES convene.profiles ON DELETE SET NULL,
    reported_profile uuid NOT NULL REFERENCES convene.profiles ON DELETE CASCADE,
    reason text NOT NULL CHECK (reason <> ''),
    details text,
    status text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'in_review', 'upheld', 'dismissed')),
    handled_by uuid REFERENCES convene.profiles ON DELETE SET NULL,
    handled_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK (reporter_profile <> reported_profile)
);
COMMENT ON TABLE convene.person_reports IS 'Complaints about a person, for the organizers of the event they name';
CREATE INDEX idx_person_reports_event ON convene.person_reports (event_id, status);
CREATE INDEX idx_person_reports_reporter ON convene.person_reports (reporter_profile);
CREATE INDEX idx_person_reports_reported ON convene.person_reports (reported_profile);
CREATE INDEX idx_person_reports_handled_by ON convene.person_reports (handled_by);
CREATE TRIGGER person_reports_touch BEFORE UPDATE ON convene.person_reports
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

-- What the caller may do in which organization. Definer all of them: policies of the tables they read are built on them. In
-- plpgsql, here and in the other files: it keeps its plans, and those of a function in SQL are made anew for every query.

CREATE FUNCTION convene_private.my_memberships() RETURNS TABLE (organization_id uuid, member_role text, permissions jsonb)
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT m.organization_id, m.member_role, coalesce(r.permissions, '{}')
    FROM convene.organization_members m
    LEFT JOIN convene.users u ON u.organization_id = m.organization_id AND u.profile_id = m.profile_id
    LEFT JOIN convene.roles r ON r.id = coalesce(m.role_id, u.role_id)
    WHERE m.profile_id = (SELECT convene_private.my_profile_id()) AND coalesce(u.status, 'active') = 'active';
END $$;
COMMENT ON FUNCTION convene_private.my_memberships() IS 'Organizations the caller works for, with what their role permits there';

CREATE FUNCTION convene_private.my_organization_ids() RETURNS SETOF uuid
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT m.organization_id FROM convene_private.my_memberships() m;
END $$;
COMMENT ON FUNCTION convene_private.my_organization_ids() IS 'Organizations of the caller, in whatever role';

CREATE FUNCTION convene_private.my_owned_organization_ids() RETURNS SETOF uuid
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT m.organization_id FROM convene_private.my_memberships() m WHERE m.member_role = 'owner';
END $$;
COMMENT ON FUNCTION convene_private.my_owned_organization_ids() IS 'Organizations whose users and roles the caller names';

CREATE FUNCTION convene_private.my_permitted_organization_ids(p_area text, p_action text) RETURNS SETOF uuid
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT m.organization_id FROM convene_private.my_memberships() m
    WHERE m.member_role IN ('owner', 'organizer')
       OR (m.permissions -> p_area -> p_action = 'true' AND (m.member_role = 'staff' OR p_action = 'read'));
END $$;
COMMENT ON FUNCTION convene_private.my_permitted_organization_ids(text, text) IS 'Organizations in which the caller may do this with every record of the area';

CREATE FUNCTION convene_private.my_own_records_organization_ids(p_area text, p_action text) RETURNS SETOF uuid
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT m.organization_id FROM convene_private.my_memberships() m
    WHERE m.permissions -> p_area -> p_action = '"own"' AND (m.member_role = 'staff' OR p_action = 'read');
END $$;
COMMENT ON FUNCTION convene_private.my_own_records_organization_ids(text, text) IS 'Organizations in which the caller may do this with records of their own team: see my_team_user_ids()';

CREATE FUNCTION convene_private.my_records_organization_ids(p_area text, p_action text) RETURNS SETOF uuid
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT m.organization_id FROM convene_private.my_memberships() m
    WHERE m.member_role IN ('owner', 'organizer')
       OR (m.permissions -> p_area -> p_action IN ('true', '"own"') AND (m.member_role = 'staff' OR p_action = 'read'));
END $$;
COMMENT ON FUNCTION convene_private.my_records_organization_ids(text, text) IS 'Organizations in which the caller may do this with records of the area, all or their own team''s';

CREATE FUNCTION convene_private.my_team_only(p_area text, p_action text) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN EXISTS (SELECT FROM convene_private.my_memberships() m
                   WHERE m.member_role NOT IN ('owner', 'organizer') AND m.permissions -> p_area -> p_action = '"own"');
END $$;
COMMENT ON FUNCTION convene_private.my_team_only(text, text) IS 'Whether there is an organization in which the caller may do this with records of their own team only';

CREATE FUNCTION convene_private.my_managed_organization_ids() RETURNS SETOF uuid
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT * FROM convene_private.my_permitted_organization_ids('events', 'write');
END $$;
COMMENT ON FUNCTION convene_private.my_managed_organization_ids() IS 'Organizations whose events the caller manages';

CREATE FUNCTION convene_private.my_user_ids() RETURNS SETOF uuid
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT u.id FROM convene.users u
    WHERE u.profile_id = (SELECT convene_private.my_profile_id()) AND u.status = 'active';
END $$;
COMMENT ON FUNCTION convene_private.my_user_ids() IS 'The caller as a user, one per organization';

CREATE FUNCTION convene_private.my_team_user_ids() RETURNS SETOF uuid
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
    WITH RECURSIVE team AS (
        SELECT m.id, u.organization_id FROM convene_private.my_user_ids() m(id) JOIN convene.users u ON u.id = m.id
        -- UNION, so that two who manage each other end it.
        UNION SELECT u.id, u.organization_id FROM convene.users u JOIN team t ON u.manager_id = t.id AND u.organization_id = t.organization_id)
    SELECT t.id FROM team t;
END $$;
COMMENT ON FUNCTION convene_private.my_team_user_ids() IS 'The caller as a user, and whoever reports to them, directly or through others';

ALTER TABLE convene.organizations ENABLE ROW LEVEL SECURITY;
CREATE POLICY organizations_select ON convene.organizations FOR SELECT
    USING (id = ANY (ARRAY(SELECT convene_private.my_organization_ids())));
ALTER TABLE convene.organization_members ENABLE ROW LEVEL SECURITY;
CREATE POLICY organization_members_select ON convene.organization_members FOR SELECT
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_organization_ids())));

-- Whoever names roles could give themselves any right, so that is for owners; colleagues are seen by all who work there.
ALTER TABLE convene.roles ENABLE ROW LEVEL SECURITY;
CREATE POLICY roles_select ON convene.roles FOR SELECT
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_organization_ids())));
CREATE POLICY roles_insert ON convene.roles FOR INSERT
    WITH CHECK (organization_id = ANY (ARRAY(SELECT convene_private.my_owned_organization_ids())));
CREATE POLICY roles_update ON convene.roles FOR UPDATE
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_owned_organization_ids())));
CREATE POLICY roles_delete ON convene.roles FOR DELETE
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_owned_organization_ids())));

ALTER TABLE convene.users ENABLE ROW LEVEL SECURITY;
CREATE POLICY users_select ON convene.users FOR SELECT
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_organization_ids())));
CREATE POLICY users_insert ON convene.users FOR INSERT
    WITH CHECK (organization_id = ANY (ARRAY(SELECT convene_private.my_owned_organization_ids())));
CREATE POLICY users_update ON convene.users FOR UPDATE
    USING (id = ANY (ARRAY(SELECT convene_private.my_user_ids()))
           OR organization_id = ANY (ARRAY(SELECT convene_private.my_owned_organization_ids())));
CREATE POLICY users_delete ON convene.users FOR DELETE
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_owned_organization_ids())));

-- Definer: the caller may not name what is in convene_private.
CREATE FUNCTION convene_private.guard_user() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.organization_id <> ALL (ARRAY(SELECT convene_private.my_owned_organization_ids())) THEN
        RAISE EXCEPTION 'only an owner of the organization may change role, manager, status, person and names of a user'
            USING ERRCODE = '42501', HINT = 'Users change their own phone, timezone, language and notification_preferences.';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.guard_user() IS 'What decides a user''s rights is the owner''s to change';
CREATE TRIGGER users_guard BEFORE UPDATE ON convene.users
    FOR EACH ROW WHEN (row_security_active('convene.users'::regclass) AND
                       (OLD.organization_id IS DISTINCT FROM NEW.organization_id
                        OR OLD.profile_id IS DISTINCT FROM NEW.profile_id
                        OR OLD.username IS DISTINCT FROM NEW.username
                        OR OLD.first_name IS DISTINCT FROM NEW.first_name
                        OR OLD.last_name IS DISTINCT FROM NEW.last_name
                        OR OLD.email IS DISTINCT FROM NEW.email
                        OR OLD.role_id IS DISTINCT FROM NEW.role_id
                        OR OLD.department IS DISTINCT FROM NEW.department
                        OR OLD.manager_id IS DISTINCT FROM NEW.manager_id
                        OR OLD.status IS DISTINCT FROM NEW.status))
    EXECUTE FUNCTION convene_private.guard_user();

ALTER TABLE convene.person_blocks ENABLE ROW LEVEL SECURITY;
CREATE POLICY person_blocks_select ON convene.person_blocks FOR SELECT
    USING (blocker_profile = ANY (ARRAY(SELECT convene_private.my_profile_id())));
CREATE POLICY person_blocks_insert ON convene.person_blocks FOR INSERT
    WITH CHECK (blocker_profile = ANY (ARRAY(SELECT convene_private.my_profile_id())));
CREATE POLICY person_blocks_delete ON convene.person_blocks FOR DELETE
    USING (blocker_profile = ANY (ARRAY(SELECT convene_private.my_profile_id())));
ALTER TABLE convene.person_reports ENABLE ROW LEVEL SECURITY;

INSERT INTO convene.organizations (name, slug) VALUES ('Default organization', 'default');
