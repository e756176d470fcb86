//! Endpoint choice inside a backend: the better of two drawn ones (P2C).

use std::time::Duration;

/// Latencies below this are equal.
pub const LATENCY_STEP: Duration = Duration::from_millis(2);

/// What an endpoint is good for, for one request, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Preference {
    /// Healthy, and not tried yet by this request.
    Fit,
    /// Healthy as far as is known, but this request has failed there.
    Tried,
    /// Ejected or down: only when there is nothing else.
    LastResort,
}

/// Load of an endpoint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// Requests in flight.
    pub in_flight: u32,
    /// Average latency; zero when unknown, which is worth a try.
    pub latency: Duration,
}

impl Load {
    /// What one more request costs there: (in flight + 1) · latency. Without latency the requests in flight decide.
    ///
    /// Latencies count in steps of two from [`LATENCY_STEP`]: two replicas that differ by noise cost the same, and the
    /// draw shares requests between them instead of giving all to the one that was a little faster last time.
    #[must_use]
    pub fn cost(&self) -> u128 {
        let latency = self.latency.as_nanos().max(1);
        let step = LATENCY_STEP.as_nanos();
        let graded = if latency <= 1 {
            1
        } else {
            1 << latency.max(step).ilog2()
        };
        (u128::from(self.in_flight) + 1) * graded
    }
}

/// Chooses one of `count` endpoints: draws two of the best preference there is, and takes the one of less cost.
///
/// `preference` is None for what must not be chosen at all. `draw(n)` returns a number below `n`, and is only called
/// with `n > 0`. In the ordinary case, where the two that are drawn are [`Preference::Fit`], the cost does not depend
/// on `count`. None when nothing may be chosen.
#[must_use]
pub fn choose(
    count: usize,
    preference: impl Fn(usize) -> Option<Preference>,
    load: impl Fn(usize) -> Load,
    draw: &mut impl FnMut(u64) -> u64,
) -> Option<usize> {
    let lighter = |(a, b): (usize, usize)| {
        if load(b).cost() < load(a).cost() {
            b
        } else {
            a
        }
    };
    let fit = |index: usize| preference(index) == Some(Preference::Fit);
    if let Some(pair) = pair(count, draw).filter(|(a, b)| fit(*a) && fit(*b)) {
        return Some(lighter(pair));
    }
    let best = (0..count).filter_map(&preference).min()?;
    let nth = |n: usize| (0..count).filter(|i| preference(*i) == Some(best)).nth(n);
    let members = (0..count).filter(|i| preference(*i) == Some(best)).count();
    match pair(members, draw) {
        Some((a, b)) => Some(lighter((nth(a)?, nth(b)?))),
        None => nth(0),
    }
}

/// Two different numbers below `count`, each pair as likely, in random order. None when there are not two.
fn pair(count: usize, draw: &mut impl FnMut(u64) -> u64) -> Option<(usize, usize)> {
    if count < 2 {
        return None;
    }
    let mut below = |n: usize| usize::try_from(draw(u64::try_from(n).ok()?)).ok();
    let first = below(count)?;
    let second = below(count - 1)?;
    // The second is drawn from those without the first.
    Some((first, if second >= first { second + 1 } else { second }))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::{Load, Preference, choose, pair};

    fn seeded(mut state: u64) -> impl FnMut(u64) -> u64 {
        move |n| {
            assert!(n > 0, "nothing to draw from");
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) % n
        }
    }

    fn load(in_flight: u32, ms: u64) -> Load {
        Load {
            in_flight,
            latency: Duration::from_millis(ms),
        }
    }

    /// Shares of 10,000 choices.
    fn shares(preferences: &[Option<Preference>], loads: &[Load]) -> Vec<u32> {
        let mut draw = seeded(11);
        let mut counts = vec![0; loads.len()];
        for _ in 0..10_000 {
            if let Some(i) = choose(loads.len(), |i| preferences[i], |i| loads[i], &mut draw) {
                counts[i] += 1;
            }
        }
        counts
    }

    #[test]
    fn equal_endpoints_share_equally() {
        let counts = shares(&[Some(Preference::Fit); 4], &[load(3, 5); 4]);
        assert!(counts.iter().all(|c| c.abs_diff(2500) < 250), "{counts:?}");
    }

    #[test]
    fn the_worst_of_all_is_never_taken_while_there_are_two() {
        let fit = [Some(Preference::Fit); 3];
        assert_eq!(shares(&fit, &[load(0, 5), load(0, 5), load(9, 5)])[2], 0);
        assert_eq!(shares(&fit, &[load(1, 5), load(1, 5), load(0, 50)])[2], 0);
    }

    #[test]
    fn a_little_latency_more_or_less_changes_nothing() {
        let fit = [Some(Preference::Fit); 2];
        let micros = |n| Load {
            in_flight: 0,
            latency: Duration::from_micros(n),
        };
        for pair in [[micros(200), micros(900)], [micros(40_000), micros(50_000)]] {
            let counts = shares(&fit, &pair);
            assert!(counts[0].abs_diff(5000) < 400, "{counts:?}");
        }
        assert_eq!(shares(&fit, &[micros(5_000), micros(50_000)])[1], 0);
    }

    #[test]
    fn requests_in_flight_count_times_latency() {
        assert!(load(0, 40).cost() < load(9, 5).cost());
        assert!(load(0, 40).cost() > load(6, 5).cost());
        assert!(load(0, 0).cost() < load(1, 0).cost());
        assert!(load(u32::MAX, u64::MAX / 1000).cost() > load(0, 1).cost());
    }

    #[test]
    fn the_ejected_are_taken_only_when_all_are() {
        let (fit, last) = (Some(Preference::Fit), Some(Preference::LastResort));
        let idle = [load(0, 1); 3];
        assert_eq!(shares(&[last, fit, last], &idle), [0, 10_000, 0]);
        assert_eq!(shares(&[None, last, None], &idle), [0, 10_000, 0]);
        let counts = shares(&[last; 3], &idle);
        assert!(counts.iter().all(|c| c.abs_diff(3333) < 300), "{counts:?}");
    }

    #[test]
    fn the_tried_come_before_the_ejected() {
        let preferences = [Some(Preference::LastResort), Some(Preference::Tried), None];
        assert_eq!(shares(&preferences, &[load(0, 1); 3]), [0, 10_000, 0]);
    }

    #[test]
    fn nothing_is_chosen_from_nothing() {
        assert_eq!(
            choose(0, |_| Some(Preference::Fit), |_| load(0, 0), &mut seeded(1)),
            None
        );
        assert_eq!(choose(3, |_| None, |_| load(0, 0), &mut seeded(1)), None);
    }

    proptest! {
        #[test]
        fn a_pair_is_two_different_ones(count in 2..50_usize, seed in 1..u64::MAX) {
            let (a, b) = pair(count, &mut seeded(seed)).unwrap();
            prop_assert!(a != b && a < count && b < count);
        }

        #[test]
        fn the_choice_has_the_best_preference(
            preferences in proptest::collection::vec(
                proptest::option::of(proptest::sample::select(
                    &[Preference::Fit, Preference::Tried, Preference::LastResort][..],
                )),
                0..8,
            ),
            seed in 1..u64::MAX,
        ) {
            let chosen = choose(preferences.len(), |i| preferences[i], |_| load(0, 1), &mut seeded(seed));
            let best = preferences.iter().flatten().min();
            prop_assert_eq!(chosen.map(|i| preferences[i]), best.map(|b| Some(*b)));
        }
    }
}
