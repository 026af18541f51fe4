-- Companies, contacts and what is done with them: leads, opportunities, interactions, campaigns, tasks and notes. Everything
-- belongs to an organization; keys over (id, organization_id) keep two organizations apart.

CREATE TABLE convene.companies (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL DEFAULT convene_private.default_organization_id()
        REFERENCES convene.organizations ON DELETE RESTRICT,
    name text NOT NULL CHECK (name <> ''),
    legal_name text,
    industry text,
    company_size text CHECK (company_size IN ('startup', 'small', 'medium', 'large', 'enterprise')),
    website text,
    phone text,
    email text,
    address_line1 text,
    address_line2 text,
    city text,
    state_province text,
    postal_code text,
    country text DEFAULT 'Canada',
    annual_revenue numeric(15,2) CHECK (annual_revenue >= 0 AND annual_revenue <> 'NaN'),
    employee_count integer CHECK (employee_count >= 0),
    founded_year integer CHECK (founded_year BETWEEN 1 AND 9999),
    tax_id text,
    account_type text NOT NULL DEFAULT 'prospect' CHECK (account_type IN ('prospect', 'customer', 'partner', 'vendor')),
    priority text NOT NULL DEFAULT 'medium' CHECK (priority IN ('low', 'medium', 'high')),
    primary_contact_id uuid,
    assigned_to uuid,
    created_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (id, organization_id),
    FOREIGN KEY (assigned_to, organization_id) REFERENCES convene.users (id, organization_id) ON DELETE SET NULL (assigned_to),
    FOREIGN KEY (created_by, organization_id) REFERENCES convene.users (id, organization_id) ON DELETE SET NULL (created_by)
);
COMMENT ON TABLE convene.companies IS 'Companies that an organization does business with, or would like to';
COMMENT ON COLUMN convene.companies.annual_revenue IS 'In the currency of the company''s country';
COMMENT ON COLUMN convene.companies.tax_id IS 'Number under which the company pays taxes';
COMMENT ON COLUMN convene.companies.primary_contact_id IS 'A contact of the same organization. No foreign key, which contacts.company_id would make a circle; triggers keep it true';
COMMENT ON COLUMN convene.companies.assigned_to IS 'The user who looks after the company';
COMMENT ON COLUMN convene.companies.created_by IS 'The user who entered the row; set once';
CREATE INDEX idx_companies_organization ON convene.companies (organization_id, name);
CREATE INDEX idx_companies_primary_contact ON convene.companies (primary_contact_id);
CREATE INDEX idx_companies_assigned_to ON convene.companies (assigned_to);
CREATE INDEX idx_companies_created_by ON convene.companies (created_by);
CREATE TRIGGER companies_primary_contact BEFORE INSERT OR UPDATE OF primary_contact_id, organization_id ON convene.companies
    FOR EACH ROW EXECUTE FUNCTION convene_private.check_reference('primary_contact_id', 'contacts', 'organization_id');
CREATE TRIGGER companies_touch BEFORE UPDATE ON convene.companies
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

CREATE TABLE convene.contacts (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL DEFAULT convene_private.default_organization_id()
        REFERENCES convene.organizations ON DELETE RESTRICT,
    profile_id uuid REFERENCES convene.profiles ON DELETE CASCADE,
    first_name text NOT NULL,
    last_name text NOT NULL,
    email text NOT NULL CHECK (email <> ''),
    phone text,
    date_of_birth date,
    gender text CHECK (gender IN ('male', 'female', 'other', 'prefer_not_to_say')),
    address_line1 text,
    address_line2 text,
    city text,
    state_province text,
    postal_code text,
    country text DEFAULT 'Canada',
    contact_type text NOT NULL DEFAULT 'individual' CHECK (contact_type IN ('individual', 'business', 'vip')),
    lead_source text CHECK (lead_source <> ''),
    lead_score integer NOT NULL DEFAULT 0 CHECK (lead_score BETWEEN 0 AND 100),
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'inactive', 'blocked', 'deleted')),
    job_title text,
    company_id uuid,
    industry text,
    annual_income_range text,
    marketing_consent boolean NOT NULL DEFAULT false,
    email_consent boolean NOT NULL DEFAULT false,
    sms_consent boolean NOT NULL DEFAULT false,
    phone_consent boolean NOT NULL DEFAULT false,
    assigned_to uuid,
    created_by uuid,
    last_contacted_at timestamptz,
    last_event_attended_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (id, organization_id),
    UNIQUE (organization_id, email),
    CHECK (first_name <> '' OR last_name <> ''),
    FOREIGN KEY (company_id, organization_id) REFERENCES convene.companies (id, organization_id) ON DELETE SET NULL (company_id),
    FOREIGN KEY (assigned_to, organization_id) REFERENCES convene.users (id, organization_id) ON DELETE SET NULL (assigned_to),
    FOREIGN KEY (created_by, organization_id) REFERENCES convene.users (id, organization_id) ON DELETE SET NULL (created_by)
);
COMMENT ON TABLE convene.contacts IS 'People as an organization knows them; two organizations that know the same person have a row each';
COMMENT ON COLUMN convene.contacts.profile_id IS 'The person, where they can sign in. They do not read what the organization keeps about them';
COMMENT ON COLUMN convene.contacts.email IS 'Unique in the organization, in whatever case it is written';
COMMENT ON COLUMN convene.contacts.lead_source IS 'Where the contact came from: website, referral, social_media, event, cold_call, or the organization''s own word';
COMMENT ON COLUMN convene.contacts.lead_score IS '0 to 100; scoring writes it, nobody else';
COMMENT ON COLUMN convene.contacts.status IS 'blocked: not to be written to; deleted: kept for the records that refer to it';
COMMENT ON COLUMN convene.contacts.marketing_consent IS 'Agreed to advertising at all; each way of it has a consent of its own';
COMMENT ON COLUMN convene.contacts.assigned_to IS 'The user who looks after the contact';
COMMENT ON COLUMN convene.contacts.created_by IS 'The user who entered the row; set once';
-- The key over the address as written serves ON CONFLICT and a search for it; this one is the rule.
CREATE UNIQUE INDEX idx_contacts_email ON convene.contacts (organization_id, lower(email));
CREATE INDEX idx_contacts_name ON convene.contacts (organization_id, last_name, first_name);
-- The second is for a page of all contacts that the caller has, of whichever organization; the third holds all that row
-- security asks for.
CREATE INDEX idx_contacts_order ON convene.contacts (last_name, first_name, id);
CREATE INDEX idx_contacts_staff ON convene.contacts (organization_id, assigned_to, created_by);
CREATE INDEX idx_contacts_profile ON convene.contacts (profile_id);
CREATE INDEX idx_contacts_company ON convene.contacts (company_id);
CREATE INDEX idx_contacts_assigned_to ON convene.contacts (assigned_to);
CREATE INDEX idx_contacts_created_by ON convene.contacts (created_by);
-- companies.primary_contact_id holds ids of this table without a foreign key.
CREATE TRIGGER contacts_keep_id BEFORE UPDATE ON convene.contacts
    FOR EACH ROW WHEN (OLD.id IS DISTINCT FROM NEW.id) EXECUTE FUNCTION convene_private.refuse_change('id');
CREATE TRIGGER contacts_primary AFTER DELETE ON convene.contacts
    FOR EACH ROW EXECUTE FUNCTION convene_private.clear_reference('companies', 'primary_contact_id');
CREATE TRIGGER contacts_touch BEFORE UPDATE ON convene.contacts
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

CREATE TABLE convene.leads (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL DEFAULT convene_private.default_organization_id()
        REFERENCES convene.organizations ON DELETE RESTRICT,
    contact_id uuid NOT NULL,
    company_id uuid,
    event_id uuid,
    lead_source text NOT NULL CHECK (lead_source <> ''),
    lead_status text NOT NULL DEFAULT 'new'
        CHECK (lead_status IN ('new', 'contacted', 'qualified', 'proposal', 'negotiation', 'closed_won', 'closed_lost')),
    lead_score integer NOT NULL DEFAULT 0 CHECK (lead_score BETWEEN 0 AND 100),
    estimated_value numeric(15,2) CHECK (estimated_value >= 0 AND estimated_value <> 'NaN'),
    currency text NOT NULL DEFAULT 'CAD' CHECK (currency ~ '^[A-Z]{3}$'),
    probability_percentage integer CHECK (probability_percentage BETWEEN 0 AND 100),
    expected_close_date date,
    assigned_to uuid,
    created_by uuid,
    budget_range text,
    decision_timeline text,
    decision_makers text[] NOT NULL DEFAULT '{}',
    pain_points text[] NOT NULL DEFAULT '{}',
    requirements text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (id, organization_id),
    CONSTRAINT leads_closed_probability CHECK (
        (lead_status <> 'closed_won' OR probability_percentage = 100)
        AND (lead_status <> 'closed_lost' OR probability_percentage = 0)),
    FOREIGN KEY (contact_id, organization_id) REFERENCES convene.contacts (id, organization_id) ON DELETE CASCADE,
    FOREIGN KEY (company_id, organization_id) REFERENCES convene.companies (id, organization_id) ON DELETE SET NULL (company_id),
    FOREIGN KEY (event_id, organization_id) REFERENCES convene.events (id, organization_id) ON DELETE SET NULL (event_id),
    FOREIGN KEY (assigned_to, organization_id) REFERENCES convene.users (id, organization_id) ON DELETE SET NULL (assigned_to),
    FOREIGN KEY (created_by, organization_id) REFERENCES convene.users (id, organization_id) ON DELETE SET NULL (created_by)
);
COMMENT ON TABLE convene.leads IS 'Contacts who might buy, and how far that has come';
COMMENT ON COLUMN convene.leads.event_id IS 'The event that it is about; null: none in particular';
COMMENT ON COLUMN convene.leads.lead_source IS 'Where the lead came from: website, referral, social_media, event, cold_call, or the organization''s own word';
COMMENT ON COLUMN convene.leads.lead_score IS '0 to 100; scoring writes it, nobody else';
COMMENT ON COLUMN convene.leads.estimated_value IS 'What it might bring, in currency';
COMMENT ON COLUMN convene.leads.probability_percentage IS '0 to 100; null: not estimated. A lead that is won has 100, one that is lost 0';
COMMENT ON COLUMN convene.leads.assigned_to IS 'The user who follows the lead';
COMMENT ON COLUMN convene.leads.created_by IS 'The user who entered the row; set once';
CREATE INDEX idx_leads_organization ON convene.leads (organization_id, lead_status);
CREATE INDEX idx_leads_contact ON convene.leads (contact_id);
CREATE INDEX idx_leads_company ON convene.leads (company_id);
CREATE INDEX idx_leads_event ON convene.leads (event_id);
CREATE INDEX idx_leads_assigned_to ON convene.leads (assigned_to);
CREATE INDEX idx_leads_created_by ON convene.leads (created_by);
CREATE TRIGGER leads_touch BEFORE UPDATE ON convene.leads
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

CREATE TABLE convene.opportunities (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL DEFAULT convene_private.default_organization_id()
        REFERENCES convene.organizations ON DELETE RESTRICT,
    lead_id uuid,
    contact_id uuid,
    company_id uuid,
    event_id uuid,
    name text NOT NULL CHECK (name <> ''),
    description text,
    stage text NOT NULL DEFAULT 'prospecting'
        CHECK (stage IN ('prospecting', 'qualification', 'proposal', 'negotiation', 'closed_won', 'closed_lost')),
    amount numeric(15,2) CHECK (amount >= 0 AND amount <> 'NaN'),
    currency text NOT NULL DEFAULT 'CAD' CHECK (currency ~ '^[A-Z]{3}$'),
    probability integer CHECK (probability BETWEEN 0 AND 100),
    expected_close_date date,
    actual_close_date date,
    sales_methodology text,
    competitor text,
    win_reason text,
    loss_reason text,
    assigned_to uuid,
    created_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (id, organization_id),
    CONSTRAINT opportunities_close_date CHECK ((stage IN ('closed_won', 'closed_lost')) = (actual_close_date IS NOT NULL)),
    CONSTRAINT opportunities_closed_probability CHECK (
        (stage <> 'closed_won' OR coalesce(probability = 100, false))
        AND (stage <> 'closed_lost' OR coalesce(probability = 0, false))),
    CONSTRAINT opportunities_closed_reason CHECK (
        (stage <> 'closed_won' OR coalesce(win_reason, '') <> '')
        AND (stage <> 'closed_lost' OR coalesce(loss_reason, '') <> '')),
    FOREIGN KEY (lead_id, organization_id) REFERENCES convene.leads (id, organization_id) ON DELETE CASCADE,
    FOREIGN KEY (contact_id, organization_id) REFERENCES convene.contacts (id, organization_id) ON DELETE CASCADE,
    FOREIGN KEY (company_id, organization_id) REFERENCES convene.companies (id, organization_id) ON DELETE SET NULL (company_id),
    FOREIGN KEY (event_id, organization_id) REFERENCES convene.events (id, organization_id) ON DELETE SET NULL (event_id),
    FOREIGN KEY (assigned_to, organization_id) REFERENCES convene.users (id, organization_id) ON DELETE SET NULL (assigned_to),
    FOREIGN KEY (created_by, organization_id) REFERENCES convene.users (id, organization_id) ON DELETE SET NULL (created_by)
);
COMMENT ON TABLE convene.opportunities IS 'Sales that are being worked on, won or lost';
COMMENT ON COLUMN convene.opportunities.lead_id IS 'The lead that it grew from; null: entered directly';
COMMENT ON COLUMN convene.opportunities.event_id IS 'The event that it is about; null: none in particular';
COMMENT ON COLUMN convene.opportunities.amount IS 'What it would bring, in currency';
COMMENT ON COLUMN convene.opportunities.probability IS '0 to 100; null: not estimated. Won is 100, lost is 0';
COMMENT ON COLUMN convene.opportunities.actual_close_date IS 'The day it was won or lost; null while it is open';
COMMENT ON COLUMN convene.opportunities.competitor IS 'Who else was asked, or who got it';
COMMENT ON COLUMN convene.opportunities.win_reason IS 'Required once it is won';
COMMENT ON COLUMN convene.opportunities.loss_reason IS 'Required once it is lost';
COMMENT ON COLUMN convene.opportunities.assigned_to IS 'The user who works on it';
COMMENT ON COLUMN convene.opportunities.created_by IS 'The user who entered the row; set once';
CREATE INDEX idx_opportunities_organization ON convene.opportunities (organization_id, stage, expected_close_date);
CREATE INDEX idx_opportunities_lead ON convene.opportunities (lead_id);
CREATE INDEX idx_opportunities_contact ON convene.opportunities (contact_id);
CREATE INDEX idx_opportunities_company ON convene.opportunities (company_id);
CREATE INDEX idx_opportunities_event ON convene.opportunities (event_id);
CREATE INDEX idx_opportunities_assigned_to ON convene.opportunities (assigned_to);
CREATE INDEX idx_opportunities_created_by ON convene.opportunities (created_by);
CREATE TRIGGER opportunities_touch BEFORE UPDATE ON convene.opportunities
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

CREATE TABLE convene.interactions (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL DEFAULT convene_private.default_organization_id()
        REFERENCES convene.organizations ON DELETE RESTRICT,
    contact_id uuid,
    company_id uuid,
    event_id uuid,
    opportunity_id uuid,
    interaction_type text NOT NULL
        CHECK (interaction_type IN ('email', 'phone', 'sms', 'meeting', 'demo', 'proposal', 'follow_up', 'complaint')),
    subject text,
    content text,
    direction text CHECK (direction IN ('inbound', 'outbound')),
    scheduled_at timestamptz,
    occurred_at timestamptz DEFAULT now(),
    duration_minutes integer CHECK (duration_minutes >= 0),
    outcome text,
    next_action text,
    next_action_date date,
    created_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (id, organization_id),
    CHECK (scheduled_at IS NOT NULL OR occurred_at IS NOT NULL),
    FOREIGN KEY (contact_id, organization_id) REFERENCES convene.contacts (id, organization_id) ON DELETE CASCADE,
    FOREIGN KEY (company_id, organization_id) REFERENCES convene.companies (id, organization_id) ON DELETE SET NULL (company_id),
    FOREIGN KEY (event_id, organization_id) REFERENCES convene.events (id, organization_id) ON DELETE SET NULL (event_id),
    FOREIGN KEY (opportunity_id, organization_id) REFERENCES convene.opportunities (id, organization_id)
        ON DELETE SET NULL (opportunity_id),
    FOREIGN KEY (created_by, organization_id) REFERENCES convene.users (id, organization_id) ON DELETE SET NULL (created_by)
);
COMMENT ON TABLE convene.interactions IS 'What was said to contacts and companies, and what they said: calls, messages, meetings';
COMMENT ON COLUMN convene.interactions.direction IS 'inbound: from the contact; outbound: to them';
COMMENT ON COLUMN convene.interactions.scheduled_at IS 'When it is planned for';
COMMENT ON COLUMN convene.interactions.occurred_at IS 'When it happened; null: not yet';
COMMENT ON COLUMN convene.interactions.created_by IS 'The user who entered the row; set once';
CREATE INDEX idx_interactions_organization ON convene.interactions (organization_id, occurred_at);
CREATE INDEX idx_interactions_contact ON convene.interactions (contact_id, occurred_at);
CREATE INDEX idx_interactions_company ON convene.interactions (company_id);
CREATE INDEX idx_interactions_event ON convene.interactions (event_id);
CREATE INDEX idx_interactions_opportunity ON convene.interactions (opportunity_id);
CREATE INDEX idx_interactions_created_by ON convene.interactions (created_by);
CREATE TRIGGER interactions_touch BEFORE UPDATE ON convene.interactions
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

CREATE TABLE convene.campaigns (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL DEFAULT convene_private.default_organization_id()
        REFERENCES convene.organizations ON DELETE RESTRICT,
    event_id uuid,
    name text NOT NULL CHECK (name <> ''),
    description text,
    campaign_type text CHECK (campaign_type IN ('email', 'sms', 'social_media', 'paid_ads', 'direct_mail', 'event_promotion')),
    start_date date,
    end_date date,
    status text NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'scheduled', 'active', 'paused', 'completed', 'cancelled')),
    budget numeric(15,2) CHECK (budget >= 0 AND budget <> 'NaN'),
    currency text NOT NULL DEFAULT 'CAD' CHECK (currency ~ '^[A-Z]{3}$'),
    cost_per_click numeric(12,2) CHECK (cost_per_click >= 0 AND cost_per_click <> 'NaN'),
    cost_per_impression numeric(12,4) CHECK (cost_per_impression >= 0 AND cost_per_impression <> 'NaN'),
    cost_per_acquisition numeric(12,2) CHECK (cost_per_acquisition >= 0 AND cost_per_acquisition <> 'NaN'),
    target_audience jsonb CHECK (jsonb_typeof(target_audience) = 'object'),
    creative_assets jsonb CHECK (jsonb_typeof(creative_assets) IN ('object', 'array')),
    automation_rules jsonb CHECK (jsonb_typeof(automation_rules) IN ('object', 'array')),
    created_by uuid,
    assigned_to uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (id, organization_id),
    CHECK (end_date >= start_date),
    FOREIGN KEY (event_id, organization_id) REFERENCES convene.events (id, organization_id) ON DELETE SET NULL (event_id),
    FOREIGN KEY (created_by, organization_id) REFERENCES convene.users (id, organization_id) ON DELETE SET NULL (created_by),
    FOREIGN KEY (assigned_to, organization_id) REFERENCES convene.users (id, organization_id) ON DELETE SET NULL (assigned_to)
);
COMMENT ON TABLE convene.campaigns IS 'Mailings and advertisements of an organization';
COMMENT ON COLUMN convene.campaigns.event_id IS 'The event that it promotes; null: none in particular';
COMMENT ON COLUMN convene.campaigns.budget IS 'What it may cost, in currency, like the costs below';
COMMENT ON COLUMN convene.campaigns.target_audience IS 'Which contacts it is for, as a filter; null: nobody yet';
COMMENT ON COLUMN convene.campaigns.creative_assets IS 'Pictures, texts and links';
COMMENT ON COLUMN convene.campaigns.automation_rules IS 'What sets it off';
COMMENT ON COLUMN convene.campaigns.created_by IS 'The user who entered the row; set once';
COMMENT ON COLUMN convene.campaigns.assigned_to IS 'The user who runs it';
CREATE INDEX idx_campaigns_organization ON convene.campaigns (organization_id, status);
CREATE INDEX idx_campaigns_event ON convene.campaigns (event_id);
CREATE INDEX idx_campaigns_created_by ON convene.campaigns (created_by);
CREATE INDEX idx_campaigns_assigned_to ON convene.campaigns (assigned_to);
CREATE TRIGGER campaigns_touch BEFORE UPDATE ON convene.campaigns
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

CREATE TABLE convene.campaign_recipients (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL REFERENCES convene.organizations ON DELETE RESTRICT,
    campaign_id uuid NOT NULL,
    contact_id uuid NOT NULL,
    status text NOT NULL DEFAULT 'pending'
        CHECK (status IN ('pending', 'sent', 'delivered', 'opened', 'clicked', 'bounced', 'unsubscribed', 'complained')),
    sent_at timestamptz,
    delivered_at timestamptz,
    opened_at timestamptz,
    clicked_at timestamptz,
    bounced_at timestamptz,
    unsubscribed_at timestamptz,
    open_count integer NOT NULL DEFAULT 0 CHECK (open_count >= 0),
    click_count integer NOT NULL DEFAULT 0 CHECK (click_count >= 0),
    unique_opens integer NOT NULL DEFAULT 0 CHECK (unique_opens >= 0),
    unique_clicks integer NOT NULL DEFAULT 0 CHECK (unique_clicks >= 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (campaign_id, contact_id),
    CHECK (unique_opens <= open_count),
    CHECK (unique_clicks <= click_count),
    FOREIGN KEY (campaign_id, organization_id) REFERENCES convene.campaigns (id, organization_id) ON DELETE CASCADE,
    FOREIGN KEY (contact_id, organization_id) REFERENCES convene.contacts (id, organization_id) ON DELETE CASCADE
) WITH (fillfactor = 80);
COMMENT ON TABLE convene.campaign_recipients IS 'Whom a campaign goes to and what came of it. Staff adds and removes contacts; what was delivered, opened and clicked is recorded by functions only';
COMMENT ON COLUMN convene.campaign_recipients.organization_id IS 'The campaign''s; filled in where it is left out';
COMMENT ON COLUMN convene.campaign_recipients.opened_at IS 'For the first time, as clicked_at';
COMMENT ON COLUMN convene.campaign_recipients.unique_opens IS 'Openings without repetitions, as unique_clicks';
CREATE INDEX idx_campaign_recipients_organization ON convene.campaign_recipients (organization_id);
CREATE INDEX idx_campaign_recipients_contact ON convene.campaign_recipients (contact_id);
CREATE TRIGGER campaign_recipients_touch BEFORE UPDATE ON convene.campaign_recipients
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

CREATE TABLE convene.tasks (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL DEFAULT convene_private.default_organization_id()
        REFERENCES convene.organizations ON DELETE RESTRICT,
    title text NOT NULL CHECK (title <> ''),
    description text,
    task_type text CHECK (task_type IN ('call', 'email', 'meeting', 'follow_up', 'proposal', 'demo', 'admin', 'research')),
    priority text NOT NULL DEFAULT 'medium' CHECK (priority IN ('low', 'medium', 'high', 'urgent')),
    due_date timestamptz,
    completed_at timestamptz,
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'in_progress', 'completed', 'cancelled')),
    assigned_to uuid,
    created_by uuid,
    contact_id uuid,
    company_id uuid,
    opportunity_id uuid,
    event_id uuid,
    reminder_sent boolean NOT NULL DEFAULT false,
    reminder_date timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((status = 'completed') = (completed_at IS NOT NULL)),
    FOREIGN KEY (assigned_to, organization_id) REFERENCES convene.users (id, organization_id) ON DELETE SET NULL (assigned_to),
    FOREIGN KEY (created_by, organization_id) REFERENCES convene.users (id, organization_id) ON DELETE SET NULL (created_by),
    FOREIGN KEY (contact_id, organization_id) REFERENCES convene.contacts (id, organization_id) ON DELETE SET NULL (contact_id),
    FOREIGN KEY (company_id, organization_id) REFERENCES convene.companies (id, organization_id) ON DELETE SET NULL (company_id),
    FOREIGN KEY (opportunity_id, organization_id) REFERENCES convene.opportunities (id, organization_id)
        ON DELETE SET NULL (opportunity_id),
    FOREIGN KEY (event_id, organization_id) REFERENCES convene.events (id, organization_id) ON DELETE SET NULL (event_id)
);
COMMENT ON TABLE convene.tasks IS 'What the staff of an organization has to do';
COMMENT ON COLUMN convene.tasks.completed_at IS 'Kept in step with status: filled in when the task is completed, emptied when it is taken up again';
COMMENT ON COLUMN convene.tasks.assigned_to IS 'The user who is to do it; null: nobody yet';
COMMENT ON COLUMN convene.tasks.created_by IS 'The user who entered the row; set once';
COMMENT ON COLUMN convene.tasks.reminder_date IS 'When to remind the user; null: never';
CREATE INDEX idx_tasks_organization ON convene.tasks (organization_id, status, due_date);
CREATE INDEX idx_tasks_assigned_to ON convene.tasks (assigned_to, status, due_date);
CREATE INDEX idx_tasks_created_by ON convene.tasks (created_by);
CREATE INDEX idx_tasks_contact ON convene.tasks (contact_id);
CREATE INDEX idx_tasks_company ON convene.tasks (company_id);
CREATE INDEX idx_tasks_opportunity ON convene.tasks (opportunity_id);
CREATE INDEX idx_tasks_event ON convene.tasks (event_id);
CREATE INDEX idx_tasks_reminder ON convene.tasks (reminder_date) WHERE NOT reminder_sent;
CREATE TRIGGER tasks_touch BEFORE UPDATE ON convene.tasks
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

CREATE TABLE convene.notes (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL DEFAULT convene_private.default_organization_id()
        REFERENCES convene.organizations ON DELETE RESTRICT,
    title text,
    content text NOT NULL CHECK (content <> ''),
    note_type text NOT NULL DEFAULT 'general'
        CHECK (note_type IN ('general', 'meeting', 'call', 'email', 'internal', 'customer_feedback')),
    is_private boolean NOT NULL DEFAULT false,
    is_important boolean NOT NULL DEFAULT false,
    contact_id uuid,
    company_id uuid,
    opportunity_id uuid,
    event_id uuid,
    interaction_id uuid,
    created_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (contact_id, organization_id) REFERENCES convene.contacts (id, organization_id) ON DELETE SET NULL (contact_id),
    FOREIGN KEY (company_id, organization_id) REFERENCES convene.companies (id, organization_id) ON DELETE SET NULL (company_id),
    FOREIGN KEY (opportunity_id, organization_id) REFERENCES convene.opportunities (id, organization_id)
        ON DELETE SET NULL (opportunity_id),
    FOREIGN KEY (event_id, organization_id) REFERENCES convene.events (id, organization_id) ON DELETE SET NULL (event_id),
    FOREIGN KEY (interaction_id, organization_id) REFERENCES convene.interactions (id, organization_id)
        ON DELETE SET NULL (interaction_id),
    FOREIGN KEY (created_by, organization_id) REFERENCES convene.users (id, organization_id) ON DELETE SET NULL (created_by)
);
COMMENT ON TABLE convene.notes IS 'What staff wrote down about a contact, a company, an opportunity, an event or an interaction';
COMMENT ON COLUMN convene.notes.is_private IS 'Seen by its writer alone, not by managers or owners. Once the writer is gone from users, by nobody but service';
COMMENT ON COLUMN convene.notes.created_by IS 'The user who wrote it; set once';
CREATE INDEX idx_notes_organization ON convene.notes (organization_id, created_at);
CREATE INDEX idx_notes_contact ON convene.notes (contact_id, created_at);
CREATE INDEX idx_notes_company ON convene.notes (company_id);
CREATE INDEX idx_notes_opportunity ON convene.notes (opportunity_id);
CREATE INDEX idx_notes_event ON convene.notes (event_id);
CREATE INDEX idx_notes_interaction ON convene.notes (interaction_id);
CREATE INDEX idx_notes_created_by ON convene.notes (created_by);
CREATE TRIGGER notes_touch BEFORE UPDATE ON convene.notes
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

ALTER TABLE convene.speakers ADD CONSTRAINT speakers_contact_id_fkey
    FOREIGN KEY (contact_id) REFERENCES convene.contacts ON DELETE SET NULL;
CREATE INDEX idx_speakers_contact ON convene.speakers (contact_id);
ALTER TABLE convene.attendees ADD CONSTRAINT attendees_contact_id_fkey
    FOREIGN KEY (contact_id) REFERENCES convene.contacts ON DELETE SET NULL;
CREATE INDEX idx_attendees_contact ON convene.attendees (contact_id);

-- Rows of an event name contacts and users of its organization, which no key compares. The lock on the event holds its
-- organization as it is until the row is there; a contact's and a user's never changes. Definer, as the next one: row
-- security must not hide the rows that are compared. Arguments: the column, the table whose id it holds.
CREATE FUNCTION convene_private.check_event_reference() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    named uuid := to_jsonb(NEW) ->> TG_ARGV[0];
    found_it boolean;
BEGIN
    EXECUTE format('SELECT true FROM convene.events e JOIN convene.%I r ON r.organization_id = e.organization_id
                    WHERE e.id = $1 AND r.id = $2 FOR KEY SHARE OF e', TG_ARGV[1])
        INTO found_it USING NEW.event_id, named;
    IF found_it IS NULL THEN
        RAISE EXCEPTION '%.% names % %, which is not there or of another organization', TG_TABLE_NAME, TG_ARGV[0], TG_ARGV[1], named
            USING ERRCODE = '23503', HINT = format('Name a row of %s of the organization of the event, or leave the column null.', TG_ARGV[1]);
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.check_event_reference() IS 'Accepts only contacts and users of the organization whose event it is';
CREATE TRIGGER speakers_contact BEFORE INSERT OR UPDATE OF contact_id, event_id ON convene.speakers
    FOR EACH ROW WHEN (NEW.contact_id IS NOT NULL) EXECUTE FUNCTION convene_private.check_event_reference('contact_id', 'contacts');
CREATE TRIGGER attendees_contact BEFORE INSERT OR UPDATE OF contact_id, event_id ON convene.attendees
    FOR EACH ROW WHEN (NEW.contact_id IS NOT NULL) EXECUTE FUNCTION convene_private.check_event_reference('contact_id', 'contacts');

CREATE TRIGGER speakers_assigned_to BEFORE INSERT OR UPDATE OF assigned_to, event_id ON convene.speakers
    FOR EACH ROW WHEN (NEW.assigned_to IS NOT NULL) EXECUTE FUNCTION convene_private.check_event_reference('assigned_to', 'users');
CREATE TRIGGER event_materials_uploaded_by BEFORE INSERT OR UPDATE OF uploaded_by, event_id ON convene.event_materials
    FOR EACH ROW WHEN (NEW.uploaded_by IS NOT NULL) EXECUTE FUNCTION convene_private.check_event_reference('uploaded_by', 'users');
CREATE TRIGGER event_announcements_author BEFORE INSERT OR UPDATE OF author_id, event_id ON convene.event_announcements
    FOR EACH ROW WHEN (NEW.author_id IS NOT NULL) EXECUTE FUNCTION convene_private.check_event_reference('author_id', 'users');
CREATE TRIGGER users_keep_organization BEFORE UPDATE ON convene.users
    FOR EACH ROW WHEN (OLD.organization_id IS DISTINCT FROM NEW.organization_id)
    EXECUTE FUNCTION convene_private.refuse_change('organization_id');

CREATE FUNCTION convene_private.check_event_move() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM convene.attendees a WHERE a.event_id = OLD.id AND a.contact_id IS NOT NULL)
       OR EXISTS (SELECT FROM convene.speakers s
                  WHERE s.event_id = OLD.id AND num_nonnulls(s.contact_id, s.assigned_to) > 0)
       OR EXISTS (SELECT FROM convene.event_materials m WHERE m.event_id = OLD.id AND m.uploaded_by IS NOT NULL)
       OR EXISTS (SELECT FROM convene.event_announcements a WHERE a.event_id = OLD.id AND a.author_id IS NOT NULL)
       OR EXISTS (SELECT FROM convene.check_ins c WHERE c.event_id = OLD.id AND c.validated_by IS NOT NULL)
       OR EXISTS (SELECT FROM convene.seat_assignments a WHERE a.event_id = OLD.id AND a.assigned_by IS NOT NULL) THEN
        RAISE EXCEPTION 'event % has rows that name contacts or users of its organization', OLD.id
            USING ERRCODE = '23503', DETAIL = 'Contacts and users stay with the organization that has them.',
                  HINT = 'Set contact_id, assigned_to, uploaded_by, author_id, validated_by and assigned_by of its rows to null first.';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.check_event_move() IS 'Keeps an event with the organization whose contacts and users its rows name';
CREATE TRIGGER events_contacts BEFORE UPDATE ON convene.events
    FOR EACH ROW WHEN (OLD.organization_id IS DISTINCT FROM NEW.organization_id)
    EXECUTE FUNCTION convene_private.check_event_move();

-- Records stay with their organization: those who read them, and the records that refer to them, are that organization's.
CREATE TRIGGER companies_keep_organization BEFORE UPDATE ON convene.companies
    FOR EACH ROW WHEN (OLD.organization_id IS DISTINCT FROM NEW.organization_id)
    EXECUTE FUNCTION convene_private.refuse_change('organization_id');
CREATE TRIGGER contacts_keep_organization BEFORE UPDATE ON convene.contacts
    FOR EACH ROW WHEN (OLD.organization_id IS DISTINCT FROM NEW.organization_id)
    EXECUTE FUNCTION convene_private.refuse_change('organization_id');
CREATE TRIGGER leads_keep_organization BEFORE UPDATE ON convene.leads
    FOR EACH ROW WHEN (OLD.organization_id IS DISTINCT FROM NEW.organization_id)
    EXECUTE FUNCTION convene_private.refuse_change('organization_id');
CREATE TRIGGER opportunities_keep_organization BEFORE UPDATE ON convene.opportunities
    FOR EACH ROW WHEN (OLD.organization_id IS DISTINCT FROM NEW.organization_id)
    EXECUTE FUNCTION convene_private.refuse_change('organization_id');
CREATE TRIGGER interactions_keep_organization BEFORE UPDATE ON convene.interactions
    FOR EACH ROW WHEN (OLD.organization_id IS DISTINCT FROM NEW.organization_id)
    EXECUTE FUNCTION convene_private.refuse_change('organization_id');
CREATE TRIGGER campaigns_keep_organization BEFORE UPDATE ON convene.campaigns
    FOR EACH ROW WHEN (OLD.organization_id IS DISTINCT FROM NEW.organization_id)
    EXECUTE FUNCTION convene_private.refuse_change('organization_id');
CREATE TRIGGER tasks_keep_organization BEFORE UPDATE ON convene.tasks
    FOR EACH ROW WHEN (OLD.organization_id IS DISTINCT FROM NEW.organization_id)
    EXECUTE FUNCTION convene_private.refuse_change('organization_id');
CREATE TRIGGER notes_keep_organization BEFORE UPDATE ON convene.notes
    FOR EACH ROW WHEN (OLD.organization_id IS DISTINCT FROM NEW.organization_id)
    EXECUTE FUNCTION convene_private.refuse_change('organization_id');

-- Who made a record is not for its maker to choose: rights over the team's own records, and over private notes, hang on it.
-- The policies refuse another's name; this fills in the caller's own. Definer: the caller may not name what is in
-- convene_private.
CREATE FUNCTION convene_private.fill_creator() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.created_by := (SELECT u.id FROM convene.users u JOIN convene_private.my_user_ids() m(id) USING (id)
                       WHERE u.organization_id = NEW.organization_id);
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.fill_creator() IS 'Enters the caller as the one who made the record, where they are a user of its organization';
CREATE TRIGGER companies_creator BEFORE INSERT ON convene.companies
    FOR EACH ROW WHEN (NEW.created_by IS NULL AND row_security_active('convene.companies'::regclass))
    EXECUTE FUNCTION convene_private.fill_creator();
CREATE TRIGGER contacts_creator BEFORE INSERT ON convene.contacts
    FOR EACH ROW WHEN (NEW.created_by IS NULL AND row_security_active('convene.contacts'::regclass))
    EXECUTE FUNCTION convene_private.fill_creator();
CREATE TRIGGER leads_creator BEFORE INSERT ON convene.leads
    FOR EACH ROW WHEN (NEW.created_by IS NULL AND row_security_active('convene.leads'::regclass))
    EXECUTE FUNCTION convene_private.fill_creator();
CREATE TRIGGER opportunities_creator BEFORE INSERT ON convene.opportunities
    FOR EACH ROW WHEN (NEW.created_by IS NULL AND row_security_active('convene.opportunities'::regclass))
    EXECUTE FUNCTION convene_private.fill_creator();
CREATE TRIGGER interactions_creator BEFORE INSERT ON convene.interactions
    FOR EACH ROW WHEN (NEW.created_by IS NULL AND row_security_active('convene.interactions'::regclass))
    EXECUTE FUNCTION convene_private.fill_creator();
CREATE TRIGGER campaigns_creator BEFORE INSERT ON convene.campaigns
    FOR EACH ROW WHEN (NEW.created_by IS NULL AND row_security_active('convene.campaigns'::regclass))
    EXECUTE FUNCTION convene_private.fill_creator();
CREATE TRIGGER tasks_creator BEFORE INSERT ON convene.tasks
    FOR EACH ROW WHEN (NEW.created_by IS NULL AND row_security_active('convene.tasks'::regclass))
    EXECUTE FUNCTION convene_private.fill_creator();
CREATE TRIGGER notes_creator BEFORE INSERT ON convene.notes
    FOR EACH ROW WHEN (NEW.created_by IS NULL AND row_security_active('convene.notes'::regclass))
    EXECUTE FUNCTION convene_private.fill_creator();

CREATE FUNCTION convene_private.fill_recipient() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.organization_id := (SELECT c.organization_id FROM convene.campaigns c WHERE c.id = NEW.campaign_id);
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.fill_recipient() IS 'A recipient belongs to the organization of the campaign';
CREATE TRIGGER campaign_recipients_fill BEFORE INSERT ON convene.campaign_recipients
    FOR EACH ROW WHEN (NEW.organization_id IS NULL) EXECUTE FUNCTION convene_private.fill_recipient();

CREATE FUNCTION convene_private.keep_completion() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.completed_at := CASE WHEN NEW.status = 'completed' THEN coalesce(NEW.completed_at, now()) END;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.keep_completion() IS 'A task has a time of completion when it is completed, and only then';
CREATE TRIGGER tasks_completion BEFORE INSERT OR UPDATE OF status, completed_at ON convene.tasks
    FOR EACH ROW EXECUTE FUNCTION convene_private.keep_completion();

CREATE FUNCTION convene_private.my_team_campaign_ids(p_action text) RETURNS SETOF uuid
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT c.id FROM convene.campaigns c
    WHERE c.organization_id = ANY (ARRAY(SELECT convene_private.my_own_records_organization_ids('campaigns', p_action)))
      AND (c.assigned_to = ANY (ARRAY(SELECT convene_private.my_team_user_ids()))
           OR c.created_by = ANY (ARRAY(SELECT convene_private.my_team_user_ids())));
END $$;
COMMENT ON FUNCTION convene_private.my_team_campaign_ids(text) IS 'Campaigns of the caller''s team, where the caller may do this with those only';

-- Every record is its organization's staff's, as far as their role permits: all records of an area, or those of their own
-- team. Nobody else's, so the person whom a contact describes does not read it either. The organizations come first, as a
-- condition of its own that an index serves; what is found is looked at more closely only for callers to whom the team matters.
ALTER TABLE convene.companies ENABLE ROW LEVEL SECURITY;
CREATE POLICY companies_select ON convene.companies FOR SELECT
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_records_organization_ids('companies', 'read')))
           AND (NOT (SELECT convene_private.my_team_only('companies', 'read'))
                OR organization_id = ANY (ARRAY(SELECT convene_private.my_permitted_organization_ids('companies', 'read')))
                OR assigned_to = ANY (ARRAY(SELECT convene_private.my_team_user_ids()))
                OR created_by = ANY (ARRAY(SELECT convene_private.my_team_user_ids()))));
CREATE POLICY companies_insert ON convene.companies FOR INSERT
    WITH CHECK (
        (organization_id = ANY (ARRAY(SELECT convene_private.my_permitted_organization_ids('companies', 'write')))
         OR (organization_id = ANY (ARRAY(SELECT convene_private.my_own_records_organization_ids('companies', 'write')))
             AND (assigned_to = ANY (ARRAY(SELECT convene_private.my_team_user_ids()))
                  OR created_by = ANY (ARRAY(SELECT convene_private.my_team_user_ids())))))
        AND (created_by IS NULL OR created_by = ANY (ARRAY(SELECT convene_private.my_user_ids()))));
CREATE POLICY companies_update ON convene.companies FOR UPDATE
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_permitted_organization_ids('companies', 'write')))
           OR (organization_id = ANY (ARRAY(SELECT convene_private.my_own_records_organization_ids('companies', 'write')))
               AND (assigned_to = ANY (ARRAY(SELECT convene_private.my_team_user_ids()))
                    OR created_by = ANY (ARRAY(SELECT convene_private.my_team_user_ids())))));
CREATE POLICY companies_delete ON convene.companies FOR DELETE
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_permitted_organization_ids('companies', 'delete')))
           OR (organization_id = ANY (ARRAY(SELECT convene_private.my_own_records_organization_ids('companies', 'delete')))
               AND (assigned_to = ANY (ARRAY(SELECT convene_private.my_team_user_ids()))
                    OR created_by = ANY (ARRAY(SELECT convene_private.my_team_user_ids())))));

ALTER TABLE convene.contacts ENABLE ROW LEVEL SECURITY;
CREATE POLICY contacts_select ON convene.contacts FOR SELECT
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_records_organization_ids('contacts', 'read')))
           AND (NOT (SELECT convene_private.my_team_only('contacts', 'read'))
                OR organization_id = ANY (ARRAY(SELECT convene_private.my_permitted_organization_ids('contacts', 'read')))
                OR assigned_to = ANY (ARRAY(SELECT convene_private.my_team_user_ids()))
                OR created_by = ANY (ARRAY(SELECT convene_private.my_team_user_ids()))));
CREATE POLICY contacts_insert ON convene.contacts FOR INSERT
    WITH CHECK (
        (organization_id = ANY (ARRAY(SELECT convene_private.my_permitted_organization_ids('contacts', 'write')))
         OR (organization_id = ANY (ARRAY(SELECT convene_private.my_own_records_organization_ids('contacts', 'write')))
             AND (assigned_to = ANY (ARRAY(SELECT convene_private.my_team_user_ids()))
                  OR created_by = ANY (ARRAY(SELECT convene_private.my_team_user_ids())))))
        AND (created_by IS NULL OR created_by = ANY (ARRAY(SELECT convene_private.my_user_ids()))));
CREATE POLICY contacts_update ON convene.contacts FOR UPDATE
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_permitted_organization_ids('contacts', 'write')))
           OR (organization_id = ANY (ARRAY(SELECT convene_private.my_own_records_organization_ids('contacts', 'write')))
               AND (assigned_to = ANY (ARRAY(SELECT convene_private.my_team_user_ids()))
                    OR created_by = ANY (ARRAY(SELECT convene_private.my_team_user_ids())))));
CREATE POLICY contacts_delete ON convene.contacts FOR DELETE
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_permitted_organization_ids('contacts', 'delete')))
           OR (organization_id = ANY (ARRAY(SELECT convene_private.my_own_records_organization_ids('contacts', 'delete')))
               AND (assigned_to = ANY (ARRAY(SELECT convene_private.my_team_user_ids()))
                    OR created_by = ANY (ARRAY(SELECT convene_private.my_team_user_ids())))));

ALTER TABLE convene.leads ENABLE ROW LEVEL SECURITY;
CREATE POLICY leads_select ON convene.leads FOR SELECT
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_records_organization_ids('leads', 'read')))
           AND (NOT (SELECT convene_private.my_team_only('leads', 'read'))
                OR organization_id = ANY (ARRAY(SELECT convene_private.my_permitted_organization_ids('leads', 'read')))
                OR assigned_to = ANY (ARRAY(SELECT convene_private.my_team_user_ids()))
                OR created_by = ANY (ARRAY(SELECT convene_private.my_team_user_ids()))));
CREATE POLICY leads_insert ON convene.leads FOR INSERT
    WITH CHECK (
        (organization_id = ANY (ARRAY(SELECT convene_private.my_permitted_organization_ids('leads', 'write')))
         OR (organization_id = ANY (ARRAY(SELECT convene_private.my_own_records_organization_ids('leads', 'write')))
             AND (assigned_to = ANY (ARRAY(SELECT convene_private.my_team_user_ids()))
                  OR created_by = ANY (ARRAY(SELECT convene_private.my_team_user_ids())))))
        AND (created_by IS NULL OR created_by = ANY (ARRAY(SELECT convene_private.my_user_ids()))));
CREATE POLICY leads_update ON convene.leads FOR UPDATE
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_permitted_organization_ids('leads', 'write')))
           OR (organization_id = ANY (ARRAY(SELECT convene_private.my_own_records_organization_ids('leads', 'write')))
               AND (assigned_to = ANY (ARRAY(SELECT convene_private.my_team_user_ids()))
                    OR created_by = ANY (ARRAY(SELECT convene_private.my_team_user_ids())))));
CREATE POLICY leads_delete ON convene.leads FOR DELETE
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_permitted_organization_ids('leads', 'delete')))
           OR (organization_id = ANY (ARRAY(SELECT convene_private.my_own_records_organization_ids('leads', 'delete')))
               AND (assigned_to = ANY (ARRAY(SELECT convene_private.my_team_user_ids()))
                    OR created_by = ANY (ARRAY(SELECT convene_private.my_team_user_ids())))));

ALTER TABLE convene.opportunities ENABLE ROW LEVEL SECURITY;
CREATE POLICY opportunities_select ON convene.opportunities FOR SELECT
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_records_organization_ids('opportunities', 'read')))
           AND (NOT (SELECT convene_private.my_team_only('opportunities', 'read'))
                OR organization_id = ANY (ARRAY(SELECT convene_private.my_permitted_organization_ids('opportunities', 'read')))
                OR assigned_to = ANY (ARRAY(SELECT convene_private.my_team_user_ids()))
                OR created_by = ANY (ARRAY(SELECT convene_private.my_team_user_ids()))));
CREATE POLICY opportunities_insert ON convene.opportunities FOR INSERT
    WITH CHECK (
        (organization_id = ANY (ARRAY(SELECT convene_private.my_permitted_organization_ids('opportunities', 'write')))
         OR (organization_id = ANY (ARRAY(SELECT convene_private.my_own_records_organization_ids('opportunities', 'write')))
             AND (assigned_to = ANY (ARRAY(SELECT convene_private.my_team_user_ids()))
                  OR created_by = ANY (ARRAY(SELECT convene_private.my_team_user_ids())))))
        AND (created_by IS NULL OR created_by = ANY (ARRAY(SELECT convene_private.my_user_ids()))));
CREATE POLICY opportunities_update ON convene.opportunities FOR UPDATE
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_permitted_organization_ids('opportunities', 'write')))
           OR (organization_id = ANY (ARRAY(SELECT convene_private.my_own_records_organization_ids('opportunities', 'write')))
               AND (assigned_to = ANY (ARRAY(SELECT convene_private.my_team_user_ids()))
                    OR created_by = ANY (ARRAY(SELECT convene_private.my_team_user_ids())))));
CREATE POLICY opportunities_delete ON convene.opportunities FOR DELETE
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_permitted_organization_ids('opportunities', 'delete')))
           OR (organization_id = ANY (ARRAY(SELECT convene_private.my_own_records_organization_ids('opportunities', 'delete')))
               AND (assigned_to = ANY (ARRAY(SELECT convene_private.my_team_user_ids()))
                    OR created_by = ANY (ARRAY(SELECT convene_private.my_team_user_ids())))));

ALTER TABLE convene.interactions ENABLE ROW LEVEL SECURITY;
CREATE POLICY interactions_select ON convene.interactions FOR SELECT
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_records_organization_ids('interactions', 'read')))
           AND (NOT (SELECT convene_private.my_team_only('interactions', 'read'))
                OR organization_id = ANY (ARRAY(SELECT convene_private.my_permitted_organization_ids('interactions', 'read')))
                OR created_by = ANY (ARRAY(SELECT convene_private.my_team_user_ids()))));
CREATE POLICY interactions_insert ON convene.interactions FOR INSERT
    WITH CHECK (
        (organization_id = ANY (ARRAY(SELECT convene_private.my_permitted_organization_ids('interactions', 'write')))
         OR (organization_id = ANY (ARRAY(SELECT convene_private.my_own_records_organization_ids('interactions', 'write')))
             AND created_by = ANY (ARRAY(SELECT convene_private.my_team_user_ids()))))
        AND (created_by IS NULL OR created_by = ANY (ARRAY(SELECT convene_private.my_user_ids()))));
CREATE POLICY interactions_update ON convene.interactions FOR UPDATE
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_permitted_organization_ids('interactions', 'write')))
           OR (organization_id = ANY (ARRAY(SELECT convene_private.my_own_records_organization_ids('interactions', 'write')))
               AND created_by = ANY (ARRAY(SELECT convene_private.my_team_user_ids()))));
CREATE POLICY interactions_delete ON convene.interactions FOR DELETE
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_permitted_organization_ids('interactions', 'delete')))
           OR (organization_id = ANY (ARRAY(SELECT convene_private.my_own_records_organization_ids('interactions', 'delete')))
               AND created_by = ANY (ARRAY(SELECT convene_private.my_team_user_ids()))));

ALTER TABLE convene.campaigns ENABLE ROW LEVEL SECURITY;
CREATE POLICY campaigns_select ON convene.campaigns FOR SELECT
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_records_organization_ids('campaigns', 'read')))
           AND (NOT (SELECT convene_private.my_team_only('campaigns', 'read'))
                OR organization_id = ANY (ARRAY(SELECT convene_private.my_permitted_organization_ids('campaigns', 'read')))
                OR assigned_to = ANY (ARRAY(SELECT convene_private.my_team_user_ids()))
                OR created_by = ANY (ARRAY(SELECT convene_private.my_team_user_ids()))));
CREATE POLICY campaigns_insert ON convene.campaigns FOR INSERT
    WITH CHECK (
        (organization_id = ANY (ARRAY(SELECT convene_private.my_permitted_organization_ids('campaigns', 'write')))
         OR (organization_id = ANY (ARRAY(SELECT convene_private.my_own_records_organization_ids('campaigns', 'write')))
             AND (assigned_to = ANY (ARRAY(SELECT convene_private.my_team_user_ids()))
                  OR created_by = ANY (ARRAY(SELECT convene_private.my_team_user_ids())))))
        AND (created_by IS NULL OR created_by = ANY (ARRAY(SELECT convene_private.my_user_ids()))));
CREATE POLICY campaigns_update ON convene.campaigns FOR UPDATE
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_permitted_organization_ids('campaigns', 'write')))
           OR (organization_id = ANY (ARRAY(SELECT convene_private.my_own_records_organization_ids('campaigns', 'write')))
               AND (assigned_to = ANY (ARRAY(SELECT convene_private.my_team_user_ids()))
                    OR created_by = ANY (ARRAY(SELECT convene_private.my_team_user_ids())))));
CREATE POLICY campaigns_delete ON convene.campaigns FOR DELETE
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_permitted_organization_ids('campaigns', 'delete')))
           OR (organization_id = ANY (ARRAY(SELECT convene_private.my_own_records_organization_ids('campaigns', 'delete')))
               AND (assigned_to = ANY (ARRAY(SELECT convene_private.my_team_user_ids()))
                    OR created_by = ANY (ARRAY(SELECT convene_private.my_team_user_ids())))));

ALTER TABLE convene.tasks ENABLE ROW LEVEL SECURITY;
CREATE POLICY tasks_select ON convene.tasks FOR SELECT
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_records_organization_ids('tasks', 'read')))
           AND (NOT (SELECT convene_private.my_team_only('tasks', 'read'))
                OR organization_id = ANY (ARRAY(SELECT convene_private.my_permitted_organization_ids('tasks', 'read')))
                OR assigned_to = ANY (ARRAY(SELECT convene_private.my_team_user_ids()))
                OR created_by = ANY (ARRAY(SELECT convene_private.my_team_user_ids()))));
CREATE POLICY tasks_insert ON convene.tasks FOR INSERT
    WITH CHECK (
        (organization_id = ANY (ARRAY(SELECT convene_private.my_permitted_organization_ids('tasks', 'write')))
         OR (organization_id = ANY (ARRAY(SELECT convene_private.my_own_records_organization_ids('tasks', 'write')))
             AND (assigned_to = ANY (ARRAY(SELECT convene_private.my_team_user_ids()))
                  OR created_by = ANY (ARRAY(SELECT convene_private.my_team_user_ids())))))
        AND (created_by IS NULL OR created_by = ANY (ARRAY(SELECT convene_private.my_user_ids()))));
CREATE POLICY tasks_update ON convene.tasks FOR UPDATE
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_permitted_organization_ids('tasks', 'write')))
           OR (organization_id = ANY (ARRAY(SELECT convene_private.my_own_records_organization_ids('tasks', 'write')))
               AND (assigned_to = ANY (ARRAY(SELECT convene_private.my_team_user_ids()))
                    OR created_by = ANY (ARRAY(SELECT convene_private.my_team_user_ids())))));
CREATE POLICY tasks_delete ON convene.tasks FOR DELETE
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_permitted_organization_ids('tasks', 'delete')))
           OR (organization_id = ANY (ARRAY(SELECT convene_private.my_own_records_organization_ids('tasks', 'delete')))
               AND (assigned_to = ANY (ARRAY(SELECT convene_private.my_team_user_ids()))
                    OR created_by = ANY (ARRAY(SELECT convene_private.my_team_user_ids())))));

ALTER TABLE convene.notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY notes_select ON convene.notes FOR SELECT
    USING (
        organization_id = ANY (ARRAY(SELECT convene_private.my_records_organization_ids('notes', 'read')))
        AND (NOT (SELECT convene_private.my_team_only('notes', 'read'))
             OR organization_id = ANY (ARRAY(SELECT convene_private.my_permitted_organization_ids('notes', 'read')))
             OR created_by = ANY (ARRAY(SELECT convene_private.my_team_user_ids())))
        AND (NOT is_private OR created_by = ANY (ARRAY(SELECT convene_private.my_user_ids()))));
CREATE POLICY notes_insert ON convene.notes FOR INSERT
    WITH CHECK (
        (organization_id = ANY (ARRAY(SELECT convene_private.my_permitted_organization_ids('notes', 'write')))
         OR (organization_id = ANY (ARRAY(SELECT convene_private.my_own_records_organization_ids('notes', 'write')))
             AND created_by = ANY (ARRAY(SELECT convene_private.my_team_user_ids()))))
        AND (NOT is_private OR created_by = ANY (ARRAY(SELECT convene_private.my_user_ids())))
        AND (created_by IS NULL OR created_by = ANY (ARRAY(SELECT convene_private.my_user_ids()))));
CREATE POLICY notes_update ON convene.notes FOR UPDATE
    USING (
        (organization_id = ANY (ARRAY(SELECT convene_private.my_permitted_organization_ids('notes', 'write')))
         OR (organization_id = ANY (ARRAY(SELECT convene_private.my_own_records_organization_ids('notes', 'write')))
             AND created_by = ANY (ARRAY(SELECT convene_private.my_team_user_ids()))))
        AND (NOT is_private OR created_by = ANY (ARRAY(SELECT convene_private.my_user_ids()))));
CREATE POLICY notes_delete ON convene.notes FOR DELETE
    USING (
        (organization_id = ANY (ARRAY(SELECT convene_private.my_permitted_organization_ids('notes', 'delete')))
         OR (organization_id = ANY (ARRAY(SELECT convene_private.my_own_records_organization_ids('notes', 'delete')))
             AND created_by = ANY (ARRAY(SELECT convene_private.my_team_user_ids()))))
        AND (NOT is_private OR created_by = ANY (ARRAY(SELECT convene_private.my_user_ids()))));

ALTER TABLE convene.campaign_recipients ENABLE ROW LEVEL SECURITY;
CREATE POLICY campaign_recipients_select ON convene.campaign_recipients FOR SELECT
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_permitted_organization_ids('campaigns', 'read')))
           OR campaign_id = ANY (ARRAY(SELECT convene_private.my_team_campaign_ids('read'))));
CREATE POLICY campaign_recipients_insert ON convene.campaign_recipients FOR INSERT
    WITH CHECK (organization_id = ANY (ARRAY(SELECT convene_private.my_permitted_organization_ids('campaigns', 'write')))
                OR campaign_id = ANY (ARRAY(SELECT convene_private.my_team_campaign_ids('write'))));
CREATE POLICY campaign_recipients_delete ON convene.campaign_recipients FOR DELETE
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_permitted_organization_ids('campaigns', 'delete')))
           OR campaign_id = ANY (ARRAY(SELECT convene_private.my_team_campaign_ids('delete'))));
