//! One request over an HTTP/2 connection, as Pingora drives it.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::Stream;
use h2::client::ResponseFuture;
use h2::{Reason, RecvStream};
use http::{HeaderMap, StatusCode};
use pingora_core::protocols::http::custom::client::Session;
use pingora_core::protocols::http::custom::{BodyWrite, CustomMessageWrite};
use pingora_core::protocols::l4::socket::SocketAddr;
use pingora_core::protocols::{Digest, UniqueIDType};
use pingora_error::{Error, ErrorType, OkOrErr, Result, RetryType};
use pingora_http::{RequestHeader, ResponseHeader};
use tokio::time::{Instant, timeout_at};

use super::body::{BodyWriter, RequestTrailers, SendHalf};
use super::headers::to_http2;
use super::pool::Ticket;

/// Other connections tried when the one of the ticket takes no new stream.
const EXCHANGES: usize = 3;

/// One request and its response. Dropped before the response is complete, it cancels its stream, and only that.
#[derive(Debug)]
pub struct UpstreamSession {
    ticket: Ticket,
    sending: Option<SendHalf>,
    trailers: Option<RequestTrailers>,
    response: Option<ResponseFuture>,
    receiving: Option<RecvStream>,
    header: Option<ResponseHeader>,
    /// Nothing more comes, or nothing more is wanted.
    finished: bool,
    /// End of the time for the whole response.
    deadline: Option<Instant>,
    write_timeout: Option<Duration>,
    response_waits: Arc<AtomicBool>,
}

impl UpstreamSession {
    pub(crate) fn new(ticket: Ticket) -> Self {
        Self {
            ticket,
            sending: None,
            trailers: None,
            response: None,
            receiving: None,
            header: None,
            finished: false,
            deadline: None,
            write_timeout: None,
            response_waits: Arc::default(),
        }
    }

    fn cancel(&mut self) {
        if let Some(half) = &self.sending {
            half.reset(Reason::CANCEL);
        }
        self.finished = true;
    }

    /// Runs one step of the response within the deadline. Its expiry ends this stream; the connection stays.
    async fn in_time<T>(
        deadline: Option<Instant>,
        what: &'static str,
        step: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let Some(deadline) = deadline else {
            return step.await;
        };
        timeout_at(deadline, step)
            .await
            .unwrap_or_else(|_| Error::e_explain(ErrorType::ReadTimedout, what))
    }

    fn after<T>(&mut self, result: Result<T>) -> Result<T> {
        if result
            .as_ref()
            .is_err_and(|e| e.etype() == &ErrorType::ReadTimedout)
        {
            self.cancel();
        }
        result
    }

    /// What the HTTP/2 layer says, as Pingora's error with its retry mark.
    fn failed(&self, error: h2::Error, what: &'static str, answered: bool) -> Box<Error> {
        // A stream above the last id of a GOAWAY, or refused: not processed (RFC 9113 §6.8, §8.7).
        let unprocessed = (error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM))
            || (error.is_go_away() && error.is_remote());
        let broken = error.is_io();
        let kind = if broken {
            ErrorType::ConnectionClosed
        } else {
            ErrorType::H2Error
        };
        let context = match self.ticket.connection.end() {
            Some(end) => format!("{what}: {}", end.reason()),
            None => what.to_owned(),
        };
        let mut result = Error::because(kind, context, error);
        result.retry = match (answered, unprocessed, broken) {
            (false, true, _) => RetryType::Decided(true),
            (false, false, true) => RetryType::ReusedOnly,
            _ => RetryType::Decided(false),
        };
        result
    }

    /// The next header: informational ones first.
    async fn next_header(&mut self) -> Result<()> {
        let response = self
            .response
            .as_mut()
            .or_err(ErrorType::ReadError, "no request was sent")?;
        let next = poll_fn(|cx| {
            if let Poll::Ready(Some(informational)) = response.poll_informational(cx) {
                return Poll::Ready(informational.map(|head| (head.into_parts().0, None)));
            }
            Pin::new(&mut *response).poll(cx).map_ok(|response| {
                let (head, body) = response.into_parts();
                (head, Some(body))
            })
        })
        .await;
        let (head, body) = next.map_err(|e| self.failed(e, "waiting for a response", false))?;
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            // There is no 101 in HTTP/2 (RFC 9113 §8.6).
            return Error::e_explain(ErrorType::InvalidH2, "101 over HTTP/2");
        }
        self.header = Some(head.into());
        if let Some(body) = body {
            self.receiving = Some(body);
            self.response = None;
        }
        Ok(())
    }

    async fn next_data(&mut self) -> Result<Option<Bytes>> {
        let receiving = self
            .receiving
            .as_mut()
            .or_err(ErrorType::ReadError, "no response header")?;
        match receiving.data().await {
            None => Ok(None),
            Some(Ok(data)) => {
                // Pingora's queue is bounded: the peer is held back by it, not by the window.
                if let Err(error) = receiving.flow_control().release_capacity(data.len()) {
                    return Err(self.failed(error, "reading a response body", true));
                }
                self.response_waits.store(true, Ordering::Relaxed);
                Ok(Some(data))
            }
            Some(Err(error)) => Err(self.failed(error, "reading a response body", true)),
        }
    }

    async fn next_trailers(&mut self) -> Result<Option<HeaderMap>> {
        let Some(receiving) = self.receiving.as_mut() else {
            return Ok(None);
        };
        match receiving.trailers().await {
            Ok(trailers) => {
                self.finished = true;
                Ok(trailers)
            }
            Err(error) => Err(self.failed(error, "reading response trailers", true)),
        }
    }
}

#[async_trait]
impl Session for UpstreamSession {
    async fn write_request_header(
        &mut self,
        mut request: Box<RequestHeader>,
        end: bool,
    ) -> Result<()> {
        self.trailers = request.extensions_mut().remove::<RequestTrailers>();
        let request = to_http2(*request, false)?;
        for _ in 0..EXCHANGES {
            let mut sender = self.ticket.connection.sender();
            let ready = poll_fn(|cx| sender.poll_ready(cx)).await;
            match ready.and_then(|()| sender.send_request(request.clone(), end)) {
                Ok((response, half)) => {
                    self.response = Some(response);
                    self.sending = Some(SendHalf::new(half));
                    return Ok(());
                }
                // The connection said GOAWAY after the ticket was taken. Nothing was sent.
                Err(error) => {
                    tracing::debug!(%error, "connection takes no new stream");
                    self.ticket.exchange().await?;
                }
            }
        }
        let mut error = Error::explain(ErrorType::H2Error, "no connection takes a new stream");
        error.set_retry(true);
        Err(error)
    }

    async fn write_request_body(&mut self, mut data: Bytes, end: bool) -> Result<()> {
        let mut writer = self
            .take_request_body_writer()
            .or_err(ErrorType::WriteError, "no request was sent")?;
        writer.write_all_buf(&mut data).await?;
        if end {
            writer.finish().await?;
        }
        Ok(())
    }

    async fn finish_request_body(&mut self) -> Result<()> {
        let mut writer = self
            .take_request_body_writer()
            .or_err(ErrorType::WriteError, "no request was sent")?;
        writer.finish().await
    }

    /// The time for the whole response, from now: an attempt that drips byte by byte does not last for ever
    /// (GEP-1742: `backendRequest` ends with the last byte of the response).
    fn set_read_timeout(&mut self, timeout: Option<Duration>) {
        self.deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) {
        self.write_timeout = timeout;
    }

    async fn read_response_header(&mut self) -> Result<()> {
        let result =
            Self::in_time(self.deadline, "waiting for a response", self.next_header()).await;
        self.after(result)
    }

    async fn read_response_body(&mut self) -> Result<Option<Bytes>> {
        if self.finished {
            return Ok(None);
        }
        self.response_waits.store(false, Ordering::Relaxed);
        let result =
            Self::in_time(self.deadline, "reading a response body", self.next_data()).await;
        self.after(result)
    }

    fn response_finished(&self) -> bool {
        self.finished
    }

    async fn shutdown(&mut self, _code: u32, _context: &str) {
        self.cancel();
    }

    fn response_header(&self) -> Option<&ResponseHeader> {
        self.header.as_ref()
    }

    fn was_upgraded(&self) -> bool {
        false
    }

    fn digest(&self) -> Option<&Digest> {
        Some(&self.ticket.connection.digest)
    }

    /// The digest belongs to the connection, which other requests share.
    fn digest_mut(&mut self) -> Option<&mut Digest> {
        None
    }

    fn server_addr(&self) -> Option<&SocketAddr> {
        self.digest()?.socket_digest.as_ref()?.peer_addr()
    }

    fn client_addr(&self) -> Option<&SocketAddr> {
        self.digest()?.socket_digest.as_ref()?.local_addr()
    }

    async fn read_trailers(&mut self) -> Result<Option<HeaderMap>> {
        if self.finished {
            return Ok(None);
        }
        let result = Self::in_time(
            self.deadline,
            "reading response trailers",
            self.next_trailers(),
        )
        .await;
        self.after(result)
    }

    fn fd(&self) -> UniqueIDType {
        self.ticket.connection.fd
    }

    async fn check_response_end_or_error(&mut self, _headers: bool) -> Result<bool> {
        let end = self
            .receiving
            .as_ref()
            .is_some_and(RecvStream::is_end_stream);
        self.finished |= end;
        Ok(end)
    }

    fn take_request_body_writer(&mut self) -> Option<Box<dyn BodyWrite>> {
        Some(Box::new(BodyWriter {
            half: self.sending.clone()?,
            timeout: self.write_timeout,
            trailers: self.trailers.take(),
            response_waits: Arc::clone(&self.response_waits),
            closed: false,
            spilled: 0,
        }))
    }

    // HTTP/2 has no custom messages. Reader and writer must be there all the same, and the reader must end, or Pingora
    // waits for it after the response.

    async fn finish_custom(&mut self) -> Result<()> {
        Ok(())
    }

    fn take_custom_message_reader(
        &mut self,
    ) -> Option<Box<dyn Stream<Item = Result<Bytes>> + Unpin + Send + Sync + 'static>> {
        Some(Box::new(futures::stream::empty()))
    }

    async fn drain_custom_messages(&mut self) -> Result<()> {
        Ok(())
    }

    fn take_custom_message_writer(&mut self) -> Option<Box<dyn CustomMessageWrite>> {
        Some(Box::new(()))
    }
}

impl Drop for UpstreamSession {
    fn drop(&mut self) {
        // The HTTP/2 layer resets by itself when all handles are gone, but the body writer may live longer.
        if self.sending.is_some() && !self.finished {
            self.cancel();
        }
    }
}

#[cfg(test)]
mod tests;
