//! From the Secret of a peer to a connection, and to the next one when the Secret changes.

use std::sync::Arc;

use kube::Client;
use mcwan_k8s::peers::Credentials;
use mcwan_k8s::snapshot::ClusterSnapshot;
use mcwan_watch::{Selection, View, Watch};

use super::Pace;
use super::kubeconfig::{self, Refused};
use super::ledger::Ledger;
use super::session::Session;

/// Reads one peer for as long as it runs.
pub(super) struct Puller {
    pub(super) cluster: String,
    pub(super) credentials: Credentials,
    /// Of the own cluster.
    pub(super) client: Client,
    pub(super) pace: Pace,
    pub(super) ledger: Arc<Ledger>,
}

/// What the Secret says, as far as it can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Said {
    /// Not known: the own API server has not answered yet.
    Nothing,
    /// There is no such Secret, or no such key in it.
    Missing(&'static str),
    /// A kubeconfig, good or bad.
    Kubeconfig(Vec<u8>),
}

impl Puller {
    /// Never ends; it is aborted.
    pub(super) async fn run(self) {
        let Credentials {
            namespace, name, ..
        } = &self.credentials;
        let secret = Watch::start(self.client.clone(), "", &Selection::secret(namespace, name));
        let mut changes = secret.subscribe();
        let mut said = Said::Nothing;
        let mut session = None;
        loop {
            let now = self.look(secret.view());
            // What cannot be told changes nothing: an own API server that is away does not end a connection to a peer.
            if now != Said::Nothing && now != said {
                drop(session.take());
                session = self.connect(&now).await;
                said = now;
            } else if said == Said::Nothing {
                self.trouble(secret.view());
            }
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    fn look(&self, secret: &View) -> Said {
        let Some(snapshot) = secret.snapshot() else {
            return Said::Nothing;
        };
        self.read(&snapshot)
    }

    fn read(&self, snapshot: &ClusterSnapshot) -> Said {
        let Credentials {
            namespace,
            name,
            key,
        } = &self.credentials;
        let Some(secret) = snapshot.secrets.get(&(namespace.clone(), name.clone())) else {
            return Said::Missing("Secret");
        };
        let data = secret.data.as_ref().and_then(|data| data.get(key));
        data.map_or(Said::Missing("key"), |bytes| {
            Said::Kubeconfig(bytes.0.clone())
        })
    }

    async fn connect(&self, said: &Said) -> Option<Session> {
        let text = match said {
            Said::Nothing => return None,
            Said::Missing(what) => {
                self.missing(what);
                return None;
            }
            Said::Kubeconfig(text) => text,
        };
        match kubeconfig::client(text, self.pace).await {
            Ok(client) => {
                tracing::info!(cluster = self.cluster, "connecting to the peer");
                self.ledger.peer(&self.cluster, |peer, _| peer.usable());
                let (ledger, cluster) = (Arc::clone(&self.ledger), self.cluster.clone());
                Some(Session::start(client, cluster, self.pace, ledger))
            }
            Err(Refused { message, hint }) => {
                tracing::warn!(
                    cluster = self.cluster,
                    "{message}; what is known of the peer stays in force"
                );
                self.ledger.peer(&self.cluster, |peer, now| {
                    peer.unusable("InvalidKubeconfig", &message, hint, now);
                });
                None
            }
        }
    }

    fn missing(&self, what: &str) {
        let Credentials {
            namespace,
            name,
            key,
        } = &self.credentials;
        let message = if what == "key" {
            format!("Secret {namespace}/{name} has no key {key}")
        } else {
            format!("there is no Secret {namespace}/{name}")
        };
        let hint =
            "put a kubeconfig there that may read the peer's outbox, or let `mcwanctl link` do so";
        self.ledger.peer(&self.cluster, |peer, now| {
            peer.unusable("SecretNotFound", &message, hint, now);
        });
    }

    /// Says what keeps the Secret from being read at all.
    fn trouble(&self, secret: &View) {
        let trouble = secret.kinds().into_iter().find_map(|kind| kind.trouble);
        let Some(trouble) = trouble else { return };
        let Credentials {
            namespace, name, ..
        } = &self.credentials;
        let message = format!(
            "Secret {namespace}/{name} cannot be read: {}",
            trouble.message
        );
        self.ledger.peer(&self.cluster, |peer, now| {
            peer.lost("SecretUnreadable", &message, now);
        });
    }
}
