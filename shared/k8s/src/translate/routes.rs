//! Walks over the routes: parents, hostnames, rules, and the entries that they leave in the listeners.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mcwan_routing::hostname::HostPattern;
use mcwan_routing::spec::{Role, RouteEntry};

use super::Scope;
use super::attach::{Outcome, World, judge};
use super::backends::Backends;
use super::facts::{self, ParentFacts};
use super::finding::{Fault, Field, Findings, UNSUPPORTED_VALUE};
use super::gateways::ServedGateway;
use super::imports;
use super::index::Index;
use super::listeners::Listeners;
use super::route::{ParentRef, Route};
use super::rules::{self, Built};
use crate::problem::{ObjectRef, Problem};

/// What the walk reads.
pub(super) struct Walk<'w, 'a> {
    pub(super) index: &'w Index<'a>,
    pub(super) scope: &'w Scope,
    pub(super) gateways: &'w [ServedGateway<'a>],
}

/// Positions of the listeners that take a route.
#[derive(Default)]
struct Places {
    attached: BTreeSet<usize>,
    /// Those of imported services, as their parent.
    imported: BTreeSet<usize>,
}

/// What the walk writes.
struct Out<'w, 'a> {
    listeners: &'w mut Listeners<'a>,
    backends: &'w mut Backends,
    problems: &'w mut Vec<Problem>,
}

impl<'a> Walk<'_, 'a> {
    /// Attaches every route of the snapshot, and says which listeners took it.
    pub(super) fn attach_all(
        &self,
        listeners: &mut Listeners<'a>,
        backends: &mut Backends,
        problems: &mut Vec<Problem>,
    ) -> BTreeMap<ObjectRef, Vec<Option<ParentFacts>>> {
        let mut facts = BTreeMap::new();
        let snapshot = self.index.snapshot;
        let http = snapshot.http_routes.iter().map(|(k, r)| Route::http(k, r));
        let grpc = snapshot.grpc_routes.iter().map(|(k, r)| Route::grpc(k, r));
        let routes: Vec<_> = http.chain(grpc).collect();
        let replaced = self.replaced(&routes, listeners);
        for route in &routes {
            let out = Out {
                listeners,
                backends,
                problems,
            };
            let parents = self.attach(route, &replaced, out);
            if parents.iter().any(Option::is_some) {
                facts.insert(route.object.clone(), parents);
            }
        }
        facts
    }

    /// The listeners of imported services whose rules in force give way to consumers' own routes.
    fn replaced(&self, routes: &[Route<'a>], listeners: &Listeners<'a>) -> BTreeSet<usize> {
        let world = self.world(listeners);
        let mut replaced = BTreeSet::new();
        for route in routes {
            let imports = route.parents.iter().filter(|p| p.kind == "ServiceImport");
            for parent in imports {
                if let Outcome::Imported(positions) = judge(&world, route, parent, &[]) {
                    replaced.extend(positions);
                }
            }
        }
        replaced
    }

    const fn world<'l>(&'l self, listeners: &'l Listeners<'a>) -> World<'l, 'a> {
        World {
            index: self.index,
            scope: self.scope,
            listeners,
        }
    }

    fn attach(
        &self,
        route: &Route<'a>,
        replaced: &BTreeSet<usize>,
        out: Out<'_, 'a>,
    ) -> Vec<Option<ParentFacts>> {
        let Out {
            listeners,
            backends,
            problems,
        } = out;
        let mut common = Findings::default();
        let hostnames = hostnames(route, &mut common);
        let world = self.world(listeners);
        let outcomes: Vec<_> = route
            .parents
            .iter()
            .map(|p| judge(&world, route, p, &hostnames))
            .collect();
        if outcomes.iter().all(|o| matches!(o, Outcome::NotOurs)) {
            return Vec::new();
        }
        let built = rules::build(self.index, route, backends, &mut common);
        let mut places = Places::default();
        let mut facts = Vec::new();
        for (i, (parent, outcome)) in route.parents.iter().zip(outcomes).enumerate() {
            let mut own = Findings::default();
            facts.push(self.parent_facts(parent, &outcome, listeners));
            match outcome {
                Outcome::NotOurs => continue,
                Outcome::Missing(fault) | Outcome::Refused(fault) => {
                    own.add(&Field::root("spec").nth("parentRefs", i), fault);
                }
                Outcome::Attached(positions) => {
                    if positions
                        .iter()
                        .any(|p| self.role(listeners, *p) == Role::Ingress)
                    {
                        own.extend(&built.loops);
                    }
                    places.attached.extend(positions);
                }
                Outcome::Imported(positions) => places.imported.extend(positions),
            }
            let label = parent.label();
            problems.extend(common.problems(&route.object, &label));
            problems.extend(own.problems(&route.object, &label));
        }
        if imports::is_rendered(route.namespace, route.labels) {
            places.attached.retain(|p| !replaced.contains(p));
        }
        self.put(&places, (&built.rules, &hostnames), listeners);
        facts
    }

    /// What is known of a parent; none when it is not ours.
    fn parent_facts(
        &self,
        parent: &ParentRef<'a>,
        outcome: &Outcome,
        listeners: &Listeners<'a>,
    ) -> Option<ParentFacts> {
        let positions = match outcome {
            Outcome::NotOurs | Outcome::Missing(_) => return None,
            Outcome::Refused(_) => &Vec::new(),
            Outcome::Attached(positions) | Outcome::Imported(positions) => positions,
        };
        let taken = positions.iter().filter_map(|p| listeners.list.get(*p));
        Some(ParentFacts {
            label: parent.label(),
            listeners: taken
                .filter_map(|l| facts::attached(l, self.gateways))
                .collect(),
        })
    }

    /// Leaves the rules of a route in its listeners.
    fn put(
        &self,
        places: &Places,
        (rules, hostnames): (&[Built], &[HostPattern]),
        listeners: &mut Listeners<'a>,
    ) {
        let attached = places.attached.iter().map(|p| (*p, hostnames));
        // The hostnames of a route do not matter to an imported service.
        let any: &[HostPattern] = &[];
        let imported = places.imported.iter().map(|p| (*p, any));
        for (position, hostnames) in attached.chain(imported) {
            let role = self.role(listeners, position);
            if let Some(listener) = listeners.list.get_mut(position) {
                let hostname = &listener.hostname;
                entries(rules, (hostnames, hostname), role, &mut listener.routes);
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
    (hostnames, listener): (&[HostPattern], &HostPattern),
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
