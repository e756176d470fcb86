//! Prefixes by segment.
//!
//! The root is the empty prefix, which takes every path. Below it, each edge is one segment of the value split at `/`;
//! a value begins with `/`, so the first edge is the empty segment. A walk hashes each segment of the request's path at
//! most once and ends where the trie does: linear in the path, whatever the number of prefixes.

use std::collections::BTreeMap;

use super::{Candidates, Found};
use crate::matching::RequestView;
use crate::table::map::StrMap;

/// Number of a node. The root is 0.
type NodeId = usize;

/// Prefixes of one hostname. Without prefixes it has no node at all.
#[derive(Debug, Default)]
pub(super) struct Trie {
    nodes: Box<[Node]>,
}

#[derive(Debug, Default)]
struct Node {
    children: StrMap<NodeId>,
    /// The prefix that ends here, if one does.
    end: Option<Box<End>>,
    /// The nearest node above at which a prefix ends.
    above: Option<NodeId>,
}

#[derive(Debug)]
struct End {
    prefix: Box<str>,
    candidates: Candidates,
}

/// A node while the trie is built.
#[derive(Debug, Default)]
struct Growing {
    children: BTreeMap<Box<str>, NodeId>,
    end: Option<Box<End>>,
    above: Option<NodeId>,
}

impl Trie {
    /// Builds a trie of distinct prefixes in ascending order, so that a prefix comes before what it is a prefix of.
    pub(super) fn new<'p>(prefixes: impl Iterator<Item = (&'p str, Candidates)>) -> Self {
        let mut nodes = Vec::<Growing>::new();
        for (prefix, candidates) in prefixes {
            if nodes.is_empty() {
                nodes.push(Growing::default());
            }
            let id = insert(&mut nodes, prefix);
            if let Some(node) = nodes.get_mut(id) {
                let prefix = prefix.into();
                node.end = Some(Box::new(End { prefix, candidates }));
            }
        }
        Self {
            nodes: nodes.into_iter().map(Growing::freeze).collect(),
        }
    }

    /// The best match of the longest prefix of the path that has one.
    pub(super) fn find(&self, request: &RequestView<'_>) -> Option<Found<'_>> {
        let mut next = Some(self.deepest(request.path)?);
        while let Some(node) = next {
            let found = node.end.as_ref().and_then(|end| {
                let rule = end.candidates.first(request)?;
                let prefix = Some(&*end.prefix);
                Some(Found { rule, prefix })
            });
            if found.is_some() {
                return found;
            }
            next = node.above.and_then(|id| self.nodes.get(id));
        }
        None
    }

    /// Follows the path as far as there are nodes.
    fn deepest(&self, path: &str) -> Option<&Node> {
        let mut node = self.nodes.first()?;
        for segment in path.split('/') {
            match node
                .children
                .get(segment)
                .and_then(|id| self.nodes.get(*id))
            {
                Some(child) => node = child,
                None => break,
            }
        }
        Some(node)
    }
}

/// Makes the nodes of a prefix; returns the last.
fn insert(nodes: &mut Vec<Growing>, prefix: &str) -> NodeId {
    let mut at = 0;
    // The empty prefix is the root itself.
    for segment in prefix.split('/').take_while(|_| !prefix.is_empty()) {
        let new = nodes.len();
        let Some(node) = nodes.get_mut(at) else { break };
        let above = if node.end.is_some() {
            Some(at)
        } else {
            node.above
        };
        at = *node.children.entry(segment.into()).or_insert(new);
        if at == new {
            nodes.push(Growing {
                above,
                ..Growing::default()
            });
        }
    }
    at
}

impl Growing {
    fn freeze(self) -> Node {
        Node {
            children: self.children.into_iter().collect(),
            end: self.end,
            above: self.above,
        }
    }
}
