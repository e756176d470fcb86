//! Walks over the routes: parents, hostnames, rules, and the entries that they leave in the listeners.

use std::collections::BTreeSet;
use std::sync::Arc;

use mcwan_routing::hostname::HostPattern;
use mcwan_routing::spec::{Role, RouteEntry};

use super::Scope;
use super::attach::{Outcome, World, judge};
use super::backends::Backends;
use super::finding::{Fault, Field, Findings, UNSUPPORTED_VALUE};
use super::gateways::ServedGateway;
use super::index::Index;
use super::listeners::Listeners;
use super::route::Route;
use super::rules::{self, Built};
use crate::problem::Problem;

/// What the walk reads.
pub(super) struct Walk<'w, 'a> {
    pub(super) index: &'w Index<'a>,
    pub(super) scope: &'w Scope,
    pub(super) gateways: &'w [ServedGateway<'a>],
}

impl<'a> Walk<'_, 'a> {
    /// Attaches every route of the snapshot.
    pub(super) fn attach_all(
        &self,
        listeners: &mut Listeners<'a>,
        backends: &mut Backends,
        problems: &mut Vec<Problem>,
    ) {
        let snapshot = self.index.snapshot;
        let http = snapshot.http_routes.iter().map(|(k, r)| Route::http(k, r));
        let grpc = snapshot.grpc_routes.iter().map(|(k, r)| Route::grpc(k, r));
        for route in http.chain(grpc) {
            self.attach(&route, listeners, backends, problems);
        }
    }

    fn attach(
        &self,
        route: &Route<'a>,
        listeners: &mut Listeners<'a>,
        backends: &mut Backends,
        problems: &mut Vec<Problem>,
    ) {
        let mut common = Findings::default();
        let hostnames = hostnames(route, &mut common);
        let world = World {
            index: self.index,
            scope: self.scope,
            listeners: &*listeners,
        };
        let outcomes: Vec<_> = route
            .parents
            .iter()
            .map(|p| judge(&world, route, p, &hostnames))
            .collect();
        if outcomes.iter().all(|o| matches!(o, Outcome::NotOurs)) {
            return;
        }
        let built = rules::build(self.index, route, backends, &mut common);
        let mut attached = BTreeSet::new();
        for (i, (parent, outcome)) in route.parents.iter().zip(outcomes).enumerate() {
            let mut own = Findings::default();
            match outcome {
                Outcome::NotOurs => continue,
                Outcome::Refused(fault) => {
                    own.add(&Field::root("spec").nth("parentRefs", i), fault);
                }
                Outcome::Attached(positions) => {
                    if positions
                        .iter()
                        .any(|p| self.role(listeners, *p) == Role::Ingress)
                    {
                        own.extend(&built.loops);
                    }
                    attached.extend(positions);
                }
            }
            let label = parent.label();
            problems.extend(common.problems(&route.object, &label));
            problems.extend(own.problems(&route.object, &label));
        }
        for position in attached {
            let role = self.role(listeners, position);
            if let Some(listener) = listeners.list.get_mut(position) {
                entries(
                    &built.rules,
                    &hostnames,
                    &listener.hostname,
                    role,
                    &mut listener.routes,
                );
            }
        }
    }

    fn role(&self, listeners: &Listeners<'a>, position: usize) -> Role {
        let gateway = listeners
            .list
            .get(position)
            .and_then(|l| self.gateways.get(l.gateway));
        gateway.map_or(Role::Plain, |g| g.role)
    }
}

/// The valid hostnames of a route, each once. A route whose hostnames are all invalid takes no request at all.
fn hostnames(route: &Route<'_>, findings: &mut Findings) -> Vec<HostPattern> {
    let spec = Field::root("spec");
    let mut valid = BTreeSet::new();
    for (i, name) in route.hostnames.iter().enumerate() {
        match HostPattern::parse(name) {
            Ok(hostname) => {
                valid.insert(hostname);
            }
            Err(e) => findings.add(
                &spec.nth("hostnames", i),
                Fault::new(
                    UNSUPPORTED_VALUE,
                    format!("`{name}` is not a hostname: {e}"),
                    "write a name such as a.example.com or *.example.com",
                ),
            ),
        }
    }
    valid.into_iter().collect()
}

/// One entry for each rule and each hostname that the listener lets through.
fn entries(
    built: &[Built],
    hostnames: &[HostPattern],
    listener: &HostPattern,
    role: Role,
    routes: &mut Vec<RouteEntry>,
) {
    // A route whose hostnames are all invalid does not get here: no listener takes it.
    let any = [HostPattern::Any];
    let own = if hostnames.is_empty() {
        &any
    } else {
        hostnames
    };
    for hostname in own.iter().filter(|h| h.intersects(listener)) {
        for rule in built {
            let shared = if role == Role::Ingress {
                &rule.behind_wan
            } else {
                &rule.rule
            };
            routes.push(RouteEntry {
                hostname: hostname.clone(),
                matches: rule.matches.clone(),
                order: rule.order.clone(),
                rule: Arc::clone(shared),
            });
        }
    }
}
