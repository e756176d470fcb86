//! The state of one tunnel endpoint.

use std::time::Duration;

use serde::Serialize;

use super::{Evidence, Health, doubled};

/// When a tunnel endpoint is given up, and when it is trusted again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dampening {
    /// Consecutive failures that make it `Down`. 0 counts as 1. A recovering one needs only one.
    /// A failure is a whole connection lost or refused, so one is already a strong word.
    pub fail_after: u32,
    /// Time of uninterrupted health before it is preferred again.
    pub hold_down: Duration,
    /// The hold-down doubles with each flap, up to this. After this long in good health, flaps are forgotten.
    /// Less than `hold_down` counts as `hold_down`: no doubling.
    pub max_hold_down: Duration,
}

impl Default for Dampening {
    /// One failure; one minute, doubling up to twenty (the defaults of `WANPolicy.spec.failover`).
    fn default() -> Self {
        Self {
            fail_after: 1,
            hold_down: Duration::from_secs(60),
            max_hold_down: Duration::from_secs(20 * 60),
        }
    }
}

/// State of one tunnel endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TunnelState {
    /// Now.
    pub health: Health,
    /// Since when, on the caller's clock.
    pub since: Duration,
    /// Failures since the last answer.
    pub failures: u32,
    /// How often it went from working to `Down` in short succession.
    pub flaps: u32,
}

impl TunnelState {
    /// An endpoint about which nothing is known yet.
    #[must_use]
    pub const fn new(now: Duration) -> Self {
        Self {
            health: Health::Unknown,
            since: now,
            failures: 0,
            flaps: 0,
        }
    }

    /// The state after one piece of evidence. `now` never goes back.
    ///
    /// One that was down must answer for its hold-down before it is preferred again, and longer each time, so that a
    /// path that comes and goes is not followed at every turn.
    #[must_use]
    pub fn observe(self, evidence: Evidence, now: Duration, dampening: Dampening) -> Self {
        match evidence {
            Evidence::Answered => self.answered(now, &dampening),
            Evidence::Failed => self.failed(now, &dampening),
        }
    }

    /// How long it must be recovering before it is preferred again. Zero for one that has never worked: there was
    /// nothing to flap from.
    #[must_use]
    pub fn hold_down(&self, dampening: &Dampening) -> Duration {
        match self.flaps.checked_sub(1) {
            None => Duration::ZERO,
            Some(doublings) => {
                let most = dampening.max_hold_down.max(dampening.hold_down);
                doubled(dampening.hold_down, doublings, most)
            }
        }
    }

    fn answered(self, now: Duration, dampening: &Dampening) -> Self {
        let hold_down = self.hold_down(dampening);
        let health = match self.health {
            Health::Unknown | Health::Healthy => Health::Healthy,
            Health::Down if hold_down.is_zero() => Health::Healthy,
            Health::Recovering if now.saturating_sub(self.since) >= hold_down => Health::Healthy,
            Health::Down | Health::Recovering => Health::Recovering,
        };
        Self {
            failures: 0,
            ..self
        }
        .moved_to(health, now)
    }

    fn failed(self, now: Duration, dampening: &Dampening) -> Self {
        let failures = self.failures.saturating_add(1);
        let counted = Self { failures, ..self };
        let patience = match self.health {
            Health::Unknown | Health::Healthy => dampening.fail_after,
            Health::Recovering | Health::Down => 1,
        };
        if failures < patience {
            return counted;
        }
        let flaps = match self.health {
            Health::Healthy if now.saturating_sub(self.since) >= dampening.max_hold_down => 1,
            Health::Healthy | Health::Recovering => self.flaps.saturating_add(1),
            Health::Unknown | Health::Down => self.flaps,
        };
        Self { flaps, ..counted }.moved_to(Health::Down, now)
    }

    /// Keeps `since` when nothing changes.
    fn moved_to(self, health: Health, now: Duration) -> Self {
        let since = if health == self.health {
            self.since
        } else {
            now
        };
        Self {
            health,
            since,
            ..self
        }
    }
}

#[cfg(test)]
mod tests;
