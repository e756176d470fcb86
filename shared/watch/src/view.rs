//! What others see of a watch.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use mcwan_k8s::object::{Key, Kind};
use mcwan_k8s::problem::Problem;
use mcwan_k8s::snapshot::ClusterSnapshot;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::selection::Wanted;
use crate::store::{Read, Store};

/// How the watch of one kind does.
#[derive(Debug, Clone)]
pub struct KindState {
    /// The kind.
    pub kind: &'static Kind,
    /// The namespace it is limited to.
    pub namespace: Option<String>,
    /// The name it is limited to.
    pub name: Option<String>,
    /// The version that the API server serves; None before the first list, and while the kind is not served.
    pub version: Option<String>,
    /// Complete lists so far.
    pub lists: u64,
    /// When the last complete list was there.
    pub listed: Option<SystemTime>,
    /// The API server does not serve the kind, which counts as empty.
    pub is_absent: bool,
    /// Objects known.
    pub objects: usize,
    /// What is wrong now; None while a list or watch is going well.
    pub trouble: Option<Trouble>,
}

/// Something that does not work, and is tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The last error.
    pub message: String,
    /// When the trouble began.
    pub since: SystemTime,
    /// Failures since then.
    pub failures: u64,
}

impl KindState {
    pub(crate) fn new(wanted: &Wanted) -> Self {
        Self {
            kind: wanted.kind,
            namespace: wanted.namespace.clone(),
            name: wanted.name.clone(),
            version: None,
            lists: 0,
            listed: None,
            is_absent: false,
            objects: 0,
            trouble: None,
        }
    }

    /// Whether the kind was listed completely once, or is known not to be served.
    #[must_use]
    pub const fn synced(&self) -> bool {
        self.lists > 0 || self.is_absent
    }

    /// Whether what is known is what the API server has now, as far as one can tell.
    #[must_use]
    pub const fn is_current(&self) -> bool {
        self.synced() && self.trouble.is_none()
    }

    /// A complete list is there. Whether that is news.
    pub(crate) fn listed(&mut self, version: &str, now: SystemTime) -> bool {
        let news = self.lists == 0 || self.trouble.is_some() || self.is_absent;
        self.version = Some(version.to_owned());
        self.lists += 1;
        self.listed = Some(now);
        self.is_absent = false;
        self.trouble = None;
        news
    }

    /// The kind is not served. Whether that is news.
    pub(crate) fn absent(&mut self, now: SystemTime) -> bool {
        let news = !self.is_absent || self.trouble.is_some();
        self.version = None;
        self.is_absent = true;
        self.listed = Some(now);
        self.trouble = None;
        news
    }

    /// A request failed. Whether that is news.
    pub(crate) fn failed(&mut self, message: &str, now: SystemTime) -> bool {
        let news = self.trouble.as_ref().is_none_or(|t| t.message != message);
        let trouble = self.trouble.get_or_insert_with(|| Trouble {
            message: String::new(),
            since: now,
            failures: 0,
        });
        message.clone_into(&mut trouble.message);
        trouble.failures += 1;
        news
    }
}

impl fmt::Display for KindState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind.plural)?;
        if !self.kind.group.is_empty() {
            write!(f, ".{}", self.kind.group)?;
        }
        if let Some(namespace) = &self.namespace {
            write!(f, " in {namespace}")?;
        }
        if let Some(name) = &self.name {
            write!(f, " named {name}")?;
        }
        match &self.trouble {
            Some(trouble) => write!(f, ": {}", trouble.message),
            None if self.is_absent => {
                write!(f, ": not served by the API server, so there are none")
            }
            None => Ok(()),
        }
    }
}

/// What a watch knows. Cheap to clone: all clones are one.
#[derive(Debug, Clone)]
pub struct View {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    store: Mutex<Store>,
    changed: watch::Sender<u64>,
}

impl View {
    pub(crate) fn new(cluster: String, wanted: &[Wanted]) -> Self {
        Self {
            shared: Arc::new(Shared {
                store: Mutex::new(Store::new(cluster, wanted)),
                changed: watch::Sender::new(0),
            }),
        }
    }

    /// The objects as they are known; None until every kind was listed completely once.
    ///
    /// A snapshot is shared until the next change; who keeps one makes that change cost a copy.
    #[must_use]
    pub fn snapshot(&self) -> Option<Arc<ClusterSnapshot>> {
        self.shared.store.lock().snapshot()
    }

    /// Whether there is a snapshot.
    #[must_use]
    pub fn is_synced(&self) -> bool {
        self.snapshot().is_some()
    }

    /// Objects that cannot be read.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        self.shared.store.lock().problems()
    }

    /// How each kind does, in the order of the selection.
    #[must_use]
    pub fn kinds(&self) -> Vec<KindState> {
        self.shared.store.lock().states()
    }

    /// Objects of a kind whose deletion was seen as an event, and that did not come back since: an operator's wish. What is
    /// neither here nor in the snapshot was missing in a list. The last 4096 of each kind are remembered.
    #[must_use]
    pub fn deleted(&self, kind: &str) -> BTreeSet<Key> {
        self.shared.store.lock().deleted(kind)
    }

    /// Wakes when the snapshot, the problems, or the state of a kind changed. The number counts changes.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.shared.changed.subscribe()
    }

    /// Waits for the first snapshot. Ends only with it: bound it with a time-out.
    pub async fn synced(&self) -> Arc<ClusterSnapshot> {
        let mut changes = self.subscribe();
        loop {
            changes.borrow_and_update();
            if let Some(snapshot) = self.snapshot() {
                return snapshot;
            }
            // The sender lives as long as this view.
            let _never_closed = changes.changed().await;
        }
    }

    pub(crate) fn slot(&self, index: usize) -> Slot {
        Slot {
            view: self.clone(),
            index,
        }
    }

    fn change(&self, change: impl FnOnce(&mut Store) -> bool) {
        if change(&mut self.shared.store.lock()) {
            self.shared.changed.send_modify(|n| *n += 1);
        }
    }
}

/// Where one driver writes.
#[derive(Debug)]
pub(crate) struct Slot {
    view: View,
    index: usize,
}

impl Slot {
    pub(crate) fn listed(&self, version: &str, read: BTreeMap<Key, Read>) {
        let now = SystemTime::now();
        self.recovered();
        self.view
            .change(|s| s.listed(self.index, version, read, now));
    }

    pub(crate) fn applied(&self, key: Key, read: Read) {
        self.view.change(|s| s.applied(self.index, key, read));
    }

    pub(crate) fn deleted(&self, key: &Key) {
        self.view.change(|s| s.delete(self.index, key));
    }

    pub(crate) fn watching(&self) {
        self.recovered();
        self.view.change(|s| s.watching(self.index));
    }

    pub(crate) fn absent(&self) {
        let now = SystemTime::now();
        self.view.change(|s| s.absent(self.index, now));
    }

    /// Logged when the trouble begins, and when its reason changes.
    pub(crate) fn failed(&self, message: &str) {
        let now = SystemTime::now();
        self.view.change(|s| {
            let news = s.failed(self.index, message, now);
            if news && let Some(state) = s.states().get(self.index) {
                tracing::warn!(
                    "cannot watch {state}; what is known stays in force, and it is tried again"
                );
            }
            news
        });
    }

    fn recovered(&self) {
        let store = self.view.shared.store.lock();
        if store.trouble(self.index).is_some()
            && let Some(state) = store.states().get(self.index)
        {
            tracing::info!("no longer: cannot watch {state}");
        }
    }
}
