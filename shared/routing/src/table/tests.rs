//! Behaviours of the official conformance tests, named in each test.

use super::fixture::{check, get, listener, path, route, single, table, taken_by};
use crate::spec::{ListenerSpec, RouteEntry};

/// `HTTPRouteExactPathMatching`.
#[test]
fn exact_paths_take_nothing_else() {
    let table = single(vec![
        route("v1", "", vec![path("=/one")]),
        route("v2", "", vec![path("=/two")]),
    ]);
    let none = ["x/", "x/one/example", "x/two/", "x/Two", "x/one%2f"];
    check(&table, &[("x/one", "v1"), ("x/two", "v2")]);
    check(&table, &none.map(|url| (url, "404")));
}

/// `HTTPRoutePathMatchOrder`.
#[test]
fn exact_beats_prefix_and_longer_prefix_beats_shorter() {
    let table = single(vec![
        route("prefix", "", vec![path("/match")]),
        route("exact", "", vec![path("=/match/exact/one")]),
        route("other-exact", "", vec![path("=/match/exact")]),
        route("longer", "", vec![path("/match/prefix/one/")]),
        route("long", "", vec![path("/match/prefix/")]),
        route(
            "regex",
            "",
            vec![path("~/match/exact/.*"), path("~/other/[0-9]+")],
        ),
    ]);
    check(
        &table,
        &[
            ("x/match/exact/one", "exact"),
            ("x/match/exact", "other-exact"),
            ("x/match", "prefix"),
            ("x/match/", "prefix"),
            ("x/match/prefix/one/any", "longer"),
            ("x/match/prefix/one", "longer"),
            ("x/match/prefix/any", "long"),
            ("x/match/prefix", "long"),
            ("x/match/prefixes", "prefix"),
            ("x/match/exact/two", "prefix"),
            ("x/matches", "404"),
            ("x/other/12", "regex"),
            ("x/other/12a", "404"),
        ],
    );
}

/// `HTTPRouteMatching`.
#[test]
fn a_header_decides_between_equal_paths() {
    let table = single(vec![
        route(
            "v1",
            "",
            vec![path("/"), path("/").header("version", "one")],
        ),
        route(
            "v2",
            "",
            vec![path("/v2"), path("/").header("version", "two")],
        ),
    ]);
    check(
        &table,
        &[
            ("x/", "v1"),
            ("x/v2", "v2"),
            ("x/v2/x", "v2"),
            ("x/v2example", "v1"),
        ],
    );
    assert_eq!(taken_by(&table, &get("x/").header("version", "two")), "v2");
    assert_eq!(
        taken_by(&table, &get("x/foo/v2").header("version", "two")),
        "v2"
    );
    assert_eq!(
        taken_by(&table, &get("x/v2").header("version", "one")),
        "v2"
    );
}

/// `HTTPRouteHeaderMatching`.
#[test]
fn header_matches_are_anded_inside_and_ored_between_matches() {
    let table = single(vec![
        route("one", "", vec![path("/").header("version", "one")]),
        route(
            "two",
            "",
            vec![path("/").header("version", "two").header("color", "orange")],
        ),
        route(
            "color",
            "",
            vec![
                path("/").header("color", "blue"),
                path("/").header("color", "green"),
            ],
        ),
    ]);
    let with = |headers: &[(&'static str, &'static str)]| {
        let request = headers
            .iter()
            .fold(get("x/"), |r, (name, value)| r.header(name, value));
        taken_by(&table, &request)
    };
    assert_eq!(with(&[("Version", "one")]), "one");
    assert_eq!(with(&[("version", "two")]), "404");
    assert_eq!(with(&[("version", "two"), ("color", "orange")]), "two");
    assert_eq!(with(&[("color", "blue")]), "color");
    assert_eq!(with(&[("color", "green")]), "color");
    assert_eq!(with(&[("color", "orange")]), "404");
    assert_eq!(with(&[]), "404");
}

/// `HTTPRouteMethodMatching`.
#[test]
fn path_length_beats_method_beats_headers() {
    let table = single(vec![
        route("post", "", vec![path("/").method("POST")]),
        route("get", "", vec![path("/").method("GET")]),
        route(
            "long",
            "",
            vec![path("/path1").method("GET"), path("/path5")],
        ),
        route(
            "header",
            "",
            vec![path("/").method("PUT").header("version", "one")],
        ),
        route(
            "patch",
            "",
            vec![path("/path5").method("PATCH").header("version", "four")],
        ),
        route(
            "any-put",
            "",
            vec![path("/").method("PUT"), path("/").header("version", "five")],
        ),
    ]);
    let send = |method: &str, url: &str, version: &'static str| {
        taken_by(&table, &get(url).method(method).header("version", version))
    };
    assert_eq!(send("POST", "x/", ""), "post");
    assert_eq!(send("GET", "x/", ""), "get");
    assert_eq!(send("HEAD", "x/", ""), "404");
    assert_eq!(send("GET", "x/path1", ""), "long");
    assert_eq!(send("PUT", "x/", "one"), "header");
    assert_eq!(send("PUT", "x/", "two"), "any-put");
    assert_eq!(send("PATCH", "x/path5", "four"), "patch");
    assert_eq!(send("GET", "x/", "five"), "get", "a method beats a header");
    assert_eq!(
        send("PATCH", "x/path5", "five"),
        "long",
        "path length beats a header"
    );
    assert_eq!(send("DELETE", "x/", "five"), "any-put");
}

/// `HTTPRouteQueryParamMatching`.
#[test]
fn query_parameters_come_after_path_and_headers() {
    let table = single(vec![
        route("whale", "", vec![path("/").query("animal", "whale")]),
        route("dolphin", "", vec![path("/").query("animal", "dolphin")]),
        route(
            "blue",
            "",
            vec![path("/").query("animal", "dolphin").query("color", "blue")],
        ),
        route(
            "path",
            "",
            vec![path("/path1").query("animal", "whale"), path("/path3")],
        ),
        route(
            "header",
            "",
            vec![path("/").header("version", "one").query("animal", "whale")],
        ),
    ]);
    check(
        &table,
        &[
            ("x/?animal=whale", "whale"),
            ("x/?animal=dolphin", "dolphin"),
            ("x/?animal=dolphin&color=blue", "blue"),
            ("x/?ANIMAL=whale", "404"),
            ("x/?animal=Whale", "404"),
            ("x/?animal=whale&otherparam=irrelevant", "whale"),
            ("x/?animal=dolphin&color=yellow", "dolphin"),
            ("x/path1?animal=whale", "path"),
            ("x/?color=blue", "404"),
            ("x/", "404"),
            ("x/path3?animal=shark", "path"),
        ],
    );
    assert_eq!(
        taken_by(&table, &get("x/?animal=whale").header("version", "one")),
        "header"
    );
}

/// `HTTPRouteListenerHostnameMatching`.
#[test]
fn the_listener_with_the_most_specific_hostname_serves() {
    let all = || vec![path("/")];
    let table = table(vec![
        listener("bar.com", vec![route("v1", "", all())]),
        listener("foo.bar.com", vec![route("v2", "", all())]),
        listener("*.bar.com", vec![route("v3", "", all())]),
        listener("*.foo.com", vec![route("v3", "", all())]),
    ]);
    check(
        &table,
        &[
            ("bar.com/", "v1"),
            ("foo.bar.com/", "v2"),
            ("FOO.bar.com:80/", "v2"),
            ("baz.bar.com/", "v3"),
            ("boo.bar.com/", "v3"),
            ("multiple.prefixes.bar.com/", "v3"),
            ("multiple.prefixes.foo.com/", "v3"),
            ("foo.com/", "-"),
            ("no.matching.host/", "-"),
        ],
    );
}

/// `HTTPRouteHostnameIntersection`.
#[test]
fn a_request_needs_both_the_listeners_and_a_routes_hostname() {
    let table = table(vec![
        listener(
            "very.specific.com",
            vec![
                route("v1", "very.specific.com", vec![path("/s1")]),
                route("v3", "*.specific.com", vec![path("/s3")]),
            ],
        ),
        listener(
            "*.wildcard.io",
            vec![route("v2", "foo.wildcard.io", vec![path("/s2")])],
        ),
        listener(
            "*.anotherwildcard.io",
            vec![route("v4", "*.anotherwildcard.io", vec![path("/s4")])],
        ),
    ]);
    check(
        &table,
        &[
            ("very.specific.com/s1", "v1"),
            ("very.specific.com:1234/s3", "v3"),
            ("foo.specific.com/s3", "-"),
            ("very.specific.com/non-matching", "404"),
            ("foo.wildcard.io/s2", "v2"),
            ("bar.wildcard.io/s2", "404"),
            ("foo.bar.wildcard.io/s2", "404"),
            ("wildcard.io/s2", "-"),
            ("one.anotherwildcard.io/s4", "v4"),
            ("one.two.three.anotherwildcard.io/s4", "v4"),
            ("anotherwildcard.io/s4", "-"),
        ],
    );
}

/// `GatewayHTTPListenerIsolation`.
#[test]
fn a_less_specific_listener_never_helps_out() {
    let names = [
        "",
        "*.example.com",
        "*.foo.example.com",
        "abc.foo.example.com",
    ];
    let hosts = [
        "bar.com",
        "*.example.com",
        "*.foo.example.com",
        "abc.foo.example.com",
    ];
    let routes = |own: usize| {
        let paths = ["/empty", "/wildcard", "/longer", "/exact"];
        hosts
            .iter()
            .map(|host| route(paths[own], host, vec![path(paths[own])]))
            .collect()
    };
    let listeners: Vec<ListenerSpec> = (0..4).map(|i| listener(names[i], routes(i))).collect();
    let table = table(listeners);
    for (host, own) in [
        ("bar.com", "/empty"),
        ("bar.example.com", "/wildcard"),
        ("bar.foo.example.com", "/longer"),
        ("abc.foo.example.com", "/exact"),
    ] {
        for path in ["/empty", "/wildcard", "/longer", "/exact"] {
            let want = if path == own { path } else { "404" };
            assert_eq!(
                taken_by(&table, &get(&format!("{host}{path}"))),
                want,
                "{host}{path}"
            );
        }
    }
}

/// `HTTPRouteMatchingAcrossRoutes`, and GEP's hostname precedence.
#[test]
fn rules_of_routes_that_share_a_hostname_compete_and_others_fill_in() {
    let table = single(vec![
        route(
            "v1",
            "example.com",
            vec![path("/"), path("/").header("version", "one")],
        ),
        route("v1-net", "example.net", vec![path("/")]),
        route(
            "v2",
            "example.com",
            vec![path("/v2"), path("/").header("version", "two")],
        ),
        route(
            "wild",
            "*.com",
            vec![path("=/only-here"), path("/v2/longer")],
        ),
        route("any", "", vec![path("/fallback")]),
    ]);
    check(
        &table,
        &[
            ("example.com/", "v1"),
            ("example.com/v2", "v2"),
            ("example.net/v2", "v1-net"),
            ("example.com/only-here", "v1"),
            ("example.com/v2/longer", "v2"),
            ("other.com/v2/longer", "wild"),
            ("other.com/fallback", "any"),
            ("other.com/nothing", "404"),
        ],
    );
}

/// `HTTPRouteRuleOrder`, and the tie-breakers before it.
#[test]
fn ties_go_to_the_oldest_route_then_name_then_rule_then_match() {
    let mut entries: Vec<RouteEntry> = Vec::new();
    for (created, namespace, name, rule) in [
        (1, "a", "a", 0),
        (0, "b", "a", 0),
        (0, "a", "b", 0),
        (0, "a", "a", 1),
        (0, "a", "a", 0),
    ] {
        let mut entry = route(
            &format!("{created}{namespace}{name}{rule}"),
            "",
            vec![path("/")],
        );
        entry.order.created = created;
        entry.order.namespace = namespace.into();
        entry.order.name = name.into();
        entry.order.rule = rule;
        entries.push(entry);
    }
    for want in ["0aa0", "0aa1", "0ab0", "0ba0", "1aa0"] {
        assert_eq!(taken_by(&single(entries.clone()), &get("x/")), want);
        entries.retain(|e| e.rule.name.route != want);
    }
}

#[test]
fn a_longer_prefix_whose_conditions_fail_gives_way_to_a_shorter_one() {
    let table = single(vec![
        route("long", "", vec![path("/a/b/c").method("POST")]),
        route("middle", "", vec![path("/a/b").header("h", "1")]),
        route("root", "", vec![path("/").query("q", "1")]),
        route("regex", "", vec![path("~/a/.*")]),
    ]);
    let url = "x/a/b/c/d?q=1";
    assert_eq!(taken_by(&table, &get(url).method("POST")), "long");
    assert_eq!(taken_by(&table, &get(url).header("h", "1")), "middle");
    assert_eq!(taken_by(&table, &get(url)), "root");
    assert_eq!(taken_by(&table, &get("x/a/b/c/d")), "regex");
}
