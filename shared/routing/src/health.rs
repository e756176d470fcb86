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
