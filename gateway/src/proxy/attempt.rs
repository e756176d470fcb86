//! Attempts of a request: choice of the next one, report of what became of it, and whether another may follow.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mcwan_routing::failure::Failure;
use smallvec::SmallVec;

use super::budget::Budget;
use super::context::{Current, RequestContext};
use crate::observe::Attempt;

/// Attempts of one request, whatever its route asks for: also Pingora's own limit.
pub const MOST: usize = 8;

/// What is known of a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// No connection: certainly nothing was sent.
    NotConnected,
    /// The far side says that it did not process the request.
    Refused,
    /// The connection broke after the request had been sent, perhaps in part.
    Broken,
    /// No answer in time.
    Late,
    /// A status that the route wants to be retried.
    Status,
}

impl Ended {
    /// The word for it in logs and metrics.
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::NotConnected => "connect",
            Self::Refused => "refused",
            Self::Broken => "reset",
            Self::Late => "timeout",
            Self::Status => "retry_status",
        }
    }

    /// What the client is told if nothing better follows.
    pub(super) const fn failure(self) -> Failure {
        match self {
            Self::Late => Failure::Timeout,
            Self::NotConnected | Self::Refused | Self::Broken | Self::Status => Failure::Upstream,
        }
    }
}

impl RequestContext {
    /// Begins the next attempt: the plan's next candidate that has an endpoint.
    ///
    /// # Errors
    /// The failure to answer with when there is none.
    pub(super) fn begin_attempt(&mut self, budget: &Budget) -> Result<(), Failure> {
        let retry = if self.attempts.is_empty() { None } else { budget.retry() };
        let live = Arc::clone(&self.live);
        let linked = self.rule.and_then(|id| live.rule(id)).ok_or(Failure::Internal)?;
        let tried: SmallVec<[_; 4]> = self.attempts.iter().filter_map(|a| a.address).collect();
        for _ in 0..self.plan.len() {
            let candidate = self.plan.get(self.next % self.plan.len()).copied().ok_or(Failure::Internal)?;
            self.next += 1;
            let backend = linked.backend(candidate).ok_or(Failure::InvalidBackend)?;
            if let Some(lease) = backend.pick(&tried) {
                let now = Instant::now();
                self.current = Some(Current {
                    candidate,
                    backend: Arc::clone(backend),
                    address: lease.endpoint().address,
                    lease: Some(lease),
                    started: now,
                    deadline: linked.rule.timeouts.backend_request.map(|limit| now + limit),
                    status: 0,
                    header_after: None,
                    _retry: retry,
                });
                return Ok(());
            }
        }
        // What failed before says more than that nothing is left.
        Err(self.failure.unwrap_or(Failure::NoHealthyBackend))
    }

    /// The attempt under way has a response header.
    pub(super) fn attempt_answered(&mut self, status: u16) {
        let Some(current) = &mut self.current else {
            return;
        };
        current.status = status;
        current.header_after = Some(current.started.elapsed());
    }

    /// The attempt under way is over without an answer to pass on.
    pub(super) fn attempt_failed(&mut self, ended: Ended) {
        if let Some(lease) = self.current.as_mut().and_then(|c| c.lease.take()) {
            match ended {
                Ended::NotConnected => lease.connect_failed(),
                Ended::Broken | Ended::Late => lease.broken(),
                // The far side answered, after all.
                Ended::Refused | Ended::Status => lease.answered(self.current_header_after()),
            }
        }
        self.failure = Some(ended.failure());
        self.end_attempt(ended.reason());
    }

    /// Records the attempt under way. `reason` is empty when its answer was passed on.
    pub(super) fn end_attempt(&mut self, reason: &'static str) {
        let Some(current) = self.current.take() else {
            return;
        };
        
        self.attempts.push(Attempt {
            candidate: current.candidate,
            backend: current.backend,
            address: Some(current.address),
            duration: current.started.elapsed(),
            status: current.status,
            reason,
        });
    }

    fn current_header_after(&self) -> Duration {
        self.current.as_ref().and_then(|c| c.header_after.or_else(|| Some(c.started.elapsed()))).unwrap_or_default()
    }

    /// Time to wait before the next attempt.
    pub(super) fn backoff(&self) -> Option<Duration> {
        let asked = self.linked()?.rule.retry.as_ref()?.backoff;
        asked.filter(|_| !self.attempts.is_empty())
    }
}
