//! Exports and imports.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta};
use mcwan_k8s::kinds::{mcs, wan};
use mcwan_k8s::names::WAN_POLICY_ANNOTATION;
use mcwan_k8s::object::annotation;
use serde::Serialize;

use super::fact::{Fact, View};
use super::finding::{Finding, Level, complaints};
use super::seen::Seen;
use super::wan::object_name;

/// An export of this cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExportLine {
    /// Namespace and name.
    pub name: String,
    /// API group of the object.
    pub api: &'static str,
    /// How requests are given to WAN policies: `policy NAME`, `N rules`, `default policy`.
    pub rules: String,
    /// Whether it can be exported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid: Option<Fact>,
    /// Whether it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<Fact>,
    /// Whether clusters differ on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conflict: Option<Fact>,
    /// Seconds since it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_seconds: Option<i64>,
}

/// An import of this cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ImportLine {
    /// Namespace and name.
    pub name: String,
    /// `ClusterSetIP` or `Headless`.
    #[serde(rename = "type")]
    pub type_: String,
    /// Its virtual addresses.
    pub ips: Vec<String>,
    /// The clusters that export it.
    pub clusters: Vec<String>,
    /// The rules in force and where they come from, e.g. `2 rules of cluster-1`; empty where nobody says.
    pub rules: String,
    /// Whether it can be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<Fact>,
    /// Seconds since it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_seconds: Option<i64>,
}

/// What both kinds of export have in common.
struct Export<'a> {
    meta: &'a ObjectMeta,
    api: &'static str,
    rules: String,
    conditions: Option<&'a Vec<Condition>>,
}

/// The exports, and what is wrong with them.
pub(super) fn exports(seen: &Seen, view: View, findings: &mut Vec<Finding>) -> Vec<ExportLine> {
    let snapshot = &seen.snapshot;
    let official = snapshot.mcs_exports.values().map(|e| official_export(e));
    let own = snapshot.exports.values().map(|e| own_export(e));
    let mut lines: Vec<ExportLine> = official
        .chain(own)
        .map(|export| export_line(&export, view, findings))
        .collect();
    lines.sort_by(|a, b| (&a.name, a.api).cmp(&(&b.name, b.api)));
    lines
}

fn official_export(export: &mcs::ServiceExport) -> Export<'_> {
    let exported = export.spec.exported_annotations.as_ref();
    let policy = exported
        .and_then(|all| all.get(WAN_POLICY_ANNOTATION))
        .map(String::as_str)
        .or_else(|| annotation(export, WAN_POLICY_ANNOTATION));
    Export {
        meta: &export.metadata,
        api: "multicluster.x-k8s.io",
        rules: policy.map_or_else(|| "default policy".to_owned(), |p| format!("policy {p}")),
        conditions: export.status.as_ref().and_then(|s| s.conditions.as_ref()),
    }
}

fn own_export(export: &wan::ServiceExport) -> Export<'_> {
    let policy = annotation(export, WAN_POLICY_ANNOTATION);
    let rules = match (&export.spec.http, policy) {
        (Some(http), _) => count(http.rules.len(), "rule"),
        (None, Some(policy)) => format!("policy {policy}"),
        (None, None) => "default policy".to_owned(),
    };
    Export {
        meta: &export.metadata,
        api: "mc-wan.l7mp.io",
        rules,
        conditions: export.status.as_ref().and_then(|s| s.conditions.as_ref()),
    }
}

fn export_line(export: &Export<'_>, view: View, findings: &mut Vec<Finding>) -> ExportLine {
    let meta = export.meta;
    let name = object_name(meta.namespace.as_deref(), meta.name.as_deref());
    let fact = |type_| Fact::find(export.conditions, type_, meta.generation, view);
    let age_seconds = meta.creation_timestamp.as_ref().map(|t| view.age(t.0));
    let object = format!("ServiceExport {name}");
    let found = complaints(&object, export.conditions, meta.generation, view);
    let (valid, ready) = (fact("Valid"), fact("Ready"));
    if valid.is_none() && ready.is_none() {
        findings.push(untouched(&object, "not exported", age_seconds));
    }
    findings.extend(found);
    ExportLine {
        name,
        api: export.api,
        rules: export.rules.clone(),
        valid,
        ready,
        conflict: fact("Conflict"),
        age_seconds,
    }
}

/// An object that no controller has looked at.
fn untouched(object: &str, what: &str, age_seconds: Option<i64>) -> Finding {
    let message = format!("{what}: no controller has looked at it yet");
    let finding = Finding::new(Level::Error, object, "Pending", message);
    match age_seconds {
        Some(seconds) => finding.aged(seconds),
        None => finding,
    }
}

/// The imports, and what is wrong with them.
pub(super) fn imports(seen: &Seen, view: View, findings: &mut Vec<Finding>) -> Vec<ImportLine> {
    let all = seen.snapshot.mcs_imports.iter();
    all.map(|(key, import)| {
        let own = seen.snapshot.imports.get(key).map(AsRef::as_ref);
        import_line(import, own, view, findings)
    })
    .collect()
}

fn import_line(
    import: &mcs::ServiceImport,
    own: Option<&wan::ServiceImport>,
    view: View,
    findings: &mut Vec<Finding>,
) -> ImportLine {
    let meta = &import.metadata;
    let name = object_name(meta.namespace.as_deref(), meta.name.as_deref());
    let status = import.status.as_ref();
    let conditions = status.and_then(|s| s.conditions.as_ref());
    let object = format!("ServiceImport {name}");
    findings.extend(complaints(&object, conditions, meta.generation, view));
    if let Some(own) = own {
        let conditions = own.status.as_ref().and_then(|s| s.conditions.as_ref());
        let generation = own.metadata.generation;
        findings.extend(complaints(&object, conditions, generation, view));
    }
    let clusters = status.and_then(|s| s.clusters.as_ref());
    ImportLine {
        name,
        type_: import.spec.type_.clone(),
        ips: import.spec.ips.clone().unwrap_or_default(),
        clusters: clusters
            .into_iter()
            .flatten()
            .map(|c| c.cluster.clone())
            .collect(),
        rules: own.map(rules_in_force).unwrap_or_default(),
        ready: Fact::find(conditions, "Ready", meta.generation, view),
        age_seconds: meta.creation_timestamp.as_ref().map(|t| view.age(t.0)),
    }
}

fn rules_in_force(import: &wan::ServiceImport) -> String {
    let Some(http) = import.status.as_ref().and_then(|s| s.http.as_ref()) else {
        return String::new();
    };
    let rules = count(http.rules.len(), "rule");
    match (http.origin.kind.as_str(), &http.origin.cluster) {
        ("ServiceImport", _) => format!("{rules} of this cluster"),
        ("DefaultPolicy", _) => "default policy".to_owned(),
        (_, Some(cluster)) => format!("{rules} of {cluster}"),
        (_, None) => rules,
    }
}

fn count(n: usize, what: &str) -> String {
    match n {
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    }
}
