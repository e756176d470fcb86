//! What is known of the peers: their outboxes are read with the kubeconfigs that the `ClusterPeer`s name, and
//! [`mcwan_k8s::peers`] decides what that means.
//!
//! [`Peers`] owns a task for each peer; one peer's failure is its own. Nothing here ever waits for a peer: what is in force is
//! always there to be taken ([`Peers::subscribe`]), at first out of the last-known copies in the own cluster.
//!
//! * `kubeconfig` — what a kubeconfig of a peer may say. `puller` — from the Secret to a connection, and to the next one when
//!   the Secret changes. `session` — one connection: the outbox and the Lease. `ledger` — what was read, and what follows.

mod figures;
mod kubeconfig;
mod ledger;
mod puller;
mod session;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use mcwan_k8s::object::Object;
use mcwan_k8s::offer::PeerOffer;
use mcwan_k8s::peers::Credentials;
use mcwan_k8s::problem::Problem;
use mcwan_k8s::snapshot::ClusterSnapshot;
use mcwan_k8s::status::PeerFacts;
use mcwan_watch::View;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;

pub use figures::Figures;
use ledger::Ledger;
use puller::Puller;

/// What is known of all peers at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// What is in force of each peer.
    pub offers: Arc<[PeerOffer]>,
    /// Last-known copies, to be kept in the own cluster.
    pub copies: Arc<[Object]>,
    /// For the statuses of the `ClusterPeer`s.
    pub facts: Vec<PeerFacts>,
    /// What is wrong with peers, their credentials and their payloads.
    pub problems: Vec<Problem>,
}

impl Default for Known {
    fn default() -> Self {
        Self {
            offers: Arc::from([]),
            copies: Arc::from([]),
            facts: Vec::new(),
            problems: Vec::new(),
        }
    }
}

/// How often a peer is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Between two looks at a peer's Lease.
    pub lease: Duration,
    /// The same, until it was seen to be renewed, and after a failure.
    pub hurry: Duration,
    /// How long an answer may take.
    pub answer: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(10),
            hurry: Duration::from_secs(3),
            answer: Duration::from_secs(5),
        }
    }
}

/// The peers of a cluster. Dropping it ends all connections to them.
pub struct Peers {
    client: Client,
    pace: Pace,
    ledger: Arc<Ledger>,
    pullers: Mutex<Pullers>,
}

/// The running tasks, one for each peer with credentials.
#[derive(Debug, Default)]
struct Pullers {
    running: BTreeMap<String, (Credentials, AbortHandle)>,
    tasks: JoinSet<()>,
}

impl fmt::Debug for Peers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peers")
            .field("pace", &self.pace)
            .field("ledger", &self.ledger)
            .finish_non_exhaustive()
    }
}

impl Peers {
    /// No peers yet. `client` is that of the own cluster, which has the kubeconfigs.
    #[must_use]
    pub fn new(client: Client, figures: Figures, pace: Pace) -> Self {
        Self {
            client,
            pace,
            ledger: Arc::new(Ledger::new(figures)),
            pullers: Mutex::default(),
        }
    }

    /// What is known, and a wake-up at each change that matters. `None` until the own cluster was seen once: before, what
    /// was kept of the peers is not known either, and nothing may be decided.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Option<Arc<Known>>> {
        self.ledger.subscribe()
    }

    /// Follows the peers that the own cluster names, until `stop`.
    pub async fn run(self, own: View, stop: CancellationToken) {
        let mut changes = own.subscribe();
        loop {
            if let Some(snapshot) = own.snapshot() {
                self.update(&snapshot);
            }
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return },
                () = stop.cancelled() => return,
            }
        }
    }

    /// Takes the `ClusterPeer`s of a snapshot of the own cluster.
    fn update(&self, snapshot: &ClusterSnapshot) {
        let wanted = self.ledger.change(|roster, now| {
            roster.update(snapshot, now);
            let named = roster.followed();
            let wanted = named.filter_map(|(id, c)| Some((id.to_owned(), c?.clone())));
            wanted.collect::<BTreeMap<String, Credentials>>()
        });
        let mut pullers = self.pullers.lock();
        let Pullers { running, tasks } = &mut *pullers;
        running.retain(|id, (credentials, task)| {
            let stays = wanted.get(id) == Some(credentials) && !task.is_finished();
            if !stays {
                task.abort();
            }
            stays
        });
        for (id, credentials) in wanted {
            running.entry(id).or_insert_with_key(|id| {
                let puller = Puller {
                    cluster: id.clone(),
                    credentials: credentials.clone(),
                    client: self.client.clone(),
                    pace: self.pace,
                    ledger: Arc::clone(&self.ledger),
                };
                (credentials, tasks.spawn(puller.run()))
            });
        }
        while tasks.try_join_next().is_some() {}
    }
}
