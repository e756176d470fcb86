//! References to backends, and the backends behind them.

use std::collections::{BTreeMap, HashMap, HashSet};

use mcwan_routing::rule::{self, Action, Filters, RouteKind, Rule};
use mcwan_routing::spec::{Backend, BackendName, BackendProtocol, RouteEntry, SocketSpec};

use super::finding::{BACKEND_NOT_FOUND, BACKEND_PROTOCOL, Fault, INVALID_KIND, REF_NOT_PERMITTED};
use super::imports;
use super::index::{Index, MCS_GROUP, Target};
use super::service::{self, Known};
use crate::problem::Problem;

/// A reference to a Service, or to what should be one.
#[derive(Debug, Clone, Copy)]
pub(super) struct ServiceRef<'a> {
    pub(super) group: &'a str,
    pub(super) kind: &'a str,
    pub(super) namespace: Option<&'a str>,
    pub(super) name: &'a str,
    pub(super) port: Option<i32>,
}

/// A reference that resolves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resolved {
    pub(super) name: BackendName,
    pub(super) leads: Leads,
}

/// Where a backend is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Leads {
    /// In this cluster.
    Here,
    /// Behind the tunnel of a WAN policy to a peer.
    Tunnel { cluster: String, policy: String },
    /// Wherever the rules of an imported service say.
    Import,
}

/// Every Service port that was referred to so far, with the outcome.
#[derive(Default)]
pub(super) struct Backends {
    known: HashMap<BackendName, Result<Known, Fault>>,
    problems: Vec<Problem>,
}

/// Resolves the references of one route.
pub(super) struct Resolver<'r, 'a> {
    pub(super) index: &'r Index<'a>,
    pub(super) backends: &'r mut Backends,
    /// Kind and namespace of the route.
    pub(super) kind: RouteKind,
    pub(super) namespace: &'r str,
}

impl Resolver<'_, '_> {
    /// Looks a reference up. A forbidden one is refused before it is known whether its target exists.
    pub(super) fn resolve(&mut self, to: &ServiceRef<'_>) -> Result<Resolved, Fault> {
        check_kind(to)?;
        let namespace = to.namespace.unwrap_or(self.namespace);
        self.check_grant(Target {
            kind: to.kind,
            namespace,
            name: to.name,
        })?;
        let name = BackendName {
            namespace: namespace.to_owned(),
            service: to.name.to_owned(),
            port: port(to)?,
        };
        if to.kind == "ServiceImport" {
            imports::check(self.index, &name)?;
            let leads = Leads::Import;
            return Ok(Resolved { name, leads });
        }
        let known = self.backends.load(self.index, &name)?;
        if self.kind == RouteKind::GRPCRoute
            && known.backend.protocol == BackendProtocol::Http1
            && known.declared
        {
            return Err(not_grpc(&name));
        }
        let leads = match &known.backend.tunnel {
            None => Leads::Here,
            Some(tunnel) => Leads::Tunnel {
                cluster: tunnel.cluster.clone(),
                policy: tunnel.policy.clone(),
            },
        };
        Ok(Resolved { name, leads })
    }

    fn check_grant(&self, to: Target<'_>) -> Result<(), Fault> {
        let kind = match self.kind {
            RouteKind::HTTPRoute => "HTTPRoute",
            RouteKind::GRPCRoute => "GRPCRoute",
        };
        if to.namespace == self.namespace || self.index.permits(kind, self.namespace, to) {
            return Ok(());
        }
        let hint = if to.kind == "Service" {
            "create a ReferenceGrant in the namespace of the Service"
        } else {
            "create a ReferenceGrant in the namespace of the ServiceImport"
        };
        Err(Fault::new(
            REF_NOT_PERMITTED,
            format!(
                "no ReferenceGrant in namespace {} lets {kind}s of {} refer to {} {}",
                to.namespace, self.namespace, to.kind, to.name
            ),
            hint,
        ))
    }
}

impl Backends {
    fn load(&mut self, index: &Index<'_>, name: &BackendName) -> Result<&Known, Fault> {
        let Self { known, problems } = self;
        known
            .entry(name.clone())
            .or_insert_with(|| service::load(index, name, problems))
            .as_ref()
            .map_err(Clone::clone)
    }

    /// The backends that the sockets' rules use, and what is wrong with objects behind backends. A port without
    /// `appProtocol` speaks HTTP/2 when a GRPCRoute uses it: gRPC has no other transport.
    pub(super) fn finish(
        self,
        sockets: &[SocketSpec],
        imports: &Imports,
    ) -> (BTreeMap<BackendName, Backend>, Vec<Problem>) {
        let (used, grpc) = used(sockets, imports);
        let known = self
            .known
            .into_iter()
            .filter(|(name, _)| used.contains(name));
        let backends = known.filter_map(|(name, known)| {
            let mut known = known.ok()?;
            if !known.declared && grpc.contains(&name) {
                known.backend.protocol = BackendProtocol::H2c;
            }
            Some((name, known.backend))
        });
        (backends.collect(), self.problems)
    }
}

/// Rules in force of the imported services that rules refer to.
type Imports = BTreeMap<BackendName, Vec<RouteEntry>>;

/// Names of all backends in use, and of those that a GRPCRoute uses.
fn used<'t>(
    sockets: &'t [SocketSpec],
    imports: &'t Imports,
) -> (HashSet<&'t BackendName>, HashSet<&'t BackendName>) {
    let (mut used, mut grpc) = (HashSet::new(), HashSet::new());
    let mut seen = HashSet::new();
    let entries = sockets
        .iter()
        .flat_map(|s| &s.listeners)
        .flat_map(|l| &l.routes);
    for rule in entries.map(|e| e.rule.as_ref()) {
        if seen.insert(std::ptr::from_ref(rule)) {
            let names = of_rule(rule);
            let behind: Vec<_> = imports::imports(&rule.action)
                .filter_map(|import| imports.get(import))
                .flatten()
                .flat_map(|entry| of_rule(&entry.rule))
                .collect();
            let names = names.into_iter().chain(behind);
            if rule.name.kind == RouteKind::GRPCRoute {
                grpc.extend(names.clone());
            }
            used.extend(names);
        }
    }
    (used, grpc)
}

fn of_rule(rule: &Rule) -> Vec<&BackendName> {
    let mut names: Vec<_> = mirrors(&rule.filters).collect();
    if let Action::Forward(forward) = &rule.action {
        for choice in forward.tiers.iter().flat_map(|t| &t.choices) {
            names.extend(mirrors(&choice.filters));
            if let rule::Target::Backend(name) = &choice.target {
                names.push(name);
            }
        }
    }
    names
}

fn mirrors(filters: &Filters) -> impl Iterator<Item = &BackendName> {
    filters.mirrors.iter().map(|m| &m.backend)
}

fn check_kind(to: &ServiceRef<'_>) -> Result<(), Fault> {
    match (to.group, to.kind) {
        ("", "Service") | (MCS_GROUP, "ServiceImport") => Ok(()),
        (group, kind) => Err(Fault::new(
            INVALID_KIND,
            format!("backends of kind `{kind}` in group `{group}` are not supported"),
            "refer to a Service, or to a ServiceImport of group multicluster.x-k8s.io",
        )),
    }
}

fn port(to: &ServiceRef<'_>) -> Result<u16, Fault> {
    let Some(port) = to.port else {
        return Err(Fault::new(
            BACKEND_NOT_FOUND,
            format!("the reference to {} {} has no port", to.kind, to.name),
            "name one of its ports",
        ));
    };
    u16::try_from(port).ok().filter(|p| *p > 0).ok_or_else(|| {
        Fault::new(
            BACKEND_NOT_FOUND,
            format!("{port} is not a port"),
            "name a port of the Service",
        )
    })
}

fn not_grpc(name: &BackendName) -> Fault {
    Fault::new(
        BACKEND_PROTOCOL,
        format!("the appProtocol of {name} is HTTP/1, but gRPC needs HTTP/2"),
        "set appProtocol of the Service port to kubernetes.io/h2c",
    )
}
