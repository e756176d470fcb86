//! Which `ClusterPeer`s are followed.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::*;

fn created(mut peer: ClusterPeer, seconds: i64) -> Object {
    peer.metadata.creation_timestamp = Some(Time(at(seconds)));
    peer.into()
}

fn reasons(roster: &Roster) -> Vec<(String, String)> {
    let facts = roster.facts().into_iter();
    facts.map(|f| (f.name, f.connected.reason)).collect()
}

fn pair(name: &str, reason: &str) -> (String, String) {
    (name.to_owned(), reason.to_owned())
}

#[test]
fn a_peer_with_our_own_id_is_not_followed() {
    let roster =
        roster(&ClusterSnapshot::new("cluster-2").with([cluster_peer("me", "cluster-2").into()]));
    assert_eq!(roster.followed().count(), 0);
    assert_eq!(reasons(&roster), [pair("me", "OwnCluster")]);
    assert_eq!(roster.problems()[0].field, "spec.clusterId");
    assert_eq!(roster.offers(), []);
}

#[test]
fn of_two_peers_with_one_id_the_older_is_followed() {
    let older = created(cluster_peer("z-older", "cluster-1"), -10);
    let newer = created(cluster_peer("a-newer", "cluster-1"), 0);
    let both = ClusterSnapshot::new("cluster-2").with([older, newer.clone()]);
    let mut roster = roster(&both);
    assert_eq!(roster.followed().count(), 1);
    assert_eq!(
        reasons(&roster),
        [
            pair("a-newer", "DuplicateCluster"),
            pair("z-older", "Pending")
        ]
    );
    peer(&mut roster).observe(&outbox(&["a"]), at(1));
    // The other one takes over, and nothing is lost in between.
    roster.update(&ClusterSnapshot::new("cluster-2").with([newer]), at(2));
    assert_eq!(in_force(&roster), ["a"]);
    assert_eq!(reasons(&roster), [pair("a-newer", "Connected")]);
    roster.update(&both, at(3));
    assert_eq!(in_force(&roster), ["a"]);
}

#[test]
fn an_id_that_is_none_is_not_followed() {
    let roster = roster(&ClusterSnapshot::new("cluster-2").with([cluster_peer("x", "a.b").into()]));
    assert_eq!(reasons(&roster), [pair("x", "InvalidClusterId")]);
}

#[test]
fn a_peer_without_a_kubeconfig_says_so() {
    let mut named = cluster_peer("west", "cluster-1");
    named.spec.kubeconfig_secret_ref = None;
    let mut roster = roster(&ClusterSnapshot::new("cluster-2").with([named.into()]));
    assert_eq!(reasons(&roster), [pair("west", "NoKubeconfig")]);
    assert_eq!(roster.followed().next(), Some(("cluster-1", None)));
    roster.update(&own(), at(1));
    assert_eq!(roster.problems(), []);
}

#[test]
fn the_secret_is_looked_for_in_our_namespace_unless_another_is_named() {
    let mut elsewhere = cluster_peer("east", "cluster-3");
    elsewhere.spec.kubeconfig_secret_ref = Some(SecretRef {
        name: "s".to_owned(),
        namespace: Some("ops".to_owned()),
        key: Some("config".to_owned()),
    });
    let roster = roster(&own().with([elsewhere.into()]));
    let found: Vec<_> = roster.followed().filter_map(|(_, c)| c.cloned()).collect();
    let credentials = |namespace: &str, name: &str, key: &str| Credentials {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        key: key.to_owned(),
    };
    assert_eq!(
        found,
        [
            credentials("mc-wan", "access", "kubeconfig"),
            credentials("ops", "s", "config")
        ]
    );
}

#[test]
fn one_peers_failure_leaves_the_others_alone() {
    let mut roster = roster(&own().with([cluster_peer("east", "cluster-3").into()]));
    roster
        .get_mut("cluster-3")
        .unwrap()
        .lost("Unreachable", "gone", at(1));
    peer(&mut roster).observe(&outbox(&["a"]), at(2));
    assert_eq!(in_force(&roster), ["a"]);
    assert_eq!(
        reasons(&roster),
        [pair("east", "Unreachable"), pair("west", "Connected")]
    );
}

#[test]
fn the_copies_begin_with_their_namespace_and_are_ours() {
    let roster = synced(&["a"]);
    let copies = roster.copies();
    let names: Vec<_> = copies.iter().map(|o| o.reference().to_string()).collect();
    assert_eq!(
        names,
        [
            "Namespace mc-wan-cache",
            "PublishedCluster mc-wan-cache/cluster-1",
            "PublishedService mc-wan-cache/cluster-1.secure.a",
        ]
    );
    assert!(copies.iter().all(|o| crate::render::is_ours(o.meta())));
}
