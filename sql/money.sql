-- Orders of sponsorship packages, what is owed for them and to whom. Amounts are whole minor units of a currency. API roles
-- read; every row is written by functions and by the service. Nothing here goes with a person, a sponsor or an event: keys
-- restrict, and erasing a person puts a pseudonym into the sponsor's row and leaves the amounts.

-- Arguments: the columns that stay.
CREATE FUNCTION convene_private.keep_columns() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    present jsonb := to_jsonb(NEW);
    changed text;
BEGIN
    SELECT string_agg(o.key, ', ' ORDER BY o.key) INTO changed FROM jsonb_each(to_jsonb(OLD)) o
    WHERE o.key = ANY (TG_ARGV) AND o.value <> present -> o.key;
    IF changed IS NOT NULL THEN
        RAISE EXCEPTION '% of % % cannot be changed', changed, TG_TABLE_NAME, OLD.id
            USING ERRCODE = '0A000', DETAIL = 'Amounts that are booked already follow from it.',
                  HINT = 'Cancel this row, and insert a new one.';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.keep_columns() IS 'Refuses to change columns from which money was reckoned';

CREATE FUNCTION convene_private.check_step(p_what text, p_id uuid, p_from text, p_to text, p_legal text[]) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF p_to = ANY (p_legal) THEN
        RETURN;
    END IF;
    IF p_from IS NULL THEN
        RAISE EXCEPTION 'a % begins as %, not as %', p_what, p_legal[1], p_to
            USING ERRCODE = '55000', DETAIL = 'Each state is entered from another one, so that its time is known.',
                  HINT = format('Insert it as %s and take it further from there.', p_legal[1]);
    END IF;
    RAISE EXCEPTION '% % cannot go from % to %', p_what, p_id, p_from, p_to
        USING ERRCODE = '55000', DETAIL = format('It is %s now.', p_from),
              HINT = CASE WHEN p_legal = '{}' THEN format('%s is final.', p_from)
                          ELSE format('From %s it can go to: %s.', p_from, array_to_string(p_legal, ', ')) END;
END $$;
COMMENT ON FUNCTION convene_private.check_step(text, uuid, text, text, text[]) IS 'Refuses a step from one state to another that is not among the legal ones';

CREATE TABLE convene.payout_configurations (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL DEFAULT convene_private.default_organization_id()
        REFERENCES convene.organizations ON DELETE RESTRICT,
    currency text NOT NULL DEFAULT 'USD' CHECK (currency ~ '^[A-Z]{3}$'),
    stripe_account_id text CHECK (stripe_account_id <> ''),
    account_status text NOT NULL DEFAULT 'missing'
        CHECK (account_status IN ('missing', 'pending', 'verified', 'restricted', 'disabled')),
    payouts_enabled boolean NOT NULL DEFAULT false,
    requirements_due text[] NOT NULL DEFAULT '{}',
    account_reported_at timestamptz,
    fee_percent numeric(7,4) CHECK (fee_percent BETWEEN 0 AND 100),
    fee_fixed_cents bigint CHECK (fee_fixed_cents >= 0),
    fee_min_cents bigint CHECK (fee_min_cents >= 0),
    fee_max_cents bigint CHECK (fee_max_cents >= fee_min_cents),
    fee_tiers jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(fee_tiers) = 'array'),
    minimum_payout_cents bigint NOT NULL DEFAULT 0 CHECK (minimum_payout_cents >= 0),
    release_policy text NOT NULL DEFAULT 'milestones' CHECK (release_policy IN ('milestones', 'fulfilment', 'manual')),
    on_hold boolean NOT NULL DEFAULT false,
    hold_reason text CHECK (hold_reason <> ''),
    reversals_in_a_row integer NOT NULL DEFAULT 0 CHECK (reversals_in_a_row >= 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (organization_id, currency),
    CHECK ((account_status = 'missing') = (stripe_account_id IS NULL)),
    CHECK (on_hold = (hold_reason IS NOT NULL)),
    CHECK (NOT fee_tiers @? 'strict $[*] ? (@.type() != "object")'),
    -- An amount that is no whole number, or a share above the whole, would turn up in the books first.
    CHECK (NOT fee_tiers @? '$[*] ? (!(@.from_cents.type() == "number" && @.from_cents >= 0
        && @.from_cents.floor() == @.from_cents && @.percent.type() == "number" && @.percent >= 0 && @.percent <= 100
        && (!exists(@.fixed_cents) || @.fixed_cents.type() == "number" && @.fixed_cents >= 0
            && @.fixed_cents.floor() == @.fixed_cents)))')
);
COMMENT ON TABLE convene.payout_configurations IS 'How an organization is paid in a currency, and what the platform keeps of it';
COMMENT ON COLUMN convene.payout_configurations.stripe_account_id IS 'The connected account that transfers go to';
COMMENT ON COLUMN convene.payout_configurations.account_status IS 'What Stripe said last; only verified is paid';
COMMENT ON COLUMN convene.payout_configurations.requirements_due IS 'What Stripe still wants to know of the organization';
COMMENT ON COLUMN convene.payout_configurations.account_reported_at IS 'Stripe''s time of the report that the account''s state is from; an older one changes nothing';
COMMENT ON COLUMN convene.payout_configurations.fee_percent IS 'Of the amount; null: the platform''s default, as with the other fees';
COMMENT ON COLUMN convene.payout_configurations.fee_tiers IS 'Fees by what was sold before: [{"from_cents": 1000000, "percent": 3, "fixed_cents": 30}]; below the first tier the columns hold';
COMMENT ON COLUMN convene.payout_configurations.minimum_payout_cents IS 'Smaller payouts wait';
COMMENT ON COLUMN convene.payout_configurations.release_policy IS 'milestones: each completed deliverable releases its share; fulfilment: all at the end; manual: on demand';
COMMENT ON COLUMN convene.payout_configurations.hold_reason IS 'Why nothing is paid out for now';
COMMENT ON COLUMN convene.payout_configurations.reversals_in_a_row IS 'Transfers that came back since the last one that stayed; an account with a negative balance would go on like that';
CREATE INDEX idx_payout_configurations_account ON convene.payout_configurations (stripe_account_id);
CREATE TRIGGER payout_configurations_keep BEFORE UPDATE ON convene.payout_configurations
    FOR EACH ROW EXECUTE FUNCTION convene_private.keep_columns('organization_id', 'currency');
CREATE TRIGGER payout_configurations_touch BEFORE UPDATE ON convene.payout_configurations
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

CREATE TABLE convene.sponsorship_orders (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    package_id uuid NOT NULL,
    sponsor_id uuid NOT NULL REFERENCES convene.sponsors ON DELETE RESTRICT,
    event_id uuid NOT NULL,
    organization_id uuid NOT NULL,
    ordered_by uuid REFERENCES convene.profiles ON DELETE SET NULL,
    amount_cents bigint NOT NULL CHECK (amount_cents >= 0),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    application_fee_cents bigint NOT NULL DEFAULT 0 CHECK (application_fee_cents BETWEEN 0 AND amount_cents),
    net_amount_cents bigint GENERATED ALWAYS AS (amount_cents - application_fee_cents) STORED,
    refunded_cents bigint NOT NULL DEFAULT 0 CHECK (refunded_cents BETWEEN 0 AND amount_cents),
    payout_cents bigint NOT NULL DEFAULT 0 CHECK (payout_cents BETWEEN 0 AND net_amount_cents),
    status text NOT NULL DEFAULT 'pending'
        CHECK (status IN ('pending', 'paid', 'fulfilled', 'payout_queued', 'paid_out', 'cancelled', 'refunded', 'disputed')),
    status_reason text,
    cancel_reason text CHECK (cancel_reason IN ('expired', 'payment_canceled', 'sponsor', 'organizer', 'other')),
    disputed_from text,
    idempotency_key text NOT NULL DEFAULT gen_random_uuid()::text CHECK (idempotency_key <> ''),
    transfer_group text GENERATED ALWAYS AS ('sponsorship_' || id::text) STORED,
    stripe_payment_intent_id text UNIQUE CHECK (stripe_payment_intent_id <> ''),
    stripe_charge_id text UNIQUE CHECK (stripe_charge_id <> ''),
    payment_error text,
    reserved_until timestamptz,
    paid_at timestamptz,
    fulfilled_at timestamptz,
    payout_queued_at timestamptz,
    paid_out_at timestamptz,
    cancelled_at timestamptz,
    refunded_at timestamptz,
    disputed_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (sponsor_id, idempotency_key),
    UNIQUE (id, event_id),
    UNIQUE (id, currency),
    CHECK ((status = 'disputed') = (disputed_from IS NOT NULL)),
    CHECK ((status = 'cancelled') = (cancel_reason IS NOT NULL)),
    FOREIGN KEY (package_id, event_id) REFERENCES convene.sponsorship_packages (id, event_id) ON DELETE RESTRICT,
    -- Whose money it is does not change with the event's owner: the event stays where it was sold.
    FOREIGN KEY (event_id, organization_id) REFERENCES convene.events (id, organization_id) ON DELETE RESTRICT
) WITH (fillfactor = 85);
COMMENT ON TABLE convene.sponsorship_orders IS 'Packages ordered by sponsors. The sponsor and the staff of the event see order and state; fee, payouts and Stripe''s ids are for functions';
COMMENT ON COLUMN convene.sponsorship_orders.event_id IS 'Filled in from the package, as are amount_cents and currency where they are left out';
COMMENT ON COLUMN convene.sponsorship_orders.organization_id IS 'Whom the net amount belongs to; filled in from the event';
COMMENT ON COLUMN convene.sponsorship_orders.ordered_by IS 'Null: the service, or a person who is gone';
COMMENT ON COLUMN convene.sponsorship_orders.application_fee_cents IS 'What the platform keeps';
COMMENT ON COLUMN convene.sponsorship_orders.net_amount_cents IS 'What the organization gets: the amount without the fee, to the cent';
COMMENT ON COLUMN convene.sponsorship_orders.refunded_cents IS 'Given back to the sponsor so far';
COMMENT ON COLUMN convene.sponsorship_orders.payout_cents IS 'Promised to the organization so far: payouts that are neither cancelled nor reversed; kept by a trigger';
COMMENT ON COLUMN convene.sponsorship_orders.status IS 'pending -> paid -> fulfilled -> payout_queued -> paid_out. A package is taken by an order that is neither cancelled nor refunded';
COMMENT ON COLUMN convene.sponsorship_orders.status_reason IS 'Why it is in this state, for people';
COMMENT ON COLUMN convene.sponsorship_orders.cancel_reason IS 'expired: not paid in time, so a payment that was on its way still counts if a package is left';
COMMENT ON COLUMN convene.sponsorship_orders.disputed_from IS 'The state that a dispute interrupted, and that a dispute won leads back to; set by a trigger';
COMMENT ON COLUMN convene.sponsorship_orders.idempotency_key IS 'Ordering again with the same key is the same order';
COMMENT ON COLUMN convene.sponsorship_orders.transfer_group IS 'Ties charge and transfers together at Stripe';
COMMENT ON COLUMN convene.sponsorship_orders.payment_error IS 'What the last attempt to pay failed of';
COMMENT ON COLUMN convene.sponsorship_orders.reserved_until IS 'A pending order gives its package back then; null: it waits';
CREATE INDEX idx_sponsorship_orders_event ON convene.sponsorship_orders (event_id, status);
CREATE INDEX idx_sponsorship_orders_package ON convene.sponsorship_orders (package_id);
CREATE INDEX idx_sponsorship_orders_ordered_by ON convene.sponsorship_orders (ordered_by);
CREATE INDEX idx_sponsorship_orders_reserved_until ON convene.sponsorship_orders (reserved_until) WHERE status = 'pending';
CREATE TRIGGER sponsorship_orders_keep BEFORE UPDATE ON convene.sponsorship_orders
    FOR EACH ROW EXECUTE FUNCTION convene_private.keep_columns(
        'package_id', 'sponsor_id', 'event_id', 'organization_id', 'amount_cents', 'currency', 'application_fee_cents',
        'idempotency_key');
CREATE TRIGGER sponsorship_orders_touch BEFORE UPDATE ON convene.sponsorship_orders
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

CREATE TABLE convene.sponsorship_deliverables (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    order_id uuid NOT NULL,
    event_id uuid NOT NULL,
    title text NOT NULL CHECK (title <> ''),
    description text,
    milestone text CHECK (milestone <> ''),
    position integer NOT NULL DEFAULT 0,
    share_percent numeric(7,4) NOT NULL DEFAULT 0 CHECK (share_percent BETWEEN 0 AND 100),
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'in_progress', 'submitted', 'completed', 'cancelled')),
    due_at timestamptz,
    completed_at timestamptz,
    completed_by uuid REFERENCES convene.profiles ON DELETE SET NULL,
    evidence_urls text[] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (id, order_id),
    CHECK ((status = 'completed') = (completed_at IS NOT NULL)),
    FOREIGN KEY (order_id, event_id) REFERENCES convene.sponsorship_orders (id, event_id) ON DELETE CASCADE
);
COMMENT ON TABLE convene.sponsorship_deliverables IS 'What the organization owes a sponsor for an order, and the share of the money that each completed part releases';
COMMENT ON COLUMN convene.sponsorship_deliverables.event_id IS 'Filled in from the order';
COMMENT ON COLUMN convene.sponsorship_deliverables.milestone IS 'What people call the step that this belongs to';
COMMENT ON COLUMN convene.sponsorship_deliverables.position IS 'Place in the list of its order';
COMMENT ON COLUMN convene.sponsorship_deliverables.share_percent IS 'Of the order''s net amount; those of one order are never above 100 together';
COMMENT ON COLUMN convene.sponsorship_deliverables.completed_at IS 'Set with the state; null in every other one';
COMMENT ON COLUMN convene.sponsorship_deliverables.evidence_urls IS 'Where it can be seen that it was done';
CREATE INDEX idx_sponsorship_deliverables_order ON convene.sponsorship_deliverables (order_id, position);
CREATE INDEX idx_sponsorship_deliverables_event ON convene.sponsorship_deliverables (event_id, status);
CREATE INDEX idx_sponsorship_deliverables_completed_by ON convene.sponsorship_deliverables (completed_by);
CREATE TRIGGER sponsorship_deliverables_keep BEFORE UPDATE ON convene.sponsorship_deliverables
    FOR EACH ROW EXECUTE FUNCTION convene_private.keep_columns('order_id', 'event_id');
CREATE TRIGGER sponsorship_deliverables_touch BEFORE UPDATE ON convene.sponsorship_deliverables
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

CREATE TABLE convene.sponsorship_payouts (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    order_id uuid NOT NULL,
    event_id uuid NOT NULL,
    organization_id uuid NOT NULL,
    deliverable_id uuid,
    amount_cents bigint NOT NULL CHECK (amount_cents > 0),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    status text NOT NULL DEFAULT 'pending'
        CHECK (status IN ('pending', 'processing', 'transferred', 'paid', 'failed', 'reversed', 'cancelled')),
    status_reason text,
    destination_account text CHECK (destination_account <> ''),
    stripe_transfer_id text UNIQUE CHECK (stripe_transfer_id <> ''),
    stripe_payout_id text CHECK (stripe_payout_id <> ''),
    reversed_cents bigint NOT NULL DEFAULT 0 CHECK (reversed_cents BETWEEN 0 AND amount_cents),
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    transferred_at timestamptz,
    paid_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (id, order_id),
    CHECK (status NOT IN ('transferred', 'paid', 'reversed') OR stripe_transfer_id IS NOT NULL),
    FOREIGN KEY (order_id, event_id) REFERENCES convene.sponsorship_orders (id, event_id) ON DELETE RESTRICT,
    FOREIGN KEY (order_id, currency) REFERENCES convene.sponsorship_orders (id, currency) ON DELETE RESTRICT,
    FOREIGN KEY (event_id, organization_id) REFERENCES convene.events (id, organization_id) ON DELETE RESTRICT,
    FOREIGN KEY (deliverable_id, order_id) REFERENCES convene.sponsorship_deliverables (id, order_id) ON DELETE RESTRICT
) WITH (fillfactor = 85);
COMMENT ON TABLE convene.sponsorship_payouts IS 'Transfers of orders'' net amounts to the organization that holds the event';
COMMENT ON COLUMN convene.sponsorship_payouts.event_id IS 'Filled in from the order, as are organization_id and currency';
COMMENT ON COLUMN convene.sponsorship_payouts.deliverable_id IS 'The completed deliverable that released it; null: asked for';
COMMENT ON COLUMN convene.sponsorship_payouts.amount_cents IS 'What is transferred; the platform''s fee is off already';
COMMENT ON COLUMN convene.sponsorship_payouts.status IS 'processing: a worker has the instruction; transferred: on the connected account; paid: at the bank; failed: parked, and may be tried again';
COMMENT ON COLUMN convene.sponsorship_payouts.status_reason IS 'Why it is in this state, also why a pending one waits';
COMMENT ON COLUMN convene.sponsorship_payouts.destination_account IS 'The connected account at the time of the instruction';
COMMENT ON COLUMN convene.sponsorship_payouts.stripe_payout_id IS 'Stripe''s payout to the bank, which may hold several transfers';
COMMENT ON COLUMN convene.sponsorship_payouts.reversed_cents IS 'Taken back from the connected account so far';
CREATE INDEX idx_sponsorship_payouts_order ON convene.sponsorship_payouts (order_id);
CREATE INDEX idx_sponsorship_payouts_event ON convene.sponsorship_payouts (event_id, status);
CREATE INDEX idx_sponsorship_payouts_deliverable ON convene.sponsorship_payouts (deliverable_id);
CREATE UNIQUE INDEX idx_sponsorship_payouts_released ON convene.sponsorship_payouts (deliverable_id)
    WHERE status NOT IN ('cancelled', 'reversed');
CREATE INDEX idx_sponsorship_payouts_stripe_payout ON convene.sponsorship_payouts (stripe_payout_id);
CREATE TRIGGER sponsorship_payouts_keep BEFORE UPDATE ON convene.sponsorship_payouts
    FOR EACH ROW EXECUTE FUNCTION convene_private.keep_columns(
        'order_id', 'event_id', 'organization_id', 'deliverable_id', 'amount_cents', 'currency');
CREATE TRIGGER sponsorship_payouts_touch BEFORE UPDATE ON convene.sponsorship_payouts
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

CREATE TABLE convene.payout_queue (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    payout_id uuid NOT NULL,
    order_id uuid NOT NULL,
    event_id uuid NOT NULL,
    priority integer NOT NULL DEFAULT 0,
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'leased', 'done', 'failed', 'cancelled')),
    waits_for text CHECK (waits_for IN ('account', 'verification', 'minimum', 'hold', 'balance', 'dispute')),
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
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
    CHECK (status <> 'leased' OR (lease_token IS NOT NULL AND lease_until IS NOT NULL))
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500,
        autovacuum_analyze_scale_factor = 0.05);
COMMENT ON TABLE convene.payout_queue IS 'Payouts that wait to be handed out; a payout may have several pending rows, a claim takes them as one';
COMMENT ON COLUMN convene.payout_queue.priority IS 'Higher goes first';
COMMENT ON COLUMN convene.payout_queue.status IS 'failed: parked after queue.max_attempts, see last_error';
COMMENT ON COLUMN convene.payout_queue.waits_for IS 'What keeps a pending payout back, which is no failure of its own; null: its turn';
COMMENT ON COLUMN convene.payout_queue.available_at IS 'Not claimed before; moved on by a failure';
COMMENT ON COLUMN convene.payout_queue.claimed_by IS 'The login of the worker that has the lease, or had it last';
COMMENT ON COLUMN convene.payout_queue.lease_token IS 'Fencing token: only the holder of the present lease may finish the job';
CREATE INDEX idx_payout_queue_target ON convene.payout_queue (payout_id, status);
CREATE INDEX idx_payout_queue_order ON convene.payout_queue (order_id);
CREATE INDEX idx_payout_queue_claim ON convene.payout_queue (priority DESC, available_at, id)
    WHERE status IN ('pending', 'leased') AND attempts >= 0;
CREATE INDEX idx_payout_queue_finished ON convene.payout_queue (processed_at) WHERE status IN ('done', 'failed', 'cancelled');
CREATE TRIGGER payout_queue_touch BEFORE UPDATE ON convene.payout_queue
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

CREATE TABLE convene.stripe_events (
    stripe_event_id text PRIMARY KEY CHECK (stripe_event_id <> ''),
    type text NOT NULL CHECK (type <> ''),
    object_kind text,
    object_id text,
    account text,
    livemode boolean NOT NULL DEFAULT false,
    stripe_created_at timestamptz,
    payload jsonb NOT NULL CHECK (jsonb_typeof(payload) = 'object'),
    status text NOT NULL DEFAULT 'received' CHECK (status IN ('received', 'processed', 'ignored', 'waiting', 'failed')),
    order_id uuid,
    payout_id uuid,
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    received_at timestamptz NOT NULL DEFAULT now(),
    processed_at timestamptz,
    last_error text,
    updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE convene.stripe_events IS 'Every webhook event seen. A row that is deleted could count a second time, so nobody may';
COMMENT ON COLUMN convene.stripe_events.object_id IS 'The id of the object that it is about: a payment intent, a charge, a transfer ...';
COMMENT ON COLUMN convene.stripe_events.account IS 'The connected account that it came from; null: the platform''s own';
COMMENT ON COLUMN convene.stripe_events.livemode IS 'False: a test of Stripe''s';
COMMENT ON COLUMN convene.stripe_events.stripe_created_at IS 'Stripe''s time; they do not come in its order';
COMMENT ON COLUMN convene.stripe_events.status IS 'ignored: of a type that changes nothing here; waiting: its object is not known yet; failed: could not be applied, see last_error';
COMMENT ON COLUMN convene.stripe_events.order_id IS 'What it was found to be about, as payout_id. No foreign keys: an event is kept as it came';
CREATE INDEX idx_stripe_events_object ON convene.stripe_events (object_id);
CREATE INDEX idx_stripe_events_order ON convene.stripe_events (order_id);
CREATE INDEX idx_stripe_events_payout ON convene.stripe_events (payout_id);
CREATE INDEX idx_stripe_events_open ON convene.stripe_events (received_at) WHERE status IN ('received', 'waiting', 'failed');
CREATE TRIGGER stripe_events_touch BEFORE UPDATE ON convene.stripe_events
    FOR EACH ROW EXECUTE FUNCTION convene_private.touch_updated_at();

CREATE TABLE convene.ledger (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    transaction_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('payment', 'refund', 'dispute', 'dispute_won', 'dispute_lost', 'transfer', 'reversal',
                                       'processing_fee', 'adjustment')),
    account text NOT NULL CHECK (account IN ('cash', 'organizer_payable', 'organizer_receivable', 'platform_fees',
                                             'disputes_held', 'processing_fees', 'adjustments')),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    amount_cents bigint NOT NULL CHECK (amount_cents <> 0),
    order_id uuid,
    payout_id uuid,
    stripe_event_id text,
    description text,
    at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    CHECK (payout_id IS NULL OR order_id IS NOT NULL),
    FOREIGN KEY (order_id, currency) REFERENCES convene.sponsorship_orders (id, currency) ON DELETE RESTRICT,
    FOREIGN KEY (payout_id, order_id) REFERENCES convene.sponsorship_payouts (id, order_id) ON DELETE RESTRICT
);
COMMENT ON TABLE convene.ledger IS 'The books, by double entry: the rows of a transaction sum to zero in each currency. Rows are added and never changed';
COMMENT ON COLUMN convene.ledger.transaction_id IS 'One movement of money; its rows are written together';
COMMENT ON COLUMN convene.ledger.account IS 'cash: at Stripe; organizer_payable and organizer_receivable: owed to and by the organization; disputes_held: taken by Stripe until a dispute is decided';
COMMENT ON COLUMN convene.ledger.amount_cents IS 'Debits above zero, credits below: a payment is cash +, organizer_payable - and platform_fees -';
COMMENT ON COLUMN convene.ledger.stripe_event_id IS 'The event that reported it, in stripe_events';
COMMENT ON COLUMN convene.ledger.description IS 'Never a name or an address: nobody can take it out again';
COMMENT ON COLUMN convene.ledger.at IS 'When it happened; created_at is when it was written down';
CREATE INDEX idx_ledger_transaction ON convene.ledger (transaction_id, currency);
CREATE INDEX idx_ledger_order ON convene.ledger (order_id, account);
CREATE INDEX idx_ledger_payout ON convene.ledger (payout_id, account);
CREATE INDEX idx_ledger_at ON convene.ledger (at);
CREATE TRIGGER ledger_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON convene.ledger
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.refuse_rewrite();

-- What the caller may see.

CREATE FUNCTION convene_private.my_sponsorship_order_ids() RETURNS SETOF uuid
    LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT o.id FROM convene.sponsorship_orders o
    WHERE o.sponsor_id = ANY (ARRAY(SELECT convene_private.my_sponsor_ids()));
END $$;
COMMENT ON FUNCTION convene_private.my_sponsorship_order_ids() IS 'Orders of the sponsors that the caller signs in for';

CREATE FUNCTION convene_private.my_paid_event_ids() RETURNS SETOF uuid
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT e.id FROM convene.events e
    WHERE e.organization_id = ANY (ARRAY(SELECT convene_private.my_permitted_organization_ids('payouts', 'read')));
END $$;
COMMENT ON FUNCTION convene_private.my_paid_event_ids() IS 'Events whose payouts the caller may see';

ALTER TABLE convene.payout_configurations ENABLE ROW LEVEL SECURITY;
CREATE POLICY payout_configurations_select ON convene.payout_configurations FOR SELECT
    USING (organization_id = ANY (ARRAY(SELECT convene_private.my_permitted_organization_ids('payouts', 'read'))));
ALTER TABLE convene.sponsorship_orders ENABLE ROW LEVEL SECURITY;
CREATE POLICY sponsorship_orders_select ON convene.sponsorship_orders FOR SELECT
    USING (sponsor_id = ANY (ARRAY(SELECT convene_private.my_sponsor_ids()))
           OR event_id = ANY (ARRAY(SELECT convene_private.my_staffed_event_ids())));
ALTER TABLE convene.sponsorship_deliverables ENABLE ROW LEVEL SECURITY;
CREATE POLICY sponsorship_deliverables_select ON convene.sponsorship_deliverables FOR SELECT
    USING (order_id = ANY (ARRAY(SELECT convene_private.my_sponsorship_order_ids()))
           OR event_id = ANY (ARRAY(SELECT convene_private.my_staffed_event_ids())));
ALTER TABLE convene.sponsorship_payouts ENABLE ROW LEVEL SECURITY;
CREATE POLICY sponsorship_payouts_select ON convene.sponsorship_payouts FOR SELECT
    USING (event_id = ANY (ARRAY(SELECT convene_private.my_paid_event_ids())));
ALTER TABLE convene.payout_queue ENABLE ROW LEVEL SECURITY;
CREATE POLICY service_only ON convene.payout_queue USING (false);
ALTER TABLE convene.stripe_events ENABLE ROW LEVEL SECURITY;
CREATE POLICY service_only ON convene.stripe_events USING (false);
ALTER TABLE convene.ledger ENABLE ROW LEVEL SECURITY;
CREATE POLICY service_only ON convene.ledger USING (false);

-- Orders. Definer, these and those of payouts: what they read and count is nobody's to be kept from them.

CREATE FUNCTION convene_private.place_order() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    package record;
BEGIN
    PERFORM convene_private.check_step('sponsorship order', NEW.id, NULL, NEW.status, '{pending}');
    SELECT p.event_id, p.price_cents, p.currency, e.organization_id INTO package
    FROM convene.sponsorship_packages p JOIN convene.events e ON e.id = p.event_id WHERE p.id = NEW.package_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no sponsorship package %', NEW.package_id
            USING ERRCODE = '23503', HINT = 'Name a package in package_id.';
    END IF;
    IF NEW.currency <> package.currency THEN
        RAISE EXCEPTION 'package % is sold in %, not in %', NEW.package_id, package.currency, NEW.currency
            USING ERRCODE = '22023', DETAIL = 'An order has the currency of its package.',
                  HINT = 'Leave currency out, it is filled in.';
    END IF;
    NEW.event_id := coalesce(NEW.event_id, package.event_id);
    NEW.organization_id := coalesce(NEW.organization_id, package.organization_id);
    NEW.amount_cents := coalesce(NEW.amount_cents, package.price_cents);
    NEW.currency := package.currency;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.place_order() IS 'Completes a new order from its package';
CREATE TRIGGER sponsorship_orders_place BEFORE INSERT ON convene.sponsorship_orders
    FOR EACH ROW EXECUTE FUNCTION convene_private.place_order();

CREATE FUNCTION convene_private.move_order() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM convene_private.check_step('sponsorship order', NEW.id, OLD.status, NEW.status, CASE OLD.status
        WHEN 'pending' THEN '{paid,cancelled}'
        WHEN 'paid' THEN '{fulfilled,refunded,disputed}'
        WHEN 'fulfilled' THEN '{payout_queued,refunded,disputed}'
        -- Back, when a payout is given up or comes back.
        WHEN 'payout_queued' THEN '{paid_out,fulfilled,refunded,disputed}'
        WHEN 'paid_out' THEN '{fulfilled,refunded,disputed}'
        -- A payment can come in when its order is gone.
        WHEN 'cancelled' THEN CASE OLD.cancel_reason WHEN 'expired' THEN '{paid,refunded}' ELSE '{refunded}' END::text[]
        WHEN 'disputed' THEN ARRAY[OLD.disputed_from, 'refunded']
        ELSE '{}' END::text[]);
    NEW.disputed_from := CASE WHEN NEW.status = 'disputed' THEN OLD.status END;
    NEW.cancel_reason := CASE WHEN NEW.status = 'cancelled' THEN coalesce(NEW.cancel_reason, 'other') END;
    CASE NEW.status
        WHEN 'paid' THEN NEW.paid_at := coalesce(NEW.paid_at, now());
        WHEN 'fulfilled' THEN NEW.fulfilled_at := coalesce(NEW.fulfilled_at, now());
        WHEN 'payout_queued' THEN NEW.payout_queued_at := coalesce(NEW.payout_queued_at, now());
        WHEN 'paid_out' THEN NEW.paid_out_at := coalesce(NEW.paid_out_at, now());
        WHEN 'cancelled' THEN NEW.cancelled_at := coalesce(NEW.cancelled_at, now());
        WHEN 'refunded' THEN NEW.refunded_at := coalesce(NEW.refunded_at, now());
        WHEN 'disputed' THEN NEW.disputed_at := coalesce(NEW.disputed_at, now());
    END CASE;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.move_order() IS 'Lets an order go from state to state as the states allow, and notes when';
CREATE TRIGGER sponsorship_orders_move BEFORE UPDATE ON convene.sponsorship_orders
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION convene_private.move_order();

-- AFTER, so that an INSERT that meets a conflict takes nothing.
CREATE FUNCTION convene_private.count_sold() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    had boolean := TG_OP <> 'INSERT' AND OLD.status NOT IN ('cancelled', 'refunded');
    has boolean := TG_OP <> 'DELETE' AND NEW.status NOT IN ('cancelled', 'refunded');
BEGIN
    IF has AND NOT had THEN
        UPDATE convene.sponsorship_packages p SET sold = p.sold + 1
        WHERE p.id = NEW.package_id AND p.sold < p.total_available;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'package % is sold out', NEW.package_id
                USING ERRCODE = '55000', DETAIL = 'Every order that is neither cancelled nor refunded has one.',
                      HINT = 'Choose another package, or wait until an unpaid order gives its own back.';
        END IF;
    ELSIF had AND NOT has THEN
        UPDATE convene.sponsorship_packages p SET sold = p.sold - 1 WHERE p.id = OLD.package_id AND p.sold > 0;
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION convene_private.count_sold() IS 'Takes a package for an order and gives it back with it; never one more than there are';
CREATE TRIGGER sponsorship_orders_sold AFTER INSERT OR UPDATE OR DELETE ON convene.sponsorship_orders
    FOR EACH ROW EXECUTE FUNCTION convene_private.count_sold();

-- Deliverables.

CREATE FUNCTION convene_private.place_deliverable() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' AND NEW.event_id IS NULL THEN
        SELECT o.event_id INTO NEW.event_id FROM convene.sponsorship_orders o WHERE o.id = NEW.order_id;
    END IF;
    IF TG_OP = 'UPDATE' AND OLD.status = 'completed' AND NEW.status <> 'completed'
       AND EXISTS (SELECT FROM convene.sponsorship_payouts p
                   WHERE p.deliverable_id = NEW.id AND p.status NOT IN ('cancelled', 'reversed')) THEN
        RAISE EXCEPTION 'deliverable % has released its share and stays completed', NEW.id
            USING ERRCODE = '55000', HINT = 'Cancel the payout first.';
    END IF;
    NEW.completed_at := CASE WHEN NEW.status = 'completed' THEN coalesce(NEW.completed_at, now()) END;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.place_deliverable() IS 'Completes a deliverable; one that was paid for stays completed';
CREATE TRIGGER sponsorship_deliverables_place BEFORE INSERT OR UPDATE ON convene.sponsorship_deliverables
    FOR EACH ROW EXECUTE FUNCTION convene_private.place_deliverable();

-- Locks the order, so that two who add shares at a time see each other's.
CREATE FUNCTION convene_private.check_shares() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    total numeric;
BEGIN
    PERFORM FROM convene.sponsorship_orders o WHERE o.id = NEW.order_id FOR NO KEY UPDATE;
    SELECT sum(d.share_percent) INTO total FROM convene.sponsorship_deliverables d
    WHERE d.order_id = NEW.order_id AND d.status <> 'cancelled';
    IF total > 100 THEN
        RAISE EXCEPTION 'the shares of order % come to % per cent', NEW.order_id, total
            USING ERRCODE = '22023', DETAIL = 'Deliverables of one order share its net amount.',
                  HINT = 'Lower share_percent of another one first.';
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION convene_private.check_shares() IS 'Keeps the shares of an order within the whole';
CREATE TRIGGER sponsorship_deliverables_shares AFTER INSERT OR UPDATE OF share_percent, status ON convene.sponsorship_deliverables
    FOR EACH ROW EXECUTE FUNCTION convene_private.check_shares();

-- Payouts. The order is locked before it is looked at: a dispute that comes in at the same time is seen, or waits.

CREATE FUNCTION convene_private.check_payable(p_order_id uuid) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    state text;
BEGIN
    SELECT o.status INTO state FROM convene.sponsorship_orders o WHERE o.id = p_order_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no sponsorship order %', p_order_id
            USING ERRCODE = '23503', HINT = 'Name an order in order_id.';
    END IF;
    IF state NOT IN ('paid', 'fulfilled', 'payout_queued') THEN
        RAISE EXCEPTION 'order % is %, so nothing of it is paid out', p_order_id, state
            USING ERRCODE = '55000', HINT = 'An order is paid out while it is paid, fulfilled or payout_queued.';
    END IF;
END $$;
COMMENT ON FUNCTION convene_private.check_payable(uuid) IS 'Locks an order and refuses one whose money is not, or no longer, there to be paid out';

CREATE FUNCTION convene_private.place_payout() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    source record;
BEGIN
    PERFORM convene_private.check_step('sponsorship payout', NEW.id, NULL, NEW.status, '{pending}');
    PERFORM convene_private.check_payable(NEW.order_id);
    SELECT o.event_id, o.organization_id, o.currency,
           least(o.net_amount_cents, o.amount_cents - o.refunded_cents) - o.payout_cents AS rest INTO source
    FROM convene.sponsorship_orders o WHERE o.id = NEW.order_id;
    IF NEW.amount_cents > source.rest THEN
        RAISE EXCEPTION '% cannot be paid out, % of order % is left', NEW.amount_cents, source.rest, NEW.order_id
            USING ERRCODE = '22023', DETAIL = 'Payouts come to the net amount at most, and to what was not refunded.',
                  HINT = 'Ask for what is left.';
    END IF;
    IF NEW.deliverable_id IS NOT NULL THEN
        PERFORM FROM convene.sponsorship_deliverables d
        WHERE d.id = NEW.deliverable_id AND d.order_id = NEW.order_id AND d.status = 'completed' FOR SHARE;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'deliverable % of order % is not completed', NEW.deliverable_id, NEW.order_id
                USING ERRCODE = '55000', HINT = 'Complete it first, or leave deliverable_id out.';
        END IF;
    END IF;
    NEW.event_id := coalesce(NEW.event_id, source.event_id);
    NEW.organization_id := coalesce(NEW.organization_id, source.organization_id);
    NEW.currency := coalesce(NEW.currency, source.currency);
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.place_payout() IS 'Completes a new payout from its order, of which enough must be left';
CREATE TRIGGER sponsorship_payouts_place BEFORE INSERT ON convene.sponsorship_payouts
    FOR EACH ROW EXECUTE FUNCTION convene_private.place_payout();

CREATE FUNCTION convene_private.move_payout() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM convene_private.check_step('sponsorship payout', NEW.id, OLD.status, NEW.status, CASE OLD.status
        -- transferred from anywhere: what Stripe reports has happened, whatever the worker made of its answer.
        WHEN 'pending' THEN '{processing,transferred,failed,cancelled}'
        WHEN 'processing' THEN '{transferred,pending,failed}'
        WHEN 'failed' THEN '{pending,transferred,cancelled}'
        WHEN 'transferred' THEN '{paid,reversed}'
        -- A bank can send the money back days later.
        WHEN 'paid' THEN '{transferred,reversed}'
        ELSE '{}' END::text[]);
    IF NEW.status = 'processing' THEN
        PERFORM convene_private.check_payable(NEW.order_id);
    END IF;
    IF NEW.status = 'transferred' THEN
        NEW.transferred_at := coalesce(NEW.transferred_at, now());
    END IF;
    NEW.paid_at := CASE WHEN NEW.status = 'paid' THEN coalesce(NEW.paid_at, now()) END;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION convene_private.move_payout() IS 'Lets a payout go from state to state as the states allow, and notes when';
CREATE TRIGGER sponsorship_payouts_move BEFORE UPDATE ON convene.sponsorship_payouts
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION convene_private.move_payout();

CREATE FUNCTION convene_private.count_payout() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    before bigint := CASE WHEN TG_OP <> 'INSERT' AND OLD.status NOT IN ('cancelled', 'reversed') THEN OLD.amount_cents ELSE 0 END;
    after bigint := CASE WHEN TG_OP <> 'DELETE' AND NEW.status NOT IN ('cancelled', 'reversed') THEN NEW.amount_cents ELSE 0 END;
BEGIN
    IF before <> after THEN
        UPDATE convene.sponsorship_orders o SET payout_cents = o.payout_cents + after - before
        WHERE o.id = coalesce(NEW.order_id, OLD.order_id);
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION convene_private.count_payout() IS 'Keeps payout_cents of the order';
CREATE TRIGGER sponsorship_payouts_count AFTER INSERT OR UPDATE OR DELETE ON convene.sponsorship_payouts
    FOR EACH ROW EXECUTE FUNCTION convene_private.count_payout();

-- The ledger. Not deferred to the commit, which the server refuses to functions that work as the owner of the data: one
-- statement inserts all rows of a transaction.
CREATE FUNCTION convene_private.check_balance() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wrong record;
BEGIN
    SELECT l.transaction_id, l.currency, sum(l.amount_cents) AS total INTO wrong FROM convene.ledger l
    WHERE l.transaction_id = ANY (ARRAY(SELECT DISTINCT n.transaction_id FROM new_rows n))
    GROUP BY l.transaction_id, l.currency HAVING sum(l.amount_cents) <> 0
    ORDER BY l.transaction_id, l.currency LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'ledger transaction % is out of balance by % %', wrong.transaction_id, wrong.total, wrong.currency
            USING ERRCODE = '23514', DETAIL = 'What one account gives another one takes, in the same currency.',
                  HINT = 'Insert all rows of a transaction in one statement.';
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION convene_private.check_balance() IS 'Refuses entries after which a ledger transaction does not sum to zero';
CREATE TRIGGER ledger_balance AFTER INSERT ON convene.ledger REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION convene_private.check_balance();
