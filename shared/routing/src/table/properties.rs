//! The index equals the literal oracle, and the order of the input does not matter. Alphabets are small, so that most
//! requests are taken by several matches.

use std::sync::Arc;

use http::{HeaderValue, Method};
use proptest::prelude::*;
use proptest::sample::select;

use super::fixture::{Request, get, hostname, listener, path, rule, socket};
use super::oracle::{self, Answer};
use super::{Lookup, Table};
use crate::matching::{RequestMatch, RouteOrder};
use crate::rule::{RouteKind, Rule};
use crate::spec::{ListenerSpec, Role, RouteEntry, SocketSpec, TableSpec};

const PATTERNS: [&str; 8] = [
    "", "*.x", "*.a.x", "*.b.a.x", "a.x", "b.a.x", "c.b.a.x", "y",
];
const HOSTS: [&str; 9] = [
    "x",
    "a.x",
    "B.a.X",
    "c.b.a.x",
    "d.c.b.a.x",
    "y",
    "z.y",
    ".a.x",
    "",
];
const PATHS: [&str; 12] = [
    "/", "/a", "/a/", "/a/b", "/a/b/", "/a/b/a", "/ab", "/b", "/b/a", "/a//b", "/a/ab", "*",
];
const REGEXES: [&str; 6] = ["~/a.*", "~/[ab]", "~/a/b|/b", "~.*", "~/.*b", "~/a/?"];

fn matches() -> impl Strategy<Value = RequestMatch> {
    let paths = prop_oneof![
        2 => select(&PATHS[..]).prop_map(|p| path(&format!("={p}"))),
        4 => select(&PATHS[..11]).prop_map(path),
        1 => select(&REGEXES[..]).prop_map(path),
    ];
    let value = || proptest::option::weighted(0.15, select(&["1", "2"][..]));
    let method = proptest::option::weighted(0.3, select(&["GET", "POST"][..]));
    (paths, method, value(), value(), value(), value()).prop_map(|(mut m, method, h, i, q, r)| {
        m.method = method.map(|name| name.parse().unwrap());
        for (name, value) in [("h", h), ("i", i)] {
            m = value.into_iter().fold(m, |m, v| m.header(name, v));
        }
        for (name, value) in [("q", q), ("r", r)] {
            m = value.into_iter().fold(m, |m, v| m.query(name, v));
        }
        m
    })
}

fn routes() -> impl Strategy<Value = RouteEntry> {
    let kind = select(&[RouteKind::HTTPRoute, RouteKind::GRPCRoute][..]);
    let order = (
        0..3_i64,
        select(&["m", "n"][..]),
        select(&["r", "s"][..]),
        kind,
    );
    let matches = proptest::collection::vec(matches(), 1..4);
    (select(&PATTERNS[..]), matches, order).prop_map(
        |(host, matches, (created, namespace, name, kind))| RouteEntry {
            hostname: hostname(host),
            matches,
            order: RouteOrder {
                created,
                namespace: namespace.into(),
                name: name.into(),
                kind: Some(kind),
                rule: 0,
            },
            rule: rule(""),
        },
    )
}

/// Each rule gets its own name and place, so that no two of them tie.
fn numbered(mut listeners: Vec<ListenerSpec>) -> Vec<ListenerSpec> {
    let entries = listeners.iter_mut().flat_map(|l| &mut l.routes);
    for (number, entry) in (0..).zip(entries) {
        entry.order.rule = number;
        entry.rule = rule(&number.to_string());
    }
    listeners
}

fn specs() -> impl Strategy<Value = TableSpec> {
    let listeners = (
        select(&PATTERNS[..]),
        proptest::collection::vec(routes(), 0..48),
    )
        .prop_map(|(host, routes)| listener(host, routes));
    proptest::collection::vec(listeners, 0..5).prop_map(|listeners| TableSpec {
        sockets: vec![SocketSpec {
            socket: socket(),
            port: 80,
            role: Role::Plain,
            wan: None,
            listeners: numbered(listeners),
        }],
        backends: Default::default(),
        imports: Default::default(),
    })
}

fn requests() -> impl Strategy<Value = Request> {
    let value = || proptest::option::of(select(&["1", "2"][..]));
    let query = select(
        &[
            None,
            Some("q=1"),
            Some("r=2&q=2"),
            Some("q=1&q=2&r=1"),
            Some("x"),
        ][..],
    );
    let method = select(vec![Method::GET, Method::POST, Method::HEAD]);
    let parts = (select(&HOSTS[..]), select(&PATHS[..]), query, method);
    (parts, value(), value()).prop_map(|((host, path, query, method), h, i)| {
        let mut request = get("/");
        request.host = host.into();
        request.path = path.into();
        request.query = query.map(str::to_owned);
        request.method = method;
        for (name, value) in [("h", h), ("i", i)] {
            if let Some(value) = value {
                request
                    .headers
                    .append(name, HeaderValue::from_static(value));
            }
        }
        request
    })
}

fn answer<'a>(table: &'a Table, request: &Request) -> Answer<'a> {
    match table.find(socket(), &request.view()) {
        Lookup::Found { rule, prefix } => Answer::Rule(table.rule(rule).unwrap(), prefix),
        Lookup::NoRule => Answer::NoRule,
        Lookup::NoListener => Answer::NoListener,
    }
}

/// Reverses everything whose order may not matter.
fn reversed(mut spec: TableSpec) -> TableSpec {
    for socket in &mut spec.sockets {
        socket.listeners.reverse();
        for listener in &mut socket.listeners {
            listener.routes.reverse();
        }
    }
    spec.sockets.reverse();
    spec
}

/// Rotates listeners and routes, by different amounts.
fn rotated(mut spec: TableSpec, by: usize) -> TableSpec {
    for socket in &mut spec.sockets {
        let length = socket.listeners.len().max(1);
        socket.listeners.rotate_left(by % length);
        for listener in &mut socket.listeners {
            let length = listener.routes.len().max(1);
            listener.routes.rotate_left((by * 7) % length);
        }
    }
    spec
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_index_equals_the_oracle(spec in specs(), requests in proptest::collection::vec(requests(), 24)) {
        let table = Table::compile(spec.clone());
        for request in requests {
            let want = oracle::find(&spec, socket(), &request.view());
            prop_assert_eq!(answer(&table, &request), want, "{:?}", request);
        }
    }

    #[test]
    fn shuffled_input_gives_the_same_answers(
        spec in specs(),
        by in 0..100_usize,
        requests in proptest::collection::vec(requests(), 12),
    ) {
        let table = Table::compile(spec.clone());
        let others = [Table::compile(reversed(spec.clone())), Table::compile(rotated(spec, by))];
        for request in requests {
            for other in &others {
                prop_assert_eq!(answer(&table, &request), answer(other, &request), "{:?}", request);
            }
        }
    }

    #[test]
    fn any_request_is_answered(spec in specs(), host in ".*", path in ".*", query in proptest::option::of(".*")) {
        let mut request = get("/");
        (request.host, request.path, request.query) = (host, path, query);
        let table = Table::compile(spec);
        let _ = answer(&table, &request);
    }
}

/// The generator makes what it should: most requests that reach a listener are taken by more than one match.
#[test]
fn generated_requests_collide() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut taken, mut contested) = (0, 0);
    for _ in 0..200 {
        let spec = specs().new_tree(&mut runner).unwrap().current();
        let request = requests().new_tree(&mut runner).unwrap().current();
        let Answer::Rule(winner, _) = oracle::find(&spec, socket(), &request.view()) else {
            continue;
        };
        taken += 1;
        let without = TableSpec {
            sockets: spec.sockets.iter().map(|s| without(s, winner)).collect(),
            ..spec.clone()
        };
        let next = oracle::find(&without, socket(), &request.view());
        contested += usize::from(matches!(next, Answer::Rule(..)));
    }
    assert!(
        taken > 60 && contested * 2 > taken,
        "{taken} taken, {contested} contested"
    );
}

fn without(socket: &SocketSpec, rule: &Rule) -> SocketSpec {
    let mut socket = socket.clone();
    for listener in &mut socket.listeners {
        listener
            .routes
            .retain(|entry| !std::ptr::eq(Arc::as_ptr(&entry.rule), rule));
    }
    socket
}
