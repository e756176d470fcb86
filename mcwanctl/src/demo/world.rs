//! The world of the demo: two clusters, two tunnels, two replicas.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use mcwan_lab::backend::{Backend, BackendConfig};
use mcwan_lab::client::Client;
use mcwan_lab::relay::{Relay, RelayConfig};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::addresses::{Addresses, BUSINESS, DEFAULT, EGRESS};
use super::manifests;
use super::process::{Gateway, Start};

/// The imported service, as its clients call it.
pub(crate) const HOST: &str = "payment.secure.svc.clusterset.local";
/// Time for an edited file to be in force; the contract says one second.
const LIVE: Duration = Duration::from_secs(5);

/// A tunnel between the clusters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tunnel {
    /// Fast: 5 ms each way.
    Business,
    /// Slow: 40 ms each way.
    Default,
}

impl Tunnel {
    /// Transport class, as the seed's policies and the access log say it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Business => "business",
            Self::Default => "default",
        }
    }

    /// The tunnel that an access line names.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Business, Self::Default]
            .into_iter()
            .find(|t| t.name() == name)
    }

    /// Port, the same on every ingress gateway.
    pub(crate) const fn port(self) -> u16 {
        match self {
            Self::Business => BUSINESS,
            Self::Default => DEFAULT,
        }
    }

    /// Delay in each direction.
    pub(crate) const fn delay(self) -> Duration {
        match self {
            Self::Business => Duration::from_millis(5),
            Self::Default => Duration::from_millis(40),
        }
    }
}

/// Everything that runs. Dropping it ends the processes and removes the files.
#[derive(Debug)]
pub(crate) struct World {
    /// Addresses of all parts.
    pub addresses: Addresses,
    /// The business tunnel.
    pub business: Relay,
    /// The default tunnel.
    pub default: Relay,
    replicas: [Backend; 2],
    /// Gateways of cluster-1 and cluster-2.
    pub gateways: [Gateway; 2],
    /// A client in cluster-2, speaking to its egress gateway.
    pub client: Arc<Client>,
    directory: TempDir,
}

impl World {
    /// Starts everything and waits until the gateways are ready.
    pub(crate) async fn start(program: &Path) -> anyhow::Result<Self> {
        let addresses = Addresses::free()?;
        let directory = tempfile::Builder::new()
            .prefix("mcwan-demo-")
            .tempdir()
            .context("cannot make a temporary directory")?;
        let replicas = [
            Backend::start(BackendConfig::payment("payment-1").at(addresses.replica(1))).await?,
            Backend::start(BackendConfig::payment("payment-2").at(addresses.replica(2))).await?,
        ];
        let business = tunnel(Tunnel::Business, addresses).await?;
        let default = tunnel(Tunnel::Default, addresses).await?;
        let mut gateways = [
            gateway(program, directory.path(), addresses, 1)?,
            gateway(program, directory.path(), addresses, 2)?,
        ];
        for gateway in &mut gateways {
            gateway.ready().await?;
        }
        let egress = SocketAddr::new(addresses.cluster(2).egress, EGRESS);
        Ok(Self {
            addresses,
            business,
            default,
            replicas,
            gateways,
            client: Arc::new(Client::new(egress).timeout(Duration::from_secs(10))),
            directory,
        })
    }

    /// The `ClusterSet` as the gateway of cluster 1 or 2 sees it.
    pub(crate) fn view(&self, seen_from: u8) -> PathBuf {
        view(self.directory.path(), seen_from)
    }

    /// Replaces a file of some clusters, as `kubectl apply` would replace the object, in both views. Returns how long
    /// it took until cluster-2's gateway served by it.
    pub(crate) async fn edit(
        &self,
        clusters: &[u8],
        file: &str,
        text: &str,
    ) -> anyhow::Result<Duration> {
        let [_, importing] = &self.gateways;
        let before = importing.page("/debug/table").await;
        let start = Instant::now();
        for seen_from in [1, 2] {
            for cluster in clusters {
                let directory = self.view(seen_from).join(format!("cluster-{cluster}"));
                manifests::replace(&directory.join(file), text)?;
            }
        }
        while importing.page("/debug/table").await == before {
            anyhow::ensure!(
                start.elapsed() < LIVE,
                "{file} was edited, but the gateway of cluster-2 still serves by the old one after {} s",
                LIVE.as_secs()
            );
            sleep(Duration::from_millis(20)).await;
        }
        Ok(start.elapsed())
    }

    /// Requests that have reached the replicas.
    pub(crate) fn executed(&self) -> u64 {
        self.replicas.iter().map(Backend::requests).sum()
    }

    /// Ends the processes politely and removes the files.
    pub(crate) async fn stop(self) {
        let [one, two] = self.gateways;
        tokio::join!(one.stop(), two.stop());
    }
}

fn view(root: &Path, seen_from: u8) -> PathBuf {
    root.join(format!("seen-from-cluster-{seen_from}"))
}

async fn tunnel(tunnel: Tunnel, addresses: Addresses) -> anyhow::Result<Relay> {
    let config = RelayConfig {
        listen: SocketAddr::new(addresses.wan(), tunnel.port()),
        target: SocketAddr::new(addresses.cluster(1).ingress, tunnel.port()),
        delay: tunnel.delay(),
        jitter: Duration::ZERO,
    };
    let listen = config.listen;
    Relay::start(config)
        .await
        .with_context(|| format!("cannot listen on {listen}"))
}

fn gateway(program: &Path, root: &Path, addresses: Addresses, n: u8) -> anyhow::Result<Gateway> {
    let clusterset = view(root, n);
    manifests::write(&clusterset, n, addresses)?;
    Gateway::start(Start {
        program,
        logs: root,
        clusterset: &clusterset,
        cluster: &format!("cluster-{n}"),
        admin: addresses.admin(n),
    })
}
