//! One HTTP/2 connection: how it is opened, kept under watch, and ended.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use h2::{Ping, PingPong};
use pingora_core::protocols::{Digest, UniqueIDType};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::stream::Life;

/// Flow-control windows that we offer: one response at 100 ms round trip reaches 40 MB/s, all responses of a connection
/// together hold at most the second in memory.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;
/// Bytes of one request body that wait inside the HTTP/2 layer.
const SEND_BUFFER: usize = 1 << 20;
/// Decoded size of a response header (RFC 9113 §6.5.2, `SETTINGS_MAX_HEADER_LIST_SIZE`).
const HEADER_LIST: u32 = 64 << 10;

/// How a connection is watched, and when it is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WatchRules {
    /// From an answered PING to the next one.
    pub(crate) ping_interval: Duration,
    /// A PING without answer and without any other sign of the peer for this long ends the connection. Four round
    /// trips, where that is longer.
    pub(crate) ping_timeout: Duration,
    /// Age at which the connection takes no new requests. Varied by a tenth to either side.
    pub(crate) max_age: Duration,
    /// How long requests may last on a connection that takes no new ones.
    pub(crate) drain: Duration,
    /// Unused for this long, the connection is closed, unless the pool keeps it warm.
    pub(crate) idle: Duration,
}

/// Longest wait for a PONG, however slow the path is.
const PING_TIMEOUT_MAX: Duration = Duration::from_secs(5);

/// An open connection.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Unique in this process.
    pub(crate) id: u64,
    send: SendRequest<Bytes>,
    /// Requests that hold a ticket.
    in_flight: AtomicUsize,
    /// Takes no new requests.
    retired: AtomicBool,
    /// Is to be replaced, and is used until its replacement is there.
    aged: AtomicBool,
    /// Round trip of the last PING in microseconds.
    rtt: AtomicU64,
    idle_since: AtomicU64,
    born: Instant,
    life: Arc<Life>,
    end: OnceLock<End>,
    pub(crate) fd: UniqueIDType,
    pub(crate) digest: Digest,
}

/// Why a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// In order: all requests done, or the peer said GOAWAY.
    Closed,
    /// The peer ended it against the rules of HTTP/2, or we found it broken.
    Broken(String),
    /// No answer to a PING.
    NoPong,
    /// Requests lasted longer than a retired connection may.
    DrainOver,
    /// The gateway shuts down.
    Stopped,
}

impl End {
    /// In a few fixed words.
    pub(crate) const fn reason(&self) -> &'static str {
        match self {
            Self::Closed => "closed by the peer",
            Self::Broken(_) => "connection broke",
            Self::NoPong => "no answer to PING",
            Self::DrainOver => "drain time over",
            Self::Stopped => "shutting down",
        }
    }

    /// Whether it speaks against the path, not only against this connection.
    pub(crate) const fn is_failure(&self) -> bool {
        matches!(self, Self::Broken(_) | Self::NoPong)
    }
}

/// What a connection tells its pool.
pub(crate) trait Watcher: Send + Sync + 'static {
    /// A PING was answered.
    fn answered(&self, connection: &Arc<Connection>);
    /// The connection reached its age.
    fn aged(&self, connection: &Arc<Connection>);
    /// Unused for its idle time. Returns whether it shall close.
    fn idle(&self, connection: &Arc<Connection>) -> bool;
}

/// The parts of a fresh connection, before it is watched.
pub(crate) struct Opened<T: AsyncRead + AsyncWrite> {
    pub(crate) connection: Arc<Connection>,
    driver: h2::client::Connection<T, Bytes>,
    ping: PingPong,
}

impl<T: AsyncRead + AsyncWrite> std::fmt::Debug for Opened<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened")
            .field("connection", &self.connection)
            .finish_non_exhaustive()
    }
}

/// What the owner of a stream knows about it.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) life: Arc<Life>,
    pub(crate) fd: UniqueIDType,
    pub(crate) digest: Digest,
}

/// Sends the preface and SETTINGS. The connection is not to be used before its first PONG: only then the peer's
/// SETTINGS (stream limit, windows) are in force.
///
/// # Errors
/// When the preface cannot be written.
pub(crate) async fn open<T>(io: T, origin: Origin) -> Result<Opened<T>, h2::Error>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let (send, mut driver) = h2::client::Builder::new()
        .enable_push(false)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buffer_size(SEND_BUFFER)
        .max_header_list_size(HEADER_LIST)
        .handshake::<_, Bytes>(io)
        .await?;
    let Some(ping) = driver.ping_pong() else {
        return Err(h2::Reason::INTERNAL_ERROR.into());
    };
    static NEXT_ID: AtomicU64 = AtomicU64::new(1);
    let connection = Arc::new(Connection {
        id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
        send,
        in_flight: AtomicUsize::new(0),
        retired: AtomicBool::new(false),
        aged: AtomicBool::new(false),
        rtt: AtomicU64::new(0),
        idle_since: AtomicU64::new(0),
        born: Instant::now(),
        life: origin.life,
        end: OnceLock::new(),
        fd: origin.fd,
        digest: origin.digest,
    });
    Ok(Opened {
        connection,
        driver,
        ping,
    })
}

impl Connection {
    /// A handle that opens streams.
    pub(crate) fn sender(&self) -> SendRequest<Bytes> {
        self.send.clone()
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::SeqCst)
    }

    /// Requests that fit, by the peer's SETTINGS.
    pub(crate) fn capacity(&self) -> usize {
        self.send.current_max_send_streams()
    }

    pub(crate) fn begin_request(&self) {
        self.in_flight.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn end_request(&self) {
        self.idle_since.store(self.age_millis(), Ordering::Relaxed);
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
    }

    /// Takes no new requests from now on. Returns whether that is news.
    pub(crate) fn retire(&self) -> bool {
        !self.retired.swap(true, Ordering::Relaxed)
    }

    pub(crate) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Relaxed)
    }

    pub(crate) fn is_aged(&self) -> bool {
        self.aged.load(Ordering::Relaxed)
    }

    /// Round trip of the last PING; None before the first.
    pub(crate) fn rtt(&self) -> Option<Duration> {
        match self.rtt.load(Ordering::Relaxed) {
            0 => None,
            micros => Some(Duration::from_micros(micros)),
        }
    }

    /// When the peer last showed that it is there.
    pub(crate) fn last_sign(&self) -> Instant {
        self.life.last_sign()
    }

    /// Why it ended; None while it is open.
    pub(crate) fn end(&self) -> Option<&End> {
        self.end.get()
    }

    fn age_millis(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn idle_for(&self) -> Duration {
        if self.in_flight() > 0 {
            return Duration::ZERO;
        }
        Duration::from_millis(
            self.age_millis()
                .saturating_sub(self.idle_since.load(Ordering::Relaxed)),
        )
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Opened<T> {
    /// Runs the connection to its end: moves its frames, sends PINGs, follows its age. A connection that is given up
    /// is reset, and all its streams fail at once.
    pub(crate) async fn run(
        self,
        rules: WatchRules,
        watcher: impl Watcher,
        stop: CancellationToken,
    ) -> End {
        let Self {
            connection,
            mut driver,
            ping,
        } = self;
        let life = Arc::clone(&connection.life);
        // The task must not keep the connection alive: it closes when pool and requests have let go of it.
        let weak = Arc::downgrade(&connection);
        drop(connection);
        let watch = Watch {
            rules,
            ping,
            watcher: &watcher,
            life: &life,
            connection: &weak,
            retired_at: None,
        };
        let end = tokio::select! {
            biased;
            result = &mut driver => match result {
                Ok(()) => End::Closed,
                Err(error) if error.is_go_away() && error.is_remote() => End::Closed,
                Err(error) => End::Broken(error.to_string()),
            },
            end = watch.run() => end,
            () = stop.cancelled() => End::Stopped,
        };
        let in_use = weak.upgrade().is_some_and(|connection| {
            connection.retire();
            // The first reason stays: this is the only place that sets it.
            connection.end.get_or_init(|| end.clone());
            connection.in_flight() > 0
        });
        if end.is_failure() || end == End::DrainOver || in_use {
            life.reset_on_drop();
        }
        drop(driver);
        end
    }
}

/// Sends PINGs and follows the age of one connection.
struct Watch<'a, W> {
    rules: WatchRules,
    ping: PingPong,
    watcher: &'a W,
    life: &'a Life,
    connection: &'a std::sync::Weak<Connection>,
    retired_at: Option<Instant>,
}

impl<W: Watcher> Watch<'_, W> {
    async fn run(mut self) -> End {
        let max_age = self.rules.max_age.mul_f64(0.9 + 0.2 * fastrand::f64());
        let born = Instant::now();
        loop {
            if let Some(end) = self.exchange().await {
                return end;
            }
            let pause = self.rules.ping_interval;
            let pause = match max_age.saturating_sub(born.elapsed()) {
                Duration::ZERO => pause,
                age_left => pause.min(age_left),
            };
            tokio::time::sleep(pause).await;
            if let Some(end) = self.look_after(born.elapsed() >= max_age) {
                return end;
            }
        }
    }

    /// One PING and its PONG.
    async fn exchange(&mut self) -> Option<End> {
        let sent = Instant::now();
        if let Err(error) = self.ping.send_ping(Ping::opaque()) {
            return Some(End::Broken(error.to_string()));
        }
        let limit = self.ping_timeout();
        let mut deadline = sent + limit;
        loop {
            let pong = std::future::poll_fn(|cx| self.ping.poll_pong(cx));
            match tokio::time::timeout_at(deadline, pong).await {
                Ok(Ok(_)) => break,
                Ok(Err(error)) => return Some(End::Broken(error.to_string())),
                // Anything else from the peer counts too: the PONG may be waiting behind a large body.
                Err(_) if self.life.last_sign() + limit > Instant::now() => {
                    deadline = self.life.last_sign() + limit;
                }
                Err(_) => return Some(End::NoPong),
            }
        }
        if let Some(connection) = self.connection.upgrade() {
            let micros = u64::try_from(sent.elapsed().as_micros()).unwrap_or(u64::MAX);
            connection.rtt.store(micros.max(1), Ordering::Relaxed);
            self.watcher.answered(&connection);
        }
        None
    }

    /// Before the first PONG nothing is known about the path, and the dial has its own limit.
    fn ping_timeout(&self) -> Duration {
        match self.connection.upgrade().and_then(|c| c.rtt()) {
            None => PING_TIMEOUT_MAX,
            Some(rtt) => self.rules.ping_timeout.max((rtt * 4).min(PING_TIMEOUT_MAX)),
        }
    }

    /// Age, idleness and the end of a drain.
    fn look_after(&mut self, old: bool) -> Option<End> {
        let retired = self.connection.upgrade().is_none_or(|connection| {
            if old && !connection.aged.swap(true, Ordering::Relaxed) {
                self.watcher.aged(&connection);
            }
            if connection.idle_for() >= self.rules.idle && self.watcher.idle(&connection) {
                connection.retire();
            }
            connection.is_retired()
        });
        if !retired {
            return None;
        }
        let since = *self.retired_at.get_or_insert_with(Instant::now);
        (since.elapsed() >= self.rules.drain).then_some(End::DrainOver)
    }
}

#[cfg(test)]
mod tests;
