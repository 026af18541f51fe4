//! How a caller ends a computation that it no longer wants.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::error::{Error, Result};

/// A flag that long computations look at between steps of a few milliseconds, and a progress
/// counter in thousandths that they keep. Clones share both.
#[derive(Clone, Debug)]
pub struct Stop {
    requested: Arc<AtomicBool>,
    permille: Arc<AtomicU32>,
    /// Where this part of the work begins and how much of the whole it is, in thousandths.
    from: u32,
    span: u32,
}

impl Default for Stop {
    fn default() -> Self {
        Self { requested: Arc::default(), permille: Arc::default(), from: 0, span: 1000 }
    }
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

    /// The same stop for the `index`-th of `of` equal parts of this work: what the part notes as its
    /// progress counts for its share.
    #[must_use]
    pub fn part(&self, index: usize, of: usize) -> Self {
        let (index, of) = (index.min(of.saturating_sub(1)) as u32, of.max(1) as u32);
        Self { from: self.from + self.span * index / of, span: self.span / of, ..self.clone() }
    }

    /// Notes how far this part of the work is, 0 to 1000.
    pub fn progress(&self, permille: u32) {
        let reached = self.from + self.span * permille.min(1000) / 1000;
        self.permille.store(reached, Ordering::Relaxed);
    }

    /// The last noted progress of the whole, 0 to 1000.
    #[must_use]
    pub fn permille(&self) -> u32 {
        self.permille.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_share_the_flag_and_count_for_their_share() {
        let whole = Stop::default();
        let second = whole.part(1, 4);
        second.progress(500);
        assert_eq!(whole.permille(), 375);
        second.part(1, 2).progress(1000);
        assert_eq!(whole.permille(), 500);
        second.request();
        assert_eq!(whole.check(), Err(Error::Cancelled));
    }
}
