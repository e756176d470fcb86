use super::*;

fn build(method: &str, target: &[u8], headers: &[(&str, &str)]) -> RequestHeader {
    let mut request = RequestHeader::build(method, target, None).unwrap();
    for (name, value) in headers {
        request
            .append_header((*name).to_owned(), HeaderValue::from_str(value).unwrap())
            .unwrap();
    }
    request
}

fn translate(target: &[u8], headers: &[(&str, &str)]) -> Result<http::Request<()>> {
    to_http2(build("GET", target, headers), false)
}

type Headers = &'static [(&'static str, &'static str)];

const HOST_A: (&str, &str) = ("Host", "a.example");

#[test]
fn host_becomes_the_authority() {
    let request = translate(b"/x?y=1", &[("Host", "a.example:8080")]).unwrap();
    assert_eq!(request.uri(), "http://a.example:8080/x?y=1");
    assert!(!request.headers().contains_key(HOST));
    assert_eq!(request.version(), Version::HTTP_2);
    let request = to_http2(build("GET", b"/", &[HOST_A]), true).unwrap();
    assert_eq!(request.uri(), "https://a.example/");
}

#[test]
fn every_form_of_a_target_has_one_authority_and_one_path() {
    let cases: [(&[u8], Headers, &str); 8] = [
        (b"/", &[HOST_A], "http://a.example/"),
        (b"/a//b/../c?d#e", &[HOST_A], "http://a.example/a//b/../c?d"),
        (b"http://a.example/x", &[HOST_A], "http://a.example/x"),
        (b"http://b.example/x", &[HOST_A], "http://a.example/x"),
        (b"http://b.example/x", &[], "http://b.example/x"),
        (b"http://b.example", &[], "http://b.example/"),
        (b"http://b.example?q=1", &[], "http://b.example/?q=1"),
        (b"/", &[("Host", "[::1]:80")], "http://[::1]:80/"),
    ];
    for (target, headers, uri) in cases {
        let shown = String::from_utf8_lossy(target);
        let request = translate(target, headers).unwrap_or_else(|e| panic!("{shown}: {e}"));
        assert_eq!(request.uri().to_string(), uri, "{shown}");
    }
}

#[test]
fn an_authority_of_http2_is_used_when_there_is_no_host() {
    let mut request = build("GET", b"/", &[]);
    request.set_uri("http://b.example/x".parse().unwrap());
    assert_eq!(
        to_http2(request, false).unwrap().uri(),
        "http://b.example/x"
    );
    // A rewrite sets Host; it wins.
    let mut request = build("GET", b"/", &[HOST_A]);
    request.set_uri("http://b.example/x".parse().unwrap());
    assert_eq!(
        to_http2(request, false).unwrap().uri(),
        "http://a.example/x"
    );
}

#[test]
fn ambiguous_targets_are_refused() {
    let cases: [(&[u8], Headers); 20] = [
        (b"/", &[]),
        (b"/", &[("Host", "")]),
        (b"/", &[HOST_A, HOST_A]),
        (b"/", &[HOST_A, ("Host", "b.example")]),
        (b"/", &[("Host", "user@a.example")]),
        (b"/", &[("Host", "a.example/x")]),
        (b"/", &[("Host", "a.example?x")]),
        (b"/", &[("Host", "a.example#x")]),
        (b"/", &[("Host", "a.example\\b.example")]),
        (b"/", &[("Host", "a.example b.example")]),
        (b"/", &[("Host", "a.example, b.example")]),
        (b"/", &[("Host", "a.example:99999")]),
        (b"/", &[("Host", "a.example:")]),
        (b"/", &[("Host", ":80")]),
        (b"http://user@b.example/", &[]),
        (b"http:/\\b.example/", &[HOST_A]),
        (b"http://b.example\\c.example/", &[HOST_A]),
        (b"http:b.example", &[HOST_A]),
        (b"*", &[HOST_A]),
        (b"/\xff", &[HOST_A]),
    ];
    for (target, headers) in cases {
        let shown = String::from_utf8_lossy(target).into_owned();
        let result = translate(target, headers);
        let error = result.expect_err(&format!("{shown} {headers:?}"));
        assert_eq!(error.etype(), &InvalidHTTPHeader, "{shown} {headers:?}");
    }
}

#[test]
fn options_of_the_whole_server_keeps_its_star() {
    let request = to_http2(build("OPTIONS", b"*", &[HOST_A]), false).unwrap();
    assert_eq!(request.uri().path(), "*");
}

#[test]
fn what_one_hop_means_does_not_reach_the_next() {
    let request = translate(
        b"/",
        &[
            HOST_A,
            ("Connection", "keep-alive, X-Private-Hop"),
            ("Connection", "http2-settings, Upgrade"),
            ("X-Private-Hop", "secret"),
            ("X-Kept", "yes"),
            ("Keep-Alive", "timeout=5"),
            ("Proxy-Connection", "keep-alive"),
            ("Proxy-Authorization", "Basic eDp5"),
            ("Proxy-Authenticate", "Basic"),
            ("HTTP2-Settings", "AAMAAABkAAQAAP__"),
            ("Upgrade", "h2c"),
            ("Trailer", "X-Checksum"),
            ("TE", "deflate;q=0.5"),
        ],
    )
    .unwrap();
    let names: Vec<&str> = request.headers().keys().map(HeaderName::as_str).collect();
    assert_eq!(names, ["x-kept"]);
}

#[test]
fn te_trailers_survives_and_nothing_else_of_te() {
    for te in [
        "trailers",
        "Trailers",
        "gzip, trailers",
        "trailers, deflate;q=0.1",
    ] {
        let request = translate(b"/", &[HOST_A, ("TE", te), ("Connection", "TE")]).unwrap();
        assert_eq!(request.headers()["te"], "trailers", "{te}");
    }
    let request = translate(b"/", &[HOST_A, ("TE", "x-trailers")]).unwrap();
    assert!(!request.headers().contains_key(TE));
}

#[test]
fn connection_cannot_drop_what_the_next_hop_decides_by() {
    for name in [
        "Host",
        "Authorization",
        "Cookie",
        "Content-Length",
        "Forwarded",
        "X-Forwarded-For",
        "x-forwarded-host",
        "X-FORWARDED-PROTO",
        "Traceparent",
        "X-Request-Id",
        "X-MC-WAN-Origin",
        ":authority",
        "\"x-forwarded-for\"",
        "a b",
    ] {
        let error = translate(b"/", &[HOST_A, ("Connection", name)]).expect_err(name);
        assert_eq!(error.etype(), &InvalidHTTPHeader, "{name}");
    }
}

#[test]
fn connection_lists_a_few_options_at_most() {
    let options = |n: usize| vec!["x"; n].join(",");
    assert!(translate(b"/", &[HOST_A, ("Connection", &options(MAX_OPTIONS))]).is_ok());
    assert!(translate(b"/", &[HOST_A, ("Connection", &options(MAX_OPTIONS + 1))]).is_err());
    assert!(translate(b"/", &[HOST_A, ("Connection", ", ,,close,")]).is_ok());
}

#[test]
fn one_body_length_at_most() {
    let length = |values: &[&str]| {
        let mut headers = vec![HOST_A];
        headers.extend(values.iter().map(|v| ("Content-Length", *v)));
        to_http2(build("POST", b"/", &headers), false).map(|r| {
            let all: Vec<_> = r
                .headers()
                .get_all(CONTENT_LENGTH)
                .iter()
                .cloned()
                .collect();
            assert_eq!(all.len(), 1);
            all[0].to_str().unwrap().to_owned()
        })
    };
    assert_eq!(length(&["5"]).unwrap(), "5");
    assert_eq!(length(&["5", "5"]).unwrap(), "5");
    assert_eq!(length(&["5, 5"]).unwrap(), "5");
    for bad in [
        &["5", "6"][..],
        &["5, 6"],
        &["+5"],
        &["-1"],
        &["0x5"],
        &["5 5"],
        &[""],
        &["5,"],
    ] {
        assert!(length(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn chunked_overrides_a_length() {
    let request = to_http2(
        build(
            "POST",
            b"/",
            &[
                HOST_A,
                ("Transfer-Encoding", "chunked"),
                ("Content-Length", "5"),
            ],
        ),
        false,
    )
    .unwrap();
    assert!(request.headers().is_empty(), "{:?}", request.headers());
}

#[test]
fn line_breaks_in_values_are_refused() {
    for bytes in [&b"a\r\nx: y"[..], b"a\nb", b"a\0b"] {
        let mut request = build("GET", b"/", &[HOST_A]);
        let value = pingora_http::header_value_from_slice(b"fine");
        request.insert_header("x-a", value).unwrap();
        assert!(to_http2(request.clone(), false).is_ok());
        let mut headers = HeaderMap::new();
        // Pingora's own constructor mends what it can; whatever is left must not pass.
        headers.insert("x-a", pingora_http::header_value_from_slice(bytes));
        let left = headers["x-a"].as_bytes().to_vec();
        let broken = left.iter().any(|b| matches!(b, 0 | b'\r' | b'\n'));
        assert_eq!(check_fields(&headers).is_err(), broken, "{left:?}");
    }
}

#[test]
fn websocket_and_connect_do_not_go_over_http2() {
    for upgrade in ["websocket", "WebSocket", "h2c, websocket"] {
        let headers = [HOST_A, ("Connection", "Upgrade"), ("Upgrade", upgrade)];
        assert!(translate(b"/", &headers).is_err(), "{upgrade}");
    }
    assert!(to_http2(build("CONNECT", b"a.example:443", &[HOST_A]), false).is_err());
}

#[test]
fn stripping_first_protects_what_the_proxy_adds_later() {
    let mut request = build("GET", b"/", &[HOST_A, ("Connection", "x-tenant")]);
    strip_hop_by_hop(&mut request).unwrap();
    request.insert_header("x-tenant", "gold").unwrap();
    let request = to_http2(request, false).unwrap();
    assert_eq!(request.headers()["x-tenant"], "gold");
}

#[test]
fn trailers_carry_no_framing_and_no_routing() {
    let mut trailers = HeaderMap::new();
    for name in [
        "host",
        "content-length",
        "transfer-encoding",
        "te",
        "authorization",
        "cookie",
        "grpc-status",
    ] {
        trailers.insert(name, HeaderValue::from_static("1"));
    }
    clean_trailers(&mut trailers);
    let names: Vec<&str> = trailers.keys().map(HeaderName::as_str).collect();
    assert_eq!(names, ["grpc-status"]);
}
