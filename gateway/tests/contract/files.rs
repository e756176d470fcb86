//! Files change at any time: a good change is live within a second, a bad one changes nothing and is named.

use std::time::Duration;

use http::Method;
use mcwan_lab::client::{Call, Client};
use mcwan_lab::load::{self, Load};
use tokio::time::{Instant, sleep};

use crate::world::{HOST, SEED_EXPORT, World};

/// A second cluster's worth of traffic while something bad happens to a file; all of it must be answered.
async fn keeps_serving(world: &World) {
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(1500) {
        let answer = world.call(2, Method::GET, "/payment").await;
        assert_eq!(answer.status, 200, "{}\n{}", answer.text(), world.stderr(2));
        sleep(Duration::from_millis(5)).await;
    }
}

async fn running() -> World {
    let mut world = World::seed().await;
    world.start_all(&[1, 2]).await;
    world.until(2, Method::GET, "/payment", 200).await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_is_live_within_a_second() {
    let world = running().await;
    assert_eq!(world.call(2, Method::GET, "/refunds").await.status, 404);
    world.write(
        1,
        "serviceexport.yaml",
        &SEED_EXPORT.replace("/stats", "/refunds"),
    );
    let start = Instant::now();
    world.until(2, Method::GET, "/refunds", 200).await;
    let took = start.elapsed();
    println!("an edit was live after {took:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_eq!(world.call(2, Method::GET, "/stats").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_not_yaml_changes_nothing_and_is_named() {
    let world = running().await;
    world.write(
        1,
        "serviceexport.yaml",
        "kind: [ServiceExport\n\tmetadata: }",
    );
    keeps_serving(&world).await;
    world
        .page_says(2, "/readyz?verbose", "serviceexport.yaml")
        .await;
    world
        .page_says(2, "/metrics", "mcwan_config_file_errors")
        .await;
    assert!(
        world.stderr(2).contains("serviceexport.yaml"),
        "{}",
        world.stderr(2)
    );
    world.write(
        1,
        "serviceexport.yaml",
        &SEED_EXPORT.replace("/payment", "/pay"),
    );
    world.until(2, Method::GET, "/pay", 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_is_named_with_document_line_and_field() {
    let world = running().await;
    let broken = super::world::SEED_POLICIES.replace("port: 31112", "port: low");
    world.write(2, "wanpolicy.yaml", &broken);
    keeps_serving(&world).await;
    world
        .page_says(2, "/readyz?verbose", "wanpolicy.yaml")
        .await;
    let stderr = world.stderr(2);
    let line = stderr
        .lines()
        .find(|l| l.contains("wanpolicy.yaml"))
        .expect("it is on stderr");
    let at = 1 + broken
        .lines()
        .position(|l| l.contains("port: low"))
        .unwrap();
    assert!(line.contains("spec.port"), "the field: {line}");
    assert!(line.contains(&at.to_string()), "line {at}: {line}");
    assert!(line.contains("document 2"), "the document: {line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_file_withdraws_nothing() {
    let world = running().await;
    std::fs::remove_file(world.file(1, "serviceexport.yaml")).unwrap();
    std::fs::remove_file(world.file(2, "wanpolicy.yaml")).unwrap();
    keeps_serving(&world).await;
    world
        .page_says(2, "/readyz?verbose", "wanpolicy.yaml")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_file_withdraws_nothing() {
    let world = running().await;
    std::fs::write(world.file(1, "serviceexport.yaml"), "").unwrap();
    keeps_serving(&world).await;
    let half = &SEED_EXPORT.as_bytes()[..SEED_EXPORT.len() / 2];
    std::fs::write(world.file(1, "serviceexport.yaml"), half).unwrap();
    keeps_serving(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_duplicated_file_changes_nothing_even_when_the_copies_differ() {
    let world = running().await;
    world.write(1, "copy.yaml", SEED_EXPORT);
    keeps_serving(&world).await;
    world.write(
        1,
        "a-copy.yaml",
        &SEED_EXPORT.replace("/payment", "/elsewhere"),
    );
    keeps_serving(&world).await;
    world.page_says(2, "/readyz?verbose", "a-copy.yaml").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_goes_when_its_file_is_written_without_it() {
    let world = running().await;
    world.write(1, "serviceexport.yaml", "# nothing is exported any more\n");
    let denied = world.until(2, Method::GET, "/payment", 404).await;
    assert!(denied.text().contains("no rule"), "{}", denied.text());
}

/// Files that are edited in turn, so that each is quiet for long enough to be taken in.
const EDITED: u32 = 20;
/// A load of 200 requests per second for the time that the edits take.
const EDITS: Load = Load {
    rate: 200,
    requests: 11_000,
};

/// An export of its own whose only rule takes one path.
fn export(number: u32, path: &str) -> String {
    let name = format!("edited-{number}");
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: secure}}\n\
         spec: {{ports: [{{name: http, port: 8080, protocol: TCP}}]}}\n---\n\
         apiVersion: mc-wan.l7mp.io/v1alpha1\nkind: ServiceExport\nmetadata: {{name: {name}, namespace: secure}}\n\
         spec: {{http: {{rules: [{{matches: [{{path: {{type: Exact, value: {path}}}}}], backendRefs: {{name: sd-wan-priority-high}}}}]}}}}\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_load_during_1000_edits_of_manifests_no_request_fails() {
    let world = running().await;
    world.tunnels_are_healthy(2, 2).await;
    let client = std::sync::Arc::new(Client::new(world.egress(2)).timeout(Duration::from_secs(10)));
    let load = load::run(&client, EDITS, |_| Call::get(HOST, "/payment"));
    let edits = async {
        let start = Instant::now();
        for edit in 0..1000_u32 {
            let number = edit % EDITED;
            world.write(
                1,
                &format!("edited-{number}.yaml"),
                &export(number, &format!("/edit-{edit}")),
            );
            sleep(Duration::from_millis(50)).await;
        }
        start.elapsed()
    };
    let (outcomes, took) = tokio::join!(load, edits);
    let failed: Vec<_> = outcomes.iter().filter(|o| !o.succeeded()).take(3).collect();
    assert!(failed.is_empty(), "{failed:?}\n{}", world.stderr(2));
    // The last edit of each file is in force: there is a rule for its path (and nobody behind it), and for no other.
    for edit in 1000 - EDITED..1000 {
        let host = format!("edited-{}.secure.svc.clusterset.local", edit % EDITED);
        world
            .until_at(2, &host, &format!("/edit-{edit}"), 503)
            .await;
        world
            .until_at(2, &host, &format!("/edit-{}", edit - EDITED), 404)
            .await;
    }
    let reloads = world.page(2, "/metrics").await.text();
    let applied = reloads
        .lines()
        .find(|l| l.starts_with("mcwan_config_reloads_total") && l.contains("applied"))
        .unwrap_or_default();
    println!(
        "1,000 edits in {took:?}, {} requests; {applied}",
        outcomes.len()
    );
}
