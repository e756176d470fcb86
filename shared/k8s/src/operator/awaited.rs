//! Who is still to say that it serves what is there.

use std::collections::{BTreeMap, BTreeSet};

use mcwan_gateway_api::gateways::Gateway;

use crate::names;
use crate::object::{Key, annotation};
use crate::served::{self, Served};
use crate::snapshot::ClusterSnapshot;

/// Annotation of a Gateway: the admin addresses of its processes, `host:port`, separated by commas.
pub const ADMIN_ANNOTATION: &str = "mc-wan.l7mp.io/admin";
/// Admin port of a gateway at each of its Gateway's addresses, where the annotation says nothing else.
pub const ADMIN_PORT: u16 = 15_090;

/// A Gateway whose processes have not all confirmed what they serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Awaited {
    /// Namespace and name of the Gateway.
    pub gateway: Key,
    /// Where its processes are asked: `host:port`.
    pub addresses: Vec<String>,
}

/// The Gateways of our class for which no answer, or an old one, is there. One without any address is nobody to ask.
#[must_use]
pub fn awaited(snapshot: &ClusterSnapshot, served: &[Served]) -> Vec<Awaited> {
    let mut answers: BTreeMap<(&str, &str), Vec<&Served>> = BTreeMap::new();
    for answer in served {
        let key = (answer.namespace.as_str(), answer.name.as_str());
        answers.entry(key).or_default().push(answer);
    }
    let classes = classes(snapshot);
    let gateways = snapshot.gateways.iter();
    gateways
        .filter(|(_, g)| classes.contains(g.spec.gateway_class_name.as_str()))
        .filter_map(|(key, gateway)| {
            let addresses = admin_addresses(gateway);
            let given = answers.get(&(key.0.as_str(), key.1.as_str()));
            let waiting = given.is_none_or(|given| {
                given.len() < addresses.len() || !all_serve(given, snapshot, key)
            });
            (waiting && !addresses.is_empty()).then(|| Awaited {
                gateway: key.clone(),
                addresses,
            })
        })
        .collect()
}

/// Names of the classes that are ours. In files and at the very start the class itself may be absent.
fn classes(snapshot: &ClusterSnapshot) -> BTreeSet<&str> {
    let classes = snapshot.gateway_classes.iter();
    let ours = classes.filter(|(_, c)| c.spec.controller_name == names::CONTROLLER);
    ours.map(|((_, name), _)| name.as_str())
        .chain([names::GATEWAY_CLASS])
        .collect()
}

/// Whether each answer has every object of the Gateway as it is now.
fn all_serve(given: &[&Served], snapshot: &ClusterSnapshot, gateway: &Key) -> bool {
    let wanted = served::objects(snapshot, gateway);
    given.iter().all(|answer| {
        let has: BTreeSet<_> = answer.objects.iter().collect();
        wanted.iter().all(|object| has.contains(object))
    })
}

/// Where the processes of a Gateway are asked.
fn admin_addresses(gateway: &Gateway) -> Vec<String> {
    if let Some(given) = annotation(gateway, ADMIN_ANNOTATION) {
        let given = given.split(',').map(str::trim).filter(|a| !a.is_empty());
        return given.map(str::to_owned).collect();
    }
    let asked = gateway.spec.addresses.iter().flatten();
    let asked = asked.filter_map(|a| a.value.as_deref());
    let status = gateway
        .status
        .iter()
        .flat_map(|s| s.addresses.iter().flatten());
    let mut addresses: Vec<&str> = asked.collect();
    if addresses.is_empty() {
        addresses.extend(status.map(|a| a.value.as_str()));
    }
    addresses.into_iter().map(at_admin_port).collect()
}

fn at_admin_port(address: &str) -> String {
    if address.contains(':') {
        format!("[{address}]:{ADMIN_PORT}")
    } else {
        format!("{address}:{ADMIN_PORT}")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::manifest;

    fn snapshot(annotations: &serde_json::Value) -> ClusterSnapshot {
        let gateway = json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
            "metadata": {"name": "mc-wan-egress", "namespace": "mc-wan", "uid": "u1", "generation": 3, "annotations": annotations},
            "spec": {"gatewayClassName": "mc-wan", "addresses": [{"value": "10.77.1.2"}, {"value": "fd00::1"}], "listeners": []}
        });
        let parsed = manifest::parse(gateway.to_string().as_bytes());
        assert_eq!(parsed.errors, []);
        ClusterSnapshot::new("cluster-1").with(parsed.objects.into_iter().map(|p| p.object))
    }

    fn answer(snapshot: &ClusterSnapshot) -> Served {
        let key = ("mc-wan".to_owned(), "mc-wan-egress".to_owned());
        Served {
            objects: served::objects(snapshot, &key),
            namespace: key.0,
            name: key.1,
            table: 1,
            ..Served::default()
        }
    }

    #[test]
    fn a_gateway_is_asked_at_the_admin_port_of_each_address_unless_it_says_otherwise() {
        let asked = awaited(&snapshot(&json!({})), &[]);
        assert_eq!(asked[0].addresses, ["10.77.1.2:15090", "[fd00::1]:15090"]);
        let said = snapshot(&json!({"mc-wan.l7mp.io/admin": "a:1, b:2,"}));
        assert_eq!(awaited(&said, &[])[0].addresses, ["a:1", "b:2"]);
    }

    #[test]
    fn nobody_is_asked_once_every_process_serves_what_is_there() {
        let snapshot = snapshot(&json!({}));
        let one = answer(&snapshot);
        assert_eq!(awaited(&snapshot, std::slice::from_ref(&one)).len(), 1);
        assert_eq!(awaited(&snapshot, &[one.clone(), one.clone()]), []);
        let mut old = one.clone();
        old.objects[0].generation = 2;
        assert_eq!(awaited(&snapshot, &[one, old]).len(), 1);
    }
}
