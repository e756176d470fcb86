use mcwan_routing::spec::WanClass;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::observe::fixture::{Request, attempt, local, request, tunnel};

fn line(request: &Request) -> Value {
    let mut out = Vec::new();
    let completed = request.completed();
    write(
        &mut out,
        "cluster-2",
        &completed,
        Outcome::of(completed.failure),
    );
    assert_eq!(out.pop(), Some(b'\n'));
    assert!(!out.contains(&b'\n'));
    serde_json::from_slice(&out).unwrap()
}

#[test]
fn a_tunnelled_request_names_everything() {
    let expected = json!({
        "start_time": "2023-11-14T22:13:20.000Z",
        "method": "GET",
        "path": "/payment?id=1",
        "protocol": "HTTP/1.1",
        "response_code": 200,
        "response_flags": "-",
        "authority": "payment.secure.svc.clusterset.local",
        "bytes_received": 11,
        "bytes_sent": 1024,
        "duration": 12.345,
        "user_agent": "curl/8",
        "request_id": "00000000-0000-4009-8000-000000000009",
        "downstream_remote_address": "127.0.0.1:40000",
        "downstream_local_address": "127.0.0.2:10080",
        "upstream_host": "10.0.0.1:31111",
        "upstream_cluster": "mc-wan/mc-wan-cluster-1-target:31111",
        "trace_id": "00000000000000070000000000000007",
        "span_id": "0000000000000007",
        "parent_span_id": null,
        "role": "egress",
        "route_name": "mc-wan/payment-secure",
        "rule": "mc-wan/payment-secure/3",
        "source_cluster": "cluster-2",
        "destination_cluster": "cluster-1",
        "destination_service_name": "payment",
        "destination_service_namespace": "secure",
        "wan_policy": "business",
        "tunnel": "business-class",
        "outcome": "answered",
        "attempts": [{
            "policy": "business",
            "cluster": "cluster-1",
            "address": "10.0.0.1:31111",
            "duration_ms": 12.0,
            "status": 200,
            "reason": "",
        }],
    });
    assert_eq!(line(&request()), expected);
}

#[test]
fn a_request_without_a_rule_says_so() {
    let mut request = request();
    request.rule = None;
    request.attempts = Vec::new();
    request.status = 404;
    request.failure = Some(mcwan_routing::failure::Failure::NoRule);
    let line = line(&request);
    for absent in [
        "rule",
        "route_name",
        "upstream_host",
        "upstream_cluster",
        "destination_cluster",
        "destination_service_name",
        "wan_policy",
        "tunnel",
    ] {
        assert_eq!(line[absent], Value::Null, "{absent}");
    }
    assert_eq!(line["outcome"], "no_rule");
    assert_eq!(line["response_flags"], "NR");
    assert_eq!(line["attempts"], json!([]));
}

#[test]
fn a_failover_shows_each_attempt_and_the_last_as_destination() {
    let mut request = request();
    request.attempts = vec![
        attempt(&tunnel("business"), 0, 0, "connect"),
        attempt(&tunnel("default"), 1, 503, "retry_status"),
        attempt(&local(), 2, 200, ""),
    ];
    let line = line(&request);
    let told: Vec<_> = (0..3)
        .map(|i| &line["attempts"][i])
        .map(|a| {
            (
                a["policy"].as_str(),
                a["cluster"].as_str().unwrap(),
                a["reason"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (Some("business"), "cluster-1", "connect"),
            (Some("default"), "cluster-1", "retry_status"),
            (None, "cluster-2", ""),
        ]
    );
    assert_eq!(line["destination_cluster"], "cluster-2");
    assert_eq!(line["wan_policy"], Value::Null);
}

#[test]
fn addresses_of_version_6_are_in_brackets() {
    let mut request = request();
    request.attempts[0].address = Some("[2001:db8::1]:80".parse().unwrap());
    assert_eq!(line(&request)["upstream_host"], "[2001:db8::1]:80");
}

#[test]
fn a_path_without_end_is_cut() {
    let mut request = request();
    request.path = vec![b'a'; 1 << 20];
    let line = line(&request);
    let path = line["path"].as_str().unwrap();
    assert!(
        path.ends_with('…') && path.len() < MAX_PATH + 8,
        "{}",
        path.len()
    );
}

proptest! {
    #[test]
    fn whatever_a_client_sends_the_line_is_json(path: Vec<u8>, user_agent: Vec<u8>, status: u16) {
        let mut request = request();
        request.user_agent = user_agent;
        request.path.clone_from(&path);
        request.status = status;
        let line = line(&request);
        prop_assert_eq!(line["path"].as_str().unwrap(), String::from_utf8_lossy(&path));
        prop_assert_eq!(line["response_code"].as_u64(), Some(u64::from(status)));
    }
}

#[test]
fn on_the_ingress_the_policy_is_that_of_the_listener() {
    let mut request = request();
    request.attempts = vec![attempt(&local(), 0, 200, "")];
    request.wan = Some(WanClass {
        policy: "business".to_owned(),
        class: "business-class".to_owned(),
        dscp: None,
    });
    let line = line(&request);
    assert_eq!(line["wan_policy"], "business");
    assert_eq!(line["tunnel"], "business-class");
    assert_eq!(line["attempts"][0]["policy"], Value::Null);
}
