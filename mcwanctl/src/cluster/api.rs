//! What commands do with an API server: list kinds as a snapshot, and apply and delete single objects.

use std::fmt::Debug;

use kube::Resource;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use mcwan_k8s::object::{Kind, Object};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Cluster;

/// Field manager of what `mcwanctl` applies.
pub(crate) const MANAGER: &str = "mcwanctl";
/// Objects in one answer to a list.
const PAGE: u32 = 500;

/// What applying an object did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Applied {
    /// It was not there.
    Created,
    /// It was different.
    Changed,
    /// It was so already.
    Unchanged,
}

impl Applied {
    /// The word for it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
        }
    }
}

/// The objects of a kind, and those that cannot be read, each with why.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    /// Objects.
    pub objects: Vec<Object>,
    /// What is wrong with the others.
    pub misread: Vec<String>,
}

impl Cluster {
    /// All objects of a kind, in the version that the API server serves; of one namespace, or of all.
    ///
    /// # Errors
    /// As the API server has them; 404 where it serves no version of the kind.
    pub(crate) async fn list(&self, kind: &Kind, namespace: Option<&str>) -> kube::Result<Listed> {
        match self.list_version(kind, &kind.version, namespace).await {
            Err(kube::Error::Api(status)) if status.code == 404 => match kind.also {
                Some(also) => self.list_version(kind, also, namespace).await,
                None => Err(kube::Error::Api(status)),
            },
            listed => listed,
        }
    }

    async fn list_version(
        &self,
        kind: &Kind,
        version: &str,
        namespace: Option<&str>,
    ) -> kube::Result<Listed> {
        let path = path(kind, version, namespace);
        let mut listed = Listed::default();
        let mut more = String::new();
        loop {
            let uri = format!("{path}?limit={PAGE}{more}");
            let request = http::Request::get(uri).body(Vec::new());
            let request = request.map_err(kube::Error::HttpError)?;
            let mut page: Value = self.client.request(request).await?;
            if let Some(items) = page.get_mut("items").and_then(Value::as_array_mut) {
                for item in items.drain(..) {
                    listed.take(kind, item);
                }
            }
            let token = page.pointer("/metadata/continue").and_then(Value::as_str);
            match token.filter(|token| !token.is_empty()) {
                Some(token) => more = format!("&continue={}", escaped(token)),
                None => return Ok(listed),
            }
        }
    }

    /// Applies an object, as it should be, without taking fields from other managers.
    ///
    /// # Errors
    /// As the API server has them; 409 when another manager has a field with another value.
    pub(crate) async fn apply<K>(&self, api: &Api<K>, object: &K) -> kube::Result<(Applied, K)>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned,
    {
        let name = object.meta().name.clone().unwrap_or_default();
        let before = api.get_metadata_opt(&name).await?;
        let parameters = PatchParams::apply(MANAGER);
        let after = api.patch(&name, &parameters, &Patch::Apply(object)).await?;
        let applied = match before {
            None => Applied::Created,
            Some(old) if old.metadata.resource_version == after.meta().resource_version => {
                Applied::Unchanged
            }
            Some(_) => Applied::Changed,
        };
        Ok((applied, after))
    }

    /// Deletes an object; false when it was not there.
    ///
    /// # Errors
    /// As the API server has them.
    pub(crate) async fn delete<K>(&self, api: &Api<K>, name: &str) -> kube::Result<bool>
    where
        K: Clone + Debug + DeserializeOwned,
    {
        match api.delete(name, &DeleteParams::default()).await {
            Ok(_) => Ok(true),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
            Err(e) => Err(e),
        }
    }
}

impl Listed {
    fn take(&mut self, kind: &Kind, item: Value) {
        let text = |pointer| {
            item.pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let name = format!(
            "{} {}/{}",
            kind.kind,
            text("/metadata/namespace"),
            text("/metadata/name")
        );
        match kind.read(item) {
            Ok(object) => self.objects.push(object),
            Err(e) => self.misread.push(format!("{name}: {e}")),
        }
    }
}

fn path(kind: &Kind, version: &str, namespace: Option<&str>) -> String {
    let group = if kind.group.is_empty() {
        format!("/api/{version}")
    } else {
        format!("/apis/{}/{version}", kind.group)
    };
    match namespace.filter(|_| kind.namespaced) {
        Some(namespace) => format!("{group}/namespaces/{namespace}/{}", kind.plural),
        None => format!("{group}/{}", kind.plural),
    }
}

/// A token as part of a query: everything but letters and digits as `%XX`.
fn escaped(token: &str) -> String {
    let byte = |b: u8| {
        if b.is_ascii_alphanumeric() {
            char::from(b).to_string()
        } else {
            format!("%{b:02X}")
        }
    };
    token.bytes().map(byte).collect()
}

/// Whether an error is an answer of the API server with this code.
pub(crate) fn is_code(error: &kube::Error, code: u16) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == code)
}
