//! `WANPolicy`: a class of WAN tunnel.
//!
//! Every field of the schema is here from the start, in force or not: [`crate::policy`] says which are not in force yet.
#![expect(
    unreachable_pub,
    reason = "of the copies of the structs that the KubeSchema derive makes inside of functions"
)]
#![expect(
    clippy::duplicated_attributes,
    reason = "of printer columns, which share a type"
)]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kinds::schema;

/// A class of WAN tunnel: the port that the SD-WAN classifies by, and what the tunnel promises.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "mc-wan.l7mp.io",
    version = "v1alpha1",
    kind = "WANPolicy",
    plural = "wanpolicies",
    status = "WANPolicyStatus",
    shortname = "wanp",
    category = "mc-wan",
    derive = "PartialEq",
    doc = "A class of WAN tunnel: the port by which the SD-WAN recognises it, what it promises, and what to do when it cannot keep that.",
    printcolumn(name = "Tunnel", type_ = "string", json_path = ".spec.tunnel"),
    printcolumn(name = "Port", type_ = "integer", json_path = ".spec.port"),
    printcolumn(
        name = "Accepted",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Accepted\")].status"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(
        "!has(self.probe) || !has(self.probe.timeout) || !has(self.sla) || !has(self.sla.latency__dash__ms) || \
         duration(self.probe.timeout).getMilliseconds() > self.sla.latency__dash__ms"
    ).message("probe.timeout must be longer than sla.latency-ms: a slow answer would count as lost")
)]
pub struct WANPolicySpec {
    /// Transport class, opaque to mc-wan and mapped by the SD-WAN, e.g. `business`. An RFC 1123 label.
    #[schemars(schema_with = "schema::label")]
    pub tunnel: String,
    /// Port of this class on every ingress gateway, TCP for data and UDP for probes; 1024–65535, best outside of
    /// 32768–60999, which clients use. Unique among the policies: the oldest keeps it. Cannot be changed.
    #[schemars(range(min = 1024, max = 65535))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("port cannot be changed: the SD-WAN classifies by it"))]
    pub port: i32,
    /// Path quality that the tunnel must keep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sla: Option<Sla>,
    /// Code point that both directions are marked with: a name (`EF`, `VA`, `AF11`–`AF43`, `CS0`–`CS5`, `LE`) or 0–63 without
    /// 48 and 56. Unset: packets are not marked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::dscp")]
    pub dscp: Option<IntOrString>,
    /// Order among policies that are otherwise equal, lower first; 0–1000, 100 when unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1000))]
    pub priority: Option<i32>,
    /// What happens when the tunnel cannot be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failover: Option<Failover>,
    /// How the tunnel is measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<Probe>,
    /// Connections kept per gateway address of a peer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<Connections>,
    /// Bandwidth of the tunnel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<Capacity>,
    /// What the tunnel's traffic costs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// The SD-WAN that carries the tunnel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_ref: Option<ProviderRef>,
}

/// Path quality that a tunnel must keep. The keys are spelled as the original project spells them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Sla {
    /// Highest mean round-trip time, in milliseconds; 1–60000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 60000))]
    pub latency_ms: Option<i32>,
    /// Highest smoothed jitter (RFC 3550) of the worse direction, in milliseconds; 1–60000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 60000))]
    pub jitter_ms: Option<i32>,
    /// Highest loss, in percent; 0–100, where 100 means that loss does not matter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub loss_percent: Option<f64>,
}

/// What happens when a tunnel cannot be used.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(
        "!has(self.holdDown) || !has(self.maxHoldDown) || duration(self.maxHoldDown) >= duration(self.holdDown)"
    ).message("maxHoldDown must not be shorter than holdDown")
)]
pub struct Failover {
    /// Names of other policies, tried in this order; at most 4. Empty: traffic never leaves the class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::fallback")]
    pub fallback: Option<Vec<String>>,
    /// What makes traffic leave the tunnel; `[Down, SLAViolated]` when unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 3))]
    pub on: Option<Vec<FailoverTrigger>>,
    /// What to do when no tunnel keeps its promise; `BestPath` when unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when_none_meets: Option<WhenNoneMeets>,
    /// How long a tunnel must be healthy before traffic returns to it; 0s–24h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::hold_down")]
    #[x_kube(validation = Rule::new("duration(self) <= duration('24h')").message("must be at most 24h"))]
    pub hold_down: Option<String>,
    /// `holdDown` doubles with every flap, up to this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::max_hold_down")]
    pub max_hold_down: Option<String>,
    /// A violated tunnel counts as recovered below this share of its SLA, in percent; 1–100, 80 when unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub clear_percent: Option<i32>,
    /// How long requests under way may finish on a tunnel that is left; 0s–10m, 30s when unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::duration")]
    #[x_kube(validation = Rule::new("duration(self) <= duration('10m')").message("must be at most 10m"))]
    pub drain: Option<String>,
}

/// What makes traffic leave a tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum FailoverTrigger {
    /// Nothing comes back.
    Down,
    /// The path is worse than the SLA.
    SLAViolated,
    /// The monthly quota is used up.
    QuotaExceeded,
}

/// What to do when no tunnel keeps its promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum WhenNoneMeets {
    /// Take the best of the bad.
    BestPath,
    /// Stay on the preferred one.
    Stay,
    /// Refuse the request.
    Reject,
}

/// How a tunnel is measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Probe {
    /// `STAMP` when unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<ProbeProtocol>,
    /// Time between two probes; 20ms–60s, 100ms when unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::duration")]
    #[x_kube(
        validation = Rule::new("duration(self) >= duration('20ms') && duration(self) <= duration('60s')")
            .message("must be 20ms to 60s")
    )]
    pub interval: Option<String>,
    /// A probe without an answer for this long is lost; 20ms–60s and longer than `sla.latency-ms`, 1s when unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::duration")]
    #[x_kube(
        validation = Rule::new("duration(self) >= duration('20ms') && duration(self) <= duration('60s')")
            .message("must be 20ms to 60s")
    )]
    pub timeout: Option<String>,
    /// Samples that loss and jitter are taken over; 10–6000, 100 when unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 10, max = 6000))]
    pub window: Option<i32>,
    /// Samples that latency is taken over; 10–6000, 20 when unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 10, max = 6000))]
    pub latency_window: Option<i32>,
    /// Lost probes in a row that mean down; 1–100, 3 when unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub down_after: Option<i32>,
    /// Answered probes in a row that mean up; 1–100, 5 when unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub up_after: Option<i32>,
}

/// What a probe is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ProbeProtocol {
    /// RFC 8762, UDP on the policy's port: the only one that sees loss.
    STAMP,
    /// A request on a connection of its own.
    HTTP,
    /// What the traffic itself shows.
    Passive,
    /// None at all.
    None,
}

/// Connections of a tunnel, per gateway address of the peer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.min) || !has(self.max) || self.max >= self.min")
        .message("max must not be less than min")
)]
pub struct Connections {
    /// Kept open even without traffic; 0–64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::connections_min")]
    pub min: Option<i32>,
    /// At most; 1–64. Each connection may take another path of the SD-WAN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::connections_max")]
    pub max: Option<i32>,
    /// Replaced at this age, so that new paths come into use; 10s or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::max_age")]
    #[x_kube(validation = Rule::new("duration(self) >= duration('10s')").message("must be at least 10s"))]
    pub max_age: Option<String>,
    /// Requests in flight per connection; 1–1000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::max_streams")]
    pub max_streams: Option<i32>,
}

/// Bandwidth of a tunnel.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Capacity {
    /// In Mbit/s, more than 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("double(self) > 0.0").message("must be more than 0"))]
    pub mbps: Option<f64>,
}

/// What the traffic of a tunnel costs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    /// Per GiB, in any currency; 0 when unset.
    #[serde(default, rename = "perGiB", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub per_gib: Option<f64>,
    /// GiB in a month; unset: no quota.
    #[serde(
        default,
        rename = "monthlyQuotaGiB",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(range(min = 0))]
    pub monthly_quota_gib: Option<f64>,
}

/// The SD-WAN that carries a tunnel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProviderRef {
    /// Name of the provider; empty: its configuration is rendered only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub name: Option<String>,
}

/// Status of a policy; written by the controller only.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WANPolicyStatus {
    /// Generation of the spec that the status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Hash of name, port, SLA and DSCP: equal in all clusters of the `ClusterSet`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec_hash: Option<String>,
    /// `Accepted`, `Programmed`, `Consistent`, `SLAMet`, `Degraded`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Option<Vec<Condition>>,
    /// What the SD-WAN was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<ProviderStatus>,
    /// The tunnel to each peer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["cluster"]))]
    pub peers: Option<Vec<PolicyPeer>>,
}

/// What the SD-WAN was told.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProviderStatus {
    /// Name of the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Hash of what was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// When it was last confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_sync_time: Option<Time>,
    /// The provider's task that is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<String>,
    /// The provider's policy that is active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_policy_id: Option<String>,
    /// Where the rendered configuration stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rendered: Option<Rendered>,
    /// What the provider could not express exactly, e.g. `loss 0.5 % sent as 1 %`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approximations: Option<Vec<String>>,
}

/// Where rendered configuration stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rendered {
    /// Name of the `ConfigMap`.
    pub config_map: String,
}

/// The tunnel to one peer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyPeer {
    /// Cluster id of the peer.
    pub cluster: String,
    /// `Unknown`, `Healthy`, `Violated` or `Down`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// When it came into this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// The policy that carries the traffic now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_policy: Option<String>,
    /// What was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measured>,
    /// Changes of state within 24 hours.
    #[serde(default, rename = "flaps24h", skip_serializing_if = "Option::is_none")]
    pub flaps_24h: Option<i32>,
}

/// What was measured on a tunnel.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Measured {
    /// Mean round-trip time, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<f64>,
    /// 95th percentile of the round-trip time, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p95_ms: Option<f64>,
    /// Jitter towards the peer, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter_fwd_ms: Option<f64>,
    /// Jitter from the peer, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter_rev_ms: Option<f64>,
    /// Loss towards the peer, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_fwd_percent: Option<f64>,
    /// Loss from the peer, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_rev_percent: Option<f64>,
    /// Samples behind the numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<i32>,
    /// `STAMP`, `HTTP` or `Passive`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Time>,
}
