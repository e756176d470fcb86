//! Whether a failed attempt is tried again, and where.
//!
//! * A request that was not sent may always go elsewhere: nobody has seen it.
//! * A request that was sent is repeated only if that is idempotent (RFC 9110 §9.2.2), or if the route names the status
//!   that the failure would become.
//! * A request whose response has begun is never repeated, nor one whose body cannot be sent again.
//! * *Failover* (the next candidate of the plan) needs nothing but the above; a *retry* (the same candidate again) is
//!   bounded by the route, or by [`DEFAULT_RETRIES`]; all attempts together by [`MAX_ATTEMPTS`].

use std::time::Duration;

use http::Method;

use crate::failure::Failure;
use crate::rule::Retry;

/// Most attempts of one request, whatever its route and plan say.
pub const MAX_ATTEMPTS: u32 = 16;

/// Retries of a request whose route says nothing about retries.
pub const DEFAULT_RETRIES: u32 = 2;

/// How an attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Nothing of the request was processed: no connection, or the peer said so (`REFUSED_STREAM`, GOAWAY).
    NotSent,
    /// The connection broke after the request, or part of it, was sent.
    Broken,
    /// The attempt took longer than allowed.
    Timeout,
    /// This status came.
    Status(u16),
}

/// A failed attempt, and what is left to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempted<'a> {
    /// How it failed.
    pub cause: Cause,
    /// Whether the request may be executed twice; see [`is_idempotent`].
    pub idempotent: bool,
    /// The route's wish.
    pub retry: Option<&'a Retry>,
    /// Attempts made, this one included.
    pub attempts: u32,
    /// Whether the plan has another candidate after this one.
    pub candidate_left: bool,
    /// Whether a byte of a response went to the client.
    pub response_begun: bool,
    /// Whether the body can be sent again: there is none, nothing of it was read, or all of it is kept.
    pub replayable: bool,
}

/// What to do after a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The same candidate again; another endpoint of it, where there is one.
    RetrySame,
    /// The plan's next candidate.
    NextCandidate,
    /// The failure, or the status that came, is the answer.
    GiveUp,
}

/// Decides what follows a failed attempt.
#[must_use]
pub fn next(attempted: &Attempted<'_>) -> Next {
    if attempted.response_begun || !attempted.replayable || attempted.attempts >= MAX_ATTEMPTS {
        return Next::GiveUp;
    }
    let named = names(attempted.retry, attempted.cause);
    let (may_fail_over, may_retry) = match attempted.cause {
        Cause::NotSent => (true, true),
        Cause::Broken => (attempted.idempotent || named, attempted.idempotent || named),
        // A slow backend is not helped by the same request once more, unless the route says so.
        Cause::Timeout => (
            attempted.idempotent || named,
            attempted.retry.is_some() && attempted.idempotent || named,
        ),
        Cause::Status(_) => (named && retries_left(attempted), named),
    };
    if may_fail_over && attempted.candidate_left {
        Next::NextCandidate
    } else if may_retry && retries_left(attempted) {
        Next::RetrySame
    } else {
        Next::GiveUp
    }
}

/// Whether the route names the status that this failure is, or would become.
fn names(retry: Option<&Retry>, cause: Cause) -> bool {
    let code = match cause {
        Cause::NotSent | Cause::Broken => Failure::Upstream.status(),
        Cause::Timeout => Failure::Timeout.status(),
        Cause::Status(code) => code,
    };
    retry.is_some_and(|r| r.codes.contains(&code))
}

/// `attempts` of a route counts retries (GEP-1731): the first attempt is not one.
fn retries_left(attempted: &Attempted<'_>) -> bool {
    let allowed = attempted.retry.map_or(DEFAULT_RETRIES, |r| r.attempts);
    attempted.attempts.saturating_sub(1) < allowed
}

/// Methods that change nothing (RFC 9110 §9.2.1).
#[must_use]
pub fn is_safe(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE].contains(method)
}

/// Methods that may be executed twice (RFC 9110 §9.2.2).
#[must_use]
pub fn is_idempotent(method: &Method) -> bool {
    is_safe(method) || [Method::PUT, Method::DELETE].contains(method)
}

/// First pause where the route names none.
const FIRST_PAUSE: Duration = Duration::from_millis(25);

/// A pause grows to at most this many times the first.
const MOST_PAUSE: u32 = 10;

/// The pause before a retry of the same candidate. `retries` counts those made before it; `draw(n)` returns a number
/// below `n`, and is only called with `n > 0`.
///
/// With a backoff of the route: never less (GEP-1731: "minimum duration"), doubling up to ten times, plus up to half of it
/// at random. Without: none before the first, then random from nothing up to 25 ms, 50 ms … 250 ms.
#[must_use]
pub fn pause(retry: Option<&Retry>, retries: u32, draw: &mut impl FnMut(u64) -> u64) -> Duration {
    let grown = |base: Duration, doublings: u32| {
        let factor = 1_u32.checked_shl(doublings).unwrap_or(MOST_PAUSE);
        base.saturating_mul(factor.min(MOST_PAUSE))
    };
    match (retry.and_then(|r| r.backoff), retries.checked_sub(1)) {
        (Some(base), _) => {
            let pause = grown(base, retries);
            pause.saturating_add(random(pause / 2, draw))
        }
        (None, None) => Duration::ZERO,
        (None, Some(doublings)) => random(grown(FIRST_PAUSE, doublings), draw),
    }
}

/// A random time up to `most`.
fn random(most: Duration, draw: &mut impl FnMut(u64) -> u64) -> Duration {
    let micros = u64::try_from(most.as_micros()).unwrap_or(u64::MAX - 1);
    Duration::from_micros(draw(micros.saturating_add(1)))
}

/// Bounds retries to a share of the requests in flight, so that a failing backend is not drowned by its own clients.
/// Failover of a request that was not sent needs no budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryBudget {
    /// Retries in flight, in percent of all requests in flight.
    pub percent: u32,
    /// This many retries at a time are always allowed.
    pub floor: u32,
}

impl Default for RetryBudget {
    /// 20 percent, and three at any time.
    fn default() -> Self {
        Self {
            percent: 20,
            floor: 3,
        }
    }
}

impl RetryBudget {
    /// Whether one more retry may start.
    #[must_use]
    pub fn allows(&self, requests_in_flight: usize, retries_in_flight: usize) -> bool {
        let floor = usize::try_from(self.floor).unwrap_or(usize::MAX);
        let percent = usize::try_from(self.percent).unwrap_or(usize::MAX);
        retries_in_flight < floor.max(requests_in_flight.saturating_mul(percent) / 100)
    }
}

#[cfg(test)]
mod tests;
