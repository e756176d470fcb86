//! Running state of backends. It outlives tables: an endpoint that is in the old and in the new table keeps its
//! connections, load and health.

mod endpoint;
mod lease;
mod path;
mod peer;
mod registry;

use std::net::SocketAddr;
use std::sync::Arc;

use mcwan_routing::balance::{Load, Preference, choose};
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

    /// Chooses an endpoint: the lighter of two random ones of the best [`Preference`] there is. Endpoints in `tried`
    /// come after the others, those that are ejected or recovering come last. None when there is no endpoint at all, or
    /// (tunnels only) all of them are down.
    #[must_use]
    pub fn pick(&self, tried: &[SocketAddr]) -> Option<Lease> {
        let now = self.endpoints.first()?.now();
        let at = |index: usize| self.endpoints.get(index);
        let preference = |index: usize| {
            let endpoint = at(index)?;
            match endpoint.health() {
                Health::Down => None,
                Health::Recovering => Some(Preference::LastResort),
                Health::Healthy | Health::Unknown if tried.contains(&endpoint.address) => {
                    Some(Preference::Tried)
                }
                Health::Healthy | Health::Unknown => Some(Preference::Fit),
            }
        };
        let load = |index: usize| at(index).map_or(Load::default(), |e| e.load(now));
        let draw = &mut |n| fastrand::u64(..n);
        let chosen = choose(self.endpoints.len(), preference, load, draw)?;
        Some(Lease::begin(Arc::clone(at(chosen)?)))
    }
}

#[cfg(test)]
mod tests;
