//! Requests that never reach the proxy, because their head is late, too large, or no HTTP: they are logged and counted
//! like all others, as far as anything is known of them.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use mcwan_routing::failure::Failure;
use tokio::time::Instant;

use super::connection::Connection;
use crate::observe::trace::{RequestId, TraceContext};
use crate::observe::{Completed, Observer};

/// What became of a request whose head could not be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refusal {
    /// Why.
    pub(super) failure: Failure,
    /// Status that was sent; 0 when the connection was only closed.
    pub(super) status: u16,
    /// When its first byte had been read.
    pub(super) began: Option<Instant>,
    /// `HTTP/1.1` or `HTTP/2`.
    pub(super) protocol: &'static str,
}

impl Refusal {
    /// Reports it. Method, path and headers are empty: what a client sent so far is not worth believing.
    pub(super) fn report(self, connection: &Connection, observer: &Arc<Observer>) {
        let duration = self.began.map_or(Duration::ZERO, |began| began.elapsed());
        let now = SystemTime::now();
        let mut random = || fastrand::u64(..);
        let headers = HeaderMap::new();
        observer.completed(&Completed {
            start: now.checked_sub(duration).unwrap_or(now),
            duration,
            role: connection.role(),
            method: "",
            authority: b"",
            path: b"",
            protocol: self.protocol,
            user_agent: b"",
            downstream: Some(connection.client),
            local: Some(connection.socket()),
            wan: connection.wan(),
            source_cluster: None,
            trace: &TraceContext::of(&headers, false, &mut random),
            request_id: &RequestId::of(&headers, &mut random),
            status: self.status,
            bytes_received: 0,
            bytes_sent: 0,
            rule: None,
            route: None,
            attempts: &[],
            failure: Some(self.failure),
        });
    }
}
