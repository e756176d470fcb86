use proptest::prelude::*;

use super::*;
use crate::kinds::wan::PolicyRefs;

mod properties;
mod writing;

const POLICY: &str = "apiVersion: mc-wan.l7mp.io/v1alpha1\nkind: WANPolicy\nmetadata: {name: p}\nspec: {tunnel: t, port: 31111}\n";

/// Errors as `document:line field: message`.
fn errors(text: &str) -> Vec<String> {
    shown(&parse(text.as_bytes()).errors)
}

fn shown(errors: &[ManifestError]) -> Vec<String> {
    errors
        .iter()
        .map(|e| format!("{}:{} {}: {}", e.document, e.line, e.field, e.message))
        .collect()
}

/// The one object of a text without mistakes.
fn one(text: &str) -> Object {
    let mut manifest = parse(text.as_bytes());
    assert_eq!(manifest.errors, []);
    assert_eq!(manifest.objects.len(), 1);
    manifest.objects.remove(0).object
}

fn sample(name: &str) -> Vec<u8> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../config/samples")
        .join(name);
    std::fs::read(path).unwrap()
}

#[test]
fn the_seed_export_has_its_rules() {
    let manifest = parse(&sample("serviceexport.yaml"));
    assert_eq!(
        (manifest.errors, manifest.warnings, manifest.skipped),
        (vec![], vec![], 0)
    );
    let Object::ServiceExport(export) = &manifest.objects[0].object else {
        panic!()
    };
    assert_eq!(
        (manifest.objects[0].document, manifest.objects[0].line),
        (1, 2)
    );
    let rules = &export.spec.http.as_ref().unwrap().rules;
    assert!(
        matches!(&rules[0].backend_refs, PolicyRefs::One(r) if r.name == "sd-wan-priority-high")
    );
    assert_eq!(
        rules[1].matches.as_ref().unwrap()[0]
            .path
            .as_ref()
            .unwrap()
            .value
            .as_deref(),
        Some("/stats")
    );
}

#[test]
fn the_seed_policies_are_two_documents() {
    let manifest = parse(&sample("wanpolicy.yaml"));
    assert_eq!((&manifest.errors, &manifest.warnings), (&vec![], &vec![]));
    let places: Vec<_> = manifest
        .objects
        .iter()
        .map(|p| (p.object.reference().name, p.document, p.line))
        .collect();
    assert_eq!(
        places,
        [
            ("sd-wan-priority-high".to_owned(), 1, 2),
            ("sd-wan-priority-low".to_owned(), 2, 10)
        ]
    );
}

#[test]
fn the_seed_sla_is_read() {
    let manifest = parse(&sample("wanpolicy-sla.yaml"));
    assert_eq!((&manifest.errors, &manifest.warnings), (&vec![], &vec![]));
    let Object::WANPolicy(policy) = &manifest.objects[0].object else {
        panic!()
    };
    let sla = policy.spec.sla.as_ref().unwrap();
    assert_eq!(
        (sla.jitter_ms, sla.latency_ms, sla.loss_percent),
        (Some(50), Some(100), Some(1.0))
    );
}

#[test]
fn files_without_content_have_no_objects_and_no_mistakes() {
    for text in [
        "",
        "\n\n",
        "# only a comment\n",
        "---\n",
        "---\n# a\n---\n...\n",
        "\u{feff}",
        "--- # nothing\n",
    ] {
        assert_eq!(parse(text.as_bytes()), Manifest::default(), "{text:?}");
    }
}

#[test]
fn marks_comments_and_line_ends_do_not_matter() {
    let texts = [
        format!("\u{feff}{POLICY}"),
        POLICY.replace('\n', "\r\n"),
        format!("# before\n---\n{POLICY}---\n# after\n"),
        format!("---   # begins\n{POLICY}...\n"),
        format!("%YAML 1.2\n---\n{POLICY}"),
        r#"{"apiVersion":"mc-wan.l7mp.io/v1alpha1","kind":"WANPolicy","metadata":{"name":"p"},"spec":{"tunnel":"t","port":31111}}"#.to_owned(),
    ];
    for text in texts {
        assert_eq!(one(&text), one(POLICY), "{text:?}");
    }
}

#[test]
fn a_marker_inside_of_a_block_text_is_text_when_it_is_indented() {
    let text =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  k: |\n    ---\n    a\n";
    let Object::ConfigMap(map) = one(text) else {
        panic!()
    };
    assert_eq!(map.data.as_ref().unwrap()["k"], "---\na\n");
}

#[test]
fn lists_are_read_item_by_item() {
    let text = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Namespace\n  metadata: {name: a}\n\
                - apiVersion: v1\n  kind: Pod\n  metadata: {name: p}\n- apiVersion: v1\n  kind: Service\n  metadata: {}\n";
    let manifest = parse(text.as_bytes());
    assert_eq!(
        (
            manifest.objects.len(),
            manifest.objects[0].line,
            manifest.skipped
        ),
        (1, 4, 1)
    );
    assert_eq!(
        shown(&manifest.errors),
        ["1:12 items[2].metadata.name: metadata.name is missing; every Service needs a name"]
    );
}

#[test]
fn kinds_that_are_not_read_are_counted() {
    for (api_version, kind) in [
        ("apps/v1", "Deployment"),
        ("networking.istio.io/v1", "Gateway"),
        ("serving.knative.dev/v1", "Service"),
        ("net.gke.io/v1", "ServiceExport"),
        ("gateway.networking.k8s.io/v1alpha1", "XMesh"),
    ] {
        let manifest = parse(format!("apiVersion: {api_version}\nkind: {kind}\n").as_bytes());
        assert_eq!((manifest.skipped, manifest.errors), (1, vec![]), "{kind}");
    }
}

#[test]
fn a_kind_in_the_wrong_group_or_version_is_a_mistake() {
    for (api_version, kind, message) in [
        (
            "multicluster.k8s.io/v1alpha1",
            "ServiceExport",
            "multicluster.k8s.io/v1alpha1 has no kind ServiceExport; write multicluster.x-k8s.io/v1beta1 or mc-wan.l7mp.io/v1alpha1",
        ),
        (
            "v1",
            "WANPolicy",
            "v1 has no kind WANPolicy; write mc-wan.l7mp.io/v1alpha1",
        ),
        (
            "example.org/v1",
            "WANPolicy",
            "example.org/v1 has no kind WANPolicy; write mc-wan.l7mp.io/v1alpha1",
        ),
        (
            "mc-wan.l7mp.io/v1",
            "WANPolicy",
            "version v1 of WANPolicy is not served; write mc-wan.l7mp.io/v1alpha1",
        ),
        (
            "gateway.networking.k8s.io/v1alpha2",
            "TCPRoute",
            "version v1alpha2 of TCPRoute is not served; write gateway.networking.k8s.io/v1",
        ),
        (
            "networking.k8s.io/v1",
            "HTTPRoute",
            "networking.k8s.io/v1 has no kind HTTPRoute; write gateway.networking.k8s.io/v1",
        ),
        (
            "apps/v1",
            "Service",
            "apps/v1 has no kind Service; write v1",
        ),
    ] {
        let text = format!("apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: a}}\n");
        assert_eq!(errors(&text), [format!("1:1 apiVersion: {message}")]);
    }
}

#[test]
fn both_versions_of_the_mcs_and_about_apis_are_read() {
    for version in ["v1alpha1", "v1beta1"] {
        let export = one(&format!(
            "apiVersion: multicluster.x-k8s.io/{version}\nkind: ServiceExport\nmetadata: {{name: a, namespace: b}}\n"
        ));
        assert!(matches!(export, Object::McsServiceExport(_)));
        let property = one(&format!(
            "apiVersion: about.k8s.io/{version}\nkind: ClusterProperty\nmetadata: {{name: clusterset.k8s.io}}\nspec: {{value: x}}\n"
        ));
        assert!(matches!(property, Object::ClusterProperty(_)));
    }
}

#[test]
fn mistakes_have_the_line_and_the_field_of_the_file() {
    let good = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\n";
    for (text, error) in [
        (
            "apiVersion: mc-wan.l7mp.io/v1alpha1\nkind: WANPolicy\nmetadata:\n  name: p\nspec:\n  tunnel: t\n  port: many\n",
            "2:11 spec.port: invalid type: string \"many\", expected i32; correct the value (WANPolicy mc-wan.l7mp.io/v1alpha1)",
        ),
        (
            "apiVersion: mc-wan.l7mp.io/v1alpha1\nkind: WANPolicy\nmetadata:\n  name: p\nspec:\n  tunnel: t\n",
            "2:9 spec: missing field `port`; add it (WANPolicy mc-wan.l7mp.io/v1alpha1)",
        ),
        (
            "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: a\n  annotations:\n    x: true\n",
            "2:10 metadata.annotations.x: invalid type: boolean `true`, expected a string; put the value in quotes (Namespace v1)",
        ),
        (
            "apiVersion: mc-wan.l7mp.io/v1alpha1\nkind: ServiceExport\nmetadata: {name: a}\nspec:\n  http:\n    rules:\n    - backendRefs:\n      - {name: p}\n      - {nam: q}\n",
            "2:13 spec.http.rules[0].backendRefs[1]: missing field `name`; add it (ServiceExport mc-wan.l7mp.io/v1alpha1)",
        ),
        (
            "apiVersion: mc-wan.l7mp.io/v1alpha1\nkind: ServiceExport\nmetadata: {name: a}\nspec:\n  http:\n    rules:\n    - matches:\n      - method: FETCH\n      backendRefs: {name: p}\n",
            "2:12 spec.http.rules[0].matches[0].method: unknown variant `FETCH`, expected one of `GET`, `HEAD`, `POST`, `PUT`, `DELETE`, `CONNECT`, `OPTIONS`, `TRACE`, `PATCH`; choose one of these (ServiceExport mc-wan.l7mp.io/v1alpha1)",
        ),
        (
            "apiVersion: v1\nkind: Service\n",
            "2:5 metadata.name: metadata.name is missing; every Service needs a name",
        ),
        (
            "kind: Service\n",
            "2:5 apiVersion: apiVersion is missing or not a text; every object needs one",
        ),
        (
            "- a\n- b\n",
            "2:5 : not an object; a document begins with apiVersion, kind and metadata",
        ),
        (
            "just words\n",
            "2:5 : not an object; a document begins with apiVersion, kind and metadata",
        ),
        (
            "apiVersion: v1\nkind: Service\nmetadata:\n  name: A_b\n",
            "2:8 metadata.name: \"A_b\" is not a name; use lower-case letters, digits, `-` and `.`, at most 253 characters",
        ),
    ] {
        assert_eq!(errors(&format!("{good}{text}")), [error]);
    }
}

#[test]
fn what_is_no_yaml_is_named_with_its_line() {
    for (text, line, part) in [
        ("a: b\nc: [1, 2\n", 2, "not readable as YAML"),
        ("a: b\n  c: d\n", 2, "not readable as YAML"),
        (
            "apiVersion: v1\nkind: Service\nkind: Pod\n",
            3,
            "keep one of the two",
        ),
        ("a: *nowhere\n", 1, "define the anchor before it is used"),
        ("a: \"open\n", 1, "not readable as YAML"),
    ] {
        let found = parse(format!("{POLICY}---\n{text}").as_bytes());
        assert_eq!(found.objects.len(), 1, "{text}");
        let [error] = &found.errors[..] else {
            panic!("{text}: {found:?}")
        };
        assert_eq!(
            (error.document, error.line),
            (2, 5 + line),
            "{text}: {}",
            error.message
        );
        assert!(error.message.contains(part), "{}", error.message);
        assert!(!error.message.contains(" at line "), "{}", error.message);
    }
}

#[test]
fn bytes_that_are_no_text_are_named_with_their_line() {
    let found = parse(b"a: b\nc: \xff\xfe\n");
    assert_eq!(
        shown(&found.errors),
        ["1:2 : not UTF-8; save the file as UTF-8 without other encodings"]
    );
}

#[test]
fn an_alias_bomb_is_refused() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for i in 1..12 {
        let before = format!("*a{}", i - 1);
        text.push_str(&format!(
            "a{i}: &a{i} [{}]\n",
            [before.as_str(); 10].join(", ")
        ));
    }
    let found = errors(&text);
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("aliases"), "{found:?}");
}

#[test]
fn depth_is_limited() {
    for text in [
        format!("{}1{}", "[".repeat(5000), "]".repeat(5000)),
        "- ".repeat(5000),
        format!("{}x", "a: {".repeat(3000)),
    ] {
        let found = parse(text.as_bytes());
        assert_eq!(found.errors.len(), 1);
    }
}

#[test]
fn unknown_fields_are_warnings_with_their_place() {
    let text = format!(
        "{POLICY}---\napiVersion: v1\nkind: Service\nmetadata: {{name: a}}\nspec:\n  ports:\n  - port: 80\n    prot: TCP\n"
    );
    let found = parse(text.as_bytes());
    assert_eq!((found.objects.len(), &found.errors), (2, &vec![]));
    assert_eq!(
        shown(&found.warnings),
        [
            "2:12 spec.ports[0].prot: unknown field of Service; it does nothing: correct its name, or remove it"
        ]
    );
}

#[test]
fn namespaces_are_those_of_kubectl() {
    let namespace = |text: &str| one(text).meta().namespace.clone();
    assert_eq!(
        namespace("apiVersion: v1\nkind: Service\nmetadata: {name: a}\n").as_deref(),
        Some("default")
    );
    assert_eq!(
        namespace("apiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: b}\n").as_deref(),
        Some("b")
    );
    assert_eq!(
        namespace("apiVersion: v1\nkind: Namespace\nmetadata: {name: a, namespace: b}\n"),
        None
    );
    assert_eq!(namespace(POLICY), None);
}

#[test]
fn words_of_old_yaml_are_texts() {
    for word in ["n", "no", "on", "y", "yes", "off"] {
        let object = one(&format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: a, namespace: {word}}}\n"
        ));
        assert_eq!(object.key().0, word);
    }
    let found = errors("apiVersion: v1\nkind: Service\nmetadata:\n  name: a\n  namespace: 7\n");
    assert_eq!(
        found,
        [
            "1:5 metadata.namespace: invalid type: integer `7`, expected a string; put the value in quotes (Service v1)"
        ]
    );
}

#[test]
fn the_two_gateways_may_leave_out_what_is_rendered() {
    let text = "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: mc-wan-ingress, namespace: mc-wan}\n";
    for text in [
        text.to_owned(),
        format!("{text}spec:\n  addresses: [{{value: 127.0.0.2}}]\n"),
    ] {
        let Object::Gateway(gateway) = one(&text) else {
            panic!()
        };
        assert_eq!(gateway.spec.gateway_class_name, "mc-wan");
        assert_eq!(gateway.spec.listeners, []);
    }
    let other = errors(&text.replace("mc-wan-ingress", "other"));
    assert!(
        other[0].contains("missing field `gatewayClassName`"),
        "{other:?}"
    );
}

#[test]
fn an_export_needs_no_spec() {
    for (group, version) in [
        ("mc-wan.l7mp.io", "v1alpha1"),
        ("multicluster.x-k8s.io", "v1beta1"),
    ] {
        one(&format!(
            "apiVersion: {group}/{version}\nkind: ServiceExport\nmetadata: {{name: a, namespace: b}}\n"
        ));
    }
}
