//! What is counted of the peers. Labels are names of `ClusterPeer`s, which an admin of this cluster gives, and reasons of a
//! fixed set; never anything that a peer says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mcwan_k8s::peers::Roster;
use mcwan_k8s::status::Answer;
use mcwan_telemetry::metrics::Metrics;
use parking_lot::Mutex;
use prometheus::{IntCounterVec, IntGaugeVec, Opts};

/// Figures of the peers. Cheap to clone: all clones are one.
#[derive(Debug, Clone)]
pub struct Figures {
    rejected: IntCounterVec,
    connected: IntGaugeVec,
    synced: IntGaugeVec,
    services: IntGaugeVec,
    /// What was counted already, by peer and reason.
    counted: Arc<Mutex<BTreeMap<(String, &'static str), u64>>>,
    /// Peers that gauges are shown of.
    shown: Arc<Mutex<BTreeSet<String>>>,
}

impl Figures {
    /// Registers all of them.
    ///
    /// # Errors
    /// When a name is taken.
    pub fn new(metrics: &Metrics) -> prometheus::Result<Self> {
        let gauge = |name, help| IntGaugeVec::new(Opts::new(name, help), &["peer"]);
        let figures = Self {
            rejected: IntCounterVec::new(
                Opts::new(
                    "mcwan_peer_rejected_total",
                    "Parts of a peer's outbox that were refused; each version of an object counts once.",
                ),
                &["peer", "reason"],
            )?,
            connected: gauge(
                "mcwan_peer_connected",
                "1 while the API server of the peer answers.",
            )?,
            synced: gauge(
                "mcwan_peer_synced",
                "1 while what is in force is what the peer publishes.",
            )?,
            services: gauge(
                "mcwan_peer_services",
                "Services of the peer that are in force, last-known ones included.",
            )?,
            counted: Arc::default(),
            shown: Arc::default(),
        };
        let registry = metrics.registry();
        registry.register(Box::new(figures.rejected.clone()))?;
        for gauge in [&figures.connected, &figures.synced, &figures.services] {
            registry.register(Box::new(gauge.clone()))?;
        }
        Ok(figures)
    }

    /// Shows how things stand.
    pub(super) fn show(&self, roster: &Roster) {
        let all = roster.facts();
        self.forget(all.iter().map(|facts| facts.name.clone()).collect());
        for facts in all {
            let label = &[facts.name.as_str()];
            let holds = |answer| i64::from(answer == Answer::True);
            self.connected
                .with_label_values(label)
                .set(holds(facts.connected.answer));
            self.synced
                .with_label_values(label)
                .set(holds(facts.synced.answer));
            self.services
                .with_label_values(label)
                .set(facts.services.map_or(0, i64::from));
        }
        let mut counted = self.counted.lock();
        for (_, peer) in roster.peers() {
            for (reason, total) in peer.refused_in_all() {
                let before = counted.entry((peer.name().to_owned(), reason)).or_default();
                // A peer that was removed and came back counts from the start.
                let more = total.checked_sub(*before).unwrap_or(*total);
                self.rejected
                    .with_label_values(&[peer.name(), *reason])
                    .inc_by(more);
                *before = *total;
            }
        }
    }

    /// Ends the gauges of peers that are no more. The others are never without a value.
    fn forget(&self, named: BTreeSet<String>) {
        let mut shown = self.shown.lock();
        for gone in shown.difference(&named) {
            for gauge in [&self.connected, &self.synced, &self.services] {
                // One that is not there is gone as well.
                let _absent = gauge.remove_label_values(&[gone.as_str()]);
            }
        }
        *shown = named;
    }
}
