//! The request body's way into an HTTP/2 stream.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use h2::{Reason, SendStream};
use http::HeaderMap;
use parking_lot::Mutex;
use pingora_core::protocols::http::custom::BodyWrite;
use pingora_error::{Error, ErrorType, Result};
use tokio::time::{Instant, timeout, timeout_at};

use super::headers::clean_trailers;

/// Trailers of a request, put into `RequestHeader::extensions_mut()` before it is sent, and filled before its body
/// ends. Pingora has no place for them.
#[derive(Debug, Clone, Default)]
pub struct RequestTrailers(pub Arc<Mutex<Option<HeaderMap>>>);

/// The sending half of a stream, shared by the session (which may reset it) and the body writer.
#[derive(Debug, Clone)]
pub(crate) struct SendHalf(Arc<Mutex<SendStream<Bytes>>>);

impl SendHalf {
    pub(crate) fn new(stream: SendStream<Bytes>) -> Self {
        Self(Arc::new(Mutex::new(stream)))
    }

    pub(crate) fn reset(&self, reason: Reason) {
        self.0.lock().send_reset(reason);
    }

    async fn capacity(&self, wanted: usize) -> Option<std::result::Result<usize, h2::Error>> {
        self.0.lock().reserve_capacity(wanted);
        poll_fn(|cx| self.0.lock().poll_capacity(cx)).await
    }

    fn send(&self, data: Bytes) -> bool {
        self.0.lock().send_data(data, false).is_ok()
    }
}

/// Bytes that a request may hand to the HTTP/2 layer beyond the peer's window: the first part at once, the rest at one
/// chunk per [`SLOW`].
///
/// Pingora awaits the write of a chunk in the same `select!` that moves the response. As long as a write waits for the
/// window, no response byte goes downstream; a peer that does not read because we do not read (an echo, a
/// bidirectional stream) would wait for ever. So a write does not wait for the window while the response waits.
const SPILL_FAST: usize = 4 << 20;
const SPILL_MOST: usize = 64 << 20;
const QUICK: Duration = Duration::from_millis(2);
const SLOW: Duration = Duration::from_millis(10);
const RARE: Duration = Duration::from_millis(50);

/// Pingora's body writer for one stream.
#[derive(Debug)]
pub(crate) struct BodyWriter {
    pub(crate) half: SendHalf,
    pub(crate) timeout: Option<Duration>,
    pub(crate) trailers: Option<RequestTrailers>,
    /// A chunk of the response was handed to Pingora, and the next one not yet asked for.
    pub(crate) response_waits: Arc<AtomicBool>,
    /// The peer has stopped reading (reset, end of the response, dead connection): the rest is thrown away.
    pub(crate) closed: bool,
    pub(crate) spilled: usize,
}

impl BodyWriter {
    async fn write(&mut self, data: &mut Bytes) {
        let mut patience = if self.spilled < SPILL_FAST {
            QUICK
        } else {
            SLOW
        };
        while !data.is_empty() && !self.closed {
            match timeout(patience, self.half.capacity(data.len())).await {
                Ok(Some(Ok(0))) => tokio::task::yield_now().await,
                Ok(Some(Ok(room))) => {
                    self.spilled = 0;
                    let chunk = data.split_to(room.min(data.len()));
                    self.closed = !self.half.send(chunk);
                }
                Ok(Some(Err(_)) | None) => self.closed = true,
                Err(_) if self.may_spill() => {
                    self.spilled += data.len();
                    self.closed = !self.half.send(std::mem::take(data));
                }
                // A peer that is only slow: ask less and less often whether a response has come to wait.
                Err(_) => patience = (patience * 2).min(RARE),
            }
        }
        // The response moves in the same task: let it, between two chunks.
        tokio::task::yield_now().await;
    }

    fn may_spill(&self) -> bool {
        self.spilled < SPILL_MOST && self.response_waits.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl BodyWrite for BodyWriter {
    /// Never fails because the peer has stopped reading: Pingora would then end a request whose response may be
    /// complete. The reading side has the real error.
    async fn write_all_buf(&mut self, data: &mut Bytes) -> Result<()> {
        let Some(limit) = self.timeout else {
            self.write(data).await;
            data.clear();
            return Ok(());
        };
        if timeout_at(Instant::now() + limit, self.write(data))
            .await
            .is_err()
        {
            self.half.reset(Reason::CANCEL);
            self.closed = true;
            return Error::e_explain(ErrorType::WriteTimedout, "writing a request body");
        }
        data.clear();
        Ok(())
    }

    async fn finish(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.closed, true) {
            return Ok(());
        }
        let trailers = self.trailers.as_ref().and_then(|t| t.0.lock().take());
        let mut half = self.half.0.lock();
        let ended = match trailers {
            Some(mut trailers) => {
                clean_trailers(&mut trailers);
                half.send_trailers(trailers)
            }
            None => half.send_data(Bytes::new(), true),
        };
        if let Err(error) = ended {
            tracing::trace!(%error, "end of a request body");
        }
        Ok(())
    }

    async fn cleanup(&mut self) -> Result<()> {
        Ok(())
    }

    fn upgrade_body_writer(&mut self) {}
}
