//! The arguments.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::export::{ExportArgs, UnexportArgs};
use crate::link::LinkArgs;
use crate::status::StatusArgs;
use crate::unlink::UnlinkArgs;

/// Looks at, explains and shows an mc-wan ClusterSet.
#[derive(Debug, Parser)]
#[command(
    name = "mcwanctl",
    version,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 fine, 1 something is wrong, 64 wrong usage."
)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Join two clusters, so that each imports what the other exports
    Link(LinkArgs),
    /// Part two clusters
    Unlink(UnlinkArgs),
    /// Export a Service to the other clusters
    Export(ExportArgs),
    /// Withdraw an export
    Unexport(UnexportArgs),
    /// Show clusters, tunnels, exports, imports, and what is wrong with them
    Status(StatusArgs),
    /// Say what is wrong with manifests: what the gateway and the controller would report
    Check(CheckArgs),
    /// Print the Gateway API objects that the controller would make of manifests
    Render(RenderArgs),
    /// Show the four user stories with two clusters and two emulated tunnels on this machine
    Demo(DemoArgs),
}

/// Arguments of `check`.
#[derive(Debug, Args)]
#[command(after_help = FILES_HELP)]
pub(crate) struct CheckArgs {
    /// Directory or file with the manifests
    #[arg(short, long = "filename", value_name = "DIR")]
    pub file: PathBuf,
    /// Check only this cluster; the name of the cluster when DIR is not a ClusterSet
    #[arg(long, value_name = "NAME")]
    pub cluster: Option<String>,
    /// Output format
    #[arg(short, long, value_enum, default_value_t = CheckOutput::Text)]
    pub output: CheckOutput,
}

/// Arguments of `render`.
#[derive(Debug, Args)]
#[command(after_help = FILES_HELP)]
pub(crate) struct RenderArgs {
    /// Directory or file with the manifests
    #[arg(short, long = "filename", value_name = "DIR")]
    pub file: PathBuf,
    /// The cluster to render for; may be left out when there is only one
    #[arg(long, value_name = "NAME")]
    pub cluster: Option<String>,
    /// Output format: YAML documents, or one JSON List; `kubectl apply -f -` takes both
    #[arg(short, long, value_enum, default_value_t = RenderOutput::Yaml)]
    pub output: RenderOutput,
}

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// The gateway program; by default `mcwan-gateway` beside this one
    #[arg(long, value_name = "PATH")]
    pub gateway: Option<PathBuf>,
    /// Leave everything running until Ctrl-C and print commands to try by hand
    #[arg(long)]
    pub keep: bool,
    /// Output format
    #[arg(short, long, value_enum, default_value_t = CheckOutput::Text)]
    pub output: CheckOutput,
}

/// Output formats for people and programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckOutput {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Output formats for objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RenderOutput {
    /// YAML documents.
    Yaml,
    /// One `List`.
    Json,
}

const FILES_HELP: &str = "\
DIR is a ClusterSet (DIR/<cluster>/*.yaml, as `mcwan-gateway --clusterset DIR` takes it), a directory
of manifests, or one file; the last two are one cluster, called `local` unless --cluster says otherwise.";
