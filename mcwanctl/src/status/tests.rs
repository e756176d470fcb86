//! Golden reports: `tests/status/base.yaml` with the objects of one case over it, at a fixed time, as text and as JSON.
//! `UPDATE=1 cargo test -p mcwanctl golden` writes them anew.

use std::path::{Path, PathBuf};

use jiff::{Timestamp, ToSpan};
use mcwan_k8s::manifest;
use mcwan_k8s::snapshot::ClusterSnapshot;

use super::report::{Report, report};
use super::seen::{Cause, GatewaySeen, Lease, Seen, TunnelSeen, Unread};
use super::text::text;

/// Noon of the day on which all of it happens.
fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn input(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/status")
        .join(name)
}

fn objects(name: &str) -> Vec<mcwan_k8s::object::Object> {
    let text = std::fs::read(input(name)).unwrap();
    let manifest = manifest::parse(&text);
    assert!(manifest.errors.is_empty(), "{name}: {:?}", manifest.errors);
    manifest
        .objects
        .into_iter()
        .map(|placed| placed.object)
        .collect()
}

/// A live pair, seen from cluster-2, with the objects of a case over it.
fn seen(case: Option<&str>) -> Seen {
    let mut snapshot = ClusterSnapshot::new("cluster-2").with(objects("base.yaml"));
    if let Some(case) = case {
        snapshot = snapshot.with(objects(&format!("{case}.yaml")));
    }
    Seen {
        context: "east".to_owned(),
        snapshot,
        lease: lease_renewed(3),
        unread: Vec::new(),
        gateways: vec![gateway(&[
            ("business", "healthy", 5.2),
            ("default", "healthy", 41.0),
        ])],
    }
}

fn lease_renewed(seconds_ago: i64) -> Lease {
    Lease::Held {
        holder: "mcwan-controller-0".to_owned(),
        renewed: now() - seconds_ago.seconds(),
        seconds: 15,
    }
}

fn gateway(tunnels: &[(&str, &str, f64)]) -> GatewaySeen {
    let tunnel = |(policy, health, rtt): &(&str, &str, f64)| TunnelSeen {
        cluster: "cluster-1".to_owned(),
        policy: (*policy).to_owned(),
        address: if *policy == "business" {
            "10.77.1.11:31111"
        } else {
            "10.77.1.11:31112"
        }
        .parse()
        .unwrap(),
        health: (*health).to_owned(),
        since_seconds: 312.5,
        rtt_ms: (*health == "healthy").then_some(*rtt),
        last_failure: if *health == "down" {
            "no PONG within 1s".to_owned()
        } else {
            String::new()
        },
    };
    GatewaySeen {
        gateway: "mc-wan/mc-wan-egress".to_owned(),
        admin: "10.77.2.12:15090".to_owned(),
        tunnels: Ok(tunnels.iter().map(tunnel).collect()),
    }
}

fn refused(resource: &str, cause: Cause) -> Unread {
    Unread {
        resource: resource.to_owned(),
        cause,
        message: "no".to_owned(),
    }
}

/// The cases whose objects are in a file of their own, and whether nothing is wrong in them.
const FILES: [(&str, bool); 8] = [
    ("dead-peer", false),
    ("peer-controller-gone", false),
    ("rejected-payload", false),
    ("conflicts", false),
    ("gateways-not-programmed", false),
    ("gateways-unknown", false),
    ("not-looked-at", false),
    ("credential-expires", true),
];

/// What makes a case of the live pair.
type Change = fn(&mut Seen);

/// The cases that differ from the live pair in something else than an object, and whether nothing is wrong in them.
fn changes() -> Vec<(&'static str, Change, bool)> {
    vec![
        ("live-pair", |_| {}, true),
        ("no-peers", no_peers, true),
        (
            "no-controller",
            |seen| seen.lease = lease_renewed(3_600),
            false,
        ),
        (
            "never-a-controller",
            |seen| seen.lease = Lease::Absent,
            false,
        ),
        ("dead-tunnel", dead_tunnel, false),
        ("gateways-out-of-reach", out_of_reach, true),
        ("forbidden", forbidden, false),
        ("not-installed", not_installed, false),
    ]
}

fn no_peers(seen: &mut Seen) {
    seen.snapshot.cluster_peers.clear();
    seen.snapshot.mcs_imports.clear();
    seen.gateways.clear();
}

fn dead_tunnel(seen: &mut Seen) {
    let tunnels = [("business", "down", 0.0), ("default", "recovering", 0.0)];
    seen.gateways = vec![gateway(&tunnels)];
}

fn out_of_reach(seen: &mut Seen) {
    for gateway in &mut seen.gateways {
        gateway.tunnels = Err("Connection refused".to_owned());
    }
}

fn forbidden(seen: &mut Seen) {
    seen.snapshot.cluster_peers.clear();
    seen.lease = Lease::Unread;
    seen.unread = vec![
        refused("clusterpeers.mc-wan.l7mp.io", Cause::Forbidden),
        refused("wanpolicies.mc-wan.l7mp.io", Cause::Forbidden),
        refused("leases.coordination.k8s.io", Cause::Forbidden),
    ];
}

fn not_installed(seen: &mut Seen) {
    *seen = Seen {
        context: "east".to_owned(),
        unread: vec![
            refused("clusterpeers.mc-wan.l7mp.io", Cause::NotServed),
            refused("clusterproperties.about.k8s.io", Cause::NotServed),
            refused("gateways.gateway.networking.k8s.io", Cause::NotServed),
        ],
        ..Seen::default()
    };
}

/// All cases, and whether nothing is wrong in them.
fn cases() -> Vec<(&'static str, Seen, bool)> {
    let changed = changes().into_iter().map(|(name, change, ok)| {
        let mut seen = seen(None);
        change(&mut seen);
        (name, seen, ok)
    });
    let files = FILES.map(|(name, ok)| (name, seen(Some(name)), ok));
    changed.chain(files).collect()
}

#[test]
fn golden_reports_say_what_the_files_say() {
    let update = std::env::var_os("UPDATE").is_some_and(|v| v == "1");
    let mut wrong = Vec::new();
    for (name, seen, ok) in cases() {
        let report = report(&seen, now());
        let shown = text(&report);
        assert_eq!(report.ok, ok, "{name}\n{shown}");
        let json = serde_json::to_string_pretty(&report).unwrap();
        for (suffix, content) in [("out", shown), ("json", json + "\n")] {
            let golden = input(&format!("{name}.{suffix}"));
            if update {
                std::fs::write(&golden, content).unwrap();
            } else if std::fs::read_to_string(&golden).unwrap_or_default() != content {
                wrong.push(format!("{name}.{suffix}:\n{content}"));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{}\nUPDATE=1 writes the golden files anew",
        wrong.join("\n")
    );
}

#[test]
fn golden_files_all_belong_to_a_case() {
    let names: Vec<&str> = cases().iter().map(|(name, ..)| *name).collect();
    for entry in std::fs::read_dir(input("")).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(stem == "base" || names.contains(&stem.as_str()), "{stem}");
    }
}

#[test]
fn nothing_that_a_missing_controller_wrote_is_shown_as_news() {
    let mut seen = seen(None);
    seen.lease = lease_renewed(3_600);
    let report = report(&seen, now());
    let facts = |report: &Report| {
        let peers = report
            .peers
            .iter()
            .flat_map(|p| [p.connected.clone(), p.synced.clone()]);
        let exports = report
            .exports
            .iter()
            .flat_map(|e| [e.valid.clone(), e.ready.clone()]);
        peers.chain(exports).flatten().collect::<Vec<_>>()
    };
    assert!(!facts(&report).is_empty());
    assert!(facts(&report).iter().all(|fact| fact.outdated));
    assert!(!text(&report).contains("yes 5m"));
}

#[test]
fn a_peer_of_which_nothing_is_known_is_not_a_living_peer() {
    for status in ["Unknown", "False", ""] {
        let mut seen = seen(None);
        for peer in seen.snapshot.cluster_peers.values_mut() {
            let peer = std::sync::Arc::make_mut(peer);
            let conditions = peer.status.as_mut().unwrap().conditions.as_mut().unwrap();
            for condition in conditions.iter_mut() {
                condition.status = status.to_owned();
            }
        }
        assert!(!report(&seen, now()).ok, "{status}");
    }
}

#[test]
fn time_alone_changes_nothing_that_a_watch_would_print() {
    let before = report(&seen(None), now()).timeless();
    let mut later = seen(None);
    later.lease = lease_renewed(-6);
    assert_eq!(report(&later, now() + 9.seconds()).timeless(), before);
    let dead = report(&seen(Some("dead-peer")), now()).timeless();
    assert_ne!(dead, before);
}

#[test]
fn a_clock_behind_the_clusters_makes_no_negative_ages() {
    let report = report(&seen(None), now() - 48.hours());
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["peers"][0]["connected"]["ageSeconds"], 0);
    assert!(
        !serde_json::to_string(&report)
            .unwrap()
            .contains("Seconds\":-")
    );
}

#[test]
fn no_line_is_wider_than_a_screen_can_take() {
    for (name, seen, _) in cases() {
        for line in text(&report(&seen, now()))
            .lines()
            .filter(|l| !l.starts_with("    hint"))
        {
            assert!(line.chars().count() <= 160, "{name}: {line}");
        }
    }
}
