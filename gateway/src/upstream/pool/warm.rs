//! Keeps a tunnel's pool connected while it is wanted.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Pool, fresh};

/// Waiting time after the first failed dial; doubles up to the last. Both vary by half to either side, so that many
/// gateways do not come back to a restarted peer at once.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LAST_BACKOFF: Duration = Duration::from_secs(1);

/// Time after the `failures`-th failed dial in a row (from 1); `draw` is from 0 to 1.
fn backoff(failures: u32, draw: f64) -> Duration {
    let doubled = FIRST_BACKOFF.saturating_mul(1 << failures.saturating_sub(1).min(10));
    doubled.min(LAST_BACKOFF).mul_f64(0.5 + draw)
}

impl Pool {
    /// Keeps the pool at its least number of connections from now on. Returns false when that cannot be done yet,
    /// because there is no runtime.
    pub(crate) fn keep_warm(self: &Arc<Self>) -> bool {
        let mut keeper = self.keeper.lock();
        if keeper.is_some() {
            return true;
        }
        let stop = self.tasks.stop_token();
        let (pool, token) = (Arc::clone(self), stop.clone());
        let runs = self.tasks.spawn(async move {
            // Between two dials nothing needs to be put in order: the task may end at any point.
            tokio::select! {
                () = token.cancelled() => {}
                () = pool.keep() => {}
            }
        });
        *keeper = runs.then_some(stop);
        runs
    }

    /// Is no longer wanted: connections close as soon as their requests are done. Requests of an older table may still
    /// dial.
    pub(crate) fn let_go(&self) {
        if let Some(keeper) = self.keeper.lock().take() {
            CancellationToken::cancel(&keeper);
        }
        let connections = std::mem::take(&mut self.state.lock().connections);
        for connection in connections {
            connection.retire();
        }
    }

    pub(super) fn is_kept_warm(&self) -> bool {
        self.keeper.lock().is_some()
    }

    /// How many connections the pool shall have without a request that asks.
    pub(super) fn warm_target(&self) -> usize {
        if !self.is_kept_warm() {
            return 0;
        }
        let probe = self.rules.redial && self.failing.load(Ordering::Relaxed);
        self.rules
            .min
            .max(usize::from(probe))
            .min(self.rules.max.max(1))
    }

    async fn keep(self: &Arc<Self>) {
        let mut failures = 0;
        loop {
            let dial = {
                let mut state = self.state.lock();
                (fresh(&state) < self.warm_target()).then(|| self.begin_dial(&mut state))
            };
            let Some(dial) = dial else {
                failures = 0;
                self.lost.notified().await;
                continue;
            };
            if dial.await.is_ok() {
                failures = 0;
            } else {
                failures += 1;
                tokio::time::sleep(backoff(failures, fastrand::f64())).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_up_to_its_end_and_varies_by_half() {
        let middle: Vec<u128> = (1..7).map(|n| backoff(n, 0.5).as_millis()).collect();
        assert_eq!(middle, [100, 200, 400, 800, 1000, 1000]);
        assert_eq!(backoff(1, 0.0), Duration::from_millis(50));
        assert_eq!(backoff(40, 1.0), Duration::from_millis(1500));
    }
}
