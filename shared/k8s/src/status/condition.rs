//! Conditions: what is said, and how it is put beside what others said.

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
}
