//! Which ports are HTTP, and the ports on the egress gateway that are allocated to them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use sha2::{Digest, Sha256};

use super::View;
use super::merge::{MultiService, Port};
use super::meta;
use crate::names;
use crate::object::Key;
use crate::offer::OfferedPort;

/// Ports of the egress gateway that are given to service ports (DESIGN §4).
pub(super) const RANGE: RangeInclusive<u16> = 20_000..=29_999;

/// Values of `appProtocol` that are carried as HTTP, beside none at all (GEP-1911, and the names in common use).
const HTTP: [&str; 8] = [
    "http",
    "http2",
    "h2c",
    "grpc",
    "grpc-web",
    "ws",
    "kubernetes.io/h2c",
    "kubernetes.io/ws",
];

/// A service port: namespace, name, port.
pub(super) type PortKey = (String, String, u16);

/// Whether a port is carried as HTTP.
pub(super) fn is_http(port: &OfferedPort) -> bool {
    let protocol = port.app_protocol.as_deref();
    port.protocol == "TCP"
        && protocol.is_none_or(|p| HTTP.iter().any(|h| h.eq_ignore_ascii_case(p)))
}

/// The HTTP ports of a service, in its order.
pub(super) fn http<'s, 'a>(service: &'s MultiService<'a>) -> impl Iterator<Item = &'s Port<'a>> {
    service.ports.iter().filter(|p| is_http(p.offered))
}

/// The port that the service's plain host name on port 80 leads to: 80, else the one named `http`, else the first.
pub(super) fn main_port(service: &MultiService<'_>) -> Option<u16> {
    let ports: Vec<_> = http(service).map(|p| p.offered).collect();
    let eighty = ports.iter().find(|p| p.port == 80);
    let named = ports.iter().find(|p| p.name == "http");
    eighty.or(named).or(ports.first()).map(|p| p.port)
}

/// Key of a service port.
pub(super) fn key(service: &MultiService<'_>, port: u16) -> PortKey {
    (service.namespace.to_owned(), service.name.to_owned(), port)
}

/// Name of the listener of a service port.
pub(super) fn listener(port: u16) -> String {
    format!("p{port}")
}

/// Allocated ports of the HTTP ports of all services. A port keeps what it had; a key is absent when all are used up.
pub(super) fn allocations(view: &View<'_>) -> BTreeMap<PortKey, u16> {
    let wanted = view
        .services
        .iter()
        .flat_map(|s| {
            http(s)
                .take(super::MAX_LISTENERS - 1)
                .map(|p| key(s, p.offered.port))
        })
        .collect();
    let busy = user_ports(view);
    let kept = kept(view, &busy);
    let avoid = view.policies.iter().map(|p| p.port).chain(busy).collect();
    allocate(&wanted, &kept, &avoid)
}

/// Allocates: kept ports first, then, in order of the keys, the port that the key's hash says, or the next free one.
pub(super) fn allocate(
    wanted: &BTreeSet<PortKey>,
    kept: &BTreeMap<PortKey, u16>,
    avoid: &BTreeSet<u16>,
) -> BTreeMap<PortKey, u16> {
    let mut taken = BTreeSet::new();
    let mut given = BTreeMap::new();
    for key in wanted {
        if let Some(&port) = kept.get(key).filter(|p| taken.insert(**p)) {
            given.insert(key.clone(), port);
        }
    }
    taken.extend(avoid);
    for key in wanted {
        if given.contains_key(key) {
            continue;
        }
        if let Some(port) = probe(key).find(|p| !taken.contains(p)) {
            taken.insert(port);
            given.insert(key.clone(), port);
        }
    }
    given
}

/// All ports of the range, beginning where the key's hash says.
fn probe((namespace, name, port): &PortKey) -> impl Iterator<Item = u16> {
    let digest = Sha256::digest(format!("{namespace}/{name}/{port}"));
    let size = RANGE.end() - RANGE.start() + 1;
    let hash = digest
        .iter()
        .take(8)
        .fold(0u64, |h, b| (h << 8) | u64::from(*b));
    let first = RANGE.start() + u16::try_from(hash % u64::from(size)).unwrap_or(0);
    (first..=*RANGE.end()).chain(*RANGE.start()..first)
}

/// Ports of rendered `ListenerSet`s in the snapshot. The labels say whose they are: names may change.
fn kept(view: &View<'_>, busy: &BTreeSet<u16>) -> BTreeMap<PortKey, u16> {
    let mut kept = BTreeMap::new();
    for set in ours(view, true) {
        let label = |key| meta::label(&set.metadata, key).map(str::to_owned);
        let (Some(ns), Some(name)) = (
            label(names::SERVICE_NAMESPACE_LABEL),
            label(names::SERVICE_NAME_LABEL),
        ) else {
            continue;
        };
        for listener in &set.spec.listeners {
            let service_port = listener
                .name
                .strip_prefix('p')
                .and_then(|p| p.parse::<u16>().ok());
            let allocated = u16::try_from(listener.port)
                .ok()
                .filter(|p| RANGE.contains(p) && !busy.contains(p));
            if let (Some(port), Some(allocated)) = (service_port, allocated) {
                kept.entry((ns.clone(), name.clone(), port))
                    .or_insert(allocated);
            }
        }
    }
    kept
}

/// Ports that the user's own listeners have on the egress gateway.
fn user_ports(view: &View<'_>) -> BTreeSet<u16> {
    let key: Key = (names::NAMESPACE.to_owned(), names::EGRESS.to_owned());
    let gateway = view.snapshot.gateways.get(&key);
    let own = gateway
        .into_iter()
        .flat_map(|g| super::gateways::users(g))
        .map(|l| l.port);
    let sets = ours(view, false).flat_map(|s| s.spec.listeners.iter().map(|l| l.port));
    own.chain(sets)
        .filter_map(|p| u16::try_from(p).ok())
        .collect()
}

/// `ListenerSet`s on the egress gateway: those that were rendered, or the user's.
fn ours<'v>(
    view: &'v View<'_>,
    rendered: bool,
) -> impl Iterator<Item = &'v mcwan_gateway_api::listenersets::ListenerSet> {
    let on_egress = |s: &mcwan_gateway_api::listenersets::ListenerSet| {
        let parent = &s.spec.parent_ref;
        let namespace = parent.namespace.as_ref().or(s.metadata.namespace.as_ref());
        parent.name == names::EGRESS && namespace.is_some_and(|n| n == names::NAMESPACE)
    };
    view.snapshot
        .listener_sets
        .values()
        .map(AsRef::as_ref)
        .filter(move |s| on_egress(s) && meta::is_ours(&s.metadata) == rendered)
}

#[cfg(test)]
mod tests;
