//! Imported services in consumers' own routes (GEP-1748).
//!
//! What was rendered for an imported service — a ListenerSet and HTTPRoutes in `mc-wan`, known by their labels — are its
//! rules in force. They play two parts, as a Service does for a mesh (GEP-1294):
//!
//! * **A ServiceImport as backend** stands for those rules: a request that a consumer's rule sends there goes on by them,
//!   with the filters of the consumer applied. A request that none of them takes is denied.
//! * **A ServiceImport as parent** puts the consumer's route in their place: behind the listeners of the service, the
//!   consumer's rules answer instead. Where those refer to the same ServiceImport as backend, the rendered rules choose the
//!   tunnel, so nothing goes round in circles.
//!
//! The rendered objects stay as they are in either case: they say what the exporters, or the local override, want.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use kube::core::ObjectMeta;
use mcwan_gateway_api::httproutes::HttpRoute;
use mcwan_routing::hostname::HostPattern;
use mcwan_routing::rule::{Action, Target};
use mcwan_routing::spec::{BackendName, RouteEntry, SocketSpec};

use super::backends::Backends;
use super::finding::{BACKEND_NOT_FOUND, BACKEND_PROTOCOL, BACKEND_VALUE, Fault, Findings};
use super::index::Index;
use super::route::Route;
use super::rules;
use crate::kinds::mcs::ServiceImport;
use crate::names::{MANAGED_BY, NAMESPACE, SERVICE_NAME_LABEL, SERVICE_NAMESPACE_LABEL};
use crate::object::Key;
use crate::snapshot::ClusterSnapshot;

/// Namespace and name of an imported service.
type Service<'a> = (&'a str, &'a str);

/// What was rendered for imported services.
pub(super) struct Imports<'a> {
    routes: HashMap<Service<'a>, Vec<Rendered<'a>>>,
    sets: HashMap<Service<'a>, &'a str>,
}

/// A rendered route: the rules of one service port, or a part of them.
struct Rendered<'a> {
    key: &'a Key,
    route: &'a HttpRoute,
    port: u16,
}

impl<'a> Imports<'a> {
    /// Finds the rendered objects of all imported services.
    pub(super) fn read(snapshot: &'a ClusterSnapshot) -> Self {
        let mut routes: HashMap<_, Vec<_>> = HashMap::new();
        for (key, route) in &snapshot.http_routes {
            let route: &HttpRoute = route;
            if let (Some(of), Some(port)) = (service(key, &route.metadata), port(route)) {
                let rendered = Rendered { key, route, port };
                routes.entry(of).or_default().push(rendered);
            }
        }
        let sets = snapshot.listener_sets.iter();
        let sets =
            sets.filter_map(|(key, set)| Some((service(key, &set.metadata)?, key.1.as_str())));
        Self {
            routes,
            sets: sets.collect(),
        }
    }

    /// Name of the ListenerSet of a service, in namespace `mc-wan`.
    pub(super) fn listener_set(&self, of: Service<'_>) -> Option<&'a str> {
        self.sets.get(&of).copied()
    }

    /// Whether a listener of the service's ListenerSet is for one of these ports.
    pub(super) fn leads_to(&self, of: Service<'_>, listener: &str, ports: &BTreeSet<u16>) -> bool {
        let mut routes = self.routes.get(&of).into_iter().flatten();
        routes.any(|r| ports.contains(&r.port) && sections(r.route).any(|s| s == listener))
    }

    fn of_port<'s>(&'s self, name: &'s BackendName) -> impl Iterator<Item = &'s Rendered<'a>> {
        let of = (name.namespace.as_str(), name.service.as_str());
        let routes = self.routes.get(&of).into_iter().flatten();
        routes.filter(|r| r.port == name.port)
    }
}

/// Whether an object was rendered, by its label.
pub(super) fn is_ours(meta: &ObjectMeta) -> bool {
    let labels = meta.labels.as_ref();
    labels.and_then(|l| l.get(MANAGED_BY.0)).map(String::as_str) == Some(MANAGED_BY.1)
}

/// The service that an object in `mc-wan` was rendered for.
fn service<'a>((namespace, _): &Key, meta: &'a ObjectMeta) -> Option<Service<'a>> {
    let labels = meta.labels.as_ref().filter(|_| namespace == NAMESPACE)?;
    let label = |name: &str| labels.get(name).map(String::as_str);
    is_ours(meta).then_some((label(SERVICE_NAMESPACE_LABEL)?, label(SERVICE_NAME_LABEL)?))
}

/// Whether a route was rendered for an imported service.
pub(super) fn is_rendered(namespace: &str, labels: Option<&BTreeMap<String, String>>) -> bool {
    let label = |name: &str| labels.and_then(|l| l.get(name)).map(String::as_str);
    namespace == NAMESPACE
        && label(MANAGED_BY.0) == Some(MANAGED_BY.1)
        && label(SERVICE_NAME_LABEL).is_some()
}

fn sections(route: &HttpRoute) -> impl Iterator<Item = &str> {
    let parents = route.spec.parent_refs.iter().flatten();
    parents.filter_map(|p| p.section_name.as_deref())
}

/// The service port of a rendered route: what its listener is called after, or, where no port was left for a listener
/// of its own, what Host is rewritten to.
fn port(route: &HttpRoute) -> Option<u16> {
    let number = |text: &str| text.strip_prefix('p')?.parse().ok();
    let of_section = sections(route).find_map(number);
    of_section.or_else(|| {
        let filters = route.spec.rules.iter().flatten().flat_map(|r| &r.filters);
        let mut rewrites = filters.flatten().filter_map(|f| f.url_rewrite.as_ref());
        rewrites.find_map(|r| number(r.hostname.as_ref()?.split('.').next()?))
    })
}

/// Whether requests can be sent to a port of an imported service.
///
/// # Errors
/// Why not.
pub(super) fn check(index: &Index<'_>, name: &BackendName) -> Result<(), Fault> {
    let key: Key = (name.namespace.clone(), name.service.clone());
    let import = index.snapshot.mcs_imports.get(&key).ok_or_else(|| {
        Fault::new(
            BACKEND_NOT_FOUND,
            format!(
                "there is no ServiceImport {}/{}",
                name.namespace, name.service
            ),
            "export the service in a cluster of the ClusterSet, or correct the reference",
        )
    })?;
    if import.spec.type_ == "Headless" {
        return Err(Fault::new(
            BACKEND_VALUE,
            format!(
                "ServiceImport {}/{} is headless: its clients choose among the endpoints themselves",
                name.namespace, name.service
            ),
            "export the service with a cluster IP",
        ));
    }
    check_port(import, name)?;
    if index.imports.of_port(name).next().is_none() {
        return Err(Fault::new(
            BACKEND_NOT_FOUND,
            format!(
                "no rules are in force for port {} of ServiceImport {}/{}",
                name.port, name.namespace, name.service
            ),
            "see the problems of the ServiceImport: it may have no WAN policy, or the port is not HTTP",
        ));
    }
    Ok(())
}

fn check_port(import: &ServiceImport, name: &BackendName) -> Result<(), Fault> {
    let numbered = || {
        let ports = import.spec.ports.iter();
        ports.filter(|p| p.port == i32::from(name.port))
    };
    if numbered().any(|p| p.protocol.as_deref().unwrap_or("TCP") == "TCP") {
        return Ok(());
    }
    Err(if numbered().next().is_some() {
        Fault::new(
            BACKEND_PROTOCOL,
            format!(
                "port {} of ServiceImport {}/{} is not a TCP port",
                name.port, name.namespace, name.service
            ),
            "refer to a TCP port",
        )
    } else {
        Fault::new(
            BACKEND_NOT_FOUND,
            format!(
                "ServiceImport {}/{} has no port {}",
                name.namespace, name.service, name.port
            ),
            "name a port of the ServiceImport",
        )
    })
}

/// The rules in force of every imported service that a rule of `sockets` sends requests to. What is wrong with them is
/// reported where they are attached.
pub(super) fn rules(
    index: &Index<'_>,
    sockets: &[SocketSpec],
    backends: &mut Backends,
) -> BTreeMap<BackendName, Vec<RouteEntry>> {
    let entries = sockets
        .iter()
        .flat_map(|s| &s.listeners)
        .flat_map(|l| &l.routes);
    let used: BTreeSet<&BackendName> = entries.flat_map(|e| imports(&e.rule.action)).collect();
    used.into_iter()
        .map(|name| (name.clone(), in_force(index, name, backends)))
        .collect()
}

/// The imported services that a rule sends requests to.
pub(super) fn imports(action: &Action) -> impl Iterator<Item = &BackendName> {
    let tiers = match action {
        Action::Forward(forward) => forward.tiers.as_slice(),
        Action::Redirect(_) => &[],
    };
    let choices = tiers.iter().flat_map(|t| &t.choices);
    choices.filter_map(|c| match &c.target {
        Target::Import(name) => Some(name),
        Target::Backend(_) | Target::Invalid(_) => None,
    })
}

fn in_force(index: &Index<'_>, name: &BackendName, backends: &mut Backends) -> Vec<RouteEntry> {
    let mut entries = Vec::new();
    for rendered in index.imports.of_port(name) {
        let route = Route::http(rendered.key, rendered.route);
        let built = rules::build(index, &route, backends, &mut Findings::default());
        entries.extend(built.rules.into_iter().map(|rule| RouteEntry {
            hostname: HostPattern::Any,
            matches: rule.matches,
            order: rule.order,
            rule: rule.rule,
        }));
    }
    entries
}
