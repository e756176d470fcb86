//! Which listeners a route attaches to, parent by parent.

use mcwan_routing::hostname::HostPattern;

use super::Scope;
use super::finding::{
    Fault, NO_MATCHING_LISTENER_HOSTNAME, NO_MATCHING_PARENT, NOT_ALLOWED_BY_LISTENERS,
};
use super::imports;
use super::index::{GATEWAY_GROUP, Index, MCS_GROUP};
use super::listeners::{Known, Listener, Listeners, Parent, ParentKind};
use super::route::{ParentRef, Route};
use crate::names::{EGRESS, NAMESPACE};

/// What becomes of one parent reference.
pub(super) enum Outcome {
    /// Another controller's parent: nothing to do and nothing to say.
    NotOurs,
    /// The parent does not exist, so nobody knows whose it would be.
    Missing(Fault),
    /// The route is not accepted there.
    Refused(Fault),
    /// Positions of the listeners that take the route.
    Attached(Vec<usize>),
    /// Positions of the listeners of an imported service, where the route takes the place of the rules in force.
    Imported(Vec<usize>),
}

/// Judges one parent reference of a route whose valid hostnames are given; none: the route has no hostnames.
pub(super) fn judge<'a>(
    world: &World<'_, 'a>,
    route: &Route<'a>,
    parent: &ParentRef<'a>,
    hostnames: &[HostPattern],
) -> Outcome {
    let kind = match (parent.group, parent.kind) {
        (GATEWAY_GROUP, "Gateway") => ParentKind::Gateway,
        (GATEWAY_GROUP, "ListenerSet") => ParentKind::ListenerSet,
        (MCS_GROUP, "ServiceImport") => {
            return judge_import(world, route, parent)
                .map_or_else(|outcome| outcome, Outcome::Imported);
        }
        _ => return Outcome::NotOurs,
    };
    let key = Parent {
        kind,
        namespace: parent.namespace,
        name: parent.name,
    };
    match world.listeners.of(&key) {
        Known::Served(start, listeners) => {
            match select(world.index, route, parent, (listeners, hostnames)) {
                Ok(chosen) => Outcome::Attached(chosen.into_iter().map(|i| start + i).collect()),
                Err(fault) => Outcome::Refused(fault),
            }
        }
        Known::Refused => Outcome::Refused(Fault::new(
            NO_MATCHING_PARENT,
            format!(
                "ListenerSet {}/{} is not accepted by its Gateway",
                parent.namespace, parent.name
            ),
            "see the problem of the ListenerSet",
        )),
        Known::Unknown if world.is_missing(&key) => Outcome::Missing(Fault::new(
            NO_MATCHING_PARENT,
            format!(
                "there is no {} {}/{}",
                kind.as_str(),
                parent.namespace,
                parent.name
            ),
            "create it, or correct the name and the namespace in parentRefs",
        )),
        Known::Unknown => Outcome::NotOurs,
    }
}

/// What parents are looked up in.
pub(super) struct World<'w, 'a> {
    pub(super) index: &'w Index<'a>,
    pub(super) scope: &'w Scope,
    pub(super) listeners: &'w Listeners<'a>,
}

impl World<'_, '_> {
    /// Whether this process answers for imported services.
    fn serves_egress(&self) -> bool {
        let egress = (NAMESPACE.to_owned(), EGRESS.to_owned());
        let chosen = self.scope.gateways.as_ref();
        chosen.is_none_or(|c| c.contains(&egress))
    }

    /// Whether a parent that is not served does not exist at all. A process that serves chosen Gateways says so of
    /// those only: others' parents are others' business.
    fn is_missing(&self, parent: &Parent<'_>) -> bool {
        let key = (parent.namespace.to_owned(), parent.name.to_owned());
        let snapshot = self.index.snapshot;
        let chosen = self.scope.gateways.as_ref();
        match parent.kind {
            ParentKind::Gateway => {
                !snapshot.gateways.contains_key(&key) && chosen.is_none_or(|c| c.contains(&key))
            }
            ParentKind::ListenerSet => {
                !snapshot.listener_sets.contains_key(&key) && chosen.is_none()
            }
        }
    }
}

/// Judges a ServiceImport as parent: the route takes the place of the rules in force of the service, behind its own
/// listeners. Its hostnames do not matter there (as for a Service in a mesh, GEP-1426): any Host reaches the service.
fn judge_import<'a>(
    world: &World<'_, 'a>,
    route: &Route<'a>,
    parent: &ParentRef<'a>,
) -> Result<Vec<usize>, Outcome> {
    if !world.serves_egress() {
        return Err(Outcome::NotOurs);
    }
    let of = (parent.namespace, parent.name);
    let key = (of.0.to_owned(), of.1.to_owned());
    let import = world.index.snapshot.mcs_imports.get(&key);
    let import = import.ok_or_else(|| Outcome::Missing(no_import(parent)))?;
    if !imports::is_ours(&import.metadata) {
        return Err(Outcome::NotOurs);
    }
    let set = world.index.imports.listener_set(of).map(|name| Parent {
        kind: ParentKind::ListenerSet,
        namespace: NAMESPACE,
        name,
    });
    let known = set.map(|set| world.listeners.of(&set));
    let Some(Known::Served(start, listeners)) = known else {
        return Err(Outcome::Refused(not_carried(parent)));
    };
    if route.namespace != parent.namespace {
        return Err(Outcome::Refused(other_namespace(parent)));
    }
    let ports = import.spec.ports.iter().filter(|p| {
        parent.section.is_none_or(|s| p.name.as_deref() == Some(s))
            && parent.port.is_none_or(|number| p.port == number)
    });
    let ports = ports.filter_map(|p| u16::try_from(p.port).ok()).collect();
    let leads = |l: &Listener<'a>| world.index.imports.leads_to(of, &l.name, &ports);
    let chosen: Vec<usize> = (start..)
        .zip(listeners)
        .filter(|(_, l)| leads(l))
        .map(|(i, _)| i)
        .collect();
    if chosen.is_empty() {
        return Err(Outcome::Refused(no_such_port(parent)));
    }
    Ok(chosen)
}

fn no_import(parent: &ParentRef<'_>) -> Fault {
    Fault::new(
        NO_MATCHING_PARENT,
        format!(
            "there is no ServiceImport {}/{}",
            parent.namespace, parent.name
        ),
        "export the service in a cluster of the ClusterSet, or correct the name and the namespace in parentRefs",
    )
}

fn not_carried(parent: &ParentRef<'_>) -> Fault {
    Fault::new(
        NO_MATCHING_PARENT,
        format!(
            "no requests are carried for ServiceImport {}/{}",
            parent.namespace, parent.name
        ),
        "see the problems of the ServiceImport: it may have no WAN policy, or no HTTP port",
    )
}

fn other_namespace(parent: &ParentRef<'_>) -> Fault {
    Fault::new(
        NOT_ALLOWED_BY_LISTENERS,
        format!(
            "only routes of namespace {} can have ServiceImport {} as parent",
            parent.namespace, parent.name
        ),
        "create the route in the namespace of the ServiceImport, or attach it to a Gateway of your own",
    )
}

fn no_such_port(parent: &ParentRef<'_>) -> Fault {
    let name = parent
        .section
        .map_or(String::new(), |s| format!(" called `{s}`"));
    let port = parent
        .port
        .map_or(String::new(), |p| format!(" with number {p}"));
    Fault::new(
        NO_MATCHING_PARENT,
        format!(
            "ServiceImport {}/{} has no HTTP port{name}{port}",
            parent.namespace, parent.name
        ),
        "name an HTTP port of the ServiceImport in sectionName and port, or leave them out",
    )
}

/// Narrows the listeners of a parent: section and port, then kind and namespace, then hostname. What empties the list
/// is the reason.
fn select<'a>(
    index: &Index<'a>,
    route: &Route<'a>,
    parent: &ParentRef<'a>,
    (listeners, hostnames): (&[Listener<'a>], &[HostPattern]),
) -> Result<Vec<usize>, Fault> {
    let mut chosen: Vec<(usize, &Listener<'a>)> = listeners.iter().enumerate().collect();
    chosen.retain(|(_, l)| {
        parent.section.is_none_or(|s| s == l.name)
            && parent.port.is_none_or(|p| p == i32::from(l.port))
    });
    if chosen.is_empty() {
        return Err(no_such_listener(parent));
    }
    chosen.retain(|(_, l)| {
        l.kinds.contains(&route.kind)
            && l.namespaces
                .admits(index, l.parent.namespace, route.namespace)
    });
    if chosen.is_empty() {
        return Err(not_allowed(route, parent));
    }
    chosen.retain(|(_, l)| {
        hostnames.iter().any(|h| h.intersects(&l.hostname)) || route.hostnames.is_empty()
    });
    if chosen.is_empty() {
        return Err(no_hostname(parent));
    }
    Ok(chosen.into_iter().map(|(i, _)| i).collect())
}

fn no_such_listener(parent: &ParentRef<'_>) -> Fault {
    let name = parent
        .section
        .map_or(String::new(), |s| format!(" called `{s}`"));
    let port = parent
        .port
        .map_or(String::new(), |p| format!(" on port {p}"));
    Fault::new(
        NO_MATCHING_PARENT,
        format!(
            "{} {}/{} has no listener{name}{port}",
            parent.kind, parent.namespace, parent.name
        ),
        "name a listener of this very object in sectionName and port, or leave them out",
    )
}

fn not_allowed(route: &Route<'_>, parent: &ParentRef<'_>) -> Fault {
    Fault::new(
        NOT_ALLOWED_BY_LISTENERS,
        format!(
            "no listener of {} {}/{} takes routes of kind {:?} from namespace {}",
            parent.kind, parent.namespace, parent.name, route.kind, route.namespace
        ),
        "check protocol and allowedRoutes of the listener: kinds and namespaces",
    )
}

fn no_hostname(parent: &ParentRef<'_>) -> Fault {
    Fault::new(
        NO_MATCHING_LISTENER_HOSTNAME,
        format!(
            "no hostname of the route fits a listener of {} {}/{}",
            parent.kind, parent.namespace, parent.name
        ),
        "list a hostname that the listener's hostname covers",
    )
}
