//! What a condition says, and for how long it has said so.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde::Serialize;

/// Conditions that are good news when they are `False`.
const BAD_NEWS: [&str; 5] = [
    "Conflict",
    "Conflicted",
    "Degraded",
    "OverlappingTLSConfig",
    "PartiallyInvalid",
];

/// Whether a condition is good news when it is `True`.
pub(crate) fn is_good_when_true(condition: &str) -> bool {
    !BAD_NEWS.contains(&condition)
}

/// The moment of a report, and what that means for facts that the controller wrote.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View {
    /// Now.
    pub now: Timestamp,
    /// Whether a controller is there to correct what it once wrote. If not, nothing that it wrote is news.
    pub is_current: bool,
}

impl View {
    /// Age in whole seconds; never negative, whatever the clocks say.
    pub(crate) fn age(self, since: Timestamp) -> i64 {
        self.now
            .as_second()
            .saturating_sub(since.as_second())
            .max(0)
    }
}

/// What a condition says of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Fact {
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// Reason.
    pub reason: String,
    /// Message.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Since when it says so.
    pub since: Timestamp,
    /// Seconds since then; none where nobody has written it yet: the Gateway API's CRDs begin with conditions of 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_seconds: Option<i64>,
    /// It cannot be relied on: it is about an older spec, or nobody is there who would correct it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub outdated: bool,
}

impl Fact {
    /// The fact in a condition of an object whose spec is at `generation`.
    pub(crate) fn of(condition: &Condition, generation: Option<i64>, view: View) -> Self {
        let since = condition.last_transition_time.0;
        let is_older = is_older(condition.observed_generation, generation);
        Self {
            status: condition.status.clone(),
            reason: condition.reason.clone(),
            message: condition.message.clone(),
            since,
            age_seconds: (since.as_second() > 0).then(|| view.age(since)),
            outdated: !view.is_current || is_older,
        }
    }

    /// The fact of one type among conditions.
    pub(crate) fn find(
        conditions: Option<&Vec<Condition>>,
        type_: &str,
        generation: Option<i64>,
        view: View,
    ) -> Option<Self> {
        let condition = conditions?.iter().find(|c| c.type_ == type_)?;
        Some(Self::of(condition, generation, view))
    }
}

/// Whether a status is about an older spec than the one that an object has.
pub(crate) fn is_older(observed: Option<i64>, generation: Option<i64>) -> bool {
    observed.is_some_and(|o| generation.is_some_and(|g| o < g))
}

/// An age as `kubectl` would round it: two digits or three, and one unit.
pub(crate) fn age(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}
