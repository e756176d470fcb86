//! Access log, metrics, trace context and debug pages.

pub mod trace;

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use http::Method;
use mcwan_routing::failure::Failure;
use mcwan_routing::spec::Role;

use crate::live::LinkedRule;
use trace::TraceContext;

/// A finished request, as the access log and the metrics need it.
#[derive(Debug)]
pub struct Completed<'a> {
    /// When its header had been read.
    pub start: SystemTime,
    /// Until the last byte was written.
    pub duration: Duration,
    /// Role of the socket it came in on.
    pub role: Role,
    /// Method.
    pub method: &'a Method,
    /// Host as the client sent it.
    pub authority: &'a str,
    /// Path and query as the client sent them.
    pub path: &'a str,
    /// `HTTP/1.1` or `HTTP/2`.
    pub protocol: &'static str,
    /// `User-Agent`.
    pub user_agent: &'a str,
    /// Client.
    pub downstream: Option<SocketAddr>,
    /// Cluster that the request came from: the peer's on the ingress, our own elsewhere.
    pub source_cluster: &'a str,
    /// Trace and span.
    pub trace: &'a TraceContext,
    /// `x-request-id`.
    pub request_id: &'a str,
    /// Status sent; 0 when the client went away before it.
    pub status: u16,
    /// Body bytes from the client.
    pub bytes_received: u64,
    /// Body bytes to the client.
    pub bytes_sent: u64,
    /// The rule, where one was found.
    pub rule: Option<&'a LinkedRule>,
    /// Attempts in order.
    pub attempts: &'a [Attempt],
    /// Why the gateway answered itself; None when a backend answered.
    pub failure: Option<Failure>,
}

/// One attempt of a request.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Where to.
    pub address: SocketAddr,
    /// Cluster at the far end; None for a local backend.
    pub cluster: Option<String>,
    /// `WANPolicy`; None for a local backend.
    pub policy: Option<String>,
    /// Transport class; None for a local backend.
    pub tunnel: Option<String>,
    /// Time from start to outcome.
    pub duration: Duration,
    /// Status of the response, 0 without one.
    pub status: u16,
    /// Why the attempt ended without an answer that was passed on, in a few fixed words; empty when it answered.
    pub reason: &'static str,
}
