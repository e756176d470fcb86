//! A running gateway: the data plane inside a Pingora server, in a thread of its own. Several may run in one process.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use parking_lot::Mutex;
use pingora_core::server::configuration::ServerConf;
use pingora_core::server::{
    ListenFds, RunArgs, Server, ShutdownSignal, ShutdownSignalWatch, ShutdownWatch,
};
use pingora_core::services::{ServiceReadyNotifier, ServiceWithDependents};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::listen::report::ListenReport;
use crate::listen::{Limits, Listeners};
use crate::live::LiveTable;
use crate::observe::Observer;
use crate::proxy::{Edge, MOST_ATTEMPTS, shared};
use crate::upstream::connector::UpstreamConnector;

/// Idle connections to plain HTTP/1 backends, per worker thread.
const IDLE_UPSTREAMS: usize = 512;
/// How often it is looked what left the table.
const SWEEP: Duration = Duration::from_secs(60);

/// How a gateway runs.
#[derive(Debug, Clone)]
pub struct Config {
    /// Worker threads, at least 1.
    pub threads: usize,
    /// Time that requests in flight get to finish at the end.
    pub drain: Duration,
    /// Bounds on what clients may hold.
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        let threads = std::thread::available_parallelism();
        Self {
            threads: threads.map_or(1, usize::from),
            drain: Duration::from_secs(30),
            limits: Limits::default(),
        }
    }
}

/// How a gateway ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// It still runs.
    Running,
    /// It stopped; this many connections had to be cut.
    Stopped {
        /// Connections that did not finish in time.
        cut: usize,
    },
    /// It could not start.
    Failed(String),
}

/// A running gateway. Dropping it stops it without waiting.
#[derive(Debug)]
pub struct Gateway {
    table: Arc<LiveTable>,
    report: ListenReport,
    stop: CancellationToken,
    end: watch::Receiver<End>,
    thread: Option<JoinHandle<()>>,
}

impl Gateway {
    /// Starts a gateway that serves `table`, as it is published, and reports requests to `observer`.
    ///
    /// # Errors
    /// When no thread can be had. What goes wrong later is in [`Gateway::end`].
    pub fn start(
        config: Config,
        table: Arc<LiveTable>,
        observer: Arc<Observer>,
    ) -> anyhow::Result<Self> {
        let stop = CancellationToken::new();
        let report = ListenReport::default();
        let (ended, end) = watch::channel(End::Running);
        let plane = DataPlane {
            config,
            table: Arc::clone(&table),
            observer,
            report: report.clone(),
            stop: stop.clone(),
            ended: Arc::new(ended),
        };
        let thread = std::thread::Builder::new()
            .name("gateway".to_owned())
            .spawn(move || plane.run());
        Ok(Self {
            table,
            report,
            stop,
            end,
            thread: Some(thread.context("no thread for the gateway")?),
        })
    }

    /// The table it serves.
    #[must_use]
    pub const fn table(&self) -> &Arc<LiveTable> {
        &self.table
    }

    /// What became of its sockets.
    #[must_use]
    pub const fn report(&self) -> &ListenReport {
        &self.report
    }

    /// Whether and how it ended; wakes when it does.
    #[must_use]
    pub fn end(&self) -> watch::Receiver<End> {
        self.end.clone()
    }

    /// Waits until all sockets of table generation `generation` or a later one are bound.
    ///
    /// # Errors
    /// When the gateway ends before.
    pub async fn listening(&self, generation: u64) -> anyhow::Result<()> {
        let mut sockets = self.report.subscribe();
        let mut end = self.end.clone();
        tokio::select! {
            bound = sockets.wait_for(|s| s.generation >= generation && s.all_listening()) => {
                bound.context("the gateway is gone")?;
                Ok(())
            }
            ended = end.wait_for(|end| *end != End::Running) => {
                anyhow::bail!("the gateway ended: {:?}", ended.map(|e| e.clone()))
            }
        }
    }

    /// Stops accepting, lets requests in flight finish within the drain time, and waits for the end.
    pub async fn stop(mut self) -> End {
        self.stop.cancel();
        let end = self.end.wait_for(|end| *end != End::Running).await;
        let end = end.map_or_else(
            |_| End::Failed("the gateway's thread ended".to_owned()),
            |end| end.clone(),
        );
        if let Some(thread) = self.thread.take() {
            let _panicked = tokio::task::spawn_blocking(move || thread.join()).await;
        }
        end
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Everything the gateway's thread needs.
struct DataPlane {
    config: Config,
    table: Arc<LiveTable>,
    observer: Arc<Observer>,
    report: ListenReport,
    stop: CancellationToken,
    ended: Arc<watch::Sender<End>>,
}

impl DataPlane {
    /// Runs the Pingora server until the end.
    fn run(self) {
        let conf = ServerConf {
            threads: self.config.threads,
            // One thread has nobody to steal from; the runtime for that is cheaper.
            work_stealing: self.config.threads > 1,
            // A request's own plan bounds its attempts; this only must not be less.
            max_retries: MOST_ATTEMPTS,
            // We drain ourselves: Pingora would sleep for 300 s, even when idle.
            grace_period_seconds: Some(0),
            graceful_shutdown_timeout_seconds: Some(1),
            upstream_keepalive_pool_size: IDLE_UPSTREAMS,
            ..ServerConf::default()
        };
        let mut server = Server::new_with_opt_and_conf(None, conf);
        server.bootstrap();
        let end = self.ended.subscribe();
        let conf = Arc::clone(&server.configuration);
        server.add_service(EdgeService {
            conf,
            plane: Mutex::new(Some(self)),
        });
        server.run(RunArgs {
            shutdown_signal: Box::new(Drained(end)),
        });
    }

    /// Serves until told to stop.
    async fn serve(&self, conf: &Arc<ServerConf>) -> anyhow::Result<usize> {
        let registry = self.table.registry();
        registry.start(&tokio::runtime::Handle::current());
        let copies = TaskTracker::new();
        let edge = Edge::new(
            Arc::clone(&self.table),
            Arc::clone(&self.observer),
            copies.clone(),
            self.config.limits.idle,
        )?;
        let connector = UpstreamConnector::new(Arc::clone(registry));
        let proxy = shared::build(conf, edge, connector).await?;
        let listeners = Listeners::new(
            Arc::clone(&self.table),
            &proxy,
            &self.observer,
            self.report.clone(),
            &self.config.limits,
        );
        let cut = tokio::select! {
            cut = listeners.run(self.stop.clone(), self.config.drain) => cut,
            () = self.forget_departed() => 0,
        };
        copies.close();
        registry.shutdown().await;
        Ok(cut)
    }
}

impl DataPlane {
    /// Keeps the metrics from growing for ever. Never ends.
    async fn forget_departed(&self) {
        let start = tokio::time::Instant::now();
        loop {
            tokio::time::sleep(SWEEP).await;
            self.observer
                .forget_departed(&self.table.load(), start.elapsed());
        }
    }
}

/// Pingora's shutdown signal: we have drained, there is nothing left to wait for.
struct Drained(watch::Receiver<End>);

#[async_trait]
impl ShutdownSignalWatch for Drained {
    async fn recv(&self) -> ShutdownSignal {
        let mut end = self.0.clone();
        let _ended = end.wait_for(|end| *end != End::Running).await;
        ShutdownSignal::FastShutdown
    }
}

/// The data plane as a Pingora service, which gives it its runtime.
struct EdgeService {
    conf: Arc<ServerConf>,
    plane: Mutex<Option<DataPlane>>,
}

#[async_trait]
impl ServiceWithDependents for EdgeService {
    async fn start_service(
        &mut self,
        _fds: Option<ListenFds>,
        _shutdown: ShutdownWatch,
        _listeners_per_fd: usize,
        ready: ServiceReadyNotifier,
    ) {
        ready.notify_ready();
        let Some(plane) = self.plane.get_mut().take() else {
            return;
        };
        let end = match plane.serve(&self.conf).await {
            Ok(cut) => End::Stopped { cut },
            Err(e) => End::Failed(format!("{e:#}")),
        };
        plane.ended.send_replace(end);
    }

    fn name(&self) -> &'static str {
        "edge"
    }
}
