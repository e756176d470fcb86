//! The whole program: watch, peers, leader, loop, admin server, signals.

use std::sync::Arc;

use anyhow::Context as _;
use kube::Client;
use mcwan_telemetry::admin::{self, Pages, Reply};
use mcwan_telemetry::metrics::Metrics;
use mcwan_telemetry::readiness::Readiness;
use mcwan_watch::{Selection, View, Watch};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::signals::Signals;
use super::{Args, client};
use crate::apply::Applier;
use crate::leader::{Candidate, Leadership};
use crate::metrics::Figures;
use crate::peers::{self, Pace, Peers};
use crate::reconcile::{Parts, Problems, Reconciler};
use crate::served;

/// Runs until a signal.
///
/// # Errors
/// When something cannot start.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    // Another provider may be there already when the program is embedded: it stays.
    let _already = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("controller")
        .enable_all()
        .build()
        .context("no runtime")?;
    let result = runtime.block_on(serve(args));
    // Nothing that is left has anything to lose.
    runtime.shutdown_background();
    result
}

/// What several parts use.
struct Shared {
    client: Client,
    metrics: Metrics,
    readiness: Readiness,
    figures: Figures,
    problems: Problems,
}

async fn serve(args: &Args) -> anyhow::Result<()> {
    let mut signals = Signals::take().context("cannot take over signals")?;
    let metrics = Metrics::new("mcwan-controller", env!("CARGO_PKG_VERSION"))?;
    let shared = Shared {
        client: client::client(args).await?,
        figures: Figures::new(&metrics)?,
        metrics,
        readiness: Readiness::default(),
        problems: Problems::default(),
    };
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    admin_server(args, &shared, &stop, &mut tasks).await?;
    let identity = args.identity(fastrand::u32(..));
    let (candidate, leadership) = Candidate::new(&shared.client, identity, shared.figures.clone());
    let watch = Watch::start(
        shared.client.clone(),
        args.cluster.clone(),
        &Selection::controller(),
    );
    watched(&shared.metrics, watch.view())?;
    start_loop(&shared, watch.view(), leadership, (&stop, &mut tasks))?;

    let resign = CancellationToken::new();
    let mut leading = JoinSet::new();
    leading.spawn(candidate.run(resign.clone()));
    let signal = signals.next().await;
    tracing::info!("{signal}: ending");
    // First nothing is written any more, then another may write.
    stop.cancel();
    while tasks.join_next().await.is_some() {}
    resign.cancel();
    tokio::select! {
        _ended = leading.join_next() => {}
        _signal = signals.next() => {}
    }
    Ok(())
}

/// Starts the loop and those who tell it about peers and gateways.
fn start_loop(
    shared: &Shared,
    view: &View,
    leadership: Leadership,
    (stop, tasks): (&CancellationToken, &mut JoinSet<()>),
) -> anyhow::Result<()> {
    let (awaited, whom) = watch::channel(Vec::new());
    let (answers, served) = watch::channel(Arc::default());
    tasks.spawn(served::ask(whom, answers, stop.clone()));
    let figures = peers::Figures::new(&shared.metrics)?;
    let peers = Peers::new(shared.client.clone(), figures, Pace::default());
    let known = peers.subscribe();
    tasks.spawn(peers.run(view.clone(), stop.clone()));
    let parts = Parts {
        view: view.clone(),
        known,
        served,
        awaited,
        applier: Applier::new(
            shared.client.clone(),
            leadership.clone(),
            shared.figures.clone(),
        ),
        leadership,
        figures: shared.figures.clone(),
        synced: shared.readiness.condition("watch"),
        problems: Arc::clone(&shared.problems),
    };
    tasks.spawn(Reconciler::new(parts).run(stop.clone()));
    Ok(())
}

async fn admin_server(
    args: &Args,
    shared: &Shared,
    stop: &CancellationToken,
    tasks: &mut JoinSet<()>,
) -> anyhow::Result<()> {
    let Some(address) = args.admin else {
        return Ok(());
    };
    let problems = Arc::clone(&shared.problems);
    let pages = Pages::new(shared.metrics.clone(), shared.readiness.clone()).page(
        "/debug/problems",
        move |_| {
            let known = Arc::clone(&problems.lock());
            Reply::json(&*known)
        },
    );
    let listener = admin::bind(address).await?;
    tasks.spawn(admin::serve(
        listener,
        pages,
        stop.clone().cancelled_owned(),
    ));
    Ok(())
}

/// How the watch of each kind does.
fn watched(metrics: &Metrics, view: &View) -> anyhow::Result<()> {
    let (synced, objects) = (view.clone(), view.clone());
    metrics.gauge(
        "mcwan_watch_current",
        "1 while the list and watch of the kind go well, 0 while what is known of it may be old.",
        &["group", "kind"],
        move |samples| {
            for state in synced.kinds() {
                let current = if state.is_current() { 1.0 } else { 0.0 };
                samples.add(&[&state.kind.group, &state.kind.kind], current);
            }
        },
    )?;
    metrics.gauge(
        "mcwan_watch_objects",
        "Objects that are known.",
        &["group", "kind"],
        move |samples| {
            for state in objects.kinds() {
                let number = u32::try_from(state.objects).map_or(f64::MAX, f64::from);
                samples.add(&[&state.kind.group, &state.kind.kind], number);
            }
        },
    )?;
    Ok(())
}
