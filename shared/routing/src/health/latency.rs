//! Moving average of latencies.

use std::time::Duration;

use serde::Serialize;

/// An exponentially weighted moving average that jumps to peaks at once and forgets them with time (peak EWMA).
///
/// The weight of the past is `e^(-elapsed/decay)`, so an endpoint that is asked rarely does not keep an old verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Ewma {
    /// The average; zero before the first sample.
    pub mean: Duration,
    /// When the last sample came, on the caller's clock.
    pub at: Duration,
}

impl Ewma {
    /// The average after one more sample. `decay` is the time in which an old value loses two thirds of its weight;
    /// with zero, only the last sample counts.
    #[must_use]
    pub fn with(self, sample: Duration, now: Duration, decay: Duration) -> Self {
        let mean = if sample >= self.mean {
            sample
        } else {
            let past = self.value(now, decay);
            past.saturating_add(
                sample.saturating_sub(sample.mul_f64(weight(now.saturating_sub(self.at), decay))),
            )
        };
        Self { mean, at: now }
    }

    /// The average as it has faded until now, without a new sample: an endpoint nobody asked for long is worth a try.
    #[must_use]
    pub fn value(&self, now: Duration, decay: Duration) -> Duration {
        self.mean
            .mul_f64(weight(now.saturating_sub(self.at), decay))
    }
}

/// Weight of the past, from 0 to 1.
fn weight(elapsed: Duration, decay: Duration) -> f64 {
    if decay.is_zero() {
        0.0
    } else {
        (-elapsed.as_secs_f64() / decay.as_secs_f64()).exp()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::Ewma;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    const DECAY: Duration = Duration::from_secs(10);

    #[test]
    fn peaks_count_at_once_and_fade() {
        let slow = Ewma::default()
            .with(ms(5), ms(0), DECAY)
            .with(ms(500), ms(1), DECAY);
        assert_eq!(slow.mean, ms(500));
        let later = slow.with(ms(5), ms(10_001), DECAY).mean;
        assert!(later > ms(180) && later < ms(192), "{later:?}");
        assert!(slow.value(ms(60_001), DECAY) < ms(2));
    }

    #[test]
    fn without_decay_only_the_last_sample_counts() {
        let state = Ewma::default()
            .with(ms(500), ms(0), ms(0))
            .with(ms(5), ms(0), ms(0));
        assert_eq!(state.mean, ms(5));
    }

    proptest! {
        #[test]
        fn the_mean_stays_between_the_samples(samples in proptest::collection::vec((1..10_000_u64, 0..20_000_u64), 1..50)) {
            let (mut state, mut now) = (Ewma::default(), ms(0));
            for (sample, pause) in &samples {
                now += ms(*pause);
                state = state.with(ms(*sample), now, DECAY);
            }
            let least = samples.iter().map(|(s, _)| *s).min().unwrap();
            let most = samples.iter().map(|(s, _)| *s).max().unwrap();
            prop_assert!(state.mean + Duration::from_micros(1) >= ms(least) && state.mean <= ms(most), "{:?}", state);
        }
    }
}
