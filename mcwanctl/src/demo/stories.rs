//! Stories 1, 2 and 4.

use std::path::Path;
use std::time::Duration;

use http::Method;
use mcwan_lab::client::Call;
use tokio::time::{Instant, sleep};

use super::batch::{self, kind};
use super::evidence::{self, AccessLine};
use super::manifests;
use super::report::{Story, ms};
use super::world::{HOST, Tunnel, World};

/// Story 1.
pub(crate) async fn whole_service(world: &World) -> anyhow::Result<Story> {
    let mut story = Story::new(1);
    story.fact(
        "export",
        "official ServiceExport secure/payment, mc-wan.l7mp.io/wan-policy: sd-wan-priority-high",
    );
    first_answer(world).await?;
    let business = Some(Tunnel::Business);
    batch::heading(&mut story);
    for kind in [
        kind(Method::GET, "/payment", business),
        kind(Method::POST, "/payment", business),
        kind(Method::GET, "/stats", business),
    ] {
        batch::send(world, &kind, &mut story).await?;
    }
    Ok(story)
}

/// Story 2.
pub(crate) async fn by_request(world: &World) -> anyhow::Result<Story> {
    let mut story = Story::new(2);
    let live = world
        .edit(&[1], "serviceexport.yaml", manifests::SEED_EXPORT)
        .await?;
    story.fact(
        "export",
        format!(
            "the seed's serviceexport.yaml, byte for byte; live {} after the file was written",
            ms(live)
        ),
    );
    batch::heading(&mut story);
    for kind in [
        kind(Method::GET, "/payment", Some(Tunnel::Business)),
        kind(Method::GET, "/stats", Some(Tunnel::Default)),
        kind(Method::POST, "/payment", None),
        kind(Method::GET, "/", None),
        kind(Method::GET, "/paymentx", None),
    ] {
        batch::send(world, &kind, &mut story).await?;
    }
    Ok(story)
}

/// Waits until the first request comes through: the tunnels are connected after the gateways are ready.
async fn first_answer(world: &World) -> anyhow::Result<()> {
    let start = Instant::now();
    loop {
        let answer = world.client.send(&Call::get(HOST, "/payment")).await;
        let said = match &answer {
            Ok(a) if a.status.is_success() => return Ok(()),
            Ok(a) => format!("{} {}", a.status, a.text().trim_end()),
            Err(e) => e.to_string(),
        };
        anyhow::ensure!(
            start.elapsed() < Duration::from_secs(10),
            "no request came through within 10 s; the last answer was: {said}"
        );
        sleep(Duration::from_millis(100)).await;
    }
}

/// Story 4.
pub(crate) async fn trace(world: &World) -> anyhow::Result<Story> {
    let mut story = Story::new(4);
    let given = evidence::new_trace();
    let call = Call::get(HOST, "/payment/with-traceparent")
        .header("traceparent", &evidence::traceparent(&given));
    let answer = world.client.send(&call).await?;
    story.fact(
        "sent",
        format!("GET /payment/with-traceparent, trace id {given}"),
    );
    story.demand(answer.status == 200, format!("answered {}", answer.status));
    hops(world, "/payment/with-traceparent", Some(&given), &mut story).await;
    let call = Call::get(HOST, "/payment/without");
    let answer = world.client.send(&call).await?;
    story.fact(
        "sent",
        "GET /payment/without, no trace id: the egress gateway begins one",
    );
    story.demand(answer.status == 200, format!("answered {}", answer.status));
    hops(world, "/payment/without", None, &mut story).await;
    Ok(story)
}

/// Shows a request's access line of each gateway, and demands that they share the trace id.
async fn hops(world: &World, path: &str, trace: Option<&str>, story: &mut Story) {
    let [exporting, importing] = &world.gateways;
    let egress = hop("cluster-2 egress", &importing.access_log, path, story).await;
    let ingress = hop("cluster-1 ingress", &exporting.access_log, path, story).await;
    let (Some(egress), Some(ingress)) = (egress, ingress) else {
        story.demand(false, format!("{path}: not in both access logs"));
        return;
    };
    let begun = egress.text("trace_id");
    let shared = begun == ingress.text("trace_id") && begun.len() == 32;
    story.demand(shared, format!("{path}: the trace ids differ"));
    if let Some(trace) = trace {
        story.demand(begun == trace, format!("{path}: the trace id was not kept"));
    }
    story.figure(path, begun);
}

/// The access line of one gateway, the telling fields of it shown.
async fn hop(name: &str, log: &Path, path: &str, story: &mut Story) -> Option<AccessLine> {
    let line = evidence::by_path(log, path).await?;
    story.fact(name, line.shown());
    Some(line)
}
