//! Whatever a peer sends: no panic, and nothing forbidden comes out.

use std::net::IpAddr;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;

use super::*;
use crate::names::{is_label, is_private_namespace};

/// Texts that a forger would try, and any others.
fn text() -> impl Strategy<Value = String> {
    let known = vec![
        "",
        "cluster-1",
        "secure",
        "payment",
        "secure.payment",
        "kube-system",
        "mc-wan",
        "mc-wan-cache",
        "TCP",
        "UDP",
        "kubernetes.io/x",
        "a.k8s.io/x",
        "mc-wan.l7mp.io/cluster",
        "team",
        "IPv4",
        "ClientIP",
        "high",
        "../..",
        "\u{0}",
    ];
    prop_oneof![4 => select(known).prop_map(str::to_owned), 1 => any::<String>()]
}

/// The cluster that is expected, mostly.
fn whose() -> impl Strategy<Value = String> {
    prop_oneof![3 => Just("cluster-1".to_owned()), 1 => text()]
}

fn address() -> impl Strategy<Value = String> {
    prop_oneof![
        select(vec![
            "127.0.0.1",
            "::1",
            "::ffff:127.0.0.1",
            "169.254.1.1",
            "224.0.0.1",
            "0.0.0.0",
            "10.0.0.1"
        ])
        .prop_map(str::to_owned),
        any::<u32>().prop_map(|bits| IpAddr::from(bits.to_be_bytes()).to_string()),
        any::<u128>().prop_map(|bits| IpAddr::from(bits.to_be_bytes()).to_string()),
    ]
}

fn port() -> impl Strategy<Value = Value> {
    (text(), text(), proptest::option::of(text()), any::<u16>(), any::<u32>()).prop_map(
        |(name, protocol, app, port, ready)| {
            json!({"name": name, "protocol": protocol, "appProtocol": app, "port": port, "readyEndpoints": ready})
        },
    )
}

fn rules() -> impl Strategy<Value = Value> {
    let rule = (vec(text(), 0..4), vec(text(), 0..4)).prop_map(|(paths, policies)| {
        let matches: Vec<_> = paths
            .iter()
            .map(|p| json!({"path": {"type": "PathPrefix", "value": p}}))
            .collect();
        let policies: Vec<_> = policies.iter().map(|p| json!({"name": p})).collect();
        json!({"matches": matches, "backendRefs": policies})
    });
    vec(rule, 0..70).prop_map(|rules| json!({"rules": rules}))
}

prop_compose! {
    fn service_object()(
        (object, cluster, namespace, name) in (text(), whose(), text(), text()),
        honest in any::<bool>(),
        (created, headless) in (any::<i64>(), any::<bool>()),
        ports in vec(port(), 0..6),
        http in proptest::option::of(rules()),
        policy in proptest::option::of(text()),
        labels in btree_map(text(), text(), 0..5),
        annotations in btree_map(text(), text(), 0..5),
        (families, affinity) in (vec(text(), 0..4), proptest::option::of(text())),
    ) -> PublishedService {
        let object = if honest { format!("{namespace}.{name}") } else { object };
        serde_json::from_value(json!({
            "apiVersion": "mc-wan.l7mp.io/v1alpha1",
            "kind": "PublishedService",
            "metadata": {"name": object, "namespace": "mc-wan"},
            "spec": {"cluster": cluster, "service": {
                "namespace": namespace, "name": name, "created": created, "headless": headless, "ports": ports,
                "http": http, "wanPolicy": policy, "labels": labels, "annotations": annotations,
                "ipFamilies": families, "sessionAffinity": affinity,
            }},
        })).unwrap()
    }
}

prop_compose! {
    fn cluster_object()(
        (object, cluster) in (whose(), whose()),
        gateways in vec(address(), 0..20),
        policies in vec((text(), any::<u16>(), text()), 0..5),
        (services, synced) in (any::<u32>(), any::<bool>()),
    ) -> PublishedCluster {
        let policies: Vec<_> = policies.into_iter()
            .map(|(name, port, tunnel)| json!({"name": name, "port": port, "tunnel": tunnel}))
            .collect();
        serde_json::from_value(json!({
            "apiVersion": "mc-wan.l7mp.io/v1alpha1",
            "kind": "PublishedCluster",
            "metadata": {"name": object, "namespace": "mc-wan"},
            "spec": {"cluster": cluster, "gateways": gateways, "policies": policies, "services": services, "synced": synced},
        })).unwrap()
    }
}

fn is_clean(service: &OfferedService) {
    assert!(
        is_label(&service.namespace) && is_label(&service.name),
        "{service:?}"
    );
    assert!(!is_private_namespace(&service.namespace), "{service:?}");
    for key in service.labels.keys().chain(service.annotations.keys()) {
        let is_policy = key == "mc-wan.l7mp.io/wan-policy";
        assert!(
            is_policy
                || !(key.contains("k8s.io/")
                    || key.contains("kubernetes.io/")
                    || key.contains("l7mp.io/")),
            "{key}"
        );
    }
    for port in &service.ports {
        assert!(
            port.port > 0 && matches!(port.protocol.as_str(), "TCP" | "UDP" | "SCTP"),
            "{port:?}"
        );
    }
    assert!(
        service.created > 0 && service.created <= now().as_second(),
        "{service:?}"
    );
    assert!(
        service
            .http
            .as_ref()
            .is_none_or(|http| http.rules.len() <= 64)
    );
    assert!(service.ip_families.len() <= 2);
}

/// Said in other words than the code under test.
fn is_somebody_elses(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(a) => {
            !(a.is_loopback()
                || a.is_link_local()
                || a.is_multicast()
                || a.is_unspecified()
                || a.is_broadcast())
        }
        IpAddr::V6(a) => {
            let mapped = a
                .to_ipv4_mapped()
                .is_none_or(|a| is_somebody_elses(a.into()));
            mapped
                && !(a.is_loopback()
                    || a.is_multicast()
                    || a.is_unspecified()
                    || a.is_unicast_link_local())
        }
    }
}

proptest! {
    #[test]
    fn nothing_forbidden_ever_comes_out(
        cluster in proptest::option::of(cluster_object()),
        services in vec(service_object(), 0..6),
    ) {
        let (offer, problems) = receive(&expected(), cluster.as_ref(), &services, now());
        prop_assert_eq!(&offer.cluster, "cluster-1");
        prop_assert!(offer.gateways.len() <= MAX_GATEWAYS);
        prop_assert!(offer.gateways.iter().all(|a| is_somebody_elses(*a)), "{:?}", offer.gateways);
        prop_assert!(offer.services.len() <= services.len());
        offer.services.iter().for_each(is_clean);
        prop_assert!(problems.iter().all(|p| p.object.kind == "ClusterPeer" && p.object.name == "west"));
        let refused = services.len() - offer.services.len();
        let named: std::collections::BTreeSet<_> = offer.services.iter().map(|s| (&s.namespace, &s.name)).collect();
        prop_assert_eq!(named.len(), offer.services.len());
        prop_assert!(refused == 0 || !problems.is_empty() || services.len() > named.len());
    }

    #[test]
    fn what_was_received_is_received_again_unchanged(services in vec(service_object(), 0..6)) {
        let (offer, _) = receive(&expected(), None, &services, now());
        let (cluster, services) = taken_apart(publish(&offer, None));
        let (again, problems) = receive(&expected(), Some(&cluster), &services, now());
        prop_assert_eq!(again, offer);
        prop_assert_eq!(problems, []);
    }

    #[test]
    fn any_address_is_judged(bits in any::<u128>()) {
        let address = IpAddr::from(bits.to_be_bytes());
        prop_assert!(address_refusal(address).is_some() || is_somebody_elses(address));
    }
}
