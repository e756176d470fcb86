//! A backend that says what it saw, and misbehaves on request.
//!
//! Every answer is JSON (the fields of the Gateway API's `echo-basic`, and `replica`, `bodyBytes`) unless the request asks for something else:
//!
//! | request | answer |
//! |---|---|
//! | path `/echo…` | the request's body, streamed as it comes, then its trailers |
//! | `Upgrade: x` | 101, then every byte back, until the client closes its side |
//! | `content-type: application/grpc…` | the body back, then the trailer `grpc-status: 0` |
//! | [`header::STATUS`] | that status |
//! | [`header::DELAY`] | the answer after so many milliseconds |
//! | [`header::BODY`] | a body of so many bytes (the payment service: JSON, filled up with spaces) |
//! | [`header::ID`] | counted: [`Backend::executed`] |
//! | [`header::CLOSE`] | no answer: the connection is closed after the request's header |

mod handler;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Request headers that the backend obeys.
pub mod header {
    /// Status to answer.
    pub const STATUS: &str = "x-lab-status";
    /// Milliseconds to wait before answering.
    pub const DELAY: &str = "x-lab-delay-ms";
    /// Bytes of the answer's body.
    pub const BODY: &str = "x-lab-body-bytes";
    /// Id under which the execution is counted.
    pub const ID: &str = "x-lab-id";
    /// Closes the connection instead of answering.
    pub const CLOSE: &str = "x-lab-close";
}

/// What a backend speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1, with upgrades and half-closing clients.
    Http1,
    /// HTTP/2 with prior knowledge, with trailers.
    H2c,
}

/// What a backend answers to plain requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// What it saw.
    Echo,
    /// A small payment service: `/payment` and `/stats`; everything else is 404.
    Payment,
}

/// How to start a backend.
#[derive(Debug, Clone)]
pub struct BackendConfig {
    /// Where it listens; port 0 for any.
    pub listen: SocketAddr,
    /// Its name in answers.
    pub replica: String,
    /// What it speaks.
    pub protocol: Protocol,
    /// What it answers.
    pub flavour: Flavour,
}

impl BackendConfig {
    /// An echo backend over HTTP/1.1 on any loopback port.
    #[must_use]
    pub fn http1(replica: &str) -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            replica: replica.to_owned(),
            protocol: Protocol::Http1,
            flavour: Flavour::Echo,
        }
    }

    /// An echo backend over HTTP/2 on any loopback port.
    #[must_use]
    pub fn h2c(replica: &str) -> Self {
        Self {
            protocol: Protocol::H2c,
            ..Self::http1(replica)
        }
    }

    /// A replica of the payment service over HTTP/1.1 on any loopback port.
    #[must_use]
    pub fn payment(replica: &str) -> Self {
        Self {
            flavour: Flavour::Payment,
            ..Self::http1(replica)
        }
    }

    /// The same at an address.
    #[must_use]
    pub const fn at(mut self, listen: SocketAddr) -> Self {
        self.listen = listen;
        self
    }
}

/// A running backend. Dropping it closes its socket and its connections.
#[derive(Debug)]
pub struct Backend {
    address: SocketAddr,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

/// What the backend and its connections share.
#[derive(Debug)]
struct Shared {
    config: BackendConfig,
    connections: AtomicU64,
    requests: AtomicU64,
    executed: Mutex<BTreeMap<String, u64>>,
}

impl Backend {
    /// Binds and starts.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn start(config: BackendConfig) -> io::Result<Self> {
        let listener = TcpListener::bind(config.listen).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            config,
            connections: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            executed: Mutex::default(),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self {
            address,
            shared,
            _tasks: tasks,
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections accepted so far.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Requests begun so far.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::Relaxed)
    }

    /// How often requests with this [`header::ID`] were executed: their header and whole body had come, except for the
    /// streamed answers, which count at the header.
    #[must_use]
    pub fn executed(&self, id: &str) -> u64 {
        self.shared.executed.lock().get(id).copied().unwrap_or(0)
    }

    /// All [`header::ID`]s that were executed, and how often.
    #[must_use]
    pub fn executions(&self) -> BTreeMap<String, u64> {
        self.shared.executed.lock().clone()
    }
}

/// Owns the socket and the connections.
async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    shared.connections.fetch_add(1, Ordering::Relaxed);
                    connections.spawn(serve(stream, Arc::clone(&shared)));
                }
                // Out of file descriptors, or a connection that was gone before it was accepted.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Tasks of one connection; they end with it.
#[derive(Debug, Clone, Default)]
struct Tasks(Arc<Mutex<JoinSet<()>>>);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Tasks {
    fn execute(&self, future: F) {
        self.0.lock().spawn(future);
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let nodelay = stream.set_nodelay(true);
    let protocol = shared.config.protocol;
    let tasks = Tasks::default();
    let upgrades = tasks.clone();
    let service =
        service_fn(move |request| handler::answer(request, Arc::clone(&shared), upgrades.clone()));
    let io = TokioIo::new(stream);
    let served = match protocol {
        Protocol::Http1 => {
            let mut http = hyper::server::conn::http1::Builder::new();
            http.half_close(true).timer(TokioTimer::new());
            http.serve_connection(io, service).with_upgrades().await
        }
        Protocol::H2c => {
            let http = hyper::server::conn::http2::Builder::new(tasks.clone());
            http.serve_connection(io, service).await
        }
    };
    // A connection that broke is the other side's business; upgraded ones go on in their tasks.
    if nodelay.is_ok() && served.is_ok() {
        let mut rest = std::mem::take(&mut *tasks.0.lock());
        while rest.join_next().await.is_some() {}
    }
}
