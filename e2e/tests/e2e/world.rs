//! What all tests share: the runtime, the programs, and addresses that no other test has.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

use anyhow::{Context, Result};
use libtest_mimic::Trial;
use mcwan_e2e::assets::Assets;
use mcwan_e2e::cluster::Cluster;
use tokio::runtime::Runtime;

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
            .map_err(|error| format!("{error:?}").into())
    })
}

/// A fresh cluster; `world` names the folder of its logs.
///
/// # Errors
/// When it does not start.
pub(crate) async fn cluster(world: &str, name: &str) -> Result<Cluster> {
    let net = NET.fetch_add(1, Ordering::Relaxed);
    let folder = super::folder();
    Cluster::start(assets()?, name, net, &folder.join("data"), &logs(world)).await
}

/// Folder of the logs of a world.
pub(crate) fn logs(world: &str) -> PathBuf {
    super::folder().join(world)
}
