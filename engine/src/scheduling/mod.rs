//! When people meet: whether they have time, what becomes of a meeting, and a schedule for everybody at once.
//!
//! Times are microseconds; the zero point does not matter but is a full hour. Spans are half-open: what ends when
//! another begins does not touch it.

pub mod event;
pub mod free;
pub mod ics;
pub mod life;
pub mod rules;

/// From, until.
pub type Span = (i64, i64);

/// Microseconds of a minute.
pub const MINUTE: i64 = 60_000_000;
