//! Whether what is in force is what the peer publishes, and what follows from that.

use jiff::Timestamp;

use super::Peer;
use crate::status::{Answer, Verdict};

impl Peer {
    /// Withdraws what may be withdrawn, and says how things stand.
    pub(super) fn settle(&mut self, now: Timestamp) {
        if self.has_all() {
            let complete = self.is_complete(now);
            self.entries.withdraw(complete);
        }
        self.synced = self.verdict(now);
    }

    /// Whether there are as many services in the outbox as the peer says it has published.
    fn has_all(&self) -> bool {
        let said = self
            .published
            .as_ref()
            .and_then(|p| usize::try_from(p.services).ok());
        self.read
            .as_ref()
            .is_some_and(|read| read.believed && said.is_some_and(|said| read.services >= said))
    }

    /// Whether what is not in the list is not offered.
    pub(super) fn is_complete(&self, now: Timestamp) -> bool {
        self.has_all()
            && self.published.as_ref().is_some_and(|p| p.synced)
            && self.lease.is_fresh(now) == Some(true)
    }

    fn verdict(&self, now: Timestamp) -> Verdict {
        let in_force = self.entries.in_force().count();
        let Some(read) = &self.read else {
            let message = format!(
                "the outbox was not read yet; {in_force} services are in force as they were last known"
            );
            return Verdict::new(Answer::Unknown, "Pending", message);
        };
        if self.connected.answer != Answer::True {
            let message =
                format!("not connected; {in_force} services stay in force as they were last read");
            return Verdict::new(Answer::False, "NotConnected", message);
        }
        if !read.believed {
            return self.without_cluster();
        }
        if !self.has_all() {
            let message = format!(
                "the peer says that it has published {} services, {} were read; nothing is withdrawn",
                self.published.as_ref().map_or(0, |p| p.services),
                read.services
            );
            return Verdict::new(Answer::False, "Incomplete", message);
        }
        self.unconfirmed(now)
            .or_else(|| self.refused())
            .unwrap_or_else(|| {
                Verdict::new(
                    Answer::True,
                    "Synced",
                    format!("{in_force} services are in force as published"),
                )
            })
    }

    /// The outbox has no `PublishedCluster` of the expected cluster.
    fn without_cluster(&self) -> Verdict {
        let refusals = self.read.iter().flat_map(|r| &r.refusals);
        let whole = refusals.into_iter().find(|r| r.whole);
        match whole {
            Some(refusal) => Verdict::new(
                Answer::False,
                refusal.reason,
                refusal.problem(&self.expected).message,
            ),
            None => {
                let message = format!(
                    "the outbox has no PublishedCluster {}; nothing is withdrawn",
                    self.expected.cluster
                );
                Verdict::new(Answer::False, "NoPublishedCluster", message)
            }
        }
    }

    /// Nobody vouches that the list is complete.
    fn unconfirmed(&self, now: Timestamp) -> Option<Verdict> {
        let absent = self.entries.absent();
        let left =
            format!("{absent} services that the outbox does not have stay in force until then");
        if !self.published.as_ref().is_some_and(|p| p.synced) {
            let message =
                format!("the peer's controller has not seen all of its cluster yet; {left}");
            return Some(Verdict::new(Answer::False, "PeerNotSynced", message));
        }
        match self.lease.is_fresh(now) {
            Some(true) => None,
            Some(false) => {
                let message = format!("the peer's controller does not renew its Lease; {left}");
                Some(Verdict::new(Answer::False, "LeaseExpired", message))
            }
            None => {
                let message =
                    format!("waiting for the peer's controller to renew its Lease; {left}");
                Some(Verdict::new(Answer::Unknown, "Pending", message))
            }
        }
    }

    /// Something that the peer publishes is not in force. What was only trimmed leaves the peer synced, and is named.
    fn refused(&self) -> Option<Verdict> {
        let refusals = self.refusals();
        let first = refusals.first()?;
        let message = first.problem(&self.expected).message;
        let message = match refusals.len().saturating_sub(1) {
            0 => message,
            more => format!("{message}; and {more} more"),
        };
        let answer = if first.is_grave() {
            Answer::False
        } else {
            Answer::True
        };
        Some(Verdict::new(answer, first.reason, message))
    }
}
