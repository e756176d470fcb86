use std::collections::{BTreeMap, BTreeSet};

use super::{PortKey, RANGE, allocate};

fn keys(count: u32) -> BTreeSet<PortKey> {
    (0..count)
        .map(|i| ("ns".to_owned(), format!("s{i}"), 80))
        .collect()
}

#[test]
fn ports_are_in_range_and_distinct() {
    let given = allocate(&keys(3000), &BTreeMap::new(), &BTreeSet::new());
    let distinct: BTreeSet<_> = given.values().collect();
    assert_eq!(distinct.len(), 3000);
    assert!(given.values().all(|p| RANGE.contains(p)));
}

#[test]
fn every_port_of_the_range_is_given_before_one_is_refused() {
    let wanted = keys(10_001);
    let given = allocate(&wanted, &BTreeMap::new(), &BTreeSet::new());
    assert_eq!(given.len(), 10_000);
    let refused: Vec<_> = wanted.iter().filter(|k| !given.contains_key(*k)).collect();
    assert_eq!(refused, [wanted.last().unwrap()]);
}

#[test]
fn what_was_given_stays_whoever_comes() {
    let before = allocate(&keys(100), &BTreeMap::new(), &BTreeSet::new());
    let mut wanted = keys(5000);
    wanted.extend((0..1000).map(|i| ("earlier".to_owned(), format!("s{i}"), 80)));
    let after = allocate(&wanted, &before, &BTreeSet::new());
    assert!(before.iter().all(|(k, p)| after[k] == *p));
    let distinct: BTreeSet<_> = after.values().collect();
    assert_eq!(distinct.len(), after.len());
}

#[test]
fn two_that_claim_to_have_had_one_port_get_two() {
    let wanted = keys(2);
    let kept = wanted.iter().map(|k| (k.clone(), 20_500)).collect();
    let given = allocate(&wanted, &kept, &BTreeSet::new());
    assert_eq!(given[wanted.first().unwrap()], 20_500);
    assert_ne!(given[wanted.last().unwrap()], 20_500);
}

#[test]
fn ports_in_use_are_not_given() {
    let avoid: BTreeSet<u16> = RANGE.filter(|p| *p != 23_456).collect();
    let given = allocate(&keys(1), &BTreeMap::new(), &avoid);
    assert_eq!(given.values().copied().collect::<Vec<_>>(), [23_456]);
}
