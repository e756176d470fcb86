//! One request after the other.

use mcwan_lab::backend::{Backend, BackendConfig};

use crate::world::{self, World, at, exchange, get, http1, to};

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
