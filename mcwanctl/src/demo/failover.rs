//! Story 3: a tunnel goes dark and comes back.

use std::time::Duration;

use mcwan_lab::client::Call;
use mcwan_lab::load::{self, Load, Outcome};
use tokio::time::{Instant, sleep};

use super::evidence;
use super::manifests;
use super::report::{Story, ms};
use super::timeline::{Answered, Timeline};
use super::world::{HOST, Tunnel, World};

/// The load: 200 GETs a second for 18 s.
const LOAD: Load = Load {
    rate: 200,
    requests: 3600,
};
/// When the tunnel is cut.
const CUT: Duration = Duration::from_secs(3);
/// How long it stays cut.
const DARK: Duration = Duration::from_secs(3);
/// `holdDown` in [`manifests::FAILOVER`].
const HOLD_DOWN: Duration = Duration::from_secs(5);
/// The other tunnel must answer this soon after the first lost packet.
const DETECT: Duration = Duration::from_secs(2);
/// One request in so many may fail.
const PER_FAILURE: usize = 2000;

/// Plays it.
pub(crate) async fn story(world: &World) -> anyhow::Result<Story> {
    let mut story = Story::new(3);
    let policies = manifests::policies_with_failover();
    let live = world.edit(&[1, 2], "wanpolicy.yaml", &policies).await?;
    story.fact(
        "policy",
        format!("sd-wan-priority-high gets `{}`", manifests::FAILOVER.trim()),
    );
    story.fact(
        "",
        format!(
            "by a file edit, live after {}; with the default holdDown of 60 s this would take a minute longer",
            ms(live)
        ),
    );
    let traces: Vec<String> = (0..LOAD.requests).map(|_| evidence::new_trace()).collect();
    let start = Instant::now();
    let call = |n: u32| {
        let trace = traces.get(n as usize).map_or("", String::as_str);
        Call::get(HOST, "/payment").header("traceparent", &evidence::traceparent(trace))
    };
    let (outcomes, lost, restored) = {
        let (outcomes, (lost, restored)) =
            tokio::join!(load::run(&world.client, LOAD, call), cut_and_restore(world));
        (outcomes, lost, restored)
    };
    let answers = join_log(world, &outcomes, &traces, start).await;
    let timeline = Timeline {
        answers,
        lost: lost.unwrap_or(restored).duration_since(start),
        restored: restored.duration_since(start),
    };
    tell(&timeline, &outcomes, &mut story);
    judge(&timeline, &mut story);
    Ok(story)
}

/// Returns when the cut first lost something, and when it was repaired.
async fn cut_and_restore(world: &World) -> (Option<Instant>, Instant) {
    sleep(CUT).await;
    world.business.cut();
    sleep(DARK).await;
    let lost = world.business.first_lost();
    world.business.restore();
    (lost, Instant::now())
}

/// Looks up each request's tunnel in the egress gateway's access log.
async fn join_log(
    world: &World,
    outcomes: &[Outcome],
    traces: &[String],
    start: Instant,
) -> Vec<Answered> {
    let [_, importing] = &world.gateways;
    let lines = evidence::by_trace(&importing.access_log, traces).await;
    let answered = outcomes.iter().zip(traces).map(|(outcome, trace)| {
        let line = lines.get(trace);
        Answered {
            sent: outcome.sent.duration_since(start),
            ended: outcome.ended.duration_since(start),
            succeeded: outcome.succeeded(),
            tunnel: line.and_then(|l| Tunnel::named(l.text("tunnel"))),
            attempts: line.map_or(0, evidence::AccessLine::attempts),
        }
    });
    answered.collect()
}

fn tell(timeline: &Timeline, outcomes: &[Outcome], story: &mut Story) {
    story.fact(
        "sent",
        format!(
            "{} GET /payment at {} per second, whatever the answers did",
            LOAD.requests, LOAD.rate
        ),
    );
    story.fact(
        "each letter 250 ms",
        "b business, d default, * both, - no answer",
    );
    for line in timeline.drawing() {
        story.line(line);
    }
    let seconds = |time: Option<Duration>| {
        time.map_or_else(
            || "never".to_owned(),
            |t| format!("{:.2} s", t.as_secs_f64()),
        )
    };
    story.fact(
        "failed",
        format!(
            "{} of {}; {} were moved to the other tunnel while under way",
            timeline.failed(),
            timeline.answers.len(),
            timeline.moved()
        ),
    );
    story.fact(
        "time to detect",
        format!(
            "{} from the first lost packet to the first answer over default",
            seconds(timeline.detected())
        ),
    );
    story.fact(
        "time back",
        format!(
            "{} from the repair to the first answer over business ({} s of it holdDown)",
            seconds(timeline.back()),
            HOLD_DOWN.as_secs()
        ),
    );
    story.fact(
        "latency",
        format!(
            "p50 {}, p99 {}, slowest {}",
            ms(load::percentile(outcomes, 0.5)),
            ms(load::percentile(outcomes, 0.99)),
            ms(load::percentile(outcomes, 1.0))
        ),
    );
    figures(timeline, story);
}

fn figures(timeline: &Timeline, story: &mut Story) {
    story.figure("requests", timeline.answers.len());
    story.figure("failed", timeline.failed());
    story.figure("moved", timeline.moved());
    story.figure(
        "detectSeconds",
        timeline.detected().map(|t| t.as_secs_f64()),
    );
    story.figure("backSeconds", timeline.back().map(|t| t.as_secs_f64()));
}

fn judge(timeline: &Timeline, story: &mut Story) {
    let allowed = timeline.answers.len() / PER_FAILURE;
    let failed = timeline.failed();
    story.demand(
        failed <= allowed,
        format!("{failed} requests failed, at most {allowed} may"),
    );
    let detected = timeline.detected();
    story.demand(
        detected.is_some_and(|t| t <= DETECT),
        format!(
            "the other tunnel did not answer within {} s",
            DETECT.as_secs()
        ),
    );
    let back = timeline.back();
    story.demand(back.is_some(), "traffic did not return to business");
    story.demand(
        back.is_none_or(|t| t >= HOLD_DOWN),
        "traffic returned before holdDown was over",
    );
    story.demand(
        timeline.ends_on(Tunnel::Business),
        "the last answers did not come over business",
    );
}
