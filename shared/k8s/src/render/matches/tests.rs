use mcwan_gateway_api::httproutes::HttpRouteRulesMatches;
use serde_json::{Value, json};

use super::mistake;

fn wrong(value: Value) -> bool {
    let one: HttpRouteRulesMatches = serde_json::from_value(value).unwrap();
    mistake(&one).is_some()
}

fn path(kind: &str, value: &str) -> bool {
    wrong(json!({ "path": { "type": kind, "value": value } }))
}

#[test]
fn ordinary_matches_pass() {
    assert!(!wrong(json!({})));
    assert!(!wrong(json!({ "method": "GET", "path": {} })));
    for value in ["/", "/a/b.c", "/a%20b", "/..a", "/a../b", "/~x;y=(1)"] {
        assert!(!path("PathPrefix", value), "{value}");
    }
    assert!(!path("RegularExpression", "^[a-z]+//.*$"));
}

#[test]
fn paths_that_no_route_may_have_are_found() {
    for value in [
        "", "a", "//", "/a//b", "/./a", "/a/..", "/a/.", "/a%2Fb", "/a%2fb", "/a#b", "/a b", "/%4",
        "/%zz", "/é", "/a?b",
    ] {
        assert!(path("Exact", value), "{value}");
        assert!(path("PathPrefix", value), "{value}");
    }
    assert!(path("Exact", &format!("/{}", "a".repeat(1024))));
    assert!(!path("Exact", &format!("/{}", "a".repeat(1023))));
    assert!(path("RegularExpression", &"a".repeat(1025)));
}

#[test]
fn headers_and_query_parameters_have_names_and_values_each_once() {
    let pair = |name: &str, value: &str| json!({ "name": name, "value": value });
    let headers = |pairs: Vec<Value>| wrong(json!({ "headers": pairs }));
    let queries = |pairs: Vec<Value>| wrong(json!({ "queryParams": pairs }));
    assert!(!headers(vec![pair("x-a", "1"), pair("x-b", "1")]));
    assert!(headers(vec![pair("x-a", "1"), pair("X-A", "2")]));
    assert!(headers(vec![pair("x a", "1")]));
    assert!(headers(vec![pair("", "1")]));
    assert!(headers(vec![pair("a", "")]));
    assert!(headers(vec![pair("a", &"x".repeat(4097))]));
    assert!(headers(
        (0..17).map(|i| pair(&format!("h{i}"), "1")).collect()
    ));
    assert!(!headers(
        (0..16).map(|i| pair(&format!("h{i}"), "1")).collect()
    ));
    assert!(!queries(vec![pair("a", "1"), pair("A", "2")]));
    assert!(queries(vec![pair("a", &"x".repeat(1025))]));
}
