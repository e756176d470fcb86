//! The life of a request: listener → rule → filters → plan → attempt → (retry | failover) → answer → log and metrics.
//!
//! * [`request`] — from the header to a plan.
//! * [`attempt`] — choice of an endpoint, and what became of it.
//! * [`forward`] — the request as an upstream gets it.
//! * [`answer`] — answers of the gateway's own.
//! * [`wan`], [`header`] — headers.
//! * [`shared`] — the one Pingora proxy that runs all this.

mod answer;
mod attempt;
mod budget;
mod context;
mod forward;
mod header;
mod mirror;
mod outcome;
mod request;
pub mod shared;
mod wan;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::HeaderValue;
use mcwan_routing::failure::Failure;
use mcwan_routing::spec::Role;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_error::{Error, ErrorSource, ErrorType, Result};
use pingora_http::{RequestHeader, ResponseHeader};
use pingora_proxy::{FailToProxy, ProxyHttp, ProxyWarnLogContext, Session};

use crate::backends::PeerNeeds;
use crate::live::LiveTable;
use crate::observe::Observer;
pub use attempt::MOST as MOST_ATTEMPTS;
use attempt::Ended;
use budget::Budget;
pub use context::RequestContext;

/// Our filters: everything that a request meets between a client and an upstream.
#[derive(Debug)]
pub struct Edge {
    table: Arc<LiveTable>,
    observer: Arc<Observer>,
    cluster: HeaderValue,
    budget: Budget,
    /// Whether traces that begin here are recorded.
    sample: bool,
}

impl Edge {
    /// Routes by `table` and reports to `observer`.
    ///
    /// # Errors
    /// When the name of the cluster cannot be a header value.
    pub fn new(table: Arc<LiveTable>, observer: Arc<Observer>) -> anyhow::Result<Self> {
        let cluster = HeaderValue::from_str(observer.cluster())?;
        Ok(Self {
            table,
            observer,
            cluster,
            budget: Budget::default(),
            sample: true,
        })
    }

    /// What an error of the attempt under way means.
    fn ended(e: &Error) -> Ended {
        match e.etype() {
            ErrorType::ConnectTimedout | ErrorType::TLSHandshakeTimedout => Ended::NotConnected,
            ErrorType::ReadTimedout | ErrorType::WriteTimedout => Ended::Late,
            _ if matches!(e.retry, pingora_error::RetryType::Decided(true)) => Ended::Refused,
            _ => Ended::Broken,
        }
    }
}

/// An error that stands for a failure; the answer is chosen by the context's `failure`, not by this.
fn failed(ctx: &mut RequestContext, failure: Failure) -> Box<Error> {
    ctx.failure = Some(failure);
    Error::explain(ErrorType::Custom("failure"), failure.line())
}

#[async_trait]
impl ProxyHttp for Edge {
    type CTX = RequestContext;

    fn new_ctx(&self) -> RequestContext {
        RequestContext::new(self.table.load())
    }

    async fn early_request_filter(&self, session: &mut Session, ctx: &mut RequestContext) -> Result<()> {
        request::prepare(session, ctx);
        Ok(())
    }

    async fn request_filter(&self, session: &mut Session, ctx: &mut RequestContext) -> Result<bool> {
        self.route(session, ctx).await
    }

    async fn upstream_peer(&self, session: &mut Session, ctx: &mut RequestContext) -> Result<Box<HttpPeer>> {
        if let Some(pause) = ctx.backoff() {
            tokio::time::sleep(pause.min(ctx.time_left().unwrap_or(pause))).await;
        }
        if ctx.is_late() {
            return Err(failed(ctx, Failure::Timeout));
        }
        if let Err(failure) = ctx.begin_attempt(&self.budget) {
            return Err(failed(ctx, failure));
        }
        let needs = PeerNeeds {
            upgrade: session.is_upgrade_req(),
            time_left: ctx.time_left(),
        };
        let lease = ctx.current.as_ref().and_then(|c| c.lease.as_ref());
        lease.map(|lease| lease.peer(needs)).ok_or_else(|| Error::new(ErrorType::InternalError))
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        upstream: &mut RequestHeader,
        ctx: &mut RequestContext,
    ) -> Result<()> {
        self.prepare_upstream(session, upstream, ctx)?;
        // From here on the header may be on its way.
        ctx.sent = true;
        Ok(())
    }

    async fn request_body_filter(
        &self,
        _session: &mut Session,
        body: &mut Option<Bytes>,
        _end: bool,
        ctx: &mut RequestContext,
    ) -> Result<()> {
        if ctx.is_late() {
            return Err(failed(ctx, Failure::Timeout));
        }
        let _ = body;
        Ok(())
    }

    async fn upstream_response_filter(
        &self,
        session: &mut Session,
        upstream: &mut ResponseHeader,
        ctx: &mut RequestContext,
    ) -> Result<()> {
        if upstream.status.is_informational() && upstream.status != http::StatusCode::SWITCHING_PROTOCOLS {
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
        header::strip_hop_by_hop(response);
        if let Some(filters) = ctx.choice().map(|c| &c.filters) {
            header::modify_response(response, &filters.response_headers);
        }
        if let Some(filters) = ctx.filters() {
            header::modify_response(response, &filters.response_headers);
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
        e.set_retry(self.may_follow(session, ctx, Ended::NotConnected));
        ctx.attempt_failed(Ended::NotConnected);
        if matches!(e.etype(), ErrorType::ConnectTimedout | ErrorType::TLSHandshakeTimedout) {
            ctx.failure = Some(Failure::Timeout);
        }
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
        if ctx.retry_status {
            ctx.retry_status = false;
            e.set_retry(true);
            return e;
        }
        if *e.esource() == ErrorSource::Downstream || ctx.failure == Some(Failure::Timeout) {
            e.set_retry(false);
            return e;
        }
        let ended = Self::ended(&e);
        let retry = session.response_written().is_none() && self.may_follow(session, ctx, ended);
        e.set_retry(retry);
        ctx.attempt_failed(ended);
        e
    }

    async fn fail_to_proxy(&self, session: &mut Session, e: &Error, ctx: &mut RequestContext) -> FailToProxy {
        let failure = self.final_failure(e, ctx);
        ctx.failure = Some(failure);
        let silent = failure == Failure::ClientGone || session.response_written().is_some_and(|r| !r.status.is_informational());
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
        self.complete(session, ctx);
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
