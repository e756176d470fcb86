//! The table in force, linked to the running state of its backends.

use std::sync::Arc;

use arc_swap::ArcSwap;
use mcwan_routing::plan::Plan;
use mcwan_routing::rule::Rule;
use mcwan_routing::spec::TableSpec;
use mcwan_routing::table::{RuleId, Table};

use crate::backends::{Backend, Registry};

/// A table and, for each of its rules, the running state of the backends that it names. A request holds one `Live`
/// from its first phase to its last attempt.
#[derive(Debug, Default)]
pub struct Live {
    /// The indexed table.
    pub table: Table,
    /// Rules, parallel to [`Table::rules`].
    pub rules: Vec<LinkedRule>,
    /// Counts publications, from 1; 0 before the first.
    pub generation: u64,
}

/// A rule with its backends resolved.
#[derive(Debug)]
pub struct LinkedRule {
    /// The rule.
    pub rule: Arc<Rule>,
    /// Parallel to `Forward::tiers[].choices[]`; None where the reference is invalid. Empty for redirects.
    pub tiers: Vec<Vec<Option<Arc<Backend>>>>,
    /// Backends of the rule's mirrors, parallel to `filters.mirrors`.
    pub mirrors: Vec<Option<Arc<Backend>>>,
}

impl LinkedRule {
    /// Orders the candidates of one request by weight and health.
    #[must_use]
    pub fn plan(&self) -> Plan {
        todo!("plan")
    }
}

impl Live {
    /// Links a rule found by a lookup.
    #[must_use]
    pub fn rule(&self, id: RuleId) -> Option<&LinkedRule> {
        self.rules.get(id.0 as usize)
    }
}

/// Where the table in force is kept. One writer, any number of readers.
#[derive(Debug)]
pub struct LiveTable {
    live: ArcSwap<Live>,
    registry: Arc<Registry>,
    changed: tokio::sync::watch::Sender<u64>,
}

impl LiveTable {
    /// An empty table: no socket, no rule.
    #[must_use]
    pub fn new(registry: Arc<Registry>) -> Self {
        Self {
            live: ArcSwap::from_pointee(Live::default()),
            registry,
            changed: tokio::sync::watch::Sender::new(0),
        }
    }

    /// The table in force.
    #[must_use]
    pub fn load(&self) -> Arc<Live> {
        self.live.load_full()
    }

    /// Running state of backends.
    #[must_use]
    pub const fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// Compiles, links and publishes `spec`, unless it equals the one in force. Returns the generation in force.
    pub fn publish(&self, spec: TableSpec) -> u64 {
        let _unused = spec;
        todo!("publish")
    }

    /// Wakes at each publication with the new generation.
    #[must_use]
    pub fn subscribe(&self) -> tokio::sync::watch::Receiver<u64> {
        self.changed.subscribe()
    }
}
