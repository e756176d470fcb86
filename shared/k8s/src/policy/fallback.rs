//! `failover.fallback`: which entries can be used.

use std::collections::{BTreeMap, BTreeSet};

use super::{Accepted, reference_to};
use crate::problem::Problem;

/// At most so many fallbacks.
const MOST: usize = 4;

/// Leaves out, and reports, the entries that name no accepted policy, the policy itself, one that is listed before, or one
/// from which traffic would come back; and those beyond the fourth. Policies come oldest first: of a cycle, the entry
/// that closes it is left out.
pub(super) fn settle(oldest_first: &mut [Accepted], problems: &mut Vec<Problem>) {
    let names: BTreeSet<String> = oldest_first.iter().map(|p| p.name.clone()).collect();
    let mut edges: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for policy in oldest_first.iter_mut() {
        let mut kept: Vec<String> = Vec::new();
        for (i, entry) in std::mem::take(&mut policy.fallback).into_iter().enumerate() {
            let wrong = if entry == policy.name {
                "a policy cannot fall back to itself".to_owned()
            } else if !names.contains(&entry) {
                format!("there is no accepted WANPolicy {entry}")
            } else if kept.contains(&entry) {
                format!("WANPolicy {entry} is listed twice")
            } else if kept.len() == MOST {
                format!("there are more than {MOST} fallbacks")
            } else if reaches(&edges, &entry, &policy.name) {
                format!("WANPolicy {entry} falls back to this one: a cycle")
            } else {
                kept.push(entry);
                continue;
            };
            problems.push(
                Problem::error(reference_to(&policy.name), ("Accepted", "InvalidFallback"), wrong)
                    .in_field(format!("spec.failover.fallback[{i}]"))
                    .advise("the entry is left out and the policy is in force without it; correct or remove the entry"),
            );
        }
        edges.insert(policy.name.clone(), kept.clone());
        policy.fallback = kept;
    }
}

/// Whether fallbacks lead from one policy to another.
fn reaches(edges: &BTreeMap<String, Vec<String>>, from: &str, to: &str) -> bool {
    let mut seen = BTreeSet::from([from]);
    let mut next = vec![from];
    while let Some(name) = next.pop() {
        if name == to {
            return true;
        }
        let fallbacks = edges.get(name).into_iter().flatten();
        next.extend(fallbacks.map(String::as_str).filter(|f| seen.insert(f)));
    }
    false
}
