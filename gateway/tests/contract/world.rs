//! Clusters on loopback: a directory of manifests, backends, and a gateway process for each cluster.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use http::{Method, StatusCode};
use mcwan_lab::backend::{Backend, BackendConfig};
use mcwan_lab::client::{Answer, Call, Client};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

/// The seed's objects, byte for byte.
pub(crate) const SEED_EXPORT: &str = include_str!("../../../config/samples/serviceexport.yaml");
/// See [`SEED_EXPORT`].
pub(crate) const SEED_POLICIES: &str = include_str!("../../../config/samples/wanpolicy.yaml");
/// The host that clients in any cluster call.
pub(crate) const HOST: &str = "payment.secure.svc.clusterset.local";
/// The program under test.
const GATEWAY: &str = env!("CARGO_BIN_EXE_mcwan-gateway");
/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(20);

static NEXT: AtomicU8 = AtomicU8::new(1);

/// One ClusterSet, seen alike by all its gateways. Dropping it kills them.
pub(crate) struct World {
    dir: TempDir,
    net: (u8, u8),
    pub(crate) backends: Vec<Backend>,
    gateways: Vec<Gateway>,
}

/// One gateway process.
struct Gateway {
    cluster: u8,
    process: Child,
}

impl World {
    /// An empty set. Its addresses are its own: tests run side by side.
    pub(crate) fn new() -> Self {
        let pid = u8::try_from(std::process::id() % 200).unwrap_or_default() + 20;
        let net = (pid, NEXT.fetch_add(1, Ordering::Relaxed));
        Self {
            dir: TempDir::new().unwrap(),
            net,
            backends: Vec::new(),
            gateways: Vec::new(),
        }
    }

    /// Two clusters with the seed's policies: cluster 1 exports `payment` with two replicas, cluster 2 imports it.
    pub(crate) async fn seed() -> Self {
        let mut world = Self::new();
        world.exporting(1).await;
        world.importing(2);
        world
    }

    /// Writes the objects of a cluster that exports `payment`, with two replicas of its own.
    pub(crate) async fn exporting(&mut self, cluster: u8) {
        self.importing(cluster);
        let mut endpoints = String::new();
        let first = self.backends.len();
        for replica in 0..2 {
            let config = BackendConfig::http1(&format!("cluster-{cluster}-{replica}"));
            self.backends.push(Backend::start(config).await.unwrap());
        }
        for (i, backend) in self.backends[first..].iter().enumerate() {
            let address = backend.address();
            endpoints += &format!(
                "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: payment-{i}, namespace: secure, \
                 labels: {{kubernetes.io/service-name: payment}}}}\naddressType: IPv4\n\
                 ports: [{{name: http, port: {}, protocol: TCP}}]\n\
                 endpoints: [{{addresses: [{}], conditions: {{ready: true}}}}]\n",
                address.port(),
                address.ip()
            );
        }
        let service = "apiVersion: v1\nkind: Service\nmetadata: {name: payment, namespace: secure}\n\
                       spec: {selector: {app: payment}, ports: [{name: http, port: 8080, targetPort: 8080, protocol: TCP}]}\n";
        self.write(cluster, "payment.yaml", &format!("{service}{endpoints}"));
        self.write(cluster, "serviceexport.yaml", SEED_EXPORT);
    }

    /// Writes the objects of a cluster that only imports.
    pub(crate) fn importing(&self, cluster: u8) {
        let gateway = |name: &str, address: IpAddr| {
            format!(
                "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {{name: {name}, namespace: mc-wan}}\n\
                 spec:\n  gatewayClassName: mc-wan\n  addresses: [{{type: IPAddress, value: {address}}}]\n"
            )
        };
        let text = format!(
            "apiVersion: v1\nkind: Namespace\nmetadata: {{name: secure}}\n---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: mc-wan}}\n\
             ---\n{}---\n{}",
            gateway("mc-wan-ingress", self.ingress(cluster)),
            gateway("mc-wan-egress", self.egress(cluster).ip()),
        );
        self.write(cluster, "gateways.yaml", &text);
        self.write(cluster, "wanpolicy.yaml", SEED_POLICIES);
    }

    /// The directory that `--clusterset` takes.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A file of a cluster.
    pub(crate) fn file(&self, cluster: u8, name: &str) -> PathBuf {
        self.path().join(format!("cluster-{cluster}")).join(name)
    }

    /// Writes a file in one step, as an editor or a `ConfigMap` volume does.
    pub(crate) fn write(&self, cluster: u8, name: &str, text: &str) {
        let file = self.file(cluster, name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        let fresh = file.with_file_name(format!(".{name}.new"));
        std::fs::write(&fresh, text).unwrap();
        std::fs::rename(&fresh, &file).unwrap();
    }

    /// Address of a cluster's ingress gateway.
    pub(crate) fn ingress(&self, cluster: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(127, self.net.0, self.net.1, cluster * 2))
    }

    /// Where clients of a cluster find the clusterset's services: port 80, bound at 10080.
    pub(crate) fn egress(&self, cluster: u8) -> SocketAddr {
        SocketAddr::from((
            Ipv4Addr::new(127, self.net.0, self.net.1, cluster * 2 + 1),
            10_080,
        ))
    }

    /// Address of a cluster's admin pages.
    pub(crate) fn admin(&self, cluster: u8) -> SocketAddr {
        SocketAddr::new(self.ingress(cluster), 15_000)
    }

    /// The access log of a cluster's gateway so far.
    pub(crate) fn access_log(&self, cluster: u8) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(self.log(cluster, "access")).unwrap_or_default();
        text.lines()
            .map(|l| serde_json::from_str(l).expect("each access line is JSON"))
            .collect()
    }

    /// What a cluster's gateway wrote to stderr so far.
    pub(crate) fn stderr(&self, cluster: u8) -> String {
        std::fs::read_to_string(self.log(cluster, "stderr")).unwrap_or_default()
    }

    fn log(&self, cluster: u8, kind: &str) -> PathBuf {
        self.path().join(format!("cluster-{cluster}.{kind}.log"))
    }

    /// Starts a cluster's gateway and waits until it is ready.
    pub(crate) async fn start(&mut self, cluster: u8) {
        self.start_by(Command::new(GATEWAY), cluster).await;
    }

    /// The same with at most so many open files.
    pub(crate) async fn start_with_files(&mut self, cluster: u8, most: u32) {
        let mut command = Command::new("sh");
        let script = format!("ulimit -n {most}; exec \"$0\" \"$@\"");
        command.args(["-c", &script, GATEWAY]);
        self.start_by(command, cluster).await;
    }

    async fn start_by(&mut self, mut command: Command, cluster: u8) {
        let process = command
            .arg("--clusterset")
            .arg(self.path())
            .args(["--cluster", &format!("cluster-{cluster}")])
            .args(["--admin", &self.admin(cluster).to_string()])
            .arg("--access-log")
            .arg(self.log(cluster, "access"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(self.log(cluster, "stderr")).unwrap())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        self.gateways.push(Gateway { cluster, process });
        let client = Client::new(self.admin(cluster)).timeout(Duration::from_secs(1));
        let start = Instant::now();
        while !client
            .send(&Call::get("admin", "/readyz"))
            .await
            .is_ok_and(|a| a.status == StatusCode::OK)
        {
            assert!(
                start.elapsed() < PATIENCE,
                "cluster-{cluster} is not ready:\n{}",
                self.stderr(cluster)
            );
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Starts several.
    pub(crate) async fn start_all(&mut self, clusters: &[u8]) {
        for cluster in clusters {
            self.start(*cluster).await;
        }
    }

    /// Kills a cluster's gateway without warning.
    pub(crate) async fn kill(&mut self, cluster: u8) {
        self.gateway(cluster).process.kill().await.unwrap();
    }

    /// Asks a cluster's gateway to end; returns how it did.
    pub(crate) async fn terminate(&mut self, cluster: u8) -> ExitStatus {
        let gateway = self.gateway(cluster);
        let pid = gateway.process.id().expect("it runs").to_string();
        let kill = Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .await
            .unwrap();
        assert!(kill.success());
        timeout(PATIENCE, gateway.process.wait())
            .await
            .expect("it ends within its deadline")
            .unwrap()
    }

    fn gateway(&mut self, cluster: u8) -> &mut Gateway {
        self.gateways
            .iter_mut()
            .rev()
            .find(|g| g.cluster == cluster)
            .expect("it was started")
    }

    /// A request from inside a cluster to `payment`.
    pub(crate) async fn call(&self, cluster: u8, method: Method, path: &str) -> Answer {
        self.send(cluster, &Call::new(method, HOST, path)).await
    }

    /// The same with a request of one's own.
    pub(crate) async fn send(&self, cluster: u8, call: &Call) -> Answer {
        let client = Client::new(self.egress(cluster)).timeout(PATIENCE);
        let answer = client.send(call).await;
        answer.unwrap_or_else(|e| {
            panic!(
                "{} {}: {e}\n{}",
                call.method,
                call.path,
                self.stderr(cluster)
            )
        })
    }

    /// A GET for any host, as [`Self::until`].
    pub(crate) async fn until_at(&self, cluster: u8, host: &str, path: &str, status: u16) {
        self.until_call(cluster, &Call::get(host, path), status)
            .await;
    }

    /// Calls until the status is as expected; panics with the last answer otherwise.
    pub(crate) async fn until(
        &self,
        cluster: u8,
        method: Method,
        path: &str,
        status: u16,
    ) -> Answer {
        self.until_call(cluster, &Call::new(method, HOST, path), status)
            .await
    }

    async fn until_call(&self, cluster: u8, call: &Call, status: u16) -> Answer {
        let start = Instant::now();
        loop {
            let answer = self.send(cluster, call).await;
            if answer.status == status {
                return answer;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "{} {}: {} {}\n{}",
                call.method,
                call.path,
                answer.status,
                answer.text(),
                self.stderr(cluster)
            );
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Text of an admin page.
    pub(crate) async fn page(&self, cluster: u8, path: &str) -> Answer {
        Client::new(self.admin(cluster))
            .timeout(PATIENCE)
            .send(&Call::get("admin", path))
            .await
            .unwrap()
    }

    /// Reads an admin page until it says `text`.
    pub(crate) async fn page_says(&self, cluster: u8, path: &str, text: &str) {
        let start = Instant::now();
        loop {
            let page = self.page(cluster, path).await.text();
            if page.contains(text) {
                return;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "{path} does not say {text:?}:\n{page}"
            );
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until a cluster's gateway has this many tunnels, all healthy.
    pub(crate) async fn tunnels_are_healthy(&self, cluster: u8, count: usize) {
        let start = Instant::now();
        loop {
            let tunnels = self.page(cluster, "/debug/tunnels").await.json();
            let list = tunnels.as_array().cloned().unwrap_or_default();
            if list.len() == count && list.iter().all(|t| t["health"] == "healthy") {
                return;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "not {count} healthy tunnels: {tunnels}"
            );
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// The access line of a request id, once it is written.
    pub(crate) async fn access_line(&self, cluster: u8, request_id: &str) -> serde_json::Value {
        let start = Instant::now();
        loop {
            let lines = self.access_log(cluster);
            if let Some(line) = lines.iter().find(|l| l["request_id"] == request_id) {
                return line.clone();
            }
            assert!(
                start.elapsed() < PATIENCE,
                "no access line of {request_id} in {lines:?}"
            );
            sleep(Duration::from_millis(50)).await;
        }
    }
}
