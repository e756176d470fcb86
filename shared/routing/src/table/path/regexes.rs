//! Regular expressions on the path, in the order of their ranks.

use regex::bytes::{RegexSet, RegexSetBuilder};

use super::{Candidate, RuleId};
use crate::matching::{Pattern, RequestView};

/// Expressions are searched together in groups of this size: one pass over the path for each group.
const GROUP: usize = 64;

/// Fewer than this are searched one by one.
const FEW: usize = 4;

/// Largest program of a group, in bytes. A group beyond it is searched one by one.
const GROUP_SIZE_LIMIT: usize = 2 * 1024 * 1024;

/// Expressions of one hostname, the best rank first.
#[derive(Debug)]
pub(super) struct Regexes(Box<[Group]>);

#[derive(Debug)]
struct Group {
    /// All expressions of the group in one automaton; None where that does not pay, or is too large.
    set: Option<RegexSet>,
    members: Box<[(Pattern, Candidate)]>,
}

impl Regexes {
    /// Takes expressions sorted by rank.
    pub(super) fn new(list: Vec<(Pattern, Candidate)>) -> Self {
        let mut groups = Vec::with_capacity(list.len().div_ceil(GROUP));
        let mut list = list.into_iter().peekable();
        while list.peek().is_some() {
            groups.push(Group::new(list.by_ref().take(GROUP).collect()));
        }
        Self(groups.into_boxed_slice())
    }

    /// The best match.
    pub(super) fn find(&self, request: &RequestView<'_>) -> Option<RuleId> {
        self.0.iter().find_map(|group| group.find(request))
    }
}

impl Group {
    fn new(members: Box<[(Pattern, Candidate)]>) -> Self {
        let set = (members.len() >= FEW).then(|| build(&members)).flatten();
        Self { set, members }
    }

    fn find(&self, request: &RequestView<'_>) -> Option<RuleId> {
        let holds = |(_, candidate): &&(Pattern, Candidate)| candidate.holds(request);
        let rule = |(_, candidate): &(Pattern, Candidate)| candidate.rule;
        match &self.set {
            Some(set) => {
                let hits = set.matches(request.path.as_bytes());
                hits.iter()
                    .filter_map(|i| self.members.get(i))
                    .find(holds)
                    .map(rule)
            }
            None => self
                .members
                .iter()
                .filter(holds)
                .find(|(pattern, _)| pattern.matches(request.path))
                .map(rule),
        }
    }
}

fn build(members: &[(Pattern, Candidate)]) -> Option<RegexSet> {
    RegexSetBuilder::new(members.iter().map(|(pattern, _)| pattern.anchored()))
        .unicode(false)
        .size_limit(GROUP_SIZE_LIMIT)
        .build()
        .ok()
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method};

    use super::{Candidate, GROUP, Pattern, Regexes, RequestView, RuleId};

    fn regexes(count: u32, tail: &str) -> Regexes {
        let member = |i| {
            let pattern = Pattern::new(&format!("/v{i}/{tail}")).unwrap();
            let rule = RuleId(i);
            (
                pattern,
                Candidate {
                    rule,
                    conditions: None,
                },
            )
        };
        Regexes::new((0..count).map(member).collect())
    }

    fn find(regexes: &Regexes, path: &str) -> Option<RuleId> {
        regexes.find(&RequestView {
            host: "",
            path,
            query: None,
            method: &Method::GET,
            headers: &HeaderMap::new(),
        })
    }

    #[test]
    fn a_group_too_large_for_one_automaton_is_searched_one_by_one() {
        let large = regexes(64, "[a-z]{1000}");
        assert!(large.0.iter().all(|group| group.set.is_none()));
        let path = |i| format!("/v{i}/{}", "x".repeat(1000));
        assert_eq!(find(&large, &path(63)), Some(RuleId(63)));
        assert_eq!(find(&large, &path(64)), None);
    }

    #[test]
    fn small_expressions_are_searched_together_and_few_are_not() {
        let many = regexes(130, ".*");
        let sets: Vec<bool> = many.0.iter().map(|group| group.set.is_some()).collect();
        assert_eq!(
            sets,
            [true, true, false],
            "two groups of {GROUP} and one of two"
        );
        assert_eq!(find(&many, "/v129/x"), Some(RuleId(129)));
        assert_eq!(find(&many, "/v0/"), Some(RuleId(0)));
        assert_eq!(find(&many, "/v130/"), None);
    }
}
