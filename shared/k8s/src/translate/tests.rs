use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::manifest;

fn gateway(name: &str, port: u16, addresses: &str) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {{ name: {name}, namespace: mc-wan }}\n\
         spec:\n  gatewayClassName: mc-wan\n  {addresses}\n  listeners: [ {{ name: http, port: {port}, protocol: HTTP }} ]\n---\n"
    )
}

fn route(parent: &str) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{ name: r, namespace: mc-wan }}\n\
         spec: {{ parentRefs: [ {{ name: {parent} }} ] }}\n---\n"
    )
}

fn run(text: &str, scope: &Scope) -> Translation {
    let manifest = manifest::parse(text.as_bytes());
    assert!(manifest.errors.is_empty(), "{:?}", manifest.errors);
    let objects = manifest.objects.into_iter().map(|p| p.object);
    translate(&ClusterSnapshot::new("cluster-1").with(objects), scope)
}

fn sockets(translation: &Translation) -> Vec<String> {
    let sockets = translation.table.sockets.iter();
    sockets.map(|s| s.socket.to_string()).collect()
}

fn chosen(name: &str) -> Scope {
    Scope {
        gateways: Some(BTreeSet::from([("mc-wan".to_owned(), name.to_owned())])),
        ..Scope::default()
    }
}

#[test]
fn a_process_serves_the_gateways_it_is_told_to() {
    let text = gateway("a", 8080, "") + &gateway("b", 8081, "");
    assert_eq!(sockets(&run(&text, &Scope::default())).len(), 2);
    assert_eq!(sockets(&run(&text, &chosen("b"))), ["0.0.0.0:8081"]);
}

#[test]
fn a_missing_parent_is_reported_by_who_serves_it() {
    let text = gateway("a", 8080, "") + &route("missing");
    let reasons = |scope: &Scope| -> Vec<String> {
        let problems = run(&text, scope).problems;
        problems.into_iter().map(|p| p.reason).collect()
    };
    assert_eq!(reasons(&Scope::default()), ["NoMatchingParent"]);
    assert_eq!(reasons(&chosen("missing")), ["NoMatchingParent"]);
    assert!(reasons(&chosen("a")).is_empty());
}

#[test]
fn the_default_address_holds_where_a_gateway_names_none() {
    let here = IpAddr::from([10, 1, 2, 3]);
    let scope = |default_address, standalone| Scope {
        default_address,
        standalone,
        ..Scope::default()
    };
    let socket = |name, scope: Scope| sockets(&run(&gateway(name, 8080, ""), &scope)).join(" ");
    let everywhere = Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    assert_eq!(socket("a", scope(Some(here), true)), "10.1.2.3:8080");
    assert_eq!(
        socket("mc-wan-egress", scope(Some(here), true)),
        "10.1.2.3:8080"
    );
    assert_eq!(socket("mc-wan-egress", scope(None, true)), "127.0.0.1:8080");
    assert_eq!(
        socket("mc-wan-egress", scope(everywhere, true)),
        "127.0.0.1:8080"
    );
    assert_eq!(socket("mc-wan-egress", scope(None, false)), "0.0.0.0:8080");
    assert_eq!(socket("mc-wan-ingress", scope(None, true)), "0.0.0.0:8080");
}

#[test]
fn privileged_ports_move_by_the_offset_and_others_stay() {
    let socket = |port, privileged_port_offset| {
        let scope = Scope {
            privileged_port_offset,
            ..Scope::default()
        };
        let translation = run(&gateway("a", port, ""), &scope);
        let ports = translation.table.sockets.iter();
        let ports: Vec<_> = ports.map(|s| (s.port, s.socket.port())).collect();
        (ports, translation.problems.len())
    };
    assert_eq!(socket(80, 10_000), (vec![(80, 10_080)], 0));
    assert_eq!(socket(80, 0), (vec![(80, 80)], 0));
    assert_eq!(socket(1023, 10_000), (vec![(1023, 11_023)], 0));
    assert_eq!(socket(1024, 10_000), (vec![(1024, 1024)], 0));
    assert_eq!(socket(1000, 65_000), (Vec::new(), 1));
}

#[test]
fn rules_are_shared_by_all_hostnames_and_listeners() {
    let text = gateway(
        "a",
        8080,
        "addresses: [ { value: 127.0.0.1 }, { value: 127.0.0.2 } ]",
    ) + &route("a").replace(
        "} ] }",
        "} ], hostnames: [ a.example.com, b.example.com ] }",
    );
    let table = run(&text, &Scope::default()).table;
    let entries = table
        .sockets
        .iter()
        .flat_map(|s| &s.listeners)
        .flat_map(|l| &l.routes);
    let rules: Vec<_> = entries.map(|e| std::sync::Arc::as_ptr(&e.rule)).collect();
    assert_eq!(rules.len(), 4);
    assert!(rules.iter().all(|r| *r == rules[0]));
}

#[test]
fn an_empty_snapshot_gives_an_empty_table() {
    let empty = translate(&ClusterSnapshot::new("cluster-1"), &Scope::default());
    assert_eq!(empty, Translation::default());
}
