//! What all tests share: the runtime, the programs, and addresses that no other test has.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::Trial;
use mcwan_e2e::access::{self, Context, User};
use mcwan_e2e::assets::Assets;
use mcwan_e2e::cluster::Cluster;
use mcwan_e2e::patience::LONG;
use mcwan_e2e::site::{Site, grant};
use tokio::runtime::Runtime;
use tokio::sync::{OnceCell, Semaphore};

static ASSETS: OnceLock<Assets> = OnceLock::new();
static RUNTIME: OnceLock<Runtime> = OnceLock::new();
/// The next free 10.77.N.0/24.
static NET: AtomicU8 = AtomicU8::new(1);

/// Called once, inside the enclosure.
pub(crate) fn begin(assets: Assets) {
    ASSETS.get_or_init(|| assets);
}

/// The programs.
///
/// # Errors
/// Outside the enclosure.
pub(crate) fn assets() -> Result<&'static Assets> {
    ASSETS.get().context("tests run inside the enclosure only")
}

/// How many tests may change the shared clusters at a time.
static SHARING: Semaphore = Semaphore::const_new(4);

/// A test in the shared clusters.
pub(crate) fn sharing<F>(name: &str, test: impl FnOnce() -> F + Send + 'static) -> Trial
where
    F: Future<Output = Result<()>>,
{
    trial(name, async move || {
        let _turn = SHARING.acquire().await?;
        test().await
    })
}

/// A test. All run on one runtime, so that worlds can be shared.
pub(crate) fn trial<F>(name: &str, test: impl FnOnce() -> F + Send + 'static) -> Trial
where
    F: Future<Output = Result<()>>,
{
    Trial::test(name, move || {
        let runtime = match RUNTIME.get() {
            Some(runtime) => runtime,
            None => RUNTIME.get_or_init(|| Runtime::new().expect("threads")),
        };
        runtime
            .block_on(test())
            .map_err(|error| format!("{error:#}").into())
    })
}

/// A fresh cluster; `world` names the folder of its logs.
///
/// # Errors
/// When it does not start.
pub(crate) async fn cluster(world: &str, name: &str) -> Result<Cluster> {
    let net = NET.fetch_add(1, Ordering::Relaxed);
    let folder = super::folder();
    Box::pin(Cluster::start(
        assets()?,
        name,
        net,
        &folder.join("data"),
        &logs(world),
    ))
    .await
}

/// Folder of the logs of a world.
pub(crate) fn logs(world: &str) -> PathBuf {
    super::folder().join(world)
}

/// A site with nothing running in it but the API server.
///
/// # Errors
/// When it does not start.
pub(crate) async fn site(world: &str, name: &str) -> Result<Site> {
    Box::pin(Site::new(assets()?, cluster(world, name).await?)).await
}

/// Two clusters that follow each other, with controllers and gateways running.
///
/// # Errors
/// When something does not start.
pub(crate) async fn pair(world: &str) -> Result<[Site; 2]> {
    let sites = Box::pin(apart(world)).await?;
    let [one, two] = &sites;
    let token = grant(&two.cluster, "cluster-1").await?;
    one.follow(&two.cluster, &token).await?;
    let token = grant(&one.cluster, "cluster-2").await?;
    two.follow(&one.cluster, &token).await?;
    synced(&sites).await?;
    Ok(sites)
}

/// Two clusters that know nothing of each other.
async fn apart(world: &str) -> Result<[Site; 2]> {
    let (one, two) = tokio::join!(
        Box::pin(site(world, "cluster-1")),
        Box::pin(site(world, "cluster-2"))
    );
    let (mut one, mut two) = (one?, two?);
    one.run().await?;
    two.run().await?;
    Ok([one, two])
}

async fn synced(sites: &[Site; 2]) -> Result<()> {
    for (site, peer) in sites.iter().zip(["cluster-2", "cluster-1"]) {
        let peer = ("mc-wan.l7mp.io/v1alpha1/ClusterPeer", "", peer);
        site.until_condition(peer, ("Synced", "True")).await?;
    }
    Ok(())
}

/// Two clusters that `mcwanctl link` joined.
async fn linked(world: &str) -> Result<[Site; 2]> {
    let sites = Box::pin(apart(world)).await?;
    let file = kubeconfig(&sites)?;
    let output = mcwanctl(&file, &["link", "cluster-1", "cluster-2"]).await?;
    ensure!(output.status.success(), "mcwanctl link: {output:?}");
    synced(&sites).await?;
    Ok(sites)
}

/// A kubeconfig file with a context of an administrator for each site, named by its cluster id.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn kubeconfig(sites: &[Site; 2]) -> Result<PathBuf> {
    let [one, two] = sites;
    let (admin_one, admin_two) = (one.cluster.admin()?, two.cluster.admin()?);
    let contexts = [(one, &admin_one), (two, &admin_two)].map(|(site, identity)| Context {
        name: site.cluster.name(),
        server: site.cluster.api_address(),
        authority: site.cluster.authority().certificate(),
        user: User::Certificate(identity),
    });
    let file = one.cluster.data().join("admin.kubeconfig");
    std::fs::write(&file, access::kubeconfig(&contexts)?)?;
    Ok(file)
}

/// Runs `mcwanctl`.
///
/// # Errors
/// When it does not run or does not end.
pub(crate) async fn mcwanctl(kubeconfig: &Path, arguments: &[&str]) -> Result<Output> {
    let mut command = tokio::process::Command::new(assets()?.path("mcwanctl"));
    command
        .args(arguments)
        .env("KUBECONFIG", kubeconfig)
        .kill_on_drop(true);
    Ok(tokio::time::timeout(LONG, command.output())
        .await
        .context("mcwanctl does not end")??)
}

/// The pair that all tests share which do not disturb it. It ends with the enclosure.
///
/// # Errors
/// When something does not start, for all tests alike.
pub(crate) async fn shared() -> Result<&'static [Site; 2]> {
    static SHARED: OnceCell<Result<[Site; 2], String>> = OnceCell::const_new();
    let pair = SHARED
        .get_or_init(async || {
            Box::pin(linked("shared"))
                .await
                .map_err(|e| format!("{e:#}"))
        })
        .await;
    pair.as_ref()
        .map_err(|error| anyhow::anyhow!("no shared clusters: {error}"))
}
