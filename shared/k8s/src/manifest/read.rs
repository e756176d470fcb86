//! A tree of values to typed objects: which kind it is, what may be missing, and what is wrong with it.

mod check;

use std::fmt::Write as _;

use serde_json::Value;

use super::tree::{Content, Node, Step};
use super::{Manifest, ManifestError, Parsed};
use crate::object::kind::ReadError;
use crate::object::{Kind, kinds};

/// Where the object that is being read stands.
#[derive(Debug, Clone, Copy)]
struct Place<'a> {
    document: u32,
    node: &'a Node,
    /// Path of the object in its document: empty, or `items[2]` in a `List`.
    within: &'a str,
}

impl Place<'_> {
    /// A mistake at a field of the object.
    fn mistake(&self, path: &[Step], message: impl Into<String>) -> ManifestError {
        ManifestError {
            document: self.document,
            line: self.node.line_of(path),
            field: join(self.within, path),
            message: message.into(),
        }
    }
}

/// A path as users write it.
fn join(within: &str, path: &[Step]) -> String {
    let mut text = within.to_owned();
    for step in path {
        match step {
            Step::Index(i) => {
                let _infallible = write!(text, "[{i}]");
            }
            Step::Key(key) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(key);
            }
        }
    }
    text
}

fn keys(path: &[&str]) -> Vec<Step> {
    path.iter()
        .map(|key| Step::Key((*key).to_owned()))
        .collect()
}

/// Reads the object or the `List` of a document.
pub(super) fn document(manifest: &mut Manifest, number: u32, node: &Node) {
    let place = Place {
        document: number,
        node,
        within: "",
    };
    let is_list = node.get("kind").and_then(Node::text) == Some("List")
        && node.get("apiVersion").and_then(Node::text) == Some("v1");
    if !is_list {
        object(manifest, place);
        return;
    }
    match node.get("items").map(|items| &items.content) {
        Some(Content::Seq(items)) => {
            for (i, item) in items.iter().enumerate() {
                let within = format!("items[{i}]");
                object(
                    manifest,
                    Place {
                        node: item,
                        within: &within,
                        ..place
                    },
                );
            }
        }
        Some(Content::Scalar(Value::Null)) | None => {}
        Some(_) => manifest.errors.push(place.mistake(
            &keys(&["items"]),
            "not a list; write the objects as list items",
        )),
    }
}

/// Reads one object.
fn object(manifest: &mut Manifest, place: Place<'_>) {
    let kind = match check::kind(kinds(), place) {
        Ok(Some(kind)) => kind,
        Ok(None) => {
            manifest.skipped = manifest.skipped.saturating_add(1);
            return;
        }
        Err(error) => return manifest.errors.push(error),
    };
    let mistakes = check::metadata(kind, place);
    if !mistakes.is_empty() {
        manifest.errors.extend(mistakes);
        return;
    }
    typed(manifest, place, kind);
}

fn typed(manifest: &mut Manifest, place: Place<'_>, kind: &Kind) {
    let mut unknown = Vec::new();
    let mut value = place.node.to_value();
    let result = kind.read_manifest(&mut value, &mut |path| unknown.push(steps(path)));
    match result {
        Ok(object) => manifest.objects.push(Parsed {
            object,
            document: place.document,
            line: place.node.line,
        }),
        Err(error) => {
            manifest.errors.push(wrong_value(place, kind, &error));
            return;
        }
    }
    // The types of own kinds do not know the two fields that say which kind it is.
    unknown.retain(|path| *path != keys(&["apiVersion"]) && *path != keys(&["kind"]));
    let warnings = unknown.iter().map(|path| {
        let message = format!(
            "unknown field of {}; it does nothing: correct its name, or remove it",
            kind.kind
        );
        place.mistake(path, message)
    });
    manifest.warnings.extend(warnings);
}

/// A value that does not fit its field.
fn wrong_value(place: Place<'_>, kind: &Kind, error: &ReadError) -> ManifestError {
    let path: Vec<Step> = error
        .path()
        .iter()
        .filter_map(|segment| match segment {
            serde_path_to_error::Segment::Seq { index } => Some(Step::Index(*index)),
            serde_path_to_error::Segment::Map { key } => Some(Step::Key(key.clone())),
            // The variant of an enum is no step in the text.
            serde_path_to_error::Segment::Enum { .. } | serde_path_to_error::Segment::Unknown => {
                None
            }
        })
        .collect();
    place.mistake(&path, kind.explain(error))
}

/// The path of an unknown field. Optional values and wrappers are no steps in the text.
fn steps(path: &serde_ignored::Path<'_>) -> Vec<Step> {
    use serde_ignored::Path;
    match path {
        Path::Root => Vec::new(),
        Path::Seq { parent, index } => {
            let mut path = steps(parent);
            path.push(Step::Index(*index));
            path
        }
        Path::Map { parent, key } => {
            let mut path = steps(parent);
            path.push(Step::Key(key.clone()));
            path
        }
        Path::Some { parent }
        | Path::NewtypeStruct { parent }
        | Path::NewtypeVariant { parent } => steps(parent),
    }
}
