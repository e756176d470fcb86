//! One address of a backend.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mcwan_routing::balance::Load;
use mcwan_routing::health::{Ewma, Health};
use mcwan_routing::spec::{BackendProtocol, Tunnel};
use parking_lot::Mutex;

use super::path::{Clock, EndpointPath, History, TunnelPath};
use super::peer::{CONNECT_TIMEOUT, Peers};
use super::registry::TunnelReport;
use crate::upstream::{DialOptions, PathObserver, Pool, PoolRules, Tasks, WatchRules};

/// A tunnel's PING: noticed within a second when packets vanish, and four losses in a row away from a false alarm at
/// 80 ms round trip (Linux retransmits after 160, 440, … ms there).
const TUNNEL_PING_INTERVAL: Duration = Duration::from_millis(250);
const TUNNEL_PING_TIMEOUT: Duration = Duration::from_millis(750);
/// The kernel's own limit, should this process be too busy to send PINGs.
const TUNNEL_USER_TIMEOUT: Duration = Duration::from_secs(3);
/// Connections of a tunnel beyond its least number close after this time without a request.
const IDLE: Duration = Duration::from_secs(60);
/// How long requests may last on a connection that is being replaced, at least.
const DRAIN: Duration = Duration::from_secs(300);

/// Ordinary HTTP/2 backends.
const BACKEND_PING_INTERVAL: Duration = Duration::from_secs(10);
const BACKEND_PING_TIMEOUT: Duration = Duration::from_secs(5);
const BACKEND_MAX_AGE: Duration = Duration::from_secs(30 * 60);
const BACKEND_CONNECTIONS: usize = 4;
const BACKEND_STREAMS: usize = 100;

/// Time in which an old latency loses two thirds of its weight.
const LATENCY_DECAY: Duration = Duration::from_secs(10);

/// What makes two endpoints the same, over any number of tables.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct EndpointKey {
    pub(super) address: SocketAddr,
    pub(super) protocol: BackendProtocol,
    pub(super) tunnel: Option<Tunnel>,
}

/// One address of a backend. Its state lives as long as any table, request or connection uses it.
#[derive(Debug)]
pub struct Endpoint {
    /// Address.
    pub address: SocketAddr,
    /// Unique in this process, and even: `HttpPeer::group_key`, by which connections are pooled and the connector
    /// finds it.
    pub id: u64,
    in_flight: AtomicUsize,
    latency: Mutex<Ewma>,
    clock: Clock,
    path: Path,
    pool: Option<Arc<Pool>>,
    pub(super) peers: Peers,
}

#[derive(Debug)]
enum Path {
    Tunnel(Arc<TunnelPath>),
    Endpoint(Arc<EndpointPath>),
}

impl Endpoint {
    pub(super) fn new(
        key: &EndpointKey,
        id: u64,
        clock: Clock,
        tasks: &Arc<Tasks>,
        known: Option<History>,
    ) -> Self {
        let address = key.address;
        let (path, observer): (Path, Arc<dyn PathObserver>) = match &key.tunnel {
            Some(tunnel) => {
                let path = Arc::new(TunnelPath::new(tunnel.clone(), address, clock, known));
                (Path::Tunnel(Arc::clone(&path)), path)
            }
            None => {
                let path = Arc::new(EndpointPath::new(address, clock));
                (Path::Endpoint(Arc::clone(&path)), path)
            }
        };
        // Tunnels are HTTP/2, whatever the Service of the peer's gateways says.
        let protocol = match key.tunnel {
            Some(_) => BackendProtocol::H2c,
            None => key.protocol,
        };
        let pool = (protocol == BackendProtocol::H2c).then(|| {
            let (dial, rules) = pool_rules(key);
            Pool::new(dial, rules, Arc::clone(tasks), observer)
        });
        Self {
            address,
            id,
            in_flight: AtomicUsize::new(0),
            latency: Mutex::default(),
            clock,
            path,
            pool,
            peers: Peers::new(address, protocol, id),
        }
    }

    /// State of the path to it. An ordinary endpoint is `Healthy`, or `Recovering` while it is ejected.
    #[must_use]
    pub fn health(&self) -> Health {
        match &self.path {
            Path::Tunnel(path) => path.health(),
            Path::Endpoint(path) => path.health(),
        }
    }

    /// Requests that hold a lease.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Its HTTP/2 connections; None when it speaks HTTP/1.
    pub(crate) const fn pool(&self) -> Option<&Arc<Pool>> {
        self.pool.as_ref()
    }

    /// For upgrades over HTTP/1.
    pub(crate) fn dial_options(&self) -> DialOptions {
        match &self.pool {
            Some(pool) => pool.dial,
            None => backend_dial(self.address),
        }
    }

    pub(super) fn now(&self) -> Duration {
        self.clock.now()
    }

    pub(super) fn load(&self, now: Duration) -> Load {
        Load {
            in_flight: u32::try_from(self.in_flight()).unwrap_or(u32::MAX),
            latency: self.latency.lock().value(now, LATENCY_DECAY),
        }
    }

    /// Counts a request. Returns whether it is the one that finds out if an ejected endpoint is well again.
    pub(super) fn begin_request(&self) -> bool {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        match &self.path {
            Path::Tunnel(_) => false,
            Path::Endpoint(path) => path.begin_probe(),
        }
    }

    pub(super) fn end_request(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    /// The request that was to find out has found nothing out.
    pub(super) fn abandon_probe(&self) {
        if let Path::Endpoint(path) = &self.path {
            path.abandon_probe();
        }
    }

    pub(super) fn note_latency(&self, latency: Duration) {
        let mut average = self.latency.lock();
        *average = average.with(latency, self.clock.now(), LATENCY_DECAY);
    }

    /// The proxy's evidence about an HTTP/1 endpoint. An endpoint with a pool is judged by what its pool sees, and a
    /// failed attempt is not counted twice.
    pub(super) fn observer(&self) -> Option<&EndpointPath> {
        match (&self.path, &self.pool) {
            (Path::Endpoint(path), None) => Some(path),
            (Path::Endpoint(_) | Path::Tunnel(_), _) => None,
        }
    }

    /// It is in the table in force: a tunnel is connected, and stays so.
    pub(super) fn want(&self) {
        if let (Path::Tunnel(_), Some(pool)) = (&self.path, &self.pool) {
            pool.keep_warm();
        }
    }

    /// It is in the table in force no more.
    pub(super) fn let_go(&self) {
        if let Some(pool) = &self.pool {
            pool.let_go();
        }
    }

    /// What is known about the path of a tunnel, for an endpoint that takes over.
    pub(super) fn history_of(&self, tunnel: &Tunnel) -> Option<History> {
        let Path::Tunnel(path) = &self.path else {
            return None;
        };
        let own = path.tunnel();
        (own.cluster == tunnel.cluster && own.policy == tunnel.policy).then(|| path.history())
    }

    pub(super) fn tunnel_report(&self, now: Duration) -> Option<TunnelReport> {
        let Path::Tunnel(path) = &self.path else {
            return None;
        };
        let tunnel = path.tunnel();
        let history = path.history();
        Some(TunnelReport {
            cluster: tunnel.cluster.clone(),
            policy: tunnel.policy.clone(),
            class: tunnel.class.clone(),
            address: self.address,
            health: history.state.health,
            since_seconds: now.saturating_sub(history.state.since).as_secs_f64(),
            rtt_ms: self
                .pool
                .as_ref()
                .and_then(|pool| pool.rtt())
                .map(|rtt| rtt.as_secs_f64() * 1000.0),
            connections: self.pool.as_ref().map_or(0, |pool| pool.open_connections()),
            in_flight: self.in_flight(),
            last_failure: history.last_failure,
        })
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.let_go();
    }
}

fn backend_dial(address: SocketAddr) -> DialOptions {
    DialOptions {
        address,
        dscp: None,
        user_timeout: None,
        timeout: CONNECT_TIMEOUT,
    }
}

fn pool_rules(key: &EndpointKey) -> (DialOptions, PoolRules) {
    let Some(tunnel) = &key.tunnel else {
        return (backend_dial(key.address), backend_rules());
    };
    let dial = DialOptions {
        dscp: tunnel.dscp,
        user_timeout: Some(TUNNEL_USER_TIMEOUT),
        ..backend_dial(key.address)
    };
    let min = usize::from(tunnel.min_connections);
    let rules = PoolRules {
        min,
        max: usize::from(tunnel.max_connections).max(min).max(1),
        max_streams: usize::try_from(tunnel.max_streams)
            .unwrap_or(usize::MAX)
            .max(1),
        redial: true,
        watch: WatchRules {
            ping_interval: TUNNEL_PING_INTERVAL,
            ping_timeout: TUNNEL_PING_TIMEOUT,
            max_age: tunnel.max_age,
            drain: DRAIN.max(tunnel.max_age),
            idle: IDLE,
        },
    };
    (dial, rules)
}

const fn backend_rules() -> PoolRules {
    PoolRules {
        min: 0,
        max: BACKEND_CONNECTIONS,
        max_streams: BACKEND_STREAMS,
        redial: false,
        watch: WatchRules {
            ping_interval: BACKEND_PING_INTERVAL,
            ping_timeout: BACKEND_PING_TIMEOUT,
            max_age: BACKEND_MAX_AGE,
            drain: BACKEND_MAX_AGE,
            idle: IDLE,
        },
    }
}
