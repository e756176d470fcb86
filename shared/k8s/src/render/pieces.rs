//! Rules cut to what an `HTTPRoute` may hold (Gateway API v1.7.0): 64 matches in a rule, 16 rules and 128 matches in a route.

use mcwan_gateway_api::httproutes::HttpRouteRulesMatches;

use super::merge::MultiService;
use super::output::Output;
use super::rules::InForce;
use super::{MAX_MATCHES, MAX_ROUTE_MATCHES, MAX_RULES, View, matches};
use crate::kinds::wan::HttpRule;
use crate::problem::Problem;

/// A rule of a route: all or some of the matches of a rule in force.
pub(super) struct Piece {
    /// None: everything.
    pub(super) matches: Option<Vec<HttpRouteRulesMatches>>,
    /// The rule that it is of.
    pub(super) rule: HttpRule,
}

impl Piece {
    /// Matches as the API server counts them: a rule without any gets one that takes everything.
    fn weight(&self) -> usize {
        self.matches.as_ref().map_or(1, |m| m.len().max(1))
    }
}

/// The rules in force as the rules of one or more routes, in order.
pub(super) fn routes(
    view: &View<'_>,
    service: &MultiService<'_>,
    in_force: &InForce,
    out: &mut Output,
) -> Vec<Vec<Piece>> {
    let mut pieces = Vec::new();
    for (i, rule) in in_force.rules.iter().enumerate() {
        let all = rule.matches.as_deref().unwrap_or_default();
        if all.is_empty() {
            pieces.push(Piece {
                matches: None,
                rule: rule.clone(),
            });
            continue;
        }
        let mut usable = Vec::new();
        for (j, one) in all.iter().enumerate() {
            match matches::mistake(one) {
                None => usable.push(one.clone()),
                Some(what) => {
                    let (object, field) =
                        in_force.at(view, service, &format!("rules[{i}].matches[{j}]"));
                    out.problem(
                        Problem::error(
                            object,
                            ("Accepted", "InvalidMatch"),
                            format!("{what}; the match is left out"),
                        )
                        .in_field(field)
                        .advise("write it as the httproute of gateway api v1.7.0 allows"),
                    );
                }
            }
        }
        pieces.extend(usable.chunks(MAX_MATCHES).map(|m| Piece {
            matches: Some(m.to_vec()),
            rule: rule.clone(),
        }));
    }
    split(pieces)
}

/// Fills one route after the other.
fn split(pieces: Vec<Piece>) -> Vec<Vec<Piece>> {
    let mut routes: Vec<Vec<Piece>> = Vec::new();
    let mut weight = 0;
    for piece in pieces {
        weight += piece.weight();
        match routes.last_mut() {
            Some(route) if route.len() < MAX_RULES && weight <= MAX_ROUTE_MATCHES => {
                route.push(piece);
            }
            _ => {
                weight = piece.weight();
                routes.push(vec![piece]);
            }
        }
    }
    routes
}
