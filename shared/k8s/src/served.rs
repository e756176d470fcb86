//! What a gateway serves: its answer to `GET /debug/served`, and so the controller's evidence for `Programmed`.
//!
//! The gateway fills it in from the very snapshot whose table is in force. An object counts as programmed only when
//! every live gateway of its Gateway lists it with its uid and its generation, and no listener that it needs is unbound.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::names::{EGRESS, NAMESPACE};
use crate::object::{Key, Object};
use crate::problem::ObjectRef;
use crate::snapshot::ClusterSnapshot;
use crate::translate::{GATEWAY_GROUP, gateway_key};

/// What one gateway process serves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Served {
    /// Namespace of its Gateway.
    pub namespace: String,
    /// Name of its Gateway.
    pub name: String,
    /// Publications of its routing table, the one in force included; 0 before the first.
    pub table: u64,
    /// The objects that shaped the table, sorted.
    pub objects: Vec<ServedObject>,
    /// Listeners that have a socket in the table, sorted.
    pub listeners: Vec<ServedListener>,
}

/// An object as it shaped the table.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ServedObject {
    /// Which object.
    #[serde(flatten)]
    pub object: ObjectRef,
    /// `metadata.uid`; empty when it has none.
    #[serde(default)]
    pub uid: String,
    /// `metadata.generation`; 0 when it has none.
    #[serde(default)]
    pub generation: i64,
}

/// One listener on one socket.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ServedListener {
    /// `namespace/parent/listener`; the parent is a Gateway or a `ListenerSet`.
    pub listener: String,
    /// Its socket.
    pub socket: SocketAddr,
    /// Why the socket does not accept connections; empty when it does.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub error: String,
}

impl Served {
    /// Whether the process serves exactly this generation of exactly this object.
    #[must_use]
    pub fn serves(&self, object: &ObjectRef, uid: &str, generation: i64) -> bool {
        self.objects
            .iter()
            .any(|o| o.object == *object && o.uid == uid && o.generation == generation)
    }
}

/// The objects that shape the table of one Gateway: itself, its ListenerSets, the routes that name one of them, and for
/// the egress gateway those that name a `ServiceImport` (GEP-1748); of the others that a table is made of, those with a
/// status to confirm: the WAN policies. Sorted.
#[must_use]
pub fn objects(snapshot: &ClusterSnapshot, gateway: &Key) -> Vec<ServedObject> {
    let parents = Parents::of(snapshot, gateway);
    let mut objects: Vec<ServedObject> = Vec::new();
    objects.extend(snapshot.gateways.get(gateway).map(|g| served(g.as_ref())));
    let sets = snapshot.listener_sets.iter();
    objects.extend(
        sets.filter(|(key, _)| parents.sets.contains(key))
            .map(|(_, set)| served(set.as_ref())),
    );
    macro_rules! routes {
        ($($field:ident),+) => { $(
            for (key, route) in &snapshot.$field {
                let named = route.spec.parent_refs.iter().flatten().any(|p| {
                    let namespace = p.namespace.as_ref().unwrap_or(&key.0);
                    parents.has(p.group.as_deref(), p.kind.as_deref(), (namespace, &p.name))
                });
                if named {
                    objects.push(served(route.as_ref()));
                }
            }
        )+ };
    }
    routes!(http_routes, grpc_routes, tls_routes, tcp_routes, udp_routes);
    objects.extend(snapshot.wan_policies.values().map(|p| served(p.as_ref())));
    objects.sort_unstable();
    objects
}

/// What routes name to be served by one Gateway.
struct Parents<'a> {
    gateway: &'a Key,
    sets: BTreeSet<&'a Key>,
    imports: bool,
}

impl<'a> Parents<'a> {
    fn of(snapshot: &'a ClusterSnapshot, gateway: &'a Key) -> Self {
        let sets = snapshot.listener_sets.iter();
        Self {
            gateway,
            sets: sets
                .filter(|(key, set)| gateway_key((key, set)).as_ref() == Some(gateway))
                .map(|(key, _)| key)
                .collect(),
            imports: gateway.0 == NAMESPACE && gateway.1 == EGRESS,
        }
    }

    fn has(
        &self,
        group: Option<&str>,
        kind: Option<&str>,
        (namespace, name): (&str, &str),
    ) -> bool {
        let is = |key: &Key| key.0 == namespace && key.1 == name;
        match (group.unwrap_or(GATEWAY_GROUP), kind.unwrap_or("Gateway")) {
            (GATEWAY_GROUP, "Gateway") => is(self.gateway),
            (GATEWAY_GROUP, "ListenerSet") => self.sets.iter().any(|set| is(set)),
            (_, "ServiceImport") => self.imports,
            _ => false,
        }
    }
}

fn served<K: kube::Resource<DynamicType = ()>>(object: &K) -> ServedObject {
    let meta = object.meta();
    ServedObject {
        object: crate::object::reference(object),
        uid: meta.uid.clone().unwrap_or_default(),
        generation: meta.generation.unwrap_or_default(),
    }
}

/// An object as a gateway would list it: what a controller compares with.
#[must_use]
pub fn of(object: &Object) -> ServedObject {
    let meta = object.meta();
    ServedObject {
        object: object.reference(),
        uid: meta.uid.clone().unwrap_or_default(),
        generation: meta.generation.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests;
