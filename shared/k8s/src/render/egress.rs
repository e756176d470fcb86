//! The importing side's traffic: for each service a `ListenerSet` on the egress gateway, and routes whose rules choose the
//! tunnel.

use mcwan_gateway_api::httproutes::{
    HttpRoute, HttpRouteParentRefs, HttpRouteRules, HttpRouteRulesFilters,
    HttpRouteRulesFiltersType, HttpRouteRulesFiltersUrlRewrite, HttpRouteSpec,
};
use mcwan_gateway_api::listenersets::{
    ListenerSet, ListenerSetListeners, ListenerSetListenersAllowedRoutes,
    ListenerSetListenersAllowedRoutesNamespaces,
    ListenerSetListenersAllowedRoutesNamespacesFrom as From, ListenerSetParentRef, ListenerSetSpec,
};
use mcwan_gateway_api::referencegrants::{
    ReferenceGrant, ReferenceGrantFrom, ReferenceGrantSpec, ReferenceGrantTo,
};

use super::merge::{MultiService, Port};
use super::output::Output;
use super::pieces::Piece;
use super::plans::Plan;
use super::{View, candidates, ingress, meta, ports};
use crate::names;

/// Name of the listener that serves a service's host name on port 80.
const CLUSTERSET: &str = "clusterset";
/// API group of the parents of routes that are not Gateways.
const GATEWAY_GROUP: &str = "gateway.networking.k8s.io";

/// Renders listeners, routes and grants of all services.
pub(super) fn render(view: &View<'_>, plans: &[Plan], out: &mut Output) {
    for (service, plan) in view.services.iter().zip(plans) {
        let main = ports::main_port(service);
        let listeners = listeners(service, plan, main);
        if listeners.is_empty() || !out.put(listener_set(service, plan, listeners)) {
            continue;
        }
        let carried = ports::http(service).zip(&plan.ports).enumerate();
        let mut local = false;
        for (i, (port, (number, allocated))) in carried {
            let mut sections: Vec<String> =
                allocated.iter().map(|_| ports::listener(*number)).collect();
            if main == Some(*number) {
                sections.push(CLUSTERSET.to_owned());
            }
            for (j, pieces) in plan
                .routes
                .iter()
                .enumerate()
                .filter(|_| !sections.is_empty())
            {
                let rules = pieces
                    .iter()
                    .map(|piece| rule(view, service, port, piece, out))
                    .collect();
                out.put(route(service, plan, (i, j), &sections, rules));
                local |= candidates::is_local(view, port);
            }
        }
        if local {
            out.put(grant(service));
        }
    }
}

/// One listener for each allocated port, and one for the host name.
fn listeners(
    service: &MultiService<'_>,
    plan: &Plan,
    main: Option<u16>,
) -> Vec<ListenerSetListeners> {
    let (namespace, name) = service.id();
    let mut listeners: Vec<_> = plan
        .ports
        .iter()
        .filter_map(|&(port, allocated)| Some(listener(&ports::listener(port), allocated?, None)))
        .collect();
    if main.is_some() {
        let host = names::clusterset_host(namespace, name);
        listeners.push(listener(CLUSTERSET, 80, Some(host)));
    }
    listeners
}

fn listener(name: &str, port: u16, hostname: Option<String>) -> ListenerSetListeners {
    let namespaces = ListenerSetListenersAllowedRoutesNamespaces {
        from: Some(From::Same),
        selector: None,
    };
    ListenerSetListeners {
        allowed_routes: Some(ListenerSetListenersAllowedRoutes {
            kinds: None,
            namespaces: Some(namespaces),
        }),
        hostname,
        name: name.to_owned(),
        port: i32::from(port),
        protocol: "HTTP".to_owned(),
        tls: None,
    }
}

fn listener_set(
    service: &MultiService<'_>,
    plan: &Plan,
    listeners: Vec<ListenerSetListeners>,
) -> ListenerSet {
    ListenerSet {
        metadata: meta::of_service(names::NAMESPACE, &plan.name, service.id()),
        spec: ListenerSetSpec {
            listeners,
            parent_ref: ListenerSetParentRef {
                group: None,
                kind: None,
                name: names::EGRESS.to_owned(),
                namespace: None,
            },
        },
        status: None,
    }
}

fn route(
    service: &MultiService<'_>,
    plan: &Plan,
    (port, part): (usize, usize),
    sections: &[String],
    rules: Vec<HttpRouteRules>,
) -> HttpRoute {
    let parents = sections.iter().map(|section| HttpRouteParentRefs {
        group: Some(GATEWAY_GROUP.to_owned()),
        kind: Some("ListenerSet".to_owned()),
        name: plan.name.clone(),
        namespace: None,
        port: None,
        section_name: Some(section.clone()),
    });
    HttpRoute {
        metadata: meta::of_service(names::NAMESPACE, &plan.route_name(port, part), service.id()),
        spec: HttpRouteSpec {
            hostnames: None,
            parent_refs: Some(parents.collect()),
            rules: Some(rules),
        },
        status: None,
    }
}

fn rule(
    view: &View<'_>,
    service: &MultiService<'_>,
    port: &Port<'_>,
    piece: &Piece,
    out: &mut Output,
) -> HttpRouteRules {
    let backends = candidates::backends(view, service, port, &piece.rule, out);
    let (namespace, name) = service.id();
    let rewrite = HttpRouteRulesFiltersUrlRewrite {
        hostname: Some(names::wan_host(namespace, name, port.offered.port)),
        path: None,
    };
    HttpRouteRules {
        backend_refs: (!backends.is_empty()).then_some(backends),
        filters: Some(vec![HttpRouteRulesFilters {
            cors: None,
            extension_ref: None,
            request_header_modifier: None,
            request_mirror: None,
            request_redirect: None,
            response_header_modifier: None,
            r#type: HttpRouteRulesFiltersType::UrlRewrite,
            url_rewrite: Some(rewrite),
        }]),
        matches: piece.matches.clone(),
        name: None,
        retry: None,
        timeouts: None,
    }
}

/// Lets the routes in `mc-wan` send requests to the local Service.
fn grant(service: &MultiService<'_>) -> ReferenceGrant {
    ReferenceGrant {
        metadata: meta::of_service(
            service.namespace,
            &ingress::name(service.name),
            service.id(),
        ),
        spec: ReferenceGrantSpec {
            from: vec![ReferenceGrantFrom {
                group: GATEWAY_GROUP.to_owned(),
                kind: "HTTPRoute".to_owned(),
                namespace: names::NAMESPACE.to_owned(),
            }],
            to: vec![ReferenceGrantTo {
                group: String::new(),
                kind: "Service".to_owned(),
                name: Some(service.name.to_owned()),
            }],
        },
    }
}
