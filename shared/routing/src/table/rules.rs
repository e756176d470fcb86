//! Numbers the rules of a table. A rule that occurs under several hostnames and listeners is one rule.

use std::sync::Arc;

use smallvec::SmallVec;

use super::RuleId;
use super::map::HashMap;
use crate::rule::{Rule, RuleName};

/// Rules met so far.
#[derive(Debug, Default)]
pub(super) struct Rules<'a> {
    list: Vec<Arc<Rule>>,
    /// By address: the ordinary way in which a rule is shared.
    shared: HashMap<*const Rule, RuleId>,
    /// By name: equal rules of different origin.
    named: HashMap<&'a RuleName, SmallVec<[RuleId; 1]>>,
}

impl<'a> Rules<'a> {
    /// The number of a rule.
    pub(super) fn id(&mut self, rule: &'a Arc<Rule>) -> RuleId {
        if let Some(id) = self.shared.get(&Arc::as_ptr(rule)) {
            return *id;
        }
        let id = self.equal(rule).unwrap_or_else(|| self.add(rule));
        self.shared.insert(Arc::as_ptr(rule), id);
        id
    }

    /// The rules by number.
    pub(super) fn into_list(self) -> Vec<Arc<Rule>> {
        self.list
    }

    fn equal(&self, rule: &Rule) -> Option<RuleId> {
        let ids = self.named.get(&rule.name)?;
        ids.iter().copied().find(|id| {
            self.list
                .get(id.0 as usize)
                .is_some_and(|known| **known == *rule)
        })
    }

    fn add(&mut self, rule: &'a Arc<Rule>) -> RuleId {
        let id = RuleId(u32::try_from(self.list.len()).unwrap_or(u32::MAX));
        self.list.push(Arc::clone(rule));
        self.named.entry(&rule.name).or_default().push(id);
        id
    }
}
