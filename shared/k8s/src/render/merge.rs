//! One multi-cluster service out of the exports of several clusters (KEP-1645, constraints and conflict resolution):
//! the oldest export wins, the cluster's name breaks ties.

use std::collections::{BTreeMap, BTreeSet};

use super::conflicts::{self, Conflict};
use super::members::Members;
use crate::offer::{OfferedPort, OfferedService};

/// A service and the clusters that export it.
pub(super) struct MultiService<'a> {
    /// Namespace.
    pub(super) namespace: &'a str,
    /// Name.
    pub(super) name: &'a str,
    /// The export that wins conflicts: `sources[0]`.
    pub(super) oldest: &'a OfferedService,
    /// All exports with their clusters, oldest first. Never empty.
    pub(super) sources: Vec<Source<'a>>,
    /// Union of the ports, in the order of the oldest export, then of the next.
    pub(super) ports: Vec<Port<'a>>,
    /// What the exports disagree on.
    pub(super) conflicts: Vec<Conflict>,
}

/// An export and its cluster.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    /// Cluster id.
    pub(super) cluster: &'a str,
    /// What it offers.
    pub(super) service: &'a OfferedService,
}

/// A port of the merged service.
pub(super) struct Port<'a> {
    /// As the export has it that was first to have this port.
    pub(super) offered: &'a OfferedPort,
    /// Ready endpoints in each cluster that exposes this very port.
    pub(super) ready: BTreeMap<&'a str, u32>,
}

impl<'a> MultiService<'a> {
    /// Namespace and name.
    pub(super) fn id(&self) -> (&'a str, &'a str) {
        (self.namespace, self.name)
    }

    /// The export of one cluster.
    pub(super) fn exported_by(&self, cluster: &str) -> Option<&'a OfferedService> {
        self.sources
            .iter()
            .find(|s| s.cluster == cluster)
            .map(|s| s.service)
    }

    /// Exporting clusters, sorted by name.
    pub(super) fn clusters(&self) -> Vec<&'a str> {
        let mut clusters: Vec<_> = self.sources.iter().map(|s| s.cluster).collect();
        clusters.sort_unstable();
        clusters
    }
}

/// Merges all exports of namespaces that exist here, sorted by namespace and name.
pub(super) fn services<'a>(
    members: &'a Members,
    namespaces: &BTreeSet<String>,
) -> Vec<MultiService<'a>> {
    let mut exports: BTreeMap<(&str, &str), Vec<Source<'a>>> = BTreeMap::new();
    for offer in members.all() {
        for service in offer
            .services
            .iter()
            .filter(|s| namespaces.contains(&s.namespace))
        {
            exports
                .entry((&service.namespace, &service.name))
                .or_default()
                .push(Source {
                    cluster: &offer.cluster,
                    service,
                });
        }
    }
    exports
        .into_iter()
        .filter_map(|(id, sources)| merge(id, sources))
        .collect()
}

fn merge<'a>(
    (namespace, name): (&'a str, &'a str),
    mut sources: Vec<Source<'a>>,
) -> Option<MultiService<'a>> {
    sources.sort_by_key(|s| (s.service.created, s.cluster));
    let oldest = sources.first()?.service;
    let ports = union(&sources);
    let conflicts = conflicts::find(oldest, &sources, &ports);
    Some(MultiService {
        namespace,
        name,
        oldest,
        sources,
        ports,
        conflicts,
    })
}

/// Ports merged first by name, then by protocol and port. A cluster whose port of some name is another one does not
/// serve that port.
fn union<'a>(sources: &[Source<'a>]) -> Vec<Port<'a>> {
    let mut ports: Vec<Port<'a>> = Vec::new();
    for &Source { cluster, service } in sources {
        for offered in &service.ports {
            let number = |p: &OfferedPort| (p.protocol.clone(), p.port);
            let named = ports.iter().position(|p| p.offered.name == offered.name);
            let numbered = ports
                .iter()
                .position(|p| number(p.offered) == number(offered));
            match (named, numbered) {
                (None, None) => ports.push(Port {
                    offered,
                    ready: BTreeMap::from([(cluster, offered.ready_endpoints)]),
                }),
                (_, Some(at)) if named.is_none_or(|n| n == at) => {
                    if let Some(port) = ports.get_mut(at) {
                        port.ready.insert(cluster, offered.ready_endpoints);
                    }
                }
                _ => {}
            }
        }
    }
    ports
}
