//! How the watches do.

use std::time::SystemTime;

use mcwan_telemetry::metrics::Metrics;
use mcwan_watch::{KindState, View};

use crate::observe::sampled::{count, whole};

const KIND: [&str; 2] = ["group", "kind"];

/// Registers the metrics of a watch.
///
/// # Errors
/// When they are registered already.
pub(super) fn register(metrics: &Metrics, view: &View) -> prometheus::Result<()> {
    let figures: [(&str, &str, Figure); 3] = [
        (
            "mcwan_watch_synced",
            "1 when the kind was listed completely once, or is known not to be served.",
            |k| if k.synced() { 1.0 } else { 0.0 },
        ),
        (
            "mcwan_watch_failing_seconds",
            "How long lists and watches of the kind have been failing; 0 while they go well.",
            |k| k.trouble.as_ref().map_or(0.0, |t| age(t.since)),
        ),
        (
            "mcwan_watch_objects",
            "Objects of the kind that are known.",
            |k| count(k.objects),
        ),
    ];
    for (name, help, figure) in figures {
        let view = view.clone();
        metrics.gauge(name, help, &KIND, move |s| {
            for kind in view.kinds() {
                s.add(&[&kind.kind.group, &kind.kind.kind], figure(&kind));
            }
        })?;
    }
    let view = view.clone();
    metrics.counter(
        "mcwan_watch_lists_total",
        "Complete lists of the kind.",
        &KIND,
        move |s| {
            for kind in view.kinds() {
                s.add(&[&kind.kind.group, &kind.kind.kind], whole(kind.lists));
            }
        },
    )
}

type Figure = fn(&KindState) -> f64;

fn age(since: SystemTime) -> f64 {
    // The clock may have been set back.
    since.elapsed().unwrap_or_default().as_secs_f64()
}
