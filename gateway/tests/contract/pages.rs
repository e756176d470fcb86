//! The admin pages.

use http::Method;

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_pages_show_the_table_the_tunnels_and_the_metrics() {
    let mut world = World::seed().await;
    world.start_all(&[1, 2]).await;
    world.until(2, Method::GET, "/payment", 200).await;
    world.call(2, Method::PUT, "/denied-by-path").await;

    let table = world.page(2, "/debug/table").await;
    assert_eq!(table.status, 200);
    assert!(table.json().is_object(), "{}", table.text());
    assert!(table.text().contains("sd-wan-priority-high"));

    let tunnels = world.page(2, "/debug/tunnels").await.json();
    let list = tunnels
        .as_array()
        .or_else(|| tunnels["tunnels"].as_array())
        .expect("a list")
        .clone();
    assert_eq!(list.len(), 2, "two policies to one peer: {tunnels}");
    assert!(list.iter().all(|t| t["health"] == "healthy"), "{tunnels}");

    let metrics = world.page(2, "/metrics").await.text();
    let answered = metrics.lines().find(|l| {
        l.starts_with("mcwan_requests_total")
            && l.contains("wan_policy=\"sd-wan-priority-high\"")
            && l.contains("response_code=\"200\"")
    });
    let line = answered.expect("a series of the answered request");
    for label in [
        "source_cluster=\"cluster-2\"",
        "destination_cluster=\"cluster-1\"",
        "destination_service_name=\"payment\"",
        "destination_service_namespace=\"secure\"",
        "tunnel=\"business\"",
        "outcome=",
    ] {
        assert!(line.contains(label), "{label} in {line}");
    }
    assert!(
        metrics.contains("outcome=\"no_rule\""),
        "denied requests count as such"
    );
    assert!(
        !metrics.contains("denied-by-path"),
        "no label carries what a client chose"
    );
    assert_eq!(world.page(2, "/healthz").await.status, 200);
    assert_eq!(world.page(2, "/nothing-here").await.status, 404);
}
