//! The end of a gateway.

use std::time::{Duration, Instant};

use mcwan_gateway::app::{Config, End};
use mcwan_lab::backend::{Backend, BackendConfig};
use mcwan_routing::spec::Role;

use crate::http2::Http2;
use crate::world::{self, Raw, World, at, config, http1, name_of, to};

async fn started(drain: Duration) -> (World, std::net::SocketAddr, Backend) {
    let backend = Backend::start(BackendConfig::http1("one")).await.unwrap();
    let mut world = World::start(Config { drain, ..config() });
    let socket = world.add_socket(Role::Plain, vec![at("/", to("one"))]);
    world
        .spec
        .backends
        .insert(name_of("one"), http1(&[backend.address()]));
    world.publish().await;
    (world, socket, backend)
}

async fn until_requests(backend: &Backend, count: u64) {
    let seen = async {
        while backend.requests() < count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(world::PATIENCE, seen)
        .await
        .expect("no request");
}

#[test]
fn an_idle_gateway_ends_at_once() {
    world::run(async {
        let (world, socket, _backend) = started(Duration::from_secs(300)).await;
        let mut idle = Raw::connect(socket).await;
        idle.send("GET / HTTP/1.1\r\nhost: a\r\nx-lab-status: 204\r\n\r\n")
            .await;
        idle.read_until(|t| t.ends_with("\r\n\r\n")).await;
        let _silent = Raw::connect(socket).await;
        let begun = Instant::now();
        let (end, rest) = tokio::join!(world.gateway.stop(), idle.read_all());
        assert_eq!(end, End::Stopped { cut: 0 });
        assert_eq!(rest, "");
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "{:?}",
            begun.elapsed()
        );
    });
}

#[test]
fn requests_in_flight_finish_and_are_told_to_close() {
    world::run(async {
        let (world, socket, backend) = started(Duration::from_secs(20)).await;
        let mut raw = Raw::connect(socket).await;
        raw.send("GET / HTTP/1.1\r\nhost: a\r\nx-lab-delay-ms: 1000\r\n\r\n")
            .await;
        until_requests(&backend, 1).await;
        let (end, answer) = tokio::join!(world.gateway.stop(), raw.read_all());
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(
            answer.to_lowercase().contains("connection: close"),
            "{answer}"
        );
        assert_eq!(end, End::Stopped { cut: 0 });
        assert!(tokio::net::TcpStream::connect(socket).await.is_err());
    });
}

#[test]
fn http2_streams_in_flight_finish_and_the_connection_is_told_to_go_away() {
    world::run(async {
        let (world, socket, backend) = started(Duration::from_secs(20)).await;
        let client = Http2::connect(socket).await;
        let slow = client.send(
            "GET",
            "http://a.example/",
            &[("x-lab-delay-ms", "1000")],
            b"",
        );
        let stop = async {
            until_requests(&backend, 1).await;
            world.gateway.stop().await
        };
        let (answer, end) = tokio::join!(slow, stop);
        assert_eq!(answer.status, 200);
        assert_eq!(end, End::Stopped { cut: 0 });
        assert!(
            client
                .try_send("GET", "http://a.example/", &[], b"")
                .await
                .is_err()
        );
    });
}

#[test]
fn what_does_not_finish_in_time_is_cut() {
    world::run(async {
        let (world, socket, backend) = started(Duration::from_secs(1)).await;
        let mut raw = Raw::connect(socket).await;
        raw.send("GET / HTTP/1.1\r\nhost: a\r\nx-lab-delay-ms: 60000\r\n\r\n")
            .await;
        until_requests(&backend, 1).await;
        let begun = Instant::now();
        let (end, answer) = tokio::join!(world.gateway.stop(), raw.read_all());
        assert_eq!(end, End::Stopped { cut: 1 });
        assert_eq!(answer, "");
        assert!(
            begun.elapsed() < Duration::from_secs(15),
            "{:?}",
            begun.elapsed()
        );
    });
}
