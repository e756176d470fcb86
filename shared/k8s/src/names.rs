//! Well-known names, labels and annotations, and the names of rendered objects.

/// Namespace of the rendered gateways and routes.
pub const NAMESPACE: &str = "mc-wan";
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

/// Host of a service as clients call it.
#[must_use]
pub fn clusterset_host(namespace: &str, service: &str) -> String {
    format!("{service}.{namespace}.{CLUSTERSET_DOMAIN}")
}

/// Host of a service port on the WAN hop.
#[must_use]
pub fn wan_host(namespace: &str, service: &str, port: u16) -> String {
    format!("p{port}.{service}.{namespace}.{CLUSTERSET_DOMAIN}")
}
