//! Inputs that the benchmarks share: clusters with many routes, as manifests, so that a benchmark starts where a user does.

use std::fmt::Write as _;

use mcwan_k8s::manifest;
use mcwan_k8s::snapshot::ClusterSnapshot;
use mcwan_k8s::translate::Scope;

/// A Gateway, a Service and its endpoint.
const FIXED: &str = "\
apiVersion: v1
kind: Service
metadata: {name: backend, namespace: default}
spec: {ports: [{name: http, port: 80, protocol: TCP}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: backend-1, namespace: default, labels: {kubernetes.io/service-name: backend}}
addressType: IPv4
ports: [{name: http, port: 8080, protocol: TCP}]
endpoints: [{addresses: [127.0.0.1], conditions: {ready: true}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: bench, namespace: default}
spec:
  gatewayClassName: mc-wan
  addresses: [{type: IPAddress, value: 127.0.0.1}]
  listeners: [{name: http, port: 8000, protocol: HTTP}]
";

/// How the benchmarks' gateway binds.
#[must_use]
pub fn scope() -> Scope {
    Scope {
        standalone: true,
        privileged_port_offset: 10_000,
        ..Scope::default()
    }
}

/// Manifests of `hosts` routes with three rules each; a GET of any path is taken by the third.
#[must_use]
pub fn host_manifests(hosts: usize) -> String {
    let mut text = String::from(FIXED);
    for i in 0..hosts {
        route(&mut text, &format!("r{i}"), &format!("svc{i}.bench.test"));
        for (method, path) in [("POST", "/"), ("GET", "/a"), ("GET", "/")] {
            rule(&mut text, method, path);
        }
    }
    text
}

/// Manifests of one host with `paths` rules `/path0`, `/path1` …, sixteen a route.
#[must_use]
pub fn path_manifests(paths: usize) -> String {
    let mut text = String::from(FIXED);
    for i in 0..paths {
        if i % 16 == 0 {
            route(&mut text, &format!("p{}", i / 16), "paths.bench.test");
        }
        rule(&mut text, "GET", &format!("/path{i}"));
    }
    text
}

fn route(text: &mut String, name: &str, host: &str) {
    let written = write!(
        text,
        "---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: {name}, namespace: default}}\n\
         spec:\n  parentRefs: [{{name: bench}}]\n  hostnames: [{host}]\n  rules:\n"
    );
    debug_assert!(written.is_ok(), "writing to a String cannot fail");
}

fn rule(text: &mut String, method: &str, path: &str) {
    let written = write!(
        text,
        "  - matches: [{{method: {method}, path: {{type: PathPrefix, value: {path}}}}}]\n    \
         filters: [{{type: URLRewrite, urlRewrite: {{hostname: rewritten.test}}}}]\n    \
         backendRefs: [{{name: backend, port: 80}}]\n"
    );
    debug_assert!(written.is_ok(), "writing to a String cannot fail");
}

/// Parses manifests into one cluster.
///
/// # Panics
/// When the manifests have a mistake: then the benchmark measures nothing.
#[must_use]
pub fn snapshot(text: &str) -> ClusterSnapshot {
    let manifest = manifest::parse(text.as_bytes());
    assert!(manifest.errors.is_empty(), "{:?}", manifest.errors);
    ClusterSnapshot::new("bench").with(manifest.objects.into_iter().map(|p| p.object))
}
