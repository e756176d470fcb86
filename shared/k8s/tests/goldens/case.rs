//! A case: the objects of one or more clusters in one YAML file.
//!
//! ```yaml
//! # What the case shows.
//! # cluster: cluster-2
//! # include: wanpolicy.yaml
//! apiVersion: v1
//! kind: Namespace
//! metadata: { name: secure }
//! # cluster: cluster-1
//! ...
//! # offer
//! cluster: cluster-3
//! ...
//! ```
//!
//! Lines that begin with one of these words are directives, all others belong to the section they stand in:
//!
//! * `# cluster: NAME` — the documents that follow are objects of this cluster. The first cluster is the one that the
//!   result is for; the offers of the others are computed from their objects.
//! * `# include: FILE` — the documents of `config/samples/FILE` are in this cluster too, byte for byte; or those of a file
//!   beside the case, when FILE begins with `../`.
//! * `# offer` — one document that is an offer as a peer sent it, whatever it says.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use mcwan_k8s::manifest;
use mcwan_k8s::object::Object;
use mcwan_k8s::offer::{PeerOffer, offer};
use mcwan_k8s::snapshot::ClusterSnapshot;

/// A case, read.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    /// The cluster that the result is for.
    pub cluster: ClusterSnapshot,
    /// What the others offer.
    pub offers: Vec<PeerOffer>,
}

/// A part of the file between two directives that begin one.
enum Section {
    Cluster(String, Vec<Object>),
    Offer(PeerOffer),
}

/// Names of the files in `goldens/<what>` that end with `suffix`, without it.
pub(crate) fn files(what: &str, suffix: &str) -> BTreeSet<String> {
    let root = root(what);
    let entries = std::fs::read_dir(&root).unwrap_or_else(|e| panic!("{}: {e}", root.display()));
    entries
        .filter_map(|e| e.unwrap().file_name().into_string().ok())
        .filter_map(|n| n.strip_suffix(suffix).map(str::to_owned))
        .collect()
}

/// A file of `goldens/<what>`.
pub(crate) fn file(what: &str, name: &str, suffix: &str) -> PathBuf {
    root(what).join(format!("{name}{suffix}"))
}

fn root(what: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/goldens")
        .join(what)
}

/// Reads a case.
///
/// # Panics
///
/// When the file is not a case: that is a mistake in the test, not in what is tested.
pub(crate) fn read(path: &Path) -> Case {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut clusters = Vec::new();
    let mut offers = Vec::new();
    for section in sections(path, &text) {
        match section {
            Section::Cluster(name, objects) => {
                clusters.push(ClusterSnapshot::new(name).with(objects));
            }
            Section::Offer(o) => offers.push(o),
        }
    }
    let mut clusters = clusters.into_iter();
    let cluster = clusters
        .next()
        .unwrap_or_else(|| panic!("{}: no line `# cluster: NAME`", path.display()));
    offers.extend(clusters.map(|c| offer(&c).0));
    Case { cluster, offers }
}

/// Splits the text at its directives and parses each part.
fn sections(path: &Path, text: &str) -> Vec<Section> {
    let mut starts: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in text.lines() {
        if line.starts_with("# cluster: ") || line.trim_end() == "# offer" {
            starts.push((line, Vec::new()));
        } else if let Some((_, lines)) = starts.last_mut() {
            lines.push(line);
        } else {
            assert!(
                line.is_empty() || line.starts_with('#'),
                "{}: only comments before the first cluster, not {line:?}",
                path.display()
            );
        }
    }
    starts
        .into_iter()
        .map(|(head, lines)| section(path, head, &lines))
        .collect()
}

fn section(path: &Path, head: &str, lines: &[&str]) -> Section {
    let text = lines.join("\n");
    let Some(name) = head.strip_prefix("# cluster: ") else {
        let offer = serde_saphyr::from_str(&text)
            .unwrap_or_else(|e| panic!("{}: bad offer: {e}", path.display()));
        return Section::Offer(offer);
    };
    let included = lines
        .iter()
        .filter_map(|l| l.strip_prefix("# include: "))
        .flat_map(|file| {
            let file = file.trim();
            let beside = path.parent().filter(|_| file.starts_with("../"));
            let file = beside.map_or_else(samples, Path::to_path_buf).join(file);
            let bytes = std::fs::read(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
            objects(&file, &bytes)
        });
    let mut all: Vec<Object> = included.collect();
    all.extend(objects(path, text.as_bytes()));
    Section::Cluster(name.trim().to_owned(), all)
}

/// `config/samples` of the workspace: documentation, test input and demo at once.
fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/samples")
}

fn objects(path: &Path, bytes: &[u8]) -> Vec<Object> {
    let manifest = manifest::parse(bytes);
    assert!(
        manifest.errors.is_empty(),
        "{}: {:?}",
        path.display(),
        manifest.errors
    );
    manifest.objects.into_iter().map(|p| p.object).collect()
}
