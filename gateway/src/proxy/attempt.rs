//! Attempts of a request: choice of the next one, report of what became of it, and whether another follows.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mcwan_routing::failure::Failure;
use mcwan_routing::retry::{self, Attempted, Cause, Next};
use smallvec::SmallVec;

use super::budget::Budget;
use super::context::{Current, RequestContext};
use crate::observe::Attempt;

/// Attempts of one request, whatever its route asks for: also Pingora's own limit.
pub const MOST: usize = retry::MAX_ATTEMPTS as usize;

/// How an attempt ended that brought no answer to pass on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// No connection: certainly nothing was sent.
    NotConnected,
    /// No connection in time.
    ConnectedLate,
    /// The far side says that it did not process the request.
    Refused,
    /// The connection broke after the request had been sent, perhaps in part.
    Broken,
    /// No answer in time.
    Late,
    /// A status that the route wants to be retried.
    Status(u16),
    /// The gateway at the far end of a tunnel had no answer from its backends.
    FarGateway,
}

impl Ended {
    /// The word for it in logs and metrics.
    const fn reason(self) -> &'static str {
        match self {
            Self::NotConnected => "connect",
            Self::ConnectedLate => "connect_timeout",
            Self::Refused => "refused",
            Self::Broken => "reset",
            Self::Late => "timeout",
            Self::Status(_) => "retry_status",
            Self::FarGateway => "far_gateway",
        }
    }

    /// What the client is told if nothing better follows.
    const fn failure(self) -> Failure {
        match self {
            Self::Late | Self::ConnectedLate => Failure::Timeout,
            Self::NotConnected
            | Self::Refused
            | Self::Broken
            | Self::Status(_)
            | Self::FarGateway => Failure::Upstream,
        }
    }

    const fn cause(self) -> Cause {
        match self {
            Self::NotConnected | Self::ConnectedLate | Self::Refused => Cause::NotSent,
            Self::Broken | Self::FarGateway => Cause::Broken,
            Self::Late => Cause::Timeout,
            Self::Status(status) => Cause::Status(status),
        }
    }

    /// Whether a backend may have acted on the request.
    fn was_sent(self) -> bool {
        self.cause() != Cause::NotSent
    }
}

/// What is known of a request when one of its attempts has failed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exchange {
    /// Whether the request may be executed twice.
    pub(super) idempotent: bool,
    /// Whether a byte of a response went to the client.
    pub(super) response_begun: bool,
    /// Whether the body can be sent again.
    pub(super) replayable: bool,
}

impl RequestContext {
    /// Begins the next attempt: the plan's next candidate that has an endpoint.
    ///
    /// # Errors
    /// The failure to answer with when there is none.
    pub(super) fn begin_attempt(&mut self) -> Result<(), Failure> {
        let live = Arc::clone(&self.live);
        let rule = |id| live.rule(id).ok_or(Failure::Internal);
        let own = self.rule.map_or(Err(Failure::Internal), rule)?;
        let chooser = self.import.as_ref().map_or(Ok(own), |i| rule(i.rule))?;
        let tried: SmallVec<[_; 4]> = self.attempts.iter().filter_map(|a| a.address).collect();
        while let Some(candidate) = self.plan.get(self.next).copied() {
            let backend = chooser.backend(candidate).ok_or(Failure::InvalidBackend)?;
            if let Some(lease) = backend.pick(&tried) {
                let now = Instant::now();
                self.current = Some(Current {
                    candidate,
                    backend: Arc::clone(backend),
                    address: lease.endpoint().address,
                    lease: Some(lease),
                    started: now,
                    deadline: own
                        .work
                        .rule
                        .timeouts
                        .backend_request
                        .map(|limit| now + limit),
                    status: 0,
                    header_after: None,
                });
                return Ok(());
            }
            self.next += 1;
        }
        // What failed before says more than that nothing is left.
        Err(self.failure.unwrap_or(Failure::NoHealthyBackend))
    }

    /// The attempt under way has a response header.
    pub(super) fn attempt_answered(&mut self, status: u16) {
        if let Some(current) = &mut self.current {
            current.status = status;
            current.header_after = Some(current.started.elapsed());
        }
    }

    /// Whether another attempt may follow the one under way, and where. Prepares for it if so.
    pub(super) fn plan_next(&mut self, exchange: Exchange, ended: Ended, budget: &Budget) -> bool {
        if self
            .deadline
            .is_some_and(|deadline| deadline <= Instant::now())
        {
            return false;
        }
        let route = self.linked().and_then(|l| l.work.rule.retry.clone());
        let made = u32::try_from(self.attempts.len())
            .unwrap_or(u32::MAX)
            .saturating_add(1);
        let next = retry::next(&Attempted {
            cause: ended.cause(),
            idempotent: exchange.idempotent,
            retry: route.as_ref(),
            attempts: made,
            candidate_left: self.next + 1 < self.plan.len(),
            response_begun: exchange.response_begun,
            replayable: exchange.replayable,
        });
        match next {
            Next::NextCandidate => {
                self.next += 1;
                self.pause = Duration::ZERO;
                true
            }
            // The far gateway has tried its backends: the same once more is of no use.
            Next::RetrySame if ended == Ended::FarGateway => false,
            Next::RetrySame => {
                self.pause =
                    retry::pause(route.as_ref(), self.retries, &mut |n| fastrand::u64(..n));
                self.retries += 1;
                self.repetition = budget.retry();
                self.repetition.is_some()
            }
            Next::GiveUp => false,
        }
    }

    /// The attempt under way is over without an answer to pass on.
    pub(super) fn attempt_failed(&mut self, ended: Ended) {
        if let Some(current) = &mut self.current
            && let Some(lease) = current.lease.take()
        {
            match ended {
                Ended::NotConnected | Ended::ConnectedLate => lease.connect_failed(),
                Ended::Broken | Ended::Late => lease.broken(),
                // The far side answered, after all.
                Ended::Refused | Ended::Status(_) | Ended::FarGateway => {
                    lease.answered(
                        current
                            .header_after
                            .unwrap_or_else(|| current.started.elapsed()),
                    );
                }
            }
        }
        self.sent |= ended.was_sent();
        self.failure = Some(ended.failure());
        self.end_attempt(ended.reason());
    }

    /// Records the attempt under way. `reason` is empty when its answer was passed on.
    pub(super) fn end_attempt(&mut self, reason: &'static str) {
        let Some(mut current) = self.current.take() else {
            return;
        };
        // An endpoint that has answered has done so whatever became of the body; one that has not is not to blame when
        // the client left.
        if let (Some(after), Some(lease)) = (current.header_after, current.lease.take()) {
            lease.answered(after);
        }
        self.attempts.push(Attempt {
            candidate: current.candidate,
            backend: current.backend,
            address: Some(current.address),
            duration: current.started.elapsed(),
            status: current.status,
            reason,
        });
    }
}
