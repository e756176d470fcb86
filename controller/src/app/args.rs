//! Command line and environment.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{ArgAction, Parser};
use mcwan_k8s::names::is_label;

/// The mc-wan controller: exports become imports across the clusters of a `ClusterSet`.
#[derive(Debug, Clone, Parser)]
#[command(name = "mcwan-controller", version, about)]
pub struct Args {
    /// Id of the cluster that this controller is in: one DNS label, the same that its peers know it by.
    #[arg(long, value_name = "NAME", env = "MCWAN_CLUSTER")]
    pub cluster: String,

    /// Kubeconfig of the cluster; without it KUBECONFIG, ~/.kube/config, or the pod's own account.
    #[arg(long, value_name = "PATH", env = "MCWAN_KUBECONFIG")]
    pub kubeconfig: Option<PathBuf>,

    /// Context in the kubeconfig; the current one without it.
    #[arg(long, value_name = "NAME", env = "MCWAN_CONTEXT")]
    pub context: Option<String>,

    /// Address of /metrics, /healthz, /readyz and /debug; none without it.
    #[arg(long, value_name = "ADDR:PORT", env = "MCWAN_ADMIN")]
    pub admin: Option<SocketAddr>,

    /// Name in the Lease. A process that starts again under its old name leads at once; two that run at a time must have
    /// different ones. Without it, the host's name and a random number.
    #[arg(long, value_name = "NAME", env = "MCWAN_IDENTITY")]
    pub identity: Option<String>,

    /// Whether gateways are deployed for Gateways. Not available yet: only false, the default. Start the gateways
    /// yourself, with mcwan-gateway --gateway NAMESPACE/NAME, and give their Gateways spec.addresses.
    #[arg(long, env = "MCWAN_PROVISION", action = ArgAction::Set, default_value_t = false)]
    pub provision: bool,
}

impl Args {
    /// What is wrong with the arguments beyond their syntax, and what to do.
    ///
    /// # Errors
    /// One line for a person.
    pub fn check(&self) -> Result<(), String> {
        if !is_label(&self.cluster) {
            return Err(format!(
                "--cluster {:?} is not a cluster id; give one dns label: at most 63 lower-case letters, digits and -",
                self.cluster
            ));
        }
        if self.provision {
            return Err(
                "--provision=true is not available yet; leave it out, and start mcwan-gateway --gateway NAMESPACE/NAME yourself"
                    .to_owned(),
            );
        }
        Ok(())
    }

    /// The name in the Lease; `random` makes it this process's own where none is given.
    #[must_use]
    pub fn identity(&self, random: u32) -> String {
        self.identity.clone().unwrap_or_else(|| {
            let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
            format!("{}_{random:08x}", host.trim())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Args {
        let program = ["mcwan-controller", "--cluster", "cluster-1"];
        Args::try_parse_from(program.iter().chain(args)).unwrap()
    }

    #[test]
    fn provisioning_is_refused_with_what_to_do_instead() {
        assert_eq!(parse(&[]).check(), Ok(()));
        assert_eq!(parse(&["--provision=false"]).check(), Ok(()));
        let refused = parse(&["--provision=true"]).check().unwrap_err();
        assert!(refused.contains("mcwan-gateway --gateway"), "{refused}");
    }

    #[test]
    fn a_cluster_id_is_one_label() {
        let mut args = parse(&[]);
        args.cluster = "Cluster.1".to_owned();
        assert!(args.check().unwrap_err().contains("dns label"));
    }

    #[test]
    fn two_processes_of_a_host_have_different_names_unless_told() {
        let args = parse(&[]);
        assert_ne!(args.identity(1), args.identity(2));
        let named = parse(&["--identity", "pod-7"]);
        assert_eq!(named.identity(1), "pod-7");
    }
}
