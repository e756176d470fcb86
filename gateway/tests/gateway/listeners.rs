//! Sockets and tables that change under load.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use mcwan_lab::backend::{Backend, BackendConfig};
use mcwan_routing::filter::HeaderModifier;
use mcwan_routing::rule::{Filters, Rule};
use mcwan_routing::spec::Role;
use tokio::task::JoinSet;

use crate::world::{self, PATIENCE, Raw, World, at, config, get, http1, name_of, to};

/// Keep-alive clients that send requests until told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    clients: JoinSet<Result<(), String>>,
}

impl Load {
    fn start(socket: SocketAddr, count: usize) -> Self {
        let (stop, answered) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicUsize::new(0)),
        );
        let mut clients = JoinSet::new();
        for _ in 0..count {
            let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
            clients.spawn(async move {
                let mut raw = Raw::connect(socket).await;
                while !stop.load(Ordering::Relaxed) {
                    raw.send("GET /load HTTP/1.1\r\nhost: a\r\nx-lab-status: 204\r\n\r\n")
                        .await;
                    let answer = raw.read_until(|t| t.ends_with("\r\n\r\n")).await;
                    if !answer.starts_with("HTTP/1.1 204 ") {
                        return Err(answer);
                    }
                    answered.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            });
        }
        Self {
            stop,
            answered,
            clients,
        }
    }

    /// Stops the clients; every request of theirs was answered. Returns how many.
    async fn finish(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        for result in self.clients.join_all().await {
            assert_eq!(result, Ok(()));
        }
        self.answered.load(Ordering::Relaxed)
    }
}

#[test]
fn sockets_come_and_go_without_a_lost_request_on_another() {
    world::run(async {
        let backend = Backend::start(BackendConfig::http1("one")).await.unwrap();
        let (mut world, socket) = World::with_rules(
            vec![at("/", to("one"))],
            &[("one", http1(&[backend.address()]))],
        )
        .await;
        let load = Load::start(socket, 4);
        for _ in 0..20 {
            let other = world.add_socket(Role::Plain, vec![at("/", to("one"))]);
            world.publish().await;
            assert!(get(other, "/").await.starts_with("HTTP/1.1 200 "));
            world.spec.sockets.retain(|s| s.socket != other);
            world.publish().await;
            let refused = tokio::net::TcpStream::connect(other).await;
            assert!(refused.is_err(), "{other} is still open");
        }
        assert!(load.finish().await > 20);
        world.gateway.stop().await;
    });
}

#[test]
fn a_request_in_flight_on_a_removed_socket_finishes_and_its_connection_closes() {
    world::run(async {
        let backend = Backend::start(BackendConfig::http1("one")).await.unwrap();
        let (mut world, socket) = World::with_rules(
            vec![at("/", to("one"))],
            &[("one", http1(&[backend.address()]))],
        )
        .await;
        let mut busy = Raw::connect(socket).await;
        busy.send("GET / HTTP/1.1\r\nhost: a\r\nx-lab-delay-ms: 500\r\n\r\n")
            .await;
        let mut idle = Raw::connect(socket).await;
        idle.send("GET / HTTP/1.1\r\nhost: a\r\nx-lab-status: 204\r\n\r\n")
            .await;
        idle.read_until(|t| t.ends_with("\r\n\r\n")).await;
        while backend.requests() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        world.spec.sockets.clear();
        world.publish().await;
        // Both reads end only when the gateway closes.
        let (busy, idle) = tokio::join!(busy.read_all(), idle.read_all());
        assert!(busy.starts_with("HTTP/1.1 200 "), "{busy}");
        assert!(busy.to_lowercase().contains("connection: close"), "{busy}");
        assert_eq!(idle, "");
        world.gateway.stop().await;
    });
}

#[test]
fn a_socket_in_use_is_reported_and_bound_as_soon_as_it_is_free() {
    world::run(async {
        let mut world = World::start(config());
        let socket = world.add_socket(Role::Plain, vec![]);
        let holder = std::net::TcpListener::bind(socket).unwrap();
        let good = world.add_socket(Role::Plain, vec![]);
        let generation = world.gateway.table().publish(world.spec.clone());
        let mut report = world.gateway.report().subscribe();
        let failed = report.wait_for(|s| s.generation == generation && s.error(socket).is_some());
        let failed = tokio::time::timeout(PATIENCE, failed)
            .await
            .unwrap()
            .unwrap()
            .clone();
        assert!(!failed.all_listening());
        assert!(
            failed.error(socket).unwrap().contains("in use"),
            "{failed:?}"
        );
        assert!(get(good, "/").await.starts_with("HTTP/1.1 404 "));
        drop(holder);
        tokio::time::timeout(PATIENCE, world.gateway.listening(generation))
            .await
            .unwrap()
            .unwrap();
        assert!(get(socket, "/").await.starts_with("HTTP/1.1 404 "));
        world.gateway.stop().await;
    });
}

#[test]
fn a_socket_whose_purpose_changes_stays_open() {
    world::run(async {
        let mut world = World::start(config());
        let socket = world.add_socket(Role::Plain, vec![]);
        world.publish().await;
        world.spec.sockets[0].role = Role::Ingress;
        world.publish().await;
        let answer = get(socket, "/").await;
        assert!(
            answer
                .to_lowercase()
                .contains("x-mc-wan-origin: gateway-unsent"),
            "{answer}"
        );
        world.gateway.stop().await;
    });
}

#[test]
fn of_a_load_during_1000_edits_of_the_table_no_request_fails() {
    world::run(async {
        let one = Backend::start(BackendConfig::http1("one")).await.unwrap();
        let two = Backend::start(BackendConfig::http1("two")).await.unwrap();
        let (mut world, socket) = World::with_rules(
            vec![at("/", to("one"))],
            &[("one", http1(&[one.address()]))],
        )
        .await;
        let load = Load::start(socket, 4);
        for edit in 0..1000_u32 {
            let endpoints = if edit % 2 == 0 {
                [two.address()]
            } else {
                [one.address()]
            };
            world
                .spec
                .backends
                .insert(name_of("one"), http1(&endpoints));
            let mut filters = Filters::default();
            let value = http::HeaderValue::from(edit);
            filters.response_headers = HeaderModifier {
                set: vec![(http::HeaderName::from_static("x-edit"), value)],
                ..HeaderModifier::default()
            };
            world.spec.sockets[0].listeners[0].routes = vec![at(
                "/",
                Rule {
                    filters,
                    ..to("one")
                },
            )];
            world.gateway.table().publish(world.spec.clone());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(load.finish().await > 100);
        let answer = get(socket, "/").await;
        assert!(answer.to_lowercase().contains("x-edit: 999"), "{answer}");
        world.gateway.stop().await;
    });
}

#[test]
fn several_gateways_live_in_one_process() {
    world::run(async {
        let mut worlds = Vec::new();
        for _ in 0..3 {
            worlds.push(World::with_rules(vec![], &[]).await);
        }
        for (_, socket) in &worlds {
            assert!(get(*socket, "/").await.starts_with("HTTP/1.1 404 "));
        }
        for (world, _) in worlds {
            world.gateway.stop().await;
        }
    });
}
