//! What takes a service away, and what does not.

use super::*;

#[test]
fn losing_the_api_server_changes_nothing() {
    let mut roster = synced(&["a", "b"]);
    let before = roster.offers();
    for hours in 0..48 {
        peer(&mut roster).lost("Unreachable", "connection refused", at(3600 * hours));
    }
    assert_eq!(roster.offers(), before);
    assert_eq!(
        conditions(&roster),
        (Answer::False, Answer::False, "NotConnected".to_owned())
    );
    assert_eq!(roster.facts()[0].connected.reason, "Unreachable");
    renewed(peer(&mut roster), 200_000);
    renewed(peer(&mut roster), 200_010);
    assert_eq!(
        conditions(&roster),
        (Answer::True, Answer::True, "Synced".to_owned())
    );
}

#[test]
fn an_empty_list_from_a_peer_that_is_not_synced_withdraws_nothing() {
    let not_synced = |change: fn(&mut Outbox)| {
        let mut roster = synced(&["a", "b"]);
        let mut empty = outbox(&[]);
        change(&mut empty);
        peer(&mut roster).observe(&empty, at(11));
        assert_eq!(in_force(&roster), ["a", "b"]);
        conditions(&roster).2
    };
    assert_eq!(not_synced(|o| o.clusters.clear()), "NoPublishedCluster");
    assert_eq!(
        not_synced(|o| o.clusters = outbox(&["a", "b"]).clusters),
        "Incomplete"
    );
    let says_not_synced = |o: &mut Outbox| {
        let cluster = Arc::make_mut(o.clusters.get_mut("cluster-1").unwrap());
        cluster.spec.synced = false;
    };
    assert_eq!(not_synced(says_not_synced), "PeerNotSynced");
}

#[test]
fn an_empty_list_withdraws_nothing_while_nobody_renews_the_lease() {
    let mut roster = synced(&["a"]);
    peer(&mut roster).observe(&outbox(&[]), at(300));
    assert_eq!(
        (in_force(&roster).len(), conditions(&roster).2.as_str()),
        (1, "LeaseExpired")
    );
    // The same old renewal, seen once more, says nothing.
    let same = Timestamp::from_second(1_000_000_010).unwrap();
    peer(&mut roster).lease(Some((same, Duration::from_secs(15))), at(300));
    peer(&mut roster).lease(None, at(301));
    assert_eq!(in_force(&roster), ["a"]);
    renewed(peer(&mut roster), 310);
    assert_eq!(in_force(&roster), ["a"]);
    renewed(peer(&mut roster), 320);
    assert_eq!(
        in_force(&roster),
        Vec::<String>::new(),
        "it is alive, and means it"
    );
}

#[test]
fn a_complete_list_withdraws_what_it_lacks() {
    let mut roster = synced(&["a", "b"]);
    peer(&mut roster).observe(&outbox(&["b"]), at(11));
    assert_eq!(in_force(&roster), ["b"]);
    assert_eq!(roster.facts()[0].last_sync, Some(at(11)));
    peer(&mut roster).observe(&outbox(&[]), at(12));
    assert_eq!(in_force(&roster), Vec::<String>::new());
}

#[test]
fn a_list_that_lacks_something_withdraws_nothing_until_the_peer_says_so() {
    let mut roster = synced(&["a", "b", "c"]);
    let short = without(&outbox(&["a", "b", "c"]), &["a"]);
    peer(&mut roster).observe(&short, at(11));
    assert_eq!(
        (in_force(&roster).len(), conditions(&roster).2.as_str()),
        (3, "Incomplete")
    );
    peer(&mut roster).observe(&outbox(&["b", "c"]), at(12));
    assert_eq!(in_force(&roster), ["b", "c"]);
}

#[test]
fn an_observed_delete_withdraws_without_waiting_for_the_lease() {
    let mut roster = synced(&["a", "b"]);
    // First the deletion, then the number: as the watches of the two kinds may bring it.
    let gone = deleted(&without(&outbox(&["a", "b"]), &["a"]), &["a"]);
    peer(&mut roster).observe(&gone, at(500));
    assert_eq!(in_force(&roster), ["a", "b"]);
    peer(&mut roster).observe(&deleted(&outbox(&["b"]), &["a"]), at(500));
    assert_eq!(
        in_force(&roster),
        ["b"],
        "though the lease was not seen to be renewed for long"
    );
}

#[test]
fn an_outbox_that_is_wiped_takes_nothing_along() {
    let mut roster = synced(&["a", "b"]);
    let services_first = deleted(&without(&outbox(&["a", "b"]), &["a", "b"]), &["a", "b"]);
    peer(&mut roster).observe(&services_first, at(11));
    assert_eq!(
        in_force(&roster),
        ["a", "b"],
        "a definition was deleted: nobody lowered the number"
    );
    let mut all = services_first;
    all.clusters.clear();
    peer(&mut roster).observe(&all, at(12));
    assert_eq!(
        in_force(&roster),
        ["a", "b"],
        "the whole namespace was deleted"
    );
    assert_eq!(conditions(&roster).2, "NoPublishedCluster");
    assert_eq!(roster.offers(), [offer(&["a", "b"])], "gateways too");
    peer(&mut roster).observe(&outbox(&["a", "b"]), at(13));
    assert_eq!(conditions(&roster).1, Answer::True);
}

#[test]
fn a_service_that_comes_back_was_never_away() {
    let mut roster = synced(&["a", "b"]);
    let gone = deleted(&without(&outbox(&["a", "b"]), &["a"]), &["a"]);
    peer(&mut roster).observe(&gone, at(11));
    peer(&mut roster).observe(&outbox(&["a", "b"]), at(12));
    peer(&mut roster).observe(&outbox(&["b", "c"]), at(100));
    assert_eq!(
        in_force(&roster),
        ["a", "b", "c"],
        "the earlier deletion does not count any more"
    );
}

#[test]
fn an_outbox_of_another_cluster_changes_nothing() {
    let mut roster = synced(&["a"]);
    let mut other = Outbox::default();
    let theirs = PeerOffer {
        cluster: "cluster-3".to_owned(),
        ..offer(&["z"])
    };
    for object in publish(&theirs, None) {
        match object {
            Object::PublishedCluster(o) => drop(other.clusters.insert("cluster-3".to_owned(), o)),
            Object::PublishedService(o) => drop(other.services.insert("secure.z".to_owned(), o)),
            object => panic!("{object:?}"),
        }
    }
    peer(&mut roster).observe(&other, at(11));
    assert_eq!(roster.offers(), [offer(&["a"])]);
    assert_eq!(
        conditions(&roster),
        (Answer::True, Answer::False, "ClusterIdMismatch".to_owned())
    );
    let reasons: Vec<_> = roster.problems().into_iter().map(|p| p.reason).collect();
    assert_eq!(reasons, ["ClusterIdMismatch", "ClusterIdMismatch"]);
}

#[test]
fn removal_of_the_cluster_peer_withdraws_all_of_it() {
    let mut roster = synced(&["a", "b"]);
    assert!(!roster.copies().is_empty());
    roster.update(&ClusterSnapshot::new("cluster-2"), at(20));
    assert_eq!((roster.offers(), roster.copies()), (Vec::new(), Vec::new()));
    assert_eq!(roster.facts(), []);
}

#[test]
fn a_cold_start_with_a_dead_peer_uses_the_copies() {
    let before = synced(&["a", "b"]);
    let kept = own().with(before.copies());
    let mut after = roster(&kept);
    assert_eq!(after.offers(), before.offers());
    assert_eq!(after.copies(), before.copies(), "and so keeps them");
    let facts = &after.facts()[0];
    assert_eq!(
        (facts.synced.answer, facts.services),
        (Answer::Unknown, Some(2))
    );
    for seconds in 1..100 {
        peer(&mut after).lost("Unreachable", "no route to host", at(seconds));
    }
    assert_eq!(after.offers(), before.offers());
}

#[test]
fn nothing_is_pruned_before_the_first_complete_list() {
    let kept = own().with(synced(&["a", "b"]).copies());
    let mut after = roster(&kept);
    renewed(peer(&mut after), 1);
    renewed(peer(&mut after), 4);
    assert_eq!(
        in_force(&after),
        ["a", "b"],
        "the lease alone says nothing about services"
    );
    let short = without(&outbox(&["a", "b"]), &["b"]);
    peer(&mut after).observe(&short, at(5));
    assert_eq!(in_force(&after), ["a", "b"]);
    peer(&mut after).observe(&outbox(&["b"]), at(6));
    assert_eq!(in_force(&after), ["b"]);
}

#[test]
fn copies_of_a_cluster_are_not_those_of_one_whose_name_begins_alike() {
    let mut one = synced(&["a"]).copies();
    let mut eleven = offer(&["z"]);
    "cluster-1.x".clone_into(&mut eleven.cluster);
    "cluster-1-1".clone_into(&mut eleven.cluster);
    one.extend(copies(&[eleven]));
    assert_eq!(in_force(&roster(&own().with(one))), ["a"]);
}

#[test]
fn copies_that_somebody_edited_are_checked_too() {
    let mut edited = synced(&["a", "b"]).copies();
    for object in &mut edited {
        if let Object::PublishedService(service) = object
            && service.spec.service.name == "a"
        {
            "kube-system".clone_into(&mut Arc::make_mut(service).spec.service.namespace);
        }
    }
    assert_eq!(in_force(&roster(&own().with(edited))), ["b"]);
}

#[test]
fn credentials_that_are_bad_change_nothing() {
    let mut roster = synced(&["a"]);
    peer(&mut roster).unusable(
        "InvalidKubeconfig",
        "it runs a program",
        "use a token",
        at(11),
    );
    assert_eq!(in_force(&roster), ["a"]);
    let shown: Vec<_> = roster.problems().iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "ClusterPeer west spec.kubeconfigSecretRef: InvalidKubeconfig: it runs a program; use a token"
        ]
    );
    assert_eq!(roster.facts()[0].connected.reason, "InvalidKubeconfig");
    peer(&mut roster).usable();
    renewed(peer(&mut roster), 12);
    assert_eq!(
        (roster.problems().len(), conditions(&roster).0),
        (0, Answer::True)
    );
}
