//! Own kinds, group `mc-wan.l7mp.io/v1alpha1` (DESIGN §3).

mod peer;
mod policy;
mod published;
mod service;

pub use peer::{
    ClusterPeer, ClusterPeerSpec, ClusterPeerStatus, GatewayConfig, GatewayConfigSpec, PeerTunnel,
    SecretRef, ServiceSettings,
};
pub use policy::{
    Capacity, Connections, Cost, Failover, FailoverTrigger, Measured, PolicyPeer, Probe,
    ProbeProtocol, ProviderRef, ProviderStatus, Rendered, Sla, WANPolicy, WANPolicySpec,
    WANPolicyStatus, WhenNoneMeets,
};
pub use published::{
    PublishedCluster, PublishedClusterSpec, PublishedService, PublishedServiceSpec,
    service_object_name,
};
pub use service::{
    HttpRule, HttpRules, ImportedHttp, ImportedRule, PolicyRef, PolicyRefs, RuleOrigin,
    ServiceExport, ServiceExportSpec, ServiceExportStatus, ServiceImport, ServiceImportSpec,
    ServiceImportStatus,
};
