//! `mcwanctl export` and `unexport`: the official ServiceExport of a Service, with the WAN policy of the whole service.

mod official;
mod wait;
mod withdraw;

use std::fmt;
use std::io::Write;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use k8s_openapi::api::core::v1::{Namespace, Service};
use kube::api::{Api, ListParams};
use mcwan_k8s::kinds::wan::{ServiceExport, WANPolicy};
use mcwan_k8s::names::WAN_POLICY_ANNOTATION;

use crate::args::CheckOutput;
use crate::cluster::api::{Applied, is_code};
use crate::cluster::{Cluster, ClusterArgs, Contexts, cause, runtime};

pub(crate) use withdraw::{UnexportArgs, run as unexport};

/// Namespace and name of a Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServiceName {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl FromStr for ServiceName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/');
        let is_good = |part: &str| mcwan_k8s::names::is_label(part);
        match parts {
            Some((namespace, name)) if is_good(namespace) && is_good(name) => Ok(Self {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
            }),
            Some(_) | None => Err("name the Service as NAMESPACE/NAME".to_owned()),
        }
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Arguments of `export`.
#[derive(Debug, Args)]
#[command(
    after_help = "For rules by request write a ServiceExport of mc-wan.l7mp.io instead; see config/samples."
)]
pub(crate) struct ExportArgs {
    /// The Service
    #[arg(value_name = "NAMESPACE/NAME")]
    pub service: ServiceName,
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// WANPolicy of the whole service; without it the default policy takes its requests
    #[arg(long, value_name = "NAME")]
    pub wan_policy: Option<String>,
    /// Wait until the export is Valid and Ready, 60 seconds unless said otherwise
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "60")]
    pub wait: Option<u64>,
    /// Output format
    #[arg(short, long, value_enum, default_value_t = CheckOutput::Text)]
    pub output: CheckOutput,
}

/// Exports; false when it was to be waited for, and is not ready.
///
/// # Errors
/// When there is nothing to export, or the API server refuses it.
pub(crate) fn run(
    args: &ExportArgs,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<bool> {
    runtime()?.block_on(async {
        let contexts = Contexts::read(args.cluster.kubeconfig.kubeconfig.as_deref())?;
        let cluster = contexts.connect(args.cluster.context.as_deref()).await?;
        let warnings = check(&cluster, args).await?;
        for warning in &warnings {
            writeln!(err, "‼ {warning}")?;
        }
        let official = official::find(&cluster, &args.service).await?;
        let applied = official.apply(args.wan_policy.as_deref()).await?;
        say(args, applied, out)?;
        let waited = match args.wait {
            Some(seconds) => Some(official.wait(Duration::from_secs(seconds)).await),
            None => None,
        };
        let ok = waited.as_ref().is_none_or(wait::Waited::is_good);
        match args.output {
            CheckOutput::Text => {
                if let Some(waited) = &waited {
                    waited.write(&args.service, out)?;
                }
            }
            CheckOutput::Json => {
                let all = serde_json::json!({
                    "ok": ok,
                    "service": args.service.to_string(),
                    "action": applied,
                    "wanPolicy": args.wan_policy,
                    "warnings": warnings,
                    "status": waited,
                });
                writeln!(out, "{all:#}")?;
            }
        }
        Ok(ok)
    })
}

fn say(args: &ExportArgs, applied: Applied, out: &mut dyn Write) -> anyhow::Result<()> {
    if args.output == CheckOutput::Text {
        let policy = args.wan_policy.as_deref();
        let policy = policy.map_or_else(|| "no WANPolicy".to_owned(), |p| format!("WANPolicy {p}"));
        writeln!(
            out,
            "√ ServiceExport {} {} ({policy})",
            args.service,
            applied.word()
        )?;
    }
    Ok(())
}

/// Looks whether the Service and the policy are there; what may surprise the user.
async fn check(cluster: &Cluster, args: &ExportArgs) -> anyhow::Result<Vec<String>> {
    service(cluster, &args.service).await?;
    let mut warnings = Vec::new();
    let policies: Api<WANPolicy> = Api::all(cluster.client.clone());
    let policies = match policies.list(&ListParams::default()).await {
        Ok(list) => list.items,
        Err(e) if is_code(&e, 404) => anyhow::bail!(
            "no WANPolicy kind in this cluster: install the CRDs: kubectl apply -f config/crd/"
        ),
        // Who may export need not be allowed to see the policies.
        Err(e) if is_code(&e, 403) => {
            warnings.push(format!(
                "the WAN policies may not be read, so they are not checked: {}",
                cause(&e)
            ));
            return Ok(warnings);
        }
        Err(e) => return Err(cluster.explain("cannot read the WAN policies", &e)),
    };
    warnings.extend(policy(args.wan_policy.as_deref(), &policies)?);
    warnings.extend(rules(cluster, args).await);
    Ok(warnings)
}

async fn service(cluster: &Cluster, service: &ServiceName) -> anyhow::Result<()> {
    let api: Api<Service> = Api::namespaced(cluster.client.clone(), &service.namespace);
    let found = api.get_opt(&service.name).await;
    let found = found.map_err(|e| cluster.explain("cannot look for the Service", &e))?;
    let Some(found) = found else {
        let namespaces: Api<Namespace> = Api::all(cluster.client.clone());
        let has_namespace = namespaces.get_metadata_opt(&service.namespace).await;
        anyhow::ensure!(
            !matches!(has_namespace, Ok(None)),
            "there is no namespace {} in context {}; correct the name, or choose another --context",
            service.namespace,
            cluster.context
        );
        anyhow::bail!(
            "there is no Service {service} in context {}; create it first, or correct the name: kubectl get services -n {}",
            cluster.context,
            service.namespace
        );
    };
    let type_ = found.spec.and_then(|spec| spec.type_);
    anyhow::ensure!(
        type_.as_deref() != Some("ExternalName"),
        "Service {service} is of type ExternalName, which cannot be exported"
    );
    Ok(())
}

/// What is wrong or surprising about the policy that is asked for.
fn policy(asked: Option<&str>, policies: &[WANPolicy]) -> anyhow::Result<Option<String>> {
    let name = |policy: &WANPolicy| policy.metadata.name.clone().unwrap_or_default();
    let Some(asked) = asked else {
        let is_default = |p: &WANPolicy| {
            mcwan_k8s::object::annotation(p, mcwan_k8s::names::DEFAULT_ANNOTATION) == Some("true")
        };
        let warning = "no WANPolicy is the default one, so without --wan-policy or rules no request will be carried";
        return Ok((!policies.iter().any(is_default)).then(|| warning.to_owned()));
    };
    let Some(found) = policies.iter().find(|p| name(p) == asked) else {
        let known: Vec<String> = policies.iter().map(name).collect();
        if known.is_empty() {
            anyhow::bail!("there is no WANPolicy {asked}, nor any other; create it first");
        }
        anyhow::bail!(
            "there is no WANPolicy {asked}; there is {}",
            known.join(", ")
        );
    };
    let conditions = found
        .status
        .iter()
        .flat_map(|s| s.conditions.iter().flatten());
    let mut refused = conditions
        .filter(|c| c.type_ == "Accepted" && c.status == "False")
        .map(|c| format!("WANPolicy {asked} is not accepted: {}", c.message));
    Ok(refused.next())
}

/// Rules of an own ServiceExport win over the policy of the whole service.
async fn rules(cluster: &Cluster, args: &ExportArgs) -> Option<String> {
    let service = &args.service;
    let api: Api<ServiceExport> = Api::namespaced(cluster.client.clone(), &service.namespace);
    let own = api.get_opt(&service.name).await.ok().flatten()?;
    let has_rules = own.spec.http.is_some();
    (has_rules && args.wan_policy.is_some()).then(|| {
        format!(
            "the rules of ServiceExport.mc-wan.l7mp.io {service} win over {WAN_POLICY_ANNOTATION}"
        )
    })
}

#[cfg(test)]
mod tests;
