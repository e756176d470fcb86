//! Well-known names, labels and annotations, and the names of rendered objects.

use std::collections::BTreeMap;

use kube::core::ObjectMeta;
use sha2::{Digest, Sha256};

/// Namespace of the rendered gateways and routes.
pub const NAMESPACE: &str = "mc-wan";
/// Namespace of the last-known copies of the peers' outboxes; peers cannot read it.
pub const CACHE_NAMESPACE: &str = "mc-wan-cache";
/// Name of the Lease in [`NAMESPACE`] that the controller holds; peers tell by it that the outbox is looked after.
pub const LEASE: &str = "mcwan-controller";
/// Name of the `GatewayClass`.
pub const GATEWAY_CLASS: &str = "mc-wan";
/// `controllerName` of the `GatewayClass`.
pub const CONTROLLER: &str = "mc-wan.l7mp.io/gateway-controller";
/// The Gateway that faces the WAN.
pub const INGRESS: &str = "mc-wan-ingress";
/// The Gateway that faces the cluster.
pub const EGRESS: &str = "mc-wan-egress";
/// Label of everything that is rendered; nothing without it is ever overwritten.
pub const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "mc-wan");
/// Annotation of everything that is applied: digest of what was applied.
pub const APPLIED_ANNOTATION: &str = "mc-wan.l7mp.io/applied";
/// Label of a target Service: the peer cluster behind it.
pub const CLUSTER_LABEL: &str = "mc-wan.l7mp.io/cluster";
/// Labels of a rendered route: the multi-cluster service it is for.
pub const SERVICE_NAME_LABEL: &str = "mc-wan.l7mp.io/service-name";
/// See [`SERVICE_NAME_LABEL`].
pub const SERVICE_NAMESPACE_LABEL: &str = "mc-wan.l7mp.io/service-namespace";
/// Annotation of an export: the policy of the whole service.
pub const WAN_POLICY_ANNOTATION: &str = "mc-wan.l7mp.io/wan-policy";
/// Annotation of a `WANPolicy`: the policy of services that ask for none.
pub const DEFAULT_ANNOTATION: &str = "mc-wan.l7mp.io/default";
/// Domain of multi-cluster services.
pub const CLUSTERSET_DOMAIN: &str = "svc.clusterset.local";

/// Whether a namespace's services are never shared between clusters: Kubernetes' own namespaces and ours.
#[must_use]
pub fn is_private_namespace(namespace: &str) -> bool {
    namespace.starts_with("kube-") || namespace == NAMESPACE || namespace.starts_with("mc-wan-")
}

/// Whether an object carries the label of everything that is rendered.
#[must_use]
pub fn is_ours(metadata: &ObjectMeta) -> bool {
    let (key, value) = MANAGED_BY;
    let labels = metadata.labels.as_ref();
    labels.and_then(|l| l.get(key)).is_some_and(|v| v == value)
}

/// Host of a service as clients call it.
#[must_use]
pub fn clusterset_host(namespace: &str, service: &str) -> String {
    format!("{service}.{namespace}.{CLUSTERSET_DOMAIN}")
}

/// Whether a host is the name of one of a service's ports on the WAN hop: see [`wan_host`].
#[must_use]
pub fn is_wan_host(host: &str, namespace: &str, service: &str) -> bool {
    let port = host.strip_prefix('p').and_then(|h| h.split_once('.'));
    port.is_some_and(|(port, rest)| {
        port.parse::<u16>().is_ok() && rest == clusterset_host(namespace, service)
    })
}

/// Host of a service port on the WAN hop.
#[must_use]
pub fn wan_host(namespace: &str, service: &str, port: u16) -> String {
    format!("p{port}.{service}.{namespace}.{CLUSTERSET_DOMAIN}")
}

/// Longest DNS label, and so longest name of a Service and longest value of a label.
pub const LABEL_LENGTH: usize = 63;

/// Whether a text is one RFC 1123 label: a cluster id, a namespace, the name of a Service.
#[must_use]
pub fn is_label(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    text.len() <= LABEL_LENGTH
        && !text.is_empty()
        && text.bytes().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Whether a text is an RFC 1123 subdomain: labels with dots between them, 253 characters in all; the name of most objects.
/// As Kubernetes does, this limits the whole, not each label.
#[must_use]
pub fn is_subdomain(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let part =
        |p: &str| !p.is_empty() && p.bytes().all(inner) && !p.starts_with('-') && !p.ends_with('-');
    text.len() <= 253 && text.split('.').all(part)
}

/// Name of the target Service and its policies: the gateways of a peer cluster.
#[must_use]
pub fn target_name(cluster: &str) -> String {
    short(&format!("mc-wan-{cluster}-target"))
}

/// Name of the ListenerSet and the HTTPRoute of a multi-cluster service, where no other service claims it: see [`assign`].
#[must_use]
pub fn service_object_name(service: &str, namespace: &str) -> String {
    short(&format!("{service}-{namespace}"))
}

/// Name of the derived Service behind a multi-cluster service's virtual address, as the reference controllers of the MCS
/// API name it: ten digits of base32hex of the SHA-256 of `namespace/name`.
#[must_use]
pub fn derived_name(namespace: &str, service: &str) -> String {
    let hash = Sha256::digest(format!("{namespace}/{service}"));
    format!(
        "derived-{}",
        base32hex(&hash).chars().take(10).collect::<String>()
    )
}

/// A name as it is, when it fits a label; otherwise cut, with a hash of the whole at the end. Of ASCII text only.
#[must_use]
pub fn short(name: &str) -> String {
    if name.len() <= LABEL_LENGTH {
        name.to_owned()
    } else {
        with_hash(name, name, 8)
    }
}

/// A name, cut where needed, with the first digits of the SHA-256 of `identity`.
fn with_hash(name: &str, identity: &str, digits: usize) -> String {
    let hash: String = Sha256::digest(identity)
        .iter()
        .map(|b| format!("{b:02x}"))
        .take(digits / 2)
        .collect();
    let room = LABEL_LENGTH.saturating_sub(digits + 1);
    let head: String = name.chars().take(room).collect();
    format!("{head}-{hash}")
}

/// RFC 4648 base32 with the extended hex alphabet, in lower case, without padding.
fn base32hex(bytes: &[u8]) -> String {
    let digit = |value: u32| char::from_digit(value, 32).unwrap_or('0');
    let (mut text, mut bits, mut count) = (String::new(), 0_u32, 0_u32);
    for byte in bytes {
        bits = (bits << 8) | u32::from(*byte);
        count += 8;
        while count >= 5 {
            count -= 5;
            text.push(digit((bits >> count) & 31));
        }
        bits &= (1 << count) - 1;
    }
    if count > 0 {
        text.push(digit((bits << (5 - count)) & 31));
    }
    text
}

/// A multi-cluster service: namespace and name.
pub type ServiceKey = (String, String);

/// Object names of all multi-cluster services.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Assigned {
    /// Each service's name for its objects: a DNS label, and no two alike.
    pub names: BTreeMap<ServiceKey, String>,
    /// Services whose plain name another one had, and which one: reason `NameCollision`.
    pub renamed: BTreeMap<ServiceKey, ServiceKey>,
}

/// Gives every service of the `ClusterSet` a name for its objects. `a-b` in `c` and `a` in `b-c` concatenate alike: the
/// one that was exported first (then by namespace and name) keeps the plain name, the other gets a hash at its end.
///
/// Takes namespace, name, and the time of the oldest export of each service; one that comes up several times counts
/// with its oldest time. The order does not matter.
#[must_use]
pub fn assign<'a>(services: impl IntoIterator<Item = (&'a str, &'a str, i64)>) -> Assigned {
    let mut oldest: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    for (namespace, name, created) in services {
        let time = oldest.entry((namespace, name)).or_insert(created);
        *time = created.min(*time);
    }
    let mut order: Vec<_> = oldest
        .into_iter()
        .map(|(key, created)| (created, key))
        .collect();
    order.sort_unstable();

    let mut assigned = Assigned::default();
    let mut holders: BTreeMap<String, ServiceKey> = BTreeMap::new();
    for (_, (namespace, name)) in order {
        let key = (namespace.to_owned(), name.to_owned());
        let plain = service_object_name(name, namespace);
        if let Some(holder) = holders.get(&plain) {
            assigned.renamed.insert(key.clone(), holder.clone());
        }
        let free = candidates(plain, namespace, name).find(|n| !holders.contains_key(n));
        let chosen = free.unwrap_or_default();
        holders.insert(chosen.clone(), key.clone());
        assigned.names.insert(key, chosen);
    }
    assigned
}

/// The names that a service may have, best first: ever longer hashes end every conflict.
fn candidates(plain: String, namespace: &str, name: &str) -> impl Iterator<Item = String> {
    let identity = format!("{namespace}/{name}");
    let base = format!("{name}-{namespace}");
    std::iter::once(plain).chain(
        [8, 16, 32, 48]
            .into_iter()
            .map(move |digits| with_hash(&base, &identity, digits)),
    )
}

#[cfg(test)]
mod tests;
