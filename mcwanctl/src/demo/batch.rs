//! Requests of one kind, sent one after the other, and whether they went where they should.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use http::Method;
use mcwan_lab::backend::header;
use mcwan_lab::client::{Answer, Call};

use super::evidence::{self, Carried};
use super::report::{Story, bytes, ms};
use super::world::{HOST, Tunnel, World};

/// Requests of one kind.
const REQUESTS: u32 = 20;
/// Bytes of each answer: enough to tell them from the health checks on the same tunnel.
const ANSWER: u64 = 4096;

/// Requests of one kind, and what should become of them.
pub(crate) struct Kind {
    method: Method,
    path: &'static str,
    /// The tunnel they should take; None: denied.
    tunnel: Option<Tunnel>,
}

/// A kind of requests.
pub(crate) const fn kind(method: Method, path: &'static str, tunnel: Option<Tunnel>) -> Kind {
    Kind {
        method,
        path,
        tunnel,
    }
}

/// Names the columns of what [`send`] says.
pub(crate) fn heading(story: &mut Story) {
    story.line(format!(
        "{:<20} {:<26} {:<22} {:<34} {}",
        "sent", "answered", "tunnel (access log)", "bytes carried (relays)", "latency p50"
    ));
}

/// Sends requests of one kind, says what became of them, and demands that it is what should.
pub(crate) async fn send(world: &World, kind: &Kind, story: &mut Story) -> anyhow::Result<()> {
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

    /// Demands that the answers are right, and that the access log and the relays agree on the way they took.
    fn judge(&self, kind: &Kind, story: &mut Story) {
        let name = format!("{} {}", kind.method, kind.path);
        self.judge_answers(kind, &name, story);
        story.demand(
            self.logged == self.answers.len(),
            format!("{name}: {} access lines were found", self.logged),
        );
        let all = self.answers.len();
        let (business, default) = match kind.tunnel {
            Some(Tunnel::Business) => (all, 0),
            Some(Tunnel::Default) => (0, all),
            None => (0, 0),
        };
        story.demand(
            (self.business, self.default) == (business, default),
            format!("{name}: the access log names another tunnel"),
        );
        let payload = ANSWER * u64::from(REQUESTS);
        let used = |bytes| bytes >= payload;
        let idle = |bytes| bytes < payload / 4;
        let (business, default) = self.carried;
        let agree = match kind.tunnel {
            Some(Tunnel::Business) => used(business) && idle(default),
            Some(Tunnel::Default) => idle(business) && used(default),
            None => idle(business) && idle(default),
        };
        story.demand(agree, format!("{name}: the relays saw the bytes elsewhere"));
    }

    fn judge_answers(&self, kind: &Kind, name: &str, story: &mut Story) {
        let (status, executed) = match kind.tunnel {
            Some(_) => (200, u64::from(REQUESTS)),
            None => (404, 0),
        };
        let right = self.answers.iter().filter(|a| a.status == status).count();
        story.demand(
            right == self.answers.len(),
            format!("{name}: only {right} answers were {status}"),
        );
        story.demand(
            self.executed == executed,
            format!(
                "{name}: {} requests reached a replica, not {executed}",
                self.executed
            ),
        );
        match kind.tunnel {
            Some(tunnel) => story.demand(
                self.median() >= 2 * tunnel.delay(),
                format!("{name}: answered faster than the tunnel can"),
            ),
            None => story.demand(
                self.answers.iter().all(|a| a.text().contains("no rule")),
                format!("{name}: the answer does not say that no rule takes the request"),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use http::{HeaderMap, Method, StatusCode};
    use mcwan_lab::client::Answer;

    use super::{ANSWER, REQUESTS, Seen, Story, Tunnel, kind};

    /// What is seen when everything is right over the business tunnel.
    fn business() -> Seen {
        let answer = Answer {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: Bytes::from_static(b"{\"replica\":\"payment-1\"}"),
            latency: Duration::from_millis(11),
        };
        let all = usize::try_from(REQUESTS).unwrap();
        Seen {
            answers: vec![answer; all],
            logged: all,
            business: all,
            default: 0,
            carried: (ANSWER * u64::from(REQUESTS) + 1, 100),
            executed: u64::from(REQUESTS),
        }
    }

    fn passes(seen: &Seen, tunnel: Option<Tunnel>) -> bool {
        let mut story = Story::new(1);
        seen.judge(&kind(Method::GET, "/payment", tunnel), &mut story);
        story.passed()
    }

    #[test]
    fn the_right_way_passes_and_no_other() {
        assert!(passes(&business(), Some(Tunnel::Business)));
        assert!(!passes(&business(), Some(Tunnel::Default)));
        assert!(!passes(&business(), None));
    }

    /// Spoils one piece of evidence.
    type Spoil = fn(&mut Seen);

    #[test]
    fn every_piece_of_evidence_counts() {
        let spoil: [(&str, Spoil); 7] = [
            ("status", |s| s.answers[3].status = StatusCode::BAD_GATEWAY),
            ("executed twice", |s| s.executed += 1),
            ("line missing", |s| s.logged -= 1),
            ("logged elsewhere", |s| s.default = 1),
            ("carried elsewhere", |s| {
                s.carried = (s.carried.1, s.carried.0);
            }),
            ("carried twice", |s| s.carried.1 = s.carried.0),
            ("too fast", |s| {
                s.answers.iter_mut().for_each(|a| a.latency /= 2);
            }),
        ];
        for (name, spoil) in spoil {
            let mut seen = business();
            spoil(&mut seen);
            assert!(!passes(&seen, Some(Tunnel::Business)), "{name}");
        }
    }
}
