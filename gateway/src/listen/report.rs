//! What became of each socket of the table: for readiness and debug pages.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::watch;

/// State of one socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SocketState {
    /// Connections are accepted.
    Listening,
    /// It could not be bound, for this reason; tried again every second.
    Failed(String),
}

/// The sockets at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Sockets {
    /// Generation of the table that the sockets follow; 0 before the first.
    pub generation: u64,
    /// Each socket that the table wants.
    pub states: BTreeMap<SocketAddr, SocketState>,
}

impl Sockets {
    /// Whether every socket of a published table accepts connections.
    #[must_use]
    pub fn all_listening(&self) -> bool {
        self.generation > 0 && self.states.values().all(|s| *s == SocketState::Listening)
    }

    /// Why a socket does not accept connections; None when it does.
    #[must_use]
    pub fn error(&self, socket: SocketAddr) -> Option<String> {
        match self.states.get(&socket) {
            Some(SocketState::Listening) => None,
            Some(SocketState::Failed(reason)) => Some(reason.clone()),
            None => Some("not yet bound".to_owned()),
        }
    }

    /// The sockets that could not be bound, one line each.
    #[must_use]
    pub fn failures(&self) -> Vec<String> {
        let failed = |(socket, state): (&SocketAddr, &SocketState)| match state {
            SocketState::Listening => None,
            SocketState::Failed(reason) => Some(format!("cannot listen on {socket}: {reason}")),
        };
        self.states.iter().filter_map(failed).collect()
    }
}

/// Shared view of the sockets: one writer, any number of readers.
#[derive(Debug, Clone)]
pub struct ListenReport {
    sockets: Arc<watch::Sender<Sockets>>,
    open: Arc<Mutex<BTreeMap<SocketAddr, Arc<AtomicUsize>>>>,
}

impl Default for ListenReport {
    fn default() -> Self {
        Self {
            sockets: Arc::new(watch::Sender::new(Sockets::default())),
            open: Arc::default(),
        }
    }
}

impl ListenReport {
    /// The sockets now.
    #[must_use]
    pub fn sockets(&self) -> Sockets {
        self.sockets.borrow().clone()
    }

    /// Wakes at each change.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Sockets> {
        self.sockets.subscribe()
    }

    /// Connections that are open on a socket, also after it was closed.
    #[must_use]
    pub fn connections(&self, socket: SocketAddr) -> usize {
        self.open
            .lock()
            .get(&socket)
            .map_or(0, |open| open.load(Ordering::Relaxed))
    }

    /// The counter of a socket's open connections.
    pub(super) fn counter(&self, socket: SocketAddr) -> Arc<AtomicUsize> {
        let mut open = self.open.lock();
        // Sockets that are long gone need no counter.
        open.retain(|_, counter| Arc::strong_count(counter) > 1);
        Arc::clone(open.entry(socket).or_default())
    }

    /// Publishes a new state, if it differs.
    pub(crate) fn publish(&self, sockets: Sockets) {
        self.sockets.send_if_modified(|old| {
            let changed = *old != sockets;
            *old = sockets;
            changed
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_listens_before_the_first_table() {
        assert!(!ListenReport::default().sockets().all_listening());
    }

    #[test]
    fn a_failed_socket_is_named_with_its_reason() {
        let socket: SocketAddr = "127.0.0.1:80".parse().unwrap();
        let report = ListenReport::default();
        report.publish(Sockets {
            generation: 1,
            states: BTreeMap::from([(socket, SocketState::Failed("in use".to_owned()))]),
        });
        assert!(!report.sockets().all_listening());
        assert_eq!(
            report.sockets().failures(),
            ["cannot listen on 127.0.0.1:80: in use"]
        );
    }
}
