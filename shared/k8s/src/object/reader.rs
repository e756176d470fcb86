//! How an object of each kind is read from a tree of values.

use std::borrow::Cow;
use std::sync::LazyLock;

use k8s_openapi::{ClusterResourceScope, NamespaceResourceScope};
use kube::Resource;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Object;

/// Called with the path of each field that the kind does not know.
pub(crate) type Unknown<'a> = &'a mut dyn FnMut(&serde_ignored::Path<'_>);
/// A mistake and the path of its field.
pub(crate) type ReadError = serde_path_to_error::Error<serde_json::Error>;

/// Whether the objects of a scope have a namespace.
pub(crate) trait Scoped {
    /// They have.
    const NAMESPACED: bool;
}

impl Scoped for NamespaceResourceScope {
    const NAMESPACED: bool = true;
}

impl Scoped for ClusterResourceScope {
    const NAMESPACED: bool = false;
}

/// How the objects of one kind are read.
#[derive(Debug)]
pub(crate) struct Reader {
    /// API group; empty for the core group.
    pub group: Cow<'static, str>,
    /// Kind.
    pub kind: Cow<'static, str>,
    /// The version that objects are written in.
    pub version: Cow<'static, str>,
    /// Whether objects have a namespace.
    pub namespaced: bool,
    /// Reads one.
    pub read: fn(&Value, Unknown<'_>) -> Result<Object, ReadError>,
}

impl Reader {
    /// The `apiVersion` that objects are written with.
    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_string()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// Whether the API serves the kind in this version too, with equal fields.
    pub(crate) fn serves(&self, version: &str) -> bool {
        let also = match (&*self.group, &*self.kind) {
            ("multicluster.x-k8s.io" | "about.k8s.io", _) => "v1alpha1",
            (
                "gateway.networking.k8s.io",
                "Gateway" | "GatewayClass" | "HTTPRoute" | "ReferenceGrant",
            ) => "v1beta1",
            _ => return version == self.version,
        };
        version == self.version || version == also
    }
}

/// The reader of one kind.
pub(super) fn reader<K>() -> Reader
where
    K: Resource<DynamicType = ()> + DeserializeOwned,
    K::Scope: Scoped,
    Object: From<K>,
{
    Reader {
        group: K::group(&()),
        kind: K::kind(&()),
        version: K::version(&()),
        namespaced: K::Scope::NAMESPACED,
        read: read::<K>,
    }
}

fn read<K>(value: &Value, unknown: Unknown<'_>) -> Result<Object, ReadError>
where
    K: DeserializeOwned,
    Object: From<K>,
{
    let mut report = |path: serde_ignored::Path<'_>| unknown(&path);
    let object: K =
        serde_path_to_error::deserialize(serde_ignored::Deserializer::new(value, &mut report))?;
    Ok(object.into())
}

/// One reader for each kind.
pub(crate) static READERS: LazyLock<Vec<Reader>> = LazyLock::new(Object::readers);
