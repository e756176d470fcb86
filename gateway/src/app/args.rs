//! Command line and environment.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::observe::access_log::Sink;

/// The mc-wan gateway: egress and ingress of one cluster of a `ClusterSet`.
#[derive(Debug, Clone, Parser)]
#[command(name = "mcwan-gateway", version, about)]
pub struct Args {
    /// Directory of manifests: `DIR/<cluster>/*.yaml` holds what `kubectl apply` would have put into that cluster.
    #[arg(long, value_name = "DIR", env = "MCWAN_CLUSTERSET")]
    pub clusterset: PathBuf,

    /// The cluster whose gateway this is: one of the directories in DIR.
    #[arg(long, value_name = "NAME", env = "MCWAN_CLUSTER")]
    pub cluster: String,

    /// Address of /metrics, /healthz, /readyz and /debug; none without it.
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
        if !self.clusterset.is_dir() {
            let dir = self.clusterset.display();
            return Err(format!(
                "--clusterset {dir} is not a directory; give the one that holds a directory for each cluster"
            ));
        }
        let home = self.clusterset.join(&self.cluster);
        if self.cluster.is_empty() || self.cluster.contains(['/', '\\']) || !home.is_dir() {
            return Err(format!(
                "--cluster {}: there is no directory {}; clusters in {} are: {}",
                self.cluster,
                home.display(),
                self.clusterset.display(),
                self.clusters().join(", ")
            ));
        }
        Ok(())
    }

    fn clusters(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.clusterset)
            .into_iter()
            .flatten()
            .flatten();
        let dirs = entries.filter(|e| e.path().is_dir());
        let mut names: Vec<String> = dirs
            .map(|e| e.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
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
}
