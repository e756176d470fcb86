//! Start and end of the process.

use std::process::Stdio;
use std::time::Duration;

use http::Method;
use tokio::process::Command;

use crate::world::World;

async fn run(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_mcwan-gateway"))
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_secs(10), output)
        .await
        .expect("it ends at once")
        .unwrap();
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

#[tokio::test]
async fn wrong_usage_is_64_and_says_what_to_do() {
    let (code, stderr) = run(&["--clusterset", "."]).await;
    assert_eq!(code, Some(64), "{stderr}");
    assert!(stderr.contains("--cluster"), "{stderr}");
    let (code, stderr) = run(&["--no-such-flag"]).await;
    assert_eq!(code, Some(64), "{stderr}");
}

#[tokio::test]
async fn a_missing_directory_is_named() {
    let (code, stderr) = run(&[
        "--clusterset",
        "no-such-directory",
        "--cluster",
        "cluster-1",
    ])
    .await;
    assert_ne!(code, Some(0));
    assert!(stderr.contains("no-such-directory"), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn at_sigterm_requests_in_flight_finish_and_the_process_ends_with_0() {
    let mut world = World::seed().await;
    world.start_all(&[1, 2]).await;
    world.until(2, Method::GET, "/payment", 200).await;
    let egress = world.egress(2);
    let slow = tokio::task::JoinSet::from_iter([async move {
        let call = mcwan_lab::client::Call::get(super::world::HOST, "/payment")
            .header(mcwan_lab::backend::header::DELAY, "1500");
        mcwan_lab::client::Client::new(egress).send(&call).await
    }]);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let status = world.terminate(2).await;
    let answers = slow.join_all().await;
    let answer = answers
        .into_iter()
        .next()
        .unwrap()
        .expect("the request in flight is answered");
    assert_eq!(answer.status, 200);
    assert_eq!(status.code(), Some(0), "{}", world.stderr(2));
}
