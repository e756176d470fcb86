//! Which kind an object is, and whether it has a proper name.

use super::{ManifestError, Place, keys};
use crate::manifest::tree::{Content, Node};
use crate::names;
use crate::object::Kind;

/// The kind of an object; `None` for kinds that are not read.
pub(super) fn kind<'k>(
    kinds: &'k [Kind],
    place: Place<'_>,
) -> Result<Option<&'k Kind>, ManifestError> {
    if !matches!(place.node.content, Content::Map(_)) {
        let message = "not an object; a document begins with apiVersion, kind and metadata";
        return Err(place.mistake(&[], message));
    }
    let text = |key: &str| {
        place
            .node
            .get(key)
            .and_then(Node::text)
            .filter(|text| !text.is_empty())
            .ok_or_else(|| {
                place.mistake(
                    &keys(&[key]),
                    format!("{key} is missing or not a text; every object needs one"),
                )
            })
    };
    let (api_version, name) = (text("apiVersion")?, text("kind")?);
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    if let Some(kind) = kinds.iter().find(|k| k.kind == name && k.group == group) {
        if kind.serves(version) {
            return Ok(Some(kind));
        }
        let message = format!(
            "version {version} of {name} is not served; write {}",
            kind.api_version()
        );
        return Err(place.mistake(&keys(&["apiVersion"]), message));
    }
    let right: Vec<String> = kinds
        .iter()
        .filter(|k| k.kind == name && owns(k, group))
        .map(Kind::api_version)
        .collect();
    if right.is_empty() {
        return Ok(None);
    }
    let message = format!(
        "{api_version} has no kind {name}; write {}",
        right.join(" or ")
    );
    Err(place.mistake(&keys(&["apiVersion"]), message))
}

/// Whether an object of this kind's name in another group can only be a mistake. Official groups share no kind names
/// with each other, nobody else has the names of our own kinds; but other projects do have a Gateway or a Service.
fn owns(kind: &Kind, group: &str) -> bool {
    let official = !group.contains('.') || group.ends_with(".k8s.io") || group.ends_with("l7mp.io");
    official || kind.kind.starts_with("WAN") || kind.kind.starts_with("Published")
}

/// What is wrong with the name and the namespace of an object.
pub(super) fn metadata(kind: &Kind, place: Place<'_>) -> Vec<ManifestError> {
    let metadata = place.node.get("metadata");
    let text = |key| metadata.and_then(|m| m.get(key)).and_then(Node::text);
    let mut mistakes = Vec::new();
    match text("name") {
        None | Some("") => mistakes.push(place.mistake(
            &keys(&["metadata", "name"]),
            format!("metadata.name is missing; every {} needs a name", kind.kind),
        )),
        Some(name) if !names::is_subdomain(name) => mistakes.push(place.mistake(
            &keys(&["metadata", "name"]),
            format!("{name:?} is not a name; use lower-case letters, digits, `-` and `.`, at most 253 characters"),
        )),
        Some(_) => {}
    }
    if let Some(namespace) =
        text("namespace").filter(|n| kind.namespaced && !n.is_empty() && !names::is_label(n))
    {
        mistakes.push(place.mistake(
            &keys(&["metadata", "namespace"]),
            format!("{namespace:?} is not a namespace; use lower-case letters, digits and `-`, at most 63 characters"),
        ));
    }
    mistakes
}
