//! Working off the queue of fits: claim, compute, write and finish in one transaction, any number of
//! workers at once.
//!
//! All inputs of a claim are read in one snapshot. Of two snapshots one is the later, on both sides of
//! every pair, so revisions decide which worker's row stays. Deleting has no row to compare: whoever
//! takes rows off the market waits for the workers that may still be adding some.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Instant;

use convene_engine::Error;
use convene_engine::sponsorship::{Bounds, Compared, Recalculation};
use pgrx::prelude::*;
use serde_json::json;

use super::claim::{self, Claimed, Target};
use super::inputs::{self, Inputs, live_event, live_sponsor};
use super::store::{self, Sides, number};
use crate::db;
use crate::error::{Failure, OrRaise, Outcome, within};
use crate::owner::{require_service, with_owner};
use crate::{parallel, settings, subtransaction};

/// The most entries that one call takes.
const MOST_ENTRIES: i32 = 10_000;
/// First key of the advisory lock that workers share, and hold alone to take rows off the market.
pub const LOCK_CLASS: i32 = 0x636e_7671;
/// What one pair takes in memory while it is on its way to the table.
const PAIR_BYTES: usize = 1024;
/// What the work is called in progress messages.
const WHAT: &str = "recalculation";

/// Works off up to so many entries of the queue; how many.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn update_sponsorship_matches(p_batch: default!(Option<i32>, "100")) -> i32 {
    run(p_batch).or_raise()
}

/// As [`update_sponsorship_matches`], with the answer of the endpoint.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn sponsorship_recalc(p_batch: default!(Option<i32>, "100")) -> pgrx::JsonB {
    let started = Instant::now();
    let processed = run(p_batch).or_raise();
    pgrx::JsonB(json!({
        "success": true,
        "processed": processed,
        "duration_ms": started.elapsed().as_millis() as u64,
        "timestamp": timestamp().or_raise(),
    }))
}

/// This moment as the endpoints tell it.
pub fn timestamp() -> Outcome<Option<String>> {
    const NOW: &str = "
        SELECT pg_catalog.to_char(pg_catalog.clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')";
    db::read_one(NOW, &[], |row| row.want(1))
}

fn run(batch: Option<i32>) -> Outcome<i32> {
    require_service("recalculate matches")?;
    let batch = within(batch, 1, MOST_ENTRIES, "p_batch")?;
    require_read_committed()?;
    with_owner(|| {
        let spread = claim::spread()?;
        let claimed = claim::claim(batch as i32)?;
        let entries: usize = claimed.iter().map(|one| one.entries.len()).sum();
        work_off(&claimed)?;
        Ok(spread as i32 + entries as i32)
    })
}

/// A snapshot that is kept for the whole transaction is older than the locks that order workers.
fn require_read_committed() -> Outcome<()> {
    let level = settings::config(c"transaction_isolation").unwrap_or_default();
    if level == "read committed" {
        return Ok(());
    }
    Err(Failure(Error::WrongState {
        message: format!("matches are not recalculated in a transaction that is {level}"),
        detail: "A worker has to see what other workers have finished meanwhile.".into(),
        hint: "Call it in a transaction that is READ COMMITTED.".into(),
    }))
}

/// Computes targets together; where that fails, in halves, so that one that cannot be computed keeps
/// no other one waiting.
fn work_off(claimed: &[Claimed]) -> Outcome<()> {
    if claimed.is_empty() {
        return Ok(());
    }
    let error = match subtransaction::attempt(|| recalculate(claimed))? {
        Ok(Done::Later) => return Ok(()),
        Ok(Done::Computed(faults)) => {
            let (failed, done): (Vec<&Claimed>, Vec<&Claimed>) =
                claimed.iter().partition(|one| fault(one, &faults).is_some());
            for one in failed {
                claim::fail(one, fault(one, &faults).unwrap_or_default())?;
            }
            return claim::finish(&done);
        }
        Err(error) => error,
    };
    if let [one] = claimed {
        return claim::fail(one, &error);
    }
    let (first, second) = claimed.split_at(claimed.len() / 2);
    work_off(first)?;
    work_off(second)
}

/// Events that cannot be computed, and why.
type Faults = Vec<(pgrx::Uuid, String)>;

fn fault<'a>(one: &Claimed, faults: &'a Faults) -> Option<&'a str> {
    let event = one.target.event?;
    faults.iter().find(|(id, _)| *id == event).map(|(_, error)| error.as_str())
}

enum Done {
    /// All but these events.
    Computed(Faults),
    /// Nothing, because what is to be stored was being bounded anew: the entries stay.
    Later,
}

fn recalculate(claimed: &[Claimed]) -> Outcome<Done> {
    let targets = Targets::of(claimed);
    let gone = Gone::find(&targets)?;
    let exclusive = !gone.is_empty() || bounds()?.any();
    lock(exclusive)?;
    // From here on everything is read anew.
    let bounds = bounds()?;
    if bounds.any() && !exclusive {
        return Ok(Done::Later);
    }
    let inputs = read(&targets, bounds)?;
    let alone = exclusive || alone()?;
    gone.retire(&inputs)?;
    let (faults, recalculation, sides) = prepare(inputs, &targets, bounds, alone)?;
    compute(recalculation, &sides)?;
    Ok(Done::Computed(faults))
}

/// What was claimed, by kind.
#[derive(Default)]
struct Targets {
    sponsors: BTreeSet<pgrx::Uuid>,
    events: BTreeSet<pgrx::Uuid>,
    pairs: Vec<(pgrx::Uuid, pgrx::Uuid)>,
}

impl Targets {
    fn of(claimed: &[Claimed]) -> Self {
        let mut targets = Self::default();
        for one in claimed {
            match one.target {
                Target { sponsor: Some(sponsor), event: Some(event) } => {
                    targets.pairs.push((sponsor, event));
                }
                Target { sponsor: Some(sponsor), event: None } => {
                    targets.sponsors.insert(sponsor);
                }
                Target { sponsor: None, event: Some(event) } => {
                    targets.events.insert(event);
                }
                Target { sponsor: None, event: None } => {}
            }
        }
        targets
    }
}

/// Targets that are not on the market.
struct Gone {
    sponsors: Vec<pgrx::Uuid>,
    events: Vec<pgrx::Uuid>,
}

impl Gone {
    fn find(targets: &Targets) -> Outcome<Self> {
        const SPONSORS: &str = concat!(
            "SELECT t.id FROM unnest($1::uuid[]) t (id)
              WHERE NOT EXISTS (SELECT FROM convene.sponsors s
                                  JOIN convene.sponsor_profiles p ON p.sponsor_id = s.id
                                 WHERE s.id = t.id AND ",
            live_sponsor!(),
            ")"
        );
        const EVENTS: &str = concat!(
            "SELECT t.id FROM unnest($1::uuid[]) t (id)
              WHERE NOT EXISTS (SELECT FROM convene.events e WHERE e.id = t.id AND ",
            live_event!("pg_catalog.clock_timestamp()"),
            ")"
        );
        let find = |sql, ids: &BTreeSet<pgrx::Uuid>| {
            let ids: Vec<pgrx::Uuid> = ids.iter().copied().collect();
            db::write(sql, &[ids.into()], |row| row.want(1))
        };
        Ok(Self {
            sponsors: find(SPONSORS, &targets.sponsors)?,
            events: find(EVENTS, &targets.events)?,
        })
    }

    fn is_empty(&self) -> bool {
        self.sponsors.is_empty() && self.events.is_empty()
    }

    /// Takes off the market what is still not on it. What left it only now has an entry of its own,
    /// and what came back is computed.
    fn retire(mut self, inputs: &Inputs) -> Outcome<()> {
        let back = |ids: Vec<(pgrx::Uuid, bool)>| -> HashSet<pgrx::Uuid> {
            ids.into_iter().filter(|(_, live)| *live).map(|(id, _)| id).collect()
        };
        let sponsors = back(inputs.sponsors.iter().map(|one| (one.id, one.live)).collect());
        let events = back(inputs.events.iter().map(|one| (one.id, one.live)).collect());
        self.sponsors.retain(|id| !sponsors.contains(id));
        self.events.retain(|id| !events.contains(id));
        store::retire(self.sponsors, self.events)
    }
}

fn lock(exclusive: bool) -> Outcome<()> {
    const SHARED: &str = "SELECT pg_catalog.pg_advisory_xact_lock_shared($1, 0)";
    const ALONE: &str = "SELECT pg_catalog.pg_advisory_xact_lock($1, 0)";
    let sql = if exclusive { ALONE } else { SHARED };
    db::write(sql, &[LOCK_CLASS.into()], |_| Ok(())).map(drop)
}

/// Whether no other worker holds the lock. A worker that takes it from now on reads later than this
/// one has read.
fn alone() -> Outcome<bool> {
    const OTHERS: &str = "
        SELECT NOT EXISTS (
          SELECT FROM pg_catalog.pg_locks l
            JOIN pg_catalog.pg_database d ON d.oid = l.database
           WHERE l.locktype = 'advisory' AND d.datname = pg_catalog.current_database()
             AND l.classid = $1::bigint::oid AND l.objid = 0 AND l.objsubid = 2 AND l.granted
             AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid())";
    let found = db::write(OTHERS, &[i64::from(LOCK_CLASS).into()], |row| row.want(1))?;
    Ok(found.first() == Some(&true))
}

/// What is stored of the market, by the settings; what is no number from 0 up bounds nothing.
fn bounds() -> Outcome<Bounds> {
    const BOUNDS: &str = "
        SELECT pg_catalog.max(n.value) FILTER (WHERE n.key = 'sponsorship.match_floor')::float8,
               pg_catalog.max(n.value) FILTER (WHERE n.key = 'sponsorship.top_n_per_sponsor')::float8,
               pg_catalog.max(n.value) FILTER (WHERE n.key = 'sponsorship.top_n_per_event')::float8
          FROM (SELECT s.key, CASE pg_catalog.jsonb_typeof(s.value) WHEN 'number'
                       THEN least(greatest(s.value::numeric, 0), 1e9) END AS value
                  FROM convene.settings s WHERE s.key LIKE 'sponsorship.%') n";
    let found = db::write(BOUNDS, &[], |row| {
        Ok(Bounds {
            floor: (row.get::<f64>(1)?.unwrap_or(0.0) * 1e6).ceil() as i64,
            per_sponsor: row.get::<f64>(2)?.unwrap_or(0.0) as usize,
            per_event: row.get::<f64>(3)?.unwrap_or(0.0) as usize,
        })
    })?;
    Ok(found.into_iter().next().unwrap_or_default())
}

/// The sides of all pairs of the targets, in one snapshot.
fn read(targets: &Targets, bounds: Bounds) -> Outcome<Inputs> {
    const SPONSORS: &str = concat!(
        "SELECT s.id FROM convene.sponsors s JOIN convene.sponsor_profiles p ON p.sponsor_id = s.id WHERE ",
        live_sponsor!()
    );
    const EVENTS: &str = concat!(
        "SELECT e.id FROM convene.events e WHERE ",
        live_event!("pg_catalog.clock_timestamp()")
    );
    const MOMENT: &str = "SELECT pg_catalog.clock_timestamp()";
    let ranked = bounds.per_sponsor > 0 || bounds.per_event > 0;
    let ids = |sql| db::write(sql, &[], |row| row.want::<pgrx::Uuid>(1));
    let mut sponsors: BTreeSet<pgrx::Uuid> = targets.sponsors.clone();
    let mut events: BTreeSet<pgrx::Uuid> = targets.events.clone();
    if ranked || !targets.events.is_empty() {
        sponsors.extend(ids(SPONSORS)?);
    }
    if ranked || !targets.sponsors.is_empty() {
        events.extend(ids(EVENTS)?);
    }
    sponsors.extend(targets.pairs.iter().map(|pair| pair.0));
    events.extend(targets.pairs.iter().map(|pair| pair.1));
    let moment = db::write(MOMENT, &[], |row| row.want(1))?;
    let moment = moment.into_iter().next().ok_or(pgrx::spi::SpiError::InvalidPosition)?;
    inputs::read(sponsors.into_iter().collect(), events.into_iter().collect(), moment)
}

/// Makes the sides ready to be compared, on the threads of the pool. Events whose weights cannot be
/// read are left out.
fn prepare(
    inputs: Inputs,
    targets: &Targets,
    bounds: Bounds,
    alone: bool,
) -> Outcome<(Faults, Arc<Recalculation>, Sides)> {
    let mut faults = Faults::new();
    let mut revs = (std::collections::HashMap::new(), std::collections::HashMap::new());
    let mut sponsors = Vec::with_capacity(inputs.sponsors.len());
    for one in inputs.sponsors.into_iter().filter(|one| one.live) {
        let (id, wanted) = (number(one.id), targets.sponsors.contains(&one.id));
        revs.0.insert(id, one.rev);
        sponsors.push(Compared { id, side: one.side, wanted });
    }
    let mut events = Vec::with_capacity(inputs.events.len());
    for one in inputs.events.into_iter().filter(|one| one.live) {
        let (id, wanted) = (number(one.id), targets.events.contains(&one.id));
        revs.1.insert(id, one.rev);
        match one.weights {
            Ok(weights) => events.push((Compared { id, side: one.side, wanted }, weights)),
            Err(Failure(error)) => faults.push((one.id, error.to_string())),
        }
    }
    let pairs: Vec<(u128, u128)> =
        targets.pairs.iter().map(|(sponsor, event)| (number(*sponsor), number(*event))).collect();
    let most = portion();
    let made = parallel::run(WHAT, move |stop| {
        let mut made = Recalculation::new(sponsors, events, &pairs, bounds);
        made.rank(most, stop)?;
        Ok(made)
    })?;
    let of = |ids: &[u128], revs: &std::collections::HashMap<u128, i64>| {
        ids.iter().map(|id| revs.get(id).copied().unwrap_or_default()).collect()
    };
    let sides = Sides {
        sponsor_revs: of(made.sponsors(), &revs.0),
        event_revs: of(made.events(), &revs.1),
        alone,
        bounded: bounds.any(),
    };
    Ok((faults, Arc::new(made), sides))
}

fn portion() -> usize {
    (settings::max_batch_bytes() / PAIR_BYTES).max(1000)
}

/// Scores portion after portion; while one is written, the next one is computed.
fn compute(recalculation: Arc<Recalculation>, sides: &Sides) -> Outcome<()> {
    let portions = recalculation.portions(portion());
    let of = portions.len();
    let whole = convene_engine::Stop::default();
    let start = |at: usize| {
        let Some(range) = portions.get(at).cloned() else { return Ok(None) };
        let recalculation = Arc::clone(&recalculation);
        parallel::start(WHAT, &whole.part(at, of), move |stop| recalculation.score(range, stop))
            .map(Some)
    };
    let mut next = start(0)?;
    for (at, portion) in portions.iter().enumerate() {
        let Some(job) = next.take() else { break };
        let scored = job.wait()?;
        next = start(at + 1)?;
        db::portion(|| store::store(&recalculation, portion.clone(), &scored, sides))?;
        pgrx::check_for_interrupts!();
    }
    Ok(())
}
