//! Payloads that no controller would publish.

use super::*;
use crate::kinds::wan::{HttpRule, HttpRules, PolicyRef, PolicyRefs};
use crate::problem::{Problem, Severity};

/// The outbox after somebody changed its one service, and what is made of it.
fn with_service(
    change: impl FnOnce(&mut PublishedService),
) -> (Option<OfferedService>, Vec<Problem>) {
    let (cluster, mut services) = taken_apart(publish(&offer(), None));
    services.truncate(1);
    change(&mut services[0]);
    let (offer, problems) = receive(&expected(), Some(&cluster), &services, now());
    (offer.services.into_iter().next(), problems)
}

fn with_cluster(change: impl FnOnce(&mut PublishedCluster)) -> (PeerOffer, Vec<Problem>) {
    let (mut cluster, _) = taken_apart(publish(&offer(), Some("set")));
    change(&mut cluster);
    receive(&expected(), Some(&cluster), &[], now())
}

/// Nothing of the service is taken, and the peer says so once.
#[track_caller]
fn refused(reason: &str, change: impl FnOnce(&mut PublishedService)) {
    let (service, problems) = with_service(change);
    assert_eq!(service, None);
    let [problem] = &problems[..] else {
        panic!("{problems:?}")
    };
    assert_eq!(
        (problem.reason.as_str(), problem.severity),
        (reason, Severity::Error)
    );
    assert_eq!(
        (problem.object.kind.as_str(), problem.object.name.as_str()),
        ("ClusterPeer", "west")
    );
    assert_eq!(problem.condition, "Synced");
    assert!(
        problem.message.starts_with("PublishedService mc-wan/"),
        "{problem}"
    );
}

/// A part of the service is left out, with a warning.
#[track_caller]
fn trimmed(reason: &str, change: impl FnOnce(&mut OfferedService)) -> OfferedService {
    let (service, problems) = with_service(|o| change(&mut o.spec.service));
    let [problem, ..] = &problems[..] else {
        panic!("no problem")
    };
    assert_eq!(
        (problem.reason.as_str(), problem.severity),
        (reason, Severity::Warning)
    );
    service.unwrap()
}

fn rename(object: &mut PublishedService, namespace: &str, name: &str) {
    object.metadata.name = Some(format!("{namespace}.{name}"));
    namespace.clone_into(&mut object.spec.service.namespace);
    name.clone_into(&mut object.spec.service.name);
}

#[test]
fn another_clusters_service_is_refused() {
    refused("ClusterIdMismatch", |o| {
        "cluster-3".clone_into(&mut o.spec.cluster);
    });
}

#[test]
fn a_service_under_another_name_is_refused() {
    refused("NameMismatch", |o| {
        o.metadata.name = Some("web.front".to_owned());
    });
    refused("NameMismatch", |o| o.metadata.name = None);
}

#[test]
fn services_of_private_namespaces_are_refused() {
    for namespace in [
        "kube-system",
        "kube-public",
        "kube-x",
        "mc-wan",
        "mc-wan-cache",
    ] {
        refused("ForbiddenNamespace", |o| rename(o, namespace, "payment"));
    }
    let (service, problems) = with_service(|o| rename(o, "mc-wanderers", "payment"));
    assert!(service.is_some() && problems.is_empty());
}

#[test]
fn names_that_are_none_are_refused() {
    for (namespace, name) in [
        ("", "a"),
        ("a", ""),
        ("a.b", "c"),
        ("a", "B"),
        ("../a", "b"),
        ("a", "-"),
    ] {
        refused("InvalidName", |o| rename(o, namespace, name));
    }
    refused("InvalidName", |o| rename(o, "a", &"x".repeat(64)));
}

#[test]
fn rules_out_of_bounds_are_refused_whole() {
    let rule = |policy: &str| HttpRule {
        matches: None,
        backend_refs: PolicyRefs::One(PolicyRef {
            name: policy.to_owned(),
            ..PolicyRef::default()
        }),
    };
    let with = |rules: Vec<HttpRule>| {
        move |o: &mut PublishedService| o.spec.service.http = Some(HttpRules { rules })
    };
    refused("InvalidRules", with(vec![rule("high"); 65]));
    refused("InvalidRules", with(vec![rule("Not A Policy")]));
    let path = |p: String| HttpRule {
        matches: serde_json::from_value(json!([{"path": {"type": "Exact", "value": p}}])).unwrap(),
        ..rule("high")
    };
    refused("InvalidRules", with(vec![path("/".repeat(1025))]));
    refused(
        "TooLarge",
        with(
            vec![path(format!("/{}", "a".repeat(1020))); 64]
                .into_iter()
                .chain([rule("high")])
                .take(64)
                .collect(),
        ),
    );
    let (service, problems) = with_service(with(vec![path("/ok".to_owned()); 64]));
    assert_eq!(service.unwrap().http.unwrap().rules.len(), 64);
    assert_eq!(problems, []);
}

#[test]
fn a_policy_that_is_none_is_refused_whole() {
    refused("InvalidPolicy", |o| {
        o.spec.service.wan_policy = Some("High!".to_owned());
    });
}

#[test]
fn reserved_labels_and_annotations_do_not_travel() {
    let reserved = [
        "kubernetes.io/metadata.name",
        "app.kubernetes.io/managed-by",
        "k8s.io/x",
        "gateway.networking.k8s.io/x",
        "multicluster.x-k8s.io/x",
        "mc-wan.l7mp.io/cluster",
    ];
    for key in reserved {
        let put = |map: &mut std::collections::BTreeMap<String, String>| {
            map.insert(key.to_owned(), "x".to_owned());
            map.insert("example.com/team".to_owned(), "x".to_owned());
        };
        let service = trimmed("ForbiddenKey", |s| put(&mut s.labels));
        assert_eq!(
            service.labels.keys().collect::<Vec<_>>(),
            ["example.com/team"]
        );
        let service = trimmed("ForbiddenKey", |s| put(&mut s.annotations));
        assert_eq!(
            service.annotations.keys().collect::<Vec<_>>(),
            ["example.com/team"]
        );
    }
    let (service, problems) = with_service(|o| {
        let annotations = &mut o.spec.service.annotations;
        annotations.insert("mc-wan.l7mp.io/wan-policy".to_owned(), "high".to_owned());
        annotations.insert("notkubernetes.io/x".to_owned(), "x".to_owned());
    });
    assert_eq!((service.unwrap().annotations.len(), problems.len()), (2, 0));
}

#[test]
fn labels_that_no_api_server_takes_do_not_travel() {
    let put = |key: &str, value: String| {
        let key = key.to_owned();
        move |s: &mut OfferedService| {
            s.labels.insert(key, value);
        }
    };
    assert!(
        trimmed("InvalidValue", put("bad key", String::new()))
            .labels
            .is_empty()
    );
    assert!(
        trimmed("InvalidValue", put("a", "b c".to_owned()))
            .labels
            .is_empty()
    );
    assert!(
        trimmed("InvalidValue", put("a", "b".repeat(64)))
            .labels
            .is_empty()
    );
    let many = trimmed("TooLarge", |s| {
        s.labels
            .extend((0..70).map(|i| (format!("k{i}"), String::new())));
    });
    assert_eq!(many.labels.len(), 64);
    let large = trimmed("TooLarge", |s| {
        s.annotations
            .insert("large".to_owned(), "x".repeat(65 * 1024));
        s.annotations.insert("small".to_owned(), "x".to_owned());
    });
    assert_eq!(large.annotations.keys().collect::<Vec<_>>(), ["small"]);
}

#[test]
fn ports_that_no_service_has_are_left_out() {
    let with = |change: fn(&mut OfferedPort)| {
        trimmed("InvalidPort", move |s| {
            let mut port = OfferedPort {
                name: "more".to_owned(),
                port: 9,
                ..s.ports[0].clone()
            };
            change(&mut port);
            s.ports.push(port);
        })
    };
    let changes: [fn(&mut OfferedPort); 5] = [
        |p| p.port = 0,
        |p| "ICMP".clone_into(&mut p.protocol),
        |p| "Http".clone_into(&mut p.name),
        |p| p.port = 8080,
        |p| p.app_protocol = Some("a b".to_owned()),
    ];
    for change in changes {
        assert_eq!(with(change).ports.len(), 1);
    }
    let many = trimmed("TooLarge", |s| {
        let port = s.ports[0].clone();
        s.ports = (1..200)
            .map(|n| OfferedPort {
                name: format!("p{n}"),
                port: n,
                ..port.clone()
            })
            .collect();
    });
    assert_eq!(many.ports.len(), 100);
}

#[test]
fn an_incredible_number_of_endpoints_is_cut() {
    let (service, _) = with_service(|o| o.spec.service.ports[0].ready_endpoints = u32::MAX);
    assert_eq!(service.unwrap().ports[0].ready_endpoints, 150_000);
}

#[test]
fn nothing_was_exported_in_the_future_or_before_kubernetes() {
    let now = now().as_second();
    for said in [now + 3600, 0, -1, i64::MAX, i64::MIN] {
        let service = trimmed("ImplausibleTime", |s| s.created = said);
        assert_eq!(service.created, now, "{said}");
    }
    let (service, problems) = with_service(|o| o.spec.service.created = now + 5);
    assert_eq!(service.unwrap().created, now);
    assert_eq!(problems, [], "clocks differ a little");
}

#[test]
fn an_impossible_time_is_replaced_by_that_of_the_object() {
    let own = Timestamp::from_second(1_785_000_000).unwrap();
    let (service, _) = with_service(|o| {
        o.spec.service.created = 0;
        o.metadata.creation_timestamp =
            Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(own));
    });
    assert_eq!(service.unwrap().created, 1_785_000_000);
}

#[test]
fn settings_that_are_not_known_are_left_out() {
    let word = || Some("Whatever".to_owned());
    assert_eq!(
        trimmed("InvalidValue", |s| s.session_affinity = word()).session_affinity,
        None
    );
    assert_eq!(
        trimmed("InvalidValue", |s| s.internal_traffic_policy = word()).internal_traffic_policy,
        None
    );
    assert_eq!(
        trimmed("InvalidValue", |s| s.traffic_distribution = word()).traffic_distribution,
        None
    );
    let families = |f: &[&str]| f.iter().map(|&f| f.to_owned()).collect();
    assert!(
        trimmed("InvalidValue", |s| s.ip_families =
            families(&["IPv4", "IPv4"]))
        .ip_families
        .is_empty()
    );
    assert!(
        trimmed("InvalidValue", |s| s.ip_families = families(&["IPX"]))
            .ip_families
            .is_empty()
    );
    let long = trimmed("InvalidValue", |s| {
        s.session_affinity_config =
            serde_json::from_value(json!({"clientIP": {"timeoutSeconds": 86_401}})).unwrap();
    });
    assert_eq!(long.session_affinity_config, None);
}

#[test]
fn another_cluster_is_refused_whole() {
    let (offer, problems) = with_cluster(|c| {
        c.metadata.name = Some("cluster-3".to_owned());
        "cluster-3".clone_into(&mut c.spec.cluster);
    });
    assert_eq!((offer.gateways.len(), offer.policies.len()), (0, 0));
    assert_eq!(offer.cluster, "cluster-1");
    assert_eq!(problems[0].reason, "ClusterIdMismatch");
    let (offer, problems) = with_cluster(|c| c.metadata.name = Some("other".to_owned()));
    assert_eq!(
        (offer.gateways.len(), problems[0].reason.as_str()),
        (0, "NameMismatch")
    );
    let (offer, problems) = with_cluster(|c| c.spec.cluster_set = Some("other".to_owned()));
    assert_eq!(
        (offer.gateways.len(), problems[0].reason.as_str()),
        (0, "ClusterSetMismatch")
    );
}

#[test]
fn gateways_at_addresses_of_our_own_are_refused_one_by_one() {
    let forbidden = [
        "0.0.0.0",
        "0.1.2.3",
        "127.0.0.1",
        "127.8.8.8",
        "169.254.169.254",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::1",
    ];
    for address in forbidden {
        let (offer, problems) = with_cluster(|c| {
            c.spec.gateways = vec![address.parse().unwrap(), "10.77.1.1".parse().unwrap()];
        });
        assert_eq!(
            offer.gateways,
            ["10.77.1.1".parse::<std::net::IpAddr>().unwrap()],
            "{address}"
        );
        let reasons: Vec<_> = problems.iter().map(|p| p.reason.as_str()).collect();
        assert_eq!(reasons, ["ForbiddenAddress"], "{address}");
    }
    let allowed = [
        "10.0.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "2001:db8::1",
        "fd00::1",
        "64:ff9b::a00:1",
    ];
    for address in allowed {
        let (offer, problems) = with_cluster(|c| c.spec.gateways = vec![address.parse().unwrap()]);
        assert_eq!((offer.gateways.len(), problems.len()), (1, 0), "{address}");
    }
    let (offer, _) = with_cluster(|c| c.spec.gateways = vec!["::ffff:10.0.0.1".parse().unwrap()]);
    assert_eq!(
        offer.gateways,
        ["10.0.0.1".parse::<std::net::IpAddr>().unwrap()]
    );
}

#[test]
fn gateways_and_policies_are_bounded_in_number() {
    let (offer, problems) = with_cluster(|c| {
        c.spec.gateways = (1..=40)
            .map(|i| std::net::IpAddr::from([10, 0, 0, i]))
            .collect();
        let policy = |i: u16| OfferedPolicy {
            name: format!("p{i}"),
            port: 31000 + i,
            tunnel: "t".to_owned(),
            dscp: None,
            sla: None,
        };
        c.spec.policies = (0..200).map(policy).collect();
    });
    assert_eq!((offer.gateways.len(), offer.policies.len()), (16, 64));
    assert_eq!(problems.len(), 2);
}

#[test]
fn policies_that_are_none_are_left_out() {
    let policy = |name: &str, port, tunnel: &str| OfferedPolicy {
        name: name.to_owned(),
        port,
        tunnel: tunnel.to_owned(),
        dscp: None,
        sla: None,
    };
    let (offer, problems) = with_cluster(|c| {
        c.spec.policies = vec![
            policy("good", 31111, "business"),
            policy("Bad", 31112, "business"),
            policy("low", 80, "business"),
            policy("tunnel", 31113, ""),
            policy("good", 31114, "business"),
            policy("twice", 31111, "business"),
        ];
    });
    assert_eq!(offer.policies, [policy("good", 31111, "business")]);
    assert_eq!(problems.len(), 5);
    assert!(problems.iter().all(|p| p.reason == "InvalidPolicy"));
}

#[test]
fn one_bad_object_leaves_the_others_alone() {
    let (cluster, mut services) = taken_apart(publish(&offer(), None));
    rename(&mut services[0], "kube-system", "dns");
    let (received, problems) = receive(&expected(), Some(&cluster), &services, now());
    assert_eq!(received.services, [service("web", "front")]);
    assert_eq!(problems.len(), 1);
}

#[test]
fn what_a_peer_says_is_shown_shortened_and_without_control_characters() {
    let (_, problems) =
        with_service(|o| o.spec.cluster = format!("\u{1b}[31m{}", "x".repeat(10_000)));
    assert!(problems[0].message.len() < 1000);
    assert!(!problems[0].message.contains('\u{1b}'));
}
