//! Rules of a peer's export, bounded as the schema bounds them: a peer's API server may have another schema, or none.

use mcwan_gateway_api::httproutes::HttpRouteRulesMatches;

use crate::kinds::wan::{HttpRule, HttpRules};
use crate::names::is_subdomain;

/// Most rules of an export (own schema).
const MAX_RULES: usize = 64;
/// Most matches of a rule (own schema, and the Gateway API).
const MAX_MATCHES: usize = 64;
/// Most policies of a rule (own schema).
const MAX_POLICIES: usize = 16;
/// Most header or query parameter matches of a match (Gateway API v1.7.0).
const MAX_CONDITIONS: usize = 16;
/// Longest path (Gateway API v1.7.0).
const MAX_PATH: usize = 1024;
/// Longest name of a header or query parameter (same).
const MAX_NAME: usize = 256;
/// Longest value of a header (same); of a query parameter it is less.
const MAX_VALUE: usize = 4096;

/// What is out of bounds in the rules, if anything. Whether they make sense is said when they are rendered.
pub(super) fn excess(http: &HttpRules) -> Option<String> {
    if http.rules.len() > MAX_RULES {
        return Some(format!(
            "{} rules, at most {MAX_RULES} are taken",
            http.rules.len()
        ));
    }
    let mut rules = http.rules.iter().enumerate();
    rules.find_map(|(i, rule)| in_rule(rule).map(|what| format!("rule {i} has {what}")))
}

fn in_rule(rule: &HttpRule) -> Option<&'static str> {
    let references = rule.backend_refs.as_slice();
    let matches = rule.matches.as_deref().unwrap_or_default();
    if references.len() > MAX_POLICIES {
        return Some("too many policies");
    }
    if references.iter().any(|r| !is_policy(&r.name)) {
        return Some("a policy name that is not one");
    }
    let word = |text: &Option<String>| text.as_ref().is_none_or(|t| t.len() <= MAX_NAME);
    if !references.iter().all(|r| word(&r.group) && word(&r.kind)) {
        return Some("an overlong reference");
    }
    if matches.len() > MAX_MATCHES {
        return Some("too many matches");
    }
    matches.iter().find_map(in_match)
}

fn in_match(one: &HttpRouteRulesMatches) -> Option<&'static str> {
    let headers = one.headers.as_deref().unwrap_or_default();
    let parameters = one.query_params.as_deref().unwrap_or_default();
    let path = one.path.as_ref().and_then(|p| p.value.as_ref());
    let fits = |name: &String, value: &String| name.len() <= MAX_NAME && value.len() <= MAX_VALUE;
    if path.is_some_and(|p| p.len() > MAX_PATH) {
        Some("an overlong path")
    } else if headers.len().max(parameters.len()) > MAX_CONDITIONS {
        Some("a match with too many conditions")
    } else if !headers.iter().all(|h| fits(&h.name, &h.value))
        || !parameters.iter().all(|p| fits(&p.name, &p.value))
    {
        Some("an overlong header or query parameter")
    } else {
        None
    }
}

/// Whether a text can be the name of a `WANPolicy`.
pub(super) fn is_policy(name: &str) -> bool {
    is_subdomain(name)
}
