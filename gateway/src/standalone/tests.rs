use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::*;
use crate::backends::Registry;

const POLICY: &str = include_str!("../../../config/samples/wanpolicy.yaml");
const EXPORT: &str = include_str!("../../../config/samples/serviceexport.yaml");

/// The Service that the sample exports, and where it runs.
const SERVICE: &str = r"
apiVersion: v1
kind: Namespace
metadata: {name: secure}
---
apiVersion: v1
kind: Service
metadata: {name: payment, namespace: secure}
spec:
  clusterIP: 10.96.0.10
  ports: [{name: http, port: 8080, protocol: TCP}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: payment-1
  namespace: secure
  labels: {kubernetes.io/service-name: payment}
addressType: IPv4
endpoints: [{addresses: [127.0.0.1], conditions: {ready: true}}]
ports: [{name: http, port: 18080, protocol: TCP}]
";

/// Two clusters: cluster-1 exports, cluster-2 imports.
fn clusterset() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (cluster, file, text) in [
        ("cluster-1", "policies.yaml", POLICY),
        ("cluster-1", "payment.yaml", SERVICE),
        ("cluster-1", "export.yaml", EXPORT),
        ("cluster-2", "policies.yaml", POLICY),
        (
            "cluster-2",
            "namespace.yaml",
            "{apiVersion: v1, kind: Namespace, metadata: {name: secure}}",
        ),
    ] {
        write(dir.path(), cluster, file, text);
    }
    dir
}

fn write(dir: &Path, cluster: &str, file: &str, text: &str) {
    let cluster = dir.join(cluster);
    fs::create_dir_all(&cluster).unwrap();
    fs::write(cluster.join(file), text).unwrap();
}

struct Running {
    live: Arc<LiveTable>,
    readiness: Readiness,
    metrics: Metrics,
    standalone: Standalone,
}

fn start(dir: &Path, cluster: &str) -> anyhow::Result<Running> {
    let metrics = Metrics::new("mcwan-test", "0")?;
    let parts = Parts {
        live: Arc::new(LiveTable::new(Arc::new(Registry::default()))),
        observer: Arc::new(Observer::new(cluster, None, &metrics)?),
        readiness: Readiness::default(),
        metrics: metrics.clone(),
    };
    let settings = Settings {
        dir: dir.to_owned(),
        cluster: cluster.to_owned(),
    };
    Ok(Running {
        live: Arc::clone(&parts.live),
        readiness: parts.readiness.clone(),
        metrics,
        standalone: Standalone::start(&settings, parts)?,
    })
}

/// Waits until `holds`, for much longer than it should take.
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

#[test]
fn a_table_is_in_force_when_start_returns() {
    let dir = clusterset();
    let running = start(dir.path(), "cluster-1").unwrap();
    let live = running.live.load();
    assert_eq!(live.generation, 1);
    assert!(!live.table.spec().sockets.is_empty());
    assert!(
        running.readiness.is_ready(),
        "{}",
        running.readiness.verbose()
    );
}

#[test]
fn a_new_policy_is_served_without_a_restart() {
    let dir = clusterset();
    let running = start(dir.path(), "cluster-1").unwrap();
    let ports = || {
        let live = running.live.load();
        let ports: Vec<u16> = live.table.spec().sockets.iter().map(|s| s.port).collect();
        ports
    };
    assert!(!ports().contains(&31_113), "{:?}", ports());
    let third = "
apiVersion: mc-wan.l7mp.io/v1alpha1
kind: WANPolicy
metadata: {name: third}
spec: {tunnel: third, port: 31113}
";
    write(dir.path(), "cluster-1", "third.yaml", third);
    eventually("the new policy has a listener", || {
        ports().contains(&31_113)
    });
    assert_eq!(
        running.standalone.status().reloads(status::Reload::Applied),
        1
    );
}

#[test]
fn broken_deleted_and_empty_files_change_nothing_and_are_reported() {
    let dir = clusterset();
    let running = start(dir.path(), "cluster-1").unwrap();
    let before = running.live.load();
    let files = || running.standalone.status().wrongs().files.len();
    assert_eq!(files(), 0, "{}", running.readiness.verbose());

    write(dir.path(), "cluster-1", "policies.yaml", "kind: [");
    eventually("the broken file is reported", || files() == 1);
    write(dir.path(), "cluster-1", "export.yaml", "");
    eventually("the empty file is reported", || files() == 2);
    fs::remove_file(dir.path().join("cluster-1/payment.yaml")).unwrap();
    eventually("the deleted file is reported", || files() == 3);

    let verbose = running.readiness.verbose();
    for file in ["policies.yaml", "export.yaml", "payment.yaml"] {
        assert!(
            verbose.contains(&format!("[-] file: cluster-1/{file}:")),
            "{verbose}"
        );
    }
    assert!(
        running.readiness.is_ready(),
        "broken files do not end the service"
    );
    let metrics = running.metrics.encode().unwrap();
    assert!(
        metrics.contains(r#"mcwan_config_file_errors{file="cluster-1/export.yaml"} 1"#),
        "{metrics}"
    );
    assert!(
        metrics.contains(r#"mcwan_config_reloads_total{result="rejected"} 3"#),
        "{metrics}"
    );
    let after = running.live.load();
    assert_eq!(after.generation, before.generation);

    write(dir.path(), "cluster-1", "policies.yaml", POLICY);
    write(dir.path(), "cluster-1", "export.yaml", EXPORT);
    write(dir.path(), "cluster-1", "payment.yaml", SERVICE);
    eventually("all is well again", || files() == 0);
    assert_eq!(running.live.load().generation, before.generation);
    assert!(
        !running
            .metrics
            .encode()
            .unwrap()
            .contains("mcwan_config_file_errors{")
    );
}

#[test]
fn a_problem_is_counted_while_it_lasts() {
    let dir = clusterset();
    write(
        dir.path(),
        "cluster-1",
        "export.yaml",
        &EXPORT.replace("name: sd-wan-priority-low", "name: missing"),
    );
    let running = start(dir.path(), "cluster-1").unwrap();
    assert!(!running.standalone.status().wrongs().problems.is_empty());
    assert!(
        running
            .metrics
            .encode()
            .unwrap()
            .contains("mcwan_problems{condition=")
    );
}

#[test]
fn a_cluster_without_a_directory_does_not_start() {
    let dir = clusterset();
    let error = start(dir.path(), "cluster-9").err().unwrap().to_string();
    assert!(error.contains("cluster-9"), "{error}");
}

#[test]
fn the_watching_ends_with_its_owner() {
    let dir = clusterset();
    let running = start(dir.path(), "cluster-1").unwrap();
    drop(running.standalone);
    assert!(!running.readiness.is_ready());
    assert!(running.readiness.verbose().contains("[-] table: stopped"));
}
