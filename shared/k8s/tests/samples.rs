//! `config/samples` is documentation, test input and demo at once.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot read its input fails"
)]

use std::path::{Path, PathBuf};

use mcwan_k8s::manifest::{self, Manifest};
use mcwan_k8s::offer::{PeerOffer, offer};
use mcwan_k8s::policy::accepted;
use mcwan_k8s::problem::Problem;
use mcwan_k8s::snapshot::ClusterSnapshot;
use sha2::{Digest, Sha256};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/samples")
}

fn read(name: &str) -> Manifest {
    manifest::parse(&std::fs::read(folder().join(name)).unwrap())
}

fn snapshot(names: &[&str]) -> ClusterSnapshot {
    let objects = names
        .iter()
        .flat_map(|name| read(name).objects)
        .map(|p| p.object);
    ClusterSnapshot::new("cluster-1").with(objects)
}

fn offered(names: &[&str]) -> (PeerOffer, Vec<Problem>) {
    offer(&snapshot(names))
}

/// The objects of the original idea: they are input, whatever we think of them.
#[test]
fn the_seed_stands_as_it_was_written() {
    for (name, hash) in [
        (
            "serviceexport.yaml",
            "cc0c641cc8f32c5e6cec5e95f666f6573e9251de9b5f02aa74ce93400cd6e7eb",
        ),
        (
            "wanpolicy-sla.yaml",
            "cfb0f470b117a1d385a5f1ec32aadf74458b316723979b540d2ee944f9ed2300",
        ),
        (
            "wanpolicy.yaml",
            "3c87710ac4e37ac27f4f75f5ddf7432bb7768c3841f6fdd528cefa20ec981950",
        ),
    ] {
        let digest = Sha256::digest(std::fs::read(folder().join(name)).unwrap());
        let hex: String = digest.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, hash, "{name}");
    }
}

#[test]
fn every_sample_is_read_without_a_mistake_and_explains_itself() {
    let mut count = 0;
    for file in std::fs::read_dir(folder()).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|e| e != "yaml") {
            continue;
        }
        count += 1;
        let bytes = std::fs::read(&path).unwrap();
        let manifest = manifest::parse(&bytes);
        assert_eq!(
            (manifest.errors, manifest.warnings, manifest.skipped),
            (vec![], vec![], 0),
            "{}",
            path.display()
        );
        assert!(
            bytes.starts_with(b"#"),
            "{} begins with a comment for its reader",
            path.display()
        );
    }
    assert!(count >= 6);
}

#[test]
fn the_sla_of_the_seed_is_not_in_force_and_says_so() {
    let (policies, problems) = accepted(&snapshot(&["wanpolicy-sla.yaml"]));
    let fields: Vec<_> = problems
        .iter()
        .map(|p| (p.field.as_str(), p.reason.as_str()))
        .collect();
    assert_eq!(policies.len(), 1);
    assert_eq!(
        fields,
        [
            ("spec.sla.jitter-ms", "NotInForceYet"),
            ("spec.sla.latency-ms", "NotInForceYet"),
            ("spec.sla.loss-percent", "NotInForceYet"),
        ]
    );
}

#[test]
fn the_failover_sample_is_in_force_as_it_reads() {
    let (policies, problems) = accepted(&snapshot(&["wanpolicy-failover.yaml"]));
    assert_eq!(problems, []);
    assert_eq!(
        (policies[0].dscp, &policies[0].fallback[..]),
        (Some(18), &["sd-wan-priority-low".to_owned()][..])
    );
    assert_eq!(
        (
            policies[0].hold_down.as_secs(),
            policies[0].max_hold_down.as_secs()
        ),
        (10, 300)
    );
    assert!(policies[1].is_default && !policies[0].is_default);
}

#[test]
fn the_payment_service_is_offered_with_both_kinds_of_export() {
    for export in ["serviceexport.yaml", "serviceexport-official.yaml"] {
        let (offer, problems) = offered(&["payment.yaml", "wanpolicy.yaml", export]);
        assert_eq!(problems, [], "{export}");
        let service = &offer.services[0];
        assert_eq!(
            (service.ports[0].port, service.ports[0].ready_endpoints),
            (8080, 2),
            "{export}"
        );
        let policy = export
            .contains("official")
            .then_some("sd-wan-priority-high");
        assert_eq!(service.wan_policy.as_deref(), policy, "{export}");
    }
}
