//! YAML text to objects.

use serde::Serialize;

use crate::object::Object;

/// A mistake in a file: where, and what.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct ManifestError {
    /// Document in the file, from 1.
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
    /// First line of the document, from 1.
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
#[must_use]
pub fn parse(text: &[u8]) -> Manifest {
    let _ = text;
    todo!("parse")
}
