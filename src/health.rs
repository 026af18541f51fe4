//! What an operator looks at first: one row for each part that can be out of order, with the
//! statement that helps.

use pgrx::prelude::*;

use crate::db;
use crate::error::{OrRaise, Outcome};
use crate::install::VERSION;
use crate::moments::in_utc;
use crate::owner::{require_service, with_owner};

/// One part and how it is.
struct Finding {
    component: String,
    status: String,
    message: String,
    help: Option<String>,
}

/// The three versions that meet here. `$1`: the library's.
const VERSIONS: &str = "
    SELECT 'versions',
           CASE WHEN e.extversion = $1 AND v.version = $1 THEN 'ok' ELSE 'error' END,
           pg_catalog.format('library %s, extension %s, data %s', $1,
                             coalesce(e.extversion, 'missing'), v.version),
           CASE WHEN e.extversion IS DISTINCT FROM $1
                THEN 'ALTER EXTENSION convene UPDATE; SELECT convene.migrate();'
                WHEN v.version <> $1 THEN 'SELECT convene.migrate();' END
      FROM (SELECT version FROM convene.schema_version
             ORDER BY applied_at DESC, version DESC LIMIT 1) v
      LEFT JOIN pg_catalog.pg_extension e ON e.extname = 'convene'";

/// A restored copy keeps its queues shut until somebody says that it is the original now.
const HOME: &str = "
    SELECT 'home', CASE WHEN value = $1 THEN 'ok' ELSE 'warning' END,
           CASE WHEN value = $1 THEN 'this database sends'
                ELSE 'this database is a copy and hands out no work' END,
           CASE WHEN value <> $1 THEN 'SELECT convene.adopt_copy();' END
      FROM convene.settings WHERE key = 'home'";

/// Work that waits longer than the setting says, and work that was given up.
const QUEUES: &str = "
    WITH limits AS (
      SELECT coalesce((SELECT least(greatest(s.value::numeric, 0), 1e6) FROM convene.settings s
                        WHERE s.key = 'health.queue_lag_minutes'
                          AND pg_catalog.jsonb_typeof(s.value) = 'number'), 15) AS lag),
    kept (queue, status, due, lease_until) AS (
      SELECT 'embedding_queue', status, available_at, lease_until FROM convene.embedding_queue
       WHERE status IN ('pending', 'leased', 'failed')
      UNION ALL SELECT 'fit_recalc_queue', status, available_at, lease_until
                  FROM convene.fit_recalc_queue WHERE status IN ('pending', 'leased', 'failed')
      UNION ALL SELECT 'payout_queue', status, available_at, lease_until
                  FROM convene.payout_queue WHERE status IN ('pending', 'leased', 'failed')
      UNION ALL SELECT 'crm_sync_queue', status, available_at, lease_until
                  FROM convene.crm_sync_queue WHERE status IN ('pending', 'leased', 'failed')
      UNION ALL SELECT 'outbox', status, available_at, lease_until
                  FROM convene.outbox WHERE status IN ('pending', 'leased', 'failed')),
    work (queue, status, since) AS (
      SELECT queue, status, CASE status WHEN 'pending' THEN due WHEN 'leased' THEN lease_until END FROM kept),
    counted AS (
      SELECT q.queue,
             pg_catalog.count(*) FILTER (WHERE w.status = 'pending') AS pending,
             pg_catalog.count(*) FILTER (WHERE w.status = 'leased') AS leased,
             pg_catalog.count(*) FILTER (WHERE w.status = 'failed') AS failed,
             -- What is put off for ever waits for nobody.
             coalesce(EXTRACT(epoch FROM pg_catalog.now() - pg_catalog.min(greatest(w.since, '1970-01-01 UTC'))
                        FILTER (WHERE w.since < 'infinity')), 0) / 60 AS waited
        FROM pg_catalog.unnest('{embedding_queue,fit_recalc_queue,payout_queue,crm_sync_queue,outbox}'::text[])
             WITH ORDINALITY q (queue, place)
        LEFT JOIN work w ON w.queue = q.queue
       GROUP BY q.queue, q.place ORDER BY q.place)
    SELECT c.queue,
           CASE WHEN c.waited > l.lag OR c.failed > 0 THEN 'warning' ELSE 'ok' END,
           pg_catalog.format('%s pending, %s leased, %s failed%s', c.pending, c.leased, c.failed,
             CASE WHEN c.waited > l.lag
                  THEN pg_catalog.format('; the oldest has waited for %s minutes', c.waited::bigint)
                  ELSE '' END),
           CASE WHEN c.failed > 0 THEN pg_catalog.format(
                  'SELECT id, attempts, last_error FROM convene.%I WHERE status = ''failed'';', c.queue)
                WHEN c.waited > l.lag THEN pg_catalog.format(
                  'SELECT claimed_by, count(*), max(claimed_at) FROM convene.%I GROUP BY claimed_by;', c.queue)
           END
      FROM counted c, limits l";

/// Months for which the signals have a partition, and rows that came in without one.
const PARTITIONS: &str = "
    WITH parts AS (
      SELECT p.relname AS parent, pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS bound
        FROM pg_catalog.pg_class p
        JOIN pg_catalog.pg_inherits i ON i.inhparent = p.oid
        JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
       WHERE p.relnamespace = 'convene'::regnamespace AND p.relkind = 'p'),
    reach AS (
      SELECT parent, pg_catalog.max((pg_catalog.regexp_match(bound, 'TO \\(''([^'']+)''\\)'))[1]::timestamptz)
               AS until
        FROM parts GROUP BY parent),
    -- What no partition is made for (see MAKE of the signals) is no work that waits.
    strays (parent, n, last) AS (
      SELECT parent, pg_catalog.count(*), pg_catalog.max(created_at) AT TIME ZONE 'UTC'
        FROM (SELECT 'event_impressions', created_at FROM convene.event_impressions_default
              UNION ALL SELECT 'ticket_analytics', created_at FROM convene.ticket_analytics_default
              UNION ALL SELECT 'post_views', created_at FROM convene.post_views_default) d (parent, created_at)
       WHERE created_at BETWEEN pg_catalog.now() - interval '10 years' AND pg_catalog.now() + interval '5 years'
       GROUP BY parent),
    -- The job makes the next month's; so what is there must reach beyond this one.
    state AS (
      SELECT r.parent, r.until, coalesce(s.n, 0) AS n, s.last,
             coalesce(r.until <= pg_catalog.now(), true) AS over,
             coalesce(r.until < (pg_catalog.date_trunc('month', pg_catalog.now() AT TIME ZONE 'UTC')
                                 + interval '2 months') AT TIME ZONE 'UTC', true) AS near
        FROM reach r LEFT JOIN strays s ON s.parent = r.parent)
    SELECT 'partitions of ' || parent,
           CASE WHEN over THEN 'error' WHEN near OR n > 0 THEN 'warning' ELSE 'ok' END,
           coalesce('made up to ' || pg_catalog.to_char(until AT TIME ZONE 'UTC', 'YYYY-MM-DD'),
                    'no partition for a month')
           || CASE WHEN n > 0 THEN pg_catalog.format('; %s rows of months without one', n) ELSE '' END,
           CASE WHEN near OR n > 0 THEN pg_catalog.format(
             'SELECT convene.create_next_month_partitions(%s);',
             greatest(1, (EXTRACT(year FROM last) - EXTRACT(year FROM pg_catalog.now() AT TIME ZONE 'UTC')) * 12
                         + EXTRACT(month FROM last) - EXTRACT(month FROM pg_catalog.now() AT TIME ZONE 'UTC'))) END
      FROM state ORDER BY parent";

/// Signals that were noted and have not been counted for long.
const INSIGHTS: &str = "
    WITH limits AS (
      SELECT coalesce((SELECT least(greatest(s.value::numeric, 0), 1e6) FROM convene.settings s
                        WHERE s.key = 'health.insights_lag_minutes'
                          AND pg_catalog.jsonb_typeof(s.value) = 'number'), 180) AS lag),
    waiting AS (
      SELECT pg_catalog.count(*) AS n,
             coalesce(EXTRACT(epoch FROM pg_catalog.now() - pg_catalog.min(d.created_at)), 0) / 60 AS minutes
        FROM convene.event_signal_deltas d)
    SELECT 'insights', CASE WHEN w.minutes > l.lag THEN 'warning' ELSE 'ok' END,
           w.n || ' notes wait to be counted'
           || CASE WHEN w.minutes > l.lag
                   THEN pg_catalog.format('; the oldest has waited for %s minutes', w.minutes::bigint) ELSE '' END,
           CASE WHEN w.minutes > l.lag THEN 'SELECT convene.refresh_event_insights();' END
      FROM waiting w, limits l";

/// What the marketplace shows is computed ahead; it is stale when that is long ago.
const MARKETPLACE: &str = "
    WITH limits AS (
      SELECT coalesce((SELECT least(greatest(s.value::numeric, 0), 1e6) FROM convene.settings s
                        WHERE s.key = 'health.marketplace_stale_hours'
                          AND pg_catalog.jsonb_typeof(s.value) = 'number'), 25) AS hours),
    state AS (
      SELECT EXISTS (SELECT FROM convene.sponsor_profiles) AND EXISTS (
               SELECT FROM convene.events WHERE status = 'published') AS needed,
             (SELECT pg_catalog.max(m.ran_at) FROM convene.mv_refresh_log m WHERE m.status = 'done') AS ran_at)
    SELECT 'marketplace',
           CASE WHEN s.needed AND coalesce(
                  s.ran_at < pg_catalog.now() - pg_catalog.make_interval(secs => (l.hours * 3600)::float8), true)
                THEN 'warning' ELSE 'ok' END,
           CASE WHEN NOT s.needed THEN 'nothing to refresh'
                ELSE coalesce('refreshed at ' || s.ran_at, 'never refreshed') END,
           CASE WHEN s.needed AND coalesce(
                  s.ran_at < pg_catalog.now() - pg_catalog.make_interval(secs => (l.hours * 3600)::float8), true)
                THEN 'SELECT * FROM convene.refresh_marketplace();' END
      FROM state s, limits l";

/// Sessions of events still to come that nothing can be compared with.
const EMBEDDINGS: &str = "
    SELECT 'embeddings', CASE WHEN n.missing > 0 THEN 'warning' ELSE 'ok' END,
           n.missing || ' sessions of coming events have no embedding',
           CASE WHEN n.missing > 0 THEN 'SELECT convene.embed_pending(1000);' END
      FROM (SELECT pg_catalog.count(*) AS missing
              FROM convene.events e JOIN convene.sessions s ON s.event_id = e.id
             WHERE e.status = 'published' AND s.end_time > pg_catalog.now()
               AND NOT EXISTS (SELECT FROM convene.session_embeddings v WHERE v.session_id = s.id)) n";

/// The last run of each job.
const JOBS: &str = "
    SELECT 'job ' || j.job,
           CASE j.status WHEN 'failed' THEN 'error' WHEN 'running' THEN
             CASE WHEN j.updated_at < pg_catalog.now() - interval '1 hour' THEN 'warning' ELSE 'ok' END
           ELSE 'ok' END,
           pg_catalog.concat_ws(', ', j.status, 'started at ' || j.started_at,
                                pg_catalog.concat_ws(' of ', j.done, j.total), j.message),
           CASE WHEN j.status = 'failed' OR j.updated_at < pg_catalog.now() - interval '1 hour' AND j.status = 'running'
                THEN pg_catalog.format(
                  'SELECT * FROM convene.job_runs WHERE job = %L ORDER BY started_at DESC LIMIT 5;', j.job) END
      FROM (SELECT DISTINCT ON (job) * FROM convene.job_runs ORDER BY job, started_at DESC) j
     ORDER BY j.job";

/// An index that an interrupted CREATE INDEX CONCURRENTLY left behind answers nothing.
const INDEXES: &str = "
    SELECT 'indexes', CASE WHEN pg_catalog.count(b.name) > 0 THEN 'error' ELSE 'ok' END,
           coalesce('invalid: ' || pg_catalog.string_agg(b.name, ', ' ORDER BY b.name), 'all valid'),
           pg_catalog.string_agg('REINDEX INDEX CONCURRENTLY ' || b.name || ';', ' ' ORDER BY b.name)
      FROM (VALUES (1)) one (one)
      LEFT JOIN (SELECT i.indexrelid::regclass::text FROM pg_catalog.pg_index i
                   JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
                  WHERE c.relnamespace = 'convene'::regnamespace AND NOT i.indisvalid) b (name) ON true";

/// What depends on a member of the extension goes with DROP EXTENSION ... CASCADE.
const DEPENDENTS: &str = "
    SELECT 'dependencies', CASE WHEN pg_catalog.count(d.object) > 0 THEN 'warning' ELSE 'ok' END,
           coalesce('these depend on functions of the extension, and would go with it: '
                    || pg_catalog.string_agg(d.object, ', ' ORDER BY d.object),
                    'nothing depends on a function of the extension'),
           CASE WHEN pg_catalog.count(d.object) > 0
                THEN '-- rebuild them on convene_private.my_profile_id() or on a function of your own' END
      FROM (VALUES (1)) one (one)
      LEFT JOIN (SELECT DISTINCT pg_catalog.pg_describe_object(x.classid, x.objid, x.objsubid)
                   FROM pg_catalog.pg_depend m
                   JOIN pg_catalog.pg_extension e ON m.refclassid = 'pg_catalog.pg_extension'::regclass
                    AND m.refobjid = e.oid AND m.deptype = 'e' AND e.extname = 'convene'
                   JOIN pg_catalog.pg_depend x ON x.refclassid = m.classid AND x.refobjid = m.objid
                    AND x.deptype IN ('n', 'a')) d (object) ON true";

/// Row security switched off by hand leaves a table to every role that has a grant on it.
const ROW_SECURITY: &str = "
    SELECT 'row security', CASE WHEN pg_catalog.count(t.name) > 0 THEN 'error' ELSE 'ok' END,
           coalesce('switched off: ' || pg_catalog.string_agg(t.name, ', ' ORDER BY t.name),
                    'on for every table'),
           pg_catalog.string_agg('ALTER TABLE ' || t.name || ' ENABLE ROW LEVEL SECURITY;', ' ' ORDER BY t.name)
      FROM (VALUES (1)) one (one)
      LEFT JOIN (SELECT c.oid::regclass::text FROM pg_catalog.pg_class c
                  WHERE c.relnamespace = 'convene'::regnamespace AND c.relkind IN ('r', 'p')
                    AND NOT c.relrowsecurity) t (name) ON true";

/// The service must see past row security, the other two must not.
const ROLES: &str = "
    SELECT 'api roles',
           CASE WHEN s.value IS NULL OR pg_catalog.bool_or(r.wrong) THEN 'warning' ELSE 'ok' END,
           CASE WHEN s.value IS NULL THEN 'the API is granted to nobody'
                WHEN pg_catalog.bool_or(r.wrong) THEN pg_catalog.string_agg(r.what, ', ') FILTER (WHERE r.wrong)
                ELSE 'granted to ' || pg_catalog.string_agg(r.name, ', ') END,
           CASE WHEN s.value IS NULL OR pg_catalog.bool_or(r.wrong) THEN
             coalesce(pg_catalog.min(r.help) FILTER (WHERE r.wrong), 'SELECT convene.create_api_roles();') END
      FROM (VALUES (1)) one (one)
      LEFT JOIN convene.settings s ON s.key = 'api_roles'
      LEFT JOIN LATERAL (
        SELECT k.value AS name,
               a.rolname IS NULL OR a.rolbypassrls <> (k.key = 'service') OR a.rolsuper AS wrong,
               k.value || CASE WHEN a.rolname IS NULL THEN ' is missing'
                               WHEN a.rolsuper THEN ' is a superuser'
                               WHEN k.key = 'service' THEN ' has no BYPASSRLS'
                               ELSE ' has BYPASSRLS' END AS what,
               CASE WHEN a.rolname IS NULL THEN 'SELECT convene.create_api_roles();'
                    WHEN a.rolsuper THEN pg_catalog.format('ALTER ROLE %I NOSUPERUSER;', k.value)
                    ELSE pg_catalog.format('ALTER ROLE %I %s;', k.value, CASE k.key
                           WHEN 'service' THEN 'BYPASSRLS' ELSE 'NOBYPASSRLS' END) END AS help
          FROM pg_catalog.jsonb_each_text(s.value) k
          LEFT JOIN pg_catalog.pg_roles a ON a.rolname = k.value) r ON true
     GROUP BY s.value";

/// Everything that needs no argument, in the order of the report.
const CHECKS: [&str; 10] = [
    QUEUES,
    PARTITIONS,
    INSIGHTS,
    MARKETPLACE,
    EMBEDDINGS,
    JOBS,
    INDEXES,
    DEPENDENTS,
    ROW_SECURITY,
    ROLES,
];

/// Every part that can be out of order, how it is, and the statement that helps.
#[pg_extern(stable, parallel_restricted)]
#[search_path(pg_catalog, pg_temp)]
fn health() -> TableIterator<
    'static,
    (
        name!(component, String),
        name!(status, String),
        name!(message, String),
        name!(help, Option<String>),
    ),
> {
    let found = run_health().or_raise();
    TableIterator::new(
        found.into_iter().map(|one| (one.component, one.status, one.message, one.help)),
    )
}

fn run_health() -> Outcome<Vec<Finding>> {
    require_service("look at the health of the installation")?;
    let home = crate::install::home()?;
    with_owner(|| {
        in_utc(|| {
            let mut found = findings(VERSIONS, &[VERSION.into()])?;
            found.extend(findings(HOME, &[home.into()])?);
            for check in CHECKS {
                found.extend(findings(check, &[])?);
            }
            Ok(found)
        })
    })
}

fn findings(check: &'static str, args: &[pgrx::datum::DatumWithOid<'_>]) -> Outcome<Vec<Finding>> {
    db::read(check, args, |row| {
        Ok(Finding {
            component: row.want(1)?,
            status: row.want(2)?,
            message: row.want(3)?,
            help: row.get(4)?,
        })
    })
}
