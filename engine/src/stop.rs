//! How a caller ends a computation that it no longer wants.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::error::{Error, Result};

/// A flag that long computations look at between steps of a few milliseconds, and a progress
/// counter in thousandths that they keep. Clones share both.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    requested: Arc<AtomicBool>,
    permille: Arc<AtomicU32>,
}

impl Stop {
    /// Asks every computation that holds a clone to end with [`Error::Cancelled`].
    pub fn request(&self) {
        self.requested.store(true, Ordering::Relaxed);
    }

    /// Whether an end was asked for.
    #[must_use]
    pub fn requested(&self) -> bool {
        self.requested.load(Ordering::Relaxed)
    }

    /// `Err(Error::Cancelled)` once an end was asked for; made for `?` inside loops.
    ///
    /// # Errors
    /// [`Error::Cancelled`] after [`Stop::request`].
    pub fn check(&self) -> Result<()> {
        if self.requested() { Err(Error::Cancelled) } else { Ok(()) }
    }

    /// Notes how far the work is, 0 to 1000.
    pub fn progress(&self, permille: u32) {
        self.permille.store(permille.min(1000), Ordering::Relaxed);
    }

    /// The last noted progress, 0 to 1000.
    #[must_use]
    pub fn permille(&self) -> u32 {
        self.permille.load(Ordering::Relaxed)
    }
}
