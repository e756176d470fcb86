//! One file: its last good objects, and what is wrong with it now.

use std::collections::BTreeMap;

use mcwan_k8s::manifest::{Manifest, ManifestError, Parsed};
use mcwan_k8s::problem::{ObjectRef, Severity};

use super::{Content, FileId};
use crate::standalone::status::FileReport;

/// A file's last good objects, and what is wrong with it now.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct File {
    pub(super) objects: BTreeMap<ObjectRef, Parsed>,
    pub(super) reports: Vec<FileReport>,
    /// It is not there; what it held is retained.
    pub(super) gone: bool,
}

impl File {
    pub(super) fn content(&mut self, id: &FileId, content: Content) {
        self.gone = false;
        self.reports = Vec::new();
        if content.blank {
            return self.blank(id);
        }
        let Manifest {
            objects,
            errors,
            warnings,
            skipped: _,
        } = content.manifest;
        let (objects, repeated) = by_reference(id, objects);
        let errors = errors.into_iter().map(|e| report(id, e, Severity::Error));
        let warnings = warnings
            .into_iter()
            .map(|w| report(id, w, Severity::Warning));
        self.reports = errors.chain(repeated).chain(warnings).collect();
        if !self.reports.iter().any(|r| r.severity == Severity::Error) {
            self.objects = objects;
        }
    }

    /// An empty file says nothing; where it said something before, it was cut off.
    fn blank(&mut self, id: &FileId) {
        if !self.objects.is_empty() {
            let message = "the file is empty, which counts as cut off: its last good objects stay in force; write it \
                           again, or write `---` into it to withdraw them";
            self.reports = vec![FileReport::whole(id.to_string(), Severity::Error, message)];
        }
    }

    pub(super) fn unreadable(&mut self, id: &FileId, why: &str) {
        self.gone = false;
        let message = format!("{why}; its last good objects, if it had any, stay in force");
        self.reports = vec![FileReport::whole(id.to_string(), Severity::Error, message)];
    }

    pub(super) fn vanish(&mut self) {
        self.gone = true;
        self.reports = Vec::new();
    }

    /// What to say of a file that is gone and whose objects are retained.
    pub(super) fn retained(&self, id: &FileId) -> FileReport {
        let named: Vec<String> = self
            .objects
            .keys()
            .take(3)
            .map(ToString::to_string)
            .collect();
        let more = self.objects.len().saturating_sub(named.len());
        let more = if more == 0 {
            String::new()
        } else {
            format!(" and {more} more")
        };
        let message = format!(
            "the file is gone; {}{more} stay in force. to withdraw them write the file with `---` only, or restart",
            named.join(", ")
        );
        FileReport::whole(id.to_string(), Severity::Error, message)
    }

    /// Whether there is anything left to remember.
    pub(super) fn matters(&self) -> bool {
        !self.gone || !self.objects.is_empty()
    }
}

/// Sorts the objects of one file. The same object twice is a warning when the copies are equal, and else an error: which
/// of them was meant is not for us to guess.
fn by_reference(
    id: &FileId,
    objects: Vec<Parsed>,
) -> (BTreeMap<ObjectRef, Parsed>, Vec<FileReport>) {
    let mut sorted: BTreeMap<ObjectRef, Parsed> = BTreeMap::new();
    let mut reports = Vec::new();
    for parsed in objects {
        let reference = parsed.object.reference();
        match sorted.get(&reference) {
            Some(first) => reports.push(duplicate(&reference, (id, &parsed), (id, first))),
            None => {
                sorted.insert(reference, parsed);
            }
        }
    }
    (sorted, reports)
}

/// `other` holds an object that `used` holds too.
pub(super) fn duplicate(
    reference: &ObjectRef,
    (id, other): (&FileId, &Parsed),
    (used_id, used): (&FileId, &Parsed),
) -> FileReport {
    let place = format!("{used_id}:{}", used.line);
    let (severity, message) = if other.object == used.object {
        (
            Severity::Warning,
            format!("{reference} is also in {place}, with the same content; remove one"),
        )
    } else {
        (
            Severity::Error,
            format!(
                "{reference} is also in {place}, with other content; remove one, the other stays as it was"
            ),
        )
    };
    let error = ManifestError {
        document: other.document,
        line: other.line,
        field: String::new(),
        message,
    };
    report(id, error, severity)
}

fn report(id: &FileId, error: ManifestError, severity: Severity) -> FileReport {
    FileReport {
        file: id.to_string(),
        document: error.document,
        line: error.line,
        field: error.field,
        message: error.message,
        severity,
    }
}
