//! One tunnel of an emulated WAN, as a relay in user space.
//!
//! A relay listens on one address and passes each TCP connection on to a target, each byte one delay later. Throughput
//! is not limited: bytes wait with the time at which they are due, and up to [`IN_FLIGHT`] of them are on the way in
//! each direction. While the relay is cut, nothing passes: no data, no FIN, no RST. New connections are accepted by the
//! kernel (a process cannot lose a SYN) but stay silent. After the repair, what the ends' kernels would retransmit
//! arrives; what a reset connection had on the way does not.
//!
//! What it cannot show: the ends' kernels see their bytes acknowledged by the relay's kernel, so `TCP_USER_TIMEOUT` never
//! fires through a relay. Only an application's own liveness check (HTTP/2 PING) notices a cut, as on a path with a
//! TCP-splitting middlebox.

mod connection;
#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Bytes on the way in one direction of one connection, at most; the bandwidth-delay product of 100 ms at 300 Mbit/s.
pub const IN_FLIGHT: u32 = 4 << 20;

/// What a relay does.
#[derive(Debug, Clone)]
pub struct RelayConfig {
    /// Where it listens; port 0 for any.
    pub listen: SocketAddr,
    /// Where it connects to.
    pub target: SocketAddr,
    /// Delay of each byte, in each direction.
    pub delay: Duration,
    /// Up to this much more delay, evenly distributed; bytes are never reordered.
    pub jitter: Duration,
}

impl RelayConfig {
    /// A relay on any loopback port, without delay.
    #[must_use]
    pub const fn to(target: SocketAddr) -> Self {
        Self {
            listen: SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0),
            target,
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
        }
    }

    /// The same with a delay in each direction.
    #[must_use]
    pub const fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }
}

/// What a relay has seen so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RelayStats {
    /// Connections accepted.
    pub accepted: u64,
    /// Bytes delivered to the target.
    pub to_target: u64,
    /// Bytes delivered to the connecting side.
    pub from_target: u64,
}

impl RelayStats {
    /// What came after `earlier`.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self {
            accepted: self.accepted.saturating_sub(earlier.accepted),
            to_target: self.to_target.saturating_sub(earlier.to_target),
            from_target: self.from_target.saturating_sub(earlier.from_target),
        }
    }

    /// Bytes in both directions.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.to_target.saturating_add(self.from_target)
    }
}

/// A running relay. Dropping it closes its socket and resets its connections.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

/// What the relay and its connections share.
#[derive(Debug)]
struct Shared {
    config: RelayConfig,
    cut: watch::Sender<bool>,
    stopping: watch::Sender<bool>,
    first_lost: Mutex<Option<Instant>>,
    accepted: AtomicU64,
    to_target: AtomicU64,
    from_target: AtomicU64,
}

impl Shared {
    fn is_cut(&self) -> bool {
        *self.cut.borrow()
    }

    /// Waits for the repair; notes that something was lost if there is anything to wait for.
    async fn passable(&self) {
        if self.is_cut() {
            self.first_lost.lock().get_or_insert_with(Instant::now);
        }
        let mut cut = self.cut.subscribe();
        // The sender lives in `self`, so the wait cannot fail.
        let _closed = cut.wait_for(|cut| !cut).await.is_err();
    }
}

impl Relay {
    /// Binds and starts.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn start(config: RelayConfig) -> io::Result<Self> {
        let listener = TcpListener::bind(config.listen).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            config,
            cut: watch::Sender::new(false),
            stopping: watch::Sender::new(false),
            first_lost: Mutex::new(None),
            accepted: AtomicU64::new(0),
            to_target: AtomicU64::new(0),
            from_target: AtomicU64::new(0),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self {
            address,
            shared,
            tasks,
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Loses everything from now on, in both directions.
    pub fn cut(&self) {
        *self.shared.first_lost.lock() = None;
        self.shared.cut.send_replace(true);
    }

    /// Ends a cut.
    pub fn restore(&self) {
        self.shared.cut.send_replace(false);
    }

    /// Whether it is cut.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.shared.is_cut()
    }

    /// When the last cut first kept something from passing; None if nothing has been lost since.
    #[must_use]
    pub fn first_lost(&self) -> Option<Instant> {
        *self.shared.first_lost.lock()
    }

    /// Counters.
    #[must_use]
    pub fn stats(&self) -> RelayStats {
        RelayStats {
            accepted: self.shared.accepted.load(Ordering::Relaxed),
            to_target: self.shared.to_target.load(Ordering::Relaxed),
            from_target: self.shared.from_target.load(Ordering::Relaxed),
        }
    }

    /// Accepts no more, and waits up to `patience` for the open connections to end by themselves.
    pub async fn stop(mut self, patience: Duration) {
        self.shared.stopping.send_replace(true);
        let finished = async { while self.tasks.join_next().await.is_some() {} };
        // Connections that outlast the patience are reset when `self` is dropped.
        let _late = tokio::time::timeout(patience, finished).await.is_err();
    }
}

/// Owns the socket and the connections.
async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    let mut stopping = shared.stopping.subscribe();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    shared.accepted.fetch_add(1, Ordering::Relaxed);
                    connections.spawn(connection::run(stream, Arc::clone(&shared)));
                }
                // Out of file descriptors, or a connection that was gone before it was accepted.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            Some(_) = connections.join_next() => {}
            () = requested(&mut stopping) => break,
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// Waits until the flag is set.
async fn requested(flag: &mut watch::Receiver<bool>) {
    // Without a sender nobody can set it any more, which ends the wait too.
    let _closed = flag.wait_for(|set| *set).await.is_err();
}
