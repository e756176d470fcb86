//! A request's use of an endpoint.

use std::sync::Arc;
use std::time::Duration;

use pingora_core::upstreams::peer::HttpPeer;

use super::endpoint::Endpoint;
use super::peer::PeerNeeds;
use crate::upstream::PathObserver;

/// A request's use of an endpoint: counts as load until it is dropped. Exactly one of the report methods is called
/// before that; a dropped lease without report counts for nothing (the client went away).
#[derive(Debug)]
pub struct Lease {
    endpoint: Arc<Endpoint>,
}

impl Lease {
    pub(super) fn begin(endpoint: Arc<Endpoint>) -> Self {
        endpoint.begin_request();
        Self { endpoint }
    }

    /// The endpoint.
    #[must_use]
    pub const fn endpoint(&self) -> &Arc<Endpoint> {
        &self.endpoint
    }

    /// The peer that Pingora connects to.
    #[must_use]
    pub fn peer(&self, needs: PeerNeeds) -> Box<HttpPeer> {
        self.endpoint.peers.peer(needs)
    }

    /// A response header came after this time.
    pub fn answered(self, latency: Duration) {
        self.endpoint.note_latency(latency);
        if let Some(path) = self.endpoint.observer() {
            path.answered(latency);
        }
    }

    /// No connection could be made.
    pub fn connect_failed(self) {
        if let Some(path) = self.endpoint.observer() {
            path.failed("no connection");
        }
    }

    /// The connection broke before a response header.
    pub fn broken(self) {
        if let Some(path) = self.endpoint.observer() {
            path.failed("connection broke");
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.endpoint.end_request();
    }
}
