//! `BackendTLSPolicy`: one entry in `status.ancestors` for each of our Gateways whose routes refer to its Services.

use std::collections::{BTreeMap, BTreeSet};

use mcwan_gateway_api::backendtlspolicies::BackendTlsPolicy;
use serde_json::{Value, json};

use super::condition::{Said, Verdict};
use super::routes::parents::{Names, Parents};
use super::target::Target;
use super::{StatusWrite, World};
use crate::object::{Key, reference};
use crate::translate::GATEWAY_GROUP;

/// `ancestorRef`, and most entries (`PolicyStatus.ancestors`).
const ANCESTORS: Names = Names {
    reference: "ancestorRef",
    most: 16,
};

/// The statuses of all policies that a route of ours makes use of, or did.
pub(super) fn statuses(world: &World<'_>) -> Vec<StatusWrite> {
    let policies = &world.facts.snapshot.backend_tls_policies;
    if policies.is_empty() {
        return Vec::new();
    }
    let users = users(world);
    let policies = policies.iter();
    policies
        .filter_map(|((namespace, _), policy)| {
            let services = policy.spec.target_refs.iter();
            let services = services.filter(|t| t.group.is_empty() && t.kind == "Service");
            let keys = services.map(|t| (namespace.clone(), t.name.clone()));
            let gateways = keys.filter_map(|key| users.get(&key)).flatten();
            status(world, policy, &gateways.cloned().collect())
        })
        .collect()
}

/// The Gateways whose routes refer to a Service.
fn users(world: &World<'_>) -> BTreeMap<Key, BTreeSet<Key>> {
    let facts = &world.facts.translation.facts;
    let mut users: BTreeMap<Key, BTreeSet<Key>> = BTreeMap::new();
    macro_rules! of_kind {
        ($($field:ident),+) => { $(
            for ((namespace, _), route) in &world.facts.snapshot.$field {
                let Some(parents) = facts.routes.get(&reference(route.as_ref())) else {
                    continue;
                };
                let attached = parents.iter().flatten().flat_map(|p| &p.listeners);
                let gateways: BTreeSet<Key> = attached.map(|l| l.gateway.clone()).collect();
                for rule in route.spec.rules.iter().flatten() {
                    for to in rule.backend_refs.iter().flatten() {
                        let is_service = to.group.as_deref().is_none_or(str::is_empty)
                            && to.kind.as_deref().is_none_or(|k| k == "Service");
                        let of = to.namespace.as_ref().unwrap_or(namespace);
                        if is_service {
                            let key = (of.clone(), to.name.clone());
                            users
                                .entry(key)
                                .or_default()
                                .extend(gateways.iter().cloned());
                        }
                    }
                }
            }
        )+ };
    }
    of_kind!(http_routes, grpc_routes);
    users
}

fn status(
    world: &World<'_>,
    policy: &BackendTlsPolicy,
    gateways: &BTreeSet<Key>,
) -> Option<StatusWrite> {
    let mut target = Target::of(policy, &policy.status, &world.now);
    let before = target.list("ancestors").to_vec();
    let namespace = target.object.namespace.clone();
    let mut ancestors = Parents::named(&before, &namespace, ANCESTORS);
    if gateways.is_empty() && !ancestors.has_own() {
        return None;
    }
    let found = world.problems.on(&target.object);
    let said = Said::new()
        .say(
            "Accepted",
            found
                .beside(&["ResolvedRefs"])
                .verdict(Verdict::yes("Accepted", "the policy is in force")),
        )
        .say(
            "ResolvedRefs",
            found
                .about("ResolvedRefs")
                .verdict(Verdict::yes("ResolvedRefs", "all references are found")),
        );
    for (namespace, name) in gateways {
        let reference: Value = json!({
            "group": GATEWAY_GROUP, "kind": "Gateway", "name": name, "namespace": namespace,
        });
        let conditions = said.merged(ancestors.conditions(&reference), &target.stamp);
        ancestors.put(&reference, &conditions);
    }
    target.set("ancestors", ancestors.into_value());
    target.write()
}
