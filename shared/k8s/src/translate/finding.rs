//! What is found wrong while a translation goes on, before it is known whose status it belongs to.

use std::fmt;

use crate::problem::{ObjectRef, Problem, Severity};

/// The condition and the reason of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) condition: &'static str,
    pub(super) reason: &'static str,
}

const fn accepted(reason: &'static str) -> Verdict {
    Verdict {
        condition: "Accepted",
        reason,
    }
}

const fn conflicted(reason: &'static str) -> Verdict {
    Verdict {
        condition: "Conflicted",
        reason,
    }
}

const fn resolved_refs(reason: &'static str) -> Verdict {
    Verdict {
        condition: "ResolvedRefs",
        reason,
    }
}

// Gateways, ListenerSets and their listeners.
pub(super) const UNSUPPORTED_ADDRESS: Verdict = accepted("UnsupportedAddress");
pub(super) const UNSUPPORTED_PROTOCOL: Verdict = accepted("UnsupportedProtocol");
pub(super) const PORT_UNAVAILABLE: Verdict = accepted("PortUnavailable");
pub(super) const INVALID_PARAMETERS: Verdict = accepted("InvalidParameters");
pub(super) const NOT_ALLOWED: Verdict = accepted("NotAllowed");
pub(super) const PARENT_NOT_ACCEPTED: Verdict = accepted("ParentNotAccepted");
pub(super) const LISTENERS_NOT_VALID: Verdict = accepted("ListenersNotValid");
pub(super) const HOSTNAME_CONFLICT: Verdict = conflicted("HostnameConflict");
pub(super) const PROTOCOL_CONFLICT: Verdict = conflicted("ProtocolConflict");
pub(super) const INVALID_ROUTE_KINDS: Verdict = resolved_refs("InvalidRouteKinds");
// Routes.
pub(super) const UNSUPPORTED_VALUE: Verdict = accepted("UnsupportedValue");
pub(super) const NO_MATCHING_PARENT: Verdict = accepted("NoMatchingParent");
pub(super) const NOT_ALLOWED_BY_LISTENERS: Verdict = accepted("NotAllowedByListeners");
pub(super) const NO_MATCHING_LISTENER_HOSTNAME: Verdict = accepted("NoMatchingListenerHostname");
pub(super) const INCOMPATIBLE_FILTERS: Verdict = accepted("IncompatibleFilters");
pub(super) const BACKEND_NOT_FOUND: Verdict = resolved_refs("BackendNotFound");
pub(super) const INVALID_KIND: Verdict = resolved_refs("InvalidKind");
pub(super) const REF_NOT_PERMITTED: Verdict = resolved_refs("RefNotPermitted");
pub(super) const BACKEND_PROTOCOL: Verdict = resolved_refs("UnsupportedProtocol");
pub(super) const BACKEND_VALUE: Verdict = resolved_refs("UnsupportedValue");
/// Own reason: a rule behind a WAN listener would send a request back into the WAN (DESIGN §11, invariant 5).
pub(super) const WAN_LOOP: Verdict = resolved_refs("WANLoop");
/// Own reason: a field or kind that this version does not act on.
pub(super) const NOT_IN_FORCE_YET: Verdict = accepted("NotInForceYet");

/// Path of a field, as a list from the inside out; costs nothing until something is found there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field<'a> {
    outer: Option<&'a Self>,
    name: &'a str,
    index: Option<usize>,
}

impl<'a> Field<'a> {
    /// A field of the object itself.
    pub(super) const fn root(name: &'a str) -> Self {
        Self {
            outer: None,
            name,
            index: None,
        }
    }

    /// A field inside this one.
    pub(super) const fn at(&'a self, name: &'a str) -> Self {
        Self {
            outer: Some(self),
            name,
            index: None,
        }
    }

    /// An item of a list inside this one.
    pub(super) const fn nth(&'a self, name: &'a str, index: usize) -> Self {
        Self {
            outer: Some(self),
            name,
            index: Some(index),
        }
    }
}

impl fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(outer) = self.outer {
            write!(f, "{outer}.")?;
        }
        f.write_str(self.name)?;
        self.index.map_or(Ok(()), |i| write!(f, "[{i}]"))
    }
}

/// A mistake without its place: what a reference turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) verdict: Verdict,
    pub(super) message: String,
    pub(super) hint: &'static str,
}

impl Fault {
    pub(super) fn new(verdict: Verdict, message: impl Into<String>, hint: &'static str) -> Self {
        Self {
            verdict,
            message: message.into(),
            hint,
        }
    }

    /// What a table says about requests that this mistake makes unanswerable.
    pub(super) fn invalid(&self) -> String {
        format!("{}: {}", self.verdict.reason, self.message)
    }
}

/// A mistake and its place in an object.
#[derive(Debug, Clone)]
struct Finding {
    field: String,
    fault: Fault,
}

/// The mistakes of one object.
#[derive(Debug, Clone, Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    /// Notes a mistake.
    pub(super) fn add(&mut self, field: &Field<'_>, fault: Fault) {
        let field = field.to_string();
        self.0.push(Finding { field, fault });
    }

    /// Notes the mistakes of another list too.
    pub(super) fn extend(&mut self, other: &Self) {
        self.0.extend_from_slice(&other.0);
    }

    /// The mistakes as problems of an object; `parent` is empty for objects that are not routes.
    pub(super) fn problems<'a>(
        &'a self,
        object: &'a ObjectRef,
        parent: &'a str,
    ) -> impl Iterator<Item = Problem> + 'a {
        self.0.iter().map(move |Finding { field, fault }| Problem {
            object: object.clone(),
            field: field.clone(),
            condition: fault.verdict.condition.to_owned(),
            reason: fault.verdict.reason.to_owned(),
            message: fault.message.clone(),
            hint: fault.hint.to_owned(),
            severity: Severity::Error,
            parent: parent.to_owned(),
        })
    }
}
