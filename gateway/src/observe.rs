//! Access log, metrics, trace context and debug pages.
//!
//! * [`trace`] — trace context in and out.
//! * [`outcome`] — how a request ended, as a closed set of words.
//! * [`metrics`], [`series`] — what is counted, and the handles that make counting cheap.
//! * [`access_log`], [`json`] — one JSON line a request.
//! * [`sampled`] — what `/metrics` asks for at each scrape.
//! * [`debug`] — `/debug/table` and `/debug/tunnels`.
//!
//! No metric label ever carries a string that a client chose.

pub mod access_log;
pub mod debug;
mod departed;
#[cfg(test)]
mod fixture;
pub mod json;
mod line;
pub mod metrics;
pub mod outcome;
pub mod sampled;
pub mod series;
pub mod trace;

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use mcwan_routing::failure::Failure;
use mcwan_routing::plan::Candidate;
use mcwan_routing::rule::RuleName;
use mcwan_routing::spec::{Role, WanClass};

use crate::backends::Backend;
use crate::live::{LinkedRule, Live};
use access_log::AccessLog;
use departed::Present;
use metrics::RequestMetrics;
use outcome::Outcome;
use trace::{RequestId, TraceContext};

/// A finished request, as the access log and the metrics need it.
#[derive(Debug)]
pub struct Completed<'a> {
    /// When its header had been read.
    pub start: SystemTime,
    /// Until the last byte was written.
    pub duration: Duration,
    /// Role of the socket it came in on.
    pub role: Role,
    /// Method; empty when no request could be read.
    pub method: &'a str,
    /// Host as the client sent it.
    pub authority: &'a [u8],
    /// Path and query as the client sent them.
    pub path: &'a [u8],
    /// `HTTP/1.1` or `HTTP/2`.
    pub protocol: &'static str,
    /// `User-Agent`; empty without one.
    pub user_agent: &'a [u8],
    /// Client.
    pub downstream: Option<SocketAddr>,
    /// Our side of the client's connection; its port is the policy's on the ingress.
    pub local: Option<SocketAddr>,
    /// The WAN policy of the listener, on the ingress.
    pub wan: Option<&'a WanClass>,
    /// Cluster that the request came from: the peer's on the ingress; None elsewhere (then it is our own).
    pub source_cluster: Option<&'a str>,
    /// Trace and span.
    pub trace: &'a TraceContext,
    /// `x-request-id`.
    pub request_id: &'a RequestId,
    /// Status sent; 0 when the client went away before it.
    pub status: u16,
    /// Body bytes from the client.
    pub bytes_received: u64,
    /// Body bytes to the client.
    pub bytes_sent: u64,
    /// The rule that chose the backends, where one was found.
    pub rule: Option<&'a LinkedRule>,
    /// Name of the rule that took the request: another one where that leads to an imported service.
    pub route: Option<&'a RuleName>,
    /// Attempts in order.
    pub attempts: &'a [Attempt],
    /// Why the gateway answered itself; None when a backend (or a redirect) answered.
    pub failure: Option<Failure>,
}

/// One attempt of a request.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Which choice of the rule.
    pub candidate: Candidate,
    /// Its backend: says cluster, policy and transport class.
    pub backend: Arc<Backend>,
    /// Where to; None when the backend had no endpoint to choose.
    pub address: Option<SocketAddr>,
    /// Time from start to outcome.
    pub duration: Duration,
    /// Status of the response, 0 without one.
    pub status: u16,
    /// Why the attempt ended without an answer that was passed on, in a few fixed words (`connect`, `reset`, `timeout`,
    /// `retry_status` …); empty when it answered. It becomes a metric label.
    pub reason: &'static str,
}

/// Where requests leave their trace: the access log and the request metrics.
#[derive(Debug)]
pub struct Observer {
    log: Option<AccessLog>,
    metrics: RequestMetrics,
    cluster: Arc<str>,
    /// A better name for our own cluster, learnt later.
    named: OnceLock<Arc<str>>,
}

impl Observer {
    /// `cluster` is our own; `log` None writes no access log.
    ///
    /// # Errors
    /// When the metrics are registered already.
    pub fn new(
        cluster: &str,
        log: Option<AccessLog>,
        metrics: &mcwan_telemetry::metrics::Metrics,
    ) -> prometheus::Result<Self> {
        if let Some(log) = &log {
            log.register(metrics)?;
        }
        Ok(Self {
            log,
            metrics: RequestMetrics::new(cluster, metrics.registry())?,
            cluster: Arc::from(cluster),
            named: OnceLock::new(),
        })
    }

    /// Our own cluster.
    #[must_use]
    pub fn cluster(&self) -> &str {
        self.named.get().unwrap_or(&self.cluster)
    }

    /// Names our own cluster, where that is not known at the start. Only the first call counts, and it must come before
    /// the first table: nothing that was counted or sent before is renamed.
    pub fn name_cluster(&self, cluster: &str) {
        if self.named.set(Arc::from(cluster)).is_ok() {
            self.metrics.name_own(cluster);
        }
    }

    /// Says which clusters there are: any other source cluster is counted as `unknown`, because it is a client's word.
    pub fn know_clusters<'c>(&self, clusters: impl IntoIterator<Item = &'c str>) {
        self.metrics.know_clusters(clusters);
    }

    /// Forgets the time series of services and policies that left the table some time ago. To be called every minute or
    /// so; `now` is the time since a fixed start.
    pub fn forget_departed(&self, live: &Live, now: Duration) {
        let rules = live.rules.iter().map(|linked| linked.rule.as_ref());
        let present = Present::in_table(live.table.spec(), rules);
        self.metrics.forget(&present, now);
    }

    /// Counts and logs a finished request. Called once for each, whatever became of it.
    pub fn completed(&self, request: &Completed<'_>) {
        let outcome = Outcome::of(request.failure);
        self.metrics.completed(request, outcome);
        if let Some(log) = &self.log {
            log.append(|buffer| line::write(buffer, self.cluster(), request, outcome));
        }
    }
}

/// WAN policy and transport class of the hop that a request takes behind us, or else (on the ingress) of the one that it
/// took to us.
pub(crate) fn wan_of<'a>(
    request: &Completed<'a>,
    backend: Option<&'a Backend>,
) -> Option<(&'a str, &'a str)> {
    let behind = backend.and_then(|b| b.tunnel.as_ref());
    let behind = behind.map(|t| (t.policy.as_str(), t.class.as_str()));
    behind.or_else(|| request.wan.map(|w| (w.policy.as_str(), w.class.as_str())))
}

/// The backend of a completed request: that of the last attempt.
pub(crate) fn last_backend<'a>(request: &Completed<'a>) -> Option<&'a Backend> {
    request.attempts.last().map(|a| a.backend.as_ref())
}
