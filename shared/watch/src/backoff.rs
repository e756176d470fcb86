//! When something that failed is tried again. Pure: randomness is an argument.

use std::time::Duration;

/// The times of a watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Pause after the first failure; it doubles with each further one.
    pub first: Duration,
    /// Longest pause. A quarter less to nothing is taken off at random, so that not all come back at once.
    pub longest: Duration,
    /// A page of a list, and the beginning of a watch, must be there within this time.
    pub answer: Duration,
    /// A watch lasts this long, and up to half as long again, before it is renewed. Whole seconds, 1–190. One that
    /// goes silent is noticed soon after.
    pub watch: Duration,
    /// A watch that lasted this long was a good one, whatever it brought: the pauses begin anew.
    pub steady: Duration,
    /// A kind that the API server does not serve is looked for again after this time.
    pub absent: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(100),
            longest: Duration::from_secs(10),
            answer: Duration::from_secs(20),
            watch: Duration::from_secs(60),
            steady: Duration::from_secs(2),
            absent: Duration::from_secs(5),
        }
    }
}

/// The pauses after failures in a row.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    pace: Pace,
    failures: u32,
}

impl Backoff {
    pub(crate) const fn new(pace: Pace) -> Self {
        Self { pace, failures: 0 }
    }

    /// Something went well.
    pub(crate) const fn reset(&mut self) {
        self.failures = 0;
    }

    /// The pause after one more failure; `random` is from 0 to 1.
    pub(crate) fn next(&mut self, random: f64) -> Duration {
        let doubled = 2_u32.saturating_pow(self.failures.min(16));
        let full = self
            .pace
            .first
            .saturating_mul(doubled)
            .min(self.pace.longest);
        self.failures = self.failures.saturating_add(1);
        full.mul_f64(1.0 - random.clamp(0.0, 1.0) / 4.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_begin_anew_after_success() {
        let mut backoff = Backoff::new(Pace::default());
        let pauses: Vec<u128> = (0..9).map(|_| backoff.next(0.0).as_millis()).collect();
        assert_eq!(
            pauses,
            [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]
        );
        backoff.reset();
        assert_eq!(backoff.next(0.0), Duration::from_millis(100));
    }

    #[test]
    fn a_pause_is_never_zero_and_never_above_the_longest() {
        let mut backoff = Backoff::new(Pace::default());
        for i in 0..1000 {
            let pause = backoff.next(f64::from(i % 11) / 10.0);
            assert!(pause >= Duration::from_millis(75) && pause <= Duration::from_secs(10));
        }
    }
}
