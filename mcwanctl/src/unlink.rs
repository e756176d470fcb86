//! `mcwanctl unlink`: removes what `mcwanctl link` made, on both sides, and on one where the other is dead.

use std::fmt::Debug;
use std::io::Write;

use clap::Args;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::Resource;
use kube::api::{Api, ListParams};
use mcwan_k8s::access::{self, LINK_LABEL, ROLE};
use mcwan_k8s::kinds::wan::ClusterPeer;
use mcwan_k8s::names::NAMESPACE;
use serde::de::DeserializeOwned;

use crate::args::CheckOutput;
use crate::cluster::{Cluster, Contexts, KubeconfigArgs, cause, identity, runtime};
use crate::link::steps::Steps;
use crate::link::{IdArgs, credential};
use crate::status::{Seen, read};

/// Arguments of `unlink`.
#[derive(Debug, Args)]
#[command(
    after_help = "The namespace mc-wan stays. When one of the clusters is dead, the other is cleaned up all the same."
)]
pub(crate) struct UnlinkArgs {
    /// Context of one cluster
    pub context_a: String,
    /// Context of the other cluster
    pub context_b: String,
    #[command(flatten)]
    pub kubeconfig: KubeconfigArgs,
    #[command(flatten)]
    pub ids: IdArgs,
    /// Output format
    #[arg(short, long, value_enum, default_value_t = CheckOutput::Text)]
    pub output: CheckOutput,
}

/// One of the two clusters, alive or dead.
struct Side {
    cluster: Cluster,
    /// Its id, as far as it says so itself or the user does.
    id: Option<String>,
    /// Why nothing can be done there.
    dead: Option<String>,
}

/// Unlinks; false when something is left behind.
///
/// # Errors
/// When both clusters are dead, or nobody knows which cluster one of them is; nothing is deleted then.
pub(crate) fn run(args: &UnlinkArgs, out: &mut dyn Write) -> anyhow::Result<bool> {
    runtime()?.block_on(async {
        let contexts = Contexts::read(args.kubeconfig.kubeconfig.as_deref())?;
        contexts.entry(&args.context_a)?;
        contexts.entry(&args.context_b)?;
        let a = look(&contexts, &args.context_a, args.ids.cluster_a.as_ref()).await?;
        let b = look(&contexts, &args.context_b, args.ids.cluster_b.as_ref()).await?;
        if let (Some(why), Some(_)) = (&a.dead, &b.dead) {
            anyhow::bail!("neither cluster answers, nothing was done: {why}");
        }
        let (id_a, id_b) = (known(&a, &b, 'a').await?, known(&b, &a, 'b').await?);
        anyhow::ensure!(id_a != id_b, "both contexts are cluster {id_a}; name two clusters");
        let mut steps = Steps::new(out, args.output);
        remove(&a, &id_a, &id_b, &mut steps).await?;
        remove(&b, &id_b, &id_a, &mut steps).await?;
        let ok = !steps.has_failed();
        if !ok {
            steps.note("  next: repeat this command when the rest can be done; what is done already stays done")?;
        }
        steps.end(ok)?;
        Ok(ok)
    })
}

async fn look(contexts: &Contexts, context: &str, given: Option<&String>) -> anyhow::Result<Side> {
    let cluster = contexts.connect(Some(context)).await?;
    let mut seen = Seen::default();
    let kinds = [
        ("about.k8s.io", "clusterproperties"),
        ("mc-wan.l7mp.io", "publishedclusters"),
    ];
    let dead = match cluster.client.apiserver_version().await {
        Ok(_) => read(&cluster, &kinds, &mut seen)
            .await
            .err()
            .map(|e| e.to_string()),
        Err(e) => Some(cluster.explain("cannot reach the cluster", &e).to_string()),
    };
    let stated = identity::cluster_id(&seen.snapshot).ok().flatten();
    Ok(Side {
        id: given.cloned().or(stated),
        cluster,
        dead,
    })
}

/// The id of a cluster: what it says itself, else the one under which the other one follows an API server of this address.
async fn known(side: &Side, other: &Side, letter: char) -> anyhow::Result<String> {
    if let Some(id) = &side.id {
        return Ok(id.clone());
    }
    if side.dead.is_none() && other.dead.is_some() {
        // Only for the words: what is removed here is named after the other one.
        return Ok(format!("<id of {}>", side.cluster.context));
    }
    let mut linked = Vec::new();
    if other.dead.is_none() {
        let api: Api<Secret> = Api::namespaced(other.cluster.client.clone(), NAMESPACE);
        let secrets = api.list(&ListParams::default().labels(LINK_LABEL)).await;
        let secrets = secrets.map_err(|e| {
            other
                .cluster
                .explain("cannot read the Secrets of links", &e)
        })?;
        for secret in secrets {
            let labels = secret.metadata.labels.as_ref();
            let Some(id) = labels.and_then(|l| l.get(LINK_LABEL)) else {
                continue;
            };
            if credential::server(&secret).as_deref() == Some(side.cluster.server.as_str()) {
                return Ok(id.clone());
            }
            linked.push(id.clone());
        }
    }
    let known = if linked.is_empty() {
        "no cluster is linked there".to_owned()
    } else {
        format!("linked there: {}", linked.join(", "))
    };
    anyhow::bail!(
        "context {} does not say which cluster it is; say it: --cluster-{letter} ID ({known})",
        side.cluster.context
    )
}

/// Removes from one cluster what the link with the other made there.
async fn remove(side: &Side, id: &str, other: &str, steps: &mut Steps<'_>) -> anyhow::Result<()> {
    let name = access::link_name(other);
    if let Some(why) = &side.dead {
        let rest = format!(
            "ClusterPeer {other}; ServiceAccount, RoleBinding and Secret {NAMESPACE}/{name}"
        );
        return Ok(steps.step(id, rest, "failed", why.clone())?);
    }
    let mut removal = Removal { side, id, steps };
    let client = &side.cluster.client;
    // The peer first: the controller withdraws what it imported while it still knows where it came from.
    removal
        .delete::<ClusterPeer>(&Api::all(client.clone()), other)
        .await?;
    removal.delete::<Secret>(&namespaced(side), &name).await?;
    removal
        .delete::<RoleBinding>(&namespaced(side), &name)
        .await?;
    removal
        .delete::<ServiceAccount>(&namespaced(side), &name)
        .await?;
    let bindings: Api<RoleBinding> = namespaced(side);
    let in_use = match bindings.list(&ListParams::default()).await {
        Ok(all) => all.into_iter().any(|b| b.role_ref.name == ROLE),
        // Whoever may not see who uses it leaves it.
        Err(_) => true,
    };
    if in_use {
        return Ok(());
    }
    let role: Api<Role> = namespaced(side);
    removal.report::<Role>(ROLE, side.cluster.delete(&role, ROLE).await)
}

fn namespaced<K: Resource<DynamicType = (), Scope = NamespaceResourceScope>>(
    side: &Side,
) -> Api<K> {
    Api::namespaced(side.cluster.client.clone(), NAMESPACE)
}

/// Removing objects from one cluster, with a line for each.
struct Removal<'a, 'b> {
    side: &'a Side,
    id: &'a str,
    steps: &'a mut Steps<'b>,
}

impl Removal<'_, '_> {
    /// Deletes an object that the link made; one that it did not make is named and left.
    async fn delete<K>(&mut self, api: &Api<K>, name: &str) -> anyhow::Result<()>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        let found = match api.get_metadata_opt(name).await {
            Ok(found) => found,
            Err(e) => return self.report::<K>(name, Err(e)),
        };
        let is_foreign = found.is_some_and(|object| {
            let labels = object.metadata.labels;
            labels.is_none_or(|labels| !labels.contains_key(LINK_LABEL))
        });
        if is_foreign {
            let why = "`mcwanctl link` did not make it; delete it by hand if it is of no use";
            let object = object::<K>(name);
            return Ok(self.steps.step(self.id, object, "failed", why.to_owned())?);
        }
        let deleted = self.side.cluster.delete(api, name).await;
        self.report::<K>(name, deleted)
    }

    fn report<K>(&mut self, name: &str, deleted: kube::Result<bool>) -> anyhow::Result<()>
    where
        K: Resource<DynamicType = ()>,
    {
        let (action, detail) = match deleted {
            Ok(true) => ("deleted", String::new()),
            Ok(false) => ("absent", String::new()),
            Err(e) => ("failed", cause(&e)),
        };
        Ok(self
            .steps
            .step(self.id, object::<K>(name), action, detail)?)
    }
}

fn object<K: Resource<DynamicType = ()>>(name: &str) -> String {
    format!("{} {name}", K::kind(&()))
}
