//! WAN policies: which of a snapshot's are accepted, with all defaults applied, and what is wrong with the others.

use std::time::Duration;

use crate::problem::Problem;
use crate::snapshot::ClusterSnapshot;

/// A `WANPolicy` that is in force. Defaults are those of the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Name.
    pub name: String,
    /// Port of the class; 1024–65535, unique.
    pub port: u16,
    /// Transport class.
    pub tunnel: String,
    /// Code point for packets, 0–63; none: packets are not marked. Shift it left by two for `IP_TOS`.
    pub dscp: Option<u8>,
    /// Policies to fall back to, in order: all of them accepted, none of them this one, no cycles.
    pub fallback: Vec<String>,
    /// How long a tunnel must be healthy before traffic returns to it.
    pub hold_down: Duration,
    /// `hold_down` doubles with every flap, up to this.
    pub max_hold_down: Duration,
    /// Connections per gateway address of a peer.
    pub connections: Connections,
    /// It takes the services that ask for no policy. At most one policy does.
    pub is_default: bool,
}

/// Connections of a tunnel, per gateway address of the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connections {
    /// Kept open even without traffic.
    pub min: u32,
    /// At most; at least 1, and not less than `min`.
    pub max: u32,
    /// Replaced at this age.
    pub max_age: Duration,
    /// Requests in flight per connection, at least 1.
    pub max_streams: u32,
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            min: 1,
            max: 4,
            max_age: Duration::from_mins(10),
            max_streams: 100,
        }
    }
}

/// The accepted policies, sorted by name, and everything that is wrong with policies.
#[must_use]
pub fn accepted(snapshot: &ClusterSnapshot) -> (Vec<Accepted>, Vec<Problem>) {
    let _ = snapshot;
    todo!("accepted")
}
