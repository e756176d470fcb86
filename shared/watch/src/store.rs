//! What the watches left behind: the last known objects, kind by kind, and as one snapshot. Pure: time is an argument.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::SystemTime;

use mcwan_k8s::object::{Key, Misread, Object};
use mcwan_k8s::problem::Problem;
use mcwan_k8s::snapshot::ClusterSnapshot;

use crate::selection::Wanted;
use crate::view::{KindState, Trouble};

/// An object, or why it cannot be read.
pub(crate) type Read = Result<Object, Misread>;

/// Deletions remembered for each kind.
const DELETIONS: usize = 4096;

/// The last known state of everything that is watched.
#[derive(Debug)]
pub(crate) struct Store {
    snapshot: Arc<ClusterSnapshot>,
    kinds: Vec<KindStore>,
}

/// The last known state of one kind.
#[derive(Debug)]
struct KindStore {
    state: KindState,
    objects: BTreeMap<Key, Object>,
    problems: BTreeMap<Key, Problem>,
    /// Keys whose deletion was seen, with a number that rises, until they come back.
    deletions: BTreeMap<Key, u64>,
    deleted: u64,
}

impl Store {
    pub(crate) fn new(cluster: String, wanted: &[Wanted]) -> Self {
        let kinds = wanted.iter().map(|wanted| KindStore {
            state: KindState::new(wanted),
            objects: BTreeMap::new(),
            problems: BTreeMap::new(),
            deletions: BTreeMap::new(),
            deleted: 0,
        });
        Self {
            snapshot: Arc::new(ClusterSnapshot::new(cluster)),
            kinds: kinds.collect(),
        }
    }

    /// The snapshot, once every kind was listed.
    pub(crate) fn snapshot(&self) -> Option<Arc<ClusterSnapshot>> {
        let complete = self.kinds.iter().all(|k| k.state.synced());
        complete.then(|| Arc::clone(&self.snapshot))
    }

    pub(crate) fn states(&self) -> Vec<KindState> {
        self.kinds.iter().map(|k| k.state.clone()).collect()
    }

    pub(crate) fn problems(&self) -> Vec<Problem> {
        let problems = self.kinds.iter().flat_map(|k| k.problems.values());
        problems.cloned().collect()
    }

    /// See [`View::deleted`](crate::View::deleted).
    pub(crate) fn deleted(&self, kind: &str) -> BTreeSet<Key> {
        let kinds = self.kinds.iter().filter(|k| k.state.kind.kind == kind);
        kinds.flat_map(|k| k.deletions.keys().cloned()).collect()
    }

    /// A complete list takes the place of what was there. Whether anything changed that can be seen.
    pub(crate) fn listed(
        &mut self,
        slot: usize,
        version: &str,
        read: BTreeMap<Key, Read>,
        now: SystemTime,
    ) -> bool {
        let Some(kind) = self.kinds.get_mut(slot) else {
            return false;
        };
        let news = kind.state.listed(version, now);
        let gone: Vec<Key> = kind
            .objects
            .keys()
            .filter(|key| !read.contains_key(key))
            .cloned()
            .collect();
        let mut changed = news | !gone.is_empty();
        for key in &gone {
            changed |= kind.remove(key, &mut self.snapshot);
        }
        let problems = kind.problems.len();
        kind.problems.retain(|key, _| read.contains_key(key));
        changed |= kind.problems.len() != problems;
        for (key, read) in read {
            changed |= kind.put(key, read, &mut self.snapshot);
        }
        kind.state.objects = kind.objects.len();
        changed
    }

    /// An object is there in a new form. Whether anything changed.
    pub(crate) fn applied(&mut self, slot: usize, key: Key, read: Read) -> bool {
        let Some(kind) = self.kinds.get_mut(slot) else {
            return false;
        };
        let changed = kind.put(key, read, &mut self.snapshot);
        kind.state.objects = kind.objects.len();
        changed
    }

    /// An object was deleted. Whether anything changed.
    pub(crate) fn delete(&mut self, slot: usize, key: &Key) -> bool {
        let Some(kind) = self.kinds.get_mut(slot) else {
            return false;
        };
        let problem = kind.problems.remove(key).is_some();
        let changed = kind.remove(key, &mut self.snapshot) || problem;
        kind.remember_deletion(key);
        kind.state.objects = kind.objects.len();
        changed
    }

    /// The kind is not served. It counts as empty, unless it is known to have objects: then this is a fault.
    pub(crate) fn absent(&mut self, slot: usize, now: SystemTime) -> bool {
        let Some(kind) = self.kinds.get_mut(slot) else {
            return false;
        };
        if kind.objects.is_empty() {
            return kind.state.absent(now);
        }
        let message =
            "the API server no longer serves the kind; its last known objects stay in force";
        kind.state.failed(message, now)
    }

    /// A request failed; nothing else changes.
    pub(crate) fn failed(&mut self, slot: usize, message: &str, now: SystemTime) -> bool {
        let kind = self.kinds.get_mut(slot);
        kind.is_some_and(|kind| kind.state.failed(message, now))
    }

    /// A watch is open.
    pub(crate) fn watching(&mut self, slot: usize) -> bool {
        let kind = self.kinds.get_mut(slot);
        kind.is_some_and(|kind| kind.state.trouble.take().is_some())
    }

    /// What is wrong with a kind.
    pub(crate) fn trouble(&self, slot: usize) -> Option<&Trouble> {
        self.kinds.get(slot)?.state.trouble.as_ref()
    }
}

impl KindStore {
    fn put(&mut self, key: Key, read: Read, snapshot: &mut Arc<ClusterSnapshot>) -> bool {
        self.deletions.remove(&key);
        match read {
            Ok(object) => {
                let recovered = self.problems.remove(&key).is_some();
                if self.objects.get(&key) == Some(&object) {
                    return recovered;
                }
                Arc::make_mut(snapshot).insert(object.clone());
                self.objects.insert(key, object);
                true
            }
            Err(misread) => {
                let kept = self.objects.contains_key(&key);
                let problem = misread.problem(self.state.kind, &key, kept);
                let known = self.problems.insert(key, problem.clone());
                known != Some(problem)
            }
        }
    }

    fn remove(&mut self, key: &Key, snapshot: &mut Arc<ClusterSnapshot>) -> bool {
        let Some(object) = self.objects.remove(key) else {
            return false;
        };
        Arc::make_mut(snapshot).remove(&object);
        true
    }

    fn remember_deletion(&mut self, key: &Key) {
        self.deleted += 1;
        self.deletions.insert(key.clone(), self.deleted);
        if self.deletions.len() > DELETIONS {
            let oldest = self.deletions.iter().min_by_key(|(_, number)| **number);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                self.deletions.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests;
