//! The plan of one request: its candidates in the order in which they are tried.

use smallvec::SmallVec;

use crate::health::Health;
use crate::rule::Forward;

/// A choice of a [`Forward`], by position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Candidate {
    /// Index into `Forward::tiers`.
    pub tier: u16,
    /// Index into `Tier::choices`.
    pub choice: u16,
}

/// Candidates in order.
pub type Plan = SmallVec<[Candidate; 4]>;

/// Orders the candidates of a request.
///
/// Without failover: one choice, drawn by weight, whatever its health. With failover: usable candidates tier by tier
/// (inside a tier drawn by weight without replacement, zero weights last), then those that are only recovering or
/// violate their SLA, in the same order; those that are down are left out.
///
/// `draw(n)` returns a number below `n`; it is only called with `n > 0`. An empty plan means that nothing can take
/// the request.
#[must_use]
pub fn plan(
    forward: &Forward,
    health: impl Fn(Candidate) -> Health,
    draw: &mut impl FnMut(u64) -> u64,
) -> Plan {
    let _ = (forward, health, draw);
    todo!("plan")
}
