//! Gateways and WAN policies.

use mcwan_gateway_api::gateways::Gateway;
use mcwan_k8s::kinds::wan::WANPolicy;
use mcwan_k8s::names;
use serde::Serialize;

use super::fact::{Fact, View};
use super::finding::{Finding, Level, complaints};
use super::seen::Seen;

/// A Gateway of our class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GatewayLine {
    /// Namespace and name.
    pub name: String,
    /// Whether its processes serve it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub programmed: Option<Fact>,
    /// Its addresses.
    pub addresses: Vec<String>,
}

/// A `WANPolicy`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PolicyLine {
    /// Name.
    pub name: String,
    /// Transport class.
    pub tunnel: String,
    /// Port.
    pub port: i32,
    /// Whether it can be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted: Option<Fact>,
    /// Whether all clusters agree on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consistent: Option<Fact>,
    /// Whether the gateways serve it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub programmed: Option<Fact>,
}

/// The Gateways of our class, and what is wrong with them.
pub(super) fn gateways(seen: &Seen, view: View, findings: &mut Vec<Finding>) -> Vec<GatewayLine> {
    let all = seen.snapshot.gateways.values();
    let ours = all.filter(|g| g.spec.gateway_class_name == names::GATEWAY_CLASS);
    ours.map(|gateway| {
        let line = gateway_line(gateway, view);
        let object = format!("Gateway {}", line.name);
        let conditions = gateway.status.as_ref().and_then(|s| s.conditions.as_ref());
        let generation = gateway.metadata.generation;
        let complaints = complaints(&object, conditions, generation, view);
        if complaints.is_empty() && line.programmed.is_none() {
            findings.push(not_programmed(&object, gateway, view));
        }
        // A Gateway of which nobody knows whether it is served must not pass for one that is.
        findings.extend(complaints.into_iter().map(|finding| match finding.level {
            Level::Warning if finding.reason != "Outdated" => Finding {
                level: Level::Error,
                ..finding
            },
            Level::Error | Level::Warning | Level::Notice => finding,
        }));
        line
    })
    .collect()
}

fn gateway_line(gateway: &Gateway, view: View) -> GatewayLine {
    let meta = &gateway.metadata;
    let status = gateway.status.as_ref();
    let conditions = status.and_then(|s| s.conditions.as_ref());
    GatewayLine {
        name: object_name(meta.namespace.as_deref(), meta.name.as_deref()),
        programmed: Fact::find(conditions, "Programmed", meta.generation, view),
        addresses: addresses(gateway),
    }
}

/// Addresses of a Gateway: those that it has, else those that it asks for.
pub(super) fn addresses(gateway: &Gateway) -> Vec<String> {
    let bound = gateway
        .status
        .iter()
        .flat_map(|s| s.addresses.iter().flatten());
    let bound: Vec<String> = bound.map(|a| a.value.clone()).collect();
    if !bound.is_empty() {
        return bound;
    }
    let asked = gateway.spec.addresses.iter().flatten();
    asked.filter_map(|a| a.value.clone()).collect()
}

fn not_programmed(object: &str, gateway: &Gateway, view: View) -> Finding {
    let finding = Finding::new(
        Level::Error,
        object,
        "Pending",
        "not Programmed: nobody has reported that it serves",
    );
    let finding = match &gateway.metadata.creation_timestamp {
        Some(created) => finding.aged(view.age(created.0)),
        None => finding,
    };
    let name = object.strip_prefix("Gateway ").unwrap_or(object);
    finding.advise(format!("run `mcwan-gateway --gateway {name}`"))
}

/// The WAN policies, and what is wrong with them.
pub(super) fn policies(seen: &Seen, view: View, findings: &mut Vec<Finding>) -> Vec<PolicyLine> {
    let all = seen.snapshot.wan_policies.values();
    all.map(|policy| {
        let line = policy_line(policy, view);
        let conditions = policy.status.as_ref().and_then(|s| s.conditions.as_ref());
        let generation = policy.metadata.generation;
        let object = format!("WANPolicy {}", line.name);
        findings.extend(complaints(&object, conditions, generation, view));
        line
    })
    .collect()
}

fn policy_line(policy: &WANPolicy, view: View) -> PolicyLine {
    let conditions = policy.status.as_ref().and_then(|s| s.conditions.as_ref());
    let fact = |type_| Fact::find(conditions, type_, policy.metadata.generation, view);
    PolicyLine {
        name: policy.metadata.name.clone().unwrap_or_default(),
        tunnel: policy.spec.tunnel.clone(),
        port: policy.spec.port,
        accepted: fact("Accepted"),
        consistent: fact("Consistent"),
        programmed: fact("Programmed"),
    }
}

/// `namespace/name`, or the name alone.
pub(super) fn object_name(namespace: Option<&str>, name: Option<&str>) -> String {
    let name = name.unwrap_or_default();
    match namespace {
        Some(namespace) => format!("{namespace}/{name}"),
        None => name.to_owned(),
    }
}
