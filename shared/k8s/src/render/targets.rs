//! Target Services: the ingress gateways of a peer, with one port for each WAN policy that both clusters agree on.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
use kube::core::ObjectMeta;

use super::output::Output;
use super::{View, meta, policies};
use crate::names;
use crate::offer::{MAX_ENDPOINTS, PeerOffer};
use crate::policy::Accepted;

/// Label of a slice: the Service it belongs to.
pub(super) const SERVICE_LABEL: &str = "kubernetes.io/service-name";
/// Label of a slice: who writes it.
pub(super) const SLICE_MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
/// What tunnels speak (GEP-1911).
const H2C: &str = "kubernetes.io/h2c";

/// Renders a Service and its slices for each peer that a service is imported from.
pub(super) fn render(view: &View<'_>, out: &mut Output) {
    let exporting: BTreeSet<&str> = view
        .services
        .iter()
        .flat_map(|s| &s.sources)
        .map(|s| s.cluster)
        .collect();
    for (cluster, peer) in &view.members.peers {
        let (true, Some(name)) = (
            exporting.contains(cluster.as_str()),
            view.targets.get(cluster.as_str()),
        ) else {
            continue;
        };
        let agreed: Vec<_> = view
            .policies
            .iter()
            .filter(|p| policies::disagreement(p, peer).is_none())
            .filter_map(|p| Some((p, view.sections.get(p.name.as_str())?.as_str())))
            .collect();
        if !agreed.is_empty() && !peer.gateways.is_empty() {
            render_target(name, peer, &agreed, out);
        }
    }
}

fn render_target(name: &str, peer: &PeerOffer, policies: &[(&Accepted, &str)], out: &mut Output) {
    let ports = policies.iter().map(|(policy, section)| ServicePort {
        app_protocol: Some(H2C.to_owned()),
        name: Some((*section).to_owned()),
        port: i32::from(policy.port),
        protocol: Some("TCP".to_owned()),
        ..ServicePort::default()
    });
    let service = Service {
        metadata: meta::meta(
            names::NAMESPACE,
            name,
            &[(names::CLUSTER_LABEL, &peer.cluster)],
        ),
        spec: Some(ServiceSpec {
            ports: Some(ports.collect()),
            ..ServiceSpec::default()
        }),
        status: None,
    };
    if !out.put(service) {
        return;
    }
    let ports: Vec<EndpointPort> = policies
        .iter()
        .map(|(policy, section)| EndpointPort {
            app_protocol: Some(H2C.to_owned()),
            ..endpoint_port(section, policy.port)
        })
        .collect();
    for (family, addresses) in by_family(&peer.gateways) {
        let name_of_slice = format!("{name}-{}", family.to_ascii_lowercase());
        let labels = [
            (names::CLUSTER_LABEL, peer.cluster.as_str()),
            (SERVICE_LABEL, name),
            (SLICE_MANAGED_BY, names::MANAGED_BY.1),
        ];
        let metadata = meta::meta(names::NAMESPACE, &name_of_slice, &labels);
        let endpoints = addresses.iter().map(|a| ready(*a, None));
        out.put(slice(metadata, family, endpoints, ports.clone()));
    }
}

/// A TCP port of a slice.
pub(super) fn endpoint_port(name: &str, port: u16) -> EndpointPort {
    EndpointPort {
        app_protocol: None,
        name: Some(name.to_owned()),
        port: Some(i32::from(port)),
        protocol: Some("TCP".to_owned()),
    }
}

/// A slice. It holds no more endpoints than the Kubernetes API allows.
pub(super) fn slice(
    metadata: ObjectMeta,
    family: &str,
    endpoints: impl Iterator<Item = Endpoint>,
    ports: Vec<EndpointPort>,
) -> EndpointSlice {
    EndpointSlice {
        address_type: family.to_owned(),
        endpoints: endpoints.take(MAX_ENDPOINTS).collect(),
        metadata,
        ports: Some(ports),
    }
}

/// A ready endpoint: whether it answers is for probes to find out.
pub(super) fn ready(address: IpAddr, hostname: Option<&str>) -> Endpoint {
    Endpoint {
        addresses: vec![address.to_string()],
        conditions: Some(EndpointConditions {
            ready: Some(true),
            ..EndpointConditions::default()
        }),
        hostname: hostname.map(str::to_owned),
        ..Endpoint::default()
    }
}

/// Addresses by family, as `addressType` of slices says it.
pub(super) fn by_family(addresses: &[IpAddr]) -> BTreeMap<&'static str, Vec<IpAddr>> {
    let mut families: BTreeMap<&'static str, Vec<IpAddr>> = BTreeMap::new();
    for address in addresses {
        families.entry(family(*address)).or_default().push(*address);
    }
    families
}

/// The family of an address.
pub(super) fn family(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "IPv4" } else { "IPv6" }
}
