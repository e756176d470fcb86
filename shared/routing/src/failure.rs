//! Failures and the statuses they become. Nothing else in the project chooses a status for a failed request.

use serde::Serialize;

/// Why the gateway itself answers a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
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

impl Failure {
    /// All failures, for metrics that are registered in advance.
    pub const ALL: [Self; 9] = [
        Self::NoRule,
        Self::InvalidBackend,
        Self::NoHealthyBackend,
        Self::Upstream,
        Self::Timeout,
        Self::BadRequest,
        Self::HeaderTooLarge,
        Self::ClientGone,
        Self::Internal,
    ];

    /// The status that the client is sent. 499 is for logs and metrics only: there is nobody left to send it to.
    ///
    /// 404 and 500 are Gateway API's words for "no rule" and "no valid backend" (`HTTPRouteRule.backendRefs`),
    /// 504 is GEP-1742's for a time-out.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::NoRule => 404,
            Self::InvalidBackend | Self::Internal => 500,
            Self::NoHealthyBackend => 503,
            Self::Upstream => 502,
            Self::Timeout => 504,
            Self::BadRequest => 400,
            Self::HeaderTooLarge => 431,
            Self::ClientGone => 499,
        }
    }

    /// The body that the client is sent: one plain line. It names no address and no object, because clients may be
    /// strangers.
    #[must_use]
    pub const fn line(self) -> &'static str {
        match self {
            Self::NoRule => "no rule: no route of this gateway takes the request\n",
            Self::InvalidBackend => {
                "invalid backend: the rule that takes the request has no valid backend\n"
            }
            Self::NoHealthyBackend => {
                "no healthy backend: none of the rule's backends can take the request now\n"
            }
            Self::Upstream => {
                "upstream failed: the connection to the backend failed before it answered\n"
            }
            Self::Timeout => "timeout: the backend did not answer in the time that is allowed\n",
            Self::BadRequest => "bad request: the request is malformed\n",
            Self::HeaderTooLarge => "header too large: the request's header exceeds the limit\n",
            Self::ClientGone => "client gone: the client closed the connection before the answer\n",
            Self::Internal => "internal error: the gateway could not serve the request\n",
        }
    }

    /// The word in logs and in the metric label `outcome`. The same as its JSON form.
    #[must_use]
    pub const fn outcome(self) -> &'static str {
        match self {
            Self::NoRule => "no_rule",
            Self::InvalidBackend => "invalid_backend",
            Self::NoHealthyBackend => "no_healthy_backend",
            Self::Upstream => "upstream",
            Self::Timeout => "timeout",
            Self::BadRequest => "bad_request",
            Self::HeaderTooLarge => "header_too_large",
            Self::ClientGone => "client_gone",
            Self::Internal => "internal",
        }
    }
}

/// The word of the metric label `outcome` for a finished request: `ok` when a backend answered or a redirect was sent.
#[must_use]
pub const fn outcome(failure: Option<Failure>) -> &'static str {
    match failure {
        None => "ok",
        Some(failure) => failure.outcome(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Failure, outcome};

    #[test]
    fn each_failure_has_its_status() {
        for (failure, status) in [
            (Failure::NoRule, 404),
            (Failure::InvalidBackend, 500),
            (Failure::NoHealthyBackend, 503),
            (Failure::Upstream, 502),
            (Failure::Timeout, 504),
            (Failure::BadRequest, 400),
            (Failure::HeaderTooLarge, 431),
            (Failure::ClientGone, 499),
            (Failure::Internal, 500),
        ] {
            assert_eq!(failure.status(), status, "{failure:?}");
        }
    }

    #[test]
    fn a_line_is_one_line_without_addresses() {
        for failure in Failure::ALL {
            let line = failure.line();
            assert_eq!(line.matches('\n').count(), 1, "{line}");
            assert!(
                line.ends_with('\n') && !line.bytes().any(|c| c.is_ascii_digit()),
                "{line}"
            );
        }
        assert!(Failure::NoRule.line().contains("no rule"));
    }

    #[test]
    fn outcome_words_are_the_json_names_and_distinct() {
        let mut words: Vec<_> = Failure::ALL.into_iter().map(Failure::outcome).collect();
        for failure in Failure::ALL {
            let json = serde_json::to_value(failure).unwrap();
            assert_eq!(json, failure.outcome());
        }
        words.push(outcome(None));
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Failure::ALL.len() + 1);
    }
}
