//! A request's use of an endpoint.

use std::sync::Arc;
use std::time::Duration;

use pingora_core::upstreams::peer::HttpPeer;

use super::endpoint::Endpoint;
use super::path::EndpointPath;
use super::peer::PeerNeeds;
use crate::upstream::PathObserver;

/// A request's use of an endpoint: counts as load until it is dropped. Exactly one of the report methods is called
/// before that; a dropped lease without report counts for nothing (the client went away).
#[derive(Debug)]
pub struct Lease {
    endpoint: Arc<Endpoint>,
    /// Whether an ejected endpoint waits for the outcome.
    probe: bool,
}

impl Lease {
    pub(super) fn begin(endpoint: Arc<Endpoint>) -> Self {
        let probe = endpoint.begin_request();
        Self { endpoint, probe }
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
    pub fn answered(mut self, latency: Duration) {
        self.endpoint.note_latency(latency);
        self.report(|path| path.answered(latency));
    }

    /// No connection could be made.
    pub fn connect_failed(mut self) {
        self.report(|path| path.failed("no connection"));
    }

    /// The connection broke before a response header.
    pub fn broken(mut self) {
        self.report(|path| path.failed("connection broke"));
    }

    fn report(&mut self, evidence: impl FnOnce(&EndpointPath)) {
        if let Some(path) = self.endpoint.observer() {
            evidence(path);
            self.probe = false;
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.endpoint.end_request();
        if self.probe {
            self.endpoint.abandon_probe();
        }
    }
}
