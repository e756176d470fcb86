//! Health as a function of evidence and time.
//!
//! A *tunnel endpoint* is one ingress gateway address of a peer under one `WANPolicy`: `Unknown → Healthy → Down →
//! Recovering → Healthy`. An ordinary endpoint is `Healthy` or `Ejected`. Times are [`Duration`]s since any fixed
//! start: the caller owns the clock.

use std::time::Duration;

use serde::Serialize;

/// Health of a candidate, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// Answers.
    Healthy,
    /// Nothing is known yet; used like `Healthy`.
    Unknown,
    /// Answers again, but not for long enough to be preferred.
    Recovering,
    /// Cannot be used.
    Down,
}

/// Evidence about a tunnel endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// A connection was made, or a PING was answered.
    Answered,
    /// A connection attempt failed, or a connection was given up (no PONG, reset, time-out).
    Failed,
}

/// State of one tunnel endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TunnelState {
    /// Now.
    pub health: Health,
    /// Since when, on the caller's clock.
    pub since: Duration,
}

impl TunnelState {
    /// Nothing is known yet.
    #[must_use]
    pub const fn new(now: Duration) -> Self {
        Self {
            health: Health::Unknown,
            since: now,
        }
    }

    /// The state after `evidence` at `now`. A tunnel that was down must answer for `hold_down` before it is preferred
    /// again, so a path that comes and goes is not followed at each turn.
    #[must_use]
    pub fn observe(self, evidence: Evidence, now: Duration, hold_down: Duration) -> Self {
        let health = match (evidence, self.health) {
            (Evidence::Failed, _) => Health::Down,
            (Evidence::Answered, Health::Unknown | Health::Healthy) => Health::Healthy,
            (Evidence::Answered, Health::Down) if hold_down.is_zero() => Health::Healthy,
            (Evidence::Answered, Health::Down) => Health::Recovering,
            (Evidence::Answered, Health::Recovering) => {
                if now.saturating_sub(self.since) >= hold_down {
                    Health::Healthy
                } else {
                    Health::Recovering
                }
            }
        };
        if health == self.health {
            return self;
        }
        Self { health, since: now }
    }
}

/// Failures in a row after which an ordinary endpoint is ejected.
const EJECT_AFTER: u32 = 3;
/// First ejection, and the longest.
const FIRST_EJECTION: Duration = Duration::from_secs(1);
const LONGEST_EJECTION: Duration = Duration::from_secs(30);

/// State of one ordinary endpoint: connect failures and broken connections in a row. Statuses of responses never count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct EndpointState {
    /// Failures since the last answer.
    pub failures: u32,
    /// Set aside until then, on the caller's clock. None: in use.
    pub ejected_until: Option<Duration>,
}

impl EndpointState {
    /// The state after `evidence` at `now`. Each failure beyond the third in a row doubles the time of ejection.
    #[must_use]
    pub fn observe(self, evidence: Evidence, now: Duration) -> Self {
        match evidence {
            Evidence::Answered => Self::default(),
            Evidence::Failed => {
                let failures = self.failures.saturating_add(1);
                let ejected_until = failures.checked_sub(EJECT_AFTER).map(|times| {
                    now + FIRST_EJECTION
                        .saturating_mul(1 << times.min(10))
                        .min(LONGEST_EJECTION)
                });
                Self {
                    failures,
                    ejected_until,
                }
            }
        }
    }

    /// Whether it is set aside at `now`. After that time it takes requests again, and one failure ejects it anew.
    #[must_use]
    pub fn is_ejected(self, now: Duration) -> bool {
        self.ejected_until.is_some_and(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn after(evidence: &[(Evidence, u64)]) -> TunnelState {
        evidence
            .iter()
            .fold(TunnelState::new(Duration::ZERO), |state, (evidence, at)| {
                state.observe(*evidence, SECOND * u32::try_from(*at).unwrap(), SECOND * 10)
            })
    }

    #[test]
    fn a_tunnel_returns_only_after_its_hold_down() {
        use Evidence::{Answered, Failed};
        let cases: [(&[(Evidence, u64)], Health); 8] = [
            (&[], Health::Unknown),
            (&[(Answered, 1)], Health::Healthy),
            (&[(Failed, 1)], Health::Down),
            (&[(Answered, 1), (Failed, 2)], Health::Down),
            (&[(Failed, 1), (Answered, 2)], Health::Recovering),
            (
                &[(Failed, 1), (Answered, 2), (Answered, 11)],
                Health::Recovering,
            ),
            (
                &[(Failed, 1), (Answered, 2), (Answered, 12)],
                Health::Healthy,
            ),
            (
                &[
                    (Failed, 1),
                    (Answered, 2),
                    (Failed, 8),
                    (Answered, 9),
                    (Answered, 12),
                ],
                Health::Recovering,
            ),
        ];
        for (evidence, health) in cases {
            assert_eq!(after(evidence).health, health, "{evidence:?}");
        }
    }

    #[test]
    fn an_unchanged_state_keeps_its_time() {
        let state = after(&[(Evidence::Answered, 1), (Evidence::Answered, 5)]);
        assert_eq!(state.since, SECOND);
    }

    #[test]
    fn an_endpoint_is_ejected_after_failures_in_a_row_only() {
        let mut state = EndpointState::default();
        for evidence in [
            Evidence::Failed,
            Evidence::Failed,
            Evidence::Answered,
            Evidence::Failed,
            Evidence::Failed,
        ] {
            state = state.observe(evidence, SECOND);
            assert!(!state.is_ejected(SECOND));
        }
        state = state.observe(Evidence::Failed, SECOND);
        assert!(state.is_ejected(SECOND));
        assert!(!state.is_ejected(SECOND * 2));
        state = state.observe(Evidence::Failed, SECOND * 2);
        assert!(
            state.is_ejected(SECOND * 3),
            "the second ejection lasts longer"
        );
        assert_eq!(
            state.observe(Evidence::Answered, SECOND * 3),
            EndpointState::default()
        );
    }

    #[test]
    fn ejections_have_a_longest_time() {
        let state = (0..1000).fold(EndpointState::default(), |s, _| {
            s.observe(Evidence::Failed, SECOND)
        });
        assert_eq!(state.ejected_until, Some(SECOND * 31));
    }
}
