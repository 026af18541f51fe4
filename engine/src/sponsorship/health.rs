//! How the queue of fits is doing.

/// How long work that is due waits, against what is bearable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Work is taken in time.
    Ok,
    /// Work waits longer than it should.
    Lagging,
    /// Nobody seems to take it.
    Stuck,
}

impl Health {
    /// Judges by the minutes that the oldest work has been due for; `None`: there is none.
    #[must_use]
    pub fn of(waited: Option<f64>, lagging: f64, stuck: f64) -> Self {
        match waited {
            Some(waited) if waited > stuck => Self::Stuck,
            Some(waited) if waited > lagging => Self::Lagging,
            _ => Self::Ok,
        }
    }

    /// As it is told.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Lagging => "lagging",
            Self::Stuck => "stuck",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Health;

    #[test]
    fn the_longest_wait_decides() {
        let of = |waited| Health::of(waited, 15.0, 60.0).as_str();
        assert_eq!([of(None), of(Some(15.0)), of(Some(15.1))], ["ok", "ok", "lagging"]);
        assert_eq!([of(Some(60.0)), of(Some(60.1)), of(Some(-5.0))], ["lagging", "stuck", "ok"]);
        // A limit for being stuck below the one for lagging is the one that counts.
        assert_eq!(Health::of(Some(10.0), 15.0, 5.0), Health::Stuck);
    }
}
