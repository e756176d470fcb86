//! `mcwanctl unexport`: an export withdrawn.

use std::io::Write;
use std::time::Duration;

use clap::Args;
use kube::api::Api;
use mcwan_k8s::kinds::wan::{PublishedService, ServiceExport, service_object_name};
use mcwan_k8s::names::NAMESPACE;
use tokio::time::{Instant, sleep};

use crate::args::CheckOutput;
use crate::cluster::{Cluster, ClusterArgs, Contexts, runtime};

use super::{ServiceName, official};

/// Arguments of `unexport`.
#[derive(Debug, Args)]
pub(crate) struct UnexportArgs {
    /// The Service
    #[arg(value_name = "NAMESPACE/NAME")]
    pub service: ServiceName,
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// Delete a ServiceExport of mc-wan.l7mp.io too, with the rules that somebody wrote
    #[arg(long)]
    pub rules: bool,
    /// Wait until the peers are no longer offered the service, 60 seconds unless said otherwise
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "60")]
    pub wait: Option<u64>,
    /// Output format
    #[arg(short, long, value_enum, default_value_t = CheckOutput::Text)]
    pub output: CheckOutput,
}

/// Withdraws an export; false when the service is still exported.
///
/// # Errors
/// When the API server refuses it.
pub(crate) fn run(args: &UnexportArgs, out: &mut dyn Write) -> anyhow::Result<bool> {
    runtime()?.block_on(async {
        let contexts = Contexts::read(args.cluster.kubeconfig.kubeconfig.as_deref())?;
        let cluster = contexts.connect(args.cluster.context.as_deref()).await?;
        let service = &args.service;
        let official = official::find(&cluster, service).await?;
        let deleted = cluster.delete(&official.api, &service.name).await;
        let deleted = deleted.map_err(|e| cluster.explain(&format!("cannot delete ServiceExport {service}"), &e))?;
        let own = own_export(&cluster, args).await?;
        let offered = match args.wait {
            Some(seconds) if own != Own::Left => is_offered(&cluster, service, Duration::from_secs(seconds)).await?,
            Some(_) | None => false,
        };
        let ok = own != Own::Left && !offered;
        match args.output {
            CheckOutput::Text => {
                let what = if deleted || own == Own::Deleted { "deleted" } else { "was not there" };
                writeln!(out, "√ ServiceExport {service} {what}")?;
                if own == Own::Left {
                    writeln!(out, "× {service} is still exported by ServiceExport.mc-wan.l7mp.io {service}, which has rules of its own")?;
                    writeln!(out, "    hint: delete it too: mcwanctl unexport {service} --rules")?;
                }
                if offered {
                    writeln!(out, "× {service} is still offered to the peers")?;
                    writeln!(out, "    hint: mcwanctl status says whether the controller runs")?;
                }
            }
            CheckOutput::Json => {
                let all = serde_json::json!({
                    "ok": ok,
                    "service": service.to_string(),
                    "deleted": deleted || own == Own::Deleted,
                    "stillExported": own == Own::Left,
                    "stillOffered": offered,
                });
                writeln!(out, "{all:#}")?;
            }
        }
        Ok(ok)
    })
}

/// What became of the own kind's export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Own {
    Absent,
    Deleted,
    Left,
}

async fn own_export(cluster: &Cluster, args: &UnexportArgs) -> anyhow::Result<Own> {
    let service = &args.service;
    let api: Api<ServiceExport> = Api::namespaced(cluster.client.clone(), &service.namespace);
    let refused =
        |e: kube::Error| cluster.explain(&format!("ServiceExport.mc-wan.l7mp.io {service}"), &e);
    if args.rules {
        let deleted = cluster.delete(&api, &service.name).await.map_err(refused)?;
        return Ok(if deleted { Own::Deleted } else { Own::Absent });
    }
    let found = api.get_metadata_opt(&service.name).await.map_err(refused)?;
    Ok(if found.is_some() {
        Own::Left
    } else {
        Own::Absent
    })
}

/// Whether the outbox still offers the service after a while.
async fn is_offered(
    cluster: &Cluster,
    service: &ServiceName,
    longest: Duration,
) -> anyhow::Result<bool> {
    let api: Api<PublishedService> = Api::namespaced(cluster.client.clone(), NAMESPACE);
    let name = service_object_name(&service.namespace, &service.name);
    let deadline = Instant::now() + longest;
    loop {
        let found = api.get_metadata_opt(&name).await;
        let found = found.map_err(|e| cluster.explain("cannot look at what is offered", &e))?;
        if found.is_none() {
            return Ok(false);
        }
        if Instant::now() >= deadline {
            return Ok(true);
        }
        sleep(Duration::from_millis(200)).await;
    }
}
