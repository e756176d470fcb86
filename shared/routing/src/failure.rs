//! Failures and the statuses they become. Nothing else in the project chooses a status for a failed request.

use serde::Serialize;

/// Why the gateway itself answers a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// No listener takes the host, or no rule the request.
    NoRule,
    /// The rule's backend reference does not resolve, or it has no backend at all.
    InvalidBackend,
    /// Every candidate is down, or has no endpoint.
    NoHealthyBackend,
    /// The connection could not be made, or ended before a response.
    Upstream,
    /// The request or an attempt took longer than allowed.
    Timeout,
    /// The request is malformed.
    BadRequest,
    /// Its header is too large.
    HeaderTooLarge,
    /// The client went away.
    ClientGone,
    /// A fault of the gateway.
    Internal,
}
