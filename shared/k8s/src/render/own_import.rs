//! `ServiceImport`s of the own group, one beside each official one: where the importing side may override the rules, and where
//! it sees which are in force. Their `spec` is the importing side's: it is never rendered.

use super::output::Output;
use super::plans::Plan;
use super::{View, meta};
use crate::kinds::wan::{ServiceImport, ServiceImportSpec, ServiceImportStatus};

/// Renders them. One that the user made is rendered as it is, with the status.
///
/// Of a service that is gone none is rendered, but whoever applies objects keeps one of ours with rules that the user wrote into
/// it: they are in force again when the service comes back.
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
}

/// What the user wrote, without what only the API server and the controller write.
fn users(import: &ServiceImport) -> ServiceImport {
    let metadata = kube::core::ObjectMeta {
        name: import.metadata.name.clone(),
        namespace: import.metadata.namespace.clone(),
        labels: import.metadata.labels.clone(),
        annotations: meta::without_digest(&import.metadata),
        ..kube::core::ObjectMeta::default()
    };
    ServiceImport {
        metadata,
        spec: import.spec.clone(),
        status: None,
    }
}
