//! Statements of the MCS API that the Required tests of the official suite do not check: traffic, slices, namespaces that come
//! and go, Services that do, rights.

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use mcwan_e2e::objects::Objects;
use mcwan_e2e::patience::{LONG, throughout, until};
use mcwan_e2e::site::grant;
use mcwan_lab::client::Call;
use serde_json::{Value, json};

use crate::space::{CONSISTENTLY, EXPORT, IMPORT, Space, is};
use crate::world::sharing;

pub(crate) fn trials() -> Vec<Trial> {
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
