//! The backends of a rule in order of preference.

use std::collections::HashMap;

use mcwan_routing::rule::{Choice, Filters, Forward, Target, Tier};

use super::backends::{Leads, Resolved};
use super::finding::Fault;

/// One `backendRefs` item, looked up.
pub(super) struct Share {
    pub(super) weight: u32,
    /// What it resolves to, or why requests for it are answered with 500.
    pub(super) target: Result<Resolved, String>,
    pub(super) filters: Filters,
}

impl Share {
    fn tunnel(&self) -> Option<(&str, &str)> {
        match &self.target.as_ref().ok()?.leads {
            Leads::Tunnel { cluster, policy } => Some((cluster, policy)),
            Leads::Here | Leads::Import => None,
        }
    }

    fn is_import(&self) -> bool {
        let target = self.target.as_ref();
        target.is_ok_and(|resolved| resolved.leads == Leads::Import)
    }

    fn choice(&self) -> Choice {
        let target = match &self.target {
            Ok(resolved) if self.is_import() => Target::Import(resolved.name.clone()),
            Ok(resolved) => Target::Backend(resolved.name.clone()),
            Err(why) => Target::Invalid(why.clone()),
        };
        Choice {
            weight: self.weight,
            target,
            filters: self.filters.clone(),
        }
    }
}

/// Whether any share leads, or may lead, into the WAN.
pub(super) fn leads_into_wan(shares: &[Share]) -> bool {
    shares.iter().any(|s| s.tunnel().is_some() || s.is_import())
}

/// Orders the shares. Without tunnels they are one tier, and each keeps its share of the requests whatever its state.
/// With tunnels a request may go on: first to what is local, then policy by policy in order of first appearance, and
/// last to what is invalid. An imported service among the shares makes all weights promises again: inside its share
/// its own rules say what follows on what.
pub(super) fn forward(shares: &[Share]) -> Forward {
    let tunnels = shares.iter().any(|s| s.tunnel().is_some());
    if !tunnels || shares.iter().any(Share::is_import) {
        return weighted(shares.iter().map(Share::choice).collect());
    }
    let mut policies: Vec<&str> = Vec::new();
    for (_, policy) in shares.iter().filter_map(Share::tunnel) {
        if !policies.contains(&policy) {
            policies.push(policy);
        }
    }
    let local = shares
        .iter()
        .filter(|s| s.tunnel().is_none() && s.target.is_ok());
    let invalid = shares.iter().filter(|s| s.target.is_err());
    let mut tiers = vec![Tier {
        policy: None,
        choices: local.map(Share::choice).collect(),
    }];
    let mut seen = HashMap::new();
    tiers.extend(
        policies
            .into_iter()
            .map(|policy| tier(policy, shares, &mut seen)),
    );
    tiers.push(Tier {
        policy: None,
        choices: invalid.map(Share::choice).collect(),
    });
    tiers.retain(|t| !t.choices.is_empty());
    Forward {
        failover: true,
        tiers,
    }
}

/// The same for a listener that faces the WAN: what leads back into the WAN is invalid (DESIGN §11, invariant 5).
pub(super) fn forward_behind_wan(shares: &[Share], why: &Fault) -> Forward {
    let choice = |share: &Share| match share.tunnel() {
        None if !share.is_import() => share.choice(),
        Some(_) | None => Choice {
            target: Target::Invalid(why.invalid()),
            ..share.choice()
        },
    };
    weighted(shares.iter().map(choice).collect())
}

/// A rule whose requests are all answered with 500.
pub(super) fn invalid(why: String) -> Forward {
    weighted(vec![Choice {
        weight: 1,
        target: Target::Invalid(why),
        filters: Filters::default(),
    }])
}

fn weighted(choices: Vec<Choice>) -> Forward {
    let tiers = if choices.is_empty() {
        Vec::new()
    } else {
        vec![Tier {
            policy: None,
            choices,
        }]
    };
    Forward {
        failover: false,
        tiers,
    }
}

/// The tunnels of one policy. In Gateway API terms a fallback has weight 0: it gets no share of its own. Inside its
/// tier its clusters keep the weights by which an earlier tier shares requests among them.
fn tier<'s>(policy: &str, shares: &'s [Share], earlier: &mut HashMap<&'s str, u32>) -> Tier {
    let members = shares
        .iter()
        .filter_map(|s| s.tunnel().filter(|t| t.1 == policy).map(|t| (t.0, s)));
    let members: Vec<(&'s str, &'s Share)> = members.collect();
    let fallback = members.iter().all(|(_, s)| s.weight == 0);
    let mut choices = Vec::new();
    for (cluster, share) in &members {
        let mut choice = share.choice();
        if fallback {
            choice.weight = earlier.get(cluster).copied().unwrap_or_default();
        }
        choices.push(choice);
    }
    for (cluster, share) in members.iter().filter(|(_, s)| s.weight > 0) {
        earlier.entry(cluster).or_insert(share.weight);
    }
    Tier {
        policy: Some(policy.to_owned()),
        choices,
    }
}
