//! One listener as Gateways and ListenerSets write it, and what is wrong with it on its own.

use std::collections::HashSet;

use mcwan_routing::hostname::HostPattern;
use mcwan_routing::rule::RouteKind;
use serde::{Deserialize, Serialize};

use super::finding::{
    Fault, Field, Findings, INVALID_ROUTE_KINDS, PORT_UNAVAILABLE, UNSUPPORTED_PROTOCOL,
    UNSUPPORTED_VALUE,
};
use super::index::GATEWAY_GROUP;
use super::listeners::Protocol;
use super::namespaces::{Admitted, NamespacesSource};

/// A listener of either kind of parent; the generated types have a copy for each.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListenerSource {
    pub(super) name: String,
    #[serde(default)]
    hostname: Option<String>,
    port: i64,
    protocol: String,
    #[serde(default)]
    allowed_routes: Option<AllowedRoutes>,
    #[serde(default)]
    tls: Option<serde::de::IgnoredAny>,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct AllowedRoutes {
    #[serde(default)]
    kinds: Option<Vec<RouteGroupKind>>,
    #[serde(default)]
    namespaces: Option<NamespacesSource>,
}

#[derive(Debug, Clone, Deserialize)]
struct RouteGroupKind {
    #[serde(default)]
    group: Option<String>,
    kind: String,
}

impl ListenerSource {
    /// Reads a generated type.
    pub(super) fn read(source: &impl Serialize) -> Self {
        serde_json::to_value(source)
            .and_then(serde_json::from_value)
            .unwrap_or_default()
    }
}

/// A listener on its own.
pub(super) struct Read {
    pub(super) port: u16,
    pub(super) protocol: Option<Protocol>,
    pub(super) hostname: HostPattern,
    pub(super) kinds: Vec<RouteKind>,
    pub(super) namespaces: Admitted,
    pub(super) served: bool,
}

/// Whether no listener before it in the object has its name.
pub(super) fn has_own_name(
    source: &ListenerSource,
    position: usize,
    names: &mut HashSet<String>,
    findings: &mut Findings,
) -> bool {
    let own = names.insert(source.name.clone());
    if !own {
        let fault = Fault::new(
            UNSUPPORTED_VALUE,
            format!(
                "another listener of this object is called `{}` too",
                source.name
            ),
            "give each listener a name of its own",
        );
        findings.add(
            &Field::root("spec").nth("listeners", position).at("name"),
            fault,
        );
    }
    own
}

/// Reads a listener. One that cannot be served as it is written is not served at all.
pub(super) fn read(source: &ListenerSource, field: &Field<'_>, findings: &mut Findings) -> Read {
    let mut served = true;
    let mut keep = |result: Result<(), (&'static str, Fault)>| {
        if let Err((name, fault)) = result {
            served = false;
            findings.add(&field.at(name), fault);
        }
    };
    let protocol = protocol(&source.protocol);
    let supported = check_protocol(source, protocol);
    let unsupported = supported.is_err();
    keep(supported);
    let port = u16::try_from(source.port).ok().filter(|p| *p > 0);
    keep(
        port.map(|_| ())
            .ok_or_else(|| ("port", bad_port(source.port))),
    );
    let hostname = hostname(source.hostname.as_deref());
    keep(
        hostname
            .as_ref()
            .map(|_| ())
            .map_err(|f| ("hostname", f.clone())),
    );
    let allowed = source.allowed_routes.clone().unwrap_or_default();
    let namespaces = Admitted::read(allowed.namespaces, Admitted::Same);
    let kinds = if unsupported {
        Vec::new()
    } else {
        kinds(allowed.kinds.as_deref(), field, findings)
    };
    if let Err(fault) = &namespaces {
        findings.add(&field.at("allowedRoutes").at("namespaces"), fault.clone());
    }
    Read {
        port: port.unwrap_or_default(),
        protocol: protocol.filter(|_| port.is_some() && hostname.is_ok()),
        hostname: hostname.unwrap_or(HostPattern::Any),
        kinds,
        namespaces: namespaces.unwrap_or(Admitted::Nobody),
        served,
    }
}

/// The protocol; None: one that is not known.
fn protocol(name: &str) -> Option<Protocol> {
    match name {
        "HTTP" => Some(Protocol::Http),
        "HTTPS" | "TLS" => Some(Protocol::Tls),
        "TCP" => Some(Protocol::Tcp),
        "UDP" => Some(Protocol::Udp),
        _ => None,
    }
}

/// Whether the protocol is served; if not, the field to blame.
fn check_protocol(
    source: &ListenerSource,
    protocol: Option<Protocol>,
) -> Result<(), (&'static str, Fault)> {
    let name = &source.protocol;
    let (message, hint) = match protocol {
        Some(Protocol::Http) if source.tls.is_some() => return Err(("tls", tls_on_http())),
        Some(Protocol::Http) => return Ok(()),
        Some(Protocol::Tls | Protocol::Tcp | Protocol::Udp) => (
            format!("{name} listeners are not in force yet"),
            "use HTTP for now; nothing is served on this listener",
        ),
        None => (format!("the protocol `{name}` is not known"), "use HTTP"),
    };
    Err(("protocol", Fault::new(UNSUPPORTED_PROTOCOL, message, hint)))
}

fn tls_on_http() -> Fault {
    Fault::new(
        UNSUPPORTED_VALUE,
        "an HTTP listener has no TLS settings",
        "remove tls; plain HTTP is not served where TLS was asked for",
    )
}

fn bad_port(port: i64) -> Fault {
    Fault::new(
        PORT_UNAVAILABLE,
        format!("{port} is not a port"),
        "use a port from 1 to 65535",
    )
}

fn hostname(hostname: Option<&str>) -> Result<HostPattern, Fault> {
    match hostname {
        None | Some("") => Ok(HostPattern::Any),
        Some(name) => HostPattern::parse(name).map_err(|e| {
            Fault::new(
                UNSUPPORTED_VALUE,
                format!("`{name}` is not a hostname: {e}"),
                "write a name such as a.example.com or *.example.com",
            )
        }),
    }
}

/// The kinds of routes that may attach: all that are served, unless the listener lists some.
fn kinds(
    wanted: Option<&[RouteGroupKind]>,
    field: &Field<'_>,
    findings: &mut Findings,
) -> Vec<RouteKind> {
    let wanted = wanted.unwrap_or_default();
    if wanted.is_empty() {
        return vec![RouteKind::HTTPRoute, RouteKind::GRPCRoute];
    }
    let allowed = field.at("allowedRoutes");
    let mut kinds = Vec::new();
    for (i, kind) in wanted.iter().enumerate() {
        let group = kind.group.as_deref().unwrap_or(GATEWAY_GROUP);
        match (group, kind.kind.as_str()) {
            (GATEWAY_GROUP, "HTTPRoute") => kinds.push(RouteKind::HTTPRoute),
            (GATEWAY_GROUP, "GRPCRoute") => kinds.push(RouteKind::GRPCRoute),
            (_, other) => findings.add(
                &allowed.nth("kinds", i),
                Fault::new(
                    INVALID_ROUTE_KINDS,
                    format!("routes of kind `{other}` cannot attach to an HTTP listener"),
                    "list HTTPRoute or GRPCRoute of group gateway.networking.k8s.io",
                ),
            ),
        }
    }
    kinds
}
