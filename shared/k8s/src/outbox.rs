//! The outbox: what a cluster offers, as objects that its peers read (DESIGN §7).
//!
//! [`publish()`] makes the objects out of an offer, [`receive()`] makes an offer out of a peer's objects and believes nothing:
//! whatever a payload says, no forbidden address, namespace, key or time comes out, and each refusal is reported.
//!
//! # Decisions
//!
//! * **The same offer gives the same objects**, whatever is published already: an unchanged offer needs no write, and a
//!   change of ready endpoints touches the `PublishedService` alone. So the `PublishedCluster` holds the number of services
//!   and no counter of publications.
//! * **A service is refused whole** where a part of it decides who may reach it or how (identity, rules, policy); a part
//!   that does no more than describe (a port, a label, a family) is left out by itself.

mod address;
mod keys;
mod publish;
mod receive;
mod rules;

pub use address::refusal as address_refusal;
pub use publish::{cluster_set, publish};
pub use receive::{Expected, MAX_GATEWAYS, MAX_SERVICES, Published, Refusal, reason, receive};
pub(crate) use receive::{cluster as receive_cluster, peer_reference, service as receive_service};

#[cfg(test)]
mod tests;
