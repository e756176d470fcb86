//! What is said in the statuses of objects, out of problems and facts. Pure: no clock, no client.
//!
//! A status is never computed twice: what a route attaches to comes from the one [`translate`](crate::translate), what is
//! wrong with exports and imports from [`offer`](crate::offer) and [`render`](crate::render). What others wrote stays:
//! conditions of types that are not ours, and the parents and ancestors of other controllers.

mod classes;
mod condition;
mod gateways;
mod listeners;
mod mcs;
mod peers;
mod policies;
mod problems;
mod programmed;
mod routes;
mod target;
mod tls_policies;

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use self::problems::Problems;
use self::programmed::Programmed;
use crate::object::{Key, Object};
use crate::problem::{ObjectRef, Problem};
use crate::served::Served;
use crate::snapshot::ClusterSnapshot;
use crate::translate::Translation;

pub use classes::FEATURES;
pub use condition::{Answer, Verdict};

/// All that statuses are made of.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The objects of the cluster as the API server has them, rendered ones included.
    pub snapshot: &'a ClusterSnapshot,
    /// The objects that the cluster should have, as [`render`](crate::render::render) gives them.
    pub rendered: &'a [Object],
    /// The translation of `snapshot` for all Gateways ([`Scope::gateways`](crate::translate::Scope::gateways) is `None`).
    pub translation: &'a Translation,
    /// Problems of [`offer`](crate::offer::offer) and [`render`](crate::render::render), in any order.
    pub problems: &'a [Problem],
    /// What each live gateway serves, in any order: one for each process that answered. A Gateway without any has no live
    /// gateway as far as is known.
    pub served: &'a [Served],
    /// What is known of each peer, in any order. A `ClusterPeer` that none is about keeps its status.
    pub peers: &'a [PeerFacts],
    /// Now: the transition time of conditions that change.
    pub now: Timestamp,
}

/// What is known of a peer, for the status of its `ClusterPeer`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeerFacts {
    /// Name of the `ClusterPeer` (not the cluster's id).
    pub name: String,
    /// Whether its API server answers: condition `Connected`.
    pub connected: Verdict,
    /// Whether its whole outbox has been read: condition `Synced`.
    pub synced: Verdict,
    /// When its whole outbox was last confirmed. The status follows coarsely: see [`statuses`].
    pub last_sync: Option<Timestamp>,
    /// Services that are in force of it, last-known ones included; None: never read.
    pub services: Option<u32>,
}

/// A status to write.
///
/// `status` is the whole new status, to be applied as a JSON merge patch on the `status` subresource: what it does not name
/// stays, `null` removes a field. `resource_version` goes into `metadata.resourceVersion`, so that a status is never written
/// over one that it was not computed from.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusWrite {
    /// The object.
    pub object: ObjectRef,
    /// The version that the status was computed from; none where the snapshot does not say, as in files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_version: Option<String>,
    /// The new status.
    pub status: Value,
}

/// What comes of looking at all statuses.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Review {
    /// The statuses that have to be written, sorted by object.
    pub writes: Vec<StatusWrite>,
    /// The Gateways (namespace and name) of which something has still to be confirmed: their processes are to be asked what
    /// they serve. Empty in steady state.
    pub awaited: BTreeSet<Key>,
}

/// The statuses that have to be written, sorted by object. Those that would differ in nothing but times are left out.
///
/// Applying the result and computing again yields nothing. `lastSyncTime` of a `ClusterPeer` is written when something else
/// is, and otherwise once in ten minutes.
#[must_use]
pub fn statuses(facts: &Facts<'_>) -> Vec<StatusWrite> {
    review(facts).writes
}

/// As [`statuses`], and which gateways have to be asked what they serve.
#[must_use]
pub fn review(facts: &Facts<'_>) -> Review {
    let all = facts.problems.iter().chain(&facts.translation.problems);
    let world = World {
        facts,
        problems: Problems::of(all),
        programmed: Programmed::of(facts.served),
        now: seconds(facts.now),
    };
    let (mut writes, attached) = routes::statuses(&world);
    writes.extend(classes::statuses(&world));
    writes.extend(gateways::statuses(&world, &attached));
    writes.extend(tls_policies::statuses(&world));
    writes.extend(policies::statuses(&world));
    writes.extend(peers::statuses(&world));
    writes.extend(mcs::exports(&world));
    writes.extend(mcs::imports(&world));
    writes.sort_by(|a, b| a.object.cmp(&b.object));
    let awaited = world.programmed.awaited();
    Review { writes, awaited }
}

/// What every kind is looked at with.
struct World<'a> {
    facts: &'a Facts<'a>,
    problems: Problems<'a>,
    programmed: Programmed<'a>,
    now: String,
}

/// A time as the API writes it: in UTC, without parts of a second.
fn seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
