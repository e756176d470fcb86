//! What there is to know of the two clusters before they are linked.

use std::path::Path;

use k8s_openapi::api::core::v1::Namespace;
use kube::api::Api;
use mcwan_k8s::access::Endpoint;
use mcwan_k8s::names::is_label;
use mcwan_k8s::snapshot::ClusterSnapshot;

use crate::cluster::{Cluster, Contexts, identity, innermost, is_certificate_error};
use crate::status::{Cause, Seen, read};

use super::{credential, reach};

/// What one side is asked to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// `a` or `b`, as the options are called.
    pub letter: char,
    /// Context.
    pub context: &'a str,
    /// Cluster id.
    pub id: Option<&'a str>,
    /// URL for peers.
    pub server: Option<&'a str>,
    /// File with the certificate authority for peers.
    pub authority: Option<&'a Path>,
}

/// One of the two clusters.
#[derive(Debug)]
pub(crate) struct Side {
    /// Its client.
    pub cluster: Cluster,
    /// Its id.
    pub id: String,
    /// How the other one reaches it, without a token.
    pub endpoint: Endpoint,
    /// Version of its API server.
    pub version: String,
    /// UID of its namespace `kube-system`, which no two clusters share; empty where it may not be read.
    uid: String,
    /// Its peers, properties and publication.
    pub snapshot: ClusterSnapshot,
}

/// Two clusters that can be linked.
#[derive(Debug)]
pub(crate) struct Pair {
    /// A and B.
    pub sides: [Side; 2],
    /// What may go wrong.
    pub warnings: Vec<String>,
}

impl Pair {
    /// Looks at both clusters.
    ///
    /// # Errors
    /// When one of them cannot be linked.
    pub(crate) async fn look(contexts: &Contexts, asked: &[Asked<'_>; 2]) -> anyhow::Result<Self> {
        let [a, b] = asked;
        // Both contexts are looked up first: a typing mistake in the second is told before the first is asked anything.
        contexts.entry(a.context)?;
        contexts.entry(b.context)?;
        let sides = [
            Side::look(contexts, a).await?,
            Side::look(contexts, b).await?,
        ];
        different(&sides)?;
        let mut warnings = Vec::new();
        for (side, asked) in sides.iter().zip(asked) {
            warnings.extend(reach::doubt(asked, &side.endpoint));
            warnings.extend(side.try_endpoint(asked).await?);
        }
        let [a, b] = &sides;
        a.can_follow(&b.id)?;
        b.can_follow(&a.id)?;
        warnings.extend(moved(b, a, 'a').await?);
        warnings.extend(moved(a, b, 'b').await?);
        Ok(Self { sides, warnings })
    }

    /// Both ways: the cluster that is read, and the one that reads it.
    pub(crate) fn ways(&self) -> [(&Side, &Side); 2] {
        let [a, b] = &self.sides;
        [(a, b), (b, a)]
    }
}

/// That an address which is in use now would be replaced: perhaps it was given on purpose, and forgotten this time.
async fn moved(reader: &Side, read: &Side, letter: char) -> anyhow::Result<Option<String>> {
    let secret = credential::secret(reader, read).await?;
    let before = secret.as_ref().and_then(credential::server);
    let now = &read.endpoint.server;
    Ok(before.filter(|before| before != now).map(|before| {
        format!(
            "{} reaches {} at {before} until now, and will do so at {now}; keep it: --server-{letter} {before}",
            reader.id, read.id
        )
    }))
}

/// Two contexts may lead to the same cluster.
fn different(sides: &[Side; 2]) -> anyhow::Result<()> {
    let [a, b] = sides;
    let contexts = format!("{} and {}", a.cluster.context, b.cluster.context);
    anyhow::ensure!(
        a.uid.is_empty() || a.uid != b.uid,
        "{contexts} lead to the same cluster ({}); name two clusters",
        a.id
    );
    anyhow::ensure!(
        a.id != b.id,
        "{contexts} both have the cluster id {:?}; ids must differ in a ClusterSet: give one cluster another, in its ClusterProperty and to its controller",
        a.id
    );
    Ok(())
}

impl Side {
    async fn look(contexts: &Contexts, asked: &Asked<'_>) -> anyhow::Result<Self> {
        let entry = contexts.entry(asked.context)?;
        let endpoint = reach::endpoint(asked, entry)
            .map_err(|e| anyhow::anyhow!("context {}: {e}", asked.context))?;
        let cluster = contexts.connect(Some(asked.context)).await?;
        let version = cluster.client.apiserver_version().await;
        let version = version.map_err(|e| cluster.explain("cannot reach the cluster", &e))?;
        let mut seen = Seen::default();
        read(
            &cluster,
            &[
                ("about.k8s.io", "clusterproperties"),
                ("mc-wan.l7mp.io", "publishedclusters"),
                ("mc-wan.l7mp.io", "clusterpeers"),
            ],
            &mut seen,
        )
        .await?;
        let lacking = seen
            .unread
            .iter()
            .find(|u| u.resource == "clusterpeers.mc-wan.l7mp.io");
        match lacking.map(|u| u.cause) {
            None => {}
            Some(Cause::NotServed) => anyhow::bail!(
                "context {} has no mc-wan: install its CRDs: kubectl --context {0} apply -f config/crd/",
                asked.context
            ),
            Some(Cause::Forbidden | Cause::Failed) => anyhow::bail!(
                "context {}: the clusterpeers.mc-wan.l7mp.io may not be read; linking is for administrators of both clusters",
                asked.context
            ),
        }
        Ok(Self {
            id: id(asked, &seen.snapshot)?,
            uid: uid(&cluster).await,
            version: version.git_version,
            snapshot: seen.snapshot,
            cluster,
            endpoint,
        })
    }

    /// Whether a `ClusterPeer` for the other cluster can be written.
    fn can_follow(&self, other: &str) -> anyhow::Result<()> {
        for peer in self.snapshot.cluster_peers.values() {
            let name = peer.metadata.name.as_deref().unwrap_or_default();
            anyhow::ensure!(
                name != other || peer.spec.cluster_id == other,
                "{}: ClusterPeer {name} is of cluster {:?}, and its name is needed for {other}; delete or rename it",
                self.id,
                peer.spec.cluster_id
            );
            anyhow::ensure!(
                name == other || peer.spec.cluster_id != other,
                "{}: ClusterPeer {name} is of cluster {other} already; delete it first, or keep it and do not link",
                self.id
            );
        }
        Ok(())
    }

    /// Tries the address for peers from here. That it does not answer proves nothing, it may be meant for the WAN only; but
    /// a wrong certificate stays wrong.
    async fn try_endpoint(&self, asked: &Asked<'_>) -> anyhow::Result<Option<String>> {
        let is_as_in_kubeconfig =
            self.endpoint.server == self.cluster.server && asked.authority.is_none();
        if is_as_in_kubeconfig {
            return Ok(None);
        }
        let tried = credential::client(&self.id, &self.endpoint).await?;
        let Err(e) = tried.apiserver_version().await else {
            return Ok(None);
        };
        if matches!(e, kube::Error::Api(_)) {
            // It answered, though not to strangers.
            return Ok(None);
        }
        let said = innermost(&e);
        anyhow::ensure!(
            !is_certificate_error(&e),
            "{} does not prove to be the API server of {}: {said}; correct --server-{letter}, or give its authority: --ca-{letter} FILE",
            self.endpoint.server,
            self.id,
            letter = asked.letter
        );
        Ok(Some(format!(
            "{} cannot be reached from here ({said}); that is well if the other cluster can: `mcwanctl status` will say",
            self.endpoint.server
        )))
    }
}

/// The id that was asked for, which must not contradict what the cluster says.
fn id(asked: &Asked<'_>, snapshot: &ClusterSnapshot) -> anyhow::Result<String> {
    let context = asked.context;
    let stated = identity::cluster_id(snapshot)
        .map_err(|e| anyhow::anyhow!("context {context}: {e}; make them equal before you link"))?;
    let id = match (asked.id, stated) {
        (Some(asked_id), Some(stated)) if asked_id != stated => anyhow::bail!(
            "context {context} is cluster {stated:?}, not {asked_id:?}; leave out --cluster-{}",
            asked.letter
        ),
        (Some(id), _) => id.to_owned(),
        (None, Some(stated)) => stated,
        (None, None) => anyhow::bail!(
            "context {context} does not say which cluster it is (no ClusterProperty {}, no controller); say it: --cluster-{} ID",
            mcwan_k8s::kinds::about::CLUSTER_ID,
            asked.letter
        ),
    };
    anyhow::ensure!(
        is_label(&id),
        "{id:?} is no cluster id: one DNS label, at most 63 lower-case letters, digits and `-`"
    );
    Ok(id)
}

async fn uid(cluster: &Cluster) -> String {
    let api: Api<Namespace> = Api::all(cluster.client.clone());
    match api.get_metadata_opt("kube-system").await {
        Ok(Some(namespace)) => namespace.metadata.uid.unwrap_or_default(),
        // Only a help against typing mistakes; whoever may not read it is not kept from linking.
        Ok(None) | Err(_) => String::new(),
    }
}
