//! Exports of a cluster to offered services.
//!
//! An own `ServiceExport` and an official one of the same name are one export: the own kind has the rules, the official one
//! the labels and annotations that importers see, and the older of the two counts for conflicts.

mod rules;

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{ServicePort, ServiceSpec};

use super::endpoints::Slices;
use super::{MAX_ENDPOINTS, OfferedPort, OfferedService};
use crate::kinds::{mcs, wan};
use crate::names::{WAN_POLICY_ANNOTATION, is_ours, is_private_namespace};
use crate::object::{Key, annotation, created, is_deleted, reference};
use crate::problem::{ObjectRef, Problem};
use crate::snapshot::ClusterSnapshot;

/// The exports of one Service.
#[derive(Debug, Clone, Copy)]
struct Export<'a> {
    own: Option<&'a wan::ServiceExport>,
    official: Option<&'a mcs::ServiceExport>,
}

/// All valid exports, sorted by namespace and name.
pub(super) fn all(snapshot: &ClusterSnapshot, problems: &mut Vec<Problem>) -> Vec<OfferedService> {
    let slices = Slices::of(snapshot);
    let keys: BTreeSet<&Key> = snapshot
        .exports
        .keys()
        .chain(snapshot.mcs_exports.keys())
        .collect();
    let mut services = Vec::new();
    for key in keys {
        let Some(export) = Export::of(snapshot, key) else {
            continue;
        };
        match exported(snapshot, key) {
            Ok(spec) => {
                problems.extend(export.uncarried(spec));
                if headless(spec) {
                    problems.extend(export.too_many(slices.addresses(key)));
                }
                if let Some(own) = export.own {
                    problems.extend(rules::check(own, &snapshot.cluster));
                }
                services.push(export.offered(key, spec, &slices));
            }
            Err(refusal) => {
                problems.extend(export.references().map(|object| refusal.problem(object)));
            }
        }
    }
    services
}

/// Why an export is not valid.
#[derive(Debug, Clone)]
struct Refusal {
    condition: &'static str,
    reason: &'static str,
    message: String,
    hint: String,
}

impl Refusal {
    fn problem(&self, object: ObjectRef) -> Problem {
        Problem::error(object, (self.condition, self.reason), self.message.clone())
            .advise(self.hint.clone())
    }
}

/// The Service that is exported; or why it cannot be.
fn exported<'a>(snapshot: &'a ClusterSnapshot, key: &Key) -> Result<&'a ServiceSpec, Refusal> {
    let (namespace, name) = key;
    if is_private_namespace(namespace) {
        return Err(Refusal {
            condition: "Valid",
            reason: "ForbiddenNamespace",
            message: format!("services of namespace {namespace} are never exported"),
            hint: "delete the export, or move the service to a namespace of its own".to_owned(),
        });
    }
    if snapshot.is_terminating(namespace) {
        return Err(Refusal {
            condition: "Ready",
            reason: "NamespaceTerminating",
            message: format!("namespace {namespace} is being deleted, so the service is withdrawn"),
            hint: "nothing has to be done; exports of a new namespace of the same name count anew"
                .to_owned(),
        });
    }
    let service = snapshot.services.get(key);
    if service.is_some_and(|s| is_ours(&s.metadata)) {
        return Err(Refusal {
            condition: "Valid",
            reason: "InvalidServiceType",
            message: format!("Service {namespace}/{name} stands for an imported service"),
            hint: "export the service where it is; what is imported is in all clusters already"
                .to_owned(),
        });
    }
    let Some(spec) = service.and_then(|s| s.spec.as_ref()) else {
        return Err(Refusal {
            condition: "Valid",
            reason: "NoService",
            message: format!("there is no Service {namespace}/{name}"),
            hint: "an export is named like the Service that it exports: create the Service, or rename the export".to_owned(),
        });
    };
    if spec.type_.as_deref() == Some("ExternalName") {
        return Err(Refusal {
            condition: "Valid",
            reason: "InvalidServiceType",
            message: format!(
                "Service {namespace}/{name} is of type ExternalName, which has no endpoints to export"
            ),
            hint: "export a Service of type ClusterIP, NodePort or LoadBalancer".to_owned(),
        });
    }
    Ok(spec)
}

impl<'a> Export<'a> {
    /// The exports of a name that nobody has deleted.
    fn of(snapshot: &'a ClusterSnapshot, key: &Key) -> Option<Self> {
        let own = snapshot.exports.get(key).map(AsRef::as_ref);
        let official = snapshot.mcs_exports.get(key).map(AsRef::as_ref);
        let export = Self {
            own: own.filter(|e| !is_deleted(*e)),
            official: official.filter(|e| !is_deleted(*e)),
        };
        (export.own.is_some() || export.official.is_some()).then_some(export)
    }

    /// The export objects: a mistake is reported on each.
    fn references(&self) -> impl Iterator<Item = ObjectRef> {
        self.own
            .map(reference)
            .into_iter()
            .chain(self.official.map(reference))
    }

    /// A warning for each port that mc-wan cannot carry; it is part of the service all the same.
    fn uncarried(&self, spec: &ServiceSpec) -> Vec<Problem> {
        let ports = spec.ports.iter().flatten().filter(|p| protocol(p) != "TCP");
        ports
            .flat_map(|port| {
                let message = format!("port {} is {}, which does not cross the wan", port.port, protocol(port));
                self.references().map(move |object| {
                    Problem::warning(object, ("Ready", "UnsupportedProtocol"), message.clone())
                        .advise("importers see the port but cannot reach it; only tcp ports are carried")
                })
            })
            .collect()
    }

    /// A warning for a headless Service that has more endpoints than are offered.
    fn too_many(&self, endpoints: usize) -> Vec<Problem> {
        if endpoints <= MAX_ENDPOINTS {
            return Vec::new();
        }
        let message = format!(
            "{endpoints} endpoints are ready, of which the first {MAX_ENDPOINTS} by address are offered"
        );
        self.references()
            .map(|object| {
                Problem::warning(object, ("Ready", "TooManyEndpoints"), message.clone())
                    .advise("export a service with a cluster ip, whose endpoints are not listed elsewhere, or split it")
            })
            .collect()
    }

    fn offered(
        &self,
        (namespace, name): &Key,
        spec: &ServiceSpec,
        slices: &Slices<'_>,
    ) -> OfferedService {
        let key = (namespace.clone(), name.clone());
        let exported = self.official.map(|e| e.spec.clone()).unwrap_or_default();
        let ports = spec.ports.iter().flatten();
        OfferedService {
            namespace: namespace.clone(),
            name: name.clone(),
            created: self.created(),
            headless: headless(spec),
            ports: ports
                .filter_map(|p| offered_port(p, slices.ready(&key, p)))
                .collect(),
            http: self.own.and_then(|e| e.spec.http.clone()),
            wan_policy: self.policy(),
            labels: exported.exported_labels.unwrap_or_default(),
            annotations: exported.exported_annotations.unwrap_or_default(),
            ip_families: spec.ip_families.clone().unwrap_or_default(),
            session_affinity: spec.session_affinity.clone(),
            session_affinity_config: spec.session_affinity_config.clone(),
            internal_traffic_policy: spec.internal_traffic_policy.clone(),
            traffic_distribution: spec.traffic_distribution.clone(),
            endpoints: if headless(spec) {
                slices.endpoints(&key, spec)
            } else {
                Vec::new()
            },
        }
    }

    /// The older of the two; a time that is not known does not count beside one that is.
    fn created(&self) -> i64 {
        let times = [
            self.own.map_or(0, created),
            self.official.map_or(0, created),
        ];
        times.into_iter().filter(|t| *t != 0).min().unwrap_or(0)
    }

    /// The policy of the whole service: what is exported explicitly comes before metadata.
    fn policy(&self) -> Option<String> {
        let exported = |map: &BTreeMap<String, String>| map.get(WAN_POLICY_ANNOTATION).cloned();
        self.official
            .and_then(|e| e.spec.exported_annotations.as_ref().and_then(exported))
            .filter(|name| !name.is_empty())
            .or_else(|| {
                self.official
                    .and_then(|e| annotation(e, WAN_POLICY_ANNOTATION))
                    .map(str::to_owned)
            })
            .or_else(|| {
                self.own
                    .and_then(|e| annotation(e, WAN_POLICY_ANNOTATION))
                    .map(str::to_owned)
            })
    }
}

fn headless(spec: &ServiceSpec) -> bool {
    spec.cluster_ip.as_deref() == Some("None")
}

fn protocol(port: &ServicePort) -> &str {
    port.protocol.as_deref().unwrap_or("TCP")
}

/// `None` for a port number that no API server would take.
fn offered_port(port: &ServicePort, ready_endpoints: u32) -> Option<OfferedPort> {
    Some(OfferedPort {
        name: port.name.clone().unwrap_or_default(),
        protocol: protocol(port).to_owned(),
        app_protocol: port.app_protocol.clone(),
        port: u16::try_from(port.port).ok().filter(|p| *p > 0)?,
        ready_endpoints,
    })
}
