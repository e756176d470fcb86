//! Carries changes out: bounded in number and rate, stage by stage, and again after failures with growing pauses.

pub mod backoff;
mod failure;
mod pace;
mod request;

use std::fmt;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream;
use jiff::Timestamp;
use kube::Client;
use mcwan_k8s::operator::{Change, Memory};
use mcwan_k8s::problem::{Problem, Severity};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

use crate::leader::Leadership;
use crate::metrics::Figures;
use backoff::Backoff;
use failure::Failure;
use pace::Pace;
pub use request::Versions;
use request::{Written, write};

/// Requests at a time.
const IN_FLIGHT: usize = 16;

/// Carries changes out.
pub struct Applier {
    client: Client,
    leadership: Leadership,
    figures: Figures,
    backoff: Backoff,
    pace: Mutex<Pace>,
}

impl fmt::Debug for Applier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Applier")
            .field("backoff", &self.backoff)
            .finish_non_exhaustive()
    }
}

/// What became of one change.
enum Outcome {
    Done(Written),
    Failed(Failure),
    /// It was not tried: something else comes first.
    Left,
}

impl Applier {
    /// Writes with this client, while it leads.
    #[must_use]
    pub fn new(client: Client, leadership: Leadership, figures: Figures) -> Self {
        Self {
            client,
            leadership,
            figures,
            backoff: Backoff::default(),
            pace: Mutex::new(Pace::new(Instant::now().into_std())),
        }
    }

    /// Carries out those changes that are not to wait after a failure, stage by stage. Ends early when this process does
    /// not lead any more, or when `enough` says so: what is left is in the next comparison.
    pub async fn carry_out(
        &mut self,
        changes: Vec<Change>,
        versions: &Versions,
        memory: &mut Memory,
        enough: impl Fn() -> bool,
    ) {
        let now = Instant::now().into_std();
        self.backoff.keep(&changes);
        let mut due: Vec<Change> = changes
            .into_iter()
            .filter(|c| self.backoff.is_due(c, now))
            .collect();
        while let Some(stage) = due.first().map(Change::stage) {
            let later = due.split_off(due.partition_point(|c| c.stage() == stage));
            let stage = std::mem::replace(&mut due, later);
            if !self.carry_out_stage(stage, versions, memory, &enough).await {
                break;
            }
        }
        self.figures.pending(self.backoff.len());
    }

    /// Whether to go on.
    async fn carry_out_stage(
        &mut self,
        changes: Vec<Change>,
        versions: &Versions,
        memory: &mut Memory,
        enough: &impl Fn() -> bool,
    ) -> bool {
        let this = &*self;
        let one = async |change: Change| {
            let outcome = this.carry_out_one(&change, versions, enough).await;
            (change, outcome)
        };
        let outcomes: Vec<(Change, Outcome)> = stream::iter(changes)
            .map(one)
            .buffer_unordered(IN_FLIGHT)
            .collect()
            .await;
        let mut go_on = true;
        for (change, outcome) in outcomes {
            match outcome {
                Outcome::Done(written) => self.done(&change, written, memory),
                Outcome::Failed(failure) => self.failed(&change, failure),
                Outcome::Left => go_on = false,
            }
        }
        go_on
    }

    async fn carry_out_one(
        &self,
        change: &Change,
        versions: &Versions,
        enough: &impl Fn() -> bool,
    ) -> Outcome {
        if enough() {
            return Outcome::Left;
        }
        let wait = self.pace.lock().take(Instant::now().into_std());
        if !wait.is_zero() {
            sleep(wait).await;
        }
        if !self.leadership.holds() {
            return Outcome::Left;
        }
        match write(&self.client, change, versions).await {
            Ok(written) => Outcome::Done(written),
            Err(failure) => Outcome::Failed(failure),
        }
    }

    fn done(&mut self, change: &Change, written: Written, memory: &mut Memory) {
        self.backoff.succeeded(change);
        let kind = change.object().kind.as_str();
        let now = Timestamp::now();
        let verb = match (change, written) {
            (Change::Apply(apply), Written::Version(version)) => {
                memory.applied(apply, version, now);
                "apply"
            }
            (Change::Delete(delete), _) => {
                memory.deleted(delete, now);
                "delete"
            }
            (Change::Status(status), _) => {
                memory.told(status, now);
                "status"
            }
            // Without a version in the answer it is compared again when it comes back through the watch.
            (Change::Apply(_), Written::Gone) => "apply",
        };
        tracing::debug!(object = %change.object(), verb, "written");
        self.figures.wrote(kind, verb);
    }

    fn failed(&mut self, change: &Change, failure: Failure) {
        let object = change.object();
        self.figures.failed(&object.kind, failure.reason.as_str());
        let failures =
            self.backoff
                .failed(change, failure, Instant::now().into_std(), fastrand::f64());
        if let Some((failure, number)) =
            failures.filter(|(f, n)| !f.is_ordinary() && n.is_power_of_two())
        {
            tracing::warn!(%object, failures = number, reason = failure.reason.as_str(), error = failure.message, "a write failed and is tried again");
        }
    }

    /// When the next write that failed is to be tried again.
    #[must_use]
    pub fn next_due(&self) -> Option<Duration> {
        let now = Instant::now().into_std();
        self.backoff
            .next_due()
            .map(|due| due.saturating_duration_since(now))
    }

    /// What cannot be written, and why; conflicts and the like are not worth a word.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let failing = self
            .backoff
            .failing()
            .filter(|(_, failure)| !failure.is_ordinary());
        failing
            .map(|(object, failure)| Problem {
                object: object.clone(),
                field: String::new(),
                condition: "Programmed".to_owned(),
                reason: "ApplyFailed".to_owned(),
                message: format!("the api server refused it: {}", failure.message),
                hint: failure.hint().to_owned(),
                severity: Severity::Error,
                parent: String::new(),
            })
            .collect()
    }
}
