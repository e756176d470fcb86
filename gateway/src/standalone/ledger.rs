//! The last good objects of every file, and which of them are in force. Values in, values out: no I/O.
//!
//! An object in force is never lost by accident; only a good file that no longer holds it takes it away:
//!
//! * A file that does not parse, even in one document, changes nothing. Its last good objects stay in force.
//! * An empty file that had objects counts as truncated: the same. A file of comments or empty documents is an explicit
//!   "nothing": its objects go.
//! * A deleted or unreadable file: its objects stay, and are reported with how to withdraw them. When another file holds
//!   the same object (a rename), the retained copy is dropped.
//! * One object in two files: identical copies are a warning. Different ones are an error that names both; the one in
//!   force stays so, at a cold start the first in the order of file names.

mod file;

use std::collections::{BTreeMap, BTreeSet};

use mcwan_k8s::manifest::{Manifest, Parsed};
use mcwan_k8s::problem::ObjectRef;
use mcwan_k8s::snapshot::ClusterSnapshot;

use super::status::FileReport;
use file::{File, duplicate};

/// A file, by cluster and name. Shown as `cluster/name`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId {
    /// Cluster: the directory.
    pub cluster: String,
    /// Name in it.
    pub name: String,
}

impl std::fmt::Display for FileId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.cluster, self.name)
    }
}

/// What was seen of a file.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// It was read.
    Content(Content),
    /// It is there and cannot be read, for this reason.
    Unreadable(String),
    /// It is not there.
    Gone,
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Content {
    /// Zero bytes, or white space only.
    pub blank: bool,
    /// Its documents.
    pub manifest: Manifest,
}

impl Content {
    /// Parses the bytes of a file.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self {
            blank: bytes.iter().all(u8::is_ascii_whitespace),
            manifest: mcwan_k8s::manifest::parse(bytes),
        }
    }
}

/// All files that were ever seen, as far as they matter.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ledger {
    files: BTreeMap<FileId, File>,
    /// The file that each object in force comes from.
    owners: BTreeMap<(String, ObjectRef), FileId>,
    /// Objects that several files, or one file twice, define.
    duplicates: BTreeSet<FileReport>,
}

impl Ledger {
    /// Takes in what was seen of some files at one moment. Files that are not named did not change.
    pub fn apply(&mut self, seen: impl IntoIterator<Item = (FileId, Seen)>) {
        for (id, seen) in seen {
            let file = self.files.entry(id.clone()).or_default();
            match seen {
                Seen::Content(content) => file.content(&id, content),
                Seen::Unreadable(why) => file.unreadable(&id, &why),
                Seen::Gone => file.vanish(),
            }
        }
        self.settle();
    }

    /// The objects in force, by cluster. A cluster without any is absent.
    #[must_use]
    pub fn clusters(&self) -> BTreeMap<String, ClusterSnapshot> {
        let mut clusters: BTreeMap<String, ClusterSnapshot> = BTreeMap::new();
        for ((cluster, reference), owner) in &self.owners {
            let file = self.files.get(owner);
            if let Some(parsed) = file.and_then(|f| f.objects.get(reference)) {
                clusters
                    .entry(cluster.clone())
                    .or_insert_with(|| ClusterSnapshot::new(cluster))
                    .insert(parsed.object.clone());
            }
        }
        clusters
    }

    /// What is wrong with the files.
    #[must_use]
    pub fn reports(&self) -> BTreeSet<FileReport> {
        let of_files = self.files.values().flat_map(|f| &f.reports);
        let retained = self.files.iter().filter(|(_, f)| f.gone);
        let retained = retained.map(|(id, file)| file.retained(id));
        of_files
            .chain(&self.duplicates)
            .cloned()
            .chain(retained)
            .collect()
    }

    /// Decides which file each object comes from, and forgets what is no longer needed.
    fn settle(&mut self) {
        let holders = self.holders();
        self.drop_moved(&holders);
        let mut owners = BTreeMap::new();
        self.duplicates.clear();
        for (key, files) in holders {
            let live: Vec<&FileId> = files.iter().filter(|f| self.is_live(f)).collect();
            let retained = files.iter().collect();
            let candidates = if live.is_empty() { &retained } else { &live };
            let Some(owner) = self.owner(&key, candidates).cloned() else {
                continue;
            };
            let duplicates: Vec<FileReport> = self.compare(&key.1, &owner, &live).collect();
            self.duplicates.extend(duplicates);
            owners.insert(key, owner);
        }
        self.owners = owners;
        self.files.retain(|_, file| file.matters());
    }

    /// The files that hold each object, in the order of their names.
    fn holders(&self) -> BTreeMap<(String, ObjectRef), Vec<FileId>> {
        let mut holders: BTreeMap<_, Vec<FileId>> = BTreeMap::new();
        for (id, file) in &self.files {
            for reference in file.objects.keys() {
                let key = (id.cluster.clone(), reference.clone());
                holders.entry(key).or_default().push(id.clone());
            }
        }
        holders
    }

    /// Drops retained copies of objects that a file that is there holds too.
    fn drop_moved(&mut self, holders: &BTreeMap<(String, ObjectRef), Vec<FileId>>) {
        for ((_, reference), files) in holders {
            if !files.iter().any(|f| self.is_live(f)) {
                continue;
            }
            for id in files {
                if let Some(file) = self.files.get_mut(id).filter(|f| f.gone) {
                    file.objects.remove(reference);
                }
            }
        }
    }

    fn is_live(&self, id: &FileId) -> bool {
        self.files.get(id).is_some_and(|f| !f.gone)
    }

    /// The file in force stays so while it holds the object; else the first takes over.
    fn owner<'a>(
        &self,
        key: &(String, ObjectRef),
        candidates: &[&'a FileId],
    ) -> Option<&'a FileId> {
        let before = self.owners.get(key);
        let same = candidates.iter().find(|c| Some(**c) == before);
        same.or_else(|| candidates.first()).copied()
    }

    /// Reports every other file that holds the object.
    fn compare<'a>(
        &'a self,
        reference: &'a ObjectRef,
        owner: &'a FileId,
        live: &'a [&'a FileId],
    ) -> impl Iterator<Item = FileReport> + 'a {
        let held = self.held(owner, reference);
        let others = live.iter().filter(move |id| **id != owner);
        others.filter_map(move |id| {
            let other = self.held(id, reference)?;
            Some(duplicate(reference, (id, other), (owner, held?)))
        })
    }

    fn held(&self, id: &FileId, reference: &ObjectRef) -> Option<&Parsed> {
        self.files.get(id)?.objects.get(reference)
    }
}

#[cfg(test)]
mod tests;
