//! `Programmed`, honestly: what every live gateway has said that it serves, and nothing else.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use super::condition::{Answer, Verdict};
use super::target::Target;
use crate::object::Key;
use crate::problem::ObjectRef;
use crate::served::Served;

/// The answers of the live gateways.
#[derive(Debug, Default)]
pub(super) struct Programmed<'a> {
    processes: BTreeMap<Key, Vec<Process<'a>>>,
    /// Gateways of which something has still to be confirmed.
    awaited: RefCell<BTreeSet<Key>>,
}

/// One process and the objects that it serves.
#[derive(Debug)]
struct Process<'a> {
    served: &'a Served,
    objects: HashMap<&'a ObjectRef, (&'a str, i64)>,
}

/// A socket that does not accept connections.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Unbound {
    pub(super) listener: String,
    pub(super) address: IpAddr,
    pub(super) message: String,
}

impl<'a> Programmed<'a> {
    /// Sorts the answers by Gateway.
    pub(super) fn of(answers: &'a [Served]) -> Self {
        let mut programmed = Self::default();
        for served in answers {
            let objects = served.objects.iter();
            let process = Process {
                served,
                objects: objects
                    .map(|o| (&o.object, (o.uid.as_str(), o.generation)))
                    .collect(),
            };
            let gateway = (served.namespace.clone(), served.name.clone());
            programmed
                .processes
                .entry(gateway)
                .or_default()
                .push(process);
        }
        programmed
    }

    /// Whether every live gateway of these Gateways serves the object as it is. Once that was so it stays so for this
    /// generation (`before`): a gateway that starts anew does not take it back.
    pub(super) fn confirm<'g>(
        &self,
        object: &Target,
        gateways: impl IntoIterator<Item = &'g Key>,
        before: bool,
    ) -> Verdict {
        let missing: Vec<(&Key, String)> = gateways
            .into_iter()
            .filter_map(|g| Some((g, self.missing(object, g)?)))
            .collect();
        let Some((_, message)) = missing.first().filter(|_| !before) else {
            return Verdict::yes("Programmed", "every live gateway serves this generation");
        };
        let verdict = Verdict::new(Answer::Unknown, "Pending", message.clone());
        let gateways = missing.into_iter().map(|(g, _)| g.clone());
        self.awaited.borrow_mut().extend(gateways);
        verdict
    }

    /// What is missing before a Gateway's processes all serve the object.
    fn missing(&self, object: &Target, gateway: &Key) -> Option<String> {
        let (namespace, name) = gateway;
        let processes = self.live(gateway);
        if processes.is_empty() {
            return Some(format!(
                "no gateway of Gateway {namespace}/{name} has answered yet"
            ));
        }
        let generation = object.stamp.generation.unwrap_or_default();
        let serving = processes
            .iter()
            .filter(|p| p.objects.get(&object.object) == Some(&(object.uid.as_str(), generation)))
            .count();
        let all = processes.len();
        (serving < all).then(|| {
            format!("{serving} of {all} gateways of Gateway {namespace}/{name} serve this generation so far")
        })
    }

    fn live(&self, gateway: &Key) -> &[Process<'a>] {
        self.processes.get(gateway).map_or(&[], Vec::as_slice)
    }

    /// Sockets that a Gateway's processes could not bind, sorted. As long as there are any, they are asked again.
    pub(super) fn unbound(&self, gateway: &Key) -> BTreeSet<Unbound> {
        let processes = self.live(gateway).iter();
        let listeners = processes.flat_map(|p| &p.served.listeners);
        let unbound: BTreeSet<Unbound> = listeners
            .filter(|l| !l.error.is_empty())
            .map(|l| Unbound {
                listener: l.listener.clone(),
                address: l.socket.ip(),
                message: format!("{}: {}", l.socket, l.error),
            })
            .collect();
        if !unbound.is_empty() {
            self.expect(gateway);
        }
        unbound
    }

    /// Whether each live process of a Gateway accepts connections on a port.
    pub(super) fn accepts(&self, gateway: &Key, port: u16) -> bool {
        let processes = self.live(gateway);
        !processes.is_empty()
            && processes.iter().all(|p| {
                let mut listeners = p.served.listeners.iter();
                listeners.any(|l| l.socket.port() == port && l.error.is_empty())
            })
    }

    /// Has a Gateway's processes asked again.
    pub(super) fn expect(&self, gateway: &Key) {
        self.awaited.borrow_mut().insert(gateway.clone());
    }

    /// The Gateways of which something has still to be confirmed.
    pub(super) fn awaited(self) -> BTreeSet<Key> {
        self.awaited.into_inner()
    }
}
