//! Routes of the ingress gateway: one for each HTTP port of each service that this cluster exports.
//!
//! They stand in the service's own namespace, so that no `ReferenceGrant` is needed, and have local backends only.

use std::collections::BTreeMap;

use mcwan_gateway_api::httproutes::{
    HttpRoute, HttpRouteParentRefs, HttpRouteRules, HttpRouteRulesBackendRefs, HttpRouteSpec,
};

use super::naming::{self, Named};
use super::output::Output;
use super::{View, meta, ports};
use crate::names;
use crate::offer::{OfferedPort, OfferedService};

/// Renders the routes.
pub(super) fn render(view: &View<'_>, out: &mut Output) {
    let mut by_namespace: BTreeMap<&str, Vec<&OfferedService>> = BTreeMap::new();
    for service in &view.members.own.services {
        by_namespace
            .entry(&service.namespace)
            .or_default()
            .push(service);
    }
    for services in by_namespace.into_values() {
        render_namespace(&services, out);
    }
}

/// Name of what is rendered in the namespace of an exported service.
pub(super) fn name(service: &str) -> String {
    format!("mc-wan-{service}")
}

fn render_namespace(services: &[&OfferedService], out: &mut Output) {
    let names: Vec<String> = services.iter().map(|s| name(&s.name)).collect();
    let things: Vec<Named<'_>> = services
        .iter()
        .zip(&names)
        .map(|(service, name)| Named {
            identity: service.name.clone(),
            name,
            endings: http(service).iter().skip(1).map(|p| ending(p)).collect(),
        })
        .collect();
    for ((service, name), stem) in services.iter().zip(&names).zip(naming::stems(&things)) {
        let http = http(service);
        for (i, port) in http.iter().enumerate() {
            // The first port has the plain name.
            let name = if i == 0 {
                name.clone()
            } else {
                format!("{stem}{}", ending(port))
            };
            out.put(route(service, port, &name, http.len() == 1));
        }
    }
}

fn id(service: &OfferedService) -> (&str, &str) {
    (&service.namespace, &service.name)
}

fn http(service: &OfferedService) -> Vec<&OfferedPort> {
    service.ports.iter().filter(|p| ports::is_http(p)).collect()
}

fn ending(port: &OfferedPort) -> String {
    format!("-p{}", port.port)
}

fn route(service: &OfferedService, port: &OfferedPort, name: &str, only: bool) -> HttpRoute {
    let (namespace, service) = id(service);
    let mut hostnames = vec![names::wan_host(namespace, service, port.port)];
    if only {
        hostnames.push(names::clusterset_host(namespace, service));
    }
    let backend = HttpRouteRulesBackendRefs {
        filters: None,
        group: None,
        kind: None,
        name: service.to_owned(),
        namespace: None,
        port: Some(i32::from(port.port)),
        weight: None,
    };
    HttpRoute {
        metadata: meta::of_service(namespace, name, (namespace, service)),
        spec: HttpRouteSpec {
            hostnames: Some(hostnames),
            parent_refs: Some(vec![parent()]),
            rules: Some(vec![HttpRouteRules {
                backend_refs: Some(vec![backend]),
                filters: None,
                matches: None,
                name: None,
                retry: None,
                timeouts: None,
            }]),
        },
        status: None,
    }
}

fn parent() -> HttpRouteParentRefs {
    HttpRouteParentRefs {
        group: None,
        kind: None,
        name: names::INGRESS.to_owned(),
        namespace: Some(names::NAMESPACE.to_owned()),
        port: None,
        section_name: None,
    }
}
