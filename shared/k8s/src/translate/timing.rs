//! `timeouts` and `retry` of a rule.

use std::collections::BTreeSet;
use std::time::Duration;

use mcwan_gateway_api::httproutes::{HttpRouteRulesRetry, HttpRouteRulesTimeouts};
use mcwan_routing::rule::{Retry, Timeouts};

use super::finding::{Fault, Field, Findings, UNSUPPORTED_VALUE};
use crate::duration;

/// Reads the time limits (GEP-1742). An attempt cannot take longer than the whole request.
pub(super) fn timeouts(
    source: Option<&HttpRouteRulesTimeouts>,
    rule: &Field<'_>,
    findings: &mut Findings,
) -> Timeouts {
    let Some(source) = source else {
        return Timeouts::default();
    };
    let field = rule.at("timeouts");
    let request = limit(source.request.as_deref(), &field.at("request"), findings);
    let mut backend_request = limit(
        source.backend_request.as_deref(),
        &field.at("backendRequest"),
        findings,
    );
    if let (Some(whole), Some(attempt)) = (request, backend_request)
        && attempt > whole
    {
        let fault = Fault::new(
            UNSUPPORTED_VALUE,
            "backendRequest is longer than request, which bounds it",
            "make backendRequest at most as long as request",
        );
        findings.add(&field.at("backendRequest"), fault);
        backend_request = request;
    }
    Timeouts {
        request,
        backend_request,
    }
}

/// A limit; zero means that there is none.
fn limit(text: Option<&str>, field: &Field<'_>, findings: &mut Findings) -> Option<Duration> {
    read(text?, field, findings).filter(|d| !d.is_zero())
}

fn read(text: &str, field: &Field<'_>, findings: &mut Findings) -> Option<Duration> {
    match duration::parse(text) {
        Ok(duration) => Some(duration),
        Err(e) => {
            let message = format!("`{text}` is not a duration: {e}");
            let fault = Fault::new(
                UNSUPPORTED_VALUE,
                message,
                "write a duration such as 500ms, 10s or 1m30s",
            );
            findings.add(field, fault);
            None
        }
    }
}

/// Reads the retries (GEP-1731).
pub(super) fn retry(
    source: Option<&HttpRouteRulesRetry>,
    rule: &Field<'_>,
    findings: &mut Findings,
) -> Option<Retry> {
    let source = source?;
    let field = rule.at("retry");
    let mut codes = BTreeSet::new();
    for (i, code) in source.codes.iter().flatten().enumerate() {
        match u16::try_from(*code)
            .ok()
            .filter(|c| (400..=599).contains(c))
        {
            Some(code) => {
                codes.insert(code);
            }
            None => findings.add(
                &field.nth("codes", i),
                Fault::new(
                    UNSUPPORTED_VALUE,
                    format!("{code} is not a code to retry on"),
                    "list codes from 400 to 599",
                ),
            ),
        }
    }
    let attempts = source.attempts.unwrap_or(1);
    let attempts = u32::try_from(attempts).unwrap_or_else(|_| {
        let message = format!("{attempts} is not a number of retries");
        findings.add(
            &field.at("attempts"),
            Fault::new(
                UNSUPPORTED_VALUE,
                message,
                "write 0 or more; 0 never retries",
            ),
        );
        0
    });
    let backoff = source
        .backoff
        .as_deref()
        .and_then(|text| read(text, &field.at("backoff"), findings));
    Some(Retry {
        codes: codes.into_iter().collect(),
        attempts,
        backoff,
    })
}
