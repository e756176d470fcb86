//! Query parameters, decoded as forms encode them (WHATWG URL, `application/x-www-form-urlencoded`).

use std::borrow::Cow;

/// The first value of a parameter, decoded; empty when it has no `=`. None when the parameter is absent.
///
/// Later values of the same name are ignored (Gateway API `HTTPQueryParamMatch.name`).
#[must_use]
pub fn first_value<'a>(query: &'a str, name: &str) -> Option<Cow<'a, [u8]>> {
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let found = !pair.is_empty() && decode(key).as_ref() == name.as_bytes();
        found.then(|| decode(value))
    })
}

/// Decodes `%XX` and `+`. A `%` that no two digits follow stands for itself. Copies only when there is something to
/// decode.
fn decode(text: &str) -> Cow<'_, [u8]> {
    if !text.bytes().any(|c| c == b'%' || c == b'+') {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    while let Some((&first, rest)) = bytes.split_first() {
        let (byte, rest) = match (first, rest) {
            (b'+', rest) => (b' ', rest),
            (b'%', [high, low, rest @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => (high * 16 + low, rest),
                _ => (b'%', bytes.get(1..).unwrap_or_default()),
            },
            (other, rest) => (other, rest),
        };
        out.push(byte);
        bytes = rest;
    }
    Cow::Owned(out)
}

/// Value of a hexadecimal digit.
const fn digit(c: u8) -> Option<u8> {
    match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        b'A'..=b'F' => Some(c - b'A' + 10),
        _ => None,
    }
}
