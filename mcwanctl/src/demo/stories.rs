//! Stories 1, 2 and 4.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use http::Method;
use mcwan_lab::backend::header;
use mcwan_lab::client::{Answer, Call};
use tokio::time::{Instant, sleep};

use super::evidence::{self, AccessLine, Carried};
use super::manifests;
use super::report::{Story, bytes, ms};
use super::world::{HOST, Tunnel, World};

/// Requests of one kind.
const REQUESTS: u32 = 20;
/// Bytes of each answer: enough to tell them from the health checks on the same tunnel.
const ANSWER: u64 = 4096;

/// Requests of one kind, and what should become of them.
struct Kind {
    method: Method,
    path: &'static str,
    /// The tunnel they should take; None: denied.
    tunnel: Option<Tunnel>,
}

const fn kind(method: Method, path: &'static str, tunnel: Option<Tunnel>) -> Kind {
    Kind {
        method,
        path,
        tunnel,
    }
}

/// Story 1.
pub(crate) async fn whole_service(world: &World) -> anyhow::Result<Story> {
    let mut story = Story::new(1);
    story.fact(
        "export",
        "official ServiceExport secure/payment, mc-wan.l7mp.io/wan-policy: sd-wan-priority-high",
    );
    first_answer(world).await?;
    let business = Some(Tunnel::Business);
    heading(&mut story);
    for kind in [
        kind(Method::GET, "/payment", business),
        kind(Method::POST, "/payment", business),
        kind(Method::GET, "/stats", business),
    ] {
        batch(world, &kind, &mut story).await?;
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
    heading(&mut story);
    for kind in [
        kind(Method::GET, "/payment", Some(Tunnel::Business)),
        kind(Method::GET, "/stats", Some(Tunnel::Default)),
        kind(Method::POST, "/payment", None),
        kind(Method::GET, "/", None),
        kind(Method::GET, "/paymentx", None),
    ] {
        batch(world, &kind, &mut story).await?;
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

fn heading(story: &mut Story) {
    story.line(format!(
        "{:<20} {:<26} {:<22} {:<34} {}",
        "sent", "answered", "tunnel (access log)", "bytes carried (relays)", "latency p50"
    ));
}

/// Sends requests of one kind, says what became of them, and demands that it is what should.
async fn batch(world: &World, kind: &Kind, story: &mut Story) -> anyhow::Result<()> {
    let (before, executed) = (Carried::now(world), world.executed());
    let mut answers = Vec::new();
    let mut traces = Vec::new();
    for _ in 0..REQUESTS {
        let trace = evidence::new_trace();
        let call = Call::new(kind.method.clone(), HOST, kind.path)
            .header(header::BODY, &ANSWER.to_string())
            .header("traceparent", &evidence::traceparent(&trace));
        answers.push(world.client.send(&call).await?);
        traces.push(trace);
    }
    let carried = before.since(world);
    let [_, importing] = &world.gateways;
    let lines = evidence::by_trace(&importing.access_log, &traces).await;
    let named = |name| lines.values().filter(|l| l.text("tunnel") == name).count();
    let seen = Seen {
        answers,
        logged: lines.len(),
        business: named(Tunnel::Business.name()),
        default: named(Tunnel::Default.name()),
        carried,
        executed: world.executed() - executed,
    };
    seen.say(kind, story);
    seen.judge(kind, story);
    Ok(())
}

/// What became of a batch.
struct Seen {
    answers: Vec<Answer>,
    /// Access lines found.
    logged: usize,
    /// Access lines that name the business tunnel.
    business: usize,
    /// Access lines that name the default tunnel.
    default: usize,
    /// Bytes over (business, default).
    carried: (u64, u64),
    /// Requests that reached a replica.
    executed: u64,
}

impl Seen {
    fn statuses(&self) -> String {
        let statuses: BTreeSet<u16> = self.answers.iter().map(|a| a.status.as_u16()).collect();
        let statuses: Vec<String> = statuses.iter().map(u16::to_string).collect();
        statuses.join(", ")
    }

    /// How many requests each replica answered, by its name.
    fn replicas(&self) -> BTreeMap<String, u32> {
        let mut replicas = BTreeMap::new();
        for answer in &self.answers {
            let said = answer.json();
            if let Some(name) = said.get("replica").and_then(serde_json::Value::as_str) {
                *replicas.entry(name.to_owned()).or_default() += 1;
            }
        }
        replicas
    }

    fn median(&self) -> Duration {
        let mut all: Vec<Duration> = self.answers.iter().map(|a| a.latency).collect();
        all.sort_unstable();
        all.get(all.len() / 2).copied().unwrap_or_default()
    }

    fn say(&self, kind: &Kind, story: &mut Story) {
        let sent = format!("{REQUESTS} × {} {}", kind.method, kind.path);
        let replicas: Vec<(String, u32)> = self.replicas().into_iter().collect();
        let by = match replicas.as_slice() {
            [] => "the egress gateway".to_owned(),
            [(name, _)] => name.clone(),
            all => {
                let shares: Vec<String> = all.iter().map(|(_, n)| n.to_string()).collect();
                format!("both, {}", shares.join(" + "))
            }
        };
        let tunnel = match (self.business, self.default) {
            (0, 0) => "none".to_owned(),
            (n, 0) => format!("business :31111 ({n})"),
            (0, n) => format!("default :31112 ({n})"),
            (b, d) => format!("business {b}, default {d}"),
        };
        let carried = format!(
            "business {}, default {}",
            bytes(self.carried.0),
            bytes(self.carried.1)
        );
        story.line(format!(
            "{sent:<20} {:<26} {tunnel:<22} {carried:<34} {}",
            format!("{} by {by}", self.statuses()),
            ms(self.median())
        ));
        let name = format!("{} {}", kind.method, kind.path);
        story.figure(
            &name,
            serde_json::json!({
                "statuses": self.statuses(),
                "replicas": self.replicas(),
                "business": self.business,
                "default": self.default,
                "businessBytes": self.carried.0,
                "defaultBytes": self.carried.1,
                "latencyP50Ms": self.median().as_secs_f64() * 1000.0,
            }),
        );
    }

    fn judge(&self, kind: &Kind, story: &mut Story) {
        let name = format!("{} {}", kind.method, kind.path);
        let all = self.answers.len();
        let want = if kind.tunnel.is_some() { 200 } else { 404 };
        let right = self.answers.iter().filter(|a| a.status == want).count();
        story.demand(
            right == all,
            format!("{name}: {right} of {all} answers were {want}"),
        );
        let executed = if kind.tunnel.is_some() { REQUESTS } else { 0 };
        story.demand(
            self.executed == u64::from(executed),
            format!(
                "{name}: {} requests reached a replica, not {executed}",
                self.executed
            ),
        );
        story.demand(
            self.logged == all,
            format!("{name}: {} of {all} access lines were found", self.logged),
        );
        let logged = match kind.tunnel {
            Some(Tunnel::Business) => self.business == all && self.default == 0,
            Some(Tunnel::Default) => self.default == all && self.business == 0,
            None => self.business == 0 && self.default == 0,
        };
        story.demand(
            logged,
            format!("{name}: the access log names another tunnel"),
        );
        let payload = ANSWER * u64::from(REQUESTS);
        let (carries, idles) = match kind.tunnel {
            Some(Tunnel::Business) => (self.carried.0 >= payload, self.carried.1 < payload / 4),
            Some(Tunnel::Default) => (self.carried.1 >= payload, self.carried.0 < payload / 4),
            None => (true, self.carried.0.max(self.carried.1) < payload / 4),
        };
        story.demand(
            carries && idles,
            format!("{name}: the relays saw the bytes elsewhere"),
        );
        if let Some(tunnel) = kind.tunnel {
            story.demand(
                self.median() >= 2 * tunnel.delay(),
                format!("{name}: answered faster than the tunnel can"),
            );
            story.demand(
                self.replicas().values().sum::<u32>() == REQUESTS,
                format!("{name}: not every answer names a replica"),
            );
        }
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
