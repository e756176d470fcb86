//! One connection to a peer: its outbox is watched, and its Lease looked at again and again.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, Client};
use mcwan_k8s::names::{LEASE, NAMESPACE};
use mcwan_k8s::peers::Outbox;
use mcwan_k8s::problem::Problem;
use mcwan_k8s::snapshot::ClusterSnapshot;
use mcwan_k8s::status::Answer;
use mcwan_watch::{Selection, View, Watch};
use tokio::task::JoinSet;

use super::Pace;
use super::ledger::Ledger;

/// How long the outbox may be unreadable, while the API server answers, before the peer counts as not connected.
const PATIENCE: Duration = Duration::from_secs(15);

/// A connection. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Session {
    _tasks: JoinSet<()>,
}

impl Session {
    pub(super) fn start(client: Client, cluster: String, pace: Pace, ledger: Arc<Ledger>) -> Self {
        let mut tasks = JoinSet::new();
        let watch = Watch::start(client.clone(), cluster.as_str(), &Selection::outbox());
        let lease = LeasePoll {
            leases: Api::namespaced(client, NAMESPACE),
            outbox: watch.view().clone(),
            cluster: cluster.clone(),
            pace,
            ledger: Arc::clone(&ledger),
        };
        tasks.spawn(lease.run());
        tasks.spawn(follow(watch, cluster, ledger));
        Self { _tasks: tasks }
    }
}

/// Passes on what is in the outbox, at first and after each change.
async fn follow(watch: Watch, cluster: String, ledger: Arc<Ledger>) {
    let mut changes = watch.subscribe();
    let mut last = None;
    loop {
        if let Some(outbox) = read(watch.view())
            && last.as_ref() != Some(&outbox)
        {
            ledger.peer(&cluster, |peer, now| peer.observe(&outbox, now));
            last = Some(outbox);
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// The outbox; `None` until both kinds were listed completely once.
fn read(view: &View) -> Option<Outbox> {
    // Deletions first: one that comes in between is missing here for a moment, and not the other way round.
    let deleted = view.deleted("PublishedService");
    let problems = view.problems();
    let snapshot = view.snapshot()?;
    let names = deleted
        .into_iter()
        .filter(|(namespace, _)| namespace == NAMESPACE);
    Some(Outbox {
        deleted: names.map(|(_, name)| name).collect(),
        ..contents(&snapshot, problems)
    })
}

fn contents(snapshot: &ClusterSnapshot, problems: Vec<Problem>) -> Outbox {
    let here =
        |(namespace, name): &(String, String)| (namespace == NAMESPACE).then(|| name.clone());
    let clusters = snapshot.published_clusters.iter();
    let services = snapshot.published_services.iter();
    let unreadable = problems
        .into_iter()
        .filter(|p| p.object.kind == "PublishedService");
    Outbox {
        clusters: clusters
            .filter_map(|(key, object)| Some((here(key)?, Arc::clone(object))))
            .collect(),
        services: services
            .filter_map(|(key, object)| Some((here(key)?, Arc::clone(object))))
            .collect(),
        unreadable: unreadable.map(|p| (p.object, p.message)).collect(),
        ..Outbox::default()
    }
}

/// Looks at the Lease of a peer's controller.
struct LeasePoll {
    leases: Api<Lease>,
    outbox: View,
    cluster: String,
    pace: Pace,
    ledger: Arc<Ledger>,
}

impl LeasePoll {
    async fn run(self) {
        loop {
            let hurry = self.look().await;
            let pause = if hurry {
                self.pace.hurry
            } else {
                self.pace.lease
            };
            // Peers that began together do not ask together.
            tokio::time::sleep(pause.mul_f64(0.9 + 0.2 * fastrand::f64())).await;
        }
    }

    /// Looks once. Whether to look again soon.
    async fn look(&self) -> bool {
        let answer = tokio::time::timeout(self.pace.answer, self.leases.get_opt(LEASE)).await;
        let read = match answer {
            Ok(Ok(lease)) => Ok(lease.and_then(|l| renewal(&l))),
            Ok(Err(error)) => Err(failure(&error)),
            Err(_elapsed) => {
                let message = format!("no answer within {:?}", self.pace.answer);
                Err(("Unreachable", message))
            }
        };
        let trouble = self.trouble();
        let mut hurry = true;
        self.ledger.peer(&self.cluster, |peer, now| {
            match &read {
                Ok(lease) => peer.lease(*lease, now),
                Err((reason, message)) => peer.lost(reason, message, now),
            }
            if let (Ok(_), Some(message)) = (&read, &trouble) {
                peer.lost("OutboxUnreadable", message, now);
            }
            hurry = peer.facts().synced.answer != Answer::True;
        });
        hurry
    }

    /// What has kept the outbox from being read for a while.
    fn trouble(&self) -> Option<String> {
        let kinds = self.outbox.kinds().into_iter();
        let lasting = kinds.filter(|kind| {
            let since = kind.trouble.as_ref().map(|t| t.since);
            let lasted = since.and_then(|s| SystemTime::now().duration_since(s).ok());
            lasted.is_some_and(|lasted| lasted >= PATIENCE)
        });
        lasting.map(|kind| kind.to_string()).next()
    }
}

/// When a Lease was renewed, and for how long that counts; `None` if nobody holds it.
fn renewal(lease: &Lease) -> Option<(Timestamp, Duration)> {
    let spec = lease.spec.as_ref()?;
    let holder = spec.holder_identity.as_deref().unwrap_or_default();
    let renewed = spec.renew_time.as_ref().filter(|_| !holder.is_empty())?;
    let seconds = spec.lease_duration_seconds.unwrap_or_default();
    // A peer does not get to say that it needs no renewal for a year.
    let seconds = u64::try_from(seconds).unwrap_or_default().min(300);
    Some((renewed.0, Duration::from_secs(seconds)))
}

/// Reason and message.
fn failure(error: &kube::Error) -> (&'static str, String) {
    let kube::Error::Api(status) = error else {
        return ("Unreachable", chain(error));
    };
    let reason = match status.code {
        401 => "Unauthorized",
        403 => "Forbidden",
        _ => "Refused",
    };
    (
        reason,
        format!(
            "the api server answers {}: {}",
            status.code,
            short(&status.message)
        ),
    )
}

/// An error with its causes: the outermost alone says little.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |e| e.source()).skip(1);
    let texts = causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
    short(&texts)
}

/// For people to read, and of bounded length: a peer wrote it.
fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}
