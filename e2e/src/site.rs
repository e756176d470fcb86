//! A cluster with a controller, gateways and backends: what a cluster of a `ClusterSet` is without kubelets.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mcwan_k8s::access::{Endpoint, followed, granted};
use mcwan_lab::backend::{Backend, BackendConfig};
use mcwan_lab::client::{Answer, Call, Client};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::sync::Mutex;

use crate::assets::{Assets, root};
use crate::cluster::Cluster;
use crate::patience::{LONG, until};
use crate::program::Program;

/// The two Gateways, and the last byte of their address.
const GATEWAYS: [(&str, u8); 2] = [("mc-wan-ingress", 10), ("mc-wan-egress", 11)];
/// Last byte of the controller's address.
const CONTROLLER: u8 = 20;
/// Port of the admin pages.
const ADMIN_PORT: u16 = 15_090;
/// Port of backends.
const BACKEND_PORT: u16 = 8080;

/// A cluster of a `ClusterSet`. Dropping it kills everything in it.
#[derive(Debug)]
pub struct Site {
    assets: Assets,
    /// The cluster.
    pub cluster: Cluster,
    /// The controller, while it is meant to run.
    pub controller: Option<Program>,
    /// The gateway processes.
    pub gateways: Vec<Program>,
    /// Replicas of services.
    backends: Mutex<Vec<Backend>>,
}

impl Site {
    /// Furnishes a cluster: the seed's WAN policies, the two Gateways with their addresses, the roles. Nothing runs yet.
    ///
    /// # Errors
    /// When an object is refused.
    pub async fn new(assets: &Assets, cluster: Cluster) -> Result<Self> {
        let objects = cluster.objects();
        for file in [
            "rbac/controller.yaml",
            "rbac/gateway.yaml",
            "samples/wanpolicy.yaml",
        ] {
            let text = std::fs::read_to_string(root().join("config").join(file))?;
            objects.apply(&text).await?;
        }
        for (property, value) in [
            ("cluster.clusterset.k8s.io", cluster.name()),
            ("clusterset.k8s.io", "e2e"),
        ] {
            let object = json!({
                "apiVersion": "about.k8s.io/v1beta1", "kind": "ClusterProperty",
                "metadata": {"name": property}, "spec": {"value": value},
            });
            objects.apply(&object.to_string()).await?;
        }
        for (name, host) in GATEWAYS {
            // The listeners are the controller's; the schema asks for one, so this is what a user writes with an address.
            let gateway = json!({
                "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
                "metadata": {"name": name, "namespace": "mc-wan"},
                "spec": {
                    "gatewayClassName": "mc-wan",
                    "addresses": [{"type": "IPAddress", "value": cluster.address(host).to_string()}],
                    "listeners": [{"name": "health", "port": 18_080, "protocol": "HTTP"}],
                },
            });
            objects.apply(&gateway.to_string()).await?;
        }
        Ok(Self {
            assets: assets.clone(),
            cluster,
            controller: None,
            gateways: Vec::new(),
            backends: Mutex::default(),
        })
    }

    /// Starts the controller and both gateways.
    ///
    /// # Errors
    /// When one does not start.
    pub async fn run(&mut self) -> Result<()> {
        self.start_controller().await?;
        for (name, _) in GATEWAYS {
            self.start_gateway(name).await?;
        }
        Ok(())
    }

    /// Starts the controller, as its own `ServiceAccount`.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start_controller(&mut self) -> Result<()> {
        let kubeconfig = self.kubeconfig("mcwan-controller").await?;
        let mut command = Command::new(self.assets.path("mcwan-controller"));
        command
            .args(["--cluster", self.cluster.name()])
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .args(["--admin", &self.controller_admin().to_string()])
            .args(["--identity", &format!("{}-controller", self.cluster.name())])
            .env("RUST_BACKTRACE", "1");
        let log = self
            .cluster
            .logs()
            .join(format!("{}.controller.log", self.cluster.name()));
        self.controller = Some(Program::start("mcwan-controller", command, &log)?);
        Ok(())
    }

    async fn start_gateway(&mut self, name: &str) -> Result<()> {
        let kubeconfig = self.kubeconfig("mcwan-gateway").await?;
        let mut command = Command::new(self.assets.path("mcwan-gateway"));
        let logs = self.cluster.logs();
        let cluster = self.cluster.name();
        command
            .args(["--gateway", &format!("mc-wan/{name}")])
            .args(["--cluster", cluster])
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .arg("--access-log")
            .arg(logs.join(format!("{cluster}.{name}.access.log")))
            .env("RUST_BACKTRACE", "1");
        let log = logs.join(format!("{cluster}.{name}.log"));
        self.gateways.push(Program::start(name, command, &log)?);
        Ok(())
    }

    /// A kubeconfig file for one of our `ServiceAccount`s.
    async fn kubeconfig(&self, account: &str) -> Result<PathBuf> {
        let file = self.cluster.data().join(format!("{account}.kubeconfig"));
        // Written once: a program that starts again while the API server is away finds it.
        if !file.exists() {
            let token = self.cluster.token("mc-wan", account).await?;
            std::fs::write(&file, self.cluster.kubeconfig_of(&token)?)?;
        }
        Ok(file)
    }

    /// Where the controller's admin pages are.
    #[must_use]
    pub fn controller_admin(&self) -> SocketAddr {
        SocketAddr::from((self.cluster.address(CONTROLLER), ADMIN_PORT))
    }

    /// Where the egress gateway's admin pages are.
    #[must_use]
    pub fn egress_admin(&self) -> SocketAddr {
        SocketAddr::from((self.cluster.address(11), ADMIN_PORT))
    }

    /// Where clients of this cluster find the clusterset's services: port 80, bound at 10080.
    #[must_use]
    pub fn egress(&self) -> SocketAddr {
        SocketAddr::from((self.cluster.address(11), 10_080))
    }

    /// Text of an admin page.
    ///
    /// # Errors
    /// When there is no such page.
    pub async fn page(&self, admin: SocketAddr, path: &str) -> Result<String> {
        let client = Client::new(admin).timeout(Duration::from_secs(5));
        let answer = client.send(&Call::get("admin", path)).await?;
        ensure!(answer.status.is_success(), "{path}: {}", answer.status);
        Ok(answer.text())
    }

    /// A request from inside this cluster.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn call(&self, call: &Call) -> Result<Answer> {
        let client = Client::new(self.egress()).timeout(Duration::from_secs(10));
        client
            .send(call)
            .await
            .with_context(|| format!("{} {}{}", call.method, call.host, call.path))
    }

    /// Waits until a request from inside this cluster is answered with this status.
    ///
    /// # Errors
    /// When it is not in time.
    pub async fn until_answers(&self, call: &Call, status: u16) -> Result<Answer> {
        let what = format!(
            "{} {}{} answers {status} in {}",
            call.method,
            call.host,
            call.path,
            self.cluster.name()
        );
        until(LONG, &what, async || {
            let answer = self.call(call).await?;
            ensure!(
                answer.status == status,
                "{}: {}",
                answer.status,
                answer.text()
            );
            Ok(answer)
        })
        .await
    }

    /// Starts replicas that serve a Service, and writes their `EndpointSlice` as the endpoint controller would. Answers name
    /// the replica `<cluster>-…`.
    ///
    /// # Errors
    /// When an address cannot be bound or the slice is refused.
    pub async fn replicas(&self, namespace: &str, service: &str, count: u8) -> Result<()> {
        let mut backends = self.backends.lock().await;
        let mut addresses = Vec::new();
        for _ in 0..count {
            let host = 100 + u8::try_from(backends.len())?;
            let address = self.cluster.address(host);
            let name = format!("{}-{host}", self.cluster.name());
            let listen = SocketAddr::from((address, BACKEND_PORT));
            backends.push(Backend::start(BackendConfig::http1(&name).at(listen)).await?);
            addresses.push(address.to_string());
        }
        let slice = slice(namespace, service, &addresses);
        self.cluster.objects().apply(&slice.to_string()).await
    }

    /// The line of the egress gateway's access log about a request id, once it is written.
    ///
    /// # Errors
    /// When it is not written in time.
    pub async fn access_line(&self, request_id: &str) -> Result<Value> {
        let file = format!("{}.mc-wan-egress.access.log", self.cluster.name());
        let file = self.cluster.logs().join(file);
        until(
            LONG,
            &format!("an access line of {request_id}"),
            async || {
                let text = tokio::fs::read_to_string(&file).await?;
                let lines = text
                    .lines()
                    .filter_map(|l| serde_json::from_str::<Value>(l).ok());
                let mut found = lines.filter(|l| l.get("request_id") == Some(&json!(request_id)));
                found.next().context("no such line")
            },
        )
        .await
    }

    /// Lets this cluster read the outbox of `peer`, with a token.
    ///
    /// # Errors
    /// When an object is refused.
    pub async fn follow(&self, peer: &Cluster, token: &str) -> Result<()> {
        let endpoint = Endpoint {
            server: format!("https://{}", peer.api_address()),
            certificate_authority: Some(peer.authority().certificate().as_bytes().to_vec()),
            tls_server_name: None,
            token: token.to_owned(),
        };
        for value in followed(peer.name(), &endpoint).values() {
            self.cluster.objects().apply(&value.to_string()).await?;
        }
        Ok(())
    }

    /// Waits until a condition of an object is as it should be.
    ///
    /// # Errors
    /// When it is not in time.
    pub async fn until_condition(
        &self,
        object: (&str, &str, &str),
        wanted: (&str, &str),
    ) -> Result<Value> {
        let (kind, namespace, name) = object;
        let what = format!(
            "{kind} {namespace}/{name} is {}={} in {}",
            wanted.0,
            wanted.1,
            self.cluster.name()
        );
        until(LONG, &what, async || {
            let value = self.cluster.objects().get(kind, namespace, name).await?;
            let found = condition(&value, wanted.0).context("no such condition yet")?;
            ensure!(found.get("status") == Some(&json!(wanted.1)), "{found}");
            Ok(found.clone())
        })
        .await
    }
}

/// A condition in an object's status.
#[must_use]
pub fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    let conditions = object.pointer("/status/conditions")?.as_array()?;
    conditions
        .iter()
        .find(|c| c.get("type") == Some(&json!(kind)))
}

/// The objects that let the cluster named `reader` read the outbox of `cluster`, applied; and a token for it.
///
/// # Errors
/// When one is refused.
pub async fn grant(cluster: &Cluster, reader: &str) -> Result<String> {
    for value in granted(reader).values() {
        cluster.objects().apply(&value.to_string()).await?;
    }
    cluster
        .token("mc-wan", &mcwan_k8s::access::link_name(reader))
        .await
}

/// The slice of a Service's endpoints, all on the backends' port.
#[must_use]
pub fn slice(namespace: &str, service: &str, addresses: &[String]) -> Value {
    let endpoints: Vec<Value> = addresses
        .iter()
        .map(|address| json!({"addresses": [address], "conditions": {"ready": true}}))
        .collect();
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {
            "name": format!("{service}-1"), "namespace": namespace,
            "labels": {"kubernetes.io/service-name": service},
        },
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": BACKEND_PORT, "protocol": "TCP"}],
        "endpoints": endpoints,
    })
}
