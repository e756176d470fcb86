//! The other clusters, and the tunnels to them.

use mcwan_k8s::kinds::wan::ClusterPeer;
use mcwan_k8s::object::{annotation, created};
use serde::Serialize;

use crate::link::EXPIRES_ANNOTATION;

use super::fact::{Fact, View};
use super::finding::{Finding, Level, complaints};
use super::seen::{GatewaySeen, Seen, TunnelSeen};

/// A credential that expires within this many seconds (14 days) is worth a warning.
const SOON: i64 = 14 * 86_400;

/// Another cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PeerLine {
    /// Name of the `ClusterPeer`.
    pub name: String,
    /// Cluster id.
    pub cluster: String,
    /// Whether its API server answers and its controller is alive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connected: Option<Fact>,
    /// Whether all that it offers is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub synced: Option<Fact>,
    /// Seconds since the whole of its outbox was last read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_read_seconds: Option<i64>,
    /// Services that it offers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub services: Option<i32>,
}

/// A tunnel to a peer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TunnelLine {
    /// Cluster at the far end.
    pub cluster: String,
    /// `WANPolicy`.
    pub policy: String,
    /// Gateway address at the far end; none where only the controller's summary is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// `Healthy`, `Unknown`, `Recovering`, `Violated` or `Down`.
    pub state: String,
    /// Seconds in this state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_seconds: Option<i64>,
    /// Round trip, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtt_ms: Option<f64>,
    /// Who says so: the admin address of a gateway, or `status` for the `ClusterPeer`'s.
    pub source: String,
}

/// The peers, and what is wrong with them.
pub(super) fn peers(seen: &Seen, view: View, findings: &mut Vec<Finding>) -> Vec<PeerLine> {
    let all = &seen.snapshot.cluster_peers;
    let is_unread = |resource: &str| seen.unread.iter().any(|u| u.resource == resource);
    if all.is_empty() && !is_unread("clusterpeers.mc-wan.l7mp.io") {
        let finding = Finding::new(Level::Notice, "ClusterPeer", "NoPeers", "no peers yet");
        findings.push(finding.advise("join another cluster: mcwanctl link CONTEXT_A CONTEXT_B"));
    }
    all.values()
        .map(|peer| {
            let line = peer_line(peer, view);
            findings.extend(peer_findings(peer, &line, view));
            findings.extend(expiry(peer, view));
            line
        })
        .collect()
}

fn peer_line(peer: &ClusterPeer, view: View) -> PeerLine {
    let status = peer.status.as_ref();
    let conditions = status.and_then(|s| s.conditions.as_ref());
    let fact = |type_| Fact::find(conditions, type_, peer.metadata.generation, view);
    let read = status.and_then(|s| s.last_sync_time.as_ref());
    PeerLine {
        name: peer.metadata.name.clone().unwrap_or_default(),
        cluster: peer.spec.cluster_id.clone(),
        connected: fact("Connected"),
        synced: fact("Synced"),
        last_read_seconds: read.map(|time| view.age(time.0)),
        services: status.and_then(|s| s.services),
    }
}

fn peer_findings(peer: &ClusterPeer, line: &PeerLine, view: View) -> Vec<Finding> {
    let object = format!("ClusterPeer {}", line.name);
    let conditions = peer.status.as_ref().and_then(|s| s.conditions.as_ref());
    if conditions.is_none_or(Vec::is_empty) {
        let message = "not Connected: the controller has not tried yet";
        let finding = Finding::new(Level::Error, object, "Pending", message);
        let finding = match created(peer) {
            0 => finding,
            at => finding.aged(view.now.as_second().saturating_sub(at).max(0)),
        };
        return vec![finding.advise("look at the logs of mcwan-controller if this lasts")];
    }
    let complaints = complaints(&object, conditions, peer.metadata.generation, view).into_iter();
    complaints
        // That nothing is read of a peer that does not answer goes without saying.
        .filter(|finding| finding.reason != "NotConnected")
        .map(|finding| Finding {
            // A peer of which nobody knows whether it lives must not pass for a living one.
            level: Level::Error,
            ..finding.advise(hint(line))
        })
        .collect()
}

fn hint(line: &PeerLine) -> String {
    let cluster = &line.cluster;
    let answers = line
        .connected
        .as_ref()
        .is_some_and(|fact| fact.status == "True");
    if answers {
        format!("what is known of {cluster} stays in force; `mcwanctl status` there says more")
    } else {
        format!(
            "what is known of {cluster} stays in force; see whether its API server and controller run; `mcwanctl link` renews a credential"
        )
    }
}

/// What there is to say of the credential that `mcwanctl link` got.
fn expiry(peer: &ClusterPeer, view: View) -> Option<Finding> {
    let expires: jiff::Timestamp = annotation(peer, EXPIRES_ANNOTATION)?.parse().ok()?;
    let left = expires.as_second().saturating_sub(view.now.as_second());
    if left > SOON {
        return None;
    }
    let object = format!(
        "ClusterPeer {}",
        peer.metadata.name.as_deref().unwrap_or_default()
    );
    let (level, message) = if left <= 0 {
        (Level::Error, format!("its credential expired at {expires}"))
    } else {
        (
            Level::Warning,
            format!(
                "its credential expires at {}",
                expires.strftime("%Y-%m-%d %H:%M UTC")
            ),
        )
    };
    let finding = Finding::new(level, object, "CredentialExpires", message);
    Some(finding.advise("renew it: mcwanctl link CONTEXT_A CONTEXT_B"))
}

/// The tunnels as the gateways see them now; for peers of which no gateway says anything, as the controller saw them.
pub(super) fn tunnels(seen: &Seen, view: View, findings: &mut Vec<Finding>) -> Vec<TunnelLine> {
    let mut lines: Vec<TunnelLine> = Vec::new();
    for gateway in &seen.gateways {
        match &gateway.tunnels {
            Ok(tunnels) => lines.extend(tunnels.iter().map(|t| live(gateway, t, findings))),
            Err(e) => findings.push(unreachable(gateway, e)),
        }
    }
    for peer in seen.snapshot.cluster_peers.values() {
        let cluster = &peer.spec.cluster_id;
        if lines.iter().any(|line| line.cluster == *cluster) {
            continue;
        }
        let known = peer.status.iter().flat_map(|s| s.tunnels.iter().flatten());
        lines.extend(known.map(|tunnel| TunnelLine {
            cluster: cluster.clone(),
            policy: tunnel.policy.clone(),
            address: None,
            state: tunnel.state.clone(),
            age_seconds: tunnel.since.as_ref().map(|since| view.age(since.0)),
            rtt_ms: None,
            source: "status".to_owned(),
        }));
    }
    lines.sort_by(|a, b| {
        let key = |line: &TunnelLine| {
            (
                line.cluster.clone(),
                line.policy.clone(),
                line.address.clone(),
                line.source.clone(),
            )
        };
        key(a).cmp(&key(b))
    });
    for line in lines.iter().filter(|line| line.source == "status") {
        findings.extend(tunnel_finding(line, ""));
    }
    lines
}

fn live(gateway: &GatewaySeen, tunnel: &TunnelSeen, findings: &mut Vec<Finding>) -> TunnelLine {
    let line = TunnelLine {
        cluster: tunnel.cluster.clone(),
        policy: tunnel.policy.clone(),
        address: Some(tunnel.address.to_string()),
        state: capitalised(&tunnel.health),
        age_seconds: Some(whole_seconds(tunnel.since_seconds)),
        rtt_ms: tunnel.rtt_ms,
        source: gateway.admin.clone(),
    };
    findings.extend(tunnel_finding(&line, &tunnel.last_failure));
    line
}

fn tunnel_finding(line: &TunnelLine, failure: &str) -> Option<Finding> {
    let level = match line.state.as_str() {
        "Healthy" => return None,
        "Down" => Level::Error,
        "Violated" | "Recovering" => Level::Warning,
        _ => Level::Notice,
    };
    let address = line.address.as_deref().unwrap_or("all gateways");
    let object = format!("tunnel {} to {} ({address})", line.policy, line.cluster);
    let message = if failure.is_empty() || line.state != "Down" {
        format!("is {}", line.state)
    } else {
        format!("is Down: {failure}")
    };
    let finding = Finding::new(level, object, &line.state, message);
    let finding = match line.age_seconds {
        Some(seconds) => finding.aged(seconds),
        None => finding,
    };
    Some(match level {
        Level::Error => finding.advise(format!(
            "see whether the gateways of {} run, and whether the SD-WAN lets the port through",
            line.cluster
        )),
        Level::Warning | Level::Notice => finding,
    })
}

fn unreachable(gateway: &GatewaySeen, error: &str) -> Finding {
    Finding::new(
        Level::Notice,
        format!("Gateway {}", gateway.gateway),
        "AdminUnreachable",
        format!(
            "its tunnels are not shown: {} did not answer: {error}",
            gateway.admin
        ),
    )
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

/// Whole seconds of a duration that a gateway reported.
fn whole_seconds(seconds: f64) -> i64 {
    let duration = std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default();
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}
