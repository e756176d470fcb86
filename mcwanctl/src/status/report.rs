//! The report: everything that `mcwanctl status` shows, as a function of what was seen and the time.

use jiff::Timestamp;
use mcwan_k8s::kinds::about::CLUSTER_SET;
use mcwan_k8s::names;
use serde::Serialize;

use crate::cluster::identity;

use super::fact::View;
use super::finding::{Finding, Level};
use super::peers::{PeerLine, TunnelLine};
use super::seen::{Cause, Lease, Seen, Unread};
use super::services::{ExportLine, ImportLine};
use super::wan::{GatewayLine, PolicyLine};
use super::{peers, services, wan};

/// A cluster, its peers and its services.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    /// The kubeconfig context.
    pub context: String,
    /// Cluster id; none where neither the cluster nor its controller says it.
    pub cluster: Option<String>,
    /// The `ClusterSet`, if the cluster says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_set: Option<String>,
    /// When this was seen.
    pub time: Timestamp,
    /// Whether nothing is wrong: exit code 0.
    pub ok: bool,
    /// The controller.
    pub controller: ControllerLine,
    /// The gateways of our class.
    pub gateways: Vec<GatewayLine>,
    /// The other clusters.
    pub peers: Vec<PeerLine>,
    /// WAN policies.
    pub policies: Vec<PolicyLine>,
    /// Tunnels to the peers.
    pub tunnels: Vec<TunnelLine>,
    /// Exports of this cluster.
    pub exports: Vec<ExportLine>,
    /// Imports of this cluster.
    pub imports: Vec<ImportLine>,
    /// What is wrong or worth knowing, errors first.
    pub findings: Vec<Finding>,
    /// Kinds that could not be read.
    pub unread: Vec<Unread>,
}

/// Whether a controller is at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum ControllerState {
    /// Its Lease is fresh.
    Running,
    /// Its Lease has expired.
    Gone,
    /// There has never been one.
    Absent,
    /// Its Lease may not be read.
    Unknown,
}

/// The controller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ControllerLine {
    /// Whether it is at work.
    pub state: ControllerState,
    /// Who holds its Lease, or did so last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
    /// Seconds since it was last seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_seconds: Option<i64>,
    /// Services that it offers to its peers; none before it has published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published_services: Option<u32>,
}

/// Seconds for which an expired Lease is not yet a missing controller: clocks differ, and a successor needs a moment.
const GRACE: i64 = 15;

/// What there is to say about what was seen, at a time.
pub(crate) fn report(seen: &Seen, now: Timestamp) -> Report {
    let controller = controller(seen, now);
    let view = View {
        now,
        // Where the Lease may not be read, the user is not told that everything is out of date; the finding says why.
        is_current: matches!(
            controller.state,
            ControllerState::Running | ControllerState::Unknown
        ),
    };
    let mut findings = Vec::new();
    identity_findings(seen, &mut findings);
    findings.extend(controller_finding(&controller));
    unread_findings(&seen.unread, &mut findings);
    let gateways = wan::gateways(seen, view, &mut findings);
    let peers = peers::peers(seen, view, &mut findings);
    let policies = wan::policies(seen, view, &mut findings);
    let tunnels = peers::tunnels(seen, view, &mut findings);
    let exports = services::exports(seen, view, &mut findings);
    let imports = services::imports(seen, view, &mut findings);
    findings.sort_unstable();
    findings.dedup();
    Report {
        context: seen.context.clone(),
        cluster: identity::cluster_id(&seen.snapshot).ok().flatten(),
        cluster_set: cluster_set(seen),
        time: now,
        ok: findings.iter().all(|f| f.level != Level::Error),
        controller,
        gateways,
        peers,
        policies,
        tunnels,
        exports,
        imports,
        findings,
        unread: seen.unread.clone(),
    }
}

impl Report {
    /// The same without what changes by itself as time passes; equal for reports that say the same.
    pub(crate) fn timeless(&self) -> serde_json::Value {
        const PASSING: [&str; 4] = ["time", "ageSeconds", "rttMs", "lastReadSeconds"];
        fn strip(value: &mut serde_json::Value) {
            match value {
                serde_json::Value::Object(fields) => {
                    fields.retain(|name, _| !PASSING.contains(&name.as_str()));
                    fields.values_mut().for_each(strip);
                }
                serde_json::Value::Array(items) => items.iter_mut().for_each(strip),
                serde_json::Value::Null
                | serde_json::Value::Bool(_)
                | serde_json::Value::Number(_)
                | serde_json::Value::String(_) => {}
            }
        }
        let mut value = serde_json::to_value(self).unwrap_or_default();
        strip(&mut value);
        value
    }
}

fn cluster_set(seen: &Seen) -> Option<String> {
    let properties = &seen.snapshot.cluster_properties;
    let property = properties.get(&(String::new(), CLUSTER_SET.to_owned()))?;
    Some(property.spec.value.clone())
}

fn controller(seen: &Seen, now: Timestamp) -> ControllerLine {
    let (state, holder, age_seconds) = match &seen.lease {
        Lease::Absent => (ControllerState::Absent, None, None),
        Lease::Unread => (ControllerState::Unknown, None, None),
        Lease::Held {
            holder,
            renewed,
            seconds,
        } => {
            let age = now.as_second().saturating_sub(renewed.as_second()).max(0);
            let state = if age <= seconds.saturating_add(GRACE) {
                ControllerState::Running
            } else {
                ControllerState::Gone
            };
            (state, Some(holder.clone()), Some(age))
        }
    };
    let clusters = seen.snapshot.published_clusters.iter();
    let mut own = clusters.filter(|((namespace, _), _)| namespace == names::NAMESPACE);
    ControllerLine {
        state,
        holder,
        age_seconds,
        published_services: own.next().map(|(_, cluster)| cluster.spec.services),
    }
}

fn controller_finding(controller: &ControllerLine) -> Option<Finding> {
    let error = |reason, message: &str| Finding::new(Level::Error, "controller", reason, message);
    match controller.state {
        ControllerState::Running | ControllerState::Unknown => None,
        ControllerState::Absent => Some(
            error(
                "NotRunning",
                "has never run here: nothing acts on exports, imports and peers",
            )
            .advise("start `mcwan-controller --cluster NAME`"),
        ),
        ControllerState::Gone => {
            let finding = error(
                "NotRunning",
                "does not run: what it wrote is only what was last known; traffic goes on as it was",
            );
            let finding =
                finding.advise("look at the logs of mcwan-controller, and start it again");
            Some(finding.aged(controller.age_seconds.unwrap_or_default()))
        }
    }
}

fn identity_findings(seen: &Seen, findings: &mut Vec<Finding>) {
    if let Err(e) = identity::cluster_id(&seen.snapshot) {
        let finding = Finding::new(Level::Error, "cluster", "ClusterIdMismatch", e.to_string());
        findings.push(finding.advise(
            "peers know the cluster by the id that the controller runs as: make them equal",
        ));
    }
}

/// The kinds without which nobody can say that nothing is wrong.
const ESSENTIAL: [&str; 5] = [
    "clusterpeers.mc-wan.l7mp.io",
    "wanpolicies.mc-wan.l7mp.io",
    "serviceexports.multicluster.x-k8s.io",
    "serviceimports.multicluster.x-k8s.io",
    "gateways.gateway.networking.k8s.io",
];

/// One finding for all kinds that cannot be read for the same cause and matter alike.
fn unread_findings(unread: &[Unread], findings: &mut Vec<Finding>) {
    for level in [Level::Error, Level::Notice] {
        let matters = |u: &&Unread| is_essential(u) == (level == Level::Error);
        let of = |cause| {
            unread
                .iter()
                .filter(matters)
                .filter(move |u| u.cause == cause)
        };
        let names = |cause| of(cause).map(|u| u.resource.as_str()).collect::<Vec<_>>();
        let forbidden = names(Cause::Forbidden).join(", ");
        if !forbidden.is_empty() {
            let message = "you may not read them, so nothing is known of them";
            let finding = Finding::new(level, forbidden, "Forbidden", message);
            findings
                .push(finding.advise("ask an administrator for the verbs get and list on them"));
        }
        // What is optional may be missing.
        let missing = names(Cause::NotServed).join(", ");
        if !missing.is_empty() && level == Level::Error {
            let message = "the API server does not serve them";
            let finding = Finding::new(level, missing, "NotServed", message);
            findings.push(finding.advise("install the CRDs: kubectl apply -f config/crd/"));
        }
        let failed = of(Cause::Failed);
        findings.extend(failed.map(|u| Finding::new(level, &u.resource, "Failed", &u.message)));
    }
}

fn is_essential(unread: &Unread) -> bool {
    ESSENTIAL.contains(&unread.resource.as_str())
}
