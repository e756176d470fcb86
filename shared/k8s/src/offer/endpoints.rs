//! Ready endpoints behind the ports of Services.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use k8s_openapi::api::core::v1::{ServicePort, ServiceSpec};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};

use super::{MAX_ENDPOINTS, OfferedEndpoint, OfferedEndpointPort, OfferedEndpoints};
use crate::names::is_label;
use crate::object::Key;
use crate::snapshot::ClusterSnapshot;

/// Label of a slice: its Service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// Slices by the namespace and name of their Service.
#[derive(Debug)]
pub(super) struct Slices<'a>(BTreeMap<Key, Vec<&'a EndpointSlice>>);

impl<'a> Slices<'a> {
    /// All slices of a cluster that belong to a Service.
    pub(super) fn of(snapshot: &'a ClusterSnapshot) -> Self {
        let mut slices: BTreeMap<Key, Vec<&EndpointSlice>> = BTreeMap::new();
        for ((namespace, _), slice) in &snapshot.endpoint_slices {
            if let Some(service) = slice
                .metadata
                .labels
                .as_ref()
                .and_then(|l| l.get(SERVICE_NAME))
            {
                slices
                    .entry((namespace.clone(), service.clone()))
                    .or_default()
                    .push(slice);
            }
        }
        Self(slices)
    }

    /// Addresses that are ready behind a port: the port is told by its name, an address counts once, and an endpoint that
    /// does not say whether it is ready is (as the API has it).
    pub(super) fn ready(&self, service: &Key, port: &ServicePort) -> u32 {
        let slices = self
            .0
            .get(service)
            .into_iter()
            .flatten()
            .filter(|s| has_port(s, port));
        let addresses: BTreeSet<IpAddr> = slices
            .flat_map(|slice| &slice.endpoints)
            .filter(|e| is_ready(e))
            .flat_map(|e| &e.addresses)
            .filter_map(|address| address.parse().ok())
            .collect();
        u32::try_from(addresses.len()).unwrap_or(u32::MAX)
    }

    /// The ready endpoints of a headless Service, those with the same ports together, sorted. Beyond [`MAX_ENDPOINTS`]
    /// addresses the highest are left out.
    pub(super) fn endpoints(&self, service: &Key, spec: &ServiceSpec) -> Vec<OfferedEndpoints> {
        let mut groups: BTreeMap<Vec<OfferedEndpointPort>, BTreeSet<OfferedEndpoint>> =
            BTreeMap::new();
        for slice in self.0.get(service).into_iter().flatten() {
            let ready = slice.endpoints.iter().filter(|e| is_ready(e));
            groups
                .entry(ports(slice, spec))
                .or_default()
                .extend(ready.flat_map(offered));
        }
        let kept: BTreeSet<OfferedEndpoint> = groups
            .values()
            .flatten()
            .cloned()
            .collect::<BTreeSet<_>>()
            .into_iter()
            .take(MAX_ENDPOINTS)
            .collect();
        groups
            .into_iter()
            .map(|(ports, endpoints)| OfferedEndpoints {
                ports,
                endpoints: endpoints.into_iter().filter(|e| kept.contains(e)).collect(),
            })
            .filter(|group| !group.endpoints.is_empty())
            .collect()
    }

    /// Ready addresses of a Service, over all ports.
    pub(super) fn addresses(&self, service: &Key) -> usize {
        let slices = self.0.get(service).into_iter().flatten();
        let endpoints = slices.flat_map(|s| &s.endpoints).filter(|e| is_ready(e));
        endpoints.flat_map(offered).collect::<BTreeSet<_>>().len()
    }
}

/// An endpoint that does not say whether it is ready is (as the API has it).
fn is_ready(endpoint: &Endpoint) -> bool {
    endpoint.conditions.as_ref().and_then(|c| c.ready) != Some(false)
}

/// All addresses of an endpoint, which are of the same pod.
fn offered(endpoint: &Endpoint) -> impl Iterator<Item = OfferedEndpoint> {
    let hostname = endpoint.hostname.as_ref().filter(|h| is_label(h));
    endpoint.addresses.iter().filter_map(move |address| {
        Some(OfferedEndpoint {
            address: address.parse().ok()?,
            hostname: hostname.cloned(),
        })
    })
}

/// The ports of a slice that the Service has, by name, sorted.
fn ports(slice: &EndpointSlice, spec: &ServiceSpec) -> Vec<OfferedEndpointPort> {
    let has = |name: &str, protocol: &str| {
        spec.ports.iter().flatten().find(|p| {
            p.name.as_deref().unwrap_or("") == name
                && p.protocol.as_deref().unwrap_or("TCP") == protocol
        })
    };
    let mut ports: Vec<_> = slice
        .ports
        .iter()
        .flatten()
        .filter_map(|port| {
            let name = port.name.as_deref().unwrap_or("");
            let protocol = port.protocol.as_deref().unwrap_or("TCP");
            let service = has(name, protocol)?;
            Some(OfferedEndpointPort {
                name: name.to_owned(),
                protocol: protocol.to_owned(),
                app_protocol: service.app_protocol.clone(),
                port: u16::try_from(port.port?).ok().filter(|p| *p > 0)?,
            })
        })
        .collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

fn has_port(slice: &EndpointSlice, port: &ServicePort) -> bool {
    let name = port.name.as_deref().unwrap_or("");
    let protocol = port.protocol.as_deref().unwrap_or("TCP");
    slice.ports.iter().flatten().any(|p| {
        p.name.as_deref().unwrap_or("") == name
            && p.protocol.as_deref().unwrap_or("TCP") == protocol
    })
}
