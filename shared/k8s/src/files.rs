//! The manifest files of one cluster, put together.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::manifest::{self, ManifestError, Parsed};
use crate::problem::ObjectRef;
use crate::snapshot::ClusterSnapshot;

/// Where an object stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Location {
    /// File, as the caller named it.
    pub file: String,
    /// Document in the file, from 1.
    pub document: u32,
    /// First line of the document, from 1.
    pub line: u32,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// A mistake in a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct FileError {
    /// File, as the caller named it.
    pub file: String,
    /// Where in it, and what.
    #[serde(flatten)]
    pub error: ManifestError,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ManifestError {
            document,
            line,
            field,
            message,
        } = &self.error;
        write!(f, "{}:{line}: document {document}: ", self.file)?;
        if !field.is_empty() {
            write!(f, "{field}: ")?;
        }
        f.write_str(message)
    }
}

/// The content of a cluster's files.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Assembled {
    /// Every object that could be read.
    pub snapshot: ClusterSnapshot,
    /// Where each of them stands.
    pub locations: BTreeMap<ObjectRef, Location>,
    /// Mistakes, in the order of the files. Whoever serves from the files uses none of them while there is any.
    pub errors: Vec<FileError>,
    /// Fields that no kind has, in the order of the files. They do nothing: what is meant may be another field.
    pub warnings: Vec<FileError>,
}

/// Parses the files of a cluster. An object that two documents define is an error: which of them holds would depend on
/// the order of the files.
#[must_use]
pub fn assemble<'a>(
    cluster: &str,
    files: impl IntoIterator<Item = (&'a str, &'a [u8])>,
) -> Assembled {
    let mut all = Assembled {
        snapshot: ClusterSnapshot::new(cluster),
        ..Assembled::default()
    };
    for (file, text) in files {
        let manifest = manifest::parse(text);
        let in_file = |error| FileError {
            file: file.to_owned(),
            error,
        };
        all.errors.extend(manifest.errors.into_iter().map(in_file));
        all.warnings
            .extend(manifest.warnings.into_iter().map(in_file));
        for parsed in manifest.objects {
            all.add(file, parsed);
        }
    }
    all
}

impl Assembled {
    fn add(&mut self, file: &str, parsed: Parsed) {
        let reference = parsed.object.reference();
        if let Some(first) = self.locations.get(&reference) {
            self.errors.push(FileError {
                file: file.to_owned(),
                error: ManifestError {
                    document: parsed.document,
                    line: parsed.line,
                    field: String::new(),
                    message: format!("{reference} is defined at {first} already; remove one"),
                },
            });
            return;
        }
        let location = Location {
            file: file.to_owned(),
            document: parsed.document,
            line: parsed.line,
        };
        self.locations.insert(reference, location);
        self.snapshot.insert(parsed.object);
    }
}
