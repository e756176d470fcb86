//! What is watched.

use mcwan_k8s::kinds::GROUP;
use mcwan_k8s::names::NAMESPACE;
use mcwan_k8s::object::{Kind, kinds};

const GATEWAY_API: &str = "gateway.networking.k8s.io";

/// Some objects to watch: a kind, perhaps of one namespace, perhaps of one name.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The kind.
    pub kind: &'static Kind,
    /// Only objects of this namespace; all without it.
    pub namespace: Option<String>,
    /// Only the object of this name; all without it.
    pub name: Option<String>,
    /// Whether the snapshot waits for the kind to be served. Others count as empty while their CRD is not installed.
    pub required: bool,
}

impl Wanted {
    const fn all(kind: &'static Kind, required: bool) -> Self {
        Self {
            kind,
            namespace: None,
            name: None,
            required,
        }
    }
}

/// A set of kinds to watch.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    wanted: Vec<Wanted>,
}

impl Selection {
    /// What [`translate`](mcwan_k8s::translate::translate) needs to know, and the properties that tell the cluster's name.
    #[must_use]
    pub fn gateway() -> Self {
        Self::of(|kind| {
            matches!(
                (&*kind.group, &*kind.kind),
                ("", "Namespace" | "Service")
                    | ("discovery.k8s.io", "EndpointSlice")
                    | ("about.k8s.io", "ClusterProperty")
                    | ("multicluster.x-k8s.io", "ServiceImport")
                    | (GROUP, "WANPolicy")
                    | (GATEWAY_API, _)
            )
        })
    }

    /// Everything that is read, but no Secrets and no `ConfigMap`s: those may hold anything, and nothing decides by them.
    #[must_use]
    pub fn controller() -> Self {
        Self::of(|kind| !(kind.group.is_empty() && matches!(&*kind.kind, "Secret" | "ConfigMap")))
    }

    /// What a cluster offers to its peers: the two kinds of the outbox in namespace `mc-wan`.
    #[must_use]
    pub fn outbox() -> Self {
        let mut outbox = Self::of(|kind| kind.group == GROUP && kind.kind.starts_with("Published"));
        for wanted in &mut outbox.wanted {
            wanted.namespace = Some(NAMESPACE.to_owned());
        }
        outbox
    }

    /// One Secret.
    #[must_use]
    pub fn secret(namespace: &str, name: &str) -> Self {
        let mut secret = Self::of(|kind| kind.group.is_empty() && kind.kind == "Secret");
        for wanted in &mut secret.wanted {
            wanted.namespace = Some(namespace.to_owned());
            wanted.name = Some(name.to_owned());
        }
        secret
    }

    /// All objects of some kinds.
    #[must_use]
    pub fn of(choose: impl Fn(&Kind) -> bool) -> Self {
        let chosen = kinds().iter().filter(|kind| choose(kind));
        Self {
            wanted: chosen
                .map(|kind| Wanted::all(kind, required(kind)))
                .collect(),
        }
    }

    /// This and another selection. What both want is watched once where they want the same objects of it.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        for more in other.wanted {
            let known = self.wanted.iter().any(|w| {
                std::ptr::eq(w.kind, more.kind)
                    && w.namespace == more.namespace
                    && w.name == more.name
            });
            if !known {
                self.wanted.push(more);
            }
        }
        self
    }

    /// What it consists of.
    #[must_use]
    pub fn wanted(&self) -> &[Wanted] {
        &self.wanted
    }
}

/// Whether a snapshot without the kind would be a lie. The APIs of others may be absent; so may the kinds of routes that
/// older releases of the Gateway API have only in their experimental channel.
fn required(kind: &Kind) -> bool {
    match &*kind.group {
        "multicluster.x-k8s.io" | "about.k8s.io" => false,
        GATEWAY_API => !matches!(&*kind.kind, "TLSRoute" | "TCPRoute" | "UDPRoute"),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(selection: &Selection) -> Vec<&str> {
        selection.wanted().iter().map(|w| &*w.kind.kind).collect()
    }

    #[test]
    fn only_a_selection_that_names_one_reads_a_secret() {
        assert!(!names(&Selection::gateway()).contains(&"Secret"));
        assert!(!names(&Selection::controller()).contains(&"Secret"));
        let one = Selection::secret("mc-wan", "peer");
        assert_eq!(names(&one), ["Secret"]);
        assert_eq!(one.wanted()[0].name.as_deref(), Some("peer"));
    }

    #[test]
    fn the_outbox_is_two_kinds_of_one_namespace() {
        let outbox = Selection::outbox();
        assert_eq!(names(&outbox), ["PublishedCluster", "PublishedService"]);
        for wanted in outbox.wanted() {
            assert_eq!(wanted.namespace.as_deref(), Some("mc-wan"));
            assert!(wanted.required);
        }
    }

    #[test]
    fn the_controller_sees_all_that_the_gateway_sees() {
        let (gateway, controller) = (Selection::gateway(), Selection::controller());
        for name in names(&gateway) {
            assert!(names(&controller).contains(&name), "{name}");
        }
        let both = controller.clone().and(gateway);
        assert_eq!(both.wanted().len(), controller.wanted().len());
    }
}
