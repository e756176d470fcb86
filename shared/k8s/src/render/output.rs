//! What comes out: rendered objects, each under its own name, and problems.

use std::collections::{BTreeMap, BTreeSet};

use super::meta;
use crate::names;
use crate::object::{Key, Object};
use crate::problem::{ObjectRef, Problem};
use crate::snapshot::ClusterSnapshot;

/// Collects objects and problems.
pub(super) struct Output {
    /// Objects in the cluster that are not ours: never replaced.
    foreign: BTreeSet<(String, String, Key)>,
    objects: BTreeMap<(String, String, Key), Object>,
    problems: BTreeSet<Problem>,
}

impl Output {
    /// Nothing yet, for a cluster with these objects.
    pub(super) fn new(snapshot: &ClusterSnapshot) -> Self {
        let foreign = snapshot
            .iter()
            .filter(|o| !meta::is_ours(o.meta()))
            .map(|o| place(&o.reference()))
            .collect();
        Self {
            foreign,
            objects: BTreeMap::new(),
            problems: BTreeSet::new(),
        }
    }

    /// Reports a problem; the same one twice counts once.
    pub(super) fn problem(&mut self, problem: Problem) {
        self.problems.insert(problem);
    }

    /// Reports several problems.
    pub(super) fn problems(&mut self, problems: impl IntoIterator<Item = Problem>) {
        self.problems.extend(problems);
    }

    /// Renders an object, unless that would replace one that is not ours. Says whether it was rendered.
    pub(super) fn put(&mut self, object: impl Into<Object>) -> bool {
        let object = object.into();
        let reference = object.reference();
        let place = place(&reference);
        if self.foreign.contains(&place) || self.objects.contains_key(&place) {
            self.not_ours(reference);
            return false;
        }
        self.objects.insert(place, object);
        true
    }

    /// Renders an object that takes in what the user wrote under the same name.
    pub(super) fn put_merged(&mut self, object: impl Into<Object>) {
        let object = object.into();
        self.objects.insert(place(&object.reference()), object);
    }

    /// Reports an object of the user's, or of somebody else's, that stands where one would be rendered.
    pub(super) fn not_ours(&mut self, object: ObjectRef) {
        self.problem(not_ours(object));
    }

    /// Objects sorted by kind, namespace and name, and problems, sorted.
    pub(super) fn finish(self) -> (Vec<Object>, Vec<Problem>) {
        (
            self.objects.into_values().collect(),
            self.problems.into_iter().collect(),
        )
    }
}

/// Kind first, group second: the order in which objects come out.
fn place(reference: &ObjectRef) -> (String, String, Key) {
    (
        reference.kind.clone(),
        reference.group.clone(),
        (reference.namespace.clone(), reference.name.clone()),
    )
}

fn not_ours(reference: ObjectRef) -> Problem {
    let (key, value) = names::MANAGED_BY;
    let message = format!(
        "an object of this name is to be rendered, but this one has no label {key}: {value} and stays as it is"
    );
    Problem::error(reference, ("Programmed", "NotOurs"), message)
        .advise("rename or delete it; what it stands in for is not served until then")
}
