//! A rule with a local backend and a tunnel, and a request that took it; for tests.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use mcwan_routing::failure::Failure;
use mcwan_routing::plan::Candidate;
use mcwan_routing::rule::{
    Action, Filters, Forward, RouteKind, Rule, RuleName, ServiceName, Timeouts,
};
use mcwan_routing::spec::{BackendName, BackendProtocol, Role, Tunnel, WanClass};

use super::trace::{RequestId, TraceContext};
use super::{Attempt, Completed};
use crate::backends::Backend;
use crate::live::{LinkedRule, Work};

/// All that a [`Completed`] borrows.
pub(crate) struct Request {
    pub(crate) rule: Option<LinkedRule>,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) trace: TraceContext,
    pub(crate) id: RequestId,
    pub(crate) path: Vec<u8>,
    pub(crate) user_agent: Vec<u8>,
    pub(crate) status: u16,
    pub(crate) failure: Option<Failure>,
    pub(crate) source: Option<&'static str>,
    pub(crate) wan: Option<WanClass>,
    pub(crate) port: u16,
}

/// `GET /payment`, answered by the business tunnel to cluster-1.
pub(crate) fn request() -> Request {
    let headers = HeaderMap::new();
    Request {
        rule: Some(rule()),
        attempts: vec![attempt(&tunnel("business"), 0, 200, "")],
        trace: TraceContext::of(&headers, false, &mut || 7),
        id: RequestId::of(&headers, &mut || 9),
        path: b"/payment?id=1".to_vec(),
        user_agent: b"curl/8".to_vec(),
        status: 200,
        failure: None,
        source: None,
        wan: None,
        port: 10_080,
    }
}

impl Request {
    pub(crate) fn completed(&self) -> Completed<'_> {
        Completed {
            start: SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000),
            duration: Duration::from_micros(12_345),
            role: Role::Egress,
            method: "GET",
            authority: b"payment.secure.svc.clusterset.local",
            path: &self.path,
            protocol: "HTTP/1.1",
            user_agent: &self.user_agent,
            downstream: Some(SocketAddr::from(([127, 0, 0, 1], 40_000))),
            local: Some(SocketAddr::from(([127, 0, 0, 2], self.port))),
            wan: self.wan.as_ref(),
            source_cluster: self.source,
            trace: &self.trace,
            request_id: &self.id,
            status: self.status,
            bytes_received: 11,
            bytes_sent: 1024,
            rule: self.rule.as_ref(),
            route: self.rule.as_ref().map(|linked| &linked.rule.name),
            attempts: &self.attempts,
            failure: self.failure,
        }
    }
}

pub(crate) fn attempt(
    backend: &Arc<Backend>,
    choice: u16,
    status: u16,
    reason: &'static str,
) -> Attempt {
    Attempt {
        candidate: Candidate { tier: 0, choice },
        backend: Arc::clone(backend),
        address: Some(SocketAddr::from(([10, 0, 0, 1], 31_111))),
        duration: Duration::from_millis(12),
        status,
        reason,
    }
}

pub(crate) fn tunnel(policy: &str) -> Arc<Backend> {
    Arc::new(Backend {
        name: BackendName {
            namespace: "mc-wan".to_owned(),
            service: "mc-wan-cluster-1-target".to_owned(),
            port: 31_111,
        },
        protocol: BackendProtocol::H2c,
        tunnel: Some(Tunnel {
            cluster: "cluster-1".to_owned(),
            policy: policy.to_owned(),
            class: format!("{policy}-class"),
            min_connections: 1,
            max_connections: 2,
            max_age: Duration::from_secs(600),
            max_streams: 100,
            hold_down: Duration::from_secs(5),
            max_hold_down: Duration::from_secs(60),
            dscp: None,
        }),
        endpoints: Vec::new(),
    })
}

pub(crate) fn local() -> Arc<Backend> {
    Arc::new(Backend {
        name: BackendName {
            namespace: "secure".to_owned(),
            service: "payment-local".to_owned(),
            port: 8080,
        },
        protocol: BackendProtocol::Http1,
        tunnel: None,
        endpoints: Vec::new(),
    })
}

pub(crate) fn rule() -> LinkedRule {
    let rule = Arc::new(Rule {
        name: RuleName {
            kind: RouteKind::HTTPRoute,
            namespace: "mc-wan".to_owned(),
            route: "payment-secure".to_owned(),
            index: 3,
            name: None,
        },
        service: Some(ServiceName {
            namespace: "secure".to_owned(),
            name: "payment".to_owned(),
        }),
        filters: Filters::default(),
        action: Action::Forward(Forward {
            failover: true,
            tiers: Vec::new(),
        }),
        timeouts: Timeouts::default(),
        retry: None,
    });
    LinkedRule {
        work: Arc::new(Work::new(&rule, &HashMap::new())),
        rule,
    }
}
