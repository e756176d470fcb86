//! Kubernetes objects in, a routing table and rendered objects out; all of it as functions of values.
//!
//! * [`access`] — how one cluster may read the outbox of another.
//! * [`kinds`] — own kinds (`mc-wan.l7mp.io`) and MCS kinds (`multicluster.x-k8s.io`, `about.k8s.io`).
//! * [`manifest`] — YAML text to objects, with file, document, line and field of each mistake.
//! * [`files`] — the files of a cluster put together, with the place of each object.
//! * [`object`], [`snapshot`] — every kind we read, as one enum and one sorted collection.
//! * [`duration`] — durations as the Gateway API writes them.
//! * [`policy`] — WAN policies that are accepted, with their defaults.
//! * [`names`] — well-known names and the names of rendered objects.
//! * [`offer`] — what a cluster offers to its peers.
//! * [`render`] — exports of the `ClusterSet` to standard Gateway API objects.
//! * [`translate`] — Gateway API objects to the routing table.
//! * [`served`] — what a gateway says that it serves.
//! * [`status`] — the statuses of all kinds, out of problems and facts.
//! * [`outbox`] — an offer as objects that peers read, and a peer's objects as an offer.
//! * [`peers`] — what is known of each peer, and what is in force while it cannot be reached.
//! * [`operator`] — everything the controller writes, as a function of what it sees.
//! * [`pipeline`] — offer, render and translate in one go, for directories of manifests.
//! * [`problem`] — a user's mistake, with object, condition, reason and hint.
//!
//! Deliberately absent: a Kubernetes client, tokio, clocks. [`render`] and [`translate`] cannot fail: a bad object yields a
//! [`Problem`](problem::Problem) and leaves the others alone.

pub mod access;
pub mod duration;
pub mod files;
pub mod kinds;
pub mod manifest;
pub mod names;
pub mod object;
pub mod offer;
pub mod operator;
pub mod outbox;
pub mod peers;
pub mod pipeline;
pub mod policy;
pub mod problem;
pub mod render;
pub mod served;
pub mod snapshot;
pub mod status;
pub mod translate;
