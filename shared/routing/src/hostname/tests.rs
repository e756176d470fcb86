use super::{HostPattern, HostRank, HostnameError, normalize_host};
use std::borrow::Cow;

fn pattern(hostname: &str) -> HostPattern {
    HostPattern::parse(hostname).unwrap()
}

#[test]
fn names_and_leading_wildcards_parse_in_lower_case() {
    assert_eq!(
        pattern("A.Example.COM"),
        HostPattern::Exact("a.example.com".into())
    );
    assert_eq!(
        pattern("*.Example.com"),
        HostPattern::Wildcard("example.com".into())
    );
    assert_eq!(pattern("localhost"), HostPattern::Exact("localhost".into()));
    assert_eq!(pattern("1.example"), HostPattern::Exact("1.example".into()));
}

#[test]
fn what_rfc_1123_forbids_is_an_error() {
    let long_label = format!("{}.com", "a".repeat(64));
    let long_name = "a.".repeat(130) + "com";
    for (hostname, want) in [
        ("", HostnameError::Empty),
        ("*.", HostnameError::Empty),
        ("*", HostnameError::Wildcard),
        ("a.*.com", HostnameError::Wildcard),
        ("*.*.com", HostnameError::Wildcard),
        ("f*.com", HostnameError::Wildcard),
        ("10.0.0.1", HostnameError::Address),
        ("::1", HostnameError::Address),
        ("example.com.", HostnameError::Label),
        (".example.com", HostnameError::Label),
        ("a..com", HostnameError::Label),
        ("-a.com", HostnameError::Label),
        ("a-.com", HostnameError::Label),
        ("a_b.com", HostnameError::Label),
        ("bücher.example", HostnameError::Label),
        ("example.com:80", HostnameError::Label),
        (long_label.as_str(), HostnameError::Label),
        (long_name.as_str(), HostnameError::TooLong),
    ] {
        assert_eq!(HostPattern::parse(hostname), Err(want), "{hostname}");
    }
}

#[test]
fn a_wildcard_covers_one_or_more_labels_but_not_none() {
    let wildcard = pattern("*.bar.com");
    for (host, want) in [
        ("foo.bar.com", true),
        ("a.b.c.bar.com", true),
        ("bar.com", false),
        (".bar.com", false),
        ("foobar.com", false),
        ("foo.bar.com.evil", false),
        ("", false),
    ] {
        assert_eq!(wildcard.matches(host), want, "{host}");
    }
    assert!(HostPattern::Any.matches(""));
    assert!(pattern("bar.com").matches("bar.com"));
    assert!(!pattern("bar.com").matches("foo.bar.com"));
}

#[test]
fn exact_ranks_before_longer_before_shorter_wildcard_before_any() {
    let ranks: Vec<HostRank> = ["x.y.example.com", "*.y.example.com", "*.example.com"]
        .map(|h| pattern(h).rank())
        .into_iter()
        .chain([HostPattern::Any.rank()])
        .collect();
    assert!(ranks.is_sorted_by(|a, b| a < b), "{ranks:?}");
}

#[test]
fn intersection_is_symmetric_and_by_labels() {
    for (a, b, want) in [
        ("a.com", "a.com", true),
        ("a.com", "b.com", false),
        ("*.com", "a.com", true),
        ("*.a.com", "a.com", false),
        ("*.a.com", "*.com", true),
        ("*.a.com", "*.a.com", true),
        ("*.a.com", "*.ba.com", false),
        ("*.a.com", "*.b.com", false),
    ] {
        let (a, b) = (pattern(a), pattern(b));
        assert_eq!(a.intersects(&b), want, "{a} {b}");
        assert_eq!(b.intersects(&a), want, "{b} {a}");
        assert!(a.intersects(&HostPattern::Any));
    }
}

#[test]
fn a_host_loses_port_trailing_dot_and_upper_case() {
    for (authority, want) in [
        ("example.com", "example.com"),
        ("example.com:8080", "example.com"),
        ("example.com:", "example.com"),
        ("example.com.", "example.com"),
        ("Example.COM.:80", "example.com"),
        ("[::1]:80", "[::1]"),
        ("[FE80::1]", "[fe80::1]"),
        ("[::1", "[::1"),
        ("::1", "::1"),
        ("", ""),
        (":80", ""),
    ] {
        assert_eq!(normalize_host(authority), want, "{authority}");
    }
}

#[test]
fn a_normal_host_is_not_copied() {
    assert!(matches!(normalize_host("example.com:80"), Cow::Borrowed(_)));
    assert!(matches!(normalize_host("example.com."), Cow::Borrowed(_)));
}
