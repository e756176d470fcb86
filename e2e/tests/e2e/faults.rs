//! Faults under traffic: 200 requests a second through real gateways, and none may fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use mcwan_e2e::patience::{LONG, until};
use mcwan_e2e::site::{Site, condition, grant, slice};
use mcwan_lab::client::{Call, Client};
use mcwan_lab::load::{self, Load};
use serde_json::json;
use tokio::sync::Mutex;
use tokio::time::sleep;

use crate::world::{pair, trial};

const HOST: &str = "payment.secure.svc.clusterset.local";
const PEER: (&str, &str, &str) = ("mc-wan.l7mp.io/v1alpha1/ClusterPeer", "", "cluster-1");
const RATE: u32 = 200;
/// How long an API server is away.
const AWAY: Duration = Duration::from_secs(60);

/// The pairs that faults are tried on, one fault after the other: cluster-2 calls a service of cluster-1.
static WORLDS: [Mutex<Option<[Site; 2]>>; 2] = [Mutex::const_new(None), Mutex::const_new(None)];

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("faults::the_own_api_server_is_away_for_a_minute", || {
            fault(0, own_server)
        }),
        trial(
            "faults::the_peers_api_server_is_away_for_a_minute_and_the_controller_starts_meanwhile",
            || fault(1, peers_server),
        ),
        trial("faults::the_controller_is_killed_and_starts_again", || {
            fault(0, controller)
        }),
        trial("faults::a_kubeconfig_secret_is_corrupt", || {
            fault(1, corrupt_secret)
        }),
        trial("faults::a_peer_that_is_not_synced_lists_nothing", || {
            fault(0, empty_list)
        }),
        trial("faults::a_token_expires", || fault(1, expired_token)),
    ]
}

/// Runs a fault under traffic, then sees to it that changes arrive again.
async fn fault(world: usize, body: impl AsyncFnOnce(&mut [Site; 2]) -> Result<()>) -> Result<()> {
    let mut guard = WORLDS.get(world).context("no such world")?.lock().await;
    if guard.is_none() {
        *guard = Some(Box::pin(begin(&format!("faults-{world}"))).await?);
    }
    let sites = guard.as_mut().context("no world")?;
    let done = Box::pin(under_traffic(sites, body)).await;
    if done.is_err() {
        // What a fault that went wrong leaves behind must not spoil the next one.
        *guard = None;
    }
    done
}

/// Two clusters, `payment` of cluster-1 being called from cluster-2.
async fn begin(world: &str) -> Result<[Site; 2]> {
    let sites = Box::pin(pair(world)).await?;
    export(&sites, "payment").await?;
    sites[1].until_answers(&Call::get(HOST, "/"), 200).await?;
    Ok(sites)
}

/// Exports a service of cluster-1 with two replicas into cluster-2.
async fn export(sites: &[Site; 2], name: &str) -> Result<()> {
    for site in sites {
        site.cluster.objects().create_namespace("secure").await?;
    }
    let objects = sites[0].cluster.objects();
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "secure"},
        "spec": {"selector": {"app": name}, "ports": [{"name": "http", "port": 8080}]},
    });
    objects.apply(&service.to_string()).await?;
    let payment = objects
        .find("discovery.k8s.io/v1/EndpointSlice", "secure", "payment-1")
        .await?;
    match payment {
        None => sites[0].replicas("secure", name, 2).await?,
        Some(payment) => {
            let endpoints = payment["endpoints"].as_array().cloned().unwrap_or_default();
            let addresses = endpoints
                .iter()
                .filter_map(|e| e["addresses"][0].as_str().map(str::to_owned));
            let slice = slice("secure", name, &addresses.collect::<Vec<_>>());
            objects.apply(&slice.to_string()).await?;
        }
    }
    let export = json!({
        "apiVersion": "multicluster.x-k8s.io/v1beta1", "kind": "ServiceExport",
        "metadata": {"name": name, "namespace": "secure"},
        "spec": {"exportedAnnotations": {"mc-wan.l7mp.io/wan-policy": "sd-wan-priority-high"}},
    });
    objects.apply(&export.to_string()).await
}

/// Sends requests from cluster-2 as long as `body` takes and for a moment longer; none may fail.
async fn under_traffic(
    sites: &mut [Site; 2],
    body: impl AsyncFnOnce(&mut [Site; 2]) -> Result<()>,
) -> Result<()> {
    let client = Arc::new(Client::new(sites[1].egress()));
    let over = AtomicBool::new(false);
    let traffic = async {
        let (mut sent, mut failed) = (0_usize, Vec::new());
        while !over.load(Ordering::Relaxed) {
            let second = Load {
                rate: RATE,
                requests: RATE,
            };
            let outcomes = load::run(&client, second, |_| Call::get(HOST, "/")).await;
            sent += outcomes.len();
            failed.extend(
                outcomes
                    .into_iter()
                    .filter(|o| !o.succeeded())
                    .map(|o| format!("{:?}", o.result)),
            );
        }
        (sent, failed)
    };
    let work = async {
        let done = body(sites).await;
        sleep(Duration::from_secs(2)).await;
        over.store(true, Ordering::Relaxed);
        done
    };
    let ((sent, failed), done) = tokio::join!(traffic, work);
    done?;
    crate::figure(&format!(
        "{sent} requests under a fault, {} failed",
        failed.len()
    ));
    let few: Vec<&String> = failed.iter().take(5).collect();
    ensure!(
        failed.is_empty(),
        "{} of {sent} requests failed: {few:?}",
        failed.len()
    );
    changes_arrive(sites).await
}

/// After the fault a new export works: what went on before was not only the past.
async fn changes_arrive(sites: &[Site; 2]) -> Result<()> {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let name = format!("after-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    export(sites, &name).await?;
    let call = Call::get(&format!("{name}.secure.svc.clusterset.local"), "/");
    sites[1].until_answers(&call, 200).await.map(drop)
}

async fn kill_controller(site: &mut Site) -> Result<()> {
    site.controller
        .as_mut()
        .context("no controller")?
        .kill()
        .await
}

/// kill -9 of both controllers; after a while they start again.
async fn controller(sites: &mut [Site; 2]) -> Result<()> {
    for site in sites.iter_mut() {
        kill_controller(site).await?;
    }
    sleep(Duration::from_secs(5)).await;
    for site in sites.iter_mut() {
        site.start_controller().await?;
    }
    sites[1].until_condition(PEER, ("Synced", "True")).await?;
    sleep(Duration::from_secs(5)).await;
    Ok(())
}

async fn own_server(sites: &mut [Site; 2]) -> Result<()> {
    sites[1].cluster.stop_server().await?;
    sleep(AWAY).await;
    sites[1].cluster.start_server().await?;
    sleep(Duration::from_secs(5)).await;
    Ok(())
}

async fn peers_server(sites: &mut [Site; 2]) -> Result<()> {
    sites[0].cluster.stop_server().await?;
    sites[1]
        .until_condition(PEER, ("Connected", "False"))
        .await?;
    sleep(AWAY / 2).await;
    kill_controller(&mut sites[1]).await?;
    sites[1].start_controller().await?;
    sleep(AWAY / 2).await;
    let import = sites[1]
        .cluster
        .objects()
        .find(crate::space::IMPORT, "secure", "payment")
        .await?;
    ensure!(
        import.is_some(),
        "the import went with the controller's restart"
    );
    sites[0].cluster.start_server().await?;
    sites[1]
        .until_condition(PEER, ("Connected", "True"))
        .await?;
    sleep(Duration::from_secs(5)).await;
    Ok(())
}

/// The peer's outbox is empty when the follower starts, though nobody withdrew anything: its controller is not there.
async fn empty_list(sites: &mut [Site; 2]) -> Result<()> {
    for site in sites.iter_mut() {
        kill_controller(site).await?;
    }
    let kinds = [
        "mc-wan.l7mp.io/v1alpha1/PublishedService",
        "mc-wan.l7mp.io/v1alpha1/PublishedCluster",
    ];
    for kind in kinds {
        let objects = sites[0].cluster.objects();
        for object in objects.list(kind, "mc-wan", "").await? {
            let name = object["metadata"]["name"].as_str().context("no name")?;
            objects.delete(kind, "mc-wan", name).await?;
        }
    }
    sites[1].start_controller().await?;
    sites[1].until_condition(PEER, ("Synced", "False")).await?;
    sleep(Duration::from_secs(10)).await;
    let import = sites[1]
        .cluster
        .objects()
        .find(crate::space::IMPORT, "secure", "payment")
        .await?;
    ensure!(import.is_some(), "an empty list withdrew the import");
    sites[0].start_controller().await?;
    sites[1]
        .until_condition(PEER, ("Synced", "True"))
        .await
        .map(drop)
}

async fn corrupt_secret(sites: &mut [Site; 2]) -> Result<()> {
    let objects = sites[1].cluster.objects().clone();
    let name = mcwan_k8s::access::link_name("cluster-1");
    let corrupt = json!({"data": {"kubeconfig": "bm90IGEga3ViZWNvbmZpZw=="}});
    objects.patch("v1/Secret", "mc-wan", &name, corrupt).await?;
    sites[1]
        .until_condition(PEER, ("Connected", "False"))
        .await?;
    sleep(Duration::from_secs(5)).await;
    kill_controller(&mut sites[1]).await?;
    sites[1].start_controller().await?;
    sleep(Duration::from_secs(15)).await;
    let token = grant(&sites[0].cluster, "cluster-2").await?;
    sites[1].follow(&sites[0].cluster, &token).await?;
    sites[1]
        .until_condition(PEER, ("Connected", "True"))
        .await
        .map(drop)
}

async fn expired_token(sites: &mut [Site; 2]) -> Result<()> {
    let account = mcwan_k8s::access::link_name("cluster-2");
    let life = Duration::from_secs(15);
    let token = sites[0]
        .cluster
        .short_token("mc-wan", &account, life)
        .await?;
    sites[1].follow(&sites[0].cluster, &token).await?;
    sleep(life + Duration::from_secs(12)).await;
    // Watches that are open stay open; the API server asks again who speaks when they are made anew.
    sites[0].cluster.stop_server().await?;
    sites[0].cluster.start_server().await?;
    until(
        LONG,
        "the peer is not connected, for its token",
        async || {
            let (kind, namespace, name) = PEER;
            let peer = sites[1]
                .cluster
                .objects()
                .get(kind, namespace, name)
                .await?;
            let found = condition(&peer, "Connected").context("no condition")?;
            ensure!(found["status"] == "False", "{found}");
            Ok(())
        },
    )
    .await?;
    sleep(Duration::from_secs(10)).await;
    let token = grant(&sites[0].cluster, "cluster-2").await?;
    sites[1].follow(&sites[0].cluster, &token).await?;
    sites[1]
        .until_condition(PEER, ("Connected", "True"))
        .await
        .map(drop)
}
