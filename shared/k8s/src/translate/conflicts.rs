//! Listeners of one Gateway that cannot be told apart.
//!
//! Within one object nobody wins: all listeners that are alike are refused (`GatewaySpec.listeners`, "Handling
//! indistinct Listeners"). Between objects the one with precedence wins: the Gateway, then older ListenerSets.

use std::collections::{BTreeSet, HashMap};

use mcwan_routing::hostname::HostPattern;

use super::finding::{Fault, Field, Findings, HOSTNAME_CONFLICT, PROTOCOL_CONFLICT};
use super::listeners::{Listener, Protocol};

/// TCP and UDP ports of one number are two ports.
type Port = (bool, u16);

/// Ports and hostnames that listeners with precedence have taken on a Gateway.
#[derive(Default)]
pub(super) struct Claims(HashMap<Port, Claim>);

#[derive(Default)]
struct Claim {
    protocols: BTreeSet<Protocol>,
    hostnames: HashMap<(Protocol, HostPattern), usize>,
}

impl Claim {
    fn add(&mut self, protocol: Protocol, hostname: HostPattern) {
        self.protocols.insert(protocol);
        *self.hostnames.entry((protocol, hostname)).or_default() += 1;
    }
}

impl Claims {
    /// Refuses those of an object's listeners that conflict, and gives the others their place.
    pub(super) fn settle(&mut self, listeners: &mut [Listener<'_>], findings: &mut Findings) {
        let mut own = Self::default();
        for listener in listeners.iter() {
            if let Some((port, protocol, hostname)) = traits(listener) {
                own.0.entry(port).or_default().add(protocol, hostname);
            }
        }
        let mut settled = Vec::new();
        for listener in listeners.iter_mut() {
            let Some((port, protocol, hostname)) = traits(listener) else {
                continue;
            };
            let conflict = own
                .among_equals(port, protocol, &hostname)
                .or_else(|| self.with_earlier(port, protocol, &hostname));
            if let Some(fault) = conflict {
                listener.served = false;
                findings.add(
                    &Field::root("spec").nth("listeners", listener.position),
                    fault,
                );
            } else {
                settled.push((port, protocol, hostname));
            }
        }
        for (port, protocol, hostname) in settled {
            self.0.entry(port).or_default().add(protocol, hostname);
        }
    }

    fn among_equals(
        &self,
        port: Port,
        protocol: Protocol,
        hostname: &HostPattern,
    ) -> Option<Fault> {
        let claim = self.0.get(&port)?;
        let alike = claim
            .hostnames
            .get(&(protocol, hostname.clone()))
            .copied()
            .unwrap_or_default();
        if claim.protocols.len() > 1 {
            Some(other_protocol(port.1, "other listeners of this object"))
        } else {
            (alike > 1).then(|| same_hostname(port.1, hostname, "another listener of this object"))
        }
    }

    fn with_earlier(
        &self,
        port: Port,
        protocol: Protocol,
        hostname: &HostPattern,
    ) -> Option<Fault> {
        let claim = self.0.get(&port)?;
        if claim.protocols.iter().any(|p| *p != protocol) {
            return Some(other_protocol(port.1, "a listener with precedence"));
        }
        let taken = claim.hostnames.contains_key(&(protocol, hostname.clone()));
        taken.then(|| same_hostname(port.1, hostname, "a listener with precedence"))
    }
}

/// What listeners must differ in. Hostnames tell TCP and UDP listeners not apart.
fn traits(listener: &Listener<'_>) -> Option<(Port, Protocol, HostPattern)> {
    let protocol = listener.protocol?;
    let hostname = match protocol {
        Protocol::Http | Protocol::Tls => listener.hostname.clone(),
        Protocol::Tcp | Protocol::Udp => HostPattern::Any,
    };
    Some((
        (protocol == Protocol::Udp, listener.port),
        protocol,
        hostname,
    ))
}

fn other_protocol(port: u16, other: &str) -> Fault {
    Fault::new(
        PROTOCOL_CONFLICT,
        format!("port {port} has another protocol on {other}"),
        "use one protocol for each port of a Gateway",
    )
}

fn same_hostname(port: u16, hostname: &HostPattern, other: &str) -> Fault {
    Fault::new(
        HOSTNAME_CONFLICT,
        format!("port {port} with hostname {hostname} is also on {other}"),
        "give the listeners different ports or hostnames",
    )
}
