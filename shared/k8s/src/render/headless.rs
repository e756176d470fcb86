//! Slices of a headless import: the endpoints themselves, which whoever looks up its name gets (KEP-1645, headless services).
//! They can be reached only where the networks of the clusters allow it; its HTTP ports are carried by the gateways as ever.

use std::collections::BTreeMap;

use k8s_openapi::api::discovery::v1::EndpointPort;

use super::derived::slice_metadata;
use super::merge::{MultiService, Source};
use super::output::Output;
use super::targets::{family, ready, slice};
use crate::offer::{OfferedEndpoint, OfferedEndpointPort};

/// Label by which proxies in the nodes leave slices alone.
const HEADLESS_LABEL: &str = "service.kubernetes.io/headless";

/// Renders, for each source cluster, a slice for each address family and each set of ports. `derived` is the name of the
/// Service that there would be if the service were not headless; it makes the slices' names.
pub(super) fn render(service: &MultiService<'_>, derived: &str, out: &mut Output) {
    let mut sources = service.sources.clone();
    sources.sort_by_key(|s| s.cluster);
    for Source {
        cluster,
        service: offered,
    } in sources
    {
        for (i, group) in offered.endpoints.iter().enumerate() {
            for (family, endpoints) in by_family(&group.endpoints) {
                let number = if i == 0 {
                    String::new()
                } else {
                    format!("-{}", i + 1)
                };
                let name = format!(
                    "{derived}-{cluster}-{}{number}",
                    family.to_ascii_lowercase()
                );
                let mut metadata = slice_metadata(service, derived, cluster, &name);
                let labels = metadata.labels.get_or_insert_default();
                labels.insert(HEADLESS_LABEL.to_owned(), String::new());
                let endpoints = endpoints
                    .into_iter()
                    .map(|e| ready(e.address, e.hostname.as_deref()));
                let ports = group.ports.iter().map(port).collect();
                out.put(slice(metadata, family, endpoints, ports));
            }
        }
    }
}

/// Whether any cluster offers endpoints.
pub(super) fn has_slices(service: &MultiService<'_>) -> bool {
    let mut groups = service.sources.iter().flat_map(|s| &s.service.endpoints);
    groups.any(|g| !g.endpoints.is_empty())
}

fn by_family(endpoints: &[OfferedEndpoint]) -> BTreeMap<&'static str, Vec<&OfferedEndpoint>> {
    let mut families: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for endpoint in endpoints {
        families
            .entry(family(endpoint.address))
            .or_default()
            .push(endpoint);
    }
    families
}

fn port(port: &OfferedEndpointPort) -> EndpointPort {
    EndpointPort {
        app_protocol: port.app_protocol.clone(),
        name: Some(port.name.clone()),
        port: Some(i32::from(port.port)),
        protocol: Some(port.protocol.clone()),
    }
}
