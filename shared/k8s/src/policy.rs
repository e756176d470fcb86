//! WAN policies: which of a snapshot's are accepted, with all defaults applied, and what is wrong with the others.

mod dscp;
mod fallback;
mod in_force;
mod read;

use std::time::Duration;

use crate::kinds::GROUP;
use crate::kinds::wan::WANPolicy;
use crate::names::DEFAULT_ANNOTATION;
use crate::object::created;
use crate::problem::{ObjectRef, Problem};
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

/// The accepted policies, sorted by name, and everything that is wrong with policies, sorted.
///
/// A policy without a usable tunnel or port, or whose port an older one has, is not accepted. Everything else leaves it in
/// force: a value that cannot be read is reported and its default used, a fallback that cannot be used is left out.
#[must_use]
pub fn accepted(snapshot: &ClusterSnapshot) -> (Vec<Accepted>, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut order: Vec<&WANPolicy> = snapshot.wan_policies.values().map(AsRef::as_ref).collect();
    order.sort_by_key(|p| (created(*p), p.metadata.name.clone()));
    let mut policies: Vec<Accepted> = Vec::new();
    for policy in order {
        problems.extend(in_force::not_yet(policy));
        let Some(read) = read::policy(policy, &mut problems) else {
            continue;
        };
        match policies.iter().find(|p| p.port == read.port) {
            Some(holder) => problems.push(port_conflict(&read, holder)),
            None => policies.push(read),
        }
    }
    one_default(&mut policies, &mut problems);
    fallback::settle(&mut policies, &mut problems);
    policies.sort_by(|a, b| a.name.cmp(&b.name));
    problems.sort_unstable();
    (policies, problems)
}

fn port_conflict(policy: &Accepted, holder: &Accepted) -> Problem {
    let message = format!(
        "port {} belongs to WANPolicy {}, which is older",
        policy.port, holder.name
    );
    Problem::error(
        reference_to(&policy.name),
        ("Accepted", "PortConflict"),
        message,
    )
    .in_field("spec.port")
    .advise(
        "give every policy a port of its own: delete this one and create it anew with another port",
    )
}

/// Leaves the mark of the default to the oldest of the policies that bear it.
fn one_default(oldest_first: &mut [Accepted], problems: &mut Vec<Problem>) {
    let mut first: Option<String> = None;
    for policy in oldest_first.iter_mut().filter(|p| p.is_default) {
        let Some(holder) = &first else {
            first = Some(policy.name.clone());
            continue;
        };
        policy.is_default = false;
        let message = format!("WANPolicy {holder} is the default already, and it is older");
        problems.push(
            Problem::error(
                reference_to(&policy.name),
                ("Accepted", "DefaultConflict"),
                message,
            )
            .in_field(format!("metadata.annotations[{DEFAULT_ANNOTATION}]"))
            .advise("leave the annotation on one policy only"),
        );
    }
}

/// The `WANPolicy` of a name.
fn reference_to(name: &str) -> ObjectRef {
    ObjectRef {
        group: GROUP.to_owned(),
        kind: "WANPolicy".to_owned(),
        namespace: String::new(),
        name: name.to_owned(),
    }
}

#[cfg(test)]
mod tests;
