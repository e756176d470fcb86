//! New connections: one dial at a time, in a task of its own, shared by all who wait for it.

use std::sync::Arc;

use futures::FutureExt;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::evidence::PoolWatcher;
use super::{Dial, Pool, State};
use crate::upstream::connection::{Opened, Origin, open};
use crate::upstream::dial::{DialError, dial};
use crate::upstream::stream::UpstreamStream;

impl Pool {
    /// The dial under way, or a new one.
    pub(super) fn begin_dial(self: &Arc<Self>, state: &mut State) -> Dial {
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
            // Those who wait get the error, whatever it says about the path.
            let _speaks_against_the_path = self.path_failed(&error.to_string());
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
}
