//! The program's own log, on stderr.

use std::str::FromStr;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

/// Environment variable with the filter, in the syntax of [`EnvFilter`]: `debug`, or `info,mcwan_gateway=debug`.
pub const FILTER_VARIABLE: &str = "MCWAN_LOG";

/// Environment variable with the format: `text` or `json`.
pub const FORMAT_VARIABLE: &str = "MCWAN_LOG_FORMAT";

/// What is logged when [`FILTER_VARIABLE`] is not set. Pingora logs each failed request as an error: the access log
/// says it better.
pub const DEFAULT_FILTER: &str = "info,pingora_core=warn,pingora_proxy=off";

/// How lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl FromStr for Format {
    type Err = LogError;

    fn from_str(s: &str) -> Result<Self, LogError> {
        match s {
            "" | "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            other => Err(LogError::Format(other.to_owned())),
        }
    }
}

/// Why the log cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter does not parse.
    #[error(
        "{FILTER_VARIABLE}={0:?} is no log filter ({1}); write for example {FILTER_VARIABLE}=info,mcwan_gateway=debug"
    )]
    Filter(String, String),
    /// The format is not known.
    #[error("{FORMAT_VARIABLE}={0:?} is no log format; write text or json")]
    Format(String),
    /// Somebody else set up a log.
    #[error("the log is set up twice: {0}")]
    Twice(String),
}

/// Sets up the log of the process from the values of the two environment variables, and takes over what libraries
/// write through the `log` crate.
///
/// # Errors
/// When a value is wrong, or the process has a log already.
pub fn init(filter: Option<&str>, format: Option<&str>) -> Result<(), LogError> {
    let format: Format = format.unwrap_or_default().parse()?;
    let filter = self::filter(filter)?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // `try_init` bridges the `log` crate too.
    match format {
        Format::Text => builder.finish().try_init(),
        Format::Json => builder.json().flatten_event(true).finish().try_init(),
    }
    .map_err(|e| LogError::Twice(e.to_string()))
}

/// [`init`] with the environment's values.
///
/// # Errors
/// As [`init`].
pub fn init_from_env() -> Result<(), LogError> {
    let filter = std::env::var(FILTER_VARIABLE).ok();
    let format = std::env::var(FORMAT_VARIABLE).ok();
    init(filter.as_deref(), format.as_deref())
}

fn filter(value: Option<&str>) -> Result<EnvFilter, LogError> {
    let value = value.map(str::trim).filter(|v| !v.is_empty());
    let text = value.unwrap_or(DEFAULT_FILTER);
    EnvFilter::builder()
        .parse(text)
        .map_err(|e| LogError::Filter(text.to_owned(), e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unset_or_empty_filter_is_the_default() {
        let default = EnvFilter::builder()
            .parse(DEFAULT_FILTER)
            .unwrap()
            .to_string();
        assert_eq!(filter(None).unwrap().to_string(), default);
        assert_eq!(filter(Some(" ")).unwrap().to_string(), default);
    }

    #[test]
    fn a_broken_filter_is_named_with_an_example() {
        let error = filter(Some("mcwan=loudly")).unwrap_err().to_string();
        assert!(error.contains("mcwan=loudly"), "{error}");
        assert!(error.contains("write for example"), "{error}");
    }

    #[test]
    fn formats_are_text_and_json() {
        assert_eq!("".parse::<Format>().unwrap(), Format::Text);
        assert_eq!("json".parse::<Format>().unwrap(), Format::Json);
        assert!(
            "xml"
                .parse::<Format>()
                .unwrap_err()
                .to_string()
                .contains("text or json")
        );
    }
}
