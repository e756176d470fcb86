//! Which ListenerSets belong to the served Gateways, and which of them are taken.

use std::collections::{HashMap, HashSet};

use mcwan_gateway_api::listenersets::ListenerSet;

use super::finding::{Fault, Field, Findings, NOT_ALLOWED, PARENT_NOT_ACCEPTED};
use super::gateways::ServedGateway;
use super::index::{GATEWAY_GROUP, Index};
use super::listeners::{Parent, ParentKind, age};
use super::namespaces::{Admitted, NamespacesSource};
use crate::object::{Key, reference};
use crate::problem::Problem;

type Set<'a> = (&'a Key, &'a ListenerSet);

/// The ListenerSets of the served Gateways.
pub(super) struct Sets<'a> {
    /// Those that are taken, Gateway by Gateway, in order of precedence.
    pub(super) taken: Vec<Vec<Set<'a>>>,
    /// Those that are not.
    pub(super) refused: HashSet<Parent<'a>>,
}

/// Sorts the ListenerSets by Gateway. Those of Gateways that are not served here are left out without a word.
pub(super) fn of<'a>(
    index: &Index<'a>,
    gateways: &[ServedGateway<'a>],
    problems: &mut Vec<Problem>,
) -> Sets<'a> {
    let mut sets = Sets {
        taken: vec![Vec::new(); gateways.len()],
        refused: HashSet::new(),
    };
    let by_key: HashMap<_, _> = gateways
        .iter()
        .enumerate()
        .map(|(i, g)| (g.key, i))
        .collect();
    let admitted: Vec<_> = gateways.iter().map(|g| admitted(g, problems)).collect();
    for (key, set) in &index.snapshot.listener_sets {
        let set = (key, set.as_ref());
        let Some(gateway) = gateway_key(set) else {
            continue;
        };
        let Some(&i) = by_key.get(&gateway) else {
            if !index.snapshot.gateways.contains_key(&gateway) {
                report(set, missing(&gateway), problems);
            }
            continue;
        };
        let allowed = admitted
            .get(i)
            .is_some_and(|a| a.admits(index, &gateway.0, &key.0));
        if let (true, Some(taken)) = (allowed, sets.taken.get_mut(i)) {
            taken.push(set);
        } else {
            sets.refused.insert(Parent {
                kind: ParentKind::ListenerSet,
                namespace: &key.0,
                name: &key.1,
            });
            report(set, not_allowed(&gateway), problems);
        }
    }
    sets.taken.iter_mut().for_each(|t| t.sort_by_key(age));
    sets
}

/// The Gateway that a set names; None when it names something else.
pub(crate) fn gateway_key((key, set): (&Key, &ListenerSet)) -> Option<Key> {
    let parent = &set.spec.parent_ref;
    let group = parent.group.as_deref().unwrap_or(GATEWAY_GROUP);
    let kind = parent.kind.as_deref().unwrap_or("Gateway");
    let namespace = parent.namespace.as_ref().unwrap_or(&key.0);
    (group == GATEWAY_GROUP && kind == "Gateway").then(|| (namespace.clone(), parent.name.clone()))
}

/// Without `allowedListeners` a Gateway takes no ListenerSet.
fn admitted(gateway: &ServedGateway<'_>, problems: &mut Vec<Problem>) -> Admitted {
    let allowed = gateway.object.spec.allowed_listeners.as_ref();
    let source = allowed
        .and_then(|a| a.namespaces.as_ref())
        .map(NamespacesSource::read);
    Admitted::read(source, Admitted::Nobody).unwrap_or_else(|fault| {
        let mut findings = Findings::default();
        findings.add(
            &Field::root("spec").at("allowedListeners").at("namespaces"),
            fault,
        );
        problems.extend(findings.problems(&reference(gateway.object), ""));
        Admitted::Nobody
    })
}

fn report((_, set): Set<'_>, fault: Fault, problems: &mut Vec<Problem>) {
    let mut findings = Findings::default();
    findings.add(&Field::root("spec").at("parentRef"), fault);
    problems.extend(findings.problems(&reference(set), ""));
}

fn missing((namespace, name): &Key) -> Fault {
    Fault::new(
        PARENT_NOT_ACCEPTED,
        format!("there is no Gateway {namespace}/{name}"),
        "create the Gateway, or name another in parentRef",
    )
}

fn not_allowed((namespace, name): &Key) -> Fault {
    Fault::new(
        NOT_ALLOWED,
        format!("Gateway {namespace}/{name} takes no ListenerSets from this namespace"),
        "admit the namespace in spec.allowedListeners of the Gateway",
    )
}
