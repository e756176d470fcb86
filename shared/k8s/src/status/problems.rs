//! Problems by the object whose status says them.

use std::collections::BTreeMap;

use super::condition::Verdict;
use crate::problem::{ObjectRef, Problem, Severity};

/// How many problems a message tells; the rest is counted.
const TOLD: usize = 8;

/// All problems, by object.
#[derive(Debug, Default)]
pub(super) struct Problems<'a>(BTreeMap<&'a ObjectRef, Vec<&'a Problem>>);

impl<'a> Problems<'a> {
    /// Sorts problems by object. The order in which they come does not matter, and a problem that comes twice counts once.
    pub(super) fn of(problems: impl Iterator<Item = &'a Problem>) -> Self {
        let mut sorted: Vec<&Problem> = problems.collect();
        sorted.sort_unstable();
        sorted.dedup();
        let mut by_object: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for problem in sorted {
            by_object.entry(&problem.object).or_default().push(problem);
        }
        Self(by_object)
    }

    /// The problems of an object.
    pub(super) fn on(&self, object: &ObjectRef) -> Found<'a> {
        Found(self.0.get(object).cloned().unwrap_or_default())
    }
}

/// Some problems of one object.
#[derive(Debug, Clone, Default)]
pub(super) struct Found<'a>(Vec<&'a Problem>);

impl<'a> Found<'a> {
    /// Those that a test lets through.
    pub(super) fn only(&self, test: impl Fn(&Problem) -> bool) -> Self {
        Self(self.0.iter().copied().filter(|p| test(p)).collect())
    }

    /// Those of a condition.
    pub(super) fn about(&self, condition: &str) -> Self {
        self.only(|p| p.condition == condition)
    }

    /// Those of any condition but these.
    pub(super) fn beside(&self, conditions: &[&str]) -> Self {
        self.only(|p| !conditions.contains(&p.condition.as_str()))
    }

    /// Those that are errors.
    pub(super) fn errors(&self) -> Self {
        self.only(|p| p.severity == Severity::Error)
    }

    /// Takes in those of another object too.
    pub(super) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// The problems themselves.
    pub(super) fn iter(&self) -> impl Iterator<Item = &'a Problem> + '_ {
        self.0.iter().copied()
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The reason of the first one.
    pub(super) fn reason(&self) -> Option<&'a str> {
        self.0.first().map(|p| p.reason.as_str())
    }

    /// All of them in one line.
    pub(super) fn told(&self) -> String {
        let mut parts: Vec<String> = self.0.iter().take(TOLD).map(|p| told(p)).collect();
        let more = self.0.len().saturating_sub(TOLD);
        if more > 0 {
            parts.push(format!("and {more} more"));
        }
        parts.join(". ")
    }

    /// What a condition says: it does not hold when there is an error, with the reason of the first; warnings are told
    /// all the same.
    pub(super) fn verdict(&self, otherwise: Verdict) -> Verdict {
        let errors = self.errors();
        match errors.reason() {
            Some(reason) => Verdict::no(reason.to_owned(), errors.told()),
            None => otherwise.and(&self.told()),
        }
    }
}

fn told(problem: &Problem) -> String {
    let Problem {
        field,
        message,
        hint,
        ..
    } = problem;
    let place = if field.is_empty() {
        String::new()
    } else {
        format!("{field}: ")
    };
    let hint = if hint.is_empty() {
        String::new()
    } else {
        format!(" ({hint})")
    };
    format!("{place}{message}{hint}")
}
