//! Matches of HTTPRoutes.

use ::http::Method;
use mcwan_gateway_api::httproutes::{
    HttpRouteRulesMatches, HttpRouteRulesMatchesHeadersType, HttpRouteRulesMatchesMethod,
    HttpRouteRulesMatchesPath, HttpRouteRulesMatchesPathType, HttpRouteRulesMatchesQueryParamsType,
};
use mcwan_routing::matching::{HeaderMatch, PathMatch, QueryMatch, RequestMatch};

use super::{Flaw, header_name, pattern, string};
use crate::translate::finding::{Fault, Field, Findings, UNSUPPORTED_VALUE};

/// The match of a rule that has none.
pub(super) fn everything() -> RequestMatch {
    RequestMatch {
        path: PathMatch::Prefix("/".to_owned()),
        method: None,
        headers: Vec::new(),
        query: Vec::new(),
    }
}

/// Reads one match.
pub(super) fn read(
    source: &HttpRouteRulesMatches,
    field: &Field<'_>,
    findings: &mut Findings,
) -> Result<RequestMatch, Flaw> {
    Ok(RequestMatch {
        path: path(source.path.as_ref(), &field.at("path"), findings)?,
        method: source.method.as_ref().map(method),
        headers: headers(source, field, findings)?,
        query: query(source, field, findings)?,
    })
}

fn path(
    source: Option<&HttpRouteRulesMatchesPath>,
    field: &Field<'_>,
    findings: &mut Findings,
) -> Result<PathMatch, Flaw> {
    let value = source.and_then(|p| p.value.as_deref()).unwrap_or("/");
    let kind = source.and_then(|p| p.r#type.as_ref());
    if kind == Some(&HttpRouteRulesMatchesPathType::RegularExpression) {
        return Ok(PathMatch::Regex(pattern(
            value,
            &field.at("value"),
            findings,
        )?));
    }
    if let Err(why) = check_path(value) {
        let message = format!("`{}` cannot be matched: {why}", value.escape_debug());
        let hint = "write the path as clients send it after normalization; the match is left out until then";
        findings.add(
            &field.at("value"),
            Fault::new(UNSUPPORTED_VALUE, message, hint),
        );
        return Err(Flaw::Match);
    }
    Ok(match kind {
        Some(HttpRouteRulesMatchesPathType::Exact) => PathMatch::Exact(value.to_owned()),
        _ => PathMatch::Prefix(value.to_owned()),
    })
}

/// The CRD's rules for values of type `Exact` and `PathPrefix`.
fn check_path(value: &str) -> Result<(), &'static str> {
    let banned = [
        ("//", "it has an empty segment"),
        ("/./", "it has a segment `.`"),
        ("/../", "it has a segment `..`"),
        ("%2f", "it has an encoded slash"),
        ("%2F", "it has an encoded slash"),
    ];
    if !value.starts_with('/') {
        return Err("it does not begin with a slash");
    }
    if let Some((_, why)) = banned.iter().find(|(part, _)| value.contains(part)) {
        return Err(why);
    }
    if value.ends_with("/.") || value.ends_with("/..") {
        return Err("it ends with a segment `.` or `..`");
    }
    if value.len() > 1024 {
        return Err("it is longer than 1024 bytes");
    }
    if is_encoded(value.as_bytes()) {
        Ok(())
    } else {
        Err("it holds characters that must be percent-encoded")
    }
}

/// Path characters of RFC 3986 §3.3, and whole percent-encoded bytes.
fn is_encoded(mut value: &[u8]) -> bool {
    loop {
        value = match value {
            [] => return true,
            [b'%', a, b, rest @ ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => rest,
            [c, rest @ ..] if c.is_ascii_alphanumeric() || b"-/._~!$&'()*+,;=:@".contains(c) => {
                rest
            }
            _ => return false,
        }
    }
}

const fn method(source: &HttpRouteRulesMatchesMethod) -> Method {
    match source {
        HttpRouteRulesMatchesMethod::Get => Method::GET,
        HttpRouteRulesMatchesMethod::Head => Method::HEAD,
        HttpRouteRulesMatchesMethod::Post => Method::POST,
        HttpRouteRulesMatchesMethod::Put => Method::PUT,
        HttpRouteRulesMatchesMethod::Delete => Method::DELETE,
        HttpRouteRulesMatchesMethod::Connect => Method::CONNECT,
        HttpRouteRulesMatchesMethod::Options => Method::OPTIONS,
        HttpRouteRulesMatchesMethod::Trace => Method::TRACE,
        HttpRouteRulesMatchesMethod::Patch => Method::PATCH,
    }
}

/// Of conditions on one header the first counts; names are compared without regard to case.
fn headers(
    source: &HttpRouteRulesMatches,
    outer: &Field<'_>,
    findings: &mut Findings,
) -> Result<Vec<HeaderMatch>, Flaw> {
    let mut headers: Vec<HeaderMatch> = Vec::new();
    for (i, header) in source.headers.iter().flatten().enumerate() {
        let field = outer.nth("headers", i);
        let name = header_name(&header.name, &field, findings)?;
        let regex = header.r#type == Some(HttpRouteRulesMatchesHeadersType::RegularExpression);
        let value = string(regex, &header.value, &field.at("value"), findings)?;
        if headers.iter().all(|h| h.name != name) {
            headers.push(HeaderMatch { name, value });
        }
    }
    Ok(headers)
}

/// Of conditions on one parameter the first counts; names are compared exactly.
fn query(
    source: &HttpRouteRulesMatches,
    outer: &Field<'_>,
    findings: &mut Findings,
) -> Result<Vec<QueryMatch>, Flaw> {
    let mut query: Vec<QueryMatch> = Vec::new();
    for (i, param) in source.query_params.iter().flatten().enumerate() {
        let field = outer.nth("queryParams", i);
        let regex = param.r#type == Some(HttpRouteRulesMatchesQueryParamsType::RegularExpression);
        let value = string(regex, &param.value, &field.at("value"), findings)?;
        if query.iter().all(|q| q.name != param.name) {
            query.push(QueryMatch {
                name: param.name.clone(),
                value,
            });
        }
    }
    Ok(query)
}
