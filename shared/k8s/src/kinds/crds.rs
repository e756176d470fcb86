//! The `CustomResourceDefinition`s of the own kinds, the MCS API and the About API, made from the types. `config/crd/` holds
//! them as files, and a test keeps the two equal (`UPDATE=1` rewrites the files).

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::{Value, json};

use super::{about, mcs, wan};

/// The files of the definitions: path under `config/crd/`, and content.
#[must_use]
pub fn files() -> Vec<(String, CustomResourceDefinition)> {
    let own = [
        wan::WANPolicy::crd(),
        optional_spec(wan::ServiceExport::crd()),
        optional_spec(wan::ServiceImport::crd()),
        wan::ClusterPeer::crd(),
        wan::PublishedCluster::crd(),
        wan::PublishedService::crd(),
        optional_spec(wan::GatewayConfig::crd()),
    ];
    let mcs = [
        both_versions(mcs_labels(optional_spec(mcs::ServiceExport::crd()))),
        both_versions(mcs_labels(optional_spec(mcs::ServiceImport::crd()))),
    ];
    let about = [both_versions(approved(about::ClusterProperty::crd()))];
    let folders = [("own", &own[..]), ("mcs", &mcs[..]), ("about", &about[..])];
    folders
        .into_iter()
        .flat_map(|(folder, crds)| crds.iter().map(move |crd| (path(folder, crd), crd.clone())))
        .collect()
}

/// `folder/group_plural.yaml`, as the Gateway API names its files.
fn path(folder: &str, crd: &CustomResourceDefinition) -> String {
    format!("{folder}/{}_{}.yaml", crd.spec.group, crd.spec.names.plural)
}

/// Lets `spec` be absent: everything in it is optional. For official kinds this is what their own definitions say.
fn optional_spec(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    for version in &mut crd.spec.versions {
        if let Some(schema) = version
            .schema
            .as_mut()
            .and_then(|s| s.open_api_v3_schema.as_mut())
            && let Some(required) = &mut schema.required
        {
            required.retain(|field| field != "spec");
        }
    }
    crd
}

/// Serves v1alpha1 beside the stored v1beta1, with the same fields; so no conversion is needed.
fn both_versions(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    if let [stored] = &crd.spec.versions[..] {
        let mut older = stored.clone();
        "v1alpha1".clone_into(&mut older.name);
        older.storage = false;
        crd.spec.versions.insert(0, older);
    }
    crd
}

/// The labels by which installers refuse to downgrade the definitions of the MCS API.
fn mcs_labels(crd: CustomResourceDefinition) -> CustomResourceDefinition {
    let labels = [
        ("multicluster.x-k8s.io/release-version", "v0.5.2"),
        ("multicluster.x-k8s.io/crd-schema-revision", "0"),
    ];
    let mut crd = crd;
    let all = crd.metadata.labels.get_or_insert_default();
    all.extend(labels.map(|(key, value)| (key.to_owned(), value.to_owned())));
    crd
}

/// API servers want to see where a definition in a group of `k8s.io` was approved.
fn approved(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    crd.metadata.annotations.get_or_insert_default().insert(
        "api-approved.kubernetes.io".to_owned(),
        "https://github.com/kubernetes/enhancements/issues/2149".to_owned(),
    );
    crd
}

/// A definition as a manifest.
#[must_use]
pub fn to_yaml(crd: &CustomResourceDefinition) -> String {
    let value = serde_json::to_value(crd).unwrap_or_else(|_never| json!({}));
    let head = "# Generated from the types in shared/k8s/src/kinds: UPDATE=1 cargo test -p mcwan-k8s --test crds\n";
    head.to_owned() + &crate::manifest::value_to_yaml(value)
}

/// The schema of one version of a definition, as plain values.
#[must_use]
pub fn schema(crd: &CustomResourceDefinition, version: &str) -> Option<Value> {
    let version = crd.spec.versions.iter().find(|v| v.name == version)?;
    serde_json::to_value(version.schema.as_ref()?.open_api_v3_schema.as_ref()?).ok()
}
