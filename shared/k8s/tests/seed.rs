//! The seed's own manifests, from the exporter's objects to the tunnel that a request takes.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use http::{HeaderMap, Method};
use mcwan_k8s::manifest;
use mcwan_k8s::pipeline::{self, Outcome};
use mcwan_k8s::snapshot::ClusterSnapshot;
use mcwan_k8s::translate::Scope;
use mcwan_routing::matching::RequestView;
use mcwan_routing::rule::{Action, Forward, Rule, Target};
use mcwan_routing::table::{Lookup, Table};

/// Namespaces, gateways, and the service where it runs.
fn cluster(name: &str, number: u8, files: &[&str], text: &str) -> ClusterSnapshot {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/samples");
    let gateways = format!(
        "apiVersion: v1\nkind: Namespace\nmetadata: {{ name: secure }}\n---\n\
         apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {{ name: mc-wan-ingress, namespace: mc-wan }}\n\
         spec: {{ gatewayClassName: mc-wan, addresses: [ {{ value: 127.0.{number}.1 }} ], listeners: [] }}\n---\n\
         apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {{ name: mc-wan-egress, namespace: mc-wan }}\n\
         spec: {{ gatewayClassName: mc-wan, addresses: [ {{ value: 127.0.{number}.2 }} ], listeners: [] }}\n---\n{text}"
    );
    let read = |bytes: &[u8]| {
        let manifest = manifest::parse(bytes);
        assert!(manifest.errors.is_empty(), "{:?}", manifest.errors);
        manifest.objects.into_iter().map(|p| p.object)
    };
    let mut snapshot = ClusterSnapshot::new(name).with(read(gateways.as_bytes()));
    for file in files {
        snapshot = snapshot.with(read(&std::fs::read(samples.join(file)).unwrap()));
    }
    snapshot
}

const PAYMENT: &str = "apiVersion: v1
kind: Service
metadata: { name: payment, namespace: secure }
spec: { ports: [ { name: http, port: 8080 } ] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: payment-1, namespace: secure, labels: { kubernetes.io/service-name: payment } }
addressType: IPv4
ports: [ { name: http, port: 9000 } ]
endpoints: [ { addresses: [ 127.0.1.9 ] } ]
";

fn outcome(of: &str) -> Outcome {
    let clusters = BTreeMap::from([
        (
            "cluster-1".to_owned(),
            cluster(
                "cluster-1",
                1,
                &["serviceexport.yaml", "wanpolicy.yaml"],
                PAYMENT,
            ),
        ),
        (
            "cluster-2".to_owned(),
            cluster("cluster-2", 2, &["wanpolicy.yaml"], ""),
        ),
    ]);
    let scope = Scope {
        privileged_port_offset: 10_000,
        standalone: true,
        ..Scope::default()
    };
    pipeline::run(of, &clusters, &[], &scope)
}

fn find<'t>(
    table: &'t Table,
    socket: &str,
    host: &str,
    request: (Method, &str),
) -> Option<&'t Rule> {
    let (method, path) = request;
    let request = RequestView {
        host,
        path,
        query: None,
        method: &method,
        headers: &HeaderMap::new(),
    };
    let socket: SocketAddr = socket.parse().unwrap();
    match table.find(socket, &request) {
        Lookup::Found { rule, .. } => table.rule(rule).map(AsRef::as_ref),
        _ => None,
    }
}

fn forward(rule: &Rule) -> &Forward {
    match &rule.action {
        Action::Forward(forward) => forward,
        Action::Redirect(_) => panic!("{rule:?}"),
    }
}

#[test]
fn on_the_importing_side_each_request_takes_the_tunnel_of_its_rule() {
    let outcome = outcome("cluster-2");
    let table = Table::compile(outcome.table);
    let host = "payment.secure.svc.clusterset.local";
    for (method, path, policy) in [
        (Method::GET, "/payment", Some("sd-wan-priority-high")),
        (Method::GET, "/payment/7", Some("sd-wan-priority-high")),
        (Method::GET, "/stats", Some("sd-wan-priority-low")),
        (Method::POST, "/stats", Some("sd-wan-priority-low")),
        (Method::POST, "/payment", None),
        (Method::GET, "/other", None),
    ] {
        let rule = find(&table, "127.0.2.2:10080", host, (method.clone(), path));
        let tier = rule.map(|r| forward(r).tiers.first().unwrap());
        let taken = tier.map(|t| t.policy.as_deref().unwrap());
        assert_eq!(taken, policy, "{method} {path}");
        let Some(rule) = rule else { continue };
        assert!(forward(rule).failover);
        let service = rule.service.as_ref().unwrap();
        assert_eq!(
            (service.namespace.as_str(), service.name.as_str()),
            ("secure", "payment")
        );
    }
}

#[test]
fn on_the_exporting_side_the_wan_gateway_serves_local_endpoints_on_every_port() {
    let outcome = outcome("cluster-1");
    let backends = outcome.table.backends.clone();
    let table = Table::compile(outcome.table);
    let host = "p8080.payment.secure.svc.clusterset.local";
    for socket in ["127.0.1.1:31111", "127.0.1.1:31112"] {
        let rule = find(&table, socket, host, (Method::GET, "/payment")).unwrap();
        let choices: Vec<_> = forward(rule)
            .tiers
            .iter()
            .flat_map(|t| &t.choices)
            .collect();
        let [choice] = choices.as_slice() else {
            panic!("{choices:?}")
        };
        let Target::Backend(name) = &choice.target else {
            panic!("{choice:?}")
        };
        let backend = backends.get(name).unwrap();
        assert_eq!(backend.endpoints, ["127.0.1.9:9000".parse().unwrap()]);
        assert!(backend.tunnel.is_none());
    }
}

#[test]
fn what_is_rendered_translates_without_a_problem() {
    for cluster in ["cluster-1", "cluster-2"] {
        let problems = outcome(cluster).problems;
        assert!(problems.is_empty(), "{cluster}: {problems:#?}");
    }
}
