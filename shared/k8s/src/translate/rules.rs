//! The rules of a route: matches, filters, and what happens with the requests.

use std::sync::Arc;

use mcwan_routing::filter::Redirect;
use mcwan_routing::matching::{RequestMatch, RouteOrder};
use mcwan_routing::rule::{Action, Filters, Rule, RuleName, ServiceName};

use super::backends::{Backends, Leads, Resolver};
use super::filters::source::HttpFilter;
use super::filters::{Place, Reader};
use super::finding::{Fault, Field, Findings, INCOMPATIBLE_FILTERS, UNSUPPORTED_VALUE, WAN_LOOP};
use super::index::Index;
use super::matches;
use super::route::{BackendRef, Route, RuleSource};
use super::tiers::{self, Share};
use super::timing;
use crate::names::{SERVICE_NAME_LABEL, SERVICE_NAMESPACE_LABEL, is_wan_host};

/// A rule, ready for every listener of the route.
pub(super) struct Built {
    pub(super) matches: Vec<RequestMatch>,
    pub(super) order: RouteOrder,
    pub(super) rule: Arc<Rule>,
    /// The same rule behind a listener that faces the WAN; another one only if the rule leads into the WAN.
    pub(super) behind_wan: Arc<Rule>,
}

/// The rules of a route, and what is wrong with them behind a listener that faces the WAN.
pub(super) struct BuiltRoute {
    pub(super) rules: Vec<Built>,
    pub(super) loops: Findings,
}

/// Builds the rules of a route. A rule none of whose matches is valid is left out: it must not take every request.
pub(super) fn build<'a>(
    index: &Index<'a>,
    route: &Route<'a>,
    backends: &mut Backends,
    findings: &mut Findings,
) -> BuiltRoute {
    let spec = Field::root("spec");
    let mut resolver = Resolver {
        index,
        backends,
        kind: route.kind,
        namespace: route.namespace,
    };
    let mut built = BuiltRoute {
        rules: Vec::new(),
        loops: Findings::default(),
    };
    for (i, source) in route.rules().iter().enumerate() {
        let field = spec.nth("rules", i);
        let matches = matches::read(&source.matches, &field, findings);
        let position = u32::try_from(i).unwrap_or(u32::MAX);
        let mut builder = Builder {
            route,
            source,
            resolver: &mut resolver,
            findings,
        };
        let (rule, behind_wan) =
            builder.rule(position, &field, matches.as_deref(), &mut built.loops);
        if let Some(matches) = matches {
            built.rules.push(Built {
                matches,
                order: order(route, position),
                rule,
                behind_wan,
            });
        }
    }
    built
}

fn order(route: &Route<'_>, rule: u32) -> RouteOrder {
    RouteOrder {
        created: route.created,
        namespace: route.namespace.to_owned(),
        name: route.name.to_owned(),
        kind: Some(route.kind),
        rule,
    }
}

/// Builds one rule.
struct Builder<'b, 'r, 'a> {
    route: &'b Route<'a>,
    source: &'b RuleSource<'a>,
    resolver: &'b mut Resolver<'r, 'a>,
    findings: &'b mut Findings,
}

impl Builder<'_, '_, '_> {
    /// The rule, and the rule behind a listener that faces the WAN.
    fn rule(
        &mut self,
        position: u32,
        field: &Field<'_>,
        matches: Option<&[RequestMatch]>,
        loops: &mut Findings,
    ) -> (Arc<Rule>, Arc<Rule>) {
        let by_prefix = matches.is_none_or(matches::all_by_prefix);
        let shares = self.shares(field, by_prefix);
        let (filters, action, loops_back) = self.action(&shares, field, by_prefix);
        let mut rule = Rule {
            name: self.name(position),
            service: self.service(&shares),
            filters,
            action,
            timeouts: timing::timeouts(self.source.timeouts, field, self.findings),
            retry: timing::retry(self.source.retry, field, self.findings),
        };
        if self.label(SERVICE_NAME_LABEL).is_some() {
            wan_name_for_tunnels_only(&mut rule);
        }
        let denied = loops_back.then(|| Arc::new(behind_wan(&rule, &shares, field, loops)));
        let rule = Arc::new(rule);
        let behind_wan = denied.unwrap_or_else(|| Arc::clone(&rule));
        (rule, behind_wan)
    }

    /// Filters, action, and whether the action leads into the WAN.
    fn action(
        &mut self,
        shares: &[Share],
        field: &Field<'_>,
        by_prefix: bool,
    ) -> (Filters, Action, bool) {
        let place = Place {
            by_prefix,
            backend: false,
        };
        match self.filters(&self.source.filters, place, field) {
            Err(why) => (
                Filters::default(),
                Action::Forward(tiers::invalid(why)),
                false,
            ),
            Ok((_, Some(_))) if !shares.is_empty() => {
                let why = self.redirect_with_backends(field);
                (
                    Filters::default(),
                    Action::Forward(tiers::invalid(why)),
                    false,
                )
            }
            Ok((filters, Some(redirect))) => (filters, Action::Redirect(redirect), false),
            Ok((filters, None)) => (
                filters,
                Action::Forward(tiers::forward(shares)),
                tiers::leads_into_wan(shares),
            ),
        }
    }

    fn filters(
        &mut self,
        filters: &[HttpFilter],
        place: Place,
        field: &Field<'_>,
    ) -> Result<(Filters, Option<Redirect>), String> {
        Reader {
            resolver: self.resolver,
            findings: self.findings,
            place,
        }
        .read(filters, field)
    }

    fn name(&self, index: u32) -> RuleName {
        RuleName {
            kind: self.route.kind,
            namespace: self.route.namespace.to_owned(),
            route: self.route.name.to_owned(),
            index,
            name: self.source.name.map(str::to_owned),
        }
    }

    fn shares(&mut self, field: &Field<'_>, by_prefix: bool) -> Vec<Share> {
        let backends = self.source.backends.iter().enumerate();
        backends
            .map(|(i, backend)| self.share(backend, &field.nth("backendRefs", i), by_prefix))
            .collect()
    }

    fn share(&mut self, backend: &BackendRef<'_>, field: &Field<'_>, by_prefix: bool) -> Share {
        let mut target = self.resolver.resolve(&backend.to).map_err(|fault| {
            let why = fault.invalid();
            self.findings.add(field, fault);
            why
        });
        let weight = u32::try_from(backend.weight).unwrap_or_else(|_| {
            let message = format!("{} is not a weight", backend.weight);
            self.findings.add(
                &field.at("weight"),
                Fault::new(UNSUPPORTED_VALUE, message, "write 0 or more"),
            );
            0
        });
        let place = Place {
            by_prefix,
            backend: true,
        };
        let filters = self
            .filters(&backend.filters, place, field)
            .map(|(filters, _)| filters);
        let filters = filters.unwrap_or_else(|why| {
            target = Err(why);
            Filters::default()
        });
        Share {
            weight,
            target,
            filters,
        }
    }

    fn redirect_with_backends(&mut self, field: &Field<'_>) -> String {
        let fault = Fault::new(
            INCOMPATIBLE_FILTERS,
            "a rule that redirects has no backends",
            "remove backendRefs or the RequestRedirect filter",
        );
        let why = fault.invalid();
        self.findings.add(&field.at("backendRefs"), fault);
        why
    }

    fn label(&self, name: &str) -> Option<&String> {
        self.route.labels?.get(name)
    }

    /// The service that the requests are for: what the labels of a rendered route say, or the only backend.
    fn service(&self, shares: &[Share]) -> Option<ServiceName> {
        if let (Some(namespace), Some(name)) = (
            self.label(SERVICE_NAMESPACE_LABEL),
            self.label(SERVICE_NAME_LABEL),
        ) {
            return Some(ServiceName {
                namespace: namespace.clone(),
                name: name.clone(),
            });
        }
        let mut services = shares.iter().map(|share| {
            let resolved = share.target.as_ref().ok();
            let resolved = resolved.filter(|r| !matches!(r.leads, Leads::Tunnel { .. }))?;
            Some((&resolved.name.namespace, &resolved.name.service))
        });
        let (namespace, name) = services.next()??;
        let only = services.all(|s| s == Some((namespace, name)));
        only.then(|| ServiceName {
            namespace: namespace.clone(),
            name: name.clone(),
        })
    }
}

/// A rendered rule rewrites Host to the service's name on the WAN hop, for all of its backends: Gateway API has no other
/// place for it that everybody serves. A backend in this cluster is not behind that hop: it sees the client's Host, as
/// it would behind the peer's ingress.
fn wan_name_for_tunnels_only(rule: &mut Rule) {
    let (Some(service), Some(rewrite)) = (&rule.service, &mut rule.filters.rewrite) else {
        return;
    };
    let is_wan_host = |h: &mut String| is_wan_host(h, &service.namespace, &service.name);
    let Some(hostname) = rewrite.hostname.take_if(is_wan_host) else {
        return;
    };
    if rewrite.path.is_none() {
        rule.filters.rewrite = None;
    }
    let Action::Forward(forward) = &mut rule.action else {
        return;
    };
    let tunnels = forward.tiers.iter_mut().filter(|t| t.policy.is_some());
    for choice in tunnels.flat_map(|t| &mut t.choices) {
        let rewrite = choice.filters.rewrite.get_or_insert_default();
        rewrite.hostname.get_or_insert_with(|| hostname.clone());
    }
}

/// The rule without its way into the WAN.
fn behind_wan(rule: &Rule, shares: &[Share], field: &Field<'_>, loops: &mut Findings) -> Rule {
    let fault = Fault::new(
        WAN_LOOP,
        "a rule behind a listener that faces the WAN would send requests back into the WAN",
        "use local Services only, or attach the route to another Gateway",
    );
    let forward = tiers::forward_behind_wan(shares, &fault);
    loops.add(&field.at("backendRefs"), fault);
    Rule {
        action: Action::Forward(forward),
        ..rule.clone()
    }
}
