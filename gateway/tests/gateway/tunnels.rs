//! Two gateways: egress, tunnel, ingress.

use std::net::SocketAddr;

use mcwan_lab::backend::{Backend, BackendConfig};
use mcwan_routing::filter::UrlRewrite;
use mcwan_routing::rule::{Filters, Rule};
use mcwan_routing::spec::{Backend as BackendSpec, Role};

use crate::http2::Http2;
use crate::world::{
    self, Raw, World, at, config, exchange, forward, get, h2c, http1, name_of, to, tunnel,
};

const WAN_NAME: &str = "p80.payment.secure.svc.clusterset.local";

/// An ingress gateway in front of `backend`, for everything.
pub(crate) async fn ingress(backend: BackendSpec) -> (World, SocketAddr) {
    let mut world = World::start(config());
    let socket = world.add_socket(Role::Ingress, vec![at("/", to("service"))]);
    world.spec.backends.insert(name_of("service"), backend);
    world.publish().await;
    (world, socket)
}

/// An egress gateway whose only rule has a tier for each of `tunnels`.
pub(crate) async fn egress(tunnels: &[(&str, SocketAddr)]) -> (World, SocketAddr) {
    let mut world = World::start(config());
    let tiers: Vec<Vec<(&str, u32)>> = tunnels.iter().map(|(name, _)| vec![(*name, 1)]).collect();
    let tiers: Vec<&[(&str, u32)]> = tiers.iter().map(Vec::as_slice).collect();
    let rule = Rule {
        filters: Filters {
            rewrite: Some(UrlRewrite {
                hostname: Some(WAN_NAME.to_owned()),
                path: None,
            }),
            ..Filters::default()
        },
        ..forward(&tiers, true)
    };
    let socket = world.add_socket(Role::Egress, vec![at("/", rule)]);
    for (name, address) in tunnels {
        let backend = tunnel(name, "business", &[*address]);
        world.spec.backends.insert(name_of(name), backend);
    }
    world.publish().await;
    (world, socket)
}

fn json(answer: &str) -> serde_json::Value {
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap_or_else(|e| panic!("{e}: {answer}"))
}

#[test]
fn the_backend_sees_the_clients_host_and_nobody_sees_the_wan_headers() {
    world::run(async {
        let backend = Backend::start(BackendConfig::http1("one")).await.unwrap();
        let (far, port) = ingress(http1(&[backend.address()])).await;
        let (near, socket) = egress(&[("cluster-1", port)]).await;
        let request = "GET /x HTTP/1.1\r\nhost: pay.example:8080\r\nx-forwarded-host: shop.example\r\nconnection: close\r\n\r\n";
        let answer = exchange(socket, request).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(!answer.to_lowercase().contains("x-mc-wan"), "{answer}");
        let seen = json(&answer);
        assert_eq!(seen["host"], "pay.example:8080", "{seen}");
        let headers = seen["headers"].to_string();
        assert!(!headers.contains("x-mc-wan"), "{headers}");
        assert!(headers.contains("shop.example"), "{headers}");
        near.gateway.stop().await;
        far.gateway.stop().await;
    });
}

#[test]
fn a_client_that_expects_leave_to_continue_gets_it_from_the_near_gateway() {
    world::run(async {
        let backend = Backend::start(BackendConfig::http1("one")).await.unwrap();
        let (far, port) = ingress(http1(&[backend.address()])).await;
        let (near, socket) = egress(&[("cluster-1", port)]).await;
        let mut raw = Raw::connect(socket).await;
        raw.send("POST /echo HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 5\r\nconnection: close\r\n\r\n")
            .await;
        let leave = raw.read_until(|t| t.contains("\r\n\r\n")).await;
        assert!(leave.starts_with("HTTP/1.1 100 "), "{leave}");
        raw.send("hello").await;
        let answer = raw.read_all().await;
        assert!(
            answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("hello"),
            "{answer}"
        );
        near.gateway.stop().await;
        far.gateway.stop().await;
    });
}

#[test]
fn a_request_that_the_far_gateway_did_not_send_goes_to_the_next_cluster_whatever_its_method() {
    world::run(async {
        let backend = Backend::start(BackendConfig::http1("one")).await.unwrap();
        let (empty, empty_port) = ingress(http1(&[])).await;
        let (far, port) = ingress(http1(&[backend.address()])).await;
        let (near, socket) = egress(&[("cluster-1", empty_port), ("cluster-3", port)]).await;
        for size in [0, 10_000] {
            let body = "b".repeat(size);
            let request = format!(
                "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: {size}\r\nconnection: close\r\n\r\n{body}"
            );
            let answer = exchange(socket, &request).await;
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
            assert!(answer.ends_with(&body), "{size}");
        }
        near.gateway.stop().await;
        far.gateway.stop().await;
        empty.gateway.stop().await;
    });
}

#[test]
fn the_last_clusters_refusal_is_passed_on_without_its_origin() {
    world::run(async {
        let (empty, port) = ingress(http1(&[])).await;
        let (near, socket) = egress(&[("cluster-1", port)]).await;
        let answer = get(socket, "/").await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(!answer.to_lowercase().contains("x-mc-wan"), "{answer}");
        near.gateway.stop().await;
        empty.gateway.stop().await;
    });
}

#[test]
fn a_backends_error_is_passed_on_and_not_held_against_the_tunnel() {
    world::run(async {
        let backend = Backend::start(BackendConfig::http1("one")).await.unwrap();
        let spare = Backend::start(BackendConfig::http1("two")).await.unwrap();
        let (far, port) = ingress(http1(&[backend.address()])).await;
        let (other, other_port) = ingress(http1(&[spare.address()])).await;
        let (near, socket) = egress(&[("cluster-1", port), ("cluster-3", other_port)]).await;
        for _ in 0..20 {
            let request =
                "GET / HTTP/1.1\r\nhost: a\r\nx-lab-status: 500\r\nconnection: close\r\n\r\n";
            assert!(exchange(socket, request).await.starts_with("HTTP/1.1 500 "));
        }
        assert_eq!((backend.requests(), spare.requests()), (20, 0));
        near.gateway.stop().await;
        far.gateway.stop().await;
        other.gateway.stop().await;
    });
}

#[test]
fn grpc_goes_through_both_gateways_with_its_trailers() {
    world::run(async {
        let backend = Backend::start(BackendConfig::h2c("one")).await.unwrap();
        let (far, port) = ingress(h2c(&[backend.address()])).await;
        let (near, socket) = egress(&[("cluster-1", port)]).await;
        let client = Http2::connect(socket).await;
        let body = vec![b'g'; 100_000];
        let headers = [("content-type", "application/grpc"), ("te", "trailers")];
        let answer = client
            .send("POST", "http://a.example/pay.Payment/Pay", &headers, &body)
            .await;
        assert_eq!(answer.status, 200);
        let wan = |name: &http::HeaderName| name.as_str().starts_with("x-mc-wan");
        assert!(!answer.headers.keys().any(wan), "{:?}", answer.headers);
        assert!(answer.body == body, "{}", answer.body.len());
        assert_eq!(answer.trailers.unwrap()["grpc-status"], "0");
        near.gateway.stop().await;
        far.gateway.stop().await;
    });
}

const UPGRADE: &str =
    "GET /ws HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";

/// One upgrade and a few bytes there and back. The error says how far it came.
async fn upgrade(socket: SocketAddr) -> Result<(), String> {
    let mut raw = Raw::connect(socket).await;
    raw.send(UPGRADE).await;
    let head = raw.read_until(|t| t.contains("\r\n\r\n")).await;
    if !head.starts_with("HTTP/1.1 101 ") {
        return Err(head);
    }
    for word in ["one", "two"] {
        raw.send(word).await;
        let echo = raw.read_until(|t| t.ends_with(word)).await;
        if echo != word {
            return Err(format!("{word}: {echo:?}"));
        }
    }
    Ok(())
}

async fn upgrades(socket: SocketAddr, count: usize) {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..32 {
        tasks.spawn(async move {
            for _ in 0..count.div_ceil(32) {
                upgrade(socket).await?;
            }
            Ok::<(), String>(())
        });
    }
    for result in tasks.join_all().await {
        assert_eq!(result, Ok(()));
    }
}

#[test]
fn of_1000_upgrades_to_a_backend_none_is_lost() {
    world::run(async {
        let backend = Backend::start(BackendConfig::http1("one")).await.unwrap();
        let (world, socket) = World::with_rules(
            vec![at("/", to("one"))],
            &[("one", http1(&[backend.address()]))],
        )
        .await;
        upgrades(socket, 1000).await;
        world.gateway.stop().await;
    });
}

#[test]
fn of_1000_upgrades_through_a_tunnel_none_is_lost() {
    world::run(async {
        let backend = Backend::start(BackendConfig::http1("one")).await.unwrap();
        let (far, port) = ingress(http1(&[backend.address()])).await;
        let (near, socket) = egress(&[("cluster-1", port)]).await;
        upgrades(socket, 1000).await;
        near.gateway.stop().await;
        far.gateway.stop().await;
    });
}
