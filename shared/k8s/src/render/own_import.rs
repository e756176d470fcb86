//! `ServiceImport`s of the own group, one beside each official one: where the importing side may override the rules, and where
//! it sees which are in force. Their `spec` is the importing side's: it is never rendered.

use super::output::Output;
use super::plans::Plan;
use super::{View, meta, namespaces};
use crate::kinds::wan::{ServiceImport, ServiceImportSpec, ServiceImportStatus};
use crate::names;

/// Renders them. One that the user made is rendered as it is, with the status; one of ours that the user has written rules into
/// stays when the service is gone, so that they are there when it comes back.
pub(super) fn render(view: &View<'_>, plans: &[Plan], out: &mut Output) {
    for (service, plan) in view.services.iter().zip(plans) {
        let key = (service.namespace.to_owned(), service.name.to_owned());
        let status = ServiceImportStatus {
            http: plan.imported.clone(),
            conditions: None,
        };
        let there = view.snapshot.imports.get(&key);
        let import = match there.filter(|i| !meta::is_ours(&i.metadata)) {
            Some(theirs) => users(theirs),
            None => ServiceImport {
                metadata: meta::of_service(service.namespace, service.name, service.id()),
                ..ServiceImport::new(service.name, ServiceImportSpec::default())
            },
        };
        out.put_merged(ServiceImport {
            status: Some(status),
            ..import
        });
    }
    keep_rules(view, out);
}

/// What the user wrote, without what only the API server and the controller write.
fn users(import: &ServiceImport) -> ServiceImport {
    let mut metadata = kube::core::ObjectMeta {
        name: import.metadata.name.clone(),
        namespace: import.metadata.namespace.clone(),
        labels: import.metadata.labels.clone(),
        annotations: import.metadata.annotations.clone(),
        ..kube::core::ObjectMeta::default()
    };
    if let Some(annotations) = &mut metadata.annotations {
        annotations.remove(names::APPLIED_ANNOTATION);
    }
    ServiceImport {
        metadata,
        spec: import.spec.clone(),
        status: None,
    }
}

/// Imports of ours that hold rules of the user's, of services that are not imported now.
fn keep_rules(view: &View<'_>, out: &mut Output) {
    let existing = namespaces::existing(view.snapshot);
    for ((namespace, name), import) in &view.snapshot.imports {
        let holds_rules = meta::is_ours(&import.metadata) && import.spec.http.is_some();
        if holds_rules && existing.contains(namespace) && !view.imports(namespace, name) {
            let metadata = meta::of_service(namespace, name, (namespace, name));
            out.put_merged(ServiceImport {
                metadata,
                spec: ServiceImportSpec::default(),
                status: Some(ServiceImportStatus::default()),
            });
        }
    }
}
