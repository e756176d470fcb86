//! Sockets that come and go at run time; drain.
//!
//! One service owns every listening socket and follows the table in force: it opens what is new, closes what is gone,
//! and never touches what stays, so that an edit of one listener disturbs no connection of another. A socket that cannot
//! be bound is reported and tried again; nothing here panics or gives up.

pub mod connection;
mod greeting;
mod refusal;
pub mod report;
mod serve;
mod socket;
mod stream;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use mcwan_routing::spec::{Role, SocketSpec, WanClass};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::live::LiveTable;
use crate::observe::Observer;
use crate::proxy::shared::Proxy;
use connection::Connection;
use report::{ListenReport, SocketState, Sockets};
use serve::Servers;
pub use stream::HeadLimits;

/// A socket that could not be bound is tried again after this long.
const BIND_AGAIN: Duration = Duration::from_secs(1);
/// After an accept that failed for want of descriptors or memory, others get this long to free some.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// Bounds on what clients may hold.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bounds of one request head (HTTP/1).
    pub head: HeadLimits,
    /// Connections at a time; more are closed as they come.
    pub connections: usize,
    /// A connection without requests is closed after this long.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: HeadLimits::default(),
            connections: 200_000,
            idle: Duration::from_secs(75),
        }
    }
}

/// What the accept loops share.
struct Shared {
    servers: Servers,
    tasks: TaskTracker,
    abort: CancellationToken,
    open: AtomicUsize,
    most: usize,
}

/// A socket that accepts connections.
struct Running {
    facts: Arc<ArcSwap<Facts>>,
    stop: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

/// What connections of a socket need to know of it.
#[derive(Debug, PartialEq, Eq, Clone)]
pub(crate) struct Facts {
    /// As the table names it (perhaps a wildcard address).
    pub(crate) socket: SocketAddr,
    /// Its port as the Gateway API objects say it.
    pub(crate) port: u16,
    /// What it is for.
    pub(crate) role: Role,
    /// Whose traffic comes in there, on a WAN listener.
    pub(crate) wan: Option<WanClass>,
}

impl Facts {
    /// Marks packets with the class of the listener.
    fn mark(&self, socket: &socket2::SockRef<'_>) {
        let Some(dscp) = self.wan.as_ref().and_then(|wan| wan.dscp) else {
            return;
        };
        if let Err(e) = crate::dscp::mark(socket, self.socket, dscp) {
            log::warn!("packets of {} are not marked: {e}", self.socket);
        }
    }
}

/// Opens and closes sockets as the table says.
pub struct Listeners {
    table: Arc<LiveTable>,
    report: ListenReport,
    shared: Arc<Shared>,
    running: BTreeMap<SocketAddr, Running>,
}

impl std::fmt::Debug for Listeners {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listeners")
            .field("sockets", &self.running.len())
            .finish_non_exhaustive()
    }
}

impl Listeners {
    /// Serves connections with `proxy`; nothing is bound before [`Listeners::run`]. Requests that do not get as far as
    /// the proxy are reported to `observer`.
    #[must_use]
    pub fn new(
        table: Arc<LiveTable>,
        proxy: &Arc<Proxy>,
        observer: &Arc<Observer>,
        report: ListenReport,
        limits: &Limits,
    ) -> Self {
        let shared = Shared {
            servers: Servers::new(proxy, observer, limits),
            tasks: TaskTracker::new(),
            abort: CancellationToken::new(),
            open: AtomicUsize::new(0),
            most: limits.connections,
        };
        Self {
            table,
            report,
            shared: Arc::new(shared),
            running: BTreeMap::new(),
        }
    }

    /// Follows the table until `stop`; then closes the sockets, lets requests in flight finish for at most `drain`, and
    /// cuts what is left. Returns the number of connections that had to be cut.
    pub async fn run(mut self, stop: CancellationToken, drain: Duration) -> usize {
        let mut published = self.table.subscribe();
        loop {
            published.borrow_and_update();
            let complete = self.follow().await;
            let again = async {
                if complete {
                    std::future::pending::<()>().await;
                }
                tokio::time::sleep(BIND_AGAIN).await;
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                changed = published.changed() => if changed.is_err() { break },
                () = again => {}
            }
        }
        self.drain(drain).await
    }

    /// Makes the sockets what the table wants. False when one of them could not be bound.
    async fn follow(&mut self) -> bool {
        let live = self.table.load();
        let wanted: BTreeMap<SocketAddr, Facts> = live
            .table
            .spec()
            .sockets
            .iter()
            .map(|s| (s.socket, facts(s)))
            .collect();
        let gone: Vec<SocketAddr> = self
            .running
            .keys()
            .filter(|s| !wanted.contains_key(s))
            .copied()
            .collect();
        for socket in gone {
            self.close(socket).await;
        }
        let mut states = BTreeMap::new();
        for (socket, facts) in wanted {
            states.insert(socket, self.open(facts));
        }
        let sockets = Sockets {
            generation: live.generation,
            states,
        };
        let complete = sockets.failures().is_empty();
        self.report.publish(sockets);
        complete
    }

    /// Closes a socket; when this returns, its address is free.
    async fn close(&mut self, socket: SocketAddr) {
        if let Some(running) = self.running.remove(&socket) {
            log::info!("closing {socket}");
            running.stop.send_replace(true);
            let _panicked = running.accepting.await;
        }
    }

    fn open(&mut self, facts: Facts) -> SocketState {
        let socket = facts.socket;
        if let Some(running) = self.running.get(&socket) {
            // New connections see what has changed; the socket stays.
            if **running.facts.load() != facts {
                running.facts.store(Arc::new(facts));
            }
            return SocketState::Listening;
        }
        match socket::bind(socket) {
            Ok(listener) => {
                log::info!("listening on {socket}");
                let running = self.start(listener, facts);
                self.running.insert(socket, running);
                SocketState::Listening
            }
            Err(e) => {
                log::warn!("cannot listen on {socket}: {e}");
                SocketState::Failed(e.to_string())
            }
        }
    }

    fn start(&self, listener: TcpListener, facts: Facts) -> Running {
        // Answers to a SYN carry the listener's mark, before there is a connection to mark.
        facts.mark(&socket2::SockRef::from(&listener));
        let stop = watch::Sender::new(false);
        let accepting = Accepting {
            listener,
            open: self.report.counter(facts.socket),
            facts: Arc::new(ArcSwap::from_pointee(facts)),
            shared: Arc::clone(&self.shared),
            stop: stop.subscribe(),
        };
        Running {
            facts: Arc::clone(&accepting.facts),
            stop,
            accepting: self.shared.tasks.spawn(accepting.run()),
        }
    }

    async fn drain(&mut self, limit: Duration) -> usize {
        for running in self.running.values() {
            running.stop.send_replace(true);
        }
        self.shared.tasks.close();
        if tokio::time::timeout(limit, self.shared.tasks.wait())
            .await
            .is_ok()
        {
            return 0;
        }
        let cut = self.shared.open.load(Ordering::Relaxed);
        self.shared.abort.cancel();
        self.shared.tasks.wait().await;
        cut
    }
}

fn facts(spec: &SocketSpec) -> Facts {
    Facts {
        socket: spec.socket,
        port: spec.port,
        role: spec.role,
        wan: spec.wan.clone(),
    }
}

/// The accept loop of one socket.
struct Accepting {
    listener: TcpListener,
    facts: Arc<ArcSwap<Facts>>,
    shared: Arc<Shared>,
    open: Arc<AtomicUsize>,
    /// Never marked as seen: each connection takes a copy, in which a stop is a change.
    stop: watch::Receiver<bool>,
}

impl Accepting {
    /// Accepts until told to stop. The socket is closed when this returns.
    async fn run(self) {
        let mut stopped = self.stop.clone();
        loop {
            let accepted = tokio::select! {
                biased;
                _ = stopped.wait_for(|stop| *stop) => return,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((tcp, client)) => self.begin(tcp, client),
                Err(e) if is_of_one_connection(&e) => {}
                Err(e) => {
                    log::warn!("accept on {}: {e}", self.facts.load().socket);
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                }
            }
        }
    }

    fn begin(&self, tcp: TcpStream, client: SocketAddr) {
        let open = Open::begin(&self.shared, &self.open);
        if self.shared.open.load(Ordering::Relaxed) > self.shared.most {
            log::warn!(
                "{} connections are open, closing a new one from {client}",
                self.shared.most
            );
            return;
        }
        let facts = self.facts.load_full();
        facts.mark(&socket2::SockRef::from(&tcp));
        let connection = Arc::new(Connection::new(facts, client));
        let stop = self.stop.clone();
        self.shared.tasks.spawn(async move {
            tokio::select! {
                () = open.shared.servers.serve(tcp, connection, stop) => {}
                () = open.shared.abort.cancelled() => {}
            }
        });
    }
}

/// Whether an accept error says something about one client only (accept(2)): the next accept may succeed at once.
fn is_of_one_connection(e: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(
        e.kind(),
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::Interrupted
            | ErrorKind::ConnectionRefused
    )
}

/// Counts a connection as open while it lives.
struct Open {
    shared: Arc<Shared>,
    socket: Arc<AtomicUsize>,
}

impl Open {
    fn begin(shared: &Arc<Shared>, socket: &Arc<AtomicUsize>) -> Self {
        shared.open.fetch_add(1, Ordering::Relaxed);
        socket.fetch_add(1, Ordering::Relaxed);
        Self {
            shared: Arc::clone(shared),
            socket: Arc::clone(socket),
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.shared.open.fetch_sub(1, Ordering::Relaxed);
        self.socket.fetch_sub(1, Ordering::Relaxed);
    }
}
