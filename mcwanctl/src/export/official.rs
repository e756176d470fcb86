//! The official ServiceExport of a Service, in the version that the API server serves.

use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use mcwan_k8s::names::WAN_POLICY_ANNOTATION;
use serde_json::json;

use crate::cluster::api::{Applied, MANAGER, is_code};
use crate::cluster::{Cluster, cause};

use super::ServiceName;

const GROUP: &str = "multicluster.x-k8s.io";

/// The ServiceExport of one Service, there or not.
pub(super) struct Official<'a> {
    pub cluster: &'a Cluster,
    pub service: &'a ServiceName,
    pub api: Api<DynamicObject>,
    version: String,
}

/// Finds out which version is served.
pub(super) async fn find<'a>(
    cluster: &'a Cluster,
    service: &'a ServiceName,
) -> anyhow::Result<Official<'a>> {
    let groups = cluster.client.list_api_groups().await;
    let groups = groups.map_err(|e| cluster.explain("cannot ask which kinds there are", &e))?;
    let group = groups.groups.iter().find(|group| group.name == GROUP);
    let served = |version: &&str| {
        group.is_some_and(|group| group.versions.iter().any(|v| v.version == *version))
    };
    let Some(version) = ["v1beta1", "v1alpha1"].into_iter().find(served) else {
        anyhow::bail!(
            "the MCS API is not installed in context {}: kubectl apply -f config/crd/",
            cluster.context
        );
    };
    let kind = GroupVersionKind::gvk(GROUP, version, "ServiceExport");
    let resource = ApiResource::from_gvk_with_plural(&kind, "serviceexports");
    Ok(Official {
        api: Api::namespaced_with(cluster.client.clone(), &service.namespace, &resource),
        version: version.to_owned(),
        cluster,
        service,
    })
}

impl Official<'_> {
    /// Applies it as it should be: with this policy, or none.
    pub(super) async fn apply(&self, policy: Option<&str>) -> anyhow::Result<Applied> {
        let mut object = json!({
            "apiVersion": format!("{GROUP}/{}", self.version),
            "kind": "ServiceExport",
            "metadata": { "namespace": self.service.namespace, "name": self.service.name },
        });
        if let (Some(policy), Some(fields)) = (policy, object.as_object_mut()) {
            let annotations = json!({ WAN_POLICY_ANNOTATION: policy });
            fields.insert(
                "spec".to_owned(),
                json!({ "exportedAnnotations": annotations }),
            );
        }
        let name = &self.service.name;
        let refused = |e: kube::Error| self.refused(&e);
        let before = self.api.get_metadata_opt(name).await.map_err(refused)?;
        let parameters = PatchParams::apply(MANAGER);
        let after = self
            .api
            .patch(name, &parameters, &Patch::Apply(&object))
            .await
            .map_err(refused)?;
        Ok(match before {
            None => Applied::Created,
            Some(old) if old.metadata.resource_version == after.metadata.resource_version => {
                Applied::Unchanged
            }
            Some(_) => Applied::Changed,
        })
    }

    fn refused(&self, error: &kube::Error) -> anyhow::Error {
        let service = self.service;
        if is_code(error, 409) {
            let said = cause(error);
            return anyhow::anyhow!(
                "ServiceExport {service} belongs to somebody else in part: {said}; change it where it comes from"
            );
        }
        self.cluster
            .explain(&format!("cannot write ServiceExport {service}"), error)
    }
}
