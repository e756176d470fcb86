//! Requests at a fixed rate, whatever the answers do (open loop): a stalled tunnel does not slow the load down, so
//! nothing hides behind it.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

use crate::client::{Call, CallError, Client};

/// How much load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Load {
    /// Requests per second; at least 1.
    pub rate: u32,
    /// Requests in all.
    pub requests: u32,
}

/// What became of one request.
#[derive(Debug)]
pub struct Outcome {
    /// Number of the request, from 0.
    pub number: u32,
    /// When it was sent.
    pub sent: Instant,
    /// When its answer was complete, or it failed.
    pub ended: Instant,
    /// Status, or why there is none.
    pub result: Result<StatusCode, CallError>,
}

impl Outcome {
    /// Whether it was answered with 2xx.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.result.as_ref().is_ok_and(StatusCode::is_success)
    }

    /// Time to the answer or the failure.
    #[must_use]
    pub fn latency(&self) -> Duration {
        self.ended - self.sent
    }
}

/// Sends `call(n)` for n from 0 at the load's rate and waits for all of them. Outcomes are in order of number.
pub async fn run(client: &Arc<Client>, load: Load, call: impl Fn(u32) -> Call) -> Vec<Outcome> {
    let mut tick = tokio::time::interval(Duration::from_secs(1) / load.rate.max(1));
    // A late scheduler must not lower the number of requests.
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut tasks = JoinSet::new();
    for number in 0..load.requests {
        tick.tick().await;
        tasks.spawn(one(Arc::clone(client), number, call(number)));
    }
    let mut outcomes = tasks.join_all().await;
    outcomes.sort_by_key(|o| o.number);
    outcomes
}

async fn one(client: Arc<Client>, number: u32, call: Call) -> Outcome {
    let sent = Instant::now();
    let result = client.send(&call).await;
    Outcome {
        number,
        sent,
        ended: Instant::now(),
        result: result.map(|answer| answer.status),
    }
}

/// The latency that this share of `outcomes` (0 to 1) does not exceed; zero when there are none.
#[must_use]
pub fn percentile(outcomes: &[Outcome], share: f64) -> Duration {
    let mut sorted: Vec<Duration> = outcomes.iter().map(Outcome::latency).collect();
    sorted.sort_unstable();
    let count = u32::try_from(sorted.len()).unwrap_or(u32::MAX);
    // Nearest rank; the share is clamped, so the rank is within the list.
    let rank = (f64::from(count) * share.clamp(0.0, 1.0)).ceil().max(1.0) - 1.0;
    let below = sorted
        .iter()
        .zip(0_u32..)
        .take_while(|(_, i)| f64::from(*i) <= rank);
    below.last().map_or(Duration::ZERO, |(latency, _)| *latency)
}
