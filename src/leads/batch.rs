//! All leads of a sponsor or of an event at once. Where nobody is described, one statement scores
//! and writes what changed; where somebody is, the leads stream through the engine.

use std::time::{Duration, Instant};

use convene_engine::leads::IdealCustomer;
use pgrx::prelude::*;
use serde_json::json;

use super::customer::{self, fact_columns, fact_joins, person};
use super::lead::{COLUMNS, Scored, lead_columns, read};
use super::{access, recount};
use crate::auth;
use crate::db;
use crate::error::{OrRaise, Outcome, required};
use crate::owner::with_owner;

/// First key of the advisory locks that keep two scorings of one event apart: they would wait for
/// each other's rows.
const LOCK_CLASS: i32 = 0x636e_766c;
/// Leads from which on the table is walked in slices, so that there is progress to report.
const MANY: i64 = 50_000;
/// Pages of a slice.
const SLICE: i64 = 8192;
/// Leads that are read and written at a time where the engine compares them.
const CHUNK: i64 = 5_000;
/// Progress is reported at most this often.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// Scores all leads of a sponsor.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn score_sponsor_leads(
    p_sponsor_id: Option<pgrx::Uuid>,
    p_recount: default!(Option<bool>, "false"),
) -> pgrx::JsonB {
    of_sponsor(p_sponsor_id, p_recount).or_raise()
}

/// Scores all leads of an event.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn score_event_leads(
    p_event_id: Option<pgrx::Uuid>,
    p_recount: default!(Option<bool>, "false"),
) -> pgrx::JsonB {
    of_event(p_event_id, p_recount).or_raise()
}

fn of_sponsor(id: Option<pgrx::Uuid>, recount: Option<bool>) -> Outcome<pgrx::JsonB> {
    const EVENTS: &str = "
        SELECT DISTINCT e.id
          FROM (SELECT s.event_id FROM convene.sponsors s WHERE s.id = $1
                UNION ALL SELECT p.event_id FROM convene.event_sponsorships p WHERE p.sponsor_id = $1) e(id)
         WHERE e.id IS NOT NULL ORDER BY 1";
    let sponsor = access::sponsor(id)?;
    let recount = required(recount, "p_recount")?;
    with_owner(|| {
        let events = match sponsor.events {
            Some(events) => events,
            None => db::read(EVENTS, &[sponsor.id.into()], |row| row.want(1))?,
        };
        let scored = score(&[sponsor.id], &events, recount, false)?;
        Ok(scored.answer("sponsor_id", sponsor.id))
    })
}

fn of_event(id: Option<pgrx::Uuid>, recount: Option<bool>) -> Outcome<pgrx::JsonB> {
    const SPONSORS: &str = "
        SELECT s.id FROM convene.sponsors s WHERE s.event_id = $1
        UNION SELECT p.sponsor_id FROM convene.event_sponsorships p WHERE p.event_id = $1 ORDER BY 1";
    let event = auth::managed_event(id)?;
    let recount = required(recount, "p_recount")?;
    with_owner(|| {
        let sponsors = db::read(SPONSORS, &[event.into()], |row| row.want(1))?;
        let scored = score(&sponsors, &[event], recount, true)?;
        Ok(scored.answer("event_id", event))
    })
}

/// What a scoring did.
#[derive(Default)]
struct Done {
    sponsors: usize,
    leads: i64,
    changed: usize,
}

impl Done {
    fn answer(&self, key: &str, id: pgrx::Uuid) -> pgrx::JsonB {
        pgrx::JsonB(json!({
            key: id.to_string(), "sponsors": self.sponsors, "leads": self.leads, "changed": self.changed,
        }))
    }
}

/// `whole_event` says that no sponsor of the events is left out.
fn score(
    sponsors: &[pgrx::Uuid],
    events: &[pgrx::Uuid],
    recount: bool,
    whole_event: bool,
) -> Outcome<Done> {
    lock(events)?;
    if recount {
        recount::recount(sponsors, events)?;
    }
    let described = customer::ideal_customers(sponsors)?;
    let others: Vec<pgrx::Uuid> =
        sponsors.iter().copied().filter(|id| described.iter().all(|(d, _)| d != id)).collect();
    let mut progress = Progress::new();
    let mut changed = 0;
    if !others.is_empty() {
        let all = whole_event && described.is_empty();
        changed += assume((!all).then_some(&others), events, &mut progress)?;
    }
    for (index, (sponsor, ideal)) in described.iter().enumerate() {
        changed += compare(*sponsor, ideal, events, &mut progress)?;
        progress.report(index + 1, described.len());
    }
    let leads = count(sponsors, events, whole_event)?;
    Ok(Done { sponsors: sponsors.len(), leads, changed })
}

/// Waits for another scoring of these events, in the order of their ids.
fn lock(events: &[pgrx::Uuid]) -> Outcome<()> {
    const LOCK: &str = "
        SELECT pg_catalog.pg_advisory_xact_lock($1, pg_catalog.hashtext(e.id::text))::text
          FROM (SELECT unnest($2::uuid[]) AS id ORDER BY 1) e";
    db::write(LOCK, &[LOCK_CLASS.into(), events.to_vec().into()], |_| Ok(()))?;
    Ok(())
}

/// Fills in the totals of the sponsors, and counts the leads that were scored. Of a whole event it
/// fills in those of sponsors that are at no other; the others' are filled in when they are scored
/// by themselves.
fn count(sponsors: &[pgrx::Uuid], events: &[pgrx::Uuid], whole_event: bool) -> Outcome<i64> {
    const OF_EVENT: &str = "
        SELECT l.sponsor_id, pg_catalog.count(*), pg_catalog.sum(l.booth_visits)::bigint,
               pg_catalog.sum(l.interaction_count)::bigint, pg_catalog.count(*)
          FROM convene.lead_scoring l
         WHERE l.event_id = ANY ($2) AND pg_catalog.cardinality($1::uuid[]) >= 0 GROUP BY l.sponsor_id";
    const TOTALS: &str = "
        SELECT l.sponsor_id, pg_catalog.count(*), pg_catalog.sum(l.booth_visits)::bigint,
               pg_catalog.sum(l.interaction_count)::bigint,
               pg_catalog.count(*) FILTER (WHERE l.event_id = ANY ($2))
          FROM convene.lead_scoring l WHERE l.sponsor_id = ANY ($1) GROUP BY l.sponsor_id";
    const KEEP: &str = "
        UPDATE convene.sponsors s
           SET total_leads_collected = t.leads, total_booth_visits = t.visits, total_interactions = t.interactions
          FROM (SELECT u.id, least(u.leads, 2147483647) AS leads, least(u.visits, 2147483647) AS visits,
                       least(u.interactions, 2147483647) AS interactions
                  FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[]) u(id, leads, visits, interactions)) t
         WHERE s.id = t.id
           AND (s.total_leads_collected, s.total_booth_visits, s.total_interactions)
               IS DISTINCT FROM (t.leads, t.visits, t.interactions)
           AND (NOT $5 OR (s.event_id = ANY ($6) AND NOT EXISTS (
                  SELECT FROM convene.event_sponsorships p WHERE p.sponsor_id = s.id AND p.event_id <> ALL ($6))))";
    let totals = if whole_event { OF_EVENT } else { TOTALS };
    let totals = db::read(totals, &[sponsors.to_vec().into(), events.to_vec().into()], |row| {
        Ok((
            row.want::<pgrx::Uuid>(1)?,
            [row.want::<i64>(2)?, row.want::<i64>(3)?, row.want::<i64>(4)?],
            row.want::<i64>(5)?,
        ))
    })?;
    let column = |at: usize| totals.iter().map(|total| total.1[at]).collect::<Vec<i64>>();
    db::execute(
        KEEP,
        &[
            totals.iter().map(|total| total.0).collect::<Vec<_>>().into(),
            column(0).into(),
            column(1).into(),
            column(2).into(),
            whole_event.into(),
            events.to_vec().into(),
        ],
    )?;
    Ok(totals.iter().map(|total| total.2).sum())
}

// The functions are the engine's, called where the rows are, so that a row that somebody changes meanwhile is scored as it
// is then. Fit is what the whole score has beyond the other two parts.
macro_rules! total {
    ($fit:literal) => {
        concat!(
            "convene.lead_score(l.booth_visits, l.content_downloads, l.session_attendance, l.messages_exchanged,
                                l.meeting_requested, l.interaction_count, ",
            $fit,
            ")"
        )
    };
}
macro_rules! engagement {
    () => {
        "convene.lead_engagement_score(l.booth_visits, l.content_downloads, l.session_attendance,
                                       l.messages_exchanged, l.meeting_requested)"
    };
}
macro_rules! intent {
    () => {
        "convene.lead_intent_score(l.interaction_count)"
    };
}
//
// A score is in an index, so each changed lead goes into every index again. Where an UPDATE does not name an index's
// columns, the server takes a full page for one of old versions and looks each of them up in the hope of removing some; of
// a statement's own versions it can remove none. Naming the columns spares that: a fifth of the time of a million leads.
macro_rules! scores {
    ($fit:literal) => {
        concat!(
            "lead_score = ",
            total!($fit),
            ", engagement_score = ",
            engagement!(),
            ", intent_score = ",
            intent!(),
            ", fit_score = ",
            total!($fit),
            " - ",
            engagement!(),
            " - ",
            intent!(),
            ", id = l.id, event_id = l.event_id, sponsor_id = l.sponsor_id, attendee_id = l.attendee_id,
               last_interaction_at = l.last_interaction_at, updated_at = pg_catalog.now()"
        )
    };
}

/// Leads of sponsors that have described nobody: the whole fit, assumed.
macro_rules! assume_sql {
    ($slice:literal) => {
        concat!(
            "UPDATE convene.lead_scoring l SET ",
            scores!("30"),
            ", fit_assumed = true, score_parts = '{}'
              WHERE ($1::uuid[] IS NULL OR l.sponsor_id = ANY ($1)) AND l.event_id = ANY ($2) ",
            $slice,
            " AND (l.lead_score <> ",
            total!("30"),
            " OR l.engagement_score <> ",
            engagement!(),
            " OR l.intent_score <> ",
            intent!(),
            " OR l.engagement_score + l.fit_score + l.intent_score <> l.lead_score
                   OR NOT l.fit_assumed OR l.score_parts <> '{}')"
        )
    };
}

fn assume(
    sponsors: Option<&[pgrx::Uuid]>,
    events: &[pgrx::Uuid],
    progress: &mut Progress,
) -> Outcome<usize> {
    const ALL: &str = assume_sql!("");
    const SLICED: &str = assume_sql!("AND l.ctid >= $3::text::tid AND l.ctid < $4::text::tid");
    const IS_MANY: &str = "
        SELECT pg_catalog.count(*) > $2
          FROM (SELECT FROM convene.lead_scoring l
                 WHERE ($1::uuid[] IS NULL OR l.sponsor_id = ANY ($1)) AND l.event_id = ANY ($3) LIMIT $2 + 1) f";
    const PAGES: &str = "
        SELECT pg_catalog.pg_relation_size('convene.lead_scoring'::regclass)
               / pg_catalog.current_setting('block_size')::bigint";
    let (sponsors, events) = (sponsors.map(<[pgrx::Uuid]>::to_vec), events.to_vec());
    let asked = [sponsors.clone().into(), MANY.into(), events.clone().into()];
    let many = db::read_one(IS_MANY, &asked, |row| row.want::<bool>(1))?;
    if many != Some(true) {
        return db::execute(ALL, &[sponsors.into(), events.into()]);
    }
    // What is added behind the last of these pages meanwhile is what this very call wrote, or has been scored by who did.
    let pages = db::read_one(PAGES, &[], |row| row.want::<i64>(1))?.unwrap_or(0);
    let mut changed = 0;
    for from in (0..pages).step_by(SLICE as usize) {
        changed += db::execute(
            SLICED,
            &[
                sponsors.clone().into(),
                events.clone().into(),
                format!("({from},0)").into(),
                format!("({},0)", (from + SLICE).min(pages)).into(),
            ],
        )?;
        progress.report((from + SLICE).min(pages) as usize, pages as usize);
    }
    Ok(changed)
}

const WITH_FACTS: &str = concat!(
    "SELECT ",
    lead_columns!(),
    ", ",
    fact_columns!(),
    " FROM convene.lead_scoring l JOIN convene.attendees a ON a.id = l.attendee_id",
    fact_joins!(),
    "WHERE l.sponsor_id = $1 AND l.event_id = ANY ($2)"
);

// Counters are taken from the row once more: somebody may have added to them since it was read.
const KEEP: &str = concat!(
    "UPDATE convene.lead_scoring l SET ",
    scores!("f.fit"),
    ", fit_assumed = false, score_parts = f.parts::jsonb
      FROM unnest($1::uuid[], $2::integer[], $3::text[]) f(id, fit, parts)
     WHERE l.id = f.id"
);

/// Leads of a sponsor that has described whom it wants to meet.
fn compare(
    sponsor: pgrx::Uuid,
    ideal: &IdealCustomer,
    events: &[pgrx::Uuid],
    progress: &mut Progress,
) -> Outcome<usize> {
    let mut changed = Changed::default();
    let mut read_rows = 0;
    db::stream(WITH_FACTS, &[sponsor.into(), events.to_vec().into()], CHUNK, |row| {
        let lead = read(row)?;
        let fit = ideal.fit(&person(row, COLUMNS + 1)?);
        let scored = Scored::with(&lead.counters, &fit);
        if scored != lead.scored || scored.scores.total() != lead.stored_score {
            changed.ids.push(lead.id);
            changed.fits.push(fit.score as i32);
            changed.parts.push(scored.parts.to_string());
        }
        read_rows += 1;
        if changed.ids.len() == CHUNK as usize {
            changed.write()?;
            progress.note(read_rows);
        }
        Ok(())
    })?;
    changed.write()?;
    Ok(changed.written)
}

/// Leads whose fit or score is not what it was.
#[derive(Default)]
struct Changed {
    ids: Vec<pgrx::Uuid>,
    fits: Vec<i32>,
    parts: Vec<String>,
    written: usize,
}

impl Changed {
    fn write(&mut self) -> Outcome<()> {
        if self.ids.is_empty() {
            return Ok(());
        }
        let arguments = [
            std::mem::take(&mut self.ids).into(),
            std::mem::take(&mut self.fits).into(),
            std::mem::take(&mut self.parts).into(),
        ];
        self.written += db::execute(KEEP, &arguments)?;
        Ok(())
    }
}

/// How far a scoring is, told once a second.
struct Progress {
    started: Instant,
    reported: Instant,
}

impl Progress {
    fn new() -> Self {
        let now = Instant::now();
        Self { started: now, reported: now }
    }

    fn due(&mut self) -> bool {
        let due = self.reported.elapsed() >= REPORT_EVERY;
        if due {
            self.reported = Instant::now();
        }
        due
    }

    fn report(&mut self, done: usize, total: usize) {
        if done < total && self.due() {
            let left = self.started.elapsed().as_secs_f64() * (total - done) as f64 / done as f64;
            notice!("scoring leads: {} % done, about {left:.0} s left", done * 100 / total);
        }
    }

    fn note(&mut self, leads: usize) {
        if self.due() {
            notice!("scoring leads: {leads} leads of this sponsor compared");
        }
    }
}
