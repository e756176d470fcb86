//! WAN policies.

use serde_json::json;

use super::condition::{Said, Verdict};
use super::target::Target;
use super::{StatusWrite, World};
use crate::names::{EGRESS, INGRESS, NAMESPACE};
use crate::object::Key;
use crate::policy::{Accepted, accepted};

/// The statuses of all policies.
pub(super) fn statuses(world: &World<'_>) -> Vec<StatusWrite> {
    let snapshot = world.facts.snapshot;
    let (in_force, _) = accepted(snapshot);
    let policies = snapshot.wan_policies.iter();
    policies
        .filter_map(|((_, name), policy)| {
            let mut target = Target::of(policy.as_ref(), &policy.status, &world.now);
            let found = world.problems.on(&target.object);
            let agreed = match world.facts.peers.len() {
                0 => "no peer is linked",
                _ => "the peers that are known have the same port and tunnel",
            };
            let in_force = in_force.iter().find(|p| p.name == *name);
            let said = Said::new()
                .say(
                    "Accepted",
                    found
                        .beside(&["Consistent", "Programmed"])
                        .verdict(Verdict::yes("Accepted", "the policy is in force")),
                )
                .say(
                    "Consistent",
                    found
                        .about("Consistent")
                        .verdict(Verdict::yes("Consistent", agreed)),
                )
                .say("Programmed", programmed(world, &target, in_force));
            target.say(&said);
            if let Some(generation) = target.stamp.generation {
                target.set("observedGeneration", json!(generation));
            }
            target.write()
        })
        .collect()
}

/// A policy is programmed when both gateways work with it, and the one that faces the WAN accepts connections on its port.
fn programmed(world: &World<'_>, target: &Target, policy: Option<&Accepted>) -> Verdict {
    let Some(policy) = policy else {
        return Verdict::no("Invalid", "the policy is not in force");
    };
    let gateways = [INGRESS, EGRESS].map(|name| (NAMESPACE.to_owned(), name.to_owned()));
    let missing = gateways
        .iter()
        .find(|g| !world.facts.snapshot.gateways.contains_key(*g));
    if let Some((namespace, name)) = missing {
        let message = format!("there is no Gateway {namespace}/{name} yet");
        return Verdict::new(super::Answer::Unknown, "Pending", message);
    }
    let held = target.held("Programmed");
    let verdict = world.programmed.confirm(target, &gateways, held);
    let [ingress, _]: &[Key; 2] = &gateways;
    if verdict.holds() && !held && !world.programmed.accepts(ingress, policy.port) {
        let message = format!(
            "Gateway {NAMESPACE}/{INGRESS} does not accept connections on port {} yet",
            policy.port
        );
        world.programmed.expect(ingress);
        return Verdict::new(super::Answer::Unknown, "Pending", message);
    }
    verdict
}
