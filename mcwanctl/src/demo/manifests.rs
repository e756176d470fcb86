//! The manifests of the demo. The seed's files are used byte for byte.

use std::io;
use std::path::Path;

use super::addresses::{Addresses, ClusterAddresses, SERVICE};

/// The seed's export with its two rules.
pub(crate) const SEED_EXPORT: &str = include_str!("../../../config/samples/serviceexport.yaml");
/// The seed's two policies.
pub(crate) const SEED_POLICIES: &str = include_str!("../../../config/samples/wanpolicy.yaml");

/// Story 1: the official export; the whole service asks for one policy.
pub(crate) const WHOLE_SERVICE_EXPORT: &str = "\
apiVersion: multicluster.x-k8s.io/v1beta1
kind: ServiceExport
metadata:
  name: payment
  namespace: secure
spec:
  exportedAnnotations:
    mc-wan.l7mp.io/wan-policy: sd-wan-priority-high
";

/// Story 3: what is added to the seed's business policy.
pub(crate) const FAILOVER: &str = "  failover: { fallback: [sd-wan-priority-low], holdDown: 5s }\n";

const NAMESPACE: &str = "\
apiVersion: v1
kind: Namespace
metadata: { name: secure }
";

/// The seed's policies with [`FAILOVER`] in the first one.
pub(crate) fn policies_with_failover() -> String {
    match SEED_POLICIES.split_once("---\n") {
        Some((first, rest)) => format!("{first}{FAILOVER}---\n{rest}"),
        None => format!("{SEED_POLICIES}{FAILOVER}"),
    }
}

/// Writes the `ClusterSet` as the gateway of cluster 1 or 2 sees it.
pub(crate) fn write(root: &Path, seen_from: u8, addresses: Addresses) -> io::Result<()> {
    for number in [1, 2] {
        let mut gateways = addresses.cluster(number);
        if number == 1 && seen_from == 2 {
            // The WAN is between them: seen from cluster-2, cluster-1's ingress is where the relays listen.
            gateways.ingress = addresses.wan();
        }
        let directory = root.join(format!("cluster-{number}"));
        std::fs::create_dir_all(&directory)?;
        std::fs::write(directory.join("namespace.yaml"), NAMESPACE)?;
        std::fs::write(directory.join("gateways.yaml"), gateways_yaml(gateways))?;
        std::fs::write(directory.join("wanpolicy.yaml"), SEED_POLICIES)?;
    }
    let exporting = root.join("cluster-1");
    std::fs::write(exporting.join("service.yaml"), service_yaml(addresses))?;
    std::fs::write(exporting.join("serviceexport.yaml"), WHOLE_SERVICE_EXPORT)
}

/// Replaces a file in one step, so that nobody reads half of it.
pub(crate) fn replace(file: &Path, text: &str) -> io::Result<()> {
    let new = file.with_extension("new");
    std::fs::write(&new, text)?;
    std::fs::rename(&new, file)
}

/// The two Gateways, for their addresses; the controller's part renders their listeners.
fn gateways_yaml(addresses: ClusterAddresses) -> String {
    let ClusterAddresses { ingress, egress } = addresses;
    let gateway = |name, address| {
        format!(
            "\
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{ name: {name}, namespace: mc-wan }}
spec:
  gatewayClassName: mc-wan
  addresses: [{{ type: IPAddress, value: {address} }}]
  listeners: []
"
        )
    };
    let (ingress, egress) = (
        gateway("mc-wan-ingress", ingress),
        gateway("mc-wan-egress", egress),
    );
    format!("{ingress}---\n{egress}")
}

fn service_yaml(addresses: Addresses) -> String {
    let (one, two) = (addresses.replica(1).ip(), addresses.replica(2).ip());
    format!(
        "\
apiVersion: v1
kind: Service
metadata: {{ name: payment, namespace: secure }}
spec:
  ports: [{{ name: http, port: {SERVICE}, protocol: TCP, appProtocol: http }}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: payment-1
  namespace: secure
  labels: {{ kubernetes.io/service-name: payment }}
addressType: IPv4
ports: [{{ name: http, port: {SERVICE}, protocol: TCP }}]
endpoints:
  - {{ addresses: [{one}], conditions: {{ ready: true }} }}
  - {{ addresses: [{two}], conditions: {{ ready: true }} }}
"
    )
}
