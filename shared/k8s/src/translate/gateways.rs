//! Which Gateways are served, in which role, and on which addresses.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use mcwan_gateway_api::gateways::{Gateway, GatewayAddresses};
use mcwan_routing::spec::Role;

use super::Scope;
use super::finding::{
    Fault, Field, Findings, INVALID_PARAMETERS, NOT_IN_FORCE_YET, UNSUPPORTED_ADDRESS,
};
use super::index::{Index, created};
use crate::names::{CONTROLLER, EGRESS, GATEWAY_CLASS, INGRESS, NAMESPACE};
use crate::object::{Key, reference};
use crate::problem::Problem;
use crate::snapshot::ClusterSnapshot;

/// A Gateway that this process serves.
pub(super) struct ServedGateway<'a> {
    pub(super) object: &'a Gateway,
    pub(super) key: &'a Key,
    pub(super) role: Role,
    /// Where its listeners are bound, sorted. Empty when the Gateway names only addresses that cannot be used.
    pub(super) addresses: BTreeSet<IpAddr>,
}

/// The Gateways in scope, oldest first, then by namespace and name: the order in which they get sockets.
pub(super) fn in_scope<'a>(
    index: &Index<'a>,
    scope: &Scope,
    problems: &mut Vec<Problem>,
) -> Vec<ServedGateway<'a>> {
    let mut served: Vec<_> = (index.snapshot.gateways.iter())
        .filter(|(key, gateway)| is_served(index, scope, key, gateway))
        .map(|(key, gateway)| serve(key, gateway, scope, problems))
        .collect();
    served.sort_by_key(|g| (created(&g.object.metadata), g.key));
    served
}

/// Whether a Gateway belongs to this process.
pub(super) fn is_served(index: &Index<'_>, scope: &Scope, key: &Key, gateway: &Gateway) -> bool {
    is_ours(index.snapshot, gateway)
        && scope
            .gateways
            .as_ref()
            .is_none_or(|chosen| chosen.contains(key))
}

/// Whether a Gateway is of a class that mc-wan serves. A `GatewayClass` object decides by its controller; without one, the
/// class is known by its name.
#[must_use]
pub fn is_ours(snapshot: &ClusterSnapshot, gateway: &Gateway) -> bool {
    let class = gateway.spec.gateway_class_name.clone();
    match snapshot.gateway_classes.get(&(String::new(), class)) {
        Some(class) => class.spec.controller_name == CONTROLLER,
        None => gateway.spec.gateway_class_name == GATEWAY_CLASS,
    }
}

fn serve<'a>(
    key: &'a Key,
    gateway: &'a Gateway,
    scope: &Scope,
    problems: &mut Vec<Problem>,
) -> ServedGateway<'a> {
    let role = role(key);
    let mut findings = Findings::default();
    not_in_force(gateway, &mut findings);
    let addresses = addresses(gateway, role, scope, &mut findings);
    problems.extend(findings.problems(&reference(gateway), ""));
    ServedGateway {
        object: gateway,
        key,
        role,
        addresses,
    }
}

fn role((namespace, name): &Key) -> Role {
    match (namespace.as_str(), name.as_str()) {
        (NAMESPACE, INGRESS) => Role::Ingress,
        (NAMESPACE, EGRESS) => Role::Egress,
        _ => Role::Plain,
    }
}

fn not_in_force(gateway: &Gateway, findings: &mut Findings) {
    let spec = Field::root("spec");
    let infrastructure = gateway.spec.infrastructure.as_ref();
    if let Some(parameters) = infrastructure.and_then(|i| i.parameters_ref.as_ref()) {
        findings.add(
            &spec.at("infrastructure").at("parametersRef"),
            Fault::new(
                INVALID_PARAMETERS,
                format!(
                    "parameters of kind {} are not in force yet",
                    parameters.kind
                ),
                "remove parametersRef; the listeners are served without it",
            ),
        );
    }
    let Some(tls) = &gateway.spec.tls else { return };
    for (field, set) in [
        ("backend", tls.backend.is_some()),
        ("frontend", tls.frontend.is_some()),
    ] {
        if set {
            findings.add(
                &spec.at("tls").at(field),
                Fault::new(
                    NOT_IN_FORCE_YET,
                    format!("spec.tls.{field} is not in force yet"),
                    "only plain HTTP listeners and backends are served",
                ),
            );
        }
    }
}

fn addresses(
    gateway: &Gateway,
    role: Role,
    scope: &Scope,
    findings: &mut Findings,
) -> BTreeSet<IpAddr> {
    let default = default_address(role, scope);
    let wanted = gateway.spec.addresses.as_deref().unwrap_or_default();
    if wanted.is_empty() {
        return BTreeSet::from([default]);
    }
    let spec = Field::root("spec");
    let mut addresses = BTreeSet::new();
    for (i, address) in wanted.iter().enumerate() {
        match read_address(address, default) {
            Ok(address) => {
                addresses.insert(address);
            }
            Err(fault) => findings.add(&spec.nth("addresses", i), fault),
        }
    }
    addresses
}

/// The egress gateway of a standalone process stays on the machine unless it is told otherwise: reachable from the
/// WAN it would be an open relay (DESIGN §4).
fn default_address(role: Role, scope: &Scope) -> IpAddr {
    let default = scope
        .default_address
        .unwrap_or(Ipv4Addr::UNSPECIFIED.into());
    if role == Role::Egress && scope.standalone && default.is_unspecified() {
        return Ipv4Addr::LOCALHOST.into();
    }
    default
}

/// An address without a value asks for any (feature `GatewayAddressEmpty`).
fn read_address(address: &GatewayAddresses, default: IpAddr) -> Result<IpAddr, Fault> {
    let kind = address.r#type.as_deref().unwrap_or("IPAddress");
    let value = address.value.as_deref().unwrap_or_default();
    if kind != "IPAddress" {
        return Err(Fault::new(
            UNSUPPORTED_ADDRESS,
            format!("addresses of type `{kind}` are not supported"),
            "use the type IPAddress",
        ));
    }
    if value.is_empty() {
        return Ok(default);
    }
    let usable = value.parse::<IpAddr>().ok().map(|ip| ip.to_canonical());
    usable.filter(|ip| !ip.is_multicast()).ok_or_else(|| {
        Fault::new(
            UNSUPPORTED_ADDRESS,
            format!("`{value}` is not an address to listen on"),
            "write one IPv4 or IPv6 address of this machine",
        )
    })
}
