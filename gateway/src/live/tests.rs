use std::net::SocketAddr;

use mcwan_routing::hostname::HostPattern;
use mcwan_routing::matching::{PathMatch, RequestMatch, RouteOrder};
use mcwan_routing::rule::{Choice, Filters, Forward, RouteKind, RuleName, Target, Tier, Timeouts};
use mcwan_routing::spec::{
    Backend as BackendSpec, BackendName, BackendProtocol, ListenerSpec, Role, RouteEntry,
    SocketSpec,
};

use super::*;

fn backend(n: u32) -> BackendName {
    BackendName {
        namespace: "shop".to_owned(),
        service: format!("service-{n}"),
        port: 80,
    }
}

fn choice(target: Target) -> Choice {
    Choice {
        weight: 1,
        target,
        filters: Filters::default(),
    }
}

fn rule(n: u32, targets: Vec<Target>) -> Arc<Rule> {
    Arc::new(Rule {
        name: RuleName {
            kind: RouteKind::HTTPRoute,
            namespace: "shop".to_owned(),
            route: format!("route-{n}"),
            index: 0,
            name: None,
        },
        service: None,
        filters: Filters::default(),
        action: Action::Forward(Forward {
            failover: true,
            tiers: vec![Tier {
                policy: None,
                choices: targets.into_iter().map(choice).collect(),
            }],
        }),
        timeouts: Timeouts::default(),
        retry: None,
    })
}

fn any_request() -> RequestMatch {
    RequestMatch {
        path: PathMatch::Prefix("/".to_owned()),
        method: None,
        headers: Vec::new(),
        query: Vec::new(),
    }
}

fn entry(n: u32, targets: Vec<Target>) -> RouteEntry {
    let rule = rule(n, targets);
    RouteEntry {
        hostname: HostPattern::parse(&format!("host-{n}.example")).expect("a hostname"),
        matches: vec![any_request()],
        order: RouteOrder::default(),
        rule,
    }
}

fn spec(rules: u32, endpoint: u16) -> TableSpec {
    let routes = (0..rules)
        .map(|n| {
            entry(
                n,
                vec![
                    Target::Backend(backend(n)),
                    Target::Invalid("gone".to_owned()),
                ],
            )
        })
        .collect();
    let endpoints = vec![SocketAddr::from(([127, 0, 0, 1], endpoint))];
    TableSpec {
        sockets: vec![SocketSpec {
            socket: ([127, 0, 0, 1], 10080).into(),
            port: 80,
            role: Role::Plain,
            wan: None,
            listeners: vec![ListenerSpec {
                name: "a/b/c".to_owned(),
                hostname: HostPattern::Any,
                routes,
            }],
        }],
        backends: (0..rules)
            .map(|n| {
                let spec = BackendSpec {
                    protocol: BackendProtocol::Http1,
                    endpoints: endpoints.clone(),
                    tunnel: None,
                };
                (backend(n), spec)
            })
            .collect(),
        imports: std::collections::BTreeMap::new(),
    }
}

#[test]
fn an_equal_table_is_not_published_again() {
    let live = LiveTable::new(Arc::default());
    let mut changes = live.subscribe();
    assert_eq!(live.load().generation, 0);
    assert_eq!(live.publish(spec(2, 1)), 1);
    assert!(changes.has_changed().unwrap());
    assert_eq!(*changes.borrow_and_update(), 1);
    assert_eq!(live.publish(spec(2, 1)), 1);
    assert!(!changes.has_changed().unwrap());
    assert_eq!(live.publish(spec(2, 2)), 2);
    assert_eq!(*changes.borrow_and_update(), 2);
}

#[test]
fn an_empty_first_table_is_a_publication() {
    let live = LiveTable::new(Arc::default());
    assert_eq!(live.publish(TableSpec::default()), 1);
    assert_eq!(live.publish(TableSpec::default()), 1);
}

#[test]
fn a_request_keeps_the_table_that_it_began_with() {
    let live = LiveTable::new(Arc::default());
    live.publish(spec(1, 1));
    let old = live.load();
    live.publish(spec(1, 2));
    let port = |live: &Live| {
        let linked = live.rule(RuleId(0)).unwrap();
        linked.work.tiers[0][0].as_ref().unwrap().endpoints[0]
            .address
            .port()
    };
    assert_eq!((port(&old), port(&live.load())), (1, 2));
}

#[test]
fn an_invalid_reference_links_to_nothing() {
    let live = LiveTable::new(Arc::default());
    live.publish(spec(1, 1));
    let table = live.load();
    let linked = table.rule(RuleId(0)).unwrap();
    assert!(linked.work.tiers[0][0].is_some());
    assert!(linked.work.tiers[0][1].is_none());
    let candidate = |choice| Candidate { tier: 0, choice };
    assert!(linked.backend(candidate(0)).is_some());
    assert!(linked.backend(candidate(1)).is_none());
    assert!(linked.backend(candidate(9)).is_none());
}

#[test]
fn rules_share_the_state_of_an_endpoint() {
    let live = LiveTable::new(Arc::default());
    live.publish(spec(10_000, 1));
    let table = live.load();
    let id = |n: u32| {
        let linked = table.rule(RuleId(n)).unwrap();
        linked.work.tiers[0][0].as_ref().unwrap().endpoints[0].id
    };
    assert_eq!(table.rules.len(), 10_000);
    assert_eq!(id(0), id(9_999));
}

/// The work of two rules, named differently, of one table.
fn works(change: impl FnOnce(&mut Rule)) -> (Arc<Work>, Arc<Work>) {
    let target = || vec![Target::Backend(backend(0))];
    let mut spec = spec(1, 1);
    let mut second = entry(1, target());
    let other = Arc::make_mut(&mut second.rule);
    change(other);
    spec.sockets[0].listeners[0].routes = vec![entry(0, target()), second];
    let table = LiveTable::new(Arc::new(Registry::default()));
    table.publish(spec);
    let live = table.load();
    let work = |n: usize| Arc::clone(&live.rules[n].work);
    (work(0), work(1))
}

#[test]
fn rules_that_differ_in_name_only_share_what_they_do() {
    let (one, other) = works(|_| {});
    assert!(Arc::ptr_eq(&one, &other));
}

#[test]
fn rules_that_differ_in_a_time_limit_or_a_filter_share_nothing() {
    let (one, other) =
        works(|rule| rule.timeouts.request = Some(std::time::Duration::from_secs(1)));
    assert!(!Arc::ptr_eq(&one, &other));
    let name = http::HeaderName::from_static("x-gone");
    let (one, other) = works(|rule| rule.filters.request_headers.remove.push(name));
    assert!(!Arc::ptr_eq(&one, &other));
    assert_eq!(one.rule.filters, Filters::default());
}
