//! `mcwanctl` against real API servers: outputs and exit codes, and what is in the clusters afterwards.
//!
//! Each test is a script of commands; what they print is a golden file in `e2e/tests/goldens/`, without ages, dates and
//! addresses. `UPDATE=1` writes them anew.

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use mcwan_e2e::cluster::Cluster;
use mcwan_e2e::objects::Objects;
use serde_json::{Value, json};

use crate::shell::{Shell, run};
use crate::world::{cluster, trial};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("ctl::two_clusters_are_linked_and_parted", link),
        trial("ctl::a_link_is_refused_before_anything_is_written", refused),
        trial("ctl::a_service_is_exported_and_withdrawn", export),
    ]
}

const IDS: &str = "--cluster-a cluster-1 --cluster-b cluster-2";

/// The API servers of two clusters; nothing else runs.
async fn two(world: &str) -> Result<[Cluster; 2]> {
    let (one, two) = tokio::join!(cluster(world, "cluster-1"), cluster(world, "cluster-2"));
    Ok([one?, two?])
}

async fn link() -> Result<()> {
    let [one, mut two] = Box::pin(two("ctl-link")).await?;
    let mut shell = Shell::new("link", &[("west", &one), ("east", &two)])?;
    run!(shell, "status --context west --context east");
    run!(shell, "link west east {IDS} --print --only west");
    run!(shell, "link west east {IDS}");
    let before = kubeconfig(&two).await?;
    let reader = Objects::with(&before).await?;
    run!(shell, "link west east {IDS}");
    let after = kubeconfig(&two).await?;
    ensure!(before == after, "a second run changes the credential");
    run!(shell, "link west east {IDS} --wait 1");
    run!(shell, "status --context west --context east");
    only_the_outbox(&reader).await?;

    two.stop_server().await?;
    run!(shell, "status --context east");
    run!(shell, "unlink west east {IDS}");
    two.start_server().await?;
    run!(shell, "unlink west east {IDS}");
    let error = reader
        .list("mc-wan.l7mp.io/v1alpha1/PublishedCluster", "mc-wan", "")
        .await;
    ensure!(error.is_err(), "a reader that was parted from still reads");
    shell.finish()
}

/// The credential that `link` gave cluster-2 for cluster-1.
async fn kubeconfig(two: &Cluster) -> Result<String> {
    let secret = two
        .objects()
        .get("v1/Secret", "mc-wan", "mc-wan-peer-cluster-1")
        .await?;
    let encoded = secret.pointer("/data/kubeconfig").and_then(Value::as_str);
    let decoded = serde_json::from_value::<k8s_openapi::ByteString>(json!(encoded))?;
    String::from_utf8(decoded.0).context("a kubeconfig is text")
}

/// A reader may read what its Role says, and nothing beside it.
async fn only_the_outbox(reader: &Objects) -> Result<()> {
    for kind in ["PublishedCluster", "PublishedService"] {
        let kind = format!("mc-wan.l7mp.io/v1alpha1/{kind}");
        reader.list(&kind, "mc-wan", "").await?;
        let elsewhere = reader.list(&kind, "default", "").await;
        ensure!(
            elsewhere.is_err(),
            "{kind} is readable in another namespace"
        );
    }
    for (kind, namespace) in [
        ("v1/Secret", "mc-wan"),
        ("v1/Service", "mc-wan"),
        ("coordination.k8s.io/v1/Lease", "mc-wan"),
        ("mc-wan.l7mp.io/v1alpha1/ClusterPeer", ""),
    ] {
        let listed = reader.list(kind, namespace, "").await;
        ensure!(listed.is_err(), "a peer reads {kind}");
    }
    let written = reader.create_namespace("intruder").await;
    ensure!(written.is_err(), "a peer writes");
    Ok(())
}

async fn refused() -> Result<()> {
    let [one, two] = Box::pin(two("ctl-refused")).await?;
    let mut shell = Shell::new(
        "refused",
        &[("west", &one), ("east", &two), ("again", &one)],
    )?;
    run!(shell, "link west nowhere");
    run!(shell, "link west east");
    run!(shell, "link west again {IDS}");
    run!(shell, "link west east --cluster-a same --cluster-b same");
    run!(shell, "link west east --cluster-a West --cluster-b east");
    run!(shell, "link west east {IDS} --server-a http://10.0.0.1");
    let other = format!("https://{}", two.api_address());
    run!(shell, "link west east {IDS} --server-a {other}");
    let account = json!({
        "apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": "mc-wan-peer-cluster-2", "namespace": "mc-wan"},
    });
    one.objects().create_namespace("mc-wan").await?;
    one.objects().apply(&account.to_string()).await?;
    run!(shell, "link west east {IDS}");
    let absent = [
        (
            &one,
            "rbac.authorization.k8s.io/v1/Role",
            "mc-wan",
            "mc-wan-outbox-reader",
        ),
        (&one, "mc-wan.l7mp.io/v1alpha1/ClusterPeer", "", "cluster-2"),
        (&two, "v1/Namespace", "", "mc-wan"),
        (&two, "mc-wan.l7mp.io/v1alpha1/ClusterPeer", "", "cluster-1"),
    ];
    for (cluster, kind, namespace, name) in absent {
        let found = cluster.objects().find(kind, namespace, name).await?;
        ensure!(found.is_none(), "{kind} {name} was written");
    }
    shell.finish()
}

async fn export() -> Result<()> {
    let one = cluster("ctl-export", "cluster-1").await?;
    let objects = one.objects();
    let mut shell = Shell::new("export", &[("west", &one)])?;
    run!(shell, "export secure/payment");
    objects.create_namespace("secure").await?;
    run!(shell, "export secure/payment");
    let service = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "payment", "namespace": "secure"},
        "spec": {"ports": [{"port": 8080}]},
    });
    objects.apply(&service.to_string()).await?;
    run!(shell, "export secure/payment --wan-policy business");
    let policy = json!({
        "apiVersion": "mc-wan.l7mp.io/v1alpha1", "kind": "WANPolicy",
        "metadata": {"name": "business"}, "spec": {"tunnel": "business", "port": 31111},
    });
    objects.apply(&policy.to_string()).await?;
    run!(shell, "export secure/payment --wan-policy bussiness");
    run!(shell, "export secure/payment --wan-policy business");
    run!(shell, "export secure/payment --wan-policy business");
    let kind = "multicluster.x-k8s.io/v1beta1/ServiceExport";
    let export = objects.get(kind, "secure", "payment").await?;
    let annotation = export.pointer("/spec/exportedAnnotations/mc-wan.l7mp.io~1wan-policy");
    ensure!(annotation == Some(&json!("business")), "{export}");
    run!(
        shell,
        "export secure/payment --wan-policy business --wait 1"
    );
    run!(shell, "export secure/payment --wait 1 -o json");
    run!(shell, "status");
    let rules = json!({
        "apiVersion": "mc-wan.l7mp.io/v1alpha1", "kind": "ServiceExport",
        "metadata": {"name": "payment", "namespace": "secure"}, "spec": {},
    });
    objects.apply(&rules.to_string()).await?;
    run!(shell, "unexport secure/payment");
    run!(shell, "unexport secure/payment --rules");
    run!(shell, "unexport secure/payment -o json");
    objects.absent(kind, "secure", "payment").await?;
    objects
        .absent("mc-wan.l7mp.io/v1alpha1/ServiceExport", "secure", "payment")
        .await?;
    shell.finish()
}
