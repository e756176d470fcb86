//! Every kind that is read or rendered, as one enum.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Resource;
use mcwan_gateway_api::backendtlspolicies::BackendTlsPolicy;
use mcwan_gateway_api::gatewayclasses::GatewayClass;
use mcwan_gateway_api::gateways::Gateway;
use mcwan_gateway_api::grpcroutes::GrpcRoute;
use mcwan_gateway_api::httproutes::HttpRoute;
use mcwan_gateway_api::listenersets::ListenerSet;
use mcwan_gateway_api::referencegrants::ReferenceGrant;
use mcwan_gateway_api::tcproutes::TcpRoute;
use mcwan_gateway_api::tlsroutes::TlsRoute;
use mcwan_gateway_api::udproutes::UdpRoute;
use serde::Serialize;

use crate::kinds::about::ClusterProperty;
use crate::kinds::{mcs, wan};
use crate::problem::ObjectRef;

mod defaults;
pub(crate) mod kind;

pub use kind::{Kind, Misread, kinds};

/// Namespace and name; the namespace is empty for cluster-scoped kinds.
pub type Key = (String, String);

/// Declares [`Object`] and everything that is done kind by kind.
macro_rules! objects {
    ($( $(#[$doc:meta])* $variant:ident($ty:ty) => $field:ident ),+ $(,)?) => {
        /// An object of any kind.
        #[derive(Debug, Clone, PartialEq, Serialize)]
        #[serde(untagged)]
        pub enum Object { $( $(#[$doc])* $variant(Arc<$ty>), )+ }

        impl Object {
            /// Which object it is.
            #[must_use]
            pub fn reference(&self) -> ObjectRef {
                match self { $( Self::$variant(o) => reference(o.as_ref()), )+ }
            }

            /// Namespace and name.
            #[must_use]
            pub fn key(&self) -> Key {
                match self { $( Self::$variant(o) => key(o.as_ref()), )+ }
            }

            /// Each kind once.
            pub(crate) fn all_kinds() -> Vec<Kind> {
                vec![ $( kind::kind::<$ty>(), )+ ]
            }

            /// Metadata.
            #[must_use]
            pub fn meta(&self) -> &kube::core::ObjectMeta {
                match self { $( Self::$variant(o) => o.meta(), )+ }
            }
        }

        $( impl From<$ty> for Object {
            fn from(o: $ty) -> Self { Self::$variant(Arc::new(o)) }
        } )+

        pub(crate) mod fields {
            //! The snapshot's collections, one for each kind.
            use super::*;
            use std::collections::BTreeMap;

            /// Objects by kind, sorted by namespace and name.
            #[derive(Debug, Clone, Default, PartialEq)]
            pub struct Objects { $( $(#[$doc])* pub $field: BTreeMap<Key, Arc<$ty>>, )+ }

            impl Objects {
                /// Puts an object in its place; an object of the same kind and key is replaced.
                pub fn insert(&mut self, object: Object) {
                    match object { $( Object::$variant(o) => { self.$field.insert(key(o.as_ref()), o); } )+ }
                }

                /// Removes an object.
                pub fn remove(&mut self, object: &Object) {
                    match object { $( Object::$variant(o) => { self.$field.remove(&key(o.as_ref())); } )+ }
                }

                /// The object of the same kind, namespace and name.
                #[must_use]
                pub fn same(&self, object: &Object) -> Option<Object> {
                    match object { $( Object::$variant(o) => self.$field.get(&key(o.as_ref())).cloned().map(Object::$variant), )+ }
                }

                /// The object that a reference names.
                #[must_use]
                pub fn find(&self, object: &ObjectRef) -> Option<Object> {
                    let key = (object.namespace.clone(), object.name.clone());
                    $( if <$ty>::kind(&()) == object.kind && <$ty>::group(&()) == object.group {
                        return self.$field.get(&key).cloned().map(Object::$variant);
                    } )+
                    None
                }

                /// All objects, kind by kind, sorted.
                pub fn iter(&self) -> impl Iterator<Item = Object> + '_ {
                    std::iter::empty()$( .chain(self.$field.values().cloned().map(Object::$variant)) )+
                }
            }
        }
    };
}

objects! {
    /// Core.
    Namespace(Namespace) => namespaces,
    /// Core.
    Service(Service) => services,
    /// Discovery.
    EndpointSlice(EndpointSlice) => endpoint_slices,
    /// Core.
    Secret(Secret) => secrets,
    /// Core.
    ConfigMap(ConfigMap) => config_maps,
    /// About API.
    ClusterProperty(ClusterProperty) => cluster_properties,
    /// MCS API.
    McsServiceExport(mcs::ServiceExport) => mcs_exports,
    /// MCS API.
    McsServiceImport(mcs::ServiceImport) => mcs_imports,
    /// Own.
    WANPolicy(wan::WANPolicy) => wan_policies,
    /// Own.
    ServiceExport(wan::ServiceExport) => exports,
    /// Own.
    ServiceImport(wan::ServiceImport) => imports,
    /// Own.
    ClusterPeer(wan::ClusterPeer) => cluster_peers,
    /// Own.
    PublishedCluster(wan::PublishedCluster) => published_clusters,
    /// Own.
    PublishedService(wan::PublishedService) => published_services,
    /// Own.
    GatewayConfig(wan::GatewayConfig) => gateway_configs,
    /// Gateway API.
    GatewayClass(GatewayClass) => gateway_classes,
    /// Gateway API.
    Gateway(Gateway) => gateways,
    /// Gateway API.
    ListenerSet(ListenerSet) => listener_sets,
    /// Gateway API.
    HTTPRoute(HttpRoute) => http_routes,
    /// Gateway API.
    GRPCRoute(GrpcRoute) => grpc_routes,
    /// Gateway API.
    TLSRoute(TlsRoute) => tls_routes,
    /// Gateway API.
    TCPRoute(TcpRoute) => tcp_routes,
    /// Gateway API.
    UDPRoute(UdpRoute) => udp_routes,
    /// Gateway API.
    ReferenceGrant(ReferenceGrant) => reference_grants,
    /// Gateway API.
    BackendTLSPolicy(BackendTlsPolicy) => backend_tls_policies,
}

/// Names any object of a typed kind.
#[must_use]
pub fn reference<K: Resource<DynamicType = ()>>(object: &K) -> ObjectRef {
    let (namespace, name) = key(object);
    ObjectRef {
        group: K::group(&()).into_owned(),
        kind: K::kind(&()).into_owned(),
        namespace,
        name,
    }
}

/// Namespace and name of any object.
#[must_use]
pub fn key<K: Resource>(object: &K) -> Key {
    let meta = object.meta();
    (
        meta.namespace.clone().unwrap_or_default(),
        meta.name.clone().unwrap_or_default(),
    )
}

/// When an object was created, in seconds since 1970; 0 where unknown, as in files.
#[must_use]
pub fn created<K: Resource>(object: &K) -> i64 {
    object
        .meta()
        .creation_timestamp
        .as_ref()
        .map_or(0, |time| time.0.as_second())
}

/// Whether somebody has deleted the object: it is still there only until all finalizers are done with it.
#[must_use]
pub fn is_deleted<K: Resource>(object: &K) -> bool {
    object.meta().deletion_timestamp.is_some()
}

/// An annotation of an object, unless it is empty.
#[must_use]
pub fn annotation<'a, K: Resource>(object: &'a K, key: &str) -> Option<&'a str> {
    let annotations = object.meta().annotations.as_ref()?;
    annotations
        .get(key)
        .map(String::as_str)
        .filter(|value| !value.is_empty())
}
