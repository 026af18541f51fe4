-- What is sold and who has it: ticket types, bundles, vouchers, orders, tickets, seats, check-ins, promoters, waitlists and
-- places in sessions. Money counts in minor units of a currency; the decimal columns say the same for people to read.

CREATE FUNCTION convene_private.minor_units(p_currency text) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN p_currency IN ('BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'UYI', 'VND',
                                    'VUV', 'XAF', 'XOF', 'XPF') THEN 1
                WHEN p_currency IN ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') THEN 1000
                ELSE 100 END
$$;
COMMENT ON FUNCTION convene_private.minor_units(text) IS 'Minor units in one unit of a currency, by ISO 4217: cents in a dollar; a yen has none';

-- Arguments: the column to fill, the table that knows it, the column that refers there. Definer: whether the caller may use
-- what is found is for the policies to say, which see the row as it is after this.
CREATE FUNCTION convene_private.fill_from_parent() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    known uuid;
BEGIN
    EXECUTE format('SELECT t.%I FROM convene.%I t WHERE t.id = $1', TG_ARGV[0], TG_ARGV[1])
        INTO known USING (to_jsonb(NEW) ->> TG_ARGV[2])::uuid;
    RETURN jsonb_populate_record(NEW, jsonb_build_object(TG_ARGV[0], known));
END $$;
COMMENT ON FUNCTION convene_private.fill_from_parent() IS 'Fills in an event or organization that was left out from the row that decides it';

CREATE TABLE convene.ticket_types (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    event_id uuid NOT NULL,
    event_public boolean NOT NULL DEFAULT false,
    name text NOT NULL CHECK (name <> ''),
    description text,
    ticket_category text CHECK (ticket_category IN ('general', 'vip', 'early_bird', 'student', 'group', 'sponsor', 'speaker')),
    price numeric(12,2) NOT NULL CHECK (price >= 0 AND price <> 'NaN'),
    currency text NOT NULL DEFAULT 'CAD' CHECK (currency ~ '^[A-Z]{3}$'),
    price_cents bigint GENERATED ALWAYS AS ((price * convene_private.minor_units(currency))::bigint) STORED,
    tax_rate numeric(8,6) NOT NULL DEFAULT 0.13 CHECK (tax_rate BETWEEN 0 AND 1),
    total_capacity integer CHECK (total_capacity >= 0),
    sold_count integer NOT NULL DEFAULT 0 CHECK (sold_count >= 0),
    reserved_count integer NOT NULL DEFAULT 0 CHECK (reserved_count >= 0),
    min_per_order integer NOT NULL DEFAULT 1 CHECK (min_per_order > 0),
    max_per_order integer CHECK (max_per_order > 0),
    sale_start_date timestamptz,
    sale_end_date timestamptz,
    features text[] NOT NULL DEFAULT '{}',
    benefits text[] NOT NULL DEFAULT '{}',
    is_transferable boolean NOT NULL DEFAULT true,
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'inactive', 'sold_out')),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (id, event_id),
    CHECK (sold_count + reserved_count <= total_capacity),
    CHECK (min_per_order <= max_per_order),
    CHECK (sale_end_date > sale_start_date),
    CHECK (price_cents = price * convene_private.minor_units(currency)),
    FOREIGN KEY (event_id, event_public) REFERENCES convene.events (id, is_public) ON UPDATE CASCADE ON DELETE CASCADE
) WITH (fillfactor = 70);
COMMENT ON TABLE convene.ticket_types IS 'Kinds of tickets of an event with their price and stock; the counts can never pass the capacity';
COMMENT ON COLUMN convene.ticket_types.event_public IS 'events.is_public, kept by a trigger and the foreign key';
COMMENT ON COLUMN convene.ticket_types.price IS 'For one ticket, before tax';
COMMENT ON COLUMN convene.ticket_types.price_cents IS 'The price in minor units of the currency';
COMMENT ON COLUMN convene.ticket_types.tax_rate IS 'A fraction that comes on top: 0.13 is 13 percent, 0.14975 is exact as well';
COMMENT ON COLUMN convene.ticket_types.total_capacity IS 'Null: no limit';
COMMENT ON COLUMN convene.ticket_types.sold_count IS 'Tickets of paid orders; kept by the ordering functions, as is reserved_count';
COMMENT ON COLUMN convene.ticket_types.reserved_count IS 'Tickets held by pending orders and open offers of the waitlist';
COMMENT ON COLUMN convene.ticket_types.max_per_order IS 'Null: no limit';
COMMENT ON COLUMN convene.ticket_types.sale_start_date IS 'Null: on sale at once; sale_end_date null: until the event ends';
CREATE INDEX idx_ticket_types_event ON convene.ticket_types (event_id);
CREATE TRIGGER ticket_types_keep_event BEFORE UPDATE ON convene.ticket_types
    FOR EACH ROW WHEN (OLD.event_id IS DISTINCT FROM NEW.event_id)
    EXECUTE FUNCTION convene_private.refuse_change('event_id');
CREATE TRIGGER ticket_types_programme BEFORE INSERT OR UPDATE OF event_id, event_public ON convene.ticket_types
    FOR EACH ROW EXECUTE FUNCTION convene_private.place_in_programme();
CREATE TRIGGER ticket_types_touch BEFORE UPDATE ON convene.ticket_types
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

CREATE TABLE convene.bundles (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    event_id uuid NOT NULL,
    event_public boolean NOT NULL DEFAULT false,
    name text NOT NULL CHECK (name <> ''),
    description text,
    bundle_type text CHECK (bundle_type IN ('ticket_package', 'experience_package', 'corporate_package')),
    price numeric(12,2) NOT NULL CHECK (price >= 0 AND price <> 'NaN'),
    currency text NOT NULL DEFAULT 'CAD' CHECK (currency ~ '^[A-Z]{3}$'),
    price_cents bigint GENERATED ALWAYS AS ((price * convene_private.minor_units(currency))::bigint) STORED,
    discount_amount numeric(12,2) NOT NULL DEFAULT 0 CHECK (discount_amount >= 0 AND discount_amount <> 'NaN'),
    discount_percentage numeric(5,2) NOT NULL DEFAULT 0 CHECK (discount_percentage BETWEEN 0 AND 100),
    total_quantity integer CHECK (total_quantity >= 0),
    sold_quantity integer NOT NULL DEFAULT 0 CHECK (sold_quantity >= 0),
    reserved_quantity integer NOT NULL DEFAULT 0 CHECK (reserved_quantity >= 0),
    sale_start_date timestamptz,
    sale_end_date timestamptz,
    benefits text[] NOT NULL DEFAULT '{}',
    exclusive_access text[] NOT NULL DEFAULT '{}',
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'inactive', 'sold_out')),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (id, event_id),
    CHECK (sold_quantity + reserved_quantity <= total_quantity),
    CHECK (sale_end_date > sale_start_date),
    CHECK (price_cents = price * convene_private.minor_units(currency)),
    FOREIGN KEY (event_id, event_public) REFERENCES convene.events (id, is_public) ON UPDATE CASCADE ON DELETE CASCADE
) WITH (fillfactor = 70);
COMMENT ON TABLE convene.bundles IS 'Several tickets for one price; a bundle also draws on the stock of the ticket types in it';
COMMENT ON COLUMN convene.bundles.event_public IS 'events.is_public, kept by a trigger and the foreign key';
COMMENT ON COLUMN convene.bundles.price IS 'What the bundle costs, before tax; its discounts are already taken off';
COMMENT ON COLUMN convene.bundles.price_cents IS 'The price in minor units of the currency';
COMMENT ON COLUMN convene.bundles.discount_amount IS 'Shown to buyers: how much less than its tickets one by one; so is discount_percentage';
COMMENT ON COLUMN convene.bundles.total_quantity IS 'Null: as many as the ticket types allow';
COMMENT ON COLUMN convene.bundles.sold_quantity IS 'Bundles of paid orders; kept by the ordering functions, as is reserved_quantity';
COMMENT ON COLUMN convene.bundles.reserved_quantity IS 'Bundles held by pending orders and open offers of the waitlist';
CREATE INDEX idx_bundles_event ON convene.bundles (event_id);
CREATE TRIGGER bundles_programme BEFORE INSERT OR UPDATE OF event_id, event_public ON convene.bundles
    FOR EACH ROW EXECUTE FUNCTION convene_private.place_in_programme();
CREATE TRIGGER bundles_touch BEFORE UPDATE ON convene.bundles
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

-- NO ACTION, here and below, where a ticket type must stay as long as something was built on it: unlike RESTRICT it lets the
-- event go with all of its parts.
CREATE TABLE convene.bundle_items (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    bundle_id uuid NOT NULL,
    event_id uuid NOT NULL,
    event_public boolean NOT NULL DEFAULT false,
    ticket_type_id uuid NOT NULL,
    quantity integer NOT NULL DEFAULT 1 CHECK (quantity > 0),
    included_features text[] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (bundle_id, ticket_type_id),
    FOREIGN KEY (bundle_id, event_id) REFERENCES convene.bundles (id, event_id) ON DELETE CASCADE,
    FOREIGN KEY (ticket_type_id, event_id) REFERENCES convene.ticket_types (id, event_id),
    FOREIGN KEY (event_id, event_public) REFERENCES convene.events (id, is_public) ON UPDATE CASCADE ON DELETE CASCADE
);
COMMENT ON TABLE convene.bundle_items IS 'Which tickets a bundle holds, and how many of each';
COMMENT ON COLUMN convene.bundle_items.event_public IS 'events.is_public, kept by a trigger and the foreign key';
COMMENT ON COLUMN convene.bundle_items.event_id IS 'Left out: the event of the bundle';
CREATE INDEX idx_bundle_items_event ON convene.bundle_items (event_id);
CREATE INDEX idx_bundle_items_ticket_type ON convene.bundle_items (ticket_type_id);
CREATE TRIGGER bundle_items_place BEFORE INSERT ON convene.bundle_items
    FOR EACH ROW WHEN (NEW.event_id IS NULL)
    EXECUTE FUNCTION convene_private.fill_from_parent('event_id', 'bundles', 'bundle_id');
CREATE TRIGGER bundle_items_programme BEFORE INSERT OR UPDATE OF event_id, event_public ON convene.bundle_items
    FOR EACH ROW EXECUTE FUNCTION convene_private.place_in_programme();
CREATE TRIGGER bundle_items_touch BEFORE UPDATE ON convene.bundle_items
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

CREATE TABLE convene.promoters (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL DEFAULT convene_private.default_organization_id()
        REFERENCES convene.organizations ON DELETE RESTRICT,
    contact_id uuid,
    promoter_code text NOT NULL CHECK (promoter_code <> ''),
    company_name text,
    tax_id text,
    phone text,
    email text,
    address text,
    commission_type text NOT NULL DEFAULT 'percentage' CHECK (commission_type IN ('percentage', 'fixed_amount')),
    commission_rate numeric(10,2) NOT NULL DEFAULT 0 CHECK (commission_rate >= 0 AND commission_rate <> 'NaN'),
    commission_cap numeric(12,2) CHECK (commission_cap >= 0 AND commission_cap <> 'NaN'),
    currency text NOT NULL DEFAULT 'CAD' CHECK (currency ~ '^[A-Z]{3}$'),
    total_sales numeric(14,2) NOT NULL DEFAULT 0 CHECK (total_sales >= 0 AND total_sales <> 'NaN'),
    total_commission numeric(14,2) NOT NULL DEFAULT 0 CHECK (total_commission >= 0 AND total_commission <> 'NaN'),
    total_events integer NOT NULL DEFAULT 0 CHECK (total_events >= 0),
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'inactive', 'suspended')),
    permissions jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(permissions) = 'object'),
    assigned_to uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (id, organization_id),
    CHECK (commission_type <> 'percentage' OR commission_rate <= 100),
    FOREIGN KEY (contact_id, organization_id) REFERENCES convene.contacts (id, organization_id) ON DELETE SET NULL (contact_id),
    FOREIGN KEY (assigned_to, organization_id) REFERENCES convene.users (id, organization_id) ON DELETE SET NULL (assigned_to)
);
COMMENT ON TABLE convene.promoters IS 'Who sells for an organization and earns a commission; whoever is known by a contact that can sign in reads their own row';
COMMENT ON COLUMN convene.promoters.promoter_code IS 'What buyers name; upper and lower case are the same, unique in the organization';
COMMENT ON COLUMN convene.promoters.tax_id IS 'Written by staff, read by no API role';
COMMENT ON COLUMN convene.promoters.commission_rate IS 'Percent of the order before tax, or a fixed amount for each order';
COMMENT ON COLUMN convene.promoters.commission_cap IS 'The most that one order earns, in currency; null: no limit';
COMMENT ON COLUMN convene.promoters.total_sales IS 'Orders that earned a commission, in currency; kept by functions, as are the other totals';
COMMENT ON COLUMN convene.promoters.total_events IS 'Events with at least one such order';
CREATE UNIQUE INDEX idx_promoters_code ON convene.promoters (organization_id, lower(promoter_code));
CREATE INDEX idx_promoters_contact ON convene.promoters (contact_id);
CREATE INDEX idx_promoters_assigned_to ON convene.promoters (assigned_to);
CREATE TRIGGER promoters_touch BEFORE UPDATE ON convene.promoters
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

CREATE TABLE convene.vouchers (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL DEFAULT convene_private.default_organization_id()
        REFERENCES convene.organizations ON DELETE RESTRICT,
    event_id uuid,
    created_by uuid,
    code text NOT NULL CHECK (code <> ''),
    name text,
    description text,
    discount_type text NOT NULL CHECK (discount_type IN ('percentage', 'fixed_amount', 'free_ticket')),
    discount_value numeric(12,2) CHECK (discount_value >= 0 AND discount_value <> 'NaN'),
    max_discount_amount numeric(12,2) CHECK (max_discount_amount >= 0 AND max_discount_amount <> 'NaN'),
    min_purchase_amount numeric(12,2) CHECK (min_purchase_amount >= 0 AND min_purchase_amount <> 'NaN'),
    currency text CHECK (currency ~ '^[A-Z]{3}$'),
    usage_limit integer CHECK (usage_limit > 0),
    usage_count integer NOT NULL DEFAULT 0 CHECK (usage_count >= 0),
    usage_limit_per_customer integer DEFAULT 1 CHECK (usage_limit_per_customer > 0),
    valid_from timestamptz,
    valid_to timestamptz,
    applicable_ticket_types uuid[],
    customer_restrictions jsonb CHECK (jsonb_typeof(customer_restrictions) = 'object'),
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'inactive', 'expired', 'exhausted')),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (id, organization_id),
    CHECK (usage_count <= usage_limit),
    CHECK (discount_value IS NOT NULL OR discount_type = 'free_ticket'),
    CHECK (discount_type <> 'percentage' OR discount_value <= 100),
    CHECK (valid_to > valid_from),
    -- Not set to null: that would make it good for every event.
    FOREIGN KEY (event_id, organization_id) REFERENCES convene.events (id, organization_id) ON DELETE CASCADE,
    FOREIGN KEY (created_by, organization_id) REFERENCES convene.users (id, organization_id) ON DELETE SET NULL (created_by)
) WITH (fillfactor = 70);
COMMENT ON TABLE convene.vouchers IS 'Codes that make an order cheaper';
COMMENT ON COLUMN convene.vouchers.event_id IS 'Null: every event of the organization';
COMMENT ON COLUMN convene.vouchers.code IS 'What buyers name; upper and lower case are the same, unique in the organization';
COMMENT ON COLUMN convene.vouchers.discount_value IS 'Percent, or an amount; for free_ticket how many tickets, null for one';
COMMENT ON COLUMN convene.vouchers.max_discount_amount IS 'The most that it takes off one order; null: no limit';
COMMENT ON COLUMN convene.vouchers.min_purchase_amount IS 'Orders below it, before tax, do not qualify';
COMMENT ON COLUMN convene.vouchers.currency IS 'Of its amounts; null: that of the order. An order in another currency does not qualify';
COMMENT ON COLUMN convene.vouchers.usage_count IS 'Orders that use it, pending ones too; kept by the ordering functions';
COMMENT ON COLUMN convene.vouchers.usage_limit_per_customer IS 'Null: no limit';
COMMENT ON COLUMN convene.vouchers.applicable_ticket_types IS 'Null: all. A set of ticket types of the event, kept true by triggers; empty once the last of them is gone, and then good for none';
COMMENT ON COLUMN convene.vouchers.customer_restrictions IS 'A filter over customers, as campaigns.target_audience has it';
CREATE UNIQUE INDEX idx_vouchers_code ON convene.vouchers (organization_id, lower(code));
CREATE INDEX idx_vouchers_event ON convene.vouchers (event_id);
CREATE INDEX idx_vouchers_created_by ON convene.vouchers (created_by);
CREATE INDEX idx_vouchers_ticket_types ON convene.vouchers USING gin (applicable_ticket_types);
CREATE TRIGGER vouchers_touch BEFORE UPDATE ON convene.vouchers
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

-- An event with orders cannot be deleted, nor can it change hands: money was taken for it.
CREATE TABLE convene.orders (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    event_id uuid NOT NULL REFERENCES convene.events ON DELETE RESTRICT,
    organization_id uuid NOT NULL,
    order_number text NOT NULL DEFAULT upper(right(gen_random_uuid()::text, 12)) CHECK (order_number <> ''),
    profile_id uuid REFERENCES convene.profiles ON DELETE SET NULL,
    contact_id uuid,
    opportunity_id uuid,
    buyer_name text,
    buyer_email text,
    buyer_phone text,
    billing_address jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(billing_address) = 'object'),
    channel text NOT NULL DEFAULT 'online' CHECK (channel IN ('online', 'box_office', 'invitation', 'waitlist', 'import')),
    status text NOT NULL DEFAULT 'pending'
        CHECK (status IN ('pending', 'paid', 'cancelled', 'expired', 'partially_refunded', 'refunded', 'disputed')),
    currency text NOT NULL DEFAULT 'CAD' CHECK (currency ~ '^[A-Z]{3}$'),
    subtotal_cents bigint NOT NULL DEFAULT 0 CHECK (subtotal_cents >= 0),
    discount_cents bigint NOT NULL DEFAULT 0 CHECK (discount_cents BETWEEN 0 AND subtotal_cents),
    tax_cents bigint NOT NULL DEFAULT 0 CHECK (tax_cents >= 0),
    total_cents bigint NOT NULL GENERATED ALWAYS AS (subtotal_cents - discount_cents + tax_cents) STORED,
    refunded_cents bigint NOT NULL DEFAULT 0 CHECK (refunded_cents >= 0),
    promoter_id uuid,
    idempotency_key text CHECK (idempotency_key <> ''),
    payment_method text,
    stripe_checkout_session_id text UNIQUE,
    stripe_payment_intent_id text UNIQUE,
    stripe_charge_id text UNIQUE,
    expires_at timestamptz,
    paid_at timestamptz,
    cancelled_at timestamptz,
    refunded_at timestamptz,
    disputed_at timestamptz,
    status_reason text,
    notes text,
    metadata jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(metadata) = 'object'),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (id, event_id),
    UNIQUE (event_id, order_number),
    UNIQUE (event_id, idempotency_key),
    CHECK (refunded_cents <= subtotal_cents - discount_cents + tax_cents),
    CHECK (status <> 'pending' OR expires_at IS NOT NULL),
    CHECK (paid_at IS NOT NULL OR status NOT IN ('paid', 'partially_refunded', 'refunded', 'disputed')),
    FOREIGN KEY (event_id, organization_id) REFERENCES convene.events (id, organization_id) ON DELETE RESTRICT,
    FOREIGN KEY (contact_id, organization_id) REFERENCES convene.contacts (id, organization_id) ON DELETE SET NULL (contact_id),
    FOREIGN KEY (opportunity_id, organization_id) REFERENCES convene.opportunities (id, organization_id)
        ON DELETE SET NULL (opportunity_id),
    FOREIGN KEY (promoter_id, organization_id) REFERENCES convene.promoters (id, organization_id) ON DELETE SET NULL (promoter_id)
) WITH (fillfactor = 80);
COMMENT ON TABLE convene.orders IS 'Purchases; a pending one holds its stock until expires_at. Amounts are minor units of currency';
COMMENT ON COLUMN convene.orders.organization_id IS 'Left out: the organization of the event';
COMMENT ON COLUMN convene.orders.order_number IS 'What people quote; unique in the event';
COMMENT ON COLUMN convene.orders.profile_id IS 'The buyer, who reads it; null: bought without signing in';
COMMENT ON COLUMN convene.orders.opportunity_id IS 'The sale that led to it';
COMMENT ON COLUMN convene.orders.subtotal_cents IS 'The lines before discount and tax';
COMMENT ON COLUMN convene.orders.promoter_id IS 'Whose code the buyer named';
COMMENT ON COLUMN convene.orders.idempotency_key IS 'A second request with the same key gets this order; read by no API role, as are the Stripe ids, notes and metadata';
COMMENT ON COLUMN convene.orders.expires_at IS 'When the hold of a pending order ends';
COMMENT ON COLUMN convene.orders.status_reason IS 'Why it was cancelled, refunded or disputed';
COMMENT ON COLUMN convene.orders.notes IS 'The organizer''s own';
CREATE INDEX idx_orders_event ON convene.orders (event_id, status);
CREATE INDEX idx_orders_organization ON convene.orders (organization_id, created_at);
-- As for attendees.
ALTER TABLE convene.orders ALTER COLUMN organization_id SET (n_distinct = 25);
CREATE INDEX idx_orders_profile ON convene.orders (profile_id);
CREATE INDEX idx_orders_contact ON convene.orders (contact_id);
CREATE INDEX idx_orders_opportunity ON convene.orders (opportunity_id);
CREATE INDEX idx_orders_promoter ON convene.orders (promoter_id);
CREATE INDEX idx_orders_expiring ON convene.orders (expires_at) WHERE status = 'pending';
CREATE TRIGGER orders_place BEFORE INSERT ON convene.orders
    FOR EACH ROW WHEN (NEW.organization_id IS NULL)
    EXECUTE FUNCTION convene_private.fill_from_parent('organization_id', 'events', 'event_id');
CREATE TRIGGER orders_touch BEFORE UPDATE ON convene.orders
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

-- A payment may arrive after the hold has ended or the order was given up, so both can still become paid.
CREATE FUNCTION convene_private.check_order_status() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    next_ones constant jsonb := '{"pending": ["paid", "cancelled", "expired"],
                                  "expired": ["paid", "cancelled"],
                                  "cancelled": ["paid"],
                                  "paid": ["partially_refunded", "refunded", "disputed"],
                                  "partially_refunded": ["refunded", "disputed"],
                                  "disputed": ["paid", "partially_refunded", "refunded"],
                                  "refunded": []}';
BEGIN
    IF NOT (next_ones -> OLD.status) ? NEW.status THEN
        RAISE EXCEPTION 'order % is %, it cannot become %', OLD.id, OLD.status, NEW.status
            USING ERRCODE = '55000', DETAIL = format('From there it can become: %s.', next_ones -> OLD.status),
                  HINT = 'Make a new order.';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.check_order_status() IS 'Lets an order go from one status only to those that may follow';
CREATE TRIGGER orders_status BEFORE UPDATE ON convene.orders
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION convene_private.check_order_status();

CREATE TABLE convene.order_items (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    order_id uuid NOT NULL,
    event_id uuid NOT NULL,
    ticket_type_id uuid NOT NULL,
    bundle_id uuid,
    bundle_quantity integer CHECK (bundle_quantity > 0),
    name text NOT NULL CHECK (name <> ''),
    quantity integer NOT NULL CHECK (quantity > 0),
    unit_price_cents bigint NOT NULL CHECK (unit_price_cents >= 0),
    subtotal_cents bigint NOT NULL CHECK (subtotal_cents >= 0),
    discount_cents bigint NOT NULL DEFAULT 0 CHECK (discount_cents BETWEEN 0 AND subtotal_cents),
    tax_rate numeric(8,6) NOT NULL DEFAULT 0 CHECK (tax_rate BETWEEN 0 AND 1),
    tax_cents bigint NOT NULL DEFAULT 0 CHECK (tax_cents >= 0),
    total_cents bigint NOT NULL GENERATED ALWAYS AS (subtotal_cents - discount_cents + tax_cents) STORED,
    refunded_quantity integer NOT NULL DEFAULT 0 CHECK (refunded_quantity BETWEEN 0 AND quantity),
    refunded_cents bigint NOT NULL DEFAULT 0 CHECK (refunded_cents >= 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (id, order_id),
    UNIQUE NULLS NOT DISTINCT (order_id, ticket_type_id, bundle_id),
    CHECK ((bundle_id IS NULL) = (bundle_quantity IS NULL)),
    CHECK (bundle_id IS NOT NULL OR subtotal_cents = unit_price_cents * quantity),
    CHECK (refunded_cents <= subtotal_cents - discount_cents + tax_cents),
    FOREIGN KEY (order_id, event_id) REFERENCES convene.orders (id, event_id) ON DELETE CASCADE,
    FOREIGN KEY (ticket_type_id, event_id) REFERENCES convene.ticket_types (id, event_id),
    FOREIGN KEY (bundle_id, event_id) REFERENCES convene.bundles (id, event_id)
);
COMMENT ON TABLE convene.order_items IS 'Lines of an order, one for each ticket type; a bundle has one for each ticket type in it, with its share of the price. Amounts are minor units of the order''s currency';
COMMENT ON COLUMN convene.order_items.bundle_quantity IS 'How many of the bundle this line is a part of; the same in each of its lines';
COMMENT ON COLUMN convene.order_items.name IS 'What it was sold as';
COMMENT ON COLUMN convene.order_items.quantity IS 'Tickets';
COMMENT ON COLUMN convene.order_items.unit_price_cents IS 'List price of one ticket when it was ordered';
COMMENT ON COLUMN convene.order_items.subtotal_cents IS 'Before discount and tax; in a bundle the share of its price that falls to this line';
COMMENT ON COLUMN convene.order_items.discount_cents IS 'Share of the voucher';
CREATE INDEX idx_order_items_event ON convene.order_items (event_id);
CREATE INDEX idx_order_items_ticket_type ON convene.order_items (ticket_type_id);
CREATE INDEX idx_order_items_bundle ON convene.order_items (bundle_id);
CREATE TRIGGER order_items_place BEFORE INSERT ON convene.order_items
    FOR EACH ROW WHEN (NEW.event_id IS NULL)
    EXECUTE FUNCTION convene_private.fill_from_parent('event_id', 'orders', 'order_id');
CREATE TRIGGER order_items_touch BEFORE UPDATE ON convene.order_items
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

CREATE TABLE convene.tickets (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    event_id uuid NOT NULL REFERENCES convene.events ON DELETE CASCADE,
    ticket_type_id uuid NOT NULL,
    order_id uuid,
    order_item_id uuid,
    attendee_id uuid,
    holder_name text,
    holder_email text,
    qr_token text NOT NULL DEFAULT replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '') UNIQUE
        CHECK (length(qr_token) >= 22),
    qr_issued_at timestamptz NOT NULL DEFAULT now(),
    status text NOT NULL DEFAULT 'valid' CHECK (status IN ('valid', 'used', 'cancelled', 'refunded')),
    paid_cents bigint NOT NULL DEFAULT 0 CHECK (paid_cents >= 0),
    refunded_cents bigint NOT NULL DEFAULT 0 CHECK (refunded_cents BETWEEN 0 AND paid_cents),
    used_at timestamptz,
    refunded_at timestamptz,
    transferred_at timestamptz,
    transfer_count integer NOT NULL DEFAULT 0 CHECK (transfer_count >= 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (id, event_id),
    CHECK (status <> 'used' OR used_at IS NOT NULL),
    CHECK (order_item_id IS NULL OR order_id IS NOT NULL),
    FOREIGN KEY (ticket_type_id, event_id) REFERENCES convene.ticket_types (id, event_id),
    FOREIGN KEY (order_id, event_id) REFERENCES convene.orders (id, event_id) ON DELETE CASCADE,
    FOREIGN KEY (order_item_id, order_id) REFERENCES convene.order_items (id, order_id) ON DELETE CASCADE,
    FOREIGN KEY (attendee_id, event_id) REFERENCES convene.attendees (id, event_id) ON DELETE SET NULL (attendee_id)
) WITH (fillfactor = 80);
COMMENT ON TABLE convene.tickets IS 'Single tickets; made when their order is paid, or without an order for guests';
COMMENT ON COLUMN convene.tickets.attendee_id IS 'Who holds it; null until the holder is known';
COMMENT ON COLUMN convene.tickets.holder_name IS 'As it is printed; the attendee''s own name where that is null';
COMMENT ON COLUMN convene.tickets.qr_token IS 'What the QR code says; whoever has it gets in, so no API role reads it. A transfer gives a new one';
COMMENT ON COLUMN convene.tickets.status IS 'used: its holder has been let in at least once';
COMMENT ON COLUMN convene.tickets.paid_cents IS 'Its share of the order with tax, in minor units of the order''s currency';
COMMENT ON COLUMN convene.tickets.transferred_at IS 'The last time that it went to another holder';
CREATE INDEX idx_tickets_event ON convene.tickets (event_id, status);
CREATE INDEX idx_tickets_ticket_type ON convene.tickets (ticket_type_id);
CREATE INDEX idx_tickets_order ON convene.tickets (order_id);
CREATE INDEX idx_tickets_order_item ON convene.tickets (order_item_id);
CREATE INDEX idx_tickets_attendee ON convene.tickets (attendee_id);
CREATE TRIGGER tickets_touch BEFORE UPDATE ON convene.tickets
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

CREATE TABLE convene.voucher_redemptions (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL,
    event_id uuid NOT NULL,
    voucher_id uuid NOT NULL,
    order_id uuid NOT NULL UNIQUE,
    profile_id uuid REFERENCES convene.profiles ON DELETE SET NULL,
    email text,
    discount_cents bigint NOT NULL CHECK (discount_cents >= 0),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    status text NOT NULL DEFAULT 'reserved' CHECK (status IN ('reserved', 'redeemed', 'released')),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (event_id, organization_id) REFERENCES convene.events (id, organization_id) ON DELETE RESTRICT,
    FOREIGN KEY (order_id, event_id) REFERENCES convene.orders (id, event_id) ON DELETE CASCADE,
    FOREIGN KEY (voucher_id, organization_id) REFERENCES convene.vouchers (id, organization_id) ON DELETE RESTRICT
);
COMMENT ON TABLE convene.voucher_redemptions IS 'Which order used which voucher; one voucher for an order';
COMMENT ON COLUMN convene.voucher_redemptions.organization_id IS 'Left out: that of the voucher';
COMMENT ON COLUMN convene.voucher_redemptions.event_id IS 'Left out: that of the order';
COMMENT ON COLUMN convene.voucher_redemptions.profile_id IS 'The customer whose uses are counted; without one, those of the address in email are';
COMMENT ON COLUMN convene.voucher_redemptions.status IS 'reserved while the order is pending, released when it comes to nothing: then it does not count';
COMMENT ON COLUMN convene.voucher_redemptions.discount_cents IS 'What it took off, in minor units of currency';
CREATE INDEX idx_voucher_redemptions_event ON convene.voucher_redemptions (event_id);
CREATE INDEX idx_voucher_redemptions_customer ON convene.voucher_redemptions (voucher_id, profile_id);
CREATE INDEX idx_voucher_redemptions_email ON convene.voucher_redemptions (voucher_id, lower(email));
CREATE INDEX idx_voucher_redemptions_profile ON convene.voucher_redemptions (profile_id);
CREATE TRIGGER voucher_redemptions_place BEFORE INSERT ON convene.voucher_redemptions
    FOR EACH ROW WHEN (NEW.organization_id IS NULL)
    EXECUTE FUNCTION convene_private.fill_from_parent('organization_id', 'vouchers', 'voucher_id');
CREATE TRIGGER voucher_redemptions_place_event BEFORE INSERT ON convene.voucher_redemptions
    FOR EACH ROW WHEN (NEW.event_id IS NULL)
    EXECUTE FUNCTION convene_private.fill_from_parent('event_id', 'orders', 'order_id');
CREATE TRIGGER voucher_redemptions_touch BEFORE UPDATE ON convene.voucher_redemptions
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

-- RESTRICT towards promoter and order: what was earned outlives neither of them silently.
CREATE TABLE convene.promoter_commissions (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL,
    event_id uuid NOT NULL,
    promoter_id uuid NOT NULL,
    order_id uuid NOT NULL,
    ticket_id uuid,
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    commission_cents bigint NOT NULL CHECK (commission_cents >= 0),
    commission_amount numeric NOT NULL
        GENERATED ALWAYS AS (trim_scale(commission_cents::numeric / convene_private.minor_units(currency))) STORED,
    commission_rate numeric(10,2) CHECK (commission_rate >= 0 AND commission_rate <> 'NaN'),
    base_cents bigint CHECK (base_cents >= 0),
    base_amount numeric GENERATED ALWAYS AS (trim_scale(base_cents::numeric / convene_private.minor_units(currency))) STORED,
    reversed_cents bigint NOT NULL DEFAULT 0 CHECK (reversed_cents BETWEEN 0 AND commission_cents),
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'approved', 'paid', 'cancelled')),
    paid_at timestamptz,
    payment_reference text,
    approved_by uuid,
    approved_at timestamptz,
    reversed_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE NULLS NOT DISTINCT (order_id, ticket_id),
    CHECK (status <> 'paid' OR paid_at IS NOT NULL),
    FOREIGN KEY (event_id, organization_id) REFERENCES convene.events (id, organization_id) ON DELETE RESTRICT,
    FOREIGN KEY (promoter_id, organization_id) REFERENCES convene.promoters (id, organization_id) ON DELETE RESTRICT,
    FOREIGN KEY (order_id, event_id) REFERENCES convene.orders (id, event_id) ON DELETE RESTRICT,
    FOREIGN KEY (ticket_id, event_id) REFERENCES convene.tickets (id, event_id) ON DELETE SET NULL (ticket_id),
    FOREIGN KEY (approved_by, organization_id) REFERENCES convene.users (id, organization_id) ON DELETE SET NULL (approved_by)
);
COMMENT ON TABLE convene.promoter_commissions IS 'What promoters earned with orders, and whether it was paid';
COMMENT ON COLUMN convene.promoter_commissions.organization_id IS 'Left out: that of the promoter';
COMMENT ON COLUMN convene.promoter_commissions.event_id IS 'Left out: that of the order';
COMMENT ON COLUMN convene.promoter_commissions.ticket_id IS 'Null: earned with the order as a whole';
COMMENT ON COLUMN convene.promoter_commissions.commission_cents IS 'Minor units of currency; commission_amount says the same in whole ones, as base_amount does for base_cents';
COMMENT ON COLUMN convene.promoter_commissions.commission_rate IS 'Percent, or the fixed amount, that applied';
COMMENT ON COLUMN convene.promoter_commissions.base_cents IS 'The amount it was reckoned from';
COMMENT ON COLUMN convene.promoter_commissions.reversed_cents IS 'Taken back after a refund; of a paid commission it is owed by the promoter';
CREATE INDEX idx_promoter_commissions_organization ON convene.promoter_commissions (organization_id, status);
CREATE INDEX idx_promoter_commissions_event ON convene.promoter_commissions (event_id);
CREATE INDEX idx_promoter_commissions_promoter ON convene.promoter_commissions (promoter_id, status);
CREATE INDEX idx_promoter_commissions_ticket ON convene.promoter_commissions (ticket_id);
CREATE INDEX idx_promoter_commissions_approved_by ON convene.promoter_commissions (approved_by);
CREATE TRIGGER promoter_commissions_place BEFORE INSERT ON convene.promoter_commissions
    FOR EACH ROW WHEN (NEW.organization_id IS NULL)
    EXECUTE FUNCTION convene_private.fill_from_parent('organization_id', 'promoters', 'promoter_id');
CREATE TRIGGER promoter_commissions_place_event BEFORE INSERT ON convene.promoter_commissions
    FOR EACH ROW WHEN (NEW.event_id IS NULL)
    EXECUTE FUNCTION convene_private.fill_from_parent('event_id', 'orders', 'order_id');
CREATE TRIGGER promoter_commissions_touch BEFORE UPDATE ON convene.promoter_commissions
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

-- Two doors that scan the same ticket at once: the second one fails on the open row of the first.
CREATE TABLE convene.check_ins (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    event_id uuid NOT NULL REFERENCES convene.events ON DELETE CASCADE,
    attendee_id uuid NOT NULL,
    ticket_id uuid,
    checked_in_at timestamptz NOT NULL DEFAULT now(),
    checked_out_at timestamptz,
    check_in_method text NOT NULL DEFAULT 'manual' CHECK (check_in_method IN ('qr_code', 'manual', 'nfc', 'app', 'kiosk')),
    check_in_location text,
    device_id text,
    ip_address inet,
    user_agent text,
    validated_by uuid REFERENCES convene.users ON DELETE SET NULL,
    validation_notes text,
    duration_minutes integer GENERATED ALWAYS AS ((EXTRACT(epoch FROM checked_out_at - checked_in_at) / 60)::integer) STORED,
    is_present boolean NOT NULL GENERATED ALWAYS AS (checked_out_at IS NULL) STORED,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (attendee_id, checked_in_at),
    CHECK (checked_out_at >= checked_in_at),
    FOREIGN KEY (attendee_id, event_id) REFERENCES convene.attendees (id, event_id) ON DELETE CASCADE,
    FOREIGN KEY (ticket_id, event_id) REFERENCES convene.tickets (id, event_id) ON DELETE SET NULL (ticket_id)
);
COMMENT ON TABLE convene.check_ins IS 'Visits: from one entrance to the next exit. An attendee, and a ticket, is in at most once at a time';
COMMENT ON COLUMN convene.check_ins.checked_in_at IS 'When it was scanned, which is before created_at for a scanner without a network; the same scan sent twice is refused';
COMMENT ON COLUMN convene.check_ins.checked_out_at IS 'Null: still there';
COMMENT ON COLUMN convene.check_ins.device_id IS 'The scanner; read by no API role, as are ip_address and user_agent';
COMMENT ON COLUMN convene.check_ins.validated_by IS 'Who was at the door';
CREATE UNIQUE INDEX idx_check_ins_open ON convene.check_ins (attendee_id) WHERE checked_out_at IS NULL;
CREATE UNIQUE INDEX idx_check_ins_open_ticket ON convene.check_ins (ticket_id) WHERE checked_out_at IS NULL;
CREATE INDEX idx_check_ins_event ON convene.check_ins (event_id, checked_in_at);
CREATE INDEX idx_check_ins_ticket ON convene.check_ins (ticket_id);
CREATE INDEX idx_check_ins_validated_by ON convene.check_ins (validated_by);
CREATE TRIGGER check_ins_validated_by BEFORE INSERT OR UPDATE OF validated_by, event_id ON convene.check_ins
    FOR EACH ROW WHEN (NEW.validated_by IS NOT NULL) EXECUTE FUNCTION convene_private.check_event_reference('validated_by', 'users');
CREATE TRIGGER check_ins_touch BEFORE UPDATE ON convene.check_ins
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

CREATE TABLE convene.seat_maps (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    event_id uuid NOT NULL,
    event_public boolean NOT NULL DEFAULT false,
    venue_id uuid REFERENCES convene.venues ON DELETE SET NULL,
    name text NOT NULL CHECK (name <> ''),
    description text,
    map_type text CHECK (map_type IN ('theater', 'banquet', 'cocktail', 'standing', 'mixed')),
    svg_content text,
    map_image_url text,
    total_capacity integer CHECK (total_capacity >= 0),
    rows integer CHECK (rows > 0),
    seats_per_row integer CHECK (seats_per_row > 0),
    seat_pricing jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(seat_pricing) = 'object'),
    section_names text[] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (id, event_id),
    FOREIGN KEY (event_id, event_public) REFERENCES convene.events (id, is_public) ON UPDATE CASCADE ON DELETE CASCADE
);
COMMENT ON TABLE convene.seat_maps IS 'Rooms with numbered seats';
COMMENT ON COLUMN convene.seat_maps.event_public IS 'events.is_public, kept by a trigger and the foreign key';
COMMENT ON COLUMN convene.seat_maps.svg_content IS 'A drawing of the organizer''s own; null: one is made from rows and seats';
COMMENT ON COLUMN convene.seat_maps.total_capacity IS 'Null: rows times seats_per_row';
COMMENT ON COLUMN convene.seat_maps.rows IS 'Row 1 is the best one; null: the seats are not in rows';
COMMENT ON COLUMN convene.seat_maps.seat_pricing IS 'Price by section: {"VIP": 120.00}';
COMMENT ON COLUMN convene.seat_maps.section_names IS 'Sections that seats may name; empty: any';
CREATE INDEX idx_seat_maps_event ON convene.seat_maps (event_id);
CREATE INDEX idx_seat_maps_venue ON convene.seat_maps (venue_id);
CREATE TRIGGER seat_maps_programme BEFORE INSERT OR UPDATE OF event_id, event_public ON convene.seat_maps
    FOR EACH ROW EXECUTE FUNCTION convene_private.place_in_programme();
CREATE TRIGGER seat_maps_touch BEFORE UPDATE ON convene.seat_maps
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

CREATE TABLE convene.seat_assignments (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    seat_map_id uuid NOT NULL,
    event_id uuid NOT NULL REFERENCES convene.events ON DELETE CASCADE,
    ticket_id uuid UNIQUE,
    attendee_id uuid,
    row_number integer CHECK (row_number > 0),
    seat_number integer CHECK (seat_number > 0),
    section_name text,
    seat_label text CHECK (seat_label <> ''),
    assigned_at timestamptz NOT NULL DEFAULT now(),
    assigned_by uuid REFERENCES convene.users ON DELETE SET NULL,
    accessibility_needs text[] NOT NULL DEFAULT '{}',
    dietary_restrictions text[] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (seat_map_id, row_number, seat_number),
    UNIQUE (seat_map_id, seat_label),
    CHECK ((row_number IS NULL) = (seat_number IS NULL)),
    CHECK (row_number IS NOT NULL OR seat_label IS NOT NULL),
    CHECK (ticket_id IS NOT NULL OR attendee_id IS NOT NULL),
    FOREIGN KEY (seat_map_id, event_id) REFERENCES convene.seat_maps (id, event_id) ON DELETE CASCADE,
    FOREIGN KEY (ticket_id, event_id) REFERENCES convene.tickets (id, event_id) ON DELETE CASCADE,
    FOREIGN KEY (attendee_id, event_id) REFERENCES convene.attendees (id, event_id) ON DELETE CASCADE
);
COMMENT ON TABLE convene.seat_assignments IS 'Who sits where; each seat of a map once';
COMMENT ON COLUMN convene.seat_assignments.event_id IS 'Left out: the event of the seat map';
COMMENT ON COLUMN convene.seat_assignments.ticket_id IS 'Null for a seat without a ticket, a speaker''s for instance';
COMMENT ON COLUMN convene.seat_assignments.row_number IS 'Within the rows of the map; null for a seat that has a label only, as at a table';
COMMENT ON COLUMN convene.seat_assignments.accessibility_needs IS 'Told to staff of the event and to the attendee only, as are dietary_restrictions';
CREATE INDEX idx_seat_assignments_event ON convene.seat_assignments (event_id);
CREATE INDEX idx_seat_assignments_attendee ON convene.seat_assignments (attendee_id);
CREATE INDEX idx_seat_assignments_assigned_by ON convene.seat_assignments (assigned_by);
CREATE TRIGGER seat_assignments_assigned_by BEFORE INSERT OR UPDATE OF assigned_by, event_id ON convene.seat_assignments
    FOR EACH ROW WHEN (NEW.assigned_by IS NOT NULL) EXECUTE FUNCTION convene_private.check_event_reference('assigned_by', 'users');
CREATE TRIGGER seat_assignments_place BEFORE INSERT ON convene.seat_assignments
    FOR EACH ROW WHEN (NEW.event_id IS NULL)
    EXECUTE FUNCTION convene_private.fill_from_parent('event_id', 'seat_maps', 'seat_map_id');
CREATE TRIGGER seat_assignments_touch BEFORE UPDATE ON convene.seat_assignments
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

CREATE TABLE convene.waitlist_entries (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    event_id uuid NOT NULL REFERENCES convene.events ON DELETE CASCADE,
    ticket_type_id uuid,
    bundle_id uuid,
    session_id uuid,
    profile_id uuid REFERENCES convene.profiles ON DELETE CASCADE,
    attendee_id uuid,
    full_name text,
    email text CHECK (email <> ''),
    group_size integer NOT NULL DEFAULT 1 CHECK (group_size > 0),
    priority integer NOT NULL DEFAULT 0,
    joined_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    status text NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'offered', 'accepted', 'expired', 'left')),
    offered_at timestamptz,
    offer_expires_at timestamptz,
    offer_count integer NOT NULL DEFAULT 0 CHECK (offer_count >= 0),
    order_id uuid,
    resolved_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK (num_nonnulls(ticket_type_id, bundle_id, session_id) <= 1),
    CHECK (num_nonnulls(profile_id, attendee_id, email) > 0),
    CHECK (session_id IS NULL OR (attendee_id IS NOT NULL AND group_size = 1)),
    CHECK (status <> 'offered' OR (offered_at IS NOT NULL AND offer_expires_at IS NOT NULL)),
    CHECK (offer_expires_at > offered_at),
    FOREIGN KEY (ticket_type_id, event_id) REFERENCES convene.ticket_types (id, event_id) ON DELETE CASCADE,
    FOREIGN KEY (bundle_id, event_id) REFERENCES convene.bundles (id, event_id) ON DELETE CASCADE,
    FOREIGN KEY (session_id, event_id) REFERENCES convene.sessions (id, event_id) ON DELETE CASCADE,
    FOREIGN KEY (attendee_id, event_id) REFERENCES convene.attendees (id, event_id) ON DELETE CASCADE,
    FOREIGN KEY (order_id, event_id) REFERENCES convene.orders (id, event_id) ON DELETE SET NULL (order_id)
) WITH (fillfactor = 80);
COMMENT ON TABLE convene.waitlist_entries IS 'Who waits for a ticket, a bundle or a session that is full; nobody waits twice for the same';
COMMENT ON COLUMN convene.waitlist_entries.ticket_type_id IS 'What is waited for; without bundle and session too: any ticket of the event';
COMMENT ON COLUMN convene.waitlist_entries.email IS 'For somebody who is not signed in';
COMMENT ON COLUMN convene.waitlist_entries.group_size IS 'Places that are wanted, all of them or none';
COMMENT ON COLUMN convene.waitlist_entries.priority IS 'Higher goes first; among equals who joined earlier';
COMMENT ON COLUMN convene.waitlist_entries.status IS 'An offer holds its places until it is accepted, or expires at offer_expires_at';
COMMENT ON COLUMN convene.waitlist_entries.order_id IS 'The order that an accepted offer became';
COMMENT ON COLUMN convene.waitlist_entries.resolved_at IS 'When it was accepted, expired or left';
CREATE UNIQUE INDEX idx_waitlist_entries_person ON convene.waitlist_entries
    (event_id, profile_id, ticket_type_id, bundle_id, session_id) NULLS NOT DISTINCT
    WHERE status IN ('waiting', 'offered') AND profile_id IS NOT NULL;
CREATE UNIQUE INDEX idx_waitlist_entries_attendee_once ON convene.waitlist_entries
    (attendee_id, ticket_type_id, bundle_id, session_id) NULLS NOT DISTINCT
    WHERE status IN ('waiting', 'offered') AND attendee_id IS NOT NULL;
CREATE UNIQUE INDEX idx_waitlist_entries_email ON convene.waitlist_entries
    (event_id, lower(email), ticket_type_id, bundle_id, session_id) NULLS NOT DISTINCT
    WHERE status IN ('waiting', 'offered') AND email IS NOT NULL;
CREATE INDEX idx_waitlist_entries_event ON convene.waitlist_entries (event_id, status);
CREATE INDEX idx_waitlist_entries_ticket_type ON convene.waitlist_entries (ticket_type_id, status, priority DESC, joined_at);
CREATE INDEX idx_waitlist_entries_bundle ON convene.waitlist_entries (bundle_id, status, priority DESC, joined_at);
CREATE INDEX idx_waitlist_entries_session ON convene.waitlist_entries (session_id, status, priority DESC, joined_at);
CREATE INDEX idx_waitlist_entries_profile ON convene.waitlist_entries (profile_id);
CREATE INDEX idx_waitlist_entries_attendee ON convene.waitlist_entries (attendee_id);
CREATE INDEX idx_waitlist_entries_order ON convene.waitlist_entries (order_id);
CREATE INDEX idx_waitlist_entries_offers ON convene.waitlist_entries (offer_expires_at) WHERE status = 'offered';
CREATE TRIGGER waitlist_entries_touch BEFORE UPDATE ON convene.waitlist_entries
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

CREATE TABLE convene.session_registrations (
    session_id uuid NOT NULL,
    attendee_id uuid NOT NULL,
    event_id uuid NOT NULL REFERENCES convene.events ON DELETE CASCADE,
    status text NOT NULL DEFAULT 'registered' CHECK (status IN ('registered', 'held', 'attended', 'no_show', 'cancelled')),
    hold_expires_at timestamptz,
    registered_at timestamptz NOT NULL DEFAULT now(),
    cancelled_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (session_id, attendee_id),
    CHECK ((status = 'held') = (hold_expires_at IS NOT NULL)),
    FOREIGN KEY (session_id, event_id) REFERENCES convene.sessions (id, event_id) ON DELETE CASCADE,
    FOREIGN KEY (attendee_id, event_id) REFERENCES convene.attendees (id, event_id) ON DELETE CASCADE
) WITH (fillfactor = 80);
COMMENT ON TABLE convene.session_registrations IS 'Places in sessions; all but cancelled ones count in sessions.current_registrations, which a trigger keeps';
COMMENT ON COLUMN convene.session_registrations.status IS 'held: offered to somebody of the waitlist until hold_expires_at';
COMMENT ON COLUMN convene.session_registrations.registered_at IS 'When the place was taken; again when it is taken anew';
CREATE INDEX idx_session_registrations_event ON convene.session_registrations (event_id);
CREATE INDEX idx_session_registrations_attendee ON convene.session_registrations (attendee_id);
CREATE INDEX idx_session_registrations_holds ON convene.session_registrations (hold_expires_at) WHERE status = 'held';
CREATE TRIGGER session_registrations_touch BEFORE UPDATE ON convene.session_registrations
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

-- Sessions are locked in the order of their ids, so two statements never wait for each other; transactions that change several
-- sessions, a statement each, have to keep to that order themselves. Counted by difference: places that were taken elsewhere
-- may be in the number. Whether there is room is asked by whoever registers, under the lock of the session.
CREATE FUNCTION convene_private.count_registrations() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    before uuid[] := '{}';
    after uuid[] := '{}';
    changed uuid[];
    differences bigint[];
BEGIN
    IF TG_OP <> 'INSERT' THEN
        before := ARRAY(SELECT o.session_id FROM old_rows o WHERE o.status <> 'cancelled');
    END IF;
    IF TG_OP <> 'DELETE' THEN
        after := ARRAY(SELECT n.session_id FROM new_rows n WHERE n.status <> 'cancelled');
    END IF;
    SELECT array_agg(d.session_id), array_agg(d.difference) INTO changed, differences
    FROM (SELECT c.session_id, sum(c.places) AS difference
          FROM (SELECT a.session_id, 1 AS places FROM unnest(after) a(session_id)
                UNION ALL SELECT b.session_id, -1 FROM unnest(before) b(session_id)) c
          GROUP BY c.session_id HAVING sum(c.places) <> 0) d;
    PERFORM FROM convene.sessions s WHERE s.id = ANY (changed) ORDER BY s.id FOR NO KEY UPDATE;
    UPDATE convene.sessions s SET current_registrations = greatest(s.current_registrations + d.difference, 0)
    FROM unnest(changed, differences) d(session_id, difference) WHERE s.id = d.session_id;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION convene_private.count_registrations() IS 'Keeps sessions.current_registrations';
CREATE TRIGGER session_registrations_inserted AFTER INSERT ON convene.session_registrations
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.count_registrations();
CREATE TRIGGER session_registrations_updated AFTER UPDATE ON convene.session_registrations
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.count_registrations();
CREATE TRIGGER session_registrations_deleted AFTER DELETE ON convene.session_registrations
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.count_registrations();

-- Vouchers and the ticket types that they name: an array has no foreign key, these two are one. Definer both: row security
-- must not hide a row. The lock makes a ticket type that is being deleted wait for the voucher, or the voucher for it.
CREATE FUNCTION convene_private.check_voucher_ticket_types() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    known uuid[];
    wrong uuid;
BEGIN
    known := ARRAY(SELECT t.id FROM convene.ticket_types t JOIN convene.events e ON e.id = t.event_id
                   WHERE t.id = ANY (NEW.applicable_ticket_types) AND e.organization_id = NEW.organization_id
                     AND (NEW.event_id IS NULL OR e.id = NEW.event_id)
                   ORDER BY t.id FOR KEY SHARE OF t);
    SELECT a.id INTO wrong FROM unnest(NEW.applicable_ticket_types) a(id) WHERE (a.id = ANY (known)) IS NOT TRUE LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'applicable_ticket_types names %, which is no ticket type of %', coalesce(wrong::text, 'null'),
                CASE WHEN NEW.event_id IS NULL THEN 'the organization' ELSE 'the event' END
            USING ERRCODE = '23503', HINT = 'Leave the column null for a voucher that is good for every ticket type.';
    END IF;
    NEW.applicable_ticket_types := known;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.check_voucher_ticket_types() IS 'Accepts in a voucher only ticket types of its event or organization';
CREATE TRIGGER vouchers_ticket_types BEFORE INSERT OR UPDATE OF applicable_ticket_types, event_id, organization_id
    ON convene.vouchers FOR EACH ROW WHEN (NEW.applicable_ticket_types IS NOT NULL)
    EXECUTE FUNCTION convene_private.check_voucher_ticket_types();

CREATE FUNCTION convene_private.clear_voucher_ticket_type() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE convene.vouchers v SET applicable_ticket_types = array_remove(v.applicable_ticket_types, OLD.id)
    WHERE v.applicable_ticket_types @> ARRAY[OLD.id];
    RETURN NULL;
END $$;
COMMENT ON FUNCTION convene_private.clear_voucher_ticket_type() IS 'Takes a deleted ticket type out of the vouchers that name it';
CREATE TRIGGER ticket_types_vouchers AFTER DELETE ON convene.ticket_types
    FOR EACH ROW EXECUTE FUNCTION convene_private.clear_voucher_ticket_type();

-- Seats lie within their map. The share lock keeps the map from shrinking meanwhile. Definer both, as above; and
-- after the policies, so that nobody hears of a map that is not theirs.
CREATE FUNCTION convene_private.check_seat() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    map record;
BEGIN
    SELECT m.rows, m.seats_per_row, m.section_names INTO map FROM convene.seat_maps m WHERE m.id = NEW.seat_map_id FOR SHARE;
    IF NEW.row_number > map.rows OR NEW.seat_number > map.seats_per_row THEN
        RAISE EXCEPTION 'row %, seat % is not on the seat map', NEW.row_number, NEW.seat_number
            USING ERRCODE = '22023', DETAIL = format('It has %s rows of %s seats.', map.rows, map.seats_per_row),
                  HINT = 'Name a seat of the map, or enlarge the map.';
    END IF;
    IF NEW.section_name <> ALL (map.section_names) AND cardinality(map.section_names) > 0 THEN
        RAISE EXCEPTION 'section "%" is not on the seat map', NEW.section_name
            USING ERRCODE = '22023', DETAIL = format('Its sections: %s.', array_to_string(map.section_names, ', ')),
                  HINT = 'Name one of them.';
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION convene_private.check_seat() IS 'Accepts only seats that the map has';
CREATE TRIGGER seat_assignments_seat AFTER INSERT OR UPDATE OF seat_map_id, row_number, seat_number, section_name
    ON convene.seat_assignments FOR EACH ROW EXECUTE FUNCTION convene_private.check_seat();

CREATE FUNCTION convene_private.check_seat_map() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM convene.seat_assignments a
               WHERE a.seat_map_id = NEW.id AND (a.row_number > NEW.rows OR a.seat_number > NEW.seats_per_row)) THEN
        RAISE EXCEPTION 'seat map % has assigned seats outside of % rows of % seats', NEW.id, NEW.rows, NEW.seats_per_row
            USING ERRCODE = '55000', HINT = 'Move who sits there first.';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.check_seat_map() IS 'Keeps a seat map from becoming smaller than what was assigned in it';
CREATE TRIGGER seat_maps_shrink BEFORE UPDATE ON convene.seat_maps
    FOR EACH ROW WHEN (OLD.rows IS DISTINCT FROM NEW.rows OR OLD.seats_per_row IS DISTINCT FROM NEW.seats_per_row)
    EXECUTE FUNCTION convene_private.check_seat_map();

-- The caller's ids. Definer both: the policies of the tables they read are built on them.

CREATE FUNCTION convene_private.my_order_ids() RETURNS SETOF uuid
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT o.id FROM convene.orders o WHERE o.profile_id = (SELECT convene_private.my_profile_id());
END $$;
COMMENT ON FUNCTION convene_private.my_order_ids() IS 'The orders that the caller made';

CREATE FUNCTION convene_private.my_promoter_ids() RETURNS SETOF uuid
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT p.id FROM convene.promoters p JOIN convene.contacts c ON c.id = p.contact_id
    WHERE c.profile_id = (SELECT convene_private.my_profile_id());
END $$;
COMMENT ON FUNCTION convene_private.my_promoter_ids() IS 'The caller as a promoter, one per organization';

-- Policies. What was bought, checked in or waited for is written by functions alone.

ALTER TABLE convene.ticket_types ENABLE ROW LEVEL SECURITY;
CREATE POLICY ticket_types_select ON convene.ticket_types FOR SELECT
    USING (event_public
           OR event_id = ANY (ARRAY(SELECT convene_private.my_attended_event_ids()))
           OR event_id = ANY (ARRAY(SELECT convene_private.my_staffed_event_ids())));
CREATE POLICY ticket_types_insert ON convene.ticket_types FOR INSERT
    WITH CHECK (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())));
CREATE POLICY ticket_types_update ON convene.ticket_types FOR UPDATE
    USING (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())));
CREATE POLICY ticket_types_delete ON convene.ticket_types FOR DELETE
    USING (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())));

ALTER TABLE convene.bundles ENABLE ROW LEVEL SECURITY;
CREATE POLICY bundles_select ON convene.bundles FOR SELECT
    USING (event_public
           OR event_id = ANY (ARRAY(SELECT convene_private.my_attended_event_ids()))
           OR event_id = ANY (ARRAY(SELECT convene_private.my_staffed_event_ids())));
CREATE POLICY bundles_insert ON convene.bundles FOR INSERT
    WITH CHECK (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())));
CREATE POLICY bundles_update ON convene.bundles FOR UPDATE
    USING (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())));
CREATE POLICY bundles_delete ON convene.bundles FOR DELETE
    USING (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())));

ALTER TABLE convene.bundle_items ENABLE ROW LEVEL SECURITY;
CREATE POLICY bundle_items_select ON convene.bundle_items FOR SELECT
    USING (event_public
           OR event_id = ANY (ARRAY(SELECT convene_private.my_attended_event_ids()))
           OR event_id = ANY (ARRAY(SELECT convene_private.my_staffed_event_ids())));
CREATE POLICY bundle_items_insert ON convene.bundle_items FOR INSERT
    WITH CHECK (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())));
CREATE POLICY bundle_items_update ON convene.bundle_items FOR UPDATE
    USING (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())));
CREATE POLICY bundle_items_delete ON convene.bundle_items FOR DELETE
    USING (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())));

-- A venue is public with what names it, so nobody may name one they cannot see.
ALTER TABLE convene.seat_maps ENABLE ROW LEVEL SECURITY;
CREATE POLICY seat_maps_select ON convene.seat_maps FOR SELECT
    USING (event_public
           OR event_id = ANY (ARRAY(SELECT convene_private.my_attended_event_ids()))
           OR event_id = ANY (ARRAY(SELECT convene_private.my_staffed_event_ids())));
CREATE POLICY seat_maps_insert ON convene.seat_maps FOR INSERT
    WITH CHECK (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids()))
                AND (venue_id IS NULL OR venue_id = ANY (ARRAY(SELECT convene_private.my_venue_ids()))
                     OR venue_id = ANY (ARRAY(SELECT convene_private.public_venue_ids()))));
CREATE POLICY seat_maps_update ON convene.seat_maps FOR UPDATE
    USING (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())))
    WITH CHECK (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids()))
                AND (venue_id IS NULL OR venue_id = ANY (ARRAY(SELECT convene_private.my_venue_ids()))
                     OR venue_id = ANY (ARRAY(SELECT convene_private.public_venue_ids()))));
CREATE POLICY seat_maps_delete ON convene.seat_maps FOR DELETE
    USING (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())));

ALTER TABLE convene.seat_assignments ENABLE ROW LEVEL SECURITY;
CREATE POLICY seat_assignments_select ON convene.seat_assignments FOR SELECT
    USING (attendee_id = ANY (ARRAY(SELECT convene_private.my_attendee_ids()))
           OR event_id = ANY (ARRAY(SELECT convene_private.my_staffed_event_ids())));
CREATE POLICY seat_assignments_insert ON convene.seat_assignments FOR INSERT
    WITH CHECK (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())));
CREATE POLICY seat_assignments_update ON convene.seat_assignments FOR UPDATE
    USING (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())));
CREATE POLICY seat_assignments_delete ON convene.seat_assignments FOR DELETE
    USING (event_id = ANY (ARRAY(SELECT convene_private.my_managed_event_ids())));

ALTER TABLE convene.orders ENABLE ROW LEVEL SECURITY;
CREATE POLICY orders_select ON convene.orders FOR SELECT
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_organization_ids()))
           OR profile_id = ANY (ARRAY(SELECT convene_private.my_profile_id())));

ALTER TABLE convene.order_items ENABLE ROW LEVEL SECURITY;
CREATE POLICY order_items_select ON convene.order_items FOR SELECT
    USING (order_id = ANY (ARRAY(SELECT convene_private.my_order_ids()))
           OR event_id = ANY (ARRAY(SELECT convene_private.my_staffed_event_ids())));

ALTER TABLE convene.tickets ENABLE ROW LEVEL SECURITY;
CREATE POLICY tickets_select ON convene.tickets FOR SELECT
    USING (order_id = ANY (ARRAY(SELECT convene_private.my_order_ids()))
           OR attendee_id = ANY (ARRAY(SELECT convene_private.my_attendee_ids()))
           OR event_id = ANY (ARRAY(SELECT convene_private.my_staffed_event_ids())));

ALTER TABLE convene.voucher_redemptions ENABLE ROW LEVEL SECURITY;
CREATE POLICY voucher_redemptions_select ON convene.voucher_redemptions FOR SELECT
    USING (order_id = ANY (ARRAY(SELECT convene_private.my_order_ids()))
           OR event_id = ANY (ARRAY(SELECT convene_private.my_staffed_event_ids())));

ALTER TABLE convene.check_ins ENABLE ROW LEVEL SECURITY;
CREATE POLICY check_ins_select ON convene.check_ins FOR SELECT
    USING (attendee_id = ANY (ARRAY(SELECT convene_private.my_attendee_ids()))
           OR event_id = ANY (ARRAY(SELECT convene_private.my_staffed_event_ids())));

ALTER TABLE convene.waitlist_entries ENABLE ROW LEVEL SECURITY;
CREATE POLICY waitlist_entries_select ON convene.waitlist_entries FOR SELECT
    USING (profile_id = ANY (ARRAY(SELECT convene_private.my_profile_id()))
           OR attendee_id = ANY (ARRAY(SELECT convene_private.my_attendee_ids()))
           OR event_id = ANY (ARRAY(SELECT convene_private.my_staffed_event_ids())));

ALTER TABLE convene.session_registrations ENABLE ROW LEVEL SECURITY;
CREATE POLICY session_registrations_select ON convene.session_registrations FOR SELECT
    USING (attendee_id = ANY (ARRAY(SELECT convene_private.my_attendee_ids()))
           OR event_id = ANY (ARRAY(SELECT convene_private.my_staffed_event_ids())));

-- A code is worth money, so vouchers are for those who manage events and for nobody else.
ALTER TABLE convene.vouchers ENABLE ROW LEVEL SECURITY;
CREATE POLICY vouchers_select ON convene.vouchers FOR SELECT
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_managed_organization_ids())));
CREATE POLICY vouchers_insert ON convene.vouchers FOR INSERT
    WITH CHECK (organization_id = ANY (ARRAY(SELECT convene_private.my_managed_organization_ids())));
CREATE POLICY vouchers_update ON convene.vouchers FOR UPDATE
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_managed_organization_ids())));
CREATE POLICY vouchers_delete ON convene.vouchers FOR DELETE
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_managed_organization_ids())));

ALTER TABLE convene.promoters ENABLE ROW LEVEL SECURITY;
CREATE POLICY promoters_select ON convene.promoters FOR SELECT
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_permitted_organization_ids('promoters', 'read')))
           OR id = ANY (ARRAY(SELECT convene_private.my_promoter_ids()))
           OR (organization_id = ANY (ARRAY(SELECT convene_private.my_own_records_organization_ids('promoters', 'read')))
               AND assigned_to = ANY (ARRAY(SELECT convene_private.my_team_user_ids()))));
CREATE POLICY promoters_insert ON convene.promoters FOR INSERT
    WITH CHECK (organization_id = ANY (ARRAY(SELECT convene_private.my_permitted_organization_ids('promoters', 'write')))
                OR (organization_id = ANY (ARRAY(SELECT convene_private.my_own_records_organization_ids('promoters', 'write')))
                    AND assigned_to = ANY (ARRAY(SELECT convene_private.my_team_user_ids()))));
CREATE POLICY promoters_update ON convene.promoters FOR UPDATE
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_permitted_organization_ids('promoters', 'write')))
           OR (organization_id = ANY (ARRAY(SELECT convene_private.my_own_records_organization_ids('promoters', 'write')))
               AND assigned_to = ANY (ARRAY(SELECT convene_private.my_team_user_ids()))));
CREATE POLICY promoters_delete ON convene.promoters FOR DELETE
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_permitted_organization_ids('promoters', 'delete')))
           OR (organization_id = ANY (ARRAY(SELECT convene_private.my_own_records_organization_ids('promoters', 'delete')))
               AND assigned_to = ANY (ARRAY(SELECT convene_private.my_team_user_ids()))));

-- The person of a contact who is a promoter reads their commissions. So who that is, is for those who may write the promoter:
-- others who keep contacts could name themselves. Definer, as guard_attendee().
CREATE FUNCTION convene_private.guard_promoters_contact() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM convene.promoters p
                WHERE p.contact_id = NEW.id
                  AND p.organization_id <> ALL (ARRAY(SELECT convene_private.my_permitted_organization_ids('promoters', 'write')))
                  AND (p.organization_id <> ALL (ARRAY(SELECT convene_private.my_own_records_organization_ids('promoters', 'write')))
                       OR p.assigned_to IS NULL
                       OR p.assigned_to <> ALL (ARRAY(SELECT convene_private.my_team_user_ids())))) THEN
        RAISE EXCEPTION 'profile_id of contact % is not yours to change: they are a promoter', NEW.id
            USING ERRCODE = '42501', HINT = 'Ask somebody who may write promoters: that person reads the promoter''s commissions.';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.guard_promoters_contact() IS 'Who a promoter is, is said by those who may write the promoter';
CREATE TRIGGER contacts_guard_promoter BEFORE UPDATE ON convene.contacts
    FOR EACH ROW WHEN (row_security_active('convene.contacts'::regclass) AND OLD.profile_id IS DISTINCT FROM NEW.profile_id)
    EXECUTE FUNCTION convene_private.guard_promoters_contact();

ALTER TABLE convene.promoter_commissions ENABLE ROW LEVEL SECURITY;
CREATE POLICY promoter_commissions_select ON convene.promoter_commissions FOR SELECT
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_permitted_organization_ids('promoters', 'read')))
           OR promoter_id = ANY (ARRAY(SELECT convene_private.my_promoter_ids())));
