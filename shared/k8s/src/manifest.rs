//! YAML text to objects and back.
//!
//! A file is a sequence of documents, each an object as `kubectl apply` takes it, or a `List` of them. Every mistake is
//! reported with the document, the line in the file and the field, and nothing in a file can make [`parse`] panic, loop
//! or use memory without bound. Two steps: the text of a document becomes a tree of values that knows its lines
//! (`tree`); the tree becomes a typed object (`read`).

mod read;
mod split;
mod tree;
mod write;

use serde::Serialize;

use crate::object::Object;

pub use write::to_yaml;
pub(crate) use write::value_to_yaml;

/// Longest file that is read, in bytes: far above what an API server would take.
const MAX_BYTES: usize = 64 << 20;
/// Stack for parsing, in bytes. The depth of documents is limited ([`tree`]), but each level costs tens of kilobytes in an
/// unoptimised build, and the caller's stack may be small.
const STACK: usize = 16 << 20;

/// A mistake in a file: where, and what.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct ManifestError {
    /// Document in the file, from 1. Documents without content (comments only) do not count.
    pub document: u32,
    /// Line in the file, from 1.
    pub line: u32,
    /// Path of the field, e.g. `spec.http.rules[0].backendRefs`; empty when it is not known.
    pub field: String,
    /// What is wrong and what to do, in lower case.
    pub message: String,
}

/// An object and where it stands in its file.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// The object.
    pub object: Object,
    /// Document in the file, from 1.
    pub document: u32,
    /// First line of the object, from 1.
    pub line: u32,
}

/// The content of one file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Manifest {
    /// Objects of kinds that are read; others are skipped.
    pub objects: Vec<Parsed>,
    /// Mistakes. A file with any is not used as a whole.
    pub errors: Vec<ManifestError>,
    /// What was read but does nothing, such as unknown fields. The file is used all the same.
    pub warnings: Vec<ManifestError>,
    /// Documents and list items of kinds that are not read (Deployment …).
    pub skipped: u32,
}

/// Parses the documents of a file. Never panics, whatever the bytes.
///
/// A namespaced object without a namespace gets `default`, as with kubectl; a cluster-scoped one loses its namespace.
#[must_use]
pub fn parse(text: &[u8]) -> Manifest {
    let text = match decode(text) {
        Ok(text) => text,
        Err(error) => return Manifest::failed(error),
    };
    let documents = split::documents(text);
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK);
        let parsed = thread
            .spawn_scoped(scope, || read_all(&documents))
            .ok()
            .and_then(|t| t.join().ok());
        parsed.unwrap_or_else(|| {
            Manifest::failed(mistake(1, "there is no memory to parse it; try again"))
        })
    })
}

fn read_all(documents: &[split::Document<'_>]) -> Manifest {
    let mut manifest = Manifest::default();
    for document in documents {
        match tree::parse(document) {
            Ok(root) => read::document(&mut manifest, document.number, &root),
            Err(error) => manifest.errors.push(error),
        }
    }
    manifest
}

/// A mistake of the file as a whole.
fn mistake(line: u32, message: &str) -> ManifestError {
    ManifestError {
        document: 1,
        line,
        field: String::new(),
        message: message.to_owned(),
    }
}

/// The bytes as text, without a byte order mark.
fn decode(bytes: &[u8]) -> Result<&str, ManifestError> {
    if bytes.len() > MAX_BYTES {
        return Err(mistake(1, "the file is larger than 64 MiB; split it"));
    }
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let good = bytes.get(..e.valid_up_to()).unwrap_or_default();
        mistake(
            line_after(good),
            "not UTF-8; save the file as UTF-8 without other encodings",
        )
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// The number of the line that comes after some text.
fn line_after(text: &[u8]) -> u32 {
    let breaks = text.iter().filter(|b| **b == b'\n').count();
    u32::try_from(breaks).unwrap_or(u32::MAX - 1) + 1
}

impl Manifest {
    fn failed(error: ManifestError) -> Self {
        Self {
            errors: vec![error],
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests;
