//! One request after the other.

use std::time::Duration;

use http::{HeaderName, HeaderValue};
use mcwan_lab::backend::{Backend, BackendConfig};
use mcwan_routing::filter::{Cors, HeaderModifier, Mirror, PathModifier, Redirect, UrlRewrite};
use mcwan_routing::rule::{Action, Filters, Rule};

use crate::world::{self, Raw, World, at, exchange, get, http1, to};

#[test]
fn a_request_reaches_the_backend_of_its_rule() {
    world::run(async {
        let backend = Backend::start(BackendConfig::http1("one")).await.unwrap();
        let (world, socket) = World::with_rules(
            vec![at("/", to("one"))],
            &[("one", http1(&[backend.address()]))],
        )
        .await;
        let answer = get(socket, "/x").await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert_eq!(backend.requests(), 1);
        world.gateway.stop().await;
    });
}

#[test]
fn a_request_without_a_rule_is_told_so_in_one_plain_line() {
    world::run(async {
        let (world, socket) = World::with_rules(vec![], &[]).await;
        let answer = get(socket, "/x").await;
        assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("text/plain"), "{head}");
        assert!(!head.to_lowercase().contains("server:"), "{head}");
        assert!(
            body.contains("no rule") && body.ends_with('\n') && body.lines().count() == 1,
            "{body}"
        );
        world.gateway.stop().await;
    });
}

#[test]
fn a_request_of_18_bytes_is_answered() {
    world::run(async {
        let (world, socket) = World::with_rules(vec![], &[]).await;
        let answer = exchange(socket, "GET / HTTP/1.0\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
        world.gateway.stop().await;
    });
}

fn filtered(backend: &str, filters: Filters) -> Rule {
    Rule {
        filters,
        ..to(backend)
    }
}

/// What the backend saw of the request: an answer of the lab's backend, after its header.
fn seen(answer: &str) -> serde_json::Value {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{answer}");
    serde_json::from_str(body).unwrap_or_else(|e| panic!("{e}: {answer}"))
}

#[test]
fn host_and_path_are_rewritten_and_the_query_stays() {
    world::run(async {
        let backend = Backend::start(BackendConfig::http1("one")).await.unwrap();
        let filters = Filters {
            rewrite: Some(UrlRewrite {
                hostname: Some("inner.example".to_owned()),
                path: Some(PathModifier::ReplacePrefixMatch("/new".to_owned())),
            }),
            ..Filters::default()
        };
        let rules = vec![at("/old", filtered("one", filters))];
        let (world, socket) =
            World::with_rules(rules, &[("one", http1(&[backend.address()]))]).await;
        let seen = seen(&get(socket, "/old/x?a=1").await);
        assert_eq!(seen["host"], "inner.example", "{seen}");
        assert_eq!(seen["path"], "/new/x?a=1", "{seen}");
        world.gateway.stop().await;
    });
}

#[test]
fn header_modifiers_of_rule_and_backend_apply_both_ways() {
    world::run(async {
        let backend = Backend::start(BackendConfig::http1("one")).await.unwrap();
        let pair = |n, v| (HeaderName::from_static(n), HeaderValue::from_static(v));
        let filters = Filters {
            request_headers: HeaderModifier {
                set: vec![pair("x-set", "rule")],
                ..HeaderModifier::default()
            },
            response_headers: HeaderModifier {
                add: vec![pair("x-answer", "rule")],
                ..HeaderModifier::default()
            },
            ..Filters::default()
        };
        let mut rule = filtered("one", filters);
        let Action::Forward(forward) = &mut rule.action else {
            unreachable!()
        };
        forward.tiers[0].choices[0].filters.request_headers.add = vec![pair("x-set", "backend")];
        let (world, socket) =
            World::with_rules(vec![at("/", rule)], &[("one", http1(&[backend.address()]))]).await;
        let answer = get(socket, "/").await;
        assert!(answer.to_lowercase().contains("x-answer: rule"), "{answer}");
        let headers = seen(&answer)["headers"].to_string();
        assert!(
            headers.contains("rule") && headers.contains("backend"),
            "{headers}"
        );
        world.gateway.stop().await;
    });
}

#[test]
fn clients_cannot_speak_for_the_wan_and_are_named_to_the_backend() {
    world::run(async {
        let backend = Backend::start(BackendConfig::http1("one")).await.unwrap();
        let (world, socket) = World::with_rules(
            vec![at("/", to("one"))],
            &[("one", http1(&[backend.address()]))],
        )
        .await;
        let request = "GET / HTTP/1.1\r\nhost: a.example\r\nx-mc-wan-source: evil\r\nconnection: close\r\n\r\n";
        let headers = seen(&exchange(socket, request).await)["headers"].to_string();
        assert!(!headers.contains("x-mc-wan"), "{headers}");
        for name in [
            "x-forwarded-for",
            "x-forwarded-proto",
            "x-forwarded-host",
            "traceparent",
            "x-request-id",
        ] {
            assert!(headers.contains(name), "{name}: {headers}");
        }
        world.gateway.stop().await;
    });
}

#[test]
fn a_redirect_names_the_new_place() {
    world::run(async {
        let redirect = Redirect {
            scheme: None,
            hostname: Some("other.example".to_owned()),
            path: Some(PathModifier::ReplaceFullPath("/there".to_owned())),
            port: Some(8080),
            status: 301,
        };
        let rule = Rule {
            action: Action::Redirect(redirect),
            ..to("none")
        };
        let (world, socket) = World::with_rules(vec![at("/", rule)], &[]).await;
        let answer = get(socket, "/here").await;
        assert!(answer.starts_with("HTTP/1.1 301 "), "{answer}");
        assert!(
            answer
                .to_lowercase()
                .contains("location: http://other.example:8080/there"),
            "{answer}"
        );
        world.gateway.stop().await;
    });
}

#[test]
fn a_preflight_is_answered_by_the_gateway_and_answers_carry_the_origin() {
    world::run(async {
        let backend = Backend::start(BackendConfig::http1("one")).await.unwrap();
        let cors = Cors {
            allow_origins: vec!["https://app.example".to_owned()],
            allow_methods: vec!["GET".to_owned()],
            ..Cors::default()
        };
        let filters = Filters {
            cors: Some(cors),
            ..Filters::default()
        };
        let rules = vec![at("/", filtered("one", filters))];
        let (world, socket) =
            World::with_rules(rules, &[("one", http1(&[backend.address()]))]).await;
        let head =
            "HTTP/1.1\r\nhost: a.example\r\norigin: https://app.example\r\nconnection: close\r\n";
        let answer = exchange(
            socket,
            &format!("OPTIONS / {head}access-control-request-method: GET\r\n\r\n"),
        )
        .await;
        assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
        assert!(answer.contains("https://app.example"), "{answer}");
        assert_eq!(backend.requests(), 0);
        let answer = exchange(socket, &format!("GET / {head}\r\n")).await;
        assert!(
            answer
                .to_lowercase()
                .contains("access-control-allow-origin: https://app.example"),
            "{answer}"
        );
        world.gateway.stop().await;
    });
}

#[test]
fn a_client_that_expects_leave_to_continue_gets_it_at_once() {
    world::run(async {
        let backend = Backend::start(BackendConfig::http1("one")).await.unwrap();
        let (world, socket) = World::with_rules(
            vec![at("/", to("one"))],
            &[("one", http1(&[backend.address()]))],
        )
        .await;
        let mut raw = Raw::connect(socket).await;
        raw.send("POST /echo HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 5\r\nconnection: close\r\n\r\n").await;
        let leave = raw.read_until(|t| t.contains("\r\n\r\n")).await;
        assert!(leave.starts_with("HTTP/1.1 100 "), "{leave}");
        raw.send("hello").await;
        let answer = raw.read_all().await;
        assert!(
            answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("hello"),
            "{answer}"
        );
        world.gateway.stop().await;
    });
}

#[test]
fn an_invalid_backend_is_500_and_no_endpoint_is_503() {
    world::run(async {
        let rules = vec![at("/invalid", to("nowhere")), at("/empty", to("empty"))];
        let (world, socket) = World::with_rules(rules, &[("empty", http1(&[]))]).await;
        assert!(get(socket, "/invalid").await.starts_with("HTTP/1.1 500 "));
        assert!(get(socket, "/empty").await.starts_with("HTTP/1.1 503 "));
        world.gateway.stop().await;
    });
}

#[test]
fn a_mirror_gets_the_request_and_its_body_and_never_delays_it() {
    world::run(async {
        let backend = Backend::start(BackendConfig::http1("one")).await.unwrap();
        let copy = Backend::start(BackendConfig::http1("copy")).await.unwrap();
        let mirror = |name: &str| Mirror {
            backend: world::name_of(name),
            numerator: 1,
            denominator: 1,
        };
        let filters = Filters {
            mirrors: vec![mirror("copy"), mirror("hole")],
            ..Filters::default()
        };
        // A socket that accepts nothing and answers nothing.
        let hole = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let backends = [
            ("one", http1(&[backend.address()])),
            ("copy", http1(&[copy.address()])),
            ("hole", http1(&[hole.local_addr().unwrap()])),
        ];
        let (world, socket) =
            World::with_rules(vec![at("/", filtered("one", filters))], &backends).await;
        let body = "b".repeat(300_000);
        let request = format!(
            "POST /echo HTTP/1.1\r\nhost: a\r\nx-lab-id: m\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        let answer = exchange(socket, &request).await;
        assert!(answer.ends_with(&body), "{}", answer.len());
        let copied = async {
            while copy.requests() == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(world::PATIENCE, copied)
            .await
            .expect("no copy");
        world.gateway.stop().await;
    });
}

#[test]
fn a_mirror_may_speak_http2_where_client_and_backend_do_not() {
    world::run(async {
        let backend = Backend::start(BackendConfig::http1("one")).await.unwrap();
        let copy = Backend::start(BackendConfig::h2c("copy")).await.unwrap();
        let filters = Filters {
            mirrors: vec![Mirror {
                backend: world::name_of("copy"),
                numerator: 1,
                denominator: 1,
            }],
            ..Filters::default()
        };
        let backends = [
            ("one", http1(&[backend.address()])),
            ("copy", world::h2c(&[copy.address()])),
        ];
        let (world, socket) =
            World::with_rules(vec![at("/", filtered("one", filters))], &backends).await;
        for framing in [
            "content-length: 5\r\n\r\nhello",
            "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        ] {
            let request = format!(
                "POST /echo HTTP/1.1\r\nhost: a\r\nx-lab-id: m\r\nkeep-alive: 1\r\nconnection: close, keep-alive\r\n{framing}"
            );
            let answer = exchange(socket, &request).await;
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        }
        let copied = async {
            while copy.executed("m") < 2 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(world::PATIENCE, copied)
            .await
            .expect("no copy");
        world.gateway.stop().await;
    });
}
