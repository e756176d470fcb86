//! What is written is what `kubectl apply` takes, and what is read back.

use super::*;

fn objects(text: &[u8]) -> Vec<Object> {
    let manifest = parse(text);
    assert_eq!(manifest.errors, []);
    manifest.objects.into_iter().map(|p| p.object).collect()
}

#[test]
fn names_come_first_and_nothing_empty_is_written() {
    let text = "kind: Service\nmetadata: {labels: {b: '1', a: 'true'}, namespace: ns, name: s, creationTimestamp: null}\n\
                spec: {ports: [{port: 80, name: http, targetPort: web}]}\napiVersion: v1\nstatus: {loadBalancer: {}}\n";
    assert_eq!(
        to_yaml(&objects(text.as_bytes())),
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: s\n  namespace: ns\n  labels:\n    a: \"true\"\n    b: \"1\"\nspec:\n  \
         ports:\n  - name: http\n    port: 80\n    targetPort: web\n"
    );
}

#[test]
fn a_status_that_says_something_is_written() {
    let text = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\nstatus: {phase: Active}\n";
    assert!(to_yaml(&objects(text.as_bytes())).ends_with("status:\n  phase: Active\n"));
}

#[test]
fn samples_are_read_back_as_they_were() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/samples");
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|e| e != "yaml") {
            continue;
        }
        let before = objects(&std::fs::read(path).unwrap());
        let text = to_yaml(&before);
        assert_eq!(objects(text.as_bytes()), before, "{text}");
    }
}

/// kubectl reads YAML 1.1, where these are no texts unless they are in quotes.
#[test]
fn words_that_kubectl_takes_for_something_else_are_quoted() {
    let words = [
        "y",
        "N",
        "yes",
        "No",
        "on",
        "OFF",
        "true",
        "null",
        "~",
        "",
        "1",
        "0x1f",
        "0o7",
        "0755",
        "1_000",
        "1:20",
        "1e3",
        ".5",
        ".inf",
        ".NaN",
        "2001-01-01",
        "=",
        "<<",
        "---",
        "a: b",
        "a #b",
        "@a",
        "`a",
        "*a",
        "&a",
        "!a",
        "%a",
        "- a",
        "? a",
        "[a",
        "{a",
        "a\n",
        " a",
    ];
    for word in words {
        let text = to_yaml(&[config_map(word.to_owned())]);
        assert!(
            text.contains("key: \"") || text.contains("key: '") || text.contains("key: |"),
            "{text}"
        );
    }
}

fn config_map(value: String) -> Object {
    let map = k8s_openapi::api::core::v1::ConfigMap {
        metadata: kube::core::ObjectMeta {
            name: Some("c".to_owned()),
            namespace: Some("n".to_owned()),
            ..Default::default()
        },
        data: Some([("key".to_owned(), value)].into()),
        ..Default::default()
    };
    map.into()
}

proptest! {
    /// Texts that look like numbers, booleans, nulls, markers or dates must come back as texts.
    #[test]
    fn any_text_value_is_read_back(value in prop_oneof!["\\PC{0,30}", "[-0-9.eE_+x:]{1,8}", "(?i)(true|no|null|~|---|on|y)", "[ \\n\\t#:|>&*!%@`'\"]{0,6}"]) {
        let before = [config_map(value)];
        let text = to_yaml(&before);
        prop_assert_eq!(&objects(text.as_bytes())[..], &before[..], "{}", text);
    }
}
