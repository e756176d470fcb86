//! Filters of rules and backends. A filter that cannot be applied is never skipped: the requests that it should have
//! treated are answered with 500 (`HTTPRouteRule.filters`: "MUST NOT be skipped").

mod cors;
mod headers;
mod mirror;
mod path;
pub(super) mod source;

use std::collections::HashSet;

use mcwan_routing::filter::Redirect;
use mcwan_routing::rule::Filters;

use self::source::HttpFilter;
use super::backends::Resolver;
use super::finding::{Fault, Field, Findings, INCOMPATIBLE_FILTERS, UNSUPPORTED_VALUE};

/// Where filters stand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// All matches of the rule are prefixes, so a matched prefix can be replaced.
    pub(super) by_prefix: bool,
    /// On a backend, not on the rule.
    pub(super) backend: bool,
}

/// Reads filters one after the other.
pub(super) struct Reader<'f, 'r, 'a> {
    pub(super) resolver: &'f mut Resolver<'r, 'a>,
    pub(super) findings: &'f mut Findings,
    pub(super) place: Place,
}

/// What filters come to.
#[derive(Default)]
struct Sum<'s> {
    filters: Filters,
    redirect: Option<Redirect>,
    seen: HashSet<&'s str>,
}

impl Reader<'_, '_, '_> {
    /// Reads the filters of a rule or a backend.
    ///
    /// # Errors
    /// Why requests must be answered with 500 instead.
    pub(super) fn read(
        &mut self,
        filters: &[HttpFilter],
        outer: &Field<'_>,
    ) -> Result<(Filters, Option<Redirect>), String> {
        let mut sum = Sum::default();
        let mut why = None;
        for (i, filter) in filters.iter().enumerate() {
            let field = outer.nth("filters", i);
            if let Err(fault) = self.add(filter, &field, &mut sum) {
                why.get_or_insert_with(|| fault.invalid());
                self.findings.add(&field, fault);
            }
        }
        match why {
            Some(why) => Err(why),
            None => Ok((sum.filters, sum.redirect)),
        }
    }

    fn add<'s>(
        &mut self,
        filter: &'s HttpFilter,
        field: &Field<'_>,
        sum: &mut Sum<'s>,
    ) -> Result<(), Fault> {
        let kind = filter.kind.as_str();
        filter.holds_only_its_own()?;
        if kind != "RequestMirror" && !sum.seen.insert(kind) {
            return Err(repeated(kind));
        }
        let by_prefix = self.place.by_prefix;
        let filters = &mut sum.filters;
        match kind {
            "RequestHeaderModifier" => {
                filters.request_headers =
                    headers::read(settings(kind, &filter.request_header_modifier)?)?;
            }
            "ResponseHeaderModifier" => {
                filters.response_headers =
                    headers::read(settings(kind, &filter.response_header_modifier)?)?;
            }
            "RequestMirror" => {
                let mirror = self.mirror(settings(kind, &filter.request_mirror)?, field)?;
                filters.mirrors.extend(mirror);
            }
            "URLRewrite" => {
                let rewrite = path::rewrite(settings(kind, &filter.url_rewrite)?, by_prefix)?;
                filters.rewrite = Some(rewrite);
            }
            "CORS" => filters.cors = Some(cors::read(settings(kind, &filter.cors)?)?),
            "RequestRedirect" if self.place.backend => return Err(redirect_on_backend()),
            "RequestRedirect" => {
                sum.redirect = Some(path::redirect(
                    settings(kind, &filter.request_redirect)?,
                    by_prefix,
                )?);
            }
            _ => return Err(unsupported(filter)),
        }
        if sum.redirect.is_some() && sum.filters.rewrite.is_some() {
            return Err(redirect_and_rewrite());
        }
        Ok(())
    }
}

/// The settings that belong to the type of a filter.
#[expect(
    clippy::ref_option,
    reason = "the fields are options, and all are asked alike"
)]
fn settings<'s, T>(kind: &str, settings: &'s Option<T>) -> Result<&'s T, Fault> {
    settings.as_ref().ok_or_else(|| missing(kind))
}

fn missing(kind: &str) -> Fault {
    Fault::new(
        UNSUPPORTED_VALUE,
        format!("a filter of type {kind} has no settings of that type"),
        "fill in the field that belongs to the type",
    )
}

fn repeated(kind: &str) -> Fault {
    Fault::new(
        INCOMPATIBLE_FILTERS,
        format!("a filter of type {kind} may stand only once in a list"),
        "put the settings into one filter",
    )
}

fn redirect_and_rewrite() -> Fault {
    Fault::new(
        INCOMPATIBLE_FILTERS,
        "RequestRedirect and URLRewrite cannot stand together",
        "remove one of them",
    )
}

fn redirect_on_backend() -> Fault {
    Fault::new(
        UNSUPPORTED_VALUE,
        "RequestRedirect on a backend is not in force yet",
        "put the redirect on a rule of its own",
    )
}

fn unsupported(filter: &HttpFilter) -> Fault {
    let message = match &filter.extension_ref {
        Some(to) => format!(
            "the filter refers to {} {} of group {}, which is not supported",
            to.kind, to.name, to.group
        ),
        None => format!("filters of type `{}` are not supported", filter.kind),
    };
    Fault::new(
        UNSUPPORTED_VALUE,
        message,
        "remove the filter; until then these requests are answered with 500",
    )
}
