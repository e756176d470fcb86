//! The HTTP/2 connections to one endpoint.
//!
//! Requests take a [`Ticket`] for the least loaded connection. A cold pool dials once for all who wait; a loaded one
//! grows by one connection at a time. Dials run in tasks of their own, so a request that gives up does not take them
//! along. A tunnel's pool is kept warm: it dials again, with backoff, for as long as it is wanted.

mod warm;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use parking_lot::Mutex;
use pingora_error::{Error, ErrorType};
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::connection::{Connection, End, Opened, Origin, WatchRules, Watcher, open};
use super::dial::{DialError, DialOptions, dial};
use super::stream::UpstreamStream;
use super::tasks::Tasks;

/// Requests that may wait for a connection. Beyond that a request is refused at once: a queue that long is not drained
/// before its members have timed out.
const MAX_WAITERS: usize = 1024;

/// How long a request waits for a stream, beyond the time that a dial may take.
const WAIT_MARGIN: Duration = Duration::from_millis(500);

/// How many connections a pool has, and how they are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PoolRules {
    /// Connections that are kept open while the pool is wanted.
    pub(crate) min: usize,
    /// Connections at most.
    pub(crate) max: usize,
    /// Requests in flight per connection, within the peer's own limit.
    pub(crate) max_streams: usize,
    /// Whether a failed pool is dialled again without a request that asks for it.
    pub(crate) redial: bool,
    /// Of each connection.
    pub(crate) watch: WatchRules,
}

/// What a pool tells about its path. Called outside of the pool's lock.
pub(crate) trait PathObserver: Send + Sync + std::fmt::Debug {
    /// A connection was made, or a PING was answered after `rtt`.
    fn answered(&self, rtt: Duration);
    /// A dial failed, or a connection was given up, and no other connection of the pool shows that the path is good.
    fn failed(&self, reason: &str);
}

type Dial = Shared<BoxFuture<'static, Result<(), DialError>>>;

#[derive(Default)]
struct State {
    connections: Vec<Arc<Connection>>,
    dialing: Option<Dial>,
}

/// The connections to one endpoint.
pub(crate) struct Pool {
    pub(crate) dial: DialOptions,
    pub(crate) rules: PoolRules,
    state: Mutex<State>,
    /// A stream or a connection became free.
    freed: Notify,
    /// A connection went away; whoever keeps the pool warm looks again.
    lost: Notify,
    waiters: AtomicUsize,
    /// The last evidence was a failure.
    failing: AtomicBool,
    /// Ends the keeping warm; None while the pool is not wanted.
    keeper: Mutex<Option<CancellationToken>>,
    tasks: Arc<Tasks>,
    observer: Arc<dyn PathObserver>,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool")
            .field("dial", &self.dial)
            .field("rules", &self.rules)
            .field("open", &self.open_connections())
            .finish_non_exhaustive()
    }
}

/// A request's place on a connection, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Ticket {
    pub(crate) connection: Arc<Connection>,
    pool: Arc<Pool>,
}

impl Ticket {
    /// The connection takes no new streams: another one, and this one leaves the pool.
    ///
    /// # Errors
    /// As [`Pool::acquire`].
    pub(crate) async fn exchange(&mut self) -> pingora_error::Result<()> {
        self.pool.remove(&self.connection);
        let other = self.pool.acquire().await?;
        *self = other;
        Ok(())
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.connection.end_request();
        if self.pool.waiters.load(Ordering::SeqCst) > 0 {
            self.pool.freed.notify_one();
        }
    }
}

/// Counts a waiter for as long as it waits.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(waiters: &'a AtomicUsize) -> Option<Self> {
        if waiters.fetch_add(1, Ordering::SeqCst) >= MAX_WAITERS {
            waiters.fetch_sub(1, Ordering::SeqCst);
            return None;
        }
        Some(Self(waiters))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Pool {
    /// A pool without connections. It dials when a request asks, or when [`Self::keep_warm`] is called.
    pub(crate) fn new(
        dial: DialOptions,
        rules: PoolRules,
        tasks: Arc<Tasks>,
        observer: Arc<dyn PathObserver>,
    ) -> Arc<Self> {
        Arc::new(Self {
            dial,
            rules,
            state: Mutex::default(),
            freed: Notify::new(),
            lost: Notify::new(),
            waiters: AtomicUsize::new(0),
            failing: AtomicBool::new(false),
            keeper: Mutex::new(None),
            tasks,
            observer,
        })
    }

    /// A place on an open connection, or None. Never waits; may begin to dial for those who come after.
    pub(crate) fn try_acquire(self: &Arc<Self>) -> Option<Ticket> {
        self.pick(&mut self.state.lock())
    }

    /// A place on a connection. Everybody who waits for a cold pool shares one dial.
    ///
    /// # Errors
    /// The dial's error, or `ConnectTimedout` when there is no free stream in time or too many wait. All are marked
    /// for retry: nothing was sent.
    pub(crate) async fn acquire(self: &Arc<Self>) -> pingora_error::Result<Ticket> {
        if let Some(ticket) = self.try_acquire() {
            return Ok(ticket);
        }
        let Some(_waiting) = Waiting::begin(&self.waiters) else {
            return Err(self.busy("too many requests wait for a connection"));
        };
        let deadline = Instant::now() + self.dial.timeout + WAIT_MARGIN;
        loop {
            let freed = self.freed.notified();
            let dialing = {
                let mut state = self.state.lock();
                if let Some(ticket) = self.pick(&mut state) {
                    return Ok(ticket);
                }
                state.dialing.clone()
            };
            let dialed = async {
                match dialing {
                    Some(dial) => dial.await,
                    None => std::future::pending().await,
                }
            };
            let news = async {
                tokio::select! {
                    result = dialed => result,
                    () = freed => Ok(()),
                    () = self.tasks.stopped() => Err(DialError::Stopped),
                }
            };
            match timeout_at(deadline, news).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(error.to_pingora(self.dial.address)),
                Err(_) => return Err(self.busy("no free stream in time")),
            }
        }
    }

    fn busy(&self, why: &str) -> Box<Error> {
        let mut error = Error::explain(
            ErrorType::ConnectTimedout,
            format!("{}: {why}", self.dial.address),
        );
        error.set_retry(true);
        error
    }

    /// The least loaded connection with room, if any; begins to dial when that one is half full.
    fn pick(self: &Arc<Self>, state: &mut State) -> Option<Ticket> {
        let best = state
            .connections
            .iter()
            .filter(|c| !c.is_retired())
            .map(|c| (c.in_flight(), c.capacity().min(self.rules.max_streams), c))
            .filter(|(load, room, _)| load < room)
            .min_by_key(|(load, _, _)| *load)
            .map(|(load, room, c)| (load * 2 >= room, Arc::clone(c)));
        let crowded = best.as_ref().is_none_or(|(crowded, _)| *crowded);
        if crowded && fresh(state) < self.rules.max {
            // Runs without anybody who waits for it.
            drop(self.begin_dial(state));
        }
        let (_, connection) = best?;
        connection.begin_request();
        Some(Ticket {
            connection,
            pool: Arc::clone(self),
        })
    }

    /// The dial under way, or a new one.
    fn begin_dial(self: &Arc<Self>, state: &mut State) -> Dial {
        if let Some(dial) = &state.dialing {
            return dial.clone();
        }
        let (done, result) = oneshot::channel();
        let pool = Arc::clone(self);
        let runs = self.tasks.spawn(async move {
            let result = pool.dial_once().await;
            pool.state.lock().dialing = None;
            if result.is_ok() {
                // After a failure nobody is woken here: those who wait get the error, and do not dial again.
                pool.freed.notify_waiters();
            }
            // Nobody may be waiting any more.
            drop(done.send(result));
        });
        let dial = result
            .map(|result| result.unwrap_or(Err(DialError::Stopped)))
            .boxed()
            .shared();
        if runs {
            state.dialing = Some(dial.clone());
        }
        dial
    }

    /// Dials, and adds the connection when the peer has answered its first PING.
    async fn dial_once(self: &Arc<Self>) -> Result<(), DialError> {
        let work = tokio::time::timeout(self.dial.timeout, self.connect());
        let result = tokio::select! {
            result = work => result.unwrap_or(Err(DialError::TimedOut)),
            () = self.tasks.stopped() => return Err(DialError::Stopped),
        };
        if let Err(error) = &result {
            self.path_failed(&error.to_string());
        }
        result
    }

    async fn connect(self: &Arc<Self>) -> Result<(), DialError> {
        let stream = dial(&self.dial).await?;
        let origin = Origin {
            life: Arc::clone(stream.life()),
            fd: pingora_core::protocols::UniqueID::id(&stream),
            digest: stream.digest(),
        };
        let protocol = |error| DialError::Protocol(Arc::new(error));
        let opened = open(stream, origin).await.map_err(protocol)?;
        let connection = Arc::clone(&opened.connection);
        let (first, ready) = oneshot::channel();
        if !self.run(opened, first) {
            return Err(DialError::Stopped);
        }
        if ready.await.is_err() {
            return Err(protocol(h2::Reason::PROTOCOL_ERROR.into()));
        }
        self.add(connection);
        Ok(())
    }

    /// Runs a connection in a task of its own.
    fn run(self: &Arc<Self>, opened: Opened<UpstreamStream>, first: oneshot::Sender<()>) -> bool {
        let watcher = PoolWatcher {
            pool: Arc::downgrade(self),
            first: Mutex::new(Some(first)),
        };
        let weak = Arc::downgrade(self);
        let id = opened.connection.id;
        let (rules, stop) = (self.rules.watch, self.tasks.stop_token());
        self.tasks.spawn(async move {
            let end = opened.run(rules, watcher, stop).await;
            tracing::debug!(end = end.reason(), detail = ?end, "HTTP/2 connection ended");
            if let Some(pool) = weak.upgrade() {
                pool.ended(id, &end);
            }
        })
    }

    fn add(&self, connection: Arc<Connection>) {
        let mut state = self.state.lock();
        // Its replacement is here: an aged connection takes no more requests.
        state.connections.retain(|c| !(c.is_aged() && c.retire()));
        state.connections.push(connection);
    }

    fn remove(&self, connection: &Arc<Connection>) {
        connection.retire();
        self.state
            .lock()
            .connections
            .retain(|c| !Arc::ptr_eq(c, connection));
        self.lost.notify_one();
    }

    /// A connection is over. It counts against the path only if it was in use by the pool, and no other is well.
    fn ended(&self, id: u64, end: &End) {
        let known = {
            let mut state = self.state.lock();
            let before = state.connections.len();
            state.connections.retain(|c| c.id != id);
            state.connections.len() < before
        };
        if known && end.is_failure() {
            self.path_failed(&match end {
                End::Broken(detail) => format!("{}: {detail}", end.reason()),
                End::Closed | End::NoPong | End::DrainOver | End::Stopped => {
                    end.reason().to_owned()
                }
            });
        }
        self.lost.notify_one();
        // Those who waited for a stream of it may have to dial.
        self.freed.notify_waiters();
    }

    fn path_failed(&self, reason: &str) {
        if self.is_path_proven() {
            tracing::debug!(address = %self.dial.address, reason, "one connection failed, others are well");
            return;
        }
        self.failing.store(true, Ordering::Relaxed);
        self.lost.notify_one();
        self.observer.failed(reason);
    }

    /// Whether some connection has had a sign from the peer within the time of one PING.
    fn is_path_proven(&self) -> bool {
        let now = Instant::now();
        let interval = self.rules.watch.ping_interval;
        self.state.lock().connections.iter().any(|c| {
            let slack = (c.rtt().unwrap_or_default() * 2).max(Duration::from_millis(100));
            now.saturating_duration_since(c.last_sign()) <= interval + slack
        })
    }

    fn path_answered(&self, rtt: Duration) {
        self.failing.store(false, Ordering::Relaxed);
        self.observer.answered(rtt);
    }

    /// Open connections that take requests.
    pub(crate) fn open_connections(&self) -> usize {
        self.state.lock().connections.len()
    }

    /// Round trip of the last PING: the shortest over the connections.
    pub(crate) fn rtt(&self) -> Option<Duration> {
        self.state
            .lock()
            .connections
            .iter()
            .filter_map(|c| c.rtt())
            .min()
    }
}

/// Connections that are neither retired nor waiting for their replacement.
fn fresh(state: &State) -> usize {
    state
        .connections
        .iter()
        .filter(|c| !c.is_retired() && !c.is_aged())
        .count()
}

/// A connection's way to its pool, which it does not keep alive.
struct PoolWatcher {
    pool: std::sync::Weak<Pool>,
    /// Tells the dial that the first PING was answered.
    first: Mutex<Option<oneshot::Sender<()>>>,
}

impl Watcher for PoolWatcher {
    fn answered(&self, connection: &Arc<Connection>) {
        if let Some(first) = self.first.lock().take() {
            // Nobody listens when the dial has run out of time.
            first.send(()).ok();
        }
        if let Some(pool) = self.pool.upgrade() {
            pool.path_answered(connection.rtt().unwrap_or_default());
        }
    }

    fn aged(&self, connection: &Arc<Connection>) {
        let Some(pool) = self.pool.upgrade() else {
            return;
        };
        let others = fresh(&pool.state.lock());
        if others < pool.warm_target() {
            // The keeper dials a replacement first; `Pool::add` then retires this one.
            pool.lost.notify_one();
        } else {
            pool.remove(connection);
        }
    }

    fn idle(&self, connection: &Arc<Connection>) -> bool {
        let Some(pool) = self.pool.upgrade() else {
            return true;
        };
        if fresh(&pool.state.lock()) <= pool.warm_target() {
            return false;
        }
        pool.remove(connection);
        true
    }
}

#[cfg(test)]
mod tests;
