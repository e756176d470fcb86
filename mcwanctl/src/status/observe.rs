//! Looks at a cluster once: one list of each kind, the controller's Lease, and the tunnels from the gateways that answer.

use futures::future::join_all;
use k8s_openapi::api::coordination::v1::Lease as LeaseObject;
use kube::api::Api;
use mcwan_k8s::names;
use mcwan_k8s::object::{Kind, kinds};

use crate::cluster::api::{Listed, is_code};
use crate::cluster::{Cluster, cause, identity};

use super::admin;
use super::seen::{Cause, Lease, Seen, Unread};

/// The kinds that a report is made of: group and plural.
const KINDS: [(&str, &str); 9] = [
    ("about.k8s.io", "clusterproperties"),
    ("multicluster.x-k8s.io", "serviceexports"),
    ("multicluster.x-k8s.io", "serviceimports"),
    ("mc-wan.l7mp.io", "wanpolicies"),
    ("mc-wan.l7mp.io", "serviceexports"),
    ("mc-wan.l7mp.io", "serviceimports"),
    ("mc-wan.l7mp.io", "clusterpeers"),
    ("mc-wan.l7mp.io", "publishedclusters"),
    ("gateway.networking.k8s.io", "gateways"),
];

/// Looks at a cluster.
///
/// # Errors
/// When its API server does not answer. What it refuses is in [`Seen::unread`].
pub(crate) async fn observe(cluster: &Cluster) -> anyhow::Result<Seen> {
    let mut seen = Seen {
        context: cluster.context.clone(),
        ..Seen::default()
    };
    read(cluster, &KINDS, &mut seen).await?;
    seen.lease = lease(cluster, &mut seen.unread).await?;
    seen.gateways = admin::gateways(&seen.snapshot).await;
    if let Ok(Some(id)) = identity::cluster_id(&seen.snapshot) {
        seen.snapshot.cluster = id;
    }
    Ok(seen)
}

/// Lists kinds into what was seen.
///
/// # Errors
/// When the API server does not answer, or knows nobody of that name.
pub(crate) async fn read(
    cluster: &Cluster,
    wanted: &[(&str, &str)],
    seen: &mut Seen,
) -> anyhow::Result<()> {
    let is_wanted = |kind: &&Kind| wanted.contains(&(&*kind.group, &*kind.plural));
    let lists = kinds().iter().filter(is_wanted).map(|kind| async move {
        let is_published = kind.plural.starts_with("published");
        let namespace = is_published.then_some(names::NAMESPACE);
        (kind, cluster.list(kind, namespace).await)
    });
    for (kind, listed) in join_all(lists).await {
        let resource = format!("{}.{}", kind.plural, kind.group);
        match listed {
            Ok(listed) => take(seen, &resource, listed),
            Err(e) => seen.unread.push(unread(cluster, resource, &e)?),
        }
    }
    Ok(())
}

fn take(seen: &mut Seen, resource: &str, listed: Listed) {
    for object in listed.objects {
        seen.snapshot.insert(object);
    }
    let misread = listed.misread.into_iter().map(|message| Unread {
        resource: resource.to_owned(),
        cause: Cause::Failed,
        message,
    });
    seen.unread.extend(misread);
}

/// What an error says of one kind; the error itself where it says something of the whole cluster.
fn unread(cluster: &Cluster, resource: String, error: &kube::Error) -> anyhow::Result<Unread> {
    let cause = match error {
        kube::Error::Api(status) if status.code == 403 => Cause::Forbidden,
        kube::Error::Api(status) if status.code == 404 => Cause::NotServed,
        kube::Error::Api(status) if status.code != 401 => Cause::Failed,
        other => return Err(cluster.explain("cannot look at the cluster", other)),
    };
    Ok(Unread {
        resource,
        cause,
        message: crate::cluster::cause(error),
    })
}

async fn lease(cluster: &Cluster, unread: &mut Vec<Unread>) -> anyhow::Result<Lease> {
    let api: Api<LeaseObject> = Api::namespaced(cluster.client.clone(), names::NAMESPACE);
    let lease = match api.get_opt(names::LEASE).await {
        Ok(Some(lease)) => lease.spec.unwrap_or_default(),
        Ok(None) => return Ok(Lease::Absent),
        Err(e) if is_code(&e, 403) => {
            unread.push(Unread {
                resource: "leases.coordination.k8s.io".to_owned(),
                cause: Cause::Forbidden,
                message: cause(&e),
            });
            return Ok(Lease::Unread);
        }
        Err(e) => return Err(cluster.explain("cannot look at the controller's Lease", &e)),
    };
    // A holder that steps down leaves no holder behind.
    let holder = lease.holder_identity.filter(|holder| !holder.is_empty());
    Ok(match (holder, lease.renew_time) {
        (Some(holder), Some(renewed)) => Lease::Held {
            holder,
            renewed: renewed.0,
            seconds: lease.lease_duration_seconds.map_or(15, i64::from),
        },
        (None, Some(renewed)) => Lease::Held {
            holder: "nobody".to_owned(),
            renewed: renewed.0,
            seconds: 0,
        },
        (_, None) => Lease::Absent,
    })
}
