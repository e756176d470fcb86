//! Waiting for what must become true.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::{Instant, sleep};

/// Longest wait for anything that has no limit of its own. Long, since the machine may be busy: it only matters in a run
/// that fails.
pub const LONG: Duration = Duration::from_secs(90);

/// Time between two attempts.
const PAUSE: Duration = Duration::from_millis(50);

/// Tries until it succeeds.
///
/// # Errors
/// The last error of `attempt`, when `limit` is over. An attempt that is under way then is not awaited.
pub async fn until<T>(
    limit: Duration,
    what: &str,
    mut attempt: impl AsyncFnMut() -> Result<T>,
) -> Result<T> {
    let start = Instant::now();
    let mut last = anyhow::anyhow!("the first attempt did not end");
    while let Some(left) = limit.checked_sub(start.elapsed()) {
        match tokio::time::timeout(left, attempt()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => last = error,
            Err(_) => break,
        }
        sleep(PAUSE).await;
    }
    Err(last).with_context(|| format!("not within {} s: {what}", limit.as_secs()))
}

/// Sees to it that something holds all the time.
///
/// # Errors
/// The first error of `check`.
pub async fn throughout(
    time: Duration,
    what: &str,
    mut check: impl AsyncFnMut() -> Result<()>,
) -> Result<()> {
    let start = Instant::now();
    while start.elapsed() < time {
        let elapsed = start.elapsed().as_millis();
        check()
            .await
            .with_context(|| format!("after {elapsed} ms it no longer holds: {what}"))?;
        sleep(PAUSE).await;
    }
    Ok(())
}
