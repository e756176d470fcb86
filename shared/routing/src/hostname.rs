//! Hostnames of listeners and routes.

use serde::{Serialize, Serializer};

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

impl Serialize for HostPattern {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Exact(h) => s.serialize_str(h),
            Self::Wildcard(h) => s.collect_str(&format_args!("*.{h}")),
            Self::Any => s.serialize_str("*"),
        }
    }
}
