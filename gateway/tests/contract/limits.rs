//! What a gateway does when the machine has no more to give.

use http::Method;
use tokio::net::TcpStream;
use tokio::time::{Duration, Instant, sleep};

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn without_descriptors_a_gateway_waits_for_some_and_goes_on() {
    let mut world = World::seed().await;
    world.start(1).await;
    world.start_with_files(2, 256).await;
    world.until(2, Method::GET, "/payment", 200).await;
    let mut held = Vec::new();
    for _ in 0..400 {
        // The kernel completes them, whether they are accepted or not.
        held.push(TcpStream::connect(world.egress(2)).await.unwrap());
    }
    let start = Instant::now();
    while !world.stderr(2).contains("accept on") {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "no accept failed"
        );
        sleep(Duration::from_millis(20)).await;
    }
    drop(held);
    world.until(2, Method::GET, "/payment", 200).await;
    world.tunnels_are_healthy(2, 2).await;
}
