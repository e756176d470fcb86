//! Peers over HTTP: API servers that are linked, fail, lie and come back.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::{Client, Config};
use mcwan_controller::peers::{Figures, Known, Pace, Peers};
use mcwan_k8s::access::{Endpoint, kubeconfig};
use mcwan_k8s::offer::{OfferedService, PeerOffer};
use mcwan_k8s::outbox::publish;
use mcwan_k8s::status::Answer;
use mcwan_lab::api_server::{ApiServer, Fault, Resource};
use mcwan_telemetry::metrics::Metrics;
use mcwan_watch::{Selection, Watch};
use serde_json::{Value, json};
use tokio::sync::watch::Receiver;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(40);

fn resource(group: &str, version: &str, plural: &str, kind: &str) -> Resource {
    Resource {
        group: group.to_owned(),
        version: version.to_owned(),
        plural: plural.to_owned(),
        kind: kind.to_owned(),
    }
}

/// An API server with what the own cluster and a peer have.
async fn server() -> ApiServer {
    let own = |plural, kind| resource("mc-wan.l7mp.io", "v1alpha1", plural, kind);
    let server = ApiServer::start([
        own("clusterpeers", "ClusterPeer"),
        own("publishedclusters", "PublishedCluster"),
        own("publishedservices", "PublishedService"),
        resource("", "v1", "secrets", "Secret"),
        resource("coordination.k8s.io", "v1", "leases", "Lease"),
    ]);
    server.await.unwrap()
}

fn client(server: &ApiServer) -> Client {
    let _again = rustls::crypto::ring::default_provider().install_default();
    Client::try_from(Config::new(server.url().parse().unwrap())).unwrap()
}

/// The outbox of a cluster with these services, and a Lease that was renewed just now.
fn published(server: &ApiServer, cluster: &str, services: &[&str]) {
    let service = |name: &&str| OfferedService {
        namespace: "secure".to_owned(),
        name: (*name).to_owned(),
        created: 1_700_000_000,
        ..OfferedService::default()
    };
    let offer = PeerOffer {
        cluster: cluster.to_owned(),
        gateways: vec!["10.77.1.1".parse().unwrap()],
        services: services.iter().map(service).collect(),
        ..PeerOffer::default()
    };
    for object in publish(&offer, None) {
        server.apply(serde_json::to_value(&object).unwrap());
    }
    renew(server);
}

fn renew(server: &ApiServer) {
    server.apply(json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"namespace": "mc-wan", "name": "mcwan-controller"},
        "spec": {"holderIdentity": "x", "leaseDurationSeconds": 15, "renewTime": Timestamp::now().to_string()},
    }));
}

fn secret(cluster: &str, text: &str) -> Value {
    let secret = k8s_openapi::api::core::v1::Secret {
        metadata: kube::core::ObjectMeta {
            namespace: Some("mc-wan".to_owned()),
            name: Some(format!("to-{cluster}")),
            ..kube::core::ObjectMeta::default()
        },
        data: Some(
            [(
                "kubeconfig".to_owned(),
                k8s_openapi::ByteString(text.as_bytes().to_vec()),
            )]
            .into(),
        ),
        ..k8s_openapi::api::core::v1::Secret::default()
    };
    serde_json::to_value(secret).unwrap()
}

/// The kubeconfig by which a peer is reached.
fn access(peer: &ApiServer, cluster: &str) -> String {
    let endpoint = Endpoint {
        server: peer.url(),
        certificate_authority: None,
        tls_server_name: None,
        token: "t0ken".to_owned(),
    };
    kubeconfig(cluster, &endpoint)
}

/// The own cluster, cluster-0, and the peers that it follows.
struct World {
    own: ApiServer,
    metrics: Metrics,
    known: Receiver<Option<Arc<Known>>>,
    _watch: Watch,
    _tasks: JoinSet<()>,
}

impl World {
    async fn start() -> Self {
        let own = server().await;
        let selection = Selection::of(|kind| {
            matches!(
                &*kind.kind,
                "ClusterPeer" | "PublishedCluster" | "PublishedService"
            )
        });
        let watch = Watch::start(client(&own), "cluster-0", &selection);
        let metrics = Metrics::new("test", "0").unwrap();
        let pace = Pace {
            lease: Duration::from_millis(50),
            hurry: Duration::from_millis(20),
            answer: Duration::from_millis(500),
        };
        let peers = Peers::new(client(&own), Figures::new(&metrics).unwrap(), pace);
        let known = peers.subscribe();
        let mut tasks = JoinSet::new();
        tasks.spawn(peers.run(watch.view().clone(), CancellationToken::new()));
        Self {
            own,
            metrics,
            known,
            _watch: watch,
            _tasks: tasks,
        }
    }

    /// Links a peer, which publishes what it has.
    fn link(&self, peer: &ApiServer, cluster: &str) {
        self.own.apply(secret(cluster, &access(peer, cluster)));
        self.name(cluster);
    }

    fn name(&self, cluster: &str) {
        self.own.apply(json!({
            "apiVersion": "mc-wan.l7mp.io/v1alpha1", "kind": "ClusterPeer",
            "metadata": {"name": cluster},
            "spec": {"clusterId": cluster, "kubeconfigSecretRef": {"name": format!("to-{cluster}")}},
        }));
    }

    /// Waits until something holds of what is known.
    async fn until(&mut self, what: &str, holds: impl Fn(&Known) -> bool) {
        let holds = |k: &Option<Arc<Known>>| k.as_ref().is_some_and(|k| holds(k));
        let reached = timeout(PATIENCE, self.known.wait_for(holds)).await.is_ok();
        assert!(reached, "{what}: {:#?}", *self.known.borrow());
    }

    fn services(&self) -> Vec<String> {
        self.known
            .borrow()
            .as_ref()
            .map(|k| services(k))
            .unwrap_or_default()
    }
}

fn services(known: &Known) -> Vec<String> {
    let services = known.offers.iter().flat_map(|o| o.services.iter());
    services.map(|s| s.name.clone()).collect()
}

fn connected(known: &Known, peer: &str) -> (Answer, String) {
    let facts = known.facts.iter().find(|f| f.name == peer);
    facts
        .map(|f| (f.connected.answer, f.connected.reason.clone()))
        .unwrap_or_default()
}

fn is_synced(known: &Known, peer: &str) -> bool {
    let facts = known.facts.iter().find(|f| f.name == peer);
    facts.is_some_and(|f| f.synced.answer == Answer::True)
}

/// A peer that was read and whose Lease was seen to be renewed.
async fn synced(world: &mut World, names: &[&str]) -> ApiServer {
    let peer = server().await;
    published(&peer, "cluster-1", names);
    world.link(&peer, "cluster-1");
    let expected = names.to_vec();
    world
        .until("what the peer publishes is in force", |k| {
            services(k) == expected
        })
        .await;
    renew(&peer);
    world
        .until("the peer is synced", |k| is_synced(k, "cluster-1"))
        .await;
    peer
}

#[tokio::test]
async fn a_linked_peer_is_followed_and_an_unlinked_one_is_forgotten() {
    let mut world = World::start().await;
    let peer = synced(&mut world, &["a", "b"]).await;
    published(&peer, "cluster-1", &["a", "b", "c"]);
    world
        .until("an addition", |k| services(k) == ["a", "b", "c"])
        .await;
    peer.delete("publishedservices", "mc-wan", "secure.a");
    published(&peer, "cluster-1", &["b", "c"]);
    world
        .until("a withdrawal", |k| services(k) == ["b", "c"])
        .await;
    world.own.delete("clusterpeers", "", "cluster-1");
    world
        .until("nothing of a peer that is not named", |k| {
            k.offers.is_empty() && k.copies.is_empty()
        })
        .await;
}

#[tokio::test]
async fn a_peer_whose_api_server_is_away_keeps_what_it_offered() {
    let mut world = World::start().await;
    let peer = synced(&mut world, &["a"]).await;
    let faults = [
        (Fault::Away, "Unreachable"),
        (Fault::Hang, "Unreachable"),
        (Fault::Status(401), "Unauthorized"),
        (Fault::Status(403), "Forbidden"),
        (Fault::Status(500), "Refused"),
    ];
    for (fault, reason) in faults {
        peer.fault(fault);
        let expected = (Answer::False, reason.to_owned());
        world
            .until(reason, |k| connected(k, "cluster-1") == expected)
            .await;
        assert_eq!(world.services(), ["a"], "{reason}");
        peer.fault(Fault::None);
        world
            .until("it is back", |k| {
                connected(k, "cluster-1").0 == Answer::True
            })
            .await;
    }
    published(&peer, "cluster-1", &["a", "b"]);
    world
        .until("it is followed again", |k| services(k) == ["a", "b"])
        .await;
}

#[tokio::test]
async fn an_own_api_server_that_is_away_does_not_end_the_connection_to_a_peer() {
    let mut world = World::start().await;
    let peer = synced(&mut world, &["a"]).await;
    world.own.fault(Fault::Status(500));
    published(&peer, "cluster-1", &["a", "b"]);
    world
        .until("news of the peer", |k| services(k) == ["a", "b"])
        .await;
    assert_eq!(
        connected(world.known.borrow().as_ref().unwrap(), "cluster-1").0,
        Answer::True
    );
}

#[tokio::test]
async fn a_kubeconfig_is_taken_up_while_running_and_a_bad_one_changes_nothing() {
    let mut world = World::start().await;
    let _peer = synced(&mut world, &["a"]).await;
    world.own.apply(secret("cluster-1", "not: a\nkubeconfig"));
    let invalid = (Answer::False, "InvalidKubeconfig".to_owned());
    world
        .until("the mistake is named", |k| {
            connected(k, "cluster-1") == invalid
        })
        .await;
    assert_eq!(world.services(), ["a"]);
    let problem = world.known.borrow().as_ref().unwrap().problems[0].clone();
    assert_eq!(
        (problem.object.name.as_str(), problem.reason.as_str()),
        ("cluster-1", "InvalidKubeconfig")
    );
    world.own.delete("secrets", "mc-wan", "to-cluster-1");
    let missing = (Answer::False, "SecretNotFound".to_owned());
    world
        .until("the Secret is gone", |k| {
            connected(k, "cluster-1") == missing
        })
        .await;
    assert_eq!(world.services(), ["a"]);
    // The peer has moved.
    let moved = server().await;
    published(&moved, "cluster-1", &["a", "z"]);
    world
        .own
        .apply(secret("cluster-1", &access(&moved, "cluster-1")));
    world
        .until("the new address is used", |k| {
            services(k) == ["a", "z"] && k.problems.is_empty()
        })
        .await;
}

#[tokio::test]
async fn a_dead_peer_does_not_keep_another_from_being_read() {
    let mut world = World::start().await;
    let dead = server().await;
    dead.fault(Fault::Hang);
    world.link(&dead, "cluster-3");
    world.name("cluster-4");
    let _peer = synced(&mut world, &["a"]).await;
    assert_eq!(world.services(), ["a"]);
    world
        .until("the others are named", |k| {
            connected(k, "cluster-3").0 == Answer::False
                && connected(k, "cluster-4").1 == "SecretNotFound"
        })
        .await;
}

#[tokio::test]
async fn a_controller_that_starts_begins_with_what_was_kept() {
    let mut before = World::start().await;
    let peer = synced(&mut before, &["a", "b"]).await;
    let copies = before.known.borrow().as_ref().unwrap().copies.clone();
    peer.fault(Fault::Away);
    let mut after = World::start().await;
    for object in copies.iter().filter(|o| o.key().0 == "mc-wan-cache") {
        after.own.apply(serde_json::to_value(object).unwrap());
    }
    after.link(&peer, "cluster-1");
    let unreachable = (Answer::False, "Unreachable".to_owned());
    after
        .until("it cannot be reached", |k| {
            connected(k, "cluster-1") == unreachable
        })
        .await;
    assert_eq!(after.services(), ["a", "b"]);
    assert_eq!(after.known.borrow().as_ref().unwrap().copies, copies);
}

#[tokio::test]
async fn a_wiped_outbox_takes_nothing_along() {
    let mut world = World::start().await;
    let peer = synced(&mut world, &["a", "b"]).await;
    for name in ["secure.a", "secure.b"] {
        peer.delete("publishedservices", "mc-wan", name);
    }
    let reason = |k: &Known| k.facts[0].synced.reason.clone();
    world
        .until("services are missing", |k| reason(k) == "Incomplete")
        .await;
    peer.delete("publishedclusters", "mc-wan", "cluster-1");
    world
        .until("all is missing", |k| reason(k) == "NoPublishedCluster")
        .await;
    assert_eq!(world.services(), ["a", "b"]);
}

#[tokio::test]
async fn refused_payloads_are_counted_by_peer_and_reason() {
    let mut world = World::start().await;
    let peer = synced(&mut world, &["a"]).await;
    peer.apply(json!({
        "apiVersion": "mc-wan.l7mp.io/v1alpha1", "kind": "PublishedService",
        "metadata": {"namespace": "mc-wan", "name": "kube-system.dns"},
        "spec": {"cluster": "cluster-1", "service": {
            "namespace": "kube-system", "name": "dns", "created": 1_700_000_000, "headless": false, "ports": [],
            "labels": {}, "annotations": {}, "ipFamilies": [],
        }},
    }));
    world
        .until("it is named", |k| {
            k.problems.iter().any(|p| p.reason == "ForbiddenNamespace")
        })
        .await;
    assert_eq!(world.services(), ["a"]);
    let counted = "mcwan_peer_rejected_total{peer=\"cluster-1\",reason=\"ForbiddenNamespace\"} 1";
    let shown = async {
        while !world.metrics.encode().unwrap().contains(counted) {
            sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(
        timeout(PATIENCE, shown).await.is_ok(),
        "{}",
        world.metrics.encode().unwrap()
    );
}
