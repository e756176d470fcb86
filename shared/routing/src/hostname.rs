//! Hostnames of listeners and routes.
//!
//! Names are compared in lower case. A wildcard stands for one *or more* whole labels (Gateway API `Hostname`,
//! `HTTPRouteSpec.hostnames`), so `*.example.com` takes `a.b.example.com`, but not `example.com`.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::fmt;

use serde::{Serialize, Serializer};

/// Longest hostname, in characters (RFC 1123 §2.1, and the CRDs' `maxLength`).
pub const HOSTNAME_MAX: usize = 253;

/// Longest label of a hostname, in characters (RFC 1123 §2.1).
const LABEL_MAX: usize = 63;

/// A hostname pattern. `Ord` is only for stable output; precedence is [`HostPattern::rank`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HostPattern {
    /// This name, lower case.
    Exact(String),
    /// `*.suffix`: one or more labels before the suffix; holds the suffix, lower case, without the `*.`.
    Wildcard(String),
    /// Every host, and none.
    Any,
}

/// Specificity of a hostname pattern: the smaller, the more specific.
///
/// Two patterns of equal rank that both match one host are the same pattern, because they are suffixes of equal length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HostRank {
    /// A name in full.
    Exact,
    /// A wildcard; the longer its suffix, the more specific.
    Wildcard(Reverse<usize>),
    /// No hostname.
    Any,
}

/// Why a string is not a hostname.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostnameError {
    /// Nothing at all, or nothing after `*.`.
    Empty,
    /// More than [`HOSTNAME_MAX`] characters.
    TooLong,
    /// An IP address; Gateway API hostnames are names only.
    Address,
    /// A `*` that is not the whole first label.
    Wildcard,
    /// A label that is empty, longer than 63 characters, begins or ends with `-`, or holds another character than a
    /// letter, a digit or `-`.
    Label,
}

impl fmt::Display for HostnameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the hostname is empty",
            Self::TooLong => "the hostname is longer than 253 characters",
            Self::Address => "an IP address is not a hostname",
            Self::Wildcard => "`*` may only be the whole first label, as in `*.example.com`",
            Self::Label => "each label must be 1 to 63 letters, digits or `-`, and begin and end with a letter or digit",
        })
    }
}

impl std::error::Error for HostnameError {}

impl HostPattern {
    /// Reads a hostname as Gateway API objects hold it: a name by RFC 1123, which may begin with the label `*`.
    /// Upper case becomes lower case.
    ///
    /// # Errors
    /// When it is not such a name. The absence of a hostname is [`HostPattern::Any`], not an empty string.
    pub fn parse(hostname: &str) -> Result<Self, HostnameError> {
        if hostname.len() > HOSTNAME_MAX {
            return Err(HostnameError::TooLong);
        }
        let (wildcard, name) = match hostname.strip_prefix("*.") {
            Some(suffix) => (true, suffix),
            None => (false, hostname),
        };
        check_name(name)?;
        let name = name.to_ascii_lowercase();
        Ok(if wildcard {
            Self::Wildcard(name)
        } else {
            Self::Exact(name)
        })
    }

    /// Whether the pattern takes `host`, which must be as [`normalize_host`] leaves it.
    #[must_use]
    pub fn matches(&self, host: &str) -> bool {
        match self {
            Self::Exact(name) => name == host,
            Self::Wildcard(suffix) => host
                .strip_suffix(suffix.as_str())
                .and_then(|front| front.strip_suffix('.'))
                .is_some_and(|labels| !labels.is_empty()),
            Self::Any => true,
        }
    }

    /// Specificity, for precedence.
    #[must_use]
    pub const fn rank(&self) -> HostRank {
        match self {
            Self::Exact(_) => HostRank::Exact,
            Self::Wildcard(suffix) => HostRank::Wildcard(Reverse(suffix.len())),
            Self::Any => HostRank::Any,
        }
    }

    /// Whether some host is taken by both patterns: then a route with one can attach to a listener with the other.
    #[must_use]
    pub fn intersects(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) | (_, Self::Any) => true,
            (Self::Exact(name), pattern) | (pattern, Self::Exact(name)) => pattern.matches(name),
            (Self::Wildcard(a), Self::Wildcard(b)) => is_suffix(a, b) || is_suffix(b, a),
        }
    }
}

/// Whether `name` ends with the labels of `suffix`.
fn is_suffix(suffix: &str, name: &str) -> bool {
    name.strip_suffix(suffix)
        .is_some_and(|front| front.is_empty() || front.ends_with('.'))
}

fn check_name(name: &str) -> Result<(), HostnameError> {
    if name.is_empty() {
        return Err(HostnameError::Empty);
    }
    if name.contains('*') {
        return Err(HostnameError::Wildcard);
    }
    if name.parse::<std::net::IpAddr>().is_ok() {
        return Err(HostnameError::Address);
    }
    if name.split('.').all(is_label) {
        Ok(())
    } else {
        Err(HostnameError::Label)
    }
}

fn is_label(label: &str) -> bool {
    let inside = |c: u8| c.is_ascii_alphanumeric() || c == b'-';
    label.len() <= LABEL_MAX
        && label.bytes().all(inside)
        && label.bytes().next().is_some_and(|c| c != b'-')
        && label.bytes().next_back().is_some_and(|c| c != b'-')
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Wildcard(suffix) => write!(f, "*.{suffix}"),
            Self::Any => f.write_str("*"),
        }
    }
}

impl Serialize for HostPattern {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

/// The host of an authority (`Host`, `:authority`): without port, without the root's trailing dot, in lower case.
/// An IPv6 literal keeps its brackets. Copies only when there is upper case to change.
#[must_use]
pub fn normalize_host(authority: &str) -> Cow<'_, str> {
    let host = without_port(authority);
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.bytes().any(|c| c.is_ascii_uppercase()) {
        Cow::Owned(host.to_ascii_lowercase())
    } else {
        Cow::Borrowed(host)
    }
}

/// An authority without its port. An IPv6 literal keeps its brackets (RFC 3986 §3.2.2).
#[must_use]
pub fn without_port(authority: &str) -> &str {
    if authority.starts_with('[') {
        return authority
            .find(']')
            .and_then(|end| authority.get(..=end))
            .unwrap_or(authority);
    }
    match authority.split_once(':') {
        // Two colons without brackets: not a port, an IPv6 address by a sloppy client. It matches no name.
        Some((host, rest)) if !rest.contains(':') => host,
        _ => authority,
    }
}

#[cfg(test)]
mod tests;
