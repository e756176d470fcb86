//! Health as a function of evidence and time.
//!
//! A *tunnel endpoint* is one ingress gateway address of a peer under one `WANPolicy`: `Unknown → Healthy → Down →
//! Recovering → Healthy` ([`TunnelState`]). An ordinary endpoint is healthy, ejected or probing ([`EndpointState`]). Times are [`Duration`](std::time::Duration)s since any fixed start: the caller owns the clock.

mod endpoint;
mod latency;
mod tunnel;

use serde::Serialize;

pub use endpoint::{Admission, EndpointState};
pub use latency::Ewma;
pub use tunnel::{Dampening, TunnelState};

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

/// Evidence about an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// A connection was made, or a PING was answered.
    Answered,
    /// A connection attempt failed, or a connection was given up (no PONG, reset, time-out). One lost connection is one
    /// piece of evidence, however many requests it carried.
    Failed,
}

/// `base · 2^doublings`, but at most `most`.
fn doubled(
    base: std::time::Duration,
    doublings: u32,
    most: std::time::Duration,
) -> std::time::Duration {
    let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
    base.saturating_mul(factor).min(most)
}
