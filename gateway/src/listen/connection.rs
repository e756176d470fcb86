//! Facts about one accepted connection, shared by its stream, its task and the requests on it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;

use futures::task::AtomicWaker;
use mcwan_routing::spec::{Role, WanClass};
use pingora_core::protocols::Digest;

use super::Facts;

/// One accepted connection. Every session on it, HTTP/1 or HTTP/2, finds it through its [`Digest`].
#[derive(Debug)]
pub struct Connection {
    /// The socket it came in on.
    listener: Arc<Facts>,
    /// The client.
    pub client: SocketAddr,
    in_request: AtomicBool,
    draining: AtomicBool,
    reader: AtomicWaker,
}

impl Connection {
    pub(super) const fn new(listener: Arc<Facts>, client: SocketAddr) -> Self {
        Self {
            listener,
            client,
            in_request: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            reader: AtomicWaker::new(),
        }
    }

    /// The socket it came in on, as the table names it (perhaps a wildcard address).
    #[must_use]
    pub fn socket(&self) -> SocketAddr {
        self.listener.socket
    }

    /// Port of that socket as the Gateway API objects say it.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.listener.port
    }

    /// What that socket is for.
    #[must_use]
    pub fn role(&self) -> Role {
        self.listener.role
    }

    /// The WAN policy of that socket, on a WAN listener.
    #[must_use]
    pub fn wan(&self) -> Option<&WanClass> {
        self.listener.wan.as_ref()
    }

    /// The connection that a session runs on.
    #[must_use]
    pub fn of(digest: Option<&Digest>) -> Option<&SharedConnection> {
        digest?
            .proxy_digest
            .as_ref()?
            .user_data
            .as_ref()?
            .downcast_ref()
    }

    /// A request head has been read: what follows is no longer bounded by the deadline and size limit of heads.
    pub fn request_begins(&self) {
        self.in_request.store(true, Ordering::Relaxed);
    }

    /// The next bytes read are a request head.
    pub(super) fn awaits_head(&self) {
        self.in_request.store(false, Ordering::Relaxed);
    }

    pub(super) fn in_request(&self) -> bool {
        self.in_request.load(Ordering::Relaxed)
    }

    /// The socket is closed or the process stops: an idle connection ends at once, a busy one after its request.
    pub(super) fn drain(&self) {
        self.draining.store(true, Ordering::Release);
        self.reader.wake();
    }

    /// Whether answers must tell the client to go elsewhere (`Connection: close`).
    #[must_use]
    pub fn draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    pub(super) fn wake_on_drain(&self, waker: &Waker) {
        self.reader.register(waker);
    }
}

/// What the digest holds: shared with the stream and the connection's task.
pub type SharedConnection = Arc<Connection>;
