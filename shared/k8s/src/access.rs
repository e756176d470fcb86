//! How one cluster may read the outbox of another: the objects of both sides, as values.
//!
//! In the cluster that is read stand a `ServiceAccount` and a `RoleBinding` for each reader, so that each can be revoked by
//! itself, and one `Role` for all of them: get, list and watch on the two outbox kinds, and get on one Lease. In the
//! cluster that reads stand the Secret with the kubeconfig and the `ClusterPeer` that names it.
//!
//! None of them has the label of rendered objects: people and `mcwanctl` write them, the controller never does.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::{PolicyRule, Role, RoleBinding, RoleRef, Subject};
use kube::core::ObjectMeta;
use serde::Serialize;
use serde_json::{Value, json};

use crate::kinds::GROUP;
use crate::kinds::wan::{ClusterPeer, ClusterPeerSpec, SecretRef};
use crate::manifest;
use crate::names::{self, LEASE, NAMESPACE};

/// Name of the Role that lets a peer read the outbox.
pub const ROLE: &str = "mc-wan-outbox-reader";
/// Key of the kubeconfig in its Secret, where a `ClusterPeer` names none.
pub const KUBECONFIG_KEY: &str = "kubeconfig";
/// Type of the Secret that holds a kubeconfig.
pub const SECRET_TYPE: &str = "mc-wan.l7mp.io/kubeconfig";
/// Label of the objects of a link, by which they are found again.
pub const LINK_LABEL: &str = "mc-wan.l7mp.io/peer";

/// What lets `reader` read the outbox of the cluster that these objects stand in.
#[derive(Debug, Clone, PartialEq)]
pub struct Granted {
    /// Who the reader is.
    pub account: ServiceAccount,
    /// What readers may do; the same for all of them.
    pub role: Role,
    /// That this reader may.
    pub binding: RoleBinding,
}

/// What the cluster named `reader` (its id) needs in another cluster. All in namespace `mc-wan`.
#[must_use]
pub fn granted(reader: &str) -> Granted {
    let name = link_name(reader);
    Granted {
        account: ServiceAccount {
            metadata: meta(&name, Some(reader)),
            // Nobody mounts it: the token is asked for explicitly.
            automount_service_account_token: Some(false),
            ..ServiceAccount::default()
        },
        role: role(),
        binding: RoleBinding {
            metadata: meta(&name, Some(reader)),
            role_ref: RoleRef {
                api_group: "rbac.authorization.k8s.io".to_owned(),
                kind: "Role".to_owned(),
                name: ROLE.to_owned(),
            },
            subjects: Some(vec![Subject {
                kind: "ServiceAccount".to_owned(),
                name,
                namespace: Some(NAMESPACE.to_owned()),
                ..Subject::default()
            }]),
        },
    }
}

/// The Role of readers: nothing that is not needed to follow an outbox.
#[must_use]
pub fn role() -> Role {
    let rule = |group: &str, resources: &[&str], verbs: &[&str]| PolicyRule {
        api_groups: Some(vec![group.to_owned()]),
        resources: Some(owned(resources)),
        verbs: owned(verbs),
        ..PolicyRule::default()
    };
    let outbox = rule(
        GROUP,
        &["publishedclusters", "publishedservices"],
        &["get", "list", "watch"],
    );
    let lease = PolicyRule {
        resource_names: Some(owned(&[LEASE])),
        ..rule("coordination.k8s.io", &["leases"], &["get"])
    };
    Role {
        metadata: meta(ROLE, None),
        rules: Some(vec![outbox, lease]),
    }
}

/// A Secret that an API server with its controllers fills with a token that does not expire. Where tokens are asked for
/// by `TokenRequest`, it is not needed.
#[must_use]
pub fn token_secret(reader: &str) -> Secret {
    let name = link_name(reader);
    let mut metadata = meta(&name, Some(reader));
    metadata.annotations = Some(BTreeMap::from([(
        "kubernetes.io/service-account.name".to_owned(),
        name,
    )]));
    Secret {
        metadata,
        type_: Some("kubernetes.io/service-account-token".to_owned()),
        ..Secret::default()
    }
}

/// How an API server is reached, and by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// URL of the API server.
    pub server: String,
    /// PEM certificates of its authority; none: those that the machine trusts.
    pub certificate_authority: Option<Vec<u8>>,
    /// Name in its certificate, where that is not the URL's host.
    pub tls_server_name: Option<String>,
    /// Bearer token of the reader's `ServiceAccount`.
    pub token: String,
}

/// What the reading cluster needs to follow one peer.
#[derive(Debug, Clone, PartialEq)]
pub struct Followed {
    /// The kubeconfig, in namespace `mc-wan`.
    pub secret: Secret,
    /// The peer, named by its cluster id.
    pub peer: ClusterPeer,
}

/// What stands in the reading cluster, for the peer of this cluster id.
#[must_use]
pub fn followed(cluster: &str, endpoint: &Endpoint) -> Followed {
    let name = link_name(cluster);
    let data = BTreeMap::from([(
        KUBECONFIG_KEY.to_owned(),
        ByteString(kubeconfig(cluster, endpoint).into_bytes()),
    )]);
    let secret = Secret {
        metadata: meta(&name, Some(cluster)),
        type_: Some(SECRET_TYPE.to_owned()),
        data: Some(data),
        ..Secret::default()
    };
    let mut peer = ClusterPeer::new(
        cluster,
        ClusterPeerSpec {
            cluster_id: cluster.to_owned(),
            kubeconfig_secret_ref: Some(SecretRef {
                name,
                ..SecretRef::default()
            }),
            ..ClusterPeerSpec::default()
        },
    );
    peer.metadata.labels = meta("", Some(cluster)).labels;
    Followed { secret, peer }
}

/// A kubeconfig as YAML with one context, named by the cluster id.
#[must_use]
pub fn kubeconfig(cluster: &str, endpoint: &Endpoint) -> String {
    let authority = endpoint.certificate_authority.clone().map(ByteString);
    manifest::value_to_yaml(json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": cluster,
        "clusters": [{"name": cluster, "cluster": {
            "server": endpoint.server,
            "certificate-authority-data": authority,
            "tls-server-name": endpoint.tls_server_name,
        }}],
        "users": [{"name": cluster, "user": {"token": endpoint.token}}],
        "contexts": [{"name": cluster, "context": {
            "cluster": cluster, "user": cluster, "namespace": NAMESPACE,
        }}],
    }))
}

/// Name of the objects of the link with a cluster, in either of the two clusters.
#[must_use]
pub fn link_name(cluster: &str) -> String {
    names::short(&format!("mc-wan-peer-{cluster}"))
}

impl Granted {
    /// The objects with `apiVersion` and `kind`, in the order in which they are created.
    #[must_use]
    pub fn values(&self) -> Vec<Value> {
        values(&[&self.account, &self.role, &self.binding])
    }
}

impl Followed {
    /// The objects with `apiVersion` and `kind`, in the order in which they are created.
    #[must_use]
    pub fn values(&self) -> Vec<Value> {
        values(&[&self.secret, &self.peer])
    }
}

/// Objects as one manifest that `kubectl apply` takes.
#[must_use]
pub fn to_yaml(values: &[Value]) -> String {
    let documents: Vec<String> = values
        .iter()
        .cloned()
        .map(manifest::value_to_yaml)
        .collect();
    documents.join("---\n")
}

/// Objects as values; all of them have text keys and plain values.
fn values(objects: &[&dyn ToValue]) -> Vec<Value> {
    objects.iter().filter_map(|o| o.to_value()).collect()
}

/// What can be written as a value.
trait ToValue {
    fn to_value(&self) -> Option<Value>;
}

impl<T: Serialize> ToValue for T {
    fn to_value(&self) -> Option<Value> {
        serde_json::to_value(self).ok()
    }
}

/// Metadata of an object of a link, in namespace `mc-wan`.
fn meta(name: &str, cluster: Option<&str>) -> ObjectMeta {
    let mut labels =
        BTreeMap::from([("app.kubernetes.io/part-of".to_owned(), "mc-wan".to_owned())]);
    labels.extend(cluster.map(|c| (LINK_LABEL.to_owned(), c.to_owned())));
    ObjectMeta {
        namespace: Some(NAMESPACE.to_owned()),
        name: Some(name.to_owned()),
        labels: Some(labels),
        ..ObjectMeta::default()
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

#[cfg(test)]
mod tests;
