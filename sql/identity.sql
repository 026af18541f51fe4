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

CREATE TABLE convene.organization_members (
    organization_id uuid NOT NULL REFERENCES convene.organizations ON DELETE CASCADE,
    profile_id uuid NOT NULL REFERENCES convene.profiles ON DELETE CASCADE,
    role_id uuid,
    member_role text NOT NULL DEFAULT 'staff' CHECK (member_role IN ('owner', 'organizer', 'staff', 'viewer')),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, profile_id)
);
COMMENT ON TABLE convene.organization_members IS 'Who works for which organization';
COMMENT ON COLUMN convene.organization_members.role_id IS 'Finer permissions of CRM staff';
COMMENT ON COLUMN convene.organization_members.member_role IS 'owner and organizer manage the events, staff and viewer read them';
CREATE INDEX idx_organization_members_profile ON convene.organization_members (profile_id, member_role);
CREATE TRIGGER organization_members_touch BEFORE UPDATE ON convene.organization_members
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

-- Definer: the policy of the very table it reads is built on it.
CREATE FUNCTION convene_private.my_organization_ids() RETURNS SETOF uuid
    LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT m.organization_id FROM convene.organization_members m
    WHERE m.profile_id = (SELECT convene_private.my_profile_id())
$$;
COMMENT ON FUNCTION convene_private.my_organization_ids() IS 'Organizations of the caller, in whatever role';

-- Definer: as my_organization_ids().
CREATE FUNCTION convene_private.my_managed_organization_ids() RETURNS SETOF uuid
    LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT m.organization_id FROM convene.organization_members m
    WHERE m.profile_id = (SELECT convene_private.my_profile_id()) AND m.member_role IN ('owner', 'organizer')
$$;
COMMENT ON FUNCTION convene_private.my_managed_organization_ids() IS 'Organizations whose events the caller manages';

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

ALTER TABLE convene.organizations ENABLE ROW LEVEL SECURITY;
CREATE POLICY organizations_select ON convene.organizations FOR SELECT
    USING (id = ANY (ARRAY(SELECT convene_private.my_organization_ids())));
ALTER TABLE convene.organization_members ENABLE ROW LEVEL SECURITY;
CREATE POLICY organization_members_select ON convene.organization_members FOR SELECT
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_organization_ids())));

INSERT INTO convene.organizations (name, slug) VALUES ('Default organization', 'default');
