//! What clients do with their connections.

use std::time::Duration;

use mcwan_gateway::app::Config;
use mcwan_gateway::listen::{HeadLimits, Limits};
use mcwan_lab::backend::{Backend, BackendConfig};
use mcwan_routing::spec::Role;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::world::{self, Raw, World, at, config, http1, name_of, to};

/// A gateway with `limits` in front of one backend.
async fn limited(limits: Limits) -> (World, std::net::SocketAddr, Backend) {
    let backend = Backend::start(BackendConfig::http1("one")).await.unwrap();
    let mut world = World::start(Config { limits, ..config() });
    let socket = world.add_socket(Role::Plain, vec![at("/", to("one"))]);
    world
        .spec
        .backends
        .insert(name_of("one"), http1(&[backend.address()]));
    world.publish().await;
    (world, socket, backend)
}

fn answers(text: &str) -> usize {
    text.matches("HTTP/1.1 200 ").count()
}

#[test]
fn pipelined_requests_are_answered_in_order_also_in_segments_of_their_own() {
    world::run(async {
        let (world, socket, _backend) = limited(Limits::default()).await;
        let mut raw = Raw::connect(socket).await;
        raw.0.set_nodelay(true).unwrap();
        raw.send("GET /first HTTP/1.1\r\nhost: a\r\nx-lab-delay-ms: 200\r\n\r\n")
            .await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        raw.send("GET /second HTTP/1.1\r\nhost: a\r\n\r\nGET /third HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
        let all = raw.read_all().await;
        assert_eq!(answers(&all), 3, "{all}");
        let place = |path: &str| all.find(path).unwrap();
        assert!(
            place("/first") < place("/second") && place("/second") < place("/third"),
            "{all}"
        );
        world.gateway.stop().await;
    });
}

#[test]
fn a_client_that_closes_its_sending_side_still_gets_its_answer() {
    world::run(async {
        let (world, socket, _backend) = limited(Limits::default()).await;
        let mut raw = Raw::connect(socket).await;
        raw.send("GET / HTTP/1.1\r\nhost: a\r\nx-lab-delay-ms: 200\r\n\r\n")
            .await;
        raw.0.shutdown().await.unwrap();
        assert_eq!(answers(&raw.read_all().await), 1);
        world.gateway.stop().await;
    });
}

#[test]
fn a_client_that_is_gone_holds_no_connection() {
    world::run(async {
        let (world, socket, _backend) = limited(Limits::default()).await;
        let mut raw = Raw::connect(socket).await;
        raw.send("GET / HTTP/1.1\r\nhost: a\r\nx-lab-delay-ms: 60000\r\n\r\n")
            .await;
        raw.0.shutdown().await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(world.gateway.report().connections(socket), 1);
        // A close with linger 0 is a reset.
        socket2::SockRef::from(&raw.0)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
        drop(raw);
        let gone = async {
            while world.gateway.report().connections(socket) > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), gone)
            .await
            .expect("the connection is still held");
        let metrics = world.metrics.encode().unwrap();
        assert!(metrics.contains("client_gone"), "{metrics}");
        world.gateway.stop().await;
    });
}

#[test]
fn an_idle_connection_is_closed_in_the_end() {
    world::run(async {
        let limits = Limits {
            idle: Duration::from_secs(1),
            ..Limits::default()
        };
        let (world, socket, _backend) = limited(limits).await;
        let mut used = Raw::connect(socket).await;
        used.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let mut silent = Raw::connect(socket).await;
        // Both reads end only when the gateway closes.
        let (used, silent) = tokio::join!(used.read_all(), silent.read_all());
        assert_eq!(answers(&used), 1, "{used}");
        assert_eq!(silent, "");
        world.gateway.stop().await;
    });
}

#[test]
fn a_request_header_that_trickles_is_given_up() {
    world::run(async {
        let head = HeadLimits {
            deadline: Duration::from_secs(1),
            ..HeadLimits::default()
        };
        let (world, socket, backend) = limited(Limits {
            head,
            ..Limits::default()
        })
        .await;
        let mut raw = Raw::connect(socket).await;
        raw.send("GET / HTTP/1.1\r\n").await;
        let (mut read, mut write) = raw.0.into_split();
        let trickle = async {
            while write.write_all(b"x: y\r\n").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let answer = async {
            let mut all = Vec::new();
            let _reset = read.read_to_end(&mut all).await;
            String::from_utf8(all).unwrap()
        };
        let (answer, ()) = tokio::join!(answer, trickle);
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer:?}");
        assert_eq!(backend.requests(), 0);
        assert_eq!(world.counted("timeout", 408), 1);
        world.gateway.stop().await;
    });
}

#[test]
fn a_header_of_a_mebibyte_is_refused_with_431_and_the_client_can_read_it() {
    world::run(async {
        let (world, socket, backend) = limited(Limits::default()).await;
        let raw = Raw::connect(socket).await;
        let (mut read, mut write) = raw.0.into_split();
        let send = async {
            let _may_be_cut = write
                .write_all(b"GET / HTTP/1.1\r\nhost: a\r\nx-big: ")
                .await;
            let _may_be_cut = write.write_all("y".repeat(1 << 20).as_bytes()).await;
            let _may_be_cut = write.write_all(b"\r\n\r\n").await;
            write
        };
        let answer = async {
            let mut all = Vec::new();
            let _reset = read.read_to_end(&mut all).await;
            String::from_utf8(all).unwrap()
        };
        let (_write, answer) = tokio::join!(send, answer);
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer:?}");
        assert_eq!(backend.requests(), 0);
        assert_eq!(world.counted("header_too_large", 431), 1);
        world.gateway.stop().await;
    });
}

#[test]
fn a_malformed_request_is_refused() {
    world::run(async {
        let (world, socket, backend) = limited(Limits::default()).await;
        for request in [
            "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
            "GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
            "\0\0\0\r\n\r\n",
        ] {
            let answer = world::exchange(socket, request).await;
            assert!(answer.starts_with("HTTP/1.1 400 "), "{request:?}: {answer}");
            assert!(!answer.contains("Pingora"), "{answer}");
            assert!(answer.ends_with("\n"), "{answer}");
        }
        assert_eq!(backend.requests(), 0);
        assert_eq!(world.counted("bad_request", 400), 3);
        world.gateway.stop().await;
    });
}

#[test]
fn connections_beyond_the_limit_are_closed_and_earlier_ones_go_on() {
    world::run(async {
        let (world, socket, _backend) = limited(Limits {
            connections: 2,
            ..Limits::default()
        })
        .await;
        let request = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
        let complete = |t: &str| t.contains("\r\n\r\n");
        let mut first = Raw::connect(socket).await;
        let mut second = Raw::connect(socket).await;
        for raw in [&mut first, &mut second] {
            raw.send(request).await;
            assert_eq!(answers(&raw.read_until(complete).await), 1);
        }
        let mut third = Raw::connect(socket).await;
        assert_eq!(third.read_all().await, "");
        first.send(request).await;
        assert_eq!(answers(&first.read_until(complete).await), 1);
        world.gateway.stop().await;
    });
}

#[test]
fn an_answer_that_comes_before_the_end_of_the_body_reaches_the_client() {
    world::run(async {
        let (world, socket) = World::with_rules(vec![], &[]).await;
        for _ in 0..10 {
            let mut raw = Raw::connect(socket).await;
            let body = "b".repeat(4 << 20);
            let head = format!(
                "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            raw.send(head).await;
            // A reset instead of patience would fail the write, and may destroy the answer on the way.
            raw.send(body).await;
            let mut answer = Vec::new();
            raw.0.read_to_end(&mut answer).await.unwrap();
            let answer = String::from_utf8(answer).unwrap();
            assert!(answer.starts_with("HTTP/1.1 404 "), "{answer:?}");
        }
        world.gateway.stop().await;
    });
}
