//! One write as a request.

use std::collections::BTreeMap;
use std::time::Duration;

use kube::Client;
use kube::api::{
    Api, DeleteParams, DynamicObject, Patch, PatchParams, Preconditions, PropagationPolicy,
};
use kube::core::{ApiResource, GroupVersionKind};
use mcwan_k8s::object::{Kind, kinds};
use mcwan_k8s::operator::{Apply, Change, Delete};
use mcwan_k8s::problem::ObjectRef;
use mcwan_k8s::status::StatusWrite;
use mcwan_watch::KindState;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::failure::{Failure, Reason};

/// Name under which the controller's fields are known to the API server.
const MANAGER: &str = "mcwan-controller";
/// Longest time for one request.
const REQUEST: Duration = Duration::from_secs(10);

/// What became of an object.
pub(super) enum Written {
    /// It has this version now.
    Version(String),
    /// It is gone.
    Gone,
}

/// The version of each kind that the API server serves, where that is not the one that we write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Versions {
    served: BTreeMap<(String, String), String>,
}

impl Versions {
    /// From the states of a watch.
    #[must_use]
    pub fn of(states: &[KindState]) -> Self {
        let served = states.iter().filter_map(|state| {
            let kind = state.kind;
            let version = state.version.clone().filter(|v| *v != kind.version)?;
            Some(((kind.group.to_string(), kind.kind.to_string()), version))
        });
        Self {
            served: served.collect(),
        }
    }

    fn resource(&self, object: &ObjectRef) -> Option<(&'static Kind, ApiResource)> {
        let kind = kinds()
            .iter()
            .find(|k| k.group == object.group && k.kind == object.kind)?;
        let key = (object.group.clone(), object.kind.clone());
        let version = self.served.get(&key).map_or(&*kind.version, String::as_str);
        let gvk = GroupVersionKind::gvk(&kind.group, version, &kind.kind);
        Some((kind, ApiResource::from_gvk_with_plural(&gvk, &kind.plural)))
    }
}

/// Carries a change out.
///
/// # Errors
/// When it was refused, or not answered in time.
pub(super) async fn write(
    client: &Client,
    change: &Change,
    versions: &Versions,
) -> Result<Written, Failure> {
    let object = change.object();
    let Some((kind, resource)) = versions.resource(object) else {
        return Err(Failure {
            reason: Reason::NotFound,
            message: format!("there is no kind {}", object.kind),
        });
    };
    let api: Api<DynamicObject> = if kind.namespaced {
        Api::namespaced_with(client.clone(), &object.namespace, &resource)
    } else {
        Api::all_with(client.clone(), &resource)
    };
    let request = async {
        match change {
            Change::Apply(one) => apply(&api, one, &resource).await,
            Change::Delete(one) => delete(&api, one).await,
            Change::Status(one) => status(&api, one).await,
        }
    };
    match timeout(REQUEST, request).await {
        Ok(done) => done,
        Err(_elapsed) => Err(Failure::timeout()),
    }
}

async fn apply(
    api: &Api<DynamicObject>,
    change: &Apply,
    resource: &ApiResource,
) -> Result<Written, Failure> {
    let params = PatchParams::apply(MANAGER).force();
    let mut body = change.body.clone();
    if let Some(fields) = body.as_object_mut() {
        fields.insert(
            "apiVersion".to_owned(),
            Value::String(resource.api_version.clone()),
        );
        fields.insert("kind".to_owned(), Value::String(resource.kind.clone()));
    }
    let written = api
        .patch(&change.object.name, &params, &Patch::Apply(&body))
        .await?;
    Ok(written
        .metadata
        .resource_version
        .map_or(Written::Gone, Written::Version))
}

async fn delete(api: &Api<DynamicObject>, change: &Delete) -> Result<Written, Failure> {
    let params = DeleteParams {
        preconditions: Some(Preconditions {
            uid: Some(change.uid.clone()),
            resource_version: Some(change.resource_version.clone()),
        }),
        propagation_policy: Some(PropagationPolicy::Background),
        ..DeleteParams::default()
    };
    match api.delete(&change.object.name, &params).await {
        Ok(_) => Ok(Written::Gone),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(Written::Gone),
        Err(error) => Err(error.into()),
    }
}

async fn status(api: &Api<DynamicObject>, change: &StatusWrite) -> Result<Written, Failure> {
    let patch = json!({
        // Over exactly the version that it was computed from.
        "metadata": change.resource_version.as_ref().map_or_else(|| json!({}), |v| json!({"resourceVersion": v})),
        "status": change.status,
    });
    let params = PatchParams {
        field_manager: Some(MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let written = api
        .patch_status(&change.object.name, &params, &Patch::Merge(&patch))
        .await?;
    Ok(written
        .metadata
        .resource_version
        .map_or(Written::Gone, Written::Version))
}
