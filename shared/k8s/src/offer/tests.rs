use super::*;
use crate::manifest;
use crate::problem::Severity;

const SERVICE: &str = "apiVersion: v1\nkind: Service\nmetadata: {name: payment, namespace: secure}\n\
                       spec: {ports: [{name: http, port: 8080}, {name: admin, port: 9090}]}\n---\n";
const EXPORT: &str = "apiVersion: multicluster.x-k8s.io/v1beta1\nkind: ServiceExport\nmetadata: {name: payment, namespace: secure}\n---\n";

fn snapshot(text: &str) -> ClusterSnapshot {
    let manifest = manifest::parse(text.as_bytes());
    assert_eq!(manifest.errors, [], "{text}");
    ClusterSnapshot::new("cluster-1").with(manifest.objects.into_iter().map(|p| p.object))
}

fn of(text: &str) -> (PeerOffer, Vec<String>) {
    let (offer, problems) = offer(&snapshot(text));
    let shown = |p: &Problem| format!("{} [{}] {}/{}", p.object, p.field, p.condition, p.reason);
    (offer, problems.iter().map(shown).collect())
}

fn sample(name: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../config/samples")
        .join(name);
    std::fs::read_to_string(path).unwrap()
}

fn slice(name: &str, ports: &str, endpoints: &str) -> String {
    format!(
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: {name}, namespace: secure, labels: \
         {{kubernetes.io/service-name: payment}}}}\naddressType: IPv4\nports: [{ports}]\nendpoints: [{endpoints}]\n---\n"
    )
}

#[test]
fn the_seed_export_is_offered_with_its_rules_and_policies() {
    let (offer, problems) = of(&[
        SERVICE,
        &sample("wanpolicy.yaml"),
        "\n---\n",
        &sample("serviceexport.yaml"),
    ]
    .concat());
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(offer.cluster, "cluster-1");
    let policies: Vec<_> = offer
        .policies
        .iter()
        .map(|p| (p.name.as_str(), p.port, p.tunnel.as_str()))
        .collect();
    assert_eq!(
        policies,
        [
            ("sd-wan-priority-high", 31111, "business"),
            ("sd-wan-priority-low", 31112, "default")
        ]
    );
    let service = &offer.services[0];
    assert_eq!(
        (
            service.namespace.as_str(),
            service.name.as_str(),
            service.headless
        ),
        ("secure", "payment", false)
    );
    assert_eq!(service.http.as_ref().unwrap().rules.len(), 2);
    assert_eq!(
        service.ports.iter().map(|p| p.port).collect::<Vec<_>>(),
        [8080, 9090]
    );
}

#[test]
fn ready_addresses_are_counted_once_for_each_port() {
    let text = [
        SERVICE,
        EXPORT,
        &slice(
            "a",
            "{name: http, port: 80}",
            "{addresses: [10.0.0.1]}, {addresses: [10.0.0.2], conditions: {ready: false}}",
        ),
        &slice(
            "b",
            "{name: http, port: 81}",
            "{addresses: [10.0.0.1]}, {addresses: [10.0.0.3], conditions: {ready: true}}",
        ),
        &slice(
            "c",
            "{name: http, port: 80, protocol: UDP}",
            "{addresses: [10.0.0.4]}",
        ),
        &slice("d", "{name: other, port: 80}", "{addresses: [10.0.0.5]}"),
    ]
    .concat();
    let ports = of(&text).0.services.remove(0).ports;
    assert_eq!(
        ports.iter().map(|p| p.ready_endpoints).collect::<Vec<_>>(),
        [2, 0]
    );
}

#[test]
fn an_unnamed_port_is_matched_by_an_unnamed_one() {
    let service = SERVICE.replace(
        "{name: http, port: 8080}, {name: admin, port: 9090}",
        "{port: 80}",
    );
    for name in ["", "name: '', "] {
        let text = [
            &service,
            EXPORT,
            &slice(
                "a",
                &format!("{{{name}port: 80}}"),
                "{addresses: [10.0.0.1]}",
            ),
        ]
        .concat();
        assert_eq!(of(&text).0.services[0].ports[0].ready_endpoints, 1);
    }
}

#[test]
fn an_export_that_cannot_be_is_not_offered() {
    for (service, object, reason) in [
        ("", "ServiceExport secure/payment", "NoService"),
        (
            "apiVersion: v1\nkind: Service\nmetadata: {name: payment, namespace: secure}\nspec: {type: ExternalName, externalName: a.b}\n---\n",
            "ServiceExport secure/payment",
            "InvalidServiceType",
        ),
    ] {
        let (offer, problems) = of(&[service, EXPORT].concat());
        assert_eq!(
            (offer.services, problems),
            (vec![], vec![format!("{object} [] Valid/{reason}")])
        );
    }
    for namespace in ["kube-system", "kube-public", "mc-wan"] {
        let (offer, problems) = of(&[SERVICE, EXPORT].concat().replace("secure", namespace));
        let expected = format!("ServiceExport {namespace}/payment [] Valid/ForbiddenNamespace");
        assert_eq!((offer.services, problems), (vec![], vec![expected]));
    }
}

#[test]
fn a_mistake_of_two_exports_is_told_on_both() {
    let own = EXPORT.replace("multicluster.x-k8s.io/v1beta1", "mc-wan.l7mp.io/v1alpha1");
    let (_, problems) = offer(&snapshot(&[EXPORT, &own].concat()));
    let groups: Vec<_> = problems
        .iter()
        .map(|p| (p.object.group.as_str(), p.reason.as_str()))
        .collect();
    assert_eq!(
        groups,
        [
            ("mc-wan.l7mp.io", "NoService"),
            ("multicluster.x-k8s.io", "NoService")
        ]
    );
}

#[test]
fn an_own_and_an_official_export_are_one() {
    let official = "apiVersion: multicluster.x-k8s.io/v1alpha1\nkind: ServiceExport\nmetadata:\n  name: payment\n  namespace: secure\n  \
                    labels: {not: exported}\n  creationTimestamp: '2026-01-01T00:00:10Z'\nspec:\n  exportedLabels: {team: pay}\n  \
                    exportedAnnotations: {mc-wan.l7mp.io/wan-policy: low}\n---\n";
    let own = sample("serviceexport.yaml").replace(
        "  namespace: secure\n",
        "  namespace: secure\n  creationTimestamp: '2026-01-01T00:00:00Z'\n",
    );
    let (offer, problems) = of(&[SERVICE, official, &own].concat());
    assert_eq!(problems, Vec::<String>::new());
    let service = &offer.services[0];
    assert_eq!((offer.services.len(), service.created), (1, 1_767_225_600));
    assert_eq!(
        service.labels,
        [("team".to_owned(), "pay".to_owned())].into()
    );
    assert_eq!(service.wan_policy.as_deref(), Some("low"));
    assert_eq!(service.http.as_ref().unwrap().rules.len(), 2);
}

#[test]
fn a_known_time_counts_beside_an_unknown_one() {
    let old = EXPORT.replace("{name", "{creationTimestamp: '1970-01-01T00:00:09Z', name");
    let own = EXPORT.replace("multicluster.x-k8s.io/v1beta1", "mc-wan.l7mp.io/v1alpha1");
    assert_eq!(of(&[SERVICE, &old, &own].concat()).0.services[0].created, 9);
    assert_eq!(of(&[SERVICE, &own].concat()).0.services[0].created, 0);
}

#[test]
fn the_policy_of_a_service_is_what_is_exported_then_what_the_metadata_says() {
    let metadata = |policy: &str| {
        format!("namespace: secure, annotations: {{mc-wan.l7mp.io/wan-policy: {policy}}}}}")
    };
    let official = EXPORT.replace("namespace: secure}", &metadata("official"));
    let exported = official.replace(
        "---\n",
        "spec: {exportedAnnotations: {mc-wan.l7mp.io/wan-policy: exported}}\n---\n",
    );
    let own = EXPORT
        .replace("multicluster.x-k8s.io/v1beta1", "mc-wan.l7mp.io/v1alpha1")
        .replace("namespace: secure}", &metadata("own"));
    for (text, policy) in [
        (own.clone(), Some("own")),
        (format!("{own}{official}"), Some("official")),
        (format!("{own}{exported}"), Some("exported")),
        (EXPORT.to_owned(), None),
        (official.replace("official", "''"), None),
    ] {
        assert_eq!(
            of(&format!("{SERVICE}{text}")).0.services[0]
                .wan_policy
                .as_deref(),
            policy,
            "{text}"
        );
    }
}

#[test]
fn ports_that_do_not_cross_the_wan_are_listed_and_told() {
    let service = SERVICE.replace("port: 9090", "port: 9090, protocol: UDP");
    let (offer, problems) = offer(&snapshot(&[&service, EXPORT].concat()));
    assert_eq!(offer.services[0].ports[1].protocol, "UDP");
    let [problem] = &problems[..] else {
        panic!("{problems:?}")
    };
    assert_eq!(
        (problem.reason.as_str(), problem.severity),
        ("UnsupportedProtocol", Severity::Warning)
    );
    assert_eq!(
        problem.message,
        "port 9090 is UDP, which does not cross the wan"
    );
}

#[test]
fn rules_without_policies_and_with_other_kinds_are_told() {
    let export = "apiVersion: mc-wan.l7mp.io/v1alpha1\nkind: ServiceExport\nmetadata: {name: payment, namespace: secure}\nspec:\n  http:\n    \
                  rules:\n    - backendRefs: []\n    - backendRefs: {kind: Service, name: a}\n    - backendRefs: [{name: a}, {group: x.y, name: b}]\n";
    let (offer, problems) = of(&[SERVICE, export].concat());
    assert_eq!(offer.services[0].http.as_ref().unwrap().rules.len(), 3);
    assert_eq!(
        problems,
        [
            "ServiceExport secure/payment [spec.http.rules[0].backendRefs] Valid/NoBackendRefs",
            "ServiceExport secure/payment [spec.http.rules[1].backendRefs] ResolvedRefs/InvalidKind",
            "ServiceExport secure/payment [spec.http.rules[2].backendRefs[1]] ResolvedRefs/InvalidKind",
        ]
    );
}

/// The exporting cluster finds it in its export, and again in the rules that it imports.
#[test]
fn a_mistake_that_render_finds_too_is_shown_once() {
    let export = "apiVersion: mc-wan.l7mp.io/v1alpha1\nkind: ServiceExport\nmetadata: {name: payment, namespace: secure}\nspec: {http: {rules: \
                  [{backendRefs: {kind: Service, name: a}}]}}\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: secure}\n";
    let clusters = [(
        "cluster-1".to_owned(),
        snapshot(&[SERVICE, export].concat()),
    )]
    .into();
    let outcome = crate::pipeline::run(
        "cluster-1",
        &clusters,
        &[],
        &crate::translate::Scope::default(),
    );
    let found = outcome
        .problems
        .iter()
        .filter(|p| p.reason == "InvalidKind")
        .count();
    assert_eq!(found, 1, "{:#?}", outcome.problems);
}

#[test]
fn headless_services_are_offered_as_such() {
    let service = SERVICE.replace(
        "spec: {",
        "spec: {clusterIP: None, ipFamilies: [IPv4], sessionAffinity: ClientIP, ",
    );
    let service = of(&[&service, EXPORT].concat()).0.services.remove(0);
    assert!(service.headless);
    assert_eq!(
        (service.ip_families, service.session_affinity.as_deref()),
        (vec!["IPv4".to_owned()], Some("ClientIP"))
    );
}

#[test]
fn a_headless_service_offers_its_ready_endpoints_with_their_host_names_and_target_ports() {
    let service = SERVICE.replace("spec: {", "spec: {clusterIP: None, ");
    let text = [
        &service,
        EXPORT,
        &slice(
            "a",
            "{name: http, port: 80}, {name: other, port: 1}",
            "{addresses: [10.0.0.2], hostname: web-1}, {addresses: [10.0.0.1], hostname: Not.Legal}, \
             {addresses: [10.0.0.3], conditions: {ready: false}}",
        ),
        &slice("b", "{name: http, port: 80}", "{addresses: [10.0.0.1]}"),
        &slice("c", "{name: http, port: 81}", "{addresses: ['fd00::1'], conditions: {ready: true}}"),
    ]
    .concat();
    let (offer, problems) = of(&text);
    assert_eq!(problems, Vec::<String>::new());
    let shown: Vec<_> = offer.services[0]
        .endpoints
        .iter()
        .map(|group| {
            let ports: Vec<_> = group
                .ports
                .iter()
                .map(|p| (p.name.as_str(), p.port))
                .collect();
            let endpoints: Vec<_> = group
                .endpoints
                .iter()
                .map(|e| format!("{} {}", e.address, e.hostname.as_deref().unwrap_or("-")))
                .collect();
            (ports, endpoints)
        })
        .collect();
    assert_eq!(
        shown,
        [
            (
                vec![("http", 80)],
                vec!["10.0.0.1 -".to_owned(), "10.0.0.2 web-1".to_owned()]
            ),
            (vec![("http", 81)], vec!["fd00::1 -".to_owned()]),
        ]
    );
    let clustered = of(&text.replace("clusterIP: None, ", ""));
    assert_eq!(clustered.0.services[0].endpoints, []);
}

#[test]
fn a_headless_service_offers_at_most_a_thousand_endpoints() {
    let service = SERVICE.replace("spec: {", "spec: {clusterIP: None, ");
    let many = |from: u32, count: u32| -> String {
        let one = |i: u32| format!("{{addresses: [10.0.{}.{}]}}", i / 250, i % 250);
        (from..from + count).map(one).collect::<Vec<_>>().join(", ")
    };
    let text = [
        &service,
        EXPORT,
        &slice("a", "{name: http, port: 80}", &many(0, 600)),
        &slice("b", "{name: http, port: 81}", &many(600, 500)),
    ]
    .concat();
    let (offer, problems) = of(&text);
    let counts: Vec<usize> = offer.services[0]
        .endpoints
        .iter()
        .map(|g| g.endpoints.len())
        .collect();
    assert_eq!(counts, [600, 400]);
    assert_eq!(
        problems,
        ["ServiceExport secure/payment [] Ready/TooManyEndpoints"]
    );
}

#[test]
fn node_port_and_load_balancer_services_are_offered_like_those_with_a_cluster_ip() {
    for kind in ["NodePort", "LoadBalancer"] {
        let service = SERVICE.replace(
            "spec: {",
            &format!("spec: {{type: {kind}, clusterIP: 10.96.0.9, "),
        );
        let (offer, problems) = of(&[&service, EXPORT].concat());
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(
            (offer.services.len(), offer.services[0].headless),
            (1, false)
        );
    }
}

#[test]
fn policies_are_offered_with_what_peers_must_agree_on() {
    let policy = "apiVersion: mc-wan.l7mp.io/v1alpha1\nkind: WANPolicy\nmetadata: {name: high}\n\
                  spec: {tunnel: business, port: 31111, dscp: EF, sla: {latency-ms: 40}}\n";
    let offered = of(policy).0.policies.remove(0);
    assert_eq!(offered.dscp, Some(46));
    assert_eq!(offered.sla.and_then(|s| s.latency_ms), Some(40));
    let plain = of(&policy.replace(", dscp: EF, sla: {latency-ms: 40}", ", sla: {}"));
    assert_eq!(
        (plain.0.policies[0].dscp, &plain.0.policies[0].sla),
        (None, &None)
    );
}

#[test]
fn gateway_addresses_are_those_of_the_spec_then_of_the_status() {
    let gateway = |spec: &str, status: &str| {
        format!(
            "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {{name: mc-wan-ingress, namespace: mc-wan}}\n\
             spec: {{addresses: [{spec}]}}\nstatus: {{addresses: [{status}]}}\n"
        )
    };
    for (spec, status, addresses) in [
        (
            "{value: 127.0.0.3}, {type: IPAddress, value: 127.0.0.2}, {value: 127.0.0.3}",
            "{value: 1.1.1.1}",
            &["127.0.0.2", "127.0.0.3"][..],
        ),
        (
            "{type: Hostname, value: a.b}",
            "{value: '::1'}, {type: Hostname, value: a.b}",
            &["::1"],
        ),
        ("{value: nonsense}", "", &[]),
    ] {
        let expected: Vec<IpAddr> = addresses.iter().map(|a| a.parse().unwrap()).collect();
        assert_eq!(of(&gateway(spec, status)).0.gateways, expected, "{spec}");
    }
}

#[test]
fn the_cluster_is_called_as_its_property_says() {
    let property = "apiVersion: about.k8s.io/v1beta1\nkind: ClusterProperty\nmetadata: {name: cluster.clusterset.k8s.io}\nspec: {value: VALUE}\n";
    assert_eq!(
        of(&property.replace("VALUE", "cluster-1")).1,
        Vec::<String>::new()
    );
    assert_eq!(
        of(&property.replace("VALUE", "other")).1,
        ["ClusterProperty cluster.clusterset.k8s.io [spec.value] Ready/ClusterIdMismatch"]
    );
    let (_, problems) = offer(&ClusterSnapshot::new("a.b"));
    assert_eq!(problems[0].reason, "InvalidClusterId");
}

#[test]
fn an_offer_is_read_back_from_its_json() {
    let text = [
        SERVICE,
        &sample("wanpolicy.yaml"),
        "\n---\n",
        &sample("serviceexport.yaml"),
    ]
    .concat();
    let offer = of(&text).0;
    let json = serde_json::to_string(&offer).unwrap();
    assert_eq!(serde_json::from_str::<PeerOffer>(&json).unwrap(), offer);
}
