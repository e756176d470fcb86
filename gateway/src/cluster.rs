//! One Gateway, its objects read from an API server (DESIGN §5).
//!
//! * `keeper` — from a snapshot to a published table.
//! * [`bind`] — where the Gateway's sockets and the admin server are. Pure.
//! * [`served`] — which objects are in force, for `/debug/served`.
//! * `metrics` — how the watches do.
//!
//! The watch keeps the last known objects whatever becomes of the API server, so the table stays too. Translating is
//! done off the runtime that watches; requests are served elsewhere altogether.

pub mod bind;
mod keeper;
mod metrics;
pub mod served;

use std::sync::Arc;
use std::time::Duration;

use mcwan_k8s::object::Key;
use mcwan_telemetry::admin::{Pages, Reply};
use mcwan_telemetry::metrics::Metrics;
use mcwan_telemetry::readiness::Readiness;
use mcwan_watch::{Client, Pace, Selection, Watch};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::listen::report::ListenReport;
use crate::live::LiveTable;
use crate::observe::Observer;
use crate::standalone::status::Status;
use bind::{Bind, Home};
use keeper::Keeper;
use served::Ledger;

/// A change is taken in when there was none for this long …
const QUIET: Duration = Duration::from_millis(30);
/// … but at the latest after this time.
const AT_THE_LATEST: Duration = Duration::from_millis(300);

/// What to serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Namespace and name of the Gateway.
    pub gateway: Key,
    /// Where its listeners are bound.
    pub bind: Bind,
    /// Our cluster, if that was said. Else the `ClusterProperty` says it; else it is `unknown`.
    pub cluster: Option<String>,
    /// The times of the watches.
    pub pace: Pace,
}

/// What the mode works on.
#[derive(Debug, Clone)]
pub struct Parts {
    /// Where tables are published.
    pub live: Arc<LiveTable>,
    /// Learns which clusters there are, and the name of our own.
    pub observer: Arc<Observer>,
    /// Gets the conditions `table` and `gateway`, and a note for each watch that does not work.
    pub readiness: Readiness,
    /// Gets `mcwan_problems` and `mcwan_watch_*`.
    pub metrics: Metrics,
    /// Knows which sockets are bound.
    pub report: ListenReport,
}

/// The API server, watched. Dropping it ends the watching; the table stays in force.
#[derive(Debug)]
pub struct Cluster {
    status: Status,
    ledger: Ledger,
    home: watch::Receiver<Home>,
    _task: JoinSet<()>,
}

impl Cluster {
    /// Starts to watch, and publishes tables from the first complete snapshot on. Must be called on a tokio runtime.
    ///
    /// # Errors
    /// When the metrics are registered already.
    pub fn start(client: Client, settings: Settings, parts: Parts) -> anyhow::Result<Self> {
        let status = Status::default();
        status.register_problems(&parts.metrics)?;
        let watch = Watch::start_at(client, "", &Selection::gateway(), settings.pace);
        metrics::register(&parts.metrics, watch.view())?;
        let live = Arc::clone(&parts.live);
        let ledger = Ledger::new(settings.gateway.clone(), live, parts.report.clone());
        let (tell, home) = watch::channel(Home::at_first(settings.bind));
        let keeper = Keeper::new(settings, parts, (status.clone(), ledger.clone(), tell));
        let mut task = JoinSet::new();
        task.spawn(keep(watch, keeper));
        Ok(Self {
            status,
            ledger,
            home,
            _task: task,
        })
    }

    /// What is wrong with the objects.
    #[must_use]
    pub const fn status(&self) -> &Status {
        &self.status
    }

    /// Where the Gateway is; changes with its object.
    #[must_use]
    pub fn home(&self) -> watch::Receiver<Home> {
        self.home.clone()
    }

    /// Adds `/debug/served`.
    #[must_use]
    pub fn pages(&self, pages: Pages) -> Pages {
        let ledger = self.ledger.clone();
        pages.page("/debug/served", move |_| Reply::json(&ledger.served()))
    }
}

/// Follows the watch. Ends only when the keeper panicked: the conditions that it held then no longer hold.
async fn keep(watch: Watch, mut keeper: Keeper) {
    let mut changes = watch.subscribe();
    loop {
        changes.borrow_and_update();
        let view = watch.view().clone();
        // Milliseconds of work for a large cluster: not on the thread that watches.
        let work = tokio::task::spawn_blocking(move || {
            keeper.look(&view);
            keeper
        });
        match work.await {
            Ok(back) => keeper = back,
            Err(e) => {
                tracing::error!("translating ended: {e}; the table stays as it is");
                return;
            }
        }
        if changes.changed().await.is_err() {
            return;
        }
        quiet(&mut changes).await;
    }
}

/// Waits for the end of a burst of changes.
async fn quiet(changes: &mut watch::Receiver<u64>) {
    let burst =
        async { while let Ok(Ok(())) = tokio::time::timeout(QUIET, changes.changed()).await {} };
    let _cut = tokio::time::timeout(AT_THE_LATEST, burst).await;
}

#[cfg(test)]
mod tests;
