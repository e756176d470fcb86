use http::{HeaderMap, HeaderValue, Method};

use super::{Cors, HeaderModifier, Preflight};

fn cors(origins: &[&str], credentials: bool) -> Cors {
    let list = |items: &[&str]| items.iter().map(|i| (*i).to_owned()).collect();
    Cors {
        allow_origins: list(origins),
        allow_methods: list(&["GET", "OPTIONS"]),
        allow_headers: list(&["x-header-1", "x-header-2"]),
        expose_headers: list(&["x-header-3", "x-header-4"]),
        allow_credentials: credentials,
        max_age: 3600,
    }
}

fn any(credentials: bool) -> Cors {
    let any = || vec!["*".to_owned()];
    Cors {
        allow_methods: any(),
        allow_headers: any(),
        expose_headers: any(),
        ..cors(&["*"], credentials)
    }
}

fn question(origin: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("origin", origin),
        ("access-control-request-method", "PUT"),
        ("access-control-request-headers", "x-a, x-b"),
    ] {
        headers.insert(name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn ask(cors: &Cors, headers: &HeaderMap) -> Vec<String> {
    lines(&cors.preflight(&Preflight::of(&Method::OPTIONS, headers).unwrap()))
}

/// What is set, as `name: value` without the common front of the names.
fn lines(modifier: &HeaderModifier) -> Vec<String> {
    modifier
        .set
        .iter()
        .map(|(n, v)| {
            format!(
                "{}: {}",
                n.as_str().trim_start_matches("access-control-"),
                v.to_str().unwrap()
            )
        })
        .collect()
}

#[test]
fn origins_match_exactly_or_by_host_wildcard() {
    for (allowed, origin, want) in [
        ("https://www.foo.com", "https://www.foo.com", true),
        ("https://www.foo.com", "https://www.bar.com", false),
        ("https://www.foo.com", "http://www.foo.com", false),
        ("https://www.foo.com", "HTTPS://WWW.foo.com", true),
        ("https://www.foo.com", "https://www.foo.com:443", true),
        ("https://www.foo.com:443", "https://www.foo.com", true),
        ("http://www.foo.com", "http://www.foo.com:8080", false),
        ("http://www.foo.com:8080", "http://www.foo.com:8080", true),
        ("https://*.bar.com", "https://www.bar.com", true),
        ("https://*.bar.com", "https://a.b.bar.com", true),
        ("https://*.bar.com", "https://bar.com", false),
        ("https://*.bar.com", "https://.bar.com", false),
        ("https://*.bar.com", "https://evilbar.com", false),
        ("https://*.bar.com", "https://www.bar.com.evil", false),
        ("https://*", "https://anything", true),
        ("https://*", "http://anything", false),
        ("http://*:8080", "http://x:8080", true),
        ("http://*:8080", "http://x", false),
        ("*", "null", true),
        ("https://www.foo.com", "null", false),
        ("https://www.foo.com", "", false),
    ] {
        let origin = HeaderValue::from_str(origin).unwrap();
        assert_eq!(
            cors(&[allowed], false).allows(&origin),
            want,
            "{allowed} {origin:?}"
        );
    }
}

#[test]
fn a_preflight_is_options_with_origin_and_method() {
    let full = question("https://www.foo.com");
    assert!(Preflight::of(&Method::OPTIONS, &full).is_some());
    assert!(Preflight::of(&Method::GET, &full).is_none());
    for needed in ["origin", "access-control-request-method"] {
        let mut headers = full.clone();
        headers.remove(needed);
        assert!(
            Preflight::of(&Method::OPTIONS, &headers).is_none(),
            "{needed}"
        );
    }
}

#[test]
fn a_preflight_of_an_allowed_origin_hears_everything() {
    let cors = cors(&["https://www.foo.com", "https://*.bar.com"], true);
    let got = ask(&cors, &question("https://xyz.bar.com"));
    let want = [
        "allow-origin: https://xyz.bar.com",
        "allow-credentials: true",
        "allow-methods: GET, OPTIONS",
        "allow-headers: x-header-1, x-header-2",
        "max-age: 3600",
    ];
    assert_eq!(got, want);
}

#[test]
fn a_preflight_of_another_origin_hears_nothing_but_is_told_apart_by_caches() {
    let cors = cors(&["https://www.foo.com"], true);
    let headers = question("https://evil.example");
    let answer = cors.preflight(&Preflight::of(&Method::OPTIONS, &headers).unwrap());
    assert_eq!(lines(&answer), Vec::<String>::new());
    assert_eq!(answer.add.len(), 1);
}

#[test]
fn credentials_are_never_answered_with_a_wildcard() {
    let got = ask(&any(true), &question("https://x.example"));
    let want = [
        "allow-origin: https://x.example",
        "allow-credentials: true",
        "allow-methods: PUT",
        "allow-headers: x-a, x-b",
        "max-age: 3600",
    ];
    assert_eq!(got, want);
    let mut without = question("https://x.example");
    without.remove("access-control-request-headers");
    assert!(
        !ask(&any(true), &without)
            .iter()
            .any(|line| line.starts_with("allow-headers"))
    );
}

#[test]
fn without_credentials_any_origin_is_a_wildcard() {
    let answer = ask(&any(false), &question("https://x.example"));
    assert_eq!(answer[0], "allow-origin: *");
    assert!(!answer.iter().any(|line| line.contains("credentials")));
    let response = any(false).response(
        Some(&HeaderValue::from_static("https://x.example")),
        &HeaderMap::new(),
    );
    assert_eq!(lines(&response), ["allow-origin: *", "expose-headers: *"]);
    assert!(response.add.is_empty());
}

#[test]
fn an_answer_is_marked_for_its_origin_and_the_backends_words_are_replaced() {
    let mut backend = HeaderMap::new();
    backend.insert(
        "access-control-allow-origin",
        HeaderValue::from_static("https://other.example"),
    );
    backend.insert(
        "access-control-allow-credentials",
        HeaderValue::from_static("true"),
    );
    backend.insert("vary", HeaderValue::from_static("Accept"));
    let cors = cors(&["https://www.foo.com"], false);
    let origin = HeaderValue::from_static("https://www.foo.com");
    let mut headers = backend.clone();
    cors.response(Some(&origin), &backend).apply(&mut headers);
    assert_eq!(
        headers["access-control-allow-origin"],
        "https://www.foo.com"
    );
    assert_eq!(
        headers["access-control-expose-headers"],
        "x-header-3, x-header-4"
    );
    assert!(!headers.contains_key("access-control-allow-credentials"));
    let vary: Vec<_> = headers.get_all("vary").iter().collect();
    assert_eq!(vary, ["Accept", "Origin"]);
    let refused = HeaderValue::from_static("https://evil.example");
    for origin in [Some(&refused), None] {
        let mut headers = backend.clone();
        cors.response(origin, &backend).apply(&mut headers);
        assert!(
            !headers
                .keys()
                .any(|name| name.as_str().starts_with("access-control-")),
            "{headers:?}"
        );
    }
}

#[test]
fn with_credentials_exposed_names_are_listed() {
    let mut backend = HeaderMap::new();
    backend.insert("x-one", HeaderValue::from_static("1"));
    backend.insert("x-two", HeaderValue::from_static("2"));
    let origin = HeaderValue::from_static("https://x.example");
    let got = lines(&any(true).response(Some(&origin), &backend));
    assert!(
        got.contains(&"expose-headers: x-one, x-two".to_owned()),
        "{got:?}"
    );
}
