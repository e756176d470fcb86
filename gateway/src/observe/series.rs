//! Handles of time series, looked up once and then kept with the rule whose requests they count.
//!
//! A label lookup in a `CounterVec` hashes eight strings. Kept by (candidate, status, outcome, source), a request pays
//! for one small hash and a few atomic additions.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use mcwan_routing::plan::Candidate;
use parking_lot::RwLock;
use prometheus::{Histogram, IntCounter};

use super::outcome::Outcome;

/// What distinguishes the series of one rule's requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct RequestKey {
    pub(super) source: u16,
    /// Of a WAN listener; 0 elsewhere.
    pub(super) port: u16,
    pub(super) candidate: Option<Candidate>,
    pub(super) status: u16,
    pub(super) outcome: Outcome,
}

/// What distinguishes the series of one rule's attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct AttemptKey {
    pub(super) source: u16,
    /// Of a WAN listener; 0 elsewhere.
    pub(super) port: u16,
    pub(super) candidate: Candidate,
    pub(super) reason: &'static str,
}

/// Where a finished request is counted.
#[derive(Debug, Clone)]
pub(super) struct RequestSeries {
    pub(super) requests: IntCounter,
    pub(super) duration: Histogram,
    pub(super) received: IntCounter,
    pub(super) sent: IntCounter,
}

/// Series that one rule's requests were counted in so far. Begins empty with each table, and costs nothing then.
#[derive(Debug, Default)]
pub struct RuleMetrics {
    pub(super) requests: Cache<RequestKey, RequestSeries>,
    pub(super) attempts: Cache<AttemptKey, IntCounter>,
}

/// A map that is read by every request and written a few times in its life.
#[derive(Debug)]
pub(super) struct Cache<K, V> {
    known: RwLock<HashMap<K, V, RandomState>>,
}

impl<K, V> Default for Cache<K, V> {
    fn default() -> Self {
        Self {
            known: RwLock::default(),
        }
    }
}

impl<K: Eq + std::hash::Hash + Copy, V: Clone> Cache<K, V> {
    /// Does `with` on the value of `key`, which `make` makes the first time. Nothing when it cannot be made.
    pub(super) fn with<E>(
        &self,
        key: K,
        make: impl FnOnce() -> Result<V, E>,
        with: impl FnOnce(&V),
    ) {
        if let Some(value) = self.known.read().get(&key) {
            return with(value);
        }
        // Made outside of the lock; two at once make the same.
        if let Ok(value) = make() {
            with(&value);
            self.known.write().insert(key, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::convert::Infallible;

    use super::*;

    #[test]
    fn a_value_is_made_once_a_key() {
        let cache = Cache::<u8, u8>::default();
        let made = Cell::new(0);
        let seen = Cell::new(0);
        for key in [1, 2, 1, 1, 2] {
            let make = || {
                made.set(made.get() + 1);
                Ok::<_, Infallible>(key * 10)
            };
            cache.with(key, make, |v| seen.set(seen.get() + u32::from(*v)));
        }
        assert_eq!((made.get(), seen.get()), (2, 70));
    }

    #[test]
    fn what_cannot_be_made_is_tried_again() {
        let cache = Cache::<u8, u8>::default();
        let seen = Cell::new(false);
        cache.with(1, || Err(()), |_| seen.set(true));
        assert!(!seen.get());
        cache.with(1, || Ok::<_, ()>(1), |_| seen.set(true));
        assert!(seen.get());
    }
}
