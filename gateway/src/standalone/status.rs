//! What is wrong with files and objects, and how often they were reloaded. One truth for log, metrics, readiness and
//! `/debug/table`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use mcwan_k8s::problem::{Problem, Severity};
use mcwan_telemetry::metrics::Metrics;
use serde::Serialize;

use crate::observe::sampled::{count, whole};

/// Something that is wrong with a file as a whole, or with a place in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct FileReport {
    /// `cluster/file`, under the directory.
    pub file: String,
    /// Document in the file, from 1; 0 for the whole file.
    pub document: u32,
    /// Line in the file, from 1; 0 for the whole file.
    pub line: u32,
    /// Path of the field; empty when it is not known.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub field: String,
    /// What is wrong and what to do.
    pub message: String,
    /// How bad it is.
    pub severity: Severity,
}

impl FileReport {
    /// About a file as a whole.
    #[must_use]
    pub fn whole(file: impl Into<String>, severity: Severity, message: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            document: 0,
            line: 0,
            field: String::new(),
            message: message.into(),
            severity,
        }
    }
}

impl fmt::Display for FileReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if self.document > 0 {
            write!(f, ": document {}", self.document)?;
        }
        if !self.field.is_empty() {
            write!(f, ": {}", self.field)?;
        }
        write!(f, ": {}", self.message)
    }
}

/// All that is wrong at one moment, sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Wrongs {
    /// Files.
    pub files: BTreeSet<FileReport>,
    /// Objects.
    pub problems: BTreeSet<Problem>,
}

mcwan_telemetry::label_values! {
    /// What became of a change of files.
    pub enum Reload {
        /// A new table is in force.
        Applied = "applied",
        /// The table is the same as before.
        Unchanged = "unchanged",
        /// At least one file was not used; the others may have made a new table.
        Rejected = "rejected",
    }
}

/// Shared by whoever wants to know. Cheap to clone: all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Status {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    wrongs: ArcSwap<Wrongs>,
    reloads: [AtomicU64; Reload::ALL.len()],
}

impl Status {
    /// All that is wrong now.
    #[must_use]
    pub fn wrongs(&self) -> Arc<Wrongs> {
        self.shared.wrongs.load_full()
    }

    /// How often changes ended like this.
    #[must_use]
    pub fn reloads(&self, how: Reload) -> u64 {
        let counter = Reload::ALL.iter().position(|r| *r == how);
        let counter = counter.and_then(|i| self.shared.reloads.get(i));
        counter.map_or(0, |c| c.load(Ordering::Relaxed))
    }

    pub(super) fn reloaded(&self, how: Reload) {
        let counter = Reload::ALL.iter().position(|r| *r == how);
        if let Some(counter) = counter.and_then(|i| self.shared.reloads.get(i)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Replaces what is wrong. What is new and what is gone is logged, a line each.
    pub(crate) fn set(&self, now: Wrongs) {
        let before = self.wrongs();
        tell(&before.files, &now.files);
        tell(&before.problems, &now.problems);
        self.shared.wrongs.store(Arc::new(now));
    }

    /// Registers `mcwan_problems`.
    ///
    /// # Errors
    /// When it is registered already.
    pub fn register_problems(&self, metrics: &Metrics) -> prometheus::Result<()> {
        let status = self.clone();
        metrics.gauge(
            "mcwan_problems",
            "Problems of objects, by the status condition and reason that say them.",
            &["condition", "reason"],
            move |s| {
                for problem in &status.wrongs().problems {
                    s.add(&[&problem.condition, &problem.reason], 1.0);
                }
            },
        )
    }

    /// Registers `mcwan_problems`, `mcwan_config_file_errors` and `mcwan_config_reloads_total`.
    ///
    /// # Errors
    /// When they are registered already.
    pub fn register(&self, metrics: &Metrics) -> prometheus::Result<()> {
        self.register_problems(metrics)?;
        let status = self.clone();
        metrics.gauge(
            "mcwan_config_file_errors",
            "Mistakes in a manifest file whose last good state is in force instead.",
            &["file"],
            move |s| {
                for (file, errors) in errors_by_file(&status.wrongs()) {
                    s.add(&[file], count(errors));
                }
            },
        )?;
        let status = self.clone();
        metrics.counter(
            "mcwan_config_reloads_total",
            "Changes of manifest files, by what became of them.",
            &["result"],
            move |s| {
                for how in Reload::ALL {
                    s.add(&[how.as_str()], whole(status.reloads(*how)));
                }
            },
        )
    }
}

fn errors_by_file(wrongs: &Wrongs) -> BTreeMap<&str, usize> {
    let mut by_file = BTreeMap::new();
    let errors = wrongs
        .files
        .iter()
        .filter(|r| r.severity == Severity::Error);
    for report in errors {
        *by_file.entry(report.file.as_str()).or_default() += 1;
    }
    by_file
}

fn tell<T: Ord + fmt::Display>(before: &BTreeSet<T>, now: &BTreeSet<T>) {
    for appeared in now.difference(before) {
        tracing::warn!("{appeared}");
    }
    for gone in before.difference(now) {
        tracing::warn!("no longer: {gone}");
    }
}
