//! Labels and annotations that may travel between clusters.

use crate::kinds::GROUP;
use crate::names::{LABEL_LENGTH, WAN_POLICY_ANNOTATION, is_label, is_subdomain};

/// Whether a key is one that Kubernetes, or this project, gives a meaning to: such a label or annotation of a peer could
/// steer controllers of this cluster. The policy annotation may travel: it is what it is for.
pub(super) fn is_reserved(key: &str) -> bool {
    let Some((prefix, _)) = key.split_once('/') else {
        return false;
    };
    let under = |domain: &str| {
        prefix == domain
            || prefix
                .strip_suffix(domain)
                .is_some_and(|rest| rest.ends_with('.'))
    };
    let reserved = ["kubernetes.io", "k8s.io", "x-k8s.io", GROUP];
    key != WAN_POLICY_ANNOTATION && reserved.into_iter().any(under)
}

/// Whether a key has the form of a qualified name: `[subdomain/]name`.
pub(super) fn is_qualified(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => is_subdomain(prefix) && is_name(name),
        None => is_name(key),
    }
}

/// Whether a text may be the value of a label.
pub(super) fn is_label_value(value: &str) -> bool {
    value.is_empty() || is_name(value)
}

/// 1–63 letters, digits, `-`, `_` and `.`, with a letter or digit at both ends.
fn is_name(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let end = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    bytes.len() <= LABEL_LENGTH
        && bytes.iter().copied().all(inner)
        && end(bytes.first())
        && end(bytes.last())
}

/// Whether a text may be the `appProtocol` of a port.
pub(super) fn is_app_protocol(text: &str) -> bool {
    is_label(text) || is_qualified(text)
}
