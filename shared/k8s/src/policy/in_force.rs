//! Fields of a `WANPolicy` that do nothing yet. Whoever sets one is told so; when a field comes into force, its line here goes.

use crate::kinds::wan::WANPolicy;
use crate::object::reference;
use crate::problem::Problem;

/// One warning for each field that the user set and that is not in force.
pub(super) fn not_yet(policy: &WANPolicy) -> Vec<Problem> {
    set(policy)
        .into_iter()
        .filter(|(_, is_set)| *is_set)
        .map(|(field, _)| {
            let message = format!(
                "{} is accepted but does nothing in this release",
                last(field)
            );
            Problem::warning(reference(policy), ("Accepted", "NotInForceYet"), message)
                .in_field(field)
                .advise(
                    "do not rely on it; it may stay in the object and will act once it is in force",
                )
        })
        .collect()
}

/// The field without its parents.
fn last(field: &str) -> &str {
    field.strip_prefix("spec.").unwrap_or(field)
}

/// Every field that is not in force, and whether it is set.
fn set(policy: &WANPolicy) -> Vec<(&'static str, bool)> {
    let spec = &policy.spec;
    let sla = spec.sla.clone().unwrap_or_default();
    let failover = spec.failover.clone().unwrap_or_default();
    let probe = spec.probe.clone().unwrap_or_default();
    let cost = spec.cost.clone().unwrap_or_default();
    vec![
        ("spec.sla.latency-ms", sla.latency_ms.is_some()),
        ("spec.sla.jitter-ms", sla.jitter_ms.is_some()),
        ("spec.sla.loss-percent", sla.loss_percent.is_some()),
        ("spec.priority", spec.priority.is_some()),
        ("spec.failover.on", failover.on.is_some()),
        (
            "spec.failover.whenNoneMeets",
            failover.when_none_meets.is_some(),
        ),
        (
            "spec.failover.clearPercent",
            failover.clear_percent.is_some(),
        ),
        ("spec.failover.drain", failover.drain.is_some()),
        ("spec.probe.protocol", probe.protocol.is_some()),
        ("spec.probe.interval", probe.interval.is_some()),
        ("spec.probe.timeout", probe.timeout.is_some()),
        ("spec.probe.window", probe.window.is_some()),
        ("spec.probe.latencyWindow", probe.latency_window.is_some()),
        ("spec.probe.downAfter", probe.down_after.is_some()),
        ("spec.probe.upAfter", probe.up_after.is_some()),
        (
            "spec.capacity.mbps",
            spec.capacity.as_ref().is_some_and(|c| c.mbps.is_some()),
        ),
        ("spec.cost.perGiB", cost.per_gib.is_some()),
        (
            "spec.cost.monthlyQuotaGiB",
            cost.monthly_quota_gib.is_some(),
        ),
        ("spec.providerRef", spec.provider_ref.is_some()),
    ]
}
