//! Retry budget: the share of active requests that may be repetitions. It keeps a fault from multiplying the load.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mcwan_routing::retry::RetryBudget;

/// Counts active requests and repetitions.
#[derive(Debug, Clone, Default)]
pub(super) struct Budget {
    rule: RetryBudget,
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
        let active = self.counts.active.load(Ordering::Relaxed);
        let retries = self.counts.retries.fetch_add(1, Ordering::Relaxed);
        let retry = Retry(Arc::clone(&self.counts));
        self.rule.allows(active, retries).then_some(retry)
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
    fn a_repetition_that_ends_makes_room() {
        let budget = Budget::default();
        let _active = budget.begin();
        let mut taken = Vec::new();
        while let Some(retry) = budget.retry() {
            taken.push(retry);
            assert!(taken.len() < 100, "no bound");
        }
        assert!(budget.retry().is_none());
        taken.pop();
        assert!(budget.retry().is_some());
    }

    /// Repetitions at a time.
    fn allowed(budget: &Budget) -> usize {
        let mut taken = Vec::new();
        while let Some(retry) = budget.retry() {
            taken.push(retry);
        }
        taken.len()
    }

    #[test]
    fn more_active_requests_allow_more_repetitions() {
        let budget = Budget::default();
        let few = allowed(&budget);
        let _active: Vec<_> = (0..500).map(|_| budget.begin()).collect();
        let many = allowed(&budget);
        assert!(many > few, "{many} > {few}");
    }
}
