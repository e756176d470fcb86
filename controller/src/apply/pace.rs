//! How fast requests are sent. Time is an argument.

use std::time::{Duration, Instant};

/// Requests a second in the long run.
const RATE: f64 = 800.0;
/// Requests at once after a pause.
const BURST: f64 = 200.0;

/// A token bucket.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    tokens: f64,
    last: Instant,
}

impl Pace {
    /// A full bucket.
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            tokens: BURST,
            last: now,
        }
    }

    /// Takes leave for one request, and says how long it has to wait.
    pub(super) fn take(&mut self, now: Instant) -> Duration {
        let passed = now.saturating_duration_since(self.last).as_secs_f64();
        self.last = self.last.max(now);
        self.tokens = (self.tokens + passed * RATE).min(BURST) - 1.0;
        Duration::from_secs_f64((-self.tokens / RATE).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_goes_at_once_and_the_rest_at_the_rate() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        let waits: Vec<Duration> = (0..1000).map(|_| pace.take(start)).collect();
        assert!(waits.iter().take(200).all(Duration::is_zero));
        let last = waits.last().unwrap().as_secs_f64();
        assert!((last - 1.0).abs() < 0.01, "{last}");
    }

    #[test]
    fn a_pause_fills_the_bucket_and_no_more() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        let later = start + Duration::from_secs(3600);
        let free = (0..1000).filter(|_| pace.take(later).is_zero()).count();
        assert_eq!(free, 200);
    }
}
