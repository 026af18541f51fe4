//! When a failed piece of queued work is tried again.

/// Seconds to wait before the next attempt: exponential back-off with equal jitter, that is half
/// of `base * 2^(attempts - 1)`, bounded by `cap`, plus up to the other half by `jitter` (0 to 1).
/// Spreading the retries keeps workers that failed together from coming back together.
#[must_use]
pub fn backoff_seconds(attempts: u32, base: f64, cap: f64, jitter: f64) -> f64 {
    let exponent = attempts.saturating_sub(1).min(62);
    let full = (base * 2f64.powi(exponent as i32)).min(cap).max(0.0);
    full / 2.0 * (1.0 + jitter.clamp(0.0, 1.0))
}

#[cfg(test)]
#[allow(clippy::float_cmp)] // Powers of two times ten are exact.
mod tests {
    use super::*;

    #[test]
    fn doubles_until_the_cap() {
        let full = |attempts| backoff_seconds(attempts, 10.0, 3600.0, 1.0);
        assert_eq!([full(1), full(2), full(3), full(4)], [10.0, 20.0, 40.0, 80.0]);
        assert_eq!(full(30), 3600.0);
        assert_eq!(full(u32::MAX), 3600.0);
    }

    #[test]
    fn jitter_takes_at_most_half() {
        assert_eq!(backoff_seconds(3, 10.0, 3600.0, 0.0), 20.0);
        assert_eq!(backoff_seconds(3, 10.0, 3600.0, 0.5), 30.0);
        assert_eq!(backoff_seconds(3, 10.0, 3600.0, 9.0), 40.0);
    }
}
