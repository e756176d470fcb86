//! The report of a finished request. There is exactly one for each, also when its connection was cut under it.

use std::sync::Arc;

use http::header::{HeaderValue, USER_AGENT};
use http::{Method, Uri, Version};
use mcwan_routing::failure::Failure;
use mcwan_routing::spec::Role;
use pingora_http::RequestHeader;
use pingora_proxy::Session;

use super::context::RequestContext;
use super::{request, wan};
use crate::listen::connection::Connection;
use crate::observe::{Completed, Observer};

/// What the report says of the client's request. Cheap to make: everything is shared with the header.
#[derive(Debug)]
pub(super) struct Asked {
    method: Method,
    authority: HeaderValue,
    uri: Uri,
    version: Version,
    user_agent: Option<HeaderValue>,
    source: Option<Box<str>>,
    observer: Arc<Observer>,
}

/// What went over the client's connection.
#[derive(Debug, Default)]
struct Exchanged {
    status: u16,
    received: u64,
    sent: u64,
}

impl RequestContext {
    /// Remembers the request for the report.
    pub(super) fn remember(&mut self, request: &RequestHeader, observer: &Arc<Observer>) {
        let source = Some(&request.headers)
            .filter(|_| self.role() == Role::Ingress)
            .and_then(wan::source);
        let host = request
            .headers
            .get(http::header::HOST)
            .filter(|_| request.uri.authority().is_none());
        let authority = host
            .cloned()
            .or_else(|| HeaderValue::from_bytes(request::authority(request)).ok());
        self.asked = Some(Asked {
            method: request.method.clone(),
            authority: authority.unwrap_or(HeaderValue::from_static("")),
            uri: request.uri.clone(),
            version: request.version,
            user_agent: request.headers.get(USER_AGENT).cloned(),
            source: source.map(Box::from),
            observer: Arc::clone(observer),
        });
    }

    /// Reports the request.
    pub(super) fn complete(&mut self, session: &Session) {
        let downstream = session.as_downstream();
        self.report(&Exchanged {
            status: session.response_written().map_or(0, |r| r.status.as_u16()),
            received: whole(downstream.body_bytes_read()),
            sent: whole(downstream.body_bytes_sent()),
        });
    }

    fn report(&mut self, exchanged: &Exchanged) {
        self.end_attempt(if self.failure.is_some() {
            "given_up"
        } else {
            ""
        });
        let Some(asked) = self.asked.take() else {
            return;
        };
        let (Some(trace), Some(request_id)) = (&self.trace, &self.request_id) else {
            return;
        };
        let connection = self.connection.as_deref();
        asked.observer.completed(&Completed {
            start: self.started_at,
            duration: self.start.elapsed(),
            role: self.role(),
            method: asked.method.as_str(),
            authority: asked.authority.as_bytes(),
            path: asked
                .uri
                .path_and_query()
                .map_or("/", |p| p.as_str())
                .as_bytes(),
            protocol: protocol(asked.version),
            user_agent: asked.user_agent.as_ref().map_or(b"", |v| v.as_bytes()),
            downstream: connection.map(|c| c.client),
            local: connection.map(Connection::socket),
            wan: connection.and_then(Connection::wan),
            source_cluster: asked.source.as_deref(),
            trace,
            request_id,
            status: exchanged.status,
            bytes_received: exchanged.received,
            bytes_sent: exchanged.sent,
            rule: self.chooser(),
            route: self.linked().map(|l| &l.rule.name),
            attempts: &self.attempts,
            failure: self.failure,
        });
    }
}

impl Drop for RequestContext {
    /// A request whose connection was cut, by a reset or at the end of the drain time, never comes to its end in Pingora.
    fn drop(&mut self) {
        if self.asked.is_some() {
            self.failure = Some(Failure::ClientGone);
            self.report(&Exchanged::default());
        }
    }
}

fn whole(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

/// Names of the protocols that clients can speak here.
const fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "HTTP/2",
        Version::HTTP_10 => "HTTP/1.0",
        _ => "HTTP/1.1",
    }
}
