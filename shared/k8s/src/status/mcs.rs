//! Exports and imports, of the MCS API and of our own group.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::condition::{Answer, Said, Verdict};
use super::problems::Found;
use super::target::Target;
use super::{StatusWrite, World};
use crate::kinds::wan::service_object_name;
use crate::kinds::{mcs, wan};
use crate::names::{MANAGED_BY, NAMESPACE};
use crate::object::{Key, Object, reference};

/// Conditions of exports that have a meaning of their own; problems of any other one speak against `Ready`.
const EXPORT: [&str; 3] = ["Valid", "Conflict", "ResolvedRefs"];

/// The statuses of all exports of both kinds.
pub(super) fn exports(world: &World<'_>) -> Vec<StatusWrite> {
    let snapshot = world.facts.snapshot;
    let official = snapshot.mcs_exports.iter().filter_map(|(key, export)| {
        let target = Target::of(export.as_ref(), &export.status, &world.now);
        self::export(world, key, target, false)
    });
    let own = snapshot.exports.iter().filter_map(|(key, export)| {
        let target = Target::of(export.as_ref(), &export.status, &world.now);
        self::export(world, key, target, true)
    });
    official.chain(own).collect()
}

fn export(world: &World<'_>, key: &Key, mut target: Target, own: bool) -> Option<StatusWrite> {
    let found = world.problems.on(&target.object);
    let mut valid = found
        .about("Valid")
        .verdict(Verdict::yes("Valid", "the Service can be exported"));
    let references = found.about("ResolvedRefs");
    // The official kind has no condition for references: what is wrong with them makes the export less than ready.
    let rest = if own {
        found.beside(&EXPORT)
    } else {
        found.beside(&["Valid", "Conflict"])
    };
    let is_offered = found
        .about("Valid")
        .errors()
        .only(|p| p.field.is_empty())
        .is_empty();
    let ready = ready(world, key, is_offered, &valid, &rest);
    if !is_offered {
        valid.answer = Answer::False;
    }
    let mut said = Said::new()
        .say("Valid", valid)
        .say("Ready", ready)
        .say("Conflict", conflict(&found));
    if own {
        let otherwise = Verdict::yes("ResolvedRefs", "all references are found");
        said = said.maybe(
            "ResolvedRefs",
            (is_offered || !references.is_empty()).then(|| references.verdict(otherwise)),
        );
    }
    target.say(&said);
    target.write()
}

/// An export is ready when it stands in the outbox, where the peers take it from (the pull model of the MCS API).
fn ready(
    world: &World<'_>,
    (namespace, name): &Key,
    is_offered: bool,
    valid: &Verdict,
    rest: &Found<'_>,
) -> Verdict {
    if !is_offered {
        return Verdict::no(
            "Failed",
            format!("the export is not valid: {}", valid.message),
        );
    }
    let published = (NAMESPACE.to_owned(), service_object_name(namespace, name));
    if !world
        .facts
        .snapshot
        .published_services
        .contains_key(&published)
    {
        return Verdict::no("Pending", "the service is not published to the peers yet")
            .and(&rest.told());
    }
    let mut verdict = rest.verdict(Verdict::yes("Ready", "the peers can import the service"));
    if verdict.answer == Answer::False {
        verdict.message = format!("{}: {}", verdict.reason, verdict.message);
        "Failed".clone_into(&mut verdict.reason);
    }
    verdict
}

/// `Conflict` has its reasons joined by commas, the first ones first; it holds when something is wrong.
fn conflict(found: &Found<'_>) -> Verdict {
    let conflicts = found.about("Conflict");
    if conflicts.is_empty() {
        return Verdict::no("NoConflicts", "the exports of all clusters agree");
    }
    let mut reasons: Vec<&str> = Vec::new();
    for problem in conflicts.iter() {
        if !reasons.contains(&problem.reason.as_str()) {
            reasons.push(&problem.reason);
        }
    }
    Verdict::new(Answer::True, reasons.join(","), conflicts.told())
}

/// What is rendered, by service.
#[derive(Default)]
struct Rendered<'a> {
    official: BTreeMap<Key, &'a mcs::ServiceImport>,
    own: BTreeMap<Key, &'a wan::ServiceImport>,
}

/// The statuses of the imports that are ours.
pub(super) fn imports(world: &World<'_>) -> Vec<StatusWrite> {
    let mut rendered = Rendered::default();
    for object in world.facts.rendered {
        match object {
            Object::McsServiceImport(import) => {
                rendered.official.insert(object.key(), import);
            }
            Object::ServiceImport(import) => {
                rendered.own.insert(object.key(), import);
            }
            _ => {}
        }
    }
    let snapshot = world.facts.snapshot;
    let official = snapshot.mcs_imports.iter().filter_map(|(key, import)| {
        let labels = import.metadata.labels.as_ref();
        let ours =
            labels.and_then(|l| l.get(MANAGED_BY.0)).map(String::as_str) == Some(MANAGED_BY.1);
        let wanted = rendered.official.get(key).filter(|_| ours)?;
        official_import(world, import, wanted)
    });
    let own = snapshot
        .imports
        .iter()
        .filter_map(|(key, import)| own_import(world, key, import, &rendered));
    official.chain(own).collect()
}

fn official_import(
    world: &World<'_>,
    import: &mcs::ServiceImport,
    wanted: &mcs::ServiceImport,
) -> Option<StatusWrite> {
    let mut target = Target::of(import, &import.status, &world.now);
    target.say(&Said::new().say("Ready", callable(world, wanted)));
    let status = wanted.status.clone().unwrap_or_default();
    target.set("clusters", json!(status.clusters.unwrap_or_default()));
    let slices = status.endpoint_slice_objects;
    target.set("endpointSliceObjects", json!(slices));
    target.write()
}

/// Whether an imported service can be called.
fn callable(world: &World<'_>, wanted: &mcs::ServiceImport) -> Verdict {
    let has_address = wanted.spec.ips.as_ref().is_some_and(|ips| !ips.is_empty());
    let otherwise = if wanted.spec.type_ == "Headless" || has_address {
        Verdict::yes("Ready", "the service can be called")
    } else {
        Verdict::no("Pending", "the service has no virtual address yet")
    };
    world.problems.on(&reference(wanted)).verdict(otherwise)
}

fn own_import(
    world: &World<'_>,
    key: &Key,
    import: &wan::ServiceImport,
    rendered: &Rendered<'_>,
) -> Option<StatusWrite> {
    let mut target = Target::of(import, &import.status, &world.now);
    let found = world.problems.on(&target.object);
    // Whether the service can be called is known of the official import, if there is one.
    let official = rendered.official.get(key).map(|i| callable(world, i));
    let otherwise = official.unwrap_or_else(|| {
        let message = "no cluster exports a service of this name, or it is not imported here";
        Verdict::no("Pending", message)
    });
    let resolved = found
        .about("ResolvedRefs")
        .verdict(Verdict::yes("ResolvedRefs", "all references are found"));
    let said = Said::new()
        .say("Ready", found.beside(&["ResolvedRefs"]).verdict(otherwise))
        .say("ResolvedRefs", resolved);
    target.say(&said);
    let http = rendered
        .own
        .get(key)
        .and_then(|i| i.status.as_ref()?.http.as_ref());
    target.set("http", http.map_or(Value::Null, |http| json!(http)));
    target.write()
}
