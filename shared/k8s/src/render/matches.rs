//! Whether a match may stand in an `HTTPRoute`. The kinds that rules come from are looser than the `HTTPRoute` of Gateway API
//! v1.7.0, and a peer may send anything; one bad match would make an API server refuse the whole route.

use mcwan_gateway_api::httproutes::{
    HttpRouteRulesMatches, HttpRouteRulesMatchesPath, HttpRouteRulesMatchesPathType,
};

/// Most header or query parameter matches in a match, longest name, longest values (v1.7.0).
const MAX_NAMED: usize = 16;
const MAX_NAME: usize = 256;
const MAX_HEADER: usize = 4096;
const MAX_QUERY: usize = 1024;
const MAX_PATH: usize = 1024;

/// What is wrong with a match, if something is.
pub(super) fn mistake(m: &HttpRouteRulesMatches) -> Option<String> {
    let headers = m
        .headers
        .iter()
        .flatten()
        .map(|h| (h.name.to_ascii_lowercase(), h.value.as_str()));
    let queries = m
        .query_params
        .iter()
        .flatten()
        .map(|q| (q.name.clone(), q.value.as_str()));
    m.path
        .as_ref()
        .and_then(path)
        .or_else(|| named("header", headers, MAX_HEADER))
        .or_else(|| named("query parameter", queries, MAX_QUERY))
}

fn path(path: &HttpRouteRulesMatchesPath) -> Option<String> {
    let value = path.value.as_deref().unwrap_or("/");
    if value.len() > MAX_PATH {
        return Some(format!("the path is longer than {MAX_PATH} characters"));
    }
    if path.r#type == Some(HttpRouteRulesMatchesPathType::RegularExpression) {
        return None;
    }
    if !value.starts_with('/') {
        return Some(format!("path {value:?} does not begin with /"));
    }
    let never = ["//", "/./", "/../", "%2f", "%2F"]
        .into_iter()
        .find(|n| value.contains(n));
    let end = ["/..", "/."].into_iter().find(|e| value.ends_with(e));
    if let Some(part) = never.or(end) {
        return Some(format!(
            "path {value:?} has {part:?}, which no normalised path has"
        ));
    }
    (!path_characters(value))
        .then(|| format!("path {value:?} has characters that have to be percent-encoded"))
}

/// Characters of a path segment (RFC 3986 `pchar`), `/`, and percent-encoded bytes.
fn path_characters(path: &str) -> bool {
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        let fine = match byte {
            b'%' => [bytes.next(), bytes.next()]
                .iter()
                .all(|b| b.is_some_and(|b| b.is_ascii_hexdigit())),
            _ => byte.is_ascii_alphanumeric() || b"-/._~!$&'()*+,;=:@".contains(&byte),
        };
        if !fine {
            return false;
        }
    }
    true
}

/// Names that are tokens (RFC 9110), each once, and values that are not empty.
fn named<'a>(
    what: &str,
    pairs: impl Iterator<Item = (String, &'a str)>,
    longest: usize,
) -> Option<String> {
    let mut seen: Vec<String> = Vec::new();
    for (name, value) in pairs {
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(token) {
            return Some(format!("{name:?} is not a name of a {what}"));
        }
        if value.is_empty() || value.chars().count() > longest {
            return Some(format!(
                "the value of {what} {name} is empty or longer than {longest} characters"
            ));
        }
        if seen.contains(&name) {
            return Some(format!("{what} {name} is matched twice"));
        }
        seen.push(name);
        if seen.len() > MAX_NAMED {
            return Some(format!(
                "there are more than {MAX_NAMED} matches of {what}s"
            ));
        }
    }
    None
}

#[cfg(test)]
mod tests;
