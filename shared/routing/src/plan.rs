//! The plan of one request: its candidates in the order in which they are tried.

use smallvec::SmallVec;

use crate::failure::Failure;
use crate::health::Health;
use crate::rule::{Choice, Forward, Target, Tier};

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

/// Candidates with their weights, before they are ordered.
type Pool = SmallVec<[(Candidate, u32); 8]>;

/// Orders the candidates of a request.
///
/// Without failover: one choice, drawn by weight, whatever its health, even when its reference is invalid: each backend
/// keeps its share (Gateway API, `HTTPBackendRef.weight`). With failover: usable candidates tier by tier (inside a tier
/// drawn by weight without replacement, zero weights last), then those that are only recovering, in the same order;
/// those that are down, and invalid references, are left out.
///
/// `draw(n)` returns a number below `n`; it is only called with `n > 0`. An empty plan means that nothing can take the
/// request; [`Forward::refusal`] says why.
#[must_use]
pub fn plan(
    forward: &Forward,
    health: impl Fn(Candidate) -> Health,
    draw: &mut impl FnMut(u64) -> u64,
) -> Plan {
    let mut plan = Plan::new();
    if forward.failover {
        for usable in [is_preferred, is_recovering] {
            for (index, tier) in tiers(forward) {
                let pool = members(index, tier, |choice, candidate| {
                    is_valid(choice) && usable(health(candidate))
                });
                draw_all(pool, draw, &mut plan);
            }
        }
    } else if let Some((index, tier)) = tiers(forward).find(|(_, tier)| has_weight(tier)) {
        let mut pool = members(index, tier, |choice, _| choice.weight > 0);
        plan.extend(take_by_weight(&mut pool, draw));
    }
    plan
}

impl Forward {
    /// What a request is answered with when its plan is empty: 500 when the rule has no backend that could ever take
    /// it, 503 when they are only down.
    #[must_use]
    pub fn refusal(&self) -> Failure {
        let possible = |choice: &Choice| is_valid(choice) && (self.failover || choice.weight > 0);
        if self.tiers.iter().any(|t| t.choices.iter().any(possible)) {
            Failure::NoHealthyBackend
        } else {
            Failure::InvalidBackend
        }
    }

    /// The choice that a candidate stands for.
    #[must_use]
    pub fn choice(&self, candidate: Candidate) -> Option<&Choice> {
        self.tiers
            .get(usize::from(candidate.tier))?
            .choices
            .get(usize::from(candidate.choice))
    }
}

const fn is_preferred(health: Health) -> bool {
    matches!(health, Health::Healthy | Health::Unknown)
}

const fn is_recovering(health: Health) -> bool {
    matches!(health, Health::Recovering)
}

const fn is_valid(choice: &Choice) -> bool {
    !matches!(choice.target, Target::Invalid(_))
}

fn has_weight(tier: &Tier) -> bool {
    tier.choices.iter().any(|choice| choice.weight > 0)
}

/// Tiers with their numbers. What a `u16` cannot number is left out; API objects hold far fewer.
fn tiers(forward: &Forward) -> impl Iterator<Item = (u16, &Tier)> {
    (0..=u16::MAX).zip(&forward.tiers)
}

fn members(tier: u16, of: &Tier, admit: impl Fn(&Choice, Candidate) -> bool) -> Pool {
    (0..=u16::MAX)
        .zip(&of.choices)
        .map(|(choice, it)| (it, Candidate { tier, choice }))
        .filter(|(it, candidate)| admit(it, *candidate))
        .map(|(it, candidate)| (candidate, it.weight))
        .collect()
}

/// Moves a whole pool to the plan: weighted members first, then those without weight, each of them as likely.
fn draw_all(mut pool: Pool, draw: &mut impl FnMut(u64) -> u64, plan: &mut Plan) {
    let mut weightless: Pool = pool
        .iter()
        .filter(|(_, weight)| *weight == 0)
        .map(|(candidate, _)| (*candidate, 1))
        .collect();
    pool.retain(|(_, weight)| *weight > 0);
    for pool in [&mut pool, &mut weightless] {
        while let Some(candidate) = take_by_weight(pool, draw) {
            plan.push(candidate);
        }
    }
}

/// Takes one member out of a pool, each with a probability proportional to its weight. Weights are `u32`, so that
/// the sum of all that a `u16` can number fits in `u64`. None when there is no weight.
fn take_by_weight(pool: &mut Pool, draw: &mut impl FnMut(u64) -> u64) -> Option<Candidate> {
    let total: u64 = pool.iter().map(|(_, weight)| u64::from(*weight)).sum();
    if total == 0 {
        return None;
    }
    let mut left = if pool.len() == 1 { 0 } else { draw(total) };
    let position = pool.iter().position(|(_, weight)| {
        let weight = u64::from(*weight);
        let hit = left < weight;
        left = left.saturating_sub(weight);
        hit
    })?;
    Some(pool.remove(position).0)
}

#[cfg(test)]
mod tests;
