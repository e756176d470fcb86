//! Looks at the directory: which files are there, and which changed since the last look.
//!
//! A changed file is read when two looks in a row saw the same of it: a file that is still being written is left alone
//! until it is quiet. What was read counts only if the file did not change meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use mcwan_k8s::problem::Severity;

use super::ledger::{Content, FileId, Seen};
use super::status::FileReport;

/// Files that are larger are not read.
const MAX_FILE: u64 = 64 * 1024 * 1024;

/// Checks at the start what cannot be made good later.
///
/// # Errors
/// When `cluster` is not a DNS label, or there is no directory for it in `dir`.
pub fn check(dir: &Path, cluster: &str) -> anyhow::Result<()> {
    ensure!(
        is_label(cluster),
        "--cluster {cluster:?} is no cluster name; a cluster name is a DNS label: lower-case letters, digits and \
         dashes, at most 63, for example cluster-1"
    );
    let shown = dir.display();
    fs::read_dir(dir).with_context(|| {
        format!("--clusterset {shown} cannot be read; make a directory with one directory for each cluster")
    })?;
    fs::read_dir(dir.join(cluster)).with_context(|| {
        format!("{shown} has no directory {cluster} for this cluster; make it, or name another with --cluster")
    })?;
    Ok(())
}

/// A DNS label (RFC 1123).
fn is_label(name: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = name.as_bytes();
    (1..=63).contains(&bytes.len())
        && bytes.iter().all(|b| inner(*b) || *b == b'-')
        && bytes.first().is_some_and(|b| inner(*b))
        && bytes.last().is_some_and(|b| inner(*b))
}

/// A manifest by its name. Dot files, and the temporary files of editors, are not.
fn is_manifest(name: &str) -> bool {
    let extension = Path::new(name).extension().and_then(|e| e.to_str());
    !name.starts_with(['.', '#']) && matches!(extension, Some("yaml" | "yml" | "json"))
}

/// What a look sees of a file without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Sight {
    /// Device, inode, size, and times of modification and change.
    Stamp([i128; 5]),
    /// It is there and is nothing that can be read.
    Odd(String),
    /// It is not there.
    Absent,
}

impl Sight {
    fn of(meta: &Metadata) -> Self {
        if !meta.is_file() {
            return Self::Odd("it is not a regular file".to_owned());
        }
        if meta.len() > MAX_FILE {
            return Self::Odd(format!("it is larger than {} MiB", MAX_FILE >> 20));
        }
        let nanoseconds = |s: i64, n: i64| i128::from(s) * 1_000_000_000 + i128::from(n);
        Self::Stamp([
            i128::from(meta.dev()),
            i128::from(meta.ino()),
            i128::from(meta.size()),
            nanoseconds(meta.mtime(), meta.mtime_nsec()),
            // A tool that sets the time of modification back cannot set this one.
            nanoseconds(meta.ctime(), meta.ctime_nsec()),
        ])
    }
}

/// What is known of one file.
#[derive(Debug)]
struct Known {
    /// As it was when it was last taken in.
    taken: Sight,
    /// As the last look saw it.
    last: Sight,
}

/// The result of a look.
#[derive(Debug, Default)]
pub struct Look {
    /// Files that changed.
    pub changes: Vec<(FileId, Seen)>,
    /// What is wrong with directories.
    pub reports: BTreeSet<FileReport>,
}

/// Remembers what it saw.
#[derive(Debug)]
pub struct Scanner {
    dir: PathBuf,
    known: BTreeMap<FileId, Known>,
}

impl Scanner {
    /// A scanner that has seen nothing yet.
    #[must_use]
    pub const fn new(dir: PathBuf) -> Self {
        Self {
            dir,
            known: BTreeMap::new(),
        }
    }

    /// Looks. With `patient`, changes are taken in when they are quiet; without (at the start) at once.
    pub fn look(&mut self, patient: bool) -> Look {
        let mut look = Look::default();
        let mut sights = match self.list(&mut look.reports) {
            Ok(sights) => sights,
            Err(error) => {
                // Nothing is known of any file, so nothing changes.
                look.reports.insert(unlisted("", &error));
                return look;
            }
        };
        for id in self.known.keys() {
            sights.entry(id.clone()).or_insert(Sight::Absent);
        }
        for (id, sight) in sights {
            if let Some(seen) = self.see(&id, sight, patient) {
                look.changes.push((id, seen));
            }
        }
        self.known
            .retain(|_, k| k.taken != Sight::Absent || k.last != Sight::Absent);
        look
    }

    /// Takes in one file if it changed and is quiet.
    fn see(&mut self, id: &FileId, sight: Sight, patient: bool) -> Option<Seen> {
        let path = self.dir.join(&id.cluster).join(&id.name);
        let known = self.known.entry(id.clone()).or_insert(Known {
            taken: Sight::Absent,
            last: Sight::Absent,
        });
        let quiet = !patient || known.last == sight;
        known.last = sight.clone();
        if known.taken == sight || !quiet {
            return None;
        }
        let seen = match &sight {
            Sight::Absent => Seen::Gone,
            Sight::Odd(why) => Seen::Unreadable(why.clone()),
            Sight::Stamp(_) => match read(&path, &sight) {
                Ok(Some(bytes)) => Seen::Content(Content::of(&bytes)),
                // It changed while it was read: a later look will find it quiet.
                Ok(None) => return None,
                Err(error) => Seen::Unreadable(format!("it cannot be read: {error}")),
            },
        };
        known.taken = sight;
        Some(seen)
    }

    fn list(&self, reports: &mut BTreeSet<FileReport>) -> io::Result<BTreeMap<FileId, Sight>> {
        let mut sights = BTreeMap::new();
        for entry in fs::read_dir(&self.dir)? {
            let Some(cluster) = visible(&entry?, reports) else {
                continue;
            };
            let path = self.dir.join(&cluster);
            // `metadata` follows symbolic links, which ConfigMap volumes are made of.
            let is_dir = fs::metadata(&path).is_ok_and(|m| m.is_dir());
            if !is_dir {
                if is_manifest(&cluster) {
                    reports.insert(misplaced(&cluster));
                }
            } else if !is_label(&cluster) {
                reports.insert(misnamed(&cluster));
            } else if let Err(error) = list_cluster(&cluster, &path, &mut sights, reports) {
                reports.insert(unlisted(&cluster, &error));
            }
        }
        Ok(sights)
    }
}

fn list_cluster(
    cluster: &str,
    path: &Path,
    sights: &mut BTreeMap<FileId, Sight>,
    reports: &mut BTreeSet<FileReport>,
) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let Some(name) = visible(&entry?, reports).filter(|n| is_manifest(n)) else {
            continue;
        };
        let sight = sight(&path.join(&name));
        let id = FileId {
            cluster: cluster.to_owned(),
            name,
        };
        sights.insert(id, sight);
    }
    Ok(())
}

/// Looks at a file that was listed.
fn sight(path: &Path) -> Sight {
    match fs::metadata(path) {
        Ok(meta) => Sight::of(&meta),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if fs::symlink_metadata(path).is_ok() {
                Sight::Odd("its symbolic link leads nowhere".to_owned())
            } else {
                Sight::Absent
            }
        }
        Err(error) => Sight::Odd(format!("it cannot be looked at: {error}")),
    }
}

/// The name of an entry that is not hidden.
fn visible(entry: &fs::DirEntry, reports: &mut BTreeSet<FileReport>) -> Option<String> {
    match entry.file_name().into_string() {
        Ok(name) => (!name.starts_with('.')).then_some(name),
        Err(raw) => {
            let name = raw.to_string_lossy();
            let message = "the name is not UTF-8, so it is not read; rename it";
            reports.insert(FileReport::whole(name, Severity::Warning, message));
            None
        }
    }
}

fn misplaced(name: &str) -> FileReport {
    let message = "a manifest must be in the directory of a cluster, so it is not read; move it";
    FileReport::whole(name, Severity::Warning, message)
}

fn misnamed(name: &str) -> FileReport {
    let message =
        "the name of the directory is no cluster name (a DNS label), so it is not read; rename it";
    FileReport::whole(name, Severity::Error, message)
}

fn unlisted(name: &str, error: &io::Error) -> FileReport {
    let message =
        format!("the directory cannot be listed: {error}; the last good state stays in force");
    FileReport::whole(format!("{name}/"), Severity::Error, message)
}

/// Reads a file. None when it is not what `sight` saw, before or after.
fn read(path: &Path, sight: &Sight) -> io::Result<Option<Vec<u8>>> {
    let mut file = File::open(path)?;
    if Sight::of(&file.metadata()?) != *sight {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    // A file that grows without end must not fill the memory.
    Read::by_ref(&mut file)
        .take(MAX_FILE + 1)
        .read_to_end(&mut bytes)?;
    let unchanged = Sight::of(&file.metadata()?) == *sight;
    Ok(unchanged.then_some(bytes))
}

#[cfg(test)]
mod tests;
