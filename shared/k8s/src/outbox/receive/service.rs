//! One service of a peer.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::SessionAffinityConfig;

use super::{Expected, Refusal, endpoints, reason};
use crate::kinds::wan::{PublishedService, service_object_name};
use crate::names::{is_label, is_private_namespace};
use crate::object::{created, reference};
use crate::offer::{OfferedEndpoints, OfferedPort, OfferedService};
use crate::outbox::keys;
use crate::outbox::rules;

/// Most ports of a service.
const MAX_PORTS: usize = 100;
/// Most labels, and most annotations, of a service.
const MAX_KEYS: usize = 64;
/// Largest annotations of a service together, and largest rules, in bytes.
const MAX_BYTES: usize = 64 * 1024;
/// Most ready endpoints that are believed, of one port: more than any cluster has pods.
const MAX_ENDPOINTS: u32 = 150_000;
/// Before this, in seconds since 1970, there was no Kubernetes that could have exported anything (June 2014).
const FIRST_RELEASE: i64 = 1_402_012_800;

/// What is taken from a `PublishedService`; `None` when all of it is refused.
pub(crate) fn service(
    expected: &Expected,
    object: &PublishedService,
    now: Timestamp,
    refusals: &mut Vec<Refusal>,
) -> Option<OfferedService> {
    if let Some((reason, message)) = refused(expected, object) {
        refusals.push(Refusal::whole(reference(object), reason, message));
        return None;
    }
    let mut parts = Parts { object, refusals };
    let taken = parts.taken(now);
    Some(taken)
}

/// Why nothing of it is taken, if nothing is.
fn refused(expected: &Expected, object: &PublishedService) -> Option<(&'static str, String)> {
    let service = &object.spec.service;
    let (namespace, name) = (&service.namespace, &service.name);
    if object.spec.cluster != expected.cluster {
        let message = format!("it says it is of cluster {:?}", object.spec.cluster);
        return Some((reason::CLUSTER_ID, message));
    }
    if !is_label(namespace) || !is_label(name) {
        let message = format!("namespace {namespace:?} or name {name:?} is not a dns label");
        return Some((reason::INVALID_NAME, message));
    }
    if object.metadata.name.as_deref() != Some(&service_object_name(namespace, name)) {
        return Some((
            reason::NAME,
            format!("its content is service {namespace}/{name}"),
        ));
    }
    if is_private_namespace(namespace) {
        let message =
            format!("services of namespace {namespace} are never shared between clusters");
        return Some((reason::NAMESPACE, message));
    }
    if let Some(policy) = service.wan_policy.as_ref().filter(|p| !rules::is_policy(p)) {
        return Some((
            reason::POLICY,
            format!("{policy:?} is not the name of a policy"),
        ));
    }
    let http = service.http.as_ref()?;
    if let Some(excess) = rules::excess(http) {
        return Some((reason::RULES, excess));
    }
    let size = serde_json::to_vec(http).map_or(usize::MAX, |json| json.len());
    (size > MAX_BYTES).then(|| {
        let message = format!("its rules are {size} bytes, at most {MAX_BYTES} are taken");
        (reason::TOO_MUCH, message)
    })
}

/// Takes a service part by part.
struct Parts<'a> {
    object: &'a PublishedService,
    refusals: &'a mut Vec<Refusal>,
}

impl Parts<'_> {
    fn taken(&mut self, now: Timestamp) -> OfferedService {
        // Field by field: a new one must be looked at before it is believed.
        let OfferedService {
            namespace,
            name,
            created,
            headless,
            ports,
            http,
            wan_policy,
            labels,
            annotations,
            ip_families,
            session_affinity,
            session_affinity_config,
            internal_traffic_policy,
            traffic_distribution,
            endpoints,
        } = &self.object.spec.service;
        OfferedService {
            namespace: namespace.clone(),
            name: name.clone(),
            created: self.time(*created, now),
            headless: *headless,
            ports: self.ports(ports),
            http: http.clone(),
            wan_policy: wan_policy.clone(),
            labels: self.labels(labels),
            annotations: self.annotations(annotations),
            ip_families: self.families(ip_families),
            session_affinity: self.word(
                "sessionAffinity",
                session_affinity.as_deref(),
                &["None", "ClientIP"],
            ),
            session_affinity_config: self.affinity(session_affinity_config.as_ref()),
            internal_traffic_policy: self.word(
                "internalTrafficPolicy",
                internal_traffic_policy.as_deref(),
                &["Cluster", "Local"],
            ),
            traffic_distribution: self.word(
                "trafficDistribution",
                traffic_distribution.as_deref(),
                &["PreferClose", "PreferSameZone", "PreferSameNode"],
            ),
            endpoints: self.endpoints(*headless, endpoints),
        }
    }

    fn refuse(&mut self, reason: &'static str, message: String) {
        self.refusals
            .push(Refusal::part(reference(self.object), reason, message));
    }

    /// The time of the export. One that cannot be is replaced by the object's own, or by `now` if that cannot be either.
    fn time(&mut self, said: i64, now: Timestamp) -> i64 {
        let possible = FIRST_RELEASE..=now.as_second();
        if possible.contains(&said) {
            return said;
        }
        // Clocks differ a little between clusters: that is nobody's fault.
        if said < FIRST_RELEASE || said > now.as_second().saturating_add(60) {
            self.refuse(
                reason::TIME,
                format!("it says it was exported at {said} seconds since 1970"),
            );
        }
        let own = created(self.object);
        if possible.contains(&own) {
            own
        } else {
            now.as_second()
        }
    }

    fn ports(&mut self, offered: &[OfferedPort]) -> Vec<OfferedPort> {
        let (mut taken, mut numbers, mut names) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        for port in offered {
            if taken.len() >= MAX_PORTS {
                self.refuse(reason::TOO_MUCH, format!("more than {MAX_PORTS} ports"));
                break;
            }
            let OfferedPort {
                name,
                protocol,
                app_protocol,
                port: number,
                ready_endpoints,
            } = port;
            let valid = matches!(protocol.as_str(), "TCP" | "UDP" | "SCTP")
                && (name.is_empty() || is_label(name))
                && app_protocol.as_deref().is_none_or(keys::is_app_protocol)
                && *number != 0;
            if valid && numbers.insert((protocol, number)) && names.insert(name) {
                let ready_endpoints = (*ready_endpoints).min(MAX_ENDPOINTS);
                taken.push(OfferedPort {
                    ready_endpoints,
                    ..port.clone()
                });
            } else {
                self.refuse(
                    reason::PORT,
                    format!("port {number} ({name:?}, {protocol:?}) is not one that it can have"),
                );
            }
        }
        taken
    }

    fn endpoints(&mut self, headless: bool, offered: &[OfferedEndpoints]) -> Vec<OfferedEndpoints> {
        let (taken, refused) = endpoints::taken(headless, offered);
        for (reason, message) in refused {
            self.refuse(reason, message);
        }
        taken
    }

    fn labels(&mut self, offered: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        self.map("label", offered, keys::is_label_value)
    }

    fn annotations(&mut self, offered: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let mut room = MAX_BYTES;
        let mut taken = self.map("annotation", offered, |_| true);
        let before = taken.len();
        taken.retain(|key, value| {
            let size = key.len().saturating_add(value.len());
            let fits = size <= room;
            room = room.saturating_sub(if fits { size } else { 0 });
            fits
        });
        if taken.len() < before {
            self.refuse(
                reason::TOO_MUCH,
                format!("annotations of more than {MAX_BYTES} bytes"),
            );
        }
        taken
    }

    /// Labels or annotations that may travel.
    fn map(
        &mut self,
        what: &str,
        offered: &BTreeMap<String, String>,
        value_fits: impl Fn(&str) -> bool,
    ) -> BTreeMap<String, String> {
        let mut taken = BTreeMap::new();
        for (key, value) in offered {
            if keys::is_reserved(key) {
                self.refuse(reason::KEY, format!("{what} {key:?} is reserved"));
            } else if !keys::is_qualified(key) || !value_fits(value) {
                self.refuse(
                    reason::VALUE,
                    format!("{what} {key:?} is not a valid {what}"),
                );
            } else if taken.len() >= MAX_KEYS {
                self.refuse(reason::TOO_MUCH, format!("more than {MAX_KEYS} {what}s"));
                break;
            } else {
                taken.insert(key.clone(), value.clone());
            }
        }
        taken
    }

    fn families(&mut self, offered: &[String]) -> Vec<String> {
        let known = |f: &str| matches!(f, "IPv4" | "IPv6");
        let distinct: BTreeSet<&String> = offered.iter().collect();
        if distinct.len() == offered.len() && offered.iter().all(|f| known(f)) {
            return offered.to_vec();
        }
        self.refuse(
            reason::VALUE,
            "ipFamilies are not IPv4 and IPv6, each at most once".to_owned(),
        );
        Vec::new()
    }

    /// A word out of a fixed set.
    fn word(&mut self, field: &str, said: Option<&str>, known: &[&str]) -> Option<String> {
        let said = said?;
        if known.contains(&said) {
            return Some(said.to_owned());
        }
        self.refuse(reason::VALUE, format!("{field} {said:?} is not known"));
        None
    }

    /// How long a client stays: a Service takes 1–86400 seconds.
    fn affinity(&mut self, said: Option<&SessionAffinityConfig>) -> Option<SessionAffinityConfig> {
        let said = said?;
        let seconds = said.client_ip.as_ref().and_then(|c| c.timeout_seconds);
        if seconds.is_none_or(|s| (1..=86_400).contains(&s)) {
            return Some(said.clone());
        }
        self.refuse(
            reason::VALUE,
            "sessionAffinityConfig is out of range".to_owned(),
        );
        None
    }
}
