-- The marketplace: what each side sees of the other, ranked by what was computed ahead. Views ask as the one who reads, so a
-- page costs what its rows cost: each begins with an index on what it is sorted by.

-- What organizers see of sponsors on the market: who they are and what they look for. Of `sponsors` they read those of their own
-- events only, because contact, contract and budget are there.
CREATE TABLE convene.sponsor_cards (
    sponsor_id uuid PRIMARY KEY REFERENCES convene.sponsors ON DELETE CASCADE,
    company_name text NOT NULL,
    company_website text,
    logo_url text,
    brand_values text[] NOT NULL DEFAULT '{}',
    sponsor_status text NOT NULL,
    sponsor_industry text,
    sponsor_company_size text,
    has_profile boolean NOT NULL DEFAULT false,
    profile_industry text,
    profile_company_size text,
    preferred_categories text[] NOT NULL DEFAULT '{}',
    regions text[] NOT NULL DEFAULT '{}',
    reputation_score double precision,
    industry text GENERATED ALWAYS AS (coalesce(profile_industry, sponsor_industry)) STORED,
    company_size text GENERATED ALWAYS AS (coalesce(profile_company_size, sponsor_company_size)) STORED,
    audience text GENERATED ALWAYS AS (CASE WHEN has_profile AND sponsor_status <> 'churned' THEN 'organizers' END) STORED,
    sponsorships_active integer NOT NULL DEFAULT 0 CHECK (sponsorships_active >= 0),
    sponsorships_completed integer NOT NULL DEFAULT 0 CHECK (sponsorships_completed >= 0),
    match_count integer NOT NULL DEFAULT 0 CHECK (match_count >= 0),
    average_match_score double precision CHECK (average_match_score BETWEEN 0 AND 1),
    best_match_score double precision CHECK (best_match_score BETWEEN 0 AND 1),
    stats_refreshed_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 85);
COMMENT ON TABLE convene.sponsor_cards IS 'What is shown of a sponsor to every organizer, once it has a profile: no contact, no contract, no budget. Kept by triggers';
COMMENT ON COLUMN convene.sponsor_cards.audience IS 'organizers: on the market, so every organizer may read it; null: only the sponsor''s own people';
COMMENT ON COLUMN convene.sponsor_cards.industry IS 'The profile''s, or else what the sponsor''s own row says; so is company_size';
COMMENT ON COLUMN convene.sponsor_cards.reputation_score IS '0 to 100; null: not known';
COMMENT ON COLUMN convene.sponsor_cards.sponsorships_active IS 'Sponsorships confirmed or active; this and what follows as of stats_refreshed_at';
COMMENT ON COLUMN convene.sponsor_cards.match_count IS 'Events that it is matched with, and the two scores over those; 0 to 1';
CREATE INDEX idx_sponsor_cards_market ON convene.sponsor_cards (audience, reputation_score DESC);
CREATE INDEX idx_sponsor_cards_reputation ON convene.sponsor_cards (reputation_score DESC) WHERE audience IS NOT NULL;
CREATE INDEX idx_sponsor_cards_name ON convene.sponsor_cards (company_name) WHERE audience IS NOT NULL;
CREATE INDEX idx_sponsor_cards_industry ON convene.sponsor_cards (industry, reputation_score DESC) WHERE audience IS NOT NULL;
CREATE TRIGGER sponsor_cards_touch BEFORE UPDATE ON convene.sponsor_cards
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();
ALTER TABLE convene.sponsor_cards ENABLE ROW LEVEL SECURITY;
CREATE POLICY sponsor_cards_select ON convene.sponsor_cards FOR SELECT
    USING (sponsor_id = ANY (ARRAY(SELECT convene_private.my_sponsor_ids()))
           OR audience = ANY (ARRAY(SELECT convene_private.my_market_sides())));

-- Rows are found by their key, never by reading the table: a plan made while there were few rows is kept for a hundred thousand.
-- Each of the two writes its own columns only: of two transactions at once neither carries what the other is changing.
CREATE FUNCTION convene_private.card_of_sponsor() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO convene.sponsor_cards AS c (sponsor_id, company_name, company_website, logo_url, brand_values, sponsor_status,
                                            sponsor_industry, sponsor_company_size)
    VALUES (NEW.id, NEW.company_name, coalesce(NEW.company_website, NEW.website_url), NEW.logo_url, NEW.brand_values, NEW.status,
            NEW.industry, NEW.company_size)
    ON CONFLICT (sponsor_id) DO UPDATE
       SET company_name = excluded.company_name, company_website = excluded.company_website, logo_url = excluded.logo_url,
           brand_values = excluded.brand_values, sponsor_status = excluded.sponsor_status,
           sponsor_industry = excluded.sponsor_industry, sponsor_company_size = excluded.sponsor_company_size
     WHERE (c.company_name, c.company_website, c.logo_url, c.brand_values, c.sponsor_status, c.sponsor_industry,
            c.sponsor_company_size)
           IS DISTINCT FROM (excluded.company_name, excluded.company_website, excluded.logo_url, excluded.brand_values,
                             excluded.sponsor_status, excluded.sponsor_industry, excluded.sponsor_company_size);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION convene_private.card_of_sponsor() IS 'Carries what organizers may see of a sponsor to its card';
CREATE TRIGGER sponsors_card AFTER INSERT OR UPDATE OF company_name, company_website, website_url, logo_url, brand_values, status,
                                                        industry, company_size ON convene.sponsors
    FOR EACH ROW EXECUTE FUNCTION convene_private.card_of_sponsor();

CREATE FUNCTION convene_private.card_of_profile() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        UPDATE convene.sponsor_cards c
        SET has_profile = false, profile_industry = NULL, profile_company_size = NULL, preferred_categories = '{}',
            regions = '{}', reputation_score = NULL
        WHERE c.sponsor_id = OLD.sponsor_id;
        RETURN NULL;
    END IF;
    UPDATE convene.sponsor_cards c
    SET has_profile = true, profile_industry = NEW.industry, profile_company_size = NEW.company_size,
        preferred_categories = NEW.preferred_categories, regions = NEW.regions, reputation_score = NEW.reputation_score
    WHERE c.sponsor_id = NEW.sponsor_id
      AND (c.has_profile, c.profile_industry, c.profile_company_size, c.preferred_categories, c.regions, c.reputation_score)
          IS DISTINCT FROM (true, NEW.industry, NEW.company_size, NEW.preferred_categories, NEW.regions,
                            NEW.reputation_score::double precision);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION convene_private.card_of_profile() IS 'Carries what organizers may see of a sponsor''s profile to its card';
CREATE TRIGGER sponsor_profiles_card
    AFTER INSERT OR DELETE OR UPDATE OF industry, company_size, preferred_categories, regions, reputation_score
    ON convene.sponsor_profiles
    FOR EACH ROW EXECUTE FUNCTION convene_private.card_of_profile();

-- A page that is sorted by quality begins with its index, so every event has its row: from the event's first moment one without a
-- score. Whoever then inserts the score, a refresh or a person, replaces it.
CREATE FUNCTION convene_private.place_quality() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
BEGIN
    IF NEW.quality_score IS NOT NULL THEN
        DELETE FROM convene.event_quality_scores q WHERE q.event_id = NEW.event_id AND q.quality_score IS NULL;
    END IF;
    SELECT e.status = 'published' AND (e.end_at IS NULL OR e.end_at > now()) INTO NEW.on_market
    FROM convene.events e WHERE e.id = NEW.event_id;
    NEW.on_market := coalesce(NEW.on_market, false);
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.place_quality() IS 'Fills in whether the event of a quality is on the market, and takes the place of a row without a score';
CREATE TRIGGER event_quality_scores_place BEFORE INSERT ON convene.event_quality_scores
    FOR EACH ROW EXECUTE FUNCTION convene_private.place_quality();

CREATE FUNCTION convene_private.add_quality_rows() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO convene.event_quality_scores (event_id) SELECT n.id FROM new_rows n ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION convene_private.add_quality_rows() IS 'Gives new events their row among the qualities';
CREATE TRIGGER events_quality AFTER INSERT ON convene.events
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION convene_private.add_quality_rows();

CREATE FUNCTION convene_private.keep_on_market() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
BEGIN
    UPDATE convene.event_quality_scores q
    SET on_market = NEW.status = 'published' AND (NEW.end_at IS NULL OR NEW.end_at > now())
    WHERE q.event_id = NEW.id
      AND q.on_market <> (NEW.status = 'published' AND (NEW.end_at IS NULL OR NEW.end_at > now()));
    RETURN NULL;
END $$;
COMMENT ON FUNCTION convene_private.keep_on_market() IS 'An event that is published, taken back or moved comes to the market or leaves it at once';
CREATE TRIGGER events_market AFTER UPDATE OF status, end_at ON convene.events
    FOR EACH ROW WHEN ((OLD.status, OLD.end_at) IS DISTINCT FROM (NEW.status, NEW.end_at))
    EXECUTE FUNCTION convene_private.keep_on_market();

-- A row a day, so that it is also seen how the market goes.
CREATE TABLE convene.marketplace_days (
    audience text NOT NULL DEFAULT 'market' CHECK (audience = 'market'),
    day date NOT NULL,
    live_events integer NOT NULL DEFAULT 0 CHECK (live_events >= 0),
    live_sponsors integer NOT NULL DEFAULT 0 CHECK (live_sponsors >= 0),
    events_with_vector integer NOT NULL DEFAULT 0 CHECK (events_with_vector >= 0),
    sponsors_with_vector integer NOT NULL DEFAULT 0 CHECK (sponsors_with_vector >= 0),
    packages_on_sale integer NOT NULL DEFAULT 0 CHECK (packages_on_sale >= 0),
    places_left bigint NOT NULL DEFAULT 0 CHECK (places_left >= 0),
    places_sold bigint NOT NULL DEFAULT 0 CHECK (places_sold >= 0),
    matches bigint NOT NULL DEFAULT 0 CHECK (matches >= 0),
    average_match_score double precision CHECK (average_match_score BETWEEN 0 AND 1),
    matches_viewed bigint NOT NULL DEFAULT 0 CHECK (matches_viewed >= 0),
    matches_contacted bigint NOT NULL DEFAULT 0 CHECK (matches_contacted >= 0),
    matches_accepted bigint NOT NULL DEFAULT 0 CHECK (matches_accepted >= 0),
    matches_rejected bigint NOT NULL DEFAULT 0 CHECK (matches_rejected >= 0),
    sponsorships_active integer NOT NULL DEFAULT 0 CHECK (sponsorships_active >= 0),
    average_quality_score double precision CHECK (average_quality_score BETWEEN 0 AND 100),
    premium_events integer NOT NULL DEFAULT 0 CHECK (premium_events >= 0),
    computed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (audience, day)
);
COMMENT ON TABLE convene.marketplace_days IS 'The whole market in figures, a row for each day in UTC, as of that day''s last refresh; read by both sides';
COMMENT ON COLUMN convene.marketplace_days.audience IS 'market: organizers and sponsors';
COMMENT ON COLUMN convene.marketplace_days.places_left IS 'Of packages on sale of live events';
COMMENT ON COLUMN convene.marketplace_days.matches IS 'Of live pairs; the four counts that follow are parts of it';
COMMENT ON COLUMN convene.marketplace_days.average_quality_score IS '0 to 100, of live events; premium_events are those from 80';
ALTER TABLE convene.marketplace_days ENABLE ROW LEVEL SECURITY;
CREATE POLICY marketplace_days_select ON convene.marketplace_days FOR SELECT
    USING (audience = ANY (ARRAY(SELECT convene_private.my_market_sides())));

-- The way from an event to what is still to be had of it.
CREATE INDEX idx_sponsorship_packages_on_sale ON convene.sponsorship_packages (event_id, price_cents)
    WHERE available > 0 AND status IN ('available', 'limited');

-- Views. An event is on the market while it is published and not over.

CREATE VIEW convene.v_event_performance_summary WITH (security_invoker = true) AS
    SELECT e.id AS event_id, e.title AS event_title, e.organization_id, e.status, e.start_at, e.end_at, e.city, e.country,
           e.categories, e.capacity, i.attendee_count, i.avg_dwell_time_ms, i.engagement_score, i.ticket_conversion_rate,
           i.social_mentions, i.sentiment_score, i.geo_distribution, i.age_segments, q.quality_score, q.quality_tier,
           k.package_count, k.places_total, k.places_sold, k.places_left, k.package_views, k.package_orders,
           i.computed_at AS insights_computed_at, q.computed_at AS quality_computed_at
    FROM convene.events e
    LEFT JOIN convene.event_audience_insights i ON i.event_id = e.id
    LEFT JOIN convene.event_quality_scores q ON q.event_id = e.id
    LEFT JOIN LATERAL (
        SELECT count(*) AS package_count, coalesce(sum(p.total_available), 0) AS places_total, coalesce(sum(p.sold), 0) AS places_sold,
               coalesce(sum(p.available), 0) AS places_left, max(p.view_count) AS package_views,
               coalesce(sum(p.order_count), 0) AS package_orders
        FROM convene.sponsorship_packages p WHERE p.event_id = e.id AND p.status <> 'archived') k ON true;
COMMENT ON VIEW convene.v_event_performance_summary IS 'Events with what is known of their audience, their quality and what they sold; null where the caller may not read it';

CREATE VIEW convene.v_sponsor_recommendations WITH (security_invoker = true) AS
    SELECT m.event_id, e.title AS event_title, m.sponsor_id, c.company_name, c.industry, c.company_size, c.company_website,
           c.logo_url, c.brand_values, c.preferred_categories, c.regions, c.reputation_score, m.score, m.overlap_metrics,
           m.status, m.viewed_at, m.contacted_at, m.computed_at
    FROM convene.sponsorship_matches m
    JOIN convene.events e ON e.id = m.event_id
    LEFT JOIN convene.sponsor_cards c ON c.sponsor_id = m.sponsor_id
    WHERE m.retired_at IS NULL AND m.status <> 'rejected' AND e.status = 'published' AND (e.end_at IS NULL OR e.end_at > now());
COMMENT ON VIEW convene.v_sponsor_recommendations IS 'Sponsors that suit an event, and why; without contact and budget. Not the rejected ones';

CREATE VIEW convene.v_event_recommendations WITH (security_invoker = true) AS
    SELECT m.sponsor_id, m.event_id, e.title AS event_title, e.description AS event_description, e.start_at, e.end_at, e.city,
           e.country, e.categories, e.regions, e.capacity, m.score, m.overlap_metrics, m.status, m.viewed_at, m.contacted_at,
           q.quality_score, q.quality_tier, k.available_packages, k.affordable_packages, k.min_price_cents, k.price_currency,
           i.attendee_count, i.engagement_score, i.ticket_conversion_rate, m.computed_at
    FROM convene.sponsorship_matches m
    JOIN convene.events e ON e.id = m.event_id
    LEFT JOIN convene.sponsor_profiles s ON s.sponsor_id = m.sponsor_id
    LEFT JOIN convene.event_quality_scores q ON q.event_id = m.event_id
    LEFT JOIN convene.event_audience_insights i ON i.event_id = m.event_id
    LEFT JOIN LATERAL (
        SELECT count(*) AS available_packages,
               CASE WHEN s.annual_budget_cents IS NOT NULL THEN
                   count(*) FILTER (WHERE p.price_cents <= s.annual_budget_cents AND p.currency = s.currency)
               END AS affordable_packages,
               CASE WHEN min(p.currency) = max(p.currency) THEN min(p.price_cents) END AS min_price_cents,
               CASE WHEN min(p.currency) = max(p.currency) THEN min(p.currency) END AS price_currency
        FROM convene.sponsorship_packages p
        WHERE p.event_id = m.event_id AND p.available > 0 AND p.status IN ('available', 'limited')) k ON true
    WHERE m.retired_at IS NULL AND m.status <> 'rejected' AND e.status = 'published' AND (e.end_at IS NULL OR e.end_at > now());
COMMENT ON VIEW convene.v_event_recommendations IS 'Events that suit a sponsor, why, and what is to be had of them; affordable: within the yearly budget and in its currency, null where that is not known. Not the rejected ones';

CREATE VIEW convene.v_sponsorship_package_cards WITH (security_invoker = true) AS
    SELECT p.id AS package_id, p.event_id, e.title AS event_title, e.start_at AS event_start_at, e.end_at AS event_end_at,
           e.city, e.country, e.categories, p.package_name, p.tier, p.package_type, p.price_cents, p.currency, p.price, p.benefits,
           p.deliverables, p.description, p.highlights, p.priority, p.status, p.total_available AS total_inventory, p.sold,
           CASE WHEN p.status IN ('available', 'limited') THEN p.available ELSE 0 END AS available_inventory,
           p.status <> 'archived' AND q.on_market AND e.status = 'published' AND (e.end_at IS NULL OR e.end_at > now()) AS is_active,
           p.view_count, p.order_count, p.conversion_rate, p.stats_refreshed_at, q.quality_score, q.quality_tier,
           i.attendee_count, i.engagement_score, i.ticket_conversion_rate, i.avg_dwell_time_ms, i.social_mentions, i.sentiment_score
    FROM convene.sponsorship_packages p
    JOIN convene.events e ON e.id = p.event_id
    JOIN convene.event_quality_scores q ON q.event_id = p.event_id
    LEFT JOIN convene.event_audience_insights i ON i.event_id = p.event_id;
COMMENT ON VIEW convene.v_sponsorship_package_cards IS 'Packages with their event, its quality and what is left of them; is_active: not archived, and the event is on the market';

CREATE VIEW convene.v_sponsor_marketplace WITH (security_invoker = true) AS
    SELECT c.sponsor_id, c.company_name, c.industry, c.company_size, c.company_website, c.logo_url, c.brand_values,
           c.preferred_categories, c.regions, c.reputation_score, c.sponsorships_active, c.sponsorships_completed,
           c.match_count, c.average_match_score, c.best_match_score, c.stats_refreshed_at
    FROM convene.sponsor_cards c
    WHERE c.audience IS NOT NULL;
COMMENT ON VIEW convene.v_sponsor_marketplace IS 'Sponsors on the market: all of them for organizers, their own for sponsors';

CREATE VIEW convene.v_event_marketplace WITH (security_invoker = true) AS
    SELECT e.id AS event_id, e.title AS event_title, e.description AS event_description, e.organization_id, e.start_at, e.end_at,
           e.city, e.country, e.categories, e.regions, e.capacity, e.website, q.quality_score, q.quality_tier, q.completeness,
           q.engagement, q.conversion, q.social_proof, q.history, i.attendee_count, i.engagement_score, i.ticket_conversion_rate,
           i.social_mentions, i.sentiment_score, i.geo_distribution, i.age_segments, k.available_packages, k.available_inventory,
           k.min_price_cents, k.max_price_cents, k.price_currency
    FROM convene.events e
    JOIN convene.event_quality_scores q ON q.event_id = e.id AND q.on_market
    LEFT JOIN convene.event_audience_insights i ON i.event_id = e.id
    LEFT JOIN LATERAL (
        SELECT count(*) AS available_packages, coalesce(sum(p.available), 0) AS available_inventory,
               CASE WHEN min(p.currency) = max(p.currency) THEN min(p.price_cents) END AS min_price_cents,
               CASE WHEN min(p.currency) = max(p.currency) THEN max(p.price_cents) END AS max_price_cents,
               CASE WHEN min(p.currency) = max(p.currency) THEN min(p.currency) END AS price_currency
        FROM convene.sponsorship_packages p
        WHERE p.event_id = e.id AND p.available > 0 AND p.status IN ('available', 'limited')) k ON true
    WHERE e.status = 'published' AND (e.end_at IS NULL OR e.end_at > now());
COMMENT ON VIEW convene.v_event_marketplace IS 'Events on the market, their quality and what is to be had of them; the audience only for sponsors and the event''s staff';

CREATE VIEW convene.v_semantic_event_recommendations WITH (security_invoker = true) AS
    SELECT f.sponsor_id, f.event_id, e.title AS event_title, e.description AS event_description, e.start_at, e.end_at, e.city,
           e.country, e.categories, f.semantic_similarity, f.score, f.budget_fit, f.audience_overlap, f.geo_fit,
           f.engagement_quality, f.objectives_similarity, q.quality_score, q.quality_tier, f.computed_at
    FROM convene.sponsor_event_fit_scores f
    JOIN convene.events e ON e.id = f.event_id
    LEFT JOIN convene.event_quality_scores q ON q.event_id = f.event_id
    WHERE f.semantic_similarity IS NOT NULL AND e.status = 'published' AND (e.end_at IS NULL OR e.end_at > now());
COMMENT ON VIEW convene.v_semantic_event_recommendations IS 'Events whose vector is near to what a sponsor wants, and the rest of the fit; as of the last refresh';

CREATE VIEW convene.v_semantic_sponsor_recommendations WITH (security_invoker = true) AS
    SELECT f.event_id, e.title AS event_title, f.sponsor_id, c.company_name, c.industry, c.company_size, c.company_website,
           c.logo_url, f.semantic_similarity, f.score, f.budget_fit, f.audience_overlap, f.geo_fit, f.engagement_quality,
           f.objectives_similarity, f.computed_at
    FROM convene.sponsor_event_fit_scores f
    JOIN convene.events e ON e.id = f.event_id
    LEFT JOIN convene.sponsor_cards c ON c.sponsor_id = f.sponsor_id
    WHERE f.semantic_similarity IS NOT NULL AND e.status = 'published' AND (e.end_at IS NULL OR e.end_at > now());
COMMENT ON VIEW convene.v_semantic_sponsor_recommendations IS 'Sponsors who want what an event''s vector says, and the rest of the fit; as of the last refresh';

CREATE VIEW convene.v_marketplace_analytics WITH (security_invoker = true) AS
    SELECT d.day, d.live_events, d.live_sponsors, d.events_with_vector, d.sponsors_with_vector, d.packages_on_sale, d.places_left,
           d.places_sold, d.places_sold::double precision / nullif(d.places_sold + d.places_left, 0) AS sell_through_rate,
           d.matches, d.average_match_score, d.matches_viewed, d.matches_contacted, d.matches_accepted, d.matches_rejected,
           d.matches_accepted::double precision / nullif(d.matches_accepted + d.matches_rejected, 0) AS acceptance_rate,
           d.sponsorships_active, d.average_quality_score, d.premium_events, d.computed_at
    FROM convene.marketplace_days d;
COMMENT ON VIEW convene.v_marketplace_analytics IS 'The market in figures, a row a day; rates are 0 to 1, null where there is nothing to take them of';

-- For whoever runs the database, and granted to nobody: a materialised view has no row security.

CREATE MATERIALIZED VIEW convene.mv_event_quality_scores AS
    SELECT q.event_id, e.title AS event_title, e.organization_id, e.status, e.start_at, q.quality_score, q.quality_tier,
           q.completeness, q.engagement, q.conversion, q.social_proof, q.history, q.coverage, q.computed_at
    FROM convene.event_quality_scores q
    JOIN convene.events e ON e.id = q.event_id;
COMMENT ON MATERIALIZED VIEW convene.mv_event_quality_scores IS 'event_quality_scores as of its last refresh, for analysts; granted to no API role';
CREATE UNIQUE INDEX idx_mv_event_quality_scores ON convene.mv_event_quality_scores (event_id);
CREATE INDEX idx_mv_event_quality_scores_score ON convene.mv_event_quality_scores (quality_score DESC);

CREATE MATERIALIZED VIEW convene.mv_sponsor_event_fit_scores AS
    SELECT f.sponsor_id, s.company_name, f.event_id, e.title AS event_title, f.score, f.budget_fit, f.audience_overlap, f.geo_fit,
           f.engagement_quality, f.objectives_similarity, f.semantic_similarity, f.computed_at
    FROM convene.sponsor_event_fit_scores f
    JOIN convene.sponsors s ON s.id = f.sponsor_id
    JOIN convene.events e ON e.id = f.event_id;
COMMENT ON MATERIALIZED VIEW convene.mv_sponsor_event_fit_scores IS 'sponsor_event_fit_scores with names, as of its last refresh, for analysts; granted to no API role';
CREATE UNIQUE INDEX idx_mv_sponsor_event_fit_scores ON convene.mv_sponsor_event_fit_scores (sponsor_id, event_id);
CREATE INDEX idx_mv_sponsor_event_fit_scores_event ON convene.mv_sponsor_event_fit_scores (event_id, score DESC);
