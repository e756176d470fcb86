//! The matches of one hostname, by path.

mod regexes;
mod trie;

use std::collections::BTreeMap;

use http::Method;

use super::map::StrMap;
use super::{Ranked, RuleId};
use crate::matching::{HeaderMatch, PathMatch, QueryMatch, RequestMatch, RequestView, prefix_of};

use regexes::Regexes;
use trie::Trie;

/// The matches of one hostname, by path.
#[derive(Debug)]
pub(super) struct PathIndex {
    exact: StrMap<Candidates>,
    prefixes: Trie,
    regexes: Regexes,
}

/// The best match of a lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found<'a> {
    /// Its rule.
    pub(super) rule: RuleId,
    /// Its prefix, without trailing slash.
    pub(super) prefix: Option<&'a str>,
}

impl PathIndex {
    /// Indexes matches that are sorted by rank.
    pub(super) fn new(matches: &[Ranked<'_>]) -> Self {
        let mut exact = BTreeMap::<&str, Vec<Candidate>>::new();
        let mut prefixes = BTreeMap::<&str, Vec<Candidate>>::new();
        let mut regexes = Vec::new();
        for ranked in matches {
            let candidate = Candidate::new(ranked);
            match &ranked.request.path {
                PathMatch::Exact(path) => exact.entry(path).or_default().push(candidate),
                PathMatch::Prefix(path) => {
                    prefixes.entry(prefix_of(path)).or_default().push(candidate);
                }
                PathMatch::Regex(pattern) => regexes.push((pattern.clone(), candidate)),
            }
        }
        Self {
            exact: exact
                .into_iter()
                .map(|(path, list)| (path.into(), Candidates::new(list)))
                .collect(),
            prefixes: Trie::new(
                prefixes
                    .into_iter()
                    .map(|(path, list)| (path, Candidates::new(list))),
            ),
            regexes: Regexes::new(regexes),
        }
    }

    /// The best match for a request.
    pub(super) fn find(&self, request: &RequestView<'_>) -> Option<Found<'_>> {
        let without_prefix = |rule| Found { rule, prefix: None };
        self.exact
            .get(request.path)
            .and_then(|candidates| candidates.first(request))
            .map(without_prefix)
            .or_else(|| self.prefixes.find(request))
            .or_else(|| self.regexes.find(request).map(without_prefix))
    }
}

/// Matches of one path, the best rank first.
#[derive(Debug, Default)]
struct Candidates(Box<[Candidate]>);

impl Candidates {
    /// Takes matches sorted by rank. Those behind one without further conditions can never be reached.
    fn new(mut list: Vec<Candidate>) -> Self {
        if let Some(last) = list.iter().position(|c| c.conditions.is_none()) {
            list.truncate(last + 1);
        }
        Self(list.into_boxed_slice())
    }

    /// The first whose conditions hold.
    fn first(&self, request: &RequestView<'_>) -> Option<RuleId> {
        self.0.iter().find(|c| c.holds(request)).map(|c| c.rule)
    }
}

/// One match whose path is known to match.
#[derive(Debug)]
struct Candidate {
    rule: RuleId,
    /// None for most matches.
    conditions: Option<Box<Conditions>>,
}

/// What a match asks besides the path.
#[derive(Debug)]
struct Conditions {
    method: Option<Method>,
    headers: Box<[HeaderMatch]>,
    query: Box<[QueryMatch]>,
}

impl Candidate {
    fn new(ranked: &Ranked<'_>) -> Self {
        Self {
            rule: ranked.rule,
            conditions: Conditions::of(ranked.request).map(Box::new),
        }
    }

    fn holds(&self, request: &RequestView<'_>) -> bool {
        self.conditions.as_ref().is_none_or(|c| c.hold(request))
    }
}

impl Conditions {
    fn of(request: &RequestMatch) -> Option<Self> {
        let any =
            request.method.is_some() || !request.headers.is_empty() || !request.query.is_empty();
        any.then(|| Self {
            method: request.method.clone(),
            headers: request.headers.clone().into_boxed_slice(),
            query: request.query.clone().into_boxed_slice(),
        })
    }

    fn hold(&self, request: &RequestView<'_>) -> bool {
        self.method.as_ref().is_none_or(|m| m == request.method)
            && self.headers.iter().all(|h| h.matches(request.headers))
            && self.query.iter().all(|q| q.matches(request.query))
    }
}
