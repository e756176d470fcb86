//! One connection from accept to close.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mcwan_routing::failure::Failure;
use mcwan_routing::spec::Role;
use pingora_core::apps::{HttpServerApp, HttpServerOptions, ReusedHttpStream, ServerApp as _};
use pingora_core::protocols::Stream;
use pingora_core::protocols::http::ServerSession;
use pingora_core::protocols::http::v2::server::{H2Options, default_h2_options};
use pingora_core::protocols::raw_connect::ProxyDigest;
use pingora_core::server::ShutdownWatch;
use pingora_http::ResponseHeader;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, Interest};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::Limits;
use super::connection::{Connection, SharedConnection};
use super::greeting::{self, Greeting};
use super::refusal::Refusal;
use super::stream::{ClientStream, HeadLimits, Parts};
use crate::observe::Observer;
use crate::proxy::shared::Proxy;

/// Receive window of a stream on a WAN listener, in bytes: 1 MiB at 50 ms round trip is 20 MB/s a stream, the default
/// of 64 KiB would be 1.3 MB/s.
const WAN_STREAM_WINDOW: u32 = 1 << 20;
/// Receive window of a connection on a WAN listener, in bytes.
const WAN_CONNECTION_WINDOW: u32 = 8 << 20;
/// Largest frame on a WAN listener, in bytes.
const WAN_FRAME: u32 = 64 << 10;
/// A tunnel connection without requests is closed after this long. The egress gateway keeps such connections ready and
/// replaces them by age; what it left behind must go in the end.
const WAN_IDLE: Duration = Duration::from_secs(3600);
/// Streams of one HTTP/2 connection: of ordinary clients, and of a peer's egress gateway, which multiplexes many.
const STREAMS: u32 = 250;
const WAN_STREAMS: u32 = 1024;

/// How long a closed connection waits for what the client still sends: a close with unread bytes becomes a reset, which
/// may destroy the answer before the client has read it (RFC 9112 §9.6).
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 16 << 20;

/// One protocol on one kind of socket: Pingora asks it for options, the shared proxy does the work.
struct Server {
    proxy: Arc<Proxy>,
    options: HttpServerOptions,
    wan: bool,
}

impl Server {
    fn new(proxy: &Arc<Proxy>, limits: &Limits, h2: bool, wan: bool) -> Arc<Self> {
        let mut options = HttpServerOptions::default();
        options.h2c = h2;
        options.h2_idle_timeout = Some(if wan { WAN_IDLE } else { limits.idle });
        Arc::new(Self {
            proxy: Arc::clone(proxy),
            options,
            wan,
        })
    }
}

#[async_trait]
impl HttpServerApp for Server {
    async fn process_new_http(
        self: &Arc<Self>,
        session: ServerSession,
        shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        if !session.is_http2()
            && let Some(connection) = Connection::of(session.digest())
        {
            connection.awaits_head();
        }
        self.proxy.process_new_http(session, shutdown).await
    }

    fn server_options(&self) -> Option<&HttpServerOptions> {
        Some(&self.options)
    }

    fn h2_options(&self) -> Option<H2Options> {
        // The defaults bound the header list and reset floods.
        let mut options = default_h2_options();
        if self.wan {
            options
                .initial_window_size(WAN_STREAM_WINDOW)
                .initial_connection_window_size(WAN_CONNECTION_WINDOW)
                .max_frame_size(WAN_FRAME)
                .max_concurrent_streams(WAN_STREAMS);
        } else {
            options.max_concurrent_streams(STREAMS);
        }
        Some(options)
    }
}

/// The servers for both protocols, for ordinary and for WAN listeners.
pub(super) struct Servers {
    http1: Arc<Server>,
    http2: Arc<Server>,
    wan_http2: Arc<Server>,
    observer: Arc<Observer>,
    head: HeadLimits,
    idle: Duration,
}

impl Servers {
    pub(super) fn new(proxy: &Arc<Proxy>, observer: &Arc<Observer>, limits: &Limits) -> Self {
        Self {
            observer: Arc::clone(observer),
            http1: Server::new(proxy, limits, false, false),
            http2: Server::new(proxy, limits, true, false),
            wan_http2: Server::new(proxy, limits, true, true),
            head: limits.head,
            idle: limits.idle,
        }
    }

    /// Serves one connection until either side ends it, or until `stop` and the end of its request.
    pub(super) async fn serve(
        &self,
        mut tcp: TcpStream,
        connection: SharedConnection,
        stop: ShutdownWatch,
    ) {
        let greeting = tokio::select! {
            greeting = greeting::read(&mut tcp, self.idle) => greeting,
            () = stopped(stop.clone()) => return,
        };
        match greeting {
            Ok(Greeting::Http1(prefix)) => self.http1(tcp, prefix, connection, stop).await,
            Ok(Greeting::Http2(prefix)) => {
                let server = if connection.role() == Role::Ingress {
                    &self.wan_http2
                } else {
                    &self.http2
                };
                let parts = Parts {
                    tcp,
                    connection,
                    observer: Arc::clone(&self.observer),
                    prefix,
                    limits: None,
                    half_closed: None,
                    parting: None,
                };
                server.process_new(stream(parts), &stop).await;
            }
            Err(e) if e.kind() == ErrorKind::InvalidData => {
                let refusal = Refusal {
                    failure: Failure::Timeout,
                    status: 0,
                    began: None,
                    protocol: "HTTP/2",
                };
                refusal.report(&connection, &self.observer);
            }
            Err(e) => log::debug!(
                "connection from {} ended before a request: {e}",
                connection.client
            ),
        }
    }

    async fn http1(
        &self,
        tcp: TcpStream,
        prefix: bytes::Bytes,
        connection: SharedConnection,
        stop: ShutdownWatch,
    ) {
        let (half_closed, closed) = oneshot::channel();
        let (parting, mut parted) = oneshot::channel();
        let parts = Parts {
            tcp,
            connection: Arc::clone(&connection),
            observer: Arc::clone(&self.observer),
            prefix,
            limits: Some(self.head),
            half_closed: Some(half_closed),
            parting: Some(parting),
        };
        let process = self.http1.process_new(stream(parts), &stop);
        let drain = async {
            stopped(stop.clone()).await;
            connection.drain();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            _ended = process => {}
            () = gone(closed) => log::debug!("client {} is gone", connection.client),
            () = drain => {}
        }
        if let Ok(tcp) = parted.try_recv() {
            let _client_slow = tokio::time::timeout(LINGER, linger(tcp)).await;
        }
    }
}

/// Says that nothing more comes, and reads until the client does the same, or has sent unreasonably much.
async fn linger(mut tcp: TcpStream) {
    if tcp.shutdown().await.is_err() {
        return;
    }
    let mut sink = Vec::with_capacity(8 << 10);
    let mut total = 0;
    while total < LINGER_BYTES {
        sink.clear();
        match tcp.read_buf(&mut sink).await {
            Ok(0) | Err(_) => return,
            Ok(n) => total += n,
        }
    }
}

fn stream(parts: Parts) -> Stream {
    let facts = Arc::clone(&parts.connection);
    let digest = ProxyDigest::new(
        Box::new(ResponseHeader::build_no_case(200, Some(0)).unwrap_or_else(|_| unreachable!())),
        Some(Box::new(facts)),
    );
    Box::new(ClientStream::new(parts, Arc::new(digest)))
}

/// Resolves when the listener is closed.
async fn stopped(mut stop: ShutdownWatch) {
    // The sender is gone when the listener is: the same.
    let _closed = stop.wait_for(|stop| *stop).await;
}

/// Resolves when a client that had closed its sending side is really gone. Nothing reads such a connection any more, so
/// a reset would go unseen until the answer is written, which may be never.
async fn gone(half_closed: oneshot::Receiver<TcpStream>) {
    if let Ok(tcp) = half_closed.await
        && tcp.ready(Interest::ERROR).await.is_ok()
    {
        return;
    }
    std::future::pending::<()>().await;
}
