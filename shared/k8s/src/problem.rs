//! A user's mistake. Never an `Err`, never a panic: the object is reported and the rest keeps working.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Names an object.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ObjectRef {
    /// API group; empty for the core group.
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Namespace; empty for cluster-scoped kinds.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "{} {}", self.kind, self.name)
        } else {
            write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
        }
    }
}

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Something that was asked for is not done.
    Error,
    /// All that was asked for is done, but not as the user may expect.
    Warning,
}

/// A user's mistake: what is wrong with which object, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// The object at fault.
    pub object: ObjectRef,
    /// Where in the object, e.g. `spec.rules[0].backendRefs[1]`; empty for the whole of it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub field: String,
    /// Status condition that says it: `Accepted`, `ResolvedRefs`, `Programmed`, `Valid`, `Ready`, `Conflict` …
    pub condition: String,
    /// Reason in `CamelCase`, from the Gateway API or MCS API where they have one.
    pub reason: String,
    /// What is wrong, in lower case, naming the other object.
    pub message: String,
    /// What to do next.
    pub hint: String,
    /// How bad it is.
    pub severity: Severity,
    /// For routes, the parent that the problem belongs to: `namespace/name[/section][:port]`, with `ListenerSet ` in front
    /// when it is one; empty otherwise.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub parent: String,
}

impl Problem {
    /// Something that was asked for is not done. `what` is the condition and its reason.
    pub(crate) fn error(object: ObjectRef, what: (&str, &str), message: impl Into<String>) -> Self {
        Self {
            object,
            field: String::new(),
            condition: what.0.to_owned(),
            reason: what.1.to_owned(),
            message: message.into(),
            hint: String::new(),
            severity: Severity::Error,
            parent: String::new(),
        }
    }

    /// All that was asked for is done, but not as the user may expect.
    pub(crate) fn warning(
        object: ObjectRef,
        what: (&str, &str),
        message: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(object, what, message)
        }
    }

    /// The same problem in one field of the object.
    pub(crate) fn in_field(self, field: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            ..self
        }
    }

    /// The same problem with what to do next.
    pub(crate) fn advise(self, hint: impl Into<String>) -> Self {
        Self {
            hint: hint.into(),
            ..self
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.object)?;
        if !self.field.is_empty() {
            write!(f, " {}", self.field)?;
        }
        write!(f, ": {}: {}", self.reason, self.message)?;
        if self.hint.is_empty() {
            Ok(())
        } else {
            write!(f, "; {}", self.hint)
        }
    }
}
