//! The user stories of the original idea, between real processes.

use http::Method;
use mcwan_lab::client::Call;

use crate::world::{HOST, World};

/// Sends a request with an id; returns its access line at the egress of cluster 2.
async fn line_of(world: &World, method: Method, path: &str, id: &str) -> serde_json::Value {
    world
        .send(2, &Call::new(method, HOST, path).header("x-request-id", id))
        .await;
    world.access_line(2, id).await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_takes_the_tunnel_of_its_rule_and_the_rest_is_denied() {
    let mut world = World::seed().await;
    world.start_all(&[1, 2]).await;
    world.until(2, Method::GET, "/payment", 200).await;

    let payment = line_of(&world, Method::GET, "/payment/1", "get-payment").await;
    assert_eq!(payment["wan_policy"], "sd-wan-priority-high", "{payment}");
    assert_eq!(payment["tunnel"], "business", "{payment}");
    assert_eq!(payment["destination_cluster"], "cluster-1", "{payment}");
    let stats = line_of(&world, Method::GET, "/stats", "get-stats").await;
    assert_eq!(stats["wan_policy"], "sd-wan-priority-low", "{stats}");
    assert_eq!(stats["tunnel"], "default", "{stats}");

    for (method, path) in [
        (Method::POST, "/payment"),
        (Method::GET, "/"),
        (Method::GET, "/paymentx"),
    ] {
        let denied = world.call(2, method.clone(), path).await;
        assert_eq!(denied.status, 404, "{method} {path}");
        assert!(denied.text().contains("no rule"), "{}", denied.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_for_the_whole_service_carries_every_request() {
    let mut world = World::seed().await;
    let export = "apiVersion: multicluster.x-k8s.io/v1beta1\nkind: ServiceExport\n\
                  metadata: {name: payment, namespace: secure}\n\
                  spec: {exportedAnnotations: {mc-wan.l7mp.io/wan-policy: sd-wan-priority-high}}\n";
    world.write(1, "serviceexport.yaml", export);
    world.start_all(&[1, 2]).await;
    world.until(2, Method::POST, "/anything", 200).await;
    let line = line_of(&world, Method::DELETE, "/else", "delete-else").await;
    assert_eq!(line["tunnel"], "business", "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_gateways_lines_of_a_request_share_its_trace() {
    let mut world = World::seed().await;
    world.start_all(&[1, 2]).await;
    world.until(2, Method::GET, "/payment", 200).await;

    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let call = Call::get(HOST, "/payment")
        .header("traceparent", &format!("00-{trace}-00f067aa0ba902b7-01"))
        .header("x-request-id", "traced");
    let answer = world.send(2, &call).await;
    assert_eq!(answer.status, 200);
    assert_eq!(world.access_line(2, "traced").await["trace_id"], trace);
    assert_eq!(world.access_line(1, "traced").await["trace_id"], trace);
    let seen = answer.json()["headers"]["traceparent"].to_string();
    assert!(
        seen.contains(trace),
        "the backend sees the trace too: {seen}"
    );

    world
        .send(
            2,
            &Call::get(HOST, "/payment").header("x-request-id", "begun"),
        )
        .await;
    let begun = world.access_line(2, "begun").await["trace_id"].clone();
    assert_eq!(world.access_line(1, "begun").await["trace_id"], begun);
    assert_ne!(begun, trace);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_backend_sees_the_host_that_the_client_sent_and_no_header_of_the_wan_hop() {
    let mut world = World::seed().await;
    world.start_all(&[1, 2]).await;
    world.until(2, Method::GET, "/payment", 200).await;
    let answer = world.call(2, Method::GET, "/payment").await;
    let seen = answer.json();
    assert_eq!(seen["host"], HOST, "{seen}");
    let leaked = |name: &str| name.starts_with("x-mc-wan");
    assert!(
        !seen["headers"]
            .as_object()
            .unwrap()
            .keys()
            .any(|k| leaked(k)),
        "{seen}"
    );
    assert!(
        !answer.headers.keys().any(|k| leaked(k.as_str())),
        "{:?}",
        answer.headers
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exporting_cluster_imports_too_and_stays_local() {
    let mut world = World::seed().await;
    world.start(1).await;
    let answer = world.until(1, Method::GET, "/payment", 200).await;
    assert!(
        answer.json()["replica"]
            .as_str()
            .unwrap()
            .starts_with("cluster-1")
    );
    assert_eq!(
        world.call(1, Method::POST, "/payment").await.status,
        404,
        "the same rules hold at home"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_cluster_goes_away_its_requests_go_to_the_other_one() {
    let mut world = World::seed().await;
    world.exporting(3).await;
    world.start_all(&[1, 2, 3]).await;
    world.until(2, Method::GET, "/payment", 200).await;
    // Two policies to each of the two other clusters.
    world.tunnels_are_healthy(2, 4).await;
    world.kill(1).await;
    for _ in 0..50 {
        let answer = world.call(2, Method::GET, "/payment").await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(
            answer.json()["replica"]
                .as_str()
                .unwrap()
                .starts_with("cluster-3")
        );
    }
    world.kill(3).await;
    let answer = world.until(2, Method::GET, "/payment", 503).await;
    assert!(
        !answer.text().contains("127."),
        "no address leaks: {}",
        answer.text()
    );
    world.start(1).await;
    world.until(2, Method::GET, "/payment", 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_users_own_gateway_and_route_are_served_beside_the_rendered_ones() {
    let mut world = World::seed().await;
    let own = format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {{name: own, namespace: secure}}\n\
         spec:\n  gatewayClassName: mc-wan\n  addresses: [{{type: IPAddress, value: {}}}]\n  \
         listeners: [{{name: http, port: 8000, protocol: HTTP}}]\n---\n\
         apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: own, namespace: secure}}\n\
         spec:\n  parentRefs: [{{name: own}}]\n  hostnames: [shop.example.com]\n  rules:\n  \
         - backendRefs: [{{name: payment, port: 8080}}]\n",
        world.ingress(1)
    );
    world.write(1, "own.yaml", &own);
    world.start(1).await;
    let client = mcwan_lab::client::Client::new((world.ingress(1), 8000).into());
    let answer = client
        .send(&Call::get("shop.example.com", "/any"))
        .await
        .unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["host"], "shop.example.com");
    assert_eq!(
        client
            .send(&Call::get("other.example.com", "/any"))
            .await
            .unwrap()
            .status,
        404
    );
    world.until(1, Method::GET, "/payment", 200).await;
}
