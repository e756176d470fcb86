//! Who the cluster is, and where its ingress gateways are.

use std::net::IpAddr;

use crate::kinds::about::CLUSTER_ID;
use crate::names::{self, is_label};
use crate::object::reference;
use crate::problem::{ObjectRef, Problem};
use crate::snapshot::ClusterSnapshot;

/// What is wrong with the cluster's id.
pub(super) fn check(snapshot: &ClusterSnapshot) -> Vec<Problem> {
    let id = &snapshot.cluster;
    let property = ObjectRef {
        group: "about.k8s.io".to_owned(),
        kind: "ClusterProperty".to_owned(),
        namespace: String::new(),
        name: CLUSTER_ID.to_owned(),
    };
    let mut problems = Vec::new();
    if !is_label(id) {
        problems.push(
            Problem::error(property, ("Ready", "InvalidClusterId"), format!("{id:?} is not a cluster id"))
                .advise("name the cluster with one dns label: at most 63 lower-case letters, digits and `-`"),
        );
    }
    let stated = snapshot
        .cluster_properties
        .get(&(String::new(), CLUSTER_ID.to_owned()));
    if let Some(stated) = stated.filter(|p| p.spec.value != *id) {
        let message = format!(
            "the property says {:?}, but the cluster runs as {id:?}",
            stated.spec.value
        );
        problems.push(
            Problem::error(
                reference(stated.as_ref()),
                ("Ready", "ClusterIdMismatch"),
                message,
            )
            .in_field("spec.value")
            .advise("make them equal: peers know the cluster by the id it runs as"),
        );
    }
    problems
}

/// Addresses of one of the two gateways, sorted: those that its spec asks for, else those that its status has.
pub(crate) fn addresses(snapshot: &ClusterSnapshot, gateway: &str) -> Vec<IpAddr> {
    let key = (names::NAMESPACE.to_owned(), gateway.to_owned());
    let Some(gateway) = snapshot.gateways.get(&key) else {
        return Vec::new();
    };
    let asked = gateway.spec.addresses.iter().flatten();
    let mut addresses: Vec<IpAddr> = asked
        .filter_map(|a| address(a.r#type.as_deref(), a.value.as_deref()?))
        .collect();
    if addresses.is_empty() {
        let status = gateway
            .status
            .iter()
            .flat_map(|s| s.addresses.iter().flatten());
        addresses = status
            .filter_map(|a| address(a.r#type.as_deref(), &a.value))
            .collect();
    }
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

fn address(type_: Option<&str>, value: &str) -> Option<IpAddr> {
    let is_ip = type_.is_none_or(|t| t == "IPAddress");
    value.parse().ok().filter(|_| is_ip)
}
