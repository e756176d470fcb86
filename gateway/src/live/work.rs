//! What rules do, kept once for all rules of a table that do the same.
//!
//! A table of ten thousand rules has few that differ in more than what they match: the hosts of a platform go to a
//! handful of backends with the same filters. What a request touches after the lookup is therefore shared, and stays in
//! the caches of the CPU however many rules there are.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use foldhash::fast::RandomState;
use mcwan_routing::rule::{Action, Rule, Target};
use mcwan_routing::spec::BackendName;

use crate::backends::Backend;
use crate::observe::series::RuleMetrics;

/// Filters, backends and time limits of one or more rules, with the backends resolved.
#[derive(Debug)]
pub struct Work {
    /// One of the rules that do this. Its name says nothing about the others.
    pub rule: Arc<Rule>,
    /// Parallel to `Forward::tiers[].choices[]`; None where the reference is invalid, or leads to an imported service,
    /// whose own rules choose. Empty for redirects.
    pub tiers: Vec<Vec<Option<Arc<Backend>>>>,
    /// Backends of the mirrors, parallel to `filters.mirrors`.
    pub mirrors: Vec<Option<Arc<Backend>>>,
    /// Where requests are counted; begins empty. Labels know services and backends, which are the same for all.
    pub metrics: RuleMetrics,
}

impl Work {
    /// What one rule does.
    #[must_use]
    pub fn new(rule: &Arc<Rule>, backends: &HashMap<BackendName, Arc<Backend>>) -> Self {
        let resolve = |target: &Target| match target {
            Target::Backend(name) => backends.get(name).map(Arc::clone),
            Target::Import(_) | Target::Invalid(_) => None,
        };
        let tiers = match &rule.action {
            Action::Forward(forward) => forward
                .tiers
                .iter()
                .map(|tier| tier.choices.iter().map(|c| resolve(&c.target)).collect())
                .collect(),
            Action::Redirect(_) => Vec::new(),
        };
        let mirrors = rule
            .filters
            .mirrors
            .iter()
            .map(|m| backends.get(&m.backend).map(Arc::clone))
            .collect();
        Self {
            rule: Arc::clone(rule),
            tiers,
            mirrors,
            metrics: RuleMetrics::default(),
        }
    }
}

/// The work of the rules of one table, each kind of it once.
#[derive(Debug)]
pub(super) struct Shared<'b> {
    backends: &'b HashMap<BackendName, Arc<Backend>>,
    known: HashMap<Same, Arc<Work>, RandomState>,
}

impl<'b> Shared<'b> {
    pub(super) fn new(backends: &'b HashMap<BackendName, Arc<Backend>>) -> Self {
        Self {
            backends,
            known: HashMap::default(),
        }
    }

    /// The work of a rule: that of an earlier one that does the same, if there is one.
    pub(super) fn work(&mut self, rule: &Arc<Rule>) -> Arc<Work> {
        let work = self
            .known
            .entry(Same(Arc::clone(rule)))
            .or_insert_with(|| Arc::new(Work::new(rule, self.backends)));
        Arc::clone(work)
    }
}

/// A rule as what it does: two are equal when they differ in nothing but their names.
#[derive(Debug)]
struct Same(Arc<Rule>);

impl PartialEq for Same {
    fn eq(&self, other: &Self) -> bool {
        // No `..`: a new field of a rule has to be looked at here.
        let Rule {
            name: _,
            service,
            filters,
            action,
            timeouts,
            retry,
        } = &*self.0;
        let that = &*other.0;
        *service == that.service
            && *filters == that.filters
            && *action == that.action
            && *timeouts == that.timeouts
            && *retry == that.retry
    }
}

impl Eq for Same {}

impl Hash for Same {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Rule {
            name: _,
            service,
            filters,
            action,
            timeouts,
            retry,
        } = &*self.0;
        service.hash(state);
        filters.hash(state);
        action.hash(state);
        timeouts.hash(state);
        retry.hash(state);
    }
}
