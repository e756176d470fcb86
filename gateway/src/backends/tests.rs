use std::collections::BTreeMap;
use std::time::Duration;

use mcwan_routing::spec::Backend as BackendSpec;

use super::*;
use crate::upstream::testing::{Server, until};

fn name(service: &str) -> BackendName {
    BackendName {
        namespace: "mc-wan".to_owned(),
        service: service.to_owned(),
        port: 80,
    }
}

fn tunnel(policy: &str) -> Tunnel {
    Tunnel {
        cluster: "cluster-1".to_owned(),
        policy: policy.to_owned(),
        class: "internet".to_owned(),
        min_connections: 1,
        max_connections: 4,
        max_age: Duration::from_secs(600),
        max_streams: 100,
        hold_down: Duration::from_secs(60),
        max_hold_down: Duration::from_secs(1200),
        dscp: None,
    }
}

fn spec(addresses: &[SocketAddr], tunnel: Option<Tunnel>) -> BackendSpec {
    BackendSpec {
        protocol: if tunnel.is_some() {
            BackendProtocol::H2c
        } else {
            BackendProtocol::Http1
        },
        endpoints: addresses.to_vec(),
        tunnel,
    }
}

fn link(registry: &Registry, service: &str, spec: BackendSpec) -> Arc<Backend> {
    let specs = BTreeMap::from([(name(service), spec)]);
    let linked = registry.link(&specs);
    registry.adopt(linked.values());
    Arc::clone(&linked[&name(service)])
}

fn addresses(count: u16) -> Vec<SocketAddr> {
    (1..=count).map(|n| ([127, 0, 0, 1], n).into()).collect()
}

fn fail(lease: Lease) {
    lease.connect_failed();
}

#[test]
fn a_backend_without_endpoints_is_down_and_gives_no_lease() {
    let registry = Registry::default();
    let backend = link(&registry, "none", spec(&[], None));
    assert_eq!(backend.health(), Health::Down);
    assert!(backend.pick(&[]).is_none());
}

#[test]
fn the_tried_are_picked_only_when_all_were_tried() {
    let registry = Registry::default();
    let addresses = addresses(2);
    let backend = link(&registry, "two", spec(&addresses, None));
    for _ in 0..50 {
        let lease = backend.pick(&addresses[..1]).unwrap();
        assert_eq!(lease.endpoint().address, addresses[1]);
    }
    assert!(backend.pick(&addresses).is_some());
}

#[test]
fn load_counts_until_the_lease_is_dropped() {
    let registry = Registry::default();
    let backend = link(&registry, "two", spec(&addresses(2), None));
    let leases: Vec<Lease> = (0..10).map(|_| backend.pick(&[]).unwrap()).collect();
    let loads: Vec<usize> = backend.endpoints.iter().map(|e| e.in_flight()).collect();
    assert_eq!(
        loads,
        [5, 5],
        "two equal endpoints: the lighter one of both"
    );
    drop(leases);
    assert!(backend.endpoints.iter().all(|e| e.in_flight() == 0));
}

#[tokio::test(start_paused = true)]
async fn an_ejected_endpoint_rests_and_is_probed_by_one_request() {
    let registry = Registry::default();
    let addresses = addresses(2);
    let backend = link(&registry, "two", spec(&addresses, None));
    for _ in 0..3 {
        fail(backend.pick(&addresses[1..]).unwrap());
    }
    for _ in 0..50 {
        assert_eq!(backend.pick(&[]).unwrap().endpoint().address, addresses[1]);
    }
    tokio::time::advance(Duration::from_secs(1)).await;
    let probe = backend.pick(&addresses[1..]).unwrap();
    assert_eq!(probe.endpoint().address, addresses[0]);
    for _ in 0..50 {
        assert_eq!(backend.pick(&[]).unwrap().endpoint().address, addresses[1]);
    }
    // The client of the probe went away: another one may find out.
    drop(probe);
    let probe = backend.pick(&addresses[1..]).unwrap();
    assert_eq!(probe.endpoint().address, addresses[0]);
    probe.answered(Duration::from_millis(1));
    assert_eq!(backend.endpoints[0].health(), Health::Healthy);
}

#[test]
fn all_ejected_are_still_used() {
    let registry = Registry::default();
    let backend = link(&registry, "two", spec(&addresses(2), None));
    for _ in 0..20 {
        fail(backend.pick(&[]).unwrap());
    }
    assert_eq!(backend.health(), Health::Recovering);
    assert!(backend.pick(&[]).is_some());
}

#[test]
fn endpoints_keep_their_state_over_tables_and_are_forgotten_without_users() {
    let registry = Registry::default();
    let first = link(&registry, "a", spec(&addresses(2), None));
    let lease = first.pick(&[]).unwrap();
    let id = lease.endpoint().id;
    assert_eq!(id % 2, 0);
    let second = link(&registry, "renamed", spec(&addresses(2), None));
    assert!(Arc::ptr_eq(&first.endpoints[0], &second.endpoints[0]));
    drop((first, second));
    link(&registry, "gone", spec(&[], None));
    assert!(registry.endpoint(id).is_some(), "a request still uses it");
    drop(lease);
    assert!(registry.endpoint(id).is_none());
}

#[test]
fn the_same_address_under_another_policy_is_another_endpoint() {
    let registry = Registry::default();
    let business = link(
        &registry,
        "b",
        spec(&addresses(1), Some(tunnel("business"))),
    );
    let default = link(&registry, "d", spec(&addresses(1), Some(tunnel("default"))));
    let plain = link(&registry, "p", spec(&addresses(1), None));
    let ids = [&business, &default, &plain].map(|b| b.endpoints[0].id);
    assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
}

#[tokio::test]
async fn a_tunnel_connects_by_itself_and_closes_when_it_leaves_the_table() {
    let server = Server::start(100).await;
    let registry = Registry::default();
    let backend = link(
        &registry,
        "t",
        spec(&[server.address], Some(tunnel("business"))),
    );
    assert_eq!(backend.health(), Health::Unknown);
    until("healthy", || backend.health() == Health::Healthy).await;
    let report = &registry.tunnels()[0];
    assert_eq!(
        (report.cluster.as_str(), report.policy.as_str()),
        ("cluster-1", "business")
    );
    assert_eq!((report.address, report.connections), (server.address, 1));
    assert!(report.rtt_ms.is_some());
    assert!(report.last_failure.is_empty());

    let kept = link(
        &registry,
        "t",
        spec(&[server.address], Some(tunnel("business"))),
    );
    assert!(Arc::ptr_eq(&kept.endpoints[0], &backend.endpoints[0]));
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(server.connections(), 1, "a new table keeps the connection");

    link(&registry, "none", spec(&[], None));
    until("closed", || server.open() == 0).await;
    assert!(registry.tunnels().is_empty());
    registry.shutdown().await;
}

#[tokio::test]
async fn a_frozen_peer_takes_its_tunnel_down_until_it_answers() {
    let server = Server::start(100).await;
    let registry = Registry::default();
    let backend = link(
        &registry,
        "t",
        spec(&[server.address], Some(tunnel("business"))),
    );
    until("healthy", || backend.health() == Health::Healthy).await;
    server.frozen.send_replace(true);
    until("down", || backend.health() == Health::Down).await;
    assert!(backend.pick(&[]).is_none());
    assert_eq!(registry.tunnels()[0].last_failure, "no answer to PING");
    server.frozen.send_replace(false);
    until("back", || backend.health() == Health::Recovering).await;
    assert!(backend.pick(&[]).is_some(), "the last resort");
    registry.shutdown().await;
}

#[tokio::test]
async fn an_edited_policy_does_not_forget_that_its_tunnel_is_down() {
    let registry = Registry::default();
    let server = Server::start(100).await;
    let address = server.address;
    let backend = link(&registry, "t", spec(&[address], Some(tunnel("business"))));
    until("healthy", || backend.health() == Health::Healthy).await;
    drop(server);
    until("down", || backend.health() == Health::Down).await;
    let edited = Tunnel {
        hold_down: Duration::from_secs(5),
        ..tunnel("business")
    };
    let backend = link(&registry, "t", spec(&[address], Some(edited)));
    assert_eq!(backend.health(), Health::Down);
    registry.shutdown().await;
}

#[test]
fn a_registry_that_starts_later_connects_what_it_knows() {
    let registry = Registry::default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let server = runtime.block_on(Server::start(100));
    let backend = link(
        &registry,
        "t",
        spec(&[server.address], Some(tunnel("business"))),
    );
    assert_eq!(backend.health(), Health::Unknown);
    registry.start(runtime.handle());
    runtime.block_on(until("healthy", || backend.health() == Health::Healthy));
    runtime.block_on(registry.shutdown());
}

#[tokio::test]
async fn a_tunnel_is_http2_whatever_its_service_says() {
    let server = Server::start(100).await;
    let registry = Registry::default();
    let spec = BackendSpec {
        protocol: BackendProtocol::Http1,
        ..spec(&[server.address], Some(tunnel("business")))
    };
    let backend = link(&registry, "t", spec);
    until("healthy", || backend.health() == Health::Healthy).await;
    let peer = backend.pick(&[]).unwrap().peer(PeerNeeds::default());
    assert!(matches!(
        peer.options.alpn,
        pingora_core::protocols::tls::ALPN::Custom(_)
    ));
    registry.shutdown().await;
}
