//! The objects of an API server as a [`ClusterSnapshot`](mcwan_k8s::snapshot::ClusterSnapshot) that a failing watch never
//! empties.
//!
//! [`Watch::start`] takes a client and a [`Selection`] of kinds. Each kind is listed completely, page by page, and then
//! watched; [`View::snapshot`] is `None` until all of them were listed once, and after that always holds the last known
//! state:
//!
//! * An API server that is away, slow, hanging, or answers with errors or nonsense changes nothing. It is tried again
//!   after a growing, random pause of at most ten seconds.
//! * A watch that expired (410) is followed by a new list, which takes the place of the old objects only when it is
//!   complete. So objects that were deleted meanwhile do disappear, and no others.
//! * An object that cannot be read is a [`Problem`](mcwan_k8s::problem::Problem) and leaves the others alone. If an earlier
//!   version of it could be read, that one stays.
//! * A kind that the API server does not serve (no CRD) keeps the snapshot from being complete where it is required, and
//!   counts as empty where it is not; either way it is looked for again. Kinds of the MCS and About APIs are read in
//!   whichever of their two versions is served.
//!
//! ```no_run
//! # async fn example(client: kube::Client) {
//! use mcwan_watch::{Selection, Watch};
//!
//! let watch = Watch::start(client, "cluster-1", &Selection::gateway());
//! let mut changes = watch.subscribe();
//! while changes.changed().await.is_ok() {
//!     if let Some(snapshot) = watch.snapshot() {
//!         println!("{} routes", snapshot.http_routes.len());
//!     }
//! }
//! # }
//! ```
//!
//! * [`connect()`] — a client out of the arguments that all programs share.
//! * `selection` — what is watched. `backoff` — when it is tried again. Values only.
//! * `request` — one list, one watch; `failure` — what can go wrong with them; `absent` — is a kind not served?
//! * `driver` — the loop of one kind. `store` — what it leaves behind. `view` — what others see of that.
//!
//! Deliberately absent: writing, informer caches of typed objects, any decision about what the objects mean.

mod absent;
mod backoff;
mod connect;
mod driver;
mod failure;
mod request;
mod selection;
mod store;
mod view;

use tokio::task::JoinSet;

pub use backoff::Pace;
pub use connect::{ConnectError, connect};
pub use kube::Client;
pub use selection::{Selection, Wanted};
pub use view::{KindState, Trouble, View};

/// A running watch. Dropping it ends it; its [`View`]s stay readable and change no more.
#[derive(Debug)]
pub struct Watch {
    view: View,
    _tasks: JoinSet<()>,
}

impl Watch {
    /// Starts to watch. `cluster` becomes the id of the snapshots. Must be called on a tokio runtime.
    pub fn start(client: Client, cluster: impl Into<String>, selection: &Selection) -> Self {
        Self::start_at(client, cluster, selection, Pace::default())
    }

    /// As [`Watch::start`], with other times.
    pub fn start_at(
        client: Client,
        cluster: impl Into<String>,
        selection: &Selection,
        pace: Pace,
    ) -> Self {
        let view = View::new(cluster.into(), selection.wanted());
        let mut tasks = JoinSet::new();
        for (slot, wanted) in selection.wanted().iter().enumerate() {
            let driver = driver::Driver::new(client.clone(), wanted, pace, view.slot(slot));
            tasks.spawn(driver.run());
        }
        drop(client);
        Self {
            view,
            _tasks: tasks,
        }
    }

    /// What is known; cheap to clone and to hand on.
    #[must_use]
    pub const fn view(&self) -> &View {
        &self.view
    }
}

impl std::ops::Deref for Watch {
    type Target = View;
    fn deref(&self) -> &View {
        &self.view
    }
}
