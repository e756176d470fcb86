//! How a request ended, as a closed set of words; and Envoy's flags for the same.

use mcwan_routing::failure::Failure;

mcwan_telemetry::label_values! {
    /// How a request ended.
    pub enum Outcome {
        /// A backend answered (whatever its status), or the rule redirected.
        Answered = "answered",
        /// See [`Failure::NoRule`].
        NoRule = "no_rule",
        /// See [`Failure::InvalidBackend`].
        InvalidBackend = "invalid_backend",
        /// See [`Failure::NoHealthyBackend`].
        NoHealthyBackend = "no_healthy_backend",
        /// See [`Failure::Upstream`].
        Upstream = "upstream",
        /// See [`Failure::Timeout`].
        Timeout = "timeout",
        /// See [`Failure::BadRequest`].
        BadRequest = "bad_request",
        /// See [`Failure::HeaderTooLarge`].
        HeaderTooLarge = "header_too_large",
        /// See [`Failure::ClientGone`].
        ClientGone = "client_gone",
        /// See [`Failure::Internal`].
        Internal = "internal",
    }
}

impl Outcome {
    /// From the gateway's own failure, if it had one.
    #[must_use]
    pub const fn of(failure: Option<Failure>) -> Self {
        match failure {
            None => Self::Answered,
            Some(Failure::NoRule) => Self::NoRule,
            Some(Failure::InvalidBackend) => Self::InvalidBackend,
            Some(Failure::NoHealthyBackend) => Self::NoHealthyBackend,
            Some(Failure::Upstream) => Self::Upstream,
            Some(Failure::Timeout) => Self::Timeout,
            Some(Failure::BadRequest) => Self::BadRequest,
            Some(Failure::HeaderTooLarge) => Self::HeaderTooLarge,
            Some(Failure::ClientGone) => Self::ClientGone,
            Some(Failure::Internal) => Self::Internal,
        }
    }

    /// Envoy's `RESPONSE_FLAGS` for it, which access-log tools know; `-` for none.
    #[must_use]
    pub const fn flags(self) -> &'static str {
        match self {
            Self::Answered | Self::Internal => "-",
            Self::NoRule => "NR",
            Self::InvalidBackend => "NC",
            Self::NoHealthyBackend => "UH",
            Self::Upstream => "UF",
            Self::Timeout => "UT",
            Self::BadRequest | Self::HeaderTooLarge => "DPE",
            Self::ClientGone => "DC",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn words_are_distinct() {
        let words: BTreeSet<_> = Outcome::ALL.iter().map(|o| o.as_str()).collect();
        assert_eq!(words.len(), Outcome::ALL.len());
    }

    #[test]
    fn a_failure_is_called_as_it_is_serialized_elsewhere() {
        for failure in [
            Failure::NoRule,
            Failure::InvalidBackend,
            Failure::NoHealthyBackend,
            Failure::Upstream,
            Failure::Timeout,
            Failure::BadRequest,
            Failure::HeaderTooLarge,
            Failure::ClientGone,
            Failure::Internal,
        ] {
            let word = serde_json::to_value(failure).unwrap();
            assert_eq!(word, Outcome::of(Some(failure)).as_str());
        }
    }
}
