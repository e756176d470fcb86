//! The index itself: what it returns, keeps and costs.

use std::sync::Arc;

use super::fixture::{check, get, listener, path, route, rule, single, socket, table, taken_by};
use super::{Lookup, Table};
use crate::rule::{Rule, ServiceName};
use crate::spec::{BackendName, TableSpec};

#[test]
fn the_matched_prefix_comes_without_trailing_slash() {
    let table = single(vec![
        route("deep", "", vec![path("/a/b/")]),
        route("root", "", vec![path("/")]),
        route("exact", "", vec![path("=/exact")]),
        route("regex", "other", vec![path("~/.*")]),
    ]);
    for (url, want) in [
        ("x/a/b/c", Some("/a/b")),
        ("x/a", Some("")),
        ("x/exact", None),
        ("other/exact", None),
    ] {
        let request = get(url);
        let Lookup::Found { prefix, .. } = table.find(socket(), &request.view()) else {
            panic!("{url} is not found");
        };
        assert_eq!(prefix, want, "{url}");
    }
}

#[test]
fn many_regular_expressions_are_taken_in_rank_order() {
    let special = path("~/v150/special").header("h", "1");
    let matches = (0..200)
        .map(|i| path(&format!("~/v{i}/.*")))
        .chain([special]);
    let entries = matches.enumerate().map(|(i, m)| {
        let mut entry = route(&format!("r{i}"), "", vec![m]);
        entry.order.rule = u32::try_from(i).unwrap();
        entry
    });
    let table = single(entries.collect());
    check(
        &table,
        &[
            ("x/v7/a", "r7"),
            ("x/v150/special", "r150"),
            ("x/v199/", "r199"),
            ("x/v200/", "404"),
        ],
    );
    assert_eq!(
        taken_by(&table, &get("x/v150/special").header("h", "1")),
        "r200"
    );
}

#[test]
fn an_unknown_socket_has_no_listener() {
    let table = single(vec![route("all", "", vec![path("/")])]);
    let other = ([127, 0, 0, 1], 1).into();
    assert_eq!(table.find(other, &get("x/").view()), Lookup::NoListener);
    assert_eq!(
        Table::default().find(socket(), &get("x/").view()),
        Lookup::NoListener
    );
}

#[test]
fn a_rule_is_numbered_once_by_address_or_by_value() {
    let shared = rule("shared");
    let mut one = route("a", "a.com", vec![path("/")]);
    let mut two = route("b", "b.com", vec![path("/")]);
    one.rule = Arc::clone(&shared);
    two.rule = Arc::clone(&shared);
    let mut equal = route("c", "c.com", vec![path("/")]);
    equal.rule = rule("shared");
    let mut namesake = route("d", "d.com", vec![path("/")]);
    let mut changed = Rule::clone(&shared);
    changed.service = Some(ServiceName {
        namespace: "n".into(),
        name: "s".into(),
    });
    namesake.rule = Arc::new(changed);
    let table = single(vec![one, two, equal, namesake]);
    assert_eq!(table.rules().len(), 2);
    let request = get("c.com/");
    let Lookup::Found { rule, .. } = table.find(socket(), &request.view()) else {
        panic!("c.com is not found");
    };
    assert!(Arc::ptr_eq(table.rule(rule).unwrap(), &shared));
}

#[test]
fn the_spec_is_kept_as_it_was() {
    let spec = TableSpec {
        sockets: table(vec![listener(
            "a.com",
            vec![route("r", "", vec![path("/x")])],
        )])
        .spec()
        .sockets
        .clone(),
        ..TableSpec::default()
    };
    assert_eq!(*Table::compile(spec.clone()).spec(), spec);
}

/// Not a benchmark: were a step quadratic, the test would not end in any patience.
#[test]
fn ten_thousand_hosts_paths_and_slashes_stay_linear() {
    let hosts = (0..10_000).map(|i| {
        route(
            &format!("h{i}"),
            &format!("h{i}.example.com"),
            vec![path("/")],
        )
    });
    let paths =
        (0..10_000).map(|i| route(&format!("p{i}"), "paths", vec![path(&format!("/a/{i}/b"))]));
    let deep = route("deep", "deep", vec![path(&"/x".repeat(4000))]);
    let table = single(hosts.chain(paths).chain([deep]).collect());
    assert_eq!(taken_by(&table, &get("h9999.example.com/")), "h9999");
    assert_eq!(taken_by(&table, &get("paths/a/9999/b/c")), "p9999");
    let many_slashes = format!("paths{}", "/".repeat(8192));
    let many_labels = format!("{}x/", "a.".repeat(4096));
    let many_segments = format!("deep{}", "/x".repeat(5000));
    for _ in 0..1000 {
        assert_eq!(taken_by(&table, &get(&many_slashes)), "404");
        assert_eq!(taken_by(&table, &get(&many_labels)), "404");
    }
    assert_eq!(taken_by(&table, &get(&many_segments)), "deep");
}

fn find_import<'t>(table: &'t Table, import: &BackendName, url: &str) -> Lookup<'t> {
    table.find_import(import, &get(url).view())
}

#[test]
fn an_import_has_rules_of_its_own() {
    let payment = BackendName {
        namespace: "secure".to_owned(),
        service: "payment".to_owned(),
        port: 8080,
    };
    let stats = BackendName {
        service: "stats".to_owned(),
        ..payment.clone()
    };
    let entry = route("import", "", vec![path("/payment")]);
    let table = Table::compile(TableSpec {
        imports: [(payment.clone(), vec![entry])].into(),
        ..TableSpec::default()
    });
    let Lookup::Found { prefix, .. } = find_import(&table, &payment, "any.example/payment/7")
    else {
        panic!("the rule of the import is not found");
    };
    assert_eq!(prefix, Some("/payment"));
    let denied = find_import(&table, &payment, "any.example/stats");
    assert_eq!(denied, Lookup::NoRule);
    let unknown = find_import(&table, &stats, "any.example/stats");
    assert_eq!(unknown, Lookup::NoListener);
    let outside = get("any.example/payment");
    let outside = table.find(socket(), &outside.view());
    assert_eq!(outside, Lookup::NoListener, "nobody outside gets there");
}
