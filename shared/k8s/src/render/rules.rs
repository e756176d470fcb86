//! Which HTTP rules are in force for a service (DESIGN §3): those of the local `ServiceImport`, else of the oldest export
//! that has any, else the policy that an export is annotated with, else the default policy.

use super::merge::MultiService;
use super::output::Output;
use super::report::{self, MCS_GROUP};
use super::{View, matches};
use crate::kinds;
use crate::kinds::wan::{HttpRule, ImportedHttp, ImportedRule, PolicyRef, PolicyRefs, RuleOrigin};
use crate::names;
use crate::problem::{ObjectRef, Problem};

/// Rules and where they come from.
pub(super) struct InForce {
    /// In order.
    pub(super) rules: Vec<HttpRule>,
    /// Where problems of the rules are reported.
    origin: Origin,
}

/// Where rules come from.
enum Origin {
    /// The local `ServiceImport`.
    Local,
    /// The rules of an export, in this cluster.
    Export(String),
    /// The annotation of an export, in this cluster.
    Annotation(String),
    /// The default policy.
    Default,
}

/// The rules in force, if any.
pub(super) fn in_force(view: &View<'_>, service: &MultiService<'_>) -> Option<InForce> {
    let key = (service.namespace.to_owned(), service.name.to_owned());
    let local = view
        .snapshot
        .imports
        .get(&key)
        .and_then(|i| i.spec.http.as_ref());
    if let Some(http) = local {
        return Some(InForce {
            rules: http.rules.clone(),
            origin: Origin::Local,
        });
    }
    let exported = service
        .sources
        .iter()
        .find_map(|s| Some((s.cluster, s.service.http.as_ref()?)));
    if let Some((cluster, http)) = exported {
        let origin = Origin::Export(cluster.to_owned());
        return Some(InForce {
            rules: http.rules.clone(),
            origin,
        });
    }
    let annotated = service
        .sources
        .iter()
        .find_map(|s| Some((s.cluster, s.service.wan_policy.as_ref()?)));
    if let Some((cluster, policy)) = annotated {
        return Some(everything(policy, Origin::Annotation(cluster.to_owned())));
    }
    view.policies
        .default()
        .map(|policy| everything(policy, Origin::Default))
}

/// One rule without matches.
fn everything(policy: &str, origin: Origin) -> InForce {
    let backend_refs = PolicyRefs::One(PolicyRef {
        name: policy.to_owned(),
        ..PolicyRef::default()
    });
    let rule = HttpRule {
        matches: None,
        backend_refs,
    };
    InForce {
        rules: vec![rule],
        origin,
    }
}

impl InForce {
    /// Reports rules without policies, and references to policies that this cluster does not have.
    pub(super) fn check(&self, view: &View<'_>, service: &MultiService<'_>, out: &mut Output) {
        for (i, rule) in self.rules.iter().enumerate() {
            let references = rule.backend_refs.as_slice();
            if references.is_empty() && !self.is_own_export(view) {
                out.problem(self.nothing_named(view, service, i));
            }
            for (j, reference) in references.iter().enumerate() {
                if view.policies.resolve(reference).is_none() {
                    let place = match &rule.backend_refs {
                        PolicyRefs::One(_) => format!("rules[{i}].backendRefs"),
                        PolicyRefs::Many(_) => format!("rules[{i}].backendRefs[{j}]"),
                    };
                    out.problem(self.unknown(view, service, reference, &place));
                }
            }
        }
        if self.rules.is_empty() {
            let message = "there are rules, but none: every request is denied".to_owned();
            let object = self.object(view, service);
            out.problem(
                Problem::warning(object, ("Ready", "NoRules"), message)
                    .in_field("spec.http.rules")
                    .advise("add a rule, or remove spec.http to use what comes next in precedence"),
            );
        }
    }

    /// The rules as the status of our `ServiceImport` shows them: usable matches, and the policies that really take the
    /// requests, fallbacks included.
    pub(super) fn shown(&self, view: &View<'_>) -> ImportedHttp {
        let (kind, cluster) = match &self.origin {
            Origin::Local => ("ServiceImport", None),
            Origin::Export(cluster) => ("ServiceExport", Some(cluster)),
            Origin::Annotation(cluster) => ("Annotation", Some(cluster)),
            Origin::Default => ("DefaultPolicy", None),
        };
        let rule = |rule: &HttpRule| {
            let all = rule.matches.as_deref().unwrap_or_default();
            let usable = || all.iter().filter(|m| matches::mistake(m).is_none());
            // A rule all of whose matches are unusable takes nothing.
            let in_force = all.is_empty() || usable().next().is_some();
            let policies = view.policies.chain(rule.backend_refs.as_slice());
            in_force.then(|| ImportedRule {
                matches: (!all.is_empty()).then(|| usable().cloned().collect()),
                policies: policies.into_iter().map(|p| p.name.clone()).collect(),
            })
        };
        ImportedHttp {
            origin: RuleOrigin {
                kind: kind.to_owned(),
                cluster: cluster.cloned(),
            },
            rules: self.rules.iter().filter_map(rule).collect(),
        }
    }

    /// A place in the rules as a field path and the object that it is in.
    pub(super) fn at(
        &self,
        view: &View<'_>,
        service: &MultiService<'_>,
        place: &str,
    ) -> (ObjectRef, String) {
        let field = match &self.origin {
            Origin::Local | Origin::Export(_) => format!("spec.http.{place}"),
            Origin::Annotation(_) => {
                format!("metadata.annotations[{}]", names::WAN_POLICY_ANNOTATION)
            }
            Origin::Default => String::new(),
        };
        (self.object(view, service), field)
    }

    /// Rules of this cluster's own export: their form is reported with the cluster's offer.
    fn is_own_export(&self, view: &View<'_>) -> bool {
        matches!(&self.origin, Origin::Export(c) if *c == view.members.own.cluster)
    }

    fn nothing_named(&self, view: &View<'_>, service: &MultiService<'_>, rule: usize) -> Problem {
        let message = "the rule names no wan policy: requests that match it are answered with 500";
        let (object, field) = self.at(view, service, &format!("rules[{rule}].backendRefs"));
        Problem::error(object, ("ResolvedRefs", "NoBackendRefs"), message)
            .in_field(field)
            .advise("name a wan policy, or remove the rule to have its requests denied")
    }

    fn unknown(
        &self,
        view: &View<'_>,
        service: &MultiService<'_>,
        r: &PolicyRef,
        place: &str,
    ) -> Problem {
        let kind = r.kind.as_deref().unwrap_or("WANPolicy");
        let group = r.group.as_deref().unwrap_or(kinds::GROUP);
        let name = &r.name;
        let (reason, what) = if kind == "WANPolicy" && group == kinds::GROUP {
            (
                "WANPolicyNotFound",
                format!("wan policy {name:?} does not exist here or is not accepted"),
            )
        } else {
            (
                "InvalidKind",
                format!("{group}/{kind} {name:?} is not a wan policy"),
            )
        };
        let from = match &self.origin {
            Origin::Export(c) | Origin::Annotation(c) => {
                format!(" (asked for by the export of cluster {c})")
            }
            Origin::Local | Origin::Default => String::new(),
        };
        let (object, field) = self.at(view, service, place);
        Problem::error(object, ("ResolvedRefs", reason), format!("{what}{from}"))
            .in_field(field)
            .advise(format!(
                "create wan policy {name} in this cluster, or name one that exists"
            ))
    }

    /// The object that the rules stand in, if it is in this cluster; else the import.
    fn object(&self, view: &View<'_>, service: &MultiService<'_>) -> ObjectRef {
        let own = view.members.own.cluster.as_str();
        let key = (service.namespace.to_owned(), service.name.to_owned());
        match &self.origin {
            Origin::Local => report::local_import(service.id()),
            Origin::Export(c) if c == own => report::service_export(kinds::GROUP, service.id()),
            Origin::Annotation(c) if c == own && view.snapshot.mcs_exports.contains_key(&key) => {
                report::service_export(MCS_GROUP, service.id())
            }
            Origin::Annotation(c) if c == own => report::service_export(kinds::GROUP, service.id()),
            Origin::Export(_) | Origin::Annotation(_) | Origin::Default => {
                report::service_import(service.id())
            }
        }
    }
}

/// Nothing says which tunnel to use.
pub(super) fn no_policy(service: &MultiService<'_>) -> Problem {
    let message =
        "no wan policy says which tunnel to take: neither rules, nor an annotation, nor a default"
            .to_owned();
    Problem::error(
        report::service_import(service.id()),
        ("Ready", "NoWANPolicy"),
        message,
    )
    .advise(format!(
        "give the export spec.http.rules or the annotation {}, or mark a wan policy {}: \"true\"",
        names::WAN_POLICY_ANNOTATION,
        names::DEFAULT_ANNOTATION
    ))
}
