//! Statuses: golden files (`goldens/status/<case>.in.yaml` → `.out.yaml`, `UPDATE=1` writes them anew), and what holds for
//! every status: it fits the schema of its kind, writing it ends the matter, order does not matter, and what others wrote
//! stays.
//!
//! A case is written as those of `render` are (see `goldens/case.rs`); its first cluster is as the API server has it. In
//! addition, lines that begin so:
//!
//! * `# served: all` — each Gateway has one live gateway, which serves the objects as they are.
//! * `# served: {...}` — a gateway's answer, in flow style; `objects: all` fills in the objects.
//! * `# peer: {name, connected, synced, lastSync, services}` — what is known of a peer; a verdict is `[answer, reason, message]`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "goldens/case.rs"]
mod case;
#[path = "goldens/schema.rs"]
mod schema;
#[path = "status/world.rs"]
mod world;

use std::sync::LazyLock;

use mcwan_k8s::kinds::crds;
use mcwan_k8s::names::CONTROLLER;
use mcwan_k8s::status::{FEATURES, StatusWrite};
use proptest::prelude::*;
use schema::Schemas;
use serde::Serialize;
use serde_json::{Value, json};
use world::{World, full};

/// All cases: those of statuses, and those of `render` and `translate`, which are objects as good as any.
static WORLDS: LazyLock<Vec<(String, World)>> = LazyLock::new(|| {
    let mut worlds = Vec::new();
    for what in ["status", "render", "translate"] {
        let names = case::files(what, ".in.yaml");
        assert!(!names.is_empty());
        for name in names {
            let world = World::read(&case::file(what, &name, ".in.yaml"));
            worlds.push((format!("{what}/{name}"), world));
        }
    }
    worlds
});

fn worlds() -> impl Iterator<Item = (String, World)> {
    WORLDS.iter().cloned()
}

/// The cases of statuses only.
fn own() -> impl Iterator<Item = (String, World)> {
    worlds().filter(|(name, _)| name.starts_with("status/"))
}

/// A value as block-style YAML, with a line break at the end.
fn yaml(value: &impl Serialize) -> String {
    let text = serde_saphyr::to_string(value).unwrap();
    text.trim_end().to_owned() + "\n"
}

#[test]
fn every_status_case_says_what_its_golden_file_says() {
    let cases = case::files("status", ".in.yaml");
    let update = std::env::var_os("UPDATE").is_some_and(|v| v == "1");
    let mut failures = Vec::new();
    for name in &cases {
        let world = World::read(&case::file("status", name, ".in.yaml"));
        let review = world.review();
        let mut out: String = review.writes.iter().map(|w| yaml(w) + "---\n").collect();
        let awaited: Vec<String> = review
            .awaited
            .iter()
            .map(|(namespace, name)| format!("{namespace}/{name}"))
            .collect();
        out.push_str(&yaml(&json!({ "awaited": awaited })));
        let golden = case::file("status", name, ".out.yaml");
        if update {
            std::fs::write(&golden, &out).unwrap();
        } else if std::fs::read_to_string(&golden).unwrap_or_default() != out {
            failures.push(format!("status/{name}:\n{out}"));
        }
    }
    assert!(
        failures.is_empty(),
        "{}\nUPDATE=1 writes the golden files anew",
        failures.join("\n")
    );
    assert!(cases.len() >= 25, "{}", cases.len());
    assert_eq!(case::files("status", ".out.yaml"), cases);
}

#[test]
fn every_status_fits_the_schema_of_its_kind() {
    let schemas = schemas_of_statuses();
    let mut checked = 0;
    for (name, world) in worlds() {
        for write in world.review().writes {
            let object = json!({
                "apiVersion": format!("{}/v1", write.object.group), "kind": write.object.kind,
                "status": without_null(&write.status),
            });
            let mistakes = schemas.mistakes(&object);
            assert_eq!(
                mistakes,
                Some(Vec::<String>::new()),
                "{name}: {}",
                write.object
            );
            checked += 1;
        }
    }
    assert!(checked > 100, "{checked}");
}

/// The schemas of all kinds, narrowed to the status.
fn schemas_of_statuses() -> Schemas {
    let mut schemas = Schemas::gateway_api();
    for (_, crd) in crds::files() {
        let version = &crd.spec.versions.last().unwrap().name;
        let key = (crd.spec.group.clone(), crd.spec.names.kind.clone());
        schemas.0.insert(key, crds::schema(&crd, version).unwrap());
    }
    for schema in schemas.0.values_mut() {
        let word = json!({ "type": "string" });
        let status = schema["properties"]["status"].clone();
        *schema = json!({
            "type": "object", "properties": { "apiVersion": word, "kind": word, "status": status },
        });
    }
    schemas
}

/// What a merge patch leaves behind of a value.
fn without_null(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(_, v)| !v.is_null());
            kept.map(|(k, v)| (k.clone(), without_null(v))).collect()
        }
        other => other.clone(),
    }
}

#[test]
fn after_the_write_there_is_nothing_to_write() {
    for (name, mut world) in worlds() {
        // The number of accepted routes and of ListenerSets is there at once: one round is enough.
        let writes = world.review().writes;
        world.write(&writes, "2031-01-01T00:00:00Z");
        assert_eq!(world.review().writes, Vec::<StatusWrite>::new(), "{name}");
    }
}

#[test]
fn a_confirmed_generation_stays_programmed_when_gateways_fall_silent() {
    for (name, mut world) in worlds() {
        world.serve_all();
        let writes = world.review().writes;
        world.write(&writes, "2031-01-01T00:00:00Z");
        assert_eq!(world.review().awaited.len(), 0, "{name}");
        world.served.clear();
        assert_eq!(world.review().writes, Vec::<StatusWrite>::new(), "{name}");
        assert_eq!(world.review().awaited.len(), 0, "{name}");
    }
}

#[test]
fn nothing_is_programmed_before_a_gateway_has_said_so() {
    for (name, mut world) in worlds() {
        world.served.clear();
        world.forget_statuses();
        for write in world.review().writes {
            let programmed = conditions(&write.status)
                .into_iter()
                .filter(|c| c["type"] == "Programmed" && c["status"] == "True");
            assert_eq!(programmed.count(), 0, "{name}: {}", write.object);
        }
    }
}

/// Every condition anywhere in a status.
fn conditions(value: &Value) -> Vec<Value> {
    match value {
        Value::Object(fields) if fields.contains_key("lastTransitionTime") => vec![value.clone()],
        Value::Object(fields) => fields.values().flat_map(conditions).collect(),
        Value::Array(items) => items.iter().flat_map(conditions).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn what_others_wrote_stays() {
    for (name, mut world) in worlds() {
        world.serve_all();
        let writes = world.review().writes;
        let mut written = 0;
        let foreign: Vec<StatusWrite> = writes
            .iter()
            .map(|write| {
                let mut write = write.clone();
                written += add_foreign(&mut write.status);
                write
            })
            .collect();
        world.write(&foreign, "2031-01-01T00:00:00Z");
        // Everything of ours changes now.
        world.next_generation();
        for write in world.review().writes {
            // An object that needed no write the first time was not written to by others either.
            let Some(before) = foreign.iter().find(|w| w.object == write.object) else {
                continue;
            };
            let after = foreign_parts(&write.status);
            assert_eq!(
                after,
                foreign_parts(&before.status),
                "{name}: {}",
                write.object
            );
            assert!(!after.is_empty(), "{name}: {}", write.object);
        }
        assert!(writes.is_empty() || written > 0, "{name}");
    }
}

const FOREIGN: &str = "example.com/Seen";

fn foreign_condition() -> Value {
    json!({
        "lastTransitionTime": "2020-01-01T00:00:00Z", "message": "by somebody else", "observedGeneration": 1,
        "reason": "Seen", "status": "True", "type": FOREIGN,
    })
}

/// Adds a condition of a foreign type to each list of conditions, and the entry of another controller to each list of those.
/// Says how much was added.
fn add_foreign(value: &mut Value) -> usize {
    let mut added = 0;
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                added += add_foreign(value);
                let Some(items) = value.as_array_mut() else {
                    continue;
                };
                match name.as_str() {
                    "conditions" => items.insert(0, foreign_condition()),
                    "parents" => items.insert(0, foreign_entry("parentRef")),
                    "ancestors" => items.insert(0, foreign_entry("ancestorRef")),
                    _ => continue,
                }
                added += 1;
            }
        }
        Value::Array(items) => added += items.iter_mut().map(add_foreign).sum::<usize>(),
        _ => {}
    }
    added
}

fn foreign_entry(reference: &str) -> Value {
    json!({ "controllerName": "example.com/controller", "conditions": [foreign_condition()], reference: { "name": "theirs" } })
}

/// All that others wrote, in order.
fn foreign_parts(status: &Value) -> Vec<Value> {
    match status {
        Value::Object(fields) if fields.get("type") == Some(&json!(FOREIGN)) => {
            vec![status.clone()]
        }
        Value::Object(fields)
            if fields
                .get("controllerName")
                .is_some_and(|c| *c != *CONTROLLER) =>
        {
            vec![status.clone()]
        }
        Value::Object(fields) => fields.values().flat_map(foreign_parts).collect(),
        Value::Array(items) => items.iter().flat_map(foreign_parts).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn every_condition_speaks_of_the_generation_that_it_saw() {
    for (name, mut world) in worlds() {
        let writes = world.review().writes;
        world.write(&writes, "2031-01-01T00:00:00Z");
        world.next_generation();
        for write in world.review().writes {
            let generation = world.generation(&write.object);
            for condition in conditions(&write.status) {
                let others = condition["type"] == FOREIGN || condition["reason"] == "Theirs";
                assert!(
                    others || condition["observedGeneration"] == json!(generation),
                    "{name}: {}: {condition}",
                    write.object
                );
            }
        }
    }
}

#[test]
fn supported_features_are_sorted_and_few_enough() {
    assert!(FEATURES.is_sorted_by(|a, b| a < b));
    assert!(FEATURES.len() <= 64);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    /// Objects lie in a sorted snapshot; what comes as lists may come in any order.
    #[test]
    fn the_order_of_facts_does_not_matter(seed in any::<u64>()) {
        for (name, mut world) in own() {
            let sorted = world.review();
            world.shuffle(seed);
            prop_assert_eq!(world.review(), sorted, "{}", name);
        }
    }

    /// A status that cannot be understood is replaced where it is ours, and never stops anything.
    #[test]
    fn conditions_of_any_kind_are_survived(
        texts in proptest::collection::vec("[a-zA-Z]{0,8}", 4), generation in any::<i64>(),
    ) {
        let condition = json!({
            "type": texts[0], "status": texts[1], "reason": texts[2], "message": texts[3],
            "lastTransitionTime": "2020-01-01T00:00:00Z", "observedGeneration": generation,
        });
        for (_, mut world) in own() {
            let mut writes = world.review().writes;
            for write in &mut writes {
                write.status["conditions"] = json!([condition, condition]);
            }
            world.write(&writes, "2031-01-01T00:00:00Z");
            let writes = world.review().writes;
            world.write(&writes, "2031-01-01T00:00:00Z");
            prop_assert_eq!(full(&world.review()), 0);
        }
    }
}
