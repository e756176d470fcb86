//! The life of a request: listener → rule → filters → plan → attempt → (retry | failover) → answer → log and metrics.
//!
//! * `request` — from the header to a plan.
//! * `attempt` — choice of an endpoint, and what became of it.
//! * `forward` — the request as an upstream gets it.
//! * `outcome`, `finish` — what an answer or an error means; the report at the end.
//! * `answer` — answers of the gateway's own.
//! * `mirror`, `spool` — bodies that go out more than once.
//! * `wan`, `header` — headers.
//! * [`shared`] — the one Pingora proxy that runs all this.

mod answer;
mod attempt;
mod budget;
mod context;
mod finish;
mod forward;
mod header;
mod mirror;
mod outcome;
mod request;
pub mod shared;
mod spool;
mod wan;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::StatusCode;
use http::header::{HeaderValue, ORIGIN};
use mcwan_routing::failure::Failure;
use mcwan_routing::spec::Role;
use pingora_core::modules::http::HttpModules;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_error::{Error, ErrorSource, ErrorType, Result};
use pingora_http::{RequestHeader, ResponseHeader};
use pingora_proxy::{FailToProxy, ProxyHttp, ProxyWarnLogContext, Session};
use tokio_util::task::TaskTracker;

use crate::backends::PeerNeeds;
use crate::live::LiveTable;
use crate::observe::Observer;
use crate::upstream::connector::UpstreamConnector;
pub use attempt::MOST as MOST_ATTEMPTS;
use budget::Budget;
pub use context::RequestContext;
use header::ResponseTarget;
use mirror::Mirrors;
use spool::Spool;

/// Our filters: everything that a request meets between a client and an upstream.
#[derive(Debug)]
pub struct Edge {
    table: Arc<LiveTable>,
    observer: Arc<Observer>,
    /// The name of our cluster, as it is sent to peers; taken from the observer at the first request that needs it.
    cluster: OnceLock<HeaderValue>,
    budget: Budget,
    mirrors: Mirrors,
    spool: Spool,
    /// Whether traces that begin here are recorded.
    sample: bool,
    /// An idle HTTP/1 connection is closed after so many seconds; at least 1, because 0 is Pingora's word for never.
    keepalive: u64,
}

impl Edge {
    /// Routes by `table` and reports to `observer`. Copies of requests are tasks of `tasks`; `idle` is the time that an
    /// HTTP/1 connection is kept without requests.
    ///
    /// # Errors
    /// When the name of the cluster cannot be a header value.
    pub fn new(
        table: Arc<LiveTable>,
        observer: Arc<Observer>,
        tasks: TaskTracker,
        idle: Duration,
    ) -> anyhow::Result<Self> {
        HeaderValue::from_str(observer.cluster())?;
        let connector = UpstreamConnector::new(Arc::clone(table.registry()));
        Ok(Self {
            mirrors: Mirrors::new(connector, tasks),
            table,
            observer,
            cluster: OnceLock::new(),
            budget: Budget::default(),
            spool: Spool::default(),
            sample: true,
            keepalive: idle.as_secs().max(1),
        })
    }

    /// The name of our cluster, for peers.
    fn cluster(&self) -> &HeaderValue {
        self.cluster.get_or_init(|| {
            let name = HeaderValue::from_str(self.observer.cluster());
            name.unwrap_or_else(|_not_a_label| HeaderValue::from_static("unknown"))
        })
    }

    /// Begins the copies of a request that goes out with `header`.
    fn mirror(&self, session: &mut Session, header: &RequestHeader, ctx: &mut RequestContext) {
        let Some(linked) = ctx.linked().filter(|l| !l.work.mirrors.is_empty()) else {
            return;
        };
        let bodiless = session.as_downstream_mut().is_body_empty();
        ctx.copies = self.mirrors.begin(linked, header, bodiless);
    }
}

/// Type of errors that stand for a failure of ours; the context says which.
const OUR_FAILURE: ErrorType = ErrorType::Custom("failure");

/// An error that ends the request with `failure`.
fn failed(ctx: &mut RequestContext, failure: Failure) -> Box<Error> {
    ctx.failure = Some(failure);
    Error::explain(OUR_FAILURE, failure.line())
}

#[async_trait]
impl ProxyHttp for Edge {
    type CTX = RequestContext;

    fn new_ctx(&self) -> RequestContext {
        RequestContext::new(self.table.load())
    }

    /// None: Pingora's default is a compression module that every header and body chunk would pass, switched off.
    fn init_downstream_modules(&self, _modules: &mut HttpModules) {}

    async fn early_request_filter(
        &self,
        session: &mut Session,
        ctx: &mut RequestContext,
    ) -> Result<()> {
        request::prepare(session, ctx, self.keepalive);
        Ok(())
    }

    async fn request_filter(
        &self,
        session: &mut Session,
        ctx: &mut RequestContext,
    ) -> Result<bool> {
        self.route(session, ctx).await
    }

    async fn upstream_peer(
        &self,
        session: &mut Session,
        ctx: &mut RequestContext,
    ) -> Result<Box<HttpPeer>> {
        if !ctx.pause.is_zero() {
            tokio::time::sleep(ctx.pause.min(ctx.time_left().unwrap_or(ctx.pause))).await;
        }
        if ctx.is_late() {
            return Err(failed(ctx, Failure::Timeout));
        }
        if let Err(failure) = ctx.begin_attempt() {
            return Err(failed(ctx, failure));
        }
        let upgrade = session.is_upgrade_req();
        let needs = PeerNeeds {
            upgrade,
            // It would go on to bound each pause of the upgraded connection.
            time_left: ctx.time_left().filter(|_| !upgrade),
        };
        let lease = ctx.current.as_ref().and_then(|c| c.lease.as_ref());
        lease
            .map(|lease| lease.peer(needs))
            .ok_or_else(|| Error::new(ErrorType::InternalError))
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        upstream: &mut RequestHeader,
        ctx: &mut RequestContext,
    ) -> Result<()> {
        self.prepare_upstream(session, upstream, ctx)?;
        if ctx.attempts.is_empty() {
            self.mirror(session, upstream, ctx);
        }
        self.enter_import(upstream, ctx)
    }

    async fn request_body_filter(
        &self,
        _session: &mut Session,
        body: &mut Option<Bytes>,
        end: bool,
        ctx: &mut RequestContext,
    ) -> Result<()> {
        if ctx.is_late() {
            return Err(failed(ctx, Failure::Timeout));
        }
        if let Some(spooled) = &ctx.spooled {
            // What comes is the tail that Pingora kept.
            *body = end.then(|| spooled.body.clone());
        }
        ctx.mirror_body(body.as_ref(), end);
        Ok(())
    }

    async fn upstream_response_filter(
        &self,
        session: &mut Session,
        upstream: &mut ResponseHeader,
        ctx: &mut RequestContext,
    ) -> Result<()> {
        if upstream.status.is_informational() && upstream.status != StatusCode::SWITCHING_PROTOCOLS
        {
            return Ok(());
        }
        self.judge_answer(session, upstream, ctx)
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        ctx: &mut RequestContext,
    ) -> Result<()> {
        if response.status == StatusCode::SWITCHING_PROTOCOLS {
            // From here on both sides may be silent for as long as they like.
            session.set_read_timeout(None);
            ctx.unlimited();
        }
        header::strip_hop_by_hop(response);
        let [outside, inside] = ctx.filters_on_the_way();
        // On the way back the innermost come first.
        let way_back = [inside, outside].into_iter();
        let way_back = way_back.flat_map(|(filters, _)| filters.into_iter().rev());
        for filters in way_back.flatten() {
            let mut response = ResponseTarget(response);
            filters.response_headers.apply(&mut response);
        }
        if let Some(cors) = ctx.cors() {
            let changes =
                cors.response(session.req_header().headers.get(ORIGIN), &response.headers);
            changes.apply(&mut ResponseTarget(response));
        }
        wan::strip_response(response);
        if ctx.role() == Role::Ingress {
            wan::Origin::Backend.write(response);
        }
        if ctx.connection.as_ref().is_some_and(|c| c.draining()) {
            session.set_keepalive(None);
        }
        Ok(())
    }

    fn response_body_filter(
        &self,
        _session: &mut Session,
        _body: &mut Option<Bytes>,
        _end: bool,
        ctx: &mut RequestContext,
    ) -> Result<Option<Duration>> {
        if ctx.is_late() {
            return Err(failed(ctx, Failure::Timeout));
        }
        Ok(None)
    }

    fn fail_to_connect(
        &self,
        session: &mut Session,
        _peer: &HttpPeer,
        ctx: &mut RequestContext,
        mut e: Box<Error>,
    ) -> Box<Error> {
        let ended = outcome::ended_unconnected(&e);
        let exchange = outcome::exchange(session, ctx);
        e.set_retry(ctx.plan_next(exchange, ended, &self.budget));
        ctx.attempt_failed(ended);
        e
    }

    fn error_while_proxy(
        &self,
        _peer: &HttpPeer,
        session: &mut Session,
        mut e: Box<Error>,
        ctx: &mut RequestContext,
        _reused: bool,
    ) -> Box<Error> {
        let again = std::mem::take(&mut ctx.again);
        if again || *e.esource() == ErrorSource::Downstream || *e.etype() == OUR_FAILURE {
            // Pingora panics when this is left undecided.
            e.set_retry(again);
            return e;
        }
        let ended = outcome::ended(&e);
        let exchange = outcome::exchange(session, ctx);
        e.set_retry(ctx.plan_next(exchange, ended, &self.budget));
        ctx.attempt_failed(ended);
        e
    }

    async fn fail_to_proxy(
        &self,
        session: &mut Session,
        e: &Error,
        ctx: &mut RequestContext,
    ) -> FailToProxy {
        let failure = outcome::final_failure(e, ctx);
        ctx.failure = Some(failure);
        let silent = failure == Failure::ClientGone
            || session
                .response_written()
                .is_some_and(|r| !r.status.is_informational());
        session.set_keepalive(None);
        if !silent && answer::failure(session, ctx, failure).await.is_err() {
            ctx.failure = Some(Failure::ClientGone);
        }
        if session.as_downstream().as_http1().is_some() {
            session.as_downstream_mut().shutdown().await;
        }
        FailToProxy {
            error_code: if silent { 0 } else { failure.status() },
            can_reuse_downstream: false,
        }
    }

    async fn logging(&self, session: &mut Session, _e: Option<&Error>, ctx: &mut RequestContext) {
        ctx.complete(session);
    }

    fn suppress_error_log(&self, _session: &Session, _ctx: &RequestContext, _e: &Error) -> bool {
        // The access log says it.
        true
    }

    fn suppress_proxy_warn_log(
        &self,
        _session: &Session,
        _ctx: &RequestContext,
        _e: &Error,
        _context: ProxyWarnLogContext,
    ) -> bool {
        true
    }
}
