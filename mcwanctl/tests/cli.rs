//! What people and scripts see of `mcwanctl`: outputs and exit codes.
//!
//! Each case is a golden file in `goldens/`; `UPDATE=1 cargo test -p mcwanctl --test cli` writes them anew.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Output};

/// Name, arguments, exit code. Paths count from this crate's directory.
const CASES: [(&str, &str, i32); 20] = [
    (
        "check-quickstart",
        "check -f ../config/samples/quickstart",
        0,
    ),
    ("check-mistakes", "check -f tests/input/mistakes", 1),
    (
        "check-mistakes-json",
        "check -f tests/input/mistakes -o json",
        1,
    ),
    (
        "check-one-cluster",
        "check -f tests/input/mistakes --cluster cluster-2",
        1,
    ),
    (
        "check-file",
        "check -f tests/input/route.yaml --cluster west",
        1,
    ),
    (
        "check-directory",
        "check -f tests/input/mistakes/cluster-2",
        1,
    ),
    ("check-empty", "check -f tests/input/nothing", 64),
    ("check-missing", "check -f tests/input/missing", 64),
    (
        "check-no-cluster",
        "check -f tests/input/mistakes --cluster cluster-9",
        64,
    ),
    (
        "render-quickstart",
        "render -f ../config/samples/quickstart --cluster cluster-2",
        0,
    ),
    (
        "render-quickstart-json",
        "render -f ../config/samples/quickstart --cluster cluster-1 -o json",
        0,
    ),
    (
        "render-mistakes",
        "render -f tests/input/mistakes --cluster cluster-1",
        1,
    ),
    ("render-which", "render -f ../config/samples/quickstart", 64),
    (
        "status-no-kubeconfig",
        "status --kubeconfig tests/input/missing",
        64,
    ),
    (
        "link-no-context",
        "link west nowhere --kubeconfig tests/input/kubeconfig.yaml",
        64,
    ),
    (
        "unlink-no-cluster",
        "unlink west broken --kubeconfig tests/input/kubeconfig.yaml",
        64,
    ),
    (
        "export-no-namespace",
        "export payment --kubeconfig tests/input/kubeconfig.yaml",
        64,
    ),
    (
        "status-dead",
        "status --context west --kubeconfig tests/input/kubeconfig.yaml",
        1,
    ),
    ("unknown-command", "chekc", 64),
    ("unknown-output", "check -f . -o xml", 64),
];

#[expect(
    clippy::unwrap_used,
    reason = "a program that cannot be started fails the test"
)]
fn run(arguments: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mcwanctl"))
        .args(arguments.split_whitespace())
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap()
}

fn shown(arguments: &str, output: &Output) -> String {
    let mut text = format!("$ mcwanctl {arguments}\n");
    let code = output.status.code();
    let _infallible = writeln!(text, "exit code {}", code.unwrap_or(-1));
    for (name, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        let _infallible = write!(text, "--- {name}\n{}", String::from_utf8_lossy(bytes));
    }
    text
}

#[test]
fn outputs_and_exit_codes_are_as_the_golden_files_say() {
    let update = std::env::var_os("UPDATE").is_some_and(|v| v == "1");
    let mut wrong = Vec::new();
    for (name, arguments, code) in CASES {
        let output = run(arguments);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{}",
            shown(arguments, &output)
        );
        let text = shown(arguments, &output);
        let golden =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/goldens/{name}.out"));
        if update {
            std::fs::write(&golden, &text).unwrap();
        } else if std::fs::read_to_string(&golden).unwrap_or_default() != text {
            wrong.push(format!("{name}:\n{text}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{}\nUPDATE=1 writes the golden files anew",
        wrong.join("\n")
    );
}

#[test]
fn no_golden_file_is_without_a_case() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens");
    for entry in std::fs::read_dir(directory).unwrap() {
        let file = entry.unwrap().path();
        let stem = file.file_stem().unwrap().to_str().unwrap();
        assert!(CASES.iter().any(|(name, ..)| *name == stem), "{stem}");
    }
}

#[test]
fn help_and_version_are_no_mistakes() {
    for arguments in ["--help", "--version", "help check", "render --help"] {
        let output = run(arguments);
        assert!(
            output.status.success() && !output.stdout.is_empty(),
            "{arguments}"
        );
    }
}

#[test]
fn json_output_is_json_and_counts_what_it_lists() {
    let output = run("check -f tests/input/mistakes -o json");
    let all: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut listed = 0;
    for cluster in all["clusters"].as_array().unwrap() {
        listed += cluster["errors"].as_array().unwrap().len();
        listed += cluster["problems"].as_array().unwrap().len();
    }
    assert!(listed > 0);
    assert_eq!(all["count"], listed);
}

#[test]
fn what_render_writes_parses_again_without_mistakes() {
    let output = run("render -f ../config/samples/quickstart --cluster cluster-2");
    let manifest = mcwan_k8s::manifest::parse(&output.stdout);
    assert!(manifest.errors.is_empty(), "{:?}", manifest.errors);
    assert!(!manifest.objects.is_empty());
    assert_eq!(
        mcwan_k8s::manifest::to_yaml(manifest.objects.iter().map(|p| &p.object)),
        String::from_utf8(output.stdout).unwrap()
    );
}

#[test]
fn a_demo_without_a_gateway_program_says_how_to_get_one() {
    let output = run("demo --gateway tests/input/missing");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("cargo build -p mcwan-gateway"), "{said}");
}
