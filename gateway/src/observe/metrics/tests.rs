use mcwan_routing::failure::Failure;
use mcwan_routing::spec::WanClass;
use mcwan_telemetry::metrics::Metrics;

use crate::observe::Observer;
use crate::observe::fixture::{attempt, local, request, tunnel};

fn observer() -> (Observer, Metrics) {
    let metrics = Metrics::new("mcwan-test", "0").unwrap();
    (Observer::new("cluster-2", None, &metrics).unwrap(), metrics)
}

/// The value of a series, by its name and labels as they are written.
fn value(metrics: &Metrics, series: &str) -> Option<f64> {
    let text = metrics.encode().unwrap();
    let line = text.lines().find_map(|l| l.strip_prefix(series));
    line.map(|rest| rest.trim().parse().unwrap())
}

const TUNNELLED: &str = r#"destination_cluster="cluster-1",destination_service_name="payment",destination_service_namespace="secure""#;

#[test]
fn a_tunnelled_request_is_counted_with_its_policy() {
    let (observer, metrics) = observer();
    let request = request();
    (0..3).for_each(|_| observer.completed(&request.completed()));
    let requests = format!(
        r#"mcwan_requests_total{{{TUNNELLED},outcome="answered",response_code="200",source_cluster="cluster-2",tunnel="business-class",wan_policy="business"}}"#
    );
    assert_eq!(
        value(&metrics, &requests),
        Some(3.0),
        "{}",
        metrics.encode().unwrap()
    );
    let rest = r#"source_cluster="cluster-2",tunnel="business-class",wan_policy="business"}"#;
    let duration =
        format!(r#"mcwan_request_duration_seconds_count{{{TUNNELLED},outcome="answered",{rest}"#);
    assert_eq!(value(&metrics, &duration), Some(3.0));
    let sent = format!("mcwan_response_body_bytes_total{{{TUNNELLED},{rest}");
    assert_eq!(value(&metrics, &sent), Some(3072.0));
}

#[test]
fn a_request_without_a_rule_has_no_destination() {
    let (observer, metrics) = observer();
    let mut request = request();
    request.rule = None;
    request.attempts = Vec::new();
    request.status = 404;
    request.failure = Some(Failure::NoRule);
    observer.completed(&request.completed());
    let series = r#"mcwan_requests_total{destination_cluster="",destination_service_name="",destination_service_namespace="",outcome="no_rule",response_code="404",source_cluster="cluster-2",tunnel="",wan_policy=""}"#;
    assert_eq!(value(&metrics, series), Some(1.0));
}

#[test]
fn a_failover_is_counted_between_policies_and_not_between_endpoints() {
    let (observer, metrics) = observer();
    let mut request = request();
    request.attempts = vec![
        attempt(&tunnel("business"), 0, 0, "connect"),
        attempt(&tunnel("business"), 0, 0, "reset"),
        attempt(&tunnel("default"), 1, 0, "timeout"),
        attempt(&local(), 2, 200, ""),
    ];
    observer.completed(&request.completed());
    let failover = |from, to, reason| {
        let series = format!(
            r#"mcwan_failovers_total{{from_policy="{from}",reason="{reason}",to_policy="{to}"}}"#
        );
        value(&metrics, &series)
    };
    assert_eq!(failover("business", "default", "reset"), Some(1.0));
    assert_eq!(failover("default", "", "timeout"), Some(1.0));
    assert_eq!(failover("business", "business", "connect"), None);
    let attempts = format!(
        r#"mcwan_attempts_total{{{TUNNELLED},reason="connect",source_cluster="cluster-2",tunnel="business-class",wan_policy="business"}}"#
    );
    assert_eq!(value(&metrics, &attempts), Some(1.0));
}

#[test]
fn a_source_cluster_that_nobody_knows_is_not_a_label() {
    let (observer, metrics) = observer();
    let mut request = request();
    for source in ["cluster-3", "made-up-1", "made-up-2"] {
        request.source = Some(source);
        observer.know_clusters(["cluster-2", "cluster-3"]);
        observer.completed(&request.completed());
    }
    let text = metrics.encode().unwrap();
    assert!(!text.contains("made-up"), "{text}");
    let of = |source| {
        let line = text.lines().find(|l| {
            l.starts_with("mcwan_requests_total")
                && l.contains(&format!("source_cluster=\"{source}\""))
        });
        line.and_then(|l| l.rsplit(' ').next()).map(str::to_owned)
    };
    assert_eq!(of("cluster-3").as_deref(), Some("1"));
    assert_eq!(of("unknown").as_deref(), Some("2"));
}

#[test]
fn two_tables_count_in_the_same_series() {
    let (observer, metrics) = observer();
    observer.completed(&request().completed());
    // The same rule in the next table: a new, empty cache.
    observer.completed(&request().completed());
    let text = metrics.encode().unwrap();
    let totals: Vec<_> = text
        .lines()
        .filter(|l| l.starts_with("mcwan_requests_total{"))
        .collect();
    assert_eq!(totals.len(), 1, "{totals:?}");
    assert!(totals[0].ends_with(" 2"), "{totals:?}");
}

#[test]
fn nothing_that_a_client_chose_is_a_label() {
    let (observer, metrics) = observer();
    let mut request = request();
    request.path = b"/chosen-by-client".to_vec();
    request.user_agent = b"chosen-by-client".to_vec();
    observer.completed(&request.completed());
    assert!(!metrics.encode().unwrap().contains("chosen"));
}

#[test]
fn one_rule_behind_two_listeners_of_the_wan_counts_for_the_policy_of_each() {
    let (observer, metrics) = observer();
    for (policy, port) in [("business", 31_111), ("default", 31_112)] {
        let mut request = request();
        request.attempts = vec![attempt(&local(), 0, 200, "")];
        request.wan = Some(WanClass {
            policy: policy.to_owned(),
            class: policy.to_owned(),
            dscp: None,
        });
        request.port = port;
        observer.completed(&request.completed());
    }
    let text = metrics.encode().unwrap();
    for family in ["mcwan_requests_total{", "mcwan_attempts_total{"] {
        for policy in ["business", "default"] {
            let policy = format!("wan_policy=\"{policy}\"");
            let series = |l: &&str| l.starts_with(family) && l.contains(&policy);
            assert_eq!(text.lines().filter(series).count(), 1, "{text}");
        }
    }
}

#[test]
fn series_of_a_service_that_left_the_table_are_forgotten_after_a_while() {
    let (observer, metrics) = observer();
    observer.completed(&request().completed());
    let mut unrouted = request();
    unrouted.rule = None;
    unrouted.attempts = Vec::new();
    observer.completed(&unrouted.completed());
    let count = || {
        let text = metrics.encode().unwrap();
        let of_requests = |l: &&str| !l.starts_with('#') && l.contains("source_cluster");
        text.lines().filter(of_requests).count()
    };
    let before = count();
    let empty = crate::live::Live::default();
    observer.forget_departed(&empty, std::time::Duration::ZERO);
    assert_eq!(count(), before);
    observer.forget_departed(&empty, std::time::Duration::from_secs(3600));
    let text = metrics.encode().unwrap();
    assert!(!text.contains("payment"), "{text}");
    assert!(count() > 0, "requests without a rule are still counted");
}
