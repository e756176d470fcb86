//! Three clusters with many exports each (`make scale`): how much the controller needs, and that it is still when nothing
//! changes. Off in ordinary runs; `MCWAN_E2E_SCALE` says how many exports each cluster has.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use mcwan_e2e::patience::until;
use mcwan_e2e::site::{Site, grant, slice};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::space::IMPORT;
use crate::world::{site, trial};

/// Names of the clusters.
const CLUSTERS: [&str; 3] = ["cluster-1", "cluster-2", "cluster-3"];
/// Time for all imports to be in place.
const SETTLED: Duration = Duration::from_mins(30);
/// For so long nothing changes while the steady state is measured.
const STEADY: Duration = Duration::from_mins(1);
/// Most that a controller may need: memory in KiB, share of a core while nothing changes.
const MEMORY: u64 = 150 * 1024;
const SHARE: f64 = 0.01;
/// Most writes of one controller when one service gets a second ready endpoint: what it publishes of the service, or its copy
/// of what the peer published; the service's route on the egress gateway; and that route's status, which says first that
/// the gateway has not confirmed the new generation, then that it has.
const WRITES: u64 = 4;

pub(crate) fn trials() -> Vec<Trial> {
    let exports = std::env::var("MCWAN_E2E_SCALE")
        .ok()
        .and_then(|n| n.parse().ok());
    let test = |exports: usize| {
        trial("scale::three_clusters_with_many_exports_each", move || {
            scale(exports)
        })
    };
    exports.map(test).into_iter().collect()
}

async fn scale(exports: usize) -> Result<()> {
    let sites = Box::pin(three()).await?;
    let start = Instant::now();
    for site in &sites {
        Box::pin(export(site, exports)).await?;
    }
    let written = start.elapsed();
    let wanted = exports * sites.len();
    until(SETTLED, "all imports are in place", async || {
        for site in &sites {
            let imports = site.cluster.objects().list(IMPORT, "many", "").await?;
            ensure!(
                imports.len() == wanted,
                "{} of {wanted} in {}",
                imports.len(),
                site.cluster.name()
            );
        }
        Ok(())
    })
    .await?;
    let settled = start.elapsed();
    crate::figure(&format!(
        "{wanted} imports in each of {} clusters: exports written in {} s, all imports in place after {} s",
        sites.len(),
        written.as_secs(),
        settled.as_secs()
    ));
    quiet(&sites).await?;
    let steady = steady(&sites).await;
    let change = one_change(&sites).await;
    steady.and(change)
}

/// Three clusters, each following the two others.
async fn three() -> Result<Vec<Site>> {
    let mut sites = Vec::new();
    for name in CLUSTERS {
        sites.push(Box::pin(site("scale", name)).await?);
    }
    for reader in &sites {
        for peer in sites
            .iter()
            .filter(|p| p.cluster.name() != reader.cluster.name())
        {
            let token = grant(&peer.cluster, reader.cluster.name()).await?;
            reader.follow(&peer.cluster, &token).await?;
        }
    }
    for site in &mut sites {
        site.cluster.objects().create_namespace("many").await?;
        site.run().await?;
    }
    Ok(sites)
}

/// Name of an export: no other cluster has it.
fn name(site: &Site, number: usize) -> String {
    format!("s{number}-{}", site.cluster.name())
}

/// The addresses of a service that nobody calls.
fn endpoints(count: usize) -> Vec<String> {
    (1..=count).map(|n| format!("192.0.2.{n}")).collect()
}

async fn export(site: &Site, exports: usize) -> Result<()> {
    let objects = site.cluster.objects();
    for number in 0..exports {
        let name = name(site, number);
        let service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "many"},
            "spec": {"selector": {"app": name}, "ports": [{"name": "http", "port": 8080}]},
        });
        let export = json!({
            "apiVersion": "multicluster.x-k8s.io/v1beta1", "kind": "ServiceExport",
            "metadata": {"name": name, "namespace": "many"},
            "spec": {"exportedAnnotations": {"mc-wan.l7mp.io/wan-policy": "sd-wan-priority-high"}},
        });
        let slice = slice("many", &name, &endpoints(1));
        for object in [service, slice, export] {
            objects.apply(&object.to_string()).await?;
        }
    }
    Ok(())
}

/// Writes by what they were, as the metric's labels say it.
type Writes = BTreeMap<String, u64>;

/// Writes of a controller so far.
async fn writes(site: &Site) -> Result<Writes> {
    let metrics = site.page(site.controller_admin(), "/metrics").await?;
    let lines = metrics
        .lines()
        .filter_map(|l| l.strip_prefix("mcwan_writes_total"));
    let lines = lines.filter_map(|l| l.rsplit_once(' '));
    lines
        .map(|(labels, n)| Ok((labels.to_owned(), n.parse()?)))
        .collect()
}

async fn all_writes(sites: &[Site]) -> Result<Vec<Writes>> {
    let mut all = Vec::new();
    for site in sites {
        all.push(writes(site).await?);
    }
    Ok(all)
}

/// Waits until nobody has written for a while: statuses follow the imports.
async fn quiet(sites: &[Site]) -> Result<()> {
    until(SETTLED, "the controllers write nothing more", async || {
        let before = all_writes(sites).await?;
        sleep(Duration::from_secs(20)).await;
        let after = all_writes(sites).await?;
        ensure!(before == after, "{before:?}, then {after:?}");
        Ok(())
    })
    .await
}

/// Nothing changes: no writes, hardly any work, bounded memory.
async fn steady(sites: &[Site]) -> Result<()> {
    let before = all_writes(sites).await?;
    let controllers: Vec<_> = sites.iter().filter_map(|s| s.controller.as_ref()).collect();
    let times = || {
        controllers
            .iter()
            .map(|c| c.processor_time())
            .collect::<Result<Vec<Duration>>>()
    };
    let (begin, start) = (times()?, Instant::now());
    sleep(STEADY).await;
    let (end, elapsed) = (times()?, start.elapsed());
    let memory = controllers
        .iter()
        .map(|c| c.resident_kib())
        .collect::<Result<Vec<u64>>>()?;
    let memory = memory.into_iter().max().context("no controller")?;
    let work = begin
        .iter()
        .zip(&end)
        .map(|(b, e)| e.saturating_sub(*b).as_secs_f64());
    let share = work.fold(0.0, f64::max) / elapsed.as_secs_f64();
    let written = all_writes(sites).await?;
    crate::figure(&format!(
        "steady state for {} s: controller at most {} MiB, {:.2} % of a core",
        elapsed.as_secs(),
        memory / 1024,
        share * 100.0
    ));
    ensure!(before == written, "writes without a change");
    ensure!(memory <= MEMORY, "{memory} KiB");
    ensure!(share <= SHARE, "{share} of a core");
    Ok(())
}

/// One service gets a second ready endpoint.
async fn one_change(sites: &[Site]) -> Result<()> {
    let before = all_writes(sites).await?;
    let first = sites.first().context("no cluster")?;
    let slice = slice("many", &name(first, 0), &endpoints(2));
    first.cluster.objects().apply(&slice.to_string()).await?;
    sleep(Duration::from_secs(20)).await;
    let after = all_writes(sites).await?;
    let more: Vec<Writes> = before
        .iter()
        .zip(&after)
        .map(|(b, a)| since(b, a))
        .collect();
    crate::figure(&format!(
        "one change of a pod count: writes in the exporting and the other clusters: {more:?}"
    ));
    for writes in &more {
        let all: u64 = writes.values().sum();
        ensure!(all >= 1, "the change did not arrive everywhere");
        ensure!(all <= WRITES, "{all} writes, more than {WRITES}");
    }
    Ok(())
}

/// What was written between two looks.
fn since(before: &Writes, after: &Writes) -> Writes {
    let change = |(what, n): (&String, &u64)| (what.clone(), n - before.get(what).unwrap_or(&0));
    after.iter().map(change).filter(|(_, n)| *n > 0).collect()
}
