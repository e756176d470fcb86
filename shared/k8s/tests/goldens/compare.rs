//! Runs the cases of a directory and compares what comes out with the golden files.

use std::fmt::Write as _;

use mcwan_k8s::problem::Problem;
use serde::Serialize;

use crate::case::{self, Case, file, files};

/// Runs every case of `goldens/<what>` and fails with a readable difference.
///
/// `at_least` is how many cases there must be: a directory that was not found must not pass.
pub(crate) fn directory(what: &str, at_least: usize, run: impl Fn(&Case) -> String) {
    let update = std::env::var_os("UPDATE").is_some_and(|v| v == "1");
    let cases = files(what, ".in.yaml");
    let mut failures = String::new();
    for name in &cases {
        let output = run(&case::read(&file(what, name, ".in.yaml")));
        let golden = file(what, name, ".out.yaml");
        if update {
            std::fs::write(&golden, &output)
                .unwrap_or_else(|e| panic!("{}: {e}", golden.display()));
        } else {
            let want = std::fs::read_to_string(&golden).unwrap_or_default();
            if want != output {
                let _ = writeln!(failures, "{what}/{name}:\n{}", difference(&want, &output));
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{failures}UPDATE=1 writes the golden files anew"
    );
    assert!(
        cases.len() >= at_least,
        "goldens/{what} has {} cases, expected at least {at_least}",
        cases.len()
    );
    let orphans: Vec<_> = files(what, ".out.yaml")
        .difference(&cases)
        .cloned()
        .collect();
    assert!(
        orphans.is_empty(),
        "golden files without a case in goldens/{what}: {orphans:?}"
    );
}

/// A value as block-style YAML, with a line break at the end.
pub(crate) fn yaml(value: &impl Serialize) -> String {
    let text = serde_saphyr::to_string(value).unwrap();
    text.trim_end().to_owned() + "\n"
}

/// The problems as one YAML document.
pub(crate) fn problems(problems: &[Problem]) -> String {
    #[derive(Serialize)]
    struct Document<'a> {
        problems: &'a [Problem],
    }
    yaml(&Document { problems })
}

/// The first place where two texts differ, with some lines around it.
fn difference(want: &str, got: &str) -> String {
    let (want, got): (Vec<_>, Vec<_>) = (want.lines().collect(), got.lines().collect());
    let first = want
        .iter()
        .zip(&got)
        .position(|(w, g)| w != g)
        .unwrap_or(want.len().min(got.len()));
    let from = first.saturating_sub(5);
    let around = |lines: &[&str], mark: char| -> String {
        lines
            .iter()
            .enumerate()
            .skip(from)
            .take(12)
            .map(|(i, l)| format!("  {mark}{:>4} {l}\n", i + 1))
            .collect()
    };
    format!(
        "first difference at line {}\n want\n{} got\n{}",
        first + 1,
        around(&want, '-'),
        around(&got, '+')
    )
}
