//! The two Gateways: `mc-wan-ingress` faces the WAN with one listener for each WAN policy, `mc-wan-egress` faces the cluster.
//!
//! A Gateway of the same name that is there already is taken in: what the user wrote stays.

use std::collections::BTreeSet;

use mcwan_gateway_api::gatewayclasses::{GatewayClass, GatewayClassSpec};
use mcwan_gateway_api::gateways::{
    Gateway, GatewayAllowedListeners, GatewayAllowedListenersNamespaces,
    GatewayAllowedListenersNamespacesFrom, GatewayListeners, GatewayListenersAllowedRoutes,
    GatewayListenersAllowedRoutesNamespaces, GatewayListenersAllowedRoutesNamespacesFrom as From,
    GatewaySpec,
};

use super::output::Output;
use super::{LISTENERS_ANNOTATION, MAX_LISTENERS, View, meta};
use crate::names;
use crate::object::reference;
use crate::problem::Problem;
use crate::snapshot::ClusterSnapshot;

/// Renders both, and their class. A Gateway needs a listener: without any policy there is no ingress.
pub(super) fn render(view: &View<'_>, out: &mut Output) {
    let class = (String::new(), names::GATEWAY_CLASS.to_owned());
    let theirs = view.snapshot.gateway_classes.get(&class);
    if theirs.is_none_or(|c| meta::is_ours(&c.metadata)) {
        out.put(gateway_class());
    }
    let wan: Vec<GatewayListeners> = view
        .policies
        .iter()
        .filter_map(|p| {
            Some(listener(
                view.sections.get(p.name.as_str())?,
                p.port,
                From::All,
            ))
        })
        .collect();
    let ingress = merged(view.snapshot, names::INGRESS, wan, out);
    // The egress gateway's own listener is only there because a Gateway needs one: the user's on port 80 will do.
    let http = listener("http", 80, From::Same);
    let users = existing(view.snapshot, names::EGRESS);
    let given = users.is_some_and(|g| self::users(g).any(|l| same_place(l, &http)));
    let own = if given { Vec::new() } else { vec![http] };
    let mut egress = merged(view.snapshot, names::EGRESS, own, out);
    egress
        .spec
        .allowed_listeners
        .get_or_insert_with(same_namespace);
    for gateway in [ingress, egress] {
        if !gateway.spec.listeners.is_empty() {
            out.put_merged(gateway);
        }
    }
}

/// The user's own listeners of a Gateway: all but those that an earlier run rendered.
pub(super) fn users(gateway: &Gateway) -> impl Iterator<Item = &GatewayListeners> {
    let rendered: BTreeSet<&str> = gateway
        .metadata
        .annotations
        .as_ref()
        .and_then(|a| a.get(LISTENERS_ANNOTATION))
        .into_iter()
        .flat_map(|names| names.split(','))
        .collect();
    gateway
        .spec
        .listeners
        .iter()
        .filter(move |l| !rendered.contains(l.name.as_str()))
}

fn existing<'s>(snapshot: &'s ClusterSnapshot, name: &str) -> Option<&'s Gateway> {
    let key = (names::NAMESPACE.to_owned(), name.to_owned());
    snapshot.gateways.get(&key).map(AsRef::as_ref)
}

/// The user's Gateway, or a new one, with our listeners added.
fn merged(
    snapshot: &ClusterSnapshot,
    name: &str,
    ours: Vec<GatewayListeners>,
    out: &mut Output,
) -> Gateway {
    let existing = existing(snapshot, name);
    let mut gateway = base(existing, name);
    let mut added = Vec::new();
    for mut listener in ours {
        let theirs = &gateway.spec.listeners;
        // The very same listener is as good as ours, e.g. when somebody has dropped the annotation.
        let same = theirs.iter().position(|l| *l == listener);
        if let Some(same) = same {
            gateway.spec.listeners.remove(same);
        }
        let theirs = &gateway.spec.listeners;
        if let Some(other) = theirs.iter().find(|l| same_place(l, &listener)) {
            out.problem(in_use(&gateway, other, &listener));
            continue;
        }
        if theirs.len() >= MAX_LISTENERS {
            out.problem(full(&gateway, &listener));
            continue;
        }
        listener.name = free_name(&listener.name, theirs);
        added.push(listener.name.clone());
        gateway.spec.listeners.push(listener);
    }
    let annotations = gateway.metadata.annotations.get_or_insert_default();
    annotations.insert(LISTENERS_ANNOTATION.to_owned(), added.join(","));
    gateway
}

/// What the user wrote, without listeners of an earlier run and without what only the API server writes.
fn base(existing: Option<&Gateway>, name: &str) -> Gateway {
    let metadata = meta::meta(names::NAMESPACE, name, &[]);
    let Some(existing) = existing else {
        let spec = GatewaySpec {
            addresses: None,
            allowed_listeners: None,
            gateway_class_name: names::GATEWAY_CLASS.to_owned(),
            infrastructure: None,
            listeners: Vec::new(),
            tls: None,
        };
        return Gateway {
            metadata,
            spec,
            status: None,
        };
    };
    let mut spec = existing.spec.clone();
    spec.listeners = users(existing).cloned().collect();
    Gateway {
        metadata: kube::core::ObjectMeta {
            labels: existing.metadata.labels.clone(),
            annotations: meta::without_digest(&existing.metadata),
            ..metadata
        },
        spec,
        status: None,
    }
}

fn gateway_class() -> GatewayClass {
    GatewayClass {
        metadata: kube::core::ObjectMeta {
            namespace: None,
            ..meta::meta("", names::GATEWAY_CLASS, &[])
        },
        spec: GatewayClassSpec {
            controller_name: names::CONTROLLER.to_owned(),
            description: None,
            parameters_ref: None,
        },
        status: None,
    }
}

fn listener(name: &str, port: u16, from: From) -> GatewayListeners {
    let namespaces = GatewayListenersAllowedRoutesNamespaces {
        from: Some(from),
        selector: None,
    };
    GatewayListeners {
        allowed_routes: Some(GatewayListenersAllowedRoutes {
            kinds: None,
            namespaces: Some(namespaces),
        }),
        hostname: None,
        name: name.to_owned(),
        port: i32::from(port),
        protocol: "HTTP".to_owned(),
        tls: None,
    }
}

fn same_namespace() -> GatewayAllowedListeners {
    let from = Some(GatewayAllowedListenersNamespacesFrom::Same);
    let namespaces = GatewayAllowedListenersNamespaces {
        from,
        selector: None,
    };
    GatewayAllowedListeners {
        namespaces: Some(namespaces),
    }
}

/// Whether two listeners cannot both be there: port, protocol and hostname must differ (v1.7.0, CEL), and a port has one
/// protocol.
fn same_place(theirs: &GatewayListeners, ours: &GatewayListeners) -> bool {
    theirs.port == ours.port
        && (theirs.protocol != ours.protocol || theirs.hostname == ours.hostname)
}

/// The name, with `-wan` and a number if the user has a listener of that name.
fn free_name(name: &str, theirs: &[GatewayListeners]) -> String {
    let taken = |n: &str| theirs.iter().any(|l| l.name == n);
    if !taken(name) {
        return name.to_owned();
    }
    // One of so many names is free: there are no more than 64 listeners.
    let numbered = (1..=MAX_LISTENERS + 1).map(|i| format!("{name}-wan{i}"));
    numbered
        .into_iter()
        .find(|n| !taken(n))
        .unwrap_or_else(|| format!("{name}-wan"))
}

fn in_use(gateway: &Gateway, theirs: &GatewayListeners, ours: &GatewayListeners) -> Problem {
    let message = format!(
        "listener {} has port {} already, so listener {} is not added",
        theirs.name, theirs.port, ours.name
    );
    Problem::warning(reference(gateway), ("Accepted", "PortInUse"), message)
        .in_field("spec.listeners")
        .advise("remove the listener, or make sure that it is an http listener that takes routes of all namespaces; the policy has no other on this gateway")
}

fn full(gateway: &Gateway, ours: &GatewayListeners) -> Problem {
    let message = format!(
        "there is no room for listener {}: a gateway has at most {MAX_LISTENERS}",
        ours.name
    );
    Problem::error(
        reference(gateway),
        ("Accepted", "TooManyListeners"),
        message,
    )
    .in_field("spec.listeners")
    .advise("remove wan policies or listeners that nobody uses")
}
