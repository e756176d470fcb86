use std::collections::BTreeSet;

use super::{Named, sections, stems};
use crate::names::is_label;

fn named<'n>(name: &'n str, endings: &[&str]) -> Named<'n> {
    Named {
        identity: format!("identity of {name}"),
        name,
        endings: endings.iter().map(|e| (*e).to_owned()).collect(),
    }
}

#[test]
fn endings_go_to_the_name_itself_where_nothing_else_is_called_so() {
    let things = [named("pay", &["-p81"]), named("shop", &[])];
    assert_eq!(stems(&things), ["pay", "shop"]);
}

#[test]
fn a_name_with_an_ending_is_never_the_name_of_something_else() {
    let things = [
        named("pay", &["-p81", "-p82"]),
        named("pay-p81", &["-p82"]),
        named("pay-p81-p82", &[]),
    ];
    let stems = stems(&things);
    let mut all: Vec<String> = things.iter().map(|t| t.name.to_owned()).collect();
    for (thing, stem) in things.iter().zip(&stems) {
        assert!(stem.starts_with(thing.name));
        all.extend(thing.endings.iter().map(|e| format!("{stem}{e}")));
    }
    let distinct: BTreeSet<&String> = all.iter().collect();
    assert_eq!(distinct.len(), all.len(), "{all:?}");
}

#[test]
fn policies_get_labels_that_differ() {
    let long = "p".repeat(200);
    let longer = format!("{long}.p");
    let policies = ["a-b", "a.b", long.as_str(), longer.as_str()];
    let sections = sections(policies.into_iter());
    let distinct: BTreeSet<&String> = sections.values().collect();
    assert_eq!(distinct.len(), 4);
    assert!(distinct.iter().all(|s| is_label(s)), "{sections:?}");
    assert_eq!(sections["a-b"], "a-b");
}
