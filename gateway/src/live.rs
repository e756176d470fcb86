//! The table in force, linked to the running state of its backends.

mod work;

use std::sync::Arc;

use arc_swap::ArcSwap;
use mcwan_routing::health::Health;
use mcwan_routing::plan::{Candidate, Plan, plan};
use mcwan_routing::rule::{Action, Rule};
use mcwan_routing::spec::TableSpec;
use mcwan_routing::table::{RuleId, Table};
use parking_lot::Mutex;

use crate::backends::{Backend, Registry};

use work::Shared;
pub use work::Work;

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
    /// The rule; requests need no more of it than its name.
    pub rule: Arc<Rule>,
    /// What it does, shared with all rules that do the same.
    pub work: Arc<Work>,
}

impl LinkedRule {
    /// Orders the candidates of one request by weight and health.
    #[must_use]
    pub fn plan(&self) -> Plan {
        let Action::Forward(forward) = &self.work.rule.action else {
            return Plan::new();
        };
        let health = |candidate| self.backend(candidate).map_or(Health::Down, |b| b.health());
        plan(forward, health, &mut |n| fastrand::u64(..n))
    }

    /// The backend of a candidate; None where there is none: see [`Work::tiers`].
    #[must_use]
    pub fn backend(&self, candidate: Candidate) -> Option<&Arc<Backend>> {
        self.work
            .tiers
            .get(usize::from(candidate.tier))?
            .get(usize::from(candidate.choice))?
            .as_ref()
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
    writer: Mutex<()>,
}

impl LiveTable {
    /// An empty table: no socket, no rule.
    #[must_use]
    pub fn new(registry: Arc<Registry>) -> Self {
        Self {
            live: ArcSwap::from_pointee(Live::default()),
            registry,
            changed: tokio::sync::watch::Sender::new(0),
            writer: Mutex::new(()),
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
        // One publisher at a time: the order of generations is the order of publications.
        let _writer = self.writer.lock();
        let old = self.live.load();
        if old.generation > 0 && *old.table.spec() == spec {
            return old.generation;
        }
        let generation = old.generation + 1;
        let table = Table::compile(spec);
        let backends = self.registry.link(&table.spec().backends);
        let mut shared = Shared::new(&backends);
        let link = |rule: &Arc<Rule>| LinkedRule {
            rule: Arc::clone(rule),
            work: shared.work(rule),
        };
        let rules = table.rules().iter().map(link).collect();
        self.live.store(Arc::new(Live {
            table,
            rules,
            generation,
        }));
        self.registry.adopt(backends.values());
        self.changed.send_replace(generation);
        generation
    }

    /// Wakes at each publication with the new generation.
    #[must_use]
    pub fn subscribe(&self) -> tokio::sync::watch::Receiver<u64> {
        self.changed.subscribe()
    }
}

#[cfg(test)]
mod tests;
