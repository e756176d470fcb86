//! Matches of GRPCRoutes, as matches of the HTTP/2 requests that gRPC makes: `POST /service/method`.

use ::http::Method;
use mcwan_gateway_api::grpcroutes::{
    GrpcRouteRulesMatches, GrpcRouteRulesMatchesHeadersType, GrpcRouteRulesMatchesMethod,
    GrpcRouteRulesMatchesMethodType,
};
use mcwan_routing::matching::{HeaderMatch, PathMatch, RequestMatch};

use super::{Flaw, header_name, pattern, string};
use crate::translate::finding::{Fault, Field, Findings, UNSUPPORTED_VALUE};

/// The match of a rule that has none.
pub(super) fn everything() -> RequestMatch {
    RequestMatch {
        path: PathMatch::Prefix("/".to_owned()),
        method: Some(Method::POST),
        headers: Vec::new(),
        query: Vec::new(),
    }
}

/// Reads one match.
pub(super) fn read(
    source: &GrpcRouteRulesMatches,
    field: &Field<'_>,
    findings: &mut Findings,
) -> Result<RequestMatch, Flaw> {
    let mut request = everything();
    if let Some(method) = &source.method {
        request.path = path(method, &field.at("method"), findings)?;
    }
    for (i, header) in source.headers.iter().flatten().enumerate() {
        let field = field.nth("headers", i);
        let name = header_name(&header.name, &field, findings)?;
        let regex = header.r#type == Some(GrpcRouteRulesMatchesHeadersType::RegularExpression);
        let value = string(regex, &header.value, &field.at("value"), findings)?;
        if request.headers.iter().all(|h| h.name != name) {
            request.headers.push(HeaderMatch { name, value });
        }
    }
    Ok(request)
}

fn path(
    source: &GrpcRouteRulesMatchesMethod,
    field: &Field<'_>,
    findings: &mut Findings,
) -> Result<PathMatch, Flaw> {
    let given = |s: &Option<String>| s.clone().filter(|s| !s.is_empty());
    let (service, method) = (given(&source.service), given(&source.method));
    if service.is_none() && method.is_none() {
        let fault = Fault::new(
            UNSUPPORTED_VALUE,
            "a method match names neither service nor method",
            "name at least one of them; the match is left out until then",
        );
        findings.add(field, fault);
        return Err(Flaw::Match);
    }
    if source.r#type == Some(GrpcRouteRulesMatchesMethodType::RegularExpression) {
        return by_regex(service.as_deref(), method.as_deref(), field, findings);
    }
    let dotted = |s: &str| {
        s.split('.')
            .enumerate()
            .all(|(i, part)| is_identifier(part) || (i == 0 && part.is_empty()))
    };
    check(service.as_deref(), dotted, &field.at("service"), findings)?;
    check(
        method.as_deref(),
        is_identifier,
        &field.at("method"),
        findings,
    )?;
    match (service, method) {
        (Some(service), Some(method)) => Ok(PathMatch::Exact(format!("/{service}/{method}"))),
        (Some(service), None) => Ok(PathMatch::Prefix(format!("/{service}"))),
        // An identifier has no character that means something in an expression.
        (None, method) => by_regex(None, method.as_deref(), field, findings),
    }
}

fn by_regex(
    service: Option<&str>,
    method: Option<&str>,
    field: &Field<'_>,
    findings: &mut Findings,
) -> Result<PathMatch, Flaw> {
    let any = "[^/]+";
    let (service, method) = (service.unwrap_or(any), method.unwrap_or(any));
    for (name, part) in [("service", service), ("method", method)] {
        // Each must be an expression by itself: `a)|(b` must not become one only by being put together.
        pattern(part, &field.at(name), findings)?;
    }
    Ok(PathMatch::Regex(pattern(
        &format!("/(?:{service})/(?:{method})"),
        field,
        findings,
    )?))
}

fn check(
    name: Option<&str>,
    valid: impl Fn(&str) -> bool,
    field: &Field<'_>,
    findings: &mut Findings,
) -> Result<(), Flaw> {
    let Some(bad) = name.filter(|n| !valid(n)) else {
        return Ok(());
    };
    let fault = Fault::new(
        UNSUPPORTED_VALUE,
        format!("`{}` is not a name in gRPC", bad.escape_debug()),
        "use letters, digits and _, and dots in a service; the match is left out until then",
    );
    findings.add(field, fault);
    Err(Flaw::Match)
}

/// The CRD's pattern for a method, and for each part of a service.
fn is_identifier(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
