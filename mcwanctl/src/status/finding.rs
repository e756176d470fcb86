//! What is wrong, or worth knowing: object, since when, and what to do next.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde::Serialize;

use super::fact::{Fact, View, is_good_when_true, is_older};

/// How bad a finding is. Errors come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// Something that was asked for does not work, or nobody can say whether it does: exit code 1.
    Error,
    /// It works, but not as it should, or not for long.
    Warning,
    /// Worth knowing.
    Notice,
}

/// One thing that is wrong, or worth knowing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Finding {
    /// How bad it is.
    pub level: Level,
    /// The object: kind and name.
    pub object: String,
    /// Reason in `CamelCase`.
    pub reason: String,
    /// What is wrong.
    pub message: String,
    /// For how long, in seconds; none where nobody knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_seconds: Option<i64>,
    /// What to do next; empty where the message says it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub hint: String,
}

impl Finding {
    /// A finding of unknown age, with nothing to do.
    pub(crate) fn new(
        level: Level,
        object: impl Into<String>,
        reason: &str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            level,
            object: object.into(),
            reason: reason.to_owned(),
            message: message.into(),
            age_seconds: None,
            hint: String::new(),
        }
    }

    /// The same with an age in seconds.
    pub(crate) fn aged(self, seconds: i64) -> Self {
        Self {
            age_seconds: Some(seconds),
            ..self
        }
    }

    /// The same with what to do next.
    pub(crate) fn advise(self, hint: impl Into<String>) -> Self {
        Self {
            hint: hint.into(),
            ..self
        }
    }
}

/// What the conditions of an object complain about. `object` is how people call it. What a condition says of an older spec
/// is at most a warning; what it says while no controller runs is what was last known, and no better for that.
pub(crate) fn complaints(
    object: &str,
    conditions: Option<&Vec<Condition>>,
    generation: Option<i64>,
    view: View,
) -> Vec<Finding> {
    let all = conditions.into_iter().flatten();
    all.filter_map(|condition| complaint(object, condition, generation, view))
        .collect()
}

fn complaint(
    object: &str,
    condition: &Condition,
    generation: Option<i64>,
    view: View,
) -> Option<Finding> {
    let fact = Fact::of(condition, generation, view);
    let type_ = &condition.type_;
    let (good, not) = if is_good_when_true(type_) {
        ("True", "not ")
    } else {
        ("False", "")
    };
    let is_older = is_older(condition.observed_generation, generation);
    if fact.status == good {
        // The same for all conditions of the object, and so said once.
        let message = "has changed since the controller last looked at it";
        let finding = Finding::new(Level::Warning, object, "Outdated", message);
        return is_older.then_some(finding);
    }
    let level = if fact.status == "Unknown" || is_older {
        Level::Warning
    } else {
        Level::Error
    };
    let what = if fact.status == "Unknown" {
        format!("{type_} is not known yet")
    } else {
        format!("{not}{type_}")
    };
    let detail = [fact.message.as_str(), fact.reason.as_str()];
    let detail = detail.into_iter().find(|text| !text.is_empty());
    let message = format!("{what}: {}", detail.unwrap_or("no reason given"));
    Some(Finding {
        age_seconds: fact.age_seconds,
        ..Finding::new(level, object, &fact.reason, message)
    })
}
