use k8s_openapi::api::core::v1::ConfigMap;
use mcwan_k8s::manifest::ManifestError;
use mcwan_k8s::object::Object;
use mcwan_k8s::problem::Severity;
use proptest::prelude::*;

use super::*;

fn id(cluster: &str, name: &str) -> FileId {
    FileId {
        cluster: cluster.to_owned(),
        name: name.to_owned(),
    }
}

/// An object with a name and a content.
fn object(name: &str, content: &str) -> Object {
    let mut map = ConfigMap::default();
    map.metadata.namespace = Some("secure".to_owned());
    map.metadata.name = Some(name.to_owned());
    map.data = Some([("content".to_owned(), content.to_owned())].into());
    Object::from(map)
}

/// A good file with these objects; one without any is a comment.
fn good(objects: &[(&str, &str)]) -> Seen {
    let parsed = |(document, (name, content)): (u32, &(&str, &str))| Parsed {
        object: object(name, content),
        document,
        line: document * 10,
    };
    Seen::Content(Content {
        blank: false,
        manifest: Manifest {
            objects: (1..).zip(objects).map(parsed).collect(),
            ..Manifest::default()
        },
    })
}

/// A file whose second document is broken; the first may hold an object.
fn broken(objects: &[(&str, &str)]) -> Seen {
    let Seen::Content(mut content) = good(objects) else {
        unreachable!()
    };
    content.manifest.errors.push(ManifestError {
        document: 2,
        line: 17,
        field: "spec.port".to_owned(),
        message: "no number".to_owned(),
    });
    Seen::Content(content)
}

fn blank() -> Seen {
    Seen::Content(Content {
        blank: true,
        manifest: Manifest::default(),
    })
}

/// `name=content` of the objects in force in cluster-1.
fn in_force(ledger: &Ledger) -> Vec<String> {
    let clusters = ledger.clusters();
    let Some(snapshot) = clusters.get("cluster-1") else {
        return Vec::new();
    };
    snapshot
        .config_maps
        .iter()
        .map(|((_, name), map)| format!("{name}={}", map.data.as_ref().unwrap()["content"]))
        .collect()
}

fn reports(ledger: &Ledger) -> Vec<String> {
    ledger
        .reports()
        .iter()
        .map(|r| format!("{:?} {r}", r.severity))
        .collect()
}

/// Applies what is seen of files of cluster-1, one after the other.
fn ledger(steps: &[(&str, Seen)]) -> Ledger {
    let mut ledger = Ledger::default();
    for (name, seen) in steps {
        ledger.apply([(id("cluster-1", name), seen.clone())]);
    }
    ledger
}

#[test]
fn what_stays_in_force_after_each_kind_of_change() {
    let first = good(&[("a", "1"), ("b", "1")]);
    let table = [
        (
            "an edit",
            good(&[("a", "2"), ("b", "1")]),
            vec!["a=2", "b=1"],
            0,
        ),
        (
            "a good file without one",
            good(&[("b", "1")]),
            vec!["b=1"],
            0,
        ),
        ("an explicit nothing", good(&[]), vec![], 0),
        (
            "a broken file",
            broken(&[("a", "2")]),
            vec!["a=1", "b=1"],
            1,
        ),
        ("an empty file", blank(), vec!["a=1", "b=1"], 1),
        (
            "an unreadable file",
            Seen::Unreadable("denied".to_owned()),
            vec!["a=1", "b=1"],
            1,
        ),
        ("a deleted file", Seen::Gone, vec!["a=1", "b=1"], 1),
    ];
    for (what, change, expected, complaints) in table {
        let ledger = ledger(&[("x.yaml", first.clone()), ("x.yaml", change)]);
        assert_eq!(in_force(&ledger), expected, "{what}");
        assert_eq!(ledger.reports().len(), complaints, "{what}");
    }
}

#[test]
fn a_mistake_is_named_with_file_document_line_and_field() {
    let ledger = ledger(&[("x.yaml", broken(&[]))]);
    assert_eq!(
        reports(&ledger),
        ["Error cluster-1/x.yaml:17: document 2: spec.port: no number"]
    );
}

#[test]
fn a_repaired_file_is_no_longer_reported() {
    let ledger = ledger(&[
        ("x.yaml", good(&[("a", "1")])),
        ("x.yaml", broken(&[])),
        ("x.yaml", good(&[("a", "2")])),
    ]);
    assert_eq!(in_force(&ledger), ["a=2"]);
    assert!(reports(&ledger).is_empty());
}

#[test]
fn at_a_cold_start_the_other_files_serve() {
    let mut ledger = Ledger::default();
    ledger.apply([
        (id("cluster-1", "broken.yaml"), broken(&[("x", "1")])),
        (id("cluster-1", "empty.yaml"), blank()),
        (id("cluster-1", "good.yaml"), good(&[("a", "1")])),
    ]);
    assert_eq!(in_force(&ledger), ["a=1"]);
    assert_eq!(
        ledger.reports().len(),
        1,
        "an empty file that never held anything is fine"
    );
}

#[test]
fn a_deleted_file_says_how_to_withdraw_its_objects() {
    let mut ledger = ledger(&[
        (
            "x.yaml",
            good(&[("a", "1"), ("b", "1"), ("c", "1"), ("d", "1")]),
        ),
        ("x.yaml", Seen::Gone),
    ]);
    let told = reports(&ledger).join("\n");
    assert!(
        told.contains("ConfigMap secure/a") && told.contains("and 1 more"),
        "{told}"
    );
    assert!(
        told.contains("to withdraw them write the file with `---` only, or restart"),
        "{told}"
    );
    ledger.apply([(id("cluster-1", "x.yaml"), good(&[]))]);
    assert!(in_force(&ledger).is_empty());
    assert!(reports(&ledger).is_empty());
}

#[test]
fn a_rename_takes_the_objects_along_in_any_order_of_events() {
    let moved = good(&[("a", "1"), ("b", "1")]);
    let (old, new) = (id("cluster-1", "old.yaml"), id("cluster-1", "new.yaml"));
    let gone = (old, Seen::Gone);
    let come = (new.clone(), moved.clone());
    let orders = [
        vec![vec![gone.clone(), come.clone()]],
        vec![vec![gone.clone()], vec![come.clone()]],
        vec![vec![come], vec![gone]],
    ];
    for order in orders {
        let mut ledger = ledger(&[("old.yaml", moved.clone())]);
        order.into_iter().for_each(|events| ledger.apply(events));
        assert_eq!(in_force(&ledger), ["a=1", "b=1"]);
        assert!(reports(&ledger).is_empty(), "{:?}", reports(&ledger));
        // The new file owns them now.
        ledger.apply([(new.clone(), good(&[("b", "1")]))]);
        assert_eq!(in_force(&ledger), ["b=1"]);
    }
}

#[test]
fn a_file_that_is_split_leaves_only_what_nobody_took() {
    let mut ledger = ledger(&[
        ("old.yaml", good(&[("a", "1"), ("b", "1")])),
        ("old.yaml", Seen::Gone),
        ("new.yaml", good(&[("a", "2")])),
    ]);
    assert_eq!(in_force(&ledger), ["a=2", "b=1"]);
    let told = reports(&ledger).join("\n");
    assert!(
        told.contains("secure/b") && !told.contains("secure/a"),
        "{told}"
    );
    ledger.apply([(id("cluster-1", "other.yaml"), good(&[("b", "2")]))]);
    assert_eq!(in_force(&ledger), ["a=2", "b=2"]);
    assert!(reports(&ledger).is_empty());
}

#[test]
fn an_identical_copy_is_a_warning() {
    let ledger = ledger(&[
        ("x.yaml", good(&[("a", "1")])),
        ("y.yaml", good(&[("a", "1")])),
    ]);
    assert_eq!(in_force(&ledger), ["a=1"]);
    let told = reports(&ledger).join("\n");
    assert!(
        told.starts_with("Warning cluster-1/y.yaml:10: document 1: ConfigMap secure/a"),
        "{told}"
    );
    assert!(told.contains("cluster-1/x.yaml:10"), "{told}");
}

#[test]
fn of_two_contents_the_one_in_force_stays() {
    let mut ledger = ledger(&[
        ("y.yaml", good(&[("a", "1")])),
        ("x.yaml", good(&[("a", "2")])),
    ]);
    assert_eq!(in_force(&ledger), ["a=1"], "although x comes before y");
    let told = reports(&ledger).join("\n");
    assert!(
        told.starts_with("Error cluster-1/x.yaml:10") && told.contains("cluster-1/y.yaml:10"),
        "{told}"
    );
    ledger.apply([(id("cluster-1", "y.yaml"), good(&[("a", "3")]))]);
    assert_eq!(in_force(&ledger), ["a=3"], "its owner may change it");
    ledger.apply([(id("cluster-1", "y.yaml"), good(&[]))]);
    assert_eq!(
        in_force(&ledger),
        ["a=2"],
        "and when it gives it up the other takes over"
    );
    assert!(reports(&ledger).is_empty());
}

#[test]
fn at_a_cold_start_the_first_file_by_name_wins() {
    let mut ledger = Ledger::default();
    ledger.apply([
        (id("cluster-1", "y.yaml"), good(&[("a", "2")])),
        (id("cluster-1", "x.yaml"), good(&[("a", "1")])),
    ]);
    assert_eq!(in_force(&ledger), ["a=1"]);
    assert_eq!(ledger.reports().first().unwrap().severity, Severity::Error);
}

#[test]
fn a_file_that_contradicts_itself_is_not_used() {
    let twice = good(&[("a", "1"), ("a", "2")]);
    let contradicting = ledger(&[("x.yaml", good(&[("a", "0")])), ("x.yaml", twice)]);
    assert_eq!(in_force(&contradicting), ["a=0"]);
    let told = reports(&contradicting).join("\n");
    assert!(
        told.starts_with("Error cluster-1/x.yaml:20: document 2"),
        "{told}"
    );
    let repeating = ledger(&[("x.yaml", good(&[("a", "1"), ("a", "1")]))]);
    assert_eq!(in_force(&repeating), ["a=1"]);
    assert!(
        reports(&repeating)[0].starts_with("Warning"),
        "{:?}",
        reports(&repeating)
    );
}

#[test]
fn clusters_do_not_share_objects() {
    let mut ledger = Ledger::default();
    ledger.apply([
        (id("cluster-1", "x.yaml"), good(&[("a", "1")])),
        (id("cluster-2", "x.yaml"), good(&[("a", "2")])),
    ]);
    assert!(reports(&ledger).is_empty());
    let clusters = ledger.clusters();
    assert_eq!(
        clusters.keys().collect::<Vec<_>>(),
        ["cluster-1", "cluster-2"]
    );
    assert_ne!(
        clusters["cluster-1"].config_maps,
        clusters["cluster-2"].config_maps
    );
}

const NAMES: [&str; 3] = ["a", "b", "c"];
const FILES: [&str; 3] = ["x.yaml", "y.yaml", "z.yaml"];

fn held() -> impl Strategy<Value = Vec<(&'static str, &'static str)>> {
    let content = prop::sample::select(vec!["1", "2"]);
    prop::collection::vec((prop::sample::select(NAMES.to_vec()), content), 0..4)
}

fn seen() -> impl Strategy<Value = Seen> {
    prop_oneof![
        4 => held().prop_map(|held| good(&held)),
        2 => held().prop_map(|held| broken(&held)),
        1 => Just(blank()),
        1 => Just(Seen::Unreadable("denied".to_owned())),
        2 => Just(Seen::Gone),
    ]
}

/// Names that a good file holds; None for a file that is not good.
fn good_names(seen: &Seen) -> Option<BTreeSet<String>> {
    let Seen::Content(content) = seen else {
        return None;
    };
    let mut contents: BTreeMap<String, Object> = BTreeMap::new();
    for parsed in &content.manifest.objects {
        let object = &parsed.object;
        if contents
            .insert(object.key().1, object.clone())
            .is_some_and(|o| o != *object)
        {
            return None;
        }
    }
    let is_good = !content.blank && content.manifest.errors.is_empty();
    is_good.then(|| contents.into_keys().collect())
}

fn names(ledger: &Ledger) -> BTreeSet<String> {
    let name = |s: String| s.split('=').next().unwrap_or_default().to_owned();
    in_force(ledger).into_iter().map(name).collect()
}

proptest! {
    #[test]
    fn an_object_in_force_is_only_lost_to_a_good_write_of_its_file(
        steps in prop::collection::vec((prop::sample::select(FILES.to_vec()), seen()), 1..24),
    ) {
        let mut ledger = Ledger::default();
        // The last good content of each file, by a model that knows nothing of owners.
        let mut last_good: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for (file, seen) in steps {
            let before = names(&ledger);
            ledger.apply([(id("cluster-1", file), seen.clone())]);
            let after = names(&ledger);
            let now = good_names(&seen);
            for lost in before.difference(&after) {
                let now = now.as_ref();
                prop_assert!(now.is_some_and(|names| !names.contains(lost)), "{lost} was lost by {seen:?}");
                prop_assert!(last_good.get(file).is_some_and(|names| names.contains(lost)));
            }
            if let Some(now) = now {
                prop_assert!(now.is_subset(&after), "a good file serves");
                last_good.insert(file, now);
            }
        }
    }

    #[test]
    fn a_start_from_good_files_does_not_depend_on_the_order_in_which_they_are_seen(
        files in prop::collection::btree_map(prop::sample::select(FILES.to_vec()), held(), 1..3),
    ) {
        let all: Vec<_> = files.iter().map(|(f, held)| (id("cluster-1", f), good(held))).collect();
        let mut forward = Ledger::default();
        forward.apply(all.clone());
        let mut backward = Ledger::default();
        backward.apply(all.into_iter().rev());
        prop_assert_eq!(forward, backward);
    }
}
