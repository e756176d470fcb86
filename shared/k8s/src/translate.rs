//! Gateway API objects to the routing table. The only translation there is: traffic and status come from it.
//!
//! In the order in which they work: `index` (the snapshot by what is asked of it), `gateways`, `listeners` (with
//! `sets`, `source` and `conflicts`), `routes` (`attach`: which listeners; `rules`: what happens there), `backends`,
//! `imports` (imported services in consumers' own routes), `sockets`. What is wrong is a `finding` until it is known whose status it belongs to.

mod attach;
mod backends;
mod conflicts;
pub mod facts;
mod filters;
mod finding;
mod gateways;
mod imports;
mod index;
mod listeners;
mod matches;
mod namespaces;
mod route;
mod routes;
mod rules;
mod service;
mod sets;
mod sockets;
mod source;
mod tiers;
mod timing;

use std::collections::BTreeSet;
use std::net::IpAddr;

use mcwan_routing::spec::TableSpec;

use self::backends::Backends;
use self::facts::TranslationFacts;
use self::index::Index;
use self::routes::Walk;
use crate::problem::Problem;
use crate::snapshot::ClusterSnapshot;

pub use gateways::is_ours;
pub(crate) use index::GATEWAY_GROUP;
pub(crate) use sets::gateway_key;

/// Which Gateways a process serves, and how it binds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// The Gateways to serve, as (namespace, name). None: all of class `mc-wan` (standalone).
    pub gateways: Option<BTreeSet<(String, String)>>,
    /// Added to ports below 1024, which need privileges: 10000, or 0 to bind them as they are.
    pub privileged_port_offset: u16,
    /// Where a Gateway without `spec.addresses` listens. `mc-wan-egress` listens on the loopback address instead when
    /// this is the unspecified address and `standalone` is set: it must not be reachable from the WAN.
    pub default_address: Option<IpAddr>,
    /// One process plays all Gateways of a cluster on an ordinary machine.
    pub standalone: bool,
    /// Each Gateway has a process and addresses of its own, so that Gateways cannot get into each other's way.
    pub apart: bool,
}

impl Scope {
    /// All Gateways as a controller sees them: each is served by a process of its own. For statuses; the sockets of such a
    /// table are nobody's.
    #[must_use]
    pub const fn apart() -> Self {
        Self {
            gateways: None,
            privileged_port_offset: 10_000,
            default_address: None,
            standalone: false,
            apart: true,
        }
    }
}

/// The result of a translation.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Translation {
    /// The routing table.
    pub table: TableSpec,
    /// What is wrong, sorted.
    pub problems: Vec<Problem>,
    /// Who attached to what.
    pub facts: TranslationFacts,
}

/// Translates. Cannot fail: bad objects become problems and leave the others alone.
#[must_use]
pub fn translate(snapshot: &ClusterSnapshot, scope: &Scope) -> Translation {
    let index = Index::new(snapshot);
    let mut problems = Vec::new();
    let mut backends = Backends::default();
    let gateways = gateways::in_scope(&index, scope, &mut problems);
    let mut listeners = listeners::collect(&index, &gateways, &mut problems);
    let walk = Walk {
        index: &index,
        scope,
        gateways: &gateways,
    };
    let mut facts = TranslationFacts::of(&index, &gateways, &listeners);
    facts.routes = walk.attach_all(&mut listeners, &mut backends, &mut problems);
    let sockets = sockets::bind((&index, scope), &gateways, listeners, &mut problems);
    let imports = imports::rules(&index, &sockets, &mut backends);
    let (backends, more) = backends.finish(&sockets, &imports);
    problems.extend(more);
    problems.sort_unstable();
    problems.dedup();
    Translation {
        table: TableSpec {
            sockets,
            backends,
            imports,
        },
        problems,
        facts,
    }
}

#[cfg(test)]
mod tests;
