//! What connections and dials say about the path.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{Pool, fresh};
use crate::upstream::connection::{Connection, End, Watcher};

/// What a pool tells about its path. Called outside of the pool's lock.
pub(crate) trait PathObserver: Send + Sync + std::fmt::Debug {
    /// A connection was made, or a PING was answered after `rtt`.
    fn answered(&self, rtt: Duration);
    /// A dial failed, or a connection was given up, and no other connection of the pool shows that the path is good.
    fn failed(&self, reason: &str);
}

impl Pool {
    /// A connection is over. It counts against the path only if it was in use by the pool, and no other is well.
    pub(super) fn ended(&self, id: u64, end: &End) {
        let known = {
            let mut state = self.state.lock();
            let before = state.connections.len();
            state.connections.retain(|c| c.id != id);
            state.connections.len() < before
        };
        if known && end.is_failure() {
            let failed = self.path_failed(&match end {
                End::Broken(detail) => format!("{}: {detail}", end.reason()),
                End::Closed | End::NoPong | End::DrainOver | End::Stopped => {
                    end.reason().to_owned()
                }
            });
            if failed && *end == End::NoPong && self.rules.redial {
                // A dial under way goes the same dark way, and takes as long as a dial may. After a reset it is
                // different: the next dial is quickly refused, or succeeds.
                self.dark.notify_waiters();
            }
        }
        self.lost.notify_one();
        // Those who waited for a stream of it may have to dial.
        self.freed.notify_waiters();
    }

    /// Something failed. Returns whether that speaks against the path.
    pub(super) fn path_failed(&self, reason: &str) -> bool {
        if self.is_path_proven() {
            tracing::debug!(address = %self.dial.address, reason, "one connection failed, others are well");
            return false;
        }
        self.failing.store(true, Ordering::Relaxed);
        self.lost.notify_one();
        self.observer.failed(reason);
        true
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
}

/// A connection's way to its pool, which it does not keep alive.
pub(super) struct PoolWatcher {
    pub(super) pool: std::sync::Weak<Pool>,
    /// Tells the dial that the first PING was answered.
    pub(super) first: Mutex<Option<oneshot::Sender<()>>>,
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
