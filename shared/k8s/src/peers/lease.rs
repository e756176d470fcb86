//! Whether the controller of a peer is alive.

use std::time::Duration;

use jiff::Timestamp;

/// Shortest time for which a renewal counts.
const SHORTEST: Duration = Duration::from_secs(15);
/// How much longer than its own duration a renewal counts: Leases are looked at every ten seconds or so.
const GRACE: Duration = Duration::from_secs(30);

/// A Lease as it was seen from afar. Its times are of another cluster's clock and are never compared with ours: a renewal
/// is a time that differs from the one seen before.
#[derive(Debug, Clone, Default)]
pub(super) struct Lease {
    renewed: Option<Timestamp>,
    /// Seconds since 1970 of our clock.
    fresh_until: Option<i64>,
}

impl Lease {
    /// It was read: when it was renewed, by its own clock, and for how long. `None`: there is none, or nobody holds it.
    pub(super) fn seen(&mut self, read: Option<(Timestamp, Duration)>, now: Timestamp) {
        let Some((renewed, duration)) = read else {
            *self = Self::default();
            return;
        };
        if self.renewed.is_some_and(|before| before != renewed) {
            let counts = duration.max(SHORTEST).saturating_add(GRACE).as_secs();
            let counts = i64::try_from(counts).unwrap_or(i64::MAX);
            self.fresh_until = Some(now.as_second().saturating_add(counts));
        }
        self.renewed = Some(renewed);
    }

    /// Whether it was renewed lately; `None` when it cannot be told yet.
    pub(super) fn is_fresh(&self, now: Timestamp) -> Option<bool> {
        match (self.fresh_until, self.renewed) {
            (Some(until), _) => Some(now.as_second() < until),
            (None, Some(_)) => None,
            (None, None) => Some(false),
        }
    }
}
