//! Listeners on sockets. Gateways of one process may share a socket: the older one has precedence where they cannot
//! both be served ("Compatible Listeners" of `GatewaySpec.listeners`).

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};

use mcwan_routing::hostname::HostPattern;
use mcwan_routing::spec::{ListenerSpec, Role, SocketSpec, WanClass};

use super::Scope;
use super::finding::{Fault, Field, Findings, HOSTNAME_CONFLICT, PORT_UNAVAILABLE};
use super::gateways::ServedGateway;
use super::index::Index;
use super::listeners::{Listener, Listeners};
use crate::problem::{ObjectRef, Problem};

/// First port that needs no privilege to be bound.
const FIRST_UNPRIVILEGED: u16 = 1024;

/// A socket in the making.
struct Bound {
    spec: SocketSpec,
    hostnames: HashMap<HostPattern, usize>,
}

/// The sockets so far.
struct Binder<'s> {
    index: &'s Index<'s>,
    scope: &'s Scope,
    sockets: BTreeMap<SocketAddr, Bound>,
    /// Addresses in use, by port.
    by_port: HashMap<u16, Vec<IpAddr>>,
}

/// Gives every served listener its sockets: one for each address of its Gateway.
pub(super) fn bind(
    (index, scope): (&Index<'_>, &Scope),
    gateways: &[ServedGateway<'_>],
    listeners: Listeners<'_>,
    problems: &mut Vec<Problem>,
) -> Vec<SocketSpec> {
    let mut binders: BTreeMap<usize, Binder<'_>> = BTreeMap::new();
    for mut listener in listeners.list.into_iter().filter(|l| l.served) {
        let Some(gateway) = gateways.get(listener.gateway) else {
            continue;
        };
        let process = if scope.apart { listener.gateway } else { 0 };
        let binder = binders
            .entry(process)
            .or_insert_with(|| Binder::new(index, scope));
        let mut findings = Findings::default();
        for address in &gateway.addresses {
            if let Err(fault) = binder.place(&mut listener, *address, gateway.role) {
                findings.add(
                    &Field::root("spec").nth("listeners", listener.position),
                    fault,
                );
            }
        }
        problems.extend(findings.problems(&parent(&listener), ""));
    }
    let binders = binders.into_values();
    let sockets = binders.flat_map(|b| b.sockets.into_values().map(|bound| bound.spec));
    let mut sockets: Vec<_> = sockets.collect();
    for socket in &mut sockets {
        socket
            .listeners
            .sort_by(|a, b| (&a.hostname, &a.name).cmp(&(&b.hostname, &b.name)));
    }
    sockets
}

impl<'s> Binder<'s> {
    /// No sockets yet.
    fn new(index: &'s Index<'s>, scope: &'s Scope) -> Self {
        Self {
            index,
            scope,
            sockets: BTreeMap::new(),
            by_port: HashMap::new(),
        }
    }

    fn place(
        &mut self,
        listener: &mut Listener<'_>,
        address: IpAddr,
        role: Role,
    ) -> Result<(), Fault> {
        let socket = SocketAddr::new(address, self.bound_port(listener.port)?);
        self.check_overlap(socket)?;
        let index = self.index;
        let bound = self.sockets.entry(socket).or_insert_with(|| Bound {
            spec: SocketSpec {
                socket,
                port: listener.port,
                role,
                wan: wan(index, role, listener.port),
                listeners: Vec::new(),
            },
            hostnames: HashMap::new(),
        });
        if bound.spec.port != listener.port {
            return Err(unavailable(format!(
                "port {} is bound at {socket}, where port {} is already",
                listener.port, bound.spec.port
            )));
        }
        if bound.spec.role != role {
            return Err(unavailable(format!(
                "{socket} belongs to a Gateway that faces another side of the WAN"
            )));
        }
        if let Some(owner) = bound.hostnames.get(&listener.hostname)
            && *owner != listener.gateway
        {
            return Err(taken(socket, &listener.hostname));
        }
        bound
            .hostnames
            .insert(listener.hostname.clone(), listener.gateway);
        bound.spec.listeners.push(spec(listener));
        let addresses = self.by_port.entry(socket.port()).or_default();
        if !addresses.contains(&address) {
            addresses.push(address);
        }
        Ok(())
    }

    fn bound_port(&self, port: u16) -> Result<u16, Fault> {
        if port >= FIRST_UNPRIVILEGED {
            return Ok(port);
        }
        let offset = self.scope.privileged_port_offset;
        port.checked_add(offset)
            .ok_or_else(|| unavailable(format!("port {port} plus {offset} is not a port")))
    }

    /// The unspecified address covers all others of its family: the kernel lets only one of them listen.
    fn check_overlap(&self, socket: SocketAddr) -> Result<(), Fault> {
        let ip = socket.ip();
        let mut others = self.by_port.get(&socket.port()).into_iter().flatten();
        let overlapping = others.find(|other| {
            **other != ip
                && other.is_ipv4() == ip.is_ipv4()
                && (other.is_unspecified() || ip.is_unspecified())
        });
        overlapping.map_or(Ok(()), |other| {
            let other = SocketAddr::new(*other, socket.port());
            Err(unavailable(format!(
                "{socket} cannot be bound beside {other}"
            )))
        })
    }
}

/// The WAN policy of an ingress port. A listener that a user added on a port of no policy has none.
fn wan(index: &Index<'_>, role: Role, port: u16) -> Option<WanClass> {
    let policy = index.policy(port).filter(|_| role == Role::Ingress)?;
    Some(WanClass {
        policy: policy.name.clone(),
        class: policy.tunnel.clone(),
        dscp: policy.dscp,
    })
}

fn spec(listener: &Listener<'_>) -> ListenerSpec {
    let parent = listener.parent;
    ListenerSpec {
        name: format!("{}/{}/{}", parent.namespace, parent.name, listener.name),
        hostname: listener.hostname.clone(),
        routes: listener.routes.clone(),
    }
}

fn parent(listener: &Listener<'_>) -> ObjectRef {
    ObjectRef {
        group: super::index::GATEWAY_GROUP.to_owned(),
        kind: listener.parent.kind.as_str().to_owned(),
        namespace: listener.parent.namespace.to_owned(),
        name: listener.parent.name.to_owned(),
    }
}

fn unavailable(message: String) -> Fault {
    Fault::new(
        PORT_UNAVAILABLE,
        message,
        "use another port, or addresses of its own in spec.addresses",
    )
}

fn taken(socket: SocketAddr, hostname: &HostPattern) -> Fault {
    Fault::new(
        HOSTNAME_CONFLICT,
        format!("an older Gateway already serves hostname {hostname} on {socket}"),
        "use another port or hostname, or addresses of its own in spec.addresses",
    )
}
