//! What is decided about the traffic of each imported service before anything is rendered: names, ports, rules.

use std::collections::BTreeMap;

use super::merge::MultiService;
use super::naming::{self, Named};
use super::output::Output;
use super::pieces::{self, Piece};
use super::{MAX_LISTENERS, View, ports, report, rules};
use crate::kinds::wan::ImportedHttp;
use crate::names;
use crate::problem::Problem;

/// What is decided about the traffic of one service.
pub(super) struct Plan {
    /// Name of the `ListenerSet` and of the first route.
    pub(super) name: String,
    /// What the names of further routes begin with.
    stem: String,
    /// Service ports that are carried, in the service's order, and their ports on the egress gateway. None: all are
    /// used up.
    pub(super) ports: Vec<(u16, Option<u16>)>,
    /// Rules of each route.
    pub(super) routes: Vec<Vec<Piece>>,
    /// The rules in force as the status shows them; none where there are none, or no port that they could be for.
    pub(super) imported: Option<ImportedHttp>,
}

impl Plan {
    /// The port on the egress gateway of a service port.
    pub(super) fn allocated(&self, port: u16) -> Option<u16> {
        self.ports.iter().find(|p| p.0 == port)?.1
    }

    /// Ending of the name of a route: nothing for the first, `-p8080` for a further port, `-r002` for further rules. Routes
    /// of one port rank by name where nothing else tells rules apart, hence the zeros.
    fn ending(&self, port: usize, route: usize) -> String {
        let port = match self.ports.get(port) {
            Some((number, _)) if port > 0 => format!("-p{number}"),
            _ => String::new(),
        };
        if route == 0 {
            port
        } else {
            format!("{port}-r{:03}", route + 1)
        }
    }

    /// All endings but the empty one.
    fn endings(&self) -> Vec<String> {
        (0..self.ports.len())
            .flat_map(|port| (0..self.routes.len()).map(move |route| (port, route)))
            .map(|(port, route)| self.ending(port, route))
            .filter(|e| !e.is_empty())
            .collect()
    }

    /// Name of a route.
    pub(super) fn route_name(&self, port: usize, route: usize) -> String {
        let ending = self.ending(port, route);
        if ending.is_empty() {
            self.name.clone()
        } else {
            format!("{}{ending}", self.stem)
        }
    }
}

/// Decides about all services, in their order.
pub(super) fn read(view: &View<'_>, out: &mut Output) -> Vec<Plan> {
    let allocated = ports::allocations(view);
    let exports = view
        .services
        .iter()
        .map(|s| (s.namespace, s.name, s.oldest.created));
    let mut assigned = names::assign(exports);
    let mut plans = Vec::new();
    for service in view.services {
        let key = (service.namespace.to_owned(), service.name.to_owned());
        let name = assigned.names.remove(&key).unwrap_or_default();
        if let Some(holder) = assigned.renamed.get(&key) {
            out.problem(name_collision(service, holder, &name));
        }
        plans.push(plan_service(view, service, name, &allocated, out));
    }
    let things: Vec<Named<'_>> = view
        .services
        .iter()
        .zip(&plans)
        .map(|(service, plan)| Named {
            identity: format!("{}/{}", service.namespace, service.name),
            name: &plan.name,
            endings: plan.endings(),
        })
        .collect();
    let stems = naming::stems(&things);
    for (plan, stem) in plans.iter_mut().zip(stems) {
        plan.stem = stem;
    }
    plans
}

fn plan_service(
    view: &View<'_>,
    service: &MultiService<'_>,
    name: String,
    allocated: &BTreeMap<ports::PortKey, u16>,
    out: &mut Output,
) -> Plan {
    report_ports(view, service, out);
    let in_force = rules::in_force(view, service);
    let http: Vec<u16> = ports::http(service)
        .take(MAX_LISTENERS - 1)
        .map(|p| p.offered.port)
        .collect();
    match &in_force {
        Some(rules) => rules.check(view, service, out),
        None if http.is_empty() => {}
        None => out.problem(rules::no_policy(service)),
    }
    let ports: Vec<_> = http
        .iter()
        .map(|&p| (p, allocated.get(&ports::key(service, p)).copied()))
        .collect();
    for (port, _) in ports.iter().filter(|p| p.1.is_none()) {
        out.problem(exhausted(service, *port));
    }
    Plan {
        stem: name.clone(),
        name,
        imported: in_force
            .as_ref()
            .filter(|_| !ports.is_empty())
            .map(|f| f.shown(view)),
        ports,
        routes: in_force
            .map(|f| pieces::routes(view, service, &f, out))
            .unwrap_or_default(),
    }
}

/// Reports the ports that are not carried. Those of protocols that no tunnel carries are reported on this cluster's export,
/// with its offer, where it has one.
fn report_ports(view: &View<'_>, service: &MultiService<'_>, out: &mut Output) {
    let own = view.members.own.cluster.as_str();
    for (i, port) in service.ports.iter().enumerate() {
        let reported = port.offered.protocol != "TCP" && port.ready.contains_key(own);
        if !ports::is_http(port.offered) && !reported {
            let offered = port.offered;
            let what = match (offered.protocol.as_str(), offered.app_protocol.as_deref()) {
                ("TCP", Some(app)) => format!("application protocol {app:?}"),
                (protocol, _) => protocol.to_ascii_lowercase(),
            };
            let message = format!(
                "port {} is listed, but {what} is not carried over the wan yet",
                offered.port
            );
            out.problem(
                Problem::warning(
                    report::service_import(service.id()),
                    ("Ready", "NotInForceYet"),
                    message,
                )
                .in_field(format!("spec.ports[{i}]"))
                .advise("http, websocket, grpc and h2c ports are carried"),
            );
        }
    }
    let count = ports::http(service).count();
    if count >= MAX_LISTENERS {
        let message = format!(
            "{count} http ports, of which the first {} are carried",
            MAX_LISTENERS - 1
        );
        out.problem(
            Problem::error(
                report::service_import(service.id()),
                ("Ready", "TooManyPorts"),
                message,
            )
            .in_field("spec.ports")
            .advise("split the service"),
        );
    }
}

fn exhausted(service: &MultiService<'_>, port: u16) -> Problem {
    let range = ports::RANGE;
    let message = format!(
        "port {port} has no port on the egress gateway: all of {}-{} are used up",
        range.start(),
        range.end()
    );
    Problem::error(
        report::service_import(service.id()),
        ("Ready", "PortsExhausted"),
        message,
    )
    .advise("import fewer services into this cluster")
}

fn name_collision(service: &MultiService<'_>, holder: &names::ServiceKey, name: &str) -> Problem {
    let (namespace, other) = holder;
    let message = format!(
        "service {namespace}/{other} concatenates to the same name, so the objects of this one are called {name}"
    );
    Problem::warning(
        report::service_import(service.id()),
        ("Ready", "NameCollision"),
        message,
    )
    .advise(
        "nothing has to be done; the objects carry labels with the service's name and namespace",
    )
}
