//! The one loop. Woken by a change of the cluster, of the peers or of what gateways serve, it waits for a moment of quiet,
//! decides anew about everything on a thread that may block, and applies what differs.
//!
//! Nothing is done by the clock, but for a comparison of everything once in a while in case something was missed, and
//! writes that failed. So a cluster in which nothing happens costs nothing.

mod wake;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use mcwan_k8s::operator::{Awaited, Change, Memory, World, decide, diff};
use mcwan_k8s::problem::Problem;
use mcwan_k8s::served::Served;
use mcwan_k8s::snapshot::ClusterSnapshot;
use mcwan_telemetry::readiness::Condition;
use mcwan_watch::View;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::apply::{Applier, Versions};
use crate::leader::Leadership;
use crate::metrics::Figures;
use crate::peers::Known;
use wake::Wake;

/// A round of writes makes way for news after this time, or twice the time that the decision took where that is longer: in
/// a large cluster under steady change most of the time goes into writing. What is left comes in the next round.
const ROUND: Duration = Duration::from_millis(500);
/// Pause after a decision that panicked: the same world would do it again.
const AFTER_PANIC: Duration = Duration::from_secs(30);

/// Problems that are known now, for those who show them.
pub type Problems = Arc<Mutex<Arc<Vec<Problem>>>>;

/// What the loop works with.
#[derive(Debug)]
pub struct Parts {
    /// The own cluster.
    pub view: View,
    /// The peers; None until what is in force of them is known.
    pub known: watch::Receiver<Option<Arc<Known>>>,
    /// What gateways serve.
    pub served: watch::Receiver<Arc<Vec<Served>>>,
    /// Who is to be asked for that.
    pub awaited: watch::Sender<Vec<Awaited>>,
    /// Whether this process may write.
    pub leadership: Leadership,
    /// Carries changes out.
    pub applier: Applier,
    /// What is counted.
    pub figures: Figures,
    /// Holds when the whole cluster has been seen.
    pub synced: Condition,
    /// What is wrong.
    pub problems: Problems,
}

/// The loop.
#[derive(Debug)]
pub struct Reconciler {
    parts: Parts,
    wake: Wake,
    memory: Memory,
    led: bool,
    not_before: Option<Instant>,
}

/// What a decision is made of; given to a thread that may block.
struct Input {
    snapshot: Arc<ClusterSnapshot>,
    known: Arc<Known>,
    served: Arc<Vec<Served>>,
    problems: Vec<Problem>,
    memory: Memory,
}

/// What came of it.
struct Output {
    changes: Vec<Change>,
    awaited: Vec<Awaited>,
    problems: Vec<Problem>,
    memory: Memory,
    took: Duration,
}

impl Reconciler {
    /// The loop over these parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self {
            wake: Wake::new(&parts),
            parts,
            memory: Memory::default(),
            led: false,
            not_before: None,
        }
    }

    /// Runs until `stop`. A round of writes is given up then: what is in flight may or may not be done.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            let pause = [self.parts.applier.next_due(), self.pause_of_panic()]
                .into_iter()
                .flatten()
                .min();
            let everything = tokio::select! {
                everything = self.wake.next(pause) => everything,
                () = stop.cancelled() => return,
            };
            if everything {
                self.memory.clear();
            }
            self.tell_sync();
            tokio::select! {
                () = self.round() => {}
                () = stop.cancelled() => return,
            }
        }
    }

    fn pause_of_panic(&self) -> Option<Duration> {
        self.not_before
            .map(|at| at.saturating_duration_since(Instant::now()))
    }

    fn tell_sync(&self) {
        let waiting: Vec<String> = self
            .parts
            .view
            .kinds()
            .iter()
            .filter(|kind| !kind.synced())
            .map(ToString::to_string)
            .collect();
        let (ok, text) = if self.parts.view.is_synced() {
            (true, String::new())
        } else {
            (false, format!("not yet listed: {}", waiting.join("; ")))
        };
        self.parts.synced.set(ok, text);
    }

    /// One decision and its writes.
    async fn round(&mut self) {
        let leads = self.parts.leadership.holds();
        if leads && !self.led {
            // Another one wrote since.
            self.memory.clear();
        }
        self.led = leads;
        if !leads || self.pause_of_panic().is_some_and(|pause| !pause.is_zero()) {
            return;
        }
        self.not_before = None;
        let Some(input) = self.input() else {
            return;
        };
        let Ok(output) = tokio::task::spawn_blocking(move || input.decide()).await else {
            tracing::error!("a decision panicked; this is a bug, please report it");
            self.not_before = Some(Instant::now() + AFTER_PANIC);
            return;
        };
        self.memory = output.memory;
        self.parts.figures.decided(output.took.as_secs_f64());
        self.tell(output.problems, output.awaited);
        if output.changes.is_empty() {
            return;
        }
        tracing::debug!(
            changes = output.changes.len(),
            took = ?output.took,
            "the cluster is not as it should be"
        );
        let versions = Versions::of(&self.parts.view.kinds());
        let end = Instant::now() + ROUND.max(2 * output.took);
        let wake = &self.wake;
        let enough = || Instant::now() > end && wake.has_news();
        let applier = &mut self.parts.applier;
        applier
            .carry_out(output.changes, &versions, &mut self.memory, enough)
            .await;
    }

    /// The world as it is now; None while a part of it is not known.
    fn input(&mut self) -> Option<Input> {
        let snapshot = self.parts.view.snapshot()?;
        let known = self.parts.known.borrow().clone()?;
        let mut problems = self.parts.applier.problems();
        problems.extend(self.parts.view.problems());
        problems.extend_from_slice(&known.problems);
        Some(Input {
            snapshot,
            known,
            served: Arc::clone(&self.parts.served.borrow()),
            problems,
            memory: std::mem::take(&mut self.memory),
        })
    }

    fn tell(&self, problems: Vec<Problem>, awaited: Vec<Awaited>) {
        self.parts.figures.problems(&problems);
        *self.parts.problems.lock() = Arc::new(problems);
        self.parts.awaited.send_if_modified(|known| {
            let news = *known != awaited;
            *known = awaited;
            news
        });
    }
}

impl Input {
    fn decide(mut self) -> Output {
        let began = std::time::Instant::now();
        let now = Timestamp::now();
        let world = World {
            snapshot: &self.snapshot,
            peers: &self.known.offers,
            copies: &self.known.copies,
            facts: &self.known.facts,
            served: &self.served,
            problems: &self.problems,
            now,
        };
        let decision = decide(&world);
        let changes = diff(&decision, &self.snapshot, &mut self.memory, now);
        Output {
            changes,
            awaited: decision.awaited,
            problems: decision.problems,
            memory: self.memory,
            took: began.elapsed(),
        }
    }
}
