//! When the loop looks again.

use std::sync::Arc;
use std::time::Duration;

use mcwan_k8s::served::Served;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::Parts;
use crate::leader::Leadership;
use crate::peers::Known;

/// Changes often come in groups: the loop waits until none came for this long …
const QUIET: Duration = Duration::from_millis(30);
/// … but no longer than this.
const LONGEST: Duration = Duration::from_millis(200);
/// Everything is compared again after this long without a word, in case something was missed.
const RESYNC: Duration = Duration::from_secs(600);

/// Everything that wakes the loop.
#[derive(Debug)]
pub(super) struct Wake {
    cluster: watch::Receiver<u64>,
    known: watch::Receiver<Option<Arc<Known>>>,
    served: watch::Receiver<Arc<Vec<Served>>>,
    leadership: Leadership,
    resync: Instant,
}

impl Wake {
    pub(super) fn new(parts: &Parts) -> Self {
        Self {
            cluster: parts.view.subscribe(),
            known: parts.known.clone(),
            served: parts.served.clone(),
            leadership: parts.leadership.clone(),
            resync: Instant::now() + RESYNC,
        }
    }

    /// Waits for news and a moment of quiet, or for `pause`. Whether everything is to be compared again.
    pub(super) async fn next(&mut self, pause: Option<Duration>) -> bool {
        let led = self.leadership.holds();
        let mut leadership = self.leadership.clone();
        let resync = self.resync;
        tokio::select! {
            () = self.news() => {}
            () = leadership.held(), if !led => return true,
            () = sleep_until(resync) => {
                self.resync = Instant::now() + RESYNC;
                return true;
            }
            () = after(pause) => return false,
        }
        let longest = Instant::now() + LONGEST;
        loop {
            let quiet = (Instant::now() + QUIET).min(longest);
            tokio::select! {
                () = self.news() => {}
                () = sleep_until(quiet) => return false,
            }
            if Instant::now() >= longest {
                return false;
            }
        }
    }

    /// Whether something changed that [`Wake::next`] has not yet taken in.
    pub(super) fn has_news(&self) -> bool {
        let changed = |news: Result<bool, _>| news.unwrap_or(false);
        changed(self.cluster.has_changed())
            || changed(self.known.has_changed())
            || changed(self.served.has_changed())
    }

    async fn news(&mut self) {
        tokio::select! {
            () = changed(&mut self.cluster) => {}
            () = changed(&mut self.known) => {}
            () = changed(&mut self.served) => {}
        }
    }
}

/// Waits for a change. One that can come no more is waited for for ever.
async fn changed<T>(receiver: &mut watch::Receiver<T>) {
    if receiver.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

async fn after(pause: Option<Duration>) {
    match pause {
        Some(pause) => sleep(pause).await,
        None => std::future::pending().await,
    }
}
