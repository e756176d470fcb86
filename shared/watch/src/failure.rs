//! What can go wrong with a request to an API server.

use std::error::Error as _;
use std::time::Duration;

use kube::core::Status;

/// Why there is no answer that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// 404. That is a kind which is not served, or a wrong server.
    #[error("the API server does not know the kind (404)")]
    Absent,
    /// 410: the version is too old for a watch or a page.
    #[error("the version is too old (410)")]
    Expired,
    /// Another status.
    #[error("the API server answers {code}: {message}")]
    Refused {
        /// HTTP status.
        code: u16,
        /// What it says.
        message: String,
    },
    /// No connection, or one that broke.
    #[error("the API server cannot be reached: {0}")]
    Unreachable(String),
    /// Something that no API server says.
    #[error("the answer is not that of an API server: {0}")]
    Nonsense(String),
    /// No answer in time.
    #[error("no answer within {0:?}")]
    Slow(Duration),
    /// The watch ended at once, and brought nothing.
    #[error("the watch ended at once")]
    Short,
}

impl Failure {
    /// What a status says.
    pub(crate) fn of_status(status: &Status) -> Self {
        match status.code {
            404 => Self::Absent,
            410 => Self::Expired,
            _ if matches!(status.reason.as_str(), "Expired" | "Gone") => Self::Expired,
            code => Self::Refused {
                code,
                message: first_line(&status.message),
            },
        }
    }

    /// Whether a watch that failed so may go on from where it was. Otherwise only a new list can tell what is there.
    pub(crate) const fn passes(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Slow(_) | Self::Short => true,
            Self::Refused { code, .. } => matches!(code, 429 | 500 | 502 | 503),
            Self::Absent | Self::Expired | Self::Nonsense(_) => false,
        }
    }
}

impl From<kube::Error> for Failure {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::of_status(&status),
            kube::Error::SerdeError(e) => Self::Nonsense(e.to_string()),
            kube::Error::FromUtf8(e) => Self::Nonsense(e.to_string()),
            other => Self::Unreachable(chain(&other)),
        }
    }
}

/// An error and its causes, without those that only repeat what was said.
fn chain(error: &kube::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

/// Pages of proxies are long.
fn first_line(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    line.chars().take(300).collect()
}
