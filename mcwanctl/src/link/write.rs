//! Writes the objects of a link, and waits until the controllers use them.

use std::fmt::Debug;
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{Namespace, Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::api::{Api, ObjectMeta};
use kube::{Client, Resource};
use mcwan_k8s::access::{self, Endpoint, LINK_LABEL};
use mcwan_k8s::kinds::wan::ClusterPeer;
use mcwan_k8s::names::NAMESPACE;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout};

use crate::cluster::api::is_code;
use crate::cluster::{Cluster, cause};

use super::credential::{self, Token};
use super::side::{Pair, Side};
use super::steps::{Steps, until};

/// Writes both ways of the link.
///
/// # Errors
/// When an object of another origin has one of the names, before anything is written; or when an API server refuses something.
pub(crate) async fn write(
    pair: &Pair,
    lifetime: Duration,
    steps: &mut Steps<'_>,
) -> anyhow::Result<()> {
    for (read, reader) in pair.ways() {
        refuse_foreign(read, reader).await?;
    }
    for side in &pair.sides {
        namespace(side, steps).await?;
    }
    for (read, reader) in pair.ways() {
        grant(read, reader, steps).await?;
        let (token, action) = match credential::good(reader, read, lifetime).await? {
            Some(token) => (token, "kept"),
            None => {
                let account = access::link_name(&reader.id);
                (
                    credential::request(read, &account, lifetime).await?,
                    "issued",
                )
            }
        };
        follow(reader, read, &token, steps).await?;
        let what = format!("token for {}", read.id);
        steps.step(&reader.id, what, action, until(token.expires))?;
        try_token(reader, read, &token, steps).await?;
    }
    Ok(())
}

/// Objects that somebody else made under our names are nobody's to change.
async fn refuse_foreign(read: &Side, reader: &Side) -> anyhow::Result<()> {
    let (account, secret) = (access::link_name(&reader.id), access::link_name(&read.id));
    owned::<ServiceAccount>(read, &account).await?;
    owned::<RoleBinding>(read, &account).await?;
    owned::<Secret>(reader, &secret).await
}

async fn owned<K>(side: &Side, name: &str) -> anyhow::Result<()>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned,
{
    let api: Api<K> = Api::namespaced(side.cluster.client.clone(), NAMESPACE);
    let what = format!("{} {NAMESPACE}/{name}", K::kind(&()));
    let found = api.get_metadata_opt(name).await;
    let found = found.map_err(|e| side.cluster.explain(&format!("cannot look for {what}"), &e))?;
    let has_label = found.is_none_or(|object| {
        let labels = object.metadata.labels;
        labels.is_some_and(|labels| labels.contains_key(LINK_LABEL))
    });
    anyhow::ensure!(
        has_label,
        "{}: {what} is there, but `mcwanctl link` did not make it (no label {LINK_LABEL}); delete it, or label it to give it away",
        side.id
    );
    Ok(())
}

async fn namespace(side: &Side, steps: &mut Steps<'_>) -> anyhow::Result<()> {
    let api: Api<Namespace> = Api::all(side.cluster.client.clone());
    let found = api.get_metadata_opt(NAMESPACE).await;
    if found
        .map_err(|e| side.cluster.explain("cannot look for the namespace", &e))?
        .is_some()
    {
        return Ok(());
    }
    put(side, &api, &own_namespace(), steps).await
}

/// The namespace of everything.
pub(super) fn own_namespace() -> Namespace {
    Namespace {
        metadata: ObjectMeta {
            name: Some(NAMESPACE.to_owned()),
            ..ObjectMeta::default()
        },
        ..Namespace::default()
    }
}

/// Lets the reader read.
async fn grant(read: &Side, reader: &Side, steps: &mut Steps<'_>) -> anyhow::Result<()> {
    let granted = access::granted(&reader.id);
    put(
        read,
        &namespaced(&read.cluster.client),
        &granted.account,
        steps,
    )
    .await?;
    put::<Role>(
        read,
        &namespaced(&read.cluster.client),
        &granted.role,
        steps,
    )
    .await?;
    put(
        read,
        &namespaced(&read.cluster.client),
        &granted.binding,
        steps,
    )
    .await
}

/// Tells the reader whom to read.
async fn follow(
    reader: &Side,
    read: &Side,
    token: &Token,
    steps: &mut Steps<'_>,
) -> anyhow::Result<()> {
    let followed = objects(read, token);
    let client = &reader.cluster.client;
    put::<Secret>(reader, &namespaced(client), &followed.secret, steps).await?;
    put::<ClusterPeer>(reader, &Api::all(client.clone()), &followed.peer, steps).await
}

/// The Secret and the `ClusterPeer` for a cluster, which say when the token expires.
pub(super) fn objects(read: &Side, token: &Token) -> access::Followed {
    let endpoint = Endpoint {
        token: token.secret.clone(),
        ..read.endpoint.clone()
    };
    let mut followed = access::followed(&read.id, &endpoint);
    followed.secret.metadata.annotations = Some(token.annotations());
    followed.peer.metadata.annotations = Some(token.annotations());
    followed
}

fn namespaced<K: Resource<DynamicType = (), Scope = NamespaceResourceScope>>(
    client: &Client,
) -> Api<K> {
    Api::namespaced(client.clone(), NAMESPACE)
}

async fn put<K>(side: &Side, api: &Api<K>, object: &K, steps: &mut Steps<'_>) -> anyhow::Result<()>
where
    K: Resource<DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned,
{
    let name = object.meta().name.as_deref().unwrap_or_default();
    let place = object.meta().namespace.as_ref();
    let place = place
        .map(|namespace| format!("{namespace}/"))
        .unwrap_or_default();
    let what = format!("{} {place}{name}", K::kind(&()));
    match side.cluster.apply(api, object).await {
        Ok((applied, _)) => Ok(steps.applied(&side.id, what, applied)?),
        Err(e) if is_code(&e, 409) => anyhow::bail!(
            "{}: {what} belongs to somebody else in part: {}; give these fields up there, or delete the object, and link again",
            side.id,
            cause(&e)
        ),
        Err(e) => Err(side.cluster.explain(&format!("cannot write {what}"), &e)),
    }
}

/// Reads with the new token what the peer's controller will read. Rights may take a moment to be in force.
async fn try_token(
    reader: &Side,
    read: &Side,
    token: &Token,
    steps: &mut Steps<'_>,
) -> anyhow::Result<()> {
    let endpoint = Endpoint {
        // From here, the address of the user's own kubeconfig is the one that works.
        server: read.cluster.server.clone(),
        token: token.secret.clone(),
        ..read.endpoint.clone()
    };
    let client = credential::client(&read.id, &endpoint).await?;
    let api: Api<mcwan_k8s::kinds::wan::PublishedCluster> = Api::namespaced(client, NAMESPACE);
    let parameters = kube::api::ListParams::default().limit(1);
    let mut last = None;
    for _ in 0..20 {
        match api.list(&parameters).await {
            Err(e) if is_code(&e, 403) || is_code(&e, 401) => last = Some(cause(&e)),
            // What does not answer under the kubeconfig's name and authority may do so under the peer's.
            Ok(_) | Err(_) => return Ok(()),
        }
        sleep(Duration::from_millis(250)).await;
    }
    let why = last.unwrap_or_default();
    let what = format!("reading the outbox of {}", read.id);
    steps.step(&reader.id, what, "failed", why)?;
    anyhow::bail!(
        "the credential was written, but {} does not take it",
        read.id
    )
}

/// Waits until both controllers say that they are connected.
///
/// # Errors
/// When the output cannot be written.
pub(crate) async fn wait(
    pair: &Pair,
    longest: Duration,
    steps: &mut Steps<'_>,
) -> anyhow::Result<bool> {
    let deadline = Instant::now() + longest;
    let mut all = true;
    for (read, reader) in pair.ways() {
        let mut last = "the controller has not said anything".to_owned();
        let connected = timeout(deadline.saturating_duration_since(Instant::now()), async {
            loop {
                match connected(&reader.cluster, &read.id).await {
                    Ok(()) => return,
                    Err(why) => last = why,
                }
                sleep(Duration::from_millis(500)).await;
            }
        });
        let what = format!("ClusterPeer {}", read.id);
        if connected.await.is_ok() {
            steps.step(&reader.id, what, "connected", String::new())?;
        } else {
            all = false;
            steps.step(
                &reader.id,
                what,
                "failed",
                format!("not connected after {longest:?}: {last}"),
            )?;
        }
    }
    if !all {
        steps.note("  next: see what `mcwanctl status` says of both, and whether mcwan-controller runs there")?;
    }
    Ok(all)
}

/// Why the controller is not connected to a peer.
async fn connected(cluster: &Cluster, peer: &str) -> Result<(), String> {
    let api: Api<ClusterPeer> = Api::all(cluster.client.clone());
    let peer = api.get(peer).await.map_err(|e| cause(&e))?;
    let generation = peer.metadata.generation;
    let conditions = peer.status.and_then(|s| s.conditions).unwrap_or_default();
    let found = conditions.into_iter().find(|c| c.type_ == "Connected");
    match found {
        Some(c)
            if c.observed_generation
                .is_some_and(|o| generation.is_some_and(|g| o < g)) =>
        {
            Err("the controller has not seen the change yet".to_owned())
        }
        Some(c) if c.status == "True" => Ok(()),
        Some(c) if c.message.is_empty() => Err(c.reason),
        Some(c) => Err(c.message),
        None => Err("the controller has not said anything".to_owned()),
    }
}
