use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[test]
fn labels_are_what_rfc_1123_says() {
    for (text, label) in [
        ("a", true),
        ("cluster-1", true),
        ("1a", true),
        ("", false),
        ("-a", false),
        ("a-", false),
        ("A", false),
        ("a.b", false),
        ("a_b", false),
        ("ä", false),
    ] {
        assert_eq!(is_label(text), label, "{text}");
    }
    assert!(is_label(&"a".repeat(63)));
    assert!(!is_label(&"a".repeat(64)));
}

#[test]
fn subdomains_are_labels_with_dots_between_them() {
    for (text, subdomain) in [
        ("a", true),
        ("cluster.clusterset.k8s.io", true),
        ("a..b", false),
        (".a", false),
        ("a.", false),
        ("a.-b", false),
        ("", false),
    ] {
        assert_eq!(is_subdomain(text), subdomain, "{text}");
    }
    assert!(!is_subdomain(&"a".repeat(254)));
}

#[test]
fn names_of_the_design_are_as_written_there() {
    assert_eq!(target_name("cluster-1"), "mc-wan-cluster-1-target");
    assert_eq!(service_object_name("payment", "secure"), "payment-secure");
    assert_eq!(
        clusterset_host("secure", "payment"),
        "payment.secure.svc.clusterset.local"
    );
    assert_eq!(
        wan_host("secure", "payment", 8080),
        "p8080.payment.secure.svc.clusterset.local"
    );
}

/// The vectors of RFC 4648 §10 without padding, in lower case.
#[test]
fn base32hex_is_that_of_rfc_4648() {
    for (bytes, text) in [
        ("", ""),
        ("f", "co"),
        ("fo", "cpng"),
        ("foo", "cpnmu"),
        ("foob", "cpnmuog"),
        ("fooba", "cpnmuoj1"),
        ("foobar", "cpnmuoj1e8"),
    ] {
        assert_eq!(base32hex(bytes.as_bytes()), text);
    }
}

/// Computed independently: `printf secure/payment | sha256sum`, the digest through base32hex.
#[test]
fn a_derived_service_is_named_as_the_reference_controllers_name_it() {
    assert_eq!(derived_name("secure", "payment"), "derived-uh72u8h5s9");
}

#[test]
fn long_names_are_cut_and_told_apart() {
    let (a, b) = ("a".repeat(70), "a".repeat(71));
    assert_eq!(short(&a).len(), 63);
    assert_ne!(short(&a), short(&b));
    assert_eq!(short(&"a".repeat(63)), "a".repeat(63));
}

#[test]
fn the_oldest_of_two_that_concatenate_alike_keeps_the_plain_name() {
    let key = |ns: &str, name: &str| (ns.to_owned(), name.to_owned());
    let assigned = assign([("c", "a-b", 20), ("b-c", "a", 10)]);
    assert_eq!(assigned.names[&key("b-c", "a")], "a-b-c");
    let other = &assigned.names[&key("c", "a-b")];
    assert!(
        other.starts_with("a-b-c-") && other.len() == "a-b-c-".len() + 8,
        "{other}"
    );
    assert_eq!(assigned.renamed[&key("c", "a-b")], key("b-c", "a"));
    assert_eq!(assigned.renamed.len(), 1);
}

#[test]
fn namespace_and_name_decide_between_exports_of_one_second() {
    let assigned = assign([("c", "a-b", 5), ("b-c", "a", 5)]);
    assert_eq!(assigned.names[&("b-c".to_owned(), "a".to_owned())], "a-b-c");
}

#[test]
fn a_service_of_several_clusters_counts_with_its_oldest_export() {
    let assigned = assign([("b-c", "a", 10), ("c", "a-b", 20), ("c", "a-b", 1)]);
    assert_eq!(assigned.names[&("c".to_owned(), "a-b".to_owned())], "a-b-c");
    assert_eq!(assigned.names.len(), 2);
}

#[test]
fn a_service_that_is_named_like_anothers_hash_is_renamed_in_its_turn() {
    let first = assign([("c", "a-b", 2), ("b-c", "a", 1)]);
    let hashed = first.names[&("c".to_owned(), "a-b".to_owned())].clone();
    let (service, namespace) = hashed.rsplit_once('-').unwrap();
    let all = assign([("c", "a-b", 2), ("b-c", "a", 1), (namespace, service, 3)]);
    let distinct: BTreeSet<_> = all.names.values().collect();
    assert_eq!(distinct.len(), 3);
    assert_eq!(all.renamed.len(), 2);
}

/// Labels that collide often, and some that are long.
fn label() -> impl Strategy<Value = String> {
    prop_oneof!["[ab](-[ab]){0,3}", "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"]
}

proptest! {
    #[test]
    fn no_two_services_share_a_name(services in prop::collection::vec((label(), label(), 0_i64..3), 0..20)) {
        let assigned = assign(services.iter().map(|(ns, name, t)| (ns.as_str(), name.as_str(), *t)));
        let distinct: BTreeSet<_> = assigned.names.values().collect();
        prop_assert_eq!(distinct.len(), assigned.names.len());
        for name in assigned.names.values() {
            prop_assert!(is_label(name), "{}", name);
        }
    }

    #[test]
    fn the_order_of_services_does_not_matter(services in prop::collection::vec((label(), label(), 0_i64..3), 0..10)) {
        let of = |s: &[(String, String, i64)]| assign(s.iter().map(|(ns, name, t)| (ns.as_str(), name.as_str(), *t)));
        let mut backwards = services.clone();
        backwards.reverse();
        prop_assert_eq!(of(&services), of(&backwards));
    }

    #[test]
    fn object_names_are_labels(a in label(), b in label()) {
        prop_assert!(is_label(&target_name(&a)));
        prop_assert!(is_label(&service_object_name(&a, &b)));
        prop_assert!(is_label(&derived_name(&a, &b)));
    }
}
