//! What was read of the peers, and what is known by it. The only clock of the peers is here.

use std::sync::Arc;

use jiff::Timestamp;
use mcwan_k8s::peers::{Peer, Roster};
use mcwan_k8s::status::PeerFacts;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::{Figures, Known};

/// The roster, and what others see of it.
#[derive(Debug)]
pub(super) struct Ledger {
    state: Mutex<State>,
    known: watch::Sender<Option<Arc<Known>>>,
    figures: Figures,
}

#[derive(Debug, Default)]
struct State {
    roster: Roster,
    known: Arc<Known>,
    /// The roster's revision that `known` was made of.
    revision: u64,
}

impl Ledger {
    pub(super) fn new(figures: Figures) -> Self {
        Self {
            state: Mutex::default(),
            known: watch::Sender::new(None),
            figures,
        }
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Option<Arc<Known>>> {
        self.known.subscribe()
    }

    /// Changes the roster, and wakes who waits if something that matters is another one than before.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Roster, Timestamp) -> T) -> T {
        let mut state = self.state.lock();
        let answer = change(&mut state.roster, Timestamp::now());
        let known = Arc::new(state.look());
        state.known = Arc::clone(&known);
        self.figures.show(&state.roster);
        // Under the lock, so that what is sent last is what is known last.
        self.known.send_if_modified(|sent| {
            let news = sent.as_ref().is_none_or(|sent| matters(&known, sent));
            *sent = Some(known);
            news
        });
        answer
    }

    /// Changes one peer, if it is still followed.
    pub(super) fn peer(&self, cluster: &str, change: impl FnOnce(&mut Peer, Timestamp)) {
        self.change(|roster, now| {
            if let Some(peer) = roster.get_mut(cluster) {
                change(peer, now);
            }
        });
    }
}

impl State {
    /// What is known now. Offers and copies are large, and made anew only when they changed.
    fn look(&mut self) -> Known {
        let revision = self.roster.revision();
        let (offers, copies) = if revision == self.revision {
            (
                Arc::clone(&self.known.offers),
                Arc::clone(&self.known.copies),
            )
        } else {
            (self.roster.offers().into(), self.roster.copies().into())
        };
        self.revision = revision;
        Known {
            offers,
            copies,
            facts: self.roster.facts(),
            problems: self.roster.problems(),
        }
    }
}

/// Whether there is more between the two than the time of the last synchronization.
fn matters(now: &Known, before: &Known) -> bool {
    let timeless = |facts: &[PeerFacts]| -> Vec<PeerFacts> {
        let timeless = facts.iter().cloned();
        timeless
            .map(|facts| PeerFacts {
                last_sync: None,
                ..facts
            })
            .collect()
    };
    !Arc::ptr_eq(&now.offers, &before.offers)
        || !Arc::ptr_eq(&now.copies, &before.copies)
        || now.problems != before.problems
        || timeless(&now.facts) != timeless(&before.facts)
}
