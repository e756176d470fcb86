//! A directory of manifests instead of an API server (DESIGN §10).
//!
//! * [`ledger`] — the last good objects of every file; what is in force. Pure.
//! * [`scan`] — looks at the directory: which files changed.
//! * [`status`] — what is wrong, for logs, metrics, readiness and `/debug/table`.
//!
//! A thread of its own polls the directory, because file events miss `ConfigMap` volumes and network file systems;
//! parsing, rendering and translating stay off the threads that serve requests.

pub mod ledger;
pub mod scan;
pub mod status;
mod watch;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use mcwan_telemetry::metrics::Metrics;
use mcwan_telemetry::readiness::Readiness;

use crate::live::LiveTable;
use crate::observe::Observer;
use status::Status;
use watch::{Keeper, Thread};

/// What to serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Directory with one directory for each cluster.
    pub dir: PathBuf,
    /// The cluster that this process is in.
    pub cluster: String,
}

/// What the standalone mode works on.
#[derive(Debug, Clone)]
pub struct Parts {
    /// Where tables are published.
    pub live: Arc<LiveTable>,
    /// Learns which clusters there are.
    pub observer: Arc<Observer>,
    /// Gets the condition `table`, and a note for each broken file.
    pub readiness: Readiness,
    /// Gets `mcwan_problems`, `mcwan_config_file_errors`, `mcwan_config_reloads_total`.
    pub metrics: Metrics,
}

/// The directory, watched. Dropping it ends the watching; the table stays in force.
#[derive(Debug)]
pub struct Standalone {
    status: Status,
    _thread: Thread,
}

impl Standalone {
    /// Reads the directory, publishes the first table, and watches for changes from then on. Broken files are reported
    /// and do not keep it from starting.
    ///
    /// # Errors
    /// When the cluster's name is not a DNS label, or the directory or that of the cluster is not there.
    pub fn start(settings: &Settings, parts: Parts) -> anyhow::Result<Self> {
        scan::check(&settings.dir, &settings.cluster)?;
        let status = Status::default();
        status.register(&parts.metrics)?;
        let keeper = Keeper::new(settings, parts, status.clone());
        Ok(Self {
            status,
            _thread: Thread::start(keeper)?,
        })
    }

    /// What is wrong with the files and objects.
    #[must_use]
    pub const fn status(&self) -> &Status {
        &self.status
    }
}
