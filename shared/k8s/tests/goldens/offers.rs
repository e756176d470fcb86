//! Offers as peers might send them, good and bad, out of small sets so that they meet and clash.

use std::collections::BTreeMap;
use std::net::IpAddr;

use mcwan_k8s::kinds::wan::{HttpRule, HttpRules, PolicyRef, PolicyRefs};
use mcwan_k8s::offer::{OfferedPolicy, OfferedPort, OfferedService, PeerOffer};
use mcwan_k8s::snapshot::ClusterSnapshot;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

/// Namespaces that exist in the importing cluster; others are offered too.
pub(crate) const NAMESPACES: [&str; 4] = ["a", "b-c", "c", "c-p80"];

/// The policies of the importing cluster, as if it offered them.
pub(crate) fn policies() -> PeerOffer {
    let policy = |name: &str, port| OfferedPolicy {
        name: name.to_owned(),
        port,
        tunnel: "t".to_owned(),
        ..OfferedPolicy::default()
    };
    PeerOffer {
        policies: vec![policy("x-y", 31111), policy("x.y", 31112)],
        ..PeerOffer::default()
    }
}

/// A cluster that has the generated offers' namespaces and policies.
pub(crate) fn importer() -> ClusterSnapshot {
    let mut text = String::new();
    for namespace in NAMESPACES {
        text.push_str(&format!(
            "apiVersion: v1\nkind: Namespace\nmetadata: {{ name: {namespace} }}\n---\n"
        ));
    }
    for policy in &policies().policies {
        text.push_str(&format!(
            "apiVersion: mc-wan.l7mp.io/v1alpha1\nkind: WANPolicy\nmetadata: {{ name: {} }}\nspec: {{ tunnel: {}, port: {} }}\n---\n",
            policy.name, policy.tunnel, policy.port
        ));
    }
    let manifest = mcwan_k8s::manifest::parse(text.as_bytes());
    assert!(manifest.errors.is_empty(), "{:?}", manifest.errors);
    ClusterSnapshot::new("here").with(manifest.objects.into_iter().map(|p| p.object))
}

/// Any offer.
pub(crate) fn offer() -> impl Strategy<Value = PeerOffer> {
    let cluster = select(vec!["here", "one", "two", "three", "Bad_Name", ""]);
    let gateways = vec(
        prop_oneof![
            any::<[u8; 4]>().prop_map(IpAddr::from),
            any::<[u8; 16]>().prop_map(IpAddr::from)
        ],
        0..3,
    );
    (cluster, gateways, vec(policy(), 0..3), vec(service(), 0..6)).prop_map(
        |(cluster, gateways, policies, services)| PeerOffer {
            cluster: cluster.to_owned(),
            gateways,
            policies,
            services,
        },
    )
}

fn policy() -> impl Strategy<Value = OfferedPolicy> {
    let name = select(vec!["x.y", "x-y", "z", "Not Legal"]);
    (
        name,
        select(vec![31111_u16, 31112, 0]),
        select(vec!["t", "u"]),
    )
        .prop_map(|(name, port, tunnel)| OfferedPolicy {
            name: name.to_owned(),
            port,
            tunnel: tunnel.to_owned(),
            ..OfferedPolicy::default()
        })
}

fn service() -> impl Strategy<Value = OfferedService> {
    let namespaces: Vec<&str> = NAMESPACES
        .into_iter()
        .chain(["kube-system", "mc-wan", "absent", "UP"])
        .collect();
    let names = vec!["a", "a-b", "b", "a-p80", "a-b-c", "-x", "a.b", ""];
    let keys = vec!["team", "kubernetes.io/x", "bad key", "example.com/ok"];
    let map =
        prop::collection::btree_map(select(keys).prop_map(str::to_owned), "[a-z ]{0,3}", 0..3);
    let maps: (_, BoxedStrategy<BTreeMap<String, String>>) = (map.clone(), map.boxed());
    let policy = option::of(select(vec!["x-y", "x.y", "nowhere"]).prop_map(str::to_owned));
    (
        select(namespaces),
        select(names),
        0_i64..3,
        any::<bool>(),
        vec(port(), 0..5),
        maps,
        option::of(rules()),
        policy,
    )
        .prop_map(
            |(
                namespace,
                name,
                created,
                headless,
                ports,
                (labels, annotations),
                http,
                wan_policy,
            )| OfferedService {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
                created,
                headless,
                ports,
                http,
                wan_policy,
                labels,
                annotations,
                ..OfferedService::default()
            },
        )
}

fn port() -> impl Strategy<Value = OfferedPort> {
    let name = select(vec!["", "http", "p80", "Up"]);
    let protocol = select(vec!["TCP", "TCP", "UDP", "X"]);
    let app_protocol = option::of(select(vec!["http", "https", "kubernetes.io/h2c"]));
    (
        name,
        protocol,
        app_protocol,
        select(vec![0_u16, 80, 81, 65535]),
        any::<u32>(),
    )
        .prop_map(
            |(name, protocol, app_protocol, port, ready_endpoints)| OfferedPort {
                name: name.to_owned(),
                protocol: protocol.to_owned(),
                app_protocol: app_protocol.map(str::to_owned),
                port,
                ready_endpoints,
            },
        )
}

fn rules() -> impl Strategy<Value = HttpRules> {
    let reference = select(vec!["x-y", "x.y", "nowhere"]).prop_map(|name| PolicyRef {
        name: name.to_owned(),
        ..PolicyRef::default()
    });
    let path = select(vec!["/", "/a", "a", "//", "/%zz", "/é"]);
    let matches = option::of(vec(path, 0..70)).prop_map(|paths| {
        let one = |p: &str| {
            serde_json::from_value(serde_json::json!({"path": {"type": "Exact", "value": p}}))
                .unwrap()
        };
        paths.map(|paths| paths.into_iter().map(one).collect())
    });
    let rule = (matches, vec(reference, 0..3)).prop_map(|(matches, references)| HttpRule {
        matches,
        backend_refs: PolicyRefs::Many(references),
    });
    vec(rule, 0..20).prop_map(|rules| HttpRules { rules })
}
