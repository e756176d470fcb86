//! The listeners of the served Gateways: their own, and those of the ListenerSets that they take.

use std::collections::{HashMap, HashSet};

use mcwan_gateway_api::listenersets::ListenerSet;
use mcwan_routing::hostname::HostPattern;
use mcwan_routing::rule::RouteKind;
use mcwan_routing::spec::RouteEntry;

use super::conflicts::Claims;
use super::finding::{Fault, Field, Findings, LISTENERS_NOT_VALID};
use super::gateways::ServedGateway;
use super::index::{Index, created};
use super::namespaces::Admitted;
use super::sets::{self, Sets};
use super::source::{self, ListenerSource};
use crate::object::{Key, reference};
use crate::problem::{ObjectRef, Problem};

/// The kinds of objects that hold listeners.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum ParentKind {
    Gateway,
    ListenerSet,
}

impl ParentKind {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "Gateway",
            Self::ListenerSet => "ListenerSet",
        }
    }
}

/// The object that a listener stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Parent<'a> {
    pub(super) kind: ParentKind,
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
}

/// What a listener speaks, as far as it shares a port with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Protocol {
    Http,
    Tls,
    Tcp,
    Udp,
}

/// One listener. Those that are not served stay in the list: routes may name them.
pub(super) struct Listener<'a> {
    /// Position of its Gateway among the served ones.
    pub(super) gateway: usize,
    pub(super) parent: Parent<'a>,
    pub(super) name: String,
    /// Position in `spec.listeners`.
    pub(super) position: usize,
    pub(super) port: u16,
    /// None: of no known protocol, so it takes no part in conflicts.
    pub(super) protocol: Option<Protocol>,
    pub(super) hostname: HostPattern,
    /// Kinds of routes that may attach.
    pub(super) kinds: Vec<RouteKind>,
    pub(super) namespaces: Admitted,
    pub(super) served: bool,
    pub(super) routes: Vec<RouteEntry>,
}

/// All listeners, in the order in which they get sockets.
#[derive(Default)]
pub(super) struct Listeners<'a> {
    pub(super) list: Vec<Listener<'a>>,
    by_parent: HashMap<Parent<'a>, std::ops::Range<usize>>,
    /// ListenerSets of served Gateways that were refused.
    refused: HashSet<Parent<'a>>,
}

/// What is known of a parent that a route names.
pub(super) enum Known<'l, 'a> {
    /// It is served; its listeners, and the position of the first.
    Served(usize, &'l [Listener<'a>]),
    /// A ListenerSet that its Gateway does not take.
    Refused,
    /// Not served by this process.
    Unknown,
}

impl<'a> Listeners<'a> {
    /// Looks a parent up.
    pub(super) fn of(&self, parent: &Parent<'_>) -> Known<'_, 'a> {
        if let Some(range) = self.by_parent.get(parent) {
            let listeners = self.list.get(range.clone()).unwrap_or_default();
            return Known::Served(range.start, listeners);
        }
        if self.refused.contains(parent) {
            Known::Refused
        } else {
            Known::Unknown
        }
    }

    fn add(&mut self, parent: Parent<'a>, listeners: Vec<Listener<'a>>) {
        let start = self.list.len();
        self.list.extend(listeners);
        self.by_parent.insert(parent, start..self.list.len());
    }
}

/// Reads the listeners of all Gateways. Precedence within one Gateway: its own listeners, then its ListenerSets by
/// age, then by namespace and name (`ListenerSetSpec.listeners`).
pub(super) fn collect<'a>(
    index: &Index<'a>,
    gateways: &[ServedGateway<'a>],
    problems: &mut Vec<Problem>,
) -> Listeners<'a> {
    let mut listeners = Listeners::default();
    let Sets { taken, refused } = sets::of(index, gateways, problems);
    listeners.refused = refused;
    for (i, (gateway, sets)) in gateways.iter().zip(taken).enumerate() {
        let mut claims = Claims::default();
        let sources = gateway
            .object
            .spec
            .listeners
            .iter()
            .map(ListenerSource::read);
        let owner = Owner::of(i, ParentKind::Gateway, gateway.key);
        let object = reference(gateway.object);
        listeners.add(
            owner.parent,
            owner.read(&object, sources, &mut claims, problems),
        );
        for set in sets {
            let (parent, own) = read_set(i, set, &mut claims, problems);
            listeners.add(parent, own);
        }
    }
    listeners
}

fn read_set<'a>(
    gateway: usize,
    (key, set): (&'a Key, &'a ListenerSet),
    claims: &mut Claims,
    problems: &mut Vec<Problem>,
) -> (Parent<'a>, Vec<Listener<'a>>) {
    let owner = Owner::of(gateway, ParentKind::ListenerSet, key);
    let object = reference(set);
    let sources = set.spec.listeners.iter().map(ListenerSource::read);
    let listeners = owner.read(&object, sources, claims, problems);
    if !listeners.iter().any(|l| l.served) {
        let mut findings = Findings::default();
        let fault = Fault::new(
            LISTENERS_NOT_VALID,
            "no listener of this ListenerSet can be served",
            "see the problems of its listeners",
        );
        findings.add(&Field::root("spec").at("listeners"), fault);
        problems.extend(findings.problems(&object, ""));
    }
    (owner.parent, listeners)
}

/// The object whose listeners are being read.
struct Owner<'a> {
    gateway: usize,
    parent: Parent<'a>,
}

impl<'a> Owner<'a> {
    fn of(gateway: usize, kind: ParentKind, (namespace, name): &'a Key) -> Self {
        Self {
            gateway,
            parent: Parent {
                kind,
                namespace,
                name,
            },
        }
    }

    /// Reads the listeners of one object and settles their conflicts with those before them.
    fn read(
        &self,
        object: &ObjectRef,
        sources: impl Iterator<Item = ListenerSource>,
        claims: &mut Claims,
        problems: &mut Vec<Problem>,
    ) -> Vec<Listener<'a>> {
        let mut findings = Findings::default();
        let mut names = HashSet::new();
        let mut listeners = Vec::new();
        for (position, source) in sources.enumerate() {
            if source::has_own_name(&source, position, &mut names, &mut findings) {
                listeners.push(self.listener(position, source, &mut findings));
            }
        }
        claims.settle(&mut listeners, &mut findings);
        problems.extend(findings.problems(object, ""));
        listeners
    }

    fn listener(
        &self,
        position: usize,
        source: ListenerSource,
        findings: &mut Findings,
    ) -> Listener<'a> {
        let spec = Field::root("spec");
        let field = spec.nth("listeners", position);
        let read = source::read(&source, &field, findings);
        Listener {
            gateway: self.gateway,
            parent: self.parent,
            name: source.name,
            position,
            port: read.port,
            protocol: read.protocol,
            hostname: read.hostname,
            kinds: read.kinds,
            namespaces: read.namespaces,
            served: read.served,
            routes: Vec::new(),
        }
    }
}

/// Seconds and key: the precedence of ListenerSets.
pub(super) fn age<'a>((key, set): &(&'a Key, &'a ListenerSet)) -> (i64, &'a Key) {
    (created(&set.metadata), key)
}
