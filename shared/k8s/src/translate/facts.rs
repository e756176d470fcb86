//! What a translation knows beside the table: who attached to what. Statuses are made of it.

use std::collections::BTreeMap;

use mcwan_routing::rule::RouteKind;

use super::gateways::ServedGateway;
use super::index::{GATEWAY_GROUP, Index};
use super::listeners::{Listener, Listeners, Parent, ParentKind};
use super::sets::gateway_key;
use crate::object::Key;
use crate::problem::ObjectRef;

/// What a translation knows beside the table. Objects of Gateways that are not in its scope are not in here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TranslationFacts {
    /// The Gateways in scope, with their own listeners.
    pub gateways: BTreeMap<Key, Vec<ListenerFacts>>,
    /// The ListenerSets of these Gateways, refused ones included.
    pub listener_sets: BTreeMap<Key, SetFacts>,
    /// The routes with a parent among these, one item for each of their `parentRefs`.
    pub routes: BTreeMap<ObjectRef, Vec<Option<ParentFacts>>>,
}

/// A `ListenerSet` of a Gateway in scope.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SetFacts {
    /// Its Gateway.
    pub gateway: Key,
    /// Its listeners; none when the Gateway does not take it.
    pub listeners: Vec<ListenerFacts>,
}

/// A listener, served or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerFacts {
    /// Its name: unique in its object.
    pub name: String,
    /// Position in `spec.listeners`.
    pub position: usize,
    /// Its port.
    pub port: u16,
    /// Kinds of routes that may attach, in the order of `allowedRoutes.kinds`.
    pub kinds: Vec<RouteKind>,
}

/// A parent reference that is ours to judge.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParentFacts {
    /// How problems name the parent: [`Problem::parent`](crate::problem::Problem::parent).
    pub label: String,
    /// The listeners that take the route; none: it is refused.
    pub listeners: Vec<AttachedListener>,
}

/// A listener that takes a route.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AttachedListener {
    /// The Gateway that it belongs to.
    pub gateway: Key,
    /// The object that it stands in: that Gateway, or a `ListenerSet` of it.
    pub parent: ObjectRef,
    /// Position in `spec.listeners` of that object.
    pub position: usize,
}

impl TranslationFacts {
    /// What is known before routes are looked at.
    pub(super) fn of(
        index: &Index<'_>,
        gateways: &[ServedGateway<'_>],
        listeners: &Listeners<'_>,
    ) -> Self {
        let mut facts = Self::default();
        for gateway in gateways {
            facts.gateways.insert(gateway.key.clone(), Vec::new());
        }
        for (key, set) in &index.snapshot.listener_sets {
            let owner = gateway_key((key, set)).filter(|g| facts.gateways.contains_key(g));
            if let Some(gateway) = owner {
                let listeners = Vec::new();
                let set = SetFacts { gateway, listeners };
                facts.listener_sets.insert(key.clone(), set);
            }
        }
        for listener in &listeners.list {
            let parent = listener.parent;
            let key = (parent.namespace.to_owned(), parent.name.to_owned());
            let list = match parent.kind {
                ParentKind::Gateway => facts.gateways.get_mut(&key),
                ParentKind::ListenerSet => {
                    let set = facts.listener_sets.get_mut(&key);
                    set.map(|s| &mut s.listeners)
                }
            };
            list.into_iter().for_each(|l| l.push(known(listener)));
        }
        facts
    }
}

fn known(listener: &Listener<'_>) -> ListenerFacts {
    ListenerFacts {
        name: listener.name.clone(),
        position: listener.position,
        port: listener.port,
        kinds: listener.kinds.clone(),
    }
}

/// A listener that takes a route; `gateways` are those in scope.
pub(super) fn attached(
    listener: &Listener<'_>,
    gateways: &[ServedGateway<'_>],
) -> Option<AttachedListener> {
    Some(AttachedListener {
        gateway: gateways.get(listener.gateway)?.key.clone(),
        parent: object(&listener.parent),
        position: listener.position,
    })
}

fn object(parent: &Parent<'_>) -> ObjectRef {
    ObjectRef {
        group: GATEWAY_GROUP.to_owned(),
        kind: parent.kind.as_str().to_owned(),
        namespace: parent.namespace.to_owned(),
        name: parent.name.to_owned(),
    }
}
