//! What was written and compared before.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{Apply, Delete, Digest};
use crate::object::Object;
use crate::problem::ObjectRef;
use crate::status::StatusWrite;

/// How long a write may take to come back through the watch before it is doubted and done again.
const ECHO: SignedDuration = SignedDuration::from_secs(10);

/// What was done to each object last, and which were found to be as wanted. Empty at the start of a process: everything is
/// then compared once, and nothing is written that is as it should be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    deeds: BTreeMap<ObjectRef, Deed>,
    /// Statuses that were written, and over which version.
    statuses: BTreeMap<ObjectRef, Write>,
}

/// What was done to an object.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Deed {
    /// Version `version` of it is the wanted one with this digest: it was found so, or the API server answered so.
    Settled {
        digest: Digest,
        version: String,
        write: Option<Write>,
    },
    /// It was deleted.
    Deleted { uid: String, at: Timestamp },
}

/// A write that may not have come back through the watch.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Write {
    /// The version before; none if the object was not there.
    over: Option<String>,
    at: Timestamp,
}

impl Write {
    fn is_awaited(&self, seen: Option<&str>, now: Timestamp) -> bool {
        self.over.as_deref() == seen && now.duration_since(self.at) < ECHO
    }
}

impl Memory {
    /// Takes note of a successful apply, which left the object at `version`.
    pub fn applied(&mut self, apply: &Apply, version: impl Into<String>, now: Timestamp) {
        let deed = Deed::Settled {
            digest: apply.digest,
            version: version.into(),
            write: Some(Write {
                over: apply.over.clone(),
                at: now,
            }),
        };
        self.deeds.insert(apply.object.clone(), deed);
    }

    /// Takes note of a successful delete.
    pub fn deleted(&mut self, delete: &Delete, now: Timestamp) {
        let deed = Deed::Deleted {
            uid: delete.uid.clone(),
            at: now,
        };
        self.deeds.insert(delete.object.clone(), deed);
    }

    /// Takes note of a status that was written.
    pub fn told(&mut self, status: &StatusWrite, now: Timestamp) {
        let write = Write {
            over: status.resource_version.clone(),
            at: now,
        };
        self.statuses.insert(status.object.clone(), write);
    }

    /// Whether the object, which was seen in this version, is older than a write to it that was made.
    pub(super) fn is_awaited(
        &self,
        object: &ObjectRef,
        seen: Option<&str>,
        now: Timestamp,
    ) -> bool {
        let applied = match self.deeds.get(object) {
            Some(Deed::Settled { write, .. }) => write.as_ref(),
            Some(Deed::Deleted { .. }) | None => None,
        };
        let mut writes = applied.into_iter().chain(self.statuses.get(object));
        writes.any(|w| w.is_awaited(seen, now))
    }

    /// Takes note that the object that is there is as wanted.
    pub(super) fn found(&mut self, object: ObjectRef, digest: Digest, version: String) {
        let deed = Deed::Settled {
            digest,
            version,
            write: None,
        };
        self.deeds.insert(object, deed);
    }

    /// Whether the object that is there needs no look: it is known to be as wanted, or it is older than the last write.
    pub(super) fn is_settled(
        &self,
        object: &ObjectRef,
        wanted: Digest,
        there: Option<&Object>,
        now: Timestamp,
    ) -> bool {
        let Some(Deed::Settled {
            digest,
            version,
            write,
        }) = self.deeds.get(object)
        else {
            return false;
        };
        let seen = there.and_then(|t| t.meta().resource_version.as_deref());
        let stale = write.as_ref().is_some_and(|w| w.is_awaited(seen, now));
        *digest == wanted && (seen == Some(version) || stale)
    }

    /// Whether the object that is there is about to go.
    pub(super) fn is_deleted(&self, object: &ObjectRef, uid: &str, now: Timestamp) -> bool {
        match self.deeds.get(object) {
            Some(Deed::Deleted { uid: gone, at }) => gone == uid && now.duration_since(*at) < ECHO,
            Some(Deed::Settled { .. }) | None => false,
        }
    }

    /// Forgets objects that are neither wanted nor there.
    pub(super) fn keep(&mut self, of_interest: impl Fn(&ObjectRef) -> bool) {
        self.deeds.retain(|object, _| of_interest(object));
        self.statuses.retain(|object, _| of_interest(object));
    }

    /// Forgets everything, so that all objects are compared again.
    pub fn clear(&mut self) {
        self.deeds.clear();
        self.statuses.clear();
    }
}
