//! `mcwanctl link`: two clusters follow each other.
//!
//! Each gets an account for the other that may read its outbox and nothing else, and a `ClusterPeer` with a kubeconfig of
//! the account that the other gave it. Everything is looked at before anything is written; a second run changes nothing
//! but what has to be renewed.
//!
//! * [`side`] — what there is to know of one of the two clusters.
//! * [`reach`] — by which address and authority the other cluster's controller reaches it.
//! * [`credential`] — the token, and whether the one that there is will do.
//! * [`mod@write`], [`mod@print`] — the two ways in which it ends.

pub(crate) mod credential;
mod print;
mod reach;
pub(crate) mod side;
pub(crate) mod steps;
mod write;

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::args::CheckOutput;
use crate::cluster::{Contexts, KubeconfigArgs, runtime};
use side::{Asked, Pair};
use steps::Steps;

/// Annotation of a `ClusterPeer` and its Secret: when the token that `link` got expires (RFC 3339).
pub(crate) const EXPIRES_ANNOTATION: &str = "mc-wan.l7mp.io/expires";

/// Arguments of `link`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct LinkArgs {
    /// Context of one cluster
    pub context_a: String,
    /// Context of the other cluster
    pub context_b: String,
    #[command(flatten)]
    pub kubeconfig: KubeconfigArgs,
    #[command(flatten)]
    pub ids: IdArgs,
    /// URL by which B reaches the API server of A, where that of the kubeconfig does not fit
    #[arg(long, value_name = "URL")]
    pub server_a: Option<String>,
    /// URL by which A reaches the API server of B
    #[arg(long, value_name = "URL")]
    pub server_b: Option<String>,
    /// File with the certificate authority of A's API server, where that of the kubeconfig does not fit
    #[arg(long, value_name = "FILE")]
    pub ca_a: Option<PathBuf>,
    /// File with the certificate authority of B's API server
    #[arg(long, value_name = "FILE")]
    pub ca_b: Option<PathBuf>,
    /// How long the tokens should be good; the API server may allow less
    #[arg(long, value_name = "DURATION", default_value = "8760h", value_parser = lifetime)]
    pub token_lifetime: Duration,
    /// Write nothing; print the objects as manifests
    #[arg(long)]
    pub print: bool,
    /// With --print: only what belongs into this context
    #[arg(long, value_name = "CONTEXT", requires = "print")]
    pub only: Option<String>,
    /// Wait until both controllers report that they are connected, 60 seconds unless said otherwise
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "60", conflicts_with = "print")]
    pub wait: Option<u64>,
    /// Output format
    #[arg(short, long, value_enum, default_value_t = CheckOutput::Text, conflicts_with = "print")]
    pub output: CheckOutput,
}

/// Cluster ids, where the clusters do not say theirs.
#[derive(Debug, Args)]
pub(crate) struct IdArgs {
    /// Cluster id of A, where neither a cluster property nor its controller says it
    #[arg(long, value_name = "ID")]
    pub cluster_a: Option<String>,
    /// Cluster id of B
    #[arg(long, value_name = "ID")]
    pub cluster_b: Option<String>,
}

const HELP: &str = "\
Repeat it at any time: it changes nothing but what has to be renewed. --print writes nothing; a token can only be had for
an account that exists, so the first --print has the accounts, and after they are applied the next one has the kubeconfigs.";

/// What the two sides are asked to be.
fn asked(args: &LinkArgs) -> [Asked<'_>; 2] {
    [
        Asked {
            letter: 'a',
            context: &args.context_a,
            id: args.ids.cluster_a.as_deref(),
            server: args.server_a.as_deref(),
            authority: args.ca_a.as_deref(),
        },
        Asked {
            letter: 'b',
            context: &args.context_b,
            id: args.ids.cluster_b.as_deref(),
            server: args.server_b.as_deref(),
            authority: args.ca_b.as_deref(),
        },
    ]
}

/// Links two clusters; false when both do not report within the time asked for that they are connected.
///
/// # Errors
/// When a check fails, before anything is written; or when an API server refuses something.
pub(crate) fn run(
    args: &LinkArgs,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<bool> {
    runtime()?.block_on(async {
        let contexts = Contexts::read(args.kubeconfig.kubeconfig.as_deref())?;
        let pair = Pair::look(&contexts, &asked(args)).await?;
        for warning in &pair.warnings {
            writeln!(err, "‼ {warning}")?;
        }
        if args.print {
            print::print(&pair, args, out).await?;
            return Ok(true);
        }
        let mut steps = Steps::new(out, args.output);
        steps.pair(&pair)?;
        write::write(&pair, args.token_lifetime, &mut steps).await?;
        let connected = match args.wait {
            Some(seconds) => write::wait(&pair, Duration::from_secs(seconds), &mut steps).await?,
            None => true,
        };
        steps.end(connected)?;
        Ok(connected)
    })
}

/// A duration as the Gateway API and Kubernetes write it, 10 minutes at least: the API server gives no shorter tokens.
fn lifetime(text: &str) -> Result<Duration, String> {
    const LEAST: Duration = Duration::from_mins(10);
    match mcwan_k8s::duration::parse(text) {
        Ok(duration) if duration >= LEAST => Ok(duration),
        Ok(_) => Err("at least 10m".to_owned()),
        Err(e) => Err(format!("{e}; for instance 720h")),
    }
}
