//! From a snapshot to a published table.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use mcwan_k8s::kinds::about::CLUSTER_ID;
use mcwan_k8s::names::{CLUSTER_LABEL, NAMESPACE, is_label};
use mcwan_k8s::problem::Problem;
use mcwan_k8s::served;
use mcwan_k8s::snapshot::ClusterSnapshot;
use mcwan_k8s::translate::{Scope, is_ours, translate};
use mcwan_routing::spec::TableSpec;
use mcwan_telemetry::readiness::{Condition, Notes};
use mcwan_watch::View;
use tokio::sync::watch;

use super::bind::{self, Home};
use super::served::Ledger;
use super::{Parts, Settings};
use crate::standalone::status::{Status, Wrongs};

/// Name of our cluster when nobody says it.
const UNKNOWN: &str = "unknown";

/// Whether there is anything to serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    /// The Gateway is there and of our class.
    Ours,
    /// The Gateway is there, but of another class.
    Foreign,
    /// There is no such Gateway.
    Missing,
    /// It is gone with all others, and nobody saw it deleted: no operator's wish.
    Lost,
}

/// Keeps the published table equal to the snapshot.
#[derive(Debug)]
pub(super) struct Keeper {
    settings: Settings,
    scope: Scope,
    parts: Parts,
    status: Status,
    ledger: Ledger,
    home: watch::Sender<Home>,
    table: Condition,
    gateway: Condition,
    notes: Notes,
    /// Problems of the last translation.
    problems: BTreeSet<Problem>,
}

impl Keeper {
    pub(super) fn new(
        settings: Settings,
        parts: Parts,
        (status, ledger, home): (Status, Ledger, watch::Sender<Home>),
    ) -> Self {
        Self {
            scope: bind::scope(&settings.gateway, settings.bind),
            table: parts.readiness.condition("table"),
            gateway: parts.readiness.condition("gateway"),
            notes: parts.readiness.notes("watch"),
            settings,
            parts,
            status,
            ledger,
            home,
            problems: BTreeSet::new(),
        }
    }

    /// Takes in what the watch knows now.
    pub(super) fn look(&mut self, view: &View) {
        let troubled = view.kinds().into_iter().filter(|k| k.trouble.is_some());
        self.notes.set(troubled.map(|k| k.to_string()).collect());
        match view.snapshot() {
            Some(snapshot) => {
                let presence = self.presence(&snapshot, view);
                self.take(snapshot, presence);
            }
            None => self.table.set(false, waiting(view)),
        }
        let mut problems = self.problems.clone();
        problems.extend(view.problems());
        self.status.set(Wrongs {
            problems,
            ..Wrongs::default()
        });
    }

    fn take(&mut self, snapshot: Arc<ClusterSnapshot>, presence: Presence) {
        self.tell(presence);
        if presence == Presence::Lost {
            return;
        }
        self.learn(&snapshot);
        self.publish(snapshot);
    }

    /// Names, before there is anything to count.
    fn learn(&self, snapshot: &ClusterSnapshot) {
        let property = (String::new(), CLUSTER_ID.to_owned());
        let property = snapshot.cluster_properties.get(&property);
        let stated = property
            .map(|p| p.spec.value.as_str())
            .filter(|v| is_label(v));
        let name = self.settings.cluster.as_deref().or(stated);
        self.parts.observer.name_cluster(name.unwrap_or(UNKNOWN));
        let services = snapshot
            .services
            .iter()
            .filter(|((ns, _), _)| ns == NAMESPACE);
        let labels = services.filter_map(|(_, s)| s.metadata.labels.as_ref()?.get(CLUSTER_LABEL));
        self.parts
            .observer
            .know_clusters(labels.map(String::as_str));
    }

    fn publish(&mut self, snapshot: Arc<ClusterSnapshot>) {
        let began = Instant::now();
        let key = &self.settings.gateway;
        let objects = served::objects(&snapshot, key);
        let home = bind::home(&snapshot, key, self.settings.bind);
        let translation = translate(&bind::bound(snapshot, key, self.settings.bind), &self.scope);
        self.problems = translation.problems.into_iter().collect();
        let before = self.parts.live.load().generation;
        let generation = self.parts.live.publish(translation.table);
        self.ledger.record(generation, objects);
        self.table.set(true, format!("generation {generation}"));
        self.home.send_if_modified(|old| {
            // Where the admin server is, it stays while the Gateway is gone.
            let changed = home != Home::Unknown && *old != home;
            if changed {
                *old = home;
            }
            changed
        });
        if generation != before {
            let live = self.parts.live.load();
            tracing::info!(
                generation,
                sockets = live.table.spec().sockets.len(),
                rules = live.rules.len(),
                problems = self.problems.len(),
                took = ?began.elapsed(),
                "a new table is in force"
            );
        }
    }

    fn presence(&self, snapshot: &ClusterSnapshot, view: &View) -> Presence {
        let key = &self.settings.gateway;
        if let Some(gateway) = snapshot.gateways.get(key) {
            return if is_ours(snapshot, gateway) {
                Presence::Ours
            } else {
                Presence::Foreign
            };
        }
        let served = *self.parts.live.load().table.spec() != TableSpec::default();
        let seen = || view.deleted("Gateway").contains(key);
        if served && snapshot.gateways.is_empty() && !seen() {
            Presence::Lost
        } else {
            Presence::Missing
        }
    }

    /// Keeps the condition `gateway`.
    fn tell(&self, presence: Presence) {
        let (namespace, name) = &self.settings.gateway;
        let text = match presence {
            Presence::Ours => format!("{namespace}/{name}"),
            Presence::Foreign => format!(
                "Gateway {namespace}/{name} is not of a class that mc-wan serves; set spec.gatewayClassName to mc-wan"
            ),
            Presence::Missing => {
                format!("there is no Gateway {namespace}/{name}; nothing is served until there is")
            }
            Presence::Lost => format!(
                "the API server has lost Gateway {namespace}/{name} and all others, and nobody deleted it; \
                 the last table stays in force"
            ),
        };
        self.gateway.set(presence == Presence::Ours, text);
    }
}

/// Which kinds the first table waits for.
fn waiting(view: &View) -> String {
    let kinds = view.kinds();
    let missing = kinds.iter().filter(|k| !k.synced());
    let names: Vec<&str> = missing.map(|k| k.kind.plural.as_ref()).collect();
    format!(
        "waiting for the first complete list of {}",
        names.join(", ")
    )
}
