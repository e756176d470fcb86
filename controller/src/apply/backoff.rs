//! When a write that failed is tried again. Time and chance are arguments.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::{Duration, Instant};

use mcwan_k8s::operator::Change;
use mcwan_k8s::problem::ObjectRef;

use super::failure::Failure;

/// Pause after the first failure.
const FIRST: Duration = Duration::from_millis(250);
/// Longest pause.
const LONGEST: Duration = Duration::from_secs(30);

/// Object and verb: a status that fails does not hold up an apply.
type Key = (ObjectRef, u8);

/// Writes that failed and were not repeated with success since.
#[derive(Debug, Clone, Default)]
pub struct Backoff {
    failing: BTreeMap<Key, Failing>,
}

#[derive(Debug, Clone)]
struct Failing {
    /// What was to be written: something else is tried at once.
    what: u64,
    failure: Failure,
    number: u64,
    due: Instant,
}

impl Backoff {
    /// Whether a change may be tried now.
    #[must_use]
    pub fn is_due(&self, change: &Change, now: Instant) -> bool {
        let failing = self.failing.get(&key(change));
        failing.is_none_or(|f| f.what != what(change) || f.due <= now)
    }

    /// A change failed. `chance`, from 0 to 1, spreads the pauses between half and the whole of their length. Returns the
    /// failure and how often the same change has failed.
    pub(super) fn failed(
        &mut self,
        change: &Change,
        failure: Failure,
        now: Instant,
        chance: f64,
    ) -> Option<(&Failure, u64)> {
        let what = what(change);
        let key = key(change);
        let before = self
            .failing
            .get(&key)
            .filter(|f| f.what == what)
            .map_or(0, |f| f.number);
        let failing = Failing {
            what,
            failure,
            number: before + 1,
            due: now + pause(before).mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0),
        };
        self.failing.insert(key.clone(), failing);
        self.failing.get(&key).map(|f| (&f.failure, f.number))
    }

    /// A change was made.
    pub fn succeeded(&mut self, change: &Change) {
        self.failing.remove(&key(change));
    }

    /// Forgets what nobody wants to write any more.
    pub fn keep(&mut self, wanted: &[Change]) {
        if !self.failing.is_empty() {
            let wanted: BTreeSet<Key> = wanted.iter().map(key).collect();
            self.failing.retain(|key, _| wanted.contains(key));
        }
    }

    /// When the first of them is due.
    #[must_use]
    pub fn next_due(&self) -> Option<Instant> {
        self.failing.values().map(|f| f.due).min()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.failing.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.failing.is_empty()
    }

    /// What fails, and why.
    pub(super) fn failing(&self) -> impl Iterator<Item = (&ObjectRef, &Failure)> {
        self.failing
            .iter()
            .map(|((object, _), f)| (object, &f.failure))
    }
}

/// The pause after so many failures before this one.
fn pause(before: u64) -> Duration {
    let doublings = u32::try_from(before).unwrap_or(u32::MAX).min(16);
    FIRST.saturating_mul(1 << doublings).min(LONGEST)
}

fn key(change: &Change) -> Key {
    let verb = match change {
        Change::Apply(_) => 0,
        Change::Delete(_) => 1,
        Change::Status(_) => 2,
    };
    (change.object().clone(), verb)
}

/// What is to be written, in short.
fn what(change: &Change) -> u64 {
    let mut hash = DefaultHasher::new();
    match change {
        Change::Apply(apply) => apply.digest.hash(&mut hash),
        Change::Delete(delete) => (&delete.uid, &delete.resource_version).hash(&mut hash),
        Change::Status(write) => {
            (&write.resource_version, write.status.to_string()).hash(&mut hash);
        }
    }
    hash.finish()
}

#[cfg(test)]
mod tests {
    use mcwan_k8s::operator::Delete;

    use super::*;

    fn change(version: &str) -> Change {
        Change::Delete(Delete {
            object: ObjectRef {
                group: String::new(),
                kind: "Service".to_owned(),
                namespace: "a".to_owned(),
                name: "b".to_owned(),
            },
            uid: "u".to_owned(),
            resource_version: version.to_owned(),
        })
    }

    fn fail(backoff: &mut Backoff, now: Instant) {
        let failure = Failure::timeout();
        assert!(backoff.failed(&change("1"), failure, now, 1.0).is_some());
    }

    #[test]
    fn pauses_grow_to_half_a_minute_and_no_further() {
        let start = Instant::now();
        let mut backoff = Backoff::default();
        let mut pauses = Vec::new();
        for _ in 0..20 {
            fail(&mut backoff, start);
            pauses.push(backoff.next_due().unwrap() - start);
        }
        assert_eq!(pauses[0], FIRST);
        assert!(pauses.is_sorted());
        assert_eq!(pauses[19], LONGEST);
    }

    #[test]
    fn chance_takes_away_half_at_most() {
        let start = Instant::now();
        for chance in [0.0, 0.3, 1.0, 7.0, -7.0] {
            let mut backoff = Backoff::default();
            assert!(
                backoff
                    .failed(&change("1"), Failure::timeout(), start, chance)
                    .is_some()
            );
            let pause = backoff.next_due().unwrap() - start;
            assert!(pause >= FIRST / 2 && pause <= FIRST, "{pause:?}");
        }
    }

    #[test]
    fn another_change_of_the_same_object_does_not_wait() {
        let start = Instant::now();
        let mut backoff = Backoff::default();
        fail(&mut backoff, start);
        assert!(!backoff.is_due(&change("1"), start));
        assert!(backoff.is_due(&change("2"), start));
        assert!(backoff.is_due(&change("1"), start + FIRST));
    }

    #[test]
    fn what_nobody_wants_any_more_and_what_succeeded_is_forgotten() {
        let start = Instant::now();
        let mut backoff = Backoff::default();
        fail(&mut backoff, start);
        backoff.keep(&[change("1")]);
        assert_eq!(backoff.len(), 1);
        backoff.keep(&[]);
        assert!(backoff.is_empty());
        fail(&mut backoff, start);
        backoff.succeeded(&change("1"));
        assert_eq!(backoff.next_due(), None);
    }
}
