//! What an upstream's answer or an error means for the request: pass it on, try again, or give up; and the report at
//! the end.

use http::header::USER_AGENT;
use mcwan_routing::failure::Failure;
use mcwan_routing::spec::Role;
use pingora_error::{Error, ErrorSource, ErrorType, Result};
use pingora_http::ResponseHeader;
use pingora_proxy::Session;

use super::attempt::{Ended, MOST};
use super::context::RequestContext;
use super::wan::Origin;
use super::{Edge, request, wan};
use crate::observe::Completed;

impl Edge {
    /// Decides whether the answer of the attempt under way is passed on.
    ///
    /// # Errors
    /// When it is not, and another attempt follows.
    pub(super) fn judge_answer(
        &self,
        session: &Session,
        upstream: &ResponseHeader,
        ctx: &mut RequestContext,
    ) -> Result<()> {
        let status = upstream.status.as_u16();
        ctx.attempt_answered(status);
        let tunnel = ctx.current.as_ref().is_some_and(|c| c.backend.tunnel.is_some());
        let unsent = tunnel && Origin::read(&upstream.headers) == Some(Origin::GatewayUnsent);
        let ended = if unsent {
            Ended::Refused
        } else if ctx.retries_on(status) {
            Ended::Status
        } else {
            return Ok(());
        };
        if !self.may_follow(session, ctx, ended) {
            return Ok(());
        }
        ctx.attempt_failed(ended);
        ctx.retry_status = true;
        let mut e = Error::explain(ErrorType::HTTPStatus(status), "another attempt follows");
        e.set_retry(true);
        Err(e)
    }

    /// Whether another attempt may follow the one under way, which ended so.
    pub(super) fn may_follow(&self, session: &Session, ctx: &RequestContext, ended: Ended) -> bool {
        let Some(linked) = ctx.linked() else {
            return false;
        };
        let made = ctx.attempts.len() + 1;
        if made >= MOST || ctx.is_late() {
            return false;
        }
        let downstream = session.as_downstream();
        let replayable = !downstream.retry_buffer_truncated() || ctx.spooled.is_some();
        let asked = linked.rule.retry.as_ref();
        let idempotent = is_idempotent(&session.req_header().method);
        let allowed = asked.map_or(1, |r| usize::try_from(r.attempts).unwrap_or(usize::MAX));
        match ended {
            Ended::NotConnected | Ended::Refused => replayable && (ctx.plan.len() > made || made <= allowed),
            Ended::Broken | Ended::Late => {
                replayable && (idempotent || asked.is_some()) && (ctx.plan.len() > made || made <= allowed)
            }
            Ended::Status => replayable && made <= allowed,
        }
    }

    /// The failure to answer with, or to record, when no attempt follows.
    pub(super) fn final_failure(&self, e: &Error, ctx: &RequestContext) -> Failure {
        match e.esource() {
            ErrorSource::Downstream => match e.etype() {
                ErrorType::WriteError | ErrorType::ReadError | ErrorType::ConnectionClosed | ErrorType::WriteTimedout | ErrorType::H2Error => {
                    Failure::ClientGone
                }
                ErrorType::ReadTimedout => Failure::Timeout,
                _ => Failure::BadRequest,
            },
            ErrorSource::Upstream => ctx.failure.unwrap_or(Failure::Upstream),
            ErrorSource::Internal | ErrorSource::Unset => ctx.failure.unwrap_or(Failure::Internal),
        }
    }

    /// Reports the finished request.
    pub(super) fn complete(&self, session: &Session, ctx: &mut RequestContext) {
        ctx.end_attempt(if ctx.failure.is_some() { "given_up" } else { "" });
        let (Some(trace), Some(request_id)) = (&ctx.trace, &ctx.request_id) else {
            return;
        };
        let client = session.req_header();
        let downstream = session.as_downstream();
        let connection = ctx.connection.as_deref();
        let ingress = ctx.role() == Role::Ingress;
        self.observer.completed(&Completed {
            start: ctx.started_at,
            duration: ctx.start.elapsed(),
            role: ctx.role(),
            method: &client.method,
            authority: request::authority(client),
            path: client.uri.path_and_query().map_or("/", |p| p.as_str()).as_bytes(),
            protocol: protocol(client.version),
            user_agent: client.headers.get(USER_AGENT).map_or(b"", |v| v.as_bytes()),
            downstream: connection.map(|c| c.client),
            local: connection.map(|c| c.socket),
            source_cluster: wan::source(&client.headers).filter(|_| ingress),
            trace,
            request_id,
            status: session.response_written().map_or(0, |r| r.status.as_u16()),
            bytes_received: whole(downstream.body_bytes_read()),
            bytes_sent: whole(downstream.body_bytes_sent()),
            rule: ctx.linked(),
            attempts: &ctx.attempts,
            failure: ctx.failure,
        });
    }
}

fn whole(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

/// Names of the protocols that clients can speak here.
const fn protocol(version: http::Version) -> &'static str {
    match version {
        http::Version::HTTP_2 => "HTTP/2",
        http::Version::HTTP_10 => "HTTP/1.0",
        _ => "HTTP/1.1",
    }
}

/// RFC 9110 §9.2.2.
fn is_idempotent(method: &http::Method) -> bool {
    method.is_idempotent()
}

impl RequestContext {
    /// Whether the route wants another attempt after this status.
    fn retries_on(&self, status: u16) -> bool {
        let retry = self.linked().and_then(|l| l.rule.retry.as_ref());
        retry.is_some_and(|r| r.codes.contains(&status))
    }
}
