use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::manifest;
use crate::problem::Severity;

fn snapshot(text: &str) -> ClusterSnapshot {
    let manifest = manifest::parse(text.as_bytes());
    assert_eq!(
        (&manifest.errors, &manifest.warnings),
        (&vec![], &vec![]),
        "{text}"
    );
    ClusterSnapshot::new("c").with(manifest.objects.into_iter().map(|p| p.object))
}

/// A policy of this name, with its spec and the rest of its metadata in flow style.
fn policy(name: &str, spec: &str, metadata: &str) -> String {
    format!(
        "apiVersion: mc-wan.l7mp.io/v1alpha1\nkind: WANPolicy\nmetadata: {{name: {name}{metadata}}}\nspec: {{{spec}}}\n---\n"
    )
}

/// A policy with a port and more of its spec.
fn on_port(name: &str, port: u16, rest: &str) -> String {
    policy(name, &format!("tunnel: t, port: {port}{rest}"), "")
}

/// Problems as `name field reason`.
fn shown(problems: &[Problem]) -> Vec<String> {
    problems
        .iter()
        .map(|p| format!("{} {} {}", p.object.name, p.field, p.reason))
        .collect()
}

/// The one policy of a spec, and its problems.
fn one(rest: &str) -> (Accepted, Vec<String>) {
    let (mut policies, problems) = accepted(&snapshot(&on_port("p", 31111, rest)));
    assert_eq!(policies.len(), 1, "{rest}");
    (policies.remove(0), shown(&problems))
}

#[test]
fn the_seed_policies_have_the_defaults() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../config/samples/wanpolicy.yaml");
    let (policies, problems) = accepted(&snapshot(&std::fs::read_to_string(path).unwrap()));
    assert_eq!(problems, []);
    let expected = Accepted {
        name: "sd-wan-priority-high".to_owned(),
        port: 31111,
        tunnel: "business".to_owned(),
        dscp: None,
        fallback: vec![],
        hold_down: Duration::from_secs(60),
        max_hold_down: Duration::from_secs(1200),
        connections: Connections {
            min: 1,
            max: 4,
            max_age: Duration::from_secs(600),
            max_streams: 100,
        },
        is_default: false,
    };
    assert_eq!(policies[0], expected);
    assert_eq!(
        (policies[1].port, policies[1].tunnel.as_str()),
        (31112, "default")
    );
}

#[test]
fn code_points_are_those_of_the_rfcs() {
    for (text, code) in [
        ("EF", Some(46)),
        ("VA", Some(44)),
        ("AF11", Some(10)),
        ("AF21", Some(18)),
        ("AF43", Some(38)),
        ("CS0", Some(0)),
        ("CS5", Some(40)),
        ("LE", Some(1)),
        ("0", Some(0)),
        ("63", Some(63)),
        ("48", None),
        ("56", None),
        ("64", None),
        ("-1", None),
        ("CS6", None),
        ("CS7", None),
        ("AF14", None),
        ("AF51", None),
        ("AF01", None),
        ("AF10", None),
        ("ef", None),
        ("'46'", None),
        ("CS", None),
        ("CSé", None),
    ] {
        let (policy, problems) = one(&format!(", dscp: {text}"));
        assert_eq!(policy.dscp, code, "{text}");
        let expected: &[&str] = if code.is_some() {
            &[]
        } else {
            &["p spec.dscp InvalidDSCP"]
        };
        assert_eq!(problems, expected, "{text}");
    }
}

#[test]
fn a_port_or_tunnel_that_cannot_be_is_not_accepted() {
    for (spec, problem) in [
        ("tunnel: t, port: 1023", "p spec.port InvalidPort"),
        ("tunnel: t, port: 0", "p spec.port InvalidPort"),
        ("tunnel: t, port: -1", "p spec.port InvalidPort"),
        ("tunnel: t, port: 65536", "p spec.port InvalidPort"),
        ("tunnel: T, port: 31111", "p spec.tunnel InvalidTunnel"),
        ("tunnel: '', port: 31111", "p spec.tunnel InvalidTunnel"),
    ] {
        let (policies, problems) = accepted(&snapshot(&policy("p", spec, "")));
        assert_eq!(
            (policies, shown(&problems)),
            (vec![], vec![problem.to_owned()]),
            "{spec}"
        );
    }
}

#[test]
fn ports_from_1024_to_65535_are_accepted_and_those_of_clients_are_warned_of() {
    for (port, warned) in [
        (1024, false),
        (32767, false),
        (32768, true),
        (60999, true),
        (61000, false),
        (65535, false),
    ] {
        let (policies, problems) = accepted(&snapshot(&on_port("p", port, "")));
        assert_eq!(
            (policies.len(), !problems.is_empty()),
            (1, warned),
            "{port}"
        );
        assert!(
            problems
                .iter()
                .all(|p| p.severity == Severity::Warning && p.reason == "ClientPort")
        );
    }
}

#[test]
fn the_oldest_keeps_a_port_then_the_first_by_name() {
    let at = |time: &str| format!(", creationTimestamp: '2026-01-0{time}T00:00:00Z'");
    let spec = "tunnel: t, port: 31111";
    for (a, b, kept) in [("2", "1", "b"), ("1", "2", "a"), ("1", "1", "a")] {
        let text = policy("a", spec, &at(a)) + &policy("b", spec, &at(b));
        let (policies, problems) = accepted(&snapshot(&text));
        let lost = if kept == "a" { "b" } else { "a" };
        assert_eq!(
            policies.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(),
            [kept]
        );
        assert_eq!(shown(&problems), [format!("{lost} spec.port PortConflict")]);
        assert_eq!(problems[0].severity, Severity::Error);
    }
}

#[test]
fn fallbacks_that_cannot_be_used_are_left_out() {
    let text = on_port("a", 31111, ", failover: {fallback: [a, b, nobody, b, c]}")
        + &on_port("b", 31112, "")
        + &on_port("c", 31112, "");
    let (policies, problems) = accepted(&snapshot(&text));
    assert_eq!(policies[0].fallback, ["b"]);
    assert_eq!(
        shown(&problems),
        [
            "a spec.failover.fallback[0] InvalidFallback",
            "a spec.failover.fallback[2] InvalidFallback",
            "a spec.failover.fallback[3] InvalidFallback",
            "a spec.failover.fallback[4] InvalidFallback",
            "c spec.port PortConflict",
        ]
    );
}

#[test]
fn the_entry_that_closes_a_cycle_is_left_out() {
    let text = on_port("a", 31111, ", failover: {fallback: [b]}")
        + &on_port("b", 31112, ", failover: {fallback: [c]}")
        + &on_port("c", 31113, ", failover: {fallback: [a]}");
    let (policies, problems) = accepted(&snapshot(&text));
    let fallbacks: Vec<_> = policies.iter().map(|p| p.fallback.concat()).collect();
    assert_eq!(fallbacks, ["b", "c", ""]);
    assert_eq!(
        shown(&problems),
        ["c spec.failover.fallback[0] InvalidFallback"]
    );
    assert!(problems[0].message.contains("cycle"));
}

#[test]
fn at_most_four_fallbacks_are_taken() {
    let mut text = on_port("a", 31000, ", failover: {fallback: [b, c, d, e, f]}");
    for (i, name) in ["b", "c", "d", "e", "f"].into_iter().enumerate() {
        text += &on_port(name, 31001 + u16::try_from(i).unwrap(), "");
    }
    let (policies, problems) = accepted(&snapshot(&text));
    assert_eq!(policies[0].fallback, ["b", "c", "d", "e"]);
    assert_eq!(
        shown(&problems),
        ["a spec.failover.fallback[4] InvalidFallback"]
    );
}

#[test]
fn hold_downs_are_read_and_what_is_wrong_is_replaced_by_the_default() {
    let seconds = |p: &Accepted| (p.hold_down.as_secs(), p.max_hold_down.as_secs());
    for (failover, expected, problem) in [
        ("holdDown: 10s", (10, 1200), None),
        ("holdDown: 1m30s, maxHoldDown: 1h", (90, 3600), None),
        ("holdDown: 30m", (1800, 1800), None),
        ("holdDown: 0s", (0, 1200), None),
        (
            "holdDown: soon",
            (60, 1200),
            Some("p spec.failover.holdDown InvalidValue"),
        ),
        (
            "holdDown: 25h",
            (60, 1200),
            Some("p spec.failover.holdDown InvalidValue"),
        ),
        (
            "holdDown: 2m, maxHoldDown: 1m",
            (120, 1200),
            Some("p spec.failover.maxHoldDown InvalidValue"),
        ),
    ] {
        let (policy, problems) = one(&format!(", failover: {{{failover}}}"));
        assert_eq!(seconds(&policy), expected, "{failover}");
        assert_eq!(
            problems,
            problem.into_iter().collect::<Vec<_>>(),
            "{failover}"
        );
    }
}

#[test]
fn connections_are_read_within_their_limits() {
    for (connections, expected, problem) in [
        (
            "min: 2, max: 8, maxAge: 1h, maxStreams: 7",
            (2, 8, 3600, 7),
            None,
        ),
        ("min: 0", (0, 4, 600, 100), None),
        (
            "max: 65",
            (1, 4, 600, 100),
            Some("p spec.connections.max InvalidValue"),
        ),
        (
            "max: 0",
            (1, 4, 600, 100),
            Some("p spec.connections.max InvalidValue"),
        ),
        (
            "min: 5",
            (1, 4, 600, 100),
            Some("p spec.connections.min InvalidValue"),
        ),
        (
            "min: -1",
            (1, 4, 600, 100),
            Some("p spec.connections.min InvalidValue"),
        ),
        (
            "maxAge: 9s",
            (1, 4, 600, 100),
            Some("p spec.connections.maxAge InvalidValue"),
        ),
        (
            "maxStreams: 1001",
            (1, 4, 600, 100),
            Some("p spec.connections.maxStreams InvalidValue"),
        ),
    ] {
        let (policy, problems) = one(&format!(", connections: {{{connections}}}"));
        let c = policy.connections;
        assert_eq!(
            (c.min, c.max, c.max_age.as_secs(), c.max_streams),
            expected,
            "{connections}"
        );
        assert_eq!(
            problems,
            problem.into_iter().collect::<Vec<_>>(),
            "{connections}"
        );
    }
}

/// The YAML of each field, and its path.
#[test]
fn every_field_that_does_nothing_yet_is_told_once() {
    for (yaml, path) in [
        ("sla: {latency-ms: 100}", "spec.sla.latency-ms"),
        ("sla: {jitter-ms: 50}", "spec.sla.jitter-ms"),
        ("sla: {loss-percent: 1.5}", "spec.sla.loss-percent"),
        ("priority: 100", "spec.priority"),
        ("failover: {on: [Down]}", "spec.failover.on"),
        (
            "failover: {whenNoneMeets: BestPath}",
            "spec.failover.whenNoneMeets",
        ),
        ("failover: {clearPercent: 80}", "spec.failover.clearPercent"),
        ("failover: {drain: 30s}", "spec.failover.drain"),
        ("probe: {protocol: STAMP}", "spec.probe.protocol"),
        ("probe: {interval: 100ms}", "spec.probe.interval"),
        ("probe: {timeout: 1s}", "spec.probe.timeout"),
        ("probe: {window: 100}", "spec.probe.window"),
        ("probe: {latencyWindow: 20}", "spec.probe.latencyWindow"),
        ("probe: {downAfter: 3}", "spec.probe.downAfter"),
        ("probe: {upAfter: 5}", "spec.probe.upAfter"),
        ("capacity: {mbps: 100}", "spec.capacity.mbps"),
        ("cost: {perGiB: 0.1}", "spec.cost.perGiB"),
        ("cost: {monthlyQuotaGiB: 10}", "spec.cost.monthlyQuotaGiB"),
        ("providerRef: {name: wan}", "spec.providerRef"),
    ] {
        let (policies, problems) = accepted(&snapshot(&on_port("p", 31111, &format!(", {yaml}"))));
        assert_eq!(shown(&problems), [format!("p {path} NotInForceYet")]);
        assert_eq!(
            (policies.len(), problems[0].severity),
            (1, Severity::Warning)
        );
    }
}

#[test]
fn fields_in_force_are_not_told_of() {
    let (_, problems) = one(
        ", dscp: AF21, failover: {holdDown: 1s, maxHoldDown: 2s, fallback: []}, connections: {min: 1, max: 2, maxAge: 1m, maxStreams: 9}",
    );
    assert_eq!(problems, Vec::<String>::new());
}

#[test]
fn one_policy_is_the_default() {
    let mark = |value: &str| format!(", annotations: {{mc-wan.l7mp.io/default: '{value}'}}");
    let text = policy("a", "tunnel: t, port: 31111", &mark("false"))
        + &policy("b", "tunnel: t, port: 31112", &mark("true"))
        + &policy("c", "tunnel: t, port: 31113", &mark("true"))
        + &policy("d", "tunnel: t, port: 31114", &mark("yes"));
    let (policies, problems) = accepted(&snapshot(&text));
    let defaults: Vec<bool> = policies.iter().map(|p| p.is_default).collect();
    assert_eq!(defaults, [false, true, false, false]);
    let field = "metadata.annotations[mc-wan.l7mp.io/default]";
    assert_eq!(
        shown(&problems),
        [
            format!("c {field} DefaultConflict"),
            format!("d {field} InvalidValue")
        ]
    );
}

proptest! {
    /// Whatever policies fall back to, what is accepted is free of cycles and names accepted policies only.
    #[test]
    fn accepted_fallbacks_lead_to_an_end(
        edges in prop::collection::vec(prop::collection::vec(0_usize..8, 0..5), 1..7),
        ports in prop::collection::vec(31000_u16..31006, 7),
    ) {
        let mut text = String::new();
        for (i, to) in edges.iter().enumerate() {
            let to: Vec<String> = to.iter().map(|n| format!("p{n}")).collect();
            text += &on_port(&format!("p{i}"), ports[i], &format!(", failover: {{fallback: [{}]}}", to.join(", ")));
        }
        let (policies, _) = accepted(&snapshot(&text));
        let find = |name: &str| policies.iter().find(|p| p.name == name);
        for policy in &policies {
            let mut level: Vec<&str> = vec![&policy.name];
            for _ in 0..=policies.len() {
                level = level.iter().flat_map(|n| &find(n).unwrap().fallback).map(String::as_str).collect();
                level.sort_unstable();
                level.dedup();
            }
            prop_assert!(level.is_empty(), "{:?}", policies);
            prop_assert_eq!(policies.iter().filter(|p| p.port == policy.port).count(), 1);
        }
    }
}
