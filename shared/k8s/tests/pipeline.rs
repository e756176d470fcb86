//! The seed's own objects through offer, render and translate: nothing is wrong with them in either cluster, and the table
//! says what the original idea says.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::path::Path;

use mcwan_k8s::manifest;
use mcwan_k8s::pipeline::{Outcome, run};
use mcwan_k8s::snapshot::ClusterSnapshot;
use mcwan_k8s::translate::Scope;
use serde_json::Value;

/// A cluster made of sample files and parts of the golden cases.
fn cluster(name: &str, files: &[&str]) -> (String, ClusterSnapshot) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let objects = files.iter().flat_map(|file| {
        let manifest = manifest::parse(&std::fs::read(root.join(file)).unwrap());
        assert_eq!(manifest.errors, [], "{file}");
        manifest.objects.into_iter().map(|p| p.object)
    });
    (name.to_owned(), ClusterSnapshot::new(name).with(objects))
}

fn seed() -> BTreeMap<String, ClusterSnapshot> {
    let exporter = [
        "../../config/samples/wanpolicy.yaml",
        "../../config/samples/serviceexport.yaml",
        "tests/goldens/parts/payment.yaml",
        "tests/goldens/parts/gateway-1.yaml",
    ];
    let importer = [
        "../../config/samples/wanpolicy.yaml",
        "tests/goldens/parts/secure.yaml",
    ];
    BTreeMap::from([
        cluster("cluster-1", &exporter),
        cluster("cluster-2", &importer),
    ])
}

fn outcome(cluster: &str, previous: &Outcome) -> Outcome {
    let scope = Scope {
        privileged_port_offset: 10_000,
        default_address: Some("0.0.0.0".parse().unwrap()),
        standalone: true,
        ..Scope::default()
    };
    run(cluster, &seed(), &previous.objects, &scope)
}

/// Policies and targets of each rule on the socket with this port.
fn routes(outcome: &Outcome, port: u16) -> Vec<Value> {
    let table = serde_json::to_value(&outcome.table).unwrap();
    let sockets = table["sockets"].as_array().unwrap();
    let socket = sockets.iter().find(|s| s["port"] == port).unwrap();
    let listeners = socket["listeners"].as_array().unwrap();
    let routes = listeners
        .iter()
        .flat_map(|l| l["routes"].as_array().unwrap());
    routes
        .map(|r| r["rule"]["action"]["forward"].clone())
        .collect()
}

#[test]
fn the_importing_cluster_sends_each_path_through_its_tunnel() {
    let outcome = outcome("cluster-2", &Outcome::default());
    assert_eq!(outcome.problems, []);
    let forwards = routes(&outcome, 80);
    let policies: Vec<&Value> = forwards.iter().map(|f| &f["tiers"][0]["policy"]).collect();
    assert_eq!(policies, ["sd-wan-priority-high", "sd-wan-priority-low"]);
    assert!(forwards.iter().all(|f| f["failover"] == true));
}

#[test]
fn the_exporting_cluster_serves_both_tunnels_and_itself() {
    let outcome = outcome("cluster-1", &Outcome::default());
    assert_eq!(outcome.problems, []);
    for port in [31111, 31112, 80] {
        let forwards = routes(&outcome, port);
        assert!(!forwards.is_empty(), "{port}");
        for forward in forwards {
            let tiers = forward["tiers"].as_array().unwrap();
            assert_eq!(tiers.len(), 1, "{forward}");
            assert_eq!(tiers[0]["policy"], Value::Null, "local only");
        }
    }
}

#[test]
fn a_second_run_changes_nothing() {
    for cluster in ["cluster-1", "cluster-2"] {
        let first = outcome(cluster, &Outcome::default());
        assert_eq!(outcome(cluster, &first), first);
    }
}
