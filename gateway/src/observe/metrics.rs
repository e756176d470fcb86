//! Request metrics: Istio's label words, and our dimension, the WAN policy.
//!
//! Labels that do not apply are empty, which Prometheus treats as absent: `destination_cluster=""` is a request that
//! no backend took. `wan_policy` is the policy of the tunnel behind us; on the ingress, that of the tunnel the request came
//! through.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use prometheus::{HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry, Result};

use super::departed::{self, Departed, Present};
use super::outcome::Outcome;
use super::series::{AttemptKey, RequestKey, RequestSeries, RuleMetrics};
use super::{Attempt, Completed, wan_of};
use crate::backends::Backend;

/// Labels of everything that is counted for a destination.
const DESTINATION: [&str; 6] = [
    "source_cluster",
    "destination_cluster",
    SERVICE,
    NAMESPACE,
    POLICY,
    "tunnel",
];
pub(super) const SERVICE: &str = "destination_service_name";
pub(super) const NAMESPACE: &str = "destination_service_namespace";
pub(super) const POLICY: &str = "wan_policy";

/// Upper bounds in seconds: from a fraction of a LAN round trip to a slow answer over a satellite.
const DURATIONS: [f64; 16] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
    60.0,
];

/// Word in place of a source cluster that nobody knows.
const UNKNOWN: &str = "unknown";

/// Source clusters remembered at most, over the life of the process.
const MAX_SOURCES: usize = 1024;

/// The metrics of requests.
#[derive(Debug)]
pub struct RequestMetrics {
    families: Families,
    /// Requests that no rule took.
    unrouted: RuleMetrics,
    /// Known source clusters; our own first, then [`UNKNOWN`]. Only grows, so positions are identities.
    sources: ArcSwap<Vec<Arc<str>>>,
    departed: Mutex<Departed>,
}

#[derive(Debug)]
struct Families {
    requests: IntCounterVec,
    duration: HistogramVec,
    received: IntCounterVec,
    sent: IntCounterVec,
    attempts: IntCounterVec,
    failovers: IntCounterVec,
}

impl Families {
    fn new(registry: &Registry) -> Result<Self> {
        let counter = |name: &str, help: &str, labels: &[&str]| {
            let vec = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(vec.clone())).map(|()| vec)
        };
        let with = |more: &[&'static str]| [&DESTINATION[..], more].concat();
        let duration = HistogramVec::new(
            HistogramOpts::new(
                "mcwan_request_duration_seconds",
                "Time from the end of the request's header to the last byte of the response.",
            )
            .buckets(DURATIONS.to_vec()),
            &with(&["outcome"]),
        )?;
        registry.register(Box::new(duration.clone()))?;
        Ok(Self {
            requests: counter(
                "mcwan_requests_total",
                "Requests that ended.",
                &with(&["response_code", "outcome"]),
            )?,
            duration,
            received: counter(
                "mcwan_request_body_bytes_total",
                "Body bytes received from clients.",
                &DESTINATION,
            )?,
            sent: counter(
                "mcwan_response_body_bytes_total",
                "Body bytes sent to clients.",
                &DESTINATION,
            )?,
            attempts: counter(
                "mcwan_attempts_total",
                "Attempts of requests; the reason says why one ended without an answer that was passed on.",
                &with(&["reason"]),
            )?,
            failovers: counter(
                "mcwan_failovers_total",
                "Attempts that went on to another WAN policy or cluster, by the reason of the one before.",
                &["from_policy", "to_policy", "reason"],
            )?,
        })
    }
}

impl RequestMetrics {
    pub(super) fn new(own: &str, registry: &Registry) -> Result<Self> {
        let sources = vec![Arc::from(own), Arc::from(UNKNOWN)];
        Ok(Self {
            families: Families::new(registry)?,
            unrouted: RuleMetrics::default(),
            sources: ArcSwap::from_pointee(sources),
            departed: Mutex::default(),
        })
    }

    /// Renames our own cluster.
    pub(super) fn name_own(&self, cluster: &str) {
        let mut sources = self.sources.load().as_ref().clone();
        if let Some(own) = sources.first_mut() {
            *own = Arc::from(cluster);
        }
        self.sources.store(Arc::new(sources));
    }

    pub(super) fn know_clusters<'c>(&self, clusters: impl IntoIterator<Item = &'c str>) {
        let mut sources = self.sources.load().as_ref().clone();
        let before = sources.len();
        for cluster in clusters {
            if sources.len() < MAX_SOURCES && !sources.iter().any(|s| s.as_ref() == cluster) {
                sources.push(Arc::from(cluster));
            }
        }
        if sources.len() > before {
            self.sources.store(Arc::new(sources));
        }
    }

    /// Forgets the series of what left the table long ago. `now` is the time since a fixed start.
    pub(super) fn forget(&self, present: &Present<'_>, now: Duration) {
        let families = &self.families;
        let mut counted = departed::counted(&families.requests);
        counted.extend(departed::counted(&families.attempts));
        let gone = self.departed.lock().overdue(counted, present, now);
        if gone.is_empty() {
            return;
        }
        departed::forget(&families.duration, &gone);
        for family in [
            &families.requests,
            &families.received,
            &families.sent,
            &families.attempts,
        ] {
            departed::forget(family, &gone);
        }
    }

    /// Position of a source cluster; None is our own.
    fn source(&self, cluster: Option<&str>) -> u16 {
        let Some(cluster) = cluster else { return 0 };
        let sources = self.sources.load();
        let position = sources.iter().position(|s| s.as_ref() == cluster);
        u16::try_from(position.unwrap_or(1)).unwrap_or(1)
    }

    pub(super) fn completed(&self, request: &Completed<'_>, outcome: Outcome) {
        let source = self.source(request.source_cluster);
        let series = request
            .rule
            .map_or(&self.unrouted, |rule| &rule.work.metrics);
        let last = request.attempts.last();
        let key = RequestKey {
            source,
            port: wan_port(request),
            candidate: last.map(|a| a.candidate),
            status: request.status,
            outcome,
        };
        let make = || {
            let sources = self.sources.load();
            let labels = Labels::new(&sources, source, request, last.map(|a| a.backend.as_ref()));
            self.families.request(&labels, request.status, outcome)
        };
        series.requests.with(key, make, |s| {
            s.requests.inc();
            s.duration.observe(request.duration.as_secs_f64());
            s.received.inc_by(request.bytes_received);
            s.sent.inc_by(request.bytes_sent);
        });
        self.attempts(request, source, series);
        self.failovers(request.attempts);
    }

    fn attempts(&self, request: &Completed<'_>, source: u16, series: &RuleMetrics) {
        for attempt in request.attempts {
            let key = AttemptKey {
                source,
                port: wan_port(request),
                candidate: attempt.candidate,
                reason: attempt.reason,
            };
            let make = || {
                let sources = self.sources.load();
                let labels = Labels::new(&sources, source, request, Some(&attempt.backend));
                self.families.attempt(&labels, attempt.reason)
            };
            series.attempts.with(key, make, IntCounter::inc);
        }
    }

    fn failovers(&self, attempts: &[Attempt]) {
        for (before, after) in attempts.iter().zip(attempts.iter().skip(1)) {
            let (from, to) = (target(&before.backend), target(&after.backend));
            if from == to {
                continue;
            }
            let labels = [from.1, to.1, before.reason];
            if let Ok(counter) = self
                .families
                .failovers
                .get_metric_with_label_values(&labels)
            {
                counter.inc();
            }
        }
    }
}

/// Tells the WAN policies of an ingress apart: one rule serves all of them.
fn wan_port(request: &Completed<'_>) -> u16 {
    let port = request.wan.and(request.local).map(|local| local.port());
    port.unwrap_or(0)
}

/// Cluster and policy of a backend, both empty for a local one.
fn target(backend: &Backend) -> (&str, &str) {
    backend
        .tunnel
        .as_ref()
        .map_or(("", ""), |t| (&t.cluster, &t.policy))
}

impl Families {
    fn request(&self, labels: &Labels<'_>, status: u16, outcome: Outcome) -> Result<RequestSeries> {
        let status = status.to_string();
        let outcome = outcome.as_str();
        let destination = labels.values();
        let with_outcome = labels.values_and([outcome]);
        let with_both = labels.values_and([&status, outcome]);
        Ok(RequestSeries {
            requests: self.requests.get_metric_with_label_values(&with_both)?,
            duration: self.duration.get_metric_with_label_values(&with_outcome)?,
            received: self.received.get_metric_with_label_values(&destination)?,
            sent: self.sent.get_metric_with_label_values(&destination)?,
        })
    }

    fn attempt(&self, labels: &Labels<'_>, reason: &'static str) -> Result<IntCounter> {
        self.attempts
            .get_metric_with_label_values(&labels.values_and([reason]))
    }
}

/// Values of [`DESTINATION`], in its order.
struct Labels<'a> {
    source: &'a str,
    cluster: &'a str,
    service: &'a str,
    namespace: &'a str,
    policy: &'a str,
    tunnel: &'a str,
}

impl<'a> Labels<'a> {
    fn new(
        sources: &'a [Arc<str>],
        source: u16,
        request: &'a Completed<'_>,
        backend: Option<&'a Backend>,
    ) -> Self {
        let name = |position: usize| sources.get(position).map_or(UNKNOWN, AsRef::as_ref);
        let service = request.rule.and_then(|r| r.work.rule.service.as_ref());
        // Behind a tunnel the backend is a gateway; only a local backend is the service itself.
        let local = backend.filter(|b| b.tunnel.is_none()).map(|b| &b.name);
        let tunnel = backend.and_then(|b| b.tunnel.as_ref());
        let (policy, class) = wan_of(request, backend).unwrap_or_default();
        let own = backend.map_or("", |_| name(0));
        Self {
            source: name(usize::from(source)),
            cluster: tunnel.map_or(own, |t| &t.cluster),
            service: service
                .map(|s| s.name.as_str())
                .or(local.map(|b| b.service.as_str()))
                .unwrap_or_default(),
            namespace: service
                .map(|s| s.namespace.as_str())
                .or(local.map(|b| b.namespace.as_str()))
                .unwrap_or_default(),
            policy,
            tunnel: class,
        }
    }

    const fn values(&self) -> [&'a str; 6] {
        [
            self.source,
            self.cluster,
            self.service,
            self.namespace,
            self.policy,
            self.tunnel,
        ]
    }

    fn values_and<'b, const N: usize>(&'b self, more: [&'b str; N]) -> Vec<&'b str> {
        self.values().into_iter().chain(more).collect()
    }
}

#[cfg(test)]
mod tests;
