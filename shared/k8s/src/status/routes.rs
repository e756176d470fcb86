//! Routes of all kinds: one entry in `status.parents` for each parent that is ours.

pub(super) mod parents;

use std::collections::BTreeSet;

use serde_json::Value;

use self::parents::{Parents, reference};
use super::condition::{Said, Verdict, held};
use super::listeners::Attached;
use super::problems::Found;
use super::target::Target;
use super::{StatusWrite, World};
use crate::object::Key;
use crate::problem::Problem;
use crate::translate::facts::{AttachedListener, ParentFacts};

/// The statuses of all routes, and how many accepted routes each listener has.
pub(super) fn statuses(world: &World<'_>) -> (Vec<StatusWrite>, Attached) {
    let mut writes = Vec::new();
    let mut attached = Attached::new();
    macro_rules! of_kind {
        ($field:ident, $rules:expr) => {
            for route in world.facts.snapshot.$field.values() {
                let target = Target::of(route.as_ref(), &route.status, &world.now);
                let parents = route.spec.parent_refs.iter().flatten().map(reference);
                let parents: Vec<Value> = parents.collect();
                let route = Route {
                    world,
                    target,
                    rules: $rules(&route.spec.rules),
                };
                let (write, taken) = route.status(&parents);
                writes.extend(write);
                for listener in taken {
                    let listener = (listener.parent, listener.position);
                    *attached.entry(listener).or_default() += 1;
                }
            }
        };
    }
    // An HTTPRoute without rules has the one that its definition has by default.
    of_kind!(http_routes, |r: &Option<Vec<_>>| r
        .as_ref()
        .map_or(1, Vec::len));
    of_kind!(grpc_routes, |r: &Option<Vec<_>>| r
        .as_ref()
        .map_or(0, Vec::len));
    of_kind!(tls_routes, Vec::len);
    of_kind!(tcp_routes, Vec::len);
    of_kind!(udp_routes, Vec::len);
    (writes, attached)
}

/// A route.
struct Route<'w> {
    world: &'w World<'w>,
    target: Target,
    rules: usize,
}

/// What one parent says.
struct Judged {
    said: Said,
    accepted: bool,
}

impl Route<'_> {
    /// The status, and the listeners that count the route.
    fn status(mut self, references: &[Value]) -> (Option<StatusWrite>, BTreeSet<AttachedListener>) {
        let none = Vec::new();
        let facts = &self.world.facts.translation.facts;
        let ours = facts.routes.get(&self.target.object).unwrap_or(&none);
        let mut parents = Parents::read(self.target.list("parents"), &self.target.object.namespace);
        if ours.is_empty() && !parents.has_own() {
            return (None, BTreeSet::new());
        }
        let found = self.world.problems.on(&self.target.object);
        let mut counted = BTreeSet::new();
        for (reference, facts) in references.iter().zip(ours) {
            let Some(facts) = facts else { continue };
            let conditions = parents.conditions(reference).cloned();
            let judged = self.judge(facts, &found, conditions.as_ref());
            if judged.accepted {
                counted.extend(facts.listeners.iter().cloned());
            }
            let merged = judged.said.merged(conditions.as_ref(), &self.target.stamp);
            parents.put(reference, &merged);
        }
        let parents = parents.into_value();
        self.target.set("parents", parents);
        (self.target.write(), counted)
    }

    /// What is said of one parent, where `before` are its conditions so far.
    fn judge(&self, facts: &ParentFacts, found: &Found<'_>, before: Option<&Value>) -> Judged {
        let own = found.only(|p| p.parent == facts.label);
        let resolved = own
            .about("ResolvedRefs")
            .verdict(Verdict::yes("ResolvedRefs", "all references are found"));
        let (accepted, partly) = self.accepted(facts, &own.beside(&["ResolvedRefs"]));
        let is_accepted = accepted.holds();
        let programmed = is_accepted.then(|| {
            let held = before.is_some_and(|b| held(b, "Programmed", self.target.stamp.generation));
            let gateways: BTreeSet<&Key> = facts.listeners.iter().map(|l| &l.gateway).collect();
            self.world.programmed.confirm(&self.target, gateways, held)
        });
        Judged {
            said: Said::new()
                .say("Accepted", accepted)
                .say("ResolvedRefs", resolved)
                .maybe("PartiallyInvalid", partly)
                .maybe("Programmed", programmed),
            accepted: is_accepted,
        }
    }

    /// `Accepted`, and `PartiallyInvalid` where that is to be said. A route that no listener takes is not accepted, nor is
    /// one none of whose rules can be served.
    fn accepted(&self, facts: &ParentFacts, own: &Found<'_>) -> (Verdict, Option<Verdict>) {
        let otherwise = Verdict::yes("Accepted", "the route is attached");
        if facts.listeners.is_empty() {
            let refused = own.only(|p| p.field.starts_with("spec.parentRefs["));
            let refused = if refused.is_empty() { own } else { &refused };
            return (refused.verdict(Verdict::default()), None);
        }
        let errors = own.errors();
        let dropped: BTreeSet<usize> = errors.iter().filter_map(dropped_rule).collect();
        if !dropped.is_empty() && dropped.len() >= self.rules {
            return (errors.verdict(otherwise), None);
        }
        let in_rules = errors.only(|p| p.field.starts_with("spec.rules["));
        let partly = in_rules.reason().map(|_| {
            let which = listed(in_rules.iter().filter_map(rule_of));
            let message = format!(
                "Dropped Rule {which}, whole or in part. {}",
                in_rules.told()
            );
            Verdict::yes("UnsupportedValue", message)
        });
        let rest = own.only(|p| !p.field.starts_with("spec.rules["));
        (otherwise.and(&rest.told()), partly)
    }
}

/// The rule that a problem is in.
fn rule_of(problem: &Problem) -> Option<usize> {
    let rest = problem.field.strip_prefix("spec.rules[")?;
    rest.split_once(']')?.0.parse().ok()
}

/// The rule whose requests are not served as they should be because of a problem: its matches or its filters cannot be
/// used. A bad time limit, retry or weight leaves the rule in force.
fn dropped_rule(problem: &Problem) -> Option<usize> {
    let place = problem.field.split_once("].")?.1;
    let whole =
        place.starts_with("filters") || place.starts_with("matches") || place == "backendRefs";
    rule_of(problem).filter(|_| whole)
}

fn listed(rules: impl Iterator<Item = usize>) -> String {
    let rules: BTreeSet<usize> = rules.collect();
    let rules: Vec<String> = rules.iter().map(usize::to_string).collect();
    rules.join(", ")
}
