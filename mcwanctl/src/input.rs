//! Directories of manifests, read.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use mcwan_k8s::files::{Assembled, assemble};
use mcwan_k8s::pipeline::{self, Outcome};
use mcwan_k8s::snapshot::ClusterSnapshot;

/// Name of a cluster that has none.
const LOCAL: &str = "local";

/// The path on the command line is of no use.
#[derive(Debug)]
pub(crate) enum InputError {
    /// It cannot be read.
    Unreadable(PathBuf, io::Error),
    /// It has no manifests.
    Empty(PathBuf),
    /// It has no such cluster.
    NoCluster(String, Vec<String>),
    /// It has several clusters, and one must be chosen.
    WhichCluster(Vec<String>),
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(path, e) => {
                write!(
                    f,
                    "cannot read {}: {e}; see `mcwanctl check --help`",
                    path.display()
                )
            }
            Self::Empty(path) => write!(
                f,
                "no *.yaml in {0} nor in its directories; a ClusterSet is {0}/<cluster>/*.yaml",
                path.display()
            ),
            Self::NoCluster(name, known) => {
                write!(f, "no cluster {name:?}; there is {}", known.join(", "))
            }
            Self::WhichCluster(known) => write!(
                f,
                "several clusters; choose one: {}",
                known
                    .iter()
                    .map(|name| format!("--cluster {name}"))
                    .collect::<Vec<_>>()
                    .join(" or ")
            ),
        }
    }
}

impl std::error::Error for InputError {}

/// The clusters of a directory, by name.
#[derive(Debug)]
pub(crate) struct Input {
    /// Never empty.
    pub clusters: BTreeMap<String, Assembled>,
}

impl Input {
    /// Reads a `ClusterSet`, a directory of manifests, or one file. `cluster` must be one of the `ClusterSet`, or names
    /// the cluster otherwise.
    pub(crate) fn read(path: &Path, cluster: Option<&str>) -> Result<Self, InputError> {
        let files = manifests(path)?;
        if !files.is_empty() {
            let name = cluster.unwrap_or(LOCAL);
            let clusters = BTreeMap::from([(name.to_owned(), read_cluster(name, &files)?)]);
            return Ok(Self { clusters });
        }
        let mut clusters = BTreeMap::new();
        for (name, directory) in directories(path)? {
            let files = manifests(&directory)?;
            if !files.is_empty() {
                clusters.insert(name.clone(), read_cluster(&name, &files)?);
            }
        }
        if clusters.is_empty() {
            return Err(InputError::Empty(path.to_owned()));
        }
        match cluster {
            Some(name) if !clusters.contains_key(name) => {
                let known = clusters.into_keys().collect();
                Err(InputError::NoCluster(name.to_owned(), known))
            }
            Some(_) | None => Ok(Self { clusters }),
        }
    }

    /// The clusters that a command is about: the one asked for, or all.
    pub(crate) fn chosen(&self, cluster: Option<&str>) -> Vec<&str> {
        let names = self.clusters.keys().map(String::as_str);
        names
            .filter(|name| cluster.is_none_or(|c| c == *name))
            .collect()
    }

    /// What a cluster does with the objects of all.
    pub(crate) fn outcome(&self, cluster: &str) -> Outcome {
        let snapshots: BTreeMap<String, ClusterSnapshot> = self
            .clusters
            .iter()
            .map(|(name, all)| (name.clone(), all.snapshot.clone()))
            .collect();
        pipeline::run(cluster, &snapshots, &[], &pipeline::standalone_scope())
    }
}

/// The manifest files at a path, sorted: the file itself, or those of a directory.
fn manifests(path: &Path) -> Result<Vec<PathBuf>, InputError> {
    let unreadable = |e| InputError::Unreadable(path.to_owned(), e);
    if !fs::metadata(path).map_err(unreadable)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        let is_yaml = file
            .extension()
            .is_some_and(|ext| ext == "yaml" || ext == "yml");
        if is_yaml && !is_hidden(&file) && !file.is_dir() {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

/// The directories in a directory, by name.
fn directories(path: &Path) -> Result<BTreeMap<String, PathBuf>, InputError> {
    let unreadable = |e| InputError::Unreadable(path.to_owned(), e);
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let directory = entry.map_err(unreadable)?.path();
        let name = directory.file_name().and_then(|name| name.to_str());
        if let Some(name) = name.filter(|_| directory.is_dir() && !is_hidden(&directory)) {
            found.insert(name.to_owned(), directory.clone());
        }
    }
    Ok(found)
}

/// Editors and Kubernetes volumes keep their own files under such names.
fn is_hidden(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn read_cluster(name: &str, files: &[PathBuf]) -> Result<Assembled, InputError> {
    let mut texts = Vec::new();
    for file in files {
        let text = fs::read(file).map_err(|e| InputError::Unreadable(file.clone(), e))?;
        texts.push((file.to_string_lossy().into_owned(), text));
    }
    let files = texts
        .iter()
        .map(|(file, text)| (file.as_str(), text.as_slice()));
    Ok(assemble(name, files))
}
