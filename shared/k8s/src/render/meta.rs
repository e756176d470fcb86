//! Metadata of rendered objects.

use std::collections::BTreeMap;

use kube::core::ObjectMeta;

use crate::names;
pub(super) use crate::names::is_ours;

/// Metadata with the label of everything that is rendered, and more labels.
pub(super) fn meta(namespace: &str, name: &str, labels: &[(&str, &str)]) -> ObjectMeta {
    let labels: BTreeMap<String, String> = labels
        .iter()
        .chain([&names::MANAGED_BY])
        .map(|&(k, v)| (k.to_owned(), v.to_owned()))
        .collect();
    ObjectMeta {
        namespace: Some(namespace.to_owned()),
        name: Some(name.to_owned()),
        labels: Some(labels),
        ..ObjectMeta::default()
    }
}

/// Metadata of an object that belongs to a multi-cluster service.
pub(super) fn of_service(namespace: &str, name: &str, (ns, service): (&str, &str)) -> ObjectMeta {
    meta(
        namespace,
        name,
        &[
            (names::SERVICE_NAMESPACE_LABEL, ns),
            (names::SERVICE_NAME_LABEL, service),
        ],
    )
}

/// Annotations that somebody else wrote: all but the digest of what was applied, which must not become part of that.
pub(super) fn without_digest(metadata: &ObjectMeta) -> Option<BTreeMap<String, String>> {
    let mut annotations = metadata.annotations.clone()?;
    annotations.remove(names::APPLIED_ANNOTATION);
    (!annotations.is_empty()).then_some(annotations)
}

/// A label's value.
pub(super) fn label<'a>(meta: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    meta.labels.as_ref()?.get(key).map(String::as_str)
}
