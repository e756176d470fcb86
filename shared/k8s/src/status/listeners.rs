//! The listeners of Gateways and ListenerSets.

use std::collections::BTreeMap;

use mcwan_routing::rule::RouteKind;
use serde_json::{Value, json};

use super::condition::{Said, Verdict};
use super::problems::Found;
use super::programmed::Unbound;
use super::target::Target;
use crate::problem::ObjectRef;
use crate::translate::GATEWAY_GROUP;
use crate::translate::facts::ListenerFacts;

/// Accepted routes of each listener: by the object that it stands in, and its position there.
pub(super) type Attached = BTreeMap<(ObjectRef, usize), usize>;

/// What is wrong with a listener on its own.
pub(super) struct Health {
    pub(super) accepted: Verdict,
    pub(super) resolved: Verdict,
    conflicted: Option<Verdict>,
}

/// What the listeners of one object are judged by.
pub(super) struct Owner<'o> {
    /// The object that they stand in.
    pub(super) target: &'o Target,
    /// Its problems.
    pub(super) found: &'o Found<'o>,
    pub(super) attached: &'o Attached,
    /// Whether its generation is served.
    pub(super) confirmed: &'o Verdict,
    /// Sockets that could not be bound.
    pub(super) unbound: &'o [Unbound],
}

/// Whether a problem is one of a listener.
pub(super) fn is_of_listener(field: &str) -> bool {
    field.starts_with("spec.listeners[")
}

/// Judges a listener by the problems of its object.
pub(super) fn health(found: &Found<'_>, position: usize) -> Health {
    let field = format!("spec.listeners[{position}]");
    let own = found.only(|p| {
        let rest = p.field.strip_prefix(&field);
        rest.is_some_and(|r| r.is_empty() || r.starts_with('.'))
    });
    let conflicts = own.about("Conflicted").errors();
    let conflict = conflicts.reason().map(str::to_owned);
    let conflicted = conflict
        .clone()
        .map(|reason| Verdict::new(super::Answer::True, reason, conflicts.told()));
    let otherwise = match conflict {
        Some(reason) => Verdict::no(reason, conflicts.told()),
        None => Verdict::yes("Accepted", "the listener can be served"),
    };
    let all_found = Verdict::yes("ResolvedRefs", "all references are found");
    Health {
        accepted: own
            .beside(&["Conflicted", "ResolvedRefs"])
            .verdict(otherwise),
        resolved: own.about("ResolvedRefs").verdict(all_found),
        conflicted,
    }
}

impl Health {
    /// Whether the listener gets any traffic. One that lists route kinds that nobody knows serves the others.
    fn programmed(&self, confirmed: &Verdict, unbound: Option<&Unbound>) -> Verdict {
        if !self.accepted.holds() {
            let reason = match self.accepted.reason.as_str() {
                "HostnameConflict" | "ProtocolConflict" | "PortUnavailable" => {
                    self.accepted.reason.clone()
                }
                _ => "Invalid".to_owned(),
            };
            return Verdict::no(reason, self.accepted.message.clone());
        }
        if !self.resolved.holds() && self.resolved.reason != "InvalidRouteKinds" {
            return Verdict::no("Invalid", self.resolved.message.clone());
        }
        unbound.map_or_else(
            || confirmed.clone(),
            |u| Verdict::no("PortUnavailable", u.message.clone()),
        )
    }
}

impl Owner<'_> {
    /// The statuses of the listeners, in the order of the spec.
    pub(super) fn statuses(&self, listeners: &[ListenerFacts]) -> Value {
        listeners.iter().map(|l| self.status(l)).collect()
    }

    fn status(&self, listener: &ListenerFacts) -> Value {
        let health = health(self.found, listener.position);
        let object = &self.target.object;
        let name = format!("{}/{}/{}", object.namespace, object.name, listener.name);
        let unbound = self.unbound.iter().find(|u| u.listener == name);
        let programmed = health.programmed(self.confirmed, unbound);
        let said = Said::new()
            .say("Accepted", health.accepted)
            .say("Programmed", programmed)
            .say("ResolvedRefs", health.resolved)
            .maybe("Conflicted", health.conflicted);
        let attached = self.attached.get(&(object.clone(), listener.position));
        let mut before = self.target.list("listeners").iter();
        let before = before.find(|b| b["name"] == *listener.name);
        json!({
            "attachedRoutes": attached.copied().unwrap_or_default(),
            "conditions": said.merged(before.and_then(|b| b.get("conditions")), &self.target.stamp),
            "name": listener.name,
            "supportedKinds": listener.kinds.iter().map(|k| kind(*k)).collect::<Value>(),
        })
    }
}

fn kind(kind: RouteKind) -> Value {
    json!({ "group": GATEWAY_GROUP, "kind": format!("{kind:?}") })
}
