//! What was seen of a cluster, before anything is made of it.

use std::net::SocketAddr;

use jiff::Timestamp;
use mcwan_k8s::snapshot::ClusterSnapshot;
use serde::{Deserialize, Serialize};

/// What was seen of a cluster.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// The kubeconfig context, or another name for where the API server is.
    pub context: String,
    /// The objects that could be read.
    pub snapshot: ClusterSnapshot,
    /// The controller's Lease.
    pub lease: Lease,
    /// What could not be read.
    pub unread: Vec<Unread>,
    /// What the gateways said of their tunnels.
    pub gateways: Vec<GatewaySeen>,
}

/// The Lease by which the controller shows that it is alive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Lease {
    /// There is none: the controller has never run.
    #[default]
    Absent,
    /// It may not be read; `Seen::unread` says why.
    Unread,
    /// Somebody held it.
    Held {
        /// Who.
        holder: String,
        /// When it was last renewed.
        renewed: Timestamp,
        /// For how long a renewal is good, in seconds.
        seconds: i64,
    },
}

/// A kind that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Unread {
    /// Resource and group, e.g. `clusterpeers.mc-wan.l7mp.io`.
    pub resource: String,
    /// Why.
    pub cause: Cause,
    /// What the API server said.
    pub message: String,
}

/// Why a kind could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Cause {
    /// The user may not.
    Forbidden,
    /// The API server does not serve it: the CRD is missing.
    NotServed,
    /// Something else.
    Failed,
}

/// What one gateway process said.
#[derive(Debug, Clone)]
pub(crate) struct GatewaySeen {
    /// The Gateway: `namespace/name`.
    pub gateway: String,
    /// The admin address that was asked.
    pub admin: String,
    /// Its tunnels, or why they are not known.
    pub tunnels: Result<Vec<TunnelSeen>, String>,
}

/// A tunnel as `/debug/tunnels` of a gateway says it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct TunnelSeen {
    /// Cluster at the far end.
    pub cluster: String,
    /// `WANPolicy`.
    pub policy: String,
    /// Gateway address at the far end.
    pub address: SocketAddr,
    /// State: `healthy`, `unknown`, `recovering`, `down`.
    pub health: String,
    /// Seconds in this state.
    pub since_seconds: f64,
    /// Round trip, in milliseconds.
    pub rtt_ms: Option<f64>,
    /// What last made it `down`.
    #[serde(default)]
    pub last_failure: String,
}
