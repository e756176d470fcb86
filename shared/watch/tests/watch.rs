//! The watch against an API server that misbehaves.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

use std::sync::Arc;
use std::time::Duration;

use kube::{Client, Config};
use mcwan_k8s::kinds::wan::{PublishedCluster, PublishedClusterSpec};
use mcwan_k8s::object::kinds;
use mcwan_k8s::snapshot::ClusterSnapshot;
use mcwan_lab::api_server::{ApiServer, Fault, Resource};
use mcwan_watch::{Pace, Selection, Watch};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(20);
/// Long enough for many tries at the pace of these tests.
const A_WHILE: Duration = Duration::from_millis(700);

fn pace() -> Pace {
    Pace {
        first: Duration::from_millis(10),
        longest: Duration::from_millis(100),
        answer: Duration::from_millis(300),
        watch: Duration::from_secs(1),
        steady: Duration::from_millis(300),
        absent: Duration::from_millis(50),
    }
}

fn resource(name: &str, version: Option<&str>) -> Resource {
    let mut found = kinds()
        .iter()
        .filter(|k| k.kind == name && k.group != "mc-wan.l7mp.io");
    let kind = found.next().unwrap();
    Resource {
        group: kind.group.to_string(),
        version: version.unwrap_or(&kind.version).to_owned(),
        plural: kind.plural.to_string(),
        kind: kind.kind.to_string(),
    }
}

/// Services, which are required, and official exports, which are not.
struct World {
    server: ApiServer,
    watch: Watch,
}

impl World {
    async fn with(names: &[&str]) -> Self {
        let server = ApiServer::start([resource("Service", None), resource("ServiceExport", None)]);
        let server = server.await.unwrap();
        for name in names {
            server.apply(service(name));
        }
        let watch = start(&server);
        Self { server, watch }
    }

    fn names(&self) -> Option<Vec<String>> {
        self.watch.snapshot().map(|s| names(&s))
    }

    /// Waits until the services are these.
    async fn until(&self, expected: &[&str]) {
        let reached = async {
            while self.names().is_none_or(|n| n != expected) {
                sleep(Duration::from_millis(5)).await;
            }
        };
        let reached = timeout(PATIENCE, reached).await;
        assert!(
            reached.is_ok(),
            "{:?} instead of {expected:?}",
            self.names()
        );
    }

    /// Waits until the watch of services reports trouble.
    async fn until_trouble(&self) -> String {
        let message = async {
            loop {
                let kinds = self.watch.kinds();
                if let Some(trouble) = kinds.into_iter().find_map(|k| k.trouble) {
                    return trouble.message;
                }
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, message)
            .await
            .expect("trouble is reported")
    }

    /// The services stay these for a while of failing requests.
    async fn stays(&self, expected: &[&str]) {
        let message = self.until_trouble().await;
        for _ in 0..20 {
            sleep(A_WHILE / 20).await;
            assert_eq!(self.names().unwrap(), expected, "{message}");
        }
    }
}

fn start(server: &ApiServer) -> Watch {
    let _again = rustls::crypto::ring::default_provider().install_default();
    let client = Client::try_from(Config::new(server.url().parse().unwrap())).unwrap();
    let selection = Selection::of(|k| {
        matches!(
            (&*k.group, &*k.kind),
            ("", "Service") | ("multicluster.x-k8s.io", "ServiceExport")
        )
    });
    Watch::start_at(client, "c1", &selection, pace())
}

fn names(snapshot: &ClusterSnapshot) -> Vec<String> {
    snapshot
        .services
        .keys()
        .map(|(_, name)| name.clone())
        .collect()
}

fn service(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"namespace": "shop", "name": name, "managedFields": [{"manager": "kubectl"}]},
        "spec": {"ports": [{"port": 80}]},
    })
}

#[tokio::test]
async fn what_comes_and_goes_is_seen() {
    let world = World::with(&["a", "b"]).await;
    world.until(&["a", "b"]).await;
    let snapshot = world.watch.snapshot().unwrap();
    let first = snapshot.services.values().next().unwrap();
    assert!(first.metadata.managed_fields.is_none());
    let mut changes = world.watch.subscribe();
    changes.borrow_and_update();
    world.server.apply(service("c"));
    timeout(PATIENCE, changes.changed()).await.unwrap().unwrap();
    world.until(&["a", "b", "c"]).await;
    world.server.delete("services", "shop", "b");
    world.until(&["a", "c"]).await;
    assert_eq!(world.watch.deleted("Service").len(), 1);
    assert_eq!(world.server.requests("list", "services"), 1);
}

#[tokio::test]
async fn a_long_list_comes_in_pages() {
    let names: Vec<String> = (0..1201).map(|i| format!("s{i:04}")).collect();
    let world = World::with(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let snapshot = timeout(PATIENCE, world.watch.synced()).await.unwrap();
    assert_eq!(snapshot.services.len(), 1201);
    assert_eq!(world.server.requests("list", "services"), 3);
}

#[tokio::test]
async fn no_failure_of_the_server_empties_what_is_known() {
    let world = World::with(&["a"]).await;
    world.until(&["a"]).await;
    let faults = [
        Fault::Away,
        Fault::Hang,
        Fault::Status(500),
        Fault::Status(503),
        Fault::Status(401),
        Fault::Status(403),
        Fault::Status(404),
        Fault::Status(429),
        Fault::Html,
        Fault::OtherJson,
    ];
    for fault in faults {
        world.server.fault(fault);
        world.stays(&["a"]).await;
        world.server.fault(Fault::None);
        world.server.apply(service("b"));
        world.until(&["a", "b"]).await;
        world.server.delete("services", "shop", "b");
        world.until(&["a"]).await;
    }
}

#[tokio::test]
async fn a_list_that_is_not_complete_is_no_list() {
    let names: Vec<String> = (0..600).map(|i| format!("s{i:04}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let world = World::with(&names).await;
    world.until(&names).await;
    for fault in [Fault::Truncated, Fault::SecondPage, Fault::OtherKind] {
        world.server.fault_of("services", fault);
        world.server.compact();
        world.server.cut();
        world.stays(&names).await;
        world.server.fault_of("services", Fault::None);
        world.server.apply(service("z"));
        world.until(&[names.as_slice(), &["z"]].concat()).await;
        world.server.delete("services", "shop", "z");
        world.until(&names).await;
    }
}

#[tokio::test]
async fn what_was_deleted_while_the_watch_was_away_disappears_with_the_next_list() {
    let world = World::with(&["a", "b"]).await;
    world.until(&["a", "b"]).await;
    world.server.fault(Fault::Away);
    world.server.delete("services", "shop", "a");
    world.server.apply(service("c"));
    world.server.compact();
    world.stays(&["a", "b"]).await;
    world.server.fault(Fault::None);
    world.until(&["b", "c"]).await;
    assert!(
        world.watch.deleted("Service").is_empty(),
        "nobody saw it deleted"
    );
    assert!(world.server.requests("list", "services") >= 2);
}

#[tokio::test]
async fn a_watch_that_was_cut_goes_on_where_it_was() {
    let world = World::with(&["a"]).await;
    world.until(&["a"]).await;
    for _ in 0..3 {
        world.server.cut();
        world.server.apply(service("b"));
        world.until(&["a", "b"]).await;
        world.server.delete("services", "shop", "b");
        world.until(&["a"]).await;
    }
    assert_eq!(world.server.requests("list", "services"), 1);
}

#[tokio::test]
async fn a_server_that_ends_or_refuses_every_watch_is_not_stormed() {
    for fault in [
        Fault::Short,
        Fault::Expired,
        Fault::Away,
        Fault::Status(500),
    ] {
        let world = World::with(&["a"]).await;
        world.until(&["a"]).await;
        world.server.fault_of("services", fault);
        world.server.cut();
        world.until_trouble().await;
        let requests = || {
            world.server.requests("list", "services") + world.server.requests("watch", "services")
        };
        let before = requests();
        sleep(A_WHILE * 2).await;
        // At the longest pause, less a quarter, there are at most two for each 75 ms; and a few until it is reached.
        let most = 2 * u64::try_from(A_WHILE.as_millis() * 2 / 75).unwrap() + 10;
        assert!(
            requests() - before <= most,
            "{} with {fault:?}",
            requests() - before
        );
        assert_eq!(world.names().unwrap(), ["a"]);
    }
}

#[tokio::test]
async fn one_malformed_object_leaves_the_others_alone() {
    let mut malformed = service("b");
    malformed["spec"]["ports"][0]["port"] = json!("eighty");
    let world = World::with(&["a"]).await;
    world.server.apply(malformed.clone());
    world.until(&["a"]).await;
    let problem = async {
        while world.watch.problems().is_empty() {
            sleep(Duration::from_millis(5)).await;
        }
        world.watch.problems().remove(0)
    };
    let problem = timeout(PATIENCE, problem).await.unwrap();
    assert_eq!(
        (&*problem.object.name, &*problem.field),
        ("b", "spec.ports[0].port")
    );
    world.server.apply(service("c"));
    world.until(&["a", "c"]).await;

    let fresh = start(&world.server);
    let snapshot = timeout(PATIENCE, fresh.synced()).await.unwrap();
    assert_eq!(names(&snapshot), ["a", "c"]);
    assert_eq!(fresh.problems().len(), 1);
    world.server.apply(service("b"));
    world.until(&["a", "b", "c"]).await;
    assert!(world.watch.problems().is_empty());
}

#[tokio::test]
async fn a_required_kind_is_waited_for_and_another_counts_as_empty() {
    let server = ApiServer::start([]).await.unwrap();
    let watch = start(&server);
    sleep(A_WHILE).await;
    assert!(watch.snapshot().is_none(), "services are required");
    server.serve(resource("Service", None));
    let snapshot: Arc<ClusterSnapshot> = timeout(PATIENCE, watch.synced()).await.unwrap();
    assert!(snapshot.mcs_exports.is_empty());
    server.serve(resource("ServiceExport", Some("v1alpha1")));
    server.apply(json!({
        "apiVersion": "multicluster.x-k8s.io/v1alpha1", "kind": "ServiceExport",
        "metadata": {"namespace": "shop", "name": "web"},
    }));
    let exported = async {
        while watch.snapshot().is_none_or(|s| s.mcs_exports.is_empty()) {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, exported)
        .await
        .expect("the older version is read too");
    let mut versions = watch.kinds().into_iter().filter_map(|k| k.version);
    assert!(versions.any(|v| v == "v1alpha1"));
}

#[tokio::test]
async fn a_404_of_who_knows_whom_does_not_make_a_kind_absent() {
    let server = ApiServer::start([resource("Service", None)]).await.unwrap();
    server.fault(Fault::Status(404));
    server.fault_of("services", Fault::None);
    let watch = start(&server);
    sleep(A_WHILE).await;
    assert!(
        watch.snapshot().is_none(),
        "discovery said nothing of exports"
    );
    server.fault(Fault::None);
    timeout(PATIENCE, watch.synced()).await.unwrap();
}

#[tokio::test]
async fn a_crd_that_is_removed_leaves_its_last_objects_and_says_so() {
    let world = World::with(&["a"]).await;
    world.until(&["a"]).await;
    world.server.unserve("services");
    world.server.compact();
    world.stays(&["a"]).await;
    assert!(world.until_trouble().await.contains("404"));
}

#[tokio::test]
async fn a_silent_server_is_noticed_and_what_it_missed_to_say_is_learnt() {
    let world = World::with(&["a"]).await;
    world.until(&["a"]).await;
    world.server.fault(Fault::Hang);
    world.stays(&["a"]).await;
    world.server.delete("services", "shop", "a");
    world.server.fault(Fault::None);
    world.until(&[]).await;
}

#[tokio::test]
async fn the_outbox_of_a_peer_is_two_kinds_of_one_namespace() {
    let own = |name: &str| {
        let mut found = kinds().iter().filter(|k| k.kind == name);
        let kind = found.next().unwrap();
        Resource {
            group: kind.group.to_string(),
            version: kind.version.to_string(),
            plural: kind.plural.to_string(),
            kind: kind.kind.to_string(),
        }
    };
    let server = ApiServer::start([own("PublishedCluster"), own("PublishedService")])
        .await
        .unwrap();
    for namespace in ["mc-wan", "elsewhere"] {
        let mut cluster = PublishedCluster::new("c2", PublishedClusterSpec::default());
        cluster.metadata.namespace = Some(namespace.to_owned());
        server.apply(serde_json::to_value(&cluster).unwrap());
    }
    let _again = rustls::crypto::ring::default_provider().install_default();
    let client = Client::try_from(Config::new(server.url().parse().unwrap())).unwrap();
    let watch = Watch::start_at(client, "c2", &Selection::outbox(), pace());
    let snapshot = timeout(PATIENCE, watch.synced()).await.unwrap();
    assert_eq!(watch.problems(), []);
    let keys: Vec<_> = snapshot.published_clusters.keys().collect();
    assert_eq!(keys, [&("mc-wan".to_owned(), "c2".to_owned())]);
    assert!(watch.kinds().iter().all(mcwan_watch::KindState::is_current));
}
