//! `mcwanctl status`: what a cluster, its peers and its services are doing, and what is wrong with them.
//!
//! * [`observe`] — asks the API server (and the gateways, where they can be reached) once.
//! * [`report`] — what was seen as a [`Report`]: a function of values and the time.
//! * [`text`] — the report for people.

mod admin;
mod fact;
mod finding;
mod observe;
mod peers;
mod report;
mod seen;
mod services;
mod text;
mod wan;

use std::io::{IsTerminal as _, Write};
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;

use crate::args::CheckOutput;
use crate::cluster::{Cluster, Contexts, KubeconfigArgs, runtime};

pub(crate) use observe::read;
pub(crate) use report::Report;
pub(crate) use seen::{Cause, Seen};

/// Arguments of `status`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit code 1 when something is wrong: a peer or a tunnel that is dead, an export that is not ready, no controller."
)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub kubeconfig: KubeconfigArgs,
    /// Context of the kubeconfig; may be given several times; the current one by default
    #[arg(long, value_name = "NAME")]
    pub context: Vec<String>,
    /// Look again until interrupted, and print what has changed
    #[arg(long)]
    pub watch: bool,
    /// Seconds between two looks with --watch
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub interval: u64,
    /// Output format; with --watch one line of JSON for each change
    #[arg(short, long, value_enum, default_value_t = CheckOutput::Text)]
    pub output: CheckOutput,
}

/// Shows the status; true when nothing is wrong.
///
/// # Errors
/// When a cluster does not answer, or the output cannot be written.
pub(crate) fn run(args: &StatusArgs, out: &mut dyn Write) -> anyhow::Result<bool> {
    runtime()?.block_on(async {
        let clusters = connect(args).await?;
        if args.watch {
            return watch(args, &clusters, out).await;
        }
        let looks = look(&clusters).await;
        write(args, &looks, out)?;
        Ok(looks.iter().all(Look::is_ok))
    })
}

async fn connect(args: &StatusArgs) -> anyhow::Result<Vec<Cluster>> {
    let contexts = Contexts::read(args.kubeconfig.kubeconfig.as_deref())?;
    if args.context.is_empty() {
        return Ok(vec![contexts.connect(None).await?]);
    }
    let mut clusters = Vec::new();
    for context in &args.context {
        clusters.push(contexts.connect(Some(context)).await?);
    }
    Ok(clusters)
}

/// What one look at one cluster gave.
enum Look {
    /// It answered.
    Report(Box<Report>),
    /// It did not.
    Unreachable(String, String),
}

impl Look {
    fn is_ok(&self) -> bool {
        matches!(self, Self::Report(report) if report.ok)
    }

    fn text(&self) -> String {
        match self {
            Self::Report(report) => text::text(report),
            Self::Unreachable(context, why) => format!("× context {context}: {why}\n"),
        }
    }

    fn json(&self) -> serde_json::Value {
        match self {
            Self::Report(report) => serde_json::to_value(report).unwrap_or_default(),
            Self::Unreachable(context, why) => {
                serde_json::json!({ "context": context, "ok": false, "error": why })
            }
        }
    }

    /// What it says, without what changes by itself as time passes.
    fn timeless(&self) -> serde_json::Value {
        match self {
            Self::Report(report) => report.timeless(),
            Self::Unreachable(..) => self.json(),
        }
    }
}

async fn look(clusters: &[Cluster]) -> Vec<Look> {
    let looks = clusters.iter().map(|cluster| async move {
        match observe::observe(cluster).await {
            Ok(seen) => Look::Report(Box::new(report::report(&seen, Timestamp::now()))),
            Err(e) => Look::Unreachable(cluster.context.clone(), format!("{e:#}")),
        }
    });
    futures::future::join_all(looks).await
}

fn write(args: &StatusArgs, looks: &[Look], out: &mut dyn Write) -> anyhow::Result<()> {
    match args.output {
        CheckOutput::Text => {
            let texts: Vec<String> = looks.iter().map(Look::text).collect();
            write!(out, "{}", texts.join("\n"))?;
        }
        CheckOutput::Json => {
            let all = json(looks);
            if args.watch {
                writeln!(out, "{all}")?;
            } else {
                writeln!(out, "{all:#}")?;
            }
        }
    }
    out.flush()?;
    Ok(())
}

fn json(looks: &[Look]) -> serde_json::Value {
    let clusters: Vec<_> = looks.iter().map(Look::json).collect();
    serde_json::json!({ "ok": looks.iter().all(Look::is_ok), "clusters": clusters })
}

/// Looks again and again until interrupted; true when nothing was wrong at last. A terminal always shows the last look,
/// anything else gets what has changed.
async fn watch(
    args: &StatusArgs,
    clusters: &[Cluster],
    out: &mut dyn Write,
) -> anyhow::Result<bool> {
    let is_terminal = std::io::stdout().is_terminal() && args.output == CheckOutput::Text;
    let mut ticks = tokio::time::interval(Duration::from_secs(args.interval));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut last = None;
    let mut ok = false;
    loop {
        let looks = tokio::select! {
            _ = tokio::signal::ctrl_c() => return Ok(ok),
            looks = async { ticks.tick().await; look(clusters).await } => looks,
        };
        ok = looks.iter().all(Look::is_ok);
        let said: Vec<_> = looks.iter().map(Look::timeless).collect();
        if is_terminal {
            // Home, and clear to the end of the screen: what is above stays in the terminal's memory.
            write!(out, "\x1b[H\x1b[2J")?;
        } else if last.as_ref() == Some(&said) {
            continue;
        } else if last.is_some() && args.output == CheckOutput::Text {
            writeln!(
                out,
                "\n--- {}",
                Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ")
            )?;
        }
        write(args, &looks, out)?;
        last = Some(said);
    }
}

#[cfg(test)]
mod tests;
