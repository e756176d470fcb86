//! Conditions: what is said, and how it is put beside what others said.

use serde_json::{Map, Value, json};

/// Longest message of a condition (`metav1.Condition.message`).
const MESSAGE_LENGTH: usize = 32_768;

/// The status of a condition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Answer {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// It is not known whether it holds.
    #[default]
    Unknown,
}

impl Answer {
    /// As the API spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// What a condition says, without its type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the condition holds.
    pub answer: Answer,
    /// Reason in `CamelCase`; several are joined by commas. Empty counts as `Unknown`.
    pub reason: String,
    /// For people; at most 32,768 characters are kept.
    pub message: String,
}

impl Verdict {
    /// Any verdict.
    #[must_use]
    pub fn new(answer: Answer, reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            answer,
            reason: reason.into(),
            message: message.into(),
        }
    }

    /// It holds.
    pub(super) fn yes(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Answer::True, reason, message)
    }

    /// It does not hold.
    pub(super) fn no(reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Answer::False, reason, message)
    }

    /// Whether it holds.
    pub(super) fn holds(&self) -> bool {
        self.answer == Answer::True
    }

    /// The same verdict with more to say.
    pub(super) fn and(mut self, more: &str) -> Self {
        if !more.is_empty() {
            if !self.message.is_empty() {
                self.message.push_str(". ");
            }
            self.message.push_str(more);
        }
        self
    }
}

/// What conditions are stamped with.
#[derive(Debug, Clone)]
pub(super) struct Stamp {
    /// `metadata.generation` of the object; none where it counts none.
    pub(super) generation: Option<i64>,
    /// Now, as the API writes times.
    pub(super) now: String,
}

/// Conditions of one list that are ours: those to be said, and those that are ours but not said now.
#[derive(Debug, Clone, Default)]
pub(super) struct Said {
    list: Vec<(&'static str, Option<Verdict>)>,
}

impl Said {
    /// Nothing yet.
    pub(super) const fn new() -> Self {
        Self { list: Vec::new() }
    }

    /// Says a condition.
    pub(super) fn say(mut self, kind: &'static str, verdict: Verdict) -> Self {
        self.list.push((kind, Some(verdict)));
        self
    }

    /// Says a condition only when there is something to say, and takes it away otherwise.
    pub(super) fn maybe(mut self, kind: &'static str, verdict: Option<Verdict>) -> Self {
        self.list.push((kind, verdict));
        self
    }

    /// Our conditions in their places among all others. `before` is the list as it stands. A condition of ours that was
    /// written for a later generation than we know stays: our copy of the object is stale then (Gateway API, notes for
    /// implementors).
    pub(super) fn merged(&self, before: Option<&Value>, stamp: &Stamp) -> Value {
        let before = before
            .and_then(Value::as_array)
            .map_or(&[][..], Vec::as_slice);
        let mut merged = Vec::new();
        let mut placed = Vec::new();
        for old in before {
            let kind = old["type"].as_str().unwrap_or_default();
            match self.list.iter().find(|(k, _)| *k == kind) {
                None => merged.push(old.clone()),
                Some((kind, _)) if placed.contains(kind) => {}
                Some((kind, verdict)) => {
                    placed.push(*kind);
                    if is_later(old, stamp) {
                        merged.push(old.clone());
                    } else if let Some(verdict) = verdict {
                        merged.push(condition(kind, verdict, Some(old), stamp));
                    }
                }
            }
        }
        for (kind, verdict) in &self.list {
            if let Some(verdict) = verdict.as_ref().filter(|_| !placed.contains(kind)) {
                merged.push(condition(kind, verdict, None, stamp));
            }
        }
        Value::Array(merged)
    }
}

fn is_later(old: &Value, stamp: &Stamp) -> bool {
    let written = old["observedGeneration"].as_i64();
    written.zip(stamp.generation).is_some_and(|(w, g)| w > g)
}

fn condition(kind: &str, verdict: &Verdict, old: Option<&Value>, stamp: &Stamp) -> Value {
    let status = verdict.answer.as_str();
    let since = old
        .filter(|o| o["status"] == status)
        .and_then(|o| o["lastTransitionTime"].as_str())
        .unwrap_or(&stamp.now);
    let reason = if verdict.reason.is_empty() {
        "Unknown"
    } else {
        &verdict.reason
    };
    let message: String = verdict.message.chars().take(MESSAGE_LENGTH).collect();
    let mut condition = Map::new();
    condition.insert("lastTransitionTime".to_owned(), json!(since));
    condition.insert("message".to_owned(), json!(message));
    if let Some(generation) = stamp.generation {
        condition.insert("observedGeneration".to_owned(), json!(generation));
    }
    condition.insert("reason".to_owned(), json!(reason));
    condition.insert("status".to_owned(), json!(status));
    condition.insert("type".to_owned(), json!(kind));
    Value::Object(condition)
}

/// Whether a condition of a list holds for this very generation.
pub(super) fn held(conditions: &Value, kind: &str, generation: Option<i64>) -> bool {
    let mut list = conditions.as_array().into_iter().flatten();
    list.any(|c| {
        c["type"] == kind && c["status"] == "True" && c["observedGeneration"].as_i64() == generation
    })
}
