//! What rendering costs: it runs at every change in the cluster set.

#![expect(
    clippy::unwrap_used,
    clippy::format_push_string,
    reason = "a test that prints a figure and fails by panicking"
)]

use std::time::{Duration, Instant};

use mcwan_k8s::manifest;
use mcwan_k8s::offer::{PeerOffer, offer};
use mcwan_k8s::render::render;
use mcwan_k8s::snapshot::ClusterSnapshot;

/// A cluster that exports so many services, in namespaces of 50, and has the namespaces of all three clusters.
fn cluster(name: &str, exports: usize) -> ClusterSnapshot {
    let mut text = "apiVersion: mc-wan.l7mp.io/v1alpha1\nkind: WANPolicy\nmetadata: {name: high}\nspec: {tunnel: business, port: 31111}\n---\n\
                    apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: mc-wan-ingress, namespace: mc-wan}\n\
                    spec: {addresses: [{value: 192.0.2.1}]}\n---\n\
                    apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: mc-wan-egress, namespace: mc-wan}\n\
                    spec: {addresses: [{value: 192.0.2.2}]}\n"
        .to_owned();
    for owner in ["one", "two", "three"] {
        for i in 0..exports.div_ceil(50) {
            text.push_str(&format!(
                "---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: {owner}-{i}}}\n"
            ));
        }
    }
    for i in 0..exports {
        let meta = format!("{{name: service-{i}, namespace: {name}-{}}}", i / 50);
        text.push_str(&format!(
            "---\napiVersion: v1\nkind: Service\nmetadata: {meta}\nspec: {{ports: [{{name: http, port: 80}}]}}\n---\n\
             apiVersion: mc-wan.l7mp.io/v1alpha1\nkind: ServiceExport\nmetadata: {meta}\n\
             spec: {{http: {{rules: [{{backendRefs: {{name: high}}}}]}}}}\n"
        ));
    }
    let parsed = manifest::parse(text.as_bytes());
    assert_eq!(parsed.errors, []);
    ClusterSnapshot::new(name).with(parsed.objects.into_iter().map(|p| p.object))
}

/// The quickest of five renderings of a cluster that has been rendered before, and how many objects come out.
fn cost(exports: usize) -> (Duration, usize) {
    let own = cluster("one", exports);
    let peers: Vec<PeerOffer> = ["two", "three"]
        .map(|c| offer(&cluster(c, exports)).0)
        .into();
    let before = render(&own, &peers).0;
    let own = own.with(before.iter().cloned());
    let quickest = (0..5)
        .map(|_| {
            let start = Instant::now();
            assert_eq!(render(&own, &peers).0.len(), before.len());
            start.elapsed()
        })
        .min();
    (quickest.unwrap(), before.len())
}

/// Eight times the exports may cost forty times as much: far more than noise adds, far less than a square.
#[test]
fn rendering_a_thousand_exports_of_each_of_three_clusters_costs_no_square() {
    let (few, _) = cost(125);
    let (many, objects) = cost(1000);
    let build = if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    };
    eprintln!(
        "3 x 125 exports: {few:?}; 3 x 1000 exports, {objects} objects: {many:?} ({build} build)"
    );
    assert!(many < few * 40, "{few:?} and {many:?}");
}
