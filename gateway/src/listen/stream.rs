//! The stream between a client and Pingora: gathers small writes, bounds request heads, ends idle connections on drain.
//!
//! Pingora gives streams of foreign accept loops no buffers: each HTTP/1 answer would cost two writes. And it bounds each
//! read of a request head, but not the head: a client that sends one byte a minute would hold its connection for ever.

use std::future::Future as _;
use std::io;
use std::os::fd::AsRawFd as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use mcwan_routing::failure::Failure;
use pingora_core::protocols::raw_connect::ProxyDigest;
use pingora_core::protocols::{
    GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl,
    TimingDigest, UniqueID, UniqueIDType,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep};

use super::connection::SharedConnection;
use super::refusal::Refusal;
use crate::observe::Observer;

/// Writes up to this size wait for a flush, in bytes: a response header and a small body leave together.
const GATHER: usize = 4096;
/// A buffer up to this size stays allocated while the connection is idle.
const KEPT: usize = 1024;
/// Bounds of one request head (HTTP/1).
#[derive(Debug, Clone, Copy)]
pub struct HeadLimits {
    /// From its first byte to its last.
    pub deadline: Duration,
    /// In bytes; a larger one is answered with 431.
    pub bytes: usize,
}

impl Default for HeadLimits {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(30),
            // Pingora reads into a buffer that doubles, and answers 400 itself beyond 1 MiB.
            bytes: 256 << 10,
        }
    }
}

/// Progress of the request head that is being read.
#[derive(Debug, Default)]
struct Head {
    read: usize,
    began: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

/// A client's connection as Pingora sees it.
#[derive(Debug)]
pub(super) struct ClientStream {
    tcp: TcpStream,
    connection: SharedConnection,
    observer: Arc<Observer>,
    /// Bytes read before the protocol was known.
    prefix: Bytes,
    /// None for HTTP/2, whose codec bounds heads and gathers writes itself.
    limits: Option<HeadLimits>,
    head: Head,
    out: Vec<u8>,
    /// Whether a request on this connection was refused before the proxy saw it.
    refused: bool,
    half_closed: Option<oneshot::Sender<TcpStream>>,
    parting: Option<oneshot::Sender<TcpStream>>,
    digest: Arc<ProxyDigest>,
    socket: Arc<SocketDigest>,
}

/// What a stream is made of.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) tcp: TcpStream,
    pub(super) connection: SharedConnection,
    pub(super) observer: Arc<Observer>,
    pub(super) prefix: Bytes,
    pub(super) limits: Option<HeadLimits>,
    /// Told when the client has closed its sending side, with a second handle of the socket to watch for a reset.
    pub(super) half_closed: Option<oneshot::Sender<TcpStream>>,
    /// Given a second handle of the socket when Pingora is done with it while the client may still send.
    pub(super) parting: Option<oneshot::Sender<TcpStream>>,
}

impl ClientStream {
    pub(super) fn new(parts: Parts, digest: Arc<ProxyDigest>) -> Self {
        let socket = SocketDigest::from_raw_fd(parts.tcp.as_raw_fd());
        let _set_once = socket.peer_addr.set(Some(parts.connection.client.into()));
        Self {
            tcp: parts.tcp,
            connection: parts.connection,
            observer: parts.observer,
            prefix: parts.prefix,
            limits: parts.limits,
            head: Head::default(),
            out: Vec::new(),
            refused: false,
            half_closed: parts.half_closed,
            parting: parts.parting,
            digest,
            socket: Arc::new(socket),
        }
    }

    /// Reads from the prefix, then from the socket.
    fn poll_bytes(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.prefix.is_empty() {
            return Pin::new(&mut self.tcp).poll_read(cx, buf);
        }
        let n = self.prefix.len().min(buf.remaining());
        buf.put_slice(&self.prefix.split_to(n));
        Poll::Ready(Ok(()))
    }

    /// Reads while a request head is awaited, within `limits`.
    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
        limits: HeadLimits,
    ) -> Poll<io::Result<()>> {
        if self.head.read > limits.bytes {
            self.refuse(
                Failure::HeaderTooLarge,
                (431, "Request Header Fields Too Large"),
            );
            return Poll::Ready(Err(io::Error::other("request header too large")));
        }
        let before = buf.filled().len();
        if let Poll::Ready(read) = self.poll_bytes(cx, buf) {
            self.head.read += buf.filled().len() - before;
            if self.head.read > 0 {
                self.head.began.get_or_insert_with(Instant::now);
            }
            return Poll::Ready(read);
        }
        match self.head.began {
            Some(began) => self.poll_deadline(cx, began + limits.deadline),
            None => self.poll_idle(cx),
        }
    }

    /// A part of a head has been read, the rest is late.
    fn poll_deadline(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<io::Result<()>> {
        let timer = self
            .head
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        ready!(timer.as_mut().poll(cx));
        self.refuse(Failure::Timeout, (408, "Request Timeout"));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// Nothing of a head has been read: the connection may end here without harm.
    fn poll_idle(&self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        self.connection.wake_on_drain(cx.waker());
        if self.connection.draining() {
            return Poll::Ready(Ok(()));
        }
        Poll::Pending
    }

    /// Answers a request that never reaches the proxy, once, as far as the socket takes it at once. The caller ends the
    /// connection.
    fn refuse(&mut self, failure: Failure, (status, reason): (u16, &str)) {
        if std::mem::replace(&mut self.refused, true) {
            return;
        }
        let refusal = Refusal {
            failure,
            status,
            began: self.head.began,
            protocol: "HTTP/1.1",
        };
        refusal.report(&self.connection, &self.observer);
        let body = failure.line();
        let answer = format!(
            "HTTP/1.1 {status} {reason}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\n\
             connection: close\r\n\r\n{body}",
            body.len()
        );
        let _best_effort = self.tcp.try_write(answer.as_bytes());
    }

    /// What is written while a head is awaited is Pingora's own answer to one that it cannot read. It becomes ours: one
    /// line, and no word about the software.
    fn refuse_as(&mut self, answer: &[u8]) {
        if answer.starts_with(b"HTTP/1.1 405") {
            self.refuse(Failure::BadRequest, (405, "Method Not Allowed"));
        } else {
            self.refuse(Failure::BadRequest, (400, "Bad Request"));
        }
    }

    /// Writes out what was gathered.
    fn poll_gathered(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut sent = 0;
        while let Some(rest) = self.out.get(sent..).filter(|rest| !rest.is_empty()) {
            match Pin::new(&mut self.tcp).poll_write(cx, rest) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(n)) => sent += n,
                Poll::Ready(Err(e)) => return Poll::Ready(Err(e)),
                Poll::Pending => {
                    self.out.drain(..sent);
                    return Poll::Pending;
                }
            }
        }
        self.release();
        Poll::Ready(Ok(()))
    }

    /// Writes what was gathered and `buf` in one system call; returns how much of `buf` went out.
    fn poll_both(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        while !self.out.is_empty() {
            let slices = [io::IoSlice::new(&self.out), io::IoSlice::new(buf)];
            let sent = ready!(Pin::new(&mut self.tcp).poll_write_vectored(cx, &slices))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let gathered = sent.min(self.out.len());
            self.out.drain(..gathered);
            if sent > gathered {
                self.release();
                return Poll::Ready(Ok(sent - gathered));
            }
        }
        Pin::new(&mut self.tcp).poll_write(cx, buf)
    }

    fn release(&mut self) {
        self.out.clear();
        if self.out.capacity() > KEPT {
            self.out = Vec::new();
        }
    }

    /// The client has sent its last byte. It may still wait for its answer, or be gone: a second handle lets the
    /// connection's task tell which.
    fn client_finished(&mut self) {
        self.parting = None;
        if let Some(watch) = self.half_closed.take() {
            self.hand_over(watch);
        }
    }

    /// Gives the connection's task a handle of its own.
    fn hand_over(&self, to: oneshot::Sender<TcpStream>) {
        let second = socket2::SockRef::from(&self.tcp).try_clone();
        if let Ok(second) = second.and_then(|s| TcpStream::from_std(s.into())) {
            let _task_gone = to.send(second);
        }
    }
}

impl Drop for ClientStream {
    fn drop(&mut self) {
        if let Some(task) = self.parting.take() {
            self.hand_over(task);
        }
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let read = match this.limits {
            Some(limits) if !this.connection.in_request() => this.poll_head(cx, buf, limits),
            _ => {
                this.head = Head::default();
                this.poll_bytes(cx, buf)
            }
        };
        if matches!(read, Poll::Ready(Ok(())))
            && buf.filled().len() == before
            && buf.remaining() > 0
        {
            this.client_finished();
        }
        read
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.limits.is_none() {
            return Pin::new(&mut this.tcp).poll_write(cx, buf);
        }
        if !this.connection.in_request() {
            this.refuse_as(buf);
            return Poll::Ready(Ok(buf.len()));
        }
        if this.out.len() + buf.len() <= GATHER {
            this.out.extend_from_slice(buf);
            return Poll::Ready(Ok(buf.len()));
        }
        this.poll_both(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_gathered(cx))?;
        Pin::new(&mut this.tcp).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_gathered(cx))?;
        Pin::new(&mut this.tcp).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_gathered(cx))?;
        Pin::new(&mut this.tcp).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.limits.is_none()
    }
}

#[async_trait]
impl Shutdown for ClientStream {
    async fn shutdown(&mut self) {
        if let Err(e) = AsyncWriteExt::shutdown(self).await {
            log::debug!(
                "closing the connection from {}: {e}",
                self.connection.client
            );
        }
    }
}

impl UniqueID for ClientStream {
    fn id(&self) -> UniqueIDType {
        self.tcp.as_raw_fd()
    }
}

impl Ssl for ClientStream {}

impl GetTimingDigest for ClientStream {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        Vec::new()
    }
}

impl GetProxyDigest for ClientStream {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        Some(Arc::clone(&self.digest))
    }
}

impl GetSocketDigest for ClientStream {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        Some(Arc::clone(&self.socket))
    }
}

impl Peek for ClientStream {}
