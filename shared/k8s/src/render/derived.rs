//! The derived Service of an import: its virtual address, which leads to the allocated ports of the egress gateway.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::api::discovery::v1::EndpointPort;
use kube::core::ObjectMeta;

use super::merge::{MultiService, Port};
use super::output::Output;
use super::plans::Plan;
use super::targets::{SERVICE_LABEL, SLICE_MANAGED_BY, by_family, endpoint_port, ready, slice};
use super::{View, meta};
use crate::names;
use crate::offer;

/// Label of an imported slice: the `ServiceImport` (KEP-1645).
const MCS_SERVICE: &str = "multicluster.kubernetes.io/service-name";
/// Label of an imported slice: the exporting cluster (KEP-1645).
const MCS_CLUSTER: &str = "multicluster.kubernetes.io/source-cluster";

/// Renders the Service, and for each source cluster and address family a slice with the egress gateway's addresses.
pub(super) fn render(
    view: &View<'_>,
    service: &MultiService<'_>,
    plan: &Plan,
    name: &str,
    out: &mut Output,
) {
    let addresses = offer::addresses(view.snapshot, names::EGRESS);
    let families = by_family(&addresses);
    let names = port_names(service);
    let derived = Service {
        metadata: meta::of_service(service.namespace, name, service.id()),
        spec: Some(ServiceSpec {
            // The gateway answers on both families, so the virtual address may have both.
            ip_family_policy: (families.len() > 1).then(|| "PreferDualStack".to_owned()),
            ports: Some(
                service
                    .ports
                    .iter()
                    .zip(&names)
                    .map(|(p, n)| port(p, n))
                    .collect(),
            ),
            session_affinity: service.oldest.session_affinity.clone(),
            session_affinity_config: service.oldest.session_affinity_config.clone(),
            ..ServiceSpec::default()
        }),
        status: None,
    };
    if !out.put(derived) {
        return;
    }
    for cluster in service.clusters() {
        let ports = slice_ports(service, plan, &names, cluster);
        if ports.is_empty() {
            continue;
        }
        for (family, addresses) in &families {
            let slice_name = format!("{name}-{cluster}-{}", family.to_ascii_lowercase());
            let metadata = slice_metadata(service, name, cluster, &slice_name);
            let endpoints = addresses.iter().map(|a| ready(*a, None));
            out.put(slice(metadata, family, endpoints, ports.clone()));
        }
    }
}

/// Metadata of a slice with what one cluster adds to a service (KEP-1645, `EndpointSlice`). `derived` is the name of the
/// derived Service: for a headless service there is none, but whoever reads slices expects that each says one.
pub(super) fn slice_metadata(
    service: &MultiService<'_>,
    derived: &str,
    cluster: &str,
    name: &str,
) -> ObjectMeta {
    let mut metadata = meta::of_service(service.namespace, name, service.id());
    let labels = [
        (SERVICE_LABEL, derived),
        (MCS_SERVICE, service.name),
        (MCS_CLUSTER, cluster),
        (SLICE_MANAGED_BY, names::MANAGED_BY.1),
    ];
    metadata
        .labels
        .get_or_insert_default()
        .extend(labels.map(|(k, v)| (k.to_owned(), v.to_owned())));
    metadata
}

/// Whether a Service that is not ours has the name of a derived one.
pub(super) fn is_foreign(view: &View<'_>, service: &MultiService<'_>, name: &str) -> bool {
    let key = (service.namespace.to_owned(), name.to_owned());
    let there = view.snapshot.services.get(&key);
    there.is_some_and(|s| !meta::is_ours(&s.metadata))
}

/// Whether there is anything to put into slices.
pub(super) fn has_slices(view: &View<'_>, plan: &Plan) -> bool {
    let addressed = !offer::addresses(view.snapshot, names::EGRESS).is_empty();
    addressed && plan.ports.iter().any(|p| p.1.is_some())
}

/// Virtual addresses and their families, once the API server has given them to the derived Service.
pub(super) fn addresses(
    view: &View<'_>,
    service: &MultiService<'_>,
    name: &str,
) -> (Vec<String>, Vec<String>) {
    let key = (service.namespace.to_owned(), name.to_owned());
    let derived = view
        .snapshot
        .services
        .get(&key)
        .filter(|s| meta::is_ours(&s.metadata));
    let Some(spec) = derived.and_then(|s| s.spec.as_ref()) else {
        return (Vec::new(), Vec::new());
    };
    let single = spec.cluster_ip.iter().cloned().collect();
    let given: Vec<String> = spec.cluster_ips.clone().unwrap_or(single);
    let ips: Vec<String> = given
        .into_iter()
        .filter(|ip| ip.parse::<std::net::IpAddr>().is_ok())
        .take(2)
        .collect();
    let families = ips
        .iter()
        .map(|ip| if ip.contains(':') { "IPv6" } else { "IPv4" }.to_owned());
    (ips.clone(), families.collect())
}

/// A Service with several ports needs a name for each; the unnamed port of a single-port export gets one.
fn port_names(service: &MultiService<'_>) -> Vec<String> {
    let taken: BTreeSet<&str> = service
        .ports
        .iter()
        .map(|p| p.offered.name.as_str())
        .collect();
    let several = service.ports.len() > 1;
    let name = |p: &Port<'_>| {
        if !p.offered.name.is_empty() || !several {
            return p.offered.name.clone();
        }
        let number = p.offered.port;
        // At most one port is unnamed, and two names cannot both be taken by every other port.
        let free = [
            format!("p{number}"),
            format!("port-{number}"),
            format!("unnamed-{number}"),
        ];
        free.into_iter()
            .find(|n| !taken.contains(n.as_str()))
            .unwrap_or_default()
    };
    service.ports.iter().map(name).collect()
}

fn port(port: &Port<'_>, name: &str) -> ServicePort {
    ServicePort {
        app_protocol: port.offered.app_protocol.clone(),
        name: (!name.is_empty()).then(|| name.to_owned()),
        port: i32::from(port.offered.port),
        protocol: Some(port.offered.protocol.clone()),
        ..ServicePort::default()
    }
}

/// The allocated ports of what a cluster exposes.
fn slice_ports(
    service: &MultiService<'_>,
    plan: &Plan,
    names: &[String],
    cluster: &str,
) -> Vec<EndpointPort> {
    service
        .ports
        .iter()
        .zip(names)
        .filter(|(p, _)| p.ready.contains_key(cluster) && super::ports::is_http(p.offered))
        .filter_map(|(p, name)| Some(endpoint_port(name, plan.allocated(p.offered.port)?)))
        .collect()
}
