//! A cluster without nodes: etcd and an API server.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, ListParams};
use rcgen::KeyPair;
use tokio::process::Command;

use crate::assets::{Assets, root};
use crate::certificates::{Authority, Identity};
use crate::objects::Objects;
use crate::patience::{LONG, until};
use crate::program::Program;

/// Who issues tokens of `ServiceAccount`s, and for whom they are.
pub const ISSUER: &str = "https://kubernetes.default.svc";

/// Where the CRDs are.
const CRDS: [&str; 4] = [
    "config/crd/own",
    "config/crd/mcs",
    "config/crd/about",
    "config/crd/gateway-api",
];

/// etcd and an API server. Dropping it kills both.
#[derive(Debug)]
pub struct Cluster {
    name: String,
    net: u8,
    data: PathBuf,
    logs: PathBuf,
    assets: Assets,
    authority: Authority,
    token_key: KeyPair,
    objects: Objects,
    etcd: Program,
    server: Program,
}

impl Cluster {
    /// Starts a cluster with addresses 10.77.`net`.0/24 and waits until it serves, with the project's CRDs established.
    ///
    /// # Errors
    /// When a program does not start or is not ready in time.
    pub async fn start(
        assets: &Assets,
        name: &str,
        net: u8,
        data: &Path,
        logs: &Path,
    ) -> Result<Self> {
        let data = data.join(format!("{net}-{name}"));
        std::fs::create_dir_all(&data)?;
        std::fs::create_dir_all(logs)?;
        let authority = Authority::new(name)?;
        let token_key = KeyPair::generate()?;
        let address = address(net, 1);
        write_keys(&data, &authority, &token_key, address.into())?;
        let etcd = Program::start(
            "etcd",
            etcd(assets, address, &data),
            &logs.join(format!("{name}.etcd.log")),
        )?;
        let server = Program::start(
            "kube-apiserver",
            api_server(assets, address, &data),
            &logs.join(format!("{name}.kube-apiserver.log")),
        )?;
        let admin = administrator(&authority)?;
        let objects = Objects::new(
            SocketAddr::from((address, 6443)),
            authority.certificate(),
            &admin,
        )
        .await?;
        let mut cluster = Self {
            name: name.to_owned(),
            net,
            data,
            logs: logs.to_owned(),
            assets: assets.clone(),
            authority,
            token_key,
            objects,
            etcd,
            server,
        };
        cluster.ready().await?;
        cluster.install().await?;
        Ok(cluster)
    }

    /// Its cluster id.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// An address of its own range: 10.77.`net`.`host`.
    #[must_use]
    pub const fn address(&self, host: u8) -> Ipv4Addr {
        address(self.net, host)
    }

    /// Where its API server listens.
    #[must_use]
    pub fn api_address(&self) -> SocketAddr {
        SocketAddr::from((self.address(1), 6443))
    }

    /// Its objects, as an administrator.
    #[must_use]
    pub const fn objects(&self) -> &Objects {
        &self.objects
    }

    /// A certificate of an administrator.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn admin(&self) -> Result<Identity> {
        administrator(&self.authority)
    }

    /// Its authority.
    #[must_use]
    pub const fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The key that signs tokens of its `ServiceAccount`s.
    #[must_use]
    pub const fn token_key(&self) -> &KeyPair {
        &self.token_key
    }

    /// Folder of logs.
    #[must_use]
    pub fn logs(&self) -> &Path {
        &self.logs
    }

    /// Folder for files that end with the test run.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The process of the API server.
    #[must_use]
    pub const fn server(&self) -> &Program {
        &self.server
    }

    /// Kills the API server; etcd goes on.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub async fn stop_server(&mut self) -> Result<()> {
        self.server.kill().await
    }

    /// Starts the API server again and waits until it serves.
    ///
    /// # Errors
    /// When it is not ready in time.
    pub async fn start_server(&mut self) -> Result<()> {
        let command = api_server(&self.assets, self.address(1), &self.data);
        let log = self.logs.join(format!("{}.kube-apiserver.log", self.name));
        self.server = Program::start("kube-apiserver", command, &log)?;
        self.ready().await
    }

    /// Waits until the API server serves.
    async fn ready(&mut self) -> Result<()> {
        let Self {
            objects,
            etcd,
            server,
            ..
        } = self;
        until(LONG, "the API server is ready", async || {
            etcd.runs()?;
            server.runs()?;
            let ready = objects.get_text("/readyz").await;
            ready.map(drop).with_context(|| server.tail())
        })
        .await
    }

    /// Applies the CRDs and waits until they are served.
    async fn install(&self) -> Result<()> {
        for folder in CRDS {
            for entry in std::fs::read_dir(root().join(folder))? {
                let text = std::fs::read_to_string(entry?.path())?;
                self.objects.apply(&text).await?;
            }
        }
        let crds: Api<CustomResourceDefinition> = Api::all(self.objects.client());
        until(LONG, "all CRDs are established", async || {
            let list = crds.list(&ListParams::default()).await?;
            let pending = list.items.iter().find(|crd| !is_true(crd, "Established"));
            pending.map_or(Ok(()), |crd| {
                anyhow::bail!("{:?}: {:?}", crd.metadata.name, crd.status)
            })
        })
        .await
    }
}

/// Someone who may do everything.
fn administrator(authority: &Authority) -> Result<Identity> {
    authority.client("admin", "system:masters")
}

/// Whether a CRD has a condition.
fn is_true(crd: &CustomResourceDefinition, condition: &str) -> bool {
    let conditions = crd.status.as_ref().and_then(|s| s.conditions.as_ref());
    conditions
        .into_iter()
        .flatten()
        .any(|c| c.type_ == condition && c.status == "True")
}

/// 10.77.`net`.`host`.
const fn address(net: u8, host: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, net, host)
}

fn write_keys(
    data: &Path,
    authority: &Authority,
    token_key: &KeyPair,
    address: IpAddr,
) -> Result<()> {
    let server = authority.server(address)?;
    let files = [
        ("ca.crt", authority.certificate().to_owned()),
        ("server.crt", server.certificate),
        ("server.key", server.key),
        ("token.key", token_key.serialize_pem()),
        ("token.pub", token_key.public_key_pem()),
    ];
    for (name, text) in files {
        std::fs::write(data.join(name), text).with_context(|| format!("cannot write {name}"))?;
    }
    Ok(())
}

fn etcd(assets: &Assets, address: Ipv4Addr, data: &Path) -> Command {
    let mut command = Command::new(assets.path("etcd"));
    let (client, peer) = (
        format!("http://{address}:2379"),
        format!("http://{address}:2380"),
    );
    command
        .arg(format!("--data-dir={}", data.join("etcd").display()))
        .arg(format!("--listen-client-urls={client}"))
        .arg(format!("--advertise-client-urls={client}"))
        .arg(format!("--listen-peer-urls={peer}"))
        .arg(format!("--initial-advertise-peer-urls={peer}"))
        .arg(format!("--initial-cluster=default={peer}"))
        .args(["--unsafe-no-fsync", "--log-level=warn"]);
    command
}

fn api_server(assets: &Assets, address: Ipv4Addr, data: &Path) -> Command {
    let mut command = Command::new(assets.path("kube-apiserver"));
    let file = |name: &str| data.join(name).display().to_string();
    command
        .arg(format!("--etcd-servers=http://{address}:2379"))
        .arg(format!("--bind-address={address}"))
        .arg(format!("--advertise-address={address}"))
        .arg(format!("--client-ca-file={}", file("ca.crt")))
        .arg(format!("--tls-cert-file={}", file("server.crt")))
        .arg(format!("--tls-private-key-file={}", file("server.key")))
        .arg(format!("--service-account-issuer={ISSUER}"))
        .arg(format!("--api-audiences={ISSUER}"))
        .arg(format!("--service-account-signing-key-file={}", file("token.key")))
        .arg(format!("--service-account-key-file={}", file("token.pub")))
        .arg(format!("--cert-dir={}", data.display()))
        // Both families: what a cluster's ServiceImports say about theirs depends on it.
        .arg("--service-cluster-ip-range=10.96.0.0/16,fd00:96::/112")
        .args(["--secure-port=6443", "--authorization-mode=RBAC"])
        // Without a controller-manager there are no default ServiceAccounts, and nobody to keep the server's own endpoints.
        .args(["--disable-admission-plugins=ServiceAccount", "--endpoint-reconciler-type=none"])
        .args(["--profiling=false", "--shutdown-delay-duration=0s"]);
    command
}
