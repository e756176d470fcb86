//! Metrics that are asked for at each scrape: tunnels, sockets, table. Their series vanish with the thing itself.

use std::net::SocketAddr;
use std::sync::Arc;

use mcwan_routing::health::Health;
use mcwan_routing::spec::Role;
use mcwan_telemetry::metrics::Metrics;
use serde::Serialize;

use crate::backends::TunnelReport;
use crate::live::LiveTable;

/// State of one socket that the table asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SocketReport {
    /// Where it is, or should be, bound.
    pub socket: SocketAddr,
    /// What it is for.
    pub role: Role,
    /// Whether it is bound.
    pub bound: bool,
    /// Why it is not; empty when it is.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub error: String,
    /// Open connections of clients.
    pub connections: usize,
}

/// Asks the owner of the sockets for their state.
pub type Sockets = Arc<dyn Fn() -> Vec<SocketReport> + Send + Sync>;

/// Registers the metrics of the table, the tunnels and the sockets.
///
/// # Errors
/// When they are registered already.
pub fn register(
    metrics: &Metrics,
    live: &Arc<LiveTable>,
    sockets: &Sockets,
) -> prometheus::Result<()> {
    table(metrics, live)?;
    tunnels(metrics, live)?;
    listeners(metrics, live, sockets)
}

fn table(metrics: &Metrics, live: &Arc<LiveTable>) -> prometheus::Result<()> {
    let source = Arc::clone(live);
    metrics.gauge(
        "mcwan_table_generation",
        "Publications of the routing table, the one in force included.",
        &[],
        move |s| s.add(&[], whole(source.load().generation)),
    )?;
    let source = Arc::clone(live);
    metrics.gauge(
        "mcwan_table_rules",
        "Rules in the routing table.",
        &[],
        move |s| s.add(&[], count(source.load().rules.len())),
    )
}

const TUNNEL: [&str; 4] = ["destination_cluster", "wan_policy", "tunnel", "gateway"];

fn tunnels(metrics: &Metrics, live: &Arc<LiveTable>) -> prometheus::Result<()> {
    let source = Arc::clone(live);
    metrics.gauge(
        "mcwan_tunnel_state",
        "1 for the state that the tunnel to this gateway is in, 0 for the others.",
        &[
            "destination_cluster",
            "wan_policy",
            "tunnel",
            "gateway",
            "state",
        ],
        move |s| {
            for tunnel in source.registry().tunnels() {
                let gateway = tunnel.address.to_string();
                let [cluster, policy, class, gateway] = labels(&tunnel, &gateway);
                for health in HEALTHS {
                    let value = if health == tunnel.health { 1.0 } else { 0.0 };
                    s.add(&[cluster, policy, class, gateway, word(health)], value);
                }
            }
        },
    )?;
    let figures: [(&str, &str, Figure); 3] = [
        (
            "mcwan_tunnel_rtt_seconds",
            "Round trip of the last PING through the tunnel.",
            |t| t.rtt_ms.map(|ms| ms / 1000.0),
        ),
        (
            "mcwan_tunnel_connections",
            "Open connections of the tunnel.",
            |t| Some(count(t.connections)),
        ),
        (
            "mcwan_tunnel_requests_in_flight",
            "Requests that the tunnel is carrying.",
            |t| Some(count(t.in_flight)),
        ),
    ];
    figures.into_iter().try_for_each(|(name, help, figure)| {
        let source = Arc::clone(live);
        metrics.gauge(name, help, &TUNNEL, move |s| {
            for tunnel in source.registry().tunnels() {
                let gateway = tunnel.address.to_string();
                if let Some(value) = figure(&tunnel) {
                    s.add(&labels(&tunnel, &gateway), value);
                }
            }
        })
    })
}

type Figure = fn(&TunnelReport) -> Option<f64>;

const HEALTHS: [Health; 4] = [
    Health::Healthy,
    Health::Unknown,
    Health::Recovering,
    Health::Down,
];

const fn word(health: Health) -> &'static str {
    match health {
        Health::Healthy => "healthy",
        Health::Unknown => "unknown",
        Health::Recovering => "recovering",
        Health::Down => "down",
    }
}

/// Values of [`TUNNEL`].
fn labels<'a>(tunnel: &'a TunnelReport, gateway: &'a str) -> [&'a str; 4] {
    [&tunnel.cluster, &tunnel.policy, &tunnel.class, gateway]
}

fn listeners(
    metrics: &Metrics,
    live: &Arc<LiveTable>,
    sockets: &Sockets,
) -> prometheus::Result<()> {
    let table = Arc::clone(live);
    let source = Arc::clone(sockets);
    metrics.gauge(
        "mcwan_listener_up",
        "1 when the listener's socket is bound.",
        &["listener", "socket"],
        move |s| {
            let live = table.load();
            let reports = source();
            for spec in &live.table.spec().sockets {
                let socket = spec.socket.to_string();
                let up = reports.iter().any(|r| r.socket == spec.socket && r.bound);
                for listener in &spec.listeners {
                    s.add(&[&listener.name, &socket], if up { 1.0 } else { 0.0 });
                }
            }
        },
    )?;
    let source = Arc::clone(sockets);
    metrics.gauge(
        "mcwan_connections",
        "Open connections of clients.",
        &["socket"],
        move |s| {
            for report in source() {
                s.add(&[&report.socket.to_string()], count(report.connections));
            }
        },
    )
}

/// A count as Prometheus wants it.
pub(crate) fn count(n: usize) -> f64 {
    u64::try_from(n).map_or(f64::MAX, whole)
}

/// A whole number as Prometheus wants it; exact below 2^32, which no count here reaches.
pub(crate) fn whole(n: u64) -> f64 {
    u32::try_from(n).map_or(f64::from(u32::MAX), f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_called_as_debug_tunnels_calls_them() {
        for health in HEALTHS {
            assert_eq!(serde_json::to_value(health).unwrap(), word(health));
        }
    }
}
