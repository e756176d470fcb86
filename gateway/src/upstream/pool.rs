//! The HTTP/2 connections to one endpoint.
//!
//! Requests take a [`Ticket`] for the least loaded connection. A cold pool dials once for all who wait; a loaded one
//! grows by one connection at a time. Dials run in tasks of their own, so a request that gives up does not take them
//! along. A tunnel's pool is kept warm: it dials again, with backoff, for as long as it is wanted.

mod dialing;
mod evidence;
mod warm;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::{BoxFuture, Shared};
use parking_lot::Mutex;
use pingora_error::{Error, ErrorType};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::connection::{Connection, WatchRules};
use super::dial::{DialError, DialOptions};
use super::tasks::Tasks;

pub(crate) use evidence::PathObserver;

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
    /// The path of a tunnel is down: those who wait do better elsewhere.
    dark: Notify,
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
            dark: Notify::new(),
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
    /// The dial's error, or `ConnectTimedout` when there is no free stream in time, when too many wait, or when the
    /// path fails meanwhile. All are marked for retry: nothing was sent.
    pub(crate) async fn acquire(self: &Arc<Self>) -> pingora_error::Result<Ticket> {
        if let Some(ticket) = self.try_acquire() {
            return Ok(ticket);
        }
        let Some(_waiting) = Waiting::begin(&self.waiters) else {
            return Err(self.busy("too many requests wait for a connection"));
        };
        let deadline = Instant::now() + self.dial.timeout + WAIT_MARGIN;
        loop {
            let (freed, dark) = (self.freed.notified(), self.dark.notified());
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
                    biased;
                    () = dark => Err(DialError::Dark),
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

#[cfg(test)]
mod tests;
