//! `ServiceImport`s of the MCS API, one for each imported service.

use std::collections::BTreeMap;

use super::merge::MultiService;
use super::output::Output;
use super::plans::Plan;
use super::{View, derived, headless, meta, report};
use crate::kinds::mcs::{
    ClusterStatus, ImportPort, ServiceImport, ServiceImportSpec, ServiceImportStatus,
};
use crate::names::{self, is_label};
use crate::problem::Problem;
use crate::snapshot::ClusterSnapshot;

/// Annotation of a `ServiceImport`: its derived Service. A convention of the reference controllers that others rely on.
const DERIVED_ANNOTATION: &str = "multicluster.kubernetes.io/derived-service";

/// Renders the imports with their derived Services.
pub(super) fn render(view: &View<'_>, plans: &[Plan], out: &mut Output) {
    for (service, plan) in view.services.iter().zip(plans) {
        let name = names::derived_name(service.namespace, service.name);
        let headless = service.oldest.headless;
        let derived = !headless && !service.ports.is_empty();
        let present = if headless {
            headless::has_slices(service)
        } else {
            derived && derived::has_slices(view, plan)
        };
        let copied = copied(service, out);
        let virtual_address =
            (derived && !derived::is_foreign(view, service, &name)).then_some(&name);
        let import = import(
            view,
            service,
            (virtual_address.map(String::as_str), present),
            copied,
        );
        if out.put(import) && headless {
            headless::render(service, &name, out);
        } else if derived {
            derived::render(view, service, plan, &name, out);
        }
    }
}

/// Whether the cluster has a `ServiceImport` of another implementation for a service.
pub(super) fn is_foreign(snapshot: &ClusterSnapshot, service: &MultiService<'_>) -> bool {
    let key = (service.namespace.to_owned(), service.name.to_owned());
    let import = snapshot.mcs_imports.get(&key);
    import.is_some_and(|i| !meta::is_ours(&i.metadata))
}

/// Exported labels and annotations that may be copied.
struct Copied {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

fn import(
    view: &View<'_>,
    service: &MultiService<'_>,
    (derived, slices): (Option<&str>, bool),
    copied: Copied,
) -> ServiceImport {
    let mut metadata = meta::of_service(service.namespace, service.name, service.id());
    let mut labels = copied.labels;
    labels.extend(metadata.labels.take().unwrap_or_default());
    metadata.labels = Some(labels);
    let mut annotations = copied.annotations;
    annotations.extend(derived.map(|d| (DERIVED_ANNOTATION.to_owned(), d.to_owned())));
    metadata.annotations = (!annotations.is_empty()).then_some(annotations);
    let oldest = service.oldest;
    let (ips, families) = derived
        .map(|d| derived::addresses(view, service, d))
        .unwrap_or_default();
    let families = if ips.is_empty() {
        oldest.ip_families.clone()
    } else {
        families
    };
    ServiceImport {
        metadata,
        spec: ServiceImportSpec {
            ports: service.ports.iter().map(|p| port(p.offered)).collect(),
            ips: (!ips.is_empty()).then_some(ips),
            type_: if oldest.headless {
                "Headless"
            } else {
                "ClusterSetIP"
            }
            .to_owned(),
            session_affinity: oldest.session_affinity.clone(),
            session_affinity_config: oldest.session_affinity_config.clone(),
            ip_families: (!families.is_empty()).then_some(families),
            internal_traffic_policy: oldest.internal_traffic_policy.clone(),
            traffic_distribution: oldest.traffic_distribution.clone(),
        },
        status: Some(status(service, slices)),
    }
}

fn port(offered: &crate::offer::OfferedPort) -> ImportPort {
    ImportPort {
        name: (!offered.name.is_empty()).then(|| offered.name.clone()),
        protocol: Some(offered.protocol.clone()),
        app_protocol: offered.app_protocol.clone(),
        port: i32::from(offered.port),
    }
}

/// Exporting clusters, and whether there are MCS slices. Conditions carry times, so whoever applies the import writes them.
fn status(service: &MultiService<'_>, slices: bool) -> ServiceImportStatus {
    let clusters = service.clusters().into_iter().map(|c| ClusterStatus {
        cluster: c.to_owned(),
    });
    ServiceImportStatus {
        clusters: Some(clusters.collect()),
        conditions: None,
        endpoint_slice_objects: Some(if slices { "Present" } else { "Absent" }.to_owned()),
    }
}

/// The exported maps without keys that are Kubernetes' own or not legal; what is left out is reported.
fn copied(service: &MultiService<'_>, out: &mut Output) -> Copied {
    let mut copy = |map: &BTreeMap<String, String>, what: &str, value: fn(&str) -> bool| {
        let (kept, dropped): (BTreeMap<_, _>, BTreeMap<_, _>) = map
            .clone()
            .into_iter()
            .partition(|(k, v)| may_copy(k) && value(v));
        for key in dropped.keys() {
            out.problem(not_copied(service, what, key));
        }
        kept
    };
    Copied {
        labels: copy(&service.oldest.labels, "label", |v| {
            v.is_empty() || qualified(v)
        }),
        annotations: copy(&service.oldest.annotations, "annotation", |_| true),
    }
}

/// Whether a key of a peer may be copied: legal, and not in a domain that Kubernetes gives meaning to.
fn may_copy(key: &str) -> bool {
    let (prefix, name) = key
        .split_once('/')
        .map_or((None, key), |(p, n)| (Some(p), n));
    let reserved = |p: &str| {
        ["kubernetes.io", "k8s.io"]
            .iter()
            .any(|d| p == *d || p.strip_suffix(d).is_some_and(|r| r.ends_with('.')))
    };
    qualified(name)
        && prefix.is_none_or(|p| p.len() <= 253 && p.split('.').all(is_label) && !reserved(p))
}

/// A qualified name without prefix: 63 of letters, digits, `-`, `_` and `.`, a letter or digit at both ends.
fn qualified(name: &str) -> bool {
    let end = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let inner = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    name.len() <= 63 && inner && end(name.chars().next()) && end(name.chars().next_back())
}

fn not_copied(service: &MultiService<'_>, what: &str, key: &str) -> Problem {
    let message = format!(
        "exported {what} {key:?} is not copied: it is reserved for kubernetes, or not legal"
    );
    Problem::warning(
        report::service_import(service.id()),
        ("Ready", "ReservedKey"),
        message,
    )
    .advise(format!("export the {what} under a domain of your own"))
}
