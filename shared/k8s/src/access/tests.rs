use super::*;
use crate::render;

fn endpoint() -> Endpoint {
    Endpoint {
        server: "https://10.77.1.1:6443".to_owned(),
        certificate_authority: Some(b"-----BEGIN CERTIFICATE-----\n".to_vec()),
        tls_server_name: None,
        token: "t0ken".to_owned(),
    }
}

#[test]
fn readers_may_follow_the_outbox_and_get_one_lease_and_nothing_else() {
    let rules = role().rules.unwrap();
    let written = serde_json::to_value(&rules).unwrap();
    assert_eq!(
        written,
        json!([
            {"apiGroups": ["mc-wan.l7mp.io"], "resources": ["publishedclusters", "publishedservices"], "verbs": ["get", "list", "watch"]},
            {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "resourceNames": ["mcwan-controller"], "verbs": ["get"]},
        ])
    );
}

#[test]
fn each_reader_has_an_account_of_its_own_bound_to_the_one_role() {
    let (one, two) = (granted("cluster-1"), granted("cluster-2"));
    assert_ne!(one.account.metadata.name, two.account.metadata.name);
    assert_eq!(one.role, two.role);
    let subject = &one.binding.subjects.as_ref().unwrap()[0];
    assert_eq!(Some(&subject.name), one.account.metadata.name.as_ref());
    assert_eq!(one.binding.role_ref.name, ROLE);
    let kinds: Vec<_> = one.values().iter().map(|v| v["kind"].clone()).collect();
    assert_eq!(kinds, ["ServiceAccount", "Role", "RoleBinding"]);
}

#[test]
fn a_link_reads_back_as_the_peer_and_its_secret() {
    let followed = followed("cluster-1", &endpoint());
    let manifest = manifest::parse(to_yaml(&followed.values()).as_bytes());
    assert_eq!(manifest.errors, []);
    let read: Vec<_> = manifest.objects.into_iter().map(|p| p.object).collect();
    let expected: [crate::object::Object; 2] = [followed.secret.into(), followed.peer.into()];
    assert_eq!(read, expected);
    let crate::object::Object::ClusterPeer(peer) = &read[1] else {
        panic!("{read:?}")
    };
    let secret = peer.spec.kubeconfig_secret_ref.as_ref().unwrap();
    assert_eq!(Some(&secret.name), read[0].meta().name.as_ref());
}

#[test]
fn the_kubeconfig_has_the_authority_as_base64_and_leaves_out_what_is_not_given() {
    let text = kubeconfig("cluster-1", &endpoint());
    assert!(
        text.contains("certificate-authority-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg=="),
        "{text}"
    );
    assert!(
        text.contains("token: t0ken") && text.contains("current-context: cluster-1"),
        "{text}"
    );
    assert!(!text.contains("tls-server-name"), "{text}");
}

#[test]
fn nothing_of_a_link_looks_rendered() {
    let (granted, followed) = (granted("cluster-2"), followed("cluster-1", &endpoint()));
    let all = granted.values().into_iter().chain(followed.values());
    for value in all {
        let meta = serde_json::from_value(value["metadata"].clone()).unwrap();
        assert!(!render::is_ours(&meta), "{value}");
    }
}
