//! Bodies that are read before the first attempt, so that a later one can send them again.
//!
//! Pingora keeps a copy of at most 64 KiB; a larger body is gone once it was sent, and a body that was read before the
//! first attempt without that copy is silently lost: the header goes out with its length, the body never follows. So a
//! body between that and our own limit is read here, the copy is switched on only for its tail, and the body filter puts
//! the whole body in place of the tail, at each attempt. It needs to be known in advance where the tail begins: only
//! bodies with `content-length` are kept.

use std::sync::Arc;

use bytes::BytesMut;
use http::header::CONTENT_LENGTH;
use mcwan_routing::failure::Failure;
use mcwan_routing::retry;
use pingora_error::Result;
use pingora_proxy::Session;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::context::RequestContext;
use super::{Edge, failed};

/// Size of Pingora's own copy, and the most that it reads at a time, in bytes.
const PINGORA_KEEPS: usize = 64 << 10;
/// Largest body that is kept, in bytes.
const LARGEST: usize = 1 << 20;
/// Bodies that are kept at a time; others are sent without the chance of a second attempt.
const BODIES: usize = 64;

/// Room for kept bodies.
#[derive(Debug, Clone)]
pub(super) struct Spool(Arc<Semaphore>);

impl Default for Spool {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(BODIES)))
    }
}

/// A body that is kept.
#[derive(Debug)]
pub(super) struct Spooled {
    pub(super) body: bytes::Bytes,
    _room: OwnedSemaphorePermit,
}

impl Edge {
    /// Reads the body if that is needed to send it twice, and worth it.
    ///
    /// # Errors
    /// When the client does not send what it announced, or not in time.
    pub(super) async fn spool(
        &self,
        session: &mut Session,
        ctx: &mut RequestContext,
    ) -> Result<()> {
        let Some(length) = length(session).filter(|l| (PINGORA_KEEPS + 1..=LARGEST).contains(l))
        else {
            return Ok(());
        };
        if !may_repeat(session, ctx) {
            return Ok(());
        }
        let Ok(room) = Arc::clone(&self.spool.0).try_acquire_owned() else {
            return Ok(());
        };
        let mut body = BytesMut::with_capacity(length);
        while body.len() < length {
            if ctx.is_late() {
                return Err(failed(ctx, Failure::Timeout));
            }
            if length - body.len() <= PINGORA_KEEPS {
                session.as_downstream_mut().enable_retry_buffering();
            }
            match session
                .read_request_body()
                .await
                .map_err(pingora_error::Error::into_down)?
            {
                Some(piece) => body.extend_from_slice(&piece),
                None => return Err(failed(ctx, Failure::BadRequest)),
            }
        }
        ctx.spooled = Some(Spooled {
            body: body.freeze(),
            _room: room,
        });
        Ok(())
    }
}

fn length(session: &Session) -> Option<usize> {
    session
        .req_header()
        .headers
        .get(CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

/// Whether this request may go out more than once after it has been sent.
fn may_repeat(session: &Session, ctx: &RequestContext) -> bool {
    let asked = ctx.linked().and_then(|l| l.work.rule.retry.as_ref());
    let idempotent = retry::is_idempotent(&session.req_header().method);
    asked.is_some_and(|r| r.attempts > 0) || idempotent && ctx.plan.len() > 1
}
