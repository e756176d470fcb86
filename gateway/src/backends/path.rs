//! The health of the path to one endpoint, from evidence.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

use mcwan_routing::health::{Admission, Dampening, EndpointState, Evidence, Health, TunnelState};
use mcwan_routing::spec::Tunnel;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::upstream::PathObserver;

/// Time since a fixed start: the pure functions of health know no clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock(Instant);

impl Default for Clock {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Clock {
    pub(super) fn now(self) -> Duration {
        self.0.elapsed()
    }
}

/// Health that many requests read and few events write.
#[derive(Debug)]
struct HealthCell(AtomicU8);

impl HealthCell {
    fn new(health: Health) -> Self {
        Self(AtomicU8::new(Self::code(health)))
    }

    const fn code(health: Health) -> u8 {
        match health {
            Health::Healthy => 0,
            Health::Unknown => 1,
            Health::Recovering => 2,
            Health::Down => 3,
        }
    }

    fn store(&self, health: Health) {
        self.0.store(Self::code(health), Ordering::Relaxed);
    }

    fn load(&self) -> Health {
        match self.0.load(Ordering::Relaxed) {
            0 => Health::Healthy,
            1 => Health::Unknown,
            2 => Health::Recovering,
            _ => Health::Down,
        }
    }
}

/// The path to one ingress gateway of a peer under one `WANPolicy`.
#[derive(Debug)]
pub(super) struct TunnelPath {
    tunnel: Tunnel,
    address: SocketAddr,
    clock: Clock,
    health: HealthCell,
    history: Mutex<History>,
}

/// What happened to a path.
#[derive(Debug, Clone)]
pub(super) struct History {
    pub(super) state: TunnelState,
    /// What last made it `Down`, in one line; empty when nothing did, or when that is forgotten.
    pub(super) last_failure: String,
}

impl History {
    /// What a tunnel said before it first worked is of no interest once it works; what broke it later is kept for as
    /// long as flaps are.
    fn forget(&mut self, now: Duration, dampening: &Dampening) {
        let old = now.saturating_sub(self.state.since) >= dampening.max_hold_down;
        if self.state.health == Health::Healthy && (self.state.flaps == 0 || old) {
            self.last_failure.clear();
        }
    }
}

impl TunnelPath {
    /// A path about which nothing is known, or as much as was known of the same path under an older configuration.
    pub(super) fn new(
        tunnel: Tunnel,
        address: SocketAddr,
        clock: Clock,
        known: Option<History>,
    ) -> Self {
        let history = known.unwrap_or_else(|| History {
            state: TunnelState::new(clock.now()),
            last_failure: String::new(),
        });
        Self {
            tunnel,
            address,
            clock,
            health: HealthCell::new(history.state.health),
            history: Mutex::new(history),
        }
    }

    pub(super) const fn tunnel(&self) -> &Tunnel {
        &self.tunnel
    }

    pub(super) fn health(&self) -> Health {
        self.health.load()
    }

    pub(super) fn history(&self) -> History {
        self.history.lock().clone()
    }

    fn dampening(&self) -> Dampening {
        Dampening {
            hold_down: self.tunnel.hold_down,
            max_hold_down: self.tunnel.max_hold_down,
            ..Dampening::default()
        }
    }

    fn observe(&self, evidence: Evidence, reason: &str) {
        let now = self.clock.now();
        let dampening = self.dampening();
        let mut history = self.history.lock();
        let before = history.state.health;
        history.state = history.state.observe(evidence, now, dampening);
        let after = history.state.health;
        match evidence {
            Evidence::Failed => reason.clone_into(&mut history.last_failure),
            Evidence::Answered => history.forget(now, &dampening),
        }
        if after == before {
            return;
        }
        self.health.store(after);
        drop(history);
        let (cluster, policy) = (self.tunnel.cluster.as_str(), self.tunnel.policy.as_str());
        tracing::info!(cluster, policy, address = %self.address, ?before, ?after, reason, "tunnel health");
    }
}

impl PathObserver for TunnelPath {
    fn answered(&self, _rtt: Duration) {
        self.observe(Evidence::Answered, "");
    }

    fn failed(&self, reason: &str) {
        self.observe(Evidence::Failed, reason);
    }
}

/// The path to an ordinary endpoint.
#[derive(Debug)]
pub(super) struct EndpointPath {
    address: SocketAddr,
    clock: Clock,
    /// Whether `state` is other than the default: answers, which are by far the most, need not lock it.
    troubled: AtomicBool,
    state: Mutex<EndpointState>,
}

impl EndpointPath {
    pub(super) fn new(address: SocketAddr, clock: Clock) -> Self {
        Self {
            address,
            clock,
            troubled: AtomicBool::new(false),
            state: Mutex::default(),
        }
    }

    /// `Healthy`, or `Recovering` while it is ejected: an ejected endpoint is still better than none.
    pub(super) fn health(&self) -> Health {
        match self.admission() {
            Admission::Ordinary | Admission::Probe => Health::Healthy,
            Admission::Refused => Health::Recovering,
        }
    }

    fn admission(&self) -> Admission {
        if !self.troubled.load(Ordering::Relaxed) {
            return Admission::Ordinary;
        }
        self.state.lock().admits(self.clock.now())
    }

    /// A request begins. Returns whether it is the probe: the only one until its outcome is known.
    pub(super) fn begin_probe(&self) -> bool {
        if self.admission() != Admission::Probe {
            return false;
        }
        let mut state = self.state.lock();
        let probes = state.admits(self.clock.now()) == Admission::Probe;
        if probes {
            *state = state.probe();
        }
        probes
    }

    /// The probe ended without an outcome.
    pub(super) fn abandon_probe(&self) {
        let mut state = self.state.lock();
        *state = state.abandoned();
    }

    fn observe(&self, evidence: Evidence, reason: &str) {
        if evidence == Evidence::Answered && !self.troubled.load(Ordering::Relaxed) {
            return;
        }
        let now = self.clock.now();
        let mut state = self.state.lock();
        let before = *state;
        *state = before.observe(evidence, now);
        let after = *state;
        self.troubled
            .store(after != EndpointState::default(), Ordering::Relaxed);
        drop(state);
        if before.ejected_until.is_none() && after.ejected_until.is_some() {
            tracing::info!(address = %self.address, reason, "endpoint ejected");
        } else if before.ejected_until.is_some() && after.ejected_until.is_none() {
            tracing::info!(address = %self.address, "endpoint answers again");
        }
    }
}

impl PathObserver for EndpointPath {
    fn answered(&self, _rtt: Duration) {
        self.observe(Evidence::Answered, "");
    }

    fn failed(&self, reason: &str) {
        self.observe(Evidence::Failed, reason);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(hold_down: Duration, max_hold_down: Duration) -> TunnelPath {
        let tunnel = Tunnel {
            cluster: "cluster-1".to_owned(),
            policy: "business".to_owned(),
            class: "business".to_owned(),
            min_connections: 1,
            max_connections: 4,
            max_age: Duration::from_secs(600),
            max_streams: 100,
            hold_down,
            max_hold_down,
            dscp: None,
        };
        let address = "127.0.0.1:31111".parse().unwrap();
        TunnelPath::new(tunnel, address, Clock::default(), None)
    }

    #[tokio::test(start_paused = true)]
    async fn a_tunnel_is_preferred_again_after_its_hold_down() {
        let path = path(Duration::from_secs(60), Duration::from_secs(1200));
        assert_eq!(path.health(), Health::Unknown);
        path.answered(Duration::ZERO);
        assert_eq!(path.health(), Health::Healthy);
        path.failed("no answer to PING");
        assert_eq!(path.health(), Health::Down);
        assert_eq!(path.history().last_failure, "no answer to PING");
        path.answered(Duration::ZERO);
        tokio::time::advance(Duration::from_secs(59)).await;
        path.answered(Duration::ZERO);
        assert_eq!(path.health(), Health::Recovering);
        tokio::time::advance(Duration::from_secs(1)).await;
        path.answered(Duration::ZERO);
        assert_eq!(path.health(), Health::Healthy);
        assert_eq!(path.history().last_failure, "no answer to PING");
        tokio::time::advance(Duration::from_secs(1200)).await;
        path.answered(Duration::ZERO);
        assert_eq!(path.history().last_failure, "", "forgotten with the flap");
    }

    #[tokio::test(start_paused = true)]
    async fn what_failed_before_the_first_answer_is_forgotten_at_the_first_answer() {
        let path = path(Duration::from_secs(60), Duration::from_secs(1200));
        path.failed("connection refused");
        assert_eq!(path.history().last_failure, "connection refused");
        path.answered(Duration::ZERO);
        assert_eq!(path.history().last_failure, "");
    }

    #[tokio::test(start_paused = true)]
    async fn the_hold_down_grows_with_each_flap_up_to_the_limit_of_the_policy() {
        let path = path(Duration::from_secs(10), Duration::from_secs(20));
        path.answered(Duration::ZERO);
        for _ in 0..5 {
            path.failed("no answer to PING");
            path.answered(Duration::ZERO);
            assert_eq!(path.health(), Health::Recovering);
        }
        tokio::time::advance(Duration::from_secs(19)).await;
        path.answered(Duration::ZERO);
        assert_eq!(path.health(), Health::Recovering);
        tokio::time::advance(Duration::from_secs(1)).await;
        path.answered(Duration::ZERO);
        assert_eq!(path.health(), Health::Healthy);
    }

    #[tokio::test(start_paused = true)]
    async fn an_endpoint_is_ejected_for_a_while() {
        let path = EndpointPath::new("127.0.0.1:80".parse().unwrap(), Clock::default());
        for _ in 0..3 {
            assert_eq!(path.health(), Health::Healthy);
            path.failed("connection refused");
        }
        assert_eq!(path.health(), Health::Recovering);
        assert!(!path.begin_probe());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(path.health(), Health::Healthy);
        assert!(path.begin_probe());
        assert!(!path.begin_probe(), "one probe at a time");
        assert_eq!(path.health(), Health::Recovering);
        path.abandon_probe();
        assert!(path.begin_probe());
        path.failed("connection refused");
        assert_eq!(path.health(), Health::Recovering);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(path.begin_probe());
        path.answered(Duration::ZERO);
        assert_eq!(path.health(), Health::Healthy);
    }
}
