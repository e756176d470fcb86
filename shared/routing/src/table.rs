//! The indexed table: listener → host → path → matches by precedence.

use std::sync::Arc;

use crate::matching::RequestView;
use crate::rule::Rule;
use crate::spec::TableSpec;
use std::net::SocketAddr;

/// Index of a rule in [`Table::rules`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleId(pub u32);

/// The indexed table. Made from a [`TableSpec`] by [`Table::compile`], which cannot fail.
#[derive(Debug, Default)]
pub struct Table {
    spec: TableSpec,
    rules: Vec<Arc<Rule>>,
}

/// What a lookup found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup<'a> {
    /// This rule takes the request.
    Found {
        /// Which rule.
        rule: RuleId,
        /// What a `PathPrefix` match took from the path, without a trailing slash (`ReplacePrefixMatch` needs it).
        /// None when another kind of path match took the request.
        prefix: Option<&'a str>,
    },
    /// A listener takes the host, but no rule the request.
    NoRule,
    /// No listener on this socket takes the host.
    NoListener,
}

impl Table {
    /// Indexes a spec.
    #[must_use]
    pub fn compile(spec: TableSpec) -> Self {
        let _ = spec;
        todo!("index")
    }

    /// The values this table was made from.
    #[must_use]
    pub const fn spec(&self) -> &TableSpec {
        &self.spec
    }

    /// Rules by [`RuleId`].
    #[must_use]
    pub fn rules(&self) -> &[Arc<Rule>] {
        &self.rules
    }

    /// A rule.
    #[must_use]
    pub fn rule(&self, id: RuleId) -> Option<&Arc<Rule>> {
        self.rules.get(id.0 as usize)
    }

    /// Finds the rule for a request that came in on `socket`.
    #[must_use]
    pub fn find(&self, socket: SocketAddr, request: &RequestView<'_>) -> Lookup<'_> {
        let _ = (socket, request);
        todo!("lookup")
    }
}
