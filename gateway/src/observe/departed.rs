//! Time series whose service or WAN policy has left the table are forgotten after a while: over months of edits they
//! would only add up.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use mcwan_routing::rule::{Action, Rule, Target};
use mcwan_routing::spec::TableSpec;
use prometheus::core::{Collector, MetricVec, MetricVecBuilder};

use super::metrics::{NAMESPACE, POLICY, SERVICE};

/// How long a series outlives what it counts for: an edit that is taken back soon leaves no gap in a graph.
const KEPT: Duration = Duration::from_mins(15);

/// What a series counts for, in the words of its labels; empty where a label does not apply.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Destination {
    namespace: String,
    service: String,
    policy: String,
}

impl Destination {
    fn of(labels: &HashMap<&str, &str>) -> Self {
        let label = |name: &str| labels.get(name).copied().unwrap_or_default().to_owned();
        Self {
            namespace: label(NAMESPACE),
            service: label(SERVICE),
            policy: label(POLICY),
        }
    }
}

/// What a table can send requests to.
#[derive(Debug, Default)]
pub(super) struct Present<'t> {
    services: BTreeSet<(&'t str, &'t str)>,
    policies: BTreeSet<&'t str>,
}

impl<'t> Present<'t> {
    /// The services that rules are for, local backends, and the policies of tunnels and listeners.
    pub(super) fn in_table(spec: &'t TableSpec, rules: impl Iterator<Item = &'t Rule>) -> Self {
        let mut present = Self::default();
        for rule in rules {
            let service = rule.service.iter();
            let named = service.map(|s| (s.namespace.as_str(), s.name.as_str()));
            present.services.extend(named.chain(targets(rule)));
        }
        let behind = spec.backends.values().filter_map(|b| b.tunnel.as_ref());
        let before = spec.sockets.iter().filter_map(|s| s.wan.as_ref());
        present.policies.extend(behind.map(|t| t.policy.as_str()));
        present.policies.extend(before.map(|w| w.policy.as_str()));
        present
    }

    fn has(&self, of: &Destination) -> bool {
        let service = (of.namespace.as_str(), of.service.as_str());
        (of.service.is_empty() || self.services.contains(&service))
            && (of.policy.is_empty() || self.policies.contains(of.policy.as_str()))
    }
}

fn targets(rule: &Rule) -> impl Iterator<Item = (&str, &str)> {
    let tiers = match &rule.action {
        Action::Forward(forward) => forward.tiers.as_slice(),
        Action::Redirect(_) => &[],
    };
    let choices = tiers.iter().flat_map(|t| &t.choices);
    choices.filter_map(|c| match &c.target {
        Target::Backend(name) | Target::Import(name) => {
            Some((name.namespace.as_str(), name.service.as_str()))
        }
        Target::Invalid(_) => None,
    })
}

/// What has left the table, and since when.
#[derive(Debug, Default)]
pub(super) struct Departed(BTreeMap<Destination, Duration>);

impl Departed {
    /// Those of `counted` that have not been present for long enough to be forgotten; `now` never goes back.
    pub(super) fn overdue(
        &mut self,
        counted: BTreeSet<Destination>,
        present: &Present<'_>,
        now: Duration,
    ) -> BTreeSet<Destination> {
        let gone = counted.into_iter().filter(|d| !present.has(d));
        let since = |d: Destination| {
            let since = self.0.get(&d).copied().unwrap_or(now);
            (d, since)
        };
        self.0 = gone.map(since).collect();
        let overdue = |since: Duration| now.saturating_sub(since) >= KEPT;
        let overdue = self.0.iter().filter(|(_, since)| overdue(**since));
        overdue.map(|(d, _)| d.clone()).collect()
    }
}

/// What the series of a family count for.
pub(super) fn counted<T: MetricVecBuilder>(family: &MetricVec<T>) -> BTreeSet<Destination> {
    let mut counted = BTreeSet::new();
    each(family, |labels| {
        counted.insert(Destination::of(labels));
    });
    counted
}

/// Removes the series of a family that count for one of `gone`.
pub(super) fn forget<T: MetricVecBuilder>(family: &MetricVec<T>, gone: &BTreeSet<Destination>) {
    each(family, |labels| {
        if gone.contains(&Destination::of(labels)) {
            // Another sweep may have been faster.
            family.remove(labels).ok();
        }
    });
}

fn each<T: MetricVecBuilder>(family: &MetricVec<T>, mut with: impl FnMut(&HashMap<&str, &str>)) {
    for collected in family.collect() {
        for metric in collected.get_metric() {
            let labels = metric.get_label().iter();
            with(&labels.map(|l| (l.name(), l.value())).collect());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn destination(service: &str, policy: &str) -> Destination {
        Destination {
            namespace: "secure".to_owned(),
            service: service.to_owned(),
            policy: policy.to_owned(),
        }
    }

    #[test]
    fn what_comes_back_in_time_is_kept_and_what_does_not_is_forgotten() {
        let present = Present {
            services: BTreeSet::from([("secure", "payment")]),
            policies: BTreeSet::from(["business"]),
        };
        let everything = Present {
            services: BTreeSet::from([("secure", "payment"), ("secure", "old")]),
            policies: BTreeSet::from(["business", "old"]),
        };
        let all = || {
            BTreeSet::from([
                destination("payment", "business"),
                destination("payment", "old"),
                destination("old", ""),
                Destination::default(),
            ])
        };
        let gone = BTreeSet::from([destination("payment", "old"), destination("old", "")]);
        let mut departed = Departed::default();
        let soon = KEPT - Duration::from_secs(1);
        assert!(departed.overdue(all(), &present, Duration::ZERO).is_empty());
        assert!(departed.overdue(all(), &present, soon).is_empty());
        assert!(departed.overdue(all(), &everything, soon).is_empty());
        assert!(departed.overdue(all(), &present, KEPT).is_empty(), "again");
        assert_eq!(departed.overdue(all(), &present, KEPT * 2), gone);
    }
}
