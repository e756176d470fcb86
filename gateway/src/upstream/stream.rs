//! One upstream byte stream, with all of Pingora's I/O traits.

use std::io;
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use pingora_core::protocols::raw_connect::ProxyDigest;
use pingora_core::protocols::{
    Digest, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl,
    TimingDigest, UniqueID, UniqueIDType,
};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// What a stream and the owner of its connection tell each other.
#[derive(Debug)]
pub(crate) struct Life {
    start: Instant,
    /// Microseconds from `start` to the last proof that the peer is there.
    last_sign: AtomicU64,
    reset: AtomicBool,
}

impl Life {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            last_sign: AtomicU64::new(0),
            reset: AtomicBool::new(false),
        }
    }

    pub(crate) fn sign(&self) {
        let micros = u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.last_sign.store(micros, Ordering::Relaxed);
    }

    /// When the peer last showed that it is there: it sent bytes, or it acknowledged bytes that had filled the socket.
    pub(crate) fn last_sign(&self) -> Instant {
        self.start + Duration::from_micros(self.last_sign.load(Ordering::Relaxed))
    }

    /// From now on the end of the stream is a reset, not an orderly close: what waits in the kernel is thrown away, so
    /// the far end never executes a request that we have given up.
    pub(crate) fn reset_on_drop(&self) {
        self.reset.store(true, Ordering::Relaxed);
    }
}

/// Reads that are put off after the head of an upgrade request was written.
///
/// Pingora takes the response and the end of the (empty) request body from two queues in random order. When it takes a
/// `101` first, it takes the end of the body for the end of the upgraded stream and cuts it (Pingora issue 946). A few
/// "not yet" give the other queue its turn. This is an argument about scheduling, hence a stress test in `proxy`.
const PUT_OFF: u8 = 3;

/// A TCP stream to a backend or a peer gateway.
#[derive(Debug)]
pub(crate) struct UpstreamStream {
    transport: Transport,
    life: Arc<Life>,
    timing: TimingDigest,
    socket: Arc<SocketDigest>,
    fd: UniqueIDType,
    write_blocked: bool,
    order_upgrades: bool,
    put_off: u8,
}

/// What carries the bytes.
#[derive(Debug)]
enum Transport {
    Plain(TcpStream),
}

impl UpstreamStream {
    /// Wraps a connected socket; `took` is the time that the connect took.
    pub(crate) fn plain(tcp: TcpStream, took: Duration) -> Self {
        let fd = tcp.as_raw_fd();
        Self {
            transport: Transport::Plain(tcp),
            life: Arc::new(Life::new()),
            timing: TimingDigest {
                established_ts: SystemTime::now(),
                establishment_duration: Some(took),
                offload_wait_duration: None,
            },
            socket: Arc::new(SocketDigest::from_raw_fd(fd)),
            fd,
            write_blocked: false,
            order_upgrades: false,
            put_off: 0,
        }
    }

    /// For HTTP/1: puts reads off after an upgrade request (see [`PUT_OFF`]).
    #[must_use]
    pub(crate) const fn ordering_upgrades(mut self) -> Self {
        self.order_upgrades = true;
        self
    }

    pub(crate) const fn life(&self) -> &Arc<Life> {
        &self.life
    }

    pub(crate) const fn tcp(&self) -> &TcpStream {
        match &self.transport {
            Transport::Plain(tcp) => tcp,
        }
    }

    pub(crate) fn digest(&self) -> Digest {
        Digest {
            ssl_digest: None,
            timing_digest: vec![Some(self.timing.clone())],
            proxy_digest: None,
            socket_digest: Some(Arc::clone(&self.socket)),
        }
    }

    fn transport(&mut self) -> Pin<&mut TcpStream> {
        match &mut self.transport {
            Transport::Plain(tcp) => Pin::new(tcp),
        }
    }

    /// A write got through. After a full socket that proves that the peer acknowledged something.
    fn wrote<T>(&mut self, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match &result {
            Poll::Pending => self.write_blocked = true,
            Poll::Ready(Ok(_)) if self.write_blocked => {
                self.write_blocked = false;
                self.life.sign();
            }
            Poll::Ready(_) => {}
        }
        result
    }
}

impl Drop for UpstreamStream {
    fn drop(&mut self) {
        if self.life.reset.load(Ordering::Relaxed)
            && let Err(error) = SockRef::from(self.tcp()).set_linger(Some(Duration::ZERO))
        {
            tracing::debug!(%error, "connection is closed, not reset");
        }
    }
}

/// Whether a write holds the head of an upgrade request. HTTP/1 heads are written in one piece by Pingora.
fn is_upgrade_head(bytes: &[u8]) -> bool {
    const FIELD: &[u8] = b"\r\nupgrade:";
    bytes.ends_with(b"\r\n\r\n")
        && bytes
            .windows(FIELD.len())
            .any(|window| window.eq_ignore_ascii_case(FIELD))
}

impl AsyncRead for UpstreamStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.put_off > 0 {
            self.put_off -= 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buf.filled().len();
        ready!(self.transport().poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.life.sign();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for UpstreamStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.order_upgrades && is_upgrade_head(bytes) {
            self.put_off = PUT_OFF;
        }
        let result = self.transport().poll_write(cx, bytes);
        self.wrote(result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = self.transport().poll_write_vectored(cx, bytes);
        self.wrote(result)
    }

    fn is_write_vectored(&self) -> bool {
        // Pingora writes HTTP/1 heads with plain writes; vectored ones would escape `is_upgrade_head`.
        !self.order_upgrades
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.transport().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.transport().poll_shutdown(cx)
    }
}

#[async_trait]
impl Shutdown for UpstreamStream {
    async fn shutdown(&mut self) {
        if let Err(error) = AsyncWriteExt::shutdown(self).await {
            tracing::trace!(%error, "shutdown of an upstream stream");
        }
    }
}

impl UniqueID for UpstreamStream {
    /// The real file descriptor: Pingora's pool asks the kernel whether it still is the peer's.
    fn id(&self) -> UniqueIDType {
        self.fd
    }
}

impl Ssl for UpstreamStream {}

impl Peek for UpstreamStream {}

impl GetTimingDigest for UpstreamStream {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        vec![Some(self.timing.clone())]
    }
}

impl GetProxyDigest for UpstreamStream {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        None
    }
}

impl GetSocketDigest for UpstreamStream {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        Some(Arc::clone(&self.socket))
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    use super::*;

    async fn pair() -> (UpstreamStream, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (far, _) = listener.accept().await.unwrap();
        (UpstreamStream::plain(near, Duration::ZERO), far)
    }

    #[test]
    fn only_upgrade_heads_put_reads_off() {
        assert!(is_upgrade_head(
            b"GET / HTTP/1.1\r\nHost: a\r\nUpGrade: websocket\r\n\r\n"
        ));
        assert!(!is_upgrade_head(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert!(!is_upgrade_head(b"GET /?x=upgrade: HTTP/1.1\r\n\r\n"));
        assert!(!is_upgrade_head(b"\r\nupgrade: in a body"));
        assert!(!is_upgrade_head(b""));
    }

    #[tokio::test]
    async fn a_put_off_read_still_gets_its_bytes() {
        let (near, mut far) = pair().await;
        let mut near = near.ordering_upgrades();
        near.write_all(b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n")
            .await
            .unwrap();
        far.write_all(b"101").await.unwrap();
        assert_eq!(near.put_off, PUT_OFF);
        let mut answer = [0; 3];
        near.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"101");
        assert_eq!(near.put_off, 0);
    }

    #[tokio::test]
    async fn a_stream_given_up_is_reset_and_others_are_closed() {
        let (near, mut far) = pair().await;
        drop(near);
        assert_eq!(far.read(&mut [0; 1]).await.unwrap(), 0);

        let (near, mut far) = pair().await;
        near.life().reset_on_drop();
        drop(near);
        let error = far.read(&mut [0; 1]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }

    #[tokio::test]
    async fn bytes_from_the_peer_are_a_sign_of_life_and_our_own_are_not() {
        let (mut near, mut far) = pair().await;
        let start = near.life().last_sign();
        tokio::time::sleep(Duration::from_millis(5)).await;
        near.write_all(b"x").await.unwrap();
        assert_eq!(near.life().last_sign(), start);
        far.write_all(b"y").await.unwrap();
        near.read_exact(&mut [0; 1]).await.unwrap();
        assert!(near.life().last_sign() > start);
    }

    #[tokio::test]
    async fn a_full_socket_that_drains_is_a_sign_of_life() {
        let (mut near, mut far) = pair().await;
        let start = near.life().last_sign();
        let chunk = vec![0; 1 << 20];
        let mut sent = 0;
        while let Ok(result) =
            tokio::time::timeout(Duration::from_millis(50), near.write(&chunk)).await
        {
            sent += result.unwrap();
        }
        let mut sink = vec![0; sent];
        let (read, wrote) = tokio::join!(far.read_exact(&mut sink), near.write(&chunk));
        assert_eq!(read.unwrap(), sent);
        assert!(wrote.unwrap() > 0);
        assert!(near.life().last_sign() > start);
    }
}
