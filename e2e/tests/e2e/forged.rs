//! A peer that publishes what no controller would: nothing of it is taken, and it is named.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::jiff::Timestamp;
use libtest_mimic::Trial;
use mcwan_e2e::cluster::Cluster;
use mcwan_e2e::patience::{LONG, until};
use mcwan_e2e::site::{Site, grant};
use serde_json::{Value, json};

use crate::space::IMPORT;
use crate::world::{cluster, site, trial};

const PEER: &str = "mc-wan.l7mp.io/v1alpha1/ClusterPeer";

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial(
        "forged::what_a_peer_may_not_say_changes_nothing_and_is_named",
        forged,
    )]
}

/// Addresses that a peer may not name, beside one that it may.
const GATEWAYS: [&str; 4] = ["198.51.100.7", "127.0.0.1", "169.254.169.254", "224.0.0.1"];

async fn forged() -> Result<()> {
    let (victim, mallory) = tokio::join!(site("forged", "cluster-1"), cluster("forged", "mallory"));
    let (mut victim, mallory) = (victim?, mallory?);
    for namespace in ["good", "secure"] {
        victim.cluster.objects().create_namespace(namespace).await?;
    }
    let before = system(&victim).await?;
    mallory.objects().create_namespace("mc-wan").await?;
    outbox(&mallory).await?;
    let token = grant(&mallory, "cluster-1").await?;
    victim.follow(&mallory, &token).await?;
    victim.start_controller().await?;

    // What is in order is taken: the rest is not refused for another reason.
    let import = alive(&mallory, "the good service is imported", async || {
        victim.cluster.objects().get(IMPORT, "good", "ok").await
    })
    .await?;
    let annotations = import["metadata"]["annotations"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    ensure!(annotations.get("note") == Some(&json!("fine")), "{import}");
    ensure!(
        annotations
            .keys()
            .all(|k| !k.contains("kubernetes.io/load")),
        "{import}"
    );
    refused(&victim, &mallory).await?;

    ensure!(
        system(&victim).await? == before,
        "something changed in kube-system"
    );
    victim
        .cluster
        .objects()
        .absent(IMPORT, "secure", "stolen")
        .await?;
    victim
        .cluster
        .objects()
        .absent(IMPORT, "secure", "payment")
        .await?;
    for slice in victim
        .cluster
        .objects()
        .list("discovery.k8s.io/v1/EndpointSlice", "", "")
        .await?
    {
        let text = slice.to_string();
        let forbidden = GATEWAYS
            .iter()
            .skip(1)
            .find(|a| text.contains(&format!("\"{a}\"")));
        ensure!(forbidden.is_none(), "{slice}");
    }
    Ok(())
}

/// The condition of the peer and the metric name each refusal.
async fn refused(victim: &Site, mallory: &Cluster) -> Result<()> {
    const REASONS: [&str; 5] = [
        "ForbiddenNamespace",
        "ForbiddenAddress",
        "ClusterIdMismatch",
        "ForbiddenKey",
        "NameMismatch",
    ];
    alive(mallory, "each refusal is counted", async || {
        let metrics = victim.page(victim.controller_admin(), "/metrics").await?;
        for reason in REASONS {
            let counted = metrics.lines().any(|l| {
                l.starts_with("mcwan_peer_rejected_total") && l.contains(&format!("\"{reason}\""))
            });
            ensure!(counted, "{reason} is not counted:\n{metrics}");
        }
        Ok(())
    })
    .await?;
    alive(mallory, "the condition names a refusal", async || {
        let peer = victim.cluster.objects().get(PEER, "", "mallory").await?;
        let text = peer["status"]["conditions"].to_string();
        let named =
            REASONS.iter().any(|reason| text.contains(reason)) || text.contains("kube-system");
        ensure!(named, "{text}");
        Ok(())
    })
    .await
}

/// Waits while the peer's controller seems to be alive: its Lease is renewed.
async fn alive<T>(
    mallory: &Cluster,
    what: &str,
    mut attempt: impl AsyncFnMut() -> Result<T>,
) -> Result<T> {
    until(LONG, what, async || {
        renew(mallory).await?;
        tokio::time::sleep(Duration::from_millis(500)).await;
        attempt().await
    })
    .await
}

async fn renew(mallory: &Cluster) -> Result<()> {
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": "mcwan-controller", "namespace": "mc-wan"},
        "spec": {
            "holderIdentity": "mallory", "leaseDurationSeconds": 15,
            "renewTime": format!("{:.6}", Timestamp::now()),
        },
    });
    mallory.objects().apply(&lease.to_string()).await
}

/// Names of everything in kube-system.
async fn system(victim: &Site) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for kind in ["v1/Service", "discovery.k8s.io/v1/EndpointSlice", IMPORT] {
        for object in victim
            .cluster
            .objects()
            .list(kind, "kube-system", "")
            .await?
        {
            names.push(
                object["metadata"]["name"]
                    .as_str()
                    .context("no name")?
                    .to_owned(),
            );
        }
    }
    Ok(names)
}

/// Writes mallory's outbox: one service in order, and what must be refused.
async fn outbox(mallory: &Cluster) -> Result<()> {
    let services = [
        published(
            "good.ok",
            "mallory",
            ("good", "ok"),
            &json!({"note": "fine", "service.kubernetes.io/load-balancer": "mine"}),
        ),
        published(
            "kube-system.dns",
            "mallory",
            ("kube-system", "dns"),
            &json!({}),
        ),
        published(
            "secure.stolen",
            "cluster-1",
            ("secure", "stolen"),
            &json!({}),
        ),
        published("secure.payment", "mallory", ("good", "ok"), &json!({})),
    ];
    for service in &services {
        mallory.objects().apply(&service.to_string()).await?;
    }
    let cluster = json!({
        "apiVersion": "mc-wan.l7mp.io/v1alpha1", "kind": "PublishedCluster",
        "metadata": {"name": "mallory", "namespace": "mc-wan"},
        "spec": {
            "cluster": "mallory", "clusterSet": "e2e", "gateways": GATEWAYS, "synced": true, "services": services.len(),
            "policies": [
                {"name": "sd-wan-priority-high", "tunnel": "business", "port": 31111},
                {"name": "sd-wan-priority-low", "tunnel": "default", "port": 31112},
            ],
        },
    });
    mallory.objects().apply(&cluster.to_string()).await
}

fn published(
    name: &str,
    cluster: &str,
    (namespace, service): (&str, &str),
    annotations: &Value,
) -> Value {
    json!({
        "apiVersion": "mc-wan.l7mp.io/v1alpha1", "kind": "PublishedService",
        "metadata": {"name": name, "namespace": "mc-wan"},
        "spec": {"cluster": cluster, "service": {
            "name": service, "namespace": namespace, "labels": {}, "annotations": annotations, "created": 1,
            "headless": false, "ipFamilies": ["IPv4"], "wanPolicy": "sd-wan-priority-high",
            "ports": [{"name": "http", "port": 8080, "protocol": "TCP", "readyEndpoints": 1}],
        }},
    })
}
