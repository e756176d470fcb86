//! Why a write failed.

use kube::Error;
use mcwan_telemetry::label_values;

label_values! {
    /// What kind of failure it was.
    pub(crate) enum Reason {
        /// Somebody else wrote in between.
        Conflict = "conflict",
        /// The object, its namespace or its kind is gone.
        NotFound = "not-found",
        /// We may not, or the namespace is being deleted.
        Forbidden = "forbidden",
        /// The API server does not accept the object.
        Invalid = "invalid",
        /// The API server asks for patience.
        TooMany = "too-many-requests",
        /// No answer in time.
        Timeout = "timeout",
        /// The API server failed.
        Server = "server",
        /// The API server was not reached, or its answer was not readable.
        Network = "network",
    }
}

/// A write that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// What kind.
    pub reason: Reason,
    /// What the API server said.
    pub message: String,
}

impl Failure {
    /// No answer in time.
    pub(super) fn timeout() -> Self {
        Self {
            reason: Reason::Timeout,
            message: "no answer in time".to_owned(),
        }
    }

    /// A part of life that the next look at the cluster settles.
    pub(crate) const fn is_ordinary(&self) -> bool {
        matches!(self.reason, Reason::Conflict | Reason::NotFound)
    }

    /// What a person can do.
    pub(super) const fn hint(&self) -> &'static str {
        match self.reason {
            Reason::Forbidden => {
                "check the controller's roles (config/rbac), admission policies and quotas"
            }
            Reason::Invalid => {
                "check that the installed definitions are those of this release (config/crd)"
            }
            Reason::Conflict
            | Reason::NotFound
            | Reason::TooMany
            | Reason::Timeout
            | Reason::Server
            | Reason::Network => "nothing, if the api server recovers: it is tried again",
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let Error::Api(status) = &error else {
            return Self {
                reason: Reason::Network,
                message: error.to_string(),
            };
        };
        let reason = match status.code {
            409 => Reason::Conflict,
            404 => Reason::NotFound,
            401 | 403 => Reason::Forbidden,
            429 => Reason::TooMany,
            504 | 408 => Reason::Timeout,
            400..500 => Reason::Invalid,
            _ => Reason::Server,
        };
        Self {
            reason,
            message: status.message.clone(),
        }
    }
}
