//! From changed files to a published table; and the thread that does it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mcwan_k8s::object::Object;
use mcwan_k8s::pipeline;
use mcwan_k8s::problem::{Problem, Severity};
use mcwan_k8s::snapshot::ClusterSnapshot;
use mcwan_k8s::translate::Scope;
use mcwan_telemetry::readiness::{Condition, Notes};

use super::ledger::Ledger;
use super::scan::{Look, Scanner};
use super::status::{FileReport, Reload, Status, Wrongs};
use super::{Parts, Settings};

/// Time between two looks. A change is taken in at the second look that sees it, so it is live well within a second.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Looking takes at most one part in this many of the time, where there are very many files …
const LOOK_SHARE: u32 = 20;
/// … but a look is never further away than this.
const LOOK_AT_LEAST_EVERY: Duration = Duration::from_millis(350);
/// Added to privileged ports (DESIGN §10).
const PRIVILEGED_PORT_OFFSET: u16 = 10_000;

/// Keeps the published table equal to the files.
#[derive(Debug)]
pub(super) struct Keeper {
    cluster: String,
    scanner: Scanner,
    ledger: Ledger,
    parts: Parts,
    status: Status,
    table: Condition,
    notes: Notes,
    clusters: BTreeMap<String, ClusterSnapshot>,
    /// What was rendered last: allocated ports are kept from it.
    rendered: Vec<Object>,
    problems: BTreeSet<Problem>,
    directories: BTreeSet<FileReport>,
}

impl Keeper {
    pub(super) fn new(settings: &Settings, parts: Parts, status: Status) -> Self {
        Self {
            cluster: settings.cluster.clone(),
            scanner: Scanner::new(settings.dir.clone()),
            ledger: Ledger::default(),
            table: parts.readiness.condition("table"),
            notes: parts.readiness.notes("file"),
            parts,
            status,
            clusters: BTreeMap::new(),
            rendered: Vec::new(),
            problems: BTreeSet::new(),
            directories: BTreeSet::new(),
        }
    }

    /// Takes in all files at once, and publishes.
    pub(super) fn first(&mut self) {
        let Look { changes, reports } = self.scanner.look(false);
        self.ledger.apply(changes);
        self.clusters = self.ledger.clusters();
        self.publish();
        self.directories = reports;
        self.report();
    }

    /// Takes in what changed and is quiet. Returns whether anything did.
    pub(super) fn again(&mut self) -> bool {
        let Look { changes, reports } = self.scanner.look(true);
        if reports != self.directories {
            self.directories = reports;
            self.report();
        }
        if changes.is_empty() {
            return false;
        }
        self.ledger.apply(changes);
        let mut clusters = self.ledger.clusters();
        let applied = clusters != self.clusters && {
            // The old ones are dropped when the new table is in force: that takes time as well.
            std::mem::swap(&mut self.clusters, &mut clusters);
            self.publish()
        };
        let rejected = self.report();
        self.status.reloaded(match (rejected, applied) {
            (true, _) => Reload::Rejected,
            (false, true) => Reload::Applied,
            (false, false) => Reload::Unchanged,
        });
        true
    }

    /// Computes the table and publishes it. Whether it is a new one.
    fn publish(&mut self) -> bool {
        let began = Instant::now();
        self.parts
            .observer
            .know_clusters(self.clusters.keys().map(String::as_str));
        let scope = Scope {
            gateways: None,
            privileged_port_offset: PRIVILEGED_PORT_OFFSET,
            default_address: None,
            standalone: true,
            apart: false,
        };
        let outcome = pipeline::run(&self.cluster, &self.clusters, &self.rendered, &scope);
        let before = self.parts.live.load().generation;
        let generation = self.parts.live.publish(outcome.table);
        self.rendered = outcome.objects;
        self.problems = outcome.problems.into_iter().collect();
        self.table.set(true, format!("generation {generation}"));
        if generation != before {
            let live = self.parts.live.load();
            tracing::info!(
                generation,
                sockets = live.table.spec().sockets.len(),
                rules = live.rules.len(),
                problems = self.problems.len(),
                took = ?began.elapsed(),
                "a new table is in force"
            );
        }
        generation != before
    }

    /// Says what is wrong, everywhere. Whether there is a file that is not used.
    fn report(&self) -> bool {
        let mut files = self.ledger.reports();
        files.extend(self.directories.iter().cloned());
        let rejected = files.iter().any(|r| r.severity == Severity::Error);
        self.notes
            .set(files.iter().map(ToString::to_string).collect());
        self.status.set(Wrongs {
            files,
            problems: self.problems.clone(),
        });
        rejected
    }
}

/// The thread that looks again and again. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Thread {
    stop: Option<mpsc::Sender<()>>,
    handle: Option<JoinHandle<()>>,
}

impl Thread {
    /// Takes in all files, and watches them from then on. Returns when the first table is in force.
    ///
    /// The first table is made in the same thread as all others: an allocator with heaps of its own for each thread would
    /// take much longer to free the objects of another one, and not use their memory again.
    pub(super) fn start(mut keeper: Keeper) -> std::io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let (first, served) = mpsc::channel();
        let watch = move || {
            keeper.first();
            // The starter waits for it, unless it has gone.
            first.send(()).ok();
            let mut pause = LOOK_EVERY;
            while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                let began = Instant::now();
                let busy = keeper.again();
                // Only looking is rationed, not the work on what was seen.
                let looking = if busy {
                    Duration::ZERO
                } else {
                    began.elapsed()
                };
                pause = (looking * LOOK_SHARE).clamp(LOOK_EVERY, LOOK_AT_LEAST_EVERY);
            }
        };
        let handle = std::thread::Builder::new()
            .name("standalone".to_owned())
            .spawn(watch)?;
        let thread = Self {
            stop: Some(stop),
            handle: Some(handle),
        };
        served
            .recv()
            .map_err(|_gone| std::io::Error::other("the thread that reads the files panicked"))?;
        Ok(thread)
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        drop(self.stop.take());
        if self.handle.take().is_some_and(|h| h.join().is_err()) {
            tracing::error!("the thread that watches the files panicked");
        }
    }
}
