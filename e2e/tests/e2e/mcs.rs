//! The statements that the Required tests of the official MCS conformance suite check (numbers: the order in which the suite
//! reports them), and those that it does not cover.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use mcwan_e2e::objects::Objects;
use mcwan_e2e::patience::{LONG, throughout, until};
use mcwan_e2e::site::grant;
use mcwan_lab::client::Call;
use serde_json::{Value, json};

use crate::space::{EXPORT, IMPORT, Space, is, ports};
use crate::world::sharing;

/// As long as the suite looks for what must stay.
const CONSISTENTLY: Duration = Duration::from_secs(5);

pub(crate) fn trials() -> Vec<Trial> {
    let mut all = required();
    all.extend(not_covered());
    all
}

fn required() -> Vec<Trial> {
    vec![
        sharing(
            "mcs::01_an_import_exists_as_long_as_a_cluster_exports",
            lifetime,
        ),
        sharing(
            "mcs::02_03_only_exported_labels_travel_and_the_oldest_map_wins",
            labels,
        ),
        sharing(
            "mcs::04_a_cluster_ip_service_becomes_a_cluster_set_ip_import_everywhere_until_unexported",
            cluster_ip,
        ),
        sharing(
            "mcs::05_06_07_sessions_and_traffic_policies_match_the_service",
            settings,
        ),
        sharing("mcs::08_an_ip_of_each_family_is_allocated", addresses),
        sharing(
            "mcs::09_the_ports_match_the_service_udp_included",
            same_ports,
        ),
        sharing(
            "mcs::10_ports_of_two_clusters_are_united_and_the_conflict_is_told_on_both",
            union,
        ),
        sharing(
            "mcs::11_of_conflicting_ports_the_oldest_win",
            conflicting_ports,
        ),
        sharing(
            "mcs::12_13_a_headless_service_becomes_a_headless_import_without_ips",
            headless,
        ),
        sharing(
            "mcs::14_an_external_name_service_is_not_valid_and_not_imported",
            external_name,
        ),
        sharing(
            "mcs::15_of_conflicting_types_the_oldest_wins",
            headless_conflict,
        ),
        sharing(
            "mcs::16_a_service_that_is_not_exported_is_not_reachable",
            not_exported,
        ),
    ]
}

fn not_covered() -> Vec<Trial> {
    vec![
        sharing(
            "mcs::18_only_the_exporting_cluster_answers",
            only_the_exporter,
        ),
        sharing(
            "mcs::21_slices_have_both_labels_and_go_with_the_export",
            slices,
        ),
        sharing(
            "mcs::no_import_where_there_is_no_namespace_until_it_comes",
            namespace_later,
        ),
        sharing(
            "mcs::a_namespace_that_comes_again_gets_its_import_again",
            namespace_again,
        ),
        sharing(
            "mcs::a_service_that_goes_and_comes_under_its_export_is_withdrawn_and_back",
            service_again,
        ),
        sharing(
            "mcs::node_port_and_load_balancer_services_become_cluster_set_ip",
            other_types,
        ),
        sharing("mcs::the_import_lists_the_clusters_that_export", clusters),
        sharing(
            "mcs::an_import_of_another_implementation_is_left_alone",
            foreign_import,
        ),
        sharing("mcs::a_peer_may_read_the_outbox_and_nothing_else", rights),
        sharing("mcs::both_versions_of_the_api_are_served_alike", versions),
    ]
}

async fn lifetime() -> Result<()> {
    let space = Space::new().await?;
    space.exported(json!({})).await?;
    space.exported_later(json!({})).await?;
    space
        .export_says(space.two, ("Valid", "True"), &["Valid"])
        .await?;
    stays(&space).await?;
    space.unexport(space.one).await?;
    stays(&space).await?;
    space.unexport(space.two).await?;
    for site in space.both() {
        space.no_import(site).await?;
    }
    Ok(())
}

/// The import is there all the time, in both clusters.
async fn stays(space: &Space) -> Result<()> {
    throughout(CONSISTENTLY, "both imports are there", async || {
        for site in space.both() {
            site.cluster
                .objects()
                .get(IMPORT, &space.name, "hello")
                .await?;
        }
        Ok(())
    })
    .await
}

async fn labels() -> Result<()> {
    let space = Space::new().await?;
    let first =
        json!({"exportedLabels": {"who": "first"}, "exportedAnnotations": {"who": "first"}});
    let second =
        json!({"exportedLabels": {"who": "second"}, "exportedAnnotations": {"other": "second"}});
    space.service(space.one, json!({})).await?;
    space.export(space.one, first).await?;
    let has_first = |import: &Value| {
        let map = |path: &str| import.pointer(path).cloned().unwrap_or_default();
        let (labels, annotations) = (map("/metadata/labels"), map("/metadata/annotations"));
        labels["who"] == "first"
            && annotations["who"] == "first"
            && annotations.get("other").is_none()
            && labels.get("of-the-service").is_none()
            && annotations.get("of-the-service").is_none()
    };
    for site in space.both() {
        space
            .import_with(site, "it has the exported labels only", has_first)
            .await?;
    }
    tokio::time::sleep(Duration::from_millis(1100)).await;
    space.service(space.two, json!({})).await?;
    space.export(space.two, second).await?;
    for site in space.both() {
        let reasons = ["LabelsConflict", "AnnotationsConflict"];
        space
            .export_says(site, ("Conflict", "True"), &reasons)
            .await?;
        space
            .import_with(site, "it has the first cluster's labels", has_first)
            .await?;
    }
    Ok(())
}

async fn cluster_ip() -> Result<()> {
    let space = Space::new().await?;
    space.exported(json!({})).await?;
    space
        .export_says(space.one, ("Valid", "True"), &["Valid"])
        .await?;
    space
        .export_says(space.one, ("Ready", "True"), &["Ready", "Exported"])
        .await?;
    for site in space.both() {
        space
            .import_with(site, "type ClusterSetIP", |i| {
                i["spec"]["type"] == "ClusterSetIP"
            })
            .await?;
    }
    space.unexport(space.one).await?;
    for site in space.both() {
        space.no_import(site).await?;
    }
    Ok(())
}

async fn settings() -> Result<()> {
    let space = Space::new().await?;
    let spec = json!({"internalTrafficPolicy": "Cluster", "trafficDistribution": "PreferClose"});
    let service = space.exported(spec).await?;
    for site in space.both() {
        let import = space.import(site).await?;
        for field in [
            "sessionAffinity",
            "sessionAffinityConfig",
            "internalTrafficPolicy",
            "trafficDistribution",
        ] {
            let (is, should) = (&import["spec"][field], &service["spec"][field]);
            ensure!(
                !should.is_null() && is == should,
                "{field} is {is}, not {should}"
            );
        }
    }
    Ok(())
}

async fn addresses() -> Result<()> {
    let space = Space::new().await?;
    let service = space.exported(json!({})).await?;
    ensure!(
        service["spec"]["ipFamilies"] == json!(["IPv4", "IPv6"]),
        "not dual-stack: {service}"
    );
    for site in space.both() {
        let allocated = |import: &Value| {
            let list = |field: &str| {
                import["spec"][field]
                    .as_array()
                    .cloned()
                    .unwrap_or_default()
            };
            let (ips, families) = (list("ips"), list("ipFamilies"));
            let family = |ip: &Value| match ip.as_str().and_then(|ip| ip.parse().ok()) {
                Some(std::net::IpAddr::V4(_)) => json!("IPv4"),
                Some(std::net::IpAddr::V6(_)) => json!("IPv6"),
                None => Value::Null,
            };
            !ips.is_empty() && ips.iter().map(family).collect::<Vec<_>>() == families
        };
        space
            .import_with(site, "an ip of each family, in order", allocated)
            .await?;
    }
    Ok(())
}

async fn same_ports() -> Result<()> {
    let space = Space::new().await?;
    let service = space.exported(json!({})).await?;
    ensure!(ports(&service).len() == 2, "{service}");
    for site in space.both() {
        space
            .import_with(site, "the service's ports", |i| ports(i) == ports(&service))
            .await?;
    }
    Ok(())
}

async fn union() -> Result<()> {
    let space = Space::new().await?;
    let first = space.exported(json!({})).await?;
    let second = json!({"ports": [
        {"name": "tcp", "port": 42, "protocol": "TCP"},
        {"name": "stcp", "port": 142, "protocol": "SCTP"},
    ]});
    space.exported_later(second).await?;
    space.conflict("PortConflict").await?;
    let mut expected = ports(&first);
    expected.push(json!(["stcp", "SCTP", 142, null]));
    expected.sort_by_key(ToString::to_string);
    for site in space.both() {
        space
            .import_with(site, "the union of the ports", |i| ports(i) == expected)
            .await?;
    }
    Ok(())
}

async fn conflicting_ports() -> Result<()> {
    let space = Space::new().await?;
    let first = space.exported(json!({})).await?;
    let second = json!({"ports": [
        {"name": "tcp", "port": 43, "protocol": "TCP"},
        {"name": "udp", "port": 42, "protocol": "UDP"},
    ]});
    space.exported_later(second).await?;
    space.conflict("PortConflict").await?;
    for site in space.both() {
        space
            .import_with(site, "the first cluster's ports", |i| {
                ports(i) == ports(&first)
            })
            .await?;
    }
    Ok(())
}

/// What makes the service headless. `ClientIP` affinity needs an address.
fn without_ip() -> Value {
    json!({"clusterIP": "None", "sessionAffinity": null, "sessionAffinityConfig": null})
}

async fn headless() -> Result<()> {
    let space = Space::new().await?;
    space.exported(without_ip()).await?;
    for site in space.both() {
        space
            .import_with(site, "type Headless", |i| i["spec"]["type"] == "Headless")
            .await?;
    }
    throughout(CONSISTENTLY, "no ips", async || {
        for site in space.both() {
            let import = site
                .cluster
                .objects()
                .get(IMPORT, &space.name, "hello")
                .await?;
            let ips = import["spec"]["ips"].as_array().map_or(0, Vec::len);
            ensure!(ips == 0, "{import}");
        }
        Ok(())
    })
    .await?;
    space.unexport(space.one).await?;
    for site in space.both() {
        space.no_import(site).await?;
    }
    Ok(())
}

async fn external_name() -> Result<()> {
    let space = Space::new().await?;
    let spec = json!({
        "type": "ExternalName", "externalName": "example.com", "selector": null, "ipFamilyPolicy": null,
        "sessionAffinity": null, "sessionAffinityConfig": null,
    });
    space.service(space.one, spec).await?;
    space.export(space.one, json!({})).await?;
    space
        .export_says(space.one, ("Valid", "False"), &["InvalidServiceType"])
        .await?;
    throughout(CONSISTENTLY, "no import", async || {
        for site in space.both() {
            site.cluster
                .objects()
                .absent(IMPORT, &space.name, "hello")
                .await?;
        }
        Ok(())
    })
    .await
}

async fn headless_conflict() -> Result<()> {
    let space = Space::new().await?;
    let plain = json!({"sessionAffinity": null, "sessionAffinityConfig": null});
    space.exported(plain).await?;
    space.exported_later(without_ip()).await?;
    space.conflict("TypeConflict").await?;
    for site in space.both() {
        space
            .import_with(site, "type ClusterSetIP", |i| {
                i["spec"]["type"] == "ClusterSetIP"
            })
            .await?;
    }
    Ok(())
}

async fn not_exported() -> Result<()> {
    let space = Space::new().await?;
    space.service(space.one, json!({})).await?;
    space.one.replicas(&space.name, "hello", 1).await?;
    throughout(CONSISTENTLY, "not reachable", async || {
        for site in space.both() {
            let answer = site.call(&Call::get(&space.host(), "/")).await?;
            ensure!(
                !answer.status.is_success(),
                "{}: {}",
                answer.status,
                answer.text()
            );
            site.cluster
                .objects()
                .absent(IMPORT, &space.name, "hello")
                .await?;
        }
        Ok(())
    })
    .await
}

/// The same HTTP service in a cluster, with a replica of its own.
async fn http_service(space: &Space, site: &mcwan_e2e::site::Site) -> Result<()> {
    let spec = json!({
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
        "sessionAffinity": null, "sessionAffinityConfig": null,
    });
    space.service(site, spec).await?;
    site.replicas(&space.name, "hello", 1).await
}

/// An export whose requests all take one policy.
fn with_policy() -> Value {
    json!({"exportedAnnotations": {"mc-wan.l7mp.io/wan-policy": "sd-wan-priority-high"}})
}

async fn only_the_exporter() -> Result<()> {
    let space = Space::new().await?;
    for site in space.both() {
        http_service(&space, site).await?;
    }
    space.export(space.one, with_policy()).await?;
    let call = Call::get(&space.host(), "/");
    for site in space.both() {
        site.until_answers(&call, 200).await?;
        for _ in 0..10 {
            let answer = site.call(&call).await?;
            let replica = answer.json()["replica"].as_str().map(str::to_owned);
            let replica =
                replica.with_context(|| format!("{}: {}", answer.status, answer.text()))?;
            ensure!(replica.starts_with("cluster-1-"), "{replica} answers");
        }
    }
    Ok(())
}

async fn slices() -> Result<()> {
    const LABEL: &str = "multicluster.kubernetes.io/service-name=hello,multicluster.kubernetes.io/source-cluster=cluster-1";
    let space = Space::new().await?;
    http_service(&space, space.one).await?;
    space.export(space.one, with_policy()).await?;
    for site in space.both() {
        until(
            LONG,
            "a slice with both labels and an endpoint",
            async || {
                let slices = site
                    .cluster
                    .objects()
                    .list("discovery.k8s.io/v1/EndpointSlice", &space.name, LABEL)
                    .await?;
                let slice = slices.first().context("none")?;
                let by = &slice["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"];
                ensure!(
                    by.is_string() && by != "endpointslice-controller.k8s.io",
                    "managed by {by}"
                );
                let endpoints = slice["endpoints"].as_array().map_or(0, Vec::len);
                ensure!(endpoints > 0, "{slice}");
                Ok(())
            },
        )
        .await?;
        space
            .import_with(site, "it says that slices are there", |i| {
                i["status"]["endpointSliceObjects"] == "Present"
            })
            .await?;
    }
    space.unexport(space.one).await?;
    for site in space.both() {
        until(LONG, "no slices", async || {
            let slices = site
                .cluster
                .objects()
                .list("discovery.k8s.io/v1/EndpointSlice", &space.name, LABEL)
                .await?;
            ensure!(slices.is_empty(), "{slices:?}");
            Ok(())
        })
        .await?;
    }
    Ok(())
}

async fn namespace_later() -> Result<()> {
    let space = Space::absent().await?;
    space
        .one
        .cluster
        .objects()
        .create_namespace(&space.name)
        .await?;
    space.service(space.one, json!({})).await?;
    space.export(space.one, json!({})).await?;
    space.import(space.one).await?;
    throughout(CONSISTENTLY, "no namespace, no import", async || {
        space
            .two
            .cluster
            .objects()
            .absent("v1/Namespace", "", &space.name)
            .await
    })
    .await?;
    space
        .two
        .cluster
        .objects()
        .create_namespace(&space.name)
        .await?;
    space.import(space.two).await.map(drop)
}

async fn namespace_again() -> Result<()> {
    let space = Space::new().await?;
    space.exported(json!({})).await?;
    let before = space.import(space.two).await?;
    space
        .two
        .cluster
        .objects()
        .delete_namespace(&space.name)
        .await?;
    until(LONG, "the namespace is gone", async || {
        space
            .two
            .cluster
            .objects()
            .absent("v1/Namespace", "", &space.name)
            .await
    })
    .await?;
    space.import(space.one).await?;
    space
        .two
        .cluster
        .objects()
        .create_namespace(&space.name)
        .await?;
    let fresh = |import: &Value| import["metadata"]["uid"] != before["metadata"]["uid"];
    space
        .import_with(space.two, "it is a new one", fresh)
        .await
        .map(drop)
}

async fn service_again() -> Result<()> {
    let space = Space::new().await?;
    space.exported(json!({})).await?;
    space
        .one
        .cluster
        .objects()
        .delete("v1/Service", &space.name, "hello")
        .await?;
    space
        .export_says(space.one, ("Valid", "False"), &["NoService"])
        .await?;
    for site in space.both() {
        space.no_import(site).await?;
    }
    space.service(space.one, json!({})).await?;
    space
        .export_says(space.one, ("Valid", "True"), &["Valid"])
        .await?;
    for site in space.both() {
        space.import(site).await?;
    }
    Ok(())
}

async fn other_types() -> Result<()> {
    for kind in ["NodePort", "LoadBalancer"] {
        let space = Space::new().await?;
        space
            .exported(
                json!({"type": kind, "ports": [{"name": "tcp", "port": 42, "protocol": "TCP"}]}),
            )
            .await?;
        space
            .export_says(space.one, ("Valid", "True"), &["Valid"])
            .await?;
        for site in space.both() {
            space
                .import_with(site, "type ClusterSetIP", |i| {
                    i["spec"]["type"] == "ClusterSetIP"
                })
                .await?;
        }
    }
    Ok(())
}

async fn clusters() -> Result<()> {
    let space = Space::new().await?;
    space.exported(json!({})).await?;
    let exporting = |names: &'static [&'static str]| {
        move |import: &Value| {
            let list = import["status"]["clusters"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            let mut found: Vec<&str> = list.iter().filter_map(|c| c["cluster"].as_str()).collect();
            found.sort_unstable();
            found == names
        }
    };
    for site in space.both() {
        space
            .import_with(site, "cluster-1 exports", exporting(&["cluster-1"]))
            .await?;
    }
    space.exported_later(json!({})).await?;
    for site in space.both() {
        space
            .import_with(site, "both export", exporting(&["cluster-1", "cluster-2"]))
            .await?;
    }
    space.unexport(space.one).await?;
    for site in space.both() {
        space
            .import_with(site, "cluster-2 exports", exporting(&["cluster-2"]))
            .await?;
    }
    Ok(())
}

async fn foreign_import() -> Result<()> {
    let space = Space::new().await?;
    let foreign = json!({
        "apiVersion": "multicluster.x-k8s.io/v1beta1", "kind": "ServiceImport",
        "metadata": {"name": "hello", "namespace": space.name, "labels": {"app.kubernetes.io/managed-by": "another"}},
        "spec": {"type": "ClusterSetIP", "ips": ["192.0.2.7"], "ports": [{"port": 7, "protocol": "TCP"}]},
    });
    space.two.cluster.objects().create(foreign).await?;
    space.service(space.one, json!({})).await?;
    space.export(space.one, json!({})).await?;
    space.import(space.one).await?;
    until(LONG, "the controller names it in a problem", async || {
        let problems = space
            .two
            .page(space.two.controller_admin(), "/debug/problems")
            .await?;
        ensure!(problems.contains(&space.name), "{problems}");
        Ok(())
    })
    .await?;
    let import = space
        .two
        .cluster
        .objects()
        .get(IMPORT, &space.name, "hello")
        .await?;
    ensure!(import["spec"]["ips"] == json!(["192.0.2.7"]), "{import}");
    Ok(())
}

async fn rights() -> Result<()> {
    let [one, _] = crate::world::shared().await?;
    let token = grant(&one.cluster, "reader-of-the-test").await?;
    let reader = Objects::with(&one.cluster.kubeconfig_of(&token)?).await?;
    let own = "mc-wan.l7mp.io/v1alpha1";
    for kind in ["PublishedService", "PublishedCluster"] {
        reader.list(&format!("{own}/{kind}"), "mc-wan", "").await?;
    }
    reader
        .get("coordination.k8s.io/v1/Lease", "mc-wan", "mcwan-controller")
        .await?;
    let forbidden = [
        "v1/Secret",
        "v1/ConfigMap",
        "v1/Service",
        "discovery.k8s.io/v1/EndpointSlice",
        "coordination.k8s.io/v1/Lease",
        EXPORT,
    ];
    for kind in forbidden {
        let read = reader.list(kind, "mc-wan", "").await;
        let error = read.err().with_context(|| format!("a peer lists {kind}"))?;
        ensure!(
            format!("{error:#}").contains("forbidden"),
            "{kind}: {error:#}"
        );
    }
    let written = reader
        .delete(&format!("{own}/PublishedCluster"), "mc-wan", "cluster-1")
        .await;
    let error = written.err().context("a peer deletes")?;
    ensure!(format!("{error:#}").contains("forbidden"), "{error:#}");
    Ok(())
}

async fn versions() -> Result<()> {
    let space = Space::new().await?;
    space.service(space.one, json!({})).await?;
    let export = json!({
        "apiVersion": "multicluster.x-k8s.io/v1alpha1", "kind": "ServiceExport",
        "metadata": {"name": "hello", "namespace": space.name},
    });
    space.one.cluster.objects().create(export).await?;
    space
        .export_says(space.one, ("Valid", "True"), &["Valid"])
        .await?;
    for site in space.both() {
        space.import(site).await?;
        let old = "multicluster.x-k8s.io/v1alpha1/ServiceImport";
        let import = site
            .cluster
            .objects()
            .get(old, &space.name, "hello")
            .await?;
        ensure!(
            import["spec"]["type"] == "ClusterSetIP" && !is(&import, "Ready", "False"),
            "{import}"
        );
    }
    Ok(())
}
