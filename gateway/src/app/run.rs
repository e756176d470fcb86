//! The whole program: source of objects, gateway, admin server, signals.

use std::future::Future;
use std::sync::Arc;

use anyhow::Context as _;
use mcwan_telemetry::admin::{self, Pages};
use mcwan_telemetry::metrics::Metrics;
use mcwan_telemetry::readiness::{Condition, Readiness};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::administer::administer;
use super::signals::Signals;
use super::source::Source;
use super::{Args, Config, End, Gateway};
use crate::backends::Registry;
use crate::cluster::Parts;
use crate::listen::report::ListenReport;
use crate::live::LiveTable;
use crate::observe::access_log::{AccessLog, Sink};
use crate::observe::sampled::{self, SocketReport, Sockets};
use crate::observe::{Observer, debug};

/// How the program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// In order: requests finished, or had their time.
    Clean,
    /// By a second signal.
    Hurried,
}

/// Runs until a signal.
///
/// # Errors
/// When something cannot start.
pub(super) fn run(args: &Args) -> anyhow::Result<Verdict> {
    // Another provider may be there already when the program is embedded: it stays.
    let _already = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("admin")
        .enable_all()
        .build()
        .context("no runtime")?;
    let verdict = runtime.block_on(serve(args));
    // Nothing that is left has anything to lose.
    runtime.shutdown_background();
    verdict
}

async fn serve(args: &Args) -> anyhow::Result<Verdict> {
    let mut signals = Signals::take().context("cannot take over signals")?;
    let metrics = Metrics::new("mcwan-gateway", env!("CARGO_PKG_VERSION"))?;
    let readiness = Readiness::default();
    let serving = readiness.condition("serving");
    let name = args.cluster.as_deref().unwrap_or("unknown");
    let log = access_log(args.access_log.as_ref())?;
    let observer = Arc::new(Observer::new(name, log, &metrics)?);
    let table = Arc::new(LiveTable::new(Arc::new(Registry::default())));

    let gateway = Gateway::start(config(args), Arc::clone(&table), Arc::clone(&observer))?;
    let parts = Parts {
        live: Arc::clone(&table),
        observer,
        readiness: readiness.clone(),
        metrics: metrics.clone(),
        report: gateway.report().clone(),
    };
    let source = Source::start(args, parts).await?;
    let sockets = sockets(&table, gateway.report());
    sampled::register(&metrics, &table, &sockets)?;
    let pages = Pages::new(metrics, readiness.clone());
    let pages = source.pages(debug::pages(pages, &table, &sockets, source.status()));

    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    match (args.admin, source.home()) {
        (Some(address), _) => {
            let listener = admin::bind(address).await?;
            let stopped = stop.clone().cancelled_owned();
            tasks.spawn(admin::serve(listener, pages, stopped));
        }
        (None, Some(home)) => {
            let stopped = stop.clone();
            tasks.spawn(async move {
                let _stopped = stopped.run_until_cancelled(administer(home, pages)).await;
            });
        }
        (None, None) => {}
    }
    tasks.spawn(tell_sockets(
        gateway.report(),
        readiness.condition("sockets"),
    ));
    serving.set(true, "");
    let verdict = until_signal(&mut signals, gateway, &serving).await;
    stop.cancel();
    tasks.shutdown().await;
    verdict
}

/// Waits for a signal, then drains; a second signal ends the wait.
async fn until_signal(
    signals: &mut Signals,
    gateway: Gateway,
    serving: &Condition,
) -> anyhow::Result<Verdict> {
    let mut end = gateway.end();
    tokio::select! {
        signal = signals.next() => tracing::info!("{signal}: no new connections; requests in flight may finish"),
        _ = end.wait_for(|end| *end != End::Running) => {}
    }
    serving.set(false, "shutting down");
    let ended = tokio::select! {
        ended = gateway.stop() => ended,
        signal = signals.next() => {
            tracing::warn!("{signal} again: ending at once");
            return Ok(Verdict::Hurried);
        }
    };
    match ended {
        End::Stopped { cut: 0 } => Ok(Verdict::Clean),
        End::Stopped { cut } => {
            tracing::warn!("{cut} connections did not finish in time and were cut");
            Ok(Verdict::Clean)
        }
        End::Failed(reason) => anyhow::bail!(reason),
        End::Running => anyhow::bail!("the gateway's thread ended"),
    }
}

fn config(args: &Args) -> Config {
    let default = Config::default();
    Config {
        threads: args.threads.map_or(default.threads, usize::from),
        drain: args.drain(),
        ..default
    }
}

fn access_log(sink: Option<&Sink>) -> anyhow::Result<Option<AccessLog>> {
    let Some(sink) = sink else {
        return Ok(None);
    };
    let log = AccessLog::open(sink.clone())
        .with_context(|| format!("cannot open the access log {sink:?}"))?;
    Ok(Some(log))
}

/// The sockets of the table in force, for metrics and `/debug/table`.
fn sockets(table: &Arc<LiveTable>, report: &ListenReport) -> Sockets {
    let (table, report) = (Arc::clone(table), report.clone());
    Arc::new(move || {
        let state = report.sockets();
        let live = table.load();
        let one = |spec: &mcwan_routing::spec::SocketSpec| {
            let error = state.error(spec.socket);
            SocketReport {
                socket: spec.socket,
                role: spec.role,
                bound: error.is_none(),
                error: error.unwrap_or_default(),
                connections: report.connections(spec.socket),
            }
        };
        live.table.spec().sockets.iter().map(one).collect()
    })
}

/// Keeps the condition `sockets`: ready means that every socket is bound.
fn tell_sockets(
    report: &ListenReport,
    condition: Condition,
) -> impl Future<Output = ()> + Send + use<> {
    let mut changes = report.subscribe();
    async move {
        loop {
            let sockets = changes.borrow_and_update().clone();
            if sockets.all_listening() {
                condition.set(true, format!("{} bound", sockets.states.len()));
            } else if sockets.generation == 0 {
                condition.set(false, "no table yet");
            } else {
                condition.set(false, sockets.failures().join("; "));
            }
            if changes.changed().await.is_err() {
                return;
            }
        }
    }
}
