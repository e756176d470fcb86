//! All endpoints in use.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use mcwan_routing::health::Health;
use mcwan_routing::spec::{Backend as BackendSpec, BackendName};
use parking_lot::{Mutex, RwLock};
use serde::Serialize;

use super::Backend;
use super::endpoint::{Endpoint, EndpointKey};
use super::path::Clock;
use crate::upstream::Tasks;

/// All endpoints that any table, request or connection uses, by [`Endpoint::id`]; and the tunnels among them, which it
/// keeps connected and checked.
#[derive(Debug, Default)]
pub struct Registry {
    clock: Clock,
    tasks: Arc<Tasks>,
    next_id: AtomicU64,
    by_key: Mutex<HashMap<EndpointKey, Weak<Endpoint>>>,
    by_id: RwLock<HashMap<u64, Weak<Endpoint>>>,
    /// Endpoints of the table in force.
    wanted: Mutex<Vec<Arc<Endpoint>>>,
}

/// State of one tunnel endpoint, for `/debug/tunnels` and metrics.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TunnelReport {
    /// Cluster at the far end.
    pub cluster: String,
    /// `WANPolicy`.
    pub policy: String,
    /// Transport class.
    pub class: String,
    /// Ingress gateway address at the far end.
    pub address: SocketAddr,
    /// State.
    pub health: Health,
    /// Seconds in this state.
    pub since_seconds: f64,
    /// Round trip of the last PING, in milliseconds.
    pub rtt_ms: Option<f64>,
    /// Open connections.
    pub connections: usize,
    /// Requests in flight.
    pub in_flight: usize,
    /// What last made it `Down`, in one line; empty if nothing did.
    pub last_failure: String,
}

impl Registry {
    /// Keeps tunnels connected from now on, with tasks on `runtime`. Without this call the first use inside a runtime
    /// decides, which is right for tests, and wrong where tables are published from a runtime of their own.
    pub fn start(&self, runtime: &tokio::runtime::Handle) {
        self.tasks.use_runtime(runtime);
        for endpoint in self.wanted.lock().iter() {
            endpoint.want();
        }
    }

    /// Stops all tasks, closes all connections, and waits for both. Requests in flight fail: drain first.
    pub async fn shutdown(&self) {
        self.tasks.stop().await;
    }

    /// The tunnels of the table in force, sorted by cluster, policy and address.
    #[must_use]
    pub fn tunnels(&self) -> Vec<TunnelReport> {
        let now = self.clock.now();
        let wanted = self.wanted.lock().clone();
        let mut reports: Vec<TunnelReport> = wanted
            .iter()
            .filter_map(|endpoint| endpoint.tunnel_report(now))
            .collect();
        reports.sort_by(|a, b| {
            (&a.cluster, &a.policy, a.address).cmp(&(&b.cluster, &b.policy, b.address))
        });
        reports
    }

    /// The endpoint with this id, while anybody uses it.
    pub(crate) fn endpoint(&self, id: u64) -> Option<Arc<Endpoint>> {
        self.by_id.read().get(&id)?.upgrade()
    }

    /// Running state for the backends of a table. Endpoints that are known keep theirs.
    pub(crate) fn link(
        &self,
        specs: &BTreeMap<BackendName, BackendSpec>,
    ) -> HashMap<BackendName, Arc<Backend>> {
        let mut known = self.by_key.lock();
        specs
            .iter()
            .map(|(name, spec)| {
                let endpoints = spec.endpoints.iter().map(|address| {
                    let key = EndpointKey {
                        address: *address,
                        protocol: spec.protocol,
                        tunnel: spec.tunnel.clone(),
                    };
                    self.find_or_make(&mut known, key)
                });
                let backend = Backend {
                    name: name.clone(),
                    protocol: spec.protocol,
                    tunnel: spec.tunnel.clone(),
                    endpoints: endpoints.collect(),
                };
                (name.clone(), Arc::new(backend))
            })
            .collect()
    }

    fn find_or_make(
        &self,
        known: &mut HashMap<EndpointKey, Weak<Endpoint>>,
        key: EndpointKey,
    ) -> Arc<Endpoint> {
        if let Some(endpoint) = known.get(&key).and_then(Weak::upgrade) {
            return endpoint;
        }
        // A tunnel whose policy was edited is a new endpoint, but not a new path.
        let history = key.tunnel.as_ref().and_then(|tunnel| {
            known
                .iter()
                .filter(|(other, _)| other.address == key.address && other.tunnel.is_some())
                .find_map(|(_, endpoint)| endpoint.upgrade()?.history_of(tunnel))
        });
        // Even, and never 0, which Pingora takes for "no group".
        let id = (self.next_id.fetch_add(1, Ordering::Relaxed) + 1) * 2;
        let endpoint = Arc::new(Endpoint::new(&key, id, self.clock, &self.tasks, history));
        self.by_id.write().insert(id, Arc::downgrade(&endpoint));
        known.insert(key, Arc::downgrade(&endpoint));
        endpoint
    }

    /// These backends are in force now: their tunnels are connected, those of others close when their requests are
    /// done, and what nobody uses is forgotten.
    pub(crate) fn adopt<'a>(&self, backends: impl Iterator<Item = &'a Arc<Backend>>) {
        let mut seen = HashSet::new();
        let new: Vec<Arc<Endpoint>> = backends
            .flat_map(|backend| &backend.endpoints)
            .filter(|endpoint| seen.insert(endpoint.id))
            .map(Arc::clone)
            .collect();
        for endpoint in &new {
            endpoint.want();
        }
        let old = std::mem::replace(&mut *self.wanted.lock(), new);
        for endpoint in old.iter().filter(|endpoint| !seen.contains(&endpoint.id)) {
            endpoint.let_go();
        }
        drop(old);
        self.by_key.lock().retain(|_, e| e.strong_count() > 0);
        self.by_id.write().retain(|_, e| e.strong_count() > 0);
    }
}
