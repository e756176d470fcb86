//! A Service port as a backend: protocol, endpoints, tunnel.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use k8s_openapi::api::core::v1::{Service, ServicePort};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use mcwan_routing::spec::{Backend, BackendName, BackendProtocol, Tunnel};

use super::finding::{
    BACKEND_NOT_FOUND, BACKEND_PROTOCOL, BACKEND_VALUE, Fault, Field, Findings, NOT_IN_FORCE_YET,
};
use super::index::Index;
use crate::names::{CLUSTER_LABEL, NAMESPACE};
use crate::object::reference;
use crate::policy::Accepted;
use crate::problem::Problem;

/// A backend, and whether the Service port says which protocol it speaks.
pub(super) struct Known {
    pub(super) backend: Backend,
    pub(super) declared: bool,
}

/// Reads a Service port.
pub(super) fn load(
    index: &Index<'_>,
    name: &BackendName,
    problems: &mut Vec<Problem>,
) -> Result<Known, Fault> {
    let service = index
        .service(&name.namespace, &name.service)
        .ok_or_else(|| {
            Fault::new(
                BACKEND_NOT_FOUND,
                format!("there is no Service {}/{}", name.namespace, name.service),
                "create the Service, or correct the reference",
            )
        })?;
    let port = port(service, name)?;
    let port_name = port.name.as_deref().unwrap_or_default();
    if index
        .tls_policy(&name.namespace, &name.service, port_name)
        .is_some_and(|policy| {
            problems.extend(tls_not_in_force().problems(&reference(policy), ""));
            true
        })
    {
        return Err(needs_tls(name));
    }
    let tunnel = tunnel(index, service, name)?;
    let declared = protocol(port, name)?;
    let protocol = match tunnel {
        Some(_) => BackendProtocol::H2c,
        None => declared.unwrap_or(BackendProtocol::Http1),
    };
    let endpoints = endpoints(index.slices(&name.namespace, &name.service), port_name);
    Ok(Known {
        declared: declared.is_some() || tunnel.is_some(),
        backend: Backend {
            protocol,
            endpoints,
            tunnel,
        },
    })
}

/// The TCP port of that number. A Service may have a UDP port of the same number (probes of a tunnel do).
fn port<'s>(service: &'s Service, name: &BackendName) -> Result<&'s ServicePort, Fault> {
    let spec = service.spec.as_ref();
    if spec.is_some_and(|s| s.type_.as_deref() == Some("ExternalName")) {
        return Err(Fault::new(
            BACKEND_VALUE,
            format!(
                "Service {}/{} is of type ExternalName, which has no endpoints",
                name.namespace, name.service
            ),
            "refer to a Service with endpoints",
        ));
    }
    let ports = spec.and_then(|s| s.ports.as_deref()).unwrap_or_default();
    let numbered = || ports.iter().filter(|p| p.port == i32::from(name.port));
    let is_tcp = |p: &&ServicePort| p.protocol.as_deref().unwrap_or("TCP") == "TCP";
    if let Some(port) = numbered().find(is_tcp) {
        return Ok(port);
    }
    Err(if numbered().next().is_some() {
        Fault::new(
            BACKEND_PROTOCOL,
            format!(
                "port {} of Service {}/{} is not a TCP port",
                name.port, name.namespace, name.service
            ),
            "refer to a TCP port",
        )
    } else {
        Fault::new(
            BACKEND_NOT_FOUND,
            format!(
                "Service {}/{} has no port {}",
                name.namespace, name.service, name.port
            ),
            "name a port of the Service; target ports do not count",
        )
    })
}

/// The protocol that `appProtocol` declares (GEP-1911); None: it declares nothing.
fn protocol(port: &ServicePort, name: &BackendName) -> Result<Option<BackendProtocol>, Fault> {
    let Some(declared) = port.app_protocol.as_deref() else {
        return Ok(None);
    };
    match declared.to_ascii_lowercase().as_str() {
        "" => Ok(None),
        "http" | "ws" | "kubernetes.io/ws" => Ok(Some(BackendProtocol::Http1)),
        "grpc" | "h2c" | "http2" | "kubernetes.io/h2c" => Ok(Some(BackendProtocol::H2c)),
        _ => Err(Fault::new(
            BACKEND_PROTOCOL,
            format!("the appProtocol `{declared}` of {name} is not supported"),
            "use http, kubernetes.io/ws, kubernetes.io/h2c or grpc, or leave appProtocol out",
        )),
    }
}

/// A Service of ours with a cluster's label leads into the WAN; its port says by which policy.
fn tunnel(
    index: &Index<'_>,
    service: &Service,
    name: &BackendName,
) -> Result<Option<Tunnel>, Fault> {
    let labels = service.metadata.labels.as_ref();
    let cluster = labels.and_then(|l| l.get(CLUSTER_LABEL));
    let Some(cluster) = cluster.filter(|_| name.namespace == NAMESPACE) else {
        return Ok(None);
    };
    let policy = index.policy(name.port).ok_or_else(|| {
        Fault::new(
            BACKEND_NOT_FOUND,
            format!(
                "no accepted WANPolicy has port {}, so {name} is no tunnel",
                name.port
            ),
            "create a WANPolicy with this port, or see the problems of the one that has it",
        )
    })?;
    Ok(Some(tunnel_of(cluster, policy)))
}

fn tunnel_of(cluster: &str, policy: &Accepted) -> Tunnel {
    let connections = policy.connections;
    let few = |n: u32| u8::try_from(n).unwrap_or(u8::MAX);
    Tunnel {
        cluster: cluster.to_owned(),
        policy: policy.name.clone(),
        class: policy.tunnel.clone(),
        min_connections: few(connections.min),
        max_connections: few(connections.max).max(1),
        max_age: connections.max_age,
        max_streams: connections.max_streams,
        hold_down: policy.hold_down,
        max_hold_down: policy.max_hold_down,
        dscp: policy.dscp,
    }
}

/// The ready endpoints, sorted, each once. Slices and Services name their ports alike; that is what ties them together
/// (the numbers may differ).
fn endpoints(slices: &[&EndpointSlice], port_name: &str) -> Vec<SocketAddr> {
    let mut endpoints = BTreeSet::new();
    for slice in slices {
        let ports = slice.ports.iter().flatten().filter(|p| {
            p.name.as_deref().unwrap_or_default() == port_name
                && p.protocol.as_deref().unwrap_or("TCP") == "TCP"
        });
        let ports: Vec<u16> = ports.filter_map(|p| u16::try_from(p.port?).ok()).collect();
        let ready = slice
            .endpoints
            .iter()
            .filter(|e| e.conditions.as_ref().and_then(|c| c.ready) != Some(false));
        let addresses = ready
            .flat_map(|e| &e.addresses)
            .filter_map(|a| a.parse::<IpAddr>().ok());
        for address in addresses.filter(|a| is_of_type(a, &slice.address_type)) {
            endpoints.extend(ports.iter().map(|port| SocketAddr::new(address, *port)));
        }
    }
    endpoints.into_iter().collect()
}

fn is_of_type(address: &IpAddr, address_type: &str) -> bool {
    match address_type {
        "IPv4" => address.is_ipv4(),
        "IPv6" => address.is_ipv6(),
        _ => false,
    }
}

fn tls_not_in_force() -> Findings {
    let mut findings = Findings::default();
    let fault = Fault::new(
        NOT_IN_FORCE_YET,
        "TLS to backends is not in force yet, and plain text is not sent instead",
        "requests for these backends are answered with 500; remove the policy to send plain HTTP",
    );
    findings.add(&Field::root("spec"), fault);
    findings
}

fn needs_tls(name: &BackendName) -> Fault {
    Fault::new(
        BACKEND_PROTOCOL,
        format!("a BackendTLSPolicy asks for TLS to {name}, which is not in force yet"),
        "remove the BackendTLSPolicy to send plain HTTP",
    )
}
