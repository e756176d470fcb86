//! Reading and writing the objects of a cluster.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use kube::Client;
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams,
};
use kube::core::GroupVersionKind;
use kube::discovery::{self, Scope};
use serde_json::Value;
use tokio::sync::Mutex;

use crate::access;
use crate::certificates::Identity;

/// Under this name the tests write fields.
const MANAGER: &str = "mcwan-e2e";

/// Kinds that live in namespaces and that the tests or the project write: what the namespace controller would delete.
const NAMESPACED: [&str; 14] = [
    "v1/Service",
    "v1/Secret",
    "v1/ConfigMap",
    "discovery.k8s.io/v1/EndpointSlice",
    "multicluster.x-k8s.io/v1beta1/ServiceExport",
    "multicluster.x-k8s.io/v1beta1/ServiceImport",
    "mc-wan.l7mp.io/v1alpha1/ServiceExport",
    "mc-wan.l7mp.io/v1alpha1/ServiceImport",
    "gateway.networking.k8s.io/v1/HTTPRoute",
    "gateway.networking.k8s.io/v1/GRPCRoute",
    "gateway.networking.k8s.io/v1/Gateway",
    "gateway.networking.k8s.io/v1/ListenerSet",
    "gateway.networking.k8s.io/v1/BackendTLSPolicy",
    "gateway.networking.k8s.io/v1/ReferenceGrant",
];

/// A client of one API server, as an administrator.
#[derive(Clone)]
pub struct Objects {
    client: Client,
    kinds: Arc<Mutex<BTreeMap<String, (ApiResource, Scope)>>>,
}

impl std::fmt::Debug for Objects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Objects").finish_non_exhaustive()
    }
}

impl Objects {
    /// A client with a certificate.
    ///
    /// # Errors
    /// When certificate or authority are no such.
    pub async fn new(server: SocketAddr, authority: &str, identity: &Identity) -> Result<Self> {
        let kubeconfig = access::kubeconfig(&[access::Context {
            name: "admin",
            server,
            authority,
            user: access::User::Certificate(identity),
        }])?;
        Self::with(&kubeconfig).await
    }

    /// A client of the first context of a kubeconfig.
    ///
    /// # Errors
    /// When the kubeconfig is none.
    pub async fn with(kubeconfig: &str) -> Result<Self> {
        let config = access::config(kubeconfig).await?;
        Ok(Self {
            client: Client::try_from(config)?,
            kinds: Arc::default(),
        })
    }

    /// The client.
    #[must_use]
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The text at a path of the API server.
    ///
    /// # Errors
    /// When there is none.
    pub async fn get_text(&self, path: &str) -> Result<String> {
        let request = http::Request::get(path).body(Vec::new())?;
        Ok(self.client.request_text(request).await?)
    }

    /// The API of a kind, given as `group/version/Kind` or `version/Kind`.
    ///
    /// # Errors
    /// When the server does not know the kind.
    pub async fn api(&self, kind: &str, namespace: &str) -> Result<Api<DynamicObject>> {
        let (resource, scope) = self.resource(kind).await?;
        Ok(match scope {
            Scope::Namespaced => Api::namespaced_with(self.client(), namespace, &resource),
            Scope::Cluster => Api::all_with(self.client(), &resource),
        })
    }

    async fn resource(&self, kind: &str) -> Result<(ApiResource, Scope)> {
        let mut kinds = self.kinds.lock().await;
        if let Some(known) = kinds.get(kind) {
            return Ok(known.clone());
        }
        let gvk = gvk(kind)?;
        let (resource, capabilities) = discovery::pinned_kind(&self.client, &gvk)
            .await
            .with_context(|| format!("the API server does not know {kind}"))?;
        let found = (resource, capabilities.scope);
        kinds.insert(kind.to_owned(), found.clone());
        Ok(found)
    }

    /// Applies all documents of a manifest (server-side apply).
    ///
    /// # Errors
    /// When one is refused.
    pub async fn apply(&self, manifest: &str) -> Result<()> {
        for object in documents(manifest)? {
            self.apply_value(object, false).await?;
        }
        Ok(())
    }

    /// What the API server makes of an object that is applied but not kept.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn dry_run(&self, object: Value) -> Result<()> {
        self.apply_value(object, true).await.map(drop)
    }

    async fn apply_value(&self, object: Value, dry: bool) -> Result<DynamicObject> {
        let (kind, namespace, name) = identity(&object)?;
        let mut params = PatchParams::apply(MANAGER).force();
        params.dry_run = dry;
        let api = self.api(&kind, &namespace).await?;
        api.patch(&name, &params, &Patch::Apply(object))
            .await
            .with_context(|| format!("{kind} {namespace}/{name} is refused"))
    }

    /// Writes the status of an object.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn patch_status(
        &self,
        kind: &str,
        namespace: &str,
        name: &str,
        status: Value,
    ) -> Result<()> {
        let patch = serde_json::json!({"status": status});
        let api = self.api(kind, namespace).await?;
        api.patch_status(name, &PatchParams::default(), &Patch::Merge(patch))
            .await?;
        Ok(())
    }

    /// Changes an object by a JSON merge patch.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn patch(&self, kind: &str, namespace: &str, name: &str, patch: Value) -> Result<()> {
        let api = self.api(kind, namespace).await?;
        api.patch(name, &PatchParams::default(), &Patch::Merge(patch))
            .await
            .with_context(|| format!("{kind} {namespace}/{name} cannot be changed"))?;
        Ok(())
    }

    /// An object as JSON, if there is one.
    ///
    /// # Errors
    /// When the API server does not answer that question.
    pub async fn find(&self, kind: &str, namespace: &str, name: &str) -> Result<Option<Value>> {
        let found = self.api(kind, namespace).await?.get_opt(name).await?;
        found
            .map(|object| Ok(serde_json::to_value(object)?))
            .transpose()
    }

    /// An object as JSON.
    ///
    /// # Errors
    /// When there is none.
    pub async fn get(&self, kind: &str, namespace: &str, name: &str) -> Result<Value> {
        let found = self.find(kind, namespace, name).await?;
        found.with_context(|| format!("no {kind} {namespace}/{name}"))
    }

    /// Sees to it that there is no such object.
    ///
    /// # Errors
    /// When there is, with what it says.
    pub async fn absent(&self, kind: &str, namespace: &str, name: &str) -> Result<()> {
        let found = self.find(kind, namespace, name).await?;
        ensure!(
            found.is_none(),
            "there is a {kind} {namespace}/{name}: {found:?}"
        );
        Ok(())
    }

    /// All objects of a kind in a namespace; everywhere when it is empty.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub async fn list(&self, kind: &str, namespace: &str, labels: &str) -> Result<Vec<Value>> {
        let (resource, scope) = self.resource(kind).await?;
        let api: Api<DynamicObject> = if namespace.is_empty() || scope == Scope::Cluster {
            Api::all_with(self.client(), &resource)
        } else {
            Api::namespaced_with(self.client(), namespace, &resource)
        };
        let list = api.list(&ListParams::default().labels(labels)).await?;
        list.items
            .into_iter()
            .map(|o| Ok(serde_json::to_value(o)?))
            .collect()
    }

    /// Deletes an object; one that is not there is fine.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn delete(&self, kind: &str, namespace: &str, name: &str) -> Result<()> {
        let deleted = self
            .api(kind, namespace)
            .await?
            .delete(name, &DeleteParams::default())
            .await;
        match deleted {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
            Err(error) => {
                Err(error).with_context(|| format!("{kind} {namespace}/{name} cannot be deleted"))
            }
        }
    }

    /// Makes a namespace.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn create_namespace(&self, name: &str) -> Result<()> {
        let object = serde_json::json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        self.apply_value(object, false).await.map(drop)
    }

    /// Deletes a namespace as the namespace controller would: it ends its life, deletes what is in it, and lets it go.
    ///
    /// # Errors
    /// When a step is refused.
    pub async fn delete_namespace(&self, name: &str) -> Result<()> {
        self.delete("v1/Namespace", "", name).await?;
        for kind in NAMESPACED {
            // The items of a list do not repeat their kind.
            for object in self.list(kind, name, "").await? {
                let object = object.pointer("/metadata/name").and_then(Value::as_str);
                self.delete(kind, name, object.context("no name")?).await?;
            }
        }
        let mut namespace = self.get("v1/Namespace", "", name).await?;
        if let Some(spec) = namespace.get_mut("spec") {
            *spec = serde_json::json!({});
        }
        let request = http::Request::put(format!("/api/v1/namespaces/{name}/finalize"))
            .header("content-type", "application/json")
            .body(serde_json::to_vec(&namespace)?)?;
        self.client
            .request_text(request)
            .await
            .map(drop)
            .context("the namespace does not go")
    }

    /// Creates an object as it is, without apply.
    ///
    /// # Errors
    /// When it is refused, or there is one already.
    pub async fn create(&self, object: Value) -> Result<()> {
        let (kind, namespace, name) = identity(&object)?;
        let api = self.api(&kind, &namespace).await?;
        api.create(&PostParams::default(), &serde_json::from_value(object)?)
            .await
            .with_context(|| format!("{kind} {namespace}/{name} is refused"))?;
        Ok(())
    }
}

/// The documents of a manifest.
///
/// # Errors
/// When it is not YAML.
pub fn documents(manifest: &str) -> Result<Vec<Value>> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(manifest)?;
    Ok(documents.into_iter().filter(|d| !d.is_null()).collect())
}

/// Kind as `group/version/Kind`, namespace and name of an object.
fn identity(object: &Value) -> Result<(String, String, String)> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let (Some(version), Some(kind)) = (text("/apiVersion"), text("/kind")) else {
        bail!("no kind: {object}")
    };
    let name = text("/metadata/name").with_context(|| format!("no name: {object}"))?;
    let namespace = text("/metadata/namespace").unwrap_or_default();
    Ok((
        format!("{version}/{kind}"),
        namespace.to_owned(),
        name.to_owned(),
    ))
}

fn gvk(kind: &str) -> Result<GroupVersionKind> {
    let parts: Vec<&str> = kind.split('/').collect();
    match parts.as_slice() {
        [version, kind] => Ok(GroupVersionKind::gvk("", version, kind)),
        [group, version, kind] => Ok(GroupVersionKind::gvk(group, version, kind)),
        _ => bail!("not group/version/Kind: {kind}"),
    }
}
