//! A gateway in this process, with tables made by hand, and raw clients.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mcwan_gateway::app::{Config, Gateway};
use mcwan_gateway::backends::Registry;
use mcwan_gateway::live::LiveTable;
use mcwan_gateway::observe::Observer;
use mcwan_routing::hostname::HostPattern;
use mcwan_routing::matching::{PathMatch, RequestMatch, RouteOrder};
use mcwan_routing::rule::{
    Action, Choice, Filters, Forward, RouteKind, Rule, RuleName, Target, Tier, Timeouts,
};
use mcwan_routing::spec::{
    Backend, BackendName, BackendProtocol, ListenerSpec, Role, RouteEntry, SocketSpec, TableSpec,
    Tunnel,
};
use mcwan_telemetry::metrics::Metrics;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Everything in these tests ends within this time, or the test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Runs `test` on a runtime of its own, bounded in time.
pub(crate) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        tokio::time::timeout(PATIENCE * 4, test)
            .await
            .expect("the test is stuck");
    });
    runtime.shutdown_background();
}

/// A gateway and the table that it serves.
pub(crate) struct World {
    pub(crate) gateway: Gateway,
    pub(crate) spec: TableSpec,
    pub(crate) metrics: Metrics,
}

impl World {
    /// A gateway without any socket.
    pub(crate) fn start(config: Config) -> Self {
        let registry = Arc::new(Registry::default());
        let metrics = Metrics::new("test", "0").unwrap();
        let observer = Observer::new("here", None, &metrics).unwrap();
        let table = Arc::new(LiveTable::new(registry));
        Self {
            gateway: Gateway::start(config, table, Arc::new(observer)).unwrap(),
            spec: TableSpec::default(),
            metrics,
        }
    }

    /// A gateway with one plain socket whose rules are `entries`.
    pub(crate) async fn with_rules(
        entries: Vec<RouteEntry>,
        backends: &[(&str, Backend)],
    ) -> (Self, SocketAddr) {
        let mut world = Self::start(config());
        let socket = world.add_socket(Role::Plain, entries);
        for (name, backend) in backends {
            world.spec.backends.insert(name_of(name), backend.clone());
        }
        world.publish().await;
        (world, socket)
    }

    /// How many requests without a rule ended this way.
    pub(crate) fn counted(&self, outcome: &str, status: u16) -> u64 {
        let text = self.metrics.encode().unwrap();
        let series = format!("outcome=\"{outcome}\",response_code=\"{status}\"");
        text.lines()
            .filter(|l| l.starts_with("mcwan_requests_total{") && l.contains(&series))
            .map(|l| l.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
            .sum()
    }

    /// Adds a socket on a free port to the spec.
    pub(crate) fn add_socket(&mut self, role: Role, routes: Vec<RouteEntry>) -> SocketAddr {
        let socket = free_port();
        self.spec.sockets.push(SocketSpec {
            socket,
            port: socket.port(),
            role,
            wan: None,
            listeners: vec![ListenerSpec {
                name: "test/gateway/listener".to_owned(),
                hostname: HostPattern::Any,
                routes,
            }],
        });
        self.spec.sockets.sort_by_key(|s| s.socket);
        socket
    }

    /// Publishes the spec, and waits until its sockets are bound.
    pub(crate) async fn publish(&self) {
        let generation = self.gateway.table().publish(self.spec.clone());
        let bound = self.gateway.listening(generation);
        tokio::time::timeout(PATIENCE, bound)
            .await
            .expect("sockets are not bound")
            .unwrap();
    }
}

/// Two threads, a short drain.
pub(crate) fn config() -> Config {
    Config {
        threads: 2,
        drain: Duration::from_secs(5),
        ..Config::default()
    }
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

pub(crate) fn name_of(service: &str) -> BackendName {
    BackendName {
        namespace: "test".to_owned(),
        service: service.to_owned(),
        port: 80,
    }
}

pub(crate) fn http1(endpoints: &[SocketAddr]) -> Backend {
    Backend {
        protocol: BackendProtocol::Http1,
        endpoints: endpoints.to_vec(),
        tunnel: None,
    }
}

pub(crate) fn h2c(endpoints: &[SocketAddr]) -> Backend {
    Backend {
        protocol: BackendProtocol::H2c,
        ..http1(endpoints)
    }
}

pub(crate) fn tunnel(cluster: &str, policy: &str, endpoints: &[SocketAddr]) -> Backend {
    Backend {
        tunnel: Some(Tunnel {
            cluster: cluster.to_owned(),
            policy: policy.to_owned(),
            class: policy.to_owned(),
            min_connections: 1,
            max_connections: 4,
            max_age: Duration::from_secs(600),
            max_streams: 100,
            hold_down: Duration::from_secs(1),
            max_hold_down: Duration::from_secs(60),
            dscp: None,
        }),
        ..h2c(endpoints)
    }
}

/// A rule that forwards to one choice a tier.
pub(crate) fn forward(tiers: &[&[(&str, u32)]], failover: bool) -> Rule {
    let choice = |(name, weight): &(&str, u32)| Choice {
        weight: *weight,
        target: Target::Backend(name_of(name)),
        filters: Filters::default(),
    };
    let tier = |choices: &&[(&str, u32)]| Tier {
        policy: None,
        choices: choices.iter().map(choice).collect(),
    };
    Rule {
        name: RuleName {
            kind: RouteKind::HTTPRoute,
            namespace: "test".to_owned(),
            route: "route".to_owned(),
            index: 0,
            name: None,
        },
        service: None,
        filters: Filters::default(),
        action: Action::Forward(Forward {
            failover,
            tiers: tiers.iter().map(tier).collect(),
        }),
        timeouts: Timeouts::default(),
        retry: None,
    }
}

/// A rule to one backend.
pub(crate) fn to(backend: &str) -> Rule {
    forward(&[&[(backend, 1)]], false)
}

/// Everything below a path, on any host.
pub(crate) fn at(prefix: &str, rule: Rule) -> RouteEntry {
    RouteEntry {
        hostname: HostPattern::Any,
        matches: vec![RequestMatch {
            path: PathMatch::Prefix(prefix.to_owned()),
            method: None,
            headers: Vec::new(),
            query: Vec::new(),
        }],
        order: RouteOrder::default(),
        rule: Arc::new(rule),
    }
}

/// A connection for bytes.
pub(crate) struct Raw(pub(crate) TcpStream);

impl Raw {
    pub(crate) async fn connect(to: SocketAddr) -> Self {
        Self(TcpStream::connect(to).await.unwrap())
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Reads until what was read satisfies `enough`, or the end.
    pub(crate) async fn read_until(&mut self, enough: impl Fn(&str) -> bool) -> String {
        let mut all = Vec::new();
        let read = async {
            loop {
                let text = String::from_utf8_lossy(&all).into_owned();
                if enough(&text) {
                    return text;
                }
                let mut buffer = [0; 4096];
                match self.0.read(&mut buffer).await {
                    Ok(0) | Err(_) => return text,
                    Ok(n) => all.extend_from_slice(&buffer[..n]),
                }
            }
        };
        tokio::time::timeout(PATIENCE, read)
            .await
            .expect("no answer in time")
    }

    /// Reads to the end of the connection.
    pub(crate) async fn read_all(&mut self) -> String {
        self.read_until(|_| false).await
    }
}

/// One exchange on a connection of its own.
pub(crate) async fn exchange(to: SocketAddr, request: &str) -> String {
    let mut raw = Raw::connect(to).await;
    raw.send(request).await;
    raw.read_all().await
}

/// `GET path`, and the connection closed after it.
pub(crate) async fn get(to: SocketAddr, path: &str) -> String {
    exchange(
        to,
        &format!("GET {path} HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n\r\n"),
    )
    .await
}
