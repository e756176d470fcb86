//! Which of several controllers writes: the one that holds the Lease `mcwan-controller` in namespace `mc-wan`.
//!
//! The Lease is renewed every 5 seconds, which also tells the peers that somebody looks after the outbox. A controller that
//! could not renew it for 10 seconds stops writing; another takes it when it has not changed for 15 seconds by its own
//! clock, so the clocks of two machines are never compared. At the end it is given back, and the next takes it at once.

mod lease;

use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client, Error};
use mcwan_k8s::names::{LEASE, MANAGED_BY, NAMESPACE};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::metrics::Figures;
use lease::Observed;

/// Between two renewals.
const RENEW: Duration = Duration::from_secs(5);
/// Between two looks of one that does not lead, and after a failure.
const LOOK: Duration = Duration::from_secs(1);
/// A leader writes for this long after the beginning of its last renewal; less than the Lease's duration.
const TERM: Duration = Duration::from_secs(10);
/// Longest time for one request.
const REQUEST: Duration = Duration::from_secs(3);

/// Whether this process may write. Cheap to clone: all clones are one.
#[derive(Debug, Clone)]
pub struct Leadership {
    until: watch::Receiver<Option<Instant>>,
}

impl Leadership {
    /// Whether it may write now.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.until
            .borrow()
            .is_some_and(|until| Instant::now() < until)
    }

    /// Waits until this process begins to lead. Returns at once when it leads.
    pub async fn held(&mut self) {
        let led = |until: &Option<Instant>| until.is_some_and(|u| Instant::now() < u);
        if self.until.wait_for(led).await.is_err() {
            // Nobody will ever lead again: the process is about to end.
            std::future::pending::<()>().await;
        }
    }
}

/// One that may lead.
#[derive(Debug)]
pub struct Candidate {
    leases: Api<Lease>,
    namespaces: Api<Namespace>,
    identity: String,
    figures: Figures,
    until: watch::Sender<Option<Instant>>,
    /// The Lease as this process wrote it last.
    held: Option<Lease>,
    observed: Option<Observed>,
}

impl Candidate {
    /// A candidate of this name, which must be its own.
    #[must_use]
    pub fn new(client: &Client, identity: String, figures: Figures) -> (Self, Leadership) {
        let (sender, until) = watch::channel(None);
        let candidate = Self {
            leases: Api::namespaced(client.clone(), NAMESPACE),
            namespaces: Api::all(client.clone()),
            identity,
            figures,
            until: sender,
            held: None,
            observed: None,
        };
        (candidate, Leadership { until })
    }

    /// Takes and renews the Lease until `stop`, then gives it back. Nothing may be written after `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let pause = self.turn().await;
            tokio::select! {
                () = sleep(pause) => {}
                () = stop.cancelled() => {}
            }
        }
        self.until.send_replace(None);
        self.figures.lead(false);
        if let Some(lease) = self.held.take() {
            let given = timeout(REQUEST, self.write(lease::released(lease))).await;
            tracing::info!(done = matches!(given, Ok(Ok(_))), "the lease is given back");
        }
    }

    /// One try. Returns the time until the next.
    async fn turn(&mut self) -> Duration {
        let began = Instant::now();
        let tried = timeout(REQUEST, self.try_to_lead()).await;
        let led = tried.map_err(anyhow::Error::from).and_then(|result| result);
        let was = self.until.borrow().is_some();
        match led {
            Ok(true) => {
                self.until.send_replace(Some(began + TERM));
                if !was {
                    tracing::info!(identity = self.identity, "leading");
                }
                self.figures.lead(true);
                return RENEW;
            }
            Ok(false) => self.lost(was, "another controller leads"),
            Err(error) => {
                // It may have been written all the same: look before the next write.
                self.held = None;
                tracing::debug!(error = %format!("{error:#}"), "the lease could not be renewed");
                let expired = self
                    .until
                    .borrow()
                    .is_some_and(|until| until <= Instant::now());
                if expired {
                    self.lost(was, "the lease could not be renewed in time");
                }
            }
        }
        LOOK
    }

    fn lost(&self, was: bool, reason: &str) {
        self.until.send_replace(None);
        self.figures.lead(false);
        if was {
            tracing::warn!(reason, "not leading any more: nothing is written");
        }
    }

    /// Whether the Lease is this process's.
    async fn try_to_lead(&mut self) -> anyhow::Result<bool> {
        let now = Timestamp::now();
        if let Some(lease) = self.held.take() {
            let renewed = lease::held_by(lease, &self.identity, now);
            self.held = Some(self.write(renewed).await.context("renewing")?);
            return Ok(true);
        }
        let Some(lease) = self.leases.get_opt(LEASE).await.context("looking")? else {
            return self.create(now).await;
        };
        let version = lease.metadata.resource_version.clone().unwrap_or_default();
        let unchanged = Observed::update(&mut self.observed, version, Instant::now().into_std());
        if !lease::is_free(&lease, &self.identity, unchanged) {
            return Ok(false);
        }
        let taken = self.write(lease::held_by(lease, &self.identity, now)).await;
        self.keep(taken)
    }

    async fn create(&mut self, now: Timestamp) -> anyhow::Result<bool> {
        let metadata = ObjectMeta {
            name: Some(LEASE.to_owned()),
            namespace: Some(NAMESPACE.to_owned()),
            ..ObjectMeta::default()
        };
        let empty = Lease {
            metadata,
            spec: None,
        };
        let lease = lease::held_by(empty, &self.identity, now);
        let mut created = self.leases.create(&PostParams::default(), &lease).await;
        if matches!(&created, Err(Error::Api(status)) if status.is_not_found()) {
            self.create_namespace().await?;
            created = self.leases.create(&PostParams::default(), &lease).await;
        }
        self.keep(created)
    }

    /// Another one that was faster is no error.
    fn keep(&mut self, written: Result<Lease, Error>) -> anyhow::Result<bool> {
        match written {
            Ok(lease) => {
                self.held = Some(lease);
                Ok(true)
            }
            Err(Error::Api(status)) if status.is_conflict() || status.is_already_exists() => {
                Ok(false)
            }
            Err(error) => Err(error).context("taking"),
        }
    }

    async fn create_namespace(&self) -> anyhow::Result<()> {
        let (key, value) = MANAGED_BY;
        let mut namespace = Namespace::default();
        namespace.metadata.name = Some(NAMESPACE.to_owned());
        let labels = namespace.metadata.labels.get_or_insert_default();
        labels.insert(key.to_owned(), value.to_owned());
        match self
            .namespaces
            .create(&PostParams::default(), &namespace)
            .await
        {
            Ok(_) => {
                self.figures.wrote("Namespace", "create");
                Ok(())
            }
            Err(Error::Api(status)) if status.is_already_exists() => Ok(()),
            Err(error) => Err(error).context("creating the namespace"),
        }
    }

    /// Writes the Lease over the version that was read.
    async fn write(&self, lease: Lease) -> Result<Lease, Error> {
        self.leases
            .replace(LEASE, &PostParams::default(), &lease)
            .await
    }
}
