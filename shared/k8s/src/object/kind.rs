//! The kinds that are read, and how an object of each is read from a tree of values.

use std::borrow::Cow;
use std::fmt;
use std::sync::LazyLock;

use k8s_openapi::{ClusterResourceScope, NamespaceResourceScope};
use kube::Resource;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Key, Object, defaults};
use crate::problem::{ObjectRef, Problem};

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

/// A kind that is read: its names in the API, and how its objects are read.
#[derive(Debug)]
pub struct Kind {
    /// API group; empty for the core group.
    pub group: Cow<'static, str>,
    /// Kind.
    pub kind: Cow<'static, str>,
    /// The version that objects are written in.
    pub version: Cow<'static, str>,
    /// Another version, with equal fields, that an API server may serve the kind in, instead or as well.
    pub also: Option<&'static str>,
    /// Name in URLs, e.g. `httproutes`.
    pub plural: Cow<'static, str>,
    /// Whether objects have a namespace.
    pub namespaced: bool,
    read: fn(&Value, Unknown<'_>) -> Result<Object, ReadError>,
}

/// A tree of values that is not an object of the kind it was read as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misread {
    /// Path of the field, e.g. `spec.rules[0].backendRefs`; empty for the whole.
    pub field: String,
    /// What is wrong and what to do, in lower case.
    pub message: String,
}

impl fmt::Display for Misread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for Misread {}

impl Misread {
    /// The mistake as a problem of the object at `key`. `kept` says whether an earlier version of it stays in force.
    #[must_use]
    pub fn problem(self, kind: &Kind, (namespace, name): &Key, kept: bool) -> Problem {
        let object = ObjectRef {
            group: kind.group.to_string(),
            kind: kind.kind.to_string(),
            namespace: namespace.clone(),
            name: name.clone(),
        };
        let hint = if kept {
            "correct the object; its last good version stays in force"
        } else {
            "correct the object; until then it is left out"
        };
        Problem::error(object, ("Accepted", "Malformed"), self.message)
            .in_field(self.field)
            .advise(hint)
    }
}

impl Kind {
    /// The `apiVersion` that objects are written with.
    #[must_use]
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_string()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// Whether the API serves the kind in this version, with the fields that we know.
    #[must_use]
    pub fn serves(&self, version: &str) -> bool {
        version == self.version || Some(version) == self.also
    }

    /// Reads an object of this kind as an API server holds it: fields that are not known are passed over, and what a
    /// manifest may leave out (a `spec` of which everything is optional) is filled in. Which kind and version the
    /// object itself names does not matter: the items of a list name none.
    ///
    /// # Errors
    /// When a field has a value of another type, or one that must be there is not.
    pub fn read(&self, mut value: Value) -> Result<Object, Misread> {
        if let Some(object) = value.as_object_mut() {
            // Either version has the same fields, but the readers of some kinds insist on their own.
            object.remove("apiVersion");
            object.remove("kind");
        }
        self.read_manifest(&mut value, &mut |_| {})
            .map_err(|error| Misread {
                field: field(error.path()),
                message: self.explain(&error),
            })
    }

    /// Reads an object of a manifest.
    pub(crate) fn read_manifest(
        &self,
        value: &mut Value,
        unknown: Unknown<'_>,
    ) -> Result<Object, ReadError> {
        defaults::fill(self, value);
        (self.read)(value, unknown)
    }

    /// What is wrong, and what to do.
    pub(crate) fn explain(&self, error: &ReadError) -> String {
        let text = error.inner().to_string();
        let advice = if text.starts_with("missing field") {
            "add it"
        } else if text.contains("expected a string")
            && !text.contains("sequence")
            && !text.contains("map")
        {
            "put the value in quotes"
        } else if text.starts_with("unknown variant") {
            "choose one of these"
        } else {
            "correct the value"
        };
        format!("{text}; {advice} ({} {})", self.kind, self.api_version())
    }
}

/// A path as users write it. The variant of an enum is no step in the text.
fn field(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut text = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => text.push_str(&format!("[{index}]")),
            Segment::Map { key } if text.is_empty() => text.push_str(key),
            Segment::Map { key } => {
                text.push('.');
                text.push_str(key);
            }
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    text
}

/// The kind of a Rust type.
pub(super) fn kind<K>() -> Kind
where
    K: Resource<DynamicType = ()> + DeserializeOwned,
    K::Scope: Scoped,
    Object: From<K>,
{
    let (group, kind) = (K::group(&()), K::kind(&()));
    Kind {
        also: also(&group, &kind),
        group,
        kind,
        version: K::version(&()),
        plural: K::plural(&()),
        namespaced: K::Scope::NAMESPACED,
        read: read::<K>,
    }
}

/// Versions that differ from ours in name only.
fn also(group: &str, kind: &str) -> Option<&'static str> {
    match (group, kind) {
        ("multicluster.x-k8s.io" | "about.k8s.io", _) => Some("v1alpha1"),
        (
            "gateway.networking.k8s.io",
            "Gateway" | "GatewayClass" | "HTTPRoute" | "ReferenceGrant",
        ) => Some("v1beta1"),
        _ => None,
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

static KINDS: LazyLock<Vec<Kind>> = LazyLock::new(Object::all_kinds);

/// Every kind that is read, in the order of [`Object`]'s variants.
#[must_use]
pub fn kinds() -> &'static [Kind] {
    &KINDS
}

#[cfg(test)]
mod tests;
