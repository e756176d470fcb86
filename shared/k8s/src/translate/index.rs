//! The snapshot, indexed for what a translation asks of it: nothing here scans all objects for one reference.

use std::collections::{BTreeMap, HashMap, HashSet};

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::core::ObjectMeta;
use mcwan_gateway_api::backendtlspolicies::BackendTlsPolicy;

use super::imports::Imports;
use crate::object::Key;
use crate::policy::{self, Accepted};
use crate::snapshot::ClusterSnapshot;

/// API group of the Gateway API.
pub(crate) const GATEWAY_GROUP: &str = "gateway.networking.k8s.io";
/// API group of the official ServiceImport.
pub(super) const MCS_GROUP: &str = "multicluster.x-k8s.io";
/// Label that ties an `EndpointSlice` to its Service.
const SLICE_SERVICE_LABEL: &str = "kubernetes.io/service-name";
/// Label that every namespace carries, whatever its manifest says (KEP-2161).
const NAMESPACE_NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// A `BackendTLSPolicy` and the Service port (by name) it is for; None: all ports.
type TlsTarget<'a> = (&'a BackendTlsPolicy, Option<&'a str>);

/// One permission of a `ReferenceGrant`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Grant<'a> {
    from_kind: &'a str,
    from_namespace: &'a str,
    namespace: &'a str,
    /// Kind that may be referred to: `Service` or `ServiceImport`.
    kind: &'a str,
    name: Option<&'a str>,
}

/// What a reference across namespaces leads to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target<'t> {
    /// `Service` or `ServiceImport`.
    pub(super) kind: &'t str,
    pub(super) namespace: &'t str,
    pub(super) name: &'t str,
}

/// The snapshot and its indexes.
pub(super) struct Index<'a> {
    pub(super) snapshot: &'a ClusterSnapshot,
    slices: HashMap<(&'a str, &'a str), Vec<&'a EndpointSlice>>,
    grants: HashSet<Grant<'a>>,
    tls: HashMap<(&'a str, &'a str), Vec<TlsTarget<'a>>>,
    policies: BTreeMap<u16, Accepted>,
    /// What was rendered for imported services.
    pub(super) imports: Imports<'a>,
}

impl<'a> Index<'a> {
    pub(super) fn new(snapshot: &'a ClusterSnapshot) -> Self {
        Self {
            snapshot,
            slices: slices(snapshot),
            grants: grants(snapshot),
            tls: tls(snapshot),
            policies: policies(snapshot),
            imports: Imports::read(snapshot),
        }
    }

    /// A Service.
    pub(super) fn service(&self, namespace: &str, name: &str) -> Option<&'a Service> {
        let key: Key = (namespace.to_owned(), name.to_owned());
        self.snapshot.services.get(&key).map(AsRef::as_ref)
    }

    /// The slices of a Service.
    pub(super) fn slices<'s>(
        &'s self,
        namespace: &'s str,
        service: &'s str,
    ) -> &'s [&'a EndpointSlice] {
        self.slices
            .get(&(namespace, service))
            .map_or(&[], Vec::as_slice)
    }

    /// The accepted `WANPolicy` of a port.
    pub(super) fn policy(&self, port: u16) -> Option<&Accepted> {
        self.policies.get(&port)
    }

    /// The `BackendTLSPolicy` for a Service port, if there is one.
    pub(super) fn tls_policy(
        &self,
        namespace: &str,
        service: &str,
        port_name: &str,
    ) -> Option<&'a BackendTlsPolicy> {
        let targets = self.tls.get(&(namespace, service))?;
        let hit = targets
            .iter()
            .find(|(_, section)| section.is_none_or(|s| s == port_name))?;
        Some(hit.0)
    }

    /// Whether a `ReferenceGrant` lets routes of a kind and namespace refer to a Service or `ServiceImport` elsewhere.
    pub(super) fn permits(&self, from_kind: &str, from_namespace: &str, to: Target<'_>) -> bool {
        [None, Some(to.name)].into_iter().any(|name| {
            self.grants.contains(&Grant {
                from_kind,
                from_namespace,
                namespace: to.namespace,
                kind: to.kind,
                name,
            })
        })
    }

    /// A label of a namespace. A namespace that the snapshot lacks has its name label only.
    pub(super) fn namespace_label(&self, namespace: &'a str, label: &str) -> Option<&'a str> {
        if label == NAMESPACE_NAME_LABEL {
            return Some(namespace);
        }
        let object = self
            .snapshot
            .namespaces
            .get(&(String::new(), namespace.to_owned()))?;
        object
            .metadata
            .labels
            .as_ref()?
            .get(label)
            .map(String::as_str)
    }
}

/// Seconds since 1970 at which an object was made; 0 where that is unknown (files).
pub(super) fn created(meta: &ObjectMeta) -> i64 {
    meta.creation_timestamp
        .as_ref()
        .map_or(0, |t| t.0.as_second())
}

fn slices(snapshot: &ClusterSnapshot) -> HashMap<(&str, &str), Vec<&EndpointSlice>> {
    let mut slices: HashMap<_, Vec<_>> = HashMap::new();
    for ((namespace, _), slice) in &snapshot.endpoint_slices {
        let labels = slice.metadata.labels.as_ref();
        if let Some(service) = labels.and_then(|l| l.get(SLICE_SERVICE_LABEL)) {
            slices
                .entry((namespace.as_str(), service.as_str()))
                .or_default()
                .push(slice.as_ref());
        }
    }
    slices
}

/// Only grants from Gateway API kinds to Services and to the official `ServiceImport` count: groups, kinds, namespaces and names
/// are compared exactly.
fn grants(snapshot: &ClusterSnapshot) -> HashSet<Grant<'_>> {
    let mut grants = HashSet::new();
    for ((namespace, _), grant) in &snapshot.reference_grants {
        let from = grant.spec.from.iter().filter(|f| f.group == GATEWAY_GROUP);
        for from in from {
            let to = grant.spec.to.iter().filter(|t| {
                matches!(
                    (t.group.as_str(), t.kind.as_str()),
                    ("", "Service") | (MCS_GROUP, "ServiceImport")
                )
            });
            grants.extend(to.map(|to| Grant {
                from_kind: &from.kind,
                from_namespace: &from.namespace,
                namespace,
                kind: &to.kind,
                name: to.name.as_deref(),
            }));
        }
    }
    grants
}

fn tls(snapshot: &ClusterSnapshot) -> HashMap<(&str, &str), Vec<TlsTarget<'_>>> {
    let mut targets: HashMap<_, Vec<_>> = HashMap::new();
    for ((namespace, _), policy) in &snapshot.backend_tls_policies {
        for target in &policy.spec.target_refs {
            if target.group.is_empty() && target.kind == "Service" {
                let services = targets
                    .entry((namespace.as_str(), target.name.as_str()))
                    .or_default();
                services.push((policy.as_ref(), target.section_name.as_deref()));
            }
        }
    }
    targets
}

fn policies(snapshot: &ClusterSnapshot) -> BTreeMap<u16, Accepted> {
    // What is wrong with policies is reported where they are offered to the peers, once.
    let (accepted, _) = policy::accepted(snapshot);
    accepted.into_iter().map(|p| (p.port, p)).collect()
}
