//! From an API server that misbehaves to a table. No sockets: what is bound is another test's subject.

use std::sync::Arc;
use std::time::Duration;

use mcwan_k8s::object::kinds;
use mcwan_lab::api_server::{ApiServer, Fault, Resource};
use mcwan_telemetry::metrics::Metrics;
use mcwan_telemetry::readiness::Readiness;
use mcwan_watch::Pace;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::bind::{Bind, Home};
use super::{Cluster, Parts, Settings};
use crate::backends::Registry;
use crate::listen::report::ListenReport;
use crate::live::LiveTable;
use crate::observe::Observer;

const PATIENCE: Duration = Duration::from_secs(20);

struct World {
    server: ApiServer,
    parts: Parts,
    cluster: Cluster,
}

/// Every kind that the gateway may ask for.
fn resources() -> Vec<Resource> {
    let resource = |kind: &mcwan_k8s::object::Kind| Resource {
        group: kind.group.to_string(),
        version: kind.version.to_string(),
        plural: kind.plural.to_string(),
        kind: kind.kind.to_string(),
    };
    kinds().iter().map(resource).collect()
}

fn gateway(class: &str, addresses: &Value) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
        "metadata": {"namespace": "shop", "name": "front"},
        "spec": {
            "gatewayClassName": class,
            "addresses": addresses,
            "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}],
        },
    })
}

fn route(path: &str) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {"namespace": "shop", "name": "web"},
        "spec": {
            "parentRefs": [{"name": "front"}],
            "rules": [{
                "matches": [{"path": {"type": "PathPrefix", "value": path}}],
                "filters": [{"type": "RequestRedirect", "requestRedirect": {"statusCode": 302, "hostname": "b.example"}}],
            }],
        },
    })
}

impl World {
    /// A Gateway `shop/front` with one route, served by this process with `bind`.
    async fn start(bind: Bind, objects: &[Value]) -> Self {
        Self::start_with(bind, objects, |_| {}).await
    }

    async fn start_with(bind: Bind, objects: &[Value], spoil: impl Fn(&ApiServer)) -> Self {
        let server = ApiServer::start(resources()).await.unwrap();
        objects.iter().for_each(|o| server.apply(o.clone()));
        spoil(&server);
        let _again = rustls::crypto::ring::default_provider().install_default();
        let metrics = Metrics::new("test", "0").unwrap();
        let parts = Parts {
            live: Arc::new(LiveTable::new(Arc::new(Registry::default()))),
            observer: Arc::new(Observer::new("unknown", None, &metrics).unwrap()),
            readiness: Readiness::default(),
            metrics,
            report: ListenReport::default(),
        };
        let settings = Settings {
            gateway: ("shop".to_owned(), "front".to_owned()),
            bind,
            cluster: None,
            pace: Pace {
                first: Duration::from_millis(10),
                longest: Duration::from_millis(100),
                answer: Duration::from_millis(500),
                absent: Duration::from_millis(50),
                ..Pace::default()
            },
        };
        let cluster = Cluster::start(client(&server).await, settings, parts.clone()).unwrap();
        Self {
            server,
            parts,
            cluster,
        }
    }

    async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let reached = async {
            while !holds(self) {
                sleep(Duration::from_millis(5)).await;
            }
        };
        let reached = timeout(PATIENCE, reached).await;
        let (sockets, page) = (self.sockets(), self.parts.readiness.verbose());
        assert!(reached.is_ok(), "{what}: {sockets:?}\n{page}");
    }

    fn sockets(&self) -> Vec<String> {
        let live = self.parts.live.load();
        let sockets = live.table.spec().sockets.iter();
        sockets.map(|s| s.socket.to_string()).collect()
    }

    fn rules(&self) -> usize {
        self.parts.live.load().rules.len()
    }

    fn says(&self, text: &str) -> bool {
        self.parts.readiness.verbose().contains(text)
    }
}

async fn client(server: &ApiServer) -> mcwan_watch::Client {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("kubeconfig");
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": server.url()}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    });
    std::fs::write(&path, kubeconfig.to_string()).unwrap();
    mcwan_watch::connect(Some(&path), None).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_complete_snapshot_makes_the_first_table_and_changes_follow() {
    let world = World::start(
        Bind::AsWritten,
        &[gateway("mc-wan", &Value::Null), route("/a")],
    )
    .await;
    world
        .until("a table", |w| {
            w.sockets() == ["0.0.0.0:10080"] && w.rules() == 1
        })
        .await;
    assert!(world.says("[+] table: generation 1") && world.says("[+] gateway: shop/front"));
    let before = world.parts.live.load().generation;
    world.server.apply(route("/b"));
    world
        .until("a change", |w| w.parts.live.load().generation > before)
        .await;
    world.server.delete("httproutes", "shop", "web");
    world.until("no route", |w| w.rules() == 0).await;
    assert_eq!(world.sockets(), ["0.0.0.0:10080"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_fails_leaves_the_table_and_the_readiness_alone() {
    let world = World::start(
        Bind::AsWritten,
        &[gateway("mc-wan", &Value::Null), route("/a")],
    )
    .await;
    world.until("a table", |w| w.rules() == 1).await;
    let generation = world.parts.live.load().generation;
    for fault in [
        Fault::Away,
        Fault::Status(500),
        Fault::Html,
        Fault::Status(404),
    ] {
        world.server.fault(fault);
        world
            .until("trouble is told", |w| w.says("[-] watch: httproutes"))
            .await;
        sleep(Duration::from_millis(300)).await;
        assert_eq!(world.parts.live.load().generation, generation, "{fault:?}");
        assert!(world.says("[+] table") && world.says("[+] gateway"));
        world.server.fault(Fault::None);
        world.until("it is over", |w| !w.says("[-] watch")).await;
    }
    let metrics = world.parts.metrics.encode().unwrap();
    assert!(
        metrics.contains(
            "mcwan_watch_synced{group=\"gateway.networking.k8s.io\",kind=\"HTTPRoute\"} 1"
        )
    );
    assert!(metrics.contains("mcwan_watch_failing_seconds{group=\"\",kind=\"Service\"} 0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn before_every_kind_was_listed_there_is_no_table() {
    let objects = [gateway("mc-wan", &Value::Null)];
    let spoil = |server: &ApiServer| server.fault_of("httproutes", Fault::Status(500));
    let world = World::start_with(Bind::AsWritten, &objects, spoil).await;
    let text = "[-] table: waiting for the first complete list of httproutes\n";
    world
        .until("it says what it waits for", |w| w.says(text))
        .await;
    sleep(Duration::from_millis(300)).await;
    assert_eq!(world.parts.live.load().generation, 0);
    world.server.fault_of("httproutes", Fault::None);
    world.until("a table", |w| !w.sockets().is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_of_another_class_is_not_served_and_that_is_said() {
    let world = World::start(
        Bind::AsWritten,
        &[gateway("nginx", &Value::Null), route("/a")],
    )
    .await;
    world
        .until("it says so", |w| {
            w.says("[-] gateway: Gateway shop/front is not of a class")
        })
        .await;
    assert!(world.sockets().is_empty() && !world.parts.readiness.is_ready());
    world.server.apply(gateway("mc-wan", &Value::Null));
    world
        .until("it is served", |w| !w.sockets().is_empty())
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_gateway_is_no_longer_served_but_one_that_was_lost_is() {
    let objects = [gateway("mc-wan", &Value::Null), route("/a")];
    let world = World::start(Bind::AsWritten, &objects).await;
    world.until("a table", |w| w.rules() == 1).await;
    world.server.delete("gateways", "shop", "front");
    world.until("it is gone", |w| w.sockets().is_empty()).await;
    assert!(world.says("there is no Gateway shop/front"));

    let world = World::start(Bind::AsWritten, &objects).await;
    world.until("a table", |w| w.rules() == 1).await;
    world.server.fault(Fault::Away);
    world.server.delete("gateways", "shop", "front");
    world.server.compact();
    world.server.fault(Fault::None);
    world
        .until("it says so", |w| {
            w.says("the API server has lost Gateway shop/front")
        })
        .await;
    assert_eq!((world.sockets().len(), world.rules()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_it_binds_is_the_gateways_word_unless_an_argument_says_otherwise() {
    let address = json!([{"type": "IPAddress", "value": "127.0.0.9"}]);
    let cases = [
        (
            Bind::AsWritten,
            &address,
            "127.0.0.9:10080",
            Home::At("127.0.0.9".parse().unwrap()),
        ),
        (
            Bind::AsWritten,
            &Value::Null,
            "0.0.0.0:10080",
            Home::At("0.0.0.0".parse().unwrap()),
        ),
        (
            Bind::Any,
            &address,
            "0.0.0.0:10080",
            Home::At("0.0.0.0".parse().unwrap()),
        ),
        (
            Bind::Addresses,
            &address,
            "127.0.0.9:10080",
            Home::At("127.0.0.9".parse().unwrap()),
        ),
        (
            Bind::Addresses,
            &Value::Null,
            "127.0.0.1:10080",
            Home::At("0.0.0.0".parse().unwrap()),
        ),
    ];
    for (bind, addresses, socket, home) in cases {
        let world = World::start(bind, &[gateway("mc-wan", addresses)]).await;
        world.until(socket, |w| w.sockets() == [socket]).await;
        world
            .until("the home", |w| *w.cluster.home().borrow() == home)
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clusters_name_is_that_of_its_property() {
    let property = json!({
        "apiVersion": "about.k8s.io/v1beta1", "kind": "ClusterProperty",
        "metadata": {"name": "cluster.clusterset.k8s.io"}, "spec": {"value": "cluster-7"},
    });
    let world = World::start(
        Bind::AsWritten,
        &[gateway("mc-wan", &Value::Null), property],
    )
    .await;
    world.until("a table", |w| !w.sockets().is_empty()).await;
    assert_eq!(world.parts.observer.cluster(), "cluster-7");
    let world = World::start(Bind::AsWritten, &[gateway("mc-wan", &Value::Null)]).await;
    world.until("a table", |w| !w.sockets().is_empty()).await;
    assert_eq!(world.parts.observer.cluster(), "unknown");
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_count_as_served_only_when_the_sockets_follow_their_table() {
    use crate::listen::report::{SocketState, Sockets};
    let world = World::start(
        Bind::AsWritten,
        &[gateway("mc-wan", &Value::Null), route("/a")],
    )
    .await;
    world.until("a table", |w| w.rules() == 1).await;
    let served = || world.cluster.ledger.served();
    assert_eq!((served().table, served().objects.len()), (0, 0));
    let socket = "0.0.0.0:10080".parse().unwrap();
    let follow = |generation, state| {
        world.parts.report.publish(Sockets {
            generation,
            states: [(socket, state)].into(),
        });
    };
    let first = world.parts.live.load().generation;
    follow(first, SocketState::Failed("in use".to_owned()));
    let now = served();
    let names: Vec<String> = now
        .objects
        .iter()
        .map(|o| format!("{} {}", o.object, o.generation))
        .collect();
    assert_eq!(names, ["Gateway shop/front 1", "HTTPRoute shop/web 1"]);
    assert_eq!(
        (
            now.listeners[0].listener.as_str(),
            now.listeners[0].error.as_str()
        ),
        ("shop/front/http", "in use")
    );

    world.server.apply(route("/b"));
    world
        .until("the next table", |w| w.parts.live.load().generation > first)
        .await;
    assert_eq!(
        served().objects[1].generation,
        1,
        "its sockets are still to come"
    );
    follow(world.parts.live.load().generation, SocketState::Listening);
    world
        .until("the next generation", |_| {
            served().objects[1].generation == 2
        })
        .await;
    assert_eq!(served().listeners[0].error, "");
}
