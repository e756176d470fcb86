//! Passive ejection of an ordinary endpoint.

use std::time::Duration;

use serde::Serialize;

use super::{Evidence, doubled};

/// Failures in a row after which an ordinary endpoint is ejected.
const EJECT_AFTER: u32 = 3;
/// First ejection; it doubles with each failed probe.
const FIRST_EJECTION: Duration = Duration::from_secs(1);
/// Longest ejection.
const LONGEST_EJECTION: Duration = Duration::from_secs(30);

/// State of one ordinary endpoint: connect failures and broken connections in a row. Statuses of responses never count.
///
/// *Healthy* while `ejected_until` is None; *ejected* until that time; then *probing*: one request goes there, and its
/// outcome decides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct EndpointState {
    /// Failures since the last answer, those during an ejection not counted.
    pub failures: u32,
    /// Set aside until then, on the caller's clock. None: in use.
    pub ejected_until: Option<Duration>,
    /// The one request that finds out is on its way.
    pub probing: bool,
}

/// Whether a request may use an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Yes.
    Ordinary,
    /// Yes, as the one probe: [`EndpointState::probe`] is the state from now on.
    Probe,
    /// No.
    Refused,
}

impl EndpointState {
    /// The state after `evidence` at `now`. An answer forgives everything.
    ///
    /// Failures during an ejection are requests of before it, or sent because everything was ejected: no news. So a
    /// hundred requests that break with one process count as one ejection, not as a hundred.
    #[must_use]
    pub fn observe(self, evidence: Evidence, now: Duration) -> Self {
        match evidence {
            Evidence::Answered => Self::default(),
            Evidence::Failed if self.is_ejected(now) && !self.probing => self,
            Evidence::Failed => {
                let failures = self.failures.saturating_add(1);
                let ejected_until = failures.checked_sub(EJECT_AFTER).map(|times| {
                    now.saturating_add(doubled(FIRST_EJECTION, times, LONGEST_EJECTION))
                });
                Self {
                    failures,
                    ejected_until,
                    probing: false,
                }
            }
        }
    }

    /// Whether a request may use the endpoint at `now`.
    #[must_use]
    pub fn admits(self, now: Duration) -> Admission {
        match self.ejected_until {
            None => Admission::Ordinary,
            Some(until) if now >= until && !self.probing => Admission::Probe,
            Some(_) => Admission::Refused,
        }
    }

    /// The state while the one probe is on its way.
    #[must_use]
    pub const fn probe(self) -> Self {
        Self {
            probing: true,
            ..self
        }
    }

    /// The state after a request that tells nothing, because its client went away: another may probe.
    #[must_use]
    pub const fn abandoned(self) -> Self {
        Self {
            probing: false,
            ..self
        }
    }

    /// Whether it is set aside at `now`. After that time one failure ejects it anew, for longer.
    #[must_use]
    pub fn is_ejected(self, now: Duration) -> bool {
        self.ejected_until.is_some_and(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::{Admission, EndpointState, LONGEST_EJECTION};
    use crate::health::Evidence::{self, Answered, Failed};

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn after(evidence: &[Evidence], now: Duration) -> EndpointState {
        evidence
            .iter()
            .fold(EndpointState::default(), |state, e| state.observe(*e, now))
    }

    #[test]
    fn failures_in_a_row_eject_and_an_answer_forgives() {
        let two = after(&[Failed, Failed, Answered, Failed, Failed], s(1));
        assert_eq!(two.admits(s(1)), Admission::Ordinary);
        let three = two.observe(Failed, s(3));
        assert_eq!(
            (three.ejected_until, three.admits(s(3))),
            (Some(s(4)), Admission::Refused)
        );
        assert!(three.is_ejected(s(3)) && !three.is_ejected(s(4)));
        assert_eq!(three.observe(Answered, s(3)), EndpointState::default());
    }

    #[test]
    fn one_probe_goes_out_when_the_time_is_over() {
        let ejected = after(&[Failed; 3], s(10));
        assert_eq!(
            ejected.admits(Duration::from_millis(10_999)),
            Admission::Refused
        );
        assert_eq!(ejected.admits(s(11)), Admission::Probe);
        assert_eq!(ejected.probe().admits(s(99)), Admission::Refused);
        assert_eq!(ejected.probe().abandoned().admits(s(11)), Admission::Probe);
        assert_eq!(
            ejected.probe().observe(Answered, s(11)).admits(s(11)),
            Admission::Ordinary
        );
    }

    #[test]
    fn failed_probes_double_the_time_up_to_the_cap() {
        let mut state = after(&[Failed; 3], s(10));
        for want in [2, 4, 8, 16, 30, 30] {
            let now = state.ejected_until.unwrap();
            state = state.probe().observe(Failed, now);
            assert_eq!(state.ejected_until, Some(now + s(want)));
        }
        let worst = EndpointState {
            failures: u32::MAX,
            ..state.probe()
        };
        assert_eq!(
            worst.observe(Failed, s(0)).ejected_until,
            Some(LONGEST_EJECTION)
        );
    }

    #[test]
    fn requests_that_break_together_are_one_ejection() {
        let state = after(&[Failed; 100], s(10));
        assert_eq!(state.ejected_until, Some(s(11)));
    }

    proptest! {
        #[test]
        fn an_endpoint_is_never_locked_out_for_longer_than_the_cap(
            events in proptest::collection::vec((0..4_u8, 0..40_u64), 0..100),
        ) {
            let (mut state, mut now) = (EndpointState::default(), s(0));
            for (event, pause) in events {
                now += s(pause);
                state = match event {
                    0 => state.observe(Answered, now),
                    1 => state.abandoned(),
                    2 if state.admits(now) == Admission::Probe => state.probe(),
                    _ => state.observe(Failed, now),
                };
                prop_assert!(state.ejected_until.unwrap_or_default() <= now + LONGEST_EJECTION);
                if !state.probing {
                    prop_assert_ne!(state.admits(now + LONGEST_EJECTION), Admission::Refused);
                }
            }
        }
    }
}
