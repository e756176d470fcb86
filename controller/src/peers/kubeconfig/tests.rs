use std::time::Duration;

use mcwan_k8s::access::{Endpoint, kubeconfig};
use serde_json::{Value, json};

use super::*;

/// As `mcwanctl link` writes it.
fn linked() -> Value {
    let endpoint = Endpoint {
        server: "https://10.77.1.1:6443".to_owned(),
        certificate_authority: None,
        tls_server_name: Some("kubernetes".to_owned()),
        token: "t0ken".to_owned(),
    };
    serde_json::to_value(Kubeconfig::from_yaml(&kubeconfig("cluster-1", &endpoint)).unwrap())
        .unwrap()
}

fn message(change: impl FnOnce(&mut Value)) -> String {
    let mut config = linked();
    change(&mut config);
    match sanitized(config.to_string().as_bytes()) {
        Ok(_) => String::new(),
        Err(refused) => refused.message,
    }
}

#[test]
fn what_a_link_writes_is_taken() {
    assert_eq!(message(|_| ()), "");
    let taken = sanitized(linked().to_string().as_bytes()).unwrap();
    assert_eq!(taken.current_context.as_deref(), Some("cluster-1"));
    assert_eq!(
        (
            taken.clusters.len(),
            taken.auth_infos.len(),
            taken.contexts.len()
        ),
        (1, 1, 1)
    );
}

#[test]
fn whatever_runs_a_program_or_reads_a_file_is_refused() {
    let user = |key: &str, value: Value| message(|config| config["users"][0]["user"][key] = value);
    let exec = json!({"apiVersion": "client.authentication.k8s.io/v1", "command": "/bin/sh", "interactiveMode": "Never"});
    assert!(user("exec", exec).contains("(exec)"));
    assert!(user("auth-provider", json!({"name": "gcp", "config": {}})).contains("auth-provider"));
    assert!(user("tokenFile", json!("/etc/shadow")).contains("(tokenFile)"));
    assert!(user("client-certificate", json!("/etc/shadow")).contains("(client-certificate)"));
    assert!(user("client-key", json!("/etc/shadow")).contains("(client-key)"));
    let authority =
        message(|c| c["clusters"][0]["cluster"]["certificate-authority"] = json!("/ca"));
    assert!(authority.contains("(certificate-authority)"), "{authority}");
}

#[test]
fn a_server_that_is_not_verified_is_refused() {
    let cluster =
        |key: &str, value: Value| message(|config| config["clusters"][0]["cluster"][key] = value);
    assert!(cluster("insecure-skip-tls-verify", json!(true)).contains("insecure-skip-tls-verify"));
    assert_eq!(cluster("insecure-skip-tls-verify", json!(false)), "");
    assert!(cluster("proxy-url", json!("http://10.0.0.9:3128")).contains("proxy-url"));
    for server in [
        "http://10.77.1.1:6443",
        "ftp://10.77.1.1",
        "",
        "http://localhost.example",
        "nonsense url",
    ] {
        assert!(
            cluster("server", json!(server)).contains("not https"),
            "{server}"
        );
    }
    for server in [
        "https://api.example:6443",
        "http://127.0.0.1:8001",
        "http://[::1]:8001",
    ] {
        assert_eq!(cluster("server", json!(server)), "", "{server}");
    }
}

#[test]
fn what_stands_beside_the_current_context_is_left_out() {
    let mut config = linked();
    let users = config["users"].as_array_mut().unwrap();
    users.push(json!({"name": "other", "user": {"exec": {"command": "/bin/sh"}}}));
    let taken = sanitized(config.to_string().as_bytes()).unwrap();
    assert_eq!(taken.auth_infos.len(), 1);
    assert!(
        taken.auth_infos[0]
            .auth_info
            .as_ref()
            .unwrap()
            .exec
            .is_none()
    );
}

#[test]
fn a_kubeconfig_that_is_none_is_refused_and_never_repeated() {
    for text in [
        "",
        "token: s3cret",
        "{",
        "- s3cret",
        "\u{0}s3cret",
        "current-context: s3cret",
    ] {
        let refused = sanitized(text.as_bytes()).unwrap_err();
        assert!(!refused.message.contains("s3cret"), "{}", refused.message);
    }
    assert!(sanitized(&[0xff, 0xfe]).is_err());
    assert!(sanitized(&vec![b'a'; 100_000]).is_err());
    assert!(message(|c| c["current-context"] = json!("other")).contains("no context"));
    assert!(
        message(|c| c["contexts"][0]["context"]["cluster"] = json!("other")).contains("no cluster")
    );
    assert!(message(|c| c["contexts"][0]["context"]["user"] = json!("other")).contains("no user"));
}

#[tokio::test]
async fn certificates_that_cannot_be_read_are_refused() {
    let _again = rustls::crypto::ring::default_provider().install_default();
    let pace = Pace {
        answer: Duration::from_secs(1),
        ..Pace::default()
    };
    let mut config = linked();
    assert!(client(config.to_string().as_bytes(), pace).await.is_ok());
    config["clusters"][0]["cluster"]["certificate-authority-data"] = json!("bm8gY2VydGlmaWNhdGU=");
    let refused = client(config.to_string().as_bytes(), pace)
        .await
        .err()
        .unwrap();
    assert!(
        refused.message.starts_with("the kubeconfig has"),
        "{}",
        refused.message
    );
}
