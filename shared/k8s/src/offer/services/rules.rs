//! What is wrong with the rules of an export, seen from the exporting side. Whether the policies exist is each importer's
//! affair.

use crate::kinds::GROUP;
use crate::kinds::wan::{HttpRule, PolicyRef, PolicyRefs, ServiceExport};
use crate::object::reference;
use crate::problem::Problem;

/// Checks all rules.
pub(super) fn check(export: &ServiceExport, cluster: &str) -> Vec<Problem> {
    let rules = export
        .spec
        .http
        .iter()
        .flat_map(|http| &http.rules)
        .enumerate();
    rules
        .flat_map(|(i, rule)| {
            let empty = rule
                .backend_refs
                .as_slice()
                .is_empty()
                .then(|| no_policy(export, i));
            empty.into_iter().chain(foreign(export, cluster, i, rule))
        })
        .collect()
}

fn no_policy(export: &ServiceExport, rule: usize) -> Problem {
    let message = "the rule names no wan policy: requests that match it go nowhere";
    Problem::error(reference(export), ("Valid", "NoBackendRefs"), message)
        .in_field(format!("spec.http.rules[{rule}].backendRefs"))
        .advise("name a WANPolicy, or remove the rule to have its requests denied")
}

/// References to anything but WAN policies. Worded as `render` words it for the rules in force, so that a mistake that both
/// find is shown once.
fn foreign(export: &ServiceExport, cluster: &str, rule: usize, http: &HttpRule) -> Vec<Problem> {
    let references = http.backend_refs.as_slice().iter().enumerate();
    references
        .filter_map(|(i, r)| {
            let (group, kind) = foreign_kind(r)?;
            let place = match &http.backend_refs {
                PolicyRefs::One(_) => "backendRefs".to_owned(),
                PolicyRefs::Many(_) => format!("backendRefs[{i}]"),
            };
            let PolicyRef { name, .. } = r;
            let message =
                format!("{group}/{kind} {name:?} is not a wan policy (asked for by the export of cluster {cluster})");
            let problem = Problem::error(reference(export), ("ResolvedRefs", "InvalidKind"), message)
                .in_field(format!("spec.http.rules[{rule}].{place}"))
                .advise(format!("create wan policy {name} in this cluster, or name one that exists"));
            Some(problem)
        })
        .collect()
}

/// Group and kind, if they are not those of a `WANPolicy`.
fn foreign_kind(reference: &PolicyRef) -> Option<(&str, &str)> {
    let group = reference.group.as_deref().unwrap_or(GROUP);
    let kind = reference.kind.as_deref().unwrap_or("WANPolicy");
    (group != GROUP || kind != "WANPolicy").then_some((group, kind))
}
