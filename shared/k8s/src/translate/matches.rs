//! Matches of a rule.
//!
//! A match that is invalid is left out. A rule that has matches, none of which is valid, is left out as a whole, and so
//! is a rule with a bad regular expression: neither may turn into a rule that takes every request.

mod grpc;
mod http;

use mcwan_routing::matching::{PathMatch, Pattern, RequestMatch, StringMatch};

use super::finding::{Fault, Field, Findings, UNSUPPORTED_VALUE};
use super::route::Matches;

/// What is wrong with a match.
enum Flaw {
    /// The match is left out.
    Match,
    /// The whole rule is left out.
    Rule,
}

/// Reads the matches of a rule; None: the rule is left out.
pub(super) fn read(
    source: &Matches<'_>,
    rule: &Field<'_>,
    findings: &mut Findings,
) -> Option<Vec<RequestMatch>> {
    let mut matches = Vec::new();
    let count = match source {
        Matches::Http(list) => {
            for (i, item) in list.iter().enumerate() {
                keep(
                    http::read(item, &rule.nth("matches", i), findings),
                    &mut matches,
                )?;
            }
            list.len()
        }
        Matches::Grpc(list) => {
            for (i, item) in list.iter().enumerate() {
                keep(
                    grpc::read(item, &rule.nth("matches", i), findings),
                    &mut matches,
                )?;
            }
            list.len()
        }
    };
    match (count, source) {
        (0, Matches::Http(_)) => Some(vec![http::everything()]),
        (0, Matches::Grpc(_)) => Some(vec![grpc::everything()]),
        _ => (!matches.is_empty()).then_some(matches),
    }
}

fn keep(read: Result<RequestMatch, Flaw>, matches: &mut Vec<RequestMatch>) -> Option<()> {
    match read {
        Ok(found) => matches.push(found),
        Err(Flaw::Match) => {}
        Err(Flaw::Rule) => return None,
    }
    Some(())
}

/// Whether every match is a prefix.
pub(super) fn all_by_prefix(matches: &[RequestMatch]) -> bool {
    matches
        .iter()
        .all(|m| matches!(m.path, PathMatch::Prefix(_)))
}

/// A condition on a string, of the type that the API names.
fn string(
    regex: bool,
    value: &str,
    field: &Field<'_>,
    findings: &mut Findings,
) -> Result<StringMatch, Flaw> {
    if regex {
        Ok(StringMatch::Regex(pattern(value, field, findings)?))
    } else {
        Ok(StringMatch::Exact(value.to_owned()))
    }
}

fn pattern(value: &str, field: &Field<'_>, findings: &mut Findings) -> Result<Pattern, Flaw> {
    Pattern::new(value).map_err(|e| {
        let fault = Fault::new(
            UNSUPPORTED_VALUE,
            e.to_string(),
            "correct the expression (RE2 syntax); the rule is left out until then",
        );
        findings.add(field, fault);
        Flaw::Rule
    })
}

fn header_name(
    name: &str,
    field: &Field<'_>,
    findings: &mut Findings,
) -> Result<::http::HeaderName, Flaw> {
    ::http::HeaderName::from_bytes(name.as_bytes()).map_err(|_invalid| {
        let message = format!("`{name}` is not a header name");
        let fault = Fault::new(
            UNSUPPORTED_VALUE,
            message,
            "use letters, digits and -; the match is left out until then",
        );
        findings.add(&field.at("name"), fault);
        Flaw::Match
    })
}
