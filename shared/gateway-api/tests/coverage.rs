//! The generated types know every field of the official definitions, and no other, at every level.

use std::collections::BTreeSet;
use std::path::Path;

use kube::CustomResourceExt;
use mcwan_gateway_api::{
    BUNDLE_VERSION, backendtlspolicies, gatewayclasses, gateways, grpcroutes, httproutes,
    listenersets, referencegrants, tcproutes, tlsroutes, udproutes,
};
use serde_json::Value;

/// The official definition of a kind.
fn official(plural: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../config/crd/gateway-api")
        .join(format!("gateway.networking.k8s.io_{plural}.yaml"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_saphyr::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The schema of version v1 of a definition.
fn schema(definition: &Value) -> &Value {
    let versions = definition["spec"]["versions"].as_array().unwrap();
    let v1 = versions.iter().find(|v| v["name"] == "v1").unwrap();
    &v1["schema"]["openAPIV3Schema"]
}

fn names<'a>(node: &'a Value, key: &str) -> BTreeSet<&'a str> {
    match &node[key] {
        Value::Object(map) => map.keys().map(String::as_str).collect(),
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        _ => BTreeSet::new(),
    }
}

/// Differences between two schemas, as `path: what`; and how many properties were compared.
struct Comparison {
    differences: Vec<String>,
    properties: usize,
}

impl Comparison {
    fn of(official: &Value, derived: &Value) -> Self {
        let mut comparison = Self {
            differences: Vec::new(),
            properties: 0,
        };
        comparison.root(official, derived);
        comparison
    }

    /// `apiVersion`, `kind` and `metadata` belong to every object and are not part of what is derived.
    fn root(&mut self, official: &Value, derived: &Value) {
        for part in ["spec", "status"] {
            match (&official["properties"][part], &derived["properties"][part]) {
                (Value::Null, Value::Null) => {}
                (a, b) => self.node(part, a, b),
            }
        }
        self.compare(
            "required",
            "",
            &names(official, "required"),
            &names(derived, "required"),
        );
    }

    fn node(&mut self, path: &str, official: &Value, derived: &Value) {
        let (theirs, ours) = (names(official, "properties"), names(derived, "properties"));
        self.compare("properties", path, &theirs, &ours);
        self.compare(
            "required",
            path,
            &names(official, "required"),
            &names(derived, "required"),
        );
        self.properties += theirs.len();
        for name in theirs.intersection(&ours) {
            let (a, b) = (
                &official["properties"][*name],
                &derived["properties"][*name],
            );
            self.node(&format!("{path}.{name}"), a, b);
        }
        for inner in ["items", "additionalProperties"] {
            if official[inner].is_object() {
                self.node(&format!("{path}[]"), &official[inner], &derived[inner]);
            }
        }
    }

    fn compare(&mut self, what: &str, path: &str, theirs: &BTreeSet<&str>, ours: &BTreeSet<&str>) {
        if theirs != ours {
            self.differences.push(format!(
                "{path}: {what}: official {theirs:?}, ours {ours:?}"
            ));
        }
    }
}

/// Compares each kind: its module and type, and the plural that names its file.
macro_rules! kinds {
    ($($module:ident::$kind:ident),+ $(,)?) => {
        fn comparisons() -> Vec<(&'static str, Comparison)> {
            vec![ $( {
                let derived = serde_json::to_value($module::$kind::crd()).unwrap();
                let official = official(stringify!($module));
                (stringify!($kind), Comparison::of(schema(&official), schema(&derived)))
            } ),+ ]
        }
    };
}

kinds! {
    backendtlspolicies::BackendTlsPolicy, gatewayclasses::GatewayClass, gateways::Gateway, grpcroutes::GrpcRoute,
    httproutes::HttpRoute, listenersets::ListenerSet, referencegrants::ReferenceGrant, tcproutes::TcpRoute,
    tlsroutes::TlsRoute, udproutes::UdpRoute,
}

#[test]
fn the_types_have_the_fields_of_the_official_definitions() {
    for (kind, comparison) in comparisons() {
        assert_eq!(comparison.differences, Vec::<String>::new(), "{kind}");
        assert!(
            comparison.properties > 3,
            "{kind}: only {} properties were found",
            comparison.properties
        );
    }
}

#[test]
fn the_definitions_are_of_the_release_that_the_crate_names() {
    for plural in ["gateways", "httproutes", "listenersets"] {
        let definition = official(plural);
        let annotations = &definition["metadata"]["annotations"];
        assert_eq!(
            annotations["gateway.networking.k8s.io/bundle-version"],
            BUNDLE_VERSION
        );
        assert_eq!(annotations["gateway.networking.k8s.io/channel"], "standard");
    }
}

#[test]
fn a_missing_field_is_a_difference() {
    let official = official("httproutes");
    let mut changed = official.clone();
    let versions = changed["spec"]["versions"].as_array_mut().unwrap();
    let v1 = versions.iter_mut().find(|v| v["name"] == "v1").unwrap();
    let rule = v1
        .pointer_mut("/schema/openAPIV3Schema/properties/spec/properties/rules/items/properties")
        .unwrap();
    rule.as_object_mut().unwrap().remove("timeouts");
    let found = Comparison::of(schema(&official), schema(&changed)).differences;
    assert_eq!(found.len(), 1);
    assert!(
        found[0].starts_with("spec.rules[]: properties"),
        "{found:?}"
    );
}
