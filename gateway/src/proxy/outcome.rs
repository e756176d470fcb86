//! What an upstream's answer or an error means for the request: pass it on, try again, or give up.

use mcwan_routing::failure::Failure;
use mcwan_routing::retry;
use pingora_error::{Error, ErrorSource, ErrorType, Result, RetryType};
use pingora_http::ResponseHeader;
use pingora_proxy::Session;

use super::attempt::{Ended, Exchange};
use super::context::RequestContext;
use super::wan::Origin;
use super::{Edge, OUR_FAILURE};

/// What is known of the request on `session`.
pub(super) fn exchange(session: &Session, ctx: &RequestContext) -> Exchange {
    let written = session.response_written();
    Exchange {
        idempotent: retry::is_idempotent(&session.req_header().method) && !session.is_upgrade_req(),
        response_begun: written.is_some_and(|r| {
            !r.status.is_informational() || r.status == http::StatusCode::SWITCHING_PROTOCOLS
        }),
        replayable: ctx.spooled.is_some() || !session.as_downstream().retry_buffer_truncated(),
    }
}

/// What an error of the attempt under way means.
pub(super) fn ended(e: &Error) -> Ended {
    match e.etype() {
        ErrorType::ReadTimedout | ErrorType::WriteTimedout => Ended::Late,
        _ if matches!(e.retry, RetryType::Decided(true)) => Ended::Refused,
        _ => Ended::Broken,
    }
}

/// What an error means that came before there was a connection.
pub(super) fn ended_unconnected(e: &Error) -> Ended {
    match e.etype() {
        ErrorType::ConnectTimedout | ErrorType::TLSHandshakeTimedout => Ended::ConnectedLate,
        _ => Ended::NotConnected,
    }
}

/// The failure to answer with, or to record, when no attempt follows.
pub(super) fn final_failure(e: &Error, ctx: &RequestContext) -> Failure {
    if *e.etype() == OUR_FAILURE {
        return ctx.failure.unwrap_or(Failure::Internal);
    }
    match (e.esource(), e.etype()) {
        (
            ErrorSource::Downstream,
            ErrorType::WriteError
            | ErrorType::ReadError
            | ErrorType::ConnectionClosed
            | ErrorType::WriteTimedout
            | ErrorType::H2Error,
        ) => Failure::ClientGone,
        (ErrorSource::Downstream, ErrorType::ReadTimedout) => Failure::Timeout,
        (ErrorSource::Downstream, _) => Failure::BadRequest,
        (ErrorSource::Upstream, _) => ctx.failure.unwrap_or(Failure::Upstream),
        (ErrorSource::Internal | ErrorSource::Unset, ErrorType::InvalidHTTPHeader) => {
            Failure::BadRequest
        }
        (ErrorSource::Internal | ErrorSource::Unset, _) => ctx.failure.unwrap_or(Failure::Internal),
    }
}

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
        if let Some(ended) = rejected(upstream, ctx)
            && ctx.plan_next(exchange(session, ctx), ended, &self.budget)
        {
            ctx.attempt_failed(ended);
            ctx.again = true;
            let mut e = Error::explain(ErrorType::HTTPStatus(status), "another attempt follows");
            e.set_retry(true);
            return Err(e);
        }
        // Earlier attempts no longer matter.
        ctx.failure = None;
        Ok(())
    }
}

/// Why an answer should not be passed on if there is something better; None for most.
fn rejected(upstream: &ResponseHeader, ctx: &RequestContext) -> Option<Ended> {
    let status = upstream.status.as_u16();
    let tunnel = ctx
        .current
        .as_ref()
        .is_some_and(|c| c.backend.tunnel.is_some());
    match Origin::read(&upstream.headers).filter(|_| tunnel && status >= 400) {
        Some(Origin::GatewayUnsent) => return Some(Ended::Refused),
        Some(Origin::Gateway) if status >= 500 => return Some(Ended::FarGateway),
        Some(Origin::Gateway | Origin::Backend) | None => {}
    }
    let retry = ctx.linked()?.work.rule.retry.as_ref()?;
    retry
        .codes
        .contains(&status)
        .then_some(Ended::Status(status))
}
