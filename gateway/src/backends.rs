//! Running state of backends. It outlives tables: an endpoint that is in the old and in the new table keeps its
//! connections, load and health.

mod endpoint;
mod lease;
mod path;
mod peer;
mod registry;

use std::net::SocketAddr;
use std::sync::Arc;

use mcwan_routing::health::Health;
use mcwan_routing::spec::{BackendName, BackendProtocol, Tunnel};

pub use endpoint::Endpoint;
pub use lease::Lease;
pub use peer::PeerNeeds;
pub(crate) use peer::split_key;
pub use registry::{Registry, TunnelReport};

/// A backend of the table in force: its endpoints, and which of them to use.
#[derive(Debug)]
pub struct Backend {
    /// Which Service port.
    pub name: BackendName,
    /// Protocol spoken to the endpoints.
    pub protocol: BackendProtocol,
    /// Set when the endpoints are a peer's ingress gateways.
    pub tunnel: Option<Tunnel>,
    /// Endpoints.
    pub endpoints: Vec<Arc<Endpoint>>,
}

impl Backend {
    /// Health of the backend as a candidate: the best of its endpoints'; `Down` without endpoints.
    ///
    /// Ordinary endpoints that are all ejected count as `Recovering`: they are the last resort, and still used.
    #[must_use]
    pub fn health(&self) -> Health {
        self.endpoints
            .iter()
            .map(|endpoint| endpoint.health())
            .min()
            .unwrap_or(Health::Down)
    }

    /// Chooses an endpoint (P2C on in-flight and latency, over healthy ones) that is not in `tried`, unless all are.
    /// None when there is no endpoint at all, or (tunnels only) all of them are down.
    #[must_use]
    pub fn pick(&self, tried: &[SocketAddr]) -> Option<Lease> {
        let best = self.health();
        if best == Health::Down {
            return None;
        }
        let usable = |endpoint: &Endpoint| is_usable(endpoint.health(), best);
        let fresh = |endpoint: &Endpoint| !tried.contains(&endpoint.address);
        self.choose(|e| usable(e) && fresh(e))
            // Others than those tried, even if they are in a worse state; but never a tunnel that is down.
            .or_else(|| self.choose(|e| fresh(e) && e.health() != Health::Down))
            .or_else(|| self.choose(usable))
            .map(|endpoint| Lease::begin(Arc::clone(endpoint)))
    }

    /// The better of two random members that are `eligible` (power of two choices).
    fn choose(&self, eligible: impl Fn(&Endpoint) -> bool) -> Option<&Arc<Endpoint>> {
        let count = self.endpoints.iter().filter(|e| eligible(e)).count();
        let nth = |n: usize| self.endpoints.iter().filter(|e| eligible(e)).nth(n);
        if count < 2 {
            return nth(0);
        }
        let first = fastrand::usize(..count);
        let second = (first + fastrand::usize(1..count)) % count;
        // Health may change between the passes: fewer members may be left than were counted.
        match (nth(first), nth(second)) {
            (Some(a), Some(b)) => Some(if b.cost() < a.cost() { b } else { a }),
            (one, other) => one.or(other).or_else(|| nth(0)),
        }
    }
}

/// Whether an endpoint takes requests while the best of its backend is `best`.
fn is_usable(health: Health, best: Health) -> bool {
    match best {
        Health::Healthy | Health::Unknown => health <= Health::Unknown,
        Health::Recovering => health == Health::Recovering,
        Health::Down => false,
    }
}

#[cfg(test)]
mod tests;
