use std::time::Duration;

use super::{Policies, disagreement};
use crate::kinds::wan::PolicyRef;
use crate::offer::{OfferedPolicy, PeerOffer};
use crate::policy::{Accepted, Connections};

fn policy(name: &str, fallback: &[&str]) -> Accepted {
    Accepted {
        name: name.to_owned(),
        port: 31111,
        tunnel: "business".to_owned(),
        dscp: None,
        fallback: fallback.iter().map(|f| (*f).to_owned()).collect(),
        hold_down: Duration::ZERO,
        max_hold_down: Duration::ZERO,
        connections: Connections::default(),
        is_default: false,
    }
}

fn chain(policies: &[Accepted], listed: &[&str]) -> Vec<String> {
    let by_name = policies
        .iter()
        .map(|p| (p.name.clone(), p.clone()))
        .collect();
    let reference = |name: &&str| PolicyRef {
        name: (*name).to_owned(),
        ..PolicyRef::default()
    };
    let listed: Vec<PolicyRef> = listed.iter().map(reference).collect();
    let policies = Policies { by_name };
    policies
        .chain(&listed)
        .iter()
        .map(|p| p.name.clone())
        .collect()
}

#[test]
fn what_the_first_policy_names_goes_before_what_its_fallbacks_name() {
    let policies = [
        policy("a", &["b", "c"]),
        policy("b", &["d"]),
        policy("c", &["e"]),
        policy("d", &[]),
        policy("e", &[]),
    ];
    assert_eq!(chain(&policies, &["a"]), ["a", "b", "c", "d", "e"]);
    assert_eq!(chain(&policies, &["a", "e"]), ["a", "e", "b", "c", "d"]);
}

#[test]
fn only_the_first_policy_has_fallbacks() {
    let policies = [policy("a", &[]), policy("b", &["c"]), policy("c", &[])];
    assert_eq!(chain(&policies, &["a", "b"]), ["a", "b"]);
    assert_eq!(chain(&policies, &["absent", "b"]), ["b"]);
}

#[test]
fn a_cycle_ends() {
    let policies = [policy("a", &["b"]), policy("b", &["a", "b"])];
    assert_eq!(chain(&policies, &["a", "a"]), ["a", "b"]);
}

#[test]
fn references_of_another_kind_do_not_resolve() {
    let policies = Policies {
        by_name: [("a".to_owned(), policy("a", &[]))].into(),
    };
    let reference = |group: Option<&str>, kind: Option<&str>| PolicyRef {
        group: group.map(str::to_owned),
        kind: kind.map(str::to_owned),
        name: "a".to_owned(),
    };
    assert!(policies.resolve(&reference(None, None)).is_some());
    assert!(
        policies
            .resolve(&reference(Some("mc-wan.l7mp.io"), Some("WANPolicy")))
            .is_some()
    );
    assert!(policies.resolve(&reference(Some(""), None)).is_none());
    assert!(
        policies
            .resolve(&reference(None, Some("Service")))
            .is_none()
    );
}

#[test]
fn a_peer_agrees_when_port_and_tunnel_are_alike() {
    let with = |port, tunnel: &str| PeerOffer {
        policies: vec![OfferedPolicy {
            name: "a".to_owned(),
            port,
            tunnel: tunnel.to_owned(),
            ..OfferedPolicy::default()
        }],
        ..PeerOffer::default()
    };
    let agrees = |peer: &PeerOffer| disagreement(&policy("a", &[]), peer).is_none();
    assert!(agrees(&with(31111, "business")));
    assert!(!agrees(&with(31112, "business")));
    assert!(!agrees(&with(31111, "default")));
    assert!(!agrees(&PeerOffer::default()));
}
