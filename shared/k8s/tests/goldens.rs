//! Golden files: `goldens/<what>/<case>.in.yaml` goes in, `<case>.out.yaml` must come out.
//!
//! `UPDATE=1 cargo test -p mcwan-k8s --test goldens` writes the outputs anew; review the difference before committing it.
//! The format of a case is described in `goldens/case.rs`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "goldens/case.rs"]
mod case;
#[path = "goldens/compare.rs"]
mod compare;

use case::Case;
use mcwan_k8s::render::render;
use mcwan_k8s::translate::{Scope, translate};

/// What `render` makes of a case: the objects as YAML documents, then the problems.
fn rendered(case: &Case) -> String {
    let (objects, problems) = render(&case.cluster, &case.offers);
    let mut out = String::new();
    for object in &objects {
        out.push_str(&compare::yaml(object));
        out.push_str("---\n");
    }
    out + &compare::problems(&problems)
}

#[test]
fn every_render_case_renders_as_its_golden_file_says() {
    compare::directory("render", 35, rendered);
}

/// What `translate` makes of a case in standalone mode: the table, then the problems. What the peers offer plays no part.
fn translated(case: &Case) -> String {
    let scope = Scope {
        privileged_port_offset: 10_000,
        standalone: true,
        ..Scope::default()
    };
    let translation = translate(&case.cluster, &scope);
    compare::yaml(&translation.table) + "---\n" + &compare::problems(&translation.problems)
}

/// What `render` and then `translate` make of a consumer's own routes: the table, then the problems of `translate`.
fn consumed(case: &Case) -> String {
    let (objects, _) = render(&case.cluster, &case.offers);
    let cluster = case.cluster.clone().with(objects);
    translated(&Case {
        cluster,
        offers: Vec::new(),
    })
}

#[test]
fn every_consumer_case_translates_as_its_golden_file_says() {
    compare::directory("consumer", 6, consumed);
}

#[test]
fn every_translate_case_translates_as_its_golden_file_says() {
    compare::directory("translate", 60, translated);
}
