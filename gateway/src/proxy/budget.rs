//! Retry budget: the share of active requests that may be repetitions. It keeps a fault from multiplying the load.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Repetitions that are always allowed at a time.
const LEAST: usize = 16;
/// One repetition for this many active requests.
const SHARE: usize = 5;

/// Counts active requests and repetitions.
#[derive(Debug, Clone, Default)]
pub(super) struct Budget {
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    active: AtomicUsize,
    retries: AtomicUsize,
}

/// A request that counts as active while this lives.
#[derive(Debug)]
pub(super) struct Active(Arc<Counts>);

/// A repetition that counts while this lives.
#[derive(Debug)]
pub(super) struct Retry(Arc<Counts>);

impl Budget {
    pub(super) fn begin(&self) -> Active {
        self.counts.active.fetch_add(1, Ordering::Relaxed);
        Active(Arc::clone(&self.counts))
    }

    /// One more repetition, if the budget allows it.
    pub(super) fn retry(&self) -> Option<Retry> {
        let allowed = LEAST.max(self.counts.active.load(Ordering::Relaxed) / SHARE);
        let taken = self.counts.retries.fetch_add(1, Ordering::Relaxed);
        let retry = Retry(Arc::clone(&self.counts));
        (taken < allowed).then_some(retry)
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.0.active.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Retry {
    fn drop(&mut self) {
        self.0.retries.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_repetitions_are_always_allowed() {
        let budget = Budget::default();
        let taken: Vec<_> = (0..LEAST).map(|_| budget.retry()).collect();
        assert!(taken.iter().all(Option::is_some));
        assert!(budget.retry().is_none());
    }

    #[test]
    fn a_repetition_that_ends_makes_room() {
        let budget = Budget::default();
        let mut taken: Vec<_> = (0..LEAST).map(|_| budget.retry()).collect();
        assert!(budget.retry().is_none());
        taken.pop();
        assert!(budget.retry().is_some());
    }

    #[test]
    fn many_active_requests_allow_their_share() {
        let budget = Budget::default();
        let active: Vec<_> = (0..500).map(|_| budget.begin()).collect();
        let taken: Vec<_> = (0..100).map(|_| budget.retry()).collect();
        assert!(taken.iter().all(Option::is_some));
        assert!(budget.retry().is_none());
        drop(active);
    }
}
