//! The services of one peer, in force or refused.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::Outbox;
use crate::kinds::wan::PublishedService;
use crate::object::reference;
use crate::offer::OfferedService;
use crate::outbox::{Expected, MAX_SERVICES, Refusal, receive_service};

/// Most refusals that are kept of one object.
const KEPT: usize = 8;

/// Services by the name of their object.
#[derive(Debug, Clone, Default)]
pub(super) struct Entries {
    all: BTreeMap<String, Entry>,
    /// Objects that cannot be read, and the one that was one too many.
    others: Vec<Refusal>,
    refused_in_all: BTreeMap<&'static str, u64>,
    revision: u64,
}

/// One name in the outbox.
#[derive(Debug, Clone, Default)]
struct Entry {
    /// What is in force; nothing if it was never believed.
    service: Option<OfferedService>,
    /// The object that was read last.
    seen: Option<Arc<PublishedService>>,
    /// What was wrong with it.
    refusals: Vec<Refusal>,
    presence: Presence,
}

/// Whether the object is in the outbox.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Presence {
    /// It was when we looked last.
    Present,
    /// It was seen to be deleted.
    Deleted,
    /// The list does not have it; or it is a copy that was kept, and no list was read yet.
    #[default]
    Missing,
}

impl Entries {
    /// What was in force earlier.
    pub(super) fn kept(services: BTreeMap<String, OfferedService>) -> Self {
        let entry = |service| Entry {
            service: Some(service),
            ..Entry::default()
        };
        let all = services.into_iter().map(|(name, s)| (name, entry(s)));
        Self {
            all: all.collect(),
            ..Self::default()
        }
    }

    /// Takes in what was read.
    pub(super) fn update(&mut self, expected: &Expected, outbox: &Outbox, now: Timestamp) {
        self.others(outbox);
        let unreadable: BTreeSet<&str> =
            outbox.unreadable.keys().map(|o| o.name.as_str()).collect();
        for (name, entry) in &mut self.all {
            if outbox.services.contains_key(name) || unreadable.contains(name.as_str()) {
                entry.presence = Presence::Present;
            } else if outbox.deleted.contains(name) {
                entry.presence = Presence::Deleted;
            } else if entry.presence == Presence::Present {
                entry.presence = Presence::Missing;
            }
        }
        for (name, object) in &outbox.services {
            self.put(expected, name, object, now);
        }
        self.all
            .retain(|_, e| e.service.is_some() || e.presence == Presence::Present);
    }

    /// What is there but is no service: each is counted once, however often it is seen.
    fn others(&mut self, outbox: &Outbox) {
        let unreadable = outbox.unreadable.iter().take(KEPT);
        let mut others: Vec<Refusal> = unreadable
            .map(|(object, why)| Refusal::unreadable(object.clone(), why))
            .collect();
        let mut unknown = outbox
            .services
            .iter()
            .filter(|(n, _)| !self.all.contains_key(*n));
        let room = MAX_SERVICES.saturating_sub(self.all.len());
        let excess = unknown.nth(room);
        others.extend(excess.map(|(_, object)| Refusal::too_many(reference(object.as_ref()))));
        let before = std::mem::take(&mut self.others);
        let new: Vec<Refusal> = others
            .iter()
            .filter(|r| !before.contains(r))
            .cloned()
            .collect();
        self.count(&new);
        self.others = others;
    }

    fn put(
        &mut self,
        expected: &Expected,
        name: &str,
        object: &Arc<PublishedService>,
        now: Timestamp,
    ) {
        let is_full = self.all.len() >= MAX_SERVICES;
        let known = self.all.get(name);
        if known.is_none() && is_full
            || known
                .and_then(|e| e.seen.as_ref())
                .is_some_and(|seen| same(seen, object))
        {
            return;
        }
        let mut refusals = Vec::new();
        let taken = receive_service(expected, object, now, &mut refusals);
        self.count(&refusals);
        refusals.truncate(KEPT);
        let entry = self.all.entry(name.to_owned()).or_default();
        entry.presence = Presence::Present;
        entry.seen = Some(Arc::clone(object));
        entry.refusals = refusals;
        if taken.is_some() && entry.service != taken {
            entry.service = taken;
            self.revision = self.revision.saturating_add(1);
        }
    }

    /// Withdraws what was deleted, and with `missing` also what the list does not have.
    pub(super) fn withdraw(&mut self, missing: bool) {
        let before = self.all.len();
        self.all.retain(|_, entry| match entry.presence {
            Presence::Present => true,
            Presence::Deleted => false,
            Presence::Missing => !missing,
        });
        if self.all.len() < before {
            self.revision = self.revision.saturating_add(1);
        }
    }

    /// Services in force that the outbox does not have.
    pub(super) fn absent(&self) -> usize {
        let all = self.all.values();
        all.filter(|e| e.presence != Presence::Present).count()
    }

    /// Services in force, sorted by namespace and name.
    pub(super) fn in_force(&self) -> impl Iterator<Item = &OfferedService> {
        let mut all: Vec<_> = self
            .all
            .values()
            .filter_map(|e| e.service.as_ref())
            .collect();
        all.sort_by_key(|s| (&s.namespace, &s.name));
        all.into_iter()
    }

    /// What is refused now.
    pub(super) fn refusals(&self) -> impl Iterator<Item = &Refusal> {
        let services = self.all.values().flat_map(|e| &e.refusals);
        services.chain(&self.others)
    }

    /// Counts refusals for the metric.
    pub(super) fn count(&mut self, refusals: &[Refusal]) {
        for refusal in refusals {
            let total = self.refused_in_all.entry(refusal.reason).or_default();
            *total = total.saturating_add(1);
        }
    }

    /// Rises when what is in force changes.
    pub(super) const fn revision(&self) -> u64 {
        self.revision
    }

    /// By reason, since the process began.
    pub(super) const fn refused_in_all(&self) -> &BTreeMap<&'static str, u64> {
        &self.refused_in_all
    }
}

/// Whether it is the same object: most often it is the very one that was read before.
fn same(a: &Arc<PublishedService>, b: &Arc<PublishedService>) -> bool {
    Arc::ptr_eq(a, b) || a == b
}
