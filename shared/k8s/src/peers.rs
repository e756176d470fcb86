//! What is known of each peer, and what is in force of it (DESIGN §7). Pure: time is an argument.
//!
//! [`Roster`] holds a [`Peer`] for each cluster that is followed. Whoever reads the peers' API servers tells it what was seen
//! (an [`Outbox`], a Lease, a lost connection), and takes from it what is in force.
//!
//! # When a service of a peer goes
//!
//! Additions and changes count at once. Something that is not there any more is withdrawn only
//!
//! * when its deletion was observed, or a complete list lacks it, **and** the peer's `PublishedCluster` says that it has
//!   published no more than was read. So an outbox that is wiped, by an accident with a namespace or a definition, takes
//!   nothing along: nobody lowered the number;
//! * for a list, also only while the `PublishedCluster` says that it is synced and the peer's Lease is being renewed;
//! * when no `ClusterPeer` names the cluster any more.
//!
//! Losing the connection, the credentials or the `PublishedCluster` changes nothing, and neither does a payload that is
//! refused: what was in force under its name stays. Copies of what is in force ([`copies`]) stand in namespace
//! `mc-wan-cache` of the own cluster, and a controller that starts begins with them.
//!
//! Whether a Lease is being renewed is told by its change, never by comparing the clocks of two clusters.

mod cache;
mod lease;
mod peer;
mod roster;

pub use cache::copies;
pub use peer::{Outbox, Peer};
pub use roster::{Credentials, Roster};

#[cfg(test)]
mod tests;
