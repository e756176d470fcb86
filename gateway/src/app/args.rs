//! Command line and environment.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser;
use mcwan_k8s::names::{is_label, is_subdomain};
use mcwan_k8s::object::Key;

use crate::cluster::bind::Bind;
use crate::observe::access_log::Sink;

/// The mc-wan gateway: egress and ingress of one cluster of a `ClusterSet`.
#[derive(Debug, Clone, Parser)]
#[command(name = "mcwan-gateway", version, about)]
pub struct Args {
    /// Directory of manifests: `DIR/<cluster>/*.yaml` holds what `kubectl apply` would have put into that cluster.
    #[arg(
        long,
        value_name = "DIR",
        env = "MCWAN_CLUSTERSET",
        required_unless_present = "gateway",
        requires = "cluster"
    )]
    pub clusterset: Option<PathBuf>,

    /// Serves one Gateway, whose objects are read from the API server. The kubeconfig is --kubeconfig, KUBECONFIG,
    /// ~/.kube/config or that of the pod.
    #[arg(
        long,
        value_name = "NAMESPACE/NAME",
        env = "MCWAN_GATEWAY",
        conflicts_with = "clusterset",
        value_parser = gateway_name
    )]
    pub gateway: Option<Key>,

    /// The cluster whose gateway this is. With --clusterset one of the directories in DIR; with --gateway it may be left
    /// out: then the `ClusterProperty` `cluster.clusterset.k8s.io` says it.
    #[arg(long, value_name = "NAME", env = "MCWAN_CLUSTER")]
    pub cluster: Option<String>,

    /// Kubeconfig for --gateway.
    #[arg(long, value_name = "PATH", conflicts_with = "clusterset")]
    pub kubeconfig: Option<PathBuf>,

    /// Context of the kubeconfig; its current one without it.
    #[arg(long, value_name = "NAME", conflicts_with = "clusterset")]
    pub context: Option<String>,

    /// Where the listeners of --gateway are bound: on `any` address, or only on the `addresses` in the Gateway's spec (the
    /// loopback address when it has none). Without it: on the addresses in the spec, on any when it has none.
    #[arg(long, value_name = "WHERE", conflicts_with = "clusterset")]
    pub bind: Option<Bind>,

    /// Address of /metrics, /healthz, /readyz and /debug. Without it: none with --clusterset; port 15090 of the Gateway's
    /// first address (of any address when it has none, or with --bind any) with --gateway.
    #[arg(long, value_name = "ADDR:PORT", env = "MCWAN_ADMIN")]
    pub admin: Option<SocketAddr>,

    /// Worker threads; as many as there are CPUs without it.
    #[arg(long, value_name = "N", env = "MCWAN_THREADS", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,

    /// File for one JSON line a request, - for standard output, or stderr; none without it.
    #[arg(long, value_name = "PATH", env = "MCWAN_ACCESS_LOG")]
    pub access_log: Option<Sink>,

    /// Time that requests in flight get to finish after SIGTERM.
    #[arg(long, value_name = "N", env = "MCWAN_DRAIN_SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(0..=86_400))]
    pub drain_seconds: u64,
}

impl Args {
    /// See `--drain-seconds`.
    #[must_use]
    pub const fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_seconds)
    }

    /// What is wrong with the arguments beyond their syntax, and what to do.
    ///
    /// # Errors
    /// One line for a person.
    pub fn check(&self) -> Result<(), String> {
        let cluster = self.cluster.as_deref();
        match &self.clusterset {
            Some(dir) => check_directory(dir, cluster.unwrap_or_default()),
            None if cluster.is_some_and(|c| !is_label(c)) => Err(format!(
                "--cluster {}: not a cluster id; use one dns label: at most 63 lower-case letters, digits and `-`",
                cluster.unwrap_or_default()
            )),
            None => Ok(()),
        }
    }
}

fn check_directory(dir: &Path, cluster: &str) -> Result<(), String> {
    if !dir.is_dir() {
        let dir = dir.display();
        return Err(format!(
            "--clusterset {dir} is not a directory; give the one that holds a directory for each cluster"
        ));
    }
    let home = dir.join(cluster);
    if cluster.is_empty() || cluster.contains(['/', '\\']) || !home.is_dir() {
        return Err(format!(
            "--cluster {cluster}: there is no directory {}; clusters in {} are: {}",
            home.display(),
            dir.display(),
            clusters(dir).join(", ")
        ));
    }
    Ok(())
}

fn clusters(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let dirs = entries.filter(|e| e.path().is_dir());
    let mut names: Vec<String> = dirs
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn gateway_name(text: &str) -> Result<Key, String> {
    let parts = text.split_once('/');
    let parts = parts.filter(|(namespace, name)| is_label(namespace) && is_subdomain(name));
    parts
        .map(|(namespace, name)| (namespace.to_owned(), name.to_owned()))
        .ok_or_else(|| "write NAMESPACE/NAME of a Gateway, e.g. mc-wan/mc-wan-ingress".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Args, clap::Error> {
        Args::try_parse_from(["mcwan-gateway"].iter().chain(args))
    }

    #[test]
    fn drain_is_30_seconds_unless_told_otherwise() {
        let args = parse(&["--clusterset", "/", "--cluster", "c"]).unwrap();
        assert_eq!(args.drain(), Duration::from_secs(30));
    }

    #[test]
    fn no_worker_thread_at_all_is_refused() {
        assert!(parse(&["--clusterset", "/", "--cluster", "c", "--threads", "0"]).is_err());
    }

    #[test]
    fn an_unknown_cluster_is_told_which_there_are() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("cluster-1")).unwrap();
        let path = dir.path().to_str().unwrap();
        let args = parse(&["--clusterset", path, "--cluster", "cluster-9"]).unwrap();
        assert!(args.check().unwrap_err().ends_with("are: cluster-1"));
        let args = parse(&["--clusterset", path, "--cluster", "cluster-1"]).unwrap();
        assert_eq!(args.check(), Ok(()));
    }

    #[test]
    fn a_directory_or_a_gateway_is_served_never_both_and_never_neither() {
        assert!(parse(&[]).is_err());
        assert!(parse(&["--gateway", "mc-wan/mc-wan-ingress"]).is_ok());
        assert!(parse(&["--clusterset", "/"]).is_err());
        let both = ["--clusterset", "/", "--cluster", "c", "--gateway", "a/b"];
        assert!(parse(&both).is_err());
        let bound = ["--clusterset", "/", "--cluster", "c", "--bind", "any"];
        assert!(parse(&bound).is_err());
    }

    #[test]
    fn a_gateway_is_named_with_its_namespace() {
        let args = parse(&["--gateway", "mc-wan/mc-wan-egress", "--bind", "addresses"]).unwrap();
        let gateway = ("mc-wan".to_owned(), "mc-wan-egress".to_owned());
        assert_eq!(
            (args.gateway, args.bind),
            (Some(gateway), Some(Bind::Addresses))
        );
        for wrong in ["mc-wan-egress", "/b", "a/", "a/b/c", "A/b"] {
            assert!(parse(&["--gateway", wrong]).is_err(), "{wrong}");
        }
        let args = parse(&["--gateway", "a/b", "--cluster", "Not A Label"]).unwrap();
        assert!(args.check().unwrap_err().contains("cluster id"));
    }
}
