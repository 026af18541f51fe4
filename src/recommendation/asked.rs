//! What a call for recommendations asks for.

use convene_engine::recommendation::Algorithm;
use pgrx::prelude::*;

use crate::auth::{self, Attendee};
use crate::error::{Outcome, required, within};

/// The most recommendations that one call gives.
pub const MOST: i32 = 500;

/// What a call asks for, checked.
pub struct Asked {
    /// For whom.
    pub attendee: Attendee,
    /// How many.
    pub limit: usize,
    /// By which source.
    pub algorithm: Algorithm,
    /// As of when.
    pub now: TimestampWithTimeZone,
}

impl Asked {
    /// Checks rights first, then values.
    pub fn new(
        attendee_id: Option<pgrx::Uuid>,
        event_id: Option<pgrx::Uuid>,
        limit: Option<i32>,
        algorithm: Option<&str>,
        now: Option<TimestampWithTimeZone>,
    ) -> Outcome<Self> {
        Ok(Self {
            attendee: auth::attendee_of(attendee_id, event_id)?,
            limit: within(limit, 1, MOST, "p_limit")?,
            algorithm: Algorithm::parse(required(algorithm, "p_algorithm")?)?,
            now: required(now, "p_now")?,
        })
    }
}
