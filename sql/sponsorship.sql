-- Sponsors and what they look for, packages and what is signed, and how sponsors and events fit. A sponsor without an event is in
-- the marketplace; event_sponsorships says which events a sponsor has to do with beside its own.

CREATE TABLE convene.sponsorship_packages (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    event_id uuid NOT NULL,
    event_public boolean NOT NULL DEFAULT false,
    package_name text NOT NULL CHECK (package_name <> ''),
    tier text NOT NULL
        CHECK (tier IN ('title', 'platinum', 'gold', 'silver', 'bronze', 'community', 'partner', 'media')),
    package_type text NOT NULL DEFAULT 'standard' CHECK (package_type <> ''),
    price_cents bigint NOT NULL CHECK (price_cents >= 0),
    currency text NOT NULL DEFAULT 'USD' CHECK (currency ~ '^[A-Z]{3}$'),
    price numeric GENERATED ALWAYS AS (trim_scale(price_cents::numeric / convene_private.minor_units(currency))) STORED,
    benefits jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(benefits) = 'array'),
    deliverables jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(deliverables) = 'array'),
    total_available integer NOT NULL CHECK (total_available > 0),
    sold integer NOT NULL DEFAULT 0 CHECK (sold >= 0),
    available integer GENERATED ALWAYS AS (total_available - sold) STORED,
    status text NOT NULL DEFAULT 'available' CHECK (status IN ('available', 'limited', 'sold_out', 'archived')),
    priority integer NOT NULL DEFAULT 0,
    description text,
    highlights text[] NOT NULL DEFAULT '{}',
    view_count bigint NOT NULL DEFAULT 0 CHECK (view_count >= 0),
    order_count integer NOT NULL DEFAULT 0 CHECK (order_count >= 0),
    conversion_rate numeric(7,6) CHECK (conversion_rate BETWEEN 0 AND 1),
    stats_refreshed_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (event_id, package_name),
    UNIQUE (id, event_id),
    CHECK (sold <= total_available),
    FOREIGN KEY (event_id, event_public) REFERENCES convene.events (id, is_public) ON UPDATE CASCADE ON DELETE CASCADE
) WITH (fillfactor = 85);
COMMENT ON TABLE convene.sponsorship_packages IS 'What an event offers to sponsors';
COMMENT ON COLUMN convene.sponsorship_packages.event_public IS 'events.is_public, kept by a trigger and the foreign key';
COMMENT ON COLUMN convene.sponsorship_packages.package_type IS 'What kind of thing is sold, in the organizer''s words: standard, booth, speaking, digital';
COMMENT ON COLUMN convene.sponsorship_packages.price_cents IS 'Minor units of the currency, cents of a dollar; price is the same in whole units';
COMMENT ON COLUMN convene.sponsorship_packages.sold IS 'Sold and reserved by orders; never above total_available';
COMMENT ON COLUMN convene.sponsorship_packages.status IS 'sold_out comes and goes with the last one available; limited and archived are the organizer''s word';
COMMENT ON COLUMN convene.sponsorship_packages.priority IS 'Place in the list, smallest first';
COMMENT ON COLUMN convene.sponsorship_packages.view_count IS 'How often it was looked at; like order_count and conversion_rate as of stats_refreshed_at';
COMMENT ON COLUMN convene.sponsorship_packages.conversion_rate IS 'Orders per view, 0 to 1; null without views';
CREATE INDEX idx_sponsorship_packages_tier ON convene.sponsorship_packages (tier);
CREATE INDEX idx_sponsorship_packages_priority ON convene.sponsorship_packages (priority);
CREATE TRIGGER sponsorship_packages_programme BEFORE INSERT OR UPDATE OF event_id, event_public ON convene.sponsorship_packages
    FOR EACH ROW EXECUTE FUNCTION convene_private.place_in_programme();
CREATE TRIGGER sponsorship_packages_touch BEFORE UPDATE ON convene.sponsorship_packages
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

CREATE TABLE convene.sponsors (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid,
    event_id uuid,
    profile_id uuid REFERENCES convene.profiles ON DELETE SET NULL,
    company_id uuid,
    contact_id uuid,
    company_name text NOT NULL CHECK (company_name <> ''),
    company_website text,
    industry text,
    company_size text CHECK (company_size IN ('1-10', '11-50', '51-200', '201-1000', '1000+')),
    brand_values text[] NOT NULL DEFAULT '{}',
    primary_contact_name text,
    primary_contact_email text CHECK (primary_contact_email <> ''),
    primary_contact_phone text,
    sponsorship_tier text
        CHECK (sponsorship_tier IN ('title', 'platinum', 'gold', 'silver', 'bronze', 'community', 'partner', 'media')),
    package_id uuid,
    contract_value numeric(12,2) CHECK (contract_value >= 0 AND contract_value <> 'NaN'),
    sponsorship_amount numeric(12,2) CHECK (sponsorship_amount >= 0 AND sponsorship_amount <> 'NaN'),
    currency text NOT NULL DEFAULT 'USD' CHECK (currency ~ '^[A-Z]{3}$'),
    contract_signed boolean NOT NULL DEFAULT false,
    contract_signed_date date,
    contract_url text,
    payment_schedule jsonb CHECK (jsonb_typeof(payment_schedule) IN ('object', 'array')),
    status text NOT NULL DEFAULT 'prospecting'
        CHECK (status IN ('prospecting', 'negotiating', 'contracted', 'active', 'fulfilled', 'churned')),
    payment_status text NOT NULL DEFAULT 'pending'
        CHECK (payment_status IN ('pending', 'partial', 'paid', 'overdue', 'refunded')),
    fulfilment_status text NOT NULL DEFAULT 'pending'
        CHECK (fulfilment_status IN ('pending', 'confirmed', 'cancelled', 'completed')),
    benefits_included text[] NOT NULL DEFAULT '{}',
    deliverables text[] NOT NULL DEFAULT '{}',
    logo_placement text[] NOT NULL DEFAULT '{}',
    speaking_opportunities text[] NOT NULL DEFAULT '{}',
    logo_url text,
    website_url text,
    marketing_materials jsonb CHECK (jsonb_typeof(marketing_materials) IN ('object', 'array')),
    social_media_links jsonb CHECK (jsonb_typeof(social_media_links) IN ('object', 'array')),
    total_leads_collected integer NOT NULL DEFAULT 0 CHECK (total_leads_collected >= 0),
    total_booth_visits integer NOT NULL DEFAULT 0 CHECK (total_booth_visits >= 0),
    total_interactions integer NOT NULL DEFAULT 0 CHECK (total_interactions >= 0),
    engagement_score integer DEFAULT 0 CHECK (engagement_score BETWEEN 0 AND 100),
    projected_roi numeric(12,2) CHECK (projected_roi <> 'NaN'),
    actual_roi numeric(12,2) CHECK (actual_roi <> 'NaN'),
    satisfaction_score integer CHECK (satisfaction_score BETWEEN 1 AND 10),
    renewal_likely boolean,
    renewal_probability numeric(3,2) CHECK (renewal_probability BETWEEN 0 AND 1),
    renewal_contacted_at timestamptz,
    assigned_to uuid,
    notes text,
    tags text[] NOT NULL DEFAULT '{}',
    custom_fields jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(custom_fields) = 'object'),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (event_id, company_name),
    UNIQUE (id, event_id),
    -- Records of an organization are named only by sponsors of its events: without an event no key would compare the two.
    CHECK ((event_id IS NULL) = (organization_id IS NULL)),
    CHECK (event_id IS NOT NULL OR num_nonnulls(company_id, contact_id, assigned_to, package_id) = 0),
    FOREIGN KEY (event_id, organization_id) REFERENCES convene.events (id, organization_id)
        ON DELETE CASCADE ON UPDATE CASCADE,
    FOREIGN KEY (company_id, organization_id) REFERENCES convene.companies (id, organization_id) ON DELETE SET NULL (company_id),
    FOREIGN KEY (contact_id, organization_id) REFERENCES convene.contacts (id, organization_id) ON DELETE SET NULL (contact_id),
    FOREIGN KEY (assigned_to, organization_id) REFERENCES convene.users (id, organization_id) ON DELETE SET NULL (assigned_to),
    FOREIGN KEY (package_id, event_id) REFERENCES convene.sponsorship_packages (id, event_id) ON DELETE SET NULL (package_id)
) WITH (fillfactor = 85);
COMMENT ON TABLE convene.sponsors IS 'Sponsors: those of an event, and those of the marketplace that have signed for none';
COMMENT ON COLUMN convene.sponsors.organization_id IS 'That of the event, filled in; keeps company, contact and user from being another organization''s';
COMMENT ON COLUMN convene.sponsors.event_id IS 'Null: in the marketplace. Once set it stays';
COMMENT ON COLUMN convene.sponsors.profile_id IS 'The person who signs in for the sponsor; null: whoever''s verified address is primary_contact_email';
COMMENT ON COLUMN convene.sponsors.contract_value IS 'What was agreed, in whole units of the currency; null: nothing yet';
COMMENT ON COLUMN convene.sponsors.sponsorship_amount IS 'The part of it that is paid in money';
COMMENT ON COLUMN convene.sponsors.status IS 'Where the sale stands; the other two say where money and services stand';
COMMENT ON COLUMN convene.sponsors.total_leads_collected IS 'Counted from its leads, like the next two';
COMMENT ON COLUMN convene.sponsors.engagement_score IS '0 to 100; null: not known, which a forecast of renewal takes for 50';
COMMENT ON COLUMN convene.sponsors.projected_roi IS 'Percent: 250 is 250%';
COMMENT ON COLUMN convene.sponsors.actual_roi IS 'Percent';
COMMENT ON COLUMN convene.sponsors.renewal_likely IS 'Set with renewal_probability';
COMMENT ON COLUMN convene.sponsors.renewal_probability IS '0 to 1, as last predicted; null: never';
COMMENT ON COLUMN convene.sponsors.assigned_to IS 'The user of the event''s organization who looks after the sponsor';
COMMENT ON COLUMN convene.sponsors.notes IS 'The organizer''s; written, but not read, through the table, since the sponsor reads its rows';
COMMENT ON COLUMN convene.sponsors.custom_fields IS 'The organizer''s own; the sponsor reads them too';
CREATE INDEX idx_sponsors_tier ON convene.sponsors (sponsorship_tier);
CREATE INDEX idx_sponsors_status ON convene.sponsors (status);
CREATE INDEX idx_sponsors_engagement ON convene.sponsors (engagement_score DESC);
CREATE INDEX idx_sponsors_renewal_probability ON convene.sponsors (renewal_probability DESC)
    WHERE renewal_probability IS NOT NULL;
CREATE INDEX idx_sponsors_profile ON convene.sponsors (profile_id);
CREATE INDEX idx_sponsors_email ON convene.sponsors (lower(primary_contact_email)) WHERE profile_id IS NULL;
CREATE INDEX idx_sponsors_company ON convene.sponsors (company_id);
CREATE INDEX idx_sponsors_contact ON convene.sponsors (contact_id);
CREATE INDEX idx_sponsors_assigned_to ON convene.sponsors (assigned_to);
CREATE INDEX idx_sponsors_package ON convene.sponsors (package_id);
CREATE TRIGGER sponsors_keep_event BEFORE UPDATE ON convene.sponsors
    FOR EACH ROW WHEN (OLD.event_id IS NOT NULL AND OLD.event_id IS DISTINCT FROM NEW.event_id)
    EXECUTE FUNCTION convene_private.refuse_change('event_id');
CREATE TRIGGER sponsors_touch BEFORE UPDATE ON convene.sponsors
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

-- Revisions start at the clock, here and below: a row that is made anew must not be behind what was computed from the one before.
CREATE TABLE convene.sponsor_profiles (
    sponsor_id uuid PRIMARY KEY REFERENCES convene.sponsors ON DELETE CASCADE,
    industry text,
    company_size text CHECK (company_size IN ('1-10', '11-50', '51-200', '201-1000', '1000+')),
    annual_budget_cents bigint CHECK (annual_budget_cents >= 0),
    currency text NOT NULL DEFAULT 'USD' CHECK (currency ~ '^[A-Z]{3}$'),
    brand_objectives jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(brand_objectives) = 'object'),
    target_audience jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(target_audience) = 'object'),
    ideal_customer jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(ideal_customer) = 'object'),
    preferred_categories text[] NOT NULL DEFAULT '{}' CHECK (cardinality(preferred_categories) <= 200),
    regions text[] NOT NULL DEFAULT '{}' CHECK (cardinality(regions) <= 300),
    reputation_score numeric(5,2) CHECK (reputation_score BETWEEN 0 AND 100),
    objectives_embedding @extschema:vector@.vector,
    embedding_model text REFERENCES convene.embedding_models ON UPDATE CASCADE,
    objectives_text text,
    rev bigint NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((objectives_embedding IS NULL) = (embedding_model IS NULL))
) WITH (fillfactor = 85);
COMMENT ON TABLE convene.sponsor_profiles IS 'What a sponsor looks for, in events and in attendees';
COMMENT ON COLUMN convene.sponsor_profiles.annual_budget_cents IS 'Minor units of the currency, for a year; null: not told';
COMMENT ON COLUMN convene.sponsor_profiles.brand_objectives IS '{"keywords": [], "goals": []}';
COMMENT ON COLUMN convene.sponsor_profiles.target_audience IS '{"age_buckets": [], "interests": []}';
COMMENT ON COLUMN convene.sponsor_profiles.ideal_customer IS '{"industries": [], "company_sizes": [], "roles": [], "seniority": [], "regions": [], "topics": []}; empty: leads are not compared with anybody';
COMMENT ON COLUMN convene.sponsor_profiles.regions IS 'Countries by code or English name, or other regions in the words that events use';
COMMENT ON COLUMN convene.sponsor_profiles.reputation_score IS '0 to 100; null: not known';
COMMENT ON COLUMN convene.sponsor_profiles.objectives_embedding IS 'Has the dimension that embedding_models gives its model';
COMMENT ON COLUMN convene.sponsor_profiles.embedding_model IS 'Left out: the default of embedding_models; null without a vector';
COMMENT ON COLUMN convene.sponsor_profiles.objectives_text IS 'The text that was embedded';
COMMENT ON COLUMN convene.sponsor_profiles.rev IS 'Grows when budget, categories, regions or vector change; what was computed from an older rev is stale';
CREATE INDEX idx_sponsor_profiles_categories ON convene.sponsor_profiles USING gin (preferred_categories);
CREATE INDEX idx_sponsor_profiles_regions ON convene.sponsor_profiles USING gin (regions);
CREATE INDEX idx_sponsor_profiles_model ON convene.sponsor_profiles (embedding_model);
CREATE TRIGGER sponsor_profiles_keep_sponsor BEFORE UPDATE ON convene.sponsor_profiles
    FOR EACH ROW WHEN (OLD.sponsor_id IS DISTINCT FROM NEW.sponsor_id)
    EXECUTE FUNCTION convene_private.refuse_change('sponsor_id');
CREATE TRIGGER sponsor_profiles_touch BEFORE UPDATE ON convene.sponsor_profiles
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

CREATE TABLE convene.event_sponsorships (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    event_id uuid NOT NULL REFERENCES convene.events ON DELETE CASCADE,
    sponsor_id uuid NOT NULL REFERENCES convene.sponsors ON DELETE CASCADE,
    package_id uuid,
    status text NOT NULL DEFAULT 'proposed'
        CHECK (status IN ('proposed', 'negotiating', 'confirmed', 'active', 'completed', 'cancelled')),
    amount_cents bigint CHECK (amount_cents >= 0),
    currency text NOT NULL DEFAULT 'USD' CHECK (currency ~ '^[A-Z]{3}$'),
    confirmed_at timestamptz,
    activated_at timestamptz,
    completed_at timestamptz,
    cancelled_at timestamptz,
    cancellation_reason text,
    impressions bigint NOT NULL DEFAULT 0 CHECK (impressions >= 0),
    booth_visits integer NOT NULL DEFAULT 0 CHECK (booth_visits >= 0),
    leads_generated integer NOT NULL DEFAULT 0 CHECK (leads_generated >= 0),
    conversions integer NOT NULL DEFAULT 0 CHECK (conversions >= 0),
    attributed_value_cents bigint NOT NULL DEFAULT 0 CHECK (attributed_value_cents >= 0),
    engagement_score integer CHECK (engagement_score BETWEEN 0 AND 100),
    roi numeric(12,2) CHECK (roi <> 'NaN'),
    roi_metrics jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(roi_metrics) = 'object'),
    measured_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (event_id, sponsor_id),
    FOREIGN KEY (package_id, event_id) REFERENCES convene.sponsorship_packages (id, event_id) ON DELETE SET NULL (package_id)
) WITH (fillfactor = 85);
COMMENT ON TABLE convene.event_sponsorships IS 'A sponsorship from proposal to completion, and what came of it: one row per event and sponsor';
COMMENT ON COLUMN convene.event_sponsorships.package_id IS 'The package it is about; what was bought is in sponsorship_orders';
COMMENT ON COLUMN convene.event_sponsorships.status IS 'From confirmed on, unless cancelled, the sponsor takes part in the event';
COMMENT ON COLUMN convene.event_sponsorships.confirmed_at IS 'When the status was first reached, as the next three; kept by a trigger';
COMMENT ON COLUMN convene.event_sponsorships.conversions IS 'Leads that were won';
COMMENT ON COLUMN convene.event_sponsorships.attributed_value_cents IS 'What those were worth, in minor units of the currency';
COMMENT ON COLUMN convene.event_sponsorships.roi IS 'Percent';
COMMENT ON COLUMN convene.event_sponsorships.measured_at IS 'When the figures from impressions on were counted';
CREATE INDEX idx_event_sponsorships_sponsor ON convene.event_sponsorships (sponsor_id);
CREATE INDEX idx_event_sponsorships_package ON convene.event_sponsorships (package_id);
CREATE TRIGGER event_sponsorships_touch BEFORE UPDATE ON convene.event_sponsorships
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

CREATE TABLE convene.event_audience_insights (
    event_id uuid PRIMARY KEY,
    listed boolean NOT NULL DEFAULT false,
    audience text GENERATED ALWAYS AS (CASE WHEN listed THEN 'sponsors' END) STORED,
    attendee_count integer NOT NULL DEFAULT 0 CHECK (attendee_count >= 0),
    avg_dwell_time_ms numeric(14,2) CHECK (avg_dwell_time_ms >= 0 AND avg_dwell_time_ms <> 'NaN'),
    geo_distribution jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(geo_distribution) = 'object'),
    age_segments jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(age_segments) = 'object'),
    engagement_score numeric(7,6) CHECK (engagement_score BETWEEN 0 AND 1),
    ticket_conversion_rate numeric(7,6) CHECK (ticket_conversion_rate BETWEEN 0 AND 1),
    social_mentions integer NOT NULL DEFAULT 0 CHECK (social_mentions >= 0),
    sentiment_score numeric(7,6) CHECK (sentiment_score BETWEEN -1 AND 1),
    rev bigint NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
    computed_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (event_id, listed) REFERENCES convene.events (id, on_market) ON UPDATE CASCADE ON DELETE CASCADE
) WITH (fillfactor = 70);
COMMENT ON TABLE convene.event_audience_insights IS 'What is known of an event''s audience, in sums only; whoever acts for a sponsor reads it of every published event';
COMMENT ON COLUMN convene.event_audience_insights.listed IS 'events.on_market, kept by a trigger and the foreign key';
COMMENT ON COLUMN convene.event_audience_insights.audience IS 'sponsors: every sponsor''s people may read it; null: only the event''s staff';
COMMENT ON COLUMN convene.event_audience_insights.geo_distribution IS 'Impressions by country: {"CA": 120}';
COMMENT ON COLUMN convene.event_audience_insights.age_segments IS 'Shares by age: {"18-24": 0.2}';
COMMENT ON COLUMN convene.event_audience_insights.engagement_score IS '0 to 1; this and the next: null means that nothing is known';
COMMENT ON COLUMN convene.event_audience_insights.ticket_conversion_rate IS '0 to 1: those who bought, of those who looked';
COMMENT ON COLUMN convene.event_audience_insights.sentiment_score IS '-1 to 1; null: no text was scored';
COMMENT ON COLUMN convene.event_audience_insights.rev IS 'Grows when regions, engagement or conversion change; what was computed from an older rev is stale';
COMMENT ON COLUMN convene.event_audience_insights.computed_at IS 'When signals of the event were last counted';
CREATE INDEX idx_event_audience_insights_engagement ON convene.event_audience_insights (engagement_score DESC);
CREATE INDEX idx_event_audience_insights_audience ON convene.event_audience_insights (audience, event_id);
CREATE TRIGGER event_audience_insights_touch BEFORE UPDATE ON convene.event_audience_insights
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

CREATE TABLE convene.event_embeddings (
    event_id uuid PRIMARY KEY,
    event_public boolean NOT NULL DEFAULT false,
    embedding @extschema:vector@.vector NOT NULL,
    source_text text NOT NULL,
    embedding_model text NOT NULL REFERENCES convene.embedding_models ON UPDATE CASCADE,
    rev bigint NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (event_id, event_public) REFERENCES convene.events (id, is_public) ON UPDATE CASCADE ON DELETE CASCADE
);
COMMENT ON TABLE convene.event_embeddings IS 'One vector per event, of whichever model; vectors of two models are never compared';
COMMENT ON COLUMN convene.event_embeddings.event_public IS 'events.is_public, kept by a trigger and the foreign key';
COMMENT ON COLUMN convene.event_embeddings.embedding IS 'Has the dimension that embedding_models gives its model';
COMMENT ON COLUMN convene.event_embeddings.source_text IS 'The text that was embedded';
COMMENT ON COLUMN convene.event_embeddings.embedding_model IS 'Left out: the default of embedding_models';
COMMENT ON COLUMN convene.event_embeddings.rev IS 'Grows when the vector changes';
CREATE INDEX idx_event_embeddings_model ON convene.event_embeddings (embedding_model);
CREATE TRIGGER event_embeddings_programme BEFORE INSERT OR UPDATE OF event_id, event_public ON convene.event_embeddings
    FOR EACH ROW EXECUTE FUNCTION convene_private.place_in_programme();
CREATE TRIGGER event_embeddings_touch BEFORE UPDATE ON convene.event_embeddings
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

-- No foreign keys: a worker that adds a million rows would check two million of them, and an event that is being computed could
-- not be cancelled meanwhile. Triggers remove the rows of what is deleted (sponsorship_queue.sql). Room in a page for one further version
-- is enough: what people do with a match needs no more, and a new score goes into two indexes anyway.
CREATE TABLE convene.sponsorship_matches (
    event_id uuid NOT NULL,
    sponsor_id uuid NOT NULL,
    score numeric(7,6) NOT NULL CHECK (score BETWEEN 0 AND 1),
    overlap_metrics jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(overlap_metrics) = 'object'),
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'suggested', 'accepted', 'rejected')),
    viewed_at timestamptz,
    contacted_at timestamptz,
    retired_at timestamptz,
    sponsor_rev bigint NOT NULL DEFAULT 0,
    event_rev bigint NOT NULL DEFAULT 0,
    fingerprint bigint NOT NULL DEFAULT 0,
    computed_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (event_id, sponsor_id)
) WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.05);
COMMENT ON TABLE convene.sponsorship_matches IS 'How well sponsors and events fit, and what people made of it; written by the recalculation only';
COMMENT ON COLUMN convene.sponsorship_matches.score IS '0 to 1: the sum of the contributions in overlap_metrics, rounded once';
COMMENT ON COLUMN convene.sponsorship_matches.overlap_metrics IS 'The parts of the score, their weights and contributions';
COMMENT ON COLUMN convene.sponsorship_matches.retired_at IS 'Sponsor or event left the market; kept because somebody had looked at it or answered';
COMMENT ON COLUMN convene.sponsorship_matches.sponsor_rev IS 'Revision of the sponsor''s side that this was computed from; never goes back';
COMMENT ON COLUMN convene.sponsorship_matches.event_rev IS 'Likewise of the event''s side';
COMMENT ON COLUMN convene.sponsorship_matches.fingerprint IS 'Digest of score and metrics, by which a recalculation knows what has not changed; 0: to be computed';
CREATE INDEX idx_sponsorship_matches_event ON convene.sponsorship_matches (event_id, score DESC);
CREATE INDEX idx_sponsorship_matches_sponsor ON convene.sponsorship_matches (sponsor_id, score DESC);
-- As for attendees: of a list that is made while the query runs the server expects ten ids. With ten of ten thousand sponsors it
-- would take a policy for something that leaves few rows, and read and sort all matches of a sponsor for the best twenty.
ALTER TABLE convene.sponsorship_matches ALTER COLUMN sponsor_id SET (n_distinct = 100);
CREATE TRIGGER sponsorship_matches_touch BEFORE UPDATE ON convene.sponsorship_matches
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

-- No foreign keys: a job must never make its producer wait.
CREATE TABLE convene.fit_recalc_queue (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    sponsor_id uuid,
    event_id uuid,
    reason text NOT NULL DEFAULT 'requested' CHECK (reason <> ''),
    priority integer NOT NULL DEFAULT 0,
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'leased', 'done', 'failed')),
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts BETWEEN 0 AND 1000000000),
    queued_at timestamptz NOT NULL DEFAULT now(),
    available_at timestamptz NOT NULL DEFAULT now(),
    claimed_at timestamptz,
    claimed_by text,
    lease_token uuid,
    lease_until timestamptz,
    processed_at timestamptz,
    last_error text,
    payload jsonb,
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK (num_nonnulls(sponsor_id, event_id) > 0 OR payload IS NOT DISTINCT FROM '{"events": "all"}'),
    CHECK (status <> 'leased' OR (lease_token IS NOT NULL AND lease_until IS NOT NULL))
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500,
        autovacuum_analyze_scale_factor = 0.05);
COMMENT ON TABLE convene.fit_recalc_queue IS 'Fits that have to be computed anew: those of a sponsor, of an event, or of one pair';
COMMENT ON COLUMN convene.fit_recalc_queue.sponsor_id IS 'Null: every sponsor on the market';
COMMENT ON COLUMN convene.fit_recalc_queue.event_id IS 'Null: every event on the market';
COMMENT ON COLUMN convene.fit_recalc_queue.reason IS 'What changed';
COMMENT ON COLUMN convene.fit_recalc_queue.priority IS 'Higher goes first';
COMMENT ON COLUMN convene.fit_recalc_queue.status IS 'failed: parked after queue.max_attempts, see last_error';
COMMENT ON COLUMN convene.fit_recalc_queue.available_at IS 'Not claimed before; moved on by a failure';
COMMENT ON COLUMN convene.fit_recalc_queue.lease_token IS 'Of queues whose claims outlive a transaction; here none does';
COMMENT ON COLUMN convene.fit_recalc_queue.payload IS '{"events": "all"} without ids: a worker puts every event on the market into the queue';
CREATE INDEX idx_fit_recalc_queue_sponsor ON convene.fit_recalc_queue (sponsor_id, event_id) WHERE status = 'pending';
CREATE INDEX idx_fit_recalc_queue_event ON convene.fit_recalc_queue (event_id) WHERE status = 'pending' AND sponsor_id IS NULL;
CREATE INDEX idx_fit_recalc_queue_claim ON convene.fit_recalc_queue (priority DESC, available_at, id)
    WHERE status = 'pending' AND attempts >= 0;
CREATE INDEX idx_fit_recalc_queue_processed ON convene.fit_recalc_queue (processed_at) WHERE status IN ('done', 'failed');
CREATE TRIGGER fit_recalc_queue_touch BEFORE UPDATE ON convene.fit_recalc_queue
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

-- Tables where materialised views would do, because these have row security; and double precision, because what is compared
-- behind row security finds its index only where comparing is leakproof, and comparing numerics is not.
CREATE TABLE convene.event_quality_scores (
    event_id uuid PRIMARY KEY,
    event_public boolean NOT NULL DEFAULT false,
    on_market boolean NOT NULL DEFAULT false,
    quality_score double precision CHECK (quality_score BETWEEN 0 AND 100),
    quality_tier text GENERATED ALWAYS AS (CASE WHEN quality_score >= 80 THEN 'premium' WHEN quality_score >= 60 THEN 'high'
                                                WHEN quality_score >= 40 THEN 'medium' WHEN quality_score < 40 THEN 'low' END) STORED,
    completeness double precision CHECK (completeness BETWEEN 0 AND 1),
    engagement double precision CHECK (engagement BETWEEN 0 AND 1),
    conversion double precision CHECK (conversion BETWEEN 0 AND 1),
    social_proof double precision CHECK (social_proof BETWEEN 0 AND 1),
    history double precision CHECK (history BETWEEN 0 AND 1),
    coverage double precision CHECK (coverage BETWEEN 0 AND 1),
    computed_at timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (event_id, event_public) REFERENCES convene.events (id, is_public) ON UPDATE CASCADE ON DELETE CASCADE
) WITH (fillfactor = 80);
COMMENT ON TABLE convene.event_quality_scores IS 'How good an event looks to a sponsor, and from what that was computed, as of its last refresh: a row for every event';
COMMENT ON COLUMN convene.event_quality_scores.event_public IS 'events.is_public, kept by a trigger and the foreign key';
COMMENT ON COLUMN convene.event_quality_scores.on_market IS 'Published and not over, as of the last change of the event or the last refresh: what the pages of the marketplace are read by';
COMMENT ON COLUMN convene.event_quality_scores.quality_score IS '0 to 100, to two places; null until it is refreshed, and for a cancelled event';
COMMENT ON COLUMN convene.event_quality_scores.quality_tier IS 'premium from 80, high from 60, medium from 40, else low; null without a score';
COMMENT ON COLUMN convene.event_quality_scores.completeness IS 'How much of the event is described, 0 to 1; null, here and in the other parts: nothing to compute it from';
COMMENT ON COLUMN convene.event_quality_scores.history IS 'How the organization''s events before went';
COMMENT ON COLUMN convene.event_quality_scores.coverage IS 'Share of the weights whose parts are known; an unknown part counts as the middle';
CREATE INDEX idx_event_quality_scores_score ON convene.event_quality_scores (quality_score DESC);
CREATE INDEX idx_event_quality_scores_market ON convene.event_quality_scores (quality_score DESC) WHERE on_market;
CREATE TRIGGER event_quality_scores_programme BEFORE INSERT OR UPDATE OF event_id, event_public ON convene.event_quality_scores
    FOR EACH ROW EXECUTE FUNCTION convene_private.place_in_programme();

CREATE TABLE convene.sponsor_event_fit_scores (
    sponsor_id uuid NOT NULL REFERENCES convene.sponsors ON DELETE CASCADE,
    event_id uuid NOT NULL REFERENCES convene.events ON DELETE CASCADE,
    score double precision NOT NULL CHECK (score BETWEEN 0 AND 1),
    budget_fit double precision CHECK (budget_fit BETWEEN 0 AND 1),
    audience_overlap double precision CHECK (audience_overlap BETWEEN 0 AND 1),
    geo_fit double precision CHECK (geo_fit BETWEEN 0 AND 1),
    engagement_quality double precision CHECK (engagement_quality BETWEEN 0 AND 1),
    objectives_similarity double precision CHECK (objectives_similarity BETWEEN 0 AND 1),
    semantic_similarity double precision CHECK (semantic_similarity BETWEEN -1 AND 1),
    computed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (sponsor_id, event_id)
) WITH (fillfactor = 80);
COMMENT ON TABLE convene.sponsor_event_fit_scores IS 'The fit of sponsors and events and its parts, all 0 to 1, as of its last refresh';
COMMENT ON COLUMN convene.sponsor_event_fit_scores.semantic_similarity IS 'Cosine of what the sponsor wants and what the event is, -1 to 1; null: not both have a vector of one model';
COMMENT ON COLUMN convene.sponsor_event_fit_scores.computed_at IS 'When the match was computed that this is a copy of';
CREATE INDEX idx_sponsor_event_fit_scores_event ON convene.sponsor_event_fit_scores (event_id, score DESC);
CREATE INDEX idx_sponsor_event_fit_scores_events ON convene.sponsor_event_fit_scores (sponsor_id, semantic_similarity DESC)
    WHERE semantic_similarity IS NOT NULL;
CREATE INDEX idx_sponsor_event_fit_scores_sponsors ON convene.sponsor_event_fit_scores (event_id, semantic_similarity DESC)
    WHERE semantic_similarity IS NOT NULL;
ALTER TABLE convene.sponsor_event_fit_scores ALTER COLUMN sponsor_id SET (n_distinct = 100);

CREATE TABLE convene.mv_refresh_log (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    view_name text NOT NULL CHECK (view_name <> ''),
    ran_at timestamptz NOT NULL DEFAULT now(),
    duration_ms numeric(14,3) CHECK (duration_ms >= 0 AND duration_ms <> 'NaN'),
    rows_changed bigint CHECK (rows_changed >= 0),
    status text NOT NULL DEFAULT 'done' CHECK (status IN ('done', 'failed')),
    message text
);
COMMENT ON TABLE convene.mv_refresh_log IS 'Refreshes of the marketplace';
COMMENT ON COLUMN convene.mv_refresh_log.view_name IS 'What was refreshed: a materialised view, or a table that serves as one';
COMMENT ON COLUMN convene.mv_refresh_log.message IS 'The error, where there was one';
CREATE INDEX idx_mv_refresh_log_ran_at ON convene.mv_refresh_log (ran_at DESC);

-- The caller's ids. Definer all of them: the policies of the tables they read are built on them. my_email() is no parallel
-- worker's to ask, so whatever stands on it is restricted.

CREATE FUNCTION convene_private.my_sponsor_ids() RETURNS SETOF uuid
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT s.id FROM convene.sponsors s WHERE s.profile_id = (SELECT convene_private.my_profile_id())
    UNION ALL
    SELECT s.id FROM convene.sponsors s
    WHERE s.profile_id IS NULL AND lower(s.primary_contact_email) = (SELECT convene_private.my_email());
END $$;
COMMENT ON FUNCTION convene_private.my_sponsor_ids() IS 'Sponsors the caller acts for: named as its person, or by a verified address where it names none';

CREATE FUNCTION convene_private.my_sponsored_event_ids() RETURNS SETOF uuid
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
    WITH mine AS MATERIALIZED (SELECT ARRAY(SELECT convene_private.my_sponsor_ids()) AS ids)
    SELECT s.event_id FROM convene.sponsors s
    WHERE s.id = ANY ((SELECT ids FROM mine)::uuid[]) AND s.event_id IS NOT NULL
      AND s.status IN ('contracted', 'active', 'fulfilled') AND s.fulfilment_status <> 'cancelled'
    UNION
    SELECT p.event_id FROM convene.event_sponsorships p
    WHERE p.sponsor_id = ANY ((SELECT ids FROM mine)::uuid[]) AND p.status IN ('confirmed', 'active', 'completed');
END $$;
COMMENT ON FUNCTION convene_private.my_sponsored_event_ids() IS 'Events that a sponsor of the caller has signed for';

CREATE FUNCTION convene_private.my_market_sides() RETURNS SETOF text
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
    WITH sides AS MATERIALIZED (
        SELECT 'organizers' AS side WHERE EXISTS (SELECT FROM convene_private.my_organization_ids())
        UNION ALL SELECT 'sponsors' WHERE EXISTS (SELECT FROM convene_private.my_sponsor_ids()))
    SELECT s.side FROM sides s UNION ALL SELECT 'market' WHERE EXISTS (SELECT FROM sides);
END $$;
COMMENT ON FUNCTION convene_private.my_market_sides() IS 'The sides of the market that the caller is on: organizers (a member of an organization), sponsors (acts for one); market is either';

CREATE FUNCTION convene_private.my_staffed_sponsor_ids() RETURNS SETOF uuid
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
    WITH events AS MATERIALIZED (SELECT ARRAY(SELECT convene_private.my_staffed_event_ids()) AS ids)
    SELECT s.id FROM convene.sponsors s WHERE s.event_id = ANY ((SELECT ids FROM events)::uuid[])
    UNION
    SELECT p.sponsor_id FROM convene.event_sponsorships p
    WHERE p.event_id = ANY ((SELECT ids FROM events)::uuid[]) AND p.status IN ('confirmed', 'active', 'completed');
END $$;
COMMENT ON FUNCTION convene_private.my_staffed_sponsor_ids() IS 'Sponsors of the events that the caller''s organizations hold, and those that have signed for one';

-- Policies. event_id is an arm of SELECT beside the sponsor's id, for INSERT ... RETURNING, as for events.

ALTER TABLE convene.sponsors ENABLE ROW LEVEL SECURITY;
CREATE POLICY sponsors_select ON convene.sponsors FOR SELECT
    USING (id = ANY (ARRAY(SELECT convene_private.my_sponsor_ids()))
           OR id = ANY (ARRAY(SELECT convene_private.my_staffed_sponsor_ids()))
           OR event_id = ANY (ARRAY(SELECT convene_private.my_staffed_event_ids())));
CREATE POLICY sponsors_insert ON convene.sponsors FOR INSERT
    WITH CHECK (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())));
CREATE POLICY sponsors_update ON convene.sponsors FOR UPDATE
    USING (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())));
CREATE POLICY sponsors_delete ON convene.sponsors FOR DELETE
    USING (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())));

ALTER TABLE convene.sponsor_profiles ENABLE ROW LEVEL SECURITY;
CREATE POLICY sponsor_profiles_select ON convene.sponsor_profiles FOR SELECT
    USING (sponsor_id = ANY (ARRAY(SELECT convene_private.my_sponsor_ids()))
           OR sponsor_id = ANY (ARRAY(SELECT convene_private.my_staffed_sponsor_ids())));
CREATE POLICY sponsor_profiles_insert ON convene.sponsor_profiles FOR INSERT
    WITH CHECK (sponsor_id = ANY (ARRAY(SELECT convene_private.my_sponsor_ids())));
CREATE POLICY sponsor_profiles_update ON convene.sponsor_profiles FOR UPDATE
    USING (sponsor_id = ANY (ARRAY(SELECT convene_private.my_sponsor_ids())));

ALTER TABLE convene.sponsorship_packages ENABLE ROW LEVEL SECURITY;
CREATE POLICY sponsorship_packages_select ON convene.sponsorship_packages FOR SELECT
    USING (event_public
           OR event_id = ANY (ARRAY(SELECT convene_private.my_attended_event_ids()))
           OR event_id = ANY (ARRAY(SELECT convene_private.my_staffed_event_ids())));
CREATE POLICY sponsorship_packages_insert ON convene.sponsorship_packages FOR INSERT
    WITH CHECK (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())));
CREATE POLICY sponsorship_packages_update ON convene.sponsorship_packages FOR UPDATE
    USING (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())));
CREATE POLICY sponsorship_packages_delete ON convene.sponsorship_packages FOR DELETE
    USING (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())));

-- Signing opens the sponsor's profile to the organizer, so an organizer writes of their own sponsors, and of others only once
-- those have signed; proposals to the market and answers to them go through functions.
ALTER TABLE convene.event_sponsorships ENABLE ROW LEVEL SECURITY;
CREATE POLICY event_sponsorships_select ON convene.event_sponsorships FOR SELECT
    USING (sponsor_id = ANY (ARRAY(SELECT convene_private.my_sponsor_ids()))
           OR event_id = ANY (ARRAY(SELECT convene_private.my_staffed_event_ids())));
CREATE POLICY event_sponsorships_insert ON convene.event_sponsorships FOR INSERT
    WITH CHECK (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids()))
                AND sponsor_id = ANY (ARRAY(SELECT convene_private.my_staffed_sponsor_ids())));
CREATE POLICY event_sponsorships_update ON convene.event_sponsorships FOR UPDATE
    USING (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids()))
           AND sponsor_id = ANY (ARRAY(SELECT convene_private.my_staffed_sponsor_ids())));
CREATE POLICY event_sponsorships_delete ON convene.event_sponsorships FOR DELETE
    USING (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())));

ALTER TABLE convene.event_audience_insights ENABLE ROW LEVEL SECURITY;
CREATE POLICY event_audience_insights_select ON convene.event_audience_insights FOR SELECT
    USING (event_id = ANY (ARRAY(SELECT convene_private.my_staffed_event_ids()))
           OR audience = ANY (ARRAY(SELECT convene_private.my_market_sides())));

ALTER TABLE convene.event_embeddings ENABLE ROW LEVEL SECURITY;
CREATE POLICY event_embeddings_select ON convene.event_embeddings FOR SELECT
    USING (event_public
           OR event_id = ANY (ARRAY(SELECT convene_private.my_attended_event_ids()))
           OR event_id = ANY (ARRAY(SELECT convene_private.my_staffed_event_ids())));
CREATE POLICY event_embeddings_insert ON convene.event_embeddings FOR INSERT
    WITH CHECK (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())));
CREATE POLICY event_embeddings_update ON convene.event_embeddings FOR UPDATE
    USING (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())));
CREATE POLICY event_embeddings_delete ON convene.event_embeddings FOR DELETE
    USING (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())));

ALTER TABLE convene.sponsorship_matches ENABLE ROW LEVEL SECURITY;
CREATE POLICY sponsorship_matches_select ON convene.sponsorship_matches FOR SELECT
    USING (sponsor_id = ANY (ARRAY(SELECT convene_private.my_sponsor_ids()))
           OR event_id = ANY (ARRAY(SELECT convene_private.my_staffed_event_ids())));

ALTER TABLE convene.fit_recalc_queue ENABLE ROW LEVEL SECURITY;
CREATE POLICY service_only ON convene.fit_recalc_queue USING (false);

ALTER TABLE convene.event_quality_scores ENABLE ROW LEVEL SECURITY;
CREATE POLICY event_quality_scores_select ON convene.event_quality_scores FOR SELECT
    USING (event_public
           OR event_id = ANY (ARRAY(SELECT convene_private.my_attended_event_ids()))
           OR event_id = ANY (ARRAY(SELECT convene_private.my_staffed_event_ids())));

ALTER TABLE convene.sponsor_event_fit_scores ENABLE ROW LEVEL SECURITY;
CREATE POLICY sponsor_event_fit_scores_select ON convene.sponsor_event_fit_scores FOR SELECT
    USING (sponsor_id = ANY (ARRAY(SELECT convene_private.my_sponsor_ids()))
           OR event_id = ANY (ARRAY(SELECT convene_private.my_staffed_event_ids())));

ALTER TABLE convene.mv_refresh_log ENABLE ROW LEVEL SECURITY;
CREATE POLICY service_only ON convene.mv_refresh_log USING (false);

-- What is for the sponsors of an event is read by whoever acts for one: an arm more for two policies made before there were any.
DO $$
DECLARE
    target record;
BEGIN
    FOR target IN
        SELECT p.polname, p.polrelid::regclass AS place, pg_get_expr(p.polqual, p.polrelid) AS arms, v.condition
        FROM (VALUES ('event_announcements', $c$status = 'sent' AND target_audience = 'sponsors'$c$),
                     ('event_materials', $c$access_level = 'sponsors_only'$c$)) v(name, condition)
        JOIN pg_policy p ON p.polrelid = to_regclass('convene.' || v.name) AND p.polname = v.name || '_select'
    LOOP
        EXECUTE format('ALTER POLICY %I ON %s USING (%s OR (%s AND event_id = ANY (ARRAY(SELECT '
                       'convene_private.my_sponsored_event_ids()))))',
                       target.polname, target.place, target.arms, target.condition);
    END LOOP;
END $$;
COMMENT ON COLUMN convene.event_materials.access_level IS 'Staff of the organization sees every level; speakers_only is staff''s for now';

-- What triggers keep.

CREATE FUNCTION convene_private.place_package() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.status <> 'archived' AND NEW.sold >= NEW.total_available THEN
        NEW.status := 'sold_out';
    ELSIF NEW.status = 'sold_out' THEN
        NEW.status := 'available';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.place_package() IS 'A package is sold out exactly while none is left';
CREATE TRIGGER sponsorship_packages_place BEFORE INSERT OR UPDATE OF sold, total_available, status ON convene.sponsorship_packages
    FOR EACH ROW EXECUTE FUNCTION convene_private.place_package();

-- Definer: whoever may not see the event goes on to the policy, which refuses and tells nothing.
CREATE FUNCTION convene_private.place_sponsor() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.organization_id := (SELECT e.organization_id FROM convene.events e WHERE e.id = NEW.event_id);
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.place_sponsor() IS 'Gives a sponsor the organization of its event';
CREATE TRIGGER sponsors_place BEFORE INSERT OR UPDATE OF event_id, organization_id ON convene.sponsors
    FOR EACH ROW EXECUTE FUNCTION convene_private.place_sponsor();

CREATE FUNCTION convene_private.time_sponsorship() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.confirmed_at := CASE WHEN NEW.status IN ('confirmed', 'active', 'completed') THEN coalesce(NEW.confirmed_at, now())
                             WHEN NEW.status = 'cancelled' THEN NEW.confirmed_at END;
    NEW.activated_at := CASE WHEN NEW.status IN ('active', 'completed') THEN coalesce(NEW.activated_at, now())
                             WHEN NEW.status = 'cancelled' THEN NEW.activated_at END;
    NEW.completed_at := CASE WHEN NEW.status = 'completed' THEN coalesce(NEW.completed_at, now()) END;
    NEW.cancelled_at := CASE WHEN NEW.status = 'cancelled' THEN coalesce(NEW.cancelled_at, now()) END;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.time_sponsorship() IS 'Notes when a sponsorship first reached each status';
CREATE TRIGGER event_sponsorships_time BEFORE INSERT OR UPDATE OF status ON convene.event_sponsorships
    FOR EACH ROW EXECUTE FUNCTION convene_private.time_sponsorship();

-- pgvector adds up the squares of a vector in single precision. Where they vanish or overflow its cosine is wrong: one that is
-- short enough is as near as can be to everything.
CREATE FUNCTION convene_private.check_length(p_vector real[], p_column text) RETURNS void
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    length CONSTANT double precision := sqrt((SELECT sum(v.x::double precision ^ 2) FROM unnest(p_vector) v(x)));
BEGIN
    IF length > 0 AND length NOT BETWEEN 1e-12 AND 1e12 THEN
        RAISE EXCEPTION 'the length of % is %, not 0 and not between 1e-12 and 1e12', p_column, length
            USING ERRCODE = '22023', DETAIL = 'Numbers that small or large have no exact similarity.',
                  HINT = 'Scale it to length 1: its direction is what counts.';
    END IF;
END $$;
COMMENT ON FUNCTION convene_private.check_length(real[], text) IS 'Refuses a vector (0 aside) that is too short or too long to be compared';

-- Definer, this and the next two: the caller may not name what is in convene_private. By way of an array: functions of pgvector
-- would have to be found in whatever schema it lives.
CREATE FUNCTION convene_private.place_sponsor_profile() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.embedding_model := CASE WHEN NEW.objectives_embedding IS NOT NULL THEN
        convene_private.embedding_model_of(NEW.embedding_model, cardinality(NEW.objectives_embedding::real[])) END;
    IF TG_OP = 'INSERT' OR NEW.objectives_embedding::real[] IS DISTINCT FROM OLD.objectives_embedding::real[] THEN
        PERFORM convene_private.check_length(NEW.objectives_embedding::real[], 'objectives_embedding');
    END IF;
    IF TG_OP = 'UPDATE' THEN
        NEW.rev := OLD.rev + ((NEW.annual_budget_cents, NEW.preferred_categories, NEW.regions,
                               NEW.embedding_model, NEW.objectives_embedding::real[])
                              IS DISTINCT FROM (OLD.annual_budget_cents, OLD.preferred_categories, OLD.regions,
                                                OLD.embedding_model, OLD.objectives_embedding::real[]))::integer;
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.place_sponsor_profile() IS 'Checks dimension and length of the vector and counts rev';
CREATE TRIGGER sponsor_profiles_place BEFORE INSERT OR UPDATE ON convene.sponsor_profiles
    FOR EACH ROW EXECUTE FUNCTION convene_private.place_sponsor_profile();

CREATE FUNCTION convene_private.place_event_embedding() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.embedding_model := convene_private.embedding_model_of(NEW.embedding_model, cardinality(NEW.embedding::real[]));
    IF TG_OP = 'INSERT' OR NEW.embedding::real[] IS DISTINCT FROM OLD.embedding::real[] THEN
        PERFORM convene_private.check_length(NEW.embedding::real[], 'embedding');
    END IF;
    IF TG_OP = 'UPDATE' THEN
        NEW.rev := OLD.rev + ((NEW.embedding_model, NEW.embedding::real[])
                              IS DISTINCT FROM (OLD.embedding_model, OLD.embedding::real[]))::integer;
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.place_event_embedding() IS 'Checks dimension and length of the vector and counts rev';
CREATE TRIGGER event_embeddings_place BEFORE INSERT OR UPDATE ON convene.event_embeddings
    FOR EACH ROW EXECUTE FUNCTION convene_private.place_event_embedding();

CREATE FUNCTION convene_private.place_on_market() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT e.on_market INTO NEW.listed FROM convene.events e WHERE e.id = NEW.event_id FOR KEY SHARE;
    NEW.listed := coalesce(NEW.listed, false);
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.place_on_market() IS 'Fills in whether the event of a row is published; locks it as place_in_programme() does';
CREATE TRIGGER event_audience_insights_market BEFORE INSERT OR UPDATE OF event_id, listed ON convene.event_audience_insights
    FOR EACH ROW EXECUTE FUNCTION convene_private.place_on_market();

CREATE FUNCTION convene_private.count_insights() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.rev := OLD.rev + ((NEW.geo_distribution, NEW.engagement_score, NEW.ticket_conversion_rate)
                          IS DISTINCT FROM (OLD.geo_distribution, OLD.engagement_score, OLD.ticket_conversion_rate))::integer;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.count_insights() IS 'Counts rev where what a fit is computed from changed';
CREATE TRIGGER event_audience_insights_count BEFORE UPDATE ON convene.event_audience_insights
    FOR EACH ROW EXECUTE FUNCTION convene_private.count_insights();

-- Definer: reads sponsors whatever the caller's policies say.
CREATE FUNCTION convene_private.check_participation() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM convene.sponsors s WHERE s.id = NEW.sponsor_id AND s.event_id = NEW.event_id)
       AND NOT EXISTS (SELECT FROM convene.event_sponsorships p
                       WHERE p.sponsor_id = NEW.sponsor_id AND p.event_id = NEW.event_id) THEN
        RAISE EXCEPTION 'sponsor % has no part in event %', NEW.sponsor_id, NEW.event_id
            USING ERRCODE = '22023', DETAIL = 'A sponsor meets people at the events that it belongs to or has signed for.',
                  HINT = 'Add the event to event_sponsorships first.';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.check_participation() IS 'Accepts rows of a sponsor only at its events';

-- Late-bound: reads them as the score will, so that a set that adds up to something else is refused where it is written.
CREATE FUNCTION convene_private.check_sponsorship_weights() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM convene.sponsor_fit_score(NULL::bigint, NULL::text[], NULL::text[], NULL::text[], NULL::text[], p_weights => NEW.weights);
    RETURN NEW;
EXCEPTION WHEN undefined_function THEN
    RAISE EXCEPTION 'weights of sponsorship cannot be checked: extension convene is not there' USING ERRCODE = '55000',
        HINT = 'CREATE EXTENSION convene;';
END $$;
COMMENT ON FUNCTION convene_private.check_sponsorship_weights() IS 'Refuses weights that a fit cannot be computed with';
CREATE TRIGGER scoring_weights_sponsorship BEFORE INSERT OR UPDATE ON convene.scoring_weights
    FOR EACH ROW WHEN (NEW.surface = 'sponsorship') EXECUTE FUNCTION convene_private.check_sponsorship_weights();

SELECT convene_private.index_embedding_model(m.model, m.dimensions) FROM convene.embedding_models m;
