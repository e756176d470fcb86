//! The statements that the Required tests of the official MCS conformance suite check; numbers: the order in which the suite
//! reports them.

use std::time::Duration;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use mcwan_e2e::patience::throughout;
use mcwan_lab::client::Call;
use serde_json::{Value, json};

use crate::space::{CONSISTENTLY, IMPORT, Space, ports};
use crate::world::sharing;

pub(crate) fn trials() -> Vec<Trial> {
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
