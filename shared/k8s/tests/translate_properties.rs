//! What holds for every translation: the same result in any order, and whatever the objects say no panic and a table
//! that keeps the invariants.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

#[path = "goldens/case.rs"]
mod case;

use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use mcwan_k8s::manifest;
use mcwan_k8s::object::Object;
use mcwan_k8s::render::render;
use mcwan_k8s::snapshot::ClusterSnapshot;
use mcwan_k8s::translate::{Scope, Translation, translate};
use mcwan_routing::filter::Mirror;
use mcwan_routing::rule::{Action, Choice, Filters, Rule, Target};
use mcwan_routing::spec::{BackendName, Role};
use mcwan_routing::table::Table;
use proptest::prelude::*;
use serde_json::Value;

fn scope() -> Scope {
    Scope {
        privileged_port_offset: 10_000,
        standalone: true,
        ..Scope::default()
    }
}

/// The golden cases, read once.
fn cases() -> &'static [(String, ClusterSnapshot)] {
    static CASES: LazyLock<Vec<(String, ClusterSnapshot)>> = LazyLock::new(read_cases);
    &CASES
}

fn read_cases() -> Vec<(String, ClusterSnapshot)> {
    let names = case::files("translate", ".in.yaml");
    assert!(!names.is_empty());
    let read = |name: &String| {
        let case = case::read(&case::file("translate", name, ".in.yaml"));
        assert!(case.offers.is_empty(), "{name}: peers play no part");
        (name.clone(), case.cluster)
    };
    let consumers = case::files("consumer", ".in.yaml");
    assert!(!consumers.is_empty());
    let rendered = |name: &String| {
        let case = case::read(&case::file("consumer", name, ".in.yaml"));
        let (objects, _) = render(&case.cluster, &case.offers);
        (name.clone(), case.cluster.with(objects))
    };
    let consumers = consumers.iter().map(rendered);
    names.iter().map(read).chain(consumers).collect()
}

fn snapshot(objects: impl IntoIterator<Item = Object>) -> ClusterSnapshot {
    ClusterSnapshot::new("cluster-1").with(objects)
}

fn choices(rule: &Rule) -> Vec<&Choice> {
    match &rule.action {
        Action::Forward(forward) => forward.tiers.iter().flat_map(|t| &t.choices).collect(),
        Action::Redirect(_) => Vec::new(),
    }
}

fn mirrors(filters: &Filters) -> impl Iterator<Item = &Mirror> {
    filters.mirrors.iter()
}

/// The backends that a rule sends requests and copies to.
fn targets(rule: &Rule) -> Vec<&BackendName> {
    let mut targets: Vec<_> = mirrors(&rule.filters).map(|m| &m.backend).collect();
    for choice in choices(rule) {
        targets.extend(mirrors(&choice.filters).map(|m| &m.backend));
        if let Target::Backend(name) = &choice.target {
            targets.push(name);
        }
    }
    targets
}

/// The imported services that a rule sends requests to.
fn imports(rule: &Rule) -> impl Iterator<Item = &BackendName> {
    let targets = choices(rule).into_iter().map(|c| &c.target);
    targets.filter_map(|t| match t {
        Target::Import(name) => Some(name),
        Target::Backend(_) | Target::Invalid(_) => None,
    })
}

/// Checks what must hold whatever the objects say.
fn check(translation: &Translation) {
    let Translation {
        table, problems, ..
    } = translation;
    assert!(problems.is_sorted_by(|a, b| a < b), "sorted, each once");
    for problem in problems {
        assert!(
            !problem.message.is_empty() && !problem.hint.is_empty(),
            "{problem}"
        );
    }
    assert!(table.sockets.is_sorted_by(|a, b| a.socket < b.socket));
    let (mut used, mut imported) = (BTreeSet::new(), BTreeSet::new());
    for entry in table.imports.values().flatten() {
        used.extend(targets(&entry.rule));
        assert_eq!(imports(&entry.rule).count(), 0, "imports do not nest");
    }
    for socket in &table.sockets {
        let hostnames: BTreeSet<_> = socket.listeners.iter().map(|l| &l.hostname).collect();
        assert_eq!(
            hostnames.len(),
            socket.listeners.len(),
            "a host has one listener"
        );
        for entry in socket.listeners.iter().flat_map(|l| &l.routes) {
            assert!(!entry.matches.is_empty());
            for import in imports(&entry.rule) {
                assert_ne!(socket.role, Role::Ingress, "a request crosses the WAN once");
                assert!(table.imports.contains_key(import));
                imported.insert(import);
            }
            for target in targets(&entry.rule) {
                let backend = table.backends.get(target).expect("a target is a backend");
                assert!(backend.endpoints.is_sorted_by(|a, b| a < b));
                let crosses = backend.tunnel.is_some();
                assert!(
                    !(crosses && socket.role == Role::Ingress),
                    "a request crosses the WAN once"
                );
                used.insert(target);
            }
        }
    }
    assert_eq!(
        used.len(),
        table.backends.len(),
        "no backend is there for nothing"
    );
    assert_eq!(imported.len(), table.imports.len(), "no import either");
    let rules = Table::compile(table.clone()).rules().len();
    let entries = table.sockets.iter().flat_map(|s| &s.listeners);
    let entries = entries.map(|l| l.routes.len()).sum::<usize>();
    let inside = table.imports.values().map(Vec::len).sum::<usize>();
    assert!(rules <= entries + inside);
}

#[test]
fn golden_cases_translate_alike_in_any_order_and_keep_the_invariants() {
    for (name, cluster) in cases() {
        let want = translate(cluster, &scope());
        check(&want);
        let mut objects: Vec<Object> = cluster.iter().collect();
        objects.reverse();
        for _ in 0..objects.len().min(5) {
            objects.rotate_left(1);
            assert_eq!(
                translate(&snapshot(objects.clone()), &scope()),
                want,
                "{name}"
            );
        }
    }
}

/// Every object of every case, at once: names clash on purpose.
fn pool() -> Vec<Object> {
    cases()
        .iter()
        .flat_map(|(_, c)| c.iter().collect::<Vec<_>>())
        .collect()
}

/// A leaf or a branch of a tree, by number.
fn nth<'v>(value: &'v mut Value, n: &mut usize) -> Option<&'v mut Value> {
    if *n == 0 {
        return Some(value);
    }
    *n -= 1;
    match value {
        Value::Array(items) => items.iter_mut().find_map(|v| nth(v, n)),
        Value::Object(fields) => fields.values_mut().find_map(|v| nth(v, n)),
        _ => None,
    }
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(fields) => fields.values().map(count).sum(),
        _ => 0,
    }
}

/// What a value is replaced by.
#[derive(Debug, Clone)]
enum Change {
    Text(String),
    Number(i64),
    Null,
    Empty,
    Twice,
}

fn change() -> impl Strategy<Value = Change> {
    let words = prop_oneof![
        any::<String>(),
        "[a-zA-Z0-9/.*:%-]{0,12}",
        Just("*.".to_owned()),
        Just("(".to_owned()),
        Just("a".repeat(300)),
    ];
    prop_oneof![
        4 => words.prop_map(Change::Text),
        2 => prop_oneof![any::<i64>(), -2..70_000_i64].prop_map(Change::Number),
        1 => Just(Change::Null),
        1 => Just(Change::Empty),
        2 => Just(Change::Twice),
    ]
}

fn apply(change: Change, value: &mut Value) {
    match (change, value) {
        (Change::Text(text), v) => *v = Value::String(text),
        (Change::Number(number), v) => *v = number.into(),
        (Change::Null, v) => *v = Value::Null,
        (Change::Empty, Value::Array(items)) => items.clear(),
        (Change::Empty, v) => *v = Value::String(String::new()),
        (Change::Twice, Value::Array(items)) => items.extend(items.clone()),
        (Change::Twice, _) => {}
    }
}

/// The object with some of its values changed; as it was, if nothing would read it any more.
fn mutated(object: &Object, changes: Vec<(usize, Change)>) -> Object {
    let mut json = serde_json::to_value(object).unwrap();
    let before = json.clone();
    for (at, change) in changes {
        let mut at = 1 + at % count(&json);
        if let Some(value) = nth(&mut json, &mut at) {
            apply(change, value);
        }
    }
    let read = |json: &Value| manifest::parse(json.to_string().as_bytes()).objects.pop();
    let parsed = read(&json).or_else(|| read(&before));
    parsed.unwrap_or_else(|| panic!("{before}")).object
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_selection_of_objects_translates_alike_in_any_order(
        picks in proptest::collection::vec(any::<prop::sample::Index>(), 1..60),
    ) {
        let pool = pool();
        // Later objects replace earlier ones of the same key, so each key comes once.
        let picked = snapshot(picks.iter().map(|p| p.get(&pool).clone()));
        let mut objects: Vec<Object> = picked.iter().collect();
        let want = translate(&picked, &scope());
        check(&want);
        let middle = picks[0].index(objects.len());
        objects.rotate_left(middle);
        objects.reverse();
        prop_assert_eq!(translate(&snapshot(objects), &scope()), want);
    }

    #[test]
    fn whatever_the_objects_say_the_table_keeps_the_invariants(
        case in any::<prop::sample::Index>(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<usize>(), change()), 1..8),
    ) {
        let cases = cases();
        let mut objects: Vec<Object> = case.get(cases).1.iter().collect();
        for (which, at, change) in changes {
            let which = which.index(objects.len());
            objects[which] = mutated(&objects[which], vec![(at, change)]);
        }
        check(&translate(&snapshot(objects), &scope()));
    }
}

/// Routes with three rules each, all attached to one Gateway, with hostnames of their own.
fn many(rules: usize) -> String {
    use std::fmt::Write as _;
    let mut text = String::from(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: { name: gw, namespace: app }\nspec:\n  \
         gatewayClassName: mc-wan\n  listeners: [ { name: http, port: 8080, protocol: HTTP } ]\n---\napiVersion: v1\n\
         kind: Service\nmetadata: { name: web, namespace: app }\nspec: { ports: [ { port: 80 } ] }\n",
    );
    for i in 0..rules.div_ceil(3) {
        write!(
            text,
            "---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{ name: r{i}, namespace: app }}\n\
             spec:\n  parentRefs: [ {{ name: gw }} ]\n  hostnames: [ h{i}.example.com ]\n  rules:\n"
        )
        .unwrap();
        for path in ["/a", "/b", "/c"] {
            writeln!(
                text,
                "    - matches: [ {{ path: {{ value: {path} }} }} ]\n      filters: [ {{ type: URLRewrite, urlRewrite: \
                 {{ hostname: web.example.com }} }} ]\n      backendRefs: [ {{ name: web, port: 80 }} ]"
            )
            .unwrap();
        }
    }
    text
}

#[test]
fn ten_times_the_rules_take_about_ten_times_as_long() {
    let time = |rules: usize| {
        let parsed = manifest::parse(many(rules).as_bytes());
        let snapshot = snapshot(parsed.objects.into_iter().map(|p| p.object));
        let start = Instant::now();
        let translation = translate(&snapshot, &scope());
        let took = start.elapsed();
        assert!(
            translation.problems.is_empty(),
            "{:?}",
            translation.problems
        );
        assert!(translation.table.sockets[0].listeners[0].routes.len() >= rules);
        took
    };
    let (few, all) = (time(1_000), time(10_000));
    println!("1,000 rules: {few:?}; 10,000 rules: {all:?}");
    // A quadratic translation would take a hundred times as long; the slack is for a busy machine.
    assert!(all < few * 50 + Duration::from_secs(2), "{few:?}, {all:?}");
}
