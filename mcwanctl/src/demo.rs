//! `mcwanctl demo`: the four user stories on one machine, without Kubernetes and without root.
//!
//! Two `mcwan-gateway` processes play cluster-1 (exports `payment`) and cluster-2 (imports it); two relays play the
//! tunnels between them; two backends play the pods. What a story claims is read from independent evidence: the relays
//! count the bytes that went through each tunnel, and the gateways' access lines name the tunnel of each request.

mod addresses;
mod batch;
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
use tokio::signal::unix::{Signal, SignalKind, signal};

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
    let mut signals = Signals::new()?;
    let mut report = Report::new(args.output == CheckOutput::Text);
    let mut world = None;
    let played = tokio::select! {
        played = play(args, &mut report, &mut world) => played,
        () = signals.any() => Err(anyhow::anyhow!("interrupted; nothing is left behind")),
    };
    if let Some(world) = world {
        if args.keep && played.is_ok() {
            report.keep(&world)?;
            signals.any().await;
        }
        world.stop().await;
    }
    played
}

/// The signals that end a program.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for any of them.
    async fn any(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}

/// Builds the world in `slot`, so that the caller can take it down whatever happens here.
async fn play(
    args: &DemoArgs,
    report: &mut Report,
    slot: &mut Option<World>,
) -> anyhow::Result<bool> {
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
