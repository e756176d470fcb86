//! Ready endpoints behind the ports of Services.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use k8s_openapi::api::core::v1::ServicePort;
use k8s_openapi::api::discovery::v1::EndpointSlice;

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
            .filter(|e| e.conditions.as_ref().and_then(|c| c.ready) != Some(false))
            .flat_map(|e| &e.addresses)
            .filter_map(|address| address.parse().ok())
            .collect();
        u32::try_from(addresses.len()).unwrap_or(u32::MAX)
    }
}

fn has_port(slice: &EndpointSlice, port: &ServicePort) -> bool {
    let name = port.name.as_deref().unwrap_or("");
    let protocol = port.protocol.as_deref().unwrap_or("TCP");
    slice.ports.iter().flatten().any(|p| {
        p.name.as_deref().unwrap_or("") == name
            && p.protocol.as_deref().unwrap_or("TCP") == protocol
    })
}
