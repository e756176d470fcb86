//! Rules that send requests to imported services, whose own rules choose the tunnel (GEP-1748).

use std::net::SocketAddr;

use mcwan_lab::backend::{Backend, BackendConfig};
use mcwan_routing::filter::{HeaderModifier, PathModifier, UrlRewrite};
use mcwan_routing::rule::{Action, Choice, Filters, Forward, Rule, Target, Tier};
use mcwan_routing::spec::{Backend as BackendSpec, Role};

use crate::http2::Http2;
use crate::tunnels::ingress;
use crate::world::{
    World, at, config, exchange, forward, free_port, get, h2c, http1, name_of, run, tunnel,
};

const WAN_NAME: &str = "p80.payment.secure.svc.clusterset.local";

/// A consumer's rule that divides requests between a local Service and an imported one.
fn consumer(local: u32, import: u32, filters: Filters) -> Rule {
    let choice = |weight, target| Choice {
        weight,
        target,
        filters: Filters::default(),
    };
    let tier = Tier {
        policy: None,
        choices: vec![
            choice(local, Target::Backend(name_of("local"))),
            choice(import, Target::Import(name_of("payment"))),
        ],
    };
    Rule {
        filters,
        action: Action::Forward(Forward {
            failover: false,
            tiers: vec![tier],
        }),
        ..forward(&[], false)
    }
}

fn rewrite(hostname: Option<&str>, path: Option<PathModifier>) -> Option<UrlRewrite> {
    Some(UrlRewrite {
        hostname: hostname.map(str::to_owned),
        path,
    })
}

/// A user's gateway that serves `rules`, and an imported service whose only rule takes `/payment` and has a tier for
/// each of `tunnels`.
async fn gateway(
    rules: Vec<(&str, Rule)>,
    tunnels: &[(&str, SocketAddr)],
    local: BackendSpec,
) -> (World, SocketAddr) {
    let mut world = World::start(config());
    let entries = rules.into_iter().map(|(path, rule)| at(path, rule));
    let socket = world.add_socket(Role::Plain, entries.collect());
    let tiers: Vec<Vec<(&str, u32)>> = tunnels.iter().map(|(name, _)| vec![(*name, 1)]).collect();
    let tiers: Vec<&[(&str, u32)]> = tiers.iter().map(Vec::as_slice).collect();
    let rule = Rule {
        filters: Filters {
            rewrite: rewrite(Some(WAN_NAME), None),
            ..Filters::default()
        },
        ..forward(&tiers, true)
    };
    let imports = &mut world.spec.imports;
    imports.insert(name_of("payment"), vec![at("/payment", rule)]);
    for (name, address) in tunnels {
        let backend = tunnel(name, "business", &[*address]);
        world.spec.backends.insert(name_of(name), backend);
    }
    world.spec.backends.insert(name_of("local"), local);
    world.publish().await;
    (world, socket)
}

fn seen(answer: &str) -> serde_json::Value {
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap_or_else(|e| panic!("{e}: {answer}"))
}

#[test]
fn the_rules_of_the_import_see_the_request_as_the_consumers_filters_leave_it() {
    run(async {
        let backend = Backend::start(BackendConfig::http1("far")).await.unwrap();
        let (far, port) = ingress(http1(&[backend.address()])).await;
        let path = PathModifier::ReplacePrefixMatch("/payment".to_owned());
        let filters = |hostname, path| Filters {
            rewrite: rewrite(hostname, path),
            request_headers: HeaderModifier {
                set: vec![("x-consumer".parse().unwrap(), "shop".parse().unwrap())],
                ..HeaderModifier::default()
            },
            ..Filters::default()
        };
        let rules = vec![
            ("/pay", consumer(0, 1, filters(None, Some(path.clone())))),
            (
                "/host",
                consumer(0, 1, filters(Some("pay.example"), Some(path))),
            ),
            ("/as-it-is", consumer(0, 1, filters(None, None))),
        ];
        let (near, socket) = gateway(rules, &[("cluster-1", port)], http1(&[])).await;

        let answer = get(socket, "/pay/7?a=b").await;
        assert!(!answer.to_lowercase().contains("x-mc-wan"), "{answer}");
        let payment = seen(&answer);
        assert_eq!(payment["path"], "/payment/7?a=b", "{payment}");
        assert_eq!(payment["host"], "a.example", "the client's Host");
        let headers = payment["headers"].to_string();
        assert!(
            headers.contains("shop") && !headers.contains("x-mc-wan"),
            "{headers}"
        );

        let rewritten = seen(&get(socket, "/host/7").await);
        assert_eq!(rewritten["host"], "pay.example", "the consumer's Host");

        let denied = get(socket, "/as-it-is/7").await;
        assert!(denied.starts_with("HTTP/1.1 404 "), "{denied}");
        assert_eq!(backend.requests(), 2);
        near.gateway.stop().await;
        far.gateway.stop().await;
    });
}

#[test]
fn weights_divide_between_services_and_imports_and_inside_its_share_an_import_fails_over() {
    run(async {
        let backend = Backend::start(BackendConfig::http1("far")).await.unwrap();
        let local = Backend::start(BackendConfig::http1("here")).await.unwrap();
        let (far, port) = ingress(http1(&[backend.address()])).await;
        let tunnels = [("cluster-1", free_port()), ("cluster-3", port)];
        let rules = vec![("/", consumer(1, 1, Filters::default()))];
        let (near, socket) = gateway(rules, &tunnels, http1(&[local.address()])).await;
        for _ in 0..64 {
            seen(&get(socket, "/payment").await);
        }
        let (there, here) = (backend.requests(), local.requests());
        assert_eq!(there + here, 64);
        assert!(there > 8 && here > 8, "{there} there, {here} here");
        near.gateway.stop().await;
        far.gateway.stop().await;
    });
}

#[test]
fn an_import_that_the_table_does_not_know_is_an_invalid_backend() {
    run(async {
        let rules = vec![("/", consumer(0, 1, Filters::default()))];
        let (mut near, socket) = gateway(rules, &[], http1(&[])).await;
        near.spec.imports.clear();
        near.publish().await;
        let request = "GET /payment HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
        let answer = exchange(socket, request).await;
        assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
        near.gateway.stop().await;
    });
}

#[test]
fn grpc_goes_through_an_import_with_its_trailers() {
    run(async {
        let backend = Backend::start(BackendConfig::h2c("far")).await.unwrap();
        let (far, port) = ingress(h2c(&[backend.address()])).await;
        let rules = vec![("/", consumer(0, 1, Filters::default()))];
        let (near, socket) = gateway(rules, &[("cluster-1", port)], http1(&[])).await;
        let client = Http2::connect(socket).await;
        let headers = [("content-type", "application/grpc"), ("te", "trailers")];
        let url = "http://a.example/payment/Pay";
        let answer = client.send("POST", url, &headers, b"money").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.trailers.unwrap()["grpc-status"], "0");
        near.gateway.stop().await;
        far.gateway.stop().await;
    });
}
