//! `mcwanctl demo`: the four user stories on one machine, without Kubernetes and without root.
//!
//! Two `mcwan-gateway` processes play cluster-1 (exports `payment`) and cluster-2 (imports it); two relays play the
//! tunnels between them; two backends play the pods. What a story claims is read from independent evidence: the relays
//! count the bytes that went through each tunnel, and the gateways' access lines name the tunnel of each request.

mod addresses;
mod evidence;
mod failover;
mod manifests;
mod process;
mod report;
mod stories;
mod timeline;
mod world;

use std::path::PathBuf;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

use crate::args::{CheckOutput, DemoArgs};
use report::{Report, Story};
use world::World;

/// Plays the stories; true when all of them passed.
///
/// # Errors
/// When the gateways cannot be started.
pub(crate) fn run(args: &DemoArgs) -> anyhow::Result<bool> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(interruptible(args))
}

/// Plays until a signal. Whatever ends it, dropping the world ends the processes and removes the files.
async fn interruptible(args: &DemoArgs) -> anyhow::Result<bool> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut world = None;
    let played = tokio::select! {
        played = play(args, &mut world) => Some(played),
        _ = interrupt.recv() => None,
        _ = terminate.recv() => None,
        _ = hangup.recv() => None,
    };
    if let Some(world) = world {
        world.stop().await;
    }
    played.unwrap_or_else(|| anyhow::bail!("interrupted; nothing is left behind"))
}

/// Builds the world in `slot`, so that the caller can take it down whatever happens here.
async fn play(args: &DemoArgs, slot: &mut Option<World>) -> anyhow::Result<bool> {
    let mut report = Report::new(args.output == CheckOutput::Text);
    report.begin()?;
    let world = slot.insert(World::start(&gateway_program(args)?).await?);
    report.world(world)?;
    let mut passed = Vec::new();
    for number in 1..=4 {
        report.announce(number)?;
        let told = match number {
            1 => stories::whole_service(world).await,
            2 => stories::by_request(world).await,
            3 => failover::story(world).await,
            _ => stories::trace(world).await,
        };
        let story = told.unwrap_or_else(|e| Story::broken(number, &e, world));
        report.story(&story)?;
        passed.push(story.passed());
    }
    report.end()?;
    if args.keep {
        report.keep(world)?;
        std::future::pending::<()>().await;
    }
    Ok(passed.iter().all(|p| *p))
}

/// The gateway program: the one that was named, or the one beside this program.
fn gateway_program(args: &DemoArgs) -> anyhow::Result<PathBuf> {
    let path = match &args.gateway {
        Some(path) => path.clone(),
        None => std::env::current_exe()
            .context("cannot find this program")?
            .with_file_name("mcwan-gateway"),
    };
    anyhow::ensure!(
        path.is_file(),
        "no gateway program at {}; build it with `cargo build -p mcwan-gateway`, or name it with --gateway PATH",
        path.display()
    );
    Ok(path)
}
