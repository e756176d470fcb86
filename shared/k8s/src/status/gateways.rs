//! Gateways, and the ListenerSets that they take.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use mcwan_gateway_api::gateways::Gateway;
use serde_json::{Value, json};

use super::condition::{Said, Verdict, held};
use super::listeners::{self, Attached, Owner, health};
use super::problems::Found;
use super::programmed::Unbound;
use super::target::Target;
use super::{StatusWrite, World};
use crate::object::{Key, reference};
use crate::translate::facts::{ListenerFacts, SetFacts};

/// Reasons for which a Gateway is not accepted at all. Whatever else is wrong with it, the rest of it is served.
const FATAL: [&str; 2] = ["InvalidParameters", "UnsupportedAddress"];

/// The statuses of all Gateways in scope and of their ListenerSets. `attached` counts their routes.
pub(super) fn statuses(world: &World<'_>, attached: &Attached) -> Vec<StatusWrite> {
    let facts = &world.facts.translation.facts;
    let mut writes = Vec::new();
    let mut accepted: BTreeMap<&Key, Verdict> = BTreeMap::new();
    for (key, listeners) in &facts.gateways {
        if let Some(gateway) = world.facts.snapshot.gateways.get(key) {
            let found = world.problems.on(&reference(gateway.as_ref()));
            accepted.insert(key, gateway_accepted(&found, listeners));
        }
    }
    let mut sets: BTreeMap<&Key, usize> = BTreeMap::new();
    for (key, set) in &facts.listener_sets {
        let (write, taken) = listener_set(world, (key, set), accepted.get(&set.gateway), attached);
        writes.extend(write);
        *sets.entry(&set.gateway).or_default() += usize::from(taken);
    }
    for (key, verdict) in accepted {
        let sets = sets.get(key).copied().unwrap_or_default();
        writes.extend(gateway(world, key, verdict, (attached, sets)));
    }
    writes
}

/// Whether a Gateway is accepted. Invalid listeners are not served, and the others are (`ListenersNotValid`).
fn gateway_accepted(found: &Found<'_>, listeners: &[ListenerFacts]) -> Verdict {
    let own = found.only(|p| !listeners::is_of_listener(&p.field));
    let own = own.beside(&["Programmed", "ResolvedRefs"]);
    let fatal = own.errors().only(|p| FATAL.contains(&p.reason.as_str()));
    if let Some(reason) = fatal.reason() {
        return Verdict::no(reason.to_owned(), fatal.told());
    }
    valid_listeners(found, listeners).and(&own.told())
}

/// What the listeners of an object make of its `Accepted`.
fn valid_listeners(found: &Found<'_>, listeners: &[ListenerFacts]) -> Verdict {
    let bad: Vec<&str> = listeners
        .iter()
        .filter(|l| !health(found, l.position).accepted.holds())
        .map(|l| l.name.as_str())
        .collect();
    if bad.is_empty() {
        return Verdict::yes("Accepted", "all listeners can be served");
    }
    let message = format!("not served: {}", bad.join(", "));
    if bad.len() < listeners.len() {
        Verdict::yes("ListenersNotValid", message)
    } else {
        Verdict::no("ListenersNotValid", message)
    }
}

fn gateway(
    world: &World<'_>,
    key: &Key,
    accepted: Verdict,
    (attached, sets): (&Attached, usize),
) -> Option<StatusWrite> {
    let object = world.facts.snapshot.gateways.get(key)?;
    let listeners = world.facts.translation.facts.gateways.get(key)?;
    let mut target = Target::of(object.as_ref(), &object.status, &world.now);
    let found = world.problems.on(&target.object);
    let unbound: Vec<Unbound> = world.programmed.unbound(key).into_iter().collect();
    let addresses = addresses(object, &found, &unbound);
    let has_address = addresses
        .as_ref()
        .map_or_else(|| !target.list("addresses").is_empty(), |a| !a.is_empty());
    let confirmed = if accepted.holds() {
        let held = was_served(&target, has_address);
        world.programmed.confirm(&target, [key], held)
    } else {
        Verdict::no("Invalid", accepted.message.clone())
    };
    let owner = Owner {
        target: &target,
        found: &found,
        attached,
        confirmed: &confirmed,
        unbound: &unbound,
    };
    let statuses = owner.statuses(listeners);
    let programmed = if accepted.holds() {
        let own = format!("{}/{}/", key.0, key.1);
        let refused = unbound.iter().find(|u| u.listener.starts_with(&own));
        gateway_programmed(&found, refused, has_address, &confirmed)
    } else {
        confirmed.clone()
    };
    let said = Said::new()
        .say("Accepted", accepted)
        .say("Programmed", programmed)
        .maybe("ResolvedRefs", resolved(object, &found, listeners));
    target.say(&said);
    target.set("listeners", statuses);
    target.set("attachedListenerSets", json!(sets));
    if let Some(addresses) = addresses {
        let typed = addresses
            .iter()
            .map(|a| json!({ "type": "IPAddress", "value": a }));
        target.set("addresses", typed.collect::<Value>());
    }
    target.write()
}

/// Whether the gateways were seen to serve this generation before. Where no address is known, the Gateway itself could not
/// say so, but its listeners did.
fn was_served(target: &Target, has_address: bool) -> bool {
    let served = |of: &Value| held(&of["conditions"], "Programmed", target.stamp.generation);
    let mut listeners = target.list("listeners").iter();
    target.held("Programmed") || (!has_address && listeners.any(served))
}

/// Whether an accepted Gateway is programmed.
fn gateway_programmed(
    found: &Found<'_>,
    refused: Option<&Unbound>,
    has_address: bool,
    confirmed: &Verdict,
) -> Verdict {
    let unusable = found.about("Programmed").errors();
    if let Some(reason) = unusable.reason() {
        Verdict::no(reason.to_owned(), unusable.told())
    } else if let Some(refused) = refused {
        Verdict::no("AddressNotUsable", refused.message.clone())
    } else if has_address {
        confirmed.clone()
    } else {
        let message = "no address is known by which the gateway can be reached (write it into spec.addresses)";
        Verdict::no("AddressNotAssigned", message)
    }
}

/// The condition that sums up references: said where a Gateway has references of its own, or a listener has bad ones.
fn resolved(gateway: &Gateway, found: &Found<'_>, listeners: &[ListenerFacts]) -> Option<Verdict> {
    let own = found.about("ResolvedRefs");
    let own = own.only(|p| !listeners::is_of_listener(&p.field));
    let has_references = gateway
        .spec
        .tls
        .as_ref()
        .is_some_and(|t| t.backend.is_some());
    let bad: Vec<&str> = listeners
        .iter()
        .filter(|l| !health(found, l.position).resolved.holds())
        .map(|l| l.name.as_str())
        .collect();
    if own.errors().is_empty() && !bad.is_empty() {
        let message = format!(
            "listeners with references that are not resolved: {}",
            bad.join(", ")
        );
        return Some(Verdict::no("ListenersNotResolved", message));
    }
    (has_references || !own.is_empty())
        .then(|| own.verdict(Verdict::yes("ResolvedRefs", "all references are found")))
}

/// The addresses that the Gateway asks for and that are usable, in its order; none when it asks for none: then they are
/// whatever its status says.
fn addresses(gateway: &Gateway, found: &Found<'_>, unbound: &[Unbound]) -> Option<Vec<IpAddr>> {
    let asked = gateway.spec.addresses.as_deref().unwrap_or_default();
    let refused: BTreeSet<IpAddr> = unbound.iter().map(|u| u.address).collect();
    let wrong = |i: usize| {
        let field = format!("spec.addresses[{i}]");
        found.iter().any(|p| p.field == field)
    };
    let mut usable = Vec::new();
    for (i, address) in asked.iter().enumerate() {
        let value = address.value.as_deref().unwrap_or_default();
        let ip = value.parse::<IpAddr>().ok().filter(|_| !wrong(i));
        usable.extend(ip.filter(|ip| !refused.contains(ip)));
    }
    (!asked.is_empty()).then_some(usable)
}

/// A `ListenerSet`, and whether it is accepted.
fn listener_set(
    world: &World<'_>,
    (key, set): (&Key, &SetFacts),
    gateway: Option<&Verdict>,
    attached: &Attached,
) -> (Option<StatusWrite>, bool) {
    let Some(object) = world.facts.snapshot.listener_sets.get(key) else {
        return (None, false);
    };
    let mut target = Target::of(object.as_ref(), &object.status, &world.now);
    let found = world.problems.on(&target.object);
    let accepted = set_accepted(&found, set, gateway);
    let confirmed = if accepted.holds() {
        let held = was_served(&target, true);
        world.programmed.confirm(&target, [&set.gateway], held)
    } else {
        let reason = match accepted.reason.as_str() {
            "ParentNotAccepted" => "ParentNotProgrammed".to_owned(),
            _ => accepted.reason.clone(),
        };
        Verdict::no(reason, accepted.message.clone())
    };
    let unbound: Vec<Unbound> = world.programmed.unbound(&set.gateway).into_iter().collect();
    let owner = Owner {
        target: &target,
        found: &found,
        attached,
        confirmed: &confirmed,
        unbound: &unbound,
    };
    let statuses = owner.statuses(&set.listeners);
    let taken = accepted.holds();
    let said = Said::new()
        .say("Accepted", accepted)
        .say("Programmed", confirmed);
    target.say(&said);
    target.set("listeners", statuses);
    (target.write(), taken)
}

fn set_accepted(found: &Found<'_>, set: &SetFacts, gateway: Option<&Verdict>) -> Verdict {
    let own =
        found.only(|p| !listeners::is_of_listener(&p.field) && p.reason != "ListenersNotValid");
    let own = own.beside(&["Programmed", "ResolvedRefs"]);
    let (namespace, name) = &set.gateway;
    if !own.errors().is_empty() {
        return own.verdict(Verdict::default());
    }
    match gateway {
        Some(gateway) if !gateway.holds() => Verdict::no(
            "ParentNotAccepted",
            format!("Gateway {namespace}/{name} is not accepted"),
        ),
        _ => valid_listeners(found, &set.listeners).and(&own.told()),
    }
}
