//! One lead: read under its lock, scored, written where it changed.

use convene_engine::leads::{
    Counters, Fit, IdealCustomer, MOST_FIT, Person, Scores, parts_of, scores,
};
use pgrx::prelude::*;
use serde_json::{Value, json};

use super::access;
use super::customer::{self, document};
use crate::db::{self, Row};
use crate::error::{OrRaise, Outcome};
use crate::owner::with_owner;

/// A lead's counters and what was last made of them.
#[derive(Debug)]
pub struct Lead {
    /// Its id.
    pub id: pgrx::Uuid,
    /// Whose it is.
    pub sponsor_id: pgrx::Uuid,
    /// Who it is.
    pub attendee_id: pgrx::Uuid,
    /// What happened.
    pub counters: Counters,
    /// What that was made into.
    pub scored: Scored,
    /// The score that is stored, whether or not it is the sum of its parts.
    pub stored_score: i64,
}

/// What a lead's counters and attendee are worth.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    /// The parts of the score.
    pub scores: Scores,
    /// The sponsor has described nobody.
    pub assumed: bool,
    /// How the ideal customer is met.
    pub parts: Value,
}

impl Scored {
    /// The score of a lead of a sponsor that wants to meet `ideal`.
    pub fn of(counters: &Counters, ideal: Option<&IdealCustomer>, person: &Person) -> Self {
        match ideal {
            None => Self { scores: scores(counters, MOST_FIT), assumed: true, parts: json!({}) },
            Some(ideal) => Self::with(counters, &ideal.fit(person)),
        }
    }

    /// The score of a lead with this fit.
    pub fn with(counters: &Counters, fit: &Fit) -> Self {
        Self { scores: scores(counters, fit.score), assumed: false, parts: parts_of(fit) }
    }
}

/// The columns of [`read`], of a row `l`.
macro_rules! lead_columns {
    () => {
        "l.id, l.sponsor_id, l.attendee_id, l.booth_visits, l.content_downloads, l.session_attendance,
         l.messages_exchanged, l.meeting_requested, l.interaction_count, l.engagement_score,
         l.fit_score, l.intent_score, l.fit_assumed, l.score_parts::text, l.lead_score"
    };
}
pub(super) use lead_columns;

/// How many columns those are.
pub const COLUMNS: usize = 15;

/// A lead from the columns of `lead_columns!`.
pub fn read(row: &Row<'_>) -> Outcome<Lead> {
    let number = |ordinal| row.want::<i32>(ordinal).map(i64::from);
    Ok(Lead {
        id: row.want(1)?,
        sponsor_id: row.want(2)?,
        attendee_id: row.want(3)?,
        counters: Counters {
            booth_visits: number(4)?,
            content_downloads: number(5)?,
            session_attendance: number(6)?,
            messages_exchanged: number(7)?,
            meeting_requested: row.want(8)?,
            interaction_count: number(9)?,
        },
        scored: Scored {
            scores: Scores { engagement: number(10)?, fit: number(11)?, intent: number(12)? },
            assumed: row.want(13)?,
            parts: document(&row.want::<String>(14)?),
        },
        stored_score: number(15)?,
    })
}

/// Writes the parts of a score, which the score is the sum of.
pub fn store(id: pgrx::Uuid, scored: &Scored) -> Outcome<()> {
    const STORE: &str = "
        UPDATE convene.lead_scoring
           SET engagement_score = $2, fit_score = $3, intent_score = $4, lead_score = $2 + $3 + $4,
               fit_assumed = $5, score_parts = $6::jsonb, updated_at = pg_catalog.now()
         WHERE id = $1";
    let number = |points: i64| points as i32;
    db::execute(
        STORE,
        &[
            id.into(),
            number(scored.scores.engagement).into(),
            number(scored.scores.fit).into(),
            number(scored.scores.intent).into(),
            scored.assumed.into(),
            scored.parts.to_string().into(),
        ],
    )?;
    Ok(())
}

/// Computes the score of a lead anew, stores its parts and returns it.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn calculate_lead_score(p_lead_id: Option<pgrx::Uuid>) -> i32 {
    calculate(p_lead_id).or_raise() as i32
}

fn calculate(id: Option<pgrx::Uuid>) -> Outcome<i64> {
    const LOCKED: &str = concat!(
        "SELECT ",
        lead_columns!(),
        " FROM convene.lead_scoring l WHERE l.id = $1 FOR NO KEY UPDATE"
    );
    let (id, service) = access::lead(id)?;
    with_owner(|| {
        let lead = db::write(LOCKED, &[id.into()], read)?
            .pop()
            .ok_or_else(|| access::refuse(service, "lead", id))?;
        lead.counters.check()?;
        let ideal = customer::ideal_customer(lead.sponsor_id)?;
        let person = match &ideal {
            Some(_) => customer::person_of(lead.attendee_id)?,
            None => Person::default(),
        };
        let scored = Scored::of(&lead.counters, ideal.as_ref(), &person);
        if scored != lead.scored || scored.scores.total() != lead.stored_score {
            store(lead.id, &scored)?;
        }
        Ok(scored.scores.total())
    })
}
